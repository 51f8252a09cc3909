//! A database server in RDS.

mod calls;
mod live;
mod permissions;
mod rules;
mod version;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_rds::types::DbInstance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::rest;
use crate::aws::words::word;
use crate::aws::{Aws, Error, absent, gone_is_fine, rds_tags};
use crate::field::{
    Computed, Connection, DbParameterGroupName, DbSubnetGroupName, Derived, Immutable, KmsKeyArn,
    RoleArn, SecretSource, SecurityGroupId, Tags, WriteOnly, leave_out,
};
use crate::kind::{Access, Cx, Farewell, Found, Kind, OnDestroy, Phase, Site, Takes, Wanted};
pub use words::{
    DatabaseInsightsMode, Engine, EngineLifecycleSupport, LicenseModel, NetworkType, StorageType,
};

/// A database server in RDS, outside Aurora, whose servers are `rds_cluster_instance`s.
///
/// Changes are made at once, never put off to the maintenance window: some restart the server, and
/// a change that AWS already has queued counts as made. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsInstance {
    /// The database engine. Changing it replaces the server, except from `oracle-ee` to
    /// `oracle-ee-cdb` and from `oracle-se2` to `oracle-se2-cdb`.
    pub engine: Engine,
    /// Version of the engine. `15` accepts every `15.x`; `15.4` also accepts the later `15.x` that
    /// AWS moved the server to by itself. AWS chooses its default version when unset.
    pub engine_version: Option<String>,
    /// Permits the next change of `engine_version` to go to another major version, which can't be
    /// undone. Without it a plan that would do so stops.
    pub allow_major_version_upgrade: Option<WriteOnly<bool>>,
    /// Size of the machine, such as `db.t3.micro`. A change restarts the server.
    #[schemars(regex(pattern = r"^db\.[a-z0-9.-]+$"))]
    pub instance_class: String,
    /// Allocated storage in GiB. It only grows: less than there is replaces the server. With
    /// `max_storage_gib`, what AWS has added by itself counts as wanted.
    #[schemars(range(min = 5, max = 65536))]
    pub storage_gib: i32,
    /// Kind of disk. AWS starts with `gp2` or, where `iops` is set, `io1`.
    pub storage_type: Option<StorageType>,
    /// Provisioned operations per second; needed for `io1` and `io2`, and for `gp3` allowed only
    /// from a size that depends on the engine (400 GiB for PostgreSQL, MySQL and MariaDB).
    pub iops: Option<i32>,
    /// Provisioned throughput of a `gp3` disk in MiB per second, from the same size on as `iops`.
    pub storage_throughput_mibps: Option<i32>,
    /// Up to how many GiB AWS may grow the storage by itself. The value of `storage_gib` turns
    /// autoscaling off.
    pub max_storage_gib: Option<i32>,
    /// A separate volume for the engine's transaction log. AWS starts without.
    pub dedicated_log_volume: Option<bool>,
    /// Name of the database made together with the server; for Oracle its SID. SQL Server takes
    /// none. PostgreSQL always has `postgres`.
    pub database: Option<Immutable<String>>,
    /// Name of the master user.
    #[schemars(regex(pattern = "^[a-zA-Z][a-zA-Z0-9_]{0,127}$"))]
    pub username: Immutable<String>,
    /// RDS makes up the master password, keeps it in Secrets Manager and rotates it every seven
    /// days. `--rotate KEY` rotates it now. Either this or `password`. Default false.
    #[serde(default)]
    pub managed_password: bool,
    /// The KMS key of the managed password's secret. Without one, AWS's own `aws/secretsmanager`.
    /// AWS can't change it while the password is managed.
    pub managed_password_kms_key: Option<KmsKeyArn>,
    /// Where the master password comes from: `${env.NAME}` or a secret. Sent at creation, when
    /// `managed_password` is switched off, and with `--rotate KEY`.
    pub password: Option<WriteOnly<SecretSource>>,
    /// Name or ARN of a snapshot to start from, instead of with an empty database; read at creation
    /// only. `engine`, `database`, `username`, `storage_encrypted` and `kms_key` must be the
    /// snapshot's. The password becomes the stack's.
    pub snapshot: Option<WriteOnly<String>>,
    /// TCP port that the server is asked to listen on. AWS starts with the engine's usual port. A
    /// change restarts the server.
    #[schemars(range(min = 1150, max = 65535))]
    pub port: Option<u16>,
    /// Security groups in front of the server. AWS starts with the VPC's default group.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// The subnets it may stand in. AWS starts with the default VPC's. A change moves the server to
    /// another VPC; AWS refuses groups of the same VPC.
    pub subnet_group: Option<DbSubnetGroupName>,
    /// Settings of the engine. AWS starts with the engine's default group. A change restarts the
    /// server once AWS says that it is pending a reboot; so does a change of a static parameter in
    /// the group.
    #[schemars(extend("x-follows" = "static parameters need a restart"))]
    pub parameter_group: Option<DbParameterGroupName>,
    /// Name of the group of additional features (Oracle, SQL Server, MySQL, MariaDB).
    pub option_group: Option<String>,
    /// A standby in a second availability zone. AWS starts without.
    pub multi_az: Option<bool>,
    /// Where it stands, such as `us-east-1a`; not together with `multi_az`. A change replaces it.
    pub availability_zone: Option<String>,
    /// Whether the server has an address that the internet can reach, if its security groups and
    /// subnets allow it. Default false.
    #[serde(default)]
    pub publicly_accessible: bool,
    /// `IPV4`, or `DUAL` for IPv4 and IPv6. AWS starts with `IPV4`.
    pub network_type: Option<NetworkType>,
    /// AWS refuses to delete the server while this is on. AWS starts with false.
    pub deletion_protection: Option<bool>,
    /// Days for which automated backups are kept, 0 to 35; 0 turns them off. AWS starts with 1.
    /// Going from or to 0 restarts the server.
    #[schemars(range(min = 0, max = 35))]
    pub backup_retention_days: Option<i32>,
    /// When daily backups start, in UTC, at least 30 minutes: `04:00-04:30`. AWS picks one.
    pub backup_window: Option<String>,
    /// When AWS may do maintenance, in UTC: `sun:05:00-sun:05:30`. AWS picks one.
    pub maintenance_window: Option<String>,
    /// AWS moves the server to new minor versions in the maintenance window. AWS starts with true.
    pub auto_minor_version_upgrade: Option<bool>,
    /// Whether the data on disk is encrypted. AWS's own default is false.
    pub storage_encrypted: Option<Immutable<bool>>,
    /// The KMS key that encrypts the data: key, id, ARN or alias; needs `storage_encrypted: true`.
    /// Without one, AWS's own `aws/rds`. An alias counts as whatever key the server has.
    pub kms_key: Option<Immutable<KmsKeyArn>>,
    /// Users may log in with a token from IAM instead of a password. AWS starts with false.
    pub iam_authentication: Option<bool>,
    /// `standard`, or `advanced` for 15 months of history; `advanced` needs performance insights.
    pub database_insights_mode: Option<DatabaseInsightsMode>,
    /// Record which queries load the server. AWS starts with false.
    pub performance_insights: Option<bool>,
    /// Days for which that record is kept: 7, a multiple of 31, or 731. AWS starts with 7, which is
    /// free.
    #[schemars(range(min = 7, max = 731))]
    pub performance_insights_retention_days: Option<i32>,
    /// The KMS key of that record. It can't be changed once there is one: that replaces the server.
    pub performance_insights_kms_key: Option<KmsKeyArn>,
    /// Seconds between the operating system's measurements: 1, 5, 10, 15, 30 or 60; 0 turns them
    /// off. Needs `monitoring_role`. AWS starts with 0.
    pub monitoring_interval_seconds: Option<i32>,
    /// The role with which RDS writes those measurements to CloudWatch Logs
    /// (`AmazonRDSEnhancedMonitoringRole`).
    pub monitoring_role: Option<RoleArn>,
    /// Logs that go to CloudWatch Logs: `postgresql`, `upgrade`; `audit`, `error`, `general`,
    /// `slowquery`; …
    pub log_exports: Option<BTreeSet<String>>,
    /// Snapshots get the server's tags. AWS starts with false.
    pub copy_tags_to_snapshot: Option<bool>,
    /// The authority of the server's TLS certificate, such as `rds-ca-rsa2048-g1`. A change may
    /// restart the server.
    pub ca_certificate: Option<String>,
    /// How the engine is paid for. AWS chooses by engine.
    pub license_model: Option<LicenseModel>,
    /// Character set of an Oracle, Db2 or SQL Server database (its collation).
    pub character_set: Option<Immutable<String>>,
    /// National character set of an Oracle database.
    pub national_character_set: Option<Immutable<String>>,
    /// Time zone of a SQL Server or Db2 server.
    pub timezone: Option<Immutable<String>>,
    /// What happens when the community no longer supports the major version. AWS starts with
    /// `open-source-rds-extended-support`, which costs money from that day on; `…-disabled` lets
    /// AWS upgrade the server instead. MySQL and PostgreSQL only.
    pub engine_lifecycle_support: Option<EngineLifecycleSupport>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Name of the host to connect to.
    #[serde(default)]
    pub host: Computed<String>,
    /// Port that the server answers on.
    #[serde(default)]
    pub endpoint_port: Computed<u16>,
    /// How seeds connect: host, port, user, where the password is, database, encryption.
    #[serde(default)]
    pub connection: Computed<Connection>,
    /// The secret with the managed password: a JSON object with `username` and `password`.
    #[serde(default)]
    pub master_secret_arn: Computed<String>,
    /// `arn:aws:rds:region:account:db:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The server's id that never changes, for IAM policies: `db-ABC…`.
    #[serde(default)]
    pub resource_id: Computed<String>,
    /// The server that this one copies, for a read replica that was made elsewhere.
    #[serde(default)]
    pub replica_of: Computed<String>,
    /// The service's own word: `creating`, `available`, `modifying`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// What AWS is still doing although the status says `available`.
    #[serde(default)]
    pub unsettled: Computed<String>,
    /// The server must restart before its parameter group counts in full: after another group was
    /// set, or after a static parameter of the group changed. lagoa restarts it;
    /// `ignore: [reboot_pending]` leaves that to you.
    #[serde(default)]
    pub reboot_pending: Derived<bool>,
    /// The master password is still the one of the snapshot that the server was made from; lagoa
    /// sets the stack's. Kept in the tag `lagoa:password`.
    #[serde(default)]
    pub password_of_snapshot: Derived<bool>,
}

impl Kind for RdsInstance {
    const EXAMPLE: &'static str = "
rds-server:
  kind: rds_instance
  engine: postgres
  engine_version: '15'
  instance_class: db.t3.micro
  storage_gib: 20
  storage_type: gp3
  max_storage_gib: 100
  database: coins
  username: postgres
  managed_password: true
  port: 5433
  subnet_group: rds-subnets
  parameter_group: rds-postgres15
  backup_retention_days: 7
  backup_window: 04:00-04:30
  maintenance_window: sun:05:00-sun:05:30
  auto_minor_version_upgrade: true
  storage_encrypted: true
  iam_authentication: true
  log_exports: [postgresql, upgrade]
  copy_tags_to_snapshot: true
  deletion_protection: false
  engine_lifecycle_support: open-source-rds-extended-support-disabled
  tags: { Projeto: Bootcamp }
  on_destroy: delete
rds-subnets:
  kind: rds_subnet_group
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
rds-postgres15:
  kind: rds_parameter_group
  family: postgres15
  parameters: { log_min_duration_statement: '500' }
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9]){0,62}$";
    const ACCESS: Access = permissions::ACCESS;
    const HOLDS: Option<&'static str> = Some("a database");
    const ON_DESTROY: &'static [OnDestroy] =
        &[OnDestroy::Delete, OnDestroy::Retain, OnDestroy::Snapshot];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Snapshot);
    const TAKES: Takes = Takes::seconds(360, 264);

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_instances();
        let call = match wanted {
            [one] => call.db_instance_identifier(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            // Servers of clusters are another kind.
            let alone = |one: &&DbInstance| one.db_cluster_identifier().is_none();
            for instance in page.db_instances().iter().filter(alone) {
                let name = instance.db_instance_identifier().unwrap_or_default();
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    let fields = live::read(instance, one.desired.as_ref())?;
                    found.push(Found { name: name.to_owned(), fields });
                }
            }
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "db:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<DbInstance>, _> =
            aws.rds.describe_db_instances().into_paginator().items().send().collect().await;
        let names = all?
            .into_iter()
            .filter(|one| one.db_cluster_identifier.is_none())
            .filter_map(|one| one.db_instance_identifier);
        Ok(names.collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        if let Some(snapshot) = &self.snapshot {
            return self.restore(snapshot, cx).await;
        }
        let said = self.password_source().at_first(cx).await?;
        let call = self.with_settings(cx.rds.create_db_instance().db_instance_identifier(cx.name));
        call.set_manage_master_user_password(said.manage)
            .set_master_user_secret_kms_key_id(said.kms_key)
            .set_master_user_password(said.password.for_call())
            .set_tags(Some(rds_tags::to_aws(&self.tags)))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let call = self.with_changes(live, cx.rds.modify_db_instance());
        let call = self.with_password(live, call, cx).await?;
        if call.as_input() != cx.rds.modify_db_instance().as_input() {
            let call = call.db_instance_identifier(cx.name).apply_immediately(true);
            let wake = format!("aws rds start-db-instance --db-instance-identifier {}", cx.name);
            let refused = |error| rest::explained(error, live.status.as_deref(), &wake);
            call.send().await.map_err(Error::from).map_err(refused)?;
        } else if *self.reboot_pending == Some(false) && *live.reboot_pending == Some(true) {
            cx.rds.reboot_db_instance().db_instance_identifier(cx.name).send().await?;
        }
        if *live.password_of_snapshot == Some(true) {
            let call = cx.rds.remove_tags_from_resource().resource_name(arn);
            call.tag_keys(live::PASSWORD_TAG).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if self.status.as_deref() == Some("deleting") {
            return Ok(());
        }
        if farewell.on_destroy != Some(OnDestroy::Delete) && self.is_broken() {
            return Err(self.without_snapshot());
        }
        if farewell.unprotect && self.deletion_protection == Some(true) {
            let call = cx.rds.modify_db_instance().db_instance_identifier(cx.name);
            gone_is_fine(call.deletion_protection(false).apply_immediately(true).send().await)?;
        }
        let call = cx.rds.delete_db_instance().db_instance_identifier(cx.name);
        let keeps = farewell.on_destroy != Some(OnDestroy::Delete) && self.replica_of.is_none();
        let call = if keeps {
            call.skip_final_snapshot(false).final_db_snapshot_identifier(&farewell.snapshot)
        } else {
            call.skip_final_snapshot(true)
        };
        match call.send().await.map_err(Error::from) {
            Err(error) if error.message.contains("already being deleted") => Ok(()),
            answer => gone_is_fine(answer),
        }
    }

    fn phase(&self) -> Phase {
        let status = self.status.as_deref().unwrap_or("unknown");
        if live::TERMINAL.contains(&status) {
            return Phase::Failed(status.to_owned());
        }
        if !live::USABLE.contains(&status) {
            return Phase::Pending(status.to_owned());
        }
        match self.unsettled.as_deref() {
            None => Phase::Ready,
            Some(what) => Phase::Pending(what.to_owned()),
        }
    }

    fn accept(&mut self, live: &Self) {
        self.take_over(live);
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("db:{name}")).into();
        self.reboot_pending = false.into();
        self.password_of_snapshot = false.into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.backup_window = None;
        self.maintenance_window = None;
        self.ca_certificate = None;
        self.availability_zone = None;
        self.license_model = None;
        self.character_set = None;
        self.national_character_set = None;
        self.timezone = None;
        self.engine_lifecycle_support = None;
        self.managed_password_kms_key = None;
        self.database_insights_mode = None;
        leave_out(&mut self.backup_retention_days, 1);
        leave_out(&mut self.auto_minor_version_upgrade, true);
        leave_out(&mut self.multi_az, false);
        leave_out(&mut self.deletion_protection, false);
        leave_out(&mut self.dedicated_log_volume, false);
        leave_out(&mut self.iam_authentication, false);
        leave_out(&mut self.performance_insights, false);
        leave_out(&mut self.monitoring_interval_seconds, 0);
        leave_out(&mut self.copy_tags_to_snapshot, false);
        leave_out(&mut self.storage_encrypted, Immutable(false));
        leave_out(&mut self.network_type, NetworkType::Ipv4);
        leave_out(&mut self.max_storage_gib, self.storage_gib);
        if self.storage_type == Some(StorageType::Gp2) {
            (self.storage_type, self.iops, self.storage_throughput_mibps) = (None, None, None);
        }
        if self.storage_type == Some(StorageType::Gp3) {
            leave_out(&mut self.iops, 3000);
            leave_out(&mut self.storage_throughput_mibps, 125);
        }
        let default = |group: &str| group.starts_with("default");
        self.subnet_group.take_if(|group| &**group == "default");
        self.parameter_group.take_if(|group| default(group));
        self.option_group.take_if(|group| default(group));
        if self.performance_insights.is_none() {
            self.performance_insights_kms_key = None;
            self.performance_insights_retention_days = None;
        }
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        self.cannot_become(live)
    }

    fn undecided(&self, live: &Self, _root: &std::path::Path) -> Option<String> {
        self.needs_a_word(live)
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = self.wrong_access();
        wrong.extend(self.wrong_sizes());
        wrong.into_iter().map(|(path, message)| (path.to_owned(), message.to_owned())).collect()
    }

    fn protected(&self) -> Option<String> {
        (self.deletion_protection == Some(true)).then(|| {
            "deletion protection is on: apply with `deletion_protection: false` first".to_owned()
        })
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let (engine, size) = (word(&self.engine), self.storage_gib);
        Ok(Some(format!("a {engine} database with {size} GiB of storage")))
    }
}
