//! What lies over the panes: questions, pickers, help. The topmost hears keys first.

pub mod bookmarks;
pub mod confirm;
pub mod help;
pub mod palette;
pub mod prompt;
pub mod targets;
pub mod text;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::layers::bookmarks::BookmarkList;
use crate::tui::layers::confirm::Confirm;
use crate::tui::layers::help::Help;
use crate::tui::layers::palette::Palette;
use crate::tui::layers::prompt::Prompt;
use crate::tui::layers::targets::Targets;
use crate::tui::layers::text::TextLayer;
use crate::tui::panes::Handled;

#[derive(Debug)]
pub enum Layer {
    Help(Help),
    Palette(Box<Palette>),
    Prompt(Box<Prompt>),
    Confirm(Box<Confirm>),
    Targets(Targets),
    Bookmarks(BookmarkList),
    Text(TextLayer),
}

/// Whether a layer stays after it heard something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    Open,
    Closed,
}

macro_rules! each {
    ($layer:expr, $inner:ident => $call:expr) => {
        match $layer {
            Layer::Help($inner) => $call,
            Layer::Palette($inner) => $call,
            Layer::Prompt($inner) => $call,
            Layer::Confirm($inner) => $call,
            Layer::Targets($inner) => $call,
            Layer::Bookmarks($inner) => $call,
            Layer::Text($inner) => $call,
        }
    };
}

impl Layer {
    pub fn help() -> Self {
        Self::Help(Help::default())
    }

    pub fn palette() -> Self {
        Self::Palette(Box::default())
    }

    pub fn targets(active: usize) -> Self {
        Self::Targets(Targets::at(active))
    }
}

pub fn push(app: &mut App, layer: Layer) {
    app.shell.layers.push(layer);
}

/// Gives a key to the topmost layer, if there is one.
pub fn key(app: &mut App, key: KeyEvent) -> Handled {
    let Some(mut layer) = app.shell.layers.pop() else {
        return Handled::No;
    };
    let depth = app.shell.layers.len();
    if each!(&mut layer, layer => layer.key(app, key)) == Stays::Open {
        // Below whatever it opened meanwhile.
        app.shell.layers.insert(depth, layer);
    }
    Handled::Yes
}

/// Pasted text goes to text fields only: a paste never confirms anything.
pub fn paste(app: &mut App, text: &str) {
    // Terminals send the ends of lines as carriage returns.
    let text: String = text
        .split(['\n', '\r'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    let Some(mut layer) = app.shell.layers.pop() else {
        return;
    };
    match &mut layer {
        Layer::Prompt(prompt) => prompt.paste(app, &text),
        Layer::Palette(palette) => palette.paste(app, &text),
        Layer::Help(_)
        | Layer::Confirm(_)
        | Layer::Targets(_)
        | Layer::Bookmarks(_)
        | Layer::Text(_) => {}
    }
    app.shell.layers.push(layer);
}

/// The mouse does not reach through a layer; the wheel scrolls what scrolls.
pub fn mouse(app: &mut App, mouse: MouseEvent) -> Handled {
    use crossterm::event::MouseEventKind::{ScrollDown, ScrollUp};
    let lines = match mouse.kind {
        ScrollUp => -3,
        ScrollDown => 3,
        _ => 0,
    };
    let Some(layer) = app.shell.layers.last_mut() else {
        return Handled::No;
    };
    match layer {
        Layer::Help(help) => help.scroll(lines),
        Layer::Text(text) => text.scroll(lines),
        Layer::Palette(_)
        | Layer::Prompt(_)
        | Layer::Confirm(_)
        | Layer::Targets(_)
        | Layer::Bookmarks(_) => {}
    }
    Handled::Yes
}

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    for layer in &app.shell.layers {
        each!(layer, layer => layer.draw(app, frame, area));
    }
}
