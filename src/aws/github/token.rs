//! Tokens in which GitHub says which job this is.

use std::fmt;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::aws::error::chain;
use crate::aws::{CONNECT_TIMEOUT, Class, Error};

/// The way to GitHub's tokens.
#[derive(Debug)]
pub struct Tokens {
    operation: Operation<String, SecretString, Refused>,
}

/// GitHub gave no token.
#[derive(Debug)]
struct Refused {
    status: u16,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "HTTP {}", self.status),
            message => write!(f, "HTTP {}: {message}", self.status),
        }
    }
}

impl std::error::Error for Refused {}

impl Tokens {
    /// From the address that the job was told, which ends in a query.
    pub fn new(url: &str, bearer: SecretString, config: &SdkConfig) -> Self {
        let (origin, path) = cut(url);
        let mut operation = Operation::builder()
            .service_name("GitHub")
            .operation_name("GetToken")
            .with_connection_poisoning()
            .endpoint_url(origin)
            .no_auth()
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .standard_retry(&RetryConfig::standard())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(StaticRuntimePlugin::new().with_config({
                // No log shows the body of an answer.
                let mut layer = Layer::new("token");
                layer.store_put(SensitiveOutput);
                layer.freeze()
            }));
        if let Some(client) = config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        let operation = operation
            .serializer(move |audience: String| {
                let joint = if path.contains('?') { '&' } else { '?' };
                let audience = utf8_percent_encode(&audience, NON_ALPHANUMERIC);
                let mut request = HttpRequest::empty();
                request.set_method("GET")?;
                request.set_uri(format!("{path}{joint}audience={audience}"))?;
                let headers = request.headers_mut();
                headers.insert("accept", "application/json; api-version=2.0");
                headers.insert("authorization", format!("Bearer {}", bearer.expose_secret()));
                Ok(request)
            })
            .deserializer(read)
            .build();
        Self { operation }
    }

    /// A new token for this audience.
    pub async fn get(&self, audience: &str) -> Result<SecretString, Error> {
        self.operation.invoke(audience.to_owned()).await.map_err(|error| match &error {
            SdkError::ServiceError(context) => refusal(context.err()),
            _ => Error::new(
                Class::Transient,
                format!("no answer from GitHub's token service: {}", chain(&error)),
            ),
        })
    }
}

/// Origin, and path with query.
fn cut(url: &str) -> (&str, String) {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    match url[host..].find(['/', '?']) {
        Some(length) => {
            let (origin, path) = url.split_at(host + length);
            let slash = if path.starts_with('/') { "" } else { "/" };
            (origin, format!("{slash}{path}"))
        }
        None => (url, "/".to_owned()),
    }
}

#[derive(Deserialize)]
struct Given {
    value: SecretString,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

fn read(response: &HttpResponse) -> Result<SecretString, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let status = response.status().as_u16();
    let message = if response.status().is_success() {
        match serde_json::from_slice::<Given>(body) {
            Ok(given) => return Ok(given.value),
            Err(_) => "the answer holds no token".to_owned(),
        }
    } else {
        serde_json::from_slice::<Said>(body).map(|said| said.message).unwrap_or_default()
    };
    Err(OrchestratorError::operation(Refused { status, message }))
}

fn refusal(refused: &Refused) -> Error {
    let class = match refused.status {
        429 => Class::Throttled,
        500.. => Class::Transient,
        _ => Class::Terminal,
    };
    let error = Error::new(class, format!("GitHub gave the job no token: {refused}"));
    match refused.status {
        401 | 403 => error.hint(
            "the job needs `permissions: { id-token: write }`, and its right to ask ends with the \
             job",
        ),
        _ => error,
    }
}

/// What a token says of its job, for messages; STS alone judges it.
#[derive(Debug, Default)]
pub struct Claims {
    /// `sub`: repository and branch, environment or pull request.
    pub subject: String,
    /// `aud`: who it is meant for.
    pub audience: String,
    /// `iss` as IAM writes it, without `https://`.
    pub issuer: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    iss: String,
}

impl Claims {
    /// Reads them off a token; what can't be read is said to be unknown.
    pub fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        let known = |text: String| if text.is_empty() { "(unknown)".to_owned() } else { text };
        let none = Payload { sub: String::new(), aud: String::new(), iss: String::new() };
        let Payload { sub, aud, iss } = serde_json::from_slice(&payload).unwrap_or(none);
        Self {
            subject: known(sub),
            audience: known(aud),
            issuer: known(iss.trim_start_matches("https://").to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_where_the_path_begins() {
        let cases = [
            ("https://a.b/c//d?e=1", "https://a.b", "/c//d?e=1"),
            ("http://a:1?e=1", "http://a:1", "/?e=1"),
            ("https://a", "https://a", "/"),
        ];
        for (url, origin, path) in cases {
            assert_eq!(cut(url), (origin, path.to_owned()));
        }
    }

    #[test]
    fn claims_are_read_off_any_token() {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"repo:a/b:ref:refs/heads/main"}"#);
        let claims = Claims::of(&format!("head.{payload}.signature"));
        assert_eq!(claims.subject, "repo:a/b:ref:refs/heads/main");
        assert_eq!(claims.audience, "(unknown)");
        assert_eq!(Claims::of("rubbish").subject, "(unknown)");
    }
}
