//! Is this cache healthy, right now?

mod charts;
mod compact;
mod file;
mod lines;
mod memory;
mod traffic;

pub use lines::event;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
pub use traffic::OverviewState;

use crate::model::{Feature, Sample};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::states::draw_nothing_yet;
use crate::tui::panes::{Handled, Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::widgets::{facts, panel};

pub const PANE: Pane = Pane {
    id: PaneId::Overview,
    title: "Overview",
    words: "Is this cache healthy right now: hit ratio over 10 s, 1 min, 15 min and for ever, \
            rates, memory and time until full, evictions, clients, databases, replication, \
            persistence, charts",
    open: Action::OpenOverview,
    draw,
    act,
    is_possible,
    notice,
    ..Pane::STILL
};

/// Below this, facts stand in one or two plain columns.
const SMALLEST: (u16, u16) = (72, 11);

/// Rows of charts that are worth drawing, with their frame.
const CHARTS: u16 = 4;

fn act(cx: &mut Cx, action: Action) -> Handled {
    let (Action::ServerText, Some(sample)) = (action, cx.deck.latest()) else {
        return Handled::No;
    };
    let lines = sample
        .raw
        .iter()
        .map(|(name, value)| format!(" {}  {}", text::pad(name, 34), value.clone()))
        .collect();
    cx.read("In the server's words", lines);
    Handled::Yes
}

fn notice(cx: &mut Cx, notice: Notice) {
    if let Notice::Sampled = notice {
        let history = &cx.deck.history;
        cx.deck.overview.take_in(history);
    }
}

fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let has_text = deck.latest().is_some_and(|sample| !sample.raw.is_empty());
    action == Action::ServerText && has_text
}

fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let Some(sample) = deck.latest() else {
        return draw_nothing_yet(shell, deck, frame, area);
    };
    if deck.features.need(Feature::Counters).is_err() {
        return file::draw(shell, deck, sample, frame, area);
    }
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return compact::draw(shell, deck, sample, frame, area);
    }
    let parts = Parts::of(area, lines::height(deck, sample));
    draw_tables(shell, deck, sample, frame, parts.tables);
    charts::draw(shell, deck, sample, frame, parts.charts);
    lines::draw(shell, deck, sample, frame, parts.lines);
}

/// The pane from top to bottom: tables, charts, lines.
struct Parts {
    tables: Rect,
    charts: Rect,
    lines: Rect,
}

impl Parts {
    fn of(area: Rect, lines: u16) -> Self {
        let tables = traffic::HEIGHT.min(area.height);
        let rest = area.height - tables;
        let lines = lines.min(rest);
        let charts = rest - lines;
        // Charts that would be too low leave their rows to nobody: empty is calmer than squeezed.
        let charts = if charts < CHARTS { 0 } else { charts };
        Self {
            tables: Rect {
                height: tables,
                ..area
            },
            charts: Rect {
                y: area.y + tables,
                height: charts,
                ..area
            },
            lines: Rect {
                y: area.y + tables + charts,
                height: lines,
                ..area
            },
        }
    }
}

fn draw_tables(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let first = if area.width >= 120 { 65 } else { 57 };
    let second = Rect {
        x: area.x + first,
        width: area.width - first,
        ..area
    };
    let first = Rect {
        width: first,
        ..area
    };
    let inner = panel::within(theme, frame, first, "Traffic", "");
    traffic::draw(shell, deck, frame, inner);
    if second.width < 48 {
        let inner = panel::within(theme, frame, second, "Memory", "");
        let mut facts = memory::memory(deck, sample);
        // The policy stands last: it is what can be missed where there is no room.
        let policy = facts.len() - usize::from(sample.memory.policy.is_some());
        let policy = facts.split_off(policy);
        facts.extend(memory::clients(sample));
        facts.extend(policy);
        return facts::draw(theme, frame, inner, &facts);
    }
    let has_contents = second.width >= 84;
    let widths: &[Constraint] = if has_contents {
        &[
            Constraint::Fill(5),
            Constraint::Fill(4),
            Constraint::Fill(5),
        ]
    } else {
        &[Constraint::Fill(9), Constraint::Fill(8)]
    };
    let places = Layout::horizontal(widths).split(second);
    let inner = panel::within(theme, frame, places[0], "Memory", "");
    facts::draw(theme, frame, inner, &memory::memory(deck, sample));
    let inner = panel::within(theme, frame, places[1], "Clients", "");
    let mut about = memory::clients(sample);
    about.extend(memory::server(sample));
    facts::draw(theme, frame, inner, &about);
    if has_contents {
        memory::draw_contents(theme, sample, frame, places[2]);
    }
}
