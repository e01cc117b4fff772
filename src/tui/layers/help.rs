//! The keys that work here, from the table of actions.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::actions::{ACTIONS, Risk, Row, Scope};
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::layers::text::{closes, in_view, scrolled};
use crate::tui::panes::states::wrapped;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::panel;

const KEYS: usize = 22;

/// The widest that help is drawn.
const WIDTH: u16 = 92;

#[derive(Debug, Default)]
pub struct Help {
    offset: usize,
}

impl Help {
    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let action = app.shell.keymap.in_layer(key);
        let page = usize::from(app.shell.area.height / 2);
        let len = lines(app).len();
        if action.is_some_and(|action| scrolled(&mut self.offset, action, page, len)) {
            return Stays::Open;
        }
        closes(action)
    }

    pub fn scroll(&mut self, lines: isize) {
        self.offset = self.offset.saturating_add_signed(lines);
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let lines = lines(app);
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let area = panel::centred(area, WIDTH, height);
        let rows = usize::from(area.height.saturating_sub(2));
        let (offset, place) = in_view(self.offset, lines.len(), rows);
        let title = format!("Keys for {}{place}", app.pane().title);
        let inner = panel::over(app.shell.theme, frame, area, &title);
        for (row, line) in inner.rows().zip(lines.into_iter().skip(offset)) {
            frame.render_widget(line, row);
        }
    }
}

fn lines(app: &App) -> Vec<Line<'static>> {
    let theme = app.shell.theme;
    let sections = [
        (app.pane().title, Scope::Pane(app.shell.pane)),
        ("Movement", Scope::List),
        ("Everywhere", Scope::Global),
    ];
    let mut lines = Vec::new();
    for (title, scope) in sections {
        let mut rows = ACTIONS.iter().filter(|row| row.scope == scope).peekable();
        if rows.peek().is_none() {
            continue;
        }
        lines.push(Line::styled(title, theme.style(Tone::Title)));
        lines.extend(rows.flat_map(|row| row_lines(app, theme, row)));
        lines.push(Line::default());
    }
    lines.pop();
    lines
}

fn row_lines(app: &App, theme: Theme, row: &Row) -> Vec<Line<'static>> {
    let keys = app.shell.keymap.keys(row.action).join(" ");
    let tone = match row.risk {
        Risk::Looks => Tone::Plain,
        Risk::Changes => Tone::Caution,
        Risk::Destroys => Tone::Danger,
    };
    // The frame, and the columns before the words.
    let taken = KEYS.max(text::width(&keys)) + 5;
    let cells = usize::from(app.shell.area.width.saturating_sub(2).min(WIDTH));
    wrapped(row.words, cells.saturating_sub(taken).max(16))
        .into_iter()
        .enumerate()
        .map(|(at, words)| {
            let keys = if at == 0 { keys.as_str() } else { "" };
            Line::from(vec![
                Span::styled(
                    format!("  {} ", text::pad(keys, KEYS)),
                    theme.style(Tone::Key),
                ),
                Span::styled(words, theme.style(tone)),
            ])
        })
        .collect()
}
