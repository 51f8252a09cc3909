//! The command line from outside: help, exit codes, errors.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn lagoa(arguments: &[&str]) -> Output {
    command(arguments).output().expect("it starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // No account, and nobody's own settings.
    for name in [
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "NO_COLOR",
        "GITHUB_ACTIONS",
    ] {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/nowhere");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere").env("COLUMNS", "100");
    command
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it ends by itself");
    format!("exit {code}\n--- out\n{}--- err\n{}", text(&output.stdout), text(&output.stderr))
}

/// A file that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("lagoa-cli-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder");
        let path = folder.join(name);
        fs::write(&path, text).expect("a scratch file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn every_command_helps() {
    let commands = [
        "",
        "plan",
        "apply",
        "destroy",
        "check",
        "init",
        "stacks",
        "graph",
        "show",
        "adopt",
        "import",
        "history",
        "unlock",
        "policy",
        "schema",
        "docs",
        "man",
        "sandbox",
        "completions",
        "show kind",
        "show stack",
        "show outputs",
        "history show",
    ];
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = lagoa(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains("Examples:"), "{command} has no examples");
        for line in help.lines().skip_while(|line| *line != "Examples:") {
            assert!(line.chars().count() <= 80, "{command}: an example breaks in two: {line}");
        }
        insta::assert_snapshot!(format!("help_{}", command.replace(' ', "_")), help);
    }
}

#[test]
fn misunderstandings_exit_with_1_and_suggest() {
    let cases: [(&str, &[&str]); 6] = [
        ("unknown_flag", &["plan", "stack.yaml", "--tagret", "x"]),
        ("unknown_command", &["aply"]),
        ("no_file", &["plan"]),
        ("var_without_value", &["plan", "stack.yaml", "--var", "project"]),
        ("unknown_kind", &["show", "kind", "s3_buket"]),
        ("unknown_field", &["show", "kind", "s3_bucket.lifecycle.transition"]),
    ];
    for (name, arguments) in cases {
        insta::assert_snapshot!(name, told(&lagoa(arguments)));
    }
}

#[test]
fn problems_of_the_file_come_before_anything_else() {
    insta::assert_snapshot!("no_such_file", told(&lagoa(&["plan", "nowhere.yaml"])));
    let broken =
        Scratch::new("broken.yaml", "stack: shop\nresources:\n  raw: { kind: s3_buket }\n");
    for command in ["plan", "apply", "destroy", "check"] {
        let output = lagoa(&[command, broken.path()]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("s3_buket") && told.contains(":3:"), "{told}");
    }
    // The sandbox isn't started for a file that is broken.
    let output = lagoa(&["plan", broken.path(), "--sandbox"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("sandbox:"));
}

#[test]
fn an_unknown_key_is_told_before_aws_is_asked() {
    let stack =
        Scratch::new("keys.yaml", "stack: shop\nresources:\n  shop-raw: { kind: s3_bucket }\n");
    let output = lagoa(&["plan", stack.path(), "--target", "shop-row"]);
    insta::assert_snapshot!("unknown_key", told(&output));
}

#[test]
fn with_credentials_and_no_way_to_aws_the_way_is_named() {
    let stack = Scratch::new("away.yaml", "stack: away\nregion: eu-west-9\nresources: {}\n");
    let mut command = command(&["plan", stack.path()]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "example");
    // Nobody listens on the port of `discard`.
    let output = command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output();
    let told = told(&output.expect("it starts"));
    assert!(told.starts_with("exit 1\n"), "{told}");
    assert!(told.contains("no way to STS in eu-west-9"), "{told}");
    assert!(!told.contains("looks for credentials"), "{told}");
}

#[test]
fn without_credentials_the_way_out_is_named() {
    let stack = Scratch::new("account.yaml", "stack: shop\nregion: us-east-1\nresources: {}\n");
    let output = lagoa(&["plan", stack.path()]);
    let told = told(&output);
    assert!(told.starts_with("exit 1"), "{told}");
    assert!(
        told.contains("error: ") && told.contains("help: ") && told.contains("--sandbox"),
        "{told}"
    );
}

#[test]
fn variables_come_from_flags_and_files() {
    let text = "stack: shop\nvariables: { project: {} }\n\
                resources:\n  \"${var.project}-raw\": { kind: s3_bucket }\n";
    let stack = Scratch::new("variables.yaml", text);
    let file = Scratch::new("values.yaml", "project: coins\n");
    assert_eq!(lagoa(&["check", stack.path()]).status.code(), Some(1));
    assert_eq!(lagoa(&["check", stack.path(), "--var", "project=coins"]).status.code(), Some(0));
    assert_eq!(lagoa(&["check", stack.path(), "--var-file", file.path()]).status.code(), Some(0));
    let wrong = Scratch::new("wrong.yaml", "project: [a]\n");
    let output = lagoa(&["check", stack.path(), "--var-file", wrong.path()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("must be a single value"));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let command = format!("{} schema | head -n 1", env!("CARGO_BIN_EXE_lagoa"));
    let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\n");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pages_read_well() {
    for (name, what) in [
        ("page_iam_group", "iam_group"),
        ("page_emr_cluster", "emr_cluster"),
        ("page_lifecycle", "s3_bucket.lifecycle"),
    ] {
        insta::assert_snapshot!(name, told(&lagoa(&["show", "kind", what])));
    }
    insta::assert_snapshot!("kinds", told(&lagoa(&["show", "kinds"])));
    insta::assert_snapshot!("syntax", told(&lagoa(&["show", "syntax"])));
}

/// The schema that the stacks' first line names is the one this binary prints.
#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/stack.json");
    let printed = String::from_utf8(lagoa(&["schema"]).stdout).expect("text");
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(kept == printed, "run `lagoa schema --out schema/stack.json`");
}
