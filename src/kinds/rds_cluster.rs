//! An Aurora cluster.

mod calls;
mod live;
mod permissions;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::rds_versions::{later, major, satisfies};
use crate::aws::rest::{self, STOPPED};
use crate::aws::spelling::{fold, fold_key};
use crate::aws::words::word;
use crate::aws::{Aws, Error, absent, gone_is_fine, rds_tags};
use crate::field::{
    Computed, Connection, DbClusterParameterGroupName, DbSubnetGroupName, Derived, Differs,
    Immutable, KmsKeyArn, SecretSource, SecurityGroupId, Tags, WriteOnly, leave_out,
};
use crate::kind::{
    Access, Cx, Farewell, Found, Kind, Neighbours, OnDestroy, Phase, Site, Takes, Wanted,
};
use crate::reference::is_marked;
pub use words::{Engine, NetworkType, StorageType};

/// An Aurora cluster: the data, how it is kept, and who may reach it. The servers that work on it
/// are `rds_cluster_instance`s; without one, nothing answers.
///
/// Changes are made at once, never put off to the maintenance window. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsCluster {
    /// `aurora-postgresql` or `aurora-mysql`.
    pub engine: Immutable<Engine>,
    /// Version of the engine. `16` accepts every `16.x`; AWS chooses its default version when
    /// unset. A change restarts the servers.
    pub engine_version: Option<String>,
    /// Permits the next change of `engine_version` to go to another major version, which can't be
    /// undone. Without it a plan that would do so stops.
    pub allow_major_version_upgrade: Option<WriteOnly<bool>>,
    /// Name of the database made together with the cluster. PostgreSQL always has `postgres`.
    pub database: Option<Immutable<String>>,
    /// Name of the master user.
    #[schemars(regex(pattern = "^[a-zA-Z]{1}[a-zA-Z0-9_]*$"))]
    pub username: Immutable<String>,
    /// RDS makes up the master password, keeps it in Secrets Manager and rotates it every seven
    /// days. `--rotate KEY` rotates it now. Either this or `password`. Default false.
    #[serde(default)]
    pub managed_password: bool,
    /// The KMS key of the managed password's secret. Without one, AWS's own `aws/secretsmanager`.
    /// AWS can't change it while the password is managed.
    pub managed_password_kms_key: Option<KmsKeyArn>,
    /// Where the master password comes from: `${env.NAME}`, a secret or a parameter. Sent at
    /// creation, when `managed_password` is switched off, and with `--rotate KEY`.
    pub password: Option<WriteOnly<SecretSource>>,
    /// Name or ARN of a cluster snapshot to start from, instead of with an empty database; read at
    /// creation only. `engine`, `username`, `storage_encrypted` and `kms_key` must be the
    /// snapshot's. The password becomes the stack's.
    pub snapshot: Option<WriteOnly<String>>,
    /// How far the servers of class `db.serverless` grow and shrink. Needed for such servers.
    pub serverless: Option<Serverless>,
    /// TCP port. AWS starts with the engine's usual port. A change restarts the servers.
    #[schemars(range(min = 1150, max = 65535))]
    pub port: Option<u16>,
    /// Security groups in front of the servers. AWS starts with the VPC's default group.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// The subnets that the servers may stand in. AWS starts with the default VPC's.
    pub subnet_group: Option<Immutable<DbSubnetGroupName>>,
    /// Settings of the engine. AWS starts with the engine's default group. Static parameters count
    /// when a server restarts.
    pub parameter_group: Option<DbClusterParameterGroupName>,
    /// `aurora`, or `aurora-iopt1`, which costs more for storage and nothing for each operation.
    /// AWS starts with `aurora`, and lets a cluster change to `aurora-iopt1` once in 30 days.
    pub storage_type: Option<StorageType>,
    /// Whether the data on disk is encrypted. AWS's own default is false.
    pub storage_encrypted: Option<Immutable<bool>>,
    /// The KMS key that encrypts the data: key, id, ARN or alias; needs `storage_encrypted: true`.
    /// Without one, AWS's own `aws/rds`. An alias counts as whatever key the cluster has.
    pub kms_key: Option<Immutable<KmsKeyArn>>,
    /// `IPV4`, or `DUAL` for IPv4 and IPv6. AWS starts with `IPV4`.
    pub network_type: Option<NetworkType>,
    /// AWS refuses to delete the cluster while this is on. AWS starts with false.
    pub deletion_protection: Option<bool>,
    /// Days for which automated backups are kept, 1 to 35. AWS starts with 1.
    #[schemars(range(min = 1, max = 35))]
    pub backup_retention_days: Option<i32>,
    /// When daily backups start, in UTC, at least 30 minutes: `04:00-04:30`. AWS picks one.
    pub backup_window: Option<String>,
    /// When AWS may do maintenance, in UTC: `sun:05:00-sun:05:30`. AWS picks one.
    pub maintenance_window: Option<String>,
    /// Users may log in with a token from IAM instead of a password. AWS starts with false.
    pub iam_authentication: Option<bool>,
    /// SQL over HTTPS without a connection: the RDS Data API and the query editor. AWS starts with
    /// false.
    pub http_endpoint: Option<bool>,
    /// Logs that go to CloudWatch Logs: `postgresql`; `audit`, `error`, `general`, `slowquery`; …
    pub log_exports: Option<BTreeSet<String>>,
    /// Snapshots get the cluster's tags. AWS starts with false.
    pub copy_tags_to_snapshot: Option<bool>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Name of the host that writes go to.
    #[serde(default)]
    pub host: Computed<String>,
    /// Name of the host that spreads reads over the servers.
    #[serde(default)]
    pub reader_host: Computed<String>,
    /// Port that the servers answer on.
    #[serde(default)]
    pub endpoint_port: Computed<u16>,
    /// How seeds connect: host, port, user, where the password is, database, encryption. A seed
    /// waits for the servers of the cluster.
    #[serde(default)]
    pub connection: Computed<Connection>,
    /// The secret with the managed password: a JSON object with `username` and `password`.
    #[serde(default)]
    pub master_secret_arn: Computed<String>,
    /// `arn:aws:rds:region:account:cluster:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The cluster's id that never changes, for IAM policies: `cluster-ABC…`.
    #[serde(default)]
    pub resource_id: Computed<String>,
    /// The service's own word: `creating`, `available`, `modifying`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// What AWS is still doing although the status says `available`.
    #[serde(default)]
    pub unsettled: Computed<String>,
    /// The master password is still the one of the snapshot that the cluster was made from; lagoa
    /// sets the stack's. Kept in the tag `lagoa:password`.
    #[serde(default)]
    pub password_of_snapshot: Derived<bool>,
}

/// How far servers of class `db.serverless` grow and shrink, in Aurora capacity units of about
/// 2 GiB of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Serverless {
    /// At least so many units: 0 to 256 in halves. 0 lets an idle server sleep.
    #[schemars(regex(pattern = r"^[0-9]{1,3}(\.[05])?$"))]
    pub min_acu: String,
    /// At most so many units: 1 to 256 in halves.
    #[schemars(regex(pattern = r"^[0-9]{1,3}(\.[05])?$"))]
    pub max_acu: String,
    /// Seconds without a connection after which a server sleeps, 300 to 86400; with `min_acu: 0`.
    pub auto_pause_seconds: Option<i32>,
}

impl Kind for RdsCluster {
    const EXAMPLE: &'static str = "
coins-cluster:
  kind: rds_cluster
  engine: aurora-postgresql
  engine_version: '16'
  database: coins
  username: coins
  managed_password: true
  serverless: { min_acu: 0.5, max_acu: 4 }
  subnet_group: cluster-subnets
  parameter_group: cluster-postgres16
  backup_retention_days: 7
  backup_window: 04:00-04:30
  maintenance_window: sun:05:00-sun:05:30
  storage_encrypted: true
  iam_authentication: true
  http_endpoint: true
  log_exports: [postgresql]
  copy_tags_to_snapshot: true
  deletion_protection: false
  tags: { Projeto: Bootcamp }
  on_destroy: delete
cluster-subnets:
  kind: rds_subnet_group
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
cluster-postgres16:
  kind: rds_cluster_parameter_group
  family: aurora-postgresql16
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9]){0,62}$";
    const ACCESS: Access = permissions::ACCESS;
    const HOLDS: Option<&'static str> = Some("a database");
    const ON_DESTROY: &'static [OnDestroy] =
        &[OnDestroy::Delete, OnDestroy::Retain, OnDestroy::Snapshot];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Snapshot);
    const TAKES: Takes = Takes::seconds(90, 120);

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_clusters();
        let call = match wanted {
            [one] => call.db_cluster_identifier(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for cluster in page.db_clusters() {
                let name = cluster.db_cluster_identifier().unwrap_or_default();
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    let fields = live::read(cluster, one.desired.as_ref())?;
                    found.push(Found { name: name.to_owned(), fields });
                }
            }
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "cluster:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> =
            aws.rds.describe_db_clusters().into_paginator().items().send().collect().await;
        let names = all?.into_iter().filter_map(|one| one.db_cluster_identifier);
        Ok(names.collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        match &self.snapshot {
            Some(snapshot) => self.restore(snapshot, cx).await,
            None => self.make(cx).await,
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let call = self.with_changes(live, cx.rds.modify_db_cluster());
        let call = self.with_password(live, call, cx).await?;
        if call.as_input() != cx.rds.modify_db_cluster().as_input() {
            let call = call.db_cluster_identifier(cx.name).apply_immediately(true);
            let wake = format!("aws rds start-db-cluster --db-cluster-identifier {}", cx.name);
            let refused = |error| rest::explained(error, live.status.as_deref(), &wake);
            call.send().await.map_err(Error::from).map_err(refused)?;
        }
        match self.http_endpoint.filter(|_| self.http_endpoint.differs(&live.http_endpoint)) {
            Some(true) => drop(cx.rds.enable_http_endpoint().resource_arn(arn).send().await?),
            Some(false) => drop(cx.rds.disable_http_endpoint().resource_arn(arn).send().await?),
            None => {}
        }
        if *live.password_of_snapshot == Some(true) {
            let call = cx.rds.remove_tags_from_resource().resource_name(arn);
            call.tag_keys(live::PASSWORD_TAG).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if self.status.as_deref() == Some("deleting") {
            return Ok(());
        }
        if farewell.unprotect && self.deletion_protection == Some(true) {
            let call = cx.rds.modify_db_cluster().db_cluster_identifier(cx.name);
            gone_is_fine(call.deletion_protection(false).apply_immediately(true).send().await)?;
        }
        let call = cx.rds.delete_db_cluster().db_cluster_identifier(cx.name);
        let call = if farewell.on_destroy == Some(OnDestroy::Delete) {
            call.skip_final_snapshot(true)
        } else {
            call.skip_final_snapshot(false).final_db_snapshot_identifier(&farewell.snapshot)
        };
        gone_is_fine(call.send().await)
    }

    fn phase(&self) -> Phase {
        let status = self.status.as_deref().unwrap_or("unknown");
        if live::TERMINAL.contains(&status) {
            return Phase::Failed(status.to_owned());
        }
        match self.unsettled.as_deref() {
            _ if ![STOPPED, "available"].contains(&status) => Phase::Pending(status.to_owned()),
            None => Phase::Ready,
            Some(what) => Phase::Pending(what.to_owned()),
        }
    }

    fn accept(&mut self, live: &Self) {
        if let (Some(desired), Some(have)) = (&self.engine_version, &live.engine_version)
            && satisfies(self.engine.major_numbers(), desired, have, true)
        {
            self.engine_version.clone_from(&live.engine_version);
        }
        let mut subnet_group = self.subnet_group.clone().map(|group| group.0);
        fold(&mut subnet_group, &live.subnet_group.clone().map(|group| group.0));
        self.subnet_group = subnet_group.map(Immutable);
        if let (Some(want), Some(have)) = (&self.serverless, &live.serverless)
            && want.scales_like(have)
        {
            self.serverless.clone_from(&live.serverless);
        }
        fold(&mut self.parameter_group, &live.parameter_group);
        fold(&mut self.backup_window, &live.backup_window);
        fold(&mut self.maintenance_window, &live.maintenance_window);
        fold(&mut self.database, &live.database);
        fold_key(&mut self.managed_password_kms_key, &live.managed_password_kms_key);
        let mut kms_key = self.kms_key.clone().map(|key| key.0);
        fold_key(&mut kms_key, &live.kms_key.clone().map(|key| key.0));
        self.kms_key = kms_key.map(Immutable);
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("cluster:{name}")).into();
        self.password_of_snapshot = false.into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.backup_window = None;
        self.maintenance_window = None;
        self.managed_password_kms_key = None;
        leave_out(&mut self.backup_retention_days, 1);
        leave_out(&mut self.deletion_protection, false);
        leave_out(&mut self.iam_authentication, false);
        leave_out(&mut self.http_endpoint, false);
        leave_out(&mut self.copy_tags_to_snapshot, false);
        leave_out(&mut self.storage_encrypted, Immutable(false));
        leave_out(&mut self.network_type, NetworkType::Ipv4);
        self.subnet_group.take_if(|group| &***group == "default");
        self.parameter_group.take_if(|group| group.starts_with("default"));
    }

    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        self.needs_a_word(live)
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let wrong = self.wrong().into_iter();
        wrong.map(|(path, message)| (path.to_owned(), message.to_owned())).collect()
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let of = |kind: &str| among.all.iter().filter(|one| one.1 == kind).count();
        if of("rds_cluster_instance") > 0 || of("rds_cluster") > 1 {
            return Vec::new();
        }
        let message = "nothing answers on this cluster's endpoint: the stack has no \
                       `rds_cluster_instance`";
        vec![(String::new(), message.to_owned())]
    }

    fn protected(&self) -> Option<String> {
        (self.deletion_protection == Some(true)).then(|| {
            "deletion protection is on: apply with `deletion_protection: false` first".to_owned()
        })
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        Ok(Some(format!("an {} database", word(&*self.engine))))
    }
}

impl RdsCluster {
    fn needs_a_word(&self, live: &Self) -> Option<String> {
        let numbers = self.engine.major_numbers();
        if let (Some(to), Some(from)) = (&self.engine_version, &live.engine_version)
            && !is_marked(to)
            && self.engine == live.engine
            && !satisfies(numbers, to, from, true)
        {
            if later(from, to) {
                return Some(format!("AWS can't take a cluster back from version {from} to {to}"));
            }
            let allowed = self.allow_major_version_upgrade.as_deref().copied().unwrap_or_default();
            if major(numbers, to) != major(numbers, from) && !allowed {
                return Some(format!(
                    "going from version {from} to {to} can't be undone: write \
                     `allow_major_version_upgrade: true` if that is meant"
                ));
            }
        }
        let key = &self.managed_password_kms_key;
        let stays_managed = self.managed_password && live.managed_password;
        (stays_managed && key.differs(&live.managed_password_kms_key)).then(|| {
            "AWS can't change the key of a managed password: apply once with a `password` of your \
             own, then with `managed_password: true` and the new key"
                .to_owned()
        })
    }

    fn wrong(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = Vec::new();
        if self.managed_password == self.password.is_some() {
            wrong.push((
                "password",
                "give the master password one source: `managed_password: true`, or `password: \
                 ${env.NAME}` or `{ secret: NAME }`",
            ));
        }
        if self.managed_password_kms_key.is_some() && !self.managed_password {
            wrong.push(("managed_password_kms_key", "this is for `managed_password: true` only"));
        }
        if self.kms_key.is_some() && self.storage_encrypted.as_deref() != Some(&true) {
            wrong.push(("kms_key", "a key needs `storage_encrypted: true`"));
        }
        let Some(serverless) = &self.serverless else { return wrong };
        let (Some(min), Some(max)) = (units(&serverless.min_acu), units(&serverless.max_acu))
        else {
            return wrong;
        };
        if !(1.0..=256.0).contains(&max) {
            wrong.push(("serverless.max_acu", "AWS takes 1 to 256"));
        }
        if min > max {
            wrong.push(("serverless.min_acu", "the least is more than `max_acu`"));
        }
        if serverless.auto_pause_seconds.is_some() && min > 0.0 {
            wrong.push(("serverless.auto_pause_seconds", "only `min_acu: 0` lets servers sleep"));
        }
        wrong
    }
}

impl Serverless {
    /// The same numbers, however they are written; AWS fills in the pause.
    fn scales_like(&self, live: &Self) -> bool {
        let pause = self.auto_pause_seconds;
        units(&self.min_acu) == units(&live.min_acu)
            && units(&self.max_acu) == units(&live.max_acu)
            && (pause.is_none() || pause == live.auto_pause_seconds)
    }
}

/// Capacity units, which are counted in halves.
fn units(text: &str) -> Option<f64> {
    text.parse().ok()
}
