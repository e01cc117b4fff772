//! What events do to the screen's state, and what they make the loop do.

use std::time::Duration;

use cachedeck::engine::worker::{Listed, Query, Report, Ticket, WalkStep};
use cachedeck::model::{Coverage, Target, UnixMs};
use cachedeck::tui::actions::{ACTIONS, readme_keys};
use cachedeck::tui::event::{Effect, Ending, Event, Signal};
use cachedeck::tui::panes::PaneId;
use cachedeck::tui::theme::Theme;
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::Color;

use crate::common::{NOW, Screen, memcached_up, redis_down, redis_up, target};
use crate::picture;

fn quits(screen: &mut Screen) -> Option<Ending> {
    screen.effects.iter().find_map(|effect| match effect {
        Effect::Quit(ending) => Some(*ending),
        _ => None,
    })
}

fn two_targets() -> Screen {
    let second = Target {
        name: "second".to_owned(),
        ..target()
    };
    Screen::on(vec![target(), second], Theme::default(), 80, 24)
}

#[test]
fn q_leaves_and_in_a_layer_it_closes_the_layer() {
    assert_eq!(
        quits(&mut Screen::of(80, 24).press("q")),
        Some(Ending::Left)
    );
    let mut screen = Screen::of(80, 24).press("? q");
    assert_eq!(quits(&mut screen), None);
    assert!(screen.app.shell.layers.is_empty());
}

#[test]
fn ctrl_c_leaves_from_anywhere() {
    for keys in ["ctrl-c", "? ctrl-c", ": x ctrl-c"] {
        let mut screen = Screen::of(80, 24).press(keys);
        assert_eq!(quits(&mut screen), Some(Ending::Signalled(2)), "{keys}");
    }
}

#[test]
fn signals_end_suspend_and_resume() {
    let mut screen = Screen::of(80, 24);
    let mut effect = |signal| screen.app.update(Event::Signal(signal), NOW).pop();
    assert!(matches!(
        effect(Signal::End(15)),
        Some(Effect::Quit(Ending::Signalled(15)))
    ));
    assert!(matches!(
        effect(Signal::HungUp),
        Some(Effect::Quit(Ending::HungUp))
    ));
    assert!(matches!(effect(Signal::Stop), Some(Effect::Suspend)));
    assert!(matches!(effect(Signal::Continue), Some(Effect::Resume)));
}

#[test]
fn a_walk_that_holds_its_server_is_not_put_to_sleep() {
    for holds_server in [false, true] {
        let mut screen = Screen::of(80, 24).with(redis_up()).press("2");
        let ticket = std::iter::from_fn(|| screen.asked()).find_map(|query| match query {
            Query::Walk { ticket, .. } => Some(ticket),
            _ => None,
        });
        let coverage = Coverage {
            holds_server,
            ..Coverage::default()
        };
        let listed = Listed {
            coverage,
            ..Listed::default()
        };
        let ticket = ticket.expect("the pane begins a walk");
        screen.tell(Report::Walk {
            ticket,
            step: WalkStep::Names(Box::new(listed)),
        });
        let ctrl_z = crokey::parse("ctrl-z").unwrap().into();
        for event in [Event::Signal(Signal::Stop), Event::Key(ctrl_z)] {
            let sleeps = matches!(screen.app.update(event, NOW).pop(), Some(Effect::Suspend));
            assert_eq!(sleeps, !holds_server);
        }
    }
}

#[test]
fn letters_in_a_text_field_are_text() {
    let screen = Screen::of(80, 24).press(": q 1 ?");
    assert_eq!(screen.app.shell.pane, PaneId::Overview);
    assert_eq!(screen.app.shell.layers.len(), 1);
}

#[test]
fn the_palette_runs_what_it_finds_and_remembers_it() {
    let screen = Screen::of(80, 24).press(": r e p l i c enter");
    assert_eq!(screen.app.shell.pane, PaneId::Replication);
    assert_eq!(screen.app.shell.commands, ["replication"]);
}

#[test]
fn targets_are_switched_by_key_picker_and_palette() {
    for keys in [
        "ctrl-n",
        "ctrl-t down enter",
        ": t a r g e t space s e c enter",
    ] {
        assert_eq!(two_targets().press(keys).app.active, 1, "{keys}");
    }
    picture!(
        "targets",
        two_targets().with(redis_up()).press("ctrl-t").shown()
    );
}

#[test]
fn one_target_offers_no_switch() {
    let shown = Screen::of(80, 24).with(redis_up()).shown();
    assert!(!shown.contains("targets"), "{shown}");
}

#[test]
fn panes_are_walked_with_tab_and_chosen_by_click() {
    let screen = Screen::of(80, 24).press("tab tab tab");
    assert_eq!(screen.app.shell.pane, PaneId::Replication);
    let screen = screen.press("tab tab tab");
    assert_eq!(screen.app.shell.pane, PaneId::Overview);
    let mut screen = screen.press("backtab");
    assert_eq!(screen.app.shell.pane, PaneId::Diff);
    let click = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 16,
        row: 1,
        modifiers: KeyModifiers::NONE,
    };
    screen.app.update(Event::Mouse(click), NOW);
    assert_eq!(screen.app.shell.pane, PaneId::Keys);
}

#[test]
fn a_question_that_could_not_be_put_is_told() {
    let mut screen = Screen::of(80, 24).with(redis_up()).press("3 b");
    let Some(Query::Preview { ticket, .. }) = screen.asked() else {
        panic!("no preview was asked for");
    };
    let undelivered = |ticket: Option<Ticket>| Event::Undelivered { deck: 0, ticket };
    screen.app.update(undelivered(Some(ticket)), NOW);
    let shown = screen.shown();
    assert!(
        shown.contains("refused: the server hangs; nothing was sent"),
        "{shown}"
    );
}

#[test]
fn a_message_goes_away_by_itself() {
    let mut screen = Screen::production(80, 24).with(redis_up()).press("3 b");
    assert!(screen.app.shell.flash.is_some());
    let due = screen.app.next_due().unwrap();
    assert!(due <= NOW.plus(Duration::from_secs(6)));
    screen
        .app
        .update(Event::Tick, NOW.plus(Duration::from_secs(6)));
    assert!(screen.app.shell.flash.is_none());
}

#[test]
fn the_screen_wakes_only_for_what_changes_by_itself() {
    assert_eq!(Screen::of(80, 24).app.next_due(), None);
    // Up: the next thing that happens by itself is that an answer is late.
    let up = Screen::of(80, 24).with(redis_up());
    assert_eq!(up.app.next_due(), Some(UnixMs(NOW.0 + 3_000)));
    // Down: the seconds are counted.
    let down = Screen::of(80, 24).with(redis_down());
    assert_eq!(down.app.next_due(), Some(UnixMs(NOW.0 + 1_000)));
}

#[test]
fn without_colours_nothing_is_coloured() {
    for keys in ["", "3", "4", "?", "esc :"] {
        let screen = Screen::ascii(80, 24).with(redis_up()).press(keys);
        let coloured = screen
            .drawn()
            .buffer()
            .content
            .iter()
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count();
        assert_eq!(coloured, 0, "{keys}");
    }
}

#[test]
fn any_size_can_be_drawn() {
    for (width, height) in [
        (0, 0),
        (1, 1),
        (1, 200),
        (200, 1),
        (20, 6),
        (21, 7),
        (500, 200),
    ] {
        for keys in ["1", "2", "3", "4", "?", ":", "3 b"] {
            let reports = if width % 2 == 0 {
                redis_up()
            } else {
                memcached_up()
            };
            let screen = Screen::of(width, height).with(reports).press(keys);
            assert_eq!(screen.drawn().buffer().area.width, width);
        }
    }
}

#[test]
fn the_readme_table_names_every_action() {
    let table = readme_keys();
    for row in ACTIONS {
        assert!(table.contains(row.words), "{}", row.name);
    }
}
