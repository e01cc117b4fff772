//! The keys with the most of something, without keeping the others.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::report::TopKey;
use crate::model::{Bytes, Key, Told, Ttl, UnixMs};

/// A list of so many keys at most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Top {
    most: usize,
    /// The least first.
    entries: BTreeSet<Entry>,
    /// What a key must weigh more than to come in.
    bar: u64,
}

/// A key that asks for a place.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    pub weight: u64,
    pub name: &'a [u8],
    pub told: &'a Told,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    weight: u64,
    name: Vec<u8>,
    kind: Option<String>,
    size: Option<u64>,
    elements: Option<u64>,
    idle_s: Option<u64>,
    ends: Ends,
}

/// A TTL as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Ends {
    Never,
    At(i64),
    Unknown,
}

impl Top {
    pub fn of(most: usize) -> Self {
        Self {
            most,
            entries: BTreeSet::new(),
            bar: 0,
        }
    }

    pub fn offer(&mut self, seat: &Seat) {
        if seat.weight < self.bar || self.most == 0 || self.is_below(seat) {
            return;
        }
        let told = seat.told;
        self.insert(Entry {
            weight: seat.weight,
            name: seat.name.to_vec(),
            kind: told.kind.as_ref().map(|kind| kind.word().to_owned()),
            size: told.size.map(|size| size.0),
            elements: told.length,
            idle_s: told.idle.map(|idle| idle.as_secs()),
            ends: match told.ttl {
                Ttl::None => Ends::Never,
                Ttl::Until(end) => Ends::At(end.0),
                Ttl::Unknown => Ends::Unknown,
            },
        });
    }

    pub fn merge(&mut self, other: &Self) {
        for entry in &other.entries {
            self.insert(entry.clone());
        }
    }

    /// The most first.
    pub fn rows(&self) -> Vec<TopKey> {
        let entries = self.entries.iter().rev();
        entries
            .map(|entry| TopKey {
                key: Key::new(entry.name.clone()),
                kind: entry.kind.clone(),
                size: entry.size.map(Bytes),
                elements: entry.elements,
                idle: entry.idle_s.map(Duration::from_secs),
                ttl: match entry.ends {
                    Ends::Never => Ttl::None,
                    Ends::At(end) => Ttl::Until(UnixMs(end)),
                    Ends::Unknown => Ttl::Unknown,
                },
            })
            .collect()
    }

    /// Among keys that weigh the same the name decides; where all do, most would be let in only to be
    /// put out again.
    fn is_below(&self, seat: &Seat) -> bool {
        seat.weight == self.bar
            && self.entries.len() >= self.most
            && self.entries.first().is_some_and(|least| {
                least.weight == seat.weight && seat.name < least.name.as_slice()
            })
    }

    fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry);
        if self.entries.len() > self.most {
            self.entries.pop_first();
        }
        if self.entries.len() == self.most {
            self.bar = self.entries.first().map_or(0, |least| least.weight);
        }
    }
}
