//! What is compared: a file or a server, read key by key into one side.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::commands::snapshot::diff::COMMAND;
use crate::cli::progress::Progress;
use crate::cli::{Call, Failure, Kind, Visit};
use crate::engine::{DigestAsk, TakeAsk};
use crate::model::{Bytes, Glob, Pace, Place, Protocol, Target, UnixMs, units};
use crate::snapshot::diff::{Facts, Record, Side, SnapshotAsk, digest, made_at, side_of_snapshot};
use crate::snapshot::items::{Block, Item, Reader, ServerSecond};
use crate::snapshot::unpack::Unpacked;
use crate::text;

/// Where keys come from.
pub enum Source {
    /// A file of Memcached's items.
    Items(PathBuf),
    /// A snapshot of Redis or Valkey.
    Snapshot(PathBuf),
    Server(Box<Visit>),
}

/// What to read of a source.
#[derive(Clone, Copy, Debug)]
pub struct FeedAsk<'a> {
    pub pattern: Option<&'a [u8]>,
    /// Only this database.
    pub database: Option<u32>,
    /// What has expired at this moment is left out of files.
    pub at: UnixMs,
    pub pace: Pace,
}

/// One side, and what a person should know of how it was read.
pub struct Fed {
    pub side: Side,
    pub notes: Vec<String>,
}

impl Source {
    /// A word with a scheme is a server, the name of a file is a file, and everything else is a
    /// profile.
    pub fn of(call: &mut Call, word: &str) -> Result<Self, Failure> {
        if let Some(path) = word.strip_prefix("file:") {
            return Self::of_file(path.into());
        }
        if !word.contains("://") && Path::new(word).is_file() {
            return Self::of_file(word.into());
        }
        if !word.contains("://") && word.contains(['/', '.']) {
            let shown = text::escape(word.as_bytes());
            return Err(Failure::usage(format!(
                "{COMMAND}: there is no file {shown}"
            )));
        }
        let visit = call.visit_of(word)?;
        match &visit.target.place {
            Place::File(path) => Self::of_file(path.clone()),
            _ => Ok(Self::Server(Box::new(visit))),
        }
    }

    fn of_file(path: PathBuf) -> Result<Self, Failure> {
        let mut start = Vec::new();
        let read = open(&path).and_then(|from| from.take(6).read_to_end(&mut start));
        read.map_err(|error| unreadable(&path, &error))?;
        let is_snapshot = start.starts_with(b"REDIS") || start.starts_with(b"VALKEY");
        Ok(if is_snapshot {
            Self::Snapshot(path)
        } else {
            Self::Items(path)
        })
    }

    pub fn name(&self) -> String {
        match self {
            Self::Items(path) | Self::Snapshot(path) => shown(path),
            Self::Server(visit) => visit.target.name.clone(),
        }
    }

    /// Whether it holds items; else it holds keys in databases.
    pub fn holds_items(&self) -> bool {
        match self {
            Self::Items(_) => true,
            Self::Snapshot(_) => false,
            Self::Server(visit) => visit.target.protocol == Protocol::Memcached,
        }
    }

    /// Whose delimiters count; a file has the usual ones.
    pub fn target(&self) -> Target {
        match self {
            Self::Items(path) => Target::at(Protocol::Memcached, Place::File(path.clone())),
            Self::Snapshot(path) => Target::at(Protocol::Redis, Place::File(path.clone())),
            Self::Server(visit) => visit.target.clone(),
        }
    }

    /// The database that it names; the first one is what is looked at when none is named.
    pub fn database(&self) -> Option<u32> {
        match self {
            Self::Server(visit) => Some(visit.target.database).filter(|database| *database > 0),
            Self::Items(_) | Self::Snapshot(_) => None,
        }
    }

    /// The moment that its data is of; `None` where a file does not say it.
    pub fn moment(&self, now: UnixMs) -> Result<Option<UnixMs>, Failure> {
        let Self::Snapshot(path) = self else {
            return Ok(Some(now));
        };
        let from = open(path).map_err(|error| unreadable(path, &error))?;
        made_at(from).map_err(|error| unreadable(path, &error))
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes())
}

fn open(path: &Path) -> io::Result<Unpacked<File>> {
    Unpacked::new(File::open(path)?)
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::No, format!("{COMMAND}: {}: {why}", shown(path)))
}

/// Reads a side.
///
/// # Errors
/// When the file is damaged, or the server does not hand out what it has.
pub async fn feed(source: &Source, ask: FeedAsk<'_>) -> Result<Fed, Failure> {
    let glob = ask.pattern.map(Glob::new);
    match source {
        Source::Items(path) => {
            let place = path.clone();
            let read = tokio::task::spawn_blocking(move || of_file(&place, glob.as_ref()));
            let read = read.await.map_err(io::Error::other)?;
            read.map_err(|why| unreadable(path, &why))
        }
        Source::Snapshot(path) => {
            let (place, name) = (path.clone(), source.name());
            let ask = SnapshotAsk {
                pattern: glob,
                database: ask.database,
                at: ask.at,
            };
            let read = tokio::task::spawn_blocking(move || of_snapshot(&place, &name, &ask));
            let read = read.await.map_err(io::Error::other)?;
            read.map_err(|why| unreadable(path, &why))
        }
        Source::Server(visit) if source.holds_items() => {
            of_items(visit, ask.pattern, ask.pace).await
        }
        Source::Server(visit) => of_server(visit, ask).await,
    }
}

fn of_snapshot(path: &Path, name: &str, ask: &SnapshotAsk) -> Result<Fed, String> {
    let from = open(path).map_err(|error| error.to_string())?;
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
    Ok(Fed {
        side: taken.side,
        notes,
    })
}

async fn of_server(visit: &Visit, ask: FeedAsk<'_>) -> Result<Fed, Failure> {
    let name = &visit.target.name;
    let of_server = |fault| Failure::of_server(COMMAND, name, &fault);
    let digests = visit.server.digests(DigestAsk {
        pattern: ask.pattern.map(<[u8]>::to_vec),
        database: ask.database,
        pace: ask.pace,
    });
    let mut digests = digests.await.map_err(of_server)?;
    let mut side = Side::default();
    let mut line = Progress::beside_a_report();
    while digests.step(&mut side).await.map_err(of_server)? {
        let tally = digests.tally();
        line.tell(&format!(
            "{name}: {} of {} keys",
            units::count(tally.keys),
            units::count(tally.of)
        ));
    }
    line.clear();
    let tally = digests.tally();
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
    Ok(Fed { side, notes })
}

fn of_file(path: &Path, pattern: Option<&Glob>) -> Result<Fed, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let file = File::open(path).map_err(|error| words(&error))?;
    let mut reader = Reader::new(file).map_err(|error| words(&error))?;
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
    Ok(Fed { side, notes })
}

async fn of_items(visit: &Visit, pattern: Option<&[u8]>, pace: Pace) -> Result<Fed, Failure> {
    let of_server = |fault| Failure::of_server(COMMAND, &visit.target.name, &fault);
    let ask = TakeAsk {
        pattern: pattern.map(<[u8]>::to_vec),
        pace,
        spill: tempfile::tempfile().ok(),
    };
    let mut items = visit.server.take(ask).await.map_err(of_server)?;
    let ahead = items.header().clock_ahead_ms.unwrap_or(0);
    let mut side = Side::default();
    let mut room = Block::default();
    while let Some(block) = items.step(room).await.map_err(of_server)? {
        let taken = take(&mut side, &block, ahead, None);
        taken.map_err(|error| Failure::usage(format!("{COMMAND}: {error}")))?;
        room = block;
    }
    let name = &visit.target.name;
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
    Ok(Fed { side, notes })
}

fn take(side: &mut Side, block: &Block, ahead: i64, pattern: Option<&Glob>) -> std::io::Result<()> {
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
