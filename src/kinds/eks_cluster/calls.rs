//! What makes a cluster and what changes it.

use aws_sdk_eks::types::{
    AuthenticationMode as AwsMode, ClusterStatus, CreateAccessConfigRequest, EncryptionConfig,
    IpFamily as AwsFamily, KubernetesNetworkConfigRequest, LogSetup, LogType as AwsLogType,
    Logging, Provider, SupportType as AwsSupport, UpdateAccessConfigRequest, UpgradePolicyRequest,
    VpcConfigRequest, ZonalShiftConfigRequest,
};

use super::EksCluster;
use super::words::{AuthenticationMode, LogType, SupportType};
use crate::aws::eks::{Updates, already_is_fine, spelled, to_aws};
use crate::aws::{Class, Error};
use crate::field::{Differs, KmsKeyArn};
use crate::kind::Cx;

/// Asks for a cluster with everything that it is to have.
pub async fn create(desired: &EksCluster, cx: &Cx<'_>) -> Result<(), Error> {
    let mode = desired.authentication_mode.unwrap_or(AuthenticationMode::Api);
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(to_mode(mode))
        .set_bootstrap_cluster_creator_admin_permissions(
            desired.bootstrap_creator_admin_permissions.as_ref().map(|said| said.0),
        )
        .build();
    let shift =
        desired.zonal_shift.then(|| ZonalShiftConfigRequest::builder().enabled(true).build());
    let call = cx
        .eks
        .create_cluster()
        .name(cx.name)
        .role_arn(&*desired.role.0)
        .set_version(desired.version.clone())
        .resources_vpc_config(endpoints(desired).set_subnet_ids(Some(subnets(desired))).build())
        .access_config(access)
        .set_kubernetes_network_config(kubernetes_network(desired))
        .set_upgrade_policy(desired.support_type.map(policy))
        .set_zonal_shift_config(shift)
        .set_bootstrap_self_managed_addons(
            desired.bootstrap_self_managed_addons.as_ref().map(|said| said.0),
        )
        .set_encryption_config(desired.encryption_key.as_ref().map(encryption))
        .deletion_protection(desired.deletion_protection)
        .set_tags(Some(to_aws(&desired.tags)));
    let wanted: Vec<LogType> = desired.logging.iter().copied().collect();
    let call = call.set_logging(logging(&wanted, &[]));
    call.send().await.map_err(|error| explain(error.into()))?;
    Ok(())
}

/// What EKS leaves unsaid.
fn explain(error: Error) -> Error {
    if error.code == "UnsupportedAvailabilityZoneException" {
        return error.hint("take the subnet in that zone out of `subnets`");
    }
    error
}

/// Asks for the first difference, in an order in which none stands in another's way.
pub async fn update_next(
    desired: &EksCluster,
    live: &EksCluster,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let updates = Updates::Cluster(cx.name);
    if let Some(next) = desired.versions_after(live).first() {
        updates.went_well(cx).await?;
        let call = cx.eks.update_cluster_version().name(cx.name).version(next);
        return taken(call.send().await, cx).await.map_err(held_back);
    }
    if let (Some(key), None) = (&desired.encryption_key, &live.encryption_key) {
        updates.went_well(cx).await?;
        let call = cx.eks.associate_encryption_config().cluster_name(cx.name);
        return taken(call.set_encryption_config(Some(encryption(key))).send().await, cx).await;
    }
    let call = cx.eks.update_cluster_config().name(cx.name);
    let call = if desired.authentication_mode.differs(&live.authentication_mode) {
        let mode = next_mode(desired.authentication_mode, live.authentication_mode);
        let access = UpdateAccessConfigRequest::builder().set_authentication_mode(mode);
        call.access_config(access.build())
    } else if desired.support_type.differs(&live.support_type) {
        call.set_upgrade_policy(desired.support_type.map(policy))
    } else if endpoints_differ(desired, live) {
        call.resources_vpc_config(endpoints(desired).set_security_group_ids(None).build())
    } else if (&desired.subnets, &desired.security_groups) != (&live.subnets, &live.security_groups)
    {
        let groups = desired.security_groups.iter().map(|group| group.0.clone()).collect();
        let config = VpcConfigRequest::builder()
            .set_subnet_ids(Some(subnets(desired)))
            .set_security_group_ids(Some(groups));
        call.resources_vpc_config(config.build())
    } else if desired.logging != live.logging {
        let on: Vec<LogType> = desired.logging.difference(&live.logging).copied().collect();
        let off: Vec<LogType> = live.logging.difference(&desired.logging).copied().collect();
        call.set_logging(logging(&on, &off))
    } else if desired.zonal_shift != live.zonal_shift {
        let shift = ZonalShiftConfigRequest::builder().enabled(desired.zonal_shift);
        call.zonal_shift_config(shift.build())
    } else if desired.deletion_protection != live.deletion_protection {
        call.deletion_protection(desired.deletion_protection)
    } else {
        return Ok(());
    };
    updates.went_well(cx).await?;
    taken(call.send().await, cx).await
}

/// An update that the cluster is busy with, such as this one when the answer to an earlier call got
/// lost, may take longer than a call is worth repeating: whoever waits for the cluster waits for
/// that, and looks then what still differs.
async fn taken<T, E: Into<Error>>(answer: Result<T, E>, cx: &Cx<'_>) -> Result<(), Error> {
    let error = match already_is_fine(answer) {
        Err(error) if error.class == Class::Busy => error,
        answer => return answer,
    };
    let reply = cx.eks.describe_cluster().name(cx.name).send().await?;
    match reply.cluster().and_then(|cluster| cluster.status()) {
        Some(ClusterStatus::Updating) => Ok(()),
        _ => Err(error),
    }
}

/// Nodes may be a few minor versions behind their control plane, and no more.
fn held_back(error: Error) -> Error {
    let nodes = error.message.contains("must be updated to match");
    if error.class == Class::Terminal && nodes {
        return error.hint(
            "raise `version` of the node groups to the cluster's first, and the cluster's after \
             that",
        );
    }
    error
}

fn subnets(cluster: &EksCluster) -> Vec<String> {
    cluster.subnets.iter().map(|subnet| subnet.0.clone()).collect()
}

fn endpoints(cluster: &EksCluster) -> aws_sdk_eks::types::builders::VpcConfigRequestBuilder {
    let groups = cluster.security_groups.iter().map(|group| group.0.clone()).collect();
    // Networks mean nothing, and are refused, while the endpoint isn't public.
    let networks = cluster.public_access_cidrs.as_ref().filter(|_| cluster.endpoint_public_access);
    VpcConfigRequest::builder()
        .set_security_group_ids(Some(groups))
        .endpoint_public_access(cluster.endpoint_public_access)
        .endpoint_private_access(cluster.endpoint_private_access)
        .set_public_access_cidrs(networks.map(|cidrs| cidrs.iter().cloned().collect()))
}

fn endpoints_differ(desired: &EksCluster, live: &EksCluster) -> bool {
    desired.endpoint_public_access != live.endpoint_public_access
        || desired.endpoint_private_access != live.endpoint_private_access
        || desired.public_access_cidrs.differs(&live.public_access_cidrs)
}

fn kubernetes_network(cluster: &EksCluster) -> Option<KubernetesNetworkConfigRequest> {
    if cluster.service_ipv4_cidr.is_none() && cluster.ip_family.is_none() {
        return None;
    }
    let family = cluster.ip_family.as_ref().map(|family| AwsFamily::from(&*spelled(&family.0)));
    let network = KubernetesNetworkConfigRequest::builder()
        .set_service_ipv4_cidr(cluster.service_ipv4_cidr.as_deref().cloned())
        .set_ip_family(family);
    Some(network.build())
}

fn to_mode(mode: AuthenticationMode) -> AwsMode {
    AwsMode::from(&*spelled(&mode))
}

/// The config map and the access entries have to have been side by side once.
fn next_mode(
    desired: Option<AuthenticationMode>,
    live: Option<AuthenticationMode>,
) -> Option<AwsMode> {
    use AuthenticationMode::{Api, ApiAndConfigMap, ConfigMap};
    match (live, desired?) {
        (Some(ConfigMap), Api) => Some(to_mode(ApiAndConfigMap)),
        (_, mode) => Some(to_mode(mode)),
    }
}

fn policy(support: SupportType) -> UpgradePolicyRequest {
    UpgradePolicyRequest::builder().support_type(AwsSupport::from(&*spelled(&support))).build()
}

fn encryption(key: &KmsKeyArn) -> Vec<EncryptionConfig> {
    let provider = Provider::builder().key_arn(&**key).build();
    vec![EncryptionConfig::builder().provider(provider).build()]
}

fn logging(on: &[LogType], off: &[LogType]) -> Option<Logging> {
    let setups = [(on, true), (off, false)].into_iter().filter(|(types, _)| !types.is_empty());
    let setups: Vec<LogSetup> = setups
        .map(|(types, enabled)| {
            let types = types.iter().map(|one| AwsLogType::from(&*spelled(one))).collect();
            LogSetup::builder().set_types(Some(types)).enabled(enabled).build()
        })
        .collect();
    (!setups.is_empty()).then(|| Logging::builder().set_cluster_logging(Some(setups)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_hold_an_upgrade_back_are_named_with_a_remedy() {
        for message in [
            "Nodegroups workers must be updated to match cluster version 1.33 before updating \
             cluster version",
            "Kubelet version of Fargate pods must be updated to match cluster version 1.33 before \
             updating cluster version; please recycle all offending pod replicas",
        ] {
            let error = held_back(Error::new(Class::Terminal, message));
            assert!(error.hint.is_some_and(|hint| hint.contains("node groups")), "{message}");
        }
        assert_eq!(held_back(Error::new(Class::Terminal, "no")).hint, None);
    }
}
