//! NAT gateways and Elastic IP addresses.

use serde::Deserialize;

use super::networks::Made;
use super::query::Form;
use super::wire::{Filter, Reply, Tags, list, tags};
use super::{Client, Result, token};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NatGateway {
    pub nat_gateway_id: String,
    pub subnet_id: Option<String>,
    pub vpc_id: Option<String>,
    /// `pending`, `available`, `failed`, `deleting`; `deleted` is told for an hour.
    pub state: String,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    /// `public` or `private`.
    pub connectivity_type: Option<String>,
    #[serde(rename = "natGatewayAddressSet", default, deserialize_with = "list")]
    pub addresses: Vec<NatGatewayAddress>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NatGatewayAddress {
    pub allocation_id: Option<String>,
    pub public_ip: Option<String>,
    pub private_ip: Option<String>,
    /// It may have others beside its first.
    pub is_primary: Option<bool>,
}

/// An Elastic IP address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    pub allocation_id: Option<String>,
    pub association_id: Option<String>,
    pub public_ip: Option<String>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

/// NAT gateways.
impl Client {
    /// The NAT gateways that pass all filters, those among them that are gone.
    pub async fn describe_nat_gateways(&self, filters: &[Filter]) -> Result<Vec<NatGateway>> {
        self.filtered("DescribeNatGateways", filters).await
    }

    /// Makes a NAT gateway: a public one has an allocated address, a private one has none.
    pub async fn create_nat_gateway(
        &self,
        subnet_id: &str,
        allocation_id: Option<&str>,
        tags: &Tags,
    ) -> Result<()> {
        let connectivity = if allocation_id.is_some() { "public" } else { "private" };
        let form = Form::new("CreateNatGateway")
            .with("SubnetId", subnet_id)
            .with("AllocationId", &allocation_id)
            .with("ConnectivityType", connectivity)
            .with("ClientToken", token().as_str())
            .with_tags_for("natgateway", tags);
        self.call::<Made>(form).await.map(drop)
    }

    /// Deletes a NAT gateway. Its address stays allocated, and routes that lead to it stay.
    pub async fn delete_nat_gateway(&self, gateway_id: &str) -> Result<()> {
        self.call::<Made>(Form::new("DeleteNatGateway").with("NatGatewayId", gateway_id))
            .await
            .map(drop)
    }
}

/// Elastic IP addresses.
impl Client {
    /// The addresses of the account that pass all filters.
    pub async fn describe_addresses(&self, filters: &[Filter]) -> Result<Vec<Address>> {
        self.pages(Form::new("DescribeAddresses").with("Filter", filters)).await
    }

    /// Allocates an address and returns its id. EC2 has no token for this: look first whether a
    /// lost answer left one.
    pub async fn allocate_address(&self, tags: &Tags) -> Result<String> {
        let form =
            Form::new("AllocateAddress").with("Domain", "vpc").with_tags_for("elastic-ip", tags);
        let allocated: Allocated = self.call_once(form).await?;
        Ok(allocated.allocation_id)
    }

    /// Gives an address back. One in use is an error of code `InvalidIPAddress.InUse`.
    pub async fn release_address(&self, allocation_id: &str) -> Result<()> {
        self.ask(Form::new("ReleaseAddress").with("AllocationId", allocation_id)).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Allocated {
    allocation_id: String,
}

impl Reply for Allocated {}
