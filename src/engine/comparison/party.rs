//! One of the two that are compared: a file or a server, read key by key into a side.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::comparison::{ComparisonAsk, Form, Incomparable, Reading, Say, Unit, spilled};
use crate::engine::{DigestAsk, Fault, Server, TakeAsk};
use crate::model::{Bytes, Glob, Place, Protocol, Target, UnixMs, units};
use crate::snapshot::diff::{Facts, Record, Side, SnapshotAsk, digest, made_at, side_of_snapshot};
use crate::snapshot::items::{Block, Item, Reader, ServerSecond};
use crate::snapshot::unpack::Unpacked;
use crate::text;

/// Bytes of a file between two words about how far it is.
const STRIDE: u64 = 4 << 20;

/// Where keys come from.
#[derive(Debug)]
pub struct Party {
    name: Arc<str>,
    target: Target,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// A file of Memcached's items.
    Items(PathBuf),
    /// A snapshot of Redis or Valkey.
    Snapshot(PathBuf),
    Server(Arc<Server>),
}

/// A party that was read, and what a person should know of how.
#[derive(Debug)]
pub(super) struct Taken {
    pub side: Side,
    pub notes: Vec<String>,
}

impl Party {
    /// # Errors
    /// When the file cannot be opened.
    pub fn of_file(path: PathBuf) -> Result<Self, Incomparable> {
        let name: Arc<str> = text::escape(path.as_os_str().as_encoded_bytes()).into();
        let mut start = Vec::new();
        let read = open(&path).and_then(|from| from.take(6).read_to_end(&mut start));
        read.map_err(|error| unreadable(&name, &error))?;
        let is_snapshot = start.starts_with(b"REDIS") || start.starts_with(b"VALKEY");
        let protocol = if is_snapshot {
            Protocol::Redis
        } else {
            Protocol::Memcached
        };
        Ok(Self {
            name,
            target: Target::at(protocol, Place::File(path.clone())),
            source: if is_snapshot {
                Source::Snapshot(path)
            } else {
                Source::Items(path)
            },
        })
    }

    /// A target: the file that it is, or its server.
    ///
    /// # Errors
    /// When it is a file that cannot be opened.
    pub fn of_target(target: Target, server: Arc<Server>) -> Result<Self, Incomparable> {
        match &target.place {
            Place::File(path) => Self::of_file(path.clone()),
            _ => Ok(Self {
                name: text::escape(target.name.as_bytes()).into(),
                target,
                source: Source::Server(server),
            }),
        }
    }

    /// Safe to show.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_file(&self) -> bool {
        !matches!(self.source, Source::Server(_))
    }

    /// Whose delimiters count; a file has the usual ones.
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn form(&self) -> Form {
        match &self.source {
            Source::Items(_) => Form::Items,
            Source::Server(_) if self.target.protocol == Protocol::Memcached => Form::Items,
            Source::Snapshot(_) | Source::Server(_) => Form::Keys,
        }
    }

    /// The database that it names; the first one is what is looked at when none is named.
    pub(super) fn database(&self) -> Option<u32> {
        match &self.source {
            Source::Server(_) => Some(self.target.database).filter(|database| *database > 0),
            Source::Items(_) | Source::Snapshot(_) => None,
        }
    }

    /// The moment that its data is of; `None` where a file does not say it.
    pub(super) fn moment(&self, now: UnixMs) -> Result<Option<UnixMs>, Incomparable> {
        let Source::Snapshot(path) = &self.source else {
            return Ok(Some(now));
        };
        let from = open(path).map_err(|error| unreadable(&self.name, &error))?;
        made_at(from).map_err(|error| unreadable(&self.name, &error))
    }

    /// Reads all of it. What has expired at this moment is left out of files.
    pub(super) async fn read(
        &self,
        ask: &ComparisonAsk,
        at: UnixMs,
        say: &Say,
    ) -> Result<Taken, Incomparable> {
        let glob = ask.pattern.as_deref().map(Glob::new);
        let path = match &self.source {
            Source::Server(server) => {
                return match self.form() {
                    Form::Items => self.of_items(server, ask, say).await,
                    Form::Keys => self.of_keys(server, ask, say).await,
                };
            }
            Source::Items(path) | Source::Snapshot(path) => path.clone(),
        };
        let (name, say) = (Arc::clone(&self.name), Arc::clone(say));
        let (form, database) = (self.form(), ask.database);
        let read = tokio::task::spawn_blocking(move || {
            let watched = Watched::open(&path, Arc::clone(&name), say);
            let mut watched = watched.map_err(|error| unreadable(&name, &error))?;
            let read = match form {
                Form::Items => of_item_file(&mut watched, glob.as_ref()),
                Form::Keys => of_snapshot(
                    &mut watched,
                    &name,
                    &SnapshotAsk {
                        pattern: glob,
                        database,
                        at,
                    },
                ),
            };
            match read {
                Err(_) if watched.is_stopped => Err(Incomparable::Stopped),
                read => read.map_err(|why| unreadable(&name, &why)),
            }
        });
        read.await
            .map_err(|lost| spilled(&io::Error::other(lost)))?
    }

    async fn of_keys(
        &self,
        server: &Server,
        ask: &ComparisonAsk,
        say: &Say,
    ) -> Result<Taken, Incomparable> {
        let unread = |fault| self.unread(fault);
        let digests = server.digests(DigestAsk {
            pattern: ask.pattern.clone(),
            database: ask.database,
            pace: ask.pace,
        });
        let mut digests = digests.await.map_err(unread)?;
        let mut side = Side::default();
        while digests.step(&mut side).await.map_err(unread)? {
            let tally = digests.tally();
            self.tell(say, tally.keys, Some(tally.of), Unit::Keys)?;
        }
        let (name, tally) = (&self.name, digests.tally());
        let mut notes = vec![format!(
            "{name} was read key by key, which is not one moment of it"
        )];
        if tally.unread > 0 {
            let unread = units::count(tally.unread);
            notes.push(format!(
                "{unread} values of {name} are too large to be read in one go, or of a form that is not known: they are compared by type and time to live alone"
            ));
        }
        if tally.expired_fields > 0 {
            let fields = units::count(tally.expired_fields);
            notes.push(format!(
                "{fields} fields of hashes of {name} have expired and are left out"
            ));
        }
        if tally.restarts > 0 {
            notes.push(format!("{name} was restarted meanwhile"));
        }
        Ok(Taken { side, notes })
    }

    async fn of_items(
        &self,
        server: &Server,
        ask: &ComparisonAsk,
        say: &Say,
    ) -> Result<Taken, Incomparable> {
        let unread = |fault| self.unread(fault);
        let take_ask = TakeAsk {
            pattern: ask.pattern.clone(),
            pace: ask.pace,
            spill: tempfile::tempfile().ok(),
        };
        let mut items = server.take(take_ask).await.map_err(unread)?;
        let ahead = items.header().clock_ahead_ms.unwrap_or(0);
        let mut side = Side::default();
        let mut room = Block::default();
        while let Some(block) = items.step(room).await.map_err(unread)? {
            take(&mut side, &block, ahead, None).map_err(|error| spilled(&error))?;
            self.tell(say, side.keys(), None, Unit::Items)?;
            room = block;
        }
        let name = &self.name;
        let mut notes = vec![format!(
            "{name} was read item by item, which is not one moment of it"
        )];
        if items.header().may_miss {
            notes.push(format!(
                "{name} lists its keys by queues: some may be missing"
            ));
        }
        if items.tally().left_out() > 0 {
            let left = units::count(items.tally().left_out());
            notes.push(format!("{left} items of {name} could not be had"));
        }
        Ok(Taken { side, notes })
    }

    fn tell(&self, say: &Say, done: u64, of: Option<u64>, unit: Unit) -> Result<(), Incomparable> {
        let reading = Reading {
            name: Arc::clone(&self.name),
            done,
            of,
            unit,
        };
        match say(reading) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Incomparable::Stopped),
        }
    }

    fn unread(&self, fault: Fault) -> Incomparable {
        Incomparable::Unread {
            name: (*self.name).to_owned(),
            fault,
        }
    }
}

/// A file that says how far it is read, and ends in an error when nobody wants more of it.
struct Watched {
    file: File,
    reading: Reading,
    /// What was read when it was told last.
    told: u64,
    say: Say,
    is_stopped: bool,
}

impl Watched {
    fn open(path: &Path, name: Arc<str>, say: Say) -> io::Result<Self> {
        let file = File::open(path)?;
        let reading = Reading {
            name,
            done: 0,
            of: file.metadata().ok().map(|facts| facts.len()),
            unit: Unit::Bytes,
        };
        Ok(Self {
            file,
            reading,
            told: 0,
            say,
            is_stopped: false,
        })
    }
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.reading.done += read as u64;
        let is_at_its_end = read == 0 && !into.is_empty();
        if is_at_its_end || self.reading.done - self.told >= STRIDE {
            self.told = self.reading.done;
            if (self.say)(self.reading.clone()).is_break() {
                self.is_stopped = true;
                return Err(io::Error::other("nobody wants more of it"));
            }
        }
        Ok(read)
    }
}

fn open(path: &Path) -> io::Result<Unpacked<File>> {
    Unpacked::new(File::open(path)?)
}

fn unreadable(name: &str, why: &dyn std::fmt::Display) -> Incomparable {
    Incomparable::Unread {
        name: name.to_owned(),
        fault: Fault::Damaged {
            place: name.to_owned(),
            why: why.to_string(),
        },
    }
}

fn of_snapshot(from: &mut Watched, name: &str, ask: &SnapshotAsk) -> Result<Taken, String> {
    let from = Unpacked::new(from).map_err(|error| error.to_string())?;
    let taken = side_of_snapshot(from, ask).map_err(|error| error.to_string())?;
    let mut notes = Vec::new();
    for (many, what) in [
        (taken.expired, "keys"),
        (taken.expired_fields, "fields of hashes"),
    ] {
        if many > 0 {
            let many = units::count(many);
            notes.push(format!(
                "{many} {what} of {name} had expired by then and are left out"
            ));
        }
    }
    Ok(Taken {
        side: taken.side,
        notes,
    })
}

fn of_item_file(from: &mut Watched, pattern: Option<&Glob>) -> Result<Taken, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let mut reader = Reader::new(from).map_err(|error| words(&error))?;
    let ahead = reader.header().clock_ahead_ms.unwrap_or(0);
    let may_miss = reader.header().may_miss;
    let mut side = Side::default();
    while let Some(block) = reader.block().map_err(|error| words(&error))? {
        take(&mut side, block, ahead, pattern).map_err(|error| words(&error))?;
    }
    let end = reader.end().copied().unwrap_or_default();
    let mut notes = Vec::new();
    if may_miss {
        notes.push("the file was listed by queues: items may be missing in it".to_owned());
    }
    if end.left_out > 0 {
        let left = units::count(end.left_out);
        notes.push(format!(
            "{left} items were left out of the file when it was made"
        ));
    }
    Ok(Taken { side, notes })
}

fn take(side: &mut Side, block: &Block, ahead: i64, pattern: Option<&Glob>) -> io::Result<()> {
    // A block that was read holds only items that can be read.
    for item in block.iter().flatten() {
        if pattern.is_none_or(|pattern| pattern.matches(item.key)) {
            side.take(&record(&item, ahead))?;
        }
    }
    Ok(())
}

fn record<'a>(item: &Item<'a>, ahead: i64) -> Record<'a> {
    let ends = item.facts.expires.map(ServerSecond::moment);
    Record {
        space: 0,
        key: item.key,
        facts: Facts {
            kind: item.facts.flags,
            ends: ends.map(|ends| UnixMs(ends.0 + ahead)),
            size: Bytes((item.key.len() + item.value.len()) as u64),
        },
        digest: digest(item.value),
    }
}
