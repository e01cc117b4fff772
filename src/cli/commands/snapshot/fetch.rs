//! `snapshot fetch`: a copy of a server as a file.

mod filing;
mod items;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::pace::PaceArgs;
use crate::cli::{Call, Failure, Next};
use crate::snapshot::items::Packing;
use crate::snapshot::keeping::IfThere;

/// Copy a server's data into a file
///
/// Memcached has no snapshots, so its items are taken one by one: keys, values,
/// client flags, CAS and when they expire. That is not one moment of the cache:
/// each item is as it was when it was asked for, and the report says how many
/// were changed or gone in between. Items are looked at without moving them in
/// the server's queues (from 1.6.10 on); the lookups count as gets, and are taken
/// out of the hit ratio that cachedeck shows. The server is asked on a budget of
/// 5 % of a core; --full-speed lifts it.
///
/// The file has its name only when it is whole, and is readable by you alone. It
/// can be inspected, compared and restored. `-` writes to stdout.
///
/// Example:
///
///     $ cachedeck memcached://10.0.0.5 snapshot fetch monday.items --full-speed
///     1,000,000 items, 162 MiB in 3s → monday.items (190 MiB)
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct FetchArgs {
    /// Where to write it; `-` is stdout
    file: PathBuf,

    /// How to store it
    #[arg(long, value_name = "WAY", value_enum, default_value = "none")]
    compress: Compress,

    /// Replace the file if there is one
    #[arg(long)]
    force: bool,

    /// Only keys that match this glob
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,

    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compress {
    None,
    Zstd,
}

pub fn args(command: clap::Command) -> clap::Command {
    FetchArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: FetchArgs = call.args();
    let visit = call.visit()?;
    let wish = items::Wish {
        file: args.file,
        packing: match args.compress {
            Compress::None => Packing::None,
            Compress::Zstd => Packing::Zstd,
        },
        if_there: if args.force {
            IfThere::Replace
        } else {
            IfThere::Refuse
        },
        pattern: args.pattern.map(String::into_bytes),
        pace: args.pace.gentle(),
    };
    items::run(call, &visit, &wish)
}
