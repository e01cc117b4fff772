//! The header line, and the line below it when something is wrong.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::worker::SessionState;
use crate::model::{Concern, Environment, Feature, Sample, UnixMs};
use crate::text;
use crate::tui::app::LATE;
use crate::tui::deck::Deck;
use crate::tui::panes::states::{age, wrapped};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let state = state(shell, deck);
    let state_width = u16::try_from(state.width())
        .unwrap_or(area.width)
        .min(area.width);
    let mut spans = warnings(theme, deck, area.width);
    let taken: usize = spans.iter().map(Span::width).sum();
    let left = usize::from(area.width.saturating_sub(state_width)).saturating_sub(taken + 2);
    let name = text::fit_middle(&text::escape(deck.target.name.as_bytes()), left.max(6));
    let rest = left.saturating_sub(text::width(&name) + 2);
    spans.push(Span::styled(format!(" {name} "), theme.style(Tone::Title)));
    if let Some(sample) = deck.latest() {
        let (identity, uptime) = (identity(sample), uptime(sample));
        // Half an uptime says something else.
        let has_room = text::width(&identity) + text::width(&uptime) <= rest;
        let words = identity + if has_room { &uptime } else { "" };
        spans.push(Span::styled(
            text::fit(&words, rest),
            theme.style(Tone::Muted),
        ));
    }
    frame.render_widget(Line::from(spans), area);
    let right = Rect {
        x: area.right() - state_width,
        width: state_width,
        ..area
    };
    frame.render_widget(state, right);
}

/// What must not be overlooked, most serious first; one letter each where there is no room.
fn warnings(theme: Theme, deck: &Deck, width: u16) -> Vec<Span<'static>> {
    let is_wide = width >= 60;
    let word = |long: &'static str, short: &'static str| if is_wide { long } else { short };
    let mut spans = Vec::new();
    if deck.policy.environment == Environment::Production {
        spans.push(Span::styled(
            word(" PRODUCTION ", " PROD "),
            theme.style(Tone::Production),
        ));
    }
    if deck.target.tls.as_ref().is_some_and(|tls| tls.is_insecure) {
        spans.push(Span::styled(
            word(" TLS NOT VERIFIED ", " TLS! "),
            theme.style(Tone::Production),
        ));
    }
    if deck.policy.is_read_only {
        spans.push(Span::styled(
            word(" READ-ONLY ", " RO "),
            theme.style(Tone::ReadOnly),
        ));
    }
    spans.extend(concern(theme, deck, is_wide));
    spans
}

/// Snapshots that fail or are long over.
fn concern(theme: Theme, deck: &Deck, is_wide: bool) -> Option<Span<'static>> {
    let sample = deck.latest()?;
    let concern = sample.persistence.as_ref()?.concern(sample.at)?;
    let (tone, long, short) = match concern {
        Concern::SaveFailed => (Tone::Danger, " SAVE FAILED ".to_owned(), " SAVE! "),
        Concern::AofFailed => (Tone::Danger, " AOF FAILED ".to_owned(), " AOF! "),
        // A service makes its snapshots by itself, where we cannot see them.
        Concern::Stale(_) if deck.features.need(Feature::Snapshot).is_err() => return None,
        Concern::Stale(old) => (
            Tone::Caution,
            format!(" SNAPSHOT {} OLD ", age(old).to_uppercase()),
            " OLD SNAPSHOT ",
        ),
    };
    let words = if is_wide { long } else { short.to_owned() };
    Some(Span::styled(words, theme.style(tone)))
}

fn identity(sample: &Sample) -> String {
    let one = &sample.identity;
    let engine = one.engine.name().to_owned();
    let version = one.version.clone();
    let cluster = if one.is_cluster_node {
        "  one node of a cluster"
    } else {
        ""
    };
    format!(" {engine} {version}  {}{cluster}", one.role.word())
}

fn uptime(sample: &Sample) -> String {
    let uptime = sample.identity.uptime;
    uptime.map_or_else(String::new, |span| format!("  uptime {}", age(span)))
}

fn state(shell: &Shell, deck: &Deck) -> Line<'static> {
    let theme = shell.theme;
    match &deck.session {
        SessionState::Connecting => Line::styled("connecting ", theme.style(Tone::Caution)),
        SessionState::Up => match late(shell, deck) {
            Some(by) => Line::styled(
                format!("no answer for {} s ", by.as_secs()),
                theme.style(Tone::Caution),
            ),
            None => Line::styled(
                format!("{} up ", theme.sign("●", "*")),
                theme.style(Tone::Good),
            ),
        },
        SessionState::Down { .. } => Line::styled(
            format!("{} down ", theme.sign("●", "*")),
            theme.style(Tone::Danger),
        ),
    }
}

/// For how long an answer is overdue.
fn late(shell: &Shell, deck: &Deck) -> Option<Duration> {
    let expected = deck.latest()?.at.plus(shell.interval + LATE);
    let over = shell.now.since(expected)?;
    Some(over + LATE)
}

/// What is wrong with the connection, if anything, in one sentence.
pub fn trouble(shell: &Shell, deck: &Deck) -> Option<String> {
    let SessionState::Down {
        why,
        since,
        next_try,
    } = &deck.session
    else {
        return None;
    };
    let seconds = |at: UnixMs| shell.now.since(at).unwrap_or_default().as_secs();
    // What is shown is as old as its reading, and a server hangs before it is given up.
    let stale = match deck.latest() {
        Some(sample) => format!("stale for {} s", seconds(sample.at)),
        None => format!("no connection for {} s", seconds(*since)),
    };
    let next = match next_try.since(shell.now) {
        Some(left) if left > Duration::ZERO => {
            format!("next try in {} s", left.as_millis().div_ceil(1000))
        }
        _ => "trying again".to_owned(),
    };
    Some(format!("{stale}, {next}: {why}"))
}

pub fn draw_trouble(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let Some(trouble) = trouble(shell, deck).filter(|_| area.height > 0) else {
        return;
    };
    let style = shell.theme.style(Tone::Danger);
    let mut lines = wrapped(&trouble, usize::from(area.width).saturating_sub(1));
    let rows = usize::from(area.height);
    if lines.len() > rows {
        let rest = lines.split_off(rows - 1).join(" ");
        lines.push(text::fit(&rest, usize::from(area.width).saturating_sub(1)));
    }
    for (row, words) in area.rows().zip(lines) {
        frame.render_widget(Line::styled(format!(" {words}"), style), row);
    }
}

/// Rows that the trouble takes: the reason matters more than the last row of a pane.
pub fn trouble_height(shell: &Shell, deck: &Deck, area: Rect) -> u16 {
    let Some(trouble) = trouble(shell, deck) else {
        return 0;
    };
    let is_long = text::width(&trouble) >= usize::from(area.width);
    if is_long && area.height >= 16 { 2 } else { 1 }
}
