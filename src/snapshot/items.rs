//! A Memcached server's items as a file: the form, without any server.
//!
//! ```text
//! file   "CDITEMS" version   header frame   block frames…   end frame
//! frame  kind, packing, reserved (2), number (4), items (4), raw length (4), stored length (4),
//!        CRC-32C of all that and of the payload (4), payload
//! ```
//!
//! All numbers are little-endian. Frames are numbered, so that a lost or doubled one is noticed; the
//! end says how many blocks and items there were, and nothing may follow it: a file that was cut is
//! never taken as whole. A block is a good MiB of items, or one item that is larger, so reading and
//! writing take constant memory. Nothing is allocated on a claim: what a frame says of its length is
//! checked against limits first, and memory grows with what really comes.
//!
//! Moments of items are seconds of the server's clock, as it tells them; the header says how that clock
//! stood beside ours.

mod block;
mod frame;
mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::io;

use thiserror::Error;

use crate::model::UnixMs;

pub use block::{Block, Items};
pub use frame::Packing;
pub use header::{End, Header};
pub use reader::Reader;
pub use writer::Writer;

/// How a file of items begins; the next byte is the version.
pub const MAGIC: &[u8; 7] = b"CDITEMS";
/// What is written.
pub const VERSION: u8 = b'1';

/// The longest key that Memcached knows.
pub const LONGEST_KEY: usize = 250;
/// The longest value: what `-I` allows at most.
pub const LONGEST_VALUE: usize = 1 << 30;

/// A second since 1970 on the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerSecond(pub u32);

/// What an application had left on an item for others to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Marked as stale (`md … I`): still served, to be fetched anew.
    pub is_stale: bool,
    /// Somebody had been told to fetch it anew.
    pub is_awaited: bool,
}

/// An item, all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub key: &'a [u8],
    pub facts: ItemFacts,
    pub value: &'a [u8],
}

/// What is known of an item beside key and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemFacts {
    /// The client's flags.
    pub flags: u32,
    /// `None`: it never expires.
    pub expires: Option<ServerSecond>,
    /// `None`: not told.
    pub cas: Option<u64>,
    /// The last access that moved it in its queue; `None`: not told.
    pub accessed: Option<ServerSecond>,
    pub marks: Marks,
}

/// Why a file of items cannot be read.
#[derive(Debug, Error)]
#[error("at byte {at}: {what}")]
pub struct ItemsError {
    /// Where in the file.
    pub at: u64,
    pub what: Wrong,
}

/// What is wrong with a file of items.
#[derive(Debug, Error)]
pub enum Wrong {
    #[error("this is no file of Memcached items")]
    NotItems,
    #[error("its form is version {0}, and this program reads version 1")]
    Version(char),
    #[error("the file was cut: {0} should be here")]
    Cut(&'static str),
    #[error("{what} claims {claimed}, and {limit} is the most there can be")]
    TooLong {
        what: &'static str,
        claimed: u64,
        limit: u64,
    },
    #[error("damaged: its checksum is {stored:08x}, and the bytes make {computed:08x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("damaged: {0}")]
    Damaged(&'static str),
    #[error("bytes follow the end")]
    GoesOn,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ServerSecond {
    /// As a moment of that clock.
    pub fn moment(self) -> UnixMs {
        UnixMs(i64::from(self.0) * 1_000)
    }
}
