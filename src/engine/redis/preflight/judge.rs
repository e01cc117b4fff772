//! Everything that `INFO` tells about such a job now.

use std::time::Duration;

use crate::engine::redis::info::Info;
use crate::engine::redis::preflight::{RUNNING, note};
use crate::engine::redis::sample::{identity, persistence};
use crate::model::{Bytes, Job, Persistence, PreflightNote, Role, SaveStatus, Verdict, units};

/// A fork that took longer was felt by clients.
const SLOW_FORK: Duration = Duration::from_millis(100);
/// Under writes, this part of the dataset may exist twice.
const COPIED: f64 = 0.5;

pub fn judge(info: &Info, job: Job) -> Vec<PreflightNote> {
    let mut notes = Vec::new();
    if let Some(persistence) = persistence(info) {
        notes.push(running(&persistence, job));
        notes.extend(last_fork(&persistence));
        notes.extend(match job {
            Job::Snapshot => Some(last_save(&persistence)),
            Job::RewriteAof => Some(last_rewrite(&persistence)),
            Job::Fetch => None,
        });
        notes.extend(changes(&persistence).filter(|_| job == Job::Snapshot));
    } else {
        let why = "the service hides its persistence; use its own snapshots".to_owned();
        notes.push(note(Verdict::Unknown, RUNNING, why));
    }
    notes.push(headroom(info));
    notes.extend(place(info));
    notes.extend(link(info).filter(|_| job == Job::Fetch));
    notes
}

fn running(persistence: &Persistence, job: Job) -> PreflightNote {
    let aof = persistence.aof.as_ref();
    let rewrites = aof.is_some_and(|aof| aof.is_rewriting);
    let is_off = aof.is_some_and(|aof| !aof.is_enabled);
    let saves = persistence.is_saving;
    let (verdict, words) = if persistence.is_loading {
        (Verdict::Stop, "the server is still loading its dataset")
    } else {
        match job {
            Job::Snapshot if saves => (Verdict::Stop, "a snapshot is being written already"),
            Job::Snapshot if rewrites => (
                Verdict::Caution,
                "the append-only file is being rewritten: the snapshot begins after that",
            ),
            Job::RewriteAof if is_off => (
                Verdict::Stop,
                "the append-only file is off: there is nothing to rewrite",
            ),
            Job::RewriteAof if rewrites => (
                Verdict::Stop,
                "the append-only file is being rewritten already",
            ),
            Job::RewriteAof if saves => (
                Verdict::Caution,
                "a snapshot is being written: the rewrite begins after that",
            ),
            Job::Fetch if saves || rewrites => (
                Verdict::Caution,
                "the server makes a copy of itself already: ours may begin after that",
            ),
            _ => (Verdict::Good, "none"),
        }
    };
    note(verdict, RUNNING, words.to_owned())
}

fn last_fork(persistence: &Persistence) -> Option<PreflightNote> {
    let took = persistence.last_fork?;
    let verdict = if took > SLOW_FORK {
        Verdict::Caution
    } else {
        Verdict::Good
    };
    let milliseconds = took.as_secs_f64() * 1000.0;
    let words = format!("{milliseconds:.1} ms, in which no client was answered");
    Some(note(verdict, "last fork", words))
}

fn last_save(persistence: &Persistence) -> PreflightNote {
    let took = persistence
        .last_duration
        .map(|took| format!(" in {} s", took.as_secs()))
        .unwrap_or_default();
    match persistence.last_status {
        Some(SaveStatus::Failed) => note(
            Verdict::Caution,
            "last save",
            "it failed; the server's log says why".to_owned(),
        ),
        _ if persistence.last_save.is_none() => note(
            Verdict::Good,
            "last save",
            "none since the server was started".to_owned(),
        ),
        _ => note(Verdict::Good, "last save", format!("it succeeded{took}")),
    }
}

fn last_rewrite(persistence: &Persistence) -> PreflightNote {
    let what = "last rewrite";
    let aof = persistence.aof.as_ref();
    let took = aof.and_then(|aof| aof.last_rewrite_took);
    if aof.and_then(|aof| aof.last_rewrite) == Some(SaveStatus::Failed) {
        let why = "it failed; the server's log says why".to_owned();
        return note(Verdict::Caution, what, why);
    }
    let words = took.map_or_else(
        || "none since the server was started".to_owned(),
        |took| format!("it succeeded in {} s", took.as_secs()),
    );
    note(Verdict::Good, what, words)
}

fn changes(persistence: &Persistence) -> Option<PreflightNote> {
    let changes = persistence.changes_since_save?;
    let words = format!(
        "{} changes are not in a snapshot yet",
        units::count(changes)
    );
    Some(note(Verdict::Good, "changes", words))
}

/// Whether there is room for the pages that are written meanwhile, by what the last copy took where
/// that is known, else by half of the dataset.
fn headroom(info: &Info) -> PreflightNote {
    let what = "memory headroom";
    let read = |name: &str| info.bytes(name).filter(|bytes| bytes.0 > 0);
    let (Some(used), Some(resident), Some(system)) = (
        read("used_memory"),
        read("used_memory_rss"),
        read("total_system_memory"),
    ) else {
        let why = "the server does not tell how much memory its machine has".to_owned();
        return note(Verdict::Unknown, what, why);
    };
    let free = Bytes(system.0.saturating_sub(resident.0));
    let last = read("rdb_last_cow_size").max(read("aof_last_cow_size"));
    let is_tight = (free.0 as f64) < used.0 as f64 * COPIED
        || last.is_some_and(|last| free.0 < last.0.saturating_mul(2));
    let limit = read("maxmemory").filter(|limit| limit.0 as f64 > system.0 as f64 * 0.75);
    let parts = [
        Some(format!(
            "{used} used; at most {free} of {system} are free for pages written meanwhile"
        )),
        last.map(|last| format!("; the last copy took {last}")),
        limit.map(|limit| format!("; its limit of {limit} leaves little beside it")),
    ];
    let words = parts.into_iter().flatten().collect();
    let verdict = if is_tight || limit.is_some() {
        Verdict::Caution
    } else {
        Verdict::Good
    };
    note(verdict, what, words)
}

fn place(info: &Info) -> Option<PreflightNote> {
    let replicas = info.count("connected_slaves").unwrap_or(0);
    match identity(info).role {
        Role::Primary if replicas > 0 => {
            let words =
                format!("a primary with replicas ({replicas}): one of them could do it instead");
            Some(note(Verdict::Caution, "role", words))
        }
        Role::Primary => Some(note(
            Verdict::Good,
            "role",
            "a primary without replicas".to_owned(),
        )),
        Role::Replica => Some(note(Verdict::Good, "role", "a replica".to_owned())),
        _ => None,
    }
}

/// A replica that lost its primary gives nothing away.
fn link(info: &Info) -> Option<PreflightNote> {
    let is_down = identity(info).role == Role::Replica
        && info
            .text("master_link_status")
            .is_some_and(|link| link != "up");
    let words = "it has no link to its primary, and gives no copy away without one";
    is_down.then(|| note(Verdict::Stop, "link to the primary", words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_job(job: Job, info: &str, what: &str, verdict: Verdict, words: &str) {
        let notes = judge(&Info::parse(info.as_bytes()), job);
        let note = notes.iter().find(|note| note.what == what).expect(what);
        assert_eq!(note.verdict, verdict, "{note:?}");
        assert!(note.words.contains(words), "{note:?}");
    }

    fn check(info: &str, what: &str, verdict: Verdict, words: &str) {
        check_job(Job::Snapshot, info, what, verdict, words);
    }

    #[test]
    fn what_runs_already_stops_or_delays() {
        use Verdict::{Caution, Good, Stop};
        let what = "running saves";
        let saves = "rdb_bgsave_in_progress:1\naof_enabled:1\n";
        let rewrites = "rdb_bgsave_in_progress:0\naof_enabled:1\naof_rewrite_in_progress:1\n";
        let idle = "rdb_bgsave_in_progress:0\naof_enabled:1\n";
        let off = "rdb_bgsave_in_progress:0\naof_enabled:0\n";
        check_job(Job::Snapshot, saves, what, Stop, "being written");
        check_job(Job::Snapshot, rewrites, what, Caution, "after that");
        check_job(Job::Snapshot, idle, what, Good, "none");
        check_job(Job::RewriteAof, saves, what, Caution, "after that");
        check_job(Job::RewriteAof, rewrites, what, Stop, "already");
        check_job(Job::RewriteAof, off, what, Stop, "is off");
        check_job(Job::RewriteAof, idle, what, Good, "none");
        check_job(Job::Fetch, saves, what, Caution, "after that");
        let loads = "rdb_bgsave_in_progress:0\nloading:1\n";
        for job in [Job::Snapshot, Job::RewriteAof, Job::Fetch] {
            check_job(job, loads, what, Stop, "loading");
        }
    }

    #[test]
    fn little_free_memory_is_a_caution() {
        let what = "memory headroom";
        let tight = "used_memory:8000\nused_memory_rss:9000\ntotal_system_memory:10000\n";
        check(tight, what, Verdict::Caution, "free");
        let ample = "used_memory:1000\nused_memory_rss:2000\ntotal_system_memory:10000\n";
        check(ample, what, Verdict::Good, "free");
        let costly = format!("{ample}rdb_last_cow_size:5000\n");
        check(&costly, what, Verdict::Caution, "the last copy took");
        let limited = format!("{ample}maxmemory:9000\n");
        check(&limited, what, Verdict::Caution, "leaves little");
        check(
            "used_memory:1000\n",
            what,
            Verdict::Unknown,
            "does not tell",
        );
    }

    #[test]
    fn a_slow_fork_is_a_caution() {
        let slow = "rdb_bgsave_in_progress:0\nlatest_fork_usec:250000\n";
        check(slow, "last fork", Verdict::Caution, "250.0 ms");
    }

    #[test]
    fn a_primary_with_replicas_is_better_left_alone() {
        check(
            "role:master\nconnected_slaves:2\n",
            "role",
            Verdict::Caution,
            "replicas (2)",
        );
        check("role:slave\n", "role", Verdict::Good, "replica");
    }

    #[test]
    fn a_replica_without_link_gives_nothing_away() {
        let alone = "role:slave\nmaster_link_status:down\n";
        let what = "link to the primary";
        check_job(Job::Fetch, alone, what, Verdict::Stop, "no copy");
    }

    #[test]
    fn hidden_persistence_is_unknown_and_not_good() {
        check("role:master\n", "running saves", Verdict::Unknown, "hides");
    }
}
