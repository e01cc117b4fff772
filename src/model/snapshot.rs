//! Snapshots and the append-only file, as the server reports them.

mod concern;
mod record;
mod rewrite;

use std::time::Duration;

use crate::model::{Bytes, UnixMs};

pub use concern::Concern;
pub use record::{RecordEnd, RecordKind, SnapshotRecord};
pub use rewrite::RewriteWatch;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    /// The dataset is still being read from disk.
    pub is_loading: bool,
    pub loading_progress: Option<f64>,
    pub is_saving: bool,
    /// 0 to 1, while saving or rewriting (6.2+).
    pub progress: Option<f64>,
    /// What had to be copied so far because it was written meanwhile (6.2+).
    pub copied: Option<Bytes>,
    /// How long the running save takes so far.
    pub saving_for: Option<Duration>,
    /// Snapshots that were begun since the server's start, whatever became of them (7.0+).
    pub begun: Option<u64>,
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
    /// It will be rewritten when a running save has ended.
    pub is_scheduled: bool,
    /// How long the running rewrite takes so far.
    pub rewriting_for: Option<Duration>,
    /// Rewrites that were begun since the server's start, whatever became of them (7.0+).
    pub rewrites: Option<u64>,
    pub last_rewrite: Option<SaveStatus>,
    pub last_rewrite_took: Option<Duration>,
    pub last_write: Option<SaveStatus>,
    pub size: Option<Bytes>,
}

/// A job for which a server makes a copy of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Writing a snapshot to the server's disk.
    Snapshot,
    RewriteAof,
    /// Sending a snapshot to us.
    Fetch,
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
    /// The server will begin when what it does now has ended.
    Scheduled,
    Running {
        progress: Option<f64>,
        elapsed: Option<Duration>,
        copied: Option<Bytes>,
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

impl SnapshotState {
    /// Accepted, and nothing more is known yet.
    pub const BEGUN: Self = Self::Running {
        progress: None,
        elapsed: None,
        copied: None,
    };

    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }

    /// How long it takes from here, as far as it went evenly so far.
    pub fn left(&self) -> Option<Duration> {
        let Self::Running {
            progress: Some(share),
            elapsed: Some(elapsed),
            ..
        } = self
        else {
            return None;
        };
        let is_telling = *share >= 0.02 && !elapsed.is_zero();
        is_telling.then(|| elapsed.mul_f64((1.0 - share) / share))
    }
}

/// Follows a snapshot that was asked for, reading by reading, until it is decided.
///
/// The server tells no story of its snapshots, only a flag, a status and a moment in whole seconds.
/// Success is claimed only when all three agree. How many were begun says nothing of success, only
/// that one was, however short it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotWatch {
    before: Option<UnixMs>,
    begun_before: Option<u64>,
    status_before: Option<SaveStatus>,
    was_running: bool,
    /// Readings without a trace of the snapshot. The first may be from before it was asked for.
    traceless: u32,
    /// How many of them are borne with.
    patience: u32,
    /// It was running already, and nobody said that it is a snapshot.
    is_foreign: bool,
}

/// After a rewrite of the append-only file the server begins a snapshot that waited for it at its next
/// round, or seconds later when the last one failed.
const SCHEDULED_PATIENCE: u32 = 30;

impl SnapshotWatch {
    /// Starts from the reading before the snapshot was asked for.
    pub fn begin(before: &Persistence) -> Self {
        Self {
            before: before.last_save,
            begun_before: before.begun,
            status_before: before.last_status,
            was_running: false,
            traceless: 0,
            patience: 1,
            is_foreign: false,
        }
    }

    /// Attaches to a snapshot that is being written already.
    pub fn attach(now: &Persistence) -> Self {
        Self {
            begun_before: None,
            was_running: true,
            is_foreign: true,
            ..Self::begin(now)
        }
    }

    /// Where the snapshot stands by the next reading. `Done` and `Failed` are final.
    pub fn state(&mut self, now: &Persistence) -> SnapshotState {
        if now.is_saving {
            self.was_running = true;
            return SnapshotState::Running {
                progress: now.progress,
                elapsed: now.saving_for,
                copied: now.copied,
            };
        }
        let rewrites = now.aof.as_ref().is_some_and(|aof| aof.is_rewriting);
        if rewrites && !self.was_running {
            self.patience = SCHEDULED_PATIENCE;
            return SnapshotState::Scheduled;
        }
        let begun = self.begun_before.zip(now.begun);
        self.was_running |= begun.is_some_and(|(before, now)| now > before);
        let has_failed = now.last_status == Some(SaveStatus::Failed);
        match now.last_save.filter(|saved| Some(*saved) > self.before) {
            Some(at) if !has_failed => SnapshotState::Done {
                at,
                took: now.last_duration,
            },
            _ if has_failed && (self.was_running || self.status_before != now.last_status) => {
                SnapshotState::Failed {
                    why: "the server reports that the save failed; its log says why".to_owned(),
                }
            }
            _ if self.was_running || self.traceless >= self.patience => SnapshotState::Failed {
                why: if self.is_foreign {
                    // The server tells both by the same flag.
                    "it ended without a new snapshot: it may have been a copy for a replica"
                } else {
                    "the save ended, but the server reports no new snapshot"
                }
                .to_owned(),
            },
            _ => {
                self.traceless += 1;
                SnapshotState::BEGUN
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading: is it saving, when was the last save, how did it end.
    fn reading(is_saving: bool, last_save: Option<i64>, status: SaveStatus) -> Persistence {
        Persistence {
            is_saving,
            last_save: last_save.map(UnixMs),
            last_status: Some(status),
            ..Persistence::default()
        }
    }

    /// Feeds readings to a watch and gives the words for the states.
    fn follow(before: &Persistence, readings: &[Persistence]) -> Vec<&'static str> {
        let mut watch = SnapshotWatch::begin(before);
        readings
            .iter()
            .map(|reading| match watch.state(reading) {
                SnapshotState::Idle => "idle",
                SnapshotState::Scheduled => "scheduled",
                SnapshotState::Running { .. } => "running",
                SnapshotState::Done { .. } => "done",
                SnapshotState::Failed { .. } => "failed",
            })
            .collect()
    }

    use SaveStatus::{Failed, Ok};

    #[test]
    fn a_save_is_done_when_its_moment_advanced() {
        let readings = [
            reading(true, Some(1000), Ok),
            reading(false, Some(2000), Ok),
        ];
        let states = follow(&reading(false, Some(1000), Ok), &readings);
        assert_eq!(states, ["running", "done"]);
    }

    #[test]
    fn the_first_save_since_the_start_is_an_advance() {
        let readings = [reading(false, Some(2000), Ok)];
        assert_eq!(follow(&reading(false, None, Ok), &readings), ["done"]);
    }

    #[test]
    fn a_save_too_quick_to_be_seen_running_is_done() {
        let readings = [reading(false, Some(2000), Ok)];
        assert_eq!(follow(&reading(false, Some(1000), Ok), &readings), ["done"]);
    }

    #[test]
    fn a_failed_save_is_not_done() {
        let readings = [
            reading(true, Some(1000), Ok),
            reading(false, Some(1000), Failed),
        ];
        let states = follow(&reading(false, Some(1000), Ok), &readings);
        assert_eq!(states, ["running", "failed"]);
    }

    #[test]
    fn a_save_that_was_killed_is_not_done() {
        let readings = [
            reading(true, Some(1000), Ok),
            reading(false, Some(1000), Ok),
        ];
        let states = follow(&reading(false, Some(1000), Ok), &readings);
        assert_eq!(states, ["running", "failed"]);
    }

    #[test]
    fn a_reading_from_before_the_request_decides_nothing() {
        let stale = reading(false, Some(1000), Failed);
        let readings = [
            stale.clone(),
            reading(true, Some(1000), Failed),
            reading(false, Some(2000), Ok),
        ];
        assert_eq!(follow(&stale, &readings), ["running", "running", "done"]);
    }

    #[test]
    fn a_save_that_failed_again_too_quickly_to_be_seen_is_not_done() {
        let with_begun = |begun| Persistence {
            begun: Some(begun),
            ..reading(false, Some(1000), Failed)
        };
        let states = follow(&with_begun(4), &[with_begun(4), with_begun(5)]);
        assert_eq!(states, ["running", "failed"]);
    }

    #[test]
    fn a_save_that_was_only_begun_is_not_done() {
        let with_begun = |begun| Persistence {
            begun: Some(begun),
            ..reading(false, Some(1000), Ok)
        };
        let states = follow(&with_begun(4), &[with_begun(4), with_begun(5)]);
        assert_eq!(states, ["running", "failed"]);
        assert_eq!(follow(&with_begun(4), &[with_begun(5)]), ["failed"]);
    }

    #[test]
    fn a_save_that_waits_for_a_rewrite_is_scheduled_and_then_decided() {
        let before = reading(false, Some(1000), Ok);
        let rewriting = Persistence {
            aof: Some(Aof {
                is_rewriting: true,
                ..Aof::default()
            }),
            ..before.clone()
        };
        let readings = [
            rewriting,
            before.clone(),
            before.clone(),
            reading(true, Some(1000), Ok),
            reading(false, Some(2000), Ok),
        ];
        assert_eq!(
            follow(&before, &readings),
            ["scheduled", "running", "running", "running", "done"]
        );
    }

    #[test]
    fn the_end_of_a_save_that_others_began_is_seen_too() {
        let mut watch = SnapshotWatch::attach(&reading(true, Some(1000), Ok));
        let state = watch.state(&reading(false, Some(2000), Ok));
        assert!(matches!(state, SnapshotState::Done { .. }));
        let mut watch = SnapshotWatch::attach(&reading(true, Some(1000), Ok));
        let state = watch.state(&reading(false, Some(1000), Ok));
        assert!(matches!(state, SnapshotState::Failed { .. }));
    }

    #[test]
    fn what_is_left_follows_from_how_far_it_is() {
        let running = |share, seconds| SnapshotState::Running {
            progress: Some(share),
            elapsed: Some(Duration::from_secs(seconds)),
            copied: None,
        };
        assert_eq!(running(0.25, 10).left(), Some(Duration::from_secs(30)));
        assert_eq!(running(0.001, 10).left(), None);
        assert_eq!(SnapshotState::BEGUN.left(), None);
    }

    #[test]
    fn no_trace_of_a_save_is_a_failure_in_the_end() {
        let same = reading(false, Some(1000), Ok);
        let readings = [same.clone(), same.clone()];
        assert_eq!(follow(&same, &readings), ["running", "failed"]);
    }
}
