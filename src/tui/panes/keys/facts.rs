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
    known: HashMap<Vec<u8>, Known>,
    /// Rows of which the server would not tell anything.
    untold: HashSet<Vec<u8>>,
}

impl Facts {
    pub fn get(&self, name: &[u8]) -> Option<&Known> {
        self.known.get(name)
    }

    pub fn learn(&mut self, name: &[u8], facts: KeyFacts, at: UnixMs) {
        if self.known.len() >= MOST {
            self.forget_older_half();
        }
        self.untold.remove(name);
        self.known.insert(name.to_vec(), Known { facts, at });
    }

    /// The server was asked and would not tell.
    pub fn refuse(&mut self, name: &[u8]) {
        if self.untold.len() >= MOST {
            self.untold.clear();
        }
        self.untold.insert(name.to_vec());
    }

    pub fn is_untold(&self, name: &[u8]) -> bool {
        self.untold.contains(name)
    }

    /// Makes the facts be asked again without taking them off the screen.
    pub fn doubt(&mut self, name: &[u8]) {
        if let Some(known) = self.known.get_mut(name) {
            known.at = UnixMs(0);
        }
    }

    pub fn doubt_all(&mut self) {
        for known in self.known.values_mut() {
            known.at = UnixMs(0);
        }
    }

    /// Which of these rows nothing is known of, or nothing recent.
    pub fn wanting(&self, names: impl Iterator<Item = Vec<u8>>, now: UnixMs) -> Vec<Vec<u8>> {
        names
            .filter(|name| self.get(name).is_none_or(|known| is_stale(known, now)))
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
        let before = |span| UnixMs(now.0 - span);
        facts.learn(b"fresh", here(Ttl::None), now);
        facts.learn(b"old", here(Ttl::None), before(10_000));
        facts.learn(b"expired", here(Ttl::Until(before(1))), before(2_000));
        facts.learn(b"gone", KeyFacts::Gone, now);
        let wanting = |facts: &Facts| {
            let names = ["new", "fresh", "old", "expired", "gone"];
            facts.wanting(names.iter().map(|name| name.as_bytes().to_vec()), now)
        };
        assert_eq!(wanting(&facts), [&b"new"[..], b"old", b"expired"]);
        facts.doubt(b"fresh");
        assert_eq!(wanting(&facts)[1], b"fresh");
    }

    #[test]
    fn forgets_the_oldest_when_there_are_many() {
        let mut facts = Facts::default();
        for number in 0..20_000_u32 {
            let at = UnixMs(i64::from(number));
            facts.learn(&number.to_be_bytes(), KeyFacts::Gone, at);
        }
        assert!(facts.known.len() <= MOST);
        assert!(facts.get(&19_999_u32.to_be_bytes()).is_some());
        assert!(facts.get(&0_u32.to_be_bytes()).is_none());
    }
}
