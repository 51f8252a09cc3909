//! What a role or a user may do in an EKS cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eks::types::{AccessEntry, AccessScope, AccessScopeType, AssociatedAccessPolicy};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::eks::{marked_name, split};
use crate::aws::{Aws, Error, absent, eks, gone_is_fine};
use crate::field::{Computed, Differs, EksClusterName, Immutable, RoleArn, Tags};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};
use crate::reference::is_marked;

/// What a role or a user may do in a cluster whose authentication mode is `API` or
/// `API_AND_CONFIG_MAP`. A principal has one entry in each cluster; the key names it in the stack
/// only. EKS makes the entries of node groups by itself.
///
/// A role that is deleted and made again under the same name isn't the same to EKS: its entry has
/// to be made again, too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksAccessEntry {
    /// The cluster, by key or name.
    pub cluster: Immutable<EksClusterName>,
    /// The role, by key or ARN, or a user's ARN.
    pub principal: Immutable<RoleArn>,
    /// `STANDARD` for people and programs (when left out); `EC2_LINUX`, `EC2_WINDOWS`,
    /// `FARGATE_LINUX`, `EC2` (Auto Mode), `HYBRID_LINUX` and `HYPERPOD_LINUX` for machines that
    /// lagoa doesn't make.
    pub r#type: Option<Immutable<String>>,
    /// Groups that the principal belongs to in Kubernetes; none begins with `system:`.
    #[serde(default)]
    pub kubernetes_groups: BTreeSet<String>,
    /// The principal's name in Kubernetes; made from the ARN by EKS when left out.
    pub username: Option<String>,
    /// Access policies of EKS by name, such as `AmazonEKSClusterAdminPolicy`,
    /// `AmazonEKSAdminPolicy`, `AmazonEKSEditPolicy` and `AmazonEKSViewPolicy`, and where they
    /// hold. Others are taken away.
    #[serde(default)]
    pub policies: BTreeMap<String, Scope>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:eks:region:account:access-entry/cluster/…`.
    #[serde(default)]
    pub arn: Computed<String>,
}

/// Where an access policy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// In these namespaces; without any, in the whole cluster.
    #[serde(default)]
    pub namespaces: BTreeSet<String>,
}

const POLICY: &str = "cluster-access-policy/";

impl Kind for EksAccessEntry {
    const EXAMPLE: &'static str = "
analysts-in-lake:
  kind: eks_access_entry
  cluster: lake
  principal: analysts
  kubernetes_groups: [readers]
  policies:
    AmazonEKSViewPolicy: {}
    AmazonEKSEditPolicy: { namespaces: [processing] }
  tags: { Projeto: Lake }

analysts:
  kind: iam_role
  trust:
    Version: '2012-10-17'
    Statement:
      - { Effect: Allow, Principal: { AWS: '123456789012' }, Action: sts:AssumeRole }

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
";
    const NAME: &'static str = "^[0-9A-Za-z][A-Za-z0-9_.@-]{0,127}$";
    const ACCESS: Access = Access {
        read: &[
            eks::WITHIN[0],
            eks::WITHIN[1],
            Grant::of(&["eks:ListAccessEntries"], &["eks:{region}:{account}:cluster/{within}"]),
            Grant::of(
                &["eks:DescribeAccessEntry", "eks:ListAssociatedAccessPolicies"],
                &["eks:{region}:{account}:access-entry/{within}/*"],
            ),
        ],
        write: &[
            Grant::of(&["eks:CreateAccessEntry"], &["eks:{region}:{account}:cluster/{within}"]),
            Grant::of(
                &[
                    "eks:AssociateAccessPolicy",
                    "eks:DisassociateAccessPolicy",
                    "eks:TagResource",
                    "eks:UntagResource",
                    "eks:UpdateAccessEntry",
                ],
                &["eks:{region}:{account}:access-entry/{within}/*"],
            ),
        ],
        delete: &[Grant::of(
            &["eks:DeleteAccessEntry"],
            &["eks:{region}:{account}:access-entry/{within}/*"],
        )],
        ..Access::NONE
    };
    const WITHIN: Option<&'static str> = Some("cluster");
    const READS_AFTER_REFERENCES: bool = true;

    /// By its principal; by our mark where that isn't known, or isn't the same any more.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let found = wanted.iter().map(|one| async move {
            let (cluster, name) = split(&one.name);
            let principal = one.desired.as_ref().map(|desired| &desired.principal.0);
            let mut entry = None;
            if let Some(principal) = principal.filter(|arn| !is_marked(arn)) {
                entry = describe(aws, cluster, principal).await?;
            }
            if entry.is_none() {
                let all = entries(aws, cluster).await?;
                let meant = |entry: &AccessEntry| match one.whole {
                    true => name_for_import(entry) == name,
                    false => named(entry, aws).as_deref() == Some(name),
                };
                entry = all.into_iter().find(meant);
            }
            let Some(entry) = entry else { return Ok::<_, Error>(None) };
            let policies = policies(aws, &entry).await?;
            Ok(Some(Found { name: one.name.clone(), fields: fields(&entry, &policies) }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let entries = entries(aws, cluster).await?;
            let names = entries.iter().filter_map(|entry| named(entry, aws));
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let clusters = eks::all_clusters(aws).await?;
        let found = clusters.iter().map(|cluster| async move {
            let entries = entries(aws, cluster).await?;
            let names = entries.iter().filter(|entry| !is_by_aws(entry)).map(name_for_import);
            Ok::<_, Error>(names.map(|name| format!("{cluster}/{name}")).collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        cx.eks
            .create_access_entry()
            .cluster_name(split(cx.name).0)
            .principal_arn(&*self.principal.0)
            .set_type(self.r#type.as_deref().cloned())
            .set_kubernetes_groups(self.groups_to_aws())
            .set_username(self.username.clone())
            .set_tags(Some(eks::to_aws(&self.tags)))
            .send()
            .await
            .map_err(explain)?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (cluster, principal) = (split(cx.name).0, &*self.principal.0);
        eks::update_tags(cx.aws, live.arn.as_ref(), &self.tags, &live.tags).await?;
        if self.kubernetes_groups != live.kubernetes_groups || self.username.differs(&live.username)
        {
            // What the call doesn't say is put back, so it says both.
            let username = self.username.clone().or_else(|| live.username.clone());
            let call = cx.eks.update_access_entry().cluster_name(cluster).principal_arn(principal);
            call.set_kubernetes_groups(self.groups_to_aws()).set_username(username).send().await?;
        }
        for (policy, scope) in &self.policies {
            if live.policies.get(policy) != Some(scope) {
                let call = cx.eks.associate_access_policy().cluster_name(cluster);
                let call = call.principal_arn(principal).policy_arn(policy_arn(policy, &cx.site));
                call.access_scope(to_scope(scope)).send().await?;
            }
        }
        for policy in live.policies.keys().filter(|policy| !self.policies.contains_key(*policy)) {
            let call = cx.eks.disassociate_access_policy().cluster_name(cluster);
            let call = call.principal_arn(principal).policy_arn(policy_arn(policy, &cx.site));
            gone_is_fine(call.send().await)?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.eks.delete_access_entry().cluster_name(split(cx.name).0);
        gone_is_fine(call.principal_arn(&*self.principal.0).send().await)
    }

    /// Policies go by their names, and the mark holds the entry's.
    fn predict(&mut self, name: &str, _site: &Site, _root: &std::path::Path) {
        self.tags.0.insert("lagoa:name".to_owned(), split(name).1.to_owned());
        let policies = std::mem::take(&mut self.policies).into_iter();
        self.policies = policies.map(|(name, scope)| (short(&name).to_owned(), scope)).collect();
    }

    /// EKS puts machines into groups of Kubernetes's own, and nobody takes them out.
    fn accept(&mut self, live: &Self) {
        if self.is_for_machines() {
            self.kubernetes_groups.clone_from(&live.kubernetes_groups);
        }
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if self.kubernetes_groups.iter().any(|group| group.starts_with("system:")) {
            let message = "EKS takes no groups of Kubernetes's own: for an administrator write \
                           `policies: { AmazonEKSClusterAdminPolicy: {} }`";
            wrong.push(("kubernetes_groups".to_owned(), message.to_owned()));
        }
        if self.is_for_machines() && !self.kubernetes_groups.is_empty() {
            let message = "EKS decides itself which groups machines belong to: leave \
                           `kubernetes_groups` out, or the type";
            wrong.push(("kubernetes_groups".to_owned(), message.to_owned()));
        }
        // Machines of EKS's own choice (Auto Mode) get what they may do from a policy.
        let auto = self.r#type.as_ref().is_some_and(|one| one.as_str() == "EC2");
        if self.is_for_machines() && !auto && !self.policies.is_empty() {
            let message =
                "only entries of type STANDARD and EC2 have policies: leave `policies` out";
            wrong.push(("policies".to_owned(), message.to_owned()));
        }
        wrong
    }
}

impl EksAccessEntry {
    /// Those of machines aren't anybody's to say.
    fn groups_to_aws(&self) -> Option<Vec<String>> {
        (!self.is_for_machines()).then(|| self.kubernetes_groups.iter().cloned().collect())
    }

    fn is_for_machines(&self) -> bool {
        let known = self.r#type.as_ref().filter(|one| !is_marked(one));
        known.is_some_and(|one| one.as_str() != "STANDARD")
    }
}

/// The cluster still asks its config map only.
fn explain(error: impl Into<Error>) -> Error {
    let error = error.into();
    if error.message.contains("authentication mode") {
        return error.hint("write `authentication_mode: API_AND_CONFIG_MAP` below the cluster");
    }
    error
}

fn short(policy: &str) -> &str {
    policy.rsplit_once(POLICY).map_or(policy, |(_, name)| name)
}

fn policy_arn(policy: &str, site: &Site) -> String {
    format!("arn:{}:eks::aws:{POLICY}{policy}", site.partition)
}

fn named(entry: &AccessEntry, aws: &Aws) -> Option<String> {
    marked_name(&eks::from_aws(entry.tags()), &aws.site.stack)
}

/// What an import calls it: as its stack does, or after whom it lets in.
fn name_for_import(entry: &AccessEntry) -> String {
    let marked = eks::from_aws(entry.tags()).get("lagoa:name").cloned();
    let principal = entry.principal_arn().unwrap_or_default();
    marked.unwrap_or_else(|| principal.rsplit('/').next().unwrap_or(principal).to_owned())
}

/// EKS makes entries for the machines of node groups and for itself.
fn is_by_aws(entry: &AccessEntry) -> bool {
    let machine = entry.r#type().is_some_and(|one| one != "STANDARD");
    machine || entry.principal_arn().is_some_and(|arn| arn.contains(":role/aws-service-role/"))
}

async fn describe(aws: &Aws, cluster: &str, principal: &str) -> Result<Option<AccessEntry>, Error> {
    let call = aws.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal);
    Ok(absent(call.send().await)?.and_then(|reply| reply.access_entry))
}

/// All entries of a cluster; none when there is no such cluster, or it knows no entries yet.
async fn entries(aws: &Aws, cluster: &str) -> Result<Vec<AccessEntry>, Error> {
    let pages = aws.eks.list_access_entries().cluster_name(cluster).into_paginator();
    let principals: Result<Vec<String>, _> = pages.items().send().collect().await;
    let principals = match absent(principals) {
        Err(error) if error.code == "InvalidRequestException" => None,
        answer => answer?,
    };
    let principals = principals.unwrap_or_default();
    let all = principals.iter().map(|principal| describe(aws, cluster, principal));
    Ok(try_join_all(all).await?.into_iter().flatten().collect())
}

async fn policies(aws: &Aws, entry: &AccessEntry) -> Result<Vec<AssociatedAccessPolicy>, Error> {
    let call = aws.eks.list_associated_access_policies();
    let call = call.set_cluster_name(entry.cluster_name.clone());
    let call = call.set_principal_arn(entry.principal_arn.clone());
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    Ok(absent(all)?.unwrap_or_default())
}

fn to_scope(scope: &Scope) -> AccessScope {
    if scope.namespaces.is_empty() {
        return AccessScope::builder().r#type(AccessScopeType::Cluster).build();
    }
    let namespaces = scope.namespaces.iter().cloned().collect();
    AccessScope::builder()
        .r#type(AccessScopeType::Namespace)
        .set_namespaces(Some(namespaces))
        .build()
}

fn fields(entry: &AccessEntry, policies: &[AssociatedAccessPolicy]) -> EksAccessEntry {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let policies = policies.iter().filter_map(|policy| {
        let namespaces = policy.access_scope().map(|scope| scope.namespaces().iter().cloned());
        let namespaces = namespaces.into_iter().flatten().collect();
        Some((short(policy.policy_arn()?).to_owned(), Scope { namespaces }))
    });
    EksAccessEntry {
        cluster: Immutable(EksClusterName::from(entry.cluster_name().unwrap_or_default())),
        principal: Immutable(RoleArn::from(entry.principal_arn().unwrap_or_default())),
        r#type: text(entry.r#type()).map(Immutable),
        kubernetes_groups: entry.kubernetes_groups().iter().cloned().collect(),
        username: text(entry.username()),
        policies: policies.collect(),
        tags: eks::from_aws(entry.tags()),
        arn: text(entry.access_entry_arn()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: serde_json::Value) -> EksAccessEntry {
        let mut whole =
            serde_json::json!({ "cluster": "lake", "principal": "arn:aws:iam::1:role/r" });
        if let (Some(whole), Some(fields)) = (whole.as_object_mut(), fields.as_object()) {
            whole.extend(fields.clone());
        }
        EksAccessEntry::deserialize(whole).unwrap()
    }

    #[test]
    fn machines_keep_the_groups_that_eks_puts_them_in() {
        use serde_json::json;
        let groups = json!({ "type": "EC2_LINUX", "kubernetes_groups": ["system:nodes"] });
        let mut desired = entry(json!({ "type": "EC2_LINUX" }));
        desired.accept(&entry(groups));
        assert!(desired.kubernetes_groups.contains("system:nodes"));
        let mut person = entry(json!({}));
        person.accept(&entry(json!({ "kubernetes_groups": ["readers"] })));
        assert!(person.kubernetes_groups.is_empty());
    }

    #[test]
    fn what_a_type_may_not_have_is_named() {
        use serde_json::json;
        let wrong = |fields| {
            let wrong = entry(fields).check(std::path::Path::new(""));
            wrong.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        let policies = json!({ "AmazonEKSAutoNodePolicy": {} });
        assert!(wrong(json!({ "type": "EC2", "policies": policies })).is_empty());
        assert_eq!(wrong(json!({ "type": "EC2_LINUX", "policies": policies })), ["policies"]);
        let groups = json!({ "type": "EC2", "kubernetes_groups": ["a"] });
        assert_eq!(wrong(groups), ["kubernetes_groups"]);
    }

    #[test]
    fn policies_go_by_their_names() {
        let arn = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
        assert_eq!(short(arn), "AmazonEKSViewPolicy");
        assert_eq!(short("AmazonEKSViewPolicy"), "AmazonEKSViewPolicy");
    }
}
