//! The side of a snapshot file: every key with the digest of its value.

use std::io::Read;

use crate::model::{Bytes, Glob, KeyKind, UnixMs};
use crate::snapshot::SnapshotError;
use crate::snapshot::diff::{Facts, Record, Side, digest_value};
use crate::snapshot::rdb::{self, KeyHead, Reader};

/// What to take of a snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotAsk {
    pub pattern: Option<Glob>,
    /// Only this database.
    pub database: Option<u32>,
    /// Keys and fields that have expired at this moment are left out.
    pub at: UnixMs,
}

/// A side, and what is not in it.
#[derive(Debug, Default)]
pub struct FromSnapshot {
    pub side: Side,
    /// Keys that have expired.
    pub expired: u64,
    /// Fields of hashes that have expired.
    pub expired_fields: u64,
}

/// When a snapshot was made, by its own word. Reads no further than its keys.
///
/// # Errors
/// When it is no snapshot.
pub fn made_at<R: Read>(from: R) -> Result<Option<UnixMs>, SnapshotError> {
    let mut reader = Reader::new(from)?;
    while let rdb::Record::Fact { name, value } = reader.next()? {
        if name == b"ctime" {
            let seconds = str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
            return Ok(seconds
                .and_then(|seconds: i64| seconds.checked_mul(1_000))
                .map(UnixMs));
        }
    }
    Ok(None)
}

/// Reads a snapshot to its end.
///
/// # Errors
/// When it cannot be read, or the temporary file of the side cannot be written.
pub fn side_of_snapshot<R: Read>(
    from: R,
    ask: &SnapshotAsk,
) -> Result<FromSnapshot, SnapshotError> {
    let mut reader = Reader::new(from)?;
    let mut taken = FromSnapshot::default();
    loop {
        match reader.next()? {
            rdb::Record::Key(head) => {
                if !ask.wants(head) {
                    continue;
                }
                if head.is_expired(ask.at) {
                    taken.expired += 1;
                    continue;
                }
            }
            rdb::Record::End(_) => return Ok(taken),
            _ => continue,
        }
        let value = digest_value(&mut reader, ask.at)?;
        taken.expired_fields += value.expired_fields;
        let head = reader.head();
        let record = Record {
            space: head.db,
            key: &head.name,
            facts: Facts {
                kind: kind_number(&head.kind),
                ends: head.ends,
                size: Bytes(head.name.len() as u64 + value.bytes.0),
            },
            digest: value.digest,
        };
        let at = reader.offset();
        let took = taken.side.take(&record);
        took.map_err(|error| SnapshotError::Io { at, error })?;
    }
}

impl SnapshotAsk {
    fn wants(&self, head: &KeyHead) -> bool {
        self.database.is_none_or(|database| head.db == database)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&head.name))
    }
}

const KINDS: [KeyKind; 6] = [
    KeyKind::String,
    KeyKind::List,
    KeyKind::Set,
    KeyKind::SortedSet,
    KeyKind::Hash,
    KeyKind::Stream,
];

/// The number that stands for a type on a side; types of modules have high ones.
pub fn kind_number(kind: &KeyKind) -> u32 {
    let known = KINDS.iter().position(|one| one == kind);
    let known = known.and_then(|place| u32::try_from(place).ok());
    known.unwrap_or_else(|| {
        let name = super::digest(kind.word().as_bytes()).to_le_bytes();
        u32::from_le_bytes([name[0], name[1], name[2], name[3] | 0x80])
    })
}

/// The server's word for it.
pub fn kind_word(number: u32) -> &'static str {
    let place = usize::try_from(number).ok();
    let kind = place.and_then(|place| KINDS.get(place));
    kind.map_or("module", |kind| match kind {
        KeyKind::String => "string",
        KeyKind::List => "list",
        KeyKind::Set => "set",
        KeyKind::SortedSet => "zset",
        KeyKind::Hash => "hash",
        _ => "stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::diff::{DiffAsk, join};

    const FILE: &[u8] = b"REDIS0004\xfa\x05ctime\xc0\x07\xfe\x00\0\x01a\x01x\xfe\x02\xfc\xe8\x03\0\0\0\0\0\0\0\x01b\x01y\xff";

    fn taken(pattern: Option<&str>, database: Option<u32>, at: i64) -> FromSnapshot {
        let ask = SnapshotAsk {
            pattern: pattern.map(|pattern| Glob::new(pattern.as_bytes())),
            database,
            at: UnixMs(at),
        };
        side_of_snapshot(FILE, &ask).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        for (pattern, database, at, keys, expired) in [
            (None, None, 0, 2, 0),
            (None, None, 2_000, 1, 1),
            (Some("b"), None, 0, 1, 0),
            (None, Some(2), 0, 1, 0),
            (None, Some(1), 0, 0, 0),
        ] {
            let taken = taken(pattern, database, at);
            assert_eq!((taken.side.keys(), taken.expired), (keys, expired));
        }
        assert_eq!(made_at(FILE).unwrap(), Some(UnixMs(7_000)));
    }

    #[test]
    fn a_file_is_the_same_as_itself() {
        let (one, other) = (taken(None, None, 0), taken(None, None, 0));
        let tally = join(&one.side, &other.side, DiffAsk::default(), |_| {
            std::ops::ControlFlow::Continue(())
        });
        assert_eq!(tally.unwrap().same.keys, 2);
    }

    #[test]
    fn types_have_numbers_of_their_own() {
        for kind in KINDS {
            assert_eq!(kind_word(kind_number(&kind)), kind.word());
        }
        let module = kind_number(&KeyKind::Other("ReJSON-RL".into()));
        assert_eq!(kind_word(module), "module");
    }
}
