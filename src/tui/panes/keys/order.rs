//! Numbers in a sorted order, while more of them arrive.
//!
//! Sorting a million names takes longer than a frame, and a walk brings more all the time. So the
//! work is done in bites: a few newcomers are put in at once, many are sorted in runs and the runs
//! merged, bite by bite, while the order as it was stays on screen.

use std::cmp::Ordering;

/// Newcomers up to this many are put in one by one.
const FEW: usize = 1024;
/// Numbers sorted at one go, and the comparisons that it takes.
const RUN: usize = 2048;
const RUN_COST: usize = RUN * 11;

#[derive(Clone, Debug, Default)]
pub struct Order {
    sorted: Vec<u32>,
    /// Not in the order yet, in the order of arrival.
    pending: Vec<u32>,
    merging: Option<Merging>,
}

/// The old order and the runs of newcomers on their way to a new order.
#[derive(Clone, Debug)]
struct Merging {
    runs: Vec<Vec<u32>>,
    /// Newcomers that are not in a run yet.
    raw: Vec<u32>,
    /// The next number of each run; the run with the least one on top (a binary heap).
    heads: Vec<Head>,
    is_heaped: bool,
    merged: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    run: usize,
    at: usize,
}

impl Order {
    pub fn push(&mut self, id: u32) {
        self.pending.push(id);
    }

    /// How many are in the order now.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many wait to be put in.
    pub fn waiting(&self) -> usize {
        let merging = self.merging.as_ref();
        self.pending.len() + merging.map_or(0, Merging::newcomers)
    }

    pub fn get(&self, at: usize) -> Option<u32> {
        self.sorted.get(at).copied()
    }

    /// The first place whose number is not less, by `order` (which compares a number with what is
    /// looked for).
    pub fn position(&self, order: impl Fn(u32) -> Ordering) -> usize {
        self.sorted
            .partition_point(|id| order(*id) == Ordering::Less)
    }

    /// Does a bite of work of about `budget` comparisons. Says whether there is more to do.
    pub fn step(&mut self, budget: usize, compare: impl Fn(u32, u32) -> Ordering) -> bool {
        if let Some(merging) = &mut self.merging {
            if merging.step(budget, &compare) {
                return true;
            }
            self.sorted = std::mem::take(&mut merging.merged);
            self.merging = None;
        }
        if self.pending.len() <= FEW {
            self.insert(&compare);
            return false;
        }
        let sorted = std::mem::take(&mut self.sorted);
        self.merging = Some(Merging::of(&sorted, std::mem::take(&mut self.pending)));
        self.sorted = sorted;
        true
    }

    fn insert(&mut self, compare: &impl Fn(u32, u32) -> Ordering) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.sort_unstable_by(|a, b| compare(*a, *b));
        let mut from = self.sorted.len();
        self.sorted.extend_from_slice(&self.pending);
        let mut to = self.sorted.len();
        // From the back: what is greater than the newcomer moves once, to its last place.
        for id in self.pending.drain(..).rev() {
            let place = self.sorted[..from]
                .partition_point(|other| compare(*other, id) != Ordering::Greater);
            self.sorted.copy_within(place..from, to - (from - place));
            to -= from - place + 1;
            from = place;
            self.sorted[to] = id;
        }
    }
}

impl Merging {
    fn of(sorted: &[u32], raw: Vec<u32>) -> Self {
        Self {
            runs: vec![sorted.to_vec()],
            merged: Vec::with_capacity(sorted.len() + raw.len()),
            raw,
            heads: Vec::new(),
            is_heaped: false,
        }
    }

    fn newcomers(&self) -> usize {
        self.raw.len() + self.runs.iter().skip(1).map(Vec::len).sum::<usize>()
    }

    fn step(&mut self, budget: usize, compare: &impl Fn(u32, u32) -> Ordering) -> bool {
        let mut left = budget.max(RUN_COST);
        while !self.raw.is_empty() {
            if left < RUN_COST {
                return true;
            }
            left -= RUN_COST;
            let mut run = self.raw.split_off(self.raw.len().saturating_sub(RUN));
            run.sort_unstable_by(|a, b| compare(*a, *b));
            self.runs.push(run);
        }
        if !self.is_heaped {
            self.heap_up(compare);
        }
        // Two comparisons for each level that a head sinks.
        let depth = usize::BITS - self.heads.len().leading_zeros();
        for _ in 0..=left / (2 * depth.max(1) as usize) {
            let Some(top) = self.heads.first().copied() else {
                return false;
            };
            self.merged.push(self.runs[top.run][top.at]);
            if top.at + 1 < self.runs[top.run].len() {
                self.heads[0].at += 1;
            } else {
                self.heads.swap_remove(0);
                self.runs[top.run] = Vec::new();
            }
            self.sink(0, compare);
        }
        !self.heads.is_empty()
    }

    fn heap_up(&mut self, compare: &impl Fn(u32, u32) -> Ordering) {
        let runs = self.runs.iter().enumerate();
        self.heads = runs
            .filter(|(_, run)| !run.is_empty())
            .map(|(run, _)| Head { run, at: 0 })
            .collect();
        for at in (0..self.heads.len() / 2).rev() {
            self.sink(at, compare);
        }
        self.is_heaped = true;
    }

    /// Moves a head down to where no lesser one is below it.
    fn sink(&mut self, mut at: usize, compare: &impl Fn(u32, u32) -> Ordering) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heads.len()
                    && compare(self.number(child), self.number(least)) == Ordering::Less
                {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heads.swap(at, least);
            at = least;
        }
    }

    fn number(&self, head: usize) -> u32 {
        let Head { run, at } = self.heads[head];
        self.runs[run][at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn settle(order: &mut Order) {
        while order.step(1, |a, b| a.cmp(&b)) {}
    }

    fn all(order: &Order) -> Vec<u32> {
        (0..order.len()).filter_map(|at| order.get(at)).collect()
    }

    #[test]
    fn the_old_order_stays_while_many_are_sorted() {
        let mut order = Order::default();
        for id in [3, 1, 2] {
            order.push(id);
        }
        settle(&mut order);
        for id in (10..20_000).rev() {
            order.push(id);
        }
        assert!(order.step(1, |a, b| a.cmp(&b)));
        assert_eq!(all(&order), [1, 2, 3]);
        assert_eq!(order.waiting(), 19_990);
        settle(&mut order);
        assert_eq!(order.len(), 19_993);
        assert_eq!(order.waiting(), 0);
        assert_eq!(order.position(|id| id.cmp(&11)), 4);
    }

    proptest! {
        #[test]
        fn arrivals_of_any_size_end_up_sorted(
            batches in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..40), 0..20),
            big in prop::collection::vec(any::<u32>(), 0..9000),
        ) {
            let mut order = Order::default();
            let mut expected = Vec::new();
            for batch in batches.iter().chain([&big]).chain(&batches) {
                for id in batch {
                    order.push(*id);
                    expected.push(*id);
                }
                order.step(100, |a, b| a.cmp(&b));
            }
            settle(&mut order);
            expected.sort_unstable();
            assert_eq!(all(&order), expected);
        }
    }
}
