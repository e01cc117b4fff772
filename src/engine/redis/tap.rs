//! Listening to a server: what it carries out (`MONITOR`), or what happens to keys (notifications).
//!
//! Neither changes anything, and both end with the connection, whoever closes it. What was heard is
//! parsed here; bytes that are no such thing are counted and left alone.

use crate::engine::redis::resp::View;

/// What can be listened to. There is nothing else, so a tap never needs a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    Monitor,
    /// What happens to keys of this database.
    Events(u32),
}

impl Tap {
    pub fn words(self) -> Vec<String> {
        match self {
            Self::Monitor => vec!["MONITOR".to_owned()],
            // By event: the key is the message, so that no name is cut at a colon.
            Self::Events(database) => vec![
                "PSUBSCRIBE".to_owned(),
                format!("__keyevent@{database}__:*"),
            ],
        }
    }
}

/// One thing that was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    Command(Line),
    Event {
        what: &'a [u8],
        key: &'a [u8],
    },
    Refused(&'a [u8]),
    /// A greeting, or nothing that we know.
    Other,
}

/// A line of MONITOR.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub database: u32,
    /// `10.0.0.7:51234`, `lua`, or `unix:` and a path.
    pub client: Vec<u8>,
    pub words: Vec<Vec<u8>>,
}

/// What a reply says, given with all its elements.
pub fn heard<'a>(mut reply: impl Iterator<Item = View<'a>>) -> Heard<'a> {
    match reply.next() {
        Some(View::Error(line)) => Heard::Refused(line),
        Some(View::Simple(line)) => line_of(line).map_or(Heard::Other, Heard::Command),
        Some(View::Array(_)) => event_of(&reply.collect::<Vec<_>>()),
        _ => Heard::Other,
    }
}

fn event_of<'a>(parts: &[View<'a>]) -> Heard<'a> {
    match parts {
        [
            View::Bulk(b"pmessage"),
            _,
            View::Bulk(channel),
            View::Bulk(key),
        ] => {
            let colon = channel.iter().position(|byte| *byte == b':');
            let what = colon.map_or(&b""[..], |at| &channel[at + 1..]);
            Heard::Event { what, key }
        }
        _ => Heard::Other,
    }
}

/// `1339518083.107412 [0 127.0.0.1:60866] "get" "a\x00"`
fn line_of(line: &[u8]) -> Option<Line> {
    let open = line.iter().position(|byte| *byte == b'[')?;
    let close = open + line[open..].iter().position(|byte| *byte == b']')?;
    let mut head = line[open + 1..close].splitn(2, |byte| *byte == b' ');
    let database = std::str::from_utf8(head.next()?).ok()?.parse().ok()?;
    let client = head.next()?.to_vec();
    let mut words = Vec::new();
    let mut rest = &line[close + 1..];
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(Line {
                database,
                client,
                words,
            });
        }
        let (word, after) = quoted(rest)?;
        words.push(word);
        rest = after;
    }
}

/// A word between quotes, in the escapes of the server (`sdscatrepr`).
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut word = Vec::new();
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((word, after)),
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                word.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            [b'\\', sign, after @ ..] => {
                word.push(match sign {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

/// Where keys stand among the arguments of a command. Whatever is not listed has one, in front.
enum Keys {
    None,
    All,
    AllButLast,
    /// Every second one: `MSET k v k v`.
    Pairs,
    /// From this argument on to the end.
    From(usize),
    /// At this argument.
    At(usize),
    First2,
    /// So many as the argument at this place says, behind it.
    Counted(usize),
    /// One in front, and so many as the argument after it says.
    OneAndCounted,
    /// The first half of what follows STREAMS.
    Streams,
}

#[rustfmt::skip]
const KEYS: &[(Keys, &[&str])] = &[
    (Keys::None, &["acl", "asking", "auth", "bgrewriteaof", "bgsave", "client", "cluster", "command", "config",
                   "dbsize", "debug", "discard", "echo", "exec", "failover", "flushall", "flushdb", "function",
                   "hello", "info", "keys", "lastsave", "latency", "lolwut", "module", "monitor", "multi", "ping",
                   "psubscribe", "psync", "publish", "pubsub", "punsubscribe", "quit", "randomkey", "readonly",
                   "readwrite", "replconf", "replicaof", "reset", "role", "save", "scan", "script", "select",
                   "shutdown", "slaveof", "slowlog", "subscribe", "swapdb", "sync", "time", "unsubscribe", "unwatch",
                   "wait", "waitaof", "commandlog", "hotkeys"]),
    (Keys::All,           &["mget", "del", "unlink", "exists", "touch", "watch", "sinter", "sunion", "sdiff",
                            "sinterstore", "sunionstore", "sdiffstore", "pfcount", "pfmerge"]),
    (Keys::AllButLast,    &["blpop", "brpop", "bzpopmin", "bzpopmax"]),
    (Keys::Pairs,         &["mset", "msetnx"]),
    (Keys::From(1),       &["bitop"]),
    (Keys::At(1),         &["object", "memory", "xinfo", "xgroup"]),
    (Keys::First2,        &["rename", "renamenx", "copy", "lmove", "blmove", "rpoplpush", "brpoplpush", "smove",
                            "zrangestore", "geosearchstore", "lcs"]),
    (Keys::Counted(0),    &["zunion", "zinter", "zdiff", "zintercard", "sintercard", "lmpop", "zmpop"]),
    (Keys::Counted(1),    &["eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro", "blmpop", "bzmpop"]),
    (Keys::OneAndCounted, &["zunionstore", "zinterstore", "zdiffstore"]),
    (Keys::Streams,       &["xread", "xreadgroup"]),
];

/// The keys among the words of a command.
pub fn keys_of(words: &[Vec<u8>]) -> Vec<&[u8]> {
    let Some((name, arguments)) = words.split_first() else {
        return Vec::new();
    };
    let is_it = |other: &&str| other.as_bytes().eq_ignore_ascii_case(name);
    let known = KEYS.iter().find(|(_, names)| names.iter().any(is_it));
    let number = |at: usize| -> usize {
        let word = arguments
            .get(at)
            .and_then(|word| std::str::from_utf8(word).ok());
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    };
    let some = |from: usize, count: usize| arguments.iter().skip(from).take(count);
    let found: Vec<&Vec<u8>> = match known.map(|(keys, _)| keys) {
        None => some(0, 1).collect(),
        Some(Keys::None) => Vec::new(),
        Some(Keys::All) => some(0, usize::MAX).collect(),
        Some(Keys::AllButLast) => some(0, arguments.len().saturating_sub(1)).collect(),
        Some(Keys::Pairs) => arguments.iter().step_by(2).collect(),
        Some(Keys::From(from)) => some(*from, usize::MAX).collect(),
        Some(Keys::At(at)) => some(*at, 1).collect(),
        Some(Keys::First2) => some(0, 2).collect(),
        Some(Keys::Counted(at)) => some(at + 1, number(*at)).collect(),
        Some(Keys::OneAndCounted) => some(0, 1).chain(some(2, number(1))).collect(),
        Some(Keys::Streams) => {
            let streams = arguments
                .iter()
                .position(|word| word.eq_ignore_ascii_case(b"streams"));
            let from = streams.map_or(arguments.len(), |at| at + 1);
            some(from, (arguments.len() - from) / 2).collect()
        }
    };
    found.into_iter().map(Vec::as_slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn lines_of_monitor_are_read_with_their_escapes() {
        let line = b"1339518083.107412 [0 127.0.0.1:60866] \"get\" \"a\\x00\\\"\\n\"";
        let Heard::Command(line) = heard([View::Simple(line)].into_iter()) else {
            panic!("a command");
        };
        assert_eq!(line.words, [b"get".to_vec(), b"a\x00\"\n".to_vec()]);
        assert_eq!(
            (line.database, line.client),
            (0, b"127.0.0.1:60866".to_vec())
        );
        let lua = b"1.2 [3 lua] \"set\" \"k\" \"]\"";
        let Heard::Command(line) = heard([View::Simple(lua)].into_iter()) else {
            panic!("a command");
        };
        assert_eq!((line.database, line.client), (3, b"lua".to_vec()));
        for other in [&b"OK"[..], b"1.2 [0 a] \"cut", b"1.2 [x a] \"get\"", b""] {
            assert_eq!(heard([View::Simple(other)].into_iter()), Heard::Other);
        }
    }

    #[test]
    fn events_name_their_key_whole() {
        let reply = [
            View::Array(4),
            View::Bulk(b"pmessage"),
            View::Bulk(b"__keyevent@0__:*"),
            View::Bulk(b"__keyevent@0__:del"),
            View::Bulk(b"a:b"),
        ];
        let expected = Heard::Event {
            what: b"del",
            key: b"a:b",
        };
        assert_eq!(heard(reply.into_iter()), expected);
        let refused = heard([View::Error(b"NOPERM no")].into_iter());
        assert_eq!(refused, Heard::Refused(b"NOPERM no"));
    }

    #[test]
    #[rustfmt::skip]
    fn keys_are_found_where_commands_have_them() {
        for (line, expected) in [
            ("GET a",                               &["a"][..]),
            ("set a 1 EX 5",                        &["a"]),
            ("MGET a b c",                          &["a", "b", "c"]),
            ("MSET a 1 b 2",                        &["a", "b"]),
            ("BLPOP a b 0",                         &["a", "b"]),
            ("PING",                                &[]),
            ("SCAN 0 COUNT 10",                     &[]),
            ("OBJECT FREQ a",                       &["a"]),
            ("BITOP AND d a b",                     &["d", "a", "b"]),
            ("EVAL x 2 a b c",                      &["a", "b"]),
            ("EVAL x 99999999999999999999 a",       &[]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2",     &["d", "a", "b"]),
            ("XREAD COUNT 2 STREAMS a b 0 0",       &["a", "b"]),
            ("XREADGROUP GROUP g c STREAMS a >",    &["a"]),
            ("JSON.GET a $",                        &["a"]),
            ("RENAME a b",                          &["a", "b"]),
        ] {
            let words = words(line);
            let found = keys_of(&words);
            let expected: Vec<&[u8]> = expected.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(found, expected, "{line}");
        }
        assert!(keys_of(&[]).is_empty());
    }
}
