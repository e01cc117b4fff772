//! What the server counts by itself, for people and for scripts.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::analysis::report::Via;
use crate::cli::facts;
use crate::cli::output::Look;
use crate::cli::report::sections::{ratio, unknown};
use crate::model::{Account, Bytes, CommandTime, OwnSpread, SpreadUnit, units};
use crate::text;

/// Commands on the screen.
const COMMANDS: usize = 5;
const BAR: u8 = 20;

pub const HEADING: &str = "THE SERVER'S OWN COUNTS";

/// The section below its heading. All buckets where there is nothing else to show.
pub fn text(account: &Account, via: Via, look: Look) -> String {
    let mut text = summary(account);
    let spreads = account.spreads.iter();
    if via == Via::Stats {
        spreads.for_each(|spread| text += &histogram(spread, look));
    } else {
        let rows: Vec<Vec<String>> = spreads.filter_map(spread_row).collect();
        if !rows.is_empty() {
            text += &look.table(&["TYPE", ">KEYS", ">MEDIAN", ">LARGEST"], &rows);
        }
    }
    let all: f64 = account
        .commands
        .iter()
        .filter_map(|one| Some(one.total?.as_secs_f64()))
        .sum();
    let rows = account.commands.iter().take(COMMANDS);
    let rows: Vec<Vec<String>> = rows.map(|command| command_row(command, all)).collect();
    if !rows.is_empty() {
        let titles = ["COMMAND", ">CALLS", ">TIME", ">SHARE", ">EACH", ">P99"];
        text += &look.table(&titles, &rows);
    }
    for lack in &account.lacks {
        writeln!(text, "{}: {}", lack.what, lack.why).expect("a string takes everything");
    }
    text
}

fn summary(account: &Account) -> String {
    let mut parts = Vec::new();
    if let Some(with) = account.keys_with_ttl {
        let share = account.keys.filter(|keys| *keys > 0);
        let share = share.map_or(String::new(), |keys| {
            format!(" ({})", units::percent(ratio(with, keys)))
        });
        parts.push(format!("{} keys with a TTL{share}", units::count(with)));
    }
    parts.extend(
        account
            .average_ttl
            .map(|ttl| format!("TTLs of about {} on average", units::span_short(ttl))),
    );
    if let Some(dataset) = account.dataset {
        let mut words = format!("{dataset} of data");
        if let Some(each) = account.keys.and_then(|keys| dataset.0.checked_div(keys)) {
            write!(words, ", {} a key", Bytes(each)).expect("a string takes everything");
        }
        parts.push(words);
    }
    parts.extend(
        account
            .overhead
            .map(|overhead| format!("{overhead} beside it")),
    );
    if parts.is_empty() {
        String::new()
    } else {
        parts.join("   ") + "\n"
    }
}

fn spread_row(spread: &OwnSpread) -> Option<Vec<String>> {
    let keys = spread.keys();
    let mut passed = 0;
    let median = spread.buckets.iter().find(|bucket| {
        passed += bucket.keys;
        passed * 2 >= keys
    })?;
    let largest = spread.buckets.iter().rfind(|bucket| bucket.keys > 0)?;
    let border = |border| border_words(spread.unit, border);
    Some(vec![
        text::escape(spread.kind.as_bytes()),
        units::count(keys),
        border(median.border),
        border(largest.border),
    ])
}

fn histogram(spread: &OwnSpread, look: Look) -> String {
    let most = spread.buckets.iter().map(|bucket| bucket.keys).max();
    let rows = spread.buckets.iter().map(|bucket| {
        vec![
            border_words(spread.unit, bucket.border),
            units::count(bucket.keys),
            look.bar(ratio(bucket.keys, most.unwrap_or(0)), BAR),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let kind = text::escape(spread.kind.as_bytes());
    look.table(&[kind.as_str(), ">KEYS", ""], &rows)
}

/// Borders are the least of a bucket, or the most that a chunk holds.
fn border_words(unit: SpreadUnit, border: u64) -> String {
    match unit {
        SpreadUnit::Bytes => format!(">= {}", Bytes(border)),
        SpreadUnit::Elements => format!(">= {} elements", units::count(border)),
        SpreadUnit::ChunkBytes => format!("<= {}", Bytes(border)),
    }
}

fn command_row(command: &CommandTime, all: f64) -> Vec<String> {
    let share = command.total.filter(|_| all > 0.0);
    let share = share.map(|total| units::percent(total.as_secs_f64() / all));
    vec![
        text::escape(command.name.as_bytes()),
        units::count(command.calls),
        command.total.map_or_else(unknown, units::span_fine),
        share.unwrap_or_else(unknown),
        command.each().map_or_else(unknown, units::span_fine),
        command.p99.map_or_else(unknown, units::span_fine),
    ]
}

pub fn data(account: &Account) -> Value {
    let spreads = account.spreads.iter().map(|spread| {
        let buckets = spread.buckets.iter();
        let border = match spread.unit {
            SpreadUnit::ChunkBytes => "up_to",
            SpreadUnit::Bytes | SpreadUnit::Elements => "from",
        };
        let buckets = buckets.map(|bucket| json!({border: bucket.border, "keys": bucket.keys}));
        json!({
            "type": spread.kind,
            "unit": spread.unit.word(),
            "keys": spread.keys(),
            "buckets": buckets.collect::<Vec<Value>>(),
        })
    });
    let commands = account.commands.iter().map(|command| {
        json!({
            "command": command.name,
            "calls": command.calls,
            "total_s": command.total.map(|total| total.as_secs_f64()),
            "each_us": command.each().map(|each| each.as_secs_f64() * 1e6),
            "p99_us": command.p99.map(|p99| p99.as_secs_f64() * 1e6),
        })
    });
    json!({
        "keys": account.keys,
        "keys_with_ttl": account.keys_with_ttl,
        "average_ttl_s": account.average_ttl.map(facts::seconds),
        "dataset_bytes": account.dataset,
        "overhead_bytes": account.overhead,
        "spreads": spreads.collect::<Vec<Value>>(),
        "commands": commands.collect::<Vec<Value>>(),
    })
}
