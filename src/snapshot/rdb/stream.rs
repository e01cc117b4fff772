//! Streams: packed nodes of entries, then what is known of the whole, then groups and consumers.

use std::io::Read;

use crate::model::UnixMs;
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::Reader;
use crate::snapshot::rdb::element::{
    Element, Idempotence, Piece, Role, StreamFacts, StreamId, Teller, Visitor,
};
use crate::snapshot::rdb::memory::{self, Sizes};
use crate::snapshot::rdb::packed::{Form, Items, Value};
use crate::snapshot::rdb::shape::Measure;

/// The id that all ids of a node count from.
const NODE_KEY: &str = "the id of a node of a stream";
const IS_DELETED: i64 = 1;
const HAS_SAME_FIELDS: i64 = 2;
/// A group that lost count of what it read.
const NOT_COUNTED: u64 = u64::MAX;

type Result<T> = std::result::Result<T, SnapshotError>;

/// Listens to nothing: for whoever only wants to pass.
struct Deaf;

impl Visitor for Deaf {
    fn see(&mut self, _: Element<'_>) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Break(())
    }
}

impl<R: Read> Reader<R> {
    /// Passes a stream without looking into its entries.
    pub(super) fn stream_shape(&mut self, version: u8) -> Result<Measure> {
        let nodes = self.source.length("the number of nodes of a stream")?;
        let mut memory = Sizes::of(self.header).stream(nodes);
        for node in 1..=nodes {
            self.node_id()?;
            let text = self.source.text("a node of a stream")?;
            self.source.skip_text(text, "a node of a stream")?;
            memory = memory.saturating_add(if node < nodes {
                memory::class(text.len())
            } else {
                memory::last_node(text.len())
            });
        }
        let mut deaf = Deaf;
        let mut teller = Teller::new(&mut deaf);
        let (facts, groups) = self.stream_tail(version, &mut teller)?;
        Ok(Measure {
            length: facts.length,
            memory: memory.saturating_add(groups),
        })
    }

    pub(super) fn stream<V: Visitor>(
        &mut self,
        version: u8,
        teller: &mut Teller<'_, V>,
    ) -> Result<()> {
        let nodes = self.source.length("the number of nodes of a stream")?;
        for _ in 0..nodes {
            let base = self.node_id()?;
            let at = self.source.offset();
            let text = self.source.text("a node of a stream")?;
            let node = self
                .source
                .whole(text, &mut self.scratch, "a node of a stream")?;
            entries(node, base, teller).map_err(|what| SnapshotError::Corrupt { at, what })?;
        }
        self.stream_tail(version, teller).map(drop)
    }

    fn node_id(&mut self) -> Result<StreamId> {
        let at = self.source.offset();
        let text = self.source.text(NODE_KEY)?;
        let bytes = self.source.whole(text, &mut self.scratch, NODE_KEY)?;
        let id = <[u8; 16]>::try_from(bytes).map_err(|_| SnapshotError::Corrupt {
            at,
            what: "an id of a node of a stream that has not 16 bytes",
        })?;
        Ok(raw_id(id))
    }

    /// Everything behind the entries; gives the facts, and what the groups take in memory.
    fn stream_tail<V: Visitor>(
        &mut self,
        version: u8,
        teller: &mut Teller<'_, V>,
    ) -> Result<(StreamFacts, u64)> {
        let mut facts = StreamFacts {
            length: self.source.length("the length of a stream")?,
            last_id: self.id("the last id of a stream")?,
            ..StreamFacts::default()
        };
        if version >= 2 {
            facts.first_id = Some(self.id("the first id of a stream")?);
            facts.max_deleted_id = Some(self.id("the highest deleted id of a stream")?);
            facts.entries_added = Some(self.source.length("the number of entries ever added")?);
        }
        facts.groups = self.source.length("the number of groups")?;
        teller.tell(Element::Stream(facts));
        let mut memory = 0_u64;
        for _ in 0..facts.groups {
            memory = memory.saturating_add(self.group(version, teller)?);
        }
        if version >= 4 {
            self.idempotence(teller)?;
        }
        Ok((facts, memory))
    }

    fn group<V: Visitor>(&mut self, version: u8, teller: &mut Teller<'_, V>) -> Result<u64> {
        // The name comes first in the file, and its group is told before.
        let header = self.source.text("the name of a group")?;
        let name = self
            .source
            .whole(header, &mut self.other, "the name of a group")?
            .to_vec();
        let last_id = self.id("the last id of a group")?;
        let entries_read = if version >= 2 {
            Some(self.source.length("how many entries a group has read")?)
        } else {
            None
        };
        teller.tell(Element::Group {
            last_id,
            entries_read: entries_read.filter(|read| *read != NOT_COUNTED),
        });
        teller.tell(Element::GroupName(Piece::of(&name)));
        let pending = self.source.length("the number of pending entries")?;
        for _ in 0..pending {
            let id = raw_id(self.source.array("a pending entry")?);
            let delivered_at = self.moment("a moment of delivery")?;
            let deliveries = self.source.length("the number of deliveries")?;
            teller.tell(Element::Pending {
                id,
                delivered_at,
                deliveries,
            });
        }
        let sizes = Sizes::of(self.header);
        let mut memory = sizes.group(name.len() as u64, pending);
        for _ in 0..self.source.length("the number of consumers")? {
            memory = memory.saturating_add(self.consumer(version, teller)?);
        }
        Ok(memory)
    }

    fn consumer<V: Visitor>(&mut self, version: u8, teller: &mut Teller<'_, V>) -> Result<u64> {
        let header = self.source.text("the name of a consumer")?;
        let name = self
            .source
            .whole(header, &mut self.other, "the name of a consumer")?
            .to_vec();
        let seen_at = self.moment("when a consumer was seen")?;
        let active_at = if version >= 3 {
            Some(self.moment("when a consumer was active")?).filter(|at| at.0 >= 0)
        } else {
            None
        };
        teller.tell(Element::Consumer { seen_at, active_at });
        teller.tell(Element::ConsumerName(Piece::of(&name)));
        let pending = self.source.length("the number of pending entries")?;
        for _ in 0..pending {
            let id = raw_id(self.source.array("a pending entry")?);
            teller.tell(Element::Owned(id));
        }
        Ok(Sizes::of(self.header).consumer(name.len() as u64, pending))
    }

    fn idempotence<V: Visitor>(&mut self, teller: &mut Teller<'_, V>) -> Result<()> {
        const EXPECTED: &str = "what a stream knows of its producers";
        let facts = Idempotence {
            seconds: self.source.length(EXPECTED)?,
            most_entries: self.source.length(EXPECTED)?,
            producers: self.source.length(EXPECTED)?,
        };
        teller.tell(Element::Idempotence(facts));
        for _ in 0..facts.producers {
            self.text_element(EXPECTED, teller, Role::Producer)?;
            for _ in 0..self.source.length(EXPECTED)? {
                self.text_element(EXPECTED, teller, Role::ProducedName)?;
                let id = self.id(EXPECTED)?;
                teller.tell(Element::Produced(id));
            }
        }
        // How many entries had a name, and how many of them came twice: counters of the server.
        self.source.length(EXPECTED)?;
        self.source.length(EXPECTED)?;
        Ok(())
    }

    fn id(&mut self, expected: &'static str) -> Result<StreamId> {
        Ok(StreamId {
            ms: self.source.length(expected)?,
            seq: self.source.length(expected)?,
        })
    }

    fn moment(&mut self, expected: &'static str) -> Result<UnixMs> {
        Ok(UnixMs(i64::from_le_bytes(self.source.array(expected)?)))
    }
}

/// An id as trees keep it.
fn raw_id(bytes: [u8; 16]) -> StreamId {
    let (ms, seq) = bytes.split_at(8);
    let long = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    StreamId {
        ms: long(ms),
        seq: long(seq),
    }
}

/// Tells the entries of one node. It begins with a master entry whose fields the others may share:
/// count, deleted, number of fields, the fields, 0. Each entry has flags, its id as a difference, its
/// own fields or none, its values, and how many items it took.
fn entries<V: Visitor>(
    node: &[u8],
    base: StreamId,
    teller: &mut Teller<'_, V>,
) -> std::result::Result<(), &'static str> {
    let mut items = Items::of(Form::Listpack, node)?;
    number(&mut items)?;
    number(&mut items)?;
    let shared = count(&mut items)?;
    let master = items.clone();
    for _ in 0..shared {
        value(&mut items)?;
    }
    number(&mut items)?;
    while let Some(flags) = items.next() {
        let flags = flags?.number().ok_or(NO_NUMBER)?;
        let id = StreamId {
            ms: base.ms.wrapping_add_signed(number(&mut items)?),
            seq: base.seq.wrapping_add_signed(number(&mut items)?),
        };
        teller.tell(Element::Entry {
            id,
            is_deleted: flags & IS_DELETED != 0,
        });
        if flags & HAS_SAME_FIELDS != 0 {
            let mut names = master.clone();
            for _ in 0..shared {
                tell(teller, value(&mut names)?, Role::EntryField);
                tell(teller, value(&mut items)?, Role::EntryValue);
            }
        } else {
            for _ in 0..count(&mut items)? {
                tell(teller, value(&mut items)?, Role::EntryField);
                tell(teller, value(&mut items)?, Role::EntryValue);
            }
        }
        number(&mut items)?;
    }
    Ok(())
}

const NO_NUMBER: &str = "a node of a stream with a text where a number belongs";

fn tell<V: Visitor>(teller: &mut Teller<'_, V>, value: Value<'_>, role: Role) {
    let mut digits = [0; 20];
    teller.tell(role.of(Piece::of(value.bytes(&mut digits))));
}

fn value<'a>(items: &mut Items<'a>) -> std::result::Result<Value<'a>, &'static str> {
    items
        .next()
        .ok_or("a node of a stream that ends within an entry")?
}

fn number(items: &mut Items<'_>) -> std::result::Result<i64, &'static str> {
    value(items)?.number().ok_or(NO_NUMBER)
}

fn count(items: &mut Items<'_>) -> std::result::Result<u64, &'static str> {
    u64::try_from(number(items)?).map_err(|_| "a node of a stream with a negative number of fields")
}
