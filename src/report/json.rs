//! The plan and the outcome of a run for machines.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::summary::{Ending, Summary};
use super::view::View;

/// Name and version of the form that a run's outcome has.
pub const APPLIED: &str = "lagoa.apply/1";

/// Any value as indented JSON with a line end.
pub fn text(value: &impl Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => format!("{text}\n"),
        // Values made of strings, numbers and maps with string keys always can be written.
        Err(error) => format!("{}\n", json!({ "error": error.to_string() })),
    }
}

/// What was planned, and what became of it.
pub fn applied(view: &View, summary: &Summary) -> String {
    let steps: Vec<Value> = summary.steps.iter().map(|step| {
        let mut out = json!({ "key": step.key, "kind": step.kind, "name": step.name, "action": step.action });
        match &step.ending {
            Ending::Done => out["result"] = "done".into(),
            Ending::Failed(trouble) => {
                out["result"] = "failed".into();
                out["error"] = json!(trouble);
            }
            Ending::Unfinished(why) => {
                out["result"] = "unfinished".into();
                out["why"] = why.clone().into();
            }
            Ending::Unread => out["result"] = "unread".into(),
            Ending::NotStarted(because) => {
                out["result"] = "not_started".into();
                out["because"] = json!(because);
            }
        }
        out
    }).collect();
    let outputs: Map<String, Value> = summary.outputs.iter().cloned().collect();
    text(&json!({
        "format": APPLIED,
        "plan": view,
        "interrupted": summary.interrupted,
        "steps": steps,
        "outputs": outputs,
    }))
}
