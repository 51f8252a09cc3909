//! From what RDS reports to the fields of the kind.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use serde::de::DeserializeOwned;

use super::RdsInstance;
use crate::aws::rds_connection;
use crate::aws::words::parse;
use crate::aws::{Class, Error, rds_tags};
use crate::field::{
    Computed, Connection, DbParameterGroupName, DbSubnetGroupName, Derived, Immutable, KmsKeyArn,
    RoleArn, SecurityGroupId,
};

/// Statuses in which the server is as it was left: in order, stopped, or in want of more storage.
pub const USABLE: &[&str] =
    &["available", "stopped", "storage-full", "storage-initialization", "storage-optimization"];

/// The tag of a server whose master password is still that of its snapshot.
pub const PASSWORD_TAG: &str = "lagoa:password";

/// Statuses that a server doesn't leave by itself.
pub const TERMINAL: &[&str] = &[
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-create",
    "incompatible-credentials",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "modify-failed",
    "restore-error",
    "upgrade-failed",
];

/// Statuses of a managed password's secret that don't change by themselves. An impaired one still
/// opens the database; RDS only can't rotate it until somebody gives it back its secret or its key.
const SETTLED: &[&str] = &["active", "impaired"];

/// The fields with everything that AWS is about to change counted as changed. What the stack wants
/// of that is what has to settle; what somebody else has queued is none of our waiting.
pub fn read(instance: &DbInstance, desired: Option<&RdsInstance>) -> Result<RdsInstance, Error> {
    let now = fields(instance, desired)?;
    let mut soon = now.clone();
    if let Some(pending) = instance.pending_modified_values() {
        overlay(&mut soon, pending);
    }
    let changing = desired.map(|desired| changing(&now, &soon, desired)).unwrap_or_default();
    soon.unsettled = unsettled(instance).or(changing).into();
    Ok(soon)
}

fn fields(instance: &DbInstance, desired: Option<&RdsInstance>) -> Result<RdsInstance, Error> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let fixed = |value: Option<&str>| value.map(|value| Immutable(value.to_owned()));
    let host = instance.endpoint().and_then(|endpoint| endpoint.address());
    let endpoint_port = instance.endpoint().and_then(|endpoint| endpoint.port()).and_then(port);
    // A server that isn't in AWS answers on a port of its own; what was asked for is what counts.
    let asked_port = instance.db_instance_port().filter(|asked| *asked != 0).and_then(port);
    let parameter_group = instance.db_parameter_groups().first();
    let reboot = parameter_group.and_then(|group| group.parameter_apply_status());
    let tags = rds_tags::from_aws(instance.tag_list());
    Ok(RdsInstance {
        engine: known(instance, instance.engine())?,
        engine_version: text(instance.engine_version()),
        allow_major_version_upgrade: None,
        instance_class: instance.db_instance_class().unwrap_or_default().to_owned(),
        storage_gib: instance.allocated_storage().unwrap_or_default(),
        storage_type: instance.storage_type().and_then(parse),
        iops: instance.iops(),
        storage_throughput_mibps: instance.storage_throughput(),
        max_storage_gib: instance.max_allocated_storage(),
        dedicated_log_volume: Some(instance.dedicated_log_volume().unwrap_or_default()),
        database: fixed(instance.db_name()),
        username: instance.master_username().unwrap_or_default().to_owned().into(),
        managed_password: instance.master_user_secret().is_some(),
        managed_password_kms_key: instance
            .master_user_secret()
            .and_then(|secret| secret.kms_key_id())
            .map(KmsKeyArn::from),
        password: None,
        snapshot: None,
        port: asked_port.or(endpoint_port),
        security_groups: Some(security_groups(instance)),
        subnet_group: instance
            .db_subnet_group()
            .and_then(|group| group.db_subnet_group_name())
            .map(DbSubnetGroupName::from),
        parameter_group: parameter_group
            .and_then(|group| group.db_parameter_group_name())
            .map(DbParameterGroupName::from),
        option_group: option_group(instance),
        multi_az: Some(instance.multi_az().unwrap_or_default()),
        availability_zone: text(instance.availability_zone()),
        publicly_accessible: instance.publicly_accessible().unwrap_or_default(),
        network_type: instance.network_type().and_then(parse),
        deletion_protection: Some(instance.deletion_protection().unwrap_or_default()),
        backup_retention_days: Some(instance.backup_retention_period().unwrap_or_default()),
        backup_window: text(instance.preferred_backup_window()),
        maintenance_window: text(instance.preferred_maintenance_window()),
        auto_minor_version_upgrade: Some(instance.auto_minor_version_upgrade().unwrap_or_default()),
        storage_encrypted: Some(instance.storage_encrypted().unwrap_or_default().into()),
        kms_key: instance.kms_key_id().map(|key| KmsKeyArn::from(key).into()),
        iam_authentication: Some(
            instance.iam_database_authentication_enabled().unwrap_or_default(),
        ),
        database_insights_mode: instance
            .database_insights_mode()
            .and_then(|mode| parse(mode.as_str())),
        performance_insights: Some(instance.performance_insights_enabled().unwrap_or_default()),
        performance_insights_retention_days: instance.performance_insights_retention_period(),
        performance_insights_kms_key: instance
            .performance_insights_kms_key_id()
            .map(KmsKeyArn::from),
        monitoring_interval_seconds: Some(instance.monitoring_interval().unwrap_or_default()),
        monitoring_role: instance.monitoring_role_arn().map(RoleArn::from),
        log_exports: Some(instance.enabled_cloudwatch_logs_exports().iter().cloned().collect()),
        copy_tags_to_snapshot: Some(instance.copy_tags_to_snapshot().unwrap_or_default()),
        ca_certificate: text(instance.ca_certificate_identifier()),
        license_model: instance.license_model().and_then(parse),
        character_set: fixed(instance.character_set_name()),
        national_character_set: fixed(instance.nchar_character_set_name()),
        timezone: fixed(instance.timezone()),
        engine_lifecycle_support: instance.engine_lifecycle_support().and_then(parse),
        password_of_snapshot: tags.contains_key(PASSWORD_TAG).into(),
        tags,
        host: text(host).into(),
        endpoint_port: endpoint_port.into(),
        connection: connection(instance, desired),
        master_secret_arn: text(secret_arn(instance)).into(),
        arn: text(instance.db_instance_arn()).into(),
        resource_id: text(instance.dbi_resource_id()).into(),
        replica_of: text(instance.read_replica_source_db_instance_identifier()).into(),
        status: text(instance.db_instance_status()).into(),
        unsettled: Computed::default(),
        reboot_pending: Derived::from(reboot == Some("pending-reboot")),
    })
}

/// Changes that AWS has accepted and not yet made.
fn overlay(live: &mut RdsInstance, pending: &PendingModifiedValues) {
    fn over<T>(live: &mut Option<T>, pending: Option<T>) {
        if pending.is_some() {
            *live = pending;
        }
    }
    let text = |value: Option<&str>| value.map(str::to_owned);
    live.instance_class = text(pending.db_instance_class()).unwrap_or(live.instance_class.clone());
    live.storage_gib = pending.allocated_storage().unwrap_or(live.storage_gib);
    live.engine = pending.engine().and_then(parse).unwrap_or(live.engine);
    over(&mut live.engine_version, text(pending.engine_version()));
    over(&mut live.port, pending.port().and_then(port));
    over(&mut live.backup_retention_days, pending.backup_retention_period());
    over(&mut live.multi_az, pending.multi_az());
    over(&mut live.license_model, pending.license_model().and_then(parse));
    over(&mut live.iops, pending.iops());
    over(&mut live.storage_throughput_mibps, pending.storage_throughput());
    over(&mut live.storage_type, pending.storage_type().and_then(parse));
    over(&mut live.ca_certificate, text(pending.ca_certificate_identifier()));
    over(&mut live.subnet_group, pending.db_subnet_group_name().map(DbSubnetGroupName::from));
    over(&mut live.iam_authentication, pending.iam_database_authentication_enabled());
    over(&mut live.dedicated_log_volume, pending.dedicated_log_volume());
    if let (Some(logs), Some(change)) =
        (&mut live.log_exports, pending.pending_cloudwatch_logs_exports())
    {
        logs.extend(change.log_types_to_enable().iter().cloned());
        logs.retain(|log| !change.log_types_to_disable().contains(log));
    }
}

/// The fields that the stack sets and that AWS is about to change, in words.
fn changing(now: &RdsInstance, soon: &RdsInstance, desired: &RdsInstance) -> Option<String> {
    let as_json = |fields: &RdsInstance| serde_json::to_value(fields).unwrap_or_default();
    let (now, soon, desired) = (as_json(now), as_json(soon), as_json(desired));
    let all = soon.as_object()?.iter();
    let names = all.filter(|(name, soon)| **soon != now[*name] && !desired[*name].is_null());
    let names = names.map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    (!names.is_empty()).then(|| format!("changing {}", names.join(", ")))
}

/// What must come to rest beside the status, in the service's words.
fn unsettled(instance: &DbInstance) -> Option<String> {
    let secret = instance.master_user_secret().and_then(|secret| secret.secret_status());
    if let Some(status) = secret.filter(|status| !SETTLED.contains(status)) {
        return Some(format!("managed password {status}"));
    }
    let pending = instance.pending_modified_values();
    if pending.is_some_and(|pending| pending.master_user_password().is_some()) {
        return Some("changing password".to_owned());
    }
    let mut groups = instance.vpc_security_groups().iter().filter_map(|group| group.status());
    if let Some(status) = groups.find(|status| *status != "active") {
        return Some(format!("security group {status}"));
    }
    let mut groups = instance.db_parameter_groups().iter();
    groups
        .any(|group| group.parameter_apply_status() == Some("applying"))
        .then(|| "parameter group applying".to_owned())
}

/// How to connect, once there is an endpoint. Only the stack knows where a password of one's own is
/// kept.
fn connection(instance: &DbInstance, desired: Option<&RdsInstance>) -> Computed<Connection> {
    let own = desired.and_then(|desired| desired.password.as_deref());
    let password = rds_connection::password(secret_arn(instance), own);
    let database =
        instance.db_name().or((instance.engine() == Some("postgres")).then_some("postgres"));
    let connection = || {
        let endpoint = instance.endpoint()?;
        let host = endpoint.address()?;
        Some(Connection {
            host: host.to_owned(),
            port: port(endpoint.port()?)?,
            username: instance.master_username()?.to_owned(),
            password: password?,
            database: database.map(str::to_owned),
            tls: Some(rds_connection::tls(host)),
            arn: instance.db_instance_arn().map(str::to_owned),
        })
    };
    connection().into()
}

fn secret_arn(instance: &DbInstance) -> Option<&str> {
    instance.master_user_secret()?.secret_arn()
}

fn security_groups(instance: &DbInstance) -> BTreeSet<SecurityGroupId> {
    let staying = instance.vpc_security_groups().iter().filter(|g| g.status() != Some("removing"));
    staying.filter_map(|group| group.vpc_security_group_id()).map(SecurityGroupId::from).collect()
}

fn option_group(instance: &DbInstance) -> Option<String> {
    let leaving = |status: Option<&str>| status.is_some_and(|status| status.contains("remov"));
    let mut staying = instance.option_group_memberships().iter().filter(|g| !leaving(g.status()));
    staying.find_map(|group| group.option_group_name()).map(str::to_owned)
}

fn known<T: DeserializeOwned>(instance: &DbInstance, engine: Option<&str>) -> Result<T, Error> {
    let engine = engine.unwrap_or_default();
    parse(engine).ok_or_else(|| {
        let name = instance.db_instance_identifier().unwrap_or_default();
        let message = format!("{name} runs {engine}, which isn't an engine of rds_instance");
        Error::new(Class::Terminal, message)
    })
}

fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{SecretSource, Tls};
    use crate::kind::{Kind, Phase};
    use aws_sdk_rds::types::{DbParameterGroupStatus, Endpoint, MasterUserSecret};
    use serde_json::Value;

    fn instance() -> aws_sdk_rds::types::builders::DbInstanceBuilder {
        let endpoint = Endpoint::builder().address("127.0.0.1").port(15432).build();
        DbInstance::builder()
            .db_instance_identifier("db")
            .engine("postgres")
            .engine_version("15.7")
            .db_instance_class("db.t3.micro")
            .allocated_storage(20)
            .master_username("postgres")
            .db_instance_status("available")
            .db_instance_port(5432)
            .endpoint(endpoint)
    }

    fn desired(more: Value) -> RdsInstance {
        let mut fields = serde_json::json!({
            "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.small",
            "storage_gib": 20, "username": "postgres", "password": { "env": "PW" },
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            fields[key] = value;
        }
        serde_json::from_value(fields).expect("fields of an instance")
    }

    #[test]
    fn the_asked_port_and_the_real_port_are_two() {
        let live = read(&instance().build(), Some(&desired(Value::Null))).expect("an instance");
        let connection = live.connection.0.clone().expect("a connection");
        assert_eq!((live.port, connection.port), (Some(5432), 15432));
        assert_eq!(connection.tls, Some(Tls::Off));
        assert_eq!(connection.password, SecretSource::Env { env: "PW".into() });
        assert_eq!(live.phase(), Phase::Ready);
    }

    #[test]
    fn a_pending_change_counts_as_made_and_has_to_settle_when_wanted() {
        let pending = PendingModifiedValues::builder().db_instance_class("db.t3.small").port(6000);
        let instance = instance().pending_modified_values(pending.build()).build();
        let live = read(&instance, Some(&desired(Value::Null))).expect("an instance");
        assert_eq!(live.instance_class, "db.t3.small");
        assert_eq!(live.phase(), Phase::Pending("changing instance_class".into()));
        assert_eq!(read(&instance, None).expect("an instance").phase(), Phase::Ready);
    }

    #[test]
    fn available_is_not_always_ready() {
        let secret = |status: &str| {
            let secret = MasterUserSecret::builder().secret_arn("arn:s").secret_status(status);
            instance().master_user_secret(secret.build()).build()
        };
        let phase = |instance| read(&instance, None).expect("an instance").phase();
        assert_eq!(phase(secret("creating")), Phase::Pending("managed password creating".into()));
        assert_eq!(phase(secret("impaired")), Phase::Ready);
        assert_eq!(phase(secret("active")), Phase::Ready);
        let of = |status: &str| phase(instance().db_instance_status(status).build());
        assert_eq!(of("failed"), Phase::Failed("failed".into()));
        // Neither may be replaced for that: the data is there.
        assert_eq!((of("stopped"), of("storage-full")), (Phase::Ready, Phase::Ready));
        let locked = "inaccessible-encryption-credentials-recoverable";
        assert_eq!(of(locked), Phase::Pending(locked.into()));
    }

    #[test]
    fn a_reboot_is_a_difference() {
        let group = DbParameterGroupStatus::builder().parameter_apply_status("pending-reboot");
        let instance = instance().db_parameter_groups(group.build()).build();
        assert_eq!(*read(&instance, None).expect("an instance").reboot_pending, Some(true));
    }

    #[test]
    fn autoscaled_storage_and_minor_versions_are_taken_over() {
        let live = read(&instance().allocated_storage(40).build(), None).expect("an instance");
        let mut wanted = desired(serde_json::json!({ "max_storage_gib": 100 }));
        wanted.accept(&live);
        assert_eq!((wanted.storage_gib, wanted.engine_version.as_deref()), (40, Some("15.7")));
        let mut fixed = desired(Value::Null);
        fixed.accept(&live);
        assert!(fixed.replace_because(&live).is_some_and(|why| why.contains("shrink")));
    }

    #[test]
    fn another_major_version_needs_a_word() {
        let live = read(&instance().build(), None).expect("an instance");
        let wanted = desired(serde_json::json!({ "engine_version": "16" }));
        assert!(wanted.undecided(&live, std::path::Path::new(".")).is_some());
        let allowed =
            serde_json::json!({ "engine_version": "16", "allow_major_version_upgrade": true });
        assert!(desired(allowed).undecided(&live, std::path::Path::new(".")).is_none());
    }

    #[test]
    fn a_password_has_one_source() {
        let root = std::path::Path::new(".");
        assert!(desired(Value::Null).check(root).is_empty());
        assert!(!desired(serde_json::json!({ "managed_password": true })).check(root).is_empty());
        assert!(!desired(serde_json::json!({ "password": null })).check(root).is_empty());
    }
}
