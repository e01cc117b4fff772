//! How full the cache is, and who uses it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Bytes, Database, Sample, SlabClass, Slabs, units};
use crate::tui::deck::Deck;
use crate::tui::panes::overview::traffic::above_zero;
use crate::tui::panes::states::age;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::panel;

/// The span that the growth of memory is read from.
const TREND: Duration = Duration::from_secs(5 * 60);

/// Under this much data the resident share says nothing: the server itself outweighs it.
const SMALL: Bytes = Bytes(64 << 20);

pub fn memory(deck: &Deck, sample: &Sample) -> Vec<Fact> {
    let memory = &sample.memory;
    let mut facts = vec![Fact::new(
        "used",
        memory.used.map(|bytes| bytes.to_string()),
    )];
    match memory.limit {
        Some(Some(limit)) => facts.push(Fact::new("limit", limit.to_string())),
        Some(None) => facts.push(Fact::new("limit", "none".to_owned())),
        None => facts.push(Fact::new("limit", None)),
    }
    facts.push(filled(deck, sample));
    if let Some(Some(_)) = memory.limit {
        facts.push(until_full(deck));
    }
    if let Some(slabs) = &sample.slabs {
        facts.extend(slab_facts(slabs));
    } else {
        let resident = memory.resident.map(|bytes| bytes.to_string());
        facts.push(Fact::new("resident", resident));
        facts.push(fragmentation(sample));
    }
    if let Some(policy) = &memory.policy {
        facts.push(Fact::new("policy", policy.clone()));
    }
    facts
}

pub fn clients(sample: &Sample) -> Vec<Fact> {
    let clients = &sample.clients;
    let share = clients
        .connected
        .zip(clients.limit)
        .filter(|(_, limit)| *limit > 0)
        .map(|(connected, limit)| connected as f64 / limit as f64);
    let tone = match share {
        Some(share) if share >= 0.9 => Tone::Danger,
        Some(share) if share >= 0.75 => Tone::Caution,
        _ => Tone::Plain,
    };
    let limit = clients
        .limit
        .map(|limit| format!("of {}", units::count(limit)))
        .unwrap_or_default();
    let mut facts = vec![
        Fact::new("clients", clients.connected.map(units::count))
            .tone(tone)
            .note(limit),
    ];
    if clients.blocked.is_some() || sample.slabs.is_none() {
        facts.push(Fact::new("blocked", clients.blocked.map(units::count)));
    }
    let rejected = sample.counters.rejected;
    facts.push(
        Fact::new("rejected", rejected.map(units::count)).tone(above_zero(
            rejected.map(|count| count as f64),
            Tone::Caution,
        )),
    );
    facts
}

pub fn server(sample: &Sample) -> Vec<Fact> {
    let one = &sample.identity;
    let engine = format!("{} {}", one.engine.name().to_owned(), one.version.clone());
    let mut facts = vec![
        Fact::new("engine", engine),
        Fact::new("role", one.role.word().to_owned()),
        Fact::new("uptime", one.uptime.map(age)),
    ];
    if let Some(mode) = &one.mode {
        facts.push(Fact::new("mode", mode.clone()));
    }
    facts.push(Fact::new("latency", quantised(sample.round_trip)));
    facts
}

/// The databases, or the slab classes, as a table in a panel.
pub fn draw_contents(theme: Theme, sample: &Sample, frame: &mut Frame, area: Rect) {
    if let Some(slabs) = &sample.slabs {
        let inner = panel::within(theme, frame, area, "Slab classes", "");
        return draw_rows(
            theme,
            frame,
            inner,
            "  class    chunk      used    of  oldest",
            slabs.classes.iter().map(class_row),
        );
    }
    let inner = panel::within(theme, frame, area, "Databases", "");
    match &sample.databases {
        None => frame.render_widget(Line::styled(" not told", theme.style(Tone::Muted)), inner),
        Some(databases) if databases.is_empty() => {
            frame.render_widget(Line::styled(" no keys", theme.style(Tone::Muted)), inner);
        }
        Some(databases) => draw_rows(
            theme,
            frame,
            inner,
            " db          keys      with TTL  average",
            databases.iter().map(database_row),
        ),
    }
}

fn draw_rows(
    theme: Theme,
    frame: &mut Frame,
    area: Rect,
    heading: &'static str,
    lines: impl ExactSizeIterator<Item = String>,
) {
    let mut rows = area.rows();
    if let Some(row) = rows.next() {
        frame.render_widget(Line::styled(heading, theme.style(Tone::Muted)), row);
    }
    let (len, room) = (lines.len(), usize::from(area.height.saturating_sub(1)));
    for (at, (row, line)) in rows.zip(lines).enumerate() {
        if at + 1 == room && len > room {
            let more = format!(" and {} more", len - at);
            frame.render_widget(Line::styled(more, theme.style(Tone::Muted)), row);
        } else {
            frame.render_widget(Span::raw(line), row);
        }
    }
}

fn database_row(database: &Database) -> String {
    format!(
        " {:<3} {:>12}  {:>12}  {:>7}",
        database.index,
        units::count(database.keys),
        database
            .keys_with_ttl
            .map_or_else(|| "-".to_owned(), units::count),
        database.average_ttl.map_or_else(|| "-".to_owned(), age),
    )
}

fn class_row(class: &SlabClass) -> String {
    format!(
        " {:>6} {:>8} {:>9} {:>5} {:>7}",
        class.id,
        class.chunk_size.to_string(),
        units::count_short(class.used_chunks),
        units::count_short(class.total_chunks),
        class.tail_age.map_or_else(|| "-".to_owned(), age),
    )
}

/// Always in its row, known or not, so that the rows below keep their places.
fn until_full(deck: &Deck) -> Fact {
    let left = deck.history.time_until_full(TREND);
    let (tone, note) = match left {
        Some(left) if left < Duration::from_secs(3600) => (Tone::Caution, "as it grows now"),
        Some(_) => (Tone::Plain, "as it grows now"),
        None => (Tone::Muted, "no growth seen"),
    };
    Fact::new("full in", left.map(age)).tone(tone).note(note)
}

/// Full is normal for a cache that evicts, and an outage for one that does not.
fn filled(deck: &Deck, sample: &Sample) -> Fact {
    let evicts = sample.memory.policy.as_deref() != Some("noeviction");
    let is_growing = deck.history.time_until_full(TREND).is_some();
    let fill = sample.fill();
    let tone = match fill {
        Some(fill) if fill >= 0.95 && !evicts => Tone::Danger,
        Some(fill) if fill >= 0.8 && (!evicts || is_growing) => Tone::Caution,
        _ => Tone::Good,
    };
    if sample.memory.limit == Some(None) {
        return Fact::new("peak", sample.memory.peak.map(|bytes| bytes.to_string()));
    }
    Fact::new("filled", fill.map(units::percent))
        .tone(tone)
        .bar(fill)
}

fn fragmentation(sample: &Sample) -> Fact {
    let memory = &sample.memory;
    let counts = memory.used.is_some_and(|used| used >= SMALL);
    let tone = match memory.fragmentation {
        Some(share) if counts && share >= 1.5 => Tone::Caution,
        // Less than one: the system has swapped part of the dataset out.
        Some(share) if counts && share < 1.0 => Tone::Danger,
        _ => Tone::Plain,
    };
    let note = if counts || memory.fragmentation.is_none() {
        ""
    } else {
        "little data"
    };
    Fact::new(
        "frag",
        memory.fragmentation.map(|share| format!("{share:.2}")),
    )
    .tone(tone)
    .note(note)
}

fn slab_facts(slabs: &Slabs) -> Vec<Fact> {
    let oldest = slabs
        .classes
        .iter()
        .filter_map(|class| class.tail_age)
        .min();
    let failed: u64 = slabs
        .classes
        .iter()
        .filter_map(|class| class.out_of_memory)
        .sum();
    let mut facts = vec![
        Fact::new("in slabs", slabs.allocated.map(|bytes| bytes.to_string())),
        Fact::new("waste", waste(slabs).map(|(wasted, _)| wasted.to_string())).note(
            waste(slabs)
                .map(|(_, share)| units::percent(share))
                .unwrap_or_default(),
        ),
        Fact::new("tail age", oldest.map(age)).note("shortest"),
    ];
    if failed > 0 {
        facts.push(
            Fact::new("no memory", units::count(failed))
                .tone(Tone::Danger)
                .note("stores failed"),
        );
    }
    facts
}

/// Bytes of used chunks that hold nothing, and their share.
pub fn waste(slabs: &Slabs) -> Option<(Bytes, f64)> {
    let mut taken = 0;
    let mut asked = 0;
    for class in &slabs.classes {
        taken += class.used_chunks * class.chunk_size.0;
        asked += class.requested?.0;
    }
    let wasted = taken.saturating_sub(asked);
    (taken > 0).then(|| (Bytes(wasted), wasted as f64 / taken as f64))
}

/// A round trip in steps, so that a steady link shows a steady number.
fn quantised(span: Duration) -> String {
    let steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
    steps
        .iter()
        .find(|step| span <= Duration::from_millis(**step))
        .map_or_else(|| units::span(span), |step| format!("{} {step} ms", "<"))
}
