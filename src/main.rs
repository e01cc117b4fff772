//! Parse, do, print what went wrong, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = cachedeck::cli::run(std::env::args_os()).and_then(cachedeck::launch::launch);
    ExitCode::from(code.unwrap_or_else(|failure| {
        failure.print();
        failure.code()
    }))
}
