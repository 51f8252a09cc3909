//! The records of runs in the home bucket. They hold no secrets.

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Error;
use super::home::{Condition, Home};
use super::lock::Holder;

/// Name and version of the form that a record has.
pub const FORMAT: &str = "lagoa.run/1";

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// The stack.
    pub stack: String,
    /// Who ran what, where, since when.
    #[serde(flatten)]
    pub holder: Holder,
    /// ARN of whoever the credentials belonged to.
    pub caller: String,
    /// The version of lagoa.
    pub lagoa: String,
    /// Digest of the stack.
    pub digest: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What it did.
    pub steps: Vec<RecordedStep>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It didn't, as far as is known: it runs, or was killed.
    Started,
    /// Everything was done.
    Done,
    /// Something failed.
    Failed,
    /// A person stopped it.
    Interrupted,
    /// It lost the lock.
    LockLost,
}

/// One step of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedStep {
    /// Key in the stack.
    pub key: String,
    /// What kind of thing.
    pub kind: String,
    /// Name in AWS.
    pub name: String,
    /// What was to be done.
    pub action: String,
    /// `planned` until the run has ended, then `done`, `failed` or `not_started`.
    pub result: String,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Record {
    fn key(&self) -> String {
        let time = self.holder.since.strftime("%Y%m%dT%H%M%SZ");
        format!("history/{}/{time}-{}.json", self.stack, self.holder.run)
    }
}

/// Writes a run's record, over the one that it wrote before.
pub async fn write(home: &Home, record: &Record) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(record);
    let text = text.map_err(|error| Error::internal(error.to_string()))?;
    home.put(&record.key(), &text, Condition::None).await?;
    Ok(())
}

/// The stack's runs, the latest first, at most `limit` of them; only those whose name `run` is the
/// beginning of, if it is given.
pub async fn read(
    home: &Home,
    stack: &str,
    run: Option<&str>,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let keys = home.list(&format!("history/{stack}/")).await?;
    let named = |key: &&String| {
        let name = key.rsplit_once('-').map_or("", |(_, name)| name);
        run.is_none_or(|run| name.starts_with(run))
    };
    let latest = keys.iter().rev().filter(named).take(limit);
    let kept = try_join_all(latest.map(|key| home.get(key))).await?;
    // A record in a form of tomorrow is left out.
    Ok(kept
        .into_iter()
        .flatten()
        .filter_map(|kept| serde_json::from_slice(&kept.body).ok())
        .collect())
}
