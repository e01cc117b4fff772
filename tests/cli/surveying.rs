//! Whole keyspaces: what is reported is what was written, counted another way.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::{Call, Home, cachedeck};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::resp::Reply;
use crate::common::scripted::{Answer, Script, ScriptedServer};
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
    let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
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
        let words: Vec<&str> = match kind {
            "hash" => vec!["HSET", &name, "f", &value],
            "set" => vec!["SADD", &name, "m", "n"],
            "zset" => vec!["ZADD", &name, "1", "m"],
            "list" => vec!["RPUSH", &name, "a", "b", "c"],
            _ => vec!["SET", &name, &value],
        };
        commands.push(words.into_iter().map(Into::into).collect());
        if n % 3 == 0 {
            let seconds = if n % 2 == 0 { "1800" } else { "86400" };
            commands.push(vec!["EXPIRE".into(), name.into(), seconds.into()]);
            truth.within_1h += u64::from(n % 2 == 0);
        } else {
            truth.without_ttl += 1;
        }
        truth.keys += 1;
        *truth.types.entry(kind).or_default() += 1;
        *truth.prefixes.entry(folder.to_owned()).or_default() += 1;
    }
    let words = commands.iter();
    let words = words.map(|words| words.iter().map(Vec::as_slice).collect());
    let replies = server.client().pipeline(words).expect("answers");
    assert!(replies.iter().all(|reply| !reply.is_error()));
    truth
}

/// Runs a script of the server's own, the quickest way to many keys.
fn script(server: &RedisServer, script: &str) {
    let reply = server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    assert!(!reply.is_error(), "{reply:?}");
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

/// Whether a report says what was written.
fn check(data: &Value, truth: &Truth) {
    assert_eq!(data["keys"], truth.keys);
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

#[test]
fn a_report_agrees_with_what_was_written() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let truth = fill(&server, 5_000);
        let data = analyzed(&server, &["--full-speed"]);
        check(&data, &truth);
        assert_eq!(data["bytes"], bytes(&server));
    }
}

#[test]
fn a_report_of_many_keys_agrees_with_what_was_written() {
    let server = RedisServer::plain(Flavor::default());
    let truth = fill(&server, 50_000);
    check(&analyzed(&server, &["--full-speed"]), &truth);
}

#[test]
fn giant_names_and_the_empty_name_are_counted() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        script(
            &server,
            "for n = 1, 60 do redis.call('SET', 'giant:' .. string.rep('x', 65536) .. n, n) end \
             redis.call('SET', '', 'of the empty name')",
        );
        let data = analyzed(&server, &["--full-speed"]);
        assert_eq!((&data["keys"], &data["exact"]), (&61.into(), &true.into()));
        let row = &data["prefixes"][0];
        assert_eq!(
            (&row["prefix"], &row["keys"]),
            (&"giant:".into(), &60.into())
        );
    }
}

#[test]
fn one_folder_for_all_and_a_folder_for_each() {
    let server = RedisServer::plain(Flavor::default());
    script(
        &server,
        "for n = 1, 20000 do redis.call('SET', 'all:' .. n, n) end",
    );
    let data = analyzed(&server, &["--full-speed"]);
    let row = &data["prefixes"][0];
    assert_eq!(
        (&row["prefix"], &row["keys"]),
        (&"all:".into(), &20_000.into())
    );
    server.run("FLUSHALL");
    // Letters, since numbers would count as one.
    script(
        &server,
        "for n = 1, 10000 do local word = '' for digit in string.gmatch(tostring(n), '%d') do \
           word = word .. string.char(97 + digit) end redis.call('SET', word .. ':leaf', n) end",
    );
    let data = analyzed(&server, &["--full-speed", "--memory", "256kb"]);
    assert_eq!(data["keys"], 10_000);
    assert_eq!(data["coverage"]["is_complete"], true);
    let rows = data["prefixes"].as_array().expect("rows");
    assert!(rows.len() < 4_000, "{}", rows.len());
    assert_ne!(
        data["prefix_error"],
        Value::Null,
        "light prefixes are estimated"
    );
}

#[test]
fn idle_times_and_access_counters_stay_as_they_were() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        fill(&server, 300);
        let keys = server.run("KEYS *");
        let told = |question: &str| -> Vec<i64> {
            let mut client = server.client();
            let ask = |key: &str| client.cmd(&[b"OBJECT", question.as_bytes(), key.as_bytes()]);
            let names = keys.array().iter().map(Reply::text);
            names
                .map(ask)
                .map(|reply| reply.expect("an answer").int())
                .collect()
        };
        wait::until("the keys to rest", PATIENCE, || {
            told("IDLETIME").iter().all(|idle| *idle >= 2).then_some(())
        });
        let before = told("IDLETIME");
        analyzed(&server, &["--full-speed"]);
        let after = told("IDLETIME");
        let is_kept = before
            .iter()
            .zip(after)
            .all(|(before, after)| after >= *before);
        assert!(is_kept, "{flavor:?}");
        server.run("CONFIG SET maxmemory-policy allkeys-lfu");
        let before = told("FREQ");
        analyzed(&server, &["--full-speed"]);
        assert_eq!(told("FREQ"), before, "{flavor:?}");
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
fn without_types_the_rest_is_told_and_without_scan_nothing_is() {
    let server = RedisServer::plain(Flavor::Redis);
    fill(&server, 200);
    server.run(
        "ACL SETUSER poor on >pw ~* +@read +@connection +info +dbsize +scan +memory|usage -type",
    );
    let url = server.url().replace("redis://", "redis://poor:pw@");
    let run = cachedeck([&url, "analyze", "--full-speed", "-o", "json"]);
    assert_eq!(run.code(), Some(6), "{}", run.err());
    let data = run.json()["data"].clone();
    assert_eq!(
        (&data["keys"], &data["bytes"]),
        (&200.into(), &bytes(&server).into())
    );
    assert_eq!(data["types"][0]["type"], "unknown");
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("type: TYPE: "), "{warnings}");
    server.run("ACL SETUSER poor +type -scan");
    let run = cachedeck([&url, "analyze", "--full-speed", "-o", "json"]);
    assert_eq!(run.code(), Some(4), "{}", run.err());
    assert!(run.err().contains("SCAN"), "{}", run.err());
    assert_eq!(run.out(), "");
}

#[test]
fn memcached_is_told_of_by_class_use_and_time_left() {
    let server = MemcachedServer::start(memcached::Options::default());
    let mut client = server.client();
    for n in 0..3_000 {
        let (name, ttl) = match n % 3 {
            0 => (format!("session:{n:08}"), 1_800),
            1 => (format!("page:{n}"), 0),
            _ => (format!("page:{n}:body"), 86_400),
        };
        assert_eq!(client.set(&name, b"value", ttl), b"STORED\r\n");
    }
    let run = cachedeck(["-t", &server.url(), "analyze", "-o", "json"]);
    run.succeeds();
    let data = run.json()["data"].clone();
    assert_eq!(
        (&data["keys"], &data["exact"]),
        (&3_000.into(), &true.into())
    );
    assert_eq!(data["ttl"]["without"], 1_000);
    assert_eq!(data["ttl"]["within_1h"], 1_000);
    assert_eq!(
        data["idle"]["buckets"][0]["keys"]
            .as_u64()
            .map(|keys| keys > 0),
        Some(true)
    );
    let class = data["encodings"][0]["encoding"].as_str().expect("a class");
    assert!(class.starts_with("class "), "{class}");
    let pages = data["prefixes"].as_array().expect("rows").iter();
    let pages = pages.filter(|row| row["prefix"] == "page:");
    assert_eq!(pages.map(|row| &row["keys"]).collect::<Vec<_>>(), [2_000]);
    assert!(data["cost"]["server_cpu_s"].is_number());
    assert_eq!(data["cost"]["round_trips"], 3);
}

#[test]
fn what_a_server_counts_by_itself_costs_no_walk() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        script(
            &server,
            "for n = 1, 900 do redis.call('SET', 'k' .. n, n) end \
             for n = 1, 300 do redis.call('EXPIRE', 'k' .. n, 3600) end",
        );
        let data = analyzed(&server, &["--via", "stats"]);
        assert_eq!(data["keys"], 900);
        let own = &data["server"];
        assert_eq!(
            (&own["keys"], &own["keys_with_ttl"]),
            (&900.into(), &300.into())
        );
        assert!(
            own["dataset_bytes"]
                .as_u64()
                .is_some_and(|bytes| bytes > 10_000)
        );
        let commands = own["commands"].as_array().expect("commands");
        let set = commands.iter().find(|row| row["command"] == "set");
        assert_eq!(set.expect("SET was called")["calls"], 900);
        // Nobody was asked, so nothing is claimed of types and prefixes.
        assert_eq!((&data["types"], &data["ttl"]), (&Value::Null, &Value::Null));
        assert!(
            data["unsupported"]["types"]
                .as_str()
                .is_some_and(|why| why.contains("--via scan"))
        );
        assert_eq!(data["coverage"]["seen"], 0);
        let scans = server.cmd(&[b"INFO", b"commandstats"]);
        assert!(!scans.text().contains("cmdstat_scan"));
        // A walk tells the same beside its own findings.
        let walked = analyzed(&server, &["--full-speed"]);
        assert_eq!(walked["server"]["keys_with_ttl"], 300);
        assert_eq!(walked["ttl"]["with"], 300);
    }
}

#[test]
fn memcached_tells_how_its_sizes_spread_without_a_dump() {
    let server = MemcachedServer::start(memcached::Options::default());
    let mut client = server.client();
    for n in 0..200 {
        client.set(&format!("small:{n}"), &[b'v'; 20], 0);
    }
    client.set("large", &b"v".repeat(50_000), 0);
    let run = cachedeck([&server.url(), "analyze", "--via", "stats", "-o", "json"]);
    run.succeeds();
    let data = run.json()["data"].clone();
    assert_eq!(data["keys"], 201);
    let spread = &data["server"]["spreads"][0];
    assert_eq!(
        (&spread["type"], &spread["keys"]),
        (&"item".into(), &201.into())
    );
    let buckets = spread["buckets"].as_array().expect("classes");
    let last = buckets.last().expect("two classes");
    assert!(last["up_to"].as_u64().is_some_and(|bytes| bytes > 50_000));
    assert_eq!(last["keys"], 1);
}

/// Redis 8 counts sizes by type. No such server is at hand, so one is played.
#[test]
fn sizes_by_type_are_told_where_a_server_counts_them() {
    let info = |body: &str| Answer::Bytes(format!("${}\r\n{body}\r\n", body.len()).into_bytes());
    let script = Script::new()
        .on("SETNAME", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on("NO-TOUCH", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on("LIB-NAME", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on("LIB-VER", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on(
            "keyspace\r\n",
            info("# Keyspace\r\ndb0:keys=23,expires=0,avg_ttl=0\r\n"),
        )
        .on("commandstats\r\n", info("# Commandstats\r\n"))
        .on("latencystats\r\n", info("# Latencystats\r\n"))
        .on(
            "keysizes\r\n",
            info("# Keysizes\r\ndb0_distrib_strings_sizes:2=3,1K=20\r\n"),
        )
        .on(
            "STATS\r\n",
            Answer::Bytes(b"-NOPERM no permission to run 'memory|stats'\r\n".to_vec()),
        )
        .on("DBSIZE\r\n", Answer::Bytes(b":23\r\n".to_vec()));
    let server = ScriptedServer::start(script);
    let url = format!("redis://{}", server.address());
    let run = cachedeck([&url, "analyze", "--via", "stats", "-o", "json"]);
    run.succeeds();
    let own = run.json()["data"]["server"].clone();
    let buckets = json!([{"from": 2, "keys": 3}, {"from": 1024, "keys": 20}]);
    assert_eq!(own["spreads"][0]["type"], "string");
    assert_eq!(own["spreads"][0]["buckets"], buckets);
    assert_eq!(own["dataset_bytes"], Value::Null);
    let run = cachedeck([&url, "analyze", "--via", "stats"]);
    assert!(run.out().contains(">= 1.00 KiB"), "{}", run.out());
    assert!(run.out().contains("memory|stats"), "{}", run.out());
}

#[test]
fn a_listing_that_breaks_off_is_a_part_and_called_one() {
    let dump = "key=a%3A1 exp=-1 la=1 cas=1 fetch=no cls=1 size=65\n\
                key=a%3A2 exp=-1 la=1 cas=2 fetch=no cls=1 size=65\nkey=a%3A3 ex";
    let stats = "STAT curr_items 5\r\nSTAT lru_crawler_running 0\r\nEND\r\n";
    let script = Script::new()
        .on("version\r\n", Answer::Bytes(b"VERSION 1.6.18\r\n".to_vec()))
        .on("stats\r\n", Answer::Bytes(stats.into()))
        .on("stats items\r\n", Answer::Bytes(b"END\r\n".to_vec()))
        .on("stats slabs\r\n", Answer::Bytes(b"END\r\n".to_vec()))
        .on("stats settings\r\n", Answer::Bytes(b"END\r\n".to_vec()))
        .on("metadump hash\r\n", Answer::ThenClose(dump.into()));
    let server = ScriptedServer::start(script);
    let url = format!("memcached://{}", server.address());
    let run = cachedeck([&url, "analyze", "-o", "json"]);
    assert_eq!(run.code(), Some(3), "{}", run.err());
    let data = run.json()["data"].clone();
    assert_eq!((&data["keys"], &data["exact"]), (&2.into(), &false.into()));
    let coverage = &data["coverage"];
    assert_eq!((&coverage["seen"], &coverage["of"]), (&2.into(), &5.into()));
    assert_eq!(coverage["is_complete"], false);
    assert!(
        coverage["stopped"]
            .as_str()
            .is_some_and(|why| why.contains("listing its keys"))
    );
    let run = cachedeck([&url, "analyze"]);
    assert!(run.err().contains("2 of 5 keys seen"), "{}", run.err());
    let run = cachedeck([&url, "keys"]);
    assert_eq!(run.code(), Some(3));
    assert!(run.out().contains("a:2"), "{}", run.out());
    assert!(run.err().contains("2 of 5 keys seen"), "{}", run.err());
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

/// Begins a walk that is kept in the file, and interrupts it when it has asked a few keys.
fn interrupted(server: &RedisServer, file: &str) -> Value {
    let before = called(server, "type");
    let words = [
        &server.url(),
        "analyze",
        "--budget",
        "0.1",
        "--resume",
        file,
        "-o",
        "json",
    ];
    let running = Call::new(words).start(&Home::new());
    wait::until("the walk asks", PATIENCE, || {
        (called(server, "type") > before + 50).then_some(())
    });
    running.signal(Signal::INT);
    let run = running.wait();
    assert_eq!(run.code(), Some(130), "{}", run.err());
    let answer = run.json();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("goes on from there"), "{warnings}");
    answer["data"].clone()
}

fn called(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cmd(&[b"INFO", b"commandstats"]);
    let line = format!("cmdstat_{command}:calls=");
    let calls = stats
        .text()
        .split(&line)
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("a number"))
}

#[test]
fn an_interrupted_walk_goes_on_where_it_stood() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let truth = fill(&server, 20_000);
        let home = Home::new();
        let file = home.path().join("kept.json").display().to_string();
        let first = interrupted(&server, &file);
        let again = interrupted(&server, &file);
        let seen = |data: &Value| data["coverage"]["seen"].as_u64().expect("a count");
        assert!(seen(&again) > seen(&first) && seen(&again) < 20_000);
        let asked = called(&server, "type");
        let data = analyzed(&server, &["--full-speed", "--resume", &file]);
        check(&data, &truth);
        assert_eq!(data["coverage"]["restarts"], 0);
        // What was told was not asked for again.
        let asked = called(&server, "type") - asked;
        assert!(asked <= 20_000 - seen(&first), "{asked}");
        let trips = |data: &Value| data["cost"]["round_trips"].as_u64().expect("a count");
        assert!(trips(&data) > trips(&again) && trips(&again) > trips(&first));
        assert!(
            !std::path::Path::new(&file).exists(),
            "it is of no more use"
        );
    }
}

#[test]
fn a_kept_walk_is_of_one_run_of_one_server_and_of_one_question() {
    let mut server = RedisServer::plain(Flavor::Redis);
    fill(&server, 20_000);
    let home = Home::new();
    let file = home.path().join("kept.json").display().to_string();
    interrupted(&server, &file);
    let url = server.url();
    let run = cachedeck([&url, "analyze", "user:*", "--resume", &file]);
    assert_eq!(run.code(), Some(2));
    assert!(
        run.err().contains("it is of another walk: keys * of"),
        "{}",
        run.err()
    );
    let run = cachedeck([&url, "analyze", "--delimiter", "/", "--resume", &file]);
    assert_eq!(run.code(), Some(2));
    // Its keys went with the server: what was seen of them must not be counted.
    server.restart();
    let truth = fill(&server, 3_000);
    let data = analyzed(&server, &["--full-speed", "--resume", &file]);
    assert_eq!(
        (&data["keys"], &data["coverage"]["restarts"]),
        (&truth.keys.into(), &1.into())
    );
    std::fs::write(&file, "{}").expect("a file");
    let run = cachedeck([&url, "analyze", "--resume", &file]);
    assert_eq!(run.code(), Some(2));
    let memcached = MemcachedServer::start(memcached::Options::default());
    let run = cachedeck([&memcached.url(), "analyze", "--resume", &file]);
    assert!(run.err().contains("at once"), "{}", run.err());
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
