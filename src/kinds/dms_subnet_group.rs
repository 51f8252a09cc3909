//! The subnets that DMS's replication instances may stand in.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_databasemigration::types::ReplicationSubnetGroup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::Filter;
use crate::aws::{Aws, Class, Error, absent, dms, fixed_role, gone_is_fine};
use crate::field::{Computed, Differs, SubnetId, Tags};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};

/// The subnets of one VPC that DMS's replication instances may stand in. Names are kept in lower
/// case. DMS needs the role `dms-vpc-role` in the account; lagoa makes it when it is missing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DmsSubnetGroup {
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<String>,
    /// Subnets by key or id, in at least two availability zones. A new group without takes those of
    /// the default VPC.
    #[schemars(length(min = 2))]
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:dms:region:account:subgrp:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Id of the subnets' VPC.
    #[serde(default)]
    pub vpc: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

impl Kind for DmsSubnetGroup {
    const EXAMPLE: &'static str = "
dms-subnets:
  kind: dms_subnet_group
  description: where replication instances stand
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[A-Za-z0-9._-]{1,255}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["dms:DescribeReplicationSubnetGroups"], ANY),
            Grant::of(&["dms:ListTagsForResource"], &["dms:{region}:{account}:subgrp:*"]),
            Grant::of(&["ec2:DescribeSubnets"], ANY),
        ],
        write: &[
            Grant::of(&["dms:CreateReplicationSubnetGroup"], ANY).when(When::Marked),
            Grant::of(&["dms:ModifyReplicationSubnetGroup"], ANY),
            Grant::of(
                &["dms:AddTagsToResource", "dms:RemoveTagsFromResource"],
                &["dms:{region}:{account}:subgrp:{name}"],
            ),
            fixed_role::making(&["iam::{account}:role/dms-vpc-role"]),
            fixed_role::filling(
                &["iam::{account}:role/dms-vpc-role"],
                &["iam::aws:policy/service-role/AmazonDMSVPCManagementRole"],
            ),
            Grant::of(
                &[
                    "ec2:DescribeAvailabilityZones",
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ANY,
            ),
        ],
        delete: &[Grant::of(
            &["dms:DeleteReplicationSubnetGroup"],
            &["dms:{region}:{account}:subgrp:{name}"],
        )],
        ..Access::NONE
    };

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.dms.describe_replication_subnet_groups();
        let only = dms::only("replication-subnet-group-id", wanted.iter().map(|one| &one.name))?;
        let mut pages = call.set_filters(only).into_paginator().send();
        let mut groups = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            let ours = |one: &ReplicationSubnetGroup| wanted.iter().any(|w| w.name == name_of(one));
            groups.extend(page.replication_subnet_groups.into_iter().flatten().filter(ours));
        }
        let arns: Vec<String> = groups.iter().map(|group| arn(&aws.site, name_of(group))).collect();
        let tags = dms::tags(aws, &arns).await?;
        let all = groups.iter().zip(&arns);
        Ok(all.filter_map(|(group, arn)| Some(found(group, arn, tags.get(arn)?.clone()))).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("dms", "subgrp:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.dms.describe_replication_subnet_groups().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            let all = page.replication_subnet_groups().iter().map(name_of);
            names.extend(all.filter(|name| !dms::is_default_group(name)).map(str::to_owned));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let subnets = match &self.subnets {
            Some(subnets) => ids(subnets),
            None => default_subnets(cx).await?,
        };
        let call = cx
            .dms
            .create_replication_subnet_group()
            .replication_subnet_group_identifier(cx.name)
            .replication_subnet_group_description(self.description_or_ours())
            .set_subnet_ids(Some(subnets))
            .set_tags(Some(dms::to_aws(&self.tags)));
        dms::with_role(cx, &dms::VPC_ROLE, async { Ok(call.send().await?) }).await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        dms::update_tags(cx, arn, &self.tags, &live.tags).await?;
        if self.subnets.differs(&live.subnets) || self.description.differs(&live.description) {
            let subnets = self.subnets.as_ref().or(live.subnets.as_ref());
            cx.dms
                .modify_replication_subnet_group()
                .replication_subnet_group_identifier(cx.name)
                .set_replication_subnet_group_description(self.description.clone())
                .set_subnet_ids(subnets.map(ids))
                .send()
                .await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.dms.delete_replication_subnet_group();
        gone_is_fine(call.replication_subnet_group_identifier(cx.name).send().await)
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = arn(site, name).into();
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        if self.subnets.as_ref().is_none_or(|subnets| subnets.len() >= 2) {
            return Vec::new();
        }
        let message = "AWS wants at least two subnets, in two availability zones";
        vec![("subnets".to_owned(), message.to_owned())]
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        if live.is_some() { Vec::new() } else { vec![dms::role_note(&dms::VPC_ROLE)] }
    }
}

impl DmsSubnetGroup {
    fn description_or_ours(&self) -> &str {
        self.description.as_deref().unwrap_or(DESCRIPTION)
    }
}

fn ids(subnets: &BTreeSet<SubnetId>) -> Vec<String> {
    subnets.iter().map(|subnet| subnet.0.clone()).collect()
}

async fn default_subnets(aws: &Aws) -> Result<Vec<String>, Error> {
    let subnets = aws.ec2.describe_subnets(&[Filter::new("default-for-az", ["true"])]).await?;
    if subnets.is_empty() {
        let error = Error::new(Class::Terminal, "the account has no default VPC in this region");
        return Err(error.hint("give the group its `subnets`"));
    }
    Ok(subnets.into_iter().map(|subnet| subnet.subnet_id).collect())
}

/// DMS doesn't report it.
fn arn(site: &Site, name: &str) -> String {
    site.arn("dms", &site.region, &format!("subgrp:{name}"))
}

fn name_of(group: &ReplicationSubnetGroup) -> &str {
    group.replication_subnet_group_identifier().unwrap_or_default()
}

fn found(group: &ReplicationSubnetGroup, arn: &str, tags: Tags) -> Found<DmsSubnetGroup> {
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
    let fields = DmsSubnetGroup {
        description: group.replication_subnet_group_description().map(str::to_owned),
        subnets: Some(subnets.map(SubnetId::from).collect()),
        tags,
        arn: arn.to_owned().into(),
        vpc: group.vpc_id().map(str::to_owned).into(),
    };
    Found { name: name_of(group).to_owned(), fields }
}
