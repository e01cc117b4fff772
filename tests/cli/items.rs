//! A Memcached server's items: taken as a file, checked, compared, and brought back.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::common::memcached::{MemcachedServer, Options};
use crate::common::program::{BINARY, Call, Home, Run, cachedeck};

fn server() -> MemcachedServer {
    MemcachedServer::start(Options::default())
}

/// Items that hurt: binary names, empty and large values, flags of 32 bits, long times to live.
fn hurtful() -> MemcachedServer {
    let server = server();
    let mut wire = Vec::new();
    let mut item = |line: &str, value: &[u8]| {
        wire.extend_from_slice(line.as_bytes());
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(value);
        wire.extend_from_slice(b"\r\n");
    };
    item("ms AP8gDQo= 3 b F4294967295", b"\r\n\0");
    item("ms empty 0 T3600", b"");
    item("ms END 5", b"END\r\n");
    item("ms ends-in-2038 1 T2147483647", b"x");
    item("ms sixty-days 1 T2147000000 F1", b"x");
    let long = "k".repeat(250);
    item(&format!("ms {long} 1"), b"y");
    let large = vec![b'z'; 1_048_000];
    item(&format!("ms large {}", large.len()), &large);
    for number in 0..500 {
        item(&format!("ms user:{number}:name 4 F{number} T900"), b"name");
    }
    let mut client = server.client();
    // Every store is answered.
    for piece in split(&wire) {
        assert_eq!(client.cmd(piece), b"HD\r\n");
    }
    server
}

/// Whole commands with their values.
fn split(wire: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let line = rest.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        let words = std::str::from_utf8(&rest[..line]).expect("words");
        let length: usize = words
            .split_whitespace()
            .nth(2)
            .expect("a length")
            .parse()
            .expect("a number");
        let (piece, after) = rest.split_at(line + length + 2);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn fetch(server: &MemcachedServer, path: &Path, more: &[&str]) -> Run {
    let url = server.url();
    let mut words = vec![
        url.as_str(),
        "snapshot",
        "fetch",
        path.to_str().expect("it is text"),
    ];
    words.extend(["--full-speed"]);
    words.extend(more);
    cachedeck(words)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("our own directory")
        .map(|entry| {
            entry
                .expect("our own directory")
                .file_name()
                .into_string()
                .expect("it is text")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_taken_comes_back_and_nothing_differs() {
    let (from, to) = (hurtful(), server());
    let dir = tempfile::tempdir().unwrap();
    for packing in ["none", "zstd"] {
        let path = dir.path().join(packing);
        let run = fetch(&from, &path, &["--compress", packing, "-o", "json"]);
        run.succeeds();
        assert_eq!(run.json()["data"]["items"], 507);
        assert_eq!(run.json()["data"]["is_one_moment"], false);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(names(dir.path()), ["none", "zstd"]);
    let path = dir.path().join("zstd");
    let file = path.to_str().unwrap();
    let run = cachedeck([
        &to.url(),
        "snapshot",
        "restore",
        file,
        "--yes",
        "--full-speed",
        "--verify",
        "all",
        "-o",
        "json",
    ]);
    run.succeeds();
    let data = &run.json()["data"];
    assert_eq!(
        (&data["restored"], &data["failed"]),
        (&507.into(), &0.into())
    );
    assert_eq!(data["verified"]["differ"], 0);
    let none = dir.path().join("none");
    for (before, after) in [
        (none.to_str().unwrap(), to.url().as_str()),
        (from.url().as_str(), to.url().as_str()),
        (none.to_str().unwrap(), file),
    ] {
        let run = cachedeck(["snapshot", "diff", before, after, "--full-speed"]);
        run.succeeds();
        assert!(run.out().contains("507 the same"), "{}", run.out());
    }
    assert_eq!(
        to.run("mg AP8gDQo= b f t v"),
        "VA 3 f4294967295 t-1\r\n\r\n\\x00\r\n"
    );
}

#[test]
fn every_difference_is_listed() {
    let (from, to) = (server(), server());
    for (server, key, value, ttl) in [
        (&from, "same", "a", 0),
        (&to, "same", "a", 0),
        (&from, "user:gone", "a", 0),
        (&to, "user:new", "a", 0),
        (&from, "user:value", "a", 0),
        (&to, "user:value", "b", 0),
        (&from, "user:ttl", "a", 1_000),
        (&to, "user:ttl", "a", 2_000),
    ] {
        server.set(key, value.as_bytes(), ttl);
    }
    let diff = |form| {
        let run = cachedeck([
            "snapshot",
            "diff",
            &from.url(),
            &to.url(),
            "--full-speed",
            "-o",
            form,
        ]);
        run.exits(1);
        run
    };
    let data = diff("json").json()["data"].clone();
    for count in ["added", "removed", "changed", "ttl_changed", "same"] {
        assert_eq!(data[count], 1, "{count}");
    }
    assert_eq!(data["prefixes"][0]["prefix"], "user:");
    let run = diff("ndjson");
    let mut lines: Vec<String> = run
        .out()
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["what"], line["key"])
        })
        .collect();
    lines.sort();
    let expected = [
        r#""added" "user:new""#,
        r#""changed" "user:value""#,
        r#""removed" "user:gone""#,
        r#""ttl_changed" "user:ttl""#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_go() {
    let server = server();
    server.set("a", b"1", 0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.items");
    fs::write(&path, "old").unwrap();
    let run = fetch(&server, &path, &[]);
    run.exits(2);
    assert!(run.err().contains("--force"), "{}", run.err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    fetch(&server, &path, &["--force"]).succeeds();
    cachedeck(["snapshot", "verify", path.to_str().unwrap()]).succeeds();
    let link = dir.path().join("link");
    symlink(dir.path().join("elsewhere"), &link).unwrap();
    fetch(&server, &link, &["--force"]).exits(2);
    assert_eq!(names(dir.path()), ["a.items", "link"]);
}

#[test]
fn stdout_takes_the_file_too() {
    let server = server();
    server.set("a", b"1", 0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.items");
    let out = Command::new(BINARY)
        .args([&server.url(), "snapshot", "fetch", "-"])
        .output()
        .unwrap();
    assert!(out.status.success());
    fs::write(&path, out.stdout).unwrap();
    cachedeck(["snapshot", "verify", path.to_str().unwrap()]).succeeds();
}

#[test]
fn a_cut_file_is_not_whole() {
    let server = server();
    server.set("a", b"1", 0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.items");
    fetch(&server, &path, &[]).succeeds();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let file = path.to_str().unwrap();
    let run = cachedeck(["snapshot", "verify", file]);
    run.exits(1);
    assert!(run.err().contains("the file was cut"), "{}", run.err());
    cachedeck([&server.url(), "snapshot", "restore", file, "--yes"]).exits(5);
    cachedeck(["snapshot", "diff", file, file]).exits(1);
    fs::write(&path, "REDIS0011").unwrap();
    cachedeck(["snapshot", "verify", file]).exits(1);
}

/// A server with so much in it that a gentle fetch takes long.
fn full() -> MemcachedServer {
    let server = server();
    let mut client = server.client();
    for number in 0..30 {
        client.set(&format!("key:{number}"), &vec![b'x'; 1_000_000], 0);
    }
    server
}

#[test]
fn a_server_that_dies_leaves_no_file() {
    let mut server = full();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.items");
    let home = Home::new();
    let running = Call::new([
        &server.url(),
        "snapshot",
        "fetch",
        path.to_str().unwrap(),
        "--budget",
        "0.1",
    ])
    .start(&home);
    running.has_filled(dir.path(), 0);
    server.kill();
    running.wait().exits(3);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn being_told_to_end_leaves_no_file() {
    let server = full();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.items");
        let home = Home::new();
        let running = Call::new([
            &server.url(),
            "snapshot",
            "fetch",
            path.to_str().unwrap(),
            "--budget",
            "0.1",
        ])
        .start(&home);
        running.has_filled(dir.path(), 0);
        running.signal(signal);
        running.wait().exits(130);
        assert_eq!(names(dir.path()), [""; 0]);
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let server = full();
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";
    let out = Command::new("sh")
        .args(["-c", script, BINARY, &server.url(), "snapshot", "fetch"])
        .arg(dir.path().join("a.items"))
        .arg("--full-speed")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_server_that_lists_nothing_is_told_apart() {
    let args = ["-o", "no_lru_crawler"].map(str::to_owned).to_vec();
    let server = MemcachedServer::start(Options {
        args,
        ..Options::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let run = fetch(&server, &dir.path().join("a.items"), &[]);
    run.exits(1);
    assert!(run.err().contains("its crawler is off"), "{}", run.err());
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_restore_asks_first_and_keeps_to_the_pattern() {
    let (from, to) = (server(), server());
    for key in ["user:1", "user:2", "other"] {
        from.set(key, b"1", 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.items");
    fetch(&from, &path, &[]).succeeds();
    let file = path.to_str().unwrap();
    let restore = |more: &[&str]| {
        let url = to.url();
        cachedeck([&[url.as_str(), "snapshot", "restore", file], more].concat())
    };
    restore(&[]).exits(5);
    restore(&["--yes", "--read-only"]).exits(5);
    let plan = restore(&["--dry-run", "-o", "json"]);
    plan.succeeds();
    assert_eq!(plan.json()["data"]["plan"]["change"], "restore");
    assert_eq!(to.stat("curr_items").as_deref(), Some("0"));
    restore(&["user:*", "--yes"]).succeeds();
    assert_eq!(to.stat("curr_items").as_deref(), Some("2"));
    restore(&["--yes", "--conflict", "fail"]).exits(5);
    restore(&["--yes", "--resume"]).exits(2);
    restore(&["nothing*", "--yes"]).exits(1);
    restore(&["--yes"]).succeeds();
    assert_eq!(to.stat("curr_items").as_deref(), Some("3"));
}

#[test]
fn a_dump_is_inspected_and_says_what_reads_it() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/items/five.items"
    );
    let report = cachedeck(["snapshot", "inspect", file, "-o", "json"]);
    let data = &report.succeeds().json()["data"];
    assert_eq!(data["keys"], 5, "{data}");
    assert_eq!(data["types"][0]["type"], "item", "{data}");
    let told = cachedeck(["snapshot", "inspect", file]);
    assert!(told.succeeds().out().contains("page:"), "{}", told.out());
    // No panes for it yet: it says what reads it.
    let refused = cachedeck([file, "info"]);
    assert_ne!(refused.code(), Some(0));
    assert!(
        refused.err().contains("snapshot inspect"),
        "{}",
        refused.err()
    );
}
