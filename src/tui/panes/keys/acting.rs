//! What a person does with the keys: move, open, filter, mark, change.

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::engine::worker::Query;
use crate::model::{Change, Feature, Key, KeyFacts, Pace, TtlWish, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::layers::Layer;
use crate::tui::layers::bookmarks::BookmarkList;
use crate::tui::layers::prompt::Prompt;
use crate::tui::panes::Handled;
use crate::tui::panes::keys::card::{self, Card};
use crate::tui::panes::keys::filter::Filter;
use crate::tui::panes::keys::listing::{Bite, Layout};
use crate::tui::panes::keys::rows::{RowId, What};
use crate::tui::panes::keys::walking::State;
use crate::tui::panes::keys::{
    Keys, Plan, ask_facts, list_height, repeat_walk, start_walk, value, view, work,
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
        Action::ToggleTree => toggle_tree(cx),
        Action::CollapseIds => collapse_ids(cx),
        Action::Sort => sort(cx),
        Action::PauseWalk => pause_walk(cx),
        Action::PaceWalk => pace_walk(cx),
        Action::AskAll => ask_all(cx),
        Action::RestartWalk => ask_walk(cx),
        Action::GoToKey => ask_key(cx),
        Action::Jump => ask_jump(cx),
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
        Action::Favourite => favourite(cx),
        Action::Bookmarks => cx
            .shell
            .layers
            .push(Layer::Bookmarks(BookmarkList::default())),
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
        | Action::Bottom
        | Action::Sort
        | Action::Jump => has_rows,
        Action::SetTtl | Action::RemoveTtl | Action::Delete => {
            !keys.marks.is_empty() || keys.selected().is_some()
        }
        Action::CopyName => keys.row().is_some(),
        Action::Left | Action::Right => has_rows && keys.listing.layout() != Layout::List,
        Action::PauseWalk => keys.walking.is_under_way(),
        Action::PaceWalk => keys.walking.is_under_way() && !keys.walking.coverage.holds_server,
        Action::AskAll => keys.is_partly_told(),
        Action::Back => keys.listing.filter().is_some() || !keys.marks.is_empty(),
        Action::Favourite => keys.selected().is_some(),
        Action::Filter
        | Action::Bookmarks
        | Action::GoToKey
        | Action::ToggleTree
        | Action::CollapseIds
        | Action::RestartWalk => true,
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
        What::Pattern(_) => show_pattern(cx, &row.name),
        What::More(_) => cx.say(
            Tone::Plain,
            "these have no row: filter, or sort by name, to see them",
        ),
        What::Key(fact) => {
            let known = keys.facts.get(&row.name);
            let kind = match known.map(|known| &known.facts) {
                Some(KeyFacts::Here { kind, .. }) => Some(kind.clone()),
                Some(KeyFacts::Gone) => None,
                None => fact.and_then(|fact| fact.kind().cloned()),
            };
            Card::open(cx, Key::new(row.name), kind.as_ref());
        }
    }
}

/// The keys of a pattern, as a list.
fn show_pattern(cx: &mut Cx, pattern: &[u8]) {
    let typed = glob_of(pattern);
    let now = cx.now();
    match Filter::read(&typed, now) {
        Ok(filter) => rearrange(cx, |keys| {
            keys.listing.set_layout(Layout::List);
            keys.listing.set_filter(filter);
        }),
        Err(why) => cx.say(Tone::Caution, why),
    }
}

/// A pattern as a filter that a person could have typed.
fn glob_of(pattern: &[u8]) -> String {
    let mut typed = String::new();
    for letter in text::escape(pattern).chars() {
        if matches!(letter, '?' | '[' | '!' | '~' | '%' | '/') {
            // Not a sign of its own here.
            typed.push_str(if matches!(letter, '?' | '[') {
                "\\"
            } else {
                ""
            });
        }
        typed.push(letter);
    }
    if typed.contains('*') {
        return typed;
    }
    // Without a star the whole name is meant, and not a part of one.
    format!("~^{}$", regex_literal(pattern))
}

fn regex_literal(bytes: &[u8]) -> String {
    let hex = bytes.iter().map(|byte| format!("\\x{byte:02x}"));
    hex.collect()
}

fn open_folder(cx: &mut Cx) {
    let keys = &mut cx.deck.keys;
    let row = keys.row();
    let Some(row) = row.filter(|row| matches!(row.what, What::Folder { .. })) else {
        return;
    };
    keys.listing.open(&row.name);
    keys.anchor = Some(row.id());
    work(cx, Bite::Small);
}

/// Closes the folder, or the one that the row is in.
fn close_folder(cx: &mut Cx) {
    let keys = &mut cx.deck.keys;
    let Some(row) = keys.row() else {
        return;
    };
    let is_open = matches!(row.what, What::Folder { is_open: true, .. });
    let folder = if is_open {
        Some(row.id())
    } else {
        keys.listing.folder_of(&row)
    };
    if let Some(RowId::Folder(folder)) = folder {
        keys.listing.close(&folder);
        keys.anchor = Some(RowId::Folder(folder));
        work(cx, Bite::Small);
    }
}

fn toggle_tree(cx: &mut Cx) {
    rearrange(cx, |keys| {
        let layout = match keys.listing.layout() {
            Layout::List => Layout::Tree,
            Layout::Tree | Layout::Patterns => Layout::List,
        };
        keys.listing.set_layout(layout);
    });
}

fn collapse_ids(cx: &mut Cx) {
    rearrange(cx, |keys| {
        let layout = match keys.listing.layout() {
            Layout::List | Layout::Tree => Layout::Patterns,
            Layout::Patterns => Layout::Tree,
        };
        keys.listing.set_layout(layout);
    });
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

/// Changes what rows there are. Between lists, the cursor stays on its key.
fn rearrange(cx: &mut Cx, change: impl FnOnce(&mut Keys)) {
    let keys = &mut cx.deck.keys;
    let was = keys.listing.layout();
    change(keys);
    if was != keys.listing.layout() {
        keys.anchor = None;
        keys.cursor = Cursor::default();
    }
    work(cx, Bite::Small);
}

fn sort(cx: &mut Cx) {
    let before = cx.deck.keys.listing.sorting();
    cx.deck.keys.anchor = None;
    cx.deck.keys.cursor = Cursor::default();
    rearrange(cx, |keys| keys.listing.next_sorting());
    let sorting = cx.deck.keys.listing.sorting();
    if before == sorting {
        let words = "sorted by name: the walk told nothing else to sort by";
        return cx.say(Tone::Plain, words);
    }
    cx.say(Tone::Plain, format!("sorted {}", sorting.word()));
}

fn mark(cx: &mut Cx) {
    let height = list_height(cx.shell);
    let keys = &mut cx.deck.keys;
    let Some(name) = keys.selected() else {
        let words = "a folder is not marked itself: filter for it and mark all";
        return cx.say(Tone::Caution, words);
    };
    if !keys.marks.remove(&name) {
        if keys.marks.len() >= MOST_MARKS {
            return cx.say(Tone::Caution, too_many());
        }
        keys.marks.insert(name);
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
    let names = keys.listing.matching_names(MOST_MARKS);
    let are_all_marked = names.iter().all(|name| keys.marks.contains(name));
    if are_all_marked {
        for name in &names {
            keys.marks.remove(name);
        }
    } else if keys.marks.len() + names.len() > MOST_MARKS {
        cx.say(Tone::Caution, too_many());
    } else {
        keys.marks.extend(names);
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
        .hint("text, glob*, ~regex, %fuzzy, !not, type:hash ttl:<1h size:>1mb idle:>1d")
        .starting_with(typed)
        .checked(|shell, typed| Filter::read(typed, shell.now).map(|_| String::new()))
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
    if let Ok(filter) = Filter::read(typed, cx.now()) {
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

/// As fast as the server can, or on a budget again.
fn pace_walk(cx: &mut Cx) {
    let walking = &mut cx.deck.keys.walking;
    let pace = match walking.pace {
        Pace::FullSpeed => Pace::default(),
        Pace::Budget(_) => Pace::FullSpeed,
    };
    walking.pace = pace;
    walking.plan.pace = Some(pace);
    cx.ask(Query::PaceWalk(pace));
    let words = match pace {
        Pace::FullSpeed => "as fast as the server can: others wait longer meanwhile".to_owned(),
        Pace::Budget(share) => format!("at most {share} of a core of the server"),
    };
    cx.say(Tone::Plain, words);
}

/// Walks again and asks every key, so that bytes and shares are exact.
fn ask_all(cx: &mut Cx) {
    let plan = Plan {
        asks_all: true,
        ..cx.deck.keys.walking.plan.clone()
    };
    start_walk(cx, plan, true);
    work(cx, Bite::Small);
}

fn ask_walk(cx: &mut Cx) {
    let pattern = cx.deck.keys.walking.plan.pattern.clone();
    let prompt = Prompt::new("Walk over all keys, or those that match", |cx, typed| {
        let plan = Plan {
            pattern: (!typed.is_empty()).then(|| typed.as_bytes().to_vec()),
            ..cx.deck.keys.walking.plan.clone()
        };
        start_walk(cx, plan, false);
    })
    .hint("user:*, matched by the server; empty: all keys")
    .starting_with(String::from_utf8(pattern.unwrap_or_default()).unwrap_or_default());
    cx.prompt(prompt);
}

fn ask_jump(cx: &mut Cx) {
    let prompt = Prompt::new("Jump to the first key from", |cx, typed| {
        let name = text::unescape(typed).unwrap_or_else(|_| typed.as_bytes().to_vec());
        let keys = &mut cx.deck.keys;
        if keys.listing.layout() == Layout::Patterns || keys.listing.ranked().is_some() {
            keys.listing.set_layout(Layout::List);
            keys.listing.sort_by_name();
            while keys.listing.is_arranging() && keys.listing.step(Bite::Large) {}
        }
        match keys.listing.jump(&name) {
            Some(row) => keys.anchor = Some(row),
            None => return cx.say(Tone::Plain, "no key stands there or after it"),
        }
        work(cx, Bite::Small);
    })
    .hint("user:17, or how its name begins");
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

fn favourite(cx: &mut Cx) {
    let keys = &cx.deck.keys;
    let opened = keys.card.as_ref().map(|card| card.key.clone());
    let Some(key) = opened.or_else(|| keys.selected().map(Key::new)) else {
        return cx.say(Tone::Caution, "no key is selected");
    };
    let words = if cx.deck.bookmarks.toggle(&key) {
        "a favourite now"
    } else {
        "no favourite any more"
    };
    cx.keep_bookmarks();
    cx.say(Tone::Plain, words);
}

fn copy_name(cx: &mut Cx) {
    let keys = &cx.deck.keys;
    let name = match (&keys.card, keys.row()) {
        (Some(card), _) => card.key.bytes().to_vec(),
        (None, Some(row)) => row.name,
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
