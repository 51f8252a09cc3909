//! What a service says when it refuses.

use std::fmt;

use aws_smithy_runtime_api::client::result::CreateUnhandledError;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::{RequestId, apply_request_id};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A refusal. Its code, message and request id are behind the SDK's own traits,
/// [`ProvideErrorMetadata`] and [`RequestId`].
#[derive(Debug)]
pub struct Refusal {
    meta: ErrorMetadata,
    source: Option<BoxError>,
}

impl Refusal {
    /// A refusal with a message of our own.
    pub fn new(code: Option<&str>, message: String) -> Self {
        Self::from_parts(code.map(str::to_owned), Some(message))
    }

    /// What a refusal by a service says, as far as it does.
    pub fn from_parts(code: Option<String>, message: Option<String>) -> Self {
        let mut meta = ErrorMetadata::builder();
        if let Some(code) = code {
            meta = meta.code(code);
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        Self { meta: meta.build(), source: None }
    }

    /// A body that is no error document, such as a proxy's page; the HTTP status then decides
    /// about retries.
    pub fn unreadable(status: u16) -> Self {
        Self::new(None, format!("the endpoint answered with HTTP status {status}"))
    }

    /// Adds the request id that the response's headers have, unless there is one already.
    pub fn with_request_id_from(mut self, headers: &Headers) -> Self {
        if self.meta.request_id().is_none() {
            self.meta = apply_request_id(self.meta.into_builder(), headers).build();
        }
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code(), self.message(), &self.source) {
            (Some(code), Some(message), _) => write!(f, "{code}: {message}"),
            (Some(text), None, _) | (None, Some(text), _) => f.write_str(text),
            (None, None, Some(_)) => f.write_str("the call failed"),
            (None, None, None) => f.write_str("the service refused and did not say why"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

impl RequestId for Refusal {
    fn request_id(&self) -> Option<&str> {
        self.meta.request_id()
    }
}

/// Lets `SdkError::into_service_error` fold a transport failure into this type.
impl CreateUnhandledError for Refusal {
    fn create_unhandled_error(source: BoxError, meta: Option<ErrorMetadata>) -> Self {
        Self { meta: meta.unwrap_or_default(), source: Some(source) }
    }
}
