//! Text to read: an error in full, what the server says in its own words.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::actions::Action;
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::widgets::panel;

#[derive(Debug, Default)]
pub struct TextLayer {
    pub title: String,
    /// Safe to show, one screen line each.
    pub lines: Vec<String>,
    offset: usize,
}

impl TextLayer {
    pub fn new(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self {
            title: title.into(),
            lines,
            offset: 0,
        }
    }

    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let action = app.shell.keymap.in_layer(key);
        let page = usize::from(app.shell.area.height / 2);
        if action.is_some_and(|action| scrolled(&mut self.offset, action, page, self.lines.len())) {
            return Stays::Open;
        }
        closes(action)
    }

    pub fn scroll(&mut self, lines: isize) {
        self.offset = shifted(self.offset, lines, self.lines.len());
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let area = panel::centred(
            area,
            100,
            u16::try_from(self.lines.len() + 2).unwrap_or(u16::MAX),
        );
        let rows = usize::from(area.height.saturating_sub(2));
        let (offset, place) = in_view(self.offset, self.lines.len(), rows);
        let title = format!("{}{place}", self.title);
        let inner = panel::over(app.shell.theme, frame, area, &title);
        for (row, line) in inner.rows().zip(self.lines.iter().skip(offset)) {
            frame.render_widget(Line::from(line.as_str()), row);
        }
    }
}

/// The first line to draw, and, where not all lines fit, words for the title that say which do.
pub fn in_view(offset: usize, len: usize, rows: usize) -> (usize, String) {
    let offset = offset.min(len.saturating_sub(rows));
    let place = if len > rows {
        format!(", lines {}-{} of {len}", offset + 1, offset + rows)
    } else {
        String::new()
    };
    (offset, place)
}

/// Whether an action closes a layer that is only there to be read.
pub fn closes(action: Option<Action>) -> Stays {
    match action {
        Some(Action::Back | Action::Quit | Action::Enter | Action::Help | Action::No) => {
            Stays::Closed
        }
        _ => Stays::Open,
    }
}

/// Moves an offset as movement actions say; false for other actions.
pub fn scrolled(offset: &mut usize, action: Action, page: usize, len: usize) -> bool {
    let page = isize::try_from(page).unwrap_or(isize::MAX);
    *offset = match action {
        Action::Up => shifted(*offset, -1, len),
        Action::Down => shifted(*offset, 1, len),
        Action::PageUp => shifted(*offset, -page, len),
        Action::PageDown => shifted(*offset, page, len),
        Action::Top => 0,
        Action::Bottom => len.saturating_sub(1),
        _ => return false,
    };
    true
}

fn shifted(offset: usize, by: isize, len: usize) -> usize {
    offset.saturating_add_signed(by).min(len.saturating_sub(1))
}
