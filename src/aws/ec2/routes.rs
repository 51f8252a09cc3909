//! Route tables: routes, and the subnets that follow them.

use serde::Deserialize;

use super::networks::Made;
use super::query::Form;
use super::wire::{Filter, Tags, list, tags};
use super::{Client, Result, token};

/// The most route tables that EC2 tells in one answer.
const PAGE: i32 = 100;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteTable {
    pub route_table_id: String,
    pub vpc_id: String,
    #[serde(rename = "routeSet", default, deserialize_with = "list")]
    pub routes: Vec<Route>,
    #[serde(rename = "associationSet", default, deserialize_with = "list")]
    pub associations: Vec<RouteTableAssociation>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    pub destination_cidr_block: Option<String>,
    pub destination_ipv6_cidr_block: Option<String>,
    /// An internet gateway, a virtual private gateway, a gateway endpoint, or `local`.
    pub gateway_id: Option<String>,
    pub nat_gateway_id: Option<String>,
    pub transit_gateway_id: Option<String>,
    pub vpc_peering_connection_id: Option<String>,
    pub network_interface_id: Option<String>,
    /// `CreateRouteTable`, `CreateRoute`, or `EnableVgwRoutePropagation`.
    pub origin: Option<String>,
    /// `active`, or `blackhole` when what it leads to is gone.
    pub state: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteTableAssociation {
    #[serde(rename = "routeTableAssociationId")]
    pub association_id: String,
    pub route_table_id: Option<String>,
    pub subnet_id: Option<String>,
    /// The subnets that have no table of their own follow this one.
    #[serde(default)]
    pub main: bool,
}

/// The addresses that a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Ipv4(String),
    Ipv6(String),
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Gateway(String),
    NatGateway(String),
    TransitGateway(String),
    PeeringConnection(String),
    NetworkInterface(String),
}

impl Destination {
    fn put(&self, form: Form) -> Form {
        match self {
            Self::Ipv4(cidr) => form.with("DestinationCidrBlock", cidr),
            Self::Ipv6(cidr) => form.with("DestinationIpv6CidrBlock", cidr),
        }
    }
}

impl Target {
    fn put(&self, form: Form) -> Form {
        let (name, id) = match self {
            Self::Gateway(id) => ("GatewayId", id),
            Self::NatGateway(id) => ("NatGatewayId", id),
            Self::TransitGateway(id) => ("TransitGatewayId", id),
            Self::PeeringConnection(id) => ("VpcPeeringConnectionId", id),
            Self::NetworkInterface(id) => ("NetworkInterfaceId", id),
        };
        form.with(name, id)
    }
}

impl Client {
    /// The route tables that pass all filters.
    pub async fn describe_route_tables(&self, filters: &[Filter]) -> Result<Vec<RouteTable>> {
        let form = Form::new("DescribeRouteTables").with("Filter", filters);
        self.pages(form.with("MaxResults", &PAGE)).await
    }

    /// Makes a route table, with a route to the VPC itself in it.
    pub async fn create_route_table(&self, vpc_id: &str, tags: &Tags) -> Result<()> {
        let form = Form::new("CreateRouteTable")
            .with("VpcId", vpc_id)
            .with("ClientToken", token().as_str())
            .with_tags_for("route-table", tags);
        self.call::<Made>(form).await.map(drop)
    }

    /// Deletes a route table that no subnet follows.
    pub async fn delete_route_table(&self, table_id: &str) -> Result<()> {
        self.ask(Form::new("DeleteRouteTable").with("RouteTableId", table_id)).await
    }

    /// Adds a route. One to the same addresses is an error of code `RouteAlreadyExists`.
    pub async fn create_route(
        &self,
        table_id: &str,
        destination: &Destination,
        target: &Target,
    ) -> Result<()> {
        let form = Form::new("CreateRoute").with("RouteTableId", table_id);
        self.ask(target.put(destination.put(form))).await
    }

    /// Leads a route somewhere else.
    pub async fn replace_route(
        &self,
        table_id: &str,
        destination: &Destination,
        target: &Target,
    ) -> Result<()> {
        let form = Form::new("ReplaceRoute").with("RouteTableId", table_id);
        self.ask(target.put(destination.put(form))).await
    }

    /// Takes a route away.
    pub async fn delete_route(&self, table_id: &str, destination: &Destination) -> Result<()> {
        let form = Form::new("DeleteRoute").with("RouteTableId", table_id);
        self.ask(destination.put(form)).await
    }

    /// Makes a subnet follow a route table. One that follows another table already is an error of
    /// code `Resource.AlreadyAssociated`.
    pub async fn associate_route_table(&self, table_id: &str, subnet_id: &str) -> Result<()> {
        let form = Form::new("AssociateRouteTable").with("RouteTableId", table_id);
        self.call::<Made>(form.with("SubnetId", subnet_id)).await.map(drop)
    }

    /// Makes the subnet of an association follow another route table, without a moment between.
    pub async fn replace_route_table_association(
        &self,
        association_id: &str,
        table_id: &str,
    ) -> Result<()> {
        let form = Form::new("ReplaceRouteTableAssociation").with("AssociationId", association_id);
        self.call::<Made>(form.with("RouteTableId", table_id)).await.map(drop)
    }

    /// Makes a subnet follow the VPC's main route table again.
    pub async fn disassociate_route_table(&self, association_id: &str) -> Result<()> {
        self.ask(Form::new("DisassociateRouteTable").with("AssociationId", association_id)).await
    }
}
