//! Choosing among favourite keys and those that were opened lately.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Key;
use crate::text;
use crate::tui::actions::Action;
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::panes::PaneId;
use crate::tui::panes::keys::card::Card;
use crate::tui::theme::Tone;
use crate::tui::widgets::list::Cursor;
use crate::tui::widgets::panel;

#[derive(Debug, Default)]
pub struct BookmarkList {
    cursor: Cursor,
}

impl BookmarkList {
    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let keys = keys(app);
        let height = usize::from(app.shell.area.height / 2);
        match app.shell.keymap.in_layer(key) {
            Some(Action::Enter) => {
                if let Some((_, key)) = keys.into_iter().nth(self.cursor.selected()) {
                    app.open(PaneId::Keys);
                    let active = app.active;
                    Card::open(&mut app.cx(active), key, None);
                }
                Stays::Closed
            }
            Some(Action::Back | Action::Quit) => Stays::Closed,
            Some(action) => {
                self.cursor.act(action, keys.len(), height);
                Stays::Open
            }
            None => Stays::Open,
        }
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let theme = app.shell.theme;
        let keys = keys(app);
        let height = u16::try_from(keys.len() + 2).unwrap_or(u16::MAX);
        let area = panel::centred(area, 80, height.max(3));
        let inner = panel::over(theme, frame, area, "Favourite and recent keys");
        let cells = usize::from(inner.width).saturating_sub(4);
        if keys.is_empty() {
            let key = app.shell.keymap.key(Action::Favourite);
            let words = format!(" none yet: {key} on a key makes it a favourite");
            let line = Line::styled(text::fit(&words, cells + 4), theme.style(Tone::Muted));
            frame.render_widget(line, inner);
            return;
        }
        let shown = self.cursor.visible(keys.len(), usize::from(inner.height));
        for (row, at) in inner.rows().zip(shown) {
            let (is_favourite, key) = &keys[at];
            let sign = if *is_favourite {
                theme.sign("★", "*")
            } else {
                " "
            };
            let name = text::fit_middle(&text::escape(key.bytes()), cells);
            let style = if at == self.cursor.selected() {
                theme.style(Tone::Selected)
            } else {
                theme.style(Tone::Plain)
            };
            let line = Line::from(vec![
                Span::styled(format!(" {sign} "), theme.style(Tone::Accent)),
                Span::raw(text::pad(&name, cells)),
            ]);
            frame.render_widget(line.style(style), row);
        }
    }
}

/// Favourites first; what is one is not listed again among the recent.
fn keys(app: &App) -> Vec<(bool, Key)> {
    let bookmarks = &app.deck().bookmarks;
    let favourites = bookmarks.favourites.iter().map(|key| (true, key.clone()));
    let recent = bookmarks.recent.iter();
    let recent = recent.filter(|key| !bookmarks.is_favourite(key));
    favourites
        .chain(recent.map(|key| (false, key.clone())))
        .collect()
}
