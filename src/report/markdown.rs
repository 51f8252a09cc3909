//! A plan, or why there is none, as GitHub's Markdown: the comment on a pull request and the run's
//! summary.
//!
//! What can't be undone stands first, and every resource is folded. Where the text would be too
//! long it is cut between resources, and says what is left out.

mod fields;
mod problems;
pub mod run;
mod text;

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::words;
use super::style::counted;
use super::view::{Deed, Entry, View};
use crate::diagnostic::{Problem, Severity};
use text::{code, fence, link, plain, prose};

/// A group of more resources than this is folded as a whole.
const MANY: usize = 8;
/// In a plan of no more resources than this all are open.
const FEW: usize = 3;
/// Bytes kept for the words about what is left out.
const RESERVE: usize = 1_000;
/// Bytes at the end of a cut page that are worth no smaller resource.
const LARGE: usize = 16_000;

/// What is to be told.
pub struct Page<'a> {
    /// The stack's name, when the file tells it.
    pub stack: Option<&'a str>,
    /// The stack file, as the person named it.
    pub file: &'a str,
    /// The plan; without one the problems say why.
    pub view: Option<&'a View>,
    /// What is wrong, or worth knowing.
    pub problems: &'a [Problem],
    /// Where more is to be seen.
    pub links: Links,
}

/// Addresses that the page leads to; all may be missing.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// The run with its summary.
    pub run: Option<String>,
    /// The commit that was looked at.
    pub commit: Option<String>,
    /// The page of each file, by the name that the person gave it.
    pub files: BTreeMap<String, String>,
}

impl Links {
    fn page(&self, file: &str) -> Option<&String> {
        self.files.get(file)
    }
}

impl Page<'_> {
    /// The page in at most `limit` bytes. What can't be shown is in the run's summary, except on
    /// the summary itself, where `whole` says how else to get it.
    pub fn render(&self, limit: usize, whole: &str) -> String {
        let mut page = self.head();
        if let Some(view) = self.view {
            page.push_str(&dangers(view, limit / 6));
        }
        if !self.problems.is_empty() {
            page.push_str(&problems::section(self.problems, &self.links, limit / 4));
        }
        if let Some(view) = self.view {
            self.resources(view, limit, whole, &mut page);
            let outputs = outputs(view.outputs.iter().map(|one| (&one.name, &one.value)));
            if page.len() + outputs.len() <= limit {
                page.push_str(&outputs);
            }
        }
        page
    }

    /// The headline, and the line below it.
    fn head(&self) -> String {
        let stack = self.stack.unwrap_or(self.file);
        let mut facts = Vec::new();
        let headline = match self.view {
            Some(view) => {
                facts.push(format!("account {}", plain(&view.account)));
                facts.push(plain(&view.region));
                headline(view)
            }
            None => {
                let errors = self.problems.iter().filter(|one| one.severity == Severity::Error);
                format!("no plan, {}", counted(errors.count(), "error"))
            }
        };
        facts.push(match self.links.page(self.file) {
            Some(page) => link(page, &code(self.file)),
            None => code(self.file),
        });
        if let Some(unchanged) = self.view.map(|view| view.total.unchanged).filter(|n| *n > 0) {
            facts.push(format!("{unchanged} unchanged"));
        }
        if let Some(commit) = &self.links.commit {
            facts.push(plain(commit.get(..10).unwrap_or(commit)));
        }
        if let Some(run) = &self.links.run {
            facts.push(link(run, "run"));
        }
        format!("<h3>{}: {headline}</h3>\n\n<p>{}</p>\n\n", code(stack), facts.join(" · "))
    }

    /// Every resource, folded, as many as fit.
    fn resources(&self, view: &View, limit: usize, whole: &str, page: &mut String) {
        let limit = limit.saturating_sub(RESERVE);
        let mut left: Vec<&Entry> = Vec::new();
        let mut full = false;
        let open = Open::of(view);
        for (rank, entries) in groups(view) {
            let (before, after) = match entries.len() > MANY {
                true => (
                    format!("<details>\n<summary>{}</summary>\n\n", sum(rank, &entries)),
                    "</details>\n\n",
                ),
                false => (String::new(), ""),
            };
            let mut inner = String::new();
            for entry in entries {
                let room =
                    limit.saturating_sub(page.len() + before.len() + inner.len() + after.len());
                let block = self.resource(entry, open.of_entry(entry), true);
                // One that is out of all proportion leaves room for the others.
                let block = match block.len() > room.min(limit / 2) && block.len() > LARGE {
                    true => self.resource(entry, false, false),
                    false => block,
                };
                full |= block.len() > room;
                if full { left.push(entry) } else { inner.push_str(&block) }
            }
            if !inner.is_empty() {
                page.push_str(&format!("{before}{inner}{after}"));
            }
        }
        if !left.is_empty() {
            page.push_str(&self.left_out(&left, whole));
        }
    }

    fn left_out(&self, left: &[&Entry], whole: &str) -> String {
        let mut deeds: BTreeMap<Rank, usize> = BTreeMap::new();
        for entry in left {
            *deeds.entry(Rank::of(entry)).or_default() += 1;
        }
        let counts: Vec<String> =
            deeds.iter().map(|(rank, number)| format!("{number} to {}", rank.words())).collect();
        format!(
            "<p>✂️ <b>{} left out here</b> ({}): {whole}</p>\n\n",
            match left.len() {
                1 => "1 resource is".to_owned(),
                number => format!("{number} resources are"),
            },
            counts.join(", "),
        )
    }

    /// One resource with everything a reviewer should know of it.
    fn resource(&self, entry: &Entry, open: bool, with_fields: bool) -> String {
        let rank = Rank::of(entry);
        let mut title =
            format!("{} {} <b>{}</b>", rank.sign(), code(entry.kind), plain(&entry.key));
        if entry.name != entry.key {
            title.push_str(&format!(" ({})", plain(&entry.name)));
        }
        title.push_str(&hint(entry));
        let mut lines = Vec::new();
        lines.extend(
            entry.because.iter().map(|reason| format!("<b>Replaced:</b> {}", prose(reason))),
        );
        if let Some(data) = &entry.data {
            lines.push(format!("<b>Data:</b> {}", prose(data)));
        }
        if let Some(blocked) = &entry.blocked {
            lines.push(format!("<b>Blocked:</b> {}", prose(&blocked.reason)));
            lines.push(format!("<b>Help:</b> {}", prose(&blocked.remedy)));
        }
        lines.extend(entry.notes.iter().map(|note| prose(note)));
        lines.extend(entry.place.as_ref().map(|place| self.place(place)));
        let fields = match with_fields {
            true => fields::block(entry),
            false => format!(
                "Its {} are too long to be shown here.\n",
                counted(entry.fields.len(), "field")
            ),
        };
        let open = if open { " open" } else { "" };
        format!(
            "<details{open}>\n<summary>{title}</summary>\n<p>{}</p>\n\n{fields}\n</details>\n\n",
            lines.join("<br>\n")
        )
    }

    fn place(&self, place: &str) -> String {
        let split = place.rsplit_once(':');
        let page = split.and_then(|(file, line)| Some((self.links.page(file)?, line)));
        match page {
            Some((page, line)) => link(&format!("{page}#L{line}"), &plain(place)),
            None => plain(place),
        }
    }
}

/// What a group of resources has in common, in the order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Blocked,
    Replace,
    Delete,
    Update,
    Adopt,
    Seed,
    Create,
    Retain,
    Unread,
}

impl Rank {
    fn of(entry: &Entry) -> Self {
        match entry.action {
            _ if entry.blocked.is_some() => Self::Blocked,
            Deed::Replace => Self::Replace,
            Deed::Delete => Self::Delete,
            Deed::Update => Self::Update,
            Deed::Adopt => Self::Adopt,
            Deed::Seed => Self::Seed,
            Deed::Create => Self::Create,
            Deed::Retain => Self::Retain,
            Deed::Unread => Self::Unread,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Blocked => "⛔",
            Self::Replace => "🟥🟩",
            Self::Delete => "🟥",
            Self::Update => "🟨",
            Self::Adopt => "🟪",
            Self::Seed => "🟦",
            Self::Create => "🟩",
            Self::Retain => "⬜",
            Self::Unread => "❔",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Blocked => "unblock",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Update => "change",
            Self::Adopt => "take over",
            Self::Seed => "seed",
            Self::Create => "create",
            Self::Retain => "leave in the account",
            Self::Unread => "read later",
        }
    }
}

/// Which resources are unfolded from the start.
enum Open {
    All,
    Dangerous,
    None,
}

impl Open {
    fn of(view: &View) -> Self {
        let dangerous =
            view.resources.iter().filter(|entry| Rank::of(entry) <= Rank::Delete).count();
        match view.resources.len() {
            ..=FEW => Self::All,
            _ if dangerous <= FEW => Self::Dangerous,
            _ => Self::None,
        }
    }

    fn of_entry(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Dangerous => Rank::of(entry) <= Rank::Delete,
            Self::None => false,
        }
    }
}

fn holds_data(entry: &Entry) -> bool {
    entry.data.is_some() && matches!(entry.action, Deed::Delete | Deed::Replace)
}

/// The resources by what becomes of them; what holds data first.
fn groups(view: &View) -> BTreeMap<Rank, Vec<&Entry>> {
    let mut groups: BTreeMap<Rank, Vec<&Entry>> = BTreeMap::new();
    for entry in &view.resources {
        groups.entry(Rank::of(entry)).or_default().push(entry);
    }
    for entries in groups.values_mut() {
        entries.sort_by_key(|entry| !holds_data(entry));
    }
    groups
}

fn headline(view: &View) -> String {
    if !view.changes() {
        return match view.destroy {
            true => "nothing to destroy".to_owned(),
            false => "no changes".to_owned(),
        };
    }
    let mut parts = words(&view.total);
    if view.total.blocked > 0 {
        parts.push(format!("{} blocked", view.total.blocked));
    }
    parts.join(", ")
}

/// What a folded group holds: how many of each kind.
fn sum(rank: Rank, entries: &[&Entry]) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *kinds.entry(entry.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, number)| match number {
            1 => code(kind),
            number => format!("{number} {}", code(kind)),
        })
        .collect();
    format!("{} <b>{} to {}</b>: {}", rank.sign(), entries.len(), rank.words(), kinds.join(", "))
}

/// A few words behind the name of what is folded.
fn hint(entry: &Entry) -> String {
    let changed = |entry: &Entry| {
        let mut paths: Vec<&str> = entry.fields.iter().map(|field| field.path.as_str()).collect();
        let more = paths.len().saturating_sub(FEW);
        paths.truncate(FEW);
        let paths: Vec<String> = paths.into_iter().map(code).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if paths.is_empty() { String::new() } else { format!(": {}{more}", paths.join(", ")) }
    };
    match entry.action {
        Deed::Update | Deed::Adopt | Deed::Replace => changed(entry),
        Deed::Delete if entry.orphan => ": no longer in the stack".to_owned(),
        _ => String::new(),
    }
}

/// What happens to data, before everything else.
fn dangers(view: &View, budget: usize) -> String {
    let data: Vec<&Entry> = view.resources.iter().filter(|entry| holds_data(entry)).collect();
    let items = data.iter().map(|entry| {
        let word = if entry.action == Deed::Delete { "deleted" } else { "replaced" };
        let loss = entry.data.as_deref().unwrap_or_default();
        format!(
            "> - {} <b>{}</b> would be {word}: {}\n",
            code(entry.kind),
            plain(&entry.key),
            prose(loss)
        )
    });
    let (items, left) = fitted(items, budget);
    if data.is_empty() {
        return String::new();
    }
    let more = if left > 0 { format!("> - and {left} more\n") } else { String::new() };
    let what = match data.len() {
        1 => "A resource that holds data goes".to_owned(),
        number => format!("{number} resources that hold data go"),
    };
    format!("> [!CAUTION]\n> <b>{what}.</b>\n>\n{items}{more}\n")
}

fn outputs<'a>(outputs: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let lines: Vec<String> =
        outputs.map(|(name, value)| format!("{name}: {}", super::value::line(value))).collect();
    if lines.is_empty() {
        return String::new();
    }
    let title = counted(lines.len(), "output");
    format!("<details>\n<summary>{title}</summary>\n\n{}\n</details>\n", fence("yaml", &lines))
}

/// The items that fit into so many bytes, in one text, and how many don't.
fn fitted(items: impl Iterator<Item = String>, budget: usize) -> (String, usize) {
    let mut text = String::new();
    let mut left = 0;
    for item in items {
        match left == 0 && text.len() + item.len() <= budget {
            true => text.push_str(&item),
            false => left += 1,
        }
    }
    (text, left)
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
