//! A cluster as EKS reports it.

use aws_sdk_eks::types::{Cluster, Logging};

use super::EksCluster;
use crate::aws::eks;
use crate::field::{Immutable, RoleArn, SecurityGroupId, SubnetId};

/// The fields of a cluster.
pub fn fields(cluster: &Cluster) -> EksCluster {
    let network = cluster.resources_vpc_config();
    let kubernetes = cluster.kubernetes_network_config();
    let access = cluster.access_config();
    let issuer = cluster.identity().and_then(|identity| identity.oidc()?.issuer());
    let text = |text: Option<&str>| text.map(str::to_owned);
    let listed = |ids: Option<&[String]>| ids.unwrap_or_default().to_vec();
    let subnets = listed(network.map(|network| network.subnet_ids()));
    let groups = listed(network.map(|network| network.security_group_ids()));
    EksCluster {
        role: Immutable(RoleArn::from(cluster.role_arn().unwrap_or_default())),
        version: text(cluster.version()),
        subnets: subnets.into_iter().map(SubnetId::from).collect(),
        security_groups: groups.into_iter().map(SecurityGroupId::from).collect(),
        endpoint_public_access: network.is_none_or(|one| one.endpoint_public_access()),
        endpoint_private_access: network.is_some_and(|one| one.endpoint_private_access()),
        public_access_cidrs: network
            .map(|network| network.public_access_cidrs().iter().cloned().collect()),
        logging: cluster.logging().map(log_types).unwrap_or_default().into_iter().collect(),
        encryption_key: cluster
            .encryption_config()
            .iter()
            .find_map(|config| config.provider()?.key_arn())
            .map(Into::into),
        authentication_mode: access
            .and_then(|access| eks::word(access.authentication_mode()?.as_str())),
        support_type: cluster
            .upgrade_policy()
            .and_then(|policy| eks::word(policy.support_type()?.as_str())),
        deletion_protection: cluster.deletion_protection().unwrap_or_default(),
        service_ipv4_cidr: kubernetes.and_then(|one| text(one.service_ipv4_cidr())).map(Immutable),
        ip_family: kubernetes.and_then(|one| eks::word(one.ip_family()?.as_str())).map(Immutable),
        zonal_shift: cluster.zonal_shift_config().and_then(|one| one.enabled()).unwrap_or_default(),
        bootstrap_creator_admin_permissions: None,
        bootstrap_self_managed_addons: None,
        tags: eks::from_aws(cluster.tags()),
        arn: text(cluster.arn()).into(),
        endpoint: text(cluster.endpoint()).into(),
        certificate_authority: cluster
            .certificate_authority()
            .and_then(|authority| text(authority.data()))
            .into(),
        oidc_issuer: text(issuer).into(),
        cluster_security_group: network
            .and_then(|network| text(network.cluster_security_group_id()))
            .into(),
        vpc: network.and_then(|network| text(network.vpc_id())).into(),
        platform_version: text(cluster.platform_version()).into(),
        status: cluster.status().map(|status| status.as_str().to_owned()).into(),
    }
}

/// The types that are on; EKS lists the others as off.
fn log_types(logging: &Logging) -> Vec<super::LogType> {
    let on = logging.cluster_logging().iter().filter(|setup| setup.enabled() == Some(true));
    on.flat_map(|setup| setup.types()).filter_map(|one| eks::word(one.as_str())).collect()
}
