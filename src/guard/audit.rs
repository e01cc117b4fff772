//! Who changed what, where and when: one JSON line per change, never a value.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use thiserror::Error;

use crate::model::{Change, Key, KeyOutcome, Outcome, SnapshotState, TtlWish, UnixMs};
use crate::text;

/// Keys named in one line; the rest is counted.
const KEYS_NAMED: usize = 100;

/// The audit file: append-only, readable by its owner alone.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
}

#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: std::io::Error,
}

/// A line that was opened before the change and is written after it.
#[derive(Debug)]
pub(super) struct Entry {
    file: File,
    path: PathBuf,
    target: String,
    change: Change,
    began: UnixMs,
}

impl Audit {
    /// The audit file in the state directory `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join("audit.jsonl"),
        }
    }

    /// The state directory.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file before anything is sent, so that a full or forbidden disk stops the change.
    pub(super) fn begin(&self, target: &str, change: &Change) -> Result<Entry, AuditError> {
        let open = || -> std::io::Result<File> {
            if let Some(directory) = self.path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(directory)?;
            }
            // A link planted in the directory must not lead the line elsewhere.
            let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(no_follow)
                .open(&self.path)
        };
        let file = open().map_err(|source| AuditError {
            path: self.path.clone(),
            source,
        })?;
        Ok(Entry {
            file,
            path: self.path.clone(),
            target: target.to_owned(),
            change: change.clone(),
            began: now(),
        })
    }
}

impl Entry {
    pub(super) fn finish(mut self, outcome: Result<&Outcome, &str>) -> Result<(), AuditError> {
        let mut line = self.record(outcome).to_string();
        line.push('\n');
        // One write, so that lines of two programs do not mix.
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|source| AuditError {
                path: self.path,
                source,
            })
    }

    fn record(&self, outcome: Result<&Outcome, &str>) -> serde_json::Value {
        let keys = self.change.keys();
        let named: Vec<String> = keys
            .iter()
            .take(KEYS_NAMED)
            .map(|key| text::escape_ascii(key.bytes()))
            .collect();
        json!({
            "at": stamp(self.began),
            "ended": stamp(now()),
            "user": user(),
            "sudo_user": std::env::var("SUDO_USER").ok(),
            "ssh": std::env::var("SSH_CONNECTION").ok(),
            "pid": std::process::id(),
            "target": self.target,
            "change": self.change.word(),
            "wish": wish(&self.change),
            "keys": keys.len(),
            "named": named,
            "result": result(outcome),
        })
    }
}

fn wish(change: &Change) -> Option<String> {
    match change {
        Change::SetTtl {
            wish: TtlWish::In(span),
            ..
        } => Some(format!("in {} ms", span.as_millis())),
        Change::SetTtl {
            wish: TtlWish::At(at),
            ..
        } => Some(format!("at {}", stamp(*at))),
        Change::SetTtl {
            wish: TtlWish::Never,
            ..
        }
        | Change::Delete { .. }
        | Change::Snapshot
        | Change::RewriteAof => None,
        Change::Restore(restore) => Some(format!(
            "from {}, {} what is there",
            text::escape_ascii(restore.source.as_os_str().as_encoded_bytes()),
            restore.conflict.word()
        )),
    }
}

fn result(outcome: Result<&Outcome, &str>) -> serde_json::Value {
    match outcome {
        Ok(Outcome::Keys(keys)) => {
            let (done, no_such_key, failed) = Outcome::Keys(keys.clone()).counts();
            json!({
                "done": done,
                "no_such_key": no_such_key,
                "failed": failed,
                "failures": failures(keys),
            })
        }
        Ok(Outcome::Snapshot(state)) => job("snapshot", state),
        Ok(Outcome::Rewrite(state)) => job("rewrite", state),
        // Nothing was begun: somebody else's was under way.
        Ok(Outcome::Attached) => json!({ "attached": true }),
        Ok(Outcome::Restored(report)) => json!({
            "restored": report.restored,
            "existed": report.existed,
            "expired": report.expired,
            "failed": report.failed,
            "bytes": report.bytes.0,
            "failures": report
                .failures
                .iter()
                .map(|(key, why)| json!({ "key": text::escape_ascii(key.bytes()), "why": why }))
                .collect::<Vec<_>>(),
        }),
        Err(why) => json!({ "error": why }),
    }
}

fn job(name: &str, state: &SnapshotState) -> serde_json::Value {
    match state {
        SnapshotState::Failed { why } => json!({ name: "failed", "error": why }),
        SnapshotState::Done { at, .. } => json!({ name: "written", "saved_at": stamp(*at) }),
        SnapshotState::Scheduled => json!({ name: "scheduled" }),
        // The server took the order. What became of it is not known here.
        SnapshotState::Idle | SnapshotState::Running { .. } => json!({ name: "accepted" }),
    }
}

fn failures(keys: &[(Key, KeyOutcome)]) -> Vec<serde_json::Value> {
    keys.iter()
        .filter_map(|(key, outcome)| match outcome {
            KeyOutcome::Failed(why) | KeyOutcome::Unknown(why) => {
                Some(json!({ "key": text::escape_ascii(key.bytes()), "why": why }))
            }
            KeyOutcome::Done | KeyOutcome::AlreadySo | KeyOutcome::NoSuchKey => None,
        })
        .take(KEYS_NAMED)
        .collect()
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

fn stamp(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
