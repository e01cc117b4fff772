//! Listing keys: the crawler's dump, read as fast as it comes.
//!
//! While a reader of `lru_crawler metadump` stalls, the server's crawler waits with a lock held; a
//! second request then freezes one of its threads, and some versions die. So a dump has a connection
//! and a thread of its own, which reads at full speed into memory, whatever the walk's reader does:
//! also while that one waits for a terminal or a pipe. A walk that is dropped is read on and thrown
//! away, since closing early can crash older servers too.
//!
//! What cannot be helped: while the whole program is stopped by force (SIGSTOP) nobody reads, and the
//! server's crawler waits until it runs on or ends.

mod drain;
mod page;
mod spill;

use std::collections::VecDeque;
use std::fs::File;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedMutexGuard, oneshot};
use tokio::time::{sleep, timeout};

use crate::engine::memcached::clock::{Clock, now};
use crate::engine::memcached::codec::{Refusal, RefusalKind};
use crate::engine::memcached::command::Command;
use crate::engine::memcached::conn::Hello;
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::{MemcachedServer, Stats};
use crate::engine::{Fault, dial};
use crate::model::{Coverage, Feature, Glob, Place, WalkAsk, WalkPage};

use drain::{Drain, Start};
use page::Times;
use spill::Spill;

pub(super) use page::{Listed, Page};

/// The crawler is often busy with its own work for a moment, and with ours after a dump has ended: the
/// statistics say when it rests, and asking for them harms nobody.
const RESTS_SOON: Duration = Duration::from_millis(10);
const RESTS_LATE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 6 });
/// A refused request makes the server put off its own crawls, so there are few tries.
const TRIES: u32 = 3;
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// How long a dump is read on that nobody wants any more.
const THROW_AWAY: Duration = Duration::from_secs(10);

/// The server may be quiet for this long in the middle of a dump.
const SILENCE: Duration = Duration::from_secs(10);

/// From here on a link counts as slow for servers that die of a stalled dump.
const SLOW_LINK: Duration = Duration::from_millis(100);

/// A walk over the keys of one server.
#[derive(Debug)]
pub struct MemcachedWalk {
    shared: Arc<Shared>,
    clock: Option<Clock>,
}

/// What to list, and for whom.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub pattern: Option<Glob>,
    /// Keeps the CAS of each item, too.
    pub keeps_cas: bool,
    /// Where pages go that wait for too long; without it they wait in memory.
    pub spill: Option<File>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    more: Notify,
    /// Wakes the thread that moves pages to a file.
    too_many: Condvar,
    /// Nobody reads any more.
    is_dropped: AtomicBool,
}

/// What was read and not taken yet.
#[derive(Debug, Default)]
struct Pending {
    pages: VecDeque<Page>,
    bytes: usize,
    end: Option<Result<(), Fault>>,
    spill: Option<Spill>,
}

impl MemcachedWalk {
    /// The next page; `None` after the last one.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        let page = self.page().await?;
        let times = self.clock.map(|clock| Times { clock, now: now() });
        Ok(page.map(|page| page.unpack(times)))
    }

    /// The next page as it is packed; `None` after the last one. Being dropped loses none.
    pub(super) async fn page(&mut self) -> Result<Option<Page>, Fault> {
        loop {
            if let Some(taken) = self.shared.take() {
                return taken;
            }
            self.shared.more.notified().await;
        }
    }

    pub(super) fn clock(&self) -> Option<Clock> {
        self.clock
    }
}

impl Drop for MemcachedWalk {
    fn drop(&mut self) {
        self.shared.is_dropped.store(true, Ordering::Release);
        *self.shared.pending() = Pending::default();
        self.shared.too_many.notify_one();
    }
}

impl Shared {
    /// Held for a moment only: the dump must not wait.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next page, or how the dump ended after its last one; `None` when more is to come.
    fn take(&self) -> Option<Result<Option<Page>, Fault>> {
        let mut pending = self.pending();
        if let Some(page) = pending.pages.pop_front() {
            pending.bytes -= page.bytes();
            return Some(Ok(Some(page)));
        }
        match pending.spill.as_mut().map(Spill::take) {
            None | Some(Ok(spill::Taken::Nothing)) => {}
            Some(Ok(spill::Taken::Page(page))) => return Some(Ok(Some(*page))),
            // One is on its way to the file.
            Some(Ok(spill::Taken::Later)) => return None,
            Some(Err(error)) => return Some(Err(lost(&error))),
        }
        let end = pending.end.clone()?;
        Some(end.map(|()| None))
    }

    fn kept_bytes(&self) -> usize {
        self.pending().bytes
    }

    fn push(&self, page: Page) {
        let mut pending = self.pending();
        pending.bytes += page.bytes();
        pending.pages.push_back(page);
        let is_too_much = pending.bytes > spill::KEPT_BYTES;
        drop(pending);
        self.more.notify_one();
        if is_too_much {
            self.too_many.notify_one();
        }
    }

    fn finish(&self, end: Result<(), Fault>) {
        self.pending().end = Some(end);
        self.more.notify_one();
        self.too_many.notify_one();
    }
}

fn lost(error: &std::io::Error) -> Fault {
    Fault::Setup(format!("the list of items cannot be kept: {error}"))
}

impl MemcachedServer {
    pub(super) async fn start_walk(&self, ask: WalkAsk) -> Result<MemcachedWalk, Fault> {
        let listing = Listing {
            pattern: ask.pattern.as_deref().map(Glob::new),
            ..Listing::default()
        };
        self.start_listing(listing).await
    }

    pub(super) async fn start_listing(&self, listing: Listing) -> Result<MemcachedWalk, Fault> {
        let hello = self.work.hello().await?;
        if hello.version.is_some() && !hello.is(Version::has_metadump) {
            let why = format!(
                "Memcached {} cannot list its keys (1.4.31 and later can)",
                hello.text
            );
            return Err(self.lacks(Feature::Walk, &why));
        }
        self.refuse_slow_link(&hello).await?;
        let began = Instant::now();
        let mut pause = RESTS_SOON;
        let mut refusals = 0;
        loop {
            // An earlier dump of ours may still be read to its end.
            let lock = Arc::clone(&self.dump_turn).lock_owned();
            let turn = timeout(THROW_AWAY + PATIENCE, lock)
                .await
                .map_err(|_| self.is_busy())?;
            let stats = self.stats().await?;
            // A second request while another dump stalls would freeze a thread of the server.
            if stats.count("lru_crawler_running").unwrap_or(0) == 0 {
                match self.start_dump(&listing, &hello, &stats, turn).await? {
                    Start::Going(walk) => return Ok(walk),
                    Start::Refused(refusal) if is_passing(&refusal) => {}
                    Start::Refused(refusal) => return Err(self.cannot_list(&refusal, &hello)),
                }
                refusals += 1;
                pause = AFTER_REFUSAL;
            } else {
                drop(turn);
            }
            if refusals == TRIES || began.elapsed() + pause > PATIENCE {
                return Err(self.is_busy());
            }
            sleep(pause).await;
            pause = (pause * 2).min(RESTS_LATE);
        }
    }

    async fn start_dump(
        &self,
        listing: &Listing,
        hello: &Hello,
        stats: &Stats,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Start<MemcachedWalk>, Fault> {
        let walk = MemcachedWalk {
            shared: Arc::default(),
            clock: Clock::of(stats),
        };
        if let Some(file) = &listing.spill {
            let file = file.try_clone().map_err(|error| lost(&error))?;
            spill::start(&walk.shared, file, listing.keeps_cas).map_err(|error| lost(&error))?;
        }
        let (tell, told) = oneshot::channel();
        let drain = Drain {
            target: Arc::clone(&self.target),
            shared: Arc::clone(&walk.shared),
            pattern: listing.pattern.clone(),
            keeps_cas: listing.keeps_cas,
            page: Page::default(),
            coverage: Coverage {
                of: stats.count("curr_items"),
                holds_server: true,
                ..Coverage::default()
            },
            began: Instant::now(),
            sealed: Instant::now(),
            processor: stats.processor(),
            spent: None,
            tell: Some(tell),
            is_at_end: false,
            may_close_early: hello.is(Version::survives_early_close),
            ends_silently: hello.is(Version::may_forget_the_end),
            silence: self.target.limits.reply.max(SILENCE),
            _turn: turn,
        };
        // From here on `walk` guards the thread: should we be dropped, it reads on and throws away.
        drain.start(Command::metadump(hello.is(Version::dumps_by_hash)))?;
        match told.await {
            Ok(Ok(Start::Going(()))) => Ok(Start::Going(walk)),
            Ok(Ok(Start::Refused(refusal))) => Ok(Start::Refused(refusal)),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::Closed {
                place: dial::place(&self.target),
                doing: "starting to list its keys",
            }),
        }
    }

    /// Some versions die of a reader that stalls, and a slow link stalls.
    async fn refuse_slow_link(&self, hello: &Hello) -> Result<(), Fault> {
        if !hello.is(Version::dies_of_slow_dumps) || is_near(&self.target.place) {
            return Ok(());
        }
        let sent = Instant::now();
        self.work.ask(&[Command::version()]).await?;
        if sent.elapsed() < SLOW_LINK {
            return Ok(());
        }
        Err(Fault::Refused {
            command: "lru_crawler metadump".into(),
            why: format!(
                "Memcached {} can crash while its keys are listed over a slow link (1.6.44 mends it): run cachedeck near the server",
                hello.text
            ),
        })
    }

    fn is_busy(&self) -> Fault {
        Fault::NotReady {
            place: dial::place(&self.target),
            why: "its crawler is busy with another listing".into(),
        }
    }

    fn cannot_list(&self, refusal: &Refusal, hello: &Hello) -> Fault {
        let why = if refusal.words.contains("disabled") {
            "this server cannot list its keys: its crawler is off (lru_crawler enable, or -o lru_crawler)".to_owned()
        } else if refusal.words.contains("not allowed") {
            "this server does not allow to list its keys (it was started with -X)".to_owned()
        } else {
            format!(
                "this server ({}) cannot list its keys: {}",
                hello.text, refusal.words
            )
        };
        self.lacks(Feature::Walk, &why)
    }
}

/// A refusal that another try may not meet.
fn is_passing(refusal: &Refusal) -> bool {
    refusal.kind == RefusalKind::Busy || refusal.words.contains("try again")
}

fn is_near(place: &Place) -> bool {
    match place {
        Place::Unix(_) | Place::File(_) => true,
        Place::Tcp { host, .. } => {
            host == "localhost"
                || host
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}
