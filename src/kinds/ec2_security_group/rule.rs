//! One rule of a security group, as people write it and as EC2 keeps it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spelling::{
    Sort, canonical_protocol, description_problem, icmp_text, message, optional_text,
    optional_text_schema, ports_text, sort, span, text, text_schema,
};

use crate::aws::Error;
use crate::aws::ec2::{IpPermission, Peer, SecurityGroupRule};
use crate::cidr;
use crate::field::{Computed, SecurityGroupId};
use crate::reference::is_marked;

/// The word for the group that a rule stands in.
pub const SELF: &str = "self";

/// Lets traffic of one protocol through, to or from one peer: `cidr`, `security_group` or
/// `prefix_list`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all`, or the number of another IP protocol.
    #[serde(deserialize_with = "text")]
    #[schemars(schema_with = "text_schema")]
    pub protocol: String,
    /// The ports, for `tcp` and `udp` only: one (`5432`), a range (`8000-8100`) or `all`.
    #[serde(default, deserialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_text_schema")]
    pub ports: Option<String>,
    /// The messages, for `icmp` and `icmpv6` only: a type (`8`), a type and a code (`3/4`) or
    /// `all`, which is the default.
    #[serde(default, deserialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_text_schema")]
    pub icmp: Option<String>,
    /// The peer as a range of IPv4 or IPv6 addresses: `203.0.113.7/32`, `10.0.0.0/8`,
    /// `2001:db8::/32`. An address alone stands for itself. Bits below the prefix count as zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// The peer as whatever is in a security group: its key, its id, `account/id` for one of
    /// another account, or `self` for the group that the rule stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-words" = [SELF]))]
    pub security_group: Option<SecurityGroupId>,
    /// The peer as the id of a managed prefix list: `pl-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_list: Option<String>,
    /// What the rule is for; at most 255 characters. Changed in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The rule's own id: `sgr-…`.
    #[serde(default, skip_serializing_if = "unknown")]
    pub id: Computed<String>,
}

fn unknown(id: &Computed<String>) -> bool {
    id.is_none()
}

/// What makes two rules the same rule to EC2: all but the description and the id.
pub type Key = [Option<String>; 6];

impl Rule {
    /// Everything in or out, as EC2 gives it to a new group.
    pub fn everything(cidr: &str) -> Self {
        Self {
            protocol: "all".to_owned(),
            ports: None,
            icmp: None,
            cidr: Some(cidr.to_owned()),
            security_group: None,
            prefix_list: None,
            description: None,
            id: Computed::default(),
        }
    }

    /// The rule as EC2 has it in the group `group` of the account `account`.
    pub fn from_aws(rule: &SecurityGroupRule, group: &str, account: &str) -> Self {
        let mut cidr = None;
        let mut security_group = None;
        let mut prefix_list = None;
        match rule.peer() {
            Some(Peer::Ipv4(range) | Peer::Ipv6(range)) => cidr = Some(range),
            Some(Peer::PrefixList(id)) => prefix_list = Some(id),
            Some(Peer::Group { group_id, .. }) if group_id == group => {
                security_group = Some(SELF.into());
            }
            Some(Peer::Group { group_id, user_id }) => {
                let other = user_id.filter(|user| user != account && !user.is_empty());
                let id = other.map_or(group_id.clone(), |user| format!("{user}/{group_id}"));
                security_group = Some(id.into());
            }
            None => {}
        }
        let protocol = canonical_protocol(&rule.ip_protocol);
        let (from, to) = (rule.from_port.unwrap_or(-1), rule.to_port.unwrap_or(-1));
        let (ports, icmp) = match sort(&protocol) {
            Sort::Ports => (Some(ports_text(from, to)), None),
            Sort::Icmp => (None, Some(icmp_text(from, to))),
            Sort::Other => (None, None),
        };
        let description = rule.description.clone().filter(|text| !text.is_empty());
        let id = rule.rule_id.clone().into();
        Self { protocol, ports, icmp, cidr, security_group, prefix_list, description, id }
            .canonical()
    }

    /// The spelling that rules are compared in. What isn't understood or known yet stays.
    pub fn canonical(&self) -> Self {
        let protocol = canonical_protocol(&self.protocol);
        let span = |text: &String| match span(text) {
            Ok((from, to)) => ports_text(from, to),
            Err(_) => text.clone(),
        };
        let message = |text: &String| match message(text) {
            Ok((kind, code)) => icmp_text(kind, code),
            Err(_) => text.clone(),
        };
        let icmp = match (&self.icmp, sort(&protocol)) {
            (None, Sort::Icmp) => Some("all".to_owned()),
            (icmp, _) => icmp.as_ref().map(message),
        };
        let range = |text: &String| cidr::canonical(text).unwrap_or_else(|_| text.clone());
        Self {
            protocol,
            ports: self.ports.as_ref().map(span),
            icmp,
            cidr: self.cidr.as_ref().map(range),
            ..self.clone()
        }
    }

    /// What EC2 tells rules apart by. Call it on a canonical rule.
    pub fn key(&self) -> Key {
        let group = self.security_group.as_ref().map(|group| group.0.clone());
        let (ports, icmp) = (self.ports.clone(), self.icmp.clone());
        let protocol = Some(self.protocol.clone());
        [protocol, ports, icmp, self.cidr.clone(), group, self.prefix_list.clone()]
    }

    /// The rule as EC2 takes it, in the group `group`.
    pub fn permission(&self, group: &str) -> Result<IpPermission, Error> {
        let wrong = |why| Error::internal(format!("rule {self}: {why}"));
        let rule = self.canonical();
        let bounds = match sort(&rule.protocol) {
            Sort::Ports => Some(span(rule.ports.as_deref().unwrap_or("all")).map_err(wrong)?),
            Sort::Icmp => Some(message(rule.icmp.as_deref().unwrap_or("all")).map_err(wrong)?),
            Sort::Other => None,
        };
        let protocol = if rule.protocol == "all" { "-1".to_owned() } else { rule.protocol.clone() };
        Ok(IpPermission {
            protocol,
            from_port: bounds.map(|(from, _)| from),
            to_port: bounds.map(|(_, to)| to),
            peer: rule.peer(group).ok_or_else(|| wrong("it names no peer".to_owned()))?,
            description: rule.description,
        })
    }

    fn peer(&self, own: &str) -> Option<Peer> {
        if let Some(cidr) = self.cidr.clone() {
            return Some(if cidr.contains(':') { Peer::Ipv6(cidr) } else { Peer::Ipv4(cidr) });
        }
        if let Some(list) = self.prefix_list.clone() {
            return Some(Peer::PrefixList(list));
        }
        let group = self.security_group.as_deref()?;
        let (user_id, group_id) = match group.split_once('/') {
            _ if group == SELF => (None, own),
            Some((user, id)) => (Some(user.to_owned()), id),
            None => (None, group),
        };
        Some(Peer::Group { group_id: group_id.to_owned(), user_id })
    }

    /// What is wrong with the rule as it is written, each with its remedy.
    pub fn problems(&self) -> Vec<String> {
        let mut wrong = self.protocol_problems();
        if let Some(cidr) = self.cidr.as_ref().filter(|cidr| !is_marked(cidr)) {
            wrong.extend(cidr::canonical(cidr).err());
        }
        let group = self.security_group.as_deref().filter(|group| !is_marked(group));
        let is_id = |group: &str| group.rsplit('/').next().is_some_and(|id| id.starts_with("sg-"));
        if let Some(group) = group.filter(|group| *group != SELF && !is_id(group)) {
            wrong.push(format!(
                "`{group}` is no security group: write the key of an ec2_security_group, an id \
                 `sg-…`, or `self`"
            ));
        }
        let list = self.prefix_list.as_deref().filter(|list| !is_marked(list));
        if let Some(list) = list.filter(|list| !list.starts_with("pl-")) {
            wrong.push(format!("`{list}` is no prefix list: write an id, `pl-…`"));
        }
        let peers =
            [self.cidr.is_some(), self.security_group.is_some(), self.prefix_list.is_some()];
        if peers.iter().filter(|given| **given).count() != 1 {
            wrong.push(
                "a rule is about one peer: write exactly one of `cidr`, `security_group` and \
                 `prefix_list`"
                    .to_owned(),
            );
        }
        let description = self.description.as_deref().filter(|text| !is_marked(text));
        wrong.extend(description.and_then(description_problem));
        wrong
    }

    fn protocol_problems(&self) -> Vec<String> {
        if is_marked(&self.protocol) {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let protocol = canonical_protocol(&self.protocol);
        let known = ["tcp", "udp", "icmp", "icmpv6", "all"].contains(&protocol.as_str());
        if !known && protocol.parse::<u8>().is_err() {
            wrong.push(format!(
                "`{protocol}` is no protocol: write tcp, udp, icmp, icmpv6, all, or a number up \
                 to 255"
            ));
            return wrong;
        }
        let sort = sort(&protocol);
        match self.ports.as_deref() {
            None if sort == Sort::Ports => wrong.push(format!(
                "{protocol} needs `ports`: one (5432), a range (8000-8100) or `all`"
            )),
            Some(_) if sort != Sort::Ports => wrong.push(format!(
                "protocol {protocol} has no ports: leave out `ports`, or write tcp or udp"
            )),
            Some(ports) if !is_marked(ports) => wrong.extend(span(ports).err()),
            _ => {}
        }
        match self.icmp.as_deref() {
            Some(_) if sort != Sort::Icmp => {
                wrong.push(format!("`icmp` is for icmp and icmpv6, not for {protocol}"));
            }
            Some(icmp) if !is_marked(icmp) => wrong.extend(message(icmp).err()),
            _ => {}
        }
        wrong
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        let parts = [&self.ports, &self.icmp, &self.cidr];
        for part in parts.into_iter().flatten() {
            write!(f, " {}", crate::reference::shown(part))?;
        }
        let group = self.security_group.as_ref().map(|group| &group.0);
        for part in [group, self.prefix_list.as_ref()].into_iter().flatten() {
            write!(f, " {}", crate::reference::shown(part))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(mut fields: Value) -> Rule {
        let members = fields.as_object_mut().unwrap();
        members.entry("protocol").or_insert(json!("tcp"));
        members.entry("cidr").or_insert(json!("0.0.0.0/0"));
        Rule::deserialize(fields).unwrap()
    }

    #[test]
    fn spellings_of_one_rule_are_one_rule() {
        let same = |a: Value, b: Value| {
            assert_eq!(rule(a).canonical().key(), rule(b).canonical().key());
        };
        same(json!({ "protocol": 6, "ports": 5432 }), json!({ "ports": "5432-5432" }));
        same(json!({ "protocol": "TCP", "ports": "0 - 65535" }), json!({ "ports": "all" }));
        same(json!({ "protocol": -1 }), json!({ "protocol": "all" }));
        same(json!({ "protocol": "icmp" }), json!({ "protocol": "1", "icmp": "all" }));
        same(
            json!({ "ports": 1, "cidr": "10.0.0.5/24" }),
            json!({ "ports": 1, "cidr": "10.0.0.0/24" }),
        );
    }

    #[test]
    fn faults_are_found() {
        for good in [
            json!({ "ports": 22 }),
            json!({ "ports": "8000-8100", "description": "a b (c)" }),
            json!({ "protocol": "icmp", "icmp": "3/4" }),
            json!({ "protocol": 50 }),
            json!({ "ports": 22, "cidr": null, "security_group": "self" }),
            json!({ "ports": 22, "cidr": null, "security_group": "123456789012/sg-1" }),
        ] {
            assert_eq!(rule(good).problems(), Vec::<String>::new());
        }
        for bad in [
            json!({}),
            json!({ "ports": 65536 }),
            json!({ "ports": "9-8" }),
            json!({ "protocol": "all", "ports": 22 }),
            json!({ "protocol": "http" }),
            json!({ "protocol": 256 }),
            json!({ "protocol": "icmp", "icmp": "3/400" }),
            json!({ "ports": 22, "cidr": null }),
            json!({ "ports": 22, "security_group": "self" }),
            json!({ "ports": 22, "cidr": null, "security_group": "bastoin" }),
            json!({ "ports": 22, "cidr": null, "prefix_list": "sg-1" }),
            json!({ "ports": 22, "description": "escritório" }),
        ] {
            assert_eq!(rule(bad.clone()).problems().len(), 1, "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_left_alone() {
        let mark = crate::reference::Reference { key: "db".into(), field: "port".into() }.mark();
        let rule = rule(json!({ "ports": mark, "cidr": format!("{mark}/32") }));
        assert!(rule.problems().is_empty());
        assert_eq!(rule.canonical(), rule);
    }

    #[test]
    fn a_rule_survives_the_way_to_ec2_and_back() {
        for fields in [
            json!({ "ports": "all" }),
            json!({ "ports": "20-21", "description": "ftp" }),
            json!({ "protocol": "icmp", "icmp": "8" }),
            json!({ "protocol": "icmpv6", "cidr": "::/0" }),
            json!({ "protocol": "all", "cidr": null, "security_group": "self" }),
            json!({ "protocol": 47, "cidr": null, "prefix_list": "pl-1" }),
            json!({ "ports": 22, "cidr": null, "security_group": "210987654321/sg-2" }),
        ] {
            let rule = rule(fields).canonical();
            let sent = rule.permission("sg-1").unwrap();
            let back = Rule::from_aws(&kept(sent), "sg-1", "123456789012");
            assert_eq!(back.key(), rule.key());
            assert_eq!(back.description, rule.description);
        }
    }

    /// What EC2 makes of a permission.
    fn kept(sent: IpPermission) -> SecurityGroupRule {
        let mut kept = SecurityGroupRule {
            rule_id: "sgr-1".into(),
            group_id: "sg-1".into(),
            group_owner_id: Some("123456789012".into()),
            is_egress: false,
            ip_protocol: sent.protocol,
            from_port: Some(sent.from_port.unwrap_or(-1)),
            to_port: Some(sent.to_port.unwrap_or(-1)),
            cidr_ipv4: None,
            cidr_ipv6: None,
            prefix_list_id: None,
            referenced_group_info: None,
            description: sent.description,
            tags: Default::default(),
        };
        match sent.peer {
            Peer::Ipv4(range) => kept.cidr_ipv4 = Some(range),
            Peer::Ipv6(range) => kept.cidr_ipv6 = Some(range),
            Peer::PrefixList(id) => kept.prefix_list_id = Some(id),
            Peer::Group { group_id, user_id } => {
                let user_id = user_id.or(Some("123456789012".into()));
                let group = crate::aws::ec2::ReferencedGroup {
                    group_id: Some(group_id),
                    user_id,
                    vpc_id: None,
                };
                kept.referenced_group_info = Some(group);
            }
        }
        kept
    }
}
