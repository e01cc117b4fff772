//! A copy of all that a server holds: what it is asked with, where it comes from, how far it is.

use std::time::Duration;

use crate::model::Bytes;

/// How to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchAsk {
    /// A server that says nothing at all for so long has stalled. Default 60 s, as replicas wait.
    pub stall: Duration,
}

impl Default for FetchAsk {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(60),
        }
    }
}

/// Which state of the data it is. What the server does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchOrigin {
    pub replication_id: Option<String>,
    pub offset: Option<u64>,
    /// `None` before the first byte has come.
    pub way: Option<FetchWay>,
    /// How long the transfer is; a server that sends while it writes does not know it.
    pub size: Option<Bytes>,
    /// The server knows that nobody wants what is written meanwhile, and keeps none of it for us.
    pub is_snapshot_only: bool,
}

/// How the data comes to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchWay {
    /// Written to the server's disk first.
    Disk,
    /// Sent while it is written.
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchPhase {
    /// The server was asked and has not begun.
    Waiting,
    /// The server writes the snapshot to its disk.
    Writing,
    Receiving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress {
    pub phase: FetchPhase,
    pub received: Bytes,
    pub size: Option<Bytes>,
}
