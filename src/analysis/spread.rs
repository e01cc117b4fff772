//! How a quantity spreads: logarithmic classes with linear steps in each, so that a quantile is off
//! by a known part of its value, and memory does not depend on what comes.

use serde::{Deserialize, Serialize};

use crate::analysis::report::{Bucket, Figure, Spread};
use crate::analysis::scale::Scale;

/// Steps in each doubling: a value is off by at most half a step, 1/64 of itself.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const CLASSES: usize = ((64 - STEP_BITS as usize) + 1) << STEP_BITS;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; CLASSES],
            count: 0,
            most: 0,
        }
    }
}

impl Histogram {
    pub fn add(&mut self, value: u64) {
        self.counts[class(value)] += 1;
        self.count += 1;
        self.most = self.most.max(value);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *ours += theirs;
        }
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// The value that this part of all values does not exceed.
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (part * self.count as f64).ceil().max(1.0);
        let mut passed = 0;
        for (class, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed as f64 >= wanted {
                let (from, to) = borders(class);
                return u64::midpoint(from, to).min(self.most);
            }
        }
        self.most
    }

    pub fn spread(&self, scale: &Scale) -> Spread {
        let mut buckets = self.buckets();
        for bucket in &mut buckets {
            bucket.keys = scale.keys(bucket.keys.value);
        }
        Spread {
            buckets,
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            most: self.most,
        }
    }

    /// One bucket a doubling, from the first that holds a key to the last.
    fn buckets(&self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        for (class, count) in self.counts.iter().enumerate() {
            let (_, to) = borders(class);
            // Borders are 1, 2, 4, 8, …: a bucket holds what is below its border.
            let up_to = to.checked_next_power_of_two().map(|border| {
                if border == to {
                    to.saturating_mul(2) - 1
                } else {
                    border - 1
                }
            });
            match buckets.last_mut() {
                Some(last) if last.up_to == up_to => last.keys.value += count,
                _ => buckets.push(Bucket {
                    up_to,
                    keys: Figure::exact(*count),
                }),
            }
        }
        let is_full = |bucket: &Bucket| bucket.keys.value > 0;
        let first = buckets.iter().position(is_full).unwrap_or(buckets.len());
        let last = buckets
            .iter()
            .rposition(is_full)
            .map_or(first, |last| last + 1);
        buckets.drain(..).take(last).skip(first).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "classes are few")]
fn class(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    let step = (value >> shift) - STEPS;
    (u64::from(shift + 1) * STEPS + step) as usize
}

/// The least and the greatest value of a class.
fn borders(class: usize) -> (u64, u64) {
    let class = class as u64;
    if class < STEPS {
        return (class, class);
    }
    let shift = class / STEPS - 1;
    let from = (STEPS + class % STEPS) << shift;
    (from, from + ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::report::QUANTILE_ERROR;
    use proptest::prelude::{Strategy, any, prop, proptest};

    #[test]
    fn every_value_lies_within_the_borders_of_its_class() {
        for value in [
            0,
            1,
            15,
            16,
            17,
            31,
            32,
            1000,
            u64::MAX / 2,
            u64::MAX - 1,
            u64::MAX,
        ] {
            let (from, to) = borders(class(value));
            assert!((from..=to).contains(&value), "{value}: {from}..={to}");
        }
        assert!(class(u64::MAX) < CLASSES);
    }

    #[test]
    fn buckets_double_and_the_empty_ends_are_left_out() {
        let mut histogram = Histogram::default();
        for value in [5, 7, 8, 100] {
            histogram.add(value);
        }
        let buckets: Vec<(Option<u64>, u64)> = histogram
            .spread(&Scale::EXACT)
            .buckets
            .iter()
            .map(|bucket| (bucket.up_to, bucket.keys.value))
            .collect();
        let expected = [(7, 2), (15, 1), (31, 0), (63, 0), (127, 1)];
        assert_eq!(buckets, expected.map(|(up_to, keys)| (Some(up_to), keys)));
    }

    proptest! {
        #[test]
        fn quantiles_are_off_by_no_more_than_told(
            mut values in prop::collection::vec(any::<u64>().prop_map(|value| value >> (value % 60)), 1..300),
        ) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.add(*value);
            }
            values.sort_unstable();
            for part in [0.01_f64, 0.5, 0.9, 0.99, 1.0] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
                let place = ((part * values.len() as f64).ceil() as usize).max(1) - 1;
                let (truth, told) = (values[place] as f64, histogram.quantile(part) as f64);
                assert!((truth - told).abs() <= truth * QUANTILE_ERROR + 1.0, "{part}: {told} for {truth}");
            }
        }
    }
}
