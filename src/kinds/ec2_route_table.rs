//! Where traffic of some subnets goes.

mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Filter, RouteTable};
use crate::aws::named::{self, christen, known, not_visible_yet, retag};
use crate::aws::{Aws, Class, Error, gone_is_fine};
use crate::field::{Computed, Immutable, SubnetId, Tags, VpcId, set_change};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Neighbours, Site, Takes, Wanted, When,
};
use route::Route;

/// A route table: where traffic that leaves its subnets goes. The routes of the stack are all it has,
/// beside those that AWS keeps itself: to the VPC, of gateway endpoints, of virtual private gateways.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2RouteTable {
    /// The VPC by key or id.
    pub vpc: Immutable<VpcId>,
    /// Its routes; the one with the narrowest range counts. A route changes its target in place.
    #[serde(default)]
    pub routes: BTreeSet<Route>,
    /// The subnets that follow it, by key or id. A subnet follows one table; it goes over from
    /// another one without a moment between. Subnets of no table follow the VPC's main one.
    #[serde(default)]
    pub subnets: BTreeSet<SubnetId>,
    /// Tags, merged over the stack's own. `Name` is the resource's name unless given.
    #[serde(default)]
    pub tags: Tags,
    /// Its id: `rtb-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:route-table/rtb-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Ids of the associations with its subnets, by subnet: `rtbassoc-…`.
    #[serde(default)]
    pub associations: Computed<BTreeMap<String, String>>,
}

impl Kind for Ec2RouteTable {
    const EXAMPLE: &'static str = "
lake-public-routes:
  kind: ec2_route_table
  vpc: lake-vpc
  routes:
    - { cidr: 0.0.0.0/0, gateway: lake-internet-gateway }
  subnets: [lake-public-a]

lake-public-a:
  kind: ec2_subnet
  vpc: lake-vpc
  cidr: 10.0.0.0/24

lake-internet-gateway:
  kind: ec2_internet_gateway
  vpc: lake-vpc

lake-vpc:
  kind: ec2_vpc
  cidr: 10.0.0.0/16
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/=+@-]{1,256}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeRouteTables"], ANY)],
        write: &[
            Grant::of(&["ec2:CreateRouteTable"], &["ec2:{region}:{account}:route-table/*"])
                .when(When::Marked),
            Grant::of(&["ec2:CreateRouteTable"], &["ec2:{region}:{account}:vpc/*"]),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:route-table/*"])
                .when(When::Made(&["CreateRouteTable"])),
            Grant::of(
                &[
                    "ec2:AssociateRouteTable",
                    "ec2:CreateRoute",
                    "ec2:CreateTags",
                    "ec2:DeleteRoute",
                    "ec2:DeleteTags",
                    "ec2:DisassociateRouteTable",
                    "ec2:ReplaceRoute",
                    "ec2:ReplaceRouteTableAssociation",
                ],
                &["ec2:{region}:{account}:route-table/*"],
            )
            .when(When::Owned),
            Grant::of(
                &[
                    "ec2:AssociateRouteTable",
                    "ec2:DisassociateRouteTable",
                    "ec2:ReplaceRouteTableAssociation",
                ],
                &["ec2:{region}:{account}:subnet/*"],
            ),
        ],
        delete: &[
            Grant::of(
                &["ec2:DeleteRouteTable", "ec2:DisassociateRouteTable"],
                &["ec2:{region}:{account}:route-table/*"],
            )
            .when(When::Owned),
            Grant::of(&["ec2:DisassociateRouteTable"], &["ec2:{region}:{account}:subnet/*"]),
        ],
        ..Access::NONE
    };
    const TAKES: Takes = Takes::seconds(2, 2);

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let tables = aws.ec2.describe_route_tables(&[]).await?;
        let found = named::wanted(&tables, wanted, &aws.site)?.into_iter();
        Ok(found.map(|(name, table)| Found { name, fields: live(table, &aws.site) }).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let describe = async || aws.ec2.describe_route_tables(&[]).await;
        named::owned(aws, "route-table/", describe).await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let main = |table: &RouteTable| {
            !named::is_named(table) && table.associations.iter().any(|one| one.main)
        };
        Ok(named::names(&aws.ec2.describe_route_tables(&[]).await?, main))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        // The answer of an earlier call may have been lost.
        let there = cx.ec2.describe_route_tables(&[]).await?;
        if named::own(&there, cx.name, &cx.site).is_some() {
            return Ok(());
        }
        let made = cx.ec2.create_route_table(&self.vpc, &self.tags).await;
        made.map_err(not_visible_yet)
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = known(&live.id)?;
        retag(cx, id, &self.tags, &live.tags).await?;
        // First the routes: whoever comes over finds them.
        route::converge(cx, id, &self.routes, &live.routes).await?;
        let (add, remove) = set_change(&self.subnets, &live.subnets);
        for subnet in &add {
            associate(cx, id, subnet).await?;
        }
        for subnet in &remove {
            live.let_go(subnet, cx).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        for subnet in &self.subnets {
            self.let_go(subnet, cx).await?;
        }
        gone_is_fine(cx.ec2.delete_route_table(known(&self.id)?).await)
    }

    fn accept(&mut self, _live: &Self) {
        self.make_canonical();
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        self.make_canonical();
        christen(&mut self.tags, name);
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for route in &self.routes {
            // Routes are a set, so one is named by what it says, not by its place.
            let problems = route.problems().into_iter();
            wrong.extend(problems.map(|why| format!("route to {route}: {why}")));
            if !seen.insert(route.clone().canonical().cidr) {
                wrong.push(format!("there are two routes to {route}: EC2 keeps one"));
            }
        }
        wrong.into_iter().map(|message| ("routes".to_owned(), message)).collect()
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let own = self.tags.get("lagoa:name").map(String::as_str);
        let mut found = Vec::new();
        for (key, kind, fields) in &among.all {
            if *kind != "ec2_route_table" || Some(*key) == own {
                continue;
            }
            let others = fields["subnets"].as_array().into_iter().flatten();
            let taken = others.filter_map(|one| one.as_str());
            for subnet in taken.filter(|one| self.subnets.contains(&SubnetId::from(*one))) {
                let subnet = crate::reference::shown(subnet);
                let message = format!("{subnet} is in `{key}`, too; a subnet follows one table");
                found.push(("subnets".to_owned(), message));
            }
        }
        found
    }
}

impl Ec2RouteTable {
    fn make_canonical(&mut self) {
        self.routes = std::mem::take(&mut self.routes).into_iter().map(Route::canonical).collect();
    }

    /// Makes a subnet follow the main table again, unless it follows another one by now.
    async fn let_go(&self, subnet: &SubnetId, cx: &Cx<'_>) -> Result<(), Error> {
        let associations = self.associations.as_ref();
        match associations.and_then(|all| all.get(&subnet.0)) {
            Some(id) => gone_is_fine(cx.ec2.disassociate_route_table(id).await),
            None => Ok(()),
        }
    }
}

/// Makes a subnet follow the table, wherever it was before.
async fn associate(cx: &Cx<'_>, table: &str, subnet: &SubnetId) -> Result<(), Error> {
    match cx.ec2.associate_route_table(table, subnet).await.map_err(not_visible_yet) {
        Err(error) if error.class == Class::Already => {}
        answer => return answer,
    }
    let filter = Filter::new("association.subnet-id", [&**subnet]);
    let tables = cx.ec2.describe_route_tables(&[filter]).await?;
    let mut all = tables.iter().flat_map(|one| &one.associations);
    let there = all.find(|one| one.subnet_id.as_deref() == Some(subnet));
    let going_over = |error: Error| match error.is_gone() {
        true => Error { class: Class::Busy, ..error },
        false => error,
    };
    match there {
        Some(one) if one.route_table_id.as_deref() == Some(table) => Ok(()),
        Some(one) => {
            let moved = cx.ec2.replace_route_table_association(&one.association_id, table).await;
            moved.map_err(|error| going_over(error.into()))
        }
        // The other table has just let it go.
        None => {
            let made = cx.ec2.associate_route_table(table, subnet).await.map_err(Error::from);
            made.map_err(|error| match error.class {
                Class::Already => Error { class: Class::Busy, ..error },
                _ => error,
            })
        }
    }
}

fn live(table: RouteTable, site: &Site) -> Ec2RouteTable {
    let id = table.route_table_id;
    let associated = table.associations.into_iter();
    let associations: BTreeMap<String, String> =
        associated.filter_map(|one| Some((one.subnet_id?, one.association_id))).collect();
    Ec2RouteTable {
        vpc: Immutable(table.vpc_id.into()),
        routes: table.routes.iter().filter_map(Route::from_aws).map(Route::canonical).collect(),
        subnets: associations.keys().map(|id| SubnetId::from(id.as_str())).collect(),
        tags: Tags(table.tags),
        arn: site.arn("ec2", &site.region, &format!("route-table/{id}")).into(),
        id: id.into(),
        associations: associations.into(),
    }
}
