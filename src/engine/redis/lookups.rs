//! Our own lookups, so that looking at a server does not flatter its hit ratio.

use std::sync::{Mutex, PoisonError};

/// Lookups of ours that the server has counted, over all connections to it.
#[derive(Debug, Default)]
pub struct Lookups(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    hits: u64,
    misses: u64,
    /// What the server said last, to notice when its counters began anew.
    last: Option<Seen>,
}

/// The counters of a server as it tells them, and which run of it they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub run_id: String,
    pub hits: Option<u64>,
    pub misses: Option<u64>,
    pub operations: Option<u64>,
}

/// The counters without our own share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrected {
    pub hits: Option<u64>,
    pub misses: Option<u64>,
    pub own: u64,
}

impl Lookups {
    pub fn add(&self, hits: u64, misses: u64) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.hits += hits;
        tally.misses += misses;
    }

    /// Takes our share out of what the server counted.
    pub fn correct(&self, seen: Seen) -> Corrected {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tally
            .last
            .as_ref()
            .is_some_and(|last| seen.began_after(last))
        {
            tally.hits = 0;
            tally.misses = 0;
        }
        let corrected = Corrected {
            hits: seen.hits.map(|hits| hits.saturating_sub(tally.hits)),
            misses: seen
                .misses
                .map(|misses| misses.saturating_sub(tally.misses)),
            own: tally.hits + tally.misses,
        };
        tally.last = Some(seen);
        corrected
    }
}

impl Seen {
    /// Another run, or counters that fell: the server was restarted or its statistics were reset.
    fn began_after(&self, earlier: &Self) -> bool {
        let fell =
            |was: Option<u64>, is: Option<u64>| was.zip(is).is_some_and(|(was, is)| is < was);
        self.run_id != earlier.run_id
            || fell(earlier.hits, self.hits)
            || fell(earlier.misses, self.misses)
            || fell(earlier.operations, self.operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(run_id: &str, hits: u64, misses: u64) -> Seen {
        Seen {
            run_id: run_id.to_owned(),
            hits: Some(hits),
            misses: Some(misses),
            operations: None,
        }
    }

    fn check(lookups: &Lookups, seen: Seen, hits: u64, misses: u64, own: u64) {
        let expected = Corrected {
            hits: Some(hits),
            misses: Some(misses),
            own,
        };
        assert_eq!(lookups.correct(seen), expected);
    }

    #[test]
    fn our_share_is_taken_out() {
        let lookups = Lookups::default();
        lookups.add(5, 2);
        check(&lookups, seen("a", 105, 22), 100, 20, 7);
    }

    #[test]
    fn a_restart_forgets_our_share() {
        let lookups = Lookups::default();
        lookups.add(5, 2);
        check(&lookups, seen("a", 105, 22), 100, 20, 7);
        check(&lookups, seen("b", 200, 30), 200, 30, 0);
    }

    #[test]
    fn a_reset_of_the_statistics_forgets_our_share() {
        let lookups = Lookups::default();
        lookups.add(5, 2);
        check(&lookups, seen("a", 105, 22), 100, 20, 7);
        check(&lookups, seen("a", 3, 0), 3, 0, 0);
    }
}
