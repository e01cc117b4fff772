//! What speaks for and against a snapshot now.
//!
//! A snapshot forks the server. While the copy writes, every page that the server changes exists
//! twice, so memory is the first question; a large or slow fork stops all clients for its time.

use std::time::Duration;

use ::redis::{Value as Wire, cmd};

use crate::engine::Fault;
use crate::engine::redis::Core;
use crate::engine::redis::info::Info;
use crate::engine::redis::link::command;
use crate::engine::redis::reply::{Refusal, Reply, bytes, word};
use crate::engine::redis::sample::{identity, persistence};
use crate::model::{
    Bytes, Feature, Persistence, Preflight, PreflightNote, Role, SaveStatus, Verdict, units,
};

/// A fork that took longer was felt by clients.
const SLOW_FORK: Duration = Duration::from_millis(100);
/// Under writes, this part of the dataset may exist twice.
const COPIED: f64 = 0.5;

pub async fn preflight(core: &Core) -> Result<Preflight, Fault> {
    let flight = [
        cmd("INFO"),
        command(&["COMMAND", "INFO", "BGSAVE"]),
        command(&["ACL", "WHOAMI"]),
    ];
    let replies = core.work.ask(&flight).await?.replies;
    let [info, bgsave, who] = <[Reply; 3]>::try_from(replies)
        .map_err(|_| core.work.out_of_protocol("INFO", "no reply"))?;
    let mut notes = vec![permission(core, bgsave, who).await?];
    match info {
        Ok(reply) => {
            let info = Info::parse(&bytes(reply).unwrap_or_default());
            notes.extend(judge(&info));
        }
        Err(refusal) => {
            let why = refusal.fault(core.work.place(), "INFO").to_string();
            notes.push(note(Verdict::Unknown, "state of the server", why));
        }
    }
    Ok(Preflight { notes })
}

/// Whether the command is there, and whether this user may use it.
async fn permission(core: &Core, bgsave: Reply, who: Reply) -> Result<PreflightNote, Fault> {
    let is_missing = match &bgsave {
        Ok(Wire::Array(found)) => matches!(found.as_slice(), [Wire::Nil]),
        _ => false,
    };
    if is_missing {
        let refusal = Refusal::from_line("ERR unknown command 'BGSAVE'");
        core.known.refused(Feature::Snapshot, "BGSAVE", &refusal);
        let why = "the service has removed BGSAVE; use its own snapshots".to_owned();
        return Ok(note(Verdict::Stop, "permission", why));
    }
    let unknown = |why: &str| Ok(note(Verdict::Unknown, "permission", why.to_owned()));
    let Some(user) = who.ok().as_ref().and_then(word) else {
        return unknown("the server does not tell which user we are");
    };
    let dry_run = command(&["ACL", "DRYRUN", &user, "BGSAVE"]);
    match core.work.ask(&[dry_run]).await?.replies.pop() {
        Some(Ok(said)) if word(&said).as_deref() == Some("OK") => Ok(note(
            Verdict::Good,
            "permission",
            "BGSAVE is permitted".to_owned(),
        )),
        Some(Ok(said)) => {
            let why = word(&said).unwrap_or_default();
            Ok(note(Verdict::Stop, "permission", why))
        }
        _ => unknown("the server does not tell; it shows when the snapshot is asked for"),
    }
}

/// Everything that `INFO` tells about a snapshot now.
fn judge(info: &Info) -> Vec<PreflightNote> {
    let mut notes = Vec::new();
    if let Some(persistence) = persistence(info) {
        notes.push(running(&persistence));
        notes.extend(last_fork(&persistence));
        notes.push(last_save(&persistence));
        notes.extend(changes(&persistence));
    } else {
        let why = "the service hides its persistence; use its own snapshots".to_owned();
        notes.push(note(Verdict::Unknown, "running saves", why));
    }
    notes.push(headroom(info));
    notes.extend(place(info));
    let why = "the server does not tell how full its disk is".to_owned();
    notes.push(note(Verdict::Unknown, "disk", why));
    notes
}

fn running(persistence: &Persistence) -> PreflightNote {
    let what = "running saves";
    let rewrites = persistence.aof.as_ref().is_some_and(|aof| aof.is_rewriting);
    let (verdict, words) = if persistence.is_loading {
        (Verdict::Stop, "the server is still loading its dataset")
    } else if persistence.is_saving {
        (Verdict::Stop, "a snapshot is being written already")
    } else if rewrites {
        (
            Verdict::Stop,
            "the append-only file is being rewritten; wait for it",
        )
    } else {
        (Verdict::Good, "none")
    };
    note(verdict, what, words.to_owned())
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

fn changes(persistence: &Persistence) -> Option<PreflightNote> {
    let changes = persistence.changes_since_save?;
    let words = format!(
        "{} changes are not in a snapshot yet",
        units::count(changes)
    );
    Some(note(Verdict::Good, "changes", words))
}

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
    let is_tight = (free.0 as f64) < used.0 as f64 * COPIED;
    let words =
        format!("{used} used; at most {free} of {system} are free for pages written meanwhile");
    note(
        if is_tight {
            Verdict::Caution
        } else {
            Verdict::Good
        },
        what,
        words,
    )
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

fn note(verdict: Verdict, what: &str, words: String) -> PreflightNote {
    PreflightNote {
        verdict,
        what: what.to_owned(),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(info: &str, what: &str, verdict: Verdict, words: &str) {
        let notes = judge(&Info::parse(info.as_bytes()));
        let note = notes.iter().find(|note| note.what == what).expect(what);
        assert_eq!(note.verdict, verdict, "{note:?}");
        assert!(note.words.contains(words), "{note:?}");
    }

    #[test]
    fn a_running_save_stops_another() {
        let saves = "rdb_bgsave_in_progress:1\n";
        check(saves, "running saves", Verdict::Stop, "being written");
        let rewrites = "rdb_bgsave_in_progress:0\naof_enabled:1\naof_rewrite_in_progress:1\n";
        check(rewrites, "running saves", Verdict::Stop, "rewritten");
        let loads = "rdb_bgsave_in_progress:0\nloading:1\n";
        check(loads, "running saves", Verdict::Stop, "loading");
        check(
            "rdb_bgsave_in_progress:0\n",
            "running saves",
            Verdict::Good,
            "none",
        );
    }

    #[test]
    fn little_free_memory_is_a_caution() {
        let tight = "used_memory:8000\nused_memory_rss:9000\ntotal_system_memory:10000\n";
        check(tight, "memory headroom", Verdict::Caution, "free");
        let ample = "used_memory:1000\nused_memory_rss:2000\ntotal_system_memory:10000\n";
        check(ample, "memory headroom", Verdict::Good, "free");
        check(
            "used_memory:1000\n",
            "memory headroom",
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
    fn hidden_persistence_is_unknown_and_not_good() {
        check("role:master\n", "running saves", Verdict::Unknown, "hides");
    }
}
