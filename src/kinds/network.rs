//! A whole network in a few lines. It is no kind of AWS's: a stack puts the resources that it means in
//! its place before anything is planned.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error};
use crate::cidr::Ipv4Range;
use crate::field::Tags;
use crate::kind::{Access, Cx, Farewell, Found, Kind, Wanted};

/// A network: short for a VPC with an internet gateway, a public and a private subnet in each
/// availability zone, their route tables, NAT gateways, and an endpoint for S3. The plan shows each
/// of them, named after the network: `lake-vpc`, `lake-internet-gateway`, `lake-public-a`,
/// `lake-private-a`, `lake-public-routes`, `lake-private-routes-a`, `lake-nat-a`, `lake-s3`.
///
/// Others refer to it by its key: `vpc: lake` is its VPC, `subnets: lake` all of its private
/// subnets, `depends_on: [lake]` everything in it, NAT gateways too. There are also `${lake.vpc}`,
/// and for lists `${lake.private_subnets}`, `${lake.public_subnets}`,
/// `${lake.private_route_tables}` and `${lake.public_route_tables}`.
///
/// Each private subnet has an eighth of the addresses, each public one a thirty-second part; both
/// keep them when zones come or go. `tags`, `protect`, `on_destroy`, `adopt` and `depends_on` hold
/// for everything in it. Subnets carry the tags by which EKS finds them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its range of IPv4 addresses, from a /16 to a /23.
    #[serde(default = "cidr")]
    pub cidr: String,
    /// The availability zones: how many, from `a` on, or which ones, such as `[a, c]`; at most six,
    /// from `a` to `f`.
    #[serde(default)]
    pub zones: Zones,
    /// How machines in private subnets reach the internet.
    #[serde(default)]
    pub nat: Nat,
    /// Whether traffic to S3 takes a way of its own, which costs nothing.
    #[serde(default = "yes")]
    pub s3_endpoint: bool,
    /// Tags for everything in it, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
}

/// Availability zones of the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Zones {
    /// So many, from `a` on.
    Count(u8),
    /// These, by their letters.
    Letters(BTreeSet<String>),
}

impl Default for Zones {
    fn default() -> Self {
        Self::Count(2)
    }
}

/// Ways out for machines without public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nat {
    /// One NAT gateway, in the first zone: all zones depend on that one.
    #[default]
    One,
    /// None: nothing in a private subnet reaches the internet.
    None,
    /// One in each zone.
    Each,
}

/// The zones that a network may have.
const LETTERS: &str = "abcdef";

fn cidr() -> String {
    "10.0.0.0/16".to_owned()
}

fn yes() -> bool {
    true
}

impl Zones {
    /// The letters, each with its number; a zone has its number whatever other zones there are.
    pub fn numbered(&self) -> Vec<(u32, char)> {
        let all = (0..).zip(LETTERS.chars());
        match self {
            Self::Count(count) => all.take(usize::from(*count)).collect(),
            Self::Letters(letters) => {
                all.filter(|(_, letter)| letters.contains(&letter.to_string())).collect()
            }
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::Count(1..=6) => None,
            Self::Count(count) => Some(format!("{count} zones: a network has from 1 to 6")),
            Self::Letters(letters) if letters.is_empty() => {
                Some("a network has one zone at least".to_owned())
            }
            Self::Letters(letters) => {
                let known = |one: &&String| one.len() == 1 && LETTERS.contains(one.as_str());
                let odd = letters.iter().find(|one| !known(one))?;
                Some(format!("`{odd}` is no zone: write its letter, from a to f"))
            }
        }
    }
}

impl Network {
    /// The range of the private subnet of a zone.
    pub fn private(&self, zone: u32) -> Option<Ipv4Range> {
        Ipv4Range::parse(&self.cidr)?.part(3, zone)
    }

    /// The range of the public subnet of a zone; all of them lie in the last quarter.
    pub fn public(&self, zone: u32) -> Option<Ipv4Range> {
        Ipv4Range::parse(&self.cidr)?.part(5, 24 + zone)
    }
}

impl Kind for Network {
    const EXAMPLE: &'static str = "
lake:
  kind: network
  cidr: 10.0.0.0/16
  zones: 2
  nat: one

lake-databases:
  kind: rds_subnet_group
  subnets: lake

lake-clients:
  kind: ec2_security_group
  vpc: lake
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,230}$";
    const ACCESS: Access = Access::NONE;

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let fits = |range: Ipv4Range| (16..=23).contains(&range.prefix());
        if !Ipv4Range::parse(&self.cidr).is_some_and(fits) {
            let shown = crate::reference::shown(&self.cidr);
            let message = format!(
                "`{shown}` is no range for a network: write one from a /16 to a /23, such as \
                 10.0.0.0/16"
            );
            wrong.push(("cidr".to_owned(), message));
        }
        wrong.extend(self.zones.problem().map(|message| ("zones".to_owned(), message)));
        wrong
    }

    // Resources stand in its place before anything is read or made.

    async fn read(_: &Aws, _: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        Ok(Vec::new())
    }

    async fn owned(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn names(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn create(&self, _: &Cx<'_>) -> Result<(), Error> {
        Err(Error::internal("a network has no verbs"))
    }

    async fn update(&self, _: &Self, _: &Cx<'_>) -> Result<(), Error> {
        Err(Error::internal("a network has no verbs"))
    }

    async fn delete(&self, _: &Farewell, _: &Cx<'_>) -> Result<(), Error> {
        Err(Error::internal("a network has no verbs"))
    }
}
