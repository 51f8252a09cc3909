//! A Kubernetes cluster: EKS's control plane.

mod calls;
mod leftovers;
mod live;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::eks::minor;
use crate::aws::retired::retired;
use crate::aws::{Aws, Class, Error, absent, eks, gone_is_fine};
use crate::cidr;
use crate::field::{
    Computed, Immutable, KmsKeyArn, RoleArn, SecurityGroupId, SubnetId, Tags, WriteOnly,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Phase, Site, Takes, Wanted, When,
};
use crate::reference::is_marked;
use words::{AuthenticationMode, IpFamily, LogType, SupportType};

/// A Kubernetes cluster: the control plane, which costs $0.10 an hour. What runs the pods is an
/// `eks_nodegroup`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksCluster {
    /// The role that the control plane works with: `service: eks` and the managed policy
    /// `AmazonEKSClusterPolicy`.
    pub role: Immutable<RoleArn>,
    /// Kubernetes version, such as `"1.35"`; AWS's default for a new cluster when left out. EKS
    /// goes up one minor version at a time, and never down; lagoa walks through those between.
    #[schemars(regex(pattern = r"^1\.[0-9]{2}$"))]
    pub version: Option<String>,
    /// Subnets of one VPC, in at least two availability zones, that the control plane reaches the
    /// nodes through. A change stays in that VPC and those zones.
    #[schemars(length(min = 2))]
    pub subnets: BTreeSet<SubnetId>,
    /// Security groups of the control plane's interfaces, beside the one that EKS makes.
    #[serde(default)]
    pub security_groups: BTreeSet<SecurityGroupId>,
    /// Whether the Kubernetes API can be reached from the internet. Default true.
    #[serde(default = "yes")]
    pub endpoint_public_access: bool,
    /// Whether the VPC reaches the Kubernetes API without leaving it. Default true: nodes in
    /// private subnets then need no way out to join.
    #[serde(default = "yes")]
    pub endpoint_private_access: bool,
    /// Networks that may reach the public endpoint, such as `203.0.113.7/32`; all of the internet
    /// in a new cluster when left out.
    #[schemars(length(min = 1))]
    pub public_access_cidrs: Option<BTreeSet<String>>,
    /// Logs that go to the log group `/aws/eks/NAME/cluster`, which stays when the cluster goes.
    /// None unless the stack says so.
    #[serde(default)]
    pub logging: BTreeSet<LogType>,
    /// The KMS key that Kubernetes secrets are encrypted with. It can be added to a cluster, but
    /// neither changed nor taken away: another key replaces the cluster.
    pub encryption_key: Option<KmsKeyArn>,
    /// Who decides who may enter: access entries (`API`, in a new cluster when left out), the old
    /// config map, or both. It only goes from the config map towards `API`.
    pub authentication_mode: Option<AuthenticationMode>,
    /// What happens at the end of standard support, 14 months after a version's release: an upgrade
    /// by AWS (`STANDARD`), or another year at six times the price (`EXTENDED`, in a new cluster
    /// when left out).
    pub support_type: Option<SupportType>,
    /// Whether EKS refuses to delete the cluster. Default false.
    #[serde(default)]
    pub deletion_protection: bool,
    /// Network of Kubernetes services, /24 to /12 and private, apart from the VPC's.
    pub service_ipv4_cidr: Option<Immutable<String>>,
    /// Addresses of pods and services: `ipv4` in a new cluster when left out.
    pub ip_family: Option<Immutable<IpFamily>>,
    /// Whether traffic may be shifted away from a zone that fails. Default false.
    #[serde(default)]
    pub zonal_shift: bool,
    /// Whether whoever makes the cluster becomes its administrator, without an access entry in the
    /// stack. Said once, at creation; AWS's default is true.
    pub bootstrap_creator_admin_permissions: Option<WriteOnly<bool>>,
    /// Whether EKS installs CoreDNS, kube-proxy and the VPC CNI by itself, unmanaged. Said once, at
    /// creation; AWS's default is true.
    pub bootstrap_self_managed_addons: Option<WriteOnly<bool>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:eks:region:account:cluster/name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Address of the Kubernetes API.
    #[serde(default)]
    pub endpoint: Computed<String>,
    /// The authority that the Kubernetes API proves itself with, in PEM, base64.
    #[serde(default)]
    pub certificate_authority: Computed<String>,
    /// URL of the cluster's OpenID Connect issuer, for an `iam_oidc_provider`.
    #[serde(default)]
    pub oidc_issuer: Computed<String>,
    /// Id of the security group that EKS makes for the control plane and the nodes.
    #[serde(default)]
    pub cluster_security_group: Computed<String>,
    /// Id of the VPC that the subnets belong to.
    #[serde(default)]
    pub vpc: Computed<String>,
    /// EKS's own revision within the Kubernetes version: `eks.12`.
    #[serde(default)]
    pub platform_version: Computed<String>,
    /// As EKS says it: `ACTIVE`, `UPDATING`, …
    #[serde(default)]
    pub status: Computed<String>,
}

fn yes() -> bool {
    true
}

/// A plan looks for access entries and pod identities of ours in it.
const SWEEP: [Grant; 2] = eks::sweeping(
    &["eks:{region}:{account}:cluster/{name}"],
    &[
        "eks:{region}:{account}:access-entry/{name}/*",
        "eks:{region}:{account}:podidentityassociation/{name}/*",
    ],
);

impl Kind for EksCluster {
    const EXAMPLE: &'static str = "
lake:
  kind: eks_cluster
  role: lake-control-plane
  version: \"1.34\"
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  public_access_cidrs: [203.0.113.7/32]
  logging: [audit, authenticator]
  authentication_mode: API
  support_type: STANDARD
  bootstrap_creator_admin_permissions: true
  tags: { Projeto: Lake }
  on_destroy: delete

lake-control-plane:
  kind: iam_role
  service: eks
  managed_policies: [AmazonEKSClusterPolicy]
";
    const NAME: &'static str = "^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            SWEEP[0],
            SWEEP[1],
            Grant::of(&["eks:DescribeCluster"], &["eks:{region}:{account}:cluster/{name}"]),
        ],
        write: &[
            Grant::of(&["eks:CreateCluster"], ANY).when(When::Marked),
            Grant::of(
                &[
                    "eks:AssociateEncryptionConfig",
                    "eks:TagResource",
                    "eks:UntagResource",
                    "eks:UpdateClusterConfig",
                    "eks:UpdateClusterVersion",
                ],
                &["eks:{region}:{account}:cluster/{name}"],
            ),
            Grant::of(eks::LOOKS_AT_UPDATES, &["eks:{region}:{account}:cluster/{name}"]),
            Grant::passing(&["iam::{account}:role/{role}"], &["eks.amazonaws.com"]),
            Grant::of(
                &["iam:GetRole", "iam:ListAttachedRolePolicies"],
                &["iam::{account}:role/{role}"],
            ),
            Grant::linking(&["eks.amazonaws.com"]),
            Grant::of(
                &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
                ANY,
            ),
            Grant::of(&["kms:CreateGrant", "kms:DescribeKey"], &["kms:{region}:{account}:key/*"])
                .given("encryption_key"),
        ],
        delete: &[
            Grant::of(
                &[
                    "eks:DeleteCluster",
                    "eks:ListFargateProfiles",
                    "eks:ListNodegroups",
                    "eks:UpdateClusterConfig",
                ],
                &["eks:{region}:{account}:cluster/{name}"],
            ),
            Grant::of(&["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups"], ANY),
        ],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("workloads");
    const TAKES: Takes = Takes::seconds(600, 300);
    const ON_DESTROY: &'static [OnDestroy] = &[OnDestroy::Delete, OnDestroy::Retain];

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let found = wanted.iter().map(|one| async move {
            let reply = aws.eks.describe_cluster().name(&one.name).send().await;
            let cluster = absent(reply)?.and_then(|reply| reply.cluster);
            let found = cluster.map(|cluster| live::fields(&cluster));
            Ok::<_, Error>(found.map(|fields| Found { name: one.name.clone(), fields }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("eks", "cluster/").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        eks::all_clusters(aws).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        calls::create(self, cx).await
    }

    /// One change for each call, and one call at a time: EKS is busy with it for minutes, and the
    /// next difference has its turn when the cluster is ready again.
    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        eks::update_tags(cx.aws, live.arn.as_ref(), &self.tags, &live.tags).await?;
        calls::update_next(self, live, cx).await
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if farewell.unprotect && self.deletion_protection {
            let call = cx.eks.update_cluster_config().name(cx.name);
            eks::already_is_fine(call.deletion_protection(false).send().await)?;
        }
        match gone_is_fine(cx.eks.delete_cluster().name(cx.name).send().await) {
            Err(error) if error.class == Class::Dependency => {
                Err(leftovers::explain(error, cx).await)
            }
            answer => answer,
        }
    }

    fn phase(&self) -> Phase {
        match self.status.as_deref().unwrap_or_default() {
            status @ "FAILED" => Phase::Failed(status.to_owned()),
            status @ ("PENDING" | "CREATING" | "UPDATING" | "DELETING") => {
                Phase::Pending(status.to_lowercase())
            }
            _ => Phase::Ready,
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("eks", &site.region, &format!("cluster/{name}")).into();
        let canonical = |cidr: String| cidr::canonical(&cidr).unwrap_or(cidr);
        let cidrs = self.public_access_cidrs.take();
        self.public_access_cidrs = cidrs.map(|all| all.into_iter().map(canonical).collect());
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        let (new, old) = (self.encryption_key.as_ref()?, live.encryption_key.as_ref()?);
        (new != old).then(|| "EKS can't change the key that encrypts a cluster's secrets".into())
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let version = self.version.as_ref().filter(|version| !is_marked(version));
        let old = version.and_then(|version| retired("eks_cluster.version", version));
        wrong.extend(old.map(|why| ("version".to_owned(), why)));
        if self.subnets.len() < 2 {
            let message = "EKS wants at least two subnets, in two availability zones";
            wrong.push(("subnets".to_owned(), message.to_owned()));
        }
        if !self.endpoint_public_access && !self.endpoint_private_access {
            let message = "nobody could reach the cluster: leave one of `endpoint_public_access` \
                           and `endpoint_private_access` true";
            wrong.push(("endpoint_private_access".to_owned(), message.to_owned()));
        }
        if !self.endpoint_public_access && self.public_access_cidrs.is_some() {
            let message = "nobody reaches an endpoint that isn't public: leave this out, or write \
                           `endpoint_public_access: true`";
            wrong.push(("public_access_cidrs".to_owned(), message.to_owned()));
        }
        let cidrs = self.public_access_cidrs.iter().flatten().filter(|cidr| !is_marked(cidr));
        let odd = cidrs.filter_map(|cidr| cidr::canonical(cidr).err());
        wrong.extend(odd.map(|why| ("public_access_cidrs".to_owned(), why)));
        wrong
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        let Some(live) = live else { return Vec::new() };
        let steps = self.versions_after(live);
        let (Some((last, between)), Some(old)) = (steps.split_last(), &live.version) else {
            return Vec::new();
        };
        let way = match between {
            [] => String::new(),
            between => format!(" by way of {}", between.join(", ")),
        };
        vec![
            format!("upgrade from {old} to {last}{way}, some ten minutes each; it can't be undone"),
            "node groups stay as they are until their own `version` says otherwise".to_owned(),
        ]
    }

    /// What EKS would refuse, and what replacing a cluster is too much for.
    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        if let (Some(new), Some(old)) = (&self.version, &live.version)
            && minor(new) < minor(old)
        {
            return Some(format!(
                "EKS never takes a cluster back from {old} to {new}: only a new cluster can have it"
            ));
        }
        if let [_, _, third, _, ..] = self.versions_after(live).as_slice() {
            return Some(format!(
                "nodes may be three minor versions behind their cluster, and no more: go to {third} \
                 with the node groups first, and on from there"
            ));
        }
        match (self.authentication_mode, live.authentication_mode) {
            (Some(new), Some(old)) if new < old => Some(format!(
                "EKS never takes the authentication mode back from {} to {}",
                eks::spelled(&old),
                eks::spelled(&new)
            )),
            _ => None,
        }
    }

    fn protected(&self) -> Option<String> {
        self.deletion_protection.then(|| "EKS protects it from being deleted".to_owned())
    }

    async fn data(&self, cx: &Cx<'_>) -> Result<Option<String>, Error> {
        leftovers::loss(self, cx).await.map(Some)
    }
}

impl EksCluster {
    /// The versions that an upgrade goes through, the wanted one last.
    fn versions_after(&self, live: &Self) -> Vec<String> {
        let number = |version: &Option<String>| version.as_deref().and_then(minor);
        match (number(&live.version), number(&self.version)) {
            (Some(old), Some(new)) => (old + 1..=new).map(|minor| format!("1.{minor}")).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(version: &str, mode: &str) -> EksCluster {
        EksCluster::deserialize(json!({
            "role": "arn:aws:iam::1:role/r", "subnets": ["subnet-1", "subnet-2"],
            "version": version, "authentication_mode": mode,
        }))
        .unwrap()
    }

    #[test]
    fn an_upgrade_goes_through_every_minor_version() {
        let (old, new) = (cluster("1.31", "API"), cluster("1.34", "API"));
        assert_eq!(new.versions_after(&old), ["1.32", "1.33", "1.34"]);
        assert_eq!(new.undecided(&old, Path::new("")), None);
        assert!(new.summary(Some(&old), Path::new(""))[0].contains("by way of 1.32, 1.33,"));
        assert!(
            cluster("1.35", "API")
                .undecided(&old, Path::new(""))
                .is_some_and(|why| why.contains("go to 1.34"))
        );
        assert!(old.versions_after(&new).is_empty());
        assert!(old.undecided(&new, Path::new("")).is_some_and(|why| why.contains("1.34 to 1.31")));
    }

    #[test]
    fn the_way_to_access_entries_is_one_way() {
        let (old, new) = (cluster("1.34", "CONFIG_MAP"), cluster("1.34", "API"));
        assert_eq!(new.undecided(&old, Path::new("")), None);
        assert!(old.undecided(&new, Path::new("")).is_some());
    }

    #[test]
    fn networks_are_for_a_public_endpoint_and_in_one_spelling() {
        let mut cluster = cluster("1.34", "API");
        cluster.public_access_cidrs = Some(BTreeSet::from(["203.0.113.7/24".to_owned()]));
        assert!(cluster.check(Path::new("")).is_empty());
        let text = str::to_owned;
        let site = Site {
            partition: text("aws"),
            account: text("1"),
            region: text("r"),
            stack: text("s"),
        };
        cluster.predict("lake", &site, Path::new(""));
        assert!(cluster.public_access_cidrs.iter().flatten().eq(["203.0.113.0/24"]));
        cluster.endpoint_public_access = false;
        assert_eq!(cluster.check(Path::new(""))[0].0, "public_access_cidrs");
    }

    #[test]
    fn a_retired_version_is_refused() {
        let wrong = cluster("1.21", "API").check(Path::new(""));
        assert_eq!(wrong[0].0, "version");
        assert!(cluster("1.35", "API").check(Path::new("")).is_empty());
    }
}
