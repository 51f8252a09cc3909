//! Values as YAML text, as a person would write them: what is short on one line, what has several
//! lines as a block, and quotes only where the text would mean something else without.
//!
//! No crate writes YAML with comments and with a choice between the two styles; what is written here
//! is read by [`super::parse`] as the same value, whatever the text.

use std::fmt::Write;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Draft {
    /// A number, `true`, `false` or `null`.
    Word(String),
    /// A text, quoted if need be.
    Text(String),
    /// A list.
    List(Vec<Draft>),
    /// A mapping.
    Map(Vec<Line>),
}

/// An entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Comments above it, one line each.
    pub above: Vec<String>,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Draft,
    /// A comment at its end.
    pub remark: Option<String>,
}

impl Line {
    /// An entry without comments.
    pub fn new(key: impl Into<String>, value: Draft) -> Self {
        Self { above: Vec::new(), key: key.into(), value, remark: None }
    }
}

/// What fits on one line is written on one.
const WIDTH: usize = 96;
/// What a mapping in braces may take; a longer one reads better line by line.
const BRACES: usize = 72;

/// The entries of a mapping as lines, each after `indent` spaces.
pub fn write(lines: &[Line], indent: usize) -> String {
    let mut out = String::new();
    for line in lines {
        entry(&mut out, line, indent);
    }
    out
}

fn entry(out: &mut String, line: &Line, indent: usize) {
    let margin = " ".repeat(indent);
    for comment in line.above.iter().flat_map(|comment| comment.lines()) {
        let _ = writeln!(out, "{margin}# {comment}");
    }
    let key = scalar(&line.key, false);
    let _ = write!(out, "{margin}{key}:");
    value(out, &line.value, indent, indent + key.len() + 2, line.remark.as_deref());
}

/// A value after `key:` or `-`, with the line's end.
fn value(out: &mut String, value: &Draft, indent: usize, column: usize, remark: Option<&str>) {
    let comment = remark.map(|remark| format!("  # {remark}")).unwrap_or_default();
    if let Draft::Text(text) = value
        && let Some(block) = block(text, indent + 2)
    {
        let _ = write!(out, " {}{comment}\n{}", block.head, block.body);
        return;
    }
    if let Some(flow) = flow(value)
        && column + flow.chars().count() <= room(value)
    {
        let _ = writeln!(out, " {flow}{comment}");
        return;
    }
    let _ = writeln!(out, "{comment}");
    match value {
        Draft::Map(lines) => lines.iter().for_each(|line| entry(out, line, indent + 2)),
        Draft::List(items) => items.iter().for_each(|item| self::item(out, item, indent + 2)),
        Draft::Word(_) | Draft::Text(_) => {}
    }
}

fn item(out: &mut String, item: &Draft, indent: usize) {
    let margin = " ".repeat(indent);
    let long = |lines: &[Line]| {
        flow(item).is_none_or(|flow| indent + 2 + flow.chars().count() > room(item))
            && lines.first().is_some_and(|first| first.above.is_empty())
    };
    match item {
        Draft::Map(lines) if long(lines) => {
            let mut text = String::new();
            lines.iter().for_each(|line| entry(&mut text, line, indent + 2));
            let _ = write!(out, "{margin}- {}", text.trim_start_matches(' '));
        }
        _ => {
            let _ = write!(out, "{margin}-");
            value(out, item, indent, indent + 2, None);
        }
    }
}

fn room(value: &Draft) -> usize {
    match value {
        // A single value has nowhere else to go.
        Draft::Word(_) | Draft::Text(_) => usize::MAX,
        Draft::List(items) if items.is_empty() => usize::MAX,
        Draft::Map(lines) if lines.is_empty() => usize::MAX,
        Draft::Map(_) => BRACES,
        Draft::List(_) => WIDTH,
    }
}

/// The value on one line, if nothing in it has comments or several lines of its own.
fn flow(value: &Draft) -> Option<String> {
    let single = |value: &Draft| match value {
        Draft::Text(text) => block(text, 0).is_none().then(|| scalar(text, true)),
        _ => flow(value),
    };
    Some(match value {
        Draft::Word(word) => word.clone(),
        Draft::Text(text) => scalar(text, false),
        Draft::List(items) if items.is_empty() => "[]".to_owned(),
        Draft::Map(lines) if lines.is_empty() => "{}".to_owned(),
        Draft::List(items) => {
            let items = items.iter().map(single).collect::<Option<Vec<_>>>()?;
            format!("[{}]", items.join(", "))
        }
        Draft::Map(lines) => {
            let plain = |line: &Line| line.above.is_empty() && line.remark.is_none();
            let entry = |line: &Line| {
                let value = single(&line.value).filter(|_| plain(line))?;
                Some(format!("{}: {value}", scalar(&line.key, true)))
            };
            let entries = lines.iter().map(entry).collect::<Option<Vec<_>>>()?;
            format!("{{ {} }}", entries.join(", "))
        }
    })
}

/// A text of several lines under its key.
struct Block {
    head: &'static str,
    body: String,
}

/// The text as a block, if it has several lines and a block can hold it.
fn block(text: &str, indent: usize) -> Option<Block> {
    let inner = text.strip_suffix('\n').unwrap_or(text);
    let holds = |c: char| c == '\n' || c == '\t' || (is_printable(c) && !is_break(c));
    let odd_start = text.starts_with([' ', '\n', '\t']);
    let odd_line = |line: &str| line.ends_with([' ', '\t']) || line.starts_with('\t');
    let fits = inner.contains('\n') && !inner.ends_with('\n') && text.chars().all(holds);
    if !fits || odd_start || inner.split('\n').any(odd_line) {
        return None;
    }
    let margin = " ".repeat(indent);
    let line = |line: &str| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{margin}{line}\n"),
    };
    let body = inner.split('\n').map(line).collect();
    Some(Block { head: if text.ends_with('\n') { "|" } else { "|-" }, body })
}

/// The text on one line: as it is where that is safe, else in quotes.
fn scalar(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str, in_flow: bool) -> bool {
    let safe = |c: char| {
        c.is_ascii_alphanumeric()
            || "_./@%+=~^-:$* ()".contains(c)
            || (!in_flow && "{},[]".contains(c))
            || (!c.is_ascii() && is_printable(c) && !is_break(c) && !c.is_whitespace())
    };
    let first = |c: char| c.is_alphanumeric() || "_./$".contains(c);
    let follows = |c: char| c.is_ascii_alphanumeric() || "/*:".contains(c);
    let odd = text.ends_with([' ', ':'])
        || text.contains(": ")
        || means_more(text)
        || (in_flow && text.split(':').skip(1).any(|rest| !rest.starts_with(follows)));
    text.starts_with(first) && text.chars().all(safe) && !odd
}

/// Whether YAML, of any version, takes the text for something other than text.
fn means_more(text: &str) -> bool {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "."];
    let number = |c: char| c.is_ascii_hexdigit() || "._+-:xXoOtTzZ ".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    words.contains(&text.to_lowercase().as_str())
        || (begins && text.chars().all(number))
        || [".inf", ".nan"].contains(&text.to_lowercase().as_str())
        || text == ".."
        || text.starts_with("...")
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) && !is_break(c) => out.push(c),
            c if u32::from(c) > 0xFFFF => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Line breaks to some readers, and no more than characters to others.
fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Source;
    use crate::document::{Node, Yaml, parse};

    fn text(text: &str) -> Draft {
        Draft::Text(text.to_owned())
    }

    fn read(lines: &[Line]) -> Node {
        let written = write(lines, 0);
        let source = Source::new("written.yaml", written.as_str());
        parse(Rc::clone(&source)).unwrap_or_else(|problems| panic!("{written}\n{problems:?}"))
    }

    /// What the parser makes of the text, as a draft.
    fn again(node: &Node) -> Draft {
        match &node.value {
            Yaml::Null => Draft::Word("null".to_owned()),
            Yaml::Scalar(scalar) if scalar.plain && is_word(&scalar.text) => {
                Draft::Word(scalar.text.clone())
            }
            Yaml::Scalar(scalar) => Draft::Text(scalar.text.clone()),
            Yaml::Sequence(items) => Draft::List(items.iter().map(again).collect()),
            Yaml::Mapping(all) => Draft::Map(
                all.iter().map(|(key, node)| Line::new(&key.text, again(node))).collect(),
            ),
        }
    }

    fn is_word(text: &str) -> bool {
        text == "true" || text == "false" || text.parse::<i64>().is_ok()
    }

    #[test]
    fn short_is_on_one_line_and_long_is_below() {
        let long =
            |n: usize| Draft::List((0..n).map(|i| text(&format!("subnet-{i}-of-it"))).collect());
        let policy = Draft::Map(vec![
            Line::new("Version", text("2012-10-17")),
            Line::new(
                "Statement",
                Draft::List(vec![Draft::Map(vec![
                    Line::new("Effect", text("Allow")),
                    Line::new("Action", Draft::List(vec![text("s3:GetObject"), text("s3:*")])),
                    Line::new("Resource", text("arn:aws:s3:::raw/*")),
                ])]),
            ),
        ]);
        let entry = Draft::Map(vec![
            Line::new("kind", text("s3_bucket")),
            Line::new("engine_version", text("1.10")),
            Line { remark: Some("outside".into()), ..Line::new("vpc", text("vpc-0a")) },
            Line::new("versioning", Draft::Word("true".into())),
            Line::new("few", long(2)),
            Line::new("many", long(7)),
            Line::new("policy", policy),
            Line::new("script", text("set -e\n\n  echo ok\n")),
            Line::new(
                "answers",
                Draft::List(["yes", "~", "", "a: b", "- a", "it's", "#x"].map(text).into()),
            ),
        ]);
        let lines = [Line { above: vec!["A comment.".into()], ..Line::new("raw", entry) }];
        insta::assert_snapshot!(write(&lines, 2));
    }

    #[test]
    fn what_reads_as_something_else_is_quoted() {
        for word in [
            "yes",
            "No",
            "null",
            "~",
            "1.10",
            "0x1f",
            "1e3",
            "2012-10-17",
            "12:30",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "[a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "-",
            "- a",
            "?",
            ".5",
            ".inf",
            "...",
            "---",
            "a:",
            "'a'",
            "\"a\"",
        ] {
            let lines = [Line::new("key", text(word)), Line::new(word, text("x"))];
            let written = write(&lines[..1], 0);
            assert!(written.contains('"'), "{written}");
            assert_eq!(again(&read(&lines)), Draft::Map(lines.to_vec()), "{written}");
        }
    }

    fn drafts() -> impl Strategy<Value = Draft> {
        let odd = "[ -~\u{85}\u{2028}\u{FEFF}\t\n\réß日😀:#'\"{}\\[\\],&*!|>%@`\\\\-]{0,30}";
        let lines = "([a-z :#-]{0,12}\n){0,4}[a-z ]{0,5}";
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| Draft::Word(n.to_string())),
            any::<bool>().prop_map(|b| Draft::Word(b.to_string())),
            "[a-zA-Z0-9._:/-]{0,20}".prop_map(Draft::Text),
            odd.prop_map(Draft::Text),
            lines.prop_map(Draft::Text),
            any::<String>().prop_map(Draft::Text),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof!["[a-z_]{1,8}", "[ -~é]{1,12}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Draft::List),
                prop::collection::btree_map(key, inner, 0..6).prop_map(|all| {
                    Draft::Map(all.into_iter().map(|(key, one)| Line::new(key, one)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(draft in drafts(), key in "[ -~]{1,20}") {
            let lines = [Line { remark: Some("why".into()), ..Line::new(key, draft) }];
            prop_assert_eq!(again(&read(&lines)), Draft::Map(lines.iter().map(|line| Line::new(&line.key, line.value.clone())).collect()));
        }
    }
}
