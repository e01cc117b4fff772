//! What the server counts by itself: `INFO` (`keyspace`, `commandstats`, `latencystats` of Redis 7,
//! `keysizes` of Redis 8) and `MEMORY STATS`, in one flight.

use std::cmp::Reverse;
use std::time::Duration;

use ::redis::{Cmd, Value as Wire, cmd};

use crate::engine::Fault;
use crate::engine::redis::info::{Info, parts};
use crate::engine::redis::link::command;
use crate::engine::redis::reply::{Refusal, Reply, bytes, count};
use crate::engine::redis::{Core, sample};
use crate::model::{Account, Bytes, CommandTime, Lack, OwnBucket, OwnSpread, SpreadUnit};

/// Sections of `INFO` and what they tell, in the words of the report. Before Redis 7 a question is
/// about one section.
const SECTIONS: [(&str, &str); 4] = [
    ("keyspace", "ttl"),
    ("commandstats", "commands"),
    ("latencystats", "latency"),
    ("keysizes", "sizes"),
];

/// Commands that are told; the others have next to no part in the server's time.
const COMMANDS: usize = 10;

pub(super) async fn account(core: &Core) -> Result<Account, Fault> {
    let sections = SECTIONS.map(|(section, _)| command(&["INFO", section]));
    let more = [command(&["MEMORY", "STATS"]), cmd("DBSIZE")];
    let flight: Vec<Cmd> = sections.into_iter().chain(more).collect();
    let answer = core.work.ask(&flight).await?;
    let mut lacks = Vec::new();
    let mut replies = answer.replies.into_iter();
    let sections = SECTIONS.map(|(_, what)| section(replies.next(), what, core, &mut lacks));
    let [keyspace, commands, latency, sizes] = sections;
    let mut account = Account::default();
    let databases = sample::databases(&keyspace).unwrap_or_default();
    let database = databases
        .iter()
        .find(|one| one.index == core.target.database);
    if let Some(database) = database {
        account.keys = Some(database.keys);
        account.keys_with_ttl = database.keys_with_ttl;
        account.average_ttl = database.average_ttl;
    } else if keyspace.has_section("keyspace") {
        // An empty database has no line.
        account.keys = Some(0);
        account.keys_with_ttl = Some(0);
    }
    match replies.next() {
        Some(Ok(reply)) => (account.dataset, account.overhead) = memory(reply),
        Some(Err(refusal)) => lacks.push(lack("memory", core, "MEMORY STATS", &refusal)),
        None => {}
    }
    if let Some(Ok(keys)) = replies.next() {
        account.keys = count(&keys).or(account.keys);
    }
    account.commands = times(&commands, &latency);
    account.spreads = spreads(&sizes, core.target.database);
    account.lacks = lacks;
    Ok(account)
}

fn section(reply: Option<Reply>, what: &'static str, core: &Core, lacks: &mut Vec<Lack>) -> Info {
    match reply {
        Some(Ok(reply)) => Info::parse(&bytes(reply).unwrap_or_default()),
        Some(Err(refusal)) => {
            lacks.push(lack(what, core, "INFO", &refusal));
            Info::default()
        }
        None => Info::default(),
    }
}

fn lack(what: &'static str, core: &Core, command: &str, refusal: &Refusal) -> Lack {
    Lack {
        what,
        why: refusal.fault(core.work.place(), command).to_string(),
    }
}

/// Dataset and overhead out of names and values in turn.
fn memory(reply: Wire) -> (Option<Bytes>, Option<Bytes>) {
    let pairs: Vec<(Wire, Wire)> = match reply {
        Wire::Map(pairs) => pairs,
        Wire::Array(flat) => {
            let mut flat = flat.into_iter();
            std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
        }
        _ => Vec::new(),
    };
    let told = |wanted: &[u8]| {
        let found = pairs.iter().find(|(name, _)| match name {
            Wire::BulkString(name) => name == wanted,
            Wire::SimpleString(name) => name.as_bytes() == wanted,
            _ => false,
        });
        found.and_then(|(_, value)| count(value)).map(Bytes)
    };
    (told(b"dataset.bytes"), told(b"overhead.total"))
}

/// Lines such as `cmdstat_get:calls=2,usec=14,…`, and `latency_percentiles_usec_get:p50=1.0,p99=2.0`.
fn times(commands: &Info, latency: &Info) -> Vec<CommandTime> {
    let mut times: Vec<CommandTime> = commands
        .lines()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("cmdstat_")?;
            let told = parts(value);
            let percentiles = latency.text(&format!("latency_percentiles_usec_{name}"));
            Some(CommandTime {
                name: name.replace('|', " "),
                calls: told.get("calls")?.parse().ok().filter(|calls| *calls > 0)?,
                total: told
                    .get("usec")
                    .and_then(|micros| micros.parse().ok())
                    .map(Duration::from_micros),
                p99: percentiles
                    .and_then(|line| {
                        parts(line)
                            .get("p99")
                            .and_then(|micros| micros.parse().ok())
                    })
                    .and_then(|micros: f64| Duration::try_from_secs_f64(micros / 1e6).ok()),
            })
        })
        .collect();
    times.sort_by_key(|one| Reverse(one.total));
    times.truncate(COMMANDS);
    times
}

/// Lines such as `db0_distrib_strings_sizes:8=1,1K=20` (Redis docs, INFO: keysizes). A label is the
/// least that keys of the bucket have.
fn spreads(sizes: &Info, database: u32) -> Vec<OwnSpread> {
    let prefix = format!("db{database}_distrib_");
    let spread = |(name, value): (&str, &str)| {
        let (kind, unit) = name.strip_prefix(&prefix)?.rsplit_once('_')?;
        let unit = match unit {
            "sizes" => SpreadUnit::Bytes,
            "items" => SpreadUnit::Elements,
            _ => return None,
        };
        let mut buckets: Vec<OwnBucket> = value.split(',').filter_map(bucket).collect();
        buckets.sort_by_key(|bucket| bucket.border);
        Some(OwnSpread {
            kind: singular(kind).to_owned(),
            unit,
            buckets,
        })
    };
    sizes.lines().filter_map(spread).collect()
}

fn bucket(pair: &str) -> Option<OwnBucket> {
    let (label, keys) = pair.split_once('=')?;
    Some(OwnBucket {
        border: border(label.trim())?,
        keys: keys.trim().parse().ok()?,
    })
}

/// `512`, `1K`, `16M`
fn border(label: &str) -> Option<u64> {
    const UNITS: [(char, u32); 5] = [('K', 10), ('M', 20), ('G', 30), ('T', 40), ('P', 50)];
    let unit = UNITS
        .iter()
        .find_map(|(unit, power)| Some((label.strip_suffix(*unit)?, power)));
    let (digits, power) = unit.unwrap_or((label, &0));
    digits.parse::<u64>().ok()?.checked_mul(1 << power)
}

/// The word of `TYPE` for the plural that stands in the line.
fn singular(kind: &str) -> &str {
    match kind {
        "strings" => "string",
        "lists" => "list",
        "sets" => "set",
        "hashes" => "hash",
        "zsets" => "zset",
        "streams" => "stream",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(border: u64, keys: u64) -> OwnBucket {
        OwnBucket { border, keys }
    }

    #[test]
    fn sizes_by_type_are_those_of_the_database() {
        let info = Info::parse(
            b"# Keysizes\r\ndb0_distrib_strings_sizes:1K=20,2=3\r\ndb0_distrib_hashes_items:1=1,16M=2\r\n\
              db0_distrib_lists_sizes:4=1\r\ndb0_distrib_sets_odd:1=1\r\ndb1_distrib_strings_sizes:4=7\r\n\
              db0_distrib_zsets_items:x=1,8=y,4=2\r\n",
        );
        let told = spreads(&info, 0);
        let kinds: Vec<(&str, SpreadUnit)> = told
            .iter()
            .map(|one| (one.kind.as_str(), one.unit))
            .collect();
        assert_eq!(
            kinds,
            [
                ("string", SpreadUnit::Bytes),
                ("hash", SpreadUnit::Elements),
                ("list", SpreadUnit::Bytes),
                ("zset", SpreadUnit::Elements)
            ]
        );
        assert_eq!(told[0].buckets, [bucket(2, 3), bucket(1024, 20)]);
        assert_eq!(told[1].buckets, [bucket(1, 1), bucket(16 << 20, 2)]);
        assert_eq!(told[3].buckets, [bucket(4, 2)]);
        assert!(spreads(&info, 2).is_empty());
    }

    #[test]
    fn a_border_beyond_all_numbers_is_none() {
        for (label, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("4P", Some(4 << 50)),
            ("18446744073709551615P", None),
            ("K", None),
            ("", None),
        ] {
            assert_eq!(border(label), expected, "{label}");
        }
    }

    #[test]
    fn commands_come_by_time_with_their_slowest_hundredth() {
        let commands = Info::parse(
            b"cmdstat_get:calls=4,usec=8,usec_per_call=2.00\r\n\
              cmdstat_config|get:calls=1,usec=90,usec_per_call=90.00\r\ncmdstat_odd:calls=x\r\n",
        );
        let latency =
            Info::parse(b"latency_percentiles_usec_get:p50=1.003,p99=2.007,p99.9=4.015\r\n");
        let times = times(&commands, &latency);
        assert_eq!(times.len(), 2);
        assert_eq!((times[0].name.as_str(), times[0].p99), ("config get", None));
        assert_eq!(times[1].each(), Some(Duration::from_micros(2)));
        assert_eq!(times[1].p99, Some(Duration::from_nanos(2_007)));
    }

    #[test]
    fn memory_is_read_flat_and_as_a_map() {
        let name = |name: &str| Wire::BulkString(name.into());
        let pairs = [
            (name("overhead.total"), Wire::Int(7)),
            (name("db.0"), Wire::Array(vec![])),
            (name("dataset.bytes"), Wire::Int(9)),
        ];
        let flat = pairs
            .iter()
            .cloned()
            .flat_map(|(name, value)| [name, value]);
        let expected = (Some(Bytes(9)), Some(Bytes(7)));
        assert_eq!(memory(Wire::Array(flat.collect())), expected);
        assert_eq!(memory(Wire::Map(pairs.into())), expected);
        assert_eq!(memory(Wire::Nil), (None, None));
    }
}
