//! VPCs, their subnets, network interfaces and internet gateways.

use serde::Deserialize;

use super::query::Form;
use super::wire::{Filter, NetworkInterface, Reply, Subnet, Tags, Vpc, list, tags};
use super::{Client, Result};

/// A switch of a VPC that EC2 neither tells nor takes together with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VpcAttribute {
    DnsSupport,
    DnsHostnames,
}

impl VpcAttribute {
    fn name(self) -> &'static str {
        match self {
            Self::DnsSupport => "enableDnsSupport",
            Self::DnsHostnames => "enableDnsHostnames",
        }
    }

    fn parameter(self) -> &'static str {
        match self {
            Self::DnsSupport => "EnableDnsSupport.Value",
            Self::DnsHostnames => "EnableDnsHostnames.Value",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InternetGateway {
    pub internet_gateway_id: String,
    #[serde(rename = "attachmentSet", default, deserialize_with = "list")]
    pub attachments: Vec<GatewayAttachment>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayAttachment {
    pub vpc_id: String,
    /// `attaching`, `attached` or `available`, `detaching`, `detached`.
    pub state: Option<String>,
}

/// VPCs.
impl Client {
    /// The VPCs that pass all filters.
    pub async fn describe_vpcs(&self, filters: &[Filter]) -> Result<Vec<Vpc>> {
        self.filtered("DescribeVpcs", filters).await
    }

    /// How one switch of a VPC stands.
    pub async fn describe_vpc_attribute(
        &self,
        vpc_id: &str,
        attribute: VpcAttribute,
    ) -> Result<bool> {
        let form = Form::new("DescribeVpcAttribute")
            .with("VpcId", vpc_id)
            .with("Attribute", attribute.name());
        let told: ToldAttribute = self.call(form).await?;
        Ok(told.attribute.value)
    }

    /// Turns one switch of a VPC.
    pub async fn modify_vpc_attribute(
        &self,
        vpc_id: &str,
        attribute: VpcAttribute,
        value: bool,
    ) -> Result<()> {
        let form = Form::new("ModifyVpcAttribute").with("VpcId", vpc_id);
        self.ask(form.with(attribute.parameter(), &value)).await
    }

    /// Makes a VPC. EC2 has no token for this: look first whether a lost answer left one.
    pub async fn create_vpc(&self, cidr: &str, tenancy: Option<&str>, tags: &Tags) -> Result<()> {
        let form = Form::new("CreateVpc")
            .with("CidrBlock", cidr)
            .with("InstanceTenancy", &tenancy)
            .with_tags_for("vpc", tags);
        self.call_once::<Made>(form).await.map(drop)
    }

    /// Deletes a VPC that has nothing in it but what EC2 itself put there.
    pub async fn delete_vpc(&self, vpc_id: &str) -> Result<()> {
        self.ask(Form::new("DeleteVpc").with("VpcId", vpc_id)).await
    }
}

/// Subnets, and what stands in them.
impl Client {
    /// The subnets that pass all filters.
    pub async fn describe_subnets(&self, filters: &[Filter]) -> Result<Vec<Subnet>> {
        self.filtered("DescribeSubnets", filters).await
    }

    /// Makes a subnet. A range that another one has is an error of code `InvalidSubnet.Conflict`,
    /// so that no lost answer makes two.
    pub async fn create_subnet(
        &self,
        vpc_id: &str,
        cidr: &str,
        zone: Option<&str>,
        tags: &Tags,
    ) -> Result<()> {
        let form = Form::new("CreateSubnet")
            .with("VpcId", vpc_id)
            .with("CidrBlock", cidr)
            .with("AvailabilityZone", &zone)
            .with_tags_for("subnet", tags);
        self.call::<Made>(form).await.map(drop)
    }

    /// Whether instances that start in the subnet get public addresses.
    pub async fn map_public_ip_on_launch(&self, subnet_id: &str, value: bool) -> Result<()> {
        let form = Form::new("ModifySubnetAttribute").with("SubnetId", subnet_id);
        self.ask(form.with("MapPublicIpOnLaunch.Value", &value)).await
    }

    /// Deletes a subnet that nothing stands in.
    pub async fn delete_subnet(&self, subnet_id: &str) -> Result<()> {
        self.ask(Form::new("DeleteSubnet").with("SubnetId", subnet_id)).await
    }

    /// The network interfaces that pass all filters, such as the ones in a security group.
    pub async fn describe_network_interfaces(
        &self,
        filters: &[Filter],
    ) -> Result<Vec<NetworkInterface>> {
        self.filtered("DescribeNetworkInterfaces", filters).await
    }
}

/// Internet gateways.
impl Client {
    /// The internet gateways that pass all filters.
    pub async fn describe_internet_gateways(
        &self,
        filters: &[Filter],
    ) -> Result<Vec<InternetGateway>> {
        self.filtered("DescribeInternetGateways", filters).await
    }

    /// Makes an internet gateway. EC2 has no token for this: look first whether a lost answer left
    /// one.
    pub async fn create_internet_gateway(&self, tags: &Tags) -> Result<()> {
        let form = Form::new("CreateInternetGateway").with_tags_for("internet-gateway", tags);
        self.call_once::<Made>(form).await.map(drop)
    }

    /// Joins an internet gateway to a VPC.
    pub async fn attach_internet_gateway(&self, gateway_id: &str, vpc_id: &str) -> Result<()> {
        let form = Form::new("AttachInternetGateway").with("InternetGatewayId", gateway_id);
        self.ask(form.with("VpcId", vpc_id)).await
    }

    /// Parts an internet gateway from its VPC, in which no public address may be left.
    pub async fn detach_internet_gateway(&self, gateway_id: &str, vpc_id: &str) -> Result<()> {
        let form = Form::new("DetachInternetGateway").with("InternetGatewayId", gateway_id);
        self.ask(form.with("VpcId", vpc_id)).await
    }

    /// Deletes an internet gateway that is in no VPC.
    pub async fn delete_internet_gateway(&self, gateway_id: &str) -> Result<()> {
        self.ask(Form::new("DeleteInternetGateway").with("InternetGatewayId", gateway_id)).await
    }
}

/// The answer of a call that makes something whose state is read later.
#[derive(Debug, Deserialize)]
pub(super) struct Made {}

impl Reply for Made {}

#[derive(Debug, Deserialize)]
struct ToldAttribute {
    #[serde(alias = "enableDnsSupport", alias = "enableDnsHostnames")]
    attribute: Switch,
}

impl Reply for ToldAttribute {}

#[derive(Debug, Deserialize)]
struct Switch {
    value: bool,
}
