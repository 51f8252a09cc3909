//! Plans in files: made by `lagoa plan --out`, carried out by `lagoa apply`.
//!
//! The file holds what was shown, what the person asked for, and digests of the stack and of what
//! AWS had. Steps are never taken from it: apply plans anew, and only if nothing has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arguments::{PlanArguments, StackArguments, Variables};
use super::digest;
use super::failed::Failed;
use super::hold::second;
use super::session::{Purpose, Session};
use crate::document;
use crate::report::json;
use crate::report::view::View;

/// Name and version of the form that a saved plan has.
const FORMAT: &str = "lagoa.saved-plan/1";
const FORMATS: &str = "lagoa.saved-plan/";
/// Bytes at the beginning of a file that tell what it is.
const BEGINNING: u64 = 100;
/// The member that holds the checksum of all others.
const CHECKSUM: &str = "checksum";
/// Changed resources that a refusal names.
const NAMED: usize = 10;

/// A plan in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    format: String,
    lagoa: String,
    made: Timestamp,
    stack: String,
    account: String,
    region: String,
    file: PathBuf,
    sandbox: bool,
    destroy: bool,
    variables: BTreeMap<String, String>,
    targets: Vec<String>,
    rotate: Vec<String>,
    seed_rerun: Vec<String>,
    seed_accept: Vec<String>,
    force_unprotect: bool,
    #[serde(default)]
    guardrails: Vec<PathBuf>,
    stack_digest: String,
    live_digests: BTreeMap<String, String>,
    /// For readers; see `lagoa plan --json`.
    plan: Value,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    checksum: String,
}

/// Whether the file is a saved plan of any version.
pub fn is_saved_plan(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && String::from_utf8_lossy(&beginning).contains(FORMATS)
}

impl SavedPlan {
    /// Writes a plan into a file.
    pub fn write(
        path: &Path,
        session: &Session,
        (stack, plan): (&StackArguments, &PlanArguments),
        live_digests: BTreeMap<String, String>,
        view: &View,
    ) -> Result<(), Failed> {
        if path.exists() && !is_saved_plan(path) {
            let message = format!("{} exists, and is no saved plan", path.display());
            return Err(Failed::helping(message, "choose another name"));
        }
        let inputs = stack.variables.inputs()?;
        let mut variables = inputs.var_files;
        variables.extend(inputs.vars);
        let saved = Self {
            format: FORMAT.to_owned(),
            lagoa: env!("CARGO_PKG_VERSION").to_owned(),
            made: Timestamp::now(),
            stack: session.stack.name.clone(),
            account: session.aws.site.account.clone(),
            region: session.aws.site.region.clone(),
            file: stack.file.clone(),
            sandbox: stack.sandbox,
            destroy: view.destroy,
            variables,
            targets: plan.targets.clone(),
            rotate: plan.rotate.clone(),
            seed_rerun: plan.seed_rerun.clone(),
            seed_accept: plan.seed_accept.clone(),
            force_unprotect: plan.force_unprotect,
            guardrails: plan.guardrails.clone(),
            stack_digest: digest::stack(&session.stack, &session.aws.site),
            live_digests,
            plan: json!(view),
            checksum: String::new(),
        };
        let mut whole = json!(saved);
        whole[CHECKSUM] = checksum(&whole).into();
        std::fs::write(path, json::text(&whole)).map_err(|error| {
            Failed::saying(format!("{} could not be written: {error}", path.display()))
        })
    }

    /// Reads a plan from a file, and refuses one that isn't as it was written.
    pub fn read(path: &Path) -> Result<Self, Failed> {
        let shown = path.display();
        let again = "make it again with `lagoa plan FILE --out PLAN`";
        let source = document::read(path, &shown.to_string())?;
        let damaged = || Failed::helping(format!("{shown} was changed or damaged"), again);
        let mut whole: Value = serde_json::from_str(&source.text).map_err(|_| damaged())?;
        let format = whole["format"].as_str().unwrap_or_default();
        if format != FORMAT {
            let message = format!("{shown} has the form {format}; this lagoa reads {FORMAT}");
            return Err(Failed::helping(message, again));
        }
        let expected = whole.as_object_mut().and_then(|members| members.remove(CHECKSUM));
        if expected.and_then(|sum| sum.as_str().map(str::to_owned)) != Some(checksum(&whole)) {
            return Err(damaged());
        }
        let saved: Self = serde_json::from_value(whole).map_err(|_| damaged())?;
        if saved.lagoa != env!("CARGO_PKG_VERSION") {
            let (made, this) = (&saved.lagoa, env!("CARGO_PKG_VERSION"));
            let message = format!("{shown} was made by lagoa {made}, and this is {this}");
            return Err(Failed::helping(message, again));
        }
        Ok(saved)
    }

    /// The stack that it is for.
    pub fn stack_arguments(&self) -> StackArguments {
        StackArguments {
            file: self.file.clone(),
            variables: Variables {
                vars: self.variables.clone().into_iter().collect(),
                files: Vec::new(),
            },
            sandbox: self.sandbox,
        }
    }

    /// What the person asked for beyond the stack.
    pub fn plan_arguments(&self, json: bool) -> PlanArguments {
        PlanArguments {
            targets: self.targets.clone(),
            rotate: self.rotate.clone(),
            seed_rerun: self.seed_rerun.clone(),
            seed_accept: self.seed_accept.clone(),
            force_unprotect: self.force_unprotect,
            guardrails: self.guardrails.clone(),
            json,
        }
    }

    /// What was shown, in the form of `lagoa plan --json`.
    pub fn shown(&self) -> &Value {
        &self.plan
    }

    /// It is for some of the stack's resources only, or takes them down.
    pub fn is_partial(&self) -> bool {
        !self.targets.is_empty() || self.destroy
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        if self.destroy { Purpose::Destroy } else { Purpose::Match }
    }

    /// Refuses when the account or the stack isn't what it was made for.
    pub fn check_stack(&self, session: &Session) -> Result<(), Failed> {
        let site = &session.aws.site;
        if (&self.account, &self.region) != (&site.account, &site.region) {
            return Err(Failed::saying(format!(
                "the plan was made for account {} in {}, but this is {} in {}",
                self.account, self.region, site.account, site.region
            )));
        }
        if self.stack_digest != digest::stack(&session.stack, site) {
            let file = self.file.display();
            return Err(self.stale(&format!(
                "{file}, its variables or a file that it names is not as it was"
            )));
        }
        Ok(())
    }

    /// Refuses when AWS isn't as it was when the plan was made.
    pub fn check_live(&self, now: &BTreeMap<String, String>) -> Result<(), Failed> {
        let names: BTreeSet<&String> = self.live_digests.keys().chain(now.keys()).collect();
        let changed = names.into_iter().filter_map(|name| {
            match (self.live_digests.get(name), now.get(name)) {
                (then, now) if then == now => None,
                (Some(_), None) => Some(format!("{name} is gone")),
                (None, _) => Some(format!("{name} exists now")),
                _ => Some(format!("{name} has changed")),
            }
        });
        let changed: Vec<String> = changed.collect();
        if changed.is_empty() {
            return Ok(());
        }
        let mut words = changed[..changed.len().min(NAMED)].join(", ");
        if changed.len() > NAMED {
            words.push_str(&format!(" and {} more", changed.len() - NAMED));
        }
        Err(self.stale(&words))
    }

    fn stale(&self, what: &str) -> Failed {
        Failed::helping(
            format!("changed since the plan of {}: {what}", second(self.made)),
            "nothing was done; make the plan again with `lagoa plan FILE --out PLAN`, and look at it",
        )
    }
}

fn checksum(whole: &Value) -> String {
    let mut members = whole.clone();
    if let Some(members) = members.as_object_mut() {
        members.remove(CHECKSUM);
    }
    digest::of(members.to_string().as_bytes())
}
