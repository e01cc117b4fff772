//! The diff pane: what is asked, how far it is, where the differences are, and each of them.

use std::sync::Arc;

use cachedeck::engine::Fault;
use cachedeck::engine::comparison::{Form, Incomparable, Reading, Row, Unit};
use cachedeck::engine::worker::{CompareAsk, CompareStep, Query, Report, Ticket, Verdict, With};
use cachedeck::model::{Bytes, Pace, Target, UnixMs};
use cachedeck::snapshot::diff::{Count, Difference, Facts, Tally, What, kind_number};
use cachedeck::tui::panes::PaneId;
use cachedeck::tui::theme::Theme;

use crate::common::{NOW, Screen, redis_up, target};
use crate::picture;

const HOUR: i64 = 3_600_000;

/// Types the name of the other one, and gives what was asked.
fn begun(screen: Screen, typed: &str) -> (Screen, Ticket, Box<CompareAsk>) {
    let keys: Vec<String> = typed.chars().map(|letter| letter.to_string()).collect();
    let mut screen = screen.press("6 c").press(&keys.join(" ")).press("enter");
    let Some(Query::Compare { ticket, ask }) = screen.asked() else {
        panic!("nothing was asked");
    };
    (screen, ticket, ask)
}

fn told(screen: &mut Screen, ticket: Ticket, step: CompareStep) {
    screen.tell(Report::Compare { ticket, step });
}

fn facts(kind: &cachedeck::model::KeyKind, size: u64, left: Option<i64>) -> Facts {
    Facts {
        kind: kind_number(kind),
        ends: left.map(|left| UnixMs(NOW.0 + left)),
        size: Bytes(size),
    }
}

fn verdict() -> Verdict {
    use cachedeck::model::KeyKind::{Hash, String as Text};
    let one = |key: &[u8], what, before, after| Difference {
        what,
        space: 0,
        key: key.to_vec(),
        before,
        after,
    };
    let count = |keys, bytes| Count { keys, bytes };
    Verdict {
        before: "last-night.rdb".to_owned(),
        after: "prod".to_owned(),
        is_target_before: false,
        form: Form::Keys,
        at: NOW,
        tally: Tally {
            added: count(1_204, 1 << 20),
            removed: count(1, 44),
            changed: count(1, 60),
            ttl_changed: count(1, 10),
            same: count(998_468, 1 << 30),
            repeated: 0,
        },
        rows: vec![
            row("session:", 1, [1_203, 0, 0, 1], [1 << 20, 0, 0, 10]),
            row("user:", 1, [1, 1, 1, 0], [80, 44, 60, 0]),
            row("user:*:", 2, [0, 1, 0, 0], [0, 44, 0, 0]),
        ],
        differences: vec![
            one(
                b"session:\x1b[31m",
                What::TtlChanged,
                Some(facts(&Text, 10, Some(HOUR))),
                Some(facts(&Text, 10, None)),
            ),
            one(
                b"session:a",
                What::Added,
                None,
                Some(facts(&Text, 120, Some(HOUR))),
            ),
            one(
                b"user:1:cart",
                What::Removed,
                Some(facts(&Hash, 44, None)),
                None,
            ),
            one(
                b"user:2",
                What::Changed {
                    in_kind: true,
                    in_value: true,
                    in_ttl: false,
                },
                Some(facts(&Text, 44, None)),
                Some(facts(&Hash, 60, None)),
            ),
        ],
        notes: vec!["prod was read key by key, which is not one moment of it".to_owned()],
    }
}

fn row(prefix: &str, depth: u32, keys: [u64; 4], bytes: [u64; 4]) -> Row {
    Row {
        prefix: prefix.to_owned(),
        depth,
        keys,
        bytes,
        is_estimate: false,
    }
}

fn compared(width: u16, height: u16) -> Screen {
    let screen = Screen::of(width, height).with(redis_up());
    let (mut screen, ticket, _) = begun(screen, "night.rdb");
    told(&mut screen, ticket, CompareStep::Ended(Box::new(verdict())));
    screen
}

#[test]
fn nothing_is_read_before_it_is_asked_for() {
    let mut screen = Screen::of(80, 24).with(redis_up()).press("6");
    while let Some(query) = screen.asked() {
        assert!(!matches!(query, Query::Compare { .. }));
    }
    picture!("diff_before", screen.shown());
}

#[test]
fn a_name_is_a_target_that_is_open_or_a_file() {
    let other = Target {
        name: "staging".to_owned(),
        ..target()
    };
    let on_two =
        || Screen::on(vec![target(), other.clone()], Theme::default(), 80, 24).with(redis_up());
    // With two open, the other one stands there already.
    let (_, _, ask) = begun(on_two(), "");
    assert!(matches!(ask.with, With::Target(target) if target.name == "staging"));
    let (_, _, ask) = begun(on_two().press("6 c ctrl-u n i g h t . r d b enter"), "");
    assert!(matches!(ask.with, With::File(path) if path.as_os_str() == "night.rdb"));
}

#[test]
fn a_small_server_is_read_at_full_speed() {
    let (_, _, ask) = begun(Screen::of(80, 24).with(redis_up()), "f");
    assert_eq!(ask.how.now, NOW);
    let keys: u64 = 1_203_991;
    assert_eq!(
        ask.how.pace,
        if keys > 100_000 {
            Pace::default()
        } else {
            Pace::FullSpeed
        }
    );
}

#[test]
fn it_says_how_far_it_is_and_escape_stops_it() {
    let (mut screen, ticket, _) = begun(Screen::of(80, 24).with(redis_up()), "night.rdb");
    let reading = |name: &str, done, of, unit| Reading {
        name: Arc::from(name),
        done,
        of: Some(of),
        unit,
    };
    told(
        &mut screen,
        ticket,
        CompareStep::Reading(vec![
            reading("night.rdb", 40 << 20, 80 << 20, Unit::Bytes),
            reading("redis://127.0.0.1:6379", 300_000, 1_203_991, Unit::Keys),
        ]),
    );
    picture!("diff_reading", screen.shown());
    let mut screen = screen.press("esc");
    assert!(matches!(screen.asked(), Some(Query::StopComparison)));
    // What comes too late is not shown.
    told(&mut screen, ticket, CompareStep::Ended(Box::new(verdict())));
    assert!(screen.shown().contains("what changed?"));
}

#[test]
fn prefixes_say_where_the_differences_are() {
    picture!("diff_prefixes", compared(80, 24).shown());
    picture!("diff_prefixes_wide", compared(140, 20).shown());
}

#[test]
fn a_prefix_opens_its_keys_and_a_key_opens_its_card() {
    let screen = compared(80, 24).press("enter");
    picture!("diff_keys", screen.shown());
    let mut screen = screen.press("down enter");
    assert_eq!(screen.app.shell.pane, PaneId::Keys);
    let shown = std::iter::from_fn(|| screen.asked());
    let key = shown.into_iter().find_map(|query| match query {
        Query::Show { key, .. } => Some(key),
        _ => None,
    });
    assert_eq!(key.expect("the key is asked for").bytes(), b"session:a");
}

#[test]
fn patterns_hold_the_keys_whose_ids_they_stand_for() {
    let screen = compared(80, 24).press("down down enter");
    let shown = screen.shown();
    assert!(
        shown.contains("user:1:cart") && !shown.contains("session:a"),
        "{shown}"
    );
    let screen = screen.press("enter");
    assert!(
        screen.shown().contains("only the other one has it"),
        "{}",
        screen.shown()
    );
    assert!(screen.press("esc").shown().contains("PREFIX"));
}

#[test]
fn the_order_is_by_differences_growth_or_name() {
    let first = |screen: &Screen| {
        let shown = screen.shown();
        let mut lines = shown.lines().skip_while(|line| !line.contains("PREFIX"));
        lines
            .nth(1)
            .expect("a row")
            .trim()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let screen = compared(80, 24);
    assert_eq!(first(&screen), "session:");
    let screen = screen.press("s s");
    assert!(screen.shown().contains("by name"));
    assert_eq!(first(&screen), "session:");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let (mut screen, ticket, _) = begun(Screen::of(80, 24).with(redis_up()), "night.rdb");
    let fault = Fault::Damaged {
        place: "night.rdb".to_owned(),
        why: "No such file or directory (os error 2)".to_owned(),
    };
    let why = Incomparable::Unread {
        name: "night.rdb".to_owned(),
        fault,
    };
    told(&mut screen, ticket, CompareStep::Failed(why.clone()));
    picture!("diff_failed", screen.shown());
    // An earlier answer stays, with the reason why there is no newer one.
    let mut screen = compared(80, 24).press("r");
    let Some(Query::Compare { ticket, .. }) = screen.asked() else {
        panic!("not compared anew");
    };
    told(&mut screen, ticket, CompareStep::Failed(why));
    let shown = screen.shown();
    assert!(
        shown.contains("1,204 added") && shown.contains("not compared anew"),
        "{shown}"
    );
}
