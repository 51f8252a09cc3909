//! Clients, the site, error classes and reads that several kinds share.
//! Knows no kind.

pub mod account;
pub mod default_network;
pub mod dms;
pub mod ec2;
pub mod eks;
pub mod emr;
pub mod endpoint;
pub mod error;
pub mod fixed_role;
pub mod gate;
pub mod github;
pub mod history;
pub mod home;
pub mod iam;
pub mod json;
pub mod kms;
pub mod lock;
pub mod marks;
pub mod memo;
pub mod named;
pub mod obstacles;
pub mod pacing;
pub mod password;
pub mod policies;
pub mod rds_connection;
pub mod rds_parameters;
pub mod rds_password;
pub mod rds_tags;
pub mod rds_versions;
pub mod redshift_serverless_tags;
pub mod redshift_tags;
pub mod refusal;
pub mod rest;
pub mod retired;
pub mod retry;
pub mod spelling;
pub mod transport;
pub mod unanswered;
pub mod vault;
mod wire;
pub mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

pub use error::{Class, Error, absent, gone_is_fine};

use crate::field::SecretSource;
use crate::kind::Site;
use account::AccountDetails;
use gate::Gate;
use github::{Standing, Vouched};
use memo::Memo;
use wire::Paced;

/// What a person ordered for this run beyond the stack file.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Resources whose write-only values are sent again (`--rotate`).
    pub rotate: BTreeSet<String>,
    /// Seeds that run again although they are done (`--seed-rerun`).
    pub seed_rerun: BTreeSet<String>,
    /// Seeds whose changed files count as done (`--seed-accept`).
    pub seed_accept: BTreeSet<String>,
    /// Hears of every secret as soon as it is in memory, before anything could show it.
    pub listener: Option<fn(&SecretString)>,
}

/// The way to AWS for one stack.
pub struct Aws {
    /// Where the stack lives.
    pub site: Site,
    /// ARN of whoever the credentials belong to.
    pub caller: String,
    /// The folder that the stack file's paths are relative to.
    pub root: PathBuf,
    /// What was ordered on the command line.
    pub orders: Orders,
    /// What every call that writes passes through.
    pub gate: Gate,
    /// Database Migration Service.
    pub dms: aws_sdk_databasemigration::Client,
    /// Elastic Kubernetes Service.
    pub eks: aws_sdk_eks::Client,
    /// EMR on EC2.
    pub emr: aws_sdk_emr::Client,
    /// EMR Serverless.
    pub emr_serverless: aws_sdk_emrserverless::Client,
    /// Identity and Access Management.
    pub iam: aws_sdk_iam::Client,
    /// Key Management Service.
    pub kms: aws_sdk_kms::Client,
    /// CloudWatch Logs.
    pub logs: json::Client,
    /// Redshift clusters.
    pub redshift: aws_sdk_redshift::Client,
    /// SQL for Redshift over HTTP.
    pub redshift_data: aws_sdk_redshiftdata::Client,
    /// Redshift Serverless.
    pub redshift_serverless: aws_sdk_redshiftserverless::Client,
    /// Simple Storage Service.
    pub s3: aws_sdk_s3::Client,
    /// Relational Database Service.
    pub rds: aws_sdk_rds::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Systems Manager's Parameter Store.
    pub ssm: json::Client,
    /// Resource Groups Tagging.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// Elastic Compute Cloud, the few operations that lagoa needs.
    pub ec2: ec2::Client,
    sweep: Memo<Vec<Swept>>,
    account: Memo<AccountDetails>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

async fn config(region: Option<&str>, standing: &Standing, gate: &Gate) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    // How long an answer may take is up to `wire`: calls wait for their turn first.
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Paced::around(http, gate.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
        .timeout_config(timeouts)
        .identity_cache(
            IdentityCache::lazy().load_timeout(github::PATIENCE).buffer_time(github::AHEAD).build(),
        );
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    match standing {
        Standing::Vouched(grant) => {
            let vouched = SharedCredentialsProvider::new(Vouched::new(grant.clone(), &config));
            config.into_builder().credentials_provider(vouched).build()
        }
        Standing::Elsewhere | Standing::Lacking { .. } => config,
    }
}

/// Why there is no way to AWS.
#[derive(Debug)]
pub enum Unconnected {
    /// Nobody gave credentials.
    Nobody(Error),
    /// There are credentials, or a word for them, and something else is wrong.
    Refused(Error),
}

impl Aws {
    /// Finds credentials and asks whose they are.
    /// `region` is the stack's; without one the environment's or the profile's counts.
    pub async fn connect(
        stack: &str,
        region: Option<&str>,
        root: PathBuf,
        orders: Orders,
    ) -> Result<Self, Unconnected> {
        let standing = Standing::new(&|name| std::env::var(name).ok());
        let gate = Gate::default();
        let config = config(region, &standing, &gate).await;
        let region =
            config.region().map(ToString::to_string).ok_or_else(|| {
                let error = Error::new(Class::Terminal, "no region is set");
                Unconnected::Refused(error.hint(
                    "write `region: us-east-1` at the top of the stack file, or set AWS_REGION",
                ))
            })?;
        let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let caller = caller.map_err(|error| {
            let nobody = error::causes(&error).any(|cause| cause.is::<CredentialsError>());
            match (&standing, nobody) {
                // GitHub and STS say themselves what is wrong.
                (Standing::Vouched(_), _) => Unconnected::Refused(error.into()),
                (_, true) => Unconnected::Nobody(nobody_there(error.into(), &standing)),
                (_, false) => Unconnected::Refused(unanswered(error.into(), &region)),
            }
        })?;
        let partition = caller.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws");
        let site = Site {
            partition: partition.to_owned(),
            account: caller.account().unwrap_or_default().to_owned(),
            region,
            stack: stack.to_owned(),
        };
        let mut aws = Self::over(&config, site, root, orders);
        aws.caller = caller.arn().unwrap_or_default().to_owned();
        aws.gate = gate;
        Ok(aws)
    }

    /// Clients that have no way out: every call of theirs fails at once. For plans against an empty
    /// account, and for trying the engine with kinds that live in memory.
    pub fn offline(site: Site, root: PathBuf, orders: Orders) -> Self {
        let region = Region::new(site.region.clone());
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        Self::over(&config.region(region).build(), site, root, orders)
    }

    fn over(config: &SdkConfig, site: Site, root: PathBuf, orders: Orders) -> Self {
        Self {
            site,
            caller: String::new(),
            root,
            orders,
            gate: Gate::default(),
            dms: aws_sdk_databasemigration::Client::new(config),
            eks: aws_sdk_eks::Client::new(config),
            emr: aws_sdk_emr::Client::new(config),
            emr_serverless: aws_sdk_emrserverless::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
            logs: json::Client::new(config, &json::LOGS),
            redshift: aws_sdk_redshift::Client::new(config),
            redshift_data: aws_sdk_redshiftdata::Client::new(config),
            redshift_serverless: aws_sdk_redshiftserverless::Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            rds: aws_sdk_rds::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            ssm: json::Client::new(config, &json::SSM),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            ec2: ec2::Client::new(config),
            sweep: Memo::default(),
            account: Memo::default(),
        }
    }

    /// The last parts of the ARNs that carry this stack's tag and start with `service:…:prefix`,
    /// such as (`rds`, `db:`). A hint only: deleted things linger and new ones come late, so
    /// whoever uses it reads each to be sure.
    pub async fn swept(&self, service: &str, prefix: &str) -> Result<Vec<String>, Error> {
        self.swept_of(service, prefix, false).await
    }

    /// As [`swept`](Self::swept), of what belongs to a resource and is none itself.
    pub async fn swept_parts(&self, service: &str, prefix: &str) -> Result<Vec<String>, Error> {
        self.swept_of(service, prefix, true).await
    }

    async fn swept_of(
        &self,
        service: &str,
        prefix: &str,
        parts: bool,
    ) -> Result<Vec<String>, Error> {
        let all = self.sweep.get(|| sweep(self.tagging.clone(), self.site.stack.clone())).await?;
        let names = all.iter().filter(|one| one.part == parts).filter_map(|one| {
            let mut parts = one.arn.splitn(6, ':').skip(2);
            let (of, _region, _account) = (parts.next()?, parts.next()?, parts.next()?);
            let name = parts.next()?.strip_prefix(prefix)?;
            (of == service).then(|| name.to_owned())
        });
        Ok(names.collect())
    }

    /// Everything IAM holds, in one paged call that all IAM kinds share.
    pub async fn account(&self) -> Result<Rc<AccountDetails>, Error> {
        self.account.get(|| account::read(self.iam.clone())).await
    }

    /// Makes the next shared read ask AWS again; called before every read that follows a write.
    pub fn forget(&self) {
        self.account.forget();
    }

    /// Fetches a secret value at the moment it is needed.
    pub async fn secret(&self, source: &SecretSource) -> Result<SecretString, Error> {
        let secret = self.fetch(source).await?;
        self.heard(&secret);
        Ok(secret)
    }

    /// Tells whoever listens that this secret is in memory now.
    pub fn heard(&self, secret: &SecretString) {
        if let Some(listener) = self.orders.listener {
            listener(secret);
        }
    }

    async fn fetch(&self, source: &SecretSource) -> Result<SecretString, Error> {
        match source {
            SecretSource::Env { env } => match std::env::var(env) {
                Ok(value) => Ok(SecretString::from(value)),
                Err(_) => {
                    Err(Error::new(Class::Terminal, format!("{env} is not set in the environment")))
                }
            },
            SecretSource::Secret { secret, key } => {
                let reply = self.secrets.get_secret_value().secret_id(secret).send().await?;
                let text = reply.secret_string().unwrap_or_default();
                whole_or_member(text, key.as_deref(), || format!("secret {secret}"))
            }
            SecretSource::Parameter { parameter, key } => {
                let asked = json!({ "Name": parameter, "WithDecryption": true });
                let reply: GetParameter = self.ssm.call_for_secret("GetParameter", asked).await?;
                let text = reply.parameter.value.expose_secret();
                whole_or_member(text, key.as_deref(), || format!("parameter {parameter}"))
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameter {
    parameter: ParameterValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterValue {
    value: SecretString,
}

fn whole_or_member(
    text: &str,
    key: Option<&str>,
    what: impl Fn() -> String,
) -> Result<SecretString, Error> {
    let Some(key) = key else { return Ok(SecretString::from(text)) };
    member(text, key)
        .ok_or_else(|| Error::new(Class::Terminal, format!("{} has no member {key}", what())))
}

fn member(text: &str, key: &str) -> Option<SecretString> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(SecretString::from(value.get(key)?.as_str()?))
}

/// Nobody gave credentials.
fn nobody_there(error: Error, standing: &Standing) -> Error {
    let remedy = standing.remedy().unwrap_or_else(|| {
        "lagoa looks for credentials where the AWS CLI does: try `aws sts get-caller-identity`; \
         without an account, use --sandbox"
            .to_owned()
    });
    error.hint(remedy)
}

/// There are credentials, and AWS doesn't say whose they are.
fn unanswered(error: Error, region: &str) -> Error {
    // A refusal says itself what is wrong.
    if error.class != Class::Transient {
        return error;
    }
    error.hint(format!(
        "there are credentials, but no way to STS in {region}: look at the network, the region's \
         name and AWS_ENDPOINT_URL"
    ))
}

/// The most that `GetResources` gives in one answer; it gives fewer when nobody asks.
const LARGEST_PAGE: i32 = 100;

/// Something that carries the stack's tag.
struct Swept {
    arn: String,
    /// It belongs to a resource and is none itself.
    part: bool,
}

async fn sweep(
    client: aws_sdk_resourcegroupstagging::Client,
    stack: String,
) -> Result<Vec<Swept>, Error> {
    let filter = aws_sdk_resourcegroupstagging::types::TagFilter::builder()
        .key("lagoa:stack")
        .values(stack)
        .build();
    let sweep = client.get_resources().tag_filters(filter).resources_per_page(LARGEST_PAGE);
    let mut pages = sweep.into_paginator().send();
    let mut swept = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page?;
        swept.extend(page.resource_tag_mapping_list().iter().filter_map(|one| {
            let arn = one.resource_arn()?.to_owned();
            Some(Swept { arn, part: one.tags().iter().any(|tag| tag.key() == vault::PART_OF) })
        }));
    }
    Ok(swept)
}
