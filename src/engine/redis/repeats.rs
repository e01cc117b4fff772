//! Names that SCAN brings a second time, in little memory.
//!
//! The servers promise that a key which is there from the first to the last page comes at least once.
//! More than once it comes only while their hash table shrinks in mid walk: then the walk goes on
//! at a bucket of the smaller table of which it had seen a part already, and what of that part is
//! still there comes again. Buckets that fall together lie side by side on SCAN's way (it counts from
//! the high bits down), so repeats follow soon after the first time: looking back over the latest
//! names finds them, and no walk has to remember ten million.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Names that are looked back over, at least.
const LATEST: usize = 1 << 16;

#[derive(Debug, Default)]
pub struct Repeats {
    hasher: RandomState,
    young: HashSet<u64, BuildHasherDefault<AsIs>>,
    old: HashSet<u64, BuildHasherDefault<AsIs>>,
}

impl Repeats {
    /// Whether the name came lately. 64 bits of a keyed hash stand for it: two of the latest names
    /// are mistaken for each other once in 10^14 keys.
    pub fn is_one(&mut self, name: &[u8]) -> bool {
        let hash = self.hasher.hash_one(name);
        if self.old.contains(&hash) || !self.young.insert(hash) {
            return true;
        }
        if self.young.len() >= LATEST {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        false
    }

    pub fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// A hash is its own hash.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_came_lately_is_known() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_one(b"a"));
        assert!(!repeats.is_one(b""));
        assert!(repeats.is_one(b"a"));
        for n in 0..LATEST {
            assert!(!repeats.is_one(format!("key:{n}").as_bytes()));
        }
        assert!(repeats.is_one(b"key:1"));
        repeats.forget();
        assert!(!repeats.is_one(b"key:1"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut repeats = Repeats::default();
        for n in 0..LATEST * 5 {
            repeats.is_one(format!("key:{n}").as_bytes());
        }
        assert!(repeats.young.capacity() + repeats.old.capacity() < LATEST * 5);
    }
}
