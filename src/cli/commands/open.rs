//! `open`: the dashboard. This command only finds out on what; `main` opens it.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;

use crate::cli::call::of_config;
use crate::cli::output::wants_colour;
use crate::cli::{Call, Failure, Next};
use crate::config::{Ascii, Config, Theme, Vars, log};
use crate::guard::Audit;
use crate::model::{Target, parse_duration};

/// Open the dashboard
///
/// The default command. Without a target it opens the config's `default`, else
/// CACHEDECK_TARGET, else what answers on 127.0.0.1:6379 and 127.0.0.1:11211.
/// With -t several targets can be open at once.
///
/// Example:
///
///     cachedeck redis://10.0.0.7:6379
///     cachedeck -t sessions -t pages
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "help text for a terminal")]
pub struct OpenArgs {
    /// Time between two readings of a server
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub interval: Option<Duration>,

    /// Draw with ASCII alone
    #[arg(long)]
    pub ascii: bool,
}

/// Everything the screen needs to know.
#[derive(Debug)]
pub struct Session {
    pub targets: Vec<Target>,
    pub audit: Audit,
    /// Habits from the file, with the flags in place of what they override.
    pub config: Config,
    pub no_color: bool,
    /// Draw with ASCII alone: asked for, or all that the locale can show.
    pub ascii: bool,
}

pub fn args(command: clap::Command) -> clap::Command {
    OpenArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    // A word that names nothing is the better thing to hear about than a missing terminal; but
    // nobody is asked anything before there is one.
    let targets = if call.names_targets() {
        let targets = call.targets()?;
        needs_screen()?;
        targets
    } else {
        needs_screen()?;
        call.targets()?
    };
    Ok(Next::Open(Box::new(session(call, targets)?)))
}

/// What the screen needs, for these targets.
///
/// # Errors
/// When the configuration or the audit file's place is wrong.
pub fn session(call: &mut Call, targets: Vec<Target>) -> Result<Session, Failure> {
    let args: OpenArgs = call.args();
    let mut config = call.config()?.clone();
    if let Some(interval) = args.interval {
        if interval < Duration::from_millis(100) {
            return Err(Failure::usage("--interval is shorter than 100ms"));
        }
        config.interval = interval;
    }
    if args.ascii {
        config.ascii = Ascii::Always;
    }
    let audit = call.audit()?;
    log::init(call.vars()).map_err(|error| of_config(&error))?;
    Ok(Session {
        targets,
        audit,
        no_color: config.theme == Theme::Plain || !wants_colour(call.globals().no_color),
        ascii: match config.ascii {
            Ascii::Always => true,
            Ascii::Never => false,
            Ascii::Auto => !has_unicode_locale(call.vars()),
        },
        config,
    })
}

/// The first of the three variables that is set decides, as for every program of a terminal.
fn has_unicode_locale(vars: &Vars) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().find_map(|name| vars.os(name));
    let words = locale.map(|locale| locale.to_string_lossy().to_lowercase());
    // Nothing set says nothing: terminals that cannot show Unicode are the exception.
    words.is_none_or(|words| words.contains("utf-8") || words.contains("utf8"))
}

/// # Errors
/// When there is no terminal that a screen could be drawn on.
pub fn needs_screen() -> Result<(), Failure> {
    let why = if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        "the dashboard needs a terminal, and there is none"
    } else if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        "the dashboard needs a terminal that can place its cursor, and TERM is dumb"
    } else {
        return Ok(());
    };
    Err(Failure::usage(why)
        .hint("one-shot commands work everywhere: cachedeck TARGET info, watch, keys, show")
        .hint("`cachedeck --help` lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        assert!(has_unicode_locale(&Vars::from([("LANG", "de_DE.UTF-8")])));
        assert!(!has_unicode_locale(&Vars::from([
            ("LC_ALL", "C"),
            ("LANG", "C.UTF-8")
        ])));
        assert!(has_unicode_locale(&Vars::from([
            ("LC_ALL", ""),
            ("LANG", "C.utf8")
        ])));
        assert!(has_unicode_locale(&Vars::default()));
    }
}
