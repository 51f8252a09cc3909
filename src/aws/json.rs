//! The awsJson1.1 protocol, for services whose official crate would cost more to build than the few
//! operations that lagoa uses are worth.
//!
//! A call is the operation's name and its members; a reply is a type that says which members it
//! reads. Everything else is in [`transport`](super::transport).

use std::fmt::{self, Debug};
use std::marker::PhantomData;

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_types::SdkConfig;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::Error;
use super::refusal::Refusal;
use super::transport::{Call, Request, Service, Transport};

/// CloudWatch Logs.
pub const LOGS: JsonService = JsonService {
    service: Service { id: "CloudWatch Logs", name: "logs" },
    target: "Logs_20140328",
};

/// Systems Manager, of which lagoa uses the Parameter Store.
pub const SSM: JsonService =
    JsonService { service: Service { id: "SSM", name: "ssm" }, target: "AmazonSSM" };

/// A service that speaks this protocol.
#[derive(Debug)]
pub struct JsonService {
    service: Service,
    /// What stands before the operation's name in the header that names it.
    target: &'static str,
}

/// A client of one such service. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    target: &'static str,
}

/// What a reply is read as.
pub trait Reply: DeserializeOwned + Debug + Send + Sync + 'static {}

impl<T: DeserializeOwned + Debug + Send + Sync + 'static> Reply for T {}

impl Client {
    /// A client with these credentials, endpoints and timeouts.
    pub fn new(config: &SdkConfig, service: &'static JsonService) -> Self {
        Self { transport: Transport::new(config, &service.service), target: service.target }
    }

    /// Calls an operation. Members that are null are left out.
    pub async fn call<R: Reply>(
        &self,
        operation: &'static str,
        members: Value,
    ) -> Result<R, Error> {
        Ok(self.transport.call(self.json::<R>(operation, members)).await?)
    }

    /// As [`call`](Self::call), for a reply that holds a secret: neither a log nor an error shows
    /// its body.
    pub async fn call_for_secret<R: Reply>(
        &self,
        operation: &'static str,
        members: Value,
    ) -> Result<R, Error> {
        Ok(self.transport.call_for_secret(self.json::<R>(operation, members)).await?)
    }

    /// A call whose answer says no more than that it was done.
    pub async fn ask(&self, operation: &'static str, members: Value) -> Result<(), Error> {
        self.call::<IgnoredAny>(operation, members).await.map(drop)
    }

    fn json<R>(&self, operation: &'static str, mut members: Value) -> Json<R> {
        if let Value::Object(members) = &mut members {
            members.retain(|_, value| !value.is_null());
        }
        Json { target: self.target, operation, body: members.to_string(), reply: PhantomData }
    }
}

struct Json<R> {
    target: &'static str,
    operation: &'static str,
    body: String,
    reply: PhantomData<fn() -> R>,
}

/// The body may hold a secret, so it is never shown.
impl<R> Debug for Json<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.target, self.operation)
    }
}

impl<R: Reply> Call for Json<R> {
    type Reply = R;

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn request(&self) -> Request {
        Request {
            content_type: "application/x-amz-json-1.1",
            headers: vec![("x-amz-target", format!("{}.{}", self.target, self.operation))],
            body: self.body.clone(),
        }
    }

    fn read(response: &HttpResponse) -> Result<R, OrchestratorError<Refusal>> {
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() {
            return Err(OrchestratorError::operation(refused(response, body)));
        }
        // An operation that has nothing to say may answer with nothing at all.
        let body = if body.is_empty() { b"{}" } else { body };
        serde_json::from_slice(body).map_err(OrchestratorError::other)
    }
}

fn refused(response: &HttpResponse, body: &[u8]) -> Refusal {
    let headers = response.headers();
    let document: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let Some(document) = document else {
        return Refusal::unreadable(response.status().as_u16()).with_request_id_from(headers);
    };
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let code = headers.get("x-amzn-errortype").or_else(|| text("__type")).or_else(|| text("code"));
    let message = text("message").or_else(|| text("Message")).map(str::to_owned);
    Refusal::from_parts(code.map(|code| plain(code).to_owned()), message)
        .with_request_id_from(headers)
}

/// The code alone: services write `com.amazonaws.ssm#ParameterNotFound:http://…`.
fn plain(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

/// A member that may be left out or null, of a list's type.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    use aws_types::request_id::RequestId;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        let status = status.try_into().expect("a status");
        HttpResponse::new(status, SdkBody::from(body))
    }

    fn client() -> Client {
        Client::new(&SdkConfig::builder().build(), &LOGS)
    }

    #[test]
    fn a_call_names_its_operation_and_leaves_out_what_is_null() {
        let call = client().json::<Value>("CreateLogGroup", json!({ "a": 1, "b": null }));
        let request = call.request();
        let target = ("x-amz-target", "Logs_20140328.CreateLogGroup".to_owned());
        assert_eq!((request.headers, request.body), (vec![target], r#"{"a":1}"#.to_owned()));
        assert_eq!(format!("{call:?}"), "Logs_20140328.CreateLogGroup");
    }

    #[test]
    fn a_refusal_has_its_plain_code_message_and_request_id() {
        let body = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound:http://x","Message":"no"}"#;
        let mut response = answer(400, body);
        response.headers_mut().insert("x-amzn-requestid", "r-1");
        let refusal = refused(&response, body.as_bytes());
        assert_eq!((refusal.code(), refusal.message()), (Some("ParameterNotFound"), Some("no")));
        assert_eq!(refusal.request_id(), Some("r-1"));
        assert!(refused(&answer(502, "<html>"), b"<html>").code().is_none());
    }

    #[test]
    fn nothing_said_is_an_empty_reply() {
        assert_eq!(Json::<Value>::read(&answer(200, "")).expect("a reply"), json!({}));
    }
}
