//! What panes are drawn with. None of these knows what it shows.

pub mod field;
pub mod list;
pub mod panel;
