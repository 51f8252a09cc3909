//! What a plan does to resources that refer to what it changes, on plain values.

use std::collections::BTreeSet;

use lagoa::diagnostic::Source;
use lagoa::kind::{AnyKind, Live, Owner, Phase, Site};
use lagoa::live::World;
use lagoa::plan::{Action, Options, Plan, plan};
use lagoa::{document, kinds, stack};
use serde_json::{Value, json};

const STACK: &str = "
stack: s
resources:
  group:
    kind: rds_parameter_group
    family: FAMILY
    parameters: { max_connections: 'CONNECTIONS' }
    tags: { Team: TEAM }
  server:
    kind: rds_instance
    engine: postgres
    instance_class: db.t3.micro
    storage_gib: 20
    username: boss
    managed_password: true
    parameter_group: group
";

fn site() -> Site {
    let [partition, account, region, stack] =
        ["aws", "123456789012", "us-east-1", "s"].map(str::to_owned);
    Site { partition, account, region, stack }
}

fn live(kind: &dyn AnyKind, key: &str, fields: Value) -> (String, Live) {
    let mut fields = fields;
    fields["tags"] = json!({ "lagoa:stack": "s", "lagoa:name": key, "Team": "a" });
    let fields = kind.complete(&fields).expect("fields of the kind");
    let owner = Some(Owner { stack: "s".into(), key: Some(key.into()) });
    (key.into(), Live { name: key.into(), fields, phase: Phase::Ready, owner })
}

fn planned(family: &str, connections: &str, team: &str) -> Plan {
    let text = STACK.replace("FAMILY", family).replace("CONNECTIONS", connections);
    let text = text
        .replace("TEAM", team)
        .replace("username: boss", "username: boss\n    tags: { Team: a }");
    let mut problems = Vec::new();
    let document = document::outline(&Source::new("s.yaml", text), &mut problems);
    let document = document.expect("a document");
    let root = std::path::Path::new(".");
    let (stack, graph) = stack::check(&document, root, &stack::Inputs::default()).expect("a stack");
    let of = |name: &str| kinds::find(name).expect("a kind");
    let resources = [
        live(
            of("rds_parameter_group"),
            "group",
            json!({
                "family": "postgres15", "parameters": { "max_connections": "100" },
            }),
        ),
        live(
            of("rds_instance"),
            "server",
            json!({
                "engine": "postgres", "instance_class": "db.t3.micro", "storage_gib": 20,
                "username": "boss", "managed_password": true, "parameter_group": "group",
                "reboot_pending": false, "password_of_snapshot": false,
            }),
        ),
    ];
    let world = World { resources: resources.into(), ..World::default() };
    plan(&stack, &graph, &world, &site(), &Options::default())
}

fn steps(plan: &Plan) -> Vec<(Action, &str)> {
    plan.steps.iter().map(|step| (step.action, step.key.as_str())).collect()
}

#[test]
fn a_changed_group_takes_its_servers_along() {
    let plan = planned("postgres15", "150", "a");
    assert_eq!(steps(&plan), [(Action::Update, "group"), (Action::Update, "server")]);
    let server = &plan.steps[1];
    assert!(server.changes.is_empty());
    assert_eq!(server.summary, ["checked after group changed: static parameters need a restart"]);
    assert_eq!(server.needs, BTreeSet::from([0]));
    assert!(server.may_have_moved("reboot_pending") && !server.may_have_moved("storage_gib"));
}

#[test]
fn tags_take_nobody_along() {
    assert!(steps(&planned("postgres15", "100", "a")).is_empty());
    assert_eq!(steps(&planned("postgres15", "100", "b")), [(Action::Update, "group")]);
}

#[test]
fn whoever_refers_to_what_is_replaced_is_looked_at() {
    let plan = planned("postgres16", "100", "a");
    let (delete, create) = ((Action::Delete, "group"), (Action::Create, "group"));
    assert_eq!(steps(&plan), [delete, create, (Action::Update, "server")]);
    assert_eq!(plan.steps[2].summary, ["checked after group is replaced"]);
    assert_eq!(plan.steps[2].needs, BTreeSet::from([1]));
}
