//! The names that a filter lets through, as a catalog of their own.
//!
//! Chunks never change, so what a filter finds in one is kept for as long as the chunk is there: a new
//! picture of the walk costs a look at its new chunks alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use crate::catalog::{Catalog, Chunk, Leaf, Mask, Run};
use crate::tui::panes::keys::filter::Filter;

/// More of them would leave none for the server and the walk.
const CORES: usize = 4;
/// Names that are looked at sooner than a thread is begun.
const FEW: usize = 20_000;

/// What a filter found so far, chunk by chunk.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    /// By the address of the chunk, which is held so that no other can have it.
    masks: HashMap<usize, (Arc<Chunk>, Arc<Mask>)>,
    cores: usize,
}

/// A catalog on its way through a sieve.
#[derive(Clone, Debug, Default)]
pub struct Sifting {
    runs: Vec<Vec<Leaf>>,
    /// Run and leaf that come next.
    next: (usize, usize),
    looked: usize,
    changed: bool,
}

impl Sieve {
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            masks: HashMap::new(),
            cores: thread::available_parallelism()
                .map_or(1, usize::from)
                .min(CORES),
        }
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Sifts about so many names more, on each core that there is; says whether some are left.
    pub fn step(&mut self, all: &Catalog, sifting: &mut Sifting, mut budget: usize) -> bool {
        self.look_ahead(all, sifting.next, budget);
        while budget > 0 {
            let (run, leaf) = sifting.next;
            let Some(leaves) = all.runs().get(run).map(Run::leaves) else {
                self.forget_others(all);
                return false;
            };
            let Some(found) = leaves.get(leaf) else {
                sifting.next = (run + 1, 0);
                continue;
            };
            let Some((_, mask)) = self.masks.get(&address(&found.chunk)) else {
                return true;
            };
            // Finding a mask again costs something, too.
            budget = budget.saturating_sub(50);
            sifting.next.1 += 1;
            sifting.runs.resize_with(run + 1, Vec::new);
            sifting.looked += found.count();
            if mask.count() > 0 {
                sifting.runs[run].push(found.clone().masked(Arc::clone(mask)));
                sifting.changed = true;
            }
        }
        true
    }

    /// Makes masks of the chunks that come next, about so many names on each core; at least of one.
    fn look_ahead(&mut self, all: &Catalog, (run, leaf): (usize, usize), budget: usize) {
        let runs = all.runs().iter().skip(run).map(Run::leaves);
        let leaves = runs
            .enumerate()
            .flat_map(|(at, leaves)| leaves.iter().skip(if at == 0 { leaf } else { 0 }));
        let mut left = budget.saturating_mul(self.cores);
        let mut chunks: Vec<&Arc<Chunk>> = Vec::new();
        for leaf in leaves {
            left = left.saturating_sub(50);
            if !self.masks.contains_key(&address(&leaf.chunk)) {
                left = left.saturating_sub(leaf.chunk.count());
                chunks.push(&leaf.chunk);
            }
            if left == 0 {
                break;
            }
        }
        let masks = masks(&self.filter, &chunks, self.cores);
        let found = chunks.into_iter().zip(masks);
        let found = found.map(|(chunk, mask)| (address(chunk), (Arc::clone(chunk), mask)));
        self.masks.extend(found);
    }

    /// Chunks that are in no run any more need not be held.
    fn forget_others(&mut self, all: &Catalog) {
        let leaves = all.runs().iter().flat_map(Run::leaves);
        let there: std::collections::HashSet<usize> =
            leaves.map(|leaf| address(&leaf.chunk)).collect();
        self.masks.retain(|address, _| there.contains(address));
    }
}

fn address(chunk: &Arc<Chunk>) -> usize {
    Arc::as_ptr(chunk).addr()
}

/// The names of these chunks that a filter lets through, looked at on several cores.
fn masks(filter: &Filter, chunks: &[&Arc<Chunk>], cores: usize) -> Vec<Arc<Mask>> {
    let some = |chunks: &[&Arc<Chunk>]| -> Vec<Arc<Mask>> {
        let masks = chunks.iter().map(|chunk| Arc::new(filter.mask(chunk)));
        masks.collect()
    };
    let names: usize = chunks.iter().map(|chunk| chunk.count()).sum();
    // A thread costs more than a few names.
    if cores < 2 || names < FEW {
        return some(chunks);
    }
    let (ours, theirs) = chunks.split_at(chunks.len().div_ceil(cores));
    thread::scope(|scope| {
        let others: Vec<_> = theirs
            .chunks(ours.len().max(1))
            .map(|part| scope.spawn(move || some(part)))
            .collect();
        let mut masks = some(ours);
        for other in others {
            let other = other.join();
            masks.extend(other.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        masks
    })
}

impl Sifting {
    /// Names that were looked at.
    pub fn looked(&self) -> usize {
        self.looked
    }

    /// What was let through since this was asked last, with all before; `None` when nothing was.
    pub fn news(&mut self) -> Option<Catalog> {
        std::mem::take(&mut self.changed).then(|| self.catalog())
    }

    pub fn catalog(&self) -> Catalog {
        Catalog::of(self.runs.iter().cloned().map(Run::of).collect())
    }
}
