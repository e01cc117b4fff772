//! `snapshot diff`: what is different between two files or servers.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::commands::analyze::PrefixArgs;
use crate::cli::globals::Format;
use crate::cli::output::{Answer, Envelope, Look, Output, Sheet};
use crate::cli::pace::PaceArgs;
use crate::cli::progress::Progress;
use crate::cli::{Call, Failure, Kind, Next, Visit, output};
use crate::engine::Fault;
use crate::engine::comparison::{
    ComparisonAsk, Form, Incomparable, Movers, Party, Row, Say, Unit, compare,
};
use crate::model::{UnixMs, parse_duration, units};
use crate::snapshot::diff::{Count, Difference, Facts, Tally, What, kind_word};
use crate::text;

pub const COMMAND: &str = "snapshot diff";

/// Compare two files or servers, key by key
///
/// A and B are snapshot files (of Redis, Valkey, or items of Memcached; packed or
/// not), profiles or URLs of servers. What changed since last night's snapshot is
/// one command. Values are compared as a whole, by a digest of 128 bits that is
/// the same in whatever form a server keeps them; types or client flags count as
/// well, and times to live when they differ by more than the tolerance. All
/// databases are compared, or the one that -n or a URL names. Exits with 1 when
/// the two differ. Prints the prefixes with the most differences; -o ndjson lists
/// every key that differs, in no order.
///
/// It is exact whatever the size: keys are spread over temporary files by a hash
/// of their names, and compared part by part. What had expired by the time of the
/// later side is left out of both, and counted.
///
/// Reading a server is no single moment: what changes meanwhile shows as a
/// difference. Values come by DUMP, which counts as a lookup.
///
/// Example:
///
///     $ cachedeck snapshot diff last-night.rdb prod
///     1,204 added, 17 removed, 311 changed, 2 with another TTL; 998,468 the same
///     $ cachedeck snapshot diff monday.items memcached://10.0.0.6
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct DiffArgs {
    /// What it was: a file or a server
    before: String,

    /// What it is: a file or a server
    after: String,

    /// Only keys that match this glob
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,

    /// Times to live that differ by no more than this are the same
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1s")]
    tolerance: Duration,

    /// Rows of prefixes
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    #[command(flatten)]
    prefixes: PrefixArgs,

    #[command(flatten)]
    pace: PaceArgs,
}

pub fn args(command: clap::Command) -> clap::Command {
    DiffArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: DiffArgs = call.args();
    let before = party(call, &args.before)?;
    let after = party(call, &args.after)?;
    let at = now();
    let ask = ComparisonAsk {
        pattern: args.pattern.clone().map(String::into_bytes),
        database: call.globals().database,
        tolerance: args.tolerance,
        pace: args.pace.gentle(),
        now: at,
    };
    let line = Arc::new(Mutex::new(Progress::beside_a_report()));
    let say = say(&line);
    let compared = call.wait(async {
        let compared = compare(&before, &after, ask, &say).await;
        Ok(compared.map_err(|why| failure(&why)))
    });
    if let Ok(mut line) = line.lock() {
        line.clear();
    }
    let compared = compared??;
    let envelope = Envelope {
        command: COMMAND,
        target: Some(format!("{} {}", before.name(), after.name())),
        at,
        warnings: compared.notes.clone(),
    };
    let mut out = call.output();
    let mut movers = Movers::new(args.prefixes.analysis(before.target(), 0));
    let lists = out.format() == Format::Ndjson;
    let mut stopped = None;
    let tally = compared.join(|difference| {
        let taken = if lists {
            out.record(&record(&difference, compared.form, at))
        } else {
            movers.take(&difference, at);
            Ok(())
        };
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                stopped = Some(failure);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(failure) = stopped {
        return Err(failure);
    }
    let tally = tally.map_err(|why| failure(&why))?;
    let answer = Answered {
        tally,
        rows: movers.rows(args.top, args.prefixes.depth, at),
    };
    print(&mut out, &envelope, &answer, lists)?;
    Ok(Next::Exit(u8::from(tally.differs())))
}

/// A word with a scheme is a server, the name of a file is a file, and everything else is a profile.
fn party(call: &mut Call, word: &str) -> Result<Party, Failure> {
    let of_file = |path: &str| Party::of_file(path.into()).map_err(|why| failure(&why));
    if let Some(path) = word.strip_prefix("file:") {
        return of_file(path);
    }
    if !word.contains("://") && Path::new(word).is_file() {
        return of_file(word);
    }
    if !word.contains("://") && word.contains(['/', '.']) {
        let shown = text::escape(word.as_bytes());
        return Err(Failure::usage(format!(
            "{COMMAND}: there is no file {shown}"
        )));
    }
    let Visit { target, server } = call.visit_of(word)?;
    Party::of_target(target, Arc::new(server)).map_err(|why| failure(&why))
}

/// Servers take their time, and say how far they are; a file is read before anybody could look.
fn say(line: &Arc<Mutex<Progress>>) -> Say {
    let line = Arc::clone(line);
    Arc::new(move |reading| {
        let of = reading.of.filter(|_| reading.unit == Unit::Keys);
        if let (Some(of), Ok(mut line)) = (of, line.lock()) {
            let (done, of) = (units::count(reading.done), units::count(of));
            line.tell(&format!("{}: {done} of {of} keys", reading.name));
        }
        ControlFlow::Continue(())
    })
}

fn failure(why: &Incomparable) -> Failure {
    match why {
        Incomparable::Unread {
            fault: fault @ Fault::Damaged { .. },
            ..
        } => Failure::new(Kind::No, format!("{COMMAND}: {fault}")),
        Incomparable::Unread { name, fault } => Failure::of_server(COMMAND, name, fault),
        _ => Failure::usage(format!("{COMMAND}: {why}")),
    }
}

fn print(
    out: &mut Output,
    envelope: &Envelope,
    answer: &Answered,
    lists: bool,
) -> Result<(), Failure> {
    if !lists {
        return out.answer(envelope, answer);
    }
    out.flush()?;
    for warning in &envelope.warnings {
        eprintln!("warning: {warning}");
    }
    eprintln!("note: {}", answer.summary());
    Ok(())
}

fn record(difference: &Difference, form: Form, at: UnixMs) -> Value {
    let facts = |facts: Facts| {
        let mut told = json!({
            "ttl_ms": facts.ends.map(|ends| ends.0 - at.0),
            "bytes": facts.size.0,
        });
        match form {
            Form::Items => told["flags"] = facts.kind.into(),
            Form::Keys => told["type"] = kind_word(facts.kind).into(),
        }
        told
    };
    let mut record = json!({
        "what": difference.what.word(),
        "key": output::bytes(&difference.key),
    });
    if form == Form::Keys {
        record["db"] = difference.space.into();
    }
    if let What::Changed {
        in_kind,
        in_value,
        in_ttl,
    } = difference.what
    {
        let in_what = match form {
            Form::Items => "in_flags",
            Form::Keys => "in_type",
        };
        record[in_what] = in_kind.into();
        record["in_value"] = in_value.into();
        record["in_ttl"] = in_ttl.into();
    }
    for (side, of) in [("before", difference.before), ("after", difference.after)] {
        if let Some(of) = of {
            record[side] = facts(of);
        }
    }
    record
}

struct Answered {
    tally: Tally,
    rows: Vec<Row>,
}

impl Answered {
    fn summary(&self) -> String {
        let tally = &self.tally;
        let count = |count: Count| units::count(count.keys);
        format!(
            "{} added, {} removed, {} changed, {} with another TTL; {} the same",
            count(tally.added),
            count(tally.removed),
            count(tally.changed),
            count(tally.ttl_changed),
            count(tally.same),
        )
    }
}

const COLUMNS: [&str; 7] = [
    "prefix",
    "added",
    "removed",
    "changed",
    "ttl_changed",
    "added_bytes",
    "removed_bytes",
];

impl Answer for Answered {
    fn data(&self) -> Value {
        let tally = &self.tally;
        json!({
            "differs": tally.differs(),
            "added": tally.added.keys,
            "removed": tally.removed.keys,
            "changed": tally.changed.keys,
            "ttl_changed": tally.ttl_changed.keys,
            "same": tally.same.keys,
            "added_bytes": tally.added.bytes,
            "removed_bytes": tally.removed.bytes,
            "changed_bytes": tally.changed.bytes,
            "repeated": tally.repeated,
            "prefixes": self.rows.iter().map(row_record).collect::<Value>(),
        })
    }

    fn sheet(&self) -> Sheet {
        let records: Vec<Value> = self.rows.iter().map(row_record).collect();
        Sheet::of_records(&COLUMNS, &records)
    }

    fn text(&self, look: Look) -> String {
        let mut lines = self.summary() + "\n";
        if self.tally.repeated > 0 {
            let repeated = units::count(self.tally.repeated);
            lines += &repeated;
            lines += " keys came more than once; the first one counts\n";
        }
        if !self.rows.is_empty() {
            let rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
            let headings = ["PREFIX", "ADDED", "REMOVED", "CHANGED", "TTL", "BYTES"];
            lines += "\n";
            lines += &look.table(&headings, &rows);
        }
        lines
    }
}

fn row_record(row: &Row) -> Value {
    let [added, removed, changed, ttl_changed] = row.keys;
    let [added_bytes, removed_bytes, changed_bytes, _] = row.bytes;
    json!({
        "prefix": row.prefix,
        "added": added,
        "removed": removed,
        "changed": changed,
        "ttl_changed": ttl_changed,
        "added_bytes": added_bytes,
        "removed_bytes": removed_bytes,
        "changed_bytes": changed_bytes,
        "exact": !row.is_estimate,
    })
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.prefix.clone()];
    cells.extend(row.keys.iter().map(|keys| units::count(*keys)));
    cells.push(row.growth());
    cells
}
