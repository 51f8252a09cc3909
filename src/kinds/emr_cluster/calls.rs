//! The calls that start a cluster and change it.

use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowFluentBuilder;
use aws_sdk_emr::types::{
    Application, AutoTerminationPolicy, BootstrapActionConfig, InstanceFleetConfig,
    InstanceFleetModifyConfig, InstanceFleetType, InstanceGroupConfig, InstanceGroupModifyConfig,
    InstanceRoleType, JobFlowInstancesConfig, ScriptBootstrapActionConfig,
};

use super::EmrCluster;
use super::machines::{Fleet, Group};
use super::settings::Settings;
use crate::aws::words::word;
use crate::aws::{Error, emr};
use crate::field::Differs;
use crate::kind::Cx;

impl EmrCluster {
    /// Everything that RunJobFlow takes.
    pub(super) fn with_all(&self, call: RunJobFlowFluentBuilder) -> RunJobFlowFluentBuilder {
        let applications = self.applications.as_deref().into_iter().flatten();
        let applications = applications.map(|name| Application::builder().name(name).build());
        let idle = self.auto_termination_idle_seconds;
        let idle = (idle > 0).then(|| AutoTerminationPolicy::builder().idle_timeout(idle).build());
        call.release_label(&*self.release_label)
            .set_os_release_label(self.os_release_label.as_deref().cloned())
            .set_applications(Some(applications.collect()))
            .set_configurations(self.all_configurations().map(|all| all.to_aws()))
            .set_log_uri(self.log_uri.as_deref().cloned())
            .set_log_encryption_kms_key_id(self.log_kms_key.as_deref().map(|key| key.0.clone()))
            .service_role(&self.service_role.0.0)
            .job_flow_role(&self.instance_profile.0.0)
            .set_auto_scaling_role(self.auto_scaling_role.as_deref().map(|role| role.0.clone()))
            .set_security_configuration(
                self.security_configuration.as_deref().map(|name| name.0.clone()),
            )
            .set_custom_ami_id(self.custom_ami.as_deref().cloned())
            .set_ebs_root_volume_size(self.root_volume_gib.as_deref().copied())
            .set_ebs_root_volume_iops(self.root_volume_iops.as_deref().copied())
            .set_ebs_root_volume_throughput(self.root_volume_throughput_mibps.as_deref().copied())
            .set_scale_down_behavior(
                self.scale_down_behavior.as_deref().map(|one| word(one).as_str().into()),
            )
            .set_bootstrap_actions(self.bootstrap_configs())
            .instances(self.instances())
            .set_managed_scaling_policy(self.managed_scaling.policy())
            .set_auto_termination_policy(idle)
            .set_visible_to_all_users(self.visible_to_all_users)
            .set_step_concurrency_level(self.step_concurrency)
            .set_tags(Some(emr::to_aws(&self.tags)))
    }

    /// The settings of the stack, and those that `glue_catalog` stands for.
    fn all_configurations(&self) -> Option<Settings> {
        let own = self.configurations.as_deref().cloned();
        if !*self.glue_catalog {
            return own;
        }
        let mut applications = self.applications.as_deref().into_iter().flatten();
        let hive = applications.any(|name| name.eq_ignore_ascii_case("hive"));
        Some(own.unwrap_or_default().with_glue_catalog(hive))
    }

    fn bootstrap_configs(&self) -> Option<Vec<BootstrapActionConfig>> {
        let actions = self.bootstrap_actions.as_deref()?.iter().map(|action| {
            let script = ScriptBootstrapActionConfig::builder()
                .path(&action.path)
                .set_args(Some(action.args.clone()))
                .build();
            BootstrapActionConfig::builder()
                .name(&action.name)
                .script_bootstrap_action(script)
                .build()
        });
        Some(actions.collect())
    }

    fn instances(&self) -> JobFlowInstancesConfig {
        let groups = self.group_configs();
        let fleets = self.fleet_configs();
        let subnets = self.subnets.as_deref().into_iter().flatten();
        let subnets: Vec<String> = subnets.map(|subnet| subnet.0.clone()).collect();
        let (one, several) = match (fleets.is_empty(), subnets.as_slice()) {
            (_, []) => (None, None),
            (true, [one, ..]) => (Some(one.clone()), None),
            (false, _) => (None, Some(subnets)),
        };
        let more = |groups: Option<Vec<String>>| groups.filter(|groups| !groups.is_empty());
        JobFlowInstancesConfig::builder()
            .set_instance_groups((!groups.is_empty()).then_some(groups))
            .set_instance_fleets((!fleets.is_empty()).then_some(fleets))
            .set_ec2_key_name(self.key_pair.as_deref().map(|key| key.0.clone()))
            .set_ec2_subnet_id(one)
            .set_ec2_subnet_ids(several)
            .keep_job_flow_alive_when_no_steps(self.keep_alive)
            .set_termination_protected(self.termination_protection)
            .set_unhealthy_node_replacement(self.unhealthy_node_replacement)
            .set_emr_managed_master_security_group(
                self.primary_security_group.as_deref().map(|group| group.0.clone()),
            )
            .set_emr_managed_slave_security_group(
                self.core_security_group.as_deref().map(|group| group.0.clone()),
            )
            .set_service_access_security_group(
                self.service_access_security_group.as_deref().map(|group| group.0.clone()),
            )
            .set_additional_master_security_groups(more(
                self.additional_primary_security_groups
                    .as_deref()
                    .map(|all| all.iter().map(|group| group.0.clone()).collect()),
            ))
            .set_additional_slave_security_groups(more(
                self.additional_core_security_groups
                    .as_deref()
                    .map(|all| all.iter().map(|group| group.0.clone()).collect()),
            ))
            .build()
    }

    fn group_configs(&self) -> Vec<InstanceGroupConfig> {
        let primary =
            self.primary.iter().map(|one| one.config("primary", InstanceRoleType::Master));
        let core = self.core.iter().map(|one| one.config("core", InstanceRoleType::Core));
        let tasks = self.tasks.iter().map(|(name, one)| one.config(name, InstanceRoleType::Task));
        primary.chain(core).chain(tasks).collect()
    }

    fn fleet_configs(&self) -> Vec<InstanceFleetConfig> {
        let all = [
            (&self.primary_fleet, "primary", InstanceFleetType::Master),
            (&self.core_fleet, "core", InstanceFleetType::Core),
            (&self.task_fleet, "task", InstanceFleetType::Task),
        ];
        let all = all.into_iter();
        all.filter_map(|(fleet, name, role)| Some(fleet.as_ref()?.config(name, role))).collect()
    }

    /// Settings that have a call each.
    pub(super) async fn update_switches(
        &self,
        live: &Self,
        id: &str,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        if self.termination_protection.differs(&live.termination_protection) {
            let call = cx.emr.set_termination_protection().job_flow_ids(id);
            let call = call.set_termination_protected(self.termination_protection);
            call.send().await?;
        }
        if self.unhealthy_node_replacement.differs(&live.unhealthy_node_replacement) {
            let call = cx.emr.set_unhealthy_node_replacement().job_flow_ids(id);
            let call = call.set_unhealthy_node_replacement(self.unhealthy_node_replacement);
            call.send().await?;
        }
        if self.keep_alive != live.keep_alive {
            let call = cx.emr.set_keep_job_flow_alive_when_no_steps().job_flow_ids(id);
            call.keep_job_flow_alive_when_no_steps(self.keep_alive).send().await?;
        }
        if self.visible_to_all_users.differs(&live.visible_to_all_users) {
            let call = cx.emr.set_visible_to_all_users().job_flow_ids(id);
            call.set_visible_to_all_users(self.visible_to_all_users).send().await?;
        }
        if self.step_concurrency.differs(&live.step_concurrency) {
            let call = cx.emr.modify_cluster().cluster_id(id);
            call.set_step_concurrency_level(self.step_concurrency).send().await?;
        }
        Ok(())
    }

    /// Managed scaling and auto-termination, which are policies that are put and removed.
    pub(super) async fn update_policies(
        &self,
        live: &Self,
        id: &str,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        if !self.managed_scaling.covers(&live.managed_scaling) {
            match self.managed_scaling.policy() {
                Some(policy) => {
                    let call = cx.emr.put_managed_scaling_policy().cluster_id(id);
                    call.managed_scaling_policy(policy).send().await?;
                }
                None => {
                    cx.emr.remove_managed_scaling_policy().cluster_id(id).send().await?;
                }
            }
        }
        let idle = self.auto_termination_idle_seconds;
        if idle != live.auto_termination_idle_seconds && idle > 0 {
            let policy = AutoTerminationPolicy::builder().idle_timeout(idle).build();
            let call = cx.emr.put_auto_termination_policy().cluster_id(id);
            call.auto_termination_policy(policy).send().await?;
        } else if idle != live.auto_termination_idle_seconds {
            cx.emr.remove_auto_termination_policy().cluster_id(id).send().await?;
        }
        Ok(())
    }

    /// Sizes and settings of groups and fleets; new ones are added, and task groups that left the
    /// stack lose their machines.
    pub(super) async fn update_machines(
        &self,
        live: &Self,
        id: &str,
        cx: &Cx<'_>,
    ) -> Result<(), Error> {
        let primary = [(self.primary.as_ref(), live.primary.as_ref())];
        let core = [(self.core.as_ref(), live.core.as_ref())];
        let tasks = self.tasks.iter().map(|(name, one)| (Some(one), live.tasks.get(name)));
        let both = primary.into_iter().chain(core).chain(tasks);
        let changed = both.filter_map(|(want, have)| want?.change_from(have?));
        let gone = live.tasks.iter().filter(|(name, one)| {
            one.count > 0 && self.primary.is_some() && !self.tasks.contains_key(*name)
        });
        let gone = gone.map(|(_, one)| one.resized(0));
        let modified: Vec<InstanceGroupModifyConfig> = changed.chain(gone).collect();
        if !modified.is_empty() {
            let call = cx.emr.modify_instance_groups().cluster_id(id);
            call.set_instance_groups(Some(modified)).send().await?;
        }
        let core = self.core.iter().filter(|_| live.core.is_none());
        let core = core.map(|one| one.config("core", InstanceRoleType::Core));
        let tasks = self.tasks.iter().filter(|(name, _)| !live.tasks.contains_key(*name));
        let tasks = tasks.map(|(name, one)| one.config(name, InstanceRoleType::Task));
        let added: Vec<InstanceGroupConfig> = core.chain(tasks).collect();
        if !added.is_empty() {
            let call = cx.emr.add_instance_groups().job_flow_id(id);
            let call = call.set_instance_groups(Some(added)).customize();
            call.config_override(emr::once()).send().await?;
        }
        self.update_fleets(live, id, cx).await
    }

    async fn update_fleets(&self, live: &Self, id: &str, cx: &Cx<'_>) -> Result<(), Error> {
        let all = [
            (&self.primary_fleet, &live.primary_fleet),
            (&self.core_fleet, &live.core_fleet),
            (&self.task_fleet, &live.task_fleet),
        ];
        let changed =
            all.into_iter().filter_map(|(want, have)| want.as_ref()?.change_from(have.as_ref()?));
        for change in changed {
            let call = cx.emr.modify_instance_fleet().cluster_id(id);
            call.instance_fleet(change).send().await?;
        }
        if let (Some(fleet), None) = (&self.task_fleet, &live.task_fleet) {
            let call = cx.emr.add_instance_fleet().cluster_id(id);
            let call = call.instance_fleet(fleet.config("task", InstanceFleetType::Task));
            call.customize().config_override(emr::once()).send().await?;
        }
        Ok(())
    }
}

impl Group {
    /// EMR resizes a group, or reconfigures it, but not both at once: the size goes first.
    fn change_from(&self, live: &Self) -> Option<InstanceGroupModifyConfig> {
        if self.count != live.count {
            return Some(live.resized(self.count));
        }
        let settings = self.configurations.as_ref()?;
        let same = |live: &Settings| settings.is_within(live);
        if live.configurations.as_ref().is_some_and(same) {
            return None;
        }
        Some(
            InstanceGroupModifyConfig::builder()
                .instance_group_id(live.id.as_deref().unwrap_or_default())
                .set_configurations(Some(settings.to_aws()))
                .build(),
        )
    }

    fn resized(&self, count: i32) -> InstanceGroupModifyConfig {
        InstanceGroupModifyConfig::builder()
            .instance_group_id(self.id.as_deref().unwrap_or_default())
            .instance_count(count)
            .build()
    }
}

impl Fleet {
    fn change_from(&self, live: &Self) -> Option<InstanceFleetModifyConfig> {
        if (self.on_demand, self.spot) == (live.on_demand, live.spot) {
            return None;
        }
        Some(
            InstanceFleetModifyConfig::builder()
                .instance_fleet_id(live.id.as_deref().unwrap_or_default())
                .target_on_demand_capacity(self.on_demand)
                .target_spot_capacity(self.spot)
                .build(),
        )
    }
}
