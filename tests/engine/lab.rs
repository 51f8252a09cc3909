//! A stack of toys, and the way from it to a plan and a run.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use lagoa::aws::{Aws, Orders};
use lagoa::diagnostic::{Place, Source};
use lagoa::execution::{Event, Failure, Outcome, Stop, execute};
use lagoa::graph::Graph;
use lagoa::kind::{AnyKind, Site};
use lagoa::live::{Query, Survey, World, survey};
use lagoa::plan::{Options, Plan, destroy, plan};
use lagoa::reference::{Reference, references};
use lagoa::stack::{Resource, Stack};
use serde_json::{Value, json};

use crate::cloud::Toy;

/// The stack's name.
pub const STACK: &str = "lab";

pub struct Lab {
    pub toy: &'static Toy,
    aws: Aws,
    wants: BTreeMap<String, Value>,
    order: Vec<String>,
}

/// A run, told in short: `started a`, `done a`, `failed a`, `skipped b: a`.
pub struct Ran {
    pub plan: Plan,
    pub outcome: Outcome,
    pub told: Vec<String>,
}

impl Lab {
    pub fn new() -> Self {
        let site = Site {
            partition: "aws".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            stack: STACK.to_owned(),
        };
        let aws = Aws::offline(site, PathBuf::from("."), Orders::default());
        Self { toy: Toy::new("toy"), aws, wants: BTreeMap::new(), order: Vec::new() }
    }

    /// Wants a toy; `link: b` and `home: b` refer to the toy `b`.
    pub fn want(&mut self, key: &str, mut fields: Value) -> &mut Self {
        for field in ["link", "home"] {
            if let Some(to) = fields[field].as_str() {
                let reference = Reference { key: to.to_owned(), field: "arn".to_owned() };
                fields[field] = reference.mark().into();
            }
        }
        if fields["size"].is_null() {
            fields["size"] = 1.into();
        }
        fields["tags"] = json!({ "lagoa:stack": STACK, "lagoa:name": key });
        if self.wants.insert(key.to_owned(), fields).is_none() {
            self.order.push(key.to_owned());
        }
        self
    }

    /// Takes a toy out of the stack.
    pub fn drop(&mut self, key: &str) -> &mut Self {
        self.wants.remove(key);
        self.order.retain(|one| one != key);
        self
    }

    fn stack(&self) -> (Stack, Graph) {
        let place = Place::new(&Source::new("lab.yaml", ""), 0..0);
        let resources = self.order.iter().map(|key| Resource {
            key: key.clone(),
            name: key.clone(),
            kind: self.toy as &'static dyn AnyKind,
            fields: self.wants[key].clone(),
            depends_on: Vec::new(),
            protect: false,
            on_destroy: None,
            adopt: false,
            ignore: Vec::new(),
            place: place.clone(),
            places: BTreeMap::new(),
            skips: Default::default(),
            written: Value::Null,
        });
        let stack = Stack {
            name: STACK.to_owned(),
            region: None,
            root: PathBuf::from("."),
            resources: resources.collect(),
            outputs: Vec::new(),
            warnings: Vec::new(),
            findings: Vec::new(),
        };
        let needs =
            |key: &String| references(&self.wants[key]).into_iter().map(|r| r.key).collect();
        let edges: Vec<(String, Vec<String>)> =
            self.order.iter().map(|key| (key.clone(), needs(key))).collect();
        (stack, Graph::new(&edges).expect("no ring"))
    }

    async fn world(&self) -> World {
        let kind = self.toy as &'static dyn AnyKind;
        let query = |key: &String| Query {
            key: key.clone(),
            kind,
            name: key.clone(),
            desired: self.wants[key].clone(),
        };
        let wanted = Survey {
            first: self.order.iter().map(query).collect(),
            then: &|_| Vec::new(),
            sweep: vec![kind],
            known: self.order.iter().map(|key| ("toy".to_owned(), key.clone())).collect(),
        };
        survey(&self.aws, wanted).await.map_err(|error| error.error).expect("the cloud can be read")
    }

    /// What would be done.
    pub async fn plan(&self) -> Plan {
        let (stack, graph) = self.stack();
        plan(&stack, &graph, &self.world().await, &self.aws.site, &Options::default())
    }

    /// What would be deleted.
    pub async fn plan_destroy(&self) -> Plan {
        self.plan_destroy_with(&Options::default()).await
    }

    /// What would be deleted with these options.
    pub async fn plan_destroy_with(&self, options: &Options) -> Plan {
        let (stack, graph) = self.stack();
        destroy(&stack, &graph, &self.world().await, &self.aws.site, options)
    }

    /// Plans and carries out.
    pub async fn apply(&self) -> Ran {
        self.run(self.plan().await, 100, &Stop::default()).await
    }

    /// Carries out a plan.
    pub async fn run(&self, plan: Plan, parallelism: usize, stop: &Stop) -> Ran {
        self.run_watched(plan, parallelism, stop, &|_| ()).await
    }

    /// Carries out a plan, and lets somebody watch.
    pub async fn run_watched(
        &self,
        plan: Plan,
        parallelism: usize,
        stop: &Stop,
        watch: &dyn Fn(&str),
    ) -> Ran {
        let told = RefCell::new(Vec::new());
        let name = |id: usize| plan.steps[id].key.clone();
        let tell = |event: Event| {
            let line = match event {
                Event::Started(id) => format!("started {}", name(id)),
                Event::Done(id, _) => format!("done {}", name(id)),
                Event::Failed(id, _) => format!("failed {}", name(id)),
                Event::Unfinished(id, _) => format!("unfinished {}", name(id)),
                Event::Skipped(id, Some(why)) => format!("skipped {}: {}", name(id), name(why)),
                Event::Skipped(id, None) => format!("skipped {}", name(id)),
                Event::Status(..) => return,
            };
            watch(&line);
            told.borrow_mut().push(line);
        };
        let outcome = execute(&self.aws, &plan, parallelism, stop, &tell).await;
        Ran { outcome, told: told.into_inner(), plan }
    }

    /// Carries out what is planned, and is killed after that time.
    pub async fn apply_killed_after(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.apply()).await.is_err()
    }

    /// Nothing is left to do.
    #[track_caller]
    pub fn is_settled(plan: &Plan) {
        assert!(plan.steps.is_empty(), "the plan isn't empty: {:?}", steps(plan));
    }
}

/// The steps of a plan, as `action key`.
pub fn steps(plan: &Plan) -> Vec<String> {
    let word = |step: &lagoa::plan::Step| format!("{:?} {}", step.action, step.key).to_lowercase();
    plan.steps.iter().map(word).collect()
}

impl Ran {
    /// Everything that was planned is done.
    #[track_caller]
    pub fn complete(self) -> Self {
        assert!(self.outcome.is_complete(), "{:?}\n{:?}", self.told, self.outcome.failed);
        self
    }

    /// Keys of the steps that were skipped.
    pub fn skipped(&self) -> BTreeSet<&str> {
        self.outcome.skipped.iter().map(|id| self.plan.steps[*id].key.as_str()).collect()
    }

    /// Keys of the steps that are done.
    pub fn done(&self) -> BTreeSet<&str> {
        self.outcome.done.iter().map(|id| self.plan.steps[*id].key.as_str()).collect()
    }

    /// Why the only step that failed did.
    #[track_caller]
    pub fn failure(&self) -> String {
        let failed: Vec<_> = self.outcome.failed.iter().collect();
        let [(id, failure)] = failed.as_slice() else { panic!("not one failed: {failed:?}") };
        let key = &self.plan.steps[**id].key;
        match failure {
            Failure::Blocked => format!("{key}: blocked"),
            Failure::Changed(what) => format!("{key}: changed: {what}"),
            Failure::Aws(error) => format!("{key}: {error}"),
            Failure::Unread => format!("{key}: unread"),
            Failure::Stopped(what) => format!("{key}: stopped while waiting for {what}"),
        }
    }

    /// What the only step that failed says to do.
    pub fn hint(&self) -> String {
        let failures = self.outcome.failed.values().filter_map(|failure| match failure {
            Failure::Aws(error) => error.hint.clone(),
            _ => None,
        });
        failures.collect()
    }
}
