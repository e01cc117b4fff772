//! What a file of items is made of: frames with a length and a checksum.

use crate::snapshot::items::Wrong;
use crate::snapshot::items::block::{FULL, LONGEST_ITEM};

pub(super) const HEAD: usize = 24;
/// A header or an end longer than this is none.
const LONGEST_WORDS: usize = 64 << 10;

/// How a block's payload is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    #[default]
    None,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Header,
    Block,
    End,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub kind: FrameKind,
    pub packing: Packing,
    pub number: u32,
    pub items: u32,
    /// The payload as it is when unpacked.
    pub raw: u32,
    /// The payload as it is stored.
    pub stored: u32,
}

impl FrameHead {
    /// The head as it is written in front of this payload.
    pub fn sealed(&self, payload: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[0] = match self.kind {
            FrameKind::Header => b'H',
            FrameKind::Block => b'B',
            FrameKind::End => b'E',
        };
        head[1] = match self.packing {
            Packing::None => 0,
            Packing::Zstd => 1,
        };
        for (place, word) in [
            (4, self.number),
            (8, self.items),
            (12, self.raw),
            (16, self.stored),
        ] {
            head[place..place + 4].copy_from_slice(&word.to_le_bytes());
        }
        let checksum = checksum(&head, payload);
        head[20..].copy_from_slice(&checksum.to_le_bytes());
        head
    }

    /// Reads a head, and the checksum that its payload has to fit.
    pub fn read(head: &[u8; HEAD]) -> Result<(Self, u32), Wrong> {
        let kind = match head[0] {
            b'H' => FrameKind::Header,
            b'B' => FrameKind::Block,
            b'E' => FrameKind::End,
            _ => return Err(Wrong::Damaged("no frame begins here")),
        };
        let packing = match head[1] {
            0 => Packing::None,
            1 => Packing::Zstd,
            _ => {
                return Err(Wrong::Damaged(
                    "a block is packed in a way that nobody knows",
                ));
            }
        };
        if head[2..4] != [0, 0] {
            return Err(Wrong::Damaged("a frame's head holds what nobody knows"));
        }
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let read = Self {
            kind,
            packing,
            number: word(4),
            items: word(8),
            raw: word(12),
            stored: word(16),
        };
        read.check()?;
        Ok((read, word(20)))
    }

    /// A single item may be large; several never are.
    fn check(&self) -> Result<(), Wrong> {
        let limit = match (self.kind, self.items) {
            (FrameKind::Block, 1) => LONGEST_ITEM,
            // The last item that was taken in may reach over.
            (FrameKind::Block, _) => 2 * FULL,
            _ => LONGEST_WORDS,
        };
        // What cannot be packed may grow a little by trying.
        let most = limit + limit / 64 + 1024;
        for (what, claimed, limit) in [
            ("a frame", self.raw as usize, limit),
            ("a packed frame", self.stored as usize, most),
        ] {
            if claimed > limit {
                return Err(Wrong::TooLong {
                    what,
                    claimed: claimed as u64,
                    limit: limit as u64,
                });
            }
        }
        if self.packing == Packing::None && self.raw != self.stored {
            return Err(Wrong::Damaged("a frame has two lengths"));
        }
        Ok(())
    }
}

/// Over the head without its checksum, and over the payload.
pub(super) fn checksum(head: &[u8; HEAD], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[..20]), payload)
}
