//! One route, as people write it and as EC2 keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Destination, Route as Told, Target};
use crate::aws::named::not_visible_yet;
use crate::aws::{Class, Error, gone_is_fine};
use crate::cidr;
use crate::field::{InternetGatewayId, NatGatewayId};
use crate::kind::Cx;
use crate::reference::{is_marked, shown};

/// Leads traffic for some addresses to one target: `gateway`, `nat_gateway`, `transit_gateway`,
/// `peering_connection` or `network_interface`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Route {
    /// The addresses that it is for, IPv4 or IPv6; `0.0.0.0/0` is all that no other route is for.
    pub cidr: String,
    /// An internet gateway by key or id, or a virtual private gateway by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<InternetGatewayId>,
    /// A NAT gateway by key or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat_gateway: Option<NatGatewayId>,
    /// Id of a transit gateway: `tgw-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit_gateway: Option<String>,
    /// Id of a peering connection: `pcx-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peering_connection: Option<String>,
    /// Id of a network interface: `eni-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_interface: Option<String>,
}

impl Route {
    /// The route as EC2 has it; `None` for one that isn't the stack's to decide: to the VPC itself,
    /// of a gateway endpoint, told by a virtual private gateway.
    pub fn from_aws(told: &Told) -> Option<Self> {
        let of_ec2 = matches!(
            told.origin.as_deref(),
            Some("CreateRouteTable" | "EnableVgwRoutePropagation")
        );
        let local = told.gateway_id.as_deref() == Some("local");
        let cidr = told.destination_cidr_block.clone();
        let cidr = cidr.or_else(|| told.destination_ipv6_cidr_block.clone())?;
        (!of_ec2 && !local).then(|| Self {
            cidr,
            gateway: told.gateway_id.clone().map(Into::into),
            nat_gateway: told.nat_gateway_id.clone().map(Into::into),
            transit_gateway: told.transit_gateway_id.clone(),
            peering_connection: told.vpc_peering_connection_id.clone(),
            network_interface: told.network_interface_id.clone(),
        })
    }

    /// The spelling that routes are compared in.
    pub fn canonical(self) -> Self {
        let cidr = cidr::canonical(&self.cidr).unwrap_or_else(|_| self.cidr.clone());
        Self { cidr, ..self }
    }

    fn destination(&self) -> Destination {
        let cidr = self.cidr.clone();
        if cidr.contains(':') { Destination::Ipv6(cidr) } else { Destination::Ipv4(cidr) }
    }

    fn targets(&self) -> Vec<Target> {
        let gateway = self.gateway.as_ref().map(|id| Target::Gateway(id.0.clone()));
        let nat = self.nat_gateway.as_ref().map(|id| Target::NatGateway(id.0.clone()));
        let transit = self.transit_gateway.clone().map(Target::TransitGateway);
        let peering = self.peering_connection.clone().map(Target::PeeringConnection);
        let interface = self.network_interface.clone().map(Target::NetworkInterface);
        [gateway, nat, transit, peering, interface].into_iter().flatten().collect()
    }

    /// What is wrong with the route as it is written, each with its remedy.
    pub fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !is_marked(&self.cidr) {
            wrong.extend(cidr::canonical(&self.cidr).err());
        }
        if self.targets().len() != 1 {
            wrong.push(
                "a route leads to one target: write exactly one of `gateway`, `nat_gateway`, \
                 `transit_gateway`, `peering_connection` and `network_interface`"
                    .to_owned(),
            );
        }
        wrong
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.cidr))
    }
}

/// Turns the live routes of a table into the desired ones.
pub async fn converge(
    cx: &Cx<'_>,
    table: &str,
    desired: &BTreeSet<Route>,
    live: &BTreeSet<Route>,
) -> Result<(), Error> {
    let by_cidr = |routes: &BTreeSet<Route>| -> BTreeMap<String, Route> {
        let routes = routes.iter().cloned().map(Route::canonical);
        routes.map(|route| (route.cidr.clone(), route)).collect()
    };
    let (desired, live) = (by_cidr(desired), by_cidr(live));
    for (cidr, route) in desired.iter().filter(|(cidr, route)| live.get(*cidr) != Some(*route)) {
        let target = route.targets().into_iter().next();
        let target =
            target.ok_or_else(|| Error::internal(format!("route {route} leads nowhere")))?;
        let (to, replaces) = (route.destination(), live.contains_key(cidr));
        lead(cx, table, &to, &target, replaces).await.map_err(not_visible_yet)?;
    }
    for route in live.iter().filter(|(cidr, _)| !desired.contains_key(*cidr)).map(|(_, one)| one) {
        gone_is_fine(cx.ec2.delete_route(table, &route.destination()).await)?;
    }
    Ok(())
}

/// Makes a route, or leads one that is there somewhere else.
async fn lead(
    cx: &Cx<'_>,
    table: &str,
    to: &Destination,
    target: &Target,
    replaces: bool,
) -> Result<(), Error> {
    if !replaces {
        match cx.ec2.create_route(table, to, target).await.map_err(Error::from) {
            // The answer of an earlier call was lost, or somebody else was quicker.
            Err(error) if error.class == Class::Already => {}
            answer => return answer,
        }
    }
    Ok(cx.ec2.replace_route(table, to, target).await?)
}
