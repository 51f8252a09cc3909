//! The least-privilege IAM policy of a stack, worked out from what its kinds say that they need,
//! without asking AWS.

mod engine;
mod paper;
mod statement;
mod template;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::graph::Graph;
use crate::kind::{Access, Grant, OnDestroy, Site};
use crate::kinds;
use crate::plan;
use crate::reference::Reference;
use crate::stack::{Resource, Stack};
pub use paper::{LIMIT, MOST, Paper};
pub use statement::{Condition, Statement, matches};
use template::Filler;

/// What the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading only.
    Plan,
    /// Making AWS match, which deletes what is replaced and what left the stack.
    Apply,
    /// Taking down what the stack owns.
    Destroy,
}

impl Purpose {
    /// What a kind needs for it. A resource that `stays` is never deleted.
    fn of(self, access: &Access, stays: bool) -> Vec<&'static [Grant]> {
        let mut grants = vec![access.sweep, access.read];
        if self == Self::Apply {
            grants.push(access.write);
        }
        if self != Self::Plan && !stays {
            grants.push(access.delete);
        }
        grants
    }
}

/// Where the stack will live, as far as that is known: `*` stands for the rest.
pub fn site(stack: &Stack, account: Option<&str>, region: Option<&str>) -> Site {
    let region = region.or(stack.region.as_deref()).unwrap_or("*");
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    Site {
        partition: partition.to_owned(),
        account: account.unwrap_or("*").to_owned(),
        region: region.to_owned(),
        stack: stack.name.clone(),
    }
}

/// Everything that has to be allowed, as few statements in a fixed order. `stack` is settled in
/// `site`.
pub fn statements(stack: &Stack, graph: &Graph, site: &Site, purpose: Purpose) -> Vec<Statement> {
    let facts = plan::facts(stack, graph, &BTreeMap::new(), site);
    let mut all = engine::statements(stack, site, purpose);
    for kind in kinds::all() {
        let filler = Filler::without_resource(site);
        all.extend(kind.facts().access.sweep.iter().filter_map(|grant| filler.fill(grant)));
    }
    let known =
        |one: &Reference| plan::answer(one, &facts, site).or_else(|| foreseen(one, stack, site));
    for resource in &stack.resources {
        let desired = plan::desired(resource, &known, site, &stack.root);
        all.extend(of(resource, &desired, site, purpose));
    }
    statement::merged(all)
}

/// What AWS will make up, as far as the kind can foresee it.
fn foreseen(reference: &Reference, stack: &Stack, site: &Site) -> Option<Value> {
    let resource = stack.resource(&reference.key)?;
    let all = resource.kind.facts().access.foreseen;
    let (_, template) = all.iter().find(|(field, _)| *field == reference.field)?;
    let filler = Filler::new(resource, &resource.fields, site);
    filler.arns(template).into_iter().next().map(Value::from)
}

/// The documents of several stacks' statements, each within IAM's limit.
pub fn paper(statements: Vec<Statement>) -> Paper {
    paper::write(statement::merged(statements))
}

fn of(resource: &Resource, desired: &Value, site: &Site, purpose: Purpose) -> Vec<Statement> {
    let facts = resource.kind.facts();
    // What is kept unless the stack says otherwise may still have to be replaced.
    let by_default = facts.on_destroy_default.filter(|_| purpose == Purpose::Destroy);
    let word = resource.on_destroy.or(by_default);
    let stays = resource.protect || word == Some(OnDestroy::Retain);
    let filler = Filler::new(resource, desired, site);
    let mut statements = Vec::new();
    for grant in purpose.of(&facts.access, stays).into_iter().flatten() {
        statements.extend(filler.fill(grant));
    }
    // A plan asks the ledger of a database that the stack doesn't own.
    if purpose == Purpose::Apply || facts.seed {
        statements.extend(engine::secrets(resource.kind.schema(), desired, site));
    }
    statements
}
