//! `snapshot create`: has the server write a snapshot, and follows it when asked to.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::commands::snapshot::status::persistence;
use crate::cli::consent::{self, ConsentArgs};
use crate::cli::output::{Answer, Look, Paint};
use crate::cli::{Call, Failure, Kind, Next, Visit, facts, unknown};
use crate::engine::Backend;
use crate::model::{
    Change, Outcome, Persistence, Preflight, SnapshotState, SnapshotWatch, Verdict, units,
};
use crate::text;

/// Have the server write a snapshot
///
/// What speaks for and against it is printed first (is one running, is there
/// memory for the copy, how did the last one go), then the plan, then you are
/// asked; --yes answers beforehand. Ends when the server has accepted; with
/// --wait, when the snapshot is known to be good: no save is running, the last
/// one ended well and its time has moved on. A snapshot that failed exits with 1.
///
/// Example:
///
///     $ cachedeck snapshot create --wait --yes
///     good     last snapshot    ended well
///     good     memory headroom  1.20 GiB free for 300 MiB used
///     snapshot written in 2s
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct CreateArgs {
    /// Follow it to its end
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    consent: ConsentArgs,
}

/// Time between two looks at a snapshot that is being written.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub fn args(command: clap::Command) -> clap::Command {
    CreateArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: CreateArgs = call.args();
    let visit = call.visit()?;
    consent::refuse_read_only("snapshot create", &visit, &Change::Snapshot)?;
    let (before, preflight) = call.ask(&visit, async {
        let sample = visit.server.sample().await?;
        Ok((sample, visit.server.preflight().await?))
    })?;
    let before = persistence("snapshot create", &visit, before)?;
    eprint!("{}", preflight_lines(&preflight));
    let outcome = consent::carry_out(
        call,
        &visit,
        "snapshot create",
        Change::Snapshot,
        args.consent,
    )?;
    let Some(Outcome::Snapshot(accepted)) = outcome else {
        return Ok(Next::Exit(0));
    };
    let state = if args.wait {
        call.wait(follow(&visit, &before))?
    } else {
        accepted
    };
    let envelope = call.envelope("snapshot create", &visit, Vec::new());
    let answer = Created {
        state: &state,
        preflight: &preflight,
    };
    call.output().answer(&envelope, &answer)?;
    match &state {
        SnapshotState::Failed { why } => Err(Failure::new(
            Kind::No,
            format!("snapshot create on {}: {why}", visit.target.name),
        )),
        _ => Ok(Next::Exit(0)),
    }
}

/// Looks again and again until the snapshot is decided.
async fn follow(visit: &Visit, before: &Persistence) -> Result<SnapshotState, Failure> {
    let mut watch = SnapshotWatch::begin(before);
    let is_shown = std::io::stderr().is_terminal();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let sample = visit.server.sample().await.map_err(|fault| {
            Failure::of_server("snapshot create", &visit.target.name, &fault)
                .hint("the snapshot may go on; `snapshot status` tells")
        })?;
        let now = persistence("snapshot create", visit, sample)?;
        let state = watch.state(&now);
        if is_shown {
            eprint!("\r\x1b[K");
        }
        let SnapshotState::Running { progress, elapsed } = state else {
            return Ok(state);
        };
        if is_shown {
            let progress =
                progress.map_or_else(String::new, |share| format!(", {}", units::percent(share)));
            let elapsed =
                elapsed.map_or_else(String::new, |span| format!(", for {}", units::span(span)));
            eprint!("being written{progress}{elapsed}");
        }
    }
}

fn preflight_lines(preflight: &Preflight) -> String {
    let mut lines = String::new();
    for note in &preflight.notes {
        let (verdict, what) = (verdict(note.verdict), &note.what);
        let (verdict, what) = (text::pad(verdict, 8), text::pad(what, 18));
        writeln!(lines, "{verdict}  {what}  {}", note.words).expect("a string takes everything");
    }
    lines
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Unknown => "unknown",
        Verdict::Caution => "caution",
        Verdict::Stop => "stop",
    }
}

struct Created<'a> {
    state: &'a SnapshotState,
    preflight: &'a Preflight,
}

impl Answer for Created<'_> {
    fn data(&self) -> Value {
        let (state, progress, at, took) = match self.state {
            SnapshotState::Idle => ("idle", None, None, None),
            SnapshotState::Running { progress, .. } => ("running", *progress, None, None),
            SnapshotState::Done { at, took } => ("ok", None, Some(*at), *took),
            SnapshotState::Failed { .. } => ("failed", None, None, None),
        };
        let preflight = self.preflight.notes.iter().map(|note| {
            json!({
                "verdict": verdict(note.verdict),
                "what": note.what,
                "words": note.words,
            })
        });
        let mut data = json!({
            "state": state,
            "progress": progress,
            "last_success_at": at.map(units::rfc3339),
            "took_s": took.map(facts::seconds),
            "preflight": preflight.collect::<Value>(),
        });
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn text(&self, look: Look) -> String {
        let words = match self.state {
            SnapshotState::Idle | SnapshotState::Running { .. } => {
                "snapshot accepted; `snapshot status` tells how it goes".to_owned()
            }
            SnapshotState::Done { took, .. } => match took {
                Some(took) => format!("snapshot written in {}", units::span(*took)),
                None => "snapshot written".to_owned(),
            },
            SnapshotState::Failed { .. } => look.paint(Paint::Danger, "snapshot failed"),
        };
        words + "\n"
    }
}
