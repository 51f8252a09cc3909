//! Pages as GitHub would render them: nothing leaves its cell, nobody is notified, nothing is cut
//! in the middle.

use comrak::Options;
use regex::Regex;
use serde_json::{Value, json};

use super::{Links, Page};
use crate::diagnostic::{Place, Problem, Source};
use crate::github::comment::LIMIT;
use crate::plan::Blocked;
use crate::report::view::{Deed, Entry, FORMAT, Field, Output, Total, View};

const WHOLE: &str =
    "they are in <a href=\"https://github.com/acme/lake/actions/runs/42\">the run's summary</a>.";

fn field(path: &str, old: Value, new: Value) -> Field {
    Field {
        path: path.into(),
        old,
        new,
        known_after_apply: false,
        forces_replacement: false,
        members: false,
        policy: false,
        tags: false,
    }
}

fn entry(action: Deed, kind: &'static str, key: &str, fields: Vec<Field>) -> Entry {
    Entry {
        action,
        key: key.into(),
        kind,
        name: key.into(),
        place: Some("stacks/shop.yaml:12".into()),
        orphan: false,
        blocked: None,
        because: Vec::new(),
        data: None,
        notes: Vec::new(),
        fields,
        steps: Vec::new(),
    }
}

fn view(resources: Vec<Entry>) -> View {
    let mut total = Total { unchanged: 4, ..Total::default() };
    for entry in &resources {
        match entry.blocked {
            Some(_) => total.blocked += 1,
            None => *total.deeds.entry(entry.action).or_default() += 1,
        }
    }
    View {
        format: FORMAT,
        stack: "shop".into(),
        file: "stacks/shop.yaml".into(),
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        destroy: false,
        total,
        resources,
        unchanged: Vec::new(),
        outputs: vec![Output {
            name: "host".into(),
            value: "${shop-db.host}".into(),
            known: false,
        }],
        dangers: Vec::new(),
        findings: Vec::new(),
        guardrails: Vec::new(),
        unread: Vec::new(),
        offline: None,
    }
}

fn page<'a>(view: Option<&'a View>, problems: &'a [Problem]) -> Page<'a> {
    let files =
        [("stacks/shop.yaml", "https://github.com/acme/lake/blob/0123456/stacks/shop.yaml")];
    Page {
        stack: Some("shop"),
        file: "stacks/shop.yaml",
        view,
        problems,
        links: Links {
            run: Some("https://github.com/acme/lake/actions/runs/42".into()),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            files: files.into_iter().map(|(name, page)| (name.into(), page.into())).collect(),
        },
    }
}

fn comment(view: &View, problems: &[Problem]) -> String {
    page(Some(view), problems).render(LIMIT, WHOLE)
}

/// As GitHub renders it, before it sanitizes.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(markdown, &options)
}

/// Every tag, in order, with its attributes.
fn tags(html: &str) -> Vec<(String, String)> {
    let tag = Regex::new(r"<(/?[a-zA-Z][a-zA-Z0-9]*)([^>]*)>").expect("a pattern");
    tag.captures_iter(html).map(|one| (one[1].to_lowercase(), one[2].to_owned())).collect()
}

/// What is neither code nor preformatted: where GitHub looks for mentions and references.
fn prose(html: &str) -> String {
    let code = Regex::new(r"(?s)<(code|pre)[^>]*>.*?</(code|pre)>").expect("a pattern");
    let tag = Regex::new(r"<[^>]*>").expect("a pattern");
    tag.replace_all(&code.replace_all(html, ""), "").into_owned()
}

/// Nothing is left open, nothing is closed that wasn't opened, and nothing is there but what a page
/// is made of.
#[track_caller]
fn sound(markdown: &str) -> String {
    let html = html(markdown);
    let known = [
        "details",
        "summary",
        "p",
        "b",
        "strong",
        "code",
        "h3",
        "ul",
        "li",
        "br",
        "a",
        "span",
        "pre",
        "div",
        "blockquote",
    ];
    let mut open: Vec<String> = Vec::new();
    for (tag, attributes) in tags(&html) {
        let name = tag.trim_start_matches('/');
        assert!(known.contains(&name), "<{tag}{attributes}> in {html}");
        assert!(
            !attributes.contains("on")
                || attributes.contains("http")
                || attributes == " open"
                || attributes.contains("class=\""),
            "{attributes}"
        );
        match tag.strip_prefix('/') {
            _ if name == "br" => {}
            None => open.push(tag),
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{html}"),
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
    html
}

fn much() -> Vec<Entry> {
    let mut bucket = entry(
        Deed::Update,
        "s3_bucket",
        "shop-raw",
        vec![
            field("versioning", json!(false), json!(true)),
            field("tags.Team", json!("Ops"), json!("Data")),
            field("tags.Old", json!("1"), Value::Null),
        ],
    );
    bucket.name = "shop-raw-prod".into();
    let mut database = entry(
        Deed::Replace,
        "rds_instance",
        "shop-db",
        vec![
            Field {
                forces_replacement: true,
                ..field("engine", json!("mysql"), json!("postgres"))
            },
            Field {
                known_after_apply: true,
                ..field("host", Value::Null, json!("${shop-net.id}"))
            },
        ],
    );
    database.because = vec!["engine can't be changed in place".into()];
    database.data = Some("a final snapshot `shop-db-final` is taken, then 20 GiB go".into());
    let statements = |action: &str| {
        json!({ "Statement": [{ "Sid": "Read", "Effect": "Allow",
        "Action": ["s3:GetObject", action], "Resource": "*" }] })
    };
    let role = entry(
        Deed::Update,
        "iam_role",
        "shop-loader",
        vec![
            Field {
                policy: true,
                ..field("inline_policies.lake", statements("s3:A"), statements("s3:B"))
            },
            Field { members: true, ..field("ingress", json!(["22"]), json!(["5432", "443"])) },
        ],
    );
    let mut old = entry(Deed::Delete, "s3_bucket", "shop-old", Vec::new());
    old.orphan = true;
    old.place = None;
    old.data = Some("12 objects will be deleted for good".into());
    let mut seed = entry(
        Deed::Seed,
        "postgres_seed",
        "coins",
        vec![field("database", Value::Null, json!("x"))],
    );
    seed.notes = vec!["2 files to run".into(), "sql/coins.sql: 3 statements".into()];
    let mut taken = entry(Deed::Create, "s3_bucket", "shop-taken", Vec::new());
    taken.blocked = Some(Blocked {
        reason: "it exists and carries no mark of this stack".into(),
        remedy: "write `adopt: true` to take it over".into(),
    });
    vec![bucket, database, role, old, seed, taken]
}

#[test]
fn much_differs() {
    let text =
        comment(&view(much()), &[Problem::warning("PostgreSQL 11 gets no patches any more")]);
    sound(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn everything_is_new() {
    let network = [("zones", json!(2)), ("tags", json!({ "Team": "Data" }))];
    let fields =
        || network.iter().map(|(path, new)| field(path, Value::Null, new.clone())).collect();
    let all = (0..22).map(|n| {
        entry(Deed::Create, ["s3_bucket", "iam_role"][n % 2], &format!("shop-{n}"), fields())
    });
    let text = comment(&view(all.collect()), &[]);
    let html = sound(&text);
    assert_eq!(html.matches("<details").count(), 22 + 1 + 1, "resources, their fold, outputs");
    assert_eq!(html.matches(" open").count(), 0, "a first plan is no wall");
    insta::assert_snapshot!(text.chars().take(1_500).collect::<String>());
}

#[test]
fn a_broken_stack_says_where() {
    let source =
        Source::new("stacks/shop.yaml", "stack: shop\nresources:\n  a: { kind: s3_buket }\n");
    let problems = [
        Problem::error("there is no kind `s3_buket`")
            .at(&Place::new(&source, 39..47))
            .label("not a kind")
            .help("did you mean `s3_bucket`?"),
        Problem::warning("nothing else"),
    ];
    let text = page(None, &problems).render(LIMIT, WHOLE);
    sound(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn no_changes_is_one_line() {
    let mut empty = view(Vec::new());
    empty.outputs.clear();
    insta::assert_snapshot!(comment(&empty, &[]));
}

/// What people, AWS and those who don't wish well may put into names, tags and messages.
const HOSTILE: &[&str] = &[
    "</summary></details><h1>out</h1>",
    "<script>alert(1)</script><img src=x onerror=y>",
    "```\n</details>\n~~~~\n# out\n",
    "````````````````````````````` x",
    "@octocat and @acme/admins, fixes #12, GH-34, acme/lake#5, gh-6",
    "a | b | c\n|---|---|\n| d |",
    "![x](https://evil.example/x.png) [y](javascript:alert(1)) <https://evil.example>",
    "https://evil.example www.evil.example mail@evil.example",
    "**bold** _it_ ~~gone~~ `code` ``` $x$ $$y$$ ${z} [^1] <!-- lagoa:plan:other -->",
    "-->\n\n- [ ] a\n\n> quoted\n\n1. b\n\n    code\n",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "\u{202e}txt\u{0}\u{1b}[31m\u{2028}::error::x\r\n::add-mask::y",
    "",
];

fn hostile(number: usize, text: &str) -> Entry {
    let canary = |place: &str| format!("canary{number}{place} {text}");
    let mut one = entry(
        [Deed::Update, Deed::Create, Deed::Replace, Deed::Delete][number % 4],
        "s3_bucket",
        &canary("key"),
        vec![
            field(&canary("path"), json!(canary("old")), json!(canary("new"))),
            Field {
                members: true,
                ..field("set", json!([canary("goes")]), json!([canary("comes")]))
            },
            Field {
                policy: true,
                ..field(
                    "policy",
                    Value::Null,
                    json!({ "Statement": [{ "Sid": canary("sid"),
            "Effect": "Allow", "Action": canary("action"), "Resource": "*" }] }),
                )
            },
            Field {
                tags: true,
                ..field("tags", Value::Null, json!({ canary("tag"): canary("value") }))
            },
        ],
    );
    one.name = canary("name");
    one.place = Some(format!("{}:3", canary("file")));
    one.because = vec![canary("because")];
    one.data = Some(canary("data"));
    one.notes = vec![canary("note")];
    one.blocked = number
        .is_multiple_of(3)
        .then(|| Blocked { reason: canary("reason"), remedy: canary("remedy") });
    one
}

#[test]
fn nothing_breaks_out_of_its_fold_and_nobody_is_notified() {
    let entries: Vec<Entry> =
        HOSTILE.iter().enumerate().map(|(n, text)| hostile(n, text)).collect();
    let source = Source::new("a <b>.yaml", "x");
    let problems: Vec<Problem> = HOSTILE
        .iter()
        .map(|text| {
            let place = Place::new(&source, 0..1);
            Problem::error(*text).at(&place).label(*text).help(*text).note(&place, *text)
        })
        .collect();
    let mut hostile = view(entries);
    hostile.region = HOSTILE[0].into();
    hostile.outputs = HOSTILE
        .iter()
        .map(|text| Output { name: (*text).into(), value: (*text).into(), known: true })
        .collect();
    let mut page = page(Some(&hostile), &problems);
    page.stack = Some(HOSTILE[1]);
    let text = page.render(1 << 20, WHOLE);
    assert!(!text.contains("left out"), "all is there");
    let html = sound(&text);

    let known = "https://github.com/acme/lake";
    for (tag, attributes) in tags(&html) {
        assert!(tag != "a" || attributes.starts_with(&format!(" href=\"{known}")), "{attributes}");
    }
    let prose = prose(&html);
    let notifies = Regex::new(r"(?i)@\w|#\d|gh-\d|www\.|://").expect("a pattern");
    let entity = Regex::new(r"&#(\d+);").expect("a pattern");
    let decoded = entity.replace_all(&prose, |one: &regex::Captures<'_>| {
        let code = one[1].parse().ok().and_then(char::from_u32);
        code.expect("a character").to_string()
    });
    assert!(notifies.find(&decoded).is_none(), "{:?}", notifies.find(&decoded));
    assert!(!html.contains("data-math-style"), "no formulas");

    // What is of one resource stays in its fold, and what is of a fold in a fence stays there.
    let canary = Regex::new(r"canary(\d+)[a-z]").expect("a pattern");
    for fold in html.split("<details").skip(1) {
        let mut numbers: Vec<&str> =
            canary.captures_iter(fold).filter_map(|one| Some(one.get(1)?.as_str())).collect();
        numbers.dedup();
        assert!(numbers.len() <= 1, "{numbers:?} in one fold:\n{fold}");
    }
    assert_eq!(html.matches("<pre").count(), HOSTILE.len() + 1, "a fence each, and the outputs");
}

#[test]
fn a_thousand_resources_are_cut_between_two() {
    let all = (0..1_000).map(|n| {
        let fields =
            (0..4).map(|f| field(&format!("field_{f}"), json!("a"), json!("b".repeat(40))));
        let deed = [Deed::Create, Deed::Update, Deed::Replace][n % 3];
        entry(deed, "s3_bucket", &format!("shop-{n}"), fields.collect())
    });
    let view = view(all.collect());
    let left_out = Regex::new(r"(\d+) resources are left out here").expect("a pattern");
    for limit in [LIMIT, 5_000, 20_011] {
        let text = page(Some(&view), &[]).render(limit, WHOLE);
        assert!(text.len() <= limit, "{} bytes", text.len());
        assert!(text.len() > limit - limit / 4 - 1_000, "only {} bytes", text.len());
        let html = sound(&text);
        let shown =
            html.matches("<summary><code>").count() + html.matches("</code> <b>shop-").count();
        let left: usize =
            left_out.captures(&html).expect("it says so")[1].parse().expect("a number");
        assert_eq!(shown + left, 1_000);
        assert!(html.contains("actions/runs/42\">the run's summary"));
    }
    let text = page(Some(&view), &[]).render(1 << 20, WHOLE);
    assert!(!text.contains("left out") && text.len() <= 1 << 20);
}

#[test]
fn one_enormous_resource_leaves_room_for_the_others() {
    let many = (0..2_000).map(|n| field(&format!("tags.{n}"), json!("a"), json!("b".repeat(100))));
    let large = entry(Deed::Update, "iam_role", "large", many.collect());
    let small = entry(Deed::Update, "s3_bucket", "small", vec![field("x", json!(1), json!(2))]);
    let text = comment(&view(vec![large, small]), &[]);
    sound(&text);
    assert!(text.len() < 10_000 && text.contains("2000 fields are too long"), "{text}");
    assert!(text.contains("<b>small</b>") && !text.contains("left out"));
}

#[test]
fn a_flood_of_problems_and_of_losses_is_cut_too() {
    let problems: Vec<Problem> =
        (0..5_000).map(|n| Problem::error(format!("{n:04} {}", "|".repeat(2_000)))).collect();
    let losses = (0..2_000).map(|n| {
        let mut one = entry(Deed::Delete, "s3_bucket", &format!("shop-{n}"), Vec::new());
        one.data = Some("objects".repeat(100));
        one
    });
    let view = view(losses.collect());
    let text = page(Some(&view), &problems).render(LIMIT, WHOLE);
    assert!(text.len() <= LIMIT);
    sound(&text);
    let failed = page(None, &problems).render(LIMIT, WHOLE);
    assert!(failed.len() <= LIMIT && failed.contains("more</b> are left out"));
    sound(&failed);
}

#[test]
fn the_same_plan_is_the_same_page() {
    let again = || comment(&view(much()), &[]);
    assert_eq!(again(), again());
}
