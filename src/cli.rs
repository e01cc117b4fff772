//! The command line: one-shot commands, each the twin of something on the screen.
//!
//! `COMMANDS` is the index: one row and one file a command. Help, completions, man pages and the
//! README's table come from it. `line` finds out what is meant, `call` finds the server, `output`
//! prints the answer in the form that was asked for, and `exit` says how it ended.

mod call;
mod commands;
mod consent;
mod exit;
mod facts;
mod globals;
mod line;
mod output;
mod overview;
mod pace;
mod progress;
mod prometheus;
mod report;
mod unknown;

use std::ffi::OsString;
use std::fmt::Write;

use crate::cli::commands::snapshot::{
    create, diff, fetch, inspect, list, restore, rewrite, status, verify,
};
use crate::cli::commands::{
    analyze, completions, delete, demo, hot, info, keys, man, open, profiles, replication, schema,
    show, tree, ttl, watch,
};
use crate::cli::line::Reading;

pub use call::{Call, Visit};
pub use commands::demo::DemoCall;
pub use commands::info::print_overviews;
pub use commands::open::Session;
pub use exit::{Failure, Kind};
pub use globals::{Format, Globals};

/// What is to happen after the command line was read.
#[derive(Debug)]
pub enum Next {
    /// All is done.
    Exit(u8),
    /// Open the dashboard.
    Open(Box<Session>),
    /// Start servers of our own and open the dashboard on them.
    Demo(Box<DemoCall>),
}

/// A row of the index.
#[derive(Debug)]
pub struct Command {
    pub name: &'static str,
    /// Adds the arguments and the help, which are the doc comments of the arguments' type.
    args: fn(clap::Command) -> clap::Command,
    /// The forms of output it has besides the table.
    formats: &'static [Format],
    run: fn(&mut Call) -> Result<Next, Failure>,
}

const NONE: &[Format] = &[];
const DATA: &[Format] = &[Format::Json, Format::Ndjson, Format::Csv, Format::Yaml];
const DATA_AND_PROM: &[Format] = &[
    Format::Json,
    Format::Ndjson,
    Format::Csv,
    Format::Yaml,
    Format::Prom,
];

/// Every command. The first one is what happens when none is named.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    Command { name: "open",        args: open::args,        formats: NONE,          run: open::run },
    Command { name: "demo",        args: demo::args,        formats: NONE,          run: demo::run },
    Command { name: "info",        args: info::args,        formats: DATA_AND_PROM, run: info::run },
    Command { name: "watch",       args: watch::args,       formats: DATA_AND_PROM, run: watch::run },
    Command { name: "keys",        args: keys::args,        formats: DATA,          run: keys::run },
    Command { name: "tree",        args: tree::args,        formats: DATA,          run: tree::run },
    Command { name: "analyze",     args: analyze::args,     formats: DATA,          run: analyze::run },
    Command { name: "hot",         args: hot::args,         formats: DATA,          run: hot::run },
    Command { name: "show",        args: show::args,        formats: DATA,          run: show::run },
    Command { name: "ttl",         args: ttl::args,         formats: DATA,          run: ttl::run },
    Command { name: "delete",      args: delete::args,      formats: DATA,          run: delete::run },
    Command { name: "snapshot create", args: create::args,  formats: DATA,          run: create::run },
    Command { name: "snapshot fetch",  args: fetch::args,   formats: DATA,          run: fetch::run },
    Command { name: "snapshot verify", args: verify::args,  formats: DATA,          run: verify::run },
    Command { name: "snapshot inspect", args: inspect::args, formats: DATA,         run: inspect::run },
    Command { name: "snapshot diff",   args: diff::args,    formats: DATA,          run: diff::run },
    Command { name: "snapshot restore", args: restore::args, formats: DATA,         run: restore::run },
    Command { name: "snapshot list",   args: list::args,    formats: DATA,          run: list::run },
    Command { name: "snapshot rewrite", args: rewrite::args, formats: DATA,         run: rewrite::run },
    Command { name: "snapshot status", args: status::args,  formats: DATA,          run: status::run },
    Command { name: "replication", args: replication::args, formats: DATA,          run: replication::run },
    Command { name: "profiles",    args: profiles::args,    formats: DATA,          run: profiles::run },
    Command { name: "schema",      args: schema::args,      formats: NONE,          run: schema::run },
    Command { name: "completions", args: completions::args, formats: NONE,          run: completions::run },
    Command { name: "man",         args: man::args,         formats: NONE,          run: man::run },
];

/// Does what the command line (the program's name included) asks, up to where the screen begins.
///
/// # Errors
/// With what to print and how to exit.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Result<Next, Failure> {
    let line = match line::read(words.into_iter().skip(1))? {
        Reading::Line(line) => *line,
        Reading::Print(text) => {
            output::print(&text)?;
            return Ok(Next::Exit(0));
        }
    };
    let command = line.command;
    if let Some(format) = line.globals.output {
        command.accepts(format)?;
    }
    (command.run)(&mut Call::new(line))
}

/// The README's table of commands, in Markdown.
pub fn readme_commands() -> String {
    let mut table = "| command | what it does |\n|---|---|\n".to_owned();
    for command in COMMANDS {
        let parser = command.parser();
        let about = parser.get_about().map(ToString::to_string);
        writeln!(
            table,
            "| `{}` | {} |",
            command.usage().replace('|', "\\|"),
            about.unwrap_or_default()
        )
        .expect("a string takes everything");
    }
    table
}

impl Command {
    /// clap's parser for this command alone.
    fn parser(&self) -> clap::Command {
        let base = clap::Command::new("cachedeck")
            .version(env!("CARGO_PKG_VERSION"))
            .disable_help_flag(true)
            .max_term_width(80)
            .override_usage(self.usage());
        (self.args)(<Globals as clap::Args>::augment_args(base))
    }

    /// `cachedeck [TARGET] ttl <KEY>… [OPTIONS]`
    fn usage(&self) -> String {
        let parser = (self.args)(clap::Command::new(self.name));
        let mut words = vec!["cachedeck [TARGET]".to_owned(), self.name.to_owned()];
        for arg in parser.get_positionals() {
            let name = arg.get_id().as_str().to_uppercase();
            let is_many = matches!(arg.get_action(), clap::ArgAction::Append);
            let name = if is_many { format!("{name}…") } else { name };
            words.push(if arg.is_required_set() {
                name
            } else {
                format!("[{name}]")
            });
        }
        words.join(" ")
    }

    fn accepts(&self, format: Format) -> Result<(), Failure> {
        if self.formats.contains(&format) || (format == Format::Table && !self.formats.is_empty()) {
            return Ok(());
        }
        let failure = Failure::usage(format!("{} has no output as {}", self.name, format.word()));
        if self.formats.is_empty() {
            return Err(failure);
        }
        let offered: Vec<&str> = self.formats.iter().map(|one| one.word()).collect();
        Err(failure.hint(format!("-o takes table, {}", offered.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_table_has_a_row_per_command() {
        let table = readme_commands();
        assert_eq!(table.lines().count(), COMMANDS.len() + 2);
        assert!(
            table.contains("| `cachedeck [TARGET] delete KEY…` | Delete keys |"),
            "{table}"
        );
        assert!(
            table.contains("| `cachedeck [TARGET] keys [PATTERN]` | "),
            "{table}"
        );
    }

    #[test]
    fn a_file_is_reported_in_the_form_of_a_server() {
        let of = |name: &str| schema::SCHEMAS.iter().find(|(one, _)| *one == name);
        let (_, analyze) = of("analyze").expect("it has a schema");
        let (_, inspect) = of("snapshot inspect").expect("it has a schema");
        let renamed = analyze
            .replace("v1/analyze", "v1/snapshot-inspect")
            .replace(
                "What a keyspace consists",
                "What the keys of a snapshot file consist",
            );
        assert_eq!(renamed, *inspect);
    }

    #[test]
    fn every_command_with_data_has_a_schema() {
        let with_data: Vec<&str> = COMMANDS
            .iter()
            .filter(|command| !command.formats.is_empty())
            .map(|command| command.name)
            .collect();
        let with_schema: Vec<&str> = schema::SCHEMAS.iter().map(|(name, _)| *name).collect();
        assert_eq!(with_data, with_schema);
    }
}
