//! Beside the list on wide screens: the selected row in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::catalog::{Fact, Sums};
use crate::model::{Bytes, KeyFacts, Ttl, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::keys::rows::{self, What};
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
    let name = value::brief(&row.name, cells * NAME_LINES);
    let mut lines: Vec<(String, Tone)> = value::wrapped([name], cells)
        .into_iter()
        .map(|line| (line, Tone::Title))
        .collect();
    lines.push((String::new(), Tone::Plain));
    let facts = match &row.what {
        What::Folder { sums, .. } | What::Pattern(sums) => folder_facts(shell, keys, sums),
        What::Key(fact) => key_facts(shell, keys, &row.name, *fact),
        What::More(_) => Vec::new(),
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
        What::Pattern(_) => format!("{key} lists its keys"),
        What::More(_) => "they have no row of their own".to_owned(),
    };
    lines.push((hint, Tone::Muted));
    lines
}

fn folder_facts(shell: &Shell, keys: &Keys, sums: &Sums) -> Vec<(&'static str, String)> {
    let theme = &shell.theme;
    let unknown = || theme.unknown().to_owned();
    let share = view::share_of(sums.keys, keys.listing.matching());
    let mut facts = vec![
        ("keys seen", units::count(sums.keys)),
        ("share", share.map_or_else(unknown, units::percent)),
        ("bytes", view::weight_words(sums).unwrap_or_else(unknown)),
    ];
    if let Some(weight) = rows::weight(sums) {
        let mean = Bytes(weight.bytes / sums.keys.max(1));
        facts.push(("average", mean.to_string()));
    }
    facts.push((
        "no TTL",
        view::without_ttl_words(sums).unwrap_or_else(unknown),
    ));
    if sums.told < sums.keys {
        let (told, of) = (units::count(sums.told), units::count(sums.keys));
        facts.push(("asked", format!("{told} of {of}")));
        facts.push(("", "~ is what these tell of all".to_owned()));
    }
    facts
}

fn key_facts(
    shell: &Shell,
    keys: &Keys,
    name: &[u8],
    fact: Option<Fact>,
) -> Vec<(&'static str, String)> {
    let theme = &shell.theme;
    let unknown = || theme.unknown().to_owned();
    match keys.facts.get(name).map(|known| &known.facts) {
        None if keys.facts.is_untold(name) => vec![("", "the server does not tell".to_owned())],
        None => match fact {
            Some(fact) => vec![
                ("TTL", ttl_words(shell, fact.ttl())),
                (
                    "size",
                    fact.size().map_or_else(unknown, |size| size.to_string()),
                ),
                ("", "as the walk met it".to_owned()),
            ],
            None => vec![("", "not asked yet".to_owned())],
        },
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
