//! Snapshots from the dashboard: success is seen to be one, and a failure says why.

use super::desk::{ENTER, ESCAPE, OFTEN, leave, open_up};
use crate::common::program::{Home, cachedeck};
use crate::common::pty::Pty;
use crate::common::redis::{Flavor, Options, RedisServer};

fn ask(pty: &mut Pty) {
    pty.send("3");
    pty.wait_for("Before a snapshot");
    pty.wait_for("running saves");
    pty.send("b");
    let plan = pty.wait_for("y yes, do it");
    assert!(plan.contains("BGSAVE"), "{plan}");
    pty.send("y");
}

#[test]
fn a_snapshot_is_followed_to_its_success() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET key value");
        let home = Home::new();
        let mut pty = open_up(&home, &server.url(), &OFTEN);
        ask(&mut pty);
        pty.wait_for("the snapshot is written");
        pty.wait_for("snapshot     ok, took");
        assert!(server.directory().join("dump.rdb").exists());
        leave(pty);
    }
}

#[test]
fn a_snapshot_under_way_shows_how_far_it_is() {
    let server = RedisServer::start(Options {
        args: ["--rdb-key-save-delay", "10000"].map(str::to_owned).into(),
        ..Options::default()
    });
    for key in 0..300 {
        server.run(&format!("SET key:{key} value"));
    }
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    ask(&mut pty);
    pty.wait_for("saving for");
    // A second one is not asked for.
    pty.send("b");
    pty.wait_for("already being written");
    pty.send("1");
    pty.wait_for("saving ");
    pty.send("3");
    pty.wait_for("the snapshot is written");
    leave(pty);
}

#[test]
fn a_failed_snapshot_says_why() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let gone = directory.path().join("gone");
    std::fs::create_dir(&gone).expect("our own directory");
    let path = gone.to_str().expect("our own path").to_owned();
    let server = RedisServer::start(Options {
        args: vec!["--dir".to_owned(), path],
        ..Options::default()
    });
    server.run("SET key value");
    std::fs::remove_dir(&gone).expect("our own directory");
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    ask(&mut pty);
    pty.wait_for("the snapshot failed");
    let screen = pty.wait_for("FAILED");
    assert!(screen.contains("its log says why"), "{screen}");
    leave(pty);
}

#[test]
fn a_user_who_may_not_save_is_told_so() {
    let server = RedisServer::plain(Flavor::default());
    server.run("ACL SETUSER looker on >pass ~* &* +@all -bgsave");
    let home = Home::new();
    let url = format!("redis://looker:pass@{}", server.address());
    let mut pty = open_up(&home, &url, &OFTEN);
    pty.send("3");
    pty.wait_for("no permissions");
    pty.send("b");
    pty.wait_for("refused: permission");
    pty.send(ESCAPE);
    pty.wait_until_gone("Esc close");
    assert!(!server.directory().join("dump.rdb").exists());
    leave(pty);
}

#[test]
fn a_copy_is_fetched_from_the_pane() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET key value");
        let home = Home::new();
        let mut pty = open_up(&home, &server.url(), &OFTEN);
        pty.send("3");
        pty.wait_for("running saves");
        pty.send("f");
        pty.wait_for("Fetch a copy into the file");
        // What it costs stands beside the question.
        let screen = pty.wait_for("Before a fetch");
        assert!(screen.contains(".rdb"), "{screen}");
        let file = server.directory().join("fetched.rdb");
        pty.send("\x15");
        pty.send(&file.display().to_string());
        pty.send(ENTER);
        pty.wait_for("whole");
        pty.wait_for("fetch        ok, as ");
        let verified = cachedeck(["snapshot", "verify", &file.display().to_string()]);
        verified.succeeds();
        // A file that is there is not replaced.
        pty.send("f");
        pty.wait_for("Fetch a copy into the file");
        pty.send("\x15");
        pty.send(&file.display().to_string());
        pty.send(ENTER);
        pty.wait_for("there is such a file already");
        leave(pty);
    }
}

#[test]
fn a_fetch_that_is_stopped_leaves_nothing() {
    let server = RedisServer::plain(Flavor::default());
    server.run("DEBUG POPULATE 30000 filler 500");
    server.run("CONFIG SET rdb-key-save-delay 1000");
    let home = Home::new();
    let room = home.path().join("room");
    std::fs::create_dir(&room).expect("a directory");
    let file = room.join("a.rdb").display().to_string();
    let mut pty = open_up(&home, &server.url(), &OFTEN);
    pty.send("3");
    pty.wait_for("Before a snapshot");
    for is_left in [false, true] {
        pty.send("f");
        pty.wait_for("Fetch a copy into the file");
        pty.send("\x15");
        pty.send(&file);
        pty.send(ENTER);
        pty.wait_for("fetching ");
        if is_left {
            break;
        }
        pty.send("x");
        pty.wait_for("the fetch is stopped");
        pty.wait_until_gone("fetching ");
    }
    leave(pty);
    let left = std::fs::read_dir(&room).expect("our own").count();
    assert_eq!(left, 0);
}
