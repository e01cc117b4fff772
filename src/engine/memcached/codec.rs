//! Memcached's replies, without I/O: bytes in, whole replies out.
//!
//! The protocol does not say which reply belongs to which command, so whoever reads names the shape
//! that is due. An error line may stand in for any of them.

use crate::text;

/// A line longer than this is not Memcached's: its longest carry a key of 250 bytes, escaped.
const LONGEST_LINE: usize = 16 << 10;

/// What a reply looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One line.
    Line,
    /// `STAT name value` … `END`.
    Stats,
    /// `VALUE key flags bytes cas` and the bytes, … `END`.
    Values,
    /// One line; after `VA n` the `n` bytes.
    Meta,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Line(Vec<u8>),
    /// Names and values, safe to show.
    Stats(Vec<(String, String)>),
    Values(Vec<Item>),
    Meta {
        /// The line with its length token, as the server said it.
        header: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    Refused(Refusal),
}

/// An item as `gets` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub flags: u32,
    pub cas: Option<u64>,
    pub value: Vec<u8>,
}

/// An error line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub kind: RefusalKind,
    /// The whole line, safe to show.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// `ERROR`: the server does not know the command, or forbids it with a word behind.
    Error,
    Client,
    Server,
    /// The crawler works for somebody else.
    Busy,
    BadClass,
}

/// Why the bytes are no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Not what was due; the beginning of it, safe to show.
    Garbled(String),
    /// Larger than allowed.
    TooLarge,
}

/// Cuts what arrives into replies. Keeps its place between calls, so nothing is read twice.
#[derive(Debug)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// What is already used up.
    at: usize,
    /// Where the search for the end of a line goes on.
    searched: usize,
    limit: usize,
    rows: Vec<(String, String)>,
    items: Vec<Item>,
}

impl Decoder {
    /// A decoder that keeps at most `limit` bytes of unread reply.
    pub fn new(limit: u64) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            searched: 0,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            rows: Vec::new(),
            items: Vec::new(),
        }
    }

    pub fn feed(&mut self, more: &[u8]) {
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.searched -= self.at;
            self.at = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    /// Whether everything that arrived was used.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len() && self.rows.is_empty() && self.items.is_empty()
    }

    /// The next reply of this shape; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes cannot be such a reply. The decoder is of no use then.
    pub fn next(&mut self, shape: Shape) -> Result<Option<Reply>, Broken> {
        let reply = match shape {
            Shape::Line => self.line()?.map(|line| {
                let line = line.to_vec();
                refusal(&line).map_or(Reply::Line(line), Reply::Refused)
            }),
            Shape::Stats => self.stats()?,
            Shape::Values => self.values()?,
            Shape::Meta => self.meta()?,
        };
        if reply.is_none() && self.bytes.len() - self.at > self.limit {
            return Err(Broken::TooLarge);
        }
        Ok(reply)
    }

    fn stats(&mut self) -> Result<Option<Reply>, Broken> {
        loop {
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            if line == b"END" {
                return Ok(Some(Reply::Stats(std::mem::take(&mut self.rows))));
            }
            if let Some(refused) = refusal(line) {
                self.rows.clear();
                return Ok(Some(Reply::Refused(refused)));
            }
            let Some(row) = line.strip_prefix(b"STAT ") else {
                return Err(garbled(line));
            };
            let split = row.iter().position(|&byte| byte == b' ');
            let (name, value) = row.split_at(split.unwrap_or(row.len()));
            let value = match value.strip_prefix(b" ").unwrap_or(value) {
                // Nothing is said of it: that is no name that needs a visible sign.
                b"" => String::new(),
                said => text::escape(said),
            };
            let row = (text::escape(name), value);
            self.rows.push(row);
        }
    }

    fn values(&mut self) -> Result<Option<Reply>, Broken> {
        loop {
            let start = self.at;
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            if line == b"END" {
                return Ok(Some(Reply::Values(std::mem::take(&mut self.items))));
            }
            if let Some(refused) = refusal(line) {
                self.items.clear();
                return Ok(Some(Reply::Refused(refused)));
            }
            let Some((flags, length, cas)) = value_header(line) else {
                return Err(garbled(line));
            };
            let Some(value) = self.block(start, length)? else {
                return Ok(None);
            };
            self.items.push(Item { flags, cas, value });
        }
    }

    fn meta(&mut self) -> Result<Option<Reply>, Broken> {
        let start = self.at;
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        if let Some(refused) = refusal(line) {
            return Ok(Some(Reply::Refused(refused)));
        }
        let header = line.to_vec();
        let value = match length_after_va(&header)? {
            None => None,
            Some(length) => match self.block(start, length)? {
                None => return Ok(None),
                some => some,
            },
        };
        Ok(Some(Reply::Meta { header, value }))
    }

    /// The next line without its end; `None` when it has not come whole.
    fn line(&mut self) -> Result<Option<&[u8]>, Broken> {
        let from = self.searched.max(self.at);
        let Some(end) = self.bytes[from..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            let unread = &self.bytes[self.at..];
            return if unread.len() > LONGEST_LINE {
                Err(garbled(unread))
            } else {
                Ok(None)
            };
        };
        let end = from + end;
        let line = &self.bytes[self.at..end];
        self.at = end + 1;
        self.searched = self.at;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// The data block after a header line that began at `start`; goes back there when it has not
    /// come whole.
    fn block(&mut self, start: usize, length: usize) -> Result<Option<Vec<u8>>, Broken> {
        if length > self.limit {
            return Err(Broken::TooLarge);
        }
        let rest = &self.bytes[self.at..];
        if rest.len() < length + 2 {
            self.at = start;
            self.searched = start;
            return Ok(None);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(garbled(&rest[length..]));
        }
        let block = rest[..length].to_vec();
        self.at += length + 2;
        self.searched = self.at;
        Ok(Some(block))
    }
}

/// The error that a line tells, if it is one. Servers differ in the words, so only how it begins
/// counts.
pub(super) fn refusal(line: &[u8]) -> Option<Refusal> {
    const BEGINNINGS: [(&[u8], RefusalKind); 5] = [
        (b"ERROR", RefusalKind::Error),
        (b"CLIENT_ERROR", RefusalKind::Client),
        (b"SERVER_ERROR", RefusalKind::Server),
        (b"BUSY", RefusalKind::Busy),
        (b"BADCLASS", RefusalKind::BadClass),
    ];
    let (_, kind) = BEGINNINGS
        .into_iter()
        .find(|(beginning, _)| line.starts_with(beginning))?;
    let words = text::escape(&line[..line.len().min(200)]);
    Some(Refusal { kind, words })
}

/// `VALUE key flags bytes [cas]`.
fn value_header(line: &[u8]) -> Option<(u32, usize, Option<u64>)> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&byte| byte == b' ');
    words.next()?;
    let flags = number(words.next()?)?;
    let length = number(words.next()?)?;
    let cas = match words.next() {
        None | Some(b"") => None,
        Some(cas) => Some(number(cas)?),
    };
    Some((flags, length, cas))
}

fn length_after_va(header: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(rest) = header.strip_prefix(b"VA ") else {
        return Ok(None);
    };
    let word = rest.split(|&byte| byte == b' ').next().unwrap_or_default();
    number(word).map(Some).ok_or_else(|| garbled(header))
}

/// A number written in ASCII.
pub(super) fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn garbled(bytes: &[u8]) -> Broken {
    Broken::Garbled(text::escape(&bytes[..bytes.len().min(60)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{Broken, Decoder, Item, RefusalKind, Reply, Shape};

    const SHAPES: [Shape; 4] = [Shape::Line, Shape::Stats, Shape::Values, Shape::Meta];

    /// The replies in `bytes`, fed whole and fed byte by byte: both must be the same.
    fn decode(bytes: &[u8], shapes: &[Shape]) -> Result<Vec<Reply>, Broken> {
        let run = |pieces: std::slice::Chunks<u8>| {
            let mut decoder = Decoder::new(1 << 20);
            let mut due = shapes.iter();
            let mut shape = due.next();
            let mut replies = Vec::new();
            for piece in pieces {
                decoder.feed(piece);
                while let Some(&now) = shape {
                    match decoder.next(now)? {
                        None => break,
                        Some(reply) => replies.push(reply),
                    }
                    shape = due.next();
                }
            }
            Ok(replies)
        };
        let whole = run(bytes.chunks(bytes.len().max(1)));
        assert_eq!(whole, run(bytes.chunks(1)));
        whole
    }

    fn words(reply: &Reply) -> String {
        match reply {
            Reply::Refused(refusal) => format!("{:?}: {}", refusal.kind, refusal.words),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_flight_of_different_shapes_comes_apart() {
        let replies = decode(
            b"VERSION 1.6.18\r\nSTAT pid 7\r\nSTAT libevent 2.1 stable\r\nSTAT empty \r\nEND\r\n\
              VALUE k 5 3 9\r\na\nb\r\nEND\r\nVA 2 s2 f0\r\n\r\n\r\nHD t-1\r\nEN\r\n",
            &[
                Shape::Line,
                Shape::Stats,
                Shape::Values,
                Shape::Meta,
                Shape::Meta,
                Shape::Meta,
            ],
        )
        .unwrap();
        let stat = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let meta = |header: &str, value: Option<&[u8]>| Reply::Meta {
            header: header.into(),
            value: value.map(Into::into),
        };
        assert_eq!(
            replies,
            [
                Reply::Line(b"VERSION 1.6.18".into()),
                Reply::Stats(vec![
                    stat("pid", "7"),
                    stat("libevent", "2.1 stable"),
                    stat("empty", "")
                ]),
                Reply::Values(vec![Item {
                    flags: 5,
                    cas: Some(9),
                    value: b"a\nb".into()
                }]),
                meta("VA 2 s2 f0", Some(b"\r\n")),
                meta("HD t-1", None),
                meta("EN", None),
            ]
        );
    }

    #[test]
    fn an_error_line_stands_in_for_any_reply() {
        for (line, kind) in [
            ("ERROR", RefusalKind::Error),
            ("ERROR metadump not allowed", RefusalKind::Error),
            ("ERROR: shutdown not enabled", RefusalKind::Error),
            ("CLIENT_ERROR unauthenticated", RefusalKind::Client),
            ("SERVER_ERROR out of memory", RefusalKind::Server),
            (
                "BUSY currently processing crawler request",
                RefusalKind::Busy,
            ),
            ("BADCLASS invalid class id", RefusalKind::BadClass),
        ] {
            for shape in SHAPES {
                let replies = decode(format!("{line}\r\n").as_bytes(), &[shape]).unwrap();
                assert_eq!(words(&replies[0]), format!("{kind:?}: {line}"));
            }
        }
    }

    #[test]
    fn the_dialect_of_1_6_9_is_read_as_lines() {
        // 1.6.0 to 1.6.9 say OK for HD.
        let replies = decode(b"OK s3\r\nEN\r\n", &[Shape::Meta, Shape::Meta]).unwrap();
        assert_eq!(replies.len(), 2);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_comes() {
        let mut decoder = Decoder::new(100);
        decoder.feed(b"VA 101 s101\r\n");
        assert_eq!(decoder.next(Shape::Meta), Err(Broken::TooLarge));
        let mut decoder = Decoder::new(100);
        decoder.feed(b"VALUE k 0 18446744073709551615\r\n");
        assert_eq!(decoder.next(Shape::Values), Err(Broken::TooLarge));
    }

    #[test]
    fn what_is_not_memcached_is_garbled() {
        for shape in [Shape::Stats, Shape::Values] {
            let mut decoder = Decoder::new(100);
            decoder.feed(b"-ERR unknown command\r\n");
            assert_eq!(
                decoder.next(shape),
                Err(Broken::Garbled("-ERR unknown command".into()))
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
        ) {
            for shape in SHAPES {
                let mut decoder = Decoder::new(64);
                for piece in &pieces {
                    decoder.feed(piece);
                    while let Ok(Some(_)) = decoder.next(shape) {}
                }
            }
        }

        #[test]
        fn near_misses_never_panic(text in "(VALUE|VA|STAT|END|HD| |[0-9]{1,20}|k|\r\n|\n){0,30}") {
            for shape in SHAPES {
                let mut decoder = Decoder::new(1 << 10);
                decoder.feed(text.as_bytes());
                while let Ok(Some(_)) = decoder.next(shape) {}
            }
        }

        #[test]
        fn any_value_survives(value in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut wire = format!("VA {} f1\r\n", value.len()).into_bytes();
            wire.extend_from_slice(&value);
            wire.extend_from_slice(b"\r\n");
            let replies = decode(&wire, &[Shape::Meta]).unwrap();
            let expected = Reply::Meta {
                header: format!("VA {} f1", value.len()).into_bytes(),
                value: Some(value),
            };
            assert_eq!(replies, [expected]);
        }
    }
}
