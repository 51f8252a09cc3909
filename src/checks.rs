//! Security checks: what a stack says, or leaves to AWS's own defaults, that an auditor would ask
//! about. Pure functions over the fields of resources; they know neither AWS nor the terminal.
//!
//! Every check is one entry in the slice of its group. The slices feed the run, the list that
//! `lagoa show checks` prints, and the words that `skip_checks` may take.

mod access;
mod dms;
mod ec2;
mod eks;
mod emr;
mod iam;
mod kms;
mod logs;
mod rds;
mod redshift;
mod s3;
mod secrets;
mod settled;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::kind::Neighbours;
use crate::reference::is_marked;
pub use settled::{SETTLED, Settled};

/// How much harm it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good practice; matters in production.
    Low,
    /// One of several layers is missing.
    Medium,
    /// A single mistake elsewhere is enough.
    High,
    /// Open to the world, or to everything.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// One security check.
pub struct Check {
    /// What people call it by: `S3-VERSIONING`.
    pub id: &'static str,
    /// How much harm it can do.
    pub severity: Severity,
    /// The kinds that it looks at.
    pub kinds: &'static [&'static str],
    /// What it asks for, in one sentence.
    pub requires: &'static str,
    /// What to write in the stack.
    pub remedy: &'static str,
    /// What Checkov calls it.
    pub checkov: &'static [&'static str],
    /// What AWS's Foundational Security Best Practices call it.
    pub fsbp: &'static [&'static str],
    /// What doesn't meet it in a resource.
    find: fn(&Subject<'_>) -> Vec<Spot>,
}

/// The place of a finding in a resource, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Path of the field: `ingress[0]`.
    pub field: String,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl Spot {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// A spot where the condition holds.
    fn when(wrong: bool, field: &str, message: &str) -> Vec<Self> {
        if wrong { vec![Self::new(field, message)] } else { Vec::new() }
    }
}

/// A resource under a check, among the others of its stack.
pub struct Subject<'a> {
    /// Its key in the stack.
    pub key: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its fields, defaults filled in and sets in their own order.
    pub fields: &'a Value,
    /// Its fields as written, in the order of the file: what paths with numbers lead into.
    pub written: &'a Value,
    /// The stack around it.
    pub among: &'a Neighbours<'a>,
}

impl Subject<'_> {
    /// A flag, if the stack sets it.
    fn flag(&self, field: &str) -> Option<bool> {
        self.fields[field].as_bool()
    }

    /// Whether the stack leaves the field to AWS.
    fn left_out(&self, field: &str) -> bool {
        match &self.fields[field] {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    /// A text whose value is known without AWS.
    fn text(&self, field: &str) -> Option<&str> {
        self.fields[field].as_str().filter(|text| !is_marked(text))
    }

    /// A whole number.
    fn number(&self, field: &str) -> Option<i64> {
        self.fields[field].as_i64()
    }
}

/// What a check found in a resource.
pub struct Found {
    /// The check.
    pub check: &'static Check,
    /// Where and what.
    pub spot: Spot,
}

const GROUPS: &[&[Check]] = &[
    s3::CHECKS,
    iam::CHECKS,
    ec2::CHECKS,
    rds::CHECKS,
    dms::CHECKS,
    emr::CHECKS,
    eks::CHECKS,
    redshift::CHECKS,
    secrets::CHECKS,
    kms::CHECKS,
    logs::CHECKS,
];

/// Every check, in the order of the groups.
pub fn all() -> impl Iterator<Item = &'static Check> {
    GROUPS.iter().copied().flatten()
}

/// The check of that name.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// Everything that the checks find in a resource.
pub fn run(subject: &Subject<'_>) -> Vec<Found> {
    let mine = all().filter(|check| check.kinds.contains(&subject.kind));
    mine.flat_map(|check| (check.find)(subject).into_iter().map(move |spot| Found { check, spot }))
        .collect()
}
