//! One line of text, read and judged while it is typed.

use crossterm::event::{Event as Terminal, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::text;
use crate::tui::actions::Action;
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::panes::states::wrapped;
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;
use crate::tui::widgets::{field, panel};

/// Cells that the keys take before the hint.
const KEYS: usize = 25;

/// Lines of what a text means, or why it means nothing.
const MOST_WORDS: usize = 4;

/// What a text means here and now, in words, or why it means nothing.
pub type Check = fn(&Shell, &str) -> Result<String, String>;

/// A question that one line of text answers.
#[derive(Debug)]
pub struct Prompt {
    title: String,
    hint: String,
    input: Input,
    check: Check,
    accept: fn(&mut Cx, &str),
    changed: fn(&mut Cx, &str),
    cancelled: fn(&mut Cx),
}

impl Prompt {
    /// A question with what is done with the answer. The title and the hint must be safe to show.
    pub fn new(title: impl Into<String>, accept: fn(&mut Cx, &str)) -> Self {
        Self {
            title: title.into(),
            hint: String::new(),
            input: Input::default(),
            check: |_, _| Ok(String::new()),
            accept,
            changed: |_, _| {},
            cancelled: |_| {},
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn starting_with(mut self, text: impl Into<String>) -> Self {
        self.input = Input::new(text.into());
        self
    }

    /// Judges the text at each key. What fails cannot be accepted.
    #[must_use]
    pub fn checked(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Acts at each key already, and takes it back on Escape.
    #[must_use]
    pub fn live(mut self, changed: fn(&mut Cx, &str), cancelled: fn(&mut Cx)) -> Self {
        self.changed = changed;
        self.cancelled = cancelled;
        self
    }

    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let active = app.active;
        match field::meaning(&app.shell.keymap, key) {
            Some(Action::Back) => {
                (self.cancelled)(&mut app.cx(active));
                Stays::Closed
            }
            Some(Action::Enter) => {
                if (self.check)(&app.shell, self.input.value()).is_err() {
                    return Stays::Open;
                }
                (self.accept)(&mut app.cx(active), self.input.value());
                Stays::Closed
            }
            _ => {
                self.input.handle_event(&Terminal::Key(key));
                (self.changed)(&mut app.cx(active), self.input.value());
                Stays::Open
            }
        }
    }

    pub fn paste(&mut self, app: &mut App, text: &str) {
        field::insert(&mut self.input, text);
        let active = app.active;
        (self.changed)(&mut app.cx(active), self.input.value());
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let theme = app.shell.theme;
        let cells = usize::from(area.width.saturating_sub(3));
        let (tone, mut words) = self.judgement(app, cells);
        // On a low screen what is typed and how it is accepted come first.
        words.truncate(usize::from(area.height.saturating_sub(4)).clamp(1, MOST_WORDS));
        let height = u16::try_from(words.len()).unwrap_or(1).max(1) + 4;
        let area = panel::bottom(area, height);
        let inner = panel::over(theme, frame, area, &self.title);
        let mut rows = inner.rows();
        if let Some(row) = rows.next() {
            field::draw(theme, frame, row, &self.input);
        }
        for at in 0..words.len().max(1) {
            if let (Some(row), Some(words)) = (rows.next(), words.get(at)) {
                let line = Line::styled(format!(" {words}"), theme.style(tone));
                frame.render_widget(line, row);
            }
        }
        if let Some(row) = rows.next() {
            let keys = vec![
                Span::styled(" Enter", theme.style(Tone::Key)),
                Span::raw(" accept  "),
                Span::styled("Esc", theme.style(Tone::Key)),
                Span::raw(" cancel  "),
                Span::styled(
                    text::fit(&self.hint, cells.saturating_sub(KEYS)),
                    theme.style(Tone::Muted),
                ),
            ];
            frame.render_widget(Line::from(keys), row);
        }
    }

    /// What the text means, or why it means nothing, in lines.
    fn judgement(&self, app: &App, cells: usize) -> (Tone, Vec<String>) {
        if self.input.value().is_empty() {
            return (Tone::Plain, Vec::new());
        }
        match (self.check)(&app.shell, self.input.value()) {
            Ok(words) => (Tone::Good, wrapped(&words, cells)),
            Err(words) => (Tone::Danger, wrapped(&words, cells)),
        }
    }
}
