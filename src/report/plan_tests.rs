//! Plans of real kinds over literal live values, as text and as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::render;
use crate::diagnostic::Source;
use crate::document::document;
use crate::graph::Graph;
use crate::kind::{Live, Owner, Phase, Site};
use crate::kinds;
use crate::live::{Orphan, World};
use crate::plan::{Options, Plan, destroy, plan};
use crate::report::json;
use crate::report::style::Style;
use crate::report::view::View;
use crate::stack::{Inputs, Stack, check};

const STACK: &str = r#"
stack: shop
region: eu-west-1
tags: { Team: Data }
resources:
  shop-raw:
    kind: s3_bucket
    versioning: true
  shop-access:
    kind: ec2_security_group
    description: Who may reach shop-db
    ingress:
      - { protocol: tcp, ports: 5432, cidr: 198.51.100.0/24 }
  shop-db:
    kind: rds_instance
    engine: postgres
    engine_version: "16"
    instance_class: db.t3.micro
    storage_gib: 20
    username: shop
    password: ${env.SHOP_PASSWORD}
    security_groups: [shop-access]
    on_destroy: snapshot
  shop-loader:
    kind: iam_role
    service: glue.amazonaws.com
    inline_policies:
      lake:
        Version: "2012-10-17"
        Statement:
          - { Sid: Read, Effect: Allow, Action: ["s3:GetObject", "s3:PutObject"], Resource: "arn:aws:s3:::shop-raw/*" }
outputs:
  host: ${shop-db.host}
  bucket: ${shop-raw.name}
"#;

fn site() -> Site {
    Site {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "shop".into(),
    }
}

fn stack() -> (Stack, Graph) {
    let mut inputs = Inputs::default();
    inputs.environment.insert("SHOP_PASSWORD".into(), "hunter2hunter2".into());
    let document = document(Source::new("shop.yaml", STACK)).expect("a sound document");
    check(&document, Path::new("."), &inputs).expect("a sound stack")
}

fn live(name: &str, owner: Option<&str>, fields: Value) -> Live {
    let owner = owner.map(|stack| Owner { stack: stack.into(), key: Some(name.into()) });
    Live { name: name.into(), fields, phase: Phase::Ready, owner }
}

/// What the stack wants, as AWS would report it, with some fields otherwise.
fn as_wanted(stack: &Stack, key: &str, otherwise: Value) -> Live {
    let resource = stack.resource(key).expect("a key of the stack");
    let predicted =
        resource.kind.predict(&resource.fields, &resource.name, &site(), Path::new("."));
    let mut fields = predicted.expect("predictable");
    for (field, value) in otherwise.as_object().into_iter().flatten() {
        fields[field] = value.clone();
    }
    live(&resource.name, Some("shop"), fields)
}

fn view(world: &World, options: &Options, down: bool) -> View {
    let (stack, graph) = stack();
    let plan: Plan = match down {
        true => destroy(&stack, &graph, world, &site(), options),
        false => plan(&stack, &graph, world, &site(), options),
    };
    View::new(&plan, &stack, "shop.yaml", down)
}

fn text(world: &World) -> String {
    render(&view(world, &Options::default(), false), Style::PLAIN)
}

#[test]
fn everything_is_new() {
    insta::assert_snapshot!(text(&World::default()));
}

fn much_differs() -> World {
    let (stack, _) = stack();
    let statement = json!([{ "Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::shop-raw/*" }, { "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
    let group = json!({ "id": "sg-1", "description": "What it was before",
        "ingress": [{ "protocol": "tcp", "ports": "22", "cidr": "0.0.0.0/0", "id": "sgr-1" }] });
    let role = json!({ "inline_policies": { "lake": { "Version": "2012-10-17", "Statement": statement } } });
    let bucket = json!({ "versioning": false, "tags": { "Team": "Ops", "lagoa:stack": "shop", "Old": "1" } });
    let tags = json!({ "tags": { "lagoa:stack": "shop", "lagoa:name": "shop-old", "lagoa:on_destroy": "delete" } });
    let kind = kinds::find("s3_bucket").expect("there are buckets");
    World {
        resources: BTreeMap::from([
            ("shop-raw".into(), as_wanted(&stack, "shop-raw", bucket)),
            ("shop-access".into(), as_wanted(&stack, "shop-access", group)),
            ("shop-loader".into(), as_wanted(&stack, "shop-loader", role)),
        ]),
        orphans: vec![Orphan { kind, live: live("shop-old", Some("shop"), tags) }],
        losses: BTreeMap::from([(("s3_bucket".into(), "shop-old".into()), "12 objects".into())]),
        unread: BTreeMap::new(),
    }
}

#[test]
fn much_differs_in_every_way() {
    insta::assert_snapshot!(text(&much_differs()));
}

#[test]
fn json_says_the_same_and_colours_change_no_word() {
    let world = much_differs();
    let view = view(&world, &Options::default(), false);
    insta::assert_snapshot!(json::text(&view));
    let coloured = render(&view, Style { colour: true });
    let mut bare = String::new();
    let mut parts = coloured.split('\u{1b}');
    bare.push_str(parts.next().unwrap_or_default());
    parts.for_each(|part| bare.push_str(part.split_once('m').map_or(part, |(_, rest)| rest)));
    assert_eq!(bare, render(&view, Style::PLAIN));
}

#[test]
fn what_is_not_ours_is_blocked_with_the_way_out() {
    let (stack, _) = stack();
    let mut bucket = as_wanted(&stack, "shop-raw", json!({ "versioning": false }));
    bucket.owner = None;
    let mut group = as_wanted(&stack, "shop-access", json!({ "id": "sg-1" }));
    group.owner = Some(Owner { stack: "other".into(), key: None });
    let resources = BTreeMap::from([("shop-raw".into(), bucket), ("shop-access".into(), group)]);
    insta::assert_snapshot!(text(&World { resources, ..World::default() }));
}

#[test]
fn taking_it_down_tells_what_becomes_of_data() {
    let (stack, _) = stack();
    let wanted = |key: &str| (key.to_owned(), as_wanted(&stack, key, json!({})));
    let keys = ["shop-raw", "shop-access", "shop-db", "shop-loader"];
    let losses = BTreeMap::from([(("s3_bucket".into(), "shop-raw".into()), "3 objects".into())]);
    let world =
        World { resources: keys.into_iter().map(wanted).collect(), losses, ..World::default() };
    let options = Options { run: "RUN".into(), ..Options::default() };
    insta::assert_snapshot!(render(&view(&world, &options, true), Style::PLAIN));
}

#[test]
fn nothing_to_do_is_one_line() {
    let nothing = view(&World::default(), &Options::default(), true);
    assert_eq!(
        render(&nothing, Style::PLAIN),
        "Nothing to destroy: AWS has nothing of the stack shop.\n"
    );
}

#[test]
fn secrets_are_nowhere() {
    for world in [World::default(), much_differs()] {
        let view = view(&world, &Options::default(), false);
        for text in [render(&view, Style::PLAIN), json::text(&view)] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
