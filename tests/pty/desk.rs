//! Opening the dashboard and leaving it: what most of these tests begin and end with.

use crate::common::program::Home;
use crate::common::pty::{Ended, Pty, Start};
use crate::common::redis::{Flavor, RedisServer};

/// So long that nothing changes on the screen because a server was read again.
pub const NEVER: [&str; 2] = ["--interval", "1h"];

/// So often that a test need not wait for a server to be read.
pub const OFTEN: [&str; 2] = ["--interval", "200ms"];

pub const ESCAPE: &str = "\x1b";
pub const ENTER: &str = "\r";

/// The dashboard on these arguments, at 80×24.
pub fn open(home: &Home, args: &[&str]) -> Pty {
    Start::cachedeck(home, args).start()
}

/// The dashboard on one target, once it shows that the server is up.
pub fn open_up(home: &Home, url: &str, habits: &[&str]) -> Pty {
    let mut pty = open(home, &[&["-t", url], habits].concat());
    pty.wait_for("● up");
    pty
}

/// The keys pane of the dashboard on one target, once all keys are listed.
pub fn open_keys(home: &Home, url: &str, habits: &[&str]) -> Pty {
    let mut pty = open_up(home, url, habits);
    pty.send("2");
    pty.wait_for("seen by");
    pty
}

/// Leaves with `q`, and the terminal is as it was.
pub fn leave(mut pty: Pty) {
    pty.send("q");
    ends(&mut pty, 0);
}

/// Waits for the end with this exit code, and the terminal is as it was.
pub fn ends(pty: &mut Pty, code: u32) -> Ended {
    let ended = pty.wait_for_end();
    assert_eq!(ended.status.exit_code(), code, "{}", pty.screen());
    ended.gave_the_terminal_back();
    ended
}

/// A server with keys of plain names that hold the same value and have no TTL.
pub fn server_with(keys: &[&str], value: &str) -> RedisServer {
    let server = RedisServer::plain(Flavor::default());
    for key in keys {
        server.run(&format!("SET {key} {value}"));
    }
    server
}
