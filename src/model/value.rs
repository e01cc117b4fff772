//! Values: a bounded window on them, never a whole big one.

use crate::model::UnixMs;

/// Which part of a value is wanted. Units are elements for collections, bytes for strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: u64,
    pub count: u64,
}

/// The part of a value that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub part: Part,
    /// Where the part starts (elements or bytes). Sets and hashes have no order: there it counts
    /// what was passed over.
    pub from: u64,
    /// How long the whole is; `None` when the server would not say.
    pub of: Option<u64>,
    /// Something was left out because it was too large to carry: says what.
    pub cut: Option<String>,
}

/// The elements of the part, by type of key.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    SortedSet(Vec<(Vec<u8>, f64)>),
    Stream(Vec<StreamEntry>),
    /// A type that we cannot read yet, with the reason in words.
    Opaque(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct StreamEntry {
    /// `1699999999999-0`
    pub id: String,
    pub at: Option<UnixMs>,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}
