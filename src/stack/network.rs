//! A network's entry becomes the entries of the resources that it stands for. Everything in them is
//! written where the network is, so a problem with one of them is shown there.

use std::collections::BTreeMap;
use std::path::Path;

use super::instances::Instance;
use super::scope::Scope;
use super::shape::Shaper;
use crate::diagnostic::{Place, Problem};
use crate::document::{Key, Named, Node, ResourceEntry, Scalar, Yaml};
use crate::kinds::network::{Nat, Network};
use crate::reference::Reference;

/// What a network consists of, by key.
#[derive(Default)]
pub(super) struct Parts {
    /// Every resource.
    pub all: Vec<String>,
    vpc: String,
    /// Kind and keys of those that have a name together.
    lists: BTreeMap<&'static str, (&'static str, Vec<String>)>,
}

impl Parts {
    /// The part of that name, where there is one: `vpc`.
    pub fn one(&self, part: &str) -> Option<Reference> {
        let field = || "id".to_owned();
        (part == "vpc").then(|| Reference { key: self.vpc.clone(), field: field() })
    }

    /// The parts of that name, and their kind.
    pub fn several(&self, part: &str) -> Option<(&'static str, &[String])> {
        self.lists.get(part).map(|(kind, keys)| (*kind, keys.as_slice()))
    }

    /// The names of all parts.
    pub fn words(&self) -> Vec<&'static str> {
        std::iter::once("vpc").chain(self.lists.keys().copied()).collect()
    }

    fn list(&mut self, part: &'static str, kind: &'static str, key: &str) {
        self.lists.entry(part).or_insert_with(|| (kind, Vec::new())).1.push(key.to_owned());
    }
}

/// The network's parts and their entries; nothing when it isn't sound.
pub(super) fn expand(
    instance: &Instance<'_>,
    scope: &Scope<'_>,
    root: &Path,
    problems: &mut Vec<Problem>,
) -> Option<(Parts, Vec<ResourceEntry>)> {
    let (entry, kind) = (&*instance.entry, instance.kind);
    let before = problems.len();
    if let Some(name) = &entry.name {
        let problem = Problem::error("a network has no name in AWS").at(&name.place);
        problems.push(problem.help("its parts are named after the key"));
    }
    if let Some(field) = entry.ignore.first() {
        let problem = Problem::error("a network has no fields in AWS to ignore").at(&field.place);
        problems.push(problem.help("write the resources one by one instead"));
    }
    let mut shaper = Shaper::new(scope, root);
    let fields = shaper.fields(kind.schema(), "", &entry.body, &entry.key.place);
    let Shaper { findings, places, .. } = shaper;
    problems.extend(findings.problems);
    if problems.len() == before {
        let place = |path: &str| places.get(path).unwrap_or(&entry.key.place);
        let wrong = kind.check(&fields, root).into_iter();
        problems.extend(wrong.map(|(path, text)| Problem::error(text).at(place(&path))));
    }
    if problems.len() > before {
        return None;
    }
    let network: Network = serde_json::from_value(fields).ok()?;
    let mut plan = Drawing {
        key: &instance.key,
        entry,
        tags: tags(entry, scope),
        cidr: places.get("cidr").unwrap_or(&entry.key.place),
        parts: Parts::default(),
        entries: Vec::new(),
    };
    plan.draw(&network)?;
    Some((plan.parts, plan.entries))
}

/// The tags as they are written, or what a variable has in their place.
fn tags(entry: &ResourceEntry, scope: &Scope<'_>) -> Vec<(Key, Node)> {
    let written = entry.body.iter().find(|(key, _)| key.text == "tags");
    let meant = written.and_then(|(_, node)| scope.node(node).mapping());
    meant.unwrap_or_default().to_vec()
}

/// A network as it is taking shape.
struct Drawing<'a> {
    key: &'a str,
    entry: &'a ResourceEntry,
    tags: Vec<(Key, Node)>,
    /// Where the range of addresses is written.
    cidr: &'a Place,
    parts: Parts,
    entries: Vec<ResourceEntry>,
}

impl Drawing<'_> {
    fn draw(&mut self, network: &Network) -> Option<()> {
        let zones = network.zones.numbered();
        let vpc = self.name("vpc");
        let range = vec![("cidr", self.text_at(&network.cidr, self.cidr))];
        self.add(&vpc, "ec2_vpc", range, &[]);
        self.parts.vpc = vpc.clone();
        let internet = self.name("internet-gateway");
        self.add(&internet, "ec2_internet_gateway", vec![("vpc", self.text(&vpc))], &[]);
        for (number, letter) in &zones {
            let (public, private) =
                (self.name(&format!("public-{letter}")), self.name(&format!("private-{letter}")));
            let zone = format!("${{aws.region}}{letter}");
            let subnet = |drawing: &Self, range: String, public: bool| {
                vec![
                    ("vpc", drawing.text(&vpc)),
                    ("cidr", drawing.text_at(&range, drawing.cidr)),
                    ("zone", drawing.text(&zone)),
                    ("public_ip_on_launch", drawing.text(if public { "true" } else { "false" })),
                ]
            };
            let fields = subnet(self, network.public(*number)?.to_string(), true);
            self.add(&public, "ec2_subnet", fields, &["kubernetes.io/role/elb"]);
            self.parts.list("public_subnets", "ec2_subnet", &public);
            let fields = subnet(self, network.private(*number)?.to_string(), false);
            self.add(&private, "ec2_subnet", fields, &["kubernetes.io/role/internal-elb"]);
            self.parts.list("private_subnets", "ec2_subnet", &private);
        }
        self.routes(network, &vpc, &internet, &zones);
        if network.s3_endpoint {
            let tables = [self.tables("public_route_tables"), self.tables("private_route_tables")];
            let fields = vec![
                ("vpc", self.text(&vpc)),
                ("service", self.text("s3")),
                ("route_tables", self.list(&tables.concat())),
            ];
            let key = self.name("s3");
            self.add(&key, "ec2_vpc_endpoint", fields, &[]);
        }
        Some(())
    }

    /// Where traffic goes: that of public subnets to the internet, that of private ones over NAT.
    /// Every private subnet has a table of its own, so that another way out only changes routes.
    fn routes(&mut self, network: &Network, vpc: &str, internet: &str, zones: &[(u32, char)]) {
        let public: Vec<String> = self.tables("public_subnets");
        let fields = vec![
            ("vpc", self.text(vpc)),
            ("routes", self.way_out("gateway", internet)),
            ("subnets", self.list(&public)),
        ];
        let table = self.name("public-routes");
        self.add(&table, "ec2_route_table", fields, &[]);
        self.parts.list("public_route_tables", "ec2_route_table", &table);
        let first = zones.first().map(|(_, letter)| *letter);
        for (_, letter) in zones {
            let out = match network.nat {
                Nat::None => None,
                Nat::One => first,
                Nat::Each => Some(*letter),
            };
            if out == Some(*letter) {
                let nat = self.name(&format!("nat-{letter}"));
                let subnet = self.text(&self.name(&format!("public-{letter}")));
                self.add(&nat, "ec2_nat_gateway", vec![("subnet", subnet)], &[]);
                // Without the way to the internet it would fail.
                let needed = Named { text: internet.to_owned(), place: self.place().clone() };
                if let Some(made) = self.entries.last_mut() {
                    made.depends_on.push(needed);
                }
            }
            let private = self.name(&format!("private-{letter}"));
            let mut fields = vec![("vpc", self.text(vpc)), ("subnets", self.list(&[private]))];
            if let Some(out) = out {
                let nat = self.name(&format!("nat-{out}"));
                fields.push(("routes", self.way_out("nat_gateway", &nat)));
            }
            let table = self.name(&format!("private-routes-{letter}"));
            self.add(&table, "ec2_route_table", fields, &[]);
            self.parts.list("private_route_tables", "ec2_route_table", &table);
        }
    }

    fn tables(&self, part: &str) -> Vec<String> {
        self.parts.several(part).map(|(_, keys)| keys.to_vec()).unwrap_or_default()
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.key)
    }

    fn place(&self) -> &Place {
        &self.entry.key.place
    }

    fn named(&self, text: &str) -> Named {
        Named { text: text.to_owned(), place: self.place().clone() }
    }

    fn text(&self, text: &str) -> Node {
        self.text_at(text, self.place())
    }

    fn text_at(&self, text: &str, place: &Place) -> Node {
        let scalar = Scalar { text: text.to_owned(), plain: true };
        Node { value: Yaml::Scalar(scalar), place: place.clone() }
    }

    fn list(&self, keys: &[String]) -> Node {
        let items = keys.iter().map(|key| self.text(key)).collect();
        Node { value: Yaml::Sequence(items), place: self.place().clone() }
    }

    fn mapping(&self, entries: Vec<(Key, Node)>) -> Node {
        Node { value: Yaml::Mapping(entries), place: self.place().clone() }
    }

    /// The route for all traffic that stays in no other network.
    fn way_out(&self, target: &str, key: &str) -> Node {
        let route = vec![
            (self.named("cidr"), self.text("0.0.0.0/0")),
            (self.named(target), self.text(key)),
        ];
        let items = vec![self.mapping(route)];
        Node { value: Yaml::Sequence(items), place: self.place().clone() }
    }

    /// Adds a resource; `marks` are tags with the value 1 that it has unless they are given.
    fn add(&mut self, key: &str, kind: &str, fields: Vec<(&str, Node)>, marks: &[&str]) {
        let mut tags = self.tags.clone();
        for mark in marks {
            if !tags.iter().any(|(key, _)| key.text == *mark) {
                tags.push((self.named(mark), self.text("1")));
            }
        }
        let fields = fields.into_iter().map(|(name, node)| (self.named(name), node));
        let mut body: Vec<(Key, Node)> = fields.collect();
        if !tags.is_empty() {
            body.push((self.named("tags"), self.mapping(tags)));
        }
        let entry = ResourceEntry {
            key: self.named(key),
            place: self.entry.place.clone(),
            kind: Some(self.named(kind)),
            name: None,
            depends_on: self.entry.depends_on.clone(),
            for_each: None,
            when: None,
            protect: self.entry.protect.clone(),
            on_destroy: self.entry.on_destroy.clone(),
            adopt: self.entry.adopt.clone(),
            ignore: Vec::new(),
            skip_checks: self.entry.skip_checks.clone(),
            body,
        };
        self.parts.all.push(key.to_owned());
        self.entries.push(entry);
    }
}
