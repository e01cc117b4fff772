//! What `INFO` says, in the model's words.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::redis::info::{Info, parts};
use crate::engine::redis::lookups::Corrected;
use crate::model::{
    Aof, Backlog, Bytes, Clients, Counters, Database, Engine, Identity, Link, Memory, Persistence,
    Replica, Replication, Role, Sample, SaveStatus, UnixMs,
};

/// When and how fast a reading was taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub at: UnixMs,
    pub elapsed: Duration,
    pub round_trip: Duration,
}

/// Fields of the JSON contract and the lines they need.
#[rustfmt::skip]
const NEEDED: &[(&str, &str)] = &[
    ("clients",     "connected_clients"),
    ("evicted",     "evicted_keys"),
    ("expired",     "expired_keys"),
    ("hit_ratio",   "keyspace_hits"),
    ("hits",        "keyspace_hits"),
    ("limit_bytes", "maxmemory"),
    ("misses",      "keyspace_misses"),
    ("ops_per_s",   "total_commands_processed"),
    ("persistence", "rdb_bgsave_in_progress"),
    ("replication", "role"),
    ("role",        "role"),
    ("uptime_s",    "uptime_in_seconds"),
    ("used_bytes",  "used_memory"),
];

/// One reading out of one `INFO` reply.
pub fn sample(info: Info, taken: Taken, corrected: Corrected) -> Sample {
    let databases = databases(&info);
    let mut unsupported: BTreeMap<&'static str, String> = NEEDED
        .iter()
        .filter(|(_, line)| info.text(line).is_none())
        .map(|(field, line)| (*field, format!("the server leaves {line} out of INFO")))
        .collect();
    if databases.is_none() {
        for field in ["keys", "keys_with_ttl"] {
            let why = "the server leaves the keyspace section out of INFO";
            unsupported.insert(field, why.to_owned());
        }
    }
    Sample {
        at: taken.at,
        elapsed: taken.elapsed,
        round_trip: taken.round_trip,
        identity: identity(&info),
        counters: counters(&info, corrected),
        memory: memory(&info),
        clients: Clients {
            connected: info.count("connected_clients"),
            blocked: info.count("blocked_clients"),
            limit: info.count("maxclients"),
        },
        databases,
        replication: replication(&info),
        persistence: persistence(&info),
        slabs: None,
        unsupported,
        raw: info.into_lines(),
    }
}

pub fn identity(info: &Info) -> Identity {
    let (engine, version) = engine(info);
    let mode = info
        .word("redis_mode")
        .or_else(|| info.word("server_mode"))
        .or_else(|| info.word("valkey_mode"));
    Identity {
        engine,
        version,
        run_id: info.word("run_id").unwrap_or_default(),
        role: role(info, mode.as_deref()),
        uptime: info.seconds("uptime_in_seconds"),
        is_cluster_node: info.flag("cluster_enabled").unwrap_or(false),
        mode,
    }
}

/// Forks report a version of Redis for the sake of clients, and their own beside it.
fn engine(info: &Info) -> (Engine, String) {
    const FORKS: &[(&str, &str)] = &[
        ("dragonfly_version", "Dragonfly"),
        ("garnet_version", "Garnet"),
        ("kvrocks_version", "Kvrocks"),
        ("pika_version", "Pika"),
    ];
    if let Some(version) = info.word("valkey_version") {
        return (Engine::Valkey, version);
    }
    for (line, name) in FORKS {
        if let Some(version) = info.word(line) {
            return (Engine::Other((*name).to_owned()), version);
        }
    }
    let version = info.word("redis_version").unwrap_or_default();
    match info.word("server_name").as_deref() {
        None | Some("redis") => (Engine::Redis, version),
        Some("valkey") => (Engine::Valkey, version),
        Some(other) => (Engine::Other(other.to_owned()), version),
    }
}

fn role(info: &Info, mode: Option<&str>) -> Role {
    if mode == Some("sentinel") {
        return Role::Sentinel;
    }
    match info.text("role") {
        Some("master") => Role::Primary,
        Some("slave") => Role::Replica,
        Some("sentinel") => Role::Sentinel,
        _ => Role::Unknown,
    }
}

fn counters(info: &Info, corrected: Corrected) -> Counters {
    Counters {
        hits: corrected.hits,
        misses: corrected.misses,
        own_lookups: corrected.own,
        operations: info.count("total_commands_processed"),
        evicted: info.count("evicted_keys"),
        expired: info.count("expired_keys"),
        connections: info.count("total_connections_received"),
        rejected: info.count("rejected_connections"),
        net_in: info.bytes("total_net_input_bytes"),
        net_out: info.bytes("total_net_output_bytes"),
        evicted_unread: None,
    }
}

fn memory(info: &Info) -> Memory {
    Memory {
        used: info.bytes("used_memory"),
        limit: info
            .bytes("maxmemory")
            .map(|limit| (limit.0 > 0).then_some(limit)),
        resident: info.bytes("used_memory_rss"),
        peak: info.bytes("used_memory_peak"),
        fragmentation: info.number("mem_fragmentation_ratio"),
        policy: info.word("maxmemory_policy"),
        system: info.bytes("total_system_memory").filter(|all| all.0 > 0),
    }
}

pub(super) fn databases(info: &Info) -> Option<Vec<Database>> {
    let mut databases: Vec<Database> = info
        .lines()
        .filter_map(|(name, value)| {
            let index = name.strip_prefix("db")?.parse().ok()?;
            let parts = parts(value);
            Some(Database {
                index,
                keys: parts.get("keys")?.parse().ok()?,
                keys_with_ttl: parts.get("expires").and_then(|count| count.parse().ok()),
                average_ttl: parts
                    .get("avg_ttl")
                    .and_then(|ttl| ttl.parse().ok())
                    .filter(|ttl| *ttl > 0)
                    .map(Duration::from_millis),
            })
        })
        .collect();
    databases.sort_by_key(|database| database.index);
    (info.has_section("keyspace") || !databases.is_empty()).then_some(databases)
}

fn replication(info: &Info) -> Option<Replication> {
    let role = info.text("role")?;
    let offset = info.count("master_repl_offset");
    Some(Replication {
        id: info.word("master_replid"),
        offset,
        replicas: replicas(info, offset),
        link: (role == "slave").then(|| link(info)),
        backlog: backlog(info),
    })
}

fn replicas(info: &Info, primary: Option<u64>) -> Vec<Replica> {
    info.lines()
        .filter_map(|(name, value)| {
            let _number: u32 = name.strip_prefix("slave")?.parse().ok()?;
            let parts = parts(value);
            let offset: Option<u64> = parts.get("offset").and_then(|text| text.parse().ok());
            let state = *parts.get("state")?;
            // Before it is online, a replica's offset is not a place in the stream.
            let lag = primary
                .zip(offset)
                .filter(|_| state == "online")
                .map(|(ahead, at)| ahead.saturating_sub(at));
            Some(Replica {
                address: address(parts.get("ip")?, parts.get("port")?),
                state: state.to_owned(),
                offset,
                lag_bytes: lag.map(Bytes),
                since_ack: parts
                    .get("lag")
                    .and_then(|text| text.parse().ok())
                    .map(Duration::from_secs),
            })
        })
        .collect()
}

fn link(info: &Info) -> Link {
    let host = info.text("master_host").unwrap_or("?");
    let port = info.text("master_port").unwrap_or("?");
    Link {
        primary: address(host, port),
        is_up: info.is("master_link_status", "up").unwrap_or(false),
        down_for: info.seconds("master_link_down_since_seconds"),
        last_io: info.seconds("master_last_io_seconds_ago"),
        is_syncing: info.flag("master_sync_in_progress").unwrap_or(false),
        sync_left: info.bytes("master_sync_left_bytes"),
        // Only the primary knows how far ahead it is. What was received and not applied yet (the
        // difference of `slave_read_repl_offset` and `slave_repl_offset`) leaves out the way here.
        lag_bytes: None,
        is_read_only: info.flag("slave_read_only"),
    }
}

fn address(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn backlog(info: &Info) -> Option<Backlog> {
    Some(Backlog {
        is_active: info.flag("repl_backlog_active")?,
        size: info.bytes("repl_backlog_size")?,
        first_offset: info.count("repl_backlog_first_byte_offset"),
        held: info.bytes("repl_backlog_histlen"),
    })
}

/// Snapshots and the append-only file; `None` where the service hides them.
pub fn persistence(info: &Info) -> Option<Persistence> {
    let is_saving = info.flag("rdb_bgsave_in_progress")?;
    let is_loading =
        info.flag("loading").unwrap_or(false) || info.flag("async_loading").unwrap_or(false);
    Some(Persistence {
        is_loading,
        loading_progress: info
            .number("loading_loaded_perc")
            .filter(|_| is_loading)
            .map(|percent| (percent / 100.0).clamp(0.0, 1.0)),
        is_saving,
        progress: progress(info),
        copied: info.bytes("current_cow_size").filter(|copied| copied.0 > 0),
        saving_for: info
            .seconds("rdb_current_bgsave_time_sec")
            .filter(|_| is_saving),
        begun: info.count("rdb_saves"),
        last_save: last_save(info),
        last_status: status(info, "rdb_last_bgsave_status"),
        last_duration: info.seconds("rdb_last_bgsave_time_sec"),
        changes_since_save: info.count("rdb_changes_since_last_save"),
        last_cow: info.bytes("rdb_last_cow_size").filter(|cow| cow.0 > 0),
        last_fork: info
            .count("latest_fork_usec")
            .filter(|time| *time > 0)
            .map(Duration::from_micros),
        aof: aof(info),
    })
}

fn progress(info: &Info) -> Option<f64> {
    let done = info.count("current_save_keys_processed")?;
    let all = info
        .count("current_save_keys_total")
        .filter(|all| *all > 0)?;
    Some((done as f64 / all as f64).min(1.0))
}

/// A server that has never saved reports its own start as the moment of its last save. A snapshot
/// that ended well within the same second left the memory that its copy took as a trace; one that
/// was killed did not. A full copy for a replica leaves the same trace and saves nothing. The count
/// of snapshots is no help: it goes up when one is begun, and for replicas too.
fn last_save(info: &Info) -> Option<UnixMs> {
    let saved: i64 = info.text("rdb_last_save_time")?.parse().ok()?;
    let start = info
        .count("server_time_usec")
        .zip(info.count("uptime_in_seconds"))
        .and_then(|(now, up)| {
            i64::try_from(now / 1_000_000)
                .ok()?
                .checked_sub_unsigned(up)
        });
    let is_start = start.is_some_and(|start| saved <= start + 1);
    let ended_well = status(info, "rdb_last_bgsave_status") == Some(SaveStatus::Ok)
        && info.count("rdb_last_cow_size").is_some_and(|cow| cow > 0)
        && info.count("sync_full") == Some(0);
    let never = saved == 0 || info.count("rdb_saves") == Some(0) || is_start && !ended_well;
    (!never).then_some(UnixMs(saved.saturating_mul(1000)))
}

fn aof(info: &Info) -> Option<Aof> {
    Some(Aof {
        is_enabled: info.flag("aof_enabled")?,
        is_rewriting: info.flag("aof_rewrite_in_progress").unwrap_or(false),
        is_scheduled: info.flag("aof_rewrite_scheduled").unwrap_or(false),
        rewriting_for: info.seconds("aof_current_rewrite_time_sec"),
        rewrites: info.count("aof_rewrites"),
        last_rewrite: status(info, "aof_last_bgrewrite_status"),
        last_rewrite_took: info.seconds("aof_last_rewrite_time_sec"),
        last_write: status(info, "aof_last_write_status"),
        size: info.bytes("aof_current_size"),
    })
}

fn status(info: &Info, line: &str) -> Option<SaveStatus> {
    info.is(line, "ok").map(|is_ok| {
        if is_ok {
            SaveStatus::Ok
        } else {
            SaveStatus::Failed
        }
    })
}

#[cfg(test)]
mod tests;
