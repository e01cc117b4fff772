//! One key as a line, a record or the cells of a sheet.

use serde_json::{Map, Value, json};

use crate::cli::facts;
use crate::cli::output::{Sheet, bytes};
use crate::model::{Lack, Told, Ttl, UnixMs, WalkKey, units};
use crate::text;

/// Which facts of a key are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    Names,
    Facts,
    WithIdle,
}

impl Columns {
    pub fn heading(self) -> String {
        self.placed("TYPE", "TTL", "SIZE", "IDLE", "KEY")
    }

    /// The key comes last, so that no width needs to be known beforehand.
    pub fn line(self, row: &WalkKey, now: UnixMs) -> String {
        let name = text::shown(row.key.bytes());
        let Some(told) = &row.told else {
            return self.placed("?", "?", "?", "?", &name);
        };
        let unknown = || "?".to_owned();
        let kind = told
            .kind
            .as_ref()
            .map_or_else(unknown, |kind| text::escape(kind.word().as_bytes()));
        let size = told.size.map_or_else(unknown, |size| size.to_string());
        let idle = told.idle.map_or_else(unknown, units::span);
        self.placed(&kind, &ttl_words(told.ttl, now), &size, &idle, &name)
    }

    fn placed(self, kind: &str, ttl: &str, size: &str, idle: &str, key: &str) -> String {
        if self == Self::Names {
            return key.to_owned();
        }
        let idle = match self {
            Self::WithIdle => text::pad_left(idle, 9) + "  ",
            _ => String::new(),
        };
        format!(
            "{}  {}  {}  {idle}{key}",
            text::pad(kind, 8),
            text::pad_left(ttl, 9),
            text::pad_left(size, 9),
        )
    }

    pub fn record(self, row: &WalkKey, now: UnixMs, lacks: &[Lack]) -> Value {
        if self == Self::Names {
            return json!({ "key": bytes(row.key.bytes()) });
        }
        record(row, now, self == Self::WithIdle, lacks)
    }
}

const NOT_SAID: &str = "the server would not say";

fn record(row: &WalkKey, now: UnixMs, asked_idle: bool, lacks: &[Lack]) -> Value {
    let unknown = Told::default();
    let told = row.told.as_ref().unwrap_or(&unknown);
    let mut record = json!({
        "key": bytes(row.key.bytes()),
        "type": told.kind.as_ref().map(crate::model::KeyKind::word),
        "ttl_ms": facts::ttl_ms(told.ttl, now),
        "size_bytes": told.size,
        "idle_s": told.idle.map(facts::seconds),
    });
    let idle = if asked_idle {
        NOT_SAID
    } else {
        "not asked: --idle or --sort idle asks"
    };
    let missing = [
        ("type", "type", told.kind.is_none(), NOT_SAID),
        ("ttl_ms", "ttl", told.ttl == Ttl::Unknown, NOT_SAID),
        ("size_bytes", "size", told.size.is_none(), NOT_SAID),
        ("idle_s", "idle", told.idle.is_none(), idle),
    ];
    let unsupported: Map<String, Value> = missing
        .into_iter()
        .filter(|(_, _, is_missing, _)| *is_missing)
        .map(|(field, what, _, general)| {
            let lack = lacks.iter().find(|lack| lack.what == what);
            let why = lack.map_or(general, |lack| lack.why.as_str());
            (field.to_owned(), why.into())
        })
        .collect();
    if !unsupported.is_empty() {
        record["unsupported"] = Value::Object(unsupported);
    }
    record
}

/// Keys in the escape grammar, whatever their bytes.
pub fn sheet(columns: Columns, rows: &[WalkKey], now: UnixMs) -> Sheet {
    let header: &[&str] = match columns {
        Columns::Names => &["key"],
        _ => &["key", "type", "ttl_ms", "size_bytes", "idle_s"],
    };
    let records: Vec<Value> = rows
        .iter()
        .map(|row| columns.record(row, now, &[]))
        .collect();
    let mut sheet = Sheet::of_records(header, &records);
    for (cells, row) in sheet.rows.iter_mut().zip(rows) {
        cells[0] = text::escape(row.key.bytes());
    }
    sheet
}

/// A TTL as lists show it.
pub fn ttl_words(ttl: Ttl, now: UnixMs) -> String {
    match (ttl, ttl.left(now)) {
        (_, Some(left)) => units::span(left),
        (Ttl::None, _) => "none".to_owned(),
        _ => "?".to_owned(),
    }
}
