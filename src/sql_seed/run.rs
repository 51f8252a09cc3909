//! Runs a seed: fetches the password, connects, lets the seed library do its work and leaves the
//! mark.

use std::net::IpAddr;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Server, SqlSeed, mark};
use crate::aws::{Aws, Class, Error, marks};
use crate::field::{Connection, Database, Tls};
use crate::kind::Cx;
use crate::seed::{self, Decision, Progress, Seeding, Standing, Target, Unit};

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
    let again = cx.orders.seed_rerun.contains(cx.key) && is_done(&seeding, &files).await?;
    for rule in [seed::Rule::Once, seed::Rule::Changed, seed::Rule::Always] {
        let of_rule = units.iter().zip(&files).filter(|(unit, _)| seed.rule(unit) == rule);
        let of_rule: Vec<Unit> = of_rule.map(|(_, file)| file.clone()).collect();
        if !of_rule.is_empty() {
            let rule = if again { seed::Rule::Always } else { rule };
            carry_out(&seeding, &of_rule, rule, cx).await?;
        }
    }
    mark::remember(cx.name);
    if let Some(arn) = &connection.arn {
        marks::write(cx.aws, arn, cx.name, &mark::text(Timestamp::now(), &digests)).await?;
    }
    Ok(())
}

/// Whether nothing is left to run, so that an order to run again means all of it. While something
/// is left, the order is about that alone.
async fn is_done(seeding: &Seeding<'_>, files: &[Unit]) -> Result<bool, Error> {
    let standings = seeding.standing(files).await;
    let standings = standings.map_err(|error| Error::new(Class::Terminal, error.to_string()))?;
    Ok(standings.iter().all(|standing| matches!(standing, Standing::Done { .. })))
}

async fn carry_out(
    seeding: &Seeding<'_>,
    files: &[Unit],
    rule: seed::Rule,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let decision = if cx.orders.seed_rerun.contains(cx.key) {
        Some(Decision::Rerun)
    } else {
        cx.orders.seed_accept.contains(cx.key).then_some(Decision::Accept)
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut watch = move |progress| {
        // Nobody listens once the run is over.
        let _ = tell.send(progress);
    };
    let work = async move { seeding.run(&cx.root, files, rule, decision, &mut watch).await };
    let listen = async {
        while let Some(progress) = told.recv().await {
            if let Some(words) = words(&progress) {
                (cx.status)(words);
            }
        }
    };
    let (report, ()) = futures::join!(work, listen);
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
        Progress::Rows { path, sent } => format!("{path}: {} rows", super::count(*sent)),
        Progress::Statements { path, done } => format!("{path}: {done} statements"),
        Progress::Note { message } => message.clone(),
        Progress::Finished { .. } => return None,
    })
}
