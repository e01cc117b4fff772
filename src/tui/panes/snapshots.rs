//! What is on the server's disk, and getting more of it there.

mod fetching;
mod view;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::engine::Fault;
use crate::engine::worker::{Query, Report, Ticket};
use crate::model::{
    Change, Feature, Job, Outcome, Persistence, Place, Preflight, Protocol, RecordKind,
    RewriteWatch, SnapshotRecord, SnapshotState, SnapshotWatch, UnixMs,
};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::snapshots::fetching::Fetches;
use crate::tui::panes::states::draw_nothing_yet;
use crate::tui::panes::{Handled, Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;

/// Lines of the history kept here; the oldest go first.
const REMEMBERED: usize = 200;

#[derive(Debug, Default)]
pub struct SnapshotsState {
    preflight: Option<Result<Preflight, Fault>>,
    /// What the check that is shown, or asked, is of.
    job: Option<Job>,
    asked: Option<Ticket>,
    fetching: Fetches,
    /// The reading before the server was told to write something.
    before: Option<Persistence>,
    /// What is being written now.
    running: Option<Running>,
    /// What the server was busy with when the check was asked.
    busy: Busy,
    /// What is known of the past, oldest first.
    history: Vec<SnapshotRecord>,
}

/// Something that the server writes.
#[derive(Debug)]
struct Running {
    kind: RecordKind,
    began: UnixMs,
    /// We asked for it, and not somebody else.
    is_ours: bool,
    watch: Watch,
    state: SnapshotState,
}

#[derive(Debug)]
enum Watch {
    Snapshot(SnapshotWatch),
    Rewrite(Box<RewriteWatch>),
}

impl SnapshotsState {
    /// Takes in what earlier sessions remembered.
    pub fn recall(&mut self, history: Vec<SnapshotRecord>) {
        self.history = history;
        self.trim();
    }

    fn trim(&mut self) {
        let surplus = self.history.len().saturating_sub(REMEMBERED);
        self.history.drain(..surplus);
    }
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

pub const PANE: Pane = Pane {
    id: PaneId::Snapshots,
    title: "Snapshots",
    words: "Is a snapshot possible, wise, running; did it really succeed; the append-only file; a copy brought here as a file; the history",
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
        Action::CreateSnapshot => create(cx, Change::Snapshot),
        Action::RewriteAof => create(cx, Change::RewriteAof),
        Action::CheckSnapshot => check(cx),
        Action::FetchSnapshot => fetching::ask(cx),
        Action::StopFetch => fetching::stop(cx),
        _ => return Handled::No,
    }
    Handled::Yes
}

fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let can = deck.features.need(Feature::Snapshot).is_ok() && deck.is_up();
    let is_idle = deck.snapshots.running.is_none();
    match action {
        Action::CreateSnapshot => can && is_idle,
        Action::RewriteAof => can && is_idle && has_aof(deck),
        Action::CheckSnapshot => deck.is_up() && usual_job(deck).is_some(),
        Action::FetchSnapshot => {
            deck.is_up() && !is_file(deck) && !deck.snapshots.fetching.is_under_way()
        }
        Action::StopFetch => deck.snapshots.fetching.is_under_way(),
        _ => false,
    }
}

fn has_aof(deck: &Deck) -> bool {
    let persistence = deck.latest().and_then(|one| one.persistence.as_ref());
    let aof = persistence.and_then(|all| all.aof.as_ref());
    aof.is_some_and(|aof| aof.is_enabled)
}

fn create(cx: &mut Cx, change: Change) {
    if let Err(missing) = cx.deck.features.need(Feature::Snapshot) {
        let words = missing.0.clone();
        return cx.say(Tone::Caution, words);
    }
    if change == Change::RewriteAof && !has_aof(cx.deck) {
        let words = "the append-only file is off: there is nothing to rewrite";
        return cx.say(Tone::Caution, words);
    }
    if let Some(running) = &cx.deck.snapshots.running {
        let words = match running.kind {
            RecordKind::Rewrite => "the append-only file is already being rewritten",
            _ => "a snapshot is already being written",
        };
        return cx.say(Tone::Caution, words);
    }
    cx.propose(change);
}

/// What a check is of, unless something else was asked for: what the target can do.
fn usual_job(deck: &Deck) -> Option<Job> {
    if deck.features.need(Feature::Snapshot).is_ok() {
        Some(Job::Snapshot)
    } else if deck.target.protocol == Protocol::Memcached && !is_file(deck) {
        Some(Job::Fetch)
    } else {
        None
    }
}

fn is_file(deck: &Deck) -> bool {
    matches!(deck.target.place, Place::File(_))
}

/// Asks what speaks for and against a snapshot.
fn check(cx: &mut Cx) {
    if let Some(job) = usual_job(cx.deck) {
        check_for(cx, job);
    }
}

fn check_for(cx: &mut Cx, job: Job) {
    if let Some(old) = cx.deck.snapshots.asked.take() {
        cx.forget(old);
    }
    let ticket = cx.ticket(PaneId::Snapshots);
    let snapshots = &mut cx.deck.snapshots;
    if snapshots.job != Some(job) {
        snapshots.preflight = None;
    }
    snapshots.job = Some(job);
    snapshots.asked = Some(ticket);
    cx.deck.snapshots.busy = Busy::of(cx.deck);
    cx.ask(Query::Preflight { ticket, job });
}

/// A check from before a save or a load began or ended is wrong now.
fn check_what_changed(cx: &mut Cx) {
    let is_in_view = cx.shell.pane == PaneId::Snapshots;
    if is_in_view && cx.deck.snapshots.busy != Busy::of(cx.deck) {
        check(cx);
    }
}

fn report(cx: &mut Cx, report: Report) {
    match report {
        Report::Preflight { ticket, preflight } if cx.deck.snapshots.asked == Some(ticket) => {
            cx.deck.snapshots.asked = None;
            cx.deck.snapshots.preflight = Some(preflight);
            fetching::checked(cx);
        }
        Report::Fetch { ticket, step } => fetching::report(cx, ticket, step),
        _ => {}
    }
}

fn notice(cx: &mut Cx, notice: Notice) {
    match notice {
        Notice::Opened | Notice::Refresh => check(cx),
        // A check that could not be made is made when there is somebody to ask.
        Notice::Up if cx.shell.pane == PaneId::Snapshots => check(cx),
        Notice::Sent(Change::Snapshot | Change::RewriteAof) => {
            cx.deck.snapshots.before = cx
                .deck
                .latest()
                .and_then(|sample| sample.persistence.clone());
        }
        Notice::Changed(Outcome::Snapshot(state)) => {
            begin(cx, RecordKind::Snapshot, state.clone());
        }
        Notice::Changed(Outcome::Rewrite(state)) => begin(cx, RecordKind::Rewrite, state.clone()),
        Notice::Changed(Outcome::Attached) => cx.ask(Query::SampleNow),
        Notice::Sampled => {
            fetching::notice_lost(cx);
            follow(cx);
            observe(cx);
            check_what_changed(cx);
        }
        _ => {}
    }
}

/// The server accepted: from here on its readings say how it goes.
fn begin(cx: &mut Cx, kind: RecordKind, state: SnapshotState) {
    let began = cx.now();
    let before = cx.deck.snapshots.before.take().unwrap_or_default();
    let watch = match kind {
        RecordKind::Rewrite => Watch::Rewrite(Box::new(RewriteWatch::begin(&before))),
        _ => Watch::Snapshot(SnapshotWatch::begin(&before)),
    };
    let state = match state {
        SnapshotState::Idle => SnapshotState::BEGUN,
        state => state,
    };
    cx.deck.snapshots.running = Some(Running {
        kind,
        began,
        is_ours: true,
        watch,
        state,
    });
    // Asked for is what is known for sure; whoever sees the end adds it.
    let who = cx.shell.who.clone();
    cx.remember(SnapshotRecord::asked(kind, began, who));
    cx.ask(Query::SampleNow);
}

/// Somebody else's: they are followed as well.
fn observe(cx: &mut Cx) {
    let now = cx.now();
    let Some(sample) = cx.deck.latest() else {
        return;
    };
    let Some(persistence) = sample.persistence.clone() else {
        return;
    };
    let saved = SnapshotRecord::observed(&persistence, sample.keys());
    let aof = persistence.aof.as_ref();
    let found = if persistence.is_saving {
        let watch = Watch::Snapshot(SnapshotWatch::attach(&persistence));
        Some((RecordKind::Snapshot, persistence.saving_for, watch))
    } else if let Some(aof) = aof.filter(|aof| aof.is_rewriting) {
        let watch = Watch::Rewrite(Box::new(RewriteWatch::begin(&persistence)));
        Some((RecordKind::Rewrite, aof.rewriting_for, watch))
    } else {
        None
    };
    if cx.deck.snapshots.running.is_none()
        && let Some((kind, elapsed, watch)) = found
    {
        let began = UnixMs(now.0 - since(elapsed));
        cx.deck.snapshots.running = Some(Running {
            kind,
            began,
            is_ours: false,
            watch,
            state: SnapshotState::BEGUN,
        });
        follow(cx);
    }
    // One that was too short to be seen, or ended before we came.
    let is_known = |record: &SnapshotRecord| {
        let history = &cx.deck.snapshots.history;
        history.iter().any(|known| known.is_same(record))
    };
    if let Some(record) = saved.filter(|record| !is_known(record)) {
        keep(cx, record);
    }
}

fn since(span: Option<Duration>) -> i64 {
    let span = span.map_or(0, |span| span.as_millis());
    i64::try_from(span).unwrap_or_default()
}

fn follow(cx: &mut Cx) {
    let Some(sample) = cx.deck.latest() else {
        return;
    };
    let (at, keys, persistence) = (sample.at, sample.keys(), sample.persistence.clone());
    let snapshots = &mut cx.deck.snapshots;
    let (Some(now), Some(running)) = (persistence, &mut snapshots.running) else {
        return;
    };
    running.state = match &mut running.watch {
        Watch::Snapshot(watch) => watch.state(&now),
        Watch::Rewrite(watch) => watch.state(&now, at),
    };
    if !running.state.is_decided() {
        // One may follow on the other between two readings.
        if let SnapshotState::Running {
            elapsed: Some(elapsed),
            ..
        } = running.state
        {
            running.began = UnixMs(at.0 - since(Some(elapsed)));
        }
        return;
    }
    let Some(running) = snapshots.running.take() else {
        return;
    };
    let ended = SnapshotRecord::ended(running.kind, &running.state, at, &now, keys);
    // A copy for somebody's replica is no snapshot that failed.
    let is_copy = !running.is_ours
        && matches!(running.state, SnapshotState::Failed { .. })
        && now.concern(at).is_none();
    if let Some(record) = ended.filter(|_| !is_copy) {
        let by = running.is_ours.then(|| cx.shell.who.clone());
        keep(cx, SnapshotRecord { by, ..record });
    }
    if running.is_ours {
        let (tone, words) = ended_words(&running);
        cx.say(tone, words);
    }
    check(cx);
}

fn keep(cx: &mut Cx, record: SnapshotRecord) {
    let snapshots = &mut cx.deck.snapshots;
    // What was only asked for has its end now.
    snapshots.history.retain(|known| !record.settles(known));
    snapshots.history.push(record.clone());
    snapshots.trim();
    cx.remember(record);
}

/// What to say of something that is decided.
fn ended_words(running: &Running) -> (Tone, String) {
    match (&running.state, running.kind) {
        (SnapshotState::Failed { why }, RecordKind::Rewrite) => {
            (Tone::Danger, format!("the AOF rewrite failed: {why}"))
        }
        (SnapshotState::Failed { why }, _) => (Tone::Danger, format!("the snapshot failed: {why}")),
        (_, RecordKind::Rewrite) => (
            Tone::Good,
            "the append-only file is rewritten: status ok".to_owned(),
        ),
        _ => (
            Tone::Good,
            "the snapshot is written: saving ended, status ok, save time advanced".to_owned(),
        ),
    }
}

fn draw(shell: &Shell, deck: &Deck, frame: &mut Frame, area: Rect) {
    match deck.latest() {
        Some(sample) => view::draw(shell, deck, sample, frame, area),
        None => draw_nothing_yet(shell, deck, frame, area),
    }
}
