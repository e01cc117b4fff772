//! What a keyspace consists of, told key by key and in bounded memory.
//!
//! A walk, a sample or a file feeds an [`Analysis`]; whoever asks gets a [`Report`] at any time, whole
//! or partial. Pure: time is an argument, and nothing here knows where keys come from.

pub mod cutter;
mod expiry;
pub mod hash;
pub mod hitters;
mod ids;
mod prefixes;
pub mod report;
mod scale;
mod spread;
mod tally;
mod top;

use serde::{Deserialize, Serialize};

use crate::analysis::cutter::Segmented;
use crate::analysis::expiry::Expiry;
use crate::analysis::prefixes::{Facts, Prefixes};
use crate::analysis::scale::Scale;
use crate::analysis::spread::Histogram;
use crate::analysis::tally::Kinds;
use crate::analysis::top::{Seat, Top};
use crate::model::{Account, Bytes, Coverage, Lack, Told, UnixMs, WalkCost, WalkKey};

pub use ids::collapse;
pub use report::{Figure, Report, UsageReport, Via};

/// How to look at a keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisAsk {
    /// What stands between the parts of a name; several are all looked for.
    pub delimiters: Vec<Vec<u8>>,
    /// Whether parts that are ids count as one: `user:*:profile`.
    pub collapses_ids: bool,
    /// Memory for the statistics of prefixes. What does not fit is estimated, with the error told.
    #[serde(with = "bytes")]
    pub budget: Bytes,
    /// Keys in each top list.
    pub top: usize,
    /// The most rows of prefixes in a report.
    pub rows: usize,
}

impl Default for AnalysisAsk {
    fn default() -> Self {
        Self {
            delimiters: vec![b":".to_vec()],
            collapses_ids: true,
            budget: Bytes(16 << 20),
            top: 20,
            rows: 10_000,
        }
    }
}

mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Bytes;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(bytes.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        u64::deserialize(from).map(Bytes)
    }
}

/// What a report says beside what the keys told.
#[derive(Clone, Debug)]
pub struct Circumstances {
    pub via: Via,
    pub coverage: Coverage,
    pub cost: WalkCost,
    pub lacks: Vec<Lack>,
    pub account: Option<Account>,
}

/// Takes keys in, one by one. It can be kept and gone on with later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Analysis {
    ask: AnalysisAsk,
    keys: u64,
    kinds: Kinds,
    sizes: Histogram,
    idle: Histogram,
    frequency: Histogram,
    expiry: Expiry,
    prefixes: Prefixes,
    biggest: Top,
    longest: Top,
    idlest: Top,
}

impl Analysis {
    pub fn new(ask: AnalysisAsk) -> Self {
        Self {
            keys: 0,
            kinds: Kinds::default(),
            sizes: Histogram::default(),
            idle: Histogram::default(),
            frequency: Histogram::default(),
            expiry: Expiry::default(),
            prefixes: Prefixes::new(&ask),
            biggest: Top::of(ask.top),
            longest: Top::of(ask.top),
            idlest: Top::of(ask.top),
            ask,
        }
    }

    pub fn ask(&self) -> &AnalysisAsk {
        &self.ask
    }

    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Takes in a key as it was met at this moment.
    pub fn take(&mut self, key: &WalkKey, at: UnixMs) {
        self.take_named(key.key.bytes(), key.told.as_ref(), at);
    }

    /// The same of a name that is only lent.
    pub fn take_named(&mut self, name: &[u8], told: Option<&Told>, at: UnixMs) {
        let (told, facts) = self.count(told, at);
        self.prefixes.take(name, &facts);
        self.rank(name, told);
    }

    /// The same of a name that was cut before, with a [`cutter::Cutter`] of the same ask.
    pub fn take_cut(&mut self, name: &[u8], segments: Segmented<'_>, told: &Told, at: UnixMs) {
        let (told, facts) = self.count(Some(told), at);
        self.prefixes.take_cut(segments, &facts);
        self.rank(name, told);
    }

    fn count<'a>(&mut self, told: Option<&'a Told>, at: UnixMs) -> (&'a Told, Facts) {
        const NOTHING: &Told = &Told {
            kind: None,
            ttl: crate::model::Ttl::Unknown,
            size: None,
            idle: None,
            frequency: None,
            encoding: None,
            length: None,
        };
        let told = told.unwrap_or(NOTHING);
        self.keys += 1;
        self.kinds.take(told);
        let left = self.expiry.take(told.ttl, at);
        let size = told.size.map(|size| size.0);
        if let Some(size) = size {
            self.sizes.add(size);
        }
        if let Some(idle) = told.idle {
            self.idle.add(idle.as_secs());
        }
        if let Some(frequency) = told.frequency {
            self.frequency.add(u64::from(frequency));
        }
        let facts = Facts {
            size,
            ttl: left,
            is_idle: told.idle.map(|idle| idle >= report::IDLE_AFTER),
        };
        (told, facts)
    }

    /// Adds what another analysis saw: of another node, or of another part of the walk.
    pub fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.kinds.merge(&other.kinds);
        self.sizes.merge(&other.sizes);
        self.idle.merge(&other.idle);
        self.frequency.merge(&other.frequency);
        self.expiry.merge(&other.expiry);
        self.prefixes.merge(&other.prefixes);
        self.biggest.merge(&other.biggest);
        self.longest.merge(&other.longest);
        self.idlest.merge(&other.idlest);
    }

    /// Everything that is known by now.
    pub fn report(&self, at: UnixMs, circumstances: Circumstances) -> Report {
        let scale = self.scale(&circumstances);
        let (types, encodings) = self.kinds.rows(&scale);
        let (prefixes, prefix_error) = self.prefixes.rows(self.ask.rows, &scale);
        let usage = match (self.idle.count(), self.frequency.count()) {
            (0, 0) => None,
            (0, _) => Some(UsageReport::Frequency(self.frequency.spread(&scale))),
            (_, _) => Some(UsageReport::Idle(self.idle.spread(&scale))),
        };
        Report {
            via: circumstances.via,
            at,
            keys: if let Some(keys) = counted_by_the_server(&circumstances) {
                Figure::exact(keys)
            } else if scale.is_exact() {
                Figure::exact(self.keys)
            } else {
                Figure::exact(circumstances.coverage.of.unwrap_or(self.keys))
            },
            bytes: self.kinds.bytes().map(|sum| scale.bytes(&sum)),
            types,
            encodings,
            sizes: (self.sizes.count() > 0).then(|| self.sizes.spread(&scale)),
            ttl: self.expiry.report(&scale),
            usage,
            prefixes,
            prefix_error,
            biggest: self.biggest.rows(),
            longest: self.longest.rows(),
            idlest: self.idlest.rows(),
            coverage: circumstances.coverage,
            cost: circumstances.cost,
            lacks: circumstances.lacks,
            account: circumstances.account,
        }
    }

    /// What was seen of a walk stands for itself; a sample stands for the whole.
    fn scale(&self, circumstances: &Circumstances) -> Scale {
        let coverage = &circumstances.coverage;
        match (circumstances.via, coverage.of) {
            (Via::Sample, Some(of)) if !coverage.is_complete && !coverage.is_filtered => {
                let dataset = coverage.dataset.map(|dataset| dataset.0);
                let told = self.kinds.bytes().unwrap_or_default();
                Scale::of_sample(self.keys, of).with_dataset(dataset, &told)
            }
            _ => Scale::EXACT,
        }
    }

    fn rank(&mut self, name: &[u8], told: &Told) {
        let seat = |weight| Seat { weight, name, told };
        if let Some(size) = told.size {
            self.biggest.offer(&seat(size.0));
            if let Some(idle) = told.idle.filter(|idle| !idle.is_zero()) {
                let weight = size.0.saturating_mul(idle.as_secs());
                self.idlest.offer(&seat(weight));
            }
        }
        if let Some(length) = told.length {
            self.longest.offer(&seat(length));
        }
    }
}

/// Before any key was seen, the server's own count is what is known of them.
fn counted_by_the_server(circumstances: &Circumstances) -> Option<u64> {
    let coverage = &circumstances.coverage;
    let account = circumstances.account.as_ref();
    account
        .filter(|_| coverage.seen == 0 && !coverage.is_complete)
        .and_then(|account| account.keys)
}

#[cfg(test)]
mod tests;
