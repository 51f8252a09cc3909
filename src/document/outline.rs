//! The stack file's own outline: its top level and what every resource may say of itself.
//! What a kind's fields mean is nobody's business here.

use std::rc::Rc;

use super::{Key, Named, Node, Yaml, tree};
use crate::diagnostic::{Place, Problem, Source, closest};

/// A stack file as written.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file.
    pub source: Rc<Source>,
    /// The stack's name.
    pub stack: Named,
    /// The region, a single value.
    pub region: Option<Node>,
    /// Tags for everything in the stack, single values.
    pub tags: Vec<(Key, Node)>,
    /// The variables it asks for.
    pub variables: Vec<(Key, VariableDeclaration)>,
    /// The resources by key, in the order written.
    pub resources: Vec<(Key, ResourceEntry)>,
    /// What it tells when it is done.
    pub outputs: Vec<(Key, Node)>,
}

/// What a stack says of one of its variables.
#[derive(Clone, Debug, Default)]
pub struct VariableDeclaration {
    /// Its value when none is given.
    pub default: Option<Node>,
    /// What it is for.
    pub description: Option<String>,
    /// The regular expression its value must match; not yet compiled.
    pub pattern: Option<Named>,
}

impl VariableDeclaration {
    /// Whether a value must be given.
    pub fn required(&self) -> bool {
        self.default.is_none()
    }
}

/// One resource as written: what every resource may say, and its kind's fields as they are.
#[derive(Clone, Debug)]
pub struct ResourceEntry {
    /// Its key in the stack.
    pub key: Key,
    /// The whole entry.
    pub place: Place,
    /// The kind's name; missing only when a problem says so.
    pub kind: Option<Named>,
    /// The AWS name, when it is not the key; a single value.
    pub name: Option<Node>,
    /// Keys of resources to wait for.
    pub depends_on: Vec<Named>,
    /// What to repeat it for.
    pub for_each: Option<Node>,
    /// Whether it is in the stack at all; a single value.
    pub when: Option<Node>,
    /// Whether destroying it is refused; a single value.
    pub protect: Option<Node>,
    /// What becomes of its data.
    pub on_destroy: Option<Named>,
    /// Whether to take over what exists; a single value.
    pub adopt: Option<Node>,
    /// Fields that are left as AWS has them.
    pub ignore: Vec<Named>,
    /// Security checks whose findings are taken as they are, each with the reason.
    pub skip_checks: Vec<(Key, Node)>,
    /// Every other field.
    pub body: Vec<(Key, Node)>,
}

const TOP_LEVEL: [&str; 6] = ["stack", "region", "tags", "variables", "resources", "outputs"];
const VARIABLE: [&str; 3] = ["default", "description", "pattern"];
const STACK_NAME: &str = "a stack's name has lower-case letters, digits and `-`, \
                          starts with a letter, and has at most 63 characters";

/// Reads a stack file, or says everything that is wrong with it.
pub fn document(source: Rc<Source>) -> Result<Document, Vec<Problem>> {
    let mut problems = Vec::new();
    match outline(&source, &mut problems) {
        Some(document) if problems.is_empty() => Ok(document),
        _ => Err(problems),
    }
}

/// Reads a stack file as far as it can be read, adding to `problems` what is wrong.
///
/// There may be a document and problems: then what is in the document is sound, so later
/// rooms can add their own problems to the same report. It must not be acted on.
pub fn outline(source: &Rc<Source>, problems: &mut Vec<Problem>) -> Option<Document> {
    let root = tree(source, problems)?;
    let mut reader = Reader { problems };
    reader.document(source, root)
}

struct Reader<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self, source: &Rc<Source>, root: Node) -> Option<Document> {
        let Yaml::Mapping(entries) = root.value else {
            let problem =
                Problem::error(format!("a stack file is a mapping, not {}", root.shape()));
            let example = "start it with `stack: NAME`, then `resources:`";
            self.problems.push(problem.at(&root.place).help(example));
            return None;
        };
        let start = Place::new(source, root.place.range.start..root.place.range.start);
        let mut meant = Vec::new();
        let (mut stack, mut resources) = (None, None);
        let (mut region, mut tags) = (None, Vec::new());
        let (mut variables, mut outputs) = (Vec::new(), Vec::new());
        for (key, node) in entries {
            match key.text.as_str() {
                "stack" => stack = Some(self.stack_name(&key, &node)),
                "region" => region = self.single(&key, node),
                "tags" => tags = self.tags(&key, node),
                "variables" => variables = self.variables(&key, node),
                "resources" => resources = Some(self.resources(&key, node)),
                "outputs" => outputs = self.entries(&key, node),
                // A place for anchors that no section should hold.
                extra if extra.starts_with("x-") => {}
                _ => meant.extend(self.unknown(&key, "a stack file has no key", &TOP_LEVEL)),
            }
        }
        // A misspelt key says enough by itself.
        if stack.is_none() && !meant.contains(&"stack") {
            self.missing("stack", &start, "name the stack: `stack: my-stack`");
        }
        if resources.is_none() && !meant.contains(&"resources") {
            self.missing("resources", &start, "add `resources:` with one entry per resource");
        }
        let stack = stack.flatten()?;
        let resources = resources?;
        let source = Rc::clone(source);
        Some(Document { source, stack, region, tags, variables, resources, outputs })
    }

    fn missing(&mut self, key: &str, place: &Place, help: &str) {
        let problem = Problem::error(format!("the stack file has no `{key}`"));
        self.problems.push(problem.at(place).help(help));
    }

    fn stack_name(&mut self, key: &Key, node: &Node) -> Option<Named> {
        let name = self.named(key, node)?;
        if !is_stack_name(&name.text) {
            let problem = Problem::error(format!("`{}` cannot be a stack's name", name.text));
            self.problems.push(problem.at(&name.place).help(STACK_NAME));
        }
        Some(name)
    }

    fn tags(&mut self, key: &Key, node: Node) -> Vec<(Key, Node)> {
        let entries = self.entries(key, node);
        let single = |(key, node)| {
            let node = self.single(&key, node)?;
            Some((key, node))
        };
        entries.into_iter().filter_map(single).collect()
    }

    fn variables(&mut self, key: &Key, node: Node) -> Vec<(Key, VariableDeclaration)> {
        let entries = self.entries(key, node).into_iter();
        entries
            .map(|(key, node)| {
                let declaration = self.variable(&key, node);
                (key, declaration)
            })
            .collect()
    }

    fn variable(&mut self, key: &Key, node: Node) -> VariableDeclaration {
        let mut variable = VariableDeclaration::default();
        if let Some(text) = node.text() {
            let help = format!("write `{}: {{ default: {text} }}`", key.text);
            self.wrong_shape(key, &node, "a mapping", Some(help));
            return variable;
        }
        for (field, node) in self.entries(key, node) {
            match field.text.as_str() {
                "default" => variable.default = Some(node),
                "description" => {
                    variable.description = self.named(&field, &node).map(|named| named.text);
                }
                "pattern" => variable.pattern = self.named(&field, &node),
                _ => {
                    self.unknown(&field, "a variable has no field", &VARIABLE);
                }
            }
        }
        variable
    }

    fn resources(&mut self, key: &Key, node: Node) -> Vec<(Key, ResourceEntry)> {
        // Everything commented out is more likely a slip than a wish to destroy it all.
        if node.is_null() {
            let help = "write `resources: {}` if the stack is to hold nothing".to_owned();
            self.wrong_shape(key, &node, "a mapping", Some(help));
            return Vec::new();
        }
        let entries = self.entries(key, node).into_iter();
        entries
            .filter_map(|(key, node)| {
                let resource = self.resource(&key, node)?;
                Some((key, resource))
            })
            .collect()
    }

    fn resource(&mut self, key: &Key, node: Node) -> Option<ResourceEntry> {
        let place = node.place.clone();
        let fields = match node.value {
            Yaml::Mapping(fields) => fields,
            Yaml::Null => Vec::new(),
            _ => {
                let help = format!("start it with the kind: `{}: {{ kind: … }}`", key.text);
                self.wrong_shape(key, &node, "a mapping", Some(help));
                return None;
            }
        };
        let mut entry = ResourceEntry::new(key, place);
        let has_kind = fields.iter().any(|(field, _)| field.text == "kind");
        if !has_kind {
            self.no_kind(key, &fields);
        }
        for (field, node) in fields {
            self.resource_field(&mut entry, field, node);
        }
        Some(entry)
    }

    fn no_kind(&mut self, key: &Key, fields: &[(Key, Node)]) {
        let problem = Problem::error(format!("the resource `{}` has no `kind`", key.text));
        let problem = problem.at(&key.place).help("say what it is, such as `kind: s3_bucket`");
        let near = |word: &str| closest(word, ["kind", "type"].into_iter()).is_some();
        let instead = fields.iter().find(|(field, _)| near(&field.text));
        self.problems.push(match instead {
            Some((field, _)) => problem.note(&field.place, "did you mean `kind`?"),
            None => problem,
        });
    }

    fn resource_field(&mut self, entry: &mut ResourceEntry, field: Key, node: Node) {
        match field.text.as_str() {
            "kind" => entry.kind = self.named(&field, &node),
            "name" => entry.name = self.single(&field, node),
            "depends_on" => entry.depends_on = self.list(&field, &node),
            "for_each" => entry.for_each = Some(node),
            "when" => entry.when = self.single(&field, node),
            "protect" => entry.protect = self.single(&field, node),
            "on_destroy" => entry.on_destroy = self.named(&field, &node),
            "adopt" => entry.adopt = self.single(&field, node),
            "ignore" => entry.ignore = self.list(&field, &node),
            "skip_checks" => entry.skip_checks = self.reasons(&field, node),
            _ => entry.body.push((field, node)),
        }
    }

    /// A mapping's entries; an empty value is an empty mapping.
    fn entries(&mut self, key: &Key, node: Node) -> Vec<(Key, Node)> {
        match node.value {
            Yaml::Mapping(entries) => entries,
            Yaml::Null => Vec::new(),
            _ => {
                self.wrong_shape(key, &node, "a mapping", None);
                Vec::new()
            }
        }
    }

    /// Checks with the reasons for skipping them; a check alone gives none.
    fn reasons(&mut self, key: &Key, node: Node) -> Vec<(Key, Node)> {
        if matches!(node.value, Yaml::Scalar(_) | Yaml::Sequence(_)) {
            let help = "write each check with its reason: `skip_checks: { S3-LOGGING: why }`";
            self.wrong_shape(key, &node, "a mapping", Some(help.to_owned()));
            return Vec::new();
        }
        self.entries(key, node)
    }

    fn single(&mut self, key: &Key, node: Node) -> Option<Node> {
        if node.scalar().is_none() {
            self.wrong_shape(key, &node, "a single value", None);
            return None;
        }
        Some(node)
    }

    fn named(&mut self, key: &Key, node: &Node) -> Option<Named> {
        let named = Named::of(node);
        if named.is_none() {
            self.wrong_shape(key, node, "a single value", None);
        }
        named
    }

    /// A list of names; one name alone is a list of one.
    fn list(&mut self, key: &Key, node: &Node) -> Vec<Named> {
        match &node.value {
            Yaml::Null => Vec::new(),
            Yaml::Sequence(items) => {
                if let Some(item) = items.iter().find(|item| item.scalar().is_none()) {
                    let wanted = "a list of names, each a single value";
                    let message = format!("`{}` must be {wanted}", key.text);
                    self.problems.push(Problem::error(message).at(&item.place));
                }
                items.iter().filter_map(Named::of).collect()
            }
            Yaml::Scalar(_) => Named::of(node).into_iter().collect(),
            Yaml::Mapping(_) => {
                self.wrong_shape(key, node, "a list of names", None);
                Vec::new()
            }
        }
    }

    fn wrong_shape(&mut self, key: &Key, node: &Node, wanted: &str, help: Option<String>) {
        let message = match node.value {
            Yaml::Null => format!("`{}` is empty, and must be {wanted}", key.text),
            _ => format!("`{}` must be {wanted}, not {}", key.text, node.shape()),
        };
        // Where nothing is written there is nothing to mark but the key.
        let place = if node.place.range.is_empty() { &key.place } else { &node.place };
        let problem = Problem::error(message).at(place);
        self.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// Refuses a key, and tells which known one may be meant.
    fn unknown<'k>(&mut self, key: &Key, message: &str, known: &[&'k str]) -> Option<&'k str> {
        let problem = Problem::error(format!("{message} `{}`", key.text)).at(&key.place);
        let meant = closest(&key.text, known.iter().copied());
        self.problems.push(match meant {
            Some(word) => problem.help(format!("did you mean `{word}`?")),
            None => {
                let all: Vec<_> = known.iter().map(|word| format!("`{word}`")).collect();
                problem.help(format!("it may have {}", all.join(", ")))
            }
        });
        meant
    }
}

impl ResourceEntry {
    fn new(key: &Key, place: Place) -> Self {
        Self {
            key: key.clone(),
            place,
            kind: None,
            name: None,
            depends_on: Vec::new(),
            for_each: None,
            when: None,
            protect: None,
            on_destroy: None,
            adopt: None,
            ignore: Vec::new(),
            skip_checks: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// Whether AWS names, tags and lagoa's own parameter paths can all carry it.
pub fn is_stack_name(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    first && name.len() <= 63 && name.chars().all(rest)
}
