//! What changed, in a real terminal: a server against its snapshot, and a server against another one.

use super::desk::{ENTER, ESCAPE, NEVER, leave, open, open_up, server_with};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::Home;
use crate::common::redis::{Flavor, RedisServer};

#[test]
fn a_server_is_held_against_its_snapshot() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        for n in 0..20 {
            server.run(&format!("SET session:{n} value{n}"));
            server.run(&format!("HSET user:{n}:profile name {n}"));
        }
        assert!(!server.cmd(&[b"SAVE"]).is_error());
        let night = server.directory().join("night.rdb");
        std::fs::copy(server.directory().join("dump.rdb"), &night).expect("a copy");
        server.run("DEL session:7");
        server.run("EXPIRE session:8 5000");
        server.run("HSET user:3:profile name other");
        server.run("SET leak:1 a");
        server.cmd(&[b"SET", b"leak:\x1b[2J", b"b"]);

        let home = Home::new();
        let mut pty = open_up(&home, &server.url(), &NEVER);
        pty.send("6");
        pty.wait_for("what changed?");
        pty.send("c");
        pty.wait_for("with a file, or another");
        pty.send(&night.display().to_string());
        pty.send(ENTER);
        let screen = pty.wait_for("2 added  1 removed  1 changed  1 other TTL  37 the same");
        assert!(screen.contains("not one moment of it"), "{screen}");
        // Sorted by differences, then by name: leak:, session:, user:.
        pty.send(ENTER);
        let screen = pty.wait_for("leak:  2 keys");
        assert!(screen.contains(r"+ leak:\x1b[2J"), "{screen}");
        pty.send(ESCAPE);
        pty.wait_for("PREFIX");
        pty.send("jj");
        pty.send(ENTER);
        pty.wait_for("user:3:profile");
        pty.send(ENTER);
        // Its card, in the pane of keys.
        pty.wait_for("other");
        pty.send("6");
        pty.wait_for("user:  1 key");
        leave(pty);
    }
}

#[test]
fn two_servers_that_are_open_are_held_against_each_other() {
    let server = |value: &str| {
        let server = MemcachedServer::start(memcached::Options::default());
        server.set("page:1", value.as_bytes(), 0);
        server.set("page:2", b"the same", 0);
        server.run("lru_crawler metadump hash");
        server
    };
    let (one, other) = (server("first"), server("second"));
    let home = Home::new();
    let mut pty = open(
        &home,
        &[&["-t", &one.url(), "-t", &other.url()], &NEVER[..]].concat(),
    );
    pty.wait_for("● up");
    pty.send("6c");
    pty.wait_for(&other.url());
    pty.send(ENTER);
    pty.wait_for("0 added  0 removed  1 changed  0 other TTL  1 the same");
    pty.send(ENTER);
    let screen = pty.wait_for("page:1");
    assert!(screen.contains("12 B → 11 B"), "{screen}");
    leave(pty);
}

#[test]
fn a_snapshot_that_is_open_is_what_was() {
    let server = server_with(&["user:1"], "value");
    assert!(!server.cmd(&[b"SAVE"]).is_error());
    let night = server.directory().join("dump.rdb").display().to_string();
    server.run("SET user:2 new");
    let home = Home::new();
    let mut pty = open(&home, &["-t", &night, "-t", &server.url()]);
    pty.wait_for("● up");
    pty.send("6c");
    pty.wait_for(&server.url());
    pty.send(ENTER);
    pty.wait_for("1 added  0 removed");
    pty.send(ENTER);
    pty.wait_for("+ user:2");
    pty.send(ENTER);
    pty.wait_for("only the other one has it");
    leave(pty);
}

#[test]
fn what_is_no_snapshot_is_said() {
    let server = server_with(&["user:1"], "value");
    let text = server.directory().join("notes.txt");
    std::fs::write(&text, "no snapshot").expect("a file");
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    for (name, why) in [
        (text.display().to_string(), "not"),
        ("/nowhere/at.all".to_owned(), "No such file"),
    ] {
        pty.send("6c");
        pty.wait_for("with a file, or another");
        // What was typed before stands there still.
        pty.send("\x15");
        pty.send(&name);
        pty.send(ENTER);
        pty.wait_for("not compared");
        pty.wait_for(why);
        pty.send("1");
        pty.wait_for("Traffic");
    }
    leave(pty);
}
