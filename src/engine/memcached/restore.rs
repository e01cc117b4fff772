//! Bringing a file of items back into a server.
//!
//! Items go out in flights behind each other, and every one gets an answer of its own: with `q` a
//! refusal would not say which item it is about. A key that the server has already is left alone by
//! `ms … ME`, which decides and stores in one step, so nothing can come in between. Moments are on the
//! clock of the server that the file is from; they are moved to the clock of the one they go to.
//!
//! The whole file is read and checked before the first item is sent. How far it came is noted in a
//! journal, so that a restore that broke off can go on.

mod readback;
mod source;
mod writing;

use std::time::Instant;

use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::{Batch, Dialect, Storing};
use crate::engine::memcached::clock::Clock;
use crate::engine::memcached::conn::Hello;
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::stats::Stats;
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{
    Bytes, ChangePhase, ChangeProgress, Conflict, Key, KeyFacts, Missing, Preview, Restore,
    RestoreReport, units,
};
use crate::snapshot::items::{Header, Item, ServerSecond};
use crate::text;

use source::{Survey, survey};
use writing::Writing;

/// Commands that a preview shows.
const SHOWN: usize = 5;
/// Keys that a preview looks up, to tell how many are there already.
const LOOKED_AT: usize = 1_000;
/// The largest item where the server does not tell: its default.
const USUAL_LARGEST: u64 = 1 << 20;
/// The last second that Memcached can write: 2038-01-19.
const LAST_SECOND: i64 = i32::MAX as i64;

/// What the server that items go to is like.
#[derive(Clone, Debug)]
struct Target {
    dialect: Dialect,
    /// It can be told which CAS an item is to have.
    keeps_cas: bool,
    clock: Option<Clock>,
    largest: u64,
    /// What is used of it, and what there is.
    room: Option<(u64, u64)>,
    evicts: bool,
    evictions: Option<u64>,
}

impl Target {
    fn of(hello: &Hello, stats: &Stats, settings: Option<&Stats>) -> Self {
        let setting = |name: &str| settings.and_then(|settings| settings.count(name));
        Self {
            dialect: if hello.is(Version::has_meta) {
                Dialect::Meta
            } else {
                Dialect::Classic
            },
            keeps_cas: hello.is(Version::keeps_cas),
            clock: Clock::of(stats),
            largest: setting("item_size_max").unwrap_or(USUAL_LARGEST),
            room: stats.count("bytes").zip(stats.count("limit_maxbytes")),
            evicts: settings.and_then(|settings| settings.text("evictions")) != Some("off"),
            evictions: stats.count("evictions"),
        }
    }

    /// The present second of its clock.
    fn now(&self) -> Option<i64> {
        let clock = self.clock?;
        Some(clock.to_server(super::clock::now()))
    }
}

/// How moments of the file become moments of the server.
#[derive(Clone, Copy, Debug, Default)]
struct Shift(i64);

/// When an item is to expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Never,
    At(u32),
    Over,
    /// Beyond what Memcached can write.
    TooLate,
}

impl Shift {
    fn between(header: &Header, target: &Target) -> Self {
        let from = header.clock_ahead_ms.unwrap_or(0);
        let to = target.clock.map_or(0, Clock::ahead);
        Self((from - to).div_euclid(1_000))
    }

    fn fate(self, expires: Option<ServerSecond>, now: Option<i64>) -> Fate {
        let Some(second) = expires else {
            return Fate::Never;
        };
        let second = i64::from(second.0) + self.0;
        if now.is_some_and(|now| second <= now) {
            return Fate::Over;
        }
        if second > LAST_SECOND {
            return Fate::TooLate;
        }
        u32::try_from(second).map_or(Fate::Over, Fate::At)
    }
}

/// What an item takes on the server: its head, its CAS, key, flags and value.
fn takes(item: &Item) -> u64 {
    let flags = if item.facts.flags == 0 { 0 } else { 4 };
    48 + 8 + item.key.len() as u64 + 1 + flags + item.value.len() as u64 + 2
}

impl MemcachedServer {
    pub(super) async fn foresee_restore(&self, restore: &Restore) -> Result<Preview, Fault> {
        let (target, _) = self.restore_target().await?;
        let survey = match survey(restore, &target, |_, _| {}).await {
            Ok(survey) => survey,
            Err(why) => {
                return Ok(Preview {
                    stops: vec![why],
                    ..Preview::default()
                });
            }
        };
        let mut preview = Preview {
            commands: survey
                .first
                .iter()
                .take(SHOWN)
                .map(|one| one.shown.clone())
                .collect(),
            of: usize::try_from(survey.to_send()).unwrap_or(usize::MAX),
            cost: format!("{} are sent, one command an item", Bytes(survey.bytes)),
            undo: None,
            cautions: survey.cautions(&target),
            stops: Vec::new(),
        };
        if survey.matched == 0 {
            // An answer, and no refusal of ours.
            return Err(Fault::Missing(Missing("no key of the file matches".into())));
        }
        self.foresee_conflicts(restore, &survey, &mut preview)
            .await?;
        if let Some(full) = eviction(&survey, &target) {
            preview.cautions.insert(0, full);
        }
        Ok(preview)
    }

    /// Looks whether keys are there already: all of them where one would stop it, else some.
    async fn foresee_conflicts(
        &self,
        restore: &Restore,
        survey: &Survey,
        preview: &mut Preview,
    ) -> Result<(), Fault> {
        let keys: Vec<Key> = survey.first.iter().map(|one| one.key.clone()).collect();
        let rows = self.look_at(&keys).await?;
        let is_here = |facts: &Option<KeyFacts>| matches!(facts, Some(KeyFacts::Here { .. }));
        let here: Vec<&Key> = rows
            .iter()
            .filter(|row| is_here(&row.facts))
            .map(|row| &row.key)
            .collect();
        let (many, of) = (here.len() as u64, keys.len() as u64);
        let looked = if survey.to_send() == of {
            format!(
                "{} of {} keys are there already",
                units::count(many),
                units::count(of)
            )
        } else {
            format!(
                "of the first {} keys {} are there already",
                units::count(of),
                units::count(many)
            )
        };
        match (restore.conflict, here.first()) {
            (Conflict::Skip, Some(_)) => {
                preview
                    .cautions
                    .push(format!("{looked}, and stay as they are"));
            }
            (Conflict::Replace, _) => preview.cautions.push(format!(
                "{looked}: they are overwritten, and the server keeps no copy"
            )),
            (Conflict::Fail, Some(key)) if !restore.resumes => preview.stops.push(format!(
                "{looked}, such as {} (--conflict skip leaves them, replace overwrites them)",
                text::escape(key.bytes())
            )),
            _ => {}
        }
        Ok(())
    }

    /// Stops when any key is there already.
    async fn refuse_existing(&self, restore: &Restore, target: &Target) -> Result<(), Fault> {
        let mut reading = source::Reading::open(restore, target).map_err(Fault::Setup)?;
        while let Some(block) = reading.next().await.map_err(Fault::Setup)? {
            let mut keys = Vec::new();
            for item in &block {
                let item = item.map_err(|wrong| Fault::Setup(wrong.to_string()))?;
                if reading.matches(&item) && Batch::can_name(item.key, target.dialect) {
                    keys.push(Key::new(item.key));
                }
            }
            for row in self.look_at(&keys).await? {
                if matches!(row.facts, Some(KeyFacts::Here { .. })) {
                    return Err(Fault::Refused {
                        command: "restore".into(),
                        why: format!("{} is there already", text::escape(row.key.bytes())),
                    });
                }
            }
        }
        Ok(())
    }

    async fn restore_target(&self) -> Result<(Target, Hello), Fault> {
        let hello = self.work.hello().await?;
        let stats = self.stats().await?;
        let command = super::command::Command::stats("settings");
        let mut replies = self.work.ask(std::slice::from_ref(&command)).await?;
        let settings = match replies.pop() {
            Some(super::codec::Reply::Stats(rows)) => Some(Stats::new(rows)),
            // A service that does not tell its settings: then their defaults are assumed.
            _ => None,
        };
        Ok((Target::of(&hello, &stats, settings.as_ref()), hello))
    }

    pub(super) async fn restore(
        &self,
        restore: &Restore,
        permit: &Permit,
        progress: &Progress,
    ) -> Result<RestoreReport, Fault> {
        let began = Instant::now();
        let (target, _) = self.restore_target().await?;
        let tell = |done: u64, bytes: u64| {
            progress.tell(ChangeProgress {
                phase: ChangePhase::Checking,
                done,
                of: None,
                bytes: Bytes(bytes),
                elapsed: began.elapsed(),
            });
        };
        let survey = survey(restore, &target, tell).await.map_err(Fault::Setup)?;
        if restore.conflict == Conflict::Fail && !restore.resumes {
            self.refuse_existing(restore, &target).await?;
        }
        let mut writing = Writing::begin(self, restore, permit, &target, &survey).await?;
        writing.run(progress, began).await?;
        let (mut report, written) = writing.end();
        if let (Some(before), Some(after)) =
            (target.evictions, self.stats().await?.count("evictions"))
            && after > before
        {
            report.notes.push(format!(
                "the server evicted {} items meanwhile to make room",
                units::count(after - before)
            ));
        }
        report.notes.extend(survey.notes(&target));
        report.verified = self
            .read_back(restore, &target, &written, progress, began)
            .await?;
        report.took = began.elapsed();
        Ok(report)
    }
}

/// Whether there is room for it all, with figures.
fn eviction(survey: &Survey, target: &Target) -> Option<String> {
    let (used, limit) = target.room?;
    let needs = used.saturating_add(survey.takes);
    if needs <= limit {
        return None;
    }
    let what = if target.evicts {
        "it would evict items to make room"
    } else {
        "it refuses what does not fit (-M)"
    };
    Some(format!(
        "the server holds {} of {}, and the file needs about {} more: {what}",
        Bytes(used),
        Bytes(limit),
        Bytes(survey.takes)
    ))
}

/// The line that stores an item, without its value.
fn shown(item: &Storing, dialect: Dialect) -> Option<String> {
    let mut batch = Batch::default();
    batch.store(item, dialect).then_some(())?;
    let end = memchr::memchr(b'\r', batch.bytes())?;
    Some(text::escape(&batch.bytes()[..end]))
}

#[cfg(test)]
mod tests;
