//! The dashboard on Memcached: what it has, and what it says it has not.

use super::desk::{ENTER, ESCAPE, NEVER, leave, open_up};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::program::{Home, cachedeck};
use crate::common::wait::{self, PATIENCE};

#[test]
fn every_pane_answers() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("page:1", b"{\"title\": \"first\"}", 0);
    server.set("page:2", b"second", 500);
    wait_for_metadump(&server, 2);
    let home = Home::new();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    let screen = pty.wait_for("Traffic");
    assert!(screen.contains("Memcached 1."), "{screen}");
    pty.wait_for("Memcached has no replication");

    pty.send("2");
    pty.wait_for("all 2 keys");
    pty.wait_for("page:1");
    pty.send("/page:2");
    pty.wait_for("1 match");
    pty.send(ENTER);
    pty.wait_until_gone("Show only keys with");
    pty.send(ENTER);
    pty.wait_for("second");
    pty.wait_for("slab 1");
    pty.wait_for("TTL 8m");

    pty.send("t");
    pty.wait_for("TTL of page:2");
    pty.send("40d\r");
    pty.wait_for("y yes, do it");
    pty.send("y");
    pty.wait_for("TTL set on 1 key");
    pty.wait_for("TTL 39d");
    let ttl = server.run("mg page:2 t");
    let ttl: u64 = ttl
        .trim()
        .trim_start_matches("HD t")
        .parse()
        .expect("a TTL");
    assert!((39 * 86_400..=40 * 86_400).contains(&ttl), "{ttl}");

    pty.send("d");
    pty.wait_for("cannot be taken back");
    pty.send("y");
    pty.wait_for("1 key deleted");
    assert_eq!(server.client().get("page:2"), None);
    assert!(server.client().get("page:1").is_some());
    pty.send(ESCAPE);
    pty.wait_for("match");

    pty.send("3");
    pty.wait_for("as long as the server");
    pty.send("b");
    pty.send("4");
    pty.wait_for("Memcached has no replication");
    leave(pty);
}

/// New items are not in the dump at once.
fn wait_for_metadump(server: &MemcachedServer, items: usize) {
    wait::until("the items in the dump", PATIENCE, || {
        let dump = server.client().cmd(b"lru_crawler metadump all\r\n");
        let found = dump.windows(4).filter(|part| *part == b"key=").count();
        (found == items).then_some(())
    });
}

#[test]
fn items_are_fetched_from_the_pane() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("page:1", b"first", 0);
    server.set("page:2", b"second", 500);
    wait_for_metadump(&server, 2);
    let home = Home::new();
    let file = home.path().join("monday.items").display().to_string();
    let mut pty = open_up(&home, &server.url(), &NEVER);
    pty.send("3");
    let screen = pty.wait_for("not one moment");
    assert!(screen.contains("as long as the server"), "{screen}");
    pty.send("f");
    pty.wait_for("Fetch the items into the file");
    pty.send("\x15");
    pty.send(&file);
    pty.send(ENTER);
    pty.wait_for("2 items in");
    pty.wait_for("fetch        ok, as ");
    leave(pty);
    cachedeck(["snapshot", "verify", &file]).succeeds();
    cachedeck(["snapshot", "diff", &file, &server.url()]).succeeds();
}
