//! How a form gets to EC2 and a reply back: what the official crates generate, once.

use std::fmt::{self, Debug};
use std::marker::PhantomData;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID as SIGV4, SigV4AuthScheme};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::recursion_detection::RecursionDetectionInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{
    DisableClockSkewCorrection, ServiceClockSkewClassifier, ServiceClockSkewInterceptor,
};
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::defaults::{DefaultPluginParams, default_plugins};
use aws_smithy_runtime::client::http::connection_poisoning::ConnectionPoisoningInterceptor;
use aws_smithy_runtime::client::orchestrator::{AuthSchemeAndEndpointOrchestrationV2, invoke};
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime::client::stalled_stream_protection::StalledStreamProtectionInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::endpoint::{EndpointResolverParams, SharedEndpointResolver};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{Error as ErasedError, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, Metadata, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::{RuntimePlugins, StaticRuntimePlugin};
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::retry::RetryConfig;
use aws_types::region::SigningRegion;
use aws_types::{SdkConfig, SigningName};
use tracing::Instrument;

use super::endpoint::Ec2Endpoint;
use super::error::{Ec2Error, Error, Result};
use super::query::Form;
use super::wire::Reply;

const SERVICE: &str = "EC2";

/// A client of the EC2 API. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client {
    plugins: RuntimePlugins,
}

impl Client {
    pub fn new(config: &SdkConfig) -> Self {
        let retry_partition = match config.region() {
            Some(region) => format!("ec2-{region}"),
            None => "ec2".to_owned(),
        };
        let behavior = config.behavior_version().unwrap_or_else(BehaviorVersion::latest);
        let defaults = DefaultPluginParams::new()
            .with_retry_partition_name(retry_partition)
            .with_behavior_version(behavior)
            .with_is_aws_sdk(true);
        let client = StaticRuntimePlugin::new()
            .with_config(settings(config).freeze())
            .with_runtime_components(components(config));
        Self {
            plugins: RuntimePlugins::new()
                .with_client_plugins(default_plugins(defaults))
                .with_client_plugin(client),
        }
    }

    /// The same client with an interceptor on every call.
    pub fn with_interceptor(self, interceptor: impl Intercept + 'static) -> Self {
        let components = RuntimeComponentsBuilder::new("interceptor").with_interceptor(interceptor);
        let plugin = StaticRuntimePlugin::new().with_runtime_components(components);
        Self { plugins: self.plugins.with_client_plugin(plugin) }
    }

    /// Sends a form and reads the reply.
    pub(super) async fn call<R: Reply>(&self, form: Form) -> Result<R> {
        self.invoke(operation::<R>(form.action()), form).await
    }

    /// As [`call`](Self::call), for a reply that holds a secret: neither a log nor an error shows
    /// its body.
    pub(super) async fn call_for_secret<R: Reply>(&self, form: Form) -> Result<R> {
        let mut operation = operation::<R>(form.action());
        operation.store_put(SensitiveOutput);
        self.invoke(operation, form).await.map_err(without_body)
    }

    /// As [`call`](Self::call), without the SDK's retries, for what would be made twice if the first
    /// answer got lost. Whoever calls again looks first.
    pub(super) async fn call_once<R: Reply>(&self, form: Form) -> Result<R> {
        let mut operation = operation::<R>(form.action());
        operation.store_put(RetryConfig::disabled());
        self.invoke(operation, form).await
    }

    async fn invoke<R: Reply>(&self, operation: Layer, form: Form) -> Result<R> {
        let action = form.action();
        let plugin = StaticRuntimePlugin::new().with_config(operation.freeze());
        let plugins = self.plugins.clone().with_operation_plugin(plugin);
        let span = tracing::debug_span!("EC2", rpc.service = SERVICE, rpc.method = action);
        let output = invoke(SERVICE, action, Input::erase(form), &plugins)
            .instrument(span)
            .await
            .map_err(|error| error.map_service_error(ec2_error))?;
        output
            .downcast()
            .map_err(|_| SdkError::construction_failure("a reply of another operation"))
    }
}

/// What the SDK's interceptors and resolvers read about this client.
fn settings(config: &SdkConfig) -> Layer {
    let mut layer = Layer::new("EC2");
    layer.store_put(AuthSchemeAndEndpointOrchestrationV2);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig::default());
    layer.store_put(SigningName::from_static("ec2"));
    layer.store_put(ApiMetadata::new("ec2", env!("CARGO_PKG_VERSION")));
    layer.store_or_unset(config.region().cloned());
    layer.store_or_unset(config.region().cloned().map(SigningRegion::from));
    layer.store_or_unset(config.app_name().cloned());
    layer.store_or_unset(
        config.disable_clock_skew_correction().map(DisableClockSkewCorrection::from),
    );
    for metadata in config.framework_metadata() {
        layer.store_append(metadata.clone());
    }
    // These have defaults, which an explicit "unset" would hide.
    if let Some(retries) = config.retry_config() {
        layer.store_put(retries.clone());
    }
    if let Some(timeouts) = config.timeout_config() {
        layer.store_put(timeouts.clone());
    }
    if let Some(protection) = config.stalled_stream_protection() {
        layer.store_put(protection);
    }
    layer
}

/// The parts the orchestrator is put together from.
fn components(config: &SdkConfig) -> RuntimeComponentsBuilder {
    let auth = StaticAuthSchemeOptionResolver::new(vec![SIGV4]);
    let mut components = RuntimeComponentsBuilder::new("EC2")
        .with_http_client(config.http_client())
        .with_sleep_impl(config.sleep_impl())
        .with_time_source(Some(config.time_source().unwrap_or_default()))
        .with_identity_cache(config.identity_cache())
        .with_endpoint_resolver(Some(SharedEndpointResolver::new(Ec2Endpoint::new(config))))
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(auth)))
        .with_interceptor(ConnectionPoisoningInterceptor::new())
        .with_interceptor(StalledStreamProtectionInterceptor::default())
        .with_interceptor(ServiceClockSkewInterceptor::new())
        .with_interceptor(RequestInfoInterceptor::new())
        .with_interceptor(UserAgentInterceptor::new())
        .with_interceptor(InvocationIdInterceptor::new())
        .with_interceptor(RecursionDetectionInterceptor::new())
        .with_retry_classifier(HttpStatusCodeClassifier::default())
        .with_retry_classifier(TransientErrorClassifier::<Ec2Error>::new())
        .with_retry_classifier(AwsErrorCodeClassifier::<Ec2Error>::new())
        .with_retry_classifier(ServiceClockSkewClassifier::<Ec2Error>::new());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SIGV4, credentials);
    }
    components
}

/// What sets one operation apart from another.
fn operation<R: Reply>(action: &'static str) -> Layer {
    let mut layer = Layer::new(action);
    layer.store_put(Metadata::new(action, SERVICE));
    layer.store_put(SharedRequestSerializer::new(FormSerializer));
    layer.store_put(SharedResponseDeserializer::new(ReplyReader::<R>(PhantomData)));
    layer
}

#[derive(Debug)]
struct FormSerializer;

impl SerializeRequest for FormSerializer {
    fn serialize_input(
        &self,
        input: Input,
        cfg: &mut ConfigBag,
    ) -> std::result::Result<HttpRequest, BoxError> {
        let form = input.downcast::<Form>().map_err(|_| "the input is not a form")?;
        // The orchestrator wants parameters even for an endpoint that has none.
        cfg.interceptor_state().store_put(EndpointResolverParams::new(()));
        let body = form.encode();
        let mut request = HttpRequest::empty();
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/x-www-form-urlencoded");
        headers.insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(request)
    }
}

struct ReplyReader<R>(PhantomData<fn() -> R>);

impl<R> Debug for ReplyReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyReader")
    }
}

impl<R: Reply> DeserializeResponse for ReplyReader<R> {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> std::result::Result<Output, OrchestratorError<ErasedError>> {
        read_reply::<R>(response)
            .map(Output::erase)
            .map_err(|error| error.map_operation_error(ErasedError::erase))
    }
}

fn read_reply<R: Reply>(
    response: &HttpResponse,
) -> std::result::Result<R, OrchestratorError<Ec2Error>> {
    let headers = response.headers();
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        let error = Ec2Error::parse(response.status().as_u16(), headers, body);
        return Err(OrchestratorError::operation(error));
    }
    let text = std::str::from_utf8(body).map_err(OrchestratorError::other)?;
    let reply: R = quick_xml::de::from_str(text).map_err(OrchestratorError::other)?;
    match reply.refusal() {
        Some(error) => Err(OrchestratorError::operation(error.with_request_id_from(headers))),
        None => Ok(reply),
    }
}

fn ec2_error(error: ErasedError) -> Ec2Error {
    error
        .downcast()
        .unwrap_or_else(|_| Ec2Error::new(None, "an error of another service".to_owned()))
}

/// The error without the body of the reply that could not be read.
fn without_body(error: Error) -> Error {
    let SdkError::ResponseError(context) = &error else {
        return error;
    };
    let mut response = HttpResponse::new(context.raw().status(), SdkBody::empty());
    *response.headers_mut() = context.raw().headers().clone();
    match error.into_source() {
        Ok(source) => SdkError::response_error(source, response),
        Err(error) => error,
    }
}
