//! The keys of a cache: browse millions of them, look into one, change its life.
//!
//! `listing` makes the rows out of what the walk filed (`filter`, `sieve`, `ranking`, `tree` and
//! `patterns` below it know nothing of a screen), `walking` says how much of the keyspace they are,
//! `facts` what is known of the rows in view.
//! `acting` is what a person does with them, `card` a key that was opened, `view` and `card_view`
//! draw.

mod acting;
mod aside;
pub mod card;
mod card_view;
pub mod delimiters;
pub mod facts;
pub mod filter;
pub mod listing;
pub mod patterns;
pub mod ranking;
pub mod rows;
pub mod sieve;
pub mod tree;
pub mod value;
mod view;
pub mod walking;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::worker::{Query, Report, Ticket, WalkStep};
use crate::engine::{Fault, Kind};
use crate::model::{
    Feature, Key, KeyFacts, KeyOutcome, Outcome, Pace, Sample, UnixMs, WalkAsk, Wants,
};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::keys::card::Card;
use crate::tui::panes::keys::delimiters::Delimiters;
use crate::tui::panes::keys::facts::Facts;
use crate::tui::panes::keys::listing::{Bite, Listing};
use crate::tui::panes::keys::rows::{Row, RowId, What};
use crate::tui::panes::keys::walking::{State, Walking};
use crate::tui::panes::{Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::widgets::list::Cursor;

/// So few keys are walked as fast as can be, and each is asked about: a fifth of a second of the
/// server's time, which a budget would stretch to many.
const FEW: u64 = 100_000;
/// Of more, about so many are asked: folders then tell their bytes as an estimate, and the names come
/// nearly as fast as without.
const ASKED: u64 = 150_000;

/// How long to wait before facts are asked again that could not be told.
const FACTS_RETRY: Duration = Duration::from_secs(5);

pub const PANE: Pane = Pane {
    id: PaneId::Keys,
    title: "Keys",
    words: "Millions of keys as a list or a tree, saying how much was seen; type, TTL and size \
            of what is on screen; a value, a window at a time",
    open: Action::OpenKeys,
    needs: &[Feature::Walk],
    draw: view::draw,
    act: acting::act,
    is_possible: acting::is_possible,
    mouse: acting::mouse,
    report,
    notice,
    due,
    ..Pane::STILL
};

/// What the pane knows of one target.
#[derive(Debug, Default)]
pub struct Keys {
    pub listing: Listing,
    pub walking: Walking,
    pub facts: Facts,
    /// Why facts are missing.
    pub facts_fault: Option<Fault>,
    pub cursor: Cursor,
    pub marks: BTreeSet<Vec<u8>>,
    pub card: Option<Card>,
    /// The row that a person moved to: the cursor stays on it while rows move.
    anchor: Option<RowId>,
    /// Facts on their way.
    asked: Option<(Ticket, Vec<Vec<u8>>)>,
    not_before: UnixMs,
    /// Rows are not as they should be yet: there is work for the next moment.
    is_busy: bool,
    /// The pane was opened, so a walk is wanted.
    is_wanted: bool,
    /// What the question that is open now is about.
    targets: Vec<Key>,
    filter_before: String,
}

impl Keys {
    fn row(&self) -> Option<Row> {
        self.listing.row(self.cursor.selected())
    }

    /// The name of the selected key.
    fn selected(&self) -> Option<Vec<u8>> {
        let row = self.row()?;
        matches!(row.what, What::Key(_)).then_some(row.name)
    }

    /// What an action on keys is about: the opened key, else the marked ones, else the selected one.
    fn meant(&self) -> Vec<Key> {
        if let Some(card) = &self.card {
            return vec![card.key.clone()];
        }
        if self.marks.is_empty() {
            return self.selected().map(Key::new).into_iter().collect();
        }
        self.marks
            .iter()
            .map(|name| Key::new(name.as_slice()))
            .collect()
    }

    /// The names of the keys in the rows in view.
    fn in_view(&self, shell: &Shell) -> impl Iterator<Item = Vec<u8>> {
        let height = list_height(shell);
        let visible = self.cursor.visible(self.listing.rows(), height);
        let rows = self.listing.window(visible.start, visible.len());
        rows.into_iter()
            .filter(|row| matches!(row.what, What::Key(_)))
            .map(|row| row.name)
    }

    /// Whether some keys were asked about and others were not.
    fn is_partly_told(&self) -> bool {
        let sums = self.listing.sums();
        sums.told < sums.keys && !self.walking.plan.asks_all
    }

    /// Remembers the row that the cursor is on.
    fn hold(&mut self) {
        self.anchor = self.row().map(|row| row.id());
    }

    /// Moves the cursor to where the row that it was on is now; to the top while a filter hides it.
    fn follow(&mut self, shell: &Shell) {
        let place = match &self.anchor {
            Some(id) => self.listing.place_of(id).unwrap_or_default(),
            None => self.cursor.selected(),
        };
        let (rows, height) = (self.listing.rows(), list_height(shell));
        if place != self.cursor.selected() || place >= rows {
            self.cursor.select(place, rows, height);
        }
    }
}

/// Rows of the pane under header and tabs, over the footer.
pub fn body_height(shell: &Shell) -> u16 {
    let tabs = u16::from(shell.area.height >= 9);
    shell.area.height.saturating_sub(2 + tabs)
}

fn list_height(shell: &Shell) -> usize {
    let body = body_height(shell);
    usize::from(body.saturating_sub(view::head(body))).max(1)
}

/// How a walk is to go about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What the server is asked to match; none for all keys.
    pub pattern: Option<Vec<u8>>,
    /// Whether every key is asked about its type, TTL and size, and not only some.
    pub asks_all: bool,
    /// Chosen by the person; else it follows from the number of keys.
    pub pace: Option<Pace>,
}

impl Plan {
    /// What to ask of a server that has so many keys.
    fn ask(&self, keys: Option<u64>) -> WalkAsk {
        let is_small = keys.is_some_and(|keys| keys <= FEW);
        WalkAsk {
            from: None,
            pattern: self.pattern.clone(),
            wants: Wants::BASICS,
            one_key_in: (!is_small && !self.asks_all)
                .then(|| part_of(keys))
                .flatten(),
            pace: self.pace.unwrap_or(if is_small {
                Pace::FullSpeed
            } else {
                Pace::default()
            }),
        }
    }
}

/// One key in so many is asked about.
fn part_of(keys: Option<u64>) -> Option<NonZeroU32> {
    let many = keys.unwrap_or(10_000_000).div_ceil(ASKED);
    NonZeroU32::new(u32::try_from(many).unwrap_or(u32::MAX))
}

/// Begins a walk. What was listed is forgotten, unless the same walk begins anew: then it stays until
/// the new one has seen as much.
fn start_walk(cx: &mut Cx, plan: Plan, is_repeated: bool) {
    if let Some(ticket) = cx.deck.keys.walking.ticket {
        cx.forget(ticket);
    }
    let began = cx.now();
    let ticket = cx.ticket(PaneId::Keys);
    let delimiters = Delimiters::of(cx.deck.target.delimiters());
    let known = cx.deck.latest().and_then(Sample::keys);
    let keys = &mut cx.deck.keys;
    if !is_repeated {
        keys.listing.begin(delimiters);
        keys.facts = Facts::default();
        keys.marks.clear();
        keys.cursor = Cursor::default();
        keys.anchor = None;
        keys.asked = None;
    }
    let ask = plan.ask(known);
    keys.walking = Walking {
        state: State::Running,
        pace: ask.pace,
        plan,
        ticket: Some(ticket),
        began,
        is_repeated,
        ..Walking::default()
    };
    cx.ask(Query::Walk { ticket, ask });
}

/// Brings the rows a bite further, and asks for what is missing of those in view.
fn work(cx: &mut Cx, bite: Bite) {
    let keys = &mut cx.deck.keys;
    keys.is_busy = keys.listing.step(bite);
    keys.follow(cx.shell);
    ask_facts(cx);
}

/// One question at a time: the next one is asked when the answer is there, for what is in view then.
fn ask_facts(cx: &mut Cx) {
    let now = cx.now();
    let keys = &cx.deck.keys;
    let is_asked = keys
        .asked
        .as_ref()
        .is_some_and(|(ticket, _)| cx.deck.waiter(*ticket).is_some());
    let is_in_view = cx.shell.pane == PaneId::Keys && keys.card.is_none();
    if is_asked || !is_in_view || now < keys.not_before || !cx.deck.is_up() {
        return;
    }
    let wanting = keys.facts.wanting(keys.in_view(cx.shell), now);
    if wanting.is_empty() {
        return;
    }
    let names = wanting
        .iter()
        .map(|name| Key::new(name.as_slice()))
        .collect();
    let ticket = cx.ticket(PaneId::Keys);
    cx.deck.keys.asked = Some((ticket, wanting));
    cx.ask(Query::Facts {
        ticket,
        keys: names,
    });
}

fn report(cx: &mut Cx, report: Report) {
    match report {
        Report::Walk { ticket, step } if cx.deck.keys.walking.ticket == Some(ticket) => {
            walked(cx, step);
        }
        Report::Facts { ticket, rows } => {
            if let Some((_, names)) = cx.deck.keys.asked.take_if(|(asked, _)| *asked == ticket) {
                learn(
                    cx,
                    &names,
                    rows.map(|rows| rows.into_iter().map(|row| row.facts).collect()),
                );
            }
        }
        shown @ Report::Shown { .. } => card::report(cx, shown),
        _ => {}
    }
}

fn walked(cx: &mut Cx, step: WalkStep) {
    let now = cx.now();
    let keys = &mut cx.deck.keys;
    let walking = &mut keys.walking;
    match step {
        WalkStep::Names(listed) => {
            walking.coverage = listed.coverage;
            walking.cost = listed.cost;
            walking.lacks = listed.lacks;
            // While a walk is repeated, what is listed from before is the better picture.
            let is_better = listed.names.len() >= keys.listing.seen();
            if !walking.is_repeated || is_better || listed.coverage.is_complete {
                keys.listing.take(listed.names);
            }
        }
        WalkStep::Ended => {
            walking.state = State::Complete { at: now };
            walking.ticket = None;
            keys.listing.hurry();
        }
        WalkStep::Failed(fault) => {
            walking.state = State::Failed(fault);
            walking.ticket = None;
            keys.listing.hurry();
        }
    }
    work(cx, Bite::Small);
}

fn learn(cx: &mut Cx, names: &[Vec<u8>], told: Result<Vec<Option<KeyFacts>>, Fault>) {
    let now = cx.now();
    let keys = &mut cx.deck.keys;
    match told {
        Ok(all) => {
            keys.facts_fault = None;
            if all.len() < names.len() || all.iter().any(Option::is_none) {
                keys.not_before = now.plus(FACTS_RETRY);
            }
            for (name, facts) in names.iter().zip(all) {
                match facts {
                    Some(facts) => keys.facts.learn(name, facts, now),
                    None => keys.facts.refuse(name),
                }
            }
        }
        Err(fault) => {
            keys.facts_fault = Some(fault);
            keys.not_before = now.plus(FACTS_RETRY);
        }
    }
    ask_facts(cx);
}

fn notice(cx: &mut Cx, notice: Notice) {
    match notice {
        Notice::Opened => {
            cx.deck.keys.is_wanted = true;
            begin_if_wanted(cx);
            work(cx, Bite::Small);
        }
        Notice::Up => {
            cx.deck.keys.not_before = UnixMs(0);
            cx.deck.keys.facts.doubt_all();
            begin_if_wanted(cx);
            mend_card(cx);
            ask_facts(cx);
        }
        Notice::Due => work(cx, Bite::Large),
        Notice::Sampled => {
            mend(cx);
            ask_facts(cx);
        }
        Notice::Refresh => refresh(cx),
        Notice::Changed(outcome) => changed(cx, outcome),
        Notice::Left | Notice::Sent(_) => {}
    }
}

fn begin_if_wanted(cx: &mut Cx) {
    let is_up = cx.deck.is_up();
    let keys = &cx.deck.keys;
    if !keys.is_wanted || !is_up {
        return;
    }
    match &keys.walking.state {
        State::NotStarted => start_walk(cx, Plan::default(), false),
        State::Failed(fault) if fault.kind() == Kind::Connection => repeat_walk(cx),
        _ => {}
    }
}

fn repeat_walk(cx: &mut Cx) {
    let plan = cx.deck.keys.walking.plan.clone();
    start_walk(cx, plan, true);
}

/// Asks again what never reached the server because too many questions waited there.
fn mend(cx: &mut Cx) {
    let lost = |ticket: Ticket| cx.deck.waiter(ticket).is_none();
    if cx.deck.keys.walking.ticket.is_some_and(lost) {
        repeat_walk(cx);
    }
    card::mend(cx);
}

fn mend_card(cx: &mut Cx) {
    let card = cx.deck.keys.card.as_ref();
    if card.is_some_and(|card| matches!(card.state, card::State::Failed(_))) {
        card::reload(cx);
    }
}

fn refresh(cx: &mut Cx) {
    cx.deck.keys.not_before = UnixMs(0);
    if cx.deck.keys.card.is_some() {
        return card::reload(cx);
    }
    cx.deck.keys.facts.doubt_all();
    ask_facts(cx);
    if matches!(cx.deck.keys.walking.state, State::Failed(_)) {
        repeat_walk(cx);
    }
}

/// Marks of keys that were dealt with go; what is shown of every key concerned is read again.
fn changed(cx: &mut Cx, outcome: &Outcome) {
    let Outcome::Keys(outcomes) = outcome else {
        return;
    };
    let keys = &mut cx.deck.keys;
    for (key, outcome) in outcomes {
        keys.facts.doubt(key.bytes());
        if !matches!(outcome, KeyOutcome::Failed(_) | KeyOutcome::Unknown(_)) {
            keys.marks.remove(key.bytes());
        }
    }
    let is_shown = |card: &Card| outcomes.iter().any(|(key, _)| *key == card.key);
    if keys.card.as_ref().is_some_and(is_shown) {
        card::reload(cx);
    }
    ask_facts(cx);
}

/// The next moment: at once while there is work, else when a countdown moves or facts grow old.
fn due(shell: &Shell, deck: &Deck) -> Option<UnixMs> {
    let keys = &deck.keys;
    if keys.is_busy {
        return Some(shell.now);
    }
    if let Some(card) = &keys.card {
        let card::State::Shown { card, .. } = &card.state else {
            return None;
        };
        return facts::next_change(card.ttl, shell.now);
    }
    keys.in_view(shell)
        .filter_map(|name| keys.facts.get(&name))
        .filter_map(|known| known.next_change(shell.now, deck.is_up()))
        .min()
        .map(|at| at.max(keys.not_before.min(shell.now.plus(FACTS_RETRY))))
}
