//! Keeps us from knocking again and again where the door was just shut.
//!
//! A wrong password tried at every heartbeat fills the server's log and locks accounts where a service
//! counts failures; a server that is out of connections is not helped by more of them. All
//! connections to one server share a gate: while it is shut, they get the last answer again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Fault;

/// How long a refused login is not repeated.
pub const AFTER_REFUSED_LOGIN: Duration = Duration::from_secs(5);
/// How long a server that takes no more connections is left alone.
pub const AFTER_NOT_READY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<Shut>>);

#[derive(Clone, Debug)]
struct Shut {
    why: Fault,
    since: Instant,
    span: Duration,
}

impl Gate {
    /// # Errors
    /// The fault that shut the gate, while it is too early to try again.
    pub fn pass(&self, now: Instant) -> Result<(), Fault> {
        match self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            Some(shut) if now.saturating_duration_since(shut.since) < shut.span => {
                Err(shut.why.clone())
            }
            _ => Ok(()),
        }
    }

    /// Takes note of how opening a connection ended.
    pub fn note<T>(&self, opened: &Result<T, Fault>, now: Instant) {
        let shut = opened.as_ref().err().and_then(|why| {
            let span = shut_after(why)?;
            Some(Shut {
                why: why.clone(),
                since: now,
                span,
            })
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shut;
    }
}

/// For how long this fault means that trying again is no use; `None` where it may be.
pub fn shut_after(fault: &Fault) -> Option<Duration> {
    match fault {
        Fault::Login { .. } => Some(AFTER_REFUSED_LOGIN),
        Fault::NotReady { .. } => Some(AFTER_NOT_READY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Fault {
        Fault::Login {
            place: "cache:6379".to_owned(),
            why: "WRONGPASS".to_owned(),
        }
    }

    #[test]
    fn a_refused_login_is_not_repeated_for_a_while() {
        let (gate, start) = (Gate::default(), Instant::now());
        assert_eq!(gate.pass(start), Ok(()));
        gate.note::<()>(&Err(login()), start);
        let early = AFTER_REFUSED_LOGIN.checked_sub(Duration::from_millis(1));
        assert_eq!(gate.pass(start + early.expect("seconds")), Err(login()));
        assert_eq!(gate.pass(start + AFTER_REFUSED_LOGIN), Ok(()));
    }

    #[test]
    fn a_lost_connection_shuts_nothing() {
        let (gate, start) = (Gate::default(), Instant::now());
        let lost = Fault::Closed {
            place: "cache:6379".to_owned(),
            doing: "logging in",
        };
        gate.note::<()>(&Err(lost), start);
        assert_eq!(gate.pass(start), Ok(()));
    }

    #[test]
    fn a_good_login_opens_it() {
        let (gate, start) = (Gate::default(), Instant::now());
        gate.note::<()>(&Err(login()), start);
        gate.note(&Ok(()), start);
        assert_eq!(gate.pass(start), Ok(()));
    }
}
