//! The snapshot that is restored, read on a thread of its own: once to see what is in it and whether it
//! is whole, once to hand it on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::redis::restore::building::{Builder, Knows, Orders};
use crate::model::{Bytes, Glob, Key, KeyKind, Restore, UnixMs, units};
use crate::snapshot::diff::{Digested, digest_value};
use crate::snapshot::rdb::{self, Dumped, KeyHead, Reader};
use crate::snapshot::unpack::Unpacked;

/// Parts that wait to be sent.
const AHEAD: usize = 16;
/// What is longer is not handed over in one go, since the server takes it in one go.
const LONGEST_PAYLOAD: Bytes = Bytes(8 << 20);
/// Keys that a preview looks at.
pub(super) const LOOKED_AT: usize = 1_000;

/// What to read, and for whom.
#[derive(Clone, Debug)]
pub(super) struct Source {
    path: PathBuf,
    pattern: Option<Glob>,
    /// `None` until it is known which ones there are.
    pub database: Option<u32>,
    pub trusts_payload: bool,
    pub wants_functions: bool,
    pub knows: Knows,
    /// What has expired at this moment is left out.
    pub at: UnixMs,
}

/// A key of the file, without its value.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Its place among the keys of the file.
    pub place: u64,
    pub key: Key,
    pub kind: KeyKind,
    pub ends: Option<UnixMs>,
    pub idle: Option<Duration>,
    pub frequency: Option<u8>,
}

/// What is to be done for a key; a large one has several parts, one after the other.
#[derive(Debug)]
pub(super) enum Part {
    Expired(u64),
    /// It cannot be restored, for this reason.
    Impossible(Head, String),
    /// As `RESTORE` takes it.
    Payload(Head, Vec<u8>),
    Orders {
        head: Head,
        orders: Orders,
        is_first: bool,
        is_last: bool,
    },
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    /// Keys of the file, matching or not.
    pub databases: BTreeMap<u32, u64>,
    pub functions: u64,
    /// Their code, where it is wanted.
    pub libraries: Vec<Vec<u8>>,
    pub made_at: Option<UnixMs>,
    pub matched: u64,
    pub expired: u64,
    /// Of modules.
    pub foreign: u64,
    /// What the values to be restored take in the file, and on a server.
    pub stored: u64,
    pub memory: u64,
    pub first: Vec<Head>,
    pub bytes: u64,
}

/// What comes from the thread that reads.
type Handed<T> = mpsc::Receiver<Result<T, String>>;

/// Why nothing more is read: `Ok` where whoever listened has gone.
type Ended = Result<(), String>;

impl Source {
    pub fn of(restore: &Restore, at: UnixMs) -> Self {
        Self {
            path: restore.source.clone(),
            pattern: restore.pattern.as_deref().map(Glob::new),
            database: restore.from_database,
            trusts_payload: restore.trusts_payload,
            wants_functions: restore.functions,
            knows: Knows::default(),
            at,
        }
    }

    pub fn shown(&self) -> String {
        crate::text::escape(self.path.as_os_str().as_encoded_bytes())
    }

    fn open(&self) -> Result<Reader<Unpacked<File>>, String> {
        let from = opened(&self.path).map_err(|error| self.failed(&error))?;
        Reader::new(from).map_err(|error| self.failed(&error))
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> String {
        format!("{}: {why}", self.shown())
    }

    fn wants(&self, head: &KeyHead) -> bool {
        self.database.is_none_or(|database| head.db == database)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&head.name))
    }

    /// Reads all of it: nothing is sent of a file that is damaged or cut.
    pub async fn survey(&self) -> Result<Survey, String> {
        let source = self.clone();
        let survey = tokio::task::spawn_blocking(move || source.survey_now());
        survey.await.map_err(|error| error.to_string())?
    }

    fn survey_now(&self) -> Result<Survey, String> {
        let mut reader = self.open()?;
        let bytes = std::fs::metadata(&self.path).map_err(|error| self.failed(&error))?;
        let mut survey = Survey {
            bytes: bytes.len(),
            ..Survey::default()
        };
        loop {
            match reader.next().map_err(|error| self.failed(&error))? {
                rdb::Record::Key(head) => *survey.databases.entry(head.db).or_default() += 1,
                rdb::Record::End(_) => return Ok(survey),
                other => {
                    survey.note(&other, self.wants_functions);
                    continue;
                }
            }
            let head = reader.head();
            if !self.wants(head) {
                continue;
            }
            survey.matched += 1;
            if head.is_expired(self.at) {
                survey.expired += 1;
                continue;
            }
            survey.foreign += u64::from(matches!(head.kind, KeyKind::Other(_)));
            if survey.first.len() < LOOKED_AT {
                survey.first.push(Head::of(head, survey.matched));
            }
            let shape = reader.skip().map_err(|error| self.failed(&error))?;
            survey.stored += shape.stored.0;
            survey.memory += shape.memory.0;
        }
    }

    /// Hands on what is to be done for the keys from this place on, in the order of the file.
    pub fn parts(&self, from: u64) -> Result<Handed<Part>, String> {
        let source = self.clone();
        stream(move |send| source.hand_on(from, send))
    }

    fn hand_on(&self, from: u64, send: &mpsc::Sender<Result<Part, String>>) -> Ended {
        let mut reader = self.open()?;
        let mut place = 0;
        loop {
            match reader.next().map_err(|error| self.failed(&error))? {
                rdb::Record::Key(_) => place += 1,
                rdb::Record::End(_) => return Ok(()),
                _ => continue,
            }
            let head = reader.head();
            if place <= from || !self.wants(head) {
                continue;
            }
            let here = Head::of(head, place - 1);
            if head.is_expired(self.at) {
                if send.blocking_send(Ok(Part::Expired(here.place))).is_err() {
                    return Ok(());
                }
                continue;
            }
            let handed_on = if self.trusts_payload {
                self.hand_on_payload(&mut reader, here, send)?
            } else {
                self.hand_on_orders(&mut reader, &here, send)?
            };
            if handed_on.is_break() {
                return Ok(());
            }
        }
    }

    fn hand_on_payload<R: Read>(
        &self,
        reader: &mut Reader<R>,
        head: Head,
        send: &mpsc::Sender<Result<Part, String>>,
    ) -> Result<ControlFlow<()>, String> {
        let place = reader.place();
        let mut payload = Vec::new();
        let dumped = reader.dump(LONGEST_PAYLOAD, &mut payload);
        match dumped.map_err(|error| self.failed(&error))? {
            Dumped::Whole => {
                let taken = send.blocking_send(Ok(Part::Payload(head, payload)));
                Ok(if taken.is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            }
            // It is read a second time, piece by piece.
            Dumped::TooLarge(_) => {
                let mut from = opened(&self.path).map_err(|error| self.failed(&error))?;
                let skipped = io::copy(&mut from.by_ref().take(place.offset), &mut io::sink());
                skipped.map_err(|error| self.failed(&error))?;
                let mut again = Reader::at(from, place);
                again.next().map_err(|error| self.failed(&error))?;
                self.hand_on_orders(&mut again, &head, send)
            }
        }
    }

    fn hand_on_orders<R: Read>(
        &self,
        reader: &mut Reader<R>,
        head: &Head,
        send: &mpsc::Sender<Result<Part, String>>,
    ) -> Result<ControlFlow<()>, String> {
        let mut is_first = true;
        let mut is_gone = false;
        let part = |orders, is_first, is_last| -> Result<Part, String> {
            Ok(Part::Orders {
                head: head.clone(),
                orders,
                is_first,
                is_last,
            })
        };
        let mut builder = Builder::new(self.knows, self.at, |orders| {
            let taken = send.blocking_send(part(orders, is_first, false));
            is_first = false;
            is_gone = taken.is_err();
            if is_gone {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let visited = reader.visit(&mut builder);
        visited.map_err(|error| self.failed(&error))?;
        let impossible = builder.impossible;
        let last = builder.finish();
        let last = match impossible {
            Some(why) => Ok(Part::Impossible(head.clone(), why.to_owned())),
            None => part(last, is_first, true),
        };
        if is_gone || send.blocking_send(last).is_err() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The keys that match and have not expired.
    pub fn heads(&self) -> Result<Handed<Head>, String> {
        let source = self.clone();
        stream(move |send| source.hand_on_heads(send))
    }

    fn hand_on_heads(&self, send: &mpsc::Sender<Result<Head, String>>) -> Ended {
        let mut reader = self.open()?;
        let mut place = 0;
        loop {
            match reader.next().map_err(|error| self.failed(&error))? {
                rdb::Record::Key(head) => {
                    place += 1;
                    if !self.wants(head) || head.is_expired(self.at) {
                        continue;
                    }
                    if send.blocking_send(Ok(Head::of(head, place - 1))).is_err() {
                        return Ok(());
                    }
                }
                rdb::Record::End(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// The digests of the keys that are wanted of those that match and have not expired.
    pub fn digests(
        &self,
        is_wanted: impl FnMut(u64) -> bool + Send + 'static,
    ) -> Result<Handed<(Head, Digested)>, String> {
        let source = self.clone();
        stream(move |send| source.hand_on_digests(is_wanted, send))
    }

    fn hand_on_digests(
        &self,
        mut is_wanted: impl FnMut(u64) -> bool,
        send: &mpsc::Sender<Result<(Head, Digested), String>>,
    ) -> Ended {
        let mut reader = self.open()?;
        let mut place = 0;
        loop {
            match reader.next().map_err(|error| self.failed(&error))? {
                rdb::Record::Key(_) => place += 1,
                rdb::Record::End(_) => return Ok(()),
                _ => continue,
            }
            if !is_wanted(place - 1) {
                continue;
            }
            let head = Head::of(reader.head(), place - 1);
            let value = digest_value(&mut reader, self.at).map_err(|error| self.failed(&error))?;
            if send.blocking_send(Ok((head, value))).is_err() {
                return Ok(());
            }
        }
    }
}

impl Survey {
    fn note(&mut self, record: &rdb::Record<'_>, wants_functions: bool) {
        match record {
            rdb::Record::Function { code } if wants_functions => {
                self.functions += 1;
                self.libraries.push(code.to_vec());
            }
            rdb::Record::Function { .. } | rdb::Record::OldFunction { .. } => self.functions += 1,
            rdb::Record::Fact {
                name: b"ctime",
                value,
            } => {
                let seconds = str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let ms = seconds.and_then(|seconds: i64| seconds.checked_mul(1_000));
                self.made_at = ms.map(UnixMs);
            }
            _ => {}
        }
    }

    /// The database that is restored where none was named: the first one.
    pub fn database(&self) -> u32 {
        self.databases.keys().next().copied().unwrap_or(0)
    }

    /// What stays in the file.
    pub fn left(&self, database: u32, names_database: bool) -> Vec<String> {
        let mut left = Vec::new();
        let others: Vec<String> = self
            .databases
            .keys()
            .filter(|number| **number != database)
            .map(u32::to_string)
            .collect();
        if !others.is_empty() && !names_database {
            left.push(format!(
                "only database {database} of the file is restored; it has {} as well (--from-db)",
                others.join(", ")
            ));
        }
        let functions = self.functions - self.libraries.len() as u64;
        if functions > 0 {
            left.push(format!(
                "{} libraries of functions in the file are not restored (--functions)",
                units::count(functions)
            ));
        }
        left
    }
}

impl Head {
    fn of(head: &KeyHead, place: u64) -> Self {
        Self {
            place,
            key: head.key(),
            kind: head.kind.clone(),
            ends: head.ends,
            idle: head.idle,
            frequency: head.frequency,
        }
    }
}

fn opened(path: &Path) -> io::Result<Unpacked<File>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Unpacked::new(file)
}

/// Runs on a thread of its own, which ends with the file or with whoever listens.
fn stream<T: Send + 'static>(
    read: impl FnOnce(&mpsc::Sender<Result<T, String>>) -> Ended + Send + 'static,
) -> Result<Handed<T>, String> {
    let (send, receive) = mpsc::channel(AHEAD);
    let thread = thread::Builder::new().name("restore".into());
    let started = thread.spawn(move || {
        if let Err(why) = read(&send) {
            // Who has gone needs no reason.
            drop(send.blocking_send(Err(why)));
        }
    });
    started.map_err(|error| error.to_string())?;
    Ok(receive)
}
