//! A walk over the keys of a snapshot: a thread reads, and pages wait in a short channel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::engine::Fault;
use crate::engine::file::{Opened, Shared};
use crate::model::{Coverage, Glob, Told, Ttl, WalkAsk, WalkCost, WalkKey, WalkPage};
use crate::snapshot::rdb::{KeyHead, Record, Shape};

/// Keys of a page; the first ones are small, so that something is there at once.
const PAGE: usize = 1_000;
const FIRST_PAGE: usize = 100;
/// Pages that may wait for whoever reads them.
const AHEAD: usize = 4;

/// A walk under way. Dropping it ends it.
#[derive(Debug)]
pub struct FileWalk {
    pages: mpsc::Receiver<Result<WalkPage, Fault>>,
    is_over: bool,
}

impl FileWalk {
    pub(super) fn over(shared: Arc<Shared>, ask: WalkAsk) -> Self {
        let (tell, pages) = mpsc::channel(AHEAD);
        // A file is read by a thread: reading waits, and must not hold up anybody else.
        tokio::task::spawn_blocking(move || {
            let mut reading = Reading {
                tell,
                pattern: ask.pattern.as_deref().map(Glob::new),
                began: Instant::now(),
                coverage: Coverage {
                    is_filtered: ask.pattern.is_some(),
                    ..Coverage::default()
                },
                page: Vec::new(),
                is_first: true,
            };
            if let Err(fault) = reading.read(&shared) {
                // What was read before is true all the same.
                reading.turn();
                reading.say(Err(fault));
            }
        });
        Self {
            pages,
            is_over: false,
        }
    }

    /// The next page; `None` after the last one.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        match self.pages.recv().await {
            Some(Ok(page)) => {
                self.is_over = page.coverage.is_complete;
                Ok(Some(page))
            }
            Some(Err(fault)) => Err(fault),
            None => Ok(None),
        }
    }
}

struct Reading {
    tell: mpsc::Sender<Result<WalkPage, Fault>>,
    pattern: Option<Glob>,
    began: Instant,
    coverage: Coverage,
    page: Vec<WalkKey>,
    is_first: bool,
}

impl Reading {
    fn read(&mut self, shared: &Shared) -> Result<(), Fault> {
        let Opened { mut reader, .. } = shared.open()?;
        let wanted = shared.target.database;
        let mut is_wanted = wanted == 0;
        loop {
            let record = reader.next().map_err(|error| shared.fault(&error))?;
            match record {
                // Their number stands behind that of their database.
                Record::Database(number) => is_wanted = number == wanted,
                Record::Sizes { keys, .. } if is_wanted => self.coverage.of = Some(keys),
                Record::Key(head) => {
                    if head.db != wanted || !self.matches(head) {
                        continue;
                    }
                    let shape = reader.skip().map_err(|error| shared.fault(&error))?;
                    self.page.push(told(reader.head(), shape));
                    self.coverage.seen += 1;
                    let size = if self.is_first { FIRST_PAGE } else { PAGE };
                    if self.page.len() >= size && !self.turn() {
                        return Ok(());
                    }
                }
                Record::End(_) => {
                    self.coverage.is_complete = true;
                    if !self.coverage.is_filtered {
                        self.coverage.of = Some(self.coverage.seen);
                    }
                    self.turn();
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    fn matches(&self, head: &KeyHead) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.matches(&head.name))
    }

    /// Hands the page on; `false` when nobody wants it any more.
    fn turn(&mut self) -> bool {
        self.is_first = false;
        let elapsed = self.began.elapsed();
        let speed = self.coverage.seen as f64 / elapsed.as_secs_f64().max(1e-6);
        let page = WalkPage {
            found: std::mem::take(&mut self.page),
            coverage: self.coverage,
            cost: WalkCost {
                elapsed,
                keys_per_s: (elapsed > Duration::from_millis(200)).then_some(speed),
                ..WalkCost::default()
            },
            ..WalkPage::default()
        };
        self.say(Ok(page))
    }

    fn say(&self, page: Result<WalkPage, Fault>) -> bool {
        self.tell.blocking_send(page).is_ok()
    }
}

/// Everything that a snapshot tells of a key.
pub(super) fn told(head: &KeyHead, shape: Shape) -> WalkKey {
    WalkKey {
        key: head.key(),
        told: Some(Told {
            kind: Some(head.kind.clone()),
            ttl: ttl(head),
            size: Some(shape.memory),
            idle: head.idle,
            frequency: head.frequency,
            encoding: Some(head.encoding()),
            length: crate::engine::file::is_collection(&head.kind).then_some(shape.length),
        }),
    }
}

pub(super) fn ttl(head: &KeyHead) -> Ttl {
    head.ends.map_or(Ttl::None, Ttl::Until)
}
