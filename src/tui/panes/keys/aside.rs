//! Beside the list on wide screens: the selected row in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{KeyFacts, Ttl, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::keys::tree::What;
use crate::tui::panes::keys::{Keys, value, view};
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

/// Lines of a name that are shown; the key's own view shows no more either.
const NAME_LINES: usize = 8;

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = &shell.theme;
    let side = theme.sign("│", "|");
    let lines = lines(shell, &deck.keys, usize::from(area.width).saturating_sub(3));
    let mut lines = lines.into_iter();
    for row in area.rows() {
        let edge = Span::styled(format!(" {side}"), theme.style(Tone::Border));
        let mut spans = vec![edge, Span::raw(" ")];
        if let Some((words, tone)) = lines.next() {
            spans.push(Span::styled(words, theme.style(tone)));
        }
        frame.render_widget(Line::from(spans), row);
    }
}

fn lines(shell: &Shell, keys: &Keys, cells: usize) -> Vec<(String, Tone)> {
    let Some(row) = keys.row() else {
        return Vec::new();
    };
    let name = keys.listing.name_of(&row);
    let name = value::brief(&name, cells * NAME_LINES);
    let mut lines: Vec<(String, Tone)> = value::wrapped([name], cells)
        .into_iter()
        .map(|line| (line, Tone::Title))
        .collect();
    lines.push((String::new(), Tone::Plain));
    let facts = match row.what {
        What::Folder { keys, .. } => vec![("keys seen", units::count(u64::from(keys)))],
        What::Key(id) => key_facts(shell, keys, id),
    };
    for (label, words) in facts {
        lines.push((format!("{} {words}", text::pad(label, 9)), Tone::Plain));
    }
    lines.push((String::new(), Tone::Plain));
    let key = shell.keymap.key(Action::Enter);
    let hint = match row.what {
        What::Folder { is_open: true, .. } => format!("{key} closes the folder"),
        What::Folder { .. } => format!("{key} opens the folder"),
        What::Key(_) => format!("{key} shows the value"),
    };
    lines.push((hint, Tone::Muted));
    lines
}

fn key_facts(shell: &Shell, keys: &Keys, id: u32) -> Vec<(&'static str, String)> {
    let theme = &shell.theme;
    let unknown = || theme.unknown().to_owned();
    match keys.facts.get(id).map(|known| &known.facts) {
        None if keys.facts.is_untold(id) => vec![("", "the server does not tell".to_owned())],
        None => vec![("", "not asked yet".to_owned())],
        Some(KeyFacts::Gone) => vec![("", "gone: expired, evicted or deleted".to_owned())],
        Some(KeyFacts::Here {
            kind,
            ttl,
            size,
            idle,
        }) => vec![
            ("type", kind.word().to_owned()),
            ("TTL", ttl_words(shell, *ttl)),
            ("expires", expiry_words(shell, *ttl)),
            ("size", size.map_or_else(unknown, |size| size.to_string())),
            ("idle", idle.map_or_else(unknown, units::span)),
        ],
    }
}

/// The time left, or why there is none.
pub fn ttl_words(shell: &Shell, ttl: Ttl) -> String {
    match (ttl, ttl.left(shell.now)) {
        (Ttl::None, _) => "none".to_owned(),
        (Ttl::Unknown, _) | (_, None) => shell.theme.unknown().to_owned(),
        (_, Some(left)) if left.is_zero() => "expired".to_owned(),
        (_, Some(left)) => units::span(view::whole_seconds(left)),
    }
}

/// The moment of expiry on the clock of this machine.
pub fn expiry_words(shell: &Shell, ttl: Ttl) -> String {
    match ttl {
        Ttl::None => "never".to_owned(),
        Ttl::Unknown => shell.theme.unknown().to_owned(),
        Ttl::Until(end) => shell.date(end),
    }
}
