//! Snapshots as files: what stands in them, how they are kept whole, and how two are compared.
//!
//! [`rdb`] reads the format of Redis and Valkey, record by record and in constant memory, from
//! anything that can be read; [`unpack`] lifts gzip and zstd off before. [`contents`] goes through a
//! whole file and says what is in it beside the keys. [`items`] is our own form for what Memcached holds.
//! [`keeping`] writes files that are whole or not there, [`packing`] makes them smaller, [`seal`] checks
//! them while they pass, and [`diff`] compares two keyspaces of any size.

pub mod contents;
pub mod diff;
pub mod error;
pub mod items;
pub mod keeping;
pub mod packing;
pub mod rdb;
pub mod seal;
pub mod unpack;

pub use contents::{Contents, Verified, verify};
pub use error::SnapshotError;
