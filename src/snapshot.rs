//! Snapshot files: what a server wrote of its keys, read without a server.
//!
//! [`rdb`] reads the format of Redis and Valkey, record by record and in constant memory, from
//! anything that can be read; [`unpack`] lifts gzip and zstd off before.

pub mod error;
pub mod rdb;
pub mod unpack;

pub use error::SnapshotError;
