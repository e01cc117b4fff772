//! Checking a file of Memcached items.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::commands::snapshot::opening::Opened;
use crate::cli::output::{Answer, Envelope, Look};
use crate::cli::{Call, Failure, Kind, Next, output};
use crate::model::{Bytes, UnixMs, units};
use crate::snapshot::items::{End, Header, ItemsError, Reader};
use crate::text;

/// What was read of a whole file.
#[derive(Debug, Default)]
struct Checked {
    header: Header,
    end: End,
    file_bytes: u64,
    value_bytes: u64,
    with_ttl: u64,
    expired: u64,
    stale: u64,
    largest: u64,
}

pub fn run(call: &mut Call, path: &Path, opened: Opened) -> Result<Next, Failure> {
    let Opened { shown, source, .. } = opened;
    let at = now();
    let checked = check(source, at)
        .map_err(|error| Failure::new(Kind::No, format!("snapshot verify: {shown}: {error}")))?;
    let envelope = Envelope {
        command: "snapshot verify",
        target: Some(shown),
        at,
        warnings: Vec::new(),
    };
    let answer = Answered {
        path,
        checked: &checked,
    };
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

fn check(source: impl Read, at: UnixMs) -> Result<Checked, ItemsError> {
    let mut reader = Reader::new(source)?;
    let header = reader.header().clone();
    let ahead = header.clock_ahead_ms.unwrap_or(0);
    let mut checked = Checked {
        header,
        ..Checked::default()
    };
    while let Some(block) = reader.block()? {
        // A block that was read holds only items that can be read.
        for item in block.iter().flatten() {
            let ends = item.facts.expires.map(|second| second.moment().0 + ahead);
            checked.with_ttl += u64::from(ends.is_some());
            checked.expired += u64::from(ends.is_some_and(|ends| ends <= at.0));
            checked.stale += u64::from(item.facts.marks.is_stale);
            checked.value_bytes += item.value.len() as u64;
            checked.largest = checked.largest.max(item.value.len() as u64);
        }
    }
    checked.file_bytes = reader.at();
    checked.end = reader.end().copied().unwrap_or_default();
    Ok(checked)
}

struct Answered<'a> {
    path: &'a Path,
    checked: &'a Checked,
}

impl Answer for Answered<'_> {
    fn data(&self) -> Value {
        let Checked { header, end, .. } = self.checked;
        let mut data = json!({
            "file": output::bytes(self.path.as_os_str().as_encoded_bytes()),
            "form": "memcached-items",
            "is_whole": true,
            "is_one_moment": false,
            "server": header.place,
            "server_version": header.version,
            "began_at": header.began.map(units::rfc3339),
            "ended_at": end.ended.map(units::rfc3339),
            "clock_ahead_ms": header.clock_ahead_ms,
            "items_at_first": header.items,
            "items": end.items,
            "value_bytes": self.checked.value_bytes,
            "file_bytes": self.checked.file_bytes,
            "blocks": end.blocks,
            "largest_bytes": self.checked.largest,
            "with_ttl": self.checked.with_ttl,
            "expired": self.checked.expired,
            "stale": self.checked.stale,
            "changed": end.changed,
            "gone": end.gone,
            "left_out": end.left_out,
            "may_miss": header.may_miss,
        });
        crate::cli::unknown::explain(&mut data, "the file does not say it");
        data
    }

    fn text(&self, _: Look) -> String {
        let checked = self.checked;
        let Checked { header, end, .. } = checked;
        let count = units::count;
        let mut lines = vec![
            (
                "file",
                format!(
                    "whole: {} items, {} in {} blocks ({} as a file)",
                    count(end.items),
                    Bytes(checked.value_bytes),
                    count(end.blocks),
                    Bytes(checked.file_bytes),
                ),
            ),
            (
                "from",
                format!("{}, Memcached {}", header.place, header.version),
            ),
        ];
        if let Some(began) = header.began {
            lines.push(("taken", units::rfc3339(began)));
        }
        lines.push((
            "ttl",
            format!(
                "{} with one, {} of them over by now",
                count(checked.with_ttl),
                count(checked.expired)
            ),
        ));
        lines.push(("largest", Bytes(checked.largest).to_string()));
        for (many, what) in [
            (checked.stale, "marked as stale"),
            (end.changed, "changed while they were taken"),
            (end.gone, "gone before they could be taken"),
            (end.left_out, "left out"),
        ] {
            if many > 0 {
                lines.push(("", format!("{} {what}", count(many))));
            }
        }
        if header.may_miss {
            lines.push(("", "listed by queues: items may be missing".to_owned()));
        }
        lines.push((
            "",
            "not one moment of the cache: each item is as it was when it was asked for".to_owned(),
        ));
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(label, words)| format!("{}  {words}", text::pad(label, 7)))
            .collect();
        lines.join("\n") + "\n"
    }
}
