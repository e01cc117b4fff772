//! One-line text fields.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::{Input, InputRequest};

use crate::tui::actions::Action;
use crate::tui::keymap::Keymap;
use crate::tui::theme::{Theme, Tone};

/// What a key means while text is typed: letters are text, whatever else they may be.
pub fn meaning(keymap: &Keymap, key: KeyEvent) -> Option<Action> {
    let is_control = key
        .modifiers
        .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::Esc => Some(Action::Back),
        KeyCode::Enter => Some(Action::Enter),
        KeyCode::Char(_) if !is_control => None,
        // Editing keys of the field itself.
        KeyCode::Char('a' | 'b' | 'e' | 'f' | 'h' | 'k' | 'u' | 'w' | 'y')
        | KeyCode::Home
        | KeyCode::End
        | KeyCode::Left
        | KeyCode::Right
        | KeyCode::Delete
        | KeyCode::Backspace => None,
        _ => keymap.in_layer(key),
    }
}

pub fn insert(input: &mut Input, text: &str) {
    for letter in text.chars() {
        input.handle(InputRequest::InsertChar(letter));
    }
}

/// Draws the text with its own cursor, scrolled so that the cursor is in view.
pub fn draw(theme: Theme, frame: &mut Frame, area: Rect, input: &Input) {
    let width = usize::from(area.width).saturating_sub(3);
    let scroll = input.visual_scroll(width);
    let mut spans = vec![Span::raw(" ")];
    let mut at = 0;
    let letters: Vec<char> = input.value().chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let cells = unicode_width::UnicodeWidthChar::width(*letter).unwrap_or_default();
        at += cells;
        if at <= scroll {
            continue;
        }
        let tone = if index == input.cursor() {
            Tone::Cursor
        } else {
            Tone::Plain
        };
        spans.push(Span::styled(letter.to_string(), theme.style(tone)));
    }
    if input.cursor() >= letters.len() {
        spans.push(Span::styled(" ", theme.style(Tone::Cursor)));
    }
    frame.render_widget(Line::from(spans), area);
}
