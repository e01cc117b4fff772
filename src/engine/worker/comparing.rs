//! A comparison for the screen: how far it is while both are read, and at the end what is different.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::analysis::AnalysisAsk;
use crate::engine::Server;
use crate::engine::comparison::{
    Compared, ComparisonAsk, Form, Incomparable, Movers, Party, Reading, Row, Say, compare,
};
use crate::model::{Target, UnixMs};
use crate::snapshot::diff::{Difference, Tally};

/// Between two words about how far it is.
const PICTURE: Duration = Duration::from_millis(200);
/// Keys that the screen keeps to be looked at one by one; all of them are counted.
const KEPT: usize = 20_000;
/// Rows of prefixes.
const ROWS: usize = 1_000;

/// What to compare with a target, and how.
#[derive(Debug)]
pub struct CompareAsk {
    /// The other one.
    pub with: With,
    pub how: ComparisonAsk,
    pub analysis: AnalysisAsk,
}

/// What a target is held against.
#[derive(Clone, Debug)]
pub enum With {
    File(PathBuf),
    Target(Box<Target>),
}

#[derive(Debug)]
pub enum CompareStep {
    /// How far the parties are read, each that said something.
    Reading(Vec<Reading>),
    /// Both are read.
    Joining,
    Ended(Box<Verdict>),
    Failed(Incomparable),
}

/// What is different.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub before: String,
    pub after: String,
    /// The target is what was, and not what is.
    pub is_target_before: bool,
    pub form: Form,
    pub at: UnixMs,
    pub tally: Tally,
    /// The prefixes with the most differences.
    pub rows: Vec<Row>,
    /// Keys that are different, by name; not all of them where there are very many.
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
}

/// Compares to the end. `alive` goes away with whoever wants it.
pub async fn comparing(
    server: Arc<Server>,
    target: Target,
    ask: CompareAsk,
    alive: Weak<()>,
    say: impl Fn(CompareStep) + Clone + Send + Sync + 'static,
) {
    match run(server, target, ask, alive, say.clone()).await {
        Ok(verdict) => say(CompareStep::Ended(Box::new(verdict))),
        Err(Incomparable::Stopped) => {}
        Err(why) => say(CompareStep::Failed(why)),
    }
}

async fn run(
    server: Arc<Server>,
    target: Target,
    ask: CompareAsk,
    alive: Weak<()>,
    say: impl Fn(CompareStep) + Send + Sync + 'static,
) -> Result<Verdict, Incomparable> {
    let say = Arc::new(say);
    let (before, after, is_target_before) = on_a_thread(move || {
        let other = match ask.with {
            With::File(path) => Party::of_file(path)?,
            With::Target(other) => {
                let server = Arc::new(Server::at((*other).clone()));
                Party::of_target(*other, server)?
            }
        };
        let target = Party::of_target(target, server)?;
        // A file is what was, a server is what is; else the target is what is.
        Ok(if target.is_file() && !other.is_file() {
            (target, other, true)
        } else {
            (other, target, false)
        })
    })
    .await?;
    let at = ask.how.now;
    let telling = telling(alive.clone(), Arc::clone(&say));
    let compared = compare(&before, &after, ask.how, &telling).await?;
    say(CompareStep::Joining);
    let analysis = ask.analysis;
    let names = (before.name().to_owned(), after.name().to_owned());
    let verdict = on_a_thread(move || verdict(&compared, names, analysis, at, &alive)).await?;
    Ok(Verdict {
        is_target_before,
        ..verdict
    })
}

/// Passes on how far the parties are, and not more often than somebody can look.
fn telling(alive: Weak<()>, say: Arc<impl Fn(CompareStep) + Send + Sync + 'static>) -> Say {
    let told: Mutex<(Vec<Reading>, Option<Instant>)> = Mutex::default();
    Arc::new(move |reading| {
        if alive.upgrade().is_none() {
            return ControlFlow::Break(());
        }
        let Ok(mut told) = told.lock() else {
            return ControlFlow::Break(());
        };
        let (all, last) = &mut *told;
        let is_read = reading.of == Some(reading.done);
        match all.iter_mut().find(|known| known.name == reading.name) {
            Some(known) => *known = reading,
            None => all.push(reading),
        }
        if is_read || last.is_none_or(|last| last.elapsed() >= PICTURE) {
            *last = Some(Instant::now());
            say(CompareStep::Reading(all.clone()));
        }
        ControlFlow::Continue(())
    })
}

fn verdict(
    compared: &Compared,
    (before, after): (String, String),
    analysis: AnalysisAsk,
    at: UnixMs,
    alive: &Weak<()>,
) -> Result<Verdict, Incomparable> {
    let mut movers = Movers::new(analysis);
    let mut differences = Vec::new();
    let tally = compared.join(|difference| {
        if alive.upgrade().is_none() {
            return ControlFlow::Break(());
        }
        movers.take(&difference, at);
        if differences.len() < KEPT {
            differences.push(difference);
        }
        ControlFlow::Continue(())
    })?;
    if alive.upgrade().is_none() {
        return Err(Incomparable::Stopped);
    }
    differences.sort_by(|a, b| (a.space, &a.key).cmp(&(b.space, &b.key)));
    Ok(Verdict {
        before,
        after,
        is_target_before: false,
        form: compared.form,
        at,
        tally,
        rows: movers.rows(ROWS, None, at),
        differences,
        notes: compared.notes.clone(),
    })
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Incomparable> + Send + 'static,
) -> Result<T, Incomparable> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|lost| Err(Incomparable::Spill(lost.to_string())))
}
