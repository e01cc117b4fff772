//! Readings for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    Bytes, Clients, Counters, Engine, History, Identity, Memory, Role, Sample, UnixMs,
};

pub(super) const MIB: u64 = 1 << 20;

/// A reading of a Redis primary that tells nothing but its operations.
pub(super) fn sample(seconds: u64, operations: u64) -> Sample {
    Sample {
        at: UnixMs(1_795_515_600_000).plus(Duration::from_secs(seconds)),
        elapsed: Duration::from_secs(seconds),
        round_trip: Duration::from_millis(1),
        identity: Identity {
            engine: Engine::Redis,
            version: "7.0.15".to_owned(),
            run_id: "one".to_owned(),
            role: Role::Primary,
            uptime: None,
            is_cluster_node: false,
            mode: None,
        },
        counters: Counters {
            operations: Some(operations),
            ..Counters::default()
        },
        memory: Memory::default(),
        clients: Clients::default(),
        databases: None,
        replication: None,
        persistence: None,
        slabs: None,
        unsupported: BTreeMap::new(),
        raw: Vec::new(),
    }
}

/// A reading of a server that uses so many bytes of its limit.
pub(super) fn filled(seconds: u64, used: u64, limit: u64) -> Sample {
    Sample {
        memory: Memory {
            used: Some(Bytes(used)),
            limit: Some(Some(Bytes(limit))),
            ..Memory::default()
        },
        ..sample(seconds, 0)
    }
}

pub(super) fn history(samples: impl IntoIterator<Item = Sample>) -> History {
    let mut history = History::default();
    for sample in samples {
        history.push(sample);
    }
    history
}

/// A reading every second with `per_second` operations in between.
pub(super) fn steady(seconds: std::ops::RangeInclusive<u64>, per_second: u64) -> Vec<Sample> {
    seconds
        .map(|second| sample(second, second * per_second))
        .collect()
}
