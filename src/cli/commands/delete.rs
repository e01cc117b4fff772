//! `delete`: removes the keys that were named.

use clap::Args;

use crate::cli::consent::{self, ConsentArgs, KeysAnswer};
use crate::cli::{Call, Failure, Next};
use crate::model::{Change, Outcome};

/// Delete keys
///
/// KEY is given as `keys` prints it: `\x00` for a byte that is no text, `\\` for
/// a backslash. It is no pattern. The plan is shown and asked about first; --yes
/// answers beforehand. Exits with 1 when there was no such key and with 6 when
/// only some could be deleted.
///
/// Example:
///
///     $ cachedeck delete session:17 session:18 --yes
///     OUTCOME      KEY
///     done         session:17
///     no such key  session:18
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct DeleteArgs {
    /// Keys to delete
    #[arg(required = true, value_name = "KEY")]
    key: Vec<String>,

    /// Take KEY as it is, without escapes: as `key` of JSON has it
    #[arg(long)]
    literal: bool,

    #[command(flatten)]
    consent: ConsentArgs,
}

pub fn args(command: clap::Command) -> clap::Command {
    DeleteArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: DeleteArgs = call.args();
    let keys = consent::keys(&args.key, args.literal)?;
    let visit = call.visit()?;
    let change = Change::Delete { keys };
    let outcome = consent::carry_out(call, &visit, "delete", change, args.consent)?;
    if let Some(Outcome::Keys(keys)) = outcome {
        let answer = KeysAnswer {
            change: "delete",
            keys: &keys,
        };
        let envelope = call.envelope("delete", &visit, Vec::new());
        call.output().answer(&envelope, &answer)?;
        answer.verdict("delete", &visit.target.name)?;
    }
    Ok(Next::Exit(0))
}
