//! Snapshot files: what a server wrote of its keys, read without a server.
//!
//! [`rdb`] reads the format of Redis and Valkey, record by record and in constant memory, from
//! anything that can be read; [`unpack`] lifts gzip and zstd off before. [`contents`] goes through a
//! whole file and says what is in it beside the keys, [`survey`] analyses the keys.

pub mod contents;
pub mod error;
pub mod rdb;
pub mod survey;
pub mod unpack;

pub use contents::{Contents, Verified, verify};
pub use error::SnapshotError;
pub use survey::{Survey, survey};
