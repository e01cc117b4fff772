//! What is asked of the cache, over four spans of time side by side.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Bytes, Counters, History, Rates, ratio, units};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};

/// Rows of the table with its frame.
pub const HEIGHT: u16 = 12;

const LABELS: usize = 9;

/// What a column covers, its name, and how often it is computed anew. A long window hardly moves from
/// one reading to the next, and digits that flicker cost attention and bytes on a slow link.
struct Window {
    span: Duration,
    name: &'static str,
    /// The name where it shares its place with how much of it is covered.
    short: &'static str,
    every: Duration,
}

/// How often the totals are taken over.
const LIFE_EVERY: Duration = Duration::from_secs(5);

#[rustfmt::skip]
const WINDOWS: [Window; 3] = [
    Window { span: Duration::from_secs(10),      name: "10 s",   short: "10s", every: Duration::ZERO },
    Window { span: Duration::from_secs(60),      name: "1 min",  short: "1m",  every: Duration::from_secs(5) },
    Window { span: Duration::from_secs(15 * 60), name: "15 min", short: "15m", every: Duration::from_secs(15) },
];

/// The rates that the table shows, and when they were computed.
#[derive(Debug, Default)]
pub struct OverviewState {
    columns: [Column; 3],
    life: Counters,
    life_at: Duration,
}

#[derive(Debug, Default)]
struct Column {
    rates: Option<Rates>,
    at: Duration,
}

impl OverviewState {
    /// Computes what is due after a new reading.
    pub fn take_in(&mut self, history: &History) {
        let Some(sample) = history.latest() else {
            return;
        };
        let now = sample.elapsed;
        let is_other = history
            .iter()
            .next_back()
            .is_some_and(|(_, broken)| broken.is_some());
        if is_other || self.life == Counters::default() || now >= self.life_at + LIFE_EVERY {
            self.life = sample.counters.clone();
            self.life_at = now;
        }
        for (column, window) in self.columns.iter_mut().zip(WINDOWS) {
            let is_young = column
                .rates
                .as_ref()
                .is_none_or(|rates| rates.window < Duration::from_secs(5));
            let rates = history.rates(window.span);
            // Much less covered than before: there was a break, and the old rates are of before it.
            let is_broken = match (&rates, &column.rates) {
                (Some(new), Some(old)) => new.window < old.window.mul_f64(0.5),
                (None, _) => true,
                (Some(_), None) => false,
            };
            if is_young || is_broken || now >= column.at + window.every {
                *column = Column { rates, at: now };
            }
        }
    }
}

/// A row: what a window shows, what a lifetime shows, and when that is worth a look.
struct Row {
    label: &'static str,
    of_rates: fn(&Rates) -> Option<String>,
    of_life: fn(&Counters) -> Option<String>,
    tone: fn(&Rates) -> Tone,
}

#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row { label: "hit ratio",  of_rates: |r| r.hit_ratio.map(units::percent),    of_life: life_ratio,                              tone: |_| Tone::Title },
    Row { label: "hits",       of_rates: |r| r.hits.map(units::rate),            of_life: |c| c.hits.map(units::count_short),      tone: plain },
    Row { label: "misses",     of_rates: |r| r.misses.map(units::rate),          of_life: |c| c.misses.map(units::count_short),    tone: plain },
    Row { label: "ops",        of_rates: |r| r.operations.map(units::rate),      of_life: |c| c.operations.map(units::count_short), tone: |_| Tone::Title },
    Row { label: "evicted",    of_rates: |r| r.evicted.map(units::rate),         of_life: |c| c.evicted.map(units::count_short),   tone: |r| above_zero(r.evicted, Tone::Caution) },
    Row { label: "expired",    of_rates: |r| r.expired.map(units::rate),         of_life: |c| c.expired.map(units::count_short),   tone: plain },
    Row { label: "connects",   of_rates: |r| r.connections.map(units::rate),     of_life: |c| c.connections.map(units::count_short), tone: plain },
    Row { label: "net in",     of_rates: |r| r.net_in.map(units::bytes_rate),    of_life: |c| bytes(c.net_in),            tone: plain },
    Row { label: "net out",    of_rates: |r| r.net_out.map(units::bytes_rate),   of_life: |c| bytes(c.net_out),           tone: plain },
];

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let cells = usize::from(area.width).saturating_sub(LABELS + 2) / 4;
    let columns = &deck.overview.columns;
    let mut lines = vec![heading(theme, columns, cells)];
    for row in ROWS {
        let mut spans = vec![Span::styled(
            format!(" {}", text::pad(row.label, LABELS)),
            theme.style(Tone::Muted),
        )];
        for Column { rates, .. } in columns {
            let value = rates.as_ref().and_then(row.of_rates);
            let tone = rates.as_ref().map_or(Tone::Muted, row.tone);
            spans.push(cell(theme, value, tone, cells));
        }
        spans.push(cell(
            theme,
            (row.of_life)(&deck.overview.life),
            Tone::Muted,
            cells,
        ));
        lines.push(Line::from(spans));
    }
    for (row, line) in area.rows().zip(lines) {
        frame.render_widget(line, row);
    }
}

fn heading(theme: Theme, columns: &[Column; 3], cells: usize) -> Line<'static> {
    let mut spans = vec![Span::raw(" ".repeat(LABELS + 1))];
    for (window, column) in WINDOWS.iter().zip(columns) {
        // A young history, or one since a break, covers less than the name says.
        let name = match &column.rates {
            Some(rates) if rates.window < window.span.mul_f64(0.8) => {
                format!("{} of {}", covered(rates.window), window.short)
            }
            _ => window.name.to_owned(),
        };
        spans.push(cell(theme, Some(name), Tone::Muted, cells));
    }
    spans.push(cell(theme, Some("lifetime".to_owned()), Tone::Muted, cells));
    Line::from(spans)
}

/// How much of its window a column covers, short: `7s`, `40s`, `3m`.
fn covered(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{}s", seconds.max(1)),
        seconds => format!("{}m", seconds / 60),
    }
}

fn cell(theme: Theme, value: Option<String>, tone: Tone, width: usize) -> Span<'static> {
    match value {
        Some(value) => Span::styled(text::pad_left(&value, width), theme.style(tone)),
        None => Span::styled(
            text::pad_left(theme.unknown(), width),
            theme.style(Tone::Muted),
        ),
    }
}

/// Hits by lookups since the server's counters began.
pub fn life_ratio(counters: &Counters) -> Option<String> {
    let (hits, misses) = (counters.hits?, counters.misses?);
    ratio(hits as f64, misses as f64).map(units::percent)
}

fn bytes(bytes: Option<Bytes>) -> Option<String> {
    bytes.map(|bytes| bytes.to_string())
}

fn plain(_: &Rates) -> Tone {
    Tone::Plain
}

pub fn above_zero(rate: Option<f64>, tone: Tone) -> Tone {
    if rate.is_some_and(|rate| rate > 0.0) {
        tone
    } else {
        Tone::Plain
    }
}
