//! What real servers save, and what they say of it themselves.

use std::fs;

use cachedeck::model::KeyKind;
use cachedeck::snapshot::rdb::Ending;

use super::told::{Told, ToldKey, Value, latin, whole};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::resp::Reply;

/// Every type in every size class, names that are empty, binary and long, moments of expiry, groups.
const FILL: &str = "
    math.randomseed(7)
    local function text(n, seed) return string.rep(seed .. 'x9', n):sub(1, n) end
    for _, n in ipairs({0, 1, 20, 21, 43, 44, 45, 63, 64, 200, 16383, 16384, 70000, 3000000}) do
        redis.call('SET', 'text:' .. n, text(n, 'a'))
        redis.call('SET', 'plain:' .. n, string.rep('z', n))
    end
    for _, n in ipairs({'0', '-1', '127', '128', '-129', '32768', '-2147483648', '2147483648',
                        '9223372036854775807', '9223372036854775808', '007', '1.5', '-0'}) do
        redis.call('SET', 'number:' .. n, n)
    end
    redis.call('SET', '', 'no name')
    redis.call('SET', 'binary\\0\\255\\r\\n', '\\0\\1\\254')
    redis.call('SET', string.rep('n', 5000), 'long name')
    redis.call('SET', 'ends', 'v', 'PXAT', 4102444800123)
    redis.call('SET', 'ends:soon', 'v', 'EX', 100000)
    for _, n in ipairs({1, 3, 120, 200, 600, 3000}) do
        for i = 1, n do
            redis.call('RPUSH', 'list:' .. n, i % 3 == 0 and i * 1000 or text(i % 90, i))
            redis.call('SADD', 'set:' .. n, 'm' .. i)
            redis.call('SADD', 'set:int:' .. n, i * 7919 - 3)
            redis.call('HSET', 'hash:' .. n, 'f' .. i, i % 2 == 0 and i or text(i % 70, i))
            redis.call('ZADD', 'zset:' .. n, i * 1.1, 'm' .. i)
            redis.call('XADD', 'stream:' .. n, i .. '-' .. i % 4, 'f', i, i % 5 == 0 and 'g' or 'f', text(i % 30, i))
        end
        redis.call('XDEL', 'stream:' .. n, '1-1')
    end
    redis.call('SADD', 'set:wide', 1, 70000, 9000000000)
    redis.call('RPUSH', 'list:large', text(100000, 'l'), 'small', text(20000, 'm'))
    redis.call('HSET', 'hash:large', 'f', text(100000, 'l'))
    redis.call('ZADD', 'zset:odd', 'inf', 'a', '-inf', 'b', 0, 'c', '-1e300', 'd', 3, 'e')
    redis.call('XGROUP', 'CREATE', 'stream:120', 'g', '5-1')
    redis.call('XREADGROUP', 'GROUP', 'g', 'one', 'COUNT', 7, 'STREAMS', 'stream:120', '>')
    redis.call('XREADGROUP', 'GROUP', 'g', 'two', 'COUNT', 3, 'STREAMS', 'stream:120', '>')
    redis.call('XGROUP', 'CREATE', 'stream:120', 'idle', '$')
    redis.call('XGROUP', 'CREATE', 'stream:empty', 'g', '$', 'MKSTREAM')
    redis.call('PFADD', 'hyperloglog', 'a', 'b', 'c')";

fn saved(server: &RedisServer) -> Told {
    assert!(!server.cmd(&[b"SAVE"]).is_error());
    let bytes = fs::read(server.directory().join("dump.rdb")).expect("what was saved");
    whole(&bytes).expect("a server's own file can be read")
}

fn filled(flavor: Flavor) -> RedisServer {
    let server = RedisServer::plain(flavor);
    let reply = server.cmd(&[b"EVAL", FILL.as_bytes(), b"0"]);
    assert!(!reply.is_error(), "{reply:?}");
    if server.knows("HPEXPIREAT") {
        for field in ["f1", "f3"] {
            server.run(&format!("HPEXPIREAT hash:3 4102444800123 FIELDS 1 {field}"));
            server.run(&format!(
                "HPEXPIREAT hash:600 4102444800456 FIELDS 1 {field}"
            ));
        }
    }
    server
}

#[test]
fn every_key_is_read_as_the_server_tells_it() {
    for flavor in Flavor::available() {
        let server = filled(flavor);
        let told = saved(&server);
        assert!(matches!(told.ending, Some(Ending::Verified(_))));
        assert_eq!(
            server.run("DBSIZE"),
            Reply::Int(i64::try_from(told.keys.len()).unwrap())
        );
        let (mut ours, mut theirs) = (0, 0);
        for key in &told.keys {
            key.agrees_with_itself();
            agrees(&server, flavor, key);
            let said = server.cmd(&[b"MEMORY", b"USAGE", &key.head.name, b"SAMPLES", b"0"]);
            theirs += number(&said);
            ours += i64::try_from(key.shape.memory.0).expect("not so much");
        }
        let ratio = ours as f64 / theirs as f64;
        assert!(
            (0.85..=1.15).contains(&ratio),
            "{flavor:?}: memory {ratio:.3}"
        );
    }
}

#[test]
fn what_is_dumped_is_restored_as_the_same() {
    for flavor in Flavor::available() {
        let server = filled(flavor);
        let told = saved(&server);
        let copy = RedisServer::plain(flavor);
        for key in &told.keys {
            let reply = copy.cmd(&[b"RESTORE", &key.head.name, b"0", &key.payload]);
            assert_eq!(
                reply,
                Reply::Simple("OK".into()),
                "{}",
                latin(&key.head.name)
            );
        }
        let mut again = saved(&copy).keys;
        let mut first = told.keys;
        again.sort_by(|one, other| one.head.name.cmp(&other.head.name));
        first.sort_by(|one, other| one.head.name.cmp(&other.head.name));
        assert_eq!(again.len(), first.len());
        for (one, other) in first.iter().zip(&again) {
            let name = latin(&one.head.name);
            assert_eq!(one.head.kind, other.head.kind, "{name}");
            assert_eq!(
                in_order(&one.value),
                in_order(&other.value),
                "{flavor:?} {name}"
            );
        }
    }
}

/// Sets and hashes have no order.
fn in_order(value: &Value) -> Value {
    let mut value = value.clone();
    value.items.sort();
    value.fields.sort();
    value
}

fn agrees(server: &RedisServer, flavor: Flavor, key: &ToldKey) {
    let name = &key.head.name;
    let shown = format!("{flavor:?} {}", latin(name));
    let ask = |words: &[&[u8]]| server.cmd(words);
    assert_eq!(
        ask(&[b"TYPE", name]),
        Reply::Simple(key.head.kind.word().into()),
        "{shown}"
    );
    let encoding = text(&ask(&[b"OBJECT", b"ENCODING", name]));
    // What was written in place is raw until it is loaded anew, which no file tells.
    // Valkey keeps some numbers that a script wrote as text until then.
    let is_number_as_text =
        flavor == Flavor::Valkey && key.head.encoding == "int" && encoding == "embstr";
    if name != b"hyperloglog" && !is_number_as_text {
        assert_eq!(key.head.encoding, encoding, "{shown}");
    }
    let ends = number(&ask(&[b"PEXPIRETIME", name]));
    assert_eq!(key.head.ends.map_or(-1, |end| end.0), ends, "{shown}");
    let value = &key.value;
    match &key.head.kind {
        KeyKind::String => {
            assert_eq!(value.items, [text(&ask(&[b"GET", name]))], "{shown}");
        }
        KeyKind::List => {
            assert_eq!(
                value.items,
                texts(&ask(&[b"LRANGE", name, b"0", b"-1"])),
                "{shown}"
            );
        }
        KeyKind::Set => {
            let mut theirs = texts(&ask(&[b"SMEMBERS", name]));
            theirs.sort();
            assert_eq!(in_order(value).items, theirs, "{shown}");
        }
        KeyKind::Hash => {
            let theirs = texts(&ask(&[b"HGETALL", name]));
            let mut theirs: Vec<(String, String)> = theirs
                .chunks(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect();
            theirs.sort();
            let ours = in_order(value).fields.into_iter();
            let ours: Vec<(String, String)> =
                ours.map(|(field, value, _)| (field, value)).collect();
            assert_eq!(ours, theirs, "{shown}");
            if server.knows("HPEXPIRETIME") {
                for (field, _, end) in &value.fields {
                    let said = ask(&[b"HPEXPIRETIME", name, b"FIELDS", b"1", field.as_bytes()]);
                    assert_eq!(
                        said,
                        Reply::Array(vec![Reply::Int(end.unwrap_or(-1))]),
                        "{shown}"
                    );
                }
            }
        }
        KeyKind::SortedSet => {
            let theirs = texts(&ask(&[b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"]));
            let mut theirs: Vec<(String, f64)> = theirs
                .chunks(2)
                .map(|pair| (pair[0].clone(), pair[1].parse().expect("a number")))
                .collect();
            let mut ours = value.scores.clone();
            theirs.sort_by(|one, other| one.0.cmp(&other.0));
            ours.sort_by(|one, other| one.0.cmp(&other.0));
            assert_eq!(ours, theirs, "{shown}");
        }
        KeyKind::Stream => stream_agrees(server, key, &shown),
        other => panic!("{shown}: {other:?}"),
    }
}

fn stream_agrees(server: &RedisServer, key: &ToldKey, shown: &str) {
    let name = &key.head.name;
    let Reply::Array(entries) = server.cmd(&[b"XRANGE", name, b"-", b"+"]) else {
        panic!("{shown}: no entries");
    };
    let theirs: Vec<(String, Vec<String>)> = entries
        .iter()
        .map(|entry| match entry {
            Reply::Array(parts) => (text(&parts[0]), texts(&parts[1])),
            other => panic!("{shown}: {other:?}"),
        })
        .collect();
    let ours: Vec<(String, Vec<String>)> = key
        .value
        .entries
        .iter()
        .filter(|entry| !entry.is_deleted)
        .map(|entry| {
            let fields = entry.fields.iter();
            let fields = fields.flat_map(|(field, value)| [field.clone(), value.clone()]);
            (entry.id.clone(), fields.collect())
        })
        .collect();
    assert_eq!(ours, theirs, "{shown}");
    for group in &key.value.groups {
        let said = server.cmd(&[
            b"XPENDING",
            name,
            group.name.as_bytes(),
            b"-",
            b"+",
            b"1000",
        ]);
        let Reply::Array(pending) = said else {
            panic!("{shown}: {said:?}");
        };
        let theirs: Vec<String> = pending
            .iter()
            .map(|one| match one {
                Reply::Array(parts) => text(&parts[0]),
                other => panic!("{shown}: {other:?}"),
            })
            .collect();
        let ours: Vec<String> = group.pending.iter().map(|(id, _, _)| id.clone()).collect();
        assert_eq!(ours, theirs, "{shown}");
        let owned: usize = group.consumers.iter().map(|one| one.pending.len()).sum();
        assert_eq!(owned, ours.len(), "{shown}");
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => latin(bytes),
        Reply::Simple(text) => text.clone(),
        other => panic!("a text was expected, not {other:?}"),
    }
}

fn texts(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::Array(items) => items.iter().map(text).collect(),
        other => panic!("a list was expected, not {other:?}"),
    }
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Int(number) => *number,
        other => panic!("a number was expected, not {other:?}"),
    }
}
