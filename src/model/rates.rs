//! Rates between two samples.
//!
//! Servers count up from their start, so a rate is a difference over time. A restart makes counters
//! jump back; then there is no rate, and we say so rather than show a negative or a zero.

use std::time::Duration;

use crate::model::{Role, Sample};

/// What happened per second between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    pub window: Duration,
    /// Hits by lookups, 0 to 1; `None` also when nothing was looked up.
    pub hit_ratio: Option<f64>,
    pub hits: Option<f64>,
    pub misses: Option<f64>,
    pub operations: Option<f64>,
    pub evicted: Option<f64>,
    pub expired: Option<f64>,
    pub connections: Option<f64>,
    pub rejected: Option<f64>,
    /// Bytes per second.
    pub net_in: Option<f64>,
    /// Bytes per second.
    pub net_out: Option<f64>,
    /// Bytes per second that the replication stream grew.
    pub replicated: Option<f64>,
}

/// Why there is no rate between two samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// Another process answers (the run id changed).
    Restarted,
    /// The same process, but its counters jumped back (`CONFIG RESETSTAT`, `stats reset`).
    CountersReset,
    /// The server changed its role.
    RoleChanged { from: Role, to: Role },
    /// No time passed between the two.
    NoTime,
}

impl Rates {
    /// The rates between two readings of one server.
    ///
    /// # Errors
    /// The reason why the two cannot be compared.
    pub fn between(earlier: &Sample, later: &Sample) -> Result<Self, Break> {
        if let Some(reason) = break_between(earlier, later) {
            return Err(reason);
        }
        let window = later.elapsed.saturating_sub(earlier.elapsed);
        if window.is_zero() {
            return Err(Break::NoTime);
        }
        let (was, is) = (&earlier.counters, &later.counters);
        let per_second = |was: Option<u64>, is: Option<u64>| {
            Some(is?.saturating_sub(was?) as f64 / window.as_secs_f64())
        };
        let hits = per_second(was.hits, is.hits);
        let misses = per_second(was.misses, is.misses);
        let stream = |sample: &Sample| sample.replication.as_ref().and_then(|one| one.offset);
        Ok(Self {
            window,
            hit_ratio: hits
                .zip(misses)
                .and_then(|(hits, misses)| ratio(hits, misses)),
            hits,
            misses,
            operations: per_second(was.operations, is.operations),
            evicted: per_second(was.evicted, is.evicted),
            expired: per_second(was.expired, is.expired),
            connections: per_second(was.connections, is.connections),
            rejected: per_second(was.rejected, is.rejected),
            net_in: per_second(
                was.net_in.map(|bytes| bytes.0),
                is.net_in.map(|bytes| bytes.0),
            ),
            net_out: per_second(
                was.net_out.map(|bytes| bytes.0),
                is.net_out.map(|bytes| bytes.0),
            ),
            replicated: per_second(stream(earlier), stream(later)),
        })
    }
}

/// Hits by lookups; `None` when nothing was looked up.
pub fn ratio(hits: f64, misses: f64) -> Option<f64> {
    let lookups = hits + misses;
    (lookups > 0.0).then(|| hits / lookups)
}

/// What makes two readings incomparable, if anything.
pub fn break_between(earlier: &Sample, later: &Sample) -> Option<Break> {
    if earlier.identity.run_id != later.identity.run_id {
        return Some(Break::Restarted);
    }
    if earlier.identity.role != later.identity.role {
        return Some(Break::RoleChanged {
            from: earlier.identity.role,
            to: later.identity.role,
        });
    }
    let (was, is) = (&earlier.counters, &later.counters);
    // Not hits and misses: taking out our own lookups can move those back by a few.
    let fell = [
        (was.operations, is.operations),
        (was.connections, is.connections),
        (was.evicted, is.evicted),
        (was.expired, is.expired),
    ]
    .into_iter()
    .any(|(was, is)| matches!((was, is), (Some(was), Some(is)) if is < was));
    fell.then_some(Break::CountersReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example::sample;
    use crate::model::{Bytes, Replication};

    /// A reading after so many seconds with these hits and misses.
    fn looked_up(seconds: u64, hits: u64, misses: u64) -> Sample {
        let mut sample = sample(seconds, hits + misses);
        sample.counters.hits = Some(hits);
        sample.counters.misses = Some(misses);
        sample
    }

    #[test]
    fn a_rate_is_a_difference_over_time() {
        let rates = Rates::between(&looked_up(10, 100, 100), &looked_up(20, 190, 110)).unwrap();
        assert_eq!(rates.window, Duration::from_secs(10));
        assert_eq!(rates.hits, Some(9.0));
        assert_eq!(rates.misses, Some(1.0));
        assert_eq!(rates.operations, Some(10.0));
        assert_eq!(rates.hit_ratio, Some(0.9));
    }

    #[test]
    fn bytes_and_the_replication_stream_have_rates_too() {
        let reading = |seconds, bytes| {
            let mut sample = sample(seconds, 0);
            sample.counters.net_in = Some(Bytes(bytes));
            sample.counters.net_out = Some(Bytes(2 * bytes));
            sample.replication = Some(Replication {
                id: None,
                offset: Some(3 * bytes),
                replicas: Vec::new(),
                link: None,
                backlog: None,
            });
            sample
        };
        let rates = Rates::between(&reading(0, 0), &reading(2, 100)).unwrap();
        assert_eq!(rates.net_in, Some(50.0));
        assert_eq!(rates.net_out, Some(100.0));
        assert_eq!(rates.replicated, Some(150.0));
    }

    #[test]
    fn unknown_stays_unknown() {
        let rates = Rates::between(&looked_up(0, 1, 1), &sample(1, 10)).unwrap();
        assert_eq!(
            (rates.hits, rates.misses, rates.hit_ratio),
            (None, None, None)
        );
        assert_eq!(
            (rates.evicted, rates.net_in, rates.replicated),
            (None, None, None)
        );
    }

    #[test]
    fn no_lookups_have_no_ratio() {
        let rates = Rates::between(&looked_up(0, 5, 5), &looked_up(1, 5, 5)).unwrap();
        assert_eq!((rates.hits, rates.hit_ratio), (Some(0.0), None));
        assert_eq!(ratio(0.0, 0.0), None);
        assert_eq!(ratio(0.0, 2.0), Some(0.0));
    }

    #[test]
    fn a_restart_gives_no_rate() {
        let mut later = sample(20, 500);
        later.identity.run_id = "another".to_owned();
        assert_eq!(
            Rates::between(&sample(10, 100), &later),
            Err(Break::Restarted)
        );
    }

    #[test]
    fn a_reset_of_counters_gives_no_rate() {
        assert_eq!(
            Rates::between(&sample(10, 100), &sample(20, 3)),
            Err(Break::CountersReset)
        );
        let evicted = |seconds, evicted| {
            let mut sample = sample(seconds, seconds);
            sample.counters.evicted = evicted;
            sample
        };
        assert_eq!(
            Rates::between(&evicted(1, Some(5)), &evicted(2, Some(4))),
            Err(Break::CountersReset)
        );
        // A counter that the server stopped telling is unknown, and no reset.
        assert!(Rates::between(&evicted(1, Some(5)), &evicted(2, None)).is_ok());
    }

    #[test]
    fn hits_that_our_own_lookups_moved_back_are_no_reset() {
        let mut later = looked_up(2, 99, 51);
        later.counters.operations = Some(200);
        let rates = Rates::between(&looked_up(1, 100, 50), &later).unwrap();
        assert_eq!((rates.hits, rates.misses), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn a_change_of_role_gives_no_rate() {
        let mut later = sample(20, 500);
        later.identity.role = Role::Replica;
        let change = Break::RoleChanged {
            from: Role::Primary,
            to: Role::Replica,
        };
        assert_eq!(Rates::between(&sample(10, 100), &later), Err(change));
    }

    #[test]
    fn no_time_gives_no_rate() {
        assert_eq!(
            Rates::between(&sample(10, 100), &sample(10, 200)),
            Err(Break::NoTime)
        );
        assert_eq!(
            Rates::between(&sample(10, 100), &sample(9, 200)),
            Err(Break::NoTime)
        );
    }
}
