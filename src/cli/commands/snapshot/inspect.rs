//! `snapshot inspect`: the report of `analyze` on a file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::analysis::AnalysisAsk;
use crate::analysis::report::Via;
use crate::cli::call::now;
use crate::cli::commands::analyze::perused::{self, Perused, Read};
use crate::cli::commands::analyze::{PrefixArgs, kept_report};
use crate::cli::commands::snapshot::opening::{self, Form, Opened};
use crate::cli::progress::Progress;
use crate::cli::report::Table;
use crate::cli::{Call, Failure, Kind, Next};
use crate::engine::{ItemPerusal, peruse, peruse_items};
use crate::model::{Coverage, WalkCost, units};

/// Report what the keys of a snapshot file consist of
///
/// The report of `analyze`, on a file that Redis or Valkey wrote or on a dump of
/// Memcached's items (plain, or packed with gzip or zstd): no server is asked.
/// The file is read once, its checksum is checked, and memory stays the same
/// whatever its size. Times to live count from the moment at which the file was
/// made. Sizes are estimates of what `MEMORY USAGE` would say, or what an item
/// takes beside the rest of its slab. `-` reads from stdin.
///
/// Example:
///
///     $ cachedeck snapshot inspect dump.rdb
///     $ cachedeck snapshot inspect dump.rdb -o json > monday.json
///     $ cachedeck snapshot inspect dump.rdb --compare monday.json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct InspectArgs {
    /// File to read; `-` is stdin
    file: PathBuf,

    #[command(flatten)]
    prefixes: PrefixArgs,

    /// Rows of a list
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    /// The table that -o csv and -o ndjson print
    #[arg(long, value_name = "TABLE", value_enum)]
    table: Option<Table>,

    /// Show what changed since a report that `analyze -o json` or this command printed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

const NAME: &str = "snapshot inspect";

pub fn args(command: clap::Command) -> clap::Command {
    InspectArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: InspectArgs = call.args();
    let kept = args.compare.as_ref().map(kept_report).transpose()?;
    let opened = opening::open(NAME, &args.file)?;
    let Opened {
        shown,
        source,
        form,
        ..
    } = opened;
    let ask = args.prefixes.analysis_of(default_delimiters(), args.top);
    let began = Instant::now();
    let look = |cost| Perused {
        command: NAME,
        name: &shown,
        via: Via::Rdb,
        cost,
        prefixes: &args.prefixes,
        top: args.top,
        table: args.table,
        kept: kept.as_ref(),
    };
    let mut progress = Progress::beside_a_report();
    if form == Form::Items {
        let done = peruse_items(source, ask, now(), |seen| {
            if progress.is_due() {
                progress.show(&of_items(seen, false), &cost(began));
            }
            ControlFlow::Continue(())
        });
        progress.clear();
        let done =
            done.map_err(|error| Failure::new(Kind::No, format!("{NAME}: {shown}: {error}")))?;
        return look(cost(began)).print_read(call, &read(done));
    }
    let done = peruse(source, ask, now(), |contents| {
        if progress.is_due() {
            progress.show(&perused::coverage(contents, false), &cost(began));
        }
        ControlFlow::Continue(())
    });
    progress.clear();
    look(cost(began)).print(call, done)
}

fn read(done: ItemPerusal) -> Read {
    let mut warnings =
        vec!["the items were taken one by one, which is not one moment of the cache".to_owned()];
    if done.may_miss {
        warnings.push("the server listed its items by queues: some may be missing".to_owned());
    }
    if let Some(left @ 1..) = done.left_out {
        let left = units::count(left);
        warnings.push(format!("{left} items could not be taken when it was made"));
    }
    Read {
        coverage: of_items(done.analysis.keys(), done.fault.is_none()),
        analysis: done.analysis,
        at: done.at,
        warnings,
        stopped: done.fault.map(|fault| fault.to_string()),
    }
}

fn of_items(seen: u64, is_complete: bool) -> Coverage {
    Coverage {
        seen,
        of: is_complete.then_some(seen),
        is_complete,
        ..Coverage::default()
    }
}

fn default_delimiters() -> Vec<Vec<u8>> {
    AnalysisAsk::default().delimiters
}

fn cost(began: Instant) -> WalkCost {
    WalkCost {
        elapsed: began.elapsed(),
        ..WalkCost::default()
    }
}
