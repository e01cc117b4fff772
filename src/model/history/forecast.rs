//! When memory will be full, if it goes on like this.

use std::time::Duration;

use crate::model::History;

/// Less than this shows no trend.
const SHORTEST_TREND: Duration = Duration::from_secs(60);

/// Bytes. A server's memory moves by less than this without anybody storing anything.
const SMALLEST_GROWTH: f64 = 65_536.0;

impl History {
    /// When used memory reaches its limit if it goes on growing as it did over the last `window` (5
    /// minutes is a good one). `None` when it does not grow, when that cannot be told yet (less than a
    /// minute was seen, or it wavers more than it grows), or when there is no limit.
    pub fn time_until_full(&self, window: Duration) -> Option<Duration> {
        let latest = self.latest()?;
        let limit = latest.memory.limit??;
        let used = latest.memory.used?;
        if limit.0 == 0 {
            return None;
        }
        if used >= limit {
            return Some(Duration::ZERO);
        }
        let from = latest.elapsed.saturating_sub(window);
        let points: Vec<(f64, f64)> = self
            .unbroken()
            .filter(|sample| sample.elapsed >= from)
            .filter_map(|sample| Some((sample.elapsed.as_secs_f64(), sample.memory.used?.0 as f64)))
            .collect();
        let per_second = Trend::through(&points)?.growth()?;
        Duration::try_from_secs_f64((limit.0 - used.0) as f64 / per_second).ok()
    }
}

/// A straight line through readings of a level.
struct Trend {
    per_second: f64,
    seconds: f64,
    /// How far the readings lie from the line, as a standard deviation.
    noise: f64,
}

impl Trend {
    /// The line of least squares; `None` with too few readings for one.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let ((first, _), (last, _)) = (points.first()?, points.last()?);
        let seconds = last - first;
        if points.len() < 3 || seconds < SHORTEST_TREND.as_secs_f64() {
            return None;
        }
        let count = points.len() as f64;
        let middle = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| of(x - middle, y - mean)).sum()
        };
        let per_second = sum(&|x, y| x * y) / sum(&|x, _| x * x);
        let noise = (sum(&|x, y| (y - per_second * x).powi(2)) / count).sqrt();
        Some(Self {
            per_second,
            seconds,
            noise,
        })
    }

    /// How much is added per second, when it is more than wavering.
    fn growth(&self) -> Option<f64> {
        let grown = self.per_second * self.seconds;
        (grown > SMALLEST_GROWTH && grown > 3.0 * self.noise).then_some(self.per_second)
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bytes;
    use crate::model::example::{MIB, filled, history};

    const MINUTE: Duration = Duration::from_secs(60);

    /// Used memory as a function of the second, of a limit of 100 MiB.
    fn filling(seconds: u64, used: impl Fn(u64) -> u64) -> History {
        history((0..=seconds).map(|second| filled(second, used(second), 100 * MIB)))
    }

    #[test]
    fn growing_memory_will_be_full() {
        let history = filling(300, |second| 10 * MIB + second * MIB / 10);
        let left = history.time_until_full(5 * MINUTE).unwrap();
        // 60 MiB are left, at a tenth a second.
        assert!(left.as_secs().abs_diff(600) <= 1, "{left:?}");
    }

    #[test]
    fn only_the_window_counts() {
        let history = filling(600, |second| {
            10 * MIB + second.saturating_sub(300) * MIB / 10
        });
        let left = history.time_until_full(5 * MINUTE).unwrap();
        assert!(left.as_secs().abs_diff(600) <= 1, "{left:?}");
    }

    #[test]
    fn memory_that_does_not_grow_is_never_full() {
        for history in [
            filling(300, |_| 50 * MIB),
            filling(300, |second| 90 * MIB - second * MIB / 10),
            // A saw: it grows and is freed again.
            filling(300, |second| 50 * MIB + second % 60 * MIB / 10),
            // Our own connection's buffers.
            filling(300, |second| 50 * MIB + second * 100),
        ] {
            assert_eq!(history.time_until_full(5 * MINUTE), None);
        }
    }

    #[test]
    fn a_minute_must_have_been_seen() {
        let growing = |second| 10 * MIB + second * MIB / 10;
        assert_eq!(filling(59, growing).time_until_full(5 * MINUTE), None);
        assert!(filling(60, growing).time_until_full(5 * MINUTE).is_some());

        let mut restarted = filling(300, growing);
        let mut after = filled(301, MIB, 100 * MIB);
        after.identity.run_id = "another".to_owned();
        restarted.push(after);
        assert_eq!(restarted.time_until_full(5 * MINUTE), None);
    }

    #[test]
    fn full_is_full_and_no_limit_is_never() {
        let full = filling(0, |_| 100 * MIB);
        assert_eq!(full.time_until_full(5 * MINUTE), Some(Duration::ZERO));
        for limit in [None, Some(None), Some(Some(Bytes(0)))] {
            let unlimited = history((0..=300).map(|second| {
                let mut sample = filled(second, second * MIB, 0);
                sample.memory.limit = limit;
                sample
            }));
            assert_eq!(unlimited.time_until_full(5 * MINUTE), None);
        }
    }
}
