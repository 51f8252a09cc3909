//! Puts statements on paper: documents that IAM takes, as few as it can be.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::statement::{Statement, merged};

/// Characters of a managed policy, white space not counted.
pub const LIMIT: usize = 6144;
/// Managed policies that a role can have, unless the account's quota is higher.
pub const MOST: usize = 10;

/// The documents of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Paper {
    /// To be attached all of them.
    pub documents: Vec<Value>,
    /// Names were given up for wildcards, because there are more than IAM takes.
    pub coarse: bool,
}

/// As many documents as are needed; with wildcards for names when a role couldn't have them all.
pub fn write(statements: Vec<Statement>) -> Paper {
    let documents = documents(&statements);
    if documents.len() <= MOST {
        return Paper { documents, coarse: false };
    }
    let coarse = statements.into_iter().map(coarser).collect();
    Paper { documents: self::documents(&merged(coarse)), coarse: true }
}

fn documents(statements: &[Statement]) -> Vec<Value> {
    let empty = json!({ "Version": "2012-10-17", "Statement": [] });
    let room = LIMIT - size(&empty);
    let mut pages: Vec<(usize, Vec<Value>)> = Vec::new();
    for statement in statements.iter().flat_map(|statement| pieces(statement.clone(), room)) {
        let statement = statement.json();
        // A comma stands between two.
        let takes = size(&statement) + 1;
        match pages.iter_mut().find(|(used, _)| used + takes <= room) {
            Some((used, page)) => {
                *used += takes;
                page.push(statement);
            }
            None => pages.push((takes, vec![statement])),
        }
    }
    let document = |page: Vec<Value>| json!({ "Version": "2012-10-17", "Statement": page });
    pages.into_iter().map(|(_, page)| document(page)).collect()
}

/// Characters that IAM counts.
pub fn size(value: &Value) -> usize {
    value.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

/// The statement, cut in halves until each piece fits.
fn pieces(statement: Statement, room: usize) -> Vec<Statement> {
    let whole = size(&statement.json()) < room;
    if whole || (statement.resources.len() < 2 && statement.actions.len() < 2) {
        return vec![statement];
    }
    let halves = |all: &BTreeSet<String>| {
        let (first, second): (Vec<_>, Vec<_>) =
            all.iter().cloned().enumerate().partition(|(at, _)| *at < all.len() / 2);
        [first, second].map(|half| half.into_iter().map(|(_, one)| one).collect())
    };
    let halves: [Statement; 2] = if statement.resources.len() > 1 {
        halves(&statement.resources).map(|resources| Statement { resources, ..statement.clone() })
    } else {
        halves(&statement.actions).map(|actions| Statement { actions, ..statement.clone() })
    };
    halves.into_iter().flat_map(|half| pieces(half, room)).collect()
}

/// One ARN for all of a sort: what they begin with, and a wildcard.
fn coarser(statement: Statement) -> Statement {
    let mut sorts: Vec<(String, String)> = Vec::new();
    for resource in &statement.resources {
        let sort = sort(resource);
        match sorts.iter_mut().find(|(other, _)| *other == sort) {
            Some((_, begins)) => *begins = shared(begins, resource),
            None => sorts.push((sort, resource.clone())),
        }
    }
    Statement { resources: sorts.into_iter().map(|(_, arn)| arn).collect(), ..statement }
}

/// The ARN up to the name of what it is of, and whether the name goes deeper: objects of a bucket
/// aren't buckets.
fn sort(arn: &str) -> String {
    let own = arn.splitn(6, ':').last().unwrap_or_default();
    let words = own.find([':', '/']).filter(|_| !arn.contains(":s3:")).map_or(0, |at| at + 1);
    let deeper = arn.contains(":s3:") && own.contains('/');
    format!("{}{deeper}", &arn[..arn.len() - own.len() + words])
}

fn shared(a: &str, b: &str) -> String {
    let ends = if a.ends_with("/*") && b.ends_with("/*") { "*/*" } else { "*" };
    let a = a.trim_end_matches("/*").trim_end_matches('*');
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    format!("{}{ends}", same.map(|(c, _)| c).collect::<String>())
}
