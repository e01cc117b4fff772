//! What changed: the target held against a file, or against another target.
//!
//! A file is what was and a server is what is; of two alike, the other one is what was. Both are read
//! whole, so nothing begins before somebody asks for it.

mod view;

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::analysis::AnalysisAsk;
use crate::analysis::cutter::{Cutter, Segments};
use crate::engine::comparison::{ComparisonAsk, Incomparable, Reading, Row};
use crate::engine::worker::{CompareAsk, CompareStep, Query, Report, Ticket, Verdict, With};
use crate::model::{Key, Pace, Sample};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::layers::prompt::Prompt;
use crate::tui::panes::keys::body_height;
use crate::tui::panes::{Handled, Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;
use crate::tui::widgets::list::Cursor;

/// So few keys are read as fast as can be.
const FEW: u64 = 100_000;

/// What the pane knows of one target.
#[derive(Debug, Default)]
pub struct DiffState {
    /// What it is held against.
    with: Option<With>,
    state: State,
    ticket: Option<Ticket>,
    verdict: Option<Box<Verdict>>,
    order: Order,
    cursor: Cursor,
    /// The prefix whose keys are looked at.
    open: Option<Folder>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    NotStarted,
    Reading(Vec<Reading>),
    Joining,
    Done,
    Failed(Incomparable),
}

impl State {
    fn is_under_way(&self) -> bool {
        matches!(self, Self::Reading(_) | Self::Joining)
    }
}

/// The order of prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// The most differences first.
    #[default]
    Keys,
    /// What grew or shrank most first.
    Bytes,
    Name,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Keys => "by differences",
            Self::Bytes => "by growth",
            Self::Name => "by name",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Keys => Self::Bytes,
            Self::Bytes => Self::Name,
            Self::Name => Self::Keys,
        }
    }
}

/// The keys below a prefix that are different: places in the verdict.
#[derive(Debug)]
struct Folder {
    prefix: String,
    keys: Vec<usize>,
    cursor: Cursor,
}

pub const PANE: Pane = Pane {
    id: PaneId::Diff,
    title: "Diff",
    words: "What changed since a snapshot, or between two targets: keys added, removed, changed, by prefix",
    open: Action::OpenDiff,
    draw: view::draw,
    act,
    is_possible,
    mouse,
    report,
    notice,
    ..Pane::STILL
};

fn act(cx: &mut Cx, action: Action) -> Handled {
    match action {
        Action::Compare => ask(cx),
        Action::SortDiff => sort(cx),
        Action::Enter | Action::Right => enter(cx),
        Action::Back | Action::Left => return back(cx, action),
        _ => return moved(cx, action),
    }
    Handled::Yes
}

fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let diff = &deck.diff;
    let has_rows = diff.rows() > 0;
    match action {
        Action::Compare => true,
        Action::SortDiff => diff.open.is_none() && has_rows,
        Action::Enter | Action::Up | Action::Down | Action::PageUp | Action::PageDown => has_rows,
        Action::Back => diff.open.is_some() || diff.state.is_under_way(),
        _ => false,
    }
}

fn mouse(cx: &mut Cx, mouse: MouseEvent, body: Rect) -> Handled {
    let height = height(cx.shell);
    let by = match mouse.kind {
        MouseEventKind::ScrollDown => 3,
        MouseEventKind::ScrollUp => -3,
        MouseEventKind::Down(_) => {
            let head = body
                .height
                .saturating_sub(u16::try_from(height).unwrap_or(u16::MAX));
            let Some(row) = mouse.row.checked_sub(body.y + head) else {
                return Handled::No;
            };
            let rows = cx.deck.diff.rows();
            let cursor = cx.deck.diff.cursor_mut();
            let row = cursor.visible(rows, height).start + usize::from(row);
            if row < rows {
                cursor.select(row, rows, height);
            }
            return Handled::Yes;
        }
        _ => return Handled::No,
    };
    let rows = cx.deck.diff.rows();
    cx.deck.diff.cursor_mut().scroll(by, rows, height);
    Handled::Yes
}

impl DiffState {
    /// Rows of the list in view.
    fn rows(&self) -> usize {
        match (&self.open, &self.verdict) {
            (Some(folder), _) => folder.keys.len(),
            (None, Some(verdict)) => verdict.rows.len(),
            (None, None) => 0,
        }
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        match &mut self.open {
            Some(folder) => &mut folder.cursor,
            None => &mut self.cursor,
        }
    }
}

/// Rows of a list that have room.
fn height(shell: &Shell) -> usize {
    let body = body_height(shell);
    usize::from(body.saturating_sub(view::HEAD)).max(1)
}

fn moved(cx: &mut Cx, action: Action) -> Handled {
    let (rows, height) = (cx.deck.diff.rows(), height(cx.shell));
    if cx.deck.diff.cursor_mut().act(action, rows, height) {
        Handled::Yes
    } else {
        Handled::No
    }
}

/// Asks what to compare with.
fn ask(cx: &mut Cx) {
    let known = match &cx.deck.diff.with {
        Some(With::File(path)) => path.to_string_lossy().into_owned(),
        Some(With::Target(target)) => target.name.clone(),
        // With two of them open there is hardly another meaning.
        None => match others(cx.shell, cx.deck).as_slice() {
            [one] => (*one).to_owned(),
            _ => String::new(),
        },
    };
    let name = text::escape(cx.deck.target.name.as_bytes());
    let prompt = Prompt::new(
        format!("Compare {name} with a file, or another target"),
        begin,
    )
    .starting_with(known)
    .hint("all of both is read")
    .checked(|shell, typed| {
        let is_target = shell.targets.iter().any(|one| one.name == typed);
        Ok(if is_target {
            "a target that is open here".to_owned()
        } else {
            "a file".to_owned()
        })
    });
    cx.prompt(prompt);
}

fn others<'a>(shell: &'a Shell, deck: &Deck) -> Vec<&'a str> {
    let names = shell.targets.iter().map(|target| target.name.as_str());
    names.filter(|name| *name != deck.target.name).collect()
}

fn begin(cx: &mut Cx, typed: &str) {
    if typed.is_empty() {
        return;
    }
    let target = cx.shell.targets.iter().find(|one| one.name == typed);
    let with = match target {
        Some(target) if target.name == cx.deck.target.name => {
            return cx.say(
                Tone::Caution,
                "that is this target: it is the same as itself",
            );
        }
        Some(target) => With::Target(Box::new(target.clone())),
        None => With::File(typed.into()),
    };
    compare(cx, with);
}

fn compare(cx: &mut Cx, with: With) {
    let ticket = cx.ticket(PaneId::Diff);
    let keys = cx.deck.latest().and_then(Sample::keys);
    let is_small = keys.is_some_and(|keys| keys <= FEW);
    let ask = CompareAsk {
        with: with.clone(),
        how: ComparisonAsk {
            pace: if is_small {
                Pace::FullSpeed
            } else {
                Pace::default()
            },
            now: cx.now(),
            ..ComparisonAsk::default()
        },
        analysis: analysis(cx.deck),
    };
    if let Some(old) = cx.deck.diff.ticket.replace(ticket) {
        cx.forget(old);
    }
    let diff = &mut cx.deck.diff;
    diff.with = Some(with);
    diff.state = State::Reading(Vec::new());
    cx.ask(Query::Compare {
        ticket,
        ask: Box::new(ask),
    });
}

fn analysis(deck: &Deck) -> AnalysisAsk {
    AnalysisAsk {
        delimiters: deck.target.delimiters(),
        ..AnalysisAsk::default()
    }
}

fn sort(cx: &mut Cx) {
    let diff = &mut cx.deck.diff;
    diff.order = diff.order.next();
    diff.cursor = Cursor::default();
    let words = diff.order.word();
    put_in_order(diff);
    cx.say(Tone::Plain, words);
}

fn put_in_order(diff: &mut DiffState) {
    let Some(verdict) = &mut diff.verdict else {
        return;
    };
    let grown = |row: &Row| row.bytes[0].abs_diff(row.bytes[1]);
    verdict.rows.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    match diff.order {
        Order::Name => {}
        Order::Keys => verdict
            .rows
            .sort_by_key(|row| std::cmp::Reverse(row.differences())),
        Order::Bytes => verdict
            .rows
            .sort_by_key(|row| std::cmp::Reverse(grown(row))),
    }
}

/// A prefix opens its keys, a key its card.
fn enter(cx: &mut Cx) {
    let diff = &mut cx.deck.diff;
    let Some(verdict) = &diff.verdict else {
        return;
    };
    let Some(folder) = &diff.open else {
        let Some(row) = verdict.rows.get(diff.cursor.selected()) else {
            return;
        };
        let (prefix, depth) = (row.prefix.clone(), row.depth);
        let keys = below(&cx.deck.target.delimiters(), verdict, &prefix, depth);
        cx.deck.diff.open = Some(Folder {
            prefix,
            keys,
            cursor: Cursor::default(),
        });
        return;
    };
    let place = folder.keys.get(folder.cursor.selected());
    let Some(one) = place.and_then(|place| verdict.differences.get(*place)) else {
        return;
    };
    let ours = if verdict.is_target_before {
        one.before
    } else {
        one.after
    };
    if ours.is_none() {
        return cx.say(Tone::Caution, "only the other one has it");
    }
    if one.space != cx.deck.target.database {
        let words = format!(
            "it is in database {}, which is not the one that is open",
            one.space
        );
        return cx.say(Tone::Caution, words);
    }
    let key = Key::new(one.key.clone());
    cx.open_key(key);
}

/// The keys that are different below a prefix, among those that are kept.
fn below(delimiters: &[Vec<u8>], verdict: &Verdict, prefix: &str, depth: u32) -> Vec<usize> {
    let cutter = Cutter::new(&AnalysisAsk {
        delimiters: delimiters.to_vec(),
        ..AnalysisAsk::default()
    });
    let mut segments = Segments::default();
    let mut pattern = Vec::new();
    let mut is_below = |name: &[u8]| {
        segments.clear();
        cutter.cut(name, &mut segments);
        pattern.clear();
        let parts = segments.between(0, segments.len()).iter();
        for (part, _) in parts.take(depth as usize) {
            pattern.extend_from_slice(part);
        }
        // An empty name has no words of its own in a row.
        (pattern.is_empty() && prefix.is_empty()) || text::escape(&pattern) == prefix
    };
    let all = verdict.differences.iter().enumerate();
    all.filter_map(|(place, one)| is_below(&one.key).then_some(place))
        .collect()
}

fn back(cx: &mut Cx, action: Action) -> Handled {
    if cx.deck.diff.open.take().is_some() {
        return Handled::Yes;
    }
    if action == Action::Back && cx.deck.diff.state.is_under_way() {
        if let Some(ticket) = cx.deck.diff.ticket.take() {
            cx.forget(ticket);
        }
        let diff = &mut cx.deck.diff;
        diff.state = if diff.verdict.is_some() {
            State::Done
        } else {
            State::NotStarted
        };
        cx.ask(Query::StopComparison);
        cx.say(Tone::Plain, "the comparison is stopped");
        return Handled::Yes;
    }
    Handled::No
}

fn report(cx: &mut Cx, report: Report) {
    let Report::Compare { ticket, step } = report else {
        return;
    };
    let diff = &mut cx.deck.diff;
    if diff.ticket != Some(ticket) {
        return;
    }
    match step {
        CompareStep::Reading(readings) => diff.state = State::Reading(readings),
        CompareStep::Joining => diff.state = State::Joining,
        CompareStep::Ended(verdict) => {
            diff.state = State::Done;
            diff.ticket = None;
            diff.verdict = Some(verdict);
            diff.open = None;
            diff.cursor = Cursor::default();
            put_in_order(diff);
        }
        CompareStep::Failed(why) => {
            diff.state = State::Failed(why);
            diff.ticket = None;
        }
    }
}

fn notice(cx: &mut Cx, notice: Notice) {
    match notice {
        Notice::Refresh if !cx.deck.diff.state.is_under_way() => {
            if let Some(with) = cx.deck.diff.with.clone() {
                compare(cx, with);
            }
        }
        // The question was not put: the target hangs.
        Notice::Sampled => {
            let lost = |ticket| cx.deck.waiter(ticket).is_none();
            if cx.deck.diff.ticket.is_some_and(lost) {
                cx.deck.diff.ticket = None;
                cx.deck.diff.state = State::NotStarted;
            }
        }
        _ => {}
    }
}
