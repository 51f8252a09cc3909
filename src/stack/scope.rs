//! What `${…}` means inside a stack file.
//!
//! | written | means |
//! |---|---|
//! | `${var.x}`, `${env.X}`, `${stack.name}`, `${each.key}`, `${each.value}` | a value, filled in at once |
//! | `${aws.account}`, `${aws.region}`, `${aws.partition}` | a value, filled in once AWS is asked |
//! | `${aws.default_vpc}`, `${aws.default_subnets}` | what the account has, filled in once AWS is asked |
//! | `${key.field}` | another resource's field: an edge of the graph |
//! | `${network.vpc}`, `${network.private_subnets}` | a part of a network, or several: edges likewise |
//! | `${aws:username}`, anything with a colon | a variable of IAM policies: stays as it is |
//! | `$${` | a literal `${` |

use std::cell::Cell;
use std::collections::BTreeMap;

use super::network::Parts;
use crate::diagnostic::{Place, Problem};
use crate::document::{NODE_LIMIT, Node, Yaml};
use crate::kind::AnyKind;
use crate::reference::{Reference, is_marked, shown};

/// The names that a text may use.
pub(super) struct Scope<'a> {
    pub stack: &'a str,
    pub variables: &'a BTreeMap<String, Node>,
    /// Variables that are declared and have no value, which is a problem of its own.
    pub valueless: &'a [String],
    pub environment: &'a BTreeMap<String, String>,
    pub each: Option<&'a (String, Node)>,
    /// Every resource that exists, by key.
    pub kinds: &'a BTreeMap<String, &'static dyn AnyKind>,
    /// Every network, by key.
    pub networks: &'a BTreeMap<String, Parts>,
    /// Keys that `when` leaves out.
    pub left_out: &'a [String],
    /// What may still be filled in.
    pub room: &'a Room,
}

/// What a node counts for besides its text.
const NODE: usize = 100;
/// How deep `${…}` may stand inside each other.
const DEPTH: usize = 8;
/// Problems of one resource; a file that has more is no stack file.
const PROBLEMS: usize = 1000;

/// How much variables and `for_each` may make of a stack file: a few lines could fill any memory.
pub(super) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(NODE_LIMIT * NODE))
    }
}

impl Room {
    /// Takes that much; false when there is no more.
    pub fn take(&self, much: usize) -> bool {
        let left = self.0.get().checked_sub(much);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// What a node takes with all that is in it.
    pub fn of(node: &Node) -> usize {
        NODE + match &node.value {
            Yaml::Null => 0,
            Yaml::Scalar(scalar) => scalar.text.len(),
            Yaml::Sequence(items) => items.iter().map(Self::of).sum(),
            Yaml::Mapping(all) => all.iter().map(|(key, one)| key.text.len() + Self::of(one)).sum(),
        }
    }

    /// Says that there is none.
    pub fn none(place: &Place) -> Problem {
        Problem::error("with its variables and `for_each` filled in, the stack is far too large")
            .at(place)
            .help("fill in less, or make several stacks of it")
    }
}

/// A reference and where it stands.
#[derive(Clone)]
pub(super) struct Link {
    pub reference: Reference,
    pub place: Place,
    /// The whole text is this one reference.
    pub alone: bool,
}

/// What interpolation finds besides the text.
#[derive(Default)]
pub(super) struct Findings {
    pub problems: Vec<Problem>,
    pub links: Vec<Link>,
    /// How many `${…}` couldn't be filled in. A text with holes needs no further complaint.
    pub holes: usize,
}

impl Findings {
    pub fn problem(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Stands for what couldn't be filled in.
    fn hole(&mut self, problem: Problem) -> String {
        self.problem(problem);
        self.holes += 1;
        String::new()
    }
}

impl Scope<'_> {
    /// The node that a lone `${var.x}` or `${each.value}` stands for, when that is more than text.
    pub fn node<'n>(&'n self, node: &'n Node) -> &'n Node {
        let Some(name) =
            node.text().and_then(|t| t.strip_prefix("${")).and_then(|t| t.strip_suffix('}'))
        else {
            return node;
        };
        let meant = match name.split_once('.') {
            Some(("var", name)) => self.variables.get(name),
            Some(("each", path)) => self.each_node(path),
            _ => None,
        };
        // Where there is no room any more, the text that stays says so.
        meant.filter(|meant| self.room.take(Room::of(meant))).unwrap_or(node)
    }

    fn each_node(&self, path: &str) -> Option<&Node> {
        let (_, value) = self.each?;
        let rest = path.strip_prefix("value")?;
        rest.split('.').filter(|part| !part.is_empty()).try_fold(value, |node, part| node.get(part))
    }

    /// The text with every `${…}` filled in; references to resources become marks.
    pub fn text(&self, text: &str, place: &Place, findings: &mut Findings) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            if rest[..start].ends_with('$') {
                out.push_str(&rest[..start - 1]);
                out.push_str("${");
                rest = &rest[start + 2..];
                continue;
            }
            out.push_str(&rest[..start]);
            let Some(length) = closing(&rest[start + 2..]) else {
                let problem = Problem::error("`${` is never closed").at(place);
                findings.hole(problem.help("close it with `}`, or write `$${` for a literal `${`"));
                return out;
            };
            let inner = &rest[start + 2..start + 2 + length];
            let whole = start == 0 && rest.len() == text.len() && start + 3 + length == text.len();
            let filled = self.expression(inner, whole, place, findings);
            if !self.room.take(filled.len()) {
                findings.hole(Room::none(place));
                return out;
            }
            out.push_str(&filled);
            rest = &rest[start + 3 + length..];
        }
        out.push_str(rest);
        out
    }

    fn expression(
        &self,
        inner: &str,
        alone: bool,
        place: &Place,
        findings: &mut Findings,
    ) -> String {
        if inner.contains(':') {
            return format!("${{{inner}}}");
        }
        let name = if inner.contains("${") {
            self.text(inner, place, findings)
        } else {
            inner.trim().to_owned()
        };
        if is_marked(&name) {
            let problem = later(&format!("${{{}}}", shown(&name)));
            return findings.hole(problem.at(place));
        }
        match name.split_once('.') {
            Some(("var", variable)) => self.variable(variable, place, findings),
            Some(("env", variable)) => self.environment(variable, place, findings),
            Some(("stack", "name")) => self.stack.to_owned(),
            Some(("each", path)) => self.each(path, place, findings),
            Some(("aws", "default_subnets")) => findings.hole(several(&name).at(place)),
            Some(("aws", field @ ("account" | "region" | "partition" | "default_vpc"))) => {
                Reference { key: "aws".into(), field: field.into() }.mark()
            }
            Some(("stack" | "aws", _)) => {
                let problem = Problem::error(format!("there is no `${{{name}}}`")).at(place);
                findings.hole(problem.help(
                    "there are ${stack.name}, ${aws.account}, ${aws.region}, ${aws.partition}, \
                     ${aws.default_vpc} and ${aws.default_subnets}",
                ))
            }
            _ => self.resource(&name, alone, place, findings),
        }
    }

    fn variable(&self, name: &str, place: &Place, findings: &mut Findings) -> String {
        let Some(node) = self.variables.get(name) else {
            if self.valueless.iter().any(|one| one == name) {
                findings.holes += 1;
                return String::new();
            }
            let problem = Problem::error(format!("there is no variable `{name}`")).at(place);
            let names = self.variables.keys().chain(self.valueless).map(String::as_str);
            return findings.hole(problem.did_you_mean(name, names));
        };
        self.plain(node, &format!("var.{name}"), place, findings)
    }

    fn plain(&self, node: &Node, name: &str, place: &Place, findings: &mut Findings) -> String {
        match (&node.value, node.text()) {
            (Yaml::Null, _) => String::new(),
            (_, Some(text)) => text.to_owned(),
            _ => {
                let message =
                    format!("`{name}` is {}, so it can't be a part of a text", node.shape());
                findings.hole(Problem::error(message).at(place))
            }
        }
    }

    fn environment(&self, name: &str, place: &Place, findings: &mut Findings) -> String {
        self.environment.get(name).cloned().unwrap_or_else(|| {
            let problem =
                Problem::error(format!("the environment variable {name} is not set")).at(place);
            findings.hole(problem.help(format!("set it: `export {name}=…`")))
        })
    }

    fn each(&self, path: &str, place: &Place, findings: &mut Findings) -> String {
        let Some((key, _)) = self.each else {
            let problem =
                Problem::error("`${each…}` means something only where `for_each` is").at(place);
            return findings.hole(problem);
        };
        if path == "key" {
            return key.clone();
        }
        let Some(node) = self.each_node(path) else {
            let message = format!("`{key}` has no `each.{path}`");
            return findings.hole(Problem::error(message).at(place));
        };
        self.plain(node, &format!("each.{path}"), place, findings)
    }

    /// A resource's key may hold dots itself, so the longest key that fits counts.
    fn resource(&self, name: &str, alone: bool, place: &Place, findings: &mut Findings) -> String {
        let cuts = name.match_indices('.').map(|(at, _)| at).collect::<Vec<_>>();
        let split = cuts.iter().rev().map(|at| (&name[..*at], &name[at + 1..]));
        let Some((key, field)) = split.clone().find(|(key, _)| self.kinds.contains_key(*key))
        else {
            let mut networks = split.clone();
            if let Some((key, part)) = networks.find(|(key, _)| self.networks.contains_key(*key)) {
                return self.part(key, part, alone, place, findings);
            }
            let first = split.clone().next_back().map_or(name, |(key, _)| key);
            return findings.hole(self.unknown(first, name, place));
        };
        let reference = Reference { key: key.to_owned(), field: field.to_owned() };
        let mark = reference.mark();
        findings.links.push(Link { reference, place: place.clone(), alone });
        mark
    }

    /// A part of a network where one value is needed.
    fn part(
        &self,
        key: &str,
        part: &str,
        alone: bool,
        place: &Place,
        findings: &mut Findings,
    ) -> String {
        let parts = self.networks.get(key);
        if parts.is_some_and(|parts| parts.several(part).is_some()) {
            return findings.hole(several(&format!("{key}.{part}")).at(place));
        }
        let Some(reference) = parts.and_then(|parts| parts.one(part)) else {
            let message = format!("`{key}` is a `network`, which has no `{part}`");
            let words = parts.map(Parts::words).unwrap_or_default();
            let problem = Problem::error(message).at(place);
            let problem = problem.help(format!("it has {}", words.join(", ")));
            return findings.hole(problem.did_you_mean(part, words.into_iter()));
        };
        let mark = reference.mark();
        findings.links.push(Link { reference, place: place.clone(), alone });
        mark
    }

    fn unknown(&self, key: &str, name: &str, place: &Place) -> Problem {
        if self.kinds.contains_key(name) {
            return Problem::error(format!(
                "`${{{name}}}` names a resource, but none of its fields"
            ))
            .at(place)
            .help(format!("write which field: `${{{name}.arn}}`, `${{{name}.name}}`, …"));
        }
        self.no_such_key(key, place)
    }

    /// Says that there is no resource of that key.
    pub fn no_such_key(&self, key: &str, place: &Place) -> Problem {
        if self.left_out.iter().any(|one| one == key) {
            return Problem::error(format!("`{key}` is left out by its `when`")).at(place);
        }
        let problem = Problem::error(format!("there is no resource `{key}`")).at(place);
        problem.did_you_mean(key, self.kinds.keys().chain(self.networks.keys()).map(String::as_str))
    }
}

/// Says that a reference needs what only AWS tells.
pub(super) fn later(reference: &str) -> Problem {
    Problem::error(format!("`{reference}` can't be found before AWS is asked")).help(
        "give the resource a plain key and refer to that; what only AWS tells goes into its \
         `name`, such as `name: raw-${aws.account}`",
    )
}

/// Says that a list stands where it can't.
fn several(name: &str) -> Problem {
    Problem::error(format!("`${{{name}}}` is a list, and a single value is needed here"))
        .help(format!("a list takes it: `subnets: ${{{name}}}`"))
}

/// Where the brace that closes an expression stands, braces inside counted.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' if depth == DEPTH => return None,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
