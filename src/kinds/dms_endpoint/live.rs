//! What DMS reports of an endpoint.

use aws_sdk_databasemigration::types::Endpoint;

use super::wire::parse;
use super::{DmsEndpoint, Dynamodb, EndpointType, Mysql, Postgres, Redshift, S3};
use crate::aws::{Class, Error};
use crate::field::{DmsCertificateArn, Immutable, KmsKeyArn, RoleArn, SecretArn, Tags};

pub fn name(endpoint: &Endpoint) -> String {
    endpoint.endpoint_identifier().unwrap_or_default().to_lowercase()
}

pub fn arn(endpoint: &Endpoint) -> &str {
    endpoint.endpoint_arn().unwrap_or_default()
}

pub fn read(endpoint: &Endpoint, tags: Tags) -> Result<DmsEndpoint, Error> {
    let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let engine = endpoint.engine_name().unwrap_or_default();
    let engine = parse(engine).ok_or_else(|| {
        let message = format!("{} is of {engine}, which dms_endpoint doesn't have", name(endpoint));
        Error::new(Class::Terminal, message)
    })?;
    let direction = endpoint.endpoint_type().map(|way| way.as_str()).and_then(parse);
    let (secret, secret_role) = secret(endpoint);
    Ok(DmsEndpoint {
        r#type: Immutable(direction.unwrap_or(EndpointType::Source)),
        engine: Immutable(engine),
        rds: None,
        server: text(endpoint.server_name()),
        port: endpoint.port().and_then(|port| u16::try_from(port).ok()),
        username: text(endpoint.username()),
        password: None,
        secret: secret.map(SecretArn::from),
        secret_role: secret_role.map(RoleArn::from),
        database: text(endpoint.database_name()),
        ssl_mode: endpoint.ssl_mode().and_then(|mode| parse(mode.as_str())),
        certificate: text(endpoint.certificate_arn()).map(DmsCertificateArn),
        kms_key: endpoint.kms_key_id().map(|key| KmsKeyArn::from(key).into()),
        resource_identifier: text(arn(endpoint).rsplit(':').next()).map(Immutable),
        postgres: endpoint.postgre_sql_settings().map(Postgres::from_aws),
        mysql: endpoint.my_sql_settings().map(Mysql::from_aws),
        s3: endpoint.s3_settings().map(S3::from_aws),
        redshift: endpoint.redshift_settings().map(Redshift::from_aws),
        dynamodb: endpoint
            .dynamo_db_settings()
            .map(|live| Dynamodb { role: live.service_access_role_arn().into() }),
        tags,
        arn: text(endpoint.endpoint_arn()).into(),
        status: text(endpoint.status()).into(),
        password_outdated: false.into(),
    })
}

/// The secret that DMS reads itself, and the role it does so with.
fn secret(endpoint: &Endpoint) -> (Option<&str>, Option<&str>) {
    if let Some(live) = endpoint.postgre_sql_settings() {
        return (live.secrets_manager_secret_id(), live.secrets_manager_access_role_arn());
    }
    if let Some(live) = endpoint.my_sql_settings() {
        return (live.secrets_manager_secret_id(), live.secrets_manager_access_role_arn());
    }
    let live = endpoint.redshift_settings();
    let role = live.and_then(|live| live.secrets_manager_access_role_arn());
    (live.and_then(|live| live.secrets_manager_secret_id()), role)
}
