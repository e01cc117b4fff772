//! `snapshot inspect`: the report of `analyze` on a file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::analysis::report::Via;
use crate::analysis::{AnalysisAsk, Circumstances};
use crate::cli::call::now;
use crate::cli::commands::analyze::{PrefixArgs, kept_report};
use crate::cli::commands::snapshot::opening::{self, Form, Opened};
use crate::cli::output::Envelope;
use crate::cli::progress::Progress;
use crate::cli::report::{Shown, Table, growth};
use crate::cli::{Call, Failure, Kind, Next};
use crate::engine::{Perusal, peruse};
use crate::model::{Coverage, WalkCost, Wants, units};
use crate::snapshot::Contents;

/// Report what the keys of a snapshot file consist of
///
/// The report of `analyze`, on a file that Redis or Valkey wrote (plain, or
/// packed with gzip or zstd): no server is asked. The file is read once, its
/// checksum is checked, and memory stays the same whatever its size. Times to
/// live count from the moment at which the file was made. Sizes are estimates of
/// what `MEMORY USAGE` would say. `-` reads from stdin.
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
    if opened.form == Form::Items {
        return Err(Failure::usage(format!(
            "{NAME}: {}: it holds items of Memcached",
            opened.shown
        ))
        .hint("`snapshot verify` counts them; `snapshot diff` compares them"));
    }
    let Opened { shown, source, .. } = opened;
    let ask = args.prefixes.analysis_of(default_delimiters(), args.top);
    let began = Instant::now();
    let mut progress = Progress::beside_a_report();
    let done = peruse(source, ask, now(), |contents| {
        if progress.is_due() {
            progress.show(&coverage(contents, false), &cost(began));
        }
        ControlFlow::Continue(())
    });
    progress.clear();
    let stopped = done.fault.as_ref().map(ToString::to_string);
    if let (None, Some(why)) = (done.contents.header, &stopped) {
        return Err(Failure::new(Kind::No, format!("{NAME}: {shown}: {why}")));
    }
    let circumstances = Circumstances {
        via: Via::Scan,
        coverage: coverage(&done.contents, stopped.is_none()),
        cost: cost(began),
        lacks: Vec::new(),
        account: None,
    };
    let report = done.analysis.report(done.at, circumstances);
    let mut answer = Shown {
        target: &shown,
        report: &report,
        wants: Wants::ALL,
        parts: &[],
        stopped: stopped.as_deref(),
        depth: args.prefixes.depth,
        top: args.top,
        table: args.table,
        growth: None,
    };
    let growth = match &kept {
        None => None,
        Some((path, kept)) => Some(
            growth::between(kept, &answer.data_to_compare())
                .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?,
        ),
    };
    answer.growth = growth.as_ref();
    let envelope = Envelope {
        command: NAME,
        target: Some(shown.clone()),
        at: done.at,
        warnings: warnings(&done, stopped.as_deref()),
    };
    call.output().answer(&envelope, &answer)?;
    match stopped {
        Some(why) => Err(Failure::new(
            Kind::Partial,
            format!("{NAME}: {shown}: {why}"),
        )),
        None => Ok(Next::Exit(0)),
    }
}

fn default_delimiters() -> Vec<Vec<u8>> {
    AnalysisAsk::default().delimiters
}

fn coverage(contents: &Contents, is_complete: bool) -> Coverage {
    let keys = contents.keys();
    Coverage {
        seen: keys,
        of: is_complete.then_some(keys),
        is_complete,
        ..Coverage::default()
    }
}

fn cost(began: Instant) -> WalkCost {
    WalkCost {
        elapsed: began.elapsed(),
        ..WalkCost::default()
    }
}

fn warnings(done: &Perusal, stopped: Option<&str>) -> Vec<String> {
    let mut warnings = vec!["sizes are estimates of what MEMORY USAGE would say".to_owned()];
    let expired = done.contents.expired();
    if expired > 0 {
        warnings.push(format!(
            "{} keys were over when the file was made, and are counted",
            units::count(expired)
        ));
    }
    warnings.extend(stopped.map(|why| format!("partial: {why}")));
    warnings
}
