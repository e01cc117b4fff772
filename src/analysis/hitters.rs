//! The most frequent keys of a stream, in bounded memory.
//!
//! Every key has a counter until there are too many; then what the median has is taken off all of
//! them and those with nothing left go (Misra and Gries, 1982, in batches). No count is too high, and
//! none is too low by more than what was taken off.

use std::collections::HashMap;

/// Counters that are held at most.
const MOST: usize = 40_000;
/// Commands and clients that are told apart for each key.
const KINDS: usize = 4;

#[derive(Debug, Default)]
pub struct Hitters {
    counters: HashMap<Box<[u8]>, Counter>,
    error: u64,
    seen: u64,
}

/// What was counted of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    pub count: u64,
    pub hits: u64,
    pub misses: u64,
    pub bytes: u64,
    pub by: Vec<(String, u64)>,
    pub clients: Vec<(String, u64)>,
}

/// One access of a key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hit<'a> {
    pub is_hit: Option<bool>,
    pub bytes: u64,
    /// Safe to show, as is `client`.
    pub by: Option<&'a str>,
    pub client: Option<&'a str>,
}

impl Hitters {
    pub fn add(&mut self, key: &[u8], hit: Hit) {
        self.seen += 1;
        if !self.counters.contains_key(key) {
            if self.counters.len() >= MOST {
                self.thin();
            }
            self.counters.insert(key.into(), Counter::default());
        }
        let Some(counter) = self.counters.get_mut(key) else {
            return;
        };
        counter.count += 1;
        counter.hits += u64::from(hit.is_hit == Some(true));
        counter.misses += u64::from(hit.is_hit == Some(false));
        counter.bytes += hit.bytes;
        tally(&mut counter.by, hit.by);
        tally(&mut counter.clients, hit.client);
    }

    /// Everything that was added.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// How much too low a count may be.
    pub fn error(&self) -> u64 {
        self.error
    }

    /// The most frequent first; those alike by name.
    pub fn top(&self, most: usize) -> Vec<(&[u8], &Counter)> {
        let all = self.counters.iter();
        let mut all: Vec<(&[u8], &Counter)> = all.map(|(key, counter)| (&**key, counter)).collect();
        all.sort_unstable_by(|one, other| other.1.count.cmp(&one.1.count).then(one.0.cmp(other.0)));
        all.truncate(most);
        all
    }

    fn thin(&mut self) {
        let mut counts: Vec<u64> = self.counters.values().map(|one| one.count).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let median = *median;
        self.counters.retain(|_, counter| {
            counter.count = counter.count.saturating_sub(median);
            counter.count > 0
        });
        self.error += median;
    }
}

fn tally(kinds: &mut Vec<(String, u64)>, kind: Option<&str>) {
    let Some(kind) = kind else { return };
    if let Some((_, count)) = kinds.iter_mut().find(|(name, _)| name == kind) {
        *count += 1;
    } else if kinds.len() < KINDS {
        kinds.push((kind.to_owned(), 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_many_keys_keeps_the_frequent_ones_within_the_error() {
        let mut hitters = Hitters::default();
        let hit = Hit {
            is_hit: Some(true),
            by: Some("get"),
            ..Hit::default()
        };
        let mut truth = [0_u64; 10];
        for round in 0..200_000_u64 {
            hitters.add(format!("rare:{round}").as_bytes(), hit);
            for (place, count) in truth.iter_mut().enumerate() {
                if round % (place as u64 + 1) == 0 {
                    *count += 1;
                    hitters.add(format!("hot:{place}").as_bytes(), hit);
                }
            }
        }
        assert!(hitters.counters.len() <= MOST);
        let top = hitters.top(10);
        for (place, expected) in truth.iter().enumerate() {
            let (key, counter) = top[place];
            assert_eq!(key, format!("hot:{place}").as_bytes());
            assert!(counter.count <= *expected);
            assert!(counter.count + hitters.error() >= *expected);
        }
        assert_eq!(top[0].1.by[0].0, "get");
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut hitters = Hitters::default();
        for key in ["a", "b", "a", "c", "a"] {
            hitters.add(key.as_bytes(), Hit::default());
        }
        let top = hitters.top(2);
        assert_eq!((top[0].0, top[0].1.count), (&b"a"[..], 3));
        assert_eq!((hitters.seen(), hitters.error()), (5, 0));
    }
}
