//! `snapshot …`: trigger one, follow it, fetch one, look back.

mod begun;
pub mod create;
pub mod fetch;
mod follow;
pub mod list;
pub mod rewrite;
pub mod status;
