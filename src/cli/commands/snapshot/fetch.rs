//! `snapshot fetch`: a consistent copy of the server as a file.

mod answer;
mod items;
pub mod receive;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::commands::snapshot::begun::preflight_lines;
use crate::cli::commands::snapshot::fetch::answer::Fetched;
use crate::cli::commands::snapshot::fetch::receive::{Goal, Kept};
use crate::cli::commands::snapshot::follow;
use crate::cli::output::{Answer, Look, Output};
use crate::cli::pace::PaceArgs;
use crate::cli::{Call, Failure, Kind, Next, Visit};
use crate::config::who;
use crate::engine::Backend;
use crate::model::{
    FetchAsk, FetchWay, Job, Preflight, Protocol, RecordEnd, RecordKind, SnapshotRecord, Verdict,
    parse_duration,
};
use crate::snapshot::keeping::{IfThere, Keeping};
use crate::snapshot::packing::Packing;
use crate::text;

/// Fetch a copy of all data as a file
///
/// The copy is an RDB file of one moment of all databases, fetched as a replica
/// fetches it. Nothing on the server is changed, but it forks for it, and lists
/// us among its replicas while it lasts: what that costs is printed first.
///
/// The file gets its name only when its checksum is right and all of it is on
/// the disk; until then FILE does not exist, and a run that dies leaves nothing.
/// You alone can read it. `-` writes to standard output instead: there the exit
/// code alone says whether it is whole.
///
/// Memcached has no copy of one moment to give, so its items are taken one by
/// one: keys, values, client flags, CAS and when they expire. Each item is as it
/// was when it was asked for, and the report says how many changed or went in
/// between. Items are looked at without moving them in the server's queues (from
/// 1.6.10 on); the lookups count as gets, and are taken out of the hit ratio that
/// cachedeck shows. The server is asked on a budget of 5 % of a core.
///
/// Example:
///
///     $ cachedeck snapshot fetch monday.rdb
///     good     permission          PSYNC is permitted
///     …
///     monday.rdb: 41.2 MiB in 3s, checksum good
///     $ cachedeck memcached://10.0.0.5 snapshot fetch monday.items --full-speed
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct FetchArgs {
    /// Where to write it; `-` is standard output
    file: PathBuf,

    /// Replace FILE if there is one
    #[arg(long)]
    force: bool,

    /// Pack the file
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Compress::None)]
    compress: Compress,

    /// Only items that match this glob (Memcached)
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,

    #[command(flatten)]
    pace: PaceArgs,

    /// Give up when the server sends nothing for so long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    stall: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compress {
    /// As the server sends it
    None,
    Gzip,
    Zstd,
}

impl Compress {
    fn packing(self) -> Packing {
        match self {
            Self::None => Packing::Plain,
            Self::Gzip => Packing::Gzip,
            Self::Zstd => Packing::Zstd,
        }
    }
}

impl FetchArgs {
    fn if_there(&self) -> IfThere {
        if self.force {
            IfThere::Replace
        } else {
            IfThere::Refuse
        }
    }

    /// What is wished of a server whose items are taken one by one.
    fn items(&self) -> Result<items::Wish, Failure> {
        Ok(items::Wish {
            file: self.file.clone(),
            packing: match self.compress {
                Compress::None => crate::snapshot::items::Packing::None,
                Compress::Zstd => crate::snapshot::items::Packing::Zstd,
                Compress::Gzip => {
                    return Err(Failure::usage("items are packed with zstd, or not at all"));
                }
            },
            if_there: self.if_there(),
            pattern: self.pattern.clone().map(String::into_bytes),
            pace: self.pace.gentle(),
        })
    }
}

const COMMAND: &str = "snapshot fetch";

pub fn args(command: clap::Command) -> clap::Command {
    FetchArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: FetchArgs = call.args();
    let ask = FetchAsk {
        stall: stall(&args.stall)?,
    };
    let visit = call.visit()?;
    if visit.target.protocol == Protocol::Memcached {
        return items::run(call, &visit, &args.items()?);
    }
    if args.pattern.is_some() {
        return Err(Failure::usage(
            "--match goes with Memcached: an RDB file holds all of a server",
        )
        .hint("`snapshot restore FILE PATTERN` brings back a part"));
    }
    let is_stdout = args.file.as_os_str() == "-";
    if is_stdout && Output::is_terminal() {
        return Err(Failure::usage("the copy is no text for a terminal")
            .hint("name a file, or lead standard output to one"));
    }
    // A file that cannot be written is found out before the server has any trouble.
    let goal = goal(&args, is_stdout, &visit)?;
    let preflight = call.ask(&visit, visit.server.preflight(Job::Fetch))?;
    eprint!("{}", preflight_lines(&preflight));
    refuse(COMMAND, &visit, &preflight)?;
    let kept = receive::receive(call, &visit, ask, goal, args.compress.packing())?;
    remember(call, &visit, &args, &kept);
    report(call, &visit, &args, &kept, &preflight)
}

fn goal(args: &FetchArgs, is_stdout: bool, visit: &Visit) -> Result<Goal, Failure> {
    if is_stdout {
        return Ok(Goal::Stdout);
    }
    Keeping::create(&args.file, args.if_there())
        .map(Goal::File)
        .map_err(|error| Failure::of_keeping(COMMAND, &visit.target.name, &error))
}

/// What would be refused anyhow is not tried, and named by its reason.
pub fn refuse(command: &str, visit: &Visit, preflight: &Preflight) -> Result<(), Failure> {
    let stop = preflight
        .notes
        .iter()
        .find(|note| note.verdict == Verdict::Stop);
    let Some(stop) = stop else { return Ok(()) };
    let kind = match stop.what.as_str() {
        "permission" => Kind::Permission,
        _ => Kind::Connection,
    };
    let name = &visit.target.name;
    Err(Failure::new(
        kind,
        format!("{command} on {name}: {}: {}", stop.what, stop.words),
    ))
}

/// A copy that went over the server's disk is a snapshot there as well, and ours.
fn remember(call: &mut Call, visit: &Visit, args: &FetchArgs, kept: &Kept) {
    let Some(saves) = follow::saves(call) else {
        return;
    };
    let fetched = SnapshotRecord {
        kind: RecordKind::Fetch,
        at: crate::cli::call::now(),
        took: Some(kept.took),
        keys: None,
        size: Some(kept.written),
        copied: None,
        by: Some(who()),
        end: RecordEnd::Good,
        file: Some(shown(&args.file)),
    };
    follow::keep(&saves, visit, &fetched);
    if kept.origin.way == Some(FetchWay::Disk)
        && let Ok(sample) = call.ask(visit, visit.server.sample())
    {
        let seen = sample.persistence.as_ref();
        let save = seen.and_then(|all| SnapshotRecord::observed(all, sample.keys()));
        if let Some(save) = save {
            let by = Some(who());
            follow::keep(&saves, visit, &SnapshotRecord { by, ..save });
        }
    }
}

fn shown(file: &Path) -> String {
    text::escape(file.as_os_str().as_encoded_bytes())
}

fn report(
    call: &Call,
    visit: &Visit,
    args: &FetchArgs,
    kept: &Kept,
    preflight: &Preflight,
) -> Result<Next, Failure> {
    let name = shown(&args.file);
    let answer = Fetched {
        file: &name,
        compress: args.compress.packing(),
        kept,
        preflight,
    };
    if matches!(kept.goal, receive::Reached::Stdout) {
        // Standard output is the copy's.
        eprint!("{}", answer.text(Look::plain()));
        return Ok(Next::Exit(0));
    }
    let warnings = answer.warnings();
    let envelope = call.envelope(COMMAND, visit, warnings);
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

pub fn stall(words: &str) -> Result<Duration, Failure> {
    parse_duration(words)
        .ok()
        .filter(|stall| !stall.is_zero())
        .ok_or_else(|| Failure::usage("--stall is no duration").hint("write it as 500ms or 60s"))
}
