//! Walks meet every key once it is there for the whole walk, whatever its name is made of.

use cachedeck::engine::Backend;
use cachedeck::model::{Key, KeyFacts, KeyKind, Pace, Told, Ttl, WalkAsk};

use super::bench::{backend, run, walked};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, RedisServer};

/// Names that break tools: escapes, newlines, zero bytes, invalid UTF-8, direction marks, length.
fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\x1b]0;owned\x07".to_vec(),
        b"line\r\nbreak".to_vec(),
        b"zero\0byte".to_vec(),
        vec![0xff, 0xfe, 0x80],
        "right\u{202e}left".into(),
        "*".into(),
        "[a-z]?".into(),
        vec![7; 10_240],
    ];
    names.sort();
    names
}

#[test]
fn hostile_names_come_back_as_they_are() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        for name in hostile_names() {
            assert!(!server.cmd(&[b"SET", &name, b"value"]).is_error());
        }
        let url = server.url();
        let (found, facts) = run(async {
            let backend = backend(&url);
            let found: Vec<Key> = walked(&backend, WalkAsk::default())
                .await
                .into_iter()
                .map(|one| one.key)
                .collect();
            let facts = backend.facts(&found).await.expect("facts");
            (found, facts)
        });
        let bytes: Vec<&[u8]> = found.iter().map(Key::bytes).collect();
        assert_eq!(bytes, hostile_names(), "{flavor:?}");
        for row in facts {
            let is_string = matches!(
                &row.facts,
                Some(KeyFacts::Here {
                    kind: KeyKind::String,
                    ttl: Ttl::None,
                    size: Some(_),
                    ..
                })
            );
            assert!(is_string, "{flavor:?}: {row:?}");
        }
    }
}

#[test]
fn a_walk_over_many_keys_covers_them_all_and_says_so() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let script = "for n = 1, 30000 do redis.call('SET', 'user:' .. n, n) end";
        assert!(!server.cmd(&[b"EVAL", script.as_bytes(), b"0"]).is_error());
        let url = server.url();
        let (mut names, last) = run(async {
            let backend = backend(&url);
            let ask = WalkAsk {
                pattern: None,
                pace: Pace::FullSpeed,
                ..WalkAsk::default()
            };
            let mut walk = backend.walk(ask).await.expect("a walk");
            let (mut names, mut last) = (Vec::new(), None);
            while let Some(page) = walk.step().await.expect("a step") {
                names.extend(page.found.into_iter().map(|one| one.key));
                last = Some(page.coverage);
            }
            (names, last.expect("a page"))
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 30_000, "{flavor:?}");
        assert_eq!(
            (last.of, last.is_complete),
            (Some(30_000), true),
            "{flavor:?}"
        );
    }
}

#[test]
fn a_pattern_is_the_servers_glob_on_every_engine() {
    let redis = RedisServer::plain(Flavor::default());
    let memcached = MemcachedServer::start(memcached::Options::default());
    for name in ["user:1", "user:22", "cart:1"] {
        redis.run(&format!("SET {name} value"));
        memcached.set(name, b"value", 0);
    }
    for url in [redis.url(), memcached.url()] {
        let ask = WalkAsk {
            pattern: Some(b"user:?".to_vec()),
            pace: Pace::FullSpeed,
            ..WalkAsk::default()
        };
        let found = run(async { walked(&backend(&url), ask).await });
        let names: Vec<&[u8]> = found.iter().map(|one| one.key.bytes()).collect();
        assert_eq!(names, [b"user:1"], "{url}");
    }
}

#[test]
fn a_walk_on_memcached_brings_ttl_and_size_for_free() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("brief", b"value", 600);
    server.set("lasting", &[b'x'; 3000], 0);
    let url = server.url();
    let found = run(async { walked(&backend(&url), WalkAsk::default()).await });
    let facts: Vec<_> = found
        .iter()
        .map(|one| one.told.clone().expect("facts of the dump"))
        .collect();
    assert!(
        matches!(
            &facts[0],
            Told {
                kind: Some(KeyKind::Item),
                ttl: Ttl::Until(_),
                size: Some(_),
                ..
            }
        ),
        "{:?}",
        facts[0]
    );
    assert!(
        matches!(&facts[1], Told { kind: Some(KeyKind::Item), ttl: Ttl::None, size: Some(size), .. } if size.0 > 3000),
        "{:?}",
        facts[1]
    );
}
