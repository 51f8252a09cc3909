//! A server of an Aurora cluster.

use std::path::Path;

use aws_sdk_rds::types::DbInstance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::rest;
use crate::aws::spelling::{fold, fold_key};
use crate::aws::words::{parse, word};
use crate::aws::{Aws, Class, Error, absent, gone_is_fine, rds_tags};
use crate::field::{
    Computed, DbClusterName, DbParameterGroupName, Derived, Differs, Immutable, KmsKeyArn, RoleArn,
    Tags, changed, leave_out,
};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted};

/// A server of an Aurora cluster. The data, the password, the backups and the network are the
/// `rds_cluster`'s; deleting a server loses none of them.
///
/// The first server of a cluster writes; the others read, and take over by their promotion tier.
/// Changes are made at once, never put off to the maintenance window. Names are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RdsClusterInstance {
    /// The cluster that it works for.
    pub cluster: Immutable<DbClusterName>,
    /// The cluster's engine.
    pub engine: Immutable<Engine>,
    /// Size of the machine, such as `db.r6g.large`, or `db.serverless`, which needs the cluster's
    /// `serverless`. A change restarts the server.
    #[schemars(regex(pattern = r"^db\.[a-z0-9.-]+$"))]
    pub instance_class: String,
    /// Settings of the engine that are the server's own. AWS starts with the engine's default
    /// group. A change restarts the server once AWS says that it is pending a reboot; so does a
    /// change of a static parameter in the group.
    #[schemars(extend("x-follows" = "static parameters need a restart"))]
    pub parameter_group: Option<DbParameterGroupName>,
    /// Whether the server has an address that the internet can reach, if the cluster's security
    /// groups and subnets allow it. Default false.
    #[serde(default)]
    pub publicly_accessible: bool,
    /// Where it stands, such as `us-east-1a`. AWS picks one.
    pub availability_zone: Option<Immutable<String>>,
    /// Who takes over when the writing server fails: the lowest first, 0 to 15. AWS starts with 1.
    #[schemars(range(min = 0, max = 15))]
    pub promotion_tier: Option<i32>,
    /// When AWS may do maintenance, in UTC: `sun:05:00-sun:05:30`. AWS picks one.
    pub maintenance_window: Option<String>,
    /// AWS moves the server to new minor versions in the maintenance window. AWS starts with true.
    pub auto_minor_version_upgrade: Option<bool>,
    /// Record which queries load the server. AWS starts with false.
    pub performance_insights: Option<bool>,
    /// The KMS key of that record. It can't be changed once there is one: that replaces the server.
    pub performance_insights_kms_key: Option<KmsKeyArn>,
    /// Days for which that record is kept: 7, a multiple of 31, or 731. AWS starts with 7, which is
    /// free.
    #[schemars(range(min = 7, max = 731))]
    pub performance_insights_retention_days: Option<i32>,
    /// Seconds between the operating system's measurements: 1, 5, 10, 15, 30 or 60; 0 turns them
    /// off. Needs `monitoring_role`. AWS starts with 0.
    pub monitoring_interval_seconds: Option<i32>,
    /// The role with which RDS writes those measurements to CloudWatch Logs
    /// (`AmazonRDSEnhancedMonitoringRole`).
    pub monitoring_role: Option<RoleArn>,
    /// The authority of the server's TLS certificate, such as `rds-ca-rsa2048-g1`. A change may
    /// restart the server.
    pub ca_certificate: Option<String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Name of this server's own host; the cluster has others that lead to whoever writes or reads.
    #[serde(default)]
    pub host: Computed<String>,
    /// `arn:aws:rds:region:account:db:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The service's own word: `creating`, `available`, `modifying`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// What AWS is still doing although the status says `available`.
    #[serde(default)]
    pub unsettled: Computed<String>,
    /// The server must restart before its parameter group counts in full. lagoa restarts it;
    /// `ignore: [reboot_pending]` leaves that to you.
    #[serde(default)]
    pub reboot_pending: Derived<bool>,
}

/// An engine that Aurora clusters run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Engine {
    AuroraPostgresql,
    AuroraMysql,
}

/// Statuses in which the server is as it was left: in order, or stopped together with its cluster.
const USABLE: &[&str] = &["available", "stopped", "storage-optimization"];

/// Statuses that a server doesn't leave by itself.
const TERMINAL: &[&str] = &[
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-create",
    "incompatible-network",
    "incompatible-parameters",
    "insufficient-capacity",
    "upgrade-failed",
];

impl Kind for RdsClusterInstance {
    const EXAMPLE: &'static str = "
coins-writer:
  kind: rds_cluster_instance
  cluster: coins-aurora
  engine: aurora-postgresql
  instance_class: db.serverless
  promotion_tier: 0
  maintenance_window: sun:05:00-sun:05:30
  auto_minor_version_upgrade: true
  tags: { Projeto: Bootcamp }
coins-aurora:
  kind: rds_cluster
  engine: aurora-postgresql
  engine_version: '16'
  username: coins
  managed_password: true
  serverless: { min_acu: 0.5, max_acu: 4 }
  on_destroy: delete
";
    const NAME: &'static str = "^[a-zA-Z]{1}(?:-?[a-zA-Z0-9]){0,62}$";
    const SERVES: Option<&'static str> = Some("cluster");
    const ACCESS: Access = Access {
        read: &[Grant::of(&["rds:DescribeDBInstances"], &["rds:{region}:{account}:db:*"])],
        write: &[
            Grant::of(
                &[
                    "rds:AddTagsToResource",
                    "rds:CreateDBInstance",
                    "rds:ModifyDBInstance",
                    "rds:RebootDBInstance",
                    "rds:RemoveTagsFromResource",
                ],
                &["rds:{region}:{account}:db:{name}"],
            ),
            Grant::of(
                &["rds:CreateDBInstance", "rds:ModifyDBInstance"],
                &[
                    "rds:{region}:{account}:cluster:{cluster}",
                    "rds:{region}:{account}:og:default*",
                    "rds:{region}:{account}:pg:{parameter_group|default*}",
                    "rds:{region}:{account}:subgrp:*",
                ],
            ),
            Grant::passing(
                &["iam::{account}:role/{monitoring_role}"],
                &["monitoring.rds.amazonaws.com"],
            ),
            Grant::encrypting(&["rds"], "performance_insights_kms_key"),
        ],
        delete: &[Grant::of(&["rds:DeleteDBInstance"], &["rds:{region}:{account}:db:{name}"])],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(8 * 60, 5 * 60);

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.rds.describe_db_instances();
        let call = match wanted {
            [one] => call.db_instance_identifier(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for instance in page.db_instances() {
                let name = instance.db_instance_identifier().unwrap_or_default();
                let Some(cluster) = instance.db_cluster_identifier() else { continue };
                if let Some(one) = wanted.iter().find(|one| one.name == name) {
                    let mut fields = fields(instance, name, cluster)?;
                    let desired = one.desired.as_ref();
                    fields.unsettled = unsettled(instance, desired).map(str::to_owned).into();
                    found.push(Found { name: name.to_owned(), fields });
                }
            }
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("rds", "db:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<DbInstance>, _> =
            aws.rds.describe_db_instances().into_paginator().items().send().collect().await;
        let names = all?
            .into_iter()
            .filter(|one| one.db_cluster_identifier.is_some())
            .filter_map(|one| one.db_instance_identifier);
        Ok(names.collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.rds.create_db_instance().db_instance_identifier(cx.name);
        call.db_cluster_identifier(self.cluster.to_string())
            .engine(word(&*self.engine))
            .db_instance_class(&self.instance_class)
            .set_db_parameter_group_name(self.parameter_group.as_deref().map(str::to_owned))
            .publicly_accessible(self.publicly_accessible)
            .set_availability_zone(self.availability_zone.clone().map(|zone| zone.0))
            .set_promotion_tier(self.promotion_tier)
            .set_preferred_maintenance_window(self.maintenance_window.clone())
            .set_auto_minor_version_upgrade(self.auto_minor_version_upgrade)
            .set_enable_performance_insights(self.performance_insights)
            .set_performance_insights_kms_key_id(
                self.performance_insights_kms_key.as_deref().map(str::to_owned),
            )
            .set_performance_insights_retention_period(self.performance_insights_retention_days)
            .set_monitoring_interval(self.monitoring_interval_seconds)
            .set_monitoring_role_arn(self.monitoring_role.as_deref().map(str::to_owned))
            .set_ca_certificate_identifier(self.ca_certificate.clone())
            .set_tags(Some(rds_tags::to_aws(&self.tags)))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        rds_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let class = &self.instance_class;
        let public = self.publicly_accessible;
        // AWS wants to hear whose interval it is whenever either of the two changes.
        let monitoring =
            self.monitoring_interval_seconds.differs(&live.monitoring_interval_seconds)
                || self.monitoring_role.differs(&live.monitoring_role);
        let role = self.monitoring_role.as_deref().map(str::to_owned);
        let call = cx
            .rds
            .modify_db_instance()
            .set_db_instance_class((*class != live.instance_class).then(|| class.clone()))
            .set_db_parameter_group_name(
                changed(&self.parameter_group, &live.parameter_group).map(|group| group.0),
            )
            .set_publicly_accessible((public != live.publicly_accessible).then_some(public))
            .set_promotion_tier(changed(&self.promotion_tier, &live.promotion_tier))
            .set_preferred_maintenance_window(changed(
                &self.maintenance_window,
                &live.maintenance_window,
            ))
            .set_auto_minor_version_upgrade(changed(
                &self.auto_minor_version_upgrade,
                &live.auto_minor_version_upgrade,
            ))
            .set_enable_performance_insights(changed(
                &self.performance_insights,
                &live.performance_insights,
            ))
            .set_performance_insights_kms_key_id(
                changed(&self.performance_insights_kms_key, &live.performance_insights_kms_key)
                    .map(|key| key.0),
            )
            .set_performance_insights_retention_period(changed(
                &self.performance_insights_retention_days,
                &live.performance_insights_retention_days,
            ))
            .set_monitoring_interval(self.monitoring_interval_seconds.filter(|_| monitoring))
            .set_monitoring_role_arn(role.filter(|_| monitoring))
            .set_ca_certificate_identifier(changed(&self.ca_certificate, &live.ca_certificate));
        if call.as_input() != cx.rds.modify_db_instance().as_input() {
            let call = call.db_instance_identifier(cx.name).apply_immediately(true);
            let cluster = &*live.cluster.0;
            let wake = format!("aws rds start-db-cluster --db-cluster-identifier {cluster}");
            let refused = |error| rest::explained(error, live.status.as_deref(), &wake);
            call.send().await.map_err(Error::from).map_err(refused)?;
        } else if *self.reboot_pending == Some(false) && *live.reboot_pending == Some(true) {
            cx.rds.reboot_db_instance().db_instance_identifier(cx.name).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if self.status.as_deref() == Some("deleting") {
            return Ok(());
        }
        // The data is the cluster's, and so is its last snapshot.
        let call = cx.rds.delete_db_instance().db_instance_identifier(cx.name);
        match call.skip_final_snapshot(true).send().await.map_err(Error::from) {
            Err(error) if error.message.contains("already being deleted") => Ok(()),
            answer => gone_is_fine(answer),
        }
    }

    fn phase(&self) -> Phase {
        match (self.status.as_deref().unwrap_or("unknown"), self.unsettled.as_deref()) {
            (status, _) if TERMINAL.contains(&status) => Phase::Failed(status.to_owned()),
            (status, _) if !USABLE.contains(&status) => Phase::Pending(status.to_owned()),
            (_, Some(what)) => Phase::Pending(what.to_owned()),
            (_, None) => Phase::Ready,
        }
    }

    fn accept(&mut self, live: &Self) {
        if self.cluster.eq_ignore_ascii_case(&live.cluster) {
            self.cluster.clone_from(&live.cluster);
        }
        fold(&mut self.parameter_group, &live.parameter_group);
        fold(&mut self.maintenance_window, &live.maintenance_window);
        fold_key(&mut self.performance_insights_kms_key, &live.performance_insights_kms_key);
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("rds", &site.region, &format!("db:{name}")).into();
        self.reboot_pending = false.into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.maintenance_window = None;
        self.ca_certificate = None;
        self.availability_zone = None;
        leave_out(&mut self.auto_minor_version_upgrade, true);
        leave_out(&mut self.promotion_tier, 1);
        leave_out(&mut self.performance_insights, false);
        leave_out(&mut self.monitoring_interval_seconds, 0);
        self.parameter_group.take_if(|group| group.starts_with("default"));
        if self.performance_insights.is_none() {
            self.performance_insights_kms_key = None;
            self.performance_insights_retention_days = None;
        }
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        let insights = &self.performance_insights_kms_key;
        let has_one = live.performance_insights_kms_key.is_some();
        (has_one && insights.differs(&live.performance_insights_kms_key))
            .then(|| "AWS can't change the key of performance insights".to_owned())
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: &str| wrong.push((path.to_owned(), message.to_owned()));
        let interval = self.monitoring_interval_seconds.unwrap_or_default();
        if ![0, 1, 5, 10, 15, 30, 60].contains(&interval) {
            say("monitoring_interval_seconds", "AWS takes 0, 1, 5, 10, 15, 30 or 60");
        }
        if interval != 0 && self.monitoring_role.is_none() {
            let message = "measuring needs a role with the policy AmazonRDSEnhancedMonitoringRole";
            say("monitoring_role", message);
        }
        let days = self.performance_insights_retention_days.unwrap_or(7);
        if days != 7 && days != 731 && days % 31 != 0 {
            say("performance_insights_retention_days", "AWS takes 7, a multiple of 31, or 731");
        }
        wrong
    }
}

/// The fields, with what AWS is about to change counted as changed.
fn fields(instance: &DbInstance, name: &str, cluster: &str) -> Result<RdsClusterInstance, Error> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let engine = instance.engine().unwrap_or_default();
    let engine = parse(engine).ok_or_else(|| {
        let message = format!("{name} runs {engine}, which isn't an engine of Aurora");
        Error::new(Class::Terminal, message)
    })?;
    let group = instance.db_parameter_groups().first();
    let pending = instance.pending_modified_values();
    let class = pending.and_then(|soon| soon.db_instance_class()).or(instance.db_instance_class());
    let certificate = pending.and_then(|soon| soon.ca_certificate_identifier());
    let reboot = group.and_then(|group| group.parameter_apply_status());
    Ok(RdsClusterInstance {
        cluster: Immutable(DbClusterName::from(cluster)),
        engine: Immutable(engine),
        instance_class: class.unwrap_or_default().to_owned(),
        parameter_group: group
            .and_then(|group| group.db_parameter_group_name())
            .map(DbParameterGroupName::from),
        publicly_accessible: instance.publicly_accessible().unwrap_or_default(),
        availability_zone: text(instance.availability_zone()).map(Immutable),
        promotion_tier: instance.promotion_tier(),
        maintenance_window: text(instance.preferred_maintenance_window()),
        auto_minor_version_upgrade: Some(instance.auto_minor_version_upgrade().unwrap_or_default()),
        performance_insights: Some(instance.performance_insights_enabled().unwrap_or_default()),
        performance_insights_kms_key: instance
            .performance_insights_kms_key_id()
            .map(KmsKeyArn::from),
        performance_insights_retention_days: instance.performance_insights_retention_period(),
        monitoring_interval_seconds: Some(instance.monitoring_interval().unwrap_or_default()),
        monitoring_role: instance.monitoring_role_arn().map(RoleArn::from),
        ca_certificate: text(certificate.or(instance.ca_certificate_identifier())),
        tags: rds_tags::from_aws(instance.tag_list()),
        host: text(instance.endpoint().and_then(|endpoint| endpoint.address())).into(),
        arn: text(instance.db_instance_arn()).into(),
        status: text(instance.db_instance_status()).into(),
        unsettled: Computed::default(),
        reboot_pending: Derived::from(reboot == Some("pending-reboot")),
    })
}

/// What must come to rest beside the status. What somebody else has queued is none of our waiting.
fn unsettled(instance: &DbInstance, desired: Option<&RdsClusterInstance>) -> Option<&'static str> {
    let pending = instance.pending_modified_values();
    let class = pending.and_then(|soon| soon.db_instance_class());
    if class.is_some() && class == desired.map(|desired| desired.instance_class.as_str()) {
        return Some("changing instance_class");
    }
    let mut groups = instance.db_parameter_groups().iter();
    groups
        .any(|group| group.parameter_apply_status() == Some("applying"))
        .then_some("parameter group applying")
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::{DbParameterGroupStatus, PendingModifiedValues};
    use serde_json::json;

    use super::*;

    #[test]
    fn available_is_not_always_settled() {
        let instance = || DbInstance::builder().db_instance_status("available");
        let desired: RdsClusterInstance = serde_json::from_value(json!({
            "cluster": "c", "engine": "aurora-mysql", "instance_class": "db.r6g.large",
        }))
        .expect("a server");
        let group = |status: &str| {
            let group = DbParameterGroupStatus::builder().parameter_apply_status(status).build();
            instance().db_parameter_groups(group).build()
        };
        let applying = group("applying");
        assert_eq!(unsettled(&applying, None), Some("parameter group applying"));
        assert_eq!(unsettled(&group("pending-reboot"), None), None);
        let larger = |class: &str| {
            let pending = PendingModifiedValues::builder().db_instance_class(class).build();
            instance().pending_modified_values(pending).build()
        };
        let changing = larger("db.r6g.large");
        assert_eq!(unsettled(&changing, Some(&desired)), Some("changing instance_class"));
        assert_eq!(unsettled(&larger("db.r6g.xlarge"), Some(&desired)), None);
    }
}
