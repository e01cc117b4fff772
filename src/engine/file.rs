//! A snapshot file that is looked into like a server.
//!
//! Reading it from one end to the other is the one way in: a walk does that for whoever lists keys, and
//! a pass in the background counts what is in the file and notes where each key stands, so that a value
//! opens at once. Nothing is ever written, and what a file cannot answer says so.

mod index;
mod sample;
mod value;
mod walk;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::engine::file::index::{Context, Index};
use crate::engine::{Backend, Draws, Fault, Walk};
use crate::guard::Permit;
use crate::model::{
    Account, Bytes, Change, Feature, Features, Job, Key, KeyCard, KeyFacts, KeyKind, KeyRow,
    Missing, Outcome, Place, Preflight, PreflightNote, Preview, Sample, Target, Value, Verdict,
    WalkAsk, Window,
};
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::{self, Ending, Reader, Record};
use crate::snapshot::unpack::{Compression, Unpacked};
use crate::text;

pub use walk::FileWalk;

/// Why nothing is changed.
const UNCHANGEABLE: &str = "a snapshot file is read and never changed";
const NO_REPLICATION: &str = "a snapshot file has no replication";
/// The pass tells what it knows after so many keys.
const BATCH: usize = 4_096;

#[derive(Debug)]
pub struct FileServer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    path: PathBuf,
    place: String,
    began: Instant,
    known: Mutex<Known>,
    /// More is known.
    news: Notify,
}

/// What was learnt of the file as it is now.
#[derive(Debug, Default)]
struct Known {
    stamp: Option<Stamp>,
    is_passing: bool,
    index: Index,
    counts: Counts,
    /// How the pass ended.
    end: Option<Result<Ending, Fault>>,
}

/// Tells one file from another that took its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified_s: i64,
    modified_ns: i64,
}

/// What the pass counted.
#[derive(Clone, Debug, Default)]
struct Counts {
    databases: BTreeMap<u32, Count>,
    functions: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    keys: u64,
    expiring: u64,
    /// As the keys would take it in a server: an estimate.
    memory: u64,
}

/// The file, opened at its beginning.
struct Opened {
    reader: Reader<Unpacked<File>>,
    compression: Compression,
    stamp: Stamp,
}

impl FileServer {
    pub fn at(target: Target) -> Self {
        let path = match &target.place {
            Place::File(path) => path.clone(),
            Place::Tcp { .. } | Place::Unix(_) => PathBuf::new(),
        };
        Self(Arc::new(Shared {
            place: text::escape(path.as_os_str().as_encoded_bytes()),
            path,
            target,
            began: Instant::now(),
            known: Mutex::default(),
            news: Notify::new(),
        }))
    }

    /// Where it is, safe to show.
    pub fn place(&self) -> &str {
        &self.0.place
    }

    pub fn database(&self) -> u32 {
        self.0.target.database
    }

    /// Waits until all that is in the file was counted, however it ended.
    pub async fn settle(&self) {
        Shared::pass(&self.0);
        loop {
            let news = self.0.news.notified();
            if !self.0.known().is_passing {
                return;
            }
            news.await;
        }
    }

    /// Where the key stands; waits for the pass where it has not come so far.
    async fn find(&self, key: &Key) -> Result<Option<(u64, Context)>, Fault> {
        Shared::pass(&self.0);
        loop {
            let news = self.0.news.notified();
            let (places, is_over, damage) = {
                let known = self.0.known();
                let damage = known.end.clone().and_then(Result::err);
                (known.index.places(key.bytes()), known.end.is_some(), damage)
            };
            for (offset, context) in places {
                if context.db == self.0.target.database && self.is_at(key, offset, context).await? {
                    return Ok(Some((offset, context)));
                }
            }
            match damage {
                // It may stand behind what cannot be read.
                Some(fault) => return Err(fault),
                None if is_over => return Ok(None),
                None => news.await,
            }
        }
    }

    async fn is_at(&self, key: &Key, offset: u64, context: Context) -> Result<bool, Fault> {
        let shared = Arc::clone(&self.0);
        let key = key.clone();
        in_thread(move || {
            let mut reader = shared.open_at(offset, context)?;
            let record = reader.next().map_err(|error| shared.fault(&error))?;
            Ok(matches!(record, Record::Key(head) if head.name == key.bytes()))
        })
        .await
    }
}

impl Backend for FileServer {
    fn features(&self) -> Features {
        Features::default()
            .without(Feature::Ttl, UNCHANGEABLE)
            .without(Feature::Delete, UNCHANGEABLE)
            .without(Feature::Snapshot, "this is a snapshot already")
            .without(Feature::Replication, NO_REPLICATION)
            .without(Feature::Counters, "a snapshot file counts nothing")
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        // A small file is waited for, so that a first answer is a whole one; keys of a large one are
        // on the screen before a person looks.
        const PATIENCE: Duration = Duration::from_millis(40);
        if tokio::time::timeout(PATIENCE, self.settle()).await.is_err() {
            tracing::debug!("the file is not counted yet");
        }
        let shared = Arc::clone(&self.0);
        in_thread(move || sample::sample(&shared)).await
    }

    async fn account(&self) -> Result<Account, Fault> {
        let database = self.0.target.database;
        self.settle().await;
        let sample = self.sample().await?;
        let found = sample.databases.as_ref();
        let database = found.map(|all| all.iter().find(|one| one.index == database));
        Ok(Account {
            // A database that holds nothing is not in the file.
            keys: database.map(|one| one.map_or(0, |one| one.keys)),
            keys_with_ttl: database.and_then(|one| one.map_or(Some(0), |one| one.keys_with_ttl)),
            ..Account::default()
        })
    }

    async fn walk(&self, ask: WalkAsk) -> Result<Walk, Fault> {
        Ok(Walk::File(FileWalk::over(Arc::clone(&self.0), ask)))
    }

    /// Reading all of a file is quicker than drawing from it.
    async fn draws(&self, ask: WalkAsk) -> Result<Draws, Fault> {
        self.walk(ask).await.map(Draws::All)
    }

    async fn facts(&self, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let facts = match self.find(key).await? {
                None => KeyFacts::Gone,
                Some((offset, context)) => {
                    let shared = Arc::clone(&self.0);
                    in_thread(move || shared.facts_at(offset, context)).await?
                }
            };
            rows.push(KeyRow {
                key: key.clone(),
                facts: Some(facts),
            });
        }
        Ok(rows)
    }

    async fn show(&self, key: &Key, window: Window) -> Result<Option<(KeyCard, Value)>, Fault> {
        let Some((offset, context)) = self.find(key).await? else {
            return Ok(None);
        };
        let shared = Arc::clone(&self.0);
        in_thread(move || shared.shown_at(offset, context, window).map(Some)).await
    }

    async fn preview(&self, _: &Change) -> Result<Preview, Fault> {
        Err(unchangeable())
    }

    async fn preflight(&self, _: Job) -> Result<Preflight, Fault> {
        Ok(Preflight {
            notes: vec![PreflightNote {
                verdict: Verdict::Stop,
                what: "snapshots".into(),
                words: "this is a snapshot already".into(),
            }],
        })
    }

    async fn apply(&self, permit: Permit) -> Result<Outcome, Fault> {
        let fault = unchangeable();
        if let Err(error) = permit.close(Err(&fault.to_string())) {
            let error = text::escape(error.to_string().as_bytes());
            tracing::error!(error, "the audit line could not be written");
        }
        Err(fault)
    }
}

fn unchangeable() -> Fault {
    Fault::Missing(Missing(UNCHANGEABLE.to_owned()))
}

/// Waits for a thread that reads the file.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Fault::Setup(format!(
            "reading the file ended early: {error}"
        ))),
    }
}

fn is_collection(kind: &KeyKind) -> bool {
    !matches!(kind, KeyKind::String | KeyKind::Item | KeyKind::Other(_))
}

impl Shared {
    /// Held for a moment only.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, error: &SnapshotError) -> Fault {
        Fault::Damaged {
            place: self.place.clone(),
            why: error.to_string(),
        }
    }

    fn unreadable(&self, why: &dyn std::fmt::Display) -> Fault {
        Fault::Setup(format!("{} cannot be read: {why}", self.place))
    }

    fn file(&self) -> Result<(File, Stamp), Fault> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        let facts = file.metadata().map_err(|error| self.unreadable(&error))?;
        if !facts.is_file() {
            return Err(self.unreadable(&"it is no regular file"));
        }
        let stamp = Stamp {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.len(),
            modified_s: facts.mtime(),
            modified_ns: facts.mtime_nsec(),
        };
        Ok((file, stamp))
    }

    fn open(&self) -> Result<Opened, Fault> {
        let (file, stamp) = self.file()?;
        let unpacked = Unpacked::new(file).map_err(|error| self.unreadable(&error))?;
        let compression = unpacked.compression();
        let reader = Reader::new(unpacked).map_err(|error| self.fault(&error))?;
        Ok(Opened {
            reader,
            compression,
            stamp,
        })
    }

    /// The file, opened where a key begins. What is compressed has to be unpacked up to there.
    fn open_at(&self, offset: u64, context: Context) -> Result<Reader<Box<dyn Read>>, Fault> {
        let Opened {
            reader,
            compression,
            ..
        } = self.open()?;
        let place = rdb::Place {
            header: reader.header(),
            db: context.db,
            slot: context.slot,
            offset,
        };
        let (mut file, _) = self.file()?;
        let from: Box<dyn Read> = if compression == Compression::None {
            let sought = file.seek(SeekFrom::Start(offset));
            sought.map_err(|error| self.unreadable(&error))?;
            Box::new(file)
        } else {
            let mut unpacked = Unpacked::new(file).map_err(|error| self.unreadable(&error))?;
            let mut before = unpacked.by_ref().take(offset);
            let passed = std::io::copy(&mut before, &mut std::io::sink());
            passed.map_err(|error| self.unreadable(&error))?;
            Box::new(unpacked)
        };
        Ok(Reader::at(from, place))
    }

    fn facts_at(&self, offset: u64, context: Context) -> Result<KeyFacts, Fault> {
        let mut reader = self.open_at(offset, context)?;
        reader.next().map_err(|error| self.fault(&error))?;
        let shape = reader.skip().map_err(|error| self.fault(&error))?;
        let head = reader.head();
        Ok(KeyFacts::Here {
            kind: head.kind.clone(),
            ttl: walk::ttl(head),
            size: Some(shape.memory),
            idle: head.idle,
        })
    }

    fn shown_at(
        &self,
        offset: u64,
        context: Context,
        window: Window,
    ) -> Result<(KeyCard, Value), Fault> {
        let mut reader = self.open_at(offset, context)?;
        reader.next().map_err(|error| self.fault(&error))?;
        let shape = reader.skip().map_err(|error| self.fault(&error))?;
        let mut reader = self.open_at(offset, context)?;
        reader.next().map_err(|error| self.fault(&error))?;
        let head = reader.head();
        let mut card = KeyCard {
            key: head.key(),
            kind: head.kind.clone(),
            ttl: walk::ttl(head),
            size: Some(shape.memory),
            length: Some(shape.length),
            encoding: Some(head.encoding.to_owned()),
            idle: head.idle,
            frequency: head.frequency.map(u64::from),
            slot: head.slot,
            item: None,
            is_touched: false,
        };
        let most = Bytes(self.target.limits.reply_bytes);
        let value = value::read(&mut reader, window, shape.length, most)
            .map_err(|error| self.fault(&error))?;
        if value.of.is_none() {
            card.length = None;
        }
        Ok((card, value))
    }

    /// Begins the pass over the whole file, unless it was begun on the file as it is now.
    fn pass(shared: &Arc<Self>) {
        let Ok((_, stamp)) = shared.file() else {
            // Whoever asked opens it, too, and tells why that fails.
            return;
        };
        {
            let mut known = shared.known();
            if known.stamp == Some(stamp) {
                return;
            }
            *known = Known {
                stamp: Some(stamp),
                is_passing: true,
                ..Known::default()
            };
        }
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || {
            let end = shared.count(stamp);
            let mut known = shared.known();
            if known.stamp == Some(stamp) {
                known.is_passing = false;
                known.index.complete();
                known.end = Some(end);
            }
            drop(known);
            shared.news.notify_waiters();
        });
    }

    /// Reads everything, and tells what it knows from time to time.
    fn count(&self, stamp: Stamp) -> Result<Ending, Fault> {
        let Opened { mut reader, .. } = self.open()?;
        let mut batch = Batch::default();
        let ending = loop {
            match reader.next().map_err(|error| self.fault(&error))? {
                Record::Key(_) => {
                    let shape = reader.skip().map_err(|error| self.fault(&error))?;
                    batch.take(reader.head(), shape);
                    if batch.len() >= BATCH && !self.tell(stamp, &mut batch) {
                        // Another file took its place: the pass over that one has begun.
                        return Ok(Ending::None);
                    }
                }
                Record::Function { .. } | Record::OldFunction { .. } => batch.functions += 1,
                Record::End(ending) => break ending,
                _ => {}
            }
        };
        self.tell(stamp, &mut batch);
        Ok(ending)
    }

    fn tell(&self, stamp: Stamp, batch: &mut Batch) -> bool {
        let mut known = self.known();
        if known.stamp != Some(stamp) {
            return false;
        }
        batch.empty_into(&mut known);
        drop(known);
        self.news.notify_waiters();
        true
    }

    /// What is known now, without waiting.
    fn counted(&self) -> (Counts, Option<Result<Ending, Fault>>, Option<Stamp>) {
        let known = self.known();
        (known.counts.clone(), known.end.clone(), known.stamp)
    }
}

/// Keys that were passed and not told yet. Names lie one behind the other.
#[derive(Default)]
struct Batch {
    names: Vec<u8>,
    keys: Vec<(usize, u64, Context)>,
    counts: BTreeMap<u32, Count>,
    functions: u64,
}

impl Batch {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn take(&mut self, head: &rdb::KeyHead, shape: rdb::Shape) {
        self.names.extend_from_slice(&head.name);
        let context = Context {
            db: head.db,
            slot: head.slot,
        };
        self.keys.push((self.names.len(), head.offset, context));
        let count = self.counts.entry(head.db).or_default();
        count.keys += 1;
        count.expiring += u64::from(head.ends.is_some());
        count.memory = count.memory.saturating_add(shape.memory.0);
    }

    fn empty_into(&mut self, known: &mut Known) {
        let mut from = 0;
        for (to, offset, context) in self.keys.drain(..) {
            known.index.add(&self.names[from..to], offset, context);
            from = to;
        }
        self.names.clear();
        for (db, count) in std::mem::take(&mut self.counts) {
            let all = known.counts.databases.entry(db).or_default();
            all.keys += count.keys;
            all.expiring += count.expiring;
            all.memory = all.memory.saturating_add(count.memory);
        }
        known.counts.functions += std::mem::take(&mut self.functions);
    }
}
