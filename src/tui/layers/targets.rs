//! Choosing among the targets that are open.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::worker::SessionState;
use crate::text;
use crate::tui::actions::Action;
use crate::tui::app::App;
use crate::tui::deck::Deck;
use crate::tui::layers::Stays;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::list::Cursor;
use crate::tui::widgets::panel;

#[derive(Debug)]
pub struct Targets {
    cursor: Cursor,
}

impl Targets {
    pub fn at(active: usize) -> Self {
        Self {
            cursor: Cursor::at(active),
        }
    }

    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let height = usize::from(app.shell.area.height / 2);
        match app.shell.keymap.in_layer(key) {
            Some(Action::Enter) => {
                app.choose_target(self.cursor.selected());
                Stays::Closed
            }
            Some(Action::Back | Action::Quit) => Stays::Closed,
            Some(action) => {
                self.cursor.act(action, app.decks.len(), height);
                Stays::Open
            }
            None => Stays::Open,
        }
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let theme = app.shell.theme;
        let height = u16::try_from(app.decks.len() + 2).unwrap_or(u16::MAX);
        let area = panel::centred(area, 60, height);
        let inner = panel::over(theme, frame, area, "Targets");
        let shown = self
            .cursor
            .visible(app.decks.len(), usize::from(inner.height));
        for (row, at) in inner.rows().zip(shown) {
            let line = line(theme, &app.decks[at], usize::from(inner.width));
            let style = if at == self.cursor.selected() {
                theme.style(Tone::Selected)
            } else {
                theme.style(Tone::Plain)
            };
            frame.render_widget(line.style(style), row);
        }
    }
}

fn line(theme: Theme, deck: &Deck, width: usize) -> Line<'static> {
    let (tone, word) = match deck.session {
        SessionState::Up => (Tone::Good, "up"),
        SessionState::Connecting => (Tone::Caution, "connecting"),
        SessionState::Down { .. } => (Tone::Danger, "down"),
    };
    let name = text::fit(
        &text::escape(deck.target.name.as_bytes()),
        width.saturating_sub(14),
    );
    Line::from(vec![
        Span::raw(format!(" {} ", text::pad(&name, width.saturating_sub(14)))),
        Span::styled(word, theme.style(tone)),
    ])
}
