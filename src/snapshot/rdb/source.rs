//! A window that slides over the bytes of a snapshot.
//!
//! Whoever parses asks for so many bytes in a row and gets a slice of the window, so nothing is copied
//! that fits. Bytes that were passed are added to the checksum (and to whatever records them) in one
//! go when the window moves on. The window grows only as far as bytes arrive, never on a claim.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::checksum::Checksum;
use crate::snapshot::rdb::lzf;

/// The usual window: it stays in the processor's second cache.
pub const WINDOW: usize = 256 << 10;
/// What is enough for one value of usual size.
const FIRST_WINDOW: usize = 4 << 10;
/// The most that is held at once: the longest string that servers take.
pub const MOST_HELD: u64 = 512 << 20;

#[derive(Debug)]
pub struct Source<R> {
    from: R,
    window: Vec<u8>,
    at: usize,
    end: usize,
    /// Where reading began.
    start: u64,
    /// The offset of the window's first byte.
    base: u64,
    is_over: bool,
    checksum: Option<Checksum>,
    /// Up to here the bytes of the window are in the checksum and in the record.
    settled: usize,
    record: Option<Record>,
}

/// Bytes that are kept as they pass.
#[derive(Debug)]
struct Record {
    bytes: Vec<u8>,
    /// How many passed, kept or not.
    passed: u64,
    most: u64,
}

/// How a string stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Plain(u64),
    Int(i64),
    Packed { packed: u64, whole: u64 },
}

impl Text {
    /// How long the string is once it is read.
    pub fn len(self) -> u64 {
        match self {
            Self::Plain(length) | Self::Packed { whole: length, .. } => length,
            Self::Int(number) => decimal_len(number),
        }
    }

    /// How many bytes follow its header.
    pub fn stored(self) -> u64 {
        match self {
            Self::Plain(length) => length,
            Self::Packed { packed, .. } => packed,
            Self::Int(_) => 0,
        }
    }
}

/// Scratch that is used again for every string that does not stand in the file as it is.
#[derive(Debug, Default)]
pub struct Scratch(Vec<u8>);

impl Scratch {
    /// What one large string needed is not kept for good.
    fn clear(&mut self) {
        self.0.clear();
        if self.0.capacity() > 4 * WINDOW {
            self.0.shrink_to(WINDOW);
        }
    }
}

type Result<T> = std::result::Result<T, SnapshotError>;

impl<R: Read> Source<R> {
    /// Reads from a place that is so far into its snapshot.
    pub fn new(from: R, offset: u64, is_checked: bool) -> Self {
        Self {
            from,
            window: vec![0; FIRST_WINDOW],
            at: 0,
            end: 0,
            start: offset,
            base: offset,
            is_over: false,
            checksum: is_checked.then(Checksum::default),
            settled: 0,
            record: None,
        }
    }

    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The checksum of everything that was passed.
    pub fn checksum(&mut self) -> Option<u64> {
        self.settle();
        self.checksum.as_ref().map(Checksum::value)
    }

    /// Keeps what passes from here on, up to so many bytes.
    pub fn start_record(&mut self, into: Vec<u8>, most: u64) {
        self.settle();
        self.record = Some(Record {
            bytes: into,
            passed: 0,
            most,
        });
    }

    /// What passed since, and how much it was. What is more than was asked for is not kept.
    pub fn end_record(&mut self) -> (Vec<u8>, u64) {
        self.settle();
        self.record
            .take()
            .map_or_else(Default::default, |record| (record.bytes, record.passed))
    }

    #[inline]
    pub fn need(&mut self, count: usize, expected: &'static str) -> Result<()> {
        if self.end - self.at >= count {
            return Ok(());
        }
        self.fill(count)?;
        if self.end - self.at < count {
            return Err(self.cut(expected));
        }
        Ok(())
    }

    /// The next bytes without passing them: so many, or fewer where the snapshot ends.
    pub fn peek(&mut self, count: usize) -> Result<&[u8]> {
        if self.end - self.at < count {
            self.fill(count)?;
        }
        let there = (self.end - self.at).min(count);
        Ok(&self.window[self.at..self.at + there])
    }

    #[inline]
    pub fn byte(&mut self, expected: &'static str) -> Result<u8> {
        self.need(1, expected)?;
        let byte = self.window[self.at];
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub fn take(&mut self, count: usize, expected: &'static str) -> Result<&[u8]> {
        self.need(count, expected)?;
        let start = self.at;
        self.at += count;
        Ok(&self.window[start..self.at])
    }

    #[inline]
    pub fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, expected)?);
        Ok(array)
    }

    #[inline]
    pub fn skip(&mut self, count: u64, expected: &'static str) -> Result<()> {
        let there = (self.end - self.at) as u64;
        if there >= count {
            self.at += usize::try_from(count).unwrap_or(usize::MAX);
            return Ok(());
        }
        self.skip_far(count, expected)
    }

    #[cold]
    fn skip_far(&mut self, count: u64, expected: &'static str) -> Result<()> {
        let mut left = count;
        while left > 0 {
            self.need(1, expected)?;
            let there = self.end - self.at;
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(there);
            self.at += step;
            left -= step as u64;
        }
        Ok(())
    }

    /// A length.
    #[inline]
    pub fn length(&mut self, expected: &'static str) -> Result<u64> {
        let start = self.offset();
        let first = self.byte(expected)?;
        match first >> 6 {
            0 => Ok(u64::from(first)),
            1 => {
                let low = self.byte(expected)?;
                Ok(u64::from(first & 0x3f) << 8 | u64::from(low))
            }
            2 => self.long_length(first, start, expected),
            _ => Err(SnapshotError::Unknown {
                at: start,
                code: first,
                expected,
            }),
        }
    }

    fn long_length(&mut self, first: u8, start: u64, expected: &'static str) -> Result<u64> {
        match first {
            0x80 => Ok(u64::from(u32::from_be_bytes(self.array(expected)?))),
            0x81 => Ok(u64::from_be_bytes(self.array(expected)?)),
            _ => Err(SnapshotError::Unknown {
                at: start,
                code: first,
                expected,
            }),
        }
    }

    /// The header of a string.
    #[inline]
    pub fn text(&mut self, expected: &'static str) -> Result<Text> {
        self.need(1, expected)?;
        let first = self.window[self.at];
        if first < 0x40 {
            self.at += 1;
            return Ok(Text::Plain(u64::from(first)));
        }
        if first < 0xc0 {
            return self.length(expected).map(Text::Plain);
        }
        self.encoded_text(expected)
    }

    fn encoded_text(&mut self, expected: &'static str) -> Result<Text> {
        let start = self.offset();
        match self.byte(expected)? {
            0xc0 => Ok(Text::Int(i64::from(i8::from_le_bytes(
                self.array(expected)?,
            )))),
            0xc1 => Ok(Text::Int(i64::from(i16::from_le_bytes(
                self.array(expected)?,
            )))),
            0xc2 => Ok(Text::Int(i64::from(i32::from_le_bytes(
                self.array(expected)?,
            )))),
            0xc3 => {
                let packed = self.length("the length of a compressed string")?;
                let whole = self.length("the length of a string before compression")?;
                Ok(Text::Packed { packed, whole })
            }
            code => Err(SnapshotError::Unknown {
                at: start,
                code,
                expected,
            }),
        }
    }

    /// Passes a string whose header was read.
    #[inline]
    pub fn skip_text(&mut self, text: Text, expected: &'static str) -> Result<()> {
        self.skip(text.stored(), expected)
    }

    /// A string whose header was read, whole: out of the window as it stands, or out of the scratch.
    pub fn whole<'a>(
        &'a mut self,
        text: Text,
        scratch: &'a mut Scratch,
        expected: &'static str,
    ) -> Result<&'a [u8]> {
        let range = self.hold(text, scratch, expected)?;
        Ok(match range {
            Some(range) => &self.window[range],
            None => &scratch.0,
        })
    }

    /// Where in the window the string stands; nowhere when it is in the scratch.
    fn hold(
        &mut self,
        text: Text,
        scratch: &mut Scratch,
        expected: &'static str,
    ) -> Result<Option<Range<usize>>> {
        let claimed = text.len().max(text.stored());
        if claimed > MOST_HELD {
            return Err(SnapshotError::Limit {
                at: self.offset(),
                what: expected,
                claimed,
                limit: MOST_HELD,
            });
        }
        match text {
            Text::Plain(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.need(length, expected)?;
                let start = self.at;
                self.at += length;
                Ok(Some(start..self.at))
            }
            Text::Int(number) => {
                scratch.clear();
                scratch.0.extend_from_slice(decimal(number, &mut [0; 20]));
                Ok(None)
            }
            Text::Packed { packed, whole } => {
                scratch.clear();
                self.inflate(packed, whole, &mut scratch.0, expected, |_| {})?;
                Ok(None)
            }
        }
    }

    /// The first bytes of a compressed string whose header was read, without passing it.
    pub fn head_of_compressed<const N: usize>(&mut self, text: Text) -> Result<Option<[u8; N]>> {
        let most = usize::try_from(text.stored()).unwrap_or(usize::MAX);
        let there = self.peek(most.min(4 * lzf::STEP))?;
        let mut head = [0; N];
        Ok((lzf::head(there, &mut head) == N).then_some(head))
    }

    /// A string whose header was read, in pieces that the window holds, one after the other.
    pub fn pieces(
        &mut self,
        text: Text,
        scratch: &mut Scratch,
        expected: &'static str,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        match text {
            Text::Plain(length) => {
                let mut left = length;
                while left > 0 {
                    self.need(1, expected)?;
                    let there = self.end - self.at;
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(there);
                    let start = self.at;
                    self.at += step;
                    each(&self.window[start..self.at]);
                    left -= step as u64;
                }
                Ok(())
            }
            Text::Int(_) => {
                each(self.whole(text, scratch, expected)?);
                Ok(())
            }
            Text::Packed { packed, whole } => {
                scratch.clear();
                self.inflate(packed, whole, &mut scratch.0, expected, |out| {
                    if out.len() >= WINDOW {
                        let keep = out.len() - lzf::REACH;
                        each(&out[..keep]);
                        out.drain(..keep);
                    }
                })?;
                each(&scratch.0);
                Ok(())
            }
        }
    }

    /// Inflates a compressed string. `pass` may take bytes out of the front from time to time, as long
    /// as it leaves what the compression reaches back to.
    fn inflate(
        &mut self,
        packed: u64,
        whole: u64,
        out: &mut Vec<u8>,
        expected: &'static str,
        mut pass: impl FnMut(&mut Vec<u8>),
    ) -> Result<()> {
        let at = self.offset();
        let corrupt = |what| SnapshotError::Corrupt { at, what };
        let (mut left, mut missing) = (packed, whole);
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(lzf::STEP);
            self.need(step, expected)?;
            let there = (self.end - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
            // A piece at a time, or a large string would be inflated whole before anybody takes of it.
            let input = &self.window[self.at..self.at + there.min(WINDOW / 8)];
            let before = out.len();
            let is_last = input.len() as u64 == left;
            let used = lzf::inflate(input, is_last, missing, out).map_err(corrupt)?;
            self.at += used;
            left -= used as u64;
            missing -= (out.len() - before) as u64;
            pass(out);
        }
        if missing > 0 {
            return Err(corrupt("a compressed string that is shorter than it says"));
        }
        Ok(())
    }

    pub fn cut(&self, expected: &'static str) -> SnapshotError {
        SnapshotError::Cut {
            at: self.base + self.end as u64,
            expected,
        }
    }

    /// Adds what was passed to the checksum and to the record.
    fn settle(&mut self) {
        let passed = &self.window[self.settled..self.at];
        if let Some(checksum) = &mut self.checksum {
            checksum.add(passed);
        }
        if let Some(record) = &mut self.record {
            record.passed += passed.len() as u64;
            if record.passed <= record.most {
                record.bytes.extend_from_slice(passed);
            }
        }
        self.settled = self.at;
    }

    /// Moves the window on until it holds so many bytes, or all that there are.
    #[cold]
    fn fill(&mut self, count: usize) -> Result<()> {
        self.settle();
        self.window.copy_within(self.at..self.end, 0);
        self.base += self.at as u64;
        self.end -= self.at;
        (self.at, self.settled) = (0, 0);
        if self.window.len() < WINDOW && self.base > self.start {
            self.window.resize(WINDOW, 0);
        }
        if self.window.len() > WINDOW && self.end.max(count) <= WINDOW {
            self.window.truncate(WINDOW);
            self.window.shrink_to_fit();
        }
        while self.end < count && !self.is_over {
            if self.end == self.window.len() {
                let larger = count.min(2 * self.window.len());
                self.window.resize(larger, 0);
            }
            match self.from.read(&mut self.window[self.end..]) {
                Ok(0) => self.is_over = true,
                Ok(more) => self.end += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let at = self.base + self.end as u64;
                    return Err(SnapshotError::Io { at, error });
                }
            }
        }
        Ok(())
    }
}

/// A length, or that of a string, in bytes that were looked ahead to.
pub fn length_ahead(bytes: &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..0x40 => Some(u64::from(first)),
        0x40..0x80 => Some(u64::from(first & 0x3f) << 8 | u64::from(*rest.first()?)),
        0x80 => Some(u64::from(u32::from_be_bytes(*rest.first_chunk()?))),
        0x81 => Some(u64::from_be_bytes(*rest.first_chunk()?)),
        // A compressed string tells its length in the file first, and then the one we want.
        0xc3 => {
            let skipped = match rest.first()? >> 6 {
                0 => 1,
                1 => 2,
                _ if *rest.first()? == 0x80 => 5,
                _ => 9,
            };
            let whole = rest.get(skipped..)?;
            if whole.first()? >= &0xc0 {
                return None;
            }
            length_ahead(whole)
        }
        _ => None,
    }
}

/// A number as the text that it stands for.
pub fn decimal(number: i64, into: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut at = into.len();
    loop {
        at -= 1;
        into[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        into[at] = b'-';
    }
    &into[at..]
}

fn decimal_len(number: i64) -> u64 {
    decimal(number, &mut [0; 20]).len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    /// Hands out its bytes in small pieces, as a socket might.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = into.len().min(self.0.len()).min(1_000);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn lengths_of_every_form_are_read() {
        #[rustfmt::skip]
        let forms: [(&[u8], u64); 6] = [
            (&[0x00],                                     0),
            (&[0x3f],                                     63),
            (&[0x40, 0x40],                               64),
            (&[0x7f, 0xff],                               16_383),
            (&[0x80, 0, 1, 0, 0],                         65_536),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0],             1 << 32),
        ];
        for (bytes, expected) in forms {
            let mut source = Source::new(bytes, 0, false);
            assert_eq!(source.length("a length").unwrap(), expected);
            assert_eq!(source.offset(), bytes.len() as u64);
        }
        for bytes in [[0x82_u8], [0xc0]] {
            let mut source = Source::new(&bytes[..], 0, false);
            assert!(source.length("a length").is_err());
        }
    }

    #[test]
    fn the_window_grows_with_what_arrives_and_never_on_a_claim() {
        let mut source = Source::new(&b"short"[..], 0, false);
        let text = Text::Plain(400 << 20);
        let mut scratch = Scratch::default();
        let error = source.whole(text, &mut scratch, "a string");
        assert!(matches!(error, Err(SnapshotError::Cut { at: 5, .. })));
        assert!(source.window.capacity() <= 2 * WINDOW);
        let mut source = Source::new(&b""[..], 0, false);
        let text = Text::Plain(1 << 40);
        let mut scratch = Scratch::default();
        let error = source.whole(text, &mut scratch, "a string");
        assert!(matches!(error, Err(SnapshotError::Limit { .. })));
    }

    #[test]
    fn a_string_longer_than_the_window_is_held_and_the_window_shrinks_again() {
        let bytes: Vec<u8> = (0..3 * WINDOW).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
        let mut source = Source::new(Trickle(&bytes), 0, true);
        let mut scratch = Scratch::default();
        let text = Text::Plain(2 * WINDOW as u64);
        let whole = source.whole(text, &mut scratch, "a string").unwrap();
        assert_eq!(whole, &bytes[..2 * WINDOW]);
        source.skip(WINDOW as u64 - 1, "more").unwrap();
        let last = source.byte("the last byte").unwrap();
        assert_eq!(last, bytes[3 * WINDOW - 1]);
        assert_eq!(source.window.len(), WINDOW);
        let expected = crate::snapshot::rdb::checksum::of(&bytes);
        assert_eq!(source.checksum(), Some(expected));
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(number in any::<i64>()) {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
