use std::process::ExitCode;

fn main() -> ExitCode {
    match cachedeck::cli::run(std::env::args_os()) {
        Ok(cachedeck::cli::Next::Exit(code)) => ExitCode::from(code),
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}
