//! The terminal goes away without a word: the program ends soon, and does not spin meanwhile.
#![cfg(target_os = "linux")]

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use super::desk::{NEVER, open_up};
use crate::common::program::{BINARY, Home};
use crate::common::pty::Start;
use crate::common::redis::{Flavor, RedisServer};
use crate::common::wait;

/// What a person waits for a window to be gone.
const SOON: Duration = Duration::from_secs(2);

/// Ticks of a hundredth of a second. One that spins until it is ended uses more than a hundred.
const LITTLE: u64 = 40;

#[test]
fn it_ends_with_its_terminal() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let script = format!("exec {BINARY} -t {} --interval 1h 2>said", server.url());
    let mut pty = Start {
        program: "/bin/sh".into(),
        args: vec![OsString::from("-c"), script.into()],
        ..Start::cachedeck(&home, [""; 0])
    }
    .start();
    pty.wait_for("● up");
    let before = ticks(pty.pid()).expect("it runs");
    pty.hang_up();
    let used = wait_for_end(pty.pid()) - before;
    assert!(used < LITTLE, "{used} ticks after the terminal was gone");
    let code = pty.wait_for_end_unchecked().status.exit_code();
    let said = fs::read_to_string(home.path().join("said")).expect("our own file");
    assert_eq!((code, said.as_str()), (129, ""));
}

#[test]
fn it_ends_with_its_terminal_while_the_server_hangs() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    server.stop();
    pty.send("2");
    pty.wait_until("the keys pane", |screen| !screen.contains("Traffic"));
    pty.hang_up();
    wait_for_end(pty.pid());
    server.cont();
}

/// In a session of its own no signal tells it: it has to look.
#[test]
fn it_notices_without_a_signal() {
    let server = RedisServer::plain(Flavor::default());
    let home = Home::new();
    let url = server.url();
    let args = ["--fork", "--wait", BINARY, "-t", &url, "--interval", "1h"];
    let mut pty = Start {
        program: "/usr/bin/setsid".into(),
        args: args.map(OsString::from).into(),
        ..Start::cachedeck(&home, [""; 0])
    }
    .start();
    pty.wait_for("● up");
    let pid = process_with(&url);
    let before = ticks(pid).expect("it runs");
    pty.hang_up();
    let used = wait_for_end(pid) - before;
    assert!(used < LITTLE, "{used} ticks after the terminal was gone");
}

/// The processor time when it ended.
fn wait_for_end(pid: u32) -> u64 {
    let mut used = ticks(pid).unwrap_or_default();
    wait::until("the program to end", SOON, || match ticks(pid) {
        Some(more) if !has_ended(pid) => {
            used = more;
            None
        }
        more => Some(more.unwrap_or(used)),
    })
}

/// The processor time of a process, the kernel's part included.
fn ticks(pid: u32) -> Option<u64> {
    let fields = stat(pid)?;
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields[0] == "Z")
}

/// What stands behind the name in brackets: the state first.
fn stat(pid: u32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = line.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// The dashboard that was started with this argument.
fn process_with(argument: &str) -> u32 {
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.first() == Some(&BINARY.as_bytes()) && words.contains(&argument.as_bytes())
    };
    fs::read_dir("/proc")
        .expect("the kernel's list")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(is_it)
        .expect("it runs")
}
