//! Snapshots as files: what stands in them, and how they are kept.

pub mod diff;
pub mod items;
pub mod keeping;
