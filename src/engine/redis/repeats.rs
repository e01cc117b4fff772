//! Names that SCAN brings a second time, in little memory.
//!
//! The servers promise that a key which is there from the first to the last page comes at least once.
//! More than once it comes only while their hash table shrinks in mid walk: then the walk goes on
//! at a bucket of the smaller table of which it had seen a part already, and what of that part is
//! still there comes again. Buckets that fall together lie side by side on SCAN's way (it counts from
//! the high bits down), so repeats follow soon after the first time: looking back over the latest
//! names finds them, and no walk has to remember ten million.

use crate::analysis::hash::Keyed;
use crate::model::Key;

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
    /// Of the page at hand.
    hashes: Vec<u64>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            hash: Keyed::default(),
            sets: vec![[FREE; WAYS]; SETS].into_boxed_slice(),
            hashes: Vec::new(),
        }
    }
}

impl Repeats {
    /// Leaves those that did not come lately. 64 bits of a keyed hash stand for a name: two are mistaken
    /// for each other once in 10^18 times.
    pub fn keep_new(&mut self, names: &mut Vec<Key>) {
        // Beside a busy server the table is in no near cache. Places that are known beforehand are
        // fetched at the same time instead of one after the other.
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(names.iter().map(|name| self.hash.of(0, name.bytes())));
        let mut each = hashes.iter();
        names.retain(|_| each.next().is_some_and(|hash| !self.is_one(*hash)));
        self.hashes = hashes;
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    fn is_one(&mut self, hash: u64) -> bool {
        let hash = hash.max(FREE + 1);
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

    /// Which of these numbers are new.
    fn new(repeats: &mut Repeats, numbers: std::ops::Range<u32>) -> Vec<Key> {
        let name = |n: u32| Key::from(format!("key:{n}").as_str());
        let mut names = numbers.map(name).collect();
        repeats.keep_new(&mut names);
        names
    }

    #[test]
    fn a_name_that_came_lately_is_known() {
        let mut repeats = Repeats::default();
        let mut names = vec![Key::from("a"), Key::from(""), Key::from("a")];
        repeats.keep_new(&mut names);
        assert_eq!(names, [Key::from("a"), Key::from("")]);
        assert_eq!(new(&mut repeats, 0..4_000).len(), 4_000);
        repeats.forget();
        assert_eq!(new(&mut repeats, 0..1).len(), 1);
    }

    #[test]
    fn nearly_all_of_the_latest_names_are_known() {
        let mut repeats = Repeats::default();
        assert_eq!(new(&mut repeats, 0..100_000).len(), 100_000);
        let mut known = |from: u32| 1_000 - new(&mut repeats, from..from + 1_000).len();
        assert!(known(99_000) > 990);
        assert!(known(95_000) > 900);
        assert!(known(0) < 100);
    }
}
