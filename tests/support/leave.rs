//! Whether what lagoa asked of AWS is what its own policy allows.
//!
//! The sandbox notes each call with the names, ids, ARNs and tags in it. From these come the action,
//! the resources and the tags that IAM would judge by. What only AWS knows isn't judged: whose a
//! resource is (`aws:ResourceTag`) and on whose behalf a key is used (`kms:ViaService`) count as
//! fulfilled, and a role that is passed must be allowed for some service.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lagoa::access::matches;
use serde_json::Value;

use super::support::{Ran, Site};

const ACCOUNT: &str = "123456789012";

/// Services whose actions have another prefix than their signatures.
const PREFIXES: &[(&str, &str)] = &[("tagging", "tag")];

/// Operations whose actions have another name.
const NAMES: &[(&str, &str)] = &[
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListObjects", "s3:ListBucket"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("s3:GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    ("s3:PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
    ("s3:GetBucketCors", "s3:GetBucketCORS"),
    ("s3:PutBucketCors", "s3:PutBucketCORS"),
    ("s3:DeleteBucketCors", "s3:PutBucketCORS"),
    ("s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("s3:PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
];

/// Members of requests that name a resource: the service, the member, and the ARN's own part.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("dms", "ReplicationSubnetGroupIdentifier", "subgrp:"),
    ("elasticmapreduce", "ClusterId", "cluster/"),
    ("elasticmapreduce", "JobFlowId", "cluster/"),
    ("elasticmapreduce", "JobFlowIds", "cluster/"),
    ("elasticmapreduce", "ResourceId", "cluster/"),
    ("emr-serverless", "applicationId", "/applications/"),
    ("iam", "GroupName", "group/"),
    ("iam", "InstanceProfileName", "instance-profile/"),
    ("iam", "PolicyName", "policy/"),
    ("iam", "RoleName", "role/"),
    ("iam", "SerialNumber", "mfa/"),
    ("iam", "UserName", "user/"),
    ("kms", "AliasName", ""),
    ("kms", "KeyId", "key/"),
    ("kms", "TargetKeyId", "key/"),
    ("logs", "logGroupIdentifier", "log-group:"),
    ("logs", "logGroupName", "log-group:"),
    ("rds", "DBClusterIdentifier", "cluster:"),
    ("rds", "DBClusterParameterGroupName", "cluster-pg:"),
    ("rds", "DBInstanceIdentifier", "db:"),
    ("rds", "DBParameterGroupName", "pg:"),
    ("rds", "DBSnapshotIdentifier", "snapshot:"),
    ("rds", "DBSubnetGroupName", "subgrp:"),
    ("rds", "FinalDBSnapshotIdentifier", "snapshot:"),
    ("rds", "FinalDBSnapshotIdentifier", "cluster-snapshot:"),
    ("rds", "OptionGroupName", "og:"),
    ("rds", "SnapshotIdentifier", "cluster-snapshot:"),
    ("redshift", "ClusterIdentifier", "cluster:"),
    ("redshift", "ClusterSubnetGroupName", "subnetgroup:"),
    ("redshift", "ParameterGroupName", "parametergroup:"),
    ("secretsmanager", "Name", "secret:"),
    ("secretsmanager", "SecretId", "secret:"),
    ("ssm", "Name", "parameter/"),
    ("ssm", "Names", "parameter/"),
    ("ssm", "ResourceId", "parameter/"),
];

/// What EC2's ids begin with.
const IDS: &[(&str, &str)] = &[
    ("eipalloc-", "elastic-ip/"),
    ("igw-", "internet-gateway/"),
    ("key-", "key-pair/"),
    ("nat-", "natgateway/"),
    ("rtb-", "route-table/"),
    ("sg-", "security-group/"),
    ("subnet-", "subnet/"),
    ("vpc-", "vpc/"),
    ("vpce-", "vpc-endpoint/"),
];

/// Members that name a role which the call hands over; ARNs of roles are found by themselves.
const PASSED: &[(&str, &str)] = &[
    ("RunJobFlow", "ServiceRole"),
    ("RunJobFlow", "JobFlowRole"),
    ("RunJobFlow", "AutoScalingRole"),
];

/// Calls that name roles without handing them over.
const NAMING: &[&str] = &[
    "CreateAccessEntry",
    "DescribeAccessEntry",
    "UpdateAccessEntry",
    "DeleteAccessEntry",
    "AssociateAccessPolicy",
    "DisassociateAccessPolicy",
    "ListAssociatedAccessPolicies",
];

/// What a call makes, where it names other things too, and where only the answer names it.
const MADE: &[(&str, &str, &str)] = &[
    ("ec2", "AllocateAddress", "elastic-ip/"),
    ("ec2", "CreateInternetGateway", "internet-gateway/"),
    ("ec2", "CreateKeyPair", "key-pair/"),
    ("ec2", "CreateNatGateway", "natgateway/"),
    ("ec2", "CreateRouteTable", "route-table/"),
    ("ec2", "CreateSecurityGroup", "security-group/"),
    ("ec2", "CreateSubnet", "subnet/"),
    ("ec2", "CreateVpc", "vpc/"),
    ("ec2", "CreateVpcEndpoint", "vpc-endpoint/"),
    ("ec2", "ImportKeyPair", "key-pair/"),
    ("eks", "CreateAccessEntry", "access-entry/"),
    ("eks", "CreateAddon", "addon/"),
    ("eks", "CreateCluster", "cluster/"),
    ("eks", "CreateNodegroup", "nodegroup/"),
    ("eks", "CreatePodIdentityAssociation", "podidentityassociation/"),
    ("rds", "CreateDBCluster", "cluster:"),
    ("rds", "CreateDBClusterParameterGroup", "cluster-pg:"),
    ("rds", "CreateDBInstance", "db:"),
    ("rds", "CreateDBParameterGroup", "pg:"),
    ("rds", "CreateDBSubnetGroup", "subgrp:"),
    ("rds", "RestoreDBClusterFromSnapshot", "cluster:"),
    ("rds", "RestoreDBInstanceFromDBSnapshot", "db:"),
    ("redshift", "CreateCluster", "cluster:"),
    ("redshift", "CreateClusterParameterGroup", "parametergroup:"),
    ("redshift", "CreateClusterSubnetGroup", "subnetgroup:"),
];

/// Actions whose resource AWS looks up by something else in the request.
const LOOKED_UP: &[&str] = &["iam:GetAccessKeyLastUsed"];

/// What makes a tag, for services that want leave for it in calls that make a resource.
const TAGGING: &[(&str, &str)] = &[
    ("dms", "AddTagsToResource"),
    ("ec2", "CreateTags"),
    ("eks", "TagResource"),
    ("elasticmapreduce", "AddTags"),
    ("emr-serverless", "TagResource"),
    ("kms", "TagResource"),
    ("logs", "TagResource"),
    ("rds", "AddTagsToResource"),
    ("redshift", "CreateTags"),
    ("redshift-serverless", "TagResource"),
    ("s3", "TagResource"),
    ("secretsmanager", "TagResource"),
    ("ssm", "AddTagsToResource"),
];

/// What AWS publishes of IAM's actions.
pub fn facts() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts/iam_actions.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the facts")).expect("JSON")
}

/// Something that IAM would have to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub action: String,
    /// Each of them, or `*` for an action that knows no single ones.
    pub resources: BTreeSet<String>,
    /// Keys of the request that are known.
    context: BTreeMap<String, String>,
}

/// What was asked of AWS, and what IAM thinks of it.
pub struct Leave<'a> {
    site: &'a Site,
    facts: Value,
    /// Every action that was needed so far.
    pub needed: BTreeSet<String>,
}

impl<'a> Leave<'a> {
    pub fn new(site: &'a Site) -> Self {
        Self { site, facts: facts(), needed: BTreeSet::new() }
    }

    /// Runs a command on stack files and holds it to the policy that lagoa prints for it.
    pub fn run(&mut self, command: &str, more: &[&str], files: &[&str]) -> Ran {
        let last = files.last().expect("a stack file");
        let policy = printed(self.site, command, files);
        self.site.post("/_lagoa/requests/reset");
        let ran = self.site.run(&[&[command, last, "--sandbox"], more].concat());
        self.hold(&policy, command);
        ran
    }

    /// Every call since the last reset is allowed.
    pub fn hold(&mut self, policy: &Value, what: &str) {
        let calls = self.site.get("/_lagoa/calls");
        let mut denied = BTreeSet::new();
        for call in calls.as_array().expect("a list of calls") {
            for need in needs(call, &self.facts) {
                self.needed.insert(need.action.clone());
                if !allowed(policy, &need) {
                    denied.insert(format!("{} on {:?}", need.action, need.resources));
                }
            }
        }
        let denied: Vec<String> = denied.into_iter().collect();
        assert!(
            denied.is_empty(),
            "{what} isn't allowed to:\n  {}\nby {policy}",
            denied.join("\n  ")
        );
    }
}

/// All statements of the printed policy, whatever document they are in.
pub fn printed(site: &Site, command: &str, files: &[&str]) -> Value {
    let arguments = [&["policy", "--for", command, "--account", ACCOUNT], files].concat();
    let printed = site.run(&arguments).success().json();
    let documents = match printed {
        Value::Array(several) => several,
        one => vec![one],
    };
    let statements = documents.iter().flat_map(|one| one["Statement"].as_array().cloned());
    statements.flatten().collect()
}

/// What a call needs: its own action, leave to tag what it makes, and to hand over roles.
fn needs(call: &Value, facts: &Value) -> Vec<Need> {
    let (service, operation) = (text(&call["service"]), text(&call["operation"]));
    let prefix = PREFIXES.iter().find(|(signed, _)| *signed == service);
    let prefix = prefix.map_or(service, |(_, prefix)| prefix);
    let name = format!("{prefix}:{operation}");
    let action = NAMES.iter().find(|(own, _)| *own == name).map_or(name.as_str(), |(_, iam)| iam);
    let members: BTreeMap<&str, Vec<&str>> = call["members"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(path, texts)| {
            (path.as_str(), texts.as_array().into_iter().flatten().map(text).collect())
        })
        .collect();
    let mut context = BTreeMap::new();
    for (path, texts) in &members {
        if let Some(tag) = path.strip_prefix("tag:") {
            context.insert(format!("aws:RequestTag/{tag}"), texts[0].to_owned());
        }
    }
    if let Some(policy) = members.get("PolicyArn") {
        context.insert("iam:PolicyARN".to_owned(), policy[0].to_owned());
    }
    let candidates = candidates(service, operation, &members);
    let need = |action: &str, context: &BTreeMap<String, String>| Need {
        action: action.to_owned(),
        resources: of_the_action(action, &candidates, facts),
        context: context.clone(),
    };
    let mut needs = vec![need(action, &context)];
    if operation == "DeleteObjects" && members.contains_key("Delete.Objects.VersionId") {
        needs.push(need("s3:DeleteObjectVersion", &context));
    }
    if members.get("BypassGovernanceRetention").is_some_and(|texts| texts.contains(&"true")) {
        needs.push(need("s3:BypassGovernanceRetention", &context));
    }
    let marks = context.contains_key("aws:RequestTag/lagoa:stack");
    let makes = ["Create", "Run", "Import", "Allocate", "Restore", "Put"];
    if marks && makes.iter().any(|verb| operation.starts_with(verb)) && operation != "CreateTags" {
        if service == "iam" {
            needs.push(need(&format!("iam:{}", operation.replacen("Create", "Tag", 1)), &context));
        } else if let Some((_, tags)) = TAGGING.iter().find(|(of, _)| *of == service)
            && operation != "PutBucketTagging"
        {
            let mut tagging = need(&format!("{prefix}:{tags}"), &context);
            tagging.context.insert("ec2:CreateAction".to_owned(), operation.to_owned());
            let made = MADE.iter().find(|(of, by, _)| (*of, *by) == (service, operation));
            if let Some((_, _, words)) = made {
                let whole = format!("arn:aws:{service}:*:{ACCOUNT}:{words}");
                tagging.resources =
                    candidates.iter().filter(|arn| arn.starts_with(&whole)).cloned().collect();
                if tagging.resources.is_empty() {
                    tagging.resources.insert(format!("{whole}*"));
                }
            }
            needs.push(tagging);
        }
    }
    needs.extend(passed(service, operation, &members));
    needs
}

fn passed(service: &str, operation: &str, members: &BTreeMap<&str, Vec<&str>>) -> Vec<Need> {
    let role = |arn: String| Need {
        action: "iam:PassRole".to_owned(),
        resources: [arn].into(),
        context: BTreeMap::new(),
    };
    if operation == "AddRoleToInstanceProfile" {
        let roles = members.get("RoleName").into_iter().flatten();
        return roles.map(|name| role(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))).collect();
    }
    if ["iam", "sts", "tagging"].contains(&service) || NAMING.contains(&operation) {
        return Vec::new();
    }
    let mut needs = Vec::new();
    for (path, texts) in members.iter().filter(|(path, _)| !path.starts_with("Remove")) {
        let arns = texts.iter().filter(|one| one.starts_with("arn:") && one.contains(":role/"));
        needs.extend(arns.map(|arn| role((*arn).to_owned())));
        if PASSED.contains(&(operation, path)) {
            let names = texts.iter().filter(|one| !one.starts_with("arn:"));
            needs.extend(names.map(|name| role(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))));
        }
    }
    needs
}

/// ARNs that a request names, as far as it shows them.
fn candidates(
    service: &str,
    operation: &str,
    members: &BTreeMap<&str, Vec<&str>>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let own = |part: String| {
        let (region, account) = match service {
            "s3" => ("", ""),
            "iam" => ("", ACCOUNT),
            _ => ("*", ACCOUNT),
        };
        format!("arn:aws:{service}:{region}:{account}:{part}")
    };
    let first = |member: &str| members.get(member).and_then(|texts| texts.first().copied());
    for texts in members.values() {
        let same = |one: &&&str| one.starts_with(&format!("arn:aws:{service}:"));
        found.extend(texts.iter().filter(same).map(|one| (*one).to_owned()));
    }
    for (of, member, words) in MEMBERS.iter().filter(|(of, ..)| *of == service) {
        for name in members.get(member).into_iter().flatten() {
            let name = match *of {
                "kms" if name.starts_with("alias/") && *words == "key/" => "of-an-alias",
                "ssm" => name.trim_start_matches('/'),
                _ => name,
            };
            if !name.starts_with("arn:") {
                let end = if *of == "secretsmanager" { "-AbCdEf" } else { "" };
                found.insert(own(format!("{words}{name}{end}")));
            }
        }
    }
    match service {
        "ec2" => {
            for id in members.values().flatten() {
                let of = IDS.iter().filter(|(begins, _)| id.starts_with(begins));
                let of = of.max_by_key(|(begins, _)| begins.len());
                found.extend(of.map(|(_, words)| own(format!("{words}{id}"))));
            }
        }
        "s3" => {
            if let Some(bucket) = first("Bucket") {
                found.insert(own(bucket.to_owned()));
                let keys = ["Key", "Delete.Objects.Key"].iter().filter_map(|one| members.get(one));
                found.extend(keys.flatten().map(|key| own(format!("{bucket}/{key}"))));
            }
        }
        "eks" => {
            let cluster = first("clusterName").or(first("name"));
            found.extend(cluster.map(|cluster| own(format!("cluster/{cluster}"))));
            let cluster = cluster.unwrap_or("*");
            for (member, words, end) in [
                ("nodegroupName", "nodegroup", "/id"),
                ("addonName", "addon", "/id"),
                ("principalArn", "access-entry", "/id"),
                ("associationId", "podidentityassociation", ""),
            ] {
                if let Some(name) = first(member) {
                    let name = name.rsplit(':').next().unwrap_or_default();
                    let name = name.replacen('/', &format!("/{ACCOUNT}/"), 1);
                    found.insert(own(format!("{words}/{cluster}/{name}{end}")));
                }
            }
            if operation == "CreatePodIdentityAssociation" {
                found.insert(own(format!("podidentityassociation/{cluster}/id")));
            }
        }
        "iam" => {
            if let Some(url) = first("Url") {
                found.insert(own(format!("oidc-provider/{}", url.trim_start_matches("https://"))));
            }
        }
        _ => {}
    }
    found
}

/// Those of the ARNs that the action is judged by; where the request shows none, any of the sort.
/// None at all where there are several sorts and the request shows none of them.
fn of_the_action(action: &str, candidates: &BTreeSet<String>, facts: &Value) -> BTreeSet<String> {
    let sorts = facts["actions"][action]["on"].as_array();
    let sorts: Vec<&str> = sorts.into_iter().flatten().map(text).collect();
    if LOOKED_UP.contains(&action) {
        return BTreeSet::new();
    }
    if sorts.is_empty() {
        return ["*".to_owned()].into();
    }
    let pattern = |sort: &str| format!("arn:*:{}", sort.trim_start_matches('!'));
    let mut found = BTreeSet::new();
    for sort in &sorts {
        let of = candidates.iter().filter(|arn| sort_of(arn) == sort_of(&pattern(sort)));
        let of: Vec<&String> = of.filter(|arn| matches(&pattern(sort), arn)).collect();
        // A cluster may go without a snapshot.
        let optional = action == "rds:DeleteDBCluster" && sort.contains(":cluster-snapshot:");
        if of.is_empty() && !optional && (sort.starts_with('!') || sorts.len() == 1) {
            let any = sort.trim_start_matches('!').replacen(":*:*:", &format!(":*:{ACCOUNT}:"), 1);
            let any = any.replacen("::*:", &format!("::{ACCOUNT}:"), 1);
            // What RDS isn't told it takes the default of.
            let made = ["rds:Create", "rds:Modify", "rds:Restore"];
            let name =
                if made.iter().any(|verb| action.starts_with(verb)) { "default" } else { "*" };
            found.insert(format!("arn:aws:{}{name}", any.trim_end_matches('*')));
        }
        found.extend(of.into_iter().cloned());
    }
    found
}

/// What sort of thing an ARN is of; objects aren't buckets.
fn sort_of(arn: &str) -> (String, bool) {
    let own = arn.splitn(6, ':').last().unwrap_or_default();
    if arn.contains(":s3:") {
        return (String::new(), own.contains('/'));
    }
    let words = own.trim_start_matches('/').split([':', '/']).next().unwrap_or_default();
    (words.to_owned(), false)
}

fn allowed(policy: &Value, need: &Need) -> bool {
    let statements = policy.as_array().expect("statements").iter();
    let of = statements.filter(|statement| {
        list(&statement["Action"]).contains(&need.action.as_str())
            && fulfilled(&statement["Condition"], need)
    });
    let on: Vec<&str> = of.flat_map(|statement| list(&statement["Resource"])).collect();
    let covered = |resource: &String| on.iter().any(|pattern| covers(pattern, resource));
    !on.is_empty() && need.resources.iter().all(covered)
}

/// Requests don't tell the paths of IAM's things, nor the region.
fn covers(pattern: &str, resource: &str) -> bool {
    let pattern = if resource.contains(":*:123456789012:") {
        let mut parts: Vec<&str> = pattern.splitn(6, ':').collect();
        if parts.len() == 6 {
            parts[3] = "*";
        }
        parts.join(":")
    } else {
        pattern.to_owned()
    };
    let pattern = pattern.replace("-??????", "-*");
    if matches(&pattern, resource) {
        return true;
    }
    let (Some((_, name)), Some((sort, own))) =
        (pattern.rsplit_once('/'), resource.rsplit_once('/'))
    else {
        return false;
    };
    resource.contains(":iam::") && pattern.starts_with(&format!("{sort}/")) && matches(name, own)
}

fn fulfilled(condition: &Value, need: &Need) -> bool {
    condition.as_object().into_iter().flatten().all(|(_, keys)| {
        keys.as_object().into_iter().flatten().all(|(key, values)| {
            let Some(value) = need.context.get(key) else {
                // Only the request itself can tell of the tags that it gives, and of policies.
                return !key.starts_with("aws:RequestTag/") && key != "iam:PolicyARN";
            };
            list(values).iter().any(|pattern| matches(pattern, value))
        })
    })
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
