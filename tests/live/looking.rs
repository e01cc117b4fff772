//! Looking changes nothing: a server that was browsed equals its twin that nobody looked at.

use cachedeck::engine::{Backend, Server};
use cachedeck::model::{Key, WalkAsk, Window};

use super::bench::{backend, run, sample, walked};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::resp::Reply;

const KEYS: [&str; 6] = ["text", "table", "queue", "crowd", "ranking", "events"];

/// A server whose access counters go up by one with every touch, with a key of each type and some
/// traffic of others: 30 hits and 12 misses.
fn twin(flavor: Flavor) -> RedisServer {
    let args = [
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lfu",
        "--lfu-log-factor",
        "0",
        "--lfu-decay-time",
        "0",
    ];
    let server = RedisServer::start(Options {
        flavor,
        args: args.map(str::to_owned).to_vec(),
        ..Options::default()
    });
    for command in [
        "SET text hello",
        "HSET table field value",
        "RPUSH queue a b c",
        "SADD crowd a b c",
        "ZADD ranking 1 a 2 b",
        "XADD events 1-1 field value",
        "SET short lived EX 900",
    ] {
        assert!(!server.run(command).is_error(), "{command}");
    }
    for _ in 0..30 {
        server.run("GET text");
    }
    for _ in 0..12 {
        server.run("GET nothing");
    }
    server
}

/// A tour of everything that a person can look at. Gives the hits and misses that were shown last.
fn look_around(server: &RedisServer, opens_values: bool) -> (Option<u64>, Option<u64>) {
    let url = server.url();
    run(async move {
        let server = backend(&url);
        sample(&server).await;
        let names: Vec<Key> = walked(&server, WalkAsk::default())
            .await
            .into_iter()
            .map(|one| one.key)
            .collect();
        assert_eq!(names.len(), KEYS.len() + 1);
        server.facts(&names).await.expect("facts");
        server
            .facts(&[Key::from("gone")])
            .await
            .expect("facts of a missing key");
        if opens_values {
            open_all(&server, &names).await;
        }
        server.preflight().await.expect("a preflight");
        let shown = sample(&server).await.counters;
        (shown.hits, shown.misses)
    })
}

async fn open_all(server: &Server, names: &[Key]) {
    for key in names {
        let shown = server
            .show(
                key,
                Window {
                    from: 0,
                    count: 100,
                },
            )
            .await
            .expect("a value");
        assert!(shown.is_some(), "{key:?}");
    }
    let missing = server
        .show(
            &Key::from("gone"),
            Window {
                from: 0,
                count: 100,
            },
        )
        .await;
    assert_eq!(missing, Ok(None));
}

fn frequencies(server: &RedisServer) -> Vec<Reply> {
    KEYS.iter()
        .map(|key| server.run(&format!("OBJECT FREQ {key}")))
        .collect()
}

fn count(server: &RedisServer, field: &str) -> Option<u64> {
    server.info(field)?.parse().ok()
}

/// `CLIENT NO-TOUCH` came with Redis 7.2 and Valkey.
fn can_be_told_not_to_touch(server: &RedisServer) -> bool {
    !server.cmd(&[b"CLIENT", b"NO-TOUCH", b"off"]).is_error()
}

#[test]
fn browsing_leaves_access_counters_as_they_are() {
    for flavor in Flavor::available() {
        let (looked_at, untouched) = (twin(flavor), twin(flavor));
        look_around(&looked_at, can_be_told_not_to_touch(&looked_at));
        assert_eq!(
            frequencies(&looked_at),
            frequencies(&untouched),
            "{flavor:?}"
        );
    }
}

#[test]
fn the_hit_ratio_that_is_shown_is_free_of_our_own_reads() {
    for flavor in Flavor::available() {
        let (looked_at, untouched) = (twin(flavor), twin(flavor));
        let shown = look_around(&looked_at, true);
        let truth = (
            count(&untouched, "keyspace_hits"),
            count(&untouched, "keyspace_misses"),
        );
        assert_eq!(truth, (Some(30), Some(12)), "the twin's own traffic");
        assert_eq!(shown, truth, "{flavor:?}");
        assert!(
            count(&looked_at, "keyspace_hits") > Some(30),
            "the server does count our reads"
        );
    }
}

#[test]
fn browsing_writes_nothing() {
    for flavor in Flavor::available() {
        let (looked_at, untouched) = (twin(flavor), twin(flavor));
        look_around(&looked_at, true);
        for field in [
            "rdb_changes_since_last_save",
            "expired_keys",
            "evicted_keys",
        ] {
            assert_eq!(
                count(&looked_at, field),
                count(&untouched, field),
                "{flavor:?} {field}"
            );
        }
    }
}

#[test]
fn our_connections_say_who_they_are() {
    for flavor in Flavor::available() {
        let server = twin(flavor);
        let url = server.url();
        let clients = run(async {
            let backend = backend(&url);
            sample(&backend).await;
            server.run("CLIENT LIST")
        });
        assert!(
            clients.text().contains("name=cachedeck"),
            "{flavor:?}: {}",
            clients.text()
        );
    }
}

#[test]
fn memcached_items_stay_unread_and_uncounted() {
    let server = MemcachedServer::start(memcached::Options::default());
    for n in 0..50 {
        server.set(&format!("item:{n}"), b"value", 0);
    }
    server.run("get item:1");
    server.run("get nothing");
    let url = server.url();
    let shown = run(async {
        let backend = backend(&url);
        sample(&backend).await;
        let names: Vec<Key> = walked(&backend, WalkAsk::default())
            .await
            .into_iter()
            .map(|one| one.key)
            .collect();
        assert_eq!(names.len(), 50);
        backend.facts(&names).await.expect("facts");
        backend
            .show(
                &Key::from("item:2"),
                Window {
                    from: 0,
                    count: 100,
                },
            )
            .await
            .expect("a value");
        let shown = sample(&backend).await.counters;
        (shown.hits, shown.misses)
    });
    assert_eq!(shown, (Some(1), Some(1)), "one hit and one miss of others");
    let item = server.run("me item:2");
    assert!(
        item.contains("fetch=no"),
        "opening a value marked it as read: {item}"
    );
}
