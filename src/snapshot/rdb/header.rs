//! How a snapshot begins: whose format it is, and which version.

use std::io::Read;

use crate::snapshot::SnapshotError;
use crate::snapshot::items;
use crate::snapshot::rdb::source::Source;
use crate::snapshot::rdb::{Flavour, Header, NEWEST_REDIS, NEWEST_VALKEY, Objects};
use crate::text;

/// Formats from this one on come from servers that keep names in their objects.
const NAMES_WITHIN_SINCE: u32 = 13;

impl Header {
    /// That of a format, as far as the format tells.
    pub fn of(flavour: Flavour, version: u32) -> Self {
        let objects = match flavour {
            Flavour::Redis if version < NAMES_WITHIN_SINCE => Objects::Apart,
            Flavour::Redis => Objects::OneLine,
            Flavour::Valkey => Objects::TwoLines,
        };
        Self {
            flavour,
            version,
            objects,
        }
    }

    /// Takes in what the server that wrote it says of itself. Some versions share their format with
    /// others that keep their keys in another way.
    pub(super) fn learn(&mut self, name: &[u8], value: &[u8]) {
        let since = match (self.flavour, name) {
            (Flavour::Redis, b"redis-ver") => [8, 2],
            (Flavour::Redis, b"valkey-ver") => [8, 1],
            _ => return,
        };
        if version(value).is_some_and(|version| version >= since) {
            self.objects = Objects::OneLine;
        }
    }
}

/// The first two numbers of `8.6.2`.
fn version(text: &[u8]) -> Option<[u32; 2]> {
    let mut parts = str::from_utf8(text).ok()?.split('.');
    let mut next = || parts.next()?.parse().ok();
    Some([next()?, next()?])
}

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
    Ok(Header::of(flavour, version))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_keys_are_kept_is_known_by_the_version() {
        let objects = |flavour, format, name: &str, version: &str| {
            let mut header = Header::of(flavour, format);
            header.learn(name.as_bytes(), version.as_bytes());
            header.objects
        };
        let redis = |format, version| objects(Flavour::Redis, format, "redis-ver", version);
        assert_eq!(redis(11, "7.4.1"), Objects::Apart);
        assert_eq!(redis(12, "8.0.2"), Objects::Apart);
        assert_eq!(redis(12, "8.2.0"), Objects::OneLine);
        assert_eq!(redis(12, "10.0"), Objects::OneLine);
        assert_eq!(redis(13, "255.255.255"), Objects::OneLine);
        assert_eq!(redis(11, "nonsense"), Objects::Apart);
        let valkey = |format, version| objects(Flavour::Redis, format, "valkey-ver", version);
        assert_eq!(valkey(11, "8.0.1"), Objects::Apart);
        assert_eq!(valkey(11, "8.1.1"), Objects::OneLine);
        let latest = objects(Flavour::Valkey, 80, "valkey-ver", "9.0.0");
        assert_eq!(latest, Objects::TwoLines);
    }
}
