//! The recent past of one server: enough for 15 minutes of rates and charts.

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

    /// Rates over the last `window`, not reaching over a break. A shorter span is used when there
    /// is no more; the answer says how long it is.
    pub fn rates(&self, window: Duration) -> Option<Rates> {
        let latest = self.latest()?;
        let from = latest.elapsed.saturating_sub(window);
        let unbroken = 1 + self
            .samples
            .iter()
            .rev()
            .take_while(|moment| moment.break_before.is_none())
            .count();
        let earliest = self
            .samples
            .iter()
            .rev()
            .take(unbroken)
            .take_while(|moment| moment.sample.elapsed >= from)
            .last()?;
        Rates::between(&earliest.sample, latest).ok()
    }
}
