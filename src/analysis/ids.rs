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
const SHORTEST_HEX: usize = 8;
const SHORTEST_RANDOM: usize = 16;
/// A version or a shard number is a name; a count of thousands is not.
const SHORTEST_SUFFIX: usize = 3;

/// Writes the pattern of a segment behind `out`.
pub fn collapse(segment: &[u8], out: &mut Vec<u8>) {
    if segment.len() > LONGEST_NAME {
        out.push(b'*');
        return;
    }
    let start = out.len();
    let mut rest = segment;
    while !rest.is_empty() {
        let word = rest.iter().take_while(|byte| is_letter(**byte)).count();
        if word == 0 {
            out.push(rest[0]);
            rest = &rest[1..];
            continue;
        }
        if is_uuid(rest) {
            star(out, start);
            rest = &rest[UUID..];
            continue;
        }
        let (word, after) = rest.split_at(word);
        rest = after;
        match kept(word) {
            Some(letters) if letters == word.len() => out.extend_from_slice(word),
            Some(letters) => {
                out.extend_from_slice(&word[..letters]);
                out.push(b'*');
            }
            None => star(out, start),
        }
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
        && rest.get(UUID).is_none_or(|byte| !is_letter(*byte))
}

/// Digits, letters, and what is neither but belongs to words of other scripts.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// How much of a word stays before a star; all of it when it is a name, `None` when it is an id.
fn kept(word: &[u8]) -> Option<usize> {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Some(word.len());
    }
    if digits == word.len() {
        return None;
    }
    if word.len() >= SHORTEST_HEX && word.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let suffix = word
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if suffix == digits {
        return Some(if suffix >= SHORTEST_SUFFIX {
            word.len() - suffix
        } else {
            word.len()
        });
    }
    if word.len() >= SHORTEST_RANDOM {
        return None;
    }
    Some(word.len())
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
