//! A task that copies tables from one DMS endpoint to another.

mod course;
mod live;
mod mappings;

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_databasemigration::types::{MigrationTypeValue, ReplicationTask};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Class, Error, absent, dms, fixed_role, gone_is_fine};
use crate::field::{Computed, Derived, DmsEndpointArn, DmsReplicationInstanceArn, Immutable, Tags};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};
pub use mappings::{Rules, Selection, Settings};

/// A task that copies tables from one DMS endpoint to another, once or as they change.
///
/// `run` says what it is to be doing. A full load is ready when it is complete: what depends on the
/// task starts then; a load that fails is an error, and the next apply starts it again. Before a
/// start lagoa tests the connections to both endpoints. DMS changes a task only while it stands
/// still, so lagoa stops it, changes it and starts it again. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DmsReplicationTask {
    /// The machine that it runs on. A change moves it there.
    pub replication_instance: DmsReplicationInstanceArn,
    /// Where it reads.
    pub source_endpoint: Immutable<DmsEndpointArn>,
    /// Where it writes.
    pub target_endpoint: Immutable<DmsEndpointArn>,
    /// What it is to be doing: `full-load` copies everything once; `cdc` copies changes from now on;
    /// `full-load-and-cdc` does both; `stopped` stands still (a new task then is for a full load).
    pub run: Run,
    /// The tables to copy, by schema and name.
    #[serde(default)]
    pub tables: Vec<Selection>,
    /// Further rules in DMS's own form, such as transformations:
    /// `{ rule-type: transformation, rule-action: convert-lowercase, rule-target: column, … }`.
    /// lagoa numbers those without `rule-id`.
    #[serde(default)]
    pub rules: Rules,
    /// Settings in DMS's own form: `{ TargetMetadata: { LimitedSizeLobMode: true } }`. What is left
    /// out stays as DMS has it.
    pub settings: Option<Settings>,
    /// Where changes are to be read from: a time, a checkpoint or a position of the source's log.
    pub cdc_start_position: Option<String>,
    /// Where to stop reading changes: `server_time:2026-11-21T12:00:00` or `commit_time:…`.
    pub cdc_stop_position: Option<String>,
    /// The end of its ARN, up to 31 letters, digits and hyphens. AWS makes one up.
    #[schemars(regex(pattern = "^[A-Za-z](-?[A-Za-z0-9]){0,30}$"))]
    pub resource_identifier: Option<Immutable<String>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `sound`, or what keeps the task from running: connections that aren't tested or have failed,
    /// a load that has failed, a change after which it hasn't been started again.
    #[serde(default)]
    pub condition: Derived<String>,
    /// `arn:aws:dms:region:account:task:…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// AWS's word for the state it is in.
    #[serde(default)]
    pub status: Computed<String>,
    /// Tables that the last full load has copied.
    #[serde(default)]
    pub tables_loaded: Computed<i32>,
    /// The way of running that DMS keeps for it, whether it runs or not.
    #[serde(default)]
    pub way: Computed<Run>,
    /// What it failed with last.
    #[serde(default)]
    pub failure: Computed<String>,
    /// What it waits for before it is as the stack wants it.
    #[serde(default)]
    pub pending: Computed<String>,
    /// How it is to be started after a change; kept in the tag `lagoa:start`.
    #[serde(default)]
    pub due: Computed<String>,
    /// How the last tests of the connections that it needs ended, by the endpoint's ARN.
    #[serde(default)]
    pub connections: Computed<BTreeMap<String, String>>,
}

/// What a task is to be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// Copies everything once.
    FullLoad,
    /// Copies changes.
    Cdc,
    /// Copies everything, then changes.
    FullLoadAndCdc,
    /// Stands still.
    Stopped,
}

impl Run {
    fn migration_type(self) -> MigrationTypeValue {
        match self {
            Self::FullLoad | Self::Stopped => MigrationTypeValue::FullLoad,
            Self::Cdc => MigrationTypeValue::Cdc,
            Self::FullLoadAndCdc => MigrationTypeValue::FullLoadAndCdc,
        }
    }
}

/// Says how a changed task is to be started, until it has been.
const DUE_TAG: &str = "lagoa:start";
const SOUND: &str = "sound";

impl Kind for DmsReplicationTask {
    const EXAMPLE: &'static str = "
task-01:
  kind: dms_replication_task
  replication_instance: dms-instance
  source_endpoint: s3-source
  target_endpoint: s3-target
  run: full-load
  tables:
    - { schema: market, table: '%' }
    - { schema: public, table: lagoa_seeds, action: exclude }
  rules:
    - rule-type: transformation
      rule-action: convert-lowercase
      rule-target: column
      object-locator: { schema-name: '%', table-name: '%', column-name: '%' }
  settings:
    TargetMetadata: { SupportLobs: true, LimitedSizeLobMode: true, LobMaxSize: 32 }
    Logging: { EnableLogging: true }
  resource_identifier: task-01
  tags: { Projeto: Bootcamp }
dms-instance:
  kind: dms_replication_instance
  instance_class: dms.t3.micro
s3-source:
  kind: dms_endpoint
  type: source
  engine: s3
  s3: { bucket: law-raw-coins, role: dms-s3, external_table_definition: '{}' }
s3-target:
  kind: dms_endpoint
  type: target
  engine: s3
  s3: { bucket: law-raw-coins, role: dms-s3, folder: coins }
law-raw-coins:
  kind: s3_bucket
dms-s3:
  kind: iam_role
  service: dms.amazonaws.com
";
    const NAME: &'static str = "^[A-Za-z](-?[A-Za-z0-9]){0,254}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["dms:DescribeConnections", "dms:DescribeReplicationTasks"], ANY),
            Grant::of(&["dms:ListTagsForResource"], &["dms:{region}:{account}:task:*"]),
        ],
        write: &[
            Grant::of(
                &["dms:CreateReplicationTask"],
                &["dms:{region}:{account}:endpoint:*", "dms:{region}:{account}:rep:*"],
            )
            .when(When::Marked),
            Grant::of(&["dms:AddTagsToResource"], &["dms:{region}:{account}:task:*"])
                .when(When::Marked),
            Grant::of(
                &[
                    "dms:AddTagsToResource",
                    "dms:ModifyReplicationTask",
                    "dms:MoveReplicationTask",
                    "dms:RemoveTagsFromResource",
                    "dms:StartReplicationTask",
                    "dms:StopReplicationTask",
                ],
                &["dms:{region}:{account}:task:*"],
            )
            .when(When::Owned),
            Grant::of(&["dms:MoveReplicationTask"], &["dms:{region}:{account}:rep:*"]),
            Grant::of(
                &["dms:TestConnection"],
                &["dms:{region}:{account}:endpoint:*", "dms:{region}:{account}:rep:*"],
            ),
            fixed_role::making(&["iam::{account}:role/dms-cloudwatch-logs-role"]).given("settings"),
            fixed_role::filling(
                &["iam::{account}:role/dms-cloudwatch-logs-role"],
                &["iam::aws:policy/service-role/AmazonDMSCloudWatchLogsRole"],
            )
            .given("settings"),
        ],
        delete: &[Grant::of(
            &["dms:DeleteReplicationTask", "dms:StopReplicationTask"],
            &["dms:{region}:{account}:task:*"],
        )
        .when(When::Owned)],
        ..Access::NONE
    };
    // What it waits for depends on what is wanted of it.
    const READS_AFTER_REFERENCES: bool = true;
    const TAKES: Takes = Takes::seconds(270, 180);

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let only = dms::only("replication-task-id", wanted.iter().map(|one| &one.name))?;
        let mut all = described(aws, only).await?;
        all.retain(|task| wanted.iter().any(|one| one.name == live::name(task)));
        let (pending, rest): (Vec<_>, Vec<_>) = all.iter().partition(|task| {
            let phase = live::read(task, Tags::default()).phase();
            matches!(phase, Phase::Pending(_)) && dms::is_glanced(wanted, &live::name(task))
        });
        let arns: Vec<String> = rest.iter().map(|task| live::arn(task).to_owned()).collect();
        let mut tags = dms::tags(aws, &arns).await?;
        let rest = rest.into_iter().filter_map(|task| Some((task, tags.remove(live::arn(task))?)));
        let made = |(task, tags)| Found { name: live::name(task), fields: live::read(task, tags) };
        let mut found: Vec<Found<Self>> = rest.map(made).collect();
        let pairs = found.iter_mut().filter_map(|found| {
            let wanted = wanted.iter().find(|one| one.name == found.name)?;
            Some((&mut found.fields, wanted.desired.as_ref()?))
        });
        live::judge(aws, pairs.collect()).await?;
        found.extend(pending.into_iter().map(|task| made((task, Tags::default()))));
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ours = dms::swept(aws, "task:").await?;
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let all = described(aws, None).await?;
        let mine = all.iter().filter(|task| ours.contains(live::arn(task)));
        Ok(mine.map(live::name).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(described(aws, None).await?.iter().map(live::name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx
            .dms
            .create_replication_task()
            .replication_task_identifier(cx.name)
            .replication_instance_arn(&*self.replication_instance)
            .source_endpoint_arn(&**self.source_endpoint)
            .target_endpoint_arn(&**self.target_endpoint)
            .migration_type(self.run.migration_type())
            .table_mappings(self.mappings().to_string())
            .set_replication_task_settings(self.settings.as_ref().map(Settings::text))
            .set_cdc_start_position(self.cdc_start_position.clone())
            .set_cdc_stop_position(self.cdc_stop_position.clone())
            .set_resource_identifier(self.resource_identifier.as_ref().map(|id| id.0.clone()))
            .set_tags(Some(dms::to_aws(&self.tags)));
        let call = async { Ok(call.send().await?) };
        if self.logs() {
            dms::with_role(cx, &dms::LOGS_ROLE, call).await?;
        } else {
            call.await?;
        }
        self.test_early(cx).await;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        dms::update_tags(cx, arn, &self.tags, &live.tags).await?;
        self.go_on(live, cx).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.arn.as_deref().unwrap_or_default();
        if self.is_running() {
            // DMS refuses to delete until it stands still, which is waited for as for anything busy.
            match cx.dms.stop_replication_task().replication_task_arn(arn).send().await {
                Ok(_) => {}
                Err(error) => match Error::from(error) {
                    error if error.class == Class::Busy || error.is_gone() => {}
                    error => return Err(error),
                },
            }
        }
        gone_is_fine(cx.dms.delete_replication_task().replication_task_arn(arn).send().await)
    }

    fn phase(&self) -> Phase {
        match self.pending.as_deref() {
            Some(why) => Phase::Pending(why.to_owned()),
            None => Phase::Ready,
        }
    }

    fn accept(&mut self, live: &Self) {
        if mappings::canonical(&self.mappings()) == mappings::canonical(&live.mappings()) {
            self.tables.clone_from(&live.tables);
            self.rules.clone_from(&live.rules);
        }
        // What has run to its end stands still too.
        if self.run == Run::Stopped && !live.is_running() {
            self.run = live.run;
        }
    }

    fn predict(&mut self, _name: &str, _site: &Site, _root: &Path) {
        self.condition = SOUND.to_owned().into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.resource_identifier.take_if(|identifier| dms::is_made_up(identifier));
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = mappings::wrong(&self.tables, &self.rules);
        if self.cdc_start_position.is_some() && self.run == Run::FullLoad {
            let message = "a full load reads no changes: write `run: cdc`, or take this out";
            wrong.push(("cdc_start_position".to_owned(), message.to_owned()));
        }
        wrong
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        match live {
            Some(live) => self.words(live),
            None if self.logs() => vec![dms::role_note(&dms::LOGS_ROLE)],
            None => Vec::new(),
        }
    }
}

async fn described(
    aws: &Aws,
    only: Option<Vec<aws_sdk_databasemigration::types::Filter>>,
) -> Result<Vec<ReplicationTask>, Error> {
    let call = aws.dms.describe_replication_tasks().set_filters(only);
    let mut pages = call.into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = absent(page)? else { break };
        all.extend(page.replication_tasks.unwrap_or_default());
    }
    Ok(all)
}
