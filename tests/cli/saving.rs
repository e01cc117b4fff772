//! Snapshots and rewrites that the server makes: ours and those of others, and what is remembered.

use serde_json::Value;

use crate::common::program::{Call, Home, Run};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::wait;

fn ask(home: &Home, server: &RedisServer, words: &str) -> Run {
    let url = server.url();
    let mut all = vec!["-t", &url, "snapshot"];
    all.extend(words.split(' '));
    Call::new(all).run(home)
}

fn data(run: &Run) -> Value {
    run.succeeds();
    run.json()["data"].clone()
}

/// A server with an append-only file, or without, that takes its time for every key.
fn slow(flavor: Flavor, appendonly: &str, delay: &str) -> RedisServer {
    let args = ["--appendonly", appendonly, "--rdb-key-save-delay", delay];
    let server = RedisServer::start(Options {
        flavor,
        args: args.map(str::to_owned).to_vec(),
        ..Options::default()
    });
    server.run("DEBUG POPULATE 1000");
    server
}

#[test]
fn somebody_elses_snapshot_is_reported_and_nothing_is_sent() {
    for flavor in Flavor::available() {
        let server = slow(flavor, "no", "100000");
        server.run("BGSAVE");
        let home = Home::new();
        let run = ask(&home, &server, "create --yes -o json");
        let created = data(&run);
        assert_eq!(created["state"], "running");
        assert_eq!(created["is_ours"], false);
        assert!(
            run.err().contains("begun by somebody else"),
            "{}",
            run.err()
        );
        assert!(home.find("audit.jsonl").is_none());
        // Nothing was permitted, so nothing needs a yes.
        ask(&home, &server, "create").succeeds();
    }
}

#[test]
fn somebody_elses_snapshot_is_followed_to_its_end() {
    let server = slow(Flavor::Redis, "no", "500");
    server.run("BGSAVE");
    let home = Home::new();
    let created = data(&ask(&home, &server, "create --yes --wait -o json"));
    assert_eq!(
        (&created["state"], &created["is_ours"]),
        (&"ok".into(), &false.into())
    );
    let listed = data(&ask(&home, &server, "list -o json"));
    assert_eq!(
        listed["snapshots"].as_array().map(Vec::len),
        Some(1),
        "{listed:#}"
    );
    assert_eq!(listed["snapshots"][0]["by"], Value::Null);
}

#[test]
fn beside_a_rewrite_a_snapshot_is_scheduled() {
    for flavor in Flavor::available() {
        let server = slow(flavor, "yes", "100000");
        wait::until("the first rewrite", wait::PATIENCE, || {
            let reply = server.cmd(&[b"BGREWRITEAOF"]);
            (!reply.is_error()).then_some(())
        });
        wait::until("a rewrite that runs", wait::PATIENCE, || {
            (server.info("aof_rewrite_in_progress")? == "1").then_some(())
        });
        let home = Home::new();
        let plan = data(&ask(&home, &server, "create --dry-run -o json"));
        assert_eq!(plan["plan"]["commands"][0], "BGSAVE SCHEDULE");
        let created = data(&ask(&home, &server, "create --yes -o json"));
        assert_eq!(
            (&created["state"], &created["is_ours"]),
            (&"scheduled".into(), &true.into())
        );
        let run = ask(&home, &server, "rewrite --yes -o json");
        assert_eq!(data(&run)["is_ours"], false);
        assert!(run.err().contains("rewritten already"), "{}", run.err());
    }
}

#[test]
fn a_rewrite_is_proven_like_a_snapshot() {
    for flavor in Flavor::available() {
        let server = slow(flavor, "yes", "0");
        let home = Home::new();
        let plan = data(&ask(&home, &server, "rewrite --dry-run -o json"));
        assert_eq!(plan["plan"]["commands"][0], "BGREWRITEAOF");
        let run = ask(&home, &server, "rewrite --wait --yes");
        run.succeeds();
        assert!(
            run.out().starts_with("append-only file rewritten"),
            "{}",
            run.out()
        );
        ask(&home, &server, "rewrite").exits(5);
        let listed = data(&ask(&home, &server, "list -o json"));
        assert_eq!(listed["snapshots"][0]["kind"], "rewrite", "{listed:#}");
        assert_eq!(listed["snapshots"][0]["outcome"], "ok");

        let without = RedisServer::plain(flavor);
        let run = ask(&home, &without, "rewrite --yes");
        run.exits(5);
        assert!(run.err().contains("is off"), "{}", run.err());
    }
}

#[test]
fn the_history_knows_whose_snapshot_it_was_when_and_how_large() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("DEBUG POPULATE 1000");
    let home = Home::new();
    assert!(ask(&home, &server, "list").out().contains("no snapshots"));
    ask(&home, &server, "create --wait --yes").succeeds();
    // Accepted, not waited for, and seen later: still ours.
    ask(&home, &server, "create --yes").succeeds();
    let seen = || data(&ask(&home, &server, "list -o json"))["snapshots"].clone();
    let listed = wait::until("the second", wait::PATIENCE, || {
        let listed = seen();
        (listed[1]["outcome"] == "ok").then_some(listed)
    });
    for one in listed.as_array().expect("a list") {
        assert!(
            one["by"].as_str().is_some_and(|by| by.contains('@')),
            "{one}"
        );
        assert_eq!(
            (&one["kind"], &one["keys"]),
            (&"snapshot".into(), &1000.into())
        );
    }
    let size = server
        .directory()
        .join("dump.rdb")
        .metadata()
        .expect("a dump")
        .len();
    assert!(
        listed[0]["size_bytes"]
            .as_u64()
            .is_some_and(|told| told.abs_diff(size) < 100)
    );
    let file = home.path().join("a.rdb");
    ask(&home, &server, &format!("fetch {}", file.display())).succeeds();
    let fetched = seen()[2].clone();
    assert_eq!(
        (&fetched["kind"], &fetched["file"]),
        (&"fetch".into(), &file.to_str().into())
    );
    let table = ask(&home, &server, "list --limit 1");
    assert!(
        table.out().contains("fetch") && !table.out().contains("1,000"),
        "{}",
        table.out()
    );
}

#[test]
fn what_is_remembered_is_told_without_the_server() {
    let mut server = RedisServer::plain(Flavor::Redis);
    let home = Home::new();
    ask(&home, &server, "create --wait --yes").succeeds();
    server.kill();
    let run = ask(&home, &server, "list");
    run.succeeds();
    assert!(run.out().contains("good"), "{}", run.out());
    assert!(run.err().contains("was not asked"), "{}", run.err());
}
