//! What the keyspace consists of: types, sizes, TTLs, idle times, the prefixes and the largest keys.
//!
//! A sample answers in two seconds, with the interval that holds the truth, and gets better while one
//! looks; a walk over all keys makes it exact. Memcached has no random places to draw from, so there
//! the walk is the first answer.

mod page;
mod view;

use crossterm::event::{MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::analysis::{AnalysisAsk, Report as Analysed, Via};
use crate::engine::worker::{Query, Report, SurveyStep, Ticket};
use crate::engine::{Fault, Kind, SurveyAsk};
use crate::model::{
    Bytes, Coverage, Feature, Pace, Protocol, Sample, UnixMs, WalkAsk, WalkCost, Wants,
};
use crate::tui::actions::Action;
use crate::tui::deck::Deck;
use crate::tui::panes::{Handled, Notice, Pane, PaneId};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;

/// So few keys are surveyed as fast as can be.
const FEW: u64 = 100_000;

/// What the pane knows of one target.
#[derive(Debug, Default)]
pub struct MemoryState {
    pub report: Option<Box<Analysed>>,
    pub state: State,
    pub via: Option<Via>,
    pub pace: Pace,
    /// How far the survey is that goes on, when what is shown is not of it.
    pub under_way: Option<(Coverage, WalkCost)>,
    ticket: Option<Ticket>,
    is_wanted: bool,
    /// The first line in view.
    top: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    NotStarted,
    Running,
    Paused,
    Done {
        at: UnixMs,
    },
    Failed(Fault),
}

pub const PANE: Pane = Pane {
    id: PaneId::Memory,
    title: "Memory",
    words: "What the keyspace consists of, from a sample with its error or from all keys: types, \
            sizes, TTLs, idle times, prefixes, the largest keys",
    open: Action::OpenMemory,
    needs: &[Feature::Walk],
    draw: view::draw,
    act,
    is_possible,
    mouse,
    report,
    notice,
    ..Pane::STILL
};

fn act(cx: &mut Cx, action: Action) -> Handled {
    let height = usize::from(cx.shell.area.height).saturating_sub(4).max(1);
    let last = view::lines(cx.shell, cx.deck).saturating_sub(1);
    let state = &mut cx.deck.memory;
    let top = match action {
        Action::Up => state.top.saturating_sub(1),
        Action::Down => state.top + 1,
        Action::PageUp => state.top.saturating_sub(height),
        Action::PageDown => state.top + height,
        Action::Top => 0,
        Action::Bottom => last.saturating_sub(height / 2),
        Action::WalkAll => {
            begin(cx, Via::Scan);
            return Handled::Yes;
        }
        Action::SampleKeys => {
            begin(cx, Via::Sample);
            return Handled::Yes;
        }
        Action::PauseSurvey => {
            pause(cx);
            return Handled::Yes;
        }
        Action::PaceSurvey => {
            pace(cx);
            return Handled::Yes;
        }
        _ => return Handled::No,
    };
    state.top = top.min(last);
    Handled::Yes
}

fn is_possible(_: &Shell, deck: &Deck, action: Action) -> bool {
    let memory = &deck.memory;
    let is_under_way = matches!(memory.state, State::Running | State::Paused);
    match action {
        Action::Up | Action::Down | Action::PageUp | Action::PageDown => memory.report.is_some(),
        Action::WalkAll => !(is_under_way && memory.via == Some(Via::Scan)),
        Action::SampleKeys => can_sample(deck),
        Action::PauseSurvey => is_under_way,
        Action::PaceSurvey => is_under_way && can_sample(deck),
        _ => false,
    }
}

fn mouse(cx: &mut Cx, mouse: MouseEvent, _: Rect) -> Handled {
    match mouse.kind {
        MouseEventKind::ScrollDown => act(cx, Action::Down),
        MouseEventKind::ScrollUp => act(cx, Action::Up),
        _ => Handled::No,
    }
}

fn can_sample(deck: &Deck) -> bool {
    deck.target.protocol == Protocol::Redis && deck.features.need(Feature::Counters).is_ok()
}

/// Begins anew; what was found out before stays on the screen until there is something better.
fn begin(cx: &mut Cx, via: Via) {
    if let Some(ticket) = cx.deck.memory.ticket {
        cx.forget(ticket);
    }
    let ticket = cx.ticket(PaneId::Memory);
    let keys = cx.deck.latest().and_then(Sample::keys);
    let is_small = keys.is_some_and(|keys| keys <= FEW);
    let pace = if is_small {
        Pace::FullSpeed
    } else {
        Pace::default()
    };
    let ask = SurveyAsk {
        walk: WalkAsk {
            wants: Wants::ALL,
            pace,
            ..WalkAsk::default()
        },
        via,
        analysis: AnalysisAsk {
            delimiters: cx.deck.target.delimiters(),
            budget: Bytes(16 << 20),
            rows: 400,
            ..AnalysisAsk::default()
        },
        prefers_replica: false,
    };
    let memory = &mut cx.deck.memory;
    memory.state = State::Running;
    memory.under_way = None;
    memory.via = Some(via);
    memory.pace = pace;
    memory.ticket = Some(ticket);
    cx.ask(Query::Survey {
        ticket,
        ask: Box::new(ask),
    });
}

fn begin_if_wanted(cx: &mut Cx) {
    let is_up = cx.deck.is_up();
    let memory = &cx.deck.memory;
    if !memory.is_wanted || !is_up {
        return;
    }
    let first = if can_sample(cx.deck) {
        Via::Sample
    } else {
        Via::Scan
    };
    match &cx.deck.memory.state {
        State::NotStarted => begin(cx, first),
        State::Failed(fault) if fault.kind() == Kind::Connection => {
            let via = cx.deck.memory.via.unwrap_or(first);
            begin(cx, via);
        }
        _ => {}
    }
}

fn pause(cx: &mut Cx) {
    let memory = &mut cx.deck.memory;
    match memory.state {
        State::Running => {
            memory.state = State::Paused;
            cx.ask(Query::PauseSurvey);
        }
        State::Paused => {
            memory.state = State::Running;
            cx.ask(Query::ContinueSurvey);
        }
        _ => cx.say(Tone::Plain, "nothing is under way"),
    }
}

fn pace(cx: &mut Cx) {
    let memory = &mut cx.deck.memory;
    memory.pace = match memory.pace {
        Pace::FullSpeed => Pace::default(),
        Pace::Budget(_) => Pace::FullSpeed,
    };
    let pace = memory.pace;
    cx.ask(Query::PaceSurvey(pace));
    let words = match pace {
        Pace::FullSpeed => "as fast as the server can: others wait longer meanwhile".to_owned(),
        Pace::Budget(share) => format!("at most {share} of a core of the server"),
    };
    cx.say(Tone::Plain, words);
}

fn report(cx: &mut Cx, report: Report) {
    let now = cx.now();
    let memory = &mut cx.deck.memory;
    let Report::Survey { ticket, step } = report else {
        return;
    };
    if memory.ticket != Some(ticket) {
        return;
    }
    match step {
        SurveyStep::Report(report) => {
            // A walk that has seen little says less than the sample before it.
            let is_better = match &memory.report {
                // Nor does one that knows the server's own counts alone.
                Some(_) if report.coverage.seen == 0 && !report.coverage.is_complete => false,
                Some(before) => {
                    report.coverage.is_complete
                        || before.via == report.via
                        || report.coverage.seen >= before.coverage.seen
                }
                None => true,
            };
            if is_better {
                memory.under_way = None;
                memory.report = Some(report);
            } else {
                memory.under_way = Some((report.coverage, report.cost));
            }
        }
        SurveyStep::Ended => {
            memory.under_way = None;
            memory.state = State::Done { at: now };
            memory.ticket = None;
        }
        SurveyStep::Failed(fault) => {
            memory.under_way = None;
            memory.state = State::Failed(fault);
            memory.ticket = None;
        }
    }
}

fn notice(cx: &mut Cx, notice: Notice) {
    match notice {
        Notice::Opened => {
            cx.deck.memory.is_wanted = true;
            begin_if_wanted(cx);
            is_looked_at(cx, true);
        }
        // A sample has no end of its own: it rests while nobody looks.
        Notice::Left => is_looked_at(cx, false),
        Notice::Up => begin_if_wanted(cx),
        Notice::Refresh => match cx.deck.memory.state {
            State::Failed(_) => {
                cx.deck.memory.state = State::NotStarted;
                begin_if_wanted(cx);
            }
            State::Done { .. } => {
                let via = cx.deck.memory.via.unwrap_or(Via::Scan);
                begin(cx, via);
            }
            _ => {}
        },
        Notice::Sampled => {
            let lost = |ticket: Ticket| cx.deck.waiter(ticket).is_none();
            if cx.deck.memory.ticket.is_some_and(lost) {
                let via = cx.deck.memory.via.unwrap_or(Via::Scan);
                begin(cx, via);
            }
        }
        Notice::Due | Notice::Changed(_) | Notice::Sent(_) => {}
    }
}

fn is_looked_at(cx: &mut Cx, is_looked_at: bool) {
    let memory = &cx.deck.memory;
    if memory.state == State::Running && memory.via == Some(Via::Sample) {
        cx.ask(if is_looked_at {
            Query::ContinueSurvey
        } else {
            Query::PauseSurvey
        });
    }
}
