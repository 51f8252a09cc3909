//! The way out for machines without public addresses.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Address, Filter, NatGateway};
use crate::aws::named::{self, Named, christen, known, not_visible_yet, retag};
use crate::aws::vault::PART_OF;
use crate::aws::{Aws, Error, gone_is_fine};
use crate::field::{Computed, Immutable, SubnetId, Tags};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};

/// A NAT gateway: lets machines without public addresses reach the internet, and nobody reach them.
/// It costs by the hour and by the gigabyte. A public one stands in a public subnet, and needs the
/// VPC's internet gateway before it: name that under `depends_on`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2NatGateway {
    /// The subnet that it stands in, by key or id.
    pub subnet: Immutable<SubnetId>,
    /// Whether it leads to the internet; `public` unless given.
    pub connectivity: Option<Immutable<Connectivity>>,
    /// Id of an Elastic IP address that is to be its own: `eipalloc-…`. Without one lagoa allocates an
    /// address for a public gateway, and gives it back when the gateway goes.
    pub allocation: Option<Immutable<String>>,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `nat-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:natgateway/nat-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The address that the internet sees.
    #[serde(default)]
    pub public_ip: Computed<String>,
    /// Its address in the VPC.
    #[serde(default)]
    pub private_ip: Computed<String>,
    /// EC2's word for how it is: `available`.
    #[serde(default)]
    pub state: Computed<String>,
    /// Why it failed, in EC2's words.
    #[serde(default)]
    pub failure: Computed<String>,
    /// The address that lagoa allocated for it.
    #[serde(default)]
    pub own_allocation: Computed<String>,
}

/// Where a NAT gateway leads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Connectivity {
    /// To the internet.
    Public,
    /// To other networks, over a transit gateway or a peering connection.
    Private,
}

thread_local! {
    /// Names of the gateways that this run has made: one that EC2 doesn't show yet isn't gone, though
    /// its address shows.
    static MADE: RefCell<BTreeSet<String>> = RefCell::default();
}

fn is_new(name: &str) -> bool {
    MADE.with_borrow(|made| made.contains(name))
}

/// The state that lagoa gives to what is left of a gateway that is gone: the address it allocated.
const LEFT_OVER: &str = "gone but for its address";

/// Part of the tag `lagoa:part-of` on such an address.
const KIND: &str = "ec2_nat_gateway";

impl Kind for Ec2NatGateway {
    const EXAMPLE: &'static str = "
lake-nat-a:
  kind: ec2_nat_gateway
  subnet: lake-public-a
  depends_on: [lake-internet-gateway]

lake-public-a:
  kind: ec2_subnet
  vpc: lake-vpc
  cidr: 10.0.0.0/24

lake-internet-gateway:
  kind: ec2_internet_gateway
  vpc: lake-vpc

lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeAddresses", "ec2:DescribeNatGateways"], ANY)],
        write: &[
            Grant::of(&["ec2:CreateNatGateway"], &["ec2:{region}:{account}:natgateway/*"])
                .when(When::Marked),
            Grant::of(
                &["ec2:CreateNatGateway"],
                &["ec2:{region}:{account}:elastic-ip/*", "ec2:{region}:{account}:subnet/*"],
            ),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:natgateway/*"])
                .when(When::Made(&["CreateNatGateway"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteTags"],
                &["ec2:{region}:{account}:natgateway/*"],
            )
            .when(When::Owned),
            Grant::of(&["ec2:AllocateAddress"], &["ec2:{region}:{account}:elastic-ip/*"])
                .when(When::Marked),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:elastic-ip/*"])
                .when(When::Made(&["AllocateAddress"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteTags"],
                &["ec2:{region}:{account}:elastic-ip/*"],
            )
            .when(When::Owned),
        ],
        delete: &[
            Grant::of(&["ec2:DeleteNatGateway"], &["ec2:{region}:{account}:natgateway/*"])
                .when(When::Owned),
            Grant::of(&["ec2:ReleaseAddress"], &["ec2:{region}:{account}:elastic-ip/*"])
                .when(When::Owned),
        ],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(105, 50);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let gateways = standing(aws).await?;
        let found = named::wanted(&gateways, wanted, &aws.site)?;
        let is_missing = |one: &&Wanted<Self>| !found.iter().any(|(name, _)| *name == one.name);
        let missing = wanted.iter().filter(is_missing).filter(|one| !is_new(&one.name));
        let missing: Vec<&str> = missing.map(|one| one.name.as_str()).collect();
        let own = found.iter().any(|(_, gateway)| gateway.state != "pending");
        let addresses = if own || !missing.is_empty() { own_addresses(aws).await? } else { vec![] };
        let left = missing.into_iter().filter_map(|name| {
            let address = named::own(&addresses, name, &aws.site)?;
            Some(Found { name: name.to_owned(), fields: left_over(address) })
        });
        let left: Vec<_> = left.collect();
        let standing = found.into_iter().map(|(name, gateway)| {
            let fields = live(gateway, &addresses, &aws.site);
            Found { name, fields }
        });
        Ok(standing.chain(left).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut names = named::owned(aws, "natgateway/", async || standing(aws).await).await?;
        if !aws.swept_parts("ec2", "elastic-ip/").await?.is_empty() {
            let addresses = own_addresses(aws).await?;
            names.extend(addresses.iter().filter_map(|one| Some(one.own_name()?.to_owned())));
            names.sort();
            names.dedup();
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(named::names(&standing(aws).await?, |_| false))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        let there = standing(cx.aws).await?;
        if named::own(&there, cx.name, &cx.site).is_some_and(|one| !one.leaving()) {
            return Ok(());
        }
        let allocation = match &self.allocation {
            _ if self.is_private() => None,
            Some(given) => Some(given.0.clone()),
            None => Some(self.own_address(cx).await?),
        };
        let made = cx.ec2.create_nat_gateway(&self.subnet, allocation.as_deref(), &self.tags).await;
        made.map_err(not_visible_yet)?;
        MADE.with_borrow_mut(|made| made.insert(cx.name.to_owned()));
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        retag(cx, known(&live.id)?, &self.tags, &live.tags).await?;
        if let Some(address) = live.own_allocation.as_deref() {
            retag(cx, address, &self.address_tags(), &live.address_tags()).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        match self.id.as_deref() {
            Some(id) => gone_is_fine(cx.ec2.delete_nat_gateway(id).await),
            // An address can be given back once its gateway is gone.
            None => {
                let address = known(&self.own_allocation)?;
                gone_is_fine(cx.ec2.release_address(address).await)
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref() {
            Some(word @ ("pending" | "deleting")) => Phase::Pending(word.to_owned()),
            Some("failed") => {
                let why = self.failure.as_deref().unwrap_or("EC2 doesn't say why");
                Phase::Failed(format!("failed: {why}"))
            }
            Some(LEFT_OVER) => Phase::Failed(LEFT_OVER.to_owned()),
            _ => Phase::Ready,
        }
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        christen(&mut self.tags, name);
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        if self.is_private() && self.allocation.is_some() {
            let message = "a private gateway has no public address: leave out `allocation`";
            return vec![("allocation".to_owned(), message.to_owned())];
        }
        Vec::new()
    }
}

impl Ec2NatGateway {
    fn is_private(&self) -> bool {
        self.connectivity == Some(Immutable(Connectivity::Private))
    }

    /// The address that lagoa allocated for this gateway, or a new one.
    async fn own_address(&self, cx: &Cx<'_>) -> Result<String, Error> {
        let there = own_addresses(cx.aws).await?;
        if let Some(address) = named::own(&there, cx.name, &cx.site) {
            return Ok(address.id().to_owned());
        }
        Ok(cx.ec2.allocate_address(&self.address_tags()).await?)
    }

    /// The tags of the address: those of the gateway, and whose part it is.
    fn address_tags(&self) -> Tags {
        let mut tags = self.tags.clone();
        tags.0.insert(PART_OF.to_owned(), KIND.to_owned());
        tags
    }
}

/// The gateways that aren't gone: EC2 tells of others for an hour.
async fn standing(aws: &Aws) -> crate::aws::ec2::Result<Vec<NatGateway>> {
    let mut gateways = aws.ec2.describe_nat_gateways(&[]).await?;
    gateways.retain(|one| one.state != "deleted");
    Ok(gateways)
}

/// The addresses that lagoa allocated for gateways of this stack.
async fn own_addresses(aws: &Aws) -> Result<Vec<Address>, Error> {
    let stack = Filter::new("tag:lagoa:stack", [aws.site.stack.as_str()]);
    let part = Filter::new(format!("tag:{PART_OF}"), [KIND]);
    Ok(aws.ec2.describe_addresses(&[stack, part]).await?)
}

fn live(gateway: NatGateway, addresses: &[Address], site: &Site) -> Ec2NatGateway {
    let id = gateway.nat_gateway_id;
    // Those that somebody added to it aren't what it was made with.
    let address = gateway.addresses.into_iter().min_by_key(|one| one.is_primary == Some(false));
    let allocation = address.as_ref().and_then(|one| one.allocation_id.clone());
    let own = addresses.iter().any(|one| one.allocation_id == allocation && allocation.is_some());
    let connectivity = match gateway.connectivity_type.as_deref() {
        Some("private") => Connectivity::Private,
        _ => Connectivity::Public,
    };
    let failure = [gateway.failure_code, gateway.failure_message].into_iter().flatten();
    let failure = failure.collect::<Vec<_>>().join(": ");
    Ec2NatGateway {
        subnet: Immutable(gateway.subnet_id.unwrap_or_default().into()),
        connectivity: Some(Immutable(connectivity)),
        allocation: allocation.clone().map(Immutable),
        tags: Tags(gateway.tags),
        arn: site.arn("ec2", &site.region, &format!("natgateway/{id}")).into(),
        id: id.into(),
        public_ip: address.as_ref().and_then(|one| one.public_ip.clone()).into(),
        private_ip: address.and_then(|one| one.private_ip).into(),
        state: gateway.state.into(),
        failure: Some(failure).filter(|text| !text.is_empty()).into(),
        own_allocation: allocation.filter(|_| own).into(),
    }
}

/// What is left of a gateway that is gone.
fn left_over(address: &Address) -> Ec2NatGateway {
    let tags = address.tags.iter().filter(|(key, _)| *key != PART_OF);
    Ec2NatGateway {
        subnet: Immutable::default(),
        connectivity: None,
        allocation: None,
        tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
        id: Computed::default(),
        arn: Computed::default(),
        public_ip: address.public_ip.clone().into(),
        private_ip: Computed::default(),
        state: LEFT_OVER.to_owned().into(),
        failure: Computed::default(),
        own_allocation: address.allocation_id.clone().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::NatGatewayAddress;

    fn gateway(state: &str) -> NatGateway {
        NatGateway {
            nat_gateway_id: "nat-1".to_owned(),
            subnet_id: Some("subnet-1".to_owned()),
            vpc_id: None,
            state: state.to_owned(),
            failure_code: Some("Gateway.NotAttached".to_owned()),
            failure_message: Some("no internet gateway".to_owned()),
            connectivity_type: None,
            addresses: Vec::new(),
            tags: Default::default(),
        }
    }

    fn site() -> Site {
        let text = str::to_owned;
        Site { partition: text("aws"), account: text("1"), region: text("r"), stack: text("s") }
    }

    #[test]
    fn the_address_it_was_made_with_counts() {
        let address = |id: &str, is_primary| NatGatewayAddress {
            allocation_id: Some(id.to_owned()),
            public_ip: None,
            private_ip: None,
            is_primary,
        };
        for (first, second, expected) in
            [(Some(false), Some(true), "eipalloc-2"), (None, None, "eipalloc-1")]
        {
            let addresses = vec![address("eipalloc-1", first), address("eipalloc-2", second)];
            let fields = live(NatGateway { addresses, ..gateway("available") }, &[], &site());
            assert_eq!(fields.allocation, Some(Immutable(expected.to_owned())));
        }
    }

    #[test]
    fn a_failed_gateway_says_why() {
        let phase = |state| live(gateway(state), &[], &site()).phase();
        let why = "failed: Gateway.NotAttached: no internet gateway";
        assert_eq!(phase("failed"), Phase::Failed(why.to_owned()));
        assert_eq!(phase("deleting"), Phase::Pending("deleting".to_owned()));
        assert_eq!(phase("available"), Phase::Ready);
    }
}
