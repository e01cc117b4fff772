//! `demo`: the dashboard on servers of its own. This command only reads the wishes.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::open::{self, OpenArgs, Session};
use crate::cli::{Call, Failure, Next};

/// Start private servers with sample data and open the dashboard on them
///
/// Uses valkey-server or redis-server and memcached, as found on PATH, in a
/// temporary directory with gentle traffic. When the dashboard is left, the
/// servers end and nothing stays behind. Where there is no terminal, prints the
/// overview of each server once instead. Without any server, or with --offline,
/// a bundled snapshot of the same data is opened.
///
/// Example:
///
///     cachedeck demo
///     cachedeck demo --server-bin /opt/valkey/bin/valkey-server
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct DemoArgs {
    /// Server program to start, instead of those on PATH
    #[arg(long, value_name = "FILE")]
    pub server_bin: Option<PathBuf>,

    /// Start no server: open the bundled snapshot
    #[arg(long, conflicts_with = "server_bin")]
    pub offline: bool,

    #[command(flatten)]
    pub open: OpenArgs,
}

/// A wish for a demo.
#[derive(Debug)]
pub struct DemoCall {
    /// The program to start, instead of those on PATH.
    pub server_bin: Option<PathBuf>,
    pub is_offline: bool,
    /// Without a terminal the overviews are printed instead.
    pub has_screen: bool,
    /// A session without targets: the demo's servers become its targets.
    pub session: Session,
}

pub fn args(command: clap::Command) -> clap::Command {
    DemoArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: DemoArgs = call.args();
    Ok(Next::Demo(Box::new(DemoCall {
        server_bin: args.server_bin,
        is_offline: args.offline,
        has_screen: open::needs_screen().is_ok(),
        session: open::session(call, Vec::new())?,
    })))
}
