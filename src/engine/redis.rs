//! Speaks to Redis, Valkey and what speaks like them.
//!
//! `link` is the only way to the server and lets nothing but reading commands pass without a permit.
//! The heartbeat has a link of its own; what a person asks for goes over the other one, so that a
//! slow answer there delays no sample.

mod account;
mod apply;
mod bookmark;
mod card;
mod commands;
mod digests;
mod draws;
mod fetch;
mod hot;
mod info;
mod known;
mod lane;
mod link;
mod login;
mod lookups;
mod plan;
mod preflight;
mod questions;
mod reader;
mod repeats;
mod reply;
mod resp;
mod restore;
mod sample;
#[cfg(test)]
mod scripted;
mod slot;
mod stranger;
mod tap;
mod value;
mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{Value as Wire, cmd};

use crate::engine::redis::bookmark::Bookmarks;
use crate::engine::redis::info::Info;
use crate::engine::redis::known::Known;
use crate::engine::redis::link::{Common, Link};
use crate::engine::redis::lookups::Seen;
use crate::engine::redis::reply::{Refusal, bytes, count, word};
use crate::engine::redis::sample::Taken;
use crate::engine::{Backend, Draws, Fault, Progress, Walk};
use crate::guard::Permit;
use crate::model::{
    Account, Bytes, Change, Clients, Counters, Database, Engine, Features, FetchAsk, HotAsk,
    Identity, Job, Key, KeyCard, KeyRow, Memory, Outcome, Preflight, Preview, Role, Sample, Target,
    UnixMs, Value, WalkAsk, Window,
};

pub use digests::{DigestAsk, DigestTally, RedisDigests};
pub use draws::RedisDraws;
pub use fetch::RedisFetch;
pub use hot::RedisHot;
pub use walk::RedisWalk;

/// A keyspace of so few keys is walked sooner than drawn from.
const FEW: u64 = 20_000;

#[derive(Debug)]
pub struct RedisServer(Arc<Core>);

/// What a server and the walks on it share.
#[derive(Debug)]
struct Core {
    target: Target,
    probe: Link,
    work: Link,
    common: Arc<Common>,
    known: Known,
    bookmarks: Bookmarks,
    began: Instant,
}

impl RedisServer {
    /// Begins to find out which keys are hot.
    pub(super) async fn hot(&self, ask: HotAsk) -> Result<RedisHot, Fault> {
        RedisHot::begin(&self.0, ask).await
    }

    /// How large the snapshot on its disk is, where that disk is in reach.
    pub(super) async fn snapshot_size(&self) -> Result<Option<Bytes>, Fault> {
        preflight::snapshot_size(&self.0).await
    }

    /// Asks for a copy of all that it holds.
    pub(super) async fn fetch(&self, ask: FetchAsk) -> Result<RedisFetch, Fault> {
        RedisFetch::begin(&self.0, ask).await
    }

    /// Where it is, safe to show.
    pub fn place(&self) -> &str {
        self.0.work.place()
    }

    pub fn database(&self) -> u32 {
        self.0.target.database
    }

    /// A server for the target. Connects when first asked something.
    pub fn at(target: Target) -> Self {
        let common = Arc::<Common>::default();
        Self(Arc::new(Core {
            probe: Link::to(target.clone(), Arc::clone(&common)),
            work: Link::to(target.clone(), Arc::clone(&common)),
            known: Known::default(),
            bookmarks: Bookmarks::default(),
            began: Instant::now(),
            common,
            target,
        }))
    }
}

impl Backend for RedisServer {
    fn features(&self) -> Features {
        self.0.known.features()
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        self.0.sample().await
    }

    async fn account(&self) -> Result<Account, Fault> {
        account::account(&self.0).await
    }

    async fn walk(&self, ask: WalkAsk) -> Result<Walk, Fault> {
        let walk = RedisWalk::over(Arc::clone(&self.0), ask);
        Ok(Walk::Redis(Box::new(walk)))
    }

    async fn draws(&self, ask: WalkAsk) -> Result<Draws, Fault> {
        let draws = RedisDraws::from(&self.0, ask.clone()).await?;
        if draws.of().is_some_and(|keys| keys <= FEW) {
            return Ok(Draws::All(self.walk(ask).await?));
        }
        Ok(Draws::Redis(Box::new(draws)))
    }

    async fn facts(&self, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        card::facts(&self.0, keys).await
    }

    async fn show(&self, key: &Key, window: Window) -> Result<Option<(KeyCard, Value)>, Fault> {
        value::show(&self.0, key, window).await
    }

    async fn preview(&self, change: &Change) -> Result<Preview, Fault> {
        plan::preview(&self.0, change).await
    }

    async fn preflight(&self, job: Job) -> Result<Preflight, Fault> {
        preflight::preflight(&self.0, job).await
    }

    async fn apply(&self, permit: Permit) -> Result<Outcome, Fault> {
        apply::apply(&self.0, permit, &Progress::silent()).await
    }

    async fn apply_telling(&self, permit: Permit, progress: &Progress) -> Result<Outcome, Fault> {
        apply::apply(&self.0, permit, progress).await
    }
}

impl Core {
    /// The same server, looked at in this database.
    fn in_database(self: &Arc<Self>, database: u32) -> Arc<Self> {
        if self.target.database == database {
            return Arc::clone(self);
        }
        let target = Target {
            database,
            ..self.target.clone()
        };
        Arc::new(Self {
            probe: Link::to(target.clone(), Arc::clone(&self.common)),
            work: Link::to(target.clone(), Arc::clone(&self.common)),
            known: Known::default(),
            bookmarks: Bookmarks::default(),
            began: self.began,
            common: Arc::clone(&self.common),
            target,
        })
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        let answer = self.probe.ask(&[cmd("INFO")]).await?;
        let round_trip = answer.took;
        match answer.replies.into_iter().next() {
            Some(Ok(reply)) => {
                let reply =
                    bytes(reply).ok_or_else(|| self.probe.out_of_protocol("INFO", "not a text"))?;
                Ok(self.sample_of(Info::parse(&reply), round_trip))
            }
            Some(Err(refusal)) if refusal.is_for_good() => self.sample_without_info(&refusal).await,
            Some(Err(refusal)) => Err(refusal.fault(self.probe.place(), "INFO")),
            None => Err(self.probe.out_of_protocol("INFO", "no reply")),
        }
    }

    fn sample_of(&self, info: Info, round_trip: Duration) -> Sample {
        let corrected = self.common.lookups.correct(Seen {
            run_id: info.word("run_id").unwrap_or_default(),
            hits: info.count("keyspace_hits"),
            misses: info.count("keyspace_misses"),
            operations: info.count("total_commands_processed"),
        });
        let sample = sample::sample(info, self.taken(round_trip), corrected);
        self.known.learn(&sample);
        sample
    }

    /// What can still be told when the user may not ask for `INFO`: who answers, and how many keys
    /// the chosen database has.
    async fn sample_without_info(&self, refusal: &Refusal) -> Result<Sample, Fault> {
        let answer = self.probe.ask(&[cmd("HELLO"), cmd("DBSIZE")]).await?;
        let [hello, size] = <[_; 2]>::try_from(answer.replies)
            .map_err(|_| self.probe.out_of_protocol("DBSIZE", "no reply"))?;
        if size.is_err() && hello.is_err() {
            return Err(refusal.fault(self.probe.place(), "INFO"));
        }
        let why = refusal.fault(self.probe.place(), "INFO").to_string();
        let keys = size.ok().as_ref().and_then(count);
        let databases = keys.map(|keys| {
            vec![Database {
                index: self.target.database,
                keys,
                keys_with_ttl: None,
                average_ttl: None,
            }]
        });
        let mut unsupported: std::collections::BTreeMap<_, _> = [
            "clients",
            "evicted",
            "expired",
            "hit_ratio",
            "hits",
            "keys_with_ttl",
            "limit_bytes",
            "misses",
            "ops_per_s",
            "persistence",
            "replication",
            "uptime_s",
            "used_bytes",
        ]
        .into_iter()
        .map(|field| (field, why.clone()))
        .collect();
        if databases.is_none() {
            unsupported.insert("keys", why);
        }
        let taken = self.taken(answer.took);
        let sample = Sample {
            at: taken.at,
            elapsed: taken.elapsed,
            round_trip: taken.round_trip,
            identity: identity_of(hello.ok()),
            counters: Counters::default(),
            memory: Memory::default(),
            clients: Clients::default(),
            databases,
            replication: None,
            persistence: None,
            slabs: None,
            unsupported,
            raw: Vec::new(),
        };
        self.known.learn(&sample);
        Ok(sample)
    }

    fn taken(&self, round_trip: Duration) -> Taken {
        Taken {
            at: now(),
            elapsed: self.began.elapsed(),
            round_trip,
        }
    }
}

/// Who answers, from the reply to `HELLO`: names and values in turn.
fn identity_of(hello: Option<Wire>) -> Identity {
    let Some(Wire::Array(parts)) = hello else {
        return Identity {
            engine: Engine::Redis,
            version: String::new(),
            run_id: String::new(),
            role: Role::Unknown,
            uptime: None,
            is_cluster_node: false,
            mode: None,
        };
    };
    let said = |name: &str| {
        let value = parts
            .chunks_exact(2)
            .find(|pair| word(&pair[0]).as_deref() == Some(name))
            .and_then(|pair| word(&pair[1]));
        value.filter(|value| !value.is_empty())
    };
    let mode = said("mode");
    Identity {
        engine: match said("server").as_deref() {
            None | Some("redis") => Engine::Redis,
            Some("valkey") => Engine::Valkey,
            Some(other) => Engine::Other(other.to_owned()),
        },
        version: said("version").unwrap_or_default(),
        run_id: String::new(),
        role: match said("role").as_deref() {
            Some("master") => Role::Primary,
            Some("slave" | "replica") => Role::Replica,
            _ => Role::Unknown,
        },
        uptime: None,
        is_cluster_node: mode.as_deref() == Some("cluster"),
        mode,
    }
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}
