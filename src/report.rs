//! Turns plans, events and problems into what people and machines read.
//! Nothing else writes to the terminal.

pub mod annotations;
pub mod dangers;
pub mod diagram;
pub mod findings;
pub mod guardrails;
pub mod history;
pub mod json;
pub mod live;
pub mod markdown;
pub mod page;
pub mod plan;
pub mod policy;
pub mod problems;
pub mod progress;
pub mod stacks;
pub mod style;
pub mod summary;
pub mod terminal;
pub mod timeline;
pub mod value;
pub mod view;
