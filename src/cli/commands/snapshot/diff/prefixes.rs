//! Where the differences are: by prefixes of names, in bounded memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::analysis::report::Via;
use crate::analysis::{Analysis, AnalysisAsk, Circumstances};
use crate::model::{Bytes, Coverage, Key, Told, UnixMs, WalkCost, WalkKey, units};
use crate::snapshot::diff::{Difference, What};

/// One analysis for what was added, removed, changed, and given another TTL.
pub struct Movers([Analysis; 4]);

/// A prefix, and what is different below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Safe to show.
    prefix: String,
    keys: [u64; 4],
    bytes: [u64; 4],
    /// Some of it was folded for want of memory, and is an estimate from below.
    is_estimate: bool,
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
        let place = match difference.what {
            What::Added => 0,
            What::Removed => 1,
            What::Changed { .. } => 2,
            What::TtlChanged => 3,
        };
        let facts = difference.after.or(difference.before);
        let key = WalkKey {
            key: Key::new(difference.key.as_slice()),
            told: Some(Told {
                size: facts.map(|facts| facts.size),
                ..Told::default()
            }),
        };
        self.0[place].take(&key, at);
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
                row.keys[place] = prefix.keys.value;
                row.bytes[place] = prefix.bytes.map_or(0, |bytes| bytes.value);
                row.is_estimate |= !prefix.keys.is_exact();
            }
        }
        let mut rows: Vec<Row> = rows.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.keys.iter().sum::<u64>()));
        rows.truncate(most);
        rows
    }
}

impl Row {
    pub fn record(&self) -> Value {
        let [added, removed, changed, ttl_changed] = self.keys;
        let [added_bytes, removed_bytes, changed_bytes, _] = self.bytes;
        json!({
            "prefix": self.prefix,
            "added": added,
            "removed": removed,
            "changed": changed,
            "ttl_changed": ttl_changed,
            "added_bytes": added_bytes,
            "removed_bytes": removed_bytes,
            "changed_bytes": changed_bytes,
            "exact": !self.is_estimate,
        })
    }

    pub fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.prefix.clone()];
        cells.extend(self.keys.iter().map(|keys| units::count(*keys)));
        let [added, removed, ..] = self.bytes;
        cells.push(if added >= removed {
            format!("+{}", Bytes(added - removed))
        } else {
            format!("-{}", Bytes(removed - added))
        });
        cells
    }
}
