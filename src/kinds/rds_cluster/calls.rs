//! What the create and modify calls say.

use std::collections::BTreeSet;

use aws_sdk_rds::operation::modify_db_cluster::builders::ModifyDBClusterFluentBuilder;
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, ServerlessV2ScalingConfiguration};

use super::live::PASSWORD_TAG;
use super::{RdsCluster, Serverless, units};
use crate::aws::rds_password::Source;
use crate::aws::rds_versions::major;
use crate::aws::words::word;
use crate::aws::{Error, rds_tags};
use crate::field::{Immutable, SecurityGroupId, changed, set_change};
use crate::kind::Cx;

impl RdsCluster {
    /// Makes the cluster with everything that can be set at creation.
    pub(super) async fn make(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let said = self.password_source().at_first(cx).await?;
        let call = cx.rds.create_db_cluster().db_cluster_identifier(cx.name);
        call.set_manage_master_user_password(said.manage)
            .set_master_user_secret_kms_key_id(said.kms_key)
            .set_master_user_password(said.password.for_call())
            .engine(word(&*self.engine))
            .set_engine_version(self.engine_version.clone())
            .set_database_name(self.database.clone().map(|name| name.0))
            .master_username(self.username.as_str())
            .set_serverless_v2_scaling_configuration(self.serverless.as_ref().map(scaling))
            .set_port(self.port.map(i32::from))
            .set_vpc_security_group_ids(self.security_groups.as_ref().map(ids))
            .set_db_subnet_group_name(self.subnet_group())
            .set_db_cluster_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .set_storage_type(self.storage_type.as_ref().map(word))
            .set_storage_encrypted(self.storage_encrypted.as_deref().copied())
            .set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.to_string()))
            .set_network_type(self.network_type.as_ref().map(word))
            .set_deletion_protection(self.deletion_protection)
            .set_backup_retention_period(self.backup_retention_days)
            .set_preferred_backup_window(self.backup_window.clone())
            .set_preferred_maintenance_window(self.maintenance_window.clone())
            .set_enable_iam_database_authentication(self.iam_authentication)
            .set_enable_http_endpoint(self.http_endpoint)
            .set_enable_cloudwatch_logs_exports(
                self.log_exports.as_ref().map(|logs| logs.iter().cloned().collect()),
            )
            .set_copy_tags_to_snapshot(self.copy_tags_to_snapshot)
            .set_tags(Some(rds_tags::to_aws(&self.tags)))
            .send()
            .await?;
        Ok(())
    }

    /// Makes the cluster from a snapshot. What this call can't set, and the password, `update` sets
    /// next.
    pub(super) async fn restore(&self, snapshot: &str, cx: &Cx<'_>) -> Result<(), Error> {
        let mut tags = self.tags.clone();
        if !self.managed_password {
            tags.0.insert(PASSWORD_TAG.to_owned(), "of the snapshot".to_owned());
        }
        let call = cx.rds.restore_db_cluster_from_snapshot().db_cluster_identifier(cx.name);
        call.snapshot_identifier(snapshot)
            .engine(word(&*self.engine))
            .set_engine_version(self.engine_version.clone())
            .set_serverless_v2_scaling_configuration(self.serverless.as_ref().map(scaling))
            .set_port(self.port.map(i32::from))
            .set_vpc_security_group_ids(self.security_groups.as_ref().map(ids))
            .set_db_subnet_group_name(self.subnet_group())
            .set_db_cluster_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .set_storage_type(self.storage_type.as_ref().map(word))
            .set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.to_string()))
            .set_network_type(self.network_type.as_ref().map(word))
            .set_deletion_protection(self.deletion_protection)
            .set_enable_iam_database_authentication(self.iam_authentication)
            .set_copy_tags_to_snapshot(self.copy_tags_to_snapshot)
            .set_tags(Some(rds_tags::to_aws(&tags)))
            .send()
            .await?;
        Ok(())
    }

    /// Every setting that differs, but the password and the HTTP endpoint.
    pub(super) fn with_changes(
        &self,
        live: &Self,
        call: ModifyDBClusterFluentBuilder,
    ) -> ModifyDBClusterFluentBuilder {
        let text = |desired: &Option<String>, live: &Option<String>| changed(desired, live);
        let call = call
            .set_serverless_v2_scaling_configuration(
                changed(&self.serverless, &live.serverless).as_ref().map(scaling),
            )
            .set_port(changed(&self.port, &live.port).map(i32::from))
            .set_vpc_security_group_ids(
                changed(&self.security_groups, &live.security_groups).as_ref().map(ids),
            )
            .set_db_cluster_parameter_group_name(
                changed(&self.parameter_group, &live.parameter_group).map(|group| group.0),
            )
            .set_storage_type(changed(&self.storage_type, &live.storage_type).as_ref().map(word))
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
            .set_enable_iam_database_authentication(changed(
                &self.iam_authentication,
                &live.iam_authentication,
            ))
            .set_copy_tags_to_snapshot(changed(
                &self.copy_tags_to_snapshot,
                &live.copy_tags_to_snapshot,
            ));
        self.with_version(live, self.with_logs(live, call))
    }

    fn with_logs(
        &self,
        live: &Self,
        call: ModifyDBClusterFluentBuilder,
    ) -> ModifyDBClusterFluentBuilder {
        let none = BTreeSet::new();
        let Some(logs) = changed(&self.log_exports, &live.log_exports) else { return call };
        let (enable, disable) = set_change(&logs, live.log_exports.as_ref().unwrap_or(&none));
        let change = CloudwatchLogsExportConfiguration::builder()
            .set_enable_log_types(Some(enable))
            .set_disable_log_types(Some(disable));
        call.cloudwatch_logs_export_configuration(change.build())
    }

    fn with_version(
        &self,
        live: &Self,
        call: ModifyDBClusterFluentBuilder,
    ) -> ModifyDBClusterFluentBuilder {
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
        call: ModifyDBClusterFluentBuilder,
        cx: &Cx<'_>,
    ) -> Result<ModifyDBClusterFluentBuilder, Error> {
        let anew = cx.rotate || *live.password_of_snapshot == Some(true);
        let said = self.password_source().changed(live.managed_password, anew, cx).await?;
        Ok(call
            .set_manage_master_user_password(said.manage)
            .set_master_user_secret_kms_key_id(said.kms_key)
            .set_master_user_password(said.password.for_call())
            .set_rotate_master_user_password(said.rotate))
    }

    fn password_source(&self) -> Source<'_> {
        Source {
            managed: self.managed_password,
            kms_key: self.managed_password_kms_key.as_ref(),
            own: self.password.as_deref(),
        }
    }

    fn subnet_group(&self) -> Option<String> {
        self.subnet_group.as_ref().map(|Immutable(group)| group.0.clone())
    }
}

fn ids(groups: &BTreeSet<SecurityGroupId>) -> Vec<String> {
    groups.iter().map(|group| group.0.clone()).collect()
}

fn scaling(serverless: &Serverless) -> ServerlessV2ScalingConfiguration {
    ServerlessV2ScalingConfiguration::builder()
        .set_min_capacity(units(&serverless.min_acu))
        .set_max_capacity(units(&serverless.max_acu))
        .set_seconds_until_auto_pause(serverless.auto_pause_seconds)
        .build()
}
