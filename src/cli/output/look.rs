//! How text looks: colour where it is wanted, tables that know the width of characters.

use std::io::{self, IsTerminal};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What stdout can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    has_colour: bool,
}

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
        }
    }

    pub fn plain() -> Self {
        Self { has_colour: false }
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
