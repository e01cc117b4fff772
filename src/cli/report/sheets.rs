//! One table of a report as records, for ndjson, or as rows, for CSV.

use serde_json::{Value, json};

use crate::analysis::report::UsageReport;
use crate::cli::output::Sheet;
use crate::cli::report::{Shown, Table, json};
use crate::cli::unknown::explain_by;
use crate::text;

/// Table → its columns in CSV.
#[rustfmt::skip]
const COLUMNS: &[(Table, &[&str])] = &[
    (Table::Prefixes,  &["prefix", "depth", "is_leaf", "keys", "keys_low", "keys_high", "bytes", "bytes_low", "bytes_high",
                         "without_ttl", "without_ttl_low", "without_ttl_high", "ttl_p50_s", "ttl_least_s", "ttl_most_s", "idle"]),
    (Table::Types,     &["type", "keys", "keys_low", "keys_high", "bytes", "bytes_low", "bytes_high", "elements"]),
    (Table::Encodings, &["type", "encoding", "keys", "keys_low", "keys_high", "bytes", "bytes_low", "bytes_high"]),
    (Table::Sizes,     &["up_to_bytes", "keys", "keys_low", "keys_high"]),
    (Table::Ttl,       &["up_to_s", "keys", "keys_low", "keys_high"]),
    (Table::Usage,     &["up_to_s", "up_to", "keys", "keys_low", "keys_high"]),
    (Table::Biggest,   TOP),
    (Table::Longest,   TOP),
    (Table::Idlest,    TOP),
];

const TOP: &[&str] = &["key", "type", "size_bytes", "elements", "idle_s", "ttl_ms"];

pub fn columns(table: Table) -> &'static [&'static str] {
    let columns = COLUMNS.iter().find(|(one, _)| *one == table);
    let (_, header) = columns.expect("every table has its columns");
    header
}

pub fn records(shown: &Shown, table: Table) -> Vec<Value> {
    let mut records = bare(shown, table);
    for record in &mut records {
        explain_by(record, |path| json::why(shown, path));
        if record["unsupported"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty)
            && let Some(fields) = record.as_object_mut()
        {
            fields.remove("unsupported");
        }
    }
    records
}

pub fn sheet(shown: &Shown, table: Table) -> Sheet {
    let header = columns(table);
    let mut records = bare(shown, table);
    for record in &mut records {
        flatten(record);
    }
    Sheet::of_records(header, &records)
}

fn bare(shown: &Shown, table: Table) -> Vec<Value> {
    let report = shown.report;
    let spread = |spread: Option<&crate::analysis::report::Spread>, border| {
        spread.map_or_else(Vec::new, |spread| json::buckets(&spread.buckets, border))
    };
    match table {
        Table::Prefixes => json::prefixes(shown),
        Table::Types => report.types.iter().map(json::type_row).collect(),
        Table::Encodings => json::encodings(shown),
        Table::Sizes => spread(report.sizes.as_ref(), "up_to_bytes"),
        Table::Ttl => json::buckets(&report.ttl.buckets, "up_to_s"),
        Table::Usage => match &report.usage {
            None => Vec::new(),
            Some(UsageReport::Idle(one)) => spread(Some(one), "up_to_s"),
            Some(UsageReport::Frequency(one)) => spread(Some(one), "up_to"),
        },
        Table::Biggest => json::top(&report.biggest, report.at),
        Table::Longest => json::top(&report.longest, report.at),
        Table::Idlest => json::top(&report.idlest, report.at),
    }
}

/// Intervals as two cells; keys in the escape grammar, whatever their bytes.
pub fn flatten(record: &mut Value) {
    for name in ["keys", "bytes", "without_ttl"] {
        let interval = record[format!("{name}_interval")].take();
        record[format!("{name}_low")] = interval[0].clone();
        record[format!("{name}_high")] = interval[1].clone();
    }
    if let Some(encoded) = record["key"]["base64"].as_str() {
        use base64::Engine;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
        record["key"] = json!(text::escape(&decoded.unwrap_or_default()));
    }
}
