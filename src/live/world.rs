//! Reads everything a plan needs to know, in as few rounds as possible.

use std::collections::{BTreeMap, BTreeSet};

use super::{Query, ReadError, Unread, World, orphans, read};
use crate::aws::Aws;
use crate::kind::AnyKind;

/// What to read.
pub struct Survey<'a> {
    /// Resources that can be read as the stack has them.
    pub first: Vec<Query>,
    /// Resources whose reading needs references filled in, made from what the first round found
    /// and which kinds it couldn't read.
    pub then: &'a dyn Fn(&World) -> Vec<Query>,
    /// Kinds to look for orphans of.
    pub sweep: Vec<&'static dyn AnyKind>,
    /// What the stack names, as (kind, name), so that it is no orphan.
    pub known: BTreeSet<(String, String)>,
}

/// Reads resources and orphans at once, then what had to wait for them.
pub async fn survey(aws: &Aws, survey: Survey<'_>) -> Result<World, ReadError> {
    let unread = Unread::default();
    let reads = read(aws, &survey.first, &unread);
    let sweep = orphans(aws, &survey.sweep, &survey.known, &unread);
    let (resources, orphans) = futures::future::try_join(reads, sweep).await?;
    let unread_first = unread.borrow().clone();
    let mut world = World { resources, orphans, losses: BTreeMap::new(), unread: unread_first };
    let then = (survey.then)(&world);
    world.resources.extend(read(aws, &then, &unread).await?);
    world.unread = unread.into_inner();
    Ok(world)
}
