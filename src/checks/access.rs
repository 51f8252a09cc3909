//! Statements of IAM policies as a check reads them.

use serde_json::Value;

use crate::policy;
use crate::reference::is_marked;

/// One statement, spelled as [`policy::canonical`] does: lists everywhere, actions in lower case.
pub struct Statement(Value);

/// The statements of a document that allow something.
pub fn allowed(document: &Value) -> Vec<Statement> {
    statements(document).into_iter().filter(|one| one.0["Effect"] == "allow").collect()
}

/// The statements of a document that deny something.
pub fn denied(document: &Value) -> Vec<Statement> {
    statements(document).into_iter().filter(|one| one.0["Effect"] == "deny").collect()
}

fn statements(document: &Value) -> Vec<Statement> {
    let canonical = policy::canonical(document);
    let list = canonical["Statement"].as_array().cloned().unwrap_or_default();
    list.into_iter().map(Statement).collect()
}

/// Whether an action such as `s3:*` means one such as `s3:getobject`.
pub fn covers(pattern: &str, action: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl Statement {
    fn texts(&self, member: &str) -> impl Iterator<Item = &str> {
        self.0[member].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Its actions, in lower case.
    pub fn actions(&self) -> Vec<&str> {
        self.texts("Action").collect()
    }

    /// Whether it allows everything that it doesn't name.
    pub fn inverted(&self) -> bool {
        self.0.get("NotAction").is_some()
    }

    /// The one of its actions that means any of these, short of `*` itself.
    pub fn grants(&self, actions: &[&str]) -> Option<String> {
        let meant = |pattern: &&str| {
            *pattern != "*" && actions.iter().any(|action| covers(pattern, action))
        };
        self.actions().into_iter().find(meant).map(str::to_owned)
    }

    /// Whether it is about every resource.
    pub fn everywhere(&self) -> bool {
        self.texts("Resource").any(|resource| resource == "*")
            || self.0.get("NotResource").is_some()
    }

    /// Whether it holds under conditions only.
    pub fn conditional(&self) -> bool {
        self.0["Condition"].as_object().is_some_and(|all| !all.is_empty())
    }

    /// Whether it is about anybody at all.
    pub fn anybody(&self) -> bool {
        let aws = self.0["Principal"]["AWS"].as_array().into_iter().flatten();
        aws.filter_map(Value::as_str).any(|who| who == "*") || self.0.get("NotPrincipal").is_some()
    }

    /// Its principals of a sort: `AWS`, `Service`, `Federated`.
    pub fn principals(&self, sort: &str) -> Vec<&str> {
        let list = self.0["Principal"][sort].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).collect()
    }

    /// What it compares a key of the request with, whatever the operator; keys ignore case.
    pub fn compared(&self, key: impl Fn(&str) -> bool) -> Vec<&str> {
        let operators = self.0["Condition"].as_object().into_iter().flatten();
        // A key that isn't there at all fulfils these.
        let strict = operators.filter(|(operator, _)| !operator.starts_with("ForAllValues"));
        let keys = strict.flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
        let meant = keys.filter(|(name, _)| key(&name.to_lowercase()));
        let values = meant.flat_map(|(_, values)| values.as_array().into_iter().flatten());
        values.filter_map(Value::as_str).collect()
    }

    /// Accounts that it names, as far as they are written out.
    pub fn named_accounts(&self) -> Vec<&str> {
        let written = self.principals("AWS").into_iter().filter(|who| !is_marked(who));
        written.filter(|who| *who != "*").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_iam_takes_them_for() {
        for (pattern, action) in [
            ("s3:*", "s3:getobject"),
            ("s3:get*", "s3:getobject"),
            ("s3:*object", "s3:getobject"),
            ("*", "iam:passrole"),
            ("iam:p*r*e", "iam:passrole"),
            ("s3:getobject", "s3:getobject"),
        ] {
            assert!(covers(pattern, action), "{pattern} {action}");
        }
        for (pattern, action) in
            [("s3:get*", "s3:putobject"), ("s3:getobject", "s3:getobjectacl"), ("", "s3:a")]
        {
            assert!(!covers(pattern, action), "{pattern} {action}");
        }
    }
}
