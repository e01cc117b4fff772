//! The demo in a terminal: servers come, data is shown, and nothing stays.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::desk::{ends, open};
use crate::common::program::Home;
use crate::common::pty::Pty;
use crate::common::wait::{self, PATIENCE};

fn demo(home: &Home) -> Pty {
    let mut pty = open(home, &["demo"]);
    pty.wait_for("● up");
    pty.wait_for("target 1/3");
    assert!(!servers(home).is_empty());
    pty
}

#[test]
fn it_opens_shows_data_and_leaves_nothing() {
    let home = Home::new();
    let mut pty = demo(&home);
    pty.wait_for("online");
    pty.send("2");
    pty.wait_for("seen by");
    pty.wait_for("string");
    pty.send("\x0e");
    pty.wait_for("target 2/3");
    pty.wait_for("replica");
    pty.send("\x0e");
    pty.wait_for("target 3/3");
    pty.wait_for("Memcached 1.");
    pty.send("q");
    ends(&mut pty, 0);
    assert_eq!(servers(&home), [0; 0], "no process is left");
    assert_eq!(directories(&home), [""; 0], "no directory is left");
}

#[test]
fn a_signal_leaves_nothing_either() {
    let home = Home::new();
    let mut pty = demo(&home);
    pty.signal(Signal::TERM);
    ends(&mut pty, 143);
    assert_eq!(servers(&home), [0; 0]);
    assert_eq!(directories(&home), [""; 0]);
}

#[test]
fn a_kill_leaves_nothing_either() {
    let home = Home::new();
    let mut pty = demo(&home);
    pty.signal(Signal::KILL);
    // The kill may come in the middle of a character.
    pty.wait_for_end_unchecked();
    wait::until("the servers to end", PATIENCE, || {
        (servers(&home).is_empty() && directories(&home).is_empty()).then_some(())
    });
}

/// Processes that work in this home, beside the dashboard itself.
fn servers(home: &Home) -> Vec<u32> {
    let works_there = |pid: &u32| {
        let link = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        link.starts_with(home.path()) && link != home.path()
    };
    fs::read_dir("/proc")
        .expect("the kernel's list")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(works_there)
        .collect()
}

fn directories(home: &Home) -> Vec<String> {
    let temporary: &Path = &home.path().join("tmp");
    fs::read_dir(temporary)
        .expect("our own directory")
        .map(|entry| entry.expect("our own directory").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
