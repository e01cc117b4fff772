//! `snapshot …`: trigger one, follow it, look back.

pub mod create;
pub mod status;
