//! What only endpoints of one engine have, as the stack says it and as DMS keeps it.

use aws_sdk_databasemigration::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::field::{BucketName, Differs, KmsKeyArn, RoleArn};

/// A value as the stack has it, and as DMS's API does.
trait Wire<T>: Sized {
    fn to_aws(&self) -> T;
    fn from_aws(value: &T) -> Option<Self>;
}

macro_rules! same {
    ($($plain:ty),+) => {$(
        impl Wire<$plain> for $plain {
            fn to_aws(&self) -> $plain { Clone::clone(self) }
            fn from_aws(value: &$plain) -> Option<Self> { Some(Clone::clone(value)) }
        }
    )+};
}
same!(String, bool, i32);

macro_rules! reference {
    ($($name:ty),+) => {$(
        impl Wire<String> for $name {
            fn to_aws(&self) -> String { self.0.clone() }
            fn from_aws(value: &String) -> Option<Self> { Some(Self(value.clone())) }
        }
    )+};
}
reference!(BucketName, KmsKeyArn, RoleArn);

/// An enum of ours in AWS's own words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident => $aws:ident { $($(#[$one:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$one])* #[serde(rename = $word)] $variant),+ }

        impl Wire<types::$aws> for $name {
            fn to_aws(&self) -> types::$aws {
                types::$aws::from(match self { $(Self::$variant => $word),+ })
            }
            fn from_aws(value: &types::$aws) -> Option<Self> {
                // DMS answers in capitals, or with `_`, what it takes in small letters with `-`.
                let said = value.as_str().replace('_', "-");
                $(if said.eq_ignore_ascii_case($word) { return Some(Self::$variant); })+
                None
            }
        }
    };
}

words! {
    /// How files are compressed.
    Compression => CompressionTypeValue {
        /// Not at all.
        None = "none",
        /// With gzip.
        Gzip = "gzip",
    }
}
words! {
    /// Who holds the key that objects are encrypted with.
    EncryptionMode => EncryptionModeValue {
        /// S3.
        SseS3 = "sse-s3",
        /// KMS, with `kms_key`.
        SseKms = "sse-kms",
    }
}
words! {
    /// The format of files.
    DataFormat => DataFormatValue {
        /// Values with a delimiter between them.
        Csv = "csv",
        /// Apache Parquet.
        Parquet = "parquet",
    }
}
words! {
    /// The version of the Parquet format.
    ParquetVersion => ParquetVersionValue {
        /// Parquet 1.0.
        One = "parquet-1-0",
        /// Parquet 2.0.
        Two = "parquet-2-0",
    }
}
words! {
    /// The parts of a date in the names of folders, and their order.
    DatePartitionSequence => DatePartitionSequenceValue {
        /// Year, month, day.
        YearMonthDay = "YYYYMMDD",
        /// Year, month, day, hour.
        YearMonthDayHour = "YYYYMMDDHH",
        /// Year, month.
        YearMonth = "YYYYMM",
        /// Month, year, day.
        MonthYearDay = "MMYYYYDD",
        /// Day, month, year.
        DayMonthYear = "DDMMYYYY",
    }
}
words! {
    /// What stands between the parts of a date.
    DatePartitionDelimiter => DatePartitionDelimiterValue {
        /// `/`: a folder for each part.
        Slash = "SLASH",
        /// `_`.
        Underscore = "UNDERSCORE",
        /// `-`.
        Dash = "DASH",
        /// Nothing.
        None = "NONE",
    }
}
words! {
    /// The plugin that decodes PostgreSQL's log of changes.
    Plugin => PluginNameValue {
        /// Whichever is there.
        NoPreference = "no-preference",
        /// `test_decoding`, which every server has.
        TestDecoding = "test-decoding",
        /// `pglogical`, an extension.
        Pglogical = "pglogical",
    }
}
words! {
    /// Where tables of several source databases go.
    TargetDatabases => TargetDbType {
        /// Into one database.
        Specific = "specific-database",
        /// Into databases named as the source's.
        Multiple = "multiple-databases",
    }
}

/// A block of settings, each optional, with its way to DMS and back.
macro_rules! block {
    ($(#[$doc:meta])* $name:ident => $aws:ident {
        $($(#[$attribute:meta])* $field:ident: $type:ty = $set:ident),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$attribute])* pub $field: Option<$type>),+ }

        impl $name {
            /// The settings that are given, in the shape that DMS takes.
            pub(super) fn to_aws(&self) -> types::builders::$aws {
                types::builders::$aws::default()
                    $(.$set(self.$field.as_ref().map(Wire::to_aws)))+
            }

            /// Whether a setting that is given isn't what DMS has; it fills in the others.
            pub(super) fn differs(&self, live: Option<&Self>) -> bool {
                let nothing = Self::default();
                let live = live.unwrap_or(&nothing);
                false $(|| self.$field.differs(&live.$field))+
            }
        }
    };
}

macro_rules! from_aws {
    ($name:ident => $aws:ident { $($field:ident = $theirs:ident),+ $(,)? }) => {
        impl $name {
            /// The settings that DMS reports.
            pub(super) fn from_aws(live: &types::$aws) -> Self {
                Self { $($field: live.$theirs.as_ref().and_then(Wire::from_aws)),+ }
            }
        }
    };
}

block! {
    /// What only PostgreSQL endpoints have. What is left out stays as DMS has it.
    Postgres => PostgreSqlSettingsBuilder {
        /// Statements that DMS runs right after it has connected, such as `SET
        /// session_replication_role='replica'` on a target.
        after_connect_script: String = set_after_connect_script,
        /// A source: changes of tables are captured too, with objects of its own in the database.
        /// DMS starts with true.
        capture_ddl: bool = set_capture_ddls,
        /// The schema for those objects. DMS starts with `public`.
        ddl_artifacts_schema: String = set_ddl_artifacts_schema,
        /// How long a statement may take. DMS starts with 60 seconds.
        execute_timeout_seconds: i32 = set_execute_timeout,
        /// A task fails when a large object would be cut off. DMS starts with false.
        fail_tasks_on_lob_truncation: bool = set_fail_tasks_on_lob_truncation,
        /// DMS writes into the source now and then, so that the log of an idle one moves on. DMS
        /// starts with false.
        heartbeat: bool = set_heartbeat_enable,
        /// The schema that it writes into. DMS starts with `public`.
        heartbeat_schema: String = set_heartbeat_schema,
        /// How often it writes. DMS starts with every 5 minutes.
        heartbeat_frequency_minutes: i32 = set_heartbeat_frequency,
        /// A target: the largest CSV file that DMS loads at once. DMS starts with 32768 KiB.
        max_file_size_kib: i32 = set_max_file_size,
        /// Booleans stay booleans instead of becoming `varchar(5)`. DMS starts with false.
        map_boolean_as_boolean: bool = set_map_boolean_as_boolean,
        /// JSONB becomes CLOB instead of NCLOB. DMS starts with false.
        map_jsonb_as_clob: bool = set_map_jsonb_as_clob,
        /// The plugin that decodes the log of changes.
        plugin: Plugin = set_plugin_name,
        /// A replication slot that was made for DMS, to start from its position.
        slot_name: String = set_slot_name,
        /// Spaces at the end of CHAR values go. DMS starts with true.
        trim_space_in_char: bool = set_trim_space_in_char,
    }
}
from_aws! {
    Postgres => PostgreSqlSettings {
        after_connect_script = after_connect_script,
        capture_ddl = capture_ddls,
        ddl_artifacts_schema = ddl_artifacts_schema,
        execute_timeout_seconds = execute_timeout,
        fail_tasks_on_lob_truncation = fail_tasks_on_lob_truncation,
        heartbeat = heartbeat_enable,
        heartbeat_schema = heartbeat_schema,
        heartbeat_frequency_minutes = heartbeat_frequency,
        max_file_size_kib = max_file_size,
        map_boolean_as_boolean = map_boolean_as_boolean,
        map_jsonb_as_clob = map_jsonb_as_clob,
        plugin = plugin_name,
        slot_name = slot_name,
        trim_space_in_char = trim_space_in_char,
    }
}

block! {
    /// What only MySQL and MariaDB endpoints have. What is left out stays as DMS has it.
    Mysql => MySqlSettingsBuilder {
        /// Statements that DMS runs right after it has connected.
        after_connect_script: String = set_after_connect_script,
        /// DMS reads the tables' shape anew when it doesn't fit. DMS starts with false.
        clean_source_metadata_on_mismatch: bool = set_clean_source_metadata_on_mismatch,
        /// A source: how often DMS looks for changes when nothing happens. DMS starts with 5
        /// seconds.
        events_poll_interval_seconds: i32 = set_events_poll_interval,
        /// How long a statement may take. DMS starts with 60 seconds.
        execute_timeout_seconds: i32 = set_execute_timeout,
        /// A target: the largest CSV file that DMS loads at once. DMS starts with 32768 KiB.
        max_file_size_kib: i32 = set_max_file_size,
        /// A target: connections that load one table. DMS starts with 1.
        parallel_load_threads: i32 = set_parallel_load_threads,
        /// A source: its time zone, such as `America/Sao_Paulo`.
        server_timezone: String = set_server_timezone,
        /// A target: where tables of several source databases go. DMS starts with
        /// `specific-database`.
        target_databases: TargetDatabases = set_target_db_type,
    }
}
from_aws! {
    Mysql => MySqlSettings {
        after_connect_script = after_connect_script,
        clean_source_metadata_on_mismatch = clean_source_metadata_on_mismatch,
        events_poll_interval_seconds = events_poll_interval,
        execute_timeout_seconds = execute_timeout,
        max_file_size_kib = max_file_size,
        parallel_load_threads = parallel_load_threads,
        server_timezone = server_timezone,
        target_databases = target_db_type,
    }
}

block! {
    /// Where in S3 the files are, and how they are written. What is left out stays as DMS has it.
    S3 => S3SettingsBuilder {
        /// The bucket.
        bucket: BucketName = set_bucket_name,
        /// The folder in the bucket; without one, a folder for each schema stands at the top.
        folder: String = set_bucket_folder,
        /// The role with which DMS reads or writes the bucket; it trusts `dms.amazonaws.com`.
        role: RoleArn = set_service_access_role_arn,
        /// CSV files begin with the columns' names. DMS starts with false.
        add_column_name: bool = set_add_column_name,
        /// Values are padded with spaces to the columns' width. DMS starts with false.
        add_trailing_padding_character: bool = set_add_trailing_padding_character,
        /// Of changes, only inserts and updates are written. DMS starts with false.
        cdc_inserts_and_updates: bool = set_cdc_inserts_and_updates,
        /// Of changes, only inserts are written. DMS starts with false.
        cdc_inserts_only: bool = set_cdc_inserts_only,
        /// Changes are written after this time at the latest. DMS starts with 60 seconds.
        cdc_max_batch_interval_seconds: i32 = set_cdc_max_batch_interval,
        /// Changes are written as soon as there are so many of them. DMS starts with 32000 KiB.
        cdc_min_file_size_kib: i32 = set_cdc_min_file_size,
        /// The folder for changes; needed for a source that has some.
        cdc_path: String = set_cdc_path,
        /// How files are compressed. DMS starts with `none`.
        compression: Compression = set_compression_type,
        /// What stands between two values. DMS starts with `,`.
        csv_delimiter: String = set_csv_delimiter,
        /// What stands for NULL in CSV files. DMS starts with `NULL`.
        csv_null_value: String = set_csv_null_value,
        /// What stands between two rows. DMS starts with a line end, written `\\n`.
        csv_row_delimiter: String = set_csv_row_delimiter,
        /// The format of the files. DMS starts with `csv`.
        data_format: DataFormat = set_data_format,
        /// Changes go into folders by date. DMS starts with false.
        date_partition: bool = set_date_partition_enabled,
        /// What stands between the parts of the date. DMS starts with `SLASH`.
        date_partition_delimiter: DatePartitionDelimiter = set_date_partition_delimiter,
        /// The parts of the date. DMS starts with `YYYYMMDD`.
        date_partition_sequence: DatePartitionSequence = set_date_partition_sequence,
        /// The time zone of the date, such as `America/Sao_Paulo`. DMS starts with UTC.
        date_partition_timezone: String = set_date_partition_timezone,
        /// Who holds the key that objects are encrypted with. DMS starts with `sse-s3`.
        encryption_mode: EncryptionMode = set_encryption_mode,
        /// The account that must own the bucket.
        expected_bucket_owner: String = set_expected_bucket_owner,
        /// A source: the tables that the files stand for, as JSON.
        external_table_definition: String = set_external_table_definition,
        /// DMS makes tables in the Glue catalogue of what it writes. DMS starts with false.
        glue_catalog_generation: bool = set_glue_catalog_generation,
        /// A source: 1 leaves out the first row of each file. DMS starts with 0.
        ignore_header_rows: i32 = set_ignore_header_rows,
        /// Rows of a full load also begin with a column for the operation, `I`. DMS starts with
        /// false.
        include_op_for_full_load: bool = set_include_op_for_full_load,
        /// The KMS key of `sse-kms`.
        kms_key: KmsKeyArn = set_server_side_encryption_kms_key_id,
        /// The largest file of a full load. DMS starts with 1048576 KiB.
        max_file_size_kib: i32 = set_max_file_size,
        /// Times in Parquet files have milliseconds instead of microseconds, as Athena and Glue
        /// read them. DMS starts with false.
        parquet_timestamp_in_millisecond: bool = set_parquet_timestamp_in_millisecond,
        /// The version of the Parquet format. DMS starts with `parquet-1-0`.
        parquet_version: ParquetVersion = set_parquet_version,
        /// Changes are written in the order of their transactions, into `cdc_path`. DMS starts with
        /// false.
        preserve_transactions: bool = set_preserve_transactions,
        /// Values with quotes or line ends are quoted as RFC 4180 says. DMS starts with true.
        rfc4180: bool = set_rfc4180,
        /// A column of that name tells when a row was written.
        timestamp_column_name: String = set_timestamp_column_name,
    }
}
from_aws! {
    S3 => S3Settings {
        bucket = bucket_name,
        folder = bucket_folder,
        role = service_access_role_arn,
        add_column_name = add_column_name,
        add_trailing_padding_character = add_trailing_padding_character,
        cdc_inserts_and_updates = cdc_inserts_and_updates,
        cdc_inserts_only = cdc_inserts_only,
        cdc_max_batch_interval_seconds = cdc_max_batch_interval,
        cdc_min_file_size_kib = cdc_min_file_size,
        cdc_path = cdc_path,
        compression = compression_type,
        csv_delimiter = csv_delimiter,
        csv_null_value = csv_null_value,
        csv_row_delimiter = csv_row_delimiter,
        data_format = data_format,
        date_partition = date_partition_enabled,
        date_partition_delimiter = date_partition_delimiter,
        date_partition_sequence = date_partition_sequence,
        date_partition_timezone = date_partition_timezone,
        encryption_mode = encryption_mode,
        expected_bucket_owner = expected_bucket_owner,
        external_table_definition = external_table_definition,
        glue_catalog_generation = glue_catalog_generation,
        ignore_header_rows = ignore_header_rows,
        include_op_for_full_load = include_op_for_full_load,
        kms_key = server_side_encryption_kms_key_id,
        max_file_size_kib = max_file_size,
        parquet_timestamp_in_millisecond = parquet_timestamp_in_millisecond,
        parquet_version = parquet_version,
        preserve_transactions = preserve_transactions,
        rfc4180 = rfc4180,
        timestamp_column_name = timestamp_column_name,
    }
}

block! {
    /// What only Redshift endpoints have. What is left out stays as DMS has it.
    Redshift => RedshiftSettingsBuilder {
        /// Dates that can't be read become NULL instead of an error. DMS starts with false.
        accept_any_date: bool = set_accept_any_date,
        /// Statements that DMS runs right after it has connected.
        after_connect_script: String = set_after_connect_script,
        /// The bucket through which data is loaded; DMS makes one when unset.
        bucket: BucketName = set_bucket_name,
        /// The folder in the bucket.
        folder: String = set_bucket_folder,
        /// Names of tables and columns keep their case. DMS starts with false.
        case_sensitive_names: bool = set_case_sensitive_names,
        /// How dates are written, such as `auto`.
        date_format: String = set_date_format,
        /// Empty text becomes NULL. DMS starts with false.
        empty_as_null: bool = set_empty_as_null,
        /// Who holds the key of the files in the bucket. DMS starts with `sse-s3`.
        encryption_mode: EncryptionMode = set_encryption_mode,
        /// Files that are written at the same time, 1 to 64. DMS starts with 10.
        file_transfer_upload_streams: i32 = set_file_transfer_upload_streams,
        /// The KMS key of `sse-kms`.
        kms_key: KmsKeyArn = set_server_side_encryption_kms_key_id,
        /// How long a load may take.
        load_timeout_seconds: i32 = set_load_timeout,
        /// Booleans stay booleans instead of becoming `varchar(1)`. DMS starts with false.
        map_boolean_as_boolean: bool = set_map_boolean_as_boolean,
        /// The largest file that is loaded. DMS starts with 1048576 KiB.
        max_file_size_kib: i32 = set_max_file_size,
        /// The role with which Redshift reads the bucket. By default `dms-access-for-endpoint`.
        role: RoleArn = set_service_access_role_arn,
        /// How times are written, such as `auto`.
        time_format: String = set_time_format,
        /// Blanks at the end of VARCHAR values go. DMS starts with false.
        trim_blanks: bool = set_trim_blanks,
        /// Text that is too long is cut off instead of an error. DMS starts with false.
        truncate_columns: bool = set_truncate_columns,
        /// Memory for writing files. DMS starts with 1000 KiB.
        write_buffer_size_kib: i32 = set_write_buffer_size,
    }
}
from_aws! {
    Redshift => RedshiftSettings {
        accept_any_date = accept_any_date,
        after_connect_script = after_connect_script,
        bucket = bucket_name,
        folder = bucket_folder,
        case_sensitive_names = case_sensitive_names,
        date_format = date_format,
        empty_as_null = empty_as_null,
        encryption_mode = encryption_mode,
        file_transfer_upload_streams = file_transfer_upload_streams,
        kms_key = server_side_encryption_kms_key_id,
        load_timeout_seconds = load_timeout,
        map_boolean_as_boolean = map_boolean_as_boolean,
        max_file_size_kib = max_file_size,
        role = service_access_role_arn,
        time_format = time_format,
        trim_blanks = trim_blanks,
        truncate_columns = truncate_columns,
        write_buffer_size_kib = write_buffer_size,
    }
}

/// What only DynamoDB endpoints have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dynamodb {
    /// The role with which DMS writes tables; it trusts `dms.amazonaws.com`.
    pub role: RoleArn,
}
