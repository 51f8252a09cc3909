//! What a stack and the world are known by: equal digests, equal plans.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kind::{Live, Phase, Site};
use crate::live::World;
use crate::stack::{Resource, Stack};

/// SHA-256 as hexadecimal digits.
pub fn of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of all that a stack says, with its variables filled in, and of every file that it names.
/// Comments and layout don't count.
pub fn stack(stack: &Stack, site: &Site) -> String {
    let resources: Vec<Value> =
        stack.resources.iter().map(|one| resource(one, stack, site)).collect();
    let outputs: Vec<Value> = stack.outputs.iter().map(|o| json!([o.name, o.value])).collect();
    let all = json!({ "name": stack.name, "region": stack.region, "resources": resources, "outputs": outputs });
    of(all.to_string().as_bytes())
}

fn resource(resource: &Resource, stack: &Stack, site: &Site) -> Value {
    let kind = resource.kind;
    let fields = kind.predict(&resource.fields, &resource.name, site, &stack.root);
    let fields = fields.unwrap_or_else(|_| resource.fields.clone());
    let mut files = BTreeMap::new();
    named_files(&resource.fields, &stack.root, &mut files);
    json!({
        "key": resource.key, "name": resource.name, "kind": kind.facts().name, "fields": fields,
        "depends_on": resource.depends_on, "protect": resource.protect, "adopt": resource.adopt,
        "on_destroy": resource.on_destroy, "ignore": resource.ignore, "files": files,
    })
}

/// Digests of the files whose paths stand in the value.
fn named_files(value: &Value, root: &Path, files: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) if !text.is_empty() && !files.contains_key(text) => {
            let path = Path::new(text);
            let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
            if path.components().all(plain)
                && root.join(path).is_file()
                && let Ok(digest) = file(&root.join(path))
            {
                files.insert(text.clone(), digest);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named_files(item, root, files)),
        Value::Object(map) => map.values().for_each(|item| named_files(item, root, files)),
        _ => {}
    }
}

fn file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 128 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// Of each resource that AWS has, by `kind key`; orphans by `kind name`.
pub fn world(world: &World, stack: &Stack) -> BTreeMap<String, String> {
    let kind = |key: &str| stack.resource(key).map_or("", |resource| resource.kind.facts().name);
    let mine = world.resources.iter().map(|(key, one)| (format!("{} {key}", kind(key)), live(one)));
    let orphans = world.orphans.iter().map(|orphan| {
        (format!("{} {}", orphan.kind.facts().name, orphan.live.name), live(&orphan.live))
    });
    mine.chain(orphans).collect()
}

/// The value with everything in one order: AWS gives lists in any.
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(unordered).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> =
                map.iter().map(|(key, value)| (key, unordered(value))).collect();
            json!(sorted)
        }
        other => other.clone(),
    }
}

fn live(live: &Live) -> String {
    let phase = match &live.phase {
        Phase::Ready => "ready",
        Phase::Pending(_) => "pending",
        Phase::Failed(_) => "failed",
    };
    let all = json!({ "name": live.name, "fields": unordered(&live.fields), "phase": phase, "owner": live.owner });
    of(all.to_string().as_bytes())
}
