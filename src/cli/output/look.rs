//! How text looks: colour where it is wanted, tables that know the width of characters.

use std::io::{self, IsTerminal};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What stdout can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    has_colour: bool,
    is_ascii: bool,
}

/// A cell filled by one to eight eighths.
const EIGHTHS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// Colours by meaning; everything reads the same without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Heading,
    Good,
    Caution,
    Danger,
    Faint,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Heading => "1",
            Self::Good => "32",
            Self::Caution => "33",
            Self::Danger => "1;31",
            Self::Faint => "2",
        }
    }
}

/// Whether stdout gets colours: asked away by flag or `NO_COLOR`, forced by `CLICOLOR_FORCE`, else
/// as the terminal is one.
pub fn wants_colour(no_color: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let is_dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if no_color || set("NO_COLOR") {
        false
    } else {
        set("CLICOLOR_FORCE") || (io::stdout().is_terminal() && !is_dumb())
    }
}

impl Look {
    pub fn of_stdout(no_color: bool) -> Self {
        Self {
            has_colour: wants_colour(no_color),
            is_ascii: false,
        }
    }

    pub fn plain() -> Self {
        Self {
            has_colour: false,
            is_ascii: false,
        }
    }

    /// With characters of ASCII alone, of our own at least.
    #[must_use]
    pub fn in_ascii(self, is_ascii: bool) -> Self {
        Self { is_ascii, ..self }
    }

    pub fn is_ascii(self) -> bool {
        self.is_ascii
    }

    /// A share of one as a bar of at most so many cells; what is there at all is seen.
    pub fn bar(self, share: f64, cells: u8) -> String {
        let parts = if self.is_ascii { &["#"][..] } else { &EIGHTHS };
        let steps = parts.len();
        let all = f64::from(cells) * steps as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 255 times 8"
        )]
        let filled = (share.clamp(0.0, 1.0) * all).round() as usize;
        let filled = filled.max(usize::from(share > 0.0));
        let mut bar = parts[steps - 1].repeat(filled / steps);
        if !filled.is_multiple_of(steps) {
            bar.push_str(parts[filled % steps - 1]);
        }
        bar
    }

    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.has_colour && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// A table without borders. The texts must be escaped already; a column is moved to the right
    /// when its heading begins with `>`.
    pub fn table(self, headings: &[&str], rows: &[Vec<String>]) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(headings.iter().map(|one| one.trim_start_matches('>')))
            .add_rows(rows.iter().map(|row| &row[..headings.len().min(row.len())]));
        for (column, heading) in table.column_iter_mut().zip(headings) {
            column.set_padding((0, 2));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            if number == 0 {
                text.push_str(&self.paint(Paint::Heading, line));
            } else {
                text.push_str(line);
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_shares_and_hide_nothing() {
        let look = Look::plain();
        for (share, bar, ascii) in [
            (0.0, "", ""),
            (0.000_1, "▏", "#"),
            (0.5, "██", "##"),
            (0.6, "██▍", "##"),
            (1.0, "████", "####"),
            (7.0, "████", "####"),
            (f64::NAN, "", ""),
        ] {
            assert_eq!(look.bar(share, 4), bar, "{share}");
            assert_eq!(look.in_ascii(true).bar(share, 4), ascii, "{share}");
        }
    }

    #[test]
    fn wide_characters_keep_the_columns_straight() {
        let rows = [
            vec!["漢字".to_owned(), "1".to_owned()],
            vec!["abcde".to_owned(), "10".to_owned()],
        ];
        assert_eq!(
            Look::plain().table(&["NAME", ">KEYS"], &rows),
            "NAME   KEYS\n漢字      1\nabcde    10\n"
        );
    }
}
