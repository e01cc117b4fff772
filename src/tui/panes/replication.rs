//! Who copies from whom, and how far behind.

mod view;

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::model::{Feature, Replica};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::states::draw_nothing_yet;
use crate::tui::panes::{Handled, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::widgets::list::Cursor;

/// Which replica is looked at; the rest stands in the history of readings.
#[derive(Debug, Default)]
pub struct ReplicationState {
    cursor: Cursor,
}

pub const PANE: Pane = Pane {
    id: PaneId::Replication,
    title: "Replication",
    words: "Who copies from whom, how far behind in bytes and seconds",
    open: Action::OpenReplication,
    needs: &[Feature::Replication],
    draw,
    act,
    mouse,
    ..Pane::STILL
};

/// Rows of the table that are in view at most; the chart below takes the rest.
const ROWS: usize = 8;

fn act(cx: &mut Cx, action: Action) -> Handled {
    let len = replicas(cx.deck).len();
    if cx.deck.replication.cursor.act(action, len, ROWS) {
        Handled::Yes
    } else {
        Handled::No
    }
}

fn mouse(cx: &mut Cx, mouse: MouseEvent, _: Rect) -> Handled {
    let len = replicas(cx.deck).len();
    let by = match mouse.kind {
        MouseEventKind::ScrollUp => -1,
        MouseEventKind::ScrollDown => 1,
        _ => return Handled::No,
    };
    cx.deck.replication.cursor.scroll(by, len, ROWS);
    Handled::Yes
}

fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    match deck.latest() {
        Some(sample) => view::draw(shell, deck, sample, frame, area),
        None => draw_nothing_yet(shell, deck, frame, area),
    }
}

fn replicas(deck: &Deck) -> &[Replica] {
    deck.latest()
        .and_then(|sample| sample.replication.as_ref())
        .map_or(&[], |replication| &replication.replicas)
}
