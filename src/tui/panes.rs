//! The table of panes. One more pane is one more file and one more row.

pub mod diff;
pub mod keys;
pub mod memory;
pub mod overview;
pub mod replication;
pub mod snapshots;
pub mod states;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::engine::worker::Report;
use crate::model::{Change, Feature, Outcome, UnixMs};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::shell::{Cx, Shell};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaneId {
    Overview,
    Keys,
    Snapshots,
    Replication,
    Memory,
    Diff,
}

/// Whether a pane did something with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    Yes,
    No,
}

/// What a pane is told beside its own answers.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// It is on the screen now.
    Opened,
    /// It is not any more.
    Left,
    /// A new reading is in the deck's history.
    Sampled,
    /// The connection (re)started.
    Up,
    /// The moment came that it named as due.
    Due,
    /// The person asked to read the server again.
    Refresh,
    /// A permitted change goes to the server now.
    Sent(&'a Change),
    /// A change was carried out on this target.
    Changed(&'a Outcome),
}

/// A row of the table. State lives in the deck, so these are plain functions.
#[derive(Debug)]
pub struct Pane {
    pub id: PaneId,
    pub title: &'static str,
    /// What it is for: a line for the README.
    pub words: &'static str,
    /// The action that opens it; its key is the tab's.
    pub open: Action,
    /// Without these the pane shows the reason instead.
    pub needs: &'static [Feature],
    /// Draws the body. Only called when nothing needed is missing.
    pub draw: fn(&Shell, &Deck, &mut Frame, Rect),
    pub act: fn(&mut Cx, Action) -> Handled,
    /// Whether the footer should offer an action of the pane or of `Scope::List` now.
    pub is_possible: fn(&Shell, &Deck, Action) -> bool,
    /// Keys before the keymap sees them, for text fields inside the pane.
    pub key: fn(&mut Cx, KeyEvent) -> Handled,
    pub mouse: fn(&mut Cx, MouseEvent, Rect) -> Handled,
    /// The answer to a ticket of this pane.
    pub report: fn(&mut Cx, Report),
    pub notice: fn(&mut Cx, Notice),
    /// The next moment at which something it shows changes by itself.
    pub due: fn(&Shell, &Deck) -> Option<UnixMs>,
}

impl Pane {
    /// A pane that does nothing: rows say what differs.
    const STILL: Self = Self {
        id: PaneId::Overview,
        title: "",
        words: "",
        open: Action::OpenOverview,
        needs: &[],
        draw: |_, _, _, _| {},
        act: |_, _| Handled::No,
        is_possible: |_, _, _| false,
        key: |_, _| Handled::No,
        mouse: |_, _, _| Handled::No,
        report: |_, _| {},
        notice: |_, _| {},
        due: |_, _| None,
    };
}

pub static PANES: &[Pane] = &[
    overview::PANE,
    keys::PANE,
    snapshots::PANE,
    replication::PANE,
    memory::PANE,
    diff::PANE,
];

/// The README's table of panes, in Markdown.
pub fn readme_panes() -> String {
    let heading = "| Pane | Key | What |\n|---|---|---|\n".to_owned();
    PANES.iter().fold(heading, |table, pane| {
        let key = pane.open.row().keys.first().copied().unwrap_or_default();
        format!("{table}| {} | `{key}` | {} |\n", pane.title, pane.words)
    })
}

impl PaneId {
    /// Its row.
    ///
    /// # Panics
    /// Never: every pane has a row.
    pub fn row(self) -> &'static Pane {
        PANES
            .iter()
            .find(|pane| pane.id == self)
            .expect("every pane has a row, and a test says so")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pane_has_a_row_that_opens_it() {
        for id in [
            PaneId::Overview,
            PaneId::Keys,
            PaneId::Snapshots,
            PaneId::Replication,
            PaneId::Memory,
            PaneId::Diff,
        ] {
            assert_eq!(id.row().id, id);
            let same = PANES.iter().filter(|pane| pane.open == id.row().open);
            assert_eq!(same.count(), 1);
        }
    }
}
