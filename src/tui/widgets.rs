//! What panes are drawn with. None of these knows what it shows.

pub mod chart;
pub mod facts;
pub mod field;
pub mod gauge;
pub mod list;
pub mod panel;
