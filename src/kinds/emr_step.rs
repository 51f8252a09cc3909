//! A step of an EMR cluster: work that is done, once or again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_sdk_emr::types::{HadoopJarStepConfig, KeyValue, StepConfig, StepState, StepSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::aws::unanswered::Unanswered;
use crate::aws::{Aws, Class, Error, absent, emr};
use crate::field::{Computed, Derived, EmrClusterId, Files};
use crate::kind::{
    Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Owner, Phase, Site, Takes, Wanted,
};
use crate::reference::is_marked;

/// A step of an EMR cluster: a command or a program that runs on it and is waited for. What ran is
/// known by the step's name in the cluster, which holds a digest of its content; on a new cluster
/// it has never run. A step can't be deleted, so nothing happens when it leaves the stack.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmrStep {
    /// The cluster that it runs on.
    pub cluster: EmrClusterId,
    /// The program: `s3://bucket/program.jar`, or `command-runner.jar` (when left out) for a command.
    #[serde(default = "command_runner")]
    pub jar: String,
    /// The class to start, when the program's manifest names none.
    pub main_class: Option<String>,
    /// Arguments; for `command-runner.jar` the command: `[spark-submit, s3://bucket/load.py]`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Java properties of the program.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// What happens to the cluster when the step fails. Default `CONTINUE`; AWS's own default ends
    /// the cluster.
    #[serde(default)]
    pub action_on_failure: ActionOnFailure,
    /// Files beside the stack that make up the step's content, as paths or globs: an edit of one
    /// counts as an edit of the step. They aren't uploaded.
    #[serde(default)]
    pub files: Files,
    /// When it runs: `once`, `changed` (when left out; again after every edit) or `always`.
    #[serde(default)]
    pub run: Run,
    /// Digest of the content, as it is or as it ran.
    #[serde(default)]
    pub digest: Derived<String>,
    /// Id of the step that ran: `s-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// The service's own word: `PENDING`, `RUNNING`, `COMPLETED`, `FAILED`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// Why it failed, in the service's words, and where its log is.
    #[serde(default)]
    pub failure: Computed<String>,
}

fn command_runner() -> String {
    "command-runner.jar".to_owned()
}

/// When a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// One time on each cluster, whatever is edited later.
    Once,
    /// When it's new, and again whenever it's edited.
    #[default]
    Changed,
    /// At every apply.
    Always,
}

/// What happens to a cluster when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionOnFailure {
    /// It goes on with the next step.
    #[default]
    Continue,
    /// It cancels the steps that wait.
    CancelAndWait,
    /// It ends.
    TerminateCluster,
}

thread_local! {
    static ADD_STEPS: Unanswered = Unanswered::default();
    /// Ids of steps that this process started, or saw running: how one of them ended counts. One
    /// that failed before is run again.
    static OURS: RefCell<BTreeSet<String>> = RefCell::default();
}

fn remember(id: &str) {
    OURS.with_borrow_mut(|ids| ids.insert(id.to_owned()));
}

const ACTIVE: [StepState; 3] = [StepState::Pending, StepState::Running, StepState::CancelPending];

impl Kind for EmrStep {
    const EXAMPLE: &'static str = "
count-coins:
  kind: emr_step
  cluster: spark
  args: [spark-example, SparkPi, '10']
  action_on_failure: CONTINUE
  files: jobs/count.py
  run: changed
spark:
  kind: emr_cluster
  release_label: emr-7.9.0
  applications: [Spark]
  service_role: EMR_DefaultRole_V2
  instance_profile: EMR_EC2_DefaultRole
  primary: { instance_type: m5.xlarge }
  on_destroy: delete
EMR_DefaultRole_V2:
  kind: iam_role
  service: elasticmapreduce.amazonaws.com
  managed_policies: [service-role/AmazonEMRServicePolicy_v2]
EMR_EC2_DefaultRole:
  kind: iam_role
  service: ec2.amazonaws.com
  managed_policies: [service-role/AmazonElasticMapReduceforEC2Role]
  instance_profile: true
";
    const NAME: &'static str = r"^[A-Za-z0-9][A-Za-z0-9._:/=+@-]{0,99}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(
            &["elasticmapreduce:ListSteps"],
            &["elasticmapreduce:{region}:{account}:cluster/*"],
        )],
        write: &[Grant::of(
            &["elasticmapreduce:AddJobFlowSteps"],
            &["elasticmapreduce:{region}:{account}:cluster/*"],
        )],
        ..Access::NONE
    };
    const ON_DESTROY: &'static [OnDestroy] = &[OnDestroy::Retain];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Retain);
    const READS_AFTER_REFERENCES: bool = true;
    const TAKES: Takes = Takes::seconds(120, 1);
    const SEED: bool = true;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let mut found = Vec::new();
        let clusters: BTreeSet<&str> =
            wanted.iter().filter_map(|one| known_cluster(one.desired.as_ref()?)).collect();
        for cluster in clusters {
            let on_it = wanted.iter().filter_map(|one| {
                let desired = one.desired.as_ref()?;
                (known_cluster(desired) == Some(cluster)).then_some((one.name.as_str(), desired))
            });
            let mut open: BTreeMap<&str, &Self> = on_it.collect();
            let mut pages = aws.emr.list_steps().cluster_id(cluster).into_paginator().send();
            // The newest come first, so most is known from the first page.
            while let (false, Some(page)) = (open.is_empty(), pages.next().await) {
                let Some(page) = absent(page)? else { break };
                for step in page.steps() {
                    let Some((name, desired, ran)) = meant(aws, &open, step) else { continue };
                    let fields = desired.as_it_went(step, ran);
                    found.push(Found { name: name.to_owned(), fields });
                    open.remove(name);
                }
            }
        }
        Ok(found)
    }

    async fn owned(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// A step is a run of something, and no run can be taken over.
    async fn names(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// EMR runs another step of the name as often as it is asked, so each call looks first.
    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        if cx.orders.seed_accept.contains(cx.key) {
            let message = "a step can't be taken as done: what ran is known by its name in EMR";
            return Err(Error::new(Class::Terminal, message)
                .hint("with `run: once` an edit doesn't run it again"));
        }
        let name = self.name_in_aws(cx.name, &cx.site);
        let call = cx.emr.list_steps().cluster_id(&*self.cluster);
        let mut pages = call.set_step_states(Some(ACTIVE.to_vec())).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page?;
            if let Some(step) = page.steps().iter().find(|step| step.name() == Some(&name)) {
                remember(step.id().unwrap_or_default());
                return Ok(());
            }
        }
        ADD_STEPS.with(|calls| calls.may_ask(&name))?;
        let call = cx.emr.add_job_flow_steps().job_flow_id(&*self.cluster);
        let call = call.steps(self.config(&name)).customize();
        let answer = call.config_override(emr::once()).send().await.map_err(Error::from);
        let reply = ADD_STEPS.with(|calls| calls.noted(&name, answer))?;
        reply.step_ids().iter().for_each(|id| remember(id));
        Ok(())
    }

    async fn update(&self, _live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.create(cx).await
    }

    /// What ran has run.
    async fn delete(&self, _: &Farewell, _: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn phase(&self) -> Phase {
        match self.status.as_deref() {
            Some("COMPLETED") => Phase::Ready,
            Some(status @ ("FAILED" | "CANCELLED" | "INTERRUPTED")) => {
                let why = self.failure.as_deref().map(|why| format!(": {why}"));
                Phase::Failed(format!("{status}{}", why.unwrap_or_default()))
            }
            status => Phase::Pending(status.unwrap_or("unknown").to_lowercase()),
        }
    }

    fn predict(&mut self, _name: &str, _site: &Site, root: &Path) {
        self.digest = self.content(root).into();
    }

    fn owner(&self) -> Option<Owner> {
        None
    }

    fn check(&self, root: &Path) -> Vec<(String, String)> {
        if self.jar == command_runner() && self.args.is_empty() {
            let message = "which command? For example `[spark-submit, s3://bucket/load.py]`";
            return vec![("args".to_owned(), message.to_owned())];
        }
        let unread = self.files.0.iter().filter(|path| std::fs::read(root.join(path)).is_err());
        unread.map(|path| ("files".to_owned(), format!("{path} can't be read"))).collect()
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        let words = [&self.jar].into_iter().chain(&self.main_class).chain(&self.args);
        let words: Vec<&str> =
            words.map(String::as_str).filter(|word| *word != command_runner()).collect();
        let again = live.is_some_and(|live| live.digest != self.digest);
        let how = if again { "run again, as it was edited" } else { "run" };
        vec![format!("{how}: {}", words.join(" "))]
    }
}

fn known_cluster(step: &EmrStep) -> Option<&str> {
    Some(&*step.cluster).filter(|id| !is_marked(id))
}

/// The wanted one that this step is a run of, if the run counts, with the digest of what ran.
fn meant<'a>(
    aws: &Aws,
    open: &BTreeMap<&'a str, &'a EmrStep>,
    step: &StepSummary,
) -> Option<(&'a str, &'a EmrStep, String)> {
    let own = step.name()?.strip_prefix(&format!("{}/", aws.site.stack))?;
    let (name, digest) = own.rsplit_once(" #")?;
    let (name, desired) = open.get_key_value(name)?;
    let id = step.id().unwrap_or_default();
    let state = step.status().and_then(|status| status.state())?;
    if ACTIVE.contains(state) {
        remember(id);
    }
    let ours = OURS.with_borrow(|ids| ids.contains(id));
    let counts = match desired.run {
        Run::Always => ours,
        Run::Once | Run::Changed => ours || *state == StepState::Completed,
    };
    counts.then(|| (*name, *desired, digest.to_owned()))
}

impl EmrStep {
    fn name_in_aws(&self, name: &str, site: &Site) -> String {
        format!("{}/{name} #{}", site.stack, self.digest.as_deref().unwrap_or_default())
    }

    /// The digest of all that is run; a mark while a part of it isn't known.
    fn content(&self, root: &Path) -> String {
        let words = [&self.jar].into_iter().chain(&self.main_class).chain(&self.args);
        let words = words.chain(self.properties.keys()).chain(self.properties.values());
        let words: Vec<&String> = words.collect();
        if let Some(open) = words.iter().find(|word| is_marked(word)) {
            return (*open).clone();
        }
        let mut digest = Sha256::new();
        for word in words {
            digest.update(word.as_bytes());
            digest.update([0]);
        }
        for path in &self.files.0 {
            digest.update(path.as_bytes());
            digest.update([0]);
            digest.update(std::fs::read(root.join(path)).unwrap_or_default());
        }
        digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    fn config(&self, name: &str) -> StepConfig {
        let properties = self.properties.iter();
        let properties =
            properties.map(|(key, value)| KeyValue::builder().key(key).value(value).build());
        let jar = HadoopJarStepConfig::builder()
            .jar(&self.jar)
            .set_main_class(self.main_class.clone())
            .set_args(Some(self.args.clone()))
            .set_properties(Some(properties.collect()))
            .build();
        let action = match self.action_on_failure {
            ActionOnFailure::Continue => "CONTINUE",
            ActionOnFailure::CancelAndWait => "CANCEL_AND_WAIT",
            ActionOnFailure::TerminateCluster => "TERMINATE_CLUSTER",
        };
        StepConfig::builder()
            .name(name)
            .action_on_failure(action.into())
            .hadoop_jar_step(jar)
            .build()
    }

    /// This step as that run of it went.
    fn as_it_went(&self, step: &StepSummary, ran: String) -> Self {
        let status = step.status();
        let details = status.and_then(|status| status.failure_details());
        let reason = details.and_then(|details| details.reason());
        let message = details.and_then(|details| details.message());
        let log = details.and_then(|details| details.log_file()).map(|log| format!("see {log}"));
        let words = [reason.map(str::to_owned), message.map(str::to_owned), log];
        let words: Vec<String> = words.into_iter().flatten().collect();
        // What runs once has run, whatever it is now.
        let digest = if self.run == Run::Once { self.digest.clone() } else { ran.into() };
        Self {
            digest,
            id: step.id().map(str::to_owned).into(),
            status: status
                .and_then(|status| status.state())
                .map(|state| state.as_str().to_owned())
                .into(),
            failure: (!words.is_empty()).then(|| words.join("; ")).into(),
            ..self.clone()
        }
    }
}
