//! An application of EMR Serverless.

mod live;
mod workers;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_sdk_emrserverless::types::{
    ApplicationState, AutoStartConfig, AutoStopConfig, ImageConfigurationInput,
    InteractiveConfiguration, MonitoringConfiguration, NetworkConfiguration,
    S3MonitoringConfiguration,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::aws::words::word;
use crate::aws::{Aws, Class, Error, gone_is_fine, retired};
use crate::field::{Computed, Differs, Immutable, SecurityGroupId, SubnetId, Tags};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Neighbours, Phase, Takes, Wanted, When,
};
use crate::reference::is_marked;
use workers::{Capacity, Workers};

/// An application of EMR Serverless: Spark or Hive jobs without a cluster. AWS changes one only while
/// it is stopped, so a change of anything but tags stops it first, which AWS refuses while jobs run,
/// and starts it again if it was started.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmrServerlessApplication {
    /// The release, such as `emr-7.9.0`.
    #[schemars(regex(pattern = "^[A-Za-z0-9._/-]{1,64}$"))]
    pub release_label: String,
    /// What it runs.
    #[serde(rename = "type")]
    pub application_type: Immutable<ApplicationType>,
    /// The processors of its workers. AWS starts with `X86_64`.
    pub architecture: Option<Architecture>,
    /// Workers that wait, started and paid for, by their job: `Driver` and `Executor` for Spark,
    /// `HiveDriver` and `TezTask` for Hive. None when left out.
    #[serde(default)]
    pub initial_capacity: BTreeMap<String, Workers>,
    /// What all its jobs may use at once. AWS starts without a limit of its own.
    pub maximum_capacity: Option<Capacity>,
    /// A job that comes in starts the application. Default true.
    #[serde(default = "yes")]
    pub auto_start: bool,
    /// After how many minutes without work the application stops, 1 to 10080; 15 when left out, and
    /// 0 for never.
    #[serde(default = "quarter")]
    #[schemars(range(min = 0, max = 10080))]
    pub auto_stop_idle_minutes: i32,
    /// Private subnets through which jobs reach databases and the like. AWS's own network when left
    /// out.
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// Security groups of the workers in those subnets.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// Your own container image, in ECR.
    pub image: Option<String>,
    /// Where logs go: `s3://bucket/folder/`. AWS keeps them itself when left out.
    pub log_uri: Option<String>,
    /// Notebooks of EMR Studio may use the application. AWS starts with false.
    pub studio: Option<bool>,
    /// The application has an Apache Livy endpoint. AWS starts with false.
    pub livy_endpoint: Option<bool>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Id of the application.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:emr-serverless:region:account:/applications/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The service's own word: `CREATED`, `STARTED`, `STOPPED`, …
    #[serde(default)]
    pub state: Computed<String>,
}

fn yes() -> bool {
    true
}

fn quarter() -> i32 {
    15
}

/// What an application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationType {
    /// Apache Spark.
    Spark,
    /// Apache Hive on Tez.
    Hive,
}

/// The processors of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Graviton.
    #[serde(rename = "ARM64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "X86_64")]
    X8664,
}

thread_local! {
    /// The idempotency tokens of applications that are being made, by name. One that was used must
    /// not be used again after the application is deleted.
    static TOKENS: RefCell<BTreeMap<String, String>> = RefCell::default();
}

fn token(cx: &Cx<'_>) -> String {
    let fresh = || {
        let text = format!("{}/{}/{}", cx.site.stack, cx.name, Timestamp::now().as_nanosecond());
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    TOKENS.with_borrow_mut(|all| all.entry(cx.name.to_owned()).or_insert_with(fresh).clone())
}

impl Kind for EmrServerlessApplication {
    const EXAMPLE: &'static str = "
jobs:
  kind: emr_serverless_application
  release_label: emr-7.9.0
  type: SPARK
  architecture: ARM64
  initial_capacity:
    Driver: { count: 1, vcpus: 2, memory_gib: 4 }
    Executor: { count: 2, vcpus: 4, memory_gib: 8, disk_gib: 40 }
  maximum_capacity: { vcpus: 64, memory_gib: 256 }
  auto_stop_idle_minutes: 5
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
  security_groups: [jobs-access]
  log_uri: s3://${jobs-logs.name}/serverless/
  tags: { Projeto: Bootcamp }
jobs-access: { kind: ec2_security_group }
jobs-logs: { kind: s3_bucket, on_destroy: delete }
";
    const NAME: &'static str = r"^[A-Za-z0-9._/#-]{1,64}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["emr-serverless:ListApplications"], ANY),
            Grant::of(
                &["emr-serverless:GetApplication"],
                &["emr-serverless:{region}:{account}:/applications/*"],
            ),
        ],
        write: &[
            Grant::of(&["emr-serverless:CreateApplication"], ANY).when(When::Marked),
            Grant::of(
                &["emr-serverless:TagResource"],
                &["emr-serverless:{region}:{account}:/applications/*"],
            )
            .when(When::Marked),
            Grant::of(
                &[
                    "emr-serverless:StartApplication",
                    "emr-serverless:StopApplication",
                    "emr-serverless:TagResource",
                    "emr-serverless:UntagResource",
                    "emr-serverless:UpdateApplication",
                ],
                &["emr-serverless:{region}:{account}:/applications/*"],
            )
            .when(When::Owned),
            Grant::linking(&["ops.emr-serverless.amazonaws.com"]),
            // EMR Serverless tries with the caller's leave whether it may put interfaces into the subnets.
            Grant::of(&["ec2:CreateNetworkInterface"], ANY).given("subnets"),
            Grant::of(
                &["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"],
                &["ecr:{region}:{account}:repository/*"],
            )
            .given("image"),
        ],
        delete: &[Grant::of(
            &["emr-serverless:DeleteApplication", "emr-serverless:StopApplication"],
            &["emr-serverless:{region}:{account}:/applications/*"],
        )
        .when(When::Owned)],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(15, 30);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        live::read(aws, wanted).await
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ids = aws.swept("emr-serverless", "/applications/").await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let listed = live::listed(aws).await?;
        let ours = listed.into_iter().filter(|one| ids.contains(&one.id));
        let names: BTreeSet<String> = ours.filter_map(|one| one.name).collect();
        Ok(names.into_iter().collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(live::listed(aws).await?.into_iter().filter_map(|one| one.name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let wanted = Wanted::new(cx.name, Some(self.clone()));
        let there = live::read(cx.aws, &[wanted]).await?;
        if there.iter().any(|one| one.fields.tags.get("lagoa:stack") == Some(&cx.site.stack)) {
            return Ok(());
        }
        let call = cx.emr_serverless.create_application();
        call.name(cx.name)
            .client_token(token(cx))
            .release_label(&self.release_label)
            .r#type(word(&*self.application_type))
            .set_architecture(self.architecture.as_ref().map(|one| word(one).as_str().into()))
            .set_initial_capacity(workers::to_aws(&self.initial_capacity)?)
            .set_maximum_capacity(self.maximum_capacity.as_ref().map(Capacity::to_aws).transpose()?)
            .auto_start_configuration(self.auto_start_config())
            .auto_stop_configuration(self.auto_stop_config())
            .set_network_configuration(self.network_config())
            .set_image_configuration(self.image_config())
            .set_monitoring_configuration(self.monitoring_config())
            .set_interactive_configuration(self.interactive_config())
            .set_tags(Some(self.tags.0.clone().into_iter().collect()))
            .send()
            .await?;
        TOKENS.with_borrow_mut(|all| all.remove(cx.name));
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (id, arn) = (live.known_id()?, live.arn.as_deref().unwrap_or_default());
        let (set, remove) = self.tags.change_from(&live.tags);
        if !set.is_empty() {
            let call = cx.emr_serverless.tag_resource().resource_arn(arn);
            call.set_tags(Some(set.into_iter().collect())).send().await?;
        }
        if !remove.is_empty() {
            let call = cx.emr_serverless.untag_resource().resource_arn(arn);
            call.set_tag_keys(Some(remove)).send().await?;
        }
        if !self.differs_from(live) {
            return Ok(());
        }
        live::stopped(cx, id).await?;
        self.change(live, id, cx).await?;
        if live.state.as_deref() == Some("STARTED") {
            cx.emr_serverless.start_application().application_id(id).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let id = self.known_id()?;
        if live::stopped(cx, id).await? {
            let call = cx.emr_serverless.delete_application().application_id(id);
            gone_is_fine(call.send().await)?;
        }
        Ok(())
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref() {
            Some("CREATED" | "STARTED" | "STOPPED") => Phase::Ready,
            state => Phase::Pending(state.unwrap_or("unknown").to_lowercase()),
        }
    }

    fn accept(&mut self, live: &Self) {
        for (name, want) in &mut self.initial_capacity {
            if let Some(have) = live.initial_capacity.get(name) {
                want.accept(have);
            }
        }
        let bare =
            |uri: &Option<String>| uri.as_ref().map(|uri| uri.trim_end_matches('/').to_owned());
        if self.log_uri.is_some() && bare(&self.log_uri) == bare(&live.log_uri) {
            self.log_uri.clone_from(&live.log_uri);
        }
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: String, message: String| wrong.push((path, message));
        let known: &[&str] = match *self.application_type {
            ApplicationType::Spark => &["Driver", "Executor"],
            ApplicationType::Hive => &["HiveDriver", "TezTask"],
        };
        for job in self.initial_capacity.keys().filter(|job| !known.contains(&job.as_str())) {
            let message = format!("its workers are called {}", known.join(" and "));
            say(format!("initial_capacity.{job}"), message);
        }
        if self.subnets.is_none() && self.security_groups.is_some() {
            let message = "security groups need `subnets`, in whose VPC they are";
            say("security_groups".to_owned(), message.to_owned());
        }
        let s3 = |uri: &String| uri.starts_with("s3://") || is_marked(uri);
        if self.log_uri.as_ref().is_some_and(|uri| !s3(uri)) {
            say("log_uri".to_owned(), "write `s3://bucket/folder/`".to_owned());
        }
        wrong
    }

    fn warn(&self, _among: &Neighbours<'_>) -> Vec<(String, String)> {
        let of = "emr_serverless_application.release_label";
        let old = retired::unsupported(of, &self.release_label);
        old.map(|why| ("release_label".to_owned(), why)).into_iter().collect()
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        let Some(live) = live.filter(|live| self.differs_from(live)) else { return Vec::new() };
        let words = match live.state.as_deref() {
            Some("STARTED") => {
                "stop it, which AWS refuses while jobs run, change it, start it again"
            }
            Some("STARTING") => "stop it, which AWS refuses while jobs run, and change it",
            _ => return Vec::new(),
        };
        vec![words.to_owned()]
    }
}

impl EmrServerlessApplication {
    fn known_id(&self) -> Result<&str, Error> {
        self.id.as_deref().ok_or_else(|| Error::internal("an application was read without its id"))
    }

    /// Whether anything but tags has to change.
    fn differs_from(&self, live: &Self) -> bool {
        self.release_label != live.release_label
            || self.architecture.differs(&live.architecture)
            || self.initial_capacity != live.initial_capacity
            || self.limits_differ(live)
            || self.auto_start != live.auto_start
            || self.auto_stop_idle_minutes != live.auto_stop_idle_minutes
            || self.network_differs(live)
            || self.image.differs(&live.image)
            || self.log_uri.differs(&live.log_uri)
            || self.interactive_differs(live)
    }

    fn limits_differ(&self, live: &Self) -> bool {
        let within =
            |want: &Capacity| !live.maximum_capacity.as_ref().is_some_and(|l| want.covers(l));
        self.maximum_capacity.as_ref().is_some_and(within)
    }

    fn network_differs(&self, live: &Self) -> bool {
        self.subnets.differs(&live.subnets) || self.security_groups.differs(&live.security_groups)
    }

    fn interactive_differs(&self, live: &Self) -> bool {
        self.studio.differs(&live.studio) || self.livy_endpoint.differs(&live.livy_endpoint)
    }

    /// Sends what differs; the application is stopped.
    async fn change(&self, live: &Self, id: &str, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.emr_serverless.update_application().application_id(id);
        let capacity = if self.initial_capacity == live.initial_capacity {
            None
        } else {
            Some(workers::to_aws(&self.initial_capacity)?.unwrap_or_default())
        };
        let limits = self.maximum_capacity.as_ref().filter(|_| self.limits_differ(live));
        let release =
            (self.release_label != live.release_label).then(|| self.release_label.clone());
        let architecture =
            self.architecture.filter(|_| self.architecture.differs(&live.architecture));
        let start = (self.auto_start != live.auto_start).then(|| self.auto_start_config());
        let idle = self.auto_stop_idle_minutes != live.auto_stop_idle_minutes;
        call.set_release_label(release)
            .set_architecture(architecture.map(|one| word(&one).as_str().into()))
            .set_initial_capacity(capacity)
            .set_maximum_capacity(limits.map(Capacity::to_aws).transpose()?)
            .set_auto_start_configuration(start)
            .set_auto_stop_configuration(idle.then(|| self.auto_stop_config()))
            .set_network_configuration(self.network_config().filter(|_| self.network_differs(live)))
            .set_image_configuration(
                self.image_config().filter(|_| self.image.differs(&live.image)),
            )
            .set_monitoring_configuration(
                self.monitoring_config().filter(|_| self.log_uri.differs(&live.log_uri)),
            )
            .set_interactive_configuration(
                self.interactive_config().filter(|_| self.interactive_differs(live)),
            )
            .send()
            .await?;
        Ok(())
    }

    fn auto_start_config(&self) -> AutoStartConfig {
        AutoStartConfig::builder().enabled(self.auto_start).build()
    }

    fn auto_stop_config(&self) -> AutoStopConfig {
        let minutes = self.auto_stop_idle_minutes;
        let config = AutoStopConfig::builder().enabled(minutes > 0);
        config.set_idle_timeout_minutes((minutes > 0).then_some(minutes)).build()
    }

    fn network_config(&self) -> Option<NetworkConfiguration> {
        let subnets = self.subnets.as_ref()?.iter().map(|subnet| subnet.0.clone()).collect();
        let groups = self.security_groups.as_ref();
        let groups = groups.map(|groups| groups.iter().map(|group| group.0.clone()).collect());
        let config = NetworkConfiguration::builder().set_subnet_ids(Some(subnets));
        Some(config.set_security_group_ids(groups).build())
    }

    fn image_config(&self) -> Option<ImageConfigurationInput> {
        Some(ImageConfigurationInput::builder().image_uri(self.image.as_ref()?).build())
    }

    fn monitoring_config(&self) -> Option<MonitoringConfiguration> {
        let s3 = S3MonitoringConfiguration::builder().log_uri(self.log_uri.as_ref()?).build();
        Some(MonitoringConfiguration::builder().s3_monitoring_configuration(s3).build())
    }

    fn interactive_config(&self) -> Option<InteractiveConfiguration> {
        let given = self.studio.is_some() || self.livy_endpoint.is_some();
        let config = InteractiveConfiguration::builder().set_studio_enabled(self.studio);
        given.then(|| config.set_livy_endpoint_enabled(self.livy_endpoint).build())
    }
}

/// An application that has to stop before anything can be done with it.
fn stopping() -> Error {
    Error::new(Class::Busy, "the application is stopping")
}

/// States in which the application can't be changed or deleted, but is on its way there.
fn is_passing(state: &ApplicationState) -> bool {
    let passing =
        [ApplicationState::Creating, ApplicationState::Starting, ApplicationState::Stopping];
    passing.contains(state)
}
