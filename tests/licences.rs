//! Every crate that lagoa is built from may be used under a licence that lagoa can live with, and
//! comes from the registry.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than to be named.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met: one side of each `OR`, both sides of each `AND`.
fn fits(expression: &str) -> bool {
    let plain = expression.trim();
    if let Some(sides) = cut(plain, " AND ") {
        return sides.iter().all(|side| fits(side));
    }
    if let Some(sides) = cut(plain, " OR ").or_else(|| cut(plain, "/")) {
        return sides.iter().any(|side| fits(side));
    }
    if let Some(inner) = plain.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return fits(inner);
    }
    ALLOWED.contains(&plain)
}

/// The sides of a word that stands outside all parentheses; `None` when it doesn't.
fn cut<'a>(text: &'a str, word: &str) -> Option<Vec<&'a str>> {
    let outside = |at: &usize| {
        let before = &text[..*at];
        before.matches('(').count() == before.matches(')').count()
    };
    let cuts: Vec<usize> = text.match_indices(word).map(|(at, _)| at).filter(outside).collect();
    let ends = cuts.iter().copied().chain([text.len()]);
    let starts = [0].into_iter().chain(cuts.iter().map(|at| at + word.len()));
    (!cuts.is_empty()).then(|| starts.zip(ends).map(|(from, to)| &text[from..to]).collect())
}

#[test]
fn every_crate_may_be_used() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let mut wrong = BTreeSet::new();
    for package in packages.iter().filter(|package| package["name"] != "lagoa") {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or("none"));
        if !fits(licence) {
            wrong.insert(format!("{name}: licence {licence}"));
        }
        let source = package["source"].as_str().unwrap_or("none");
        if !source.starts_with("registry+") {
            wrong.insert(format!("{name}: source {source}"));
        }
    }
    assert!(packages.len() > 100, "only {} packages", packages.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
        assert!(fits(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "none", "(GPL-3.0 OR AGPL-3.0) AND MIT"] {
        assert!(!fits(bad), "{bad}");
    }
}
