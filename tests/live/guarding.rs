//! What leaves the program while somebody only looks: reading commands, and nothing else.

use std::time::Duration;

use cachedeck::engine::{Backend, Server};
use cachedeck::model::{Change, Job, Key, TtlWish, WalkAsk, Window};

use super::bench::{backend, run, sample, walked};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::proxy::FaultProxy;
use crate::common::redis::{Flavor, RedisServer};

/// Written down here once more, and not read from the engine: who adds a command there has to say
/// so here.
const REDIS_READS: &[&str] = &[
    "ACL DRYRUN",
    "ACL WHOAMI",
    "AUTH",
    "CLIENT NO-TOUCH",
    "CLIENT SETINFO",
    "CLIENT SETNAME",
    "COMMAND INFO",
    "CONFIG GET",
    "DBSIZE",
    "EXISTS",
    "GETRANGE",
    "HELLO",
    "HLEN",
    "HSCAN",
    "INFO",
    "LLEN",
    "LRANGE",
    "MEMORY STATS",
    "MEMORY USAGE",
    "OBJECT ENCODING",
    "OBJECT FREQ",
    "OBJECT IDLETIME",
    "PING",
    "PTTL",
    "SCAN",
    "SCARD",
    "SELECT",
    "SSCAN",
    "STRLEN",
    "TIME",
    "TYPE",
    "XLEN",
    "XRANGE",
    "ZCARD",
    "ZRANGE",
];

const MEMCACHED_READS: &[&str] = &[
    "version",
    "stats",
    "stats items",
    "stats slabs",
    "stats settings",
    "lru_crawler metadump hash",
];

/// Everything that a person can look at, plans of changes among it.
async fn tour(server: &Server) {
    sample(server).await;
    let pattern = WalkAsk {
        pattern: Some(b"*e*".to_vec()),
        ..WalkAsk::default()
    };
    walked(server, pattern).await;
    let mut keys: Vec<Key> = walked(server, WalkAsk::default())
        .await
        .into_iter()
        .map(|one| one.key)
        .collect();
    keys.push(Key::from("gone"));
    server.facts(&keys).await.expect("facts");
    for key in &keys {
        for from in [0, 2] {
            let window = Window { from, count: 2 };
            server.show(key, window).await.expect("a value");
        }
    }
    let wishes = [TtlWish::In(Duration::from_secs(60)), TtlWish::Never];
    for wish in wishes {
        let keys = keys.clone();
        let change = Change::SetTtl { keys, wish };
        server.preview(&change).await.expect("a preview");
    }
    for change in [Change::Delete { keys }, Change::Snapshot] {
        server.preview(&change).await.expect("a preview");
    }
    server.preflight(Job::Snapshot).await.expect("a preflight");
    sample(server).await;
}

/// The words of each command in a stream of them.
fn commands(mut sent: &[u8]) -> Vec<Vec<String>> {
    fn line<'a>(sent: &mut &'a [u8]) -> &'a str {
        let end = sent.windows(2).position(|two| two == b"\r\n");
        let (line, rest) = sent.split_at(end.expect("a whole line"));
        *sent = &rest[2..];
        std::str::from_utf8(line).expect("a length")
    }
    let mut commands = Vec::new();
    while !sent.is_empty() {
        let words: usize = line(&mut sent)[1..].parse().expect("a count of words");
        let words = (0..words).map(|_| {
            let length: usize = line(&mut sent)[1..].parse().expect("a length");
            let (word, rest) = sent.split_at(length);
            sent = &rest[2..];
            String::from_utf8_lossy(word).into_owned()
        });
        commands.push(words.collect());
    }
    commands
}

/// The command as it stands in the list above.
fn title(words: &[String]) -> String {
    let name = words[0].to_ascii_uppercase();
    let families = ["ACL", "CLIENT", "COMMAND", "CONFIG", "MEMORY", "OBJECT"];
    if families.contains(&name.as_str()) {
        format!("{name} {}", words[1].to_ascii_uppercase())
    } else {
        name
    }
}

#[test]
fn looking_sends_only_reading_commands() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        for command in [
            "SET text hello",
            "SET brief hello EX 900",
            "HSET table field value other value",
            "RPUSH queue a b c",
            "SADD crowd a b c",
            "ZADD ranking 1 a 2 b",
            "XADD events 1-1 field value",
            "PFADD estimate a",
        ] {
            server.run(command);
        }
        let proxy = FaultProxy::to(server.address());
        let url = format!("redis://{}", proxy.address());
        run(async { tour(&backend(&url)).await });
        let sent = commands(&proxy.sent());
        for words in &sent {
            let title = title(words);
            assert!(REDIS_READS.contains(&title.as_str()), "{flavor:?}: {title}");
        }
        for part in ["SCAN", "HSCAN", "XRANGE", "MEMORY USAGE", "ACL DRYRUN"] {
            assert!(
                sent.iter().any(|words| title(words) == part),
                "{flavor:?}: the tour leaves {part} out"
            );
        }
    }
}

#[test]
fn looking_at_memcached_sends_only_reading_commands() {
    let server = MemcachedServer::start(memcached::Options::default());
    for name in ["item", "other"] {
        server.set(name, b"value", 600);
    }
    let proxy = FaultProxy::to(server.address());
    let url = format!("memcached://{}", proxy.address());
    run(async { tour(&backend(&url)).await });
    let sent = String::from_utf8(proxy.sent()).expect("names of letters");
    let mut looks = 0;
    for line in sent.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let reads = match words.as_slice() {
            ["me", _key] => true,
            // Flags that store, touch, invalidate or win a token begin with other letters.
            ["mg", _key, flags @ ..] => {
                looks += 1;
                flags.contains(&"u")
                    && flags
                        .iter()
                        .all(|flag| flag.starts_with(['v', 'f', 'c', 't', 's', 'l', 'h', 'u']))
            }
            _ => MEMCACHED_READS.contains(&line),
        };
        assert!(reads, "{line}");
    }
    assert!(looks > 0, "the tour opens no value");
}
