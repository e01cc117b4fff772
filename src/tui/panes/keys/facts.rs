//! What is known of the keys that were on screen lately.
//!
//! Facts are asked for rows that somebody looks at, and only these are remembered: a few thousand
//! rows at most, so that scrolling back is quick and memory stays small.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::model::{KeyFacts, Ttl, UnixMs};

/// Facts kept before the older half is let go.
const MOST: usize = 4096;
/// After this they are asked again while their row is on screen.
const STALE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Known {
    pub facts: KeyFacts,
    /// When the answer came, on our clock.
    pub at: UnixMs,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    known: HashMap<u32, Known>,
    /// Rows of which the server would not tell anything.
    untold: HashSet<u32>,
}

impl Facts {
    pub fn get(&self, id: u32) -> Option<&Known> {
        self.known.get(&id)
    }

    pub fn learn(&mut self, id: u32, facts: KeyFacts, at: UnixMs) {
        if self.known.len() >= MOST {
            self.forget_older_half();
        }
        self.untold.remove(&id);
        self.known.insert(id, Known { facts, at });
    }

    /// The server was asked and would not tell.
    pub fn refuse(&mut self, id: u32) {
        if self.untold.len() >= MOST {
            self.untold.clear();
        }
        self.untold.insert(id);
    }

    pub fn is_untold(&self, id: u32) -> bool {
        self.untold.contains(&id)
    }

    /// Makes the facts be asked again without taking them off the screen.
    pub fn doubt(&mut self, ids: &HashSet<u32>) {
        for id in ids {
            if let Some(known) = self.known.get_mut(id) {
                known.at = UnixMs(0);
            }
        }
    }

    pub fn doubt_all(&mut self) {
        for known in self.known.values_mut() {
            known.at = UnixMs(0);
        }
    }

    /// Which of these rows nothing is known of, or nothing recent.
    pub fn wanting(&self, ids: impl Iterator<Item = u32>, now: UnixMs) -> Vec<u32> {
        ids.filter(|id| self.get(*id).is_none_or(|known| is_stale(known, now)))
            .collect()
    }

    fn forget_older_half(&mut self) {
        let mut ages: Vec<UnixMs> = self.known.values().map(|known| known.at).collect();
        ages.sort_unstable();
        let middle = ages[ages.len() / 2];
        self.known.retain(|_, known| known.at > middle);
    }
}

impl Known {
    /// When a shown countdown moves next, or the facts must be asked again.
    pub fn next_change(&self, now: UnixMs, can_ask: bool) -> Option<UnixMs> {
        let stale = can_ask.then(|| {
            self.at
                .plus(STALE)
                .max(now.plus(Duration::from_millis(100)))
        });
        let countdown = match &self.facts {
            KeyFacts::Here { ttl, .. } => next_change(*ttl, now),
            KeyFacts::Gone => None,
        };
        stale.into_iter().chain(countdown).min()
    }
}

/// When the shown time left changes: each second in the last hour, else each minute.
pub fn next_change(ttl: Ttl, now: UnixMs) -> Option<UnixMs> {
    let left = ttl.left(now).filter(|left| !left.is_zero())?;
    let step = if left < Duration::from_secs(3600) {
        1_000
    } else {
        60_000
    };
    let into = u64::try_from(left.as_millis() % step).unwrap_or_default();
    Some(now.plus(Duration::from_millis(into + 1)))
}

/// Facts whose time ran out are stale at once: did the key go away?
fn is_stale(known: &Known, now: UnixMs) -> bool {
    let age = now.since(known.at).unwrap_or_default();
    let has_ended = match &known.facts {
        KeyFacts::Here { ttl, .. } => ttl.left(now) == Some(Duration::ZERO),
        KeyFacts::Gone => false,
    };
    age >= STALE || (has_ended && age >= Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyKind;

    fn here(ttl: Ttl) -> KeyFacts {
        KeyFacts::Here {
            kind: KeyKind::String,
            ttl,
            size: None,
            idle: None,
        }
    }

    #[test]
    fn asks_for_the_unknown_the_old_and_the_expired() {
        let mut facts = Facts::default();
        let now = UnixMs(100_000);
        facts.learn(1, here(Ttl::None), now);
        facts.learn(2, here(Ttl::None), UnixMs(now.0 - 10_000));
        facts.learn(
            3,
            here(Ttl::Until(UnixMs(now.0 - 1))),
            UnixMs(now.0 - 2_000),
        );
        facts.learn(4, KeyFacts::Gone, now);
        assert_eq!(facts.wanting([0, 1, 2, 3, 4].into_iter(), now), [0, 2, 3]);
        facts.doubt(&HashSet::from([1]));
        assert_eq!(facts.wanting([1, 4].into_iter(), now), [1]);
    }

    #[test]
    fn forgets_the_oldest_when_there_are_many() {
        let mut facts = Facts::default();
        for id in 0..20_000 {
            facts.learn(id, KeyFacts::Gone, UnixMs(i64::from(id)));
        }
        assert!(facts.known.len() <= MOST);
        assert!(facts.get(19_999).is_some());
        assert!(facts.get(0).is_none());
    }
}
