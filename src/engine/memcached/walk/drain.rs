//! The thread that reads a dump, whatever happens to the walk.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::engine::Fault;
use crate::engine::memcached::codec::{Refusal, Reply};
use crate::engine::memcached::command::Command;
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::dump::{DumpItem, DumpLine, DumpReader};
use crate::engine::memcached::stats::Stats;
use crate::engine::memcached::walk::page::Page;
use crate::engine::memcached::walk::{Shared, THROW_AWAY};
use crate::model::{Coverage, Glob, Target, WalkCost};

const READ_AT_ONCE: usize = 256 << 10;
const ITEMS_A_PAGE: usize = 1_000;
/// Room for so many items with names of ordinary length.
const PAGE_BYTES: usize = ITEMS_A_PAGE * 64;
/// A page that does not fill is handed on after so long.
const FRESH: Duration = Duration::from_millis(50);

/// Items that wait for their reader may take this much memory. What comes after is counted only.
const KEPT_BYTES: usize = 256 << 20;

/// How much of a dump is read on that nobody wants any more.
const THROW_AWAY_BYTES: usize = 512 << 20;

/// What the first line of a dump said.
pub(super) enum Start<T> {
    Going(T),
    Refused(Refusal),
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "what this server is like, each on its own"
)]
pub(super) struct Drain {
    pub target: Arc<Target>,
    pub shared: Arc<Shared>,
    pub pattern: Option<Glob>,
    pub keeps_cas: bool,
    /// The page being filled.
    pub page: Page,
    pub coverage: Coverage,
    pub began: Instant,
    /// When the page before was handed on.
    pub sealed: Instant,
    /// The server's processor time before the dump.
    pub processor: Option<Duration>,
    /// What the dump took of it, when that is known.
    pub spent: Option<Duration>,
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
    /// Reads the dump on a thread of its own, so that nothing else of ours can hold it up.
    pub fn start(self, command: Command) -> Result<(), Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let begun = runtime.and_then(|runtime| {
            thread::Builder::new()
                .name("dump".into())
                .spawn(move || runtime.block_on(self.run(command)))
        });
        // The thread ends by itself, with the dump.
        begun
            .map(drop)
            .map_err(|error| Fault::Setup(format!("no thread to list keys with: {error}")))
    }

    async fn run(mut self, command: Command) {
        let end = self.read(&command).await;
        match (self.tell.take(), end) {
            (None, end) => {
                self.account().await;
                self.coverage.is_complete = self.is_at_end && self.coverage.not_kept == 0;
                self.seal();
                self.shared.finish(end);
            }
            (Some(tell), Err(fault)) => self::tell(tell, Err(fault)),
            // The walk was dropped before the first line came.
            (Some(_), Ok(())) => {}
        }
    }

    async fn read(&mut self, command: &Command) -> Result<(), Fault> {
        let mut conn = Conn::open(&self.target).await?;
        conn.start_stream(command).await?;
        let mut buffer = vec![0; READ_AT_ONCE];
        let mut lines = DumpReader::default();
        let mut leftover: Option<Leftover> = None;
        loop {
            let read = match conn.read_some(&mut buffer, self.silence).await {
                Err(Fault::Timeout { .. }) if self.ends_silently && self.tell.is_none() => {
                    return Ok(());
                }
                read => read?,
            };
            if read == 0 {
                return Err(conn.broke_off(None));
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
                .map_err(|()| conn.broke_off(Some("a line without end".into())))?;
            if strange.is_some() {
                return Err(conn.broke_off(strange));
            }
            if self.is_at_end {
                return Ok(());
            }
            // Everybody hears of progress, also while nothing matches.
            if self.sealed.elapsed() > FRESH {
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
        if self.page.items() >= ITEMS_A_PAGE {
            self.seal();
        }
        if self.page.bytes() == 0 {
            if self.shared.kept_bytes() > KEPT_BYTES {
                self.coverage.not_kept += 1;
                return;
            }
            self.page = Page::with_room(PAGE_BYTES, self.keeps_cas);
        }
        self.page.add(item, self.pattern.as_ref());
    }

    /// Hands the page on, with how far the dump was when it was full.
    fn seal(&mut self) {
        self.sealed = Instant::now();
        let mut page = std::mem::take(&mut self.page);
        page.close();
        page.coverage = self.coverage;
        page.cost = self.cost();
        if !self.shared.is_dropped.load(Ordering::Acquire) {
            self.shared.push(page);
        }
    }

    /// What the dump took of the server's processor. The crawler is one thread: what others took beside
    /// it counts no further than that.
    async fn account(&mut self) {
        let took = self.began.elapsed();
        if self.shared.is_dropped.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut conn) = Conn::open(&self.target).await else {
            return;
        };
        let mut flight = conn.exchange(&[Command::stats("")], None).await;
        let Some(Reply::Stats(rows)) = flight.replies.pop() else {
            return;
        };
        let processor = Stats::new(rows).processor();
        let spent = self.processor.zip(processor);
        self.spent = spent.and_then(|(before, after)| Some(after.checked_sub(before)?.min(took)));
    }

    fn cost(&self) -> WalkCost {
        let elapsed = self.began.elapsed();
        let seconds = elapsed.as_secs_f64();
        WalkCost {
            elapsed,
            // Until the server tells, its crawler may have worked all the time.
            server: self.spent.unwrap_or(elapsed),
            // The statistics before, the dump, the statistics after.
            round_trips: 2 + u64::from(self.spent.is_some()),
            commands: 2 + u64::from(self.spent.is_some()),
            keys_per_s: (seconds > 0.0).then(|| self.coverage.seen as f64 / seconds),
            share: self
                .spent
                .filter(|_| seconds > 0.0)
                .map(|spent| spent.as_secs_f64() / seconds),
            ..WalkCost::default()
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
