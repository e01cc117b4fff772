//! The overview pane.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::{Pane, PaneId};
use crate::tui::shell::Shell;

pub const PANE: Pane = Pane {
    id: PaneId::Overview,
    title: "Overview",
    open: Action::OpenOverview,
    draw,
    ..Pane::STILL
};

fn draw(_: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    frame.render_widget(Line::from(deck.target.name.as_str()), area);
}
