//! What goes wrong says what, where and why, with its exit code, and gives no secret away.

use crate::common::memcached::{self, MemcachedServer};
use crate::common::process;
use crate::common::program::{Call, Home, Run, cachedeck};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::scripted::{Answer, ScriptedServer};

/// The run failed with this code, said an error of this kind, and printed no data.
fn fails(run: &Run, code: i32, words: &str) {
    run.exits(code);
    let error = run.err();
    assert!(error.contains("error: "), "{error}");
    assert!(error.contains(words), "{words:?} is not in:\n{error}");
    assert!(run.out().is_empty(), "{}", run.out());
}

fn plain() -> RedisServer {
    RedisServer::plain(Flavor::Redis)
}

#[test]
fn nobody_listens() {
    let url = format!("redis://127.0.0.1:{}", process::free_port());
    let run = cachedeck([&url, "info"]);
    fails(&run, 3, "cannot be reached");
    assert!(run.err().contains("hint: "));
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let server = RedisServer::start(Options {
        password: Some("right".into()),
        ..Options::default()
    });
    let port = server.port().to_string();
    let run = Call::new(["-p", &port, "info"])
        .env("REDISCLI_AUTH", "CANARY")
        .run(&Home::new());
    fails(&run, 4, "refused the login");
    assert!(!run.err().contains("CANARY"));
    fails(&cachedeck(["-p", &port, "info"]), 4, "");
    let run = cachedeck([&format!("redis://:CANARY@127.0.0.1:{port}"), "info"]);
    fails(&run, 4, "warning: the password in the URL can be seen");
    assert!(!run.err().contains("CANARY"), "{}", run.err());
    Call::new(["-p", &port, "info"])
        .env("REDISCLI_AUTH", "right")
        .run(&Home::new())
        .succeeds();
}

#[test]
fn a_user_without_permission_is_told_so() {
    let server = plain();
    server.run("ACL SETUSER weak on >pw ~* +ping +hello +client +auth");
    server.run("SET k v");
    let port = server.port().to_string();
    let run = Call::new(["-p", &port, "--user", "weak", "show", "k"])
        .env("REDISCLI_AUTH", "pw")
        .run(&Home::new());
    fails(&run, 4, "not permitted");
    let run = Call::new(["-p", &port, "--user", "weak", "ttl", "k", "-o", "json"])
        .env("REDISCLI_AUTH", "pw")
        .run(&Home::new());
    run.exits(4);
    assert_eq!(
        run.json()["data"]["keys"][0]["exists"],
        serde_json::Value::Null
    );
}

#[test]
fn without_info_what_is_left_is_printed_and_the_code_says_so() {
    let server = plain();
    server.run("ACL SETUSER blind on >pw ~* +@all -info -bgsave");
    server.run("SET k v");
    let port = server.port().to_string();
    let ask = |args: &[&str]| {
        Call::new([&["-p", port.as_str(), "--user", "blind"], args].concat())
            .env("REDISCLI_AUTH", "pw")
            .run(&Home::new())
    };
    let run = ask(&["info", "-o", "json"]);
    run.exits(4);
    let data = &run.json()["data"];
    assert_eq!((&data["keys"], &data["hits"]), (&1.into(), &().into()));
    for field in ["hits", "policy", "ops_per_s"] {
        let why = data["unsupported"][field].as_str().unwrap();
        assert!(why.starts_with("not permitted: INFO"), "{field}: {why}");
    }
    assert_eq!(run.json()["warnings"].as_array().unwrap().len(), 1);
    let run = ask(&["info"]);
    run.exits(4);
    assert!(run.out().contains("keys            1"), "{}", run.out());
    fails(&ask(&["watch", "--count", "1"]), 4, "not permitted: INFO");
    fails(&ask(&["replication"]), 4, "not permitted: INFO");
    fails(&ask(&["snapshot", "status"]), 4, "not permitted: INFO");
}

#[test]
fn a_change_that_is_not_permitted_at_all_is_no_partial_one() {
    let server = plain();
    server.run("ACL SETUSER reader on >pw ~* +@all -@write");
    server.run("SET k v");
    let port = server.port().to_string();
    let run = Call::new(["-p", &port, "--user", "reader", "delete", "k", "--yes"])
        .env("REDISCLI_AUTH", "pw")
        .run(&Home::new());
    run.exits(4);
    assert!(run.out().contains("NOPERM"), "{}", run.out());
}

#[test]
fn a_user_without_password_is_logged_in_or_refused_but_not_forgotten() {
    let server = plain();
    server.run("ACL SETUSER open on nopass ~* +@all -ttl -pttl -pexpiretime -type");
    server.run("SET k v");
    let port = server.port().to_string();
    let run = cachedeck(["-p", &port, "--user", "open", "show", "k"]);
    fails(&run, 4, "not permitted");
    let run = cachedeck(["-p", &port, "--user", "nobody", "show", "k"]);
    fails(&run, 4, "refused the login");
}

#[test]
fn one_profile_of_a_later_version_does_not_hide_the_others() {
    let home = Home::new();
    let file = home.write(
        "c.yaml",
        "profiles:\n  a: { url: 'redis://h' }\n  b: { url: 'redis-cluster://:CANARY@c' }\n",
    );
    let config = file.to_str().unwrap();
    let run = Call::new(["--config", config, "profiles"]).run(&home);
    run.exits(6);
    assert!(run.out().contains("redis://h:6379"), "{}", run.out());
    assert!(run.out().contains("a later version"), "{}", run.out());
    assert!(!run.out().contains("CANARY") && !run.err().contains("CANARY"));
}

#[test]
fn another_server_than_the_url_says() {
    let memcached = MemcachedServer::start(memcached::Options::default());
    let redis = plain();
    let at = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}");
    let run = cachedeck([&at("redis", memcached.port()), "info"]);
    fails(&run, 3, "hint: this looks like Memcached");
    let run = cachedeck([&at("memcached", redis.port()), "info"]);
    fails(&run, 3, "is not a Memcached server");
    let web = ScriptedServer::always(Answer::http());
    fails(
        &cachedeck([&at("redis", web.port()), "info"]),
        3,
        "is not a Redis server",
    );
    fails(&cachedeck([&at("memcached", web.port()), "info"]), 3, "");
}

#[test]
fn a_server_that_hangs_ends_the_command_in_time() {
    let server = plain();
    server.stop();
    let run = cachedeck([
        "-p",
        &server.port().to_string(),
        "--timeout",
        "200ms",
        "info",
    ]);
    server.cont();
    fails(&run, 3, "did not answer within 0.2 s");
}

#[test]
fn usage_is_explained() {
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["inof"],                          "did you mean the command `info`?"),
        (&["redis://h", "frob"],             "`frob` is no command"),
        (&["show"],                          "<KEY>"),
        (&["redis://h", "show", r"\q"],      "KEY: "),
        (&["redis://h", "info", "-o", "xml"], "invalid value 'xml'"),
        (&["redis://h", "keys", "-o", "prom"], "keys has no output as prom"),
        (&["redis://h", "keys", "--ttl", "1h"], "compares nothing"),
        (&["redis://h", "ttl", "k", "--set", "0"], "--set: "),
        (&["redis://h", "ttl", "k", "--set", "1h", "--persist"], "cannot be used with"),
        (&["redis://h:port", "info"],        "port"),
        (&["-p", "0", "info"],               "0 is not in 1..=65535"),
        (&["--config", "/nowhere.yaml", "info"], "/nowhere.yaml does not exist"),
        (&["redis://h", "watch", "-o", "json"], "--count"),
        (&["redis://h"],                     "needs a terminal"),
    ];
    for (words, said) in table {
        fails(&cachedeck(words.iter().copied()), 2, said);
    }
}

#[test]
fn a_config_with_a_typo_names_its_place() {
    let home = Home::new();
    let file = home.write("c.yaml", "profiles:\n  a: { ulr: redis://h }\n");
    let run = Call::new(["--config", file.to_str().unwrap(), "a", "info"]).run(&home);
    fails(&run, 2, "c.yaml:2:");
}

#[test]
fn what_memcached_has_not_is_a_no() {
    let server = MemcachedServer::start(memcached::Options::default());
    let url = server.url();
    fails(
        &cachedeck([&url, "replication"]),
        1,
        "Memcached has no replication",
    );
    fails(
        &cachedeck([&url, "snapshot", "status"]),
        1,
        "Memcached has no snapshots",
    );
    fails(&cachedeck([&url, "show", "nope"]), 1, "no such key");
}

#[test]
fn nothing_answers_where_nothing_is_named() {
    // The home is empty and the ports of this machine may be in use, so this asks only when free.
    let is_free = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    if is_free(6379) && is_free(11211) {
        fails(&cachedeck(["info"]), 3, "no target is named");
    }
}
