//! The file that is restored: opened, checked as a whole, and handed on block by block.

use std::fs::File;
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use crate::engine::memcached::batch::{Batch, Dialect, Storing};
use crate::engine::memcached::restore::{Fate, LOOKED_AT, Shift, Target, shown, takes};
use crate::model::Glob;
use crate::model::{Conflict, Key, Restore, units};
use crate::snapshot::items::{Block, Header, Item, Reader};

/// Blocks that wait to be sent.
const AHEAD: usize = 2;

/// What a file holds for a target.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    pub blocks: u64,
    /// Keys that match.
    pub matched: u64,
    /// Of those: their time is over.
    pub expired: u64,
    /// Larger than the server takes.
    pub too_large: u64,
    /// Their names cannot be sent to this server.
    pub unnameable: u64,
    /// They end after 2038.
    pub too_late: u64,
    pub stale: u64,
    pub with_cas: u64,
    /// Bytes of the values to be sent.
    pub bytes: u64,
    /// What they take on the server.
    pub takes: u64,
    /// The first ones to be sent.
    pub first: Vec<First>,
}

#[derive(Clone, Debug)]
pub(super) struct First {
    pub key: Key,
    /// The command that stores it, for people.
    pub shown: String,
}

impl Survey {
    pub fn to_send(&self) -> u64 {
        self.matched - self.expired - self.too_large - self.unnameable - self.too_late
    }

    /// What a person should know before.
    pub fn cautions(&self, target: &Target) -> Vec<String> {
        let mut cautions = Vec::new();
        for (many, what) in [
            (
                self.expired,
                "have expired by the server's clock and are left out",
            ),
            (
                self.unnameable,
                "have names that cannot be sent to this server",
            ),
            (
                self.too_late,
                "end after 2038-01-19, which Memcached cannot write",
            ),
        ] {
            if many > 0 {
                cautions.push(format!("{} keys {what}", units::count(many)));
            }
        }
        if self.too_large > 0 {
            cautions.push(format!(
                "{} items are larger than the {} that the server takes (-I)",
                units::count(self.too_large),
                crate::model::Bytes(target.largest)
            ));
        }
        cautions.extend(self.notes(target));
        cautions
    }

    /// What cannot be brought back as it was.
    pub fn notes(&self, target: &Target) -> Vec<String> {
        let mut notes = Vec::new();
        if self.with_cas > 0 && !target.keeps_cas {
            notes.push(
                "items get new CAS numbers: this server cannot be told which they had (1.6.27 and later can)"
                    .to_owned(),
            );
        }
        if self.stale > 0 && target.dialect == Dialect::Classic {
            notes.push(format!(
                "{} items were marked as stale, and this server knows no such mark",
                units::count(self.stale)
            ));
        }
        notes
    }
}

/// Reads all of the file. Nothing is sent of one that is damaged or cut.
pub(super) async fn survey(
    restore: &Restore,
    target: &Target,
    mut tell: impl FnMut(u64, u64),
) -> Result<Survey, String> {
    let mut reading = Reading::open(restore, target)?;
    let mut survey = Survey::default();
    while let Some(block) = reading.next().await? {
        survey.blocks += 1;
        for item in &block {
            let item = item.map_err(|wrong| wrong.to_string())?;
            if reading.matches(&item) {
                survey.add(&item, restore, target, reading.shift);
            }
        }
        tell(survey.matched, survey.bytes);
    }
    Ok(survey)
}

impl Survey {
    fn add(&mut self, item: &Item, restore: &Restore, target: &Target, shift: Shift) {
        self.matched += 1;
        let storing = match judge(item, restore, target, shift) {
            Verdict::Send(storing) => storing,
            Verdict::Over => {
                self.expired += 1;
                return;
            }
            Verdict::TooLarge => {
                self.too_large += 1;
                return;
            }
            Verdict::TooLate => {
                self.too_late += 1;
                return;
            }
            Verdict::Unnameable => {
                self.unnameable += 1;
                return;
            }
        };
        self.bytes += item.value.len() as u64;
        self.takes += takes(item);
        self.stale += u64::from(item.facts.marks.is_stale);
        self.with_cas += u64::from(item.facts.cas.is_some());
        if self.first.len() < LOOKED_AT {
            self.first.push(First {
                key: Key::new(item.key),
                shown: shown(&storing, target.dialect).unwrap_or_default(),
            });
        }
    }
}

/// What is to be done with an item.
pub(super) enum Verdict<'a> {
    Send(Storing<'a>),
    Over,
    TooLarge,
    TooLate,
    Unnameable,
}

pub(super) fn judge<'a>(
    item: &Item<'a>,
    restore: &Restore,
    target: &Target,
    shift: Shift,
) -> Verdict<'a> {
    let expiry = match shift.fate(item.facts.expires, target.now()) {
        Fate::Never => 0,
        Fate::At(second) => second,
        Fate::Over => return Verdict::Over,
        Fate::TooLate => return Verdict::TooLate,
    };
    // The server's own count includes the item's head.
    if takes(item) > target.largest {
        return Verdict::TooLarge;
    }
    if !Batch::can_name(item.key, target.dialect) {
        return Verdict::Unnameable;
    }
    Verdict::Send(Storing {
        key: item.key,
        flags: item.facts.flags,
        expiry,
        cas: item.facts.cas.filter(|_| target.keeps_cas),
        only_new: restore.conflict != Conflict::Replace,
        tells_cas: item.facts.marks.is_stale && target.dialect == Dialect::Meta,
        value: item.value,
    })
}

/// A file being read on a thread of its own.
pub(super) struct Reading {
    pub header: Header,
    pub shift: Shift,
    pub bytes: u64,
    pattern: Option<Glob>,
    blocks: mpsc::Receiver<Result<Block, String>>,
}

impl Reading {
    pub fn open(restore: &Restore, target: &Target) -> Result<Self, String> {
        let path = restore.source.clone();
        let failed = move |why: String| format!("{}: {why}", shown_path(&path));
        let file = File::open(&restore.source).map_err(|error| failed(error.to_string()))?;
        let facts = file.metadata().map_err(|error| failed(error.to_string()))?;
        if !facts.is_file() {
            return Err(failed("it is no regular file".into()));
        }
        let mut reader = Reader::new(file).map_err(|error| failed(error.to_string()))?;
        let header = reader.header().clone();
        let (send, blocks) = mpsc::channel(AHEAD);
        let thread = thread::Builder::new().name("restore".into());
        // The thread ends by itself, with the file or with whoever reads it.
        let started = thread.spawn(move || {
            loop {
                let block = match reader.block() {
                    Ok(Some(block)) => Ok(std::mem::take(block)),
                    Ok(None) => return,
                    Err(error) => Err(failed(error.to_string())),
                };
                let is_last = block.is_err();
                if send.blocking_send(block).is_err() || is_last {
                    return;
                }
            }
        });
        started.map_err(|error| error.to_string())?;
        Ok(Self {
            shift: Shift::between(&header, target),
            header,
            bytes: facts.len(),
            pattern: restore.pattern.as_deref().map(Glob::new),
            blocks,
        })
    }

    /// The next block; `None` at the end of a whole file.
    pub async fn next(&mut self) -> Result<Option<Block>, String> {
        self.blocks.recv().await.transpose()
    }

    pub fn matches(&self, item: &Item) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(item.key))
    }
}

pub(super) fn shown_path(path: &Path) -> String {
    crate::text::escape(path.as_os_str().as_encoded_bytes())
}
