//! A reading as Prometheus text: one table of metrics, and nothing for what is unknown.

use std::fmt::Write;

use crate::cli::facts::lifetime_ratio;
use crate::model::{Bytes, Rates, Sample, SaveStatus};

/// A metric that is one number per target.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Sample) -> Option<f64>,
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    value: fn(&Sample) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        kind: "gauge",
        help,
        value,
    }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    value: fn(&Sample) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        kind: "counter",
        help,
        value,
    }
}

#[rustfmt::skip]
const METRICS: &[Metric] = &[
    gauge("uptime_seconds", "Time since the server started", |one| one.identity.uptime.map(|span| span.as_secs_f64())),
    gauge("round_trip_seconds", "How long the reading took", |one| Some(one.round_trip.as_secs_f64())),
    gauge("memory_used_bytes", "Memory the server counts as used", |one| bytes(one.memory.used)),
    gauge("memory_limit_bytes", "Memory limit; absent when there is none", |one| bytes(one.memory.limit.flatten())),
    gauge("memory_resident_bytes", "Memory as the system counts it", |one| bytes(one.memory.resident)),
    gauge("memory_peak_bytes", "Most memory ever used", |one| bytes(one.memory.peak)),
    gauge("memory_fragmentation_ratio", "Resident by used memory", |one| one.memory.fragmentation),
    gauge("clients", "Connected clients", |one| count(one.clients.connected)),
    gauge("clients_blocked", "Clients that wait in a blocking command", |one| count(one.clients.blocked)),
    gauge("clients_limit", "Most clients the server takes", |one| count(one.clients.limit)),
    gauge("lifetime_hit_ratio", "Hits by lookups since the counters began, 0 to 1", lifetime_ratio),
    counter("hits_total", "Lookups that found their key", |one| count(one.counters.hits)),
    counter("misses_total", "Lookups that found nothing", |one| count(one.counters.misses)),
    counter("operations_total", "Commands processed", |one| count(one.counters.operations)),
    counter("evicted_total", "Keys evicted to free memory", |one| count(one.counters.evicted)),
    counter("evicted_unread_total", "Keys evicted that nobody had read", |one| count(one.counters.evicted_unread)),
    counter("expired_total", "Keys that expired", |one| count(one.counters.expired)),
    counter("connections_total", "Connections accepted", |one| count(one.counters.connections)),
    counter("rejected_connections_total", "Connections refused at the limit", |one| count(one.counters.rejected)),
    counter("net_in_bytes_total", "Bytes received", |one| bytes(one.counters.net_in)),
    counter("net_out_bytes_total", "Bytes sent", |one| bytes(one.counters.net_out)),
    gauge("replicas", "Replicas connected to this server", |one| one.replication.as_ref().map(|all| all.replicas.len() as f64)),
    gauge("replication_link_up", "1 when the link to the primary is up, on replicas", |one| Some(flag(one.replication.as_ref()?.link.as_ref()?.is_up))),
    gauge("replication_lag_bytes", "Bytes this replica is behind", |one| bytes(one.replication.as_ref()?.link.as_ref()?.lag_bytes)),
    gauge("snapshot_running", "1 while a snapshot is being written", |one| Some(flag(one.persistence.as_ref()?.is_saving))),
    gauge("snapshot_failed", "1 when the last snapshot failed", |one| Some(flag(one.persistence.as_ref()?.last_status? == SaveStatus::Failed))),
    gauge("snapshot_last_success_timestamp_seconds", "When the last good snapshot was written", |one| Some(one.persistence.as_ref()?.last_save?.0 as f64 / 1000.0)),
    gauge("snapshot_changes_since", "Changes since the last good snapshot", |one| count(one.persistence.as_ref()?.changes_since_save)),
];

/// A rate over the window that was measured.
type Rate = (&'static str, &'static str, fn(&Rates) -> Option<f64>);

#[rustfmt::skip]
const RATES: &[Rate] = &[
    ("window_seconds", "Length of the window that the rates are over", |one| Some(one.window.as_secs_f64())),
    ("hit_ratio", "Hits by lookups in the window, 0 to 1", |one| one.hit_ratio),
    ("hits_per_second", "Hits in the window", |one| one.hits),
    ("misses_per_second", "Misses in the window", |one| one.misses),
    ("operations_per_second", "Commands in the window", |one| one.operations),
    ("evicted_per_second", "Evictions in the window", |one| one.evicted),
    ("expired_per_second", "Expirations in the window", |one| one.expired),
];

/// The whole page.
pub fn page(target: &str, sample: &Sample, rates: Option<&Rates>) -> String {
    let mut text = String::new();
    let identity = &sample.identity;
    let labels = [
        ("target", target),
        ("engine", identity.engine.name()),
        ("version", &identity.version),
        ("role", identity.role.word()),
    ];
    head(&mut text, "info", "gauge", "What answers; always 1");
    point(&mut text, "info", &labels, 1.0);
    let labels = [("target", target)];
    for metric in METRICS {
        if let Some(value) = (metric.value)(sample) {
            head(&mut text, metric.name, metric.kind, metric.help);
            point(&mut text, metric.name, &labels, value);
        }
    }
    for (name, help, value) in RATES {
        if let Some(value) = rates.and_then(value) {
            head(&mut text, name, "gauge", help);
            point(&mut text, name, &labels, value);
        }
    }
    databases(&mut text, target, sample);
    replicas(&mut text, target, sample);
    text
}

fn databases(text: &mut String, target: &str, sample: &Sample) {
    let Some(databases) = &sample.databases else {
        return;
    };
    head(text, "keys", "gauge", "Keys per database");
    for db in databases {
        let index = db.index.to_string();
        point(
            text,
            "keys",
            &[("target", target), ("db", &index)],
            db.keys as f64,
        );
    }
    if databases.iter().any(|db| db.keys_with_ttl.is_some()) {
        head(
            text,
            "keys_with_ttl",
            "gauge",
            "Keys with a TTL per database",
        );
    }
    for db in databases {
        if let Some(keys) = db.keys_with_ttl {
            let index = db.index.to_string();
            let labels = [("target", target), ("db", index.as_str())];
            point(text, "keys_with_ttl", &labels, keys as f64);
        }
    }
}

fn replicas(text: &mut String, target: &str, sample: &Sample) {
    let replicas = sample.replication.iter().flat_map(|all| &all.replicas);
    let lags: Vec<_> = replicas
        .filter_map(|replica| Some((replica.address.as_str(), replica.lag_bytes?)))
        .collect();
    if lags.is_empty() {
        return;
    }
    head(
        text,
        "replica_lag_bytes",
        "gauge",
        "Bytes a replica has not confirmed",
    );
    for (address, lag) in lags {
        let labels = [("target", target), ("replica", address)];
        point(text, "replica_lag_bytes", &labels, lag.0 as f64);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(
        text,
        "# HELP cachedeck_{name} {help}.\n# TYPE cachedeck_{name} {kind}"
    )
    .expect("a string takes everything");
}

fn point(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    writeln!(text, "cachedeck_{name}{{{}}} {value}", labels.join(","))
        .expect("a string takes everything");
}

/// Prometheus knows three escapes; whatever else could harm is made visible first, which leaves
/// backslashes to double.
fn escaped(value: &str) -> String {
    crate::text::escape(value.as_bytes())
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

fn bytes(bytes: Option<Bytes>) -> Option<f64> {
    bytes.map(|bytes| bytes.0 as f64)
}

fn count(count: Option<u64>) -> Option<f64> {
    count.map(|count| count as f64)
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut text = String::new();
        point(&mut text, "info", &[("target", "a\"} 1\nb\\")], 1.0);
        assert_eq!(
            text,
            "cachedeck_info{target=\"a\\\"} 1\\\\nb\\\\\\\\\"} 1\n"
        );
    }
}
