//! The first few thousand keys by what was told of them.
//!
//! Nobody looks at the ten-millionth largest key, so only the first ones are held, whatever the number
//! of names; the list says so.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::catalog::{Catalog, Fact, Leaf, Run};
use crate::model::Ttl;
use crate::tui::panes::keys::rows::Sorting;

/// Keys that are ranked.
const MOST: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub struct Ranking {
    best: BinaryHeap<Reverse<(u64, Reverse<Vec<u8>>)>>,
    /// Run and leaf that come next.
    next: (usize, usize),
    sorted: Vec<(Vec<u8>, Fact)>,
    facts: std::collections::HashMap<Vec<u8>, Fact>,
}

impl Ranking {
    /// Looks at about so many names more; says whether some are left.
    pub fn step(&mut self, names: &Catalog, sorting: Sorting, mut budget: usize) -> bool {
        while budget > 0 {
            let (run, leaf) = self.next;
            let Some(leaves) = names.runs().get(run).map(Run::leaves) else {
                self.sort();
                return false;
            };
            let Some(found) = leaves.get(leaf) else {
                self.next = (run + 1, 0);
                continue;
            };
            self.next.1 += 1;
            budget = budget.saturating_sub(found.count() + 1);
            self.take(found, sorting);
        }
        true
    }

    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    pub fn get(&self, place: usize) -> Option<&(Vec<u8>, Fact)> {
        self.sorted.get(place)
    }

    pub fn place_of(&self, name: &[u8]) -> Option<usize> {
        self.sorted.iter().position(|(other, _)| other == name)
    }

    fn take(&mut self, leaf: &Leaf, sorting: Sorting) {
        let chunk = &leaf.chunk;
        let mut names = None;
        let mut read = 0;
        for (place, fact) in leaf.facts() {
            let Some(rank) = rank(fact, sorting) else {
                continue;
            };
            let least = self.best.peek().map(|Reverse((rank, _))| *rank);
            if self.best.len() >= MOST && least >= Some(rank) {
                continue;
            }
            let names = names.get_or_insert_with(|| {
                read = place;
                chunk.reader(place)
            });
            while read < place {
                names.step();
                read += 1;
            }
            let Some((_, name)) = names.step() else {
                return;
            };
            read += 1;
            if self.facts.insert(name.to_vec(), *fact).is_some() {
                // It is in two runs.
                continue;
            }
            self.best.push(Reverse((rank, Reverse(name.to_vec()))));
            if self.best.len() > MOST
                && let Some(Reverse((_, Reverse(name)))) = self.best.pop()
            {
                self.facts.remove(&name);
            }
        }
    }

    fn sort(&mut self) {
        let mut best: Vec<(u64, Reverse<Vec<u8>>)> = std::mem::take(&mut self.best)
            .into_iter()
            .map(|Reverse(one)| one)
            .collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        let mut facts = std::mem::take(&mut self.facts);
        self.sorted = best
            .into_iter()
            .filter_map(|(_, Reverse(name))| {
                let fact = facts.remove(&name)?;
                Some((name, fact))
            })
            .collect();
    }
}

/// The higher the sooner it is listed; `None` when nothing is known of it.
fn rank(fact: &Fact, sorting: Sorting) -> Option<u64> {
    match sorting {
        Sorting::Size => fact.size().map(|size| size.0),
        Sorting::Idle => fact.idle().map(|idle| idle.as_secs()),
        // Those that never expire come after those that do.
        Sorting::Ttl => match fact.ttl() {
            Ttl::Until(end) => Some(u64::MAX - u64::try_from(end.0).unwrap_or_default()),
            Ttl::None => Some(0),
            Ttl::Unknown => None,
        },
        Sorting::Name | Sorting::Keys => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Builder;
    use crate::model::{Bytes, Told, UnixMs};

    fn ranked(sorting: Sorting, keys: &[(&str, Ttl, u64)]) -> Vec<String> {
        let mut builder = Builder::default();
        for (name, ttl, size) in keys {
            builder.add(
                name.as_bytes(),
                Some(Fact::of(&Told {
                    ttl: *ttl,
                    size: Some(Bytes(*size)),
                    ..Told::default()
                })),
            );
        }
        builder.add(b"unknown", None);
        let mut ranking = Ranking::default();
        while ranking.step(&builder.catalog(), sorting, 1) {}
        (0..ranking.count())
            .map(|place| {
                ranking
                    .get(place)
                    .expect("a row")
                    .0
                    .escape_ascii()
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn the_largest_and_the_soonest_come_first_and_the_unknown_not_at_all() {
        let keys = [
            ("never", Ttl::None, 10),
            ("late", Ttl::Until(UnixMs(9_000)), 30),
            ("soon", Ttl::Until(UnixMs(5_000)), 20),
            ("as-late", Ttl::Until(UnixMs(9_000)), 30),
        ];
        assert_eq!(
            ranked(Sorting::Size, &keys),
            ["as-late", "late", "soon", "never"]
        );
        assert_eq!(
            ranked(Sorting::Ttl, &keys),
            ["soon", "as-late", "late", "never"]
        );
        assert_eq!(ranked(Sorting::Idle, &keys), [""; 0]);
    }

    #[test]
    fn of_many_the_first_ones_are_held() {
        let names: Vec<String> = (0..MOST + 500).map(|number| format!("k{number}")).collect();
        let keys: Vec<(&str, Ttl, u64)> = names
            .iter()
            .zip(0..)
            .map(|(name, size)| (name.as_str(), Ttl::None, size))
            .collect();
        let found = ranked(Sorting::Size, &keys);
        assert_eq!(found.len(), MOST);
        assert_eq!(found[0], format!("k{}", MOST + 499));
        assert_eq!(found[MOST - 1], "k500");
    }
}
