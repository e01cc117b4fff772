//! From what was counted to what there is: exactly for a walk, with an interval for a sample.
//!
//! Shares of keys get Wilson's interval, which holds for rare things, too. Sums of bytes get the
//! interval of a mean; a few giant keys that the sample missed would be outside it, so its upper end is
//! raised to what the server itself says its data take, where that is more.

use crate::analysis::report::Figure;

/// The normal quantile of the intervals. 1.96 would hold in 95 of 100 cases on paper; keys come in
/// small pages and sums have long tails, so they are a little wider.
const Z: f64 = 2.24;

#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Keys drawn, and keys that there are; `None` when all were seen.
    sample: Option<(f64, f64)>,
    /// Bytes that are there beyond what the sample makes of it.
    unseen: f64,
}

/// A sum over keys, with what is needed to tell how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    pub total: u64,
    pub squares: f64,
}

impl Sum {
    pub fn add(&mut self, value: u64) {
        self.total += value;
        self.squares += value as f64 * value as f64;
    }

    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.squares += other.squares;
    }
}

impl Scale {
    pub const EXACT: Self = Self {
        sample: None,
        unseen: 0.0,
    };

    /// Of `drawn` keys among `of`.
    pub fn of_sample(drawn: u64, of: u64) -> Self {
        Self {
            sample: (drawn > 0).then_some((drawn as f64, of as f64)),
            unseen: 0.0,
        }
    }

    /// With what the server says that its data take, of which the sample tells so much.
    #[must_use]
    pub fn with_dataset(mut self, dataset: Option<u64>, told: &Sum) -> Self {
        if let (Some(dataset), Some((drawn, of))) = (dataset, self.sample) {
            let told = told.total as f64 / drawn * of;
            self.unseen = (dataset as f64 - told).max(0.0);
        }
        self
    }

    pub fn is_exact(&self) -> bool {
        self.sample.is_none()
    }

    /// How many keys are so, when so many of those that were seen are.
    pub fn keys(&self, count: u64) -> Figure {
        let Some((drawn, of)) = self.sample else {
            return Figure::exact(count);
        };
        let share = (count as f64 / drawn).min(1.0);
        let z2 = Z * Z / drawn;
        let middle = (share + z2 / 2.0) / (1.0 + z2);
        let half = Z / (1.0 + z2) * (share * (1.0 - share) / drawn + z2 / (4.0 * drawn)).sqrt();
        Figure {
            value: whole(share * of),
            interval: Some((
                whole(((middle - half) * of).max(count.min(1) as f64)),
                whole(((middle + half) * of).min(of)).max(whole(share * of)),
            )),
        }
    }

    /// What all such keys take, when those that were seen take so much.
    pub fn bytes(&self, sum: &Sum) -> Figure {
        let Some((drawn, of)) = self.sample else {
            return Figure::exact(sum.total);
        };
        let mean = sum.total as f64 / drawn;
        let variance = (sum.squares / drawn - mean * mean).max(0.0);
        let half = Z * (variance / drawn).sqrt();
        Figure {
            value: whole(mean * of),
            interval: Some((
                whole((mean - half) * of),
                whole((mean + half) * of + self.unseen),
            )),
        }
    }

    /// Widens an interval by what was folded away of what was seen.
    pub fn with_missed(&self, figure: Figure, missed: u64) -> Figure {
        if missed == 0 {
            return figure;
        }
        let missed = self
            .sample
            .map_or(missed, |(drawn, of)| whole(missed as f64 / drawn * of));
        let (from, to) = figure.interval.unwrap_or((figure.value, figure.value));
        Figure {
            interval: Some((from, to.saturating_add(missed))),
            ..figure
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure that is never negative; beyond the largest it stays there"
)]
fn whole(figure: f64) -> u64 {
    figure.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator whose run is the same everywhere (xorshift, Marsaglia 2003).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    fn holds(figure: Figure, truth: u64) -> bool {
        let (from, to) = figure.interval.expect("a sample");
        (from..=to).contains(&truth)
    }

    /// How many of 100 samples of 2,000 keys tell the truth about a population: of the share of its
    /// marked keys, and of their bytes.
    fn runs(population: &[(bool, u64)]) -> (u32, u32) {
        let of = population.len() as u64;
        let marked = population.iter().filter(|(is_marked, _)| *is_marked);
        let keys = marked.clone().count() as u64;
        let bytes: u64 = marked.map(|(_, size)| size).sum();
        let dataset: u64 = population.iter().map(|(_, size)| size).sum();
        let mut right = (0, 0);
        for seed in 1..=100 {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let (mut count, mut sum, mut all) = (0, Sum::default(), Sum::default());
            for _ in 0..2_000 {
                let place = whole(dice.roll() * (of - 1) as f64);
                let (is_marked, size) = population[usize::try_from(place).expect("a place")];
                all.add(size);
                if is_marked {
                    count += 1;
                    sum.add(size);
                }
            }
            let scale = Scale::of_sample(2_000, of).with_dataset(Some(dataset), &all);
            right.0 += u32::from(holds(scale.keys(count), keys));
            right.1 += u32::from(holds(scale.bytes(&sum), bytes));
        }
        right
    }

    #[test]
    fn intervals_hold_the_truth_in_95_of_100_runs() {
        let mut dice = Dice(7);
        for share in [0.5, 0.1, 0.01, 0.001] {
            for tail in [1.0, 20.0] {
                let population: Vec<(bool, u64)> = (0..100_000)
                    .map(|_| {
                        let size = 50.0 + 400.0 * dice.roll();
                        let is_giant = dice.roll() < 0.002;
                        let size = if is_giant { size * tail } else { size };
                        (dice.roll() < share, whole(size))
                    })
                    .collect();
                let (keys, bytes) = runs(&population);
                assert!(keys >= 95, "{share}: {keys} of 100");
                assert!(
                    bytes >= 95 || share < 0.005,
                    "{share} {tail}: {bytes} of 100"
                );
            }
        }
    }

    #[test]
    fn six_giants_among_many_are_within_the_upper_end() {
        let population: Vec<(bool, u64)> = (0..100_000)
            .map(|n| {
                (
                    true,
                    if n % 16_000 == 3 {
                        10_000_000
                    } else {
                        100 + n % 50
                    },
                )
            })
            .collect();
        assert!(runs(&population).1 >= 95);
    }

    #[test]
    fn what_was_seen_whole_is_exact() {
        assert_eq!(Scale::EXACT.keys(7), Figure::exact(7));
        let mut sum = Sum::default();
        sum.add(5);
        assert_eq!(Scale::EXACT.bytes(&sum), Figure::exact(5));
    }

    #[test]
    fn what_was_never_drawn_may_still_be_there() {
        let figure = Scale::of_sample(1_000, 100_000).keys(0);
        let (from, to) = figure.interval.expect("a sample");
        assert_eq!((figure.value, from), (0, 0));
        assert!(to > 200);
    }
}
