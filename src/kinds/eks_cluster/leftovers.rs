//! What goes with a cluster, what stays behind, and what keeps it from going.

use std::collections::BTreeSet;

use super::EksCluster;
use crate::aws::Error;
use crate::aws::ec2::{Filter, NetworkInterface, SecurityGroup};
use crate::kind::Cx;

/// How many things of a sort are named.
const NAMED: usize = 5;

/// Adds to EKS's refusal what is still attached.
pub async fn explain(error: Error, cx: &Cx<'_>) -> Error {
    // Looking for the reason needs permissions of its own.
    let groups = cx.eks.list_nodegroups().cluster_name(cx.name).send().await;
    let profiles = cx.eks.list_fargate_profiles().cluster_name(cx.name).send().await;
    let groups = groups.map(|reply| reply.nodegroups().to_vec()).unwrap_or_default();
    let profiles = profiles.map(|reply| reply.fargate_profile_names().to_vec()).unwrap_or_default();
    let groups = groups.iter().map(|name| format!("node group {name}"));
    let all: Vec<_> =
        groups.chain(profiles.iter().map(|name| format!("Fargate profile {name}"))).collect();
    if all.is_empty() { error } else { error.hint(format!("still there: {}", named(&all))) }
}

/// What deleting the cluster loses, and what Kubernetes made in the VPC that nobody deletes.
pub async fn loss(cluster: &EksCluster, cx: &Cx<'_>) -> Result<String, Error> {
    let mut stays = vec!["volumes".to_owned()];
    stays.extend(log_group(cluster, cx.name));
    stays.extend(left_in_vpc(cluster, cx).await);
    Ok(format!("what runs in it (these stay: {})", stays.join(", ")))
}

fn log_group(cluster: &EksCluster, name: &str) -> Option<String> {
    (!cluster.logging.is_empty()).then(|| format!("the log group /aws/eks/{name}/cluster"))
}

/// A hint only, so that whoever may not look into EC2 can still destroy.
async fn left_in_vpc(cluster: &EksCluster, cx: &Cx<'_>) -> Option<String> {
    let vpc = cluster.vpc.as_deref()?;
    let in_vpc = [Filter::new("vpc-id", [vpc])];
    let interfaces = cx.ec2.describe_network_interfaces(&in_vpc).await.unwrap_or_default();
    // Kubernetes itself marks its groups in one way, the load balancer controller in another.
    let by_kubernetes = Filter::new(format!("tag:kubernetes.io/cluster/{}", cx.name), ["owned"]);
    let by_controller = Filter::new("tag:elbv2.k8s.aws/cluster", [cx.name]);
    let mut groups = Vec::new();
    for mark in [by_kubernetes, by_controller] {
        let marked = [Filter::new("vpc-id", [vpc]), mark];
        groups.extend(cx.ec2.describe_security_groups(&marked).await.unwrap_or_default());
    }
    let own = cluster.cluster_security_group.as_deref();
    let all = left(&interfaces, &groups, own);
    (!all.is_empty()).then(|| format!("{} in {vpc}", named(&all)))
}

fn left(
    interfaces: &[NetworkInterface],
    groups: &[SecurityGroup],
    own: Option<&str>,
) -> Vec<String> {
    let groups = groups.iter().filter(|group| Some(group.group_id.as_str()) != own);
    let groups =
        groups.map(|group| format!("security group {} ({})", group.group_name, group.group_id));
    // A load balancer has an interface in each zone.
    let mut seen = BTreeSet::new();
    let all = interfaces.iter().filter_map(interface).chain(groups);
    all.filter(|one| seen.insert(one.clone())).collect()
}

/// Interfaces tell of load balancers by their description: `ELB net/k8s-lake-…/…`, and `ELB a1b2…`
/// for the classic ones that Kubernetes names by 32 hexadecimal digits.
fn interface(interface: &NetworkInterface) -> Option<String> {
    let described = interface.description.as_deref()?;
    if let Some(name) = described.strip_prefix("ELB ") {
        let made = name.split('/').any(|part| part.starts_with("k8s-"))
            || (name.len() == 32 && name.chars().all(|c| c.is_ascii_alphanumeric()));
        return made.then(|| format!("load balancer {name}"));
    }
    let id = &interface.network_interface_id;
    described.starts_with("aws-K8S-").then(|| format!("network interface {id} ({described})"))
}

fn named(all: &[String]) -> String {
    let more = all.len().saturating_sub(NAMED);
    let first = all[..all.len().min(NAMED)].join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, description: &str) -> NetworkInterface {
        NetworkInterface {
            network_interface_id: id.to_owned(),
            description: Some(description.to_owned()),
            interface_type: None,
            status: None,
            subnet_id: None,
            vpc_id: None,
            requester_id: None,
            requester_managed: false,
            attachment: None,
            association: None,
        }
    }

    fn described(description: &str) -> Option<String> {
        interface(&one("eni-1", description))
    }

    fn group(id: &str) -> SecurityGroup {
        SecurityGroup {
            group_id: id.to_owned(),
            group_name: "k8s-web".to_owned(),
            description: String::new(),
            owner_id: None,
            vpc_id: None,
            tags: Default::default(),
        }
    }

    #[test]
    fn each_is_named_once_and_the_clusters_own_group_not_at_all() {
        let balancer = "ELB net/k8s-web-1/ab";
        let interfaces =
            [one("eni-1", balancer), one("eni-2", "aws-K8S-i-1"), one("eni-3", balancer)];
        let groups = [group("sg-1"), group("sg-own"), group("sg-1")];
        assert_eq!(
            left(&interfaces, &groups, Some("sg-own")),
            [
                "load balancer net/k8s-web-1/ab",
                "network interface eni-2 (aws-K8S-i-1)",
                "security group k8s-web (sg-1)",
            ]
        );
    }

    #[test]
    fn what_kubernetes_left_is_told_from_the_rest() {
        assert_eq!(
            described("ELB net/k8s-web-1/ab").as_deref(),
            Some("load balancer net/k8s-web-1/ab")
        );
        assert!(described("aws-K8S-i-0abc").is_some_and(|words| words.contains("eni-1")));
        for other in ["RDSNetworkInterface", "ELB app/shop/ab", "Amazon EKS lake"] {
            assert_eq!(described(other), None, "{other}");
        }
    }
}
