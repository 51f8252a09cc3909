//! A virtual network.

use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Vpc, VpcAttribute};
use crate::aws::named::{self, christen, known, retag};
use crate::aws::{Aws, Error, absent, gone_is_fine, obstacles};
use crate::cidr::{self, Ipv4Range};
use crate::field::{Computed, Immutable, Tags, leave_out};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};
use crate::reference::is_marked;

/// A VPC: a network of its own in one region. `network` makes a whole one, with subnets and the way
/// out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2Vpc {
    /// Its range of IPv4 addresses, from a /16 to a /28: `10.0.0.0/16`.
    pub cidr: Immutable<String>,
    /// Whether machines in it may ask Amazon's name server.
    #[serde(default = "yes")]
    pub dns_support: bool,
    /// Whether machines with public addresses get public names; interface endpoints with private
    /// names and EKS need it. EC2's own default is false.
    #[serde(default = "yes")]
    pub dns_hostnames: bool,
    /// Whether its machines share hardware with those of other accounts; `default` unless given.
    pub tenancy: Option<Immutable<Tenancy>>,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `vpc-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:vpc/vpc-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// EC2's word for how it is: `available`.
    #[serde(default)]
    pub state: Computed<String>,
}

/// Whose machines may run on the same hardware.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tenancy {
    /// Anybody's.
    Default,
    /// This account's only, for a much higher price.
    Dedicated,
}

impl Tenancy {
    fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Dedicated => "dedicated",
        }
    }
}

fn yes() -> bool {
    true
}

impl Kind for Ec2Vpc {
    const EXAMPLE: &'static str = "
lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["ec2:DescribeVpcs"], ANY),
            Grant::of(&["ec2:DescribeVpcAttribute"], &["ec2:{region}:{account}:vpc/*"]),
        ],
        write: &[
            Grant::of(&["ec2:CreateVpc"], &["ec2:{region}:{account}:vpc/*"]).when(When::Marked),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:vpc/*"])
                .when(When::Made(&["CreateVpc"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifyVpcAttribute"],
                &["ec2:{region}:{account}:vpc/*"],
            )
            .when(When::Owned),
        ],
        delete: &[
            Grant::of(&["ec2:DeleteVpc"], &["ec2:{region}:{account}:vpc/*"]).when(When::Owned),
            Grant::of(
                &[
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeNatGateways",
                    "ec2:DescribeRouteTables",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcEndpoints",
                ],
                ANY,
            ),
        ],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(3, 2);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let vpcs = named::wanted(&aws.ec2.describe_vpcs(&[]).await?, wanted, &aws.site)?;
        let found = vpcs.into_iter().map(|(name, vpc)| found(aws, name, vpc));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        named::owned(aws, "vpc/", async || aws.ec2.describe_vpcs(&[]).await).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(named::names(&aws.ec2.describe_vpcs(&[]).await?, |vpc| vpc.is_default))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        if named::own(&cx.ec2.describe_vpcs(&[]).await?, cx.name, &cx.site).is_some() {
            return Ok(());
        }
        let tenancy = self.tenancy.as_ref().map(|tenancy| tenancy.word());
        Ok(cx.ec2.create_vpc(&self.cidr, tenancy, &self.tags).await?)
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&live.id)?;
        retag(cx, id, &self.tags, &live.tags).await?;
        let turn = async |attribute, desired: bool, live: bool| match desired == live {
            true => Ok(()),
            false => cx.ec2.modify_vpc_attribute(id, attribute, desired).await,
        };
        // Names need the name server: it comes first and goes last.
        let support =
            async || turn(VpcAttribute::DnsSupport, self.dns_support, live.dns_support).await;
        let hostnames =
            async || turn(VpcAttribute::DnsHostnames, self.dns_hostnames, live.dns_hostnames).await;
        if self.dns_support {
            support().await?;
            hostnames().await?;
        } else {
            hostnames().await?;
            support().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&self.id)?;
        let answer = gone_is_fine(cx.ec2.delete_vpc(id).await);
        obstacles::explained(answer, || obstacles::in_vpc(cx.aws, id)).await
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref() {
            Some("pending") => Phase::Pending("pending".to_owned()),
            _ => Phase::Ready,
        }
    }

    fn accept(&mut self, _live: &Self) {
        self.make_canonical();
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        self.make_canonical();
        christen(&mut self.tags, name);
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.tenancy, Immutable(Tenancy::Default));
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if !is_marked(&self.cidr) {
            let fits = |range: Ipv4Range| (16..=28).contains(&range.prefix());
            if !Ipv4Range::parse(&self.cidr).is_some_and(fits) {
                let message = format!(
                    "`{}` is no range for a VPC: write one from a /16 to a /28, such as 10.0.0.0/16",
                    *self.cidr
                );
                wrong.push(("cidr".to_owned(), message));
            }
        }
        if self.dns_hostnames && !self.dns_support {
            let message = "names need the name server: write `dns_hostnames: false`, too";
            wrong.push(("dns_support".to_owned(), message.to_owned()));
        }
        wrong
    }
}

impl Ec2Vpc {
    fn make_canonical(&mut self) {
        if let Ok(cidr) = cidr::canonical(&self.cidr) {
            self.cidr.0 = cidr;
        }
    }
}

/// EC2 tells each switch in a call of its own.
async fn found(aws: &Aws, name: String, vpc: Vpc) -> Result<Option<Found<Ec2Vpc>>, Error> {
    let id = vpc.vpc_id.as_str();
    let attribute = async |attribute| absent(aws.ec2.describe_vpc_attribute(id, attribute).await);
    let both = futures::try_join!(
        attribute(VpcAttribute::DnsSupport),
        attribute(VpcAttribute::DnsHostnames),
    )?;
    let (Some(dns_support), Some(dns_hostnames)) = both else { return Ok(None) };
    let tenancy = match vpc.instance_tenancy.as_deref() {
        Some("dedicated") => Tenancy::Dedicated,
        _ => Tenancy::Default,
    };
    let fields = Ec2Vpc {
        cidr: Immutable(vpc.cidr_block.clone().unwrap_or_default()),
        dns_support,
        dns_hostnames,
        tenancy: Some(Immutable(tenancy)),
        arn: aws.site.arn("ec2", &aws.site.region, &format!("vpc/{id}")).into(),
        id: id.to_owned().into(),
        state: vpc.state.into(),
        tags: Tags(vpc.tags),
    };
    Ok(Some(Found { name, fields }))
}
