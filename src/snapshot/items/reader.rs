//! Reading a file of items.

use std::io::{self, Read};

use crate::snapshot::items::frame::{FrameHead, FrameKind, HEAD, checksum};
use crate::snapshot::items::{Block, End, Header, ItemsError, MAGIC, Packing, VERSION, Wrong};

/// A payload's room grows by this much at first.
const FIRST_ROOM: usize = 64 << 10;
/// The window that an unpacked block may look back on: what level 1 writes, and then some.
const WINDOW_LOG: u32 = 27;

/// Reads block after block. After the end it has seen that the file is whole.
pub struct Reader<R> {
    source: R,
    at: u64,
    header: Header,
    number: u32,
    items: u64,
    bytes: u64,
    stored: Vec<u8>,
    block: Block,
    unpacker: Option<zstd::zstd_safe::DCtx<'static>>,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Reads up to the first block.
    ///
    /// # Errors
    /// When the file is none, is of a later version, or is damaged here.
    pub fn new(source: R) -> Result<Self, ItemsError> {
        let mut reader = Self {
            source,
            at: 0,
            header: Header::default(),
            number: 0,
            items: 0,
            bytes: 0,
            stored: Vec::new(),
            block: Block::default(),
            unpacker: None,
            end: None,
        };
        reader.begin().map_err(|what| ItemsError { at: 0, what })?;
        let head = reader.frame()?;
        let at = reader.at;
        let wrong = |what| ItemsError { at, what };
        if head.kind != FrameKind::Header || head.packing != Packing::None {
            return Err(wrong(Wrong::Damaged("the header is missing")));
        }
        reader.header = Header::read(&reader.stored).map_err(wrong)?;
        Ok(reader)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the end said, once it was read.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Blocks read so far.
    pub fn blocks(&self) -> u64 {
        u64::from(self.number).saturating_sub(1)
    }

    /// Bytes of the file read so far.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next block; `None` when the file has ended as it should. Every item in it can be read.
    ///
    /// # Errors
    /// When the file is cut, damaged, or cannot be read.
    pub fn block(&mut self) -> Result<Option<&mut Block>, ItemsError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let begins = self.at;
        let head = self.frame()?;
        let wrong = |what| ItemsError { at: begins, what };
        match head.kind {
            FrameKind::Header => Err(wrong(Wrong::Damaged("a second header"))),
            FrameKind::End => {
                self.close(&head).map_err(wrong)?;
                Ok(None)
            }
            FrameKind::Block => {
                self.open(&head).map_err(wrong)?;
                self.items += u64::from(head.items);
                self.bytes += u64::from(head.raw);
                Ok(Some(&mut self.block))
            }
        }
    }

    fn begin(&mut self) -> Result<(), Wrong> {
        let mut magic = [0; MAGIC.len() + 1];
        let read = self.fill(&mut magic)?;
        if !magic[..read].starts_with(MAGIC) {
            return Err(if read < MAGIC.len() && MAGIC.starts_with(&magic[..read]) {
                Wrong::Cut("the head")
            } else {
                Wrong::NotItems
            });
        }
        match magic[MAGIC.len()] {
            _ if read < magic.len() => Err(Wrong::Cut("the head")),
            VERSION => Ok(()),
            other => Err(Wrong::Version(if other.is_ascii_graphic() {
                other.into()
            } else {
                '?'
            })),
        }
    }

    /// Reads a frame's payload into `stored`.
    fn frame(&mut self) -> Result<FrameHead, ItemsError> {
        let begins = self.at;
        self.read_frame()
            .map_err(|what| ItemsError { at: begins, what })
    }

    fn read_frame(&mut self) -> Result<FrameHead, Wrong> {
        let mut head = [0; HEAD];
        if self.fill(&mut head)? < HEAD {
            return Err(Wrong::Cut("a frame"));
        }
        let (frame, sum) = FrameHead::read(&head)?;
        let length = frame.stored as usize;
        self.stored.clear();
        // Room comes with what is read: a claim alone gets little.
        self.stored.reserve(length.min(FIRST_ROOM));
        let read = (&mut self.source)
            .take(length as u64)
            .read_to_end(&mut self.stored)?;
        self.at += read as u64;
        if read < length {
            return Err(Wrong::Cut("the rest of a frame"));
        }
        let computed = checksum(&head, &self.stored);
        if computed != sum {
            return Err(Wrong::Checksum {
                stored: sum,
                computed,
            });
        }
        if frame.number != self.number {
            return Err(Wrong::Damaged("a frame is missing or stands twice"));
        }
        self.number = self.number.wrapping_add(1);
        Ok(frame)
    }

    /// Unpacks a block and looks whether all of its items can be read.
    fn open(&mut self, head: &FrameHead) -> Result<(), Wrong> {
        self.block.clear();
        match head.packing {
            Packing::None => std::mem::swap(&mut self.block.bytes, &mut self.stored),
            Packing::Zstd => self.unpack(head)?,
        }
        self.block.items = head.items;
        if self.block.bytes.len() != head.raw as usize {
            return Err(Wrong::Damaged("a block has another length than it says"));
        }
        let mut items = self.block.iter();
        items.try_for_each(|item| item.map(drop))?;
        if items.rest() > 0 || head.items == 0 {
            return Err(Wrong::Damaged("a block has other items than it says"));
        }
        Ok(())
    }

    fn unpack(&mut self, head: &FrameHead) -> Result<(), Wrong> {
        let broken = |_: io::Error| Wrong::Damaged("a block cannot be unpacked");
        let context = self
            .unpacker
            .get_or_insert_with(zstd::zstd_safe::DCtx::create);
        let mut unpacked =
            zstd::stream::read::Decoder::with_context(self.stored.as_slice(), context);
        unpacked.window_log_max(WINDOW_LOG).map_err(broken)?;
        let most = u64::from(head.raw) + 1;
        let room = &mut self.block.bytes;
        room.reserve((head.raw as usize).min(FIRST_ROOM));
        unpacked.take(most).read_to_end(room).map_err(broken)?;
        Ok(())
    }

    fn close(&mut self, head: &FrameHead) -> Result<(), Wrong> {
        if head.packing != Packing::None {
            return Err(Wrong::Damaged("the end is packed"));
        }
        let end = End::read(&self.stored)?;
        let blocks = u64::from(self.number) - 2;
        if (end.blocks, end.items, end.bytes) != (blocks, self.items, self.bytes) {
            return Err(Wrong::Damaged("the end counts other items than there are"));
        }
        if self.fill(&mut [0; 1])? > 0 {
            return Err(Wrong::GoesOn);
        }
        self.end = Some(end);
        Ok(())
    }

    /// Fills as much as the source has.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.source.read(&mut buffer[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}
