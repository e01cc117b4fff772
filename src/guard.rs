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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::model::{Key, KeyOutcome, SnapshotState, UnixMs};

    fn policy(environment: Environment, is_read_only: bool) -> Policy {
        Policy {
            target: "sessions".into(),
            environment,
            is_read_only,
        }
    }

    fn deletion(names: &[&str]) -> Change {
        Change::Delete {
            keys: names.iter().map(|name| Key::from(*name)).collect(),
        }
    }

    fn planned(environment: Environment) -> Plan {
        plan(
            &policy(environment, false),
            deletion(&["a"]),
            Preview::default(),
        )
        .unwrap()
    }

    /// What each consent gets from a plan for that environment.
    fn check_consent(environment: Environment, consent: &Consent, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::in_directory(directory.path());
        let got = match planned(environment).permit(consent, &audit) {
            Ok(_) => "permit".to_owned(),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(got, expected, "{environment:?} with {consent:?}");
    }

    #[test]
    fn a_plan_becomes_a_permit_by_the_right_consent_only() {
        use Environment::{Development, Production};
        let asks = "sessions is production: type its name to confirm";
        check_consent(Development, &Consent::Yes, "permit");
        check_consent(Development, &Consent::Flag, "permit");
        check_consent(
            Development,
            &Consent::Typed("sessions".into()),
            "not confirmed",
        );
        check_consent(Production, &Consent::Yes, asks);
        check_consent(Production, &Consent::Typed("session".into()), asks);
        check_consent(Production, &Consent::Typed("sessions".into()), "permit");
        check_consent(Production, &Consent::Flag, "permit");
    }

    #[test]
    fn read_only_refuses_before_anything_else() {
        let refused = plan(
            &policy(Environment::Development, true),
            deletion(&["a"]),
            Preview::default(),
        );
        assert_eq!(refused.unwrap_err().to_string(), "sessions is read-only");
    }

    #[test]
    fn a_reason_to_stop_refuses_the_plan() {
        let preview = Preview {
            stops: vec!["a save is running".into()],
            ..Preview::default()
        };
        let refused = plan(
            &policy(Environment::Development, false),
            Change::Snapshot,
            preview,
        );
        assert_eq!(refused.unwrap_err().to_string(), "a save is running");
    }

    /// Carries out a deletion of two keys on paper and gives the audit file's lines.
    fn audited(end: impl FnOnce(Permit)) -> (tempfile::TempDir, Vec<serde_json::Value>) {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::in_directory(&directory.path().join("state"));
        let change = deletion(&["plain", "odd\u{1b}[2J"]);
        let plan = plan(
            &policy(Environment::Development, false),
            change,
            Preview::default(),
        );
        end(plan.unwrap().permit(&Consent::Yes, &audit).unwrap());
        let text = std::fs::read_to_string(audit.path()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (directory, lines)
    }

    #[test]
    fn a_closed_permit_leaves_one_line_that_says_how_it_went() {
        let (_directory, lines) = audited(|permit| {
            let outcome = Outcome::Keys(vec![
                (Key::from("plain"), KeyOutcome::Done),
                (Key::from("odd"), KeyOutcome::Failed("OOM".into())),
            ]);
            permit.close(Ok(&outcome)).unwrap();
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["target"], "sessions");
        assert_eq!(lines[0]["change"], "delete");
        assert_eq!(
            lines[0]["named"],
            serde_json::json!(["plain", crate::text::escape_ascii(b"odd\x1b[2J")])
        );
        assert_eq!(lines[0]["result"]["done"], 1);
        assert_eq!(lines[0]["result"]["failures"][0]["why"], "OOM");
    }

    fn check_snapshot_line(state: SnapshotState, expected: &serde_json::Value) {
        let (_directory, lines) =
            audited(|permit| permit.close(Ok(&Outcome::Snapshot(state))).unwrap());
        assert_eq!(lines[0]["result"], *expected);
    }

    #[test]
    fn a_snapshots_line_says_in_words_how_it_went() {
        check_snapshot_line(
            SnapshotState::BEGUN,
            &serde_json::json!({ "snapshot": "accepted" }),
        );
        let failed = SnapshotState::Failed {
            why: "no space".into(),
        };
        let expected = serde_json::json!({ "snapshot": "failed", "error": "no space" });
        check_snapshot_line(failed, &expected);
        let done = SnapshotState::Done {
            at: UnixMs(1_795_387_900_000),
            took: None,
        };
        let at = "2026-11-22T22:51:40Z";
        let expected = serde_json::json!({ "snapshot": "written", "saved_at": at });
        check_snapshot_line(done, &expected);
    }

    #[test]
    fn a_dropped_permit_leaves_a_line_too() {
        let (_directory, lines) = audited(drop);
        assert_eq!(
            lines[0]["result"]["error"],
            "unknown: interrupted before an answer came"
        );
    }

    #[test]
    fn the_audit_file_is_its_owners_alone() {
        let (directory, _) = audited(drop);
        let mode = |path: &str| {
            std::fs::metadata(directory.path().join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            format!("{:o} {:o}", mode("state"), mode("state/audit.jsonl")),
            "700 600"
        );
    }

    #[test]
    fn a_planted_link_stops_the_change() {
        let directory = tempfile::tempdir().unwrap();
        symlink("/dev/null", directory.path().join("audit.jsonl")).unwrap();
        let refused = planned(Environment::Development)
            .permit(&Consent::Yes, &Audit::in_directory(directory.path()));
        assert!(matches!(refused, Err(Refused::Audit(_))));
    }
}
