//! The types of values by the byte that stands for them: what they hold, how it is laid out, and what
//! a server calls it.

use crate::model::KeyKind;
use crate::snapshot::rdb::Flavour;
use crate::snapshot::rdb::packed::Form;

/// How a value stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Text,
    /// Elements one after the other.
    Plain,
    /// Pairs of field and value, or of member and score, one after the other.
    PlainPairs,
    /// Members with scores as text.
    ScoresAsText,
    /// All elements in one string.
    Packed(Form),
    /// Strings that hold elements each.
    Quicklist,
    /// The same, with a word on whether a string holds elements or is one.
    Quicklist2,
    /// Field, value, moment of expiry.
    FieldsWithEnds(Ends),
    /// Field, value, moment of expiry, packed; the earliest moment may stand before.
    PackedWithEnds {
        has_least: bool,
    },
    /// A stream in this version of its layout.
    Stream(u8),
    Module,
}

/// How the moments stand at which fields expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Before the field, as they are.
    Absolute,
    /// Before the field, counted from the earliest one, which stands at the beginning.
    FromLeast,
    /// Behind the value, in eight bytes; -1 is never.
    Behind,
}

/// What is known of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    pub code: u8,
    pub layout: Layout,
    pub holds: Holds,
    /// What `OBJECT ENCODING` says of it. Strings and lists are looked at more closely.
    pub encoding: &'static str,
    /// The first version of the format that has it.
    pub since: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Module,
}

impl Holds {
    pub fn kind(self) -> KeyKind {
        match self {
            Self::String => KeyKind::String,
            Self::List => KeyKind::List,
            Self::Set => KeyKind::Set,
            Self::SortedSet => KeyKind::SortedSet,
            Self::Hash => KeyKind::Hash,
            Self::Stream => KeyKind::Stream,
            Self::Module => KeyKind::Other("module".to_owned()),
        }
    }
}

/// A module's type in the format of release candidates, which cannot be passed over.
pub const OLD_MODULE: u8 = 6;

#[expect(clippy::unnecessary_wraps, reason = "a row of a table that has holes")]
const fn row(
    code: u8,
    layout: Layout,
    holds: Holds,
    encoding: &'static str,
    since: u16,
) -> Option<Type> {
    Some(Type {
        code,
        layout,
        holds,
        encoding,
        since,
    })
}

/// Types that servers of both houses write, by their byte.
#[rustfmt::skip]
const SHARED: [Option<Type>; 22] = [
    row( 0, Layout::Text,                   Holds::String,    "raw",       1),
    row( 1, Layout::Plain,                  Holds::List,      "quicklist", 1),
    row( 2, Layout::Plain,                  Holds::Set,       "hashtable", 1),
    row( 3, Layout::ScoresAsText,           Holds::SortedSet, "skiplist",  1),
    row( 4, Layout::PlainPairs,             Holds::Hash,      "hashtable", 1),
    row( 5, Layout::PlainPairs,             Holds::SortedSet, "skiplist",  8),
    None,
    row( 7, Layout::Module,                 Holds::Module,    "raw",       8),
    None,
    row( 9, Layout::Packed(Form::Zipmap),   Holds::Hash,      "zipmap",    1),
    row(10, Layout::Packed(Form::Ziplist),  Holds::List,      "ziplist",   1),
    row(11, Layout::Packed(Form::Intset),   Holds::Set,       "intset",    1),
    row(12, Layout::Packed(Form::Ziplist),  Holds::SortedSet, "ziplist",   1),
    row(13, Layout::Packed(Form::Ziplist),  Holds::Hash,      "ziplist",   4),
    row(14, Layout::Quicklist,              Holds::List,      "quicklist", 7),
    row(15, Layout::Stream(1),              Holds::Stream,    "stream",    9),
    row(16, Layout::Packed(Form::Listpack), Holds::Hash,      "listpack",  10),
    row(17, Layout::Packed(Form::Listpack), Holds::SortedSet, "listpack",  10),
    row(18, Layout::Quicklist2,             Holds::List,      "quicklist", 10),
    row(19, Layout::Stream(2),              Holds::Stream,    "stream",    10),
    row(20, Layout::Packed(Form::Listpack), Holds::Set,       "listpack",  11),
    row(21, Layout::Stream(3),              Holds::Stream,    "stream",    11),
];

/// Types of Redis alone, from 22 on.
#[rustfmt::skip]
const REDIS: [Option<Type>; 5] = [
    row(22, Layout::FieldsWithEnds(Ends::Absolute),       Holds::Hash,   "hashtable",  12),
    row(23, Layout::PackedWithEnds { has_least: false },  Holds::Hash,   "listpackex", 12),
    row(24, Layout::FieldsWithEnds(Ends::FromLeast),      Holds::Hash,   "hashtable",  12),
    row(25, Layout::PackedWithEnds { has_least: true },   Holds::Hash,   "listpackex", 12),
    row(26, Layout::Stream(4),                            Holds::Stream, "stream",     13),
];

/// Types of Valkey alone, from 22 on.
#[rustfmt::skip]
const VALKEY: [Option<Type>; 1] = [
    row(22, Layout::FieldsWithEnds(Ends::Behind),         Holds::Hash,   "hashtable",  80),
];

#[inline]
pub fn of(flavour: Flavour, code: u8) -> Option<&'static Type> {
    let code = usize::from(code);
    if let Some(row) = SHARED.get(code) {
        return row.as_ref();
    }
    let own: &[Option<Type>] = match flavour {
        Flavour::Redis => &REDIS,
        Flavour::Valkey => &VALKEY,
    };
    own.get(code - SHARED.len())?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_stands_at_its_byte() {
        for flavour in [Flavour::Redis, Flavour::Valkey] {
            for code in 0..=u8::MAX {
                assert!(of(flavour, code).is_none_or(|found| found.code == code));
            }
        }
        assert_eq!(of(Flavour::Valkey, 24), None);
        assert_eq!(of(Flavour::Redis, OLD_MODULE), None);
    }
}
