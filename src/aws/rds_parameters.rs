//! The parameters of RDS's parameter groups: those of instances and those of clusters, which have
//! the same rules and calls of their own.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{ApplyMethod, Parameter};

use super::{Aws, Error};

/// Values by name.
pub type Values = BTreeMap<String, String>;

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Database instances.
    Instances,
    /// Database clusters.
    Clusters,
}

/// How many parameters one call may change.
const BATCH: usize = 20;

/// Parameters that RDS checks against each other, so that they must change in one call.
const TOGETHER: &[&[&str]] = &[
    &["character_set_server", "collation_server"],
    &["enforce_gtid_consistency", "gtid-mode"],
    &["password_encryption", "rds.accepted_password_auth_method"],
    &["ssl_max_protocol_version", "ssl_min_protocol_version"],
];

impl Groups {
    /// The parameters that somebody set, and those that the stack wants with the value they have:
    /// RDS no longer lists a parameter as set when its value is the engine's default.
    pub async fn set(self, aws: &Aws, group: &str, desired: &Values) -> Result<Values, Error> {
        let mut set = values(self.list(aws, group, Some("user")).await?);
        let listed =
            |set: &Values, name: &str| set.keys().any(|key| key.eq_ignore_ascii_case(name));
        if desired.keys().any(|name| !listed(&set, name)) {
            let all = values(self.list(aws, group, None).await?);
            set.extend(all.into_iter().filter(|(name, _)| listed(desired, name)));
        }
        Ok(set)
    }

    /// Sets what differs, and puts back to the engine's default what the stack doesn't name.
    pub async fn change(
        self,
        aws: &Aws,
        group: &str,
        desired: &Values,
        live: &Values,
    ) -> Result<(), Error> {
        let set = desired.iter().filter(|(name, value)| live.get(*name) != Some(value));
        let set = set.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>();
        let reset = live.keys().filter(|name| !desired.contains_key(*name));
        let reset = reset.map(String::as_str).collect::<BTreeSet<_>>();
        if set.is_empty() && reset.is_empty() {
            return Ok(());
        }
        let dynamic = self.dynamic(aws, group).await?;
        let parameter = |name: &&str| {
            let method = if dynamic.contains(*name) {
                ApplyMethod::Immediate
            } else {
                ApplyMethod::PendingReboot
            };
            Parameter::builder()
                .parameter_name(*name)
                .set_parameter_value(desired.get(*name).cloned())
                .apply_method(method)
                .build()
        };
        for batch in batches(&set) {
            self.modify(aws, group, batch.iter().map(parameter).collect()).await?;
        }
        for batch in batches(&reset) {
            self.reset(aws, group, batch.iter().map(parameter).collect()).await?;
        }
        Ok(())
    }

    async fn list(
        self,
        aws: &Aws,
        group: &str,
        source: Option<&str>,
    ) -> Result<Vec<Parameter>, Error> {
        let source = source.map(str::to_owned);
        let mut parameters = Vec::new();
        match self {
            Self::Instances => {
                let call = aws.rds.describe_db_parameters().db_parameter_group_name(group);
                let mut pages = call.set_source(source).into_paginator().send();
                while let Some(page) = pages.next().await {
                    parameters.extend(page?.parameters.unwrap_or_default());
                }
            }
            Self::Clusters => {
                let call = aws.rds.describe_db_cluster_parameters();
                let call = call.db_cluster_parameter_group_name(group);
                let mut pages = call.set_source(source).into_paginator().send();
                while let Some(page) = pages.next().await {
                    parameters.extend(page?.parameters.unwrap_or_default());
                }
            }
        }
        Ok(parameters)
    }

    async fn modify(self, aws: &Aws, group: &str, batch: Vec<Parameter>) -> Result<(), Error> {
        match self {
            Self::Instances => {
                let call = aws.rds.modify_db_parameter_group().db_parameter_group_name(group);
                call.set_parameters(Some(batch)).send().await?;
            }
            Self::Clusters => {
                let call = aws.rds.modify_db_cluster_parameter_group();
                let call = call.db_cluster_parameter_group_name(group);
                call.set_parameters(Some(batch)).send().await?;
            }
        }
        Ok(())
    }

    async fn reset(self, aws: &Aws, group: &str, batch: Vec<Parameter>) -> Result<(), Error> {
        match self {
            Self::Instances => {
                let call = aws.rds.reset_db_parameter_group().db_parameter_group_name(group);
                call.reset_all_parameters(false).set_parameters(Some(batch)).send().await?;
            }
            Self::Clusters => {
                let call = aws.rds.reset_db_cluster_parameter_group();
                let call = call.db_cluster_parameter_group_name(group);
                call.reset_all_parameters(false).set_parameters(Some(batch)).send().await?;
            }
        }
        Ok(())
    }

    /// The parameters of the group's engine that change without a restart.
    async fn dynamic(self, aws: &Aws, group: &str) -> Result<BTreeSet<String>, Error> {
        let all = self.list(aws, group, None).await?.into_iter();
        let dynamic = all.filter(|one| one.apply_type() == Some("dynamic"));
        Ok(dynamic.filter_map(|one| one.parameter_name).collect())
    }
}

/// The parameters in live's spelling where that means the same. Words and numbers (`ON`, `UTF8`)
/// ignore case; anything with other characters, such as a log line's pattern, does not.
pub fn in_words_of(live: &Values, desired: Values) -> Values {
    desired.into_iter().map(|(name, value)| spelled(live, name, value)).collect()
}

fn spelled(live: &Values, name: String, value: String) -> (String, String) {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_-.,".contains(c));
    match live.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)) {
        Some((key, have)) if plain(&value) && have.eq_ignore_ascii_case(&value) => {
            (key.clone(), have.clone())
        }
        Some((key, _)) => (key.clone(), value),
        None => (name, value),
    }
}

fn values(parameters: Vec<Parameter>) -> Values {
    let pair = |one: Parameter| Some((one.parameter_name?, one.parameter_value?));
    parameters.into_iter().filter_map(pair).collect()
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
        let live = [("log_statement", "DDL"), ("log_line_prefix", "%U")];
        let live = live.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
        let spelled = |name: &str, value: &str| spelled(&live, name.into(), value.into());
        assert_eq!(spelled("Log_Statement", "ddl"), ("log_statement".into(), "DDL".into()));
        assert_eq!(spelled("log_line_prefix", "%u"), ("log_line_prefix".into(), "%u".into()));
    }
}
