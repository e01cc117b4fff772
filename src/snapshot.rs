//! Snapshots as files: what stands in them, and how they are kept.

pub mod keeping;
pub mod packing;
pub mod seal;
