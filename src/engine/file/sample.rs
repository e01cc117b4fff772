//! What a snapshot says of the server that wrote it, as a reading.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::Fault;
use crate::engine::file::{Opened, Shared, Stamp};
use crate::model::{
    Bytes, Clients, Counters, Database, Engine, Identity, Memory, Role, Sample, UnixMs, units,
};
use crate::snapshot::rdb::{Ending, Flavour, Header, Record};
use crate::snapshot::unpack::Compression;
use crate::text;

/// Fields of the JSON contract that only a running server has.
const OF_SERVERS: &[&str] = &[
    "clients",
    "evicted",
    "expired",
    "hit_ratio",
    "hits",
    "limit_bytes",
    "misses",
    "ops_per_s",
    "persistence",
    "replication",
    "uptime_s",
];

/// What stands before the first key.
struct Outline {
    header: Header,
    compression: Compression,
    stamp: Stamp,
    facts: Vec<(String, String)>,
}

pub fn sample(shared: &Shared) -> Result<Sample, Fault> {
    let sent = Instant::now();
    let outline = outline(shared)?;
    let round_trip = sent.elapsed();
    let (counts, end, stamp) = shared.counted();
    let is_whole = matches!(end, Some(Ok(_))) && stamp == Some(outline.stamp);
    let databases = is_whole.then(|| {
        let all = counts.databases.iter();
        let all = all.map(|(index, count)| Database {
            index: *index,
            keys: count.keys,
            keys_with_ttl: Some(count.expiring),
            average_ttl: None,
        });
        all.collect()
    });
    let mut unsupported: BTreeMap<&'static str, String> = OF_SERVERS
        .iter()
        .map(|field| (*field, "a snapshot file does not tell it".to_owned()))
        .collect();
    if databases.is_none() {
        let why = match &end {
            Some(Err(fault)) => fault.to_string(),
            _ => "the file is being read; they are counted at its end".to_owned(),
        };
        for field in ["keys", "keys_with_ttl"] {
            unsupported.insert(field, why.clone());
        }
    }
    let used = outline
        .fact("used-mem")
        .and_then(|bytes| bytes.parse().ok());
    if used.is_none() {
        unsupported.insert("used_bytes", "the file does not tell it".to_owned());
    }
    Ok(Sample {
        at: now(),
        elapsed: shared.began.elapsed(),
        round_trip,
        identity: identity(&outline),
        counters: Counters::default(),
        memory: Memory {
            used: used.map(Bytes),
            ..Memory::default()
        },
        clients: Clients::default(),
        databases,
        replication: None,
        persistence: None,
        slabs: None,
        unsupported,
        raw: lines(
            &outline,
            counts.databases.values().map(|one| one.memory).sum(),
            counts.functions,
            end,
        ),
    })
}

fn outline(shared: &Shared) -> Result<Outline, Fault> {
    let Opened {
        mut reader,
        compression,
        stamp,
    } = shared.open()?;
    let mut facts = Vec::new();
    loop {
        match reader.next().map_err(|error| shared.fault(&error))? {
            Record::Fact { name, value } => facts.push((text::escape(name), text::escape(value))),
            Record::Key(_) | Record::End(_) | Record::Database(_) => break,
            _ => {}
        }
    }
    Ok(Outline {
        header: reader.header(),
        compression,
        stamp,
        facts,
    })
}

impl Outline {
    fn fact(&self, name: &str) -> Option<&str> {
        let found = self.facts.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// When the server wrote it, on that server's clock.
    fn written(&self) -> Option<UnixMs> {
        let seconds: i64 = self.fact("ctime")?.parse().ok()?;
        seconds.checked_mul(1_000).map(UnixMs)
    }
}

fn identity(outline: &Outline) -> Identity {
    let (engine, version) = match (outline.fact("valkey-ver"), outline.fact("redis-ver")) {
        (Some(version), _) => (Engine::Valkey, version),
        (None, Some(version)) if outline.header.flavour == Flavour::Redis => {
            (Engine::Redis, version)
        }
        (None, version) => {
            let engine = match outline.header.flavour {
                Flavour::Redis => Engine::Redis,
                Flavour::Valkey => Engine::Valkey,
            };
            (engine, version.unwrap_or_default())
        }
    };
    let Stamp {
        device,
        inode,
        size,
        modified_s,
        modified_ns,
    } = outline.stamp;
    Identity {
        engine,
        version: version.to_owned(),
        // Another file under the same name is another run.
        run_id: format!("{device}-{inode}-{size}-{modified_s}-{modified_ns}"),
        role: Role::Snapshot,
        uptime: None,
        is_cluster_node: false,
        mode: None,
    }
}

/// Everything that the file says of itself, and what was found out by reading it.
fn lines(
    outline: &Outline,
    memory: u64,
    functions: u64,
    end: Option<Result<Ending, Fault>>,
) -> Vec<(String, String)> {
    let Header {
        flavour, version, ..
    } = outline.header;
    let mut lines = vec![
        ("format".to_owned(), format!("{flavour} {version}")),
        (
            "compression".to_owned(),
            match outline.compression {
                Compression::None => "none",
                Compression::Gzip => "gzip",
                Compression::Zstd => "zstd",
            }
            .to_owned(),
        ),
        ("size".to_owned(), Bytes(outline.stamp.size).to_string()),
    ];
    if let Some(at) = outline.written() {
        lines.push(("written".to_owned(), units::rfc3339(at)));
        let age = now().since(at).unwrap_or(Duration::ZERO);
        lines.push(("age".to_owned(), units::span(age)));
    }
    if functions > 0 {
        lines.push(("functions".to_owned(), functions.to_string()));
    }
    let checksum = match end {
        None => "not read to the end yet".to_owned(),
        Some(Ok(Ending::Verified(sum))) => format!("{sum:016x}, it fits"),
        Some(Ok(Ending::Disabled)) => "none: the server was told not to write one".to_owned(),
        Some(Ok(Ending::None)) => "none: this version has none".to_owned(),
        Some(Err(fault)) => fault.to_string(),
    };
    lines.push(("checksum".to_owned(), checksum));
    if memory > 0 {
        let words = format!("~{}, an estimate", Bytes(memory));
        lines.push(("when loaded".to_owned(), words));
    }
    lines.extend(outline.facts.iter().cloned());
    lines
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}
