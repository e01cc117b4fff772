//! The report of a snapshot that was read from one end to the other.

use std::path::PathBuf;

use serde_json::Value;

use crate::analysis::report::Via;
use crate::analysis::{Analysis, Circumstances};
use crate::cli::commands::analyze::PrefixArgs;
use crate::cli::output::Envelope;
use crate::cli::report::{Shown, Table, growth};
use crate::cli::{Call, Failure, Kind, Next};
use crate::engine::Perusal;
use crate::model::{Coverage, UnixMs, WalkCost, Wants, units};
use crate::snapshot::Contents;

/// How to show it, and as what.
pub struct Perused<'a> {
    pub command: &'static str,
    /// The file or the target, safe to show.
    pub name: &'a str,
    pub via: Via,
    pub cost: WalkCost,
    pub prefixes: &'a PrefixArgs,
    pub top: usize,
    pub table: Option<Table>,
    /// A report of before, and where it stands.
    pub kept: Option<&'a (PathBuf, Value)>,
}

/// What came of reading.
pub struct Read {
    pub analysis: Analysis,
    pub coverage: Coverage,
    /// The moment that times to live count from.
    pub at: UnixMs,
    pub warnings: Vec<String>,
    /// Why it was not read to its end.
    pub stopped: Option<String>,
}

impl Perused<'_> {
    /// # Errors
    /// When it was no snapshot, or could not be read to its end: what was read is printed all the same.
    pub fn print(&self, call: &Call, done: Perusal) -> Result<Next, Failure> {
        let stopped = done.fault.as_ref().map(ToString::to_string);
        if let (None, Some(why)) = (done.contents.header, &stopped) {
            return Err(Failure::new(
                Kind::No,
                format!("{}: {}: {why}", self.command, self.name),
            ));
        }
        self.print_read(
            call,
            &Read {
                coverage: coverage(&done.contents, stopped.is_none()),
                warnings: warnings(&done),
                analysis: done.analysis,
                at: done.at,
                stopped,
            },
        )
    }

    /// # Errors
    /// When it could not be read to its end: what was read is printed all the same.
    pub fn print_read(&self, call: &Call, done: &Read) -> Result<Next, Failure> {
        let stopped = done.stopped.as_deref();
        let circumstances = Circumstances {
            via: self.via,
            coverage: done.coverage,
            cost: self.cost.clone(),
            lacks: Vec::new(),
            account: None,
        };
        let report = done.analysis.report(done.at, circumstances);
        let mut answer = Shown {
            target: self.name,
            report: &report,
            wants: Wants::ALL,
            parts: &[],
            stopped,
            depth: self.prefixes.depth,
            top: self.top,
            table: self.table,
            growth: None,
        };
        let growth = match self.kept {
            None => None,
            Some((path, kept)) => Some(
                growth::between(kept, &answer.data_to_compare())
                    .map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?,
            ),
        };
        answer.growth = growth.as_ref();
        let envelope = Envelope {
            command: self.command,
            target: Some(self.name.to_owned()),
            at: done.at,
            warnings: (done.warnings.iter().cloned())
                .chain(stopped.map(|why| format!("partial: {why}")))
                .collect(),
        };
        call.output().answer(&envelope, &answer)?;
        match stopped {
            Some(why) => Err(Failure::new(
                Kind::Partial,
                format!("{}: {}: {why}", self.command, self.name),
            )),
            None => Ok(Next::Exit(0)),
        }
    }
}

pub fn coverage(contents: &Contents, is_complete: bool) -> Coverage {
    let keys = contents.keys();
    Coverage {
        seen: keys,
        of: is_complete.then_some(keys),
        is_complete,
        ..Coverage::default()
    }
}

fn warnings(done: &Perusal) -> Vec<String> {
    let mut warnings = vec!["sizes are estimates of what MEMORY USAGE would say".to_owned()];
    let expired = done.contents.expired();
    if expired > 0 {
        warnings.push(format!(
            "{} keys were over when the file was made, and are counted",
            units::count(expired)
        ));
    }
    warnings
}
