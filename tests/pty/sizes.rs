//! Every size a window can have, and a storm of them.

use super::desk::{NEVER, leave, server_with};
use crate::common::program::Home;
use crate::common::pty::{Pty, Start};

fn opened(home: &Home, url: &str, columns: u16, rows: u16) -> Pty {
    let args = [&["-t", url][..], &NEVER].concat();
    Start::cachedeck(home, args).size(columns, rows).start()
}

#[test]
fn every_size_shows_every_pane() {
    let server = server_with(&["user:1", "user:2"], "value");
    let home = Home::new();
    for (columns, rows) in [(20, 6), (40, 10), (80, 24), (200, 60), (500, 200)] {
        let mut pty = opened(&home, &server.url(), columns, rows);
        pty.wait_for("● up");
        pty.send("2");
        pty.wait_for("user:2");
        pty.send("\r");
        pty.wait_for("value");
        pty.send("?");
        pty.wait_for("Keys in Keys");
        pty.send("\x1b");
        pty.wait_until_gone("Keys in Keys");
        pty.send("3");
        pty.wait_for("On disk");
        pty.send("4");
        pty.wait_for("replicas");
        leave(pty);
    }
}

#[test]
fn below_the_smallest_it_says_so_and_still_leaves() {
    let server = server_with(&[], "");
    let home = Home::new();
    for (columns, rows, words) in [
        (19, 5, "too small: 19x5"),
        (1, 1, "t"),
        (80, 5, "too small"),
    ] {
        let mut pty = opened(&home, &server.url(), columns, rows);
        pty.wait_for(words);
        leave(pty);
    }
}

#[test]
fn a_window_that_grows_and_shrinks_is_followed() {
    let server = server_with(&["user:1"], "value");
    let home = Home::new();
    let mut pty = opened(&home, &server.url(), 80, 24);
    pty.wait_for("● up");
    for (columns, rows) in [
        (1, 1),
        (20, 6),
        (200, 60),
        (19, 5),
        (500, 200),
        (40, 10),
        (80, 24),
    ] {
        pty.resize(columns, rows);
        let is_small = columns < 20 || rows < 6;
        pty.wait_until("the new size", |screen| {
            if is_small {
                screen.starts_with('t') && screen.lines().count() == 1
            } else {
                is_whole(screen, rows)
            }
        });
    }
    leave(pty);
}

#[test]
fn after_a_storm_of_sizes_the_screen_is_right() {
    let server = server_with(&["user:1", "user:2"], "value");
    let home = Home::new();
    let mut pty = opened(&home, &server.url(), 80, 24);
    pty.wait_for("● up");
    pty.send("2");
    pty.wait_for("seen by");
    for step in 0..200_u16 {
        pty.resize(1 + step * 37 % 230, 1 + step * 53 % 70);
    }
    pty.resize(80, 24);
    pty.wait_until("the last size", |screen| {
        is_whole(screen, 24) && screen.contains("user:1") && screen.contains("seen by")
    });
    // What a screen drawn afresh shows is what was there.
    let before = settled(&mut pty);
    let drawn = pty.raw().len();
    pty.send("\x0c");
    pty.wait_until("a fresh screen", |screen| is_whole(screen, 24));
    let after = settled(&mut pty);
    assert!(pty.raw().len() > drawn + 500, "it was drawn again");
    assert_eq!(before, after);
    leave(pty);
}

/// The header in the first line and the footer in the last.
fn is_whole(screen: &str, rows: u16) -> bool {
    let lines: Vec<&str> = screen.lines().collect();
    let first = lines.first().copied().unwrap_or_default();
    let last = lines.last().copied().unwrap_or_default();
    let is_high = lines.len() == usize::from(rows);
    is_high && first.trim_end().ends_with("● up") && last.trim_end().ends_with("q quit")
}

/// The screen once nothing more comes.
fn settled(pty: &mut Pty) -> String {
    while pty.listen(super::quiet::A_WHILE) > 0 {}
    pty.screen()
}
