//! What makes a node group and what changes it.

use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, NodegroupScalingConfig, NodegroupUpdateConfig, RemoteAccessConfig,
    Taint as AwsTaint, TaintEffect as AwsEffect, UpdateLabelsPayload, UpdateTaintsPayload,
};

use super::{EksNodegroup, RemoteAccess, Scaling, Taint, UpdateConfig};
use crate::aws::Error;
use crate::aws::eks::{Updates, already_is_fine, spelled, split, to_aws};
use crate::field::{Differs, set_change};
use crate::kind::Cx;

/// Asks for a node group with everything that it is to have.
pub async fn create(desired: &EksNodegroup, cx: &Cx<'_>) -> Result<(), Error> {
    let (cluster, name) = split(cx.name);
    let disk = desired.disk_size_gib.as_ref().and_then(|size| i32::try_from(size.0).ok());
    let labels = desired.labels.clone().into_iter().collect();
    cx.eks
        .create_nodegroup()
        .cluster_name(cluster)
        .nodegroup_name(name)
        .node_role(&*desired.role.0)
        .set_subnets(Some(desired.subnets.iter().map(|subnet| subnet.0.clone()).collect()))
        .set_instance_types(desired.instance_types.as_deref().cloned())
        .set_capacity_type(
            desired.capacity_type.as_ref().map(|one| CapacityTypes::from(&*spelled(&one.0))),
        )
        .set_ami_type(desired.ami_type.as_ref().map(|one| AmiTypes::from(&*spelled(&one.0))))
        .set_disk_size(disk)
        .set_remote_access(desired.remote_access.as_deref().map(remote_access))
        .scaling_config(scaling(&desired.scaling, None))
        .set_labels(Some(labels))
        .set_taints(Some(desired.taints.iter().map(taint).collect()))
        .set_update_config(desired.update_config.as_ref().map(update_config))
        .set_version(desired.version.clone())
        .set_release_version(desired.release_version.clone())
        .set_tags(Some(to_aws(&desired.tags)))
        .send()
        .await?;
    Ok(())
}

/// Asks for the machines' version first, for all the rest in one call after that.
pub async fn update_next(
    desired: &EksNodegroup,
    live: &EksNodegroup,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let (cluster, name) = split(cx.name);
    if desired.version.differs(&live.version)
        || desired.release_version.differs(&live.release_version)
    {
        Updates::Nodegroup(cx.name).went_well(cx).await?;
        let call = cx.eks.update_nodegroup_version().cluster_name(cluster).nodegroup_name(name);
        let call = call.set_version(desired.version.clone());
        let call = call.set_release_version(desired.release_version.clone());
        return already_is_fine(call.send().await);
    }
    let labels = labels(desired, live);
    let taints = taints(desired, live);
    let sizes = scaling_differs(&desired.scaling, &live.scaling)
        .then(|| scaling(&desired.scaling, live.scaling.desired_size));
    let config = desired.update_config.differs(&live.update_config);
    let config = desired.update_config.as_ref().filter(|_| config).map(update_config);
    if labels.is_none() && taints.is_none() && sizes.is_none() && config.is_none() {
        return Ok(());
    }
    Updates::Nodegroup(cx.name).went_well(cx).await?;
    let call = cx.eks.update_nodegroup_config().cluster_name(cluster).nodegroup_name(name);
    let call = call.set_labels(labels).set_taints(taints).set_scaling_config(sizes);
    already_is_fine(call.set_update_config(config).send().await)
}

fn scaling_differs(desired: &Scaling, live: &Scaling) -> bool {
    desired.min_size != live.min_size
        || desired.max_size != live.max_size
        || desired.desired_size.differs(&live.desired_size)
}

/// Where the stack leaves the number of machines open, it stays, within the new bounds.
fn scaling(scaling: &Scaling, live: Option<u32>) -> NodegroupScalingConfig {
    let Scaling { min_size, max_size, desired_size } = *scaling;
    let size = desired_size.or(live).unwrap_or(min_size).max(min_size).min(max_size);
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    NodegroupScalingConfig::builder()
        .min_size(number(min_size))
        .max_size(number(max_size))
        .desired_size(number(size))
        .build()
}

fn labels(desired: &EksNodegroup, live: &EksNodegroup) -> Option<UpdateLabelsPayload> {
    let set = desired.labels.iter().filter(|(key, value)| live.labels.get(*key) != Some(value));
    let set: Vec<_> = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    let gone = live.labels.keys().filter(|key| !desired.labels.contains_key(*key));
    let gone: Vec<String> = gone.cloned().collect();
    (!set.is_empty() || !gone.is_empty()).then(|| {
        UpdateLabelsPayload::builder()
            .set_add_or_update_labels(Some(set.into_iter().collect()))
            .set_remove_labels(Some(gone))
            .build()
    })
}

/// A taint is known by its key and effect; one that only changes its value isn't taken away.
fn taints(desired: &EksNodegroup, live: &EksNodegroup) -> Option<UpdateTaintsPayload> {
    let (set, gone) = set_change(&desired.taints, &live.taints);
    let kept = |one: &Taint| set.iter().any(|new| (&new.key, new.effect) == (&one.key, one.effect));
    let gone: Vec<AwsTaint> = gone.iter().filter(|one| !kept(one)).map(taint).collect();
    let set: Vec<AwsTaint> = set.iter().map(taint).collect();
    (!set.is_empty() || !gone.is_empty()).then(|| {
        UpdateTaintsPayload::builder()
            .set_add_or_update_taints(Some(set))
            .set_remove_taints(Some(gone))
            .build()
    })
}

fn taint(taint: &Taint) -> AwsTaint {
    AwsTaint::builder()
        .key(&taint.key)
        .value(&taint.value)
        .effect(AwsEffect::from(&*spelled(&taint.effect)))
        .build()
}

fn update_config(config: &UpdateConfig) -> NodegroupUpdateConfig {
    let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    NodegroupUpdateConfig::builder()
        .set_max_unavailable(number(config.max_unavailable))
        .set_max_unavailable_percentage(number(config.max_unavailable_percent))
        .build()
}

fn remote_access(access: &RemoteAccess) -> RemoteAccessConfig {
    let groups: Vec<String> = access.security_groups.iter().map(|one| one.0.clone()).collect();
    RemoteAccessConfig::builder()
        .ec2_ssh_key(&*access.key_pair)
        .set_source_security_groups((!groups.is_empty()).then_some(groups))
        .build()
}
