//! What EC2 says when it refuses.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{CreateUnhandledError, SdkError};
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::{RequestId, apply_request_id};
use serde::Deserialize;

/// Why a call failed: a refusal by EC2, or something on the way to it and back.
pub type Error = SdkError<Ec2Error, HttpResponse>;

pub type Result<T> = std::result::Result<T, Error>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A refusal by EC2. Its code, message and request id are behind the SDK's own traits,
/// [`ProvideErrorMetadata`] and [`RequestId`].
#[derive(Debug)]
pub struct Ec2Error {
    meta: ErrorMetadata,
    source: Option<BoxError>,
}

impl Ec2Error {
    pub(super) fn new(code: Option<&str>, message: String) -> Self {
        Self::from_parts(code.map(str::to_owned), Some(message))
    }

    fn from_parts(code: Option<String>, message: Option<String>) -> Self {
        let mut meta = ErrorMetadata::builder();
        if let Some(code) = code {
            meta = meta.code(code);
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        Self { meta: meta.build(), source: None }
    }

    /// Adds the request id that the response's headers have, unless there is one already.
    pub(super) fn with_request_id_from(mut self, headers: &Headers) -> Self {
        if self.meta.request_id().is_none() {
            self.meta = apply_request_id(self.meta.into_builder(), headers).build();
        }
        self
    }

    /// Reads an error document. A body that is none, such as a proxy's page, makes an error
    /// without a code; the HTTP status then decides about retries.
    pub(super) fn parse(status: u16, headers: &Headers, body: &[u8]) -> Self {
        let Some(document) = parse_document(body) else {
            let message = format!("the endpoint answered with HTTP status {status}");
            return Self::new(None, message).with_request_id_from(headers);
        };
        let DocumentError { code, message } = document.errors.error;
        let error = Self::from_parts(code, message).with_request_id_from(headers);
        // Old endpoints and some emulators have the request id in the document only.
        let mut from_document = Headers::new();
        if let Some(id) = document.request_id {
            // An id that can't be a header value is left out.
            let _ = from_document.try_insert("x-amzn-requestid", id);
        }
        error.with_request_id_from(&from_document)
    }
}

impl fmt::Display for Ec2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code(), self.message(), &self.source) {
            (Some(code), Some(message), _) => write!(f, "{code}: {message}"),
            (Some(text), None, _) | (None, Some(text), _) => f.write_str(text),
            (None, None, Some(_)) => f.write_str("the call to EC2 failed"),
            (None, None, None) => f.write_str("EC2 refused and did not say why"),
        }
    }
}

impl std::error::Error for Ec2Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl ProvideErrorMetadata for Ec2Error {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

impl RequestId for Ec2Error {
    fn request_id(&self) -> Option<&str> {
        self.meta.request_id()
    }
}

/// Lets `SdkError::into_service_error` fold a transport failure into this type.
impl CreateUnhandledError for Ec2Error {
    fn create_unhandled_error(source: BoxError, meta: Option<ErrorMetadata>) -> Self {
        Self { meta: meta.unwrap_or_default(), source: Some(source) }
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Errors")]
    errors: DocumentErrors,
    #[serde(rename = "RequestID", alias = "RequestId")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct DocumentErrors {
    #[serde(rename = "Error")]
    error: DocumentError,
}

#[derive(Deserialize)]
struct DocumentError {
    #[serde(rename = "Code")]
    code: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
}

fn parse_document(body: &[u8]) -> Option<Document> {
    quick_xml::de::from_str(std::str::from_utf8(body).ok()?).ok()
}
