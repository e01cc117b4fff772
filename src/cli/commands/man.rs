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
    command: Vec<String>,
}

pub fn args(command: clap::Command) -> clap::Command {
    ManArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: ManArgs = call.args();
    let name = args.command.join(" ");
    let page = if name.is_empty() {
        line::tree()
    } else {
        let command = COMMANDS.iter().find(|command| command.name == name);
        let command = command.ok_or_else(|| no_such_page(&name))?;
        let title = format!("cachedeck-{}", name.replace(' ', "-"));
        command.parser().name(title)
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page.disable_help_flag(true)).render(&mut text)?;
    output::print(&as_they_are(&String::from_utf8_lossy(&text)))?;
    Ok(Next::Exit(0))
}

/// Examples are indented, and a page that fills its lines would run them together.
fn as_they_are(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut is_inside = false;
    for line in page.lines() {
        if line.starts_with("    ") != is_inside {
            is_inside = !is_inside;
            text.push_str(if is_inside { ".nf\n" } else { ".fi\n" });
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn no_such_page(name: &str) -> Failure {
    let failure = Failure::usage("there is no command of that name");
    match similar(name, COMMANDS.iter().map(|command| command.name)) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure.hint("`cachedeck --help` lists the commands"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines() {
        assert_eq!(
            as_they_are("Text\n.PP\n    $ one\n    two\n.PP\nmore\n"),
            "Text\n.PP\n.nf\n    $ one\n    two\n.fi\n.PP\nmore\n"
        );
    }
}
