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
}

impl Leaf {
    pub fn of(chunk: Arc<Chunk>) -> Self {
        Self {
            chunk,
            mask: None,
            skip: 0,
        }
    }

    pub fn count(&self) -> usize {
        self.before(self.chunk.count())
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
        if from == 0 && to >= self.count() && self.mask.is_none() && self.skip == 0 {
            return self.chunk.sums;
        }
        let mut sums = Sums::default();
        if from >= to {
            return sums;
        }
        let first = self.place(from);
        let mut left = to.min(self.count()) - from;
        for place in first..self.chunk.count() {
            if left == 0 {
                break;
            }
            if self.has(place) {
                sums.take(self.chunk.fact(place));
                left -= 1;
            }
        }
        sums
    }
}

/// A sorted list.
#[derive(Clone, Debug, Default)]
pub struct Run {
    leaves: Vec<Leaf>,
    /// Names before each leaf, and in all.
    starts: Vec<usize>,
}

impl Run {
    pub fn of(leaves: Vec<Leaf>) -> Self {
        let mut starts = Vec::with_capacity(leaves.len() + 1);
        let mut sum = 0;
        starts.push(0);
        for leaf in &leaves {
            sum += leaf.count();
            starts.push(sum);
        }
        Self { leaves, starts }
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
        let mut sums = Sums::default();
        let first = self
            .starts
            .partition_point(|start| *start <= from)
            .saturating_sub(1);
        for (leaf, start) in self.leaves.iter().zip(&self.starts).skip(first) {
            if *start >= to {
                break;
            }
            sums.add(&leaf.sums(from.saturating_sub(*start), to - start));
        }
        sums
    }

    /// Goes over the names from this number on. It stands before the first one.
    pub fn walker(&self, number: usize) -> Walker<'_> {
        let leaf = self
            .starts
            .partition_point(|start| *start <= number)
            .saturating_sub(1);
        let mut walker = Walker {
            leaves: self.leaves.get(leaf..).unwrap_or_default(),
            reader: None,
            next: 0,
            is_on: false,
        };
        if let Some(leaf_here) = walker.leaves.first() {
            let place = leaf_here.place(number - self.starts[leaf]);
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
