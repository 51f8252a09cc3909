//! What a stack can't say of a cluster, what it had better not, and what means the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::machines::Market;
use super::{EmrCluster, V2_TAG};
use crate::aws::retired;
use crate::field::{Immutable, RoleName};
use crate::kind::Neighbours;
use crate::reference::{is_marked, references};

/// AWS's managed policy of the service role, which works only on what is tagged.
const V2_POLICY: &str = "AmazonEMRServicePolicy_v2";
const V2_ROLE: &str = "EMR_DefaultRole_V2";
/// The only instance profile whose role that policy lets EMR pass on.
const V2_PROFILE: &str = "EMR_EC2_DefaultRole";

impl EmrCluster {
    pub(super) fn wrong(&self) -> Vec<(String, String)> {
        let wrong = [self.wrong_machines(), self.wrong_fleets(), self.wrong_settings()];
        let wrong = wrong.into_iter().flatten();
        wrong.map(|(path, message)| (path, message.to_owned())).chain(self.retired()).collect()
    }

    fn retired(&self) -> Option<(String, String)> {
        let why = retired::retired("emr_cluster.release_label", &self.release_label)?;
        Some(("release_label".to_owned(), why))
    }

    /// Groups, and which of them and of fleets stand together.
    fn wrong_machines(&self) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message| wrong.push((path.to_owned(), message));
        let fleets = self.primary_fleet.is_some();
        match (&self.primary, &self.primary_fleet) {
            (None, None) => say("", "a cluster needs `primary` or `primary_fleet`"),
            (Some(_), Some(_)) => say(
                "primary_fleet",
                "a cluster has groups or fleets, not both: leave out `primary` or `primary_fleet`",
            ),
            (Some(primary), None) if ![1, 3].contains(&primary.count) => {
                say("primary.count", "a cluster has 1 primary node, or 3");
            }
            (Some(primary), None) if primary.count == 3 && self.core.is_none() => {
                say("core", "three primary nodes need `core` nodes beside them");
            }
            _ => {}
        }
        if fleets && (self.core.is_some() || !self.tasks.is_empty()) {
            let path = if self.core.is_some() { "core" } else { "tasks" };
            say(path, "a cluster with fleets has no groups: use `core_fleet` and `task_fleet`");
        }
        if self.core.is_none() && !self.tasks.is_empty() && !fleets {
            say("tasks", "task nodes need `core` nodes beside them");
        }
        if self.core.as_ref().is_some_and(|core| core.count == 0) {
            say("core.count", "a group of core nodes has at least one; leave `core` out for none");
        }
        let subnets = self.subnets.as_deref().map_or(0, |subnets| subnets.len());
        if subnets > 1 && !fleets {
            say("subnets", "groups stand in one subnet: AWS chooses among several only for fleets");
        }
        let groups = [("primary", &self.primary), ("core", &self.core)].into_iter();
        let groups = groups.filter_map(|(name, one)| Some((name.to_owned(), one.as_ref()?)));
        let tasks = self.tasks.iter().map(|(name, one)| (format!("tasks.{name}"), one));
        for (path, group) in groups.chain(tasks) {
            if group.bid_price.is_some() && *group.market == Market::OnDemand {
                say(&format!("{path}.bid_price"), "a bid is for `market: SPOT`");
            }
        }
        wrong
    }

    fn wrong_fleets(&self) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message| wrong.push((path.to_owned(), message));
        let others = self.core_fleet.is_some() || self.task_fleet.is_some();
        if self.primary_fleet.is_none() && others {
            let path = if self.core_fleet.is_some() { "core_fleet" } else { "task_fleet" };
            say(path, "a fleet needs `primary_fleet` beside it: a cluster has groups or fleets");
        }
        for (path, fleet) in [
            ("primary_fleet", &self.primary_fleet),
            ("core_fleet", &self.core_fleet),
            ("task_fleet", &self.task_fleet),
        ] {
            let Some(fleet) = fleet else { continue };
            if fleet.instance_types.is_empty() {
                say(&format!("{path}.instance_types"), "a fleet needs a type of machine at least");
            }
            if fleet.spot_timeout_minutes.is_some() != fleet.spot_timeout_action.is_some() {
                say(path, "`spot_timeout_minutes` and `spot_timeout_action` go together");
            }
            if path == "primary_fleet" && fleet.on_demand + fleet.spot != 1 {
                say(path, "a primary fleet has one node: `on_demand: 1`, or `spot: 1`");
            }
        }
        wrong
    }

    fn wrong_settings(&self) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message| wrong.push((path.to_owned(), message));
        let idle = self.auto_termination_idle_seconds;
        if idle != 0 && idle < 60 {
            let message = "at least 60 seconds; 0, or nothing, turns it off";
            say("auto_termination_idle_seconds", message);
        }
        let scaling = &self.managed_scaling;
        if scaling.maximum > 0 && scaling.minimum > scaling.maximum {
            say("managed_scaling.minimum", "the minimum is more than the maximum");
        }
        if scaling.maximum > 0 && scaling.minimum == 0 {
            say("managed_scaling.minimum", "managed scaling needs a minimum of at least 1");
        }
        if scaling.maximum == 0 && scaling.minimum > 0 {
            say("managed_scaling.maximum", "`maximum` is missing: managed scaling needs both");
        }
        let s3 = |uri: &str| uri.starts_with("s3://") || uri.starts_with("s3n://");
        if self.log_uri.as_ref().is_some_and(|uri| !is_marked(uri) && !s3(uri)) {
            say("log_uri", "write `s3://bucket/folder/`");
        }
        let message = "AWS wants both `primary_security_group` and `core_security_group`, or none";
        match (&self.primary_security_group, &self.core_security_group) {
            (Some(_), None) => say("primary_security_group", message),
            (None, Some(_)) => say("core_security_group", message),
            _ => {}
        }
        wrong
    }

    pub(super) fn doubtful(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let mut doubts = Vec::new();
        if !self.keep_alive {
            doubts.push((
                "keep_alive".to_owned(),
                "the cluster ends itself as soon as it is up and has no steps: to end it after a \
                 while without work, keep it true and set `auto_termination_idle_seconds`"
                    .to_owned(),
            ));
        }
        let old = retired::unsupported("emr_cluster.release_label", &self.release_label);
        doubts.extend(old.map(|why| ("release_label".to_owned(), why)));
        doubts.extend(self.untagged(among));
        doubts
    }

    /// What the second version of AWS's service policy won't work with.
    fn untagged(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let value = Value::String(self.service_role.0.0.clone());
        let fields = among.referred(&value).into_iter().next().map(|(_, fields)| fields);
        let policies = fields.map(|fields| fields["managed_policies"].to_string());
        let in_stack = policies.is_some_and(|policies| policies.contains(V2_POLICY));
        let role = named(&value);
        if !in_stack && role != V2_ROLE {
            return Vec::new();
        }
        let mut doubts = self.untagged_network(&role, among);
        if self.subnets.is_none() {
            let message = format!(
                "{role} may use only what is tagged: the default VPC and its subnets need the tag \
                 once (aws ec2 create-tags --resources VPC_ID SUBNET_ID --tags \
                 Key={V2_TAG},Value=true), or give the cluster a subnet that has it"
            );
            doubts.push(("service_role".to_owned(), message));
        }
        let profile = named(&Value::String(self.instance_profile.0.0.clone()));
        let grants = |fields: &Value| {
            let inline = fields["inline_policies"].as_object().is_some_and(|all| !all.is_empty());
            let managed = fields["managed_policies"].as_array().is_some_and(|all| all.len() > 1);
            inline || managed
        };
        if profile != V2_PROFILE && fields.is_some_and(|fields| !grants(fields)) {
            let message = format!(
                "{V2_POLICY} lets EMR pass on the role {V2_PROFILE} only: give {role} a policy that \
                 allows iam:PassRole for {profile}"
            );
            doubts.push(("instance_profile".to_owned(), message));
        }
        doubts
    }

    /// Subnets and security groups of the stack without the tag.
    fn untagged_network(&self, role: &str, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let subnets = self.subnets.as_deref().into_iter().flatten().map(|one| one.0.as_str());
        let groups = [
            ("primary_security_group", &self.primary_security_group),
            ("core_security_group", &self.core_security_group),
            ("service_access_security_group", &self.service_access_security_group),
        ];
        let groups =
            groups.iter().filter_map(|(path, group)| Some((*path, group.as_deref()?.0.as_str())));
        let mut told = BTreeSet::new();
        let mut doubts = Vec::new();
        for (path, value) in subnets.map(|one| ("subnets", one)).chain(groups) {
            for key in keys(&Value::String(value.to_owned())) {
                let tags = among.get(&key).map(|(_, fields)| &fields["tags"][V2_TAG]);
                if tags.is_some_and(|tag| tag != "true") && told.insert(key.clone()) {
                    let message = format!(
                        "{role} may use only what is tagged: write `{V2_TAG}: \"true\"` below the \
                         tags of {key}"
                    );
                    doubts.push((path.to_owned(), message));
                }
            }
        }
        doubts
    }

    /// Takes over from live what means the same.
    pub(super) fn take_over(&mut self, live: &Self) {
        let folded = |names: &BTreeSet<String>| {
            names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>()
        };
        if let (Some(want), Some(have)) = (&mut self.applications, &live.applications)
            && folded(want) == folded(have)
        {
            want.clone_from(have);
        }
        if let (Some(want), Some(have)) = (&mut self.log_uri, &live.log_uri)
            && bare(want) == bare(have)
        {
            want.clone_from(have);
        }
        let role = |want: &mut Immutable<RoleName>, have: &Immutable<RoleName>| {
            if last_part(want) == last_part(have) {
                want.clone_from(have);
            }
        };
        role(&mut self.service_role, &live.service_role);
        if let (Some(want), Some(have)) = (&mut self.auto_scaling_role, &live.auto_scaling_role) {
            role(want, have);
        }
        if last_part(&self.instance_profile) == last_part(&live.instance_profile) {
            self.instance_profile.clone_from(&live.instance_profile);
        }
        // Written out by hand it is the same catalog.
        if self.configurations.as_deref().is_some_and(|own| own.has_glue_catalog()) {
            self.glue_catalog = live.glue_catalog.clone();
        }
        let scaled = self.managed_scaling.maximum > 0;
        let pairs =
            [(&mut self.primary, &live.primary, false), (&mut self.core, &live.core, scaled)];
        for (want, have, scaled) in pairs {
            if let (Some(want), Some(have)) = (want, have) {
                want.accept(have, scaled);
            }
        }
        for (name, want) in &mut self.tasks {
            if let Some(have) = live.tasks.get(name) {
                want.accept(have, scaled);
            }
        }
        let pairs = [
            (&mut self.primary_fleet, &live.primary_fleet, false),
            (&mut self.core_fleet, &live.core_fleet, scaled),
            (&mut self.task_fleet, &live.task_fleet, scaled),
        ];
        for (want, have, scaled) in pairs {
            if let (Some(want), Some(have)) = (want, have) {
                want.accept(have, scaled);
            }
        }
    }

    /// What a reviewer should know of a change.
    pub(super) fn remarks(&self, live: Option<&Self>) -> Vec<String> {
        let Some(live) = live else { return Vec::new() };
        let mut remarks = Vec::new();
        if let (Some(want), Some(have)) = (&self.core, &live.core)
            && want.count < have.count
        {
            let (from, to) = (have.count, want.count);
            remarks.push(format!(
                "the core group shrinks from {from} to {to}: HDFS moves its blocks off the nodes that go"
            ));
        }
        let gone = live.tasks.keys().filter(|name| !self.tasks.contains_key(*name));
        remarks.extend(gone.map(|name| {
            format!("the task group {name} loses its machines; EMR keeps the empty group")
        }));
        remarks
    }
}

/// Keys of the resources that a value refers to.
fn keys(value: &Value) -> Vec<String> {
    references(value).into_iter().map(|reference| reference.key).collect()
}

/// The key of the resource that a value refers to, or the name in it.
fn named(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    keys(value).into_iter().next().unwrap_or_else(|| last_part(text).to_owned())
}

/// EMR writes `s3n://` for `s3://`, and a slash at the end.
fn bare(uri: &str) -> &str {
    let path = uri.split_once("://").map_or(uri, |(_, path)| path);
    path.trim_end_matches('/')
}

/// The name in an ARN, or the name.
fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(more: Value) -> EmrCluster {
        let mut fields = json!({
            "release_label": "emr-7.5.0", "service_role": "role", "instance_profile": "profile",
            "primary": { "instance_type": "m5.xlarge" },
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(fields).unwrap()
    }

    fn paths(more: Value) -> Vec<String> {
        cluster(more).wrong().into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn what_emr_would_refuse_is_refused() {
        let node = json!({ "instance_type": "m5.xlarge" });
        assert!(paths(json!({})).is_empty());
        assert_eq!(paths(json!({ "tasks": { "a": node } })), ["tasks"]);
        assert_eq!(
            paths(json!({ "auto_termination_idle_seconds": 30 })),
            ["auto_termination_idle_seconds"]
        );
        assert_eq!(
            paths(json!({ "managed_scaling": { "minimum": 3, "maximum": 2 } })),
            ["managed_scaling.minimum"]
        );
        assert_eq!(paths(json!({ "primary_security_group": "sg-1" })), ["primary_security_group"]);
        assert_eq!(paths(json!({ "log_uri": "bucket/logs" })), ["log_uri"]);
        let bid = json!({ "instance_type": "m5.xlarge", "bid_price": "0.1" });
        assert_eq!(paths(json!({ "core": bid })), ["core.bid_price"]);
    }

    #[test]
    fn spellings_of_aws_mean_the_same() {
        let mut want = cluster(json!({
            "applications": ["spark"], "log_uri": "s3://logs/emr", "core": { "instance_type": "m5.xlarge", "count": 2 },
            "managed_scaling": { "minimum": 1, "maximum": 9 },
        }));
        let have = cluster(json!({
            "applications": ["Spark"], "log_uri": "s3n://logs/emr/", "core": { "instance_type": "m5.xlarge", "count": 7 },
            "service_role": "arn:aws:iam::1:role/role",
        }));
        want.take_over(&have);
        assert_eq!(want.applications, have.applications);
        assert_eq!(want.log_uri, have.log_uri);
        assert_eq!(want.service_role, have.service_role);
        assert_eq!(want.core.unwrap().count, 7);
    }
}
