//! A worker on a target, and what it says.

use std::sync::mpsc;
use std::time::Duration;

use cachedeck::engine::worker::{Query, Report, SessionState, Worker};
use cachedeck::model::{Sample, Target};
use tokio::runtime::Runtime;

use super::wait::PATIENCE;

pub struct Desk {
    worker: Worker,
    reports: mpsc::Receiver<Report>,
    _runtime: Runtime,
}

impl Desk {
    /// A worker that samples all the time.
    pub fn at(url: &str) -> Desk {
        let target = Target::parse_url(url).expect("a URL that the tests wrote");
        Desk::over(target, Duration::from_millis(50))
    }

    pub fn over(target: Target, interval: Duration) -> Desk {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (sender, reports) = mpsc::channel();
        // Reports after the end of the test go nowhere.
        let report = move |report| drop(sender.send(report));
        Desk {
            worker: Worker::start(runtime.handle(), target, interval, report),
            reports,
            _runtime: runtime,
        }
    }

    pub fn ask(&self, query: Query) {
        assert!(self.worker.ask(query).is_ok(), "the mailbox is full");
    }

    /// Reads reports until one is the wanted one.
    pub fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(Report) -> Option<T>) -> T {
        loop {
            let report = self.reports.recv_timeout(PATIENCE);
            let report = report.unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if let Some(found) = wanted(report) {
                return found;
            }
        }
    }

    pub fn wait_for_session(&self, what: &str, wanted: impl Fn(&SessionState) -> bool) {
        self.wait_for(what, |report| match report {
            Report::Session(state) => wanted(&state).then_some(()),
            _ => None,
        });
    }

    pub fn wait_until_up(&self) {
        self.wait_for_session("the connection", |state| *state == SessionState::Up);
    }

    /// Why it is down, once it is.
    pub fn wait_until_down(&self) -> cachedeck::engine::Fault {
        self.wait_for("the loss", |report| match report {
            Report::Session(SessionState::Down { why, .. }) => Some(why),
            _ => None,
        })
    }

    pub fn next_sample(&self) -> Sample {
        self.wait_for("a sample", |report| match report {
            Report::Sampled(sample) => Some(*sample),
            _ => None,
        })
    }
}
