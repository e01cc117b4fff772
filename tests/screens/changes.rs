//! The way of a change: proposed, previewed, asked, permitted, told. Nothing is sent before a yes.

use std::time::Duration;

use cachedeck::engine::worker::{Query, Report, Ticket};
use cachedeck::guard::Permit;
use cachedeck::model::{
    Change, Environment, Key, KeyOutcome, Outcome, Preview, SnapshotState, TtlWish,
};
use cachedeck::tui::event::Event;
use cachedeck::tui::theme::Theme;

use crate::common::{NOW, Screen, redis_up, target};
use crate::picture;

fn preview() -> Preview {
    Preview {
        commands: vec!["BGSAVE".to_owned()],
        of: 1,
        cost: "a fork of the server; about 1.25 GiB written to its disk".to_owned(),
        undo: None,
        cautions: vec!["the last fork took 12ms".to_owned()],
        stops: Vec::new(),
    }
}

/// The snapshots pane with the question asked and the preview wanted.
fn proposed(screen: Screen) -> (Screen, Ticket) {
    let mut screen = screen.with(redis_up()).press("3 b");
    match screen.asked() {
        Some(Query::Preview { ticket, .. }) => (screen, ticket),
        other => panic!("no preview was asked for, but {other:?}"),
    }
}

fn previewed(screen: Screen, preview: Preview) -> Screen {
    let (mut screen, ticket) = proposed(screen);
    screen.tell(Report::Previewed {
        ticket,
        change: Change::Snapshot,
        preview: Ok(preview),
    });
    screen.effects.clear();
    screen
}

fn permit(screen: &mut Screen) -> Option<(Ticket, Box<Permit>)> {
    match screen.asked() {
        Some(Query::Apply { ticket, permit }) => Some((ticket, permit)),
        _ => None,
    }
}

fn production() -> Screen {
    let target = cachedeck::model::Target {
        name: "prod".to_owned(),
        environment: Environment::Production,
        ..target()
    };
    Screen::at(target, Theme::default(), 80, 24)
}

#[test]
fn a_change_shows_its_plan_first() {
    let screen = previewed(Screen::of(80, 24), preview());
    picture!("confirm", screen.shown());
    let screen = previewed(Screen::of(40, 10), preview());
    picture!("confirm_40x10", screen.shown());
}

#[test]
fn only_yes_is_yes() {
    for keys in ["enter", "esc", "n", "q", "t e enter"] {
        let mut screen = previewed(Screen::of(80, 24), preview()).press(keys);
        assert!(permit(&mut screen).is_none(), "{keys}");
        assert_eq!(screen.audit_lines(), 0);
    }
    let mut screen = previewed(Screen::of(80, 24), preview()).press("y");
    assert!(permit(&mut screen).is_some());
}

#[test]
fn a_yes_before_the_plan_is_on_the_screen_counts_for_nothing() {
    let (screen, ticket) = proposed(Screen::of(80, 24));
    let mut screen = screen.press("y y y");
    screen.tell(Report::Previewed {
        ticket,
        change: Change::Snapshot,
        preview: Ok(preview()),
    });
    assert!(permit(&mut screen).is_none());
}

#[test]
fn a_paste_confirms_nothing() {
    let mut screen = previewed(Screen::of(80, 24), preview());
    let effects = screen.app.update(Event::Paste("y\ny\n".to_owned()), NOW);
    assert!(effects.is_empty(), "{effects:?}");
    let mut screen = previewed(production(), preview());
    let effects = screen.app.update(Event::Paste("prod".to_owned()), NOW);
    assert!(effects.is_empty(), "{effects:?}");
    assert!(permit(&mut screen.press("enter")).is_none());
}

#[test]
fn production_wants_its_name() {
    let mut screen = previewed(production(), preview()).press("y enter");
    assert!(permit(&mut screen).is_none());
    picture!("confirm_production", screen.shown());
    let mut screen = screen.press("p r o d enter");
    assert!(permit(&mut screen).is_some());
}

#[test]
fn a_read_only_target_refuses_at_once() {
    let mut screen = Screen::production(80, 24).with(redis_up()).press("3 b");
    assert!(!matches!(screen.asked(), Some(Query::Preview { .. })));
    let shown = screen.shown();
    assert!(
        shown.contains("prod-sessions is read-only: nothing was sent"),
        "{shown}"
    );
}

#[test]
fn a_stop_refuses_the_plan() {
    let stopped = Preview {
        stops: vec!["a save is running already".to_owned()],
        ..preview()
    };
    let mut screen = previewed(Screen::of(80, 24), stopped);
    let shown = screen.shown();
    assert!(
        shown.contains("refused: a save is running already"),
        "{shown}"
    );
    screen = screen.press("y");
    assert!(permit(&mut screen).is_none());
}

#[test]
fn an_outcome_is_told_and_a_failure_named() {
    let mut screen = Screen::of(80, 24).with(redis_up());
    let keys = vec![Key::from("session:1"), Key::from("session:2")];
    let change = Change::SetTtl {
        keys: keys.clone(),
        wish: TtlWish::Never,
    };
    screen.propose(change.clone());
    let Some(Query::Preview { ticket, .. }) = screen.asked() else {
        panic!("no preview was asked for");
    };
    screen.tell(Report::Previewed {
        ticket,
        change,
        preview: Ok(Preview {
            commands: vec![
                "PERSIST session:1".to_owned(),
                "PERSIST session:2".to_owned(),
            ],
            of: 2,
            undo: Some("set the TTLs again".to_owned()),
            ..Preview::default()
        }),
    });
    picture!("confirm_keys", screen.shown());
    let mut screen = screen.press("y");
    let Some((ticket, permit)) = permit(&mut screen) else {
        panic!("no permit");
    };
    let mut keys = keys.into_iter();
    let outcome = Outcome::Keys(vec![
        (keys.next().unwrap(), KeyOutcome::Done),
        (keys.next().unwrap(), KeyOutcome::Failed("OOM".to_owned())),
    ]);
    permit.close(Ok(&outcome)).unwrap();
    assert_eq!(screen.audit_lines(), 1);
    screen.tell(Report::Applied {
        ticket,
        outcome: Ok(outcome),
    });
    picture!("confirm_outcome", screen.shown());
}

#[test]
fn an_answer_nobody_waits_for_is_dropped() {
    let (screen, ticket) = proposed(Screen::of(80, 24));
    let mut screen = screen.press("esc");
    screen.tell(Report::Previewed {
        ticket,
        change: Change::Snapshot,
        preview: Ok(preview()),
    });
    assert!(screen.app.shell.layers.is_empty());
    screen.tell(Report::Applied {
        ticket,
        outcome: Ok(Outcome::Snapshot(SnapshotState::Idle)),
    });
    assert!(screen.app.shell.flash.is_none());
}

#[test]
fn a_read_only_target_does_not_even_ask_for_a_ttl() {
    let screen = Screen::production(80, 24).with(redis_up()).press("2 t");
    assert!(screen.app.shell.layers.is_empty());
    let shown = screen.shown();
    assert!(shown.contains("prod-sessions is read-only"), "{shown}");
}

#[test]
fn what_was_done_is_told_in_the_words_of_the_change() {
    let keys = vec![Key::from("session:1"), Key::from("session:2")];
    let never = TtlWish::Never;
    let minute = TtlWish::In(Duration::from_secs(60));
    let ttl = |wish| Change::SetTtl {
        keys: keys.clone(),
        wish,
    };
    let delete = Change::Delete { keys: keys.clone() };
    for (change, told) in [
        (ttl(never), "TTL removed from 2 keys"),
        (ttl(minute), "TTL set on 2 keys"),
        (delete, "2 keys deleted"),
    ] {
        let mut screen = Screen::of(80, 24).with(redis_up());
        screen.propose(change.clone());
        let Some(Query::Preview { ticket, .. }) = screen.asked() else {
            panic!("no preview was asked for");
        };
        screen.tell(Report::Previewed {
            ticket,
            change,
            preview: Ok(preview()),
        });
        let mut screen = screen.press("y");
        let (ticket, permit) = permit(&mut screen).unwrap();
        let done = |key: &Key| (key.clone(), KeyOutcome::Done);
        let outcome = Outcome::Keys(keys.iter().map(done).collect());
        permit.close(Ok(&outcome)).unwrap();
        screen.tell(Report::Applied {
            ticket,
            outcome: Ok(outcome),
        });
        let shown = screen.shown();
        assert!(shown.contains(told), "{shown}");
    }
}

#[test]
fn of_a_paste_only_the_first_line_is_taken_however_it_ends() {
    for pasted in ["90s\ny\n", "90s\ry\r", "90s\r\ny"] {
        let mut screen = asked_for_a_ttl();
        screen.app.update(Event::Paste(pasted.to_owned()), NOW);
        let shown = screen.shown();
        assert!(shown.contains("│ 90s  "), "{shown}");
    }
}

#[test]
fn why_a_ttl_cannot_be_read_is_said_in_full() {
    let mut screen = asked_for_a_ttl();
    screen.app.update(Event::Paste("xyz".to_owned()), NOW);
    picture!("keys_ttl_refused", screen.shown());
}

/// The question for the TTL of an opened key.
fn asked_for_a_ttl() -> Screen {
    let screen = Screen::of(80, 24).with(redis_up()).press("2 o");
    let screen = screen.press("a enter t");
    assert_eq!(screen.app.shell.layers.len(), 1);
    screen
}

#[test]
fn long_words_of_a_plan_stand_under_each_other() {
    let cautions = vec![
        "over 30 days: sent as the absolute time 1800575345 on the server's clock, since Memcached \
         would take the span for a moment in 1970"
            .to_owned(),
    ];
    let commands = vec![format!("UNLINK \"{}\"", "k".repeat(90))];
    let plan = Preview {
        cautions,
        commands,
        ..preview()
    };
    picture!("confirm_long", previewed(Screen::of(80, 24), plan).shown());
}
