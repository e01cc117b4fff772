//! Keys in, screen out: every pane in its states and sizes, as pictures in text.
//!
//! The clock stands still, the zone is UTC, and the servers are made up, so that a picture changes
//! only when the program does.

#![expect(
    clippy::unwrap_used,
    reason = "a picture that cannot be made is a failed test"
)]

#[path = "screens/changes.rs"]
mod changes;
#[path = "screens/common.rs"]
mod common;
#[path = "screens/diff.rs"]
mod diff;
#[path = "screens/keys.rs"]
mod keys;
#[path = "screens/memory.rs"]
mod memory;
#[path = "screens/overview.rs"]
mod overview;
#[path = "screens/replication.rs"]
mod replication;
#[path = "screens/snapshots.rs"]
mod snapshots;
#[path = "screens/update.rs"]
mod update;

use std::time::Duration;

use cachedeck::engine::worker::Report;
use cachedeck::model::{Feature, Features};
use common::{NOW, Screen, memcached_up, redis_down, redis_up, up};

/// Names the picture after the test and keeps it in `tests/screens/`.
#[macro_export]
macro_rules! picture {
    ($name:expr, $screen:expr) => {
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/screens/pictures"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $screen)
        })
    };
}

#[test]
fn help_shows_the_keys_of_the_pane() {
    picture!(
        "help",
        Screen::of(80, 24).with(redis_up()).press("?").shown()
    );
}

#[test]
fn the_palette_finds_commands_by_their_letters() {
    let screen = Screen::of(80, 24).with(redis_up());
    picture!("palette", screen.press(": s n a p").shown());
}

#[test]
fn a_target_that_is_production_and_read_only_cannot_be_overlooked() {
    let screen = Screen::production(80, 24).with(redis_up());
    picture!("production", screen.shown());
}

#[test]
fn a_lost_connection_says_since_when_and_why() {
    let mut events = redis_up();
    events.extend(redis_down());
    picture!("stale", Screen::of(80, 24).with(events).shown());
}

#[test]
fn data_is_as_old_as_its_reading_and_the_reason_is_not_cut() {
    let mut screen = Screen::of(80, 24).with(redis_up()).with(redis_down());
    screen.app.shell.now = NOW.plus(Duration::from_secs(7));
    let shown = screen.shown();
    assert!(
        shown.contains("stale for 7 s, trying again: 127.0.0.1:6379"),
        "{shown}"
    );
    assert!(shown.contains(" refused\n"), "{shown}");
}

#[test]
fn a_pane_that_is_not_permitted_says_so_in_full_and_what_to_do() {
    let why = "not permitted: SCAN: NOPERM this user has no permissions to run the 'scan' command";
    let features = Features::default().without(Feature::Walk, why);
    let reports = vec![up(), Report::Features(features)];
    let screen = Screen::of(80, 24).with(reports).press("2");
    picture!("keys_not_permitted", screen.shown());
}

#[test]
fn help_and_palette_cut_no_words_at_80_cells() {
    let screen = Screen::of(80, 24).with(redis_up()).press("2 ?");
    let shown = screen.shown();
    assert!(shown.contains("Keys for Keys, lines 1-21 of "), "{shown}");
    assert!(shown.contains("then apply"), "{shown}");
    assert!(shown.contains("all marked"), "{shown}");
    let shown = screen.press("end").shown();
    assert!(shown.contains("leave at once, from anywhere"), "{shown}");
}

#[test]
fn below_the_smallest_size_it_says_so() {
    picture!("too_small", Screen::of(19, 5).with(redis_up()).shown());
}

#[test]
fn what_memcached_lacks_is_said_in_words() {
    let screen = Screen::of(80, 24).with(memcached_up());
    picture!("memcached_replication", screen.press("4").shown());
}
