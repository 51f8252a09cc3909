//! A cluster of EMR on EC2.

mod calls;
mod live;
mod lookup;
mod machines;
mod permissions;
mod rules;
mod scaling;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::unanswered::Unanswered;
use crate::aws::{Aws, Error, emr, gone_is_fine};
use crate::field::{
    Computed, EmrSecurityConfigurationName, Immutable, InstanceProfileName, KeyPairName, KmsKeyArn,
    RoleName, SecurityGroupId, SubnetId, Tags,
};
use crate::kind::{
    Access, Cx, Farewell, Found, Kind, Neighbours, OnDestroy, Phase, Site, Takes, Wanted,
};
pub use machines::{Fleet, Group};
pub use scaling::ManagedScaling;
pub use settings::Settings;

/// A cluster of EMR on EC2: Spark, Hive and their like on machines of their own.
///
/// Sizes, managed scaling, auto-termination, protection and tags change in place; everything else
/// is fixed, and a change of it replaces the cluster. A cluster that has ended counts as absent: the
/// next apply makes a new one. AWS makes the security groups `ElasticMapReduce-master` and
/// `ElasticMapReduce-slave` (and `ElasticMapReduce-ServiceAccess` in private subnets) beside the
/// first cluster of a VPC, and leaves them there when the cluster goes: before the VPC can be
/// deleted, their rules and then they themselves have to be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmrCluster {
    /// The release, such as `emr-7.5.0`.
    #[schemars(regex(pattern = r"^emr-[0-9]+\.[0-9]+\.[0-9]+$"))]
    pub release_label: Immutable<String>,
    /// Release of Amazon Linux, such as `2.0.20240503.0`; the newest for the EMR release when left
    /// out.
    pub os_release_label: Option<Immutable<String>>,
    /// What is installed: `Spark`, `Hive`, `JupyterEnterpriseGateway`, … Hadoop alone when left out.
    pub applications: Option<Immutable<BTreeSet<String>>>,
    /// Settings of the applications: classifications such as `spark-defaults`, each with its
    /// properties. A mapping in the place of a property is a classification within, such as
    /// `export` in `hadoop-env`. What AWS has beyond them doesn't count.
    pub configurations: Option<Immutable<Settings>>,
    /// Spark, and Hive where it is among the applications, keep their tables in Glue's catalog.
    /// Default false.
    #[serde(default)]
    pub glue_catalog: Immutable<bool>,
    /// Where logs go: `s3://bucket/folder/`. No logs are kept when left out.
    pub log_uri: Option<Immutable<String>>,
    /// The KMS key that encrypts the logs. EMR 5.30 and later.
    pub log_kms_key: Option<Immutable<KmsKeyArn>>,
    /// The role with which EMR starts machines: key or name of a role such as `EMR_DefaultRole_V2`.
    /// Its policy `AmazonEMRServicePolicy_v2` allows EMR only what carries the tag
    /// `for-use-with-amazon-emr-managed-policies: true`. lagoa puts it on the cluster; the VPC, the
    /// subnets and the security groups need it too.
    pub service_role: Immutable<RoleName>,
    /// What the machines may do: the key of a role with `instance_profile: true`, or the name of an
    /// instance profile such as `EMR_EC2_DefaultRole`.
    pub instance_profile: Immutable<InstanceProfileName>,
    /// The role of scaling rules made elsewhere, such as `EMR_AutoScaling_DefaultRole`.
    /// `managed_scaling` needs none.
    pub auto_scaling_role: Option<Immutable<RoleName>>,
    /// The key pair for logging in to the machines, as user `hadoop`.
    pub key_pair: Option<Immutable<KeyPairName>>,
    /// Where the machines stand: one subnet, or with fleets several among which AWS chooses. The
    /// default VPC when left out.
    pub subnets: Option<Immutable<BTreeSet<SubnetId>>>,
    /// Security group of the primary node, to whose rules AWS adds. AWS uses a group of its own
    /// when left out.
    pub primary_security_group: Option<Immutable<SecurityGroupId>>,
    /// Security group of the core and task nodes, to whose rules AWS adds. AWS uses a group of its
    /// own when left out.
    pub core_security_group: Option<Immutable<SecurityGroupId>>,
    /// Security group through which EMR reaches a cluster in private subnets.
    pub service_access_security_group: Option<Immutable<SecurityGroupId>>,
    /// Further security groups of the primary node.
    pub additional_primary_security_groups: Option<Immutable<BTreeSet<SecurityGroupId>>>,
    /// Further security groups of the core and task nodes.
    pub additional_core_security_groups: Option<Immutable<BTreeSet<SecurityGroupId>>>,
    /// How data is encrypted and who may log in: an `emr_security_configuration`.
    pub security_configuration: Option<Immutable<EmrSecurityConfigurationName>>,
    /// Id of your own Amazon Linux image.
    pub custom_ami: Option<Immutable<String>>,
    /// Size of each machine's system disk in GiB.
    #[schemars(range(min = 10, max = 1000))]
    pub root_volume_gib: Option<Immutable<i32>>,
    /// Operations per second of the system disk. EMR 6.15 and later.
    pub root_volume_iops: Option<Immutable<i32>>,
    /// Throughput of the system disk in MiB per second. EMR 6.15 and later.
    pub root_volume_throughput_mibps: Option<Immutable<i32>>,
    /// When machines go that aren't needed any more. AWS's default is
    /// `TERMINATE_AT_TASK_COMPLETION`.
    pub scale_down_behavior: Option<Immutable<ScaleDownBehavior>>,
    /// Scripts that run on each machine before the applications are installed, in this order.
    pub bootstrap_actions: Option<Immutable<Vec<BootstrapAction>>>,
    /// The primary node, or three of them. Either this or `primary_fleet`.
    pub primary: Option<Group>,
    /// The nodes that hold HDFS and work. A cluster without them is a single node.
    pub core: Option<Group>,
    /// Groups of nodes that only work, by name. EMR can't delete a group: one that leaves the stack
    /// loses its machines. A group of another type of machine needs another name.
    #[serde(default)]
    pub tasks: BTreeMap<String, Group>,
    /// The primary node, of one of several types. Either this or `primary`.
    pub primary_fleet: Option<Fleet>,
    /// The nodes that hold HDFS and work, of several types.
    pub core_fleet: Option<Fleet>,
    /// Nodes that only work, of several types. Once there, it can only be shrunk to nothing.
    pub task_fleet: Option<Fleet>,
    /// The limits between which AWS sizes the core and task nodes by itself. Off when left out.
    #[serde(default)]
    pub managed_scaling: ManagedScaling,
    /// After how many seconds without work the cluster ends itself, 60 to 604800. 0, the default,
    /// means never. The next apply makes a new cluster.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604_800))]
    pub auto_termination_idle_seconds: i64,
    /// The cluster stays when it has no steps to run. Default true; AWS's own default is false.
    #[serde(default = "yes")]
    pub keep_alive: bool,
    /// AWS refuses to end the cluster while this is on. AWS starts with false, and with true for
    /// three primary nodes.
    pub termination_protection: Option<bool>,
    /// AWS replaces nodes that fail. AWS decides by `termination_protection` when left out.
    pub unhealthy_node_replacement: Option<bool>,
    /// All users and roles of the account whose policies allow it may use the cluster. AWS starts
    /// with true.
    pub visible_to_all_users: Option<bool>,
    /// How many steps run at once, 1 to 256. AWS starts with 1.
    #[schemars(range(min = 1, max = 256))]
    pub step_concurrency: Option<i32>,
    /// Tags, merged over the stack's own; the machines get them too.
    #[serde(default)]
    pub tags: Tags,
    /// The cluster's id: `j-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:elasticmapreduce:region:account:cluster/j-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Name of the primary node's host.
    #[serde(default)]
    pub primary_dns: Computed<String>,
    /// The service's own word: `STARTING`, `BOOTSTRAPPING`, `RUNNING`, `WAITING`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// Why the cluster is in that state.
    #[serde(default)]
    pub status_reason: Computed<String>,
}

fn yes() -> bool {
    true
}

/// A script that runs on each machine before the applications are installed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapAction {
    /// What AWS calls it in its lists.
    pub name: String,
    /// The script: `s3://bucket/script.sh`.
    pub path: String,
    /// Arguments of the script.
    #[serde(default)]
    pub args: Vec<String>,
}

/// When machines go that aren't needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScaleDownBehavior {
    /// At the end of the hour that is paid for.
    TerminateAtInstanceHour,
    /// When their work is done.
    TerminateAtTaskCompletion,
}

/// The tag that `AmazonEMRServicePolicy_v2` asks for.
const V2_TAG: &str = "for-use-with-amazon-emr-managed-policies";

/// The old service role, whose policy asks for no tag.
const V1_ROLE: &str = "EMR_DefaultRole";

thread_local! {
    static RUN_JOB_FLOW: Unanswered = Unanswered::default();
}

impl Kind for EmrCluster {
    const EXAMPLE: &'static str = "
spark:
  kind: emr_cluster
  release_label: emr-7.5.0
  applications: [Spark, Hadoop]
  glue_catalog: true
  configurations:
    spark-defaults: { spark.executor.memory: 2G }
    hadoop-env:
      export: { HADOOP_HEAPSIZE: '2048' }
  log_uri: s3://${emr-logs.name}/spark/
  service_role: EMR_DefaultRole_V2
  instance_profile: EMR_EC2_DefaultRole
  key_pair: emr-login
  subnets: [subnet-0a1b2c3d4e5f60001]
  security_configuration: encrypted
  root_volume_gib: 30
  bootstrap_actions:
    - { name: say hello, path: 'file:/bin/echo', args: [hello] }
  primary: { instance_type: m5.xlarge }
  core:
    instance_type: m5.xlarge
    count: 2
    ebs_volumes: [{ type: gp3, size_gib: 64, count: 2 }]
  tasks:
    spot: { instance_type: m5.xlarge, count: 1, market: SPOT }
  termination_protection: false
  tags: { Object: cluster-emr }
  on_destroy: delete
emr-logs: { kind: s3_bucket, on_destroy: delete }
emr-login: { kind: ec2_key_pair }
encrypted:
  kind: emr_security_configuration
  configuration:
    EncryptionConfiguration:
      EnableInTransitEncryption: false
      EnableAtRestEncryption: true
      AtRestEncryptionConfiguration:
        S3EncryptionConfiguration: { EncryptionMode: SSE-S3 }
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
    const NAME: &'static str = r"^[^<>$|`\x00-\x1f]{1,256}$";
    const ACCESS: Access = permissions::ACCESS;
    const HOLDS: Option<&'static str> = Some("the files in its HDFS");
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = None;
    const TAKES: Takes = Takes::seconds(450, 180);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        live::read(aws, wanted).await
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ids = aws.swept("elasticmapreduce", "cluster/").await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let alive = lookup::listed(aws, &lookup::ALIVE).await?;
        let ours =
            alive.into_iter().filter(|one| one.id().is_some_and(|id| ids.iter().any(|i| i == id)));
        let names: BTreeSet<String> = ours.filter_map(|one| one.name).collect();
        Ok(names.into_iter().collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let alive = lookup::listed(aws, &lookup::ALIVE).await?;
        Ok(alive.into_iter().filter_map(|one| one.name).collect())
    }

    /// EMR starts another cluster of the name as often as it is asked, so each call looks first.
    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let listed = lookup::listed(cx.aws, &lookup::ALIVE).await?;
        let there = lookup::named(cx.aws, &listed, cx.name, &lookup::ALIVE).await?;
        if let Some(ours) = there.iter().find(|cluster| lookup::is_ours(cx.aws, cluster)) {
            lookup::started(cx.name, ours.id().unwrap_or_default());
            return Ok(());
        }
        RUN_JOB_FLOW.with(|calls| calls.may_ask(cx.name))?;
        let call = self.with_all(cx.emr.run_job_flow().name(cx.name));
        let answer = call.customize().config_override(emr::once()).send().await;
        let answer = answer.map_err(Error::from);
        let reply = RUN_JOB_FLOW.with(|calls| calls.noted(cx.name, answer))?;
        lookup::started(cx.name, reply.job_flow_id().unwrap_or_default());
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = live.known_id()?;
        emr::update_tags(cx, id, &self.tags, &live.tags).await?;
        self.update_switches(live, id, cx).await?;
        self.update_policies(live, id, cx).await?;
        self.update_machines(live, id, cx).await
    }

    /// Ends every cluster of ours that has the name: an answer that got lost may have left two.
    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let listed = lookup::listed(cx.aws, &lookup::ALIVE).await?;
        let alive = lookup::named(cx.aws, &listed, cx.name, &lookup::ALIVE).await?;
        let ours = alive.iter().filter(|cluster| lookup::is_ours(cx.aws, cluster));
        for id in ours.filter_map(|cluster| cluster.id()) {
            if farewell.unprotect && self.termination_protection == Some(true) {
                let call = cx.emr.set_termination_protection().job_flow_ids(id);
                gone_is_fine(call.termination_protected(false).send().await)?;
            }
            gone_is_fine(cx.emr.terminate_job_flows().job_flow_ids(id).send().await)?;
            lookup::ended(cx.name, id);
        }
        Ok(())
    }

    fn phase(&self) -> Phase {
        let status = self.status.as_deref().unwrap_or("unknown");
        let reason = || match self.status_reason.as_deref() {
            Some(reason) => format!("{status} ({reason})"),
            None => status.to_owned(),
        };
        match status {
            "RUNNING" | "WAITING" => self.unsettled().map_or(Phase::Ready, Phase::Pending),
            "TERMINATED" | "TERMINATED_WITH_ERRORS" => Phase::Failed(reason()),
            live::DELETING => Phase::Pending(live::DELETING.to_owned()),
            _ => Phase::Pending(reason()),
        }
    }

    fn accept(&mut self, live: &Self) {
        self.take_over(live);
    }

    fn predict(&mut self, _name: &str, _site: &Site, _root: &Path) {
        if self.service_role.rsplit('/').next() != Some(V1_ROLE) {
            self.tags.0.entry(V2_TAG.to_owned()).or_insert_with(|| "true".to_owned());
        }
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        let (want, have) = (self.primary.as_ref()?.count, live.primary.as_ref()?.count);
        (want != have).then(|| "the number of primary nodes can't be changed".to_owned())
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        self.wrong()
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        self.doubtful(among)
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        self.remarks(live)
    }

    fn protected(&self) -> Option<String> {
        (self.termination_protection == Some(true)).then(|| {
            "termination protection is on: apply with `termination_protection: false` first"
                .to_owned()
        })
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let used = matches!(self.status.as_deref(), Some("RUNNING" | "WAITING"));
        Ok(used.then(|| "files in its HDFS and on its nodes' disks".to_owned()))
    }
}

impl EmrCluster {
    fn known_id(&self) -> Result<&str, Error> {
        self.id.as_deref().ok_or_else(|| Error::internal("a cluster was read without its id"))
    }

    /// What AWS is still doing although the cluster runs. Managed scaling never rests.
    fn unsettled(&self) -> Option<String> {
        if self.managed_scaling.maximum > 0 {
            return None;
        }
        let groups = [("primary", &self.primary), ("core", &self.core)].into_iter();
        let groups = groups.filter_map(|(name, group)| Some((name, group.as_ref()?)));
        let tasks = self.tasks.iter().map(|(name, group)| (name.as_str(), group));
        let groups =
            groups.chain(tasks).filter_map(|(name, group)| Some((name, group.unsettled()?)));
        let fleets = [
            ("primary_fleet", &self.primary_fleet),
            ("core_fleet", &self.core_fleet),
            ("task_fleet", &self.task_fleet),
        ];
        let fleets =
            fleets.iter().filter_map(|(name, fleet)| Some((*name, fleet.as_ref()?.unsettled()?)));
        let mut all = groups.chain(fleets);
        all.next().map(|(name, state)| format!("{name} is {state}"))
    }
}
