//! What a person types after `/`, and the names that match it.
//!
//! Text finds names that contain it; with `*`, `?` or `[` it is a glob for the whole name, as the
//! server's MATCH reads it; after `~` or between slashes it is a regular expression; `!` before any
//! of them turns it round. Small letters match capitals too, until a capital is typed. Matching goes
//! over the names in bites, so that a key press is answered while millions are looked at.

use regex::bytes::{Regex, RegexBuilder};

use crate::text;
use crate::tui::panes::keys::names::Names;

#[derive(Clone, Debug)]
pub struct Matcher {
    regex: Regex,
    is_inverse: bool,
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
        let pattern = match as_regex(typed) {
            Some(pattern) => pattern.to_owned(),
            None if typed.contains(['*', '?', '[']) => glob(typed),
            None => literals(&as_shown(typed)),
        };
        if pattern.is_empty() {
            return Ok(None);
        }
        let regex = RegexBuilder::new(&pattern)
            .unicode(false)
            .dot_matches_new_line(true)
            .case_insensitive(!has_capital(typed))
            .size_limit(1 << 20)
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Some(Self { regex, is_inverse }))
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        self.regex.is_match(name) != self.is_inverse
    }
}

/// The bytes that are meant by text as the list shows it: `\x1b` is one byte, as is `\\`. A backslash
/// that begins nothing of the kind stands for itself.
fn as_shown(typed: &str) -> Vec<u8> {
    text::unescape(typed).unwrap_or_else(|_| typed.as_bytes().to_vec())
}

fn literals(bytes: &[u8]) -> String {
    let mut pattern = String::new();
    for byte in bytes {
        literal(*byte, &mut pattern);
    }
    pattern
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

/// The names that match, found bite by bite.
#[derive(Clone, Debug)]
pub struct Filter {
    typed: String,
    matcher: Matcher,
    hits: Vec<u32>,
    upto: u32,
}

impl Filter {
    /// # Errors
    /// Why what was typed cannot be read.
    pub fn read(typed: &str) -> Result<Option<Self>, String> {
        let matcher = Matcher::read(typed)?;
        Ok(matcher.map(|matcher| Self {
            typed: typed.to_owned(),
            matcher,
            hits: Vec::new(),
            upto: 0,
        }))
    }

    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The numbers of the matching names among those looked at, in the order of arrival.
    pub fn hits(&self) -> &[u32] {
        &self.hits
    }

    /// Names that were looked at.
    pub fn upto(&self) -> u32 {
        self.upto
    }

    /// Begins anew, for other names.
    pub fn restart(&mut self) {
        self.hits.clear();
        self.upto = 0;
    }

    /// Looks at up to `budget` more names; says whether some are left.
    pub fn step(&mut self, names: &Names, budget: usize) -> bool {
        for (id, name) in names.since(self.upto).take(budget) {
            if self.matcher.matches(name) {
                self.hits.push(id);
            }
            self.upto = id + 1;
        }
        self.upto < names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

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
    fn goes_on_where_it_stopped_when_more_names_come() {
        let mut names = Names::default();
        let mut filter = Filter::read("b").unwrap().unwrap();
        for name in ["abc", "a", "b"] {
            names.add(name.as_bytes(), None);
        }
        assert!(filter.step(&names, 2));
        assert_eq!((filter.hits(), filter.upto()), (&[0][..], 2));
        names.add(b"bb", None);
        assert!(!filter.step(&names, 100));
        assert_eq!((filter.hits(), filter.upto()), (&[0, 2, 3][..], 4));
    }

    proptest! {
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
