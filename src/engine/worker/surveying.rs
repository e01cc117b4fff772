//! A survey for the screen: keys come in on one task, and a few times a second the screen gets the
//! report of all there were.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::analysis::{Report, Via};
use crate::engine::worker::walking::Control;
use crate::engine::{Fault, Server, Survey, SurveyAsk};
use crate::model::Coverage;

/// Between two reports of a survey that goes on. Making one costs more than a few thousand keys.
const REPORT: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub enum SurveyStep {
    /// What is known by now.
    Report(Box<Report>),
    /// Everything was seen.
    Ended,
    Failed(Fault),
}

/// A sample of so many keys is as good as a person needs; more of it would only cost.
const ENOUGH: u64 = 100_000;

/// Surveys to the end. A sample ends when it is good enough.
pub async fn survey(
    server: Arc<Server>,
    ask: SurveyAsk,
    mut control: watch::Receiver<Control>,
    say: impl Fn(SurveyStep),
) {
    let is_sample = ask.via == Via::Sample;
    let mut survey = Survey::start(vec![server], ask);
    let mut pace = control.borrow().pace;
    let mut told: Option<Instant> = None;
    let mut is_news = false;
    loop {
        let now = *control.borrow_and_update();
        if now.pace != pace {
            pace = now.pace;
            survey.set_pace(pace);
        }
        // The first news is the server's own counts, which need not wait.
        let is_due = told.is_none_or(|told| told.elapsed() >= REPORT);
        if is_news && (is_due || now.is_paused) {
            is_news = false;
            say(report(&survey));
            told = Some(Instant::now());
        }
        if now.is_paused {
            // Its tasks wait for us in their turn, and the server for them.
            if control.changed().await.is_err() {
                return;
            }
            continue;
        }
        let end = tokio::select! {
            step = survey.step() => match step {
                Ok(true) if is_sample && is_enough(&survey.coverage()) => Some(SurveyStep::Ended),
                Ok(true) => None,
                Ok(false) => Some(SurveyStep::Ended),
                Err(fault) => Some(SurveyStep::Failed(fault)),
            },
            changed = control.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        };
        is_news = true;
        if let Some(end) = end {
            say(report(&survey));
            return say(end);
        }
    }
}

fn is_enough(coverage: &Coverage) -> bool {
    coverage.seen >= coverage.of.map_or(ENOUGH, |of| of.min(ENOUGH))
}

fn report(survey: &Survey) -> SurveyStep {
    SurveyStep::Report(Box::new(survey.report(super::now())))
}
