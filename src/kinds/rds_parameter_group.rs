//! Settings of a database engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup, Parameter};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, gone_is_fine, rds_tags};
use crate::field::{Computed, Immutable, Tags};
use crate::kind::{Cx, Farewell, Found, Kind, Site, Wanted};

/// Settings of a database engine that servers share. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsParameterGroup {
    /// The engine and its major version, such as `postgres15` or `mysql8.0`.
    pub family: Immutable<String>,
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<Immutable<String>>,
    /// Values by the engine's own parameter names, in the units that RDS lists them in. A parameter
    /// that was set and isn't listed here goes back to the engine's default. Dynamic parameters
    /// change at once; static ones when the server restarts, which the next plan of the server
    /// shows as `reboot_pending`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:rds:region:account:pg:name`.
    #[serde(default)]
    pub arn: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

/// How many parameters one call may change.
const BATCH: usize = 20;

/// Parameters that RDS checks against each other, so that they must change in one call.
const TOGETHER: &[&[&str]] = &[
    &["character_set_server", "collation_server"],
    &["enforce_gtid_consistency", "gtid-mode"],
    &["password_encryption", "rds.accepted_password_auth_method"],
    &["ssl_max_protocol_version", "ssl_min_protocol_version"],
];

impl Kind for RdsParameterGroup {
    const EXAMPLE: &'static str = "
postgres15:
  kind: rds_parameter_group
  family: postgres15
  description: logical replication and slow queries
  parameters:
    rds.logical_replication: '1'
    log_min_duration_statement: '500'
    log_statement: ddl
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9])*$";

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_parameter_groups();
        let call = match wanted {
            [one] => call.db_parameter_group_name(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut reads = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for group in page.db_parameter_groups.unwrap_or_default() {
                let name = group.db_parameter_group_name().unwrap_or_default();
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    reads.push(read_one(aws, group, one));
                }
            }
        }
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "pg:").await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let description = self.description.as_deref().map_or(DESCRIPTION, String::as_str);
        let call = cx.rds.create_db_parameter_group().db_parameter_group_name(cx.name);
        let call = call.db_parameter_group_family(self.family.as_str()).description(description);
        call.set_tags(Some(rds_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let set = self
            .parameters
            .iter()
            .filter(|(name, value)| live.parameters.get(*name) != Some(value));
        let set = set.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>();
        let reset = live.parameters.keys().filter(|name| !self.parameters.contains_key(*name));
        let reset = reset.map(String::as_str).collect::<BTreeSet<_>>();
        if set.is_empty() && reset.is_empty() {
            return Ok(());
        }
        let dynamic = dynamic(cx).await?;
        let parameter = |name: &&str| {
            let method = if dynamic.contains(*name) {
                ApplyMethod::Immediate
            } else {
                ApplyMethod::PendingReboot
            };
            let value = self.parameters.get(*name).cloned();
            Parameter::builder()
                .parameter_name(*name)
                .set_parameter_value(value)
                .apply_method(method)
                .build()
        };
        for batch in batches(&set) {
            let call = cx.rds.modify_db_parameter_group().db_parameter_group_name(cx.name);
            call.set_parameters(Some(batch.iter().map(parameter).collect())).send().await?;
        }
        for batch in batches(&reset) {
            let call = cx.rds.reset_db_parameter_group().db_parameter_group_name(cx.name);
            let call = call.reset_all_parameters(false);
            call.set_parameters(Some(batch.iter().map(parameter).collect())).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.rds.delete_db_parameter_group().db_parameter_group_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn accept(&mut self, live: &Self) {
        let parameters = std::mem::take(&mut self.parameters).into_iter();
        self.parameters = parameters.map(|(name, value)| in_words_of(live, name, value)).collect();
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("pg:{name}")).into();
    }
}

/// The parameter in live's spelling where that means the same. Words and numbers (`ON`, `UTF8`)
/// ignore case; anything with other characters, such as a log line's pattern, does not.
fn in_words_of(live: &RdsParameterGroup, name: String, value: String) -> (String, String) {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_-.,".contains(c));
    match live.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)) {
        Some((key, have)) if plain(&value) && have.eq_ignore_ascii_case(&value) => {
            (key.clone(), have.clone())
        }
        Some((key, _)) => (key.clone(), value),
        None => (name, value),
    }
}

async fn read_one(
    aws: &Aws,
    group: DbParameterGroup,
    wanted: &Wanted<RdsParameterGroup>,
) -> Result<Option<Found<RdsParameterGroup>>, Error> {
    let arn = group.db_parameter_group_arn().unwrap_or_default();
    let Some(tags) = absent(rds_tags::read(aws, arn).await)? else { return Ok(None) };
    let parameters = match &wanted.desired {
        Some(desired) => set_parameters(aws, &wanted.name, desired).await?,
        None => BTreeMap::new(),
    };
    let fields = RdsParameterGroup {
        family: group.db_parameter_group_family().unwrap_or_default().to_owned().into(),
        description: group.description().map(|text| text.to_owned().into()),
        parameters,
        tags,
        arn: arn.to_owned().into(),
    };
    Ok(Some(Found { name: wanted.name.clone(), fields }))
}

/// The parameters that somebody set, and those that the stack wants with the value they have: RDS
/// no longer lists a parameter as set when its value is the engine's default.
async fn set_parameters(
    aws: &Aws,
    group: &str,
    desired: &RdsParameterGroup,
) -> Result<BTreeMap<String, String>, Error> {
    let mut set = values(parameters(aws, group, Some("user")).await?);
    let listed = |set: &BTreeMap<String, String>, name: &str| {
        set.keys().any(|key| key.eq_ignore_ascii_case(name))
    };
    if desired.parameters.keys().any(|name| !listed(&set, name)) {
        let all = values(parameters(aws, group, None).await?);
        set.extend(all.into_iter().filter(|(name, _)| listed(&desired.parameters, name)));
    }
    Ok(set)
}

async fn parameters(aws: &Aws, group: &str, source: Option<&str>) -> Result<Vec<Parameter>, Error> {
    let call = aws.rds.describe_db_parameters().db_parameter_group_name(group);
    let mut pages = call.set_source(source.map(str::to_owned)).into_paginator().send();
    let mut parameters = Vec::new();
    while let Some(page) = pages.next().await {
        parameters.extend(page?.parameters.unwrap_or_default());
    }
    Ok(parameters)
}

fn values(parameters: Vec<Parameter>) -> BTreeMap<String, String> {
    let pair = |one: Parameter| Some((one.parameter_name?, one.parameter_value?));
    parameters.into_iter().filter_map(pair).collect()
}

/// The parameters of the group's engine that change without a restart.
async fn dynamic(cx: &Cx<'_>) -> Result<BTreeSet<String>, Error> {
    let all = parameters(cx, cx.name, None).await?.into_iter();
    let dynamic = all.filter(|one| one.apply_type() == Some("dynamic"));
    Ok(dynamic.filter_map(|one| one.parameter_name).collect())
}

/// Batches of at most twenty that keep parameters together which RDS checks against each other.
fn batches<'a>(names: &BTreeSet<&'a str>) -> Vec<Vec<&'a str>> {
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut left = names.clone();
    while let Some(first) = left.pop_first() {
        let others =
            TOGETHER.iter().find(|group| group.contains(&first)).copied().unwrap_or_default();
        let mut group = vec![first];
        group.extend(others.iter().filter_map(|name| left.take(name)));
        match batches.last_mut() {
            Some(batch) if batch.len() + group.len() <= BATCH => batch.extend(group),
            _ => batches.push(group),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_pairs_together() {
        let names = (0..19).map(|n| format!("a{n:02}")).collect::<Vec<_>>();
        let mut names = names.iter().map(String::as_str).collect::<BTreeSet<_>>();
        names.extend(["character_set_server", "collation_server"]);
        let batches = batches(&names);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [19, 2]);
        assert_eq!(batches[1], ["character_set_server", "collation_server"]);
    }

    #[test]
    fn words_ignore_case_and_patterns_do_not() {
        let parameters = [("log_statement", "DDL"), ("log_line_prefix", "%U")];
        let parameters =
            parameters.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
        let live = RdsParameterGroup {
            family: String::new().into(),
            description: None,
            parameters,
            tags: Tags::default(),
            arn: Computed::default(),
        };
        let spelled = |name: &str, value: &str| in_words_of(&live, name.into(), value.into());
        assert_eq!(spelled("Log_Statement", "ddl"), ("log_statement".into(), "DDL".into()));
        assert_eq!(spelled("log_line_prefix", "%u"), ("log_line_prefix".into(), "%u".into()));
    }
}
