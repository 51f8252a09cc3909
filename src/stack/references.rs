//! Fields that refer to kinds, where one word stands for several things: a network's subnets, the
//! account's default ones.

use serde_json::Value;

use super::network::Parts;
use super::scope::Link;
use super::shape::Shaper;
use super::special::any_of;
use crate::diagnostic::{Place, Problem};
use crate::document::Node;
use crate::reference::{Reference, Target};

/// The word for the subnets that every region has when an account is new.
const DEFAULT: &str = "default";

impl Shaper<'_> {
    /// Notes an edge, and gives the mark that stands for the value.
    pub(super) fn link(&mut self, reference: Reference, place: &Place) -> Value {
        let mark = reference.mark();
        self.findings.links.push(Link { reference, place: place.clone(), alone: true });
        mark.into()
    }

    /// The values that one word in a list of references stands for, if it stands for several:
    /// `lake`, `${lake.public_subnets}`, `default`, `${aws.default_subnets}`.
    pub(super) fn several(
        &mut self,
        items: &Value,
        node: &Node,
        place: &Place,
    ) -> Option<Vec<Value>> {
        let refers = items.get("x-refers")?;
        let kind = refers["kind"].as_str()?;
        let text = node.text()?.trim();
        let whole = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
        let subnets = kind == "ec2_subnet";
        let taken = self.scope.kinds.contains_key(DEFAULT);
        if subnets && (whole == Some("aws.default_subnets") || (text == DEFAULT && !taken)) {
            return Some(default_subnets());
        }
        let (key, part) = match whole {
            Some(name) => name.rsplit_once('.')?,
            None => (text, "private_subnets"),
        };
        let parts = self.scope.networks.get(key)?;
        if whole.is_none() && !subnets {
            return None;
        }
        let (actual, keys) = parts.several(part)?;
        if actual != kind {
            let message =
                format!("`{key}.{part}` is a list of `{actual}`, and this is one of `{kind}`");
            self.problem(Problem::error(message).at(place));
            return Some(Vec::new());
        }
        let field = refers["field"].as_str().unwrap_or_default().to_owned();
        let keys = keys.iter().cloned();
        let reference = |key| Reference { key, field: field.clone() };
        Some(keys.map(|key| self.link(reference(key), place)).collect())
    }

    /// What a network's key means in a field that takes one thing of a kind.
    pub(super) fn part_of(
        &mut self,
        key: &str,
        parts: &Parts,
        targets: &[Target],
        place: &Place,
    ) -> Option<Value> {
        let takes = |kind: &str| targets.iter().any(|target| target.kind == kind);
        if takes("ec2_vpc")
            && let Some(vpc) = parts.one("vpc")
        {
            return Some(self.link(vpc, place));
        }
        let one = parts.several("private_subnets").and_then(|(_, keys)| keys.first().cloned());
        let problem = match one.filter(|_| takes("ec2_subnet")) {
            Some(one) => {
                Problem::error(format!("`{key}` has several subnets, and one is needed here"))
                    .help(format!("write which, such as `{one}`"))
            }
            None => {
                let message =
                    format!("`{key}` is a `network`, but this field takes {}", any_of(targets));
                Problem::error(message).help(format!("it has {}", parts.words().join(", ")))
            }
        };
        self.problem(problem.at(place));
        None
    }
}

/// A list of a length that only AWS knows. It stands as two marks, because who takes subnets wants
/// at least two.
fn default_subnets() -> Vec<Value> {
    let part =
        |part: &str| Reference { key: "aws".to_owned(), field: format!("default_subnets.{part}") };
    ["first", "others"].map(|one| Value::from(part(one).mark())).to_vec()
}
