//! Writing a file of items.

use std::io::{self, Write};

use zstd::bulk::Compressor;

use crate::snapshot::items::frame::{FrameHead, FrameKind};
use crate::snapshot::items::{Block, End, Header, MAGIC, Packing, VERSION};

/// Fast: the network and the server are to be what takes time.
const LEVEL: i32 = 1;

/// Writes blocks behind a header. Without `finish` there is no end, and no reader takes it as whole.
pub struct Writer<W> {
    sink: W,
    packer: Option<Compressor<'static>>,
    number: u32,
    items: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// # Errors
    /// When nothing can be written.
    pub fn new(mut sink: W, header: &Header, packing: Packing) -> io::Result<Self> {
        sink.write_all(MAGIC)?;
        sink.write_all(&[VERSION])?;
        let mut writer = Self {
            sink,
            packer: match packing {
                Packing::None => None,
                Packing::Zstd => Some(Compressor::new(LEVEL)?),
            },
            number: 0,
            items: 0,
            bytes: 0,
        };
        writer.frame(FrameKind::Header, 0, &header.written(), Packing::None)?;
        Ok(writer)
    }

    /// # Errors
    /// When it cannot be written.
    pub fn block(&mut self, block: &Block) -> io::Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        if block.owed() > 0 {
            return Err(io::Error::other("a value is not whole"));
        }
        self.items += u64::from(block.items);
        self.bytes += block.bytes.len() as u64;
        let packed = match &mut self.packer {
            None => None,
            Some(packer) => Some(packer.compress(&block.bytes)?),
        };
        // What does not become smaller is stored as it is.
        match packed.filter(|packed| packed.len() < block.bytes.len()) {
            None => self.frame(FrameKind::Block, block.items, &block.bytes, Packing::None),
            Some(packed) => {
                let head = FrameHead {
                    kind: FrameKind::Block,
                    packing: Packing::Zstd,
                    number: self.number,
                    items: block.items,
                    raw: length(&block.bytes)?,
                    stored: length(&packed)?,
                };
                self.sealed(head, &packed)
            }
        }
    }

    /// Items written so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    pub fn sink(&self) -> &W {
        &self.sink
    }

    /// Says that this is all. What was counted here is filled in.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, end: End) -> io::Result<(W, End)> {
        let end = End {
            blocks: u64::from(self.number - 1),
            items: self.items,
            bytes: self.bytes,
            ..end
        };
        self.frame(FrameKind::End, 0, &end.written(), Packing::None)?;
        self.sink.flush()?;
        Ok((self.sink, end))
    }

    fn frame(
        &mut self,
        kind: FrameKind,
        items: u32,
        payload: &[u8],
        packing: Packing,
    ) -> io::Result<()> {
        let head = FrameHead {
            kind,
            packing,
            number: self.number,
            items,
            raw: length(payload)?,
            stored: length(payload)?,
        };
        self.sealed(head, payload)
    }

    fn sealed(&mut self, head: FrameHead, payload: &[u8]) -> io::Result<()> {
        self.sink.write_all(&head.sealed(payload))?;
        self.sink.write_all(payload)?;
        self.number = self
            .number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("too many blocks"))?;
        Ok(())
    }
}

fn length(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::Error::other("a block is too long"))
}
