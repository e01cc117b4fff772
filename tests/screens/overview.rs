//! The overview in its states and sizes.

use cachedeck::model::{Bytes, Counters, Role};

use crate::common::{
    NOW, Screen, WATCHED, memcached_up, redis, redis_down, redis_empty, redis_up, sampled, up,
};
use crate::picture;

#[test]
fn normal() {
    for (width, height) in [(80, 24), (200, 60), (120, 40), (40, 10), (20, 6)] {
        let screen = Screen::of(width, height).with(redis_up());
        picture!(format!("overview_{width}x{height}"), screen.shown());
    }
}

#[test]
fn memcached() {
    for (width, height) in [(80, 24), (200, 60)] {
        let screen = Screen::of(width, height).with(memcached_up());
        picture!(
            format!("overview_memcached_{width}x{height}"),
            screen.shown()
        );
    }
}

#[test]
fn loading_failing_and_empty() {
    let screen = Screen::of(80, 24);
    picture!("overview_loading", screen.shown());
    let screen = Screen::of(80, 24).with(redis_down());
    picture!("overview_failing", screen.shown());
    let screen = Screen::of(80, 24).with(redis_empty());
    picture!("overview_empty", screen.shown());
}

#[test]
fn ascii() {
    let screen = Screen::ascii(80, 24).with(redis_up());
    let shown = screen.shown();
    assert!(shown.is_ascii(), "{shown}");
    picture!("overview_ascii", shown);
}

#[test]
fn a_restart_and_a_failover_are_marked_and_give_no_giant_rates() {
    let mut reports = vec![up()];
    reports.extend((0..=WATCHED).map(|second| {
        let mut sample = redis(second);
        if second >= 80 {
            sample.identity.run_id = "two".to_owned();
            let since = redis(second - 80).counters;
            sample.counters.operations = since.operations.map(|count| count - 9_000_000);
            sample.counters.evicted = Some(0);
        }
        if second >= 150 {
            sample.identity.role = Role::Replica;
        }
        sampled(sample)
    }));
    picture!("overview_breaks", Screen::of(80, 24).with(reports).shown());
}

#[test]
fn what_is_unknown_is_never_zero() {
    let mut sample = redis(WATCHED);
    sample.counters = Counters::default();
    sample.memory.used = None;
    sample.memory.limit = None;
    sample.clients.connected = None;
    sample.databases = None;
    sample.replication = None;
    sample.persistence = None;
    let why = "not permitted: INFO".to_owned();
    sample.unsupported.insert("hit_ratio", why);
    let screen = Screen::of(80, 24).with(vec![up(), sampled(sample)]);
    let shown = screen.shown();
    assert!(!shown.contains(" 0 "), "{shown}");
    picture!("overview_unknown", shown);
}

#[test]
fn a_full_cache_that_does_not_evict_is_in_danger() {
    let mut sample = redis(WATCHED);
    sample.memory.policy = Some("noeviction".to_owned());
    sample.memory.used = Some(Bytes(2_040 << 20));
    let screen = Screen::of(80, 24).with(vec![up(), sampled(sample)]);
    picture!("overview_full", screen.shown());
    assert_eq!(screen.app.shell.now, NOW);
}
