//! Where keys stand in a snapshot, in eight bytes each.
//!
//! A word holds 24 bits of a name's hash above 40 bits of its offset, so that sorted words are found by
//! hash. Two names out of a million share those bits; whoever looks a name up reads the few places that
//! are told and compares. Words come in the order of the file and are sorted by the million, so that
//! nothing has to wait until the end.

use crate::analysis::hash::Keyed;

const OFFSET_BITS: u32 = 40;
/// Snapshots above this size are read, but their keys are not found by offset.
pub const FARTHEST: u64 = 1 << OFFSET_BITS;
const OFFSET: u64 = FARTHEST - 1;
/// Words of a run. A lookup asks each run once.
const RUN: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Index {
    hash: Keyed,
    sorted: Vec<Box<[u64]>>,
    latest: Vec<u64>,
    /// Everything before this offset was told.
    until: u64,
    /// From which offset on keys are of which database and slot.
    contexts: Vec<(u64, Context)>,
}

/// What a key's own bytes do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub db: u32,
    pub slot: Option<u16>,
}

impl Index {
    /// Takes a key in, unless it lies before what is known already: several readers of one file may
    /// tell the same.
    pub fn add(&mut self, name: &[u8], offset: u64, context: Context) {
        if offset < self.until || offset >= FARTHEST {
            return;
        }
        self.until = offset + 1;
        if self
            .contexts
            .last()
            .is_none_or(|(_, last)| *last != context)
        {
            self.contexts.push((offset, context));
        }
        self.latest.push(self.word(name) | offset);
        if self.latest.len() == RUN {
            let mut run = std::mem::take(&mut self.latest);
            run.sort_unstable();
            self.sorted.push(run.into_boxed_slice());
        }
    }

    /// Nothing more comes.
    pub fn complete(&mut self) {
        let mut run = std::mem::take(&mut self.latest);
        run.sort_unstable();
        if !run.is_empty() {
            self.sorted.push(run.into_boxed_slice());
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sorted.iter().map(|run| run.len()).sum::<usize>() + self.latest.len()
    }

    /// The places where this name may stand, with what is known of each.
    pub fn places(&self, name: &[u8]) -> Vec<(u64, Context)> {
        let word = self.word(name);
        let end = word | OFFSET;
        let sorted = self.sorted.iter().flat_map(|run| {
            let first = run.partition_point(|one| *one < word);
            run[first..].iter().take_while(move |one| **one <= end)
        });
        let latest = self.latest.iter().filter(|one| (word..=end).contains(one));
        let place = |one: &u64| (*one & OFFSET, self.context(*one & OFFSET));
        sorted.chain(latest).map(place).collect()
    }

    /// Of the key that begins here.
    pub fn context(&self, offset: u64) -> Context {
        let after = self.contexts.partition_point(|(from, _)| *from <= offset);
        let before = after.checked_sub(1).map(|place| self.contexts[place].1);
        before.unwrap_or_default()
    }

    fn word(&self, name: &[u8]) -> u64 {
        self.hash.of(0, name) & !OFFSET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DB: fn(u32) -> Context = |db| Context { db, slot: None };

    #[test]
    fn every_name_is_found_before_and_after_sorting() {
        let mut index = Index::default();
        let name = |n: u64| format!("user:{n}:profile");
        let many = RUN as u64 + 5_000;
        for n in 0..many {
            index.add(name(n).as_bytes(), n * 40, DB(u32::from(n >= 100)));
        }
        let is_there = |index: &Index, n: u64| {
            let places = index.places(name(n).as_bytes());
            places.contains(&(n * 40, DB(u32::from(n >= 100))))
        };
        for n in [0, 99, 100, RUN as u64 - 1, RUN as u64, many - 1] {
            assert!(is_there(&index, n), "{n}");
        }
        index.complete();
        for n in [0, 99, 100, many - 1] {
            assert!(is_there(&index, n), "{n}");
        }
        assert_eq!(index.len() as u64, many);
        // Places that have to be read for nothing are few.
        let places: usize = (0..1000)
            .map(|n| index.places(name(many + n).as_bytes()).len())
            .sum();
        assert!(places < 200, "{places}");
    }

    #[test]
    fn what_was_told_before_is_not_told_twice() {
        let mut index = Index::default();
        for _ in 0..2 {
            for (name, offset) in [("a", 9), ("b", 20), ("c", 31)] {
                index.add(name.as_bytes(), offset, DB(0));
            }
        }
        assert_eq!(index.len(), 3);
        assert_eq!(index.until, 32);
        index.add(b"far", FARTHEST, DB(0));
        assert_eq!(index.len(), 3);
    }
}
