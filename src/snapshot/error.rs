//! Why a snapshot cannot be read: where, and what was expected there.

use std::io;

use thiserror::Error;

use crate::snapshot::rdb::Flavour;

/// Offsets count from the first byte of the snapshot, after decompression.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("it is no snapshot: it begins with {found}, not with REDIS or VALKEY and a version")]
    NotASnapshot {
        /// Safe to show.
        found: String,
    },
    #[error(
        "it holds items of Memcached: `snapshot inspect`, `verify`, `diff` and `restore` read those"
    )]
    Items,
    #[error(
        "it is written in version {version} of the format of {flavour}; versions up to {most} are read"
    )]
    Future {
        flavour: Flavour,
        version: u32,
        most: u32,
    },
    #[error("it is cut off: it ends at byte {at}, where {expected} was expected")]
    Cut { at: u64, expected: &'static str },
    #[error("it is damaged: {what} at byte {at}")]
    Corrupt { at: u64, what: &'static str },
    #[error("byte {at} holds {code}, where {expected} was expected")]
    Unknown {
        at: u64,
        code: u8,
        expected: &'static str,
    },
    #[error(
        "the key at byte {at} is of a module in a format of Redis 4.0's release candidates, which does not say how long it is"
    )]
    OldModule { at: u64 },
    #[error("{what} at byte {at} claims {claimed} bytes; {limit} is the most that is read at once")]
    Limit {
        at: u64,
        what: &'static str,
        claimed: u64,
        limit: u64,
    },
    #[error("the checksum is wrong: {told:016x} is written, the bytes before it give {found:016x}")]
    Checksum { told: u64, found: u64 },
    #[error("reading stopped at byte {at}: {error}")]
    Io { at: u64, error: io::Error },
}
