//! `analyze --via rdb`: a copy is fetched as a replica fetches it, and read while it comes.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::analysis::report::Via;
use crate::cli::call::now;
use crate::cli::commands::analyze::AnalyzeArgs;
use crate::cli::commands::analyze::perused::Perused;
use crate::cli::commands::snapshot::begun::preflight_lines;
use crate::cli::commands::snapshot::fetch::{self, receive};
use crate::cli::{Call, Failure, Next};
use crate::engine::{Backend, peruse};
use crate::model::{FetchAsk, Job, WalkCost};

/// A server that sends nothing for so long has hung.
const STALL: Duration = Duration::from_secs(60);

pub fn run(
    call: &mut Call,
    args: &AnalyzeArgs,
    kept: Option<&(PathBuf, Value)>,
) -> Result<Next, Failure> {
    if args.pattern.is_some() || args.replica || !args.ask.is_empty() {
        return Err(Failure::usage(
            "--via rdb reads all of a copy: no PATTERN, no --ask, no --replica",
        )
        .hint("`tree PREFIX` and --via scan look at a part"));
    }
    let visit = call.visit()?;
    let preflight = call.ask(&visit, visit.server.preflight(Job::Fetch))?;
    eprint!("{}", preflight_lines(&preflight));
    fetch::refuse("analyze", &visit, &preflight)?;
    let ask = args.prefixes.analysis(&visit.target, args.top);
    let began = Instant::now();
    let (done, _) = receive::with(call, &visit, FetchAsk { stall: STALL }, move |outlet| {
        peruse(outlet, ask, now(), |_| ControlFlow::Continue(()))
    })?;
    let perused = Perused {
        command: "analyze",
        name: &visit.target.name,
        via: Via::Rdb,
        cost: WalkCost {
            elapsed: began.elapsed(),
            ..WalkCost::default()
        },
        prefixes: &args.prefixes,
        top: args.top,
        table: args.table,
        kept,
    };
    perused.print(call, done)
}
