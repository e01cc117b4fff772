//! A panic in any thread gives the terminal back before it is printed, and ends the program.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use cachedeck::config::Config;
use cachedeck::guard::Audit;
use cachedeck::model::Target;
use cachedeck::tui;

use crate::common::process;
use crate::common::program::Home;
use crate::common::pty::Start;

const CUE: &str = "CACHEDECK_TEST_CUE";

#[test]
fn a_panic_is_printed_on_a_terminal_that_was_given_back() {
    let cue = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    let home = Home::new();
    let address = cue.local_addr().expect("a bound socket").to_string();
    let mut pty = Start {
        program: std::env::current_exe().expect("this very test"),
        ..Start::cachedeck(
            &home,
            [
                "--exact",
                "pty::panicking::panics_under_the_screen",
                "--ignored",
                "--nocapture",
            ],
        )
    }
    .env(CUE, address)
    .start();
    pty.wait_for("● down");
    // The other side reads the end of the line and panics.
    drop(cue.accept().expect("the other process"));
    let ended = pty.wait_for_end();
    ended.gave_the_terminal_back();
    assert_eq!(ended.status.exit_code(), 101, "{}", pty.screen());
    let screen = pty.screen();
    assert!(screen.contains("a panic on cue"), "{screen}");
    assert!(!screen.contains("● down"), "{screen}");
}

#[test]
#[ignore = "the process that another test lets panic: alone it has no terminal"]
fn panics_under_the_screen() {
    let cue = std::env::var(CUE).expect("started by the other test");
    let mut cue = TcpStream::connect(cue).expect("the other test listens");
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        cue.read_to_end(&mut nothing).expect("an end");
        panic!("a panic on cue");
    });
    let nobody = format!("redis://127.0.0.1:{}", process::free_port());
    let target = Target::parse_url(&nobody).expect("a URL of ours");
    let state = tempfile::tempdir().expect("a temporary directory");
    let options = tui::Options {
        interval: Duration::from_secs(1),
        ..tui::Options::of(Config::default(), Audit::in_directory(state.path()))
    };
    let ending = tui::run(vec![target], options).expect("a terminal");
    std::process::exit(ending.code().into());
}
