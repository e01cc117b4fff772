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

#[test]
fn a_young_column_says_how_much_of_its_window_it_covers() {
    let mut reports = vec![up()];
    reports.extend((0..=24).map(|second| sampled(redis(second))));
    let shown = Screen::of(80, 24).with(reports).shown();
    assert!(
        shown.contains("10 s  20s of 1m 20s of 15m   lifetime"),
        "{shown}"
    );
}

#[test]
fn the_clients_stand_beside_the_memory_where_both_fit() {
    let shown = Screen::of(120, 40).with(redis_up()).shown();
    assert!(shown.contains("uptime   2d 03h"), "{shown}");
    assert!(shown.contains("engine   Valkey 9.0.1"), "{shown}");
    assert!(shown.contains("uptime 2d 03h"), "{shown}");
}

#[test]
fn what_is_not_permitted_is_told_once_and_what_an_engine_lacks_is_no_news() {
    let mut sample = redis(WATCHED);
    let why = "not permitted: INFO: NOPERM this user has no permissions to run the 'info' command";
    for name in ["clients", "memory"] {
        sample.unsupported.insert(name, why.to_owned());
    }
    let lacks = "Memcached has no blocking commands".to_owned();
    sample.unsupported.insert("blocked_clients", lacks);
    let shown = Screen::of(80, 24).with(vec![up(), sampled(sample)]).shown();
    assert!(
        shown.contains("unknown      not permitted: INFO  clients, memory\n"),
        "{shown}"
    );
    assert!(!shown.contains("blocking commands"), "{shown}");
}

#[test]
fn a_server_that_never_saved_has_no_good_save() {
    let mut sample = redis(WATCHED);
    let persistence = sample.persistence.as_mut().unwrap();
    persistence.last_save = None;
    let shown = Screen::of(80, 24).with(vec![up(), sampled(sample)]);
    let shown = shown.shown();
    let expected = "no snapshot since its start  120,345 changes unsaved";
    assert!(shown.contains(expected), "{shown}");
}
