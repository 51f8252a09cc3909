//! SQL scripts for Redshift.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Class, Error};
use crate::field::{Derived, Files, WarehouseOf};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Owner, Site, Wanted};
use crate::reference::is_marked;
use crate::seed::{Engine, Unit, Work};
use crate::sql_seed::mark::Marks;
use crate::sql_seed::warehouse::{Place, recorded, run};
use crate::sql_seed::{Run, files, mark};

/// Seeds a Redshift warehouse with SQL scripts through the Redshift Data API, so that it needs no way
/// to the warehouse's port. What has run is recorded in the table `public.lagoa_seeds`, in the same
/// transaction as the work.
///
/// Up to 38 statements of a file are one transaction; a file with more is several, and the plan says
/// so. Rows come from S3: `COPY t FROM 's3://${bucket}/t.csv' IAM_ROLE '${role}' CSV IGNOREHEADER 1`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftSeed {
    /// The cluster to work in: the key of a `redshift_cluster`, or name and database of one that
    /// lagoa doesn't own. Either this or `workgroup`.
    pub cluster: Option<WarehouseOf<false>>,
    /// The workgroup to work in: the key of a `redshift_serverless_workgroup`, or name and database
    /// of one that lagoa doesn't own.
    pub workgroup: Option<WarehouseOf<true>>,
    /// Database to work in, when it isn't the warehouse's first.
    pub database: Option<String>,
    /// SQL files, as paths or globs; they run in lexical order.
    pub scripts: Files,
    /// Values for `${name}` in the scripts. A `${name}` without a value is an error.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
    /// When a file runs: `once`, `changed` (again after every edit) or `always`. By default
    /// `once` for scripts that drop, truncate, delete or update, else `changed`.
    pub run: Option<Run>,
    /// Digest of each file, as it is or as it ran.
    #[serde(default)]
    pub digests: Derived<BTreeMap<String, String>>,
}

impl RedshiftSeed {
    /// The warehouse, once it is known.
    fn place(&self) -> Option<Place<'_>> {
        let database = self.database.as_deref();
        match (&self.cluster, &self.workgroup) {
            (Some(WarehouseOf::Known(warehouse)), None) => {
                Some(Place { warehouse, serverless: false, database })
            }
            (None, Some(WarehouseOf::Known(warehouse))) => {
                Some(Place { warehouse, serverless: true, database })
            }
            _ => None,
        }
    }

    /// Every file read and checked.
    fn units(&self, root: &Path) -> Result<Vec<Rc<Unit>>, Vec<String>> {
        let mut units = Vec::new();
        let mut problems = Vec::new();
        for path in &self.scripts.0 {
            match files::examined(root, path, Engine::Redshift, &Work::Script, &self.with) {
                Ok(unit) => units.push(unit),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(units) } else { Err(problems) }
    }

    /// Digests of the files as they are; unknown while a value in `with` is.
    fn predict_digests(&mut self, root: &Path) {
        self.digests = match self.with.values().find(|value| is_marked(value)) {
            Some(mark) => BTreeMap::from([("with".to_owned(), mark.clone())]).into(),
            None => Derived(self.units(root).ok().map(|units| mark::digests(&units))),
        };
    }

    async fn carry_out(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let place =
            self.place().ok_or_else(|| Error::internal("the warehouse is still unknown"))?;
        let units = self.units(&cx.root);
        let units = units.map_err(|problems| Error::new(Class::Terminal, problems.join("\n")))?;
        run(place, &units, self.run, cx).await
    }
}

const RUN: &[&str] = &["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"];
const ANSWER: &[&str] = &["redshift-data:DescribeStatement", "redshift-data:GetStatementResult"];
const CLUSTER: &[&str] = &["redshift:{region}:{account}:cluster:{cluster.name|*}"];
const WORKGROUP: &[&str] = &["redshift-serverless:{region}:{account}:workgroup/*"];

/// A plan asks the ledger of a warehouse that the stack doesn't own, since it has no marks. Where
/// there is no secret, the Data API logs in with the caller's leave.
const ACCESS: Access = Access {
    read: &[
        Grant::of(RUN, CLUSTER).given("cluster.name"),
        Grant::of(RUN, WORKGROUP).given("workgroup.name"),
        Grant::of(ANSWER, ANY).given("cluster.name"),
        Grant::of(ANSWER, ANY).given("workgroup.name"),
    ],
    write: &[
        Grant::of(RUN, CLUSTER).given("cluster"),
        Grant::of(RUN, WORKGROUP).given("workgroup"),
        Grant::of(ANSWER, ANY),
        Grant::of(
            &["secretsmanager:GetSecretValue"],
            &["secretsmanager:{region}:{account}:secret:redshift!*"],
        ),
        Grant::of(&["secretsmanager:GetSecretValue"], &["{cluster.secret_arn}"])
            .given("cluster.secret_arn"),
        Grant::of(&["secretsmanager:GetSecretValue"], &["{workgroup.secret_arn}"])
            .given("workgroup.secret_arn"),
        Grant::of(
            &["redshift:GetClusterCredentials"],
            &[
                "redshift:{region}:{account}:dbname:{cluster.name|*}/*",
                "redshift:{region}:{account}:dbuser:{cluster.name|*}/*",
            ],
        )
        .given("cluster"),
        Grant::of(
            &["redshift:GetClusterCredentialsWithIAM"],
            &["redshift:{region}:{account}:dbname:{cluster.name|*}/*"],
        )
        .given("cluster"),
        Grant::of(&["redshift-serverless:GetCredentials"], WORKGROUP).given("workgroup"),
    ],
    ..Access::NONE
};

impl Kind for RedshiftSeed {
    const EXAMPLE: &'static str = "
sales-schema:
  kind: redshift_seed
  cluster: warehouse
  scripts: [sql/warehouse/*.sql]

warehouse:
  kind: redshift_cluster
  node_type: ra3.large
  database: sales
  username: admin
  managed_password: true
  on_destroy: delete
";
    const NAME: &'static str = r"^[A-Za-z0-9][A-Za-z0-9._:/=+@-]{0,99}$";
    const ACCESS: Access = ACCESS;
    const ON_DESTROY: &'static [OnDestroy] = &[OnDestroy::Retain];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Retain);
    const READS_AFTER_REFERENCES: bool = true;
    const SEED: bool = true;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let mut marks = Marks::default();
        let mut found = Vec::new();
        for Wanted { name, desired, .. } in wanted {
            let Some(seed) = desired else { continue };
            let Some(place) = seed.place() else { continue };
            let mut live = seed.clone();
            live.predict_digests(&aws.root);
            let digests = match &place.warehouse.arn {
                Some(arn) => marks.digests(aws, arn, name, seed.run, live.digests.as_ref()).await?,
                None => {
                    let units = seed.units(&aws.root).unwrap_or_default();
                    recorded(aws, place, &units, seed.run, name).await
                }
            };
            if let Some(digests) = digests {
                live.digests = digests.into();
                found.push(Found { name: name.clone(), fields: live });
            }
        }
        Ok(found)
    }

    async fn owned(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn names(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        self.carry_out(cx).await
    }

    async fn update(&self, _live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.carry_out(cx).await
    }

    /// The data stays, and so do its lines in the ledger.
    async fn delete(&self, _: &Farewell, _: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn predict(&mut self, _name: &str, _site: &Site, root: &Path) {
        self.predict_digests(root);
    }

    fn owner(&self) -> Option<Owner> {
        None
    }

    fn check(&self, root: &Path) -> Vec<(String, String)> {
        let problem = |path: &str, message: &str| vec![(path.to_owned(), message.to_owned())];
        if self.cluster.is_some() == self.workgroup.is_some() {
            return problem("", "a seed needs either `cluster` or `workgroup`");
        }
        if self.scripts.0.is_empty() {
            return problem("scripts", "a seed needs `scripts`");
        }
        if self.with.values().any(|value| is_marked(value)) {
            return Vec::new();
        }
        let problems = self.units(root).err().unwrap_or_default();
        problems.into_iter().map(|problem| ("scripts".to_owned(), problem)).collect()
    }

    fn summary(&self, live: Option<&Self>, root: &Path) -> Vec<String> {
        let units = self.units(root).unwrap_or_default();
        let ran = live.and_then(|live| live.digests.as_ref());
        files::summary(&units, self.digests.as_ref(), ran, files::script_words)
    }

    fn undecided(&self, live: &Self, root: &Path) -> Option<String> {
        let units = self.units(root).ok()?;
        files::undecided(&units, self.run, self.digests.as_ref()?, live.digests.as_ref()?)
    }
}
