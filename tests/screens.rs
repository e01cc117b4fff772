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
#[path = "screens/keys.rs"]
mod keys;
#[path = "screens/overview.rs"]
mod overview;
#[path = "screens/replication.rs"]
mod replication;
#[path = "screens/snapshots.rs"]
mod snapshots;
#[path = "screens/update.rs"]
mod update;

use common::{Screen, memcached_up, redis_down, redis_up};

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
fn below_the_smallest_size_it_says_so() {
    picture!("too_small", Screen::of(19, 5).with(redis_up()).shown());
}

#[test]
fn what_memcached_lacks_is_said_in_words() {
    let screen = Screen::of(80, 24).with(memcached_up());
    picture!("memcached_replication", screen.press("4").shown());
}
