//! The committed reference pages say what the types say, and what stands in them is true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lagoa::kinds;
use lagoa::report::page::{Page, by_service};
use regex::Regex;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scratch(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn lagoa(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
    let output = command.args(arguments).current_dir(root()).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn pages() -> Vec<Page> {
    kinds::written().into_iter().map(Page::of).collect()
}

/// Every Markdown file in a folder and in its folder `kinds`, by path.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for folder in [folder.to_owned(), folder.join("kinds")] {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                files.insert(path.clone(), fs::read_to_string(path).expect("a page"));
            }
        }
    }
    files
}

#[test]
fn the_committed_pages_are_what_the_types_say() {
    let made = scratch("pages");
    lagoa(&["docs", "--out", made.to_str().expect("a plain path")]);
    let docs = root().join("docs");
    let fresh = files(&made);
    for (path, text) in &fresh {
        let kept = docs.join(path.strip_prefix(&made).expect("below"));
        let same = fs::read_to_string(&kept).is_ok_and(|kept| kept == *text);
        assert!(same, "{} is out of date: run `lagoa docs --out docs`", kept.display());
    }
    for path in
        files(&docs).keys().filter(|path| path.parent().is_some_and(|p| p.ends_with("kinds")))
    {
        let made = made.join(path.strip_prefix(&docs).expect("below"));
        assert!(fresh.contains_key(&made), "{} is the page of no kind", path.display());
    }
    assert_eq!(fresh.len(), kinds::written().len() + 2);
    let _ = fs::remove_dir_all(made);
}

/// What GitHub calls a heading in links.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]*)(#[^)]*)?\)").expect("a pattern");
    let code = Regex::new("`[^`\\n]*`").expect("a pattern");
    for (path, text) in files(&root().join("docs")) {
        let text = code.replace_all(&text, "");
        for found in link.captures_iter(&text) {
            let target = if found[1].is_empty() {
                path.clone()
            } else {
                path.parent().expect("a folder").join(&found[1])
            };
            assert!(target.is_file(), "{}: {}", path.display(), &found[0]);
            if let Some(anchor) = found.get(2) {
                let text = fs::read_to_string(&target).expect("a page");
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let there = headings.map(slug).any(|slug| slug == anchor.as_str()[1..]);
                assert!(there, "{}: {}", path.display(), &found[0]);
            }
        }
    }
}

/// Tables and code must not run into what follows.
#[test]
fn rows_have_as_many_cells_as_their_heads() {
    let bar = Regex::new(r"(^|[^\\])\|").expect("a pattern");
    for (path, text) in files(&root().join("docs")) {
        let mut cells = None;
        for line in text.lines() {
            if !line.starts_with('|') {
                cells = None;
                continue;
            }
            let count = bar.find_iter(line).count();
            assert_eq!(*cells.get_or_insert(count), count, "{}: {line}", path.display());
            assert_eq!(line.matches('`').count() % 2, 0, "{}: {line}", path.display());
        }
    }
}

#[test]
fn the_examples_on_the_page_of_stack_files_are_right() {
    let text = fs::read_to_string(root().join("docs/stack.md")).expect("the page");
    let folder = scratch("page-examples");
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).collect();
    assert!(blocks.len() > 2);
    for (number, block) in blocks.into_iter().enumerate() {
        let path = folder.join(format!("{number}.yaml"));
        fs::write(&path, block.split("```").next().expect("a block")).expect("a stack");
        lagoa(&["check", path.to_str().expect("a plain path")]);
    }
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn every_kind_stands_under_one_service() {
    let pages = pages();
    let listed: usize = by_service(&pages).iter().map(|(_, pages)| pages.len()).sum();
    assert_eq!(listed, pages.len());
    let data = pages.iter().filter(|page| page.service == "Data");
    assert!(data.clone().count() > 2 && data.clone().all(|page| page.leaving.seed));
}

#[test]
fn every_field_can_be_looked_up_and_says_something() {
    for page in pages() {
        for field in page.everything() {
            let path = format!("{}.{}", page.kind, field.path);
            assert_eq!(page.field(&field.plain_path()).map(|found| &found.name), Some(&field.name));
            assert!(!field.text.is_empty(), "{path} has no text");
            assert!(!field.form.is_empty(), "{path} has no type");
            let free = ["configuration", "rules", "settings", "template"];
            let known = field.form != "anything" || free.contains(&field.name.as_str());
            assert!(known, "{path} takes anything");
        }
    }
}

#[test]
fn a_page_is_the_same_as_json() {
    let kinds: Value = serde_json::from_str(&lagoa(&["show", "kinds", "--json"])).expect("JSON");
    assert_eq!(kinds.as_array().map(Vec::len), Some(kinds::written().len()));
    let page: Value =
        serde_json::from_str(&lagoa(&["show", "kind", "s3_bucket", "--json"])).expect("JSON");
    let lifecycle = "s3_bucket.lifecycle[].transitions";
    let field: Value =
        serde_json::from_str(&lagoa(&["show", "kind", lifecycle, "--json"])).expect("JSON");
    assert_eq!(field["path"], "lifecycle[].transitions");
    assert!(page.to_string().contains(&field.to_string()));
    let syntax: Value = serde_json::from_str(&lagoa(&["show", "syntax", "--json"])).expect("JSON");
    assert!(syntax["expressions"].as_array().is_some_and(|all| all.len() > 10));
}

#[test]
fn pages_fit_a_terminal() {
    let mut shown = vec![lagoa(&["show", "kinds"]), lagoa(&["show", "syntax"])];
    for page in pages() {
        shown.push(lagoa(&["show", "kind", page.kind]));
    }
    for text in shown {
        // The examples are the writer's own, and a word that is longer can't be broken.
        let prose = text.split("\nExample\n").next().expect("a text");
        for line in prose.lines().filter(|line| line.trim().contains(' ')) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
