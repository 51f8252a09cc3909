//! Files that are refused, each with the problems it gets, and files that are merely odd.

use std::fs;
use std::path::{Path, PathBuf};

use lagoa::diagnostic::{Place, Source};
use lagoa::document::{Node, Yaml, document, parse, read};
use lagoa::report::problems::render;
use proptest::prelude::*;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn verdict(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy();
    let source = match read(path, &name) {
        Ok(source) => source,
        Err(problem) => return render(&[problem], false),
    };
    match document(source) {
        Ok(document) => format!("accepted, {} in the stack\n", document.resources.len()),
        Err(problems) => render(&problems, false),
    }
}

#[test]
fn every_file_of_the_corpus_gets_its_verdict() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("documents");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in corpus() {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            insta::assert_snapshot!(name, verdict(&path));
        }
    });
}

#[test]
fn what_is_no_file_to_read_is_said_so() {
    let folder = std::env::temp_dir().join(format!("lagoa-documents-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder to test in");
    let large = folder.join("large.yaml");
    fs::write(&large, vec![b'#'; 11_500_000]).expect("a large file");
    let refused = [
        read(&folder, "folder"),
        read(&folder.join("absent.yaml"), "absent.yaml"),
        read(&large, "large.yaml"),
    ];
    let problems: Vec<_> = refused.into_iter().filter_map(Result::err).collect();
    fs::remove_dir_all(&folder).expect("it can be removed");
    insta::assert_snapshot!(render(&problems, false));
}

const VALID: &str = "\
stack: bootcamp
tags: { Team: &team Stack, CentroCusto: 'TI' }
variables:
  ip: { pattern: \"^[0-9./]+$\" }
resources:
  raw-${var.project}: &raw
    kind: s3_bucket
    versioning: true
  lake:
    <<: *raw
    notes: |
      two
      lines
    list: [*team, ~, 8.0]
";

/// Plain scalars and keys of one line are, letter for letter, the text at their place.
fn is_where_it_says(node: &Node) {
    assert!(node.place.source.text.get(node.place.range.clone()).is_some());
    match &node.value {
        Yaml::Scalar(scalar) if scalar.plain => matches_its_place(&scalar.text, &node.place),
        Yaml::Scalar(_) => {}
        Yaml::Null => {
            assert!(["", "~", "null", "Null", "NULL"].contains(&node.place.text()), "{node:?}")
        }
        Yaml::Sequence(items) => items.iter().for_each(is_where_it_says),
        Yaml::Mapping(entries) => {
            for (key, node) in entries {
                if !key.place.text().starts_with(['*', '"', '\'', '|', '>']) {
                    matches_its_place(&key.text, &key.place);
                }
                is_where_it_says(node);
            }
        }
    }
}

fn matches_its_place(text: &str, place: &Place) {
    if !place.text().contains(['\n', '\r']) {
        assert_eq!(text, place.text());
    }
}

/// Reads, then renders, since a place outside the text would only fail there. What can be
/// read must be where it says it is.
fn survives(text: &str) {
    match parse(Source::new("t.yaml", text)) {
        Ok(node) => is_where_it_says(&node),
        Err(problems) => {
            assert!(!problems.is_empty());
            render(&problems, false);
        }
    }
    if let Err(problems) = document(Source::new("t.yaml", text)) {
        assert!(!problems.is_empty());
        render(&problems, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in "[-a:?{}\\[\\],&*!|>'\"%@#<~ \\t\\r\\n\u{feff}é]{0,80}") {
        survives(&text);
    }

    #[test]
    fn no_small_change_to_a_valid_text_makes_it_panic(
        at in 0..VALID.len(),
        removed in 0_usize..8,
        inserted in "[-a:?{}\\[\\],&*!|>'\"%@#<~ \\t\\r\\n\u{feff}é]{0,6}",
    ) {
        let end = (at + removed).min(VALID.len());
        survives(&format!("{}{inserted}{}", &VALID[..at], &VALID[end..]));
    }
}

#[test]
fn the_text_that_is_changed_is_valid() {
    assert!(document(Source::new("t.yaml", VALID)).is_ok());
}
