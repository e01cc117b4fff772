//! Changes from the dashboard: the plan, the question, the outcome, and what the server has then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::desk::{ENTER, ESCAPE, NEVER, leave, open_keys, open_up, server_with};
use crate::common::program::Home;
use crate::common::proxy::FaultProxy;
use crate::common::pty::Pty;
use crate::common::redis::{Flavor, RedisServer};

const SECRET: &str = "the-value-of-a-session";

fn sessions() -> RedisServer {
    server_with(&["session:1", "session:2", "session:3", "user:1"], SECRET)
}

fn ttl(server: &RedisServer, key: &str) -> i64 {
    server.run(&format!("TTL {key}")).int()
}

fn exists(server: &RedisServer, key: &str) -> bool {
    server.run(&format!("EXISTS {key}")).int() == 1
}

/// Shows and marks the three sessions.
fn mark_sessions(pty: &mut Pty) {
    pty.send("/");
    pty.wait_for("Show only keys with");
    pty.send("session");
    pty.wait_for("3 match");
    pty.send(ENTER);
    pty.wait_until_gone("Show only keys with");
    pty.send("a");
    pty.wait_for("3 marked");
}

#[test]
fn the_ttl_of_marked_keys_is_set() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        for key in ["session:1", "session:2", "session:3", "user:1"] {
            server.run(&format!("SET {key} {SECRET}"));
        }
        let home = Home::new();
        let mut pty = open_keys(&home, &server.url(), &NEVER);
        mark_sessions(&mut pty);
        pty.send("t");
        pty.wait_for("TTL of 3 marked keys");
        pty.send("2h");
        pty.wait_for("in 2h");
        pty.send(ENTER);
        let plan = pty.wait_for("y yes, do it");
        assert!(plan.contains("this would be sent:"), "{plan}");
        assert!(
            plan.contains("session:1") && plan.contains("session:3"),
            "{plan}"
        );
        assert!(!plan.contains("user:1 "), "{plan}");
        assert_eq!(
            ttl(&server, "session:1"),
            -1,
            "nothing is sent before the yes"
        );
        pty.send("y");
        pty.wait_for("TTL set on 3 keys");
        for key in ["session:1", "session:2", "session:3"] {
            assert!((7000..=7200).contains(&ttl(&server, key)), "{key}");
        }
        assert_eq!(ttl(&server, "user:1"), -1);
        // The list shows it, counting down.
        pty.wait_for("1h59m");
        let audit = audit(&home);
        assert_eq!(audit.len(), 1, "{audit:?}");
        assert!(audit[0].contains("session:2"), "{audit:?}");

        pty.send("a");
        pty.wait_for("3 marked");
        pty.send("T");
        pty.wait_for("Remove the TTL");
        pty.wait_for("y yes, do it");
        pty.send("y");
        pty.wait_until_gone("Remove the TTL");
        pty.wait_for("TTL removed from 3 keys");
        assert_eq!(ttl(&server, "session:2"), -1);
        leave(pty);
    }
}

#[test]
fn marked_keys_are_deleted() {
    let server = sessions();
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &NEVER);
    mark_sessions(&mut pty);
    pty.send("d");
    let plan = pty.wait_for("y yes, do it");
    assert!(plan.contains("cannot be taken back"), "{plan}");
    // Enter is no.
    pty.send(ENTER);
    pty.wait_until_gone("y yes, do it");
    assert!(exists(&server, "session:1"));
    pty.send("d");
    pty.wait_for("y yes, do it");
    pty.send("y");
    pty.wait_for("3 keys deleted");
    assert_eq!(server.run("DBSIZE").int(), 1);
    assert!(exists(&server, "user:1"));
    assert_eq!(audit(&home).len(), 1);
    leave(pty);
}

#[test]
fn a_key_that_went_meanwhile_is_said_to_be_gone() {
    let server = sessions();
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &NEVER);
    mark_sessions(&mut pty);
    pty.send("d");
    pty.wait_for("y yes, do it");
    server.run("DEL session:2");
    pty.send("y");
    let outcome = pty.wait_for("1 no longer there");
    assert!(outcome.contains("2 keys deleted"), "{outcome}");
    assert!(outcome.contains("session:2: no longer there"), "{outcome}");
    pty.send(ESCAPE);
    pty.wait_until_gone("session:2: no longer there");
    leave(pty);
}

#[test]
fn a_read_only_target_refuses_before_anything_is_sent() {
    let server = sessions();
    let proxy = FaultProxy::to(server.address());
    let home = Home::new();
    let url = format!("redis://{}", proxy.address());
    let mut pty = open_keys(&home, &url, &["--interval", "1h", "--read-only"]);
    let screen = pty.wait_for("string");
    assert!(screen.contains("READ-ONLY"), "{screen}");
    assert!(
        !screen.contains("delete"),
        "the footer offers none:\n{screen}"
    );
    pty.send("d");
    pty.wait_for("read-only: nothing was sent");
    pty.send("T");
    pty.send("t");
    // Whether the question comes or not, the answer to it is the same.
    pty.send("2h\r");
    pty.wait_for("read-only: nothing was sent");
    pty.send("3");
    pty.wait_for("this target is read-only");
    pty.send("b");
    pty.wait_for("read-only: nothing was sent");
    for word in [
        &b"$6\r\nUNLINK"[..],
        b"PERSIST",
        b"PEXPIRE\r",
        b"*1\r\n$6\r\nBGSAVE",
    ] {
        assert!(!proxy.saw(word), "{}", word.escape_ascii());
    }
    assert_eq!(ttl(&server, "session:1"), -1);
    assert!(exists(&server, "session:1"));
    assert_eq!(home.find("audit.jsonl"), None);
    leave(pty);
}

fn production(home: &Home, port: u16) -> PathBuf {
    let text = format!(
        "profiles:\n  shop: {{ url: \"redis://127.0.0.1:{port}\", environment: production }}\n"
    );
    home.write("config.yaml", &text)
}

#[test]
fn production_is_unmistakable_and_asks_for_its_name() {
    let server = sessions();
    let proxy = FaultProxy::to(server.address());
    let home = Home::new();
    let config = production(&home, proxy.port());
    let config = config.to_str().expect("our own path");
    let mut pty = open_up(&home, "shop", &["--interval", "1h", "--config", config]);
    assert!(
        pty.screen()
            .lines()
            .next()
            .is_some_and(|line| line.contains("PRODUCTION  shop"))
    );
    pty.send("2");
    pty.wait_for("seen by");
    mark_sessions(&mut pty);
    pty.send("d");
    let plan = pty.wait_for("type shop and Enter to do it");
    assert!(plan.contains("UNLINK"), "{plan}");
    // A plain yes is a wrong name.
    for wrong in ["y", "Shop", "shops"] {
        pty.send(wrong);
        pty.send(ENTER);
        pty.wait_for("that is not shop");
    }
    assert!(!proxy.saw(b"$6\r\nUNLINK"), "nothing was sent");
    assert!(exists(&server, "session:1"));
    assert_eq!(home.find("audit.jsonl"), None);
    pty.send("shop");
    pty.send(ENTER);
    pty.wait_for("3 keys deleted");
    assert!(!exists(&server, "session:1"));
    assert!(exists(&server, "user:1"));
    let lines = audit(&home);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("\"target\":\"shop\""), "{lines:?}");
    leave(pty);
}

#[test]
fn an_audit_that_cannot_be_written_stops_the_change() {
    let server = sessions();
    let home = Home::new();
    let state = home.path().join("elsewhere");
    fs::create_dir_all(state.join("audit.jsonl")).expect("our own directory");
    let mut pty =
        crate::common::pty::Start::cachedeck(&home, [&["-t", &server.url()], &NEVER[..]].concat())
            .env("CACHEDECK_STATE_DIR", &state)
            .start();
    pty.wait_for("● up");
    pty.send("2");
    pty.wait_for("seen by");
    mark_sessions(&mut pty);
    pty.send("d");
    pty.wait_for("y yes, do it");
    pty.send("y");
    pty.wait_for("refused:");
    assert!(exists(&server, "session:1"));
    pty.send(ESCAPE);
    pty.wait_until_gone("refused:");
    leave(pty);
}

/// The lines of the audit file, which nobody else can read and which tells no value.
fn audit(home: &Home) -> Vec<String> {
    let path = home.find("audit.jsonl").expect("a change is written down");
    let mode = path.metadata().expect("our own file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("JSON is UTF-8");
    assert!(!text.contains(SECRET), "{text}");
    let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(text.lines().all(is_json), "{text}");
    text.lines().map(str::to_owned).collect()
}
