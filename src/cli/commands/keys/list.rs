//! What passed the filters: printed at once, or kept for sorting and for one document.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::commands::keys::row::{Columns, sheet};
use crate::cli::commands::keys::{KeysArgs, Sort};
use crate::cli::output::{Answer, Envelope, Look, Output, Paint, Sheet};
use crate::cli::progress::{Progress, seen};
use crate::cli::{Failure, Format};
use crate::model::{Bytes, Coverage, Key, Lack, Ttl, UnixMs, WalkCost, WalkKey, WalkPage, units};
use crate::text;

pub struct List {
    output: Output,
    columns: Columns,
    /// Rows that wait for the end; `None` when they are printed on the way.
    kept: Option<Kept>,
    printed: usize,
    sort: Option<Sort>,
    limit: usize,
    is_anew: bool,
    pub coverage: Coverage,
    pub lacks: Vec<Lack>,
    pub progress: Progress,
}

#[derive(Default)]
struct Kept {
    rows: Vec<WalkKey>,
    names: HashSet<Key>,
    /// How many passed, those included that the limit left out.
    passed: usize,
}

impl List {
    pub fn new(args: &KeysArgs, output: Output) -> Self {
        let is_kept = args.format_needs_all(output.format());
        Self {
            columns: match (args.names, args.shows_idle()) {
                (true, _) => Columns::Names,
                (false, true) => Columns::WithIdle,
                (false, false) => Columns::Facts,
            },
            kept: is_kept.then(Kept::default),
            printed: 0,
            sort: args.sort,
            limit: args.limit.unwrap_or(usize::MAX),
            is_anew: false,
            coverage: Coverage::default(),
            lacks: Vec::new(),
            progress: Progress::beside_results(),
            output,
        }
    }

    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    pub fn is_full(&self) -> bool {
        let many = self
            .kept
            .as_ref()
            .map_or(self.printed, |kept| kept.rows.len());
        self.sort.is_none() && many >= self.limit
    }

    pub fn page_began(&mut self, page: &WalkPage) {
        self.coverage = page.coverage;
        self.lacks.clone_from(&page.lacks);
        if page.is_anew {
            // Kept rows can be thrown away; what was printed is there.
            self.is_anew |= self.printed > 0;
            if let Some(kept) = &mut self.kept {
                *kept = Kept::default();
            }
        }
    }

    pub fn page_ended(&mut self, cost: &WalkCost) -> Result<(), Failure> {
        self.progress.show(&self.coverage, cost);
        if self.kept.is_none() && self.columns != Columns::Names {
            self.output.flush()?;
        }
        Ok(())
    }

    pub fn take(&mut self, row: WalkKey, now: UnixMs) -> Result<(), Failure> {
        if self.limit == 0 {
            return Ok(());
        }
        let Some(kept) = &mut self.kept else {
            self.print(&row, now)?;
            self.printed += 1;
            return Ok(());
        };
        if !kept.names.insert(row.key.clone()) {
            return Ok(());
        }
        kept.passed += 1;
        kept.rows.push(row);
        // Sorting now and then keeps a short list of a huge keyspace short in memory, too.
        if kept.rows.len() >= self.limit.saturating_mul(2).saturating_add(10_000) {
            kept.cut(self.sort, self.limit);
        }
        Ok(())
    }

    fn print(&mut self, row: &WalkKey, now: UnixMs) -> Result<(), Failure> {
        match self.output.format() {
            Format::Ndjson => {
                let record = self.columns.record(row, now, &self.lacks);
                self.output.record(&record)
            }
            Format::Csv => {
                let sheet = sheet(self.columns, std::slice::from_ref(row), now);
                self.output.sheet(&sheet, self.printed == 0)
            }
            _ if self.columns == Columns::Names => self.output.line(&text::shown(row.key.bytes())),
            _ => {
                if self.printed == 0 {
                    let heading = self.columns.heading();
                    let look = self.output.look();
                    self.output.line(&look.paint(Paint::Heading, &heading))?;
                }
                self.output.line(&self.columns.line(row, now))
            }
        }
    }

    /// Prints what was kept, and says on stderr how much was seen.
    pub fn finish(mut self, mut envelope: Envelope) -> Result<(), Failure> {
        envelope.warnings.extend(self.warnings());
        let (shown, passed) = match self.kept.take() {
            None => {
                for warning in &envelope.warnings {
                    eprintln!("warning: {warning}");
                }
                (self.printed, self.printed)
            }
            Some(mut kept) => {
                let passed = kept.passed;
                kept.cut(self.sort, self.limit);
                let found = Found {
                    rows: &kept.rows,
                    now: envelope.at,
                    coverage: self.coverage,
                    lacks: &self.lacks,
                    passed,
                    columns: self.columns,
                };
                self.output.answer(&envelope, &found)?;
                (kept.rows.len(), passed)
            }
        };
        self.output.flush()?;
        if !matches!(self.output.format(), Format::Json | Format::Yaml) {
            eprintln!("note: {}", note(shown, passed, &self.coverage));
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let lacks = self.lacks.iter();
        let mut warnings: Vec<String> = lacks
            .map(|lack| format!("{} is not known: {}", lack.what, lack.why))
            .collect();
        if self.coverage.not_kept > 0 {
            let many = units::count(self.coverage.not_kept);
            warnings.push(format!("{many} keys were not kept"));
        }
        if self.is_anew {
            warnings.push(
                "the server was restarted or emptied on the way, and the walk began anew: \
                 some keys above are of the time before"
                    .to_owned(),
            );
        }
        warnings
    }
}

impl Kept {
    fn cut(&mut self, sort: Option<Sort>, limit: usize) {
        if let Some(sort) = sort {
            self.rows.sort_by(|a, b| order(sort, a, b));
        }
        self.rows.truncate(limit);
    }
}

fn order(sort: Sort, a: &WalkKey, b: &WalkKey) -> Ordering {
    let by = match sort {
        Sort::Name => Ordering::Equal,
        Sort::Size => size_of(b).cmp(&size_of(a)),
        Sort::Idle => idle_of(b).cmp(&idle_of(a)),
        Sort::Ttl => end_of(a).cmp(&end_of(b)),
    };
    by.then_with(|| a.key.cmp(&b.key))
}

fn size_of(row: &WalkKey) -> Option<Bytes> {
    row.told.as_ref()?.size
}

fn idle_of(row: &WalkKey) -> Option<Duration> {
    row.told.as_ref()?.idle
}

/// The soonest first, then what never ends, then what is not known.
fn end_of(row: &WalkKey) -> (u8, UnixMs) {
    match row.told.as_ref().map(|told| told.ttl) {
        Some(Ttl::Until(end)) => (0, end),
        Some(Ttl::None) => (1, UnixMs(0)),
        Some(Ttl::Unknown) | None => (2, UnixMs(0)),
    }
}

/// The list as one answer.
struct Found<'a> {
    rows: &'a [WalkKey],
    now: UnixMs,
    coverage: Coverage,
    lacks: &'a [Lack],
    passed: usize,
    columns: Columns,
}

impl Answer for Found<'_> {
    fn data(&self) -> Value {
        json!({
            "keys": self.records(),
            "matched": self.passed,
            "exact": self.coverage.is_complete,
            "coverage": {
                "seen": self.coverage.seen,
                "of": self.coverage.of,
                "is_filtered": self.coverage.is_filtered,
                "is_complete": self.coverage.is_complete,
            },
        })
    }

    fn records(&self) -> Vec<Value> {
        let rows = self.rows.iter();
        rows.map(|row| self.columns.record(row, self.now, self.lacks))
            .collect()
    }

    fn sheet(&self) -> Sheet {
        sheet(self.columns, self.rows, self.now)
    }

    fn text(&self, look: Look) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() && self.columns != Columns::Names {
            text = look.paint(Paint::Heading, &self.columns.heading()) + "\n";
        }
        for row in self.rows {
            text.push_str(&self.columns.line(row, self.now));
            text.push('\n');
        }
        text
    }
}

fn note(shown: usize, passed: usize, coverage: &Coverage) -> String {
    let keys = |many: usize| units::count(many as u64);
    let what = if shown < passed {
        format!("{} of {} matching keys", keys(shown), keys(passed))
    } else if shown == 1 {
        "1 key".to_owned()
    } else {
        format!("{} keys", keys(shown))
    };
    if coverage.is_complete {
        return format!("{what}; all of the keyspace was seen");
    }
    format!("{what}; {}", seen(coverage))
}
