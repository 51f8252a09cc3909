//! Making and changing an endpoint.

use aws_sdk_databasemigration::types::{
    DynamoDbSettings, MySqlSettings, PostgreSqlSettings, RedshiftSettings, S3Settings,
};

use super::{DmsEndpoint, Engine, SslMode, password};
use crate::aws::password::Password;
use crate::aws::words::word;
use crate::aws::{Aws, Error, dms};
use crate::field::{Database, Differs, Tags};
use crate::kind::Cx;

/// The settings of the endpoint's engine.
#[derive(Default)]
struct Block {
    postgres: Option<PostgreSqlSettings>,
    mysql: Option<MySqlSettings>,
    s3: Option<S3Settings>,
    redshift: Option<RedshiftSettings>,
    dynamodb: Option<DynamoDbSettings>,
}

impl DmsEndpoint {
    pub(super) async fn make(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let block = self.block()?;
        let mut tags = self.tags.clone();
        let version = self.password_version(cx).await?;
        tags.0.extend(version.map(|version| (password::TAG.to_owned(), version)));
        let call = cx
            .dms
            .create_endpoint()
            .endpoint_identifier(cx.name)
            .endpoint_type(self.r#type.to_aws())
            .engine_name(word(&*self.engine))
            .set_server_name(self.server.clone())
            .set_port(self.port.map(i32::from))
            .set_username(self.username.clone())
            .set_password(self.own_password(cx).await?.for_call())
            .set_database_name(self.database.clone())
            .set_ssl_mode(self.ssl_mode.map(SslMode::to_aws))
            .set_certificate_arn(self.certificate.as_ref().map(|arn| arn.0.clone()))
            .set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.0.clone()))
            .set_resource_identifier(self.resource_identifier.as_ref().map(|id| id.0.clone()))
            .set_postgre_sql_settings(block.postgres)
            .set_my_sql_settings(block.mysql)
            .set_s3_settings(block.s3)
            .set_redshift_settings(block.redshift)
            .set_dynamo_db_settings(block.dynamodb)
            .set_tags(Some(dms::to_aws(&tags)));
        let call = async { Ok(call.send().await?) };
        if self.needs_the_fixed_role() {
            dms::with_role(cx, &dms::ENDPOINT_ROLE, call).await?;
        } else {
            call.await?;
        }
        Ok(())
    }

    /// Anything but tags differs.
    pub(super) fn must_be_sent(&self, live: &Self) -> bool {
        self.access_differs(live)
            || self.ssl_mode.differs(&live.ssl_mode)
            || self.certificate.differs(&live.certificate)
            || self.postgres.as_ref().is_some_and(|own| own.differs(live.postgres.as_ref()))
            || self.mysql.as_ref().is_some_and(|own| own.differs(live.mysql.as_ref()))
            || self.s3.as_ref().is_some_and(|own| own.differs(live.s3.as_ref()))
            || self.redshift.as_ref().is_some_and(|own| own.differs(live.redshift.as_ref()))
            || self.dynamodb.differs(&live.dynamodb)
    }

    fn access_differs(&self, live: &Self) -> bool {
        self.server.differs(&live.server)
            || self.port.differs(&live.port)
            || self.username.differs(&live.username)
            || self.database.differs(&live.database)
            || self.secret.differs(&live.secret)
            || self.secret_role.differs(&live.secret_role)
    }

    /// DMS keeps the settings that aren't sent. It wants the engine's name beside its settings, and
    /// where the server is both there and at the top.
    pub(super) async fn change(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let block = self.block()?;
        let arn = live.arn.as_deref().unwrap_or_default();
        let mut given = None;
        let mut call = cx
            .dms
            .modify_endpoint()
            .endpoint_arn(arn)
            .engine_name(word(&*self.engine))
            .set_ssl_mode(self.ssl_mode.map(SslMode::to_aws))
            .set_certificate_arn(self.certificate.as_ref().map(|arn| arn.0.clone()))
            .set_postgre_sql_settings(block.postgres)
            .set_my_sql_settings(block.mysql)
            .set_s3_settings(block.s3)
            .set_redshift_settings(block.redshift)
            .set_dynamo_db_settings(block.dynamodb);
        let outdated = *live.password_outdated == Some(true);
        if cx.rotate || outdated || self.access_differs(live) {
            given = self.password_version(cx).await?;
            call = call
                .set_server_name(self.server.clone())
                .set_port(self.port.map(i32::from))
                .set_username(self.username.clone())
                .set_password(self.own_password(cx).await?.for_call())
                .set_database_name(self.database.clone());
        }
        call.send().await?;
        // A run that ends before this sends the password once more.
        let tag: Tags =
            given.map(|version| (password::TAG.to_owned(), version)).into_iter().collect();
        dms::update_tags(cx, arn, &tag, &Tags::default()).await
    }

    async fn own_password(&self, aws: &Aws) -> Result<Password, Error> {
        let source = match (&self.password, self.rds.as_deref()) {
            (Some(source), _) => Some(&source.0),
            (None, Some(Database::Known(connection))) => Some(&connection.password),
            _ => None,
        };
        Password::of(aws, source).await
    }

    fn block(&self) -> Result<Block, Error> {
        let mut block = Block::default();
        match *self.engine {
            Engine::Postgres | Engine::AuroraPostgresql => {
                let settings = self.postgres.clone().unwrap_or_default().to_aws();
                let settings = settings
                    .set_secrets_manager_secret_id(self.secret.as_ref().map(|arn| arn.0.clone()))
                    .set_secrets_manager_access_role_arn(self.secret_role_arn())
                    .set_database_name(self.database.clone());
                block.postgres = Some(settings.build());
            }
            Engine::Mysql | Engine::Mariadb | Engine::Aurora => {
                let settings = self.mysql.clone().unwrap_or_default().to_aws();
                let settings = settings
                    .set_secrets_manager_secret_id(self.secret.as_ref().map(|arn| arn.0.clone()))
                    .set_secrets_manager_access_role_arn(self.secret_role_arn())
                    .set_database_name(self.database.clone());
                block.mysql = Some(settings.build());
            }
            Engine::Redshift => {
                let settings = self.redshift.clone().unwrap_or_default().to_aws();
                let settings = settings
                    .set_secrets_manager_secret_id(self.secret.as_ref().map(|arn| arn.0.clone()))
                    .set_secrets_manager_access_role_arn(self.secret_role_arn())
                    .set_database_name(self.database.clone());
                block.redshift = Some(settings.build());
            }
            Engine::S3 => block.s3 = self.s3.as_ref().map(|ours| ours.to_aws().build()),
            Engine::Dynamodb => {
                let settings = self.dynamodb.as_ref().map(|ours| {
                    DynamoDbSettings::builder().service_access_role_arn(&*ours.role).build()
                });
                block.dynamodb = settings.transpose()?;
            }
        }
        Ok(block)
    }

    fn secret_role_arn(&self) -> Option<String> {
        self.secret_role.as_ref().map(|role| role.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn endpoint(s3: Value) -> DmsEndpoint {
        serde_json::from_value(json!({ "type": "target", "engine": "s3", "s3": s3 }))
            .expect("an endpoint")
    }

    #[test]
    fn what_dms_filled_in_is_no_change() {
        let filled = json!({
            "bucket": "raw", "role": "r", "folder": "", "compression": "none", "csv_delimiter": ",",
        });
        let live = endpoint(filled);
        let own = endpoint(json!({ "bucket": "raw", "role": "r" }));
        assert!(!own.must_be_sent(&live));
        let other = endpoint(json!({ "bucket": "raw", "role": "r", "compression": "gzip" }));
        assert!(other.must_be_sent(&live));
        assert!(endpoint(json!({ "timestamp_column_name": "at" })).must_be_sent(&live));
    }
}
