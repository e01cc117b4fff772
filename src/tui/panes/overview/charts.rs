//! The last minutes as four curves.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::model::{Bytes, History, Sample, units};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::panes::states::age;
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;
use crate::tui::widgets::chart::{Chart, capacity, round_top};
use crate::tui::widgets::panel;

/// Seconds that one point stands for. Wider ones are taken as there is more to show. A chart moves
/// when a point is over, and moving costs bytes, so that points are not too short.
const WIDTHS: [u64; 5] = [5, 8, 15, 30, 60];

/// A frame narrower than this cannot hold its title.
const NARROWEST: u16 = 18;

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    if area.height < 4 {
        return;
    }
    let places = places(area);
    let Some(first) = places.first() else { return };
    let time = Time::of(
        &deck.history,
        capacity(shell.theme, first.width.saturating_sub(2)),
    );
    for (place, curve) in places
        .into_iter()
        .zip([hit_ratio, operations, memory, evictions])
    {
        let curve = curve(deck, sample, &time);
        let note = if place.width >= 44 {
            format!("{}, top {}", time.words(), curve.top_words)
        } else if place.width >= 30 {
            time.words()
        } else {
            String::new()
        };
        // The whole words where they fit between the corners.
        let title = [curve.title, curve.short]
            .map(|title| format!("{title} {}", curve.now).trim_end().to_owned())
            .into_iter()
            .find(|title| text::width(title) + 4 <= usize::from(place.width))
            .unwrap_or_else(|| curve.short.to_owned());
        let inner = panel::within(shell.theme, frame, place, &title, &note);
        Chart {
            points: &curve.points,
            top: curve.top,
            marks: &time.marks,
            tone: curve.tone,
        }
        .draw(shell.theme, frame, inner);
    }
}

/// Two by two where there is height for it, else side by side.
fn places(area: Rect) -> Vec<Rect> {
    let in_rows = if area.height >= 12 { 2 } else { 1 };
    let in_columns = (area.width / NARROWEST).min(4 / in_rows).max(1);
    let columns = vec![Constraint::Fill(1); usize::from(in_columns)];
    let rows = vec![Constraint::Fill(1); usize::from(in_rows)];
    Layout::vertical(rows)
        .split(area)
        .iter()
        .flat_map(|row| Layout::horizontal(columns.clone()).split(*row).to_vec())
        .collect()
}

/// The span of the charts, the same for all of them.
struct Time {
    span: Duration,
    buckets: usize,
    /// Buckets with a restart, a reset or a failover.
    marks: Vec<usize>,
}

impl Time {
    fn of(history: &History, buckets: usize) -> Self {
        let seen = match (history.iter().next(), history.latest()) {
            (Some((first, _)), Some(last)) => last.elapsed.saturating_sub(first.elapsed),
            _ => Duration::ZERO,
        };
        let count = buckets.max(1) as u64;
        let width = WIDTHS
            .into_iter()
            .find(|width| Duration::from_secs(width * count) >= seen)
            .unwrap_or(60);
        let width = Duration::from_secs(width);
        Self {
            span: width * u32::try_from(count).unwrap_or(u32::MAX),
            buckets,
            marks: marks(history, width, buckets),
        }
    }

    fn words(&self) -> String {
        format!("last {}", age(self.span))
    }
}

fn marks(history: &History, width: Duration, buckets: usize) -> Vec<usize> {
    let number = |sample: &Sample| sample.elapsed.as_nanos() / width.as_nanos().max(1);
    let Some(newest) = history.latest().map(number) else {
        return Vec::new();
    };
    history
        .iter()
        .filter(|(_, break_before)| break_before.is_some())
        .filter_map(|(sample, _)| usize::try_from(newest - number(sample)).ok())
        .filter_map(|back| buckets.checked_sub(back + 1))
        .collect()
}

struct Curve {
    title: &'static str,
    short: &'static str,
    /// The newest value.
    now: String,
    points: Vec<Option<f64>>,
    top: f64,
    top_words: String,
    tone: Tone,
}

fn hit_ratio(deck: &Deck, _: &Sample, time: &Time) -> Curve {
    let points = deck
        .history
        .points(time.span, time.buckets, |rates| rates.hit_ratio);
    Curve {
        title: "Hit ratio",
        short: "Hits",
        now: newest(&points, units::percent),
        top: 1.0,
        top_words: units::percent(1.0),
        points,
        tone: Tone::Good,
    }
}

fn operations(deck: &Deck, _: &Sample, time: &Time) -> Curve {
    let points = deck
        .history
        .points(time.span, time.buckets, |rates| rates.operations);
    let top = round_top(&points);
    Curve {
        title: "Operations",
        short: "Ops",
        now: newest(&points, units::rate),
        top,
        top_words: units::rate(top),
        points,
        tone: Tone::Accent,
    }
}

/// Against the limit where that is near, else against itself.
fn memory(deck: &Deck, sample: &Sample, time: &Time) -> Curve {
    let points = deck.history.gauges(time.span, time.buckets, |sample| {
        sample.memory.used.map(|bytes| bytes.0 as f64)
    });
    let highest = points.iter().flatten().copied().fold(0.0, f64::max);
    let limit = sample
        .memory
        .limit
        .flatten()
        .filter(|limit| highest * 4.0 > limit.0 as f64);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that came from a u64"
    )]
    let top = limit.unwrap_or_else(|| Bytes((highest as u64).max(1024).next_power_of_two()));
    Curve {
        title: "Memory",
        short: "Memory",
        now: sample
            .memory
            .used
            .map(|bytes| bytes.to_string())
            .unwrap_or_default(),
        points,
        top: top.0 as f64,
        top_words: if limit.is_some() {
            format!("limit {top}")
        } else {
            top.to_string()
        },
        tone: Tone::Accent,
    }
}

fn evictions(deck: &Deck, _: &Sample, time: &Time) -> Curve {
    let points = deck
        .history
        .points(time.span, time.buckets, |rates| rates.evicted);
    let top = round_top(&points);
    let any = points.iter().flatten().any(|rate| *rate > 0.0);
    Curve {
        title: "Evicted",
        short: "Evicted",
        now: newest(&points, units::rate),
        top,
        top_words: units::rate(top),
        points,
        tone: if any { Tone::Caution } else { Tone::Accent },
    }
}

fn newest(points: &[Option<f64>], words: impl Fn(f64) -> String) -> String {
    points
        .last()
        .copied()
        .flatten()
        .map(words)
        .unwrap_or_default()
}
