//! `snapshot list`: the snapshots that are remembered.

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::commands::snapshot::follow;
use crate::cli::output::{Answer, Look, Paint, Sheet};
use crate::cli::{Call, Failure, Next, call::of_config, facts, unknown};
use crate::engine::Backend;
use crate::model::{RecordEnd, RecordKind, SnapshotRecord, units};

/// List the snapshots, AOF rewrites and fetches of a target
///
/// Remembered are those that were asked for with this program, and those of
/// others that it saw: whenever it looks at the server, and while the dashboard
/// is open. They are kept on this machine, the latest last.
///
/// Example:
///
///     $ cachedeck snapshot list
///     WHEN                 KIND      OUTCOME  TOOK  KEYS   SIZE      BY
///     2026-11-29 03:00:07  snapshot  good     6s    1,204  1.20 MiB  somebody else
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ListArgs {
    /// Print only so many, the latest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub fn args(command: clap::Command) -> clap::Command {
    ListArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: ListArgs = call.args();
    let visit = call.visit()?;
    let Some(saves) = follow::saves(call) else {
        return Err(Failure::usage("there is no place for a history"));
    };
    let mut warnings = Vec::new();
    match call.wait(async { Ok(visit.server.sample().await) })? {
        Ok(sample) => follow::observe(Some(&saves), &visit, &sample),
        // What is remembered can be told without the server.
        Err(fault) => warnings.push(format!("the server was not asked: {fault}")),
    }
    let mut records = saves
        .load(&visit.target.name)
        .map_err(|error| of_config(&error))?;
    let surplus = records.len().saturating_sub(args.limit);
    records.drain(..surplus);
    let envelope = call.envelope("snapshot list", &visit, warnings);
    call.output().answer(&envelope, &List { records })?;
    Ok(Next::Exit(0))
}

struct List {
    records: Vec<SnapshotRecord>,
}

const FIELDS: [&str; 10] = [
    "at",
    "kind",
    "outcome",
    "why",
    "took_s",
    "keys",
    "size_bytes",
    "copied_bytes",
    "by",
    "file",
];

impl Answer for List {
    fn data(&self) -> Value {
        let mut data = json!({ "snapshots": self.records.iter().map(record).collect::<Value>() });
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn records(&self) -> Vec<Value> {
        let mut records: Vec<Value> = self.records.iter().map(record).collect();
        for one in &mut records {
            unknown::explain(one, unknown::NOT_REPORTED);
        }
        records
    }

    fn sheet(&self) -> Sheet {
        let records: Vec<Value> = self.records.iter().map(record).collect();
        Sheet::of_records(&FIELDS, &records)
    }

    fn text(&self, look: Look) -> String {
        if self.records.is_empty() {
            return "no snapshots are remembered\n".to_owned();
        }
        let rows: Vec<Vec<String>> = self.records.iter().map(row).collect();
        let headings = [
            "WHEN", "KIND", "OUTCOME", "TOOK", "KEYS", "SIZE", "BY", "NOTES",
        ];
        let has_notes = rows.iter().any(|row| !row[7].is_empty());
        let table = look.table(&headings[..if has_notes { 8 } else { 7 }], &rows);
        table.replace(" FAILED ", &look.paint(Paint::Danger, " FAILED "))
    }
}

fn record(one: &SnapshotRecord) -> Value {
    json!({
        "at": units::rfc3339(one.at),
        "kind": match one.kind {
            RecordKind::Snapshot => "snapshot",
            RecordKind::Rewrite => "rewrite",
            RecordKind::Fetch => "fetch",
        },
        "outcome": match one.end {
            RecordEnd::Asked => "asked",
            RecordEnd::Good => "ok",
            RecordEnd::Failed(_) => "failed",
        },
        "why": why(one),
        "took_s": one.took.map(facts::seconds),
        "keys": one.keys,
        "size_bytes": one.size,
        "copied_bytes": one.copied,
        "by": one.by,
        "file": one.file,
    })
}

fn why(one: &SnapshotRecord) -> Option<&str> {
    match &one.end {
        RecordEnd::Failed(why) => Some(why),
        _ => None,
    }
}

fn row(one: &SnapshotRecord) -> Vec<String> {
    let outcome = match one.end {
        RecordEnd::Asked => "asked for",
        RecordEnd::Good => "good",
        RecordEnd::Failed(_) => "FAILED",
    };
    let notes = [one.file.as_deref(), why(one)];
    let notes: Vec<&str> = notes.into_iter().flatten().collect();
    vec![
        units::local_time(one.at, &TimeZone::system()),
        one.kind.word().to_owned(),
        outcome.to_owned(),
        one.took.map(units::span).unwrap_or_default(),
        one.keys.map(units::count).unwrap_or_default(),
        one.size.map(|size| size.to_string()).unwrap_or_default(),
        one.by.clone().unwrap_or_else(|| "somebody else".to_owned()),
        notes.join(": "),
    ]
}
