//! What a person types after `/`: which names it means, and which facts.
//!
//! Text finds names that contain it; with `*`, `?` or `[` it is a glob for the whole name, as the
//! server's MATCH reads it; after `~` or between slashes it is a regular expression; after `%` its
//! letters need only come in this order; `!` before any of them turns it round. Small letters match
//! capitals too, until a capital is typed. Words like `type:hash`, `ttl:none`, `size:>1mb` and
//! `idle:>1d` ask for what was told of the keys.

mod needle;
mod terms;

use regex::bytes::{Regex, RegexBuilder};

use crate::catalog::{Chunk, Mask};
use crate::model::UnixMs;
use crate::text;
use crate::tui::panes::keys::filter::needle::{Needle, Spot};
use crate::tui::panes::keys::filter::terms::Term;

/// Which names are meant.
#[derive(Clone, Debug)]
pub struct Matcher {
    way: Way,
    is_inverse: bool,
}

#[derive(Clone, Debug)]
enum Way {
    Contains(Box<Needle>),
    /// These letters in this order.
    InOrder {
        letters: Vec<u8>,
        folds: bool,
    },
    Regex(Regex),
}

impl Matcher {
    /// Reads what was typed; `None` when it asks for nothing.
    ///
    /// # Errors
    /// Why a regular expression cannot be read, in one line.
    pub fn read(typed: &str) -> Result<Option<Self>, String> {
        let (is_inverse, typed) = match typed.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, typed),
        };
        let folds = !has_capital(typed);
        let pattern = match as_regex(typed) {
            Some(pattern) => pattern.to_owned(),
            None if typed.starts_with('%') => {
                let letters = as_shown(&typed[1..]);
                let way = Way::InOrder { letters, folds };
                return Ok((typed.len() > 1).then_some(Self { way, is_inverse }));
            }
            None if typed.contains(['*', '?', '[']) => glob(typed),
            None => {
                let needle = Needle::of(&as_shown(typed), folds);
                return Ok(needle.map(|needle| Self {
                    way: Way::Contains(Box::new(needle)),
                    is_inverse,
                }));
            }
        };
        if pattern.is_empty() {
            return Ok(None);
        }
        let regex = RegexBuilder::new(&pattern)
            .unicode(false)
            .dot_matches_new_line(true)
            .case_insensitive(folds)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Some(Self {
            way: Way::Regex(regex),
            is_inverse,
        }))
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        self.matches_after(name, 0, &mut Spot::default())
    }

    /// The same, for a name that shares so many bytes with the one that was looked at before.
    fn matches_after(&self, name: &[u8], shared: usize, spot: &mut Spot) -> bool {
        let is_match = match &self.way {
            Way::Contains(needle) => needle.is_in(name, shared, spot),
            Way::InOrder { letters, folds } => is_in_order(letters, name, *folds),
            Way::Regex(regex) => regex.is_match(name),
        };
        is_match != self.is_inverse
    }
}

fn is_in_order(letters: &[u8], name: &[u8], folds: bool) -> bool {
    let mut letters = letters.iter();
    let mut next = letters.next();
    for byte in name {
        let Some(letter) = next else { break };
        if byte == letter || folds && byte.eq_ignore_ascii_case(letter) {
            next = letters.next();
        }
    }
    next.is_none()
}

/// The bytes that are meant by text as the list shows it: `\x1b` is one byte, as is `\\`. A backslash
/// that begins nothing of the kind stands for itself.
fn as_shown(typed: &str) -> Vec<u8> {
    text::unescape(typed).unwrap_or_else(|_| typed.as_bytes().to_vec())
}

fn as_regex(typed: &str) -> Option<&str> {
    if let Some(pattern) = typed.strip_prefix('~') {
        return Some(pattern);
    }
    typed.strip_prefix('/')?.strip_suffix('/')
}

/// A glob of the server's kind (Redis docs, KEYS) as a regular expression over bytes.
fn glob(typed: &str) -> String {
    let mut pattern = String::from("^");
    let mut rest = typed.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'*' => pattern.push_str(".*"),
            b'?' => pattern.push('.'),
            b'[' if rest.contains(&b']') => rest = class(rest, &mut pattern),
            b'\\' if !rest.is_empty() => {
                literal(rest[0], &mut pattern);
                rest = &rest[1..];
            }
            other => literal(*other, &mut pattern),
        }
    }
    pattern.push('$');
    pattern
}

/// Reads a class whose bracket was opened; gives back what follows it.
fn class<'a>(mut rest: &'a [u8], pattern: &mut String) -> &'a [u8] {
    let is_inverse = rest.first() == Some(&b'^');
    if is_inverse {
        rest = &rest[1..];
    }
    let mut members = String::new();
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', byte, after @ ..] => {
                literal(*byte, &mut members);
                after
            }
            [from, b'-', to, after @ ..] if *to != b']' => {
                // The server takes a range the wrong way round as well.
                literal(*from.min(to), &mut members);
                members.push('-');
                literal(*from.max(to), &mut members);
                after
            }
            [byte, after @ ..] => {
                literal(*byte, &mut members);
                after
            }
        };
    }
    match (members.is_empty(), is_inverse) {
        // An empty class matches nothing; turned round, anything.
        (true, false) => pattern.push_str(r"[^\x00-\xff]"),
        (true, true) => pattern.push('.'),
        (false, _) => {
            let not = if is_inverse { "^" } else { "" };
            pattern.extend(["[", not, &members, "]"]);
        }
    }
    rest
}

fn literal(byte: u8, pattern: &mut String) {
    if byte.is_ascii_alphanumeric() {
        pattern.push(char::from(byte));
    } else {
        pattern.extend([r"\x".to_owned(), format!("{byte:02x}")]);
    }
}

/// A capital that stands for itself: in `\D` and `\x4F` it does not.
fn has_capital(pattern: &str) -> bool {
    let mut is_escaped = false;
    pattern.chars().any(|letter| {
        let counts = letter.is_uppercase() && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        counts
    })
}

/// The last line of the error: the ones before repeat the pattern and point at a place in it.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// What was typed, ready to look at names and what was told of them.
#[derive(Clone, Debug)]
pub struct Filter {
    typed: String,
    name: Option<Matcher>,
    terms: Vec<Term>,
}

impl Filter {
    /// Reads what was typed at this moment; `None` when it asks for nothing.
    ///
    /// # Errors
    /// Why what was typed cannot be read.
    pub fn read(typed: &str, now: UnixMs) -> Result<Option<Self>, String> {
        let (terms, rest) = terms::split(typed, now)?;
        let name = Matcher::read(&rest)?;
        if name.is_none() && terms.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            typed: typed.to_owned(),
            name,
            terms,
        }))
    }

    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Whether it asks for what only a question about each key can tell.
    pub fn asks_for_facts(&self) -> bool {
        !self.terms.is_empty()
    }

    /// The names of a chunk that match.
    pub fn mask(&self, chunk: &Chunk) -> Mask {
        let mut names = chunk.reader(0);
        let mut spot = Spot::default();
        Mask::of(chunk.count(), |place| {
            let Some((shared, name)) = names.step() else {
                return false;
            };
            let is_named = self
                .name
                .as_ref()
                .is_none_or(|matcher| matcher.matches_after(name, shared, &mut spot));
            is_named
                && (self.terms.is_empty() || {
                    let fact = chunk.fact(place);
                    fact.is_some_and(|fact| self.terms.iter().all(|term| term.is_met(fact)))
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Builder, Fact, Run};
    use crate::model::{Bytes, KeyKind, Told, Ttl};
    use proptest::prelude::{any, prop, proptest};
    use std::time::Duration;

    fn finds(typed: &str, name: &[u8]) -> bool {
        Matcher::read(typed)
            .unwrap()
            .is_none_or(|matcher| matcher.matches(name))
    }

    #[test]
    #[rustfmt::skip]
    fn reads_text_globs_and_regular_expressions() {
        for (typed, name, expected) in [
            ("ser:1",      &b"user:17"[..],      true),
            ("ser:1",      b"USER:17",           true),
            ("Ser:1",      b"user:17",           false),
            ("a.b",        b"axb",               false),
            ("user:*",     b"user:17",           true),
            ("user:*",     b"a user:17",         false),
            ("user:?",     b"user:17",           false),
            ("user:??",    b"user:\xff\n",       true),
            ("[ab]x*",     b"bxy",               true),
            ("[^ab]x*",    b"bxy",               false),
            ("[a-c]x",     b"Bx",                true),
            (r"a\*",       b"a*",                true),
            ("a\\*?",      b"a*b",               true),
            (r"\x1b\x07",  b"a\x1b\x07b",        true),
            (r"\xff",      b"a\xff",             true),
            (r"a\\b",      b"a\\b",              true),
            (r"a\b",       b"a\\b",              true),
            (r"a\d",       b"a1",                false),
            ("é",          "caf\u{e9}".as_bytes(), true),
            ("[",          b"a[b",               false),
            ("[x",         b"[x",                true),
            ("*[]",        b"[]",                false),
            ("[a&&b]",     b"&",                 true),
            ("~^user:\\d+$", b"user:17",         true),
            ("~\\D$",      b"user:17",           false),
            ("/^user/",    b"user:17",           true),
            ("/^user",     b"x/^user",           true),
            ("%usr7",      b"User:17",           true),
            ("%Usr7",      b"user:17",           false),
            ("%7u",        b"user:17",           false),
            ("!%7u",       b"user:17",           true),
            ("%",          b"user:17",           true),
            ("!user",      b"user:17",           false),
            ("!user",      b"cart:17",           true),
            ("",           b"cart:17",           true),
            ("!",          b"cart:17",           true),
            ("~",          b"cart:17",           true),
        ] {
            assert_eq!(finds(typed, name), expected, "{typed} on {}", name.escape_ascii());
        }
    }

    #[test]
    fn a_broken_expression_says_why_in_one_line() {
        let why = Matcher::read("~user(").unwrap_err();
        assert_eq!(why, "unclosed group");
    }

    #[test]
    #[rustfmt::skip]
    fn words_ask_for_what_was_told() {
        let now = UnixMs(1_000_000_000);
        let key = |kind, ttl, size, idle| Fact::of(&Told {
            kind,
            ttl,
            size,
            idle,
            ..Told::default()
        });
        let soon = Ttl::Until(now.plus(Duration::from_secs(30)));
        let hash = key(Some(KeyKind::Hash), soon, Some(Bytes(2 << 20)), Some(Duration::from_secs(90_000)));
        let other = key(Some(KeyKind::Other("json".into())), Ttl::None, None, None);
        let mut packer = Builder::default();
        packer.add(b"cart:1", Some(hash));
        packer.add(b"cart:2", Some(other));
        packer.add(b"cart:3", None);
        let catalog = packer.catalog();
        let chunk = &catalog.runs()[0].leaves()[0].chunk;
        for (typed, expected) in [
            ("type:hash",            1),
            ("type:hash,set cart",   1),
            ("type:set",             0),
            ("type:other",           1),
            ("ttl:<1m",              1),
            ("ttl:>1m",              0),
            ("ttl:none",             1),
            ("ttl:any",              1),
            ("size:>1mb",            1),
            ("size:<1mb",            0),
            ("idle:>1d",             1),
            ("idle:<1d",             0),
            ("type:hash !cart",      0),
            ("cart ttl:none",        1),
            ("cart",                 3),
            ("cart:3",               1),
            ("type:hash ttl:<1m size:>1 idle:>1s %c1", 1),
        ] {
            let filter = Filter::read(typed, now).unwrap().unwrap();
            assert_eq!(filter.mask(chunk).count(), expected, "{typed}");
        }
        for (typed, why) in [
            ("size:>big", "size: compares with a size, as in size:>1mb"),
            ("type:hsh", "type: is one of string, hash, list, set, zset, stream, item, other"),
            ("ttl:soon", "ttl: is none, any, or compares with a time, as in ttl:<1h"),
        ] {
            assert_eq!(Filter::read(typed, now).unwrap_err(), why);
        }
    }

    proptest! {
        #[test]
        fn front_coding_hides_nothing(
            names in prop::collection::btree_set(prop::collection::vec(prop::sample::select(b"abAB".to_vec()), 0..9), 0..60),
            typed in "[abA]{1,4}",
        ) {
            let mut builder = Builder::default();
            for name in &names {
                builder.add(name, None);
            }
            let filter = Filter::read(&typed, UnixMs(0)).unwrap().unwrap();
            let folds = typed.chars().all(char::is_lowercase);
            let expected = names.iter().filter(|name| {
                let (name, typed) = if folds {
                    (name.to_ascii_lowercase(), typed.to_lowercase())
                } else {
                    ((*name).clone(), typed.clone())
                };
                name.windows(typed.len()).any(|part| part == typed.as_bytes())
            });
            let catalog = builder.catalog();
            let leaves = catalog.runs().iter().flat_map(Run::leaves);
            let found: usize = leaves.map(|leaf| filter.mask(&leaf.chunk).count()).sum();
            assert_eq!(found, expected.count());
        }

        #[test]
        fn anything_typed_is_either_read_or_refused(typed in any::<String>(), name in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some(matcher)) = Matcher::read(&typed) {
                matcher.matches(&name);
            }
        }

        #[test]
        fn typed_globs_are_always_readable(typed in r"[a\[\]\\^*?\-&~ ]{0,12}") {
            let typed = format!("{typed}*");
            let not_a_regex = !typed.starts_with(['~', '!', '/']);
            if not_a_regex {
                Matcher::read(&typed).unwrap();
            }
        }
    }
}
