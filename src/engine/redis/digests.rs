//! All keys with the digests of their values, for holding a server against a file or another server.
//!
//! A walk brings the names; behind it the values come by `DUMP`, in flights that are bounded by count
//! and bytes, and are digested as they stand in the reply. `DUMP` is the one reading command that
//! gives a value whole with all that belongs to it (moments of fields, groups of streams). A value that
//! is too large to be dumped in one go is compared by its type and its time to live alone, and counted.
//!
//! Moments are on the server's own clock, which stands in its files as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::Fault;
use crate::engine::governor::{Flown, Governor};
use crate::engine::redis::info::Info;
use crate::engine::redis::lane::{Landed, Lane};
use crate::engine::redis::link::command;
use crate::engine::redis::questions::{Flight, Question, refusal};
use crate::engine::redis::reply::bytes;
use crate::engine::redis::resp::View;
use crate::engine::redis::walk::Spending;
use crate::engine::redis::{Core, RedisServer, RedisWalk, sample};
use crate::model::{Bytes, Feature, Key, KeyKind, Pace, Share, UnixMs, WalkAsk, Wants};
use crate::snapshot::SnapshotError;
use crate::snapshot::diff::{Digested, Facts, Record, Side, UNREAD, digest_value, kind_number};
use crate::snapshot::rdb::verified_dump;

/// Memory of values that one flight brings, unless one value is larger.
const FLIGHT_BYTES: u64 = 4 << 20;
/// A value that takes more memory than this is not dumped: the server makes the whole copy in one go,
/// and everybody waits.
const LARGEST: u64 = 64 << 20;
/// What is sent for values, as `INFO commandstats` calls it.
const OURS: &[&str] = &["dump", "pttl", "time"];
/// Where the server does not tell.
const USUAL_SIZE: u64 = 1 << 10;

/// What to digest, and how gently.
#[derive(Clone, Debug, Default)]
pub struct DigestAsk {
    pub pattern: Option<Vec<u8>>,
    /// Only this database; all of them where there is none.
    pub database: Option<u32>,
    pub pace: Pace,
}

/// What was read, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestTally {
    pub keys: u64,
    /// Keys of all databases when it began, matching or not.
    pub of: u64,
    /// Too large to be dumped in one go, or of a form that is not known: type and time to live alone.
    pub unread: u64,
    /// Gone before they could be read.
    pub gone: u64,
    /// Fields that have expired and are still there.
    pub expired_fields: u64,
    /// How often the server was another one, so that keys may have come twice.
    pub restarts: u32,
}

/// Digests under way. Dropping it ends it.
#[derive(Debug)]
pub struct RedisDigests {
    core: Arc<Core>,
    ask: DigestAsk,
    databases: VecDeque<u32>,
    walk: Option<(u32, RedisWalk, Values)>,
    tally: DigestTally,
}

impl RedisServer {
    /// Begins to digest what it holds.
    pub(in crate::engine) async fn digests(&self, ask: DigestAsk) -> Result<RedisDigests, Fault> {
        let sizes = databases(&self.0).await?;
        let mut tally = DigestTally::default();
        let databases = match ask.database {
            Some(one) => [one].into(),
            None => sizes.iter().map(|(number, _)| *number).collect(),
        };
        for (number, keys) in &sizes {
            if ask.database.is_none_or(|one| one == *number) {
                tally.of += keys;
            }
        }
        Ok(RedisDigests {
            core: Arc::clone(&self.0),
            ask,
            databases,
            walk: None,
            tally,
        })
    }
}

/// The databases that hold keys, and how many.
pub(super) async fn databases(core: &Core) -> Result<Vec<(u32, u64)>, Fault> {
    let flight = [command(&["INFO", "keyspace"])];
    let reply = core.work.ask(&flight).await?.replies.pop();
    let info = match reply {
        Some(Ok(reply)) => Info::parse(&bytes(reply).unwrap_or_default()),
        Some(Err(refusal)) => return Err(refusal.fault(core.work.place(), "INFO")),
        None => return Err(core.work.out_of_protocol("INFO", "no reply")),
    };
    let known = sample::databases(&info).unwrap_or_default();
    Ok(known.iter().map(|one| (one.index, one.keys)).collect())
}

impl RedisDigests {
    pub fn tally(&self) -> DigestTally {
        self.tally
    }

    /// Takes the next keys into the side; false after the last one.
    ///
    /// # Errors
    /// When the connection broke and did not come back, the server refuses, or the temporary file of
    /// the side cannot be written.
    pub async fn step(&mut self, side: &mut Side) -> Result<bool, Fault> {
        let Some((space, walk, values)) = &mut self.walk else {
            let Some(database) = self.databases.pop_front() else {
                return Ok(false);
            };
            self.walk = Some(self.begin(database));
            return Ok(true);
        };
        let Some(page) = walk.step().await? else {
            self.walk = None;
            return Ok(true);
        };
        self.tally.restarts += u32::from(page.is_anew);
        let keys = page.found.into_iter().map(|found| {
            let memory = found.told.and_then(|facts| facts.size);
            (found.key, memory.map_or(USUAL_SIZE, |memory| memory.0))
        });
        let keys: Vec<_> = keys.collect();
        let (space, tally) = (*space, &mut self.tally);
        values
            .read(&keys, |key, learnt| take(side, tally, space, key, learnt))
            .await?;
        Ok(true)
    }

    fn begin(&self, database: u32) -> (u32, RedisWalk, Values) {
        let core = self.core.in_database(database);
        // Walk and values go in turn, so each has half of the budget.
        let pace = match self.ask.pace {
            Pace::FullSpeed => Pace::FullSpeed,
            Pace::Budget(share) => {
                Pace::Budget(Share::of_percent(share.ratio() * 50.0).unwrap_or(share))
            }
        };
        let ask = WalkAsk {
            pattern: self.ask.pattern.clone(),
            wants: Wants {
                size: core.known.has(Feature::KeySize),
                ..Wants::NAMES
            },
            pace,
            ..WalkAsk::default()
        };
        let values = Values::of(&core, pace);
        (database, RedisWalk::over(core, ask), values)
    }
}

fn take(
    side: &mut Side,
    tally: &mut DigestTally,
    space: u32,
    key: &Key,
    learnt: Option<Learnt>,
) -> Result<(), Fault> {
    let Some(learnt) = learnt else {
        tally.gone += 1;
        return Ok(());
    };
    tally.keys += 1;
    let bytes = if let Some(value) = learnt.value {
        tally.expired_fields += value.expired_fields;
        value.bytes.0
    } else {
        tally.unread += 1;
        0
    };
    let record = Record {
        space,
        key: key.bytes(),
        facts: Facts {
            kind: kind_number(&learnt.kind),
            ends: learnt.ends,
            size: Bytes(key.bytes().len() as u64 + bytes),
        },
        digest: learnt.digest(),
    };
    let taken = side.take(&record);
    taken.map_err(|error| Fault::Setup(format!("the temporary file: {error}")))
}

/// Reads values and digests them.
#[derive(Debug)]
pub(super) struct Values {
    lane: Lane,
    governor: Governor,
    spending: Spending,
    has_begun: bool,
    flight: Flight,
    total: u64,
}

/// What was learnt of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Learnt {
    pub kind: KeyKind,
    pub ends: Option<UnixMs>,
    /// `None` where the value could not be read.
    pub value: Option<Digested>,
}

impl Learnt {
    pub fn digest(&self) -> u128 {
        self.value.map_or(UNREAD, |value| value.digest)
    }
}

impl Values {
    pub fn of(core: &Core, pace: Pace) -> Self {
        let mut target = core.target.clone();
        // A value comes whole or not at all.
        target.limits.reply_bytes = target.limits.reply_bytes.max(2 * LARGEST);
        Self {
            lane: Lane::to(target, Arc::clone(&core.common)),
            governor: Governor::new(pace, 1, Instant::now()),
            spending: Spending::on(OURS),
            has_begun: false,
            flight: Flight::default(),
            total: 0,
        }
    }

    /// Learns of these keys, each with the memory that it takes, and tells `take` in their order;
    /// nothing of those that are gone.
    pub async fn read(
        &mut self,
        keys: &[(Key, u64)],
        mut take: impl FnMut(&Key, Option<Learnt>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut rest = keys;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.fitting(rest));
            rest = later;
            let mut learnt = self.learn(now).await?;
            self.learn_kinds(now, &mut learnt).await?;
            for ((key, _), learnt) in now.iter().zip(learnt) {
                take(key, learnt)?;
            }
        }
        Ok(())
    }

    /// How many of these keys go into one flight.
    fn fitting(&self, keys: &[(Key, u64)]) -> usize {
        let most = self.governor.keys(Some(self.lane.way()));
        let most = usize::try_from(most).unwrap_or(keys.len());
        let mut bytes = 0_u64;
        let fit = keys.iter().take_while(|(_, size)| {
            bytes = bytes.saturating_add(*size);
            bytes <= FLIGHT_BYTES
        });
        fit.count().clamp(1, most.max(1)).min(keys.len())
    }

    /// Asks for time to live and value. Nothing is changed by it, so a flight that was lost with its
    /// connection is sent again, once.
    async fn learn(&mut self, keys: &[(Key, u64)]) -> Result<Vec<Option<Learnt>>, Fault> {
        self.spend().await?;
        tokio::time::sleep(self.governor.pause(Instant::now())).await;
        self.flight.clear();
        self.flight.time();
        for (key, _) in keys {
            self.flight.about(&[Question::Ttl], key.bytes());
        }
        for (key, size) in keys {
            if *size <= LARGEST {
                self.flight.about(&[Question::Value], key.bytes());
            }
        }
        let was_open = self.lane.is_open();
        let mut landed = self.fly().await;
        if was_open && matches!(landed, Err(Fault::Closed { .. })) {
            landed = self.fly().await;
        }
        let landed = match landed {
            Ok(landed) => landed,
            // One value is more than it looked like.
            Err(Fault::TooLarge { .. }) => return Box::pin(self.learn_singly(keys)).await,
            Err(fault) => return Err(fault),
        };
        self.total += keys.len() as u64;
        self.spending.round_trips += 1;
        self.spending.commands += self.flight.replies() as u64;
        let flown = Flown {
            keys: keys.len() as u64,
            is_of_names: false,
            took: landed.took,
            worked: landed.worked,
            total: self.total,
        };
        self.governor.flew(flown, Instant::now());
        self.told(keys)
    }

    /// Now and then the server is asked what our commands cost it: what replies take is more than that.
    async fn spend(&mut self) -> Result<(), Fault> {
        if self.governor.is_at_full_speed()
            || (self.has_begun && !self.spending.is_due(Instant::now()))
        {
            return Ok(());
        }
        self.flight.clear();
        for section in ["commandstats", "cpu"] {
            self.flight.info(section);
        }
        self.fly().await?;
        let said = |number| self.lane.value(number).ok().and_then(bytes);
        let account: Vec<Vec<u8>> = (0..2).filter_map(said).collect();
        let account = Info::parse(&account.concat());
        let now = Instant::now();
        if self.has_begun {
            let account = self.spending.learn(&account, now);
            self.governor.settle(&account);
        } else {
            self.has_begun = true;
            self.spending.begin(&account, now);
        }
        Ok(())
    }

    async fn learn_singly(&mut self, keys: &[(Key, u64)]) -> Result<Vec<Option<Learnt>>, Fault> {
        if let [(key, _)] = keys {
            return self.learn(&[(key.clone(), u64::MAX)]).await;
        }
        let mut learnt = Vec::with_capacity(keys.len());
        for key in keys {
            learnt.append(&mut self.learn(std::slice::from_ref(key)).await?);
        }
        Ok(learnt)
    }

    async fn fly(&mut self) -> Result<Landed, Fault> {
        if !self.lane.is_open() {
            self.lane.open().await?;
        }
        self.lane.fly(&self.flight).await
    }

    fn told(&self, keys: &[(Key, u64)]) -> Result<Vec<Option<Learnt>>, Fault> {
        let now = self.server_time()?;
        let (mut hits, mut misses) = (0, 0);
        let mut next = 1 + keys.len();
        let mut learnt = Vec::with_capacity(keys.len());
        for (place, (_, size)) in keys.iter().enumerate() {
            let ttl = self.lane.view(1 + place);
            let mut views = vec![(Question::Ttl, ttl)];
            if *size <= LARGEST {
                views.push((Question::Value, self.lane.view(next)));
                next += 1;
            }
            for (question, view) in &views {
                match question.counted(view) {
                    Some(true) => hits += 1,
                    Some(false) => misses += 1,
                    None => {}
                }
            }
            let value = views.get(1).map(|(_, view)| *view);
            learnt.push(self.one(now, ttl, value)?);
        }
        self.lane.add_lookups(hits, misses);
        Ok(learnt)
    }

    /// What the replies about one key say.
    fn one(
        &self,
        now: UnixMs,
        ttl: View<'_>,
        value: Option<View<'_>>,
    ) -> Result<Option<Learnt>, Fault> {
        let ends = match ttl {
            View::Int(-2) => return Ok(None),
            View::Int(left @ 0..) => Some(UnixMs(now.0.saturating_add(left))),
            View::Error(line) => return Err(refusal(line).fault(self.lane.place(), "PTTL")),
            _ => None,
        };
        let unread = Learnt {
            kind: KeyKind::Other(String::new()),
            ends,
            value: None,
        };
        match value {
            None => Ok(Some(unread)),
            Some(View::Nil) => Ok(None),
            Some(View::Bulk(payload)) => match digested(payload, now) {
                Ok((kind, value)) => Ok(Some(Learnt {
                    kind,
                    ends,
                    value: Some(value),
                })),
                Err(error) => {
                    tracing::debug!(%error, "a value that cannot be read");
                    Ok(Some(unread))
                }
            },
            Some(View::Error(line)) => Err(refusal(line).fault(self.lane.place(), "DUMP")),
            Some(_) => Err(self.garbled("DUMP", "not a value")),
        }
    }

    /// The type of what could not be read is asked for: a `DUMP` would have told it.
    async fn learn_kinds(
        &mut self,
        keys: &[(Key, u64)],
        learnt: &mut [Option<Learnt>],
    ) -> Result<(), Fault> {
        for ((key, _), slot) in keys.iter().zip(learnt) {
            let Some(learnt) = slot.as_mut().filter(|learnt| learnt.value.is_none()) else {
                continue;
            };
            self.flight.clear();
            self.flight.about(&[Question::Kind], key.bytes());
            self.fly().await?;
            let view = self.lane.view(0);
            let counted = Question::Kind.counted(&view);
            self.lane.add_lookups(
                u64::from(counted == Some(true)),
                u64::from(counted == Some(false)),
            );
            match view {
                View::Simple(b"none") => *slot = None,
                View::Simple(word) => learnt.kind = KeyKind::from_word(&crate::text::escape(word)),
                _ => return Err(self.garbled("TYPE", "not a word")),
            }
        }
        Ok(())
    }

    fn server_time(&self) -> Result<UnixMs, Fault> {
        let mut parts = self.lane.elements(0).skip(1).map_while(|part| match part {
            View::Bulk(text) => str::from_utf8(text).ok()?.parse::<i64>().ok(),
            _ => None,
        });
        match (parts.next(), parts.next()) {
            (Some(seconds), Some(micros)) => {
                Ok(UnixMs(seconds.saturating_mul(1_000) + micros / 1_000))
            }
            _ => Err(self.garbled("TIME", "no time")),
        }
    }

    fn garbled(&self, command: &str, why: &str) -> Fault {
        Fault::Protocol {
            place: self.lane.place().to_owned(),
            command: command.to_owned(),
            why: why.to_owned(),
        }
    }
}

fn digested(payload: &[u8], at: UnixMs) -> Result<(KeyKind, Digested), SnapshotError> {
    let mut reader = verified_dump(payload)?;
    let value = digest_value(&mut reader, at)?;
    Ok((reader.head().kind.clone(), value))
}
