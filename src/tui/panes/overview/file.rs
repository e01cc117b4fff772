//! The overview of what counts nothing: the facts that a snapshot file tells of itself.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Sample, units};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

/// Cells of the names.
const NAMES: usize = 20;

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let cells = usize::from(area.width);
    let theme = shell.theme;
    let title = Line::styled(
        text::fit(" What the snapshot says of itself", cells),
        theme.style(Tone::Title),
    );
    let mut lines = vec![title];
    for (name, value) in rows(shell, deck, sample) {
        let name = format!(" {} ", text::pad(&name, NAMES));
        let room = cells.saturating_sub(text::width(&name));
        lines.push(Line::from(vec![
            Span::styled(name, theme.style(Tone::Muted)),
            Span::raw(text::fit(&value, room)),
        ]));
    }
    for (row, line) in area.rows().zip(lines) {
        frame.render_widget(line, row);
    }
}

fn rows(shell: &Shell, deck: &Deck, sample: &Sample) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    match &sample.databases {
        Some(databases) if databases.is_empty() => {
            rows.push(("keys".to_owned(), "none".to_owned()));
        }
        Some(databases) => rows.extend(databases.iter().map(|database| {
            let keys = units::count(database.keys);
            let with_ttl = database.keys_with_ttl.map(units::count);
            let with_ttl = with_ttl.map(|keys| format!(", {keys} with a TTL"));
            let name = if database.index == deck.target.database {
                format!("db{}, shown", database.index)
            } else {
                format!("db{}", database.index)
            };
            (name, format!("{keys} keys{}", with_ttl.unwrap_or_default()))
        })),
        None => {
            let why = sample.unsupported.get("keys").cloned();
            let unknown = shell.theme.unknown().to_owned();
            rows.push(("keys".to_owned(), why.unwrap_or(unknown)));
        }
    }
    let told = sample.raw.iter();
    rows.extend(told.map(|(name, value)| (name.replace(['_', '-'], " "), value.clone())));
    rows
}
