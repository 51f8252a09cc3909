//! A workgroup of Redshift Serverless.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_redshiftserverless::types::{ConfigParameter, Workgroup};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, gone_is_fine, redshift_serverless_tags as tags};
use crate::field::{
    Computed, Differs, Immutable, RedshiftNamespaceName, SecurityGroupId, SubnetId, Tags,
    Warehouse, leave_out,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};

/// A workgroup of Redshift Serverless: the compute, the network and the limits that work on the data
/// of one namespace. It costs only while it works.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftServerlessWorkgroup {
    /// The namespace that it works on, by key or name. One namespace has one workgroup.
    pub namespace: Immutable<RedshiftNamespaceName>,
    /// Compute in Redshift Processing Units to begin with: 4, or a multiple of 8 from 8 to 1024. AWS
    /// starts with 128.
    #[schemars(range(min = 4, max = 1024))]
    pub base_capacity: Option<i32>,
    /// The most units that it may grow to. AWS starts without a limit; -1 takes one away.
    #[schemars(range(min = -1, max = 5632))]
    pub max_capacity: Option<i32>,
    /// Values by Redshift's own parameter names: `require_ssl`, `search_path`,
    /// `max_query_execution_time`, … Those that aren't listed stay as they are.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Subnets that it may stand in, by key or id, in at least three availability zones. AWS starts
    /// with those of the default VPC.
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// Security groups in front of it. AWS starts with the VPC's default group.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// Whether it has an address that the internet can reach, if its security groups and subnets
    /// allow it. Default false.
    #[serde(default)]
    pub publicly_accessible: bool,
    /// COPY and UNLOAD go through the VPC, where its rules and endpoints count. AWS starts with
    /// false.
    pub enhanced_vpc_routing: Option<bool>,
    /// TCP port: 5431 to 5455, or 8191 to 8215. AWS starts with 5439.
    pub port: Option<u16>,
    /// `current` for new versions as they come, `trailing` for the ones before.
    #[schemars(regex(pattern = "^[a-zA-Z0-9_]{1,256}$"))]
    pub track: Option<String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// Name of the host to connect to.
    #[serde(default)]
    pub host: Computed<String>,
    /// How seeds send their SQL: workgroup, database, secret.
    #[serde(default)]
    pub connection: Computed<Warehouse>,
    /// `arn:aws:redshift-serverless:region:account:workgroup/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The workgroup's id.
    #[serde(default)]
    pub id: Computed<String>,
    /// The service's own word: `CREATING`, `AVAILABLE`, `MODIFYING`, `DELETING`.
    #[serde(default)]
    pub status: Computed<String>,
}

impl Kind for RedshiftServerlessWorkgroup {
    const EXAMPLE: &'static str = "
sales:
  kind: redshift_serverless_workgroup
  namespace: sales-data
  base_capacity: 8
  max_capacity: 64
  parameters: { max_query_execution_time: '600' }
  subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002, subnet-0a1b2c3d4e5f60003]
  tags: { Projeto: Bootcamp }
sales-data:
  kind: redshift_serverless_namespace
  database: sales
  managed_password: true
  on_destroy: delete
";
    const NAME: &'static str = "^[a-z0-9-]{3,64}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["redshift-serverless:ListWorkgroups"], ANY),
            Grant::of(
                &["redshift-serverless:GetWorkgroup", "redshift-serverless:ListTagsForResource"],
                &["redshift-serverless:{region}:{account}:workgroup/*"],
            ),
            Grant::of(
                &["redshift-serverless:GetNamespace"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            ),
        ],
        write: &[
            Grant::of(
                &["redshift-serverless:CreateWorkgroup"],
                &["redshift-serverless:{region}:{account}:workgroup/*"],
            )
            .when(When::Marked),
            Grant::of(
                &["redshift-serverless:TagResource"],
                &["redshift-serverless:{region}:{account}:workgroup/*"],
            ),
            Grant::of(
                &["redshift-serverless:UntagResource", "redshift-serverless:UpdateWorkgroup"],
                &["redshift-serverless:{region}:{account}:workgroup/*"],
            )
            .when(When::Owned),
            Grant::of(
                &[
                    "ec2:DescribeAccountAttributes",
                    "ec2:DescribeAddresses",
                    "ec2:DescribeAvailabilityZones",
                    "ec2:DescribeInternetGateways",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                ],
                ANY,
            ),
        ],
        delete: &[Grant::of(
            &["redshift-serverless:DeleteWorkgroup"],
            &["redshift-serverless:{region}:{account}:workgroup/*"],
        )
        .when(When::Owned)],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(180, 120);

    /// The list has no tags, and only the namespace knows the database and the secret.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let client = &aws.redshift_serverless;
        let mut workgroups = Vec::new();
        if let [one] = wanted {
            let reply = absent(client.get_workgroup().workgroup_name(&one.name).send().await)?;
            workgroups.extend(reply.and_then(|reply| reply.workgroup));
        } else {
            let mut pages = client.list_workgroups().into_paginator().send();
            while let Some(page) = pages.next().await {
                workgroups.extend(page?.workgroups);
            }
        }
        workgroups
            .retain(|one| wanted.iter().any(|w| Some(w.name.as_str()) == one.workgroup_name()));
        let found = try_join_all(workgroups.iter().map(|one| live(aws, one))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// ARNs hold ids, not names, so all workgroups are listed, and a read tells whose they are.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        if aws.swept("redshift-serverless", "workgroup/").await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut pages = aws.redshift_serverless.list_workgroups().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page?.workgroups.into_iter().filter_map(|one| one.workgroup_name));
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.redshift_serverless.list_workgroups().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page?.workgroups.into_iter().filter_map(|one| one.workgroup_name));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift_serverless.create_workgroup().workgroup_name(cx.name);
        let parameters = (!self.parameters.is_empty()).then(|| self.config_parameters());
        call.namespace_name(&**self.namespace)
            .set_base_capacity(self.base_capacity)
            .set_max_capacity(self.max_capacity.filter(|most| *most != -1))
            .set_config_parameters(parameters)
            .set_subnet_ids(self.subnets.as_ref().map(subnet_ids))
            .set_security_group_ids(self.security_groups.as_ref().map(group_ids))
            .publicly_accessible(self.publicly_accessible)
            .set_enhanced_vpc_routing(self.enhanced_vpc_routing)
            .set_port(self.port.map(i32::from))
            .set_track_name(self.track.clone())
            .set_tags(Some(tags::to_aws(&self.tags)?))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        tags::update(cx, arn, &self.tags, &live.tags).await?;
        if let Some(change) = self.next_change(live) {
            change.send(self, cx).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift_serverless.delete_workgroup().workgroup_name(cx.name);
        gone_is_fine(call.send().await)
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.base_capacity, 128);
        leave_out(&mut self.enhanced_vpc_routing, false);
        leave_out(&mut self.port, 5439);
        leave_out(&mut self.track, "current".to_owned());
    }

    fn phase(&self) -> Phase {
        match self.status.as_deref() {
            Some("AVAILABLE") => Phase::Ready,
            status => Phase::Pending(status.unwrap_or("unknown").to_lowercase()),
        }
    }

    fn accept(&mut self, live: &Self) {
        // AWS fills in every parameter there is; those that the stack doesn't set are its own affair.
        for (name, value) in &live.parameters {
            let own = self.parameters.entry(name.clone()).or_insert_with(|| value.clone());
            if own.eq_ignore_ascii_case(value) {
                own.clone_from(value);
            }
        }
        if self.max_capacity == Some(-1) && live.max_capacity.is_none() {
            self.max_capacity = None;
        }
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if self.base_capacity.is_some_and(|units| units != 4 && units % 8 != 0) {
            wrong.push(("base_capacity", "AWS takes 4, or a multiple of 8"));
        }
        if let (Some(base), Some(most)) = (self.base_capacity, self.max_capacity)
            && most != -1
            && most < base
        {
            wrong.push(("max_capacity", "the limit is below `base_capacity`"));
        }
        let usual = |port| (5431..=5455).contains(&port) || (8191..=8215).contains(&port);
        if self.port.is_some_and(|port| !usual(port)) {
            wrong.push(("port", "AWS takes ports 5431 to 5455 and 8191 to 8215"));
        }
        if self.subnets.as_ref().is_some_and(|subnets| subnets.len() < 3) {
            wrong
                .push(("subnets", "AWS wants at least three subnets, in three availability zones"));
        }
        wrong.into_iter().map(|(path, words)| (path.to_owned(), words.to_owned())).collect()
    }
}

/// One setting that `UpdateWorkgroup` changes: it takes no two at once.
#[derive(Clone, Copy)]
enum Change {
    BaseCapacity,
    MaxCapacity,
    Parameters,
    Subnets,
    SecurityGroups,
    PubliclyAccessible,
    EnhancedVpcRouting,
    Port,
    Track,
}

impl Change {
    async fn send(self, desired: &RedshiftServerlessWorkgroup, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift_serverless.update_workgroup().workgroup_name(cx.name);
        let call = match self {
            Self::BaseCapacity => call.set_base_capacity(desired.base_capacity),
            Self::MaxCapacity => call.set_max_capacity(desired.max_capacity),
            Self::Parameters => call.set_config_parameters(Some(desired.config_parameters())),
            Self::Subnets => call.set_subnet_ids(desired.subnets.as_ref().map(subnet_ids)),
            Self::SecurityGroups => {
                call.set_security_group_ids(desired.security_groups.as_ref().map(group_ids))
            }
            Self::PubliclyAccessible => call.publicly_accessible(desired.publicly_accessible),
            Self::EnhancedVpcRouting => call.set_enhanced_vpc_routing(desired.enhanced_vpc_routing),
            Self::Port => call.set_port(desired.port.map(i32::from)),
            Self::Track => call.set_track_name(desired.track.clone()),
        };
        call.send().await?;
        Ok(())
    }
}

impl RedshiftServerlessWorkgroup {
    /// The next setting to change, if any: the workgroup is busy until it has changed.
    fn next_change(&self, live: &Self) -> Option<Change> {
        let public = self.publicly_accessible != live.publicly_accessible;
        // A limit goes up before, and down after what it limits.
        let raised = match (self.max_capacity, live.max_capacity) {
            (Some(-1), _) => true,
            (Some(most), Some(before)) => most > before,
            _ => false,
        };
        let limit = self.max_capacity.differs(&live.max_capacity);
        let changes = [
            (limit && raised, Change::MaxCapacity),
            (self.base_capacity.differs(&live.base_capacity), Change::BaseCapacity),
            (limit, Change::MaxCapacity),
            (self.parameters != live.parameters, Change::Parameters),
            (self.subnets.differs(&live.subnets), Change::Subnets),
            (self.security_groups.differs(&live.security_groups), Change::SecurityGroups),
            (public, Change::PubliclyAccessible),
            (
                self.enhanced_vpc_routing.differs(&live.enhanced_vpc_routing),
                Change::EnhancedVpcRouting,
            ),
            (self.port.differs(&live.port), Change::Port),
            (self.track.differs(&live.track), Change::Track),
        ];
        changes.into_iter().find_map(|(differs, change)| differs.then_some(change))
    }

    fn config_parameters(&self) -> Vec<ConfigParameter> {
        let parameter = |(key, value): (&String, &String)| {
            ConfigParameter::builder().parameter_key(key).parameter_value(value).build()
        };
        self.parameters.iter().map(parameter).collect()
    }
}

fn subnet_ids(subnets: &BTreeSet<SubnetId>) -> Vec<String> {
    subnets.iter().map(|subnet| subnet.0.clone()).collect()
}

fn group_ids(groups: &BTreeSet<SecurityGroupId>) -> Vec<String> {
    groups.iter().map(|group| group.0.clone()).collect()
}

async fn live(
    aws: &Aws,
    workgroup: &Workgroup,
) -> Result<Option<Found<RedshiftServerlessWorkgroup>>, Error> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let arn = workgroup.workgroup_arn().unwrap_or_default();
    let namespace = workgroup.namespace_name().unwrap_or_default();
    let (tags, connection) = futures::try_join!(
        async { absent(tags::read(aws, arn).await) },
        connection(aws, workgroup)
    )?;
    let Some(tags) = tags else { return Ok(None) };
    let endpoint = workgroup.endpoint();
    let port = workgroup.port().or(endpoint.and_then(|endpoint| endpoint.port()));
    let parameters = workgroup.config_parameters().iter();
    let fields = RedshiftServerlessWorkgroup {
        namespace: RedshiftNamespaceName::from(namespace).into(),
        base_capacity: workgroup.base_capacity(),
        max_capacity: workgroup.max_capacity(),
        parameters: parameters
            .filter_map(|one| Some((one.parameter_key()?.into(), one.parameter_value()?.into())))
            .collect(),
        subnets: Some(
            workgroup.subnet_ids().iter().map(|id| SubnetId::from(id.as_str())).collect(),
        ),
        security_groups: Some(
            workgroup
                .security_group_ids()
                .iter()
                .map(|id| SecurityGroupId::from(id.as_str()))
                .collect(),
        ),
        publicly_accessible: workgroup.publicly_accessible().unwrap_or_default(),
        enhanced_vpc_routing: Some(workgroup.enhanced_vpc_routing().unwrap_or_default()),
        port: port.and_then(|port| u16::try_from(port).ok()),
        // A new track counts from the next maintenance window on, which nobody waits for.
        track: text(workgroup.pending_track_name().or(workgroup.track_name())),
        tags,
        host: text(endpoint.and_then(|endpoint| endpoint.address())).into(),
        connection: connection.into(),
        arn: arn.to_owned().into(),
        id: text(workgroup.workgroup_id()).into(),
        status: workgroup.status().map(|status| status.as_str().to_owned()).into(),
    };
    Ok(Some(Found { name: workgroup.workgroup_name().unwrap_or_default().to_owned(), fields }))
}

/// How seeds get at it, once there is something to get at. The namespace has the data, and so the
/// marks.
async fn connection(aws: &Aws, workgroup: &Workgroup) -> Result<Option<Warehouse>, Error> {
    let Some(namespace) = workgroup.namespace_name().filter(|_| workgroup.endpoint().is_some())
    else {
        return Ok(None);
    };
    let call = aws.redshift_serverless.get_namespace().namespace_name(namespace);
    let reply = absent(call.send().await)?;
    let Some(namespace) = reply.and_then(|reply| reply.namespace) else { return Ok(None) };
    Ok(Some(Warehouse {
        name: workgroup.workgroup_name().unwrap_or_default().to_owned(),
        database: namespace.db_name.unwrap_or_else(|| "dev".to_owned()),
        secret_arn: namespace.admin_password_secret_arn,
        user: None,
        arn: namespace.namespace_arn,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workgroup(more: Value) -> RedshiftServerlessWorkgroup {
        let mut fields = json!({ "namespace": "n", "base_capacity": 8, "max_capacity": 64 });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            fields[key] = value;
        }
        serde_json::from_value(fields).expect("fields of a workgroup")
    }

    #[test]
    fn only_the_parameters_of_the_stack_count() {
        let mut desired = workgroup(json!({ "parameters": { "require_ssl": "TRUE" } }));
        let live = workgroup(json!({ "parameters": { "require_ssl": "true", "auto_mv": "true" } }));
        desired.accept(&live);
        assert_eq!(desired.parameters, live.parameters);
    }

    #[test]
    fn limits_move_in_an_order_that_aws_takes() {
        let live = workgroup(Value::Null);
        let up = workgroup(json!({ "base_capacity": 128, "max_capacity": 256 }));
        assert!(matches!(up.next_change(&live), Some(Change::MaxCapacity)));
        let down = workgroup(json!({ "base_capacity": 8, "max_capacity": 16 }));
        assert!(matches!(down.next_change(&up), Some(Change::BaseCapacity)));
        assert!(live.next_change(&live).is_none());
    }
}
