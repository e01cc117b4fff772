//! What speaks for and against a job for which the server makes a copy of itself.
//!
//! Such a job forks the server. While the copy works, every page that the server changes exists
//! twice, so memory is the first question; a large or slow fork stops all clients for its time.

mod disk;
mod judge;
mod road;

use ::redis::{Value as Wire, cmd};

use crate::engine::Fault;
use crate::engine::redis::Core;
use crate::engine::redis::fetch::Service;
use crate::engine::redis::info::Info;
use crate::engine::redis::link::command;
use crate::engine::redis::preflight::disk::Disk;
use crate::engine::redis::reply::{Refusal, Reply, bytes, strings, word};
use crate::model::{Bytes, Feature, Job, Preflight, PreflightNote, Verdict};
use crate::text;

/// What the note is called that tells whether such a job runs already.
pub const RUNNING: &str = "running saves";

pub async fn preflight(core: &Core, job: Job) -> Result<Preflight, Fault> {
    let name = order(job)[0];
    let flight = [
        cmd("INFO"),
        command(&["COMMAND", "INFO", name]),
        command(&["ACL", "WHOAMI"]),
        command(&["CONFIG", "GET", "dir"]),
        command(&["CONFIG", "GET", "dbfilename"]),
        command(&["CONFIG", "GET", "repl-diskless-sync"]),
        command(&["CONFIG", "GET", "repl-diskless-sync-delay"]),
        command(&["CONFIG", "GET", "repl-backlog-size"]),
    ];
    let replies = core.work.ask(&flight).await?.replies;
    let [info, known, who, settings @ ..] = <[Reply; 8]>::try_from(replies)
        .map_err(|_| core.work.out_of_protocol("INFO", "no reply"))?;
    let info = match info {
        Ok(reply) => Ok(Info::parse(&bytes(reply).unwrap_or_default())),
        Err(refusal) => Err(refusal.fault(core.work.place(), "INFO").to_string()),
    };
    let mut notes = vec![permission(core, job, &info, known, who).await?];
    let settings = Settings::of(settings);
    match info {
        Ok(info) => {
            notes.extend(judge::judge(&info, job));
            match job {
                Job::Fetch => notes.extend(road::notes(&info, &settings)),
                Job::Snapshot | Job::RewriteAof => {
                    let disk = Disk::of(&core.target, &info, &settings).await;
                    notes.push(disk::judge(disk, &info));
                }
            }
        }
        Err(why) => notes.push(note(Verdict::Unknown, "state of the server", why)),
    }
    Ok(Preflight { notes })
}

/// How large the snapshot on the server's disk is, where that disk is in reach.
pub async fn snapshot_size(core: &Core) -> Result<Option<Bytes>, Fault> {
    let flight = [
        command(&["INFO", "server"]),
        command(&["CONFIG", "GET", "dir"]),
        command(&["CONFIG", "GET", "dbfilename"]),
    ];
    let replies = core.work.ask(&flight).await?.replies;
    let [info, directory, file] = <[Reply; 3]>::try_from(replies)
        .map_err(|_| core.work.out_of_protocol("INFO", "no reply"))?;
    let settings = Settings {
        directory: setting(directory),
        file: setting(file),
        ..Settings::default()
    };
    let info = Info::parse(&info.ok().and_then(bytes).unwrap_or_default());
    let disk = Disk::of(&core.target, &info, &settings).await;
    Ok(disk.and_then(|disk| disk.last))
}

/// What the server is set to, as far as it tells.
#[derive(Debug, Default)]
struct Settings {
    directory: Option<String>,
    file: Option<String>,
    is_diskless: Option<bool>,
    diskless_delay: Option<u64>,
    backlog: Option<u64>,
}

impl Settings {
    /// From the replies to CONFIG GET, in the order in which they were asked for.
    fn of(replies: [Reply; 5]) -> Self {
        let [directory, file, is_diskless, delay, backlog] = replies.map(setting);
        let number = |value: Option<String>| value.and_then(|value| value.parse().ok());
        Self {
            directory,
            file,
            is_diskless: is_diskless.map(|value| value == "yes"),
            diskless_delay: number(delay),
            backlog: number(backlog),
        }
    }
}

fn setting(reply: Reply) -> Option<String> {
    let mut pair = strings(reply.ok()?)?.into_iter();
    let value = pair.nth(1)?;
    Some(String::from_utf8(value).unwrap_or_else(|bad| text::escape(bad.as_bytes())))
}

/// The command of a job.
fn order(job: Job) -> &'static [&'static str] {
    match job {
        Job::Snapshot => &["BGSAVE"],
        Job::RewriteAof => &["BGREWRITEAOF"],
        Job::Fetch => &["PSYNC", "?", "-1"],
    }
}

/// Whether the command is there, and whether this user may use it.
async fn permission(
    core: &Core,
    job: Job,
    info: &Result<Info, String>,
    known: Reply,
    who: Reply,
) -> Result<PreflightNote, Fault> {
    let (order, what) = (order(job), "permission");
    let name = order[0];
    let is_missing = match &known {
        Ok(Wire::Array(found)) => matches!(found.as_slice(), [Wire::Nil]),
        _ => false,
    };
    if is_missing {
        if job == Job::Snapshot {
            let refusal = Refusal::from_line("ERR unknown command 'BGSAVE'");
            core.known.refused(Feature::Snapshot, name, &refusal);
        }
        return Ok(note(Verdict::Stop, what, removed(name, info)));
    }
    let unknown = |why: &str| Ok(note(Verdict::Unknown, what, why.to_owned()));
    let Some(user) = who.ok().as_ref().and_then(word) else {
        return unknown("the server does not tell which user we are");
    };
    let dry_run = command(&[&["ACL", "DRYRUN", &user], order].concat());
    match core.work.ask(&[dry_run]).await?.replies.pop() {
        Some(Ok(said)) if word(&said).as_deref() == Some("OK") => {
            Ok(note(Verdict::Good, what, format!("{name} is permitted")))
        }
        Some(Ok(said)) => {
            let why = word(&said).unwrap_or_default();
            Ok(note(Verdict::Stop, what, why))
        }
        _ => unknown("the server does not tell; it shows when it is asked for"),
    }
}

fn removed(name: &str, info: &Result<Info, String>) -> String {
    let service = info.as_ref().ok().and_then(Service::of_info);
    match service {
        Some(service) => format!("{} has removed {name}: {}", service.name, service.instead),
        None => format!("the service has removed {name}; use its own snapshots"),
    }
}

fn note(verdict: Verdict, what: &str, words: String) -> PreflightNote {
    PreflightNote {
        verdict,
        what: what.to_owned(),
        words,
    }
}
