//! What the create and modify calls say.

use std::collections::BTreeSet;

use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::CloudwatchLogsExportConfiguration;

use super::RdsInstance;
use super::live::PASSWORD_TAG;
use crate::aws::rds_password::Source;
use crate::aws::rds_versions::major;
use crate::aws::words::word;
use crate::aws::{Error, rds_tags};
use crate::field::{Differs, Immutable, SecurityGroupId, changed, set_change};
use crate::kind::Cx;

impl RdsInstance {
    /// Everything that can be set at creation, but the password and the tags.
    pub(super) fn with_settings(
        &self,
        call: CreateDBInstanceFluentBuilder,
    ) -> CreateDBInstanceFluentBuilder {
        let text = |value: &Option<String>| value.clone();
        let fixed = |value: &Option<Immutable<String>>| value.clone().map(|value| value.0);
        call.engine(word(&self.engine))
            .set_engine_version(text(&self.engine_version))
            .db_instance_class(&self.instance_class)
            .allocated_storage(self.storage_gib)
            .set_storage_type(self.storage_type.as_ref().map(word))
            .set_iops(self.iops)
            .set_storage_throughput(self.storage_throughput_mibps)
            .set_max_allocated_storage(self.max_storage_gib.filter(|max| *max != self.storage_gib))
            .set_dedicated_log_volume(self.dedicated_log_volume)
            .set_db_name(fixed(&self.database))
            .master_username(self.username.as_str())
            .set_port(self.port.map(i32::from))
            .set_vpc_security_group_ids(self.security_groups.as_ref().map(ids))
            .set_db_subnet_group_name(self.subnet_group.as_deref().map(str::to_owned))
            .set_db_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .set_option_group_name(text(&self.option_group))
            .set_multi_az(self.multi_az)
            .set_availability_zone(text(&self.availability_zone))
            .publicly_accessible(self.publicly_accessible)
            .set_network_type(self.network_type.as_ref().map(word))
            .set_deletion_protection(self.deletion_protection)
            .set_backup_retention_period(self.backup_retention_days)
            .set_preferred_backup_window(text(&self.backup_window))
            .set_preferred_maintenance_window(text(&self.maintenance_window))
            .set_auto_minor_version_upgrade(self.auto_minor_version_upgrade)
            .set_storage_encrypted(self.storage_encrypted.as_deref().copied())
            .set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.to_string()))
            .set_enable_iam_database_authentication(self.iam_authentication)
            .set_database_insights_mode(
                self.database_insights_mode.map(|m| word(&m).as_str().into()),
            )
            .set_enable_performance_insights(self.performance_insights)
            .set_performance_insights_retention_period(self.performance_insights_retention_days)
            .set_performance_insights_kms_key_id(
                self.performance_insights_kms_key.as_deref().map(str::to_owned),
            )
            .set_monitoring_interval(self.monitoring_interval_seconds)
            .set_monitoring_role_arn(self.monitoring_role.as_deref().map(str::to_owned))
            .set_enable_cloudwatch_logs_exports(
                self.log_exports.as_ref().map(|logs| logs.iter().cloned().collect()),
            )
            .set_copy_tags_to_snapshot(self.copy_tags_to_snapshot)
            .set_ca_certificate_identifier(text(&self.ca_certificate))
            .set_license_model(self.license_model.as_ref().map(word))
            .set_character_set_name(fixed(&self.character_set))
            .set_nchar_character_set_name(fixed(&self.national_character_set))
            .set_timezone(fixed(&self.timezone))
            .set_engine_lifecycle_support(self.engine_lifecycle_support.as_ref().map(word))
    }

    /// Makes the server from a snapshot. What this call can't set, and a password of one's own,
    /// `update` sets next.
    pub(super) async fn restore(&self, snapshot: &str, cx: &Cx<'_>) -> Result<(), Error> {
        let mut tags = self.tags.clone();
        if !self.managed_password {
            tags.0.insert(PASSWORD_TAG.to_owned(), "of the snapshot".to_owned());
        }
        let key = self.managed_password_kms_key.as_deref().map(str::to_owned);
        let call = cx.rds.restore_db_instance_from_db_snapshot().db_instance_identifier(cx.name);
        call.db_snapshot_identifier(snapshot)
            .engine(word(&self.engine))
            .db_instance_class(&self.instance_class)
            .allocated_storage(self.storage_gib)
            .set_storage_type(self.storage_type.as_ref().map(word))
            .set_iops(self.iops)
            .set_storage_throughput(self.storage_throughput_mibps)
            .set_dedicated_log_volume(self.dedicated_log_volume)
            .set_manage_master_user_password(self.managed_password.then_some(true))
            .set_master_user_secret_kms_key_id(key)
            .set_port(self.port.map(i32::from))
            .set_vpc_security_group_ids(self.security_groups.as_ref().map(ids))
            .set_db_subnet_group_name(self.subnet_group.as_deref().map(str::to_owned))
            .set_db_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .set_option_group_name(self.option_group.clone())
            .set_multi_az(self.multi_az)
            .set_availability_zone(self.availability_zone.clone())
            .publicly_accessible(self.publicly_accessible)
            .set_network_type(self.network_type.as_ref().map(word))
            .set_deletion_protection(self.deletion_protection)
            .set_license_model(self.license_model.as_ref().map(word))
            .set_ca_certificate_identifier(self.ca_certificate.clone())
            .set_engine_lifecycle_support(self.engine_lifecycle_support.as_ref().map(word))
            .set_tags(Some(rds_tags::to_aws(&tags)))
            .send()
            .await?;
        Ok(())
    }

    /// Every setting that differs, but the storage's size and speed and the password.
    pub(super) fn with_changes(
        &self,
        live: &Self,
        call: ModifyDBInstanceFluentBuilder,
    ) -> ModifyDBInstanceFluentBuilder {
        let text = |desired: &Option<String>, live: &Option<String>| changed(desired, live);
        let class =
            (self.instance_class != live.instance_class).then(|| self.instance_class.clone());
        let public = self.publicly_accessible;
        let call = call
            .set_engine((self.engine != live.engine).then(|| word(&self.engine)))
            .set_db_instance_class(class)
            .set_max_allocated_storage(changed(&self.max_storage_gib, &live.max_storage_gib))
            .set_dedicated_log_volume(changed(
                &self.dedicated_log_volume,
                &live.dedicated_log_volume,
            ))
            .set_db_port_number(changed(&self.port, &live.port).map(i32::from))
            .set_vpc_security_group_ids(
                changed(&self.security_groups, &live.security_groups).as_ref().map(ids),
            )
            .set_db_subnet_group_name(
                changed(&self.subnet_group, &live.subnet_group).map(|group| group.0),
            )
            .set_db_parameter_group_name(
                changed(&self.parameter_group, &live.parameter_group).map(|group| group.0),
            )
            .set_option_group_name(text(&self.option_group, &live.option_group))
            .set_multi_az(changed(&self.multi_az, &live.multi_az))
            .set_publicly_accessible((public != live.publicly_accessible).then_some(public))
            .set_network_type(changed(&self.network_type, &live.network_type).as_ref().map(word))
            .set_deletion_protection(changed(&self.deletion_protection, &live.deletion_protection))
            .set_backup_retention_period(changed(
                &self.backup_retention_days,
                &live.backup_retention_days,
            ))
            .set_preferred_backup_window(text(&self.backup_window, &live.backup_window))
            .set_preferred_maintenance_window(text(
                &self.maintenance_window,
                &live.maintenance_window,
            ))
            .set_auto_minor_version_upgrade(changed(
                &self.auto_minor_version_upgrade,
                &live.auto_minor_version_upgrade,
            ))
            .set_enable_iam_database_authentication(changed(
                &self.iam_authentication,
                &live.iam_authentication,
            ))
            .set_copy_tags_to_snapshot(changed(
                &self.copy_tags_to_snapshot,
                &live.copy_tags_to_snapshot,
            ))
            .set_ca_certificate_identifier(text(&self.ca_certificate, &live.ca_certificate))
            .set_license_model(changed(&self.license_model, &live.license_model).as_ref().map(word))
            .set_engine_lifecycle_support(
                changed(&self.engine_lifecycle_support, &live.engine_lifecycle_support)
                    .as_ref()
                    .map(word),
            );
        self.with_version(live, self.with_storage(live, self.with_monitoring(live, call)))
    }

    /// What is watched and recorded.
    pub(super) fn with_monitoring(
        &self,
        live: &Self,
        call: ModifyDBInstanceFluentBuilder,
    ) -> ModifyDBInstanceFluentBuilder {
        let none = BTreeSet::new();
        let logs =
            self.log_exports.as_ref().filter(|_| self.log_exports.differs(&live.log_exports));
        let logs = logs.map(|logs| {
            let (enable, disable) = set_change(logs, live.log_exports.as_ref().unwrap_or(&none));
            CloudwatchLogsExportConfiguration::builder()
                .set_enable_log_types(Some(enable))
                .set_disable_log_types(Some(disable))
                .build()
        });
        let insights_key =
            changed(&self.performance_insights_kms_key, &live.performance_insights_kms_key);
        // AWS wants to hear whose interval it is whenever either of the two changes.
        let monitoring =
            self.monitoring_interval_seconds.differs(&live.monitoring_interval_seconds)
                || self.monitoring_role.differs(&live.monitoring_role);
        let role = self.monitoring_role.as_deref().map(str::to_owned).filter(|_| monitoring);
        call.set_cloudwatch_logs_export_configuration(logs)
            .set_monitoring_interval(self.monitoring_interval_seconds.filter(|_| monitoring))
            .set_monitoring_role_arn(role)
            .set_database_insights_mode(
                changed(&self.database_insights_mode, &live.database_insights_mode)
                    .map(|mode| word(&mode).as_str().into()),
            )
            .set_enable_performance_insights(changed(
                &self.performance_insights,
                &live.performance_insights,
            ))
            .set_performance_insights_retention_period(changed(
                &self.performance_insights_retention_days,
                &live.performance_insights_retention_days,
            ))
            .set_performance_insights_kms_key_id(insights_key.map(|key| key.0))
    }

    /// Size and speed of the disk go together: AWS wants the size with every change of the others.
    pub(super) fn with_storage(
        &self,
        live: &Self,
        call: ModifyDBInstanceFluentBuilder,
    ) -> ModifyDBInstanceFluentBuilder {
        let same = self.storage_gib <= live.storage_gib
            && !self.storage_type.differs(&live.storage_type)
            && !self.iops.differs(&live.iops)
            && !self.storage_throughput_mibps.differs(&live.storage_throughput_mibps);
        if same {
            return call;
        }
        call.allocated_storage(self.storage_gib.max(live.storage_gib))
            .set_storage_type(self.storage_type.as_ref().map(word))
            .set_iops(self.iops)
            .set_storage_throughput(self.storage_throughput_mibps)
    }

    pub(super) fn with_version(
        &self,
        live: &Self,
        call: ModifyDBInstanceFluentBuilder,
    ) -> ModifyDBInstanceFluentBuilder {
        let Some(version) = changed(&self.engine_version, &live.engine_version) else {
            return call;
        };
        let from = live.engine_version.as_deref().unwrap_or_default();
        let numbers = self.engine.major_numbers();
        let is_major = major(numbers, &version) != major(numbers, from);
        let allow = self.allow_major_version_upgrade.as_deref().copied().filter(|_| is_major);
        call.engine_version(version).set_allow_major_version_upgrade(allow)
    }

    /// Switching between a managed password and one's own, and rotating on order.
    pub(super) async fn with_password(
        &self,
        live: &Self,
        call: ModifyDBInstanceFluentBuilder,
        cx: &Cx<'_>,
    ) -> Result<ModifyDBInstanceFluentBuilder, Error> {
        let anew = cx.rotate || *live.password_of_snapshot == Some(true);
        let said = self.password_source().changed(live.managed_password, anew, cx).await?;
        Ok(call
            .set_manage_master_user_password(said.manage)
            .set_master_user_secret_kms_key_id(said.kms_key)
            .set_master_user_password(said.password.for_call())
            .set_rotate_master_user_password(said.rotate))
    }

    pub(super) fn password_source(&self) -> Source<'_> {
        Source {
            managed: self.managed_password,
            kms_key: self.managed_password_kms_key.as_ref(),
            own: self.password.as_deref(),
        }
    }
}

fn ids(groups: &BTreeSet<SecurityGroupId>) -> Vec<String> {
    groups.iter().map(|group| group.0.clone()).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::config::{BehaviorVersion, Config};
    use serde_json::{Value, json};

    use super::*;

    fn instance(more: Value) -> RdsInstance {
        let mut fields = json!({
            "engine": "postgres", "engine_version": "15.7", "instance_class": "db.t3.micro",
            "storage_gib": 20, "storage_type": "gp3", "username": "postgres",
            "managed_password": true, "log_exports": ["upgrade"],
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            fields[key] = value;
        }
        serde_json::from_value(fields).expect("fields of an instance")
    }

    fn sent(desired: Value, live: Value) -> ModifyDBInstanceFluentBuilder {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
        let call = aws_sdk_rds::Client::from_conf(config).modify_db_instance();
        instance(desired).with_changes(&instance(live), call)
    }

    #[test]
    fn only_what_differs_is_sent() {
        let nothing = sent(Value::Null, Value::Null);
        let expected = sent(Value::Null, Value::Null);
        assert_eq!(nothing.as_input(), &Default::default());
        let class = sent(json!({ "instance_class": "db.t3.small" }), Value::Null);
        assert_eq!(class.as_input(), expected.db_instance_class("db.t3.small").as_input());
    }

    #[test]
    fn the_size_goes_with_the_speed() {
        let call = sent(json!({ "iops": 4000 }), json!({ "storage_gib": 40 }));
        assert_eq!((*call.get_allocated_storage(), *call.get_iops()), (Some(40), Some(4000)));
    }

    #[test]
    fn logs_come_and_go() {
        let call = sent(json!({ "log_exports": ["postgresql"] }), Value::Null);
        let logs = call.get_cloudwatch_logs_export_configuration().clone().expect("logs");
        assert_eq!(logs.enable_log_types(), ["postgresql"]);
        assert_eq!(logs.disable_log_types(), ["upgrade"]);
    }

    #[test]
    fn a_major_version_is_allowed_only_where_it_changes() {
        let to = |version: &str| json!({ "engine_version": version, "allow_major_version_upgrade": true });
        assert_eq!(*sent(to("16.1"), Value::Null).get_allow_major_version_upgrade(), Some(true));
        assert_eq!(*sent(to("15.8"), Value::Null).get_allow_major_version_upgrade(), None);
    }
}
