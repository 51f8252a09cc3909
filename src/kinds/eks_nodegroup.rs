//! Machines that run the pods of an EKS cluster.

mod calls;
mod live;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::eks::{minor, split};
use crate::aws::retired::retired;
use crate::aws::{Aws, Error, absent, eks, gone_is_fine};
use crate::field::{
    Computed, EksClusterName, Immutable, KeyPairName, RoleArn, SecurityGroupId, SubnetId, Tags,
    leave_out,
};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted};
use crate::reference::is_marked;
use words::{AmiType, CapacityType, TaintEffect};

/// Machines that run the pods of a cluster, all of one sort, which EKS makes and replaces by
/// itself. The name is unique within the cluster.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksNodegroup {
    /// The cluster, by key or name.
    pub cluster: Immutable<EksClusterName>,
    /// The role of the machines: `service: ec2` and the managed policies
    /// `AmazonEKSWorkerNodePolicy`, `AmazonEKS_CNI_Policy` and
    /// `AmazonEC2ContainerRegistryReadOnly`.
    pub role: Immutable<RoleArn>,
    /// Subnets that the machines stand in. They must reach the cluster and the image registries.
    pub subnets: Immutable<BTreeSet<SubnetId>>,
    /// Types of machine, the preferred one first; several make interruptions of spot machines
    /// rarer. `t3.medium` when left out.
    pub instance_types: Option<Immutable<Vec<String>>>,
    /// How the machines are paid: `ON_DEMAND` (when left out), `SPOT`, which AWS may take away at
    /// two minutes' notice for about a third of the price, or `CAPACITY_BLOCK`.
    pub capacity_type: Option<Immutable<CapacityType>>,
    /// The machines' system; Amazon Linux 2023 for the processor of the types when left out.
    pub ami_type: Option<Immutable<AmiType>>,
    /// Disk of each machine in GiB; 20 when left out.
    #[schemars(range(min = 1, max = 16384))]
    pub disk_size_gib: Option<Immutable<u32>>,
    /// Who may log in to the machines by SSH; nobody when left out.
    pub remote_access: Option<Immutable<RemoteAccess>>,
    /// How many machines there are.
    pub scaling: Scaling,
    /// Labels of the Kubernetes nodes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What keeps pods off the nodes that don't tolerate it.
    #[serde(default)]
    pub taints: BTreeSet<Taint>,
    /// How many machines may be missing while EKS replaces them; one when left out.
    pub update_config: Option<UpdateConfig>,
    /// Kubernetes version, such as `"1.35"`; the cluster's in a new group when left out. Never above
    /// the cluster's and never down; a change replaces the machines one after another.
    #[schemars(regex(pattern = r"^1\.[0-9]{2}$"))]
    pub version: Option<String>,
    /// Release of the machines' image, such as `1.35.0-20260923`; the latest when the version
    /// changes and this is left out.
    pub release_version: Option<String>,
    /// Tags, merged over the stack's own. The machines don't get them.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:eks:region:account:nodegroup/cluster/name/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Name of the Auto Scaling group behind it.
    #[serde(default)]
    pub autoscaling_group: Computed<String>,
    /// What EKS has to complain about.
    #[serde(default)]
    pub issues: Computed<Vec<String>>,
    /// As EKS says it: `ACTIVE`, `UPDATING`, …
    #[serde(default)]
    pub status: Computed<String>,
}

/// How many machines there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// The fewest; an autoscaler doesn't go below.
    pub min_size: u32,
    /// The most; an autoscaler doesn't go above.
    #[schemars(range(min = 1))]
    pub max_size: u32,
    /// How many now. Leave it out where an autoscaler decides; a new group then begins with the
    /// fewest.
    pub desired_size: Option<u32>,
}

/// A mark on nodes that keeps pods off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// What pods have to tolerate.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// Its value; empty when left out.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub value: String,
    /// What becomes of pods that don't tolerate it.
    pub effect: TaintEffect,
}

/// How many machines may be missing during an update: a number or a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct UpdateConfig {
    /// So many machines.
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: Option<u32>,
    /// So many machines in a hundred.
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable_percent: Option<u32>,
}

/// Who may log in to the machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteAccess {
    /// The key pair, by key or name.
    pub key_pair: KeyPairName,
    /// From machines of these security groups only; without any, from all of the internet.
    #[serde(default)]
    pub security_groups: BTreeSet<SecurityGroupId>,
}

impl Kind for EksNodegroup {
    const EXAMPLE: &'static str = "
workers:
  kind: eks_nodegroup
  cluster: lake
  role: lake-nodes
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  instance_types: [m5.large, m5a.large]
  capacity_type: SPOT
  disk_size_gib: 50
  scaling: { min_size: 1, max_size: 4, desired_size: 2 }
  labels: { workload: spark }
  taints: [{ key: spark, value: only, effect: PREFER_NO_SCHEDULE }]
  update_config: { max_unavailable: 1 }
  tags: { Projeto: Lake }

lake:
  kind: eks_cluster
  role: lake-control-plane
  version: \"1.34\"
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  public_access_cidrs: [203.0.113.7/32]
  support_type: STANDARD

lake-control-plane:
  kind: iam_role
  service: eks
  managed_policies: [AmazonEKSClusterPolicy]

lake-nodes:
  kind: iam_role
  service: ec2
  managed_policies: [AmazonEKSWorkerNodePolicy, AmazonEKS_CNI_Policy, AmazonEC2ContainerRegistryReadOnly]
";
    const NAME: &'static str = "^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$";
    const ACCESS: Access = Access {
        read: &[
            eks::WITHIN[0],
            eks::WITHIN[1],
            Grant::of(
                &["eks:DescribeNodegroup"],
                &["eks:{region}:{account}:nodegroup/{within}/{name}/*"],
            ),
        ],
        write: &[
            Grant::of(&["eks:CreateNodegroup"], &["eks:{region}:{account}:cluster/{within}"]),
            Grant::of(
                &[
                    "eks:TagResource",
                    "eks:UntagResource",
                    "eks:UpdateNodegroupConfig",
                    "eks:UpdateNodegroupVersion",
                ],
                &["eks:{region}:{account}:nodegroup/{within}/{name}/*"],
            ),
            Grant::of(
                eks::LOOKS_AT_UPDATES,
                &[
                    "eks:{region}:{account}:cluster/{within}",
                    "eks:{region}:{account}:nodegroup/{within}/{name}/*",
                ],
            ),
            Grant::passing(
                &["iam::{account}:role/{role}"],
                &["ec2.amazonaws.com", "eks.amazonaws.com"],
            ),
            Grant::of(
                &["iam:GetRole", "iam:ListAttachedRolePolicies"],
                &["iam::{account}:role/{role}"],
            ),
            Grant::linking(&["eks-nodegroup.amazonaws.com"]),
            Grant::of(
                &[
                    "ec2:DescribeKeyPairs",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ANY,
            ),
        ],
        delete: &[Grant::of(
            &["eks:DeleteNodegroup"],
            &["eks:{region}:{account}:nodegroup/{within}/{name}/*"],
        )],
        ..Access::NONE
    };
    const WITHIN: Option<&'static str> = Some("cluster");
    const TAKES: Takes = Takes::seconds(150, 240);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let found = wanted.iter().map(|one| async move {
            let (cluster, name) = split(&one.name);
            let call = aws.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
            let group = absent(call.send().await)?.and_then(|reply| reply.nodegroup);
            let found = group.map(|group| live::fields(&group));
            Ok::<_, Error>(found.map(|fields| Found { name: one.name.clone(), fields }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        eks::owned(aws, "nodegroup").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::all_clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let pages = aws.eks.list_nodegroups().cluster_name(cluster).into_paginator();
            let names: Result<Vec<String>, _> = pages.items().send().collect().await;
            let names = absent(names)?.unwrap_or_default().into_iter();
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        calls::create(self, cx).await
    }

    /// One call at a time: EKS is busy with each for a while.
    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        eks::update_tags(cx.aws, live.arn.as_ref(), &self.tags, &live.tags).await?;
        calls::update_next(self, live, cx).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let (cluster, name) = split(cx.name);
        let call = cx.eks.delete_nodegroup().cluster_name(cluster).nodegroup_name(name);
        gone_is_fine(call.send().await)
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.release_version = None;
        self.version = None;
        leave_out(&mut self.capacity_type, Immutable(CapacityType::OnDemand));
    }

    /// A group with complaints is usable, or will be: it isn't thrown away for them.
    fn phase(&self) -> Phase {
        let issues = self.issues.as_deref().unwrap_or_default();
        eks::phase(self.status.as_deref().unwrap_or_default(), issues)
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let Scaling { min_size, max_size, desired_size } = self.scaling;
        if min_size > max_size {
            let message = format!("min_size {min_size} is more than max_size {max_size}");
            wrong.push(("scaling.min_size".to_owned(), message));
        } else if desired_size.is_some_and(|size| !(min_size..=max_size).contains(&size)) {
            let message = format!("desired_size isn't between {min_size} and {max_size}");
            wrong.push(("scaling.desired_size".to_owned(), message));
        }
        if let Some(UpdateConfig { max_unavailable, max_unavailable_percent }) = &self.update_config
            && max_unavailable.is_some() == max_unavailable_percent.is_some()
        {
            let message = "write one of `max_unavailable` and `max_unavailable_percent`";
            wrong.push(("update_config".to_owned(), message.to_owned()));
        }
        let version = self.version.as_ref().filter(|version| !is_marked(version));
        let old = version.and_then(|version| retired("eks_cluster.version", version));
        wrong.extend(old.map(|why| ("version".to_owned(), why)));
        wrong
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        let old = live.and_then(|live| live.version.as_ref());
        match (old, &self.version) {
            (Some(old), Some(new)) if old != new => vec![format!(
                "replace the machines of {old} with machines of {new}; their pods move"
            )],
            _ => Vec::new(),
        }
    }

    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        let (new, old) = (self.version.as_ref()?, live.version.as_ref()?);
        (minor(new) < minor(old)).then(|| {
            format!(
                "EKS never takes a node group back from {old} to {new}: make one of another key"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn group(more: Value) -> EksNodegroup {
        let mut fields = json!({
            "cluster": "lake", "role": "r", "subnets": ["subnet-1"],
            "scaling": { "min_size": 1, "max_size": 3 },
        });
        if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        EksNodegroup::deserialize(fields).unwrap()
    }

    fn problems(more: Value) -> Vec<String> {
        group(more).check(Path::new("")).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn sizes_have_to_fit() {
        assert!(problems(json!({})).is_empty());
        let sizes = |min: u32, max: u32, desired: u32| json!({ "scaling": { "min_size": min, "max_size": max, "desired_size": desired } });
        assert_eq!(problems(sizes(3, 2, 2)), ["scaling.min_size"]);
        assert_eq!(problems(sizes(1, 2, 3)), ["scaling.desired_size"]);
        assert_eq!(problems(json!({ "update_config": {} })), ["update_config"]);
        assert_eq!(problems(json!({ "version": "1.21" })), ["version"]);
    }
}
