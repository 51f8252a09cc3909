//! Reference pages: what may be written of a kind and what it does, read off the kind itself.
//! The terminal, the Markdown files and JSON show the same page.

mod field;
pub mod markdown;
mod prose;
pub mod stack;
pub mod terminal;
mod words;

use serde::Serialize;

use crate::kind::{AnyKind, Facts, OnDestroy, Takes};
pub use field::{Change, Field, Word};
use prose::{paragraphs, sentences};

/// The services by how the names of their kinds begin, in the order in which a platform is built;
/// the longest that fits counts.
const SERVICES: &[(&str, &str)] = &[
    ("network", "Network"),
    ("ec2", "Network"),
    ("iam", "Access"),
    ("kms", "Secrets and keys"),
    ("secretsmanager", "Secrets and keys"),
    ("ssm", "Secrets and keys"),
    ("s3", "S3"),
    ("rds", "RDS and Aurora"),
    ("dms", "DMS"),
    ("emr", "EMR"),
    ("eks", "EKS"),
    ("redshift", "Redshift"),
    ("logs", "Logs"),
    ("mysql_seed", DATA),
    ("postgres_seed", DATA),
    ("redshift_seed", DATA),
];

/// Where what seeds stands, whatever it seeds.
const DATA: &str = "Data";

/// A kind's reference page.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The kind's name in a stack file.
    pub kind: &'static str,
    /// Under which heading it stands.
    pub service: &'static str,
    /// Its first sentence.
    pub summary: String,
    /// What it is, in paragraphs; the first one begins with the summary.
    pub text: Vec<String>,
    /// What its name must look like.
    pub name_pattern: &'static str,
    /// The field that says what the name is unique in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<&'static str>,
    /// What may be written, what must be first.
    pub fields: Vec<Field>,
    /// What others may refer to.
    pub reported: Vec<Field>,
    /// What lagoa works out of other fields and compares.
    pub followed: Vec<Field>,
    /// What becomes of it when it leaves the stack.
    pub leaving: Leaving,
    /// How long AWS takes; `None` for what AWS doesn't make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Seconds>,
    /// A piece of a stack file.
    pub example: &'static str,
}

/// What becomes of a resource that leaves the stack.
#[derive(Clone, Debug, Serialize)]
pub struct Leaving {
    /// What `on_destroy` may say; nothing where there is nothing to decide.
    pub on_destroy: &'static [OnDestroy],
    /// What it means when the stack says nothing; without it, what holds data is refused.
    pub default: Option<OnDestroy>,
    /// What is lost with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<&'static str>,
    /// AWS refuses to delete one that something still uses.
    pub kept_while_used: bool,
    /// It is a data step: what it did stays.
    pub seed: bool,
}

/// How long AWS typically takes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    /// Until it is usable.
    pub create_seconds: u64,
    /// Until it is gone.
    pub delete_seconds: u64,
}

impl Page {
    /// The page of a kind.
    pub fn of(kind: &dyn AnyKind) -> Self {
        let (facts, schema) = (kind.facts(), kind.schema());
        let text = paragraphs(schema["description"].as_str().unwrap_or_default());
        let summary = text.first().and_then(|first| sentences(first).into_iter().next());
        let all = field::fields(schema);
        let (own, given): (Vec<_>, Vec<_>) = all.into_iter().partition(Field::is_written);
        let (mut fields, optional): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|field| field.required);
        fields.extend(optional);
        let (followed, reported) =
            given.into_iter().partition(|field| field.change == Change::Followed);
        Self {
            kind: facts.name,
            service: service(&facts),
            summary: summary.unwrap_or_default(),
            text,
            name_pattern: facts.name_pattern,
            within: facts.within,
            fields,
            reported,
            followed,
            leaving: leaving(&facts),
            takes: seconds(&facts),
            example: facts.example.trim(),
        }
    }

    /// The field of that path, such as `lifecycle.transitions`.
    pub fn field(&self, path: &str) -> Option<&Field> {
        let found = |field: &&Field| field.plain_path() == path;
        self.everything().into_iter().find(found)
    }

    /// Every field, however deep.
    pub fn everything(&self) -> Vec<&Field> {
        let lists = [&self.fields, &self.reported, &self.followed];
        lists.into_iter().flatten().flat_map(Field::with_all_below).collect()
    }

    /// Its name, how long it takes and what becomes of it, a sentence or two each.
    pub fn rules(&self) -> Vec<String> {
        let mut rules = vec![self.naming()];
        rules.extend(self.takes.map(|takes| takes.sentence()));
        rules.extend(self.leaving.sentences());
        rules
    }

    fn naming(&self) -> String {
        let within = self.within.map_or(String::new(), |field| {
            format!(" It is unique within `{field}`, so lagoa shows it as `{field}/name`.")
        });
        let what = if self.leaving.seed {
            "Its name, the key or `name`,"
        } else {
            "Its name in AWS, the key or `name`,"
        };
        format!("{what} matches `{}`.{within}", self.name_pattern)
    }
}

fn service(facts: &Facts) -> &'static str {
    let fitting = SERVICES.iter().filter(|(begin, _)| facts.name.starts_with(begin));
    fitting.max_by_key(|(begin, _)| begin.len()).map_or(DATA, |(_, title)| *title)
}

fn leaving(facts: &Facts) -> Leaving {
    Leaving {
        on_destroy: if facts.seed { &[] } else { facts.on_destroy },
        default: facts.on_destroy_default,
        holds: facts.holds,
        kept_while_used: facts.kept_while_used,
        seed: facts.seed,
    }
}

fn seconds(facts: &Facts) -> Option<Seconds> {
    let Takes { create, delete } = facts.takes;
    let made = !facts.seed && facts.name != "network";
    made.then_some(Seconds { create_seconds: create.as_secs(), delete_seconds: delete.as_secs() })
}

impl Seconds {
    fn sentence(self) -> String {
        match (self.create_seconds, self.delete_seconds) {
            (0..=5, 0..=5) => "AWS makes and deletes one in a moment.".to_owned(),
            (create, delete) => format!(
                "AWS typically takes {} to make one, and {} to delete it.",
                time(create),
                time(delete)
            ),
        }
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..=5 => "a moment".to_owned(),
        6..=89 => format!("about {seconds} seconds"),
        _ => format!("about {} minutes", (seconds + 30) / 60),
    }
}

impl Leaving {
    fn sentences(&self) -> Vec<String> {
        if self.seed {
            let text = "Nothing happens when it leaves the stack: what it did stays.";
            return vec![text.to_owned()];
        }
        let words: Vec<String> =
            self.on_destroy.iter().map(|word| format!("`{}`", word.word())).collect();
        let mut text = match words.as_slice() {
            [only] => format!("`on_destroy` can only be {only}."),
            [first @ .., last] => {
                format!("`on_destroy` may be {} or {last}.", first.join(", "))
            }
            [] => String::new(),
        };
        let without = match (self.default, self.holds) {
            (Some(word), _) => format!(" Left out, it means `{}`.", word.word()),
            (None, Some(held)) => {
                format!(" Left out, no plan deletes it while it holds {held}.")
            }
            (None, None) => String::new(),
        };
        text.push_str(&without);
        if let (Some(_), Some(held)) = (self.default, self.holds) {
            text.push_str(&format!(" It holds {held}."));
        }
        let used = "AWS doesn't delete one that something still uses, so a plan that would replace \
                    it under its users is refused.";
        std::iter::once(text).chain(self.kept_while_used.then(|| used.to_owned())).collect()
    }
}

/// The pages by service: in the order of the services, and by name below each.
pub fn by_service(pages: &[Page]) -> Vec<(&'static str, Vec<&Page>)> {
    let mut titles: Vec<&'static str> = SERVICES.iter().map(|(_, title)| *title).collect();
    titles.dedup();
    let below = |title: &'static str| {
        let mut pages: Vec<&Page> = pages.iter().filter(|page| page.service == title).collect();
        pages.sort_by_key(|page| page.kind);
        (title, pages)
    };
    titles.into_iter().map(below).filter(|(_, pages)| !pages.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_round() {
        let takes = |create, delete| Seconds { create_seconds: create, delete_seconds: delete };
        assert_eq!(takes(1, 1).sentence(), "AWS makes and deletes one in a moment.");
        let text = "AWS typically takes about 6 minutes to make one, and about 30 seconds to \
                    delete it.";
        assert_eq!(takes(330, 30).sentence(), text);
    }

    #[test]
    fn what_holds_data_says_what_becomes_of_it() {
        let mut leaving = Leaving {
            on_destroy: &[OnDestroy::Delete, OnDestroy::Retain],
            default: None,
            holds: Some("objects"),
            kept_while_used: false,
            seed: false,
        };
        let text = "`on_destroy` may be `delete` or `retain`. Left out, no plan deletes it while it \
                    holds objects.";
        assert_eq!(leaving.sentences(), [text]);
        leaving.default = Some(OnDestroy::Retain);
        assert!(leaving.sentences()[0].ends_with("it means `retain`. It holds objects."));
    }
}
