//! The subnets that Redshift clusters may stand in.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_redshift::types::ClusterSubnetGroup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, gone_is_fine, redshift_tags};
use crate::field::{Computed, Differs, SubnetId, Tags};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};

/// The subnets of one VPC that Redshift clusters may stand in. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftSubnetGroup {
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<String>,
    /// Subnets by key or id, up to 20. AWS refuses to take away one that a cluster stands in.
    #[schemars(length(min = 1, max = 20))]
    pub subnets: BTreeSet<SubnetId>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:redshift:region:account:subnetgroup:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Id of the subnets' VPC.
    #[serde(default)]
    pub vpc: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

impl Kind for RedshiftSubnetGroup {
    const EXAMPLE: &'static str = "
warehouse-subnets:
  kind: redshift_subnet_group
  description: private subnets of the warehouse
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[A-Za-z0-9-]{1,255}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[Grant::of(&["redshift:DescribeClusterSubnetGroups"], ANY)],
        write: &[
            Grant::of(
                &[
                    "redshift:CreateClusterSubnetGroup",
                    "redshift:CreateTags",
                    "redshift:DeleteTags",
                    "redshift:ModifyClusterSubnetGroup",
                ],
                &["redshift:{region}:{account}:subnetgroup:{name}"],
            ),
            Grant::of(
                &[
                    "ec2:DescribeAccountAttributes",
                    "ec2:DescribeAddresses",
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
            &["redshift:DeleteClusterSubnetGroup"],
            &["redshift:{region}:{account}:subnetgroup:{name}"],
        )],
        ..Access::NONE
    };

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.redshift.describe_cluster_subnet_groups();
        let call = match wanted {
            [one] => call.cluster_subnet_group_name(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for group in page.cluster_subnet_groups() {
                let name = group.cluster_subnet_group_name().unwrap_or_default();
                if wanted.iter().any(|one| one.name == name) {
                    found.push(Found { name: name.to_owned(), fields: live(aws, name, group) });
                }
            }
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("redshift", "subnetgroup:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> = aws
            .redshift
            .describe_cluster_subnet_groups()
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        let names = all?.into_iter().filter_map(|one| one.cluster_subnet_group_name);
        Ok(names.filter(|name| name != "default").collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift.create_cluster_subnet_group().cluster_subnet_group_name(cx.name);
        let call = call.description(self.description.as_deref().unwrap_or(DESCRIPTION));
        let call = call.set_subnet_ids(Some(self.subnet_ids()));
        call.set_tags(Some(redshift_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        redshift_tags::update(cx, arn, &self.tags, &live.tags).await?;
        if self.subnets != live.subnets || self.description.differs(&live.description) {
            let call = cx.redshift.modify_cluster_subnet_group().cluster_subnet_group_name(cx.name);
            let call = call.set_description(self.description.clone());
            call.set_subnet_ids(Some(self.subnet_ids())).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift.delete_cluster_subnet_group().cluster_subnet_group_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("redshift", &site.region, &format!("subnetgroup:{name}")).into();
    }
}

impl RedshiftSubnetGroup {
    fn subnet_ids(&self) -> Vec<String> {
        self.subnets.iter().map(|subnet| subnet.0.clone()).collect()
    }
}

/// Redshift reports no ARN of a group.
fn live(aws: &Aws, name: &str, group: &ClusterSubnetGroup) -> RedshiftSubnetGroup {
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
    let site = &aws.site;
    RedshiftSubnetGroup {
        description: group.description().map(str::to_owned),
        subnets: subnets.map(SubnetId::from).collect(),
        tags: redshift_tags::from_aws(group.tags()),
        arn: site.arn("redshift", &site.region, &format!("subnetgroup:{name}")).into(),
        vpc: group.vpc_id().map(str::to_owned).into(),
    }
}
