//! The loop that every delete goes through.
//!
//! Read; delete if it is there and ours; read until it is gone.

use serde_json::Value;

use super::converge::{DOUBT_LIMIT, READY_LIMIT, changed};
use super::{Failure, Run};
use crate::aws::{Class, Error};
use crate::kind::Phase;
use crate::plan::Step;

impl Run<'_> {
    pub(super) async fn delete(&self, step: &Step) -> Result<(), Failure> {
        let seen = self.seen_within(step, &Value::Null, DOUBT_LIMIT).await?;
        let Some(mut live) = seen else { return Ok(()) };
        if !self.is_ours(&live) {
            return Err(changed(format!("{} isn't this stack's any more", step.name)));
        }
        self.status(step, "deleting".to_owned());
        let status = |text| self.status(step, text);
        let stopping = || self.stop.requested();
        let cx = self.cx(step, &status, &stopping);
        let patience = self.patience(step);
        let mut asked = None;
        let mut left = false;
        loop {
            let leaving = live.phase.is_leaving();
            // What fails to go, or leaves something behind, is asked to go once more.
            let stuck =
                matches!(&live.phase, Phase::Failed(_)) && asked != Some(live.phase.clone());
            if !leaving && (asked.is_none() || stuck) {
                asked = Some(live.phase.clone());
                let delete = || step.kind.delete(&live.fields, &step.farewell, &cx);
                self.call(step, false, delete).await.map_err(|error| still_used(step, error))?;
            }
            match self.glance(step, &Value::Null).await? {
                None => return Ok(()),
                Some(still) => live = still,
            }
            match &live.phase {
                Phase::Pending(why) => {
                    left |= live.phase.is_leaving();
                    self.status(step, why.clone());
                }
                Phase::Failed(why) if left && asked.as_ref() == Some(&live.phase) => {
                    let message = format!("AWS reports it as {why}");
                    return Err(Error::new(Class::Terminal, message).into());
                }
                _ => {}
            }
            if !self.pause(&patience, READY_LIMIT, "it to be gone").await? {
                return Err(Error::new(Class::Terminal, "it didn't go in 90 minutes").into());
            }
        }
    }
}

/// Whoever uses what is replaced, and could take the new one in its stead, is updated after the
/// replacement; a service that refuses to delete what is used leaves no order that works.
fn still_used(step: &Step, failure: Failure) -> Failure {
    match failure {
        Failure::Aws(error) if error.class == Class::Dependency && !step.replaces.is_empty() => {
            let hint = format!(
                "give {} another key: then the new one is made first, what uses it goes over to \
                 it, and the old one goes last",
                step.key
            );
            error.hint(hint).into()
        }
        other => other,
    }
}
