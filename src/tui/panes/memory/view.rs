//! Draws the report: on wide screens in two columns, else one below the other.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::analysis::{Figure, Report, Via};
use crate::model::{Bytes, Coverage, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::memory::page::{self, Page};
use crate::tui::panes::memory::{MemoryState, State};
use crate::tui::panes::states::{draw_nothing_yet, say};
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

/// From this width on there are two columns.
const WIDE: u16 = 120;
const LEFT: u16 = 62;

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let memory = &deck.memory;
    let Some(report) = &memory.report else {
        return draw_waiting(shell, deck, frame, area);
    };
    let mut rows = area.rows();
    for line in head(shell, deck, report, usize::from(area.width)) {
        if let Some(row) = rows.next() {
            frame.render_widget(line, row);
        }
    }
    let body = Rect {
        y: area.y + 2.min(area.height),
        height: area.height.saturating_sub(2),
        ..area
    };
    for (column, lines) in columns(shell, report, body) {
        let lines = lines.into_iter().skip(memory.top);
        for (row, line) in column.rows().zip(lines) {
            frame.render_widget(line, row);
        }
    }
}

/// Lines of the longest column.
pub fn lines(shell: &Shell, deck: &Deck) -> usize {
    let Some(report) = &deck.memory.report else {
        return 0;
    };
    let columns = columns(shell, report, shell.area);
    let lengths = columns.iter().map(|(_, lines)| lines.len());
    lengths.max().unwrap_or_default()
}

fn columns(shell: &Shell, report: &Report, area: Rect) -> Vec<(Rect, Vec<Line<'static>>)> {
    let page = |area: Rect| Page::new(shell.theme, usize::from(area.width), shell.now, report);
    if report.coverage.seen == 0 {
        // No key has told anything yet: empty tables would say that there is nothing.
        let mut page = page(area);
        page.account();
        return vec![(area, page.finish())];
    }
    if area.width < WIDE {
        let mut page = page(area);
        page.spreads();
        page.names();
        return vec![(area, page.finish())];
    }
    let left = Rect {
        width: LEFT,
        ..area
    };
    let right = Rect {
        x: area.x + LEFT + 2,
        width: area.width - LEFT - 2,
        ..area
    };
    let (mut spreads, mut names) = (page(left), page(right));
    spreads.spreads();
    names.names();
    vec![(left, spreads.finish()), (right, names.finish())]
}

/// How much it is, and how that is known.
fn head(shell: &Shell, deck: &Deck, report: &Report, cells: usize) -> Vec<Line<'static>> {
    let theme = shell.theme;
    let memory = &deck.memory;
    let size = match report.bytes {
        Some(figure) => with_error(figure, page::bytes(figure)),
        None if report.coverage.seen == 0 => "none of them told its size yet".to_owned(),
        None => format!("bytes {}", theme.unknown()),
    };
    let keys = with_error(report.keys, page::keys(report.keys));
    let dataset = report
        .coverage
        .dataset
        .map(|Bytes(bytes)| format!(", the server counts {} of data", Bytes(bytes)));
    let summary = format!(" {keys} keys, {size}{}", dataset.unwrap_or_default());
    let tone = match memory.state {
        State::Failed(_) => Tone::Danger,
        _ => Tone::Muted,
    };
    vec![
        Line::styled(text::fit(&summary, cells), theme.style(Tone::Title)),
        Line::styled(
            text::fit(&standing(shell, memory, report), cells),
            theme.style(tone),
        ),
    ]
}

/// Where the figures come from, what goes on, and what would make them better.
fn standing(shell: &Shell, memory: &MemoryState, report: &Report) -> String {
    let coverage = &report.coverage;
    let seen = units::count(coverage.seen);
    let of = coverage.of.map(units::count);
    let is_sample = report.via == Via::Sample && !coverage.is_complete;
    let source = match (is_sample, coverage.is_complete, of) {
        (true, _, Some(of)) => format!("a sample: {seen} keys drawn of {of}"),
        (true, _, None) => format!("a sample: {seen} keys drawn"),
        (false, true, _) => format!("all {seen} keys"),
        (false, false, Some(of)) => format!("{seen} of {of} keys seen"),
        (false, false, None) => format!("{seen} keys seen"),
    };
    let mut words = vec![source];
    match &memory.state {
        State::Running => {
            let (coverage, cost) = match &memory.under_way {
                Some((coverage, cost)) => {
                    words.push(going_on(memory.via, coverage));
                    (coverage, cost)
                }
                None => (coverage, &report.cost),
            };
            let is_sample = memory.via == Some(Via::Sample);
            if let Some(share) = cost.share {
                words.push(format!("{} of a core", units::percent(share)));
            }
            if let Some(left) = cost.left(coverage).filter(|_| !is_sample) {
                words.push(format!("{} left", units::span_short(left)));
            }
            words.extend(cost.backs_off.map(|why| format!("slower: {why}")));
        }
        State::Paused => {
            let key = shell.keymap.key(Action::PauseSurvey);
            words.push(format!("paused, {key} continues"));
        }
        State::Done { at } => words.push(format!("done at {}", shell.clock(*at))),
        State::Failed(fault) => words.push(format!("stopped: {fault}")),
        State::NotStarted => {}
    }
    if is_sample && memory.via == Some(Via::Sample) {
        let key = shell.keymap.key(Action::WalkAll);
        words.push(format!("{key} walks all keys"));
    }
    if report.cost.lookups > 0 {
        let lookups = units::count(report.cost.lookups);
        words.push(format!("{lookups} hits and misses are ours"));
    }
    let dot = shell.theme.sign(" · ", " - ");
    format!(" {}", words.join(dot))
}

/// What goes on while something better is shown.
fn going_on(via: Option<Via>, coverage: &Coverage) -> String {
    let seen = units::count(coverage.seen);
    let of = coverage.of.map(|of| format!(" of {}", units::count(of)));
    let doing = match via {
        Some(Via::Sample) => "drawing",
        _ => "walking",
    };
    format!("{doing}: {seen}{}", of.unwrap_or_default())
}

/// `~1,203,991 ±2 %`
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn with_error(figure: Figure, words: String) -> String {
    match figure.interval {
        Some((low, high)) if figure.value > 0 => {
            let error = (high - low) as f64 / 2.0 / figure.value as f64;
            format!("{words} ±{}", units::percent(error))
        }
        _ => words,
    }
}

fn draw_waiting(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    match &deck.memory.state {
        State::Failed(fault) => {
            let mut lines = vec![
                Line::styled("the keys cannot be surveyed:", theme.style(Tone::Title)),
                Line::styled(fault.to_string(), theme.style(Tone::Danger)),
            ];
            if let Some(hint) = fault.hint() {
                lines.push(Line::raw(format!("try: {hint}")));
            }
            say(frame, area, lines);
        }
        State::Running | State::Paused => say(
            frame,
            area,
            vec![Line::from(Span::styled(
                "asking about keys …",
                theme.style(Tone::Muted),
            ))],
        ),
        State::NotStarted | State::Done { .. } => draw_nothing_yet(shell, deck, frame, area),
    }
}
