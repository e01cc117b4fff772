//! Changes: planned, confirmed, carried out, written down; and refused where they must be.

use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::{Call, Home, cachedeck};
use crate::common::proxy::FaultProxy;
use crate::common::pty::Start;
use crate::common::redis::{Flavor, RedisServer};
use crate::common::resp::Reply;

fn seeded() -> RedisServer {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("MSET a 1 b 2 c 3");
    server
}

fn exist(server: &RedisServer, keys: &str) -> i64 {
    server.run(&format!("EXISTS {keys}")).int()
}

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let server = seeded();
    let run = cachedeck([&server.url(), "delete", "a", "b", "--dry-run"]);
    run.succeeds();
    assert!(run.out().contains("Delete 2 keys"), "{}", run.out());
    assert!(run.out().contains("UNLINK"), "{}", run.out());
    assert_eq!(exist(&server, "a b"), 2);
    cachedeck([&server.url(), "ttl", "a", "--set", "1h", "--dry-run"]).succeeds();
    assert_eq!(server.run("TTL a"), Reply::Int(-1));
}

#[test]
fn a_dry_run_sends_no_change() {
    let server = seeded();
    let proxy = FaultProxy::to(([127, 0, 0, 1], server.port()).into());
    let port = proxy.port().to_string();
    let changes: [&[&str]; 4] = [
        &["delete", "a"],
        &["ttl", "a", "--set", "1h"],
        &["ttl", "a", "--persist"],
        &["snapshot", "create"],
    ];
    for change in changes {
        cachedeck([&["-p", port.as_str()], change, &["--dry-run"]].concat()).succeeds();
    }
    let is_sent = |word: &str| {
        let sent = format!("\r\n${}\r\n{word}\r\n", word.len());
        proxy
            .sent()
            .windows(sent.len() + 2)
            .any(|some| some[0] == b'*' && some[2..] == *sent.as_bytes())
    };
    for word in ["UNLINK", "DEL", "PEXPIRE", "PEXPIREAT", "PERSIST", "BGSAVE"] {
        assert!(!is_sent(word), "{word} was sent");
    }
    cachedeck(["-p", &port, "delete", "a", "--yes"]).succeeds();
    assert!(is_sent("UNLINK"));
}

#[test]
fn without_terminal_and_without_yes_nothing_is_done() {
    let server = seeded();
    let run = Call::new([&server.url(), "delete", "a"])
        .input(b"y\n")
        .run(&Home::new());
    run.exits(5);
    assert!(run.err().contains("not confirmed"), "{}", run.err());
    assert_eq!(exist(&server, "a"), 1);
}

#[test]
fn yes_does_it_and_the_audit_file_knows() {
    let server = seeded();
    let home = Home::new();
    let run = Call::new([&server.url(), "delete", "a", "b", "--yes"]).run(&home);
    run.succeeds();
    assert_eq!(exist(&server, "a b c"), 1);
    let audit = home.find("audit.jsonl").expect("there is an audit file");
    let line = std::fs::read_to_string(audit).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["change"], "delete");
    assert_eq!(line["result"]["done"], 2);
}

#[test]
fn the_exit_code_tells_all_from_some_from_none() {
    let server = seeded();
    let delete = |keys: &[&str]| {
        let url = server.url();
        cachedeck([&[url.as_str(), "delete", "--yes"], keys].concat())
    };
    delete(&["nope"]).exits(1);
    delete(&["a", "nope"]).exits(6);
    delete(&["b"]).succeeds();
    cachedeck([&server.url(), "ttl", "nope", "--persist", "--yes"]).exits(1);
    cachedeck([&server.url(), "ttl", "nope"]).exits(1);
    cachedeck([&server.url(), "ttl", "c", "nope"]).exits(6);
    cachedeck([&server.url(), "ttl", "c", "--persist", "--yes"]).succeeds();
}

#[test]
fn read_only_refuses_without_asking_the_server() {
    let server = seeded();
    let run = cachedeck([&server.url(), "delete", "a", "--read-only", "--yes"]);
    run.exits(5);
    assert!(run.err().contains("read-only"), "{}", run.err());
    cachedeck([&server.url(), "--read-only", "snapshot", "create", "--yes"]).exits(5);
    assert_eq!(exist(&server, "a"), 1);
    cachedeck([&server.url(), "--read-only", "show", "a"]).succeeds();
}

#[test]
fn a_ttl_is_set_moved_and_removed() {
    let server = seeded();
    let url = server.url();
    cachedeck([&url, "ttl", "a", "--set", "2h", "--yes"]).succeeds();
    let left = server.run("TTL a").int();
    assert!((7100..=7200).contains(&left), "{left}");
    cachedeck([&url, "ttl", "a", "--at", "2099-01-01 00:00", "--yes"]).exits(2);
    cachedeck([&url, "ttl", "a", "--persist", "--yes"]).succeeds();
    assert_eq!(server.run("TTL a"), Reply::Int(-1));
    let run = cachedeck([&url, "ttl", "a", "-o", "json"]);
    assert_eq!(
        run.json()["data"]["keys"][0]["ttl_ms"],
        serde_json::Value::Null
    );
}

#[test]
fn a_key_of_any_bytes_can_be_named_as_it_is_printed() {
    let server = RedisServer::plain(Flavor::Redis);
    server.cmd(&[b"SET", b"\x00\xff \\n\x1b[2J", b"v"]);
    let url = server.url();
    let csv = cachedeck([&url, "keys", "-o", "csv"]);
    let printed = csv
        .out()
        .lines()
        .nth(1)
        .and_then(|line| line.split(',').next());
    cachedeck([&url, "delete", printed.expect("one key"), "--yes"]).succeeds();
    assert_eq!(server.run("DBSIZE"), Reply::Int(0));
}

#[test]
fn a_name_from_json_reaches_no_other_key() {
    let server = RedisServer::plain(Flavor::Redis);
    server.cmd(&[b"SET", br"\x41", b"backslash"]);
    server.run("SET A other");
    let url = server.url();
    let listed = cachedeck([&url, "keys", "-o", "ndjson", "*x41"]);
    let record: serde_json::Value = serde_json::from_str(listed.out()).unwrap();
    let name = record["key"].as_str().unwrap();
    cachedeck([&url, "delete", "--literal", name, "--yes"]).succeeds();
    assert_eq!(exist(&server, "A"), 1);
    assert_eq!(cachedeck([&url, "keys"]).out().lines().count(), 2);
}

#[test]
fn memcached_changes_go_the_same_way() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("a", b"1", 0);
    let url = server.url();
    cachedeck([&url, "ttl", "a", "--set", "1h", "--yes"]).succeeds();
    let ttl = cachedeck([&url, "ttl", "a", "-o", "json"]).json();
    let left = ttl["data"]["keys"][0]["ttl_ms"].as_f64().expect("a TTL");
    assert!((3_590_000.0..=3_600_000.0).contains(&left), "{left}");
    cachedeck([&url, "delete", "a", "nope", "--yes"]).exits(6);
    assert_eq!(server.client().get("a"), None);
}

#[test]
fn a_person_is_asked_and_may_say_no() {
    let server = seeded();
    let home = Home::new();
    let ask = |answer: &str| {
        let mut terminal = Start::cachedeck(&home, [&server.url(), "delete", "a"]).start();
        terminal.wait_for("Do it? [y/N]");
        terminal.send(answer);
        terminal.wait_for_end().status.exit_code()
    };
    assert_eq!(ask("\r"), 5);
    assert_eq!(ask("n\r"), 5);
    assert_eq!(ask("\x03"), 130);
    assert_eq!(exist(&server, "a"), 1);
    assert_eq!(ask("y\r"), 0);
    assert_eq!(exist(&server, "a"), 0);
}

#[test]
fn production_wants_its_name_typed() {
    let server = seeded();
    let home = Home::new();
    let profile = format!(
        "profiles:\n  prod: {{ url: '{}', environment: production }}\n",
        server.url()
    );
    let file = home.write("c.yaml", &profile);
    let ask = |answer: &str| {
        let words = ["--config", file.to_str().unwrap(), "prod", "delete", "a"];
        let mut terminal = Start::cachedeck(&home, words).start();
        terminal.wait_for("Type prod to do it:");
        terminal.send(answer);
        terminal.wait_for_end().status.exit_code()
    };
    assert_eq!(ask("y\r"), 5);
    assert_eq!(exist(&server, "a"), 1);
    assert_eq!(ask("prod\r"), 0);
    assert_eq!(exist(&server, "a"), 0);
}
