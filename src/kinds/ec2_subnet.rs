//! A part of a VPC in one availability zone.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Filter, Subnet};
use crate::aws::named::{self, Named, christen, known, not_visible_yet, retag};
use crate::aws::{Aws, Error, gone_is_fine, obstacles};
use crate::cidr::{self, Ipv4Range};
use crate::field::{Computed, Immutable, Tags, VpcId};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Neighbours, Phase, Site, Takes, Wanted, When,
};
use crate::reference::is_marked;

/// A subnet: a part of a VPC's addresses in one availability zone. Whether it is public is decided
/// by its route table: a public one's leads to an internet gateway.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2Subnet {
    /// The VPC by key or id.
    pub vpc: Immutable<VpcId>,
    /// Its range of IPv4 addresses, a part of the VPC's that no other subnet has: a /28 at least.
    pub cidr: Immutable<String>,
    /// Its availability zone, such as `${aws.region}a`; AWS chooses one when left out.
    pub zone: Option<Immutable<String>>,
    /// Whether machines that start in it get public addresses.
    #[serde(default)]
    pub public_ip_on_launch: bool,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `subnet-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:subnet/subnet-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The zone's id, which is the same in every account: `use1-az1`.
    #[serde(default)]
    pub zone_id: Computed<String>,
    /// EC2's word for how it is: `available`.
    #[serde(default)]
    pub state: Computed<String>,
}

impl Kind for Ec2Subnet {
    const EXAMPLE: &'static str = "
lake-private-a:
  kind: ec2_subnet
  vpc: lake-vpc
  cidr: 10.0.32.0/19
  zone: ${aws.region}a
  tags: { Projeto: Bootcamp }

lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeSubnets"], ANY)],
        write: &[
            Grant::of(&["ec2:CreateSubnet"], &["ec2:{region}:{account}:subnet/*"])
                .when(When::Marked),
            Grant::of(&["ec2:CreateSubnet"], &["ec2:{region}:{account}:vpc/*"]),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:subnet/*"])
                .when(When::Made(&["CreateSubnet"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifySubnetAttribute"],
                &["ec2:{region}:{account}:subnet/*"],
            )
            .when(When::Owned),
        ],
        delete: &[
            Grant::of(&["ec2:DeleteSubnet"], &["ec2:{region}:{account}:subnet/*"])
                .when(When::Owned),
            Grant::of(&["ec2:DescribeNetworkInterfaces"], ANY),
        ],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(3, 2);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let subnets = aws.ec2.describe_subnets(&[]).await?;
        let found = named::wanted(&subnets, wanted, &aws.site)?.into_iter();
        Ok(found.map(|(name, subnet)| Found { name, fields: live(subnet, &aws.site) }).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        named::owned(aws, "subnet/", async || aws.ec2.describe_subnets(&[]).await).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(named::names(&aws.ec2.describe_subnets(&[]).await?, |subnet| subnet.default_for_az))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let zone = self.zone.as_ref().map(|zone| zone.as_str());
        let made = cx.ec2.create_subnet(&self.vpc, &self.cidr, zone, &self.tags).await;
        match made.map_err(not_visible_yet) {
            Err(error) if error.code == "InvalidSubnet.Conflict" => self.conflict(error, cx).await,
            answer => answer,
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&live.id)?;
        retag(cx, id, &self.tags, &live.tags).await?;
        if self.public_ip_on_launch != live.public_ip_on_launch {
            cx.ec2.map_public_ip_on_launch(id, self.public_ip_on_launch).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&self.id)?;
        let answer = gone_is_fine(cx.ec2.delete_subnet(id).await);
        obstacles::explained(answer, || obstacles::in_subnet(cx.aws, id)).await
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref() {
            Some("pending") => Phase::Pending("pending".to_owned()),
            Some(failed @ ("failed" | "failed-insufficient-capacity")) => {
                Phase::Failed(failed.to_owned())
            }
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

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let fits = |range: Ipv4Range| (16..=28).contains(&range.prefix());
        if is_marked(&self.cidr) || Ipv4Range::parse(&self.cidr).is_some_and(fits) {
            return Vec::new();
        }
        let message = format!(
            "`{}` is no range for a subnet: write one from a /16 to a /28, such as 10.0.0.0/24",
            *self.cidr
        );
        vec![("cidr".to_owned(), message)]
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let Some(range) = Ipv4Range::parse(&self.cidr) else { return Vec::new() };
        let mut wrong = Vec::new();
        let vpc = serde_json::Value::from(self.vpc.0.0.as_str());
        for (_, fields) in among.referred(&vpc) {
            let whole = fields["cidr"].as_str();
            if whole.and_then(Ipv4Range::parse).is_some_and(|whole| !whole.holds(range)) {
                let whole = whole.unwrap_or_default();
                wrong.push(format!("{range} is no part of the VPC's {whole}: EC2 will refuse it"));
            }
        }
        let own = serde_json::to_value(self).unwrap_or_default();
        for (key, kind, fields) in &among.all {
            let other = fields["cidr"].as_str().and_then(Ipv4Range::parse);
            let same_vpc = *kind == "ec2_subnet" && fields["vpc"] == own["vpc"];
            let itself = fields["tags"]["lagoa:name"] == own["tags"]["lagoa:name"];
            if same_vpc && !itself && other.is_some_and(|other| other.overlaps(range)) {
                wrong.push(format!(
                    "{range} overlaps with the range of `{key}`: EC2 will refuse one"
                ));
            }
        }
        wrong.into_iter().map(|message| ("cidr".to_owned(), message)).collect()
    }
}

impl Ec2Subnet {
    fn make_canonical(&mut self) {
        if let Ok(cidr) = cidr::canonical(&self.cidr) {
            self.cidr.0 = cidr;
        }
    }

    /// Another subnet has some of the addresses: the one that a lost answer left, or a stranger.
    async fn conflict(&self, error: Error, cx: &Cx<'_>) -> Result<(), Error> {
        let there = cx.ec2.describe_subnets(&[Filter::new("vpc-id", [&**self.vpc])]).await?;
        if named::own(&there, cx.name, &cx.site).is_some() {
            return Ok(());
        }
        let range = Ipv4Range::parse(&self.cidr);
        let in_the_way = there.iter().find(|one| {
            let other = one.cidr_block.as_deref().and_then(Ipv4Range::parse);
            other.zip(range).is_some_and(|(other, range)| other.overlaps(range))
        });
        Err(match in_the_way {
            Some(one) => {
                let range = one.cidr_block.as_deref().unwrap_or_default();
                let name = one.tags.get("Name").map_or("", |name| name.as_str());
                error.hint(format!("subnet {} has {range} ({name})", one.id()))
            }
            None => error,
        })
    }
}

fn live(subnet: Subnet, site: &Site) -> Ec2Subnet {
    let arn = site.arn("ec2", &site.region, &format!("subnet/{}", subnet.subnet_id));
    Ec2Subnet {
        vpc: Immutable(subnet.vpc_id.into()),
        cidr: Immutable(subnet.cidr_block.unwrap_or_default()),
        zone: subnet.availability_zone.map(Immutable),
        public_ip_on_launch: subnet.map_public_ip_on_launch,
        tags: Tags(subnet.tags),
        id: subnet.subnet_id.into(),
        arn: arn.into(),
        zone_id: subnet.availability_zone_id.into(),
        state: subnet.state.into(),
    }
}
