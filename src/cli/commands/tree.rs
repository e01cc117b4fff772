//! `tree`: the keyspace by prefix.

use std::num::NonZeroU32;

use clap::Args;

use crate::analysis::report::Via;
use crate::cli::commands::analyze::{PrefixArgs, cost_words, some_targets, survey};
use crate::cli::pace::PaceArgs;
use crate::cli::report::{Order, Shown, Tree};
use crate::cli::{Call, Failure, Format, Next};
use crate::engine::SurveyAsk;
use crate::model::{WalkAsk, Wants};

/// Show the keyspace by prefix: keys, share, bytes, keys without TTL
///
/// Every key below PREFIX is counted. Parts of names that are ids count as one
/// (`user:*:profile`); --keep-ids shows each. Bytes and TTLs are asked of all
/// keys; --names asks for names alone, which costs the server a third. The walk
/// goes on a budget of 5 % of a core; --full-speed lifts it.
///
/// Example:
///
///     $ cachedeck prod tree user: --full-speed --depth 3
///     PREFIX             KEYS   SHARE      BYTES  NO TTL  TTL P50
///     user:           290,184   100 %  130.2 MiB  51.2 %      15d  ████████████
///       user:*:       290,184   100 %  130.2 MiB  51.2 %      15d  ████████████
///         …
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct TreeArgs {
    /// What names begin with, as it is (no glob)
    prefix: Option<String>,

    /// What comes first among brothers and sisters
    #[arg(long, value_name = "BY", value_enum, default_value = "keys")]
    sort: Order,

    /// Print at most so many rows
    #[arg(long, value_name = "N", default_value = "1000")]
    limit: usize,

    /// Count names alone: no bytes, no TTLs
    #[arg(long)]
    names: bool,

    #[command(flatten)]
    prefixes: PrefixArgs,

    #[command(flatten)]
    pace: PaceArgs,

    /// Walk a replica instead of its primary, where one answers
    #[arg(long)]
    replica: bool,
}

pub fn args(command: clap::Command) -> clap::Command {
    TreeArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: TreeArgs = call.args();
    let targets = some_targets(call)?;
    let wants = if args.names {
        Wants::NAMES
    } else {
        Wants {
            kind: false,
            ..Wants::BASICS
        }
    };
    let ask = SurveyAsk {
        walk: WalkAsk {
            from: None,
            pattern: args.prefix.as_deref().map(glob),
            wants,
            one_key_in: None::<NonZeroU32>,
            pace: args.pace.gentle(),
        },
        via: Via::Scan,
        analysis: args.prefixes.analysis(&targets[0], 0),
        prefers_replica: args.replica,
    };
    let (done, failure) = survey(call, "tree", &targets, ask, None, None)?;
    let tree = Tree {
        shown: Shown {
            target: &done.name,
            report: &done.report,
            wants,
            parts: &done.parts,
            stopped: done.stopped.as_deref(),
            depth: args.prefixes.depth,
            top: 0,
            table: None,
            growth: None,
        },
        order: args.sort,
        limit: args.limit,
    };
    if call.format() == Format::Table {
        eprintln!("note: {}", cost_words(&done.report));
    }
    done.print(call, "tree", &tree, failure)
}

/// The glob of names that begin so.
fn glob(prefix: &str) -> Vec<u8> {
    let mut glob = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix.bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^') {
            glob.push(b'\\');
        }
        glob.push(byte);
    }
    glob.push(b'*');
    glob
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_prefix_means_itself() {
        assert_eq!(glob("user:"), b"user:*");
        assert_eq!(glob("a*[b]\\"), br"a\*\[b\]\\*");
    }
}
