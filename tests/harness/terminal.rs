//! The pty helper sees a program as a person would, and how it left its terminal.

use std::ffi::OsString;

use rustix::process::Signal;

use crate::common::program::{Call, Home};
use crate::common::pty::{Pty, Start};

fn shell(home: &Home, script: &str) -> Pty {
    Start {
        program: "/bin/sh".into(),
        args: vec![OsString::from("-c"), script.into()],
        ..Start::cachedeck(home, [""; 0])
    }
    .start()
}

#[test]
fn the_screen_is_what_a_person_sees() {
    let home = Home::new();
    let mut pty = shell(
        &home,
        r"printf 'gone\033[2J\033[3;5Hhere'; read x; echo got=$x; stty size",
    );
    assert_eq!(pty.wait_for("here"), "\n\n    here");
    pty.resize(100, 30);
    pty.send("word\r");
    pty.wait_for("got=word");
    let screen = pty.wait_for("30 100");
    assert!(!screen.contains("gone"), "{screen}");
    let ended = pty.wait_for_end();
    assert!(ended.gave_the_terminal_back().status.success());
}

#[test]
fn a_terminal_left_in_disorder_is_noticed() {
    let home = Home::new();
    let mess = r"stty raw -echo; printf '\033[?1049h\033[?25l\033[?1000h\033[?2004h'; exit 3";
    let ended = shell(&home, mess).wait_for_end();
    assert_eq!(ended.status.exit_code(), 3);
    assert!(!ended.cooked);
    assert!(ended.alternate_screen && ended.cursor_hidden);
    assert!(ended.mouse_on && ended.paste_bracketed);
    let complaint = std::panic::catch_unwind(|| ended.gave_the_terminal_back().cooked);
    assert!(complaint.is_err());
}

#[test]
fn a_program_that_ends_early_fails_the_wait() {
    let home = Home::new();
    let mut pty = shell(&home, "echo short");
    // Without this the slave keeps the terminal open and the wait would last to its limit.
    pty.wait_for_end();
    let wait = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pty.wait_for("long")));
    assert!(wait.is_err());
}

#[test]
fn a_vanished_terminal_is_felt() {
    let home = Home::new();
    let script = "trap 'echo hup > felt; exit 0' HUP; echo ready; while :; do read x; done";
    let mut pty = shell(&home, script);
    pty.wait_for("ready");
    pty.hang_up();
    pty.wait_for_end_unchecked();
    assert!(home.find("felt").is_some(), "SIGHUP did not come");
}

#[test]
fn a_signalled_program_says_so() {
    let home = Home::new();
    let mut pty = shell(&home, "echo ready; exec sleep 600");
    pty.wait_for("ready");
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_for_end().status.signal(), Some("Terminated"));
}

#[test]
fn planted_escapes_fail_the_end() {
    let home = Home::new();
    let mut pty = shell(&home, r"printf 'a\033]0;title\007b'");
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pty.wait_for_end()));
    assert!(end.is_err());
}

#[test]
fn a_home_is_empty_and_isolated() {
    let home = Home::new();
    assert_eq!(home.files(), Vec::<std::path::PathBuf>::new());
    let config = home.write("config/cachedeck/config.yaml", "profiles: {}\n");
    assert_eq!(home.files(), std::slice::from_ref(&config));
    assert_eq!(home.find("config.yaml"), Some(config));
    let mut pty = shell(&home, "env | sort; echo end");
    let seen = pty.wait_for("end");
    assert!(
        seen.contains(&format!("HOME={}", home.path().display())),
        "{seen}"
    );
    assert!(!seen.contains("CARGO"), "{seen}");
}

#[test]
fn the_program_runs_once_in_its_home() {
    let run = Call::new(["--version"])
        .env("NO_COLOR", "1")
        .input(b"x")
        .run(&Home::new());
    run.succeeds();
    assert_eq!(run.err(), "");
}
