//! A machine on which DMS's tasks run.

mod live;

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::retired::retired;
use crate::aws::{Aws, Error, absent, dms, fixed_role, gone_is_fine};
use crate::field::{
    Computed, Differs, DmsSubnetGroupName, Immutable, KmsKeyArn, SecurityGroupId, Tags, WriteOnly,
    leave_out,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};
use crate::reference::is_marked;

/// A machine on which DMS's tasks run. Changes are made at once, never put off to the maintenance
/// window, and may interrupt running tasks. Names are kept in lower case. DMS needs the role
/// `dms-vpc-role` in the account; lagoa makes it when it is missing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DmsReplicationInstance {
    /// Size of the machine, such as `dms.t3.micro` (1 GiB of memory) or `dms.t3.medium`.
    #[schemars(regex(pattern = r"^dms\.[a-z0-9.-]+$"))]
    pub instance_class: String,
    /// Version of DMS's engine, with three numbers: `3.5.4`. A later version that AWS moved it to
    /// by itself is accepted too. It never goes back. AWS chooses its default version when unset.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$"))]
    pub engine_version: Option<String>,
    /// Permits the next change of `engine_version` to cross a major version. Default false.
    pub allow_major_version_upgrade: Option<WriteOnly<bool>>,
    /// Storage for logs and cached changes in GiB. It only grows: less than there is replaces the
    /// instance. AWS starts with 50.
    #[schemars(range(min = 5, max = 6144))]
    pub storage_gib: Option<i32>,
    /// The subnets it may stand in. AWS starts with the default VPC's.
    pub subnet_group: Option<Immutable<DmsSubnetGroupName>>,
    /// Security groups that it is in; a database lets it in by them. AWS starts with the VPC's
    /// default group.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// Where it stands, such as `us-east-1a`; not together with `multi_az`. AWS picks one.
    pub availability_zone: Option<Immutable<String>>,
    /// A standby in a second availability zone. AWS starts without.
    pub multi_az: Option<bool>,
    /// Whether it has an address in the internet, which it needs to reach databases outside the
    /// VPC without a NAT gateway. Default false; AWS's own default is true.
    #[serde(default)]
    pub publicly_accessible: Immutable<bool>,
    /// The KMS key that encrypts its storage and what it knows of endpoints: key, id, ARN or alias.
    /// Without one, AWS's own `aws/dms`.
    pub kms_key: Option<Immutable<KmsKeyArn>>,
    /// Name servers to use instead of the VPC's, up to four, with commas between.
    pub dns_name_servers: Option<Immutable<String>>,
    /// The end of its ARN, up to 31 letters, digits and hyphens. AWS makes one up.
    #[schemars(regex(pattern = "^[A-Za-z](-?[A-Za-z0-9]){0,30}$"))]
    pub resource_identifier: Option<Immutable<String>>,
    /// `IPV4`, or `DUAL` for IPv4 and IPv6. AWS starts with `IPV4`.
    pub network_type: Option<NetworkType>,
    /// When AWS may do maintenance, in UTC: `sun:05:00-sun:05:30`. AWS picks one.
    pub maintenance_window: Option<String>,
    /// AWS moves it to new minor versions in the maintenance window. AWS starts with true.
    pub auto_minor_version_upgrade: Option<bool>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:dms:region:account:rep:…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Its address in the VPC.
    #[serde(default)]
    pub private_ip: Computed<String>,
    /// Its address in the internet, if it has one.
    #[serde(default)]
    pub public_ip: Computed<String>,
    /// AWS's word for the state it is in.
    #[serde(default)]
    pub status: Computed<String>,
}

/// Which versions of the internet protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkType {
    /// IPv4 only.
    #[serde(rename = "IPV4")]
    Ipv4,
    /// IPv4 and IPv6.
    #[serde(rename = "DUAL")]
    Dual,
}

impl NetworkType {
    fn word(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPV4",
            Self::Dual => "DUAL",
        }
    }
}

impl Kind for DmsReplicationInstance {
    const EXAMPLE: &'static str = "
dms-instance:
  kind: dms_replication_instance
  instance_class: dms.t3.micro
  engine_version: 3.5.4
  storage_gib: 20
  subnet_group: dms-subnets
  security_groups: [dms-instance-access]
  resource_identifier: dms-instance
  maintenance_window: sun:05:00-sun:05:30
  auto_minor_version_upgrade: true
  tags: { Projeto: Bootcamp }
dms-subnets:
  kind: dms_subnet_group
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002]
dms-instance-access:
  kind: ec2_security_group
  description: The replication instance
";
    const NAME: &'static str = "^[A-Za-z](-?[A-Za-z0-9]){0,62}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["dms:DescribeReplicationInstances"], ANY),
            Grant::of(&["dms:ListTagsForResource"], &["dms:{region}:{account}:rep:*"]),
        ],
        write: &[
            Grant::of(&["dms:CreateReplicationInstance"], ANY).when(When::Marked),
            Grant::of(&["dms:AddTagsToResource"], &["dms:{region}:{account}:rep:*"])
                .when(When::Marked),
            Grant::of(
                &[
                    "dms:AddTagsToResource",
                    "dms:ModifyReplicationInstance",
                    "dms:RemoveTagsFromResource",
                ],
                &["dms:{region}:{account}:rep:*"],
            )
            .when(When::Owned),
            fixed_role::making(&["iam::{account}:role/dms-vpc-role"]),
            fixed_role::filling(
                &["iam::{account}:role/dms-vpc-role"],
                &["iam::aws:policy/service-role/AmazonDMSVPCManagementRole"],
            ),
            Grant::passing(&["iam::{account}:role/dms-vpc-role"], &["dms.amazonaws.com"]),
            Grant::of(
                &[
                    "ec2:DescribeAvailabilityZones",
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ANY,
            ),
            Grant::encrypting(&["dms"], "kms_key"),
        ],
        delete: &[Grant::of(&["dms:DeleteReplicationInstance"], &["dms:{region}:{account}:rep:*"])
            .when(When::Owned)],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(480, 270);

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.dms.describe_replication_instances();
        let only = dms::only("replication-instance-id", wanted.iter().map(|one| &one.name))?;
        let mut pages = call.set_filters(only).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            all.extend(page.replication_instances.unwrap_or_default());
        }
        all.retain(|one| wanted.iter().any(|wanted| wanted.name == live::name(one)));
        let (pending, rest): (Vec<_>, Vec<_>) = all.iter().partition(|one| {
            let phase = live::read(one, Tags::default()).phase();
            matches!(phase, Phase::Pending(_)) && dms::is_glanced(wanted, &live::name(one))
        });
        let arns: Vec<String> = rest.iter().map(|one| live::arn(one).to_owned()).collect();
        let mut tags = dms::tags(aws, &arns).await?;
        let rest = rest.into_iter().filter_map(|one| Some((one, tags.remove(live::arn(one))?)));
        let all = rest.chain(pending.into_iter().map(|one| (one, Tags::default())));
        let found = |(one, tags)| Found { name: live::name(one), fields: live::read(one, tags) };
        Ok(all.map(found).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ours = dms::swept(aws, "rep:").await?;
        let mut names = Vec::new();
        if !ours.is_empty() {
            let mut pages = aws.dms.describe_replication_instances().into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page?;
                let found = page.replication_instances().iter();
                names.extend(found.filter(|one| ours.contains(live::arn(one))).map(live::name));
            }
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.dms.describe_replication_instances().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            names.extend(page.replication_instances().iter().map(live::name));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let text = |value: &Option<Immutable<String>>| value.as_ref().map(|value| value.0.clone());
        let call = cx
            .dms
            .create_replication_instance()
            .replication_instance_identifier(cx.name)
            .replication_instance_class(&self.instance_class)
            .set_engine_version(self.engine_version.clone())
            .set_allocated_storage(self.storage_gib)
            .set_replication_subnet_group_identifier(
                self.subnet_group.as_ref().map(|group| group.0.0.clone()),
            )
            .set_vpc_security_group_ids(self.group_ids())
            .set_availability_zone(text(&self.availability_zone))
            .set_multi_az(self.multi_az)
            .publicly_accessible(*self.publicly_accessible)
            .set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.0.clone()))
            .set_dns_name_servers(text(&self.dns_name_servers))
            .set_resource_identifier(text(&self.resource_identifier))
            .set_network_type(self.network_type.map(|of| of.word().to_owned()))
            .set_preferred_maintenance_window(self.maintenance_window.clone())
            .set_auto_minor_version_upgrade(self.auto_minor_version_upgrade)
            .set_tags(Some(dms::to_aws(&self.tags)));
        dms::with_role(cx, &dms::VPC_ROLE, async { Ok(call.send().await?) }).await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        dms::update_tags(cx, arn, &self.tags, &live.tags).await?;
        let call = self.with_changes(live, cx.dms.modify_replication_instance());
        if call.as_input() != cx.dms.modify_replication_instance().as_input() {
            let allow = self.allow_major_version_upgrade.as_deref().copied();
            let allow = allow.filter(|_| call.get_engine_version().is_some());
            let call = call.set_allow_major_version_upgrade(allow);
            call.replication_instance_arn(arn).apply_immediately(true).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.arn.as_deref().unwrap_or_default();
        let call = cx.dms.delete_replication_instance().replication_instance_arn(arn);
        gone_is_fine(call.send().await)
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.maintenance_window = None;
        self.availability_zone = None;
        leave_out(&mut self.auto_minor_version_upgrade, true);
        leave_out(&mut self.multi_az, false);
        leave_out(&mut self.storage_gib, 50);
        leave_out(&mut self.network_type, NetworkType::Ipv4);
        self.resource_identifier.take_if(|identifier| dms::is_made_up(identifier));
        self.subnet_group.take_if(|group| dms::is_default_group(group));
    }

    fn phase(&self) -> Phase {
        let status = self.status.as_deref().unwrap_or("unknown");
        match status {
            "available" | "storage-full" => Phase::Ready,
            _ if live::TERMINAL.contains(&status) => Phase::Failed(status.to_owned()),
            _ => Phase::Pending(status.to_owned()),
        }
    }

    fn accept(&mut self, live: &Self) {
        self.take_over(live);
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        let (wanted, have) = (self.storage_gib?, live.storage_gib?);
        (wanted < have).then(|| format!("storage can't shrink from {have} to {wanted} GiB"))
    }

    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        let (to, from) = (self.engine_version.as_ref()?, live.engine_version.as_ref()?);
        if is_marked(to) || to == from {
            return None;
        }
        live::is_later(from, to)
            .then(|| format!("AWS can't take an instance back from version {from} to {to}"))
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if let Some(why) = self.engine_version.as_deref().and_then(retired_engine) {
            wrong.push(("engine_version".to_owned(), why));
        }
        if self.multi_az == Some(true) && self.availability_zone.is_some() {
            let message = "with `multi_az: true` AWS chooses both zones: leave this out";
            wrong.push(("availability_zone".to_owned(), message.to_owned()));
        }
        wrong
    }

    fn summary(&self, live: Option<&Self>, _root: &Path) -> Vec<String> {
        if live.is_some() { Vec::new() } else { vec![dms::role_note(&dms::VPC_ROLE)] }
    }
}

fn retired_engine(version: &str) -> Option<String> {
    retired("dms_replication_instance.engine_version", version)
}

type Modify =
    aws_sdk_databasemigration::operation::modify_replication_instance::builders::ModifyReplicationInstanceFluentBuilder;

impl DmsReplicationInstance {
    fn group_ids(&self) -> Option<Vec<String>> {
        let groups = self.security_groups.as_ref()?;
        Some(groups.iter().map(|group| group.0.clone()).collect())
    }

    /// Only what differs: DMS refuses a call that changes nothing.
    fn with_changes(&self, live: &Self, mut call: Modify) -> Modify {
        if self.instance_class != live.instance_class {
            call = call.replication_instance_class(&self.instance_class);
        }
        if self.engine_version.differs(&live.engine_version) {
            call = call.set_engine_version(self.engine_version.clone());
        }
        if self.storage_gib.differs(&live.storage_gib) {
            call = call.set_allocated_storage(self.storage_gib);
        }
        if self.security_groups.differs(&live.security_groups) {
            call = call.set_vpc_security_group_ids(self.group_ids());
        }
        if self.multi_az.differs(&live.multi_az) {
            call = call.set_multi_az(self.multi_az);
        }
        if self.network_type.differs(&live.network_type) {
            call = call.set_network_type(self.network_type.map(|of| of.word().to_owned()));
        }
        if self.maintenance_window.differs(&live.maintenance_window) {
            call = call.set_preferred_maintenance_window(self.maintenance_window.clone());
        }
        if self.auto_minor_version_upgrade.differs(&live.auto_minor_version_upgrade) {
            call = call.set_auto_minor_version_upgrade(self.auto_minor_version_upgrade);
        }
        call
    }
}
