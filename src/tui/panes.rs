//! The screens that a person moves between.

pub mod keys;
