//! The report as JSON.

use serde_json::{Map, Value, json};

use crate::analysis::report::{
    Bucket, Cliff, EncodingRow, Figure, PrefixRow, Spread, TopKey, TtlReport, TypeRow, UsageReport,
    Via,
};
use crate::cli::facts;
use crate::cli::report::{Shown, account};
use crate::cli::unknown::{ends_with, explain_by};
use crate::model::{Coverage, Ttl, UnixMs, WalkCost, units};

/// What is null in a report of the server's own counts, and why.
const OF_KEYS: [&str; 11] = [
    "bytes",
    "types",
    "encodings",
    "sizes",
    "ttl",
    "idle",
    "frequency",
    "prefixes",
    "biggest",
    "longest",
    "idlest",
];
const NO_KEY_WAS_ASKED: &str =
    "no key was asked: --via scan asks every key, --via sample as many as there is time for";

pub fn data(shown: &Shown) -> Value {
    let report = shown.report;
    if report.via == Via::Stats {
        return own_counts(shown);
    }
    let mut data = Map::new();
    data.insert("via".into(), via(report.via).into());
    put(&mut data, "keys", Some(report.keys));
    put(&mut data, "bytes", report.bytes);
    data.insert("exact".into(), shown.is_exact().into());
    if report.via == Via::Sample {
        data.insert("sampled".into(), report.coverage.seen.into());
        data.insert("of".into(), json!(report.coverage.of));
    }
    data.insert("types".into(), list(&report.types, type_row));
    data.insert(
        "encodings".into(),
        unless_unknown(shown, "encoding", encodings(shown)),
    );
    data.insert("sizes".into(), json!(report.sizes.as_ref().map(sizes)));
    data.insert("ttl".into(), ttl(shown));
    let (idle, frequency) = match &report.usage {
        None => (None, None),
        Some(UsageReport::Idle(spread)) => (Some(idle(spread)), None),
        Some(UsageReport::Frequency(spread)) => (None, Some(frequencies(spread))),
    };
    data.insert("idle".into(), json!(idle));
    data.insert("frequency".into(), json!(frequency));
    data.insert("prefixes".into(), prefixes(shown).into());
    if let Some(error) = &report.prefix_error {
        let error = json!({"keys": error.keys, "bytes": error.bytes, "folded": error.folded});
        data.insert("prefix_error".into(), error);
    }
    data.insert(
        "biggest".into(),
        unless_unknown(shown, "size", top(&report.biggest, report.at)),
    );
    data.insert(
        "longest".into(),
        unless_unknown(shown, "elements", top(&report.longest, report.at)),
    );
    data.insert(
        "idlest".into(),
        unless_unknown(shown, "idle", top(&report.idlest, report.at)),
    );
    if let Some(growth) = shown.growth {
        data.insert("compared".into(), growth.clone());
    }
    let account = report.account.as_ref();
    data.insert("server".into(), json!(account.map(account::data)));
    data.insert("coverage".into(), coverage(shown));
    data.insert("cost".into(), cost(&report.cost, &report.coverage));
    let mut data = Value::Object(data);
    explain_by(&mut data, |path| why(shown, path));
    data
}

fn own_counts(shown: &Shown) -> Value {
    let report = shown.report;
    let mut data = Map::new();
    data.insert("via".into(), via(report.via).into());
    put(&mut data, "keys", Some(report.keys));
    data.insert("exact".into(), false.into());
    for name in OF_KEYS {
        data.insert(name.into(), Value::Null);
    }
    let account = report.account.as_ref();
    data.insert("server".into(), json!(account.map(account::data)));
    data.insert("coverage".into(), coverage(shown));
    data.insert("cost".into(), cost(&report.cost, &report.coverage));
    let mut data = Value::Object(data);
    explain_by(&mut data, |path| {
        if OF_KEYS.contains(&path) {
            return NO_KEY_WAS_ASKED.to_owned();
        }
        why(shown, path)
    });
    data
}

pub fn via(via: Via) -> &'static str {
    match via {
        Via::Scan => "scan",
        Via::Rdb => "rdb",
        Via::Sample => "sample",
        Via::Stats => "stats",
    }
}

/// A figure under its name; an estimate with its interval and the mark that it is one.
pub fn put(record: &mut Map<String, Value>, name: &str, figure: Option<Figure>) {
    record.insert(name.to_owned(), json!(figure.map(|figure| figure.value)));
    if let Some((low, high)) = figure.and_then(|figure| figure.interval) {
        record.insert(format!("{name}_interval"), json!([low, high]));
        record.insert("exact".into(), false.into());
    }
}

fn list<T>(rows: &[T], each: impl Fn(&T) -> Value) -> Value {
    rows.iter().map(each).collect()
}

/// An empty list means that there is nothing; `null` that it is not known.
fn unless_unknown(shown: &Shown, what: &str, rows: Vec<Value>) -> Value {
    let is_unknown = shown.lack(what).is_some() || !shown.is_asked(what);
    if rows.is_empty() && is_unknown {
        Value::Null
    } else {
        rows.into()
    }
}

pub fn type_row(row: &TypeRow) -> Value {
    let mut record = Map::new();
    record.insert("type".into(), row.kind.as_str().into());
    put(&mut record, "keys", Some(row.keys));
    put(&mut record, "bytes", row.bytes);
    put(&mut record, "elements", row.elements);
    record.into()
}

pub fn encodings(shown: &Shown) -> Vec<Value> {
    shown.report.encodings.iter().map(encoding_row).collect()
}

fn encoding_row(row: &EncodingRow) -> Value {
    let mut record = Map::new();
    record.insert("type".into(), row.kind.as_str().into());
    record.insert("encoding".into(), row.encoding.as_str().into());
    put(&mut record, "keys", Some(row.keys));
    put(&mut record, "bytes", row.bytes);
    record.into()
}

fn sizes(spread: &Spread) -> Value {
    json!({
        "p50_bytes": spread.p50,
        "p90_bytes": spread.p90,
        "p99_bytes": spread.p99,
        "most_bytes": spread.most,
        "buckets": buckets(&spread.buckets, "up_to_bytes"),
    })
}

fn idle(spread: &Spread) -> Value {
    json!({
        "p50_s": spread.p50,
        "p90_s": spread.p90,
        "p99_s": spread.p99,
        "most_s": spread.most,
        "buckets": buckets(&spread.buckets, "up_to_s"),
    })
}

fn frequencies(spread: &Spread) -> Value {
    json!({
        "p50": spread.p50,
        "p90": spread.p90,
        "p99": spread.p99,
        "most": spread.most,
        "buckets": buckets(&spread.buckets, "up_to"),
    })
}

/// The last bucket may have no border: null, and the reason says so.
pub fn buckets(buckets: &[Bucket], border: &str) -> Vec<Value> {
    let record = |bucket: &Bucket| {
        let mut record = Map::new();
        record.insert(border.to_owned(), json!(bucket.up_to));
        put(&mut record, "keys", Some(bucket.keys));
        record.into()
    };
    buckets.iter().map(record).collect()
}

fn ttl(shown: &Shown) -> Value {
    let TtlReport {
        without,
        with,
        unknown,
        buckets: spread,
        within_1min,
        within_10min,
        within_1h,
        cliffs,
    } = &shown.report.ttl;
    let mut record = Map::new();
    for (name, figure) in [
        ("without", without),
        ("with", with),
        ("within_1min", within_1min),
        ("within_10min", within_10min),
        ("within_1h", within_1h),
    ] {
        put(&mut record, name, shown.knows_ttls().then_some(*figure));
    }
    record.insert("unknown".into(), (*unknown).into());
    record.insert("buckets".into(), buckets(spread, "up_to_s").into());
    record.insert("cliffs".into(), list(cliffs, cliff));
    record.into()
}

fn cliff(cliff: &Cliff) -> Value {
    let mut record = Map::new();
    record.insert("from".into(), units::rfc3339(cliff.at).into());
    record.insert("span_s".into(), facts::seconds(cliff.span));
    put(&mut record, "keys", Some(cliff.keys));
    record.insert("times_average".into(), json!(cliff.times_average));
    record.into()
}

pub fn prefixes(shown: &Shown) -> Vec<Value> {
    let deepest = shown.depth.unwrap_or(u32::MAX);
    let rows = shown.report.prefixes.iter();
    rows.filter(|row| row.depth <= deepest)
        .map(|row| prefix_row(row, shown.knows_ttls()))
        .collect()
}

pub fn prefix_row(row: &PrefixRow, knows_ttls: bool) -> Value {
    let mut record = Map::new();
    record.insert("prefix".into(), row.prefix.as_str().into());
    record.insert("depth".into(), row.depth.into());
    record.insert("is_leaf".into(), row.is_leaf.into());
    put(&mut record, "keys", Some(row.keys));
    put(&mut record, "bytes", row.bytes);
    put(
        &mut record,
        "without_ttl",
        knows_ttls.then_some(row.without_ttl),
    );
    record.insert("ttl_p50_s".into(), json!(row.ttl_p50_s));
    record.insert(
        "ttl_least_s".into(),
        json!(row.ttl_range_s.map(|range| range.0)),
    );
    record.insert(
        "ttl_most_s".into(),
        json!(row.ttl_range_s.map(|range| range.1)),
    );
    put(&mut record, "idle", row.idle);
    record.into()
}

pub fn top(keys: &[TopKey], at: UnixMs) -> Vec<Value> {
    let record = |one: &TopKey| {
        let mut record = json!({
            "key": facts::key(&one.key),
            "type": one.kind,
            "size_bytes": one.size,
            "elements": one.elements,
            "idle_s": one.idle.map(facts::seconds),
            "ttl_ms": facts::ttl_ms(one.ttl, at),
        });
        // Null alone would say that it never expires.
        if one.ttl == Ttl::Unknown {
            record["unsupported"] = json!({"ttl_ms": "not asked, or the server would not say"});
        }
        record
    };
    keys.iter().map(record).collect()
}

fn coverage(shown: &Shown) -> Value {
    let mut record = of_coverage(&shown.report.coverage);
    if let Some(why) = shown.stopped {
        record["stopped"] = why.into();
    }
    if shown.parts.len() > 1 {
        let parts = shown.parts.iter().map(|part| {
            let mut record = json!({ "target": part.target });
            if let (Some(record), Value::Object(fields)) =
                (record.as_object_mut(), of_coverage(&part.coverage))
            {
                record.extend(fields);
            }
            record
        });
        record["targets"] = parts.collect();
    }
    record
}

fn of_coverage(coverage: &Coverage) -> Value {
    json!({
        "seen": coverage.seen,
        "of": coverage.of,
        "is_filtered": coverage.is_filtered,
        "is_complete": coverage.is_complete,
        "repeated": coverage.repeated,
        "gone": coverage.gone,
        "restarts": coverage.restarts,
    })
}

fn cost(cost: &WalkCost, coverage: &Coverage) -> Value {
    // Memcached keeps no account of what a dump takes.
    let is_counted = !cost.server.is_zero() || coverage.seen == 0;
    json!({
        "server_cpu_s": is_counted.then_some(cost.server.as_secs_f64()),
        "seconds": cost.elapsed.as_secs_f64(),
        "round_trips": cost.round_trips,
        "commands": cost.commands,
        "lookups": cost.lookups,
        "keys_per_s": cost.keys_per_s,
        "core_share": cost.share,
    })
}

/// End of a path → what it is of, and what null means where that was asked and not refused.
#[rustfmt::skip]
const MEANINGS: &[(&str, &str, &str)] = &[
    ("bytes",        "size",     "the server would not say"),
    ("sizes",        "size",     "the server would not say"),
    ("size_bytes",   "size",     "the server would not say"),
    ("biggest",      "size",     "the server would not say"),
    ("type",         "type",     "the server would not say"),
    ("encodings",    "encoding", "the server has none to tell"),
    ("elements",     "elements", "only collections have elements"),
    ("longest",      "elements", "only collections have elements"),
    ("idle_s",       "idle",     "the server counts accesses instead, or does not tell"),
    ("idle",         "idle",     "the server counts accesses instead, or does not tell"),
    ("idlest",       "idle",     "the server counts accesses instead, or does not tell"),
    ("frequency",    "idle",     "the server counts accesses only under an LFU policy"),
    ("without",      "ttl",      "the server would not say"),
    ("with",         "ttl",      "the server would not say"),
    ("within_1min",  "ttl",      "the server would not say"),
    ("within_10min", "ttl",      "the server would not say"),
    ("within_1h",    "ttl",      "the server would not say"),
    ("without_ttl",  "ttl",      "the server would not say"),
    ("ttl_p50_s",    "ttl",      "no key here has a TTL"),
    ("ttl_least_s",  "ttl",      "no key here has a TTL"),
    ("ttl_most_s",   "ttl",      "no key here has a TTL"),
    ("up_to_bytes",  "",         "without end"),
    ("up_to_s",      "",         "without end"),
    ("up_to",        "",         "without end"),
    ("average_ttl_s","",         "no key has a TTL, or the server does not average it"),
    ("total_s",      "",         "the server counts calls alone"),
    ("each_us",      "",         "the server counts calls alone"),
    ("p99_us",       "",         "the server keeps latencies from Redis 7 on"),
    ("of",           "",         "the server would not say how many keys it has"),
    ("server_cpu_s", "",         "the server keeps no account of it"),
    ("keys_per_s",   "",         "the walk was too short to measure it"),
    ("core_share",   "",         "the walk was too short to measure it"),
];

/// Why a figure at this path is unknown.
pub fn why(shown: &Shown, path: &str) -> String {
    let found = MEANINGS.iter().find(|(end, _, _)| ends_with(path, end));
    let (_, what, else_why) = found.unwrap_or(&("", "", "the server does not report it"));
    shown.why_not(what, else_why)
}
