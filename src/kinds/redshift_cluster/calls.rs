//! What the calls that make and change a cluster say.

use std::collections::BTreeSet;

use aws_sdk_redshift::operation::create_cluster::builders::CreateClusterFluentBuilder;
use aws_sdk_redshift::operation::modify_cluster::builders::ModifyClusterFluentBuilder;

use super::RedshiftCluster;
use crate::aws::password::Password;
use crate::aws::{Class, Error};
use crate::field::{SecurityGroupId, changed, set_change};
use crate::kind::Cx;

impl RedshiftCluster {
    /// Does the next of the changes, but the tags.
    pub(super) async fn change(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        if self.change_roles(live, cx).await? {
            return Ok(());
        }
        let call = self.with_changes(live, cx.redshift.modify_cluster());
        let call = self.with_password(live, call, cx).await?;
        if call.as_input() != cx.redshift.modify_cluster().as_input() {
            call.cluster_identifier(cx.name).send().await?;
        } else if self.is_resized(live) {
            self.resize(cx).await?;
        } else if *self.reboot_pending == Some(false) && *live.reboot_pending == Some(true) {
            cx.redshift.reboot_cluster().cluster_identifier(cx.name).send().await?;
        }
        Ok(())
    }

    /// Everything that can be set at creation, but the password and the tags.
    pub(super) fn with_settings(
        &self,
        call: CreateClusterFluentBuilder,
    ) -> CreateClusterFluentBuilder {
        let many = self.number_of_nodes > 1;
        let roles = self.iam_roles.as_ref();
        call.node_type(&self.node_type)
            .cluster_type(if many { "multi-node" } else { "single-node" })
            .set_number_of_nodes(many.then_some(self.number_of_nodes))
            .set_db_name(self.database.as_ref().map(|name| name.0.clone()))
            .master_username(self.username.as_str())
            .set_port(self.port.map(i32::from))
            .set_cluster_subnet_group_name(
                self.subnet_group.as_ref().map(|group| group.0.0.clone()),
            )
            .set_vpc_security_group_ids(self.security_groups.as_ref().map(ids))
            .set_cluster_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .set_iam_roles(roles.map(|roles| roles.iter().map(|role| role.0.clone()).collect()))
            .set_default_iam_role_arn(self.default_iam_role.as_deref().map(str::to_owned))
            .publicly_accessible(self.publicly_accessible)
            .set_enhanced_vpc_routing(self.enhanced_vpc_routing)
            .set_encrypted(self.encrypted)
            .set_kms_key_id(self.kms_key.as_deref().map(str::to_owned))
            .set_automated_snapshot_retention_period(self.snapshot_retention_days)
            .set_manual_snapshot_retention_period(self.manual_snapshot_retention_days)
            .set_preferred_maintenance_window(self.maintenance_window.clone())
            .set_maintenance_track_name(self.maintenance_track.clone())
            .set_allow_version_upgrade(self.version_upgrade)
    }

    /// Every setting that differs, but the nodes, the roles and the password.
    fn with_changes(
        &self,
        live: &Self,
        call: ModifyClusterFluentBuilder,
    ) -> ModifyClusterFluentBuilder {
        let public = self.publicly_accessible;
        let key = changed(&self.kms_key, &live.kms_key).map(|key| key.0);
        // AWS takes a key only together with the word that there is encryption.
        let encrypted = match key {
            Some(_) => Some(self.encrypted.unwrap_or(true)),
            None => changed(&self.encrypted, &live.encrypted),
        };
        call.set_vpc_security_group_ids(
            changed(&self.security_groups, &live.security_groups).as_ref().map(ids),
        )
        .set_cluster_parameter_group_name(
            changed(&self.parameter_group, &live.parameter_group).map(|group| group.0),
        )
        .set_port(changed(&self.port, &live.port).map(i32::from))
        .set_publicly_accessible((public != live.publicly_accessible).then_some(public))
        .set_enhanced_vpc_routing(changed(&self.enhanced_vpc_routing, &live.enhanced_vpc_routing))
        .set_encrypted(encrypted)
        .set_kms_key_id(key)
        .set_automated_snapshot_retention_period(changed(
            &self.snapshot_retention_days,
            &live.snapshot_retention_days,
        ))
        .set_manual_snapshot_retention_period(changed(
            &self.manual_snapshot_retention_days,
            &live.manual_snapshot_retention_days,
        ))
        .set_preferred_maintenance_window(changed(
            &self.maintenance_window,
            &live.maintenance_window,
        ))
        .set_maintenance_track_name(changed(&self.maintenance_track, &live.maintenance_track))
        .set_allow_version_upgrade(changed(&self.version_upgrade, &live.version_upgrade))
    }

    /// Switching between a managed password and one's own, and rotating on order.
    async fn with_password(
        &self,
        live: &Self,
        call: ModifyClusterFluentBuilder,
        cx: &Cx<'_>,
    ) -> Result<ModifyClusterFluentBuilder, Error> {
        let key = &self.managed_password_kms_key;
        Ok(match (self.managed_password, live.managed_password) {
            (true, false) => call
                .manage_master_password(true)
                .set_master_password_secret_kms_key_id(key.as_deref().map(str::to_owned)),
            (false, true) => call.manage_master_password(false).set_master_user_password(
                Password::of(cx, self.password.as_deref()).await?.for_call(),
            ),
            (true, true) => {
                if cx.rotate
                    && let Some(secret) = live.master_secret_arn.as_deref()
                {
                    cx.secrets.rotate_secret().secret_id(secret).send().await?;
                }
                let key = changed(key, &live.managed_password_kms_key);
                call.set_master_password_secret_kms_key_id(key.map(|key| key.0))
            }
            (false, false) if cx.rotate => call.set_master_user_password(
                Password::of(cx, self.password.as_deref()).await?.for_call(),
            ),
            (false, false) => call,
        })
    }

    /// Gives and takes roles; whether there was something to do.
    async fn change_roles(&self, live: &Self, cx: &Cx<'_>) -> Result<bool, Error> {
        let none = BTreeSet::new();
        let have = live.iam_roles.as_ref().unwrap_or(&none);
        let (add, remove) = set_change(self.iam_roles.as_ref().unwrap_or(have), have);
        let default = changed(&self.default_iam_role, &live.default_iam_role);
        if add.is_empty() && remove.is_empty() && default.is_none() {
            return Ok(false);
        }
        let arns = |roles: Vec<crate::field::RoleArn>| {
            (!roles.is_empty()).then(|| roles.into_iter().map(|role| role.0).collect())
        };
        let call = cx.redshift.modify_cluster_iam_roles().cluster_identifier(cx.name);
        call.set_add_iam_roles(arns(add))
            .set_remove_iam_roles(arns(remove))
            .set_default_iam_role_arn(default.map(|role| role.0))
            .send()
            .await?;
        Ok(true)
    }

    pub(super) fn is_resized(&self, live: &Self) -> bool {
        self.node_type != live.node_type || self.number_of_nodes != live.number_of_nodes
    }

    /// AWS wants type and number of the nodes together.
    async fn resize(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let many = self.number_of_nodes > 1;
        let classic = self.allow_classic_resize.as_deref().copied().unwrap_or_default();
        let call = cx.redshift.resize_cluster().cluster_identifier(cx.name);
        let answer = call
            .node_type(&self.node_type)
            .cluster_type(if many { "multi-node" } else { "single-node" })
            .number_of_nodes(self.number_of_nodes)
            .classic(classic)
            .send()
            .await;
        answer.map(|_| ()).map_err(Error::from).map_err(|error| {
            if classic || error.class != Class::Terminal {
                return error;
            }
            error.hint(
                "where AWS can't do an elastic resize, `allow_classic_resize: true` copies the data \
                 to new nodes instead; the cluster is read-only meanwhile",
            )
        })
    }
}

fn ids(groups: &BTreeSet<SecurityGroupId>) -> Vec<String> {
    groups.iter().map(|group| group.0.clone()).collect()
}
