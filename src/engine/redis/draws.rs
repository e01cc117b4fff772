//! Keys drawn at random: pages from random places of the keyspace, with what is asked about them.
//!
//! SCAN takes any number for a cursor and goes on from the bucket that it leads to, and which keys
//! lie in a bucket is up to the server's keyed hash. So a small page from a random cursor is as good
//! as keys drawn one by one, at the price of one SCAN for all of them; pages are cut to the same
//! number of keys, or full buckets would weigh more.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use crate::engine::Fault;
use crate::engine::governor::{Flown, Governor};
use crate::engine::redis::info::Info;
use crate::engine::redis::lane::Lane;
use crate::engine::redis::questions::Flight;
use crate::engine::redis::reply::bytes;
use crate::engine::redis::resp::View;
use crate::engine::redis::walk::Spending;
use crate::engine::redis::walk::telling::Teller;
use crate::engine::redis::{Core, now, walk};
use crate::model::{Coverage, Key, Pace, WalkAsk, WalkPage};

/// Keys of a page: few, so that pages come from many places.
const KEYS: usize = 8;
/// Pages in a flight at full speed, and keys that a flight on a budget should not exceed.
const PAGES: u64 = 12;

/// A draw under way. It goes on until it is dropped.
#[derive(Debug)]
pub struct RedisDraws {
    ask: WalkAsk,
    lane: Lane,
    governor: Governor,
    teller: Teller,
    spending: Spending,
    random: RandomState,
    cursors: u64,
    drawn: Vec<Key>,
    coverage: Coverage,
    flight: Flight,
}

impl RedisDraws {
    pub(super) async fn from(core: &Arc<Core>, ask: WalkAsk) -> Result<Self, Fault> {
        let mut draws = Self {
            lane: Lane::to(core.target.clone(), Arc::clone(&core.common)),
            governor: Governor::new(ask.pace, ask.wants.questions().max(1), Instant::now()),
            teller: Teller::for_wants(ask.wants),
            ask,
            spending: Spending::default(),
            random: RandomState::new(),
            cursors: 0,
            drawn: Vec::new(),
            coverage: Coverage::default(),
            flight: Flight::default(),
        };
        draws.begin().await?;
        Ok(draws)
    }

    /// Keys that the server says it has.
    pub fn of(&self) -> Option<u64> {
        self.coverage.of
    }

    pub fn set_pace(&mut self, pace: Pace) {
        self.ask.pace = pace;
        self.governor.set_pace(pace, Instant::now());
    }

    /// The next keys with what is told of them. A key may be drawn twice.
    ///
    /// # Errors
    /// When the connection broke, or the server refuses to list keys.
    pub async fn step(&mut self) -> Result<WalkPage, Fault> {
        self.spend().await?;
        tokio::time::sleep(self.governor.pause(Instant::now())).await;
        self.flight.clear();
        let each = self.teller.ask(&self.drawn, &mut self.flight);
        let questions = self.drawn.len() * each.len();
        let keys = self.governor.keys(Some(self.lane.way()));
        let pages = (keys / KEYS as u64).clamp(1, PAGES);
        for _ in 0..pages {
            self.cursors += 1;
            let cursor = self.random.hash_one(self.cursors).to_string();
            let pattern = self.ask.pattern.as_deref();
            self.flight.scan(cursor.as_bytes(), pattern, KEYS as u64);
        }
        let landed = self.lane.fly(&self.flight).await?;
        let drawn = self.read_pages(questions, pages)?;
        let asked = std::mem::replace(&mut self.drawn, drawn);
        let lane = &self.lane;
        let mut replies = (0..questions).map(|number| lane.view(number));
        let count = asked.len() as u64;
        let found = self.teller.read(asked, &each, &mut replies, now());
        self.coverage.gone += count - found.len() as u64;
        self.coverage.seen += found.len() as u64;
        let (hits, misses) = self.teller.take_lookups();
        self.lane.add_lookups(hits, misses);
        self.spending.lookups += hits + misses;
        self.spending.round_trips += 1;
        self.spending.commands += self.flight.replies() as u64;
        let flown = Flown {
            keys: count,
            is_of_names: false,
            took: landed.took,
            worked: landed.worked,
            total: self.coverage.seen,
        };
        self.governor.flew(flown, Instant::now());
        Ok(WalkPage {
            found,
            coverage: self.coverage,
            cost: self.spending.cost(&self.governor),
            lacks: self.teller.lacks().to_vec(),
            is_anew: false,
            mark: None,
        })
    }

    async fn begin(&mut self) -> Result<(), Fault> {
        self.lane.open().await?;
        self.flight.clear();
        for section in ["memory", "commandstats", "cpu"] {
            self.flight.info(section);
        }
        self.flight.size();
        self.lane.fly(&self.flight).await?;
        let memory = Info::parse(&self.text(0));
        if let Some(policy) = memory.word("maxmemory_policy") {
            self.teller.usage_is_kept_as(policy.ends_with("-lfu"));
        }
        // Elements would need another flight for each page.
        self.teller.asks_no_lengths();
        self.coverage.dataset = memory.bytes("used_memory_dataset");
        let account = [self.text(1), self.text(2)].concat();
        self.spending.begin(&Info::parse(&account), Instant::now());
        self.coverage.is_filtered = self.ask.pattern.is_some();
        self.coverage.of = match self.lane.view(3) {
            View::Int(size) => u64::try_from(size).ok(),
            _ => None,
        };
        Ok(())
    }

    async fn spend(&mut self) -> Result<(), Fault> {
        if !self.spending.is_due(Instant::now()) {
            return Ok(());
        }
        self.flight.clear();
        for section in ["commandstats", "cpu"] {
            self.flight.info(section);
        }
        self.lane.fly(&self.flight).await?;
        let account = Info::parse(&[self.text(0), self.text(1)].concat());
        let account = self.spending.learn(&account, Instant::now());
        self.governor.settle(&account);
        Ok(())
    }

    /// The first keys of each page, always as many where there are as many.
    fn read_pages(&self, first: usize, pages: u64) -> Result<Vec<Key>, Fault> {
        let mut drawn = Vec::new();
        for (number, _) in (first..).zip(0..pages) {
            let (_, mut names) = walk::read_page(&self.lane, number)?;
            names.truncate(KEYS);
            drawn.append(&mut names);
        }
        Ok(drawn)
    }

    fn text(&self, number: usize) -> Vec<u8> {
        let reply = self.lane.value(number).ok();
        reply.and_then(bytes).unwrap_or_default()
    }
}
