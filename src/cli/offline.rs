//! Plans without AWS: against an account that has nothing.

use std::path::Path;

use serde_json::Value;

use crate::kind::Site;
use crate::reference::Reference;
use crate::stack::Stack;

/// Why AWS isn't asked, and what is known of the account all the same.
#[derive(Clone, Debug)]
pub struct Offline {
    account: Option<String>,
    because: Option<&'static str>,
}

impl Offline {
    /// Somebody wants it so.
    pub fn asked(account: Option<String>) -> Self {
        Self { account, because: None }
    }

    /// GitHub gives no credentials to a pull request from a fork.
    pub fn fork() -> Self {
        Self {
            account: None,
            because: Some("because GitHub gives no credentials to a pull request from a fork"),
        }
    }

    /// What the plan is against, and why.
    pub fn words(&self) -> String {
        let because = self.because.map(|because| format!(", {because}"));
        format!("against an empty account{}", because.unwrap_or_default())
    }

    /// Where the stack lives. What isn't known is a reference that nothing answers, so whatever is
    /// made of it isn't known before apply.
    pub fn site(&self, stack: &Stack) -> Site {
        let unknown =
            |field: &str| Reference { key: "aws".to_owned(), field: field.to_owned() }.mark();
        let environment = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
        let mut environment = environment.filter_map(|name| std::env::var(name).ok());
        let region = stack.region.clone().or_else(|| environment.find(|one| !one.is_empty()));
        let partition = match region.as_deref() {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Site {
            partition: partition.to_owned(),
            account: self.account.clone().unwrap_or_else(|| unknown("account")),
            region: region.unwrap_or_else(|| unknown("region")),
            stack: stack.name.clone(),
        }
    }
}

/// Reads the id of an account.
pub fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account's id has twelve digits".to_owned()),
    }
}

/// Whether this is a job of GitHub's for a pull request from a fork.
pub fn from_fork() -> bool {
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    // The target's workflow runs with the target's secrets, whatever it is about.
    if set("GITHUB_ACTIONS") != "true" || set("GITHUB_EVENT_NAME") != "pull_request" {
        return false;
    }
    let event = std::fs::read_to_string(Path::new(&set("GITHUB_EVENT_PATH"))).ok();
    let event = event.and_then(|text| serde_json::from_str(&text).ok());
    event.is_some_and(|event| is_fork(&event))
}

/// Whether the event's pull request comes from another repository. The flag alone won't do where
/// the repository is a fork itself; a fork that was deleted has no repository any more.
fn is_fork(event: &Value) -> bool {
    let request = &event["pull_request"];
    let (head, base) = (&request["head"]["repo"], &request["base"]["repo"]);
    match (head["full_name"].as_str(), base["full_name"].as_str()) {
        (Some(head), Some(base)) => head != base,
        _ => head["fork"] == true || (request.is_object() && head.is_null()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fork_is_another_repository() {
        let request = |head: Value, base: Value| {
            is_fork(
                &json!({ "pull_request": { "head": { "repo": head }, "base": { "repo": base } } }),
            )
        };
        let named = |name: &str, fork: bool| json!({ "full_name": name, "fork": fork });
        assert!(request(named("eve/lake", true), named("acme/lake", false)));
        assert!(!request(named("acme/lake", false), named("acme/lake", false)));
        // A branch of a repository that is a fork itself.
        assert!(!request(named("acme/lake", true), named("acme/lake", true)));
        assert!(request(Value::Null, named("acme/lake", false)));
        assert!(request(json!({ "fork": true }), Value::Null));
        assert!(!is_fork(&json!({ "ref": "refs/heads/main" })));
    }

    #[test]
    fn an_account_has_twelve_digits() {
        assert!(account("123456789012").is_ok());
        assert!(account("1234").is_err() && account("12345678901x").is_err());
    }
}
