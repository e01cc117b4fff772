//! What the model knows, as JSON: one function a thing, used by every command that shows it.
//!
//! Unknown is `null`. Units stand in the names.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::cli::output::bytes;
use crate::cli::unknown::{NOT_REPORTED, explain, refusal};
use crate::model::{
    Aof, Break, Bytes, Database, Key, Link, Part, Persistence, Rates, Replica, Replication, Sample,
    SaveStatus, SlabClass, Slabs, Ttl, UnixMs, ratio, units,
};

/// The overview, with the rates of the window that was measured, if one was.
pub fn overview(sample: &Sample, rates: Option<&Result<Rates, Break>>) -> Value {
    let (identity, counters) = (&sample.identity, &sample.counters);
    let measured = rates.and_then(|rates| rates.as_ref().ok());
    let mut unsupported = reasons(sample);
    if sample.memory.limit == Some(None) {
        unsupported.insert("limit_bytes".into(), "the server has no limit".into());
    }
    if measured.is_none() {
        let why = match rates {
            Some(Err(reason)) => break_words(reason),
            _ => "ask for a window: --window 5s".to_owned(),
        };
        if rates.is_some() {
            unsupported.insert("window".into(), why.clone().into());
        }
        unsupported.entry("ops_per_s").or_insert(why.into());
    }
    let mut data = json!({
        "engine": identity.engine.name().to_lowercase(),
        "version": identity.version,
        "role": identity.role.word(),
        "mode": identity.mode,
        "is_cluster_node": identity.is_cluster_node,
        "run_id": identity.run_id,
        "uptime_s": identity.uptime.map(seconds),
        "round_trip_ms": millis(sample.round_trip),
        "keys": sample.keys(),
        "keys_with_ttl": sample.keys_with_ttl(),
        "used_bytes": sample.memory.used,
        "limit_bytes": sample.memory.limit.flatten(),
        "resident_bytes": sample.memory.resident,
        "peak_bytes": sample.memory.peak,
        "system_bytes": sample.memory.system,
        "fragmentation": sample.memory.fragmentation,
        "policy": sample.memory.policy,
        "hit_ratio": lifetime_ratio(sample),
        "hits": counters.hits,
        "misses": counters.misses,
        "own_lookups": counters.own_lookups,
        "ops": counters.operations,
        "evicted": counters.evicted,
        "evicted_unread": counters.evicted_unread,
        "expired": counters.expired,
        "connections": counters.connections,
        "rejected": counters.rejected,
        "net_in_bytes": counters.net_in,
        "net_out_bytes": counters.net_out,
        "clients": sample.clients.connected,
        "blocked_clients": sample.clients.blocked,
        "client_limit": sample.clients.limit,
        "ops_per_s": measured.and_then(|rates| rates.operations),
        "databases": sample.databases.as_ref().map(|all| list(all, database)),
        "replication": sample.replication.as_ref().map(replication),
        "persistence": sample.persistence.as_ref().map(persistence),
    });
    if let Some(all) = &sample.slabs {
        data["slabs"] = slabs(all);
    }
    if rates.is_some() {
        data["window"] = measured.map_or(Value::Null, window);
    }
    if sample.counters.hits.is_some() && data["hit_ratio"].is_null() {
        unsupported
            .entry("hit_ratio")
            .or_insert("there were no lookups yet".into());
    }
    data["unsupported"] = Value::Object(unsupported);
    explain(&mut data, refusal(sample).unwrap_or(NOT_REPORTED));
    data
}

/// Hits by lookups since the counters began.
pub fn lifetime_ratio(sample: &Sample) -> Option<f64> {
    ratio(sample.counters.hits? as f64, sample.counters.misses? as f64)
}

/// Field → why it is unknown.
fn reasons(sample: &Sample) -> Map<String, Value> {
    sample
        .unsupported
        .iter()
        .map(|(field, why)| ((*field).to_owned(), why.as_str().into()))
        .collect()
}

pub fn window(rates: &Rates) -> Value {
    json!({
        "seconds": rates.window.as_secs_f64(),
        "hit_ratio": rates.hit_ratio,
        "hits_per_s": rates.hits,
        "misses_per_s": rates.misses,
        "ops_per_s": rates.operations,
        "evicted_per_s": rates.evicted,
        "expired_per_s": rates.expired,
        "connections_per_s": rates.connections,
        "rejected_per_s": rates.rejected,
        "net_in_bytes_per_s": rates.net_in,
        "net_out_bytes_per_s": rates.net_out,
    })
}

/// Why two readings give no rates.
pub fn break_words(reason: &Break) -> String {
    match reason {
        Break::Restarted => "the server restarted".to_owned(),
        Break::CountersReset => "the server's counters were reset".to_owned(),
        Break::RoleChanged { from, to } => {
            format!("the role changed from {} to {}", from.word(), to.word())
        }
        Break::NoTime => "no time passed between the readings".to_owned(),
    }
}

fn database(db: &Database) -> Value {
    json!({
        "db": db.index,
        "keys": db.keys,
        "keys_with_ttl": db.keys_with_ttl,
        "average_ttl_ms": db.average_ttl.map(millis),
    })
}

pub fn replication(all: &Replication) -> Value {
    json!({
        "replication_id": all.id,
        "offset": all.offset,
        "replicas": list(&all.replicas, replica),
        "link": all.link.as_ref().map(link),
        "backlog": all.backlog.map(|backlog| json!({
            "is_active": backlog.is_active,
            "size_bytes": backlog.size,
            "first_offset": backlog.first_offset,
            "held_bytes": backlog.held,
        })),
    })
}

fn replica(one: &Replica) -> Value {
    json!({
        "address": one.address,
        "state": one.state,
        "offset": one.offset,
        "lag_bytes": one.lag_bytes,
        "since_ack_s": one.since_ack.map(seconds),
    })
}

fn link(one: &Link) -> Value {
    json!({
        "primary": one.primary,
        "is_up": one.is_up,
        "down_for_s": one.down_for.map(seconds),
        "last_io_s": one.last_io.map(seconds),
        "is_syncing": one.is_syncing,
        "sync_left_bytes": one.sync_left,
        "lag_bytes": one.lag_bytes,
        "is_read_only": one.is_read_only,
    })
}

pub fn persistence(all: &Persistence) -> Value {
    json!({
        "is_loading": all.is_loading,
        "loading_progress": all.loading_progress,
        "is_saving": all.is_saving,
        "progress": all.progress.filter(|_| all.is_saving),
        "saving_for_s": all.saving_for.map(seconds),
        "copied_bytes": all.copied,
        "last_success_at": all.last_save.map(units::rfc3339),
        "last_status": all.last_status.map(save_status),
        "last_duration_s": all.last_duration.map(seconds),
        "changes_since_save": all.changes_since_save,
        "last_cow_bytes": all.last_cow,
        "last_fork_ms": all.last_fork.map(millis),
        "aof": all.aof.as_ref().map(aof),
    })
}

fn aof(one: &Aof) -> Value {
    json!({
        "is_enabled": one.is_enabled,
        "is_rewriting": one.is_rewriting,
        "rewriting_for_s": one.rewriting_for.map(seconds),
        "last_rewrite_took_s": one.last_rewrite_took.map(seconds),
        "last_rewrite": one.last_rewrite.map(save_status),
        "last_write": one.last_write.map(save_status),
        "size_bytes": one.size,
    })
}

pub fn save_status(status: SaveStatus) -> &'static str {
    match status {
        SaveStatus::Ok => "ok",
        SaveStatus::Failed => "failed",
    }
}

fn slabs(all: &Slabs) -> Value {
    json!({
        "allocated_bytes": all.allocated,
        "classes": list(&all.classes, slab_class),
    })
}

fn slab_class(class: &SlabClass) -> Value {
    json!({
        "class": class.id,
        "chunk_bytes": class.chunk_size,
        "pages": class.pages,
        "used_chunks": class.used_chunks,
        "free_chunks": class.free_chunks,
        "total_chunks": class.total_chunks,
        "requested_bytes": class.requested,
        "items": class.items,
        "tail_age_s": class.tail_age.map(seconds),
        "evicted": class.evicted,
        "evicted_idle_s": class.evicted_idle.map(seconds),
        "out_of_memory": class.out_of_memory,
    })
}

pub fn key(key: &Key) -> Value {
    bytes(key.bytes())
}

/// Milliseconds left; null when there is no end, or none known.
pub fn ttl_ms(ttl: Ttl, now: UnixMs) -> Value {
    json!(ttl.left(now).map(millis))
}

pub fn expires_at(ttl: Ttl) -> Value {
    match ttl {
        Ttl::Until(end) => units::rfc3339(end).into(),
        Ttl::None | Ttl::Unknown => Value::Null,
    }
}

/// The elements of a part of a value.
pub fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => bytes(text),
        Part::List(items) | Part::Set(items) => items.iter().map(|item| bytes(item)).collect(),
        Part::Hash(fields) => pairs(fields),
        Part::SortedSet(members) => members
            .iter()
            .map(|(member, score)| json!({"member": bytes(member), "score": number(*score)}))
            .collect(),
        Part::Stream(entries) => entries
            .iter()
            .map(|entry| {
                json!({
                    "id": entry.id,
                    "at": entry.at.map(units::rfc3339),
                    "fields": pairs(&entry.fields),
                })
            })
            .collect(),
        Part::Opaque(_) => Value::Null,
    }
}

fn pairs(fields: &[(Vec<u8>, Vec<u8>)]) -> Value {
    fields
        .iter()
        .map(|(field, value)| json!({"field": bytes(field), "value": bytes(value)}))
        .collect()
}

/// JSON has no infinity, and sorted sets do.
fn number(score: f64) -> Value {
    if score.is_finite() {
        json!(score)
    } else {
        json!(if score > 0.0 { "inf" } else { "-inf" })
    }
}

fn list<T>(items: &[T], each: fn(&T) -> Value) -> Value {
    items.iter().map(each).collect()
}

/// Whole seconds as a whole number.
pub fn seconds(span: Duration) -> Value {
    if span.subsec_nanos() == 0 {
        json!(span.as_secs())
    } else {
        json!(span.as_secs_f64())
    }
}

/// Milliseconds, whole from one second on, where nobody reads fractions.
pub fn millis(span: Duration) -> Value {
    if span.as_secs() > 0 || span.subsec_nanos().is_multiple_of(1_000_000) {
        json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    } else {
        json!(span.as_secs_f64() * 1000.0)
    }
}

/// A size for people, unknown when it is.
pub fn size(bytes: Option<Bytes>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string())
}
