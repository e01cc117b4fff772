//! The screen as a state machine: events in, effects out. No I/O, no clock, no terminal.

use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect};

use crate::engine::worker::{
    CompareStep, FetchStep, Query, Report, SessionState, SurveyStep, Ticket, WalkStep,
};
use crate::guard::Audit;
use crate::model::{Change, Target, UnixMs};
use crate::tui::actions::{Action, Risk, Scope};
use crate::tui::chrome;
use crate::tui::deck::{Deck, Waiter};
use crate::tui::event::{Effect, Ending, Event, Signal, answered};
use crate::tui::keymap::Keymap;
use crate::tui::layers::{self, Layer};
use crate::tui::panes::{Handled, Notice, PANES, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::{Theme, Tone};

/// A sample that is this much later than expected is said to be late.
pub const LATE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct App {
    pub decks: Vec<Deck>,
    pub active: usize,
    pub shell: Shell,
}

/// What the screen is started with, beside its targets.
#[derive(Debug)]
pub struct Setup {
    pub audit: Audit,
    /// Who sits here, for what is remembered: `user@host`.
    pub who: String,
    pub theme: Theme,
    pub keymap: Keymap,
    pub zone: TimeZone,
    pub interval: Duration,
    pub pane: PaneId,
    pub now: UnixMs,
    pub area: Rect,
}

impl App {
    /// A screen on `targets`, of which there is at least one.
    pub fn new(targets: Vec<Target>, setup: Setup) -> Self {
        let open = targets.clone();
        Self {
            decks: targets.into_iter().map(Deck::new).collect(),
            active: 0,
            shell: Shell {
                now: setup.now,
                area: setup.area,
                theme: setup.theme,
                keymap: setup.keymap,
                zone: setup.zone,
                interval: setup.interval,
                pane: setup.pane,
                layers: Vec::new(),
                flash: None,
                commands: Vec::new(),
                audit: setup.audit,
                who: setup.who,
                targets: open,
                leads_to: None,
                effects: Vec::new(),
                tickets: 0,
            },
        }
    }

    /// Takes in what happened and says what is to be done about it.
    pub fn update(&mut self, event: Event, now: UnixMs) -> Vec<Effect> {
        self.shell.now = now;
        self.expire_flash();
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Key(_) => {}
            Event::Tick => self.notice(Notice::Due),
            Event::Paste(text) => layers::paste(self, &text),
            Event::Mouse(mouse) => self.mouse(mouse),
            Event::Resize { width, height } => {
                self.shell.area = Rect::new(0, 0, width, height);
                // Many terminals move what they show, even when the size comes back.
                self.shell.effects.push(Effect::Redraw);
            }
            Event::Report { deck, report } => self.report(deck, report),
            Event::Undelivered { deck, ticket } => self.undelivered(deck, ticket),
            Event::NotKept(why) => {
                let words = format!("favourites and histories are not kept: {why}");
                self.shell.say(Tone::Danger, words);
            }
            Event::Signal(signal) => self.signal(signal),
        }
        if let Some(pane) = self.shell.leads_to.take() {
            self.open(pane);
        }
        std::mem::take(&mut self.shell.effects)
    }

    /// What to ask before anything was pressed.
    pub fn begin(&mut self) -> Vec<Effect> {
        self.notice(Notice::Opened);
        std::mem::take(&mut self.shell.effects)
    }

    pub fn deck(&self) -> &Deck {
        &self.decks[self.active]
    }

    pub fn pane(&self) -> &'static Pane {
        self.shell.pane.row()
    }

    /// The next moment at which the screen changes by itself.
    pub fn next_due(&self) -> Option<UnixMs> {
        let deck = self.deck();
        let flash = self.shell.flash.as_ref().map(|flash| flash.until);
        let pane = deck
            .lacks(self.pane().needs)
            .is_none()
            .then(|| (self.pane().due)(&self.shell, deck))
            .flatten();
        [flash, pane, chrome::due(&self.shell, deck)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether an action makes sense here and now: what the footer and the palette offer.
    pub fn is_possible(&self, action: Action) -> bool {
        let row = action.row();
        let deck = self.deck();
        if row.risk >= Risk::Changes && deck.policy.is_read_only {
            return false;
        }
        match row.scope {
            Scope::Pane(pane) if pane != self.shell.pane => false,
            Scope::Pane(_) | Scope::List => {
                deck.lacks(self.pane().needs).is_none()
                    && (self.pane().is_possible)(&self.shell, deck, action)
            }
            Scope::Layer => false,
            Scope::Global => match action {
                Action::NextTarget | Action::Targets => self.decks.len() > 1,
                Action::Back => {
                    !self.shell.layers.is_empty()
                        || (self.pane().is_possible)(&self.shell, deck, action)
                }
                _ => true,
            },
        }
    }

    /// Does what a person asked.
    pub fn run(&mut self, action: Action) {
        let active = self.active;
        if action.row().risk >= Risk::Changes && self.cx(active).refuses_changes() {
            return;
        }
        if self.pane_acts(action) == Handled::Yes {
            return;
        }
        if let Some(pane) = PANES.iter().find(|pane| pane.open == action) {
            return self.open(pane.id);
        }
        match action {
            Action::NextPane => self.step_pane(1),
            Action::PreviousPane => self.step_pane(PANES.len() - 1),
            Action::NextTarget => self.choose_target((self.active + 1) % self.decks.len()),
            Action::Targets => layers::push(self, Layer::targets(self.active)),
            Action::Refresh => self.refresh(),
            Action::Palette => layers::push(self, Layer::palette()),
            Action::Help => layers::push(self, Layer::help()),
            Action::Redraw => self.shell.effects.push(Effect::Redraw),
            Action::Suspend => self.suspend(),
            Action::Quit => self.shell.effects.push(Effect::Quit(Ending::Left)),
            Action::Interrupt => {
                let ending = Ending::Signalled(signal_hook::consts::SIGINT);
                self.shell.effects.push(Effect::Quit(ending));
            }
            _ => {}
        }
    }

    /// Starts the way of a change on the active target: preview, plan, question, permit, outcome.
    pub fn propose(&mut self, change: Change, now: UnixMs) -> Vec<Effect> {
        self.shell.now = now;
        let active = self.active;
        self.cx(active).propose(change);
        std::mem::take(&mut self.shell.effects)
    }

    pub fn open(&mut self, pane: PaneId) {
        if pane != self.shell.pane {
            self.notice(Notice::Left);
            self.shell.pane = pane;
            self.notice(Notice::Opened);
        }
    }

    pub fn choose_target(&mut self, deck: usize) {
        if deck != self.active && deck < self.decks.len() {
            self.notice(Notice::Left);
            self.active = deck;
            self.notice(Notice::Opened);
        }
    }

    /// A context on one deck, for panes and layers to act in.
    pub(super) fn cx(&mut self, deck: usize) -> Cx<'_> {
        Cx {
            deck: &mut self.decks[deck],
            shell: &mut self.shell,
            index: deck,
        }
    }

    fn key(&mut self, key: KeyEvent) {
        if self.shell.keymap.in_layer(key) == Some(Action::Interrupt) {
            return self.run(Action::Interrupt);
        }
        if layers::key(self, key) == Handled::Yes {
            return;
        }
        self.shell.flash = None;
        let (pane, active) = (self.pane(), self.active);
        if self.deck().lacks(pane.needs).is_none()
            && (pane.key)(&mut self.cx(active), key) == Handled::Yes
        {
            return;
        }
        if let Some(action) = self.shell.keymap.in_pane(pane.id, key) {
            self.run(action);
        }
    }

    fn mouse(&mut self, mouse: MouseEvent) {
        if layers::mouse(self, mouse) == Handled::Yes {
            return;
        }
        let at = Position::new(mouse.column, mouse.row);
        let is_click = mouse.kind == MouseEventKind::Down(MouseButton::Left);
        if let (true, Some(pane)) = (is_click, chrome::tab_at(self, at)) {
            return self.open(pane);
        }
        let (pane, active, body) = (self.pane(), self.active, chrome::body(self));
        if body.contains(at) && self.deck().lacks(pane.needs).is_none() {
            (pane.mouse)(&mut self.cx(active), mouse, body);
        }
    }

    fn pane_acts(&mut self, action: Action) -> Handled {
        let row = action.row();
        let pane = self.pane();
        let is_for_panes = row.scope != Scope::Global || action == Action::Back;
        if !is_for_panes || self.deck().lacks(pane.needs).is_some() {
            return Handled::No;
        }
        let active = self.active;
        (pane.act)(&mut self.cx(active), action)
    }

    fn step_pane(&mut self, by: usize) {
        let at = PANES.iter().position(|pane| pane.id == self.shell.pane);
        let next = (at.unwrap_or_default() + by) % PANES.len();
        self.open(PANES[next].id);
    }

    fn refresh(&mut self) {
        let deck = self.active;
        let query = Query::SampleNow;
        self.shell.effects.push(Effect::Ask { deck, query });
        self.notice(Notice::Refresh);
    }

    /// Tells the pane in view of the active deck.
    fn notice(&mut self, notice: Notice) {
        let (pane, active) = (self.pane(), self.active);
        if self.deck().lacks(pane.needs).is_none() {
            (pane.notice)(&mut self.cx(active), notice);
        }
    }

    /// Tells every pane of a deck, in view or not.
    pub(super) fn notice_all(&mut self, deck: usize, notice: Notice) {
        for pane in PANES {
            (pane.notice)(&mut self.cx(deck), notice);
        }
    }

    fn report(&mut self, deck: usize, report: Report) {
        if let Some(ticket) = answered(&report) {
            return self.answer(deck, ticket, report);
        }
        match report {
            Report::Session(session) => self.session(deck, session),
            Report::Features(features) => {
                self.decks[deck].features = features;
                if deck == self.active {
                    self.notice(Notice::Opened);
                }
            }
            Report::Sampled(sample) => {
                self.decks[deck].take_sample(*sample);
                self.notice_all(deck, Notice::Sampled);
            }
            // The rest carries tickets.
            _ => {}
        }
    }

    /// The one place where answers nobody waits for any more are dropped.
    fn answer(&mut self, deck: usize, ticket: Ticket, report: Report) {
        let Some(waiter) = self.decks[deck].waiter(ticket) else {
            return;
        };
        let goes_on = matches!(
            report,
            Report::Walk {
                step: WalkStep::Names(_),
                ..
            } | Report::Survey {
                step: SurveyStep::Report(_),
                ..
            } | Report::Compare {
                step: CompareStep::Reading(_) | CompareStep::Joining,
                ..
            } | Report::Fetch {
                step: FetchStep::Fetching(_),
                ..
            }
        );
        if !goes_on {
            self.decks[deck].forget(ticket);
        }
        match waiter {
            Waiter::Pane(pane) => (pane.row().report)(&mut self.cx(deck), report),
            Waiter::Guard => layers::confirm::answer(self, deck, ticket, report),
        }
    }

    fn session(&mut self, deck: usize, session: SessionState) {
        let is_back = session == SessionState::Up && self.decks[deck].session != session;
        self.decks[deck].session = session;
        if is_back {
            self.notice_all(deck, Notice::Up);
        }
    }

    fn undelivered(&mut self, deck: usize, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.decks[deck].forget(ticket);
            layers::confirm::undelivered(self, ticket);
        }
        let name = &self.decks[deck].target.name;
        let text = format!("{name} hangs: too many questions wait already, this one was not put");
        self.shell.say(Tone::Danger, text);
    }

    fn signal(&mut self, signal: Signal) {
        let effect = match signal {
            Signal::End(number) => Effect::Quit(Ending::Signalled(number)),
            Signal::HungUp => Effect::Quit(Ending::HungUp),
            Signal::Panicked => Effect::Quit(Ending::Panicked),
            Signal::Stop => return self.suspend(),
            Signal::Continue => Effect::Resume,
        };
        self.shell.effects.push(effect);
    }

    /// Goes to sleep, unless a server would wait for us meanwhile.
    fn suspend(&mut self) {
        let held = self
            .decks
            .iter()
            .find(|deck| deck.keys.walking.holds_server());
        match held.map(|deck| deck.target.name.clone()) {
            None => self.shell.effects.push(Effect::Suspend),
            Some(name) => {
                let text = format!(
                    "not now: the walk over {name} must end first, it holds the server up while nobody reads"
                );
                self.shell.say(Tone::Caution, text);
            }
        }
    }

    fn expire_flash(&mut self) {
        let now = self.shell.now;
        if self
            .shell
            .flash
            .as_ref()
            .is_some_and(|flash| flash.until <= now)
        {
            self.shell.flash = None;
        }
    }
}
