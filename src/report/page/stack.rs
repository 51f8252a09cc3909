//! The page of the stack file: what is in it besides the kinds' own fields.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{Field, field, markdown, terminal};
use crate::report::style::{Ink, Style, columns};

/// The page's words; the tables go where their names stand in braces.
const TEXT: &str = include_str!("stack.md");

/// What `${…}` may hold, and what it stands for.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("${var.NAME}", "the value of a variable"),
    ("${env.NAME}", "the environment variable of whoever runs lagoa"),
    ("${stack.name}", "the stack's name"),
    ("${aws.account}", "the account's twelve digits"),
    ("${aws.region}", "the region"),
    ("${aws.partition}", "`aws`, `aws-cn` or `aws-us-gov`"),
    ("${aws.default_vpc}", "the id of the region's default VPC"),
    ("${aws.default_subnets}", "the ids of that VPC's subnets; for lists"),
    ("${each.key}", "the item's name, where `for_each` is"),
    ("${each.value}", "the item's value; `${each.value.member}` goes deeper"),
    ("${KEY.FIELD}", "a field of another resource, once that stands"),
    ("${NETWORK.PART}", "a part of a `network`, such as `${lake.public_subnets}`"),
    ("${aws:username}", "a variable of IAM policies, which stays as it is"),
    ("$${", "a literal `${`"),
];

/// The page of the stack file.
#[derive(Clone, Debug, Serialize)]
pub struct StackPage {
    /// The fields at the top of the file.
    pub top: Vec<Field>,
    /// What every resource may have beside its kind's fields.
    pub resource: Vec<Field>,
    /// What `${…}` may hold.
    pub expressions: Vec<Expression>,
}

/// What may stand in `${…}`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Expression {
    /// As it is written.
    pub written: &'static str,
    /// What it stands for.
    pub means: &'static str,
}

impl StackPage {
    /// The page that the schemas of a file and of a resource in it describe.
    pub fn of(top: &Value, resource: &Value) -> Self {
        let expressions = EXPRESSIONS.iter().map(|&(written, means)| Expression { written, means });
        Self {
            top: field::fields(top),
            resource: field::fields(resource),
            expressions: expressions.collect(),
        }
    }

    /// As a Markdown file.
    pub fn markdown(&self) -> String {
        let none = BTreeSet::new();
        let rows =
            self.expressions.iter().map(|one| format!("| `{}` | {} |\n", one.written, one.means));
        let expressions = format!("| written | means |\n|---|---|\n{}", rows.collect::<String>());
        TEXT.replace("{top}\n", &markdown::fields(&self.top, &none))
            .replace("{resource}\n", &markdown::fields(&self.resource, &none))
            .replace("{expressions}\n", &expressions)
    }

    /// For a terminal.
    pub fn terminal(&self, style: Style) -> String {
        let rows = self.expressions.iter().map(|one| {
            let means = one.means.replace('`', "");
            vec![style.paint(Ink::Good, one.written), means]
        });
        format!(
            "{}\n{}\n{}\n{}",
            terminal::fields("At the top of a stack file", &self.top, style),
            terminal::fields("Beside the fields of any resource", &self.resource, style),
            style.paint(Ink::Strong, "In any text"),
            columns(&rows.collect::<Vec<_>>(), "  "),
        )
    }
}
