//! A set of numbers found by what they stand for.
//!
//! Names repeat on a walk, so every name must be looked up among millions. A general hash map would
//! keep each name a second time; this keeps four bytes: eight bits of the hash, which spare nearly
//! every needless comparison, and the number. The table is cut into parts that grow one by one, so
//! that no single insertion has to move millions of entries while somebody waits for a key press.

/// Numbers must stay below this, since 24 bits hold them and the last one marks a free slot.
pub const MOST: u32 = (1 << 24) - 1;

const FREE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
struct Part {
    slots: Vec<u32>,
    used: usize,
}

#[derive(Clone, Debug)]
pub struct IdTable {
    parts: Vec<Part>,
}

impl IdTable {
    /// `parts` is a power of two: few for small tables, many where growth must go unnoticed.
    pub fn with_parts(parts: usize) -> Self {
        debug_assert!(parts.is_power_of_two());
        Self {
            parts: vec![Part::default(); parts],
        }
    }

    /// The number that `is_it` recognises among those with this hash.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let part = &self.parts[self.part_of(hash)];
        if part.slots.is_empty() {
            return None;
        }
        let mut at = home(hash, part.slots.len());
        loop {
            let slot = part.slots[at];
            if slot == FREE {
                return None;
            }
            if slot >> 24 == tag(hash) && is_it(slot & MOST) {
                return Some(slot & MOST);
            }
            at = next(at, part.slots.len());
        }
    }

    /// Adds a number that is not in yet. `hash_of` tells the hash of one that is.
    pub fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        debug_assert!(id < MOST);
        let part = self.part_of(hash);
        let part = &mut self.parts[part];
        // Above 4/5 the chains of occupied slots become long.
        if (part.used + 1) * 5 > part.slots.len() * 4 {
            part.grow(hash_of);
        }
        part.put(hash, id);
    }

    pub fn heap_bytes(&self) -> usize {
        let slots: usize = self.parts.iter().map(|part| part.slots.capacity()).sum();
        slots * size_of::<u32>() + self.parts.capacity() * size_of::<Part>()
    }

    fn part_of(&self, hash: u64) -> usize {
        usize::try_from(hash & (self.parts.len() as u64 - 1)).expect("a part's number is small")
    }
}

impl Part {
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        // By a quarter, not by two: the table is never much larger than it has to be.
        let size = (self.slots.len() + self.slots.len() / 4).max(8);
        let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
        self.used = 0;
        for slot in old {
            if slot != FREE {
                let id = slot & MOST;
                self.put(hash_of(id), id);
            }
        }
    }

    fn put(&mut self, hash: u64, id: u32) {
        let mut at = home(hash, self.slots.len());
        while self.slots[at] != FREE {
            at = next(at, self.slots.len());
        }
        self.slots[at] = tag(hash) << 24 | id;
        self.used += 1;
    }
}

fn tag(hash: u64) -> u32 {
    u32::from(hash.to_be_bytes()[0])
}

/// Where the search for a hash begins. Spreads over any size, not only powers of two.
fn home(hash: u64, size: usize) -> usize {
    let spread = (hash >> 24) & u64::from(u32::MAX);
    usize::try_from((spread * size as u64) >> 32).expect("smaller than the size")
}

fn next(at: usize, size: usize) -> usize {
    if at + 1 == size { 0 } else { at + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn finds_what_was_put_in_and_nothing_else() {
        let hasher = RandomState::new();
        let mut table = IdTable::with_parts(4);
        let words: Vec<String> = (0..5000).map(|n| format!("word {n}")).collect();
        for (id, word) in (0u32..).zip(&words) {
            table.insert(hasher.hash_one(word), id, |id| {
                hasher.hash_one(&words[id as usize])
            });
        }
        let find = |word: &str| {
            let word = word.to_owned();
            table.find(hasher.hash_one(&word), |id| words[id as usize] == word)
        };
        for (id, word) in (0u32..).zip(&words) {
            assert_eq!(find(word), Some(id));
        }
        assert_eq!(find("word 5000"), None);
    }

    #[test]
    fn survives_hashes_that_are_all_alike() {
        let mut table = IdTable::with_parts(2);
        for id in 0..300 {
            table.insert(u64::MAX, id, |_| u64::MAX);
        }
        let found: HashMap<u32, Option<u32>> = (0..300)
            .map(|id| (id, table.find(u64::MAX, |other| other == id)))
            .collect();
        assert!(found.iter().all(|(id, hit)| *hit == Some(*id)));
    }
}
