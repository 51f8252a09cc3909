//! Stacks that are refused before the first AWS call, each with the problems it gets, and stacks
//! that are merely odd. A first line `# --var name=value` gives a stack variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lagoa::document;
use lagoa::report::problems::render;
use lagoa::stack::{Inputs, check};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks")
}

fn corpus() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the corpus is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn inputs(text: &str) -> Inputs {
    let first = text.lines().next().unwrap_or_default();
    let given = first.split("--var ").skip(1).filter_map(|pair| pair.trim().split_once('='));
    Inputs {
        vars: given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        environment: BTreeMap::from([("HOME_IP".to_owned(), "203.0.113.7/32".to_owned())]),
        ..Inputs::default()
    }
}

fn verdict(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy();
    let source = document::read(path, &name).expect("the file can be read");
    let inputs = inputs(&source.text);
    let mut problems = Vec::new();
    let outline = document::outline(&source, &mut problems);
    // Paths in messages must not tell where this checkout lies.
    std::env::set_current_dir(folder()).expect("the corpus is there");
    let root = Path::new("files");
    match outline.map(|document| check(&document, root, &inputs)) {
        Some(Ok((stack, _))) if problems.is_empty() => {
            let shown = stack.resources.iter().map(|one| {
                let fields = one.fields.as_object().expect("fields are a mapping");
                let set = fields.iter().filter(|(name, value)| {
                    !value.is_null() && !matches!(name.as_str(), "tags" | "public_access_block")
                });
                let set: Vec<_> =
                    set.map(|(name, value)| format!("    {name}: {value}\n")).collect();
                format!("  {} ({})\n{}", one.key, one.name, set.concat())
            });
            format!("accepted:\n{}", shown.collect::<String>())
        }
        checked => {
            problems.extend(checked.into_iter().filter_map(Result::err).flatten());
            render(&problems, false)
        }
    }
}

#[test]
fn every_stack_of_the_corpus_gets_its_verdict() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("stacks");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in corpus() {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            insta::assert_snapshot!(name, verdict(&path));
        }
    });
}
