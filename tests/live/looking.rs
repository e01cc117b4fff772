//! Looking changes nothing: a server that was browsed equals its twin that nobody looked at.

use cachedeck::engine::{Backend, Server};
use cachedeck::model::{Job, Key, WalkAsk, Window};

use super::bench::{backend, run, sample, walked};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::resp::Reply;
use crate::common::wait;

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
        for job in [Job::Snapshot, Job::RewriteAof, Job::Fetch] {
            server.preflight(job).await.expect("a preflight");
        }
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

/// Seconds since each key was last used, by the server's count.
fn idle_times(server: &RedisServer) -> Vec<i64> {
    KEYS.iter()
        .map(|key| server.run(&format!("OBJECT IDLETIME {key}")).int())
        .collect()
}

/// A server that evicts by idle time, with keys that nobody has used for some seconds.
fn rested(flavor: Flavor) -> RedisServer {
    let server = twin(flavor);
    server.run("CONFIG SET maxmemory-policy allkeys-lru");
    // What was an access counter is an idle time now; a touch sets it anew.
    server.run(&format!("TOUCH {}", KEYS.join(" ")));
    wait::until("the keys to rest", wait::PATIENCE, || {
        idle_times(&server)
            .iter()
            .all(|idle| *idle >= 2)
            .then_some(())
    });
    server
}

#[test]
fn browsing_leaves_idle_times_as_they_are() {
    for flavor in Flavor::available() {
        let server = rested(flavor);
        let before = idle_times(&server);
        look_around(&server, can_be_told_not_to_touch(&server));
        for (before, after) in before.iter().zip(idle_times(&server)) {
            assert!(after >= *before, "{flavor:?}: {before} s, then {after} s");
        }
    }
}

#[test]
fn a_card_says_whether_opening_it_counted_as_an_access() {
    for flavor in Flavor::available() {
        let server = rested(flavor);
        let url = server.url();
        let window = Window { from: 0, count: 10 };
        let (card, _) = run(async { backend(&url).show(&Key::from("table"), window).await })
            .expect("an answer")
            .expect("the key is there");
        let idle = server.run("OBJECT IDLETIME table").int();
        assert!(card.idle.is_some_and(|idle| idle.as_secs() >= 2));
        assert_eq!(
            card.is_touched,
            !can_be_told_not_to_touch(&server),
            "{flavor:?}"
        );
        if !card.is_touched {
            assert!(idle >= 2, "{flavor:?}: it was touched after all: {idle} s");
        }
    }
}

#[test]
fn memcached_items_stay_as_idle_as_they_were() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("item", b"value", 0);
    let idle = || -> u64 {
        let said = server.run("me item");
        let last = said.split(' ').find_map(|word| word.strip_prefix("la="));
        last.expect("an idle time").parse().expect("seconds")
    };
    let before = wait::until("the item to rest", wait::PATIENCE, || {
        Some(idle()).filter(|idle| *idle >= 2)
    });
    let url = server.url();
    let card = run(async {
        let backend = backend(&url);
        sample(&backend).await;
        walked(&backend, WalkAsk::default()).await;
        let keys = [Key::from("item")];
        backend.facts(&keys).await.expect("facts");
        let window = Window { from: 0, count: 10 };
        let shown = backend.show(&keys[0], window).await.expect("an answer");
        shown.expect("the item is there").0
    });
    assert!(!card.is_touched);
    assert!(idle() >= before, "{before} s, then {} s", idle());
    assert!(server.run("me item").contains("fetch=no"));
}
