//! The program: what the command line asks is done at once, or on the screen.

use std::process::ExitCode;

use cachedeck::cli::{self, DemoCall, Failure, Next, Session};
use cachedeck::demo::{self, Stage};
use cachedeck::tui;

fn main() -> ExitCode {
    let end = cli::run(std::env::args_os()).and_then(|next| match next {
        Next::Exit(code) => Ok(code),
        Next::Open(session) => open(*session),
        Next::Demo(call) => demo(*call),
    });
    ExitCode::from(end.unwrap_or_else(|failure| failure.print()))
}

fn demo(call: DemoCall) -> Result<u8, Failure> {
    let stage = Stage::set(&demo::Options::using(call.server_bin), call.is_offline)
        .map_err(|error| Failure::usage(error.to_string()).hints(error.hint()))?;
    for note in stage.notes() {
        eprintln!("note: {note}");
    }
    let targets = stage.targets();
    if !call.has_screen {
        return cli::print_overviews(targets);
    }
    open(Session {
        targets,
        ..call.session
    })
}

fn open(session: Session) -> Result<u8, Failure> {
    let mut options = tui::Options::of(session.config, session.audit);
    (options.no_color, options.ascii) = (session.no_color, session.ascii);
    let ending = tui::run(session.targets, options)
        .map_err(|error| Failure::usage(format!("dashboard: {error:#}")))?;
    Ok(ending.code())
}
