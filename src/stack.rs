//! What the user wants: checked resources with variables filled in, tags merged and references
//! found. Knows no AWS.

mod answers;
mod files;
mod findings;
mod instances;
mod links;
mod marks;
mod network;
mod references;
mod rings;
mod schema;
mod scope;
mod servers;
mod shape;
mod special;
mod uses;
mod variables;
mod within;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::diagnostic::{Place, Problem};
use crate::document::{Document, Named, Node, ResourceEntry};
use crate::field::reserved_tag;
use crate::graph::Graph;
use crate::kind::{AnyKind, OnDestroy};
use crate::reference::{self, Reference, is_marked};
pub use findings::{Finding, Skip};
use instances::Instance;
use marks::{Ownership, own};
use scope::{Findings, Room, Scope};
use shape::Shaper;
pub use uses::Uses;

/// A checked stack file.
pub struct Stack {
    /// Its name, the value of the tag `lagoa:stack`.
    pub name: String,
    /// The region it lives in; without one the environment's counts.
    pub region: Option<String>,
    /// The folder that paths in it are relative to.
    pub root: PathBuf,
    /// Its resources, in the order of the file.
    pub resources: Vec<Resource>,
    /// What it tells the world when it stands, in the order of the file.
    pub outputs: Vec<Output>,
    /// What the person should know although it stops nothing.
    pub warnings: Vec<Problem>,
    /// What the security checks found, the worst first.
    pub findings: Vec<Finding>,
}

/// One declared thing.
pub struct Resource {
    /// Its key in the stack.
    pub key: String,
    /// Its name in AWS, in the spelling AWS keeps.
    pub name: String,
    /// What kind of thing it is.
    pub kind: &'static dyn AnyKind,
    /// The kind's struct as JSON: defaults filled in, the stack's and lagoa's tags merged,
    /// references as marks.
    pub fields: Value,
    /// The fields as written, in the order of the file.
    pub written: Value,
    /// Keys of resources that must stand before it although it doesn't refer to them.
    pub depends_on: Vec<String>,
    /// Refuses every delete.
    pub protect: bool,
    /// What happens to it, and to its data, when it goes.
    pub on_destroy: Option<OnDestroy>,
    /// Take it over when it exists without our mark.
    pub adopt: bool,
    /// Field paths whose differences don't count.
    pub ignore: Vec<String>,
    /// Security checks whose findings are taken as they are.
    pub skips: Vec<Skip>,
    /// Where its key stands.
    pub place: Place,
    /// Where each of its fields stands, by path.
    pub places: BTreeMap<String, Place>,
}

/// A named value that is printed after apply.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value, references as marks.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
}

impl Stack {
    /// The resource of that key.
    pub fn resource(&self, key: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.key == key)
    }
}

/// What fills in variables from outside the stack file, strongest first.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `--var name=value`.
    pub vars: BTreeMap<String, String>,
    /// `--var-file FILE`: what the files hold, later files counting before earlier ones.
    pub var_files: BTreeMap<String, String>,
    /// The process environment: `LAGOA_VAR_name`, and `${env.NAME}`.
    pub environment: BTreeMap<String, String>,
}

/// The folder that a stack file's paths are relative to: its own, or the one above when that is
/// called `stacks`, so that `policies/` and `sql/` may lie beside `stacks/`.
pub fn root(file: &Path) -> PathBuf {
    let folder =
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let above = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == "stacks"));
    match above.unwrap_or(folder) {
        path if path.as_os_str().is_empty() => PathBuf::from("."),
        path => path.to_owned(),
    }
}

/// Checks everything that can be checked without AWS, and reports all that is wrong at once.
pub fn check(
    document: &Document,
    root: &Path,
    inputs: &Inputs,
) -> Result<(Stack, Graph), Vec<Problem>> {
    let mut problems = Vec::new();
    let variables = variables::values(document, inputs, &mut problems);
    let nothing = BTreeMap::new();
    let declared = document.variables.iter().map(|(key, _)| key.text.clone());
    let valueless: Vec<String> = declared.filter(|name| !variables.contains_key(name)).collect();
    let outer = Scope {
        stack: &document.stack.text,
        variables: &variables,
        valueless: &valueless,
        environment: &inputs.environment,
        each: None,
        kinds: &nothing,
        networks: &BTreeMap::new(),
        left_out: &[],
        room: &Room::default(),
    };
    let region = variables::region(document, &outer, &mut problems);
    let declared = instances::instances(document, &outer, root, &mut problems);
    let instances = &declared.instances;
    let kinds = instances.iter().map(|one| (one.key.clone(), one.kind)).collect();
    let (networks, left_out) = (&declared.networks, &declared.left_out);
    let scope = Scope { kinds: &kinds, networks, left_out, ..outer };
    let tags = stack_tags(document, &scope, &mut problems);
    let mut checker = Checker { scope, root, tags, problems };
    let mut resources = Vec::new();
    let mut edges = Vec::new();
    for instance in instances {
        let (resource, needs) = checker.resource(instance);
        edges.push((resource.key.clone(), needs));
        resources.push(resource);
    }
    within::name(&mut resources);
    checker.same_names(&resources);
    let outputs = document.outputs.iter().map(|(key, node)| checker.output(key, node)).collect();
    let mut problems = checker.problems;
    let mut told = Vec::new();
    // Fields that aren't sound are nothing to judge.
    let found =
        if problems.is_empty() { findings::judge(&resources, &mut told) } else { Vec::new() };
    told.extend(findings::warnings(&resources));
    let stack = Stack {
        name: document.stack.text.clone(),
        region,
        root: root.to_owned(),
        warnings: told,
        findings: found,
        resources,
        outputs,
    };
    servers::join(&stack.resources, &mut edges);
    let graph = rings::graph(edges, |ring| problems.push(rings::problem(&stack, ring)));
    if problems.is_empty() { Ok((stack, graph)) } else { Err(problems) }
}

/// Where a field stands: its own place, or that of the nearest thing around it.
fn place_of<'a>(path: &str, places: &'a BTreeMap<String, Place>, whole: &'a Place) -> &'a Place {
    let mut path = path;
    loop {
        if let Some(place) = places.get(path) {
            return place;
        }
        match path.rfind(['.', '[']) {
            Some(at) => path = &path[..at],
            None => return whole,
        }
    }
}

fn stack_tags(
    document: &Document,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut findings = Findings::default();
    let mut tags = BTreeMap::new();
    for (key, node) in &document.tags {
        if reserved_tag(&key.text) {
            let problem =
                Problem::error(format!("the tag `{}` is reserved", key.text)).at(&key.place);
            findings.problem(problem.help("tags that start with `aws:` or `lagoa:` can't be set"));
        } else if let Some(text) = node.text() {
            tags.insert(key.text.clone(), scope.text(text, &node.place, &mut findings));
        }
    }
    problems.append(&mut findings.problems);
    tags
}

struct Checker<'a> {
    scope: Scope<'a>,
    root: &'a Path,
    tags: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    /// The resource, and the keys it needs.
    fn resource(&mut self, instance: &Instance<'_>) -> (Resource, Vec<String>) {
        let (key, entry, kind) = (&instance.key, &*instance.entry, instance.kind);
        let scope = Scope { each: instance.each.as_ref(), ..self.scope };
        let mut shaper = Shaper::new(&scope, self.root);
        let fields = shaper.fields(kind.schema(), "", &entry.body, &entry.key.place);
        let Shaper { findings, places, .. } = shaper;
        let sound = findings.problems.is_empty();
        let links = findings.links.clone();
        self.problems.extend(findings.problems);
        let mut findings = Findings::default();
        let name = name(instance, &scope, &mut findings);
        let depends_on = depends_on(key, entry, &scope, &mut findings);
        let protect = instances::flag(entry.protect.as_ref(), &scope, &mut findings);
        let adopt = instances::flag(entry.adopt.as_ref(), &scope, &mut findings);
        let on_destroy = on_destroy(entry, kind, &mut findings);
        let ignore = ignore(entry, kind, &mut findings);
        let skips = findings::skips(entry, &scope, &mut findings);
        self.problems.extend(findings.problems);
        self.problems.extend(links.iter().filter_map(|link| links::check(link, Some(key), &scope)));
        let written = fields.clone();
        let mut fields = fields;
        if sound {
            fields = self.complete(instance, fields, &places);
            own(
                &mut fields,
                kind,
                &self.tags,
                &Ownership { stack: self.scope.stack, key, protect, on_destroy },
            );
        }
        let mut needs: Vec<String> = links.into_iter().map(|link| link.reference.key).collect();
        needs.extend(depends_on.iter().cloned());
        // Whoever refers to itself has been told so.
        needs.retain(|need| need != key);
        let place = entry.key.place.clone();
        let key = key.clone();
        (
            Resource {
                key,
                name,
                kind,
                fields,
                written,
                depends_on,
                protect,
                on_destroy,
                adopt,
                ignore,
                skips,
                place,
                places,
            },
            needs,
        )
    }

    /// Defaults filled in, and what the schema can't say checked by the kind.
    fn complete(
        &mut self,
        instance: &Instance<'_>,
        fields: Value,
        places: &BTreeMap<String, Place>,
    ) -> Value {
        for (path, message) in instance.kind.check(&fields, self.root) {
            let place = place_of(&path, places, &instance.entry.key.place);
            self.problems.push(Problem::error(message).at(place));
        }
        instance.kind.complete(&fields).unwrap_or(fields)
    }

    /// Two resources can't have one name in AWS.
    fn same_names(&mut self, resources: &[Resource]) {
        let mut first: BTreeMap<(&str, &str), &Resource> = BTreeMap::new();
        for resource in resources {
            let id = (resource.kind.facts().name, resource.name.as_str());
            if let Some(other) = first.get(&id) {
                let message = format!(
                    "`{}` and `{}` have one name in AWS: {}",
                    other.key, resource.key, resource.name
                );
                self.problems.push(
                    Problem::error(message)
                        .at(&resource.place)
                        .note(&other.place, "the other one is here"),
                );
            } else {
                first.insert(id, resource);
            }
        }
    }

    fn output(&mut self, key: &Named, node: &Node) -> Output {
        let mut shaper = Shaper::new(&self.scope, self.root);
        let value = shaper.free(node);
        let Findings { problems, links, .. } = shaper.findings;
        self.problems.extend(problems);
        self.problems.extend(links.iter().filter_map(|link| links::check(link, None, &self.scope)));
        Output { name: key.text.clone(), value, place: node.place.clone() }
    }
}

/// The name in AWS: the key, or what `name` says. It may hold `${aws.…}`, nothing else unknown.
fn name(instance: &Instance<'_>, scope: &Scope<'_>, findings: &mut Findings) -> String {
    let entry = &*instance.entry;
    let written = entry.name.as_ref().and_then(|node| Some((node.text()?, &node.place)));
    let holes = findings.holes;
    let (name, place) = match written {
        Some((text, place)) => (scope.text(text, place, findings), place),
        None => (instance.key.clone(), &entry.key.place),
    };
    let sample = |reference: &Reference| match (reference.key.as_str(), reference.field.as_str()) {
        ("aws", "account") => Some("123456789012".into()),
        ("aws", "region") => Some("us-east-1".into()),
        ("aws", _) => Some("aws".into()),
        _ => None,
    };
    let sampled = reference::fill(&Value::String(name.clone()), &sample);
    let sampled = sampled.as_str().unwrap_or_default();
    if findings.holes > holes || (written.is_none() && !instance.named) {
        return name;
    }
    if is_marked(sampled) {
        findings.problem(Problem::error("a name can't depend on another resource").at(place));
    } else if !shape::fits(instance.kind.facts().name_pattern, sampled) {
        let message = format!(
            "`{sampled}` is no name for {}: it must match {}",
            instance.kind.facts().name,
            instance.kind.facts().name_pattern
        );
        findings.problem(
            Problem::error(message)
                .at(place)
                .help("the key is the name in AWS unless `name` says otherwise"),
        );
    }
    instance.kind.canonical_name(&name)
}

fn depends_on(
    own: &str,
    entry: &ResourceEntry,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut keys = Vec::new();
    for named in &entry.depends_on {
        let key = scope.text(&named.text, &named.place, findings);
        if key == own {
            findings.problem(Problem::error(format!("`{key}` depends on itself")).at(&named.place));
        } else if scope.kinds.contains_key(&key) {
            keys.push(key);
        } else if let Some(parts) = scope.networks.get(&key) {
            keys.extend(parts.all.iter().cloned());
        } else {
            findings.problem(scope.no_such_key(&key, &named.place));
        }
    }
    keys
}

fn on_destroy(
    entry: &ResourceEntry,
    kind: &dyn AnyKind,
    findings: &mut Findings,
) -> Option<OnDestroy> {
    let named = entry.on_destroy.as_ref()?;
    let word = serde_json::from_value::<OnDestroy>(named.text.clone().into()).ok();
    let allowed = kind.facts().on_destroy;
    if word.is_none_or(|word| !allowed.contains(&word)) {
        let words = allowed.iter().filter_map(|word| serde_json::to_value(word).ok());
        let words: Vec<String> = words.filter_map(|word| Some(word.as_str()?.to_owned())).collect();
        let message = format!("`{}` is not one of: {}", named.text, words.join(", "));
        let problem = Problem::error(message).at(&named.place);
        findings.problem(problem.did_you_mean(&named.text, words.iter().map(String::as_str)));
    }
    word
}

fn ignore(entry: &ResourceEntry, kind: &dyn AnyKind, findings: &mut Findings) -> Vec<String> {
    for named in &entry.ignore {
        let first = named.text.split(['.', '[']).next().unwrap_or_default();
        let properties = kind.schema()["properties"].as_object();
        if properties.is_some_and(|fields| !fields.contains_key(first)) {
            let problem =
                Problem::error(format!("there is no field `{first}` to ignore")).at(&named.place);
            let names = properties.into_iter().flatten().map(|(name, _)| name.as_str());
            findings.problem(problem.did_you_mean(first, names));
        }
    }
    entry.ignore.iter().map(|named| named.text.clone()).collect()
}
