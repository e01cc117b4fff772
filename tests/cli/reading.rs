//! Commands that look: what they show is what the server has.

use rustix::process::Signal;

use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::{Call, Home, cachedeck};
use crate::common::redis::{self, Flavor, Options, RedisServer};
use crate::common::wait::{self, PATIENCE};

#[test]
fn the_overview_reads_well() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("MSET a 1 b 2");
        let run = cachedeck([&server.url(), "info"]);
        run.succeeds();
        for words in [
            "Hit ratio",
            "Memory",
            "Keyspace",
            "2 keys, 0 with TTL",
            &flavor.version(),
        ] {
            assert!(
                run.out().contains(words),
                "{words:?} is not in:\n{}",
                run.out()
            );
        }
        assert!(run.err().is_empty(), "{}", run.err());
    }
}

#[test]
fn a_window_gives_the_ratio_of_its_own_time() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("SET a 1");
    server.run("GET nope");
    let mut running = Call::new([&server.url(), "watch", "--interval", "50ms", "-o", "ndjson"])
        .start(&Home::new());
    running.line().expect("a first record");
    server.run("GET a");
    let mut ratios = std::iter::from_fn(|| running.line())
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .map(|record| record["window"]["hit_ratio"].clone());
    let ratio = ratios.find(|ratio| !ratio.is_null());
    assert_eq!(ratio, Some(1.0.into()));
}

#[test]
fn ctrl_c_ends_watching() {
    let server = RedisServer::plain(Flavor::Redis);
    let mut running = Call::new([&server.url(), "watch", "--interval", "50ms"]).start(&Home::new());
    running.line().expect("the headings");
    running.signal(Signal::INT);
    let run = running.wait();
    run.exits(130);
    assert!(run.err().is_empty(), "{}", run.err());
}

#[test]
fn watching_survives_a_restart_and_names_it() {
    let mut server = RedisServer::plain(Flavor::Redis);
    let mut running = Call::new([&server.url(), "watch", "--interval", "50ms", "-o", "ndjson"])
        .start(&Home::new());
    running.line().expect("a first record");
    server.restart();
    let why = std::iter::from_fn(|| running.line())
        .map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
        .find(|record| record["window"].is_null())
        .map(|record| record["unsupported"]["window"].clone());
    assert_eq!(why, Some("the server restarted".into()));
}

#[test]
fn keys_are_filtered_sorted_and_limited() {
    let server = RedisServer::plain(Flavor::Redis);
    for number in 0..1200 {
        server.run(&format!("SET many:{number} v"));
    }
    server.run("HSET hash f v");
    server.run("SET soon v EX 100");
    server.cmd(&[b"SET", b"big", &vec![b'x'; 100_000]]);
    let names = |args: &[&str]| {
        let url = server.url();
        let run = cachedeck([&[url.as_str(), "keys", "-o", "ndjson"], args].concat());
        run.succeeds();
        let names: Vec<String> = run
            .out()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|record| record["key"].as_str().unwrap().to_owned())
            .collect();
        names
    };
    assert_eq!(names(&[]).len(), 1203);
    assert_eq!(names(&["many:*"]).len(), 1200);
    assert_eq!(names(&["--limit", "7"]).len(), 7);
    assert_eq!(names(&["--limit", "0"]).len(), 0);
    assert_eq!(names(&["--type", "hash"]), ["hash"]);
    assert_eq!(names(&["--ttl", "<1h"]), ["soon"]);
    assert_eq!(names(&["--ttl", "none", "--min-size", "90kb"]), ["big"]);
    assert_eq!(names(&["--sort", "size", "--limit", "1"]), ["big"]);
    assert_eq!(names(&["--sort", "ttl", "--limit", "1"]), ["soon"]);
    assert_eq!(names(&["--sort", "name", "--limit", "2"]), ["big", "hash"]);
    assert_eq!(names(&["--idle", ">1d"]).len(), 0);
}

#[test]
fn the_table_of_keys_says_how_much_was_seen() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("MSET a 1 b 2");
    let run = cachedeck([&server.url(), "keys"]);
    assert!(
        run.err()
            .contains("note: 2 keys; all of the keyspace was seen"),
        "{}",
        run.err()
    );
    assert_eq!(run.out().lines().count(), 3, "{}", run.out());
}

#[test]
fn raw_bytes_come_as_they_are() {
    let server = RedisServer::plain(Flavor::Redis);
    let value: Vec<u8> = (0..2_500_000_u32).map(|n| (n % 251) as u8).collect();
    server.cmd(&[b"SET", b"big", &value]);
    let run = cachedeck([&server.url(), "show", "big", "--raw"]);
    run.succeeds();
    assert!(run.stdout == value, "{} bytes came", run.stdout.len());
    let run = cachedeck([
        &server.url(),
        "show",
        "big",
        "--raw",
        "--range",
        "1000:1010",
    ]);
    assert_eq!(run.stdout, value[1000..1010]);
    let memcached = MemcachedServer::start(memcached::Options::default());
    memcached.set("k", &value[..900_000], 0);
    let run = cachedeck([&memcached.url(), "show", "k", "--raw"]);
    assert!(
        run.stdout == value[..900_000],
        "{} bytes came",
        run.stdout.len()
    );
    let run = cachedeck([&memcached.url(), "show", "k", "--raw", "--range", "5:9"]);
    assert_eq!(run.stdout, value[5..9]);
}

#[test]
fn a_part_of_a_value_says_that_it_is_one() {
    let server = RedisServer::plain(Flavor::Redis);
    for number in 0..250 {
        server.run(&format!("RPUSH list {number}"));
    }
    let run = cachedeck([&server.url(), "show", "list"]);
    assert!(run.out().contains("100 of 250 elements"), "{}", run.out());
    let run = cachedeck([
        &server.url(),
        "show",
        "list",
        "--range",
        "200:",
        "-o",
        "json",
    ]);
    let data = &run.json()["data"];
    assert_eq!(data["value"].as_array().unwrap().len(), 50);
    assert_eq!(
        (&data["value"][0], &data["exact"]),
        (&"200".into(), &false.into())
    );
}

#[test]
fn a_hostile_value_cannot_reach_the_terminal() {
    let server = RedisServer::plain(Flavor::Redis);
    server.cmd(&[
        b"HSET",
        b"\x1b]0;pwned\x07",
        "f\u{202e}".as_bytes(),
        b"\x1b[2J\xc2\x9b1m",
    ]);
    for form in ["table", "json", "ndjson", "csv", "yaml"] {
        for command in [&["keys"][..], &["show", r"\x1b]0;pwned\x07"]] {
            let url = server.url();
            let run = cachedeck([&[url.as_str(), "-o", form], command].concat());
            run.succeeds();
            let bad = run
                .out()
                .chars()
                .find(|c| (c.is_control() && *c != '\n') || ('\u{200b}'..='\u{206f}').contains(c));
            assert_eq!(
                bad,
                None,
                "{form} {command:?}: {}",
                run.out().escape_debug()
            );
        }
    }
}

#[test]
fn replicas_are_listed_on_both_sides() {
    let primary = RedisServer::plain(Flavor::Redis);
    let replica = RedisServer::start(Options {
        replica_of: Some(primary.as_primary()),
        ..Options::default()
    });
    redis::wait_until_in_step(&primary, &replica);
    // The primary calls a replica online only after its first acknowledgement.
    wait::until("the replica to be online", PATIENCE, || {
        let above = cachedeck([&primary.url(), "replication", "-o", "json"]).json();
        (above["data"]["replicas"][0]["state"] == "online").then_some(())
    });
    let below = cachedeck([&replica.url(), "replication", "-o", "json"]).json();
    assert_eq!(below["data"]["role"], "replica");
    assert_eq!(below["data"]["link"]["is_up"], true);
    let text = cachedeck([&replica.url(), "replication"]);
    assert!(text.out().contains("link      up"), "{}", text.out());
}

#[test]
fn a_part_says_whether_more_follows() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("RPUSH list a b c");
    let ask = |args: &[&str]| cachedeck([&[&server.url(), "show", "list"], args].concat());
    let run = ask(&["--range", ":2", "-o", "ndjson"]);
    assert_eq!(run.out().lines().count(), 2);
    let note = "2 of 3 elements, from 0; --range 2: goes on";
    assert!(run.err().contains(note), "{}", run.err());
    assert!(ask(&["--range", ":2"]).out().contains(note));
    assert_eq!(ask(&["-o", "ndjson"]).err(), "");
    let run = ask(&["--range", "2:"]);
    assert!(
        run.out().ends_with("1 of 3 elements, from 2\n"),
        "{}",
        run.out()
    );
    let run = ask(&["--range", "9:"]);
    assert!(
        run.out().ends_with("0 of 3 elements, from 9\n"),
        "{}",
        run.out()
    );
}
