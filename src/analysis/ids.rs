//! Which parts of a name are ids: `user:17:profile` and `user:42:profile` are one pattern,
//! `user:*:profile`.
//!
//! A segment is cut into words at everything that is neither a letter nor a digit. A word is an id when
//! it is a number, when it is hexadecimal with at least eight digits and a number among them, or when
//! it is long and mixes letters and digits as nothing that a person writes does; a word that ends in
//! three digits or more keeps its letters: `player1234` is `player*`. Ids that stand side by side are
//! one: `2026-11-23`, `10.0.3.7` and a UUID are `*` each. A segment that is too long for a person is an
//! id as a whole.

/// Nobody names things so long.
const LONGEST_NAME: usize = 64;
const UUID: usize = 36;
const UUID_HEAD: usize = 8;
const SHORTEST_HEX: usize = 8;
const SHORTEST_RANDOM: usize = 16;
/// A version or a shard number is a name; a count of thousands is not.
const SHORTEST_SUFFIX: usize = 3;

/// What a byte is in a word. What is neither letter nor digit but belongs to words of other scripts
/// counts as a letter.
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const HEX: u8 = 4;
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphabetic() || byte >= 0x80 {
            class |= LETTER;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        classes[byte as usize] = class;
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

/// Writes the pattern of a segment behind `out`.
pub fn collapse(segment: &[u8], out: &mut Vec<u8>) {
    if segment.len() > LONGEST_NAME {
        out.push(b'*');
        return;
    }
    // Most segments are a name or a number as a whole, and this is quicker found out than word by word.
    let digits = segment.iter().map(|byte| u8::from(byte.is_ascii_digit()));
    match usize::from(digits.sum::<u8>()) {
        0 => return out.extend_from_slice(segment),
        all if all == segment.len() => return out.push(b'*'),
        _ => {}
    }
    let start = out.len();
    let mut rest = segment;
    while !rest.is_empty() {
        let word = Word::at(rest);
        if word.length == 0 {
            out.push(rest[0]);
            rest = &rest[1..];
            continue;
        }
        if word.length == UUID_HEAD && is_uuid(rest) {
            star(out, start);
            rest = &rest[UUID..];
            continue;
        }
        match word.kept() {
            Some(letters) => {
                out.extend_from_slice(&rest[..letters]);
                if letters < word.length {
                    out.push(b'*');
                }
            }
            None => star(out, start),
        }
        rest = &rest[word.length..];
    }
}

/// A run of letters and digits.
#[derive(Clone, Copy, Debug)]
struct Word {
    length: usize,
    digits: usize,
    /// Digits at the end.
    suffix: usize,
    is_hex: bool,
}

impl Word {
    /// The word that begins here, perhaps an empty one. Every name of a keyspace comes through: one look
    /// at each byte.
    fn at(rest: &[u8]) -> Self {
        let mut word = Self {
            length: 0,
            digits: 0,
            suffix: 0,
            is_hex: true,
        };
        for byte in rest {
            let class = CLASSES[usize::from(*byte)];
            if class & (LETTER | DIGIT) == 0 {
                break;
            }
            let is_digit = usize::from(class & DIGIT != 0);
            word.length += 1;
            word.digits += is_digit;
            word.suffix = (word.suffix + 1) * is_digit;
            word.is_hex &= class & HEX != 0;
        }
        word
    }

    /// How much of it stays before a star; all of it when it is a name, `None` when it is an id.
    fn kept(self) -> Option<usize> {
        if self.digits == 0 {
            return Some(self.length);
        }
        if self.digits == self.length {
            return None;
        }
        if self.length >= SHORTEST_HEX && self.is_hex {
            return None;
        }
        if self.suffix == self.digits {
            return Some(if self.suffix >= SHORTEST_SUFFIX {
                self.length - self.suffix
            } else {
                self.length
            });
        }
        (self.length < SHORTEST_RANDOM).then_some(self.length)
    }
}

/// Whether a UUID stands here: 8, 4, 4, 4 and 12 hexadecimal digits.
fn is_uuid(rest: &[u8]) -> bool {
    rest.len() >= UUID
        && rest[8] == b'-'
        && rest[..UUID].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
        && rest
            .get(UUID)
            .is_none_or(|byte| CLASSES[usize::from(*byte)] & (LETTER | DIGIT) == 0)
}

/// One star for ids that stand side by side, with whatever single sign is between them.
fn star(out: &mut Vec<u8>, start: usize) {
    match out[start..] {
        [.., b'*', _] => {
            out.pop();
        }
        _ => out.push(b'*'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    #[test]
    #[rustfmt::skip]
    fn ids_become_stars_and_names_stay() {
        for (segment, expected) in [
            ("user",                                 "user"),
            ("",                                     ""),
            ("17",                                   "*"),
            ("profile",                              "profile"),
            ("v2",                                   "v2"),
            ("shard12",                              "shard12"),
            ("player1234",                           "player*"),
            ("alpha-123",                            "alpha-*"),
            ("2026-11-23",                           "*"),
            ("10.0.3.7",                             "*"),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "*"),
            ("deadbeef",                             "deadbeef"),
            ("deadbee1",                             "*"),
            ("/home/alpha/bravo-77",                 "/home/alpha/bravo-*"),
            ("eyJhbGciOiJIUzI1NiIsInR5cCI6",          "*"),
            ("s3cr3t",                               "s3cr3t"),
            ("{17}.cart",                            "{*}.cart"),
            ("page_404",                             "page_*"),
            ("naïve",                                "naïve"),
            ("*",                                    "*"),
        ] {
            let mut out = Vec::new();
            collapse(segment.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), expected, "{segment}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_is_never_longer_than_the_segment(segment in prop::collection::vec(any::<u8>(), 1..100)) {
            let mut out = b"before".to_vec();
            collapse(&segment, &mut out);
            assert!(out.starts_with(b"before"));
            assert!(out.len() <= b"before".len() + segment.len());
        }
    }
}
