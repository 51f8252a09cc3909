//! Settings of the engine of a database cluster.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_rds::types::DbClusterParameterGroup;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::rds_parameters::{Groups, in_words_of};
use crate::aws::{Aws, Error, absent, gone_is_fine, rds_tags};
use crate::field::{Computed, Immutable, Tags};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};

/// Settings of the engine that all servers of a cluster share. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsClusterParameterGroup {
    /// The engine and its major version, such as `aurora-postgresql16` or
    /// `aurora-mysql8.0`.
    pub family: Immutable<String>,
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<Immutable<String>>,
    /// Values by the engine's own parameter names, in the units that RDS lists them in. A parameter
    /// that was set and isn't listed here goes back to the engine's default. Dynamic parameters
    /// change at once; static ones when a server of the cluster restarts, which the next plan of
    /// that `rds_cluster_instance` shows as `reboot_pending`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:rds:region:account:cluster-pg:name`.
    #[serde(default)]
    pub arn: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

impl Kind for RdsClusterParameterGroup {
    const EXAMPLE: &'static str = "
aurora-postgres16:
  kind: rds_cluster_parameter_group
  family: aurora-postgresql16
  description: logical replication of the cluster
  parameters:
    rds.logical_replication: '1'
    log_min_duration_statement: '500'
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9])*$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(
                &["rds:DescribeDBClusterParameterGroups"],
                &["rds:{region}:{account}:cluster-pg:*"],
            ),
            Grant::of(
                &["rds:DescribeDBClusterParameters", "rds:ListTagsForResource"],
                &["rds:{region}:{account}:cluster-pg:{name}"],
            ),
        ],
        write: &[Grant::of(
            &[
                "rds:AddTagsToResource",
                "rds:CreateDBClusterParameterGroup",
                "rds:ModifyDBClusterParameterGroup",
                "rds:RemoveTagsFromResource",
                "rds:ResetDBClusterParameterGroup",
            ],
            &["rds:{region}:{account}:cluster-pg:{name}"],
        )],
        delete: &[Grant::of(
            &["rds:DeleteDBClusterParameterGroup"],
            &["rds:{region}:{account}:cluster-pg:{name}"],
        )],
        ..Access::NONE
    };
    const KEPT_WHILE_USED: bool = true;

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_cluster_parameter_groups();
        let call = match wanted {
            [one] => call.db_cluster_parameter_group_name(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut reads = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for group in page.db_cluster_parameter_groups.unwrap_or_default() {
                let name = group.db_cluster_parameter_group_name().unwrap_or_default();
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    reads.push(read_one(aws, group, one));
                }
            }
        }
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "cluster-pg:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> = aws
            .rds
            .describe_db_cluster_parameter_groups()
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        let names = all?.into_iter().filter_map(|one| one.db_cluster_parameter_group_name);
        Ok(names.filter(|name| !name.starts_with("default.")).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let description = self.description.as_deref().map_or(DESCRIPTION, String::as_str);
        let call =
            cx.rds.create_db_cluster_parameter_group().db_cluster_parameter_group_name(cx.name);
        let call = call.db_parameter_group_family(self.family.as_str()).description(description);
        call.set_tags(Some(rds_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        Groups::Clusters.change(cx, cx.name, &self.parameters, &live.parameters).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call =
            cx.rds.delete_db_cluster_parameter_group().db_cluster_parameter_group_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn accept(&mut self, live: &Self) {
        self.parameters = in_words_of(&live.parameters, std::mem::take(&mut self.parameters));
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("cluster-pg:{name}")).into();
    }
}

async fn read_one(
    aws: &Aws,
    group: DbClusterParameterGroup,
    wanted: &Wanted<RdsClusterParameterGroup>,
) -> Result<Option<Found<RdsClusterParameterGroup>>, Error> {
    let arn = group.db_cluster_parameter_group_arn().unwrap_or_default();
    let Some(tags) = absent(rds_tags::read(aws, arn).await)? else { return Ok(None) };
    let parameters = match &wanted.desired {
        Some(desired) => Groups::Clusters.set(aws, &wanted.name, &desired.parameters).await?,
        None if wanted.whole => Groups::Clusters.set(aws, &wanted.name, &BTreeMap::new()).await?,
        None => BTreeMap::new(),
    };
    let fields = RdsClusterParameterGroup {
        family: group.db_parameter_group_family().unwrap_or_default().to_owned().into(),
        description: group.description().map(|text| text.to_owned().into()),
        parameters,
        tags,
        arn: arn.to_owned().into(),
    };
    Ok(Some(Found { name: wanted.name.clone(), fields }))
}
