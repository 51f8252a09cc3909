//! What comes from outside is not trusted: stack files, policies, scripts, CSV files and answers
//! that were damaged at random. Nothing panics, nothing hangs, nothing is lost on the way.
//!
//! The seed is fixed, so that every run is the same; more, and others, with
//! `PROPTEST_RNG_SEED=1 PROPTEST_CASES=100000 cargo test --release --test fuzzed`.
//! What was found once is tried each time.

#[path = "support/damage.rs"]
mod damage;
#[path = "support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use damage::{Edit, damaged, edits};
use lagoa::aws::ec2::Client;
use lagoa::diagnostic::Source;
use lagoa::document::document;
use lagoa::field::Policy;
use lagoa::policy::{canonical, equivalent};
use lagoa::report::problems::render;
use lagoa::seed::{Engine, Load, Mode, Work, examine};
use lagoa::stack::{Inputs, check};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};
use server::Server;

/// The seed that CI runs with.
const SEED: u64 = 20_221_121;
/// Longer than any of these inputs may take, in a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

fn config(cases: u32) -> ProptestConfig {
    let chosen = std::env::var("PROPTEST_CASES").is_ok();
    let default = ProptestConfig::default();
    let seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        fixed => fixed,
    };
    ProptestConfig {
        cases: if chosen { default.cases } else { cases },
        rng_seed: seed,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn texts(folder: &str, extension: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|one| one.expect("a file").path())
        .collect();
    all.retain(|path| path.extension().is_some_and(|found| found == extension));
    all.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).ok()?;
        Some((path.file_name()?.to_string_lossy().into_owned(), text))
    };
    all.into_iter().filter_map(read).collect()
}

/// Real stacks, good ones and bad ones.
fn stacks() -> Vec<(String, String)> {
    let mut all = texts("stacks", "yaml");
    all.extend(texts("tests/stacks", "yaml"));
    assert!(all.len() > 15);
    all
}

/// Reads and checks a stack; whatever is wrong is said without harm.
fn checks(text: &str, root: &Path) {
    let since = Instant::now();
    let inputs = Inputs {
        environment: BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]),
        ..Inputs::default()
    };
    let problems = match document(Source::new("stack.yaml", text)) {
        Ok(document) => check(&document, root, &inputs).err().unwrap_or_default(),
        Err(problems) => problems,
    };
    let told = render(&problems, false);
    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "control codes: {told:?}");
    assert!(since.elapsed() < LIMIT, "{:?} for {text}", since.elapsed());
}

#[test]
fn damaged_stack_files_are_refused_or_read() {
    let corpus = stacks();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/files");
    proptest!(config(600), |(which in 0..corpus.len(), edits in edits())| {
        checks(&damaged(&corpus[which].1, &edits), &root);
    });
    for text in found_in_stacks() {
        checks(&text, &root);
    }
}

/// Any YAML value in the place of any field.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[$]\\{[a-z.$\\{\\}]{0,12}\\}?".prop_map(Value::from),
        Just(json!("x".repeat(100_000))),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-z_$\\{\\}.]{0,10}", inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn any_value_of_any_field_is_refused_or_read() {
    let kinds: Vec<_> = lagoa::kinds::all().iter().map(|kind| kind.facts().name).collect();
    let schemas: Vec<Vec<String>> = lagoa::kinds::all()
        .iter()
        .map(|kind| {
            let fields = kind.schema()["properties"].as_object().cloned().unwrap_or_default();
            let own = ["name", "depends_on", "for_each", "when", "protect", "on_destroy", "ignore"];
            fields.keys().cloned().chain(own.map(str::to_owned)).collect()
        })
        .collect();
    let field = (0..kinds.len(), any::<prop::sample::Index>(), anything());
    let fields = prop::collection::vec(field, 1..5);
    proptest!(config(600), |(fields in fields, key in "[a-z$.{}]{1,12}")| {
        let mut resources = Map::new();
        for (kind, which, value) in fields {
            let name = which.get(&schemas[kind]);
            let one = resources.entry(format!("{key}{kind}")).or_insert(json!({ "kind": kinds[kind] }));
            one[name] = value;
        }
        let stack = json!({ "stack": "any", "resources": resources });
        checks(&stack.to_string(), Path::new("/nowhere"));
    });
}

/// What made it panic once: a mark that was cut off ended inside the ellipsis.
fn found_in_stacks() -> [String; 1] {
    [format!("stack: s\nresources:\n  a:\n    {}", "u".repeat(502))]
}

/// A policy in one of its many spellings.
fn policy() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just(json!("*")),
        Just(json!("s3:GetObject")),
        Just(json!("S3:getobject")),
        Just(json!("123456789012")),
        Just(json!("arn:aws:iam::123456789012:root")),
        Just(json!(true)),
        Just(json!("true")),
        Just(json!(1.5)),
        "[a-zA-Z:*]{0,5}".prop_map(Value::from),
    ];
    let words = prop_oneof![word.clone(), prop::collection::vec(word, 0..4).prop_map(Value::from)];
    let map = |keys: &'static str, values: BoxedStrategy<Value>| {
        prop::collection::vec((keys, values), 0..3)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
    };
    let words = words.boxed();
    let principal = prop_oneof![words.clone(), map("AWS|Service", words.clone())];
    let tests = map("aws:SecureTransport|s3:prefix", words.clone()).boxed();
    let statement = (
        prop_oneof![Just(json!("Allow")), Just(json!("deny"))],
        prop::option::of(words.clone()),
        prop::option::of(words),
        prop::option::of(principal),
        prop::option::of(map("Bool|StringLike", tests)),
    );
    let statement = statement.prop_map(|(effect, action, resource, principal, condition)| {
        let mut one = json!({ "Effect": effect });
        let members = [
            ("Action", action),
            ("NotResource", resource),
            ("Principal", principal),
            ("Condition", condition),
        ];
        for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            one[name] = value;
        }
        one
    });
    let statements = prop_oneof![
        statement.clone(),
        prop::collection::vec(statement, 0..4).prop_map(Value::from)
    ];
    (prop_oneof![Just("2012-10-17"), Just("2008-10-17")], statements)
        .prop_map(|(version, all)| json!({ "Version": version, "Statement": all }))
}

/// The same policy with every list and every mapping the other way round.
fn turned(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().rev().map(turned).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(key, one)| (key.clone(), turned(one))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn policies_are_equal_in_both_directions_and_to_themselves() {
    let pair = prop_oneof![(policy(), policy()), policy().prop_map(|one| (turned(&one), one)),];
    proptest!(config(1500), |((a, b) in pair)| {
        prop_assert!(equivalent(&a, &a));
        prop_assert!(equivalent(&a, &turned(&a)), "{a} in another order");
        prop_assert_eq!(equivalent(&a, &b), equivalent(&b, &a));
        let once = canonical(&a);
        prop_assert_eq!(canonical(&once).to_string(), once.to_string(), "canonical twice");
        let text = percent_encoding::utf8_percent_encode(
            &Policy(a.clone()).text(), percent_encoding::NON_ALPHANUMERIC).to_string();
        prop_assert_eq!(Policy::from_aws(&text), Policy(a));
    });
}

#[test]
fn no_policy_at_all_is_compared_without_harm() {
    proptest!(config(500), |(a in anything(), b in anything())| {
        for (a, b) in [(a.clone(), b.clone()), (json!({ "Statement": a }), json!({ "Statement": [b] }))] {
            prop_assert!(equivalent(&a, &a));
            prop_assert_eq!(equivalent(&a, &b), equivalent(&b, &a));
        }
    });
}

#[test]
fn any_text_from_aws_is_some_policy() {
    let like = prop_oneof![
        "\\PC{0,60}",
        "[\\[\\]{}\",:%0-9a-f]{0,60}",
        "%[0-9A-F]{2}".prop_map(|a| a.repeat(9))
    ];
    proptest!(config(1500), |(text in like)| {
        let policy = Policy::from_aws(&text);
        prop_assert_eq!(&policy, &Policy::from_aws(&text));
        prop_assert!(equivalent(&policy.0, &policy.0));
        let _ = policy.text();
    });
    for text in ["[".repeat(200_000), "{\"a\":".repeat(100_000), "%5B".repeat(100_000)] {
        let _ = Policy::from_aws(&text);
    }
}

/// A folder of its own for files to be examined.
fn folder(test: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("make a folder");
    folder
}

fn examined(folder: &Path, text: &[u8], work: &Work) -> Duration {
    std::fs::write(folder.join("file"), text).expect("write the file");
    let since = Instant::now();
    for engine in [Engine::Postgres, Engine::Mysql] {
        if let Err(problems) = examine(folder, "file", engine, work, &BTreeMap::new()) {
            assert!(
                problems.iter().all(|one| one.to_string().len() < 100_000),
                "an endless message"
            );
        }
    }
    since.elapsed()
}

#[test]
fn damaged_scripts_are_read_or_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut corpus = vec![
        "DO $a$ BEGIN PERFORM 1; END $a$;\nCOPY t FROM stdin;\n1\t2\n\\.\nSELECT E'\\'', U&'\\0041', /* /* */ */ 1;".to_owned(),
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT ';'; END//\nDELIMITER ;\n/*!50000 SELECT 1 */; -- x\n# y\nINSERT INTO `a``b` VALUES (\"\\\"\");".to_owned(),
    ];
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|e| e == "sql") => {
                    corpus.push(std::fs::read_to_string(path).expect("a script"));
                }
                _ => {}
            }
        }
    }
    let folder = folder("fuzzed-scripts");
    proptest!(config(300), |(which in 0..corpus.len(), edits in edits())| {
        let text = damaged(&corpus[which], &edits);
        let took = examined(&folder, text.as_bytes(), &Work::Script);
        prop_assert!(took < LIMIT, "{took:?}");
    });
}

/// What a lexer might read again and again.
const PIECES: [&str; 22] = [
    "'",
    "\"",
    "`",
    "$$",
    "$a$",
    "$a$ $b$ ",
    "/*",
    "*/",
    "/*/",
    "--",
    "-- \n",
    ";",
    "; ",
    "(",
    "BEGIN ",
    "E'\\'",
    "DELIMITER ;;\n",
    "COPY t FROM stdin;\n",
    "\\.\n",
    "${",
    "$${a}",
    "CREATE FUNCTION f BEGIN ATOMIC ",
];

#[test]
fn long_scripts_take_linear_time() {
    let folder = folder("fuzzed-long");
    for piece in PIECES {
        let time = |length: usize| {
            let text = piece.repeat(length / piece.len());
            examined(&folder, text.as_bytes(), &Work::Script)
        };
        let (short, long) = (time(20_000), time(320_000));
        // Sixteen times as long; a quadratic reader takes 256 times as much.
        let allowed = short.max(Duration::from_millis(20)) * 60;
        assert!(long < allowed, "{piece:?} over and over: {short:?}, then {long:?}");
    }
}

#[test]
fn damaged_tables_are_read_or_refused() {
    let folder = folder("fuzzed-tables");
    let table = "id,name,\"long \"\"one\"\"\"\r\n1,é,\"a\nb\"\n2,\"\",NULL\n3,\\.,\"x,y\"\n";
    let load = |delimiter, header, mode| Load { delimiter, header, mode, ..Load::into("t") };
    proptest!(config(300), |(edits in edits(), delimiter in prop_oneof![Just(','), Just('"'), Just('\n'), any::<char>()], header in any::<bool>())| {
        let work = Work::Csv(load(delimiter, header, Mode::Upsert { key: vec!["id".into()] }));
        let took = examined(&folder, damaged(table, &edits).as_bytes(), &work);
        prop_assert!(took < LIMIT, "{took:?}");
    });
    for piece in [",", "\"", "\"\"", "\n", "a", "\r", "\"a\",", "\"\n"] {
        let work = Work::Csv(load(',', true, Mode::Insert));
        let time =
            |length: usize| examined(&folder, piece.repeat(length / piece.len()).as_bytes(), &work);
        let (short, long) = (time(20_000), time(320_000));
        let allowed = short.max(Duration::from_millis(20)) * 60;
        assert!(long < allowed, "{piece:?} over and over: {short:?}, then {long:?}");
    }
    // A file that can't be read is an error, once.
    let work = Work::Csv(load(',', false, Mode::Insert));
    let problems = examine(&folder, ".", Engine::Postgres, &work, &BTreeMap::new());
    assert_eq!(problems.expect_err("a folder is no table").len(), 1);
}

const GROUPS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>
<securityGroupInfo><item><ownerId>123456789012</ownerId><groupId>sg-0a1b2c3d4e5f60001</groupId>
<groupName>data &amp; more</groupName><groupDescription>x</groupDescription><vpcId>vpc-1</vpcId>
<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><groups/>
<ipRanges><item><cidrIp>0.0.0.0/0</cidrIp><description>a</description></item></ipRanges></item></ipPermissions>
<tagSet><item><key>lagoa:stack</key><value>s</value></item></tagSet></item></securityGroupInfo>
<nextToken/></DescribeSecurityGroupsResponse>"#;
const REFUSAL: &str = "<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>no &lt;such&gt;</Message></Error></Errors><RequestID>r-2</RequestID></Response>";

#[test]
fn damaged_answers_of_ec2_are_read_or_errors() {
    let now = Arc::new(Mutex::new((200, Vec::new())));
    let answer = Arc::clone(&now);
    let server = Server::new(move |_| {
        let (status, body) = answer.lock().expect("nobody panics with it").clone();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Some([head.into_bytes(), body].concat())
    });
    let sdk = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .endpoint_url(&server.endpoint)
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new("test", "test", None, None, "tests"),
        ))
        .build();
    let client = Client::new(&sdk);
    let asks = |status: u16, body: Vec<u8>| {
        *now.lock().expect("nobody panics with it") = (status, body);
        let since = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let groups = client.describe_security_groups(&[]);
            // A token that was damaged into being makes it ask again and again.
            let _ = tokio::time::timeout(Duration::from_secs(2), groups).await;
        });
        assert!(since.elapsed() < LIMIT, "{:?}", since.elapsed());
    };
    proptest!(config(250), |(refused in any::<bool>(), edits in edits())| {
        let (status, text) = if refused { (400, REFUSAL) } else { (200, GROUPS) };
        asks(status, damaged(text, &edits).into_bytes());
    });
    for body in [
        "<a>".repeat(200_000),
        "<item>".repeat(200_000),
        "<!DOCTYPE a [<!ENTITY b \"cc\"><!ENTITY d \"&b;&b;&b;\">]><a>&d;</a>".to_owned(),
        "<a ".to_owned() + &"b=\"c\" ".repeat(100_000),
        "&#x41;".repeat(100_000),
        "\u{feff}\0\u{1}".repeat(1000),
    ] {
        asks(200, body.clone().into_bytes());
        asks(500, body.into_bytes());
    }
    asks(200, vec![0xff; 100_000]);
}

/// The edits themselves keep their word: what they leave is text, and some of it is new.
#[test]
fn damage_is_damage() {
    let all = [Edit::Cut(1, 2), Edit::Double(0, 4), Edit::Put(2, "é".into())];
    assert_ne!(damaged("abcdef", &all), "abcdef");
    assert_eq!(damaged("", &[Edit::Cut(3, 5), Edit::End(9)]), "");
}
