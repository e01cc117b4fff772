//! The report: everything that an analysis says, as plain values that both faces show.

use std::time::Duration;

use crate::model::{Account, Bytes, Coverage, Key, Lack, Ttl, UnixMs, WalkCost};

/// What a keyspace consists of, as far as it was covered.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub via: Via,
    pub at: UnixMs,
    pub keys: Figure,
    /// `None` where no sizes were told.
    pub bytes: Option<Figure>,
    /// The most keys first.
    pub types: Vec<TypeRow>,
    pub encodings: Vec<EncodingRow>,
    /// Of the sizes of keys in bytes.
    pub sizes: Option<Spread>,
    pub ttl: TtlReport,
    pub usage: Option<UsageReport>,
    /// At every depth, the root not among them; parents before their children, large ones first.
    pub prefixes: Vec<PrefixRow>,
    /// What the prefix table could not hold one by one; `None` when it holds everything exactly.
    pub prefix_error: Option<PrefixError>,
    pub biggest: Vec<TopKey>,
    /// By elements.
    pub longest: Vec<TopKey>,
    /// By bytes that were not used for long: size times idle time.
    pub idlest: Vec<TopKey>,
    pub coverage: Coverage,
    pub cost: WalkCost,
    pub lacks: Vec<Lack>,
    /// What the server counts by itself.
    pub account: Option<Account>,
}

/// Where the report comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Scan,
    /// From a snapshot: all keys, of one moment.
    Rdb,
    /// From random places of the keyspace: every figure has an interval.
    Sample,
    /// From the server's own counts alone: no key was asked about.
    Stats,
}

/// A count or an amount. Exact, or an estimate with the interval that holds the truth in 95 of 100
/// cases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    pub value: u64,
    /// From, to; `None` when `value` is exact.
    pub interval: Option<(u64, u64)>,
}

impl Figure {
    pub const fn exact(value: u64) -> Self {
        Self {
            value,
            interval: None,
        }
    }

    pub fn is_exact(self) -> bool {
        self.interval.is_none()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct TypeRow {
    /// The server's word, safe to show; `unknown` where it would not tell.
    pub kind: String,
    pub keys: Figure,
    pub bytes: Option<Figure>,
    /// Elements of all keys of this type, where lengths were told.
    pub elements: Option<Figure>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EncodingRow {
    pub kind: String,
    pub encoding: String,
    pub keys: Figure,
    pub bytes: Option<Figure>,
}

/// How a quantity spreads over keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// Buckets with doubling borders, without the empty ones at both ends.
    pub buckets: Vec<Bucket>,
    /// Off by at most `QUANTILE_ERROR`.
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub most: u64,
}

/// Quantiles come from logarithmic classes; they are off by at most this part of their value.
pub const QUANTILE_ERROR: f64 = 0.016;

/// Keys whose quantity is above the border of the bucket before, and at most `up_to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// `None`: without end.
    pub up_to: Option<u64>,
    pub keys: Figure,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TtlReport {
    pub without: Figure,
    pub with: Figure,
    /// Keys of which it was not told.
    pub unknown: u64,
    /// Of the keys with a TTL, by the seconds left: up to a minute, ten minutes, an hour and so on.
    pub buckets: Vec<Bucket>,
    pub within_1min: Figure,
    pub within_10min: Figure,
    pub within_1h: Figure,
    /// Moments at which unusually many keys expire, the most first.
    pub cliffs: Vec<Cliff>,
}

/// Many keys that expire in a short span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cliff {
    pub at: UnixMs,
    pub span: Duration,
    pub keys: Figure,
    /// How many times more than the same span has on average.
    pub times_average: f64,
}

/// How long keys were not used, or how often they are.
#[derive(Clone, Debug, PartialEq)]
pub enum UsageReport {
    /// Seconds since the last access.
    Idle(Spread),
    /// The access counter of an LFU policy (0 to 255, logarithmic).
    Frequency(Spread),
}

/// Keys that begin alike. Segments that are ids are one: `user:*:profile`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrefixRow {
    /// The pattern, safe to show, with its delimiter where something follows.
    pub prefix: String,
    /// 1 for the first segment.
    pub depth: u32,
    /// Whether some key ends here.
    pub is_leaf: bool,
    pub keys: Figure,
    pub bytes: Option<Figure>,
    pub without_ttl: Figure,
    /// Median of the seconds left, of the keys with a TTL.
    pub ttl_p50_s: Option<u64>,
    /// From the soonest to the latest, in seconds.
    pub ttl_range_s: Option<(u64, u64)>,
    /// Keys not used for longer than [`IDLE_AFTER`].
    pub idle: Option<Figure>,
}

/// A key not used for so long counts as idle.
pub const IDLE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What estimated prefix figures may be off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError {
    /// No row is off by more keys than this.
    pub keys: u64,
    pub bytes: u64,
    /// Prefixes that were folded into others when the memory for them was full.
    pub folded: u64,
}

/// One key of a top list.
#[derive(Clone, Debug, PartialEq)]
pub struct TopKey {
    pub key: Key,
    /// The server's word, safe to show; `None` where it would not tell.
    pub kind: Option<String>,
    pub size: Option<Bytes>,
    pub elements: Option<u64>,
    pub idle: Option<Duration>,
    pub ttl: Ttl,
}
