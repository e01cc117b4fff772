//! Listing keys: whole, alone, in turn, and when it goes wrong.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::engine::memcached::tests::{Real, apply, is_about, left, list, scripted, ttl};
use crate::engine::memcached::{MemcachedServer, MemcachedWalk};
use crate::engine::{Backend, Fault, Walk};
use crate::model::{
    Bytes, Change, Coverage, Feature, Key, KeyFacts, KeyKind, KeyOutcome, Told, Ttl, TtlWish,
    WalkAsk, WalkKey,
};

/// So many small items, `user:0` and on.
async fn fill(real: &Real, items: u32) {
    let mut wire = Vec::new();
    for number in 0..items {
        wire.extend_from_slice(format!("ms user:{number} 1 q\r\nx\r\n").as_bytes());
    }
    wire.extend_from_slice(b"mn\r\n");
    real.say(&wire, "MN\r\n").await;
}

async fn walk(server: &MemcachedServer) -> MemcachedWalk {
    match server.walk(WalkAsk::default()).await.unwrap() {
        Walk::Memcached(walk) => walk,
        Walk::Redis(_) | Walk::File(_) => unreachable!("this is Memcached"),
    }
}

/// What a walk brings before it breaks off, and why it does.
async fn broken(server: &MemcachedServer) -> (Vec<WalkKey>, Coverage, Fault) {
    let mut walk = walk(server).await;
    let (mut found, mut coverage) = (Vec::new(), Coverage::default());
    loop {
        match walk.step().await {
            Ok(Some(page)) => {
                found.extend(page.found);
                coverage = page.coverage;
            }
            Ok(None) => panic!("it ended well"),
            Err(fault) => return (found, coverage, fault),
        }
    }
}

#[tokio::test]
async fn every_key_is_listed_also_binary_ones() {
    let real = Real::start(&[]).await;
    let mut wire = Vec::new();
    for number in 0..20_000 {
        wire.extend_from_slice(format!("ms user:{number} 1 q\r\nx\r\n").as_bytes());
    }
    wire.extend_from_slice(b"ms AP8AIA== 2 b T500\r\nhi\r\nmn\r\n");
    real.say(&wire, "MN\r\n").await;
    let server = real.server();
    let (found, coverage) = list(&server, None).await;
    assert_eq!(found.len(), 20_001);
    assert_eq!(
        (coverage.seen, coverage.of, coverage.is_complete),
        (20_001, Some(20_001), true)
    );
    let (found, coverage) = list(&server, Some("user:1999?")).await;
    assert_eq!((found.len(), coverage.seen), (10, 20_001));
    let (found, _) = list(&server, Some("\u{0}*")).await;
    let binary = found[0].key.clone();
    assert_eq!(binary.bytes(), b"\x00\xff\x00 ");
    let Some(Told {
        ttl: Ttl::Until(_),
        size: Some(size),
        ..
    }) = &found[0].told
    else {
        panic!("{:?}", found[0].told);
    };
    let row = server
        .facts(std::slice::from_ref(&binary))
        .await
        .unwrap()
        .remove(0);
    let Some(KeyFacts::Here {
        size: Some(asked), ..
    }) = row.facts
    else {
        panic!("{:?}", row.facts);
    };
    assert_eq!(asked, *size);
    assert!(is_about(left(row.facts), 500));
    let change = Change::SetTtl {
        keys: vec![binary.clone()],
        wish: TtlWish::In(Duration::from_secs(60)),
    };
    let state = real.directory.path();
    assert_eq!(apply(&server, state, change).await, [KeyOutcome::Done]);
    let rows = server.facts(std::slice::from_ref(&binary)).await.unwrap();
    assert!(is_about(left(rows[0].facts.clone()), 60));
    let change = Change::Delete { keys: vec![binary] };
    assert_eq!(
        apply(&server, state, change.clone()).await,
        [KeyOutcome::Done]
    );
    assert_eq!(apply(&server, state, change).await, [KeyOutcome::NoSuchKey]);
}

#[tokio::test]
async fn a_dropped_walk_leaves_the_server_free_for_the_next() {
    let real = Real::start(&[]).await;
    let mut wire = Vec::new();
    for number in 0..50_000 {
        wire.extend_from_slice(format!("ms user:{number} 1 q\r\nx\r\n").as_bytes());
    }
    wire.extend_from_slice(b"mn\r\n");
    real.say(&wire, "MN\r\n").await;
    let server = real.server();
    let mut walk = server.walk(WalkAsk::default()).await.unwrap();
    assert!(walk.step().await.unwrap().is_some());
    drop(walk);
    assert_eq!(list(&server, None).await.0.len(), 50_000);
}

#[tokio::test]
async fn a_dump_of_1_6_45_begins_with_ok() {
    let (_directory, server) = scripted(&[
        ("version", "VERSION 1.6.45\r\n"),
        (
            "stats",
            "STAT time 1795387258\r\nSTAT curr_items 1\r\nSTAT lru_crawler_running 0\r\nEND\r\n",
        ),
        (
            "lru_crawler metadump hash",
            "OK\r\nkey=a%20b exp=-1 la=1 cas=3 fetch=no cls=1 size=65 flags=5 ext_page=0 ext_offset=0 \nEND\r\n",
        ),
        ("mg YSBi f c t s l h u b", "HD f5 c3 t60 s1 l2 h0 b\r\n"),
        ("me c", "ME c exp=99 la=3 cas=4 fetch=yes cls=1 size=61\r\n"),
    ]);
    let (found, coverage) = list(&server, None).await;
    assert_eq!(found[0].key, Key::from("a b"));
    assert!(coverage.is_complete);
    // `me … b` finds nothing there, so a key with a space is looked up.
    assert_eq!(ttl(&server, "a b").await, Some(60));
    assert_eq!(ttl(&server, "c").await, Some(99));
}

#[tokio::test]
async fn crawler_off_is_said_in_words() {
    let real = Real::start(&["-o", "no_lru_crawler"]).await;
    let server = real.server();
    let Err(Fault::Missing(missing)) = server.walk(WalkAsk::default()).await else {
        panic!("it listed keys without a crawler");
    };
    assert!(missing.0.contains("crawler is off"), "{}", missing.0);
    assert!(server.features().need(Feature::Walk).is_err());
}

#[tokio::test]
async fn a_server_that_forbids_listing_says_so() {
    let real = Real::start(&["-X"]).await;
    let Err(Fault::Missing(missing)) = real.server().walk(WalkAsk::default()).await else {
        panic!("it listed keys all the same");
    };
    assert!(missing.0.contains("does not allow"), "{}", missing.0);
}

#[tokio::test]
async fn a_listing_tells_of_use_and_class_and_what_it_cost() {
    let real = Real::start(&[]).await;
    fill(&real, 1_000).await;
    let server = real.server();
    let mut walk = walk(&server).await;
    let mut last = None;
    while let Some(page) = walk.step().await.unwrap() {
        let idle = |told: &Told| told.idle.is_some_and(|idle| idle < Duration::from_secs(20));
        for key in &page.found {
            let told = key.told.as_ref().unwrap();
            assert!(idle(told), "{told:?}");
            assert_eq!(told.kind, Some(KeyKind::Item));
            assert_eq!(told.encoding.as_ref().unwrap().0, "class 1");
        }
        last = Some(page);
    }
    let cost = last.unwrap().cost;
    assert!(cost.server <= cost.elapsed, "{cost:?}");
    assert_eq!((cost.round_trips, cost.lookups), (3, 0));
    assert!(cost.keys_per_s.is_some_and(|speed| speed > 0.0));
    assert!(cost.share.is_some());
}

#[tokio::test]
async fn a_slow_reader_does_not_hold_the_server() {
    let real = Real::start(&[]).await;
    fill(&real, 60_000).await;
    let server = real.server();
    let mut walk = walk(&server).await;
    // Nothing is read here, and yet the dump comes to its end.
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.stats().await.unwrap().count("lru_crawler_running") != Some(0) {
        assert!(Instant::now() < deadline, "the crawler waits for us");
        tokio::task::yield_now().await;
    }
    let mut found = 0;
    while let Some(page) = walk.step().await.unwrap() {
        found += page.found.len();
    }
    assert_eq!(found, 60_000);
}

#[tokio::test]
async fn while_another_listing_stalls_it_is_said_and_nothing_is_asked() {
    let real = Real::start(&[]).await;
    fill(&real, 60_000).await;
    let mut other = UnixStream::connect(real.socket()).await.unwrap();
    other
        .write_all(b"lru_crawler metadump all\r\n")
        .await
        .unwrap();
    let server = real.server();
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.stats().await.unwrap().count("lru_crawler_running") != Some(1) {
        assert!(Instant::now() < deadline, "the crawler does not start");
        tokio::task::yield_now().await;
    }
    let Err(Fault::NotReady { why, .. }) = server.walk(WalkAsk::default()).await else {
        panic!("it listed keys beside another listing");
    };
    assert!(why.contains("busy"), "{why}");
    // All threads of the server still answer.
    for _ in 0..8 {
        real.say(b"mn\r\n", "MN\r\n").await;
    }
    drop(other);
}

#[tokio::test]
async fn a_listing_that_breaks_off_keeps_what_it_saw_and_is_not_complete() {
    let (_directory, server) = scripted(&[
        ("version", "VERSION 1.6.18\r\n"),
        (
            "stats",
            "STAT time 1795387258\r\nSTAT curr_items 4\r\nSTAT lru_crawler_running 0\r\nEND\r\n",
        ),
        (
            "lru_crawler metadump hash",
            "key=a exp=-1 la=1 cas=3 fetch=no cls=1 size=65\nkey=b exp=-1 la=1 cas=3 fetch=no cls=1 size=65\nkey=c ex\u{4}",
        ),
    ]);
    let (found, coverage, fault) = broken(&server).await;
    assert_eq!(found.len(), 2);
    assert_eq!(
        (coverage.seen, coverage.of, coverage.is_complete),
        (2, Some(4), false)
    );
    assert!(
        fault.to_string().ends_with("while listing its keys"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_line_that_is_no_item_ends_the_listing() {
    let (_directory, server) = scripted(&[
        ("version", "VERSION 1.6.18\r\n"),
        ("stats", "STAT curr_items 4\r\nEND\r\n"),
        (
            "lru_crawler metadump hash",
            "key=a exp=-1 size=65\nSTAT surprise 1\r\nEND\r\n",
        ),
    ]);
    let (found, coverage, fault) = broken(&server).await;
    let told = found[0].told.as_ref().unwrap();
    assert_eq!((told.size, told.idle), (Some(Bytes(65)), None));
    assert!(!coverage.is_complete);
    assert!(matches!(fault, Fault::Protocol { .. }), "{fault}");
}

#[tokio::test]
async fn a_server_that_is_killed_in_mid_listing_leaves_a_part() {
    let mut real = Real::start(&["-m", "256"]).await;
    fill(&real, 300_000).await;
    let server = real.server();
    let mut walk = walk(&server).await;
    let first = walk.step().await.unwrap().unwrap();
    assert_eq!(first.coverage.of, Some(300_000));
    real.process.kill().unwrap();
    let mut seen = first.coverage;
    let end = loop {
        match walk.step().await {
            Ok(Some(page)) => seen = page.coverage,
            other => break other,
        }
    };
    // A fast reader may have had everything before the server died.
    assert_eq!(seen.is_complete, seen.seen == 300_000);
    assert_eq!(seen.is_complete, end.is_ok(), "{end:?}");
}
