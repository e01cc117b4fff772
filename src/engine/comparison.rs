//! Two keyspaces side by side, each in a file or on a server: what is different, and where.
//!
//! Both parties are read at the same time, key by key, into [`Side`]s that need little memory; joining
//! those finds the differences. Reading asks servers and files, so it is a matter of this floor; what
//! is different is a matter of `snapshot::diff`.

mod movers;
mod party;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::engine::Fault;
use crate::model::{Pace, UnixMs};
use crate::snapshot::diff::{DiffAsk, Difference, Side, Tally, join};

pub use movers::{Movers, Row};
pub use party::Party;

/// How to compare.
#[derive(Clone, Debug)]
pub struct ComparisonAsk {
    /// Only keys that match.
    pub pattern: Option<Vec<u8>>,
    /// Only this database.
    pub database: Option<u32>,
    /// Times to live that differ by no more than this are the same.
    pub tolerance: Duration,
    pub pace: Pace,
    /// The moment of asking.
    pub now: UnixMs,
}

impl Default for ComparisonAsk {
    fn default() -> Self {
        Self {
            pattern: None,
            database: None,
            tolerance: Duration::from_secs(1),
            pace: Pace::default(),
            now: UnixMs(0),
        }
    }
}

/// What is compared; it decides on the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Items of Memcached, which have flags.
    Items,
    /// Keys of Redis or Valkey, which have types and databases.
    Keys,
}

/// How far a party is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The party's name.
    pub name: Arc<str>,
    pub done: u64,
    /// All there is, where that is known.
    pub of: Option<u64>,
    pub unit: Unit,
}

/// What a reading counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Keys,
    Items,
    /// Bytes of a file, as they lie on the disk.
    Bytes,
}

/// Is told how far it is, often and from several threads, and says whether to go on.
pub type Say = Arc<dyn Fn(Reading) -> ControlFlow<()> + Send + Sync>;

/// Why two parties were not compared.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Incomparable {
    /// A party could not be read.
    #[error("{fault}")]
    Unread { name: String, fault: Fault },
    #[error(
        "{items} holds items of Memcached, and {keys} holds keys of Redis or Valkey: these cannot be compared"
    )]
    Forms { items: String, keys: String },
    #[error("databases {0} and {1} are two keyspaces; only the same one can be compared")]
    Databases(u32, u32),
    /// The temporary files of a comparison, or one of its threads.
    #[error("{0}")]
    Spill(String),
    /// Nobody wants it any more.
    #[error("stopped")]
    Stopped,
}

/// Both parties, read and ready to be joined.
#[derive(Debug)]
pub struct Compared {
    before: Side,
    after: Side,
    tolerance: Duration,
    pub form: Form,
    /// What a person should know of how they were read.
    pub notes: Vec<String>,
}

/// Reads both parties.
///
/// # Errors
/// When one of them cannot be read, or the two have nothing in common.
pub async fn compare(
    before: &Party,
    after: &Party,
    ask: ComparisonAsk,
    say: &Say,
) -> Result<Compared, Incomparable> {
    let form = form(before, after)?;
    let database = match ask.database {
        Some(database) => Some(database),
        None => database(before, after)?,
    };
    let ask = ComparisonAsk { database, ..ask };
    let at = moment(before, after, ask.now)?;
    let (left, right) = tokio::try_join!(before.read(&ask, at, say), after.read(&ask, at, say))?;
    Ok(Compared {
        before: left.side,
        after: right.side,
        tolerance: ask.tolerance,
        form,
        notes: [left.notes, right.notes].concat(),
    })
}

impl Compared {
    /// Hands over every key that is different, in no order, until `each` has enough. Takes its time:
    /// not for a task that others wait for.
    ///
    /// # Errors
    /// When the temporary files cannot be read.
    pub fn join(
        &self,
        each: impl FnMut(Difference) -> ControlFlow<()>,
    ) -> Result<Tally, Incomparable> {
        let ask = DiffAsk {
            tolerance: self.tolerance,
            ..DiffAsk::default()
        };
        join(&self.before, &self.after, ask, each).map_err(|error| spilled(&error))
    }
}

fn form(before: &Party, after: &Party) -> Result<Form, Incomparable> {
    match (before.form(), after.form()) {
        (before, after) if before == after => Ok(before),
        (Form::Items, Form::Keys) => Err(Incomparable::Forms {
            items: before.name().to_owned(),
            keys: after.name().to_owned(),
        }),
        _ => Err(Incomparable::Forms {
            items: after.name().to_owned(),
            keys: before.name().to_owned(),
        }),
    }
}

/// The database that a party names; all where none does.
fn database(before: &Party, after: &Party) -> Result<Option<u32>, Incomparable> {
    match (before.database(), after.database()) {
        (Some(one), Some(other)) if one != other => Err(Incomparable::Databases(one, other)),
        (one, other) => Ok(one.or(other)),
    }
}

/// What had expired by the time of the later party went by itself: it is neither removed nor changed.
fn moment(before: &Party, after: &Party, now: UnixMs) -> Result<UnixMs, Incomparable> {
    let moments = [before.moment(now)?, after.moment(now)?];
    let latest = moments.into_iter().flatten().max();
    Ok(latest.unwrap_or(UnixMs(i64::MIN)))
}

fn spilled(error: &io::Error) -> Incomparable {
    Incomparable::Spill(error.to_string())
}
