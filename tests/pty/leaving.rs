//! However it ends, the terminal is given back.

use std::ffi::OsString;

use rustix::process::Signal;

use super::desk::{NEVER, OFTEN, ends, leave, open, open_up};
use crate::common::process;
use crate::common::program::{BINARY, Home};
use crate::common::pty::{Pty, Start};
use crate::common::redis::{Flavor, RedisServer};

fn is_taken(pty: &Pty) -> bool {
    let screen = pty.terminal();
    let has_mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
    let is_ours = screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste();
    is_ours && has_mouse && !pty.is_cooked()
}

#[test]
fn q_leaves() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let home = Home::new();
        let pty = open_up(&home, &server.url(), &NEVER);
        assert!(is_taken(&pty));
        leave(pty);
    }
}

#[test]
fn ctrl_c_leaves_from_anywhere() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    for (key, layer) in [("", "● up"), ("?", "Keys in Overview"), (":", "Commands")] {
        let mut pty = open_up(&home, &server.url(), &NEVER);
        pty.send(key);
        pty.wait_for(layer);
        pty.send("\x03");
        ends(&mut pty, 130);
    }
}

#[test]
fn signals_end_it_with_their_codes() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    for (signal, code) in [
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
    ] {
        let mut pty = open_up(&home, &server.url(), &NEVER);
        pty.signal(signal);
        ends(&mut pty, code);
    }
}

#[test]
fn a_signal_ends_it_while_the_server_hangs() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    server.stop();
    pty.send("2");
    pty.wait_until("the keys pane", |screen| !screen.contains("Traffic"));
    pty.signal(Signal::TERM);
    ends(&mut pty, 143);
    server.cont();
}

#[test]
fn a_killed_server_does_not_keep_it() {
    let mut server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    server.kill();
    pty.wait_for("● down");
    leave(pty);
}

#[test]
fn a_server_that_never_was_does_not_keep_it() {
    let home = Home::new();
    let url = format!("redis://127.0.0.1:{}", process::free_port());
    let mut pty = open(&home, &["-t", &url]);
    pty.wait_for("● down");
    leave(pty);
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_draws_everything_again() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let mut pty = Start {
        program: "/bin/sh".into(),
        args: vec![OsString::from("-i")],
        ..Start::cachedeck(&home, [""; 0])
    }
    .env("PS1", "shell$ ")
    .start();
    pty.wait_for("shell$");
    pty.send(&format!("{BINARY} -t {} --interval 1h\r", server.url()));
    let before = pty.wait_for("● up");
    assert!(is_taken(&pty));

    pty.send("\x1a");
    pty.wait_until("the shell's prompt", |screen| {
        screen.contains("Stopped") && screen.matches("shell$").count() == 2
    });
    let screen = pty.terminal();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    pty.send("stty -a | tr ';' ' '; echo asked\r");
    let said = pty.wait_until("the settings", |screen| {
        screen.matches("asked").count() == 2
    });
    let settings: Vec<&str> = said.split_whitespace().collect();
    for setting in ["icanon", "echo", "isig", "icrnl", "opost"] {
        assert!(settings.contains(&setting), "{setting}:\n{said}");
    }

    pty.send("fg\r");
    let after = pty.wait_for("● up");
    assert!(is_taken(&pty));
    assert_eq!(head(&after), head(&before));
    pty.send("3");
    pty.wait_for("On disk");

    pty.send("q");
    pty.wait_until("the shell's prompt", |screen| {
        screen.trim_end().ends_with("shell$") && screen.matches("shell$").count() == 4
    });
    pty.send("echo code=$?; exit\r");
    pty.wait_for("code=0");
    pty.wait_for_end().gave_the_terminal_back();
}

/// What does not change by itself: the header, the tabs and the names of the numbers.
fn head(screen: &str) -> Vec<&str> {
    screen.lines().take(4).collect()
}
