//! Stacks as pictures: the same stack gives the same picture, the README's is up to date, and
//! nothing that somebody wrote in a stack gets into the markup.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lagoa::document;
use lagoa::report::diagram::{Diagram, Planned, collect, json, mermaid, svg};
use lagoa::stack::{Inputs, Stack, check, root};
use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::{Value, json};

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn stack(path: &Path) -> Stack {
    let source = document::read(path, "stack.yaml").expect("the stack can be read");
    let mut problems = Vec::new();
    let document = document::outline(&source, &mut problems).expect("a stack");
    let checked = check(&document, &root(path), &Inputs::default());
    let (stack, _) = checked.unwrap_or_else(|problems| panic!("{problems:?}"));
    stack
}

fn example(name: &str) -> Stack {
    stack(&here(&format!("stacks/{name}.yaml")))
}

/// A stack of these resources.
fn made(resources: &Value) -> Stack {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("graph-{:?}.yaml", std::thread::current().id());
    let path = folder.join(name.replace(['(', ')'], "-"));
    let text = json!({ "stack": "drawn", "region": "us-east-1", "resources": resources });
    fs::write(&path, text.to_string()).expect("write a stack");
    stack(&path)
}

fn picture(stack: &Stack) -> Diagram {
    collect(stack, None).folded()
}

#[derive(Clone, Copy, Debug)]
struct Rect {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

impl Rect {
    fn holds(self, x: f64, y: f64) -> bool {
        x > self.x && x < self.x + self.w && y > self.y && y < self.y + self.h
    }

    fn meets(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

/// What an SVG draws: its cards, its outer boxes and the points of its lines.
#[derive(Default)]
struct Drawn {
    cards: Vec<Rect>,
    boxes: Vec<Rect>,
    lines: Vec<Vec<(f64, f64)>>,
    size: (f64, f64),
}

fn drawn(svg: &str) -> Drawn {
    let mut drawn = Drawn::default();
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut group = String::new();
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}: {svg}"));
        let (Event::Start(tag) | Event::Empty(tag)) = &event else {
            if matches!(event, Event::Eof) {
                return drawn;
            }
            continue;
        };
        let attributes = tag.attributes().map(|one| {
            let one = one.expect("an attribute");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(one.key.as_ref()), text(&one.value))
        });
        let attributes: BTreeMap<String, String> = attributes.collect();
        let number = |name: &str| {
            attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
        };
        let rect =
            || Rect { x: number("x"), y: number("y"), w: number("width"), h: number("height") };
        let class = attributes.get("class").cloned().unwrap_or_default();
        match tag.name().as_ref() {
            b"svg" => drawn.size = (number("width"), number("height")),
            b"g" => group = class,
            b"rect" if class == "card" && number("height") == 50.0 => drawn.cards.push(rect()),
            b"rect" if group.starts_with("area") && !group.ends_with("inner") => {
                drawn.boxes.push(rect());
            }
            b"path" if class.starts_with("line") => {
                let path = attributes["d"].replace(['M', 'L', 'Q'], " ");
                let numbers: Vec<f64> = path
                    .split_whitespace()
                    .map(|number| number.parse().expect("a number"))
                    .collect();
                drawn.lines.push(numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect());
            }
            _ => {}
        }
    }
}

/// Nothing overlaps, no line runs through a card, and everything is inside.
#[track_caller]
fn tidy(svg: &str) {
    let drawn = drawn(svg);
    for (index, one) in drawn.boxes.iter().enumerate() {
        assert!(one.x >= 0.0 && one.x + one.w <= drawn.size.0 && one.y + one.h <= drawn.size.1);
        for other in &drawn.boxes[index + 1..] {
            assert!(!one.meets(*other), "boxes overlap: {one:?} {other:?}\n{svg}");
        }
    }
    // Several that are drawn as one have a second card behind the first.
    let behind = |one: &Rect, other: &Rect| {
        (one.x - other.x, one.y - other.y) == (4.0, 4.0)
            || (other.x - one.x, other.y - one.y) == (4.0, 4.0)
    };
    for (index, one) in drawn.cards.iter().enumerate() {
        for other in drawn.cards[index + 1..].iter().filter(|other| !behind(one, other)) {
            assert!(!one.meets(*other), "cards overlap: {one:?} {other:?}\n{svg}");
        }
    }
    for line in &drawn.lines {
        for pair in line.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            for step in 1..50 {
                let part = f64::from(step) / 50.0;
                let (x, y) = (x + (to_x - x) * part, y + (to_y - y) * part);
                // The second card of several is behind, and lines may begin on it.
                let through = drawn.cards.iter().any(|card| {
                    let inner = Rect {
                        x: card.x + 5.0,
                        y: card.y + 5.0,
                        w: card.w - 10.0,
                        h: card.h - 10.0,
                    };
                    inner.holds(x, y)
                });
                assert!(!through, "a line runs through a card at {x}, {y}: {line:?}");
            }
        }
    }
}

#[test]
fn the_picture_in_the_readme_is_up_to_date() {
    let svg = svg::svg(&picture(&example("bootcamp")));
    let path = here("docs/bootcamp.svg");
    if std::env::var_os("LAGOA_DRAW").is_some() {
        fs::write(&path, &svg).expect("write the picture");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == svg,
        "docs/bootcamp.svg isn't what `lagoa graph` draws: LAGOA_DRAW=1 cargo test --test graph"
    );
}

#[test]
fn pictures_are_tidy_and_always_the_same() {
    for name in ["bootcamp", "sicredi", "warehouse"] {
        let stack = example(name);
        let picture = svg::svg(&picture(&stack));
        assert_eq!(picture, svg::svg(&self::picture(&stack)));
        tidy(&picture);
        let whole = svg::svg(&collect(&stack, None));
        assert_eq!(
            drawn(&whole).cards.len() + boxes_that_are_resources(&whole),
            stack.resources.len()
        );
        tidy(&whole);
        for outside in ["http://", "https://", "url(http", "<script", "<image", "@import"] {
            let found = picture.replace("http://www.w3.org/2000/svg", "").contains(outside);
            assert!(!found, "{name} needs {outside}");
        }
    }
}

fn boxes_that_are_resources(svg: &str) -> usize {
    svg.matches(" inner\">").count()
}

#[test]
fn lines_say_where_data_flows_and_who_may_do_what() {
    let value = json::json(&collect(&example("bootcamp"), None));
    let edges = value["edges"].as_array().expect("edges").iter().map(|edge| {
        let word = |name: &str| edge[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {} -> {} ({})", word("nature"), word("from"), word("to"), word("field"))
    });
    let mut edges: Vec<String> = edges.collect();
    edges.sort();
    insta::assert_snapshot!(edges.join("\n"));
}

#[test]
fn mermaid_has_boxes_lines_and_colours() {
    let stack = example("warehouse");
    let plan = json!({
        "resources": [
            { "key": "retail", "kind": "redshift_cluster", "action": "replace" },
            { "key": "retail-schema", "kind": "redshift_seed", "action": "seed", "blocked": { "reason": "x" } },
            { "key": "old-logs", "kind": "s3_bucket", "action": "delete", "orphan": true },
        ],
        "unchanged": ["sales-nomedoprojecto", "warehouse-copy", "warehouse-subnets",
            "warehouse-access", "warehouse-settings"],
    });
    let plan: Planned = serde_json::from_value(plan).expect("a plan");
    let diagram = collect(&stack, Some(plan)).folded();
    insta::assert_snapshot!(mermaid::flowchart(&diagram).text);
    let svg = svg::svg(&diagram);
    tidy(&svg);
    for sign in [">∓<", ">!<", ">−<", "class=\"thing green same\"", "1 to replace"] {
        assert!(svg.contains(sign), "no {sign} in {svg}");
    }
}

#[test]
fn what_mermaid_would_not_draw_is_folded() {
    let buckets = (0..500).map(|n| {
        let (bucket, role) = (format!("odd{n}"), format!("r{n}x"));
        let policy = json!({ "x": { "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("${{odd{n}.arn}}/*") },
        ] } });
        [
            (bucket, json!({ "kind": "s3_bucket" })),
            (role, json!({ "kind": "iam_role", "service": "ec2", "inline_policies": policy })),
        ]
    });
    let stack = made(&Value::Object(buckets.flatten().collect()));
    let chart = mermaid::flowchart(&collect(&stack, None));
    assert!(chart.folded.is_some());
    assert!(chart.text.len() < 50_000 && chart.text.matches("-.->").count() <= 500);
    assert!(chart.text.contains("s3_bucket × 500"), "{}", chart.text);
}

#[test]
fn a_thousand_that_are_alike_are_one() {
    let all = (0..1000).map(|n| (format!("lake-{n}"), json!({ "kind": "s3_bucket" })));
    let stack = made(&Value::Object(all.collect()));
    let svg = svg::svg(&picture(&stack));
    assert_eq!(drawn(&svg).cards.len(), 2);
    assert!(svg.contains("s3_bucket × 1000") && svg.contains("and 960 more"));
    let whole = svg::svg(&collect(&stack, None));
    assert_eq!(drawn(&whole).cards.len(), 1000);
    let (width, height) = drawn(&whole).size;
    assert!((0.4..2.5).contains(&(width / height)), "{width} x {height}");
}

#[test]
fn what_a_stack_says_is_text_everywhere() {
    let evil = "</title><script>alert(1)</script>\"]; click n0 \"javascript:x\"";
    let stack = made(&json!({
        "a-thing": { "kind": "ssm_parameter", "name": "/x", "value": "1" },
        "the-vpc": { "kind": "ec2_vpc", "cidr": "10.0.0.0/16" },
    }));
    let mut diagram = collect(&stack, None);
    diagram.stack = evil.to_owned();
    for node in &mut diagram.nodes {
        node.keys = vec![evil.to_owned()];
        node.detail = evil.to_owned();
    }
    for area in &mut diagram.areas {
        area.title = evil.to_owned();
        if let Some(own) = &mut area.resource {
            own.keys = vec![evil.to_owned()];
        }
    }
    let svg = svg::svg(&diagram);
    assert!(!svg.contains("<script") && !svg.contains("\"javascript"));
    drawn(&svg);
    let chart = mermaid::flowchart(&diagram).text;
    assert!(
        !chart.contains('<')
            || !chart
                .replace("<br/>", "")
                .replace("<small>", "")
                .replace("</small>", "")
                .contains('<')
    );
    assert!(!chart.contains("click n0 \"") && !chart.contains("\"];"), "{chart}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Roles, buckets and policies that refer to each other in any way are drawn tidily.
    #[test]
    fn any_graph_is_tidy(links in prop::collection::vec((0..14_usize, 0..14_usize), 0..30)) {
        let kinds = ["s3_bucket", "iam_role", "dms_endpoint", "rds_instance", "ec2_vpc"];
        let stack = made(&json!({ "seed": { "kind": "s3_bucket" }, "role": { "kind": "iam_role", "service": "ec2" } }));
        let mut diagram = collect(&stack, None);
        let bare = diagram.nodes[0].clone();
        diagram.nodes = (0..14).map(|n| {
            let mut node = bare.clone();
            node.keys = vec![format!("thing-{n}")];
            node.kind = kinds[n % kinds.len()].to_owned();
            node.area = n % 2;
            node
        }).collect();
        diagram.edges = links.iter().filter(|(from, to)| from != to).map(|(from, to)| {
            lagoa::report::diagram::Edge {
                from: *from,
                to: *to,
                nature: [lagoa::report::diagram::Nature::Data, lagoa::report::diagram::Nature::Permission,
                    lagoa::report::diagram::Nature::Placement][(from + to) % 3],
                field: "field".to_owned(),
            }
        }).collect();
        diagram.edges.sort();
        diagram.edges.dedup();
        tidy(&svg::svg(&diagram));
    }
}
