//! Replies as they stand in the buffer, without a copy.
//!
//! A walk gets millions of short replies. Turning each into a value of its own costs more than the
//! rest of the walk, so a flight's replies are looked at once, while they arrive, and what was found is
//! kept as places in the buffer.

/// A line longer than this is no number, and an endless one must not fill the memory.
const LONGEST_NUMBER: usize = 24;

/// What is kept of a flight's memory for the next one.
const KEPT: usize = 1 << 20;

/// A buffer in which replies are found while they arrive.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Everything before was looked at.
    scanned: usize,
    /// Elements still due of the reply that is arriving.
    due: u64,
    parts: Vec<Part>,
    whole: Vec<Whole>,
}

/// A reply, or an element of one: where its text stands.
#[derive(Clone, Copy, Debug)]
enum Part {
    Simple { from: usize, to: usize },
    Error { from: usize, to: usize },
    Int(i64),
    Bulk { from: usize, to: usize },
    Nil,
    Array(u64),
}

/// Where a whole reply ends, in bytes and in parts.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    bytes: usize,
    parts: usize,
}

/// What stands in the buffer is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage;

/// A reply, or an element of one, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View<'a> {
    Simple(&'a [u8]),
    /// The line without its `-`.
    Error(&'a [u8]),
    Int(i64),
    Bulk(&'a [u8]),
    Nil,
    /// So many elements follow.
    Array(u64),
}

impl Frames {
    /// Where arriving bytes go. Call `scan` afterwards.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets what was read, and keeps the memory, but for that of a flight of giant names.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.whole.clear();
        self.scanned = 0;
        self.due = 0;
        self.bytes.shrink_to(KEPT);
        self.parts.shrink_to(KEPT / size_of::<Part>());
    }

    /// Forgets the whole replies; what has arrived of the next one stays.
    pub fn drop_whole(&mut self) {
        let end = self.whole.last().copied().unwrap_or_default();
        self.bytes.drain(..end.bytes);
        // What was found of the next one is found again.
        self.scanned = 0;
        self.due = 0;
        self.parts.clear();
        self.whole.clear();
    }

    /// Looks for the ends of replies in what has arrived; gives how many are whole.
    ///
    /// # Errors
    /// When it cannot be the beginning of a reply.
    pub fn scan(&mut self) -> Result<usize, Garbage> {
        while let Some((part, end)) = part(&self.bytes, self.scanned)? {
            self.scanned = end;
            let children = if let Part::Array(count) = part {
                count
            } else {
                0
            };
            self.parts.push(part);
            self.due = self.due.saturating_sub(1).saturating_add(children);
            if self.due == 0 {
                self.whole.push(Whole {
                    bytes: end,
                    parts: self.parts.len(),
                });
            }
        }
        Ok(self.whole.len())
    }

    /// The bytes of the reply with this number, counted from 0.
    pub fn reply(&self, number: usize) -> &[u8] {
        let (start, end) = self.borders(number);
        self.bytes.get(start.bytes..end.bytes).unwrap_or_default()
    }

    /// The reply with this number; of one that has elements, how many. Nil where there is none.
    pub fn view(&self, number: usize) -> View<'_> {
        self.elements(number).next().unwrap_or(View::Nil)
    }

    /// A reply and everything in it, in the order of the wire.
    pub fn elements(&self, number: usize) -> impl Iterator<Item = View<'_>> {
        let (start, end) = self.borders(number);
        let parts = self.parts.get(start.parts..end.parts).unwrap_or_default();
        parts.iter().map(|part| part.view(&self.bytes))
    }

    /// Bytes that came beyond the last whole reply.
    pub fn has_more(&self) -> bool {
        self.whole.last().copied().unwrap_or_default().bytes < self.bytes.len()
    }

    fn borders(&self, number: usize) -> (Whole, Whole) {
        let before = number.checked_sub(1);
        let start = before.and_then(|before| self.whole.get(before));
        let start = start.copied().unwrap_or_default();
        (start, self.whole.get(number).copied().unwrap_or(start))
    }
}

impl Part {
    fn view(self, bytes: &[u8]) -> View<'_> {
        let text = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        match self {
            Self::Simple { from, to } => View::Simple(text(from, to)),
            Self::Error { from, to } => View::Error(text(from, to)),
            Self::Int(number) => View::Int(number),
            Self::Bulk { from, to } => View::Bulk(text(from, to)),
            Self::Nil => View::Nil,
            Self::Array(count) => View::Array(count),
        }
    }
}

/// Reads one reply or element at `at`, and says where it ends; `None` when it is not there as a whole.
fn part(bytes: &[u8], at: usize) -> Result<Option<(Part, usize)>, Garbage> {
    let Some(kind) = bytes.get(at) else {
        return Ok(None);
    };
    let from = at + 1;
    match kind {
        b'+' | b'-' => {
            let Some(to) = end_of_line(bytes, from)? else {
                return Ok(None);
            };
            let part = match kind {
                b'+' => Part::Simple { from, to },
                _ => Part::Error { from, to },
            };
            Ok(Some((part, to + 2)))
        }
        b':' => {
            let number = number(bytes, from)?;
            Ok(number.map(|(number, end)| (Part::Int(number), end)))
        }
        b'_' => Ok(end_of_line(bytes, from)?.map(|to| (Part::Nil, to + 2))),
        b'*' => match number(bytes, from)? {
            None => Ok(None),
            Some((-1, end)) => Ok(Some((Part::Nil, end))),
            Some((count, end)) => {
                let count = u64::try_from(count).map_err(|_| Garbage)?;
                Ok(Some((Part::Array(count), end)))
            }
        },
        b'$' => match number(bytes, from)? {
            None => Ok(None),
            Some((-1, end)) => Ok(Some((Part::Nil, end))),
            Some((length, from)) => {
                let length = usize::try_from(length).map_err(|_| Garbage)?;
                let to = from.checked_add(length).ok_or(Garbage)?;
                let end = to.checked_add(2).ok_or(Garbage)?;
                match bytes.get(to..end) {
                    None => Ok(None),
                    Some(b"\r\n") => Ok(Some((Part::Bulk { from, to }, end))),
                    Some(_) => Err(Garbage),
                }
            }
        },
        _ => Err(Garbage),
    }
}

fn end_of_line(bytes: &[u8], from: usize) -> Result<Option<usize>, Garbage> {
    let Some(length) = bytes[from..].iter().position(|byte| *byte == b'\r') else {
        return Ok(None);
    };
    match bytes.get(from + length + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some(from + length)),
        Some(_) => Err(Garbage),
    }
}

/// The number in the line at `from`, and where the next line begins.
fn number(bytes: &[u8], from: usize) -> Result<Option<(i64, usize)>, Garbage> {
    let is_negative = bytes.get(from) == Some(&b'-');
    let first = from + usize::from(is_negative);
    let mut number = 0_i64;
    let mut at = first;
    loop {
        match bytes.get(at) {
            None => return Ok(None),
            Some(digit @ b'0'..=b'9') if at - first < LONGEST_NUMBER => {
                let digit = i64::from(digit - b'0');
                let signed = if is_negative { -digit } else { digit };
                let longer = number.checked_mul(10);
                let longer = longer.and_then(|longer| longer.checked_add(signed));
                number = longer.ok_or(Garbage)?;
                at += 1;
            }
            Some(b'\r') if at > first => break,
            Some(_) => return Err(Garbage),
        }
    }
    match bytes.get(at + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((number, at + 2))),
        Some(_) => Err(Garbage),
    }
}

/// Writes commands the way the protocol wants them.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    commands: usize,
}

impl Writer {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn commands(&self) -> usize {
        self.commands
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.commands = 0;
    }

    /// Commands that differ in all but their last word. The heads are as they stand on the wire.
    pub fn each(&mut self, heads: impl IntoIterator<Item = &'static [u8]>, last: &[u8]) {
        let mut written = None;
        for head in heads {
            self.bytes.extend_from_slice(head);
            let start = self.bytes.len();
            match written.clone() {
                None => {
                    self.word(last);
                    written = Some(start..self.bytes.len());
                }
                Some(word) => self.bytes.extend_from_within(word),
            }
            self.commands += 1;
        }
    }

    pub fn command(&mut self, words: &[&[u8]]) {
        self.bytes.push(b'*');
        self.length(words.len());
        for word in words {
            self.word(word);
        }
        self.commands += 1;
    }

    fn word(&mut self, word: &[u8]) {
        self.bytes.push(b'$');
        self.length(word.len());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn length(&mut self, length: usize) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = length;
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(left % 10).expect("a digit");
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[at..]);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn frames(wire: &[u8]) -> Frames {
        let mut frames = Frames::default();
        frames.buffer().extend_from_slice(wire);
        frames.scan().expect("replies");
        frames
    }

    #[test]
    fn replies_are_read_where_they_stand() {
        let wire = b"+string\r\n:-2\r\n$3\r\na\r\n\r\n$-1\r\n-NOPERM no\r\n*2\r\n$1\r\n0\r\n*0\r\n_\r\n*-1\r\n";
        let expected = [
            View::Simple(b"string"),
            View::Int(-2),
            View::Bulk(b"a\r\n"),
            View::Nil,
            View::Error(b"NOPERM no"),
            View::Array(2),
            View::Bulk(b"0"),
            View::Array(0),
            View::Nil,
            View::Nil,
        ];
        let frames = frames(wire);
        let views = (0..9).flat_map(|number| frames.elements(number));
        assert_eq!(views.collect::<Vec<_>>(), expected);
        assert_eq!(frames.view(5), View::Array(2));
        assert_eq!(frames.view(9), View::Nil);
    }

    #[test]
    fn the_ends_of_replies_are_found_wherever_the_stream_is_cut() {
        let wire = b":1\r\n*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n+OK\r\n";
        for cut in 0..wire.len() {
            let mut frames = Frames::default();
            frames.buffer().extend_from_slice(&wire[..cut]);
            frames.scan().expect("a beginning");
            frames.buffer().extend_from_slice(&wire[cut..]);
            assert_eq!(frames.scan(), Ok(3), "cut at {cut}");
            assert_eq!(frames.reply(0), b":1\r\n");
            let nested: Vec<View> = frames.elements(1).collect();
            let expected = [
                View::Array(2),
                View::Bulk(b"17"),
                View::Array(2),
                View::Bulk(b"a"),
                View::Bulk(b""),
            ];
            assert_eq!(nested, expected);
            assert_eq!(frames.reply(2), b"+OK\r\n");
            assert!(!frames.has_more());
        }
    }

    #[test]
    fn what_has_arrived_of_the_next_reply_stays() {
        let mut frames = frames(b"+a\r\n*2\r\n:1\r\n");
        assert_eq!(frames.view(0), View::Simple(b"a"));
        frames.drop_whole();
        frames.buffer().extend_from_slice(b":2\r\n");
        assert_eq!(frames.scan(), Ok(1));
        let found: Vec<View> = frames.elements(0).collect();
        assert_eq!(found, [View::Array(2), View::Int(1), View::Int(2)]);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for wire in [
            &b"HTTP/1.1 400"[..],
            b":12a\r\n",
            b":\r\n",
            b"$-2\r\n",
            b"$2\r\nabc\r\n",
            b"*-7\r\n",
            b":99999999999999999999\r\n",
            b"+OK\rX",
            b"$0000000000000000000000000000000000000",
        ] {
            let mut frames = Frames::default();
            frames.buffer().extend_from_slice(wire);
            assert_eq!(frames.scan(), Err(Garbage), "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn commands_about_one_key_repeat_it() {
        let (mut one, mut other) = (Writer::default(), Writer::default());
        one.each(
            [&b"*2\r\n$4\r\nTYPE\r\n"[..], b"*2\r\n$4\r\nPTTL\r\n"],
            b"key",
        );
        other.command(&[b"TYPE", b"key"]);
        other.command(&[b"PTTL", b"key"]);
        assert_eq!((one.bytes(), one.commands()), (other.bytes(), 2));
    }

    #[test]
    fn commands_are_written_as_the_protocol_wants_them() {
        let mut writer = Writer::default();
        writer.command(&[b"TYPE", b""]);
        writer.command(&[b"SCAN", b"0123456789a"]);
        assert_eq!(
            writer.bytes(),
            b"*2\r\n$4\r\nTYPE\r\n$0\r\n\r\n*2\r\n$4\r\nSCAN\r\n$11\r\n0123456789a\r\n"
        );
        assert_eq!(writer.commands(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::default();
            frames.buffer().extend_from_slice(&bytes);
            if let Ok(whole) = frames.scan() {
                for number in 0..whole {
                    assert!(!frames.reply(number).is_empty());
                }
            }
        }
    }
}
