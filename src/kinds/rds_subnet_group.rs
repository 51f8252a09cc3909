//! The subnets that database servers may stand in.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_rds::types::DbSubnetGroup;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, gone_is_fine, rds_tags};
use crate::field::{Computed, Differs, SubnetId, Tags};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};

/// The subnets of one VPC that database servers may stand in. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsSubnetGroup {
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<String>,
    /// Subnets by key or id, in at least two availability zones. AWS refuses to take away one that
    /// a server stands in.
    #[schemars(length(min = 2))]
    pub subnets: BTreeSet<SubnetId>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:rds:region:account:subgrp:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Id of the subnets' VPC.
    #[serde(default)]
    pub vpc: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

impl Kind for RdsSubnetGroup {
    const EXAMPLE: &'static str = "
db-subnets:
  kind: rds_subnet_group
  description: private subnets of the databases
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[A-Za-z0-9 ._-]{1,255}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["rds:DescribeDBSubnetGroups"], &["rds:{region}:{account}:subgrp:*"]),
            Grant::of(&["rds:ListTagsForResource"], &["rds:{region}:{account}:subgrp:{name}"]),
        ],
        write: &[
            Grant::of(
                &[
                    "rds:AddTagsToResource",
                    "rds:CreateDBSubnetGroup",
                    "rds:ModifyDBSubnetGroup",
                    "rds:RemoveTagsFromResource",
                ],
                &["rds:{region}:{account}:subgrp:{name}"],
            ),
            Grant::linking(&["rds.amazonaws.com"]),
        ],
        delete: &[Grant::of(
            &["rds:DeleteDBSubnetGroup"],
            &["rds:{region}:{account}:subgrp:{name}"],
        )],
        ..Access::NONE
    };
    const KEPT_WHILE_USED: bool = true;

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_subnet_groups();
        let call = match wanted {
            [one] => call.db_subnet_group_name(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut groups = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            let ours = |group: &DbSubnetGroup| wanted.iter().any(|one| one.name == name_of(group));
            groups.extend(page.db_subnet_groups.unwrap_or_default().into_iter().filter(ours));
        }
        let found = try_join_all(groups.iter().map(|group| with_tags(aws, group))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "subgrp:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> =
            aws.rds.describe_db_subnet_groups().into_paginator().items().send().collect().await;
        let names = all?.into_iter().filter_map(|one| one.db_subnet_group_name);
        Ok(names.filter(|name| name != "default").collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.rds.create_db_subnet_group().db_subnet_group_name(cx.name);
        let call = call.db_subnet_group_description(self.description_or_ours());
        let call = call.set_subnet_ids(Some(self.subnet_ids()));
        call.set_tags(Some(rds_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        if self.subnets != live.subnets || self.description.differs(&live.description) {
            let call = cx.rds.modify_db_subnet_group().db_subnet_group_name(cx.name);
            let call = call.set_db_subnet_group_description(self.description.clone());
            call.set_subnet_ids(Some(self.subnet_ids())).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.rds.delete_db_subnet_group().db_subnet_group_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("subgrp:{name}")).into();
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        if self.subnets.len() >= 2 {
            return Vec::new();
        }
        let message = "AWS wants at least two subnets, in two availability zones";
        vec![("subnets".to_owned(), message.to_owned())]
    }
}

impl RdsSubnetGroup {
    fn description_or_ours(&self) -> &str {
        self.description.as_deref().unwrap_or(DESCRIPTION)
    }

    fn subnet_ids(&self) -> Vec<String> {
        self.subnets.iter().map(|subnet| subnet.0.clone()).collect()
    }
}

fn name_of(group: &DbSubnetGroup) -> &str {
    group.db_subnet_group_name().unwrap_or_default()
}

/// RDS reports the tags of a subnet group in a call of their own.
async fn with_tags(
    aws: &Aws,
    group: &DbSubnetGroup,
) -> Result<Option<Found<RdsSubnetGroup>>, Error> {
    let arn = group.db_subnet_group_arn().unwrap_or_default();
    let tags = match rds_tags::read(aws, arn).await {
        Err(error) if error.is_gone() => return Ok(None),
        tags => tags?,
    };
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
    let fields = RdsSubnetGroup {
        description: group.db_subnet_group_description().map(str::to_owned),
        subnets: subnets.map(SubnetId::from).collect(),
        tags,
        arn: arn.to_owned().into(),
        vpc: group.vpc_id().map(str::to_owned).into(),
    };
    Ok(Some(Found { name: name_of(group).to_owned(), fields }))
}
