//! The keys that work here, from the table of actions.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::actions::{ACTIONS, Risk, Row, Scope};
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::layers::text::{closes, scrolled};
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::panel;

const KEYS: usize = 22;

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
        let area = panel::centred(area, 92, height);
        let title = format!("Keys in {}", app.pane().title);
        let inner = panel::over(app.shell.theme, frame, area, &title);
        let offset = self
            .offset
            .min(lines.len().saturating_sub(usize::from(inner.height)));
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
        lines.extend(rows.map(|row| line(app, theme, row)));
        lines.push(Line::default());
    }
    lines.pop();
    lines
}

fn line(app: &App, theme: Theme, row: &Row) -> Line<'static> {
    let keys = app.shell.keymap.keys(row.action).join(" ");
    let tone = match row.risk {
        Risk::Looks => Tone::Plain,
        Risk::Changes => Tone::Caution,
        Risk::Destroys => Tone::Danger,
    };
    Line::from(vec![
        Span::styled(
            format!("  {} ", text::pad(&keys, KEYS)),
            theme.style(Tone::Key),
        ),
        Span::styled(row.words, theme.style(tone)),
    ])
}
