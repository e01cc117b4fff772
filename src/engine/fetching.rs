//! A server's data as a file: a copy of one moment from Redis and Valkey, items one by one from
//! Memcached.
//!
//! The engine asks, a thread of its own checks, packs and writes, so that neither holds up the other.
//! Whoever drops the work leaves no file.

pub mod copying;
pub mod filing;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::engine::conduit::conduit;
use crate::engine::{Fault, Server, TakeAsk};
use crate::model::{Bytes, FetchAsk, FetchProgress, Pace, UnixMs, units};
use crate::snapshot::items::{self, End};
use crate::snapshot::keeping::{IfThere, KeepError, Keeping};
use crate::snapshot::packing::Packing;

use copying::{Trouble, keep};
use filing::{Filing, FilingError, Place};

/// Where to, and how.
#[derive(Clone, Debug)]
pub struct FileAsk {
    pub file: PathBuf,
    /// Of items, where those are taken one by one.
    pub pace: Pace,
    /// Give up when the server sends nothing for so long.
    pub stall: Duration,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    Copy(FetchProgress),
    Items {
        done: u64,
        /// What the server said that it holds.
        of: Option<u64>,
        bytes: Bytes,
    },
}

/// A file that is whole and has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    pub file: PathBuf,
    pub size: Bytes,
    /// Items; a copy is not counted.
    pub keys: Option<u64>,
    pub took: Duration,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// Why there is no file.
#[derive(Debug, Error)]
pub enum Unfetched {
    #[error(transparent)]
    Server(#[from] Fault),
    #[error(transparent)]
    Disk(#[from] Trouble),
}

/// Fetches what a server of Redis or Valkey holds, all of one moment.
///
/// # Errors
/// When the file cannot be written, or the server refuses or breaks off.
pub async fn copy_file(
    server: &Server,
    ask: FileAsk,
    mut say: impl FnMut(Fetching) + Send,
) -> Result<FetchedFile, Unfetched> {
    let began = Instant::now();
    let file = ask.file;
    let keeping = begin(&file).await?;
    let (inlet, outlet) = conduit();
    let writing = tokio::task::spawn_blocking(move || keep(outlet, keeping, Packing::Plain));
    let mut fetch = server.fetch(FetchAsk { stall: ask.stall }).await?;
    // Where the writer left early it says why itself.
    fetch
        .pour(inlet, |progress| say(Fetching::Copy(progress)))
        .await?;
    let (_, size) = writing.await.map_err(io::Error::other)??;
    Ok(FetchedFile {
        file,
        size,
        keys: None,
        took: began.elapsed(),
        notes: Vec::new(),
    })
}

/// Takes the items of a Memcached server one by one.
///
/// # Errors
/// When the file cannot be written, or the server refuses or breaks off.
pub async fn items_file(
    server: &Server,
    ask: FileAsk,
    mut say: impl FnMut(Fetching) + Send,
) -> Result<FetchedFile, Unfetched> {
    let began = Instant::now();
    let file = ask.file;
    let keeping = begin(&file).await?;
    let take_ask = TakeAsk {
        pattern: None,
        pace: ask.pace,
        spill: spill(&file),
    };
    let mut take = server.take(take_ask).await?;
    let packing = items::Packing::None;
    let mut filing = Filing::start(Place::Kept(keeping), take.header().clone(), packing)?;
    while let Some(block) = take.step(filing.room()).await? {
        filing.put(block).await?;
        let tally = take.tally();
        say(Fetching::Items {
            done: tally.items,
            of: take.header().items,
            bytes: Bytes(tally.bytes),
        });
    }
    let tally = *take.tally();
    let end = End {
        ended: Some(UnixMs(jiff::Timestamp::now().as_millisecond())),
        gone: tally.gone,
        changed: tally.changed,
        left_out: tally.left_out() + tally.placeholders,
        ..End::default()
    };
    let filed = filing.finish(end).await?;
    let mut notes = Vec::new();
    if take.header().may_miss {
        notes.push("items that moved between queues meanwhile may be missing".to_owned());
    }
    if tally.left_out() > 0 {
        let left = units::count(tally.left_out());
        notes.push(format!("{left} items could not be taken"));
    }
    Ok(FetchedFile {
        file,
        size: Bytes(filed.bytes),
        keys: Some(tally.items),
        took: began.elapsed(),
        notes,
    })
}

async fn begin(file: &Path) -> Result<Keeping, Unfetched> {
    let file = file.to_owned();
    let begun = tokio::task::spawn_blocking(move || Keeping::create(&file, IfThere::Refuse));
    Ok(begun.await.map_err(io::Error::other)??)
}

/// A file for the list of keys, beside the one that is written: where values find room, names do.
/// Without it the names stay in memory.
pub fn spill(beside: &Path) -> Option<std::fs::File> {
    let parent = beside.parent().filter(|parent| *parent != Path::new(""));
    let spill = tempfile::tempfile_in(parent.unwrap_or(Path::new(".")));
    spill
        .inspect_err(|error| tracing::warn!(%error, "no file for the list of keys"))
        .ok()
}

impl From<FilingError> for Unfetched {
    fn from(error: FilingError) -> Self {
        Self::Disk(match error {
            FilingError::Keep(error) => error.into(),
            FilingError::Io(error) => error.into(),
        })
    }
}

impl From<KeepError> for Unfetched {
    fn from(error: KeepError) -> Self {
        Self::Disk(error.into())
    }
}

impl From<io::Error> for Unfetched {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.into())
    }
}
