//! A copy of all that a server holds, as a replica gets it: one moment of all databases.
//!
//! Nothing is changed by it, and it is not free: the server forks, and for a while it counts us among
//! its replicas. So the words of this conversation are on no list of reading commands. They are the
//! [`Step`]s below, only this file can send them, and it can send nothing else.

mod service;
mod transfer;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::engine::conduit::{CHUNK, Inlet};
use crate::engine::dial::{Allowance, Stream};
use crate::engine::redis::fetch::transfer::{Stop, Transfer};
use crate::engine::redis::lane::Lane;
use crate::engine::redis::reply::Refusal;
use crate::engine::redis::resp::Writer;
use crate::engine::redis::{Core, stranger};
use crate::engine::{Fault, Poured};
use crate::model::{Bytes, FetchAsk, FetchOrigin, FetchProgress};

use service::Facts;
pub use service::{Service, withheld};

/// What is said on the way to a copy. There is nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// We understand data whose length is not known beforehand.
    TakesMarks,
    /// We understand what this version of Valkey writes. Who says nothing is taken for older than all,
    /// and from version 9 on gets no copy at all where hash fields have TTLs.
    Version,
    /// We want the snapshot alone, not what is written meanwhile.
    SnapshotOnly,
    Psync,
    /// What servers without the former, or with it taken away, may still know.
    Sync,
}

impl Step {
    fn words(self, version: &str) -> Vec<&[u8]> {
        match self {
            Self::TakesMarks => vec![b"REPLCONF", b"capa", b"eof"],
            Self::Version => vec![b"REPLCONF", b"version", version.as_bytes()],
            Self::SnapshotOnly => vec![b"REPLCONF", b"rdb-only", b"1"],
            Self::Psync => vec![b"PSYNC", b"?", b"-1"],
            Self::Sync => vec![b"SYNC"],
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::TakesMarks | Self::Version | Self::SnapshotOnly => "REPLCONF",
            Self::Psync => "PSYNC",
            Self::Sync => "SYNC",
        }
    }
}

/// A copy under way. Dropping it ends it, and the server forgets its replica.
#[derive(Debug)]
pub struct RedisFetch {
    stream: Stream,
    allowance: Allowance,
    place: String,
    facts: Facts,
    stall: Duration,
    step: Step,
    transfer: Transfer,
}

impl RedisFetch {
    /// Connects, logs in and asks for the copy. From here on the server works for us.
    pub(super) async fn begin(core: &Core, ask: FetchAsk) -> Result<Self, Fault> {
        let mut lane = Lane::to(core.target.clone(), core.common.clone());
        lane.open().await?;
        let place = lane.place().to_owned();
        let Some((stream, allowance)) = lane.leave() else {
            return Err(closed(&place));
        };
        let mut fetch = Self {
            stream,
            allowance,
            facts: Facts::of(core).await,
            place,
            stall: ask.stall,
            step: Step::Psync,
            transfer: Transfer::default(),
        };
        // Courtesies: who does not know them, or may not say them, gets the copy all the same.
        let limit = core.target.limits.reply;
        fetch.introduce(Step::TakesMarks, limit).await?;
        if fetch.facts.version.is_some() {
            fetch.introduce(Step::Version, limit).await?;
        }
        let is_snapshot_only = fetch.introduce(Step::SnapshotOnly, limit).await?;
        fetch.transfer = Transfer::introduced(is_snapshot_only);
        fetch.say(Step::Psync).await?;
        Ok(fetch)
    }

    pub fn origin(&self) -> &FetchOrigin {
        self.transfer.origin()
    }

    pub fn progress(&self) -> FetchProgress {
        FetchProgress {
            phase: self.transfer.phase(),
            received: Bytes(self.transfer.received()),
            size: self.origin().size,
        }
    }

    /// Waits for something to come, and puts what is payload of it into the empty chunk; false after
    /// the last of it.
    ///
    /// # Errors
    /// When the server refuses, breaks off, or says nothing for too long.
    pub async fn step(&mut self, chunk: &mut Vec<u8>) -> Result<bool, Fault> {
        if self.transfer.is_over() {
            return Ok(false);
        }
        self.transfer.prepare(chunk);
        // A little less, so that what was held back makes no chunk grow.
        chunk.reserve(CHUNK - 64);
        let read = timeout(self.stall, self.stream.read_buf(chunk)).await;
        match read {
            Err(_) => return Err(self.stalled()),
            Ok(Ok(0) | Err(_)) => return Err(self.broken_off()),
            Ok(Ok(_)) => {}
        }
        match self.transfer.take(chunk) {
            Ok(()) => Ok(true),
            Err(Stop::Refused(refusal)) => self.refused(&refusal).await.map(|()| true),
            Err(Stop::Garbage(said)) => Err(Fault::Protocol {
                place: self.place.clone(),
                command: self.step.title().to_owned(),
                why: format!("it said {}", stranger::first_line(&said)),
            }),
        }
    }

    /// Fetches everything into a conduit.
    ///
    /// # Errors
    /// As `step`.
    pub async fn pour(
        &mut self,
        mut inlet: Inlet,
        mut tell: impl FnMut(FetchProgress),
    ) -> Result<Poured, Fault> {
        loop {
            let mut chunk = inlet.chunk();
            if !self.step(&mut chunk).await? {
                let ended = inlet.end().await;
                return Ok(ended.map_or(Poured::Abandoned, |()| Poured::Whole));
            }
            tell(self.progress());
            if inlet.send(chunk).await.is_err() {
                return Ok(Poured::Abandoned);
            }
        }
    }

    /// A server that does not know the request may know the older one.
    async fn refused(&mut self, refusal: &Refusal) -> Result<(), Fault> {
        if self.step == Step::Psync && refusal.is_unknown_command() {
            return self.say(Step::Sync).await;
        }
        // The request is what people look for, not what was tried when it was unknown.
        Err(withheld(self.facts.service, &self.place, refusal))
    }

    async fn introduce(&mut self, step: Step, limit: Duration) -> Result<bool, Fault> {
        self.say(step).await?;
        let answer = timeout(limit, self.line()).await;
        let line = answer.map_err(|_| Fault::Timeout {
            place: self.place.clone(),
            doing: "waiting for a reply",
            after: limit,
        })??;
        Ok(line.starts_with(b"+"))
    }

    async fn say(&mut self, step: Step) -> Result<(), Fault> {
        let mut writer = Writer::default();
        let version = self.facts.version.as_deref().unwrap_or_default();
        writer.command(&step.words(version));
        // How long a copy is nobody knows; what is kept of it in memory is bounded elsewhere.
        self.allowance.refill(u64::MAX);
        self.step = step;
        let written = async {
            self.stream.write_all(writer.bytes()).await?;
            self.stream.flush().await
        };
        match timeout(self.stall, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.broken_off()),
            Err(_) => Err(self.stalled()),
        }
    }

    /// A short line. Nothing follows it before we say something, so byte by byte is quick enough.
    async fn line(&mut self) -> Result<Vec<u8>, Fault> {
        const LONGEST: usize = 1 << 10;
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') && line.len() < LONGEST {
            match self.stream.read_u8().await {
                Ok(byte) => line.push(byte),
                Err(_) => return Err(self.broken_off()),
            }
        }
        Ok(line)
    }

    fn stalled(&self) -> Fault {
        Fault::Timeout {
            place: self.place.clone(),
            doing: "sending its data",
            after: self.stall,
        }
    }

    fn broken_off(&self) -> Fault {
        let fault = self.allowance.fault(&self.place, self.step.title());
        fault.unwrap_or_else(|| closed(&self.place))
    }
}

fn closed(place: &str) -> Fault {
    Fault::Closed {
        place: place.to_owned(),
        doing: "sending its data",
    }
}

#[cfg(test)]
mod tests;
