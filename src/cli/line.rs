//! The command line: `cachedeck [TARGET] [COMMAND] …`.
//!
//! The first word that is no flag names a target unless it names a command, and flags may stand
//! anywhere. clap has no such rule, so the words are sorted here first; then clap reads the flags
//! and arguments of the one command that was found. Building a parser for that one only also keeps
//! the start fast.

use std::ffi::{OsStr, OsString};

use clap::{ArgMatches, Args, FromArgMatches};

use crate::cli::globals::SHORT_HELP;
use crate::cli::{COMMANDS, Command, Failure, Globals, Kind};
use crate::text;

/// A command line that was understood.
#[derive(Debug)]
pub struct Line {
    pub command: &'static Command,
    pub globals: Globals,
    /// What stood where a target stands.
    pub target: Option<String>,
    pub matches: ArgMatches,
}

/// What a command line says before its arguments are looked at.
#[derive(Debug)]
struct Sorted {
    command: Option<&'static Command>,
    target: Option<String>,
    rest: Vec<OsString>,
}

/// A line that is answered right away, or one to carry out.
#[derive(Debug)]
pub enum Reading {
    Line(Box<Line>),
    /// Help or the version, for stdout.
    Print(String),
}

/// Reads the words after the program's name.
///
/// # Errors
/// When they make no sense; the failure says why and what would.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Reading, Failure> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if words.first().is_some_and(|first| first == "help") {
        // `help keys` is how many programs spell `keys --help`.
        words.rotate_left(1);
        words.pop();
        words.push("--help".into());
    }
    let sorted = sort(words)?;
    let is_bare = sorted.command.is_none();
    let command = sorted.command.unwrap_or_else(|| &COMMANDS[0]);
    let asks_help = |words: &[OsString]| {
        words
            .iter()
            .take_while(|word| *word != "--")
            .any(|word| word == "--help" || *word == *format!("--{SHORT_HELP}"))
    };
    let parser = if is_bare && asks_help(&sorted.rest) {
        tree()
    } else {
        command.parser()
    };
    let name = OsString::from("cachedeck");
    let matches = match parser.try_get_matches_from(std::iter::once(name).chain(sorted.rest)) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Reading::Print(styled(&error))),
        Err(error) => return Err(misuse(&error, command)),
    };
    let globals = Globals::from_arg_matches(&matches)
        .map_err(|error| Failure::usage(text::redact(&error.to_string())))?;
    Ok(Reading::Line(Box::new(Line {
        command,
        globals,
        target: sorted.target,
        matches,
    })))
}

/// Everything in one tree: for the general help, completions and man pages.
pub fn tree() -> clap::Command {
    let root = COMMANDS[0]
        .parser()
        .bin_name("cachedeck")
        .override_usage("cachedeck [TARGET] [COMMAND] [OPTIONS]")
        .about("Dashboard and commands for Redis, Valkey and Memcached")
        .long_about(GENERAL_HELP)
        .arg(
            clap::Arg::new("target")
                .value_name("TARGET")
                .help("Profile or URL (redis://, rediss://, redis+unix://, memcached://, …)"),
        );
    let branch = |command: &Command| {
        let word = command.name.rsplit(' ').next().unwrap_or(command.name);
        (command.args)(clap::Command::new(word.to_owned()))
            .disable_help_flag(true)
            .override_usage(command.usage())
    };
    let mut root = root.disable_help_subcommand(true);
    for command in COMMANDS {
        root = match command.name.split_once(' ') {
            None => root.subcommand(branch(command)),
            Some((group, _)) if root.find_subcommand(group).is_some() => {
                root.mut_subcommand(group, |twig| twig.subcommand(branch(command)))
            }
            Some((group, _)) => {
                let members: Vec<&str> = members(group).collect();
                let twig = clap::Command::new(group.to_owned())
                    .about(format!("About {group}s: {}", members.join(", ")))
                    .disable_help_flag(true)
                    .disable_help_subcommand(true);
                root.subcommand(twig.subcommand(branch(command)))
            }
        };
    }
    root
}

const GENERAL_HELP: &str = "\
Dashboard and commands for Redis, Valkey and Memcached

Without a command it opens the dashboard. TARGET is a profile of the
configuration file or a URL; without one it is the configured default, else
CACHEDECK_TARGET, else whatever answers on 127.0.0.1:6379 or 127.0.0.1:11211.

    cachedeck                                  the dashboard on the local server
    cachedeck redis://10.0.0.7:6379 info       one reading of the overview
    cachedeck prod keys 'session:*' -o ndjson  keys as records, one a line
    cachedeck -h 10.0.0.7 -p 6380 info         flags as redis-cli has them

Exit codes: 0 done, 1 the answer is no, 2 usage or configuration,
3 no connection, 4 not permitted, 5 refused by the guard, 6 partial,
130 interrupted.";

/// Finds command and target among the words, and tells `-h HOST` from `-h`.
fn sort(words: Vec<OsString>) -> Result<Sorted, Failure> {
    let mut sorted = Sorted {
        command: None,
        target: None,
        rest: Vec::with_capacity(words.len()),
    };
    let flags = Flags::new();
    let mut group: Option<String> = None;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            sorted.rest.push(word);
            sorted.rest.extend(words.by_ref());
        } else if text == "-h" {
            let next_is_host = words.peek().is_some_and(|next| !is_flag(next));
            if next_is_host {
                sorted.rest.push("--host".into());
                sorted.rest.extend(words.next());
            } else {
                sorted.rest.push(format!("--{SHORT_HELP}").into());
            }
        } else if is_flag(&word) {
            refuse_password_flag(&text)?;
            let wants_value = sorted.command.is_none() && flags.wants_next_word(&text);
            sorted.rest.push(word);
            if wants_value {
                sorted.rest.extend(words.next());
            }
        } else if sorted.command.is_some() {
            sorted.rest.push(word);
        } else if let Some(group) = &group {
            let name = format!("{group} {text}");
            sorted.command = Some(named(&name).ok_or_else(|| no_such_command(&name))?);
        } else if let Some(command) = named(&text) {
            sorted.command = Some(command);
        } else if members(&text).next().is_some() {
            group = Some(text.into_owned());
        } else if sorted.target.is_none() {
            sorted.target = Some(text.into_owned());
        } else {
            return Err(no_such_command(&text));
        }
    }
    if let (Some(group), None) = (group, sorted.command) {
        return Err(unfinished(&group));
    }
    Ok(sorted)
}

/// The command of this name, which may be two words.
fn named(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The second words of the commands that begin with `group`.
fn members(group: &str) -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter_map(move |command| {
        let (first, second) = command.name.split_once(' ')?;
        (first == group).then_some(second)
    })
}

fn unfinished(group: &str) -> Failure {
    let members: Vec<&str> = members(group).collect();
    Failure::usage(format!(
        "`{group}` needs to know what to do: {}",
        members.join(" or ")
    ))
    .hint(format!(
        "`cachedeck {group} {} --help` explains it",
        members[0]
    ))
}

/// `-` alone is a word (it stands for stdin), so is a negative number nowhere.
fn is_flag(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 1 && bytes[0] == b'-'
}

/// Which flags take the next word as their value, before a command is known.
struct Flags(clap::Command);

impl Flags {
    fn new() -> Self {
        Self((COMMANDS[0].args)(Globals::augment_args(
            clap::Command::new("cachedeck").disable_help_flag(true),
        )))
    }

    fn wants_next_word(&self, word: &str) -> bool {
        let takes_value = |arg: &clap::Arg| arg.get_action().takes_values();
        if let Some(long) = word.strip_prefix("--") {
            let mut args = self.0.get_arguments();
            return !long.contains('=')
                && args.any(|arg| arg.get_long() == Some(long) && takes_value(arg));
        }
        // `-p6379` brings its value along; of `-xp` only the last letter can want a word.
        let mut letters = word.chars().skip(1);
        let first_with_value = letters.position(|letter| {
            let mut args = self.0.get_arguments();
            args.any(|arg| arg.get_short() == Some(letter) && takes_value(arg))
        });
        first_with_value.is_some() && letters.next().is_none()
    }
}

fn refuse_password_flag(word: &str) -> Result<(), Failure> {
    let is_password = word == "-a"
        || ["--pass", "--password"]
            .iter()
            .any(|flag| word == *flag || word.starts_with(&format!("{flag}=")));
    if is_password {
        let name = word.split('=').next().unwrap_or(word);
        return Err(Failure::usage(format!(
            "there is no {name}: a password on the command line is in the process list"
        ))
        .hint("use --askpass, --password-file FILE, --password-env VARIABLE or REDISCLI_AUTH"));
    }
    Ok(())
}

fn no_such_command(word: &str) -> Failure {
    let failure = Failure::usage(format!(
        "`{}` is no command",
        text::escape(text::redact(word).as_bytes())
    ));
    match similar(word, COMMANDS.iter().map(|command| command.name)) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure.hint("`cachedeck --help` lists the commands"),
    }
}

/// The candidate that `word` is most likely a slip of.
pub fn similar<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (slips(word, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= 1 + candidate.len() / 4)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop, replace or swap to get from one word to the other.
fn slips(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// clap's words as a failure of ours. They repeat the user's own words, so a URL in them may hold a
/// password.
fn misuse(error: &clap::Error, command: &Command) -> Failure {
    let words = error.render().to_string();
    let words = words.strip_prefix("error: ").unwrap_or(&words);
    let mut paragraphs = words.split("\n\n");
    let what = paragraphs.next().unwrap_or_default().trim();
    let mut failure = Failure::new(Kind::Usage, text::redact(what));
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.trim().strip_prefix("tip: ") {
            failure = failure.hint(text::redact(tip.trim()));
        }
    }
    if what.contains("://") {
        failure = failure.hint(format!(
            "a target stands before the command: cachedeck TARGET {}",
            command.name
        ));
    }
    failure.hint(format!("`cachedeck {} --help` explains it", command.name))
}

/// Help as clap paints it, with its colours only where they are wanted.
fn styled(help: &clap::Error) -> String {
    let rendered = help.render();
    if crate::cli::output::wants_colour(false) {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `command | target | the globals that are set`, or the error.
    fn meaning(line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        match read(words) {
            Ok(Reading::Line(line)) => {
                let target = line.target.as_deref().unwrap_or("-");
                format!(
                    "{} | {target} | {}",
                    line.command.name,
                    told(&line.globals).join(" ")
                )
            }
            Ok(Reading::Print(text)) => {
                format!("prints: {}", text.lines().next().unwrap_or_default())
            }
            Err(failure) => failure.to_string().replace('\n', " / "),
        }
    }

    fn told(globals: &Globals) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |name: &str, value: Option<String>| {
            told.extend(value.map(|value| format!("{name}={value}")));
        };
        tell(
            "targets",
            (!globals.targets.is_empty()).then(|| globals.targets.join(",")),
        );
        tell("host", globals.host.clone());
        tell("port", globals.port.map(|port| port.to_string()));
        tell(
            "socket",
            globals
                .socket
                .as_ref()
                .map(|path| path.display().to_string()),
        );
        tell("db", globals.database.map(|db| db.to_string()));
        tell("uri", globals.uri.clone());
        tell("user", globals.user.clone());
        tell("timeout", globals.timeout.clone());
        tell(
            "output",
            globals.output.map(|format| format.word().to_owned()),
        );
        tell("read_only", globals.read_only.then(|| "yes".to_owned()));
        told
    }

    #[test]
    fn a_command_line_means() {
        #[rustfmt::skip]
        let table = [
            ("",                                      "open | - | "),
            ("local",                                 "open | local | "),
            ("redis://h:1/2",                         "open | redis://h:1/2 | "),
            ("info",                                  "info | - | "),
            ("local info",                            "info | local | "),
            ("-t info",                               "open | - | targets=info"),
            ("-t info info",                          "info | - | targets=info"),
            ("--target=keys keys",                    "keys | - | targets=keys"),
            ("-t a -t b",                             "open | - | targets=a,b"),
            ("-h 10.0.0.7 -p 6380 info",              "info | - | host=10.0.0.7 port=6380"),
            ("info -h 10.0.0.7 -p 6380",              "info | - | host=10.0.0.7 port=6380"),
            ("-p6380 -n3 info",                       "info | - | port=6380 db=3"),
            ("-s /run/r.sock keys",                   "keys | - | socket=/run/r.sock"),
            ("-u redis://h info",                     "info | - | uri=redis://h"),
            ("--user ops --timeout 2s local info",    "info | local | user=ops timeout=2s"),
            ("local --timeout=2s info --user ops",    "info | local | user=ops timeout=2s"),
            ("-o json local info",                    "info | local | output=json"),
            ("local info -o json",                    "info | local | output=json"),
            ("--read-only local delete k",            "delete | local | read_only=yes"),
            ("show -- -key",                          "show | - | "),
            ("keys info",                             "keys | - | "),
            ("local snapshot create --wait",          "snapshot create | local | "),
            ("snapshot -o json status",               "snapshot status | - | output=json"),
            ("--interval 2s local",                   "open | local | "),
        ];
        for (line, meant) in table {
            assert_eq!(meaning(line), meant, "cachedeck {line}");
        }
    }

    #[test]
    fn dash_h_alone_is_help() {
        #[rustfmt::skip]
        let table = [
            ("-h",              "prints: Dashboard and commands for Redis, Valkey and Memcached"),
            ("--help",          "prints: Dashboard and commands for Redis, Valkey and Memcached"),
            ("help",            "prints: Dashboard and commands for Redis, Valkey and Memcached"),
            ("info -h",         "prints: Print the overview of a server"),
            ("show -h",         "prints: Print a key's card and its value"),
            ("help show",       "prints: Print a key's card and its value"),
            ("local info --help", "prints: Print the overview of a server"),
            ("--version",       concat!("prints: cachedeck ", env!("CARGO_PKG_VERSION"))),
        ];
        for (line, meant) in table {
            assert_eq!(meaning(line), meant, "cachedeck {line}");
        }
    }

    #[test]
    fn misuse_is_explained() {
        #[rustfmt::skip]
        let table = [
            ("local inof",             "error: `inof` is no command / hint: did you mean `info`?"),
            ("local frobnicate",       "error: `frobnicate` is no command / hint: `cachedeck --help` lists the commands"),
            ("local snapshot",         "error: `snapshot` needs to know what to do: create or fetch or verify or inspect or diff or restore or list or rewrite or status / hint: `cachedeck snapshot create --help` explains it"),
            ("snapshot statsu",        "error: `snapshot statsu` is no command / hint: did you mean `snapshot status`?"),
            ("-a secret info",         "error: there is no -a: a password on the command line is in the process list / hint: use --askpass, --password-file FILE, --password-env VARIABLE or REDISCLI_AUTH"),
            ("info --password=secret", "error: there is no --password: a password on the command line is in the process list / hint: use --askpass, --password-file FILE, --password-env VARIABLE or REDISCLI_AUTH"),
            ("info redis://u:pw@h",    "error: unexpected argument 'redis://u:***@h' found / hint: a target stands before the command: cachedeck TARGET info / hint: `cachedeck info --help` explains it"),
            ("info -p http",           "error: invalid value 'http' for '--port <PORT>': invalid digit found in string / hint: `cachedeck info --help` explains it"),
        ];
        for (line, meant) in table {
            assert_eq!(meaning(line), meant, "cachedeck {line}");
        }
    }
}
