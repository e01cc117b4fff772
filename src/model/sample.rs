//! One reading of a server: every number that the overview shows, taken in one flight.
//!
//! Every field that a server may refuse or not know is an `Option`. `None` is drawn as unknown,
//! never as zero; `unsupported` says why where a reason is known.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Bytes, Persistence, Replication, Role, UnixMs};

/// What is on the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    Redis,
    Valkey,
    Memcached,
    /// Something that speaks the protocol under another name, in its own word.
    Other(String),
}

impl Engine {
    /// Its name as people write it.
    pub fn name(&self) -> &str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::Memcached => "Memcached",
            Self::Other(name) => name,
        }
    }
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub engine: Engine,
    pub version: String,
    /// Changes at every start of the server; Memcached's process id and start second stand in.
    pub run_id: String,
    pub role: Role,
    pub uptime: Option<Duration>,
    /// The server is one node of a cluster.
    pub is_cluster_node: bool,
    /// `standalone`, `cluster`, `sentinel`; the server's own word.
    pub mode: Option<String>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Our clock, for showing.
    pub at: UnixMs,
    /// Time since this program started measuring, monotonic: rates are computed from this.
    pub elapsed: Duration,
    /// How long the flight took.
    pub round_trip: Duration,
    pub identity: Identity,
    pub counters: Counters,
    pub memory: Memory,
    pub clients: Clients,
    /// Per numbered database, in order; `None` when the server would not say.
    pub databases: Option<Vec<Database>>,
    pub replication: Option<Replication>,
    pub persistence: Option<Persistence>,
    /// Memcached only.
    pub slabs: Option<Slabs>,
    /// Field name of the JSON contract → why it is unknown.
    pub unsupported: BTreeMap<&'static str, String>,
    /// Every line as the server said it, for whoever wants more (`info --all`).
    pub raw: Vec<(String, String)>,
}

/// What only counts up, from the start of the server or its last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Our own lookups are already taken out.
    pub hits: Option<u64>,
    /// Our own lookups are already taken out.
    pub misses: Option<u64>,
    /// How many lookups of ours were taken out since the server's counters began.
    pub own_lookups: u64,
    pub operations: Option<u64>,
    pub evicted: Option<u64>,
    pub expired: Option<u64>,
    pub connections: Option<u64>,
    pub rejected: Option<u64>,
    pub net_in: Option<Bytes>,
    pub net_out: Option<Bytes>,
    /// Keys that were evicted without ever having been read. Memcached only.
    pub evicted_unread: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    pub used: Option<Bytes>,
    /// `Some(None)`: the server says that it has no limit.
    pub limit: Option<Option<Bytes>>,
    /// Memory as the system counts it. Memcached does not report it.
    pub resident: Option<Bytes>,
    pub peak: Option<Bytes>,
    /// Resident by used memory, as the server computes it.
    pub fragmentation: Option<f64>,
    pub policy: Option<String>,
    /// Memory of the machine the server runs on.
    pub system: Option<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    pub connected: Option<u64>,
    pub blocked: Option<u64>,
    pub limit: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub index: u32,
    pub keys: u64,
    /// Memcached does not count them.
    pub keys_with_ttl: Option<u64>,
    /// The server's estimate; `None` when no key has a TTL.
    pub average_ttl: Option<Duration>,
}

/// Memcached's memory by chunk size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slabs {
    pub classes: Vec<SlabClass>,
    /// Memory in pages that the server has taken from the system.
    pub allocated: Option<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlabClass {
    pub id: u32,
    pub chunk_size: Bytes,
    pub pages: u64,
    pub used_chunks: u64,
    pub free_chunks: u64,
    pub total_chunks: u64,
    /// Bytes asked for in the used chunks; the difference to the chunks' size is waste.
    pub requested: Option<Bytes>,
    pub items: Option<u64>,
    /// Age of the oldest item in the cold queue.
    pub tail_age: Option<Duration>,
    pub evicted: Option<u64>,
    /// Idle time of the item evicted last.
    pub evicted_idle: Option<Duration>,
    pub out_of_memory: Option<u64>,
}

impl Sample {
    /// Keys over all databases.
    pub fn keys(&self) -> Option<u64> {
        Some(self.databases.as_ref()?.iter().map(|db| db.keys).sum())
    }

    /// Keys with a TTL over all databases.
    pub fn keys_with_ttl(&self) -> Option<u64> {
        self.databases
            .as_ref()?
            .iter()
            .map(|db| db.keys_with_ttl)
            .sum()
    }

    /// Used memory by its limit, 0 to 1; `None` when either is unknown or there is no limit.
    pub fn fill(&self) -> Option<f64> {
        let limit = self.memory.limit??;
        (limit.0 > 0).then_some(self.memory.used?.0 as f64 / limit.0 as f64)
    }
}
