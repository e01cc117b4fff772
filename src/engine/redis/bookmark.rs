//! Where the last window of a value ended, so that paging on does not start over.
//!
//! Hashes, sets and streams are read by cursor; the way to a window deep inside leads over
//! everything before it. Whoever pages forward finds the mark of the page before.

use std::sync::{Mutex, PoisonError};

use crate::model::Key;

#[derive(Debug, Default)]
pub struct Bookmarks(Mutex<Option<Mark>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    key: Key,
    command: &'static str,
    spot: Spot,
}

/// A place inside a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Elements before this place.
    pub passed: u64,
    /// The server's cursor, or the id of the entry before this place.
    pub cursor: Vec<u8>,
}

impl Bookmarks {
    /// The marked place, when it lies on the way to element `from`.
    pub fn before(&self, key: &Key, command: &'static str, from: u64) -> Option<Spot> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|mark| mark.key == *key && mark.command == command && mark.spot.passed <= from)
            .map(|mark| mark.spot.clone())
    }

    pub fn put(&self, key: &Key, command: &'static str, spot: Spot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Mark {
            key: key.clone(),
            command,
            spot,
        });
    }
}
