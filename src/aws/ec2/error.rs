//! What EC2 says when it refuses, as XML.

use aws_smithy_runtime_api::http::Headers;
use serde::Deserialize;

use crate::aws::refusal::Refusal;

/// Reads an error document.
pub(super) fn parse(status: u16, headers: &Headers, body: &[u8]) -> Refusal {
    let Some(document) = parse_document(body) else {
        return Refusal::unreadable(status).with_request_id_from(headers);
    };
    let DocumentError { code, message } = document.errors.error;
    let error = Refusal::from_parts(code, message).with_request_id_from(headers);
    // Old endpoints and some emulators have the request id in the document only.
    let mut from_document = Headers::new();
    if let Some(id) = document.request_id {
        // An id that can't be a header value is left out.
        let _ = from_document.try_insert("x-amzn-requestid", id);
    }
    error.with_request_id_from(&from_document)
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
