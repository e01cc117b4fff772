//! Everything the screen knows about one target.

use std::collections::BTreeMap;

use crate::config::Bookmarks;
use crate::engine::worker::{SessionState, Ticket};
use crate::guard::Policy;
use crate::model::{Break, Feature, Features, History, Missing, Sample, Target, UnixMs};
use crate::tui::panes::PaneId;
use crate::tui::panes::diff::DiffState;
use crate::tui::panes::keys::Keys;
use crate::tui::panes::memory::MemoryState;
use crate::tui::panes::overview::OverviewState;
use crate::tui::panes::replication::ReplicationState;
use crate::tui::panes::snapshots::SnapshotsState;

/// Marks kept; the oldest go first.
const MARKS: usize = 50;

/// One target with what was learnt about it.
#[derive(Debug)]
pub struct Deck {
    pub target: Target,
    pub policy: Policy,
    pub session: SessionState,
    pub features: Features,
    pub history: History,
    /// Restarts, resets and failovers that were seen, oldest first.
    pub marks: Vec<Mark>,
    pub overview: OverviewState,
    /// Favourite and recent keys of this target.
    pub bookmarks: Bookmarks,
    pub keys: Keys,
    pub snapshots: SnapshotsState,
    pub replication: ReplicationState,
    pub memory: MemoryState,
    pub diff: DiffState,
    waiting: BTreeMap<Ticket, Waiter>,
}

/// Something that happened to the server and explains a break in the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: UnixMs,
    pub what: Break,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    Pane(PaneId),
    /// The confirm layer: previews and outcomes of changes.
    Guard,
}

impl Deck {
    pub fn new(target: Target) -> Self {
        Self {
            policy: Policy::of(&target),
            target,
            session: SessionState::Connecting,
            features: Features::default(),
            history: History::default(),
            marks: Vec::new(),
            overview: OverviewState::default(),
            bookmarks: Bookmarks::default(),
            keys: Keys::default(),
            snapshots: SnapshotsState::default(),
            replication: ReplicationState::default(),
            memory: MemoryState::default(),
            diff: DiffState::default(),
            waiting: BTreeMap::new(),
        }
    }

    /// The newest reading, which may be old: see `session`.
    pub fn latest(&self) -> Option<&Sample> {
        self.history.latest()
    }

    pub fn is_up(&self) -> bool {
        self.session == SessionState::Up
    }

    /// The first of the features that is missing.
    pub fn lacks(&self, needs: &[Feature]) -> Option<&Missing> {
        needs
            .iter()
            .find_map(|feature| self.features.need(*feature).err())
    }

    pub fn take_sample(&mut self, sample: Sample) {
        let at = sample.at;
        if let Some(what) = self.history.push(sample) {
            self.marks.push(Mark { at, what });
            let surplus = self.marks.len().saturating_sub(MARKS);
            self.marks.drain(..surplus);
        }
    }

    pub fn wait(&mut self, ticket: Ticket, waiter: Waiter) {
        self.waiting.insert(ticket, waiter);
    }

    pub fn waiter(&self, ticket: Ticket) -> Option<Waiter> {
        self.waiting.get(&ticket).copied()
    }

    /// The answer came, or does not matter any more.
    pub fn forget(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }
}
