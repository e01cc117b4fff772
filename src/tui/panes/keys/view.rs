//! Draws the list or tree of keys with what is known of the rows in view.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::worker::SessionState;
use crate::model::{Break, Bytes, Feature, KeyFacts, Ttl, UnixMs, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::{Deck, Mark};
use crate::tui::panes::keys::listing::Layout;
use crate::tui::panes::keys::tree::{Row, What};
use crate::tui::panes::keys::walking::State;
use crate::tui::panes::keys::{Keys, aside, card_view, layout_word, value};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};

/// From this width on the selected key is described beside the list.
const WIDE: u16 = 120;
const ASIDE: u16 = 40;

/// Lines above the rows: where the walk stands, and the titles of the columns.
pub fn head(height: u16) -> u16 {
    match height {
        0..=1 => 0,
        2..=5 => 1,
        _ => 2,
    }
}

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    if let Some(card) = &deck.keys.card {
        return card_view::draw(shell, card, frame, area);
    }
    let mut list = area;
    if area.width >= WIDE {
        list.width -= ASIDE;
        let aside = Rect {
            x: area.x + list.width,
            width: ASIDE,
            ..area
        };
        aside::draw(shell, deck, frame, aside);
    }
    let head = head(area.height);
    let mut lines = list.rows();
    let columns = Columns::of(list.width);
    if head > 0
        && let Some(line) = lines.next()
    {
        draw_status(shell, deck, frame, line);
    }
    if head > 1
        && let Some(line) = lines.next()
    {
        frame.render_widget(columns.titles(shell.theme), line);
    }
    let body = Rect {
        y: list.y + head,
        height: list.height - head,
        ..list
    };
    if deck.keys.listing.rows() == 0 {
        draw_words(shell, deck, frame, body);
    } else {
        draw_rows(shell, &deck.keys, columns, frame, body);
    }
}

fn draw_rows(shell: &Shell, keys: &Keys, columns: Columns, frame: &mut Frame, area: Rect) {
    let visible = keys
        .cursor
        .visible(keys.listing.rows(), usize::from(area.height));
    let rows = keys.listing.window(visible.start, visible.len());
    for ((place, row), line) in visible.zip(rows).zip(area.rows()) {
        frame.render_widget(columns.row(shell, keys, &row), line);
        if place == keys.cursor.selected() {
            let style = shell.theme.style(Tone::Selected);
            frame.buffer_mut().set_style(line, style);
        }
    }
}

/// Cells of the columns beside the name; none where the screen is too narrow.
#[derive(Clone, Copy, Debug)]
struct Columns {
    name: usize,
    kind: usize,
    ttl: usize,
    size: usize,
    idle: usize,
}

impl Columns {
    fn of(width: u16) -> Self {
        let width = usize::from(width);
        let (kind, ttl, size, idle) = match width {
            0..36 => (0, 0, 0, 0),
            36..60 => (0, 8, 0, 0),
            60..100 => (7, 8, 9, 0),
            _ => (8, 8, 9, 8),
        };
        let beside: usize = [kind, ttl, size, idle]
            .iter()
            .filter(|cells| **cells > 0)
            .map(|cells| cells + 1)
            .sum();
        Self {
            name: width.saturating_sub(beside + 1),
            kind,
            ttl,
            size,
            idle,
        }
    }

    fn beside(self) -> usize {
        let all = [self.kind, self.ttl, self.size, self.idle];
        all.iter()
            .filter(|cells| **cells > 0)
            .map(|cells| cells + 1)
            .sum()
    }

    fn titles(self, theme: Theme) -> Line<'static> {
        let mut words = format!(" {}", text::pad("KEY", self.name));
        for (title, cells) in [
            ("TYPE", self.kind),
            ("TTL", self.ttl),
            ("SIZE", self.size),
            ("IDLE", self.idle),
        ] {
            words.push_str(&cell(title, cells, title == "TYPE"));
        }
        Line::styled(words, theme.style(Tone::Muted))
    }

    fn row(self, shell: &Shell, keys: &Keys, row: &Row) -> Line<'static> {
        let theme = shell.theme;
        let indent = match keys.listing.layout() {
            Layout::List => 0,
            Layout::Tree => (row.path.len() - 1) * 2,
        };
        // Deep down, the name matters more than how deep it is.
        let indent = indent.min(self.name / 2);
        match row.what {
            What::Folder { keys, is_open } => {
                let sign = if is_open {
                    theme.sign("▾", "-")
                } else {
                    theme.sign("▸", "+")
                };
                let name = value::brief_name(row.segment, self.name.saturating_sub(indent + 2));
                let name = text::pad(&format!("{}{sign} {name}", " ".repeat(indent)), self.name);
                let count = value::counted(u64::from(keys), ("key", "keys"));
                Line::from(vec![
                    Span::raw(" "),
                    Span::styled(name, theme.style(Tone::Accent)),
                    Span::raw(text::pad_left(&count, self.beside())),
                ])
            }
            What::Key(id) => {
                let tree = if keys.listing.layout() == Layout::Tree {
                    2
                } else {
                    0
                };
                let indent = indent + tree;
                let name = value::brief_name(row.segment, self.name.saturating_sub(indent));
                let name = text::pad(&format!("{}{name}", " ".repeat(indent)), self.name);
                let is_marked = keys.marks.contains(&id);
                let facts = keys.facts.get(id).map(|known| &known.facts);
                let tone = match facts {
                    _ if is_marked => Tone::Marked,
                    Some(KeyFacts::Gone) => Tone::Muted,
                    _ => Tone::Plain,
                };
                let sign = if is_marked { "*" } else { " " };
                let mut spans = vec![Span::styled(format!("{sign}{name}"), theme.style(tone))];
                spans.extend(self.facts(shell, keys, id));
                Line::from(spans)
            }
        }
    }

    fn facts(self, shell: &Shell, keys: &Keys, id: u32) -> Vec<Span<'static>> {
        let theme = shell.theme;
        let cells = match keys.facts.get(id).map(|known| &known.facts) {
            Some(KeyFacts::Gone) => {
                let words = text::pad_left("gone", self.beside());
                return vec![Span::styled(words, theme.style(Tone::Stale))];
            }
            Some(KeyFacts::Here {
                kind,
                ttl,
                size,
                idle,
            }) => (
                kind.word().to_owned(),
                ttl_cell(theme, *ttl, shell.now),
                size_cell(theme, *size),
                idle.map_or_else(|| theme.unknown().to_owned(), units::span_short),
            ),
            None => free_facts(shell, keys, id),
        };
        let (kind, (ttl, tone), size, idle) = cells;
        vec![
            Span::raw(cell(&kind, self.kind, true)),
            Span::styled(cell(&ttl, self.ttl, false), theme.style(tone)),
            Span::raw(cell(&size, self.size, false) + &cell(&idle, self.idle, false)),
        ]
    }
}

/// A column with the gap before it.
fn cell(words: &str, cells: usize, is_left: bool) -> String {
    match (cells, is_left) {
        (0, _) => String::new(),
        (_, true) => format!(" {}", text::pad(words, cells)),
        (_, false) => format!(" {}", text::pad_left(words, cells)),
    }
}

/// What the walk told, until the key itself was asked.
fn free_facts(shell: &Shell, keys: &Keys, id: u32) -> (String, (String, Tone), String, String) {
    let theme = shell.theme;
    let waiting = if keys.facts.is_untold(id) {
        theme.unknown().to_owned()
    } else {
        theme.sign("·", ".").to_owned()
    };
    match keys.listing.names().free(id) {
        Some(free) => (
            waiting.clone(),
            ttl_cell(theme, free.ttl, shell.now),
            size_cell(theme, free.size),
            waiting,
        ),
        None => (
            waiting.clone(),
            (waiting.clone(), Tone::Muted),
            waiting.clone(),
            waiting,
        ),
    }
}

fn ttl_cell(theme: Theme, ttl: Ttl, now: UnixMs) -> (String, Tone) {
    match (ttl, ttl.left(now)) {
        (Ttl::None, _) => ("none".to_owned(), Tone::Muted),
        (Ttl::Unknown, _) | (_, None) => (theme.unknown().to_owned(), Tone::Muted),
        (_, Some(left)) if left.is_zero() => ("expired".to_owned(), Tone::Caution),
        (_, Some(left)) if left.as_secs() < 60 => {
            (units::span_short(whole_seconds(left)), Tone::Caution)
        }
        (_, Some(left)) => (units::span_short(left), Tone::Plain),
    }
}

/// A countdown that flickers through tenths tells nothing.
pub fn whole_seconds(left: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(left.as_secs())
}

fn size_cell(theme: Theme, size: Option<Bytes>) -> String {
    size.map_or_else(|| theme.unknown().to_owned(), |size| size.to_string())
}

/// One line: how much of the keyspace this is, what the walk does, what is filtered and marked.
fn draw_status(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let keys = &deck.keys;
    let cells = usize::from(area.width);
    let right = if cells < 40 && keys.listing.filter().is_none() && keys.marks.is_empty() {
        String::new()
    } else {
        text::fit(&selection_words(keys), cells / 2)
    };
    let listed = u64::from(keys.listing.names().len());
    let mut left = format!(
        " {} {} {}",
        keys.walking.extent(listed),
        theme.sign("·", "-"),
        keys.walking.doing(|at| shell.clock(at))
    );
    if keys.walking.state == State::Paused {
        let key = shell.keymap.key(Action::PauseWalk);
        left = format!("{left}, {key} continues");
    }
    let overtaken = overtaken(deck);
    if let Some(at) = overtaken {
        let key = shell.keymap.key(Action::RestartWalk);
        let dot = theme.sign("·", "-");
        left = format!(
            " the server restarted at {}, {key} walks anew {dot}{left}",
            shell.clock(at)
        );
    }
    let not_kept = keys.listing.names().not_kept();
    if not_kept > 0 {
        let not_kept = units::count(not_kept);
        left = format!(
            " the list is full, {not_kept} keys are not in it {} {left}",
            theme.sign("·", "-")
        );
    }
    if let Some(fault) = &keys.facts_fault {
        left = format!("{left}; types and TTLs: {fault}");
    }
    let is_wrong = overtaken.is_some()
        || not_kept > 0
        || keys.facts_fault.is_some()
        || matches!(keys.walking.state, State::Failed(_));
    let tone = if is_wrong { Tone::Danger } else { Tone::Plain };
    let room = cells.saturating_sub(text::width(&right) + 2);
    let line = Line::from(vec![
        Span::styled(text::pad(&left, room), theme.style(tone)),
        Span::raw(" "),
        Span::styled(right, theme.style(Tone::Accent)),
    ]);
    frame.render_widget(line, area);
}

/// When the server restarted after the walk began: what is listed may be gone.
fn overtaken(deck: &Deck) -> Option<UnixMs> {
    let began = deck.keys.walking.began;
    let has_broken = |mark: &&Mark| matches!(mark.what, Break::Restarted) && mark.at > began;
    let mark = deck.marks.iter().rev().find(has_broken)?;
    (deck.keys.walking.state != State::NotStarted).then_some(mark.at)
}

fn selection_words(keys: &Keys) -> String {
    let mut words = Vec::new();
    if !keys.marks.is_empty() {
        words.push(format!("{} marked", units::count(keys.marks.len() as u64)));
    }
    if let Some(filter) = keys.listing.filter() {
        let typed = text::fit_middle(&text::escape(filter.typed().as_bytes()), 24);
        let matching = units::count(keys.listing.matching() as u64);
        let is_behind = filter.upto() < keys.listing.names().len();
        let so_far = if is_behind { " so far" } else { "" };
        words.push(format!("/{typed}: {matching} match{so_far}"));
    }
    words.push(match keys.listing.layout() {
        Layout::List if keys.listing.is_sorting() => {
            format!("sorting {}", keys.listing.sorting().word())
        }
        Layout::List => keys.listing.sorting().word().to_owned(),
        layout @ Layout::Tree => layout_word(layout).to_owned(),
    });
    words.join(", ")
}

/// What stands where there are no rows: why, and what to do.
fn draw_words(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let (tone, words) = no_rows(deck);
    let cells = usize::from(area.width).saturating_sub(2);
    let lines = words
        .iter()
        .flat_map(|words| value::wrapped([words.clone()], cells));
    for (row, words) in area.rows().skip(usize::from(area.height > 4)).zip(lines) {
        frame.render_widget(Line::styled(format!(" {words}"), theme.style(tone)), row);
    }
}

fn no_rows(deck: &Deck) -> (Tone, Vec<String>) {
    let keys = &deck.keys;
    let seen = u64::from(keys.listing.names().len());
    if seen > 0 {
        return match keys.listing.filter() {
            Some(filter) if keys.listing.matching() == 0 => {
                let typed = text::escape(filter.typed().as_bytes());
                let seen = units::count(seen);
                (
                    Tone::Plain,
                    vec![format!("no key matches {typed} among the {seen} seen")],
                )
            }
            _ => (Tone::Muted, vec!["arranging the keys".to_owned()]),
        };
    }
    match (&keys.walking.state, &keys.walking.pattern) {
        (State::Failed(fault), _) => {
            let mut words = vec!["the keys cannot be listed:".to_owned(), fault.to_string()];
            words.extend(fault.hint());
            (Tone::Danger, words)
        }
        (State::Complete { .. }, Some(pattern)) => (
            Tone::Plain,
            vec![format!("no key matches {}", text::escape(pattern))],
        ),
        (State::Complete { .. }, None) if deck.features.need(Feature::Databases).is_ok() => (
            Tone::Plain,
            vec![format!("no keys in db{}", deck.target.database)],
        ),
        (State::Complete { .. }, None) => (Tone::Plain, vec!["no keys".to_owned()]),
        (State::NotStarted, _) => match &deck.session {
            SessionState::Down { why, .. } => (Tone::Danger, vec![why.to_string()]),
            SessionState::Connecting | SessionState::Up => (
                Tone::Muted,
                vec!["connecting; keys are listed as soon as the server answers".to_owned()],
            ),
        },
        (State::Running | State::Paused, _) => (Tone::Muted, vec!["no key met yet".to_owned()]),
    }
}
