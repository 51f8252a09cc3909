//! Whether DMS will get through to a database of the same stack.

use serde_json::Value;

use super::{DmsEndpoint, Engine};
use crate::aws::words::word;
use crate::field::Database;
use crate::kind::Neighbours;
use crate::reference::references;

impl DmsEndpoint {
    fn rds_text(&self) -> Option<Value> {
        match self.rds.as_deref()? {
            Database::Unknown(text) => Some(Value::String(text.clone())),
            Database::Known(_) => None,
        }
    }

    /// The database of the stack, if the endpoint is on one.
    fn rds_among<'a>(&self, among: &'a Neighbours<'a>) -> Option<&'a Value> {
        let text = self.rds_text()?;
        let found = among.referred(&text).into_iter().find(|(kind, _)| *kind == "rds_instance");
        found.map(|(_, fields)| fields)
    }

    /// The endpoint's engine isn't the database's.
    pub(super) fn wrong_engine(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let theirs = self.rds_among(among).and_then(|rds| rds["engine"].as_str());
        let ours = word(&*self.engine);
        match theirs {
            Some(theirs) if theirs != ours && self.engine.block() != theirs => {
                vec![("engine".to_owned(), format!("the database is {theirs}, not {ours}"))]
            }
            _ => Vec::new(),
        }
    }

    /// The database's security groups let in single addresses only, as a rule for "my IP" does,
    /// and none of the groups of the stack's replication instances.
    pub(super) fn shut_out(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let Some(rds) = self.rds_among(among) else { return Vec::new() };
        let groups = keys(&rds["security_groups"]);
        let walls: Vec<(&str, &Value)> = groups
            .iter()
            .filter_map(|key| Some((key.as_str(), among.get(key)?)))
            .filter(|(_, (kind, _))| *kind == "ec2_security_group")
            .map(|(key, (_, fields))| (key, fields))
            .collect();
        // A group that isn't of this stack may let DMS in.
        if walls.is_empty() || walls.len() < rds["security_groups"].as_array().map_or(0, Vec::len) {
            return Vec::new();
        }
        let port = rds["port"].as_i64().unwrap_or(self.usual_port());
        let mut inside: Vec<String> = Vec::new();
        for (_, kind, fields) in &among.all {
            if *kind == "dms_replication_instance" {
                inside.extend(keys(&fields["security_groups"]));
            }
        }
        let opens = |(key, wall): &(&str, &Value)| {
            let rules = wall["ingress"].as_array().into_iter().flatten();
            rules.filter(|rule| covers(rule, port)).any(|rule| lets_in(rule, key, &inside))
        };
        if walls.iter().any(opens) {
            return Vec::new();
        }
        let wall = walls[0].0;
        let from = inside.first().map_or("the replication instance's group", String::as_str);
        vec![(
            "rds".to_owned(),
            format!(
                "{wall} lets no replication instance in to port {port}, so DMS can't connect: give \
                 it the rule {{ protocol: tcp, ports: {port}, security_group: {from} }}"
            ),
        )]
    }

    fn usual_port(&self) -> i64 {
        match *self.engine {
            Engine::Mysql | Engine::Mariadb | Engine::Aurora => 3306,
            Engine::Redshift => 5439,
            _ => 5432,
        }
    }
}

fn keys(value: &Value) -> Vec<String> {
    references(value).into_iter().map(|reference| reference.key).collect()
}

/// Whether a rule is about that port.
fn covers(rule: &Value, port: i64) -> bool {
    let ports = match &rule["ports"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return true,
    };
    let number = |text: &str| text.trim().parse::<i64>().ok();
    match ports.split_once('-') {
        _ if ports == "all" => true,
        Some((from, to)) => number(from) <= Some(port) && Some(port) <= number(to),
        None => number(&ports) == Some(port),
    }
}

/// Whether a rule of the group `own` may let in a machine that is in one of these groups.
fn lets_in(rule: &Value, own: &str, inside: &[String]) -> bool {
    if let Some(cidr) = rule["cidr"].as_str() {
        return !(cidr.ends_with("/32") || cidr.ends_with("/128"));
    }
    let group = &rule["security_group"];
    match group.as_str() {
        None => true,
        Some("self") => inside.iter().any(|key| key == own),
        Some(_) => {
            let named = keys(group);
            named.is_empty() || named.iter().any(|key| inside.contains(key))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kind::Kind;
    use crate::reference::Reference;

    fn to(key: &str, field: &str) -> String {
        Reference { key: key.to_owned(), field: field.to_owned() }.mark()
    }

    fn told(ingress: Value, instance: Value) -> Vec<(String, String)> {
        let rds = json!({ "engine": "postgres", "security_groups": [to("wall", "id")] });
        let (wall, task) = (json!({ "ingress": ingress }), json!({ "security_groups": instance }));
        let among = Neighbours {
            all: vec![
                ("db", "rds_instance", &rds),
                ("wall", "ec2_security_group", &wall),
                ("dms", "dms_replication_instance", &task),
            ],
        };
        let endpoint: DmsEndpoint = serde_json::from_value(json!({
            "type": "source", "engine": "postgres", "rds": to("db", "connection"),
        }))
        .expect("an endpoint");
        endpoint.warn(&among)
    }

    #[test]
    fn a_rule_for_one_address_shuts_dms_out() {
        let mine = json!({ "protocol": "tcp", "ports": "5432", "cidr": "203.0.113.7/32" });
        let dms = json!([to("dms-access", "id")]);
        let warned = told(json!([mine]), dms.clone());
        assert!(warned[0].1.contains("security_group: dms-access"), "{warned:?}");
        let open = [
            json!({ "protocol": "tcp", "ports": "5432", "cidr": "10.0.0.0/16" }),
            json!({ "protocol": "tcp", "ports": "5000-6000", "security_group": to("dms-access", "id") }),
            json!({ "protocol": "all", "ports": "all", "cidr": "0.0.0.0/0" }),
        ];
        for rule in open {
            assert_eq!(told(json!([mine, rule]), dms.clone()), [], "{rule}");
        }
        let own = json!({ "protocol": "tcp", "ports": "5432", "security_group": "self" });
        assert_eq!(told(json!([mine, own]), dms).len(), 1);
        assert_eq!(told(json!([mine, own]), json!([to("wall", "id")])), []);
    }

    #[test]
    fn the_engine_is_the_databases() {
        let among = json!({ "engine": "mysql" });
        let among = Neighbours { all: vec![("db", "rds_instance", &among)] };
        let endpoint: DmsEndpoint = serde_json::from_value(json!({
            "type": "source", "engine": "postgres", "rds": to("db", "connection"),
        }))
        .expect("an endpoint");
        assert_eq!(endpoint.warn(&among)[0].0, "engine");
    }
}
