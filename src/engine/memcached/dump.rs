//! The lines of `lru_crawler metadump`, without I/O.
//!
//! Their form grew with the versions: `OK` in front since 1.6.43, more fields and a trailing space
//! since 1.6.39. So a line is its known fields, and whatever else stands there is passed over. Lines
//! come by the million, so they are read where they stand: nothing is copied out of them.

use crate::engine::memcached::codec::{Refusal, refusal};
use crate::text;

/// A line longer than this is no dump: a key of 250 bytes, escaped, and a dozen numbers.
const LONGEST_LINE: usize = 4 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DumpLine<'a> {
    Item(DumpItem<'a>),
    /// `OK`: items follow.
    Start,
    End,
    Refused(Refusal),
    /// Nothing we know; what it says, safe to show.
    Strange(String),
}

/// An item as the crawler tells it, in seconds of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DumpItem<'a> {
    /// Escaped as in a URI.
    pub key: &'a [u8],
    /// `None`: never.
    pub expires: Option<i64>,
    /// The last access that moved the item in its queue. The server spares itself most of these moves,
    /// so an item may have been used later than this, never earlier.
    pub accessed: Option<i64>,
    pub cas: Option<u64>,
    pub class: Option<u8>,
    pub size: Option<u64>,
}

/// Reads a line without its end.
pub(super) fn dump_line(line: &[u8]) -> DumpLine<'_> {
    if let Some(rest) = line.strip_prefix(b"key=") {
        return item(rest).map_or_else(|| strange(line), DumpLine::Item);
    }
    match line {
        b"END" | b"EN" => DumpLine::End,
        _ if line.starts_with(b"OK") => DumpLine::Start,
        _ => refusal(line).map_or_else(|| strange(line), DumpLine::Refused),
    }
}

fn item(line: &[u8]) -> Option<DumpItem<'_>> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut item = DumpItem {
        key: words.next()?,
        expires: None,
        accessed: None,
        cas: None,
        class: None,
        size: None,
    };
    for word in words {
        if let Some(seconds) = word.strip_prefix(b"exp=") {
            item.expires = Some(number(seconds)?).filter(|seconds| *seconds >= 0);
        } else if let Some(seconds) = word.strip_prefix(b"la=") {
            item.accessed = number(seconds);
        } else if let Some(cas) = word.strip_prefix(b"cas=") {
            item.cas = unsigned(cas);
        } else if let Some(class) = word.strip_prefix(b"cls=") {
            item.class = number(class).and_then(|class| class.try_into().ok());
        } else if let Some(size) = word.strip_prefix(b"size=") {
            item.size = number(size).and_then(|size| size.try_into().ok());
        }
    }
    Some(item)
}

fn number(word: &[u8]) -> Option<i64> {
    let (sign, digits) = match word {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        number.checked_mul(10)?.checked_add(sign * digit)
    })
}

/// A CAS takes all 64 bits.
fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn strange(line: &[u8]) -> DumpLine<'_> {
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
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(DumpLine<'_>) -> bool,
    ) -> Result<(), ()> {
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

    use super::{DumpLine, DumpReader, dump_line};
    use crate::engine::memcached::codec::RefusalKind;

    fn lines(text: &str) -> Vec<String> {
        let read = |pieces: std::slice::Chunks<u8>| {
            let mut lines = Vec::new();
            let mut reader = DumpReader::default();
            for piece in pieces {
                let take = |line: DumpLine| {
                    lines.push(words(&line));
                    true
                };
                reader.feed(piece, take).unwrap();
            }
            lines
        };
        let whole = read(text.as_bytes().chunks(text.len()));
        assert_eq!(whole, read(text.as_bytes().chunks(1)));
        whole
    }

    fn words(line: &DumpLine) -> String {
        match line {
            DumpLine::Item(item) => format!(
                "{} ends {:?} seen {:?} cas {:?} class {:?} size {:?}",
                item.key.escape_ascii(),
                item.expires,
                item.accessed,
                item.cas,
                item.class,
                item.size
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_dump_of_1_6_18_is_read() {
        let dump = "key=%00%FF%00%20 exp=-1 la=1795387248 cas=3 fetch=no cls=1 size=65\n\
                    key=user%3A1 exp=1795387347 la=1795387247 cas=2 fetch=yes cls=12 size=63\n\
                    END\r\n";
        let expected = [
            "%00%FF%00%20 ends None seen Some(1795387248) cas Some(3) class Some(1) size Some(65)",
            "user%3A1 ends Some(1795387347) seen Some(1795387247) cas Some(2) class Some(12) size Some(63)",
            "End",
        ];
        assert_eq!(lines(dump), expected);
    }

    #[test]
    fn the_dump_of_1_6_45_is_read() {
        let dump = "OK\r\nkey=a exp=-1 la=1 cas=3 fetch=no cls=1 size=65 flags=5 ext_page=0 ext_offset=0 \n\
                    END\r\n";
        let item = "a ends None seen Some(1) cas Some(3) class Some(1) size Some(65)";
        assert_eq!(lines(dump), ["Start", item, "End"]);
    }

    #[test]
    fn what_an_item_does_not_tell_is_unknown() {
        let item = "a ends None seen None cas None class None size None";
        assert_eq!(lines("key=a size=-3 cls=999 la= x=1\n"), [item]);
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
