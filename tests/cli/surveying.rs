//! Whole keyspaces: what is reported is what was written, counted another way.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::program::{Call, Home, cachedeck};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::wait::{self, PATIENCE};

/// What was written, counted while it was written.
#[derive(Default)]
struct Truth {
    keys: u64,
    types: BTreeMap<&'static str, u64>,
    prefixes: BTreeMap<String, u64>,
    without_ttl: u64,
    within_1h: u64,
}

/// Writes so many keys whose names, types and TTLs follow from their number alone.
fn fill(server: &RedisServer, keys: u64) -> Truth {
    let mut truth = Truth::default();
    let mut client = server.client();
    for n in 0..keys {
        let (kind, name, folder) = match n % 7 {
            0 => ("hash", format!("user:{n}:attrs"), "user:"),
            1 => ("set", format!("tags:{n}"), "tags:"),
            2 => ("zset", format!("board:{n}"), "board:"),
            3 => ("list", format!("queue:mail:{n}"), "queue:"),
            _ => (
                "string",
                format!("session:{:032x}", n * 0x9e37_79b9),
                "session:",
            ),
        };
        let value = "v".repeat(usize::try_from(n % 50).expect("small"));
        let words: Vec<&[u8]> = match kind {
            "hash" => vec![b"HSET", name.as_bytes(), b"f", value.as_bytes()],
            "set" => vec![b"SADD", name.as_bytes(), b"m", b"n"],
            "zset" => vec![b"ZADD", name.as_bytes(), b"1", b"m"],
            "list" => vec![b"RPUSH", name.as_bytes(), b"a", b"b", b"c"],
            _ => vec![b"SET", name.as_bytes(), value.as_bytes()],
        };
        client.cmd(&words).expect("an answer");
        if n % 3 == 0 {
            let seconds = if n % 2 == 0 { "1800" } else { "86400" };
            client
                .cmd(&[b"EXPIRE", name.as_bytes(), seconds.as_bytes()])
                .expect("an answer");
            truth.within_1h += u64::from(n % 2 == 0);
        } else {
            truth.without_ttl += 1;
        }
        truth.keys += 1;
        *truth.types.entry(kind).or_default() += 1;
        *truth.prefixes.entry(folder.to_owned()).or_default() += 1;
    }
    truth
}

/// Memory of all keys, asked one by one.
fn bytes(server: &RedisServer) -> u64 {
    let mut client = server.client();
    let keys = client.cmd(&[b"KEYS", b"*"]).expect("an answer");
    let mut sum = 0;
    for key in keys.array() {
        let size = client.cmd(&[b"MEMORY", b"USAGE", key.text().as_bytes()]);
        sum += u64::try_from(size.expect("an answer").int()).expect("a size");
    }
    sum
}

fn analyzed(server: &RedisServer, args: &[&str]) -> Value {
    let url = server.url();
    let mut words = vec![url.as_str(), "analyze", "-o", "json"];
    words.extend(args);
    let run = cachedeck(words);
    run.succeeds();
    run.json()["data"].clone()
}

#[test]
fn a_report_agrees_with_what_was_written() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let truth = fill(&server, 5_000);
        let data = analyzed(&server, &["--full-speed"]);
        assert_eq!(data["keys"], truth.keys);
        assert_eq!(data["bytes"], bytes(&server));
        for row in data["types"].as_array().expect("types") {
            let kind = row["type"].as_str().expect("a word");
            assert_eq!(row["keys"], truth.types[kind], "{kind}");
        }
        let prefixes = data["prefixes"].as_array().expect("prefixes");
        for (prefix, keys) in &truth.prefixes {
            let row = prefixes.iter().find(|row| row["prefix"] == json!(prefix));
            assert_eq!(row.expect("a row")["keys"], *keys, "{prefix}");
        }
        let users = prefixes.iter().find(|row| row["prefix"] == "user:*:attrs");
        assert_eq!(users.expect("ids are one")["keys"], truth.prefixes["user:"]);
        assert_eq!(data["ttl"]["without"], truth.without_ttl);
        assert_eq!(data["ttl"]["within_1h"], truth.within_1h);
        assert_eq!(data["coverage"]["seen"], truth.keys);
        assert_eq!(data["exact"], true);
    }
}

#[test]
fn a_walk_leaves_no_trace_but_lookups_that_it_reports() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        fill(&server, 500);
        server.run("CONFIG RESETSTAT");
        let data = analyzed(&server, &["--full-speed"]);
        let count = |field: &str| -> u64 {
            let text = server.info(field).expect("a counter");
            text.parse().expect("a number")
        };
        let counted = count("keyspace_hits") + count("keyspace_misses");
        assert_eq!(data["cost"]["lookups"], counted);
        server.run("CONFIG RESETSTAT");
        analyzed(&server, &["--full-speed", "--ask", "size"]);
        assert_eq!(count("keyspace_hits") + count("keyspace_misses"), 0);
    }
}

#[test]
fn several_servers_are_one_report() {
    let (one, other) = (
        RedisServer::plain(Flavor::Redis),
        RedisServer::plain(Flavor::Redis),
    );
    let (first, second) = (fill(&one, 700), fill(&other, 300));
    let (one, other) = (one.url(), other.url());
    let run = cachedeck([
        "-t",
        &one,
        "-t",
        &other,
        "analyze",
        "--full-speed",
        "-o",
        "json",
    ]);
    run.succeeds();
    let data = run.json()["data"].clone();
    assert_eq!(data["keys"], first.keys + second.keys);
    let parts = data["coverage"]["targets"].as_array().expect("two");
    assert_eq!(parts[1]["seen"], second.keys);
}

#[test]
fn what_a_user_may_not_ask_is_named_and_the_rest_is_told() {
    let server = RedisServer::plain(Flavor::Redis);
    fill(&server, 200);
    server.run("ACL SETUSER poor on >pw ~* +@read +@connection +info +dbsize +scan -memory|usage -object|idletime");
    let url = server.url().replace("redis://", "redis://poor:pw@");
    let run = cachedeck([&url, "analyze", "--full-speed", "-o", "json"]);
    assert_eq!(run.code(), Some(6), "{}", run.err());
    let data = run.json()["data"].clone();
    assert_eq!((&data["keys"], &data["bytes"]), (&200.into(), &Value::Null));
    let why = data["unsupported"]["bytes"].as_str().expect("a reason");
    assert!(why.contains("MEMORY USAGE"), "{why}");
    assert_eq!(data["types"].as_array().map(Vec::len), Some(5));
}

#[test]
fn growth_between_two_reports_is_told() {
    let server = RedisServer::plain(Flavor::Redis);
    fill(&server, 300);
    let home = Home::new();
    let url = server.url();
    let before = cachedeck([&url, "analyze", "--full-speed", "-o", "json"]);
    let file = home.write("before.json", before.out());
    for n in 0..40 {
        server.run(&format!("SET leak:{n} {}", "x".repeat(500)));
    }
    let args = [
        &url,
        "analyze",
        "--full-speed",
        "--compare",
        file.to_str().expect("a path"),
    ];
    let run = cachedeck(args);
    run.succeeds();
    assert!(run.out().contains("leak:*"), "{}", run.out());
    let mut words = args.to_vec();
    words.extend(["-o", "json"]);
    let compared = cachedeck(words).json()["data"]["compared"].clone();
    assert_eq!(compared["prefixes"][0]["prefix"], "leak:");
    assert_eq!(compared["keys"], json!({"before": 300, "after": 340}));
}

#[test]
fn interrupted_it_prints_what_was_seen() {
    let server = RedisServer::plain(Flavor::Redis);
    fill(&server, 20_000);
    let running =
        Call::new([&server.url(), "analyze", "--budget", "0.1", "-o", "json"]).start(&Home::new());
    wait::until("the walk asks", PATIENCE, || {
        let calls = server.run("INFO commandstats");
        calls.text().contains("cmdstat_type").then_some(())
    });
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code(), Some(130));
    let data = run.json()["data"].clone();
    let seen = data["coverage"]["seen"].as_u64().expect("a count");
    assert!((1..20_000).contains(&seen), "{seen}");
    assert_eq!(data["coverage"]["stopped"], "interrupted");
    assert_eq!(data["exact"], false);
}

#[test]
fn the_tree_counts_below_a_prefix() {
    let server = RedisServer::plain(Flavor::Redis);
    let truth = fill(&server, 1_000);
    let run = cachedeck([&server.url(), "tree", "user:", "--full-speed"]);
    run.succeeds();
    let keys = truth.prefixes["user:"].to_string();
    let line = run
        .out()
        .lines()
        .find(|line| line.trim_start().starts_with("user:*:attrs"));
    assert!(
        line.is_some_and(|line| line.contains(&keys)),
        "{}",
        run.out()
    );
    assert!(!run.out().contains("session:"), "{}", run.out());
    let csv = cachedeck([
        &server.url(),
        "tree",
        "--full-speed",
        "--names",
        "--depth",
        "1",
        "-o",
        "csv",
    ]);
    assert_eq!(
        csv.out().lines().count(),
        1 + truth.prefixes.len(),
        "{}",
        csv.out()
    );
}
