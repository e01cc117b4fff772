//! The only door to a write.
//!
//! ```text
//! Change ──plan──→ Plan ──a person, or --yes──→ Permit ──Backend::apply──→ Outcome ──→ one audit line
//! ```
//!
//! A `Permit` has no public constructor, so code that wants to change a server has to come through
//! here: read-only targets, production and the audit file are decided in this one place.

mod audit;

use thiserror::Error;

use crate::model::{Change, Environment, Outcome, Preview, Target};

pub use audit::{Audit, AuditError};

/// How careful to be with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The target's name as the person knows it.
    pub target: String,
    pub environment: Environment,
    pub is_read_only: bool,
}

impl Policy {
    pub fn of(target: &Target) -> Self {
        Self {
            target: target.name.clone(),
            environment: target.environment,
            is_read_only: target.is_read_only,
        }
    }
}

/// A change with everything a person needs to decide on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    change: Change,
    preview: Preview,
    policy: Policy,
}

/// What it takes to let a plan through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A plain yes.
    Yes,
    /// This name, typed out.
    Name(String),
}

/// What a person (or a script) gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Answered yes to the plan on the screen.
    Yes,
    /// Typed this.
    Typed(String),
    /// `--yes` on the command line: a script that decided beforehand.
    Flag,
}

/// Why a change was not let through.
#[derive(Debug, Error)]
pub enum Refused {
    #[error("{target} is read-only")]
    ReadOnly { target: String },
    #[error("{0}")]
    Stopped(String),
    #[error("{target} is production: type its name to confirm")]
    NameNotTyped { target: String },
    #[error("not confirmed")]
    NotConfirmed,
    #[error("the audit file cannot be written: {0}")]
    Audit(#[from] AuditError),
}

/// Makes a plan of a change.
///
/// # Errors
/// When the target is read-only or the preview holds a reason to stop.
pub fn plan(policy: &Policy, change: Change, preview: Preview) -> Result<Plan, Refused> {
    if policy.is_read_only {
        return Err(Refused::ReadOnly {
            target: policy.target.clone(),
        });
    }
    if let Some(stop) = preview.stops.first() {
        return Err(Refused::Stopped(stop.clone()));
    }
    Ok(Plan {
        change,
        preview,
        policy: policy.clone(),
    })
}

impl Plan {
    pub fn change(&self) -> &Change {
        &self.change
    }

    pub fn preview(&self) -> &Preview {
        &self.preview
    }

    pub fn target(&self) -> &str {
        &self.policy.target
    }

    pub fn is_production(&self) -> bool {
        self.policy.environment == Environment::Production
    }

    pub fn asks(&self) -> Asks {
        if self.is_production() {
            Asks::Name(self.policy.target.clone())
        } else {
            Asks::Yes
        }
    }

    /// Turns the plan into the right to carry it out, once.
    ///
    /// # Errors
    /// When the consent is not what the plan asks, or the audit file cannot be written: what
    /// nobody can look up afterwards is not done.
    pub fn permit(self, consent: &Consent, audit: &Audit) -> Result<Permit, Refused> {
        match (self.asks(), consent) {
            (_, Consent::Flag) | (Asks::Yes, Consent::Yes) => {}
            (Asks::Name(name), Consent::Typed(typed)) if *typed == name => {}
            (Asks::Name(target), _) => return Err(Refused::NameNotTyped { target }),
            (Asks::Yes, Consent::Typed(_)) => return Err(Refused::NotConfirmed),
        }
        let entry = audit.begin(&self.policy.target, &self.change)?;
        Ok(Permit {
            plan: self,
            entry: Some(entry),
        })
    }
}

/// The right to carry out one plan, once. Only `Plan::permit` makes one.
#[derive(Debug)]
pub struct Permit {
    plan: Plan,
    entry: Option<audit::Entry>,
}

impl Permit {
    pub fn change(&self) -> &Change {
        &self.plan.change
    }

    /// Writes down how it went. The permit is used up.
    ///
    /// # Errors
    /// When the audit line cannot be written; the change itself has happened all the same.
    pub fn close(mut self, outcome: Result<&Outcome, &str>) -> Result<(), AuditError> {
        self.entry
            .take()
            .map_or(Ok(()), |entry| entry.finish(outcome))
    }
}

/// A permit that nobody closed (a task that was cancelled, a panic) is written down as such.
impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            // Nobody is left to tell; the log has the reason.
            if let Err(error) = entry.finish(Err("unknown: interrupted before an answer came")) {
                tracing::error!(%error, "audit line lost");
            }
        }
    }
}
