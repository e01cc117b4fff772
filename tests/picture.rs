//! The pictures of the README, drawn from the program's own screen.
//!
//! `assets/make` writes them; a plain run of the tests draws them too, and throws them away.

mod common;

mod picture {
    pub mod svg;
}

use std::path::Path;
use std::time::Duration;

use common::program::Home;
use common::pty::{Pty, Start};

/// The pictures go here when this is set.
const WANTED: &str = "CACHEDECK_PICTURES";

/// How long traffic runs before a picture that is kept, so that its charts show something.
const TRAFFIC: Duration = Duration::from_secs(100);

#[test]
fn the_pictures_show_the_demo() {
    let home = Home::new();
    let mut demo = Start::cachedeck(&home, ["demo"]).size(128, 34).start();
    demo.wait_for("hit ratio");
    if std::env::var_os(WANTED).is_some() {
        demo.listen(TRAFFIC);
    }
    take(&demo, "overview", &["hit ratio", "used", "primary"]);
    demo.send("2");
    demo.wait_for("all ");
    demo.send("v");
    demo.wait_for("session:");
    take(&demo, "keys", &["session:", "SHARE"]);
    demo.send("q");
    demo.wait_for_end().gave_the_terminal_back();
}

/// Draws the screen, which must hold `words`, and keeps the picture when that is wanted.
fn take(demo: &Pty, name: &str, words: &[&str]) {
    let (screen, picture) = (demo.screen(), picture::svg::svg(demo.terminal()));
    for word in words {
        assert!(
            screen.contains(word),
            "`{word}` is not on the screen {name}"
        );
        // In a picture every word stands alone.
        for part in word.split(' ') {
            assert!(
                picture.contains(part),
                "`{part}` is not in the picture {name}"
            );
        }
    }
    if std::env::var_os(WANTED).is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/{name}.svg"));
        std::fs::write(path, picture).expect("assets/ can be written to");
    }
}
