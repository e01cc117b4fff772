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
