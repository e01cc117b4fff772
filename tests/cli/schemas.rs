//! What commands print with `-o json` is what their schemas promise.

use serde_json::Value;

use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::cachedeck;
use crate::common::redis::{Flavor, RedisServer};

/// Runs a command and holds its output against the schema that the program itself prints.
fn promised(target: &str, command: &str, args: &[&str]) -> Value {
    let mut words = vec!["-t", target];
    words.extend(command.split(' '));
    words.extend(args);
    words.extend(["-o", "json"]);
    let run = cachedeck(words);
    run.succeeds();
    let printed = run.json();
    let mut words = vec!["schema"];
    words.extend(command.split(' '));
    let schema = cachedeck(words).json();
    let schema = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("our schema is one");
    let wrong: Vec<String> = schema
        .iter_errors(&printed)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        wrong.is_empty(),
        "{command} {args:?}: {wrong:#?}\n{printed:#}"
    );
    assert_eq!(printed["target"], target);
    assert_no_null_without_reason(command, &printed["data"], &[]);
    printed["data"].clone()
}

/// The same for what is not asked of one target.
fn offline(command: &str, args: &[&str], code: i32) {
    let mut words: Vec<&str> = command.split(' ').collect();
    words.extend(args);
    words.extend(["-o", "json"]);
    let run = cachedeck(words);
    run.exits(code);
    let mut words = vec!["schema"];
    words.extend(command.split(' '));
    let schema = cachedeck(words).json();
    let printed = run.json();
    assert!(jsonschema::is_valid(&schema, &printed), "{printed:#}");
    assert_no_null_without_reason(command, &printed["data"], &[]);
}

/// A null is explained in `unsupported` of a record around it, or is one that the contract explains.
fn assert_no_null_without_reason(command: &str, value: &Value, reasons: &[(String, &Value)]) {
    match value {
        Value::Null => {
            let (path, _) = reasons.last().expect("data is an object");
            let is_explained = reasons.iter().any(|(path, given)| given[path].is_string());
            let is_contract = ["ttl_ms", "expires_at", "cut", "at", "why", "cost", "undo"]
                .iter()
                .any(|name| path == name || path.ends_with(&format!(".{name}")));
            assert!(is_explained || is_contract, "{command}: {path}");
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| assert_no_null_without_reason(command, item, reasons)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let mut inside: Vec<(String, &Value)> = reasons
                    .iter()
                    .map(|(path, given)| (format!("{path}.{name}"), *given))
                    .collect();
                let given = fields.get("unsupported").unwrap_or(&Value::Null);
                inside.push((name.clone(), given));
                assert_no_null_without_reason(command, value, &inside);
            }
        }
        _ => {}
    }
}

fn seed(server: &RedisServer) {
    for words in [
        "SET text hello",
        "SET short-lived v EX 1000",
        "RPUSH list a b c",
        "SADD set a b",
        "HSET hash field value",
        "ZADD zset 1.5 a inf b",
        "XADD stream * field value",
        "PFADD hyperloglog a b",
    ] {
        server.run(words);
    }
    server.cmd(&[b"SET", b"bin\x00\xff", b"\xfe\x00"]);
}

#[test]
fn redis_and_valkey_answer_as_promised() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        seed(&server);
        let ask = |command: &str, args: &[&str]| promised(&server.url(), command, args);
        let directory = tempfile::tempdir().expect("a directory");

        let info = ask("info", &[]);
        assert_eq!(
            (&info["keys"], &info["keys_with_ttl"]),
            (&9.into(), &1.into())
        );
        assert!(info.get("window").is_none());
        let info = ask("info", &["--window", "20ms", "--all"]);
        assert!(
            info["window"]["seconds"]
                .as_f64()
                .is_some_and(|time| time >= 0.02)
        );
        assert!(!info["raw"].as_array().unwrap().is_empty());
        let watched = ask("watch", &["--interval", "20ms", "--count", "3"]);
        assert_eq!(watched["readings"].as_array().unwrap().len(), 3);

        let keys = ask("keys", &[]);
        assert_eq!(
            (&keys["matched"], &keys["exact"]),
            (&9.into(), &true.into())
        );
        ask("keys", &["--sort", "size", "--limit", "2"]);
        ask("keys", &["--names"]);
        let analyzed = ask("analyze", &["--full-speed"]);
        assert_eq!(
            (&analyzed["keys"], &analyzed["exact"]),
            (&9.into(), &true.into())
        );
        ask("analyze", &["--full-speed", "--ask", "type"]);
        ask("analyze", &["--via", "sample", "--for", "50ms"]);
        let tree = ask("tree", &["--full-speed", "--names"]);
        assert_eq!(tree["prefixes"].as_array().map(Vec::len), Some(9));
        ask("tree", &["--budget", "50"]);
        ask("hot", &["--via", "monitor", "--for", "50ms"]);
        for key in [
            "text",
            "short-lived",
            "list",
            "set",
            "hash",
            "zset",
            "stream",
            r"bin\x00\xff",
        ] {
            ask("show", &[key]);
        }
        assert_eq!(ask("show", &["zset"])["value"][1]["score"], "inf");
        assert_eq!(ask("show", &[r"bin\x00\xff"])["value"]["base64"], "/gA=");

        ask("ttl", &["text", "short-lived"]);
        ask("ttl", &["text", "--set", "1h", "--dry-run"]);
        ask("ttl", &["text", "--set", "1h", "--yes"]);
        ask("ttl", &["text", "--persist", "--yes"]);
        ask("delete", &["text", "--dry-run"]);
        ask("delete", &["text", "--yes"]);

        assert_eq!(ask("snapshot status", &[])["state"], "idle");
        ask("snapshot create", &["--dry-run"]);
        assert_eq!(ask("snapshot create", &["--wait", "--yes"])["state"], "ok");
        assert_eq!(ask("snapshot status", &[])["state"], "ok");
        let file = directory.path().join("a.rdb");
        let fetched = ask("snapshot fetch", &[file.to_str().expect("a path")]);
        assert_eq!(fetched["checksum"], "good");
        offline("snapshot verify", &[file.to_str().expect("a path")], 0);
        offline("snapshot inspect", &[file.to_str().expect("a path")], 0);
        ask("snapshot list", &[]);
        server.run("CONFIG SET appendonly yes");
        ask("snapshot rewrite", &["--dry-run"]);
        ask("snapshot rewrite", &["--yes"]);
        assert_eq!(ask("replication", &[])["role"], "primary");
    }
}

#[test]
fn files_of_every_version_are_told_as_promised() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/librdb");
    for name in [
        "empty",
        "function2",
        "hash_zm_v2",
        "module_aux_v12",
        "script",
        "stream_v11",
    ] {
        let file = format!("{vectors}/{name}.rdb");
        offline("snapshot verify", &[&file], 0);
        offline("snapshot inspect", &[&file], 0);
    }
    let latest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/redis/8.6.rdb");
    offline("snapshot verify", &[latest], 0);
    offline("snapshot inspect", &[latest], 0);
    let wrong = format!("{vectors}/invalid_chksum_v8.rdb");
    offline("snapshot verify", &[&wrong], 1);
    offline("snapshot inspect", &[&wrong], 6);
}

#[test]
fn memcached_answers_as_promised() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("text", b"hello", 0);
    server.set("short-lived", b"\xff\x00", 1000);
    let ask = |command: &str, args: &[&str]| promised(&server.url(), command, args);

    let info = ask("info", &["--window", "20ms"]);
    assert_eq!(
        (&info["engine"], &info["keys"]),
        (&"memcached".into(), &2.into())
    );
    assert_eq!(info["keys_with_ttl"], Value::Null);
    assert!(info["unsupported"]["keys_with_ttl"].is_string());
    ask("watch", &["--interval", "20ms", "--count", "1"]);
    assert_eq!(ask("keys", &[])["matched"], 2);
    assert_eq!(ask("analyze", &[])["types"][0]["keys"], 2);
    ask("tree", &[]);
    ask("hot", &["--for", "50ms"]);
    assert_eq!(ask("show", &["text"])["value"], "hello");
    ask("ttl", &["text", "short-lived"]);
    ask("ttl", &["text", "--set", "1h", "--yes"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("a.items");
    let file = file.to_str().expect("it is text");
    assert_eq!(ask("snapshot fetch", &[file])["items"], 2);
    ask("snapshot restore", &[file, "--dry-run"]);
    assert_eq!(ask("snapshot restore", &[file, "--yes"])["existed"], 2);
    ask("snapshot restore", &[file, "--yes", "--verify", "none"]);
    ask("delete", &["text", "--yes"]);
    ask("snapshot restore", &[file, "--yes", "--verify", "all"]);
    offline("snapshot verify", &[file], 0);
    offline("snapshot diff", &[file, file], 0);
    ask("delete", &["text", "--yes"]);
    offline("snapshot diff", &[file, &server.url()], 1);
}

#[test]
fn profiles_are_printed_as_promised() {
    let home = crate::common::program::Home::new();
    let file = home.write(
        "c.yaml",
        "default: a\nprofiles:\n  a: { url: 'redis://:CANARY@h' }\n  b: { url: 'memcached://m', environment: production, read_only: true }\n",
    );
    let config = file.to_str().unwrap();
    let run = crate::common::program::Call::new(["--config", config, "profiles", "-o", "json"])
        .run(&home);
    run.succeeds();
    let schema = cachedeck(["schema", "profiles"]).json();
    assert!(jsonschema::is_valid(&schema, &run.json()), "{}", run.out());
    assert_eq!(
        run.json()["data"]["profiles"][1]["environment"],
        "production"
    );
    assert!(!run.out().contains("CANARY"));
}
