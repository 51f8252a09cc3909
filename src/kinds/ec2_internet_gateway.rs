//! The way between a VPC and the internet.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Filter, InternetGateway};
use crate::aws::named::{self, christen, known, not_visible_yet, retag};
use crate::aws::{Aws, Error, gone_is_fine, obstacles};
use crate::field::{Computed, Immutable, Tags, VpcId};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};

/// An internet gateway: lets machines that have public addresses reach the internet and be reached,
/// in subnets whose route table leads to it. A VPC has one at most.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2InternetGateway {
    /// The VPC that it is attached to, by key or id.
    pub vpc: Immutable<VpcId>,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `igw-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:internet-gateway/igw-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// EC2's word for how the attachment is: `available`.
    #[serde(default)]
    pub state: Computed<String>,
}

impl Kind for Ec2InternetGateway {
    const EXAMPLE: &'static str = "
lake-internet-gateway:
  kind: ec2_internet_gateway
  vpc: lake-vpc

lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeInternetGateways"], ANY)],
        write: &[
            Grant::of(
                &["ec2:CreateInternetGateway"],
                &["ec2:{region}:{account}:internet-gateway/*"],
            )
            .when(When::Marked),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:internet-gateway/*"])
                .when(When::Made(&["CreateInternetGateway"])),
            Grant::of(
                &[
                    "ec2:AttachInternetGateway",
                    "ec2:CreateTags",
                    "ec2:DeleteTags",
                    "ec2:DetachInternetGateway",
                ],
                &["ec2:{region}:{account}:internet-gateway/*"],
            )
            .when(When::Owned),
            Grant::of(
                &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"],
                &["ec2:{region}:{account}:vpc/*"],
            ),
        ],
        delete: &[
            Grant::of(
                &["ec2:DeleteInternetGateway", "ec2:DetachInternetGateway"],
                &["ec2:{region}:{account}:internet-gateway/*"],
            )
            .when(When::Owned),
            Grant::of(&["ec2:DetachInternetGateway"], &["ec2:{region}:{account}:vpc/*"]),
            Grant::of(&["ec2:DescribeNetworkInterfaces"], ANY),
        ],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(2, 5);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let gateways = aws.ec2.describe_internet_gateways(&[]).await?;
        let found = named::wanted(&gateways, wanted, &aws.site)?.into_iter();
        Ok(found.map(|(name, gateway)| Found { name, fields: live(gateway, &aws.site) }).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let describe = async || aws.ec2.describe_internet_gateways(&[]).await;
        named::owned(aws, "internet-gateway/", describe).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let default = aws.ec2.describe_vpcs(&[Filter::new("is-default", ["true"])]).await?;
        let is_default = |id: &str| default.iter().any(|vpc| vpc.vpc_id == id);
        let by_aws = |gateway: &InternetGateway| {
            !named::is_named(gateway)
                && gateway.attachments.iter().any(|one| is_default(&one.vpc_id))
        };
        Ok(named::names(&aws.ec2.describe_internet_gateways(&[]).await?, by_aws))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        let there = cx.ec2.describe_internet_gateways(&[]).await?;
        if named::own(&there, cx.name, &cx.site).is_some() {
            return Ok(());
        }
        Ok(cx.ec2.create_internet_gateway(&self.tags).await?)
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&live.id)?;
        retag(cx, id, &self.tags, &live.tags).await?;
        if self.vpc == live.vpc {
            return Ok(());
        }
        live.detach(id, cx).await?;
        let attached = cx.ec2.attach_internet_gateway(id, &self.vpc).await;
        attached.map_err(not_visible_yet)
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&self.id)?;
        self.detach(id, cx).await?;
        gone_is_fine(cx.ec2.delete_internet_gateway(id).await)
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref() {
            Some(word @ ("attaching" | "detaching")) => Phase::Pending(word.to_owned()),
            _ => Phase::Ready,
        }
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        christen(&mut self.tags, name);
    }
}

impl Ec2InternetGateway {
    /// Parts it from its VPC, if it is in one.
    async fn detach(&self, id: &str, cx: &Cx<'_>) -> Result<(), Error> {
        if self.vpc.is_empty() {
            return Ok(());
        }
        let answer = gone_is_fine(cx.ec2.detach_internet_gateway(id, &self.vpc).await);
        obstacles::explained(answer, || obstacles::public_in_vpc(cx.aws, &self.vpc)).await
    }
}

fn live(gateway: InternetGateway, site: &Site) -> Ec2InternetGateway {
    let id = gateway.internet_gateway_id;
    let attachment = gateway.attachments.into_iter().next();
    let attachment = attachment.filter(|one| one.state.as_deref() != Some("detached"));
    let (vpc, state) = attachment.map(|one| (one.vpc_id, one.state)).unwrap_or_default();
    Ec2InternetGateway {
        vpc: Immutable(vpc.into()),
        tags: Tags(gateway.tags),
        arn: site.arn("ec2", &site.region, &format!("internet-gateway/{id}")).into(),
        id: id.into(),
        state: state.into(),
    }
}
