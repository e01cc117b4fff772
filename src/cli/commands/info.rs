//! `info`: the overview, once.

use std::time::Duration;

use clap::Args;

use crate::cli::output::{self, Envelope, Output};
use crate::cli::overview::Overview;
use crate::cli::{Call, Failure, Format, Next, unknown};
use crate::engine::{Backend, Fault, Server};
use crate::model::{Break, Rates, Sample, Target, parse_duration};

/// How long the demo's traffic is watched where there is no screen to watch it on.
const DEMO_WINDOW: Duration = Duration::from_secs(2);

/// Print the overview of a server
///
/// Identity, hit ratio, rates, memory, clients, keyspace, replication and
/// persistence, or the slabs of Memcached. Hit ratio and counters are over the
/// server's lifetime; with --window two readings are taken, and rates are over
/// the time between them. What is not known says so, and why. Where INFO is not
/// permitted, what is left is printed, and the exit code is 4.
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
    let (sample, rates) = call.ask(&visit, read(&visit.server, args.window))?;
    let answer = Overview {
        target: &visit.target.name,
        sample: &sample,
        rates,
        with_raw: args.all,
    };
    let refused = unknown::refused("info", &visit.target.name, &sample);
    let is_document = matches!(call.format(), Format::Json | Format::Yaml);
    let warnings = refused
        .as_ref()
        .err()
        .into_iter()
        .filter(|_| is_document)
        .map(|one| one.error.clone());
    let envelope = call.envelope("info", &visit, warnings.collect());
    call.output().answer(&envelope, &answer)?;
    refused.map(|()| Next::Exit(0))
}

/// Prints the overviews of several servers, one after the other, as a demo without a terminal does.
///
/// # Errors
/// When a server does not answer or stdout cannot be written.
pub fn print_overviews(targets: Vec<Target>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for (place, target) in targets.into_iter().enumerate() {
        if place > 0 {
            output::print("\n")?;
        }
        let name = target.name.clone();
        let server = Server::at(target);
        let (sample, rates) = runtime
            .block_on(read(&server, Some(DEMO_WINDOW)))
            .map_err(|fault| Failure::of_server("info", &name, &fault))?;
        let answer = Overview {
            target: &name,
            sample: &sample,
            rates,
            with_raw: false,
        };
        let warnings = Vec::new();
        let envelope = Envelope {
            command: "info",
            target: Some(name.clone()),
            at: sample.at,
            warnings,
        };
        Output::new(Format::Table, false).answer(&envelope, &answer)?;
    }
    Ok(0)
}

/// One reading, or two with what happened between them.
async fn read(
    server: &Server,
    window: Option<Duration>,
) -> Result<(Sample, Option<Result<Rates, Break>>), Fault> {
    server.settle().await;
    let sample = server.sample().await?;
    let Some(window) = window else {
        return Ok((sample, None));
    };
    tokio::time::sleep(window).await;
    let later = server.sample().await?;
    let rates = Rates::between(&sample, &later);
    Ok((later, Some(rates)))
}
