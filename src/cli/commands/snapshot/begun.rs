//! What is said of something that the server writes in the background.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::output::{Answer, Look, Paint};
use crate::cli::{Call, Failure, Kind, Next, Visit, facts, unknown};
use crate::model::{Preflight, SnapshotState, Verdict, units};
use crate::text;

pub fn preflight_lines(preflight: &Preflight) -> String {
    let mut lines = String::new();
    for note in &preflight.notes {
        let (verdict, what) = (verdict(note.verdict), &note.what);
        let (verdict, what) = (text::pad(verdict, 8), text::pad(what, 18));
        writeln!(lines, "{verdict}  {what}  {}", note.words).expect("a string takes everything");
    }
    lines
}

/// The same for JSON.
pub fn preflight_notes(preflight: &Preflight) -> Value {
    let notes = preflight.notes.iter().map(|note| {
        json!({
            "verdict": verdict(note.verdict),
            "what": note.what,
            "words": note.words,
        })
    });
    notes.collect()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Unknown => "unknown",
        Verdict::Caution => "caution",
        Verdict::Stop => "stop",
    }
}

pub struct Begun<'a> {
    /// What is written.
    pub noun: &'static str,
    pub state: &'a SnapshotState,
    /// We asked for it, and not somebody else.
    pub is_ours: bool,
    pub preflight: &'a Preflight,
}

impl Begun<'_> {
    /// Prints it, and says how the command ends.
    ///
    /// # Errors
    /// When it failed, or nothing can be printed.
    pub fn print(
        &self,
        call: &Call,
        visit: &Visit,
        command: &'static str,
    ) -> Result<Next, Failure> {
        let envelope = call.envelope(command, visit, Vec::new());
        call.output().answer(&envelope, self)?;
        match self.state {
            SnapshotState::Failed { why } => Err(Failure::new(
                Kind::No,
                format!("{command} on {}: {why}", visit.target.name),
            )),
            _ => Ok(Next::Exit(0)),
        }
    }

    /// `snapshot written`, `append-only file rewritten`
    fn done(&self) -> String {
        let verb = if self.noun == "snapshot" {
            "written"
        } else {
            "rewritten"
        };
        format!("{} {verb}", self.noun)
    }
}

impl Answer for Begun<'_> {
    fn data(&self) -> Value {
        let (state, progress, at, took) = match self.state {
            SnapshotState::Idle => ("idle", None, None, None),
            SnapshotState::Scheduled => ("scheduled", None, None, None),
            SnapshotState::Running { progress, .. } => ("running", *progress, None, None),
            SnapshotState::Done { at, took } => ("ok", None, Some(*at), *took),
            SnapshotState::Failed { .. } => ("failed", None, None, None),
        };
        let mut data = json!({
            "state": state,
            "is_ours": self.is_ours,
            "progress": progress,
            "last_success_at": at.map(units::rfc3339),
            "took_s": took.map(facts::seconds),
            "preflight": preflight_notes(self.preflight),
        });
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn text(&self, look: Look) -> String {
        let noun = self.noun;
        let words = match self.state {
            SnapshotState::Running { .. } if !self.is_ours => {
                format!("{noun}: {}", super::follow::words(self.state))
            }
            SnapshotState::Idle | SnapshotState::Running { .. } => {
                format!("{noun} accepted; `snapshot status` tells how it goes")
            }
            SnapshotState::Scheduled => {
                format!("{noun} accepted; it begins when what the server does now has ended")
            }
            SnapshotState::Done { took, .. } => match took {
                Some(took) => format!("{} in {}", self.done(), units::span(*took)),
                None => self.done(),
            },
            SnapshotState::Failed { .. } => look.paint(Paint::Danger, &format!("{noun} failed")),
        };
        words + "\n"
    }
}
