//! What belongs to the screen and not to one target; and the hand that panes reach out with.

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::engine::worker::{Query, Ticket};
use crate::guard::Audit;
use crate::model::{Change, Key, SnapshotRecord, Target, UnixMs, units};
use crate::text;
use crate::tui::deck::{Deck, Waiter};
use crate::tui::event::Effect;
use crate::tui::keymap::Keymap;
use crate::tui::layers::Layer;
use crate::tui::layers::confirm::Confirm;
use crate::tui::layers::prompt::Prompt;
use crate::tui::layers::text::TextLayer;
use crate::tui::panes::PaneId;
use crate::tui::panes::keys::card::Card;
use crate::tui::theme::{Theme, Tone};

/// How long a message stays.
const FLASH: Duration = Duration::from_secs(6);

/// Terminals and multiplexers drop longer clipboard sequences, or worse, half of them.
pub const CLIPBOARD: usize = 74_994;

/// The screen's own state.
#[derive(Debug)]
pub struct Shell {
    /// The moment that everything drawn refers to.
    pub now: UnixMs,
    /// The whole screen.
    pub area: Rect,
    pub theme: Theme,
    pub keymap: Keymap,
    pub zone: TimeZone,
    pub interval: Duration,
    pub pane: PaneId,
    pub layers: Vec<Layer>,
    pub flash: Option<Flash>,
    /// Commands that were run from the palette, newest last.
    pub commands: Vec<String>,
    pub(super) audit: Audit,
    /// Who sits here: `user@host`.
    pub who: String,
    /// Everything that is open here.
    pub targets: Vec<Target>,
    /// The pane that another one leads to.
    pub(super) leads_to: Option<PaneId>,
    pub(super) effects: Vec<Effect>,
    pub(super) tickets: u64,
}

/// A message in the bottom line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub tone: Tone,
    pub text: String,
    pub until: UnixMs,
}

impl Shell {
    /// Shows a message for a while. The text must be safe to show.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.flash = Some(Flash {
            tone,
            text: text.into(),
            until: self.now.plus(FLASH),
        });
    }

    /// A moment as the clock on the wall shows it: `12:03:44`.
    pub fn clock(&self, at: UnixMs) -> String {
        let date = self.date(at);
        date.split_once(' ')
            .map_or_else(|| date.clone(), |(_, clock)| clock.to_owned())
    }

    /// A moment with its day: `2026-12-24 18:00:00`.
    pub fn date(&self, at: UnixMs) -> String {
        units::local_time(at, &self.zone)
    }
}

/// What a pane may touch while it acts: its target's deck, and the shell through wishes.
pub struct Cx<'a> {
    pub deck: &'a mut Deck,
    pub shell: &'a mut Shell,
    /// The deck's place, for effects.
    pub(super) index: usize,
}

impl Cx<'_> {
    pub fn now(&self) -> UnixMs {
        self.shell.now
    }

    /// A new ticket whose answers go to `pane`, until it is forgotten or answered for good.
    pub fn ticket(&mut self, pane: PaneId) -> Ticket {
        self.ticket_for(Waiter::Pane(pane))
    }

    /// Answers to this ticket do not matter any more.
    pub fn forget(&mut self, ticket: Ticket) {
        self.deck.forget(ticket);
    }

    pub fn ask(&mut self, query: Query) {
        let deck = self.index;
        self.shell.effects.push(Effect::Ask { deck, query });
    }

    /// Starts the way of a change: preview, plan, question, permit, outcome.
    pub fn propose(&mut self, change: Change) {
        if self.refuses_changes() {
            return;
        }
        let ticket = self.ticket_for(Waiter::Guard);
        let confirm = Confirm::waiting(self.index, ticket, change.clone());
        self.shell.layers.push(Layer::Confirm(Box::new(confirm)));
        self.ask(Query::Preview { ticket, change });
    }

    /// Whether the target is read-only, and says so when it is.
    pub fn refuses_changes(&mut self) -> bool {
        let is_read_only = self.deck.policy.is_read_only;
        if is_read_only {
            let name = text::escape(self.deck.target.name.as_bytes());
            let words = format!("{name} is read-only: nothing was sent");
            self.shell.say(Tone::Danger, words);
        }
        is_read_only
    }

    pub fn prompt(&mut self, prompt: Prompt) {
        self.shell.layers.push(Layer::Prompt(Box::new(prompt)));
    }

    /// Leads to the pane of keys, with this one open.
    pub fn open_key(&mut self, key: Key) {
        Card::open(self, key, None);
        self.shell.leads_to = Some(PaneId::Keys);
    }

    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.shell.say(tone, text);
    }

    /// Favourite and recent keys changed: they are written down.
    pub fn keep_bookmarks(&mut self) {
        let (profile, bookmarks) = (self.deck.target.name.clone(), self.deck.bookmarks.clone());
        self.shell.effects.push(Effect::Keep { profile, bookmarks });
    }

    /// Something is known of a snapshot: it goes into the history.
    pub fn remember(&mut self, record: SnapshotRecord) {
        let (profile, record) = (self.deck.target.name.clone(), Box::new(record));
        self.shell
            .effects
            .push(Effect::Remember { profile, record });
    }

    /// Opens text to read over the pane. Every line must be safe to show.
    pub fn read(&mut self, title: impl Into<String>, lines: Vec<String>) {
        let layer = Layer::Text(TextLayer::new(title, lines));
        self.shell.layers.push(layer);
    }

    /// Puts text on the person's clipboard, if it is not too long for that.
    pub fn copy(&mut self, what: &str, text: String) {
        // Base64 makes four bytes of three.
        if text.len().div_ceil(3) * 4 > CLIPBOARD {
            let text = format!("{what} is too long to copy through the terminal");
            return self.say(Tone::Caution, text);
        }
        self.shell.effects.push(Effect::Copy(text));
        self.say(Tone::Good, format!("{what} copied"));
    }

    pub(super) fn ticket_for(&mut self, waiter: Waiter) -> Ticket {
        self.shell.tickets += 1;
        let ticket = Ticket(self.shell.tickets);
        self.deck.wait(ticket, waiter);
        ticket
    }
}
