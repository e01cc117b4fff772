//! `snapshot create`: has the server write a snapshot, and follows it when asked to.

use clap::Args;

use crate::cli::commands::snapshot::begun::{Begun, preflight_lines};
use crate::cli::commands::snapshot::follow::{self, Watch};
use crate::cli::commands::snapshot::status::persistence;
use crate::cli::consent::{self, ConsentArgs};
use crate::cli::{Call, Failure, Next};
use crate::engine::Backend;
use crate::model::{Change, Job, Outcome, RecordKind, SnapshotState, SnapshotWatch};

/// Have the server write a snapshot
///
/// What speaks for and against it is printed first (is one running, is there
/// memory for the copy, how did the last one go), then the plan, then you are
/// asked; --yes answers beforehand. Ends when the server has accepted; with
/// --wait, when the snapshot is known to be good: no save is running, the last
/// one ended well and its time has moved on. A snapshot that failed exits with 1.
///
/// Where somebody else's snapshot is being written already nothing is sent:
/// that one is reported, and with --wait followed.
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

const COMMAND: &str = "snapshot create";

pub fn args(command: clap::Command) -> clap::Command {
    CreateArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: CreateArgs = call.args();
    let visit = call.visit()?;
    consent::refuse_read_only(COMMAND, &visit, &Change::Snapshot)?;
    let (sample, preflight) = call.ask(&visit, async {
        let sample = visit.server.sample().await?;
        Ok((sample, visit.server.preflight(Job::Snapshot).await?))
    })?;
    let before = persistence(COMMAND, &visit, &sample)?;
    let saves = follow::saves(call);
    follow::observe(saves.as_ref(), &visit, &sample);
    eprint!("{}", preflight_lines(&preflight));
    let outcome = if before.is_saving {
        Some(Outcome::Attached)
    } else {
        consent::carry_out(call, &visit, COMMAND, Change::Snapshot, args.consent)?
    };
    let (accepted, watch, is_ours) = match outcome {
        None => return Ok(Next::Exit(0)),
        Some(Outcome::Snapshot(accepted)) => {
            follow::asked(saves.as_ref(), &visit, RecordKind::Snapshot);
            (accepted, SnapshotWatch::begin(&before), true)
        }
        Some(_) => {
            eprintln!("note: a snapshot is being written already, begun by somebody else");
            let running = SnapshotState::Running {
                progress: before.progress,
                elapsed: before.saving_for,
                copied: before.copied,
            };
            (running, SnapshotWatch::attach(&before), false)
        }
    };
    let state = if args.wait && !args.consent.dry_run {
        let watch = Watch::Snapshot(watch);
        call.wait(follow::follow(&visit, COMMAND, watch, saves.as_ref()))?
    } else {
        accepted
    };
    let answer = Begun {
        noun: "snapshot",
        state: &state,
        is_ours,
        preflight: &preflight,
    };
    answer.print(call, &visit, COMMAND)
}
