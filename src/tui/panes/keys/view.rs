//! Draws the list or tree of keys with what is known of the rows in view.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::catalog::{Fact, Sums};
use crate::engine::worker::SessionState;
use crate::model::{Break, Bytes, Feature, KeyFacts, Ttl, UnixMs, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::{Deck, Mark};
use crate::tui::panes::keys::listing::Layout;
use crate::tui::panes::keys::rows::{self, Row, What};
use crate::tui::panes::keys::walking::State;
use crate::tui::panes::keys::{Keys, aside, card_view, value};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::gauge;

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
    let columns = Columns::of(list.width, deck.keys.listing.layout());
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
        draw_rows(shell, deck, columns, frame, body);
    }
}

fn draw_rows(shell: &Shell, deck: &Deck, columns: Columns, frame: &mut Frame, area: Rect) {
    let keys = &deck.keys;
    let visible = keys
        .cursor
        .visible(keys.listing.rows(), usize::from(area.height));
    let rows = keys.listing.window(visible.start, visible.len());
    for ((place, row), line) in visible.zip(rows).zip(area.rows()) {
        frame.render_widget(columns.row(shell, deck, &row), line);
        if place == keys.cursor.selected() {
            let style = shell.theme.style(Tone::Selected);
            frame.buffer_mut().set_style(line, style);
        }
    }
}

/// Cells of the columns beside the name; none where the screen is too narrow.
///
/// In a tree the same columns say of a folder what they say of a key: how many keys instead of the
/// type, how many without TTL instead of the TTL, all bytes instead of the size, the share of the keys
/// instead of the idle time.
#[derive(Clone, Copy, Debug)]
struct Columns {
    name: usize,
    kind: usize,
    ttl: usize,
    size: usize,
    idle: usize,
    /// Part of the idle column, where a bar is drawn.
    bar: usize,
    is_tree: bool,
}

impl Columns {
    fn of(width: u16, layout: Layout) -> Self {
        let width = usize::from(width);
        let is_tree = layout != Layout::List;
        let (kind, ttl, size, idle, bar) = match (width, is_tree) {
            (0..36, false) => (0, 0, 0, 0, 0),
            (36..60, false) => (0, 8, 0, 0, 0),
            (60..100, false) => (7, 8, 9, 0, 0),
            (_, false) => (8, 8, 9, 8, 0),
            (0..36, true) => (7, 0, 0, 0, 0),
            (36..60, true) => (9, 0, 9, 0, 0),
            (60..100, true) => (10, 10, 10, 6, 0),
            (_, true) => (10, 10, 10, 16, 9),
        };
        let columns = Self {
            name: 0,
            kind,
            ttl,
            size,
            idle,
            bar,
            is_tree,
        };
        Self {
            name: width.saturating_sub(columns.beside() + 1),
            ..columns
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
        let titles = if self.is_tree {
            ["KEYS/TYPE", "NO TTL/TTL", "SIZE", "SHARE"]
        } else {
            ["TYPE", "TTL", "SIZE", "IDLE"]
        };
        let cells = [self.kind, self.ttl, self.size, self.idle];
        for (place, (title, cells)) in titles.into_iter().zip(cells).enumerate() {
            let is_left = place == 0 && !self.is_tree;
            words.push_str(&cell(&text::fit(title, cells), cells, is_left));
        }
        Line::styled(words, theme.style(Tone::Muted))
    }

    fn row(self, shell: &Shell, deck: &Deck, row: &Row) -> Line<'static> {
        let (keys, bookmarks) = (&deck.keys, &deck.bookmarks);
        let theme = shell.theme;
        // Deep down, the name matters more than how deep it is.
        let indent = (row.depth * 2).min(self.name / 2);
        let named = |sign: &str, width: usize| {
            let room = self.name.saturating_sub(indent + width);
            let name = value::brief_name(row.segment(), room);
            text::pad(&format!("{}{sign}{name}", " ".repeat(indent)), self.name)
        };
        match &row.what {
            What::Folder { sums, is_open } => {
                let sign = if *is_open {
                    theme.sign("▾ ", "- ")
                } else {
                    theme.sign("▸ ", "+ ")
                };
                let name = Span::styled(named(sign, 2), theme.style(Tone::Accent));
                let mut spans = vec![Span::raw(" "), name];
                spans.extend(self.sums(theme, keys, sums));
                Line::from(spans)
            }
            What::Pattern(sums) => {
                let mut spans = vec![Span::raw(format!(" {}", named("  ", 2)))];
                spans.extend(self.sums(theme, keys, sums));
                Line::from(spans)
            }
            What::More(more) => {
                let what = if keys.listing.layout() == Layout::Patterns {
                    "keys that follow no pattern"
                } else {
                    "smaller folders"
                };
                let words = format!("{} more: {what}", units::count(*more as u64));
                let words = format!(" {}{}", " ".repeat(indent + 2), words);
                Line::styled(words, theme.style(Tone::Muted))
            }
            What::Key(fact) => {
                let tree = if self.is_tree { "  " } else { "" };
                let name = named(tree, tree.len());
                let is_marked = keys.marks.contains(&row.name);
                let known = keys.facts.get(&row.name).map(|known| &known.facts);
                let tone = match known {
                    _ if is_marked => Tone::Marked,
                    Some(KeyFacts::Gone) => Tone::Muted,
                    _ => Tone::Plain,
                };
                let sign = match (is_marked, bookmarks.is_favourite_name(&row.name)) {
                    (true, _) => "*",
                    (false, true) => theme.sign("★", "+"),
                    (false, false) => " ",
                };
                let mut spans = vec![Span::styled(format!("{sign}{name}"), theme.style(tone))];
                spans.extend(self.facts(shell, keys, &row.name, *fact));
                Line::from(spans)
            }
        }
    }

    /// What is told of the keys in a folder together.
    fn sums(self, theme: Theme, keys: &Keys, sums: &Sums) -> Vec<Span<'static>> {
        let unknown = || theme.unknown().to_owned();
        let share = share_of(sums.keys, keys.listing.matching());
        let percent = share.map_or_else(unknown, units::percent);
        let count = if self.kind < 10 && sums.keys >= 1_000_000 {
            units::count_short(sums.keys)
        } else {
            units::count(sums.keys)
        };
        let bytes = weight_words(sums).unwrap_or_else(unknown);
        let without_ttl = without_ttl_words(sums).unwrap_or_else(unknown);
        let mut spans = vec![Span::raw(
            cell(&count, self.kind, false)
                + &cell(&without_ttl, self.ttl, false)
                + &cell(&bytes, self.size, false)
                + &cell(&percent, self.idle - self.bar, false),
        )];
        if self.bar > 0 {
            let share = share.unwrap_or_default();
            spans.push(Span::raw(" "));
            spans.extend(gauge::bar(theme, share, self.bar - 1, Tone::Accent));
        }
        spans
    }

    fn facts(
        self,
        shell: &Shell,
        keys: &Keys,
        name: &[u8],
        fact: Option<Fact>,
    ) -> Vec<Span<'static>> {
        let theme = shell.theme;
        let cells = match keys.facts.get(name).map(|known| &known.facts) {
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
            None => free_facts(shell, keys, name, fact),
        };
        let (kind, (ttl, tone), size, idle) = cells;
        // A share stands in this column, and no key's idle time beside it.
        let idle = if self.is_tree { "" } else { &idle };
        vec![
            Span::raw(cell(&kind, self.kind, !self.is_tree)),
            Span::styled(cell(&ttl, self.ttl, false), theme.style(tone)),
            Span::raw(cell(&size, self.size, false) + &cell(idle, self.idle, false)),
        ]
    }
}

/// How much of the whole it is; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub fn share_of(keys: u64, of: usize) -> Option<f64> {
    (of > 0).then(|| keys as f64 / of as f64)
}

/// All bytes of a folder; `~` before what only some of its keys tell.
pub fn weight_words(sums: &Sums) -> Option<String> {
    let weight = rows::weight(sums)?;
    let sign = if weight.is_exact { "" } else { "~" };
    Some(format!("{sign}{}", Bytes(weight.bytes)))
}

/// The share of keys without TTL; `~` before what only some of them tell.
pub fn without_ttl_words(sums: &Sums) -> Option<String> {
    let (share, is_exact) = rows::share_without_ttl(sums)?;
    let sign = if is_exact { "" } else { "~" };
    Some(format!("{sign}{}", units::percent(share)))
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
fn free_facts(
    shell: &Shell,
    keys: &Keys,
    name: &[u8],
    fact: Option<Fact>,
) -> (String, (String, Tone), String, String) {
    let theme = shell.theme;
    let waiting = || {
        if keys.facts.is_untold(name) {
            theme.unknown().to_owned()
        } else {
            theme.sign("·", ".").to_owned()
        }
    };
    let Some(fact) = fact else {
        return (waiting(), (waiting(), Tone::Muted), waiting(), waiting());
    };
    let kind = fact.kind().map(|kind| kind.word().to_owned());
    let ttl = match fact.ttl() {
        Ttl::Unknown => (waiting(), Tone::Muted),
        ttl => ttl_cell(theme, ttl, shell.now),
    };
    (
        kind.unwrap_or_else(waiting),
        ttl,
        fact.size().map_or_else(waiting, |size| size.to_string()),
        fact.idle().map_or_else(waiting, units::span_short),
    )
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
    let listed = keys.listing.seen() as u64;
    let dot = theme.sign("·", "-");
    let mut left = format!(
        " {} {dot} {}",
        keys.walking.extent(listed),
        keys.walking.doing(|at| shell.clock(at))
    );
    if let Some(costing) = keys.walking.costing() {
        left = format!("{left}: {costing}");
    }
    if keys.walking.state == State::Paused {
        let key = shell.keymap.key(Action::PauseWalk);
        left = format!("{left}, {key} continues");
    }
    let overtaken = overtaken(deck);
    if let Some(at) = overtaken {
        let key = shell.keymap.key(Action::RestartWalk);
        left = format!(
            " the server restarted at {}, {key} walks anew {dot}{left}",
            shell.clock(at)
        );
    }
    if keys.walking.coverage.restarts > 0 {
        left = format!(" the server restarted: walked anew {dot}{left}");
    }
    let not_kept = keys.walking.coverage.not_kept;
    if not_kept > 0 {
        let not_kept = units::count(not_kept);
        left = format!(" the list is full, {not_kept} keys are not in it {dot}{left}");
    }
    if let Some(lack) = keys.walking.lacks.first() {
        left = format!("{left}; {}: {}", lack.what, lack.why);
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
        let so_far = if keys.listing.is_filtering() {
            " so far"
        } else {
            ""
        };
        let sums = keys.listing.sums();
        // What was not asked about cannot match.
        let among = if filter.asks_for_facts() && sums.told < sums.keys {
            format!(" of {} asked", units::count(sums.told))
        } else {
            String::new()
        };
        words.push(format!("/{typed}: {matching} match{among}{so_far}"));
    }
    let sorting = keys.listing.sorting().word();
    words.push(match keys.listing.layout() {
        _ if keys.listing.is_arranging() => format!("sorting {sorting}"),
        Layout::List => match keys.listing.ranked() {
            Some(ranked) if ranked < keys.listing.matching() => {
                format!("the first {} {sorting}", units::count(ranked as u64))
            }
            _ => sorting.to_owned(),
        },
        layout if sorting == "by name" => layout.word().to_owned(),
        layout => format!("{} {sorting}", layout.word()),
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
    let seen = keys.listing.seen() as u64;
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
    match (&keys.walking.state, &keys.walking.plan.pattern) {
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
