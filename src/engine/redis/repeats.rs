//! Names that SCAN brings a second time, in little memory.
//!
//! The servers promise that a key which is there from the first to the last page comes at least once.
//! More than once it comes only while their hash table shrinks in mid walk: then the walk goes on
//! at a bucket of the smaller table of which it had seen a part already, and what of that part is
//! still there comes again. Buckets that fall together lie side by side on SCAN's way (it counts from
//! the high bits down), so repeats follow soon after the first time: looking back over the latest
//! names finds them, and no walk has to remember ten million.

use crate::analysis::hash::Keyed;

/// Sets of the table; a power of two. With four ways each it looks back over some 16,000 names, in
/// 128 KiB that stay in the processor's cache.
const SETS: usize = 1 << 12;
const WAYS: usize = 4;

/// Stands for a free way.
const FREE: u64 = 0;

#[derive(Debug)]
pub struct Repeats {
    hash: Keyed,
    /// In each set the latest hash first.
    sets: Box<[[u64; WAYS]]>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            hash: Keyed::default(),
            sets: vec![[FREE; WAYS]; SETS].into_boxed_slice(),
        }
    }
}

impl Repeats {
    /// Whether the name came lately. 64 bits of a keyed hash stand for it: two names are mistaken for
    /// each other once in 10^18 times.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    pub fn is_one(&mut self, name: &[u8]) -> bool {
        let hash = self.hash.of(0, name).max(FREE + 1);
        let set = &mut self.sets[(hash as usize) & (SETS - 1)];
        if set.contains(&hash) {
            return true;
        }
        set.rotate_right(1);
        set[0] = hash;
        false
    }

    pub fn forget(&mut self) {
        self.sets.fill([FREE; WAYS]);
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
        for n in 0..4_000 {
            assert!(!repeats.is_one(format!("key:{n}").as_bytes()));
        }
        repeats.forget();
        assert!(!repeats.is_one(b"key:1"));
    }

    #[test]
    fn nearly_all_of_the_latest_names_are_known() {
        let mut repeats = Repeats::default();
        let name = |n: u32| format!("key:{n}");
        for n in 0..100_000 {
            assert!(!repeats.is_one(name(n).as_bytes()));
        }
        let mut known = |from: u32| {
            let names = from..from + 1_000;
            names
                .filter(|n| repeats.is_one(name(*n).as_bytes()))
                .count()
        };
        assert!(known(99_000) > 990);
        assert!(known(95_000) > 900);
        assert!(known(0) < 100);
    }
}
