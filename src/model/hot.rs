//! Hot keys: where they are known from, what is asked, what comes back.

use std::time::Duration;

use crate::model::{Bytes, Key, Pace};

/// Where hot keys are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotVia {
    /// The server tracks them itself (`HOTKEYS`, Redis 8.6).
    HotKeys,
    /// The access counters of an LFU policy, by a walk.
    Lfu,
    /// Keyspace notifications, where the server sends them.
    Notifications,
    /// Every command that the server carries out, for a short while.
    Monitor,
    /// Memcached's log of fetches.
    Watch,
}

impl HotVia {
    pub const fn word(self) -> &'static str {
        match self {
            Self::HotKeys => "hotkeys",
            Self::Lfu => "lfu",
            Self::Notifications => "notifications",
            Self::Monitor => "monitor",
            Self::Watch => "watch",
        }
    }

    /// What a key's count counts.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::HotKeys => "cpu_us",
            Self::Lfu => "frequency",
            Self::Notifications => "events",
            Self::Monitor => "commands",
            Self::Watch => "fetches",
        }
    }
}

#[derive(Clone, Debug)]
pub struct HotAsk {
    /// `None`: what disturbs this server the least.
    pub via: Option<HotVia>,
    /// How long to listen.
    pub window: Duration,
    /// How much to listen to at most.
    pub bytes: Bytes,
    pub top: usize,
    /// Of a walk.
    pub pace: Pace,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HotReport {
    pub via: HotVia,
    /// The hottest first.
    pub keys: Vec<HotKey>,
    /// Everything that was seen: fetches, commands, events; keys, where counters were read.
    pub seen: u64,
    /// What the server did not send since it came too fast; `None` where it does not count that.
    pub dropped: Option<u64>,
    /// The time that the counts are of; `None` where they have no beginning.
    pub window: Option<Duration>,
    /// No count is too low by more than this. More keys were seen than there was memory for.
    pub error: u64,
    pub ended: HotEnd,
    /// What the reader should know.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotEnd {
    /// The time was up, or everything was read.
    Done,
    /// So many bytes came before the time was up.
    Full,
    /// Somebody ended it.
    Stopped,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    pub key: Key,
    /// As it was seen; `None` where the key is on a list of another quantity alone.
    pub count: Option<u64>,
    /// With what the server dropped, when it dropped anything: an estimate.
    pub estimate: Option<u64>,
    pub hits: Option<u64>,
    pub misses: Option<u64>,
    /// Bytes on the network, or of the values.
    pub bytes: Option<u64>,
    /// Commands or kinds of events, the most first; safe to show.
    pub by: Vec<(String, u64)>,
    /// Addresses, the most first; safe to show.
    pub clients: Vec<(String, u64)>,
}
