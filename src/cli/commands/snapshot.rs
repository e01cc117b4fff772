//! `snapshot …`: trigger one, follow it, fetch one as a file, look into it, bring it back, look back.

pub mod begun;
pub mod create;
pub mod diff;
pub mod fetch;
mod follow;
pub mod inspect;
pub mod list;
pub mod opening;
pub mod restore;
pub mod rewrite;
pub mod status;
pub mod verify;
