//! Snapshot files without a server: checked, and told what is in them.

use std::fs;

use serde_json::Value;

use crate::common::program::{Call, Home, cachedeck};
use crate::common::redis::{Flavor, RedisServer};

fn vector(name: &str) -> String {
    format!(
        "{}/tests/vectors/librdb/{name}.rdb",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn a_file_is_reported_as_its_server_is() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let script = "for n = 1, 300 do
            redis.call('SET', 'user:' .. n .. ':name', 'v' .. n, 'EX', 1000 + n)
            redis.call('HSET', 'user:' .. n, 'f', n)
            redis.call('RPUSH', 'queue:' .. n % 7, n)
        end";
        assert!(!server.cmd(&[b"EVAL", script.as_bytes(), b"0"]).is_error());
        assert!(!server.cmd(&[b"SAVE"]).is_error());
        let file = server.directory().join("dump.rdb").display().to_string();
        let told = |words: &[&str]| -> Value {
            let run = cachedeck(words.iter().chain(&["-o", "json"]).copied());
            run.succeeds();
            run.json()["data"].clone()
        };
        let of_file = told(&["snapshot", "inspect", &file]);
        let of_server = told(&[&server.url(), "analyze", "--full-speed"]);
        assert_eq!(of_file["keys"], of_server["keys"], "{flavor:?}");
        // Elements of a live server are not always asked for: asking counts as an access.
        for field in ["keys", "type"] {
            let column = |report: &Value| -> Vec<Value> {
                let rows = report["types"].as_array().expect("types").iter();
                rows.map(|row| row[field].clone()).collect()
            };
            assert_eq!(column(&of_file), column(&of_server), "{flavor:?} {field}");
        }
        assert_eq!(of_file["ttl"]["without"], of_server["ttl"]["without"]);
        let prefixes = |report: &Value| -> Vec<Value> {
            let rows = report["prefixes"].as_array().expect("prefixes").iter();
            let mut names: Vec<Value> = rows.map(|row| row["prefix"].clone()).collect();
            names.sort_by_key(ToString::to_string);
            names
        };
        assert_eq!(prefixes(&of_file), prefixes(&of_server), "{flavor:?}");
    }
}

#[test]
fn a_file_comes_by_name_or_by_stdin_plain_or_packed() {
    let home = Home::new();
    let bytes = fs::read(vector("100_lists")).expect("a vector");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &bytes).expect("memory takes everything");
    let packed = packed.finish().expect("memory takes everything");
    for (bytes, word) in [(bytes, "none"), (packed, "gzip")] {
        let run = Call::new(["snapshot", "verify", "-", "-o", "json"])
            .input(&bytes)
            .run(&home);
        run.succeeds();
        let data = &run.json()["data"];
        assert_eq!(
            (&data["keys"], &data["compression"]),
            (&100.into(), &word.into())
        );
        assert_eq!(data["checksum"], "verified");
        let run = Call::new(["snapshot", "inspect", "-", "-o", "json"])
            .input(&bytes)
            .run(&home);
        run.succeeds();
        assert_eq!(run.json()["data"]["types"][0]["elements"], 10_000);
    }
}

#[test]
fn a_damaged_file_is_told_up_to_where_it_could_be_read() {
    let home = Home::new();
    let bytes = fs::read(vector("100_lists")).expect("a vector");
    let cut = &bytes[..90_000];
    let run = Call::new(["snapshot", "verify", "-"]).input(cut).run(&home);
    run.exits(1);
    assert!(run.out().contains("NOT WHOLE"), "{}", run.out());
    assert!(run.err().contains("it ends at byte 90000"), "{}", run.err());
    let run = Call::new(["snapshot", "inspect", "-"])
        .input(cut)
        .run(&home);
    run.exits(6);
    assert!(
        run.out().starts_with("PARTIAL: it is cut off"),
        "{}",
        run.out()
    );
    for (name, words) in [
        ("future_v19", "version 99 of the format of Redis"),
        ("invalid_chksum_v8", "the checksum is wrong"),
    ] {
        let run = cachedeck(["snapshot", "verify", &vector(name)]);
        run.exits(1);
        assert!(run.err().contains(words), "{}", run.err());
    }
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    cachedeck(["snapshot", "verify", other]).exits(1);
    cachedeck(["snapshot", "verify", "no-such-file"]).exits(2);
}
