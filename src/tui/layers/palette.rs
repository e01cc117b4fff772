//! Finding a command by a few of its letters.

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::text;
use crate::tui::actions::{ACTIONS, Action, Scope};
use crate::tui::app::App;
use crate::tui::layers::Stays;
use crate::tui::theme::Tone;
use crate::tui::widgets::list::Cursor;
use crate::tui::widgets::{field, panel};

/// Commands remembered.
const REMEMBERED: usize = 50;

/// Cells of the column of names at most.
const NAMES: usize = 24;

#[derive(Debug, Default)]
pub struct Palette {
    input: Input,
    cursor: Cursor,
    /// How far back in the history, while walking through it.
    back: usize,
}

/// What can be run now.
#[derive(Clone, Debug)]
struct Command {
    name: String,
    words: String,
    key: String,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Act(Action),
    Target(usize),
}

impl Palette {
    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let found = found(app, self.input.value());
        match (key.code, field::meaning(&app.shell.keymap, key)) {
            (KeyCode::Up, _) if self.cursor.selected() == 0 => self.remember(app),
            (KeyCode::Tab, _) => self.complete(&found),
            (_, Some(Action::Back)) => return Stays::Closed,
            (_, Some(Action::Enter)) => return self.run(app, &found),
            (_, Some(action)) => {
                self.cursor.act(action, found.len(), height(app));
            }
            (_, None) => {
                self.input.handle_event(&Terminal::Key(key));
                self.cursor = Cursor::default();
            }
        }
        Stays::Open
    }

    pub fn paste(&mut self, _: &mut App, text: &str) {
        field::insert(&mut self.input, text);
        self.cursor = Cursor::default();
    }

    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let theme = app.shell.theme;
        let area = panel::bottom(area, u16::try_from(height(app) + 3).unwrap_or(u16::MAX));
        let inner = panel::over(theme, frame, area, "Commands");
        let found = found(app, self.input.value());
        let mut rows = inner.rows();
        if let Some(row) = rows.next() {
            field::draw(theme, frame, row, &self.input);
        }
        if found.is_empty() {
            if let Some(row) = rows.next() {
                let words = Line::styled(" no such command here", theme.style(Tone::Muted));
                frame.render_widget(words, row);
            }
            return;
        }
        let widest = |of: fn(&Command) -> &str| found.iter().map(|one| text::width(of(one))).max();
        let names = widest(|one| &one.name).unwrap_or_default().min(NAMES);
        let keys = widest(|one| &one.key).unwrap_or_default();
        let shown = self
            .cursor
            .visible(found.len(), usize::from(inner.height) - 1);
        for (row, at) in rows.zip(shown) {
            let style = if at == self.cursor.selected() {
                theme.style(Tone::Selected)
            } else {
                theme.style(Tone::Plain)
            };
            let command = &found[at];
            let name = text::pad(&text::fit_middle(&command.name, names), names);
            let taken = names + keys + 4;
            let words = text::fit(&command.words, usize::from(row.width).saturating_sub(taken));
            let line = Line::from(vec![
                Span::raw(format!(" {name}  ")),
                Span::styled(text::pad(&command.key, keys), theme.style(Tone::Key)),
                Span::styled(format!(" {words}"), theme.style(Tone::Muted)),
            ]);
            frame.render_widget(line.style(style), row);
        }
    }

    fn run(&mut self, app: &mut App, found: &[Command]) -> Stays {
        let Some(command) = found.get(self.cursor.selected()) else {
            return Stays::Open;
        };
        app.shell.commands.retain(|known| *known != command.name);
        app.shell.commands.push(command.name.clone());
        let surplus = app.shell.commands.len().saturating_sub(REMEMBERED);
        app.shell.commands.drain(..surplus);
        match command.run {
            Run::Act(action) => app.run(action),
            Run::Target(deck) => app.choose_target(deck),
        }
        Stays::Closed
    }

    fn complete(&mut self, found: &[Command]) {
        if let Some(command) = found.get(self.cursor.selected()) {
            self.input = Input::new(command.name.clone());
            self.cursor = Cursor::default();
        }
    }

    fn remember(&mut self, app: &App) {
        let commands = &app.shell.commands;
        if self.back < commands.len() {
            self.back += 1;
            self.input = Input::new(commands[commands.len() - self.back].clone());
        }
    }
}

fn height(app: &App) -> usize {
    usize::from(app.shell.area.height / 2).clamp(3, 14)
}

/// The commands that match, best first; all of them in the table's order for no letters.
fn found(app: &App, letters: &str) -> Vec<Command> {
    let commands = commands(app);
    let pattern = Pattern::parse(letters, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, Command)> = commands
        .into_iter()
        .filter_map(|command| {
            let name = nucleo_matcher::Utf32Str::new(&command.name, &mut buffer);
            Some((pattern.score(name, &mut matcher)?, command))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, command)| command).collect()
}

fn commands(app: &App) -> Vec<Command> {
    let acts = ACTIONS
        .iter()
        .filter(|row| !matches!(row.scope, Scope::List | Scope::Layer))
        .filter(|row| {
            !matches!(
                row.action,
                Action::Palette | Action::Interrupt | Action::Back
            )
        })
        .filter(|row| app.is_possible(row.action))
        .map(|row| Command {
            name: row.name.to_owned(),
            words: row.words.to_owned(),
            key: app.shell.keymap.key(row.action),
            run: Run::Act(row.action),
        });
    let targets = app.decks.iter().enumerate().map(|(at, deck)| Command {
        name: format!("target {}", text::escape(deck.target.name.as_bytes())),
        words: if at == app.active {
            "the one in view".to_owned()
        } else {
            "look at this target".to_owned()
        },
        key: String::new(),
        run: Run::Target(at),
    });
    acts.chain(targets).collect()
}
