//! The EC2 operations that lagoa uses.
//!
//! The official crate declares all 700 operations, takes gigabytes of memory to compile, and would
//! be the largest part of lagoa's build. This client declares ours on the same orchestrator the
//! official crates run on, so that credentials, signing, retries, timeouts and endpoints behave as
//! in any other client made from the same `SdkConfig`.
//!
//! An operation is a [`Form`] (what goes out) and a type (what comes back); everything else is
//! in [`transport`](super::transport).

mod client;
mod error;
mod gateways;
mod networks;
mod query;
mod routes;
#[cfg(test)]
mod tests;
mod vpc_endpoints;
mod wire;

use query::Form;
use wire::{Ack, Authorized, CreatedGroup, Page, Revoked};

pub use client::{Client, Error, Result};
pub use gateways::{Address, NatGateway, NatGatewayAddress};
pub use networks::{GatewayAttachment, InternetGateway, VpcAttribute};
pub use routes::{Destination, Route, RouteTable, RouteTableAssociation, Target};
pub use vpc_endpoints::{EndpointChange, NewEndpoint, VpcEndpoint};
pub use wire::{
    Attachment, CreatedKeyPair, Direction, Filter, ImportedKeyPair, IpPermission, KeyFormat,
    KeyPair, KeyType, NetworkInterface, Peer, PublicAddress, ReferencedGroup, SecurityGroup,
    SecurityGroupRule, Subnet, Tags, Vpc,
};

/// The page size we ask for: the most that EC2 gives.
const PAGE: i32 = 1000;

/// EC2 takes this many filter values in one request.
pub const FILTER_VALUES: usize = 200;

/// Security groups.
impl Client {
    /// The security groups that pass all filters.
    pub async fn describe_security_groups(&self, filters: &[Filter]) -> Result<Vec<SecurityGroup>> {
        self.filtered("DescribeSecurityGroups", filters).await
    }

    /// The security groups with these ids; an error if one of them does not exist.
    pub async fn describe_security_groups_by_id(
        &self,
        group_ids: &[String],
    ) -> Result<Vec<SecurityGroup>> {
        if group_ids.is_empty() {
            return Ok(Vec::new()); // no ids would mean all groups
        }
        let form = Form::new("DescribeSecurityGroups").with("GroupId", group_ids);
        self.pages(form).await
    }

    /// The rules of these security groups, both ways.
    pub async fn describe_security_group_rules(
        &self,
        group_ids: &[String],
    ) -> Result<Vec<SecurityGroupRule>> {
        let mut rules = Vec::new();
        for ids in group_ids.chunks(FILTER_VALUES) {
            let filter = Filter::new("group-id", ids);
            rules.extend(self.filtered("DescribeSecurityGroupRules", &[filter]).await?);
        }
        Ok(rules)
    }

    /// Makes a security group and returns its id. EC2 gives it a rule that lets everything out.
    /// Without a VPC it goes into the default one.
    pub async fn create_security_group(
        &self,
        name: &str,
        description: &str,
        vpc_id: Option<&str>,
        tags: &Tags,
    ) -> Result<String> {
        let form = Form::new("CreateSecurityGroup")
            .with("GroupName", name)
            .with("GroupDescription", description)
            .with("VpcId", &vpc_id)
            .with_tags_for("security-group", tags);
        let created: CreatedGroup = self.call(form).await?;
        Ok(created.group_id)
    }

    /// Deletes a security group.
    pub async fn delete_security_group(&self, group_id: &str) -> Result<()> {
        let form = Form::new("DeleteSecurityGroup").with("GroupId", group_id);
        self.ask(form).await
    }

    /// Adds rules to a security group and returns them with their ids.
    pub async fn authorize_security_group(
        &self,
        direction: Direction,
        group_id: &str,
        permissions: &[IpPermission],
    ) -> Result<Vec<SecurityGroupRule>> {
        if permissions.is_empty() {
            return Ok(Vec::new());
        }
        let form = Form::new(match direction {
            Direction::Ingress => "AuthorizeSecurityGroupIngress",
            Direction::Egress => "AuthorizeSecurityGroupEgress",
        });
        let form = form.with("GroupId", group_id).with("IpPermissions", permissions);
        let authorized: Authorized = self.call(form).await?;
        Ok(authorized.rules)
    }

    /// Takes rules away from a security group. A rule that is not there is an error of code
    /// `InvalidPermission.NotFound` or `InvalidSecurityGroupRuleId.NotFound`.
    pub async fn revoke_security_group(
        &self,
        direction: Direction,
        group_id: &str,
        rule_ids: &[String],
    ) -> Result<()> {
        if rule_ids.is_empty() {
            return Ok(());
        }
        let form = Form::new(match direction {
            Direction::Ingress => "RevokeSecurityGroupIngress",
            Direction::Egress => "RevokeSecurityGroupEgress",
        });
        let form = form.with("GroupId", group_id).with("SecurityGroupRuleId", rule_ids);
        self.call::<Revoked>(form).await.map(drop)
    }

    /// Gives the rules that match in protocol, ports and peer the descriptions of `permissions`.
    /// A permission without a description takes away the one the rule has.
    pub async fn update_security_group_rule_descriptions(
        &self,
        direction: Direction,
        group_id: &str,
        permissions: &[IpPermission],
    ) -> Result<()> {
        if permissions.is_empty() {
            return Ok(());
        }
        let form = Form::new(match direction {
            Direction::Ingress => "UpdateSecurityGroupRuleDescriptionsIngress",
            Direction::Egress => "UpdateSecurityGroupRuleDescriptionsEgress",
        });
        self.ask(form.with("GroupId", group_id).with("IpPermissions", permissions)).await
    }
}

/// Key pairs.
impl Client {
    /// The key pairs that pass all filters, with their public keys.
    pub async fn describe_key_pairs(&self, filters: &[Filter]) -> Result<Vec<KeyPair>> {
        let form =
            Form::new("DescribeKeyPairs").with("Filter", filters).with("IncludePublicKey", &true);
        self.pages(form).await
    }

    /// The key pairs that have one of these values under the filter, however many values.
    pub async fn describe_key_pairs_by(
        &self,
        filter: &str,
        values: &[String],
    ) -> Result<Vec<KeyPair>> {
        let mut pairs = Vec::new();
        for values in values.chunks(FILTER_VALUES) {
            let filter = Filter::new(filter, values);
            pairs.extend(self.describe_key_pairs(&[filter]).await?);
        }
        Ok(pairs)
    }

    /// Lets EC2 make a key pair. This is the only time it gives the private key away.
    pub async fn create_key_pair(
        &self,
        name: &str,
        key_type: KeyType,
        key_format: KeyFormat,
        tags: &Tags,
    ) -> Result<CreatedKeyPair> {
        let form = Form::new("CreateKeyPair")
            .with("KeyName", name)
            .with("KeyType", key_type.as_str())
            .with("KeyFormat", key_format.as_str())
            .with_tags_for("key-pair", tags);
        self.call_for_secret(form).await
    }

    /// Registers a public key, in OpenSSH format or as PEM.
    pub async fn import_key_pair(
        &self,
        name: &str,
        public_key: &str,
        tags: &Tags,
    ) -> Result<ImportedKeyPair> {
        let form = Form::new("ImportKeyPair")
            .with("KeyName", name)
            .with_blob("PublicKeyMaterial", public_key.as_bytes())
            .with_tags_for("key-pair", tags);
        self.call(form).await
    }

    /// Deletes a key pair; fine if there is none of this name.
    pub async fn delete_key_pair(&self, name: &str) -> Result<()> {
        let form = Form::new("DeleteKeyPair").with("KeyName", name);
        self.ask(form).await
    }
}

/// Tags.
impl Client {
    /// Sets tags on resources, over the values they have.
    pub async fn create_tags(&self, resource_ids: &[String], tags: &Tags) -> Result<()> {
        if resource_ids.is_empty() || tags.is_empty() {
            return Ok(());
        }
        let form = Form::new("CreateTags").with("ResourceId", resource_ids).with("Tag", tags);
        self.ask(form).await
    }

    /// Takes the tags with these keys off resources.
    pub async fn delete_tags(&self, resource_ids: &[String], keys: &[String]) -> Result<()> {
        if resource_ids.is_empty() || keys.is_empty() {
            return Ok(()); // no keys would mean all tags
        }
        let keys: Vec<_> = keys.iter().map(query::TagKey).collect();
        let form = Form::new("DeleteTags").with("ResourceId", resource_ids).with("Tag", &keys);
        self.ask(form).await
    }
}

/// The shapes that operations have in common.
impl Client {
    /// A describe operation that takes filters and answers in pages.
    async fn filtered<T: wire::Item>(
        &self,
        action: &'static str,
        filters: &[Filter],
    ) -> Result<Vec<T>> {
        self.pages(Form::new(action).with("Filter", filters).with("MaxResults", &PAGE)).await
    }

    /// Calls until there is no next page.
    async fn pages<T: wire::Item>(&self, form: Form) -> Result<Vec<T>> {
        let mut page: Page<T> = self.call(form.clone()).await?;
        let mut items = page.items;
        while let Some(token) = page.next_token.filter(|token| !token.is_empty()) {
            page = self.call(form.clone().with("NextToken", &token)).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    /// A call that is answered by yes or no.
    async fn ask(&self, form: Form) -> Result<()> {
        self.call::<Ack>(form).await.map(drop)
    }
}

/// What EC2 knows two requests as one by. Another one for every request: EC2 remembers them longer
/// than what they made lives, and would answer with that.
fn token() -> String {
    format!("lagoa-{:032x}", rand::random::<u128>())
}
