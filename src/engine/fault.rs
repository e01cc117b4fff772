//! What goes wrong between us and a server, in words for a person.

use std::time::Duration;

use thiserror::Error;

use crate::model::Missing;

/// A question that got no good answer.
///
/// Every text in here is already safe to show: foreign bytes went through `text` when it was made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    #[error("{place} cannot be reached: {why}")]
    Unreachable { place: String, why: String },
    #[error("{place} did not answer within {} while {doing}", seconds(*after))]
    Timeout {
        place: String,
        doing: &'static str,
        after: Duration,
    },
    /// The connection ended while an answer was due.
    #[error("{place} closed the connection while {doing}")]
    Closed { place: String, doing: &'static str },
    #[error("no TLS with {place}: {why}")]
    Tls {
        place: String,
        why: String,
        hint: Option<String>,
    },
    /// Something answered, but not what we came for.
    #[error("{place} is not a {expected} server: {got}")]
    WrongServer {
        place: String,
        expected: &'static str,
        got: String,
        hint: Option<String>,
    },
    #[error("{place} refused the login: {why}")]
    Login { place: String, why: String },
    /// The user may not do this, or the service has removed it.
    #[error("not permitted: {command}: {why}")]
    NotPermitted { command: String, why: String },
    /// The data is not given away as a whole.
    #[error("{who} gives no copy of the data away: {why}")]
    Withheld {
        who: String,
        why: String,
        instead: String,
    },
    #[error("{command}: {why}")]
    Refused { command: String, why: String },
    #[error("{place} answered out of protocol to {command}: {why}")]
    Protocol {
        place: String,
        command: String,
        why: String,
    },
    #[error("the answer to {command} is larger than {limit}")]
    TooLarge {
        command: String,
        limit: crate::model::Bytes,
    },
    /// The server is up and not ready (loading its dataset, busy with a script).
    #[error("{place} is not ready: {why}")]
    NotReady { place: String, why: String },
    /// A file that is not what it should be, or not whole.
    #[error("{place}: {why}")]
    Damaged { place: String, why: String },
    #[error("{}", .0.0)]
    Missing(Missing),
    /// A command that is not on the list of reading commands was about to be sent without permit.
    #[error("{command} is not a reading command and has no permit")]
    NoPermit { command: String },
    /// Something of ours: a file that cannot be read, a name that cannot be used.
    #[error("{0}")]
    Setup(String),
}

/// What the faces decide by: exit codes, colours, whether a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wrong configuration or usage.
    Setup,
    /// No connection, or it was lost.
    Connection,
    /// Not authenticated or not permitted.
    Permission,
    /// Refused by our own guard.
    Guard,
    /// The server said no, or something that we cannot read.
    Answer,
}

impl Fault {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Tls { .. }
            | Self::WrongServer { .. }
            | Self::Protocol { .. }
            | Self::NotReady { .. } => Kind::Connection,
            Self::Login { .. } | Self::NotPermitted { .. } | Self::Withheld { .. } => {
                Kind::Permission
            }
            Self::NoPermit { .. } => Kind::Guard,
            Self::Setup(_) => Kind::Setup,
            Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::Damaged { .. }
            | Self::Missing(_) => Kind::Answer,
        }
    }

    /// Whether the connection is of no use any more.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Closed { .. }
                | Self::Tls { .. }
                | Self::WrongServer { .. }
                | Self::Login { .. }
                | Self::Protocol { .. }
                | Self::TooLarge { .. }
        )
    }

    /// What to try, where we know something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("is the server running, and is the address right?".into())
            }
            Self::Timeout {
                doing: "sending its data",
                ..
            } => Some("a server that is busy may need longer: --stall 5m".into()),
            Self::Timeout { .. } => Some(
                "is a firewall between, or the server busy? a longer `timeout` can be set".into(),
            ),
            Self::Closed {
                doing: "logging in",
                ..
            } => Some("does the server expect TLS there? then use rediss:// or --tls".into()),
            Self::Tls { hint, .. } | Self::WrongServer { hint, .. } => hint.clone(),
            Self::Login { why, .. } if why.contains("protected mode") => Some(
                "it answers only its own machine until it has a password: connect from there, or set one"
                    .into(),
            ),
            Self::Login { why, .. } if why.contains("without any password") => {
                Some("the server needs no password: leave it out".into())
            }
            Self::Login { .. } => Some(
                "give the password with --askpass, --password-file, REDISCLI_AUTH or a profile"
                    .into(),
            ),
            Self::Withheld { instead, .. } => Some(instead.clone()),
            Self::NotPermitted { .. } => Some("ask for the permission, or use another user".into()),
            _ => None,
        }
    }
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}
