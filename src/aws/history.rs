//! The records of runs in the home bucket.

use futures::future::try_join_all;
use jiff::Timestamp;

use super::Error;
use super::home::{Condition, Home};

/// Writes the record of a run that began at this time, over the one that it wrote before.
pub async fn write(
    home: &Home,
    stack: &str,
    (since, run): (Timestamp, &str),
    record: &[u8],
) -> Result<(), Error> {
    let time = since.strftime("%Y%m%dT%H%M%S.%3fZ");
    home.put(&format!("history/{stack}/{time}-{run}.json"), record, Condition::None).await?;
    Ok(())
}

/// The records of the stack's runs, the latest first, at most `limit` of them; only those whose
/// name `run` is the beginning of, if it is given.
pub async fn read(
    home: &Home,
    stack: &str,
    run: Option<&str>,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let keys = home.list(&format!("history/{stack}/")).await?;
    let named = |key: &&String| {
        let name = key.rsplit_once('-').map_or("", |(_, name)| name);
        run.is_none_or(|run| name.starts_with(run))
    };
    let latest = keys.iter().rev().filter(named).take(limit);
    let kept = try_join_all(latest.map(|key| home.get(key))).await?;
    Ok(kept.into_iter().flatten().map(|kept| kept.body).collect())
}
