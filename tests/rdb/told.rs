//! Everything that a snapshot says, read whole, so that tests can compare it.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;

use cachedeck::model::{Bytes, KeyKind};
use cachedeck::snapshot::SnapshotError;
use cachedeck::snapshot::rdb::{
    Dumped, Element, Ending, KeyHead, Reader, Record, Shape, StreamFacts, verified_dump,
};

/// A snapshot, whole.
#[derive(Debug, Default)]
pub struct Told {
    pub facts: BTreeMap<String, String>,
    pub sizes: Vec<(u64, u64)>,
    pub slots: Vec<(u16, u64, u64)>,
    pub functions: Vec<String>,
    pub modules: Vec<String>,
    pub keys: Vec<ToldKey>,
    pub ending: Option<Ending>,
}

#[derive(Clone, Debug)]
pub struct ToldKey {
    pub head: KeyHead,
    pub value: Value,
    pub shape: Shape,
    pub payload: Vec<u8>,
}

/// A value, whole. Bytes are one character each, as in Latin-1, so that any of them can be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    /// Of strings, lists and sets.
    pub items: Vec<String>,
    /// Of hashes, with the moment of expiry.
    pub fields: Vec<(String, String, Option<i64>)>,
    pub scores: Vec<(String, f64)>,
    pub entries: Vec<Entry>,
    pub facts: Option<StreamFacts>,
    pub groups: Vec<Group>,
    pub others: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    pub id: String,
    pub is_deleted: bool,
    pub fields: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub last_id: String,
    pub read: Option<u64>,
    /// Id, moment, count.
    pub pending: Vec<(String, i64, u64)>,
    pub consumers: Vec<Consumer>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumer {
    pub name: String,
    pub seen: i64,
    pub active: Option<i64>,
    pub pending: Vec<String>,
}

impl Value {
    pub fn length(&self, kind: &KeyKind) -> u64 {
        let length = match kind {
            KeyKind::String => self.items.concat().chars().count(),
            KeyKind::Hash => self.fields.len(),
            KeyKind::SortedSet => self.scores.len(),
            KeyKind::Stream => self.entries.iter().filter(|one| !one.is_deleted).count(),
            KeyKind::Other(_) => 0,
            _ => self.items.len(),
        };
        length as u64
    }
}

/// Reads all of it: each value is visited, passed and dumped, and all three must agree.
pub fn whole(bytes: &[u8]) -> Result<Told, SnapshotError> {
    let mut told = Told::default();
    let mut reader = Reader::new(bytes)?;
    let mut passing = Reader::new(bytes)?;
    let mut dumping = Reader::new(bytes)?;
    loop {
        passing.next()?;
        dumping.next()?;
        match reader.next()? {
            Record::Fact { name, value } => {
                told.facts.insert(latin(name), latin(value));
            }
            Record::Sizes { keys, expiring } => told.sizes.push((keys, expiring)),
            Record::Slot {
                slot,
                keys,
                expiring,
            } => told.slots.push((slot, keys, expiring)),
            Record::Function { code } | Record::OldFunction { code, .. } => {
                told.functions.push(latin(code));
            }
            Record::ModuleFacts { module, .. } => told.modules.push(module.name()),
            Record::Database(_) | Record::SlotImport { .. } => {}
            Record::End(ending) => {
                told.ending = Some(ending);
                return Ok(told);
            }
            Record::Key(head) => {
                let head = head.clone();
                let value = value(&mut reader)?;
                let shape = passing.skip()?;
                let mut payload = Vec::new();
                assert_eq!(dumping.dump(Bytes(1 << 30), &mut payload)?, Dumped::Whole);
                told.keys.push(ToldKey {
                    head,
                    value,
                    shape,
                    payload,
                });
            }
        }
        assert_eq!(reader.offset(), passing.offset());
        assert_eq!(reader.offset(), dumping.offset());
    }
}

impl ToldKey {
    /// What was passed is as long as what was visited, and what was dumped is read again as the same.
    pub fn agrees_with_itself(&self) {
        let name = latin(&self.head.name);
        assert_eq!(
            self.shape.length,
            self.value.length(&self.head.kind),
            "{name}"
        );
        let mut reader = verified_dump(&self.payload).expect("our own payload");
        assert_eq!(reader.head().kind, self.head.kind, "{name}");
        assert_eq!(value(&mut reader).expect("our own"), self.value, "{name}");
    }
}

/// The value that comes next, whole.
pub fn value<R: Read>(reader: &mut Reader<R>) -> Result<Value, SnapshotError> {
    let mut value = Value::default();
    reader.visit(&mut |element: Element<'_>| {
        value.take(&element);
        ControlFlow::Continue(())
    })?;
    Ok(value)
}

impl Value {
    fn take(&mut self, element: &Element<'_>) {
        const BEFORE: &str = "what it belongs to comes before";
        match element {
            Element::Text(piece) | Element::Item(piece) | Element::Member(piece) => {
                if piece.is_first() {
                    self.items.push(String::new());
                }
                *self.items.last_mut().expect(BEFORE) += &latin(piece.bytes);
            }
            Element::Field(piece) => {
                if piece.is_first() {
                    self.fields.push((String::new(), String::new(), None));
                }
                self.fields.last_mut().expect(BEFORE).0 += &latin(piece.bytes);
            }
            Element::FieldValue(piece) => {
                self.fields.last_mut().expect(BEFORE).1 += &latin(piece.bytes);
            }
            Element::FieldEnds(at) => self.fields.last_mut().expect(BEFORE).2 = Some(at.0),
            Element::Scored(piece) => {
                if piece.is_first() {
                    self.scores.push((String::new(), 0.0));
                }
                self.scores.last_mut().expect(BEFORE).0 += &latin(piece.bytes);
            }
            Element::Score(score) => self.scores.last_mut().expect(BEFORE).1 = *score,
            Element::Entry { id, is_deleted } => self.entries.push(Entry {
                id: id.to_string(),
                is_deleted: *is_deleted,
                fields: Vec::new(),
            }),
            Element::EntryField(piece) => {
                let entry = self.entries.last_mut().expect(BEFORE);
                entry.fields.push((latin(piece.bytes), String::new()));
            }
            Element::EntryValue(piece) => {
                let entry = self.entries.last_mut().expect(BEFORE);
                entry.fields.last_mut().expect(BEFORE).1 = latin(piece.bytes);
            }
            Element::Stream(facts) => self.facts = Some(*facts),
            Element::Group {
                last_id,
                entries_read,
            } => self.groups.push(Group {
                last_id: last_id.to_string(),
                read: *entries_read,
                ..Group::default()
            }),
            Element::GroupName(piece) => {
                self.groups.last_mut().expect(BEFORE).name = latin(piece.bytes);
            }
            Element::Pending {
                id,
                delivered_at,
                deliveries,
            } => self.groups.last_mut().expect(BEFORE).pending.push((
                id.to_string(),
                delivered_at.0,
                *deliveries,
            )),
            Element::Consumer { seen_at, active_at } => {
                let group = self.groups.last_mut().expect(BEFORE);
                group.consumers.push(Consumer {
                    seen: seen_at.0,
                    active: active_at.map(|at| at.0),
                    ..Consumer::default()
                });
            }
            Element::ConsumerName(piece) => self.consumer().name = latin(piece.bytes),
            Element::Owned(id) => {
                let id = id.to_string();
                self.consumer().pending.push(id);
            }
            other => self.others.push(format!("{other:?}")),
        }
    }

    fn consumer(&mut self) -> &mut Consumer {
        let group = self.groups.last_mut();
        group
            .and_then(|group| group.consumers.last_mut())
            .expect("a consumer comes before what is its own")
    }
}

pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
