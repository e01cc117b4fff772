//! Bringing a snapshot back into a server.
//!
//! A value as it stands in a file goes through code of the server that trusts it, and files come from
//! strangers. So values are read here and built anew by plain commands (`building`), unless the person
//! says that the file can be trusted: then they go as they are, by `RESTORE`, and only those that the
//! server does not take (it is older, or they are large) are built.
//!
//! The whole file is read and checked before the first key is sent. How far it came is noted in a
//! journal, so that a restore that broke off can go on.

mod building;
mod reading;
mod writing;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::engine::journal::{Journal, Note, Written};
use crate::engine::redis::digests::Values;
use crate::engine::redis::info::Info;
use crate::engine::redis::link::{Link, about, command};
use crate::engine::redis::plan::{look_at_role_of, quoted};
use crate::engine::redis::reply::{Reply, bytes};
use crate::engine::redis::{Core, now};
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{
    Bytes, ChangePhase, ChangeProgress, Conflict, Key, KeyKind, Missing, Preview, Restore,
    RestoreReport, UnixMs, Verified, Verify, units,
};
use crate::snapshot::diff::Digested;
use crate::text;

use building::Knows;
use reading::{Head, Source, Survey};
use writing::Writing;

use ::redis::Value as Wire;

/// Commands that a preview shows.
const SHOWN: usize = 5;
/// Keys that are looked up, or read back, in one go.
const AT_ONCE: usize = 512;
/// Keys of a sample.
const SAMPLE: u64 = 1_000;
/// Keys that are named of those that are not what was stored.
const NAMED: usize = 20;
/// Moments are exact; answers take their time.
const UNSURE_MS: u64 = 2_000;
/// What a value takes where nobody knows.
const USUAL_SIZE: u64 = 1 << 10;

/// What the server that keys go to is like.
struct Target {
    knows: Knows,
    is_cluster_node: bool,
    used: Option<u64>,
    limit: Option<u64>,
    policy: Option<String>,
    stops: Vec<String>,
    cautions: Vec<String>,
    evicted: Option<u64>,
}

async fn target(core: &Core) -> Result<Target, Fault> {
    let flight = ["server", "memory", "replication", "stats", "cluster"];
    let flight = flight.map(|section| command(&["INFO", section]));
    let mut replies = core.work.ask(&flight).await?.replies.into_iter();
    let mut info = || -> Info {
        let reply = replies.next().and_then(Result::ok).and_then(bytes);
        Info::parse(&reply.unwrap_or_default())
    };
    let (server, memory, replication, stats, cluster) = (info(), info(), info(), info(), info());
    let version: Vec<u32> = server
        .text("redis_version")
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    let mut target = Target {
        knows: Knows {
            stream_counters: version.as_slice() >= [7, 0].as_slice(),
            absolute_ends: version.as_slice() >= [6, 2].as_slice(),
            producers: version.as_slice() >= [8, 6].as_slice(),
        },
        is_cluster_node: cluster.flag("cluster_enabled") == Some(true),
        used: memory.count("used_memory"),
        limit: memory.count("maxmemory").filter(|limit| *limit > 0),
        policy: memory.word("maxmemory_policy"),
        stops: Vec::new(),
        cautions: Vec::new(),
        evicted: stats.count("evicted_keys"),
    };
    look_at_role_of(&replication, &mut target.stops, &mut target.cautions);
    Ok(target)
}

/// The source with everything that is known now.
async fn surveyed(restore: &Restore, target: &Target) -> Result<(Source, Survey), String> {
    let mut source = Source::of(restore, now());
    source.knows = target.knows;
    let mut survey = source.survey().await?;
    if source.database.is_none() {
        source.database = Some(survey.database());
        if survey.databases.len() > 1 {
            survey = source.survey().await?;
        }
    }
    Ok((source, survey))
}

pub async fn foresee(core: &Core, restore: &Restore) -> Result<Preview, Fault> {
    let target = target(core).await?;
    let (source, survey) = match surveyed(restore, &target).await {
        Ok(surveyed) => surveyed,
        Err(why) => {
            return Ok(Preview {
                stops: vec![why],
                ..Preview::default()
            });
        }
    };
    let to_send = survey.matched - survey.expired;
    let shown = survey.first.iter().take(SHOWN);
    let mut preview = Preview {
        commands: shown.map(|head| command_line(head, restore)).collect(),
        of: usize::try_from(to_send).unwrap_or(usize::MAX),
        cost: format!("about {} are sent", Bytes(survey.stored)),
        undo: None,
        cautions: target.cautions.clone(),
        stops: target.stops.clone(),
    };
    if survey.matched == 0 {
        // An answer, and no refusal of ours.
        return Err(Fault::Missing(Missing(
            "no key of the file matches".to_owned(),
        )));
    }
    preview.cautions.extend(room(&survey, &target));
    preview.cautions.extend(cautions(restore, &source, &survey));
    foresee_conflicts(core, restore, &source, &survey, &mut preview).await?;
    Ok(preview)
}

fn cautions(restore: &Restore, source: &Source, survey: &Survey) -> Vec<String> {
    let database = source.database.unwrap_or(0);
    let mut cautions = survey.left(database, restore.from_database.is_some());
    if survey.expired > 0 {
        let expired = units::count(survey.expired);
        cautions.push(format!("{expired} keys have expired and are left out"));
    }
    if !survey.libraries.is_empty() {
        let libraries = units::count(survey.libraries.len() as u64);
        cautions.push(format!(
            "{libraries} libraries of functions are loaded, which is code that the server runs"
        ));
    }
    if survey.foreign > 0 && !restore.trusts_payload {
        let foreign = units::count(survey.foreign);
        cautions.push(format!(
            "{foreign} keys are of modules, which only --trust-payload can restore"
        ));
    }
    if restore.trusts_payload {
        cautions.push(
            "--trust-payload hands values to the server as they stand in the file: one that was made to harm can crash it or worse"
                .to_owned(),
        );
    }
    cautions
}

/// Whether there is room for it all, with figures.
fn room(survey: &Survey, target: &Target) -> Option<String> {
    let (used, limit) = target.used.zip(target.limit)?;
    if used.saturating_add(survey.memory) <= limit {
        return None;
    }
    let what = match target.policy.as_deref() {
        Some("noeviction") => "it refuses what does not fit",
        _ => "it would evict keys to make room",
    };
    Some(format!(
        "the server holds {} of {}, and the file needs about {} more: {what}",
        Bytes(used),
        Bytes(limit),
        Bytes(survey.memory)
    ))
}

/// The commands for a key, without its value.
fn command_line(head: &Head, restore: &Restore) -> String {
    let key = quoted(head.key.bytes());
    let replaces = restore.conflict == Conflict::Replace;
    if restore.trusts_payload {
        let ends = head.ends.map_or(0, |ends| ends.0);
        let replace = if replaces { " REPLACE" } else { "" };
        return format!("RESTORE {key} {ends} … ABSTTL{replace}");
    }
    let build = match head.kind {
        KeyKind::String => {
            let ends = head
                .ends
                .map_or(String::new(), |ends| format!(" PXAT {}", ends.0));
            let only_new = if replaces { "" } else { " NX" };
            return format!("SET {key} …{only_new}{ends}");
        }
        KeyKind::List => "RPUSH",
        KeyKind::Set => "SADD",
        KeyKind::SortedSet => "ZADD",
        KeyKind::Hash => "HSET",
        _ => "XADD",
    };
    let rename = if replaces { "RENAME" } else { "RENAMENX" };
    format!("{build} cachedeck:restore:… …; {rename} cachedeck:restore:… {key}")
}

/// Looks whether keys are there already: all of them where one would stop it, else some.
async fn foresee_conflicts(
    core: &Core,
    restore: &Restore,
    source: &Source,
    survey: &Survey,
    preview: &mut Preview,
) -> Result<(), Fault> {
    if restore.conflict == Conflict::Fail {
        if !restore.resumes
            && let Some(key) = existing(core, source).await?
        {
            preview.stops.push(format!(
                "{} is there already (--conflict skip leaves what is there, replace overwrites it)",
                text::escape(key.bytes())
            ));
        }
        return Ok(());
    }
    let keys: Vec<Key> = survey.first.iter().map(|head| head.key.clone()).collect();
    let mut here = 0;
    for keys in keys.chunks(AT_ONCE) {
        here += exist(core, keys).await?.len();
    }
    let (many, of) = (units::count(here as u64), units::count(keys.len() as u64));
    let looked = if survey.matched - survey.expired == keys.len() as u64 {
        format!("{many} of {of} keys are there already")
    } else {
        format!("of the first {of} keys {many} are there already")
    };
    match restore.conflict {
        Conflict::Replace => preview.cautions.push(format!(
            "{looked}: they are overwritten, and the server keeps no copy"
        )),
        _ if here > 0 => preview
            .cautions
            .push(format!("{looked}, and stay as they are")),
        _ => {}
    }
    Ok(())
}

/// Those of the keys that are there.
async fn exist<'a>(core: &Core, keys: &'a [Key]) -> Result<Vec<&'a Key>, Fault> {
    let flight: Vec<_> = keys.iter().map(|key| about(&["EXISTS"], key)).collect();
    let replies: Vec<Reply> = core.work.ask(&flight).await?.replies;
    let here = keys.iter().zip(replies);
    let here = here.filter(|(_, reply)| matches!(reply, Ok(Wire::Int(1..))));
    Ok(here.map(|(key, _)| key).collect())
}

/// A key of the file that is there already.
async fn existing(core: &Core, source: &Source) -> Result<Option<Key>, Fault> {
    let mut heads = source.heads().map_err(Fault::Setup)?;
    let mut keys = Vec::with_capacity(AT_ONCE);
    loop {
        let head = heads.recv().await.transpose().map_err(Fault::Setup)?;
        let is_over = head.is_none();
        keys.extend(head.map(|head| head.key));
        if keys.len() >= AT_ONCE || is_over {
            if let Some(key) = exist(core, &keys).await?.first() {
                return Ok(Some((*key).clone()));
            }
            keys.clear();
        }
        if is_over {
            return Ok(None);
        }
    }
}

pub async fn restore(
    core: &Core,
    restore: &Restore,
    permit: &Permit,
    progress: &Progress,
) -> Result<RestoreReport, Fault> {
    let began = Instant::now();
    let target = target(core).await?;
    let (source, survey) = surveyed(restore, &target).await.map_err(Fault::Setup)?;
    if restore.conflict == Conflict::Fail
        && !restore.resumes
        && let Some(key) = existing(core, &source).await?
    {
        return Err(Fault::Refused {
            command: "restore".to_owned(),
            why: format!("{} is there already", text::escape(key.bytes())),
        });
    }
    let journal = Journal::open(restore, note(core, restore, &source, &survey));
    let journal = journal.map_err(Fault::Setup)?;
    let link = Link::to(core.target.clone(), core.common.clone());
    let mut writing = Writing::begin(
        &link,
        permit,
        restore,
        &source,
        journal,
        target.is_cluster_node,
    );
    writing.report.matched = survey.matched;
    writing.run(survey.matched, progress, began).await?;
    let (mut report, written, inexact) = writing.end();
    let database = source.database.unwrap_or(0);
    let left = survey.left(database, restore.from_database.is_some());
    report.notes.extend(left);
    let functions = load_functions(core, restore, permit, &survey).await?;
    report.notes.extend(functions);
    report.notes.extend(evictions(core, &target).await?);
    report.verified = read_back(core, restore, &source, written, inexact, progress, began).await?;
    report.took = began.elapsed();
    Ok(report)
}

fn note(core: &Core, restore: &Restore, source: &Source, survey: &Survey) -> Note {
    let database = source.database.unwrap_or(0);
    Note {
        source: source.shown(),
        bytes: survey.bytes,
        began_ms: survey.made_at.map(|made| made.0),
        target: format!(
            "{}, database {} (from {database})",
            core.work.place(),
            core.target.database
        ),
        pattern: restore.pattern.clone(),
        conflict: restore.conflict.word().to_owned(),
        ..Note::default()
    }
}

/// Loads the libraries that were asked for; tells of those that the server did not take.
async fn load_functions(
    core: &Core,
    restore: &Restore,
    permit: &Permit,
    survey: &Survey,
) -> Result<Vec<String>, Fault> {
    let mut notes = Vec::new();
    for library in &survey.libraries {
        let mut load = command(&["FUNCTION", "LOAD"]);
        if restore.conflict == Conflict::Replace {
            load.arg("REPLACE");
        }
        load.arg(library.as_slice());
        let answer = core.work.carry_out(permit, &[load]).await;
        let mut replies = answer.map_err(|lost| lost.fault)?.replies;
        if let Some(Err(refusal)) = replies.pop() {
            let why = refusal.words();
            notes.push(format!("a library of functions was not loaded: {why}"));
        }
    }
    Ok(notes)
}

async fn evictions(core: &Core, target: &Target) -> Result<Option<String>, Fault> {
    let reply = core
        .work
        .ask(&[command(&["INFO", "stats"])])
        .await?
        .replies
        .pop();
    let info = reply.and_then(Result::ok).and_then(bytes);
    let after = Info::parse(&info.unwrap_or_default()).count("evicted_keys");
    Ok(match (target.evicted, after) {
        (Some(before), Some(after)) if after > before => Some(format!(
            "the server evicted {} keys meanwhile to make room",
            units::count(after - before)
        )),
        _ => None,
    })
}

/// Reads back all or some of what was stored, and compares it as `snapshot diff` does.
async fn read_back(
    core: &Core,
    restore: &Restore,
    source: &Source,
    written: Written,
    inexact: BTreeSet<u64>,
    progress: &Progress,
    began: Instant,
) -> Result<Option<Verified>, Fault> {
    let of = written.many;
    let one_in = match restore.verify {
        Verify::None => return Ok(None),
        Verify::All => 1,
        Verify::Sample => of.div_ceil(SAMPLE).max(1),
    };
    let mut met = 0;
    let wanted = move |place| {
        let is_written = written.has(place) && !inexact.contains(&place);
        met += u64::from(is_written);
        is_written && met % one_in == 0
    };
    let mut digests = source.digests(wanted).map_err(Fault::Setup)?;
    let mut values = Values::of(core, restore.pace);
    let mut verified = Verified::default();
    let mut due = Vec::new();
    loop {
        let next = digests.recv().await.transpose().map_err(Fault::Setup)?;
        let is_over = next.is_none();
        due.extend(next);
        if due.len() >= AT_ONCE || is_over {
            compare(&mut values, &mut verified, &mut due).await?;
            progress.tell(ChangeProgress {
                phase: ChangePhase::Verifying,
                done: verified.read,
                of: Some(of / one_in),
                bytes: Bytes::default(),
                elapsed: began.elapsed(),
            });
        }
        if is_over {
            return Ok(Some(verified));
        }
    }
}

async fn compare(
    values: &mut Values,
    verified: &mut Verified,
    due: &mut Vec<(Head, Digested)>,
) -> Result<(), Fault> {
    let due = std::mem::take(due);
    let keys: Vec<(Key, u64)> = due
        .iter()
        .map(|(head, value)| (head.key.clone(), value.bytes.0.max(USUAL_SIZE)))
        .collect();
    let mut expected = due.iter();
    values
        .read(&keys, |key, found| {
            let Some((head, value)) = expected.next() else {
                return Ok(());
            };
            verified.read += 1;
            let Some(found) = found else {
                verified.gone += 1;
                return Ok(());
            };
            let has_same_value = found.value.is_none_or(|found| found.digest == value.digest);
            let has_same_facts = found.kind == head.kind && ends_agree(found.ends, head.ends);
            if has_same_facts && !has_same_value && value.is_by_parts {
                verified.unclear += 1;
            } else if !(has_same_facts && has_same_value) {
                verified.differ += 1;
                if verified.different.len() < NAMED {
                    verified.different.push(key.clone());
                }
            }
            Ok(())
        })
        .await
}

fn ends_agree(one: Option<UnixMs>, other: Option<UnixMs>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.0.abs_diff(other.0) <= UNSURE_MS,
        _ => false,
    }
}
