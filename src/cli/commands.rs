//! One file a command. Each has `args` (its arguments, whose doc comments are its help) and `run`.

pub mod analyze;
pub mod completions;
pub mod delete;
pub mod demo;
pub mod hot;
pub mod info;
pub mod keys;
pub mod man;
pub mod open;
pub mod profiles;
pub mod replication;
pub mod schema;
pub mod show;
pub mod snapshot;
pub mod tree;
pub mod ttl;
pub mod watch;
