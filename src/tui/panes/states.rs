//! What a pane shows before there is anything to show, and words that panes share.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::engine::worker::SessionState;
use crate::model::units;
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

/// How the reason for what a user may not do begins.
pub const NOT_PERMITTED: &str = "not permitted:";

/// Draws "loading" or "failing" for a pane that has nothing yet.
pub fn draw_nothing_yet(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let name = text::escape(deck.target.name.as_bytes());
    let lines = match &deck.session {
        SessionState::Connecting | SessionState::Up => vec![Line::styled(
            format!("connecting to {name} …"),
            theme.style(Tone::Muted),
        )],
        SessionState::Down { why, .. } => {
            let mut lines = vec![
                Line::styled(format!("no connection to {name}"), theme.style(Tone::Title)),
                Line::styled(why.to_string(), theme.style(Tone::Danger)),
            ];
            if let Some(hint) = why.hint() {
                lines.push(Line::styled(
                    format!("try: {hint}"),
                    theme.style(Tone::Plain),
                ));
            }
            let key = shell.keymap.key(Action::Refresh);
            lines.push(Line::styled(
                format!("it is tried again by itself; {key} tries at once"),
                theme.style(Tone::Muted),
            ));
            lines
        }
    };
    say(frame, area, lines);
}

/// A few centred lines in an otherwise empty pane.
pub fn say(frame: &mut Frame, area: Rect, lines: Vec<Line<'static>>) {
    let top = area
        .height
        .saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX))
        / 3;
    let place = Rect {
        x: area.x + u16::from(area.width > 2),
        y: area.y + top,
        width: area.width.saturating_sub(2).max(1),
        height: area.height - top,
    };
    let text = Paragraph::new(lines).centered().wrap(Wrap { trim: true });
    frame.render_widget(text, place);
}

/// A time that passed, coarse enough not to change at every look: `<10s`, `40s`, `3m`, `2h 05m`.
pub fn age(span: Duration) -> String {
    match span.as_secs() {
        0..10 => "<10s".to_owned(),
        seconds @ 10..60 => format!("{}s", seconds / 10 * 10),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        _ => units::span(span),
    }
}

/// Words in lines of at most `width` cells.
pub fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text::width(line) + 1 + text::width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(text::fit(word, width)),
        }
    }
    lines
}
