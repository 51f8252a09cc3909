//! The great law, for every kind, from its own example:
//! apply → the plan is empty → change any mutable field → the plan shows exactly that → apply →
//! the plan is empty → take the resource out → the plan deletes it → destroy → nothing is left.
//!
//! Each run keeps within the policy that `lagoa policy` prints for it, and what the kind says it
//! needs is needed.

#[path = "support/leave.rs"]
mod leave;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use lagoa::kind::AnyKind;
use lagoa::kinds;
use leave::Leave;
use serde_json::{Map, Value};
use support::{Site, actions, changed, yaml};

/// What is changed of a kind's example, from `great_law/KIND.yaml`: `change` is a list of steps, each
/// with the fields that get another value (null takes one out); `.files` in a step writes files,
/// `.others` changes fields of further entries, `.shows` lists paths that the plan must show instead
/// of the fields or beside them, and `.quiet` says that the plan stays empty, as what is taken out
/// stays as AWS has it. `exempt` names the fields that can't be tried here, each with the reason.
/// `files` are written beforehand, and `resources` are further entries of the stack.
/// Ids of subnets are made up: see [`Site::real`].
fn changes(kind: &dyn AnyKind) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/great_law");
    let path = folder.join(format!("{}.yaml", kind.facts().name));
    yaml(
        &std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
}

fn example(kind: &dyn AnyKind) -> Map<String, Value> {
    let example = yaml(kind.facts().example);
    example.as_object().expect("an example is a mapping").clone()
}

/// The first entry of an example is of its own kind.
fn subject(kind: &dyn AnyKind) -> String {
    let example = example(kind);
    let (key, entry) = example.iter().next().expect("an example has an entry");
    assert_eq!(entry["kind"], kind.facts().name, "the first entry of the example");
    key.clone()
}

/// Fields that a stack may set and that AWS can change in place.
fn mutable_fields(kind: &dyn AnyKind) -> BTreeSet<String> {
    let properties = kind.schema()["properties"].as_object().expect("a kind has fields").clone();
    let marked = |schema: &Value, flag: &str| {
        let inner = schema["anyOf"].as_array().cloned().unwrap_or_default();
        schema[flag] == true || inner.iter().any(|schema| schema[flag] == true)
    };
    let fixed = ["readOnly", "createOnly", "writeOnly"];
    let mutable =
        properties.iter().filter(|(_, schema)| !fixed.iter().any(|flag| marked(schema, flag)));
    mutable.map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_mutable_field_of_every_kind_has_a_change() {
    let mut missing = Vec::new();
    for kind in kinds::all() {
        let name = kind.facts().name;
        let of_kind = changes(*kind);
        let tried = of_kind["change"].as_array().into_iter().flatten();
        let tried: BTreeSet<&String> =
            tried.filter_map(Value::as_object).flat_map(Map::keys).collect();
        let exempt = of_kind["exempt"].as_object().cloned().unwrap_or_default();
        for field in mutable_fields(*kind) {
            if !tried.contains(&field) && !exempt.contains_key(&field) {
                missing.push(format!("{name}.{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "no change in tests/great_law for: {}", missing.join(", "));
}

fn law(kind: &dyn AnyKind, site: &Site) {
    let name = kind.facts().name;
    let stack = format!("law-{}", name.replace('_', "-"));
    let subject = subject(kind);
    let Value::Object(mut resources) = site.real(example(kind).into()) else { unreachable!() };
    let changes = site.real(changes(kind));
    resources.extend(changes["resources"].as_object().cloned().unwrap_or_default());
    for (path, text) in changes["files"].as_object().into_iter().flatten() {
        site.write(path, text.as_str().expect("a file is text"));
    }

    let leave = &mut Leave::new(site);
    let apply = ["stack.yaml"];
    site.stack(&stack, &resources);
    leave.run("apply", &["--yes"], &apply).success();
    settled(leave, name, "after the first apply");

    for change in changes["change"].as_array().into_iter().flatten() {
        let change = change.as_object().expect("a change is a mapping of fields");
        let given = |part: &str| change.get(part).and_then(Value::as_object).into_iter().flatten();
        let fields: Vec<&String> = change.keys().collect();
        let mut allowed = set(&mut resources, &subject, change);
        for (other, change) in given(".others") {
            allowed.extend(set(&mut resources, other, change.as_object().expect("a mapping")));
        }
        for (path, text) in given(".files") {
            site.write(path, text.as_str().expect("a file is text"));
        }
        site.stack(&stack, &resources);
        let plan = site.plan();
        shows_exactly(kind, &plan, &subject, change, &allowed);
        if change.get(".quiet") == Some(&Value::Bool(true)) {
            continue;
        }
        leave.run("apply", &["--yes"], &apply).success();
        settled(leave, name, &format!("after {fields:?} changed"));
    }

    let mut without = resources.clone();
    without.remove(&subject);
    if !kind.facts().seed && !without.values().any(|entry| entry.to_string().contains(&subject)) {
        let before = std::fs::read_to_string(site.folder.join("stack.yaml")).expect("the stack");
        site.stack(&stack, &without);
        let plan = site.plan();
        assert_eq!(actions(&plan), [format!("delete {subject}")], "{name}: taken out of the stack");
        site.write("before.yaml", &before);
        let both = ["before.yaml", "stack.yaml"];
        leave.run("apply", &["--yes", "--force-unprotect"], &both).success();
        settled_among(leave, name, "after it was taken out", &both);
        site.stack(&stack, &resources);
        site.stack_command("apply", &["--yes"]).success();
    }

    site.stack(&stack, &resources);
    leave.run("destroy", &["--yes"], &["stack.yaml"]).success();
    let left = site.stack_command("destroy", &["--yes", "--json"]).success().json();
    assert_eq!(actions(&left["plan"]), Vec::<String>::new(), "{name}: left after destroy");
    needs_what_it_declares(kind, &leave.needed);
}

/// Every action that the kind declares was needed, or `facts/unused_actions.yaml` says why not.
fn needs_what_it_declares(kind: &dyn AnyKind, needed: &BTreeSet<String>) {
    let access = kind.facts().access;
    let grants = [access.sweep, access.read, access.write, access.delete].concat();
    let declared = grants.iter().flat_map(|grant| grant.actions).map(|action| (*action).to_owned());
    let unused: BTreeSet<String> = declared.filter(|action| !needed.contains(action)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts/unused_actions.yaml");
    let excused = yaml(&std::fs::read_to_string(path).expect("the list of unused actions"));
    let excused = excused[kind.facts().name].as_object().cloned().unwrap_or_default();
    let unused: Vec<&String> = unused.iter().filter(|one| !excused.contains_key(*one)).collect();
    assert!(unused.is_empty(), "{}: declared, but not needed: {unused:?}", kind.facts().name);
}

/// Every field that was changed, and no other.
fn shows_exactly(
    kind: &dyn AnyKind,
    plan: &Value,
    subject: &str,
    change: &Map<String, Value>,
    allowed: &[String],
) {
    let paths = changed(plan);
    if change.get(".quiet") == Some(&Value::Bool(true)) {
        assert!(
            actions(plan).is_empty(),
            "{subject}: {allowed:?} changed, and the plan shows {paths:?}"
        );
        return;
    }
    let of = |path: &String, field: &String| {
        let rest = path.strip_prefix(field.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ']))
    };
    let shows = change.get(".shows").and_then(Value::as_array).into_iter().flatten();
    let shows = shows.map(|path| format!("{subject}: {}", path.as_str().expect("a path")));
    let shows: Vec<String> = shows.collect();
    assert!(!paths.is_empty(), "{subject}: the plan doesn't show the change of {allowed:?}");
    for path in &paths {
        let expected = allowed.iter().chain(&shows).any(|field| of(path, field));
        assert!(expected, "{subject}: {allowed:?} changed, but the plan shows {paths:?}");
    }
    for path in &shows {
        let shown = paths.iter().any(|one| of(one, path));
        assert!(shown, "{subject}: {allowed:?} changed without {path} in {paths:?}");
    }
    // How a seed treats rows shows only where it runs.
    if !shows.is_empty() || kind.facts().seed {
        return;
    }
    let mutable = mutable_fields(kind);
    for (field, _) in
        change.iter().filter(|(field, value)| !value.is_null() && mutable.contains(*field))
    {
        let shown = paths.iter().any(|path| of(path, &format!("{subject}: {field}")));
        assert!(shown, "{subject}: {allowed:?} changed, but {field} isn't in {paths:?}");
    }
}

/// Gives fields of an entry other values; returns the beginnings of the paths that a plan shows.
fn set(resources: &mut Map<String, Value>, key: &str, change: &Map<String, Value>) -> Vec<String> {
    let entry = resources.get_mut(key).and_then(Value::as_object_mut).expect("an entry");
    let fields: Vec<_> = change.iter().filter(|(field, _)| !field.starts_with('.')).collect();
    for (field, value) in &fields {
        if value.is_null() {
            entry.remove(*field)
        } else {
            entry.insert((*field).clone(), (*value).clone())
        };
    }
    fields.iter().map(|(field, _)| format!("{key}: {field}")).collect()
}

#[track_caller]
fn settled(leave: &mut Leave<'_>, kind: &str, when: &str) {
    settled_among(leave, kind, when, &["stack.yaml"]);
}

/// What left the stack may still be looked at for a while, so the policy is for the file as it was too.
#[track_caller]
fn settled_among(leave: &mut Leave<'_>, kind: &str, when: &str, files: &[&str]) {
    let plan = leave.run("plan", &["--detailed-exitcode"], files);
    assert_eq!(
        plan.code(),
        Some(0),
        "{kind}: the plan isn't empty {when}:\n{}{}",
        plan.stdout(),
        plan.stderr()
    );
}

macro_rules! laws {
    ($($kind:ident),+ $(,)?) => {
        $(#[test]
        fn $kind() {
            let site = Site::new(concat!("law-", stringify!($kind)));
            let kind = kinds::find(stringify!($kind)).expect("a kind of that name");
            law(kind, &site);
        })+

        #[test]
        fn every_kind_is_under_the_law() {
            let under: BTreeSet<&str> = [$(stringify!($kind)),+].into();
            let all: BTreeSet<&str> = kinds::all().iter().map(|kind| kind.facts().name).collect();
            assert_eq!(under, all);
        }
    };
}

laws! {
    dms_certificate,
    dms_endpoint,
    dms_replication_instance,
    dms_replication_task,
    dms_subnet_group,
    ec2_eip,
    ec2_internet_gateway,
    ec2_key_pair,
    ec2_nat_gateway,
    ec2_route_table,
    ec2_security_group,
    ec2_subnet,
    ec2_vpc,
    ec2_vpc_endpoint,
    eks_access_entry,
    eks_addon,
    eks_cluster,
    eks_nodegroup,
    eks_pod_identity,
    emr_cluster,
    emr_security_configuration,
    emr_serverless_application,
    emr_step,
    iam_group,
    iam_oidc_provider,
    iam_policy,
    iam_role,
    iam_user,
    kms_key,
    logs_group,
    mysql_seed,
    postgres_seed,
    rds_cluster,
    rds_cluster_instance,
    rds_cluster_parameter_group,
    rds_instance,
    rds_parameter_group,
    rds_subnet_group,
    redshift_cluster,
    redshift_parameter_group,
    redshift_seed,
    redshift_serverless_namespace,
    redshift_serverless_workgroup,
    redshift_subnet_group,
    s3_bucket,
    secretsmanager_secret,
    ssm_parameter,
}
