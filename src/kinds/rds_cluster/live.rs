//! From what RDS reports to the fields of the kind.

use aws_sdk_rds::types::DbCluster;

use super::{RdsCluster, Serverless};
use crate::aws::rds_connection;
use crate::aws::rds_versions::satisfies;
use crate::aws::words::parse;
use crate::aws::{Class, Error, rds_tags};
use crate::field::{
    Computed, Connection, DbClusterParameterGroupName, DbSubnetGroupName, Immutable, KmsKeyArn,
    SecurityGroupId,
};

/// The tag of a cluster whose master password is still that of its snapshot.
pub const PASSWORD_TAG: &str = "lagoa:password";

/// Statuses that a cluster doesn't leave by itself.
pub const TERMINAL: &[&str] = &[
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
    "migration-failed",
    "restore-failed",
];

/// Statuses of a managed password's secret that don't change by themselves. An impaired one still
/// opens the database; RDS only can't rotate it until somebody gives it back its secret or its key.
const SETTLED: &[&str] = &["active", "impaired"];

/// The fields, with what AWS is about to change counted as changed.
pub fn read(cluster: &DbCluster, desired: Option<&RdsCluster>) -> Result<RdsCluster, Error> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let engine = cluster.engine().unwrap_or_default();
    let engine = parse(engine).ok_or_else(|| {
        let name = cluster.db_cluster_identifier().unwrap_or_default();
        let message = format!("{name} runs {engine}, which isn't an engine of rds_cluster");
        Error::new(Class::Terminal, message)
    })?;
    let pending = cluster.pending_modified_values();
    let tags = rds_tags::from_aws(cluster.tag_list());
    let secret = cluster.master_user_secret();
    Ok(RdsCluster {
        engine: Immutable(engine),
        engine_version: text(pending.and_then(|soon| soon.engine_version()))
            .or(text(cluster.engine_version())),
        allow_major_version_upgrade: None,
        database: text(cluster.database_name()).map(Immutable),
        username: cluster.master_username().unwrap_or_default().to_owned().into(),
        managed_password: secret.is_some(),
        managed_password_kms_key: secret.and_then(|one| one.kms_key_id()).map(KmsKeyArn::from),
        password: None,
        snapshot: None,
        serverless: serverless(cluster),
        port: port(cluster),
        security_groups: Some(
            cluster
                .vpc_security_groups()
                .iter()
                .filter(|group| group.status() != Some("removing"))
                .filter_map(|group| group.vpc_security_group_id())
                .map(SecurityGroupId::from)
                .collect(),
        ),
        subnet_group: cluster
            .db_subnet_group()
            .map(|group| Immutable(DbSubnetGroupName::from(group))),
        parameter_group: cluster
            .db_cluster_parameter_group()
            .map(DbClusterParameterGroupName::from),
        storage_type: cluster.storage_type().and_then(parse),
        storage_encrypted: Some(cluster.storage_encrypted().unwrap_or_default().into()),
        kms_key: cluster.kms_key_id().map(|key| KmsKeyArn::from(key).into()),
        network_type: cluster.network_type().and_then(parse),
        deletion_protection: Some(cluster.deletion_protection().unwrap_or_default()),
        backup_retention_days: pending
            .and_then(|soon| soon.backup_retention_period())
            .or(cluster.backup_retention_period()),
        backup_window: text(cluster.preferred_backup_window()),
        maintenance_window: text(cluster.preferred_maintenance_window()),
        iam_authentication: pending
            .and_then(|soon| soon.iam_database_authentication_enabled())
            .or(Some(cluster.iam_database_authentication_enabled().unwrap_or_default())),
        http_endpoint: Some(cluster.http_endpoint_enabled().unwrap_or_default()),
        log_exports: Some(cluster.enabled_cloudwatch_logs_exports().iter().cloned().collect()),
        copy_tags_to_snapshot: Some(cluster.copy_tags_to_snapshot().unwrap_or_default()),
        password_of_snapshot: tags.contains_key(PASSWORD_TAG).into(),
        tags,
        host: text(cluster.endpoint()).into(),
        reader_host: text(cluster.reader_endpoint()).into(),
        endpoint_port: port(cluster).into(),
        connection: connection(cluster, desired),
        master_secret_arn: text(secret.and_then(|secret| secret.secret_arn())).into(),
        arn: text(cluster.db_cluster_arn()).into(),
        resource_id: text(cluster.db_cluster_resource_id()).into(),
        status: text(cluster.status()).into(),
        unsettled: unsettled(cluster, desired).into(),
    })
}

fn serverless(cluster: &DbCluster) -> Option<Serverless> {
    let scaling = cluster.serverless_v2_scaling_configuration()?;
    Some(Serverless {
        min_acu: scaling.min_capacity()?.to_string(),
        max_acu: scaling.max_capacity()?.to_string(),
        auto_pause_seconds: scaling.seconds_until_auto_pause(),
    })
}

fn port(cluster: &DbCluster) -> Option<u16> {
    cluster.port().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

/// What must come to rest beside the status, in the service's words. A version that somebody else has
/// queued is none of our waiting.
fn unsettled(cluster: &DbCluster, desired: Option<&RdsCluster>) -> Option<String> {
    let secret = cluster.master_user_secret().and_then(|secret| secret.secret_status());
    if let Some(status) = secret.filter(|status| !SETTLED.contains(status)) {
        return Some(format!("managed password {status}"));
    }
    let pending = cluster.pending_modified_values();
    if pending.is_some_and(|pending| pending.master_user_password().is_some()) {
        return Some("changing password".to_owned());
    }
    let wanted = desired.and_then(|desired| {
        Some((desired.engine.major_numbers(), desired.engine_version.as_deref()?))
    });
    if let Some((numbers, version)) = wanted
        && let Some(soon) = pending.and_then(|pending| pending.engine_version())
        && satisfies(numbers, version, soon, false)
    {
        return Some("changing engine_version".to_owned());
    }
    let mut groups = cluster.vpc_security_groups().iter().filter_map(|group| group.status());
    let group = groups.find(|status| *status != "active")?;
    Some(format!("security group {group}"))
}

/// How to connect, once there is an endpoint. Only the stack knows where a password of one's own is
/// kept.
fn connection(cluster: &DbCluster, desired: Option<&RdsCluster>) -> Computed<Connection> {
    let secret = cluster.master_user_secret().and_then(|secret| secret.secret_arn());
    let own = desired.and_then(|desired| desired.password.as_deref());
    let password = rds_connection::password(secret, own);
    let postgres = (cluster.engine() == Some("aurora-postgresql")).then_some("postgres");
    let database = cluster.database_name().or(postgres);
    let connection = || {
        let host = cluster.endpoint()?;
        Some(Connection {
            host: host.to_owned(),
            port: port(cluster)?,
            username: cluster.master_username()?.to_owned(),
            password: password?,
            database: database.map(str::to_owned),
            tls: Some(rds_connection::tls(host)),
            arn: cluster.db_cluster_arn().map(str::to_owned),
        })
    };
    connection().into()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::ClusterPendingModifiedValues;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_waited_for_by_those_who_want_it() {
        let pending = ClusterPendingModifiedValues::builder().engine_version("16.6").build();
        let cluster = DbCluster::builder().pending_modified_values(pending).build();
        let unsettled = |version: Option<&str>| {
            let desired: RdsCluster = serde_json::from_value(json!({
                "engine": "aurora-postgresql", "username": "u", "engine_version": version,
            }))
            .expect("a cluster");
            unsettled(&cluster, Some(&desired))
        };
        assert_eq!(unsettled(Some("16.6")).as_deref(), Some("changing engine_version"));
        assert_eq!((unsettled(Some("16.4")), unsettled(None)), (None, None));
    }
}
