//! How far a restore came, noted so that it can go on after a break.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Restore, RestoreReport};
use crate::snapshot::keeping::{IfThere, KeepError, Keeping};

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What was restored, to be told from another file under the same name.
    pub source: String,
    pub bytes: u64,
    pub began_ms: Option<i64>,
    pub target: String,
    pub pattern: Option<Vec<u8>>,
    pub conflict: String,
    /// So many blocks of items, or keys, were answered, in the order of the file.
    pub done: u64,
    pub restored: u64,
    pub existed: u64,
    pub expired: u64,
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    pub note: Note,
}

impl Journal {
    /// A journal for this restore; it goes on where the last one stopped when that is wanted.
    pub fn open(restore: &Restore, mut note: Note) -> Result<Self, String> {
        let path = restore.journal.clone();
        if restore.resumes {
            let found = path.as_deref().map(read).transpose()?.flatten();
            let found =
                found.ok_or("there is nothing to go on with: no restore of it broke off")?;
            note = take_over(note, &found)?;
        }
        Ok(Self { path, note })
    }

    /// Notes how far it is.
    pub fn write(&mut self, done: u64, report: &RestoreReport) -> Result<(), KeepError> {
        self.note.done = done;
        self.note.restored = report.restored;
        self.note.existed = report.existed;
        self.note.expired = report.expired;
        self.note.failed = report.failed;
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut keeping = Keeping::create(path, IfThere::Replace)?;
        let text = serde_json::to_vec(&self.note).map_err(|error| keeping.failed(error.into()))?;
        keeping
            .write_all(&text)
            .map_err(|error| keeping.failed(error))?;
        keeping.finish()
    }

    /// It is all done.
    pub fn close(self) {
        if let Some(path) = self.path
            && let Err(error) = std::fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            // It would only offer to go on with what is done.
            tracing::warn!(%error, "a journal stays");
        }
    }
}

/// The note that is there, if any.
fn read(path: &Path) -> Result<Option<Note>, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| "the note of how far it came cannot be read".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("the note of how far it came: {error}")),
    }
}

/// Goes on where another one stopped, when it was about the same.
fn take_over(mut note: Note, found: &Note) -> Result<Note, String> {
    let same = (&note.source, note.bytes, note.began_ms, &note.target)
        == (&found.source, found.bytes, found.began_ms, &found.target)
        && (&note.pattern, &note.conflict) == (&found.pattern, &found.conflict);
    if !same {
        return Err(format!(
            "the restore that broke off was another one: of {} into {}, --conflict {}",
            found.source, found.target, found.conflict
        ));
    }
    note.done = found.done;
    (note.restored, note.existed) = (found.restored, found.existed);
    (note.expired, note.failed) = (found.expired, found.failed);
    Ok(note)
}

/// Which keys or items of the file were stored, by their places, one bit each.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    bits: Vec<u64>,
    pub many: u64,
}

impl Written {
    pub fn note(&mut self, place: u64) {
        let word = usize::try_from(place / 64).unwrap_or(usize::MAX - 1);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (place % 64);
        self.many += 1;
    }

    pub fn has(&self, place: u64) -> bool {
        let word = usize::try_from(place / 64).unwrap_or(usize::MAX);
        self.bits
            .get(word)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Conflict;

    fn note() -> Note {
        Note {
            source: "a.items".into(),
            bytes: 5,
            target: "local".into(),
            conflict: "skip".into(),
            ..Note::default()
        }
    }

    fn restore(path: &Path, resumes: bool) -> Restore {
        Restore {
            journal: Some(path.to_owned()),
            resumes,
            ..Restore::of("a.items".into(), Conflict::Skip)
        }
    }

    #[test]
    fn it_goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&restore(&path, false), note()).unwrap();
        let report = RestoreReport {
            restored: 7,
            ..RestoreReport::default()
        };
        journal.write(3, &report).unwrap();
        let again = Journal::open(&restore(&path, true), note()).unwrap();
        assert_eq!((again.note.done, again.note.restored), (3, 7));
        again.close();
        assert!(!path.exists());
        assert!(Journal::open(&restore(&path, true), note()).is_err());
    }

    #[test]
    fn another_restore_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&restore(&path, false), note()).unwrap();
        journal.write(3, &RestoreReport::default()).unwrap();
        let other = Note { bytes: 6, ..note() };
        let refused = Journal::open(&restore(&path, true), other).unwrap_err();
        assert!(refused.contains("was another one"), "{refused}");
        std::fs::write(&path, "{").unwrap();
        assert!(Journal::open(&restore(&path, true), note()).is_err());
    }
}
