//! `analyze`: what a whole keyspace consists of.

mod fetched;
mod keeper;
pub mod perused;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::analysis::report::Via;
use crate::analysis::{AnalysisAsk, Report};
use crate::cli::call::now;
use crate::cli::commands::analyze::keeper::Keeper;
use crate::cli::output::{Answer, Envelope};
use crate::cli::pace::PaceArgs;
use crate::cli::progress::{Progress, seen};
use crate::cli::report::{Part, Shown, Table, growth};
use crate::cli::{Call, Failure, Kind, Next};
use crate::engine::{Server, Survey, SurveyAsk};
use crate::model::{Bytes, Target, WalkAsk, Wants, parse_duration, units};

/// Report what a whole keyspace consists of
///
/// Types, encodings, sizes, TTLs, idle times and the largest keys, and every
/// prefix with its keys and bytes; parts of names that are ids count as one
/// (`user:*:profile`). The keyspace is walked on a budget of 5 % of a core of the
/// server; --full-speed lifts it, and --via sample draws keys at random and tells
/// within which interval the truth lies; --via stats prints at once what the
/// server counts by itself, which stands in every other report, too; --via rdb
/// fetches a copy of one moment, which costs a fork and no walk. Nothing is changed, idle times and
/// frequencies stay as they are; our questions add to the server's count of hits,
/// and the report says by how much. Ctrl-C prints what was seen so far.
///
/// Memcached is listed by its crawler, which goes at its own speed and costs one
/// core at most; idle times are upper bounds there, since it does not note every
/// access, and slab classes stand for encodings.
///
/// Several targets (-t) are walked at once and reported as one. -o csv and
/// -o ndjson print one table of the report: the prefixes, or the one that --table
/// names.
///
/// Example:
///
///     $ cachedeck prod analyze --via sample
///     $ cachedeck prod analyze --full-speed -o json > monday.json
///     $ cachedeck prod analyze --full-speed --compare monday.json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct AnalyzeArgs {
    /// Glob that names must match
    pattern: Option<String>,

    /// Where the answers come from
    #[arg(long, value_name = "WAY", value_enum, default_value = "scan")]
    via: Way,

    /// How long to draw for, with --via sample
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "2s")]
    draw_for: Duration,

    #[command(flatten)]
    pace: PaceArgs,

    /// Walk a replica instead of its primary, where one answers
    #[arg(long)]
    replica: bool,

    /// Keep an interrupted walk in FILE, and go on from there the next time
    ///
    /// The file is written every half a minute and when the walk is interrupted,
    /// and is gone when the walk is done. It holds no values, but names of keys.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "via",
        conflicts_with = "replica"
    )]
    resume: Option<PathBuf>,

    /// What to ask of every key: type, ttl, size, usage, encoding, length; less is cheaper
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum)]
    ask: Vec<Asked>,

    #[command(flatten)]
    prefixes: PrefixArgs,

    /// Rows of a list
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    /// The table that -o csv and -o ndjson print
    #[arg(long, value_name = "TABLE", value_enum)]
    table: Option<Table>,

    /// Show what changed since a report that `analyze -o json` printed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// How names are cut into prefixes.
#[derive(Args, Clone, Debug)]
pub struct PrefixArgs {
    /// What stands between the parts of a name; may repeat [default: that of the profile, or `:`]
    #[arg(long, value_name = "TEXT")]
    delimiter: Vec<String>,

    /// Count every id on its own instead of `*` for all
    #[arg(long)]
    keep_ids: bool,

    /// How many parts deep prefixes go
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,

    /// Memory for prefixes; when it is full, light ones are estimated, and said to be
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16mb")]
    memory: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// All keys, one after the other
    Scan,
    /// A copy of all databases, fetched as a replica fetches it and read while it comes
    Rdb,
    /// Keys drawn at random, with the interval that holds the truth
    Sample,
    /// What the server counts by itself; no key is asked
    Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asked {
    Type,
    Ttl,
    Size,
    Usage,
    Encoding,
    Length,
}

pub fn args(command: clap::Command) -> clap::Command {
    AnalyzeArgs::augment_args(command)
}

fn size(text: &str) -> Result<Bytes, crate::model::SizeError> {
    text.parse()
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: AnalyzeArgs = call.args();
    let kept = args.compare.as_ref().map(kept_report).transpose()?;
    let targets = some_targets(call)?;
    let ask = SurveyAsk {
        walk: WalkAsk {
            from: None,
            pattern: args.pattern.clone().map(String::into_bytes),
            wants: args.wants(),
            one_key_in: None,
            pace: args.pace.gentle(),
        },
        via: match args.via {
            Way::Scan => Via::Scan,
            Way::Rdb => return fetched::run(call, &args, kept.as_ref()),
            Way::Sample => Via::Sample,
            Way::Stats => Via::Stats,
        },
        analysis: args.prefixes.analysis(&targets[0], args.top),
        prefers_replica: args.replica,
    };
    let draws_for = (args.via == Way::Sample).then_some(args.draw_for);
    let keeper = args
        .resume
        .clone()
        .map(|path| Keeper::of(path, &targets))
        .transpose()?;
    let (done, failure) = survey(call, "analyze", &targets, ask, draws_for, keeper)?;
    let mut shown = Shown {
        target: &done.name,
        report: &done.report,
        wants: args.wants(),
        parts: &done.parts,
        stopped: done.stopped.as_deref(),
        depth: args.prefixes.depth,
        top: args.top,
        table: args.table,
        growth: None,
    };
    let growth = match &kept {
        None => None,
        Some((path, kept)) => Some(
            growth::between(kept, &shown.data())
                .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?,
        ),
    };
    shown.growth = growth.as_ref();
    done.print(call, "analyze", &shown, failure)
}

/// A report that was kept.
///
/// # Errors
/// When the file is none.
pub fn kept_report(path: &PathBuf) -> Result<(PathBuf, Value), Failure> {
    let failure = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| failure(error.to_string()))?;
    let kept = serde_json::from_slice(&text)
        .map_err(|_| failure("it is not what `analyze -o json` prints".to_owned()))?;
    Ok((path.clone(), kept))
}

/// Every target that is named; one where none is.
pub fn some_targets(call: &mut Call) -> Result<Vec<Target>, Failure> {
    if call.names_targets() {
        return call.targets();
    }
    Ok(vec![call.visit()?.target])
}

impl AnalyzeArgs {
    fn wants(&self) -> Wants {
        if self.ask.is_empty() {
            return Wants::ALL;
        }
        let has = |asked| self.ask.contains(&asked);
        Wants {
            kind: has(Asked::Type),
            ttl: has(Asked::Ttl),
            size: has(Asked::Size),
            usage: has(Asked::Usage),
            encoding: has(Asked::Encoding),
            length: has(Asked::Length),
        }
    }
}

impl PrefixArgs {
    pub fn analysis(&self, target: &Target, top: usize) -> AnalysisAsk {
        self.analysis_of(target.delimiters(), top)
    }

    /// With these delimiters where none are given.
    pub fn analysis_of(&self, default: Vec<Vec<u8>>, top: usize) -> AnalysisAsk {
        let mut delimiters: Vec<Vec<u8>> = self
            .delimiter
            .iter()
            .filter(|delimiter| !delimiter.is_empty())
            .map(|delimiter| delimiter.clone().into_bytes())
            .collect();
        if delimiters.is_empty() {
            delimiters = default;
        }
        AnalysisAsk {
            delimiters,
            collapses_ids: !self.keep_ids,
            budget: self.memory,
            top,
            ..AnalysisAsk::default()
        }
    }
}

/// A survey that is over, one way or the other.
pub struct Done {
    pub name: String,
    pub report: Report,
    pub parts: Vec<Part>,
    /// Why it was not brought to its end.
    pub stopped: Option<String>,
    notes: Vec<String>,
}

/// Surveys the targets to the end, for the time given, or until Ctrl-C.
///
/// # Errors
/// When nothing could be seen at all.
pub fn survey(
    call: &mut Call,
    what: &'static str,
    targets: &[Target],
    ask: SurveyAsk,
    draws_for: Option<Duration>,
    mut keeper: Option<Keeper>,
) -> Result<(Done, Option<Failure>), Failure> {
    let mut progress = Progress::beside_a_report();
    let mut survey = None;
    let failure = call
        .wait(async {
            let servers = targets.iter().cloned().map(Server::at).map(Arc::new);
            let survey = survey.insert(match &mut keeper {
                Some(keeper) => keeper.begin(servers, ask)?,
                None => Survey::start(servers.collect(), ask),
            });
            let began = Instant::now();
            loop {
                match survey.step().await {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(fault) => return Err(Failure::of_server(what, &name_of(targets), &fault)),
                }
                if progress.is_due() {
                    progress.show(&survey.coverage(), &survey.cost());
                }
                if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.is_due()) {
                    keeper.keep(survey)?;
                }
                if draws_for.is_some_and(|span| began.elapsed() >= span) {
                    return Ok(());
                }
            }
        })
        .err();
    progress.clear();
    let Some(survey) = survey else {
        return Err(failure.unwrap_or_else(Failure::interrupted));
    };
    let coverage = survey.coverage();
    if coverage.seen == 0
        && let Some(failure) = failure
    {
        return Err(failure);
    }
    let kept = keeper
        .map(|keeper| keeper.end(&survey, failure.is_some()))
        .transpose()?;
    let parts = survey.nodes().iter().zip(targets);
    let parts = parts.map(|(node, target)| Part {
        target: target.name.clone(),
        coverage: node.coverage,
    });
    let faults = survey.nodes().iter().filter_map(|node| {
        let fault = node.fault.as_ref()?;
        Some(format!("{} was not walked to its end: {fault}", node.place))
    });
    let notes = survey.nodes().iter().filter_map(|node| node.note.clone());
    let notes = notes.chain(kept.flatten());
    let stopped = failure.as_ref().map(|failure| match failure.kind {
        Kind::Interrupted => "interrupted".to_owned(),
        _ => failure.error.clone(),
    });
    let faults: Vec<String> = faults.collect();
    let done = Done {
        name: name_of(targets),
        report: survey.report(now()),
        parts: parts.collect(),
        stopped: stopped.or_else(|| faults.first().cloned()),
        notes: notes.collect(),
    };
    let partial = || {
        let first = faults.first()?;
        Some(Failure::new(Kind::Partial, format!("{what}: {first}")))
    };
    Ok((done, failure.or_else(partial)))
}

fn name_of(targets: &[Target]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    names.join(", ")
}

impl Done {
    /// Prints the answer; says how it ended.
    ///
    /// # Errors
    /// When it is not the whole answer.
    pub fn print(
        &self,
        call: &Call,
        what: &'static str,
        answer: &impl Answer,
        failure: Option<Failure>,
    ) -> Result<Next, Failure> {
        let mut warnings = self.notes.clone();
        warnings.extend(
            self.stopped
                .as_ref()
                .map(|why| format!("partial: {why}; {}", seen(&self.report.coverage))),
        );
        let refused = self
            .report
            .lacks
            .iter()
            .find(|lack| lack.what != "elements");
        warnings.extend(
            self.report
                .lacks
                .iter()
                .map(|lack| format!("{}: {}", lack.what, lack.why)),
        );
        let envelope = Envelope {
            command: what,
            target: Some(self.name.clone()),
            at: self.report.at,
            warnings,
        };
        let mut output = call.output();
        output.answer(&envelope, answer)?;
        output.flush()?;
        match (failure, refused) {
            (Some(failure), _) if failure.kind == Kind::Interrupted => {
                Ok(Next::Exit(failure.code()))
            }
            (Some(failure), _) => Err(failure),
            (None, Some(_)) => Ok(Next::Exit(Kind::Partial.code())),
            (None, None) => Ok(Next::Exit(0)),
        }
    }
}

/// `4.8 % of a core`, for notes.
pub fn cost_words(report: &Report) -> String {
    format!(
        "{} keys in {}",
        units::count(report.coverage.seen),
        units::span(report.cost.elapsed)
    )
}
