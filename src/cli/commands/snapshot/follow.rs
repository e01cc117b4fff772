//! Following what a server writes in the background, and remembering how it ended.

use std::io::IsTerminal;
use std::time::Duration;

use crate::cli::commands::snapshot::status::persistence;
use crate::cli::{Call, Failure, Visit};
use crate::config::{Saves, who};
use crate::engine::Backend;
use crate::model::{
    Persistence, RecordKind, RewriteWatch, Sample, SnapshotRecord, SnapshotState, SnapshotWatch,
    units,
};

/// Time between two looks at what is being written.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is followed.
pub enum Watch {
    Snapshot(SnapshotWatch),
    Rewrite(Box<RewriteWatch>),
}

impl Watch {
    fn state(&mut self, now: &Persistence, sample: &Sample) -> SnapshotState {
        match self {
            Self::Snapshot(watch) => watch.state(now),
            Self::Rewrite(watch) => watch.state(now, sample.at),
        }
    }

    fn kind(&self) -> RecordKind {
        match self {
            Self::Snapshot(_) => RecordKind::Snapshot,
            Self::Rewrite(_) => RecordKind::Rewrite,
        }
    }
}

/// Looks again and again until it is decided, and writes the end into the history.
///
/// # Errors
/// When the server cannot be asked any more.
pub async fn follow(
    visit: &Visit,
    command: &str,
    mut watch: Watch,
    saves: Option<&Saves>,
) -> Result<SnapshotState, Failure> {
    let is_shown = std::io::stderr().is_terminal();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let sample = visit.server.sample().await.map_err(|fault| {
            Failure::of_server(command, &visit.target.name, &fault)
                .hint("it may go on; `snapshot status` tells")
        })?;
        let now = persistence(command, visit, &sample)?;
        let state = watch.state(&now, &sample);
        if is_shown {
            eprint!("\r\x1b[K");
        }
        if state.is_decided() {
            let keys = sample.keys();
            let ended = SnapshotRecord::ended(watch.kind(), &state, sample.at, &now, keys);
            if let (Some(mut record), Some(saves)) = (ended, saves) {
                if matches!(state, SnapshotState::Done { .. })
                    && record.kind == RecordKind::Snapshot
                {
                    // Only where the server's disk is ours, too; its size is no reason to fail.
                    record.size = visit.server.snapshot_size().await.ok().flatten();
                }
                keep(saves, visit, &record);
            }
            return Ok(state);
        }
        if is_shown {
            eprint!("{}", words(&state));
        }
    }
}

/// `being written, 42 %, for 3s, 4s left, 1.20 MiB copied`
pub fn words(state: &SnapshotState) -> String {
    let SnapshotState::Running {
        progress,
        elapsed,
        copied,
    } = state
    else {
        return "waits for what the server does now".to_owned();
    };
    let parts = [
        Some("being written".to_owned()),
        progress.map(units::percent),
        elapsed.map(|span| format!("for {}", units::span(span))),
        state
            .left()
            .map(|left| format!("{} left", units::span(left))),
        copied.map(|bytes| format!("{bytes} copied")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// The history, where there can be one.
pub fn saves(call: &Call) -> Option<Saves> {
    match call.audit() {
        Ok(audit) => Some(Saves::in_directory(audit.directory())),
        Err(failure) => {
            eprintln!("warning: nothing is remembered: {}", failure.error);
            None
        }
    }
}

/// Remembers that we asked, so that the end is known to be ours whoever sees it.
pub fn asked(saves: Option<&Saves>, visit: &Visit, kind: RecordKind) {
    if let Some(saves) = saves {
        let record = SnapshotRecord::asked(kind, crate::cli::call::now(), who());
        keep(saves, visit, &record);
    }
}

/// Remembers a snapshot that the server reports and nobody has written down yet.
pub fn observe(saves: Option<&Saves>, visit: &Visit, sample: &Sample) {
    let seen = sample.persistence.as_ref();
    let record = seen.and_then(|all| SnapshotRecord::observed(all, sample.keys()));
    if let (Some(saves), Some(record)) = (saves, record) {
        keep(saves, visit, &record);
    }
}

pub fn keep(saves: &Saves, visit: &Visit, record: &SnapshotRecord) {
    // What happened has happened: a history that cannot be written is told, and fails nothing.
    if let Err(error) = saves.keep(&visit.target.name, record) {
        eprintln!("warning: the history is not kept: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bytes;

    #[test]
    fn the_line_says_how_far_how_long_and_at_what_cost() {
        let state = SnapshotState::Running {
            progress: Some(0.25),
            elapsed: Some(Duration::from_secs(10)),
            copied: Some(Bytes(1 << 20)),
        };
        assert_eq!(
            words(&state),
            "being written, 25.0 %, for 10s, 30s left, 1.00 MiB copied"
        );
        assert_eq!(words(&SnapshotState::BEGUN), "being written");
    }
}
