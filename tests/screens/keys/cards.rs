//! An opened key: its card and its value, by type.

use std::time::Duration;

use cachedeck::engine::worker::{Query, Report};
use cachedeck::model::{ItemFacts, KeyKind};
use cachedeck::tui::event::{Effect, Event};

use crate::common::{NOW, WATCHED, redis, sampled};
use crate::keys::shop::{browsing, of_names, pressed, shop};
use crate::picture;

#[test]
fn a_string_opens_as_json_and_changes_its_form() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 20);
    let screen = pressed(&mut server, screen, "down down down down enter");
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
    let screen = pressed(&mut server, screen, "end enter");
    picture!("keys_card_hash", screen.shown());
    let screen = pressed(&mut server, screen, "down enter");
    picture!("keys_card_element", screen.shown());
}

#[test]
fn a_long_list_is_read_window_by_window() {
    let mut server = shop();
    let screen = browsing(&mut server, 80, 14);
    let screen = pressed(&mut server, screen, "end up up enter");
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
        ("leaderboard", 2),
        ("events", 0),
        ("tags:popular", 5),
        ("session:77aa", 3),
        ("json:config", 1),
    ] {
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
fn a_card_whose_time_ran_out_asks_whether_the_key_is_gone() {
    let mut server = shop();
    let mut screen = browsing(&mut server, 80, 14);
    screen = pressed(&mut server, screen, "down down down down enter");
    let mut asks_at = |seconds| {
        let report = sampled(redis(WATCHED + seconds));
        let now = NOW.plus(Duration::from_secs(seconds));
        let effects = screen.app.update(Event::Report { deck: 0, report }, now);
        effects.iter().any(|effect| {
            let Effect::Ask { query, .. } = effect else {
                return false;
            };
            matches!(query, Query::Show { .. })
        })
    };
    assert!(!asks_at(10));
    assert!(asks_at(31 * 60));
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
