//! From the server's statistics to a sample.
//!
//! Memcached has no words for some of what the overview shows, so these stand in:
//!
//! - *operations*: `cmd_get + cmd_set + cmd_touch + cmd_flush` and the hits and misses of delete,
//!   incr and decr. Not `cmd_meta`: `mg`, `ms`, `md` and `ma` count there *and* under the command
//!   they correspond to; only `me` and `mn`, which nobody's application uses, count nowhere else.
//! - *expired*: `reclaimed + crawler_reclaimed + get_expired`, the expired items that the server has
//!   come across while storing, crawling and reading. Nothing is counted at the moment of expiry.
//! - *run id*: process id and start second, since the server has none.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{
    Account, Bytes, Clients, Counters, Database, Engine, Identity, Memory, OwnBucket, OwnSpread,
    Role, Sample, SlabClass, Slabs, SpreadUnit, UnixMs,
};

/// What the server counts by itself; slab classes tell how sizes spread.
pub(super) fn account(sample: &Sample) -> Account {
    let classes = sample.slabs.iter().flat_map(|slabs| &slabs.classes);
    let buckets = classes
        .filter(|class| class.used_chunks > 0)
        .map(|class| OwnBucket {
            border: class.chunk_size.0,
            keys: class.items.unwrap_or(class.used_chunks),
        });
    let buckets: Vec<OwnBucket> = buckets.collect();
    let spread = (!buckets.is_empty()).then(|| OwnSpread {
        kind: "item".to_owned(),
        unit: SpreadUnit::ChunkBytes,
        buckets,
    });
    Account {
        keys: sample.keys(),
        dataset: sample.memory.used,
        spreads: spread.into_iter().collect(),
        ..Account::default()
    }
}

pub(super) const NO_REPLICATION: &str = "Memcached has no replication";
pub(super) const NO_SNAPSHOTS: &str =
    "Memcached has no snapshots; its items can be fetched as a file";

/// Names and values as the server said them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats(Vec<(String, String)>);

impl Stats {
    pub fn new(rows: Vec<(String, String)>) -> Self {
        Self(rows)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The sum of those that the server tells; `None` when it tells none of them.
    fn sum(&self, names: &[&str]) -> Option<u64> {
        names
            .iter()
            .filter_map(|name| self.count(name))
            .reduce(u64::saturating_add)
    }

    pub fn rows(&self) -> &[(String, String)] {
        &self.0
    }

    /// The processor time of the server and its threads.
    pub fn processor(&self) -> Option<Duration> {
        let seconds = |name| self.text(name)?.parse::<f64>().ok();
        Duration::try_from_secs_f64(seconds("rusage_user")? + seconds("rusage_system")?).ok()
    }

    /// The server's clock.
    pub fn clock(&self) -> Option<UnixMs> {
        let seconds = i64::try_from(self.count("time")?).ok()?;
        Some(UnixMs(seconds.checked_mul(1000)?))
    }
}

/// Lookups of our own, which the server counted like anybody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnLookups {
    pub hits: u64,
    pub misses: u64,
}

pub(super) fn identity(stats: &Stats, version: &str, run_id: String) -> Identity {
    Identity {
        engine: Engine::Memcached,
        version: stats.text("version").unwrap_or(version).to_owned(),
        run_id,
        role: Role::Single,
        uptime: stats.count("uptime").map(Duration::from_secs),
        is_cluster_node: false,
        mode: None,
    }
}

/// Process id and start second, when the server tells them.
pub(super) fn birth(stats: &Stats) -> Option<(u64, u64)> {
    let start = stats.count("time")?.checked_sub(stats.count("uptime")?)?;
    Some((stats.count("pid")?, start))
}

pub(super) fn counters(stats: &Stats, own: OwnLookups) -> Counters {
    let others = |name, own| stats.count(name).map(|all| all.saturating_sub(own));
    Counters {
        hits: others("get_hits", own.hits),
        misses: others("get_misses", own.misses),
        own_lookups: own.hits + own.misses,
        operations: stats.sum(&[
            "cmd_get",
            "cmd_set",
            "cmd_touch",
            "cmd_flush",
            "delete_hits",
            "delete_misses",
            "incr_hits",
            "incr_misses",
            "decr_hits",
            "decr_misses",
        ]),
        evicted: stats.count("evictions"),
        expired: stats.sum(&["reclaimed", "crawler_reclaimed", "get_expired"]),
        connections: stats.count("total_connections"),
        rejected: stats.count("rejected_connections"),
        net_in: stats.count("bytes_read").map(Bytes),
        net_out: stats.count("bytes_written").map(Bytes),
        evicted_unread: stats.count("evicted_unfetched"),
    }
}

pub(super) fn memory(stats: &Stats, settings: Option<&Stats>) -> Memory {
    Memory {
        used: stats.count("bytes").map(Bytes),
        limit: stats
            .count("limit_maxbytes")
            .map(|limit| Some(Bytes(limit))),
        resident: None,
        peak: None,
        fragmentation: None,
        policy: settings.and_then(policy),
        system: None,
    }
}

/// What happens when memory is full, in a word.
fn policy(settings: &Stats) -> Option<String> {
    if settings.text("evictions") == Some("off") {
        return Some("noeviction".into());
    }
    let is_segmented = settings
        .text("lru_segmented")
        .or(settings.text("lru_maintainer_thread"))?;
    Some(
        if is_segmented == "yes" {
            "segmented lru"
        } else {
            "flat lru"
        }
        .into(),
    )
}

pub(super) fn clients(stats: &Stats, settings: Option<&Stats>) -> Clients {
    Clients {
        connected: stats.count("curr_connections"),
        blocked: None,
        limit: stats
            .count("max_connections")
            .or_else(|| settings?.count("maxconns")),
    }
}

pub(super) fn databases(stats: &Stats) -> Option<Vec<Database>> {
    Some(vec![Database {
        index: 0,
        keys: stats.count("curr_items")?,
        keys_with_ttl: None,
        average_ttl: None,
    }])
}

/// Classes by id from `1:chunk_size 96` and `items:1:age 10`.
pub(super) fn slabs(slabs: &Stats, items: Option<&Stats>) -> Slabs {
    let mut classes: BTreeMap<u32, SlabClass> = BTreeMap::new();
    for (name, value) in slabs.rows() {
        let Some((id, field)) = name.split_once(':') else {
            continue;
        };
        let (Ok(id), Ok(count)) = (id.parse(), value.parse()) else {
            continue;
        };
        let class = classes.entry(id).or_default();
        class.id = id;
        note_slab(class, field, count);
    }
    for (name, value) in items.map_or(&[][..], Stats::rows) {
        let Some((id, field)) = name
            .strip_prefix("items:")
            .and_then(|rest| rest.split_once(':'))
        else {
            continue;
        };
        let (Ok(id), Ok(count)) = (id.parse(), value.parse()) else {
            continue;
        };
        if let Some(class) = classes.get_mut(&id) {
            note_items(class, field, count);
        }
    }
    Slabs {
        classes: classes.into_values().collect(),
        allocated: slabs.count("total_malloced").map(Bytes),
    }
}

fn note_slab(class: &mut SlabClass, field: &str, count: u64) {
    match field {
        "chunk_size" => class.chunk_size = Bytes(count),
        "total_pages" => class.pages = count,
        "total_chunks" => class.total_chunks = count,
        "used_chunks" => class.used_chunks = count,
        "free_chunks" => class.free_chunks = count,
        // Here before 1.5.17, among the items since.
        "mem_requested" => class.requested = Some(Bytes(count)),
        _ => {}
    }
}

fn note_items(class: &mut SlabClass, field: &str, count: u64) {
    match field {
        "number" => class.items = Some(count),
        "age" => class.tail_age = Some(Duration::from_secs(count)),
        "evicted" => class.evicted = Some(count),
        "evicted_time" => class.evicted_idle = Some(Duration::from_secs(count)),
        "outofmemory" => class.out_of_memory = Some(count),
        "mem_requested" => class.requested = Some(Bytes(count)),
        _ => {}
    }
    // The server says 0 for the idle time of an eviction that never was.
    if class.evicted == Some(0) {
        class.evicted_idle = None;
    }
}

/// What this engine never tells, by the contract's names.
pub(super) fn unsupported() -> BTreeMap<&'static str, String> {
    let own_memory = "Memcached counts only its items, not the process's memory";
    [
        (
            "keys_with_ttl",
            "Memcached does not count its items with a TTL",
        ),
        ("replication", NO_REPLICATION),
        ("persistence", NO_SNAPSHOTS),
        ("resident_bytes", own_memory),
        ("peak_bytes", own_memory),
        ("fragmentation", own_memory),
        (
            "system_bytes",
            "Memcached does not tell its machine's memory",
        ),
        ("blocked_clients", "Memcached has no blocking commands"),
    ]
    .map(|(field, why)| (field, why.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{OwnLookups, Stats, birth, counters, memory, slabs};
    use crate::model::{Bytes, SlabClass};

    fn stats(text: &str) -> Stats {
        let rows = text.split(", ").filter_map(|row| row.split_once(' '));
        Stats::new(
            rows.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn own_lookups_are_taken_out() {
        let own = OwnLookups { hits: 3, misses: 9 };
        let counted = counters(&stats("get_hits 10, get_misses 5"), own);
        assert_eq!((counted.hits, counted.misses), (Some(7), Some(0)));
        assert_eq!(counted.own_lookups, 12);
    }

    #[test]
    fn meta_commands_are_not_counted_twice() {
        let counted = counters(
            &stats(
                "cmd_get 4, cmd_set 3, cmd_touch 2, cmd_meta 100, delete_hits 1, delete_misses 1",
            ),
            OwnLookups::default(),
        );
        assert_eq!(counted.operations, Some(11));
    }

    #[test]
    fn what_is_not_told_is_unknown() {
        let nothing = Stats::default();
        let counted = counters(&nothing, OwnLookups::default());
        assert_eq!(
            (counted.hits, counted.operations, counted.expired),
            (None, None, None)
        );
        assert_eq!(memory(&nothing, None).limit, None);
        assert_eq!(birth(&stats("pid 7, time 100")), None);
    }

    #[test]
    fn the_start_second_identifies_a_run() {
        assert_eq!(birth(&stats("pid 7, uptime 40, time 100")), Some((7, 60)));
    }

    #[test]
    fn the_policy_follows_the_settings() {
        for (settings, policy) in [
            ("evictions on, lru_segmented yes", Some("segmented lru")),
            ("evictions on, lru_segmented no", Some("flat lru")),
            ("evictions off, lru_segmented yes", Some("noeviction")),
            // 1.4.39 has the older name.
            ("evictions on, lru_maintainer_thread no", Some("flat lru")),
            ("", None),
        ] {
            let settings = stats(settings);
            let memory = memory(&Stats::default(), Some(&settings));
            assert_eq!(memory.policy.as_deref(), policy);
        }
    }

    #[test]
    fn slab_classes_come_from_two_groups() {
        let told = slabs(
            &stats(
                "1:chunk_size 96, 1:total_pages 1, 1:total_chunks 10922, 1:used_chunks 2, 1:free_chunks 10920, active_slabs 1, total_malloced 1048576",
            ),
            Some(&stats(
                "items:1:number 2, items:1:age 10, items:1:mem_requested 128, items:1:evicted 0, items:1:evicted_time 0, items:1:outofmemory 0, items:9:number 1",
            )),
        );
        assert_eq!(told.allocated, Some(Bytes(1_048_576)));
        assert_eq!(
            told.classes,
            [SlabClass {
                id: 1,
                chunk_size: Bytes(96),
                pages: 1,
                used_chunks: 2,
                free_chunks: 10920,
                total_chunks: 10922,
                requested: Some(Bytes(128)),
                items: Some(2),
                tail_age: Some(Duration::from_secs(10)),
                evicted: Some(0),
                evicted_idle: None,
                out_of_memory: Some(0),
            }]
        );
    }
}
