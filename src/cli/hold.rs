//! Works while holding the stack's lock.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Exit;
use super::failed::Failed;
use super::github::{GitHub, Ran};
use super::interrupts::Interrupts;
use super::session::Session;
use crate::aws::home::Home;
use crate::aws::lock::{self, Held, Holder, LEASE, Lock, Taken};
use crate::diagnostic::Problem;
use crate::report::problems;
use crate::report::progress::time;
use crate::report::style::harmless;
use crate::report::terminal::Terminal;

/// How often a lock that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long giving the lock back may take, and writing the last record of a run; the lock expires
/// anyway.
pub const FAREWELL: Duration = Duration::from_secs(5);
/// The same for who pressed Ctrl-C twice. GitHub kills a runner's processes 2.5 s after it has
/// asked for the second time.
pub const AT_ONCE: Duration = Duration::from_secs(1);

/// The stack's lock, held.
pub struct Hold {
    lock: Lock,
    /// Who holds it: this run.
    pub holder: Holder,
    /// A plan is being carried out, which minds interrupts and a lost lock by itself.
    pub working: Cell<bool>,
    /// The person doesn't want to wait any longer.
    pub hurried: Cell<bool>,
}

impl Hold {
    /// Waits until the lock is lost, and says so.
    pub async fn lost(&self) -> String {
        lost(&self.lock.lost().await)
    }

    /// Says at any moment why nothing may be written any more.
    pub fn watch(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let watch = self.lock.watch();
        move || watch().map(|why| lost(&why))
    }
}

fn lost(why: &str) -> String {
    format!("the lock is lost: {}", harmless(why))
}

/// Does the work while holding the stack's lock, and gives it back whatever comes of it.
pub async fn holding(
    session: &Session,
    command: &str,
    wait: Option<Duration>,
    terminal: Terminal,
    work: impl AsyncFnOnce(&Hold) -> Result<Exit, Failed>,
) -> Result<Exit, Failed> {
    let mut interrupts = Interrupts::new().map_err(|error| Failed::saying(error.to_string()))?;
    let hold = match take(session, command, wait, terminal, &mut interrupts).await? {
        Ok(hold) => hold,
        Err(exit) => return Ok(exit),
    };
    let ended = {
        let mut work = std::pin::pin!(work(&hold));
        loop {
            tokio::select! {
                ended = &mut work => break ended,
                () = interrupts.next() => if !hold.working.get() {
                    terminal.err("Interrupted; nothing was changed.\n");
                    break Ok(Exit::Interrupted);
                },
                why = hold.lost(), if !hold.working.get() => if !hold.working.get() {
                    break Err(Failed::helping(why, "nothing was changed; run it again"));
                },
            }
        }
    };
    let within = if hold.hurried.get() { AT_ONCE } else { FAREWELL };
    give_back(hold.lock, within, terminal).await;
    ended
}

async fn give_back(lock: Lock, within: Duration, terminal: Terminal) {
    match tokio::time::timeout(within, lock.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn(&format!("the lock is not given back: {error}"), terminal),
        Err(_) => warn("the lock is not given back: no answer", terminal),
    }
}

fn warn(message: &str, terminal: Terminal) {
    let problem = Problem::warning(message).help("it frees itself within a minute");
    terminal.err(&problems::sentence(&problem, terminal.err));
}

/// Takes the lock, after waiting for it if wanted; how the run ends when it can't be had, or when
/// the person doesn't want it any more.
async fn take(
    session: &Session,
    command: &str,
    wait: Option<Duration>,
    terminal: Terminal,
    interrupts: &mut Interrupts,
) -> Result<Result<Hold, Exit>, Failed> {
    let holder = myself(command);
    let stack = session.stack.name.as_str();
    let start = Instant::now();
    let mut told = String::new();
    loop {
        let home = Home::new(&session.aws);
        // A call in flight may take the lock, which has to be given back then.
        let taking = lock::take(home, stack, holder.clone(), LEASE);
        let (taken, interrupted) = interrupts.after(taking).await;
        let Some(taken) = taken else { return Ok(Err(Exit::Interrupted)) };
        let held = match taken? {
            Taken::Ours(lock) if interrupted => {
                give_back(lock, FAREWELL, terminal).await;
                return Ok(Err(Exit::Interrupted));
            }
            Taken::Ours(lock) => {
                let (working, hurried) = (Cell::new(false), Cell::new(false));
                return Ok(Ok(Hold { lock, holder, working, hurried }));
            }
            Taken::Theirs(_) if interrupted => return Ok(Err(Exit::Interrupted)),
            Taken::Theirs(held) => held,
        };
        let left = wait.unwrap_or_default().saturating_sub(start.elapsed());
        if left.is_zero() {
            let problem =
                Problem::error(format!("the stack {stack} is locked by {}", words(&held)));
            let problem = problem.help(format!(
                "wait for it with `--wait 10m`; the lock of a dead run frees itself; \
                 `lagoa unlock {}` takes it away",
                session.file
            ));
            terminal.err(&problems::sentence(&problem, terminal.err));
            if terminal.runner {
                let ran = Ran::stopped(session, command, vec![problem]);
                GitHub::here(terminal).tell_run(&ran);
            }
            return Ok(Err(Exit::Held));
        }
        if told != held.holder.run {
            told.clone_from(&held.holder.run);
            terminal.err(&format!("Waiting: the stack {stack} is locked by {}\n", words(&held)));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK.min(left)) => {}
            () = interrupts.next() => return Ok(Err(Exit::Interrupted)),
        }
    }
}

/// Who holds it, since when, until when.
pub fn words(held: &Held) -> String {
    let since = held.holder.since;
    let age = Timestamp::now().duration_since(since);
    let age = Duration::try_from(age).unwrap_or_default();
    format!(
        "{} since {} ({}), until {} unless it is renewed",
        harmless(&held.holder.to_string()),
        second(since),
        time(age),
        second(held.until)
    )
}

/// A time to the second.
pub fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The user's name as the machine knows it.
fn login() -> Option<String> {
    let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = users.lines().find(|line| line.split(':').nth(2) == Some(id.as_str()))?;
    entry.split(':').next().map(str::to_owned)
}

fn myself(command: &str) -> Holder {
    let named = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
    let user = named(&["GITHUB_ACTOR", "USER", "LOGNAME"]).or_else(login);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned()).or_else(|| named(&["HOSTNAME"]));
    Holder {
        user: user.unwrap_or_else(|| "unknown".to_owned()),
        host: host.unwrap_or_else(|| "unknown".to_owned()),
        pid: std::process::id(),
        run: format!("{:012x}", rand::random::<u64>() >> 16),
        command: command.to_owned(),
        since: Timestamp::now(),
    }
}
