//! Bringing a snapshot file back into a server: what to bring, how far it is, how it went.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Bytes, Key, Pace};

/// A wish to restore. The file is opened by the engine of the server that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    pub source: PathBuf,
    /// A glob; only keys that match it are brought back.
    pub pattern: Option<Vec<u8>>,
    /// The database of the file; the only one, or the first, where none is named.
    pub from_database: Option<u32>,
    /// Hand values to the server as they stand in the file. Without it they are read and built anew by
    /// plain commands, which the server checks itself.
    pub trusts_payload: bool,
    /// Its libraries of functions as well.
    pub functions: bool,
    pub conflict: Conflict,
    pub verify: Verify,
    pub pace: Pace,
    /// Where to note how far it came, so that it can go on after a break.
    pub journal: Option<PathBuf>,
    /// Go on where the journal says.
    pub resumes: bool,
}

/// What to do about a key that the server has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// Leave the server's.
    #[default]
    Skip,
    Replace,
    /// Restore nothing when there is any.
    Fail,
}

/// What to read back afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    #[default]
    Sample,
    All,
    None,
}

/// How far a long change is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeProgress {
    pub phase: ChangePhase,
    pub done: u64,
    pub of: Option<u64>,
    pub bytes: Bytes,
    pub elapsed: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangePhase {
    /// The file is read and checked, or the server is asked what it has.
    #[default]
    Checking,
    Writing,
    Verifying,
}

/// How a restore went. Everything that was in the file and matched is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Keys of the file that match.
    pub matched: u64,
    pub restored: u64,
    /// Bytes of their values.
    pub bytes: Bytes,
    /// The server had them already, and they were left as they are.
    pub existed: u64,
    /// Their time was over.
    pub expired: u64,
    /// Not stored, for a reason that the first few say.
    pub failed: u64,
    pub failures: Vec<(Key, String)>,
    /// Done by an earlier run that was broken off.
    pub earlier: u64,
    pub verified: Option<Verified>,
    /// What the person should know, in words.
    pub notes: Vec<String>,
    pub took: Duration,
}

/// What came of reading back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub read: u64,
    /// Not there any more: expired, evicted or deleted meanwhile.
    pub gone: u64,
    /// Not what was stored.
    pub differ: u64,
    /// The first few of them.
    pub different: Vec<Key>,
    /// Values of modules that were saved in another way, and may be the same all the same.
    pub unclear: u64,
}

impl Restore {
    pub fn of(source: PathBuf, conflict: Conflict) -> Self {
        Self {
            source,
            pattern: None,
            from_database: None,
            trusts_payload: false,
            functions: false,
            conflict,
            verify: Verify::default(),
            pace: Pace::default(),
            journal: None,
            resumes: false,
        }
    }
}

impl Conflict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::Fail => "fail",
        }
    }
}

impl ChangePhase {
    pub fn word(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Writing => "restoring",
            Self::Verifying => "reading back",
        }
    }
}

impl RestoreReport {
    /// Failures that are named; more are counted.
    pub const NAMED: usize = 100;

    pub fn fail(&mut self, key: &[u8], why: impl Into<String>) {
        self.failed += 1;
        if self.failures.len() < Self::NAMED {
            self.failures.push((Key::new(key), why.into()));
        }
    }
}
