//! How much may still be read, and what was seen when reading ended.
//!
//! Protocol codecs keep neither the first bytes of an answer that they cannot read nor the reason
//! why a stream broke. Both are needed to say what is wrong, so the stream notes them here.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::engine::{Fault, tls};
use crate::model::Bytes;

/// How much of the beginning of an answer is kept.
const HEAD: usize = 96;

/// A handle on what a stream may read. One exchange at a time refills it.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    left: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    limit: u64,
    is_spent: bool,
    head: Vec<u8>,
    /// What TLS said when it broke.
    tls: Option<io::Error>,
}

#[derive(Debug, Error)]
#[error("more was sent than may be read")]
struct Spent;

impl Allowance {
    pub(super) fn new(limit: u64) -> Self {
        let allowance = Self(Arc::new(Shared {
            left: AtomicU64::new(limit),
            seen: Mutex::default(),
        }));
        allowance.refill(limit);
        allowance
    }

    /// Before an exchange: this many bytes may come, and none have been seen.
    pub fn refill(&self, limit: u64) {
        *self.seen() = Seen {
            limit,
            ..Seen::default()
        };
        self.0.left.store(limit, Ordering::Release);
    }

    /// The first bytes that came since the last refill.
    pub fn head(&self) -> Vec<u8> {
        self.seen().head.clone()
    }

    /// Why the stream itself ended the exchange, if it did: too much came, or TLS broke. Ask this
    /// first when an exchange failed; codecs report both as something vaguer.
    pub fn fault(&self, place: &str, command: &str) -> Option<Fault> {
        let seen = self.seen();
        if seen.is_spent {
            return Some(Fault::TooLarge {
                command: command.to_owned(),
                limit: Bytes(seen.limit),
            });
        }
        seen.tls.as_ref().map(|error| tls::fault(place, error))
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if self.0.left.load(Ordering::Acquire) > 0 {
            return Ok(());
        }
        self.seen().is_spent = true;
        Err(io::Error::other(Spent))
    }

    /// Accounts for what just came.
    pub(super) fn take(&self, bytes: &[u8]) -> io::Result<()> {
        let came = bytes.len() as u64;
        let mut seen = self.seen();
        let room = HEAD.saturating_sub(seen.head.len()).min(bytes.len());
        seen.head.extend_from_slice(&bytes[..room]);
        let before = self.0.left.load(Ordering::Acquire);
        self.0
            .left
            .store(before.saturating_sub(came), Ordering::Release);
        if came > before {
            seen.is_spent = true;
            return Err(io::Error::other(Spent));
        }
        Ok(())
    }

    pub(super) fn note(&self, error: &io::Error) {
        if let Some(cause) = tls::cause(error) {
            self.seen().tls = Some(io::Error::other(cause.clone()));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing in here can be left half done by a panic.
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
