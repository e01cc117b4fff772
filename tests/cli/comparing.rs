//! `snapshot diff` for Redis and Valkey: files against servers, and against each other.

use std::path::{Path, PathBuf};

use crate::common::program::{Run, cachedeck};
use crate::common::redis::{Flavor, Options, RedisServer};

/// Something of every type and of every size class, in two databases, with odd names.
pub fn seed(server: &RedisServer) {
    for words in [
        "SET text hello",
        "SET number 12345",
        "SET lives EXVALUE EX 100000",
        "RPUSH list a b c 1 2",
        "SADD ints 1 2 3",
        "SADD words a b 3",
        "HSET hash field value other 5",
        "ZADD zset 1.5 a inf b -0.25 c 3 d",
        "XADD stream 1-1 field value",
        "XADD stream 2-1 field value other x",
        "XADD stream 3-1 field value",
        "XGROUP CREATE stream readers 0",
        "XREADGROUP GROUP readers ann COUNT 2 STREAMS stream >",
        "XGROUP CREATE stream idle $",
        "XDEL stream 1-1",
        "PFADD hll a b c",
        "SETBIT bits 7 1",
        "DEBUG POPULATE 3000 filler 50",
    ] {
        server.run(words);
    }
    let script = "for n = 1, 2000 do redis.call('SADD', 'many', 'member:' .. n) \
                  redis.call('HSET', 'wide', 'field:' .. n, n) \
                  redis.call('ZADD', 'board', n / 3, 'player:' .. n) \
                  redis.call('RPUSH', 'queue', 'job:' .. n) end \
                  redis.call('SET', 'large', string.rep('x', 3000000))";
    assert!(!server.cmd(&[b"EVAL", script.as_bytes(), b"0"]).is_error());
    let mut client = server.client();
    client.cmd(&[b"SELECT", b"3"]).expect("a database");
    for (name, value) in [
        (&b"bin\x00\xff\r\n"[..], &b"\xfe\x00\r\n"[..]),
        (b"", b"the empty name"),
        (b"a \"quoted\" {name}", b""),
    ] {
        let reply = client.cmd(&[b"SET", name, value]).expect("a key");
        assert!(!reply.is_error());
    }
}

pub fn server(flavor: Flavor) -> RedisServer {
    RedisServer::plain(flavor)
}

/// The file that the server writes.
pub fn saved(server: &RedisServer) -> PathBuf {
    server.run("SAVE");
    server.directory().join("dump.rdb")
}

pub fn diff(before: &str, after: &str, more: &[&str]) -> Run {
    let words = [&["snapshot", "diff", before, after, "--full-speed"], more].concat();
    cachedeck(words)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A file that Redis 8.6.2 wrote, of all that only it has as well: fields that expire, a stream that
/// knows its producers, sets of vectors; and the one that it wrote after it had loaded the first.
pub fn of_redis_8_6(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/vectors/redis").join(name)
}

#[test]
fn a_set_of_vectors_is_the_same_in_whatever_order_it_was_saved() {
    let (before, after) = (of_redis_8_6("8.6.rdb"), of_redis_8_6("8.6-loaded.rdb"));
    assert_ne!(std::fs::read(&before).ok(), std::fs::read(&after).ok());
    let run = diff(text(&before), text(&after), &["-o", "json"]);
    run.exits(0);
    assert_eq!(run.json()["data"]["same"], 18);
}

#[test]
fn a_server_is_the_same_as_the_file_it_just_wrote() {
    for flavor in Flavor::available() {
        let server = server(flavor);
        seed(&server);
        if server.knows("HSETEX") {
            server.run("HSETEX hash EX 5000 FIELDS 1 brief v");
        }
        let file = saved(&server);
        let run = diff(text(&file), &server.url(), &["-o", "json"]);
        run.exits(0);
        let data = &run.json()["data"];
        assert_eq!(data["differs"], false, "{data}");
        assert_eq!(data["same"], 3_000 + 16 + 3, "{data}");
    }
}

#[test]
fn what_changed_since_the_file_is_told() {
    for flavor in Flavor::available() {
        let server = server(flavor);
        seed(&server);
        server.run("SET gone-by-itself x PX 1");
        let file = saved(&server);
        for words in [
            "SET new:1 x",
            "DEL text",
            "SADD many one-more",
            "EXPIRE lives 5000",
            "XACK stream readers 2-1",
            "DEL list",
            "SET list hello",
        ] {
            server.run(words);
        }
        let run = diff(text(&file), &server.url(), &["-o", "ndjson"]);
        run.exits(1);
        let mut found: Vec<String> = run
            .out()
            .lines()
            .map(|line| {
                let record: serde_json::Value = serde_json::from_str(line).expect("a record");
                let word = |name: &str| record[name].as_str().expect("a word").to_owned();
                format!("{} {}", word("what"), word("key"))
            })
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "added new:1",
                "changed list",
                "changed many",
                "changed stream",
                "removed text",
                "ttl_changed lives",
            ],
            "{flavor:?}"
        );
        let only = diff(
            text(&file),
            &server.url(),
            &["--match", "new:*", "-o", "json"],
        );
        assert_eq!(only.json()["data"]["added"], 1);
        assert_eq!(only.json()["data"]["same"], 0);
    }
}

#[test]
fn the_form_that_a_server_keeps_a_value_in_makes_no_difference() {
    let packed = server(Flavor::Redis);
    let plain = RedisServer::start(Options {
        args: [
            "--hash-max-listpack-entries",
            "0",
            "--zset-max-listpack-entries",
            "0",
            "--set-max-intset-entries",
            "0",
            "--list-max-listpack-size",
            "1",
            "--stream-node-max-entries",
            "1",
            "--rdbcompression",
            "no",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Options::default()
    });
    for server in [&packed, &plain] {
        for words in [
            "SADD ints 1 2 3",
            "HSET hash field value other 5",
            "ZADD zset 1.5 a inf b -0.25 c 3 d",
            "RPUSH list a b c 1 2",
            "XADD stream 1-1 field value",
            "XADD stream 2-1 field value",
        ] {
            server.run(words);
        }
    }
    let (one, other) = (saved(&packed), saved(&plain));
    diff(text(&one), text(&other), &[]).exits(0);
    diff(&packed.url(), text(&other), &[]).exits(0);
}

#[test]
fn items_are_not_compared_with_keys() {
    let redis = server(Flavor::Redis);
    let run = diff(&redis.url(), "memcached://127.0.0.1:1", &[]);
    run.exits(2);
    assert!(run.err().contains("items of Memcached"), "{}", run.err());
}

#[test]
fn a_damaged_file_is_no_side() {
    let redis = server(Flavor::Redis);
    seed(&redis);
    let file = saved(&redis);
    let bytes = std::fs::read(&file).expect("our own file");
    let cut = redis.directory().join("cut.rdb");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("our own directory");
    let run = diff(text(&cut), text(&file), &[]);
    run.exits(1);
    assert!(run.err().contains("it is cut off"), "{}", run.err());
}
