//! Networks and what they let through.

use serde_json::Value;

use super::{Check, Severity, Spot, Subject};
use crate::cidr;

const GROUP: &[&str] = &["ec2_security_group"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "SG-SSH-RDP",
        severity: Severity::Critical,
        kinds: GROUP,
        requires: "Nobody on the internet reaches SSH or RDP",
        remedy: "give the rule the addresses that need it: `cidr: 203.0.113.7/32`",
        checkov: &["CKV_AWS_24", "CKV_AWS_25"],
        fsbp: &["EC2.13", "EC2.14"],
        find: |group| open_ports(group, &[("SSH", 22), ("RDP", 3389)]),
    },
    Check {
        id: "SG-DB-PORTS",
        severity: Severity::Critical,
        kinds: GROUP,
        requires: "Nobody on the internet reaches a database",
        remedy: "give the rule the addresses that need it, or a `security_group`",
        checkov: &["CKV_AWS_260"],
        fsbp: &["EC2.19"],
        find: |group| open_ports(group, DATABASES),
    },
    Check {
        id: "SG-ALL-PORTS",
        severity: Severity::Critical,
        kinds: GROUP,
        requires: "Nobody on the internet reaches every port",
        remedy: "name `protocol` and `ports`, and the addresses that need them",
        checkov: &["CKV_AWS_277"],
        fsbp: &["EC2.18"],
        find: all_ports,
    },
    Check {
        id: "SG-DESC",
        severity: Severity::Low,
        kinds: GROUP,
        requires: "A security group and its rules say what they are for",
        remedy: "write `description`",
        checkov: &["CKV_AWS_23"],
        fsbp: &[],
        find: described,
    },
    Check {
        id: "SUBNET-PUBLIC-IP",
        severity: Severity::Medium,
        kinds: &["ec2_subnet"],
        requires: "Machines get no public address by themselves",
        remedy: "leave `public_ip_on_launch` out; a NAT gateway or a load balancer needs none",
        checkov: &["CKV_AWS_130"],
        fsbp: &["EC2.15"],
        find: public_addresses,
    },
];

const DATABASES: &[(&str, u16)] = &[
    ("SQL Server", 1433),
    ("Oracle", 1521),
    ("MySQL", 3306),
    ("PostgreSQL", 5432),
    ("Redshift", 5439),
    ("Redis", 6379),
    ("Cassandra", 9042),
    ("Elasticsearch", 9200),
    ("MongoDB", 27017),
];

/// Rules that let in all of the internet.
fn from_everywhere<'a>(group: &Subject<'a>) -> impl Iterator<Item = (usize, &'a Value)> {
    let rules = group.written["ingress"].as_array().into_iter().flatten().enumerate();
    rules.filter(|(_, rule)| {
        let range = rule["cidr"].as_str().and_then(|range| cidr::canonical(range).ok());
        // Two halves are the whole.
        range.is_some_and(|range| range.ends_with("/0") || range.ends_with("/1"))
    })
}

/// Whether the rule is about every port of TCP.
fn every_port(rule: &Value) -> bool {
    match rule["protocol"].as_str() {
        Some("all" | "-1") => true,
        Some("tcp" | "6") => matches!(rule["ports"].as_str(), Some("all" | "0-65535" | "1-65535")),
        _ => false,
    }
}

fn holds(rule: &Value, port: u16) -> bool {
    let Some(ports) = rule["ports"].as_str() else { return false };
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.trim().parse::<u16>().ok();
    matches!(rule["protocol"].as_str(), Some("tcp" | "6"))
        && number(from).zip(number(to)).is_some_and(|(from, to)| (from..=to).contains(&port))
}

fn open_ports(group: &Subject<'_>, ports: &[(&str, u16)]) -> Vec<Spot> {
    let open = from_everywhere(group).filter(|(_, rule)| !every_port(rule));
    let found = open.filter_map(|(at, rule)| {
        let (name, port) = ports.iter().find(|(_, port)| holds(rule, *port))?;
        let range = rule["cidr"].as_str().unwrap_or_default();
        let message = format!("{name} (port {port}) can be reached from {range}");
        Some(Spot::new(format!("ingress[{at}].cidr"), message))
    });
    found.collect()
}

fn all_ports(group: &Subject<'_>) -> Vec<Spot> {
    let open = from_everywhere(group).filter(|(_, rule)| every_port(rule));
    let found = open.map(|(at, rule)| {
        let range = rule["cidr"].as_str().unwrap_or_default();
        Spot::new(format!("ingress[{at}].cidr"), format!("every port can be reached from {range}"))
    });
    found.collect()
}

fn described(group: &Subject<'_>) -> Vec<Spot> {
    if group.left_out("description") {
        return vec![Spot::new("description", "the group doesn't say what it is for")];
    }
    let mut rules = group.written["ingress"].as_array().into_iter().flatten().enumerate();
    let silent = rules.find(|(_, rule)| rule["description"].is_null());
    silent
        .map(|(at, _)| {
            Spot::new(format!("ingress[{at}].protocol"), "the rule doesn't say what it is for")
        })
        .into_iter()
        .collect()
}

fn public_addresses(subnet: &Subject<'_>) -> Vec<Spot> {
    let open = subnet.flag("public_ip_on_launch") == Some(true);
    let message = "every machine in this subnet gets an address that the internet can reach";
    Spot::when(open, "public_ip_on_launch", message)
}
