//! The escape grammar: bytes in, visible and reversible text out, and back.
//!
//! A character is shown as itself only when it is on the list of what is harmless; everything else
//! is escaped. A list of what is dangerous would be out of date with the next terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use thiserror::Error;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

/// More combining marks than this on one base are not writing but an attack on the terminal.
const MARKS_PER_BASE: u8 = 4;

/// How the empty byte string is written, since nothing at all cannot be seen.
const EMPTY: &str = r"\z";

/// Foreign bytes as one line that is visible, unambiguous and reversible.
///
/// | bytes | shown as |
/// |---|---|
/// | letters, digits, punctuation, symbols, a space inside | themselves |
/// | up to four combining marks after such a character | themselves |
/// | backslash | `\\` |
/// | line feed, carriage return, tab | `\n` `\r` `\t` |
/// | other ASCII controls, bytes that are not UTF-8 | `\x1b` |
/// | a space at either end | `\x20` |
/// | every other character: C1, bidi, invisible, private, unassigned, stray marks | `\u{202e}` |
/// | no bytes at all | `\z` |
pub fn escape(bytes: &[u8]) -> String {
    if is_harmless_ascii(bytes) {
        return bytes.iter().copied().map(char::from).collect();
    }
    escape_name(bytes, Form::Unicode)
}

/// As [`escape`], without a copy where nothing has to be escaped: for millions of names.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_harmless_ascii(bytes) => Cow::Borrowed(text),
        _ => Cow::Owned(escape(bytes)),
    }
}

/// Like [`escape`], and nothing beyond ASCII is shown as itself: for plans, confirmations and audit
/// lines, where a look-alike letter must not pass for another.
pub fn escape_ascii(bytes: &[u8]) -> String {
    escape_name(bytes, Form::Ascii)
}

/// How a tab is shown in a text of several lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tabs {
    /// As `\t`, so that no byte is in doubt.
    #[default]
    Escaped,
    /// As four spaces. Easier to read; a tab can then not be told from spaces.
    Spaces,
}

/// A text of several lines, one after the other. A line feed ends a line (a text that ends with one
/// has an empty last line); everything else is escaped as in [`escape`], only that leading spaces
/// stay (they are the indentation) and an empty line is empty.
pub fn escape_lines(bytes: &[u8], tabs: Tabs) -> impl Iterator<Item = String> {
    bytes.split(|byte| *byte == b'\n').map(move |line| {
        let (body, last_space) = split_last_space(line);
        let mut writer = Writer::new(Form::Unicode, body.len());
        writer.tabs = tabs;
        writer.bytes(body);
        writer.edge_space(last_space);
        writer.out
    })
}

/// The bytes that [`escape`] wrote as `text`.
///
/// Characters other than the backslash stand for themselves, so that a name can be typed or pasted
/// as it is; hexadecimal digits may be of either case.
pub fn unescape(text: &str) -> Result<Vec<u8>, UnescapeError> {
    if text == EMPTY {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape_one(&rest[at..], &mut bytes).ok_or_else(|| UnescapeError {
            escape: wrong_escape(&rest[at..]),
        })?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// An escape that [`escape`] would not have written. Guessing its meaning could name another key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    r"`{escape}` is no escape; known are \\ \n \r \t \xhh \u{{h…}}, and \z alone for nothing (write \\ for a backslash)"
)]
pub struct UnescapeError {
    /// The start of it, itself escaped.
    escape: String,
}

/// JSON source between its quotes: its own backslashes stay, whatever could harm is escaped. The
/// two cannot be confused, since JSON knows neither `\x` nor `\u{`.
pub(super) fn escape_json_source(bytes: &[u8]) -> String {
    let mut writer = Writer::new(Form::JsonSource, bytes.len());
    writer.bytes(bytes);
    writer.out
}

/// Whether `c` is shown as itself, given that it is no combining mark.
pub(super) fn stands_alone(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let is_visible = matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Letter
            | GeneralCategoryGroup::Number
            | GeneralCategoryGroup::Punctuation
            | GeneralCategoryGroup::Symbol
    );
    is_visible && !is_ignorable(c) && !is_blank(c) && matches!(c.width(), Some(1 | 2))
}

/// Whether [`escape`] changes nothing: printable ASCII, no backslash, no space at either end.
fn is_harmless_ascii(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    *first != b' '
        && *last != b' '
        && bytes
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
}

fn escape_name(bytes: &[u8], form: Form) -> String {
    if bytes.is_empty() {
        return EMPTY.to_owned();
    }
    let (body, last_space) = split_last_space(bytes);
    let (first_space, body) = match body.strip_prefix(b" ") {
        Some(body) => (true, body),
        None => (false, body),
    };
    let mut writer = Writer::new(form, bytes.len());
    writer.edge_space(first_space);
    writer.bytes(body);
    writer.edge_space(last_space);
    writer.out
}

fn split_last_space(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.strip_suffix(b" ") {
        Some(body) => (body, true),
        None => (bytes, false),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unicode,
    Ascii,
    JsonSource,
}

/// Writes characters and remembers whether a combining mark may follow.
struct Writer {
    out: String,
    form: Form,
    tabs: Tabs,
    /// Marks that the last character may still take; 0 after what is no base.
    marks_left: u8,
    /// JSON source only: the character before was a backslash that escapes this one.
    is_after_backslash: bool,
}

impl Writer {
    fn new(form: Form, length: usize) -> Self {
        Self {
            out: String::with_capacity(length + length / 8 + 4),
            form,
            tabs: Tabs::Escaped,
            marks_left: 0,
            is_after_backslash: false,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                self.char(c);
            }
            for byte in chunk.invalid() {
                self.byte(*byte);
            }
        }
    }

    fn edge_space(&mut self, is_there: bool) {
        if is_there {
            self.byte(b' ');
        }
    }

    fn char(&mut self, c: char) {
        let was_after_backslash = std::mem::take(&mut self.is_after_backslash);
        match c {
            '\\' if self.form == Form::JsonSource => {
                self.is_after_backslash = !was_after_backslash;
                self.marks_left = 0;
                self.out.push('\\');
            }
            '"' if self.form == Form::JsonSource => self.word("\""),
            '\\' => self.word(r"\\"),
            '\n' => self.word(r"\n"),
            '\r' => self.word(r"\r"),
            '\t' if self.tabs == Tabs::Spaces => self.word("    "),
            '\t' => self.word(r"\t"),
            '\0'..='\x1f' | '\x7f' => self.byte(c as u8),
            ' ' => self.word(" "),
            '!'..='~' => {
                self.out.push(c);
                self.marks_left = if was_after_backslash {
                    0
                } else {
                    MARKS_PER_BASE
                };
            }
            _ if self.form != Form::Ascii && stands_alone(c) => {
                self.out.push(c);
                self.marks_left = MARKS_PER_BASE;
            }
            _ if self.form != Form::Ascii && self.marks_left > 0 && is_mark(c) => {
                self.out.push(c);
                self.marks_left -= 1;
            }
            _ => {
                self.marks_left = 0;
                write!(self.out, r"\u{{{:x}}}", u32::from(c)).expect("a String takes all text");
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        self.marks_left = 0;
        self.is_after_backslash = false;
        write!(self.out, r"\x{byte:02x}").expect("a String takes all text");
    }

    /// Something that no combining mark may sit on.
    fn word(&mut self, word: &str) {
        self.marks_left = 0;
        self.out.push_str(word);
    }
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark && !is_ignorable(c)
}

/// Unicode's `Default_Ignorable_Code_Point`: characters that draw nothing.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}'..='\u{1160}' // Hangul fillers
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{ffa0}' // Hangul fillers
        | '\u{fe00}'..='\u{fe0f}' // variation selectors
        | '\u{feff}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' // tags, more variation selectors
    )
}

/// Symbols that look like nothing or like a replacement: the replacement character (a real one would
/// pass for bytes that were lost), the blank Braille pattern and the null note head.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{2800}' | '\u{1d159}')
}

/// Reads the escape that `text` starts with into `bytes` and returns what follows it.
fn unescape_one<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut chars = text.strip_prefix('\\')?.chars();
    match chars.next()? {
        '\\' => bytes.push(b'\\'),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'x' => {
            let (digits, rest) = chars.as_str().split_at_checked(2)?;
            bytes.push(u8::try_from(hexadecimal(digits)?).ok()?);
            return Some(rest);
        }
        'u' => {
            let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
            let c = char::from_u32(hexadecimal(digits)?)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        _ => return None,
    }
    Some(chars.as_str())
}

fn hexadecimal(digits: &str) -> Option<u32> {
    // `from_str_radix` would also take a sign.
    (digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Enough of a wrong escape to find it, safe to print.
fn wrong_escape(text: &str) -> String {
    let start: String = text.chars().take(4).collect();
    // The backslash is itself and not an escaped one: the reader looks for it as it was typed.
    format!(r"\{}", escape_json_source(&start.as_bytes()[1..]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// What the terminal must be able to take without obeying: read from the output alone, without
    /// the writer's own tables where that is possible.
    fn assert_safe(text: &str) {
        let mut marks = 0;
        for c in text.chars() {
            assert!(!c.is_control(), "{text:?} holds a control");
            let group = c.general_category_group();
            assert!(
                c == ' '
                    || !matches!(
                        group,
                        GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator
                    ),
                "{text:?} holds {c:?}"
            );
            if group == GeneralCategoryGroup::Mark {
                marks += 1;
                assert!(marks <= 4, "{text:?} piles up marks");
            } else {
                marks = 0;
                assert!(
                    matches!(c.width(), Some(1 | 2)),
                    "{text:?} holds {c:?} without a cell"
                );
            }
        }
        assert!(
            !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' '),
            "{text:?}"
        );
    }

    fn check(bytes: &[u8], text: &str) {
        assert_eq!(escape(bytes), text);
        assert_eq!(shown(bytes), text);
        assert_eq!(unescape(text).as_deref(), Ok(bytes));
    }

    fn assert_round_trip(bytes: &[u8]) {
        for text in [escape(bytes), escape_ascii(bytes)] {
            assert_safe(&text);
            assert_eq!(unescape(&text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn ordinary_names_are_shown_as_they_are() {
        check(b"user:42:profile", "user:42:profile");
        check(b"two words", "two words");
        check("größe:東京:🚀".as_bytes(), "größe:東京:🚀");
        check("e\u{301}te\u{301}".as_bytes(), "e\u{301}te\u{301}");
    }

    #[test]
    fn everything_else_is_escaped() {
        check(b"", r"\z");
        check(br"\z", r"\\z");
        check(b" ", r"\x20");
        check(b"  ", r"\x20\x20");
        check(b" a b ", r"\x20a b\x20");
        check(b"a\r\n\t\\", r"a\r\n\t\\");
        check(b"\x1b]0;pwned\x07", r"\x1b]0;pwned\x07");
        check(b"\x1b[2J\x1f\x7f", r"\x1b[2J\x1f\x7f");
        check(b"a\xffb\x9b", r"a\xffb\x9b");
        check("\u{9b}2J".as_bytes(), r"\u{9b}2J");
        check("a\u{202e}b".as_bytes(), r"a\u{202e}b");
        check(
            "a\u{200b}\u{a0}\u{2028}".as_bytes(),
            r"a\u{200b}\u{a0}\u{2028}",
        );
        check(
            "\u{e000}\u{fffd}\u{fdd0}\u{10ffff}".as_bytes(),
            r"\u{e000}\u{fffd}\u{fdd0}\u{10ffff}",
        );
        check(
            "\u{e0041}\u{fe0f}\u{200d}\u{3164}".as_bytes(),
            r"\u{e0041}\u{fe0f}\u{200d}\u{3164}",
        );
    }

    #[test]
    fn marks_need_a_base_and_come_in_fours() {
        check("\u{301}a".as_bytes(), r"\u{301}a");
        check("a \u{301}".as_bytes(), r"a \u{301}");
        check("\n\u{301}".as_bytes(), r"\n\u{301}");
        check("\\\u{301}".as_bytes(), r"\\\u{301}");
        check("a\u{fe0f}b\u{34f}".as_bytes(), r"a\u{fe0f}b\u{34f}");
        let five = "a\u{300}\u{301}\u{302}\u{303}\u{304}";
        check(five.as_bytes(), &format!("{}{}", &five[..9], r"\u{304}"));
    }

    #[test]
    fn the_ascii_form_hides_no_look_alike() {
        assert_eq!(escape_ascii("раypal".as_bytes()), r"\u{440}\u{430}ypal");
        assert_eq!(escape_ascii(b"plain \x07"), r"plain \x07");
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for wrong in [
            r"\",
            r"a\",
            r"\0",
            r"\z ",
            r"a\z",
            r"\x",
            r"\x1",
            r"\xg0",
            r"\x+1",
            r"\u",
            r"\u{",
            r"\u{}",
            r"\u{d800}",
            r"\u{110000}",
            r"\u{1f600",
            r"\u0041",
            r"\q",
            "\\é",
            "\\\u{202e}",
        ] {
            let error = unescape(wrong).expect_err(wrong);
            assert_safe(&error.to_string());
        }
        assert_eq!(unescape(r"\xFF\u{00E9}"), Ok(b"\xff\xc3\xa9".to_vec()));
        assert_eq!(
            unescape(r"a\0").unwrap_err().to_string(),
            r"`\0` is no escape; known are \\ \n \r \t \xhh \u{h…}, and \z alone for nothing (write \\ for a backslash)"
        );
    }

    #[test]
    fn every_string_of_two_bytes_is_its_own() {
        let mut seen = HashSet::new();
        for first in 0..=255 {
            assert_round_trip(&[first]);
            assert!(seen.insert(escape(&[first])));
            for second in 0..=255 {
                assert_round_trip(&[first, second]);
                assert!(seen.insert(escape(&[first, second])));
            }
        }
    }

    #[test]
    fn every_character_is_safe_alone_and_after_a_letter() {
        for c in '\0'..=char::MAX {
            let bytes = format!("{c}a{c}").into_bytes();
            let text = escape(&bytes);
            assert_safe(&text);
            assert_eq!(unescape(&text), Ok(bytes));
        }
    }

    #[test]
    fn lines_keep_their_indentation() {
        let lines = |bytes: &[u8], tabs| escape_lines(bytes, tabs).collect::<Vec<_>>();
        assert_eq!(
            lines(b"a\n  b\n\tc\r\n", Tabs::Escaped),
            ["a", "  b", r"\tc\r", ""]
        );
        assert_eq!(lines(b"\ta\x1b ", Tabs::Spaces), [r"    a\x1b\x20"]);
        assert_eq!(lines(b"", Tabs::Escaped), [""]);
        assert_eq!(
            lines("a\n\u{301}".as_bytes(), Tabs::Escaped),
            ["a", r"\u{301}"]
        );
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop::sample::select(vec![
            "\x1b[2J",
            "\u{202e}",
            "\u{301}",
            "\u{20dd}",
            "\\",
            "\\z",
            " ",
            "a",
            "é",
            "한",
            "\u{1160}",
            "👩\u{200d}🚀",
            "\0",
            "\n",
            "\\x20",
            "\\u{41}",
            "\u{d4e}",
            "\u{9b}",
        ]);
        prop::collection::vec(
            prop_oneof![
                pieces.prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..4),
                any::<char>().prop_map(|c| c.to_string().into_bytes()),
            ],
            0..12,
        )
        .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in hostile()) {
            assert_round_trip(&bytes);
        }

        #[test]
        fn different_bytes_look_different(one in hostile(), other in hostile()) {
            prop_assert_eq!(one == other, escape(&one) == escape(&other));
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"(\\|[xu{}z0-9a-fn]|é|.){0,12}") {
            if let Ok(bytes) = unescape(&text) {
                let canonical = escape(&bytes);
                prop_assert_eq!(unescape(&canonical), Ok(bytes));
            }
        }
    }
}
