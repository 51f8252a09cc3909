//! From what Redshift reports to the fields of the kind.

use aws_sdk_redshift::types::{Cluster, PendingModifiedValues};

use super::RedshiftCluster;
use crate::aws::redshift_tags;
use crate::aws::rest::PAUSED;
use crate::field::{
    Computed, Derived, KmsKeyArn, RedshiftParameterGroupName, RoleArn, SecurityGroupId, Warehouse,
};
use crate::kind::Site;

/// Statuses that a cluster doesn't leave by itself.
pub const TERMINAL: &[&str] = &[
    "hardware-failure",
    "incompatible-hsm",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
];

/// Statuses in which the cluster is as it was left: in order, paused, or in want of more storage.
pub const USABLE: &[&str] = &["available", PAUSED, "storage-full"];

/// The fields of a cluster as AWS has them.
pub fn read(cluster: &Cluster, site: &Site) -> RedshiftCluster {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let name = cluster.cluster_identifier().unwrap_or_default();
    let endpoint = cluster.endpoint();
    let port = endpoint.and_then(|one| one.port()).and_then(|port| u16::try_from(port).ok());
    let group = cluster.cluster_parameter_groups().first();
    let apply = group.and_then(|group| group.parameter_apply_status());
    let pending = cluster.pending_modified_values();
    let arn = site.arn("redshift", &site.region, &format!("cluster:{name}"));
    let role = |arn: &str| RoleArn::from(arn);
    RedshiftCluster {
        node_type: cluster.node_type().unwrap_or_default().to_owned(),
        number_of_nodes: cluster.number_of_nodes().unwrap_or(1),
        allow_classic_resize: None,
        database: text(cluster.db_name()).map(Into::into),
        username: cluster.master_username().unwrap_or_default().to_owned().into(),
        managed_password: cluster.master_password_secret_arn().is_some(),
        managed_password_kms_key: cluster.master_password_secret_kms_key_id().map(KmsKeyArn::from),
        password: None,
        port,
        subnet_group: text(cluster.cluster_subnet_group_name())
            .map(|name| crate::field::RedshiftSubnetGroupName(name).into()),
        security_groups: Some(
            cluster
                .vpc_security_groups()
                .iter()
                .filter(|group| group.status() != Some("removing"))
                .filter_map(|group| group.vpc_security_group_id())
                .map(SecurityGroupId::from)
                .collect(),
        ),
        parameter_group: group
            .and_then(|group| group.parameter_group_name())
            .map(RedshiftParameterGroupName::from),
        iam_roles: Some(
            cluster
                .iam_roles()
                .iter()
                .filter(|one| one.apply_status() != Some("removing"))
                .filter_map(|one| one.iam_role_arn().map(role))
                .collect(),
        ),
        default_iam_role: cluster.default_iam_role_arn().filter(|arn| !arn.is_empty()).map(role),
        publicly_accessible: cluster.publicly_accessible().unwrap_or_default(),
        enhanced_vpc_routing: Some(cluster.enhanced_vpc_routing().unwrap_or_default()),
        encrypted: Some(cluster.encrypted().unwrap_or_default()),
        kms_key: cluster.kms_key_id().map(KmsKeyArn::from),
        snapshot_retention_days: cluster.automated_snapshot_retention_period(),
        manual_snapshot_retention_days: cluster.manual_snapshot_retention_period(),
        maintenance_window: text(cluster.preferred_maintenance_window()),
        // A new track counts from the next maintenance window on, which nobody waits for.
        maintenance_track: text(
            pending
                .and_then(PendingModifiedValues::maintenance_track_name)
                .or(cluster.maintenance_track_name()),
        ),
        version_upgrade: Some(cluster.allow_version_upgrade().unwrap_or_default()),
        tags: redshift_tags::from_aws(cluster.tags()),
        host: text(endpoint.and_then(|endpoint| endpoint.address())).into(),
        endpoint_port: port.into(),
        connection: connection(cluster, &arn),
        master_secret_arn: text(cluster.master_password_secret_arn()).into(),
        arn: arn.into(),
        namespace_arn: text(cluster.cluster_namespace_arn()).into(),
        vpc: text(cluster.vpc_id()).into(),
        status: text(cluster.cluster_status()).into(),
        unsettled: unsettled(cluster).into(),
        reboot_pending: Derived::from(apply == Some("pending-reboot")),
    }
}

impl RedshiftCluster {
    /// On its way out, the last snapshot included.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.status.as_deref(), Some("deleting" | "final-snapshot"))
    }
}

/// How seeds get at it, once there is something to get at.
fn connection(cluster: &Cluster, arn: &str) -> Computed<Warehouse> {
    let connection = || {
        cluster.endpoint()?.address()?;
        let secret = cluster.master_password_secret_arn();
        let user = cluster.master_username().filter(|_| secret.is_none());
        Some(Warehouse {
            name: cluster.cluster_identifier()?.to_owned(),
            database: cluster.db_name().unwrap_or("dev").to_owned(),
            secret_arn: secret.map(str::to_owned),
            user: user.map(str::to_owned),
            arn: Some(arn.to_owned()),
        })
    };
    connection().into()
}

/// What must come to rest beside the status, in the service's words.
fn unsettled(cluster: &Cluster) -> Option<String> {
    let availability = cluster.cluster_availability_status();
    if let Some(word) = availability.filter(|word| *word != "Available") {
        return Some(word.to_lowercase());
    }
    if let Some(what) = cluster.pending_modified_values().and_then(changing) {
        return Some(format!("changing {what}"));
    }
    let mut roles = cluster.iam_roles().iter().filter_map(|role| role.apply_status());
    if let Some(status) = roles.find(|status| *status != "in-sync") {
        return Some(format!("role {status}"));
    }
    let mut groups = cluster.vpc_security_groups().iter().filter_map(|group| group.status());
    if let Some(status) = groups.find(|status| *status != "active") {
        return Some(format!("security group {status}"));
    }
    let mut groups = cluster.cluster_parameter_groups().iter();
    groups
        .any(|group| group.parameter_apply_status() == Some("applying"))
        .then(|| "parameter group applying".to_owned())
}

/// A change that AWS has accepted and makes now. A new version and a new track wait for the
/// maintenance window.
fn changing(pending: &PendingModifiedValues) -> Option<&'static str> {
    let changes = [
        (pending.master_user_password().is_some(), "password"),
        (pending.node_type().is_some(), "node_type"),
        (pending.number_of_nodes().is_some(), "number_of_nodes"),
        (pending.cluster_type().is_some(), "number_of_nodes"),
        (pending.automated_snapshot_retention_period().is_some(), "snapshot_retention_days"),
        (pending.publicly_accessible().is_some(), "publicly_accessible"),
        (pending.enhanced_vpc_routing().is_some(), "enhanced_vpc_routing"),
        (pending.encryption_type().is_some(), "encrypted"),
    ];
    changes.into_iter().find_map(|(is_pending, what)| is_pending.then_some(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, Phase};
    use aws_sdk_redshift::types::{ClusterParameterGroupStatus, Endpoint};

    fn site() -> Site {
        Site {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            stack: "s".into(),
        }
    }

    fn cluster() -> aws_sdk_redshift::types::builders::ClusterBuilder {
        Cluster::builder()
            .cluster_identifier("w")
            .node_type("ra3.large")
            .number_of_nodes(2)
            .master_username("admin")
            .cluster_status("available")
            .cluster_availability_status("Available")
            .endpoint(Endpoint::builder().address("w.example").port(5439).build())
    }

    #[test]
    fn both_statuses_must_be_well() {
        let phase = |cluster: Cluster| read(&cluster, &site()).phase();
        assert_eq!(phase(cluster().build()), Phase::Ready);
        let modifying = cluster().cluster_availability_status("Modifying").build();
        assert_eq!(phase(modifying), Phase::Pending("modifying".into()));
        let resizing = cluster().cluster_status("available, prep-for-resize").build();
        assert!(matches!(phase(resizing), Phase::Pending(_)));
        // It may not be replaced for that: the data is there.
        for status in ["paused", "storage-full"] {
            let unavailable = cluster().cluster_availability_status("Unavailable");
            assert_eq!(phase(unavailable.cluster_status(status).build()), Phase::Ready, "{status}");
        }
        let leaving = cluster().cluster_status("final-snapshot").build();
        assert_eq!(phase(leaving), Phase::Pending("deleting".into()));
    }

    #[test]
    fn a_track_may_wait_and_a_resize_may_not() {
        let later = PendingModifiedValues::builder().maintenance_track_name("trailing").build();
        let live = read(&cluster().pending_modified_values(later).build(), &site());
        assert_eq!(live.maintenance_track.as_deref(), Some("trailing"));
        assert_eq!(live.phase(), Phase::Ready);
        let now = PendingModifiedValues::builder().number_of_nodes(4).build();
        let live = read(&cluster().pending_modified_values(now).build(), &site());
        assert_eq!(live.phase(), Phase::Pending("changing number_of_nodes".into()));
    }

    #[test]
    fn seeds_take_the_secret_or_else_the_user() {
        let connection = |cluster: Cluster| read(&cluster, &site()).connection.0.expect("a way");
        let own = connection(cluster().build());
        assert_eq!((own.user.as_deref(), own.secret_arn), (Some("admin"), None));
        let managed = connection(cluster().master_password_secret_arn("arn:s").build());
        assert_eq!((managed.user, managed.secret_arn.as_deref()), (None, Some("arn:s")));
    }

    #[test]
    fn a_group_says_when_a_restart_is_due() {
        let group = ClusterParameterGroupStatus::builder().parameter_apply_status("pending-reboot");
        let live = read(&cluster().cluster_parameter_groups(group.build()).build(), &site());
        assert_eq!((live.phase(), *live.reboot_pending), (Phase::Ready, Some(true)));
    }
}
