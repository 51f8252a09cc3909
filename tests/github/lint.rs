//! The workflows and the action, ours and those that `init` writes, are sound, and nothing that a
//! stranger writes is ever read as a script.

use std::path::{Path, PathBuf};
use std::process::Command;

use lagoa::document::{Node, parse, read};

use super::Folder;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The folder of the checkers' programs, installed if need be; `None`, loudly, where they can't be.
fn programs() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let digest: usize =
        REQUIREMENTS.bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + usize::from(byte));
    let folder = home.expect("a home").join(format!("lagoa/linters-{digest}"));
    if folder.join("complete").exists() {
        return Some(folder.join("bin"));
    }
    let _ = std::fs::remove_dir_all(&folder);
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/github/requirements.txt");
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    let mut install = Command::new(folder.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "-r"]).arg(list);
    for step in [&mut make, &mut install] {
        let output = step.output();
        if output.as_ref().is_ok_and(|output| output.status.success()) {
            continue;
        }
        assert!(std::env::var_os("LAGOA_REQUIRE_SANDBOX").is_none(), "{output:?}");
        eprintln!("SKIPPED: the checkers can't be installed: {output:?}");
        return None;
    }
    std::fs::write(folder.join("complete"), "").expect("write a file");
    Some(folder.join("bin"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The workflows of this repository, and those that `init` writes.
fn workflows(written: &Folder) -> Vec<PathBuf> {
    written.run(&["init", "--ci", "github", "--repository", "acme/lake"]).success();
    let folders = [root().join(".github/workflows"), written.0.join(".github/workflows")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("workflows"));
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert_eq!(files.len(), 4);
    files
}

#[track_caller]
fn passes(mut command: Command) {
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn workflows_and_scripts_pass_the_linters() {
    let Some(bin) = programs() else { return };
    let written = Folder::new("lint");
    let mut actionlint = Command::new(bin.join("actionlint"));
    // A folder of its own: actionlint looks for its settings where it stands.
    actionlint
        .current_dir(&written.0)
        .arg("-no-color")
        .arg("-shellcheck")
        .arg(bin.join("shellcheck"));
    actionlint.args(workflows(&written));
    passes(actionlint);
    let scripts = std::fs::read_dir(root().join(".github/action")).expect("the action's scripts");
    let mut shellcheck = Command::new(bin.join("shellcheck"));
    shellcheck.args(scripts.map(|entry| entry.expect("an entry").path()));
    passes(shellcheck);
}

fn yaml(path: &Path) -> Node {
    parse(read(path, &path.display().to_string()).expect("a file")).expect("YAML")
}

/// Every step below a node.
fn steps<'a>(node: &'a Node, out: &mut Vec<&'a Node>) {
    out.extend(node.get("steps").and_then(Node::sequence).into_iter().flatten());
    for (_, inner) in node.mapping().into_iter().flatten() {
        steps(inner, out);
    }
}

#[test]
fn no_script_holds_an_expression_and_every_action_is_pinned() {
    let written = Folder::new("injection");
    let mut files = workflows(&written);
    files.push(root().join("action.yml"));
    for file in files {
        let document = yaml(&file);
        let text = std::fs::read_to_string(&file).expect("a file");
        let name = file.display();
        let events = document.get("on");
        assert!(events.is_none_or(|on| on.get("pull_request_target").is_none()), "{name}");
        if document.get("jobs").is_some() {
            let none = document.get("permissions").and_then(Node::mapping);
            assert!(none.is_some_and(<[_]>::is_empty), "{name}: rights are given job by job");
        }
        let mut all = Vec::new();
        steps(&document, &mut all);
        assert!(!all.is_empty(), "{name}");
        for step in all {
            let run = step.get("run").and_then(Node::text).unwrap_or_default();
            assert!(!run.contains("${{"), "{name}: a script holds an expression: {run}");
            let uses = step.get("uses").and_then(Node::text).unwrap_or("./");
            let pinned = uses.rsplit_once('@').is_some_and(|(_, commit)| {
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            assert!(
                uses.starts_with("./") || uses == "acme/lagoa@main" || pinned,
                "{name}: {uses}"
            );
        }
        assert!(!text.contains("AWS_SECRET_ACCESS_KEY"), "{name}: no key is kept");
    }
}

/// The script of the action hands its inputs on as they are, whatever is in them.
#[test]
fn the_action_reads_no_input_as_a_script() {
    let folder = Folder::new("action");
    let double = "#!/usr/bin/env bash\nprintf '<%s>' \"$@\" > said\n\
                  echo \"$AWS_ROLE_ARN|$AWS_REGION\" >> said\nexit \"${CODE:-0}\"\n";
    folder.write("bin/lagoa", double);
    let mode = Command::new("chmod").args(["+x", "bin/lagoa"]).current_dir(&folder.0).status();
    assert!(mode.is_ok_and(|status| status.success()));
    let run = |inputs: &[(&str, &str)]| {
        let mut script = Command::new("bash");
        script.arg(root().join(".github/action/run.sh")).current_dir(&folder.0);
        let path = format!(
            "{}:{}",
            folder.0.join("bin").display(),
            std::env::var("PATH").expect("a path")
        );
        script.env("PATH", path).env("GITHUB_OUTPUT", folder.0.join("output"));
        for name in ["COMMAND", "STACK", "ARGUMENTS", "ROLE", "REGION"] {
            script.env(format!("LAGOA_{name}"), "");
        }
        script.env("AWS_ROLE_ARN", "own").env("AWS_REGION", "here");
        script.envs(inputs.iter().copied()).output().expect("bash").status.code()
    };
    let inputs = [
        ("LAGOA_COMMAND", "plan"),
        ("LAGOA_STACK", "$(touch bad) x.yaml"),
        ("LAGOA_ARGUMENTS", "--var\na=b c; touch bad\n\n"),
    ];
    assert_eq!(run(&inputs), Some(0));
    assert_eq!(
        folder.read("said"),
        "<plan><--var><a=b c; touch bad><--><$(touch bad) x.yaml>own|here\n"
    );
    assert!(!folder.0.join("bad").exists());

    // Changes are no failure; everything else is.
    let with = |more: &[(&'static str, &'static str)]| {
        folder.write("output", "");
        run(&[&inputs[..], more].concat())
    };
    assert_eq!(with(&[("CODE", "2")]), Some(0));
    assert_eq!(folder.read("output"), "exitcode=2\n");
    assert_eq!(with(&[("CODE", "4")]), Some(4));
    assert_eq!(folder.read("output"), "exitcode=4\n");
    assert_eq!(with(&[("LAGOA_ROLE", "role"), ("LAGOA_REGION", "there")]), Some(0));
    assert!(folder.read("said").ends_with("role|there\n"));
    assert_eq!(with(&[("LAGOA_COMMAND", "destroy")]), Some(1));
    assert_eq!(with(&[("LAGOA_STACK", "")]), Some(1));
}
