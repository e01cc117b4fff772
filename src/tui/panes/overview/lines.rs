//! Contents, replication, persistence and what happened: a line each.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Break, Concern, Feature, Replication, Role, Sample, SaveStatus, units};
use crate::text;
use crate::tui::deck::{Deck, Mark};
use crate::tui::panes::states::{NOT_PERMITTED, age};
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

const LABELS: usize = 12;

type Words = Vec<(Tone, String)>;

pub fn height(deck: &Deck, sample: &Sample) -> u16 {
    let marks = u16::from(!deck.marks.is_empty());
    let reasons = u16::from(!withheld(sample).is_empty());
    3 + marks + reasons
}

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let mut lines = vec![
        ("keys", keys(sample)),
        ("replication", replication(deck, sample)),
        ("persistence", persistence(shell, deck, sample)),
    ];
    if !deck.marks.is_empty() {
        lines.push(("happened", happened(shell, &deck.marks)));
    }
    let withheld = withheld(sample);
    if !withheld.is_empty() {
        lines.push(("unknown", unknown(withheld)));
    }
    for (row, (label, words)) in area.rows().zip(lines) {
        frame.render_widget(line(shell, label, words, usize::from(row.width)), row);
    }
}

fn line(shell: &Shell, label: &'static str, words: Words, width: usize) -> Line<'static> {
    let theme = shell.theme;
    let mut spans = vec![Span::styled(
        format!(" {} ", text::pad(label, LABELS)),
        theme.style(Tone::Muted),
    )];
    let mut left = width.saturating_sub(LABELS + 2);
    for (tone, words) in words.into_iter().filter(|(_, words)| !words.is_empty()) {
        let words = text::fit(&words, left);
        left = left.saturating_sub(text::width(&words) + 2);
        spans.push(Span::styled(words, theme.style(tone)));
        spans.push(Span::raw("  "));
    }
    Line::from(spans)
}

fn keys(sample: &Sample) -> Words {
    let Some(databases) = &sample.databases else {
        return vec![(Tone::Muted, "not told".to_owned())];
    };
    if databases.iter().all(|database| database.keys == 0) {
        return vec![(Tone::Muted, "none: the cache is empty".to_owned())];
    }
    let is_one = sample.slabs.is_some();
    let mut words = Words::new();
    for database in databases {
        let name = if is_one {
            String::new()
        } else {
            format!("db{} ", database.index)
        };
        words.push((
            Tone::Plain,
            format!("{name}{}", units::count(database.keys)),
        ));
        let mut notes = Vec::new();
        if let Some(with) = database.keys_with_ttl {
            notes.push(format!("{} with TTL", units::count(with)));
        }
        if let Some(average) = database.average_ttl {
            notes.push(format!("average {}", age(average)));
        }
        words.push((Tone::Muted, notes.join(", ")));
    }
    words
}

fn replication(deck: &Deck, sample: &Sample) -> Words {
    if let Err(missing) = deck.features.need(Feature::Replication) {
        return vec![(Tone::Muted, missing.0.clone())];
    }
    let Some(replication) = &sample.replication else {
        return vec![(Tone::Muted, "not told".to_owned())];
    };
    let role = (Tone::Plain, sample.identity.role.word().to_owned());
    match (&replication.link, sample.identity.role) {
        (Some(link), _) => {
            let primary = link.primary.clone();
            let (tone, state) = match (link.is_up, link.is_syncing) {
                (_, true) => (Tone::Caution, "full copy under way".to_owned()),
                (true, _) => (Tone::Good, "link up".to_owned()),
                (false, _) => {
                    let since = link.down_for.map(|span| format!(" for {}", age(span)));
                    (
                        Tone::Danger,
                        format!("link DOWN{}", since.unwrap_or_default()),
                    )
                }
            };
            let heard = link
                .last_io
                .map(|span| format!("heard {} s ago", span.as_secs()))
                .unwrap_or_default();
            let lag = link
                .lag_bytes
                .map(|bytes| format!("{bytes} behind"))
                .unwrap_or_default();
            vec![
                role,
                (tone, state),
                (Tone::Plain, format!("primary {primary}")),
                (Tone::Plain, lag),
                (Tone::Muted, heard),
            ]
        }
        (None, Role::Primary) => {
            let mut words = vec![role];
            words.extend(replicas(replication));
            words
        }
        (None, _) => vec![role],
    }
}

fn replicas(replication: &Replication) -> Words {
    if replication.replicas.is_empty() {
        return vec![(Tone::Muted, "no replicas".to_owned())];
    }
    replication
        .replicas
        .iter()
        .map(|replica| {
            let is_online = replica.state == "online";
            let lag = replica
                .lag_bytes
                .map(|bytes| format!(", {bytes} behind"))
                .unwrap_or_default();
            let since = replica
                .since_ack
                .filter(|_| is_online)
                .map(|span| format!(", heard {} s ago", span.as_secs()))
                .unwrap_or_default();
            let words = format!(
                "{} {}{lag}{since}",
                replica.address.clone(),
                replica.state.clone(),
            );
            (
                if is_online {
                    Tone::Plain
                } else {
                    Tone::Caution
                },
                words,
            )
        })
        .collect()
}

fn persistence(shell: &Shell, deck: &Deck, sample: &Sample) -> Words {
    if let Err(missing) = deck.features.need(Feature::Snapshot)
        && sample.persistence.is_none()
    {
        return vec![(Tone::Muted, missing.0.clone())];
    }
    let Some(persistence) = &sample.persistence else {
        return vec![(Tone::Muted, "not told".to_owned())];
    };
    let mut words = Words::new();
    if persistence.is_loading {
        let share = persistence
            .loading_progress
            .map(units::percent)
            .unwrap_or_default();
        words.push((Tone::Caution, format!("loading {share}")));
    }
    if persistence.is_saving {
        let share = persistence.progress.map(units::percent).unwrap_or_default();
        words.push((Tone::Accent, format!("saving {share}")));
    }
    match persistence.last_save {
        Some(at) => {
            let ago = shell.now.since(at).map(age).unwrap_or_default();
            let is_stale = matches!(persistence.concern(sample.at), Some(Concern::Stale(_)))
                && deck.features.need(Feature::Snapshot).is_ok();
            words.push(if is_stale {
                (Tone::Caution, format!("saved {ago} ago: STALE"))
            } else {
                (Tone::Plain, format!("saved {ago} ago"))
            });
        }
        None => words.push((Tone::Muted, "no snapshot since its start".to_owned())),
    }
    match persistence.last_status {
        // A server that never saved says `ok` of a save that never was.
        Some(SaveStatus::Ok) if persistence.last_save.is_none() => {}
        Some(SaveStatus::Ok) => words.push((Tone::Good, "ok".to_owned())),
        Some(SaveStatus::Failed) => words.push((Tone::Danger, "LAST SAVE FAILED".to_owned())),
        None => {}
    }
    if let Some(changes) = persistence.changes_since_save {
        words.push((
            Tone::Muted,
            format!("{} changes unsaved", units::count(changes)),
        ));
    }
    words.push(aof(persistence.aof.as_ref()));
    words
}

fn aof(aof: Option<&crate::model::Aof>) -> (Tone, String) {
    match aof {
        Some(aof) if aof.is_enabled => {
            let has_failed = aof.last_write == Some(SaveStatus::Failed)
                || aof.last_rewrite == Some(SaveStatus::Failed);
            if has_failed {
                (Tone::Danger, "AOF FAILED".to_owned())
            } else if aof.is_rewriting {
                (Tone::Accent, "AOF rewriting".to_owned())
            } else {
                (Tone::Plain, "AOF on".to_owned())
            }
        }
        Some(_) => (Tone::Muted, "AOF off".to_owned()),
        None => (Tone::Muted, String::new()),
    }
}

/// The newest events first: they explain what the charts show.
fn happened(shell: &Shell, marks: &[Mark]) -> Words {
    marks
        .iter()
        .rev()
        .map(|mark| (Tone::Caution, event(shell, mark)))
        .collect()
}

/// An event in words: `restarted 12:03:44`.
pub fn event(shell: &Shell, mark: &Mark) -> String {
    let at = shell.clock(mark.at);
    match &mark.what {
        Break::Restarted => format!("restarted {at}"),
        Break::CountersReset => format!("counters reset {at}"),
        Break::RoleChanged { from, to } => {
            format!("failover {at}: {} became {}", from.word(), to.word())
        }
        Break::NoTime => format!("no time passed {at}"),
    }
}

/// What the user may not read, each reason once. What an engine does not have is no news.
fn withheld(sample: &Sample) -> BTreeMap<String, Vec<&'static str>> {
    let mut reasons: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (name, why) in &sample.unsupported {
        if why.starts_with(NOT_PERMITTED) {
            // The server's own sentence says the same again.
            let why = why.split(": NOPERM").next().unwrap_or(why);
            reasons.entry(why.to_owned()).or_default().push(name);
        }
    }
    reasons
}

fn unknown(reasons: BTreeMap<String, Vec<&'static str>>) -> Words {
    reasons
        .into_iter()
        .flat_map(|(why, names)| {
            let names = names.join(", ").replace('_', " ");
            [(Tone::Caution, why), (Tone::Muted, names)]
        })
        .collect()
}
