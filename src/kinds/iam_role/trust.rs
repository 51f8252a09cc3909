//! The shorthand for the most common trust policy: services that may assume the role.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::field::Policy;
use crate::reference::is_marked;

/// One service or several, each as `dms.amazonaws.com` or `dms`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Services {
    /// One service.
    One(String),
    /// Several services.
    Several(BTreeSet<String>),
}

/// What pods of EKS assume their roles through; it passes session tags along.
const PODS: &str = "pods.eks.amazonaws.com";

/// Names that people give to services whose principals are called differently.
const NICKNAMES: &[(&str, &str)] = &[
    ("emr", "elasticmapreduce"),
    ("sfn", "states"),
    ("stepfunctions", "states"),
    ("step-functions", "states"),
    ("eventbridge", "events"),
    ("cloudwatch-logs", "logs"),
];

impl Services {
    /// The services that a policy lets in, if it says no more than [`Services::trust`].
    pub fn short_for(policy: &Policy) -> Option<Self> {
        let service = policy.0.pointer("/Statement/0/Principal/Service")?;
        let services = match service {
            Value::String(one) => Self::One(one.clone()),
            Value::Array(several) => {
                let names = several.iter().map(|one| one.as_str().map(str::to_owned));
                Self::Several(names.collect::<Option<_>>()?)
            }
            _ => return None,
        };
        (services.trust() == *policy).then_some(services)
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names.iter().map(String::as_str).collect(),
        }
    }

    /// The policy that this is short for.
    pub fn trust(&self) -> Policy {
        let principals: Vec<String> = self.names().into_iter().map(principal).collect();
        let passes_tags = principals.iter().any(|name| name == PODS);
        let action: Value = match passes_tags {
            true => json!(["sts:AssumeRole", "sts:TagSession"]),
            false => json!("sts:AssumeRole"),
        };
        let service = match principals.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        Policy(json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Principal": { "Service": service }, "Action": action },
            ],
        }))
    }

    /// (field path, message) for what can't be a service.
    pub fn check(&self) -> Vec<(String, String)> {
        let names = self.names();
        if names.is_empty() {
            return vec![("service".into(), "name at least one service".into())];
        }
        let wrong = names.into_iter().filter_map(|name| {
            let (_, real) = NICKNAMES.iter().find(|(nickname, _)| *nickname == name)?;
            Some((
                "service".into(),
                format!("AWS calls {name} {real}.amazonaws.com: write `{real}`"),
            ))
        });
        wrong.collect()
    }
}

/// `dms` is short for `dms.amazonaws.com`.
fn principal(name: &str) -> String {
    if name.contains('.') || is_marked(name) {
        name.to_owned()
    } else {
        format!("{name}.amazonaws.com")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::equivalent;

    fn services(value: Value) -> Services {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_shorthand_is_what_aws_returns() {
        let document = |service: Value, action: Value| {
            json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
                "Principal": { "Service": service }, "Action": action } })
        };
        let assume = json!("sts:AssumeRole");
        for (short, service, action) in [
            (json!("dms"), json!("dms.amazonaws.com"), assume.clone()),
            (
                json!("states.eu-west-1.amazonaws.com"),
                json!(["states.eu-west-1.amazonaws.com"]),
                assume.clone(),
            ),
            (json!(["glue", "ec2"]), json!(["ec2.amazonaws.com", "glue.amazonaws.com"]), assume),
            (
                json!("pods.eks.amazonaws.com"),
                json!(PODS),
                json!(["sts:TagSession", "sts:AssumeRole"]),
            ),
        ] {
            assert!(equivalent(&services(short).trust().0, &document(service, action)));
        }
    }

    #[test]
    fn nicknames_are_refused_with_the_real_name() {
        assert!(services(json!(["ec2", "emr"])).check()[0].1.contains("elasticmapreduce"));
        assert!(services(json!("ec2")).check().is_empty());
        assert_eq!(services(json!([])).check().len(), 1);
    }
}
