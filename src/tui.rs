//! The interactive terminal.

pub mod panes;
