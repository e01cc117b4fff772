//! Makes catalogs of names that arrive in any order.
//!
//! Newcomers are collected, sorted and packed into a run of their own; runs of like size are merged
//! into one of the next size, so that there are never many. A merge gives up its inputs chunk by chunk
//! while its output grows, and a picture can be taken in the middle of it: what is merged so far and
//! what is left of the inputs are just runs. So nothing of size is ever there twice.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::chunk::{Chunk, Fact, Packer};
use crate::catalog::run::{Leaf, Run};

/// Newcomers that are sorted at once, at most: what the processor's cache holds.
const MOST_NEWCOMERS: usize = 256 << 10;
const MOST_NEW_BYTES: usize = 8 << 20;
/// So many runs of one size are merged into one of the next.
const FAN_IN: usize = 6;

/// Takes names in and makes pictures of them.
#[derive(Debug, Default)]
pub struct Builder {
    newcomers: Newcomers,
    /// Runs that are not being merged, by size.
    runs: Vec<Sorted>,
    merge: Option<Merge>,
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

#[derive(Clone, Debug)]
struct Sorted {
    chunks: Vec<Arc<Chunk>>,
    count: usize,
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

    /// Merges everything into one run, bit by bit; says whether there is more to do.
    pub fn finish(&mut self, names: usize) -> bool {
        self.settle();
        // A merge that is under way goes into the last one, so that no name is gone over twice.
        if !self.runs.is_empty() && (self.runs.len() > 1 || self.merge.is_some()) {
            let mut inputs = self.merge.take().map_or_else(Vec::new, Merge::into_inputs);
            inputs.extend(std::mem::take(&mut self.runs).into_iter().map(Input::of));
            self.merge = Some(Merge::over(inputs));
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
    fn next_merge(&mut self, fan_in: usize) -> Option<Merge> {
        let mut sizes: Vec<u32> = self.runs.iter().map(Sorted::size).collect();
        sizes.sort_unstable();
        let size = sizes
            .chunk_by(|one, other| one == other)
            .find(|alike| alike.len() >= fan_in)?[0];
        let (inputs, others) = std::mem::take(&mut self.runs)
            .into_iter()
            .partition(|run| run.size() == size);
        self.runs = others;
        Some(Merge::of(inputs))
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

impl Sorted {
    fn run(&self) -> Run {
        let chunks = self.chunks.iter();
        Run::of(chunks.map(|chunk| Leaf::of(Arc::clone(chunk))).collect())
    }

    /// How many times it is as large as the smallest.
    fn size(&self) -> u32 {
        self.count.max(1).ilog(FAN_IN)
    }
}

/// Runs on their way to be one.
#[derive(Debug)]
struct Merge {
    /// A heap: none has a name before that of the one at half its place.
    inputs: Vec<Input>,
    packer: Packer,
    done: Vec<Arc<Chunk>>,
    count: usize,
}

/// A run that is being read.
#[derive(Debug)]
struct Input {
    chunks: VecDeque<Arc<Chunk>>,
    /// Names of the first chunk that were read.
    read: usize,
    /// The first chunk's names, as far as they are unpacked, and where each ends.
    names: Vec<u8>,
    ends: Vec<u32>,
}

impl Input {
    fn of(run: Sorted) -> Self {
        let mut input = Self {
            chunks: run.chunks.into(),
            read: 0,
            names: Vec::new(),
            ends: Vec::new(),
        };
        input.unpack();
        input
    }

    /// The next name that was not read.
    fn name(&self) -> &[u8] {
        let start = self
            .read
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.names[start..self.ends[self.read] as usize]
    }

    fn fact(&self) -> Option<Fact> {
        self.chunks.front()?.fact(self.read).copied()
    }

    /// Goes on; says whether anything is left.
    fn step(&mut self) -> bool {
        self.read += 1;
        if self.read < self.ends.len() {
            return true;
        }
        self.chunks.pop_front();
        self.read = 0;
        self.unpack();
        !self.chunks.is_empty()
    }

    fn unpack(&mut self) {
        self.names.clear();
        self.ends.clear();
        let Some(chunk) = self.chunks.front() else {
            return;
        };
        let mut reader = chunk.reader(0);
        while let Some((_, name)) = reader.step() {
            self.names.extend_from_slice(name);
            let end = u32::try_from(self.names.len()).expect("a chunk's names are few");
            self.ends.push(end);
        }
    }

    fn rest(&self) -> Run {
        let mut skip = self.read;
        let leaves = self.chunks.iter().map(|chunk| {
            let leaf = Leaf::of(Arc::clone(chunk));
            leaf.after(std::mem::take(&mut skip))
        });
        Run::of(leaves.collect())
    }
}

impl Merge {
    fn of(runs: Vec<Sorted>) -> Self {
        Self::over(runs.into_iter().map(Input::of).collect())
    }

    fn over(inputs: Vec<Input>) -> Self {
        let mut merge = Self {
            inputs,
            packer: Packer::default(),
            done: Vec::new(),
            count: 0,
        };
        for place in (0..merge.inputs.len() / 2).rev() {
            merge.sink(place);
        }
        merge
    }

    /// What is merged, as one of the inputs, and what is left of them.
    fn into_inputs(mut self) -> Vec<Input> {
        self.close();
        let mut inputs = self.inputs;
        if !self.done.is_empty() {
            inputs.push(Input::of(Sorted {
                chunks: self.done,
                count: self.count,
            }));
        }
        inputs
    }

    /// Puts the input at this place behind those that have names before its own.
    fn sink(&mut self, mut place: usize) {
        loop {
            let below = 2 * place + 1..(2 * place + 3).min(self.inputs.len());
            let least = below.min_by(|one, other| self.name(*one).cmp(self.name(*other)));
            match least {
                Some(least) if self.name(least) < self.name(place) => {
                    self.inputs.swap(least, place);
                    place = least;
                }
                _ => return,
            }
        }
    }

    fn name(&self, place: usize) -> &[u8] {
        self.inputs[place].name()
    }

    /// Goes on by so many names; gives the one run when all are through.
    fn step(&mut self, names: usize) -> Option<Sorted> {
        for _ in 0..names {
            if self.inputs.is_empty() {
                self.close();
                return Some(Sorted {
                    chunks: std::mem::take(&mut self.done),
                    count: self.count,
                });
            }
            self.push(0);
            if !self.inputs[0].step() {
                self.inputs.swap_remove(0);
            }
            self.sink(0);
        }
        None
    }

    fn push(&mut self, input: usize) {
        let is_twin = self.count > 0 && self.packer.last() == self.inputs[input].name();
        if !is_twin && self.packer.is_full() {
            self.close();
        }
        let input = &self.inputs[input];
        if is_twin {
            self.packer.tell_last(input.fact());
            return;
        }
        self.packer.push(input.name(), input.fact());
        self.count += 1;
    }

    fn close(&mut self) {
        if !self.packer.is_empty() {
            self.done.push(Arc::new(self.packer.close()));
        }
    }

    /// What is merged, and what is left of each input.
    fn runs(&mut self) -> Vec<Run> {
        self.close();
        let done = self.done.iter().map(|chunk| Leaf::of(Arc::clone(chunk)));
        let mut runs = vec![Run::of(done.collect())];
        runs.extend(self.inputs.iter().map(Input::rest));
        runs
    }
}
