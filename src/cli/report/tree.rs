//! Prefixes as a tree: what `tree` prints, and the table of prefixes in a report.

use clap::ValueEnum;
use serde_json::Value;

use crate::analysis::report::PrefixRow;
use crate::cli::output::{Answer, Look, Paint, Sheet};
use crate::cli::report::sections::{bytes, keys, ratio, share, unknown};
use crate::cli::report::{Shown, Table, json, sheets};
use crate::model::units;

const BAR: u8 = 12;

/// What comes first among the children of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    Keys,
    Bytes,
    Name,
}

/// A report looked at as a tree.
#[derive(Debug)]
pub struct Tree<'a> {
    pub shown: Shown<'a>,
    pub order: Order,
    pub limit: usize,
}

impl Tree<'_> {
    /// The rows in their order: each prefix stands before what is below it.
    fn rows(&self) -> Vec<&PrefixRow> {
        let deepest = self.shown.depth.unwrap_or(u32::MAX);
        let rows = self.shown.report.prefixes.iter();
        let mut rows: Vec<&PrefixRow> = rows.filter(|row| row.depth <= deepest).collect();
        sort(&mut rows, self.order);
        rows
    }
}

impl Answer for Tree<'_> {
    fn data(&self) -> Value {
        let mut whole = json::data(&self.shown);
        let knows_ttls = self.shown.knows_ttls();
        let rows = self.rows().into_iter().take(self.limit);
        let rows: Vec<Value> = rows.map(|row| json::prefix_row(row, knows_ttls)).collect();
        let mut data = serde_json::Map::new();
        data.insert("prefixes".to_owned(), rows.into());
        for field in ["keys", "bytes", "exact", "prefix_error", "coverage", "cost"] {
            let value = whole[field].take();
            if field != "prefix_error" || !value.is_null() {
                data.insert(field.to_owned(), value);
            }
        }
        let mut data = Value::Object(data);
        crate::cli::unknown::explain_by(&mut data, |path| json::why(&self.shown, path));
        data
    }

    fn records(&self) -> Vec<Value> {
        let knows_ttls = self.shown.knows_ttls();
        let rows = self.rows().into_iter().take(self.limit);
        rows.map(|row| {
            let mut record = json::prefix_row(row, knows_ttls);
            crate::cli::unknown::explain_by(&mut record, |path| json::why(&self.shown, path));
            record
        })
        .collect()
    }

    fn sheet(&self) -> Sheet {
        let mut records: Vec<Value> = self.records();
        records.iter_mut().for_each(sheets::flatten);
        Sheet::of_records(sheets::columns(Table::Prefixes), &records)
    }

    fn text(&self, look: Look) -> String {
        let rows = self.rows();
        let shown = &rows[..rows.len().min(self.limit)];
        let mut text = table(shown, &self.shown, look);
        if let Some(why) = self.shown.stopped {
            text.push_str(&look.paint(Paint::Caution, &format!("PARTIAL: {why}\n")));
        }
        text
    }
}

/// Sorts brothers and sisters, and keeps children behind their parents.
fn sort(rows: &mut Vec<&PrefixRow>, order: Order) {
    let mut sorted = Vec::with_capacity(rows.len());
    let mut open: Vec<Vec<&PrefixRow>> = vec![level(rows, "", 1, order)];
    while let Some(last) = open.last_mut() {
        match last.pop() {
            None => {
                open.pop();
            }
            Some(row) => {
                sorted.push(row);
                if !row.is_leaf {
                    open.push(level(rows, &row.prefix, row.depth + 1, order));
                }
            }
        }
    }
    *rows = sorted;
}

/// The children of a prefix, the first one last.
fn level<'a>(rows: &[&'a PrefixRow], parent: &str, depth: u32, order: Order) -> Vec<&'a PrefixRow> {
    let mut level: Vec<&PrefixRow> = rows
        .iter()
        .copied()
        .filter(|row| row.depth == depth && row.prefix.starts_with(parent))
        .collect();
    level.sort_by(|one, other| {
        let by = match order {
            Order::Keys => one.keys.value.cmp(&other.keys.value),
            Order::Bytes => {
                let of = |row: &PrefixRow| row.bytes.map(|bytes| bytes.value);
                of(one).cmp(&of(other))
            }
            Order::Name => std::cmp::Ordering::Equal,
        };
        by.then_with(|| other.prefix.cmp(&one.prefix))
    });
    level
}

/// Prefixes under each other, with what is below them moved to the right.
pub fn table(rows: &[&PrefixRow], shown: &Shown, look: Look) -> String {
    let all = shown.report.keys.value;
    let knows_ttls = shown.knows_ttls();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let indent = "  ".repeat(row.depth.saturating_sub(1) as usize);
            vec![
                format!("{indent}{}", row.prefix),
                keys(row.keys),
                share(row.keys, all),
                row.bytes.map_or_else(unknown, bytes),
                if knows_ttls {
                    share(row.without_ttl, row.keys.value)
                } else {
                    unknown()
                },
                row.ttl_p50_s.map_or_else(String::new, |seconds| {
                    units::span_short(std::time::Duration::from_secs(seconds))
                }),
                look.bar(ratio(row.keys.value, all), BAR),
            ]
        })
        .collect();
    look.table(
        &[
            "PREFIX", ">KEYS", ">SHARE", ">BYTES", ">NO TTL", ">TTL P50", "",
        ],
        &rows,
    )
}
