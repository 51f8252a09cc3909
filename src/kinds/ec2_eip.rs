//! A public address that stays the same.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Address, Filter, Result as Ec2Result};
use crate::aws::named::{self, christen, known, retag};
use crate::aws::vault::PART_OF;
use crate::aws::{Aws, Error, gone_is_fine};
use crate::field::{Computed, Tags};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};

/// An Elastic IP address: one that others may put on their lists, because it stays when what has it
/// is made anew. A NAT gateway takes it by `allocation: ${key.id}`. It costs by the hour, and once
/// given back it is gone: AWS refuses that only while something has it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2Eip {
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `eipalloc-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:elastic-ip/eipalloc-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The address itself: `203.0.113.7`.
    #[serde(default)]
    pub ip: Computed<String>,
}

impl Kind for Ec2Eip {
    const EXAMPLE: &'static str = "
lake-way-out:
  kind: ec2_eip
  tags: { Partner: bank }
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeAddresses"], ANY)],
        write: &[
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
        delete: &[Grant::of(&["ec2:ReleaseAddress"], &["ec2:{region}:{account}:elastic-ip/*"])
            .when(When::Owned)],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let addresses = addresses(aws, &[]).await?;
        let found = named::wanted(&addresses, wanted, &aws.site)?.into_iter();
        Ok(found.map(|(name, address)| Found { name, fields: live(address, &aws.site) }).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        named::owned(aws, "elastic-ip/", async || addresses(aws, &own(&aws.site)).await).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(named::names(&addresses(aws, &[]).await?, |_| false))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        let there = addresses(cx.aws, &own(&cx.site)).await?;
        if named::own(&there, cx.name, &cx.site).is_none() {
            cx.ec2.allocate_address(&self.tags).await?;
        }
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        retag(cx, known(&live.id)?, &self.tags, &live.tags).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        gone_is_fine(cx.ec2.release_address(known(&self.id)?).await)
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        christen(&mut self.tags, name);
    }
}

fn own(site: &Site) -> [Filter; 1] {
    [Filter::new("tag:lagoa:stack", [site.stack.as_str()])]
}

/// The addresses that stand for themselves: a NAT gateway's own belongs to the gateway, and bears
/// its name.
async fn addresses(aws: &Aws, filters: &[Filter]) -> Ec2Result<Vec<Address>> {
    let mut addresses = aws.ec2.describe_addresses(filters).await?;
    addresses.retain(|one| one.allocation_id.is_some() && !one.tags.contains_key(PART_OF));
    Ok(addresses)
}

fn live(address: Address, site: &Site) -> Ec2Eip {
    let id = address.allocation_id;
    let arn = |id: &String| site.arn("ec2", &site.region, &format!("elastic-ip/{id}"));
    Ec2Eip {
        tags: Tags(address.tags),
        arn: id.as_ref().map(arn).into(),
        id: id.into(),
        ip: address.public_ip.into(),
    }
}
