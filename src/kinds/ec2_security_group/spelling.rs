//! How the parts of a rule are written: by people, and by EC2.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::reference::is_marked;

/// What EC2 takes as the description of a group or a rule.
pub fn description_problem(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.is_empty() {
        return Some("a description can't be empty: leave it out".to_owned());
    }
    if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
        return Some(format!(
            "EC2 doesn't take `{odd}` in a description, only letters without accents, digits, \
             spaces and ._-:/()#,@[]+=&;{{}}!$*"
        ));
    }
    (text.len() > 255).then(|| "a description has at most 255 characters".to_owned())
}

/// What a protocol's rules are about beside the peer.
#[derive(Clone, Copy, PartialEq)]
pub enum Sort {
    /// Ports.
    Ports,
    /// Types and codes of messages.
    Icmp,
    /// Nothing else.
    Other,
}

/// What the rules of a protocol are about.
pub fn sort(protocol: &str) -> Sort {
    match protocol {
        "tcp" | "udp" => Sort::Ports,
        "icmp" | "icmpv6" => Sort::Icmp,
        _ => Sort::Other,
    }
}

/// A protocol by its name, where EC2 has one for it.
pub fn canonical_protocol(text: &str) -> String {
    if is_marked(text) {
        return text.to_owned();
    }
    let text = text.trim().to_ascii_lowercase();
    let name = match text.as_str() {
        "-1" => "all",
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        "58" | "icmp6" => "icmpv6",
        other => other,
    };
    name.to_owned()
}

/// The first and the last port that a text means.
pub fn span(text: &str) -> Result<(i32, i32), String> {
    if text.trim() == "all" {
        return Ok((0, 65535));
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
        (Ok(from), Ok(to)) if from <= to => Ok((from.into(), to.into())),
        (Ok(_), Ok(_)) => Err(format!("ports `{text}`: the first port is above the last")),
        _ => Err(format!(
            "ports `{text}`: write one (5432), a range (8000-8100) or `all`; ports go from 0 to \
             65535"
        )),
    }
}

/// The text for a range of ports; -1 is how EC2 may say all of them.
pub fn ports_text(from: i32, to: i32) -> String {
    match (from, to) {
        (..=0, -1 | 65535) => "all".to_owned(),
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}-{to}"),
    }
}

/// The ICMP type and code that a text means; -1 is all of them.
pub fn message(text: &str) -> Result<(i32, i32), String> {
    if text.trim() == "all" {
        return Ok((-1, -1));
    }
    let part = |text: &str| text.trim().parse::<u8>().map(i32::from);
    let parts = match text.split_once('/') {
        Some((kind, code)) => part(kind).and_then(|kind| Ok((kind, part(code)?))),
        None => part(text).map(|kind| (kind, -1)),
    };
    parts.map_err(|_| format!("icmp `{text}`: write a type (8), a type and a code (3/4) or `all`"))
}

/// The text for an ICMP type and code.
pub fn icmp_text(kind: i32, code: i32) -> String {
    match (kind, code) {
        (..=-1, _) => "all".to_owned(),
        (kind, ..=-1) => kind.to_string(),
        (kind, code) => format!("{kind}/{code}"),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl From<TextOrNumber> for String {
    fn from(value: TextOrNumber) -> Self {
        match value {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}

/// Text that may be written as a number.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    TextOrNumber::deserialize(deserializer).map(Into::into)
}

/// Text that may be written as a number, or left out.
pub fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Option::<TextOrNumber>::deserialize(deserializer)?.map(Into::into))
}

/// See [`text`].
pub fn text_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer"] })
}

/// See [`optional_text`].
pub fn optional_text_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer", "null"] })
}
