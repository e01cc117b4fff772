//! Walking a keyspace: what is asked, what one step brings, how much was covered.

use crate::model::{Bytes, Key, KeyKind, Ttl};

/// What to walk for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkAsk {
    /// A glob in the server's own syntax, applied by the server where it can.
    pub pattern: Option<Vec<u8>>,
    /// How gently to go.
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Leave the server most of its time: for screens that stay open.
    #[default]
    Gentle,
    /// Step after step without rest: for a command that somebody waits for.
    Brisk,
}

/// One step of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkPage {
    pub found: Vec<WalkKey>,
    pub coverage: Coverage,
}

/// A key met on the walk, with what came for free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkKey {
    pub key: Key,
    /// Memcached's dump tells these in the same line; Redis would have to be asked.
    pub free: Option<(KeyKind, Ttl, Option<Bytes>)>,
}

/// How much of the keyspace was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Keys that passed by, matching or not. An element may pass twice (see SCAN's guarantees).
    pub seen: u64,
    /// Keys that the server said it has; `None` when it would not say.
    pub of: Option<u64>,
    /// `seen` counts matching keys only, since the server does the matching.
    pub is_filtered: bool,
    pub is_complete: bool,
    /// Found, counted, and not kept since the list was full.
    pub not_kept: u64,
    /// The server waits for whoever walks: a reader that stops reading holds it up.
    pub holds_server: bool,
}
