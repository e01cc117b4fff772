//! `snapshot restore`: a file's data into a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cli::consent::{self, ConsentArgs};
use crate::cli::output::{Answer, Look, Sheet};
use crate::cli::pace::PaceArgs;
use crate::cli::progress;
use crate::cli::{Call, Failure, Kind, Next, Visit, facts};
use crate::engine::{Backend, Progress};
use crate::guard::Permit;
use crate::model::{
    Bytes, Change, ChangeProgress, Conflict, Outcome, Restore, RestoreReport, Verify, units,
};
use crate::snapshot::diff;
use crate::text;

const COMMAND: &str = "snapshot restore";

/// Bring a snapshot file back into a server
///
/// A snapshot of Redis or Valkey goes into a server of either, items of Memcached
/// into a server of Memcached. The whole file is checked before anything is sent.
/// The plan says how much it is, what is there already, whether there is room, and
/// what cannot be brought back as it was; then you are asked (--yes answers
/// beforehand). Expiry is kept as the moment it was; what is over stays away.
/// --conflict skip leaves keys that are there (the server decides in the very
/// moment of storing), replace overwrites them, fail restores nothing when there
/// is any.
///
/// Values are read and built anew by plain commands, so a file of a stranger does
/// no harm, and any version goes into any other. --trust-payload hands them over
/// as they stand (RESTORE). The keys go into the database of the target (-n).
///
/// How far it came is noted in the state directory: after a break, --resume goes
/// on there. Afterwards a sample is read back and compared (--verify all: every
/// item). Items that could not be stored are named, and exit with 6.
///
/// Example:
///
///     $ cachedeck prod snapshot restore last-night.rdb 'user:*' --dry-run
///     $ cachedeck memcached://10.0.0.6 snapshot restore monday.items
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct RestoreArgs {
    /// File to restore
    file: PathBuf,

    /// Glob that names must match
    pattern: Option<String>,

    /// Database of the file to restore, where it has several; the first one
    #[arg(long, value_name = "DB")]
    from_db: Option<u32>,

    /// Hand values to the server as they stand in the file: quicker, and only for
    /// files that you made yourself
    #[arg(long)]
    trust_payload: bool,

    /// Load the libraries of functions of the file as well; they are code that the
    /// server runs
    #[arg(long)]
    functions: bool,

    /// What to do about keys that are there already
    #[arg(long, value_name = "WAY", value_enum, default_value = "skip")]
    conflict: OnConflict,

    /// What to read back afterwards
    #[arg(long, value_name = "HOW MUCH", value_enum, default_value = "sample")]
    verify: HowMuch,

    /// Go on with a restore of this file that broke off
    #[arg(long)]
    resume: bool,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnConflict {
    Skip,
    Replace,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HowMuch {
    Sample,
    All,
    None,
}

pub fn args(command: clap::Command) -> clap::Command {
    RestoreArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: RestoreArgs = call.args();
    let visit = call.visit()?;
    let pattern = args.pattern.map(String::into_bytes);
    let restore = Restore {
        journal: Some(journal(call, &visit, &args.file, pattern.as_deref())?),
        source: args.file,
        pattern,
        from_database: args.from_db,
        trusts_payload: args.trust_payload,
        functions: args.functions,
        conflict: match args.conflict {
            OnConflict::Skip => Conflict::Skip,
            OnConflict::Replace => Conflict::Replace,
            OnConflict::Fail => Conflict::Fail,
        },
        verify: match args.verify {
            HowMuch::Sample => Verify::Sample,
            HowMuch::All => Verify::All,
            HowMuch::None => Verify::None,
        },
        pace: args.pace.gentle(),
        resumes: args.resume,
    };
    let change = Change::Restore(Box::new(restore));
    let Some(permit) = consent::permitted(call, &visit, COMMAND, change, args.consent)? else {
        return Ok(Next::Exit(0));
    };
    let outcome = call
        .wait(apply(&visit, permit))
        .map_err(|failure| failure.hint("--resume goes on where it stopped"))?;
    let Outcome::Restored(report) = outcome else {
        return Ok(Next::Exit(0));
    };
    let envelope = call.envelope(COMMAND, &visit, report.notes.clone());
    call.output().answer(&envelope, &Answered(&report))?;
    verdict(&report, &visit)
}

/// Where it is noted how far this restore came: a name of its own for each.
fn journal(
    call: &Call,
    visit: &Visit,
    file: &Path,
    pattern: Option<&[u8]>,
) -> Result<PathBuf, Failure> {
    let whole = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut name = diff::Digest::default();
    for part in [
        visit.target.name.as_bytes(),
        whole.as_os_str().as_encoded_bytes(),
        pattern.unwrap_or(b"*"),
    ] {
        name.update(part);
        name.update(b"\0");
    }
    let directory = call.state_directory()?;
    Ok(directory.join(format!("restore-{:032x}.json", name.finish())))
}

/// Carries it out, and shows how far it is where somebody looks.
async fn apply(visit: &Visit, permit: Permit) -> Result<Outcome, Failure> {
    let (progress, told) = Progress::channel();
    let work = visit.server.apply_telling(permit, &progress);
    tokio::pin!(work);
    let mut line = progress::Progress::beside_a_report();
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = tick.tick() => line.tell(&words(&told)),
        }
    };
    line.clear();
    done.map_err(|fault| Failure::of_server(COMMAND, &visit.target.name, &fault))
}

/// `restoring: 412,000 of 1,000,000 keys, 61 MiB`
fn words(told: &watch::Receiver<ChangeProgress>) -> String {
    let progress = *told.borrow();
    let of = progress
        .of
        .map_or_else(String::new, |of| format!(" of {}", units::count(of)));
    format!(
        "{}: {}{of} keys, {}",
        progress.phase.word(),
        units::count(progress.done),
        progress.bytes
    )
}

fn verdict(report: &RestoreReport, visit: &Visit) -> Result<Next, Failure> {
    let partial = |words: String| {
        Err(Failure::new(
            Kind::Partial,
            format!("{COMMAND} on {}: {words}", visit.target.name),
        ))
    };
    let answered = report.restored + report.existed + report.expired + report.failed;
    if report.failed > 0 {
        let failed = units::count(report.failed);
        return partial(format!("{failed} keys could not be restored"));
    }
    if answered < report.matched {
        let left = units::count(report.matched - answered);
        return partial(format!("{left} keys were not restored"));
    }
    match &report.verified {
        Some(verified) if verified.differ > 0 => {
            let differ = units::count(verified.differ);
            partial(format!(
                "{differ} keys are not what was restored: somebody else writes there"
            ))
        }
        _ => Ok(Next::Exit(0)),
    }
}

struct Answered<'a>(&'a RestoreReport);

impl Answer for Answered<'_> {
    fn data(&self) -> Value {
        let Self(report) = self;
        let verified = report.verified.as_ref().map(|verified| {
            json!({
                "read": verified.read,
                "gone": verified.gone,
                "differ": verified.differ,
                "unclear": verified.unclear,
                "different": verified.different.iter().map(facts::key).collect::<Value>(),
            })
        });
        let mut data = json!({
            "matched": report.matched,
            "restored": report.restored,
            "restored_bytes": report.bytes.0,
            "restored_earlier": report.earlier,
            "existed": report.existed,
            "expired": report.expired,
            "failed": report.failed,
            "failures": self.records(),
            "verified": verified,
            "took_s": facts::seconds(report.took),
        });
        crate::cli::unknown::explain(&mut data, "nothing was read back (--verify none)");
        data
    }

    fn records(&self) -> Vec<Value> {
        let failures = self.0.failures.iter();
        failures
            .map(|(key, why)| json!({ "key": facts::key(key), "why": why }))
            .collect()
    }

    fn sheet(&self) -> Sheet {
        let failures = self.0.failures.iter();
        Sheet {
            header: ["key", "why"].map(str::to_owned).to_vec(),
            rows: failures
                .map(|(key, why)| vec![text::escape(key.bytes()), why.clone()])
                .collect(),
        }
    }

    fn text(&self, _: Look) -> String {
        let Self(report) = self;
        let count = units::count;
        let mut lines = vec![format!(
            "{} of {} keys restored, {} in {}",
            count(report.restored),
            count(report.matched),
            Bytes(report.bytes.0),
            units::span(report.took),
        )];
        for (many, what) in [
            (report.earlier, "restored before the break"),
            (report.existed, "were there already and stay as they are"),
            (report.expired, "have expired meanwhile"),
            (report.failed, "could not be stored"),
        ] {
            if many > 0 {
                lines.push(format!("{:>9}  {what}", count(many)));
            }
        }
        for (key, why) in &report.failures {
            lines.push(format!("  {}: {why}", text::escape(key.bytes())));
        }
        if let Some(verified) = &report.verified {
            let how = match (verified.differ, verified.gone) {
                (0, 0) if verified.unclear == 0 => "all as stored".to_owned(),
                (differ, gone) => format!("{} differ, {} are gone", count(differ), count(gone)),
            };
            lines.push(format!("{} read back, {how}", count(verified.read)));
            if verified.unclear > 0 {
                lines.push(format!(
                    "{:>9}  of modules are saved in another way, and may be the same all the same",
                    count(verified.unclear)
                ));
            }
            for key in &verified.different {
                lines.push(format!("  {} differs", text::escape(key.bytes())));
            }
        }
        lines.join("\n") + "\n"
    }
}
