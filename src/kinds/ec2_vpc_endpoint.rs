//! A way from a VPC to a service of AWS that doesn't pass the internet.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{EndpointChange, NewEndpoint, VpcEndpoint};
use crate::aws::named::{self, christen, known, not_visible_yet, retag};
use crate::aws::{Aws, Error, gone_is_fine};
use crate::field::{
    Computed, Differs, Immutable, Policy, RouteTableId, SecurityGroupId, SubnetId, Tags, VpcId,
    set_change,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Phase, Site, Takes, Wanted, When,
};
use crate::reference::is_marked;

/// A VPC endpoint: a way from a VPC to a service of AWS that doesn't pass the internet. Gateways, to
/// S3 and DynamoDB, are routes and cost nothing; interfaces are addresses in subnets and cost by the
/// hour.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2VpcEndpoint {
    /// The VPC by key or id.
    pub vpc: Immutable<VpcId>,
    /// The service: `s3` for `com.amazonaws.REGION.s3`, or a full name.
    pub service: Immutable<String>,
    /// Routes or addresses; `Gateway` unless given.
    #[serde(default)]
    pub r#type: Immutable<EndpointType>,
    /// The route tables, by key or id, that get a route to a gateway.
    #[serde(default)]
    pub route_tables: BTreeSet<RouteTableId>,
    /// The subnets, by key or id, that an interface has an address in.
    #[serde(default)]
    pub subnets: BTreeSet<SubnetId>,
    /// The security groups, by key or id, of an interface; the VPC's default one unless given.
    pub security_groups: Option<BTreeSet<SecurityGroupId>>,
    /// Whether the service's own names lead to the interface within the VPC. AWS's default is true;
    /// the VPC needs `dns_support` and `dns_hostnames`.
    pub private_dns: Option<bool>,
    /// What may be done through it, as a policy; everything unless given.
    pub policy: Option<Policy>,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `vpce-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:vpc-endpoint/vpce-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The name of an interface that leads to it in every zone.
    #[serde(default)]
    pub dns_name: Computed<String>,
    /// EC2's word for how it is: `available`.
    #[serde(default)]
    pub state: Computed<String>,
}

/// How an endpoint is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum EndpointType {
    /// By routes; S3 and DynamoDB have it.
    #[default]
    Gateway,
    /// By addresses in subnets.
    Interface,
}

impl EndpointType {
    fn word(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::Interface => "Interface",
        }
    }
}

impl Kind for Ec2VpcEndpoint {
    const EXAMPLE: &'static str = "
lake-s3:
  kind: ec2_vpc_endpoint
  vpc: lake-vpc
  service: s3
  route_tables: [lake-private-routes]

lake-private-routes:
  kind: ec2_route_table
  vpc: lake-vpc

lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16

lake-secrets:
  kind: ec2_vpc_endpoint
  vpc: lake-vpc
  service: secretsmanager
  type: Interface
  subnets: [lake-private-a]
  private_dns: true

lake-private-a:
  kind: ec2_subnet
  vpc: lake-vpc
  cidr: 10.0.0.0/24
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeVpcEndpoints"], ANY)],
        write: &[
            Grant::of(&["ec2:CreateVpcEndpoint"], &["ec2:{region}:{account}:vpc-endpoint/*"])
                .when(When::Marked),
            Grant::of(
                &["ec2:CreateVpcEndpoint"],
                &[
                    "ec2:{region}:{account}:vpc/*",
                    "ec2:{region}:{account}:route-table/*",
                    "ec2:{region}:{account}:security-group/*",
                    "ec2:{region}:{account}:subnet/*",
                ],
            ),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:vpc-endpoint/*"])
                .when(When::Made(&["CreateVpcEndpoint"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifyVpcEndpoint"],
                &["ec2:{region}:{account}:vpc-endpoint/*"],
            )
            .when(When::Owned),
            Grant::of(
                &["ec2:ModifyVpcEndpoint"],
                &[
                    "ec2:{region}:{account}:route-table/*",
                    "ec2:{region}:{account}:security-group/*",
                    "ec2:{region}:{account}:subnet/*",
                ],
            ),
            Grant::of(&["route53:AssociateVPCWithHostedZone"], ANY).given("private_dns"),
            Grant::of(
                &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
                ANY,
            ),
        ],
        delete: &[Grant::of(
            &["ec2:DeleteVpcEndpoints"],
            &["ec2:{region}:{account}:vpc-endpoint/*"],
        )
        .when(When::Owned)],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(60, 60);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let endpoints = standing(aws).await?;
        let found = named::wanted(&endpoints, wanted, &aws.site)?.into_iter();
        Ok(found.map(|(name, one)| Found { name, fields: live(one, &aws.site) }).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        named::owned(aws, "vpc-endpoint/", async || standing(aws).await).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(named::names(&standing(aws).await?, |_| false))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        if named::own(&standing(cx.aws).await?, cx.name, &cx.site)
            .is_some_and(|one| !named::Named::leaving(one))
        {
            return Ok(());
        }
        let groups = self.security_groups.as_ref().into_iter().flatten();
        let new = NewEndpoint {
            vpc_id: &self.vpc,
            service_name: &self.service,
            endpoint_type: self.r#type.word(),
            policy: self.policy.as_ref().map(Policy::text),
            private_dns: self.private_dns,
            route_table_ids: self.route_tables.iter().map(|one| one.0.clone()).collect(),
            subnet_ids: self.subnets.iter().map(|one| one.0.clone()).collect(),
            group_ids: groups.map(|one| one.0.clone()).collect(),
        };
        cx.ec2.create_vpc_endpoint(&new, &self.tags).await.map_err(not_visible_yet)
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&live.id)?;
        retag(cx, id, &self.tags, &live.tags).await?;
        cx.ec2.modify_vpc_endpoint(id, &self.change_from(live)).await.map_err(not_visible_yet)
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        gone_is_fine(cx.ec2.delete_vpc_endpoint(known(&self.id)?).await)
    }

    fn phase(&self) -> Phase {
        let state = self.state.as_deref().unwrap_or_default().to_ascii_lowercase();
        match state.as_str() {
            "pending" | "deleting" => Phase::Pending(state),
            "pendingacceptance" => {
                Phase::Pending("waiting until the service's owner accepts it".to_owned())
            }
            "failed" | "rejected" | "expired" => Phase::Failed(state),
            _ => Phase::Ready,
        }
    }

    fn accept(&mut self, live: &Self) {
        // Gateways have no names of their own.
        if *self.r#type == EndpointType::Gateway {
            self.private_dns = live.private_dns;
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        if !is_marked(&self.service) && !self.service.contains("amazonaws.") {
            self.service.0 = format!("com.amazonaws.{}.{}", site.region, *self.service);
        }
        christen(&mut self.tags, name);
    }

    fn written(&mut self, _name: &str, site: &Site) {
        let prefix = format!("com.amazonaws.{}.", site.region);
        if let Some(short) = self.service.strip_prefix(&prefix) {
            self.service = Immutable(short.to_owned());
        }
        if *self.r#type == EndpointType::Gateway {
            self.private_dns = None;
        }
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let gateway = *self.r#type == EndpointType::Gateway;
        let mut wrong = Vec::new();
        let mut refuse = |field: &str, message: &str| {
            wrong.push((field.to_owned(), message.to_owned()));
        };
        if gateway && !self.subnets.is_empty() {
            refuse(
                "subnets",
                "a gateway stands in no subnet: write `type: Interface`, or `route_tables`",
            );
        }
        if gateway && self.security_groups.is_some() {
            refuse("security_groups", "a gateway has no security groups: write `type: Interface`");
        }
        if gateway && self.private_dns.is_some() {
            refuse(
                "private_dns",
                "a gateway has no names: write `type: Interface`, or leave it out",
            );
        }
        if !gateway && !self.route_tables.is_empty() {
            refuse("route_tables", "an interface needs no routes: write `subnets`");
        }
        let full = self.service.contains("amazonaws.") || is_marked(&self.service);
        let short = self.service.rsplit('.').next().unwrap_or_default();
        if gateway && !full && !["s3", "dynamodb"].contains(&short) {
            refuse("type", "only s3 and dynamodb have gateways: write `type: Interface`");
        }
        wrong
    }
}

impl Ec2VpcEndpoint {
    fn change_from(&self, live: &Self) -> EndpointChange {
        let groups = self.security_groups.as_ref().zip(live.security_groups.as_ref());
        let (add, remove) = groups.map(|(own, live)| set_change(own, live)).unwrap_or_default();
        let tables = set_change(&self.route_tables, &live.route_tables);
        let subnets = set_change(&self.subnets, &live.subnets);
        let ids = |all: Vec<SecurityGroupId>| all.into_iter().map(|one| one.0).collect();
        let text = |all: Vec<SubnetId>| all.into_iter().map(|one| one.0).collect();
        let rows = |all: Vec<RouteTableId>| all.into_iter().map(|one| one.0).collect();
        EndpointChange {
            policy: self
                .policy
                .as_ref()
                .filter(|_| self.policy.differs(&live.policy))
                .map(Policy::text),
            private_dns: self.private_dns.filter(|_| self.private_dns.differs(&live.private_dns)),
            route_table_ids: (rows(tables.0), rows(tables.1)),
            subnet_ids: (text(subnets.0), text(subnets.1)),
            group_ids: (ids(add), ids(remove)),
        }
    }
}

/// The endpoints that aren't gone.
async fn standing(aws: &Aws) -> crate::aws::ec2::Result<Vec<VpcEndpoint>> {
    let mut endpoints = aws.ec2.describe_vpc_endpoints(&[]).await?;
    let gone =
        |one: &VpcEndpoint| one.state.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("deleted"));
    endpoints.retain(|one| !gone(one));
    Ok(endpoints)
}

fn live(endpoint: VpcEndpoint, site: &Site) -> Ec2VpcEndpoint {
    let id = endpoint.vpc_endpoint_id.clone();
    let r#type = match endpoint.vpc_endpoint_type.as_deref() {
        Some("Gateway") | None => EndpointType::Gateway,
        Some(_) => EndpointType::Interface,
    };
    let groups = endpoint.group_ids().map(SecurityGroupId::from).collect();
    let dns_name = endpoint.dns_name().map(str::to_owned);
    Ec2VpcEndpoint {
        vpc: Immutable(endpoint.vpc_id.into()),
        service: Immutable(endpoint.service_name),
        r#type: Immutable(r#type),
        route_tables: endpoint.route_table_ids.into_iter().map(RouteTableId).collect(),
        subnets: endpoint.subnet_ids.into_iter().map(SubnetId).collect(),
        security_groups: Some(groups),
        private_dns: Some(endpoint.private_dns_enabled),
        policy: endpoint.policy_document.as_deref().map(Policy::from_aws),
        tags: Tags(endpoint.tags),
        arn: site.arn("ec2", &site.region, &format!("vpc-endpoint/{id}")).into(),
        id: id.into(),
        dns_name: dns_name.into(),
        state: endpoint.state.into(),
    }
}
