//! `info`: the overview, once.

use std::time::Duration;

use clap::Args;

use crate::cli::overview::Overview;
use crate::cli::{Call, Failure, Next};
use crate::engine::Backend;
use crate::model::{Rates, parse_duration};

/// Print the overview of a server
///
/// Identity, hit ratio, rates, memory, clients, keyspace, replication and persistence, or the slabs
/// of Memcached. Hit ratio and counters are over the server's lifetime; with --window two readings
/// are taken, and rates are over the time between them. What is not known says so, and why.
///
/// Example:
///
///     $ cachedeck redis://10.0.0.7:6379 info --window 5s
///     Redis 7.0.15 · primary · up 12d 03h · redis://10.0.0.7:6379
///
///     Hit ratio
///       last 5s         97.3 %
///       lifetime        91.0 %  (1,203,991 hits, 119,070 misses)
///     …
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct InfoArgs {
    /// Take a second reading after this long, and print rates over it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    window: Option<Duration>,

    /// Add every line as the server says it
    #[arg(long)]
    all: bool,
}

pub fn args(command: clap::Command) -> clap::Command {
    InfoArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: InfoArgs = call.args();
    if args.window.is_some_and(|window| window.is_zero()) {
        return Err(Failure::usage("--window is zero"));
    }
    let visit = call.visit()?;
    let (sample, rates) = call.ask(&visit, async {
        let sample = visit.server.sample().await?;
        let Some(window) = args.window else {
            return Ok((sample, None));
        };
        tokio::time::sleep(window).await;
        let later = visit.server.sample().await?;
        let rates = Rates::between(&sample, &later);
        Ok((later, Some(rates)))
    })?;
    let answer = Overview {
        target: &visit.target.name,
        sample: &sample,
        rates,
        with_raw: args.all,
    };
    let envelope = call.envelope("info", &visit, Vec::new());
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}
