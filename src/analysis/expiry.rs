//! When keys expire, and the moments at which too many do at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::analysis::report::{Bucket, Cliff, TtlReport};
use crate::analysis::scale::Scale;
use crate::model::{Ttl, UnixMs};

/// The future in zones: up to so many seconds ahead, in bins of so many seconds. Near moments matter
/// to the minute, far ones to the hour.
const ZONES: [(u64, u64); 4] = [
    (10 * 60, 10),
    (6 * 3600, 60),
    (7 * 86_400, 600),
    (60 * 86_400, 3_600),
];

/// A bin is a cliff when it holds so many times what an even spread over its zone would put there,
const CLIFF_TIMES: f64 = 5.0;
/// and at least so many keys,
const CLIFF_KEYS: u64 = 100;
/// and this part of all keys that expire.
const CLIFF_PART: f64 = 0.005;
const MOST_CLIFFS: usize = 10;

/// Seconds that a person counts in: a minute, ten, an hour, …, ninety days.
const BORDERS: [u64; 10] = [
    60,
    600,
    3_600,
    6 * 3_600,
    86_400,
    3 * 86_400,
    7 * 86_400,
    14 * 86_400,
    30 * 86_400,
    90 * 86_400,
];

/// What is known of a key's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Left {
    #[default]
    Unknown,
    Never,
    Seconds(u64),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Expiry {
    without: u64,
    with: u64,
    unknown: u64,
    /// By the seconds left when the key was met; the last one is beyond all borders.
    left: [u64; BORDERS.len() + 1],
    /// The moment from which bins count, in milliseconds since 1970.
    began: Option<i64>,
    bins: Vec<u64>,
}

impl Expiry {
    /// Takes in when a key ends, and gives the seconds left.
    pub fn take(&mut self, ttl: Ttl, at: UnixMs) -> Left {
        let end = match ttl {
            Ttl::Unknown => {
                self.unknown += 1;
                return Left::Unknown;
            }
            Ttl::None => {
                self.without += 1;
                return Left::Never;
            }
            Ttl::Until(end) => end,
        };
        let left = u64::try_from(end.0.saturating_sub(at.0)).unwrap_or(0) / 1000;
        self.with += 1;
        self.left[BORDERS.partition_point(|border| *border < left)] += 1;
        let began = *self.began.get_or_insert(at.0);
        self.put(
            u64::try_from(end.0.saturating_sub(began)).unwrap_or(0) / 1000,
            1,
        );
        Left::Seconds(left)
    }

    pub fn merge(&mut self, other: &Self) {
        self.without += other.without;
        self.with += other.with;
        self.unknown += other.unknown;
        for (ours, theirs) in self.left.iter_mut().zip(other.left) {
            *ours += theirs;
        }
        let Some(theirs) = other.began else { return };
        let ours = *self.began.get_or_insert(theirs);
        for (bin, count) in other
            .bins
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            let (start, _) = span_of(bin);
            let start = i64::try_from(start).unwrap_or(i64::MAX);
            let shifted = start.saturating_add((theirs - ours) / 1000);
            self.put(u64::try_from(shifted).unwrap_or(0), *count);
        }
    }

    pub fn report(&self, scale: &Scale) -> TtlReport {
        let borders = BORDERS.into_iter().map(Some).chain([None]);
        let buckets = borders.zip(self.left).map(|(up_to, keys)| Bucket {
            up_to,
            keys: scale.keys(keys),
        });
        let within = |borders: usize| scale.keys(self.left.iter().take(borders).sum());
        TtlReport {
            without: scale.keys(self.without),
            with: scale.keys(self.with),
            unknown: self.unknown,
            buckets: buckets.collect(),
            within_1min: within(1),
            within_10min: within(2),
            within_1h: within(3),
            cliffs: self.cliffs(scale),
        }
    }

    fn put(&mut self, seconds: u64, count: u64) {
        let bin = bin_of(seconds);
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        self.bins[bin] += count;
    }

    /// The most keys first.
    fn cliffs(&self, scale: &Scale) -> Vec<Cliff> {
        let Some(began) = self.began else {
            return Vec::new();
        };
        let mut cliffs = Vec::new();
        let mut first = 0;
        let mut start = 0;
        for (end, width) in ZONES {
            let bins = usize::try_from((end - start) / width).unwrap_or(0);
            let zone = self.bins.get(first..).unwrap_or_default();
            let zone = &zone[..zone.len().min(bins)];
            let even = zone.iter().sum::<u64>() as f64 / bins as f64;
            let is_many =
                |keys: u64| keys >= CLIFF_KEYS && keys as f64 >= CLIFF_PART * self.with as f64;
            for (bin, keys) in (first..).zip(zone) {
                if is_many(*keys) && *keys as f64 >= CLIFF_TIMES * even {
                    let (start, span) = span_of(bin);
                    cliffs.push(Cliff {
                        at: UnixMs(began).plus(Duration::from_secs(start)),
                        span: Duration::from_secs(span),
                        keys: scale.keys(*keys),
                        times_average: *keys as f64 / even,
                    });
                }
            }
            first += bins;
            start = end;
        }
        cliffs.sort_by_key(|cliff| std::cmp::Reverse(cliff.keys.value));
        cliffs.truncate(MOST_CLIFFS);
        cliffs
    }
}

/// The bin of a moment so many seconds ahead; the last one holds all that is beyond.
fn bin_of(seconds: u64) -> usize {
    let mut first = 0;
    let mut start = 0;
    for (end, width) in ZONES {
        if seconds < end {
            return usize::try_from(first + (seconds - start) / width).unwrap_or(usize::MAX);
        }
        first += (end - start) / width;
        start = end;
    }
    usize::try_from(first).unwrap_or(usize::MAX)
}

/// Where a bin begins, and how long it is, in seconds.
fn span_of(bin: usize) -> (u64, u64) {
    let mut left = bin as u64;
    let mut start = 0;
    for (end, width) in ZONES {
        let bins = (end - start) / width;
        if left < bins {
            return (start + left * width, width);
        }
        left -= bins;
        start = end;
    }
    (start, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn until(seconds: u64) -> Ttl {
        Ttl::Until(NOW.plus(Duration::from_secs(seconds)))
    }

    #[test]
    fn bins_and_their_spans_agree() {
        for seconds in [
            0, 9, 10, 599, 600, 659, 21_599, 21_600, 604_799, 604_800, 5_183_999,
        ] {
            let (start, span) = span_of(bin_of(seconds));
            assert!((start..start + span).contains(&seconds), "{seconds}");
        }
        assert_eq!(bin_of(5_184_000), bin_of(u64::MAX));
    }

    #[test]
    fn keys_are_counted_by_what_is_left() {
        let mut expiry = Expiry::default();
        for ttl in [
            Ttl::None,
            Ttl::Unknown,
            until(60),
            until(61),
            until(3600),
            until(90_000),
        ] {
            expiry.take(ttl, NOW);
        }
        let report = expiry.report(&Scale::EXACT);
        assert_eq!(
            (report.without.value, report.with.value, report.unknown),
            (1, 4, 1)
        );
        let soon = [report.within_1min, report.within_10min, report.within_1h];
        assert_eq!(soon.map(|figure| figure.value), [1, 2, 3]);
    }

    #[test]
    fn many_keys_at_one_moment_are_a_cliff() {
        let mut expiry = Expiry::default();
        for n in 0..20_000 {
            expiry.take(until(700 + n), NOW);
        }
        assert_eq!(expiry.report(&Scale::EXACT).cliffs, []);
        for _ in 0..2_000 {
            expiry.take(until(7_230), NOW);
        }
        let cliffs = expiry.report(&Scale::EXACT).cliffs;
        assert_eq!(cliffs.len(), 1);
        assert_eq!(cliffs[0].at, NOW.plus(Duration::from_secs(7_200)));
        assert_eq!(
            (cliffs[0].span.as_secs(), cliffs[0].keys.value),
            (60, 2_060)
        );
        assert!(cliffs[0].times_average > 30.0);
    }

    #[test]
    fn what_two_walks_saw_is_put_together_by_the_clock() {
        let mut one = Expiry::default();
        one.take(until(100), NOW);
        let mut other = Expiry::default();
        other.take(until(100), NOW.plus(Duration::from_secs(50)));
        one.merge(&other);
        assert_eq!(one.bins[10], 2);
    }
}
