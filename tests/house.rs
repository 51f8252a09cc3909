//! The house: which room may use which, which crates belong where, and what is done nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may use. Nothing but `kind` and `aws` may use each other.
const ROOMS: &[(&str, &[&str])] = &[
    // Words that every room shares.
    ("diagnostic", &[]),
    ("policy", &[]),
    ("reference", &[]),
    ("github", &[]),
    ("cidr", &["reference"]),
    ("field", &["policy"]),
    // Below everything else: AWS, and the contract of whoever speaks with it.
    ("aws", &["field", "kind", "reference"]),
    ("kind", &["aws", "reference"]),
    // What is asked of a stack, and of a plan.
    ("checks", &["cidr", "kind", "policy", "reference"]),
    ("guardrails", &["diagnostic"]),
    // From the text to the plan.
    ("document", &["diagnostic"]),
    ("graph", &[]),
    (
        "stack",
        &["checks", "diagnostic", "document", "field", "graph", "kind", "kinds", "reference"],
    ),
    ("live", &["aws", "kind"]),
    ("diff", &["field", "policy", "reference"]),
    ("plan", &["diff", "graph", "kind", "live", "reference", "stack"]),
    // From the world back to the text.
    ("import", &["document", "field", "graph", "kind", "live", "plan", "reference", "stack"]),
    // From the plan to the deed, and what is told of it.
    ("execution", &["aws", "diff", "kind", "live", "plan", "reference"]),
    (
        "report",
        &[
            "checks",
            "diagnostic",
            "diff",
            "execution",
            "github",
            "guardrails",
            "kind",
            "plan",
            "policy",
            "reference",
            "stack",
        ],
    ),
    ("access", &["graph", "kind", "kinds", "plan", "reference", "stack"]),
    ("schema", &["checks", "kind", "reference", "report"]),
    // The kinds, and what those that seed share.
    ("seed", &[]),
    ("sql_seed", &["aws", "field", "kind", "reference", "seed"]),
    ("kinds", &["aws", "cidr", "field", "kind", "reference", "seed", "sql_seed"]),
    // Commands join all of them.
    ("sandbox", &[]),
    (
        "cli",
        &[
            "access",
            "aws",
            "checks",
            "diagnostic",
            "document",
            "execution",
            "github",
            "graph",
            "guardrails",
            "import",
            "kind",
            "kinds",
            "live",
            "plan",
            "reference",
            "report",
            "sandbox",
            "schema",
            "stack",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// Crates and modules that only some rooms, or files, may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("granit_parser", &["document"]),
    ("annotate_snippets", &["report"]),
    ("indicatif", &["report"]),
    ("regorus", &["guardrails"]),
    ("terminal_size", &["report"]),
    ("dagre", &["report"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("aws_sdk_", &["aws", "kinds", "sql_seed"]),
    ("aws_config", &["aws"]),
    ("mysql_async", &["seed"]),
    ("tokio_postgres", &["seed"]),
    // Where a secret leaves its wrapping: in the call that needs it.
    (
        "expose_secret",
        &[
            "src/aws.rs",
            "src/aws/password.rs",
            "src/aws/github.rs",
            "src/aws/github/token.rs",
            "src/aws/vault.rs",
            "src/cli/masks.rs",
            "src/github/api.rs",
            "src/kinds/ec2_key_pair.rs",
            "src/kinds/iam_user/console.rs",
            "src/kinds/iam_user/key.rs",
            "src/kinds/secretsmanager_secret.rs",
            "src/kinds/ssm_parameter.rs",
            "src/seed/mysql_session.rs",
            "src/seed/postgres_session.rs",
        ],
    ),
    ("process::exit", &["main"]),
    ("ExitCode", &["main"]),
    ("println!", &["report"]),
    ("print!", &["report"]),
    ("io::stdout", &["report"]),
    // The log that `-v` asks for.
    ("io::stderr", &["report", "src/cli/arguments.rs"]),
    (
        "std::time",
        &[
            "aws",
            "cli",
            "execution",
            "github",
            "guardrails",
            "kind",
            "live",
            "report",
            "sandbox",
            "seed",
            "sql_seed",
        ],
    ),
    ("tokio::", &["aws", "cli", "execution", "github", "live", "sandbox", "seed", "sql_seed"]),
    ("jiff::", &["aws", "cli", "kinds", "report", "sandbox", "seed", "sql_seed"]),
];

/// What planning never does, whatever it may name.
const PURE: &[&str] =
    &["access", "checks", "diff", "graph", "import", "plan", "reference", "policy"];
const IMPURE: &[&str] = &["std::env", "std::fs", "std::io", "std::time", "async fn", ".await"];

/// What ends the program in the middle of its work.
const FORBIDDEN: &[&str] =
    &["todo!", "unimplemented!", "unreachable!", "panic!", "dbg!", ".unwrap()", ".expect("];

/// Lines that a file may have, its tests not counted. Longer ones are listed with their length,
/// which may only shrink.
const LINES: usize = 450;
const LONG: &[(&str, usize)] = &[];

struct File {
    path: String,
    room: String,
    /// Without comments and without its tests.
    code: String,
    lines: usize,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => paths.push(path),
                _ => {}
            }
        }
    }
    paths.retain(|path| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().ends_with("tests.rs"))
    });
    paths.sort();
    let files: Vec<File> = paths.iter().map(|path| file(root, path)).collect();
    assert!(files.len() > 50, "the source is where it was");
    files
}

fn file(root: &Path, path: &Path) -> File {
    let text = fs::read_to_string(path).expect("a file of the source");
    let path = path.strip_prefix(root).expect("below the root").display().to_string();
    let parts = path.split('/').nth(1).expect("below src");
    let (own, tests) = text.split_once("#[cfg(test)]\nmod ").unwrap_or((&text, ""));
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    assert!(after.trim().is_empty() || tests.starts_with("tests;"), "{path}: tests come last");
    let code = own.lines().filter(|line| !line.trim_start().starts_with("//"));
    File {
        room: parts.trim_end_matches(".rs").to_owned(),
        lines: own.lines().count(),
        code: code.map(|line| format!("{line}\n")).collect(),
        path,
    }
}

/// The rooms that a file names: `crate::room` and `crate::{room::…, room::…}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut word = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => rooms.extend(room(&std::mem::take(&mut word))),
                        c if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                rooms.extend(room(&word));
            }
            None => rooms.extend(room(rest)),
        }
    }
    rooms
}

fn room(path: &str) -> Option<String> {
    let path = path.trim_start();
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    (end > 0).then(|| path[..end].to_owned())
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut found = Vec::new();
    for file in files() {
        let Some(allowed) = table.get(file.room.as_str()) else {
            found.push(format!("{} is in no room of the table", file.path));
            continue;
        };
        let strange = named(&file.code).into_iter().filter(|room| {
            *room != file.room
                && !allowed.contains(&room.as_str())
                && table.contains_key(room.as_str())
        });
        found.extend(strange.map(|room| format!("{} uses {room}", file.path)));
    }
    none("against the order of the house", &found);
}

#[test]
fn the_table_allows_only_what_is_used() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        used.entry(file.room).or_default().extend(named(&file.code));
    }
    let unused = ROOMS.iter().flat_map(|(room, allowed)| {
        let idle = |other: &&&str| !used.get(*room).is_some_and(|used| used.contains(**other));
        allowed.iter().filter(idle).map(move |other| format!("{room} may use {other}"))
    });
    none("allowed, but not needed any more", &unused.collect::<Vec<_>>());
}

#[test]
fn imports_go_one_way() {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut left: BTreeSet<&str> = table.keys().copied().collect();
    let pair = ["aws", "kind"];
    loop {
        let free: Vec<&str> = left
            .iter()
            .copied()
            .filter(|room| {
                table[room].iter().all(|used| {
                    !left.contains(used) || (pair.contains(room) && pair.contains(used))
                })
            })
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|room| !free.contains(room));
    }
    assert!(left.is_empty(), "rooms that use each other: {left:?}");
}

#[test]
fn kinds_never_import_each_other() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.path.starts_with("src/kinds/")) {
        let seam = file.path.matches('/').count() > 2;
        let up = if seam { "super::super" } else { "super::" };
        for word in [up, "crate::kinds"].iter().filter(|word| file.code.contains(**word)) {
            found.push(format!("{} says {word}", file.path));
        }
    }
    none("kinds that know of others", &found);
}

#[test]
fn crates_and_the_terminal_stay_in_their_rooms() {
    let mut found = Vec::new();
    for file in files() {
        for (word, rooms) in RESERVED {
            let named = file.code.match_indices(word).any(|(at, _)| {
                let before = file.code[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            });
            let own = rooms.contains(&file.room.as_str()) || rooms.contains(&file.path.as_str());
            if named && !own {
                found.push(format!("{} names {word}", file.path));
            }
        }
    }
    none("out of place", &found);
}

#[test]
fn planning_is_pure() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| PURE.contains(&file.room.as_str())) {
        for word in IMPURE.iter().filter(|word| file.code.contains(**word)) {
            found.push(format!("{} says {word}", file.path));
        }
    }
    none("planning holds no client, clock, file or terminal", &found);
}

#[test]
fn nothing_panics_on_purpose() {
    let mut found = Vec::new();
    for file in files() {
        for line in file.code.lines() {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}: {word} in `{}`", file.path, line.trim()));
            }
        }
    }
    none("a problem is told, not thrown", &found);
}

#[test]
fn files_stay_readable_from_top_to_bottom() {
    let mut found = Vec::new();
    for file in files() {
        let known = LONG.iter().find(|(path, _)| *path == file.path).map(|(_, lines)| *lines);
        let most = known.unwrap_or(LINES);
        if file.lines > most {
            found.push(format!("{} has {} lines; at most {most}", file.path, file.lines));
        }
        if known.is_some() && file.lines < most {
            found.push(format!("{} has {} lines: say so in the list", file.path, file.lines));
        }
    }
    none("split along a seam with a name", &found);
}
