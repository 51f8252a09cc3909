//! A security group with all its rules.

mod obstacles;
mod rule;
mod rules;
mod spelling;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::ec2::{Direction, FILTER_VALUES, Filter, SecurityGroup, SecurityGroupRule};
use crate::aws::named::not_visible_yet;
use crate::aws::{Aws, Class, Error, gone_is_fine};
use crate::field::{Computed, Immutable, Tags, VpcId};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};
use crate::reference::is_marked;
use rule::{Rule, SELF};
use rules::{converge, doubles, revoke, same_rules};
use spelling::description_problem;

/// A security group: which traffic reaches what is in it, and which leaves it. The rules of the
/// stack are all it has: a rule that somebody adds beside lagoa is a difference and is taken away.
/// New rules are added before old ones go, so nobody loses access in between.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2SecurityGroup {
    /// What the group is for; at most 255 characters, no accents. `Managed by lagoa` for a new group
    /// when left out.
    pub description: Option<Immutable<String>>,
    /// The VPC by key or id; without one the region's default VPC.
    pub vpc: Option<Immutable<VpcId>>,
    /// The traffic that is let in. None unless the stack says so.
    #[serde(default)]
    pub ingress: BTreeSet<Rule>,
    /// The traffic that is let out. Everything unless the stack says otherwise; `[]` lets out
    /// nothing.
    #[serde(default = "all_out")]
    pub egress: BTreeSet<Rule>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// The group's id: `sg-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:security-group/sg-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The account that has the group.
    #[serde(default)]
    pub owner: Computed<String>,
}

const ALL_IPV4: &str = "0.0.0.0/0";
const ALL_IPV6: &str = "::/0";

/// EC2 doesn't make a group without a description.
const DESCRIPTION: &str = "Managed by lagoa";

fn all_out() -> BTreeSet<Rule> {
    BTreeSet::from([Rule::everything(ALL_IPV4)])
}

impl Kind for Ec2SecurityGroup {
    const EXAMPLE: &'static str = "
coins-database:
  kind: ec2_security_group
  description: Who may reach the coins database
  ingress:
    - { protocol: tcp, ports: 5432, cidr: 203.0.113.7/32, description: the office }
    - { protocol: tcp, ports: 5432, security_group: coins-app }
    - { protocol: tcp, ports: 8000-8100, security_group: self }
    - { protocol: icmp, cidr: 10.0.0.0/8 }
  egress:
    - { protocol: tcp, ports: 443, cidr: 0.0.0.0/0, description: package repositories }
    - { protocol: all, cidr: 10.0.0.0/8 }
  tags: { Projeto: Bootcamp }

coins-app:
  kind: ec2_security_group
";
    const NAME: &'static str = r"^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(
            &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"],
            ANY,
        )],
        write: &[
            Grant::of(&["ec2:CreateSecurityGroup"], &["ec2:{region}:{account}:security-group/*"])
                .when(When::Marked),
            Grant::of(&["ec2:CreateSecurityGroup"], &["ec2:{region}:{account}:vpc/*"]),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:security-group/*"])
                .when(When::Made(&["CreateSecurityGroup"])),
            Grant::of(
                &[
                    "ec2:AuthorizeSecurityGroupEgress",
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:CreateTags",
                    "ec2:DeleteTags",
                    "ec2:RevokeSecurityGroupEgress",
                    "ec2:RevokeSecurityGroupIngress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
                ],
                &["ec2:{region}:{account}:security-group/*"],
            )
            .when(When::Owned),
        ],
        delete: &[
            Grant::of(&["ec2:DeleteSecurityGroup"], &["ec2:{region}:{account}:security-group/*"])
                .when(When::Owned),
            Grant::of(&["ec2:DescribeNetworkInterfaces"], ANY),
        ],
        ..Access::NONE
    };
    const KEPT_WHILE_USED: bool = true;

    /// What isn't lagoa's is known by its name in a VPC, which the stack may name by its key.
    const READS_AFTER_REFERENCES: bool = true;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let names: Vec<String> = wanted.iter().map(|one| one.name.clone()).collect();
        let groups = groups_by(aws, "group-name", &names).await?;
        let default_vpc = if wanted.iter().any(|one| needs_default_vpc(one, &groups, aws)) {
            default_vpc(aws).await?
        } else {
            None
        };
        let chosen: Vec<_> = wanted
            .iter()
            .filter_map(|one| choose(one, &groups, default_vpc.as_deref(), &aws.site))
            .collect();
        let ids: Vec<String> = chosen.iter().map(|group| group.group_id.clone()).collect();
        let rules = aws.ec2.describe_security_group_rules(&ids).await?;
        Ok(chosen.into_iter().map(|group| found(group, &rules, &aws.site)).collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ids = aws.swept("ec2", "security-group/").await?;
        let groups = groups_by(aws, "group-id", &ids).await?;
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let groups = aws.ec2.describe_security_groups(&[]).await?;
        // EMR makes some beside the first cluster of a VPC.
        let by_aws = |name: &str| name == "default" || name.starts_with("ElasticMapReduce-");
        let made = groups.into_iter().filter(|group| !by_aws(&group.group_name));
        Ok(made.map(|group| group.group_name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let vpc = self.vpc.as_ref().map(|vpc| &***vpc);
        let description = self.description.as_ref().map_or(DESCRIPTION, |text| text.as_str());
        let made = cx.ec2.create_security_group(cx.name, description, vpc, &self.tags).await;
        match made.map_err(Error::from) {
            Ok(_) => Ok(()),
            Err(error) if error.code == "VPCIdNotSpecified" => {
                Err(error.hint("this region has no default VPC: set `vpc` to the id of one"))
            }
            Err(error) => Err(not_visible_yet(error)),
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = live.known_id()?;
        let (set, remove) = self.tags.change_from(&live.tags);
        let ids = [id.to_owned()];
        cx.ec2.create_tags(&ids, &set).await?;
        cx.ec2.delete_tags(&ids, &remove).await?;
        converge(cx, Direction::Ingress, id, &self.ingress, &live.ingress).await?;
        converge(cx, Direction::Egress, id, &self.egress, &live.egress).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let id = self.known_id()?;
        match gone_is_fine(cx.ec2.delete_security_group(id).await) {
            Err(error) if error.class == Class::Dependency => {
                // Looking for the reason needs permissions of its own.
                let Ok(obstacles) = obstacles::find(cx.aws, id).await else { return Err(error) };
                self.let_go_of(&obstacles.groups, cx).await?;
                Err(obstacles.explain(error))
            }
            answer => answer,
        }
    }

    fn accept(&mut self, live: &Self) {
        self.make_canonical(live.owner.as_deref());
        // In a VPC that has IPv6, EC2 lets a new group reach all of that, too.
        let everything = BTreeSet::from([Rule::everything(ALL_IPV4), Rule::everything(ALL_IPV6)]);
        if same_rules(&self.egress, &all_out()) && same_rules(&live.egress, &everything) {
            self.egress = everything;
        }
        let own = live.id.as_deref();
        for rules in [&mut self.ingress, &mut self.egress] {
            let named = |rule: &Rule| own.is_some() && rule.security_group.as_deref() == own;
            if rules.iter().any(named) {
                *rules = std::mem::take(rules)
                    .into_iter()
                    .map(|rule| match named(&rule) {
                        true => Rule { security_group: Some(SELF.into()), ..rule },
                        false => rule,
                    })
                    .collect();
            }
        }
    }

    fn predict(&mut self, _name: &str, site: &Site, _root: &std::path::Path) {
        self.make_canonical(Some(&site.account));
        self.owner = site.account.clone().into();
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let description = self.description.as_ref().filter(|text| !is_marked(text));
        if let Some(problem) = description.and_then(|text| description_problem(text)) {
            wrong.push(("description".to_owned(), problem));
        }
        if let Some(vpc) =
            self.vpc.as_ref().filter(|vpc| !is_marked(vpc) && !vpc.starts_with("vpc-"))
        {
            let message = format!("`{}` is no VPC: write a key, or an id `vpc-…`", vpc.0.0);
            wrong.push(("vpc".to_owned(), message));
        }
        for (path, rules) in [("ingress", &self.ingress), ("egress", &self.egress)] {
            // Rules are a set, so a rule is named by what it says, not by its place.
            for rule in rules {
                let problems = rule.problems().into_iter();
                wrong
                    .extend(problems.map(|why| (path.to_owned(), format!("rule `{rule}`: {why}"))));
            }
            let twice = doubles(rules).into_iter();
            wrong.extend(twice.map(|rule| {
                (
                    path.to_owned(),
                    format!("rule `{rule}` is there twice: EC2 keeps one, with one description"),
                )
            }));
        }
        wrong
    }
}

impl Ec2SecurityGroup {
    fn known_id(&self) -> Result<&str, Error> {
        self.id
            .as_deref()
            .ok_or_else(|| Error::internal("a security group was read without its id"))
    }

    /// Brings rules into the spelling that they are compared in.
    fn make_canonical(&mut self, account: Option<&str>) {
        let own = account.map(|account| format!("{account}/"));
        for rules in [&mut self.ingress, &mut self.egress] {
            let canonical = rules.iter().map(|rule| {
                let mut rule = rule.canonical();
                if let (Some(group), Some(own)) = (&mut rule.security_group, &own)
                    && let Some(id) = group.0.strip_prefix(own.as_str())
                {
                    group.0 = id.to_owned();
                }
                rule
            });
            *rules = canonical.collect();
        }
    }

    /// Takes away the rules that name these groups, which refer to this one in turn: neither of
    /// two groups that name each other could be deleted first.
    async fn let_go_of(&self, groups: &BTreeMap<String, String>, cx: &Cx<'_>) -> Result<(), Error> {
        let id = self.known_id()?;
        let both = [(Direction::Ingress, &self.ingress), (Direction::Egress, &self.egress)];
        for (direction, rules) in both {
            let names_one = |rule: &&Rule| {
                rule.security_group.as_deref().is_some_and(|group| groups.contains_key(group))
            };
            let ids = rules.iter().filter(names_one).filter_map(|rule| rule.id.0.clone());
            revoke(cx, direction, id, &ids.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

/// The groups that have one of these values under the filter.
async fn groups_by(
    aws: &Aws,
    filter: &str,
    values: &[String],
) -> Result<Vec<SecurityGroup>, Error> {
    let mut groups = Vec::new();
    for values in values.chunks(FILTER_VALUES) {
        let filter = Filter::new(filter, values);
        groups.extend(aws.ec2.describe_security_groups(&[filter]).await?);
    }
    Ok(groups)
}

async fn default_vpc(aws: &Aws) -> Result<Option<String>, Error> {
    let vpcs = aws.ec2.describe_vpcs(&[Filter::new("is-default", ["true"])]).await?;
    Ok(vpcs.into_iter().next().map(|vpc| vpc.vpc_id))
}

fn is_ours(group: &SecurityGroup, site: &Site) -> bool {
    group.tags.get("lagoa:stack") == Some(&site.stack)
}

fn wanted_vpc(wanted: &Wanted<Ec2SecurityGroup>) -> Option<&str> {
    wanted.desired.as_ref()?.vpc.as_ref().map(|vpc| &***vpc)
}

/// Whether only the default VPC can tell which of the groups is meant.
fn needs_default_vpc(
    wanted: &Wanted<Ec2SecurityGroup>,
    groups: &[SecurityGroup],
    aws: &Aws,
) -> bool {
    let mut named = groups.iter().filter(|group| group.group_name == wanted.name).peekable();
    let any = named.peek().is_some();
    let asked = wanted.desired.is_some() && wanted_vpc(wanted).is_none();
    any && asked && !named.any(|group| is_ours(group, &aws.site))
}

/// The group that is meant among those of one name, of which every VPC can have one.
/// Ours comes first, even in another VPC: that is how a change of `vpc` shows. A group that isn't
/// ours counts only in the VPC that the stack wants.
fn choose<'a>(
    wanted: &Wanted<Ec2SecurityGroup>,
    groups: &'a [SecurityGroup],
    default_vpc: Option<&str>,
    site: &Site,
) -> Option<&'a SecurityGroup> {
    let named = || groups.iter().filter(|group| group.group_name == wanted.name);
    let vpc = wanted_vpc(wanted).or(default_vpc);
    let there = |group: &&SecurityGroup| vpc.is_some() && group.vpc_id.as_deref() == vpc;
    let ours = |group: &&SecurityGroup| is_ours(group, site);
    let other_stacks = |group: &&SecurityGroup| group.tags.contains_key("lagoa:stack");
    let only_looked_for = || wanted.desired.is_none();
    (named().filter(ours).find(there))
        .or_else(|| named().find(ours))
        .or_else(|| named().find(there))
        .or_else(|| named().find(other_stacks).filter(|_| only_looked_for()))
        .or_else(|| named().next().filter(|_| wanted.whole))
}

fn found(
    group: &SecurityGroup,
    rules: &[SecurityGroupRule],
    site: &Site,
) -> Found<Ec2SecurityGroup> {
    let id = group.group_id.as_str();
    let owner = group.owner_id.clone().unwrap_or_else(|| site.account.clone());
    let of = |direction: Direction| {
        let own = rules.iter().filter(|rule| rule.group_id == id && rule.direction() == direction);
        own.map(|rule| Rule::from_aws(rule, id, &owner)).collect()
    };
    let fields = Ec2SecurityGroup {
        description: Some(Immutable(group.description.clone())),
        vpc: group.vpc_id.clone().map(|id| Immutable(id.into())),
        ingress: of(Direction::Ingress),
        egress: of(Direction::Egress),
        tags: Tags(group.tags.clone()),
        id: id.to_owned().into(),
        arn: site.arn("ec2", &site.region, &format!("security-group/{id}")).into(),
        owner: owner.into(),
    };
    Found { name: group.group_name.clone(), fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn group(name: &str, vpc: &str, stack: Option<&str>) -> SecurityGroup {
        let tags = stack.map(|stack| ("lagoa:stack".to_owned(), stack.to_owned()));
        SecurityGroup {
            group_id: format!("sg-{vpc}"),
            group_name: name.to_owned(),
            description: String::new(),
            owner_id: None,
            vpc_id: Some(vpc.to_owned()),
            tags: tags.into_iter().collect(),
        }
    }

    fn site() -> Site {
        let text = str::to_owned;
        Site { partition: text("aws"), account: text("1"), region: text("r"), stack: text("ours") }
    }

    fn chosen(vpc: Option<&str>, groups: &[SecurityGroup]) -> Option<String> {
        let desired = Some(Ec2SecurityGroup::deserialize(json!({ "vpc": vpc })).unwrap());
        let wanted = Wanted::new("web", desired);
        choose(&wanted, groups, Some("default"), &site()).map(|group| group.group_id.clone())
    }

    #[test]
    fn a_group_of_another_vpc_is_not_meant() {
        let groups =
            [group("web", "a", None), group("web", "default", None), group("db", "b", None)];
        assert_eq!(chosen(None, &groups).as_deref(), Some("sg-default"));
        assert_eq!(chosen(Some("a"), &groups).as_deref(), Some("sg-a"));
        assert_eq!(chosen(Some("b"), &groups), None);
    }

    #[test]
    fn ours_is_meant_wherever_it_is() {
        let groups = [group("web", "default", Some("theirs")), group("web", "a", Some("ours"))];
        assert_eq!(chosen(None, &groups).as_deref(), Some("sg-a"));
        assert_eq!(chosen(Some("default"), &groups).as_deref(), Some("sg-a"));
    }

    #[test]
    fn letting_everything_out_covers_ipv6() {
        let mut desired = Ec2SecurityGroup::deserialize(json!({})).unwrap();
        let egress = BTreeSet::from([Rule::everything(ALL_IPV4), Rule::everything(ALL_IPV6)]);
        let live = Ec2SecurityGroup { egress: egress.clone(), ..desired.clone() };
        desired.accept(&live);
        assert_eq!(desired.egress, egress);
    }
}
