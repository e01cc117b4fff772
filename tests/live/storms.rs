//! Walks through what production does meanwhile: crashes, storms of writes, giants among small keys.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};

use cachedeck::engine::{Backend, Server};
use cachedeck::model::{Coverage, Key, Pace, Share, WalkAsk, WalkKey, Wants};

use super::bench::{backend, run};
use crate::common::redis::{Flavor, RedisServer};

const FULL_SPEED: WalkAsk = WalkAsk {
    from: None,
    pattern: None,
    wants: Wants::ALL,
    one_key_in: None,
    pace: Pace::FullSpeed,
};

fn filled(flavor: Flavor, script: &str) -> RedisServer {
    let server = RedisServer::plain(flavor);
    let reply = server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    assert!(!reply.is_error(), "{reply:?}");
    server
}

/// Everything that a walk brings, and how it ended.
async fn whole(server: &Server) -> (Vec<WalkKey>, Coverage) {
    let mut walk = server.walk(FULL_SPEED).await.expect("a walk");
    let (mut found, mut last) = (Vec::new(), Coverage::default());
    while let Some(page) = walk.step().await.expect("a step") {
        found.extend(page.found);
        last = page.coverage;
    }
    (found, last)
}

#[test]
fn a_part_of_the_keys_is_asked_about_whatever_the_size_of_pages() {
    const KEYS: u64 = 30_000;
    for flavor in Flavor::available() {
        let server = filled(
            flavor,
            "for n = 1, 30000 do redis.call('SET', 'key:' .. n, n) end",
        );
        let url = server.url();
        let budget = Pace::Budget(Share::of_percent(20.0).expect("a share"));
        for pace in [Pace::FullSpeed, budget] {
            let (keys, told) = run(async {
                let backend = backend(&url);
                let ask = WalkAsk {
                    wants: Wants::BASICS,
                    one_key_in: NonZeroU32::new(5),
                    pace,
                    ..FULL_SPEED
                };
                let mut walk = backend.walk(ask).await.expect("a walk");
                let (mut keys, mut told) = (0, 0);
                while let Some(page) = walk.step().await.expect("a step") {
                    keys += page.found.len() as u64;
                    told += page.found.iter().filter(|key| key.told.is_some()).count() as u64;
                }
                (keys, told)
            });
            assert_eq!(keys, KEYS);
            // A page more or less.
            assert!(
                (5_000..=7_000).contains(&told),
                "{flavor:?} {pace:?}: {told}"
            );
        }
    }
}

#[test]
fn a_server_that_comes_back_empty_is_walked_anew() {
    for flavor in Flavor::available() {
        let mut server = filled(
            flavor,
            "for n = 1, 5000 do redis.call('SET', 'old:' .. n, n) end",
        );
        let url = server.url();
        let (names, coverage) = run(async {
            let backend = backend(&url);
            let ask = WalkAsk {
                pace: Pace::Budget(Share::of_percent(20.0).expect("a share")),
                ..FULL_SPEED
            };
            let mut walk = backend.walk(ask).await.expect("a walk");
            let (mut names, mut coverage) = (Vec::new(), Coverage::default());
            let mut is_restarted = false;
            while let Some(page) = walk.step().await.expect("a step") {
                if page.is_anew {
                    names.clear();
                }
                names.extend(page.found.into_iter().map(|one| one.key));
                coverage = page.coverage;
                if !is_restarted && names.len() > 100 {
                    is_restarted = true;
                    server.kill();
                    server.restart();
                    server.run("MSET new:1 1 new:2 2");
                }
            }
            names.sort();
            (names, coverage)
        });
        assert_eq!(
            names,
            [Key::from("new:1"), Key::from("new:2")],
            "{flavor:?}"
        );
        assert_eq!(
            (coverage.seen, coverage.restarts, coverage.is_complete),
            (2, 1, true),
            "{flavor:?}"
        );
    }
}

#[test]
fn what_stays_is_seen_once_while_others_come_and_go() {
    for flavor in Flavor::available() {
        let server = filled(
            flavor,
            "for n = 1, 5000 do redis.call('SET', 'stays:' .. n, n) end",
        );
        let is_over = AtomicBool::new(false);
        let found = std::thread::scope(|scope| {
            scope.spawn(|| storm(&server, &is_over));
            let url = server.url();
            let found = run(async {
                let backend = backend(&url);
                let mut found = Vec::new();
                for _ in 0..2 {
                    found.push(whole(&backend).await);
                }
                found
            });
            is_over.store(true, Ordering::Relaxed);
            found
        });
        for (found, coverage) in found {
            let mut times: BTreeMap<&[u8], u32> = BTreeMap::new();
            for one in &found {
                *times.entry(one.key.bytes()).or_default() += 1;
            }
            let stays = times.iter().filter(|(name, _)| name.starts_with(b"stays:"));
            let stays: Vec<u32> = stays.map(|(_, times)| *times).collect();
            assert_eq!(stays.len(), 5_000, "{flavor:?}");
            assert!(stays.iter().all(|times| *times == 1), "{flavor:?}");
            assert!(coverage.is_complete, "{flavor:?}");
        }
    }
}

/// Writes that expire at once and bulk deletes, so that the server's tables grow and shrink.
fn storm(server: &RedisServer, is_over: &AtomicBool) {
    let mut client = server.client();
    let script =
        b"for n = 1, 500 do redis.call('SET', 'goes:' .. ARGV[1] .. ':' .. n, n, 'PX', 30) end";
    for round in 0_u64.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let round = round.to_string();
        client
            .cmd(&[b"EVAL", script, b"0", round.as_bytes()])
            .expect("an answer");
    }
}

/// A walk over one giant string and one giant set among small keys.
fn among_giants(bytes: u64, members: u64, longest_command_us: u64) {
    let script = format!(
        "redis.call('SETRANGE', 'giant:string', {bytes} - 1, 'x') \
         for n = 1, {members}, 500 do local all = {{}} \
           for m = n, n + 499 do all[#all + 1] = 'member:' .. m end \
           redis.call('SADD', 'giant:set', unpack(all)) end \
         for n = 1, 2000 do redis.call('SET', 'small:' .. n, n) end"
    );
    let server = filled(Flavor::default(), &script);
    server.run(&format!(
        "CONFIG SET slowlog-log-slower-than {longest_command_us}"
    ));
    server.run("SLOWLOG RESET");
    let url = server.url();
    let (found, coverage) = run(async { whole(&backend(&url)).await });
    assert_eq!((coverage.seen, coverage.is_complete), (2_002, true));
    let told = |name: &str| {
        let one = found.iter().find(|one| one.key == Key::from(name));
        one.and_then(|one| one.told.clone()).expect("told")
    };
    assert!(
        told("giant:string")
            .size
            .is_some_and(|size| size.0 >= bytes)
    );
    // Elements are counted where that does not look like an access.
    let counted = told("giant:set").length;
    assert!(counted.is_none_or(|counted| counted == members));
    // All members of the set would take longer than that.
    assert_eq!(server.run("SLOWLOG LEN").int(), 0);
}

#[test]
fn giants_do_not_hold_up_a_walk() {
    among_giants(20 << 20, 200_000, 50_000);
}

#[test]
#[ignore = "fills half a GiB; asserts the same as giants_do_not_hold_up_a_walk"]
fn real_giants_do_not_hold_up_a_walk() {
    among_giants(200 << 20, 5_000_000, 20_000);
}
