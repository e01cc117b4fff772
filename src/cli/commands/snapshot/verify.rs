//! `snapshot verify`: whether a file is whole.

mod items;

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Call, Failure, Next};

/// Check that a snapshot file is whole, and print what it says of itself
///
/// All of it is read: every block's checksum, every item, and the counts at its
/// end. A file that was cut or damaged exits with 1 and says where. No server is
/// asked. `-` reads from stdin.
///
/// Example:
///
///     $ cachedeck snapshot verify monday.items
///     file     whole: 1,000,000 items, 162 MiB in 163 blocks
///     from     10.0.0.5:11211, Memcached 1.6.18
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct VerifyArgs {
    /// File to check; `-` is stdin
    file: PathBuf,
}

pub fn args(command: clap::Command) -> clap::Command {
    VerifyArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: VerifyArgs = call.args();
    items::run(call, &args.file)
}
