//! The loop that every create and update goes through, and the one for deletes.
//!
//! Read; create if absent; read until ready; diff; update; read; the diff must be empty.
//! Whatever happens in between, killed or not, the next run starts at the top and ends here.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Failure, Run};
use crate::aws::retry::persist;
use crate::aws::{Class, Error};
use crate::diff::{Change, diff};
use crate::kind::{Cx, Live, Phase, Wanted};
use crate::plan::{Action, Facts, Step, answer, ignoring};
use crate::reference;

/// How long a resource may take to become ready or to go.
const READY_LIMIT: Duration = Duration::from_secs(90 * 60);
/// How long a created resource may stay invisible, or a change may take to show.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long something that is said to be there may stay invisible, before lagoa takes it for
/// somebody else's.
const GLIMPSE_LIMIT: Duration = Duration::from_secs(15);
/// Updates that may be tried before lagoa says that AWS doesn't keep a value.
const UPDATES: usize = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Aws(error)
    }
}

/// Reads further and further apart: about a tenth of the time already waited, so that a fast
/// resource costs milliseconds and a slow one few calls.
struct Patience {
    start: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Waits a while, to a beat that all waiters share so that their reads fall together;
    /// false once the limit has passed.
    async fn pause(&self, limit: Duration) -> bool {
        let waited = self.start.elapsed();
        if waited > limit {
            return false;
        }
        let pause = (waited / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        true
    }
}

/// Why this update is called.
struct Turn {
    /// This run has just made the resource.
    made: bool,
    /// It does what was ordered on the command line.
    ordered: bool,
}

impl Run<'_> {
    pub(super) async fn converge(&self, step: &Step) -> Result<(), Failure> {
        let desired = self.desired(step)?;
        let mut live = self.read(step, &desired).await?;
        self.check_unchanged(step, &desired, live.as_ref())?;
        let mut made = false;
        if live.is_none() {
            made = self.create(step, &desired).await?;
            live = self.appear(step, &desired).await?;
        }
        let mut previous: Vec<Change> = Vec::new();
        let mut patience = Patience::new();
        let mut updates = 0;
        let mut forced = self.is_ordered(step) && !made;
        loop {
            let now = self.ready(step, &desired, live).await?;
            let wanted = self.settled(step, &desired, &now);
            let changes = diff(step.kind.schema(), &wanted, &now.fields, &step.ignore);
            let force = std::mem::take(&mut forced);
            if changes.is_empty() && !force {
                let facts = Facts::join(step.kind, &step.name, &wanted, Some(&now.fields));
                self.facts.borrow_mut().insert(step.key.clone(), facts);
                return Ok(());
            }
            let waits = changes == previous && !force;
            if waits && patience.pause(SETTLE_LIMIT).await {
                self.status(step, "waiting for AWS to show the change".to_owned());
            } else if updates == UPDATES || (waits && updates > 1) {
                return Err(unsettled(&changes).into());
            } else {
                self.update(step, &wanted, &now, Turn { made, ordered: force }).await?;
                updates += 1;
                patience = Patience::new();
                previous = changes;
            }
            live = self.read(step, &desired).await?;
        }
    }

    /// Whether a person asked for this step although nothing differs.
    fn is_ordered(&self, step: &Step) -> bool {
        let orders = &self.aws.orders;
        let all = [&orders.rotate, &orders.seed_rerun, &orders.seed_accept];
        let adopts = step.action == Action::Adopt && step.changes.is_empty();
        adopts || all.iter().any(|keys| keys.contains(&step.key))
    }

    /// The desired value with every reference filled in; by now all are known.
    fn desired(&self, step: &Step) -> Result<Value, Error> {
        let facts = self.facts.borrow();
        let known = |reference: &reference::Reference| answer(reference, &facts, &self.plan.site);
        let filled = reference::fill(&step.desired, &known);
        if let Some(open) = reference::references(&filled).first() {
            return Err(Error::internal(format!("{open} is still unknown")));
        }
        step.kind.predict(&filled, &step.name, &self.plan.site, &self.aws.root)
    }

    async fn read(&self, step: &Step, desired: &Value) -> Result<Option<Live>, Error> {
        let desired = (!desired.is_null()).then(|| desired.clone());
        self.reader.read(step.kind, Wanted { name: step.name.clone(), desired }).await
    }

    /// Stops when the first read isn't what the plan was made for.
    fn check_unchanged(
        &self,
        step: &Step,
        desired: &Value,
        now: Option<&Live>,
    ) -> Result<(), Failure> {
        let planned = step.live.as_ref().filter(|_| step.replaces.is_empty());
        match (planned, now) {
            (None, None) => Ok(()),
            (None, Some(now)) if self.is_ours(now) || step.kind.facts().seed => Ok(()),
            (None, Some(_)) => Err(changed(format!("{} exists now, and isn't lagoa's", step.name))),
            // A seed whose database was replaced has never run there.
            (Some(_), None) if step.kind.facts().seed => Ok(()),
            (Some(_), None) => Err(changed(format!("{} is gone", step.name))),
            (Some(planned), Some(now)) => {
                if step.action == Action::Update && !self.is_ours(now) {
                    return Err(changed(format!("{} isn't this stack's any more", step.name)));
                }
                let seen = |live: &Live| {
                    let wanted = self.settled(step, desired, live);
                    diff(step.kind.schema(), &wanted, &live.fields, &step.ignore)
                };
                let ours = |path: &str| self.stands_on_news(step) && step.may_have_moved(path);
                match strayed(&seen(planned), &seen(now), ours) {
                    None => Ok(()),
                    Some(one) => Err(changed(format!("{} is {} now", one.path, one.old))),
                }
            }
        }
    }

    fn cx<'a>(&'a self, step: &'a Step, status: &'a dyn Fn(String)) -> Cx<'a> {
        Cx { aws: self.aws, name: &step.name, key: &step.key, rotate: false, status }
    }

    fn is_ours(&self, live: &Live) -> bool {
        live.owner.as_ref().is_some_and(|owner| owner.stack == self.plan.site.stack)
    }

    fn settled(&self, step: &Step, desired: &Value, live: &Live) -> Value {
        let accepted = step.kind.accept(desired, &live.fields).unwrap_or_else(|_| desired.clone());
        ignoring(accepted, &live.fields, &step.ignore)
    }

    /// True when this run made it. An answer that got lost leaves a resource of ours behind, so
    /// "already there" is success if it is ours.
    async fn create(&self, step: &Step, desired: &Value) -> Result<bool, Failure> {
        self.status(step, "creating".to_owned());
        let status = |text| self.status(step, text);
        let cx = self.cx(step, &status);
        match self.call(step, false, || step.kind.create(desired, &cx)).await {
            Ok(()) => Ok(true),
            Err(error) if error.class == Class::Already => {
                match self.seen_within(step, desired, GLIMPSE_LIMIT).await? {
                    Some(live) if self.is_ours(&live) => Ok(true),
                    Some(_) => Err(changed(format!("{} exists now, and isn't lagoa's", step.name))),
                    None => {
                        let hint = "something of that name exists where lagoa can't see it";
                        Err(error.hint(hint).into())
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until what was just made can be read.
    async fn appear(&self, step: &Step, desired: &Value) -> Result<Option<Live>, Failure> {
        let live = self.seen_within(step, desired, SETTLE_LIMIT * 2).await?;
        if live.is_none() {
            let message = format!("AWS said that it made {}, but doesn't show it", step.name);
            return Err(Error::new(Class::Terminal, message).into());
        }
        Ok(live)
    }

    /// Reads until something is there; `None` when nothing has come up within the limit.
    async fn seen_within(
        &self,
        step: &Step,
        desired: &Value,
        limit: Duration,
    ) -> Result<Option<Live>, Error> {
        let patience = Patience::new();
        loop {
            let live = self.read(step, desired).await?;
            if live.is_some() || !patience.pause(limit).await {
                return Ok(live);
            }
        }
    }

    /// Reads until the resource is usable.
    async fn ready(
        &self,
        step: &Step,
        desired: &Value,
        live: Option<Live>,
    ) -> Result<Live, Failure> {
        let patience = Patience::new();
        let mut live = live;
        loop {
            match live {
                None => return Err(changed(format!("{} is gone", step.name))),
                Some(live) if live.phase == Phase::Ready => return Ok(live),
                Some(Live { phase: Phase::Failed(why), .. }) => {
                    return Err(
                        Error::new(Class::Terminal, format!("AWS reports it as {why}")).into()
                    );
                }
                Some(Live { phase: Phase::Pending(why), .. }) => self.status(step, why),
                Some(_) => {}
            }
            if !patience.pause(READY_LIMIT).await {
                return Err(
                    Error::new(Class::Terminal, "it didn't become ready in 90 minutes").into()
                );
            }
            live = self.read(step, desired).await?;
        }
    }

    async fn update(
        &self,
        step: &Step,
        desired: &Value,
        live: &Live,
        turn: Turn,
    ) -> Result<(), Error> {
        self.status(step, if turn.made { "setting up" } else { "updating" }.to_owned());
        let status = |text| self.status(step, text);
        let rotate = turn.ordered && self.aws.orders.rotate.contains(&step.key);
        let cx = Cx { rotate, ..self.cx(step, &status) };
        self.call(step, turn.made, || step.kind.update(desired, &live.fields, &cx)).await
    }

    /// One verb, called again as long as its errors are worth it. What was made a moment ago may
    /// not be visible everywhere yet, so "gone" and "not assumable" mean "wait" then, and only then.
    async fn call<F>(
        &self,
        step: &Step,
        made: bool,
        mut verb: impl FnMut() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        let news = made || self.stands_on_news(step);
        let classed = || {
            let call = match self.stop.forbidden() {
                None => Ok(verb()),
                Some(why) => Err(Error::new(Class::Terminal, why)),
            };
            async move {
                call?.await.map_err(|mut error| {
                    match error.class {
                        Class::Gone if made => error.class = Class::Propagating,
                        Class::Propagating if !news => error.class = Class::Terminal,
                        _ => {}
                    }
                    error
                })
            }
        };
        persist(READY_LIMIT, classed, &|error| self.status(step, error.to_string())).await
    }

    pub(super) async fn delete(&self, step: &Step) -> Result<(), Failure> {
        let Some(mut live) = self.read(step, &Value::Null).await? else { return Ok(()) };
        if !self.is_ours(&live) {
            return Err(changed(format!("{} isn't this stack's any more", step.name)));
        }
        self.status(step, "deleting".to_owned());
        let status = |text| self.status(step, text);
        let cx = self.cx(step, &status);
        let patience = Patience::new();
        let mut asked = None;
        loop {
            let leaving = matches!(&live.phase, Phase::Pending(why) if why == "deleting");
            // What fails to go, or leaves something behind, is asked to go once more.
            let stuck =
                matches!(&live.phase, Phase::Failed(_)) && asked != Some(live.phase.clone());
            if !leaving && (asked.is_none() || stuck) {
                asked = Some(live.phase.clone());
                let delete = || step.kind.delete(&live.fields, &step.farewell, &cx);
                self.call(step, false, delete).await.map_err(|error| still_used(step, error))?;
            }
            match self.read(step, &Value::Null).await? {
                None => return Ok(()),
                Some(still) => live = still,
            }
            if let Phase::Pending(why) = &live.phase {
                self.status(step, why.clone());
            }
            if !patience.pause(READY_LIMIT).await {
                return Err(Error::new(Class::Terminal, "it didn't go in 90 minutes").into());
            }
        }
    }
}

/// Whoever uses what is replaced, and could take the new one in its stead, is updated after the
/// replacement; a service that refuses to delete what is used leaves no order that works.
fn still_used(step: &Step, error: Error) -> Error {
    if error.class != Class::Dependency || step.replaces.is_empty() {
        return error;
    }
    error.hint(format!(
        "give {} another key: then the new one is made first, what uses it goes over to it, and \
         the old one goes last",
        step.key
    ))
}

/// A difference that wasn't there when the plan was made. Neither one that has gone by itself
/// counts, nor one that an earlier step of this run may have made.
fn strayed(then: &[Change], now: &[Change], ours: impl Fn(&str) -> bool) -> Option<Change> {
    let same = |one: &Change, other: &Change| one.path == other.path && one.old == other.old;
    let planned = |one: &Change| then.iter().any(|other| same(one, other));
    now.iter().find(|one| !planned(one) && !ours(&one.path)).cloned()
}

fn changed(what: String) -> Failure {
    Failure::Changed(what)
}

fn unsettled(changes: &[Change]) -> Error {
    let fields: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let message = format!("AWS took the change, but {} stays as it was", fields.join(", "));
    Error::new(Class::Terminal, message)
        .hint("if the service spells the value in another way, write it as AWS shows it, or list the field under `ignore`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(path: &str, old: Value) -> Change {
        let path = path.to_owned();
        Change { path, old, new: json!(1), unknown: false, immutable: false, set: false }
    }

    #[test]
    fn only_what_others_changed_stops_a_step() {
        let then = [change("size", json!(2)), change("tags.a", json!("x"))];
        let nobody = |_: &str| false;
        assert_eq!(strayed(&then, &then[..1], nobody), None);
        let now = [change("size", json!(3))];
        assert_eq!(strayed(&then, &now, nobody).map(|one| one.path), Some("size".into()));
        let now = [change("reboot_pending", json!(true))];
        assert!(strayed(&then, &now, nobody).is_some());
        assert_eq!(strayed(&then, &now, |path| path == "reboot_pending"), None);
    }
}
