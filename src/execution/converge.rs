//! The loop that every create and update goes through.
//!
//! Read; create if absent; read until ready; diff; update; read; the diff must be empty.
//! Whatever happens in between, killed or not, the next run starts at the top and ends here.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::patience::Patience;
use super::poles::typical;
use super::{Failure, Run};
use crate::aws::retry::{patience, persist};
use crate::aws::{Class, Error};
use crate::diff::{Change, diff};
use crate::kind::{Cx, Live, Phase, Wanted};
use crate::plan::{Action, Facts, Step, answer, ignoring};
use crate::reference;

/// How long a resource may take to become ready or to go.
pub(super) const READY_LIMIT: Duration = Duration::from_secs(90 * 60);
/// How long a created resource may stay invisible, or a change may take to show.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long something that is said to be there may stay invisible, before lagoa takes it for
/// somebody else's.
const GLIMPSE_LIMIT: Duration = Duration::from_secs(15);
/// How long something that was seen may be missing from what AWS shows, which can go back to how
/// it was a moment ago, before lagoa takes it for gone. What shows in part only may look broken.
pub(super) const DOUBT_LIMIT: Duration = Duration::from_secs(5);
/// Updates without progress that may be tried before lagoa says that AWS doesn't keep a value.
const UPDATES: usize = 4;
/// Updates of one resource at all.
const MOST_UPDATES: usize = 32;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Aws(error)
    }
}

/// Why this update is called.
struct Turn {
    /// This run has just made the resource.
    made: bool,
    /// It does what was ordered on the command line.
    ordered: bool,
    /// Updates that went before it.
    number: usize,
}

impl Run<'_> {
    pub(super) async fn converge(&self, step: &Step) -> Result<(), Failure> {
        let desired = self.desired(step)?;
        let mut live = self.read(step, &desired).await?;
        if live.is_none() && step.live.is_some() && step.replaces.is_empty() {
            live = self.seen_within(step, &desired, DOUBT_LIMIT).await?;
        }
        let live = self.without_the_old(step, &desired, live).await?;
        self.check_unchanged(step, &desired, live.as_ref())?;
        let (mut live, mut made) = (live, false);
        if live.is_none() {
            made = self.create(step, &desired).await?;
            live = self.appear(step, &desired).await?;
        }
        let mut previous: Vec<Change> = Vec::new();
        let mut patience = self.patience(step);
        let mut updates = 0;
        let mut asked: Vec<Vec<Change>> = Vec::new();
        let mut forced = self.is_ordered(step) && !made;
        loop {
            let (now, worked) = self.ready(step, &desired, live, made).await?;
            let wanted = self.settled(step, &desired, &now);
            let changes = diff(step.kind.schema(), &wanted, &now.fields, &step.ignore);
            let force = std::mem::take(&mut forced);
            if changes.is_empty() && !force {
                let facts = Facts::join(step.kind, &step.name, &wanted, Some(&now.fields));
                self.facts.borrow_mut().insert(step.key.clone(), facts);
                return Ok(());
            }
            // Once the service has worked on it and come to rest, what still differs isn't late.
            let waits = changes == previous && !force && !worked;
            if waits && self.pause(&patience, SETTLE_LIMIT, "AWS to show the change").await? {
                self.status(step, "waiting for AWS to show the change".to_owned());
            } else if updates == UPDATES || asked.len() == MOST_UPDATES || (waits && updates > 1) {
                return Err(unsettled(&changes).into());
            } else {
                let turn = Turn { made, ordered: force, number: asked.len() };
                self.update(step, &wanted, &now, turn).await?;
                // What a service takes only step by step comes nearer with each; what was asked for
                // before doesn't.
                updates = if asked.contains(&changes) { updates + 1 } else { 1 };
                asked.push(changes.clone());
                patience = self.patience(step);
                previous = changes;
            }
            live = self.read(step, &desired).await?;
        }
    }

    /// Waits until AWS no longer shows what this step puts a new one in the place of: what is still
    /// being deleted, and what is gone, as what AWS shows can go back to how it was a moment ago.
    async fn without_the_old(
        &self,
        step: &Step,
        desired: &Value,
        live: Option<Live>,
    ) -> Result<Option<Live>, Failure> {
        let patience = self.patience(step);
        let mut live = live;
        while let Some(now) = &live {
            let leaving = step.action == Action::Create && now.phase.is_leaving();
            let limit = match leaving && self.is_ours(now) {
                true => READY_LIMIT,
                false if self.is_replaced(step, desired, now) => SETTLE_LIMIT,
                false => break,
            };
            self.status(step, "waiting until the old one is gone".to_owned());
            if !self.pause(&patience, limit, "AWS to show that the old one is gone").await? {
                break;
            }
            live = self.read(step, desired).await?;
        }
        Ok(live)
    }

    /// Whether this can only be the old one of a replacement.
    fn is_replaced(&self, step: &Step, desired: &Value, now: &Live) -> bool {
        if step.replaces.is_empty() || step.kind.facts().seed || !self.is_ours(now) {
            return false;
        }
        let wanted = self.settled(step, desired, now);
        let changes = diff(step.kind.schema(), &wanted, &now.fields, &step.ignore);
        matches!(&now.phase, Phase::Failed(_))
            || changes.iter().any(|change| change.immutable)
            || step.kind.replace_because(&wanted, &now.fields).is_some()
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
        self.look(step, desired, false).await
    }

    /// Reads what somebody waits for; of what is still pending, only the phase counts.
    pub(super) async fn glance(&self, step: &Step, desired: &Value) -> Result<Option<Live>, Error> {
        self.look(step, desired, true).await
    }

    async fn look(
        &self,
        step: &Step,
        desired: &Value,
        glance: bool,
    ) -> Result<Option<Live>, Error> {
        let desired = (!desired.is_null()).then(|| desired.clone());
        self.reader.read(step.kind, Wanted { glance, ..Wanted::new(&step.name, desired) }).await
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

    pub(super) fn cx<'a>(
        &'a self,
        step: &'a Step,
        status: &'a dyn Fn(String),
        stopping: &'a dyn Fn() -> bool,
    ) -> Cx<'a> {
        let Step { name, key, .. } = step;
        Cx { aws: self.aws, name, key, rotate: false, turn: 0, status, stopping }
    }

    pub(super) fn patience(&self, step: &Step) -> Patience {
        Patience::new(self.origin, typical(step))
    }

    pub(super) fn is_ours(&self, live: &Live) -> bool {
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
        let stopping = || self.stop.requested();
        let cx = self.cx(step, &status, &stopping);
        match self.call(step, false, || step.kind.create(desired, &cx)).await {
            Ok(()) => Ok(true),
            Err(Failure::Aws(error)) if error.class == Class::Already => {
                match self.seen_within(step, desired, GLIMPSE_LIMIT).await? {
                    Some(live) if self.is_ours(&live) => Ok(true),
                    Some(_) => Err(changed(format!("{} exists now, and isn't lagoa's", step.name))),
                    None => {
                        let hint = "something of that name exists where lagoa can't see it";
                        Err(error.hint(hint).into())
                    }
                }
            }
            Err(failure) => Err(failure),
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
    pub(super) async fn seen_within(
        &self,
        step: &Step,
        desired: &Value,
        limit: Duration,
    ) -> Result<Option<Live>, Failure> {
        let patience = self.patience(step);
        loop {
            let live = self.read(step, desired).await?;
            if live.is_some() || !self.pause(&patience, limit, "AWS to show it").await? {
                return Ok(live);
            }
        }
    }

    /// Reads until the resource is usable. Says whether it wasn't at first. What was made a moment
    /// ago may be seen once and missing again: not all of AWS's servers know it yet.
    async fn ready(
        &self,
        step: &Step,
        desired: &Value,
        live: Option<Live>,
        made: bool,
    ) -> Result<(Live, bool), Failure> {
        let patience = self.patience(step);
        let mut live = live;
        let mut worked = false;
        let mut doubt = None;
        let absence = if made { SETTLE_LIMIT } else { DOUBT_LIMIT };
        loop {
            let mut why = "it to become ready".to_owned();
            if !matches!(&live, Some(Live { phase: Phase::Failed(_), .. })) {
                doubt = None;
            }
            match live {
                None => match self.seen_within(step, desired, absence).await? {
                    None => return Err(changed(format!("{} is gone", step.name))),
                    seen => {
                        live = seen;
                        continue;
                    }
                },
                Some(live) if live.phase == Phase::Ready => return Ok((live, worked)),
                Some(Live { phase: Phase::Failed(how), .. }) => {
                    why = format!("AWS, which reports it as {how}");
                    let since = *doubt.get_or_insert_with(Instant::now);
                    if since.elapsed() >= DOUBT_LIMIT {
                        let message = format!("AWS reports it as {how}");
                        return Err(Error::new(Class::Terminal, message).into());
                    }
                }
                Some(Live { phase: Phase::Pending(phase), .. }) => {
                    why = format!("AWS, which reports it as {phase}");
                    self.status(step, phase);
                }
                Some(_) => {}
            }
            worked = true;
            if !self.pause(&patience, READY_LIMIT, &why).await? {
                return Err(
                    Error::new(Class::Terminal, "it didn't become ready in 90 minutes").into()
                );
            }
            live = self.glance(step, desired).await?;
        }
    }

    async fn update(
        &self,
        step: &Step,
        desired: &Value,
        live: &Live,
        turn: Turn,
    ) -> Result<(), Failure> {
        self.status(step, if turn.made { "setting up" } else { "updating" }.to_owned());
        let status = |text| self.status(step, text);
        let stopping = || self.stop.requested();
        let rotate = turn.ordered && self.aws.orders.rotate.contains(&step.key);
        let cx = Cx { rotate, turn: turn.number, ..self.cx(step, &status, &stopping) };
        self.call(step, turn.made, || step.kind.update(desired, &live.fields, &cx)).await
    }

    /// One verb, called again as long as its errors are worth it. What was made a moment ago may
    /// not be visible everywhere yet, so "gone" and "not assumable" mean "wait" then, and only then.
    pub(super) async fn call<F>(
        &self,
        step: &Step,
        made: bool,
        mut verb: impl FnMut() -> F,
    ) -> Result<(), Failure>
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
        let waiting = |error: &Error| self.status(step, in_the_way(error));
        let stopped = async || self.stop.wanted().await;
        persist(READY_LIMIT, classed, &waiting, stopped).await.map_err(|error| {
            match self.stop.requested() && patience(error.class).is_some() {
                true => Failure::Stopped(format!(
                    "another try after this answer: {}",
                    in_the_way(&error)
                )),
                false => error.into(),
            }
        })
    }

    /// Waits before AWS is asked again; false once the limit has passed. Whoever stops the run
    /// doesn't wait any longer.
    pub(super) async fn pause(
        &self,
        patience: &Patience,
        limit: Duration,
        what: &str,
    ) -> Result<bool, Failure> {
        tokio::select! {
            biased;
            () = self.stop.wanted() => Err(Failure::Stopped(what.to_owned())),
            more = patience.pause(limit) => Ok(more),
        }
    }
}

/// Why a call waits. What a person can do something about comes first: the end may be cut off.
fn in_the_way(error: &Error) -> String {
    match (&error.hint, error.class) {
        (Some(hint), Class::Dependency) => format!("{hint} ({})", error.code),
        _ => error.to_string(),
    }
}

/// A difference that wasn't there when the plan was made. Neither one that has gone by itself
/// counts, nor one that an earlier step of this run may have made.
fn strayed(then: &[Change], now: &[Change], ours: impl Fn(&str) -> bool) -> Option<Change> {
    let same = |one: &Change, other: &Change| one.path == other.path && one.old == other.old;
    let planned = |one: &Change| then.iter().any(|other| same(one, other));
    now.iter().find(|one| !planned(one) && !ours(&one.path)).cloned()
}

pub(super) fn changed(what: String) -> Failure {
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
