//! A screen on which nothing changes writes nothing.

use std::time::Duration;

use super::desk::{NEVER, OFTEN, leave, open_keys, open_up, server_with};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::Home;
use crate::common::pty::Pty;

/// Longer than anything that is still to be drawn takes.
pub const A_WHILE: Duration = Duration::from_millis(400);

const LONG: Duration = Duration::from_millis(1500);

#[test]
fn an_idle_overview_writes_nothing() {
    let redis = server_with(&["user:1"], "value");
    let memcached = MemcachedServer::start(memcached::Options::default());
    for url in [redis.url(), memcached.url()] {
        let home = Home::new();
        let mut pty = open_up(&home, &url, &NEVER);
        assert_silent(&mut pty);
        leave(pty);
    }
}

#[test]
fn panes_whose_values_stay_write_nothing_while_the_server_is_read() {
    let server = server_with(&["user:1", "user:2"], "value");
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &OFTEN);
    pty.wait_for("string");
    for pane in ["2", "4"] {
        pty.send(pane);
        let commands = || -> u64 {
            let count = server
                .info("total_commands_processed")
                .expect("always told");
            count.parse().expect("a number")
        };
        let before = commands();
        assert_silent(&mut pty);
        assert!(commands() > before + 4, "the server was read meanwhile");
    }
    leave(pty);
}

fn assert_silent(pty: &mut Pty) {
    while pty.listen(A_WHILE) > 0 {}
    let from = pty.raw().len();
    let written = pty.listen(LONG);
    let said = pty.raw()[from..].escape_ascii().to_string();
    assert_eq!(written, 0, "{said}");
}
