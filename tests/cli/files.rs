//! A snapshot file as a target: the same answers as the server gives that wrote it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::program::{Home, Run, cachedeck};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::resp::Reply;

/// Every type, small and large, and names and values that hurt.
fn filled(flavor: Flavor) -> RedisServer {
    let server = RedisServer::plain(flavor);
    let script = "
        redis.call('SET', 'text', 'hello')
        redis.call('SET', 'number', '-12345')
        redis.call('SET', 'long', string.rep('abc', 40000))
        redis.call('SET', '', 'of the empty name')
        redis.call('SET', 'odd\\0\\255\\27[2J', 'a\\0b\\255')
        redis.call('SET', 'soon', 'x', 'EX', 5000)
        for n = 1, 3 do redis.call('RPUSH', 'list:short', 'item' .. n) end
        for n = 1, 3000 do redis.call('RPUSH', 'list:long', string.rep('i', 40) .. n) end
        for n = 1, 20 do redis.call('SADD', 'set:numbers', n * 7) end
        for n = 1, 900 do redis.call('SADD', 'set:words', 'word' .. n) end
        for n = 1, 5 do redis.call('HSET', 'hash:short', 'f' .. n, 'v' .. n) end
        for n = 1, 900 do redis.call('HSET', 'hash:long', 'field' .. n, string.rep('v', 100)) end
        for n = 1, 5 do redis.call('ZADD', 'zset:short', n / 3, 'm' .. n) end
        for n = 1, 900 do redis.call('ZADD', 'zset:long', n * 1.5, 'member' .. n) end
        for n = 1, 500 do redis.call('XADD', 'stream', n .. '-1', 'f', 'v' .. n, 'g', n) end
        redis.call('XDEL', 'stream', '7-1')
        redis.call('XGROUP', 'CREATE', 'stream', 'workers', '0')
        redis.call('XREADGROUP', 'GROUP', 'workers', 'me', 'COUNT', 5, 'STREAMS', 'stream', '>')
        redis.call('SELECT', 3)
        redis.call('SET', 'elsewhere', '1')";
    let reply = server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    assert!(!reply.is_error(), "{reply:?}");
    assert!(!server.cmd(&[b"SAVE"]).is_error());
    server
}

fn file_of(server: &RedisServer) -> String {
    server.directory().join("dump.rdb").display().to_string()
}

fn data(target: &str, words: &[&str]) -> Value {
    let mut all = vec![target];
    all.extend(words);
    all.extend(["-o", "json"]);
    let run = cachedeck(all);
    run.succeeds();
    run.json()["data"].clone()
}

fn names(server: &RedisServer) -> Vec<Vec<u8>> {
    let keys = server.cmd(&[b"KEYS", b"*"]);
    let bytes = |key: &Reply| match key {
        Reply::Bulk(bytes) => bytes.clone(),
        other => panic!("a name is bytes, not {other:?}"),
    };
    keys.array().iter().map(bytes).collect()
}

#[test]
fn keys_and_values_are_those_of_the_server() {
    for flavor in Flavor::available() {
        let server = filled(flavor);
        let (url, file) = (server.url(), file_of(&server));
        let live = data(&url, &["keys", "--sort", "name"]);
        let kept = data(&file, &["keys", "--sort", "name"]);
        let rows = |data: &Value| -> Vec<(Value, Value, bool)> {
            let keys = data["keys"].as_array().expect("rows").iter();
            keys.map(|row| {
                (
                    row["key"].clone(),
                    row["type"].clone(),
                    row["ttl_ms"].is_null(),
                )
            })
            .collect()
        };
        assert_eq!(rows(&live), rows(&kept));
        for name in names(&server) {
            let key = cachedeck::text::escape(&name);
            let words = ["show", key.as_str(), "--range", "0:4000"];
            let (live, kept) = (data(&url, &words), data(&file, &words));
            for field in ["key", "type", "encoding", "length"] {
                // Valkey keeps a number that a script wrote as text, until it is loaded again.
                if field == "encoding" && key == "number" {
                    continue;
                }
                assert_eq!(live[field], kept[field], "{flavor:?} {key}: {field}");
            }
            assert_eq!(
                sorted(&live["value"]),
                sorted(&kept["value"]),
                "{flavor:?} {key}"
            );
        }
    }
}

/// Sets and hashes have no order.
fn sorted(value: &Value) -> Vec<String> {
    let mut parts: Vec<String> = match value {
        Value::Array(parts) => parts.iter().map(Value::to_string).collect(),
        Value::Object(parts) => parts.iter().map(|(k, v)| format!("{k}{v}")).collect(),
        other => vec![other.to_string()],
    };
    parts.sort();
    parts
}

#[test]
fn the_report_of_a_file_is_that_of_the_server() {
    for flavor in Flavor::available() {
        let server = filled(flavor);
        let live = data(&server.url(), &["analyze", "--full-speed"]);
        let kept = data(&file_of(&server), &["analyze"]);
        let counts = |data: &Value| -> Vec<(Value, Value)> {
            let mut rows: Vec<(Value, Value)> = data["types"]
                .as_array()
                .expect("types")
                .iter()
                .map(|row| (row["type"].clone(), row["keys"].clone()))
                .collect();
            rows.sort_by_key(|row| row.0.to_string());
            rows
        };
        assert_eq!(counts(&live), counts(&kept));
        assert_eq!(live["keys"], kept["keys"]);
        for field in ["without", "with", "within_1h"] {
            assert_eq!(live["ttl"][field], kept["ttl"][field]);
        }
        assert_eq!(kept["exact"], true);
        // What keys take in a server is an estimate, and a good one.
        let bytes = |data: &Value| data["bytes"].as_f64().expect("bytes");
        let ratio = bytes(&kept) / bytes(&live);
        assert!((0.85..1.15).contains(&ratio), "{flavor:?}: {ratio}");
    }
}

#[test]
fn a_file_says_what_it_is_and_what_it_cannot_tell() {
    let server = filled(Flavor::Redis);
    let file = file_of(&server);
    let info = data(&file, &["info"]);
    assert_eq!(
        (&info["engine"], &info["role"]),
        (&"redis".into(), &"snapshot".into())
    );
    assert_eq!(info["keys"], names(&server).len() + 1);
    assert_eq!(info["hits"], Value::Null);
    assert!(
        info["unsupported"]["hits"]
            .as_str()
            .is_some_and(|why| why.contains("snapshot file"))
    );
    let text = cachedeck([&file, "info"]);
    assert!(text.out().contains("it fits"), "{}", text.out());
    let other = data(&file, &["-n", "3", "keys"]);
    assert_eq!(other["keys"][0]["key"], "elsewhere");
    for (words, says) in [
        (
            &["ttl", "text", "--set", "1h", "--yes"][..],
            "read and never changed",
        ),
        (&["delete", "text", "--yes"], "read and never changed"),
        (&["hot"], "does not tell what is asked for"),
        (&["replication"], "no replication"),
    ] {
        let mut all = vec![file.as_str()];
        all.extend(words);
        let run = cachedeck(all);
        assert_ne!(run.code(), Some(0));
        assert!(run.err().contains(says), "{words:?}: {}", run.err());
    }
    let run = cachedeck([&file, "show", "no such key"]);
    assert_eq!(run.code(), Some(1));
}

/// A copy of the file, cut, changed or packed.
fn copy(home: &Home, name: &str, bytes: &[u8]) -> PathBuf {
    let path = home.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn keys(path: &Path) -> Run {
    cachedeck([path.to_str().expect("a path in UTF-8"), "keys", "--names"])
}

#[test]
fn what_is_no_snapshot_or_not_whole_is_said_with_the_byte() {
    let server = filled(Flavor::Redis);
    let home = Home::new();
    let whole = std::fs::read(file_of(&server)).expect("a snapshot");
    let run = keys(&copy(&home, "cut.rdb", &whole[..whole.len() / 2]));
    assert_eq!(run.code(), Some(1));
    assert!(
        run.err().contains("it is cut off: it ends at byte"),
        "{}",
        run.err()
    );
    assert!(!run.out().is_empty(), "what was readable is told");
    let mut damaged = whole.clone();
    let last = damaged.len() - 3;
    damaged[last] ^= 1;
    let run = keys(&copy(&home, "damaged.rdb", &damaged));
    assert!(run.err().contains("checksum"), "{}", run.err());
    let run = keys(&copy(
        &home,
        "other.rdb",
        b"MZ\x90\x00\x1b[2J\x00\x00\x00\x00",
    ));
    assert!(run.err().contains("it is no snapshot"), "{}", run.err());
    let run = keys(&copy(&home, "empty.rdb", b""));
    assert_eq!(run.code(), Some(1));
    for (path, says) in [
        (home.path().join("none.rdb"), "No such file"),
        (
            PathBuf::from(format!("file:{}", home.path().display())),
            "no regular file",
        ),
    ] {
        let run = keys(&path);
        assert_eq!(run.code(), Some(2));
        assert!(run.err().contains(says), "{}", run.err());
    }
}

#[test]
fn a_packed_file_is_read_as_it_is() {
    let server = filled(Flavor::Redis);
    let home = Home::new();
    let whole = std::fs::read(file_of(&server)).expect("a snapshot");
    let packed = packed(&whole);
    let path = copy(&home, "dump.rdb.gz", &packed);
    let file = path.display().to_string();
    assert_eq!(
        data(&file, &["keys"])["keys"].as_array().map(Vec::len),
        Some(names(&server).len())
    );
    let words = ["show", "hash:short"];
    assert_eq!(
        sorted(&data(&file, &words)["value"]),
        sorted(&data(&file_of(&server), &words)["value"])
    );
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is everywhere");
    let mut input = gzip.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = gzip.wait_with_output().expect("gzip ends");
    writer.join().expect("no panic").expect("gzip reads");
    output.stdout
}
