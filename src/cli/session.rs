//! The path that all commands share: from the file to the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::arguments::{PlanArguments, StackArguments, Variables};
use super::failed::Failed;
use super::masks;
use super::offline::Offline;
use crate::aws::{Aws, Orders, Unconnected, default_network};
use crate::diagnostic::Problem;
use crate::document;
use crate::graph::Graph;
use crate::kind::AnyKind;
use crate::kinds;
use crate::live::{self, Query, Survey, World};
use crate::plan::{self, Facts, Options, Plan, answer};
use crate::report::problems;
use crate::report::terminal::Terminal;
use crate::stack::{self, Resource, Stack};

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// AWS is to match the stack.
    Match,
    /// Nothing of the stack is to be left.
    Destroy,
}

/// Reads and checks a stack file; needs no AWS.
pub fn load(file: &Path, variables: &Variables) -> Result<(Stack, Graph), Failed> {
    let inputs = variables.inputs()?;
    let source = document::read(file, &file.display().to_string())?;
    let mut problems = Vec::new();
    let document = document::outline(&source, &mut problems);
    let checked = document.map(|document| stack::check(&document, &stack::root(file), &inputs));
    match checked {
        Some(Ok(checked)) if problems.is_empty() => return Ok(checked),
        Some(Err(more)) => problems.extend(more),
        _ => {}
    }
    Err(problems.into())
}

/// A checked stack and the account it lives in.
pub struct Session {
    /// What is wanted.
    pub stack: Stack,
    /// In which order.
    pub graph: Graph,
    /// The way to AWS.
    pub aws: Aws,
    /// The stack file as the person named it.
    pub file: String,
    /// AWS isn't asked, for this reason.
    pub offline: Option<Offline>,
}

/// Why there is no session.
#[derive(Debug)]
pub enum Unopened {
    /// There are no credentials.
    Nobody(Failed),
    /// Anything else.
    Failed(Failed),
}

impl From<Unopened> for Failed {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Nobody(failed) | Unopened::Failed(failed) => failed,
        }
    }
}

impl Session {
    /// Reads the stack and connects.
    pub async fn open(arguments: &StackArguments, plan: &PlanArguments) -> Result<Self, Failed> {
        Ok(Self::try_open(arguments, plan).await?)
    }

    /// As [`open`](Self::open), telling a lack of credentials apart.
    pub async fn try_open(
        arguments: &StackArguments,
        plan: &PlanArguments,
    ) -> Result<Self, Unopened> {
        masks::own_credentials();
        let loaded = load(&arguments.file, &arguments.variables).map_err(Unopened::Failed)?;
        masks::of_stack(&loaded.0);
        known_keys(&loaded.0, plan.keys().into_iter()).map_err(Unopened::Failed)?;
        Self::connect(loaded, &arguments.file, plan.orders()).await
    }

    /// Reads the stack, for a plan against an account that has nothing.
    pub fn apart(
        arguments: &StackArguments,
        plan: &PlanArguments,
        offline: Offline,
    ) -> Result<Self, Failed> {
        masks::own_credentials();
        let (mut stack, graph) = load(&arguments.file, &arguments.variables)?;
        masks::of_stack(&stack);
        known_keys(&stack, plan.keys().into_iter())?;
        let site = offline.site(&stack);
        stack.settle(&site);
        let aws = Aws::offline(site, stack.root.clone(), plan.orders());
        let file = arguments.file.display().to_string();
        Ok(Self { stack, graph, aws, file, offline: Some(offline) })
    }

    /// Tells what the stack's kinds have to say about it.
    pub fn warn(&self, terminal: Terminal) {
        if !self.stack.warnings.is_empty() {
            terminal.err(&problems::render(&self.stack.warnings, terminal.err.colour));
        }
    }

    async fn connect(
        (mut stack, graph): (Stack, Graph),
        file: &Path,
        orders: Orders,
    ) -> Result<Self, Unopened> {
        let connected =
            Aws::connect(&stack.name, stack.region.as_deref(), stack.root.clone(), orders).await;
        let aws = connected.map_err(|unconnected| match unconnected {
            Unconnected::Nobody(error) => Unopened::Nobody(error.into()),
            Unconnected::Refused(error) => Unopened::Failed(error.into()),
        })?;
        tracing::info!(account = aws.site.account, region = aws.site.region, "connected");
        stack.settle(&aws.site);
        let asked = stack.look_ups();
        if !asked.is_empty() {
            let answers = default_network::look_up(&aws, &asked).await;
            stack.answer(&answers.map_err(|error| Unopened::Failed(error.into()))?);
        }
        Ok(Self { stack, graph, aws, file: file.display().to_string(), offline: None })
    }

    /// Reads what AWS has of the stack; with `chosen` only of these keys, and no orphans. Kinds
    /// whose service is out are left out, and named.
    pub async fn survey(&self, chosen: Option<&BTreeSet<String>>) -> Result<World, Failed> {
        if self.offline.is_some() {
            return Ok(World::default());
        }
        let wanted =
            |resource: &&Resource| chosen.is_none_or(|chosen| chosen.contains(&resource.key));
        let later = |resource: &Resource| resource.kind.facts().reads_after_references;
        let resources: Vec<&Resource> = self.stack.resources.iter().filter(wanted).collect();
        let nothing = BTreeMap::new();
        let first = resources.iter().filter(|one| !later(one)).map(|one| self.query(one, &nothing));
        let then = |world: &World| -> Vec<Query> {
            let facts = plan::facts(&self.stack, &self.graph, &world.resources, &self.aws.site);
            let readable = resources.iter().filter(|one| {
                later(one) && plan::hidden(one, &self.stack, &self.graph, world).is_none()
            });
            readable.map(|one| self.query(one, &facts)).collect()
        };
        let known = self.stack.resources.iter();
        let known = known.map(|one| (one.kind.facts().name.to_owned(), one.name.clone()));
        let sweep: Vec<&'static dyn AnyKind> = match chosen {
            None => kinds::all().iter().copied().filter(|kind| !kind.facts().seed).collect(),
            Some(_) => Vec::new(),
        };
        let survey = Survey { first: first.collect(), then: &then, sweep, known: known.collect() };
        Ok(live::survey(&self.aws, survey).await?)
    }

    /// Reads AWS, all of it, and works out what is to be done.
    pub async fn plan(&self, purpose: Purpose, options: &Options) -> Result<Plan, Failed> {
        let (plan, world) = self.plan_and_world(purpose, options).await?;
        world.whole()?;
        Ok(plan)
    }

    /// The plan, and what AWS had when it was made, as far as it could be read.
    pub async fn plan_and_world(
        &self,
        purpose: Purpose,
        options: &Options,
    ) -> Result<(Plan, World), Failed> {
        let chosen = (!options.targets.is_empty()).then(|| match purpose {
            Purpose::Match => self.graph.with_needs(&options.targets),
            Purpose::Destroy => self.graph.with_dependents(&options.targets),
        });
        let mut world = self.survey(chosen.as_ref()).await?;
        let planned = |world: &World| match purpose {
            Purpose::Match => plan::plan(&self.stack, &self.graph, world, &self.aws.site, options),
            Purpose::Destroy => {
                plan::destroy(&self.stack, &self.graph, world, &self.aws.site, options)
            }
        };
        let plan = planned(&world);
        let at_risk = plan.at_risk();
        if at_risk.is_empty() {
            return Ok((plan, world));
        }
        world.losses = live::losses(&self.aws, &at_risk).await?;
        Ok((planned(&world), world))
    }

    fn query(&self, resource: &Resource, facts: &BTreeMap<String, Facts>) -> Query {
        Query {
            key: resource.key.clone(),
            kind: resource.kind,
            name: resource.name.clone(),
            desired: self.desired(resource, facts),
        }
    }

    fn desired(&self, resource: &Resource, facts: &BTreeMap<String, Facts>) -> Value {
        let site = &self.aws.site;
        plan::desired(resource, &|one| answer(one, facts, site), site, &self.stack.root)
    }
}

/// Refuses keys on the command line that the stack doesn't have.
pub fn known_keys<'a>(stack: &Stack, keys: impl Iterator<Item = &'a str>) -> Result<(), Failed> {
    let unknown = keys.filter(|key| stack.resource(key).is_none()).map(|key| {
        let problem = Problem::error(format!("the stack {} has no resource `{key}`", stack.name));
        problem.did_you_mean(key, stack.resources.iter().map(|resource| resource.key.as_str()))
    });
    let unknown: Vec<Problem> = unknown.collect();
    if unknown.is_empty() { Ok(()) } else { Err(unknown.into()) }
}
