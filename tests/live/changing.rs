//! Changes do what their plan said, key by key, and leave one line of audit.

use std::time::Duration;

use cachedeck::engine::Backend;
use cachedeck::model::{Change, Key, KeyOutcome, Outcome, SnapshotState, TtlWish, UnixMs};

use super::bench::{backend, change, run};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::resp::Reply;

fn keys(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| Key::from(*name)).collect()
}

fn outcomes(outcome: Outcome) -> Vec<KeyOutcome> {
    match outcome {
        Outcome::Keys(keys) => keys.into_iter().map(|(_, outcome)| outcome).collect(),
        other => panic!("not about keys: {other:?}"),
    }
}

/// Applies the change in a state directory of its own; gives outcomes and the audit file's lines.
fn apply(url: &str, wanted: Change) -> (Vec<KeyOutcome>, Vec<String>) {
    let state = tempfile::tempdir().expect("a directory");
    let outcome = run(async { change(&backend(url), wanted, state.path()).await });
    let audit = std::fs::read_to_string(state.path().join("audit.jsonl")).expect("an audit file");
    (
        outcomes(outcome.expect("an outcome")),
        audit.lines().map(str::to_owned).collect(),
    )
}

fn ttl(names: &[&str], wish: TtlWish) -> Change {
    Change::SetTtl {
        keys: keys(names),
        wish,
    }
}

#[test]
fn a_ttl_is_set_for_the_keys_that_are_there() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("MSET one 1 two 2");
        let wish = TtlWish::In(Duration::from_secs(36 * 3600));
        let (outcomes, audit) = apply(&server.url(), ttl(&["one", "gone", "two"], wish));
        assert_eq!(
            outcomes,
            [KeyOutcome::Done, KeyOutcome::NoSuchKey, KeyOutcome::Done]
        );
        let left = server.run("PTTL two").int();
        assert!(
            (129_590_000..=129_600_000).contains(&left),
            "{flavor:?}: {left}"
        );
        assert_eq!(audit.len(), 1, "{flavor:?}");
        assert!(audit[0].contains("\"change\":\"expire\""), "{}", audit[0]);
    }
}

#[test]
fn a_moment_is_kept_to_the_millisecond() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET one 1");
        let end = UnixMs(4_102_444_800_123);
        apply(&server.url(), ttl(&["one"], TtlWish::At(end)));
        let ttl_ms = server.run("PTTL one").int();
        let now = jiff::Timestamp::now().as_millisecond();
        assert!((now + ttl_ms - end.0).abs() < 5_000, "{flavor:?}: {ttl_ms}");
    }
}

#[test]
fn removing_a_ttl_tells_three_cases_apart() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET brief 1 EX 100");
        server.run("SET lasting 1");
        let (outcomes, _) = apply(
            &server.url(),
            ttl(&["brief", "lasting", "gone"], TtlWish::Never),
        );
        assert_eq!(
            outcomes,
            [
                KeyOutcome::Done,
                KeyOutcome::AlreadySo,
                KeyOutcome::NoSuchKey
            ]
        );
        assert_eq!(server.run("PTTL brief"), Reply::Int(-1));
    }
}

#[test]
fn deleting_spares_every_other_key() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("MSET foo* 1 foobar 2");
        let (outcomes, _) = apply(
            &server.url(),
            Change::Delete {
                keys: keys(&["foo*"]),
            },
        );
        assert_eq!(outcomes, [KeyOutcome::Done]);
        assert_eq!(server.run("EXISTS foo*"), Reply::Int(0));
        assert_eq!(
            server.run("EXISTS foobar"),
            Reply::Int(1),
            "a key name is no pattern"
        );
    }
}

#[test]
fn a_snapshot_is_accepted_and_the_file_is_there() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET one 1");
        let state = tempfile::tempdir().expect("a directory");
        let url = server.url();
        let outcome = run(async { change(&backend(&url), Change::Snapshot, state.path()).await });
        assert!(
            matches!(
                outcome,
                Ok(Outcome::Snapshot(SnapshotState::Running { .. }))
            ),
            "{flavor:?}: {outcome:?}"
        );
        crate::common::wait::until("the snapshot's file", crate::common::wait::PATIENCE, || {
            server.directory().join("dump.rdb").exists().then_some(())
        });
    }
}

#[test]
fn memcached_ttls_over_30_days_do_not_delete_the_item() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("item", b"value", 0);
    let forty_days = 40 * 24 * 3600;
    let wish = TtlWish::In(Duration::from_secs(forty_days));
    let (outcomes, _) = apply(&server.url(), ttl(&["item", "gone"], wish));
    assert_eq!(outcomes, [KeyOutcome::Done, KeyOutcome::NoSuchKey]);
    let answer = server.run("mg item t");
    let left: u64 = answer
        .trim()
        .strip_prefix("HD t")
        .expect("the item lives")
        .parse()
        .expect("a number");
    assert!((forty_days - 5..=forty_days + 1).contains(&left), "{left}");
}

#[test]
fn memcached_items_are_persisted_and_deleted() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("brief", b"value", 100);
    apply(&server.url(), ttl(&["brief"], TtlWish::Never));
    assert_eq!(server.run("mg brief t").trim(), "HD t-1");
    let (outcomes, _) = apply(
        &server.url(),
        Change::Delete {
            keys: keys(&["brief", "gone"]),
        },
    );
    assert_eq!(outcomes, [KeyOutcome::Done, KeyOutcome::NoSuchKey]);
    assert_eq!(server.run("mg brief v").trim(), "EN");
}

#[test]
fn memcached_has_no_snapshots_and_says_so() {
    let server = MemcachedServer::start(memcached::Options::default());
    let url = server.url();
    let preview = run(async { backend(&url).preview(&Change::Snapshot).await });
    let stops = preview.expect("a preview").stops.join(" ");
    assert!(stops.contains("no snapshots"), "{stops}");
}
