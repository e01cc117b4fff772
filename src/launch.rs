//! Opens what the command line asked for: the dashboard, on the person's servers or on our own.
//!
//! The two faces do not know each other, so somebody above both has to hand over.

use crate::cli::{DemoCall, Failure, Next, Session};
use crate::config::{Ascii, Config, Theme};
use crate::demo::{self, Demo};
use crate::tui::event::Ending;
use crate::tui::theme::ThemeChoice;
use crate::tui::{self, Options};

/// Does what is left to do after the command line was read, and gives the exit code.
///
/// # Errors
/// With what to print and how to exit.
pub fn launch(next: Next) -> Result<u8, Failure> {
    match next {
        Next::Exit(code) => Ok(code),
        Next::Open(session) => open(*session),
        Next::Demo(call) => show_demo(*call),
    }
}

fn open(session: Session) -> Result<u8, Failure> {
    let options = options(&session);
    let ending = tui::run(session.targets, options)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    Ok(code(ending))
}

/// The demo's servers live as long as this function.
fn show_demo(call: DemoCall) -> Result<u8, Failure> {
    let wanted = demo::Options { server_bin: call.server_bin, ..demo::Options::default() };
    let demo = Demo::start(&wanted).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        error.hint().into_iter().fold(failure, Failure::hint)
    })?;
    for note in demo.notes() {
        eprintln!("note: {note}");
    }
    open(Session { targets: demo.targets().to_vec(), ..call.session })
}

fn options(session: &Session) -> Options {
    let config: &Config = &session.config;
    Options {
        interval: config.interval,
        theme: match config.theme {
            Theme::Auto | Theme::Dark | Theme::Plain => ThemeChoice::Dark,
            Theme::Light => ThemeChoice::Light,
        },
        no_color: session.no_color || config.theme == Theme::Plain,
        ascii: match config.ascii {
            Ascii::Always => true,
            Ascii::Never => false,
            Ascii::Auto => !locale_is_utf8(),
        },
        mouse: config.mouse,
        keys: config.keys.clone(),
        ..Options::new(session.audit.clone())
    }
}

/// Whether the terminal's side reads UTF-8, as far as the locale tells. Containers often have no
/// locale at all and a terminal that reads UTF-8; only a locale that names another one counts.
fn locale_is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8") || !locale.contains('.')
    })
}

/// As a shell would see it.
fn code(ending: Ending) -> u8 {
    match ending {
        Ending::Left => 0,
        Ending::Signalled(number) => 128_u8.saturating_add(u8::try_from(number).unwrap_or(0)),
        Ending::HungUp => 129,
        Ending::Panicked => 101,
    }
}
