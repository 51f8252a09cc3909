//! Completion in real shells, and manual pages as `man` reads them.
//!
//! A shell or tool that isn't there is left out, loudly; `LAGOA_REQUIRE_SANDBOX=1` makes that a
//! failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

fn lagoa(arguments: &[&str]) -> Vec<u8> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lagoa")).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn scratch(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("stacks")).expect("a folder");
    fs::write(path.join("stacks/lake.yaml"), "stack: lake\nresources: {}\n").expect("a stack");
    path
}

/// Runs a program in the folder; `None` where there is no such program.
fn ran(program: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(folder).env("HOME", folder).output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("LAGOA_REQUIRE_SANDBOX").is_none() => {
            eprintln!("SKIPPED: {program}: {error}");
            None
        }
        Err(error) => panic!("{program} (apt-get install {program}): {error}"),
    }
}

/// What a shell's script prints, line by line.
fn told(output: &Output) -> Vec<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The words that come before the one to complete, that one, some that are offered and some that
/// aren't.
type Case =
    (&'static [&'static str], &'static str, &'static [&'static str], &'static [&'static str]);

const CASES: [Case; 5] = [
    (&[], "", &["plan", "apply", "show", "completions"], &["s3_bucket"]),
    (&["show"], "k", &["kind", "kinds"], &["stack"]),
    (&["show", "kind"], "rds_", &["rds_instance", "rds_cluster"], &["s3_bucket"]),
    (&["completions"], "", &["bash", "fish", "zsh"], &["plan"]),
    (&["apply"], "--par", &["--parallelism"], &["--yes"]),
];

#[test]
fn bash_completes() {
    let folder = scratch("bash");
    fs::write(folder.join("lagoa.bash"), lagoa(&["completions", "bash"])).expect("a script");
    for (before, begun, offered, others) in CASES {
        let words = [&["lagoa"][..], before, &[begun]].concat();
        let script = format!(
            "source lagoa.bash; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='lagoa'\n\
             _lagoa lagoa '{begun}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len() - 1,
            words[words.len() - 2],
        );
        let Some(output) = ran("bash", &["--norc", "-c", &script], &folder) else { return };
        let told = told(&output);
        let has = |word: &&str| told.iter().any(|line| line == word);
        assert!(offered.iter().all(has), "{words:?}: {told:?}");
        assert!(!others.iter().any(has), "{words:?}: {told:?}");
    }
    // What isn't lagoa's own is a file.
    let script = "source lagoa.bash; complete -p lagoa";
    let rule = told(&ran("bash", &["--norc", "-c", script], &folder).expect("bash"));
    assert!(rule[0].contains("-o default"), "{rule:?}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn fish_completes() {
    let folder = scratch("fish");
    fs::write(folder.join("lagoa.fish"), lagoa(&["completions", "fish"])).expect("a script");
    let complete = |line: &str| {
        let script = format!("source lagoa.fish; complete -C '{line}'");
        let output = ran("fish", &["--no-config", "-c", &script], &folder)?;
        let words = told(&output);
        Some(
            words
                .iter()
                .map(|line| line.split('\t').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    for (before, begun, offered, others) in CASES {
        let line = [&["lagoa"][..], before, &[begun]].concat().join(" ");
        let Some(told) = complete(&line) else { return };
        let has = |word: &&str| told.iter().any(|one| one == word);
        assert!(offered.iter().all(has), "{line}: {told:?}");
        assert!(!others.iter().any(has), "{line}: {told:?}");
    }
    let told = complete("lagoa plan stacks/la").expect("fish");
    assert!(told.contains(&"stacks/lake.yaml".to_owned()), "{told:?}");
    let _ = fs::remove_dir_all(folder);
}

/// zsh completes only where somebody types: a terminal of its own module stands in for one.
#[test]
fn zsh_completes() {
    let folder = scratch("zsh");
    fs::write(folder.join("_lagoa"), lagoa(&["completions", "zsh"])).expect("a script");
    fs::write(folder.join("type.zsh"), include_str!("shells/type.zsh")).expect("a script");
    let complete = |line: &str| {
        let output = ran("zsh", &["-f", "type.zsh", line], &folder)?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (before, begun, offered, others) in CASES {
        let line = [&["lagoa"][..], before, &[begun]].concat().join(" ");
        let Some(told) = complete(&line) else { return };
        let words: Vec<&str> = told.split_whitespace().collect();
        assert!(offered.iter().all(|word| words.contains(word)), "{line}: {told}");
        assert!(!others.iter().any(|word| words.contains(word)), "{line}: {told}");
    }
    let told = complete("lagoa plan stacks/").expect("zsh");
    assert!(told.contains("lake.yaml"), "{told}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn manual_pages_are_well_formed() {
    let folder = scratch("man");
    lagoa(&["man", "--out", folder.to_str().expect("a plain path")]);
    let mut pages: Vec<String> = fs::read_dir(&folder)
        .expect("the pages")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".1"))
        .collect();
    pages.sort();
    for name in ["lagoa.1", "lagoa-plan.1", "lagoa-show-kind.1", "lagoa-man.1"] {
        assert!(pages.iter().any(|page| page == name), "{pages:?}");
    }
    for page in &pages {
        // It would have liked a date.
        let arguments = ["-T", "lint", "-W", "error", page.as_str()];
        let Some(output) = ran("mandoc", &arguments, &folder) else { return };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
    }
    let read = ran("mandoc", &["-T", "ascii", "lagoa-plan.1"], &folder).expect("mandoc");
    // A letter in bold is written over itself.
    let text = Regex::new(".\u{8}")
        .expect("a pattern")
        .replace_all(&String::from_utf8_lossy(&read.stdout), "")
        .into_owned();
    assert!(text.contains("EXAMPLES\n"), "{text}");
    assert!(text.contains("  lagoa plan stacks/bootcamp.yaml --json > plan.json\n"), "{text}");
    let main = String::from_utf8(lagoa(&["man"])).expect("text");
    assert_eq!(main, fs::read_to_string(folder.join("lagoa.1")).expect("the page"));
    let _ = fs::remove_dir_all(folder);
}
