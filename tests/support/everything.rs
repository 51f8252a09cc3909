//! Stacks that together have every kind, for walks through all their calls.
//!
//! They are made of the kinds' own examples, so that a new kind is walked without a further word.
//! One stack for each family of kinds keeps the walk linear: what a point costs is the size of its
//! stack, and the number of points is the sum of all.
//!
//! `tests/great_law/KIND.yaml` may have a `walk` beside its `change`: further entries of the stack,
//! or other fields of those that the example has.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lagoa::kind::AnyKind;
use lagoa::kinds;
use serde_json::{Map, Value};

use super::support::{Site, yaml};

/// A stack of related kinds.
#[derive(Clone, Default)]
pub struct Family {
    /// Its name, and the stack's.
    pub name: String,
    /// Kinds whose examples are in it.
    pub kinds: BTreeSet<String>,
    resources: Map<String, Value>,
    files: BTreeMap<String, String>,
    /// The stack file, where it isn't made of `resources`.
    whole: Option<String>,
}

/// All of them. Kinds are of one family when their names begin with the same word.
pub fn families() -> Vec<Family> {
    let mut all: BTreeMap<String, Family> = BTreeMap::new();
    for kind in kinds::all() {
        let name = kind.facts().name;
        let first = name.split('_').next().unwrap_or(name);
        let family = all.entry(first.to_owned()).or_default();
        family.name = format!("walk-{first}");
        family.add(*kind);
    }
    let all: Vec<Family> = all.into_values().collect();
    let walked: BTreeSet<String> = all.iter().flat_map(Family::present).collect();
    let registered = kinds::all().iter().map(|kind| kind.facts().name.to_owned());
    assert_eq!(walked, registered.collect(), "every kind is in a stack that is walked");
    all
}

/// One stack that has every kind.
pub fn everything() -> Family {
    let mut family = Family { name: "everything".to_owned(), ..Family::default() };
    for kind in kinds::all() {
        family.add(*kind);
    }
    family
}

/// The platforms in `stacks/`, as they are.
pub fn platforms() -> Vec<Family> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    for folder in ["policies", "sql"] {
        read(repository, Path::new(folder), &mut files);
    }
    let mut stacks = BTreeMap::new();
    read(repository, Path::new("stacks"), &mut stacks);
    let platform = |text: String| {
        let stack = yaml(&text);
        Family {
            name: stack["stack"].as_str().expect("a stack has a name").to_owned(),
            resources: stack["resources"].as_object().expect("it has resources").clone(),
            files: files.clone(),
            whole: Some(text),
            ..Family::default()
        }
    };
    stacks.into_values().map(platform).collect()
}

/// The text of every file below a folder, by its path.
fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(root.join(folder)).expect("read a folder") {
        let path = folder.join(entry.expect("an entry").file_name());
        if root.join(&path).is_dir() {
            read(root, &path, files);
        } else {
            let text = std::fs::read_to_string(root.join(&path)).expect("read a file");
            files.insert(path.to_str().expect("a path in UTF-8").to_owned(), text);
        }
    }
}

impl Family {
    /// Writes the stack and the files it needs.
    pub fn write(&self, site: &Site) {
        for (path, text) in &self.files {
            site.write(path, text);
        }
        if let Some(text) = &self.whole {
            site.write("stack.yaml", text);
            return;
        }
        let Value::Object(resources) = site.real(Value::Object(self.resources.clone())) else {
            unreachable!("a mapping stays one")
        };
        site.stack(&self.name, &resources);
    }

    fn add(&mut self, kind: &dyn AnyKind) {
        let name = kind.facts().name;
        let law = law(name);
        let mapping = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let mut entries = mapping(&yaml(kind.facts().example));
        let subject = entries.keys().next().expect("an example has an entry").clone();
        for (key, fields) in mapping(&law["walk"]) {
            let entry = entries.entry(key).or_insert_with(|| Map::new().into());
            entry.as_object_mut().expect("an entry").extend(mapping(&fields));
        }
        borrow(&mut entries, &mapping(&law["resources"]));
        for (key, entry) in entries {
            // What one kind's example needs, another one's may show.
            if key == subject || !self.resources.contains_key(&key) {
                self.resources.insert(key, entry);
            }
        }
        for (path, text) in mapping(&law["files"]) {
            self.files.insert(path, text.as_str().expect("a file is text").to_owned());
        }
        self.kinds.insert(name.to_owned());
    }

    /// Whether something is written into its databases.
    pub fn seeds(&self) -> bool {
        let names = self.present();
        names.iter().any(|name| kinds::find(name).is_some_and(|kind| kind.facts().seed))
    }

    /// The kinds of its resources, a platform's too.
    pub fn present(&self) -> BTreeSet<String> {
        let kinds = self.resources.values().filter_map(|entry| entry["kind"].as_str());
        kinds.map(str::to_owned).collect()
    }
}

/// Adds what the entries name, of what the law of their kind offers.
fn borrow(entries: &mut Map<String, Value>, offered: &Map<String, Value>) {
    loop {
        let text = Value::Object(entries.clone()).to_string();
        let named = |key: &String| {
            !entries.contains_key(key)
                && (text.contains(&format!("\"{key}\"")) || text.contains(&format!("${{{key}.")))
        };
        let Some((key, entry)) = offered.iter().find(|(key, _)| named(key)) else { return };
        entries.insert(key.clone(), entry.clone());
    }
}

fn law(kind: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/great_law");
    let path = folder.join(format!("{kind}.yaml"));
    let text = std::fs::read_to_string(&path);
    yaml(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
