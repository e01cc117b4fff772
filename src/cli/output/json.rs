//! JSON that is safe to look at.
//!
//! JSON leaves C1 controls and text-direction marks as they are, and a terminal obeys some of them.
//! Whatever `text` would not show as itself is written as `\uXXXX` instead: the same value to a
//! program, and harmless to a person.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use serde_json::{Value, json};

use crate::text;

/// A key or a value: a string when it is UTF-8, else `{"base64": …}`.
pub fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// On one line.
pub fn line(value: &Value) -> String {
    write(value, CompactFormatter)
}

/// Indented.
pub fn pretty(value: &Value) -> String {
    write(value, PrettyFormatter::new())
}

fn write(value: &Value, inner: impl Formatter) -> String {
    let mut out = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut out, Harmless(inner)))
        .expect("a JSON value can be written to memory");
    String::from_utf8(out).expect("JSON is written as UTF-8")
}

/// A string with its quotes.
pub fn quoted(text: &str) -> String {
    line(&Value::from(text))
}

/// Another formatter, with strings that a terminal cannot obey.
struct Harmless<F>(F);

macro_rules! as_inside {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {
        $(fn $method<W: ?Sized + Write>(&mut self, writer: &mut W $(, $name: $type)*) -> io::Result<()> {
            self.0.$method(writer $(, $name)*)
        })*
    };
}

impl<F: Formatter> Formatter for Harmless<F> {
    as_inside! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = [0; 4];
        for c in fragment.chars() {
            let shown = c.encode_utf8(&mut plain);
            if c == ' ' || text::escape(shown.as_bytes()) == *shown {
                writer.write_all(shown.as_bytes())?;
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_become_base64() {
        assert_eq!(line(&bytes(b"caf\xc3\xa9")), "\"café\"");
        assert_eq!(line(&bytes(b"\xff\x00")), r#"{"base64":"/wA="}"#);
    }

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(
            quoted("a b\u{1b}[2J \u{9b}1m \u{202e}x\u{7f}\u{e0041}"),
            "\"a b\\u001b[2J \\u009b1m \\u202ex\\u007f\\udb40\\udc41\""
        );
    }

    #[test]
    fn what_was_escaped_reads_back_the_same() {
        let text = "\u{9b}1m\u{202e} \\ \" é 漢 \u{1f600}\u{301}";
        let back: Value = serde_json::from_str(&quoted(text)).unwrap();
        assert_eq!(back, text);
    }
}
