//! Which keys are fetched most: a window of the server's own log (`watch fetchers`, 1.4.26).
//!
//! The server drops lines rather than wait for whoever reads them, and counts what it drops; so a busy
//! server costs little, and the counts are scaled by what its counters say. The connections that
//! fetched are known by number, and `stats conns` (1.4.18) tells whose they are.

use std::collections::HashMap;
use std::time::Instant;

use crate::analysis::hitters::{Hit, Hitters};
use crate::engine::Fault;
use crate::engine::memcached::codec::Reply;
use crate::engine::memcached::command::Command;
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::wire::decode_uri;
use crate::engine::memcached::{MemcachedServer, Stats};
use crate::model::{HotAsk, HotEnd, HotKey, HotReport, HotVia, Key, Missing};
use crate::text;

const READ_AT_ONCE: usize = 256 << 10;
/// A line is shorter than that: the longest name, in three signs a byte, and a few numbers.
const LONGEST_LINE: usize = 4096;

/// A window on a server's log. Dropping it closes the connection that the server logs to.
#[derive(Debug)]
pub struct MemcachedHot {
    ask: HotAsk,
    conn: Conn,
    began: Instant,
    before: Log,
    after: Option<Log>,
    clients: HashMap<u64, String>,
    hitters: Hitters,
    buffer: Vec<u8>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    bytes: u64,
    end: HotEnd,
    has_begun: bool,
}

/// What the server's counters say of its log.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    written: u64,
    dropped: u64,
    skipped: u64,
    sent: u64,
}

impl Log {
    fn of(stats: &Stats) -> Self {
        let count = |name| stats.count(name).unwrap_or_default();
        Self {
            written: count("log_worker_written"),
            dropped: count("log_worker_dropped"),
            skipped: count("log_watcher_skipped"),
            sent: count("log_watcher_sent"),
        }
    }
}

impl MemcachedServer {
    pub async fn fetches(&self, ask: HotAsk) -> Result<MemcachedHot, Fault> {
        if let Some(via) = ask.via.filter(|via| *via != HotVia::Watch) {
            let why = format!("Memcached has no `{}`; it has `watch`", via.word());
            return Err(Fault::Missing(Missing(why)));
        }
        let stats = self.stats().await?;
        let mut conn = Conn::open(&self.target).await?;
        let clients = clients(&mut conn).await;
        conn.start_stream(&Command::watch_fetchers()).await?;
        Ok(MemcachedHot {
            began: Instant::now(),
            before: Log::of(&stats),
            after: None,
            clients,
            hitters: Hitters::default(),
            buffer: vec![0; READ_AT_ONCE],
            rest: Vec::new(),
            bytes: 0,
            end: HotEnd::Stopped,
            has_begun: false,
            ask,
            conn,
        })
    }

    /// Learns what the server dropped meanwhile, and whose connections are new.
    pub async fn settle_fetches(&self, hot: &mut MemcachedHot) -> Result<(), Fault> {
        hot.after = Some(Log::of(&self.stats().await?));
        let mut conn = Conn::open(&self.target).await?;
        hot.clients.extend(clients(&mut conn).await);
        Ok(())
    }
}

/// Connections by their number. A server that would not tell is no reason not to listen.
async fn clients(conn: &mut Conn) -> HashMap<u64, String> {
    let command = Command::stats("conns");
    let flight = conn.exchange(std::slice::from_ref(&command), None).await;
    let rows = flight.replies.into_iter().find_map(|reply| match reply {
        Reply::Stats(rows) => Some(rows),
        _ => None,
    });
    let rows = rows.unwrap_or_default().into_iter();
    let addresses = rows.filter_map(|(name, address)| {
        let number = name.strip_suffix(":addr")?.parse().ok()?;
        let address = address.strip_prefix("tcp:").unwrap_or(&address);
        Some((number, address.to_owned()))
    });
    addresses.collect()
}

impl MemcachedHot {
    /// Goes on; false when it is over.
    pub async fn step(&mut self) -> Result<bool, Fault> {
        let left = self.ask.window.saturating_sub(self.began.elapsed());
        let read = match self.conn.read_some(&mut self.buffer, left).await {
            Err(Fault::Timeout { .. }) if self.has_begun || left.is_zero() => {
                self.end = HotEnd::Done;
                return Ok(false);
            }
            read => read?,
        };
        if read == 0 {
            return Err(self.conn.broke_off(None));
        }
        self.bytes += read as u64;
        let came = std::mem::take(&mut self.buffer);
        let taken = self.feed(&came[..read]);
        self.buffer = came;
        taken?;
        if self.bytes >= self.ask.bytes.0 {
            self.end = HotEnd::Full;
            return Ok(false);
        }
        Ok(true)
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, after) = (&bytes[..end], &bytes[end + 1..]);
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.rest = whole;
            }
            bytes = after;
        }
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > LONGEST_LINE {
            return Err(self.conn.broke_off(Some("a line without end".to_owned())));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = line.trim_ascii_end();
        if !self.has_begun {
            self.has_begun = true;
            return match line {
                b"OK" => Ok(()),
                refused => Err(Fault::Refused {
                    command: "watch fetchers".to_owned(),
                    why: format!("it said {}", text::escape(refused)),
                }),
            };
        }
        let Some(fetch) = fetch_of(line) else {
            // `skipped=17`, or a line of another kind.
            return Ok(());
        };
        let mut key = Vec::with_capacity(fetch.key.len());
        decode_uri(fetch.key, &mut key);
        let client = fetch
            .connection
            .and_then(|number| self.clients.get(&number));
        let hit = Hit {
            is_hit: Some(fetch.is_hit),
            bytes: fetch.size,
            by: None,
            client: client.map(String::as_str),
        };
        self.hitters.add(&key, hit);
        Ok(())
    }

    pub fn report(&self) -> HotReport {
        let log = self.after.map(|after| Log {
            written: after.written.saturating_sub(self.before.written),
            dropped: after.dropped.saturating_sub(self.before.dropped),
            skipped: after.skipped.saturating_sub(self.before.skipped),
            sent: after.sent.saturating_sub(self.before.sent),
        });
        let dropped = log.map(|log| log.dropped + log.skipped);
        // What is not known cannot be scaled by.
        let scale = log.filter(|log| log.dropped + log.skipped > 0).map(|log| {
            let workers = ratio(log.written + log.dropped, log.written);
            let watchers = ratio(log.sent + log.skipped, log.sent);
            workers * watchers
        });
        let keys = self.hitters.top(self.ask.top).into_iter();
        let keys = keys.map(|(key, counter)| {
            let mut clients = counter.clients.clone();
            clients.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            HotKey {
                key: Key::new(key),
                count: Some(counter.count),
                estimate: scale.map(|scale| scaled(counter.count, scale)),
                hits: Some(counter.hits),
                misses: Some(counter.misses),
                bytes: Some(counter.bytes),
                by: Vec::new(),
                clients,
            }
        });
        HotReport {
            via: HotVia::Watch,
            keys: keys.collect(),
            seen: self.hitters.seen(),
            dropped,
            window: Some(self.began.elapsed().min(self.ask.window)),
            error: self.hitters.error(),
            ended: self.end,
            notes: Vec::new(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a factor for an estimate")]
fn ratio(all: u64, part: u64) -> f64 {
    if part == 0 {
        return 1.0;
    }
    all as f64 / part as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn scaled(count: u64, scale: f64) -> u64 {
    (count as f64 * scale).round() as u64
}

#[derive(Debug, PartialEq, Eq)]
struct Fetch<'a> {
    key: &'a [u8],
    is_hit: bool,
    connection: Option<u64>,
    size: u64,
}

/// `ts=1700000000.1 gid=2 type=item_get key=a status=found clsid=1 cfd=25 size=3`; older servers name
/// neither connection nor size.
fn fetch_of(line: &[u8]) -> Option<Fetch<'_>> {
    let mut fetch = Fetch {
        key: b"",
        is_hit: false,
        connection: None,
        size: 0,
    };
    let mut is_get = false;
    for word in line.split(|byte| *byte == b' ') {
        let Some(at) = memchr::memchr(b'=', word) else {
            continue;
        };
        let (name, value) = (&word[..at], &word[at + 1..]);
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        match name {
            b"type" => is_get = value == b"item_get",
            b"key" => fetch.key = value,
            b"status" => fetch.is_hit = value == b"found",
            b"cfd" => fetch.connection = number(),
            b"size" => fetch.size = number().unwrap_or_default(),
            _ => {}
        }
    }
    (is_get && !fetch.key.is_empty()).then_some(fetch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_servers_of_several_versions_write_them() {
        let line =
            b"ts=1795425969.77 gid=6 type=item_get key=%00%FF status=found clsid=1 cfd=25 size=3";
        let expected = Fetch {
            key: b"%00%FF",
            is_hit: true,
            connection: Some(25),
            size: 3,
        };
        assert_eq!(fetch_of(line), Some(expected));
        let old = b"ts=1.1 gid=1 type=item_get key=a status=not_found clsid=0";
        let fetch = fetch_of(old).unwrap();
        assert_eq!((fetch.is_hit, fetch.connection), (false, None));
        for other in [
            &b"skipped=17"[..],
            b"ts=1 type=eviction key=a",
            b"",
            b"type=item_get",
        ] {
            assert_eq!(fetch_of(other), None);
        }
    }
}
