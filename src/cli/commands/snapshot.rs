//! `snapshot …`: trigger one, follow it, take one as a file, look into it, bring it back.

pub mod create;
pub mod diff;
pub mod fetch;
pub mod restore;
pub mod status;
pub mod verify;
