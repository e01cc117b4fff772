//! Which keys are hot: what the server tracks by itself, its access counters, its notifications, or,
//! only when asked for, a short look at everything it does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::analysis::hitters::{Counter, Hit, Hitters};
use crate::engine::Fault;
use crate::engine::redis::info::Info;
use crate::engine::redis::lane::Lane;
use crate::engine::redis::questions::Flight;
use crate::engine::redis::reply::{Refusal, bytes};
use crate::engine::redis::tap::{Heard, Tap, heard, keys_of};
use crate::engine::redis::walk::RedisWalk;
use crate::engine::redis::{Core, questions};
use crate::model::{HotAsk, HotEnd, HotKey, HotReport, HotVia, Key, Missing, WalkAsk, Wants};
use crate::text;

/// A search under way. Dropping it ends it, and closes what was listened with.
#[derive(Debug)]
pub struct RedisHot {
    ask: HotAsk,
    way: Way,
    notes: Vec<String>,
    began: Instant,
    end: HotEnd,
    place: String,
}

#[derive(Debug)]
enum Way {
    /// Answered at once.
    Known(Box<HotReport>),
    Counters {
        walk: Box<RedisWalk>,
        top: BinaryHeap<Reverse<(u8, Reverse<Key>)>>,
        seen: u64,
        is_over: bool,
    },
    Listening {
        lane: Box<Lane>,
        via: HotVia,
        database: u32,
        hitters: Hitters,
        bytes: u64,
        refused: Option<Refusal>,
        is_over: bool,
    },
}

impl RedisHot {
    pub(super) async fn begin(core: &Arc<Core>, ask: HotAsk) -> Result<Self, Fault> {
        let mut lane = Lane::to(core.target.clone(), Arc::clone(&core.common));
        lane.open().await?;
        let place = lane.place().to_owned();
        let facts = Facts::of(&mut lane).await?;
        let (way, notes) = match ask.via {
            Some(via) => (facts.way(via, core, lane, &ask).await?, Vec::new()),
            None => facts.gentlest(core, lane, &ask).await?,
        };
        Ok(Self {
            ask,
            way,
            notes,
            began: Instant::now(),
            end: HotEnd::Stopped,
            place,
        })
    }

    /// Goes on; false when it is over.
    pub async fn step(&mut self) -> Result<bool, Fault> {
        let until = self.began + self.ask.window;
        match &mut self.way {
            Way::Known(_) => {}
            Way::Counters {
                walk,
                top,
                seen,
                is_over,
            } => {
                if let Some(page) = walk.step().await? {
                    for key in page.found {
                        *seen += 1;
                        let frequency = key.told.and_then(|told| told.frequency);
                        top.push(Reverse((frequency.unwrap_or_default(), Reverse(key.key))));
                        if top.len() > self.ask.top {
                            top.pop();
                        }
                    }
                    return Ok(true);
                }
                *is_over = true;
            }
            Way::Listening {
                lane,
                via,
                database,
                hitters,
                bytes,
                refused,
                is_over,
            } => {
                let came = lane
                    .hear(until, |reply| {
                        take(&heard(reply), *database, hitters, refused);
                    })
                    .await?;
                if let Some(refusal) = refused {
                    let title = match via {
                        HotVia::Monitor => "MONITOR",
                        _ => "PSUBSCRIBE",
                    };
                    return Err(refusal.fault(&self.place, title));
                }
                *bytes += came.unwrap_or_default() as u64;
                let is_full = *bytes >= self.ask.bytes.0;
                if came.is_some() && !is_full && Instant::now() < until {
                    return Ok(true);
                }
                *is_over = true;
                if is_full {
                    self.end = HotEnd::Full;
                    return Ok(false);
                }
            }
        }
        self.end = HotEnd::Done;
        Ok(false)
    }

    pub fn report(&self) -> HotReport {
        let elapsed = self.began.elapsed();
        let mut report = match &self.way {
            Way::Known(report) => HotReport::clone(report),
            Way::Counters { top, seen, .. } => HotReport {
                via: HotVia::Lfu,
                keys: counted(top),
                seen: *seen,
                dropped: None,
                window: None,
                error: 0,
                ended: self.end,
                notes: Vec::new(),
            },
            Way::Listening { via, hitters, .. } => HotReport {
                via: *via,
                keys: hitters.top(self.ask.top).into_iter().map(hot).collect(),
                seen: hitters.seen(),
                dropped: None,
                window: Some(elapsed.min(self.ask.window)),
                error: hitters.error(),
                ended: self.end,
                notes: Vec::new(),
            },
        };
        report.notes.extend(self.notes.iter().cloned());
        report
    }
}

fn take(heard: &Heard, database: u32, hitters: &mut Hitters, refused: &mut Option<Refusal>) {
    match heard {
        Heard::Refused(line) => *refused = Some(questions::refusal(line)),
        Heard::Event { what, key } => {
            let what = text::escape(what);
            let hit = Hit {
                by: Some(&what),
                ..Hit::default()
            };
            hitters.add(key, hit);
        }
        Heard::Command(line) if line.database == database => {
            let name = line.words.first().map(|word| text::escape(word));
            let client = text::escape(&line.client);
            let hit = Hit {
                by: name.as_deref(),
                client: Some(&client),
                ..Hit::default()
            };
            for key in keys_of(&line.words) {
                hitters.add(key, hit);
            }
        }
        Heard::Command(_) | Heard::Other => {}
    }
}

fn hot((key, counter): (&[u8], &Counter)) -> HotKey {
    let most_first = |all: &[(String, u64)]| {
        let mut all = all.to_vec();
        all.sort_by_key(|(_, count)| Reverse(*count));
        all
    };
    HotKey {
        key: Key::new(key),
        count: Some(counter.count),
        estimate: None,
        hits: None,
        misses: None,
        bytes: None,
        by: most_first(&counter.by),
        clients: most_first(&counter.clients),
    }
}

fn counted(top: &BinaryHeap<Reverse<(u8, Reverse<Key>)>>) -> Vec<HotKey> {
    let mut all: Vec<(u8, Key)> = top
        .iter()
        .map(|Reverse((frequency, Reverse(key)))| (*frequency, key.clone()))
        .collect();
    all.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let keys = all.into_iter().map(|(frequency, key)| HotKey {
        key,
        count: Some(u64::from(frequency)),
        estimate: None,
        hits: None,
        misses: None,
        bytes: None,
        by: Vec::new(),
        clients: Vec::new(),
    });
    keys.collect()
}

/// What the server could tell of hot keys.
struct Facts {
    /// Why there are none, where there are none.
    tracked: Result<HotReport, String>,
    is_lfu: bool,
    policy: String,
    /// The setting; `None` where it may not be read.
    notifications: Option<String>,
}

impl Facts {
    async fn of(lane: &mut Lane) -> Result<Self, Fault> {
        let mut flight = Flight::default();
        flight.hot_keys();
        flight.info("memory");
        flight.notifications();
        lane.fly(&flight).await?;
        let memory = lane.value(1).ok().and_then(bytes).unwrap_or_default();
        let memory = Info::parse(&memory);
        let policy = memory.word("maxmemory_policy").unwrap_or_default();
        let notifications = match lane.value(2) {
            Ok(::redis::Value::Array(parts)) => parts.into_iter().nth(1).and_then(bytes),
            _ => None,
        };
        Ok(Self {
            tracked: match lane.value(0) {
                Ok(reply) => tracked(reply),
                Err(refusal) => Err(refusal.words()),
            },
            is_lfu: policy.ends_with("-lfu"),
            policy,
            notifications: notifications.map(|flags| text::escape(&flags)),
        })
    }

    fn notifies(&self) -> bool {
        // Events by name, of at least one class of them.
        let flags = self.notifications.as_deref().unwrap_or_default();
        flags.contains('E') && flags.chars().any(|flag| !matches!(flag, 'E' | 'K'))
    }

    async fn way(
        self,
        via: HotVia,
        core: &Arc<Core>,
        lane: Lane,
        ask: &HotAsk,
    ) -> Result<Way, Fault> {
        let missing = |why: String| Err(Fault::Missing(Missing(why)));
        match via {
            HotVia::HotKeys => match self.tracked {
                Ok(report) => Ok(Way::Known(Box::new(report))),
                Err(why) => missing(format!("HOTKEYS GET: {why}")),
            },
            HotVia::Lfu if self.is_lfu => Ok(counters(core, ask)),
            HotVia::Lfu => missing(format!(
                "this server counts no accesses: its maxmemory-policy is {}, and only allkeys-lfu and \
                 volatile-lfu do",
                self.policy
            )),
            HotVia::Notifications if self.notifications.is_some() && !self.notifies() => missing(
                "this server sends no keyspace notifications (notify-keyspace-events)".to_owned(),
            ),
            HotVia::Notifications | HotVia::Monitor => listen(core, lane, via).await,
            HotVia::Watch => missing("`watch` is Memcached's; here it is `monitor`".to_owned()),
        }
    }

    /// What disturbs the server the least, and what is to be said of it.
    async fn gentlest(
        self,
        core: &Arc<Core>,
        lane: Lane,
        ask: &HotAsk,
    ) -> Result<(Way, Vec<String>), Fault> {
        if let Ok(report) = self.tracked {
            return Ok((Way::Known(Box::new(report)), Vec::new()));
        }
        if self.is_lfu {
            return Ok((counters(core, ask), Vec::new()));
        }
        if self.notifies() {
            let flags = self.notifications.as_deref().unwrap_or_default();
            let note = format!(
                "only what the server notifies of is counted (notify-keyspace-events {flags}): changes, \
                 and no reading"
            );
            let way = listen(core, lane, HotVia::Notifications).await?;
            return Ok((way, vec![note]));
        }
        let why = self.tracked.err().unwrap_or_default();
        Err(Fault::Missing(Missing(format!(
            "this server keeps no account of hot keys: HOTKEYS GET: {why}; its maxmemory-policy is {}, \
             which counts no accesses; it sends no keyspace notifications. --via monitor looks at all \
             that it does, for {} at most",
            self.policy,
            crate::model::units::span(ask.window),
        ))))
    }
}

fn counters(core: &Arc<Core>, ask: &HotAsk) -> Way {
    let walk = RedisWalk::over(
        Arc::clone(core),
        WalkAsk {
            wants: Wants {
                usage: true,
                ..Wants::NAMES
            },
            pace: ask.pace,
            ..WalkAsk::default()
        },
    );
    Way::Counters {
        walk: Box::new(walk),
        top: BinaryHeap::new(),
        seen: 0,
        is_over: false,
    }
}

async fn listen(core: &Arc<Core>, mut lane: Lane, via: HotVia) -> Result<Way, Fault> {
    let database = core.target.database;
    let tap = match via {
        HotVia::Monitor => Tap::Monitor,
        _ => Tap::Events(database),
    };
    lane.listen(tap).await?;
    Ok(Way::Listening {
        lane: Box::new(lane),
        via,
        database,
        hitters: Hitters::default(),
        bytes: 0,
        refused: None,
        is_over: false,
    })
}

/// The reply to HOTKEYS GET (Redis 8.6 docs): names and values in turn, in an array of their own where
/// a cluster answers.
fn tracked(reply: ::redis::Value) -> Result<HotReport, String> {
    use ::redis::Value;
    const NONE: &str = "nothing was tracked: HOTKEYS START METRICS 2 CPU NET DURATION 30 begins it";
    let fields = match reply {
        Value::Nil => return Err(NONE.to_owned()),
        Value::Array(mut parts) if parts.len() == 1 => match parts.pop() {
            Some(Value::Array(parts)) => parts,
            _ => return Err("a reply that cannot be read".to_owned()),
        },
        Value::Array(parts) => parts,
        Value::Map(pairs) => pairs.into_iter().flat_map(|(k, v)| [k, v]).collect(),
        _ => return Err("a reply that cannot be read".to_owned()),
    };
    if fields.is_empty() {
        return Err(NONE.to_owned());
    }
    let mut keys: Vec<HotKey> = Vec::new();
    let mut notes = Vec::new();
    let mut window = None;
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let name = bytes(name).unwrap_or_default();
        match (name.as_slice(), value) {
            (b"tracking-active", Value::Int(1)) => {
                notes.push("the server goes on tracking".to_owned());
            }
            (b"sample-ratio", Value::Int(ratio)) if ratio > 1 => {
                notes.push(format!("the server tracks one command in {ratio}"));
            }
            (b"collection-duration-ms", Value::Int(span)) => {
                window = u64::try_from(span).ok().map(Duration::from_millis);
            }
            (b"by-cpu-time-us", Value::Array(pairs)) => {
                for (key, count) in ranked(pairs) {
                    entry(&mut keys, key).count = Some(count);
                }
            }
            (b"by-net-bytes", Value::Array(pairs)) => {
                for (key, count) in ranked(pairs) {
                    entry(&mut keys, key).bytes = Some(count);
                }
            }
            _ => {}
        }
    }
    keys.sort_by_key(|key| Reverse((key.count, key.bytes)));
    Ok(HotReport {
        via: HotVia::HotKeys,
        seen: keys.len() as u64,
        keys,
        dropped: None,
        window,
        error: 0,
        ended: HotEnd::Done,
        notes,
    })
}

fn ranked(pairs: Vec<::redis::Value>) -> Vec<(Key, u64)> {
    let mut pairs = pairs.into_iter();
    let mut ranked = Vec::new();
    while let (Some(key), Some(count)) = (pairs.next(), pairs.next()) {
        if let (Some(key), ::redis::Value::Int(count)) = (bytes(key), count) {
            ranked.push((Key::new(key), u64::try_from(count).unwrap_or_default()));
        }
    }
    ranked
}

fn entry(keys: &mut Vec<HotKey>, key: Key) -> &mut HotKey {
    let place = keys.iter().position(|known| known.key == key);
    let place = place.unwrap_or_else(|| {
        keys.push(HotKey {
            key,
            count: None,
            estimate: None,
            hits: None,
            misses: None,
            bytes: None,
            by: Vec::new(),
            clients: Vec::new(),
        });
        keys.len() - 1
    });
    &mut keys[place]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::redis::Value;

    fn text(words: &str) -> Value {
        Value::BulkString(words.as_bytes().to_vec())
    }

    #[test]
    fn what_the_server_tracked_is_read_flat_and_nested() {
        let flat = vec![
            text("tracking-active"),
            Value::Int(1),
            text("sample-ratio"),
            Value::Int(10),
            text("selected-slots"),
            Value::Array(Vec::new()),
            text("collection-duration-ms"),
            Value::Int(6408),
            text("by-cpu-time-us"),
            Value::Array(vec![text("x"), Value::Int(104), text("y"), Value::Int(98)]),
            text("by-net-bytes"),
            Value::Array(vec![
                text("z"),
                Value::Int(9000),
                text("x"),
                Value::Int(500),
            ]),
        ];
        let nested = Value::Array(vec![Value::Array(flat.clone())]);
        for reply in [Value::Array(flat), nested] {
            let report = tracked(reply).unwrap();
            let keys: Vec<_> = report
                .keys
                .iter()
                .map(|key| (key.key.bytes(), key.count, key.bytes))
                .collect();
            assert_eq!(
                keys,
                [
                    (&b"x"[..], Some(104), Some(500)),
                    (b"y", Some(98), None),
                    (b"z", None, Some(9000))
                ]
            );
            assert_eq!(report.window, Some(Duration::from_millis(6408)));
            assert_eq!(report.notes.len(), 2);
        }
        assert!(tracked(Value::Nil).unwrap_err().contains("HOTKEYS START"));
        assert!(tracked(Value::Okay).is_err());
    }
}
