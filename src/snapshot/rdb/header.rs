//! How a snapshot begins: whose format it is, and which version.

use std::io::Read;

use crate::snapshot::SnapshotError;
use crate::snapshot::items;
use crate::snapshot::rdb::source::Source;
use crate::snapshot::rdb::{Flavour, Header, NEWEST_REDIS, NEWEST_VALKEY};
use crate::text;

/// # Errors
/// When it is no snapshot, or of a version that is not known.
pub fn read<R: Read>(source: &mut Source<R>) -> Result<Header, SnapshotError> {
    const EXPECTED: &str = "REDIS or VALKEY and a version";
    let start = source.peek(9)?.to_vec();
    let (flavour, digits, most) = if let Some(digits) = start.strip_prefix(b"REDIS") {
        (Flavour::Redis, digits, NEWEST_REDIS)
    } else if let Some(digits) = start.strip_prefix(b"VALKEY") {
        (Flavour::Valkey, digits, NEWEST_VALKEY)
    } else if !start.is_empty()
        && start.len() < 9
        && (b"REDIS".starts_with(&start) || b"VALKEY".starts_with(&start))
    {
        return Err(source.cut(EXPECTED));
    } else {
        return Err(not_a_snapshot(&start));
    };
    if start.len() < 9 {
        return Err(source.cut(EXPECTED));
    }
    let version = str::from_utf8(digits)
        .ok()
        .filter(|_| digits.iter().all(u8::is_ascii_digit));
    let version: u32 = version
        .and_then(|digits| digits.parse().ok())
        .filter(|version| *version > 0)
        .ok_or_else(|| not_a_snapshot(&start))?;
    if version > most {
        return Err(SnapshotError::Future {
            flavour,
            version,
            most,
        });
    }
    source.skip(9, EXPECTED)?;
    Ok(Header { flavour, version })
}

fn not_a_snapshot(start: &[u8]) -> SnapshotError {
    if start.starts_with(items::MAGIC) {
        return SnapshotError::Items;
    }
    let found = if start.is_empty() {
        "nothing".to_owned()
    } else {
        text::escape(start)
    };
    SnapshotError::NotASnapshot { found }
}
