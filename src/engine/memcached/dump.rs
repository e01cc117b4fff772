//! The lines of `lru_crawler metadump`, without I/O.
//!
//! Their form grew with the versions: `OK` in front since 1.6.43, more fields and a trailing space
//! since 1.6.39. So a line is its known fields, and whatever else stands there is passed over.

use crate::engine::memcached::codec::{Refusal, number, refusal};
use crate::engine::memcached::wire::decode_uri;
use crate::text;

/// A line longer than this is no dump: a key of 250 bytes, escaped, and a dozen numbers.
const LONGEST_LINE: usize = 4 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DumpLine {
    Item(DumpItem),
    /// `OK`: items follow.
    Start,
    End,
    Refused(Refusal),
    /// Nothing we know; what it says, safe to show.
    Strange(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DumpItem {
    pub key: Vec<u8>,
    /// Second of expiry on the server's clock; `None`: never.
    pub expires: Option<i64>,
    pub size: Option<u64>,
}

/// Reads a line without its end.
pub(super) fn dump_line(line: &[u8]) -> DumpLine {
    if let Some(rest) = line.strip_prefix(b"key=") {
        return item(rest).map_or_else(|| strange(line), DumpLine::Item);
    }
    match line {
        b"END" | b"EN" => DumpLine::End,
        _ if line.starts_with(b"OK") => DumpLine::Start,
        _ => refusal(line).map_or_else(|| strange(line), DumpLine::Refused),
    }
}

fn item(line: &[u8]) -> Option<DumpItem> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut item = DumpItem {
        key: decode_uri(words.next()?),
        expires: None,
        size: None,
    };
    for word in words {
        if let Some(seconds) = word.strip_prefix(b"exp=") {
            item.expires = Some(number(seconds)?).filter(|seconds| *seconds >= 0);
        } else if let Some(size) = word.strip_prefix(b"size=") {
            item.size = number(size);
        }
    }
    Some(item)
}

fn strange(line: &[u8]) -> DumpLine {
    DumpLine::Strange(text::escape(&line[..line.len().min(60)]))
}

/// Cuts what arrives into lines. Everything that is whole is handed on at once.
#[derive(Debug, Default)]
pub(super) struct DumpReader {
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl DumpReader {
    /// Hands every whole line in `bytes` to `take`, until that says to stop.
    ///
    /// # Errors
    /// When a line does not end where one must.
    pub fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(DumpLine) -> bool) -> Result<(), ()> {
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        for piece in lines.by_ref() {
            let Some(line) = piece.strip_suffix(b"\n") else {
                self.rest.extend_from_slice(piece);
                break;
            };
            let goes_on = if self.rest.is_empty() {
                take(dump_line(trimmed(line)))
            } else {
                self.rest.extend_from_slice(line);
                let goes_on = take(dump_line(trimmed(&self.rest)));
                self.rest.clear();
                goes_on
            };
            if !goes_on {
                return Ok(());
            }
        }
        if self.rest.len() > LONGEST_LINE {
            return Err(());
        }
        Ok(())
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{DumpItem, DumpLine, DumpReader, dump_line};
    use crate::engine::memcached::codec::RefusalKind;

    fn lines(text: &str) -> Vec<DumpLine> {
        let mut whole = Vec::new();
        let mut keep = |line| {
            whole.push(line);
            true
        };
        DumpReader::default()
            .feed(text.as_bytes(), &mut keep)
            .unwrap();
        let mut pieces = Vec::new();
        let mut reader = DumpReader::default();
        for byte in text.bytes() {
            let take = |line| {
                pieces.push(line);
                true
            };
            reader.feed(&[byte], take).unwrap();
        }
        assert_eq!(whole, pieces);
        whole
    }

    fn item(key: &[u8], expires: Option<i64>, size: u64) -> DumpLine {
        DumpLine::Item(DumpItem {
            key: key.into(),
            expires,
            size: Some(size),
        })
    }

    #[test]
    fn the_dump_of_1_6_18_is_read() {
        let dump = "key=%00%FF%00%20 exp=-1 la=1795387248 cas=3 fetch=no cls=1 size=65\n\
                    key=user%3A1 exp=1795387347 la=1795387247 cas=2 fetch=yes cls=1 size=63\n\
                    END\r\n";
        let expected = [
            item(b"\x00\xff\x00 ", None, 65),
            item(b"user:1", Some(1_795_387_347), 63),
            DumpLine::End,
        ];
        assert_eq!(lines(dump), expected);
    }

    #[test]
    fn the_dump_of_1_6_45_is_read() {
        let dump = "OK\r\nkey=a exp=-1 la=1 cas=3 fetch=no cls=1 size=65 flags=5 ext_page=0 ext_offset=0 \n\
                    END\r\n";
        let expected = [DumpLine::Start, item(b"a", None, 65), DumpLine::End];
        assert_eq!(lines(dump), expected);
    }

    #[test]
    fn refusals_are_known_by_how_they_begin() {
        for (line, kind) in [
            (
                "BUSY currently processing crawler request",
                RefusalKind::Busy,
            ),
            ("CLIENT_ERROR lru crawler disabled", RefusalKind::Client),
            ("ERROR metadump not allowed", RefusalKind::Error),
            ("ERROR locked try again later", RefusalKind::Error),
            ("ERROR", RefusalKind::Error),
        ] {
            let DumpLine::Refused(refusal) = dump_line(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!((refusal.kind, refusal.words.as_str()), (kind, line));
        }
        assert!(matches!(dump_line(b"STAT x"), DumpLine::Strange(_)));
        assert!(matches!(dump_line(b"key=a exp=x"), DumpLine::Strange(_)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
        ) {
            let mut reader = DumpReader::default();
            for piece in &pieces {
                if reader.feed(piece, |_| true).is_err() {
                    break;
                }
            }
        }
    }
}
