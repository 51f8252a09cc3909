//! The way of every call to AWS: each waits for its turn, and an answer that says "too fast" slows
//! down those that follow. How long an answer may take counts from when the call is sent, and how
//! large it may be is limited.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::Instant;

use super::error::says_throttled;
use super::gate::Gate;
use super::pacing::Pacer;
use super::{Class, Error};

/// How long AWS may take for one answer, once the call is sent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many of the SDK's attempts may go without one.
const SILENT_ATTEMPTS: u32 = 2;
/// Bytes of an answer that are read: the largest of AWS's, a thousand roles with all their policies,
/// have less than half as many.
const LARGEST_ANSWER: usize = 64_000_000;
/// Its answer is left to whoever asked, who looks at its length first.
const OBJECT: &str = "Object GetObject";

/// An HTTP client whose calls keep to the pace that AWS allows.
#[derive(Debug)]
pub struct Paced {
    inner: SharedHttpClient,
    pacer: Arc<Mutex<Pacer>>,
    gate: Gate,
}

impl Paced {
    /// Around the client that really sends. Writes pass through the gate.
    pub fn around(inner: SharedHttpClient, gate: Gate) -> Self {
        Self { inner, pacer: Arc::default(), gate }
    }
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(PacedConnector {
            inner: self.inner.http_connector(settings, components),
            pacer: Arc::clone(&self.pacer),
            gate: self.gate.clone(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Clone, Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pacer: Arc<Mutex<Pacer>>,
    gate: Gate,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, pacer, gate } = self.clone();
        HttpConnectorFuture::new(async move {
            let (service, operation) = called(&request);
            let pacing = |pacer: &Mutex<Pacer>| {
                let mut pacer = pacer.lock().unwrap_or_else(PoisonError::into_inner);
                pacer.reserve(&service, &operation, Instant::now())
            };
            let wait = pacing(&pacer);
            if !wait.is_zero() {
                tracing::debug!(service, operation, ?wait, "keeping to AWS's pace");
                tokio::time::sleep(wait).await;
            }
            if let Some(why) = gate.shut()
                && writes(&service, &operation, request.method())
            {
                return Err(final_word(Error::new(Class::Terminal, why)));
            }
            let silent = attempt(&request) >= SILENT_ATTEMPTS;
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, async {
                let response = inner.call(request).await?;
                let stays = operation == OBJECT && response.status().is_success();
                if stays { Ok(response) } else { collected(response).await }
            });
            let response = answer.await.unwrap_or_else(|elapsed| match silent {
                true => Err(final_word(unanswered())),
                false => Err(ConnectorError::timeout(elapsed.into())),
            })?;
            if is_throttled(&response) {
                let mut pacer = pacer.lock().unwrap_or_else(PoisonError::into_inner);
                pacer.throttled(&service, &operation, Instant::now());
            }
            Ok(response)
        })
    }
}

/// An error that the SDK makes no other attempt after.
fn final_word(error: Error) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn unanswered() -> Error {
    let seconds = ANSWER_TIMEOUT.as_secs();
    Error::new(Class::Transient, format!("no answer from AWS within {seconds} seconds"))
}

/// The SDK's attempts at this call, this one included.
fn attempt(request: &HttpRequest) -> u32 {
    let about = request.headers().get("amz-sdk-request").unwrap_or_default();
    let number = about.split(';').find_map(|part| part.trim().strip_prefix("attempt="));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// Whether a call may change anything in the account. Credentials are fetched all the same.
fn writes(service: &str, operation: &str, method: &str) -> bool {
    let reads =
        ["BatchGet", "Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb));
    let unsigned = ["", "sts", "sso", "sso-oauth", "signin"].contains(&service);
    !reads && !unsigned && !["GET", "HEAD"].contains(&method)
}

/// The response with its whole body, unless that is larger than any of AWS's: whatever sends it
/// then isn't AWS, and may never end.
async fn collected(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let mut body = ByteStream::new(body);
    let mut whole = Vec::new();
    while let Some(chunk) =
        body.try_next().await.map_err(|error| ConnectorError::io(error.into()))?
    {
        if whole.len() + chunk.len() > LARGEST_ANSWER {
            let megabytes = LARGEST_ANSWER / 1_000_000;
            let message = format!("the answer has more than {megabytes} MB, as none of AWS's has");
            let error = Error::new(Class::Terminal, message);
            return Err(final_word(error.hint(
                "look at what answers in AWS's place: AWS_ENDPOINT_URL, a proxy, the name server",
            )));
        }
        whole.extend_from_slice(&chunk);
    }
    *response.body_mut() = SdkBody::from(whole);
    Ok(response)
}

/// Whether AWS refused because of too many calls. Only the body of a refusal tells.
fn is_throttled(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    let body = response.body().bytes().unwrap_or_default();
    status >= 400 && says_throttled(status, &String::from_utf8_lossy(body))
}

/// The service that a request is signed for, and the operation, as far as the request tells: REST
/// services have only method and path.
fn called(request: &HttpRequest) -> (String, String) {
    let headers = request.headers();
    let signed = headers.get("authorization").unwrap_or_default();
    let scope = signed.split("Credential=").nth(1).unwrap_or_default();
    let service = scope.split('/').nth(3).unwrap_or_default();
    let target = headers.get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let body = request.body().bytes().unwrap_or_default();
    let operation = match (target, body.strip_prefix(b"Action=")) {
        (Some(target), _) => target.to_owned(),
        (None, Some(form)) => {
            let name = form.split(|byte| *byte == b'&').next().unwrap_or_default();
            String::from_utf8_lossy(name).into_owned()
        }
        (None, None) => rest_operation(service, request.method(), request.uri()),
    };
    (service.to_owned(), operation)
}

/// For S3 the part of a bucket that is asked for, or `Object…`; else what the path begins with.
fn rest_operation(service: &str, method: &str, uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if service != "s3" {
        return format!("{method} {}", path.split('/').next().unwrap_or_default());
    }
    let words: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    match query.split('&').find_map(|pair| pair.strip_prefix("x-id=")) {
        Some(id) if id.contains("Object") => format!("Object {id}"),
        Some(id) => id.to_owned(),
        None => format!("{method} {}", words.first().copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
    use aws_types::SdkConfig;
    use aws_types::region::Region;
    use serde_json::Value;

    use super::super::json;
    use super::*;

    fn request(
        method: &str,
        uri: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).unwrap();
        request.set_uri(uri.to_owned()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, (*value).to_owned());
        }
        request
    }

    #[test]
    fn every_protocol_tells_its_operation() {
        let signed = |service: &str| {
            format!("AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/{service}/aws4_request, Sig")
        };
        let of = |service: &str, method, uri, body| {
            called(&request(method, uri, &[("authorization", &signed(service))], body))
        };
        let pair = |service: &str, operation: &str| (service.to_owned(), operation.to_owned());
        assert_eq!(
            of("iam", "POST", "http://a/", "Action=CreateRole&Version=1"),
            pair("iam", "CreateRole")
        );
        assert_eq!(
            of("s3", "GET", "http://a/bucket/key?x-id=GetObject", ""),
            pair("s3", "Object GetObject")
        );
        assert_eq!(of("s3", "PUT", "http://a/bucket?tagging", ""), pair("s3", "PUT tagging"));
        assert_eq!(of("s3", "PUT", "http://a/bucket", ""), pair("s3", "PUT "));
        assert_eq!(
            of("eks", "POST", "http://a/clusters/c/node-groups", "{}"),
            pair("eks", "POST clusters")
        );
        let target = [
            ("authorization", &*signed("dms")),
            ("x-amz-target", "AmazonDMSv20160101.CreateEndpoint"),
        ];
        assert_eq!(
            called(&request("POST", "http://a/", &target, "{}")),
            pair("dms", "CreateEndpoint")
        );
        assert_eq!(called(&request("GET", "http://a/", &[], "")), pair("", "GET "));
    }

    #[test]
    fn an_attempt_is_known_by_its_number() {
        let numbered =
            |text| attempt(&request("GET", "http://a/", &[("amz-sdk-request", text)], ""));
        assert_eq!(numbered("attempt=1; max=5"), 1);
        assert_eq!(numbered("ttl=20260101T000000Z; attempt=3; max=5"), 3);
        assert_eq!(attempt(&request("GET", "http://a/", &[], "")), 1);
    }

    #[test]
    fn reads_and_credentials_are_no_writes() {
        for (service, operation, method) in [
            ("rds", "DescribeDBInstances", "POST"),
            ("s3", "HEAD ", "HEAD"),
            ("s3", "Object GetObject", "GET"),
            ("eks", "GET clusters", "GET"),
            ("sts", "AssumeRole", "POST"),
            ("", "PUT latest", "PUT"),
        ] {
            assert!(!writes(service, operation, method), "{service} {operation}");
        }
        for (service, operation, method) in [
            ("rds", "CreateDBInstance", "POST"),
            ("s3", "POST delete", "POST"),
            ("s3", "PUT tagging", "PUT"),
            ("eks", "POST clusters", "POST"),
            ("redshift-data", "ExecuteStatement", "POST"),
        ] {
            assert!(writes(service, operation, method), "{service} {operation}");
        }
    }

    /// What a call of this operation comes to, when whoever answers sends so many bytes, as long as
    /// somebody reads them.
    async fn answered(operation: &'static str, bytes: usize, gate: &Gate) -> Result<(), Error> {
        use std::io::{Read, Write};
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}");
            let chunk = vec![b' '; 100_000];
            let mut left = bytes;
            while left > 0 && stream.write_all(&chunk[..left.min(chunk.len())]).is_ok() {
                left = left.saturating_sub(chunk.len());
            }
            // Who hangs up with something unread resets the connection.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials = Credentials::new("AK", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .endpoint_url(format!("http://{address}"))
            .http_client(Paced::around(http, gate.clone()));
        json::Client::new(&config.build(), &json::LOGS).ask(operation, Value::Null).await
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        let open = Gate::default();
        assert_eq!(answered("CreateLogGroup", 1_000_000, &open).await, Ok(()));
        let error = answered("CreateLogGroup", usize::MAX, &open).await.unwrap_err();
        assert_eq!(error.class, Class::Terminal);
        assert_eq!(error.message, "the answer has more than 64 MB, as none of AWS's has");
        assert!(error.hint.is_some());
    }

    #[tokio::test]
    async fn no_write_passes_a_gate_that_is_shut() {
        let gate = Gate::default();
        let watched = gate.watch(|| Some("the lock is lost".to_owned()));
        let error = answered("CreateLogGroup", 0, &gate).await.unwrap_err();
        assert_eq!((error.class, error.message.as_str()), (Class::Terminal, "the lock is lost"));
        assert_eq!(answered("DescribeLogGroups", 0, &gate).await, Ok(()));
        drop(watched);
        assert_eq!(answered("CreateLogGroup", 0, &gate).await, Ok(()));
    }
}
