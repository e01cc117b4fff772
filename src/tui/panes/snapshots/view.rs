//! How snapshots are drawn: what is on disk, what speaks against more, what happened here.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::engine::fetching::Fetching;
use crate::model::{
    Aof, Feature, FetchPhase, Job, Persistence, Preflight, RecordEnd, RecordKind, Sample,
    SaveStatus, SnapshotRecord, SnapshotState, Verdict, units,
};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::panes::snapshots::fetching::{self, UnderWay};
use crate::tui::panes::snapshots::{Running, usual_job};
use crate::tui::panes::states::{age, say, wrapped};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::facts::{self, Fact};
use crate::tui::widgets::{gauge, panel};

/// A pane this wide has its two upper parts side by side.
const WIDE: u16 = 72;

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let facts = match (&sample.persistence, usual_job(deck)) {
        (Some(persistence), _) => facts(shell, persistence),
        (None, Some(Job::Fetch)) => item_facts(sample),
        (None, _) => {
            let missing = deck.features.need(Feature::Snapshot).err();
            let words = missing.map_or_else(
                || "the server does not tell about its persistence".to_owned(),
                |missing| missing.0.clone(),
            );
            let line = Line::styled(words, shell.theme.style(Tone::Caution));
            return say(frame, area, vec![line]);
        }
    };
    let checks = match &deck.snapshots.preflight {
        Some(Ok(preflight)) if area.width >= WIDE => notes(
            shell.theme,
            preflight,
            usize::from(area.width / 2).saturating_sub(2),
        )
        .len(),
        _ => 0,
    };
    let height = u16::try_from(facts.len().max(checks) + 2).unwrap_or(u16::MAX);
    let (disk, checks, here) = parts(area, height);
    let title = if sample.persistence.is_some() {
        "On disk"
    } else {
        "In memory alone"
    };
    let inner = panel::within(shell.theme, frame, disk, title, "");
    facts::draw(shell.theme, frame, inner, &facts);
    draw_checks(shell, deck, frame, checks);
    draw_here(shell, deck, frame, here);
}

fn parts(area: Rect, height: u16) -> (Rect, Rect, Rect) {
    // What goes on now always has room.
    let room = if area.height < 16 {
        area.height / 2
    } else {
        area.height - 6
    };
    let top = height.min(room.max(3)).min(area.height);
    let below = Rect {
        y: area.y + top,
        height: area.height - top,
        ..area
    };
    if area.width >= WIDE {
        let half = area.width / 2;
        let left = Rect {
            width: half,
            height: top,
            ..area
        };
        let right = Rect {
            x: area.x + half,
            width: area.width - half,
            height: top,
            ..area
        };
        return (left, right, below);
    }
    let has_checks = below.height >= 8;
    let checks = Rect {
        height: if has_checks { below.height / 2 } else { 0 },
        ..below
    };
    let here = Rect {
        y: below.y + checks.height,
        height: below.height - checks.height,
        ..below
    };
    (
        Rect {
            height: top,
            ..area
        },
        checks,
        here,
    )
}

fn facts(shell: &Shell, persistence: &Persistence) -> Vec<Fact> {
    let saved = persistence.last_save.map(|at| shell.date(at));
    let ago = persistence
        .last_save
        .and_then(|at| shell.now.since(at))
        .map(|span| format!("{} ago", age(span)))
        .unwrap_or_default();
    // A server that never saved says `ok` of a save that never was.
    let has_saved = persistence.last_save.is_some();
    let (tone, status) = match persistence
        .last_status
        .filter(|status| has_saved || *status == SaveStatus::Failed)
    {
        Some(SaveStatus::Ok) => (Tone::Good, Some("ok".to_owned())),
        Some(SaveStatus::Failed) => (Tone::Danger, Some("FAILED".to_owned())),
        None => (Tone::Muted, None),
    };
    let mut facts = vec![
        Fact::new(
            "last saved",
            saved.or_else(|| Some("not since its start".to_owned())),
        )
        .note(ago),
        Fact::new("status", status).tone(tone),
        Fact::new("took", persistence.last_duration.map(units::span)),
        Fact::new("changes", persistence.changes_since_save.map(units::count)).note("since then"),
        Fact::new(
            "copied",
            persistence.last_cow.map(|bytes| bytes.to_string()),
        )
        .note(known(persistence.last_cow, "on write")),
        Fact::new("last fork", persistence.last_fork.map(units::span))
            .note(known(persistence.last_fork, "nobody was answered")),
    ];
    facts.extend(aof(persistence.aof.as_ref()));
    if persistence.is_loading {
        let share = persistence.loading_progress;
        facts.push(
            Fact::new("loading", share.map(units::percent))
                .tone(Tone::Caution)
                .bar(share),
        );
    }
    facts
}

/// What there is to fetch from a server that writes nothing to a disk.
fn item_facts(sample: &Sample) -> Vec<Fact> {
    let bytes = sample.memory.used;
    vec![
        Fact::new("items", sample.keys().map(units::count)),
        Fact::new("bytes", bytes.map(|bytes| bytes.to_string())),
        Fact::new("lasts", "as long as the server".to_owned()).tone(Tone::Caution),
    ]
}

/// A note on a value, where there is one.
fn known<T: Copy>(value: Option<T>, note: &'static str) -> &'static str {
    if value.is_some() { note } else { "" }
}

fn aof(aof: Option<&Aof>) -> Vec<Fact> {
    let Some(aof) = aof else {
        return vec![Fact::new("AOF", None)];
    };
    if !aof.is_enabled {
        return vec![Fact::new("AOF", "off".to_owned()).tone(Tone::Muted)];
    }
    let state = if aof.is_rewriting {
        "on, rewriting"
    } else {
        "on"
    };
    let mut facts = vec![
        Fact::new("AOF", state.to_owned())
            .note(aof.size.map(|bytes| bytes.to_string()).unwrap_or_default()),
    ];
    for (label, status) in [
        ("AOF write", aof.last_write),
        ("AOF rewrite", aof.last_rewrite),
    ] {
        if status == Some(SaveStatus::Failed) {
            facts.push(Fact::new(label, "FAILED".to_owned()).tone(Tone::Danger));
        }
    }
    facts
}

fn draw_checks(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    if area.height < 3 {
        return;
    }
    let theme = shell.theme;
    let title = match deck.snapshots.job {
        Some(Job::Fetch) => "Before a fetch",
        _ => "Before a snapshot",
    };
    let inner = panel::within(theme, frame, area, title, "");
    let can = match usual_job(deck) {
        Some(_) => Ok(()),
        None => deck.features.need(Feature::Snapshot),
    };
    let lines = match (can, &deck.snapshots.preflight) {
        (Err(missing), _) => vec![toned(theme, Tone::Caution, &missing.0)],
        (Ok(()), Some(Ok(preflight))) => notes(theme, preflight, usize::from(inner.width)),
        (Ok(()), Some(Err(fault))) => vec![toned(theme, Tone::Danger, &fault.to_string())],
        (Ok(()), None) if deck.snapshots.asked.is_some() => {
            vec![toned(theme, Tone::Muted, "asking the server …")]
        }
        (Ok(()), None) => vec![toned(theme, Tone::Muted, "not checked yet")],
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn notes(theme: Theme, preflight: &Preflight, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    // Where there is no room for all, what speaks against it stays in view.
    let mut notes: Vec<_> = preflight.notes.iter().collect();
    notes.sort_by_key(|note| urgency(note.verdict));
    for note in notes {
        let (tone, sign) = verdict(theme, note.verdict);
        let words = wrapped(&note.words, width.saturating_sub(4));
        lines.push(Line::from(vec![
            Span::styled(format!(" {sign} "), theme.style(tone)),
            Span::styled(note.what.clone(), theme.style(Tone::Title)),
        ]));
        lines.extend(words.into_iter().map(|words| {
            Line::styled(
                format!("   {words}"),
                theme.style(tone_of_words(note.verdict)),
            )
        }));
    }
    lines
}

fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Stop => 0,
        Verdict::Caution => 1,
        Verdict::Good => 2,
        Verdict::Unknown => 3,
    }
}

fn verdict(theme: Theme, verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Good => (Tone::Good, theme.sign("✓", "+")),
        Verdict::Unknown => (Tone::Muted, "?"),
        Verdict::Caution => (Tone::Caution, "!"),
        Verdict::Stop => (Tone::Danger, theme.sign("✗", "x")),
    }
}

fn tone_of_words(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Good => Tone::Plain,
        Verdict::Unknown => Tone::Muted,
        Verdict::Caution => Tone::Caution,
        Verdict::Stop => Tone::Danger,
    }
}

fn draw_here(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    if area.height < 3 {
        return;
    }
    let theme = shell.theme;
    let inner = panel::within(theme, frame, area, "History", "");
    let snapshots = &deck.snapshots;
    let under_way = &snapshots.fetching.under_way;
    if snapshots.history.is_empty() && snapshots.running.is_none() && under_way.is_none() {
        let line = toned(theme, Tone::Muted, &nothing_yet(shell, deck));
        return frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: false }), inner);
    }
    let width = usize::from(inner.width);
    let now = snapshots
        .running
        .iter()
        .map(|one| now_line(shell, one, width));
    let fetch = under_way.iter().map(|one| fetch_line(shell, one, width));
    let past = snapshots.history.iter().rev();
    let past = past.map(|one| past_line(shell, one, width));
    for (row, line) in inner.rows().zip(fetch.chain(now).chain(past)) {
        frame.render_widget(line, row);
    }
}

fn nothing_yet(shell: &Shell, deck: &Deck) -> String {
    let key = shell
        .keymap
        .key(crate::tui::actions::Action::CreateSnapshot);
    if usual_job(deck) == Some(Job::Fetch) {
        let key = shell.keymap.key(crate::tui::actions::Action::FetchSnapshot);
        format!("none yet; {key} brings the items here as a file")
    } else if deck.features.need(Feature::Snapshot).is_err() {
        "no snapshots from here".to_owned()
    } else if deck.policy.is_read_only {
        "none; this target is read-only".to_owned()
    } else {
        let fetch = shell.keymap.key(crate::tui::actions::Action::FetchSnapshot);
        format!("none yet; {key} creates one, {fetch} brings one here as a file")
    }
}

/// `12:03:44  saving for 3s  ███░░░░ 42 %, 4s left, 1.20 MiB copied`
fn now_line(shell: &Shell, running: &Running, width: usize) -> Line<'static> {
    let theme = shell.theme;
    let clock = format!(" {}  ", shell.clock(running.began));
    let mut spans = vec![Span::styled(clock, theme.style(Tone::Muted))];
    let SnapshotState::Running {
        progress,
        elapsed,
        copied,
    } = &running.state
    else {
        let words = match running.kind {
            RecordKind::Rewrite => "rewriting begins when the snapshot is written",
            _ => "saving begins when the append-only file is rewritten",
        };
        spans.push(Span::styled(words, theme.style(Tone::Accent)));
        return Line::from(spans);
    };
    let verb = match running.kind {
        RecordKind::Rewrite => "rewriting AOF",
        _ => "saving",
    };
    let whose = if running.is_ours {
        ""
    } else {
        " (somebody else's)"
    };
    let elapsed = elapsed.map(|span| format!(" for {}", units::span(span)));
    let elapsed = elapsed.unwrap_or_default();
    spans.push(Span::styled(
        format!("{verb}{whose}{elapsed}  "),
        theme.style(Tone::Accent),
    ));
    let Some(share) = progress else {
        spans.push(Span::styled(
            "the server does not tell how far it is",
            theme.style(Tone::Muted),
        ));
        return Line::from(spans);
    };
    spans.extend(gauge::bar(theme, *share, (width / 6).max(4), Tone::Accent));
    spans.push(Span::raw(format!(" {}", units::percent(*share))));
    let left = running.state.left();
    let more = [
        left.map(|left| format!(", {} left", units::span(left))),
        copied.map(|bytes| format!(", {bytes} copied")),
    ];
    let more: String = more.into_iter().flatten().collect();
    spans.push(Span::styled(more, theme.style(Tone::Muted)));
    Line::from(spans)
}

/// `12:03:44  fetching prod.rdb  ███░░░░ 42 %, 1.20 GiB, 81 MiB/s, 17s left`
fn fetch_line(shell: &Shell, one: &UnderWay, width: usize) -> Line<'static> {
    let theme = shell.theme;
    let name = text::fit_middle(&fetching::shown(&one.file), width / 4);
    let mut spans = vec![
        Span::styled(
            format!(" {}  ", shell.clock(one.began)),
            theme.style(Tone::Muted),
        ),
        Span::styled(format!("fetching {name}  "), theme.style(Tone::Accent)),
    ];
    let elapsed = shell.now.since(one.began).unwrap_or_default();
    let (share, words) = how_far(one.latest, elapsed);
    if let Some(share) = share {
        spans.extend(gauge::bar(theme, share, (width / 10).max(4), Tone::Accent));
        spans.push(Span::raw(format!(" {}, ", units::percent(share))));
    }
    spans.push(Span::styled(words, theme.style(Tone::Muted)));
    Line::from(spans)
}

/// What part of it is here, if that is known, and the rest in words.
#[expect(clippy::cast_precision_loss, reason = "a share and a speed")]
fn how_far(latest: Option<Fetching>, elapsed: Duration) -> (Option<f64>, String) {
    let part = |done: u64, of: Option<u64>| {
        let of = of.filter(|of| *of > 0)?;
        Some((done as f64 / of as f64).min(1.0))
    };
    let (share, what, bytes) = match latest {
        None => return (None, "waiting for the server to begin".to_owned()),
        Some(Fetching::Copy(progress)) => match progress.phase {
            FetchPhase::Waiting => return (None, "waiting for the server to begin".to_owned()),
            FetchPhase::Writing => return (None, "the server writes it to its disk".to_owned()),
            FetchPhase::Receiving => {
                let of = progress.size.map(|size| size.0);
                let received = progress.received;
                (part(received.0, of), received.to_string(), received.0)
            }
        },
        Some(Fetching::Items { done, of, bytes }) => (
            part(done, of),
            format!("{} items, {bytes}", units::count(done)),
            bytes.0,
        ),
    };
    let seconds = elapsed.as_secs_f64();
    let speed = (seconds >= 1.0).then(|| units::bytes_rate(bytes as f64 / seconds));
    let left = share
        .filter(|share| *share >= 0.02 && seconds >= 1.0)
        .map(|share| Duration::from_secs_f64(seconds * (1.0 - share) / share))
        .map(|left| format!("{} left", units::span(left)));
    let words: Vec<String> = [Some(what), speed, left].into_iter().flatten().collect();
    (share, words.join(", "))
}

/// `2026-11-29 03:00:07  snapshot  ok, took 6s, 1,204 keys, by me@here`
fn past_line(shell: &Shell, record: &SnapshotRecord, width: usize) -> Line<'static> {
    let theme = shell.theme;
    let (tone, outcome) = match &record.end {
        RecordEnd::Asked => (Tone::Muted, "asked for".to_owned()),
        RecordEnd::Good => (Tone::Good, "ok".to_owned()),
        RecordEnd::Failed(why) => (Tone::Danger, format!("FAILED: {why}")),
    };
    let is_today = shell.date(record.at).get(..10) == shell.date(shell.now).get(..10);
    let when = if is_today {
        shell.clock(record.at)
    } else {
        shell.date(record.at)
    };
    let when = format!(" {when}  ");
    let kind = text::pad(record.kind.word(), 11);
    let by = record.by.as_deref().unwrap_or("somebody else");
    let more = [
        record
            .took
            .map(|took| format!("took {}", units::span(took))),
        record
            .keys
            .map(|keys| format!("{} keys", units::count(keys))),
        record.size.map(|size| size.to_string()),
        Some(format!("by {by}")),
    ];
    let file = record.file.as_ref().map(|file| format!("as {file}"));
    let more: Vec<String> = file.into_iter().chain(more.into_iter().flatten()).collect();
    let more = format!(", {}", more.join(", "));
    let room = width.saturating_sub(text::width(&when) + text::width(&kind) + 2);
    let outcome = text::fit(&outcome, room);
    let room = room.saturating_sub(text::width(&outcome));
    Line::from(vec![
        Span::styled(when, theme.style(Tone::Muted)),
        Span::raw(format!("{kind}  ")),
        Span::styled(outcome, theme.style(tone)),
        Span::styled(text::fit(&more, room), theme.style(Tone::Muted)),
    ])
}

fn toned(theme: Theme, tone: Tone, words: &str) -> Line<'static> {
    Line::styled(format!(" {words}"), theme.style(tone))
}
