//! Escaped text in a row of terminal cells.
//!
//! Text is cut between graphemes, and an escape counts as one: `\u{202e}` cut to `\u{20` would read
//! as another character, and cut to `\` as a backslash.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

const CUT: &str = "…";
const CUT_WIDTH: usize = 1;

/// Graphemes wider than this may be cut between their characters, since a hostile name can be one
/// single grapheme of any length.
const WIDEST_GRAPHEME: usize = 4;

/// The cells that `text` takes when it is drawn, grapheme by grapheme as the screen does it.
pub fn width(text: &str) -> usize {
    if is_printable_ascii(text) {
        return text.len();
    }
    pieces(text).map(UnicodeWidthStr::width).sum()
}

/// `text` in at most `cells`, cut at its end with `…` when it is longer.
pub fn fit(text: &str, cells: usize) -> String {
    if fits(text, cells) {
        return text.to_owned();
    }
    if cells < CUT_WIDTH {
        return String::new();
    }
    let mut head = head(text, cells - CUT_WIDTH).to_owned();
    head.push_str(CUT);
    head
}

/// `text` in at most `cells`, cut in the middle with `…`: long names often differ at their ends.
pub fn fit_middle(text: &str, cells: usize) -> String {
    if fits(text, cells) {
        return text.to_owned();
    }
    if cells < CUT_WIDTH {
        return String::new();
    }
    let for_text = cells - CUT_WIDTH;
    let head = head(text, for_text.div_ceil(2));
    let tail = tail(&text[head.len()..], for_text / 2);
    [head, CUT, tail].concat()
}

/// `text` in exactly `cells`: cut with `…` or filled with spaces at its end.
pub fn pad(text: &str, cells: usize) -> String {
    let mut text = fit(text, cells);
    let missing = cells.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// `text` in exactly `cells`, moved to the right: for numbers.
pub fn pad_left(text: &str, cells: usize) -> String {
    let text = fit(text, cells);
    let missing = cells.saturating_sub(width(&text));
    [" ".repeat(missing), text].concat()
}

fn fits(text: &str, cells: usize) -> bool {
    if is_printable_ascii(text) {
        return text.len() <= cells;
    }
    head(text, cells).len() == text.len()
}

fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The longest start of `text` that takes at most `cells`.
fn head(text: &str, cells: usize) -> &str {
    let mut used = 0;
    let mut length = 0;
    for piece in pieces(text) {
        used += piece.width();
        if used > cells {
            break;
        }
        length += piece.len();
    }
    &text[..length]
}

/// The longest end of `text` that takes at most `cells`.
fn tail(text: &str, cells: usize) -> &str {
    let mut kept = VecDeque::new();
    let mut used = 0;
    for piece in pieces(text) {
        let cells_of_piece = piece.width();
        used += cells_of_piece;
        kept.push_back((piece.len(), cells_of_piece));
        while used > cells {
            let (_, dropped) = kept.pop_front().expect("what is used is kept");
            used -= dropped;
        }
    }
    let length: usize = kept.iter().map(|(length, _)| length).sum();
    &text[text.len() - length..]
}

/// What must not be cut, one after the other: escapes and graphemes.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(piece_length(rest)?);
        rest = after;
        Some(piece)
    })
}

/// The length of the first piece; `None` at the end.
fn piece_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if *bytes.first()? == b'\\' {
        return Some(escape_length(text));
    }
    if bytes[0].is_ascii() && bytes.get(1).is_none_or(u8::is_ascii) {
        return Some(1);
    }
    let grapheme = text.graphemes(true).next()?;
    // Some letters draw what follows into their grapheme, even a backslash.
    let grapheme = grapheme.find('\\').map_or(grapheme, |at| &grapheme[..at]);
    if grapheme.width() <= WIDEST_GRAPHEME {
        return Some(grapheme.len());
    }
    let next_cell = grapheme
        .char_indices()
        .skip(1)
        .find(|(_, c)| super::escape::stands_alone(*c));
    Some(next_cell.map_or(grapheme.len(), |(at, _)| at))
}

/// The length of the escape that `text` starts with; 1 when it is a mere backslash.
fn escape_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        Some(b'\\' | b'n' | b'r' | b't' | b'z') => 2,
        Some(b'x') if bytes.len() >= 4 && bytes[2..4].iter().all(u8::is_ascii_hexdigit) => 4,
        Some(b'u') if bytes.get(2) == Some(&b'{') => bytes
            .iter()
            .take(10)
            .position(|byte| *byte == b'}')
            .map_or(1, |end| end + 1),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::escape;

    #[test]
    fn what_fits_stays() {
        assert_eq!(fit("user:1", 6), "user:1");
        assert_eq!(fit_middle("user:1", 6), "user:1");
        assert_eq!(fit("東京", 4), "東京");
        assert_eq!(fit("", 0), "");
    }

    #[test]
    fn what_does_not_fit_is_cut_with_a_sign() {
        assert_eq!(fit("user:1234", 6), "user:…");
        assert_eq!(fit_middle("user:1234:name", 8), "user…ame");
        assert_eq!(fit_middle("user:1234:name", 7), "use…ame");
        assert_eq!(fit("東京都", 4), "東…");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(fit_middle("abc", 1), "…");
    }

    #[test]
    fn escapes_are_not_cut() {
        assert_eq!(fit(r"a\u{202e}b", 9), "a…");
        assert_eq!(fit(r"a\u{202e}bc", 10), r"a\u{202e}…");
        assert_eq!(fit(r"\\\\", 3), r"\\…");
        assert_eq!(fit(r"a\x1b[2J", 4), "a…");
        assert_eq!(fit_middle(r"abcd\x1b\x07", 7), "abc…");
        assert_eq!(fit_middle(r"abcdefg\x07", 9), r"abcd…\x07");
    }

    #[test]
    fn marks_stay_with_their_letter() {
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(width("e\u{301}"), 1);
    }

    #[test]
    fn a_grapheme_without_end_is_cut_all_the_same() {
        let jamo = "\u{1100}".repeat(50);
        assert_eq!(fit(&jamo, 6), format!("{}…", "\u{1100}".repeat(2)));
    }

    #[test]
    fn padding_fills_the_cells() {
        assert_eq!(pad("東", 4), "東  ");
        assert_eq!(pad("東京都", 4), "東… ");
        assert_eq!(pad_left("42", 4), "  42");
    }

    /// The cells that the screen gives to a text.
    fn drawn(text: &str) -> usize {
        text.graphemes(true).map(UnicodeWidthStr::width).sum()
    }

    proptest! {
        #[test]
        fn a_cut_never_exceeds_its_cells(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                any::<String>().prop_map(String::into_bytes),
                "[a한\u{1100}\u{301}\u{d4e}🇩🏽 \\\\]{0,40}".prop_map(String::into_bytes),
            ],
            cells in 0_usize..24,
        ) {
            let text = escape(&bytes);
            for cut in [fit(&text, cells), fit_middle(&text, cells)] {
                prop_assert!(width(&cut) <= cells, "{}", cut);
                prop_assert!(drawn(&cut) <= cells, "{}", cut);
                prop_assert!(cut == text || cut.contains('…') || cells == 0);
            }
            prop_assert_eq!(width(&pad(&text, cells)), cells);
        }
    }
}
