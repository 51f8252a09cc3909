//! What the runner tells a step: variables of the environment, and the event that began the run.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::Value;

/// What stays as it is in the path of an address.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Variables of the environment that hold a credential.
pub const CREDENTIALS: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
];

/// Whether this process runs in a step of GitHub Actions.
pub fn in_actions() -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A pull request, as the event tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The commit at its head, when the event says so.
    pub head: Option<String>,
}

/// What the runner tells a step. All of it may be missing: outside of Actions, in part also on
/// runners that only act like GitHub's.
#[derive(Debug, Default)]
pub struct Runner {
    /// The checkout.
    pub workspace: Option<PathBuf>,
    /// The file that the step's summary is appended to.
    pub summary: Option<PathBuf>,
    /// The file that the step's outputs are appended to.
    pub output: Option<PathBuf>,
    /// Where people look at it: `https://github.com`.
    pub server: Option<String>,
    /// Where the REST API is.
    pub api: Option<String>,
    /// Where the GraphQL API is.
    pub graphql: Option<String>,
    /// `owner/name`.
    pub repository: Option<String>,
    /// Number of the run.
    pub run: Option<u64>,
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The pull request that the run is for.
    pub pull_request: Option<PullRequest>,
    /// What opens the API.
    pub token: Option<SecretString>,
}

impl Runner {
    /// From this process's environment.
    pub fn here() -> Self {
        let event = variable("GITHUB_EVENT_PATH");
        let event = event.and_then(|path| std::fs::read_to_string(path).ok());
        Self::of(&variable, event.as_deref())
    }

    /// From plain values: variables, and the text of the event.
    pub fn of(variable: &impl Fn(&str) -> Option<String>, event: Option<&str>) -> Self {
        let path = |name| variable(name).map(PathBuf::from);
        let address = |name| variable(name).map(|url| url.trim_end_matches('/').to_owned());
        let event = event.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        Self {
            workspace: path("GITHUB_WORKSPACE"),
            summary: path("GITHUB_STEP_SUMMARY"),
            output: path("GITHUB_OUTPUT"),
            server: address("GITHUB_SERVER_URL"),
            api: address("GITHUB_API_URL"),
            graphql: address("GITHUB_GRAPHQL_URL"),
            repository: variable("GITHUB_REPOSITORY").filter(|name| is_repository(name)),
            run: variable("GITHUB_RUN_ID").and_then(|id| id.parse().ok()),
            commit: variable("GITHUB_SHA").filter(|sha| is_commit(sha)),
            pull_request: pull_request(&event, variable("GITHUB_REF").as_deref()),
            token: variable("GITHUB_TOKEN").map(SecretString::from),
        }
    }

    /// The page of this run.
    pub fn run_page(&self) -> Option<String> {
        Some(format!("{}/actions/runs/{}", self.repository_page()?, self.run?))
    }

    /// The page of a file of the repository, as it is checked out.
    pub fn file_page(&self, path: &str) -> Option<String> {
        let path = utf8_percent_encode(path, PATH);
        Some(format!("{}/blob/{}/{path}", self.repository_page()?, self.commit.as_ref()?))
    }

    fn repository_page(&self) -> Option<String> {
        Some(format!("{}/{}", self.server.as_ref()?, self.repository.as_ref()?))
    }

    /// The path of a file from the root of the repository; `None` when it lies elsewhere.
    pub fn in_repository(&self, file: &Path) -> Option<String> {
        let workspace = self.workspace.as_ref()?.canonicalize().ok()?;
        let file = file.canonicalize().ok()?;
        Some(file.strip_prefix(workspace).ok()?.to_str()?.to_owned())
    }
}

fn is_repository(name: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

fn is_commit(sha: &str) -> bool {
    (7..=64).contains(&sha.len()) && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The pull request of an event: one of its own, or the one that a comment was written on.
fn pull_request(event: &Value, git_ref: Option<&str>) -> Option<PullRequest> {
    let own = &event["pull_request"];
    let commented = Some(&event["issue"]).filter(|issue| issue["pull_request"].is_object());
    let merged = || git_ref?.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok();
    let number = own["number"]
        .as_u64()
        .or_else(|| commented?["number"].as_u64())
        .or_else(merged)
        .filter(|number| *number > 0)?;
    let head = own["head"]["sha"].as_str().filter(|sha| is_commit(sha));
    Some(PullRequest { number, head: head.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(event: &Value, git_ref: Option<&str>) -> Option<u64> {
        pull_request(event, git_ref).map(|one| one.number)
    }

    #[test]
    fn the_event_knows_its_pull_request() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let own = json!({ "pull_request": { "number": 7, "head": { "sha": sha } } });
        let found = pull_request(&own, None);
        assert_eq!(found, Some(PullRequest { number: 7, head: Some(sha.to_owned()) }));
        let comment = json!({ "issue": { "number": 8, "pull_request": { "url": "" } } });
        assert_eq!(number(&comment, None), Some(8));
        let on_an_issue = json!({ "issue": { "number": 9 } });
        assert_eq!(number(&on_an_issue, Some("refs/heads/main")), None);
        assert_eq!(number(&Value::Null, Some("refs/pull/12/merge")), Some(12));
        assert_eq!(number(&Value::Null, Some("refs/pull/x/merge")), None);
        assert_eq!(number(&Value::Null, None), None);
    }

    #[test]
    fn pages_need_all_their_parts() {
        let all = |name: &str| {
            Some(match name {
                "GITHUB_SERVER_URL" => "https://github.example/".to_owned(),
                "GITHUB_REPOSITORY" => "acme/lake".to_owned(),
                "GITHUB_RUN_ID" => "42".to_owned(),
                "GITHUB_SHA" => "0123456".to_owned(),
                _ => return None,
            })
        };
        let runner = Runner::of(&all, Some("not JSON"));
        assert_eq!(
            runner.run_page().as_deref(),
            Some("https://github.example/acme/lake/actions/runs/42")
        );
        assert_eq!(
            runner.file_page("stacks/a b\">.yaml").as_deref(),
            Some("https://github.example/acme/lake/blob/0123456/stacks/a%20b%22%3E.yaml")
        );
        assert!(Runner::default().run_page().is_none());
        let strange = |name: &str| (name == "GITHUB_REPOSITORY").then(|| "a/b/../c".to_owned());
        assert!(Runner::of(&strange, None).repository.is_none());
    }
}
