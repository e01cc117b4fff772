//! The report of a keyspace in every form: sections with bars, JSON, tables for CSV and records.
//!
//! What is estimated carries a `~` and its interval on the screen, `"exact": false` and
//! `NAME_interval` in JSON, and `NAME_low` and `NAME_high` in CSV.

mod account;
pub mod growth;
mod json;
mod sections;
mod sheets;
mod tree;

use clap::ValueEnum;
use serde_json::Value;

use crate::analysis::Report;
use crate::analysis::report::Via;
use crate::cli::output::{Answer, Look, Sheet};
use crate::model::{Coverage, Lack, Wants};

pub use sections::{ratio, unknown};
pub use tree::{Order, Tree};

/// A report, with what was asked for and how it came about.
#[derive(Debug)]
pub struct Shown<'a> {
    pub target: &'a str,
    pub report: &'a Report,
    /// What was asked of every key.
    pub wants: Wants,
    /// How much of each target was seen, where there are several.
    pub parts: &'a [Part],
    /// Why it is no report of all.
    pub stopped: Option<&'a str>,
    /// How deep prefixes go; `None` is what fits the form.
    pub depth: Option<u32>,
    /// Rows of a list on the screen.
    pub top: usize,
    /// The one table that was asked for.
    pub table: Option<Table>,
    /// What changed since a report that was kept.
    pub growth: Option<&'a Value>,
}

/// One of several targets.
#[derive(Debug)]
pub struct Part {
    pub target: String,
    pub coverage: Coverage,
}

/// The tables of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    Prefixes,
    Types,
    Encodings,
    Sizes,
    Ttl,
    Usage,
    Biggest,
    Longest,
    Idlest,
}

impl Shown<'_> {
    /// Depth of prefixes on the screen: more of it is a tree's business.
    const SCREEN_DEPTH: u32 = 3;

    /// What a later report is compared with.
    pub fn data_to_compare(&self) -> Value {
        json::data(self)
    }

    /// Why something is unknown that a report could hold.
    fn lack(&self, what: &str) -> Option<&Lack> {
        // Idle times and frequencies are two answers to one question.
        self.report
            .lacks
            .iter()
            .find(|lack| lack.what == what || (what == "idle" && lack.what == "frequency"))
    }

    fn is_asked(&self, what: &str) -> bool {
        match what {
            "type" => self.wants.kind,
            "ttl" => self.wants.ttl,
            "size" => self.wants.size,
            "idle" => self.wants.usage,
            "encoding" => self.wants.encoding,
            "elements" => self.wants.length,
            _ => true,
        }
    }

    /// Why a figure of this kind is not there.
    fn why_not(&self, what: &str, else_why: &str) -> String {
        match self.lack(what) {
            Some(lack) => lack.why.clone(),
            None if !self.is_asked(what) => format!("not asked: --ask {} asks", flag_word(what)),
            None => else_why.to_owned(),
        }
    }

    /// Whether TTLs are known of any key, so that a count of those without one means something.
    fn knows_ttls(&self) -> bool {
        let ttl = &self.report.ttl;
        ttl.unknown == 0 || ttl.with.value + ttl.without.value > 0
    }

    fn is_exact(&self) -> bool {
        let report = self.report;
        matches!(report.via, Via::Scan | Via::Rdb)
            && report.coverage.is_complete
            && report.keys.is_exact()
            && report.prefix_error.is_none()
    }
}

/// The word of `--ask` for the word of a report.
fn flag_word(what: &str) -> &str {
    match what {
        "idle" => "usage",
        "elements" => "length",
        other => other,
    }
}

impl Answer for Shown<'_> {
    fn data(&self) -> Value {
        json::data(self)
    }

    fn records(&self) -> Vec<Value> {
        sheets::records(self, self.table.unwrap_or(Table::Prefixes))
    }

    fn sheet(&self) -> Sheet {
        sheets::sheet(self, self.table.unwrap_or(Table::Prefixes))
    }

    fn text(&self, look: Look) -> String {
        sections::text(self, look)
    }
}
