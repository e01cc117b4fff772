//! `snapshot diff`: what is different between two files or servers.

mod feeding;
mod prefixes;

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::commands::analyze::PrefixArgs;
use crate::cli::globals::Format;
use crate::cli::output::{Answer, Envelope, Look, Output, Sheet};
use crate::cli::pace::PaceArgs;
use crate::cli::{Call, Failure, Next, output};
use crate::model::{UnixMs, parse_duration, units};
use crate::snapshot::diff::{Count, DiffAsk, Difference, Facts, Tally, What, join, kind_word};

use feeding::{FeedAsk, Source, feed};
use prefixes::{Movers, Row};

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
    let before = Source::of(call, &args.before)?;
    let after = Source::of(call, &args.after)?;
    let form = form(&before, &after)?;
    let at = now();
    let ask = FeedAsk {
        pattern: args.pattern.as_deref().map(str::as_bytes),
        database: database(call, &before, &after)?,
        at: moment(&before, &after, at)?,
        pace: args.pace.gentle(),
    };
    let (left, right) = call.wait(async {
        let left = feed(&before, ask);
        let right = feed(&after, ask);
        tokio::try_join!(left, right)
    })?;
    let envelope = Envelope {
        command: COMMAND,
        target: Some(format!("{} {}", before.name(), after.name())),
        at,
        warnings: [left.notes, right.notes].concat(),
    };
    let mut out = call.output();
    let mut movers = Movers::new(args.prefixes.analysis(&before.target(), 0));
    let lists = out.format() == Format::Ndjson;
    let mut stopped = None;
    let ask = DiffAsk {
        tolerance: args.tolerance,
        ..DiffAsk::default()
    };
    let tally = join(&left.side, &right.side, ask, |difference| {
        let taken = if lists {
            out.record(&record(&difference, form, at))
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
    let tally = tally.map_err(|error| Failure::usage(format!("{COMMAND}: {error}")))?;
    let answer = Answered {
        tally,
        rows: movers.rows(args.top, args.prefixes.depth, at),
    };
    print(&mut out, &envelope, &answer, lists)?;
    Ok(Next::Exit(u8::from(tally.differs())))
}

/// What is compared; it decides on the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Items of Memcached, which have flags.
    Items,
    /// Keys of Redis or Valkey, which have types and databases.
    Keys,
}

fn form(before: &Source, after: &Source) -> Result<Form, Failure> {
    match (before.holds_items(), after.holds_items()) {
        (true, true) => Ok(Form::Items),
        (false, false) => Ok(Form::Keys),
        (first_has_items, _) => {
            let (items, keys) = if first_has_items {
                (before, after)
            } else {
                (after, before)
            };
            Err(Failure::usage(format!(
                "{COMMAND}: {} holds items of Memcached, and {} holds keys of Redis or Valkey: these cannot be compared",
                items.name(),
                keys.name()
            )))
        }
    }
}

/// The database that was named, by `-n` or by a server's own URL; all where none is.
fn database(call: &Call, before: &Source, after: &Source) -> Result<Option<u32>, Failure> {
    if let Some(database) = call.globals().database {
        return Ok(Some(database));
    }
    match (before.database(), after.database()) {
        (Some(one), Some(other)) if one != other => Err(Failure::usage(format!(
            "{COMMAND}: databases {one} and {other} are two keyspaces; only the same one can be compared"
        ))),
        (one, other) => Ok(one.or(other)),
    }
}

/// What had expired by the time of the later side went by itself: it is neither removed nor changed.
fn moment(before: &Source, after: &Source, now: UnixMs) -> Result<UnixMs, Failure> {
    let moments = [before.moment(now)?, after.moment(now)?];
    Ok(moments
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(UnixMs(i64::MIN)))
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
            "prefixes": self.rows.iter().map(Row::record).collect::<Value>(),
        })
    }

    fn sheet(&self) -> Sheet {
        let records: Vec<Value> = self.rows.iter().map(Row::record).collect();
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
            let rows: Vec<Vec<String>> = self.rows.iter().map(Row::cells).collect();
            let headings = ["PREFIX", "ADDED", "REMOVED", "CHANGED", "TTL", "BYTES"];
            lines += "\n";
            lines += &look.table(&headings, &rows);
        }
        lines
    }
}
