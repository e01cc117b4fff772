//! The keys pane.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::{Pane, PaneId};
use crate::tui::shell::Shell;

#[derive(Debug, Default)]
pub struct Keys {}

pub const PANE: Pane = Pane {
    id: PaneId::Keys,
    title: "Keys",
    open: Action::OpenKeys,
    draw,
    ..Pane::STILL
};

fn draw(_: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    frame.render_widget(Line::from(deck.target.name.as_str()), area);
}
