//! A stack as an architecture diagram: what stands where, where data flows, who may do what.
//!
//! The stack becomes a [`Diagram`] of plain values; SVG, Mermaid and JSON are made of that.

mod collect;
mod fold;
pub mod json;
mod layout;
pub mod mermaid;
mod route;
pub mod svg;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::view::Deed;
pub use collect::{collect, strangers};

/// A stack as things in boxes with lines between them.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// Name of the stack.
    pub stack: String,
    /// Where it stands, when the file says so.
    pub region: Option<String>,
    /// How many resources it has.
    pub resources: usize,
    /// The boxes, each after the one that it lies in.
    pub areas: Vec<Area>,
    /// The things.
    pub nodes: Vec<Node>,
    /// The lines.
    pub edges: Vec<Edge>,
    /// What a plan does with it; `None` when no plan was asked for.
    pub plan: Option<Planned>,
}

/// A box around things that belong together.
#[derive(Clone, Debug)]
pub struct Area {
    /// What it is called.
    pub title: String,
    /// A colour's name in the SVG.
    pub tint: &'static str,
    /// The box around it.
    pub within: Option<usize>,
    /// The resource that it is, when it is one: a VPC.
    pub resource: Option<Node>,
}

/// One resource, or several that are alike.
#[derive(Clone, Debug)]
pub struct Node {
    /// The keys, in the order of the stack.
    pub keys: Vec<String>,
    /// What kind of thing.
    pub kind: String,
    /// What a reader wants to know of it: an engine, a version, a range of addresses.
    pub detail: String,
    /// Index of its box.
    pub area: usize,
    /// What the plan does with it.
    pub status: Option<Status>,
}

/// A line from where data or a permission comes from to where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Index of a node.
    pub from: usize,
    /// Index of another node.
    pub to: usize,
    /// What it stands for.
    pub nature: Nature,
    /// The field that makes it.
    pub field: String,
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// Data flows.
    Data,
    /// One may use, read or reach the other.
    Permission,
    /// One stands in the other.
    Placement,
    /// One has the other as a setting, or comes after it.
    Setting,
}

/// What a plan does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It is done.
    Planned(Deed),
    /// It can't be done.
    Blocked,
    /// It is as the stack wants it.
    Unchanged,
}

/// What is read of a plan in the form that `lagoa plan --json` has.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Planned {
    /// What isn't as the stack wants it.
    pub resources: Vec<PlannedResource>,
    /// Keys of what is.
    pub unchanged: Vec<String>,
}

/// A resource of a plan.
#[derive(Clone, Debug, Deserialize)]
pub struct PlannedResource {
    /// Its key.
    pub key: String,
    /// What kind of thing.
    pub kind: String,
    action: Deed,
    #[serde(default)]
    blocked: Option<serde_json::Value>,
    /// It is no longer in the stack file.
    #[serde(default)]
    pub orphan: bool,
}

impl PlannedResource {
    /// What the plan does with it.
    pub fn status(&self) -> Status {
        if self.blocked.is_some() { Status::Blocked } else { Status::Planned(self.action) }
    }
}

impl Planned {
    /// What it does with each resource, by key.
    fn statuses(&self) -> BTreeMap<&str, Status> {
        let unchanged = self.unchanged.iter().map(|key| (key.as_str(), Status::Unchanged));
        let changed = self.resources.iter().filter(|one| !one.orphan);
        unchanged.chain(changed.map(|one| (one.key.as_str(), one.status()))).collect()
    }

    /// How many resources of each, in the order of a plan's total.
    fn counts(&self) -> Vec<(Status, usize)> {
        let mut counts = BTreeMap::new();
        for one in &self.resources {
            *counts.entry(one.status()).or_default() += 1;
        }
        if !self.unchanged.is_empty() {
            counts.insert(Status::Unchanged, self.unchanged.len());
        }
        counts.into_iter().collect()
    }
}

impl Status {
    /// The mark that a plan has for it as text, so that colour isn't the only sign.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Planned(Deed::Create) => "+",
            Self::Planned(Deed::Update) => "~",
            Self::Planned(Deed::Replace) => "∓",
            Self::Planned(Deed::Adopt) => "<",
            Self::Planned(Deed::Seed) => ">",
            Self::Planned(Deed::Delete) => "−",
            Self::Planned(Deed::Retain) => "=",
            Self::Planned(Deed::Unread) => "?",
            Self::Blocked => "!",
            Self::Unchanged => "",
        }
    }

    /// What a count of it is called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Planned(Deed::Create) => "to create",
            Self::Planned(Deed::Update) => "to change",
            Self::Planned(Deed::Replace) => "to replace",
            Self::Planned(Deed::Adopt) => "to take over",
            Self::Planned(Deed::Seed) => "to seed",
            Self::Planned(Deed::Delete) => "to delete",
            Self::Planned(Deed::Retain) => "to leave in the account",
            Self::Planned(Deed::Unread) => "that can't be read",
            Self::Blocked => "blocked",
            Self::Unchanged => "unchanged",
        }
    }

    /// Its name in JSON.
    fn word(self) -> serde_json::Value {
        match self {
            Self::Planned(deed) => serde_json::json!(deed),
            Self::Blocked => "blocked".into(),
            Self::Unchanged => "unchanged".into(),
        }
    }

    /// The name of its colour.
    pub fn colour(self) -> &'static str {
        match self {
            Self::Planned(Deed::Create | Deed::Seed) => "create",
            Self::Planned(Deed::Update | Deed::Adopt) => "change",
            Self::Planned(Deed::Replace | Deed::Delete) => "delete",
            Self::Planned(Deed::Unread) | Self::Blocked => "blocked",
            Self::Planned(Deed::Retain) | Self::Unchanged => "same",
        }
    }
}

impl Nature {
    /// What it is called where lines are explained.
    pub fn words(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Permission => "permission",
            Self::Placement => "placement",
            Self::Setting => "setting or order",
        }
    }

    /// Its name as a class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Permission => "permission",
            Self::Placement => "placement",
            Self::Setting => "setting",
        }
    }
}

impl Node {
    /// The name under which it is drawn: its key, or what several keys have in common.
    pub fn title(&self) -> String {
        match self.keys.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            several => fold::common(several),
        }
    }

    /// The line below its name.
    pub fn subtitle(&self) -> String {
        let mut text = self.kind.clone();
        if self.keys.len() > 1 {
            text.push_str(&format!(" × {}", self.keys.len()));
        }
        if !self.detail.is_empty() {
            text.push_str(&format!(" · {}", self.detail));
        }
        text
    }
}

impl Diagram {
    /// Its title in words: what it shows, and what the plan does.
    pub fn summary(&self) -> String {
        let mut parts: Vec<String> = self.region.iter().cloned().collect();
        parts.push(super::style::counted(self.resources, "resource"));
        if let Some(plan) = &self.plan {
            let counts = plan.counts();
            let words = counts.iter().map(|(status, n)| format!("{n} {}", status.words()));
            parts.push(format!("plan: {}", words.collect::<Vec<_>>().join(", ")));
        }
        parts.join(" · ")
    }

    /// The natures that its lines have.
    pub fn natures(&self) -> Vec<Nature> {
        let mut natures: Vec<Nature> = self.edges.iter().map(|edge| edge.nature).collect();
        natures.sort_unstable();
        natures.dedup();
        natures
    }

    /// The statuses that its things have.
    pub fn statuses(&self) -> Vec<Status> {
        let areas = self.areas.iter().filter_map(|area| area.resource.as_ref()?.status);
        let mut all: Vec<Status> =
            self.nodes.iter().filter_map(|node| node.status).chain(areas).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Without the lines from box to box that only say where something stands: for forms whose
    /// lines don't go around things.
    pub fn without_long_placements(mut self) -> Self {
        let area = |node: usize| self.nodes[node].area;
        self.edges
            .retain(|edge| edge.nature != Nature::Placement || area(edge.from) == area(edge.to));
        self
    }

    /// The picture for readers: only lines that tell something, and what is alike in one piece.
    pub fn folded(self) -> Self {
        fold::folded(self)
    }
}
