//! Speaks to one Memcached server, 1.4.39 to 1.6.45.
//!
//! `codec` and `dump` read replies and `wire` writes keys, all without I/O; `command` knows which
//! commands only read; `conn` is the one way out. On top: `stats` makes samples, `items` looks at
//! keys, `walk` lists them, `changes` changes them.
//!
//! Looking leaves the server as it was where the protocol allows it: facts come from `me`, which
//! counts nowhere and moves nothing. A value can only be had by a lookup. It is taken with `mg … u`,
//! which moves nothing in the LRU, and our own lookups are taken out of hits and misses. Servers
//! before 1.6.10 know only `gets`, which counts as an access of the item.

mod batch;
mod changes;
mod clock;
mod codec;
mod command;
mod conn;
mod dialect;
mod dump;
mod fetches;
mod items;
mod pipe;
mod preflight;
mod restore;
mod stats;
mod take;
#[cfg(test)]
mod tests;
mod walk;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::{Backend, Draws, Fault, Progress, Walk};
use crate::guard::Permit;
use crate::model::{
    Account, Change, Feature, Features, Job, Key, KeyCard, KeyRow, Missing, Outcome, Preflight,
    Preview, Sample, Target, Value, WalkAsk, Window,
};

use codec::{Refusal, RefusalKind, Reply};
use command::Command;
use conn::Line;
use stats::{NO_REPLICATION, NO_SNAPSHOTS, OwnLookups, Stats};

pub use fetches::MemcachedHot;
pub use items::item_overhead;
pub use take::{MemcachedTake, TakeAsk, TakeTally};
pub use walk::MemcachedWalk;

/// Settings change by a restart, or by hand; asking for them with every sample would double it.
const SETTINGS_EVERY: Duration = Duration::from_secs(60);

/// One server. Heartbeat, work and each walk have connections of their own.
#[derive(Debug)]
pub struct MemcachedServer {
    target: Arc<Target>,
    /// For samples.
    probe: Line,
    /// For what a person asked.
    work: Line,
    /// Whoever dumps holds it: the server's crawler serves one at a time.
    dump_turn: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Known>,
    began: Instant,
}

/// What was learnt about the server.
#[derive(Debug)]
struct Known {
    features: Features,
    settings: Option<(Instant, Stats)>,
    run: Option<Run>,
    own: OwnLookups,
    /// Lookups of everybody, as last seen: when they fall, somebody reset the counters.
    lookups: Option<u64>,
    /// `me` was refused: an old server, or a service that removed it.
    has_no_inspect: bool,
}

/// One life of the server process.
#[derive(Clone, Debug)]
struct Run {
    pid: u64,
    start: u64,
    id: String,
}

impl MemcachedServer {
    /// Where it is, safe to show.
    pub fn place(&self) -> String {
        crate::engine::dial::place(&self.target)
    }

    pub fn at(target: Target) -> Self {
        let target = Arc::new(target);
        let gate = Arc::default();
        let features = Features::default()
            .without(Feature::Snapshot, NO_SNAPSHOTS)
            .without(Feature::Replication, NO_REPLICATION)
            .without(Feature::Databases, "Memcached has no numbered databases");
        Self {
            probe: Line::to(Arc::clone(&target), Arc::clone(&gate)),
            work: Line::to(Arc::clone(&target), gate),
            target,
            dump_turn: Arc::default(),
            known: Mutex::new(Known {
                features,
                settings: None,
                run: None,
                own: OwnLookups::default(),
                lookups: None,
                has_no_inspect: false,
            }),
            began: Instant::now(),
        }
    }

    /// Held only between awaits and only to read or write a field.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that the server lacks something.
    fn lacks(&self, feature: Feature, why: &str) -> Fault {
        let mut known = self.known();
        known.features = std::mem::take(&mut known.features).without(feature, why);
        Fault::Missing(Missing(why.to_owned()))
    }

    /// The statistics by the work connection.
    async fn stats(&self) -> Result<Stats, Fault> {
        let command = Command::stats("");
        let mut replies = self.work.ask(std::slice::from_ref(&command)).await?;
        match replies.pop() {
            Some(Reply::Stats(rows)) => Ok(Stats::new(rows)),
            Some(Reply::Refused(refusal)) => Err(refused(&command, &refusal)),
            _ => Err(self.unreadable(&command)),
        }
    }

    fn unreadable(&self, command: &Command) -> Fault {
        Fault::Protocol {
            place: crate::engine::dial::place(&self.target),
            command: command.name(),
            why: "the answer cannot be read".into(),
        }
    }

    /// Takes note of what the statistics say about restarts and resets; gives the run's id.
    fn recognise(&self, stats: &Stats) -> (String, OwnLookups) {
        let mut known = self.known();
        let lookups = stats
            .count("get_hits")
            .zip(stats.count("get_misses"))
            .map(|(hits, misses)| hits.saturating_add(misses));
        let mut is_new = matches!((known.lookups, lookups), (Some(was), Some(is)) if is < was);
        known.lookups = lookups;
        let id = match stats::birth(stats) {
            None => "unknown".to_owned(),
            Some((pid, start)) => {
                // The start second is computed from a clock that may be set.
                let same = known
                    .run
                    .as_ref()
                    .filter(|run| run.pid == pid && run.start.abs_diff(start) <= 2);
                let run = same.cloned().unwrap_or_else(|| Run {
                    pid,
                    start,
                    id: format!("{pid}-{start}"),
                });
                is_new |= known.run.as_ref().is_some_and(|before| before.id != run.id);
                let id = run.id.clone();
                known.run = Some(run);
                id
            }
        };
        if is_new {
            known.own = OwnLookups::default();
            known.settings = None;
        }
        (id, known.own)
    }

    fn fresh_settings(&self) -> Option<Stats> {
        let known = self.known();
        let (read, settings) = known.settings.as_ref()?;
        (read.elapsed() < SETTINGS_EVERY).then(|| settings.clone())
    }
}

/// Why a command was refused, as a fault.
fn refused(command: &Command, refusal: &Refusal) -> Fault {
    let (command, why) = (command.name(), refusal.words.clone());
    match refusal.kind {
        // A bare ERROR: the server does not know it, or a service has removed it.
        RefusalKind::Error | RefusalKind::Client if why.contains("not allowed") => {
            Fault::NotPermitted { command, why }
        }
        _ => Fault::Refused { command, why },
    }
}

impl Backend for MemcachedServer {
    fn features(&self) -> Features {
        self.known().features.clone()
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        let hello = self.probe.hello().await?;
        let mut settings = self.fresh_settings();
        let mut commands = vec![
            Command::stats(""),
            Command::stats("items"),
            Command::stats("slabs"),
        ];
        if settings.is_none() {
            commands.push(Command::stats("settings"));
        }
        let sent = Instant::now();
        let replies = self.probe.ask(&commands).await?;
        let round_trip = sent.elapsed();
        let mut refusal = None;
        let mut groups = replies.into_iter().map(|reply| match reply {
            Reply::Stats(rows) => Some(Stats::new(rows)),
            Reply::Refused(why) => {
                refusal = Some(why);
                None
            }
            _ => None,
        });
        let (general, items, slabs) = (groups.next(), groups.next(), groups.next());
        if let Some(Some(read)) = groups.next() {
            self.known().settings = Some((Instant::now(), read.clone()));
            settings = Some(read);
        }
        drop(groups);
        let Some(general) = general.flatten() else {
            let refusal = refusal.ok_or_else(|| self.unreadable(&commands[0]))?;
            return Err(refused(&commands[0], &refusal));
        };
        let (items, slabs) = (items.flatten(), slabs.flatten());
        let mut unsupported = stats::unsupported();
        if slabs.is_none() {
            let why = "this server does not tell its slab classes";
            unsupported.insert("slabs", why.to_owned());
            self.lacks(Feature::Slabs, why);
        }
        if settings.is_none() {
            let why = "this server does not tell its settings";
            unsupported.insert("policy", why.to_owned());
        }
        let (run_id, own) = self.recognise(&general);
        Ok(Sample {
            at: clock::now(),
            elapsed: self.began.elapsed(),
            round_trip,
            identity: stats::identity(&general, &hello.text, run_id),
            counters: stats::counters(&general, own),
            memory: stats::memory(&general, settings.as_ref()),
            clients: stats::clients(&general, settings.as_ref()),
            databases: stats::databases(&general),
            replication: None,
            persistence: None,
            slabs: slabs.map(|slabs| stats::slabs(&slabs, items.as_ref())),
            unsupported,
            raw: general.rows().to_vec(),
        })
    }

    async fn account(&self) -> Result<Account, Fault> {
        self.sample().await.map(|sample| stats::account(&sample))
    }

    async fn walk(&self, ask: WalkAsk) -> Result<Walk, Fault> {
        self.start_walk(ask).await.map(Walk::Memcached)
    }

    /// A dump goes over everything as fast as drawing would.
    async fn draws(&self, ask: WalkAsk) -> Result<Draws, Fault> {
        self.walk(ask).await.map(Draws::All)
    }

    async fn facts(&self, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        self.look_at(keys).await
    }

    async fn show(&self, key: &Key, window: Window) -> Result<Option<(KeyCard, Value)>, Fault> {
        self.read(key, window).await
    }

    async fn preview(&self, change: &Change) -> Result<Preview, Fault> {
        self.foresee(change).await
    }

    async fn preflight(&self, job: Job) -> Result<Preflight, Fault> {
        self.judge(job).await
    }

    async fn apply(&self, permit: Permit) -> Result<Outcome, Fault> {
        self.carry_out(permit, &Progress::silent()).await
    }

    async fn apply_telling(&self, permit: Permit, progress: &Progress) -> Result<Outcome, Fault> {
        self.carry_out(permit, progress).await
    }
}
