//! Settings of Redshift clusters.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_redshift::types::{ClusterParameterGroup, Parameter};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, Error, absent, gone_is_fine, redshift_tags};
use crate::field::{Computed, Immutable, Tags};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};
use crate::reference::is_marked;

/// Settings that Redshift clusters share. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftParameterGroup {
    /// The family of the clusters' version, such as `redshift-1.0` or `redshift-2.0`.
    pub family: Immutable<String>,
    /// What the group is for. AWS wants one; lagoa writes `Managed by lagoa` when unset.
    pub description: Option<Immutable<String>>,
    /// Values by Redshift's own parameter names: `require_ssl`, `statement_timeout`, … JSON, as in
    /// `wlm_json_configuration`, is compared as JSON. A parameter that was set and isn't listed here
    /// goes back to its default. Most wait for the cluster to restart, which the next plan of the
    /// cluster shows as `reboot_pending`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:redshift:region:account:parametergroup:name`.
    #[serde(default)]
    pub arn: Computed<String>,
}

const DESCRIPTION: &str = "Managed by lagoa";

/// How many parameters one call may change.
const BATCH: usize = 20;

impl Kind for RedshiftParameterGroup {
    const EXAMPLE: &'static str = "
warehouse-settings:
  kind: redshift_parameter_group
  family: redshift-1.0
  description: encrypted connections, and queries that end
  parameters:
    require_ssl: 'true'
    statement_timeout: '600000'
    wlm_json_configuration: '[{\"auto_wlm\": true}]'
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9]){0,254}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["redshift:DescribeClusterParameterGroups"], ANY),
            Grant::of(
                &["redshift:DescribeClusterParameters"],
                &["redshift:{region}:{account}:parametergroup:{name}"],
            ),
        ],
        write: &[Grant::of(
            &[
                "redshift:CreateClusterParameterGroup",
                "redshift:CreateTags",
                "redshift:DeleteTags",
                "redshift:ModifyClusterParameterGroup",
                "redshift:ResetClusterParameterGroup",
            ],
            &["redshift:{region}:{account}:parametergroup:{name}"],
        )],
        delete: &[Grant::of(
            &["redshift:DeleteClusterParameterGroup"],
            &["redshift:{region}:{account}:parametergroup:{name}"],
        )],
        ..Access::NONE
    };
    const KEPT_WHILE_USED: bool = true;

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.redshift.describe_cluster_parameter_groups();
        let call = match wanted {
            [one] => call.parameter_group_name(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut reads = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for group in page.parameter_groups.unwrap_or_default() {
                let name = group.parameter_group_name().unwrap_or_default();
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    reads.push(read_one(aws, group, one));
                }
            }
        }
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("redshift", "parametergroup:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> = aws
            .redshift
            .describe_cluster_parameter_groups()
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        let names = all?.into_iter().filter_map(|one| one.parameter_group_name);
        Ok(names.filter(|name| !name.starts_with("default.")).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let description = self.description.as_deref().map_or(DESCRIPTION, String::as_str);
        let call = cx.redshift.create_cluster_parameter_group().parameter_group_name(cx.name);
        let call = call.parameter_group_family(self.family.as_str()).description(description);
        call.set_tags(Some(redshift_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        redshift_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let set = self.parameters.iter();
        let set = set.filter(|(name, value)| live.parameters.get(*name) != Some(value));
        let set: Vec<Parameter> =
            set.map(|(name, value)| parameter(name).parameter_value(value).build()).collect();
        let reset = live.parameters.keys().filter(|name| !self.parameters.contains_key(*name));
        let reset: Vec<Parameter> = reset.map(|name| parameter(name).build()).collect();
        for batch in set.chunks(BATCH) {
            let call = cx.redshift.modify_cluster_parameter_group().parameter_group_name(cx.name);
            call.set_parameters(Some(batch.to_vec())).send().await?;
        }
        for batch in reset.chunks(BATCH) {
            let call = cx.redshift.reset_cluster_parameter_group().parameter_group_name(cx.name);
            let call = call.reset_all_parameters(false);
            call.set_parameters(Some(batch.to_vec())).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift.delete_cluster_parameter_group().parameter_group_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn accept(&mut self, live: &Self) {
        for (name, value) in &mut self.parameters {
            if let Some(have) = live.parameters.get(name).filter(|have| same(value, have)) {
                value.clone_from(have);
            }
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("redshift", &site.region, &format!("parametergroup:{name}")).into();
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let name = "wlm_json_configuration";
        let Some(text) = self.parameters.get(name).filter(|text| !is_marked(text)) else {
            return Vec::new();
        };
        let Err(error) = serde_json::from_str::<Value>(text) else { return Vec::new() };
        vec![(format!("parameters.{name}"), format!("this isn't JSON: {error}"))]
    }
}

fn parameter(name: &str) -> aws_sdk_redshift::types::builders::ParameterBuilder {
    Parameter::builder().parameter_name(name)
}

/// Whether two spellings mean one value: the same JSON, or the same word in another case.
fn same(desired: &str, live: &str) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (json(desired), json(live)) {
        (Some(desired), Some(live)) => desired == live,
        _ => desired.eq_ignore_ascii_case(live),
    }
}

async fn read_one(
    aws: &Aws,
    group: ClusterParameterGroup,
    wanted: &Wanted<RedshiftParameterGroup>,
) -> Result<Option<Found<RedshiftParameterGroup>>, Error> {
    let nothing = BTreeMap::new();
    let desired = wanted.desired.as_ref().map(|desired| &desired.parameters);
    let parameters = match desired.or(wanted.whole.then_some(&nothing)) {
        Some(desired) => absent(set_parameters(aws, &wanted.name, desired).await)?,
        None => Some(nothing),
    };
    let Some(parameters) = parameters else { return Ok(None) };
    let site = &aws.site;
    let fields = RedshiftParameterGroup {
        family: group.parameter_group_family().unwrap_or_default().to_owned().into(),
        description: group.description().map(|text| text.to_owned().into()),
        parameters,
        tags: redshift_tags::from_aws(group.tags()),
        arn: site.arn("redshift", &site.region, &format!("parametergroup:{}", wanted.name)).into(),
    };
    Ok(Some(Found { name: wanted.name.clone(), fields }))
}

/// The parameters that somebody set, and those that the stack wants with the value they have by
/// default.
async fn set_parameters(
    aws: &Aws,
    group: &str,
    desired: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut set = values(aws, group, "user").await?;
    if desired.keys().any(|name| !set.contains_key(name)) {
        let defaults = values(aws, group, "engine-default").await?.into_iter();
        set.extend(defaults.filter(|(name, _)| desired.contains_key(name)));
    }
    Ok(set)
}

async fn values(aws: &Aws, group: &str, source: &str) -> Result<BTreeMap<String, String>, Error> {
    let call = aws.redshift.describe_cluster_parameters().parameter_group_name(group);
    let mut pages = call.source(source).into_paginator().send();
    let mut values = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let parameters = page?.parameters.unwrap_or_default().into_iter();
        values
            .extend(parameters.filter_map(|one| Some((one.parameter_name?, one.parameter_value?))));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_as_json() {
        assert!(same(r#"[{"auto_wlm": true, "a": 1}]"#, r#"[{"a":1,"auto_wlm":true}]"#));
        assert!(same("TRUE", "true"));
        assert!(!same("600", "6000") && !same("[1]", "[2]"));
    }
}
