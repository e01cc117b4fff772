//! Runs that become one.
//!
//! A merge gives up its inputs chunk by chunk while its output grows, and what is merged so far and what
//! is left of the inputs can be looked at as runs at any moment. The last merge, of everything, has the
//! machine to itself: it is cut into parts of the alphabet, one for each core.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use crate::catalog::chunk::{Chunk, Fact, Packer};
use crate::catalog::run::{Leaf, Run};

/// So many runs of one size are merged into one of the next.
pub const FAN_IN: usize = 6;

/// The last merge has so many parts at most.
const MOST_PARTS: usize = 8;

#[derive(Clone, Debug)]
pub struct Sorted {
    pub chunks: Vec<Arc<Chunk>>,
    pub count: usize,
}

impl Sorted {
    pub fn run(&self) -> Run {
        let chunks = self.chunks.iter();
        Run::of(chunks.map(|chunk| Leaf::of(Arc::clone(chunk))).collect())
    }

    /// How many times it is as large as the smallest.
    pub fn size(&self) -> u32 {
        self.count.max(1).ilog(FAN_IN)
    }
}

/// A merge under way, in parts that come one after the other.
#[derive(Debug)]
pub struct Merging {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    UnderWay(Merge),
    Done(Sorted),
}

impl Merging {
    pub fn of(runs: Vec<Sorted>) -> Self {
        let inputs = runs.into_iter().map(Input::of).collect();
        Self {
            parts: vec![Part::UnderWay(Merge::over(inputs))],
        }
    }

    /// Of everything, and of what is being merged already.
    pub fn last(under_way: Option<Self>, runs: Vec<Sorted>) -> Self {
        let mut inputs: Vec<Input> = runs.into_iter().map(Input::of).collect();
        for part in under_way.into_iter().flat_map(|merging| merging.parts) {
            match part {
                Part::UnderWay(merge) => inputs.extend(merge.into_inputs()),
                Part::Done(run) => inputs.push(Input::of(run)),
            }
        }
        let parts = thread::available_parallelism().map_or(1, usize::from);
        let mut merging = Self { parts: Vec::new() };
        // From the end: each cut leaves what is before it.
        for border in borders(&inputs, parts.min(MOST_PARTS)).iter().rev() {
            let (before, after) = inputs.into_iter().map(|input| input.cut(border)).unzip();
            inputs = existing(before);
            merging
                .parts
                .push(Part::UnderWay(Merge::over(existing(after))));
        }
        merging.parts.push(Part::UnderWay(Merge::over(inputs)));
        merging.parts.reverse();
        merging
    }

    /// Goes on by so many names in each part; gives the one run when all are through.
    pub fn step(&mut self, names: usize) -> Option<Sorted> {
        match self.parts.as_mut_slice() {
            [one] => one.step(names),
            several => thread::scope(|scope| {
                for part in several {
                    scope.spawn(|| part.step(names));
                }
            }),
        }
        let is_done = |part: &Part| matches!(part, Part::Done(_));
        if !self.parts.iter().all(is_done) {
            return None;
        }
        let mut all = Sorted {
            chunks: Vec::new(),
            count: 0,
        };
        for part in self.parts.drain(..) {
            if let Part::Done(run) = part {
                all.chunks.extend(run.chunks);
                all.count += run.count;
            }
        }
        Some(all)
    }

    /// What is merged, and what is left of each input.
    pub fn runs(&mut self) -> Vec<Run> {
        let parts = self.parts.iter_mut();
        parts
            .flat_map(|part| match part {
                Part::UnderWay(merge) => merge.runs(),
                Part::Done(run) => vec![run.run()],
            })
            .collect()
    }
}

impl Part {
    fn step(&mut self, names: usize) {
        if let Self::UnderWay(merge) = self
            && let Some(run) = merge.step(names)
        {
            *self = Self::Done(run);
        }
    }
}

/// Names that cut the inputs into so many parts of about one size.
fn borders(inputs: &[Input], parts: usize) -> Vec<Vec<u8>> {
    let Some(largest) = inputs.iter().max_by_key(|input| input.chunks.len()) else {
        return Vec::new();
    };
    let chunks = &largest.chunks;
    let mut borders: Vec<Vec<u8>> = (1..parts)
        .filter_map(|part| chunks.get(chunks.len() * part / parts))
        .map(|chunk| chunk.first().to_vec())
        .collect();
    borders.dedup();
    borders
}

fn existing(inputs: Vec<Option<Input>>) -> Vec<Input> {
    inputs.into_iter().flatten().collect()
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

/// The names of a chunk from one place to another.
fn repacked(chunk: &Chunk, from: usize, to: usize) -> Arc<Chunk> {
    let mut packer = Packer::default();
    let mut reader = chunk.reader(from);
    for place in from..to {
        if let Some((_, name)) = reader.step() {
            packer.push(name, chunk.fact(place).copied());
        }
    }
    Arc::new(packer.close())
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

    /// What is before this name, and what is not, where there is anything.
    fn cut(mut self, border: &[u8]) -> (Option<Self>, Option<Self>) {
        let place = self.chunks.partition_point(|chunk| chunk.first() < border);
        let mut after = self.chunks.split_off(place);
        // The last one before it may go beyond it.
        if let Some(last) = self.chunks.pop_back() {
            let read = if self.chunks.is_empty() { self.read } else { 0 };
            let rank = last.rank(border).max(read);
            if rank == last.count() {
                self.chunks.push_back(last);
            } else {
                after.push_front(repacked(&last, rank, last.count()));
                if rank > read {
                    self.chunks.push_back(repacked(&last, read, rank));
                    if self.chunks.len() == 1 {
                        self.read = 0;
                    }
                }
            }
        }
        let read = if place == 0 { self.read } else { 0 };
        let before = Self::over(self.chunks, self.read);
        (before, Self::over(after, read))
    }

    fn over(chunks: VecDeque<Arc<Chunk>>, read: usize) -> Option<Self> {
        if chunks.is_empty() {
            return None;
        }
        let mut input = Self {
            chunks,
            read,
            names: Vec::new(),
            ends: Vec::new(),
        };
        input.unpack();
        Some(input)
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
