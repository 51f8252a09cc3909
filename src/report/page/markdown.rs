//! Reference pages as Markdown files.

use std::collections::BTreeSet;

use super::prose::sentences;
use super::{Change, Field, Page, by_service};
use crate::report::value;

/// What each file begins with.
const MADE: &str = "<!-- Made by `lagoa docs` from the kinds themselves: change those instead. -->";

/// Which names are links, and from where.
struct Links<'a> {
    kinds: &'a BTreeSet<&'static str>,
    /// Names that mean a field of this page, and the kind itself.
    own: BTreeSet<&'a str>,
}

/// The list of all pages, by service.
pub fn index(pages: &[Page]) -> String {
    let mut text = format!(
        "{MADE}\n# Reference\n\n\
         - [The stack file](stack.md): what is in it besides kinds, and what `${{…}}` means.\n\
         - The kinds, below: what AWS can hold, and what may be written of it.\n\n\
         `lagoa show kind NAME` shows the same in a terminal, \
         `lagoa show kind NAME --json` as JSON.\n"
    );
    for (title, pages) in by_service(pages) {
        text.push_str(&format!("\n## {title}\n\n| kind | |\n|---|---|\n"));
        for page in pages {
            let summary = cell(&escaped(&page.summary));
            text.push_str(&format!("| [`{0}`](kinds/{0}.md) | {summary} |\n", page.kind));
        }
    }
    text
}

/// The file of one kind.
pub fn page(page: &Page, kinds: &BTreeSet<&'static str>) -> String {
    let mut own: BTreeSet<&str> =
        page.everything().into_iter().map(|field| field.name.as_str()).collect();
    own.insert(page.kind);
    let links = Links { kinds, own };
    let mut text = format!("{MADE}\n# {}\n", page.kind);
    for part in &page.text {
        text.push_str(&format!("\n{}", lines(&links.prose(part))));
    }
    text.push('\n');
    for rule in page.rules() {
        let pattern = format!("`{}`", page.name_pattern);
        let rule = match rule.split_once(&pattern) {
            Some((before, after)) => format!("{before}{}{after}", code(page.name_pattern)),
            None => links.prose(&rule),
        };
        text.push_str(&format!("- {rule}\n"));
    }
    text.push_str(&format!("\n## Example\n\n```yaml\n{}\n```\n", page.example));
    if !page.fields.is_empty() {
        text.push_str(&format!("\n## Fields\n\n{}", overview(page, &links)));
    }
    for field in &page.fields {
        text.push_str(&section(field, &links));
    }
    if !page.reported.is_empty() {
        text.push_str(
            "\n## What others may refer to\n\n\
             AWS reports these; write `${key.field}` with the key of the resource.\n\n",
        );
        text.push_str(&table(&page.reported, &links, false));
    }
    if !page.followed.is_empty() {
        text.push_str(
            "\n## What lagoa works out\n\n\
             Nobody writes these: they follow from other fields, and show in a plan.\n\n",
        );
        text.push_str(&table(&page.followed, &links, false));
    }
    text
}

/// Fields without a page of their own, such as those that every resource may have.
pub fn fields(list: &[Field], kinds: &BTreeSet<&'static str>) -> String {
    table(list, &Links { kinds, own: BTreeSet::new() }, true)
}

/// Every field on one line, leading to what is said of it.
fn overview(page: &Page, links: &Links<'_>) -> String {
    // What AWS doesn't make isn't changed there either.
    let apart = page.takes.is_none();
    let mut text = "| field | type | left out |".to_owned();
    text.push_str(if apart { "\n|---|---|---|\n" } else { " a change |\n|---|---|---|---|\n" });
    for field in &page.fields {
        let change = if apart { String::new() } else { format!(" {} |", change(field)) };
        text.push_str(&format!(
            "| [`{0}`](#{0}) | {1} | {2} |{change}\n",
            field.name,
            cell(&links.prose(&field.form)),
            cell(&left_out(field)),
        ));
    }
    text
}

/// What a change of the field means; in parts, where its own fields differ.
fn change(field: &Field) -> String {
    let below: BTreeSet<&str> =
        field.with_all_below().iter().map(|one| one.change.words()).collect();
    let mixed = field.change == Change::InPlace && below.contains(Change::Replaces.words());
    if mixed {
        "in place, in parts replaces it".to_owned()
    } else {
        field.change.words().to_owned()
    }
}

fn left_out(field: &Field) -> String {
    match &field.default {
        _ if field.required => "**required**".to_owned(),
        Some(default) => format!("`{}`", value::flow(default)),
        None => String::new(),
    }
}

/// All that is said of a field.
fn section(field: &Field, links: &Links<'_>) -> String {
    let mut text = format!("\n### {}\n", field.name);
    for part in &field.text {
        text.push_str(&format!("\n{}", lines(&links.prose(part))));
    }
    text.push_str(&words(field, links));
    if let Some(pattern) = &field.pattern {
        text.push_str(&format!("\nIt matches {}.\n", code(pattern)));
    }
    if !field.fields.is_empty() {
        text.push_str(&format!("\n{}", table(&field.fields, links, true)));
    }
    text
}

/// The words that a field takes.
fn words(field: &Field, links: &Links<'_>) -> String {
    if field.words.is_empty() {
        return String::new();
    }
    if field.words.iter().all(|word| word.text.is_none()) {
        let words: Vec<_> = field.words.iter().map(|word| format!("`{}`", word.word)).collect();
        return format!("\nOne of {}.\n", words.join(", "));
    }
    let line = |word: &super::Word| match &word.text {
        Some(text) => format!("- `{}`: {}\n", word.word, links.prose(text)),
        None => format!("- `{}`\n", word.word),
    };
    format!("\n{}", field.words.iter().map(line).collect::<String>())
}

/// Fields with all that is in them, a row each.
fn table(fields: &[Field], links: &Links<'_>, written: bool) -> String {
    let mut text = "| field | type | what it is |\n|---|---|---|\n".to_owned();
    for field in fields.iter().flat_map(Field::with_all_below) {
        let mut form = links.prose(&field.form);
        if !field.words.is_empty() {
            let words = field.words.iter().map(|word| format!("`{}`", word.word));
            form = format!("{form}: {}", words.collect::<Vec<_>>().join(", "));
        }
        let mut said: Vec<String> = field.text.iter().map(|text| links.prose(text)).collect();
        for word in field.words.iter().filter(|word| word.text.is_some()) {
            let text = word.text.as_deref().unwrap_or_default();
            said.push(format!("`{}`: {}", word.word, links.prose(text)));
        }
        said.extend(field.pattern.iter().map(|pattern| format!("It matches {}.", code(pattern))));
        if written {
            said.extend(notes(field));
        }
        text.push_str(&format!(
            "| `{}` | {} | {} |\n",
            field.path,
            cell(&form),
            cell(&said.join("<br>"))
        ));
    }
    text
}

/// What the overview says of a field at the top.
fn notes(field: &Field) -> Option<String> {
    let mut notes = Vec::new();
    match left_out(field) {
        text if text.is_empty() => {}
        text if field.required => notes.push(text),
        text => notes.push(format!("default {text}")),
    }
    match field.change {
        Change::InPlace => {}
        Change::Replaces => notes.push("a change replaces it".to_owned()),
        other => notes.push(other.words().to_owned()),
    }
    (!notes.is_empty()).then(|| format!("({})", notes.join("; ")))
}

impl Links<'_> {
    /// The text with a link at every kind that it names, and nothing that Markdown would swallow.
    fn prose(&self, text: &str) -> String {
        let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
            0 => escaped(part),
            _ if self.kinds.contains(part) && !self.own.contains(part) => {
                format!("[`{part}`]({part}.md)")
            }
            _ => format!("`{part}`"),
        });
        parts.collect()
    }
}

/// Each sentence on a line of its own.
fn lines(paragraph: &str) -> String {
    sentences(paragraph).into_iter().map(|sentence| format!("{sentence}\n")).collect()
}

/// Text without what Markdown takes for its own outside of code.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => part.replace('<', "\\<").replace('*', "\\*"),
        _ => format!("`{part}`"),
    });
    parts.collect()
}

/// A pattern as code, whatever is in it.
fn code(pattern: &str) -> String {
    if pattern.contains('`') { format!("`` {pattern} ``") } else { format!("`{pattern}`") }
}

/// Text for a table, where a bar ends a cell even in code.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_links_except_where_they_are_fields() {
        let kinds = BTreeSet::from(["iam_role", "kms_key"]);
        let links = Links { kinds: &kinds, own: BTreeSet::from(["kms_key"]) };
        let text = links.prose("An `iam_role` <or> `kms_key`, `<x>`.");
        assert_eq!(text, "An [`iam_role`](iam_role.md) \\<or> `kms_key`, `<x>`.");
    }

    #[test]
    fn a_bar_stays_in_its_cell() {
        assert_eq!(cell("`^(a|b)$`"), "`^(a\\|b)$`");
    }
}
