//! The way of every call to AWS: each waits for its turn, and an answer that says "too fast" slows
//! down those that follow.

use std::sync::{Arc, Mutex, PoisonError};

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
use super::pacing::Pacer;

/// An HTTP client whose calls keep to the pace that AWS allows.
#[derive(Debug)]
pub struct Paced {
    inner: SharedHttpClient,
    pacer: Arc<Mutex<Pacer>>,
}

impl Paced {
    /// Around the client that really sends.
    pub fn around(inner: SharedHttpClient) -> Self {
        Self { inner, pacer: Arc::default() }
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

#[derive(Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pacer: Arc<Mutex<Pacer>>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, pacer) = (self.inner.clone(), Arc::clone(&self.pacer));
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
            let (response, throttled) = is_throttled(inner.call(request).await?).await?;
            if throttled {
                let mut pacer = pacer.lock().unwrap_or_else(PoisonError::into_inner);
                pacer.throttled(&service, &operation, Instant::now());
            }
            Ok(response)
        })
    }
}

/// Whether AWS refused because of too many calls. Only the body of a refusal tells, so that is
/// read here and put back.
async fn is_throttled(mut response: HttpResponse) -> Result<(HttpResponse, bool), ConnectorError> {
    let status = response.status().as_u16();
    if status < 400 {
        return Ok((response, false));
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let body = ByteStream::new(body).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let throttled = says_throttled(status, &String::from_utf8_lossy(&body));
    *response.body_mut() = SdkBody::from(body);
    Ok((response, throttled))
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
}
