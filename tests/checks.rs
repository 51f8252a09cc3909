//! Security checks: what each finds and doesn't, what a stack may skip, and how commands end.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lagoa::checks::{self, SETTLED, Severity};
use lagoa::diagnostic::{Problem, Source};
use lagoa::document::{document, outline};
use lagoa::kinds;
use lagoa::report::findings::{Shown, brief, findings, full};
use lagoa::report::problems::render;
use lagoa::report::style::Style;
use lagoa::stack::{Inputs, Stack, check};
use serde_json::Value;
use support::yaml;

const HERE: &str = "# here";

fn checked(resources: &str) -> Result<Stack, Vec<Problem>> {
    let indented: Vec<String> = resources.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("stack: pairs\nresources:\n{}", indented.concat());
    let mut problems = Vec::new();
    let outline = outline(&Source::new("pairs.yaml", text), &mut problems);
    match outline.map(|document| check(&document, Path::new("."), &Inputs::default())) {
        Some(Ok((stack, _))) if problems.is_empty() => Ok(stack),
        checked => {
            problems.extend(checked.into_iter().filter_map(Result::err).flatten());
            Err(problems)
        }
    }
}

#[track_caller]
fn sound(name: &str, resources: &str) -> Stack {
    checked(resources).unwrap_or_else(|problems| panic!("{name}:\n{}", render(&problems, false)))
}

/// The lines on which the check finds something.
fn lines(stack: &Stack, id: &str) -> Vec<usize> {
    let mine = findings(stack).into_iter().filter(|one| one.id == id);
    mine.map(|one| one.line).collect()
}

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    yaml(&fs::read_to_string(path).expect("a file of the tests"))
}

#[test]
fn every_check_has_a_pair_and_tells_it_apart() {
    let pairs = read("tests/checks/pairs.yaml");
    let pairs = pairs.as_object().expect("a mapping");
    for check in checks::all() {
        let pair = pairs.get(check.id).unwrap_or_else(|| panic!("{} has no pair", check.id));
        let bad = pair["bad"].as_str().expect("a bad one");
        let line = bad.lines().position(|line| line.contains(HERE));
        let line = line.unwrap_or_else(|| panic!("{}: no line says `{HERE}`", check.id)) + 3;
        assert_eq!(lines(&sound(check.id, bad), check.id), [line], "{}, bad", check.id);
        let good = sound(check.id, pair["good"].as_str().expect("a good one"));
        assert_eq!(lines(&good, check.id), [0_usize; 0], "{}, good", check.id);
    }
    let strange: Vec<&String> = pairs.keys().filter(|id| checks::find(id).is_none()).collect();
    assert!(strange.is_empty(), "pairs of no check: {strange:?}");
}

#[test]
fn checks_are_about_kinds_that_there_are_and_say_what_to_do() {
    let mut seen = BTreeSet::new();
    for check in checks::all() {
        assert!(seen.insert(check.id), "{} is there twice", check.id);
        assert!(!check.kinds.is_empty() && !check.remedy.is_empty(), "{}", check.id);
        assert!(!check.requires.ends_with('.') && !check.remedy.ends_with('.'), "{}", check.id);
        for kind in check.kinds {
            assert!(kinds::find(kind).is_some(), "{}: no kind {kind}", check.id);
        }
    }
}

/// Auditors' lists name what every check must be one of: a check here, or settled.
#[test]
fn every_requirement_is_a_check_or_settled() {
    let facts = read("tests/facts/checks.json");
    let facts = facts.as_array().expect("a list");
    let settled: BTreeMap<&str, bool> = SETTLED.iter().map(|one| (one.id, one.always)).collect();
    let mut known = BTreeSet::new();
    for fact in facts {
        let id = fact["id"].as_str().expect("an id");
        known.insert(id);
        let kinds = fact["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // A bucket's policy is a field of the bucket here.
        let mut kinds = kinds.map(|kind| kind.trim_end_matches("_policy")).peekable();
        match (checks::find(id), settled.get(id)) {
            (Some(check), None) => {
                let severity = serde_json::to_value(check.severity).expect("a word");
                assert_eq!(severity, fact["severity"], "{id}");
            }
            (None, Some(true)) => {}
            (None, Some(false)) => {
                let ours = kinds.any(|kind| kinds::find(kind).is_some() && kind != "ec2_vpc");
                assert!(!ours, "{id} is about a kind that there is");
            }
            (None, None) => panic!("{id} is neither a check nor settled"),
            (Some(_), Some(_)) => panic!("{id} is a check and settled"),
        }
    }
    let all = checks::all().map(|check| check.id).chain(settled.keys().copied());
    let unknown: Vec<&str> = all.filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "on nobody's list: {unknown:?}");
}

#[test]
fn references_lead_from_one_resource_to_another() {
    let stack = sound(
        "among",
        "access:\n  kind: ec2_security_group\n  ingress: [{ protocol: tcp, ports: 8443, cidr: 0.0.0.0/0 }]\n\
         service: { kind: iam_role, service: elasticmapreduce }\n\
         machines: { kind: iam_role, service: ec2, instance_profile: true }\n\
         lake: { kind: ec2_vpc, cidr: 10.0.0.0/16 }\n\
         inside: { kind: ec2_subnet, vpc: lake, cidr: 10.0.1.0/24 }\n\
         spark:\n  kind: emr_cluster\n  release_label: emr-7.9.0\n  service_role: service\n  \
         instance_profile: machines\n  subnets: [inside]\n  \
         additional_primary_security_groups: [access]\n  primary: { instance_type: m5.xlarge }\n",
    );
    assert_eq!(lines(&stack, "EMR-PUBLIC"), [16]);
}

const SKIPS: &str = "\
raw:
  kind: s3_bucket
  versioning: true
  skip_checks:
    S3-TLS: only Athena reads it
    S3-LOGGING: temporary files only
    S3-VERSIONING: nothing to skip here
lake:
  kind: network
  nat: none
  skip_checks: { SUBNET-PUBLIC-IP: load balancers stand there }
${each.key}:
  for_each: [one, two]
  kind: kms_key
  skip_checks: { KMS-ROTATE: \"made anew each ${stack.name}\" }
";

#[test]
fn what_is_skipped_is_counted_and_what_is_skipped_in_vain_is_told() {
    let stack = sound("skips", SKIPS);
    let found = findings(&stack);
    let skipped: Vec<(&str, &str, &str)> = found
        .iter()
        .filter(|one| one.suppressed)
        .map(|one| (one.id, one.resource.as_str(), one.reason.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        skipped,
        [
            ("S3-TLS", "raw", "only Athena reads it"),
            ("SUBNET-PUBLIC-IP", "lake-public-a", "load balancers stand there"),
            ("SUBNET-PUBLIC-IP", "lake-public-b", "load balancers stand there"),
            ("KMS-ROTATE", "one", "made anew each pairs"),
            ("KMS-ROTATE", "two", "made anew each pairs"),
            ("S3-LOGGING", "raw", "temporary files only"),
        ]
    );
    let told = render(&stack.warnings, false);
    assert!(told.contains("S3-VERSIONING finds nothing here to skip"), "{told}");
    assert!(told.contains("pairs.yaml:9:"), "{told}");
    assert_eq!(stack.warnings.len(), 1, "{told}");
    insta::assert_snapshot!(
        "checks_brief",
        brief(&found, "pairs.yaml", Shown::default(), Style::PLAIN)
    );
    let all = Shown { all: true, suppressed: true };
    insta::assert_snapshot!("checks_brief_all", brief(&found, "pairs.yaml", all, Style::PLAIN));
    insta::assert_snapshot!("checks_full", full(&stack, all, false));
}

#[test]
fn a_skip_that_is_wrong_is_refused_where_it_stands() {
    let problems = checked(
        "raw:\n  kind: s3_bucket\n  skip_checks:\n    S3-VERSONING: a slip\n    S3-TLS: \"\"\n    \
         S3-LOGGING:\n    S3-SSE: needs none\n    QUALITY: no such thing\n\
         more: { kind: s3_bucket, skip_checks: [S3-TLS] }\n",
    );
    let problems = problems.err().expect("it is wrong");
    insta::assert_snapshot!("checks_wrong_skips", render(&problems, false));
}

#[test]
fn what_is_not_known_yet_is_no_finding() {
    let stack = sound(
        "unknown",
        "other: { kind: ec2_security_group }\n\
         access:\n  kind: ec2_security_group\n  description: x\n  \
         ingress: [{ protocol: tcp, ports: 22, cidr: \"${db.host}/32\", description: x }]\n\
         db:\n  kind: rds_instance\n  engine: postgres\n  instance_class: db.t3.micro\n  \
         storage_gib: 20\n  username: postgres\n  managed_password: true\n",
    );
    assert!(findings(&stack).iter().all(|one| one.resource != "access"));
}

fn lagoa(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.output().expect("it starts")
}

#[test]
fn fail_on_decides_how_check_ends() {
    let folder = std::env::temp_dir().join(format!("lagoa-checks-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a scratch folder");
    let file = folder.join("fail.yaml");
    let stack = "stack: fail\nresources:\n  raw: { kind: s3_bucket, versioning: true }\n";
    fs::write(&file, stack).expect("a scratch file");
    let path = file.to_str().expect("a plain path");
    for (level, code) in [("low", 3), ("medium", 3), ("high", 0), ("critical", 0)] {
        let output = lagoa(&["check", path, "--fail-on", level]);
        assert_eq!(output.status.code(), Some(code), "{level}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told.contains("--fail-on says"), code == 3, "{told}");
    }
    assert_eq!(lagoa(&["check", path]).status.code(), Some(0));
    let output = lagoa(&["check", path, "--json", "--fail-on", "medium"]);
    assert_eq!(output.status.code(), Some(3));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &json["stacks"][0]["findings"][0];
    assert_eq!((&first["id"], &first["line"]), (&"S3-TLS".into(), &3.into()));
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn the_platforms_have_nothing_bad_that_they_do_not_explain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join("stacks")).expect("the stacks") {
        let path = entry.expect("an entry").path();
        let source = lagoa::document::read(&path, "stack").expect("a file");
        let document = document(source).expect("a sound document");
        let (stack, _) = check(&document, root, &Inputs::default()).expect("a sound stack");
        let bad: Vec<String> = findings(&stack)
            .iter()
            .filter(|one| !one.suppressed && one.severity >= Severity::High)
            .map(|one| format!("{} {}", one.id, one.resource))
            .collect();
        assert!(bad.is_empty(), "{}: {bad:?}", path.display());
    }
}
