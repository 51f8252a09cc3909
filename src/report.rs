//! Turns plans, events and problems into what people read.

pub mod problems;
