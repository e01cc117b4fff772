//! A window of a value as lines of text: what the value view shows and copies.
//!
//! Only the part that was read is here, so everything is bounded; lines are made when they are
//! drawn, and every byte of them went through `text`.

use jiff::tz::TimeZone;

use crate::model::{KeyKind, Part, StreamEntry, Value, Window, units};
use crate::text::{self, Shape, Tabs};

/// Elements of a collection that are read at once.
pub const ELEMENTS: u64 = 200;
/// Bytes of a string that are read at once.
pub const BYTES: u64 = 64 << 10;
/// Lines of JSON that are made of one window.
const JSON_LINES: usize = 20_000;

/// How a string or an element is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As the bytes suggest.
    #[default]
    Auto,
    Json,
    Text,
    Hex,
}

impl Form {
    #[must_use]
    pub fn next(self, bytes: &[u8]) -> Self {
        match self.of(bytes) {
            Shape::Json => Self::Text,
            Shape::Text => Self::Hex,
            Shape::Hex => Self::Json,
        }
    }

    pub fn of(self, bytes: &[u8]) -> Shape {
        match self {
            Self::Auto => text::shape(bytes),
            Self::Json => Shape::Json,
            Self::Text => Shape::Text,
            Self::Hex => Shape::Hex,
        }
    }

    pub fn word(self, bytes: &[u8]) -> &'static str {
        match self.of(bytes) {
            Shape::Json => "JSON",
            Shape::Text => "text",
            Shape::Hex => "hex",
        }
    }
}

/// The first window of a key of this kind.
pub fn first_window(kind: Option<&KeyKind>) -> Window {
    let count = match kind {
        Some(KeyKind::String | KeyKind::Item) => BYTES,
        _ => ELEMENTS,
    };
    Window { from: 0, count }
}

/// How much of the value the part is: elements, or bytes of a string.
pub fn length(part: &Part) -> u64 {
    let length = match part {
        Part::Text(bytes) => bytes.len(),
        Part::List(all) | Part::Set(all) => all.len(),
        Part::Hash(all) => all.len(),
        Part::SortedSet(all) => all.len(),
        Part::Stream(all) => all.len(),
        Part::Opaque(_) => 0,
    };
    length as u64
}

/// What is counted in a value like this one: of one, and of many.
fn unit(part: &Part) -> (&'static str, &'static str) {
    match part {
        Part::Text(_) | Part::Opaque(_) => ("byte", "bytes"),
        Part::List(_) => ("element", "elements"),
        Part::Set(_) | Part::SortedSet(_) => ("member", "members"),
        Part::Hash(_) => ("field", "fields"),
        Part::Stream(_) => ("entry", "entries"),
    }
}

/// `1 key`, `1,203 keys`.
pub fn counted(count: u64, (one, many): (&str, &str)) -> String {
    let unit = if count == 1 { one } else { many };
    format!("{} {unit}", units::count(count))
}

/// `1–200 of 1,203,991 fields`.
pub fn extent(value: &Value) -> String {
    if matches!(value.part, Part::Opaque(_)) {
        return String::new();
    }
    let count = length(&value.part);
    let unit = unit(&value.part);
    let of = value.of.map_or_else(
        || format!("of an unknown number of {}", unit.1),
        |of| format!("of {}", counted(of, unit)),
    );
    match count {
        0 => format!("nothing here, {of}"),
        _ if value.from == 0 && value.of == Some(count) => match count {
            1 => format!("the only {}", unit.0),
            _ => format!("all {}", counted(count, unit)),
        },
        _ => format!(
            "{}–{} {of}",
            units::count(value.from + 1),
            units::count(value.from + count)
        ),
    }
}

/// The window after the one that was read; `None` when that was the last.
pub fn next_window(value: &Value, asked: Window) -> Option<Window> {
    let end = value.from + length(&value.part);
    let is_more = value.of.is_some_and(|of| end < of);
    (is_more && length(&value.part) > 0).then_some(Window {
        from: end,
        count: asked.count,
    })
}

pub fn previous_window(asked: Window) -> Option<Window> {
    (asked.from > 0).then(|| Window {
        from: asked.from.saturating_sub(asked.count),
        count: asked.count,
    })
}

/// One string or element as lines that are at most `cells` wide.
pub fn lines(bytes: &[u8], from: u64, form: Form, cells: usize) -> Vec<String> {
    let cells = cells.max(8);
    match form.of(bytes) {
        Shape::Hex => text::hex_dump(bytes, from, cells).collect(),
        Shape::Json => wrapped(text::json_pretty(bytes, JSON_LINES), cells),
        Shape::Text => wrapped(text::escape_lines(bytes, Tabs::Spaces), cells),
    }
}

/// Lines, and those that are wider than `cells` as several.
pub fn wrapped(lines: impl IntoIterator<Item = String>, cells: usize) -> Vec<String> {
    let mut out = Vec::new();
    for line in lines {
        if text::width(&line) <= cells {
            out.push(line);
        } else {
            wrap(&line, cells, &mut out);
        }
    }
    out
}

fn wrap(line: &str, cells: usize, out: &mut Vec<String>) {
    let mut row = String::new();
    let mut taken = 0;
    for letter in line.chars() {
        let width = unicode_width::UnicodeWidthChar::width(letter).unwrap_or_default();
        if taken + width > cells {
            out.push(std::mem::take(&mut row));
            taken = 0;
        }
        row.push(letter);
        taken += width;
    }
    out.push(row);
}

/// The rows of a collection; none for a string.
pub fn elements(part: &Part) -> usize {
    match part {
        Part::Text(_) | Part::Opaque(_) => 0,
        _ => usize::try_from(length(part)).unwrap_or(usize::MAX),
    }
}

/// The titles of a collection's two columns.
pub fn columns(part: &Part) -> (&'static str, &'static str) {
    match part {
        Part::List(_) => ("INDEX", "ELEMENT"),
        Part::Set(_) => ("", "MEMBER"),
        Part::Hash(_) => ("FIELD", "VALUE"),
        Part::SortedSet(_) => ("SCORE", "MEMBER"),
        Part::Stream(_) => ("ID", "FIELDS"),
        Part::Text(_) | Part::Opaque(_) => ("", ""),
    }
}

/// The two cells of a row, each cut to `cells`.
pub fn row(value: &Value, at: usize, cells: (usize, usize)) -> Option<(String, String)> {
    let (left, right) = cells;
    Some(match &value.part {
        Part::List(all) => {
            let index = value.from + at as u64;
            (units::count(index), brief(all.get(at)?, right))
        }
        Part::Set(all) => (String::new(), brief(all.get(at)?, right)),
        Part::Hash(all) => {
            let (field, value) = all.get(at)?;
            (brief(field, left), brief(value, right))
        }
        Part::SortedSet(all) => {
            let (member, score) = all.get(at)?;
            (score.to_string(), brief(member, right))
        }
        Part::Stream(all) => {
            let entry = all.get(at)?;
            (
                brief(entry.id.as_bytes(), left),
                text::fit(&fields(entry, right), right),
            )
        }
        Part::Text(_) | Part::Opaque(_) => return None,
    })
}

/// The bytes of an element that are worth opening: the value, where there is a name as well.
pub fn element(part: &Part, at: usize) -> Option<&[u8]> {
    match part {
        Part::List(all) | Part::Set(all) => all.get(at).map(Vec::as_slice),
        Part::Hash(all) => all.get(at).map(|(_, value)| value.as_slice()),
        Part::SortedSet(all) => all.get(at).map(|(member, _)| member.as_slice()),
        Part::Stream(_) | Part::Text(_) | Part::Opaque(_) => None,
    }
}

/// An element opened on its own: a title and its lines.
pub fn opened(
    value: &Value,
    at: usize,
    form: Form,
    cells: usize,
    zone: &TimeZone,
) -> Option<(String, Vec<String>)> {
    let title = match &value.part {
        Part::List(_) => format!("element {}", units::count(value.from + at as u64)),
        Part::Set(_) => "member".to_owned(),
        Part::Hash(all) => format!("field {}", brief(&all.get(at)?.0, cells)),
        Part::SortedSet(all) => format!("member with score {}", all.get(at)?.1),
        Part::Stream(all) => return Some(stream_entry(all.get(at)?, form, cells, zone)),
        Part::Text(_) | Part::Opaque(_) => return None,
    };
    Some((title, lines(element(&value.part, at)?, 0, form, cells)))
}

fn stream_entry(
    entry: &StreamEntry,
    form: Form,
    cells: usize,
    zone: &TimeZone,
) -> (String, Vec<String>) {
    let id = entry.id.clone();
    let title = match entry.at {
        Some(at) => format!("entry {id} ({})", units::local_time(at, zone)),
        None => format!("entry {id}"),
    };
    let mut out = Vec::new();
    for (field, value) in &entry.fields {
        out.push(format!("{}:", brief(field, cells.saturating_sub(1))));
        let inner = lines(value, 0, form, cells.saturating_sub(2));
        out.extend(inner.into_iter().map(|line| format!("  {line}")));
    }
    (title, out)
}

fn fields(entry: &StreamEntry, cells: usize) -> String {
    let mut out = String::new();
    for (field, value) in &entry.fields {
        if !out.is_empty() {
            out.push_str("  ");
        }
        out.extend([brief(field, cells), "=".to_owned(), brief(value, cells)]);
        if text::width(&out) > cells {
            break;
        }
    }
    out
}

/// Foreign bytes on one line of at most `cells`, without looking at megabytes for it.
pub fn brief(bytes: &[u8], cells: usize) -> String {
    // No cell of a shown text takes more bytes than this, but for marks piled on a letter.
    let enough = bytes.len().min(cells.saturating_mul(8) + 16);
    let is_cut = enough < bytes.len();
    let shown = text::escape(&bytes[..enough]);
    if is_cut && text::width(&shown) <= cells {
        return text::fit(&format!("{shown}…"), cells);
    }
    text::fit(&shown, cells)
}

/// A name on one line of at most `cells`, cut in its middle: long names often differ at their ends.
pub fn brief_name(name: &[u8], cells: usize) -> String {
    let enough = cells.saturating_mul(8) + 16;
    if name.len() <= enough * 2 {
        return text::fit_middle(&text::escape(name), cells);
    }
    let ends = [&name[..enough], &name[name.len() - enough..]];
    text::fit_middle(&ends.map(text::escape).concat(), cells)
}

/// What copying takes of a string or an element, and whether it is exactly its bytes.
pub fn copied(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(_) => (text::escape(bytes), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn value(part: Part, from: u64, of: Option<u64>) -> Value {
        Value {
            part,
            from,
            of,
            cut: None,
        }
    }

    fn list(from: u64, of: Option<u64>) -> Value {
        value(Part::List(vec![b"x".to_vec(); 200]), from, of)
    }

    #[test]
    fn the_extent_says_which_part_of_how_much() {
        assert_eq!(
            extent(&list(0, Some(1_203_991))),
            "1–200 of 1,203,991 elements"
        );
        assert_eq!(
            extent(&list(200, None)),
            "201–400 of an unknown number of elements"
        );
        assert_eq!(extent(&list(0, Some(200))), "all 200 elements");
        let empty = value(Part::Text(Vec::new()), 0, Some(0));
        assert_eq!(extent(&empty), "nothing here, of 0 bytes");
    }

    #[test]
    fn windows_lead_on_and_back_and_end() {
        let asked = Window {
            from: 200,
            count: 200,
        };
        let next = next_window(&list(200, Some(450)), asked).unwrap();
        assert_eq!((next.from, next.count), (400, 200));
        assert_eq!(next_window(&list(200, Some(400)), asked), None);
        assert_eq!(previous_window(asked).unwrap().from, 0);
        assert_eq!(
            previous_window(Window {
                from: 0,
                count: 200
            }),
            None
        );
    }

    #[test]
    fn a_value_opens_in_the_form_that_reads_best() {
        assert_eq!(lines(b"{\"a\":[1]}", 0, Form::Auto, 40).len(), 5);
        assert_eq!(lines(b"plain\ntext", 0, Form::Auto, 40), ["plain", "text"]);
        assert!(lines(b"\x00\xff\x01", 0, Form::Auto, 80)[0].starts_with("00000000  00 ff 01"));
        assert_eq!(lines(b"abcdefghij", 0, Form::Text, 8), ["abcdefgh", "ij"]);
        assert_eq!(Form::Auto.next(b"{}"), Form::Text);
    }

    #[test]
    fn rows_show_both_sides_of_an_element() {
        let hash = value(
            Part::Hash(vec![(b"name".to_vec(), b"A\x1b[2J".to_vec())]),
            0,
            Some(1),
        );
        let cells = (10, 20);
        assert_eq!(
            row(&hash, 0, cells),
            Some(("name".into(), r"A\x1b[2J".into()))
        );
        assert_eq!(row(&hash, 1, cells), None);
        let scores = value(Part::SortedSet(vec![(b"m".to_vec(), 1.5)]), 0, Some(1));
        assert_eq!(row(&scores, 0, cells), Some(("1.5".into(), "m".into())));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_view(
            bytes in prop::collection::vec(any::<u8>(), 0..300), cells in 8usize..60,
        ) {
            for form in [Form::Text, Form::Json] {
                for line in lines(&bytes, 0, form, cells) {
                    assert!(text::width(&line) <= cells, "{line:?} in {cells}");
                }
            }
            assert!(text::width(&brief(&bytes, cells)) <= cells);
            assert!(text::width(&brief_name(&bytes, cells)) <= cells);
        }
    }
}
