//! Killed at every call of apply and of destroy, before it is sent and after it was served but
//! before the answer arrived: the next apply ends where an undisturbed one ends, with nothing
//! doubled and no row lost; the next destroy leaves nothing.
//!
//! The kinds are walked in stacks made of their examples, and the platforms in `stacks/` as they are.
//!
//! The killed run's lock is taken away by hand, so that the walk needn't wait for its lease.
//! Each point has a copy of the sandbox to itself, as it was before the run.
//!
//! lagoa is killed at every call. What it leaves is told by the writes that AWS had served, and the
//! rows that were in: where a row of points comes to a state that has been gone on from already,
//! as after each call that only reads, the next point follows at once.
//!
//! It takes every twelfth call, beginning at another one each day, and goes on from one with the same
//! command, from the next with the other. `LAGOA_WALK=1` takes every call and goes on with both,
//! `LAGOA_WALK=N` takes every Nth, and `LAGOA_WALK=all` goes on from every point, whether its state
//! is known or not, and walks one stack of every kind besides. `LAGOA_WALK_ONLY=walk-kms` keeps to
//! one stack.

#[path = "support/everything.rs"]
mod everything;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use everything::Family;
use proxy::{Deed, Proxy};
use serde_json::Value;
use support::{Ran, Site, actions};

/// How far apart the calls are that are tried, where nobody says otherwise.
const STRIDE: usize = 12;
/// How many points are tried at once.
const WORKERS: usize = 2;

/// Which calls are tried.
struct Walk {
    stride: usize,
    offset: usize,
    /// Goes on from states that are known too, and walks everything in one stack.
    long: bool,
}

const COMMANDS: [&str; 2] = ["apply", "destroy"];

impl Walk {
    fn wanted() -> Self {
        let walk = std::env::var("LAGOA_WALK").unwrap_or_default();
        let stride = match walk.as_str() {
            "all" => 1,
            walk => walk.parse().unwrap_or(STRIDE).max(1),
        };
        let today = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() / 86_400;
        let today = usize::try_from(today).expect("a day fits");
        Self { stride, offset: today % stride, long: walk == "all" }
    }

    /// What is run after this command was killed at the call of that number.
    fn next(&self, command: &'static str, number: usize) -> Vec<&'static str> {
        let again = (number / self.stride).is_multiple_of(2);
        let chosen = |next: &&str| self.stride == 1 || (*next == command) == again;
        COMMANDS.into_iter().filter(chosen).collect()
    }
}

/// A stack, and the worlds in which its runs begin and end.
struct Ground {
    family: Family,
    /// All is there. It is a copy of the empty one, so it goes first.
    applied: Site,
    /// Nothing is there yet.
    empty: Site,
    /// What an undisturbed apply leaves, and an undisturbed destroy.
    full: Value,
    bare: Value,
    /// States that killed runs have left, with the command that went on from there.
    seen: Mutex<BTreeSet<(&'static str, String)>>,
}

impl Ground {
    fn new(root: &Site, family: Family) -> Self {
        let empty = root.copy().folder(&family.name);
        family.write(&empty);
        let applied = empty.copy();
        applied.stack_command("apply", &["--yes"]).success();
        settled(&applied).expect("settled after an undisturbed apply");
        let full = applied.census();
        let destroyed = applied.copy();
        destroyed.stack_command("destroy", &["--yes"]).success();
        nothing_left(&destroyed).expect("nothing is left after an undisturbed destroy");
        let bare = destroyed.census();
        Self { family, applied, empty, full, bare, seen: Mutex::default() }
    }
}

/// A row of points: one command, killed in one way.
struct Row<'a> {
    ground: &'a Ground,
    command: &'static str,
    deed: Deed,
}

impl Row<'_> {
    /// Walks from call to call until the command ends before it is killed; how many points.
    fn walk(&self, walk: &Walk, gone_on: &AtomicUsize, wrong: &Mutex<Vec<String>>) -> usize {
        let mut points = 0;
        for number in (walk.offset..).step_by(walk.stride) {
            match self.killed_at(number) {
                Ok(None) => break,
                Ok(Some((world, writes))) => {
                    let mut nexts = walk.next(self.command, number);
                    nexts.retain(|next| walk.long || self.is_new(&world, next, &writes));
                    gone_on.fetch_add(nexts.len(), Ordering::SeqCst);
                    let mut world = Some(world);
                    for next in nexts {
                        if let Err(why) = self.go_on(number, world.take(), next) {
                            self.tell(number, &format!("then {next}: {why}"), wrong);
                        }
                    }
                }
                Err(why) => self.tell(number, &why, wrong),
            }
            points += 1;
        }
        points
    }

    /// A world in which the command was killed at its call of that number, and which writes were
    /// served; nothing when it ended before.
    fn killed_at(&self, number: usize) -> Result<Option<(Site, String)>, String> {
        let start = if self.command == "apply" { &self.ground.empty } else { &self.ground.applied };
        let world = start.copy();
        let writes = kill_at(&world, self.command, number, &self.deed)?;
        Ok(writes.map(|writes| (world, writes)))
    }

    fn tell(&self, number: usize, why: &str, wrong: &Mutex<Vec<String>>) {
        let Self { ground, command, deed } = self;
        let what = format!("{}: {command}, {deed:?} at call {number}, {why}", ground.family.name);
        println!("{what}");
        wrong.lock().expect("a list").push(what);
    }

    /// Whether nobody has gone on from such a state yet.
    fn is_new(&self, world: &Site, next: &'static str, writes: &str) -> bool {
        let mut state = format!("{} {writes}", self.command);
        if self.ground.family.seeds() {
            state += &world.census()["rows"].to_string();
        }
        self.ground.seen.lock().expect("a set").insert((next, state))
    }

    /// Goes on in the world in which the command was killed, or in another one like it: what is on
    /// its way in the sandbox isn't copied with it.
    fn go_on(&self, number: usize, world: Option<Site>, next: &str) -> Result<(), String> {
        let again = || self.killed_at(number).map(|there| there.map(|(world, _)| world));
        let Some(world) = world.map_or_else(again, |world| Ok(Some(world)))? else { return Ok(()) };
        let world = &world;
        world.unlock(&self.ground.family.name);
        succeeded(&world.stack_command(next, &["--yes"]))?;
        let again = next == self.command;
        let census = match next {
            "apply" => settled(world).map(|()| world.census())?,
            _ => nothing_left(world).map(|()| world.census())?,
        };
        match (next, again) {
            ("apply", true) => support::same(&self.ground.full, &census),
            // Of what was deleted before, the sandbox keeps notes, as AWS does for a while.
            ("apply", false) => Ok(()),
            (_, true) => support::same(&self.ground.bare, &census),
            // What an apply didn't come to make leaves no notes either.
            (_, false) => support::no_more(&self.ground.bare, &census),
        }
    }
}

/// Runs the command and kills it at its call of that number; which writes were served by then, or
/// nothing when it ended before.
fn kill_at(
    world: &Site,
    command: &str,
    number: usize,
    deed: &Deed,
) -> Result<Option<String>, String> {
    let (reached, at) = mpsc::channel();
    let served = Arc::new(Mutex::new(BTreeSet::new()));
    let (deed, list) = (deed.clone(), Arc::clone(&served));
    let judge = move |call: &proxy::Call| {
        let deed = match call.number.cmp(&number) {
            std::cmp::Ordering::Less => Deed::Pass,
            std::cmp::Ordering::Equal => deed.clone(),
            std::cmp::Ordering::Greater => Deed::Drop,
        };
        if !call.reads() && !call.asks.contains("/lagoa-") && !matches!(deed, Deed::Drop) {
            list.lock().expect("a set").insert(call.asks.clone());
        }
        if call.number >= number {
            // Whoever waits for this may be gone already.
            let _ = reached.send(());
        }
        deed
    };
    let proxy = Proxy::new(&world.endpoint(), Box::new(judge));
    let mut lagoa = world.through(&proxy.endpoint, &[command, "stack.yaml", "--yes"]);
    let mut child = lagoa.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run lagoa");
    loop {
        if at.recv_timeout(Duration::from_millis(10)).is_ok() {
            child.kill().expect("kill lagoa");
            child.wait().expect("lagoa ends");
            // What AWS was asked, it does, whether anybody waits for the answer or not.
            proxy.rest();
            let served = served.lock().expect("a set");
            return Ok(Some(served.iter().map(String::as_str).collect::<Vec<_>>().join("\n")));
        }
        match child.try_wait().expect("ask for lagoa") {
            None => {}
            Some(status) if status.success() => return Ok(None),
            Some(status) => return Err(format!("it failed before: {status}")),
        }
    }
}

fn succeeded(ran: &Ran) -> Result<(), String> {
    if ran.code() == Some(0) {
        return Ok(());
    }
    Err(format!("{}\n{}{}", ran.arguments, ran.stdout(), ran.stderr()))
}

fn settled(world: &Site) -> Result<(), String> {
    succeeded(&world.stack_command("plan", &["--detailed-exitcode"]))
}

fn nothing_left(world: &Site) -> Result<(), String> {
    let again = world.stack_command("destroy", &["--yes", "--json"]);
    succeeded(&again)?;
    let left = actions(&again.json()["plan"]);
    if left.is_empty() { Ok(()) } else { Err(format!("left: {left:?}")) }
}

fn rows(ground: &Ground) -> Vec<Row<'_>> {
    let row = |command| [Deed::Drop, Deed::Lose].map(|deed| Row { ground, command, deed });
    COMMANDS.into_iter().flat_map(row).collect()
}

#[test]
fn killed_at_any_call_the_next_run_ends_where_an_undisturbed_one_does() {
    let walk = Walk::wanted();
    let start = Instant::now();
    let (with_servers, without) = (Site::quick("killed"), Site::serverless("killed-serverless"));
    let mut families = everything::families();
    families.extend(everything::platforms());
    if walk.long {
        families.push(everything::everything());
    }
    let only = std::env::var("LAGOA_WALK_ONLY").ok();
    families.retain(|family| only.as_ref().is_none_or(|only| *only == family.name));
    assert!(!families.is_empty(), "there is no stack {only:?}");
    let grounds: Vec<Ground> = families
        .into_iter()
        .map(|family| Ground::new(if family.seeds() { &with_servers } else { &without }, family))
        .collect();
    let all: Vec<Row<'_>> = grounds.iter().flat_map(rows).collect();
    let [turn, points, gone_on] = [0, 0, 0].map(AtomicUsize::new);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(row) = all.get(turn.fetch_add(1, Ordering::SeqCst)) {
                    let began = Instant::now();
                    let of_row = row.walk(&walk, &gone_on, &wrong);
                    points.fetch_add(of_row, Ordering::SeqCst);
                    let Row { ground, command, deed } = row;
                    println!(
                        "{}: {command}, {deed:?}: {of_row} points in {:.0?}",
                        ground.family.name,
                        began.elapsed()
                    );
                }
            });
        }
    });
    println!(
        "killed at {} points, gone on {} times from new states; every {} from call {} on, in {:.0?}",
        points.load(Ordering::SeqCst),
        gone_on.load(Ordering::SeqCst),
        walk.stride,
        walk.offset,
        start.elapsed()
    );
    let wrong = wrong.into_inner().expect("a list");
    assert!(wrong.is_empty(), "{} points went wrong:\n{}", wrong.len(), wrong.join("\n"));
}
