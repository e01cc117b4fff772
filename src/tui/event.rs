//! What the world says to the screen, and what the screen wants done.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::config::Bookmarks;
use crate::engine::worker::{Query, Report, Ticket};
use crate::model::SnapshotRecord;

/// What happened. Everything that the screen reacts to is one of these.
#[derive(Debug)]
pub enum Event {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize {
        width: u16,
        height: u16,
    },
    /// A worker said something. `deck` is the place of its target among those opened.
    Report {
        deck: usize,
        report: Report,
    },
    /// A question could not be put: too many wait already.
    Undelivered {
        deck: usize,
        ticket: Option<Ticket>,
    },
    /// Bookmarks could not be written down, and why.
    NotKept(String),
    Signal(Signal),
    /// Time passed, and something on the screen says so.
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End, with this signal's number.
    End(i32),
    /// Ctrl-Z from outside.
    Stop,
    /// Back after a stop.
    Continue,
    /// The terminal is gone.
    HungUp,
    /// A thread panicked; the terminal is already given back.
    Panicked,
}

/// What the loop is to do.
#[derive(Debug)]
pub enum Effect {
    Ask {
        deck: usize,
        query: Query,
    },
    /// Put text on the clipboard of the person's own machine.
    Copy(String),
    /// Write down which keys are favourite and recent on a target.
    Keep {
        profile: String,
        bookmarks: Bookmarks,
    },
    /// Write down what became of a snapshot.
    Remember {
        profile: String,
        record: Box<SnapshotRecord>,
    },
    /// Draw everything, not only what changed.
    Redraw,
    /// Take the terminal again after a stop.
    Resume,
    Suspend,
    Quit(Ending),
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Left,
    /// By this signal.
    Signalled(i32),
    HungUp,
    Panicked,
}

impl Ending {
    /// The exit code, as shells have it: 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Signalled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::HungUp => 129,
            Self::Panicked => 101,
        }
    }
}

/// The ticket a question carries, if it is one that gets an answer.
pub fn ticket(query: &Query) -> Option<Ticket> {
    match query {
        Query::Walk { ticket, .. }
        | Query::Survey { ticket, .. }
        | Query::Compare { ticket, .. }
        | Query::Fetch { ticket, .. }
        | Query::Facts { ticket, .. }
        | Query::Show { ticket, .. }
        | Query::Preview { ticket, .. }
        | Query::Preflight { ticket, .. }
        | Query::Apply { ticket, .. } => Some(*ticket),
        Query::Interval(_)
        | Query::SampleNow
        | Query::PauseWalk
        | Query::ContinueWalk
        | Query::PaceWalk(_)
        | Query::StopWalk
        | Query::PauseSurvey
        | Query::ContinueSurvey
        | Query::PaceSurvey(_)
        | Query::StopSurvey
        | Query::StopComparison
        | Query::StopFetch => None,
    }
}

/// The same for answers.
pub fn answered(report: &Report) -> Option<Ticket> {
    match report {
        Report::Walk { ticket, .. }
        | Report::Survey { ticket, .. }
        | Report::Compare { ticket, .. }
        | Report::Fetch { ticket, .. }
        | Report::Facts { ticket, .. }
        | Report::Shown { ticket, .. }
        | Report::Previewed { ticket, .. }
        | Report::Preflight { ticket, .. }
        | Report::Applied { ticket, .. } => Some(*ticket),
        Report::Session(_) | Report::Sampled(_) | Report::Features(_) => None,
    }
}
