//! What is compared: a file or a server, read key by key into one side.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::cli::commands::snapshot::diff::COMMAND;
use crate::cli::{Call, Failure, Kind, Visit};
use crate::engine::TakeAsk;
use crate::model::{Bytes, Pace, Place, Protocol, Target, UnixMs, units};
use crate::snapshot::diff::{Facts, Record, Side, digest};
use crate::snapshot::items::{Block, Item, Reader, ServerSecond};
use crate::text;

/// Where keys come from.
pub enum Source {
    File(PathBuf),
    Server(Box<Visit>),
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
            return Ok(Self::File(path.into()));
        }
        if !word.contains("://") && Path::new(word).is_file() {
            return Ok(Self::File(word.into()));
        }
        if !word.contains("://") && word.contains(['/', '.']) {
            let shown = text::escape(word.as_bytes());
            return Err(Failure::usage(format!(
                "{COMMAND}: there is no file {shown}"
            )));
        }
        call.visit_of(word)
            .map(|visit| Self::Server(Box::new(visit)))
    }

    pub fn name(&self) -> String {
        match self {
            Self::File(path) => text::escape(path.as_os_str().as_encoded_bytes()),
            Self::Server(visit) => visit.target.name.clone(),
        }
    }

    /// Whose delimiters count; a file has the usual ones.
    pub fn target(&self) -> Target {
        match self {
            Self::File(path) => Target::at(Protocol::Memcached, Place::Unix(path.clone())),
            Self::Server(visit) => visit.target.clone(),
        }
    }
}

/// Reads a side.
///
/// # Errors
/// When the file is damaged, or the server does not hand out its items.
pub async fn feed(source: &Source, pattern: Option<&[u8]>, pace: Pace) -> Result<Fed, Failure> {
    match source {
        Source::File(path) => {
            let (path, glob) = (path.clone(), pattern.map(crate::model::Glob::new));
            let shown = source.name();
            let read = tokio::task::spawn_blocking(move || of_file(&path, glob.as_ref()));
            let read = read.await.map_err(std::io::Error::other)?;
            read.map_err(|why| Failure::new(Kind::No, format!("{COMMAND}: {shown}: {why}")))
        }
        Source::Server(visit) => of_server(visit, pattern, pace).await,
    }
}

fn of_file(path: &Path, pattern: Option<&crate::model::Glob>) -> Result<Fed, String> {
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

async fn of_server(visit: &Visit, pattern: Option<&[u8]>, pace: Pace) -> Result<Fed, Failure> {
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

fn take(
    side: &mut Side,
    block: &Block,
    ahead: i64,
    pattern: Option<&crate::model::Glob>,
) -> std::io::Result<()> {
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
