//! What went wrong, for a person and for a script: one kind of failure, one table of exit codes.

use std::fmt;
use std::io::{self, Write};

use crate::engine::Fault;
use crate::engine::fault;
use crate::guard::Refused;
use crate::snapshot::keeping::KeepError;
use crate::text;

/// The end of a command that did not simply succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    /// `WHAT on WHICH target: WHY`, safe to print.
    pub error: String,
    /// What to try.
    pub hints: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It worked, and the answer is no.
    No,
    /// Wrong usage or configuration.
    Usage,
    /// No connection, or it was lost.
    Connection,
    /// Not authenticated or not permitted.
    Permission,
    /// Refused by our own guard.
    Guard,
    /// Some keys or nodes failed; the report has said which.
    Partial,
    Interrupted,
    /// Who reads our output has seen enough. Not an error.
    ClosedPipe,
}

impl Kind {
    /// The one place where a kind becomes an exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Connection => 3,
            Self::Permission => 4,
            Self::Guard => 5,
            Self::Partial => 6,
            Self::Interrupted => 130,
        }
    }
}

impl Failure {
    pub fn new(kind: Kind, error: impl Into<String>) -> Self {
        Self {
            kind,
            error: error.into(),
            hints: Vec::new(),
        }
    }

    pub fn usage(error: impl Into<String>) -> Self {
        Self::new(Kind::Usage, error)
    }

    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.hints([hint.into()])
    }

    /// Adds what to try, where something is known.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// A server's fault: what was asked, of which target.
    pub fn of_server(what: &str, target: &str, fault: &Fault) -> Self {
        let kind = match fault.kind() {
            fault::Kind::Setup => Kind::Usage,
            fault::Kind::Connection => Kind::Connection,
            fault::Kind::Permission => Kind::Permission,
            fault::Kind::Guard => Kind::Guard,
            fault::Kind::Answer => Kind::No,
        };
        Self {
            kind,
            error: format!("{what} on {target}: {fault}"),
            hints: fault.hint().into_iter().collect(),
        }
    }

    /// The guard's no.
    pub fn of_guard(what: &str, target: &str, refused: &Refused) -> Self {
        let failure = Self::new(Kind::Guard, format!("{what} on {target}: {refused}"));
        match refused {
            Refused::ReadOnly { .. } => failure
                .hint("it was made read-only by --read-only or by `read_only` in its profile"),
            Refused::NameNotTyped { .. } | Refused::NotConfirmed => {
                failure.hint("--dry-run shows the plan, --yes confirms it without a terminal")
            }
            Refused::Stopped(_) | Refused::Audit(_) => failure,
        }
    }

    /// A file that could not be kept: one that may not be written, or a disk that would not.
    pub fn of_keeping(what: &str, target: &str, error: &KeepError) -> Self {
        let kind = match error {
            KeepError::Full { .. } | KeepError::Io { .. } => Kind::No,
            _ => Kind::Usage,
        };
        // A path may hold anything.
        let why = text::escape(error.to_string().as_bytes());
        let failure = Self::new(kind, format!("{what} on {target}: {why}"));
        match error {
            KeepError::Exists { .. } => failure.hint("--force replaces it"),
            KeepError::Full { .. } => failure.hint("nothing was left of it"),
            _ => failure,
        }
    }

    /// Says it on stderr, where it needs words, and returns the exit code.
    pub fn print(&self) -> u8 {
        if !matches!(self.kind, Kind::ClosedPipe | Kind::Interrupted) {
            // Nobody may be there to read it, which is no reason to panic.
            drop(writeln!(io::stderr(), "{self}"));
        }
        self.code()
    }

    pub fn code(&self) -> u8 {
        self.kind.code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Only writing our own output goes through here.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Kind::ClosedPipe, "the reader closed the pipe")
        } else {
            Self::usage(format!("the output cannot be written: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::model::Missing;

    use super::*;

    fn code_of(fault: &Fault) -> u8 {
        Failure::of_server("info", "local", fault).code()
    }

    #[test]
    fn every_kind_of_fault_has_its_exit_code() {
        let place = || "10.0.0.7:6379".to_owned();
        let command = || "INFO".to_owned();
        let why = || "so".to_owned();
        #[rustfmt::skip]
        let table = [
            (Fault::Setup("no such file".into()),                                          2),
            (Fault::Unreachable { place: place(), why: why() },                            3),
            (Fault::Timeout { place: place(), doing: "reading", after: Duration::ZERO },   3),
            (Fault::Closed { place: place(), doing: "reading" },                           3),
            (Fault::WrongServer { place: place(), expected: "Redis", got: why(), hint: None }, 3),
            (Fault::Login { place: place(), why: why() },                                  4),
            (Fault::NotPermitted { command: command(), why: why() },                       4),
            (Fault::NoPermit { command: command() },                                       5),
            (Fault::Refused { command: command(), why: why() },                            1),
            (Fault::Missing(Missing("Memcached has no snapshots".into())),                 1),
        ];
        for (fault, code) in table {
            assert_eq!(code_of(&fault), code, "{fault:?}");
        }
    }

    #[test]
    fn an_error_says_what_on_which_target_why_and_what_to_try() {
        let fault = Fault::Unreachable {
            place: "127.0.0.1:1".into(),
            why: "connection refused".into(),
        };
        assert_eq!(
            Failure::of_server("info", "local", &fault).to_string(),
            "error: info on local: 127.0.0.1:1 cannot be reached: connection refused\n\
             hint: is the server running, and is the address right?"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.code(), 0);
    }

    #[test]
    fn the_guard_refuses_with_its_own_code() {
        let refused = Refused::ReadOnly {
            target: "prod".into(),
        };
        assert_eq!(Failure::of_guard("delete", "prod", &refused).code(), 5);
    }
}
