//! Comparing two keyspaces, whatever they came from: exact, and in little memory.
//!
//! Each side is fed key by key, in any order, on whatever thread it comes from. Keys are spread over
//! partitions by a hash of their names, and what does not fit in memory goes to a temporary file
//! without a name. Then partition after partition of one side is held against the same partition of the
//! other, some at once. A partition that would still be too large is gone over in slices. So memory
//! depends on neither number of keys, and no key is compared by its hash alone.
//!
//! Values are compared by a digest of 128 bits, which whoever feeds the sides computes: [`digest`] for
//! what is bytes alone, [`digest_value`] for what a snapshot holds.

mod join;
mod mix;
mod side;
mod snapshot;
#[cfg(test)]
mod tests;
mod value;
mod vectors;

use std::time::Duration;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::model::{Bytes, UnixMs};

pub use join::join;
pub use side::Side;
pub use snapshot::{FromSnapshot, SnapshotAsk, kind_number, kind_word, made_at, side_of_snapshot};
pub use value::{Digested, digest_value};

/// The digest of a value that could not be read: it differs from none.
pub const UNREAD: u128 = 0;

/// A key of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The numbered database.
    pub space: u32,
    pub key: &'a [u8],
    pub facts: Facts,
    /// Of the value, by [`digest`], [`digest_value`] or a [`Digest`]; or [`UNREAD`].
    pub digest: u128,
}

/// What is compared of a key beside its value, and its size, which is only told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What must be the same as well: the number of a type, the flags of a client.
    pub kind: u32,
    /// When it expires, on a clock that both sides share; `None`: never.
    pub ends: Option<UnixMs>,
    pub size: Bytes,
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffAsk {
    /// Times to live that differ by no more than this are the same.
    pub tolerance: Duration,
    /// What the comparison may take in memory, both sides together.
    pub memory: Bytes,
}

impl Default for DiffAsk {
    fn default() -> Self {
        Self {
            tolerance: Duration::from_secs(1),
            memory: Bytes(96 << 20),
        }
    }
}

/// A key that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: What,
    pub space: u32,
    pub key: Vec<u8>,
    /// On the left side.
    pub before: Option<Facts>,
    /// On the right side.
    pub after: Option<Facts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Only the right side has it.
    Added,
    /// Only the left side has it.
    Removed,
    Changed {
        in_kind: bool,
        in_value: bool,
        in_ttl: bool,
    },
    /// The same but for its time to live.
    TtlChanged,
}

/// Keys and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub keys: u64,
    pub bytes: u64,
}

/// How many keys are what. Bytes of keys that are on both sides are those of the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub added: Count,
    pub removed: Count,
    pub changed: Count,
    pub ttl_changed: Count,
    pub same: Count,
    /// Came more than once on one side; the first one counts.
    pub repeated: u64,
}

impl What {
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed { .. } => "changed",
            Self::TtlChanged => "ttl_changed",
        }
    }
}

impl Count {
    fn add(&mut self, bytes: Bytes) {
        self.keys += 1;
        self.bytes += bytes.0;
    }

    fn merge(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
    }
}

impl Tally {
    pub fn differs(&self) -> bool {
        [self.added, self.removed, self.changed, self.ttl_changed]
            .iter()
            .any(|count| count.keys > 0)
    }

    fn merge(&mut self, other: &Self) {
        self.added.merge(other.added);
        self.removed.merge(other.removed);
        self.changed.merge(other.changed);
        self.ttl_changed.merge(other.ttl_changed);
        self.same.merge(other.same);
        self.repeated += other.repeated;
    }
}

/// The digest of a value that is there in one piece.
pub fn digest(value: &[u8]) -> u128 {
    xxh3_128(value)
}

/// The digest of a value that comes in pieces: the same as of all of them in one. Whoever feeds
/// elements has to mark where they end.
#[derive(Clone)]
pub struct Digest(Xxh3);

impl Default for Digest {
    fn default() -> Self {
        Self(Xxh3::new())
    }
}

impl Digest {
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn finish(&self) -> u128 {
        self.0.digest128()
    }
}
