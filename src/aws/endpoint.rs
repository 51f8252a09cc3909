//! Where a service is.

use aws_smithy_runtime_api::client::endpoint::{
    EndpointFuture, EndpointResolverParams, ResolveEndpoint,
};
use aws_smithy_types::endpoint::Endpoint;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::transport::Service;

/// The regions of a partition begin with the prefix. The first that fits is meant.
struct Partition {
    prefix: &'static str,
    dns_suffix: &'static str,
    dual_stack_suffix: &'static str,
}

const fn partition(
    prefix: &'static str,
    dns_suffix: &'static str,
    dual_stack_suffix: &'static str,
) -> Partition {
    Partition { prefix, dns_suffix, dual_stack_suffix }
}

const GOVCLOUD: &str = "us-gov-";

const PARTITIONS: &[Partition] = &[
    partition("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    partition("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    partition("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    partition("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    partition("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    partition("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    // AWS proper, GovCloud among it, and regions that are newer than this table.
    partition("", "amazonaws.com", "api.aws"),
];

/// An endpoint that is known once the configuration is, or why there is none. As in the SDK's own
/// clients, the reason comes up when the first call is made.
#[derive(Debug)]
pub struct ServiceEndpoint(Result<String, &'static str>);

impl ServiceEndpoint {
    /// The endpoint of that service in the configured region, or the custom one.
    pub fn new(config: &SdkConfig, service: &Service) -> Self {
        let fips = config.use_fips().unwrap_or(false);
        let dual_stack = config.use_dual_stack().unwrap_or(false);
        Self(match endpoint_url(config, service.id) {
            Some(_) if fips => Err("FIPS and a custom endpoint cannot be combined"),
            Some(_) if dual_stack => Err("dual-stack and a custom endpoint cannot be combined"),
            Some(url) => Ok(url),
            None => match config.region() {
                Some(region) => regional_url(service.name, region.as_ref(), fips, dual_stack),
                None => Err("no AWS region is set"),
            },
        })
    }

    /// The address, or why there is none.
    #[cfg(test)]
    pub fn url(&self) -> Result<&str, &'static str> {
        self.0.as_deref().map_err(|why| *why)
    }
}

impl ResolveEndpoint for ServiceEndpoint {
    fn resolve_endpoint<'a>(&'a self, _: &'a EndpointResolverParams) -> EndpointFuture<'a> {
        EndpointFuture::ready(match &self.0 {
            Ok(url) => Ok(Endpoint::builder().url(url.clone()).build()),
            Err(why) => Err((*why).into()),
        })
    }
}

/// The custom endpoint, by the SDK's precedence: set in code, for the service in the environment or
/// the profile, for all services there.
fn endpoint_url(config: &SdkConfig, service_id: &str) -> Option<String> {
    let general = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general();
    }
    let key = ServiceConfigKey::builder()
        .service_id(service_id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok();
    (config.service_config().zip(key))
        .and_then(|(service_config, key)| service_config.load_config(key))
        .or_else(general)
}

fn regional_url(
    service: &str,
    region: &str,
    fips: bool,
    dual_stack: bool,
) -> Result<String, &'static str> {
    // The region becomes part of the host that the credentials sign for.
    if !is_host_label(region) {
        return Err("the AWS region is not a valid host name label");
    }
    let Some(partition) = PARTITIONS.iter().find(|it| region.starts_with(it.prefix)) else {
        return Err("no partition has the AWS region");
    };
    let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.dns_suffix };
    // The plain endpoints of GovCloud are FIPS endpoints already.
    let plain = !fips || (region.starts_with(GOVCLOUD) && !dual_stack);
    let fips = if plain { "" } else { "-fips" };
    Ok(format!("https://{service}{fips}.{region}.{suffix}"))
}

fn is_host_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
