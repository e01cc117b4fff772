//! Colours by meaning. No pane names a colour.
//!
//! The sixteen colours of the terminal's own palette are used, so that the person's light or dark
//! scheme stays readable. Without colours, weight, reversal and underline carry the same meaning.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// What something means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Labels, units, rules: there when looked for.
    Muted,
    Title,
    Accent,
    Good,
    Caution,
    Danger,
    /// Not from now any more.
    Stale,
    /// A key to press.
    Key,
    Selected,
    /// Marked by the person for the next change.
    Marked,
    Production,
    ReadOnly,
    /// The current tab.
    Tab,
    Border,
    /// The cursor of a text field.
    Cursor,
}

/// Which colours, by the person's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    #[default]
    Dark,
    /// For light backgrounds: no yellow or cyan on white.
    Light,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Theme {
    pub choice: ThemeChoice,
    pub is_colourless: bool,
    /// Only ASCII is drawn.
    pub is_ascii: bool,
}

impl Theme {
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let reversed = plain.add_modifier(Modifier::REVERSED);
        if self.is_colourless {
            return match tone {
                Tone::Plain | Tone::Good | Tone::Accent | Tone::Muted | Tone::Border => plain,
                Tone::Title | Tone::Key | Tone::Marked => bold,
                Tone::Caution | Tone::Stale => plain.add_modifier(Modifier::UNDERLINED),
                Tone::Danger => bold.add_modifier(Modifier::UNDERLINED),
                Tone::Selected | Tone::Cursor | Tone::Tab => reversed,
                Tone::Production | Tone::ReadOnly => reversed.add_modifier(Modifier::BOLD),
            };
        }
        match tone {
            Tone::Plain => plain,
            Tone::Muted | Tone::Border => plain.fg(Color::DarkGray),
            Tone::Title => bold,
            Tone::Accent => plain.fg(self.accent()),
            Tone::Key => bold.fg(self.accent()),
            Tone::Good => plain.fg(Color::Green),
            Tone::Caution => plain.fg(self.caution()),
            Tone::Stale => plain.fg(self.caution()).add_modifier(Modifier::ITALIC),
            Tone::Danger => bold.fg(Color::Red),
            Tone::Marked => bold.fg(Color::Magenta),
            Tone::Production => bold.fg(Color::White).bg(Color::Red),
            Tone::ReadOnly => bold.fg(Color::Black).bg(self.caution()),
            Tone::Tab => bold.fg(Color::Black).bg(self.accent()),
            Tone::Cursor => reversed,
            // The colours of the row's parts would become as many backgrounds.
            Tone::Selected => reversed.fg(Color::Reset).bg(Color::Reset),
        }
    }

    /// Curved corners are not in every font; these are.
    pub fn borders(self) -> border::Set<'static> {
        if self.is_ascii {
            border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            }
        } else {
            border::PLAIN
        }
    }

    /// The sign for a value that is not known.
    pub fn unknown(self) -> &'static str {
        self.sign("–", "-")
    }

    pub fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.is_ascii { ascii } else { unicode }
    }

    fn accent(self) -> Color {
        match self.choice {
            ThemeChoice::Dark => Color::Cyan,
            ThemeChoice::Light => Color::Blue,
        }
    }

    fn caution(self) -> Color {
        match self.choice {
            ThemeChoice::Dark => Color::Yellow,
            ThemeChoice::Light => Color::Magenta,
        }
    }
}
