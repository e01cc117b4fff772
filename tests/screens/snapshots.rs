//! The snapshots pane: states, sizes, and a snapshot from wish to proof.

use cachedeck::engine::Fault;
use cachedeck::engine::fetching::{FetchedFile, Fetching, FileAsk};
use cachedeck::engine::worker::{FetchStep, Query, Report, Ticket};
use cachedeck::model::{
    Bytes, Change, FetchPhase, FetchProgress, Job, Outcome, Persistence, Preflight, PreflightNote,
    Preview, Protocol, SaveStatus, SnapshotState, Target, UnixMs, Verdict,
};
use cachedeck::tui::theme::Theme;

use crate::common::{NOW, Screen, WATCHED, memcached_up, redis, redis_down, redis_up, sampled};
use crate::picture;

fn preflight() -> Preflight {
    let note = |verdict, what: &str, words: &str| PreflightNote {
        verdict,
        what: what.to_owned(),
        words: words.to_owned(),
    };
    Preflight {
        notes: vec![
            note(Verdict::Good, "not saving", "no other save is running"),
            note(
                Verdict::Caution,
                "memory headroom",
                "1.25 GiB used of 1.50 GiB: a fork may need up to as much again",
            ),
            note(Verdict::Unknown, "disk", "not permitted: CONFIG"),
        ],
    }
}

fn opened(screen: Screen) -> Screen {
    let mut screen = screen.with(redis_up()).press("3");
    let Some(Query::Preflight { ticket, .. }) = screen.asked() else {
        panic!("no preflight was asked for");
    };
    screen.tell(Report::Preflight {
        ticket,
        preflight: Ok(preflight()),
    });
    screen
}

/// A snapshot was permitted and accepted.
fn accepted() -> Screen {
    let mut screen = opened(Screen::of(80, 24)).press("b");
    let Some(Query::Preview { ticket, .. }) = screen.asked() else {
        panic!("no preview was asked for");
    };
    screen.tell(Report::Previewed {
        ticket,
        change: Change::Snapshot,
        preview: Ok(Preview {
            commands: vec!["BGSAVE".to_owned()],
            of: 1,
            ..Preview::default()
        }),
    });
    let mut screen = screen.press("y");
    let apply = std::iter::from_fn(|| screen.asked()).find_map(|query| match query {
        Query::Apply { ticket, permit } => Some((ticket, permit)),
        _ => None,
    });
    let (ticket, permit) = apply.unwrap();
    let outcome = Outcome::Snapshot(SnapshotState::BEGUN);
    permit.close(Ok(&outcome)).unwrap();
    screen.tell(Report::Applied {
        ticket,
        outcome: Ok(outcome),
    });
    screen
}

fn reading(second: u64, change: impl Fn(&mut Persistence)) -> Report {
    let mut sample = redis(WATCHED + second);
    change(sample.persistence.as_mut().unwrap());
    sampled(sample)
}

fn saving(persistence: &mut Persistence) {
    persistence.is_saving = true;
    persistence.progress = Some(0.42);
    persistence.saving_for = Some(std::time::Duration::from_secs(2));
}

#[test]
fn normal() {
    for (width, height) in [(80, 24), (200, 60), (40, 10), (20, 6)] {
        let screen = opened(Screen::of(width, height));
        picture!(format!("snapshots_{width}x{height}"), screen.shown());
    }
}

#[test]
fn loading_failing_and_ascii() {
    picture!("snapshots_loading", Screen::of(80, 24).press("3").shown());
    let screen = Screen::of(80, 24).with(redis_down()).press("3");
    picture!("snapshots_failing", screen.shown());
    let screen = opened(Screen::ascii(80, 24));
    assert!(screen.shown().is_ascii());
    picture!("snapshots_ascii", screen.shown());
}

#[test]
fn memcached_has_items_to_fetch_and_nothing_on_disk() {
    let target = Target {
        protocol: Protocol::Memcached,
        ..crate::common::target()
    };
    let mut screen = Screen::at(target, Theme::default(), 80, 24)
        .with(memcached_up())
        .press("3");
    let Some(Query::Preflight { ticket, job }) = screen.asked() else {
        panic!("no check was asked for");
    };
    assert_eq!(job, Job::Fetch);
    screen.tell(Report::Preflight {
        ticket,
        preflight: Ok(preflight()),
    });
    picture!("snapshots_memcached", screen.shown());
    assert!(!screen.shown().contains("create"));
}

/// A fetch was asked for, found harmless, and given the usual name.
fn fetching() -> (Screen, Ticket, FileAsk) {
    let mut screen = opened(Screen::of(80, 24)).press("f");
    let Some(Query::Preflight { ticket, job }) = screen.asked() else {
        panic!("no check was asked for");
    };
    assert_eq!(job, Job::Fetch);
    screen.tell(Report::Preflight {
        ticket,
        preflight: Ok(preflight()),
    });
    picture!("snapshots_fetch_asked", screen.shown());
    let mut screen = screen.press("enter");
    let Some(Query::Fetch { ticket, ask }) = screen.asked() else {
        panic!("nothing was fetched");
    };
    (screen, ticket, ask)
}

#[test]
fn a_fetch_says_its_cost_then_how_far_it_is_then_where_the_file_is() {
    let (mut screen, ticket, ask) = fetching();
    assert_eq!(
        ask.file.to_str(),
        Some("127.0.0.1-6379-2026-11-24-1020.rdb")
    );
    let step = FetchStep::Fetching(Fetching::Copy(FetchProgress {
        phase: FetchPhase::Receiving,
        received: Bytes(30 << 20),
        size: Some(Bytes(60 << 20)),
    }));
    screen.tell(Report::Fetch { ticket, step });
    picture!("snapshots_fetching", screen.shown());
    let file = FetchedFile {
        file: ask.file,
        size: Bytes(60 << 20),
        keys: None,
        took: std::time::Duration::from_secs(7),
        notes: Vec::new(),
    };
    let step = FetchStep::Ended(Box::new(file));
    screen.tell(Report::Fetch { ticket, step });
    picture!("snapshots_fetched", screen.shown());
}

#[test]
fn a_fetch_is_stopped_when_asked_and_what_comes_late_is_not_shown() {
    let (screen, ticket, _) = fetching();
    let mut screen = screen.press("x");
    assert!(matches!(screen.asked(), Some(Query::StopFetch)));
    let step = FetchStep::Failed(Fault::Setup("stopped".to_owned()).into());
    screen.tell(Report::Fetch { ticket, step });
    let shown = screen.shown();
    assert!(
        shown.contains("nothing stays of it") && !shown.contains("FAILED"),
        "{shown}"
    );
}

#[test]
fn what_the_check_forbids_is_not_fetched() {
    let mut screen = opened(Screen::of(80, 24)).press("f");
    let Some(Query::Preflight { ticket, .. }) = screen.asked() else {
        panic!("no check was asked for");
    };
    let preflight = Preflight {
        notes: vec![PreflightNote {
            verdict: Verdict::Stop,
            what: "permission".to_owned(),
            words: "PSYNC is not permitted".to_owned(),
        }],
    };
    screen.tell(Report::Preflight {
        ticket,
        preflight: Ok(preflight),
    });
    assert!(screen.asked().is_none());
    let shown = screen.shown();
    assert!(shown.contains("not fetched: permission: PSYNC"), "{shown}");
}

#[test]
fn a_snapshot_is_written_only_when_proven() {
    let mut screen = accepted();
    screen.tell(reading(1, saving));
    picture!("snapshots_running", screen.shown());
    screen.tell(reading(2, |persistence| {
        persistence.last_save = Some(UnixMs(NOW.0 - 1_000));
        persistence.last_cow = Some(Bytes(1 << 20));
    }));
    let shown = screen.shown();
    assert!(
        shown.contains("10:19:59  snapshot     ok, took 4s"),
        "{shown}"
    );
    assert!(shown.contains("by you@here"), "{shown}");
    picture!("snapshots_done", shown);
}

#[test]
fn a_failed_snapshot_says_so() {
    let mut screen = accepted();
    screen.tell(reading(1, saving));
    screen.tell(reading(2, |persistence| {
        persistence.last_status = Some(SaveStatus::Failed);
    }));
    picture!("snapshots_failed", screen.shown());
}

#[test]
fn a_preflight_that_fails_says_why() {
    let mut screen = Screen::of(80, 24).with(redis_up()).press("3");
    let Some(Query::Preflight { ticket, .. }) = screen.asked() else {
        panic!("no preflight was asked for");
    };
    screen.tell(Report::Preflight {
        ticket,
        preflight: Err(Fault::NotPermitted {
            command: "INFO".to_owned(),
            why: "this user has no permissions".to_owned(),
        }),
    });
    let shown = screen.shown();
    assert!(shown.contains("not permitted: INFO"), "{shown}");
}

#[test]
fn a_check_is_made_anew_when_what_the_server_is_busy_with_changes() {
    let mut screen = opened(Screen::of(80, 24));
    screen.effects.clear();
    screen.tell(reading(1, |_| {}));
    assert!(screen.asked().is_none());
    screen.tell(reading(2, |persistence| persistence.is_loading = true));
    assert!(matches!(screen.asked(), Some(Query::Preflight { .. })));
    screen.tell(reading(3, |_| {}));
    assert!(matches!(screen.asked(), Some(Query::Preflight { .. })));
}

#[test]
fn somebody_elses_snapshot_is_followed_and_remembered() {
    let mut screen = opened(Screen::of(80, 24));
    screen.tell(reading(1, |persistence| {
        saving(persistence);
        persistence.copied = Some(Bytes(3 << 20));
    }));
    picture!("snapshots_of_others", screen.shown());
    assert!(screen.shown().contains("somebody else's"));
    screen.tell(reading(2, |persistence| {
        persistence.last_save = Some(UnixMs(NOW.0 - 1_000));
    }));
    let shown = screen.shown();
    assert!(!shown.contains("saving (some"), "{shown}");
    assert_eq!(shown.matches("by somebody else").count(), 2, "{shown}");
}

#[test]
fn a_copy_for_a_replica_is_no_failed_snapshot() {
    let mut screen = opened(Screen::of(80, 24));
    screen.tell(reading(1, saving));
    screen.tell(reading(2, |_| {}));
    let shown = screen.shown();
    assert!(
        !shown.contains("FAILED") && !shown.contains("saving (some"),
        "{shown}"
    );
}

#[test]
fn a_rewrite_is_proposed_where_there_is_an_append_only_file() {
    let mut screen = opened(Screen::of(80, 24)).press("a");
    let Some(Query::Preview { change, .. }) = screen.asked() else {
        panic!("no preview was asked for");
    };
    assert_eq!(change, Change::RewriteAof);
    let mut screen = opened(Screen::of(80, 24));
    screen.tell(reading(1, |persistence| persistence.aof = None));
    let screen = screen.press("a");
    assert!(screen.shown().contains("is off"), "{}", screen.shown());
}

#[test]
fn failing_and_stale_snapshots_stand_in_the_header() {
    let header = |width, change: fn(&mut Persistence)| {
        let mut screen = Screen::of(width, 24).with(redis_up());
        screen.tell(reading(1, change));
        screen.shown().lines().next().unwrap_or_default().to_owned()
    };
    let failed = |persistence: &mut Persistence| {
        persistence.last_status = Some(SaveStatus::Failed);
    };
    assert!(
        header(80, failed).contains("SAVE FAILED"),
        "{}",
        header(80, failed)
    );
    assert!(
        header(40, failed).contains("SAVE!"),
        "{}",
        header(40, failed)
    );
    let stale = |persistence: &mut Persistence| {
        persistence.aof = None;
        persistence.last_save = Some(UnixMs(NOW.0 - 3 * 86_400_000));
    };
    assert!(header(80, stale).contains("OLD"), "{}", header(80, stale));
    let fine = |_: &mut Persistence| {};
    assert!(!header(80, fine).contains("SAVE"), "{}", header(80, fine));
}
