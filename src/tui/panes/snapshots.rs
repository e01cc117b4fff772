//! What is on the server's disk, and getting more of it there.

mod view;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::engine::Fault;
use crate::engine::worker::{Query, Report, Ticket};
use crate::model::{
    Change, Feature, Outcome, Persistence, Preflight, SnapshotState, SnapshotWatch, UnixMs,
};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::states::draw_nothing_yet;
use crate::tui::panes::{Handled, Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;

/// Snapshots remembered; the oldest go first.
const REMEMBERED: usize = 50;

#[derive(Debug, Default)]
pub struct SnapshotsState {
    preflight: Option<Result<Preflight, Fault>>,
    asked: Option<Ticket>,
    /// The reading before the server was told to save.
    before: Option<Persistence>,
    watch: Option<SnapshotWatch>,
    /// What the server was busy with when the check was asked.
    busy: Busy,
    /// The snapshots of this session, oldest first. The last one may still be running.
    past: Vec<Past>,
}

/// What a server does that decides whether it can save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Busy {
    is_saving: bool,
    is_rewriting: bool,
    is_loading: bool,
}

impl Busy {
    fn of(deck: &Deck) -> Self {
        let persistence = deck.latest().and_then(|one| one.persistence.as_ref());
        persistence.map_or_else(Self::default, |persistence| Self {
            is_saving: persistence.is_saving,
            is_rewriting: persistence.aof.as_ref().is_some_and(|aof| aof.is_rewriting),
            is_loading: persistence.is_loading,
        })
    }
}

/// A snapshot that somebody asked for here.
#[derive(Clone, Debug, PartialEq)]
struct Past {
    began: UnixMs,
    state: SnapshotState,
}

pub const PANE: Pane = Pane {
    id: PaneId::Snapshots,
    title: "Snapshots",
    words: "Is a snapshot possible, wise, running; did it really succeed",
    open: Action::OpenSnapshots,
    draw,
    act,
    is_possible,
    report,
    notice,
    ..Pane::STILL
};

fn act(cx: &mut Cx, action: Action) -> Handled {
    match action {
        Action::CreateSnapshot => create(cx),
        Action::CheckSnapshot => check(cx),
        _ => return Handled::No,
    }
    Handled::Yes
}

fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let can = deck.features.need(Feature::Snapshot).is_ok() && deck.is_up();
    match action {
        Action::CreateSnapshot => can && deck.snapshots.watch.is_none(),
        Action::CheckSnapshot => can,
        _ => false,
    }
}

fn create(cx: &mut Cx) {
    if let Err(missing) = cx.deck.features.need(Feature::Snapshot) {
        let words = missing.0.clone();
        return cx.say(Tone::Caution, words);
    }
    if cx.deck.snapshots.watch.is_some() {
        return cx.say(Tone::Caution, "a snapshot is already being written");
    }
    cx.propose(Change::Snapshot);
}

/// Asks what speaks for and against a snapshot.
fn check(cx: &mut Cx) {
    if cx.deck.features.need(Feature::Snapshot).is_err() {
        return;
    }
    if let Some(old) = cx.deck.snapshots.asked.take() {
        cx.forget(old);
    }
    let ticket = cx.ticket(PaneId::Snapshots);
    cx.deck.snapshots.busy = Busy::of(cx.deck);
    cx.deck.snapshots.asked = Some(ticket);
    cx.ask(Query::Preflight { ticket });
}

/// A check from before a save or a load began or ended is wrong now.
fn check_what_changed(cx: &mut Cx) {
    let is_in_view = cx.shell.pane == PaneId::Snapshots;
    if is_in_view && cx.deck.snapshots.busy != Busy::of(cx.deck) {
        check(cx);
    }
}

fn report(cx: &mut Cx, report: Report) {
    if let Report::Preflight { preflight, .. } = report {
        cx.deck.snapshots.asked = None;
        cx.deck.snapshots.preflight = Some(preflight);
    }
}

fn notice(cx: &mut Cx, notice: Notice) {
    match notice {
        Notice::Opened | Notice::Refresh => check(cx),
        // A check that could not be made is made when there is somebody to ask.
        Notice::Up if cx.shell.pane == PaneId::Snapshots => check(cx),
        Notice::Sent(Change::Snapshot) => {
            cx.deck.snapshots.before = cx
                .deck
                .latest()
                .and_then(|sample| sample.persistence.clone());
        }
        Notice::Changed(Outcome::Snapshot(state)) => begin(cx, state.clone()),
        Notice::Sampled => {
            follow(cx);
            check_what_changed(cx);
        }
        _ => {}
    }
}

/// The server accepted a snapshot: from here on its readings say how it goes.
fn begin(cx: &mut Cx, state: SnapshotState) {
    let began = cx.now();
    let state = match state {
        SnapshotState::Idle => SnapshotState::Running {
            progress: None,
            elapsed: None,
        },
        state => state,
    };
    let snapshots = &mut cx.deck.snapshots;
    let is_running = matches!(state, SnapshotState::Running { .. });
    snapshots.past.push(Past { began, state });
    let surplus = snapshots.past.len().saturating_sub(REMEMBERED);
    snapshots.past.drain(..surplus);
    let before = snapshots.before.take();
    if is_running {
        snapshots.watch = Some(SnapshotWatch::begin(&before.unwrap_or_default()));
        cx.ask(Query::SampleNow);
    }
}

fn follow(cx: &mut Cx) {
    let now = cx
        .deck
        .latest()
        .and_then(|sample| sample.persistence.clone());
    let snapshots = &mut cx.deck.snapshots;
    let (Some(now), Some(watch)) = (now, &mut snapshots.watch) else {
        return;
    };
    let state = watch.state(&now);
    let words = ended(&state);
    if let Some(past) = snapshots.past.last_mut() {
        past.state = state;
    }
    if let Some((tone, words)) = words {
        snapshots.watch = None;
        cx.say(tone, words);
        check(cx);
    }
}

/// What to say of a snapshot that is decided.
fn ended(state: &SnapshotState) -> Option<(Tone, String)> {
    match state {
        SnapshotState::Idle | SnapshotState::Running { .. } => None,
        SnapshotState::Done { .. } => Some((
            Tone::Good,
            "the snapshot is written: saving ended, status ok, save time advanced".to_owned(),
        )),
        SnapshotState::Failed { why } => Some((
            Tone::Danger,
            format!("the snapshot failed: {}", why.clone()),
        )),
    }
}

fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    match deck.latest() {
        Some(sample) => view::draw(shell, deck, sample, frame, area),
        None => draw_nothing_yet(shell, deck, frame, area),
    }
}
