//! The task that reads a dump, whatever happens to the walk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::engine::Fault;
use crate::engine::memcached::clock::Clock;
use crate::engine::memcached::codec::Refusal;
use crate::engine::memcached::command::Command;
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::dump::{DumpItem, DumpLine, DumpReader};
use crate::engine::memcached::walk::{Packed, Shared, THROW_AWAY};
use crate::engine::memcached::wire::Glob;
use crate::model::{Coverage, Ttl};

const READ_AT_ONCE: usize = 256 << 10;
const KEYS_A_PAGE: usize = 1_000;

/// Keys that wait for their reader may take this much memory. What comes after is counted only.
const KEPT_BYTES: usize = 256 << 20;

/// How much of a dump is read on that nobody wants any more.
const THROW_AWAY_BYTES: usize = 512 << 20;

/// What the first line of a dump said.
pub(super) enum Start<T> {
    Going(T),
    Refused(Refusal),
}

pub(super) struct Drain {
    pub conn: Conn,
    pub shared: Arc<Shared>,
    pub pattern: Option<Glob>,
    pub clock: Option<Clock>,
    /// The page being filled.
    pub page: Packed,
    pub coverage: Coverage,
    /// Where the first line is awaited.
    pub tell: Option<oneshot::Sender<Result<Start<()>, Fault>>>,
    pub is_at_end: bool,
    pub may_close_early: bool,
    /// The server may just stop instead of saying that it is done.
    pub ends_silently: bool,
    pub silence: Duration,
    /// Held until the dump is over: the server's crawler serves one at a time.
    pub _turn: OwnedMutexGuard<()>,
}

/// What is still read for nobody.
struct Leftover {
    since: Instant,
    bytes: usize,
}

impl Drain {
    pub async fn run(mut self, command: Command) {
        let end = self.read(&command).await;
        match (self.tell.take(), end) {
            (None, end) => {
                self.coverage.is_complete = self.is_at_end;
                self.seal();
                self.shared.finish(end);
            }
            (Some(tell), Err(fault)) => self::tell(tell, Err(fault)),
            // The walk was dropped before the first line came.
            (Some(_), Ok(())) => {}
        }
    }

    async fn read(&mut self, command: &Command) -> Result<(), Fault> {
        self.conn.start_stream(command).await?;
        let mut buffer = vec![0; READ_AT_ONCE];
        let mut lines = DumpReader::default();
        let mut leftover: Option<Leftover> = None;
        loop {
            let read = match self.conn.read_some(&mut buffer, self.silence).await {
                Err(Fault::Timeout { .. }) if self.ends_silently && self.tell.is_none() => {
                    return Ok(());
                }
                read => read?,
            };
            if read == 0 {
                return Err(self.conn.broke_off(None));
            }
            if self.shared.is_dropped.load(Ordering::Acquire) {
                let over = leftover.get_or_insert_with(|| Leftover {
                    since: Instant::now(),
                    bytes: 0,
                });
                over.bytes += read;
                let is_enough = over.bytes > THROW_AWAY_BYTES || over.since.elapsed() > THROW_AWAY;
                if self.may_close_early || is_enough {
                    return Ok(());
                }
            }
            let mut strange = None;
            lines
                .feed(&buffer[..read], |line| self.take(line, &mut strange))
                .map_err(|()| self.conn.broke_off(Some("a line without end".into())))?;
            if strange.is_some() {
                return Err(self.conn.broke_off(strange));
            }
            if self.is_at_end {
                return Ok(());
            }
            // Everybody hears of progress, also while nothing matches.
            if self.page.keys > 0 || self.shared.is_waited_for() {
                self.seal();
            }
        }
    }

    /// Takes a line; `false` when it is the last one that matters.
    fn take(&mut self, line: DumpLine, strange: &mut Option<String>) -> bool {
        match (line, self.tell.take()) {
            (DumpLine::Refused(refusal), Some(waiting)) => {
                // Nothing follows, and nobody walks.
                self.is_at_end = true;
                tell(waiting, Ok(Start::Refused(refusal)));
                return false;
            }
            (DumpLine::Strange(got), waiting) => {
                self.tell = waiting;
                *strange = Some(got);
                return false;
            }
            (DumpLine::Refused(refusal), None) => {
                *strange = Some(refusal.words);
                return false;
            }
            (DumpLine::Start, waiting) => started(waiting),
            (DumpLine::End, waiting) => {
                started(waiting);
                self.is_at_end = true;
                return false;
            }
            (DumpLine::Item(item), waiting) => {
                started(waiting);
                self.keep(&item);
            }
        }
        true
    }

    fn keep(&mut self, item: &DumpItem) {
        self.coverage.seen += 1;
        let is_wanted = self
            .pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&item.key));
        if !is_wanted || self.shared.is_dropped.load(Ordering::Relaxed) {
            return;
        }
        if self.page.keys >= KEYS_A_PAGE {
            self.seal();
        }
        if self.page.keys == 0 && self.shared.kept_bytes() > KEPT_BYTES {
            self.coverage.not_kept += 1;
            return;
        }
        let ttl = match (item.expires, self.clock) {
            (None, _) => Ttl::None,
            (Some(_), None) => Ttl::Unknown,
            (Some(second), Some(clock)) => Ttl::Until(clock.to_ours(second)),
        };
        self.page.add(&item.key, ttl, item.size);
    }

    /// Hands the page on, with how far the dump was when it was full.
    fn seal(&mut self) {
        let mut page = std::mem::take(&mut self.page);
        page.coverage = self.coverage;
        if !self.shared.is_dropped.load(Ordering::Acquire) {
            self.shared.push(page);
        }
    }
}

fn started(waiting: Option<oneshot::Sender<Result<Start<()>, Fault>>>) {
    if let Some(waiting) = waiting {
        tell(waiting, Ok(Start::Going(())));
    }
}

fn tell(waiting: oneshot::Sender<Result<Start<()>, Fault>>, what: Result<Start<()>, Fault>) {
    if waiting.send(what).is_err() {
        tracing::debug!("nobody waits for the first line of a dump any more");
    }
}
