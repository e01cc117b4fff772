//! Hot keys, from every source, with traffic that hurts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::cachedeck;
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::scripted::{Answer, Script, ScriptedServer};

/// Runs `hot` while `traffic` goes on.
fn hot(url: &str, args: &[&str], traffic: impl Fn() + Sync) -> Value {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                traffic();
            }
        });
        let mut words = vec!["-t", url, "hot", "-o", "json"];
        words.extend(args);
        let run = cachedeck(words);
        is_over.store(true, Ordering::Relaxed);
        run.succeeds();
        run.json()
    })
}

fn keys(answer: &Value) -> Vec<&str> {
    let keys = answer["data"]["keys"].as_array().expect("keys");
    keys.iter().filter_map(|key| key["key"].as_str()).collect()
}

#[test]
fn a_short_look_at_all_commands_counts_keys_of_any_bytes() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let traffic = || {
            let mut client = server.client();
            for turn in 0..50 {
                client
                    .cmd(&[b"GET", b"hot\x00\xff\x1b[2J"])
                    .expect("an answer");
                client
                    .cmd(&[b"MGET", b"hot\x00\xff\x1b[2J", b"warm"])
                    .expect("an answer");
                if turn % 10 == 0 {
                    client.cmd(&[b"SET", b"cold", b"x"]).expect("an answer");
                }
            }
        };
        let answer = hot(
            &server.url(),
            &["--via", "monitor", "--for", "400ms"],
            traffic,
        );
        let data = &answer["data"];
        let odd = serde_json::json!({"base64": "aG90AP8bWzJK"});
        assert_eq!(data["keys"][0]["key"], odd);
        assert_eq!(keys(&answer), ["warm", "cold"]);
        assert_eq!(
            (&data["via"], &data["unit"]),
            (&"monitor".into(), &"commands".into())
        );
        let by: Vec<&str> = data["keys"][0]["by"]
            .as_array()
            .expect("commands")
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert!(by.contains(&"GET") && by.contains(&"MGET"), "{by:?}");
        let client = data["keys"][0]["clients"][0]["name"].as_str();
        assert!(client.is_some_and(|client| !client.is_empty()), "{data}");
        assert!(data["window_s"].as_f64().is_some_and(|span| span <= 0.4));
    }
}

#[test]
fn the_look_ends_when_enough_bytes_came() {
    let server = RedisServer::plain(Flavor::default());
    let traffic = || {
        let mut client = server.client();
        for _ in 0..100 {
            client.cmd(&[b"GET", &[b'k'; 1000]]).expect("an answer");
        }
    };
    let args = ["--via", "monitor", "--for", "60s", "--bytes", "20kb"];
    let answer = hot(&server.url(), &args, traffic);
    assert_eq!(answer["data"]["ended"], "bytes");
    assert!(!answer["warnings"].as_array().expect("warnings").is_empty());
}

#[test]
fn counters_of_a_policy_are_read_and_not_moved() {
    let server = RedisServer::start(Options {
        args: [
            "--maxmemory",
            "100mb",
            "--maxmemory-policy",
            "allkeys-lfu",
            "--lfu-log-factor",
            "0",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Options::default()
    });
    for key in 0..300 {
        server.cmd(&[b"SET", format!("cold:{key}").as_bytes(), b"x"]);
    }
    for _ in 0..100 {
        server.cmd(&[b"GET", b"cold:7"]);
    }
    let frequency = |key: &str| server.cmd(&[b"OBJECT", b"FREQ", key.as_bytes()]).int();
    let before = (frequency("cold:7"), frequency("cold:8"));
    let answer = hot(&server.url(), &["--full-speed", "--top", "3"], || {
        thread::yield_now();
    });
    assert_eq!(answer["data"]["via"], "lfu");
    assert_eq!(keys(&answer)[0], "cold:7");
    assert_eq!(keys(&answer).len(), 3);
    assert_eq!(answer["data"]["seen"], 300);
    assert_eq!(answer["data"]["keys"][0]["count"], before.0);
    assert_eq!((frequency("cold:7"), frequency("cold:8")), before);
}

#[test]
fn notifications_are_counted_where_the_server_sends_them() {
    let server = RedisServer::plain(Flavor::default());
    server.run("CONFIG SET notify-keyspace-events Ex$");
    let traffic = || {
        for turn in 0..20 {
            let key: &[u8] = if turn % 4 == 0 { b"warm" } else { b"hot:a:b" };
            server.cmd(&[b"SET", key, b"x"]);
        }
    };
    let answer = hot(&server.url(), &["--for", "400ms"], traffic);
    assert_eq!(answer["data"]["via"], "notifications");
    assert_eq!(keys(&answer), ["hot:a:b", "warm"]);
    assert_eq!(answer["data"]["keys"][0]["by"][0]["name"], "set");
    let notes = answer["warnings"].to_string();
    assert!(notes.contains("changes, and no reading"), "{notes}");
}

#[test]
fn without_any_account_the_ways_to_one_are_named() {
    let server = RedisServer::plain(Flavor::default());
    let run = cachedeck(["-t", server.url().as_str(), "hot"]);
    assert_ne!(run.code(), Some(0));
    assert_eq!(run.out(), "");
    for words in [
        "HOTKEYS GET",
        "maxmemory-policy is noeviction",
        "--via monitor",
    ] {
        assert!(run.err().contains(words), "{}", run.err());
    }
    for via in ["lfu", "watch", "hotkeys", "notifications"] {
        let run = cachedeck(["-t", server.url().as_str(), "hot", "--via", via]);
        assert_ne!(run.code(), Some(0), "{via}");
    }
    let run = cachedeck([
        "-t",
        server.url().as_str(),
        "hot",
        "--via",
        "monitor",
        "--for",
        "2m",
    ]);
    assert!(run.err().contains("--for takes up to 60s"), "{}", run.err());
}

#[test]
fn memcached_tells_who_fetches_what_and_how_often_in_vain() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("hot", b"12345", 0);
    let traffic = || {
        let mut client = server.client();
        for turn in 0..100 {
            client.cmd(b"get hot\r\n");
            if turn % 4 == 0 {
                client.cmd(b"get missing\r\n");
            }
        }
    };
    let answer = hot(&server.url(), &["--for", "400ms"], traffic);
    let data = &answer["data"];
    assert_eq!(data["via"], "watch");
    assert_eq!(keys(&answer), ["hot", "missing"]);
    assert_eq!(data["keys"][0]["misses"], 0);
    assert_eq!(data["keys"][1]["hits"], 0);
    let (count, bytes) = (&data["keys"][0]["count"], &data["keys"][0]["bytes"]);
    assert_eq!(count.as_u64().map(|count| count * 5), bytes.as_u64());
    assert!(data["dropped"].is_u64());
    let run = cachedeck(["-t", server.url().as_str(), "hot", "--via", "monitor"]);
    assert!(
        run.err().contains("Memcached has no `monitor`"),
        "{}",
        run.err()
    );
}

/// HOTKEYS came with Redis 8.6. Few have one, so one is played.
#[test]
fn what_a_server_tracks_by_itself_is_asked_first() {
    let reply = "*10\r\n$15\r\ntracking-active\r\n:0\r\n$12\r\nsample-ratio\r\n:1\r\n\
                 $22\r\ncollection-duration-ms\r\n:6408\r\n\
                 $14\r\nby-cpu-time-us\r\n*4\r\n$1\r\nx\r\n:104\r\n$1\r\ny\r\n:98\r\n\
                 $12\r\nby-net-bytes\r\n*2\r\n$1\r\nz\r\n:9000\r\n";
    let memory = "$27\r\nmaxmemory_policy:noeviction\r\n";
    let ok = || Answer::Bytes(b"+OK\r\n".to_vec());
    let script = Script::new()
        .on("SETNAME", ok())
        .on("NO-TOUCH", ok())
        .on("LIB-NAME", ok())
        .on("LIB-VER", ok())
        .on("PING", Answer::Bytes(b"+PONG\r\n".to_vec()))
        .on("HOTKEYS", Answer::Bytes(reply.into()))
        .on("memory", Answer::Bytes(memory.into()))
        .on("notify-keyspace-events", Answer::Bytes(b"*0\r\n".to_vec()));
    let server = ScriptedServer::start(script);
    let url = format!("redis://{}", server.address());
    let run = cachedeck([&url, "hot", "-o", "json"]);
    run.succeeds();
    let answer = run.json();
    assert_eq!(answer["data"]["via"], "hotkeys");
    assert_eq!(answer["data"]["window_s"], 6.408);
    assert_eq!(keys(&answer), ["x", "y", "z"]);
    // It is on the list of bytes alone: how much time it took is not known, and not 0.
    let last = &answer["data"]["keys"][2];
    assert_eq!(
        (&last["count"], &last["bytes"]),
        (&Value::Null, &9000.into())
    );
    let run = cachedeck([&url, "hot"]);
    assert!(run.out().contains("CPU US"), "{}", run.out());
    assert!(
        run.out()
            .lines()
            .any(|line| line.contains('?') && line.ends_with('z')),
        "{}",
        run.out()
    );
}
