//! The questions a cache can answer, and the one way to change it.

use std::future::Future;

use crate::engine::conduit::Inlet;
use crate::engine::file::{FileServer, FileWalk};
use crate::engine::memcached::{
    MemcachedHot, MemcachedServer, MemcachedTake, MemcachedWalk, TakeAsk,
};
use crate::engine::redis::{
    DigestAsk, RedisDigests, RedisDraws, RedisFetch, RedisHot, RedisServer, RedisWalk,
};
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{
    Account, Bytes, Change, Features, FetchAsk, FetchOrigin, FetchProgress, HotAsk, HotReport, Job,
    Key, KeyCard, KeyRow, Missing, Outcome, Pace, Place, Preflight, Preview, Protocol, Sample,
    Target, Value, WalkAsk, WalkPage, Window,
};

/// A server that can be asked. Connections open when first needed and again after they broke; every
/// exchange has a time limit, so each of these ends.
pub trait Backend: Send + Sync {
    /// What this server lacks, as far as known; grows as refusals are met.
    fn features(&self) -> Features;

    /// One reading of everything the overview shows, in one flight on the probe connection.
    fn sample(&self) -> impl Future<Output = Result<Sample, Fault>> + Send;

    /// What the server keeps count of by itself, in one flight: a first answer that costs no walk.
    fn account(&self) -> impl Future<Output = Result<Account, Fault>> + Send;

    /// Starts a walk over the keys. `Walk::step` does the work.
    fn walk(&self, ask: WalkAsk) -> impl Future<Output = Result<Walk, Fault>> + Send;

    /// Starts drawing keys at random. Where the keyspace is small, or cannot be drawn from, all of it
    /// is walked.
    fn draws(&self, ask: WalkAsk) -> impl Future<Output = Result<Draws, Fault>> + Send;

    /// Type, TTL and size of these keys in one flight, in the same order.
    fn facts(&self, keys: &[Key]) -> impl Future<Output = Result<Vec<KeyRow>, Fault>> + Send;

    /// The card of a key and a window of its value; `None` when there is no such key.
    fn show(
        &self,
        key: &Key,
        window: Window,
    ) -> impl Future<Output = Result<Option<(KeyCard, Value)>, Fault>> + Send;

    /// What a change would tell the server. Asks the server, changes nothing.
    fn preview(&self, change: &Change) -> impl Future<Output = Result<Preview, Fault>> + Send;

    /// What speaks for and against such a job now.
    fn preflight(&self, job: Job) -> impl Future<Output = Result<Preflight, Fault>> + Send;

    /// Carries out what was permitted and closes the permit with what happened.
    fn apply(&self, permit: Permit) -> impl Future<Output = Result<Outcome, Fault>> + Send;

    /// The same for what takes long, telling how far it is.
    fn apply_telling(
        &self,
        permit: Permit,
        progress: &Progress,
    ) -> impl Future<Output = Result<Outcome, Fault>> + Send {
        // What is over in a moment has nothing to tell.
        let _ = progress;
        self.apply(permit)
    }
}

/// One of the servers that we can talk to. Forwarding by hand keeps the futures concrete.
#[derive(Debug)]
pub enum Server {
    Redis(RedisServer),
    Memcached(Box<MemcachedServer>),
    File(FileServer),
}

impl Server {
    /// A server for the target. Connects when first asked something.
    pub fn at(target: Target) -> Self {
        if let Place::File(_) = target.place {
            return Self::File(FileServer::at(target));
        }
        match target.protocol {
            Protocol::Redis => Self::Redis(RedisServer::at(target)),
            Protocol::Memcached => Self::Memcached(Box::new(MemcachedServer::at(target))),
        }
    }

    /// Where it is, safe to show.
    pub fn place(&self) -> String {
        match self {
            Self::Redis(server) => server.place().to_owned(),
            Self::Memcached(server) => server.place(),
            Self::File(server) => server.place().to_owned(),
        }
    }

    /// The database that is looked at.
    pub fn database(&self) -> u32 {
        match self {
            Self::Redis(server) => server.database(),
            Self::Memcached(_) => 0,
            Self::File(server) => server.database(),
        }
    }

    /// Waits for what a first answer may lack: a file is counted while it is read. Servers know at once.
    pub async fn settle(&self) {
        if let Self::File(file) = self {
            file.settle().await;
        }
    }

    /// A replica of it to read from.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn replica(&self) -> Result<Self, String> {
        match self {
            Self::Redis(server) => server.replica().await.map(Self::Redis),
            Self::Memcached(_) => Err("Memcached has no replication".to_owned()),
            Self::File(_) => Err("a snapshot file has no replication".to_owned()),
        }
    }
}

macro_rules! forward {
    ($self:ident, $server:ident => $call:expr) => {
        match $self {
            Server::Redis($server) => $call,
            Server::Memcached($server) => $call,
            Server::File($server) => $call,
        }
    };
}

impl Backend for Server {
    fn features(&self) -> Features {
        forward!(self, server => server.features())
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        forward!(self, server => server.sample().await)
    }

    async fn account(&self) -> Result<Account, Fault> {
        forward!(self, server => server.account().await)
    }

    async fn walk(&self, ask: WalkAsk) -> Result<Walk, Fault> {
        forward!(self, server => server.walk(ask).await)
    }

    async fn draws(&self, ask: WalkAsk) -> Result<Draws, Fault> {
        forward!(self, server => server.draws(ask).await)
    }

    async fn facts(&self, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        forward!(self, server => server.facts(keys).await)
    }

    async fn show(&self, key: &Key, window: Window) -> Result<Option<(KeyCard, Value)>, Fault> {
        forward!(self, server => server.show(key, window).await)
    }

    async fn preview(&self, change: &Change) -> Result<Preview, Fault> {
        forward!(self, server => server.preview(change).await)
    }

    async fn preflight(&self, job: Job) -> Result<Preflight, Fault> {
        forward!(self, server => server.preflight(job).await)
    }

    async fn apply(&self, permit: Permit) -> Result<Outcome, Fault> {
        forward!(self, server => server.apply(permit).await)
    }

    async fn apply_telling(&self, permit: Permit, progress: &Progress) -> Result<Outcome, Fault> {
        forward!(self, server => server.apply_telling(permit, progress).await)
    }
}

impl Server {
    /// Begins to take all items of a server that has no snapshots of its own.
    ///
    /// # Errors
    /// When it has snapshots, or cannot list its keys.
    pub async fn take(&self, ask: TakeAsk) -> Result<MemcachedTake<'_>, Fault> {
        match self {
            Self::Redis(_) => Err(Fault::Missing(Missing(
                "it writes snapshots itself, which hold one moment: items are taken one by one only where there are none"
                    .into(),
            ))),
            Self::File(_) => Err(Fault::Missing(Missing("this is a snapshot already".into()))),
            Self::Memcached(server) => server.take(ask).await,
        }
    }
}

impl Server {
    /// Begins to digest all values, to hold them against a snapshot or another server.
    ///
    /// # Errors
    /// When it has items instead, or cannot say which databases it has.
    pub async fn digests(&self, ask: DigestAsk) -> Result<RedisDigests, Fault> {
        match self {
            Self::Redis(server) => server.digests(ask).await,
            Self::Memcached(_) => Err(Fault::Missing(Missing(
                "Memcached has items, which are taken one by one".to_owned(),
            ))),
            Self::File(_) => Err(Fault::Missing(Missing(
                "a file is read as it is".to_owned(),
            ))),
        }
    }
}

/// How pouring a copy into a conduit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poured {
    Whole,
    /// Whoever read from the conduit has gone, and knows why.
    Abandoned,
}

/// A copy of all that a server holds, under way. Dropping it ends it.
#[derive(Debug)]
pub struct Fetch(Box<RedisFetch>);

impl Server {
    /// Asks for a copy of all that it holds: one moment of all databases, as an RDB file. From here on
    /// the server works for us; [`Job::Fetch`] tells beforehand what that costs.
    ///
    /// # Errors
    /// When the server cannot be reached, or has no such copy to give.
    pub async fn fetch(&self, ask: FetchAsk) -> Result<Fetch, Fault> {
        match self {
            Self::Redis(server) => Ok(Fetch(Box::new(server.fetch(ask).await?))),
            Self::Memcached(_) => Err(Fault::Missing(Missing(
                "Memcached has no copy of one moment to give away".to_owned(),
            ))),
            Self::File(_) => Err(Fault::Missing(Missing("this is a snapshot already".into()))),
        }
    }
}

impl Server {
    /// How large the snapshot on its disk is, where that disk is in reach.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn snapshot_size(&self) -> Result<Option<Bytes>, Fault> {
        match self {
            Self::Redis(server) => server.snapshot_size().await,
            Self::Memcached(_) | Self::File(_) => Ok(None),
        }
    }
}

impl Fetch {
    /// Which state of the data it is, as far as the server has said.
    pub fn origin(&self) -> &FetchOrigin {
        self.0.origin()
    }

    /// Waits for something to come, and puts the payload of it into the empty chunk: nothing while
    /// the server is busy. False after the last of it.
    ///
    /// # Errors
    /// When the server refuses, breaks off, or says nothing for too long.
    pub async fn step(&mut self, chunk: &mut Vec<u8>) -> Result<bool, Fault> {
        self.0.step(chunk).await
    }

    /// Fetches everything into a conduit, from which another thread reads.
    ///
    /// # Errors
    /// As `step`.
    pub async fn pour(
        &mut self,
        inlet: Inlet,
        tell: impl FnMut(FetchProgress),
    ) -> Result<Poured, Fault> {
        self.0.pour(inlet, tell).await
    }

    pub fn progress(&self) -> FetchProgress {
        self.0.progress()
    }
}

/// A search for hot keys. Dropping it ends it.
#[derive(Debug)]
pub enum Hot<'a> {
    Redis(Box<RedisHot>),
    Memcached(&'a MemcachedServer, Box<MemcachedHot>),
}

impl Server {
    /// Begins to find out which keys are hot.
    ///
    /// # Errors
    /// When the server keeps no such account, or refuses it.
    pub async fn hot(&self, ask: HotAsk) -> Result<Hot<'_>, Fault> {
        Ok(match self {
            Self::Redis(server) => Hot::Redis(Box::new(server.hot(ask).await?)),
            Self::Memcached(server) => {
                let hot = server.fetches(ask).await?;
                Hot::Memcached(server, Box::new(hot))
            }
            Self::File(_) => {
                let why = "a snapshot file does not tell what is asked for; `analyze` shows how \
                           often keys were used, where an LFU policy counted it";
                return Err(Fault::Missing(Missing(why.to_owned())));
            }
        })
    }
}

impl Hot<'_> {
    /// Goes on for a moment; false when it is over.
    ///
    /// # Errors
    /// When the connection broke, or the server refuses.
    pub async fn step(&mut self) -> Result<bool, Fault> {
        match self {
            Self::Redis(hot) => hot.step().await,
            Self::Memcached(server, hot) => {
                let goes_on = hot.step().await?;
                if !goes_on {
                    server.settle_fetches(hot).await?;
                }
                Ok(goes_on)
            }
        }
    }

    /// What is known by now.
    pub fn report(&self) -> HotReport {
        match self {
            Self::Redis(hot) => hot.report(),
            Self::Memcached(_, hot) => hot.report(),
        }
    }
}

/// Keys drawn at random. Dropping it ends the draw.
#[derive(Debug)]
pub enum Draws {
    Redis(Box<RedisDraws>),
    All(Walk),
}

impl Draws {
    /// The next page. A draw goes on until it is dropped; a walk of everything ends.
    ///
    /// # Errors
    /// When the connection broke, or the server refuses.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        match self {
            Self::Redis(draws) => draws.step().await.map(Some),
            Self::All(walk) => walk.step().await,
        }
    }

    pub fn set_pace(&mut self, pace: Pace) {
        match self {
            Self::Redis(draws) => draws.set_pace(pace),
            Self::All(walk) => walk.set_pace(pace),
        }
    }
}

/// A walk under way. Dropping it ends it.
#[derive(Debug)]
pub enum Walk {
    Redis(Box<RedisWalk>),
    Memcached(MemcachedWalk),
    File(FileWalk),
}

impl Walk {
    /// From here on at this pace, where the server leaves a choice.
    pub fn set_pace(&mut self, pace: Pace) {
        match self {
            Self::Redis(walk) => walk.set_pace(pace),
            // A dump goes as fast as the server's crawler, and a file is read as fast as it comes.
            Self::Memcached(_) | Self::File(_) => {}
        }
    }

    /// The next page; `None` after the last one. A page may be empty and is not the end.
    ///
    /// # Errors
    /// When the connection broke and did not come back, or the server refuses.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        match self {
            Self::Redis(walk) => walk.step().await,
            Self::Memcached(walk) => walk.step().await,
            Self::File(walk) => walk.step().await,
        }
    }
}
