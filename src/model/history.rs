//! The recent past of one server: enough for 15 minutes of rates and charts.

mod chart;
mod forecast;

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Break, Rates, Sample, break_between};

/// How far back windows reach.
const KEPT: Duration = Duration::from_secs(15 * 60 + 30);

/// Samples in the order they were taken, with the breaks between them.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: VecDeque<Moment>,
}

#[derive(Clone, Debug)]
struct Moment {
    sample: Sample,
    /// What separates it from the sample before.
    break_before: Option<Break>,
}

impl History {
    /// Adds a reading and says whether it continues the one before. Older readings lose what only
    /// the newest one is asked for (raw lines, slab classes), so that 15 minutes stay small.
    pub fn push(&mut self, sample: Sample) -> Option<Break> {
        let break_before = self
            .latest()
            .and_then(|before| break_between(before, &sample));
        if let Some(last) = self.samples.back_mut() {
            last.sample.raw = Vec::new();
            last.sample.slabs = None;
            last.sample.unsupported.clear();
        }
        let horizon = sample.elapsed.saturating_sub(KEPT);
        while self
            .samples
            .front()
            .is_some_and(|first| first.sample.elapsed < horizon)
        {
            self.samples.pop_front();
        }
        self.samples.push_back(Moment {
            sample,
            break_before: break_before.clone(),
        });
        break_before
    }

    pub fn latest(&self) -> Option<&Sample> {
        self.samples.back().map(|moment| &moment.sample)
    }

    /// Every reading kept, oldest first, with what separates it from the one before.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Sample, Option<&Break>)> {
        self.samples
            .iter()
            .map(|moment| (&moment.sample, moment.break_before.as_ref()))
    }

    /// Rates over the last `window`, not reaching over a break. The reading nearest to the window's
    /// beginning is taken, so that it may be a little shorter or longer, and much shorter after a
    /// break; the answer says how long it is.
    pub fn rates(&self, window: Duration) -> Option<Rates> {
        let latest = self.latest()?;
        let from = latest.elapsed.saturating_sub(window);
        let earliest = self
            .unbroken()
            .filter(|sample| sample.elapsed < latest.elapsed)
            .min_by_key(|sample| sample.elapsed.abs_diff(from))?;
        Rates::between(earliest, latest).ok()
    }

    /// The readings since the last break.
    fn unbroken(&self) -> impl Iterator<Item = &Sample> {
        let start = self
            .samples
            .iter()
            .rposition(|moment| moment.break_before.is_some())
            .unwrap_or(0);
        self.samples.range(start..).map(|moment| &moment.sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;
    use crate::model::example::{history, sample, steady};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn windows_are_as_long_as_asked() {
        let history = history(steady(0..=1200, 7));
        for seconds in [10, 60, 900] {
            let rates = history.rates(Duration::from_secs(seconds)).unwrap();
            assert_eq!(rates.window, Duration::from_secs(seconds));
            assert_eq!(rates.operations, Some(7.0));
        }
    }

    #[test]
    fn windows_are_shorter_when_there_is_no_more() {
        let history = history(steady(0..=5, 7));
        assert_eq!(
            history.rates(MINUTE).unwrap().window,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn windows_shorter_than_a_step_take_one_step() {
        let history = history([sample(0, 0), sample(30, 60), sample(60, 180)]);
        let rates = history.rates(Duration::from_secs(10)).unwrap();
        assert_eq!(
            (rates.window, rates.operations),
            (Duration::from_secs(30), Some(4.0))
        );
    }

    #[test]
    fn one_reading_gives_no_rate() {
        assert_eq!(History::default().rates(MINUTE), None);
        assert_eq!(history([sample(1, 1)]).rates(MINUTE), None);
        assert_eq!(history([sample(1, 1), sample(1, 1)]).rates(MINUTE), None);
    }

    #[test]
    fn windows_do_not_reach_over_a_break() {
        let mut readings = steady(0..=20, 100);
        readings.extend((21..=25).map(|second| {
            let mut after = sample(second, second * 5);
            after.identity.run_id = "another".to_owned();
            after
        }));
        let mut history = history(readings);
        let rates = history.rates(MINUTE).unwrap();
        assert_eq!(
            (rates.window, rates.operations),
            (Duration::from_secs(4), Some(5.0))
        );

        // Right after a break there is nothing to compare with.
        assert_eq!(history.push(sample(26, 0)), Some(Break::Restarted));
        assert_eq!(history.rates(MINUTE), None);
    }

    #[test]
    fn what_is_older_than_a_quarter_of_an_hour_is_dropped() {
        let history = history(steady(0..=2000, 1));
        let first = history.iter().next().unwrap().0;
        assert_eq!(first.elapsed, Duration::from_secs(2000 - 930));
        assert_eq!(history.iter().count(), 931);
    }

    #[test]
    fn only_the_newest_reading_keeps_its_raw_lines() {
        let with_raw = |second| Sample {
            raw: vec![("field".to_owned(), "text".to_owned())],
            ..sample(second, 0)
        };
        let history = history([with_raw(0), with_raw(1)]);
        let kept: Vec<usize> = history.iter().map(|(one, _)| one.raw.len()).collect();
        assert_eq!(kept, [0, 1]);
    }

    #[test]
    fn a_change_of_role_breaks_the_window() {
        let mut history = history(steady(0..=9, 1));
        let mut replica = sample(10, 10);
        replica.identity.role = Role::Replica;
        assert_eq!(
            history.push(replica),
            Some(Break::RoleChanged {
                from: Role::Primary,
                to: Role::Replica
            })
        );
        assert_eq!(history.rates(MINUTE), None);
    }
}
