//! The program: what the command line asks is done at once, or on the screen.

use std::path::PathBuf;
use std::process::ExitCode;

use cachedeck::cli::{self, Failure, Next, Session};
use cachedeck::demo::{self, Demo};
use cachedeck::tui;

fn main() -> ExitCode {
    let end = cli::run(std::env::args_os()).and_then(|next| match next {
        Next::Exit(code) => Ok(code),
        Next::Open(session) => open(*session),
        Next::Demo(call) => demo(call.server_bin, call.session),
    });
    ExitCode::from(end.unwrap_or_else(|failure| failure.print()))
}

fn demo(server_bin: Option<PathBuf>, mut session: Session) -> Result<u8, Failure> {
    let search = demo::Options::default().search;
    let demo = Demo::start(&demo::Options { server_bin, search })
        .map_err(|error| Failure::usage(error.to_string()).hints(error.hint()))?;
    for note in demo.notes() {
        eprintln!("note: {note}");
    }
    session.targets = demo.targets().to_vec();
    open(session)
}

fn open(session: Session) -> Result<u8, Failure> {
    let mut options = tui::Options::of(session.config, session.audit);
    (options.no_color, options.ascii) = (session.no_color, session.ascii);
    let ending = tui::run(session.targets, options)
        .map_err(|error| Failure::usage(format!("dashboard: {error:#}")))?;
    Ok(ending.code())
}
