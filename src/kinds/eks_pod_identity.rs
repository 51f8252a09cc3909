//! The role that pods of an EKS cluster work with.

use std::collections::BTreeSet;

use aws_sdk_eks::types::{PodIdentityAssociation, PodIdentityAssociationSummary};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::eks::{marked_name, split};
use crate::aws::{Aws, Error, absent, eks, gone_is_fine};
use crate::field::{Computed, Differs, EksClusterName, Immutable, RoleArn, Tags};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Neighbours, Site, Takes, Wanted};

/// The role that pods of a service account work with, without keys in the cluster. A service account
/// has one role; the key names the association in the stack only. The cluster needs the add-on
/// `eks-pod-identity-agent`, and pods that run already have to be started again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksPodIdentity {
    /// The cluster, by key or name.
    pub cluster: Immutable<EksClusterName>,
    /// Kubernetes namespace of the service account; it needn't exist yet.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub namespace: Immutable<String>,
    /// The Kubernetes service account; it needn't exist yet.
    #[schemars(length(min = 1, max = 253))]
    pub service_account: Immutable<String>,
    /// The role; its trust is `service: pods.eks.amazonaws.com`.
    pub role: RoleArn,
    /// A role, usually of another account, that the first role goes on to.
    pub target_role: Option<RoleArn>,
    /// Whether sessions go without the tags that tell cluster, namespace and service account.
    /// Default false.
    #[serde(default)]
    pub disable_session_tags: bool,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `a-…`, made by EKS.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:eks:region:account:podidentityassociation/cluster/a-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// What the target role's trust has to ask for.
    #[serde(default)]
    pub external_id: Computed<String>,
}

/// Add-ons that give pods no role.
const OTHER_ADDONS: &[&str] = &["aws-ebs-csi-driver", "coredns", "kube-proxy", "vpc-cni"];

impl Kind for EksPodIdentity {
    const EXAMPLE: &'static str = "
spark-in-lake:
  kind: eks_pod_identity
  cluster: lake
  namespace: processing
  service_account: spark
  role: spark-pods
  tags: { Projeto: Lake }

spark-pods:
  kind: iam_role
  service: pods.eks.amazonaws.com
  managed_policies: [AmazonS3ReadOnlyAccess]

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

eks-pod-identity-agent:
  kind: eks_addon
  cluster: lake
";
    const NAME: &'static str = "^[0-9A-Za-z][A-Za-z0-9_.-]{0,127}$";
    const ACCESS: Access = Access {
        read: &[
            eks::WITHIN[0],
            eks::WITHIN[1],
            Grant::of(
                &["eks:ListPodIdentityAssociations"],
                &["eks:{region}:{account}:cluster/{within}"],
            ),
            Grant::of(
                &["eks:DescribePodIdentityAssociation"],
                &["eks:{region}:{account}:podidentityassociation/{within}/*"],
            ),
        ],
        write: &[
            Grant::of(
                &["eks:CreatePodIdentityAssociation"],
                &["eks:{region}:{account}:cluster/{within}"],
            ),
            Grant::of(
                &["eks:TagResource", "eks:UntagResource", "eks:UpdatePodIdentityAssociation"],
                &["eks:{region}:{account}:podidentityassociation/{within}/*"],
            ),
            Grant::passing(
                &["iam::{account}:role/{role}", "iam::{account}:role/{target_role}"],
                &["pods.eks.amazonaws.com"],
            ),
            Grant::of(&["iam:GetRole"], &["iam::{account}:role/{role}"]),
        ],
        delete: &[Grant::of(
            &["eks:DeletePodIdentityAssociation"],
            &["eks:{region}:{account}:podidentityassociation/{within}/*"],
        )],
        ..Access::NONE
    };
    const WITHIN: Option<&'static str> = Some("cluster");
    const TAKES: Takes = Takes::MOMENT;

    /// By its service account; by our mark where that isn't known, or isn't the same any more.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let clusters: BTreeSet<&str> = wanted.iter().map(|one| split(&one.name).0).collect();
        let lists = clusters.iter().map(|cluster| list(aws, cluster));
        let all: Vec<_> = try_join_all(lists).await?.into_iter().flatten().collect();
        let found = wanted.iter().map(|one| find(aws, one, &all));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let all = list(aws, cluster).await?;
            let all = try_join_all(all.iter().map(|one| describe(aws, one))).await?;
            let names = all.iter().flatten().filter_map(|one| named(one, aws));
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::all_clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let all = list(aws, cluster).await?;
            let all = try_join_all(all.iter().map(|one| describe(aws, one))).await?;
            let names = all.iter().flatten().map(name_for_import);
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        cx.eks
            .create_pod_identity_association()
            .cluster_name(split(cx.name).0)
            .namespace(&*self.namespace)
            .service_account(&*self.service_account)
            .role_arn(&*self.role)
            .set_target_role_arn(self.target_role.as_ref().map(|role| role.0.clone()))
            .disable_session_tags(self.disable_session_tags)
            .set_tags(Some(eks::to_aws(&self.tags)))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        eks::update_tags(cx.aws, live.arn.as_ref(), &self.tags, &live.tags).await?;
        if self.role == live.role
            && !self.target_role.differs(&live.target_role)
            && self.disable_session_tags == live.disable_session_tags
        {
            return Ok(());
        }
        let call = cx.eks.update_pod_identity_association().cluster_name(split(cx.name).0);
        // What the call doesn't say might be put back, so it says everything that stays.
        let target = self.target_role.as_ref().or(live.target_role.as_ref());
        let target = target.map(|role| role.0.clone());
        call.association_id(live.known_id()?)
            .role_arn(&*self.role)
            .set_target_role_arn(target)
            .disable_session_tags(self.disable_session_tags)
            .send()
            .await?;
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.eks.delete_pod_identity_association().cluster_name(split(cx.name).0);
        gone_is_fine(call.association_id(self.known_id()?).send().await)
    }

    /// The mark holds the association's name.
    fn predict(&mut self, name: &str, _site: &Site, _root: &std::path::Path) {
        self.tags.0.insert("lagoa:name".to_owned(), split(name).1.to_owned());
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let cluster = self.cluster.0.0.as_str();
        let here = !among.referred(&cluster.into()).is_empty();
        // A key of the stack's own may stand for the agent.
        let agent = among.all.iter().any(|(key, kind, fields)| {
            *kind == "eks_addon"
                && fields["cluster"].as_str() == Some(cluster)
                && !OTHER_ADDONS.contains(key)
        });
        if !here || agent {
            return Vec::new();
        }
        let message = "pods get their role from the add-on `eks-pod-identity-agent`, which this \
                       stack doesn't install in the cluster";
        vec![("cluster".to_owned(), message.to_owned())]
    }
}

impl EksPodIdentity {
    fn known_id(&self) -> Result<&str, Error> {
        let id = self.id.as_deref();
        id.ok_or_else(|| Error::internal("a pod identity was read without its id"))
    }
}

fn named(association: &PodIdentityAssociation, aws: &Aws) -> Option<String> {
    marked_name(&eks::from_aws(association.tags()), &aws.site.stack)
}

/// All associations of a cluster, without tags; none when there is no such cluster.
async fn list(aws: &Aws, cluster: &str) -> Result<Vec<PodIdentityAssociationSummary>, Error> {
    let pages = aws.eks.list_pod_identity_associations().cluster_name(cluster).into_paginator();
    let all: Result<Vec<_>, _> = pages.items().send().collect().await;
    Ok(absent(all)?.unwrap_or_default())
}

async fn describe(
    aws: &Aws,
    one: &PodIdentityAssociationSummary,
) -> Result<Option<PodIdentityAssociation>, Error> {
    let call = aws.eks.describe_pod_identity_association();
    let call = call.set_cluster_name(one.cluster_name.clone());
    let call = call.set_association_id(one.association_id.clone());
    Ok(absent(call.send().await)?.and_then(|reply| reply.association))
}

async fn find(
    aws: &Aws,
    wanted: &Wanted<EksPodIdentity>,
    all: &[PodIdentityAssociationSummary],
) -> Result<Option<Found<EksPodIdentity>>, Error> {
    let (cluster, name) = split(&wanted.name);
    let here = || all.iter().filter(|one| one.cluster_name() == Some(cluster));
    let meant = |one: &&PodIdentityAssociationSummary| {
        wanted.desired.as_ref().is_some_and(|desired| {
            one.namespace() == Some(&desired.namespace)
                && one.service_account() == Some(&desired.service_account)
        })
    };
    let mut association = None;
    if let Some(one) = here().find(meant) {
        association = describe(aws, one).await?;
    }
    if association.is_none() {
        let described = try_join_all(here().map(|one| describe(aws, one))).await?;
        let meant = |one: &PodIdentityAssociation| match wanted.whole {
            true => name_for_import(one) == name,
            false => named(one, aws).as_deref() == Some(name),
        };
        association = described.into_iter().flatten().find(meant);
    }
    let found = association.map(|one| Found { name: wanted.name.clone(), fields: fields(&one) });
    Ok(found)
}

/// What an import calls it: as its stack does, or after the account that it is for.
fn name_for_import(one: &PodIdentityAssociation) -> String {
    let marked = eks::from_aws(one.tags()).get("lagoa:name").cloned();
    let (namespace, account) = (one.namespace(), one.service_account());
    let made = || format!("{}-{}", namespace.unwrap_or_default(), account.unwrap_or_default());
    marked.unwrap_or_else(made)
}

fn fields(one: &PodIdentityAssociation) -> EksPodIdentity {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let known = |text: Option<&str>| text.unwrap_or_default().to_owned();
    EksPodIdentity {
        cluster: Immutable(EksClusterName::from(one.cluster_name().unwrap_or_default())),
        namespace: Immutable(known(one.namespace())),
        service_account: Immutable(known(one.service_account())),
        role: RoleArn::from(one.role_arn().unwrap_or_default()),
        target_role: one.target_role_arn().map(RoleArn::from),
        disable_session_tags: one.disable_session_tags().unwrap_or_default(),
        tags: eks::from_aws(one.tags()),
        id: text(one.association_id()).into(),
        arn: text(one.association_arn()).into(),
        external_id: text(one.external_id()).into(),
    }
}
