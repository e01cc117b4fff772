//! The digest of a value of a snapshot or of a `DUMP`: the same whatever form the server keeps it in.
//!
//! What has an order (lists, entries of streams) goes into a chain; what has none (sets, hashes,
//! sorted sets, groups of streams) is added up, element by element. So memory does not depend on the
//! value, and neither do packed and plain forms make a difference.
//!
//! What modules keep is compared part by part, but for sets of vectors, whose parts are in no order.
//!
//! Of a stream, what the server only counts for itself is left out: how many entries there ever were,
//! how many a group has read, and when a consumer was seen. Old versions do not tell it at all.

use std::io::Read;
use std::ops::ControlFlow;

use crate::model::{Bytes, UnixMs};
use crate::snapshot::SnapshotError;
use crate::snapshot::diff::mix::{Tag, mix};
use crate::snapshot::diff::vectors::Vectors;
use crate::snapshot::diff::{Digest, digest};
use crate::snapshot::rdb::{Element, Piece, Reader, StreamId, Visitor};

/// What a value comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digested {
    pub digest: u128,
    /// Bytes of all its strings.
    pub bytes: Bytes,
    /// Fields that had expired; they are in no digest.
    pub expired_fields: u64,
    /// Of parts as a module saved them, which may be in another order the next time: only the same
    /// digest says something.
    pub is_by_parts: bool,
}

/// Digests the value of the key that was told last, and passes it. Fields that have expired at `at` are
/// left out.
///
/// # Errors
/// When the value cannot be read.
pub fn digest_value<R: Read>(
    reader: &mut Reader<R>,
    at: UnixMs,
) -> Result<Digested, SnapshotError> {
    let mut value = Value::at(at);
    reader.visit(&mut value)?;
    Ok(value.finish())
}

struct Value {
    at: UnixMs,
    /// The digest of a string, which is the one of its bytes.
    text: Option<u128>,
    chain: u128,
    sum: u128,
    bytes: u64,
    expired_fields: u64,
    /// A string that comes in pieces.
    pieces: Option<Box<Digest>>,
    /// The first half of a pair.
    first: u128,
    field: Option<Field>,
    /// The group that is being told, and what it is made of.
    group: Option<Group>,
    /// An entry that is deleted is told, and is none.
    is_deleted: bool,
    vectors: Option<Vectors>,
    /// It is a module's.
    has_parts: bool,
}

/// A field with its value, until it is known whether it expires.
#[derive(Clone, Copy)]
struct Field {
    digest: u128,
    ends: Option<UnixMs>,
}

#[derive(Clone, Copy, Default)]
struct Group {
    chain: u128,
    sum: u128,
    consumer: u128,
}

impl Value {
    fn at(at: UnixMs) -> Self {
        Self {
            at,
            text: None,
            chain: 0,
            sum: 0,
            bytes: 0,
            expired_fields: 0,
            pieces: None,
            first: 0,
            field: None,
            group: None,
            is_deleted: false,
            vectors: None,
            has_parts: false,
        }
    }

    fn finish(mut self) -> Digested {
        self.end_field();
        self.end_group();
        let vectors = self.vectors.as_ref().and_then(Vectors::finish);
        Digested {
            digest: self
                .text
                .or(vectors)
                .unwrap_or_else(|| mix(Tag::Last, self.chain, self.sum)),
            bytes: Bytes(self.bytes),
            expired_fields: self.expired_fields,
            is_by_parts: self.has_parts && vectors.is_none(),
        }
    }

    /// The digest of a string once all of it is here.
    #[inline]
    fn whole(&mut self, piece: Piece<'_>) -> Option<u128> {
        self.bytes += piece.bytes.len() as u64;
        if piece.is_whole() {
            return Some(digest(piece.bytes));
        }
        let pieces = self.pieces.get_or_insert_default();
        pieces.update(piece.bytes);
        piece.is_last().then(|| {
            let pieces = self.pieces.take().expect("a piece was just added");
            pieces.finish()
        })
    }

    fn add(&mut self, element: u128) {
        self.sum = self.sum.wrapping_add(element);
    }

    fn link(&mut self, tag: Tag, element: u128) {
        self.chain = mix(tag, self.chain, element);
    }

    fn end_field(&mut self) {
        let Some(field) = self.field.take() else {
            return;
        };
        match field.ends {
            Some(ends) if ends < self.at => self.expired_fields += 1,
            Some(ends) => self.add(mix(Tag::Ends, field.digest, moment(ends))),
            None => self.add(field.digest),
        }
    }

    fn end_group(&mut self) {
        if let Some(group) = self.group.take() {
            self.add(mix(Tag::Group, group.chain, group.sum));
        }
    }

    /// Into the group that is being told.
    fn add_to_group(&mut self, element: u128) {
        if let Some(group) = &mut self.group {
            group.sum = group.sum.wrapping_add(element);
        }
    }

    fn take_text(&mut self, element: Element<'_>) {
        match element {
            Element::Text(piece) => self.text = self.whole(piece),
            Element::Item(piece) => {
                if let Some(item) = self.whole(piece) {
                    self.link(Tag::Item, item);
                }
            }
            Element::Member(piece) => {
                if let Some(member) = self.whole(piece) {
                    self.add(member);
                }
            }
            Element::Field(piece) => {
                self.end_field();
                if let Some(field) = self.whole(piece) {
                    self.first = field;
                }
            }
            Element::Scored(piece) => {
                if let Some(member) = self.whole(piece) {
                    self.first = member;
                }
            }
            Element::FieldValue(piece) => {
                if let Some(value) = self.whole(piece) {
                    self.field = Some(Field {
                        digest: mix(Tag::Pair, self.first, value),
                        ends: None,
                    });
                }
            }
            _ => {}
        }
    }

    fn take_entry(&mut self, element: Element<'_>) {
        match element {
            Element::Entry { id, is_deleted } => {
                self.is_deleted = is_deleted;
                if !is_deleted {
                    self.link(Tag::Entry, place(id));
                }
            }
            Element::EntryField(piece) | Element::EntryValue(piece) if !self.is_deleted => {
                if let Some(text) = self.whole(piece) {
                    self.link(Tag::Item, text);
                }
            }
            Element::Stream(facts) => self.link(Tag::Last, place(facts.last_id)),
            Element::Producer(piece) | Element::ProducedName(piece) => {
                if let Some(text) = self.whole(piece) {
                    self.link(Tag::Producer, text);
                }
            }
            Element::Produced(id) => self.link(Tag::Entry, place(id)),
            _ => {}
        }
    }

    fn take_module(&mut self, element: Element<'_>) {
        match element {
            Element::ModuleType(id) => {
                self.has_parts = true;
                self.vectors = Vectors::of(id);
            }
            Element::Module(part) => {
                self.link(Tag::Module, digest(format!("{part:?}").as_bytes()));
                if let Some(vectors) = &mut self.vectors {
                    vectors.take(part);
                }
            }
            Element::ModuleText(piece) => {
                if let Some(text) = self.whole(piece) {
                    self.link(Tag::Module, text);
                    if let Some(vectors) = &mut self.vectors {
                        vectors.take_text(text);
                    }
                }
            }
            _ => {}
        }
    }

    fn take_group(&mut self, element: Element<'_>) {
        match element {
            Element::Group { last_id, .. } => {
                self.end_group();
                self.group = Some(Group {
                    chain: mix(Tag::Last, 0, place(last_id)),
                    ..Group::default()
                });
            }
            Element::GroupName(piece) => {
                let name = self.whole(piece);
                if let (Some(group), Some(name)) = (&mut self.group, name) {
                    group.chain = mix(Tag::Item, group.chain, name);
                }
            }
            Element::Pending {
                id,
                delivered_at,
                deliveries,
            } => {
                let told = mix(Tag::Item, moment(delivered_at), u128::from(deliveries));
                self.add_to_group(mix(Tag::Pending, place(id), told));
            }
            Element::ConsumerName(piece) => {
                let name = self.whole(piece);
                if let (Some(group), Some(name)) = (&mut self.group, name) {
                    group.consumer = name;
                    self.add_to_group(mix(Tag::Consumer, name, 0));
                }
            }
            Element::Owned(id) => {
                let consumer = self.group.map_or(0, |group| group.consumer);
                self.add_to_group(mix(Tag::Owned, consumer, place(id)));
            }
            _ => {}
        }
    }
}

impl Visitor for Value {
    #[inline]
    fn see(&mut self, element: Element<'_>) -> ControlFlow<()> {
        match element {
            Element::FieldEnds(ends) => {
                if let Some(field) = &mut self.field {
                    field.ends = Some(ends);
                }
            }
            Element::Score(score) => {
                // Packed forms write -0 as 0.
                let score = if score == 0.0 { 0.0 } else { score };
                self.add(mix(Tag::Pair, self.first, u128::from(score.to_bits())));
            }
            Element::ModuleType(_) | Element::Module(_) | Element::ModuleText(_) => {
                self.take_module(element);
            }
            Element::Text(_)
            | Element::Item(_)
            | Element::Member(_)
            | Element::Field(_)
            | Element::Scored(_)
            | Element::FieldValue(_) => self.take_text(element),
            Element::Group { .. }
            | Element::GroupName(_)
            | Element::Pending { .. }
            | Element::Consumer { .. }
            | Element::ConsumerName(_)
            | Element::Owned(_) => self.take_group(element),
            _ => self.take_entry(element),
        }
        ControlFlow::Continue(())
    }
}

fn place(id: StreamId) -> u128 {
    u128::from(id.ms) << 64 | u128::from(id.seq)
}

fn moment(at: UnixMs) -> u128 {
    u128::from(at.0.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::rdb::Record;

    /// The digest of the first key of a file of this version with this type and value.
    fn digested(version: &str, code: u8, value: &[u8]) -> u128 {
        let start = [version.as_bytes(), &[code, 1, b'k']].concat();
        let file = [&start, value, &[0xff]].concat();
        let mut reader = Reader::new(file.as_slice()).unwrap();
        assert!(matches!(reader.next(), Ok(Record::Key(_))));
        digest_value(&mut reader, UnixMs(1_000)).unwrap().digest
    }

    #[test]
    fn a_string_has_the_digest_of_its_bytes() {
        assert_eq!(digested("REDIS0004", 0, b"\x011"), digest(b"1"));
        // The same as a number.
        assert_eq!(digested("REDIS0004", 0, b"\xc0\x01"), digest(b"1"));
    }

    #[test]
    fn neither_order_nor_form_of_a_set_matters() {
        let set = digested("REDIS0004", 2, b"\x02\x011\x012");
        assert_eq!(digested("REDIS0004", 2, b"\x02\x012\x011"), set);
        let intset = b"\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0";
        assert_eq!(digested("REDIS0004", 11, intset), set);
        assert_ne!(digested("REDIS0004", 2, b"\x02\x011\x013"), set);
        assert_ne!(digested("REDIS0004", 2, b"\x01\x0212"), set);
    }

    #[test]
    fn the_order_of_a_list_matters() {
        let list = digested("REDIS0004", 1, b"\x02\x011\x012");
        assert_ne!(digested("REDIS0004", 1, b"\x02\x012\x011"), list);
    }

    #[test]
    fn fields_keep_their_values_and_expire() {
        let hash = |value: &[u8]| digested("REDIS0004", 4, value);
        let one = hash(b"\x02\x01a\x011\x01b\x012");
        assert_eq!(hash(b"\x02\x01b\x012\x01a\x011"), one);
        assert_ne!(hash(b"\x02\x01a\x012\x01b\x011"), one);
        let with_ends = |ms: i64| {
            let value = [&[1, 1, b'a', 1, b'1'][..], &ms.to_le_bytes()].concat();
            digested("VALKEY080", 22, &value)
        };
        assert_eq!(with_ends(-1), hash(b"\x01\x01a\x011"));
        assert_eq!(with_ends(999), hash(b"\x00"));
        assert_ne!(with_ends(2_000), with_ends(2_001));
    }

    #[test]
    fn parts_of_an_unknown_module_say_something_only_when_they_are_the_same() {
        // `test__rdb` of version 1: a number and an empty string.
        let id = 0xb5eb_2dff_fadd_6c01_u64.to_be_bytes();
        let module = |number: u8| {
            let value = [&[0x81][..], &id, &[2, number, 5, 0, 0]].concat();
            let file = [b"REDIS0011\x07\x01k".as_slice(), &value, &[0xff]].concat();
            let mut reader = Reader::new(file.as_slice()).unwrap();
            assert!(matches!(reader.next(), Ok(Record::Key(_))));
            digest_value(&mut reader, UnixMs(1_000)).unwrap()
        };
        assert!(module(1).is_by_parts);
        assert_eq!(module(1), module(1));
        assert_ne!(module(1).digest, module(2).digest);
    }
}
