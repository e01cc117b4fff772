//! Servers die, hang and come back under the dashboard.

use super::desk::{ESCAPE, NEVER, OFTEN, leave, open, open_up, server_with};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::process;
use crate::common::program::Home;
use crate::common::redis::{Flavor, RedisServer};

#[test]
fn a_killed_server_is_said_to_be_down_and_its_return_is_noticed() {
    for flavor in Flavor::available() {
        let mut server = RedisServer::plain(flavor);
        let home = Home::new();
        let mut pty = open_up(&home, &server.url(), &OFTEN);
        server.kill();
        let screen = pty.wait_for("● down");
        assert!(screen.contains("stale since"), "{screen}");
        assert!(
            screen.contains("Traffic"),
            "what was known stays:\n{screen}"
        );
        pty.wait_for("next try in");
        pty.wait_for("cannot be reached");
        server.restart();
        pty.send("r");
        let screen = pty.wait_for("● up");
        assert!(!screen.contains("stale"), "{screen}");
        pty.wait_for("restarted");
        leave(pty);
    }
}

#[test]
fn a_memcached_comes_back_too() {
    let mut server = MemcachedServer::start(memcached::Options::default());
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    server.kill();
    pty.wait_for("stale since");
    server.restart();
    pty.send("r");
    pty.wait_for("● up");
    pty.wait_for("restarted");
    leave(pty);
}

#[test]
fn keys_are_answered_while_the_server_hangs_and_the_screen_says_it_is_stale() {
    let server = server_with(&["user:1"], "value");
    let home = Home::new();
    let habits = [&OFTEN[..], &["--timeout", "1s"]].concat();
    let mut pty = open_up(&home, &server.url(), &habits);
    server.stop();
    // Nothing is known of these panes yet, and the server cannot say.
    for (key, words) in [("3", "On disk"), ("4", "This server is"), ("1", "Traffic")] {
        pty.send(key);
        pty.wait_for(words);
    }
    pty.send("?");
    pty.wait_for("Keys in Overview");
    pty.send(ESCAPE);
    pty.wait_until_gone("Keys in Overview");
    pty.send("2");
    pty.wait_until_gone("Traffic");
    pty.wait_for("stale since");
    pty.wait_for("did not answer within");
    server.cont();
    pty.wait_for("● up");
    pty.wait_for("user:1");
    leave(pty);
}

#[test]
fn a_late_answer_is_said_before_it_is_given_up() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let habits = [&OFTEN[..], &["--timeout", "1m"]].concat();
    let mut pty = open_up(&home, &server.url(), &habits);
    server.stop();
    pty.wait_for("no answer for");
    server.cont();
    pty.wait_for("● up");
    leave(pty);
}

#[test]
fn a_dead_server_has_a_first_screen_with_the_reason() {
    let home = Home::new();
    let port = process::free_port();
    for scheme in ["redis", "memcached"] {
        let url = format!("{scheme}://127.0.0.1:{port}");
        let mut pty = open(&home, &["-t", &url]);
        let screen = pty.wait_for("no connection to");
        assert!(screen.contains("connection refused"), "{screen}");
        assert!(screen.contains("try: is the server running"), "{screen}");
        for (pane, words) in [("2", "Keys"), ("3", "Snapshots"), ("4", "Replication")] {
            pty.send(pane);
            pty.wait_for(words);
            pty.wait_for("next try in");
        }
        leave(pty);
    }
}

#[test]
fn a_server_that_comes_later_is_found() {
    let mut server = server_with(&[], "");
    server.kill();
    let home = Home::new();
    let mut pty = open(&home, &[&["-t", &server.url()], &NEVER[..]].concat());
    pty.wait_for("no connection to");
    server.restart();
    pty.wait_for("● up");
    pty.wait_for("Traffic");
    leave(pty);
}
