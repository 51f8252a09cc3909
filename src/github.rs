//! GitHub Actions: what the runner tells a step, what a step tells the runner, and the comment on
//! the pull request. Knows nothing of stacks and plans.

pub mod api;
pub mod commands;
pub mod comment;
pub mod environment;
pub mod masks;
pub mod outputs;
