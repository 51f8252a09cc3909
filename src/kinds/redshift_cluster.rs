//! A Redshift cluster.

mod calls;
mod live;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::password::Password;
use crate::aws::rest;
use crate::aws::{Aws, Error, absent, gone_is_fine, redshift_tags};
use crate::field::{
    Computed, Derived, Immutable, KmsKeyArn, RedshiftParameterGroupName, RedshiftSubnetGroupName,
    RoleArn, SecretSource, SecurityGroupId, Tags, Warehouse, WriteOnly, leave_out,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Phase, Site, Takes, Wanted,
};

/// A Redshift cluster: a warehouse on nodes of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftCluster {
    /// Size of the nodes, such as `ra3.large` or `ra3.xlplus`. A change resizes the cluster.
    #[schemars(regex(pattern = r"^[a-z0-9]+\.[a-z0-9]+$"))]
    pub node_type: String,
    /// How many nodes, 1 to 100. A change resizes the cluster. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub number_of_nodes: i32,
    /// Permits the next change of `node_type` or `number_of_nodes` to copy all data to a new cluster,
    /// which is read-only for hours. Without it lagoa asks for an elastic resize, which takes
    /// minutes, and which AWS refuses for some combinations.
    pub allow_classic_resize: Option<WriteOnly<bool>>,
    /// Name of the first database. AWS's default is `dev`.
    #[schemars(regex(pattern = "^[a-z_][a-z0-9_$]{0,126}$"))]
    pub database: Option<Immutable<String>>,
    /// Name of the admin user.
    #[schemars(regex(pattern = "^[a-z_][a-z0-9_+.@-]{0,127}$"))]
    pub username: Immutable<String>,
    /// Redshift makes up the admin's password, keeps it in Secrets Manager and rotates it every 30
    /// days. `--rotate KEY` rotates it now. Either this or `password`. Default false.
    #[serde(default)]
    pub managed_password: bool,
    /// The KMS key of the managed password's secret. Without one, AWS's own `aws/secretsmanager`.
    pub managed_password_kms_key: Option<KmsKeyArn>,
    /// Where the admin's password comes from: `${env.NAME}` or a secret. Sent at creation, when
    /// `managed_password` is switched off, and with `--rotate KEY`.
    pub password: Option<WriteOnly<SecretSource>>,
    /// TCP port. AWS starts with 5439; RA3 nodes take 5431 to 5455 and 8191 to 8215.
    #[schemars(range(min = 1150, max = 65535))]
    pub port: Option<u16>,
    /// The subnets it may stand in. AWS starts with the default VPC's. A change replaces the cluster.
    pub subnet_group: Option<Immutable<RedshiftSubnetGroupName>>,
    /// Security groups in front of the cluster. AWS starts with the VPC's default group.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// Settings of the cluster. AWS starts with `default.redshift-…`. lagoa restarts the cluster
    /// once AWS says that it is pending a reboot.
    #[schemars(extend("x-follows" = "most parameters need a restart"))]
    pub parameter_group: Option<RedshiftParameterGroupName>,
    /// Roles that COPY, UNLOAD and external schemas may take, up to 50. AWS starts with none.
    pub iam_roles: Option<BTreeSet<RoleArn>>,
    /// The one of them that `IAM_ROLE default` means.
    pub default_iam_role: Option<RoleArn>,
    /// Whether the cluster has an address that the internet can reach, if its security groups and
    /// subnets allow it. Default false.
    #[serde(default)]
    pub publicly_accessible: bool,
    /// COPY and UNLOAD go through the VPC, where its rules and endpoints count. AWS starts with
    /// false.
    pub enhanced_vpc_routing: Option<bool>,
    /// Whether the data on disk is encrypted. AWS starts with true. A change copies all data in the
    /// background.
    pub encrypted: Option<bool>,
    /// The KMS key that encrypts the data: key, id, ARN or alias. Without one, AWS's own
    /// `aws/redshift`. An alias counts as whatever key the cluster has.
    pub kms_key: Option<KmsKeyArn>,
    /// Days for which automated snapshots are kept, 0 to 35; 0 turns them off, which RA3 nodes don't
    /// allow. AWS starts with 1.
    #[schemars(range(min = 0, max = 35))]
    pub snapshot_retention_days: Option<i32>,
    /// Days for which snapshots made by hand are kept, 1 to 3653, or -1 for ever. AWS starts with -1.
    #[schemars(range(min = -1, max = 3653))]
    pub manual_snapshot_retention_days: Option<i32>,
    /// When AWS may do maintenance, in UTC: `sun:05:00-sun:05:30`. AWS picks one.
    pub maintenance_window: Option<String>,
    /// `current` for new versions as they come, `trailing` for the ones before. Counts from the
    /// next maintenance window on.
    pub maintenance_track: Option<String>,
    /// AWS moves the cluster to new versions in the maintenance window. AWS starts with true.
    pub version_upgrade: Option<bool>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Name of the host to connect to.
    #[serde(default)]
    pub host: Computed<String>,
    /// Port that the cluster answers on.
    #[serde(default)]
    pub endpoint_port: Computed<u16>,
    /// How seeds send their SQL: cluster, database, secret or user.
    #[serde(default)]
    pub connection: Computed<Warehouse>,
    /// The secret with the managed password: a JSON object with `username` and `password`.
    #[serde(default)]
    pub master_secret_arn: Computed<String>,
    /// `arn:aws:redshift:region:account:cluster:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// ARN of what is in the cluster, for data shares and IAM policies.
    #[serde(default)]
    pub namespace_arn: Computed<String>,
    /// Id of the VPC.
    #[serde(default)]
    pub vpc: Computed<String>,
    /// The service's own word: `creating`, `available`, `resizing`, …
    #[serde(default)]
    pub status: Computed<String>,
    /// What AWS is still doing although the status says `available`.
    #[serde(default)]
    pub unsettled: Computed<String>,
    /// The cluster must restart before its parameter group counts in full. lagoa restarts it, which
    /// ends its connections; `ignore: [reboot_pending]` leaves that to you.
    #[serde(default)]
    pub reboot_pending: Derived<bool>,
}

fn one() -> i32 {
    1
}

impl Kind for RedshiftCluster {
    const EXAMPLE: &'static str = "
warehouse:
  kind: redshift_cluster
  node_type: ra3.large
  number_of_nodes: 2
  database: sales
  username: admin
  managed_password: true
  port: 5440
  subnet_group: warehouse-subnets
  parameter_group: warehouse-settings
  iam_roles: [warehouse-copy]
  default_iam_role: warehouse-copy
  enhanced_vpc_routing: true
  encrypted: true
  snapshot_retention_days: 7
  maintenance_window: sun:05:00-sun:05:30
  tags: { Projeto: Bootcamp }
  on_destroy: delete
warehouse-subnets:
  kind: redshift_subnet_group
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
warehouse-settings:
  kind: redshift_parameter_group
  family: redshift-1.0
  parameters: { require_ssl: 'true' }
warehouse-copy:
  kind: iam_role
  service: redshift.amazonaws.com
";
    const NAME: &'static str = "^[a-z](?:-?[a-z0-9]){0,62}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["redshift:DescribeClusters"], &["redshift:{region}:{account}:cluster:*"]),
            // Seeds leave their marks among its tags.
            Grant::of(&["redshift:DescribeTags"], &["redshift:{region}:{account}:cluster:{name}"]),
        ],
        write: &[
            Grant::of(
                &[
                    "redshift:CreateCluster",
                    "redshift:CreateTags",
                    "redshift:DeleteTags",
                    "redshift:ModifyCluster",
                    "redshift:ModifyClusterIamRoles",
                    "redshift:RebootCluster",
                    "redshift:ResizeCluster",
                ],
                &["redshift:{region}:{account}:cluster:{name}"],
            ),
            Grant::passing(
                &["iam::{account}:role/{iam_roles}", "iam::{account}:role/{default_iam_role}"],
                &["redshift.amazonaws.com"],
            ),
            Grant::linking(&["redshift.amazonaws.com"]),
            Grant::of(
                &[
                    "secretsmanager:CreateSecret",
                    "secretsmanager:DeleteSecret",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:RotateSecret",
                    "secretsmanager:TagResource",
                    "secretsmanager:UpdateSecret",
                ],
                &["secretsmanager:{region}:{account}:secret:redshift!*"],
            )
            .given("managed_password"),
            Grant::of(&["secretsmanager:GetRandomPassword"], ANY).given("managed_password"),
            Grant::encrypting(&["redshift"], "kms_key"),
            Grant::encrypting(&["redshift", "secretsmanager"], "managed_password_kms_key"),
        ],
        delete: &[
            Grant::of(&["redshift:DeleteCluster"], &["redshift:{region}:{account}:cluster:{name}"]),
            Grant::of(
                &["redshift:CreateClusterSnapshot"],
                &["redshift:{region}:{account}:snapshot:{name}/*"],
            ),
        ],
        foreseen: &[("master_secret_arn", "secretsmanager:{region}:{account}:secret:redshift!*")],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("a warehouse");
    const ON_DESTROY: &'static [OnDestroy] =
        &[OnDestroy::Delete, OnDestroy::Retain, OnDestroy::Snapshot];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Snapshot);
    const TAKES: Takes = Takes::seconds(330, 200);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.redshift.describe_clusters();
        let call = match wanted {
            [one] => call.cluster_identifier(&one.name),
            _ => call,
        };
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            for cluster in page.clusters() {
                let name = cluster.cluster_identifier().unwrap_or_default();
                if wanted.iter().any(|one| one.name == name) {
                    let fields = live::read(cluster, &aws.site);
                    found.push(Found { name: name.to_owned(), fields });
                }
            }
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("redshift", "cluster:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all: Result<Vec<_>, _> =
            aws.redshift.describe_clusters().into_paginator().items().send().collect().await;
        let names = all?.into_iter().filter_map(|one| one.cluster_identifier);
        Ok(names.collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = self.with_settings(cx.redshift.create_cluster().cluster_identifier(cx.name));
        let call = if self.managed_password {
            let key = self.managed_password_kms_key.as_deref().map(str::to_owned);
            call.manage_master_password(true).set_master_password_secret_kms_key_id(key)
        } else {
            call.set_master_user_password(
                Password::of(cx, self.password.as_deref()).await?.for_call(),
            )
        };
        call.set_tags(Some(redshift_tags::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    /// One change at a time: AWS refuses the next one while the cluster is busy with the last.
    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        redshift_tags::update(cx, arn, &self.tags, &live.tags).await?;
        let wake = format!("aws redshift resume-cluster --cluster-identifier {}", cx.name);
        let refused = |error| rest::explained(error, live.status.as_deref(), &wake);
        self.change(live, cx).await.map_err(refused)
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if self.is_leaving() {
            return Ok(());
        }
        let call = cx.redshift.delete_cluster().cluster_identifier(cx.name);
        let call = if farewell.on_destroy == Some(OnDestroy::Delete) {
            call.skip_final_cluster_snapshot(true)
        } else {
            call.skip_final_cluster_snapshot(false)
                .final_cluster_snapshot_identifier(&farewell.snapshot)
        };
        gone_is_fine(call.send().await)
    }

    fn phase(&self) -> Phase {
        let status = self.status.as_deref().unwrap_or("unknown");
        if live::TERMINAL.contains(&status) {
            return Phase::Failed(status.to_owned());
        }
        if self.is_leaving() {
            return Phase::Pending("deleting".to_owned());
        }
        if !live::USABLE.contains(&status) {
            return Phase::Pending(status.to_owned());
        }
        if status != "available" {
            return Phase::Ready;
        }
        match self.unsettled.as_deref() {
            None => Phase::Ready,
            Some(what) => Phase::Pending(what.to_owned()),
        }
    }

    fn accept(&mut self, live: &Self) {
        self.take_over(live);
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("redshift", &site.region, &format!("cluster:{name}")).into();
        self.reboot_pending = false.into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.maintenance_window = None;
        self.managed_password_kms_key = None;
        leave_out(&mut self.port, 5439);
        leave_out(&mut self.enhanced_vpc_routing, false);
        leave_out(&mut self.encrypted, true);
        leave_out(&mut self.snapshot_retention_days, 1);
        leave_out(&mut self.manual_snapshot_retention_days, -1);
        leave_out(&mut self.maintenance_track, "current".to_owned());
        leave_out(&mut self.version_upgrade, true);
        self.subnet_group.take_if(|group| &***group == "default");
        self.parameter_group.take_if(|group| group.starts_with("default"));
    }

    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        self.needs_a_word(live)
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        live.map(|live| self.interruptions(live)).unwrap_or_default()
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let wrong = self.wrong().into_iter();
        wrong.map(|(path, message)| (path.to_owned(), message.to_owned())).collect()
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let (nodes, kind) = (self.number_of_nodes, &self.node_type);
        let database = self.database.as_ref().map_or("dev", |name| name.as_str());
        let plural = if nodes == 1 { "" } else { "s" };
        Ok(Some(format!("the database {database} on {nodes} {kind} node{plural}")))
    }
}
