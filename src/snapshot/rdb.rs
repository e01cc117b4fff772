//! The snapshot format of Redis and Valkey, read as a stream.
//!
//! A [`Reader`] gives one [`Record`] after the other. A record that is a key leaves its value to the
//! caller: [`Reader::skip`] passes it and tells its [`Shape`], [`Reader::visit`] tells its elements one
//! by one, [`Reader::dump`] gives it as the server's `DUMP` would. A value that nobody asked for is
//! passed. Memory stays the same whatever the size of the file, of a value or of its strings; only a
//! collection that stands packed in one string is held whole, up to 512 MiB.
//!
//! Nothing here seeks: a file, a pipe and a socket are read alike. The offset of a key allows to open
//! the same file there again ([`Reader::at`]).

mod checksum;
mod dump;
mod element;
mod header;
mod lzf;
mod memory;
mod module;
mod opcode;
mod packed;
mod records;
mod shape;
mod source;
mod stream;
mod types;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::time::Duration;

use crate::model::{Encoding, Key, KeyKind, UnixMs};
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::source::{Scratch, Source};
use crate::snapshot::rdb::types::Type;

pub use dump::{Dumped, verified_dump};
pub use element::{Element, Idempotence, PIECE, Piece, StreamFacts, StreamId, Visitor};
pub use module::{ModuleId, ModulePart};
pub use shape::Shape;

/// The newest versions of the format that are read.
pub const NEWEST_REDIS: u32 = 13;
pub const NEWEST_VALKEY: u32 = 80;
/// Lists of this size and one node are listpacks once they are loaded, from this version on.
const LISTPACK_LISTS_SINCE: u32 = 11;
const LISTPACK_LIST: u64 = 8_192;
/// The longest text of a number.
const LONGEST_NUMBER: u8 = 20;

/// Whose format it is: the two have parted since Redis 7.4 and Valkey 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Redis,
    Valkey,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub flavour: Flavour,
    pub version: u32,
    /// Known from the start by the version of the format, and better once the server's own is told.
    pub objects: Objects,
}

/// How a server keeps the object of a key, which decides about the encoding of its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// Apart from the name. Redis before 8.2, Valkey before 8.1.
    Apart,
    /// The name is in it; a text as well, if all of it fits into a line of the processor's cache. From
    /// Redis 8.2 on (redis/redis#13806), and in Valkey 8.1.
    OneLine,
    /// The same with two lines. Valkey 9.
    TwoLines,
}

/// One thing that a snapshot says.
#[derive(Debug)]
pub enum Record<'a> {
    /// A fact of the server that wrote it: `redis-ver`, `ctime`, `used-mem`, …
    Fact {
        name: &'a [u8],
        value: &'a [u8],
    },
    /// The keys from here on are in this database.
    Database(u32),
    /// How many keys the database has, and how many of them expire.
    Sizes {
        keys: u64,
        expiring: u64,
    },
    /// The keys from here on are in this slot of the cluster.
    Slot {
        slot: u16,
        keys: u64,
        expiring: u64,
    },
    /// The source of a library of functions.
    Function {
        code: &'a [u8],
    },
    /// A function as Redis 7.0's release candidates wrote it.
    OldFunction {
        name: &'a [u8],
        engine: &'a [u8],
        description: Option<Vec<u8>>,
        code: &'a [u8],
    },
    /// What a module keeps beside its keys, passed over.
    ModuleFacts {
        module: ModuleId,
        bytes: u64,
    },
    /// Slots that were being moved here by this job (Valkey 9).
    SlotImport {
        job: &'a [u8],
        ranges: u64,
    },
    Key(&'a KeyHead),
    /// Nothing more comes.
    End(Ending),
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The checksum fits the bytes.
    Verified(u64),
    /// The server was told not to write one.
    Disabled,
    /// The version has none, or the reader began in the middle.
    None,
}

/// A key, and what is told of it before its value.
#[derive(Clone, Debug)]
pub struct KeyHead {
    pub db: u32,
    pub name: Vec<u8>,
    /// A module's value is of the kind that the module calls it.
    pub kind: KeyKind,
    pub ends: Option<UnixMs>,
    /// Time since the last access when it was written; kept under an LRU policy only.
    pub idle: Option<Duration>,
    /// Logarithmic access counter; kept under an LFU policy only.
    pub frequency: Option<u8>,
    /// Where the file says so.
    pub slot: Option<u16>,
    /// Where in the snapshot it begins, with what is told before its name.
    pub offset: u64,
    /// The byte that stands for its type.
    pub code: u8,
    /// The server's word for the inner form, as the server that wrote it would say after loading.
    pub encoding: &'static str,
}

impl KeyHead {
    pub fn key(&self) -> Key {
        Key::new(self.name.as_slice())
    }

    pub fn encoding(&self) -> Encoding {
        Encoding(Cow::Borrowed(self.encoding))
    }

    /// Whether it would be gone when loaded at this moment.
    pub fn is_expired(&self, at: UnixMs) -> bool {
        self.ends.is_some_and(|end| end < at)
    }
}

/// Where a key stands, so that it can be read again without what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub header: Header,
    pub db: u32,
    pub slot: Option<u16>,
    pub offset: u64,
}

#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    header: Header,
    head: KeyHead,
    state: State,
    scratch: Scratch,
    /// A second one, for what comes in pairs.
    other: Scratch,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A record comes next.
    Between,
    /// The value of the key that was told comes next.
    Value(&'static Type),
    Ended(Ending),
}

type Result<T> = std::result::Result<T, SnapshotError>;

impl<R: Read> Reader<R> {
    /// # Errors
    /// When it is no snapshot, or of a version that is not known.
    pub fn new(from: R) -> Result<Self> {
        let mut source = Source::new(from, 0, true);
        let header = header::read(&mut source)?;
        Ok(Self::with(source, header))
    }

    /// Reads on from a place that an earlier reader told; `from` stands there. There is no checksum
    /// then.
    pub fn at(from: R, place: Place) -> Self {
        let source = Source::new(from, place.offset, false);
        let mut reader = Self::with(source, place.header);
        reader.head.db = place.db;
        reader.head.slot = place.slot;
        reader
    }

    fn with(source: Source<R>, header: Header) -> Self {
        Self {
            source,
            header,
            head: KeyHead {
                db: 0,
                name: Vec::new(),
                kind: KeyKind::String,
                ends: None,
                idle: None,
                frequency: None,
                slot: None,
                offset: 0,
                code: 0,
                encoding: "raw",
            },
            state: State::Between,
            scratch: Scratch::default(),
            other: Scratch::default(),
        }
    }

    pub fn header(&self) -> Header {
        self.header
    }

    /// How far it has read, in bytes of the snapshot.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The key that was told last.
    pub fn head(&self) -> &KeyHead {
        &self.head
    }

    /// Where that key stands.
    pub fn place(&self) -> Place {
        Place {
            header: self.header,
            db: self.head.db,
            slot: self.head.slot,
            offset: self.head.offset,
        }
    }

    /// Whether bytes follow behind the end, as they do in an append-only file.
    ///
    /// # Errors
    /// When reading fails.
    pub fn goes_on(&mut self) -> Result<bool> {
        Ok(!self.source.peek(1)?.is_empty())
    }

    /// What comes next. After the end it tells the end again.
    ///
    /// # Errors
    /// With the byte at which the snapshot cannot be read, and what was expected there. Then nothing
    /// more can be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend what it gives"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Record<'_>> {
        match self.state {
            State::Between => {}
            State::Value(found) => self.pass(found)?,
            State::Ended(ending) => return Ok(Record::End(ending)),
        }
        self.head.offset = self.source.offset();
        self.head.ends = None;
        self.head.idle = None;
        self.head.frequency = None;
        loop {
            let code = self.source.byte("a record, or the end of the snapshot")?;
            if code < opcode::FIRST && code != opcode::RAM_LRU {
                return self.key(code);
            }
            if !self.attribute(code)? {
                return self.record(code);
            }
        }
    }

    /// Takes in what is told of the key that comes next; `false` when the code tells something else.
    fn attribute(&mut self, code: u8) -> Result<bool> {
        let source = &mut self.source;
        match code {
            opcode::ENDS_MS => {
                let ms = i64::from_le_bytes(source.array("a moment of expiry")?);
                self.head.ends = Some(UnixMs(ms));
            }
            opcode::ENDS_S => {
                let seconds = i32::from_le_bytes(source.array("a moment of expiry")?);
                self.head.ends = Some(UnixMs(i64::from(seconds) * 1000));
            }
            opcode::IDLE => {
                let seconds = source.length("an idle time")?;
                self.head.idle = Some(Duration::from_secs(seconds));
            }
            opcode::FREQUENCY => self.head.frequency = Some(source.byte("an access counter")?),
            // Of Redis Enterprise, on what is in memory and what on disk: it means nothing elsewhere.
            opcode::RAM_LRU => drop(source.length("an access clock")?),
            opcode::KEY_FACTS if self.header.flavour == Flavour::Redis => {
                let classes = source.length("the number of facts of a key")?;
                for _ in 0..classes {
                    source.skip(4, "a fact of a key")?;
                    module::skip(source)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    fn key(&mut self, code: u8) -> Result<Record<'_>> {
        let at = self.source.offset() - 1;
        let Some(found) = types::of(self.header.flavour, code) else {
            return Err(unknown_type(at, code));
        };
        let text = self.source.text("the name of a key")?;
        let name = self
            .source
            .whole(text, &mut self.scratch, "the name of a key")?;
        self.head.name.clear();
        self.head.name.extend_from_slice(name);
        self.set_type(found)?;
        Ok(Record::Key(&self.head))
    }

    /// Takes in the type, and looks ahead into the value for what the type alone does not say.
    #[inline]
    fn set_type(&mut self, found: &'static Type) -> Result<()> {
        self.head.code = found.code;
        self.state = State::Value(found);
        self.head.encoding = match found.holds {
            types::Holds::String => {
                self.head.kind = KeyKind::String;
                self.text_encoding()?
            }
            types::Holds::List => {
                self.head.kind = KeyKind::List;
                self.list_encoding(found)?
            }
            types::Holds::Module => {
                let id = source::length_ahead(self.source.peek(9)?).unwrap_or_default();
                self.head.kind = KeyKind::Other(ModuleId(id).name());
                found.encoding
            }
            holds => {
                self.head.kind = holds.kind();
                found.encoding
            }
        };
        Ok(())
    }

    /// Servers make numbers of texts that are numbers, and keep short texts in their objects.
    #[inline]
    fn text_encoding(&mut self) -> Result<&'static str> {
        let ahead = self.source.peek(1 + usize::from(LONGEST_NUMBER))?;
        let Some((&first, rest)) = ahead.split_first() else {
            return Ok("raw");
        };
        if (0xc0..=0xc2).contains(&first) {
            return Ok("int");
        }
        let is_number =
            first <= LONGEST_NUMBER && rest.get(..usize::from(first)).is_some_and(is_number);
        if is_number {
            return Ok("int");
        }
        let length = source::length_ahead(ahead).unwrap_or(u64::MAX);
        let name = self.head.name.len() as u64;
        Ok(if memory::is_embedded(self.header.objects, name, length) {
            "embstr"
        } else {
            "raw"
        })
    }

    fn list_encoding(&mut self, found: &Type) -> Result<&'static str> {
        let is_short = self.header.version >= LISTPACK_LISTS_SINCE
            && found.layout == types::Layout::Quicklist2;
        if !is_short {
            return Ok(found.encoding);
        }
        // One node, of packed elements, and not too long.
        let is_listpack = match self.source.peek(20)? {
            [1, 2, header @ ..] => {
                source::length_ahead(header).is_some_and(|length| length <= LISTPACK_LIST)
            }
            _ => false,
        };
        Ok(if is_listpack {
            "listpack"
        } else {
            found.encoding
        })
    }

    /// The type of the value that comes next, which is read now.
    fn begin_value(&mut self) -> Option<&'static Type> {
        match self.state {
            State::Value(found) => {
                self.state = State::Between;
                Some(found)
            }
            State::Between | State::Ended(_) => None,
        }
    }
}

fn unknown_type(at: u64, code: u8) -> SnapshotError {
    if code == types::OLD_MODULE {
        return SnapshotError::OldModule { at };
    }
    SnapshotError::Unknown {
        at,
        code,
        expected: "the type of a key, or a record",
    }
}

/// Whether a server would keep this text as a number: no sign but a minus, no zero before, in 64 bits.
fn is_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = match digits {
        [] => false,
        [b'0'] => digits.len() == text.len(),
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    is_plain && str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

#[cfg(test)]
mod tests;
