//! How replication is drawn: facts, replicas as a table, lag as a curve.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Backlog, Bytes, Link, Replica, Replication, Role, Sample, units};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::panes::overview::event;
use crate::tui::panes::replication::ROWS;
use crate::tui::panes::states::{age, say};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::chart::{Chart, capacity, sparkline};
use crate::tui::widgets::facts::{self, Fact};
use crate::tui::widgets::panel;

const MINUTE: Duration = Duration::from_secs(60);

/// The span of the curve of lag.
const SPAN: Duration = Duration::from_secs(5 * 60);

pub fn draw(shell: &Shell, deck: &Deck, sample: &Sample, frame: &mut Frame, area: Rect) {
    let Some(replication) = &sample.replication else {
        let words = "the server does not tell about its replication";
        let line = Line::styled(words, shell.theme.style(Tone::Caution));
        return say(frame, area, vec![line]);
    };
    let facts = facts(shell, deck, sample, replication);
    // Where there is little room, the replicas are worth more than the later facts.
    let room = if area.height < 16 {
        (area.height / 2).max(3)
    } else {
        area.height
    };
    let height = u16::try_from(facts.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let top = Rect {
        height: height.min(room).min(area.height),
        ..area
    };
    let rest = Rect {
        y: area.y + top.height,
        height: area.height - top.height,
        ..area
    };
    let title = format!("This server is {}", a_role(sample.identity.role));
    let inner = panel::within(shell.theme, frame, top, &title, "");
    facts::draw(shell.theme, frame, inner, &facts);
    if rest.height < 3 {
        return;
    }
    match &replication.link {
        Some(link) => draw_link(shell, deck, link, frame, rest),
        None => draw_replicas(shell, deck, replication, frame, rest),
    }
}

fn a_role(role: Role) -> &'static str {
    match role {
        Role::Primary => "a primary",
        Role::Replica => "a replica",
        Role::Sentinel => "a sentinel",
        Role::Single => "on its own",
        Role::Snapshot => "a snapshot",
        Role::Unknown => "in a role it does not tell",
    }
}

fn facts(shell: &Shell, deck: &Deck, sample: &Sample, replication: &Replication) -> Vec<Fact> {
    let written = deck
        .history
        .rates(MINUTE)
        .and_then(|rates| rates.replicated);
    let mut facts = Vec::new();
    if sample.identity.role == Role::Primary {
        facts.push(replicas(replication));
    }
    facts.push(
        Fact::new("writes", written.map(units::bytes_rate))
            .note("into the stream, over the last minute"),
    );
    facts.push(backlog(replication.backlog, written));
    facts.push(Fact::new("offset", replication.offset.map(units::count)));
    if let Some(id) = &replication.id {
        facts.push(Fact::new("history", id.clone()).tone(Tone::Muted));
    }
    if let Some(mark) = deck.marks.last() {
        facts.push(Fact::new("happened", event(shell, mark)).tone(Tone::Caution));
    }
    facts
}

fn replicas(replication: &Replication) -> Fact {
    let all = replication.replicas.len();
    let online = replication
        .replicas
        .iter()
        .filter(|one| one.state == "online")
        .count();
    match all {
        0 => Fact::new("replicas", "none".to_owned()),
        _ if online < all => {
            Fact::new("replicas", format!("{online} of {all} online")).tone(Tone::Caution)
        }
        _ => Fact::new("replicas", format!("{online} of {all} online")),
    }
}

/// How long a replica may be away and still catch up without a full copy.
fn backlog(backlog: Option<Backlog>, written: Option<f64>) -> Fact {
    let Some(backlog) = backlog else {
        return Fact::new("backlog", None);
    };
    if !backlog.is_active {
        return Fact::new("backlog", "not active".to_owned()).note("no replica was ever connected");
    }
    let held = backlog.held.unwrap_or(backlog.size);
    let reach = written
        .filter(|rate| *rate >= 1.0)
        .and_then(|rate| Duration::try_from_secs_f64(held.0 as f64 / rate).ok());
    let words = match reach {
        Some(reach) if reach < Duration::from_secs(10) => {
            let seconds = reach.as_secs().max(1);
            format!("of {}: about {seconds}s of writes", backlog.size)
        }
        Some(reach) => format!("of {}: about {} of writes", backlog.size, age(reach)),
        None => format!("of {}", backlog.size),
    };
    let tone = match reach {
        Some(reach) if reach < MINUTE => Tone::Caution,
        _ => Tone::Plain,
    };
    Fact::new("backlog", held.to_string())
        .tone(tone)
        .note(words)
}

fn draw_link(shell: &Shell, deck: &Deck, link: &Link, frame: &mut Frame, area: Rect) {
    let (tone, state) = match (link.is_syncing, link.is_up) {
        (true, _) => (Tone::Caution, "receiving a full copy".to_owned()),
        (false, true) => (Tone::Good, "up".to_owned()),
        (false, false) => {
            let since = link
                .down_for
                .map(|span| format!(" for {}", units::span(span)));
            (Tone::Danger, format!("DOWN{}", since.unwrap_or_default()))
        }
    };
    let mut facts = vec![
        Fact::new("primary", link.primary.clone()).tone(Tone::Title),
        Fact::new("link", state).tone(tone),
        Fact::new("behind", link.lag_bytes.map(|bytes| bytes.to_string())),
        Fact::new(
            "last heard",
            link.last_io
                .map(|span| format!("{} ago", units::span(span))),
        ),
    ];
    if link.is_syncing {
        facts.push(Fact::new(
            "left to copy",
            link.sync_left.map(|bytes| bytes.to_string()),
        ));
    }
    if link.is_read_only == Some(false) {
        facts.push(
            Fact::new("writable", "yes".to_owned())
                .tone(Tone::Caution)
                .note("what is written here is lost at the next full copy"),
        );
    }
    let height = (u16::try_from(facts.len()).unwrap_or(u16::MAX) + 2).min(area.height);
    let top = Rect { height, ..area };
    let inner = panel::within(shell.theme, frame, top, "Its link", "");
    facts::draw(shell.theme, frame, inner, &facts);
    let rest = Rect {
        y: area.y + height,
        height: area.height - height,
        ..area
    };
    draw_lag(shell, deck, "Behind its primary", rest, frame, |sample| {
        sample.replication.as_ref()?.link.as_ref()?.lag_bytes
    });
}

fn draw_replicas(
    shell: &Shell,
    deck: &Deck,
    replication: &Replication,
    frame: &mut Frame,
    area: Rect,
) {
    let replicas = &replication.replicas;
    let shown = replicas.len().clamp(1, ROWS);
    let height = u16::try_from(shown + 3)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let top = Rect { height, ..area };
    let inner = panel::within(shell.theme, frame, top, "Replicas", "");
    if replicas.is_empty() {
        let line = Line::styled(
            " nobody copies from this server",
            shell.theme.style(Tone::Muted),
        );
        return frame.render_widget(line, inner);
    }
    let mut rows = inner.rows();
    let columns = Columns::of(inner.width);
    if let Some(row) = rows.next() {
        frame.render_widget(columns.heading(shell.theme), row);
    }
    let cursor = &deck.replication.cursor;
    let written = deck
        .history
        .rates(MINUTE)
        .and_then(|rates| rates.replicated);
    for (row, at) in rows.zip(cursor.visible(replicas.len(), shown)) {
        let mut line = columns.row(shell.theme, deck, &replicas[at], written);
        if at == cursor.selected() && replicas.len() > 1 {
            line = line.style(shell.theme.style(Tone::Selected));
        }
        frame.render_widget(line, row);
    }
    let rest = Rect {
        y: area.y + height,
        height: area.height - height,
        ..area
    };
    let Some(selected) = replicas.get(cursor.selected()) else {
        return;
    };
    let title = format!("{} behind", selected.address.clone());
    draw_lag(shell, deck, &title, rest, frame, |sample| {
        lag_of(sample, &selected.address)
    });
}

fn lag_of(sample: &Sample, address: &str) -> Option<Bytes> {
    let replicas = &sample.replication.as_ref()?.replicas;
    replicas
        .iter()
        .find(|one| one.address == address)?
        .lag_bytes
}

fn draw_lag(
    shell: &Shell,
    deck: &Deck,
    title: &str,
    area: Rect,
    frame: &mut Frame,
    lag: impl Fn(&Sample) -> Option<Bytes>,
) {
    if area.height < 4 {
        return;
    }
    let buckets = capacity(shell.theme, area.width.saturating_sub(2));
    let points = deck.history.gauges(SPAN, buckets, |sample| {
        lag(sample).map(|bytes| bytes.0 as f64)
    });
    let top = round_bytes(&points);
    let note = format!("last {}, top {top}", age(SPAN));
    if points.iter().all(Option::is_none) {
        let inner = panel::within(shell.theme, frame, area, title, "");
        let words = " not known here: only the primary tells it";
        let line = Line::styled(words, shell.theme.style(Tone::Muted));
        return frame.render_widget(line, inner);
    }
    let inner = panel::within(shell.theme, frame, area, title, &note);
    Chart {
        points: &points,
        top: top.0 as f64,
        marks: &[],
        tone: Tone::Accent,
    }
    .draw(shell.theme, frame, inner);
}

/// The next power of two above all points, so that the scale seldom moves.
fn round_bytes(points: &[Option<f64>]) -> Bytes {
    let highest = points.iter().flatten().copied().fold(0.0, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that came from a u64"
    )]
    Bytes((highest as u64).max(1024).next_power_of_two())
}

/// The widths of the table's columns; those that do not fit have none.
struct Columns {
    address: usize,
    state: usize,
    offset: usize,
    over_time: usize,
}

const LAG: usize = 9;
const BEHIND: usize = 8;
const HEARD: usize = 7;

impl Columns {
    fn of(width: u16) -> Self {
        let width = usize::from(width);
        let address = if width >= 60 {
            22
        } else {
            width.saturating_sub(LAG + 2).min(22)
        };
        let state = if width >= 44 { 9 } else { 0 };
        let offset = if width >= 90 { 16 } else { 0 };
        let used = address + state + offset + LAG + BEHIND + HEARD + 4;
        let over_time = width.saturating_sub(used);
        let over_time = if over_time < 8 { 0 } else { over_time };
        Self {
            address,
            state,
            offset,
            over_time,
        }
    }

    fn heading(&self, theme: Theme) -> Line<'static> {
        let words = format!(
            " {}{}{}{}{}{}  {}",
            text::pad("address", self.address),
            text::fit(&text::pad("state", self.state), self.state),
            text::fit(&text::pad_left("offset", self.offset), self.offset),
            text::pad_left("lag", LAG),
            text::pad_left("behind", BEHIND),
            text::pad_left("heard", HEARD),
            text::fit("lag over 5 minutes", self.over_time),
        );
        Line::styled(words, theme.style(Tone::Muted))
    }

    fn row(
        &self,
        theme: Theme,
        deck: &Deck,
        replica: &Replica,
        written: Option<f64>,
    ) -> Line<'static> {
        let address = text::fit_middle(&replica.address, self.address);
        let state = text::fit(&replica.state, self.state);
        let tone = if replica.state == "online" {
            Tone::Good
        } else {
            Tone::Caution
        };
        let lag = replica.lag_bytes.map(|bytes| bytes.to_string());
        let heard = replica.since_ack.map(|span| format!("{}s", span.as_secs()));
        let unknown = || theme.unknown().to_owned();
        let offset = text::pad_left(
            &replica.offset.map_or_else(unknown, units::count),
            self.offset,
        );
        Line::from(vec![
            Span::raw(format!(" {}", text::pad(&address, self.address))),
            Span::styled(text::pad(&state, self.state), theme.style(tone)),
            Span::raw(text::fit(&offset, self.offset)),
            Span::raw(text::pad_left(&lag.unwrap_or_else(unknown), LAG)),
            Span::raw(text::pad_left(
                &behind(replica, written).unwrap_or_else(unknown),
                BEHIND,
            )),
            Span::raw(text::pad_left(&heard.unwrap_or_else(unknown), HEARD)),
            Span::raw("  "),
            Span::styled(self.curve(theme, deck, replica), theme.style(Tone::Accent)),
        ])
    }

    fn curve(&self, theme: Theme, deck: &Deck, replica: &Replica) -> String {
        if self.over_time == 0 {
            return String::new();
        }
        let points = deck.history.gauges(SPAN, self.over_time, |sample| {
            lag_of(sample, &replica.address).map(|bytes| bytes.0 as f64)
        });
        sparkline(theme, &points, round_bytes(&points).0 as f64)
    }
}

/// How long ago the primary wrote what the replica has confirmed last, at the pace of the last
/// minute.
fn behind(replica: &Replica, written: Option<f64>) -> Option<String> {
    let lag = replica.lag_bytes?;
    if lag.0 == 0 {
        return Some("0s".to_owned());
    }
    let rate = written.filter(|rate| *rate >= 1.0)?;
    let behind = Duration::try_from_secs_f64(lag.0 as f64 / rate).ok()?;
    Some(format!("~{}", units::span_short(behind)))
}
