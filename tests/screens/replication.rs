//! The replication pane in its states and sizes.

use std::time::Duration;

use cachedeck::model::{Bytes, Link, Role};

use crate::common::{Screen, WATCHED, redis, redis_down, redis_empty, redis_up, sampled, up};
use crate::picture;

#[test]
fn a_primary() {
    for (width, height) in [(80, 24), (200, 60), (40, 10), (20, 6)] {
        let screen = Screen::of(width, height).with(redis_up()).press("4");
        picture!(format!("replication_{width}x{height}"), screen.shown());
    }
}

#[test]
fn loading_failing_and_empty() {
    picture!("replication_loading", Screen::of(80, 24).press("4").shown());
    let screen = Screen::of(80, 24).with(redis_down()).press("4");
    picture!("replication_failing", screen.shown());
    let screen = Screen::of(80, 24).with(redis_empty()).press("4");
    picture!("replication_empty", screen.shown());
}

#[test]
fn ascii() {
    let screen = Screen::ascii(80, 24).with(redis_up()).press("4");
    assert!(screen.shown().is_ascii());
    picture!("replication_ascii", screen.shown());
}

fn a_replica(is_up: bool) -> Screen {
    let mut reports = vec![up()];
    reports.extend((0..=WATCHED).map(|second| {
        let mut sample = redis(second);
        sample.identity.role = Role::Replica;
        let replication = sample.replication.as_mut().unwrap();
        replication.replicas.clear();
        replication.link = Some(Link {
            primary: "10.0.0.1:6379".to_owned(),
            is_up,
            down_for: (!is_up).then_some(Duration::from_secs(75)),
            last_io: Some(Duration::from_secs(1)),
            is_syncing: false,
            sync_left: None,
            lag_bytes: Some(Bytes(second * 300)),
            is_read_only: Some(true),
        });
        sampled(sample)
    }));
    Screen::of(80, 24).with(reports).press("4")
}

#[test]
fn a_replica_shows_its_link() {
    picture!("replication_replica", a_replica(true).shown());
    picture!("replication_link_down", a_replica(false).shown());
}
