//! Finding one's way: palette, help, panes, the mouse, several targets.

use super::desk::{ENTER, ESCAPE, NEVER, leave, open, open_up, server_with};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::Home;

#[test]
fn the_palette_finds_and_runs() {
    let server = server_with(&["user:1"], "value");
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    pty.send(":");
    pty.wait_for("Commands");
    pty.send("snapsh");
    pty.wait_for("what is on its disk");
    pty.send(ENTER);
    pty.wait_for("On disk");
    pty.send(":");
    pty.wait_for("Commands");
    pty.send("no such thing");
    pty.wait_for("no such command here");
    pty.send(ESCAPE);
    pty.wait_until_gone("no such command here");
    pty.send(":");
    pty.wait_for("Commands");
    pty.send("quit");
    pty.wait_for("leave");
    pty.send(ENTER);
    super::desk::ends(&mut pty, 0);
}

#[test]
fn the_help_shows_the_keys_of_the_pane() {
    let server = server_with(&["user:1"], "value");
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    for (pane, title, words) in [
        ("1", "Keys for Overview", "every line as the server says it"),
        ("2", "Keys for Keys", "mark or unmark the key"),
        ("3", "Keys for Snapshots", "write a snapshot"),
    ] {
        pty.send(pane);
        pty.send("?");
        let help = pty.wait_for(title);
        assert!(help.contains(words), "{help}");
        pty.send("G");
        pty.wait_for("leave at once");
        pty.send(ESCAPE);
        pty.wait_until_gone(title);
    }
    leave(pty);
}

#[test]
fn tab_and_mouse_change_panes() {
    let server = server_with(&["user:1", "user:2"], "value");
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    for words in [
        "seen by",
        "On disk",
        "This server is",
        "TYPES",
        "what changed?",
        "Traffic",
    ] {
        pty.send("\t");
        pty.wait_for(words);
    }
    pty.send("\x1b[Z");
    pty.wait_for("what changed?");
    // A click on the second tab, then on the second key, twice.
    click(&mut pty, 16, 2);
    pty.wait_for("seen by");
    pty.wait_for("string");
    click(&mut pty, 4, 6);
    click(&mut pty, 4, 6);
    pty.wait_for("in memory");
    leave(pty);
}

fn click(pty: &mut crate::common::pty::Pty, column: u16, row: u16) {
    pty.send(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
}

#[test]
fn without_a_mouse_the_terminal_keeps_it() {
    let server = server_with(&[], "");
    let home = Home::new();
    let config = home.write("config.yaml", "mouse: false\n");
    let config = config.to_str().expect("our own path");
    let pty = open_up(&home, &server.url(), &["--config", config]);
    let mode = pty.terminal().mouse_protocol_mode();
    assert_eq!(mode, vt100::MouseProtocolMode::None);
    leave(pty);
}

#[test]
fn two_targets_are_switched_between() {
    let redis = server_with(&["in-redis"], "value");
    let memcached = MemcachedServer::start(memcached::Options::default());
    let home = Home::new();
    let args = ["-t", &redis.url(), "-t", &memcached.url()];
    let mut pty = open(&home, &[&args[..], &NEVER].concat());
    pty.wait_for("target 1/2");
    pty.wait_for("primary");
    pty.send("2");
    pty.wait_for("in-redis");
    pty.send("\x0e");
    pty.wait_for("target 2/2");
    pty.wait_for("Memcached 1.");
    pty.wait_until_gone("in-redis");
    pty.send("\x14");
    pty.wait_for("Targets");
    pty.send("k\r");
    pty.wait_for("target 1/2");
    pty.wait_for("in-redis");
    pty.send(":");
    pty.wait_for("Commands");
    pty.send("memcached");
    pty.wait_for(&format!("{} ", memcached.port()));
    pty.send(ENTER);
    pty.wait_for("target 2/2");
    leave(pty);
}

#[test]
fn a_dead_target_does_not_hold_up_the_other() {
    let mut dead = server_with(&[], "");
    dead.kill();
    let alive = server_with(&["here"], "value");
    let home = Home::new();
    let args = ["-t", &dead.url(), "-t", &alive.url()];
    let mut pty = open(&home, &[&args[..], &NEVER].concat());
    pty.wait_for("● down");
    pty.send("\x0e");
    pty.wait_for("● up");
    pty.send("2");
    pty.wait_for("here");
    leave(pty);
}
