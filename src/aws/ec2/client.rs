//! The ec2Query protocol: a form goes out, XML comes back.

use std::fmt::{self, Debug};
use std::marker::PhantomData;

use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_types::SdkConfig;

use super::error;
use super::query::Form;
use super::wire::Reply;
use crate::aws::refusal::Refusal;
use crate::aws::transport::{Call, Failure, Request, Service, Transport};

/// Why a call failed.
pub type Error = Failure;

/// What a call gives.
pub type Result<T> = std::result::Result<T, Error>;

pub(super) const EC2: Service = Service { id: "EC2", name: "ec2" };

/// A client of the EC2 API. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client(Transport);

impl Client {
    /// A client with these credentials, endpoints and timeouts.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Transport::new(config, &EC2))
    }

    /// The same client with an interceptor on every call.
    pub fn with_interceptor(self, interceptor: impl Intercept + 'static) -> Self {
        Self(self.0.with_interceptor(interceptor))
    }

    /// Sends a form and reads the reply.
    pub(super) async fn call<R: Reply>(&self, form: Form) -> Result<R> {
        self.0.call(Query::<R>(form, PhantomData)).await
    }

    /// As [`call`](Self::call), without the SDK's retries.
    pub(super) async fn call_once<R: Reply>(&self, form: Form) -> Result<R> {
        self.0.call_once(Query::<R>(form, PhantomData)).await
    }

    /// As [`call`](Self::call), for a reply that holds a secret.
    pub(super) async fn call_for_secret<R: Reply>(&self, form: Form) -> Result<R> {
        self.0.call_for_secret(Query::<R>(form, PhantomData)).await
    }
}

struct Query<R>(Form, PhantomData<fn() -> R>);

impl<R> Debug for Query<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<R: Reply> Call for Query<R> {
    type Reply = R;

    fn operation(&self) -> &'static str {
        self.0.action()
    }

    fn request(&self) -> Request {
        Request {
            content_type: "application/x-www-form-urlencoded",
            headers: Vec::new(),
            body: self.0.encode(),
        }
    }

    fn read(response: &HttpResponse) -> std::result::Result<R, OrchestratorError<Refusal>> {
        let headers = response.headers();
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() {
            let refusal = error::parse(response.status().as_u16(), headers, body);
            return Err(OrchestratorError::operation(refusal));
        }
        let text = std::str::from_utf8(body).map_err(OrchestratorError::other)?;
        let reply: R = quick_xml::de::from_str(text).map_err(OrchestratorError::other)?;
        match reply.refusal() {
            Some(error) => Err(OrchestratorError::operation(error.with_request_id_from(headers))),
            None => Ok(reply),
        }
    }
}
