//! `snapshot …`: trigger one, follow it, look back, take one as a file.

pub mod create;
pub mod fetch;
pub mod status;
