//! The keys pane: walking, browsing, looking into keys, changing them.

use std::time::Duration;

use cachedeck::engine::Fault;
use cachedeck::engine::worker::{Query, Report, Ticket, WalkStep};
use cachedeck::model::{
    Bytes, Change, Coverage, ItemFacts, Key, KeyCard, KeyFacts, KeyKind, KeyOutcome, KeyRow,
    Outcome, Part, Preview, StreamEntry, Ttl, TtlWish, UnixMs, Value, WalkKey, WalkPage, Window,
};
use cachedeck::tui::event::{Effect, Event};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::common::{NOW, Screen, redis_down, redis_up, up};
use crate::picture;

/// A server with these keys, of which the walk has brought the first ones.
struct Server {
    keys: Vec<(Vec<u8>, KeyFacts)>,
    of: u64,
    ends: bool,
    is_gone: bool,
    shown: Vec<Window>,
    walks: usize,
}

fn here(kind: KeyKind, ttl: Option<u64>, size: u64) -> KeyFacts {
    KeyFacts::Here {
        kind,
        ttl: ttl.map_or(Ttl::None, |seconds| {
            Ttl::Until(NOW.plus(Duration::from_secs(seconds)))
        }),
        size: Some(Bytes(size)),
        idle: Some(Duration::from_secs(41)),
    }
}

fn shop() -> Server {
    let keys = [
        ("session:9f21", here(KeyKind::String, Some(1799), 480)),
        ("user:1001:profile", here(KeyKind::Hash, None, 912)),
        ("user:1001:cart", here(KeyKind::List, Some(86_400), 12_345)),
        ("user:1002:profile", here(KeyKind::Hash, None, 904)),
        ("leaderboard", here(KeyKind::SortedSet, None, 3_400_000)),
        ("events", here(KeyKind::Stream, None, 88_000)),
        ("tags:popular", here(KeyKind::Set, Some(42), 2_048)),
        ("session:77aa", KeyFacts::Gone),
        (
            "json:config",
            here(KeyKind::Other("ReJSON-RL".into()), None, 640),
        ),
    ];
    Server {
        keys: keys
            .map(|(name, facts)| (name.as_bytes().to_vec(), facts))
            .to_vec(),
        of: 9,
        ends: true,
        is_gone: false,
        shown: Vec::new(),
        walks: 0,
    }
}

fn of_names(names: Vec<Vec<u8>>) -> Server {
    let facts = here(KeyKind::String, None, 64);
    Server {
        of: names.len() as u64,
        keys: names
            .into_iter()
            .map(|name| (name, facts.clone()))
            .collect(),
        ..shop()
    }
}

impl Server {
    /// Answers everything that was asked until nothing more is.
    fn answer(&mut self, mut screen: Screen) -> Screen {
        while let Some(effect) = screen.effects.pop_front() {
            let Effect::Ask { query, .. } = effect else {
                continue;
            };
            for report in self.to(query) {
                screen.tell(report);
            }
        }
        while screen.app.next_due().is_some_and(|due| due <= NOW) {
            let effects = screen.app.update(Event::Tick, NOW);
            screen.effects.extend(effects);
        }
        if screen.effects.is_empty() {
            screen
        } else {
            self.answer(screen)
        }
    }

    fn to(&mut self, query: Query) -> Vec<Report> {
        match query {
            Query::Walk { ticket, .. } => self.walk(ticket),
            Query::Facts { ticket, keys } => {
                let rows = keys.iter().map(|key| self.row(key)).collect();
                vec![Report::Facts {
                    ticket,
                    rows: Ok(rows),
                }]
            }
            Query::Show {
                ticket,
                key,
                window,
            } => {
                self.shown.push(window);
                let shown = Box::new(Ok(self.show(&key, window)));
                vec![Report::Shown { ticket, shown }]
            }
            Query::Preview { ticket, change } => {
                let commands = change.keys().iter().map(|_| "COMMAND".to_owned()).collect();
                let preview = Preview {
                    commands,
                    of: change.keys().len(),
                    ..Preview::default()
                };
                vec![Report::Previewed {
                    ticket,
                    change,
                    preview: Ok(preview),
                }]
            }
            Query::Apply { ticket, permit } => {
                let keys = permit.change().keys().iter().enumerate();
                let outcome =
                    Outcome::Keys(keys.map(|(at, key)| (key.clone(), outcome(at))).collect());
                vec![Report::Applied {
                    ticket,
                    outcome: Ok(outcome),
                }]
            }
            _ => Vec::new(),
        }
    }

    fn walk(&mut self, ticket: Ticket) -> Vec<Report> {
        self.walks += 1;
        let found = self.keys.iter().map(|(name, _)| WalkKey {
            key: Key::new(name.as_slice()),
            free: None,
        });
        let coverage = Coverage {
            seen: self.keys.len() as u64,
            of: Some(self.of),
            is_complete: self.ends,
            ..Coverage::default()
        };
        let page = WalkPage {
            found: found.collect(),
            coverage,
        };
        let mut steps = vec![WalkStep::Page(page)];
        steps.extend(self.ends.then_some(WalkStep::Ended));
        steps
            .into_iter()
            .map(|step| Report::Walk { ticket, step })
            .collect()
    }

    fn row(&self, key: &Key) -> KeyRow {
        let facts = self.keys.iter().find(|(name, _)| name == key.bytes());
        KeyRow {
            key: key.clone(),
            facts: Some(facts.map_or(KeyFacts::Gone, |(_, facts)| facts.clone())),
        }
    }

    fn show(&self, key: &Key, window: Window) -> Option<(KeyCard, Value)> {
        if self.is_gone {
            return None;
        }
        let KeyFacts::Here {
            kind,
            ttl,
            size,
            idle,
        } = self.row(key).facts?
        else {
            return None;
        };
        let (part, of) = value_of(&kind, window);
        let card = KeyCard {
            key: key.clone(),
            kind,
            ttl,
            size,
            length: Some(of),
            encoding: Some("listpack".to_owned()),
            idle,
            frequency: None,
            slot: None,
            item: None,
        };
        let value = Value {
            part,
            from: window.from,
            of: Some(of),
            cut: None,
        };
        Some((card, value))
    }
}

/// The first key is refused, of the second it is not known, the others are done.
fn outcome(at: usize) -> KeyOutcome {
    match at {
        0 => KeyOutcome::Failed("READONLY".to_owned()),
        1 => KeyOutcome::Unknown("connection lost".to_owned()),
        _ => KeyOutcome::Done,
    }
}

fn value_of(kind: &KeyKind, window: Window) -> (Part, u64) {
    let text = |text: &str| text.as_bytes().to_vec();
    match kind {
        KeyKind::String => {
            let all = text(r#"{"user": 1001, "roles": ["admin", "ops"], "theme": "dark"}"#);
            let part = all
                .iter()
                .copied()
                .take(usize::try_from(window.count).unwrap())
                .collect();
            (Part::Text(part), all.len() as u64)
        }
        KeyKind::Hash => {
            let field = |name: &str, value: &str| (text(name), text(value));
            let avatar = (text("avatar"), vec![0xff, 0xd8, 0xff, 0x00]);
            let fields = vec![
                field("name", "Ada"),
                field("bio", &"long ".repeat(60)),
                avatar,
            ];
            (Part::Hash(fields), 3)
        }
        KeyKind::List => {
            let end = (window.from + window.count).min(450);
            let all = (window.from..end).map(|at| text(&format!("item {at}")));
            (Part::List(all.collect()), 450)
        }
        KeyKind::Set => (Part::Set(vec![text("cheap"), text("new")]), 2),
        KeyKind::SortedSet => (
            Part::SortedSet(vec![(text("ada"), 99.5), (text("bob"), -1.0)]),
            2,
        ),
        KeyKind::Stream => {
            let entry = StreamEntry {
                id: "1795515600000-0".to_owned(),
                at: Some(NOW),
                fields: vec![(text("kind"), text("login")), (text("who"), text("ada"))],
            };
            (Part::Stream(vec![entry]), 1)
        }
        KeyKind::Item | KeyKind::Other(_) => (
            Part::Opaque("values of type ReJSON-RL cannot be read yet".to_owned()),
            0,
        ),
    }
}

fn browsing(server: &mut Server, width: u16, height: u16) -> Screen {
    server.answer(Screen::of(width, height).with(redis_up()).press("2"))
}

fn pressed(server: &mut Server, screen: Screen, keys: &str) -> Screen {
    server.answer(screen.press(keys))
}

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
    assert_eq!(screen.app.decks[0].keys.listing.names().len(), 9);
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
fn a_string_opens_as_json_and_changes_its_form() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 20);
    let screen = pressed(&mut server, screen, "enter");
    picture!("keys_card_json", screen.shown());
    let screen = pressed(&mut server, screen, "x x");
    picture!("keys_card_hex", screen.shown());
    let screen = pressed(&mut server, screen, "esc");
    assert!(screen.shown().contains("all 9 keys"));
}

#[test]
fn a_hash_opens_as_a_table_and_an_element_on_its_own() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 16);
    let screen = pressed(&mut server, screen, "down enter");
    picture!("keys_card_hash", screen.shown());
    let screen = pressed(&mut server, screen, "down enter");
    picture!("keys_card_element", screen.shown());
}

#[test]
fn a_long_list_is_read_window_by_window() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 14);
    let screen = pressed(&mut server, screen, "down down enter");
    let screen = pressed(&mut server, screen, "right");
    let screen = pressed(&mut server, screen, "right");
    picture!("keys_card_last_window", screen.shown());
    let screen = pressed(&mut server, screen, "right left");
    assert!(screen.shown().contains("201–400 of 450 elements"));
    let froms: Vec<u64> = server.shown.iter().map(|window| window.from).collect();
    assert_eq!(froms, [0, 200, 400, 200]);
}

#[test]
fn other_types_open_as_what_they_are() {
    let mut server = shop();
    let mut screen = browsing(&mut server, 80, 14);
    let mut seen = Vec::new();
    for (key, row) in [
        "leaderboard",
        "events",
        "tags:popular",
        "session:77aa",
        "json:config",
    ]
    .iter()
    .zip(4..)
    {
        let keys = format!("home {} enter", "down ".repeat(row));
        screen = pressed(&mut server, screen, &keys);
        let shown = screen.shown();
        assert!(shown.contains(key), "{shown}");
        seen.push(shown);
        screen = pressed(&mut server, screen, "esc");
    }
    picture!("keys_cards", seen.join("\n\n"));
}

#[test]
fn a_key_that_went_away_is_said_to_be_gone() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 14);
    let screen = pressed(&mut server, screen, "enter");
    server.is_gone = true;
    let screen = pressed(&mut server, screen, "r");
    assert!(
        screen
            .shown()
            .contains("there is no such key (asked at 10:20:00)")
    );
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
    let keys = vec![Key::from("session:9f21"), Key::from("user:1001:profile")];
    let wish = TtlWish::In(Duration::from_secs(7200));
    assert_eq!(change, Change::SetTtl { keys, wish });
}

#[test]
fn a_ttl_that_cannot_be_read_is_not_accepted() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let mut screen = server.answer(screen.press("t 2 x enter"));
    assert!(screen.shown().contains("TTL of session:9f21"));
    assert!(screen.asked().is_none());
}

#[test]
fn only_keys_that_are_done_lose_their_mark() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 24);
    let screen = pressed(&mut server, screen, "a d");
    assert!(screen.shown().contains("session:9f21"));
    let screen = pressed(&mut server, screen, "y");
    let marks: Vec<u32> = screen.app.decks[0].keys.marks.iter().copied().collect();
    assert_eq!(marks, [0, 1]);
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

#[test]
fn an_item_tells_what_memcached_knows() {
    let mut server = of_names(vec![b"item".to_vec()]);
    let mut screen = browsing(&mut server, 80, 14).press("enter");
    let Some(Query::Show {
        ticket,
        key,
        window,
    }) = screen.asked()
    else {
        panic!("nothing was asked");
    };
    let (mut card, value) = server.show(&key, window).unwrap();
    card.kind = KeyKind::Item;
    card.encoding = None;
    card.item = Some(ItemFacts {
        flags: Some(32),
        cas: Some(77),
        slab_class: Some(5),
        fetched: Some(false),
    });
    let shown = Box::new(Ok(Some((card, value))));
    screen.tell(Report::Shown { ticket, shown });
    picture!("keys_card_item", screen.shown());
}
