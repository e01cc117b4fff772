//! What may be written to a terminal.
//!
//! The bytes that reached a pty are read as a terminal reads them, and everything that our drawing
//! layer has no reason to send is an offence: a key name must not be able to move the cursor, set
//! the clipboard, hide text or turn it around. Queries (`CSI 6n`, `CSI c`) are offences too: they
//! make a program wait for a terminal that may not answer.

use std::fmt::{Display, Formatter};

/// Something that should not have been written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    pub offset: usize,
    pub what: String,
}

impl Display for Offence {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.what)
    }
}

/// Offences in what a full-screen program wrote.
pub fn of_a_screen(bytes: &[u8]) -> Vec<Offence> {
    Reader::new(bytes, Rules::Screen).offences()
}

/// Offences in what a one-shot command wrote for a person: text, line ends and, when `colours`
/// are expected, SGR sequences.
pub fn of_a_command(bytes: &[u8], colours: bool) -> Vec<Offence> {
    let rules = if colours { Rules::Colours } else { Rules::Text };
    Reader::new(bytes, rules).offences()
}

/// Fails the test when there is an offence, and shows all of them.
pub fn assert_clean(offences: &[Offence]) {
    let listed: Vec<String> = offences.iter().map(ToString::to_string).collect();
    assert!(offences.is_empty(), "{}", listed.join("\n"));
}

/// Modes that crossterm sets: wrap, cursor, mouse, focus, alternate screen, paste, synchronised
/// output.
const MODES: [&str; 11] = [
    "7", "25", "1000", "1002", "1003", "1004", "1006", "1015", "1049", "2004", "2026",
];

/// Characters that cannot be seen or that turn the text around them.
const INVISIBLE: [(u32, u32, &str); 12] = [
    (0x00AD, 0x00AD, "soft hyphen"),
    (0x034F, 0x034F, "grapheme joiner"),
    (0x061C, 0x061C, "bidi mark"),
    (0x180E, 0x180E, "vowel separator"),
    (0x200B, 0x200D, "zero-width character"),
    (0x200E, 0x200F, "bidi mark"),
    (0x2028, 0x2029, "line separator"),
    (0x202A, 0x202E, "bidi embedding"),
    (0x2060, 0x2064, "zero-width character"),
    (0x2066, 0x2069, "bidi isolate"),
    (0xFEFF, 0xFEFF, "byte order mark"),
    (0xE0000, 0xE007F, "tag character"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Screen,
    Colours,
    Text,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    rules: Rules,
    found: Vec<Offence>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], rules: Rules) -> Self {
        Reader {
            bytes,
            at: 0,
            rules,
            found: Vec::new(),
        }
    }

    fn offences(mut self) -> Vec<Offence> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                0x1b => self.escape(),
                b'\n' => self.at += 1,
                b'\r' if self.rules == Rules::Screen => self.at += 1,
                0x00..=0x1f | 0x7f => self.offend(1, format!("control byte {byte:#04x}")),
                _ => self.character(),
            }
        }
        self.found
    }

    fn character(&mut self) {
        let rest = &self.bytes[self.at..];
        let valid = match std::str::from_utf8(&rest[..rest.len().min(4)]) {
            Ok(text) => text,
            Err(why) => std::str::from_utf8(&rest[..why.valid_up_to()]).unwrap_or_default(),
        };
        let Some(character) = valid.chars().next() else {
            return self.offend(1, format!("invalid UTF-8 {:#04x}", rest[0]));
        };
        let code = u32::from(character);
        let hidden = INVISIBLE
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&code));
        if (0x80..=0x9f).contains(&code) {
            self.offend(character.len_utf8(), format!("C1 control U+{code:04X}"));
        } else if let Some((_, _, name)) = hidden {
            self.offend(character.len_utf8(), format!("{name} U+{code:04X}"));
        } else {
            self.at += character.len_utf8();
        }
    }

    fn escape(&mut self) {
        match self.bytes.get(self.at + 1) {
            Some(b'[') => self.control_sequence(),
            Some(b']') => self.system_command(),
            // Save and restore the cursor.
            Some(b'7' | b'8') if self.rules == Rules::Screen => self.at += 2,
            Some(byte) => self.offend(2, format!("ESC {:?}", char::from(*byte))),
            None => self.offend(1, "ESC at the end".to_owned()),
        }
    }

    fn control_sequence(&mut self) {
        let start = self.at + 2;
        let rest = &self.bytes[start..];
        let Some(length) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
            return self.offend(rest.len() + 2, "CSI without an end".to_owned());
        };
        let parameters = rest[..length].escape_ascii().to_string();
        let last = char::from(rest[length]);
        if self.allows(&parameters, last) {
            self.at = start + length + 1;
        } else {
            self.offend(length + 3, format!("CSI {parameters} {last}"));
        }
    }

    fn allows(&self, parameters: &str, last: char) -> bool {
        let numbers = |extra: &str| {
            parameters
                .chars()
                .all(|c| c.is_ascii_digit() || c == ';' || extra.contains(c))
        };
        match (self.rules, last) {
            (Rules::Text, _) => false,
            (_, 'm') => numbers(":"),
            // Cursor moves, erasing, scrolling, saving the cursor.
            (Rules::Screen, 'A'..='H' | 'J' | 'K' | 'S' | 'T' | 'd' | 'f' | 's' | 'u') => {
                numbers("")
            }
            (Rules::Screen, 'h' | 'l') => parameters
                .strip_prefix('?')
                .is_some_and(|modes| modes.split(';').all(|mode| MODES.contains(&mode))),
            // The shape of the cursor.
            (Rules::Screen, 'q') => matches!(
                parameters.strip_suffix(' '),
                Some("0" | "1" | "2" | "3" | "4" | "5" | "6")
            ),
            (Rules::Screen | Rules::Colours, _) => false,
        }
    }

    fn system_command(&mut self) {
        let rest = &self.bytes[self.at + 2..];
        let bell = rest.iter().position(|byte| *byte == 0x07);
        let terminator = rest.windows(2).position(|pair| pair == b"\x1b\\");
        let (length, end) = match (bell, terminator) {
            (Some(bell), Some(terminator)) if terminator < bell => (terminator, 2),
            (Some(bell), _) => (bell, 1),
            (None, Some(terminator)) => (terminator, 2),
            (None, None) => return self.offend(rest.len() + 2, "OSC without an end".to_owned()),
        };
        let body = &rest[..length];
        if self.rules == Rules::Screen && is_clipboard(body) {
            self.at += 2 + length + end;
        } else {
            let shown: String = body.escape_ascii().to_string().chars().take(40).collect();
            self.offend(2 + length + end, format!("OSC {shown}"));
        }
    }

    fn offend(&mut self, length: usize, what: String) {
        self.found.push(Offence {
            offset: self.at,
            what,
        });
        self.at += length;
    }
}

/// OSC 52 that sets the clipboard; never one that reads it (`?`).
fn is_clipboard(body: &[u8]) -> bool {
    let Some(rest) = body.strip_prefix(b"52;") else {
        return false;
    };
    let mut halves = rest.splitn(2, |byte| *byte == b';');
    let selection = halves.next().unwrap_or_default();
    let data = halves.next().unwrap_or(b"?");
    selection.iter().all(|byte| b"cps".contains(byte))
        && data
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}
