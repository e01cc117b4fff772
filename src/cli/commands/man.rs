//! `man`: manual pages.

use clap::Args;

use crate::cli::line::{self, similar};
use crate::cli::{COMMANDS, Call, Failure, Next, output};

/// Print a manual page
///
/// Example:
///
///     cachedeck man > ~/.local/share/man/man1/cachedeck.1
///     cachedeck man keys > ~/.local/share/man/man1/cachedeck-keys.1
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ManArgs {
    /// Command to print the page of; without one, that of the program
    command: Option<String>,
}

pub fn args(command: clap::Command) -> clap::Command {
    ManArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: ManArgs = call.args();
    let page = match args.command {
        None => line::tree(),
        Some(name) => {
            let command = COMMANDS.iter().find(|command| command.name == name);
            let command = command.ok_or_else(|| no_such_page(&name))?;
            command.parser().name(format!("cachedeck-{name}"))
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page.disable_help_flag(true)).render(&mut text)?;
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(Next::Exit(0))
}

fn no_such_page(name: &str) -> Failure {
    let failure = Failure::usage("there is no command of that name");
    match similar(name, COMMANDS.iter().map(|command| command.name)) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure.hint("`cachedeck --help` lists the commands"),
    }
}
