//! Taking all items of a server: its keys by the crawler, and their values behind it.
//!
//! The listing is read at full speed whatever happens here (see `walk`). Behind it the items are asked
//! for in flights, by `mg … u` where the server knows it, which moves nothing in its queues. What is
//! taken is not one moment of the cache: each item is as it was when it was asked for.
//!
//! On an item that its application marked as stale, the first `mg` of anybody takes the recache token.
//! So a token that was taken here is given back at once, as when a single key is looked at: that
//! command undoes an effect of our own reading and nothing else.

mod reply;

use std::collections::VecDeque;
use std::fs::File;
use std::time::{Duration, Instant};

use crate::engine::Fault;
use crate::engine::governor::{Flown, Governor};
use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::{Batch, Dialect};
use crate::engine::memcached::clock::{Clock, now};
use crate::engine::memcached::command::{Command, Won};
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::pipe::Pipe;
use crate::engine::memcached::walk::{Listed, Listing, MemcachedWalk, Page};
use crate::model::Glob;
use crate::model::{Coverage, Pace, WalkCost};
use crate::snapshot::items::{Block, Header, LONGEST_VALUE};

use reply::Due;

pub(super) use reply::{Head, Left, classic_head, meta_head};

/// Items asked for in one go at full speed.
const FULL_FLIGHT: usize = 256;
/// Bytes of values that one flight brings, unless one item is larger.
const FLIGHT_BYTES: u64 = 512 << 10;
/// The same for all flights that are in the air, so that the server holds little for us.
const AIR_BYTES: u64 = 2 << 20;
const FLIGHTS: usize = 6;

/// What an item takes of the server's time, and a byte of it: measured on 1.6.18 over a unix socket and
/// rounded up. Replies cannot be timed one by one, since others are on their way with them.
const ITEM_COST: Duration = Duration::from_nanos(1_500);
const BYTES_A_SECOND: f64 = 2e9;

/// What to take, and how gently.
#[derive(Debug, Default)]
pub struct TakeAsk {
    pub pattern: Option<Vec<u8>>,
    pub pace: Pace,
    /// Where the list of keys may go when it becomes long. Without it, it stays in memory.
    pub spill: Option<File>,
}

/// What became of the items that were listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakeTally {
    pub items: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Gone when they were asked for.
    pub gone: u64,
    /// Written to, or given another time to live, since they were listed.
    pub changed: u64,
    /// Marked as stale; kept with their mark.
    pub stale: u64,
    /// Recache tokens that were taken by looking, and given back.
    pub tokens: u64,
    /// Places that an application keeps for items which it has not made yet.
    pub placeholders: u64,
    /// Their names cannot be sent to this server.
    pub unnameable: u64,
    /// The server could not hand them out.
    pub refused: u64,
}

impl TakeTally {
    /// Listed and not kept, though they are there.
    pub fn left_out(&self) -> u64 {
        self.unnameable + self.refused
    }
}

/// Items being taken. Dropping it ends it.
#[derive(Debug)]
pub struct MemcachedTake<'a> {
    server: &'a MemcachedServer,
    walk: MemcachedWalk,
    pipe: Pipe,
    dialect: Dialect,
    clock: Option<Clock>,
    header: Header,
    governor: Governor,
    /// The page that flights are made of, and how much of it is used.
    page: Option<(Page, usize)>,
    /// The list has ended.
    is_listed: bool,
    air: VecDeque<Flight>,
    spare: Vec<Flight>,
    batch: Batch,
    due: Due,
    block: Block,
    tokens: Vec<Command>,
    coverage: Coverage,
    tally: TakeTally,
    told: TakeTally,
    /// What the server said of items that it did not hand out; the first one.
    refusal: Option<String>,
    began: Instant,
}

/// Items that were asked for and have not all come.
#[derive(Debug, Default)]
struct Flight {
    keys: Vec<u8>,
    items: Vec<Asked>,
    /// How many have come.
    at: usize,
    /// Bytes that it is expected to bring.
    bytes: u64,
    sent: Option<Instant>,
    /// The same on the server's clock.
    second: Option<u32>,
}

/// An item as it was listed.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// Where its key begins and ends.
    key: (u32, u32),
    expires: Option<u32>,
    accessed: Option<u32>,
    cas: Option<u64>,
}

impl Flight {
    fn clear(&mut self) {
        self.keys.clear();
        self.items.clear();
        (self.at, self.bytes, self.sent, self.second) = (0, 0, None, None);
    }

    fn add(&mut self, listed: &Listed) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = self.keys.len();
        self.keys.extend_from_slice(listed.key);
        self.items.push(Asked {
            key: (place(start), place(self.keys.len())),
            expires: listed.expires,
            accessed: listed.accessed,
            cas: listed.cas,
        });
        self.bytes += u64::from(listed.size.unwrap_or_default());
    }

    fn key(&self, asked: &Asked) -> &[u8] {
        &self.keys[asked.key.0 as usize..asked.key.1 as usize]
    }
}

impl MemcachedServer {
    /// Begins to take all items.
    ///
    /// # Errors
    /// When the server cannot list its keys, or is busy with that.
    pub async fn take(&self, ask: TakeAsk) -> Result<MemcachedTake<'_>, Fault> {
        let pipe = Conn::open(&self.target).await?.into_pipe();
        let hello = pipe.hello().clone();
        let stats = self.stats().await?;
        let walk = self
            .start_listing(Listing {
                pattern: ask.pattern.as_deref().map(Glob::new),
                keeps_cas: true,
                spill: ask.spill,
            })
            .await?;
        let clock = walk.clock();
        Ok(MemcachedTake {
            server: self,
            header: Header {
                place: self.place(),
                version: hello.text.clone(),
                began: Some(now()),
                clock_ahead_ms: clock.map(Clock::ahead),
                items: stats.count("curr_items"),
                may_miss: !hello.is(Version::dumps_by_hash),
            },
            dialect: if hello.is(Version::has_meta) {
                Dialect::Meta
            } else {
                Dialect::Classic
            },
            walk,
            pipe,
            clock,
            governor: Governor::new(ask.pace, 1, Instant::now()),
            page: None,
            is_listed: false,
            air: VecDeque::new(),
            spare: Vec::new(),
            batch: Batch::default(),
            due: Due::Head,
            block: Block::default(),
            tokens: Vec::new(),
            coverage: Coverage::default(),
            tally: TakeTally::default(),
            told: TakeTally::default(),
            refusal: None,
            began: Instant::now(),
        })
    }
}

impl MemcachedTake<'_> {
    /// Where the items are from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn tally(&self) -> &TakeTally {
        &self.tally
    }

    /// What the server said of the first item that it did not hand out.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Whether taking counts as an access of each item, for want of a way to look without.
    pub fn touches(&self) -> bool {
        self.dialect == Dialect::Classic
    }

    /// How far the listing is; `seen` counts what was listed.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    pub fn cost(&self) -> WalkCost {
        WalkCost {
            keys_per_s: Some(self.tally.items as f64 / self.began.elapsed().as_secs_f64()),
            ..self.governor.cost(Instant::now())
        }
    }

    /// The next items; `None` after the last ones. `room` is a block that is not needed any more.
    ///
    /// # Errors
    /// When the connection broke, or the server refuses. Then what came is not all.
    pub async fn step(&mut self, mut room: Block) -> Result<Option<Block>, Fault> {
        room.clear();
        loop {
            if self.read_replies()? {
                self.give_back().await?;
                return Ok(Some(std::mem::replace(&mut self.block, room)));
            }
            self.give_back().await?;
            self.send_flights()?;
            if self.air.is_empty() && self.page.is_none() && self.is_listed {
                let block = std::mem::replace(&mut self.block, room);
                self.settle();
                return Ok((!block.is_empty()).then_some(block));
            }
            self.wait().await?;
        }
    }

    /// Waits for whatever lets it go on.
    async fn wait(&mut self) -> Result<(), Fault> {
        let wants_page = self.page.is_none() && !self.is_listed;
        let pause = self.governor.pause(Instant::now());
        let may_send = self.page.is_some() && self.has_room();
        let expects = !self.air.is_empty();
        if !expects && self.pipe.is_sent() {
            self.pipe.stir();
        }
        tokio::select! {
            biased;
            turned = self.pipe.turn(expects), if expects || !self.pipe.is_sent() => turned,
            page = self.walk.page(), if wants_page => {
                self.turn_page(page?)?;
                Ok(())
            }
            () = tokio::time::sleep(pause), if may_send => Ok(()),
        }
    }

    fn turn_page(&mut self, page: Option<Page>) -> Result<(), Fault> {
        let Some(page) = page else {
            self.is_listed = true;
            return match self.coverage.not_kept {
                0 => Ok(()),
                _ => Err(self.too_many()),
            };
        };
        // Pages come back from the file in another order.
        if page.coverage.seen >= self.coverage.seen {
            self.coverage = page.coverage;
        }
        self.page = (page.items() > 0).then_some((page, 0));
        Ok(())
    }

    fn too_many(&self) -> Fault {
        Fault::Setup(format!(
            "{} keys were listed faster than they could be kept: there is no room for their names",
            self.coverage.not_kept
        ))
    }

    fn has_room(&self) -> bool {
        let bytes: u64 = self.air.iter().map(|flight| flight.bytes).sum();
        if self.governor.is_at_full_speed() {
            self.air.len() < FLIGHTS && bytes < AIR_BYTES
        } else {
            self.air.is_empty()
        }
    }

    /// Sends flights for as long as there is room in the air.
    fn send_flights(&mut self) -> Result<(), Fault> {
        while self.page.is_some()
            && self.has_room()
            && self.governor.pause(Instant::now()).is_zero()
        {
            let mut flight = self.spare.pop().unwrap_or_default();
            flight.clear();
            self.load(&mut flight);
            if flight.items.is_empty() {
                self.spare.push(flight);
                continue;
            }
            self.pipe.queue(&mut self.batch, None)?;
            flight.sent = Some(Instant::now());
            flight.second = self.server_second();
            self.air.push_back(flight);
        }
        Ok(())
    }

    /// Makes a flight of what the page holds.
    fn load(&mut self, flight: &mut Flight) {
        let most = if self.governor.is_at_full_speed() {
            FULL_FLIGHT
        } else {
            usize::try_from(self.governor.keys(None)).unwrap_or(FULL_FLIGHT)
        };
        let Some((page, at)) = &mut self.page else {
            return;
        };
        while flight.items.len() < most && flight.bytes < FLIGHT_BYTES {
            let Some((listed, after)) = page.listed(*at) else {
                self.page = None;
                return;
            };
            // What would make the flight heavy gets one of its own.
            let size = u64::from(listed.size.unwrap_or_default());
            if !flight.items.is_empty() && flight.bytes + size > FLIGHT_BYTES {
                return;
            }
            *at = after;
            if self.batch.look(listed.key, self.dialect) {
                flight.add(&listed);
            } else {
                self.tally.unnameable += 1;
            }
        }
    }

    /// A flight has come whole.
    fn landed(&mut self) {
        let Some(flight) = self.air.pop_front() else {
            return;
        };
        let count = u32::try_from(flight.items.len()).unwrap_or(u32::MAX);
        let carried = Duration::from_secs_f64(flight.bytes as f64 / BYTES_A_SECOND);
        // The time on the way tells whether others wait, as long as it is not our own load that takes it.
        let took = flight.sent.map(|sent| sent.elapsed());
        let is_light = flight.bytes < 64 << 10 && !self.governor.is_at_full_speed();
        let flown = Flown {
            keys: flight.items.len() as u64,
            is_of_names: false,
            took: took.filter(|_| is_light),
            worked: Some(ITEM_COST * count + carried),
            total: self.tally.items,
        };
        self.governor.flew(flown, Instant::now());
        self.spare.push(flight);
        self.settle();
    }

    /// Our own lookups are taken out of the hit ratio that is shown.
    fn settle(&mut self) {
        let lookups = |tally: &TakeTally| {
            let hits = tally.items + tally.placeholders;
            (hits, tally.gone)
        };
        let ((hits, misses), (hits_before, misses_before)) =
            (lookups(&self.tally), lookups(&self.told));
        let mut known = self.server.known();
        known.own.hits += hits - hits_before;
        known.own.misses += misses - misses_before;
        self.told = self.tally;
    }

    /// Gives every recache token back that was taken here.
    async fn give_back(&mut self) -> Result<(), Fault> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let tokens = std::mem::take(&mut self.tokens);
        self.tally.tokens += tokens.len() as u64;
        // A refusal means that the item changed meanwhile, and with it the token is no longer ours.
        let given = self.server.work.ask(&tokens).await.map(drop);
        self.pipe.stir();
        given
    }

    fn won(&mut self, key: &[u8], cas: u64) {
        let won = Won {
            cas,
            keeps_cas: self.pipe.hello().is(Version::keeps_cas),
        };
        self.tokens.extend(Command::give_back(key, won));
    }

    fn server_second(&self) -> Option<u32> {
        let clock = self.clock?;
        u32::try_from(clock.to_server(now())).ok()
    }
}

/// The longest value that is taken.
const MOST: usize = LONGEST_VALUE;

#[cfg(test)]
mod tests;
