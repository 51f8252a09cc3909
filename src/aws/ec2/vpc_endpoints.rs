//! VPC endpoints.

use serde::Deserialize;

use super::networks::Made;
use super::query::Form;
use super::wire::{Filter, Reply, Tags, list, tags};
use super::{Client, Result, token};
use crate::aws::refusal::Refusal;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEndpoint {
    pub vpc_endpoint_id: String,
    /// `Gateway`, `Interface`, …
    pub vpc_endpoint_type: Option<String>,
    pub vpc_id: String,
    pub service_name: String,
    /// In capitals or not, whatever the documentation says.
    pub state: Option<String>,
    pub policy_document: Option<String>,
    #[serde(default)]
    pub private_dns_enabled: bool,
    #[serde(rename = "routeTableIdSet", default, deserialize_with = "list")]
    pub route_table_ids: Vec<String>,
    #[serde(rename = "subnetIdSet", default, deserialize_with = "list")]
    pub subnet_ids: Vec<String>,
    #[serde(rename = "groupSet", default, deserialize_with = "list")]
    groups: Vec<Group>,
    #[serde(rename = "dnsEntrySet", default, deserialize_with = "list")]
    dns_entries: Vec<DnsEntry>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    group_id: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DnsEntry {
    dns_name: Option<String>,
}

impl VpcEndpoint {
    /// The ids of its security groups.
    pub fn group_ids(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.group_id.as_str())
    }

    /// The name that it answers to in every zone.
    pub fn dns_name(&self) -> Option<&str> {
        self.dns_entries.first()?.dns_name.as_deref()
    }
}

/// What an endpoint is made with.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint<'a> {
    pub vpc_id: &'a str,
    pub service_name: &'a str,
    pub endpoint_type: &'a str,
    pub policy: Option<String>,
    pub private_dns: Option<bool>,
    pub route_table_ids: Vec<String>,
    pub subnet_ids: Vec<String>,
    pub group_ids: Vec<String>,
}

/// What an endpoint gets and loses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointChange {
    pub policy: Option<String>,
    pub private_dns: Option<bool>,
    /// Added and removed.
    pub route_table_ids: (Vec<String>, Vec<String>),
    /// Added and removed.
    pub subnet_ids: (Vec<String>, Vec<String>),
    /// Added and removed.
    pub group_ids: (Vec<String>, Vec<String>),
}

impl Client {
    /// The endpoints that pass all filters.
    pub async fn describe_vpc_endpoints(&self, filters: &[Filter]) -> Result<Vec<VpcEndpoint>> {
        self.filtered("DescribeVpcEndpoints", filters).await
    }

    /// Makes an endpoint.
    pub async fn create_vpc_endpoint(&self, new: &NewEndpoint<'_>, tags: &Tags) -> Result<()> {
        let form = Form::new("CreateVpcEndpoint")
            .with("VpcEndpointType", new.endpoint_type)
            .with("VpcId", new.vpc_id)
            .with("ServiceName", new.service_name)
            .with("PolicyDocument", &new.policy)
            .with("PrivateDnsEnabled", &new.private_dns)
            .with("RouteTableId", &new.route_table_ids)
            .with("SubnetId", &new.subnet_ids)
            .with("SecurityGroupId", &new.group_ids)
            .with("ClientToken", token().as_str())
            .with_tags_for("vpc-endpoint", tags);
        self.call::<Made>(form).await.map(drop)
    }

    /// Changes an endpoint in place.
    pub async fn modify_vpc_endpoint(&self, id: &str, change: &EndpointChange) -> Result<()> {
        if *change == EndpointChange::default() {
            return Ok(());
        }
        let form = Form::new("ModifyVpcEndpoint")
            .with("VpcEndpointId", id)
            .with("PolicyDocument", &change.policy)
            .with("PrivateDnsEnabled", &change.private_dns)
            .with("AddRouteTableId", &change.route_table_ids.0)
            .with("RemoveRouteTableId", &change.route_table_ids.1)
            .with("AddSubnetId", &change.subnet_ids.0)
            .with("RemoveSubnetId", &change.subnet_ids.1)
            .with("AddSecurityGroupId", &change.group_ids.0)
            .with("RemoveSecurityGroupId", &change.group_ids.1);
        self.ask(form).await
    }

    /// Deletes an endpoint.
    pub async fn delete_vpc_endpoint(&self, id: &str) -> Result<()> {
        let form = Form::new("DeleteVpcEndpoints").with("VpcEndpointId", &[id.to_owned()][..]);
        self.call::<Unsuccessful>(form).await.map(drop)
    }
}

/// EC2 says yes to a batch, and lists in the answer what it didn't do.
#[derive(Debug, Deserialize)]
struct Unsuccessful {
    #[serde(rename = "unsuccessful", default, deserialize_with = "list")]
    items: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: Option<Reason>,
}

#[derive(Debug, Deserialize)]
struct Reason {
    code: Option<String>,
    message: Option<String>,
}

impl Reply for Unsuccessful {
    fn refusal(&self) -> Option<Refusal> {
        let refused = self.items.first()?;
        let reason = refused.error.as_ref();
        let message = reason.and_then(|reason| reason.message.clone());
        let code = reason.and_then(|reason| reason.code.as_deref());
        Some(Refusal::new(code, message.unwrap_or_else(|| "it was not deleted".to_owned())))
    }
}
