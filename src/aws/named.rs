//! EC2 makes the ids of networks up itself, and takes their names for tags like any others. So lagoa
//! finds its own by its marks: they keep their name for lagoa whoever writes another `Name` on them.
//! What carries no mark is found by its `Name`, so that it can be taken over.

use std::collections::BTreeMap;

use super::ec2::{
    Address, InternetGateway, NatGateway, Result as Ec2Result, RouteTable, Subnet, Vpc, VpcEndpoint,
};
use super::{Aws, Class, Error};
use crate::field::Tags;
use crate::kind::{Cx, Site, Wanted};

/// The name in AWS where that isn't the key.
const OTHER_NAME: &str = "lagoa:aws-name";

/// Something with an id that EC2 made up and a name among its tags.
pub trait Named: Clone {
    /// Its id.
    fn id(&self) -> &str;
    /// Its tags.
    fn tags(&self) -> &BTreeMap<String, String>;
    /// On its way out, so that another one may have its name already.
    fn leaving(&self) -> bool {
        false
    }

    /// Whether it carries the mark of the stack.
    fn is_of(&self, site: &Site) -> bool {
        self.tags().get("lagoa:stack") == Some(&site.stack)
    }

    /// What lagoa calls it.
    fn own_name(&self) -> Option<&str> {
        let tags = self.tags();
        let name = tags.get(OTHER_NAME).or_else(|| tags.get("lagoa:name"))?;
        Some(name.as_str())
    }
}

macro_rules! named {
    ($($type:ident . $id:ident),+ $(,)?) => {$(
        impl Named for $type {
            fn id(&self) -> &str {
                &self.$id
            }
            fn tags(&self) -> &BTreeMap<String, String> {
                &self.tags
            }
        }
    )+};
}

named! {
    InternetGateway.internet_gateway_id,
    RouteTable.route_table_id,
    Subnet.subnet_id,
    Vpc.vpc_id,
}

impl Named for NatGateway {
    fn id(&self) -> &str {
        &self.nat_gateway_id
    }
    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
    fn leaving(&self) -> bool {
        self.state == "deleting"
    }
}

impl Named for VpcEndpoint {
    fn id(&self) -> &str {
        &self.vpc_endpoint_id
    }
    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
    fn leaving(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("deleting"))
    }
}

impl Named for Address {
    fn id(&self) -> &str {
        self.allocation_id.as_deref().unwrap_or_default()
    }
    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}

/// Those that are wanted, each with its name. What is nobody's counts only where the stack wants
/// one of that name, and only if there is no choice.
pub fn wanted<T: Named, K>(
    things: &[T],
    wanted: &[Wanted<K>],
    site: &Site,
) -> Result<Vec<(String, T)>, Error> {
    let mut found = Vec::new();
    for one in wanted {
        if one.whole {
            let asked = |thing: &&T| {
                !thing.leaving() && [thing.id(), name_among(things, thing)].contains(&&*one.name)
            };
            let thing = things.iter().find(asked);
            found.extend(thing.map(|thing| (name_among(things, thing).to_owned(), thing.clone())));
            continue;
        }
        let nobodys = if one.desired.is_some() { unmarked(things, &one.name)? } else { None };
        let thing = own(things, &one.name, site).or(nobodys);
        found.extend(thing.map(|thing| (one.name.clone(), thing.clone())));
    }
    Ok(found)
}

/// The stack's own thing of that name.
pub fn own<'a, T: Named>(things: &'a [T], name: &str, site: &Site) -> Option<&'a T> {
    let own = things.iter().filter(|one| one.is_of(site) && one.own_name() == Some(name));
    own.min_by_key(|one| (one.leaving(), one.id()))
}

fn unmarked<'a, T: Named>(things: &'a [T], name: &str) -> Result<Option<&'a T>, Error> {
    let named = |one: &&T| {
        let tags = one.tags();
        let called = tags.get("Name").is_some_and(|tag| tag == name) || one.id() == name;
        called && !tags.contains_key("lagoa:stack")
    };
    let all: Vec<&T> = things.iter().filter(|one| !one.leaving()).filter(named).collect();
    match all.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let ids: Vec<&str> = several.iter().map(|one| one.id()).collect();
            let message =
                format!("{} are both called {name} and aren't lagoa's", ids.join(" and "));
            Err(Error::new(Class::Terminal, message)
                .hint("give the resource another name, or change the Name tag of what is there"))
        }
    }
}

/// What an import calls a thing: as the stack that owns it does, by its `Name` if no other has the
/// same, else by its id.
fn name_among<'a, T: Named>(things: &[T], one: &'a T) -> &'a str {
    if let Some(name) = one.own_name().filter(|_| one.tags().contains_key("lagoa:stack")) {
        return name;
    }
    let named = |thing: &T| thing.tags().get("Name") == one.tags().get("Name");
    match one.tags().get("Name") {
        Some(name) if things.iter().filter(|thing| named(thing)).count() == 1 => name,
        _ => one.id(),
    }
}

/// Names of all of these, whoever owns them.
pub fn names<T: Named>(things: &[T], by_aws: impl Fn(&T) -> bool) -> Vec<String> {
    let there = things.iter().filter(|one| !one.leaving() && !by_aws(one));
    there.map(|one| name_among(things, one).to_owned()).collect()
}

/// Whether somebody has given it a `Name`.
pub fn is_named(thing: &impl Named) -> bool {
    thing.tags().contains_key("Name")
}

/// Names of what carries the stack's mark. Asks only if the sweep saw something of the sort.
pub async fn owned<T: Named>(
    aws: &Aws,
    prefix: &str,
    describe: impl AsyncFnOnce() -> Ec2Result<Vec<T>>,
) -> Result<Vec<String>, Error> {
    if aws.swept("ec2", prefix).await?.is_empty() {
        return Ok(Vec::new());
    }
    let things = describe().await?;
    let own = things.iter().filter(|one| one.is_of(&aws.site));
    Ok(own.filter_map(|one| Some(one.own_name()?.to_owned())).collect())
}

/// Completes the tags that a resource is to have: the name for people, and the one for lagoa. What was
/// taken over by its id has no name for people.
pub fn christen(tags: &mut Tags, name: &str) {
    if tags.get("lagoa:name").is_some_and(|key| key != name) {
        tags.0.insert(OTHER_NAME.to_owned(), name.to_owned());
    }
    if !is_id(name) {
        tags.0.entry("Name".to_owned()).or_insert_with(|| name.to_owned());
    }
}

/// `vpc-0a1b2c3d`: what EC2 makes up, rather than what people call things.
fn is_id(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(prefix, digits)| {
        let kinds = ["igw", "nat", "rtb", "subnet", "vpc", "vpce"];
        let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        kinds.contains(&prefix)
            && [8, 17].contains(&digits.len())
            && digits.chars().all(hexadecimal)
    })
}

/// Turns the live tags into the desired ones.
pub async fn retag(cx: &Cx<'_>, id: &str, desired: &Tags, live: &Tags) -> Result<(), Error> {
    let (set, remove) = desired.change_from(live);
    let ids = [id.to_owned()];
    cx.ec2.create_tags(&ids, &set).await?;
    cx.ec2.delete_tags(&ids, &remove).await?;
    Ok(())
}

/// What a call refers to may have been made a moment ago.
pub fn not_visible_yet(error: impl Into<Error>) -> Error {
    let error = error.into();
    if error.is_gone() { Error { class: Class::Propagating, ..error } } else { error }
}

/// The id of a live resource.
pub fn known(id: &Option<String>) -> Result<&str, Error> {
    id.as_deref().ok_or_else(|| Error::internal("a resource was read without its id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpc(id: &str, tags: &[(&str, &str)]) -> Vpc {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Vpc {
            vpc_id: id.to_owned(),
            state: None,
            cidr_block: None,
            instance_tenancy: None,
            is_default: false,
            tags: tags.collect(),
        }
    }

    fn site() -> Site {
        let text = str::to_owned;
        Site { partition: text("aws"), account: text("1"), region: text("r"), stack: text("ours") }
    }

    fn found(vpcs: &[Vpc], desired: Option<()>) -> Vec<String> {
        let wanted = [Wanted::new("net", desired)];
        let found = super::wanted(vpcs, &wanted, &site()).unwrap();
        found.into_iter().map(|(_, vpc)| vpc.vpc_id).collect()
    }

    const OURS: (&str, &str) = ("lagoa:stack", "ours");

    #[test]
    fn ours_is_found_by_its_mark_whatever_its_name_tag_says() {
        let renamed = vpc("vpc-1", &[OURS, ("lagoa:name", "net"), ("Name", "other")]);
        let theirs = vpc("vpc-0", &[("lagoa:stack", "theirs"), ("lagoa:name", "net")]);
        let nobodys = vpc("vpc-2", &[("Name", "net")]);
        let all = [renamed, theirs, nobodys];
        assert_eq!(found(&all, Some(())), ["vpc-1"]);
        assert_eq!(found(&all[1..], Some(())), ["vpc-2"]);
        assert_eq!(found(&all[1..], None), Vec::<String>::new());
    }

    #[test]
    fn a_name_other_than_the_key_has_a_mark_of_its_own() {
        let mut tags = Tags::from_iter([("lagoa:name".to_owned(), "key".to_owned())]);
        christen(&mut tags, "net");
        let tags: Vec<_> =
            tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain([OURS]).collect();
        assert!(tags.contains(&("Name", "net")));
        assert_eq!(found(&[vpc("vpc-1", &tags)], None), ["vpc-1"]);
    }

    #[test]
    fn two_of_one_name_that_are_nobodys_are_no_choice_of_lagoas() {
        let all = [vpc("vpc-1", &[("Name", "net")]), vpc("vpc-2", &[("Name", "net")])];
        let wanted = [Wanted::new("net", Some(()))];
        assert!(super::wanted(&all, &wanted, &site()).is_err());
    }

    #[test]
    fn an_import_calls_a_thing_by_what_it_can_be_found_by() {
        let id = "vpc-0a1b2c3d";
        let all = [
            vpc(id, &[]),
            vpc("vpc-1", &[("Name", "net")]),
            vpc("vpc-2", &[("Name", "twin")]),
            vpc("vpc-3", &[("Name", "twin")]),
            vpc("vpc-4", &[("lagoa:stack", "theirs"), ("lagoa:name", "own"), ("Name", "other")]),
        ];
        assert_eq!(names(&all, |_| false), [id, "net", "vpc-2", "vpc-3", "own"]);
        assert_eq!(names(&all, |vpc| !is_named(vpc)), ["net", "vpc-2", "vpc-3", "own"]);
        let whole = |name: &str| {
            let wanted = [Wanted::<()>::whole(name)];
            super::wanted(&all, &wanted, &site()).unwrap()
        };
        assert_eq!(whole("own")[0].1.vpc_id, "vpc-4");
        let (name, found) = &whole("vpc-1")[0];
        assert_eq!((name.as_str(), found.vpc_id.as_str()), ("net", "vpc-1"));
    }

    #[test]
    fn what_is_named_by_its_id_gets_no_name_for_people() {
        let id = "vpc-0a1b2c3d";
        let wanted = [Wanted::new(id, Some(()))];
        assert_eq!(super::wanted(&[vpc(id, &[])], &wanted, &site()).unwrap().len(), 1);
        let mut tags = Tags::from_iter([("lagoa:name".to_owned(), "net".to_owned())]);
        christen(&mut tags, id);
        assert_eq!(tags.get("Name"), None);
        assert_eq!(tags.get(OTHER_NAME).map(String::as_str), Some(id));
    }
}
