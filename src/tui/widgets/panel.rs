//! Frames: a titled border inside a pane, and a cleared one over it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear};

use crate::tui::theme::{Theme, Tone};

/// A framed part of a pane. Gives the inside.
pub fn within(theme: Theme, frame: &mut Frame, area: Rect, title: &str, note: &str) -> Rect {
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.borders())
        .border_style(theme.style(Tone::Border))
        .title_top(Line::from(Span::styled(
            format!(" {title} "),
            theme.style(Tone::Title),
        )));
    if !note.is_empty() {
        let note = Span::styled(format!(" {note} "), theme.style(Tone::Muted));
        block = block.title_top(Line::from(note).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// The frame of a layer: what is below disappears. Gives the inside.
pub fn over(theme: Theme, frame: &mut Frame, area: Rect, title: &str) -> Rect {
    frame.render_widget(Clear, area);
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.borders())
        .border_style(theme.style(Tone::Accent))
        .title_top(Line::from(Span::styled(
            format!(" {title} "),
            theme.style(Tone::Title),
        )));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// A rectangle in the middle, at most as large as asked.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = width
        .min(area.width.saturating_sub(2))
        .max(area.width.min(18));
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// A rectangle at the bottom, over the whole width.
pub fn bottom(area: Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    Rect {
        y: area.y + area.height - height,
        height,
        ..area
    }
}
