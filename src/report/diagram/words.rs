//! What a diagram knows of kinds, as data. A kind that isn't here is drawn in a box of its service,
//! with lines of the most common nature.

use super::Nature;

/// A box of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is called.
    pub title: &'static str,
    /// A colour's name in the SVG.
    pub tint: &'static str,
}

const fn group(title: &'static str, tint: &'static str) -> Group {
    Group { title, tint }
}

const ACCESS: Group = group("Access", "red");
const NETWORK: Group = group("Network", "purple");
const DATABASES: Group = group("Databases", "blue");
const MIGRATION: Group = group("Migration", "teal");
const COMPUTE: Group = group("Compute", "orange");
const WAREHOUSE: Group = group("Warehouse", "indigo");
const STORAGE: Group = group("Storage", "green");
const SETTINGS: Group = group("Settings and logs", "grey");

/// Beginnings of kinds' names, and the box that they are drawn in. The longest one counts.
const GROUPS: &[(&str, Group)] = &[
    ("iam_", ACCESS),
    ("kms_", ACCESS),
    ("secretsmanager_", ACCESS),
    ("ec2_key_pair", ACCESS),
    ("ec2_", NETWORK),
    ("rds_", DATABASES),
    ("postgres_", DATABASES),
    ("mysql_", DATABASES),
    ("dynamodb_", DATABASES),
    ("dms_", MIGRATION),
    ("ec2_instance", COMPUTE),
    ("emr_", COMPUTE),
    ("eks_", COMPUTE),
    ("redshift_", WAREHOUSE),
    ("athena_", WAREHOUSE),
    ("glue_", WAREHOUSE),
    ("s3_", STORAGE),
    ("ssm_", SETTINGS),
    ("logs_", SETTINGS),
];

/// The box of a kind; `None` for a service that isn't in the table.
pub fn group_of(kind: &str) -> Option<Group> {
    let fitting = GROUPS.iter().filter(|(start, _)| kind.starts_with(start));
    fitting.max_by_key(|(start, _)| start.len()).map(|(_, group)| *group)
}

/// Kinds that are boxes themselves: what refers to one, directly or through others of its box, is
/// drawn in it.
pub const CONTAINERS: &[&str] = &["ec2_vpc"];

/// Kinds of which there are many small ones: two that are alike are drawn as one already.
pub const SMALL: &[&str] = &[
    "ec2_subnet",
    "ec2_route_table",
    "ec2_vpc_endpoint",
    "eks_access_entry",
    "eks_addon",
    "iam_policy",
    "iam_user",
    "rds_cluster_instance",
    "ssm_parameter",
    "logs_group",
];

/// Fields that say in a word what a thing is; the first two that are set are shown.
pub const DETAILS: &[&str] = &[
    "engine",
    "engine_version",
    "release_label",
    "version",
    "node_type",
    "cidr",
    "service",
    "namespace",
];

/// Which way it flows, seen from the resource that has the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To what it refers to.
    To,
    /// From what it refers to.
    From,
    /// As its field `type` says: a source takes from what it refers to.
    ByType,
}

/// What a reference means.
pub struct Rule {
    /// Beginning of the name of the kind that refers.
    who: &'static str,
    /// Beginning of the path of the field.
    field: &'static str,
    /// Beginning of the name of the kind referred to.
    what: &'static str,
    /// What it stands for.
    pub nature: Nature,
    /// Which way.
    pub flow: Flow,
}

const fn rule(
    who: &'static str,
    field: &'static str,
    what: &'static str,
    nature: Nature,
    flow: Flow,
) -> Rule {
    Rule { who, field, what, nature, flow }
}

use Flow::{ByType, From, To};
use Nature::{Data, Permission, Placement, Setting};

/// The first one that fits counts; an empty word fits everything.
const RULES: &[Rule] = &[
    // What is only looked up.
    rule("", "", "secretsmanager_secret", Setting, From),
    rule("", "", "ssm_parameter", Setting, From),
    rule("", "", "kms_key", Setting, From),
    // Who may do what. A role comes before who uses it, a policy before what it is about.
    rule("iam_policy", "", "", Permission, To),
    rule("iam_", "inline_policies", "", Permission, To),
    rule("iam_", "", "iam_oidc_provider", Permission, From),
    rule("", "", "iam_role", Permission, From),
    rule("iam_", "", "iam_policy", Permission, From),
    rule("iam_user", "groups", "", Permission, From),
    rule("iam_", "", "", Permission, To),
    rule("s3_bucket", "policy", "", Permission, From),
    rule("ec2_security_group", "ingress", "ec2_security_group", Permission, From),
    rule("ec2_security_group", "egress", "ec2_security_group", Permission, To),
    rule("", "", "ec2_key_pair", Permission, From),
    // Where data flows.
    rule("postgres_seed", "", "", Data, To),
    rule("mysql_seed", "", "", Data, To),
    rule("redshift_seed", "", "", Data, To),
    rule("s3_bucket", "notifications", "", Data, To),
    rule("dms_replication_task", "source_endpoint", "", Data, From),
    rule("dms_replication_task", "target_endpoint", "", Data, To),
    rule("dms_replication_task", "replication_instance", "", Placement, From),
    rule("dms_endpoint", "", "rds_", Data, ByType),
    rule("dms_endpoint", "", "redshift_", Data, ByType),
    rule("dms_endpoint", "", "s3_", Data, ByType),
    rule("emr_step", "cluster", "", Data, To),
    rule("", "", "s3_bucket", Data, To),
    rule("", "", "logs_group", Data, To),
    // What stands in what.
    rule("", "", "ec2_", Placement, From),
    rule("", "", "eks_cluster", Placement, From),
    rule("", "", "rds_cluster", Placement, From),
    rule("", "", "redshift_serverless_namespace", Placement, From),
    rule("", "subnet_group", "", Placement, From),
    rule("", "", "", Setting, From),
];

/// What a reference means that a resource of the kind `who` makes in a field.
pub fn meaning(who: &str, field: &str, what: &str) -> &'static Rule {
    let fits = |rule: &&Rule| {
        who.starts_with(rule.who) && field.starts_with(rule.field) && what.starts_with(rule.what)
    };
    RULES.iter().find(fits).unwrap_or(&REST)
}

static REST: Rule = rule("", "", "", Setting, From);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        assert_eq!(group_of("ec2_subnet"), Some(NETWORK));
        assert_eq!(group_of("ec2_key_pair"), Some(ACCESS));
        assert_eq!(group_of("quicksight_dashboard"), None);
    }

    #[test]
    fn data_flows_through_a_task_from_its_source_to_its_target() {
        let flow = |who: &str, field: &str, what: &str| {
            let rule = meaning(who, field, what);
            (rule.nature, rule.flow)
        };
        let task = "dms_replication_task";
        assert_eq!(flow(task, "source_endpoint", "dms_endpoint"), (Data, From));
        assert_eq!(flow(task, "target_endpoint", "dms_endpoint"), (Data, To));
        assert_eq!(flow("dms_endpoint", "rds", "rds_instance"), (Data, ByType));
        assert_eq!(flow("dms_endpoint", "s3.role", "iam_role"), (Permission, From));
        assert_eq!(flow("iam_policy", "document.Statement", "s3_bucket"), (Permission, To));
        assert_eq!(flow("new_thing", "output", "s3_bucket"), (Data, To));
        assert_eq!(flow("new_thing", "whatever", "other_thing"), (Setting, From));
    }
}
