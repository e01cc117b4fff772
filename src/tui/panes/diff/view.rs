//! How differences are drawn: where they are, and one by one.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::comparison::{Form, Incomparable, Reading, Row, Unit};
use crate::engine::worker::{Verdict, With};
use crate::model::{UnixMs, units};
use crate::snapshot::diff::{Count, Difference, Facts, What, kind_word};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::diff::{DiffState, Folder, State};
use crate::tui::panes::keys::value;
use crate::tui::panes::states::say;
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::gauge;

/// Lines above the list: what is compared, how many, what to know, and the heading.
pub const HEAD: u16 = 4;
/// From this width on bytes that came and went have columns of their own.
const WIDE: usize = 110;

pub fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let diff = &deck.diff;
    let Some(verdict) = &diff.verdict else {
        return draw_waiting(shell, deck, frame, area);
    };
    let width = usize::from(area.width);
    let mut rows = area.rows();
    let mut put = |frame: &mut Frame, line: Line<'static>| {
        if let Some(row) = rows.next() {
            frame.render_widget(line, row);
        }
    };
    put(frame, title(shell, verdict, width));
    put(frame, summary(shell.theme, verdict));
    put(frame, standing(shell, diff, verdict, width));
    let height = usize::from(area.height.saturating_sub(HEAD));
    match &diff.open {
        None => {
            put(frame, heading(shell.theme, width));
            let visible = diff.cursor.visible(verdict.rows.len(), height);
            for at in visible {
                let is_selected = at == diff.cursor.selected();
                let line = prefix_line(&verdict.rows[at], width);
                put(frame, chosen(shell.theme, line, is_selected, width));
            }
        }
        Some(folder) => {
            put(frame, folder_heading(shell.theme, folder, verdict, width));
            let visible = folder.cursor.visible(folder.keys.len(), height);
            for at in visible {
                let is_selected = at == folder.cursor.selected();
                let one = &verdict.differences[folder.keys[at]];
                let line = key_line(shell, one, verdict, width);
                put(frame, chosen(shell.theme, line, is_selected, width));
            }
        }
    }
}

fn title(shell: &Shell, verdict: &Verdict, width: usize) -> Line<'static> {
    let arrow = shell.theme.sign(" → ", " -> ");
    let half = (width.saturating_sub(text::width(arrow) + 14) / 2).max(8);
    let names = format!(
        " {}{arrow}{}",
        text::fit_middle(&verdict.before, half),
        text::fit_middle(&verdict.after, half)
    );
    Line::from(vec![
        Span::styled(names, shell.theme.style(Tone::Title)),
        Span::styled(
            format!("  at {}", shell.clock(verdict.at)),
            shell.theme.style(Tone::Muted),
        ),
    ])
}

/// `1,204 added  17 removed  311 changed  2 other TTL  998,468 the same`
fn summary(theme: Theme, verdict: &Verdict) -> Line<'static> {
    let tally = &verdict.tally;
    let part = |count: Count, words: &str, tone: Tone| {
        let tone = if count.keys == 0 { Tone::Muted } else { tone };
        Span::styled(
            format!(" {} {words} ", units::count(count.keys)),
            theme.style(tone),
        )
    };
    Line::from(vec![
        part(tally.added, "added", Tone::Good),
        part(tally.removed, "removed", Tone::Danger),
        part(tally.changed, "changed", Tone::Caution),
        part(tally.ttl_changed, "other TTL", Tone::Accent),
        part(tally.same, "the same", Tone::Muted),
    ])
}

/// What goes on, or what to know of what is shown.
fn standing(shell: &Shell, diff: &DiffState, verdict: &Verdict, width: usize) -> Line<'static> {
    let theme = shell.theme;
    let (tone, words) = match &diff.state {
        State::Reading(readings) => (
            Tone::Accent,
            format!("comparing anew: {}", how_far(readings)),
        ),
        State::Joining => (Tone::Accent, "comparing anew: both are read".to_owned()),
        State::Failed(why) => (Tone::Danger, format!("not compared anew: {why}")),
        State::NotStarted | State::Done => {
            (Tone::Muted, verdict.notes.join(theme.sign(" · ", " - ")))
        }
    };
    let words = text::fit(&format!(" {words}"), width);
    Line::styled(words, theme.style(tone))
}

fn columns(width: usize) -> Vec<(&'static str, usize)> {
    let mut columns = vec![("ADDED", 10), ("REMOVED", 10), ("CHANGED", 10), ("TTL", 9)];
    if width >= WIDE {
        columns.extend([("CAME", 11), ("WENT", 11)]);
    }
    columns.push(("GROWTH", 12));
    columns
}

fn heading(theme: Theme, width: usize) -> Line<'static> {
    let columns = columns(width);
    let cells: Vec<(String, usize)> = columns
        .into_iter()
        .map(|(name, cells)| (name.to_owned(), cells))
        .collect();
    Line::styled(line_of("PREFIX", &cells, width), theme.style(Tone::Muted))
}

fn prefix_line(row: &Row, width: usize) -> String {
    let count = |keys: u64| match (keys, row.is_estimate) {
        (0, _) => String::new(),
        (keys, true) => format!("~{}", units::count(keys)),
        (keys, false) => units::count(keys),
    };
    let bytes = |bytes: u64| match bytes {
        0 => String::new(),
        bytes => crate::model::Bytes(bytes).to_string(),
    };
    let cells: Vec<String> = row
        .keys
        .iter()
        .map(|keys| count(*keys))
        .chain((width >= WIDE).then(|| bytes(row.bytes[0])))
        .chain((width >= WIDE).then(|| bytes(row.bytes[1])))
        .chain([row.growth()])
        .collect();
    let widths = columns(width).into_iter().map(|(_, cells)| cells);
    let cells: Vec<(String, usize)> = cells.into_iter().zip(widths).collect();
    let indent = " ".repeat(row.depth.saturating_sub(1).min(8) as usize);
    line_of(&format!("{indent}{}", row.prefix), &cells, width)
}

/// A name, and cells at the right.
fn line_of(name: &str, cells: &[(String, usize)], width: usize) -> String {
    let beside: usize = cells.iter().map(|(_, cells)| cells + 1).sum();
    let room = width.saturating_sub(beside + 2).max(1);
    let mut line = format!(" {}", text::pad(&text::fit_middle(name, room), room));
    for (cell, cells) in cells {
        line.push(' ');
        line.push_str(&text::pad_left(cell, *cells));
    }
    text::fit(&line, width)
}

fn folder_heading(theme: Theme, folder: &Folder, verdict: &Verdict, width: usize) -> Line<'static> {
    let kept = verdict.differences.len() as u64;
    let tally = &verdict.tally;
    let all: u64 = [tally.added, tally.removed, tally.changed, tally.ttl_changed]
        .iter()
        .map(|count| count.keys)
        .sum();
    let many = match folder.keys.len() {
        1 => "1 key".to_owned(),
        many => format!("{} keys", units::count(many as u64)),
    };
    let mut words = format!(" {}  {many}", folder.prefix);
    if kept < all {
        let (kept, all) = (units::count(kept), units::count(all));
        words = format!("{words} of the first {kept}; all {all}: snapshot diff -o ndjson");
    }
    Line::styled(text::fit(&words, width), theme.style(Tone::Title))
}

/// `+ session:17   string  120 B  TTL 1h`
fn key_line(shell: &Shell, one: &Difference, verdict: &Verdict, width: usize) -> String {
    let theme = shell.theme;
    let sign = match one.what {
        What::Added => "+",
        What::Removed => "-",
        What::Changed { .. } => theme.sign("≠", "!"),
        What::TtlChanged => "t",
    };
    let arrow = theme.sign("→", "->");
    let told = match (one.before, one.after) {
        (Some(before), Some(after)) => {
            let mut parts = Vec::new();
            if before.kind != after.kind {
                let (before, after) = (kind(verdict, before), kind(verdict, after));
                parts.push(format!("{before} {arrow} {after}"));
            } else if let What::Changed { .. } = one.what {
                parts.push(kind(verdict, after));
            }
            if let What::Changed { in_value: true, .. } = one.what {
                parts.push(if before.size == after.size {
                    format!("{}, other value", after.size)
                } else {
                    format!("{} {arrow} {}", before.size, after.size)
                });
            }
            let is_other_ttl = matches!(
                one.what,
                What::TtlChanged | What::Changed { in_ttl: true, .. }
            );
            if is_other_ttl {
                let (before, after) = (ttl(before, verdict.at), ttl(after, verdict.at));
                parts.push(format!("TTL {before} {arrow} {after}"));
            }
            parts.join("  ")
        }
        (Some(facts), None) | (None, Some(facts)) => {
            let ttl = match facts.ends {
                Some(_) => format!("  TTL {}", ttl(facts, verdict.at)),
                None => String::new(),
            };
            format!("{}  {}{ttl}", kind(verdict, facts), facts.size)
        }
        (None, None) => String::new(),
    };
    let told = text::fit(&told, width / 2);
    let room = width.saturating_sub(text::width(&told) + 6).max(1);
    let name = value::brief(&one.key, room);
    let name = if one.space == 0 {
        name
    } else {
        text::fit(&format!("{name} (db {})", one.space), room)
    };
    text::fit(
        &format!(" {sign} {}  {told}", text::pad(&name, room)),
        width,
    )
}

fn kind(verdict: &Verdict, facts: Facts) -> String {
    match verdict.form {
        Form::Items => format!("flags {}", facts.kind),
        Form::Keys => kind_word(facts.kind).to_owned(),
    }
}

fn ttl(facts: Facts, at: UnixMs) -> String {
    match facts.ends {
        None => "none".to_owned(),
        Some(ends) => match ends.since(at) {
            Some(left) => units::span_short(left),
            None => "over".to_owned(),
        },
    }
}

fn chosen(theme: Theme, line: String, is_selected: bool, width: usize) -> Line<'static> {
    if is_selected {
        Line::styled(text::pad(&line, width), theme.style(Tone::Selected))
    } else {
        Line::raw(line)
    }
}

fn draw_waiting(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    let theme = shell.theme;
    let key = shell.keymap.key(Action::Compare);
    let lines = match &deck.diff.state {
        State::Reading(readings) => reading_lines(shell, deck, readings, area),
        State::Joining => vec![Line::styled(
            "both are read, and held against each other …",
            theme.style(Tone::Muted),
        )],
        State::Failed(why) => failed_lines(theme, why, &key),
        State::NotStarted | State::Done => {
            let name = text::escape(deck.target.name.as_bytes());
            vec![
                Line::styled("what changed?", theme.style(Tone::Title)),
                Line::raw(format!(
                    "{key} holds {name} against a snapshot, a dump, or another target that is open here"
                )),
                Line::styled(
                    "all keys of both are read: of a server by DUMP, on a budget of 5 % of a core",
                    theme.style(Tone::Muted),
                ),
            ]
        }
    };
    say(frame, area, lines);
}

fn failed_lines(theme: Theme, why: &Incomparable, key: &str) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::styled("not compared", theme.style(Tone::Title)),
        Line::styled(why.to_string(), theme.style(Tone::Danger)),
    ];
    if let Incomparable::Unread { fault, .. } = why
        && let Some(hint) = fault.hint()
    {
        lines.push(Line::raw(format!("try: {hint}")));
    }
    let words = format!("{key} asks again what to compare with");
    lines.push(Line::styled(words, theme.style(Tone::Muted)));
    lines
}

fn reading_lines(
    shell: &Shell,
    deck: &Deck,
    readings: &[Reading],
    area: Rect,
) -> Vec<Line<'static>> {
    let theme = shell.theme;
    let with = match &deck.diff.with {
        Some(With::File(path)) => text::escape(path.as_os_str().as_encoded_bytes()),
        Some(With::Target(target)) => text::escape(target.name.as_bytes()),
        None => String::new(),
    };
    let mut lines = vec![Line::styled(
        format!("comparing with {with}"),
        theme.style(Tone::Title),
    )];
    let bar = (usize::from(area.width) / 4).clamp(4, 30);
    for reading in readings {
        let mut spans = vec![Span::raw(format!("{}  ", one_reading(reading)))];
        if let Some(share) = share(reading) {
            spans.extend(gauge::bar(theme, share, bar, Tone::Accent));
        }
        lines.push(Line::from(spans));
    }
    let key = shell.keymap.key(Action::Back);
    lines.push(Line::styled(
        format!("{key} stops it"),
        theme.style(Tone::Muted),
    ));
    lines
}

fn how_far(readings: &[Reading]) -> String {
    let all: Vec<String> = readings.iter().map(one_reading).collect();
    all.join(", ")
}

fn one_reading(reading: &Reading) -> String {
    let words = |amount: u64| match reading.unit {
        Unit::Bytes => crate::model::Bytes(amount).to_string(),
        Unit::Keys | Unit::Items => units::count(amount),
    };
    let unit = match reading.unit {
        Unit::Keys => " keys",
        Unit::Items => " items",
        Unit::Bytes => "",
    };
    match reading.of {
        Some(of) => format!(
            "{}: {} of {}{unit}",
            reading.name,
            words(reading.done),
            words(of)
        ),
        None => format!("{}: {}{unit}", reading.name, words(reading.done)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(reading: &Reading) -> Option<f64> {
    let of = reading.of.filter(|of| *of > 0)?;
    Some((reading.done as f64 / of as f64).min(1.0))
}
