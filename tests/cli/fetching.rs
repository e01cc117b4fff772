//! `snapshot fetch` against real servers: what arrives loads and is the same; what goes wrong leaves
//! nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::certs::Certs;
use crate::common::program::{BINARY, Call, Home, Run, Running, cachedeck};
use crate::common::redis::{Flavor, Options, Primary, RedisServer, wait_until_in_step};
use crate::common::scripted::{Answer, Script, ScriptedServer};

/// A server with something of every type in two databases.
fn seeded(options: Options) -> RedisServer {
    let server = RedisServer::start(options);
    seed(&server);
    server
}

fn seed(server: &RedisServer) {
    for words in [
        "SET text hello",
        "SET short-lived v EX 100000",
        "RPUSH list a b c",
        "SADD set a b",
        "HSET hash field value",
        "ZADD zset 1.5 a inf b",
        "XADD stream 1-1 field value",
        "DEBUG POPULATE 2000 filler 50",
    ] {
        server.run(words);
    }
    if server.knows("HEXPIRE") {
        // A copy for a replica of an older version could not hold this one.
        server.run("HSET fields a 1 b 2");
        server.run("HEXPIRE fields 100000 FIELDS 1 a");
    }
    let mut client = server.client();
    client.cmd(&[b"SELECT", b"3"]).expect("a database");
    client
        .cmd(&[b"SET", b"bin\x00\xff", b"\xfe\x00"])
        .expect("a key");
}

fn fetch(home: &Home, target: &str, file: &Path, more: &[&str]) -> Run {
    let file = file.to_str().expect("a plain path");
    let words = [&["-t", target, "snapshot", "fetch", file], more].concat();
    Call::new(words).run(home)
}

/// What a server of the same kind makes of the file.
fn digest_of(file: &Path, flavor: Flavor) -> String {
    let directory = file
        .parent()
        .expect("a directory")
        .to_str()
        .expect("a path");
    let name = file.file_name().expect("a name").to_str().expect("a path");
    let args = ["--dir", directory, "--dbfilename", name].map(str::to_owned);
    let loaded = RedisServer::start(Options {
        flavor,
        args: args.to_vec(),
        ..Options::default()
    });
    digest(&loaded)
}

fn digest(server: &RedisServer) -> String {
    server.run("DEBUG DIGEST").text().to_owned()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("our own directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// A directory in the home with nothing in it.
fn room(home: &Home) -> PathBuf {
    let room = home.path().join("room");
    std::fs::create_dir(&room).expect("our own directory");
    room
}

#[test]
fn the_copy_is_the_same_by_disk_and_by_memory_packed_or_not() {
    for flavor in Flavor::available() {
        let server = seeded(Options {
            flavor,
            ..Options::default()
        });
        let expected = digest(&server);
        for (diskless, way) in [("yes", "memory"), ("no", "disk")] {
            server.run(&format!("CONFIG SET repl-diskless-sync {diskless}"));
            let home = Home::new();
            let room = room(&home);
            let file = room.join("a.rdb");
            let run = fetch(&home, &server.url(), &file, &["-o", "json"]);
            let data = &run.succeeds().json()["data"];
            assert_eq!(
                (&data["way"], &data["checksum"]),
                (&way.into(), &"good".into())
            );
            assert_eq!(names(&room), ["a.rdb"]);
            let size = file.metadata().expect("the file").len();
            assert_eq!(data["received_bytes"], size);
            assert_eq!(digest_of(&file, flavor), expected, "{flavor:?} {way}");

            let packed = room.join("a.rdb.zst");
            fetch(&home, &server.url(), &packed, &["--compress", "zstd"]).succeeds();
            let bytes = zstd::decode_all(&std::fs::read(&packed).unwrap()[..]).unwrap();
            assert_eq!(bytes.len() as u64, size);
            let zipped = room.join("a.rdb.gz");
            fetch(&home, &server.url(), &zipped, &["--compress", "gzip"]).succeeds();
            assert!(std::fs::read(&zipped).unwrap().starts_with(b"\x1f\x8b"));
        }
    }
}

#[test]
fn the_copy_comes_over_tls_a_socket_and_with_a_users_own_rights() {
    let certs = Certs::new();
    let server = seeded(Options {
        tls: Some(certs.serving(&certs.server)),
        password: Some("sesame".to_owned()),
        ..Options::default()
    });
    server.cmd(&[
        b"ACL",
        b"SETUSER",
        b"copier",
        b"on",
        b">copying",
        b"+psync",
        b"+replconf",
        b"+ping",
        b"+info",
    ]);
    server.cmd(&[
        b"ACL",
        b"SETUSER",
        b"reader",
        b"on",
        b">reading",
        b"+@read",
        b"+ping",
        b"+info",
    ]);
    let expected = digest(&server);
    let (tls, socket) = (
        format!("rediss://127.0.0.1:{}", server.tls_port()),
        format!("redis+unix://{}", server.socket().display()),
    );
    let ca = certs.ca.to_str().expect("a path").to_owned();
    for (target, user, password, more) in [
        (
            tls.as_str(),
            "default",
            "sesame",
            vec!["--cacert", ca.as_str()],
        ),
        (socket.as_str(), "copier", "copying", vec![]),
        (&server.url(), "copier", "copying", vec![]),
    ] {
        let home = Home::new();
        let file = room(&home).join("a.rdb");
        let mut words = vec!["-t", target, "snapshot", "fetch", file.to_str().unwrap()];
        words.extend(["--user", user]);
        words.extend(more);
        let run = Call::new(words).env("REDISCLI_AUTH", password).run(&home);
        run.succeeds();
        assert_eq!(digest_of(&file, Flavor::Redis), expected, "{target} {user}");
    }
    let home = Home::new();
    let room = room(&home);
    let file = room.join("a.rdb");
    let url = server.url();
    let words = [
        "-t",
        &url,
        "--user",
        "reader",
        "snapshot",
        "fetch",
        file.to_str().unwrap(),
    ];
    let run = Call::new(words).env("REDISCLI_AUTH", "reading").run(&home);
    run.exits(4);
    assert!(run.err().contains("psync"), "{}", run.err());
    assert_eq!(names(&room), [""; 0]);
}

#[test]
fn a_replica_gives_its_copy_and_one_without_link_says_so() {
    let primary = seeded(Options::default());
    let replica = RedisServer::start(Options {
        replica_of: Some(primary.as_primary()),
        ..Options::default()
    });
    wait_until_in_step(&primary, &replica);
    let home = Home::new();
    let room = room(&home);
    let file = room.join("a.rdb");
    fetch(&home, &replica.url(), &file, &[]).succeeds();
    assert_eq!(digest_of(&file, Flavor::Redis), digest(&primary));

    let alone = RedisServer::start(Options {
        replica_of: Some(Primary {
            port: 1,
            password: None,
        }),
        ..Options::default()
    });
    let run = fetch(&home, &alone.url(), &room.join("b.rdb"), &[]);
    run.exits(3);
    assert!(run.err().contains("link to"), "{}", run.err());
    assert_eq!(names(&room), ["a.rdb"]);
}

#[test]
fn under_writes_the_copy_is_one_moment() {
    for flavor in Flavor::available() {
        let server = seeded(Options {
            flavor,
            ..Options::default()
        });
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = server.client();
                let mut number = 0_u64;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    number += 1;
                    let value = number.to_string();
                    let pair = [
                        &b"MSET"[..],
                        b"left",
                        value.as_bytes(),
                        b"right",
                        value.as_bytes(),
                    ];
                    client.cmd(&pair).expect("our own server");
                }
            });
            let home = Home::new();
            let file = room(&home).join("a.rdb");
            fetch(&home, &server.url(), &file, &[]).succeeds();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            let directory = file.parent().unwrap().to_str().unwrap();
            let args = ["--dir", directory, "--dbfilename", "a.rdb"].map(str::to_owned);
            let loaded = RedisServer::start(Options {
                flavor,
                args: args.to_vec(),
                ..Options::default()
            });
            assert_eq!(loaded.run("GET left"), loaded.run("GET right"));
        });
    }
}

#[test]
fn standard_output_gets_the_copy_and_nothing_else() {
    let server = seeded(Options::default());
    let home = Home::new();
    let run = fetch(&home, &server.url(), Path::new("-"), &[]);
    run.succeeds();
    assert!(run.stdout.starts_with(b"REDIS00"));
    let file = room(&home).join("a.rdb");
    std::fs::write(&file, &run.stdout).unwrap();
    assert_eq!(digest_of(&file, Flavor::Redis), digest(&server));
    assert!(run.err().contains("checksum good"), "{}", run.err());
}

#[test]
fn what_it_costs_is_said_before_it_begins() {
    let server = seeded(Options::default());
    server.run("CONFIG SET repl-diskless-sync no");
    let home = Home::new();
    let run = fetch(&home, &server.url(), &room(&home).join("a.rdb"), &[]);
    run.succeeds();
    for words in [
        "PSYNC is permitted",
        "the server forks",
        "over dump.rdb, which counts as a save",
        "counts us as a replica",
        "free for pages written meanwhile",
    ] {
        assert!(run.err().contains(words), "{words}: {}", run.err());
    }
}

#[test]
fn an_output_that_is_there_or_is_a_link_is_left_alone() {
    let server = seeded(Options::default());
    let home = Home::new();
    let room = room(&home);
    let file = room.join("a.rdb");
    std::fs::write(&file, "precious").unwrap();
    let run = fetch(&home, &server.url(), &file, &[]);
    run.exits(2);
    assert!(run.err().contains("--force"), "{}", run.err());
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    // Not even asked for a copy.
    assert_eq!(server.info("sync_full").as_deref(), Some("0"));
    fetch(&home, &server.url(), &file, &["--force"]).succeeds();
    assert!(std::fs::read(&file).unwrap().starts_with(b"REDIS"));
    let link = room.join("link");
    std::os::unix::fs::symlink(home.path().join("elsewhere"), &link).unwrap();
    fetch(&home, &server.url(), &link, &["--force"]).exits(2);
    assert!(!home.path().join("elsewhere").exists());
}

#[test]
fn a_disk_that_takes_no_more_leaves_nothing() {
    let server = seeded(Options::default());
    let home = Home::new();
    let room = room(&home);
    // At most 64 blocks may be written; the signal that would kill is ignored, as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 64; exec '{BINARY}' \"$@\"");
    let run = Command::new("sh")
        .args(["-c", &script, "cachedeck"])
        .args(["-t", &server.url(), "snapshot", "fetch"])
        .arg(room.join("a.rdb"))
        .env_clear()
        .envs(home.environment())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("a.rdb: "), "{said}");
    assert_eq!(names(&room), [""; 0]);
}

/// A server whose copies take for ever, asked for one: running, with some of it in its file.
fn under_way(home: &Home, room: &Path) -> (RedisServer, Running) {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("DEBUG POPULATE 30000 filler 500");
    server.run("CONFIG SET rdb-key-save-delay 1000");
    let url = server.url();
    let file = room.join("a.rdb");
    let words = [
        "-t",
        &url,
        "snapshot",
        "fetch",
        file.to_str().expect("a path"),
    ];
    let running = Call::new(words).start(home);
    running.has_filled(room, 1000);
    (server, running)
}

#[test]
fn interrupted_it_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let home = Home::new();
        let room = room(&home);
        let (_server, running) = under_way(&home, &room);
        running.signal(signal);
        running.wait().exits(130);
        assert_eq!(names(&room), [""; 0]);
    }
}

#[test]
fn killed_it_leaves_nothing_either() {
    for signal in [Signal::HUP, Signal::KILL] {
        let home = Home::new();
        let room = room(&home);
        let (_server, running) = under_way(&home, &room);
        running.signal(signal);
        assert_eq!(running.wait().code(), None);
        assert_eq!(names(&room), [""; 0]);
    }
}

#[test]
fn a_server_that_dies_meanwhile_ends_it() {
    let home = Home::new();
    let room = room(&home);
    let (mut server, running) = under_way(&home, &room);
    server.kill();
    let run = running.wait();
    run.exits(3);
    assert!(
        run.err().contains("while sending its data"),
        "{}",
        run.err()
    );
    assert_eq!(names(&room), [""; 0]);
}

/// A server of our own words, which answers a request for a copy so.
fn scripted(answer: Answer) -> ScriptedServer {
    let ok = || Answer::Bytes(b"+OK\r\n".to_vec());
    let unknown = || Answer::Bytes(b"-ERR unknown command\r\n".to_vec());
    let info = b"$9\r\nredis:1\r\n\r\n".to_vec();
    ScriptedServer::start(
        Script::new()
            .on("PSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n", answer)
            .on("$7\r\nCOMMAND\r\n$4\r\nINFO\r\n", unknown())
            .on("$6\r\nWHOAMI\r\n", unknown())
            .on("$6\r\nCONFIG\r\n", unknown())
            .on("$4\r\nINFO\r\n", Answer::Bytes(info))
            .on("REPLCONF", ok())
            .on("$4\r\nPING\r\n", Answer::Bytes(b"+PONG\r\n".to_vec()))
            .on("$6\r\nCLIENT\r\n", ok()),
    )
}

#[test]
fn what_is_no_whole_snapshot_is_not_kept() {
    let home = Home::new();
    let room = room(&home);
    let begun = |payload: &[u8]| {
        let head = format!("+FULLRESYNC a 1\r\n${}\r\n", payload.len());
        Answer::Bytes([head.as_bytes(), payload].concat())
    };
    let damaged = b"REDIS0010 some bytes and a sum\xff12345678";
    for (answer, says) in [
        (begun(damaged), "checksum"),
        (begun(b"HELLO, this is no snapshot"), "does not begin"),
        (
            Answer::ThenClose(b"+FULLRESYNC a 1\r\n$5000\r\nREDIS".to_vec()),
            "closed",
        ),
    ] {
        let server = scripted(answer);
        let target = format!("redis://{}", server.address());
        let run = fetch(&home, &target, &room.join("a.rdb"), &[]);
        run.exits(3);
        assert!(run.err().contains(says), "{says}: {}", run.err());
        assert_eq!(names(&room), [""; 0]);
    }
}

#[test]
fn a_transfer_that_stalls_is_given_up() {
    let home = Home::new();
    let room = room(&home);
    let server = scripted(Answer::Bytes(
        b"+FULLRESYNC a 1\r\n\n\n$500\r\nREDIS".to_vec(),
    ));
    let target = format!("redis://{}", server.address());
    let run = fetch(&home, &target, &room.join("a.rdb"), &["--stall", "100ms"]);
    run.exits(3);
    assert!(
        run.err().contains("did not answer within 0.1 s"),
        "{}",
        run.err()
    );
    assert_eq!(names(&room), [""; 0]);
}

#[test]
fn a_copy_is_analysed_while_it_comes_and_leaves_no_file() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let script = "for n = 1, 3000 do redis.call('SET', 'user:' .. n .. ':name', n) end \
                      for n = 1, 500 do redis.call('HSET', 'cart:' .. n, 'a', n) end \
                      for n = 1, 100 do redis.call('EXPIRE', 'cart:' .. n, 1000) end";
        assert!(!server.cmd(&[b"EVAL", script.as_bytes(), b"0"]).is_error());
        let walked = cachedeck([&server.url(), "analyze", "--full-speed", "-o", "json"]);
        let copied = cachedeck([&server.url(), "analyze", "--via", "rdb", "-o", "json"]);
        walked.succeeds();
        copied.succeeds();
        let (walked, copied) = (walked.json()["data"].clone(), copied.json()["data"].clone());
        assert_eq!(
            (&copied["via"], &copied["exact"]),
            (&"rdb".into(), &true.into())
        );
        for field in ["keys", "exact"] {
            assert_eq!(walked[field], copied[field]);
        }
        assert_eq!(walked["ttl"]["without"], copied["ttl"]["without"]);
        let row = |data: &serde_json::Value| {
            let rows = data["prefixes"].as_array().expect("rows").iter();
            let mut rows = rows.filter(|row| row["prefix"] == "user:*:name");
            rows.next().expect("the pattern")["keys"].clone()
        };
        assert_eq!(row(&walked), row(&copied));
        // Nothing was asked key by key.
        let stats = server.cmd(&[b"INFO", b"commandstats"]);
        assert!(stats.text().contains("psync"));
    }
}
