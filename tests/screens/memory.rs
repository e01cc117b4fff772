//! The memory pane in its states and sizes.

use std::borrow::Cow;
use std::time::Duration;

use cachedeck::analysis::{Analysis, AnalysisAsk, Circumstances, Report as Analysed, Via};
use cachedeck::engine::Fault;
use cachedeck::engine::worker::{Query, Report, SurveyStep, Ticket};
use cachedeck::model::{
    Account, Bytes, CommandTime, Coverage, Encoding, Key, KeyKind, Lack, OwnBucket, OwnSpread,
    Pace, SpreadUnit, Told, Ttl, WalkCost, WalkKey,
};

use crate::common::{NOW, Screen, memcached_up, redis_down, redis_up};
use crate::picture;

fn key(name: &str, kind: KeyKind, left: Option<u64>, size: u64) -> WalkKey {
    let encoding = match kind {
        KeyKind::Hash => "listpack",
        _ => "embstr",
    };
    WalkKey {
        key: Key::from(name),
        told: Some(Told {
            ttl: left.map_or(Ttl::None, |seconds| {
                Ttl::Until(NOW.plus(Duration::from_secs(seconds)))
            }),
            size: Some(Bytes(size)),
            idle: Some(Duration::from_secs(size * 60)),
            encoding: Some(Encoding(Cow::Borrowed(encoding))),
            length: matches!(kind, KeyKind::Hash).then_some(size / 10),
            kind: Some(kind),
            ..Told::default()
        }),
    }
}

/// A report of a small shop, as a sample of a larger one or as all of it.
fn analysed(via: Via) -> Box<Analysed> {
    let mut analysis = Analysis::new(AnalysisAsk::default());
    for number in 0..600 {
        let session = format!("session:{:016x}", number * 7_919_999_u64);
        analysis.take(
            &key(&session, KeyKind::String, Some(1800 + number), 200),
            NOW,
        );
        let profile = format!("user:{number}:profile");
        analysis.take(&key(&profile, KeyKind::Hash, None, 400 + number), NOW);
    }
    let hostile = "evil\u{202e}\u{1b}[2J".to_owned();
    analysis.take(&key(&hostile, KeyKind::Hash, Some(30), 5_000_000), NOW);
    let of = match via {
        Via::Scan | Via::Rdb => 1_201,
        Via::Sample | Via::Stats => 1_203_991,
    };
    let circumstances = Circumstances {
        via,
        coverage: Coverage {
            seen: 1_201,
            of: Some(of),
            is_complete: via == Via::Scan,
            dataset: Some(Bytes(2_500_000_000)),
            ..Coverage::default()
        },
        cost: WalkCost {
            share: Some(0.048),
            keys_per_s: Some(5_000.0),
            lookups: 4_804,
            ..WalkCost::default()
        },
        lacks: Vec::new(),
        account: None,
    };
    Box::new(analysis.report(NOW, circumstances))
}

fn surveying(screen: Screen) -> (Screen, Ticket, Via) {
    let mut screen = screen.press("5");
    let found = std::iter::from_fn(|| screen.asked()).find_map(|query| match query {
        Query::Survey { ticket, ask } => Some((ticket, ask.via)),
        _ => None,
    });
    let (ticket, via) = found.expect("the pane begins a survey");
    (screen, ticket, via)
}

fn told(screen: Screen, steps: Vec<SurveyStep>) -> Screen {
    let (mut screen, ticket, _) = surveying(screen);
    for step in steps {
        screen.tell(Report::Survey { ticket, step });
    }
    screen
}

#[test]
fn a_sample_says_how_far_off_it_may_be() {
    for (width, height) in [(80, 24), (200, 60), (40, 10), (20, 6)] {
        let steps = vec![SurveyStep::Report(analysed(Via::Sample))];
        let screen = told(Screen::of(width, height).with(redis_up()), steps);
        picture!(format!("memory_{width}x{height}"), screen.shown());
    }
}

#[test]
fn what_the_server_counts_by_itself_is_there_before_any_key() {
    let account = Account {
        keys: Some(1_203_991),
        keys_with_ttl: Some(601_494),
        average_ttl: Some(Duration::from_secs(86_400)),
        dataset: Some(Bytes(2_500_000_000)),
        overhead: Some(Bytes(120_000_000)),
        spreads: vec![OwnSpread {
            kind: "string".to_owned(),
            unit: SpreadUnit::Bytes,
            buckets: vec![OwnBucket {
                border: 1024,
                keys: 9,
            }],
        }],
        commands: vec![CommandTime {
            name: "evil\u{1b}[2J".to_owned(),
            calls: 12_000,
            total: Some(Duration::from_millis(36)),
            p99: None,
        }],
        lacks: Vec::new(),
    };
    let circumstances = Circumstances {
        via: Via::Sample,
        coverage: Coverage::default(),
        cost: WalkCost::default(),
        lacks: Vec::new(),
        account: Some(account),
    };
    let first = Analysis::new(AnalysisAsk::default()).report(NOW, circumstances);
    let steps = vec![SurveyStep::Report(Box::new(first.clone()))];
    let screen = told(Screen::of(80, 24).with(redis_up()), steps);
    picture!("memory_at_once", screen.shown());
    // It does not take the place of anything that keys have told.
    let steps = vec![
        SurveyStep::Report(analysed(Via::Sample)),
        SurveyStep::Report(Box::new(first)),
    ];
    let screen = told(Screen::of(80, 24).with(redis_up()), steps);
    assert!(screen.shown().contains("1,201 keys drawn"));
}

#[test]
fn a_walk_is_exact_and_scrolls_to_the_keys() {
    let steps = vec![SurveyStep::Report(analysed(Via::Scan)), SurveyStep::Ended];
    let screen = told(Screen::ascii(90, 30).with(redis_up()), steps);
    assert!(screen.shown().is_ascii());
    picture!("memory_walked", screen.press("pagedown pagedown").shown());
}

#[test]
fn loading_failing_and_refused() {
    picture!("memory_loading", Screen::of(80, 12).press("5").shown());
    let (screen, ..) = surveying(Screen::of(80, 12).with(redis_up()));
    assert!(screen.shown().contains("asking about keys"));
    let failing = Screen::of(80, 12).with(redis_down()).press("5");
    picture!("memory_failing", failing.shown());
    let fault = Fault::NotPermitted {
        command: "SCAN".to_owned(),
        why: "user ops has no permissions to run the 'scan' command".to_owned(),
    };
    let screen = Screen::of(80, 12).with(redis_up());
    let refused = told(screen, vec![SurveyStep::Failed(fault)]);
    picture!("memory_refused", refused.shown());
}

#[test]
fn what_the_server_would_not_tell_is_named() {
    let mut report = analysed(Via::Scan);
    report.sizes = None;
    report.usage = None;
    report.bytes = None;
    report.lacks = vec![Lack {
        what: "size",
        why: "MEMORY USAGE: not permitted".to_owned(),
    }];
    let screen = Screen::of(80, 60).with(redis_up());
    let shown = told(screen, vec![SurveyStep::Report(report)]).shown();
    assert!(shown.contains("bytes –"), "{shown}");
    assert!(shown.contains("not known: MEMORY USAGE: not permitted"));
    assert!(shown.contains("not known: the server does not tell"));
}

#[test]
fn a_sample_comes_first_and_a_walk_when_asked_and_memcached_walks() {
    let (screen, _, via) = surveying(Screen::of(80, 24).with(redis_up()));
    assert_eq!(via, Via::Sample);
    let mut screen = screen.press("w");
    let asked = screen.asked();
    assert!(
        matches!(&asked, Some(Query::Survey { ask, .. }) if ask.via == Via::Scan),
        "{asked:?}"
    );
    let mut screen = screen.press("f");
    assert!(matches!(
        screen.asked(),
        Some(Query::PaceSurvey(Pace::FullSpeed))
    ));
    let mut screen = screen.press("p");
    assert!(matches!(screen.asked(), Some(Query::PauseSurvey)));
    let mut screen = screen.press("p");
    assert!(matches!(screen.asked(), Some(Query::ContinueSurvey)));
    let target = cachedeck::model::Target::parse_url("memcached://127.0.0.1:11211").unwrap();
    let memcached = Screen::at(target, Screen::of(1, 1).app.shell.theme, 80, 24);
    let (_, _, via) = surveying(memcached.with(memcached_up()));
    assert_eq!(via, Via::Scan);
}

#[test]
fn a_walk_that_has_seen_little_does_not_replace_a_sample() {
    let (screen, ticket, _) = surveying(Screen::of(80, 24).with(redis_up()));
    let mut screen = screen;
    screen.tell(Report::Survey {
        ticket,
        step: SurveyStep::Report(analysed(Via::Sample)),
    });
    let mut screen = screen.press("w");
    let Some(Query::Survey { ticket, .. }) = screen.asked() else {
        panic!("no walk");
    };
    let mut little = analysed(Via::Scan);
    little.coverage.seen = 100;
    little.coverage.is_complete = false;
    little.coverage.of = Some(1_203_991);
    screen.tell(Report::Survey {
        ticket,
        step: SurveyStep::Report(little),
    });
    let shown = screen.shown();
    assert!(shown.contains("a sample: 1,201 keys drawn"));
    // That the walk goes on, and how far it is, is told all the same.
    assert!(shown.contains("walking: 100 of 1,203,991"), "{shown}");
}
