//! Follows a rewrite of the append-only file.

use crate::model::{Persistence, SaveStatus, SnapshotState, UnixMs};

/// Follows a rewrite that was asked for, reading by reading, until it is decided.
///
/// The server tells a flag, the status of the last one, how long that took and (from 7.0 on) how many
/// were begun. Success is claimed when a rewrite was seen or counted and the status is good.
#[derive(Clone, Debug, PartialEq)]
pub struct RewriteWatch {
    before: Persistence,
    was_running: bool,
    /// Readings without a trace. The first may be from before it was asked for.
    traceless: u32,
}

impl RewriteWatch {
    /// Starts from the reading before the rewrite was asked for.
    pub fn begin(before: &Persistence) -> Self {
        Self {
            before: before.clone(),
            was_running: false,
            traceless: 0,
        }
    }

    /// Where the rewrite stands by the next reading, which was taken at `at`.
    pub fn state(&mut self, now: &Persistence, at: UnixMs) -> SnapshotState {
        let Some(aof) = &now.aof else {
            let why = "the server says nothing of its append-only file".to_owned();
            return SnapshotState::Failed { why };
        };
        if aof.is_rewriting {
            self.was_running = true;
            return SnapshotState::Running {
                progress: now.progress,
                elapsed: aof.rewriting_for,
                copied: now.copied,
            };
        }
        if aof.is_scheduled {
            return SnapshotState::Scheduled;
        }
        let before = self.before.aof.as_ref();
        // One that was running already is seen to its end as well.
        self.was_running |= before.is_some_and(|aof| aof.is_rewriting);
        let counted = before.and_then(|aof| aof.rewrites).zip(aof.rewrites);
        self.was_running |= counted.is_some_and(|(before, now)| now > before);
        let is_new = before.is_some_and(|before| {
            before.last_rewrite != aof.last_rewrite
                || before.last_rewrite_took != aof.last_rewrite_took
        });
        match aof.last_rewrite {
            Some(SaveStatus::Ok) if self.was_running || is_new => SnapshotState::Done {
                at,
                took: aof.last_rewrite_took,
            },
            Some(SaveStatus::Failed) if self.was_running || is_new => SnapshotState::Failed {
                why: "the server reports that the rewrite failed; its log says why".to_owned(),
            },
            _ if self.was_running || self.traceless > 0 => SnapshotState::Failed {
                why: "the server shows no trace of a rewrite that ended well".to_owned(),
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
    use std::time::Duration;

    use super::*;
    use crate::model::Aof;

    const AT: UnixMs = UnixMs(7);

    fn reading(is_rewriting: bool, status: SaveStatus, rewrites: Option<u64>) -> Persistence {
        Persistence {
            aof: Some(Aof {
                is_enabled: true,
                is_rewriting,
                last_rewrite: Some(status),
                rewrites,
                ..Aof::default()
            }),
            ..Persistence::default()
        }
    }

    fn follow(before: &Persistence, readings: &[Persistence]) -> Vec<&'static str> {
        let mut watch = RewriteWatch::begin(before);
        let words = |state| match state {
            SnapshotState::Idle => "idle",
            SnapshotState::Scheduled => "scheduled",
            SnapshotState::Running { .. } => "running",
            SnapshotState::Done { .. } => "done",
            SnapshotState::Failed { .. } => "failed",
        };
        readings
            .iter()
            .map(|reading| words(watch.state(reading, AT)))
            .collect()
    }

    use SaveStatus::{Failed, Ok};

    #[test]
    fn a_rewrite_is_done_when_it_was_seen_and_its_status_is_good() {
        let before = reading(false, Ok, None);
        let readings = [reading(true, Ok, None), reading(false, Ok, None)];
        assert_eq!(follow(&before, &readings), ["running", "done"]);
        let readings = [reading(true, Ok, None), reading(false, Failed, None)];
        assert_eq!(follow(&before, &readings), ["running", "failed"]);
    }

    #[test]
    fn one_that_others_began_is_followed_too() {
        let before = reading(true, Ok, None);
        assert_eq!(follow(&before, &[reading(false, Ok, None)]), ["done"]);
    }

    #[test]
    fn one_too_quick_to_be_seen_is_counted() {
        let before = reading(false, Ok, Some(3));
        let readings = [reading(false, Ok, Some(3)), reading(false, Ok, Some(4))];
        assert_eq!(follow(&before, &readings), ["running", "done"]);
        let again = reading(false, Failed, Some(3));
        assert_eq!(
            follow(&again, &[reading(false, Failed, Some(4))]),
            ["failed"]
        );
    }

    #[test]
    fn one_that_waits_for_a_save_is_scheduled() {
        let mut waiting = reading(false, Ok, Some(3));
        waiting.aof.as_mut().unwrap().is_scheduled = true;
        let readings = [
            waiting,
            reading(true, Ok, Some(4)),
            reading(false, Ok, Some(4)),
        ];
        let states = follow(&reading(false, Ok, Some(3)), &readings);
        assert_eq!(states, ["scheduled", "running", "done"]);
    }

    #[test]
    fn no_trace_of_a_rewrite_is_no_success() {
        let same = reading(false, Ok, None);
        assert_eq!(
            follow(&same, &[same.clone(), same.clone()]),
            ["running", "failed"]
        );
        let mut first = same.clone();
        first.aof.as_mut().unwrap().last_rewrite_took = Some(Duration::ZERO);
        assert_eq!(follow(&same, &[first]), ["done"]);
    }
}
