//! What a person does with the keys: move, open, filter, mark, change.

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::engine::worker::Query;
use crate::model::{Change, Feature, Key, KeyFacts, TtlWish, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::layers::prompt::Prompt;
use crate::tui::panes::Handled;
use crate::tui::panes::keys::card::{self, Card};
use crate::tui::panes::keys::filter::{Filter, Matcher};
use crate::tui::panes::keys::listing::{Bite, Layout};
use crate::tui::panes::keys::tree::What;
use crate::tui::panes::keys::walking::State;
use crate::tui::panes::keys::{
    Keys, ask_facts, list_height, repeat_walk, start_walk, value, view, work,
};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;
use crate::tui::widgets::list::Cursor;

/// More than a person can oversee is the business of a bulk change.
const MOST_MARKS: usize = 10_000;

pub fn act(cx: &mut Cx, action: Action) -> Handled {
    if cx.deck.keys.card.is_some() {
        if card::act(cx, action) == Handled::Yes {
            ask_facts(cx);
            return Handled::Yes;
        }
        return act_on_keys(cx, action);
    }
    let height = list_height(cx.shell);
    let keys = &mut cx.deck.keys;
    if keys.cursor.act(action, keys.listing.rows(), height) {
        keys.hold();
        ask_facts(cx);
        return Handled::Yes;
    }
    match action {
        Action::Enter => enter(cx),
        Action::Right => open_folder(cx),
        Action::Left => close_folder(cx),
        Action::Back => return back(cx),
        Action::Mark => mark(cx),
        Action::MarkAll => mark_all(cx),
        Action::Filter => ask_filter(cx),
        Action::ToggleTree => rearrange(cx, |keys| keys.listing.toggle_layout()),
        Action::Sort => sort(cx),
        Action::PauseWalk => pause_walk(cx),
        Action::RestartWalk => ask_walk(cx),
        Action::GoToKey => ask_key(cx),
        _ => return act_on_keys(cx, action),
    }
    Handled::Yes
}

fn act_on_keys(cx: &mut Cx, action: Action) -> Handled {
    match action {
        Action::SetTtl => ask_ttl(cx),
        Action::RemoveTtl => propose(cx, |keys| Change::SetTtl {
            keys,
            wish: TtlWish::Never,
        }),
        Action::Delete => propose(cx, |keys| Change::Delete { keys }),
        Action::CopyName => copy_name(cx),
        _ => return Handled::No,
    }
    Handled::Yes
}

pub fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let keys = &deck.keys;
    let feature = match action {
        Action::SetTtl | Action::RemoveTtl => Some(Feature::Ttl),
        Action::Delete => Some(Feature::Delete),
        _ => None,
    };
    if feature.is_some_and(|feature| deck.features.need(feature).is_err()) {
        return false;
    }
    if let Some(card) = &keys.card {
        return card.is_possible(action);
    }
    let has_rows = keys.listing.rows() > 0;
    match action {
        Action::Enter
        | Action::Mark
        | Action::MarkAll
        | Action::Up
        | Action::Down
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom => has_rows,
        Action::SetTtl | Action::RemoveTtl | Action::Delete => {
            !keys.marks.is_empty() || keys.selected().is_some()
        }
        Action::CopyName => keys.row().is_some(),
        Action::Left | Action::Right => has_rows && keys.listing.layout() == Layout::Tree,
        Action::Sort => keys.listing.layout() == Layout::List,
        Action::PauseWalk => keys.walking.is_under_way(),
        Action::Back => keys.listing.filter().is_some() || !keys.marks.is_empty(),
        Action::Filter | Action::GoToKey | Action::ToggleTree | Action::RestartWalk => true,
        _ => false,
    }
}

pub fn mouse(cx: &mut Cx, mouse: MouseEvent, area: Rect) -> Handled {
    if cx.deck.keys.card.is_some() {
        return card::mouse(cx, mouse, area);
    }
    let height = list_height(cx.shell);
    let keys = &mut cx.deck.keys;
    let rows = keys.listing.rows();
    match mouse.kind {
        MouseEventKind::ScrollDown => keys.cursor.scroll(3, rows, height),
        MouseEventKind::ScrollUp => keys.cursor.scroll(-3, rows, height),
        MouseEventKind::Down(_) => {
            let Some(line) = mouse.row.checked_sub(area.y + view::head(area.height)) else {
                return Handled::No;
            };
            let row = keys.cursor.visible(rows, height).start + usize::from(line);
            if row >= rows {
                return Handled::No;
            }
            if row == keys.cursor.selected() {
                enter(cx);
                return Handled::Yes;
            }
            keys.cursor.select(row, rows, height);
        }
        _ => return Handled::No,
    }
    cx.deck.keys.hold();
    ask_facts(cx);
    Handled::Yes
}

fn enter(cx: &mut Cx) {
    let keys = &cx.deck.keys;
    let Some(row) = keys.row() else {
        return;
    };
    match row.what {
        What::Folder { is_open: true, .. } => close_folder(cx),
        What::Folder { .. } => open_folder(cx),
        What::Key(id) => {
            let key = keys.key(id);
            let kind = keys.facts.get(id).and_then(|known| match &known.facts {
                KeyFacts::Here { kind, .. } => Some(kind.clone()),
                KeyFacts::Gone => None,
            });
            Card::open(cx, key, kind.as_ref());
        }
    }
}

fn open_folder(cx: &mut Cx) {
    let keys = &mut cx.deck.keys;
    let Some(row) = keys
        .row()
        .filter(|row| matches!(row.what, What::Folder { .. }))
    else {
        return;
    };
    let path = row.path;
    keys.listing.open(&path);
    keys.anchor = Some(path);
    work(cx, Bite::Small);
}

/// Closes the folder, or the one that the row is in.
fn close_folder(cx: &mut Cx) {
    let keys = &mut cx.deck.keys;
    if keys.listing.layout() != Layout::Tree {
        return;
    }
    let Some(row) = keys.row() else {
        return;
    };
    let is_open = matches!(row.what, What::Folder { is_open: true, .. });
    let mut path = row.path;
    if !is_open && path.len() > 1 {
        path.pop();
    }
    keys.listing.close(&path);
    keys.anchor = Some(path);
    work(cx, Bite::Small);
}

fn back(cx: &mut Cx) -> Handled {
    if cx.deck.keys.listing.filter().is_some() {
        rearrange(cx, |keys| keys.listing.set_filter(None));
    } else if !cx.deck.keys.marks.is_empty() {
        cx.deck.keys.marks.clear();
    } else {
        return Handled::No;
    }
    Handled::Yes
}

/// Changes what rows there are. In a list, the cursor stays on its key.
fn rearrange(cx: &mut Cx, change: impl FnOnce(&mut Keys)) {
    let keys = &mut cx.deck.keys;
    let was = keys.listing.layout();
    change(keys);
    if was == Layout::Tree || keys.listing.layout() == Layout::Tree {
        keys.anchor = None;
        keys.cursor = Cursor::default();
    }
    work(cx, Bite::Small);
}

fn sort(cx: &mut Cx) {
    if cx.deck.keys.listing.layout() == Layout::Tree {
        return cx.say(Tone::Plain, "the tree is sorted by name");
    }
    rearrange(cx, |keys| keys.listing.next_sorting());
    let word = cx.deck.keys.listing.sorting().word();
    cx.say(Tone::Plain, format!("sorted {word}"));
}

fn mark(cx: &mut Cx) {
    let height = list_height(cx.shell);
    let keys = &mut cx.deck.keys;
    let Some(id) = keys.selected() else {
        let words = "a folder is not marked itself: filter for it and mark all";
        return cx.say(Tone::Caution, words);
    };
    if !keys.marks.remove(&id) {
        if keys.marks.len() >= MOST_MARKS {
            return cx.say(Tone::Caution, too_many());
        }
        keys.marks.insert(id);
    }
    keys.cursor.act(Action::Down, keys.listing.rows(), height);
    keys.hold();
    ask_facts(cx);
}

fn mark_all(cx: &mut Cx) {
    let keys = &mut cx.deck.keys;
    if keys.listing.matching() > MOST_MARKS {
        return cx.say(Tone::Caution, too_many());
    }
    let ids = keys.listing.matching_ids(MOST_MARKS);
    let are_all_marked = ids.iter().all(|id| keys.marks.contains(id));
    if are_all_marked {
        for id in &ids {
            keys.marks.remove(id);
        }
    } else if keys.marks.len() + ids.len() > MOST_MARKS {
        cx.say(Tone::Caution, too_many());
    } else {
        keys.marks.extend(ids);
    }
}

fn too_many() -> String {
    let most = units::count(MOST_MARKS as u64);
    format!("at most {most} keys can be marked: filter first")
}

fn ask_filter(cx: &mut Cx) {
    let typed = cx
        .deck
        .keys
        .listing
        .filter()
        .map(|filter| filter.typed().to_owned());
    let typed = typed.unwrap_or_default();
    cx.deck.keys.filter_before.clone_from(&typed);
    let prompt = Prompt::new("Show only keys with", apply_filter)
        .hint("text, glob*, ~regex, !not")
        .starting_with(typed)
        .checked(|_, typed| Matcher::read(typed).map(|_| String::new()))
        .live(apply_filter, |cx| {
            let before = cx.deck.keys.filter_before.clone();
            apply_filter(cx, &before);
        });
    cx.prompt(prompt);
}

fn apply_filter(cx: &mut Cx, typed: &str) {
    let listing = &cx.deck.keys.listing;
    if listing.filter().map_or("", Filter::typed) == typed {
        return;
    }
    // What cannot be read yet changes nothing; the prompt says why.
    if let Ok(filter) = Filter::read(typed) {
        rearrange(cx, |keys| keys.listing.set_filter(filter));
    }
}

fn pause_walk(cx: &mut Cx) {
    let walking = &mut cx.deck.keys.walking;
    match walking.state {
        State::Running => {
            walking.state = State::Paused;
            cx.ask(Query::PauseWalk);
        }
        State::Paused => {
            walking.state = State::Running;
            cx.ask(Query::ContinueWalk);
        }
        State::Failed(_) => repeat_walk(cx),
        State::NotStarted | State::Complete { .. } => {
            cx.say(Tone::Plain, "no walk is under way");
        }
    }
}

fn ask_walk(cx: &mut Cx) {
    let pattern = cx.deck.keys.walking.pattern.clone().unwrap_or_default();
    let prompt = Prompt::new("Walk over all keys, or those that match", |cx, typed| {
        let pattern = (!typed.is_empty()).then(|| typed.as_bytes().to_vec());
        start_walk(cx, pattern, false);
    })
    .hint("user:*, matched by the server; empty: all keys")
    .starting_with(String::from_utf8(pattern).unwrap_or_default());
    cx.prompt(prompt);
}

fn ask_key(cx: &mut Cx) {
    let prompt = Prompt::new("Open the key", |cx, typed| {
        // The check let it through.
        if let Ok(name) = text::unescape(typed) {
            Card::open(cx, Key::new(name), None);
        }
    })
    .hint(r"its whole name; \x00 stands for a byte")
    .checked(|_, typed| {
        let name = text::unescape(typed).map_err(|error| error.to_string())?;
        Ok(format!("{} bytes", units::count(name.len() as u64)))
    });
    cx.prompt(prompt);
}

/// Remembers which keys the question is about: rows may move while it is open.
fn take_targets(cx: &mut Cx) -> Option<String> {
    let meant = cx.deck.keys.meant();
    let name = match meant.as_slice() {
        [] => {
            cx.say(Tone::Caution, "no key is selected");
            return None;
        }
        [one] => value::brief(one.bytes(), 40),
        many => format!("{} marked keys", units::count(many.len() as u64)),
    };
    cx.deck.keys.targets = meant;
    Some(name)
}

fn ask_ttl(cx: &mut Cx) {
    let Some(name) = take_targets(cx) else {
        return;
    };
    let prompt = Prompt::new(format!("TTL of {name}"), |cx, typed| {
        let wish = TtlWish::parse(typed, cx.now(), &cx.shell.zone);
        let keys = std::mem::take(&mut cx.deck.keys.targets);
        match wish {
            Ok(wish) => cx.propose(Change::SetTtl { keys, wish }),
            Err(error) => cx.say(Tone::Danger, text::escape(error.to_string().as_bytes())),
        }
    })
    .hint("90s, 1d12h, 18:00, 2026-12-24 18:00, never")
    .checked(|shell, typed| {
        TtlWish::parse(typed, shell.now, &shell.zone)
            .map(|wish| wish.words(shell.now, &shell.zone))
            .map_err(|error| text::escape(error.to_string().as_bytes()))
    });
    cx.prompt(prompt);
}

fn propose(cx: &mut Cx, change: impl FnOnce(Vec<Key>) -> Change) {
    if take_targets(cx).is_some() {
        let keys = std::mem::take(&mut cx.deck.keys.targets);
        cx.propose(change(keys));
    }
}

fn copy_name(cx: &mut Cx) {
    let keys = &cx.deck.keys;
    let name = match (&keys.card, keys.row()) {
        (Some(card), _) => card.key.bytes().to_vec(),
        (None, Some(row)) => keys.listing.name_of(&row),
        (None, None) => return cx.say(Tone::Caution, "no key is selected"),
    };
    // Escaped where it holds what a terminal would obey when it is pasted.
    let has_controls = name.iter().any(u8::is_ascii_control);
    match String::from_utf8(name) {
        Ok(plain) if !has_controls => cx.copy("the name", plain),
        Ok(other) => cx.copy("the name, escaped,", text::escape(other.as_bytes())),
        Err(error) => cx.copy("the name, escaped,", text::escape(error.as_bytes())),
    }
}
