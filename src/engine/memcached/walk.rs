//! Listing keys: the crawler's dump, read as fast as it comes.
//!
//! While a reader of `lru_crawler metadump` stalls, the server's crawler waits with a lock held; a
//! second request then freezes one of its threads, and some versions die. So a dump has a connection
//! and a task of its own, which reads at full speed into memory, whatever the walk's reader does. A
//! walk that is dropped is read on and thrown away, since closing early can crash older servers too.
//!
//! What cannot be helped: while the whole program is stopped by force (SIGSTOP) nobody reads, and the
//! server's crawler waits until it runs on or ends.

mod drain;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedMutexGuard, oneshot};
use tokio::time::{sleep, timeout};

use crate::engine::memcached::clock::Clock;
use crate::engine::memcached::codec::{Refusal, RefusalKind};
use crate::engine::memcached::command::Command;
use crate::engine::memcached::conn::{Conn, Hello};
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::wire::Glob;
use crate::engine::memcached::{MemcachedServer, Stats};
use crate::engine::{Fault, dial};
use crate::model::{
    Bytes, Coverage, Feature, Key, KeyKind, Place, Told, Ttl, UnixMs, WalkAsk, WalkKey, WalkPage,
};

use drain::{Drain, Start};

/// The crawler is often busy with its own work for a moment.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

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
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    more: Notify,
    /// Nobody reads any more.
    is_dropped: AtomicBool,
}

/// What was read and not taken yet.
#[derive(Debug, Default)]
struct Pending {
    pages: VecDeque<Packed>,
    bytes: usize,
    end: Option<Result<(), Fault>>,
}

impl MemcachedWalk {
    /// The next page; `None` after the last one.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        loop {
            {
                let mut pending = self.shared.pending();
                if let Some(page) = pending.pages.pop_front() {
                    pending.bytes -= page.bytes.len();
                    return Ok(Some(page.unpack()));
                }
                if let Some(end) = &pending.end {
                    return end.clone().map(|()| None);
                }
            }
            self.shared.more.notified().await;
        }
    }
}

impl Drop for MemcachedWalk {
    fn drop(&mut self) {
        self.shared.is_dropped.store(true, Ordering::Release);
        *self.shared.pending() = Pending::default();
    }
}

impl Shared {
    /// Held only between awaits.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the reader has taken everything so far.
    fn is_waited_for(&self) -> bool {
        self.pending().pages.is_empty()
    }

    fn kept_bytes(&self) -> usize {
        self.pending().bytes
    }

    fn push(&self, page: Packed) {
        let mut pending = self.pending();
        pending.bytes += page.bytes.len();
        pending.pages.push_back(page);
        drop(pending);
        self.more.notify_one();
    }

    fn finish(&self, end: Result<(), Fault>) {
        self.pending().end = Some(end);
        self.more.notify_one();
    }
}

/// A page in one piece of memory: per key its expiry, its size and itself.
#[derive(Debug, Default)]
struct Packed {
    bytes: Vec<u8>,
    keys: usize,
    coverage: Coverage,
}

/// Stands for an unknown size. No item is that large.
const NO_SIZE: u64 = u64::MAX;

/// Stand for a key without expiry and for an unknown one. No clock goes back so far.
const NEVER: i64 = i64::MIN;
const NO_TTL: i64 = i64::MIN + 1;

impl Packed {
    fn add(&mut self, key: &[u8], ttl: Ttl, size: Option<u64>) {
        let end = match ttl {
            Ttl::Until(end) => end.0,
            Ttl::None => NEVER,
            Ttl::Unknown => NO_TTL,
        };
        self.bytes.extend_from_slice(&end.to_le_bytes());
        self.bytes
            .extend_from_slice(&size.unwrap_or(NO_SIZE).to_le_bytes());
        self.bytes
            .extend_from_slice(&(key.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.keys += 1;
    }

    fn unpack(self) -> WalkPage {
        let mut found = Vec::with_capacity(self.keys);
        let mut rest = self.bytes.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<24>() {
            let word = |at: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&head[at..at + 8]);
                bytes
            };
            let length = usize::try_from(u64::from_le_bytes(word(16))).unwrap_or(usize::MAX);
            let Some((key, after)) = after.split_at_checked(length) else {
                break;
            };
            let ttl = match i64::from_le_bytes(word(0)) {
                NEVER => Ttl::None,
                NO_TTL => Ttl::Unknown,
                end => Ttl::Until(UnixMs(end)),
            };
            let size = Some(u64::from_le_bytes(word(8))).filter(|size| *size != NO_SIZE);
            found.push(WalkKey {
                key: Key::new(key),
                told: Some(Told {
                    kind: Some(KeyKind::Item),
                    ttl,
                    size: size.map(Bytes),
                    ..Told::default()
                }),
            });
            rest = after;
        }
        WalkPage {
            found,
            coverage: self.coverage,
            ..WalkPage::default()
        }
    }
}

impl MemcachedServer {
    pub(super) async fn start_walk(&self, ask: WalkAsk) -> Result<MemcachedWalk, Fault> {
        let hello = self.work.hello().await?;
        if hello.version.is_some() && !hello.is(Version::has_metadump) {
            let why = format!(
                "Memcached {} cannot list its keys (1.4.31 and later can)",
                hello.text
            );
            return Err(self.lacks(Feature::Walk, &why));
        }
        self.refuse_slow_link(&hello).await?;
        for attempt in 1..=TRIES {
            // An earlier dump of ours may still be read to its end.
            let lock = Arc::clone(&self.dump_turn).lock_owned();
            let turn = timeout(THROW_AWAY + PAUSE, lock)
                .await
                .map_err(|_| self.is_busy())?;
            let stats = self.stats().await?;
            // A second request while another dump stalls would freeze a thread of the server.
            if stats.count("lru_crawler_running").unwrap_or(0) == 0 {
                match self.start_dump(&ask, &hello, &stats, turn).await? {
                    Start::Going(walk) => return Ok(walk),
                    Start::Refused(refusal) if is_passing(&refusal) => {}
                    Start::Refused(refusal) => return Err(self.cannot_list(&refusal, &hello)),
                }
            } else {
                drop(turn);
            }
            if attempt < TRIES {
                sleep(PAUSE).await;
            }
        }
        Err(self.is_busy())
    }

    async fn start_dump(
        &self,
        ask: &WalkAsk,
        hello: &Hello,
        stats: &Stats,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Start<MemcachedWalk>, Fault> {
        let walk = MemcachedWalk {
            shared: Arc::default(),
        };
        let (tell, told) = oneshot::channel();
        let drain = Drain {
            conn: Conn::open(&self.target).await?,
            shared: Arc::clone(&walk.shared),
            pattern: ask.pattern.as_deref().map(Glob::new),
            clock: Clock::of(stats),
            page: Packed::default(),
            coverage: Coverage {
                of: stats.count("curr_items"),
                holds_server: true,
                ..Coverage::default()
            },
            tell: Some(tell),
            is_at_end: false,
            may_close_early: hello.is(Version::survives_early_close),
            ends_silently: hello.is(Version::may_forget_the_end),
            silence: self.target.limits.reply.max(SILENCE),
            _turn: turn,
        };
        // From here on `walk` guards the task: should we be dropped, it reads on and throws away.
        tokio::spawn(drain.run(Command::metadump(hello.is(Version::dumps_by_hash))));
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
        Place::Unix(_) => true,
        Place::Tcp { host, .. } => {
            host == "localhost"
                || host
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;
    use crate::model::{Bytes, Key, KeyKind, Told, Ttl, UnixMs, WalkKey};

    #[test]
    fn pages_survive_packing() {
        let keys = [
            (
                &b"user:1"[..],
                Ttl::Until(UnixMs(1_795_387_347_000)),
                Some(63),
            ),
            (b"\x00\xff ", Ttl::None, Some(0)),
            (b"", Ttl::Until(UnixMs(-1)), None),
        ];
        let mut page = Packed::default();
        for (key, ttl, size) in keys {
            page.add(key, ttl, size);
        }
        let expected = keys.map(|(key, ttl, size)| WalkKey {
            key: Key::new(key),
            told: Some(Told {
                kind: Some(KeyKind::Item),
                ttl,
                size: size.map(Bytes),
                ..Told::default()
            }),
        });
        assert_eq!(page.unpack().found, expected);
    }
}
