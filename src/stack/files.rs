//! Files beside the stack: found, read and held inside the stack's folder.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use crate::diagnostic::{Place, Problem};
use crate::document::{self, Node};

/// How many files a glob may look at.
const LOOK_LIMIT: usize = 100_000;

/// The path below the root, or why it must not be followed.
fn inside(root: &Path, path: &str, place: &Place) -> Result<PathBuf, Problem> {
    let relative = Path::new(path);
    let leaves =
        relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    if leaves {
        let problem = Problem::error(format!("`{path}` leads out of the stack's folder")).at(place);
        return Err(problem
            .help("paths are relative to the folder that holds `stacks/`, and stay inside it"));
    }
    Ok(root.join(relative))
}

/// Whether there is a file to read; why it must not be read, if so. A link may lead anywhere
/// inside the stack's folder, and a pipe or a device has no end.
fn readable(root: &Path, path: &str, place: &Place) -> Result<bool, Problem> {
    let file = inside(root, path, place)?;
    let (Ok(root), Ok(real)) = (root.canonicalize(), file.canonicalize()) else { return Ok(false) };
    if !real.starts_with(root) {
        let problem = Problem::error(format!("`{path}` is a link out of the stack's folder"));
        return Err(problem.at(place).help("put the file itself there"));
    }
    match std::fs::metadata(&real) {
        Ok(facts) if facts.is_file() => Ok(true),
        Ok(facts) if facts.is_dir() => {
            Err(Problem::error(format!("`{path}` is a directory")).at(place).help("name a file"))
        }
        Ok(_) => Err(Problem::error(format!("`{path}` is no ordinary file")).at(place)),
        Err(_) => Ok(false),
    }
}

/// Reads a JSON or YAML document.
pub(super) fn document(root: &Path, path: &str, place: &Place) -> Result<Node, Vec<Problem>> {
    let file = inside(root, path, place).map_err(|problem| vec![problem])?;
    if !readable(root, path, place).map_err(|problem| vec![problem])? {
        return Err(vec![missing(root, path, place)]);
    }
    let source = document::read(&file, path)
        .map_err(|problem| vec![Problem { place: Some(place.clone()), ..problem }])?;
    document::parse(source)
}

/// Files that the path or glob means, in lexical order.
pub(super) fn matching(root: &Path, pattern: &str, place: &Place) -> Result<Vec<String>, Problem> {
    inside(root, pattern, place)?;
    if !is_glob(pattern) {
        return match readable(root, pattern, place)? {
            true => Ok(vec![pattern.to_owned()]),
            false => Err(missing(root, pattern, place)),
        };
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.map_err(|error| {
        Problem::error(format!("`{pattern}` is no glob: {}", error.kind())).at(place)
    })?;
    let matcher = glob.compile_matcher();
    let fixed = pattern.split('/').take_while(|part| !is_glob(part));
    let start = fixed.fold(PathBuf::new(), |path, part| path.join(part));
    let mut found = Vec::new();
    let mut looked = 0;
    let mut folders = vec![start];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root.join(&folder)).into_iter().flatten().flatten();
        for entry in entries {
            looked += 1;
            let path = folder.join(entry.file_name());
            let file_type = entry.file_type().ok();
            if file_type.is_some_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if matcher.is_match(&path) && !root.join(&path).is_dir() {
                found.extend(path.to_str().map(|path| path.replace('\\', "/")));
            }
        }
        if looked > LOOK_LIMIT {
            return Err(Problem::error(format!(
                "`{pattern}` looks at more than {LOOK_LIMIT} files"
            ))
            .at(place));
        }
    }
    found.sort();
    for path in &found {
        if !readable(root, path, place)? {
            return Err(missing(root, path, place));
        }
    }
    if found.is_empty() { Err(missing(root, pattern, place)) } else { Ok(found) }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

fn missing(root: &Path, pattern: &str, place: &Place) -> Problem {
    let words = if is_glob(pattern) { "no file matches" } else { "there is no file" };
    let problem = Problem::error(format!("{words} `{pattern}`")).at(place);
    problem.help(format!("paths are relative to {}", root.display()))
}
