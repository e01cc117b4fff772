//! Where no screen can be drawn, it says so and names what works there.

use std::ffi::OsString;

use super::desk::{ends, open};
use crate::common::program::{BINARY, Call, Home};
use crate::common::pty::{Pty, Start};
use crate::common::redis::{Flavor, RedisServer};

const WAY_OUT: &str = "one-shot commands work everywhere";

fn shell(home: &Home, script: &str) -> Pty {
    Start {
        program: "/bin/sh".into(),
        args: vec![OsString::from("-c"), script.into()],
        ..Start::cachedeck(home, [""; 0])
    }
    .size(160, 24)
    .start()
}

#[test]
fn a_dumb_terminal_is_refused() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    for args in [vec!["-t", &server.url()], vec!["demo"]] {
        let mut pty = Start::cachedeck(&home, args)
            .size(160, 24)
            .env("TERM", "dumb")
            .start();
        ends(&mut pty, 2);
        let screen = pty.screen();
        assert!(screen.contains("TERM is dumb"), "{screen}");
        assert!(screen.contains(WAY_OUT), "{screen}");
        assert!(!pty.raw().contains(&0x1b), "no escape sequences");
    }
}

#[test]
fn output_or_input_that_is_no_terminal_is_refused() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let url = server.url();
    for script in [
        format!("{BINARY} -t {url} >out; echo code=$?; cat out"),
        format!("{BINARY} -t {url} </dev/null; echo code=$?"),
        format!("echo q | {BINARY} -t {url}; echo code=$?"),
    ] {
        let mut pty = shell(&home, &script);
        pty.wait_for("code=2");
        ends(&mut pty, 0);
        let screen = pty.screen();
        assert!(screen.contains("needs a terminal"), "{script}:\n{screen}");
        assert!(screen.contains(WAY_OUT), "{script}:\n{screen}");
    }
}

#[test]
fn without_any_terminal_it_is_refused() {
    let run = Call::new(["-t", "redis://127.0.0.1:1"]).run(&Home::new());
    run.exits(2);
    assert_eq!(run.out(), "");
    assert!(run.err().contains(WAY_OUT), "{}", run.err());
}

#[test]
fn errors_before_the_screen_leave_the_terminal_alone() {
    let home = Home::new();
    let config = home.write("wrong.yaml", "profile:\n  a: { url: redis://a }\n");
    let wrong_keys = home.write("keys.yaml", "keys: { delete: no-such-key }\n");
    for (config, word) in [(config, "profiles"), (wrong_keys, "no-such-key")] {
        let path = config.to_str().expect("our own path");
        let mut pty = open(&home, &["-t", "redis://127.0.0.1:1", "--config", path]);
        ends(&mut pty, 2);
        assert!(pty.screen().contains(word), "{}", pty.screen());
        assert!(!pty.raw().windows(8).any(|part| part == b"\x1b[?1049h"));
    }
}
