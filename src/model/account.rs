//! What a server keeps count of by itself: a first answer that costs no walk.

use std::cmp::Reverse;
use std::time::Duration;

use crate::model::{Bytes, Lack};

/// The server's own counts of its keyspace and of what was asked of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    pub keys: Option<u64>,
    /// Memcached does not count them.
    pub keys_with_ttl: Option<u64>,
    /// The server's estimate, from a few keys; `None` when no key has a TTL.
    pub average_ttl: Option<Duration>,
    /// Memory of keys and values.
    pub dataset: Option<Bytes>,
    /// Memory that the server takes beside them: tables, buffers, backlogs.
    pub overhead: Option<Bytes>,
    /// How sizes spread, by type (Redis 8) or by slab class (Memcached).
    pub spreads: Vec<OwnSpread>,
    /// The most time first.
    pub commands: Vec<CommandTime>,
    pub lacks: Vec<Lack>,
}

/// How the sizes of the keys of one type spread, as the server counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSpread {
    /// The server's word for the type.
    pub kind: String,
    pub unit: SpreadUnit,
    /// From the smallest; a bucket ends where the next one begins.
    pub buckets: Vec<OwnBucket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpreadUnit {
    /// Bytes of the value.
    Bytes,
    Elements,
    /// Bytes of the chunk that holds the item, which is at most as large.
    ChunkBytes,
}

impl SpreadUnit {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Elements => "elements",
            Self::ChunkBytes => "chunk_bytes",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBucket {
    /// The least that a key in it has; of slab classes, what a chunk holds at most.
    pub border: u64,
    pub keys: u64,
}

/// What a command has cost the server, since its start or since its statistics were reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTime {
    /// As the server spells it, safe to show.
    pub name: String,
    pub calls: u64,
    /// `None` where the server counts calls alone.
    pub total: Option<Duration>,
    /// 99 of 100 calls took at most so long (Redis 7 and later).
    pub p99: Option<Duration>,
}

impl OwnSpread {
    pub fn keys(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.keys).sum()
    }
}

impl CommandTime {
    pub fn each(&self) -> Option<Duration> {
        let calls = u32::try_from(self.calls).ok().filter(|calls| *calls > 0);
        match calls {
            Some(calls) => self.total.map(|total| total / calls),
            None if self.calls > 0 => self
                .total
                .map(|total| Duration::from_secs_f64(total.as_secs_f64() / self.calls as f64)),
            None => None,
        }
    }
}

impl Account {
    /// Of several servers together. What one of them does not count is unknown of all.
    pub fn of_all<'a>(mut each: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut all = each.next()?.clone();
        for one in each {
            let both = |all: Option<u64>, one: Option<u64>| Some(all? + one?);
            // An average of averages needs the weight of each.
            let weighed = |account: &Self| {
                Some(account.average_ttl?.as_secs_f64() * account.keys_with_ttl? as f64)
            };
            let average = weighed(&all).zip(weighed(one)).map(|(all, one)| all + one);
            all.keys = both(all.keys, one.keys);
            all.keys_with_ttl = both(all.keys_with_ttl, one.keys_with_ttl);
            all.average_ttl = average
                .zip(all.keys_with_ttl.filter(|keys| *keys > 0))
                .and_then(|(sum, keys)| Duration::try_from_secs_f64(sum / keys as f64).ok());
            all.dataset =
                both(all.dataset.map(|all| all.0), one.dataset.map(|one| one.0)).map(Bytes);
            all.overhead =
                both(all.overhead.map(|all| all.0), one.overhead.map(|one| one.0)).map(Bytes);
            all.spread(one);
            all.spend(one);
            for lack in &one.lacks {
                if !all.lacks.contains(lack) {
                    all.lacks.push(lack.clone());
                }
            }
        }
        Some(all)
    }

    fn spread(&mut self, other: &Self) {
        for theirs in &other.spreads {
            let is_same =
                |ours: &&mut OwnSpread| ours.kind == theirs.kind && ours.unit == theirs.unit;
            match self.spreads.iter_mut().find(is_same) {
                None => self.spreads.push(theirs.clone()),
                Some(ours) => {
                    ours.buckets.extend(&theirs.buckets);
                    ours.buckets.sort_by_key(|bucket| bucket.border);
                    ours.buckets.dedup_by(|next, before| {
                        let is_same = next.border == before.border;
                        before.keys += if is_same { next.keys } else { 0 };
                        is_same
                    });
                }
            }
        }
    }

    fn spend(&mut self, other: &Self) {
        for theirs in &other.commands {
            match self
                .commands
                .iter_mut()
                .find(|ours| ours.name == theirs.name)
            {
                None => self.commands.push(theirs.clone()),
                Some(ours) => {
                    ours.calls += theirs.calls;
                    ours.total = ours
                        .total
                        .zip(theirs.total)
                        .map(|(ours, theirs)| ours + theirs);
                    // The slower of two servers: a percentile of both cannot be had from the two.
                    ours.p99 = ours.p99.max(theirs.p99);
                }
            }
        }
        self.commands.sort_by_key(|one| Reverse(one.total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(keys: u64, with_ttl: u64, ttl_s: u64) -> Account {
        Account {
            keys: Some(keys),
            keys_with_ttl: Some(with_ttl),
            average_ttl: Some(Duration::from_secs(ttl_s)),
            spreads: vec![OwnSpread {
                kind: "string".to_owned(),
                unit: SpreadUnit::Bytes,
                buckets: vec![OwnBucket { border: keys, keys }],
            }],
            commands: vec![CommandTime {
                name: "get".to_owned(),
                calls: keys,
                total: Some(Duration::from_micros(keys)),
                p99: Some(Duration::from_micros(keys)),
            }],
            ..Account::default()
        }
    }

    #[test]
    fn several_servers_are_summed_and_averages_weighed() {
        let all = Account::of_all([account(4, 1, 100), account(8, 3, 20)].iter());
        let all = all.expect("two of them");
        assert_eq!((all.keys, all.keys_with_ttl), (Some(12), Some(4)));
        assert_eq!(all.average_ttl, Some(Duration::from_secs(40)));
        assert_eq!(all.spreads.len(), 1);
        assert_eq!(all.spreads[0].keys(), 12);
        assert_eq!(all.commands[0].each(), Some(Duration::from_micros(1)));
        assert_eq!(all.commands[0].p99, Some(Duration::from_micros(8)));
    }

    #[test]
    fn what_one_server_does_not_count_is_unknown_of_all() {
        let silent = Account::default();
        let all = Account::of_all([account(4, 1, 100), silent].iter()).expect("two of them");
        assert_eq!((all.keys, all.average_ttl, all.dataset), (None, None, None));
        assert_eq!(Account::of_all([].iter()), None);
    }
}
