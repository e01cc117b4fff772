//! The one place where a test waits.
//!
//! A fixed sleep is too long on a fast machine and too short on a busy one. We ask again until the
//! fact is there, and give up with a sentence that says what never came.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: a shared machine with two
/// cores must not fail a test that is only slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(4);

/// Asks until there is an answer.
///
/// # Panics
///
/// When `limit` passes first; the message names `what`.
pub fn until<T>(what: &str, limit: Duration, attempt: impl FnMut() -> Option<T>) -> T {
    at_most(limit, attempt).unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Asks until there is an answer, or `None` when `limit` passes first.
pub fn at_most<T>(limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let give_up = Instant::now() + limit;
    loop {
        let found = attempt();
        if found.is_some() || Instant::now() >= give_up {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}
