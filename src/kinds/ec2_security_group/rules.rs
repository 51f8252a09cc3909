//! What turns the rules that a security group has into those the stack wants.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{Key, Rule};
use crate::aws::ec2::{Direction, IpPermission};
use crate::aws::named::not_visible_yet;
use crate::aws::{Class, Error, gone_is_fine};
use crate::kind::Cx;

fn by_key(rules: &BTreeSet<Rule>) -> BTreeMap<Key, Rule> {
    rules.iter().map(Rule::canonical).map(|rule| (rule.key(), rule)).collect()
}

/// Whether two sets mean the same to EC2, descriptions aside.
pub fn same_rules(a: &BTreeSet<Rule>, b: &BTreeSet<Rule>) -> bool {
    by_key(a).into_keys().eq(by_key(b).into_keys())
}

/// Rules that are the same to EC2 as another one of the set.
pub fn doubles(rules: &BTreeSet<Rule>) -> Vec<&Rule> {
    let mut seen = BTreeSet::new();
    rules.iter().filter(|rule| !seen.insert(rule.canonical().key())).collect()
}

/// What turns the rules of one direction into those the stack wants.
struct Change {
    add: Vec<Rule>,
    describe: Vec<Rule>,
    revoke: Vec<String>,
}

impl Change {
    fn between(desired: &BTreeSet<Rule>, live: &BTreeSet<Rule>) -> Self {
        let (desired, live) = (by_key(desired), by_key(live));
        let mut change = Self { add: Vec::new(), describe: Vec::new(), revoke: Vec::new() };
        for (key, rule) in &desired {
            match live.get(key) {
                None => change.add.push(rule.clone()),
                Some(old) if rule.description.is_some() && rule.description != old.description => {
                    change.describe.push(rule.clone());
                }
                Some(_) => {}
            }
        }
        let old = live.iter().filter(|(key, _)| !desired.contains_key(*key));
        change.revoke = old.filter_map(|(_, rule)| rule.id.0.clone()).collect();
        change
    }
}

/// Turns the live rules of one direction into the desired ones. New rules come before old ones go,
/// so that nobody loses access in between.
pub async fn converge(
    cx: &Cx<'_>,
    direction: Direction,
    group: &str,
    desired: &BTreeSet<Rule>,
    live: &BTreeSet<Rule>,
) -> Result<(), Error> {
    let change = Change::between(desired, live);
    let permissions = |rules: &[Rule]| -> Result<Vec<IpPermission>, Error> {
        rules.iter().map(|rule| rule.permission(group)).collect()
    };
    let add = permissions(&change.add)?;
    match authorize(cx, direction, group, &add).await {
        // No room for old and new side by side.
        Err(error) if error.code == FULL && !change.revoke.is_empty() => {
            revoke(cx, direction, group, &change.revoke).await?;
            authorize(cx, direction, group, &add).await?;
        }
        answer => {
            answer?;
            revoke(cx, direction, group, &change.revoke).await?;
        }
    }
    let describe = permissions(&change.describe)?;
    cx.ec2.update_security_group_rule_descriptions(direction, group, &describe).await?;
    Ok(())
}

const FULL: &str = "RulesPerSecurityGroupLimitExceeded";

/// Adds rules in one call. EC2 refuses all of them when it has one already, so then each goes
/// alone.
async fn authorize(
    cx: &Cx<'_>,
    direction: Direction,
    group: &str,
    permissions: &[IpPermission],
) -> Result<(), Error> {
    let some = async |permissions: &[IpPermission]| {
        let answer = cx.ec2.authorize_security_group(direction, group, permissions).await;
        answer.map(drop).map_err(not_visible_yet)
    };
    match some(permissions).await {
        Err(error) if error.class == Class::Already => {}
        answer => return answer,
    }
    for permission in permissions {
        match some(std::slice::from_ref(permission)).await {
            Err(error) if error.class == Class::Already => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// Takes rules away in one call. EC2 refuses all of them when it misses one, so then each goes
/// alone.
pub async fn revoke(
    cx: &Cx<'_>,
    direction: Direction,
    group: &str,
    rules: &[String],
) -> Result<(), Error> {
    let some = async |rules: &[String]| {
        let answer = cx.ec2.revoke_security_group(direction, group, rules).await;
        answer.map_err(Error::from)
    };
    match some(rules).await {
        Err(error) if error.is_gone() => {}
        answer => return answer,
    }
    for rule in rules {
        gone_is_fine(some(std::slice::from_ref(rule)).await)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    fn rules(text: serde_json::Value) -> BTreeSet<Rule> {
        BTreeSet::deserialize(text).unwrap()
    }

    #[test]
    fn rules_change_one_by_one() {
        let live = rules(json!([
            { "protocol": "tcp", "ports": "22", "cidr": "10.0.0.0/8", "id": "sgr-1" },
            { "protocol": "tcp", "ports": "80", "cidr": "0.0.0.0/0", "id": "sgr-2", "description": "web" },
            { "protocol": "tcp", "ports": "81", "cidr": "0.0.0.0/0", "id": "sgr-3" },
        ]));
        let desired = rules(json!([
            { "protocol": "6", "ports": 22, "cidr": "10.1.2.3/8", "description": "ssh" },
            { "protocol": "tcp", "ports": 80, "cidr": "0.0.0.0/0" },
            { "protocol": "tcp", "ports": 443, "cidr": "0.0.0.0/0" },
        ]));
        let change = Change::between(&desired, &live);
        assert_eq!(change.add.len(), 1);
        assert_eq!(change.add[0].ports.as_deref(), Some("443"));
        assert_eq!(change.describe.len(), 1);
        assert_eq!(change.describe[0].description.as_deref(), Some("ssh"));
        assert_eq!(change.revoke, ["sgr-3"]);
    }

    #[test]
    fn doubles_are_found_in_any_spelling() {
        let rules = rules(json!([
            { "protocol": "tcp", "ports": 22, "cidr": "10.0.0.5/24", "description": "a" },
            { "protocol": 6, "ports": "22", "cidr": "10.0.0.0/24", "description": "b" },
            { "protocol": 6, "ports": "23", "cidr": "10.0.0.0/24" },
        ]));
        assert_eq!(doubles(&rules).len(), 1);
    }
}
