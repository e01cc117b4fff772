//! Keys: bytes with a type, a time to live and a size, as far as these are known.

use std::fmt;

use crate::model::{Bytes, Ttl};

/// A key's name. Any bytes at all: it is text only after `text` has escaped it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    pub fn new(name: impl Into<Box<[u8]>>) -> Self {
        Self(name.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().into())
    }
}

/// Says only how long the name is, so that a log line cannot carry foreign bytes.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// What kind of value a key holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    String,
    Hash,
    List,
    Set,
    SortedSet,
    Stream,
    /// A Memcached item: bytes with flags.
    Item,
    /// A type of a module or of a later server, in the server's own word.
    Other(String),
}

impl KeyKind {
    /// The server's word for it (`zset`, not `sorted set`), as in `TYPE` and in our JSON.
    pub fn word(&self) -> &str {
        match self {
            Self::String => "string",
            Self::Hash => "hash",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
            Self::Item => "item",
            Self::Other(word) => word,
        }
    }

    /// Reads the server's word. `none` is not a kind: a missing key has none.
    pub fn from_word(word: &str) -> Self {
        match word {
            "string" => Self::String,
            "hash" => Self::Hash,
            "list" => Self::List,
            "set" => Self::Set,
            "zset" => Self::SortedSet,
            "stream" => Self::Stream,
            "item" => Self::Item,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One key as lists show it. Only the name is certain; the rest was perhaps not asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub key: Key,
    pub facts: Option<KeyFacts>,
}

/// What was learnt about a key in one flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFacts {
    /// The key was gone when we asked.
    Gone,
    Here {
        kind: KeyKind,
        ttl: Ttl,
        /// Memory it takes in the server (`MEMORY USAGE`, or Memcached's item size); `None` where
        /// the server would not say.
        size: Option<Bytes>,
        /// Time since the last access; `None` where the server would not say.
        idle: Option<std::time::Duration>,
    },
}

/// Everything about one key: the card beside its value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCard {
    pub key: Key,
    pub kind: KeyKind,
    pub ttl: Ttl,
    /// Memory it takes in the server.
    pub size: Option<Bytes>,
    /// Elements of a collection; bytes of a string or an item's value.
    pub length: Option<u64>,
    /// The server's internal form (`listpack`, `skiplist`); Memcached has none.
    pub encoding: Option<String>,
    /// Time since the last access. Under an LFU policy the server does not keep it.
    pub idle: Option<std::time::Duration>,
    /// Logarithmic access counter, kept under an LFU policy only.
    pub frequency: Option<u64>,
    /// The cluster slot, where the server is a cluster node.
    pub slot: Option<u16>,
    /// Memcached only.
    pub item: Option<ItemFacts>,
    /// Reading the value counted as an access: the server cannot be asked not to. `idle` and
    /// `frequency` are from before.
    pub is_touched: bool,
}

impl KeyCard {
    /// What to say of the trace that opening the value left, when it left one.
    pub fn trace(&self) -> Option<&'static str> {
        self.is_touched
            .then_some("opening it counted as an access on this server")
    }
}

/// What a Memcached server says of an item beside its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemFacts {
    pub flags: Option<u32>,
    pub cas: Option<u64>,
    pub slab_class: Option<u32>,
    /// Whether it was read since it was stored.
    pub fetched: Option<bool>,
}
