//! How a call gets to a service and its reply back: what the official crates generate, once.
//!
//! What the call looks like on the way is its protocol's matter: see [`Call`].

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
use aws_types::region::SigningRegion;
use aws_types::{SdkConfig, SigningName};
use tracing::Instrument;

use super::endpoint::ServiceEndpoint;
use super::refusal::Refusal;

/// Why a call failed: a refusal by the service, or something on the way to it and back.
pub type Failure = SdkError<Refusal, HttpResponse>;

/// A service as AWS's SDKs name it.
#[derive(Debug)]
pub struct Service {
    /// Its id, by which the configuration knows it: `EC2`, `CloudWatch Logs`.
    pub id: &'static str,
    /// The name in its endpoints, for which credentials sign: `ec2`, `logs`.
    pub name: &'static str,
}

/// One call: a protocol makes a request of it and reads the answer.
pub trait Call: Debug + Send + Sync + 'static {
    /// What comes back.
    type Reply: Debug + Send + Sync + 'static;

    /// Name of the operation.
    fn operation(&self) -> &'static str;

    /// Content type, further headers, and body of the request.
    fn request(&self) -> Request;

    /// Reads an answer, or the refusal that it is.
    fn read(response: &HttpResponse) -> Result<Self::Reply, OrchestratorError<Refusal>>;
}

/// What a protocol says in a request.
pub struct Request {
    /// Media type of the body.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// The way to one service. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Transport {
    service: &'static Service,
    plugins: RuntimePlugins,
}

impl Transport {
    /// The way to a service with these credentials, endpoints and timeouts.
    pub fn new(config: &SdkConfig, service: &'static Service) -> Self {
        let retry_partition = match config.region() {
            Some(region) => format!("{}-{region}", service.name),
            None => service.name.to_owned(),
        };
        let behavior = config.behavior_version().unwrap_or_else(BehaviorVersion::latest);
        let defaults = DefaultPluginParams::new()
            .with_retry_partition_name(retry_partition)
            .with_behavior_version(behavior)
            .with_is_aws_sdk(true);
        let client = StaticRuntimePlugin::new()
            .with_config(settings(config, service).freeze())
            .with_runtime_components(components(config, service));
        Self {
            service,
            plugins: RuntimePlugins::new()
                .with_client_plugins(default_plugins(defaults))
                .with_client_plugin(client),
        }
    }

    /// The same way with an interceptor on every call.
    pub fn with_interceptor(self, interceptor: impl Intercept + 'static) -> Self {
        let components = RuntimeComponentsBuilder::new("interceptor").with_interceptor(interceptor);
        let plugin = StaticRuntimePlugin::new().with_runtime_components(components);
        Self { service: self.service, plugins: self.plugins.with_client_plugin(plugin) }
    }

    /// Makes a call and reads the reply.
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Reply, Failure> {
        let operation = self.operation::<C>(call.operation());
        self.invoke(operation, call).await
    }

    /// As [`call`](Self::call), for a reply that holds a secret: neither a log nor an error shows
    /// its body.
    pub async fn call_for_secret<C: Call>(&self, call: C) -> Result<C::Reply, Failure> {
        let mut operation = self.operation::<C>(call.operation());
        operation.store_put(SensitiveOutput);
        self.invoke(operation, call).await.map_err(without_body)
    }

    async fn invoke<C: Call>(&self, operation: Layer, call: C) -> Result<C::Reply, Failure> {
        let (service, action) = (self.service.id, call.operation());
        let plugin = StaticRuntimePlugin::new().with_config(operation.freeze());
        let plugins = self.plugins.clone().with_operation_plugin(plugin);
        let span = tracing::debug_span!("call", rpc.service = service, rpc.method = action);
        let output = invoke(service, action, Input::erase(call), &plugins)
            .instrument(span)
            .await
            .map_err(|error| error.map_service_error(refusal))?;
        output
            .downcast()
            .map_err(|_| SdkError::construction_failure("a reply of another operation"))
    }

    /// What sets one operation apart from another.
    fn operation<C: Call>(&self, action: &'static str) -> Layer {
        let mut layer = Layer::new(action);
        layer.store_put(Metadata::new(action, self.service.id));
        layer.store_put(SharedRequestSerializer::new(Serializer::<C>(PhantomData)));
        layer.store_put(SharedResponseDeserializer::new(ReplyReader::<C>(PhantomData)));
        layer
    }
}

/// What the SDK's interceptors and resolvers read about this client.
fn settings(config: &SdkConfig, service: &'static Service) -> Layer {
    let mut layer = Layer::new(service.id);
    layer.store_put(AuthSchemeAndEndpointOrchestrationV2);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig::default());
    layer.store_put(SigningName::from_static(service.name));
    layer.store_put(ApiMetadata::new(service.name, env!("CARGO_PKG_VERSION")));
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
fn components(config: &SdkConfig, service: &Service) -> RuntimeComponentsBuilder {
    let endpoint = ServiceEndpoint::new(config, service);
    let auth = StaticAuthSchemeOptionResolver::new(vec![SIGV4]);
    let mut components = RuntimeComponentsBuilder::new("service")
        .with_http_client(config.http_client())
        .with_sleep_impl(config.sleep_impl())
        .with_time_source(Some(config.time_source().unwrap_or_default()))
        .with_identity_cache(config.identity_cache())
        .with_endpoint_resolver(Some(SharedEndpointResolver::new(endpoint)))
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
        .with_retry_classifier(TransientErrorClassifier::<Refusal>::new())
        .with_retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
        .with_retry_classifier(ServiceClockSkewClassifier::<Refusal>::new());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SIGV4, credentials);
    }
    components
}

struct Serializer<C>(PhantomData<fn() -> C>);

impl<C> Debug for Serializer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serializer")
    }
}

impl<C: Call> SerializeRequest for Serializer<C> {
    fn serialize_input(&self, input: Input, cfg: &mut ConfigBag) -> Result<HttpRequest, BoxError> {
        let call = input.downcast::<C>().map_err(|_| "the input is another operation's")?;
        // The orchestrator wants parameters even for an endpoint that has none.
        cfg.interceptor_state().store_put(EndpointResolverParams::new(()));
        let Request { content_type, headers: more, body } = call.request();
        let mut request = HttpRequest::empty();
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", content_type);
        headers.insert("content-length", body.len().to_string());
        for (name, value) in more {
            headers.insert(name, value);
        }
        *request.body_mut() = SdkBody::from(body);
        Ok(request)
    }
}

struct ReplyReader<C>(PhantomData<fn() -> C>);

impl<C> Debug for ReplyReader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyReader")
    }
}

impl<C: Call> DeserializeResponse for ReplyReader<C> {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<ErasedError>> {
        C::read(response)
            .map(Output::erase)
            .map_err(|error| error.map_operation_error(ErasedError::erase))
    }
}

fn refusal(error: ErasedError) -> Refusal {
    error
        .downcast()
        .unwrap_or_else(|_| Refusal::new(None, "an error of another service".to_owned()))
}

/// The error without the body of the reply that could not be read.
fn without_body(error: Failure) -> Failure {
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
