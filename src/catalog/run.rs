//! A sorted list of names in chunks, perhaps with some of them covered up.

use std::sync::Arc;

use crate::catalog::chunk::{Chunk, Fact, Reader, Sums};

/// Which names of a chunk count.
#[derive(Debug)]
pub struct Mask {
    words: Box<[u64]>,
    count: usize,
}

impl Mask {
    /// For so many names, in their order.
    pub fn of(names: usize, mut is_in: impl FnMut(usize) -> bool) -> Self {
        let mut words = vec![0_u64; names.div_ceil(64)];
        for place in 0..names {
            if is_in(place) {
                words[place / 64] |= 1 << (place % 64);
            }
        }
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self {
            words: words.into_boxed_slice(),
            count,
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    fn has(&self, place: usize) -> bool {
        self.words
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Names that count before this place.
    fn before(&self, place: usize) -> usize {
        let whole = place / 64;
        let words = self.words.iter().take(whole);
        let count: usize = words.map(|word| word.count_ones() as usize).sum();
        let part = self.words.get(whole).map_or(0, |word| {
            let below = (1_u64 << (place % 64)) - 1;
            (word & below).count_ones() as usize
        });
        count + part
    }

    /// The place of the name that counts as this one.
    fn place(&self, number: usize) -> usize {
        let mut left = number;
        for (index, word) in self.words.iter().enumerate() {
            let here = word.count_ones() as usize;
            if left < here {
                let mut word = *word;
                for _ in 0..left {
                    word &= word - 1;
                }
                return index * 64 + word.trailing_zeros() as usize;
            }
            left -= here;
        }
        self.words.len() * 64
    }
}

/// A chunk of a run, and which of its names count.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub chunk: Arc<Chunk>,
    pub mask: Option<Arc<Mask>>,
    /// Names at its beginning that went elsewhere.
    pub skip: usize,
    /// What is told of the names that count.
    sums: Sums,
}

impl Leaf {
    pub fn of(chunk: Arc<Chunk>) -> Self {
        Self {
            sums: chunk.sums,
            chunk,
            mask: None,
            skip: 0,
        }
    }

    /// Without so many names at its beginning.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }.summed()
    }

    /// With those names alone that the mask lets through.
    #[must_use]
    pub fn masked(self, mask: Arc<Mask>) -> Self {
        Self {
            mask: Some(mask),
            ..self
        }
        .summed()
    }

    fn summed(mut self) -> Self {
        self.sums = self.told(self.skip, self.chunk.count());
        self
    }

    pub fn count(&self) -> usize {
        self.before(self.chunk.count())
    }

    /// What is told of the names between two places of the chunk that count.
    fn told(&self, from: usize, to: usize) -> Sums {
        let mut sums = Sums {
            keys: (self.before(to) - self.before(from)) as u64,
            ..Sums::default()
        };
        for (place, fact) in self.chunk.told(from, to) {
            if self.has(place) {
                sums.learn(fact);
            }
        }
        sums
    }

    /// What was told of the names that count, with their places in the chunk.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &Fact)> {
        let told = self.chunk.told(self.skip, self.chunk.count());
        told.filter(|(place, _)| self.has(*place))
    }

    /// Names that count before a place in the chunk.
    fn before(&self, place: usize) -> usize {
        match &self.mask {
            None => place.saturating_sub(self.skip),
            Some(mask) => mask.before(place.max(self.skip)) - mask.before(self.skip),
        }
    }

    /// The place in the chunk of the name with this number.
    fn place(&self, number: usize) -> usize {
        match &self.mask {
            None => self.skip + number,
            Some(mask) => mask.place(number + mask.before(self.skip)),
        }
    }

    fn has(&self, place: usize) -> bool {
        place >= self.skip && self.mask.as_ref().is_none_or(|mask| mask.has(place))
    }

    /// What is told of the names from one number to another.
    fn sums(&self, from: usize, to: usize) -> Sums {
        let count = self.count();
        let to = to.min(count);
        if from >= to {
            return Sums::default();
        }
        if from == 0 && to == count {
            return self.sums;
        }
        let end = if to == count {
            self.chunk.count()
        } else {
            self.place(to)
        };
        self.told(self.place(from), end)
    }
}

/// A sorted list.
#[derive(Clone, Debug)]
pub struct Run {
    leaves: Vec<Leaf>,
    /// Names before each leaf, and in all.
    starts: Vec<usize>,
    /// What is told of the names before each leaf, and of all.
    totals: Vec<Sums>,
}

impl Run {
    pub fn of(leaves: Vec<Leaf>) -> Self {
        let mut starts = Vec::with_capacity(leaves.len() + 1);
        let mut totals = Vec::with_capacity(leaves.len() + 1);
        let mut count = 0;
        let mut sums = Sums::default();
        starts.push(0);
        totals.push(sums);
        for leaf in &leaves {
            count += leaf.count();
            sums.add(&leaf.sums);
            starts.push(count);
            totals.push(sums);
        }
        Self {
            leaves,
            starts,
            totals,
        }
    }

    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names that are less.
    pub fn rank(&self, name: &[u8]) -> usize {
        let after = self
            .leaves
            .partition_point(|leaf| leaf.chunk.first() < name);
        let Some(leaf) = after.checked_sub(1) else {
            return 0;
        };
        self.starts[leaf] + self.leaves[leaf].before(self.leaves[leaf].chunk.rank(name))
    }

    /// The name with this number.
    pub fn name(&self, number: usize) -> Option<Vec<u8>> {
        let mut walker = self.walker(number);
        walker.step();
        walker.is_on().then(|| walker.name().to_vec())
    }

    /// What is told of the names from one number to another.
    pub fn sums(&self, from: usize, to: usize) -> Sums {
        if from >= to {
            return Sums::default();
        }
        let (first, into) = self.leaf_of(from);
        let (last, end) = self.leaf_of(to);
        let whole = |leaf: usize| self.totals.get(leaf).copied().unwrap_or_default();
        let part = |leaf: usize, from: usize, to: usize| {
            let leaf = self.leaves.get(leaf);
            leaf.map_or_else(Sums::default, |leaf| leaf.sums(from, to))
        };
        if first == last {
            return part(first, into, end);
        }
        let mut sums = part(first, into, usize::MAX);
        sums.add(&whole(last).without(&whole(first + 1)));
        sums.add(&part(last, 0, end));
        sums
    }

    /// The leaf of the name with this number, and how many names of the leaf come before it.
    fn leaf_of(&self, number: usize) -> (usize, usize) {
        let leaf = self
            .starts
            .partition_point(|start| *start <= number)
            .saturating_sub(1);
        (leaf, number - self.starts[leaf])
    }

    /// Goes over the names from this number on. It stands before the first one.
    pub fn walker(&self, number: usize) -> Walker<'_> {
        let (leaf, into) = self.leaf_of(number);
        let mut walker = Walker {
            leaves: self.leaves.get(leaf..).unwrap_or_default(),
            reader: None,
            next: 0,
            is_on: false,
        };
        if let Some(leaf_here) = walker.leaves.first() {
            let place = leaf_here.place(into);
            walker.open(place);
        }
        walker
    }
}

/// Goes over the names of a run.
#[derive(Clone, Debug)]
pub struct Walker<'a> {
    leaves: &'a [Leaf],
    reader: Option<Reader<'a>>,
    /// The place in the first leaf that is read next.
    next: usize,
    is_on: bool,
}

impl<'a> Walker<'a> {
    fn open(&mut self, place: usize) {
        self.reader = self.leaves.first().map(|leaf| leaf.chunk.reader(place));
        self.next = place;
    }

    /// Goes to the next name that counts; says whether there is one.
    pub fn step(&mut self) -> bool {
        self.is_on = false;
        while let Some(leaf) = self.leaves.first() {
            let Some(reader) = &mut self.reader else {
                break;
            };
            while reader.step().is_some() {
                self.next += 1;
                if leaf.has(self.next - 1) {
                    self.is_on = true;
                    return true;
                }
            }
            self.leaves = &self.leaves[1..];
            let skip = self.leaves.first().map_or(0, |leaf| leaf.skip);
            self.open(skip);
        }
        false
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// The name that it stands on.
    pub fn name(&self) -> &[u8] {
        self.reader.as_ref().map_or(&[], Reader::name)
    }

    /// What was told of it.
    pub fn fact(&self) -> Option<&'a Fact> {
        self.leaves.first()?.chunk.fact(self.next.checked_sub(1)?)
    }
}
