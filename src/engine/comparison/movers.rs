//! Where the differences are: by prefixes of names, in bounded memory.

use std::collections::BTreeMap;

use crate::analysis::report::Via;
use crate::analysis::{Analysis, AnalysisAsk, Circumstances};
use crate::model::{Bytes, Coverage, Told, Ttl, UnixMs, WalkCost};
use crate::snapshot::diff::{Difference, What};

/// One analysis for what was added, removed, changed, and given another TTL.
#[derive(Debug)]
pub struct Movers([Analysis; 4]);

/// A prefix, and what is different below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Safe to show.
    pub prefix: String,
    pub depth: u32,
    /// Keys that were added, removed, changed, given another TTL.
    pub keys: [u64; 4],
    pub bytes: [u64; 4],
    /// Some of it was folded for want of memory, and is an estimate from below.
    pub is_estimate: bool,
}

impl Movers {
    pub fn new(ask: AnalysisAsk) -> Self {
        let ask = AnalysisAsk {
            budget: Bytes(ask.budget.0 / 4),
            ..ask
        };
        Self([(); 4].map(|()| Analysis::new(ask.clone())))
    }

    pub fn take(&mut self, difference: &Difference, at: UnixMs) {
        let facts = difference.after.or(difference.before);
        let told = Told {
            size: facts.map(|facts| facts.size),
            ttl: Ttl::Unknown,
            ..Told::default()
        };
        self.0[place(difference.what)].take_named(&difference.key, Some(&told), at);
    }

    /// The prefixes with the most differences.
    pub fn rows(&self, most: usize, depth: Option<u32>, at: UnixMs) -> Vec<Row> {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for (place, analysis) in self.0.iter().enumerate() {
            let circumstances = Circumstances {
                account: None,
                via: Via::Scan,
                coverage: Coverage::default(),
                cost: WalkCost::default(),
                lacks: Vec::new(),
            };
            for prefix in analysis.report(at, circumstances).prefixes {
                // A name without parts stands for itself; other leaves are in their folders.
                let is_shown = !prefix.is_leaf || prefix.depth == 1;
                if !is_shown || depth.is_some_and(|depth| prefix.depth > depth) {
                    continue;
                }
                let row = rows.entry(prefix.prefix.clone()).or_default();
                row.prefix = prefix.prefix;
                row.depth = prefix.depth;
                row.keys[place] = prefix.keys.value;
                row.bytes[place] = prefix.bytes.map_or(0, |bytes| bytes.value);
                row.is_estimate |= !prefix.keys.is_exact();
            }
        }
        let mut rows: Vec<Row> = rows.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.differences()));
        rows.truncate(most);
        rows
    }
}

/// The place of a kind of difference in a row.
fn place(what: What) -> usize {
    match what {
        What::Added => 0,
        What::Removed => 1,
        What::Changed { .. } => 2,
        What::TtlChanged => 3,
    }
}

impl Row {
    pub fn differences(&self) -> u64 {
        self.keys.iter().sum()
    }

    /// Bytes that came and bytes that went, as a person reads it: `+1.2 MiB`.
    pub fn growth(&self) -> String {
        let [added, removed, ..] = self.bytes;
        if added >= removed {
            format!("+{}", Bytes(added - removed))
        } else {
            format!("-{}", Bytes(removed - added))
        }
    }
}
