//! Changing keys: what would be sent, and sending it with a permit.

mod expiry;

use memcache::exp::{MetaResponse, ReturnCode, parse_meta_result};

use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::clock::Clock;
use crate::engine::memcached::codec::Reply;
use crate::engine::memcached::command::{Command, Won};
use crate::engine::memcached::conn::{Flight, Hello};
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::items::unnameable;
use crate::engine::memcached::stats::NO_SNAPSHOTS;
use crate::engine::memcached::wire::Name;
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{Change, Key, KeyFacts, KeyOutcome, Missing, Outcome, Preview, Ttl};

use expiry::expiry;

/// Keys of one flight. Small, so that little is left unknown when the connection breaks.
const KEYS_AT_ONCE: usize = 64;

/// Commands that a preview names.
const COMMANDS_SHOWN: usize = 5;

/// One wish for one key, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The expiry in Memcached's own way of counting.
    Touch(u32),
    Delete,
}

impl Order {
    fn command(self, key: &Key) -> Option<Command> {
        match (self, Name::of(key)) {
            (Self::Touch(expiry), Name::Plain(name)) => Some(Command::touch(name, expiry)),
            (Self::Touch(expiry), Name::Encoded(_)) => Command::touch_encoded(key.bytes(), expiry),
            (Self::Delete, Name::Plain(name)) => Some(Command::delete(name)),
            (Self::Delete, Name::Encoded(_)) => Command::delete_encoded(key.bytes()),
            (_, Name::Impossible(_)) => None,
        }
    }
}

impl MemcachedServer {
    pub(super) async fn foresee(&self, change: &Change) -> Result<Preview, Fault> {
        let order = match change {
            Change::Snapshot | Change::RewriteAof => {
                return Ok(Preview {
                    stops: vec![NO_SNAPSHOTS.into()],
                    ..Preview::default()
                });
            }
            Change::Restore(restore) => return self.foresee_restore(restore).await,
            Change::Delete { .. } => Ok((Order::Delete, None)),
            Change::SetTtl { wish, .. } => {
                let clock = Clock::of(&self.stats().await?);
                expiry(*wish, clock).map(|expiry| (Order::Touch(expiry.wire), expiry.note))
            }
        };
        let (order, note) = match order {
            Ok(order) => order,
            Err(stop) => {
                return Ok(Preview {
                    of: change.keys().len(),
                    stops: vec![stop],
                    ..Preview::default()
                });
            }
        };
        let hello = self.work.hello().await?;
        let keys = change.keys();
        let sendable: Vec<&Key> = keys
            .iter()
            .filter(|key| unnameable(key, &hello).is_none())
            .collect();
        let mut preview = Preview {
            commands: sendable
                .iter()
                .take(COMMANDS_SHOWN)
                .filter_map(|key| order.command(key))
                .map(|command| command.shown())
                .collect(),
            of: sendable.len(),
            cost: cost(sendable.len()),
            undo: self.undo(order, keys, &hello).await?,
            cautions: note.into_iter().collect(),
            stops: Vec::new(),
        };
        preview.cautions.extend(effects(order));
        if let Some(why) = keys.iter().find_map(|key| unnameable(key, &hello)) {
            let left = keys.len() - sendable.len();
            let words = format!("{left} of {} keys cannot be named: {why}", keys.len());
            if sendable.is_empty() {
                preview.stops.push(words);
            } else {
                preview.cautions.push(words);
            }
        }
        Ok(preview)
    }

    /// The way back for a single key whose TTL is known now.
    async fn undo(
        &self,
        order: Order,
        keys: &[Key],
        hello: &Hello,
    ) -> Result<Option<String>, Fault> {
        let ([key], Order::Touch(_), None) = (
            keys,
            order,
            keys.first().and_then(|key| unnameable(key, hello)),
        ) else {
            return Ok(None);
        };
        let row = self.look_at(std::slice::from_ref(key)).await?.pop();
        let Some(KeyFacts::Here { ttl, .. }) = row.and_then(|row| row.facts) else {
            return Ok(None);
        };
        let clock = Clock::of(&self.stats().await?);
        let before = match ttl {
            Ttl::None => Some(0),
            Ttl::Until(end) => clock.and_then(|clock| u32::try_from(clock.to_server(end)).ok()),
            Ttl::Unknown => None,
        };
        Ok(before
            .and_then(|before| Order::Touch(before).command(key))
            .map(|command| command.shown()))
    }

    pub(super) async fn carry_out(
        &self,
        permit: Permit,
        progress: &Progress,
    ) -> Result<Outcome, Fault> {
        let change = permit.change().clone();
        let outcome = self.execute(&change, &permit, progress).await;
        let words = outcome.as_ref().map_err(ToString::to_string);
        let closed = match &words {
            Ok(outcome) => permit.close(Ok(outcome)),
            Err(why) => permit.close(Err(why)),
        };
        if let Err(error) = closed {
            // The change has happened all the same, and its outcome is worth more than this.
            tracing::error!(%error, "audit line lost");
        }
        outcome
    }

    async fn execute(
        &self,
        change: &Change,
        permit: &Permit,
        progress: &Progress,
    ) -> Result<Outcome, Fault> {
        let (order, keys) = match change {
            Change::Snapshot | Change::RewriteAof => {
                return Err(Fault::Missing(Missing(NO_SNAPSHOTS.into())));
            }
            Change::Restore(restore) => {
                let report = self.restore(restore, permit, progress).await?;
                return Ok(Outcome::Restored(Box::new(report)));
            }
            Change::Delete { keys } => {
                // A connection that died while idle is found here, where it harms nothing.
                self.work.ask(&[Command::version()]).await?;
                (Order::Delete, keys)
            }
            Change::SetTtl { keys, wish } => {
                let clock = Clock::of(&self.stats().await?);
                let expiry = expiry(*wish, clock).map_err(Fault::Setup)?;
                (Order::Touch(expiry.wire), keys)
            }
        };
        let hello = self.work.hello().await?;
        let mut outcomes = Vec::with_capacity(keys.len());
        let mut lost: Option<Fault> = None;
        for keys in keys.chunks(KEYS_AT_ONCE) {
            if let Some(fault) = &lost {
                let why = format!("not sent: {fault}");
                let failed = |key: &Key| (key.clone(), KeyOutcome::Failed(why.clone()));
                outcomes.extend(keys.iter().map(failed));
                continue;
            }
            lost = self.send(order, keys, &hello, permit, &mut outcomes).await;
        }
        Ok(Outcome::Keys(outcomes))
    }

    /// Sends one flight of orders and notes the outcome of each key. Gives the fault that ended the
    /// connection, if one did.
    async fn send(
        &self,
        order: Order,
        keys: &[Key],
        hello: &Hello,
        permit: &Permit,
        outcomes: &mut Vec<(Key, KeyOutcome)>,
    ) -> Option<Fault> {
        let already = self.already_so(order, keys, hello).await;
        let questions: Vec<Result<Command, KeyOutcome>> = keys
            .iter()
            .zip(already)
            .map(|(key, is_already)| {
                if is_already {
                    return Err(KeyOutcome::AlreadySo);
                }
                if let Some(why) = unnameable(key, hello) {
                    return Err(KeyOutcome::Failed(why));
                }
                let why = || KeyOutcome::Failed("it cannot be named".into());
                order.command(key).ok_or_else(why)
            })
            .collect();
        let commands: Vec<Command> = questions.iter().flatten().cloned().collect();
        let Flight {
            replies,
            fault,
            was_sent,
        } = self.work.tell(&commands, permit).await;
        let mut replies = replies.into_iter();
        let mut tokens = Vec::new();
        for (key, question) in keys.iter().zip(questions) {
            let outcome = match (question, &fault) {
                (Err(outcome), _) => outcome,
                (Ok(_), fault) => match (replies.next(), fault) {
                    (Some(reply), _) => {
                        self.note_lookup(&reply);
                        tokens.extend(token(key, &reply, hello));
                        outcome(&reply)
                    }
                    (None, Some(fault)) if was_sent => KeyOutcome::Unknown(fault.to_string()),
                    (None, Some(fault)) => KeyOutcome::Failed(format!("not sent: {fault}")),
                    (None, None) => KeyOutcome::Unknown("no answer came".into()),
                },
            };
            outcomes.push((key.clone(), outcome));
        }
        if let Err(error) = self.work.ask(&tokens).await {
            tracing::warn!(%error, "a recache token could not be given back");
        }
        fault
    }

    /// Which keys have no TTL anyway, when they are to lose it. Where `me` cannot tell no TTL from
    /// one second left (before 1.6.24), all are sent.
    async fn already_so(&self, order: Order, keys: &[Key], hello: &Hello) -> Vec<bool> {
        let nothing = vec![false; keys.len()];
        if order != Order::Touch(0) || !hello.is(Version::has_true_exp) {
            return nothing;
        }
        // Only a convenience: when it fails, the change itself will tell.
        self.look_at(keys).await.map_or(nothing, |rows| {
            let is_without = |facts: &Option<KeyFacts>| {
                matches!(facts, Some(KeyFacts::Here { ttl: Ttl::None, .. }))
            };
            rows.iter().map(|row| is_without(&row.facts)).collect()
        })
    }

    /// `mg … T` for keys that need base64 counts as a lookup.
    fn note_lookup(&self, reply: &Reply) {
        if let Reply::Meta { header, .. } = reply
            && (header.starts_with(b"HD c") || header.starts_with(b"EN"))
        {
            self.count_lookup(header.starts_with(b"HD"));
        }
    }
}

/// A recache token that a `mg … T` of ours took.
fn token(key: &Key, reply: &Reply, hello: &Hello) -> Option<Command> {
    let Reply::Meta { header, .. } = reply else {
        return None;
    };
    let found = parse_meta_result(MetaResponse::parse_header(header).ok()?).ok()?;
    let won = Won {
        cas: found.cas.filter(|_| found.won)?,
        keeps_cas: hello.is(Version::keeps_cas),
    };
    Command::give_back(key.bytes(), won)
}

fn outcome(reply: &Reply) -> KeyOutcome {
    match reply {
        Reply::Line(line) => match line.as_slice() {
            b"TOUCHED" | b"DELETED" => KeyOutcome::Done,
            b"NOT_FOUND" => KeyOutcome::NoSuchKey,
            _ => KeyOutcome::Unknown("the answer cannot be read".into()),
        },
        Reply::Meta { header, .. } => {
            match MetaResponse::parse_header(header).map(|response| response.rc()) {
                Ok(ReturnCode::Hd | ReturnCode::Va) => KeyOutcome::Done,
                Ok(ReturnCode::En | ReturnCode::Nf) => KeyOutcome::NoSuchKey,
                _ => KeyOutcome::Unknown("the answer cannot be read".into()),
            }
        }
        Reply::Refused(refusal) => KeyOutcome::Failed(refusal.words.clone()),
        Reply::Stats(_) | Reply::Values(_) => {
            KeyOutcome::Unknown("the answer cannot be read".into())
        }
    }
}

fn cost(keys: usize) -> String {
    let flights = keys.div_ceil(KEYS_AT_ONCE);
    let flights = if flights == 1 {
        "one flight".to_owned()
    } else {
        format!("{flights} flights of up to {KEYS_AT_ONCE}")
    };
    format!("one small command a key, in {flights}; values are not moved")
}

/// What an order does beside what was asked.
fn effects(order: Order) -> Vec<String> {
    match order {
        Order::Touch(_) => vec![
            "touch counts in cmd_touch, and marks the item as fetched and recently used".into(),
        ],
        Order::Delete => vec!["a deleted item is gone: the server keeps no copy".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::outcome;
    use crate::engine::memcached::codec::{Reply, refusal};
    use crate::model::KeyOutcome;

    #[test]
    fn replies_become_outcomes() {
        let line = |text: &str| outcome(&Reply::Line(text.into()));
        let meta = |text: &str| {
            outcome(&Reply::Meta {
                header: text.into(),
                value: None,
            })
        };
        assert_eq!(line("TOUCHED"), KeyOutcome::Done);
        assert_eq!(line("DELETED"), KeyOutcome::Done);
        assert_eq!(line("NOT_FOUND"), KeyOutcome::NoSuchKey);
        assert!(matches!(line("WHAT"), KeyOutcome::Unknown(_)));
        assert_eq!(meta("HD c5"), KeyOutcome::Done);
        assert_eq!(meta("NF"), KeyOutcome::NoSuchKey);
        assert_eq!(meta("EN"), KeyOutcome::NoSuchKey);
        let said = refusal(b"SERVER_ERROR out of memory").unwrap();
        let failed = KeyOutcome::Failed("SERVER_ERROR out of memory".into());
        assert_eq!(outcome(&Reply::Refused(said)), failed);
    }
}
