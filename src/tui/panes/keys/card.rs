//! One key opened: its card and a window of its value.

use std::time::Duration;

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::engine::Fault;
use crate::engine::worker::{Query, Report, Ticket};
use crate::model::{Key, KeyCard, KeyKind, Part, UnixMs, Value, Window};
use crate::tui::actions::Action;
use crate::tui::panes::keys::body_height;
use crate::tui::panes::keys::value::{self, Form};
use crate::tui::panes::{Handled, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;
use crate::tui::widgets::list::Cursor;

/// Lines above the value: name, facts, more facts, extent, column titles; on small screens fewer.
pub fn head(height: u16) -> u16 {
    match height {
        0..=5 => 1,
        6..=9 => 3,
        _ => 5,
    }
}

/// A key that was opened.
#[derive(Debug)]
pub struct Card {
    pub key: Key,
    pub state: State,
    /// The window that was asked last, and whose answer may be on its way.
    pub asked: Window,
    ticket: Option<Ticket>,
    pub form: Form,
    /// The row of a collection, or the line of a string.
    pub cursor: Cursor,
    /// An element opened on its own, with the line that it is scrolled to.
    pub element: Option<(usize, Cursor)>,
}

#[derive(Debug)]
pub enum State {
    Loading,
    Shown {
        card: Box<KeyCard>,
        value: Box<Value>,
        at: UnixMs,
    },
    /// There is no such key (any more).
    Gone {
        at: UnixMs,
    },
    Failed(Fault),
}

impl Card {
    /// Opens a key and asks for it.
    pub fn open(cx: &mut Cx, key: Key, kind: Option<&KeyKind>) {
        let card = Self {
            key,
            state: State::Loading,
            asked: value::first_window(kind),
            ticket: None,
            form: Form::default(),
            cursor: Cursor::default(),
            element: None,
        };
        if cx.deck.bookmarks.visit(&card.key) {
            cx.keep_bookmarks();
        }
        cx.deck.keys.card = Some(card);
        reload(cx);
    }

    pub fn value(&self) -> Option<&Value> {
        match &self.state {
            State::Shown { value, .. } => Some(value),
            State::Loading | State::Gone { .. } | State::Failed(_) => None,
        }
    }

    /// Whether an answer is on its way.
    pub fn is_loading(&self) -> bool {
        self.ticket.is_some()
    }

    /// Whether the shown TTL ran out.
    fn has_ended(&self, now: UnixMs) -> bool {
        let State::Shown { card, .. } = &self.state else {
            return false;
        };
        card.ttl.left(now) == Some(Duration::ZERO)
    }

    /// The bytes in view whose form can be changed and that can be copied.
    pub fn bytes(&self) -> Option<&[u8]> {
        let part = &self.value()?.part;
        match part {
            Part::Text(bytes) => Some(bytes),
            _ => value::element(
                part,
                self.element.map_or(self.cursor.selected(), |(at, _)| at),
            ),
        }
    }

    pub fn is_possible(&self, action: Action) -> bool {
        let is_collection = self
            .value()
            .is_some_and(|value| value::elements(&value.part) > 0);
        match action {
            Action::Enter => is_collection && self.element.is_none(),
            Action::Right => self.next().is_some(),
            Action::Left => value::previous_window(self.asked).is_some(),
            Action::NextForm => self.form_bytes().is_some(),
            Action::CopyValue => self.bytes().is_some(),
            Action::CopyName | Action::Back | Action::Favourite => true,
            Action::SetTtl | Action::RemoveTtl | Action::Delete => {
                !matches!(self.state, State::Gone { .. })
            }
            _ => false,
        }
    }

    fn next(&self) -> Option<Window> {
        value::next_window(self.value()?, self.asked)
    }

    /// The bytes that are shown in a form now: a string, or an opened element.
    fn form_bytes(&self) -> Option<&[u8]> {
        let part = &self.value()?.part;
        match (part, self.element) {
            (Part::Text(bytes), _) => Some(bytes),
            (Part::Stream(all), Some((at, _))) => all
                .get(at)?
                .fields
                .first()
                .map(|(_, value)| value.as_slice()),
            (part, Some((at, _))) => value::element(part, at),
            (_, None) => None,
        }
    }

    /// Rows or lines that the cursor moves in.
    fn length(&self, shell: &Shell) -> usize {
        let Some(value) = self.value() else {
            return 0;
        };
        let cells = usize::from(shell.area.width).saturating_sub(1);
        match (&value.part, self.element) {
            (Part::Text(bytes), _) => value::lines(bytes, value.from, self.form, cells).len(),
            (_, Some((at, _))) => value::opened(value, at, self.form, cells, &shell.zone)
                .map_or(0, |(_, lines)| lines.len()),
            (part, None) => value::elements(part),
        }
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        match &mut self.element {
            Some((_, cursor)) => cursor,
            None => &mut self.cursor,
        }
    }

    fn is_scrolled(&self) -> bool {
        self.element.is_some()
            || matches!(self.value(), Some(value) if matches!(value.part, Part::Text(_)))
    }
}

/// Asks for the card and the window again.
pub fn reload(cx: &mut Cx) {
    let Some(card) = &cx.deck.keys.card else {
        return;
    };
    let (key, window, old) = (card.key.clone(), card.asked, card.ticket);
    if let Some(old) = old {
        cx.forget(old);
    }
    let ticket = cx.ticket(PaneId::Keys);
    cx.ask(Query::Show {
        ticket,
        key,
        window,
    });
    if let Some(card) = &mut cx.deck.keys.card {
        card.ticket = Some(ticket);
    }
}

/// Asks again when a question never reached the server, since nobody waits for its answer any more,
/// and when the key's time ran out: is it gone?
pub fn mend(cx: &mut Cx) {
    let Some(card) = &cx.deck.keys.card else {
        return;
    };
    let is_lost = |ticket| cx.deck.waiter(ticket).is_none();
    if card
        .ticket
        .map_or_else(|| card.has_ended(cx.now()), is_lost)
    {
        reload(cx);
    }
}

/// The answer to `reload`.
pub fn report(cx: &mut Cx, report: Report) {
    let Report::Shown { ticket, shown } = report else {
        return;
    };
    let now = cx.now();
    let Some(card) = cx
        .deck
        .keys
        .card
        .as_mut()
        .filter(|card| card.ticket == Some(ticket))
    else {
        return;
    };
    card.ticket = None;
    card.state = match *shown {
        Ok(Some((facts, value))) => State::Shown {
            card: Box::new(facts),
            value: Box::new(value),
            at: now,
        },
        Ok(None) => State::Gone { at: now },
        Err(fault) => State::Failed(fault),
    };
    if wants_more(card) {
        card.asked.count = value::BYTES;
        reload(cx);
    }
}

/// A string that was asked for as if it were a collection, since its kind was not known.
fn wants_more(card: &Card) -> bool {
    card.value().is_some_and(|value| {
        let is_part = value.of.is_none_or(|of| of > value::length(&value.part));
        matches!(value.part, Part::Text(_)) && is_part && card.asked.count < value::BYTES
    })
}

pub fn act(cx: &mut Cx, action: Action) -> Handled {
    let height = height(cx.shell);
    let shell = &*cx.shell;
    let Some(card) = cx.deck.keys.card.as_mut() else {
        return Handled::No;
    };
    let length = card.length(shell);
    match action {
        Action::Back if card.element.is_some() => card.element = None,
        Action::Back => close(cx),
        Action::Enter if card.is_possible(Action::Enter) => {
            card.element = Some((card.cursor.selected(), Cursor::default()));
        }
        Action::Right => turn(cx, Card::next),
        Action::Left => turn(cx, |card| value::previous_window(card.asked)),
        Action::NextForm => change_form(card),
        Action::CopyValue => copy_value(cx),
        _ if card.is_scrolled() => {
            return scroll(card.cursor_mut(), action, length, height);
        }
        _ if card.cursor.act(action, length, height) => {}
        _ => return Handled::No,
    }
    Handled::Yes
}

/// Moves a text: its first line goes where the cursor is, so that every key moves it.
fn scroll(cursor: &mut Cursor, action: Action, length: usize, height: usize) -> Handled {
    let furthest = (length + 1).saturating_sub(height).max(1);
    if cursor.act(action, furthest, height) {
        Handled::Yes
    } else {
        Handled::No
    }
}

fn change_form(card: &mut Card) {
    let Some(form) = card.form_bytes().map(|bytes| card.form.next(bytes)) else {
        return;
    };
    card.form = form;
    *card.cursor_mut() = Cursor::default();
}

fn turn(cx: &mut Cx, window: impl Fn(&Card) -> Option<Window>) {
    let Some(card) = cx
        .deck
        .keys
        .card
        .as_mut()
        .filter(|card| card.element.is_none())
    else {
        return;
    };
    if let Some(window) = window(card) {
        card.asked = window;
        card.cursor = Cursor::default();
        reload(cx);
    }
}

fn close(cx: &mut Cx) {
    if let Some(ticket) = cx.deck.keys.card.take().and_then(|card| card.ticket) {
        cx.forget(ticket);
    }
}

fn copy_value(cx: &mut Cx) {
    let Some(bytes) = cx.deck.keys.card.as_ref().and_then(Card::bytes) else {
        return cx.say(Tone::Caution, "there is nothing here to copy");
    };
    let (text, is_exact) = value::copied(bytes);
    let what = if is_exact {
        "the value in view"
    } else {
        "the value in view, escaped since it is not UTF-8,"
    };
    cx.copy(what, text);
}

pub fn mouse(cx: &mut Cx, mouse: MouseEvent, area: Rect) -> Handled {
    let height = height(cx.shell);
    let shell = &*cx.shell;
    let Some(card) = cx.deck.keys.card.as_mut() else {
        return Handled::No;
    };
    let length = card.length(shell);
    let is_scrolled = card.is_scrolled();
    match mouse.kind {
        MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
            let is_down = mouse.kind == MouseEventKind::ScrollDown;
            let cursor = card.cursor_mut();
            if is_scrolled {
                let action = if is_down { Action::Down } else { Action::Up };
                for _ in 0..3 {
                    scroll(cursor, action, length, height);
                }
            } else {
                cursor.scroll(if is_down { 3 } else { -3 }, length, height);
            }
            Handled::Yes
        }
        MouseEventKind::Down(_) if !is_scrolled => {
            let Some(line) = mouse.row.checked_sub(area.y + head(area.height)) else {
                return Handled::No;
            };
            let row = card.cursor.visible(length, height).start + usize::from(line);
            if row < length {
                card.cursor.select(row, length, height);
            }
            Handled::Yes
        }
        _ => Handled::No,
    }
}

fn height(shell: &Shell) -> usize {
    let body = body_height(shell);
    usize::from(body.saturating_sub(head(body))).max(1)
}
