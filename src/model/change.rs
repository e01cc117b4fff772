//! What may be done to a cache, and how it went.

use crate::model::{Key, Restore, RestoreReport, SnapshotState, TtlWish};

/// A wish to change a server. Having one changes nothing: it becomes a plan and a permit first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    SetTtl {
        keys: Vec<Key>,
        wish: TtlWish,
    },
    Delete {
        keys: Vec<Key>,
    },
    /// Write a snapshot in the background.
    Snapshot,
    /// Bring back what a snapshot file holds.
    Restore(Box<Restore>),
    /// Write the append-only file anew in the background.
    RewriteAof,
}

impl Change {
    /// The keys it concerns; none for what concerns the server.
    pub fn keys(&self) -> &[Key] {
        match self {
            Self::SetTtl { keys, .. } | Self::Delete { keys } => keys,
            Self::Snapshot | Self::RewriteAof | Self::Restore(_) => &[],
        }
    }

    /// One word for logs and the audit file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SetTtl {
                wish: TtlWish::Never,
                ..
            } => "persist",
            Self::SetTtl { .. } => "expire",
            Self::Delete { .. } => "delete",
            Self::Snapshot => "snapshot",
            Self::Restore(_) => "restore",
            Self::RewriteAof => "rewrite-aof",
        }
    }
}

/// What the server would be told, in the backend's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The exact commands, escaped for reading; a few of them when there are many.
    pub commands: Vec<String>,
    /// How many there are in all.
    pub of: usize,
    /// What it costs the server, in words.
    pub cost: String,
    /// How to take it back; `None` when it cannot be.
    pub undo: Option<String>,
    /// What the person should know before saying yes.
    pub cautions: Vec<String>,
    /// Why it must not be done; any entry refuses the plan.
    pub stops: Vec<String>,
}

/// How a change went.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Keys(Vec<(Key, KeyOutcome)>),
    /// The snapshot was accepted; follow its state.
    Snapshot(SnapshotState),
    Restored(Box<RestoreReport>),
    /// Somebody else's snapshot was being written already: nothing was begun, that one can be followed.
    Attached,
    /// The rewrite of the append-only file was accepted; follow its state.
    Rewrite(SnapshotState),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    Done,
    /// There was no such key (any more).
    NoSuchKey,
    /// It was already so: a key without TTL was asked to lose its TTL.
    AlreadySo,
    Failed(String),
    /// The command was sent and no answer came back: it may or may not have happened.
    Unknown(String),
}

impl Outcome {
    /// Counts of (done or already so, no such key, failed or unknown).
    pub fn counts(&self) -> (usize, usize, usize) {
        let keys = match self {
            Self::Keys(keys) => keys,
            Self::Snapshot(_) | Self::Rewrite(_) | Self::Attached => return (1, 0, 0),
            Self::Restored(report) => {
                let count = |many| usize::try_from(many).unwrap_or(usize::MAX);
                return (count(report.restored), 0, count(report.failed));
            }
        };
        keys.iter().fold(
            (0, 0, 0),
            |(done, gone, failed), (_, outcome)| match outcome {
                KeyOutcome::Done | KeyOutcome::AlreadySo => (done + 1, gone, failed),
                KeyOutcome::NoSuchKey => (done, gone + 1, failed),
                KeyOutcome::Failed(_) | KeyOutcome::Unknown(_) => (done, gone, failed + 1),
            },
        )
    }
}
