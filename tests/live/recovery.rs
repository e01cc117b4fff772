//! Servers die and come back under a backend and under a worker, and both carry on.

use std::sync::mpsc;
use std::time::Duration;

use cachedeck::engine::Backend;
use cachedeck::engine::worker::{Query, Report, SessionState, Ticket, WalkStep, Worker};
use cachedeck::model::{Break, History, Key, WalkAsk, Window};

use super::bench::{backend, run, sample, target};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::wait;

#[test]
fn a_backend_reconnects_and_the_restart_is_noticed() {
    for flavor in Flavor::available() {
        let mut server = RedisServer::plain(flavor);
        let url = server.url();
        run(async {
            let backend = backend(&url);
            let mut history = History::default();
            assert_eq!(history.push(sample(&backend).await), None);
            server.kill();
            backend.sample().await.expect_err("nobody is there");
            server.restart();
            assert_eq!(
                history.push(sample(&backend).await),
                Some(Break::Restarted),
                "{flavor:?}"
            );
        });
    }
}

#[test]
fn memcached_restarts_are_noticed() {
    let mut server = MemcachedServer::start(memcached::Options::default());
    let url = server.url();
    run(async {
        let backend = backend(&url);
        let mut history = History::default();
        history.push(sample(&backend).await);
        server.kill();
        backend.sample().await.expect_err("nobody is there");
        server.restart();
        assert_eq!(history.push(sample(&backend).await), Some(Break::Restarted));
    });
}

/// A worker on a server, and what it says.
struct Desk {
    worker: Worker,
    reports: mpsc::Receiver<Report>,
    _runtime: tokio::runtime::Runtime,
}

fn desk(url: &str) -> Desk {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (sender, reports) = mpsc::channel();
    let report = move |report| drop(sender.send(report));
    let worker = Worker::start(
        runtime.handle(),
        target(url),
        Duration::from_millis(50),
        report,
    );
    Desk {
        worker,
        reports,
        _runtime: runtime,
    }
}

impl Desk {
    /// Reads reports until one is the wanted one.
    fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(Report) -> Option<T>) -> T {
        loop {
            let report = self.reports.recv_timeout(wait::PATIENCE);
            let report = report.unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if let Some(found) = wanted(report) {
                return found;
            }
        }
    }

    fn wait_for_session(&self, what: &str, wanted: impl Fn(&SessionState) -> bool) {
        self.wait_for(what, |report| match report {
            Report::Session(state) => wanted(&state).then_some(()),
            _ => None,
        });
    }
}

#[test]
fn a_worker_says_when_it_is_up_down_and_up_again() {
    let mut server = RedisServer::plain(Flavor::default());
    let desk = desk(&server.url());
    desk.wait_for_session("the first connection", |state| *state == SessionState::Up);
    server.kill();
    desk.wait_for_session("the loss", |state| {
        matches!(state, SessionState::Down { .. })
    });
    server.restart();
    desk.wait_for_session("the return", |state| *state == SessionState::Up);
}

#[test]
fn a_hanging_server_is_called_down_and_questions_still_end() {
    let server = RedisServer::plain(Flavor::default());
    let desk = desk(&server.url());
    desk.wait_for_session("the first connection", |state| *state == SessionState::Up);
    server.stop();
    let asked = desk.worker.ask(Query::Show {
        ticket: Ticket(7),
        key: Key::from("any"),
        window: Window { from: 0, count: 10 },
    });
    assert!(
        asked.is_ok(),
        "the mailbox takes questions while the server hangs"
    );
    let error = desk.wait_for("the answer", |report| match report {
        Report::Shown {
            ticket: Ticket(7),
            shown,
        } => Some(shown.expect_err("it hangs").to_string()),
        _ => None,
    });
    server.cont();
    assert!(error.contains("did not answer within"), "{error}");
}

#[test]
fn a_walk_can_be_paused_continued_and_ends() {
    let server = RedisServer::plain(Flavor::default());
    let script = "for n = 1, 5000 do redis.call('SET', 'user:' .. n, n) end";
    server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    let desk = desk(&server.url());
    let ask = |query| assert!(desk.worker.ask(query).is_ok());
    ask(Query::Walk {
        ticket: Ticket(1),
        ask: WalkAsk::default(),
    });
    ask(Query::PauseWalk);
    ask(Query::ContinueWalk);
    let mut seen = 0;
    desk.wait_for("the end of the walk", |report| match report {
        Report::Walk {
            ticket: Ticket(1),
            step: WalkStep::Page(page),
        } => {
            seen += page.found.len();
            None
        }
        Report::Walk {
            ticket: Ticket(1),
            step: WalkStep::Ended,
        } => Some(()),
        _ => None,
    });
    assert!(seen >= 5000, "{seen}");
}
