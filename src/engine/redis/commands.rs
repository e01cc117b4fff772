//! Which commands may be sent, and which of them the server counts as lookups.
//!
//! The server's own `readonly` flag is no measure: `KEYS`, `TOUCH` and `PFCOUNT` carry it, and
//! `CONFIG SET` carries neither it nor `write`. So there is one list of what we read with, one of
//! what a permit covers, and what is on neither is not sent. Conversations with words of their own (a
//! walk, listening, a copy of everything) have closed lists of them, and cannot say anything else.

use ::redis::{Cmd, Value};

use crate::engine::redis::reply::{Reply, word};
use crate::guard::Permit;

/// A command that reads, and how the server counts it.
#[derive(Debug)]
pub struct Reading {
    name: &'static str,
    /// The second word, for commands that are families.
    sub: Option<&'static str>,
    lookup: Lookup,
}

/// Whether a command adds to `keyspace_hits` or `keyspace_misses`, and how its reply tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Uncounted,
    /// A missing key answers with this.
    Counted(Miss),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Miss {
    Nil,
    /// The word `none`.
    WordNone,
    Number(i64),
    /// Nothing at all, cursor included. A window beyond the end looks the same; we only read windows
    /// of keys that were there a moment ago, so `Never` stands where both can be.
    EmptyScan,
    Never,
}

use Lookup::{Counted, Uncounted};
use Miss::{EmptyScan, Never, Nil, Number, WordNone};

const fn reads(name: &'static str, lookup: Lookup) -> Reading {
    Reading {
        name,
        sub: None,
        lookup,
    }
}

const fn family(name: &'static str, sub: &'static str, lookup: Lookup) -> Reading {
    Reading {
        name,
        sub: Some(sub),
        lookup,
    }
}

/// Every command that may be sent without a permit. What counts as a lookup was measured on
/// Redis 6.2, 7.0 and Valkey 9, which agree.
#[rustfmt::skip]
const READING: &[Reading] = &[
    // The connection itself.
    reads("AUTH",     Uncounted),
    reads("HELLO",    Uncounted),
    reads("PING",     Uncounted),
    reads("SELECT",   Uncounted),
    family("CLIENT",  "SETNAME",  Uncounted),
    family("CLIENT",  "SETINFO",  Uncounted),
    family("CLIENT",  "NO-TOUCH", Uncounted),
    // The server.
    reads("INFO",     Uncounted),
    reads("DBSIZE",   Uncounted),
    reads("TIME",     Uncounted),
    family("ACL",     "WHOAMI",   Uncounted),
    family("ACL",     "DRYRUN",   Uncounted),
    family("COMMAND", "INFO",     Uncounted),
    family("CONFIG",  "GET",      Uncounted),
    // The keyspace and its keys.
    reads("SCAN",     Uncounted),
    family("MEMORY",  "USAGE",    Uncounted),
    family("MEMORY",  "STATS",    Uncounted),
    reads("EXISTS",   Counted(Number(0))),
    reads("TYPE",     Counted(WordNone)),
    reads("PTTL",     Counted(Number(-2))),
    family("OBJECT",  "ENCODING", Counted(Nil)),
    family("OBJECT",  "IDLETIME", Counted(Nil)),
    family("OBJECT",  "FREQ",     Counted(Nil)),
    // Their values.
    reads("DUMP",     Counted(Nil)),
    reads("STRLEN",   Counted(Never)),
    reads("GETRANGE", Counted(Never)),
    reads("LLEN",     Counted(Number(0))),
    reads("LRANGE",   Counted(Never)),
    reads("HLEN",     Counted(Number(0))),
    reads("HSCAN",    Counted(EmptyScan)),
    reads("SCARD",    Counted(Number(0))),
    reads("SSCAN",    Counted(EmptyScan)),
    reads("ZCARD",    Counted(Number(0))),
    reads("ZRANGE",   Counted(Never)),
    reads("XLEN",     Counted(Never)),
    reads("XRANGE",   Counted(Never)),
];

/// What the permit for a change covers: the change's word, the command.
#[rustfmt::skip]
const CHANGING: &[(&str, &str)] = &[
    ("expire",   "PEXPIRE"),
    ("expire",   "PEXPIREAT"),
    ("persist",  "PERSIST"),
    ("delete",   "UNLINK"),
    ("delete",   "DEL"),
    ("snapshot", "BGSAVE"),
    ("rewrite-aof", "BGREWRITEAOF"),
    ("restore",  "RESTORE"),
    ("restore",  "SET"),
    ("restore",  "APPEND"),
    ("restore",  "RPUSH"),
    ("restore",  "SADD"),
    ("restore",  "ZADD"),
    ("restore",  "HSET"),
    ("restore",  "HDEL"),
    ("restore",  "HPEXPIREAT"),
    ("restore",  "XADD"),
    ("restore",  "XSETID"),
    ("restore",  "XGROUP"),
    ("restore",  "XCLAIM"),
    ("restore",  "XCFGSET"),
    ("restore",  "PEXPIRE"),
    ("restore",  "PEXPIREAT"),
    ("restore",  "PERSIST"),
    ("restore",  "RENAME"),
    ("restore",  "RENAMENX"),
    ("restore",  "FUNCTION"),
    // What was built and is not wanted any more.
    ("restore",  "DEL"),
];

/// The entry of a reading command; `None` when it needs a permit.
pub fn reading(command: &Cmd) -> Option<&'static Reading> {
    let (name, sub) = words(command);
    READING.iter().find(|entry| {
        entry.name == name
            && entry
                .sub
                .is_none_or(|wanted| Some(wanted) == sub.as_deref())
    })
}

/// Whether the permit is for what this command does.
pub fn is_covered(command: &Cmd, permit: &Permit) -> bool {
    let (name, _) = words(command);
    let change = permit.change().word();
    CHANGING
        .iter()
        .any(|(word, covered)| *word == change && *covered == name)
}

/// The command as people call it, without its arguments: `MEMORY USAGE`.
pub fn title(command: &Cmd) -> String {
    match (reading(command), words(command)) {
        (Some(Reading { sub: Some(sub), .. }), (name, _)) => format!("{name} {sub}"),
        (_, (name, _)) => crate::text::escape(name.as_bytes()),
    }
}

impl Reading {
    /// What the server counted for this reply: `Some(true)` a hit, `Some(false)` a miss.
    pub fn counted(&self, reply: &Reply) -> Option<bool> {
        let Counted(miss) = self.lookup else {
            return None;
        };
        match reply {
            Ok(value) => Some(!miss.is_met(value)),
            // These are answered after the key was found; every other refusal comes before.
            Err(refusal) => {
                (refusal.code() == "WRONGTYPE" || refusal.is_about_policy()).then_some(true)
            }
        }
    }
}

impl Miss {
    fn is_met(self, value: &Value) -> bool {
        match (self, value) {
            (Nil, Value::Nil) => true,
            (WordNone, value) => word(value).as_deref() == Some("none"),
            (Number(miss), Value::Int(number)) => miss == *number,
            (EmptyScan, Value::Array(parts)) => match parts.as_slice() {
                [cursor, Value::Array(found)] => {
                    found.is_empty() && word(cursor).as_deref() == Some("0")
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// The first two words in upper case.
fn words(command: &Cmd) -> (String, Option<String>) {
    let mut words = command.args_iter().map(|arg| match arg {
        ::redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).to_ascii_uppercase(),
        _ => String::new(),
    });
    (words.next().unwrap_or_default(), words.next())
}

#[cfg(test)]
mod tests {
    use ::redis::cmd;

    use super::*;

    fn command(line: &str) -> Cmd {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().expect("a word"));
        for word in words {
            command.arg(word);
        }
        command
    }

    fn check_counted(line: &str, reply: &[u8], expected: Option<bool>) {
        let command = command(line);
        let reply = crate::engine::redis::reply::from_wire(reply);
        let counted = reading(&command)
            .expect("a reading command")
            .counted(&reply);
        assert_eq!(counted, expected, "{line}");
    }

    #[test]
    fn whatever_is_not_listed_needs_a_permit() {
        for line in [
            "SET k v",
            "DEL k",
            "KEYS *",
            "PFCOUNT k",
            "TOUCH k",
            "EVAL x 0",
            "CONFIG SET a b",
            "CLIENT KILL x",
            "CLIENT NO-EVICT on",
            "OBJECT HELP",
            "MEMORY PURGE",
            "ACL SETUSER x",
            "BGSAVE",
            "DEBUG SLEEP 1",
            "MONITOR",
            "PSYNC ? -1",
            "SYNC",
            "REPLCONF capa eof",
            "REPLICAOF a 1",
            "SORT k",
            "GETEX k",
            "",
        ] {
            assert!(reading(&command(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn case_and_arguments_do_not_matter() {
        for line in ["type k", "Memory usage k", "INFO all", "scan 0 COUNT 10"] {
            assert!(reading(&command(line)).is_some(), "{line}");
        }
    }

    #[test]
    fn hits_and_misses_are_told_from_the_reply() {
        check_counted("TYPE k", b"+string\r\n", Some(true));
        check_counted("TYPE k", b"+none\r\n", Some(false));
        check_counted("PTTL k", b":-1\r\n", Some(true));
        check_counted("PTTL k", b":-2\r\n", Some(false));
        check_counted("OBJECT ENCODING k", b"$-1\r\n", Some(false));
        check_counted("HSCAN k 0", b"*2\r\n$1\r\n0\r\n*0\r\n", Some(false));
        check_counted("HSCAN k 0", b"*2\r\n$1\r\n7\r\n*0\r\n", Some(true));
        check_counted("MEMORY USAGE k", b":48\r\n", None);
    }

    #[test]
    fn a_refusal_counts_only_when_the_key_was_found_first() {
        check_counted("LLEN k", b"-WRONGTYPE Operation against\r\n", Some(true));
        check_counted(
            "OBJECT FREQ k",
            b"-ERR An LFU maxmemory policy is not selected\r\n",
            Some(true),
        );
        check_counted("TYPE k", b"-NOPERM this user has no permissions\r\n", None);
        check_counted("TYPE k", b"-MOVED 1 10.0.0.1:6379\r\n", None);
    }
}
