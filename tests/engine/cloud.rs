//! A kind that lives in memory, in a cloud that behaves as badly as AWS can: slow, forgetful,
//! stale, throttled, full of defaults of its own, and strict about what still uses what.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use lagoa::aws::{Aws, Class, Error};
use lagoa::kind::{
    AnyKind, Cx, Facts, Farewell, Live, Neighbours, OnDestroy, Owner, Phase, Site, Takes, Wanted,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// What happens to a verb before the cloud looks at it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused.
    Refuse(Class),
    /// It is done, and its answer is lost.
    Lose,
}

/// How the cloud treats the thing of one name.
#[derive(Clone, Debug, Default)]
pub struct Nature {
    /// How long each verb takes.
    pub slow: Duration,
    /// How long it is `creating`.
    pub pending: Duration,
    /// How long reads don't show that it was made.
    pub hidden: Duration,
    /// How long reads miss it again, a second after they have shown that it was made.
    pub blinks: Duration,
    /// How long reads show it as it was before an update.
    pub stale: Duration,
    /// How long it is `deleting`.
    pub leaving: Duration,
    /// What it comes up with whatever the create said.
    pub comes_with: BTreeMap<&'static str, Value>,
    /// Fields that updates leave as they are without a word.
    pub keeps: Vec<&'static str>,
    /// Faults of each verb, the first first.
    pub faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// It ends as `failed`.
    pub dies: bool,
    /// Deleting it takes it off whatever links to it, instead of being refused.
    pub detaches: bool,
}

struct Thing {
    fields: Value,
    before: Option<(Value, Instant)>,
    visible: Instant,
    blinks: Range<Instant>,
    ready: Instant,
    leaving: Option<Instant>,
    dies: bool,
}

/// What the cloud has, and what it was asked.
#[derive(Default)]
pub struct Cloud {
    things: BTreeMap<String, Thing>,
    pub natures: BTreeMap<String, Nature>,
    /// `verb name`, in the order of arrival.
    pub calls: Vec<String>,
    /// How many names each read asked for.
    pub reads: Vec<usize>,
    busy: usize,
    /// The most verbs at one time.
    pub busiest: usize,
    made: usize,
}

/// The kind.
pub struct Toy {
    name: &'static str,
    schema: Value,
    pub cloud: RefCell<Cloud>,
}

impl Toy {
    /// A kind of that name with a cloud of its own. It lives as long as the process.
    pub fn new(name: &'static str) -> &'static Self {
        let schema = json!({ "type": "object", "properties": {
            "size": { "type": "integer" },
            "colour": { "type": ["string", "null"] },
            "zone": { "type": ["string", "null"], "createOnly": true },
            "link": { "anyOf": [
                { "type": "string", "x-refers": { "kind": name, "field": "arn" } },
                { "type": "null" } ] },
            "home": { "anyOf": [
                { "type": "string", "createOnly": true,
                  "x-refers": { "kind": name, "field": "arn" } },
                { "type": "null" } ] },
            "tags": { "type": "object", "additionalProperties": { "type": "string" }, "x-tags": true },
            "arn": { "type": "string", "readOnly": true },
        } });
        Box::leak(Box::new(Self { name, schema, cloud: RefCell::default() }))
    }

    /// How the thing of that name is treated.
    pub fn nature(&self, name: &str, nature: Nature) {
        self.cloud.borrow_mut().natures.insert(name.to_owned(), nature);
    }

    /// Puts a thing there behind the engine's back.
    pub fn put(&self, name: &str, fields: Value) {
        let mut cloud = self.cloud.borrow_mut();
        cloud.made += 1;
        let arn = format!("arn:{name}:{}", cloud.made);
        let mut all = json!({ "size": 1, "colour": "grey", "tags": {}, "arn": arn });
        for (key, value) in fields.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        let now = Instant::now();
        let thing = Thing {
            fields: all,
            before: None,
            visible: now,
            blinks: now..now,
            ready: now,
            leaving: None,
            dies: false,
        };
        cloud.things.insert(name.to_owned(), thing);
    }

    /// Takes a thing away behind the engine's back.
    pub fn take(&self, name: &str) {
        self.cloud.borrow_mut().things.remove(name);
    }

    /// The fields of a thing that is there, as they truly are.
    pub fn has(&self, name: &str) -> Option<Value> {
        let cloud = self.cloud.borrow();
        let thing = cloud.things.get(name)?;
        thing.leaving.is_none_or(|gone| gone > Instant::now()).then(|| thing.fields.clone())
    }

    /// Names of everything that is there.
    pub fn names(&self) -> Vec<String> {
        let names: Vec<String> = self.cloud.borrow().things.keys().cloned().collect();
        names.into_iter().filter(|name| self.has(name).is_some()).collect()
    }

    /// The calls of a verb, as `verb name`.
    pub fn calls(&self, verb: &str) -> Vec<String> {
        let calls = &self.cloud.borrow().calls;
        calls.iter().filter(|call| call.starts_with(verb)).cloned().collect()
    }

    fn nature_of(&self, name: &str) -> Nature {
        self.cloud.borrow().natures.get(name).cloned().unwrap_or_default()
    }

    /// What every verb goes through: the log, the time it takes, the faults.
    async fn verb(&self, verb: &'static str, name: &str) -> Result<bool, Error> {
        let fault = {
            let mut cloud = self.cloud.borrow_mut();
            cloud.calls.push(format!("{verb} {name}"));
            cloud.busy += 1;
            cloud.busiest = cloud.busiest.max(cloud.busy);
            let faults = cloud.natures.get_mut(name).and_then(|one| one.faults.get_mut(verb));
            faults.and_then(VecDeque::pop_front)
        };
        sleep(self.nature_of(name).slow).await;
        self.cloud.borrow_mut().busy -= 1;
        match fault {
            Some(Fault::Refuse(class)) => Err(Error::new(class, format!("{verb} refused"))),
            Some(Fault::Lose) => Ok(true),
            None => Ok(false),
        }
    }

    fn make(&self, name: &str, desired: &Value) -> Result<(), Error> {
        let nature = self.nature_of(name);
        let now = Instant::now();
        let mut cloud = self.cloud.borrow_mut();
        cloud.sweep();
        if cloud.things.contains_key(name) {
            return Err(Error::new(Class::Already, format!("there is a {name}")));
        }
        for field in ["link", "home"] {
            if let Some(arn) = desired[field].as_str() {
                cloud.is_there(arn)?;
            }
        }
        cloud.made += 1;
        let mut fields = desired.clone();
        fields["arn"] = format!("arn:{name}:{}", cloud.made).into();
        if fields["colour"].is_null() {
            fields["colour"] = "grey".into();
        }
        for (field, value) in &nature.comes_with {
            fields[*field] = value.clone();
        }
        let shown = now + nature.hidden + Duration::from_secs(1);
        let thing = Thing {
            fields,
            before: None,
            visible: now + nature.hidden,
            blinks: shown..shown + nature.blinks,
            ready: now + nature.pending,
            leaving: None,
            dies: nature.dies,
        };
        cloud.things.insert(name.to_owned(), thing);
        Ok(())
    }

    fn change(&self, name: &str, desired: &Value) -> Result<(), Error> {
        let nature = self.nature_of(name);
        let now = Instant::now();
        let mut cloud = self.cloud.borrow_mut();
        if let Some(arn) = desired["link"].as_str() {
            cloud.is_there(arn)?;
        }
        let Some(thing) = cloud.things.get_mut(name).filter(|one| one.visible <= now) else {
            return Err(Error::new(Class::Gone, format!("there is no {name}")));
        };
        if thing.ready > now {
            return Err(Error::new(Class::Busy, format!("{name} is being created")));
        }
        let before = thing.fields.clone();
        for field in ["size", "colour", "link", "tags"] {
            if !desired[field].is_null() && !nature.keeps.contains(&field) {
                thing.fields[field] = desired[field].clone();
            }
        }
        if !nature.stale.is_zero() {
            thing.before = Some((before, now + nature.stale));
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let nature = self.nature_of(name);
        let now = Instant::now();
        let mut cloud = self.cloud.borrow_mut();
        cloud.sweep();
        let Some(thing) = cloud.things.get(name) else { return Ok(()) };
        let arn = thing.fields["arn"].clone();
        if nature.detaches {
            let users = cloud.things.values_mut().filter(|thing| thing.fields["link"] == arn);
            users.for_each(|thing| thing.fields["link"] = Value::Null);
        }
        let user = cloud.things.iter().find(|(other, thing)| {
            *other != name && (thing.fields["link"] == arn || thing.fields["home"] == arn)
        });
        if let Some((user, _)) = user {
            return Err(Error::new(Class::Dependency, format!("{user} uses {name}")));
        }
        match cloud.things.get_mut(name) {
            Some(thing) if !nature.leaving.is_zero() => thing.leaving = Some(now + nature.leaving),
            _ => _ = cloud.things.remove(name),
        }
        Ok(())
    }
}

impl Cloud {
    /// What has been leaving long enough is gone.
    fn sweep(&mut self) {
        let now = Instant::now();
        self.things.retain(|_, thing| thing.leaving.is_none_or(|gone| gone > now));
    }

    fn is_there(&self, arn: &str) -> Result<(), Error> {
        match self.things.values().any(|thing| thing.fields["arn"] == arn) {
            true => Ok(()),
            false => Err(Error::new(Class::Terminal, format!("{arn} doesn't exist"))),
        }
    }

    fn seen(&self, name: &str) -> Option<Live> {
        let now = Instant::now();
        let thing = self.things.get(name).filter(|thing| thing.visible <= now)?;
        if thing.blinks.contains(&now) {
            return None;
        }
        let fields = match &thing.before {
            Some((before, until)) if *until > now => before.clone(),
            _ => thing.fields.clone(),
        };
        let phase = match thing.leaving {
            Some(_) => Phase::Pending("deleting".to_owned()),
            None if thing.ready > now => Phase::Pending("creating".to_owned()),
            None if thing.dies => Phase::Failed("broken".to_owned()),
            None => Phase::Ready,
        };
        let tag = |key: &str| fields["tags"][key].as_str().map(str::to_owned);
        let owner = tag("lagoa:stack").map(|stack| Owner { stack, key: tag("lagoa:name") });
        Some(Live { name: name.to_owned(), fields, phase, owner })
    }
}

type Answer<'a, T> = LocalBoxFuture<'a, Result<T, Error>>;

impl AnyKind for Toy {
    fn facts(&self) -> Facts {
        Facts {
            access: lagoa::kind::Access::NONE,
            name: self.name,
            example: "",
            name_pattern: "",
            holds: None,
            on_destroy: &[OnDestroy::Delete, OnDestroy::Retain],
            on_destroy_default: Some(OnDestroy::Delete),
            within: None,
            serves: None,
            kept_while_used: false,
            reads_after_references: false,
            takes: Takes::MOMENT,
            seed: false,
        }
    }

    fn schema(&self) -> &Value {
        &self.schema
    }

    fn canonical_name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn read<'a>(&'a self, _aws: &'a Aws, wanted: Vec<Wanted<Value>>) -> Answer<'a, Vec<Live>> {
        Box::pin(async move {
            let fault = {
                let mut cloud = self.cloud.borrow_mut();
                cloud.sweep();
                cloud.reads.push(wanted.len());
                wanted.iter().find_map(|one| {
                    cloud.natures.get_mut(&one.name)?.faults.get_mut("read")?.pop_front()
                })
            };
            sleep(Duration::from_millis(5)).await;
            if let Some(Fault::Refuse(class)) = fault {
                return Err(Error::new(class, "read refused"));
            }
            let cloud = self.cloud.borrow();
            Ok(wanted.iter().filter_map(|one| cloud.seen(&one.name)).collect())
        })
    }

    fn owned<'a>(&'a self, _aws: &'a Aws) -> Answer<'a, Vec<String>> {
        Box::pin(async move { Ok(self.cloud.borrow().things.keys().cloned().collect()) })
    }

    fn names<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>> {
        self.owned(aws)
    }

    fn create<'a>(&'a self, desired: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let lost = self.verb("create", cx.name).await?;
            self.make(cx.name, desired)?;
            if lost { Err(Error::new(Class::Transient, "no answer")) } else { Ok(()) }
        })
    }

    fn update<'a>(&'a self, desired: &'a Value, _: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let lost = self.verb("update", cx.name).await?;
            self.change(cx.name, desired)?;
            if lost { Err(Error::new(Class::Transient, "no answer")) } else { Ok(()) }
        })
    }

    fn delete<'a>(&'a self, _: &'a Value, _: &'a Farewell, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let lost = self.verb("delete", cx.name).await?;
            self.remove(cx.name)?;
            if lost { Err(Error::new(Class::Transient, "no answer")) } else { Ok(()) }
        })
    }

    fn data<'a>(&'a self, _: &'a Value, _: &'a Cx<'a>) -> Answer<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    fn complete(&self, fields: &Value) -> Result<Value, Error> {
        Ok(fields.clone())
    }

    fn accept(&self, desired: &Value, _live: &Value) -> Result<Value, Error> {
        Ok(desired.clone())
    }

    fn predict(&self, desired: &Value, _: &str, _: &Site, _: &Path) -> Result<Value, Error> {
        Ok(desired.clone())
    }

    fn written(&self, live: &Value, _name: &str, _site: &Site) -> Result<Value, Error> {
        Ok(live.clone())
    }

    fn replace_because(&self, _desired: &Value, _live: &Value) -> Option<String> {
        None
    }

    fn check(&self, _desired: &Value, _root: &Path) -> Vec<(String, String)> {
        Vec::new()
    }

    fn warn(&self, _: &Value, _: &Neighbours<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn summary(&self, _: &Value, _: Option<&Value>, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn undecided(&self, _desired: &Value, _live: &Value, _root: &Path) -> Option<String> {
        None
    }

    fn protected(&self, _live: &Value) -> Option<String> {
        None
    }
}
