//! Why a step can't be done, and the way out.

use serde::Serialize;
use serde_json::Value;

use super::{Action, Planner, Step};
use crate::diff::diff;
use crate::kind::{Live, OnDestroy, Phase};
use crate::stack::Resource;

/// Why a step can't be done, and the way out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Blocked {
    /// In one sentence.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Blocked {
    pub(super) fn retained(reasons: &[String]) -> Self {
        Self {
            reason: format!(
                "it would have to be replaced ({}), and on_destroy is retain",
                reasons.join("; ")
            ),
            remedy: "undo the change, give the resource another name, or change on_destroy"
                .to_owned(),
        }
    }

    /// A snapshot that nobody asked for is no leave to go on with an empty database.
    pub(super) fn wordless(
        key: &str,
        holds: &str,
        words: &[OnDestroy],
        reasons: &[String],
    ) -> Self {
        let word = match words.contains(&OnDestroy::Snapshot) {
            true => "`on_destroy: snapshot` or `on_destroy: delete`",
            false => "`on_destroy: delete`",
        };
        Self {
            reason: format!(
                "it would have to be replaced ({}), and the stack doesn't say what should happen \
                 to what it holds ({holds})",
                reasons.join("; ")
            ),
            remedy: format!("undo the change, or give {key} {word}: the new one is empty"),
        }
    }

    pub(super) fn kept(key: &str, users: &[String]) -> Self {
        let uses = if users.len() == 1 { "uses" } else { "use" };
        Self {
            reason: format!(
                "AWS doesn't delete it while {} {uses} it, so it can't be made anew",
                users.join(", ")
            ),
            remedy: format!(
                "give {key} another key: then the new one is made first, what uses it goes over \
                 to it, and the old one goes last"
            ),
        }
    }
}

impl Planner<'_> {
    /// A resource of that name that isn't ours is never touched.
    pub(super) fn foreign(&mut self, resource: &Resource, desired: Value, live: &Live) {
        let desired = self.settle(resource, desired, live);
        let whose = match &live.owner {
            Some(owner) => format!("belongs to the stack {}", owner.stack),
            None => "is not lagoa's".to_owned(),
        };
        let blocked = Blocked {
            reason: format!("{} exists in this account and {whose}", resource.name),
            remedy: format!(
                "to take it over, write `adopt: true` below {} or run `lagoa adopt STACK_FILE {}`; \
                 otherwise give it another name",
                resource.key, resource.key
            ),
        };
        self.blocked_adoption(resource, desired, live, blocked);
    }

    /// To take over means to keep: what would have to be deleted first isn't taken over.
    pub(super) fn cannot_adopt(
        &mut self,
        resource: &Resource,
        desired: Value,
        live: &Live,
        reasons: &[String],
    ) {
        let blocked = Blocked {
            reason: format!(
                "taking over {} would delete it and make it anew: {}",
                resource.name,
                reasons.join("; ")
            ),
            remedy: "write these fields as AWS has them, or list them under `ignore`".to_owned(),
        };
        self.blocked_adoption(resource, desired, live, blocked);
    }

    fn blocked_adoption(
        &mut self,
        resource: &Resource,
        desired: Value,
        live: &Live,
        blocked: Blocked,
    ) {
        let mut step = self.step(resource, Action::Adopt, desired);
        step.changes = diff(resource.kind.schema(), &step.desired, &live.fields, &resource.ignore);
        step.live = Some(live.clone());
        step.blocked = Some(blocked);
        let facts = super::Facts::new(resource, &step.desired, Some(live));
        self.facts.insert(resource.key.clone(), facts);
        self.push(step);
    }

    pub(super) fn undecided(
        &self,
        resource: &Resource,
        desired: &Value,
        live: &Live,
    ) -> Option<Blocked> {
        if self.options.decision(&resource.key).is_some() {
            return None;
        }
        let reason = resource.kind.undecided(desired, &live.fields, &self.stack.root)?;
        let key = &resource.key;
        let remedy = if resource.kind.facts().seed {
            format!(
                "apply with --seed-rerun {key} to run it again, or --seed-accept {key} to take it as done"
            )
        } else {
            format!("change {key} in the stack file")
        };
        Some(Blocked { reason, remedy })
    }

    /// Says what happens to data, and blocks a delete that must not happen.
    pub(super) fn guard(&self, step: &mut Step, protect: bool) {
        let Some(live) = &step.live else { return };
        let loss = self.world.losses.get(&(step.kind.facts().name.to_owned(), live.name.clone()));
        let holds = step.kind.facts().holds;
        step.data = holds.map(|holds| words(step, holds, loss));
        step.fate = holds.map(|_| fate(step.farewell.on_destroy, loss.is_some()));
        if protect {
            step.blocked = Some(Blocked {
                reason: "it is protected by `protect: true`".to_owned(),
                remedy: match step.orphan {
                    true => format!(
                        "put {} back into the stack without `protect` and apply that first",
                        step.key
                    ),
                    false => "remove `protect` from the stack and apply that first".to_owned(),
                },
            });
        } else if let (false, Some(reason)) =
            (step.farewell.unprotect, step.kind.protected(&live.fields))
        {
            step.blocked = Some(Blocked {
                reason,
                remedy: "add --force-unprotect to lift that first".to_owned(),
            });
        } else if let (None, Some(loss)) = (step.farewell.on_destroy, loss) {
            step.blocked = Some(Blocked {
                reason: format!(
                    "it holds {loss}, and the stack doesn't say what should happen to them"
                ),
                remedy: format!(
                    "{} `on_destroy: delete` or `on_destroy: retain` and apply that, or empty it",
                    match step.orphan {
                        true => format!("put {} back into the stack with", step.key),
                        false => format!("give {}", step.key),
                    }
                ),
            });
        }
    }
}

/// What a delete does to the data in a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is gone for good.
    Lost,
    /// It is kept in a final snapshot.
    Snapshot,
    /// It stays where it is, or there is none.
    Kept,
}

fn fate(word: Option<OnDestroy>, full: bool) -> Fate {
    match word {
        Some(OnDestroy::Delete) => Fate::Lost,
        Some(OnDestroy::Snapshot) => Fate::Snapshot,
        Some(OnDestroy::Retain) => Fate::Kept,
        None if full => Fate::Lost,
        None => Fate::Kept,
    }
}

fn words(step: &Step, holds: &str, loss: Option<&String>) -> String {
    use OnDestroy::{Delete, Retain, Snapshot};
    match (step.farewell.on_destroy, loss) {
        (Some(Snapshot), _) => {
            let kept = format!("the data is kept in the final snapshot {}", step.farewell.snapshot);
            match step.live.as_ref().map(|live| &live.phase) {
                Some(Phase::Failed(why)) => {
                    format!("{kept}; if AWS makes none because it is {why}, it isn't deleted")
                }
                _ => kept,
            }
        }
        (Some(Retain), _) => "nothing is deleted".to_owned(),
        (Some(Delete), Some(loss)) => format!("{loss} will be deleted for good"),
        (None, Some(loss)) => format!("it holds {loss}"),
        (Some(Delete), None) => {
            format!("whatever it holds ({holds}) will be deleted for good")
        }
        (None, None) => "it is empty: nothing is lost".to_owned(),
    }
}
