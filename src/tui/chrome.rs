//! The frame of every screen: header, tabs, what is wrong, footer.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::engine::worker::SessionState;
use crate::model::UnixMs;
use crate::text;
use crate::tui::actions::{ACTIONS, Action, Risk};
use crate::tui::app::{App, LATE};
use crate::tui::deck::Deck;
use crate::tui::layers;
use crate::tui::panes::states::{self, NOT_PERMITTED};
use crate::tui::panes::{PANES, PaneId};
use crate::tui::shell::Shell;
use crate::tui::theme::{Theme, Tone};

mod header;

const SMALLEST: (u16, u16) = (20, 6);

/// Draws the screen. Changes nothing.
pub fn draw(app: &App, frame: &mut Frame) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let words = format!("too small: {}x{}", area.width, area.height);
        frame.render_widget(Line::raw(words), area);
        return;
    }
    let parts = Parts::of(app, area);
    header::draw(&app.shell, app.deck(), frame, parts.header);
    draw_tabs(app, frame, parts.tabs);
    header::draw_trouble(&app.shell, app.deck(), frame, parts.trouble);
    draw_body(app, frame, parts.body);
    draw_footer(app, frame, parts.footer);
    layers::draw(
        app,
        frame,
        Rect {
            height: area.height - 1,
            ..area
        },
    );
    if app.shell.theme.is_ascii {
        only_ascii(frame);
    }
}

/// Replaces what a terminal without Unicode cannot show.
fn only_ascii(frame: &mut Frame) {
    for cell in &mut frame.buffer_mut().content {
        if !cell.symbol().is_ascii() {
            let stand_in = match cell.symbol() {
                "…" => "~",
                "–" => "-",
                _ => "?",
            };
            cell.set_symbol(stand_in);
        }
    }
}

/// Where the pane is drawn.
pub fn body(app: &App) -> Rect {
    Parts::of(app, app.shell.area).body
}

/// The pane whose tab is at a place.
pub fn tab_at(app: &App, at: Position) -> Option<PaneId> {
    let tabs = Parts::of(app, app.shell.area).tabs;
    if !tabs.contains(at) {
        return None;
    }
    let mut left = tabs.x;
    PANES.iter().find_map(|pane| {
        let width = u16::try_from(tab(app, pane.title, pane.open).chars().count()).ok()?;
        let is_here = (left..left + width).contains(&at.x);
        left += width;
        is_here.then_some(pane.id)
    })
}

/// The next moment at which the frame changes by itself.
pub fn due(shell: &Shell, deck: &Deck) -> Option<UnixMs> {
    match &deck.session {
        SessionState::Down { since, .. } => Some(next_second(*since, shell.now)),
        SessionState::Up => {
            let expected = deck.latest()?.at.plus(shell.interval + LATE);
            Some(if expected > shell.now {
                expected
            } else {
                next_second(expected, shell.now)
            })
        }
        SessionState::Connecting => None,
    }
}

/// The next moment after `now` that is whole seconds after `from`.
fn next_second(from: UnixMs, now: UnixMs) -> UnixMs {
    let passed = now.since(from).unwrap_or_default();
    from.plus(Duration::from_secs(passed.as_secs() + 1))
}

/// The screen, cut into rows. What does not fit has no height.
struct Parts {
    header: Rect,
    tabs: Rect,
    trouble: Rect,
    body: Rect,
    footer: Rect,
}

impl Parts {
    fn of(app: &App, area: Rect) -> Self {
        let mut y = area.y;
        let mut left = area.height;
        let mut take = |wanted: u16| {
            let height = wanted.min(left);
            left -= height;
            let part = Rect { y, height, ..area };
            y += height;
            part
        };
        let header = take(1);
        let tabs = take(u16::from(area.height >= 9));
        let trouble = take(header::trouble_height(&app.shell, app.deck(), area));
        let body = take(
            area.height
                .saturating_sub(header.height + tabs.height + trouble.height + 1),
        );
        let footer = take(1);
        Self {
            header,
            tabs,
            trouble,
            body,
            footer,
        }
    }
}

fn tab(app: &App, title: &str, open: Action) -> String {
    format!(" {} {title} ", app.shell.keymap.key(open))
}

fn draw_tabs(app: &App, frame: &mut Frame, area: Rect) {
    let theme = app.shell.theme;
    let spans: Vec<Span> = PANES
        .iter()
        .map(|pane| {
            let tone = if pane.id == app.shell.pane {
                Tone::Tab
            } else if app.deck().lacks(pane.needs).is_some() {
                Tone::Muted
            } else {
                Tone::Plain
            };
            Span::styled(tab(app, pane.title, pane.open), theme.style(tone))
        })
        .collect();
    frame.render_widget(Line::from(spans), area);
    if app.decks.len() > 1 {
        let place = format!("target {}/{} ", app.active + 1, app.decks.len());
        let line = Line::styled(place, theme.style(Tone::Muted)).right_aligned();
        let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
        if area.width > 70 {
            let right = Rect {
                x: area.right() - width,
                width,
                ..area
            };
            frame.render_widget(line, right);
        }
    }
}

fn draw_body(app: &App, frame: &mut Frame, area: Rect) {
    if area.is_empty() {
        return;
    }
    let (pane, deck) = (app.pane(), app.deck());
    if let Some(missing) = deck.lacks(pane.needs) {
        return draw_missing(app.shell.theme, &missing.0, frame, area);
    }
    (pane.draw)(&app.shell, deck, frame, area);
    let is_stale = matches!(deck.session, SessionState::Down { .. }) && deck.latest().is_some();
    if is_stale {
        let stale = app.shell.theme.style(Tone::Stale);
        frame.buffer_mut().set_style(area, stale);
    }
}

/// Why a pane cannot be shown here, and what can be done about it if anything.
fn draw_missing(theme: Theme, why: &str, frame: &mut Frame, area: Rect) {
    let mut lines = vec![Line::styled(why.to_owned(), theme.style(Tone::Caution))];
    if why.starts_with(NOT_PERMITTED) {
        let words = "ask for the permission, or use another user";
        lines.push(Line::styled(words, theme.style(Tone::Muted)));
    }
    states::say(frame, area, lines);
}

fn draw_footer(app: &App, frame: &mut Frame, area: Rect) {
    let theme = app.shell.theme;
    if let Some(flash) = &app.shell.flash {
        let words = text::fit(&format!(" {}", flash.text), usize::from(area.width));
        frame.render_widget(Line::styled(words, theme.style(flash.tone)), area);
        return;
    }
    if !app.shell.layers.is_empty() {
        let back = hint(theme, app, "back", Action::Back);
        return frame.render_widget(Line::from(back.to_vec()), area);
    }
    let mut spans = vec![];
    let mut left = usize::from(area.width);
    // The last two always fit: how to learn more, and how to leave.
    let [help, quit] =
        [Action::Help, Action::Quit].map(|action| hint(theme, app, action.row().label, action));
    let kept = width(&help) + width(&quit);
    for row in ACTIONS {
        let is_kept = row.label == "help" || row.label == "quit";
        if row.label.is_empty() || is_kept || !app.is_possible(row.action) {
            continue;
        }
        let mut hint = hint(theme, app, row.label, row.action);
        if row.risk == Risk::Destroys {
            hint[1] = hint[1].clone().style(theme.style(Tone::Danger));
        }
        if width(&hint) + kept > left {
            continue;
        }
        left -= width(&hint);
        spans.extend(hint);
    }
    spans.extend(help);
    spans.extend(quit);
    frame.render_widget(Line::from(spans), area);
}

fn hint(theme: Theme, app: &App, label: &'static str, action: Action) -> [Span<'static>; 2] {
    let key = app.shell.keymap.key(action);
    [
        Span::styled(format!(" {key}"), theme.style(Tone::Key)),
        Span::styled(format!(" {label} "), theme.style(Tone::Muted)),
    ]
}

fn width(hint: &[Span]) -> usize {
    hint.iter().map(Span::width).sum()
}
