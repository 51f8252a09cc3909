//! An add-on that EKS installs in a cluster and keeps up to date.

use aws_sdk_eks::types::{Addon, ResolveConflicts as AwsResolve};
use futures::future::try_join_all;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aws::eks::{LOOKS_AT_UPDATES, Updates, already_is_fine, spelled, split};
use crate::aws::{Aws, Error, absent, eks, gone_is_fine};
use crate::field::{Computed, Differs, EksClusterName, Immutable, RoleArn, Tags, WriteOnly};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Phase, Takes, Wanted};

/// An add-on of a cluster, named as EKS names it: `vpc-cni`, `coredns`, `kube-proxy`,
/// `eks-pod-identity-agent`, `aws-ebs-csi-driver`. `aws eks describe-addon-versions` lists them.
///
/// One that EKS calls `DEGRADED`, such as `coredns` in a cluster without nodes, is installed and
/// counts as there; `issues` say what it lacks. With `depends_on` it waits for the node groups.
///
/// Where two clusters of a stack have the same add-on, give each a key of its own and write the
/// add-on's name in `name`. `on_destroy: retain` leaves what it installed in the cluster.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksAddon {
    /// The cluster, by key or name.
    pub cluster: Immutable<EksClusterName>,
    /// Version of the add-on, such as `v1.19.0-eksbuild.1`; EKS's default for the cluster's
    /// Kubernetes version in a new add-on when left out.
    pub version: Option<String>,
    /// The role of the add-on's service account, through the cluster's OpenID Connect provider. An
    /// `eks_pod_identity` for its service account needs no provider.
    pub role: Option<RoleArn>,
    /// Settings, as `aws eks describe-addon-configuration` describes them.
    pub configuration: Option<Configuration>,
    /// What becomes of settings that somebody changed in the cluster: `OVERWRITE` puts EKS's own
    /// back, `PRESERVE` keeps them, `NONE` (when left out) fails.
    pub resolve_conflicts: Option<WriteOnly<ResolveConflicts>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:eks:region:account:addon/cluster/name/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// What EKS has to complain about, such as no node to run on.
    #[serde(default)]
    pub issues: Computed<Vec<String>>,
    /// As EKS says it: `ACTIVE`, `DEGRADED`, …
    #[serde(default)]
    pub status: Computed<String>,
}

/// What becomes of settings that somebody changed in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum ResolveConflicts {
    None,
    Overwrite,
    Preserve,
}

/// Settings of an add-on, whose form only the add-on knows. EKS keeps them as one piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configuration(Map<String, Value>);

impl JsonSchema for Configuration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Configuration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-whole": true })
    }
}

impl Kind for EksAddon {
    const EXAMPLE: &'static str = "
vpc-cni:
  kind: eks_addon
  cluster: lake
  version: v1.20.4-eksbuild.2
  role: lake-network
  configuration: { env: { ENABLE_PREFIX_DELEGATION: \"true\" } }
  resolve_conflicts: OVERWRITE
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

lake-network:
  kind: iam_role
  managed_policies: [AmazonEKS_CNI_Policy]
  trust:
    Version: '2012-10-17'
    Statement:
      - Effect: Allow
        Principal: { Federated: 'arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0A1B2C' }
        Action: sts:AssumeRoleWithWebIdentity
";
    const NAME: &'static str = "^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$";
    const ACCESS: Access = Access {
        read: &[
            eks::WITHIN[0],
            eks::WITHIN[1],
            Grant::of(&["eks:DescribeAddon"], &["eks:{region}:{account}:addon/{within}/{name}/*"]),
        ],
        write: &[
            Grant::of(&["eks:CreateAddon"], &["eks:{region}:{account}:cluster/{within}"]),
            Grant::of(
                &["eks:TagResource", "eks:UntagResource", "eks:UpdateAddon"],
                &["eks:{region}:{account}:addon/{within}/{name}/*"],
            ),
            Grant::of(
                LOOKS_AT_UPDATES,
                &[
                    "eks:{region}:{account}:cluster/{within}",
                    "eks:{region}:{account}:addon/{within}/{name}/*",
                ],
            ),
            Grant::of(&["iam:GetRole", "iam:PassRole"], &["iam::{account}:role/{role}"]),
        ],
        delete: &[Grant::of(
            &["eks:DeleteAddon"],
            &["eks:{region}:{account}:addon/{within}/{name}/*"],
        )],
        ..Access::NONE
    };
    const WITHIN: Option<&'static str> = Some("cluster");
    const TAKES: Takes = Takes::seconds(60, 30);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let found = wanted.iter().map(|one| async move {
            let (cluster, name) = split(&one.name);
            let call = aws.eks.describe_addon().cluster_name(cluster).addon_name(name);
            let addon = absent(call.send().await)?.and_then(|reply| reply.addon);
            let found = addon.map(|addon| fields(&addon));
            Ok::<_, Error>(found.map(|fields| Found { name: one.name.clone(), fields }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        eks::owned(aws, "addon").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::all_clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let pages = aws.eks.list_addons().cluster_name(cluster).into_paginator();
            let names: Result<Vec<String>, _> = pages.items().send().collect().await;
            let names = absent(names)?.unwrap_or_default().into_iter();
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let (cluster, name) = split(cx.name);
        cx.eks
            .create_addon()
            .cluster_name(cluster)
            .addon_name(name)
            .set_addon_version(self.version.clone())
            .set_service_account_role_arn(self.role.as_ref().map(|role| role.0.clone()))
            .set_configuration_values(self.settings())
            .set_resolve_conflicts(self.conflicts())
            .set_tags(Some(eks::to_aws(&self.tags)))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        eks::update_tags(cx.aws, live.arn.as_ref(), &self.tags, &live.tags).await?;
        if !self.version.differs(&live.version)
            && !self.role.differs(&live.role)
            && !self.configuration.differs(&live.configuration)
        {
            return Ok(());
        }
        Updates::Addon(cx.name).went_well(cx).await?;
        let (cluster, name) = split(cx.name);
        // What the call doesn't say is put back, so it says everything that stays.
        let role = self.role.as_ref().or(live.role.as_ref()).map(|role| role.0.clone());
        let call = cx.eks.update_addon().cluster_name(cluster).addon_name(name);
        let call = call
            .set_addon_version(self.version.clone())
            .set_service_account_role_arn(role)
            .set_configuration_values(self.settings().or_else(|| live.settings()))
            .set_resolve_conflicts(self.conflicts());
        already_is_fine(call.send().await)
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let (cluster, name) = split(cx.name);
        let call = cx.eks.delete_addon().cluster_name(cluster).addon_name(name);
        gone_is_fine(call.send().await)
    }

    /// An add-on that waits for nodes is degraded until they come; that isn't waited for, because
    /// they may come later than the stack.
    fn phase(&self) -> Phase {
        let issues = self.issues.as_deref().unwrap_or_default();
        eks::phase(self.status.as_deref().unwrap_or_default(), issues)
    }
}

impl EksAddon {
    fn settings(&self) -> Option<String> {
        self.configuration.as_ref().map(|settings| Value::Object(settings.0.clone()).to_string())
    }

    fn conflicts(&self) -> Option<AwsResolve> {
        self.resolve_conflicts.as_ref().map(|word| AwsResolve::from(&*spelled(&word.0)))
    }
}

fn fields(addon: &Addon) -> EksAddon {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let issues = addon.health().map(|health| health.issues()).unwrap_or_default();
    let issues = issues.iter().map(|issue| {
        let code = issue.code().map(|code| code.as_str()).unwrap_or_default();
        format!("{code}: {}", issue.message().unwrap_or_default())
    });
    let issues: Vec<String> = issues.collect();
    EksAddon {
        cluster: Immutable(EksClusterName::from(addon.cluster_name().unwrap_or_default())),
        version: text(addon.addon_version()),
        role: addon.service_account_role_arn().map(RoleArn::from),
        configuration: addon
            .configuration_values()
            .and_then(|settings| serde_json::from_str(settings).ok()),
        resolve_conflicts: None,
        tags: eks::from_aws(addon.tags()),
        arn: text(addon.addon_arn()).into(),
        issues: Some(issues).filter(|issues| !issues.is_empty()).into(),
        status: addon.status().map(|status| status.as_str().to_owned()).into(),
    }
}
