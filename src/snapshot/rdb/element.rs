//! What a value consists of, told part by part.

use std::fmt;
use std::ops::ControlFlow;

use crate::model::UnixMs;
use crate::snapshot::rdb::module::{ModuleId, ModulePart};

/// A string of a value, or a part of one: strings above [`PIECE`] come in several pieces, in order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// Where in the string the piece begins.
    pub from: u64,
    /// How long the string is.
    pub whole: u64,
}

/// Strings up to this length come in one piece.
pub const PIECE: u64 = 1 << 20;

impl Piece<'_> {
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.whole
    }

    pub fn is_first(&self) -> bool {
        self.from == 0
    }

    pub fn is_last(&self) -> bool {
        self.from + self.bytes.len() as u64 == self.whole
    }
}

/// Says only how long it is, so that a log line cannot carry foreign bytes.
impl fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Piece({} bytes from {} of {})",
            self.bytes.len(),
            self.from,
            self.whole
        )
    }
}

/// The place of an entry in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// `1699999999999-0`
impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// What a value consists of, in the order in which it is told. Every element of a string, list, set,
/// hash or sorted set is one of the first; streams and modules have their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element<'a> {
    /// Of a string.
    Text(Piece<'a>),
    /// Of a list, from left to right.
    Item(Piece<'a>),
    /// Of a set.
    Member(Piece<'a>),
    /// Of a hash. Its value comes next, in as many pieces as it needs.
    Field(Piece<'a>),
    FieldValue(Piece<'a>),
    /// When the field before expires; comes after its value, and only where it expires.
    FieldEnds(UnixMs),
    /// A member of a sorted set. Its score comes next.
    Scored(Piece<'a>),
    Score(f64),

    /// An entry of a stream; its fields and values come next. Deleted ones are told as well.
    Entry {
        id: StreamId,
        is_deleted: bool,
    },
    EntryField(Piece<'a>),
    EntryValue(Piece<'a>),
    /// What is known of a stream as a whole; comes after its entries.
    Stream(StreamFacts),
    /// A group of consumers; its name comes next.
    Group {
        last_id: StreamId,
        /// How many entries it has read; unknown in old versions, and where the server lost count.
        entries_read: Option<u64>,
    },
    GroupName(Piece<'a>),
    /// An entry that the group delivered and nobody acknowledged.
    Pending {
        id: StreamId,
        delivered_at: UnixMs,
        deliveries: u64,
    },
    /// A consumer of the group before; its name comes next.
    Consumer {
        seen_at: UnixMs,
        /// When it last got something; unknown in old versions.
        active_at: Option<UnixMs>,
    },
    ConsumerName(Piece<'a>),
    /// A pending entry of the consumer before.
    Owned(StreamId),
    /// How the stream recognises what a producer sent twice (Redis 8.6).
    Idempotence(Idempotence),
    Producer(Piece<'a>),
    /// What a producer called an entry; the entry's own id comes after.
    ProducedName(Piece<'a>),
    Produced(StreamId),

    /// Whose value it is; its parts come next.
    ModuleType(ModuleId),
    /// A number in a module's value.
    Module(ModulePart),
    /// A string in a module's value.
    ModuleText(Piece<'a>),
}

/// What a string is in its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Text,
    Item,
    Member,
    Field,
    FieldValue,
    Scored,
    EntryField,
    EntryValue,
    Producer,
    ProducedName,
}

impl Role {
    #[inline]
    pub fn of(self, piece: Piece<'_>) -> Element<'_> {
        match self {
            Self::Text => Element::Text(piece),
            Self::Item => Element::Item(piece),
            Self::Member => Element::Member(piece),
            Self::Field => Element::Field(piece),
            Self::FieldValue => Element::FieldValue(piece),
            Self::Scored => Element::Scored(piece),
            Self::EntryField => Element::EntryField(piece),
            Self::EntryValue => Element::EntryValue(piece),
            Self::Producer => Element::Producer(piece),
            Self::ProducedName => Element::ProducedName(piece),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFacts {
    pub length: u64,
    pub last_id: StreamId,
    /// `None` in files of Redis before 7.0, as are the next two.
    pub first_id: Option<StreamId>,
    pub max_deleted_id: Option<StreamId>,
    pub entries_added: Option<u64>,
    pub groups: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idempotence {
    /// How long names of entries are remembered, in seconds.
    pub seconds: u64,
    pub most_entries: u64,
    pub producers: u64,
}

/// Listens to a value. `Break` when it has heard enough: the rest is passed over.
pub trait Visitor {
    fn see(&mut self, element: Element<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(Element<'_>) -> ControlFlow<()>> Visitor for F {
    fn see(&mut self, element: Element<'_>) -> ControlFlow<()> {
        self(element)
    }
}

/// Tells a visitor until it has enough.
#[derive(Debug)]
pub struct Teller<'a, V> {
    visitor: &'a mut V,
    has_enough: bool,
}

impl<'a, V: Visitor> Teller<'a, V> {
    pub fn new(visitor: &'a mut V) -> Self {
        Self {
            visitor,
            has_enough: false,
        }
    }

    #[inline]
    pub fn tell(&mut self, element: Element<'_>) {
        if !self.has_enough {
            self.has_enough = self.visitor.see(element).is_break();
        }
    }
}
