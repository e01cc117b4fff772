//! The names that a filter lets through, as a catalog of their own.
//!
//! Chunks never change, so what a filter finds in one is kept for as long as the chunk is there: a new
//! picture of the walk costs a look at its new chunks alone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Chunk, Leaf, Mask, Run};
use crate::tui::panes::keys::filter::Filter;

/// What a filter found so far, chunk by chunk.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    /// By the address of the chunk, which is held so that no other can have it.
    masks: HashMap<usize, (Arc<Chunk>, Arc<Mask>)>,
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
        }
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Sifts about so many names more; says whether some are left.
    pub fn step(&mut self, all: &Catalog, sifting: &mut Sifting, mut budget: usize) -> bool {
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
            sifting.next.1 += 1;
            sifting.runs.resize_with(run + 1, Vec::new);
            sifting.looked += found.count();
            let mask = self.mask(&found.chunk, &mut budget);
            if mask.count() > 0 {
                sifting.runs[run].push(found.clone().masked(mask));
                sifting.changed = true;
            }
        }
        true
    }

    fn mask(&mut self, chunk: &Arc<Chunk>, budget: &mut usize) -> Arc<Mask> {
        // Finding a mask again costs something, too.
        *budget = budget.saturating_sub(50);
        let address = Arc::as_ptr(chunk).addr();
        if let Some((_, mask)) = self.masks.get(&address) {
            return Arc::clone(mask);
        }
        *budget = budget.saturating_sub(chunk.count());
        let mask = Arc::new(self.filter.mask(chunk));
        let kept = (Arc::clone(chunk), Arc::clone(&mask));
        self.masks.insert(address, kept);
        mask
    }

    /// Chunks that are in no run any more need not be held.
    fn forget_others(&mut self, all: &Catalog) {
        let leaves = all.runs().iter().flat_map(Run::leaves);
        let there: std::collections::HashSet<usize> =
            leaves.map(|leaf| Arc::as_ptr(&leaf.chunk).addr()).collect();
        self.masks.retain(|address, _| there.contains(address));
    }
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
