//! A cursor in a list of any length. It holds two numbers, however many rows there are.

use std::ops::Range;

use crate::tui::actions::Action;

/// Which row is selected, and which part of the list is in view around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    selected: usize,
    offset: usize,
}

impl Cursor {
    pub fn at(selected: usize) -> Self {
        Self {
            selected,
            offset: 0,
        }
    }

    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Selects a row. `height` rows are in view.
    pub fn select(&mut self, row: usize, len: usize, height: usize) {
        self.selected = row.min(len.saturating_sub(1));
        self.offset = self.visible(len, height).start;
    }

    /// Moves as movement actions say. True when the action was a movement.
    pub fn act(&mut self, action: Action, len: usize, height: usize) -> bool {
        let page = height.max(2) - 1;
        let row = match action {
            Action::Up => self.selected.saturating_sub(1),
            Action::Down => self.selected.saturating_add(1),
            Action::PageUp => self.selected.saturating_sub(page),
            Action::PageDown => self.selected.saturating_add(page),
            Action::Top => 0,
            Action::Bottom => len,
            _ => return false,
        };
        self.select(row, len, height);
        true
    }

    /// Moves the view and takes the selection along only as far as it must: the wheel.
    pub fn scroll(&mut self, by: isize, len: usize, height: usize) {
        let furthest = len.saturating_sub(height);
        self.offset = self.offset.saturating_add_signed(by).min(furthest);
        let last = (self.offset + height).min(len).saturating_sub(1);
        self.selected = self.selected.clamp(self.offset.min(last), last);
    }

    /// The rows in view. The same for the same state: drawing may ask, it changes nothing.
    pub fn visible(&self, len: usize, height: usize) -> Range<usize> {
        let furthest = len.saturating_sub(height);
        let lowest = (self.selected + 1).saturating_sub(height);
        let start = self
            .offset
            .clamp(lowest, self.selected.max(lowest))
            .min(furthest);
        start..(start + height).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_is_always_in_view() {
        let mut cursor = Cursor::default();
        for action in [
            Action::Bottom,
            Action::Up,
            Action::PageUp,
            Action::Top,
            Action::PageDown,
            Action::Down,
        ] {
            assert!(cursor.act(action, 1_000_000, 20));
            let visible = cursor.visible(1_000_000, 20);
            assert!(visible.contains(&cursor.selected()), "{action:?}");
            assert_eq!(visible.len(), 20);
        }
    }

    #[test]
    fn a_list_that_shrank_keeps_a_valid_view() {
        let mut cursor = Cursor::default();
        cursor.act(Action::Bottom, 100, 10);
        assert_eq!(cursor.visible(3, 10), 0..3);
        assert_eq!(cursor.visible(0, 10), 0..0);
    }

    #[test]
    fn one_up_from_inside_does_not_scroll() {
        let mut cursor = Cursor::default();
        cursor.act(Action::Bottom, 100, 10);
        cursor.act(Action::Up, 100, 10);
        assert_eq!(cursor.visible(100, 10), 90..100);
    }

    #[test]
    fn the_wheel_moves_the_view() {
        let mut cursor = Cursor::default();
        cursor.scroll(3, 100, 10);
        assert_eq!(cursor.visible(100, 10), 3..13);
        assert_eq!(cursor.selected(), 3);
    }
}
