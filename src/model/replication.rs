//! Who copies from whom, and how far behind.

use std::time::Duration;

use crate::model::Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Replica,
    Sentinel,
    /// The engine knows no roles.
    Single,
    /// A snapshot file: nobody follows it, and it follows nobody.
    Snapshot,
    Unknown,
}

impl Role {
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Sentinel => "sentinel",
            Self::Single => "single",
            Self::Snapshot => "snapshot",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Replication {
    /// The primary's replication id; a failover changes it.
    pub id: Option<String>,
    /// The server's own offset in the replication stream.
    pub offset: Option<u64>,
    pub replicas: Vec<Replica>,
    /// The link upwards, when this server is a replica.
    pub link: Option<Link>,
    pub backlog: Option<Backlog>,
}

/// A replica as its primary sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// `host:port`
    pub address: String,
    /// `online`, `wait_bgsave`, …: the server's word.
    pub state: String,
    pub offset: Option<u64>,
    /// Bytes of the stream that it has not confirmed.
    pub lag_bytes: Option<Bytes>,
    /// Whole seconds since it last confirmed anything.
    pub since_ack: Option<Duration>,
}

/// The link of a replica to its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub primary: String,
    pub is_up: bool,
    pub down_for: Option<Duration>,
    pub last_io: Option<Duration>,
    /// A full copy is being received.
    pub is_syncing: bool,
    pub sync_left: Option<Bytes>,
    pub lag_bytes: Option<Bytes>,
    pub is_read_only: Option<bool>,
}

/// What the server keeps of the stream for replicas that come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub is_active: bool,
    pub size: Bytes,
    pub first_offset: Option<u64>,
    /// How much of it is filled.
    pub held: Option<Bytes>,
}
