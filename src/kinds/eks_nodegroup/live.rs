//! A node group as EKS reports it.

use aws_sdk_eks::types::{Nodegroup, NodegroupScalingConfig, Taint as AwsTaint};

use super::{EksNodegroup, RemoteAccess, Scaling, Taint, UpdateConfig};
use crate::aws::eks;
use crate::field::{EksClusterName, Immutable, KeyPairName, RoleArn, SecurityGroupId, SubnetId};

/// The fields of a node group.
pub fn fields(group: &Nodegroup) -> EksNodegroup {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let types = group.instance_types().to_vec();
    let behind = group.resources().and_then(|one| one.auto_scaling_groups().first()?.name());
    let issues: Vec<String> = group
        .health()
        .map(|health| health.issues())
        .unwrap_or_default()
        .iter()
        .map(issue)
        .collect();
    EksNodegroup {
        cluster: Immutable(EksClusterName::from(group.cluster_name().unwrap_or_default())),
        role: Immutable(RoleArn::from(group.node_role().unwrap_or_default())),
        subnets: Immutable(group.subnets().iter().cloned().map(SubnetId::from).collect()),
        instance_types: (!types.is_empty()).then_some(Immutable(types)),
        capacity_type: group.capacity_type().and_then(|one| eks::word(one.as_str())).map(Immutable),
        ami_type: group.ami_type().and_then(|one| eks::word(one.as_str())).map(Immutable),
        disk_size_gib: group.disk_size().and_then(|size| u32::try_from(size).ok()).map(Immutable),
        remote_access: group.remote_access().and_then(|access| {
            let groups = access.source_security_groups().iter().cloned();
            Some(Immutable(RemoteAccess {
                key_pair: KeyPairName::from(access.ec2_ssh_key()?),
                security_groups: groups.map(SecurityGroupId::from).collect(),
            }))
        }),
        scaling: scaling(group.scaling_config()),
        labels: group.labels().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        taints: group.taints().iter().filter_map(taint).collect(),
        update_config: group.update_config().map(|config| UpdateConfig {
            max_unavailable: count(config.max_unavailable()),
            max_unavailable_percent: count(config.max_unavailable_percentage()),
        }),
        version: text(group.version()),
        release_version: text(group.release_version()),
        tags: eks::from_aws(group.tags()),
        arn: text(group.nodegroup_arn()).into(),
        autoscaling_group: text(behind).into(),
        issues: Some(issues).filter(|issues| !issues.is_empty()).into(),
        status: group.status().map(|status| status.as_str().to_owned()).into(),
    }
}

fn count(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

fn scaling(config: Option<&NodegroupScalingConfig>) -> Scaling {
    Scaling {
        min_size: count(config.and_then(|one| one.min_size())).unwrap_or_default(),
        max_size: count(config.and_then(|one| one.max_size())).unwrap_or_default(),
        desired_size: count(config.and_then(|one| one.desired_size())),
    }
}

fn taint(taint: &AwsTaint) -> Option<Taint> {
    Some(Taint {
        key: taint.key()?.to_owned(),
        value: taint.value().unwrap_or_default().to_owned(),
        effect: eks::word(taint.effect()?.as_str())?,
    })
}

fn issue(issue: &aws_sdk_eks::types::Issue) -> String {
    let code = issue.code().map(|code| code.as_str()).unwrap_or_default();
    format!("{code}: {}", issue.message().unwrap_or_default())
}
