//! JSON laid out for reading, exactly as it was written.
//!
//! A JSON library would round long numbers, drop duplicate keys and refuse a value that was cut. A
//! person who looks at a cache wants to see what is there, so this moves only the white space: every
//! token is shown in its own spelling, and where the text stops being JSON the last line says so.

use std::ops::ControlFlow;

use crate::text::escape::escape_json_source;

/// Deeper than this, nobody reads on and indentation eats the screen.
const DEEPEST: usize = 128;

const INDENT: &str = "  ";

/// The lines of `bytes` as indented JSON, at most `max_lines` of them, and one more that begins with
/// `…` when something is missing: the value is cut, is not JSON from some byte on, nests too deep,
/// or has more lines.
pub fn json_pretty(bytes: &[u8], max_lines: usize) -> Vec<String> {
    let mut printer = Printer {
        lines: Vec::new(),
        line: String::new(),
        depth: 0,
        max_lines: max_lines.max(1),
    };
    let end = walk(bytes, |token| printer.token(token));
    printer.finish(&end)
}

/// Whether this is a JSON object or array, or begins like one and is cut. A lone bracket is not
/// enough to say so.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    if !matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return false;
    }
    let mut tokens = 0;
    let end = walk(bytes, |_| {
        tokens += 1;
        ControlFlow::Continue(())
    });
    match end {
        End::Whole => true,
        End::Cut { .. } => tokens > 1,
        End::Wrong { .. } | End::TooDeep { .. } | End::Stopped => false,
    }
}

/// How reading ended.
enum End {
    Whole,
    /// The bytes end inside so many open objects and arrays.
    Cut {
        open: usize,
    },
    /// Not JSON from this byte on.
    Wrong {
        at: usize,
    },
    TooDeep {
        at: usize,
    },
    /// The reader of the tokens had enough.
    Stopped,
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Open(Bracket),
    /// `is_empty`: nothing stood between the brackets.
    Close {
        bracket: Bracket,
        is_empty: bool,
    },
    /// A key or an element begins.
    Item,
    /// A string with its quotes (the last one may be missing at the end of a cut value), a number or
    /// a word.
    Scalar(&'a [u8]),
    Colon,
    Comma,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Object,
    Array,
}

impl Bracket {
    fn open(self) -> char {
        match self {
            Self::Object => '{',
            Self::Array => '[',
        }
    }

    fn close(self) -> char {
        match self {
            Self::Object => '}',
            Self::Array => ']',
        }
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// Right after an opening bracket: a first item or the closing one.
    FirstItem,
    Key,
    Colon,
    /// After an item: a comma or the closing bracket.
    Next,
    /// After the outermost value: nothing.
    Nothing,
}

/// Reads tokens and hands them on for as long as they make JSON.
fn walk<'a>(bytes: &'a [u8], mut sink: impl FnMut(Token<'a>) -> ControlFlow<()>) -> End {
    let mut reader = Reader {
        bytes,
        at: 0,
        open: Vec::new(),
        expect: Expect::Value,
    };
    loop {
        let next = match reader.next() {
            Ok(next) => next,
            Err(end) => return end,
        };
        if next.begins_item && sink(Token::Item).is_break() || sink(next.token).is_break() {
            return End::Stopped;
        }
        if next.is_cut {
            return reader.cut();
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Bracket>,
    expect: Expect,
}

struct Next<'a> {
    token: Token<'a>,
    /// It is a key, or the beginning of an array's element.
    begins_item: bool,
    is_cut: bool,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Next<'a>, End> {
        self.at += self.bytes[self.at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        let at = self.at;
        if at == self.bytes.len() {
            return Err(match self.expect {
                Expect::Nothing => End::Whole,
                _ => self.cut(),
            });
        }
        let inside = self.open.last().copied();
        let step = step(&self.bytes[at..], self.expect, inside).ok_or(End::Wrong { at })?;
        if matches!(step, Step::Open(_)) && self.open.len() == DEEPEST {
            return Err(End::TooDeep { at });
        }
        let begins_item = match self.expect {
            Expect::Key => true,
            Expect::Value => inside == Some(Bracket::Array),
            Expect::FirstItem => !matches!(step, Step::Close(_)),
            Expect::Colon | Expect::Next | Expect::Nothing => false,
        };
        Ok(Next {
            begins_item,
            is_cut: matches!(&step, Step::Scalar(scalar) if scalar.is_cut),
            token: self.take(&step),
        })
    }

    /// Moves past the token and knows what may follow it.
    fn take(&mut self, step: &Step) -> Token<'a> {
        let start = self.at;
        self.at += match step {
            Step::Scalar(scalar) => scalar.length,
            _ => 1,
        };
        match *step {
            Step::Open(bracket) => {
                self.open.push(bracket);
                self.expect = Expect::FirstItem;
                Token::Open(bracket)
            }
            Step::Close(bracket) => {
                let is_empty = self.expect == Expect::FirstItem;
                self.open.pop();
                self.expect = after_value(&self.open);
                Token::Close { bracket, is_empty }
            }
            Step::Comma => {
                self.expect = match self.open.last() {
                    Some(Bracket::Object) => Expect::Key,
                    _ => Expect::Value,
                };
                Token::Comma
            }
            Step::Colon => {
                self.expect = Expect::Value;
                Token::Colon
            }
            Step::Scalar(_) => {
                let is_key = self.open.last() == Some(&Bracket::Object)
                    && matches!(self.expect, Expect::Key | Expect::FirstItem);
                self.expect = if is_key {
                    Expect::Colon
                } else {
                    after_value(&self.open)
                };
                Token::Scalar(&self.bytes[start..self.at])
            }
        }
    }

    fn cut(&self) -> End {
        End::Cut {
            open: self.open.len(),
        }
    }
}

fn after_value(open: &[Bracket]) -> Expect {
    if open.is_empty() {
        Expect::Nothing
    } else {
        Expect::Next
    }
}

enum Step {
    Open(Bracket),
    Close(Bracket),
    Comma,
    Colon,
    Scalar(Scalar),
}

/// A string, number or word at the start of the rest.
struct Scalar {
    length: usize,
    /// The bytes end before it does.
    is_cut: bool,
}

/// The token that `rest` begins with; `None` when it must not come here.
fn step(rest: &[u8], expect: Expect, inside: Option<Bracket>) -> Option<Step> {
    let wants_key =
        expect == Expect::Key || (expect == Expect::FirstItem && inside == Some(Bracket::Object));
    let wants_value =
        expect == Expect::Value || (expect == Expect::FirstItem && inside == Some(Bracket::Array));
    let may_close = matches!(expect, Expect::FirstItem | Expect::Next);
    match rest.first()? {
        b'{' if wants_value => Some(Step::Open(Bracket::Object)),
        b'[' if wants_value => Some(Step::Open(Bracket::Array)),
        b'}' if may_close && inside == Some(Bracket::Object) => Some(Step::Close(Bracket::Object)),
        b']' if may_close && inside == Some(Bracket::Array) => Some(Step::Close(Bracket::Array)),
        b',' if expect == Expect::Next => Some(Step::Comma),
        b':' if expect == Expect::Colon => Some(Step::Colon),
        b'"' if wants_key || wants_value => string(rest).map(Step::Scalar),
        b'-' | b'0'..=b'9' if wants_value => number(rest).map(Step::Scalar),
        b't' if wants_value => word(rest, b"true").map(Step::Scalar),
        b'f' if wants_value => word(rest, b"false").map(Step::Scalar),
        b'n' if wants_value => word(rest, b"null").map(Step::Scalar),
        _ => None,
    }
}

fn string(rest: &[u8]) -> Option<Scalar> {
    let mut at = 1;
    loop {
        match rest.get(at) {
            None => {
                return Some(Scalar {
                    length: rest.len(),
                    is_cut: true,
                });
            }
            Some(b'"') => {
                return Some(Scalar {
                    length: at + 1,
                    is_cut: false,
                });
            }
            Some(b'\\') => at += string_escape(&rest[at..])?,
            Some(0..=0x1f) => return None,
            Some(_) => at += 1,
        }
    }
}

/// The length of a string's own escape, perhaps cut; `None` when JSON knows no such escape.
fn string_escape(rest: &[u8]) -> Option<usize> {
    match rest.get(1) {
        None => Some(1),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(2),
        Some(b'u') => {
            let digits = &rest[2..rest.len().min(6)];
            digits
                .iter()
                .all(u8::is_ascii_hexdigit)
                .then_some(2 + digits.len())
        }
        Some(_) => None,
    }
}

fn number(rest: &[u8]) -> Option<Scalar> {
    let length = rest
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .count();
    let text = &rest[..length];
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, after) = digits(unsigned);
    let is_whole = !whole.is_empty() && (whole.len() == 1 || whole[0] != b'0');
    let is_valid = is_whole && is_fraction_and_exponent(after);
    // What is missing may be just what was cut off.
    let is_cut = !is_valid && length == rest.len();
    (is_valid || is_cut).then_some(Scalar { length, is_cut })
}

fn is_fraction_and_exponent(text: &[u8]) -> bool {
    let after_fraction = match text.strip_prefix(b".") {
        Some(fraction) => {
            let (fraction, after) = digits(fraction);
            if fraction.is_empty() {
                return false;
            }
            after
        }
        None => text,
    };
    match after_fraction {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            let (exponent, after) = digits(exponent);
            !exponent.is_empty() && after.is_empty()
        }
        _ => false,
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn word(rest: &[u8], word: &[u8]) -> Option<Scalar> {
    let length = word.len().min(rest.len());
    (rest[..length] == word[..length]).then_some(Scalar {
        length,
        is_cut: length < word.len(),
    })
}

/// Breaks tokens into lines.
struct Printer {
    lines: Vec<String>,
    line: String,
    depth: usize,
    max_lines: usize,
}

impl Printer {
    fn token(&mut self, token: Token<'_>) -> ControlFlow<()> {
        match token {
            Token::Item => return self.next_line(),
            Token::Open(bracket) => {
                self.line.push(bracket.open());
                self.depth += 1;
            }
            Token::Close { bracket, is_empty } => {
                self.depth -= 1;
                if !is_empty {
                    self.next_line()?;
                }
                self.line.push(bracket.close());
            }
            Token::Colon => self.line.push_str(": "),
            Token::Comma => self.line.push(','),
            Token::Scalar(text) => self.line.push_str(&escape_json_source(text)),
        }
        ControlFlow::Continue(())
    }

    fn next_line(&mut self) -> ControlFlow<()> {
        self.lines.push(std::mem::take(&mut self.line));
        if self.lines.len() >= self.max_lines {
            return ControlFlow::Break(());
        }
        self.line = INDENT.repeat(self.depth);
        ControlFlow::Continue(())
    }

    fn finish(mut self, end: &End) -> Vec<String> {
        if !self.line.trim_ascii().is_empty() {
            self.lines.push(self.line);
        }
        let note = match end {
            End::Whole => return self.lines,
            End::Cut { open: 0 } => "… the value ends here".to_owned(),
            End::Cut { open: 1 } => "… the value ends here, 1 bracket is open".to_owned(),
            End::Cut { open } => format!("… the value ends here, {open} brackets are open"),
            End::Wrong { at } => format!("… not JSON from byte {at} on"),
            End::TooDeep { at } => format!("… nested more than {DEEPEST} deep at byte {at}"),
            End::Stopped => "… more lines are not shown".to_owned(),
        };
        self.lines.push(note);
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pretty(text: &str) -> Vec<String> {
        json_pretty(text.as_bytes(), 1000)
    }

    #[test]
    fn objects_and_arrays_are_indented() {
        assert_eq!(
            pretty(r#" {"a":1,"b":[true,null,[]],"c":{} , "d":{"e":"f"}} "#),
            [
                "{",
                r#"  "a": 1,"#,
                r#"  "b": ["#,
                "    true,",
                "    null,",
                "    []",
                "  ],",
                r#"  "c": {},"#,
                r#"  "d": {"#,
                r#"    "e": "f""#,
                "  }",
                "}",
            ]
        );
        assert_eq!(pretty("42"), ["42"]);
    }

    #[test]
    fn nothing_is_rounded_dropped_or_reordered() {
        assert_eq!(
            pretty(r#"{"b":12345678901234567890.10,"a":-0.0e+05,"b":1e400}"#),
            [
                "{",
                r#"  "b": 12345678901234567890.10,"#,
                r#"  "a": -0.0e+05,"#,
                r#"  "b": 1e400"#,
                "}"
            ]
        );
    }

    #[test]
    fn strings_are_safe_and_keep_their_spelling() {
        assert_eq!(pretty(r#"["a\u001b\n\\\""]"#)[1], r#"  "a\u001b\n\\\"""#);
        assert_eq!(
            pretty("[\"a\u{202e}\u{301}é\"]")[1],
            r#"  "a\u{202e}\u{301}é""#
        );
        assert_eq!(
            pretty("[\"\u{301}\\n\u{301}\"]")[1],
            r#"  "\u{301}\n\u{301}""#
        );
        assert_eq!(json_pretty(b"[\"\xff\"]", 9)[1], r#"  "\xff""#);
    }

    #[test]
    fn a_cut_value_says_so() {
        assert_eq!(
            pretty(r#"{"a":[1,"tex"#),
            [
                "{",
                r#"  "a": ["#,
                "    1,",
                r#"    "tex"#,
                "… the value ends here, 2 brackets are open"
            ]
        );
        assert_eq!(
            pretty(r#"{"a":"#),
            [
                "{",
                r#"  "a": "#,
                "… the value ends here, 1 bracket is open"
            ]
        );
        assert_eq!(
            pretty("[tr"),
            ["[", "  tr", "… the value ends here, 1 bracket is open"]
        );
        assert_eq!(pretty(""), ["… the value ends here"]);
    }

    #[test]
    fn what_is_not_json_is_named_by_its_byte() {
        for (text, at) in [
            ("[1,]", 3),
            ("{\"a\" 1}", 5),
            ("{1:2}", 1),
            ("[01]", 1),
            ("[1.]", 1),
            ("[1e]", 1),
            ("[-]", 1),
            ("[\"\\x\"]", 1),
            ("[\"a\nb\"]", 1),
            ("[nul]", 1),
            ("{]", 1),
            ("[}", 1),
            ("[] []", 3),
            ("[1 2]", 3),
        ] {
            let last = pretty(text).pop().unwrap();
            assert_eq!(last, format!("… not JSON from byte {at} on"), "{text}");
        }
    }

    #[test]
    fn lines_are_limited() {
        assert_eq!(
            json_pretty(b"[1,2,3,4]", 3),
            ["[", "  1,", "  2,", "… more lines are not shown"]
        );
        assert_eq!(json_pretty(b"[1]", 3), ["[", "  1", "]"]);
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(200_000);
        let lines = pretty(&deep);
        assert_eq!(lines.len(), DEEPEST + 1);
        assert_eq!(lines[DEEPEST], "… nested more than 128 deep at byte 128");
        assert!(!is_json(deep.as_bytes()));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "[a-zé\"\\\\\n ]{0,6}".prop_map(serde_json::Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
                prop::collection::vec(("[a-z]{0,3}", inner), 0..5)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whole_values_mean_the_same_and_cut_ones_are_prefixes(value in json(), cut in 0_usize..400) {
            let source = serde_json::to_string(&value).unwrap();
            let lines = pretty(&source);
            let reread: serde_json::Value = serde_json::from_str(&lines.join("\n")).unwrap();
            prop_assert_eq!(&reread, &value);

            let cut = &source.as_bytes()[..cut.min(source.len())];
            let cut_lines = json_pretty(cut, 1000);
            prop_assert!(!cut_lines.iter().any(|line| line.contains("not JSON")), "{:?}", cut_lines);
        }

        #[test]
        fn any_bytes_are_laid_out_safely(bytes in prop::collection::vec(
            prop_oneof![prop::sample::select(b"{}[]\":,\\u01e.-tn \x1b\xff".to_vec()), any::<u8>()], 0..40
        )) {
            let lines = json_pretty(&bytes, 20);
            prop_assert!(lines.len() <= 21);
            prop_assert!(lines.iter().all(|line| !line.contains(char::is_control)));
            let is_valid = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
            if is_valid {
                prop_assert!(lines.iter().all(|line| !line.starts_with('…')));
            }
        }
    }
}
