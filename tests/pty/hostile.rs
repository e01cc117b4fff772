//! Keys, values and servers that try to get at the terminal: their bytes are shown, never obeyed.

use super::desk::{ENTER, ESCAPE, NEVER, leave, open, open_keys};
use crate::common::program::Home;
use crate::common::pty::{Pty, Start};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::scripted::{Answer, Script, ScriptedServer};

const EVIL: &[u8] = b"\x1b]0;owned\x07\x1b[2J\x1b[31mred\xe2\x80\xaegpj.exe\xff\xfe\xc2\x9b6n\r\n";

/// Controls, zero-width and bidi characters, half characters, wide ones.
fn names() -> Vec<Vec<u8>> {
    vec![
        EVIL.to_vec(),
        b"\x1b[?1049l\x1b[?1003l\x1bc".to_vec(),
        "bidi:\u{202e}\u{2066}txt\u{200b}\u{feff}\u{e0041}".into(),
        "wide:\u{4f60}\u{597d}:\u{1f469}\u{200d}\u{1f680}e\u{301}\u{301}".into(),
        b"half:\xe4\xbd\xff\xc3\x28\xed\xa0\x80".to_vec(),
        (0..10_000_u16).map(|at| (at % 32) as u8).collect(),
        b"".to_vec(),
        b"spaces  and\ttabs ".to_vec(),
    ]
}

fn evil_server() -> RedisServer {
    let server = RedisServer::plain(Flavor::default());
    let mut client = server.client();
    let mut run = |args: &[&[u8]]| {
        let reply = client.cmd(args).expect("our own server");
        assert!(!reply.is_error(), "{reply:?}");
    };
    for name in names() {
        run(&[b"SET", &name, EVIL]);
    }
    run(&[b"HSET", b"kind:hash", EVIL, EVIL, b"plain", b"1"]);
    run(&[b"RPUSH", b"kind:list", EVIL, b"\x1b[2J"]);
    run(&[b"SADD", b"kind:set", EVIL, b"\x9b2J"]);
    run(&[b"ZADD", b"kind:zset", b"1", EVIL]);
    run(&[b"XADD", b"kind:stream", b"*", EVIL, EVIL]);
    run(&[
        b"SET",
        b"kind:json",
        b"{\"\\u001b[2J\": \"\\u202e\\u0007\", \"a\": \"\x1b[5n\"}",
    ]);
    run(&[
        b"SET",
        b"kind:text",
        "line\n\u{202e}two\n\x1b]52;c;aGk=\x07".as_bytes(),
    ]);
    server
}

/// Opens the card of every key, in each of its forms, and comes back.
fn browse(pty: &mut Pty, keys: usize) {
    for _ in 0..keys {
        pty.send(ENTER);
        pty.wait_for("Esc back");
        pty.wait_for("in memory");
        pty.send("xxxGg");
        pty.send("Y");
        pty.wait_for("cop");
        pty.send(ESCAPE);
        pty.wait_for("seen by");
        pty.send("y");
        pty.wait_for("copied");
        pty.send("j");
    }
}

#[test]
fn hostile_keys_and_values_are_browsed_opened_and_copied() {
    let server = evil_server();
    let keys = names().len() + 7;
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &NEVER);
    let screen = pty.wait_for(r"\x1b]0;owned\x07\x1b[2J");
    assert!(screen.contains(&format!("all {keys} keys")), "{screen}");
    assert!(screen.contains(r"\x1b[?1049l"), "{screen}");
    assert!(screen.contains(r"bidi:\u{202e}"), "{screen}");
    browse(&mut pty, keys);
    assert!(pty.terminal().alternate_screen());
    leave(pty);
}

#[test]
fn hostile_names_in_trees_and_wide_and_small_screens() {
    let server = evil_server();
    let home = Home::new();
    for (columns, rows) in [(200, 60), (40, 10), (20, 6)] {
        let url = server.url();
        let args = [&["-t", &url], &NEVER[..]].concat();
        let mut pty = Start::cachedeck(&home, args).size(columns, rows).start();
        pty.wait_for("● up");
        pty.send("2");
        pty.wait_until_gone("used");
        pty.wait_for("15 keys");
        for keys in ["G", "g", "v", "G", "v", "G"] {
            let before = pty.screen();
            pty.send(keys);
            pty.wait_until("another screen", |screen| screen != before);
        }
        leave(pty);
    }
}

#[test]
fn hostile_text_is_filtered_for_and_pasted() {
    let server = evil_server();
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &NEVER);
    pty.send("/");
    pty.wait_for("Show only keys with");
    // A terminal leaves escape sequences in what it pastes.
    pty.send("\x1b[200~owned\u{202e}\x07\x1b[2J\nd\ry\x1b[201~");
    pty.wait_for("owned");
    pty.send(ESCAPE);
    pty.wait_until_gone("Show only keys with");
    pty.send("/kind:");
    pty.wait_for("7 match");
    pty.send(ENTER);
    pty.wait_until_gone("Show only keys with");
    pty.send("o");
    pty.wait_for("Open the key");
    pty.send(r"half:\xe4\xbd\xff\xc3(\xed\xa0\x80");
    pty.send(ENTER);
    pty.wait_for(r"half:\xe4\xbd\xff");
    pty.wait_for("in memory");
    pty.send(ESCAPE);
    pty.wait_for("seen by");
    assert_eq!(server.run("DBSIZE").int(), 15);
    leave(pty);
}

#[test]
fn changes_of_hostile_keys_show_their_plans_escaped() {
    let server = evil_server();
    let home = Home::new();
    let mut pty = open_keys(&home, &server.url(), &NEVER);
    pty.send("/owned");
    pty.wait_for("1 match");
    pty.send(ENTER);
    pty.wait_until_gone("Show only keys with");
    pty.send("d");
    let plan = pty.wait_for("this would be sent:");
    let sent = plan.split("this would be sent:").last().unwrap_or_default();
    assert!(sent.contains(r#""\x1b]0;owned\x07\x1b[2J"#), "{plan}");
    // A long name does not push the question out of view.
    assert!(sent.contains("y yes, do it"), "{plan}");
    pty.send("n");
    pty.wait_until_gone("this would be sent:");
    pty.send(ESCAPE);
    pty.wait_until_gone("1 match");
    pty.send("a");
    pty.wait_for("15 marked");
    pty.send("t");
    pty.wait_for("TTL of");
    pty.send("2h\r");
    pty.wait_for("this would be sent:");
    pty.send("y");
    pty.wait_for("15 done");
    for name in names() {
        let ttl = server.cmd(&[b"TTL", &name]).int();
        assert!((7000..=7200).contains(&ttl), "{ttl}");
    }
    pty.wait_for("1h59m");
    leave(pty);
}

#[test]
fn a_server_whose_errors_are_escape_sequences() {
    let error = b"-ERR \x1b]52;c;aGFjaw==\x07\x1b[2J\xe2\x80\xaeowned\xff\r\n";
    let script = Script::new()
        .on("CLIENT\r\n", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on("*", Answer::Bytes(error.to_vec()));
    let server = ScriptedServer::start(script);
    let home = Home::new();
    let url = format!("redis://{}", server.address());
    let mut pty = Start::cachedeck(&home, ["-t", &url]).size(160, 30).start();
    pty.wait_for("● down");
    pty.wait_for("x1b]52;c;aGFjaw==");
    for pane in ["2", "3", "4", "1"] {
        pty.send(pane);
        pty.wait_for("x1b]52");
    }
    leave(pty);
}

#[test]
fn a_server_that_says_garbage() {
    let home = Home::new();
    for answer in [Answer::garbage(), Answer::http()] {
        let server = ScriptedServer::always(answer);
        for scheme in ["redis", "memcached"] {
            let url = format!("{scheme}://{}", server.address());
            let mut pty = open(&home, &["-t", &url]);
            pty.wait_for("● down");
            pty.wait_for("no connection to");
            leave(pty);
        }
    }
}

#[test]
fn a_server_whose_facts_are_escape_sequences() {
    let mut info = Vec::new();
    for line in [
        &b"redis_version:7\x1b[2J.0\xe2\x80\xae"[..],
        b"redis_mode:\x1b[31mstandalone",
        b"run_id:\x1b]0;id\x07",
        b"role:master",
        b"maxmemory_policy:\x1b[5nallkeys",
        b"connected_slaves:1",
        b"slave0:ip=\x1b[2J,port=\x9b1,state=\x1bc,offset=1,lag=0",
        b"db0:keys=1,expires=0,avg_ttl=0",
        b"used_memory:1000000",
        b"keyspace_hits:1",
        b"keyspace_misses:1",
        b"total_commands_processed:9",
        b"uptime_in_seconds:9",
        b"evil\x1b[2J:\x1b]52;c;aGk=\x07",
    ] {
        info.extend_from_slice(line);
        info.extend_from_slice(b"\r\n");
    }
    let mut reply = format!("${}\r\n", info.len()).into_bytes();
    reply.extend_from_slice(&info);
    reply.extend_from_slice(b"\r\n");
    let script = Script::new()
        .on(
            "$7\r\nCOMMAND\r\n$4\r\nINFO\r\n",
            Answer::Bytes(b"*-1\r\n".to_vec()),
        )
        .on("$4\r\nINFO\r\n", Answer::Bytes(reply))
        .on("CLIENT\r\n", Answer::Bytes(b"+OK\r\n".to_vec()))
        .on("WHOAMI\r\n", Answer::Bytes(b"$6\r\n\x1b[2Jme\r\n".to_vec()))
        .on("DRYRUN\r\n", Answer::Bytes(b"-ERR \x1b[2J\r\n".to_vec()))
        .on("SCAN\r\n", Answer::Bytes(b"-NOPERM \x1b[2J\r\n".to_vec()));
    let server = ScriptedServer::start(script);
    let home = Home::new();
    let url = format!("redis://{}", server.address());
    let args = [&["-t", &url], &NEVER[..]].concat();
    let mut pty = Start::cachedeck(&home, args).size(200, 60).start();
    let screen = pty.wait_for("● up");
    assert!(screen.contains("x1b[2J.0"), "{screen}");
    pty.send("i");
    pty.wait_for("x1b]52;c;aGk=");
    pty.send(ESCAPE);
    pty.wait_until_gone("In the server's words");
    pty.send("4");
    pty.wait_for("x1bc");
    pty.send("2");
    pty.wait_for("x1b[2J");
    leave(pty);
}
