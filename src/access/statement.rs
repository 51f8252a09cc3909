//! Statements of a policy, and how many become few.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What is allowed: actions on resources under a condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// IAM's names of the actions.
    pub actions: BTreeSet<String>,
    /// ARNs, with wildcards where they aren't known.
    pub resources: BTreeSet<String>,
    /// What has to hold besides.
    pub condition: Option<Condition>,
}

/// One key of a request that has to have one of some values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// `StringEquals`, `StringLike`.
    pub operator: String,
    /// `aws:ResourceTag/lagoa:stack`, ….
    pub key: String,
    /// Any of them will do.
    pub values: BTreeSet<String>,
}

impl Condition {
    /// The key has one of the values.
    pub fn new(operator: &str, key: &str, values: Vec<String>) -> Self {
        let values = values.into_iter().collect();
        Self { operator: operator.to_owned(), key: key.to_owned(), values }
    }
}

impl Statement {
    /// As it stands in a document.
    pub fn json(&self) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Action": one_or_list(&self.actions),
            "Resource": one_or_list(&self.resources),
        });
        if let Some(Condition { operator, key, values }) = &self.condition {
            statement["Condition"] = json!({ operator: { key: one_or_list(values) } });
        }
        statement
    }

    /// Whether it allows the action on everything that the other statement allows it on.
    fn covers(&self, action: &str, other: &Self) -> bool {
        let wider = self.condition.is_none() || self.condition == other.condition;
        let covered = |resource: &String| self.resources.iter().any(|own| matches(own, resource));
        wider && self.actions.contains(action) && other.resources.iter().all(covered)
    }
}

fn one_or_list(texts: &BTreeSet<String>) -> Value {
    match texts.len() {
        1 => texts.first().cloned().into(),
        _ => texts.iter().cloned().collect(),
    }
}

/// Whether the pattern, in which `*` is any text, covers a text or another pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The same leave in few statements, in a fixed order.
pub fn merged(statements: Vec<Statement>) -> Vec<Statement> {
    let mut by_resources: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for Statement { actions, resources, condition } in statements {
        by_resources.entry((condition, sparse(resources))).or_default().extend(actions);
    }
    let statements = by_resources.into_iter().map(|((condition, resources), actions)| Statement {
        actions,
        resources,
        condition,
    });
    let mut by_actions: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for Statement { actions, resources, condition } in without_repetition(statements.collect()) {
        by_actions.entry((condition, actions)).or_default().extend(resources);
    }
    let statements = by_actions.into_iter().map(|((condition, actions), resources)| Statement {
        actions,
        resources: sparse(resources),
        condition,
    });
    let mut statements: Vec<_> = statements.collect();
    statements.sort();
    statements
}

/// Without the ARNs that others of them cover.
pub fn sparse(resources: BTreeSet<String>) -> BTreeSet<String> {
    let open: Vec<&String> = resources.iter().filter(|one| one.contains('*')).collect();
    let covered = |one: &String| open.iter().any(|other| *other != one && matches(other, one));
    resources.iter().filter(|one| !covered(one)).cloned().collect()
}

/// Takes an action out of a statement where another one allows as much.
fn without_repetition(mut statements: Vec<Statement>) -> Vec<Statement> {
    for at in 0..statements.len() {
        let mut own = statements[at].clone();
        own.actions.retain(|action| {
            let mut others = statements.iter().enumerate().filter(|(other, _)| *other != at);
            !others.any(|(_, other)| other.covers(action, &statements[at]))
        });
        statements[at] = own;
    }
    statements.retain(|statement| !statement.actions.is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(actions: &[&str], resources: &[&str]) -> Statement {
        let set = |texts: &[&str]| texts.iter().map(|one| (*one).to_owned()).collect();
        Statement { actions: set(actions), resources: set(resources), condition: None }
    }

    fn owned(actions: &[&str], resources: &[&str]) -> Statement {
        let condition = Condition::new("StringEquals", "aws:ResourceTag/a", vec!["b".to_owned()]);
        Statement { condition: Some(condition), ..allow(actions, resources) }
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in [
            ("*", "arn:aws:s3:::a"),
            ("arn:aws:s3:::raw-*", "arn:aws:s3:::raw-"),
            ("arn:aws:rds:*:*:db:*", "arn:aws:rds:us-east-1:1:db:a"),
            ("a*b*c", "a*b*c"),
            ("aXb", "aXb"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*b", "a"), ("ab*b", "ab"), ("a", "*"), ("a*", "*")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_same_actions_share_a_statement_and_so_do_the_same_resources() {
        let few = merged(vec![
            allow(&["s3:Get"], &["arn:b"]),
            allow(&["s3:Put"], &["arn:b"]),
            allow(&["s3:Put", "s3:Get"], &["arn:a"]),
            allow(&["tag:Get"], &["*"]),
        ]);
        let expected =
            [allow(&["s3:Get", "s3:Put"], &["arn:a", "arn:b"]), allow(&["tag:Get"], &["*"])];
        assert_eq!(few, expected);
    }

    #[test]
    fn what_is_allowed_anyway_is_not_said_again() {
        let few = merged(vec![
            allow(&["rds:Describe"], &["arn:db:*"]),
            allow(&["rds:Describe", "rds:Modify"], &["arn:db:a"]),
            owned(&["rds:Describe"], &["arn:db:b"]),
            owned(&["rds:Delete"], &["arn:db:a", "arn:db:*"]),
        ]);
        let expected = [
            allow(&["rds:Describe"], &["arn:db:*"]),
            allow(&["rds:Modify"], &["arn:db:a"]),
            owned(&["rds:Delete"], &["arn:db:*"]),
        ];
        let mut sorted = expected.to_vec();
        sorted.sort();
        assert_eq!(few, sorted);
    }

    #[test]
    fn a_condition_is_never_lost() {
        let few =
            merged(vec![owned(&["ec2:Delete"], &["*"]), allow(&["ec2:Delete"], &["arn:vpc/a"])]);
        assert_eq!(few.len(), 2);
    }
}
