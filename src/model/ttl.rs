//! Time to live: what it is, how people write it, how it is shown.

use std::time::Duration;

use crate::model::UnixMs;

/// How long a key still lives.
///
/// Kept as the moment of expiry on *our* clock (the time left as the server said it, added to the
/// moment of the answer), so that a countdown needs no further question and no clock agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ttl {
    /// It lives until it is deleted or evicted.
    None,
    /// It expires at this moment of our clock.
    Until(UnixMs),
    /// The server would not say.
    Unknown,
}

impl Ttl {
    /// The time left at `now`; zero when it is over; `None` when there is no end, or none known.
    pub fn left(self, now: UnixMs) -> Option<Duration> {
        match self {
            Self::Until(end) => Some(end.since(now).unwrap_or_default()),
            Self::None | Self::Unknown => None,
        }
    }
}

/// What a person wants a TTL to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlWish {
    /// This long from the moment the server is told.
    In(Duration),
    /// At this moment.
    At(UnixMs),
    /// Never: remove the TTL.
    Never,
}
