//! `completions`: what a shell needs to know to complete our command lines.

use clap::Args;
use clap_complete::Shell;

use crate::cli::{Call, Failure, Next, line, output};

/// Print completions for a shell
///
/// Example:
///
///     cachedeck completions bash > ~/.local/share/bash-completion/completions/cachedeck
///     cachedeck completions fish > ~/.config/fish/completions/cachedeck.fish
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct CompletionsArgs {
    /// Shell to print them for
    #[arg(value_enum)]
    shell: Shell,
}

pub fn args(command: clap::Command) -> clap::Command {
    CompletionsArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: CompletionsArgs = call.args();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut line::tree(), "cachedeck", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Next::Exit(0))
}
