//! The course of a change: DMS changes a task only while it stands still, so each update does the
//! next step, and the engine reads until it is done.

use aws_sdk_databasemigration::types::StartReplicationTaskTypeValue as How;

use super::{DUE_TAG, DmsReplicationTask, Run, Settings, live, mappings};
use crate::aws::{Aws, Class, Error};
use crate::field::{Differs, Tags};
use crate::kind::Cx;

/// The next step towards what the stack wants.
#[derive(Debug, PartialEq)]
enum Next {
    /// Nothing is left to do.
    Rest,
    /// It is at work and mustn't be.
    Stop,
    /// It stands still, and other tables, settings or another way of running are wanted.
    Modify,
    /// Another instance is wanted.
    Move,
    /// The connections to these endpoints aren't known to work.
    Test(Vec<String>),
    Start(How),
    /// It has been started after a change; the note of it can go.
    Forget,
    /// It won't get there by itself.
    Fail(Error),
}

impl DmsReplicationTask {
    fn settings_differ(&self, live: &Self) -> bool {
        self.settings.as_ref().is_some_and(|settings| !settings.are_in(live.settings.as_ref()))
    }

    fn mappings_differ(&self, live: &Self) -> bool {
        mappings::canonical(&self.mappings()) != mappings::canonical(&live.mappings())
    }

    /// Whether it runs, or has run, in another way.
    fn way_differs(&self, live: &Self) -> bool {
        self.run != Run::Stopped && live.way.is_some_and(|way| way != self.run)
    }

    fn must_be_modified(&self, live: &Self) -> bool {
        self.mappings_differ(live)
            || self.settings_differ(live)
            || self.way_differs(live)
            || self.cdc_start_position.differs(&live.cdc_start_position)
            || self.cdc_stop_position.differs(&live.cdc_stop_position)
    }

    fn moves(&self, live: &Self) -> bool {
        self.replication_instance != live.replication_instance
    }

    /// Whether anything differs that DMS changes only while the task stands still.
    pub(super) fn changes(&self, live: &Self) -> bool {
        self.must_be_modified(live) || self.moves(live)
    }

    /// `turn` is how many updates this run has made already.
    fn next(&self, live: &Self, turn: usize) -> Next {
        let runs = self.run != Run::Stopped;
        if live.is_running() && (!runs || self.changes(live)) {
            return Next::Stop;
        }
        if self.must_be_modified(live) {
            return Next::Modify;
        }
        if self.moves(live) {
            return Next::Move;
        }
        if !self.needs_start(live) {
            return if live.due.is_some() { Next::Forget } else { Next::Rest };
        }
        if let Some(why) = live.failure.as_deref().filter(|_| live.due.is_none() && turn > 0) {
            return Next::Fail(Error::new(Class::Terminal, format!("the task failed: {why}")));
        }
        let bad = || self.bad_connections(live);
        if let Some((_, how)) = bad().find(|(_, how)| *how != "untested" && turn > 0) {
            let error = Error::new(Class::Terminal, format!("the connection {how}"));
            return Next::Fail(error.hint(
                "see that the server's security groups let the replication instance in, and that \
                 user, password, role and bucket are right",
            ));
        }
        let untested: Vec<String> = bad().map(|(end, _)| end.clone()).collect();
        if !untested.is_empty() {
            return Next::Test(untested);
        }
        Next::Start(match live.due.as_deref() {
            Some(how) => How::from(how),
            None if live.status.as_deref() == Some("ready") => How::StartReplication,
            None => self.again(),
        })
    }

    fn bad_connections<'a>(
        &self,
        live: &'a Self,
    ) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
        let all = live.connections.iter().flatten();
        all.filter(|(_, how)| *how != "successful" && *how != "testing")
    }

    /// What is tested while the task is being changed. To another instance nothing is known to work.
    fn to_be_tested(&self, live: &Self) -> Vec<String> {
        if self.moves(live) {
            return [&live.source_endpoint, &live.target_endpoint]
                .map(|end| end.0.0.clone())
                .into();
        }
        self.bad_connections(live).map(|(end, _)| end.clone()).collect()
    }

    /// How a task that has run before goes on. DMS can't resume a full load.
    fn again(&self) -> How {
        match self.run {
            Run::FullLoad => How::ReloadTarget,
            _ => How::ResumeProcessing,
        }
    }

    /// How it is to be started after it was changed; nothing special when it has never run.
    fn after_change(&self, live: &Self) -> Option<How> {
        if self.run == Run::Stopped || live.due.is_some() {
            return None;
        }
        if live.status.as_deref() == Some("ready") {
            return None;
        }
        Some(match (self.way_differs(live), self.run) {
            (true, Run::Cdc) => How::StartReplication,
            (true, _) => How::ReloadTarget,
            (false, _) => self.again(),
        })
    }

    /// Does the next step.
    pub(super) async fn go_on(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        let next = self.next(live, cx.turn);
        if matches!(next, Next::Stop | Next::Modify | Next::Move) {
            self.note(live, cx).await?;
            if cx.turn == 0 && self.run != Run::Stopped {
                self.test(self.to_be_tested(live), cx).await?;
            }
        }
        match next {
            Next::Rest => {}
            Next::Stop => {
                cx.dms.stop_replication_task().replication_task_arn(arn).send().await?;
            }
            Next::Modify => self.modify(live, cx).await?,
            Next::Move => {
                let call = cx.dms.move_replication_task().replication_task_arn(arn);
                call.target_replication_instance_arn(&*self.replication_instance).send().await?;
            }
            Next::Test(ends) => self.test(ends, cx).await?,
            Next::Start(how) => {
                let call = cx.dms.start_replication_task().replication_task_arn(arn);
                call.start_replication_task_type(how).send().await?;
                forget(live, cx).await?;
            }
            Next::Forget => forget(live, cx).await?,
            Next::Fail(error) => return Err(error),
        }
        Ok(())
    }

    /// Remembers on the task itself that it has to be started again, for whoever comes after us.
    async fn note(&self, live: &Self, aws: &Aws) -> Result<(), Error> {
        let Some(how) = self.after_change(live) else { return Ok(()) };
        let tag = [(DUE_TAG.to_owned(), how.as_str().to_owned())];
        let arn = live.arn.as_deref().unwrap_or_default();
        crate::aws::dms::update_tags(aws, arn, &tag.into_iter().collect(), &Tags::default()).await
    }

    async fn modify(&self, live: &Self, aws: &Aws) -> Result<(), Error> {
        let mut call = aws.dms.modify_replication_task();
        if self.mappings_differ(live) {
            call = call.table_mappings(self.mappings().to_string());
        }
        if self.settings_differ(live) {
            call = call.set_replication_task_settings(self.settings.as_ref().map(Settings::text));
        }
        if self.way_differs(live) {
            call = call.migration_type(self.run.migration_type());
        }
        if self.cdc_start_position.differs(&live.cdc_start_position) {
            call = call.set_cdc_start_position(self.cdc_start_position.clone());
        }
        if self.cdc_stop_position.differs(&live.cdc_stop_position) {
            call = call.set_cdc_stop_position(self.cdc_stop_position.clone());
        }
        call.replication_task_arn(live.arn.as_deref().unwrap_or_default()).send().await?;
        Ok(())
    }

    async fn test(&self, ends: Vec<String>, aws: &Aws) -> Result<(), Error> {
        for end in ends {
            let call = aws.dms.test_connection().endpoint_arn(end);
            call.replication_instance_arn(&*self.replication_instance).send().await?;
        }
        Ok(())
    }

    /// Tests the connections while DMS still makes the task, which takes longer. What goes wrong
    /// here comes up again, and is told, when the task is to be started.
    pub(super) async fn test_early(&self, aws: &Aws) {
        if self.run == Run::Stopped {
            return;
        }
        let ends = [&self.source_endpoint, &self.target_endpoint].map(|end| end.0.0.clone());
        let untested = live::untested(aws, &self.replication_instance, &ends).await;
        if let Err(error) = self.test(untested.unwrap_or_default(), aws).await {
            tracing::debug!(%error, "a connection can't be tested yet");
        }
    }

    /// What a reviewer should know about a change of a task.
    pub(super) fn words(&self, live: &Self) -> Vec<String> {
        let mut steps = Vec::new();
        if live.is_running() && (self.run == Run::Stopped || self.changes(live)) {
            steps.push("stop it");
        }
        if self.must_be_modified(live) {
            steps.push("change it");
        }
        if self.moves(live) {
            steps.push("move it to another instance");
        }
        let changes = !steps.is_empty();
        if self.run != Run::Stopped && (changes || self.needs_start(live)) {
            let how = live.due.as_deref().map(How::from).or_else(|| self.after_change(live));
            steps.push(match how {
                None => "start it",
                Some(How::ReloadTarget) => "load all tables again",
                Some(How::ResumeProcessing) => "resume it",
                Some(_) => "start it",
            });
        }
        let mut words = Vec::new();
        if let Some(why) = live.failure.as_deref() {
            words.push(format!("it has failed: {why}"));
        }
        if !steps.is_empty() {
            words.push(steps.join(", "));
        }
        words
    }
}

async fn forget(live: &DmsReplicationTask, aws: &Aws) -> Result<(), Error> {
    if live.due.is_none() {
        return Ok(());
    }
    let call = aws.dms.remove_tags_from_resource();
    let call = call.resource_arn(live.arn.as_deref().unwrap_or_default());
    call.tag_keys(DUE_TAG).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn task(more: Value) -> DmsReplicationTask {
        let mut fields = json!({
            "replication_instance": "i", "source_endpoint": "s", "target_endpoint": "t",
            "run": "full-load", "way": "full-load", "status": "ready",
            "tables": [{ "schema": "%" }],
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            fields[key] = value;
        }
        serde_json::from_value(fields).expect("a task")
    }

    fn live(more: Value) -> DmsReplicationTask {
        let mut fields =
            json!({ "run": "stopped", "connections": { "s": "successful", "t": "successful" } });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            fields[key] = value;
        }
        task(fields)
    }

    #[test]
    fn a_new_task_is_tested_and_started() {
        let untested = live(json!({ "connections": { "s": "untested", "t": "successful" } }));
        assert_eq!(task(json!({})).next(&untested, 0), Next::Test(vec!["s".to_owned()]));
        let tested = live(json!({}));
        assert_eq!(task(json!({})).next(&tested, 1), Next::Start(How::StartReplication));
        let done = live(json!({ "status": "stopped", "run": "full-load" }));
        assert_eq!(task(json!({})).next(&done, 2), Next::Rest);
    }

    #[test]
    fn what_runs_is_stopped_changed_and_resumed() {
        let wanted = task(json!({ "run": "cdc", "tables": [{ "schema": "a" }] }));
        let running = live(json!({ "status": "running", "run": "cdc", "way": "cdc" }));
        assert_eq!(wanted.next(&running, 0), Next::Stop);
        assert_eq!(wanted.words(&running), ["stop it, change it, resume it"]);
        let due = json!({ "status": "stopped", "way": "cdc", "due": "resume-processing" });
        assert_eq!(wanted.next(&live(due.clone()), 1), Next::Modify);
        let mut changed = live(due);
        changed.tables.clone_from(&wanted.tables);
        assert_eq!(wanted.next(&changed, 2), Next::Start(How::ResumeProcessing));
        changed.status = "running".to_owned().into();
        changed.run = Run::Cdc;
        assert_eq!(wanted.next(&changed, 3), Next::Forget);
    }

    #[test]
    fn a_failure_is_tried_again_once_in_a_run() {
        let failed = live(json!({ "status": "failed", "failure": "no table" }));
        assert_eq!(task(json!({})).next(&failed, 0), Next::Start(How::ReloadTarget));
        assert!(matches!(task(json!({})).next(&failed, 1), Next::Fail(_)));
        let shut = live(json!({ "connections": { "s": "to db failed: timeout" } }));
        assert_eq!(task(json!({})).next(&shut, 0), Next::Test(vec!["s".to_owned()]));
        let Next::Fail(error) = task(json!({})).next(&shut, 1) else { panic!("it goes on") };
        assert!(error.message.contains("db failed: timeout") && error.hint.is_some());
    }

    #[test]
    fn what_is_to_stand_still_is_stopped_and_left_alone() {
        let wanted = task(json!({ "run": "stopped" }));
        let running = live(json!({ "status": "running", "run": "full-load" }));
        assert_eq!(wanted.next(&running, 0), Next::Stop);
        assert_eq!(wanted.next(&live(json!({ "status": "stopped" })), 1), Next::Rest);
    }
}
