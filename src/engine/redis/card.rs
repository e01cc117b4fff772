//! What is told about keys without reading their values.

use std::time::Duration;

use ::redis::{Cmd, Value as Wire};

use crate::engine::Fault;
use crate::engine::redis::link::{about, command};
use crate::engine::redis::reply::{Reply, bytes, count, word};
use crate::engine::redis::{Core, info::Info, now, slot};
use crate::model::{Bytes, Feature, Key, KeyCard, KeyFacts, KeyKind, KeyRow, Ttl, UnixMs};

/// Keys in one flight: more would make other clients of the server wait.
const KEYS_A_FLIGHT: usize = 250;

/// Type, TTL, size and idle time of these keys, in the same order.
pub async fn facts(core: &Core, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
    let mut rows = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_A_FLIGHT) {
        let asks = Asks::for_lists(core);
        let flight: Vec<Cmd> = keys.iter().flat_map(|key| asks.about(key)).collect();
        let answer = core.work.ask(&flight).await?;
        let at = now();
        let mut replies = answer.replies.into_iter();
        for key in keys {
            let replies: Vec<Reply> = replies.by_ref().take(asks.0.len()).collect();
            rows.push(KeyRow {
                key: key.clone(),
                facts: asks.facts(core, replies, at)?,
            });
        }
    }
    Ok(rows)
}

/// The card of a key, without its length; `None` when it is not there.
pub async fn card(core: &Core, key: &Key) -> Result<Option<KeyCard>, Fault> {
    let asks = Asks::for_one(core);
    let mut flight: Vec<Cmd> = asks.about(key).collect();
    let is_cluster_node = core.known.is_cluster_node();
    if is_cluster_node.is_none() {
        flight.push(command(&["INFO", "cluster"]));
    }
    let mut replies = core.work.ask(&flight).await?.replies;
    if is_cluster_node.is_none()
        && let Some(Ok(reply)) = replies.pop()
    {
        let info = Info::parse(&bytes(reply).unwrap_or_default());
        core.known
            .is_cluster(info.flag("cluster_enabled").unwrap_or(false));
    }
    let at = now();
    let Some(mut told) = asks.read(core, replies, at)? else {
        return Ok(None);
    };
    Ok(Some(KeyCard {
        key: key.clone(),
        kind: told.kind,
        ttl: told.ttl,
        size: told.size,
        length: None,
        encoding: told.encoding.take(),
        idle: told.idle,
        frequency: told.frequency,
        slot: (core.known.is_cluster_node() == Some(true)).then(|| slot::of(key.bytes())),
        item: None,
        is_touched: false,
    }))
}

/// One of the questions about a key that do not make it look recently used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AskFor {
    Kind,
    Ttl,
    Size,
    Encoding,
    Idle,
    Frequency,
}

/// The questions for each key of a flight, in this order.
#[derive(Debug)]
struct Asks(Vec<AskFor>);

/// What the answers told.
#[derive(Debug)]
struct Told {
    kind: KeyKind,
    ttl: Ttl,
    size: Option<Bytes>,
    encoding: Option<String>,
    idle: Option<Duration>,
    frequency: Option<u64>,
}

impl Asks {
    fn for_lists(core: &Core) -> Self {
        let mut asks = vec![AskFor::Kind, AskFor::Ttl];
        if core.known.has(Feature::KeySize) {
            asks.push(AskFor::Size);
        }
        if core.known.keeps_frequency() != Some(true) {
            asks.push(AskFor::Idle);
        }
        Self(asks)
    }

    fn for_one(core: &Core) -> Self {
        let mut asks = Self::for_lists(core).0;
        asks.push(AskFor::Encoding);
        if core.known.keeps_frequency() != Some(false) {
            asks.push(AskFor::Frequency);
        }
        Self(asks)
    }

    fn about(&self, key: &Key) -> impl Iterator<Item = Cmd> {
        self.0.iter().map(move |ask| match ask {
            AskFor::Kind => about(&["TYPE"], key),
            AskFor::Ttl => about(&["PTTL"], key),
            AskFor::Size => about(&["MEMORY", "USAGE"], key),
            AskFor::Encoding => about(&["OBJECT", "ENCODING"], key),
            AskFor::Idle => about(&["OBJECT", "IDLETIME"], key),
            AskFor::Frequency => about(&["OBJECT", "FREQ"], key),
        })
    }

    /// The facts of one key of a list. A key that we may not look at does not spoil the list.
    fn facts(
        &self,
        core: &Core,
        replies: Vec<Reply>,
        at: UnixMs,
    ) -> Result<Option<KeyFacts>, Fault> {
        let told = match self.read(core, replies, at) {
            Err(Fault::NotPermitted { .. } | Fault::Refused { .. }) => return Ok(None),
            told => told?,
        };
        Ok(Some(told.map_or(KeyFacts::Gone, |told| KeyFacts::Here {
            kind: told.kind,
            ttl: told.ttl,
            size: told.size,
            idle: told.idle,
        })))
    }

    /// Only the type must be told; `None` when there is no such key.
    fn read(&self, core: &Core, replies: Vec<Reply>, at: UnixMs) -> Result<Option<Told>, Fault> {
        let mut told = Told {
            kind: KeyKind::Other(String::new()),
            ttl: Ttl::Unknown,
            size: None,
            encoding: None,
            idle: None,
            frequency: None,
        };
        for (ask, reply) in self.0.iter().zip(replies) {
            match (ask, reply) {
                (AskFor::Kind, Err(refusal)) => {
                    return Err(refusal.fault(core.work.place(), "TYPE"));
                }
                (AskFor::Kind, Ok(value)) => match kind(&value) {
                    Some(kind) => told.kind = kind,
                    None => return Ok(None),
                },
                // The key expired between the two questions.
                (AskFor::Ttl, Ok(Wire::Int(-2))) => return Ok(None),
                (AskFor::Ttl, Ok(value)) => told.ttl = ttl(&value, at),
                (AskFor::Size, Ok(value)) => told.size = count(&value).map(Bytes),
                (AskFor::Size, Err(refusal)) => {
                    core.known
                        .refused(Feature::KeySize, "MEMORY USAGE", &refusal);
                }
                (AskFor::Encoding, Ok(value)) => {
                    told.encoding = word(&value);
                }
                (AskFor::Idle, Ok(value)) => told.idle = count(&value).map(Duration::from_secs),
                (AskFor::Frequency, Ok(value)) => told.frequency = count(&value),
                (_, Err(_)) => {}
            }
        }
        Ok(Some(told))
    }
}

/// The kind in the reply to `TYPE`; `None` when there is no such key.
pub fn kind(value: &Wire) -> Option<KeyKind> {
    let word = word(value)?;
    (word != "none").then(|| KeyKind::from_word(&word))
}

/// The TTL in the reply to `PTTL`, as a moment of our clock.
pub fn ttl(value: &Wire, at: UnixMs) -> Ttl {
    match value {
        Wire::Int(-1) => Ttl::None,
        value => count(value).map_or(Ttl::Unknown, |left| {
            Ttl::Until(at.plus(Duration::from_millis(left)))
        }),
    }
}
