//! Replies as they stand in the buffer, without a copy.
//!
//! A walk gets millions of short replies. Turning each into a value of its own costs more than the
//! rest of the walk, so a flight's replies are found by their ends first and then read in place.

/// A line longer than this is no number, and an endless one must not fill the memory.
const LONGEST_NUMBER: usize = 24;

/// A buffer in which replies are found while they arrive.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Everything before was looked at.
    scanned: usize,
    /// Elements still due of the reply that is arriving.
    due: u64,
    /// Where each whole reply ends.
    ends: Vec<usize>,
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

    /// Forgets what was read, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.scanned = 0;
        self.due = 0;
        // A flight of giant names must not hold its memory for the rest of the walk.
        self.bytes.shrink_to(1 << 20);
    }

    /// Looks for the ends of replies in what has arrived; gives how many are whole.
    ///
    /// # Errors
    /// When it cannot be the beginning of a reply.
    pub fn scan(&mut self) -> Result<usize, Garbage> {
        loop {
            let mut at = self.scanned;
            let Some(view) = next(&self.bytes, &mut at)? else {
                return Ok(self.ends.len());
            };
            self.scanned = at;
            let children = if let View::Array(count) = view {
                count
            } else {
                0
            };
            self.due = self.due.saturating_sub(1).saturating_add(children);
            if self.due == 0 {
                self.ends.push(at);
            }
        }
    }

    /// The bytes of the reply with this number, counted from 0.
    pub fn reply(&self, number: usize) -> &[u8] {
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or_default(),
            None => 0,
        };
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Bytes that came beyond the last whole reply.
    pub fn has_more(&self) -> bool {
        self.ends.last().copied().unwrap_or_default() < self.bytes.len()
    }
}

/// Reads one reply or element at `at` and moves on; `None` when it is not there as a whole.
///
/// # Errors
/// When it begins like nothing that we know.
pub fn next<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<View<'a>>, Garbage> {
    let rest = bytes.get(*at..).unwrap_or_default();
    let Some((kind, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let is_text = matches!(kind, b'+' | b'-');
    let Some(end) = rest.iter().position(|byte| *byte == b'\r') else {
        let is_endless = !is_text && rest.len() > LONGEST_NUMBER;
        let is_known = matches!(kind, b'+' | b'-' | b':' | b'$' | b'*' | b'_');
        return if is_endless || !is_known {
            Err(Garbage)
        } else {
            Ok(None)
        };
    };
    let line = &rest[..end];
    match rest.get(end + 1) {
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return Err(Garbage),
    }
    let after = *at + 1 + end + 2;
    let view = match kind {
        b'+' => View::Simple(line),
        b'-' => View::Error(line),
        b':' => View::Int(number(line).ok_or(Garbage)?),
        b'_' => View::Nil,
        b'*' => match number(line).ok_or(Garbage)? {
            -1 => View::Nil,
            count => View::Array(u64::try_from(count).map_err(|_| Garbage)?),
        },
        b'$' => match number(line).ok_or(Garbage)? {
            -1 => View::Nil,
            length => {
                let length = usize::try_from(length).map_err(|_| Garbage)?;
                let end = after.checked_add(length).ok_or(Garbage)?;
                let Some(tail) = bytes.get(end..end.saturating_add(2)) else {
                    return Ok(None);
                };
                if tail != b"\r\n" {
                    return Err(Garbage);
                }
                *at = end + 2;
                return Ok(Some(View::Bulk(&bytes[after..end])));
            }
        },
        _ => return Err(Garbage),
    };
    *at = after;
    Ok(Some(view))
}

fn number(line: &[u8]) -> Option<i64> {
    let (sign, digits) = match line {
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
        self.bytes.shrink_to(1 << 20);
        self.commands = 0;
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

    fn views(bytes: &[u8]) -> Vec<View<'_>> {
        let mut at = 0;
        std::iter::from_fn(|| next(bytes, &mut at).expect("replies")).collect()
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
        assert_eq!(views(wire), expected);
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
            assert_eq!(frames.reply(2), b"+OK\r\n");
            assert!(!frames.has_more());
        }
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
