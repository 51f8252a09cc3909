//! Runs a seed: fetches the password, connects, lets the seed library do its work and leaves the
//! mark.

use std::net::IpAddr;

use tokio::sync::mpsc;

use super::{Server, SqlSeed, mark};
use crate::aws::{Aws, Class, Error};
use crate::field::{Connection, Database, Tls};
use crate::kind::Cx;
use crate::seed::{
    self, Decision, Progress, Report, Rule, SeedError, Seeding, Standing, Target, Unit,
};

/// Where to connect, password included.
pub(super) async fn target(aws: &Aws, connection: &Connection) -> Result<Target, Error> {
    let loopback = connection.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let tls = match connection.tls {
        Some(Tls::Off) => seed::Tls::Off,
        Some(Tls::VerifyFull) => seed::Tls::VerifyFull,
        None if loopback => seed::Tls::Off,
        None => seed::Tls::VerifyFull,
    };
    let database = connection.database.clone().ok_or_else(|| {
        let message = "the server has no initial database, so there is none to seed";
        Error::new(Class::Terminal, message).hint("set `database` on the instance")
    })?;
    Ok(Target {
        host: connection.host.clone(),
        hostaddr: None,
        port: connection.port,
        database,
        user: connection.username.clone(),
        password: aws.secret(&connection.password).await?,
        tls,
        ca: None,
    })
}

pub(super) async fn run<S: Server>(seed: &SqlSeed<S>, cx: &Cx<'_>) -> Result<(), Error> {
    let Database::Known(connection) = &seed.database else {
        return Err(Error::internal("the database is still unknown"));
    };
    let units = seed
        .units(&cx.root)
        .map_err(|problems| Error::new(Class::Terminal, problems.join("\n")))?;
    let digests = mark::digests(&units);
    let files: Vec<Unit> = units.iter().map(|unit| Unit::clone(unit)).collect();
    let target = target(cx.aws, connection).await?;
    let seeding = Seeding::new(S::ENGINE, &target, &cx.site.stack, cx.name);
    let orders = Orders::of(cx);
    let again = orders.rerun && is_done(seeding.standing(&files).await)?;
    for (rule, files) in by_rule(&files, |unit| seed.rule(unit), again) {
        let root = &cx.root;
        let seeding = &seeding;
        let decision = orders.decision();
        let work = |watch: Tell| async move {
            let mut watch = watch;
            seeding.run(root, &files, rule, decision, &mut watch).await
        };
        watched(cx, work).await?;
    }
    mark::leave(cx.aws, connection.arn.as_deref(), cx.name, &digests).await
}

/// What a person ordered for this seed.
pub(super) struct Orders {
    pub(super) rerun: bool,
    accept: bool,
}

impl Orders {
    pub(super) fn of(cx: &Cx<'_>) -> Self {
        let orders = &cx.orders;
        Self {
            rerun: orders.seed_rerun.contains(cx.key),
            accept: orders.seed_accept.contains(cx.key),
        }
    }

    pub(super) fn decision(&self) -> Option<Decision> {
        match (self.rerun, self.accept) {
            (true, _) => Some(Decision::Rerun),
            (false, accept) => accept.then_some(Decision::Accept),
        }
    }
}

/// The files by the rule that they run under, those that run once first. `again` runs all.
pub(super) fn by_rule(
    files: &[Unit],
    rule_of: impl Fn(&Unit) -> Rule,
    again: bool,
) -> Vec<(Rule, Vec<Unit>)> {
    let rules = [Rule::Once, Rule::Changed, Rule::Always].into_iter();
    let groups = rules.map(|rule| {
        let files = files.iter().filter(|file| rule_of(file) == rule).cloned().collect();
        (if again { Rule::Always } else { rule }, files)
    });
    groups.filter(|(_, files): &(Rule, Vec<Unit>)| !files.is_empty()).collect()
}

/// Whether nothing is left to run, so that an order to run again means all of it. While something
/// is left, the order is about that alone.
pub(super) fn is_done(standings: Result<Vec<Standing>, SeedError>) -> Result<bool, Error> {
    let standings = standings.map_err(|error| Error::new(Class::Terminal, error.to_string()))?;
    Ok(standings.iter().all(|standing| matches!(standing, Standing::Done { .. })))
}

/// Takes what happens while a seed runs.
pub(super) type Tell = Box<dyn FnMut(Progress) + Send>;

/// Runs a seed, and shows what happens.
pub(super) async fn watched<F>(cx: &Cx<'_>, work: impl FnOnce(Tell) -> F) -> Result<(), Error>
where
    F: Future<Output = Result<Report, SeedError>>,
{
    let (tell, mut told) = mpsc::unbounded_channel();
    let watch: Tell = Box::new(move |progress| {
        // Nobody listens once the run is over.
        let _ = tell.send(progress);
    });
    let listen = async {
        while let Some(progress) = told.recv().await {
            if let Some(words) = words(&progress) {
                (cx.status)(words);
            }
        }
    };
    let (report, ()) = futures::join!(work(watch), listen);
    report.map(|_| ()).map_err(|error| Error::new(Class::Terminal, error.to_string()))
}

fn words(progress: &Progress) -> Option<String> {
    Some(match progress {
        Progress::Waiting { holder, waited } => {
            let holder = holder
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_else(|| "another session".to_owned());
            format!("waiting for the seed's lock for {} s, held by {holder}", waited.as_secs())
        }
        Progress::Started { path } => format!("running {path}"),
        Progress::Rows { path, sent } => format!("{path}: {} rows", super::files::count(*sent)),
        Progress::Statements { path, done } => format!("{path}: {done} statements"),
        Progress::Note { message } => message.clone(),
        Progress::Finished { .. } => return None,
    })
}
