//! Runs the files of a seed in a Redshift warehouse, and asks its ledger about them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::data_api::DataApi;
use super::run::{Orders, by_rule, is_done, watched};
use super::{Run, files, mark};
use crate::aws::{Aws, Error};
use crate::field::Warehouse;
use crate::kind::Cx;
use crate::seed::{Unit, WarehouseSeeding};

/// A warehouse, and the database in it.
pub struct Place<'a> {
    /// Which warehouse, and as whom.
    pub warehouse: &'a Warehouse,
    /// The warehouse is a workgroup of Redshift Serverless, not a cluster.
    pub serverless: bool,
    /// The database, when it isn't the warehouse's first.
    pub database: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn channel(&self, aws: &'a Aws, status: &'a dyn Fn(String)) -> DataApi<'a> {
        let warehouse = self.warehouse;
        let database = self.database.unwrap_or(&warehouse.database);
        DataApi { aws, warehouse, serverless: self.serverless, database, status }
    }
}

/// Runs what needs to run, and leaves the mark.
pub async fn run(
    place: Place<'_>,
    units: &[Rc<Unit>],
    run: Option<Run>,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let units: Vec<Rc<Unit>> = units.to_vec();
    let all: Vec<Unit> = units.iter().map(|unit| Unit::clone(unit)).collect();
    let channel = place.channel(cx.aws, cx.status);
    let warehouse = channel.name();
    let (stack, seed) = (cx.site.stack.as_str(), cx.name);
    let seeding = &WarehouseSeeding { channel: &channel, warehouse: &warehouse, stack, seed };
    let orders = Orders::of(cx);
    let again = orders.rerun && is_done(seeding.standing(&all).await)?;
    for (rule, some) in by_rule(&all, |unit| files::rule(run, unit), again) {
        let root = &cx.root;
        let decision = orders.decision();
        let work = |mut watch: super::run::Tell| async move {
            seeding.run(root, &some, rule, decision, &mut watch).await
        };
        watched(cx, work).await?;
    }
    let digests = mark::digests(&units);
    mark::leave(cx.aws, place.warehouse.arn.as_deref(), cx.name, &digests).await
}

/// What the ledger of a warehouse without marks says; nothing when it doesn't answer, and then the
/// ledger decides at apply.
pub async fn recorded(
    aws: &Aws,
    place: Place<'_>,
    units: &[Rc<Unit>],
    run: Option<Run>,
    name: &str,
) -> Option<BTreeMap<String, String>> {
    let all: Vec<Unit> = units.iter().map(|unit| Unit::clone(unit)).collect();
    let channel = place.channel(aws, &|_| {});
    let warehouse = channel.name();
    let stack = &aws.site.stack;
    let seeding = WarehouseSeeding { channel: &channel, warehouse: &warehouse, stack, seed: name };
    let standings = seeding.standing(&all).await.ok()?;
    mark::told(&all, standings, mark::is_outdated(run, name), Some(&mark::digests(units)))
}
