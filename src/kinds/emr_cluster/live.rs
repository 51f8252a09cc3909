//! A cluster as EMR shows it.

use std::collections::BTreeSet;

use aws_sdk_emr::types::{
    Cluster, ClusterState, ClusterStatus, Ec2InstanceAttributes, InstanceCollectionType,
    InstanceFleet, InstanceFleetType, InstanceGroup, InstanceGroupState, InstanceGroupType,
};

use super::machines::{Fleet, Group, fixed_word};
use super::scaling::ManagedScaling;
use super::settings::Settings;
use super::{BootstrapAction, EmrCluster, lookup};
use crate::aws::{Aws, Error, emr};
use crate::field::Immutable;
use crate::kind::{Found, Wanted};

/// What the status of a cluster says that is being deleted.
pub const DELETING: &str = "deleting";

/// All clusters that are wanted, from one list.
pub async fn read(
    aws: &Aws,
    wanted: &[Wanted<EmrCluster>],
) -> Result<Vec<Found<EmrCluster>>, Error> {
    let states = [&lookup::ALIVE[..], &[ClusterState::Terminating]].concat();
    let listed = lookup::listed(aws, &states).await?;
    let mut found = Vec::new();
    for one in wanted {
        let alive = lookup::named(aws, &listed, &one.name, &lookup::ALIVE).await?;
        let fields = match (alive.into_iter().next(), &one.desired) {
            (Some(cluster), _) => Some(settled(aws, one, &cluster).await?),
            // Its name is free, so a new one may be made; only whoever deletes it waits for it.
            (None, None) if !one.whole => {
                let going = [ClusterState::Terminating];
                let going = lookup::named(aws, &listed, &one.name, &going).await?;
                let going = going.into_iter().find(|cluster| lookup::is_ours(aws, cluster));
                let going = match going {
                    None => lookup::leaving(aws, &one.name).await?,
                    going => going,
                };
                going.map(|cluster| EmrCluster {
                    status: DELETING.to_owned().into(),
                    ..of_cluster(&cluster)
                })
            }
            (None, _) => {
                let failed = lookup::failed(aws, &one.name).await?;
                failed.map(|cluster| of_cluster(&cluster))
            }
        };
        found.extend(fields.map(|fields| Found { name: one.name.clone(), fields }));
    }
    Ok(found)
}

/// A cluster that is there, with what other calls tell of it.
async fn settled(
    aws: &Aws,
    wanted: &Wanted<EmrCluster>,
    cluster: &Cluster,
) -> Result<EmrCluster, Error> {
    let id = cluster.id().unwrap_or_default();
    let mut fields = of_cluster(cluster);
    let state = cluster.status().and_then(|status| status.state());
    let starting = [ClusterState::Starting, ClusterState::Bootstrapping];
    if lookup::is_ours(aws, cluster) && state.is_some_and(|state| starting.contains(state)) {
        lookup::started(&wanted.name, id);
    }
    let machines = async {
        if cluster.instance_collection_type() == Some(&InstanceCollectionType::InstanceFleet) {
            Ok((Vec::new(), fleets(aws, id).await?))
        } else {
            Ok::<_, Error>((groups(aws, id).await?, Vec::new()))
        }
    };
    let scaling = async {
        let reply = aws.emr.get_managed_scaling_policy().cluster_id(id).send().await?;
        Ok(reply.managed_scaling_policy.and_then(|policy| policy.compute_limits))
    };
    let idle = async {
        let reply = aws.emr.get_auto_termination_policy().cluster_id(id).send().await?;
        Ok(reply.auto_termination_policy.and_then(|policy| policy.idle_timeout))
    };
    let actions = async {
        let asked = wanted.asks(|desired| desired.bootstrap_actions.is_some());
        if asked { bootstrap_actions(aws, id).await.map(Some) } else { Ok(None) }
    };
    let ((groups, fleets), limits, idle, actions) =
        futures::try_join!(machines, scaling, idle, actions)?;
    fields.managed_scaling =
        limits.map(|limits| ManagedScaling::from_aws(&limits)).unwrap_or_default();
    fields.auto_termination_idle_seconds = idle.unwrap_or_default();
    fields.bootstrap_actions = actions.map(Immutable);
    fields.take_groups(&groups, wanted.desired.as_ref());
    fields.take_fleets(&fleets);
    Ok(fields)
}

async fn groups(aws: &Aws, id: &str) -> Result<Vec<InstanceGroup>, Error> {
    let mut pages = aws.emr.list_instance_groups().cluster_id(id).into_paginator().send();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        groups.extend(page?.instance_groups.unwrap_or_default());
    }
    Ok(groups)
}

async fn fleets(aws: &Aws, id: &str) -> Result<Vec<InstanceFleet>, Error> {
    let mut pages = aws.emr.list_instance_fleets().cluster_id(id).into_paginator().send();
    let mut fleets = Vec::new();
    while let Some(page) = pages.next().await {
        fleets.extend(page?.instance_fleets.unwrap_or_default());
    }
    Ok(fleets)
}

async fn bootstrap_actions(aws: &Aws, id: &str) -> Result<Vec<BootstrapAction>, Error> {
    let mut pages = aws.emr.list_bootstrap_actions().cluster_id(id).into_paginator().send();
    let mut actions = Vec::new();
    while let Some(page) = pages.next().await {
        for action in page?.bootstrap_actions() {
            actions.push(BootstrapAction {
                name: action.name().unwrap_or_default().to_owned(),
                path: action.script_path().unwrap_or_default().to_owned(),
                args: action.args().to_vec(),
            });
        }
    }
    Ok(actions)
}

/// What DescribeCluster tells.
fn of_cluster(cluster: &Cluster) -> EmrCluster {
    let applications = cluster.applications().iter();
    let applications = applications.filter_map(|one| one.name().map(str::to_owned));
    let configurations = Settings::from_aws(cluster.configurations());
    let status = cluster.status();
    let mut fields = EmrCluster {
        release_label: cluster.release_label().unwrap_or_default().to_owned().into(),
        os_release_label: fixed(cluster.os_release_label()),
        applications: Some(Immutable(applications.collect())),
        glue_catalog: configurations.has_glue_catalog().into(),
        configurations: Some(configurations.into()),
        log_uri: fixed(cluster.log_uri()),
        log_kms_key: fixed(cluster.log_encryption_kms_key_id()),
        service_role: fixed(cluster.service_role()).unwrap_or_default(),
        instance_profile: Immutable::default(),
        auto_scaling_role: fixed(cluster.auto_scaling_role()),
        key_pair: None,
        subnets: None,
        primary_security_group: None,
        core_security_group: None,
        service_access_security_group: None,
        additional_primary_security_groups: None,
        additional_core_security_groups: None,
        security_configuration: fixed(cluster.security_configuration()),
        custom_ami: fixed(cluster.custom_ami_id()),
        root_volume_gib: cluster.ebs_root_volume_size().map(Immutable),
        root_volume_iops: cluster.ebs_root_volume_iops().map(Immutable),
        root_volume_throughput_mibps: cluster.ebs_root_volume_throughput().map(Immutable),
        scale_down_behavior: fixed_word(cluster.scale_down_behavior().map(|one| one.as_str())),
        bootstrap_actions: None,
        primary: None,
        core: None,
        tasks: Default::default(),
        primary_fleet: None,
        core_fleet: None,
        task_fleet: None,
        managed_scaling: ManagedScaling::default(),
        auto_termination_idle_seconds: 0,
        keep_alive: !cluster.auto_terminate().unwrap_or_default(),
        termination_protection: cluster.termination_protected(),
        unhealthy_node_replacement: cluster.unhealthy_node_replacement(),
        visible_to_all_users: cluster.visible_to_all_users(),
        step_concurrency: cluster.step_concurrency_level(),
        tags: emr::from_aws(cluster.tags()),
        id: cluster.id().map(str::to_owned).into(),
        arn: cluster.cluster_arn().map(str::to_owned).into(),
        primary_dns: given(cluster.master_public_dns_name()).into(),
        status: status.and_then(|one| one.state()).map(|one| one.as_str().to_owned()).into(),
        status_reason: status.and_then(reason).into(),
    };
    if let Some(ec2) = cluster.ec2_instance_attributes() {
        fields.take_network(ec2);
    }
    fields
}

/// Why the cluster is in its state: EMR's code and words.
fn reason(status: &ClusterStatus) -> Option<String> {
    let reason = status.state_change_reason()?;
    let code = reason.code().map(|code| code.as_str().to_owned());
    let words: Vec<String> = code.into_iter().chain(given(reason.message())).collect();
    (!words.is_empty()).then(|| words.join(": "))
}

/// A text that is there and not empty.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn fixed<T: From<String>>(text: Option<&str>) -> Option<Immutable<T>> {
    given(text).map(|text| Immutable(T::from(text)))
}

fn all<T: From<String> + Ord>(ids: &[String]) -> Immutable<BTreeSet<T>> {
    Immutable(ids.iter().cloned().map(T::from).collect())
}

impl EmrCluster {
    fn take_network(&mut self, ec2: &Ec2InstanceAttributes) {
        self.instance_profile = fixed(ec2.iam_instance_profile()).unwrap_or_default();
        self.key_pair = fixed(ec2.ec2_key_name());
        let stands_in: Vec<String> = given(ec2.ec2_subnet_id()).into_iter().collect();
        let asked = ec2.requested_ec2_subnet_ids();
        self.subnets = Some(all(if asked.is_empty() { &stands_in } else { asked }));
        self.primary_security_group = fixed(ec2.emr_managed_master_security_group());
        self.core_security_group = fixed(ec2.emr_managed_slave_security_group());
        self.service_access_security_group = fixed(ec2.service_access_security_group());
        self.additional_primary_security_groups =
            Some(all(ec2.additional_master_security_groups()));
        self.additional_core_security_groups = Some(all(ec2.additional_slave_security_groups()));
    }

    /// Sorts the groups by their job. A task group that was given up has no machines: EMR never
    /// forgets one.
    fn take_groups(&mut self, groups: &[InstanceGroup], desired: Option<&EmrCluster>) {
        let ended = [InstanceGroupState::Terminated, InstanceGroupState::Ended];
        let there = groups.iter().filter(|group| {
            let state = group.status().and_then(|status| status.state());
            !state.is_some_and(|state| ended.contains(state))
        });
        for group in there {
            let fields = Group::from_aws(group);
            let name = group.name().unwrap_or_default();
            match group.instance_group_type() {
                Some(InstanceGroupType::Master) => self.primary = Some(fields),
                Some(InstanceGroupType::Core) => self.core = Some(fields),
                _ => {
                    let wanted = desired.and_then(|desired| desired.tasks.get(name));
                    let empty = fields.count == 0;
                    let fits = |one: &Group| one.instance_type == fields.instance_type;
                    let counts = if empty { wanted.is_some_and(fits) } else { true };
                    let better = self.tasks.get(name).is_none_or(|other| other.count == 0);
                    if counts && better {
                        self.tasks.insert(name.to_owned(), fields);
                    }
                }
            }
        }
    }

    fn take_fleets(&mut self, fleets: &[InstanceFleet]) {
        for fleet in fleets {
            let fields = Some(Fleet::from_aws(fleet));
            match fleet.instance_fleet_type() {
                Some(InstanceFleetType::Master) => self.primary_fleet = fields,
                Some(InstanceFleetType::Core) => self.core_fleet = fields,
                _ => self.task_fleet = fields,
            }
        }
    }
}
