//! The keys pane: walking, browsing, marking, changing.

#[path = "keys/cards.rs"]
mod cards;
#[path = "keys/shop.rs"]
mod shop;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use cachedeck::engine::Fault;
use cachedeck::engine::worker::{Query, Report, WalkStep};
use cachedeck::model::{Change, Key, Pace, TtlWish, UnixMs};
use cachedeck::tui::chrome;
use cachedeck::tui::event::{Effect, Event};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use crate::common::{NOW, Screen, WATCHED, redis, redis_down, redis_up, sampled, up};
use crate::picture;
use shop::{Server, browsing, of_names, pressed, shop};

#[test]
fn keys_are_listed_with_what_is_known_of_them() {
    picture!("keys_list", browsing(&mut shop(), 80, 24).shown());
}

#[test]
fn wide_screens_describe_the_selected_key_beside_the_list() {
    picture!("keys_wide", browsing(&mut shop(), 130, 16).shown());
}

#[test]
fn the_smallest_screen_shows_names() {
    picture!("keys_small", browsing(&mut shop(), 20, 6).shown());
}

#[test]
fn without_colour_and_unicode_the_tree_is_readable() {
    let mut server = shop();
    let screen = Screen::ascii(80, 16).with(redis_up()).press("2");
    let screen = server.answer(screen);
    picture!(
        "keys_ascii_tree",
        pressed(&mut server, screen, "v j enter").shown()
    );
}

#[test]
fn the_tree_opens_folders_in_place() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "v");
    let screen = pressed(&mut server, screen, "down down enter");
    let screen = pressed(&mut server, screen, "down l");
    picture!("keys_tree", screen.shown());
    let screen = pressed(&mut server, screen, "h h");
    picture!("keys_tree_closed", screen.shown());
}

#[test]
fn a_walk_under_way_says_how_far_it_is_and_pauses() {
    let mut server = Server {
        of: 1_203_991,
        ends: false,
        ..shop()
    };
    let screen = browsing(&mut server, 80, 24);
    assert!(screen.shown().contains("9 of 1,203,991 seen · walking"));
    let mut screen = screen.press("p");
    assert!(matches!(screen.asked(), Some(Query::PauseWalk)));
    assert!(screen.shown().contains("9 of 1,203,991 seen · paused"));
    let mut screen = screen.press("p");
    assert!(matches!(screen.asked(), Some(Query::ContinueWalk)));
}

#[test]
fn an_empty_database_is_said_to_be_empty() {
    let mut server = of_names(Vec::new());
    picture!("keys_empty", browsing(&mut server, 60, 12).shown());
}

#[test]
fn a_walk_that_is_refused_says_why() {
    let mut screen = Screen::of(80, 12).with(redis_up()).press("2");
    let Some(Query::Walk { ticket, .. }) = screen.asked() else {
        panic!("no walk was asked for");
    };
    let fault = Fault::NotPermitted {
        command: "SCAN".to_owned(),
        why: "user ops has no permissions to run the 'scan' command".to_owned(),
    };
    screen.tell(Report::Walk {
        ticket,
        step: WalkStep::Failed(fault),
    });
    picture!("keys_refused", screen.shown());
}

#[test]
fn a_lost_connection_keeps_the_names_and_walks_again() {
    let mut server = Server {
        ends: false,
        of: 100,
        ..shop()
    };
    let mut screen = browsing(&mut server, 80, 24);
    let fault = Fault::Closed {
        place: "127.0.0.1:6379".to_owned(),
        doing: "walking",
    };
    let ticket = screen.app.decks[0].keys.walking.ticket.unwrap();
    screen.tell(Report::Walk {
        ticket,
        step: WalkStep::Failed(fault),
    });
    let screen = screen.with(redis_down());
    assert!(screen.shown().contains("user:1001:profile"));
    let screen = server.answer(screen.with(vec![up()]));
    assert_eq!(server.walks, 2);
    assert!(
        screen
            .shown()
            .contains("walking again after a lost connection")
    );
    assert_eq!(screen.app.decks[0].keys.listing.seen(), 9);
}

#[test]
fn a_server_that_restarted_since_is_said_to_have() {
    let mut server = shop();
    let mut screen = browsing(&mut server, 80, 24);
    let mut sample = redis(WATCHED + 1);
    sample.identity.run_id = "two".to_owned();
    screen.tell(sampled(sample));
    assert!(
        screen
            .shown()
            .contains("the server restarted at 10:20:01, R walks anew")
    );
}

#[test]
fn the_filter_narrows_while_it_is_typed_and_escape_takes_it_back() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "/ u s e r");
    picture!("keys_filter_typed", screen.shown());
    let kept = pressed(&mut server, screen, "enter");
    assert!(kept.shown().contains("/user: 3 match"));
    let none = pressed(&mut server, kept, "/ z z enter");
    assert!(
        none.shown()
            .contains("no key matches userzz among the 9 seen")
    );
    let back = pressed(&mut server, none, "esc");
    assert!(back.shown().contains("leaderboard"));
}

#[test]
fn the_cursor_stays_on_its_key_through_filters_and_orders() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "end up up");
    let cursor = |screen: &Screen| screen.app.decks[0].keys.cursor.selected();
    let screen = pressed(&mut server, screen, "/ c a r t enter");
    assert_eq!(cursor(&screen), 0);
    let screen = pressed(&mut server, screen, "esc");
    assert_eq!(cursor(&screen), 6);
    let screen = pressed(&mut server, screen, "/ b o a r d enter");
    assert_eq!(cursor(&screen), 0);
    let screen = pressed(&mut server, screen, "esc");
    assert_eq!(cursor(&screen), 6);
}

#[test]
fn the_list_sorts_by_what_the_walk_told() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "s s");
    picture!("keys_by_size", screen.shown());
    let screen = pressed(&mut server, screen, "v s s");
    picture!("keys_tree_by_keys", screen.shown());
}

#[test]
fn ids_collapse_into_patterns_whose_keys_are_a_list_away() {
    let mut server = shop();
    let screen = browsing(&mut server, 130, 16);
    let screen = pressed(&mut server, screen, "c");
    let screen = pressed(
        &mut server,
        screen,
        "down down down enter down enter down down",
    );
    picture!("keys_patterns", screen.shown());
    let screen = pressed(&mut server, screen, "enter");
    assert!(screen.shown().contains("/user:*:profile: 2 match"));
}

#[test]
fn a_jump_goes_to_the_first_key_that_begins_so() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "v shift-o u s e r : 1 0 0 1 : p enter");
    let keys = &screen.app.decks[0].keys;
    let row = keys.listing.row(keys.cursor.selected()).unwrap();
    assert_eq!(row.name, b"user:1001:profile");
}

#[test]
fn facts_can_be_filtered_by() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "/ t t l : n o n e enter");
    let shown = screen.shown();
    assert!(shown.contains("/ttl:none: 5 match of 8 asked"), "{shown}");
}

#[test]
fn a_walk_can_go_at_full_speed_and_back() {
    let mut server = Server {
        of: 1_203_991,
        ends: false,
        ..shop()
    };
    let screen = browsing(&mut server, 80, 24);
    let mut screen = screen.press("f");
    assert!(matches!(
        screen.asked(),
        Some(Query::PaceWalk(Pace::FullSpeed))
    ));
    let mut screen = screen.press("f");
    assert!(matches!(
        screen.asked(),
        Some(Query::PaceWalk(Pace::Budget(_)))
    ));
}

#[test]
fn hostile_names_stay_in_their_row() {
    let names = vec![
        b"\x1b]0;owned\x07\x1b[2J".to_vec(),
        "evil\u{202e}txt.exe".as_bytes().to_vec(),
        "\u{4f60}\u{597d}:\u{4e16}\u{754c}".as_bytes().to_vec(),
        vec![0x01; 10_000],
        Vec::new(),
        b" spaces ".to_vec(),
        b"back\\slash\nline".to_vec(),
        vec![0xff, 0xfe, b':', 0x80],
    ];
    let mut server = of_names(names);
    let screen = browsing(&mut server, 130, 14);
    picture!("keys_hostile", screen.shown());
    let screen = pressed(&mut server, screen, "down down down");
    let screen = pressed(&mut server, screen, "enter");
    picture!("keys_hostile_card", screen.shown());
}

#[test]
fn a_key_opens_by_its_name_without_a_walk() {
    let mut server = Server {
        ends: false,
        ..shop()
    };
    let screen = browsing(&mut server, 80, 14);
    let mut screen = screen.press(r"o n e w \ x 0 0 enter");
    match screen.asked() {
        Some(Query::Show { key, .. }) => assert_eq!(key.bytes(), b"new\x00"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ttl_is_judged_while_typed_and_proposed_for_all_marks() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "space space t 2 h");
    picture!("keys_ttl_prompt", screen.shown());
    let mut screen = screen.press("enter");
    let Some(Query::Preview { change, .. }) = screen.asked() else {
        panic!("no plan was asked for");
    };
    let keys = vec![Key::from("events"), Key::from("json:config")];
    let wish = TtlWish::In(Duration::from_secs(7200));
    assert_eq!(change, Change::SetTtl { keys, wish });
}

#[test]
fn a_ttl_that_cannot_be_read_is_not_accepted() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let mut screen = server.answer(screen.press("t 2 x enter"));
    assert!(screen.shown().contains("TTL of events"));
    assert!(screen.asked().is_none());
}

#[test]
fn only_keys_that_are_done_lose_their_mark() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "a d");
    assert!(screen.shown().contains("session:9f21"));
    let screen = pressed(&mut server, screen, "y");
    let marks = screen.app.decks[0].keys.marks.len();
    assert_eq!(marks, 2);
}

#[test]
fn the_countdown_runs_and_an_expired_key_is_asked_again() {
    let mut server = shop();
    let mut screen = browsing(&mut server, 80, 24);
    assert!(screen.shown().contains("42s"));
    let due = screen.app.next_due().unwrap();
    assert!(due > NOW && due <= NOW.plus(Duration::from_millis(1001)));
    let later = UnixMs(NOW.0 + 43_000);
    let effects = screen.app.update(Event::Tick, later);
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::Ask {
            query: Query::Facts { keys, .. },
            ..
        } => Some(keys),
        _ => None,
    });
    assert!(asked.unwrap().contains(&Key::from("tags:popular")));
    assert!(screen.shown().contains("expired"));
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mut server = of_names(
        (0..200)
            .map(|n| format!("key:{n:03}").into_bytes())
            .collect(),
    );
    let mut screen = browsing(&mut server, 80, 14);
    let mut mouse = |kind, row| {
        let event = MouseEvent {
            kind,
            column: 5,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let effects = screen.app.update(Event::Mouse(event), NOW);
        screen.effects.extend(effects);
    };
    mouse(MouseEventKind::ScrollDown, 6);
    mouse(MouseEventKind::Down(MouseButton::Left), 6);
    assert_eq!(screen.app.decks[0].keys.cursor.selected(), 5);
    let mut again = |kind, row| {
        let event = MouseEvent {
            kind,
            column: 5,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let effects = screen.app.update(Event::Mouse(event), NOW);
        screen.effects.extend(effects);
    };
    again(MouseEventKind::Down(MouseButton::Left), 6);
    let screen = server.answer(screen);
    assert!(screen.shown().contains("key:005"));
    assert_eq!(server.shown.len(), 1);
}

/// A terminal at the other end of a slow link, which counts what it is sent.
#[derive(Clone, Default)]
struct Link(Rc<RefCell<usize>>);

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0.borrow_mut() += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_step_down_costs_the_link_at_most_600_bytes() {
    for width in [80, 119, 120, 200] {
        let names = (0..500).map(|n| format!("user:{n:04}:profile").into_bytes());
        let mut server = of_names(names.collect());
        let mut screen = browsing(&mut server, width, 40);
        let link = Link::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, width, 40));
        let options = TerminalOptions { viewport };
        let backend = CrosstermBackend::new(link.clone());
        let mut terminal = Terminal::with_options(backend, options).unwrap();
        let mut costs = Vec::new();
        for _ in 0..6 {
            let before = *link.0.borrow();
            terminal
                .draw(|frame| chrome::draw(&screen.app, frame))
                .unwrap();
            costs.push(*link.0.borrow() - before);
            screen = pressed(&mut server, screen, "down");
        }
        assert!(
            costs[1..].iter().all(|cost| *cost <= 600),
            "{width}: {costs:?}"
        );
    }
}

#[test]
fn favourites_and_recent_keys_are_kept_and_open_from_a_list() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 16);
    let mut screen = screen.press("down *");
    let kept = screen.effects.iter().find_map(|effect| match effect {
        Effect::Keep { profile, bookmarks } => Some((profile.clone(), bookmarks.clone())),
        _ => None,
    });
    let (profile, bookmarks) = kept.expect("the favourite is written down");
    assert_eq!(profile, screen.app.decks[0].target.name);
    assert_eq!(bookmarks.favourites, [Key::from("json:config")]);
    screen.effects.clear();
    let screen = pressed(&mut server, screen, "down enter esc b");
    picture!("keys_bookmarks", screen.shown());
    let screen = pressed(&mut server, screen, "down enter");
    assert!(screen.shown().contains("leaderboard"));
    assert!(screen.app.decks[0].keys.card.is_some());
}
