//! Patterns for names, as the servers' own MATCH reads them.

/// A glob as Redis understands it: `*`, `?`, `[a-z]`, `[^a-z]`, `\` before what stands for itself.
/// Works on bytes and in the product of the lengths at worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `*`
    Any,
    /// `?`
    One,
    Byte(u8),
    Class {
        is_negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Glob {
    pub fn new(pattern: &[u8]) -> Self {
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'*' if parts.last() == Some(&Part::Any) => {}
                b'*' => parts.push(Part::Any),
                b'?' => parts.push(Part::One),
                b'[' => {
                    let (class, after) = class(rest);
                    parts.push(class);
                    rest = after;
                }
                b'\\' if !rest.is_empty() => {
                    parts.push(Part::Byte(rest[0]));
                    rest = &rest[1..];
                }
                byte => parts.push(Part::Byte(byte)),
            }
        }
        Self(parts)
    }

    pub fn matches(&self, key: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        // Where to go on when what follows the last `*` did not fit.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match self.0.get(part) {
                Some(Part::Any) => {
                    retry = Some((part, at));
                    part += 1;
                    continue;
                }
                Some(one) if key.get(at).is_some_and(|&byte| one.fits(byte)) => {
                    part += 1;
                    at += 1;
                    continue;
                }
                None if at == key.len() => return true,
                _ => {}
            }
            // Only the last `*` need take more: what an earlier one takes, it can take as well.
            let Some((star, taken)) = retry.filter(|(_, taken)| *taken < key.len()) else {
                return false;
            };
            retry = Some((star, taken + 1));
            part = star + 1;
            at = taken + 1;
        }
    }
}

impl Part {
    fn fits(&self, byte: u8) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Byte(own) => *own == byte,
            Self::Class { is_negated, ranges } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&byte))
                    != *is_negated
            }
        }
    }
}

/// What stands behind `[`, and what comes after it. Without a `]` it reaches to the end.
fn class(pattern: &[u8]) -> (Part, &[u8]) {
    let is_negated = pattern.first() == Some(&b'^');
    let mut rest = &pattern[usize::from(is_negated)..];
    let mut ranges = Vec::new();
    loop {
        match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', byte, after @ ..] => {
                ranges.push((*byte, *byte));
                rest = after;
            }
            [from, b'-', to, after @ ..] => {
                ranges.push((*from.min(to), *from.max(to)));
                rest = after;
            }
            [byte, after @ ..] => {
                ranges.push((*byte, *byte));
                rest = after;
            }
        }
    }
    (Part::Class { is_negated, ranges }, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::Glob;

    #[test]
    fn globs_match_as_in_redis() {
        for (pattern, yes, no) in [
            ("*", &["", "a", "\u{0}"][..], &[][..]),
            ("", &[""], &["a"]),
            ("user:*", &["user:", "user:1"], &["user", "xuser:1"]),
            ("*:1", &["a:1", ":1", "1:1:1"], &["a:2", "a:1x"]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ac", "acb"]),
            ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo"]),
            ("h[^e]llo", &["hallo"], &["hello", "hllo"]),
            ("h[a-c]llo", &["hbllo"], &["hdllo", "h-llo"]),
            ("h[c-a]llo", &["hbllo"], &["hdllo"]),
            ("a[\\]]b", &["a]b"], &["a\\b"]),
            ("a\\*b", &["a*b"], &["axb"]),
            ("a\\", &["a\\"], &["a"]),
            ("[", &[], &["[", ""]),
            ("**a**", &["a", "bab"], &["b"]),
        ] {
            let glob = Glob::new(pattern.as_bytes());
            for key in yes {
                assert!(
                    glob.matches(key.as_bytes()),
                    "{pattern} should match {key:?}"
                );
            }
            for key in no {
                assert!(
                    !glob.matches(key.as_bytes()),
                    "{pattern} should not match {key:?}"
                );
            }
        }
        assert!(Glob::new(b"\xff?\x00*").matches(b"\xff\xfe\x00\x80"));
    }

    proptest! {
        #[test]
        fn any_key_matches_itself_escaped(key in prop::collection::vec(any::<u8>(), 0..60)) {
            let escaped: Vec<u8> = key.iter().flat_map(|&byte| [b'\\', byte]).collect();
            assert!(Glob::new(&escaped).matches(&key));
        }

        #[test]
        fn patterns_never_panic(
            pattern in "[*?\\[\\]^a\\\\-]{0,20}", key in "[a\\]-]{0,20}"
        ) {
            Glob::new(pattern.as_bytes()).matches(key.as_bytes());
        }
    }
}
