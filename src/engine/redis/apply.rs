//! Carries out what was permitted.

use std::time::Duration;

use ::redis::{Cmd, Value as Wire, cmd};

use crate::engine::redis::info::Info;
use crate::engine::redis::link::{about, command};
use crate::engine::redis::plan::{impossible, ttl_command};
use crate::engine::redis::reply::{Refusal, Reply, bytes, word};
use crate::engine::redis::{Core, now, restore};
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{Change, Feature, Key, KeyOutcome, Outcome, SnapshotState, TtlWish};

/// Keys in one flight. What is lost when a connection breaks is at most this many answers.
const CHUNK: usize = 200;

pub async fn apply(core: &Core, permit: Permit, progress: &Progress) -> Result<Outcome, Fault> {
    let done = carry_out(core, &permit, progress).await;
    let closed = match &done {
        Ok(outcome) => permit.close(Ok(outcome)),
        Err(fault) => permit.close(Err(&fault.to_string())),
    };
    if let Err(error) = closed {
        // The change has happened. Calling it a failure now would invite doing it twice.
        let error = crate::text::escape(error.to_string().as_bytes());
        tracing::error!(error, "the audit line could not be written");
    }
    done
}

async fn carry_out(core: &Core, permit: &Permit, progress: &Progress) -> Result<Outcome, Fault> {
    match permit.change() {
        Change::SetTtl { keys, wish } => {
            if let Some(why) = impossible(*wish, now()) {
                return Err(Fault::Refused {
                    command: ttl_command(*wish).0.to_owned(),
                    why,
                });
            }
            set_ttl(core, permit, keys, *wish).await
        }
        Change::Delete { keys } => delete(core, permit, keys).await,
        Change::Snapshot => snapshot(core, permit).await,
        Change::Restore(wish) => {
            let report = restore::restore(core, wish, permit, progress).await?;
            Ok(Outcome::Restored(Box::new(report)))
        }
        Change::RewriteAof => rewrite(core, permit).await,
    }
}

async fn set_ttl(
    core: &Core,
    permit: &Permit,
    keys: &[Key],
    wish: TtlWish,
) -> Result<Outcome, Fault> {
    let (name, argument) = ttl_command(wish);
    let mut changed = Changed::default();
    for chunk in keys.chunks(CHUNK) {
        // The second question tells a key without TTL from one that is not there.
        let flight: Vec<Cmd> = chunk
            .iter()
            .flat_map(|key| {
                let mut change = about(&[name], key);
                if let Some(argument) = argument {
                    change.arg(argument);
                }
                [change, about(&["EXISTS"], key)]
            })
            .collect();
        changed
            .fly(core, permit, chunk, &flight, |replies| {
                ttl_outcome(core, name, replies)
            })
            .await?;
    }
    Ok(changed.outcome())
}

fn ttl_outcome(core: &Core, name: &str, replies: &[Reply]) -> KeyOutcome {
    match replies {
        [Ok(Wire::Int(1)), ..] => KeyOutcome::Done,
        [Ok(Wire::Int(0)), Ok(Wire::Int(exists))] if name == "PERSIST" && *exists > 0 => {
            KeyOutcome::AlreadySo
        }
        [Ok(Wire::Int(0)), ..] => KeyOutcome::NoSuchKey,
        [Err(refusal), ..] => failed(core, Feature::Ttl, name, refusal),
        _ => KeyOutcome::Failed("an answer that is none".to_owned()),
    }
}

async fn delete(core: &Core, permit: &Permit, keys: &[Key]) -> Result<Outcome, Fault> {
    let mut name = "UNLINK";
    let mut changed = Changed::default();
    for chunk in keys.chunks(CHUNK) {
        let flight: Vec<Cmd> = chunk.iter().map(|key| about(&[name], key)).collect();
        let before = changed.keys.len();
        changed
            .fly(core, permit, chunk, &flight, |replies| {
                delete_outcome(core, name, replies)
            })
            .await?;
        if name == "UNLINK" && changed.keys.len() > before && changed.has_unknown_command {
            // Before 4.0 there is only DEL.
            name = "DEL";
            changed.has_unknown_command = false;
            changed.keys.truncate(before);
            let flight: Vec<Cmd> = chunk.iter().map(|key| about(&[name], key)).collect();
            changed
                .fly(core, permit, chunk, &flight, |replies| {
                    delete_outcome(core, name, replies)
                })
                .await?;
        }
    }
    Ok(changed.outcome())
}

fn delete_outcome(core: &Core, name: &str, replies: &[Reply]) -> KeyOutcome {
    match replies {
        [Ok(Wire::Int(1))] => KeyOutcome::Done,
        [Ok(Wire::Int(0))] => KeyOutcome::NoSuchKey,
        [Err(refusal)] => failed(core, Feature::Delete, name, refusal),
        _ => KeyOutcome::Failed("an answer that is none".to_owned()),
    }
}

fn failed(core: &Core, feature: Feature, name: &str, refusal: &Refusal) -> KeyOutcome {
    if name != "UNLINK" || !refusal.is_unknown_command() {
        core.known.refused(feature, name, refusal);
    }
    KeyOutcome::Failed(refusal.fault(core.work.place(), name).to_string())
}

/// What became of the keys so far.
#[derive(Default)]
struct Changed {
    keys: Vec<(Key, KeyOutcome)>,
    has_unknown_command: bool,
    /// After a connection was lost nothing more is sent.
    lost: Option<String>,
}

impl Changed {
    /// Sends one chunk and notes what became of its keys.
    async fn fly(
        &mut self,
        core: &Core,
        permit: &Permit,
        chunk: &[Key],
        flight: &[Cmd],
        outcome: impl Fn(&[Reply]) -> KeyOutcome,
    ) -> Result<(), Fault> {
        if let Some(why) = self.lost.clone() {
            self.note_all(chunk, &KeyOutcome::Failed(format!("not sent: {why}")));
            return Ok(());
        }
        match core.work.carry_out(permit, flight).await {
            Ok(answer) => {
                self.has_unknown_command |= answer
                    .replies
                    .iter()
                    .any(|reply| matches!(reply, Err(refusal) if refusal.is_unknown_command()));
                let each = (answer.replies.len() / chunk.len().max(1)).max(1);
                for (key, replies) in chunk.iter().zip(answer.replies.chunks(each)) {
                    self.keys.push((key.clone(), outcome(replies)));
                }
                Ok(())
            }
            // Nothing at all was sent: that is a fault, not an outcome.
            Err(lost) if !lost.was_sent && self.keys.is_empty() => Err(lost.fault),
            Err(lost) => {
                let why = lost.fault.to_string();
                let outcome = if lost.was_sent {
                    KeyOutcome::Unknown(why.clone())
                } else {
                    KeyOutcome::Failed(format!("not sent: {why}"))
                };
                self.note_all(chunk, &outcome);
                self.lost = Some(why);
                Ok(())
            }
        }
    }

    fn note_all(&mut self, chunk: &[Key], outcome: &KeyOutcome) {
        let noted = chunk.iter().map(|key| (key.clone(), outcome.clone()));
        self.keys.extend(noted);
    }

    fn outcome(self) -> Outcome {
        Outcome::Keys(self.keys)
    }
}

async fn snapshot(core: &Core, permit: &Permit) -> Result<Outcome, Fault> {
    wait_for_a_new_second(core).await?;
    let mut reply = order(core, permit, &["BGSAVE"]).await?;
    // Beside a rewrite of the append-only file the plain command is refused.
    if let Err(refusal) = &reply
        && is_beside_a_rewrite(refusal)
    {
        reply = order(core, permit, &["BGSAVE", "SCHEDULE"]).await?;
    }
    match reply {
        Ok(said) => {
            let words = word(&said).unwrap_or_default();
            let is_scheduled = words.to_ascii_lowercase().contains("scheduled");
            tracing::info!(said = words, "BGSAVE");
            Ok(Outcome::Snapshot(accepted(is_scheduled)))
        }
        Err(refusal) if is_running_already(&refusal) => Ok(Outcome::Attached),
        Err(refusal) => {
            core.known.refused(Feature::Snapshot, "BGSAVE", &refusal);
            Err(refusal.fault(core.work.place(), "BGSAVE"))
        }
    }
}

async fn rewrite(core: &Core, permit: &Permit) -> Result<Outcome, Fault> {
    match order(core, permit, &["BGREWRITEAOF"]).await? {
        Ok(said) => {
            let words = word(&said).unwrap_or_default();
            let is_scheduled = words.to_ascii_lowercase().contains("scheduled");
            tracing::info!(said = words, "BGREWRITEAOF");
            Ok(Outcome::Rewrite(accepted(is_scheduled)))
        }
        Err(refusal) if is_running_already(&refusal) => Ok(Outcome::Attached),
        Err(refusal) => Err(refusal.fault(core.work.place(), "BGREWRITEAOF")),
    }
}

async fn order(core: &Core, permit: &Permit, words: &[&str]) -> Result<Reply, Fault> {
    let mut replies = core
        .work
        .carry_out(permit, &[command(words)])
        .await
        .map_err(|lost| lost.fault)?
        .replies;
    replies
        .pop()
        .ok_or_else(|| core.work.out_of_protocol(words[0], "no reply"))
}

fn accepted(is_scheduled: bool) -> SnapshotState {
    if is_scheduled {
        SnapshotState::Scheduled
    } else {
        SnapshotState::BEGUN
    }
}

/// `Background save already in progress`, `… rewriting already in progress`
fn is_running_already(refusal: &Refusal) -> bool {
    refusal.words().contains("already in progress")
}

/// Worded differently over the years; all of them name the other file, or the way out.
fn is_beside_a_rewrite(refusal: &Refusal) -> bool {
    let words = refusal.words();
    words.contains("BGSAVE SCHEDULE") || words.contains("AOF")
}

/// The moment of the last save is told in whole seconds. A save that ends in the second of the one
/// before could not be told from no save at all, so it does not begin in that second.
async fn wait_for_a_new_second(core: &Core) -> Result<(), Fault> {
    let flight = [command(&["INFO", "persistence"]), cmd("TIME")];
    let mut replies = core.work.ask(&flight).await?.replies.into_iter();
    let (Some(Ok(info)), Some(Ok(Wire::Array(time)))) = (replies.next(), replies.next()) else {
        // Who may not ask for these cannot follow the snapshot either.
        return Ok(());
    };
    let info = Info::parse(&bytes(info).unwrap_or_default());
    let numbers: Vec<u64> = time
        .iter()
        .filter_map(|part| word(part)?.parse().ok())
        .collect();
    if let [second, microsecond] = numbers[..]
        && info.count("rdb_last_save_time") == Some(second)
    {
        let left = 1_000_000_u64.saturating_sub(microsecond);
        tokio::time::sleep(Duration::from_micros(left)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
