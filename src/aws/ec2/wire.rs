//! What EC2 is told and what it answers: only the members that lagoa uses.

use std::collections::BTreeMap;
use std::fmt::Debug;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::aws::refusal::Refusal;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Lets through what has one of the values under a name, such as `vpc-id` or `tag:lagoa:stack`.
/// EC2 takes 200 values in one request, over all its filters.
#[derive(Clone, Debug)]
pub struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

impl Filter {
    pub fn new<V: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self { name: name.into(), values: values.into_iter().map(Into::into).collect() }
    }
}

/// Which way traffic goes through a security group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Ingress,
    Egress,
}

/// One rule to be made: one protocol, one range of ports, one peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPermission {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub protocol: String,
    /// The first port, or the ICMP type.
    pub from_port: Option<i32>,
    /// The last port, or the ICMP code.
    pub to_port: Option<i32>,
    pub peer: Peer,
    pub description: Option<String>,
}

/// Who a rule lets in or lets us reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    Ipv4(String),
    Ipv6(String),
    PrefixList(String),
    /// Whatever is in a security group; `user_id` is the account that has it, when not ours.
    Group {
        group_id: String,
        user_id: Option<String>,
    },
}

/// The algorithm of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Rsa,
    Ed25519,
}

impl KeyType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// How EC2 writes down the private key it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    Pem,
    /// For PuTTY.
    Ppk,
}

impl KeyFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Ppk => "ppk",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vpc {
    pub vpc_id: String,
    pub state: Option<String>,
    pub cidr_block: Option<String>,
    pub instance_tenancy: Option<String>,
    #[serde(default)]
    pub is_default: bool,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    pub subnet_id: String,
    pub vpc_id: String,
    pub state: Option<String>,
    pub cidr_block: Option<String>,
    pub availability_zone: Option<String>,
    pub availability_zone_id: Option<String>,
    #[serde(default)]
    pub default_for_az: bool,
    #[serde(default)]
    pub map_public_ip_on_launch: bool,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroup {
    pub group_id: String,
    pub group_name: String,
    #[serde(rename = "groupDescription", default)]
    pub description: String,
    pub owner_id: Option<String>,
    pub vpc_id: Option<String>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupRule {
    #[serde(rename = "securityGroupRuleId")]
    pub rule_id: String,
    pub group_id: String,
    pub group_owner_id: Option<String>,
    pub is_egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub ip_protocol: String,
    /// `-1` when the protocol has no ports.
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    pub cidr_ipv4: Option<String>,
    pub cidr_ipv6: Option<String>,
    pub prefix_list_id: Option<String>,
    pub referenced_group_info: Option<ReferencedGroup>,
    pub description: Option<String>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

impl SecurityGroupRule {
    pub fn direction(&self) -> Direction {
        if self.is_egress { Direction::Egress } else { Direction::Ingress }
    }

    /// Whom the rule is about; `None` for a sort of peer that this client does not know.
    pub fn peer(&self) -> Option<Peer> {
        let group = || {
            let group = self.referenced_group_info.clone()?;
            Some(Peer::Group { group_id: group.group_id?, user_id: group.user_id })
        };
        (self.cidr_ipv4.clone().map(Peer::Ipv4))
            .or_else(|| self.cidr_ipv6.clone().map(Peer::Ipv6))
            .or_else(|| self.prefix_list_id.clone().map(Peer::PrefixList))
            .or_else(group)
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferencedGroup {
    pub group_id: Option<String>,
    pub user_id: Option<String>,
    pub vpc_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyPair {
    pub key_pair_id: String,
    pub key_name: String,
    pub key_type: Option<String>,
    pub key_fingerprint: Option<String>,
    pub public_key: Option<String>,
    #[serde(rename = "tagSet", default, deserialize_with = "tags")]
    pub tags: Tags,
}

/// A key pair that EC2 made. Neither its `Debug` nor any log shows the private key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedKeyPair {
    pub key_pair_id: String,
    pub key_name: String,
    pub key_fingerprint: Option<String>,
    /// The private key.
    pub key_material: SecretString,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedKeyPair {
    pub key_pair_id: String,
    pub key_name: String,
    pub key_fingerprint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    pub network_interface_id: String,
    /// Who made it and what for, in the words of the service that did.
    pub description: Option<String>,
    pub interface_type: Option<String>,
    pub status: Option<String>,
    pub subnet_id: Option<String>,
    pub vpc_id: Option<String>,
    pub requester_id: Option<String>,
    #[serde(default)]
    pub requester_managed: bool,
    pub attachment: Option<Attachment>,
    pub association: Option<PublicAddress>,
}

/// The public address of a network interface.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicAddress {
    pub public_ip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    pub instance_id: Option<String>,
    pub instance_owner_id: Option<String>,
    pub status: Option<String>,
}

/// What an operation answers.
pub(super) trait Reply: DeserializeOwned + Debug + Send + Sync + 'static {
    /// What this answer says went wrong, though its HTTP status says success.
    fn refusal(&self) -> Option<Refusal> {
        None
    }
}

/// What a describe operation lists.
pub(super) trait Item: DeserializeOwned + Debug + Send + Sync + 'static {}

impl<T: DeserializeOwned + Debug + Send + Sync + 'static> Item for T {}

impl Reply for CreatedKeyPair {}
impl Reply for ImportedKeyPair {}

/// The answer of every describe operation.
///
/// The list is not optional: EC2 sends an empty one when nothing is found, and taking anything
/// else for "nothing there" would make a plan create everything anew.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Page<T> {
    #[serde(
        alias = "addressesSet",
        alias = "internetGatewaySet",
        alias = "keySet",
        alias = "natGatewaySet",
        alias = "networkInterfaceSet",
        alias = "routeTableSet",
        alias = "securityGroupInfo",
        alias = "securityGroupRuleSet",
        alias = "subnetSet",
        alias = "vpcEndpointSet",
        alias = "vpcSet",
        deserialize_with = "list"
    )]
    pub items: Vec<T>,
    #[serde(rename = "nextToken")]
    pub next_token: Option<String>,
}

impl<T: Item> Reply for Page<T> {}

#[derive(Debug, Deserialize)]
pub(super) struct CreatedGroup {
    #[serde(rename = "groupId")]
    pub group_id: String,
}

impl Reply for CreatedGroup {}

/// The answer of an operation that has nothing to tell.
#[derive(Debug, Deserialize)]
pub(super) struct Ack {
    #[serde(rename = "return", default = "yes")]
    accepted: bool,
}

impl Reply for Ack {
    fn refusal(&self) -> Option<Refusal> {
        refused_unless(self.accepted)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Authorized {
    #[serde(rename = "return", default = "yes")]
    accepted: bool,
    #[serde(rename = "securityGroupRuleSet", default, deserialize_with = "list")]
    pub rules: Vec<SecurityGroupRule>,
}

impl Reply for Authorized {
    fn refusal(&self) -> Option<Refusal> {
        refused_unless(self.accepted)
    }
}

/// In a default VPC, EC2 does not refuse to revoke a rule it does not know: it lists the rule in
/// an answer that looks like success. Elsewhere the same is an error, so we make it one.
#[derive(Debug, Deserialize)]
pub(super) struct Revoked {
    #[serde(rename = "return", default = "yes")]
    accepted: bool,
    #[serde(rename = "unknownIpPermissionSet", default, deserialize_with = "list")]
    unknown: Vec<UnknownPermission>,
}

impl Reply for Revoked {
    fn refusal(&self) -> Option<Refusal> {
        if self.unknown.is_empty() {
            return refused_unless(self.accepted);
        }
        let message = format!(
            "{} of the rules to revoke did not exist in this security group",
            self.unknown.len()
        );
        Some(Refusal::new(Some("InvalidPermission.NotFound"), message))
    }
}

/// Only counted.
#[derive(Debug, Deserialize)]
struct UnknownPermission {}

pub(super) fn refused_unless(accepted: bool) -> Option<Refusal> {
    (!accepted).then(|| Refusal::new(None, "EC2 did not do it, and did not say why".to_owned()))
}

/// What an absent `return` means: the HTTP status has said it already.
pub(super) fn yes() -> bool {
    true
}

/// EC2 writes every list as `<someSet><item>…</item><item>…</item></someSet>`.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
struct List<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    List::deserialize(deserializer).map(|list| list.item)
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let tags: Vec<Tag> = list(deserializer)?;
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}
