//! `snapshot rewrite`: has the server write its append-only file anew.

use clap::Args;

use crate::cli::commands::snapshot::begun::{Begun, preflight_lines};
use crate::cli::commands::snapshot::follow::{self, Watch};
use crate::cli::commands::snapshot::status::persistence;
use crate::cli::consent::{self, ConsentArgs};
use crate::cli::{Call, Failure, Next};
use crate::engine::Backend;
use crate::model::{Change, Job, Outcome, RecordKind, RewriteWatch, SnapshotState};

/// Have the server rewrite its append-only file
///
/// The file grows with every write; rewritten, it holds what is there now. Like
/// a snapshot it forks the server, so what speaks for and against it is printed
/// first, then the plan, then you are asked; --yes answers beforehand. Ends when
/// the server has accepted; with --wait, when the rewrite is known to be good.
/// One that failed exits with 1.
///
/// Example:
///
///     $ cachedeck snapshot rewrite --wait --yes
///     good     running saves    none
///     append-only file rewritten in 2s
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct RewriteArgs {
    /// Follow it to its end
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    consent: ConsentArgs,
}

const COMMAND: &str = "snapshot rewrite";

pub fn args(command: clap::Command) -> clap::Command {
    RewriteArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: RewriteArgs = call.args();
    let visit = call.visit()?;
    consent::refuse_read_only(COMMAND, &visit, &Change::RewriteAof)?;
    let (sample, preflight) = call.ask(&visit, async {
        let sample = visit.server.sample().await?;
        Ok((sample, visit.server.preflight(Job::RewriteAof).await?))
    })?;
    let before = persistence(COMMAND, &visit, &sample)?;
    let saves = follow::saves(call);
    eprint!("{}", preflight_lines(&preflight));
    let running = before.aof.as_ref().filter(|aof| aof.is_rewriting);
    let outcome = if running.is_some() {
        Some(Outcome::Attached)
    } else {
        consent::carry_out(call, &visit, COMMAND, Change::RewriteAof, args.consent)?
    };
    let (accepted, is_ours) = match outcome {
        None => return Ok(Next::Exit(0)),
        Some(Outcome::Rewrite(accepted)) => {
            follow::asked(saves.as_ref(), &visit, RecordKind::Rewrite);
            (accepted, true)
        }
        Some(_) => {
            eprintln!("note: the append-only file is being rewritten already");
            let running = SnapshotState::Running {
                progress: before.progress,
                elapsed: running.and_then(|aof| aof.rewriting_for),
                copied: before.copied,
            };
            (running, false)
        }
    };
    let state = if args.wait && !args.consent.dry_run {
        let watch = Watch::Rewrite(Box::new(RewriteWatch::begin(&before)));
        call.wait(follow::follow(&visit, COMMAND, watch, saves.as_ref()))?
    } else {
        accepted
    };
    let answer = Begun {
        noun: "append-only file",
        state: &state,
        is_ours,
        preflight: &preflight,
    };
    answer.print(call, &visit, COMMAND)
}
