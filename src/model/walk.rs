//! Walking a keyspace: what is asked, what one step brings, how much was covered, what it cost.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, Key, KeyKind, Ttl};

/// What to walk for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkAsk {
    /// A glob in the server's own syntax, applied by the server where it can.
    pub pattern: Option<Vec<u8>>,
    /// What to learn of each key beside its name.
    pub wants: Wants,
    /// Ask it of one key in so many, whole pages at a time, of all where there is none: pages are as good
    /// as chance, so a part tells of the whole.
    pub one_key_in: Option<NonZeroU32>,
    /// How gently to go.
    pub pace: Pace,
    /// Go on from here, if it is still the same run of the server.
    pub from: Option<WalkMark>,
}

/// A place in a walk that can be returned to later: everything before it was handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkMark {
    /// The server that knows the cursor. Cursors mean nothing to another process.
    pub run_id: String,
    /// Opaque.
    pub cursor: String,
    pub seen: u64,
    pub repeated: u64,
    pub gone: u64,
    pub restarts: u32,
}

/// What a walk is to tell of each key. A backend tells more where it comes for nothing.
#[expect(
    clippy::struct_excessive_bools,
    reason = "six questions that are asked or not, each on its own"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    pub kind: bool,
    pub ttl: bool,
    pub size: bool,
    /// The time since the last access, or the access counter under an LFU policy.
    pub usage: bool,
    pub encoding: bool,
    /// Elements of collections. Only asked where asking does not count as an access.
    pub length: bool,
}

impl Wants {
    pub const NAMES: Self = Self {
        kind: false,
        ttl: false,
        size: false,
        usage: false,
        encoding: false,
        length: false,
    };

    /// Type, TTL and size.
    pub const BASICS: Self = Self {
        kind: true,
        ttl: true,
        size: true,
        ..Self::NAMES
    };

    pub const ALL: Self = Self {
        usage: true,
        encoding: true,
        length: true,
        ..Self::BASICS
    };

    /// How many questions that is of each key; elements are asked of collections alone.
    pub fn questions(self) -> u64 {
        let asked = [
            self.kind || self.length,
            self.ttl,
            self.size,
            self.usage,
            self.encoding,
        ];
        asked.into_iter().map(u64::from).sum()
    }

    pub fn is_nothing(self) -> bool {
        self == Self::NAMES
    }
}

/// How much of the server a walk may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So much of one core's time, less while the server is busy: for what stays on in production.
    Budget(Share),
    /// Step after step without rest: for a command that somebody waits for.
    FullSpeed,
}

impl Default for Pace {
    fn default() -> Self {
        Self::Budget(Share::DEFAULT)
    }
}

/// A share of one core's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    per_mille: u16,
}

impl Share {
    /// 5 %.
    pub const DEFAULT: Self = Self { per_mille: 50 };

    /// From 0.1 % to 100 %; `None` outside.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    pub fn of_percent(percent: f64) -> Option<Self> {
        let per_mille = (percent * 10.0).round();
        (1.0..=1000.0).contains(&per_mille).then_some(Self {
            per_mille: per_mille as u16,
        })
    }

    /// Between 0 and 1.
    pub fn ratio(self) -> f64 {
        f64::from(self.per_mille) / 1000.0
    }
}

/// `5 %`, `0.5 %`
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.per_mille) / 10.0)
    }
}

/// One step of a walk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WalkPage {
    pub found: Vec<WalkKey>,
    pub coverage: Coverage,
    pub cost: WalkCost,
    /// What this server would not tell, with the reason; the walk goes on without it.
    pub lacks: Vec<Lack>,
    /// The walk had to begin anew with this page: what came before is of another run of the server.
    pub is_anew: bool,
    /// Where the walk can be gone on with after this page; `None` where it cannot.
    pub mark: Option<WalkMark>,
}

/// A key met on the walk. A key that was gone before it could be asked about is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkKey {
    pub key: Key,
    /// `None` where only the name was asked.
    pub told: Option<Told>,
}

/// What a walk told of a key. What was not asked, or not answered, is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub kind: Option<KeyKind>,
    pub ttl: Ttl,
    pub size: Option<Bytes>,
    /// Time since the last access.
    pub idle: Option<Duration>,
    /// Logarithmic access counter, kept under an LFU policy only.
    pub frequency: Option<u8>,
    pub encoding: Option<Encoding>,
    /// Elements of a collection.
    pub length: Option<u64>,
}

/// The server's internal form of a value, in its own word, safe to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Encoding(pub std::borrow::Cow<'static, str>);

/// Something that a walk was to ask for and does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// In the words of the report: `size`, `type`, `idle`.
    pub what: &'static str,
    pub why: String,
}

/// How much of the keyspace was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Keys that passed by, matching or not, each once (see `repeated`).
    pub seen: u64,
    /// Keys that the server said it has; `None` when it would not say.
    pub of: Option<u64>,
    /// `seen` counts matching keys only, since the server does the matching.
    pub is_filtered: bool,
    pub is_complete: bool,
    /// Found, counted, and not kept since the list was full.
    pub not_kept: u64,
    /// Memory of the data as the server counts it, keys and values together.
    pub dataset: Option<Bytes>,
    /// Keys that came a second time and were left out. Servers repeat some while their table shrinks.
    pub repeated: u64,
    /// Keys that were gone when they were asked about; not among `seen`.
    pub gone: u64,
    /// How often the walk had to begin anew.
    pub restarts: u32,
    /// The server waits for whoever walks: a reader that stops reading holds it up.
    pub holds_server: bool,
}

/// What a walk has cost so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WalkCost {
    /// Since the walk began, pauses of the user not counted.
    pub elapsed: Duration,
    /// Time that the server worked for us: the larger one of what replies took beyond the way there
    /// and back, and of what the server's own statistics say of our commands.
    pub server: Duration,
    /// Flights that were waited for.
    pub round_trips: u64,
    pub commands: u64,
    /// What our own questions added to the server's `keyspace_hits` and `keyspace_misses`.
    pub lookups: u64,
    /// Keys a second, lately; `None` in the beginning.
    pub keys_per_s: Option<f64>,
    /// The share of a core that the walk took lately (0 to 1).
    pub share: Option<f64>,
    /// Why the walk goes slower than it may.
    pub backs_off: Option<&'static str>,
}

impl WalkCost {
    /// The time left at the present speed.
    pub fn left(&self, coverage: &Coverage) -> Option<Duration> {
        let speed = self.keys_per_s.filter(|speed| *speed > 0.0)?;
        let left = coverage.of?.saturating_sub(coverage.seen);
        Duration::try_from_secs_f64(left as f64 / speed).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_within_its_limits() {
        for (percent, expected) in [
            (5.0, Some("5 %")),
            (0.5, Some("0.5 %")),
            (100.0, Some("100 %")),
            (0.04, None),
            (101.0, None),
            (f64::NAN, None),
        ] {
            let share = Share::of_percent(percent).map(|share| share.to_string());
            assert_eq!(share.as_deref(), expected, "{percent}");
        }
    }

    #[test]
    fn the_time_left_needs_a_speed_and_a_size() {
        let coverage = |of| Coverage {
            seen: 400,
            of,
            ..Coverage::default()
        };
        let cost = |keys_per_s| WalkCost {
            keys_per_s,
            ..WalkCost::default()
        };
        for (speed, of, expected) in [
            (Some(100.0), Some(1_000), Some(Duration::from_secs(6))),
            (Some(100.0), Some(300), Some(Duration::ZERO)),
            (Some(0.0), Some(1_000), None),
            (None, Some(1_000), None),
            (Some(1.0), None, None),
        ] {
            assert_eq!(cost(speed).left(&coverage(of)), expected);
        }
    }
}
