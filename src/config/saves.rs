//! The history of snapshots, in the state directory: a line each, for all targets.
//!
//! Two programs may write at once, so a line is one write to a file that only grows, under a lock. From
//! time to time it is replaced by one with its latest lines alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::{ConfigError, private_dir};
use crate::model::{Bytes, RecordEnd, RecordKind, SnapshotRecord, UnixMs};
use crate::text;

/// Lines kept when the file is replaced, which happens at twice as many.
const KEPT: usize = 1000;
/// A larger file is not ours.
const LARGEST: u64 = 16 << 20;

/// The file with the history.
#[derive(Clone, Debug)]
pub struct Saves {
    path: PathBuf,
}

/// A line of the file.
#[derive(Clone, Serialize, Deserialize)]
struct Line {
    target: String,
    kind: RecordKind,
    at_ms: i64,
    took_ms: Option<u64>,
    keys: Option<u64>,
    size_bytes: Option<u64>,
    copied_bytes: Option<u64>,
    by: Option<String>,
    end: RecordEnd,
    file: Option<String>,
}

impl Saves {
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join("snapshots.jsonl"),
        }
    }

    /// What is remembered of a target, oldest first. A line that cannot be read is left out.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn load(&self, target: &str) -> Result<Vec<SnapshotRecord>, ConfigError> {
        let lines = self.lines().map_err(|error| self.failed(&error))?;
        let ours = lines.into_iter().filter(|line| line.target == target);
        let all: Vec<SnapshotRecord> = ours.map(Line::record).collect();
        let is_settled = |place: usize| {
            let later = all.iter().skip(place + 1);
            later.clone().any(|record| record.settles(&all[place]))
        };
        let shown = (0..all.len()).filter(|place| !is_settled(*place));
        Ok(shown.map(|place| all[place].clone()).collect())
    }

    /// Remembers one, unless it is remembered already; says whether it was new.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn keep(&self, target: &str, record: &SnapshotRecord) -> Result<bool, ConfigError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        private_dir(directory)?;
        self.append(directory, target, record)
            .map_err(|error| self.failed(&error))
    }

    fn append(
        &self,
        directory: &Path,
        target: &str,
        record: &SnapshotRecord,
    ) -> std::io::Result<bool> {
        let mut file = self.locked()?;
        let lines = self.lines()?;
        let ours = lines.iter().filter(|line| line.target == target);
        let known: Vec<SnapshotRecord> = ours.map(|line| line.clone().record()).collect();
        if known.iter().any(|one| one.is_same(record)) {
            return Ok(false);
        }
        let mut record = record.clone();
        if record.by.is_none() {
            // What was asked for here and ended later is no stranger's.
            let same = known.iter().rev().find(|one| one.kind == record.kind);
            let asked = same.filter(|one| record.settles(one));
            record.by = asked.and_then(|one| one.by.clone());
        }
        let new = Line::of(target, &record);
        if lines.len() >= 2 * KEPT {
            let latest = lines.iter().skip(lines.len() - KEPT).chain([&new]);
            let mut replaced = tempfile::NamedTempFile::new_in(directory)?;
            for line in latest {
                replaced.write_all(&line.bytes()?)?;
            }
            replaced.persist(&self.path).map_err(|error| error.error)?;
        } else {
            file.write_all(&new.bytes()?)?;
        }
        Ok(true)
    }

    /// The file, open for a line more, and nobody else's while it is held.
    fn locked(&self) -> std::io::Result<File> {
        loop {
            let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(no_follow)
                .open(&self.path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            // Whoever held it may have put another file in its place.
            let is_current = self
                .path
                .metadata()
                .is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
            if is_current {
                return Ok(file);
            }
        }
    }

    fn lines(&self) -> std::io::Result<Vec<Line>> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(LARGEST).read_to_end(&mut text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lines = text.split(|byte| *byte == b'\n');
        Ok(lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect())
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> ConfigError {
        ConfigError::State {
            directory: self.path.clone(),
            why: why.to_string(),
        }
    }
}

impl Line {
    fn of(target: &str, record: &SnapshotRecord) -> Self {
        let took = record.took.map(|took| took.as_millis());
        Self {
            target: target.to_owned(),
            kind: record.kind,
            at_ms: record.at.0,
            took_ms: took.map(|took| u64::try_from(took).unwrap_or(u64::MAX)),
            keys: record.keys,
            size_bytes: record.size.map(|size| size.0),
            copied_bytes: record.copied.map(|copied| copied.0),
            by: record.by.clone(),
            end: record.end.clone(),
            file: record.file.clone(),
        }
    }

    fn record(self) -> SnapshotRecord {
        // The file may have been edited: what is shown must be safe all the same.
        let shown = |words: String| text::escape(words.as_bytes());
        SnapshotRecord {
            kind: self.kind,
            at: UnixMs(self.at_ms),
            took: self.took_ms.map(Duration::from_millis),
            keys: self.keys,
            size: self.size_bytes.map(Bytes),
            copied: self.copied_bytes.map(Bytes),
            by: self.by.map(shown),
            end: match self.end {
                RecordEnd::Failed(why) => RecordEnd::Failed(shown(why)),
                end => end,
            },
            file: self.file.map(shown),
        }
    }

    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Who we are in the history: `user@host`.
pub fn who() -> String {
    let user = std::env::var("USER");
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    let host = system.nodename().to_bytes();
    text::escape(&[user.as_bytes(), b"@", host].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: i64, by: Option<&str>) -> SnapshotRecord {
        SnapshotRecord {
            kind: RecordKind::Snapshot,
            at: UnixMs(at),
            took: Some(Duration::from_millis(1500)),
            keys: Some(7),
            size: Some(Bytes(100)),
            copied: None,
            by: by.map(str::to_owned),
            end: RecordEnd::Good,
            file: None,
        }
    }

    #[test]
    fn what_is_kept_comes_back_for_its_target() {
        let directory = tempfile::tempdir().unwrap();
        let saves = Saves::in_directory(&directory.path().join("state"));
        assert_eq!(saves.load("a").unwrap(), []);
        assert!(saves.keep("a", &record(1, Some("me@here"))).unwrap());
        assert!(saves.keep("b", &record(1, None)).unwrap());
        assert!(saves.keep("a", &record(2, None)).unwrap());
        let expected = [record(1, Some("me@here")), record(2, None)];
        assert_eq!(saves.load("a").unwrap(), expected);
        let mode = saves.path.metadata().unwrap().mode();
        assert_eq!(format!("{:o}", mode & 0o777), "600");
    }

    #[test]
    fn the_same_snapshot_is_kept_once_whoever_saw_it_later() {
        let directory = tempfile::tempdir().unwrap();
        let saves = Saves::in_directory(directory.path());
        saves.keep("a", &record(1, Some("me@here"))).unwrap();
        assert!(!saves.keep("a", &record(1, None)).unwrap());
        let failed = SnapshotRecord {
            end: RecordEnd::Failed("no space".into()),
            ..record(1, None)
        };
        assert!(saves.keep("a", &failed).unwrap());
        assert_eq!(saves.load("a").unwrap().len(), 2);
    }

    #[test]
    fn what_was_asked_for_here_is_ours_when_it_turns_up() {
        let directory = tempfile::tempdir().unwrap();
        let saves = Saves::in_directory(directory.path());
        let asked =
            SnapshotRecord::asked(RecordKind::Snapshot, UnixMs(10_500), "me@here".to_owned());
        saves.keep("a", &asked).unwrap();
        assert_eq!(saves.load("a").unwrap(), [asked]);
        saves.keep("a", &record(12_000, None)).unwrap();
        saves.keep("a", &record(20_000, None)).unwrap();
        let expected = [record(12_000, Some("me@here")), record(20_000, None)];
        assert_eq!(saves.load("a").unwrap(), expected);
    }

    #[test]
    fn the_file_does_not_grow_for_ever_and_odd_lines_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let saves = Saves::in_directory(directory.path());
        let mut text = Vec::new();
        for at in 0..2 * KEPT {
            let at = i64::try_from(at).unwrap();
            text.extend(Line::of("a", &record(at, None)).bytes().unwrap());
        }
        text.extend(b"not json\n{\"target\":7}\n");
        std::fs::write(&saves.path, text).unwrap();
        assert_eq!(saves.load("a").unwrap().len(), 2 * KEPT);
        saves.keep("a", &record(-1, None)).unwrap();
        let kept = saves.load("a").unwrap();
        assert_eq!(kept.len(), KEPT + 1);
        assert_eq!(kept.last(), Some(&record(-1, None)));
    }

    #[test]
    fn who_we_are_has_a_user_and_a_host() {
        let who = who();
        let (user, host) = who.split_once('@').unwrap();
        assert!(!user.is_empty() && !host.is_empty(), "{who}");
    }
}
