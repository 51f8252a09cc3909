//! Planning, told in files: what the stack says, what AWS has, and the plan that follows.
//!
//! A scenario is a text in parts, each under a line `== NAME`:
//!
//! | part | holds |
//! |---|---|
//! | `stack` | the stack file |
//! | `file PATH` | a file beside it |
//! | `live` | what AWS has, as a mapping; see below |
//! | `options` | `destroy`, `targets`, `unprotect`, `rotate`, `rerun`, `accept` |
//! | `plan` | the plan as a reviewer reads it; `LAGOA_BLESS=1` writes it anew |
//!
//! In `live` each entry is a key of the stack: it is there as the stack wants it, except for the
//! fields that are given. An entry with `.kind` is something else, with just the fields given.
//! `.owner` names another stack (`~` for nobody's), `.phase` says `pending: WORDS` or
//! `failed: WORDS`, `.holds` what deleting would lose.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lagoa::diagnostic::Source;
use lagoa::document::document;
use lagoa::graph::Graph;
use lagoa::kind::{Live, Owner, Phase, Site};
use lagoa::live::{Orphan, World};
use lagoa::plan::{Facts, Options, Plan, answer, destroy, plan};
use lagoa::reference::fill;
use lagoa::report::problems::render as problems;
use lagoa::report::style::Style;
use lagoa::report::view::View;
use lagoa::report::{json, plan as text};
use lagoa::stack::{Inputs, Resource, Stack, check};
use lagoa::{kind::AnyKind, kinds};
use serde_json::{Value, json};
use support::yaml;

/// The parts of a scenario, in order, the text before the first one included.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![(String::new(), String::new())];
    for line in text.lines() {
        match line.strip_prefix("== ") {
            Some(name) => parts.push((name.trim().to_owned(), String::new())),
            None => {
                if let Some((_, body)) = parts.last_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    parts
}

fn part<'a>(parts: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parts.iter().find(|(one, _)| one == name).map(|(_, body)| body.as_str())
}

struct Scene {
    stack: Stack,
    graph: Graph,
    site: Site,
    world: World,
    options: Options,
    destroy: bool,
}

impl Scene {
    fn new(name: &str, parts: &[(String, String)]) -> Self {
        // A folder for each thread: tests run side by side, and one must not read what another
        // is just writing.
        let thread = format!("{:?}", std::thread::current().id());
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(thread).join(name);
        for (part, body) in parts {
            let Some(path) = part.strip_prefix("file ") else { continue };
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make a folder");
            fs::write(path, body).expect("write a file");
        }
        let source = Source::new("stack.yaml", part(parts, "stack").expect("a stack"));
        let checked =
            document(source).and_then(|document| check(&document, &root, &Inputs::default()));
        let (mut stack, graph) =
            checked.unwrap_or_else(|wrong| panic!("{name}: {}", problems(&wrong, false)));
        let site = Site {
            partition: "aws".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            stack: stack.name.clone(),
        };
        stack.settle(&site);
        let live = part(parts, "live").map_or(Value::Null, yaml);
        let options = part(parts, "options").map_or(Value::Null, yaml);
        let keys = |name: &str| {
            let list = options[name].as_array().cloned().unwrap_or_default();
            list.iter().map(|key| key.as_str().expect("a key").to_owned()).collect()
        };
        let world = world(&stack, &graph, &site, &live);
        Self {
            world,
            options: Options {
                targets: keys("targets"),
                unprotect: options["unprotect"] == true,
                careless: options["careless"] == true,
                rotate: keys("rotate"),
                rerun: keys("rerun"),
                accept: keys("accept"),
                run: "0001".to_owned(),
            },
            destroy: options["destroy"] == true,
            stack,
            graph,
            site,
        }
    }

    fn plan(&self) -> Plan {
        let plan = if self.destroy { destroy } else { plan };
        plan(&self.stack, &self.graph, &self.world, &self.site, &self.options)
    }

    fn view(&self) -> View {
        View::new(&self.plan(), &self.stack, "stack.yaml", self.destroy)
    }
}

fn world(stack: &Stack, graph: &Graph, site: &Site, live: &Value) -> World {
    let mut world = World::default();
    let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
    for key in graph.order() {
        let resource = stack.resource(key).expect("a resource of the stack");
        let wanted = wanted(resource, &facts, site, &stack.root);
        let there = live
            .get(key)
            .map(|entry| thing(resource.kind, &resource.name, wanted.clone(), entry, site));
        facts.insert(key.clone(), Facts::new(resource, &wanted, there.as_ref()));
        if let Some(there) = there {
            loss(&mut world, resource.kind, &there, &live[key]);
            world.resources.insert(key.clone(), there);
        }
    }
    for (name, entry) in live.as_object().into_iter().flatten() {
        let Some(kind) = entry[".kind"].as_str() else {
            assert!(stack.resource(name).is_some(), "{name} is no key, and has no `.kind`");
            continue;
        };
        let kind = kinds::find(kind).expect("a kind");
        let mut own = json!({});
        if kind.schema()["properties"]["tags"]["x-tags"] == true {
            own["tags"] = json!({ "lagoa:stack": site.stack, "lagoa:name": name });
        }
        let there = thing(kind, name, own, entry, site);
        loss(&mut world, kind, &there, entry);
        world.orphans.push(Orphan { kind, live: there });
    }
    world
}

fn wanted(resource: &Resource, facts: &BTreeMap<String, Facts>, site: &Site, root: &Path) -> Value {
    let filled = fill(&resource.fields, &|one| answer(one, facts, site));
    resource.kind.predict(&filled, &resource.name, site, root).expect("sound fields")
}

fn thing(kind: &dyn AnyKind, name: &str, mut fields: Value, entry: &Value, site: &Site) -> Live {
    for (field, value) in entry.as_object().into_iter().flatten() {
        match (field.as_str(), value) {
            (special, _) if special.starts_with('.') => {}
            ("tags", Value::Object(tags)) => {
                for (tag, value) in tags {
                    fields["tags"][tag] = value.clone();
                }
                let tags = fields["tags"].as_object_mut().expect("tags are a mapping");
                tags.retain(|_, value| !value.is_null());
            }
            _ => fields[field] = value.clone(),
        }
    }
    let owner = match entry.get(".owner") {
        None => Some(Owner { stack: site.stack.clone(), key: Some(name.to_owned()) }),
        Some(Value::Null) => None,
        Some(other) => {
            Some(Owner { stack: other.as_str().expect("a stack").to_owned(), key: None })
        }
    };
    if owner.as_ref().is_none_or(|owner| owner.stack != site.stack)
        && let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut)
    {
        tags.retain(|tag, _| !tag.starts_with("lagoa:"));
    }
    let words = |word: &str| entry[".phase"][word].as_str().map(str::to_owned);
    let phase = match (words("pending"), words("failed")) {
        (Some(why), _) => Phase::Pending(why),
        (_, Some(why)) => Phase::Failed(why),
        _ => Phase::Ready,
    };
    let fields = kind.complete(&fields).unwrap_or_else(|error| panic!("{name}: {error}"));
    Live { name: kind.canonical_name(name), fields, phase, owner }
}

fn loss(world: &mut World, kind: &dyn AnyKind, live: &Live, entry: &Value) {
    if let Some(words) = entry[".holds"].as_str() {
        world.losses.insert((kind.facts().name.to_owned(), live.name.clone()), words.to_owned());
    }
}

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(folder).expect("the scenarios are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

#[test]
fn every_scenario_has_the_plan_it_tells() {
    let bless = std::env::var_os("LAGOA_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in scenarios() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("the scenario can be read");
        let parts = parts(&text);
        let scene = Scene::new(&name, &parts);
        let found = text::render(&scene.view(), Style::PLAIN);
        let told = part(&parts, "plan").unwrap_or_default();
        if bless {
            let before =
                text.split_once("\n== plan\n").map_or(text.trim_end(), |(before, _)| before);
            // In one piece, since other tests read it at the same time.
            let new = path.with_extension("new");
            fs::write(&new, format!("{}\n\n== plan\n{found}", before.trim_end())).expect("bless");
            fs::rename(new, &path).expect("bless");
        } else if told != found {
            wrong.push(format!("{name}\n--- told\n{told}--- found\n{found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n`LAGOA_BLESS=1 cargo test --test scenarios` takes what is found",
        wrong.join("\n")
    );
}

#[test]
fn the_same_stack_and_world_give_the_same_plan_byte_for_byte() {
    for path in scenarios() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("the scenario can be read");
        let parts = parts(&text);
        let first = json::text(&Scene::new(&name, &parts).view());
        let second = json::text(&Scene::new(&name, &parts).view());
        assert_eq!(first, second, "{name}");
    }
}

/// What the plan says of a resource follows from its own fields alone, not from its neighbours'
/// order: a shuffled world gives the same plan.
#[test]
fn the_order_in_which_aws_lists_things_does_not_matter() {
    for path in scenarios() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("the scenario can be read");
        let parts = parts(&text);
        let mut scene = Scene::new(&name, &parts);
        let first = json::text(&scene.view());
        scene.world.orphans.reverse();
        assert_eq!(first, json::text(&scene.view()), "{name}");
    }
}
