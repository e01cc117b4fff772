//! `snapshot status`: where snapshots stand.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::commands::snapshot::follow;
use crate::cli::output::{Answer, Look};
use crate::cli::overview::snapshot_words;
use crate::cli::{Call, Failure, Kind, Next, Visit, facts, unknown};
use crate::engine::Backend;
use crate::model::{Feature, Persistence, Sample, SaveStatus, UnixMs, units};
use crate::text;

/// Print whether a snapshot is being written, and how the last one went
///
/// In JSON `state` is `running`, `failed`, `ok`, or `idle` when there was none
/// since the server started.
///
/// Example:
///
///     $ cachedeck snapshot status
///     snapshot       last good one 3m 04s ago
///     took           2s
///     changes since  1,204
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct StatusArgs {}

pub fn args(command: clap::Command) -> clap::Command {
    StatusArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let visit = call.visit()?;
    let sample = call.ask(&visit, visit.server.sample())?;
    let answer = Status {
        now: sample.at,
        persistence: &persistence("snapshot status", &visit, &sample)?,
    };
    follow::observe(follow::saves(call).as_ref(), &visit, &sample);
    let envelope = call.envelope("snapshot status", &visit, Vec::new());
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

/// What a server without snapshots answers with.
///
/// # Errors
/// When there is nothing to know.
pub fn persistence(command: &str, visit: &Visit, sample: &Sample) -> Result<Persistence, Failure> {
    if sample.persistence.is_none() {
        unknown::refused(command, &visit.target.name, sample)?;
    }
    sample.persistence.clone().ok_or_else(|| {
        let why = match visit.server.features().need(Feature::Snapshot) {
            Err(missing) => missing.0.clone(),
            Ok(()) => "the server says nothing of its snapshots".to_owned(),
        };
        Failure::new(
            Kind::No,
            format!("{command} on {}: {why}", visit.target.name),
        )
    })
}

struct Status<'a> {
    now: UnixMs,
    persistence: &'a Persistence,
}

impl Answer for Status<'_> {
    fn data(&self) -> Value {
        let mut data = json!({ "state": state(self.persistence) });
        let all = facts::persistence(self.persistence);
        if let (Some(data), Value::Object(all)) = (data.as_object_mut(), all) {
            data.extend(all);
        }
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn text(&self, look: Look) -> String {
        let all = self.persistence;
        let lines = [
            ("snapshot", Some(snapshot_words(all, self.now, look))),
            ("took", all.last_duration.map(units::span)),
            ("changes since", all.changes_since_save.map(units::count)),
            ("last fork", all.last_fork.map(units::span)),
            ("copied", all.last_cow.map(|bytes| bytes.to_string())),
        ];
        lines
            .into_iter()
            .filter_map(|(label, value)| Some(format!("{}  {}\n", text::pad(label, 13), value?)))
            .collect()
    }
}

fn state(persistence: &Persistence) -> &'static str {
    match (persistence.is_saving, persistence.last_status) {
        (true, _) => "running",
        (false, Some(SaveStatus::Failed)) => "failed",
        (false, _) if persistence.last_save.is_some() => "ok",
        _ => "idle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(is_saving: bool, status: Option<SaveStatus>, last_save: Option<i64>) -> &'static str {
        state(&Persistence {
            is_saving,
            last_status: status,
            last_save: last_save.map(UnixMs),
            ..Persistence::default()
        })
    }

    #[test]
    fn a_running_snapshot_says_so_whatever_the_last_one_did() {
        assert_eq!(with(true, Some(SaveStatus::Failed), None), "running");
        assert_eq!(with(false, Some(SaveStatus::Failed), Some(1)), "failed");
        assert_eq!(with(false, Some(SaveStatus::Ok), Some(1)), "ok");
        // A fresh server says `ok` of a snapshot that never was.
        assert_eq!(with(false, Some(SaveStatus::Ok), None), "idle");
    }
}
