//! Makes catalogs of names that arrive in any order.
//!
//! Newcomers are collected, sorted and packed into a run of their own; runs of like size are merged
//! into one of the next size, so that there are never many. A merge gives up its inputs chunk by chunk
//! while its output grows, and a picture can be taken in the middle of it: what is merged so far and
//! what is left of the inputs are just runs. So nothing of size is ever there twice.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::chunk::{Fact, Packer};
use crate::catalog::merge::{FAN_IN, Merging, Sorted};
use crate::catalog::run::Run;

/// Newcomers that are sorted at once, at most: what the processor's cache holds.
const MOST_NEWCOMERS: usize = 256 << 10;
const MOST_NEW_BYTES: usize = 8 << 20;
/// Takes names in and makes pictures of them.
#[derive(Debug, Default)]
pub struct Builder {
    newcomers: Newcomers,
    /// Runs that are not being merged, by size.
    runs: Vec<Sorted>,
    merge: Option<Merging>,
    limit: Option<usize>,
    bytes: usize,
    not_kept: u64,
}

#[derive(Debug, Default)]
struct Newcomers {
    bytes: Vec<u8>,
    /// Where each begins and how long it is.
    spans: Vec<(u32, u32)>,
    facts: Vec<Fact>,
}

impl Builder {
    /// Keeps no more than so many bytes of names, as they are unpacked; what comes after is counted.
    pub fn within(limit: usize) -> Self {
        Self {
            limit: Some(limit),
            ..Self::default()
        }
    }

    /// Names that came when there was no room any more.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    pub fn add(&mut self, name: &[u8], fact: Option<Fact>) {
        if self
            .limit
            .is_some_and(|limit| self.bytes + name.len() > limit)
        {
            self.not_kept += 1;
            return;
        }
        self.bytes += name.len();
        self.newcomers.add(name, fact);
        if self.newcomers.is_full() {
            self.settle();
        }
    }

    /// Does about so much merging; says whether there is more to do.
    pub fn work(&mut self, names: usize) -> bool {
        if let Some(merge) = &mut self.merge {
            if let Some(done) = merge.step(names) {
                self.runs.push(done);
                self.merge = None;
            }
            return true;
        }
        self.merge = self.next_merge(FAN_IN);
        self.merge.is_some()
    }

    /// Whether merging is so far behind that newcomers should wait for it.
    pub fn is_behind(&self) -> bool {
        self.runs.len() > 4 * FAN_IN
    }

    /// Merges everything into one run, bit by bit and on every core; says whether there is more to do.
    pub fn finish(&mut self, names: usize) -> bool {
        self.settle();
        // A merge that is under way goes into the last one, so that no name is gone over twice.
        if !self.runs.is_empty() && (self.runs.len() > 1 || self.merge.is_some()) {
            let under_way = self.merge.take();
            self.merge = Some(Merging::last(under_way, std::mem::take(&mut self.runs)));
        }
        let Some(merge) = &mut self.merge else {
            return false;
        };
        if let Some(done) = merge.step(names) {
            self.runs.push(done);
            self.merge = None;
        }
        true
    }

    /// A picture of all names so far.
    pub fn catalog(&mut self) -> Catalog {
        self.settle();
        let mut runs: Vec<Run> = self.runs.iter().map(Sorted::run).collect();
        if let Some(merge) = &mut self.merge {
            runs.extend(merge.runs());
        }
        Catalog::of(runs)
    }

    fn settle(&mut self) {
        if let Some(run) = self.newcomers.pack() {
            self.runs.push(run);
        }
    }

    /// Runs of one size, when there are enough of them.
    fn next_merge(&mut self, fan_in: usize) -> Option<Merging> {
        let mut sizes: Vec<u32> = self.runs.iter().map(Sorted::size).collect();
        sizes.sort_unstable();
        let size = sizes
            .chunk_by(|one, other| one == other)
            .find(|alike| alike.len() >= fan_in)?[0];
        let (inputs, others) = std::mem::take(&mut self.runs)
            .into_iter()
            .partition(|run| run.size() == size);
        self.runs = others;
        Some(Merging::of(inputs))
    }
}

impl Newcomers {
    fn add(&mut self, name: &[u8], fact: Option<Fact>) {
        let start = u32::try_from(self.bytes.len()).expect("newcomers are few");
        let length =
            u32::try_from(name.len()).expect("a name is shorter than what was read at once");
        self.bytes.extend_from_slice(name);
        if let Some(fact) = fact {
            self.facts.resize(self.spans.len(), Fact::UNTOLD);
            self.facts.push(fact);
        }
        self.spans.push((start, length));
    }

    fn is_full(&self) -> bool {
        self.spans.len() >= MOST_NEWCOMERS || self.bytes.len() >= MOST_NEW_BYTES
    }

    fn name(&self, place: usize) -> &[u8] {
        let (start, length) = self.spans[place];
        &self.bytes[start as usize..start as usize + length as usize]
    }

    /// Sorts and packs them, and makes room for others.
    fn pack(&mut self) -> Option<Sorted> {
        if self.spans.is_empty() {
            return None;
        }
        let mut order: Vec<u32> = (0..).take(self.spans.len()).collect();
        // The later of two alike goes first: it knows more.
        order.sort_unstable_by(|one, other| {
            let by_name = self.name(*one as usize).cmp(self.name(*other as usize));
            by_name.then(other.cmp(one))
        });
        let mut packer = Packer::default();
        let mut chunks = Vec::new();
        let mut count = 0;
        for place in order {
            let name = self.name(place as usize);
            let fact = self.facts.get(place as usize).copied();
            if count > 0 && packer.last() == name {
                packer.tell_last(fact);
                continue;
            }
            if packer.is_full() {
                chunks.push(Arc::new(packer.close()));
            }
            packer.push(name, fact);
            count += 1;
        }
        if !packer.is_empty() {
            chunks.push(Arc::new(packer.close()));
        }
        self.bytes.clear();
        self.spans.clear();
        self.facts.clear();
        Some(Sorted { chunks, count })
    }
}
