//! What DMS reports of a task, and what that means for whoever wants it in a certain way.

use std::collections::BTreeMap;

use aws_sdk_databasemigration::types::{Connection, MigrationTypeValue, ReplicationTask};
use serde_json::Value;

use super::mappings::{Settings, canonical};
use super::{DUE_TAG, DmsReplicationTask, Run, SOUND};
use crate::aws::{Aws, Error, absent};
use crate::field::{DmsEndpointArn, DmsReplicationInstanceArn, Immutable, Tags};
use crate::reference::is_marked;

/// States in which a task stands still and may be changed.
const STANDING: &[&str] = &["ready", "stopped", "failed", "failed-move"];

pub fn name(task: &ReplicationTask) -> String {
    task.replication_task_identifier().unwrap_or_default().to_lowercase()
}

pub fn arn(task: &ReplicationTask) -> &str {
    task.replication_task_arn().unwrap_or_default()
}

/// The task as it is, whoever asks.
pub fn read(task: &ReplicationTask, tags: Tags) -> DmsReplicationTask {
    let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let endpoint = |arn: Option<&str>| Immutable(DmsEndpointArn::from(arn.unwrap_or_default()));
    let json = |text: Option<&str>| serde_json::from_str::<Value>(text.unwrap_or_default());
    let (tables, rules) = canonical(&json(task.table_mappings()).unwrap_or_default());
    let settings = json(task.replication_task_settings()).ok();
    let status = task.status().unwrap_or("unknown");
    let stats = task.replication_task_stats();
    let due = tags.get(DUE_TAG).cloned();
    let failure = failure(task);
    DmsReplicationTask {
        replication_instance: DmsReplicationInstanceArn::from(
            task.replication_instance_arn().unwrap_or_default(),
        ),
        source_endpoint: endpoint(task.source_endpoint_arn()),
        target_endpoint: endpoint(task.target_endpoint_arn()),
        run: run(task, failure.is_some() || due.is_some()),
        tables,
        rules,
        settings: settings.and_then(|value| Some(Settings(value.as_object()?.clone()))),
        cdc_start_position: text(task.cdc_start_position()),
        cdc_stop_position: text(task.cdc_stop_position()),
        resource_identifier: text(arn(task).rsplit(':').next()).map(Immutable),
        condition: SOUND.to_owned().into(),
        arn: text(task.replication_task_arn()).into(),
        pending: match status {
            "running" => None,
            _ if STANDING.contains(&status) => None,
            _ => Some(status.to_owned()),
        }
        .into(),
        status: status.to_owned().into(),
        tables_loaded: stats.map(|stats| stats.tables_loaded()).into(),
        way: kind_of_run(task).into(),
        failure: failure.into(),
        due: due.into(),
        connections: None.into(),
        tags,
    }
}

fn kind_of_run(task: &ReplicationTask) -> Run {
    match task.migration_type() {
        Some(MigrationTypeValue::Cdc) => Run::Cdc,
        Some(MigrationTypeValue::FullLoadAndCdc) => Run::FullLoadAndCdc,
        _ => Run::FullLoad,
    }
}

/// Why DMS stops a task that has done all that it was asked for: a full load, or changes up to the
/// point at which its settings or its stop position tell it to stop.
const ENDS: &[&str] = &[
    "FULL_LOAD_ONLY_FINISHED",
    "STOPPED_AFTER_CACHED_EVENTS",
    "STOPPED_AFTER_DDL_APPLY",
    "STOPPED_AFTER_FULL_LOAD",
    "STOPPED_AT_COMMIT_TIME",
    "STOPPED_AT_SERVER_TIME",
];

/// What the task is doing. What came to its end has been done.
fn run(task: &ReplicationTask, unsound: bool) -> Run {
    let ends = |why: &str| ENDS.iter().any(|end| why.contains(end));
    let finished = || task.stop_reason().is_some_and(ends);
    match task.status().unwrap_or_default() {
        "running" | "starting" => kind_of_run(task),
        "stopped" if finished() && !unsound => kind_of_run(task),
        _ => Run::Stopped,
    }
}

/// Why the task is no good, in DMS's words.
fn failure(task: &ReplicationTask) -> Option<String> {
    let errored = task.replication_task_stats().map_or(0, |stats| stats.tables_errored());
    let said = task.last_failure_message().filter(|said| !said.is_empty());
    match task.status()? {
        "failed" | "failed-move" => {
            let why = said.or(task.stop_reason()).unwrap_or("DMS doesn't say why");
            Some(why.to_owned())
        }
        "stopped" if errored > 0 => {
            let why = said.map(|said| format!(": {said}")).unwrap_or_default();
            Some(format!("{errored} tables failed to load{why}"))
        }
        "stopped" if task.stop_reason().is_some_and(|why| why.contains("ERROR")) => {
            Some(said.or(task.stop_reason()).unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

/// Works out what each task still waits for, and what is wrong with it, for those who want it.
pub async fn judge(
    aws: &Aws,
    pairs: Vec<(&mut DmsReplicationTask, &DmsReplicationTask)>,
) -> Result<(), Error> {
    let needs = pairs.iter().any(|(live, desired)| desired.needs_start(live));
    let connections = if needs { connections(aws).await? } else { Vec::new() };
    for (live, desired) in pairs {
        if live.is_running() {
            live.pending = live.pending.take().or_else(|| still_loading(live, desired)).into();
        }
        if !desired.needs_start(live) {
            live.condition = standing_condition(live, desired).into();
            continue;
        }
        let tested = tests(&connections, live, desired);
        if tested.values().any(|how| how == "testing") && live.pending.is_none() {
            live.pending = Some("testing the connections".to_owned()).into();
        }
        live.condition = condition(live, &tested).into();
        live.connections = tested.into();
    }
    Ok(())
}

/// Whoever wants the tables waits for the last of them; whoever wants a change doesn't.
fn still_loading(live: &DmsReplicationTask, desired: &DmsReplicationTask) -> Option<String> {
    let wanted = desired.run != Run::Stopped && live.due.is_none() && !desired.changes(live);
    let loaded = live.tables_loaded.unwrap_or_default();
    match live.run {
        _ if !wanted => None,
        Run::FullLoad => Some(format!("loading, {loaded} tables done")),
        _ => None,
    }
}

fn standing_condition(live: &DmsReplicationTask, desired: &DmsReplicationTask) -> String {
    match live.due.as_deref() {
        Some(_) if desired.run != Run::Stopped => "changed, and not started again".to_owned(),
        _ => SOUND.to_owned(),
    }
}

fn condition(live: &DmsReplicationTask, tested: &BTreeMap<String, String>) -> String {
    let mut wrong = Vec::new();
    if live.due.is_some() {
        wrong.push("changed, and not started again".to_owned());
    } else if let Some(failure) = live.failure.as_deref() {
        wrong.push(format!("failed: {failure}"));
    }
    wrong.extend(tested.values().find(|how| *how != "successful").map(|how| match how.as_str() {
        "untested" => "connections untested".to_owned(),
        how => format!("connection {how}"),
    }));
    if wrong.is_empty() { SOUND.to_owned() } else { wrong.join("; ") }
}

/// Those of the endpoints to which no connection from the instance is known to work, nor tested.
pub async fn untested(aws: &Aws, instance: &str, ends: &[String]) -> Result<Vec<String>, Error> {
    let states = states(&connections(aws).await?, instance, ends);
    let bad = states.into_iter().filter(|(_, how)| how != "successful" && how != "testing");
    Ok(bad.map(|(end, _)| end).collect())
}

async fn connections(aws: &Aws) -> Result<Vec<Connection>, Error> {
    let mut pages = aws.dms.describe_connections().into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = absent(page)? else { break };
        all.extend(page.connections.unwrap_or_default());
    }
    Ok(all)
}

/// How the tests of the two connections that the task will need ended.
fn tests(
    connections: &[Connection],
    live: &DmsReplicationTask,
    desired: &DmsReplicationTask,
) -> BTreeMap<String, String> {
    let instance = known(&desired.replication_instance, &live.replication_instance);
    let ends = [&live.source_endpoint, &live.target_endpoint].map(|end| end.0.0.clone());
    states(connections, instance, &ends)
}

/// How the last tests of the connections between an instance and these endpoints ended.
fn states(connections: &[Connection], instance: &str, ends: &[String]) -> BTreeMap<String, String> {
    let how = |end: &str| {
        let of = |one: &&Connection| {
            one.replication_instance_arn() == Some(instance) && one.endpoint_arn() == Some(end)
        };
        let Some(one) = connections.iter().find(of) else { return "untested".to_owned() };
        match (one.status().unwrap_or("untested"), one.last_failure_message()) {
            ("failed", Some(why)) => {
                let to = one.endpoint_identifier().unwrap_or(end);
                format!("to {to} failed: {why}")
            }
            (status, _) => status.to_owned(),
        }
    };
    ends.iter().map(|end| (end.clone(), how(end))).collect()
}

fn known<'a>(desired: &'a str, live: &'a str) -> &'a str {
    if is_marked(desired) { live } else { desired }
}

impl DmsReplicationTask {
    /// It is at work.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.status.as_deref(), Some("running" | "starting"))
    }

    /// To be as the stack wants it, it has to be started.
    pub(super) fn needs_start(&self, live: &Self) -> bool {
        self.run != Run::Stopped
            && !live.is_running()
            && (live.run != self.run || live.due.is_some() || self.changes(live))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(why: &str) -> DmsReplicationTask {
        let task = ReplicationTask::builder()
            .migration_type(MigrationTypeValue::Cdc)
            .status("stopped")
            .stop_reason(format!("Stop Reason {why}"));
        read(&task.build(), Tags::default())
    }

    #[test]
    fn what_came_to_its_end_has_been_done() {
        assert_eq!(stopped("STOPPED_AT_SERVER_TIME").run, Run::Cdc);
        assert_eq!(stopped("STOPPED_AFTER_CACHED_EVENTS").run, Run::Cdc);
        assert_eq!(stopped("NORMAL").run, Run::Stopped);
        let broken = stopped("RECOVERABLE_ERROR");
        assert!(broken.run == Run::Stopped && broken.failure.is_some());
    }
}
