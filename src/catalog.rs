//! Ten million key names, sorted, in little memory, while more of them arrive.
//!
//! A [`Catalog`] is a picture of what is there by now: a few sorted runs of packed chunks. It is cheap
//! to copy, since the chunks are shared, and it never changes, so a screen can look at one while the
//! [`Builder`] works on the next. Every question (how many names begin so, which is the thousandth,
//! what comes after this one) is answered over all runs at once; a run more costs a search more.
//!
//! Names are known by themselves, not by a number: a place in the order changes with every arrival.

mod builder;
mod chunk;
mod run;

use std::cmp::Ordering;

pub use builder::Builder;
pub use chunk::{Chunk, Fact, Sums};
pub use run::{Leaf, Mask, Run};

use run::Walker;

/// A sorted list of names, as it was when it was made.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    runs: Vec<Run>,
}

impl Catalog {
    pub fn of(runs: Vec<Run>) -> Self {
        Self {
            runs: runs.into_iter().filter(|run| !run.is_empty()).collect(),
        }
    }

    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Names in all. A name that is in two runs counts twice until they are merged.
    pub fn len(&self) -> usize {
        self.runs.iter().map(Run::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Names that are less: the place where this one stands or would stand.
    pub fn rank(&self, name: &[u8]) -> usize {
        self.runs.iter().map(|run| run.rank(name)).sum()
    }

    pub fn holds(&self, name: &[u8]) -> bool {
        self.from(name)
            .step()
            .is_some_and(|(found, _)| found == name)
    }

    /// Places of the names that begin so.
    pub fn range(&self, prefix: &[u8]) -> std::ops::Range<usize> {
        let start = self.rank(prefix);
        let end = match after_all(prefix) {
            Some(next) => self.rank(&next),
            None => self.len(),
        };
        start..end.max(start)
    }

    /// What is told of the names that begin so.
    pub fn sums(&self, prefix: &[u8]) -> Sums {
        let next = after_all(prefix);
        let mut sums = Sums::default();
        for run in &self.runs {
            let to = next.as_ref().map_or(run.len(), |next| run.rank(next));
            sums.add(&run.sums(run.rank(prefix), to));
        }
        sums
    }

    /// Goes over the names from this one on, in order.
    pub fn from(&self, name: &[u8]) -> Names<'_> {
        let walkers = self.runs.iter().map(|run| run.walker(run.rank(name)));
        Names::over(walkers.collect())
    }

    /// Goes over the names from this place on, in order.
    pub fn at(&self, place: usize) -> Names<'_> {
        let places = self.places(place);
        let walkers = self.runs.iter().zip(places);
        Names::over(walkers.map(|(run, number)| run.walker(number)).collect())
    }

    /// The name at this place.
    pub fn name(&self, place: usize) -> Option<Vec<u8>> {
        if place >= self.len() {
            return None;
        }
        self.at(place).step().map(|(name, _)| name.to_vec())
    }

    /// Where in each run the names from this place on begin.
    ///
    /// Looks at the middle of what is left of the longest run again and again: the name there cuts
    /// every run in two, and one half of each holds nothing that is looked for.
    fn places(&self, place: usize) -> Vec<usize> {
        let mut from: Vec<usize> = vec![0; self.runs.len()];
        let mut to: Vec<usize> = self.runs.iter().map(Run::len).collect();
        loop {
            let longest = (0..self.runs.len()).max_by_key(|run| to[*run] - from[*run]);
            let Some(longest) = longest.filter(|run| to[*run] > from[*run]) else {
                return from;
            };
            let middle = usize::midpoint(from[longest], to[longest]);
            let Some(pivot) = self.runs[longest].name(middle) else {
                return from;
            };
            let ranks: Vec<usize> = (self.runs.iter().zip(from.iter().zip(&to)))
                .map(|(run, (from, to))| run.rank(&pivot).clamp(*from, *to))
                .collect();
            let before: usize = ranks.iter().sum();
            match before.cmp(&place) {
                // The pivot stands at the place or before it.
                Ordering::Equal => return ranks,
                Ordering::Less => {
                    from = ranks;
                    // The pivot itself is before the place, wherever it is.
                    let mut left = place - before;
                    for (run, from) in self.runs.iter().zip(&mut from) {
                        let is_pivot =
                            *from < run.len() && run.name(*from).as_deref() == Some(&pivot);
                        if is_pivot && left > 0 {
                            *from += 1;
                            left -= 1;
                        }
                    }
                    for (from, to) in from.iter().zip(&mut to) {
                        *to = (*to).max(*from);
                    }
                    if left == 0 {
                        return from;
                    }
                }
                Ordering::Greater => to = ranks,
            }
        }
    }

    pub fn heap_bytes(&self) -> usize {
        let leaves = self.runs.iter().flat_map(Run::leaves);
        leaves
            .map(|leaf| leaf.chunk.heap_bytes() + size_of::<Leaf>() + size_of::<usize>())
            .sum()
    }
}

/// The least name that is greater than all that begin so; `None` when there is none.
pub fn after_all(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// Names of all runs in one order. Lent until the next is asked for.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    walkers: Vec<Walker<'a>>,
    /// The walkers that stand on a name, as a heap: the least name is in front.
    heap: Vec<usize>,
    /// Whether the name in front was lent.
    is_lent: bool,
}

impl<'a> Names<'a> {
    fn over(mut walkers: Vec<Walker<'a>>) -> Self {
        walkers.retain_mut(Walker::step);
        let mut names = Self {
            heap: (0..walkers.len()).collect(),
            walkers,
            is_lent: false,
        };
        for place in (0..names.heap.len() / 2).rev() {
            names.sink(place);
        }
        names
    }

    /// The next name and what was told of it.
    pub fn step(&mut self) -> Option<(&[u8], Option<&'a Fact>)> {
        if std::mem::take(&mut self.is_lent) {
            let front = *self.heap.first()?;
            if !self.walkers[front].step() {
                self.heap.swap_remove(0);
            }
            self.sink(0);
        }
        let front = &self.walkers[*self.heap.first()?];
        self.is_lent = true;
        Some((front.name(), front.fact()))
    }

    /// Lets the walker at a place of the heap go down to where it belongs.
    fn sink(&mut self, mut place: usize) {
        let name = |heap: &[usize], place: usize| {
            let walker: Option<&usize> = heap.get(place);
            walker.map(|walker| self.walkers[*walker].name())
        };
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let Some(least) = name(&self.heap, left) else {
                return;
            };
            let least = match name(&self.heap, right) {
                Some(other) if other < least => right,
                _ => left,
            };
            if name(&self.heap, place) <= name(&self.heap, least) {
                return;
            }
            self.heap.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests;
