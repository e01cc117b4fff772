//! What changed since a report that was kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::cli::output::{Look, Paint};
use crate::model::{Bytes, units};

/// Rows of a list on the screen.
const ROWS: usize = 20;

/// Compares the data of a kept report with that of a new one.
///
/// # Errors
/// Why the kept one is no such report.
pub fn between(kept: &Value, new: &Value) -> Result<Value, String> {
    let is_ours = kept["schema"] == "cachedeck/v1/analyze" && kept["data"]["prefixes"].is_array();
    if !is_ours {
        return Err("it is not what `analyze -o json` prints".to_owned());
    }
    let before = &kept["data"];
    let exact = |data: &Value| data["exact"].as_bool().unwrap_or(false);
    Ok(json!({
        "since": kept["at"],
        "exact": exact(before) && exact(new),
        "keys": change(&before["keys"], &new["keys"]),
        "bytes": change(&before["bytes"], &new["bytes"]),
        "types": rows(&before["types"], &new["types"], "type"),
        "prefixes": rows(&before["prefixes"], &new["prefixes"], "prefix"),
    }))
}

fn change(before: &Value, after: &Value) -> Value {
    json!({"before": before, "after": after})
}

/// Every row that changed, the largest change of bytes first. What is on one side only was or is 0.
fn rows(before: &Value, after: &Value, name: &str) -> Vec<Value> {
    let mut found: BTreeMap<String, [(u64, Option<u64>); 2]> = BTreeMap::new();
    for (side, list) in [before, after].into_iter().enumerate() {
        for row in list.as_array().into_iter().flatten() {
            // A folder and a key of the same name are two rows.
            let mark = if row["is_leaf"] == json!(true) {
                "key"
            } else {
                ""
            };
            let name = row[name].as_str().unwrap_or_default();
            let both = found
                .entry(format!("{name}\n{mark}"))
                .or_insert([(0, Some(0)); 2]);
            both[side] = (row["keys"].as_u64().unwrap_or(0), row["bytes"].as_u64());
        }
    }
    let mut rows: Vec<(u64, u64, Value)> = found
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|(row, [before, after])| {
            let bytes = before
                .1
                .zip(after.1)
                .map_or(0, |(before, after)| after.abs_diff(before));
            let mut record = Map::new();
            record.insert(name.to_owned(), row.split('\n').next().into());
            record.insert("keys_before".to_owned(), before.0.into());
            record.insert("keys".to_owned(), after.0.into());
            record.insert("bytes_before".to_owned(), before.1.into());
            record.insert("bytes".to_owned(), after.1.into());
            (bytes, after.0.abs_diff(before.0), record.into())
        })
        .collect();
    rows.sort_by_key(|(bytes, keys, _)| std::cmp::Reverse((*bytes, *keys)));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

pub fn text(growth: &Value, text: &mut String, look: Look) {
    let since = growth["since"].as_str().unwrap_or("?");
    let heading = format!("CHANGED SINCE {}", crate::text::escape(since.as_bytes()));
    let heading = look.paint(Paint::Heading, &heading);
    text.extend(["\n", &heading, "\n"]);
    if growth["exact"] != json!(true) {
        text.push_str("one of the two is an estimate: small changes mean nothing\n");
    }
    let none = Vec::new();
    let rows = growth["prefixes"].as_array().unwrap_or(&none);
    if rows.is_empty() {
        text.push_str("nothing\n");
        return;
    }
    let cells = rows.iter().take(ROWS).map(|row| {
        let number = |field: &str| row[field].as_u64();
        vec![
            row["prefix"].as_str().unwrap_or_default().to_owned(),
            signed(number("keys_before"), number("keys"), units::count),
            number("keys").map_or("?".to_owned(), units::count),
            signed(number("bytes_before"), number("bytes"), |bytes| {
                Bytes(bytes).to_string()
            }),
            number("bytes").map_or("?".to_owned(), |bytes| Bytes(bytes).to_string()),
        ]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    let headings = ["PREFIX", ">KEYS ±", ">KEYS", ">BYTES ±", ">BYTES"];
    text.push_str(&look.table(&headings, &cells));
    if rows.len() > ROWS {
        let more = units::count((rows.len() - ROWS) as u64);
        text.extend(["and ", &more, " more; -o json prints them all\n"]);
    }
}

fn signed(before: Option<u64>, after: Option<u64>, words: impl Fn(u64) -> String) -> String {
    match before.zip(after) {
        None => "?".to_owned(),
        Some((before, after)) if after >= before => format!("+{}", words(after - before)),
        Some((before, after)) => format!("-{}", words(before - after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(prefixes: &Value) -> Value {
        json!({
            "schema": "cachedeck/v1/analyze",
            "at": "2026-11-01T00:00:00Z",
            "data": {"keys": 3, "bytes": 30, "exact": true, "types": [], "prefixes": prefixes},
        })
    }

    #[test]
    fn what_grew_most_comes_first_and_what_stayed_is_left_out() {
        let row = |prefix: &str, keys: u64, bytes: u64| json!({"prefix": prefix, "keys": keys, "bytes": bytes});
        let before = report(&json!([
            row("a:", 1, 10),
            row("b:", 5, 50),
            row("gone:", 1, 7)
        ]));
        let after = report(&json!([
            row("a:", 1, 10),
            row("b:", 9, 40),
            row("new:", 2, 900)
        ]));
        let growth = between(&before, &after["data"]).expect("two reports");
        let names: Vec<&str> = growth["prefixes"]
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| row["prefix"].as_str())
            .collect();
        assert_eq!(names, ["new:", "b:", "gone:"]);
        assert_eq!(growth["prefixes"][1]["keys_before"], 5);
        let mut page = String::new();
        text(&growth, &mut page, Look::plain());
        assert!(page.contains("-10 B"), "{page}");
    }

    #[test]
    fn only_a_report_can_be_compared() {
        assert!(between(&json!({"data": {}}), &json!({})).is_err());
    }
}
