//! What a value seems to be, so that a viewer opens it in the form that reads best.

use crate::text::escape::stands_alone;
use crate::text::json::is_json;

/// A text may hold this many characters that need an escape, as a share of all, before bytes in
/// hexadecimal read better.
const STRANGE_SHARE: usize = 10;

/// How a value is best shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A JSON object or array, or the beginning of one.
    Json,
    Text,
    Hex,
}

/// A guess from the bytes at hand, which may be only the first part of a value.
pub fn shape(bytes: &[u8]) -> Shape {
    if is_json(bytes) {
        Shape::Json
    } else if is_text(bytes) {
        Shape::Text
    } else {
        Shape::Hex
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may have been cut with the value.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).expect("this much is valid")
        }
        Err(_) => return false,
    };
    let mut all = 0;
    let mut strange = 0;
    for c in text.chars() {
        if c == '\0' {
            return false;
        }
        all += 1;
        strange += usize::from(!matches!(c, '\n' | '\r' | '\t') && !stands_alone(c));
    }
    // A lone byte that begins a character and never ends it is no text.
    strange * STRANGE_SHARE <= all && (all > 0 || bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_told_apart() {
        for (bytes, expected) in [
            (&b"{\"a\": [1, 2]}"[..], Shape::Json),
            (b" [1]\n", Shape::Json),
            (b"{}", Shape::Json),
            (b"{\"name\": \"An", Shape::Json),
            (b"[{\"a\":1},{", Shape::Json),
            (b"", Shape::Text),
            (b"42", Shape::Text),
            (b"\"quoted\"", Shape::Text),
            (b"[", Shape::Text),
            (b"[INFO] started", Shape::Text),
            (b"{curly} words", Shape::Text),
            (b"{\"a\":1} and more", Shape::Text),
            ("größe\r\n\tzwei".as_bytes(), Shape::Text),
            (&"größe".as_bytes()[..4], Shape::Text),
            (
                b"a log line \x1b[31mred\x1b[0m with some colour in it",
                Shape::Text,
            ),
            (b"\x80\x04\x95\x10", Shape::Hex),
            (b"abc\0def", Shape::Hex),
            (b"\xc3", Shape::Hex),
            (b"\x01\x02\x03", Shape::Hex),
            (b"a\xffb", Shape::Hex),
        ] {
            assert_eq!(shape(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
