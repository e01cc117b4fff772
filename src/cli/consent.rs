//! From a wish to its outcome: plan, consent, permit, report.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::call::has_person;
use crate::cli::output::{Answer, Look, Paint, Sheet};
use crate::cli::{Call, Failure, Kind, Visit, facts};
use crate::engine::Backend;
use crate::guard::{self, Asks, Consent, Permit, Plan, Policy};
use crate::model::{Change, Key, KeyOutcome, Outcome, Preview, TtlWish, units};
use crate::text;

/// The flags of every command that changes something.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConsentArgs {
    /// Print what would be done, and stop
    #[arg(long)]
    pub dry_run: bool,

    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Keys named in a plan that people read.
const KEYS_SHOWN: usize = 10;

/// Carries a change out, with consent; `None` when only the plan was wanted. It was printed.
///
/// # Errors
/// When the guard or the person says no, or the server does.
pub fn carry_out(
    call: &mut Call,
    visit: &Visit,
    command: &'static str,
    change: Change,
    args: ConsentArgs,
) -> Result<Option<Outcome>, Failure> {
    let Some(permit) = permitted(call, visit, command, change, args)? else {
        return Ok(None);
    };
    call.ask(visit, visit.server.apply(permit)).map(Some)
}

/// Gets the right to carry a change out; `None` when only the plan was wanted. It was printed.
///
/// # Errors
/// When the guard or the person says no.
pub fn permitted(
    call: &mut Call,
    visit: &Visit,
    command: &'static str,
    change: Change,
    args: ConsentArgs,
) -> Result<Option<Permit>, Failure> {
    let policy = Policy::of(&visit.target);
    let refused = |refused| Failure::of_guard(command, &visit.target.name, &refused);
    refuse_read_only(command, visit, &change)?;
    let preview = call.ask(visit, visit.server.preview(&change))?;
    let plan = guard::plan(&policy, change, preview).map_err(refused)?;
    if args.dry_run {
        let envelope = call.envelope(command, visit, Vec::new());
        call.output().answer(&envelope, &PlanAnswer(&plan))?;
        return Ok(None);
    }
    let consent = if args.yes {
        Consent::Flag
    } else {
        eprint!("{}", PlanAnswer(&plan).text(Look::plain()));
        ask(call, command, &plan)?
    };
    let permit = plan.permit(&consent, &call.audit()?).map_err(refused)?;
    Ok(Some(permit))
}

/// A target that is read-only is not even asked what a change would mean.
///
/// # Errors
/// When the guard would refuse the change whatever the server says.
pub fn refuse_read_only(command: &str, visit: &Visit, change: &Change) -> Result<(), Failure> {
    guard::plan(
        &Policy::of(&visit.target),
        change.clone(),
        Preview::default(),
    )
    .map(drop)
    .map_err(|refused| Failure::of_guard(command, &visit.target.name, &refused))
}

fn ask(call: &mut Call, command: &str, plan: &Plan) -> Result<Consent, Failure> {
    let refuse = |why: &str| {
        Failure::new(
            Kind::Guard,
            format!("{command} on {}: {why}", plan.target()),
        )
    };
    if !has_person() {
        return Err(refuse("not confirmed, and there is no terminal to ask on")
            .hint("--dry-run shows the plan, --yes confirms it beforehand"));
    }
    match plan.asks() {
        Asks::Yes => {
            let answer = call.prompt("Do it? [y/N] ")?;
            if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
                Ok(Consent::Yes)
            } else {
                Err(refuse("not confirmed"))
            }
        }
        Asks::Name(name) => call
            .prompt(&format!("This is production. Type {name} to do it: "))
            .map(Consent::Typed),
    }
}

/// The plan, before anything is done.
struct PlanAnswer<'a>(&'a Plan);

impl Answer for PlanAnswer<'_> {
    fn data(&self) -> Value {
        let Self(plan) = self;
        let preview = plan.preview();
        json!({
            "plan": {
                "change": plan.change().word(),
                "keys": plan.change().keys().iter().map(facts::key).collect::<Value>(),
                "commands": preview.commands,
                "commands_in_all": preview.of,
                "cost": preview.cost,
                "undo": preview.undo,
                "cautions": preview.cautions,
                "is_production": plan.is_production(),
            },
            "done": false,
        })
    }

    fn text(&self, look: Look) -> String {
        let Self(plan) = self;
        let (change, preview) = (plan.change(), plan.preview());
        let production = if plan.is_production() {
            look.paint(Paint::Danger, " (PRODUCTION)")
        } else {
            String::new()
        };
        let mut lines = vec![format!(
            "{} on {}{production}",
            look.paint(Paint::Heading, &headline(change)),
            plan.target()
        )];
        let keys = change.keys();
        for key in keys.iter().take(KEYS_SHOWN) {
            lines.push(format!("  key      {}", text::escape_ascii(key.bytes())));
        }
        if keys.len() > KEYS_SHOWN {
            let more = units::count((keys.len() - KEYS_SHOWN) as u64);
            lines.push(format!("           … and {more} more"));
        }
        for command in &preview.commands {
            lines.push(format!("  command  {command}"));
        }
        if preview.of > preview.commands.len() {
            let more = units::count((preview.of - preview.commands.len()) as u64);
            lines.push(format!("           … and {more} more"));
        }
        if !preview.cost.is_empty() {
            lines.push(format!("  cost     {}", preview.cost));
        }
        let undo = preview.undo.as_deref().unwrap_or("not possible");
        lines.push(format!("  undo     {undo}"));
        for caution in &preview.cautions {
            lines.push(format!(
                "  {}  {caution}",
                look.paint(Paint::Caution, "caution")
            ));
        }
        lines.join("\n") + "\n"
    }
}

fn headline(change: &Change) -> String {
    let keys = |many: usize| match many {
        1 => "1 key".to_owned(),
        many => format!("{} keys", units::count(many as u64)),
    };
    match change {
        Change::SetTtl {
            keys: all,
            wish: TtlWish::Never,
        } => format!("Let {} live for ever", keys(all.len())),
        Change::SetTtl { keys: all, wish } => {
            let zone = jiff::tz::TimeZone::system();
            let wish = wish.words(crate::cli::call::now(), &zone);
            format!("Let {} expire: {wish}", keys(all.len()))
        }
        Change::Delete { keys: all } => format!("Delete {}", keys(all.len())),
        Change::Snapshot => "Write a snapshot".to_owned(),
        Change::Restore(restore) => format!(
            "Restore from {}",
            text::escape(restore.source.as_os_str().as_encoded_bytes())
        ),
        Change::RewriteAof => "Rewrite the append-only file".to_owned(),
    }
}

/// What became of each key.
pub struct KeysAnswer<'a> {
    pub change: &'static str,
    pub keys: &'a [(Key, KeyOutcome)],
}

impl Answer for KeysAnswer<'_> {
    fn data(&self) -> Value {
        let (done, gone, failed) = Outcome::Keys(self.keys.to_vec()).counts();
        json!({
            "change": self.change,
            "keys": self.records(),
            "done": done,
            "no_such_key": gone,
            "failed": failed,
        })
    }

    fn records(&self) -> Vec<Value> {
        self.keys
            .iter()
            .map(|(key, outcome)| {
                let (word, why) = words(outcome);
                json!({"key": facts::key(key), "outcome": word, "why": why})
            })
            .collect()
    }

    fn sheet(&self) -> Sheet {
        Sheet {
            header: ["key", "outcome", "why"].map(str::to_owned).to_vec(),
            rows: self.rows(text::escape),
        }
    }

    fn text(&self, look: Look) -> String {
        let rows: Vec<Vec<String>> = self
            .rows(text::escape)
            .into_iter()
            .map(|row| {
                let outcome = row[1].replace('_', " ");
                vec![outcome, row[0].clone(), row[2].clone()]
            })
            .collect();
        let headings = ["OUTCOME", "KEY", "WHY"];
        let has_reasons = rows.iter().any(|row| !row[2].is_empty());
        look.table(&headings[..if has_reasons { 3 } else { 2 }], &rows)
    }
}

impl KeysAnswer<'_> {
    fn rows(&self, name: fn(&[u8]) -> String) -> Vec<Vec<String>> {
        self.keys
            .iter()
            .map(|(key, outcome)| {
                let (word, why) = words(outcome);
                vec![
                    name(key.bytes()),
                    word.to_owned(),
                    why.unwrap_or_default().to_owned(),
                ]
            })
            .collect()
    }

    /// How the command ends: all done, no such key, or partial.
    ///
    /// # Errors
    /// When not everything was done.
    pub fn verdict(&self, command: &str, target: &str) -> Result<(), Failure> {
        let (done, gone, failed) = Outcome::Keys(self.keys.to_vec()).counts();
        let all = done + gone + failed;
        let on = format!("{command} on {target}");
        match (done, gone, failed) {
            (_, 0, 0) => Ok(()),
            (0, 1, 0) => Err(Failure::new(Kind::No, format!("{on}: no such key"))),
            (0, _, 0) => Err(Failure::new(
                Kind::No,
                format!("{on}: none of the {all} keys is there"),
            )),
            (_, _, 0) => Err(Failure::new(
                Kind::Partial,
                format!("{on}: {gone} of {all} keys were not there"),
            )),
            _ if self.keys.iter().all(is_refused) => Err(Failure::new(
                Kind::Permission,
                format!("{on}: the server permitted none of it"),
            )),
            _ => Err(Failure::new(
                Kind::Partial,
                format!("{on}: {failed} of {all} keys failed"),
            )),
        }
    }
}

/// A fault about permissions begins so, and an outcome holds only the words for people.
fn is_refused((_, outcome): &(Key, KeyOutcome)) -> bool {
    matches!(outcome, KeyOutcome::Failed(why) if why.starts_with("not permitted: "))
}

fn words(outcome: &KeyOutcome) -> (&'static str, Option<&str>) {
    match outcome {
        KeyOutcome::Done => ("done", None),
        KeyOutcome::NoSuchKey => ("no_such_key", None),
        KeyOutcome::AlreadySo => ("already_so", None),
        KeyOutcome::Failed(why) => ("failed", Some(why)),
        KeyOutcome::Unknown(why) => ("unknown", Some(why)),
    }
}

/// Keys as people give them on the command line, each once.
///
/// # Errors
/// When an escape is none.
pub fn keys(words: &[String], is_literal: bool) -> Result<Vec<Key>, Failure> {
    let mut keys: Vec<Key> = Vec::with_capacity(words.len());
    for word in words {
        let key = key(word, is_literal)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// One key, in the escape grammar unless it is meant literally: a script that read a name from JSON
/// must not reach another key because the name has a backslash in it.
///
/// # Errors
/// When an escape is none.
pub fn key(word: &str, is_literal: bool) -> Result<Key, Failure> {
    if is_literal {
        return Ok(Key::new(word.as_bytes().to_vec()));
    }
    text::unescape(word).map(Key::new).map_err(|error| {
        Failure::usage(format!("KEY: {error}"))
            .hint(r"a backslash is written `\\`, other bytes as `\x00`, as `keys` prints them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcomes: &[KeyOutcome]) -> u8 {
        let keys: Vec<(Key, KeyOutcome)> = outcomes
            .iter()
            .map(|outcome| (Key::from("k"), outcome.clone()))
            .collect();
        let answer = KeysAnswer {
            change: "delete",
            keys: &keys,
        };
        answer
            .verdict("delete", "local")
            .map_or_else(|failure| failure.code(), |()| 0)
    }

    #[test]
    fn outcomes_decide_the_exit_code() {
        use KeyOutcome::{AlreadySo, Done, Failed, NoSuchKey, Unknown};
        let why = || "READONLY".to_owned();
        assert_eq!(code(&[Done, AlreadySo]), 0);
        assert_eq!(code(&[NoSuchKey]), 1);
        assert_eq!(code(&[NoSuchKey, NoSuchKey]), 1);
        assert_eq!(code(&[Done, NoSuchKey]), 6);
        assert_eq!(code(&[Done, Failed(why())]), 6);
        assert_eq!(code(&[Unknown(why())]), 6);
        let refused = || Failed("not permitted: UNLINK: NOPERM".to_owned());
        assert_eq!(code(&[refused(), refused()]), 4);
        assert_eq!(code(&[refused(), Done]), 6);
    }

    #[test]
    fn what_keys_prints_can_be_given_back() {
        let name: &[u8] = b"a\x00b\\\xff ";
        assert_eq!(key(&text::escape(name), false).unwrap().bytes(), name);
        assert_eq!(key(r"\x41", true).unwrap().bytes(), br"\x41");
        assert_eq!(key(r"\q", false).unwrap_err().code(), 2);
    }

    #[test]
    fn a_key_given_twice_counts_once() {
        let given = ["a".to_owned(), r"\x61".to_owned(), "b".to_owned()];
        assert_eq!(keys(&given, false).unwrap().len(), 2);
    }
}
