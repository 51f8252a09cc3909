//! GitHub's REST API, as far as a comment needs it.
//!
//! Calls go through the proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`). What fails for a
//! moment is tried again: a server error, a lost connection, and a rate limit, which says how long
//! to wait.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call is tried.
const ATTEMPTS: u32 = 4;
/// The longest that is waited for a rate limit; nobody wants to pay a runner for more.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a secondary limit lasts when GitHub doesn't say.
const SECONDARY_LIMIT: Duration = Duration::from_secs(60);

/// Why GitHub didn't do it.
#[derive(Debug, Error)]
pub enum Trouble {
    /// GitHub answered, and said no.
    #[error("GitHub says {status}: {message}")]
    Refused {
        /// Status of the answer.
        status: u16,
        /// What GitHub says.
        message: String,
    },
    /// There was no answer, or one of a server that was in trouble itself: it may have been done.
    #[error("GitHub can't be reached: {0}")]
    Unanswered(String),
}

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    /// Its body.
    pub body: Value,
    /// Address of the next page.
    pub next: Option<String>,
}

/// How a call is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes anew; never repeated when it may have been done.
    Post,
    /// Changes what is there.
    Patch,
}

/// The way to the API. The token is in its calls' headers and nowhere else.
pub struct Api {
    base: String,
    graphql: String,
    token: SecretString,
    connector: SharedHttpConnector,
}

impl Api {
    /// The way to the REST API at `base` and the GraphQL API at `graphql`.
    pub fn new(base: &str, graphql: &str, token: SecretString) -> Self {
        let connector = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Self {
            base: base.to_owned(),
            graphql: graphql.to_owned(),
            token,
            connector: SharedHttpConnector::new(connector),
        }
    }

    /// Calls the REST API. `path` is one below its base, or the whole address of a next page.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Trouble> {
        let url = match path.strip_prefix(&self.base) {
            Some(rest) if rest.starts_with('/') => path.to_owned(),
            _ if path.starts_with('/') => format!("{}{path}", self.base),
            // Whoever writes the addresses of next pages doesn't get the token sent elsewhere.
            _ => return Err(Trouble::Unanswered(format!("{path} is not below {}", self.base))),
        };
        self.patiently(method, &url, body).await
    }

    /// Asks the GraphQL API, which changes nothing.
    pub async fn ask(&self, query: &str) -> Result<Value, Trouble> {
        let body = serde_json::json!({ "query": query });
        let answer = self.patiently(Method::Post, &self.graphql, Some(&body)).await?;
        Ok(answer.body)
    }

    async fn patiently(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Trouble> {
        let mut attempt = 1;
        loop {
            let outcome =
                match tokio::time::timeout(CALL_TIMEOUT, self.once(method, url, body)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(Failure::lost("no answer within 30 seconds".to_owned())),
                };
            let failure = match outcome {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = failure.pause(method, attempt).filter(|_| attempt < ATTEMPTS);
            let Some(pause) = again else { return Err(failure.trouble) };
            tracing::debug!(?pause, attempt, "asking GitHub again: {}", failure.trouble);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, url, body).map_err(Failure::lost)?;
        let mut response = self.connector.call(request).await.map_err(|error| {
            let causes = std::iter::successors(std::error::Error::source(&error), |e| e.source());
            let words: Vec<String> =
                std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect();
            Failure::lost(words.join(": "))
        })?;
        let text = std::mem::replace(response.body_mut(), SdkBody::taken());
        let text = ByteStream::new(text).collect().await;
        let text = text.map_err(|error| Failure::lost(error.to_string()))?.into_bytes();
        let body: Value = serde_json::from_slice(&text).unwrap_or(Value::Null);
        if response.status().is_success() {
            let next = response.headers().get("link").and_then(next_page);
            return Ok(Answer { body, next });
        }
        Err(Failure::of(&response, &body))
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<HttpRequest, String> {
        let mut request = HttpRequest::empty();
        let word = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
        };
        request.set_method(word).map_err(|error| error.to_string())?;
        request.set_uri(url).map_err(|error| format!("{url} is no address: {error}"))?;
        let headers = request.headers_mut();
        headers.insert("accept", "application/vnd.github+json");
        headers.insert("x-github-api-version", "2022-11-28");
        headers.insert("user-agent", concat!("lagoa/", env!("CARGO_PKG_VERSION")));
        let token = format!("Bearer {}", self.token.expose_secret().trim());
        let sent = headers.try_insert("authorization", token);
        // The error would show the header.
        sent.map_err(|_| "GITHUB_TOKEN holds what no token may hold".to_owned())?;
        if let Some(body) = body {
            let text = body.to_string();
            headers.insert("content-type", "application/json");
            headers.insert("content-length", text.len().to_string());
            *request.body_mut() = SdkBody::from(text);
        }
        Ok(request)
    }
}

/// A try that failed, and what it says about another one.
struct Failure {
    trouble: Trouble,
    /// GitHub wants to be left alone for this long; nothing was done.
    limited: Option<Duration>,
    /// It may pass by itself.
    passing: bool,
}

impl Failure {
    fn lost(why: String) -> Self {
        Self { trouble: Trouble::Unanswered(why), limited: None, passing: true }
    }

    fn of(response: &HttpResponse, body: &Value) -> Self {
        let status = response.status().as_u16();
        let message = message(body);
        let header = |name: &str| response.headers().get(name)?.trim().parse::<u64>().ok();
        let limited = limit(
            status,
            &message,
            header("retry-after"),
            header("x-ratelimit-remaining"),
            header("x-ratelimit-reset"),
        );
        let trouble = match status {
            500.. => Trouble::Unanswered(format!("it answers {status}")),
            _ => Trouble::Refused { status, message },
        };
        Self { trouble, limited, passing: status >= 500 }
    }

    /// How long to wait before the next try; `None` when there should be none.
    fn pause(&self, method: Method, attempt: u32) -> Option<Duration> {
        if let Some(limited) = self.limited {
            return (limited <= PATIENCE).then_some(limited);
        }
        let repeatable = self.passing && method != Method::Post;
        repeatable.then(|| Duration::from_millis(250 << attempt))
    }
}

/// What GitHub says, with the reasons of a refused field.
fn message(body: &Value) -> String {
    let mut message = body["message"].as_str().unwrap_or("nothing more").to_owned();
    for error in body["errors"].as_array().into_iter().flatten() {
        if let Some(more) = error["message"].as_str().or_else(|| error.as_str()) {
            message.push_str("; ");
            message.push_str(more);
        }
    }
    message
}

/// How long GitHub wants to be left alone, if that is why it refused.
fn limit(
    status: u16,
    message: &str,
    retry_after: Option<u64>,
    remaining: Option<u64>,
    reset: Option<u64>,
) -> Option<Duration> {
    if !matches!(status, 403 | 429) {
        return None;
    }
    if let Some(seconds) = retry_after {
        return Some(Duration::from_secs(seconds));
    }
    if remaining == Some(0) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = Duration::from_secs(reset.unwrap_or(0)).saturating_sub(now);
        return Some(until.max(Duration::from_secs(1)));
    }
    let secondary = status == 429 || message.to_lowercase().contains("rate limit");
    secondary.then_some(SECONDARY_LIMIT)
}

/// The address of the next page in a `Link` header.
fn next_page(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (url, relation) = link.trim().strip_prefix('<')?.split_once('>')?;
        relation.contains("rel=\"next\"").then(|| url.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let header = "<https://api/x?page=1>; rel=\"prev\", <https://api/x?page=3>; rel=\"next\", \
            <https://api/x?page=9>; rel=\"last\"";
        assert_eq!(next_page(header).as_deref(), Some("https://api/x?page=3"));
        assert_eq!(next_page("<https://api/x?page=1>; rel=\"prev\""), None);
        assert_eq!(next_page("nonsense"), None);
    }

    #[test]
    fn limits_say_how_long() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(limit(403, "x", Some(7), None, None), seconds(7));
        assert_eq!(limit(429, "x", None, Some(0), Some(1)), seconds(1));
        let secondary = "You have exceeded a secondary rate limit.";
        assert_eq!(limit(403, secondary, None, None, None), Some(SECONDARY_LIMIT));
        assert_eq!(limit(403, "Resource not accessible by integration", None, None, None), None);
        assert_eq!(limit(500, "x", Some(7), None, None), None);
    }

    #[test]
    fn what_may_have_been_made_is_not_made_again() {
        let lost = Failure::lost(String::new());
        assert!(lost.pause(Method::Post, 1).is_none());
        assert!(lost.pause(Method::Get, 1) < lost.pause(Method::Get, 2));
        let long = Failure { limited: Some(Duration::from_secs(3_600)), ..lost };
        assert!(long.pause(Method::Get, 1).is_none(), "nobody waits an hour");
    }

    #[tokio::test]
    async fn the_token_goes_nowhere_else() {
        let api = Api::new("https://api.example", "https://api.example/graphql", "t".into());
        for elsewhere in ["https://evil.example/x", "https://api.example.evil/x", "x"] {
            let error = api.call(Method::Get, elsewhere, None).await.expect_err("elsewhere");
            assert!(error.to_string().contains("is not below"), "{error}");
        }
    }
}
