//! Snapshots and the append-only file, as the server reports them.

use std::time::Duration;

use crate::model::{Bytes, UnixMs};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    /// The dataset is still being read from disk.
    pub is_loading: bool,
    pub loading_progress: Option<f64>,
    pub is_saving: bool,
    /// 0 to 1, while saving (7.0+).
    pub progress: Option<f64>,
    /// How long the running save takes so far.
    pub saving_for: Option<Duration>,
    /// The moment of the last successful save, on the server's clock; `None`: not since its start.
    pub last_save: Option<UnixMs>,
    pub last_status: Option<SaveStatus>,
    pub last_duration: Option<Duration>,
    pub changes_since_save: Option<u64>,
    pub last_cow: Option<Bytes>,
    pub last_fork: Option<Duration>,
    pub aof: Option<Aof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveStatus {
    Ok,
    Failed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aof {
    pub is_enabled: bool,
    pub is_rewriting: bool,
    pub last_rewrite: Option<SaveStatus>,
    pub last_write: Option<SaveStatus>,
    pub size: Option<Bytes>,
}

/// What speaks for and against a snapshot now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    pub notes: Vec<PreflightNote>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightNote {
    pub verdict: Verdict,
    /// `memory headroom`, `last fork`, …
    pub what: String,
    /// The finding with its numbers.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Good,
    /// Not known, with the reason in the words.
    Unknown,
    Caution,
    /// The server would refuse, or it must not be done.
    Stop,
}

impl Preflight {
    /// The worst of the notes.
    pub fn verdict(&self) -> Verdict {
        self.notes
            .iter()
            .map(|note| note.verdict)
            .max()
            .unwrap_or(Verdict::Unknown)
    }
}

/// Where a snapshot that somebody asked for stands.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotState {
    Idle,
    Running {
        progress: Option<f64>,
        elapsed: Option<Duration>,
    },
    /// The flag is back to 0, the status is ok and the save time has advanced.
    Done {
        at: UnixMs,
        took: Option<Duration>,
    },
    Failed {
        why: String,
    },
}
