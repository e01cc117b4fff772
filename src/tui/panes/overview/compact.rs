//! The overview where there is little room: the most telling facts first.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::model::{Sample, units};
use crate::tui::deck::Deck;
use crate::tui::panes::overview::memory;
use crate::tui::panes::overview::traffic::{above_zero, life_ratio};
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;
use crate::tui::widgets::facts::{self, Fact};

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let facts = facts(deck, sample);
    let columns = if area.width >= 60 { 2 } else { 1 };
    let height = usize::from(area.height).max(1);
    let width = area.width / columns;
    for (column, facts) in (0..columns).zip(facts.chunks(height)) {
        let place = Rect {
            x: area.x + column * width,
            width,
            ..area
        };
        facts::draw(shell.theme, frame, place, facts);
    }
}

fn facts(deck: &Deck, sample: &Sample) -> Vec<Fact> {
    let now = deck.history.rates(Duration::from_secs(10));
    let minute = deck.history.rates(Duration::from_secs(60));
    let rate = |pick: fn(&crate::model::Rates) -> Option<f64>| now.as_ref().and_then(pick);
    let evicted = rate(|rates| rates.evicted);
    let mut facts = vec![
        Fact::new("hits", rate(|rates| rates.hit_ratio).map(units::percent)).tone(Tone::Title),
        Fact::new("ops", rate(|rates| rates.operations).map(units::rate)),
    ];
    let mut memory = memory::memory(deck, sample);
    let filled = memory.remove(2);
    facts.extend([memory.remove(0), filled]);
    facts.push(
        Fact::new("evicted", evicted.map(units::rate)).tone(above_zero(evicted, Tone::Caution)),
    );
    facts.push(Fact::new("keys", sample.keys().map(units::count)));
    facts.extend(memory::clients(sample));
    facts.push(Fact::new(
        "expired",
        rate(|rates| rates.expired).map(units::rate),
    ));
    facts.push(Fact::new(
        "hits 1m",
        minute.and_then(|rates| rates.hit_ratio).map(units::percent),
    ));
    facts.push(Fact::new("hits life", life_ratio(&sample.counters)));
    facts.extend(memory);
    facts
}
