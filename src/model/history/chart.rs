//! Charts of the recent past.
//!
//! A chart must not shimmer: as time moves on, what is over keeps its shape and only moves left. So
//! buckets are cut at fixed moments, not at distances from now.

use std::time::Duration;

use crate::model::history::Moment;
use crate::model::{History, Rates, Sample};

/// Readings that are less than this apart are never taken for an outage.
const SHORTEST_PAUSE: Duration = Duration::from_secs(3);

impl History {
    /// Rates for a chart over the last `span`, oldest first, one per bucket. `None` where nothing was
    /// measured or two readings cannot be compared.
    ///
    /// Buckets lie on multiples of their width since measuring began, so that a bucket that is over
    /// keeps its value while the chart moves on. Readings further apart than a bucket is wide give
    /// all buckets between them the same rate.
    pub fn points(
        &self,
        span: Duration,
        buckets: usize,
        pick: impl Fn(&Rates) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        self.chart(span, buckets, |from, to| {
            pick(&Rates::between(from?, to).ok()?)
        })
    }

    /// Like [`History::points`] for what is a level and no rate, such as used memory: the last reading
    /// in each bucket.
    pub fn gauges(
        &self,
        span: Duration,
        buckets: usize,
        pick: impl Fn(&Sample) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        self.chart(span, buckets, |_, to| pick(to))
    }

    /// One value per bucket from the last reading in it and the one to compare that with, which is
    /// `None` where the two do not follow each other.
    fn chart(
        &self,
        span: Duration,
        buckets: usize,
        value: impl Fn(Option<&Sample>, &Sample) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        let mut values = vec![None; buckets];
        let Some(latest) = self.latest() else {
            return values;
        };
        let grid = Grid::new(span, buckets, latest.elapsed);
        let stretches = self.stretches(&grid);
        let mut before: Option<&Stretch> = None;
        for stretch in &stretches {
            // The first one has nothing before it and is compared with its own beginning.
            let from = before.map_or(stretch.first, |before| before.last);
            let found = value(stretch.follows.then_some(from), stretch.last);
            let begin = match before {
                Some(before) if stretch.follows => before.bucket + 1,
                _ => stretch.bucket,
            };
            for place in grid.places(begin, stretch.bucket) {
                values[place] = found;
            }
            before = Some(stretch);
        }
        values
    }

    /// The readings, bucket by bucket.
    fn stretches(&self, grid: &Grid) -> Vec<Stretch<'_>> {
        let pause = self.longest_step().max(grid.width);
        let mut stretches: Vec<Stretch<'_>> = Vec::new();
        for Moment {
            sample,
            break_before,
        } in &self.samples
        {
            let bucket = grid.number(sample.elapsed);
            let before = stretches.last().map(|stretch| stretch.last);
            let follows = break_before.is_none()
                && before
                    .is_none_or(|before| sample.elapsed.saturating_sub(before.elapsed) <= pause);
            match stretches.last_mut() {
                Some(stretch) if stretch.bucket == bucket => {
                    stretch.last = sample;
                    stretch.follows &= follows;
                }
                _ => stretches.push(Stretch {
                    bucket,
                    first: sample,
                    last: sample,
                    follows,
                }),
            }
        }
        stretches
    }

    /// When readings are further apart than this, some are missing: the server or we were away.
    fn longest_step(&self) -> Duration {
        let mut steps: Vec<Duration> = self
            .samples
            .iter()
            .zip(self.samples.iter().skip(1))
            .map(|(one, next)| next.sample.elapsed.saturating_sub(one.sample.elapsed))
            .collect();
        if steps.is_empty() {
            return SHORTEST_PAUSE;
        }
        let middle = steps.len() / 2;
        let (_, usual, _) = steps.select_nth_unstable(middle);
        usual.saturating_mul(3).max(SHORTEST_PAUSE)
    }
}

/// The readings in one bucket.
struct Stretch<'a> {
    bucket: u128,
    first: &'a Sample,
    last: &'a Sample,
    /// It goes on from the stretch before without a break or a pause, and has none itself.
    follows: bool,
}

/// Buckets of equal width, numbered from the beginning of measuring.
struct Grid {
    width: Duration,
    buckets: u128,
    /// The number of the newest bucket.
    newest: u128,
}

impl Grid {
    fn new(span: Duration, buckets: usize, latest: Duration) -> Self {
        let count = u32::try_from(buckets).unwrap_or(u32::MAX).max(1);
        let mut grid = Self {
            width: (span / count).max(Duration::from_nanos(1)),
            buckets: buckets as u128,
            newest: 0,
        };
        grid.newest = grid.number(latest);
        grid
    }

    fn number(&self, elapsed: Duration) -> u128 {
        elapsed.as_nanos() / self.width.as_nanos()
    }

    /// Where the buckets from one number to another stand in the chart, as far as they are in it.
    fn places(&self, from: u128, to: u128) -> std::ops::Range<usize> {
        let oldest = (self.newest + 1).saturating_sub(self.buckets);
        // A young chart begins with buckets before all measuring.
        let shift = (oldest + self.buckets) - (self.newest + 1);
        let place = |number: u128| {
            let place = number.saturating_sub(oldest) + shift;
            usize::try_from(place).expect("a place is below the number of buckets")
        };
        if to < oldest {
            return 0..0;
        }
        place(from)..place(to) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example::{history, sample, steady};

    fn operations(history: &History, span: u64, buckets: usize) -> Vec<Option<f64>> {
        history.points(Duration::from_secs(span), buckets, |rates| rates.operations)
    }

    #[test]
    fn a_chart_has_a_value_per_bucket() {
        let history = history(steady(0..=59, 10));
        assert_eq!(operations(&history, 60, 4), [Some(10.0); 4]);
        assert_eq!(
            operations(&history, 120, 4),
            [None, None, Some(10.0), Some(10.0)]
        );
        assert_eq!(operations(&History::default(), 60, 2), [None, None]);
        assert!(operations(&history, 60, 0).is_empty());
        assert_eq!(operations(&history, 0, 1).len(), 1);
    }

    #[test]
    fn past_buckets_keep_their_values_while_time_goes_on() {
        // A different rate at each second, in buckets of five seconds.
        let readings: Vec<Sample> = (0..400)
            .map(|second| sample(second, second * second))
            .collect();
        let mut history = history(readings[..300].to_vec());
        let mut before = operations(&history, 100, 20);
        for (second, reading) in readings.into_iter().enumerate().skip(300) {
            history.push(reading);
            let now = operations(&history, 100, 20);
            let moved = usize::from(second % 5 == 0);
            // All but the newest bucket, which is still filling.
            assert_eq!(now[..19 - moved], before[moved..19]);
            assert!(now.iter().all(Option::is_some));
            before = now;
        }
    }

    #[test]
    fn a_break_is_a_gap_in_the_chart() {
        let mut readings = steady(0..=19, 100);
        readings.extend(steady(20..=39, 3));
        let history = history(readings);
        assert_eq!(
            operations(&history, 40, 8),
            [
                Some(100.0),
                Some(100.0),
                Some(100.0),
                Some(100.0),
                None,
                Some(3.0),
                Some(3.0),
                Some(3.0)
            ]
        );
    }

    #[test]
    fn a_reset_within_a_bucket_is_a_gap_even_when_counters_have_caught_up() {
        let mut readings = steady(0..=6, 10);
        readings.extend((7..=14).map(|second| sample(second, (second - 7) * 1000)));
        let history = history(readings);
        assert_eq!(
            operations(&history, 15, 3),
            [Some(10.0), None, Some(1000.0)]
        );
    }

    #[test]
    fn wide_steps_fill_the_buckets_between_them() {
        let history = history((0..=4).map(|step| sample(step * 10, step * 50)));
        assert_eq!(operations(&history, 20, 10), [Some(5.0); 10]);
    }

    #[test]
    fn an_outage_is_a_gap_in_the_chart() {
        let mut readings = steady(0..=20, 1);
        readings.extend(steady(31..=40, 1));
        let history = history(readings);
        let values = operations(&history, 40, 20);
        let gaps: Vec<usize> = (0..20).filter(|place| values[*place].is_none()).collect();
        // Second 1 has no bucket left; seconds 22 to 31 were not seen.
        assert_eq!(gaps, [10, 11, 12, 13, 14]);
        let levels = history.gauges(Duration::from_secs(40), 20, |sample| {
            sample.counters.operations.map(|count| count as f64)
        });
        let gaps: Vec<usize> = (0..20).filter(|place| levels[*place].is_none()).collect();
        assert_eq!(gaps, [10, 11, 12, 13]);
        assert_eq!(levels[14], Some(31.0));
    }

    #[test]
    fn what_is_unknown_is_a_gap_and_no_zero() {
        let history = history(steady(0..=9, 1));
        let misses = history.points(Duration::from_secs(10), 2, |rates| rates.misses);
        assert_eq!(misses, [None, None]);
    }
}
