//! What is remembered of a snapshot.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Bytes, Persistence, SnapshotState, UnixMs};

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRecord {
    pub kind: RecordKind,
    /// When it was whole, had failed, or was asked for. For snapshots on the server's disk by the server's clock.
    pub at: UnixMs,
    pub took: Option<Duration>,
    /// Keys in all databases at that time.
    pub keys: Option<u64>,
    /// The file that came of it, where it is in reach.
    pub size: Option<Bytes>,
    /// What had to be copied because it was written meanwhile.
    pub copied: Option<Bytes>,
    /// Who asked for it, as `user@host`; `None`: somebody else, or the server by itself.
    pub by: Option<String>,
    pub end: RecordEnd,
    /// Where we put it, if we did, safe to show.
    pub file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordEnd {
    /// Accepted by the server, and nobody saw yet what became of it.
    Asked,
    Good,
    /// With the reason, safe to show.
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// On the server's disk.
    Snapshot,
    /// The append-only file, written anew.
    Rewrite,
    /// A copy that we fetched.
    Fetch,
}

impl RecordKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Rewrite => "AOF rewrite",
            Self::Fetch => "fetch",
        }
    }
}

impl SnapshotRecord {
    /// A snapshot that the server reports and nobody wrote down: somebody else's.
    pub fn observed(persistence: &Persistence, keys: Option<u64>) -> Option<Self> {
        Some(Self {
            kind: RecordKind::Snapshot,
            at: persistence.last_save?,
            took: persistence.last_duration,
            keys,
            size: None,
            copied: persistence.last_cow,
            by: None,
            end: RecordEnd::Good,
            file: None,
        })
    }

    /// Something that the server has accepted at this moment.
    pub fn asked(kind: RecordKind, at: UnixMs, by: String) -> Self {
        Self {
            kind,
            at,
            took: None,
            keys: None,
            size: None,
            copied: None,
            by: Some(by),
            end: RecordEnd::Asked,
            file: None,
        }
    }

    /// Something that ended as this state says; `None` while it has not.
    pub fn ended(
        kind: RecordKind,
        state: &SnapshotState,
        seen: UnixMs,
        persistence: &Persistence,
        keys: Option<u64>,
    ) -> Option<Self> {
        let (at, took, end) = match state {
            SnapshotState::Done { at, took } => (*at, *took, RecordEnd::Good),
            SnapshotState::Failed { why } => (seen, None, RecordEnd::Failed(why.clone())),
            _ => return None,
        };
        let is_snapshot = kind == RecordKind::Snapshot && end == RecordEnd::Good;
        Some(Self {
            kind,
            at,
            took,
            keys,
            size: None,
            copied: persistence.last_cow.filter(|_| is_snapshot),
            by: None,
            end,
            file: None,
        })
    }

    /// Whether both tell of the same snapshot on the server's disk.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_save = |one: &Self| one.kind == RecordKind::Snapshot && one.end == RecordEnd::Good;
        is_save(self) && is_save(other) && self.at == other.at
    }

    /// Whether this tells what became of the other, which was only asked for. The server's clock has
    /// whole seconds.
    pub fn settles(&self, other: &Self) -> bool {
        other.end == RecordEnd::Asked
            && self.end != RecordEnd::Asked
            && self.kind == other.kind
            && self.at.0 >= other.at.0 - 1000
    }
}
