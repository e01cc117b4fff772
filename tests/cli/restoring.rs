//! `snapshot restore` into Redis and Valkey: what a file holds comes back, and nothing else happens.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::cli::comparing::{diff, of_redis_8_6, saved, seed, server};
use crate::common::program::{Call, Home, Run, cachedeck};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::resp::Reply;
use crate::common::wait::{self, PATIENCE};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn restore(server: &RedisServer, file: &Path, more: &[&str]) -> Run {
    let url = server.url();
    let words = [
        &[
            url.as_str(),
            "snapshot",
            "restore",
            text(file),
            "--yes",
            "--full-speed",
        ],
        more,
    ]
    .concat();
    cachedeck(words)
}

/// A server with something of everything, and the file that it wrote.
fn source(flavor: Flavor) -> (RedisServer, PathBuf) {
    let from = server(flavor);
    seed(&from);
    // A pending entry that is deleted cannot be built anew; that has a test of its own.
    from.run("XACK stream readers 1-1");
    if from.knows("HSETEX") {
        from.run("HSETEX hash EX 5000 FIELDS 1 brief v");
    }
    let file = saved(&from);
    (from, file)
}

#[test]
fn what_is_restored_is_the_same() {
    for flavor in Flavor::available() {
        let (_from, file) = source(flavor);
        for more in [&[][..], &["--trust-payload"]] {
            let to = server(flavor);
            let words = [&["--verify", "all", "-o", "json"], more].concat();
            let run = restore(&to, &file, &words);
            run.succeeds();
            let data = &run.json()["data"];
            assert_eq!(data["restored"], 3_016, "{data}");
            assert_eq!(data["verified"]["read"], 3_016, "{data}");
            assert_eq!(data["verified"]["differ"], 0, "{data}");
            diff(text(&file), &to.url(), &["-n", "0"]).exits(0);
            let keys = to.run("KEYS cachedeck:*");
            assert_eq!(
                format!("{keys:?}"),
                format!("{:?}", to.run("KEYS no-such-*"))
            );
        }
    }
}

#[test]
fn another_database_is_restored_where_it_is_named() {
    let (_from, file) = source(Flavor::Redis);
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &["--from-db", "3", "-n", "5", "-o", "json"]);
    run.succeeds();
    assert_eq!(run.json()["data"]["restored"], 3);
    let mut client = to.client();
    client.cmd(&[b"SELECT", b"5"]).expect("a database");
    let value = client.cmd(&[b"GET", b"bin\x00\xff\r\n"]).expect("a reply");
    assert_eq!(value, Reply::Bulk(b"\xfe\x00\r\n".to_vec()));
}

#[test]
fn a_file_of_a_newer_server_goes_into_an_older_one() {
    if !Flavor::available().contains(&Flavor::Valkey) {
        return;
    }
    let (from, file) = source(Flavor::Valkey);
    for more in [&[][..], &["--trust-payload"]] {
        let to = server(Flavor::Redis);
        if to.knows("HPEXPIRE") || !from.knows("HPEXPIRE") {
            return;
        }
        let words = [&["--verify", "all", "-o", "json"], more].concat();
        let run = restore(&to, &file, &words);
        run.succeeds();
        let report = run.json();
        assert_eq!(report["data"]["restored"], 3_016, "{report}");
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("fields do not expire"), "{warnings}");
        let told = diff(text(&file), &to.url(), &["-n", "0", "-o", "json"]);
        told.exits(1);
        // The hash whose field lost its time to live.
        assert_eq!(told.json()["data"]["changed"], 1);
        assert_eq!(told.json()["data"]["same"], 3_015);
    }
}

#[test]
fn what_only_the_latest_server_knows_is_told() {
    let file = of_redis_8_6("8.6.rdb");
    for flavor in Flavor::available() {
        for more in [&[][..], &["--trust-payload"]] {
            let to = server(flavor);
            let words = [&["--verify", "all", "-o", "json"], more].concat();
            let run = restore(&to, &file, &words);
            let report = run.json();
            let data = &report["data"];
            assert_eq!(data["verified"]["differ"], 0, "{report}");
            if !more.is_empty() && to.knows("XCFGSET") {
                run.succeeds();
                assert_eq!(data["restored"], 18, "{report}");
                diff(text(&file), &to.url(), &[]).exits(0);
                continue;
            }
            // Four sets of vectors, which no plain command builds as they were.
            run.exits(6);
            assert_eq!(data["restored"], 14, "{report}");
            let failures = data["failures"].to_string();
            assert!(failures.contains("module"), "{report}");
            // A module that cannot read its values may hold the server up, so one of them is enough.
            let spared = failures.matches("was refused before").count();
            assert_eq!(spared, if more.is_empty() { 0 } else { 3 }, "{report}");
            let warnings = report["warnings"].to_string();
            let told = "2 producers of streams are not known any more";
            assert!(warnings.contains(told), "{warnings}");
        }
    }
}

#[test]
fn what_is_there_already_is_a_matter_of_choice() {
    let (_from, file) = source(Flavor::Redis);
    for more in [&[][..], &["--trust-payload"]] {
        let to = server(Flavor::Redis);
        to.run("SET hash mine");
        to.run("SET text mine");
        to.run("SET many mine");
        let with = |words: &[&str]| restore(&to, &file, &[words, more].concat());
        let run = with(&["--conflict", "fail"]);
        assert_ne!(run.code(), Some(0), "{}", run.out());
        assert!(run.err().contains("is there already"), "{}", run.err());
        assert_eq!(to.run("DBSIZE").int(), 3);
        let run = with(&["--conflict", "skip", "-o", "json"]);
        run.succeeds();
        assert_eq!(run.json()["data"]["existed"], 3);
        assert_eq!(to.run("GET text").text(), "mine");
        let run = with(&["--conflict", "replace", "--verify", "all"]);
        run.succeeds();
        diff(text(&file), &to.url(), &["-n", "0"]).exits(0);
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_an_answer() {
    let (_from, file) = source(Flavor::Redis);
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &["nothing:*"]);
    run.exits(1);
    assert!(
        run.err().contains("no key of the file matches"),
        "{}",
        run.err()
    );
}

#[test]
fn a_plan_changes_nothing_and_shows_no_value() {
    let (_from, file) = source(Flavor::Redis);
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &["--dry-run"]);
    run.succeeds();
    assert_eq!(to.run("DBSIZE").int(), 0);
    assert!(!run.out().contains("hello"), "{}", run.out());
    let url = to.url();
    let home = Home::new();
    let words = [
        &url,
        "--read-only",
        "snapshot",
        "restore",
        text(&file),
        "--yes",
    ];
    Call::new(words).run(&home).exits(5);
    let words = [
        &url,
        "snapshot",
        "restore",
        text(&file),
        "--yes",
        "--full-speed",
    ];
    Call::new(words).run(&home).succeeds();
    let audit = home.find("audit.jsonl").expect("an audit file");
    let audit = std::fs::read_to_string(audit).expect("our own file");
    assert!(audit.contains(r#""restored":3016"#), "{audit}");
    assert!(!audit.contains("hello"), "{audit}");
}

#[test]
fn a_pending_entry_that_was_deleted_is_told() {
    let from = server(Flavor::Redis);
    seed(&from);
    let file = saved(&from);
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &["-o", "json"]);
    run.succeeds();
    let warnings = run.json()["warnings"].to_string();
    assert!(
        warnings.contains("deleted from their streams"),
        "{warnings}"
    );
}

#[test]
fn a_damaged_file_is_not_begun_with() {
    let (_from, file) = source(Flavor::Redis);
    let bytes = std::fs::read(&file).expect("our own file");
    std::fs::write(&file, &bytes[..bytes.len() - 100]).expect("our own file");
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &[]);
    assert_ne!(run.code(), Some(0));
    assert!(run.err().contains("cut off"), "{}", run.err());
    assert_eq!(to.run("DBSIZE").int(), 0);
}

#[test]
fn a_restore_that_was_killed_goes_on() {
    let from = server(Flavor::Redis);
    from.run("DEBUG POPULATE 60000 user 20");
    let file = saved(&from);
    let to = server(Flavor::Redis);
    let home = Home::new();
    let url = to.url();
    let words = [
        &url,
        "snapshot",
        "restore",
        text(&file),
        "--yes",
        "--budget",
        "5",
    ];
    let running = Call::new(words).start(&home);
    wait::until("the first keys", PATIENCE, || {
        (to.run("DBSIZE").int() > 6_000).then_some(())
    });
    running.signal(Signal::KILL);
    running.wait();
    let before = to.run("DBSIZE").int();
    assert!(before < 60_000, "it was done before it was killed");
    let words = [
        &url,
        "snapshot",
        "restore",
        text(&file),
        "--yes",
        "--full-speed",
        "--resume",
        "-o",
        "json",
    ];
    let run = Call::new(words).run(&home);
    run.succeeds();
    let data = &run.json()["data"];
    assert!(
        data["restored_earlier"].as_u64().expect("a count") >= 4_096,
        "{data}"
    );
    diff(text(&file), &url, &[]).exits(0);
}

#[test]
fn a_server_that_is_full_is_told_of_before_and_half_a_value_is_never_seen() {
    let (_from, file) = source(Flavor::Redis);
    let to = RedisServer::start(Options {
        args: ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]
            .map(str::to_owned)
            .to_vec(),
        ..Options::default()
    });
    let plan = restore(&to, &file, &["--dry-run"]);
    assert!(
        plan.out().contains("refuses what does not fit"),
        "{}",
        plan.out()
    );
    let run = restore(&to, &file, &["-o", "json"]);
    run.exits(6);
    let told = diff(text(&file), &to.url(), &["-n", "0", "-o", "json"]);
    assert_eq!(told.json()["data"]["changed"], 0, "{}", told.out());
}

#[test]
fn a_restore_into_a_server_that_died_goes_on() {
    let from = server(Flavor::Redis);
    from.run("DEBUG POPULATE 60000 user 20");
    let file = saved(&from);
    let mut to = RedisServer::start(Options {
        args: ["--appendonly", "yes", "--appendfsync", "always"]
            .map(str::to_owned)
            .to_vec(),
        ..Options::default()
    });
    let home = Home::new();
    let url = to.url();
    let words = [
        &url,
        "snapshot",
        "restore",
        text(&file),
        "--yes",
        "--budget",
        "5",
    ];
    let running = Call::new(words).start(&home);
    wait::until("the first keys", PATIENCE, || {
        (to.run("DBSIZE").int() > 6_000).then_some(())
    });
    to.kill();
    let run = running.wait();
    run.exits(3);
    assert!(run.err().contains("--resume"), "{}", run.err());
    to.restart();
    let words = [
        &url,
        "snapshot",
        "restore",
        text(&file),
        "--yes",
        "--full-speed",
        "--resume",
    ];
    Call::new(words).run(&home).succeeds();
    diff(text(&file), &url, &[]).exits(0);
}

/// A node of a cluster that has the slots up to this one.
fn node(last: &str) -> RedisServer {
    let node = RedisServer::start(Options {
        args: [
            "--cluster-enabled",
            "yes",
            "--cluster-require-full-coverage",
            "no",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Options::default()
    });
    node.run(&format!("CLUSTER ADDSLOTSRANGE 0 {last}"));
    wait::until("the cluster", PATIENCE, || {
        let info = node.run("CLUSTER INFO");
        info.text().contains("cluster_state:ok").then_some(())
    });
    node
}

#[test]
fn a_node_of_a_cluster_takes_the_keys_of_its_slots() {
    let (_from, file) = source(Flavor::Redis);
    let whole = node("16383");
    let run = restore(&whole, &file, &["--verify", "all", "-o", "json"]);
    run.succeeds();
    assert_eq!(run.json()["data"]["restored"], 3_016);
    let half = node("8191");
    let run = restore(&half, &file, &["-o", "json"]);
    run.exits(6);
    let data = &run.json()["data"];
    let count = |name: &str| data[name].as_u64().expect("a count");
    assert!(count("failed") > 1_000, "{data}");
    assert_eq!(count("restored") + count("failed"), 3_016, "{data}");
}

#[test]
fn functions_are_loaded_when_they_are_asked_for() {
    let from = server(Flavor::Redis);
    let code = "#!lua name=mine\nredis.register_function('one', function() return 1 end)";
    assert!(
        !from
            .cmd(&[b"FUNCTION", b"LOAD", code.as_bytes()])
            .is_error()
    );
    from.run("SET a 1");
    let file = saved(&from);
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &[]);
    run.succeeds();
    assert!(run.err().contains("--functions"), "{}", run.err());
    assert!(to.cmd(&[b"FCALL", b"one", b"0"]).is_error());
    restore(&to, &file, &["--functions"]).succeeds();
    assert_eq!(to.run("FCALL one 0").int(), 1);
}

#[test]
fn what_has_expired_stays_away() {
    let from = server(Flavor::Redis);
    from.run("SET lives 1");
    // In the file it stands with its moment, which is over by the time of the restore.
    from.run("DEBUG SET-ACTIVE-EXPIRE 0");
    from.run("SET over 1 PX 20");
    let file = saved(&from);
    wait::until("its end", PATIENCE, || {
        from.cmd(&[b"GET", b"over"]).eq(&Reply::Nil).then_some(())
    });
    let to = server(Flavor::Redis);
    let run = restore(&to, &file, &["-o", "json"]);
    run.succeeds();
    assert_eq!(run.json()["data"]["restored"], 1, "{}", run.out());
    assert_eq!(run.json()["data"]["expired"], 1, "{}", run.out());
    let told = diff(text(&file), &to.url(), &[]);
    told.exits(0);
    assert!(told.err().contains("had expired by then"), "{}", told.err());
}
