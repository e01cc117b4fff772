//! The actor that the screen speaks to: queries in, reports out, and nobody waits.
//!
//! Per target there are four tasks: the heartbeat, which samples on its own connection; the desk,
//! which answers one question after the other; the guide, which starts, pauses and stops walks; and,
//! while there is one, the walk. A slow answer at the desk delays no sample and no pause.

mod comparing;
mod fetching;
mod surveying;
mod walking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::engine::fetching::FileAsk;
use crate::engine::{Backend, Fault, Server, SurveyAsk, gate};
use crate::guard::Permit;
use crate::model::{
    Change, Features, Job, Key, KeyCard, KeyRow, Outcome, Pace, Preflight, Preview, Sample, Target,
    UnixMs, Value, WalkAsk, Window,
};

pub use comparing::{CompareAsk, CompareStep, Verdict, With};
pub use fetching::FetchStep;
pub use surveying::SurveyStep;
use walking::Control;
pub use walking::{Listed, WalkStep};

/// Queries that may wait at the desk. The screen asks for little at a time; a full mailbox means
/// that the server hangs, and then more waiting questions help nobody.
const MAILBOX: usize = 64;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Which question an answer belongs to. Who asks chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the screen may ask.
#[derive(Debug)]
pub enum Query {
    /// Take samples this often from now on.
    Interval(Duration),
    /// Take a sample, or try to connect, now.
    SampleNow,
    /// Start a walk; one that is under way ends.
    Walk {
        ticket: Ticket,
        ask: WalkAsk,
    },
    PauseWalk,
    ContinueWalk,
    /// The walk goes on at this pace.
    PaceWalk(Pace),
    StopWalk,
    /// Find out what the keyspace consists of; a survey that is under way ends.
    Survey {
        ticket: Ticket,
        ask: Box<SurveyAsk>,
    },
    PauseSurvey,
    ContinueSurvey,
    /// The survey goes on at this pace.
    PaceSurvey(Pace),
    StopSurvey,
    /// Hold the target against another one or a file; a comparison that is under way ends.
    Compare {
        ticket: Ticket,
        ask: Box<CompareAsk>,
    },
    StopComparison,
    /// Bring all data into a file; a fetch that is under way ends and leaves no file.
    Fetch {
        ticket: Ticket,
        ask: FileAsk,
    },
    StopFetch,
    Facts {
        ticket: Ticket,
        keys: Vec<Key>,
    },
    Show {
        ticket: Ticket,
        key: Key,
        window: Window,
    },
    Preview {
        ticket: Ticket,
        change: Change,
    },
    Preflight {
        ticket: Ticket,
        job: Job,
    },
    Apply {
        ticket: Ticket,
        permit: Box<Permit>,
    },
}

/// What the worker says, unasked or as the answer to a ticket.
#[derive(Debug)]
pub enum Report {
    Session(SessionState),
    Sampled(Box<Sample>),
    /// What the server lacks, told again whenever more was learnt.
    Features(Features),
    Walk {
        ticket: Ticket,
        step: WalkStep,
    },
    Survey {
        ticket: Ticket,
        step: SurveyStep,
    },
    Compare {
        ticket: Ticket,
        step: CompareStep,
    },
    Fetch {
        ticket: Ticket,
        step: FetchStep,
    },
    Facts {
        ticket: Ticket,
        rows: Result<Vec<KeyRow>, Fault>,
    },
    Shown {
        ticket: Ticket,
        shown: Box<Result<Option<(KeyCard, Value)>, Fault>>,
    },
    Previewed {
        ticket: Ticket,
        change: Change,
        preview: Result<Preview, Fault>,
    },
    Preflight {
        ticket: Ticket,
        preflight: Result<Preflight, Fault>,
    },
    Applied {
        ticket: Ticket,
        outcome: Result<Outcome, Fault>,
    },
}

/// Where the heartbeat's connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    Connecting,
    Up,
    Down {
        why: Fault,
        since: UnixMs,
        next_try: UnixMs,
    },
}

/// The handle on a running worker. Dropping it ends its tasks.
#[derive(Debug)]
pub struct Worker {
    desk: mpsc::Sender<Query>,
    guide: mpsc::Sender<Query>,
    tasks: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Starts the tasks for a target. `report` must not block: it is called from them.
    pub fn start(
        runtime: &Handle,
        target: Target,
        interval: Duration,
        report: impl Fn(Report) + Clone + Send + Sync + 'static,
    ) -> Self {
        let server = Arc::new(Server::at(target.clone()));
        let (desk, questions) = mpsc::channel(MAILBOX);
        let (guide, orders) = mpsc::channel(MAILBOX);
        let (pulse, pulses) = watch::channel(interval);
        let tasks = vec![
            runtime.spawn(heartbeat(Arc::clone(&server), pulses, report.clone())),
            runtime.spawn(answer(Arc::clone(&server), questions, report.clone())),
            runtime.spawn(
                Guide {
                    server,
                    pulse,
                    report,
                    walk: None,
                    survey: None,
                    comparison: None,
                    fetch: None,
                    target,
                }
                .lead(orders),
            ),
        ];
        Self { desk, guide, tasks }
    }

    /// Puts a question to the worker without waiting.
    ///
    /// Of several waiting questions for facts, and of several for values, only the newest is
    /// answered: the screen has moved on from the others.
    ///
    /// # Errors
    /// Gives the question back when too many are waiting, which means that the server hangs.
    pub fn ask(&self, query: Query) -> Result<(), Box<Query>> {
        let mailbox = if query.is_question() {
            &self.desk
        } else {
            &self.guide
        };
        mailbox
            .try_send(query)
            .map_err(|error| Box::new(error.into_inner()))
    }
}

impl Query {
    /// Whether it waits for an answer of the server; the others take effect at once.
    fn is_question(&self) -> bool {
        match self {
            Self::Facts { .. }
            | Self::Show { .. }
            | Self::Preview { .. }
            | Self::Preflight { .. }
            | Self::Apply { .. } => true,
            Self::Interval(_)
            | Self::SampleNow
            | Self::Walk { .. }
            | Self::PauseWalk
            | Self::ContinueWalk
            | Self::PaceWalk(_)
            | Self::StopWalk
            | Self::Survey { .. }
            | Self::PauseSurvey
            | Self::ContinueSurvey
            | Self::PaceSurvey(_)
            | Self::StopSurvey
            | Self::Compare { .. }
            | Self::StopComparison
            | Self::Fetch { .. }
            | Self::StopFetch => false,
        }
    }

    /// Whether `newer` makes this one pointless.
    fn yields_to(&self, newer: &Self) -> bool {
        matches!(
            (self, newer),
            (Self::Facts { .. }, Self::Facts { .. }) | (Self::Show { .. }, Self::Show { .. })
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Samples for ever: at the interval while the server answers, with growing and jittered pauses
/// while it does not.
async fn heartbeat(
    server: Arc<Server>,
    mut pulses: watch::Receiver<Duration>,
    report: impl Fn(Report),
) {
    report(Report::Session(SessionState::Connecting));
    let mut known = None;
    let mut down_since: Option<UnixMs> = None;
    let mut retry = FIRST_RETRY;
    let mut was_up = false;
    loop {
        let began = tokio::time::Instant::now();
        let pause = match server.sample().await {
            Ok(sample) => {
                down_since = None;
                retry = FIRST_RETRY;
                if !was_up {
                    was_up = true;
                    report(Report::Session(SessionState::Up));
                }
                let features = server.features();
                if known.as_ref() != Some(&features) {
                    known = Some(features.clone());
                    report(Report::Features(features));
                }
                report(Report::Sampled(Box::new(sample)));
                pulses.borrow().saturating_sub(began.elapsed())
            }
            Err(why) => {
                was_up = false;
                let pause = jittered(retry).max(gate::shut_after(&why).unwrap_or_default());
                retry = (retry * 2).min(LONGEST_RETRY);
                let now = now();
                let since = *down_since.get_or_insert(now);
                let next_try = now.plus(pause);
                report(Report::Session(SessionState::Down {
                    why,
                    since,
                    next_try,
                }));
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = pulses.changed() => if changed.is_err() { return },
        }
    }
}

/// Answers questions in their order, leaving out those that a newer one replaced while they waited.
async fn answer(
    server: Arc<Server>,
    mut questions: mpsc::Receiver<Query>,
    report: impl Fn(Report),
) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match questions.recv().await {
                Some(question) => waiting.push_back(question),
                None => return,
            }
        }
        while let Ok(question) = questions.try_recv() {
            waiting.retain(|older: &Query| !older.yields_to(&question));
            waiting.push_back(question);
        }
        let Some(question) = waiting.pop_front() else {
            continue;
        };
        if let Some(answer) = answer_to(&server, question).await {
            report(answer);
        }
    }
}

async fn answer_to(server: &Server, question: Query) -> Option<Report> {
    Some(match question {
        Query::Facts { ticket, keys } => Report::Facts {
            ticket,
            rows: server.facts(&keys).await,
        },
        Query::Show {
            ticket,
            key,
            window,
        } => Report::Shown {
            ticket,
            shown: Box::new(server.show(&key, window).await),
        },
        Query::Preview { ticket, change } => {
            let preview = server.preview(&change).await;
            Report::Previewed {
                ticket,
                change,
                preview,
            }
        }
        Query::Preflight { ticket, job } => Report::Preflight {
            ticket,
            preflight: server.preflight(job).await,
        },
        Query::Apply { ticket, permit } => Report::Applied {
            ticket,
            outcome: server.apply(*permit).await,
        },
        // Orders go to the guide.
        Query::Interval(_)
        | Query::SampleNow
        | Query::Walk { .. }
        | Query::PauseWalk
        | Query::ContinueWalk
        | Query::PaceWalk(_)
        | Query::StopWalk
        | Query::Survey { .. }
        | Query::PauseSurvey
        | Query::ContinueSurvey
        | Query::PaceSurvey(_)
        | Query::StopSurvey
        | Query::Compare { .. }
        | Query::StopComparison
        | Query::Fetch { .. }
        | Query::StopFetch => return None,
    })
}

/// Takes orders that need no answer: the pulse of the heartbeat, the one walk and the one survey.
struct Guide<R> {
    server: Arc<Server>,
    pulse: watch::Sender<Duration>,
    report: R,
    target: Target,
    walk: Option<Tour>,
    survey: Option<Tour>,
    comparison: Option<Tour>,
    fetch: Option<Tour>,
}

/// A task that goes over the keyspace. Dropping it ends it.
struct Tour {
    task: JoinHandle<()>,
    control: watch::Sender<Control>,
    /// The thread that files its names looks whether this is still there.
    _wanted: Arc<()>,
}

impl Drop for Tour {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<R: Fn(Report) + Clone + Send + Sync + 'static> Guide<R> {
    async fn lead(mut self, mut orders: mpsc::Receiver<Query>) {
        while let Some(order) = orders.recv().await {
            match order {
                Query::Interval(interval) => {
                    self.pulse.send_replace(interval);
                }
                Query::SampleNow => self.pulse.send_modify(|_| {}),
                Query::Walk { ticket, ask } => self.start_walk(ticket, ask),
                Query::PauseWalk => control(self.walk.as_ref(), |control| control.is_paused = true),
                Query::ContinueWalk => {
                    control(self.walk.as_ref(), |control| control.is_paused = false);
                }
                Query::PaceWalk(pace) => control(self.walk.as_ref(), |control| control.pace = pace),
                Query::Survey { ticket, ask } => self.start_survey(ticket, *ask),
                Query::PauseSurvey => {
                    control(self.survey.as_ref(), |control| control.is_paused = true);
                }
                Query::ContinueSurvey => {
                    control(self.survey.as_ref(), |control| control.is_paused = false);
                }
                Query::PaceSurvey(pace) => {
                    control(self.survey.as_ref(), |control| control.pace = pace);
                }
                Query::StopSurvey => self.survey = None,
                Query::StopWalk => self.walk = None,
                Query::Compare { ticket, ask } => self.start_comparison(ticket, *ask),
                Query::StopComparison => self.comparison = None,
                Query::Fetch { ticket, ask } => self.start_fetch(ticket, ask),
                Query::StopFetch => self.fetch = None,
                // Questions go to the desk.
                Query::Facts { .. }
                | Query::Show { .. }
                | Query::Preview { .. }
                | Query::Preflight { .. }
                | Query::Apply { .. } => {}
            }
        }
    }

    fn start_walk(&mut self, ticket: Ticket, ask: WalkAsk) {
        let (control, controls) = Control::at(ask.pace);
        let wanted = Arc::new(());
        let report = self.report.clone();
        let task = tokio::spawn(walking::walk(
            Arc::clone(&self.server),
            ask,
            controls,
            Arc::downgrade(&wanted),
            move |step| report(Report::Walk { ticket, step }),
        ));
        self.walk = Some(Tour {
            task,
            control,
            _wanted: wanted,
        });
    }

    fn start_survey(&mut self, ticket: Ticket, ask: SurveyAsk) {
        let (control, controls) = Control::at(ask.walk.pace);
        let report = self.report.clone();
        let server = Arc::clone(&self.server);
        let task = tokio::spawn(surveying::survey(server, ask, controls, move |step| {
            report(Report::Survey { ticket, step });
        }));
        self.survey = Some(Tour {
            task,
            control,
            _wanted: Arc::default(),
        });
    }

    fn start_fetch(&mut self, ticket: Ticket, ask: FileAsk) {
        let (control, _) = Control::at(ask.pace);
        let report = self.report.clone();
        let protocol = self.target.protocol;
        let task = tokio::spawn(fetching::fetch(
            Arc::clone(&self.server),
            protocol,
            ask,
            move |step| report(Report::Fetch { ticket, step }),
        ));
        self.fetch = Some(Tour {
            task,
            control,
            _wanted: Arc::default(),
        });
    }

    fn start_comparison(&mut self, ticket: Ticket, ask: CompareAsk) {
        let (control, _) = Control::at(ask.how.pace);
        let wanted = Arc::new(());
        let report = self.report.clone();
        let task = tokio::spawn(comparing::comparing(
            Arc::clone(&self.server),
            self.target.clone(),
            ask,
            Arc::downgrade(&wanted),
            move |step| report(Report::Compare { ticket, step }),
        ));
        self.comparison = Some(Tour {
            task,
            control,
            _wanted: wanted,
        });
    }
}

fn control(tour: Option<&Tour>, change: impl FnOnce(&mut Control)) {
    if let Some(tour) = tour {
        tour.control.send_modify(change);
    }
}

/// Half to all of `span`, so that many dashboards do not knock at a returning server at once.
fn jittered(span: Duration) -> Duration {
    let noise = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() / 1_000 % 1024;
    span / 2 + span / 2 * noise / 1024
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}
