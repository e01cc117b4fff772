//! `snapshot verify`: whether a file is whole.

mod items;
mod rdb;

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::snapshot::opening::{self, Form};
use crate::cli::{Call, Failure, Next};

/// Check that a snapshot file is whole, and print what it says of itself
///
/// All of it is read: every element of every value of a file that Redis or
/// Valkey wrote, every item of a dump of Memcached, and the checksums of both. A
/// file that was cut or damaged exits with 1 and says where, and what was read
/// up to there. What is packed with gzip or zstd is unpacked on the way. No
/// server is asked. `-` reads from stdin.
///
/// Example:
///
///     $ cachedeck snapshot verify dump.rdb.zst
///     file       whole: 1,000,000 keys, 203 MiB, packed with zstd
///     from       Redis 7.0.15 (format 10 of Redis)
///     checksum   right
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
    let opened = opening::open("snapshot verify", &args.file)?;
    match opened.form {
        Form::Items => items::run(call, &args.file, opened),
        Form::Rdb => rdb::run(call, &args.file, opened),
    }
}
