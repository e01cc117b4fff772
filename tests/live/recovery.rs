//! Servers die and come back under a backend and under a worker, and both carry on.

use std::time::{Duration, Instant};

use cachedeck::analysis::{AnalysisAsk, Via};
use cachedeck::engine::SurveyAsk;
use cachedeck::engine::worker::{Query, Report, SessionState, SurveyStep, Ticket, WalkStep};
use cachedeck::engine::{Backend, Fault, Kind};
use cachedeck::model::{Break, History, Job, Key, Limits, Pace, Target, WalkAsk, Wants, Window};

use super::bench::{backend, run, sample, target};
use crate::common::desk::Desk;
use crate::common::memcached::{self, MemcachedServer};
use crate::common::proxy::{Cut, FaultProxy};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::resp::{Reply, RespClient};
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

#[test]
fn a_worker_says_when_it_is_up_down_and_up_again() {
    let mut server = RedisServer::plain(Flavor::default());
    let desk = Desk::at(&server.url());
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
    let desk = Desk::at(&server.url());
    desk.wait_for_session("the first connection", |state| *state == SessionState::Up);
    server.stop();
    // The mailbox takes questions while the server hangs.
    desk.ask(Query::Show {
        ticket: Ticket(7),
        key: Key::from("any"),
        window: Window { from: 0, count: 10 },
    });
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
    let desk = Desk::at(&server.url());
    let ask = |query| desk.ask(query);
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
            step: WalkStep::Names(listed),
        } => {
            seen = listed.names.len();
            None
        }
        Report::Walk {
            ticket: Ticket(1),
            step: WalkStep::Ended,
        } => Some(()),
        _ => None,
    });
    assert_eq!(seen, 5000);
}

#[test]
fn a_survey_reports_while_it_goes_on_and_ends_exactly() {
    let server = RedisServer::plain(Flavor::default());
    let script = "for n = 1, 30000 do redis.call('SET', 'user:' .. n, n) end";
    server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    let desk = Desk::at(&server.url());
    for via in [Via::Sample, Via::Scan] {
        let walk = WalkAsk {
            wants: Wants::BASICS,
            ..WalkAsk::default()
        };
        desk.ask(Query::Survey {
            ticket: Ticket(3),
            ask: Box::new(SurveyAsk {
                walk,
                via,
                analysis: AnalysisAsk::default(),
                prefers_replica: false,
            }),
        });
        desk.ask(Query::PauseSurvey);
        desk.ask(Query::ContinueSurvey);
        desk.ask(Query::PaceSurvey(Pace::FullSpeed));
        let mut last = None;
        desk.wait_for("the end of the survey", |report| match report {
            Report::Survey {
                step: SurveyStep::Report(report),
                ..
            } => {
                last = Some(report);
                None
            }
            Report::Survey {
                step: SurveyStep::Ended,
                ..
            } => Some(()),
            _ => None,
        });
        let report = last.expect("a report before the end");
        assert_eq!((report.via, report.keys.value), (via, 30_000));
        assert_eq!(report.types[0].keys.is_exact(), via == Via::Scan);
    }
}

#[test]
fn a_connection_that_was_killed_is_opened_again_and_nobody_notices() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let desk = Desk::at(&server.url());
        desk.wait_until_up();
        desk.next_sample();
        assert!(server.run("CLIENT KILL TYPE normal").int() > 0);
        for _ in 0..3 {
            desk.wait_for("a sample", |report| match report {
                Report::Session(state) => panic!("{flavor:?}: {state:?}"),
                Report::Sampled(_) => Some(()),
                _ => None,
            });
        }
    }
}

/// How often the server refused a password.
fn refused_logins(client: &mut RespClient) -> u64 {
    let info = client.cmd(&[b"INFO", b"errorstats"]).expect("INFO");
    info.text()
        .lines()
        .find_map(|line| line.strip_prefix("errorstat_WRONGPASS:count="))
        .map_or(0, |count| count.trim().parse().expect("a count"))
}

#[test]
fn a_changed_password_is_said_and_not_tried_in_a_storm() {
    for flavor in Flavor::available() {
        let server = RedisServer::start(Options {
            flavor,
            password: Some("first".to_owned()),
            ..Options::default()
        });
        let mut admin = server.client();
        let desk = Desk::at(&format!("redis://:first@{}", server.address()));
        desk.wait_until_up();
        let changed = Instant::now();
        for command in [
            &[&b"CONFIG"[..], b"SET", b"requirepass", b"second"][..],
            &[b"CLIENT", b"KILL", b"TYPE", b"normal"],
        ] {
            assert!(!admin.cmd(command).expect("an answer").is_error());
        }
        let why = desk.wait_until_down();
        assert!(matches!(why, Fault::Login { .. }), "{why}");
        for number in 0..20 {
            desk.ask(Query::SampleNow);
            desk.ask(Query::Preflight {
                ticket: Ticket(number),
                job: Job::Snapshot,
            });
        }
        let error = desk.wait_for("the last answer", |report| match report {
            Report::Preflight {
                ticket: Ticket(19),
                preflight,
            } => Some(preflight.expect_err("no login")),
            _ => None,
        });
        assert_eq!(error.kind(), Kind::Permission);
        let tried = refused_logins(&mut admin);
        let may = 1 + changed.elapsed().as_secs() / 5;
        assert!((1..=may).contains(&tried), "{flavor:?}: {tried} logins");
        let back = admin.cmd(&[b"CONFIG", b"SET", b"requirepass", b"first"]);
        assert!(!back.expect("an answer").is_error());
        desk.wait_until_up();
    }
}

#[test]
fn a_server_without_a_free_connection_says_so_until_there_is_one() {
    for flavor in Flavor::available() {
        let server = RedisServer::start(Options {
            flavor,
            args: vec!["--maxclients".to_owned(), "5".to_owned()],
            ..Options::default()
        });
        let mut crowd = Vec::new();
        wait::until("the server to be full", wait::PATIENCE, || {
            let mut client = server.client();
            let said = client.cmd(&[b"PING"]);
            if matches!(said, Ok(Reply::Simple(_))) {
                crowd.push(client);
                return None;
            }
            Some(())
        });
        let desk = Desk::at(&server.url());
        let why = desk.wait_until_down();
        assert!(matches!(why, Fault::NotReady { .. }), "{flavor:?}: {why}");
        assert!(why.to_string().contains("max number of clients"), "{why}");
        crowd.clear();
        desk.wait_until_up();
    }
}

#[test]
fn a_sample_that_was_asked_for_during_another_follows_it_once() {
    let server = RedisServer::plain(Flavor::default());
    let proxy = FaultProxy::to(server.address());
    let url = format!("redis://{}", proxy.address());
    let samples = || {
        let sent = proxy.sent();
        let info = b"\r\nINFO\r\n";
        sent.windows(info.len()).filter(|part| part == info).count()
    };
    proxy.set(|faults| faults.stall = true);
    let desk = Desk::over(target(&url), Duration::from_secs(3600));
    wait::until("the first question", wait::PATIENCE, || {
        (samples() == 1).then_some(())
    });
    for _ in 0..3 {
        desk.ask(Query::SampleNow);
    }
    proxy.heal();
    desk.next_sample();
    desk.next_sample();
    desk.ask(Query::SampleNow);
    desk.next_sample();
    assert_eq!(samples(), 3);
}

/// A target whose limits end within a test's patience.
fn impatient(url: &str) -> Target {
    let limits = Limits {
        connect: Duration::from_millis(500),
        reply: Duration::from_millis(500),
        ..Limits::default()
    };
    Target {
        limits,
        ..target(url)
    }
}

#[test]
fn a_connection_that_only_looks_open_is_found_out_and_replaced() {
    let redis = RedisServer::plain(Flavor::default());
    let memcached = MemcachedServer::start(memcached::Options::default());
    for (scheme, address) in [
        ("redis", redis.address()),
        ("memcached", memcached.address()),
    ] {
        let proxy = FaultProxy::to(address);
        let url = format!("{scheme}://{}", proxy.address());
        let desk = Desk::over(impatient(&url), Duration::from_millis(50));
        desk.wait_until_up();
        proxy.set(|faults| faults.stall = true);
        let why = desk.wait_until_down();
        assert!(matches!(why, Fault::Timeout { .. }), "{scheme}: {why}");
        proxy.heal();
        desk.ask(Query::SampleNow);
        desk.wait_until_up();
    }
}

#[test]
fn a_walk_goes_on_over_a_new_connection() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let script = "for n = 1, 3000 do redis.call('SET', 'user:' .. n, n) end";
        server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
        let proxy = FaultProxy::to(server.address());
        let url = format!("redis://{}", proxy.address());
        let mut names = run(async {
            let backend = backend(&url);
            let ask = WalkAsk {
                pattern: None,
                pace: Pace::FullSpeed,
                ..WalkAsk::default()
            };
            let mut walk = backend.walk(ask).await.expect("a walk");
            let mut names = Vec::new();
            while let Some(page) = walk.step().await.expect("a step") {
                names.extend(page.found.into_iter().map(|one| one.key));
                proxy.cut(Cut::Rst);
            }
            names
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3000, "{flavor:?}");
        assert!(proxy.connections() > 2, "the connection was cut");
    }
}

#[test]
fn names_that_do_not_fit_into_one_reply_come_in_smaller_pages() {
    let server = RedisServer::plain(Flavor::default());
    let script = "for n = 1, 300 do redis.call('SET', n .. string.rep('x', 20000), n) end";
    server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    let mut target = target(&server.url());
    target.limits.reply_bytes = 500_000;
    let found = run(async {
        let backend = cachedeck::engine::Server::at(target);
        let found = super::bench::walked(&backend, WalkAsk::default()).await;
        let keys: Vec<Key> = found.iter().map(|one| one.key.clone()).collect();
        backend.facts(&keys).await.expect("facts");
        found
    });
    assert_eq!(found.len(), 300);
}

#[test]
fn a_server_that_reads_its_dataset_says_how_far_it_is() {
    // It looks up from loading every 2 MiB: 20 MiB in about two seconds are ten occasions.
    let args = ["--key-load-delay", "500", "--rdbcompression", "no"];
    let mut server = RedisServer::start(Options {
        args: args.map(str::to_owned).to_vec(),
        ..Options::default()
    });
    let script = "for n = 1, 4000 do redis.call('SET', n, string.rep('x', 5000)) end";
    server.cmd(&[b"EVAL", script.as_bytes(), b"0"]);
    server.run("SAVE");
    let desk = Desk::at(&server.url());
    desk.wait_until_up();
    server.kill();
    server.restart();
    let progress = desk.wait_for("a sample while loading", |report| match report {
        Report::Sampled(sample) => {
            let persistence = sample.persistence.expect("persistence");
            persistence
                .is_loading
                .then_some(persistence.loading_progress)
        }
        _ => None,
    });
    assert!(
        progress.is_some_and(|part| (0.0..=1.0).contains(&part)),
        "{progress:?}"
    );
}

#[test]
fn memcacheds_crawler_does_not_wait_for_a_walk_that_pauses_or_is_left() {
    let server = MemcachedServer::start(memcached::Options::default());
    let mut client = server.client();
    for number in 0..60_000 {
        // Names so long that the list does not fit into the buffers between.
        let name = format!("{number:0>240}");
        assert_eq!(client.set(&name, b"", 0), b"STORED\r\n");
    }
    let is_over = |what: &str| {
        wait::until(what, wait::PATIENCE, || {
            (server.stat("lru_crawler_running")? == "0").then_some(())
        });
    };
    let desk = Desk::at(&server.url());
    for ticket in [Ticket(1), Ticket(2)] {
        desk.ask(Query::Walk {
            ticket,
            ask: WalkAsk::default(),
        });
        desk.ask(Query::PauseWalk);
        is_over("the crawler to end beside a paused walk");
    }
    desk.ask(Query::StopWalk);
    desk.next_sample();
    is_over("the crawler to end after a walk that was left");
}
