//! Reads everything a plan needs to know, in as few rounds as possible.

use std::collections::{BTreeMap, BTreeSet};

use super::{Query, ReadError, World, orphans, read};
use crate::aws::Aws;
use crate::kind::{AnyKind, Live};

/// What to read.
pub struct Survey<'a> {
    /// Resources that can be read as the stack has them.
    pub first: Vec<Query>,
    /// Resources whose reading needs references filled in, made from what the first round found.
    pub then: &'a dyn Fn(&BTreeMap<String, Live>) -> Vec<Query>,
    /// Kinds to look for orphans of.
    pub sweep: Vec<&'static dyn AnyKind>,
    /// What the stack names, as (kind, name), so that it is no orphan.
    pub known: BTreeSet<(String, String)>,
}

/// Reads resources and orphans at once, then what had to wait for them.
pub async fn survey(aws: &Aws, survey: Survey<'_>) -> Result<World, ReadError> {
    let reads = read(aws, &survey.first);
    let sweep = orphans(aws, &survey.sweep, &survey.known);
    let (mut resources, orphans) = futures::future::try_join(reads, sweep).await?;
    let then = (survey.then)(&resources);
    resources.extend(read(aws, &then).await?);
    Ok(World { resources, orphans, losses: BTreeMap::new() })
}
