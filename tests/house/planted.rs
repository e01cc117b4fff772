//! Every rule finds a break that was planted for it, and lets honest code pass.

use super::rules::{check, check_page, check_top_level};
use super::source::Source;

/// The findings in `text` as if it stood in `path`, one a line.
fn found(path: &str, text: &str) -> String {
    let findings = check(&Source::new(path, text));
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn each_rule_finds_its_break() {
    #[rustfmt::skip]
    let planted = [
        ("src/model/key.rs",  "use crate::engine::Session;",           "model (floor 1) names engine (floor 3)"),
        ("src/model.rs",      "use super::guard::Permit;",             "model (floor 1) names guard (floor 2)"),
        ("src/text.rs",       "use crate::{\n    model::Key,\n};",     "text (floor 1) names model (floor 1)"),
        ("src/engine.rs",     "fn f() { crate::config::load() }",      "engine (floor 3) names config (floor 3)"),
        ("src/cli/info.rs",   "use crate::tui::App;",                  "cli (floor 4) names tui (floor 4)"),
        ("src/tui/app.rs",    "use crate::demo::Demo;",                "tui (floor 4) names demo (floor 4)"),
        ("src/tui/app.rs",    "use super::super::engine::X;",          "rather than climb"),
        ("src/extra.rs",      "",                                      "`extra` is on no floor"),
        ("src/engine/a.rs",   "use ratatui::Frame;",                   "only tui may know `ratatui`"),
        ("src/cli/a.rs",      "fn f(k: crossterm::event::KeyCode) {}", "only tui may know `crossterm`"),
        ("src/tui/a.rs",      "#[derive(clap::Parser)]\nstruct A;",    "only cli and main may know `clap`"),
        ("src/guard.rs",      "use redis::Cmd;",                       "only engine may know `redis`"),
        ("src/config.rs",     "use tokio::{net::TcpStream, time};",    "only engine may know `tokio::net`"),
        ("src/cli/a.rs",      "use std::net::TcpStream;",              "only engine and demo may know"),
        ("src/model/a.rs",    "fn f() { std::fs::read(p) }",           "model is pure: no `std::fs`"),
        ("src/text.rs",       "use std::{io, net::Shutdown};",          "text is pure: no `std::net`"),
        ("src/check/a.rs",    "fn f() { Instant::now() }",             "check is pure: no `Instant::now`"),
        ("src/analysis.rs",   "fn f() { jiff::Timestamp::now() }",     "analysis is pure: no `Timestamp::now`"),
        ("src/model/mod.rs",  "",                                      "no mod.rs"),
        ("src/guard.rs",      "fn f() { x.unwrap() }",                 "`unwrap`: say with `expect`"),
        ("src/engine/a.rs",   "fn f() { println!(\"x\") }",            "`println!`: only cli and main print"),
        ("src/tui/a.rs",      "fn f() { eprint!(\"x\") }",             "`eprint!`: only cli and main print"),
        ("src/tui/a.rs",      "async fn f() {}",                       "async stays downstairs"),
        ("src/tui/a.rs",      "struct A(Arc<Mutex<B>>);",              "a lock stays downstairs"),
        ("src/cli/a.rs",      "fn f() { todo!() }",                    "`todo!`: finish it"),
        ("tests/cli.rs",      "fn f() { unimplemented!() }",           "`unimplemented!`: finish it"),
        ("src/cli/a.rs",      "fn f() { dbg!(x) }",                    "`dbg!`: left over"),
        ("tests/live.rs",     "#[ignore]\n#[test]\nfn f() {}",         "say why it is ignored"),
        ("src/cli/a.rs",      "#[allow(dead_code)]\nfn f() {}",        "needs its reason"),
        ("src/cli/a.rs",      "#![expect(\n    dead_code\n)]",         "needs its reason"),
        ("src/cli/a.rs",      "fn f() { String::from_utf8_lossy(b) }", "shown by `text` alone"),
        ("tests/live.rs",     "fn f() { std::thread::sleep(t) }",      "tests do not sleep"),
        ("src/cli/a.rs",      concat!("// see /wo", "rk/x"),           "exists on one machine only"),
    ];
    for (path, text, expected) in planted {
        let found = found(path, text);
        assert!(
            found.starts_with(&format!("{path}:")),
            "{path}: {text}\nfound {found:?}"
        );
        assert!(found.contains(expected), "{path}: {text}\nfound {found:?}");
    }
}

#[test]
fn honest_code_passes() {
    #[rustfmt::skip]
    let honest = [
        ("src/tui/app.rs",    "use crate::{engine::Ask, model::Key, text};\nuse ratatui::Frame;"),
        ("src/engine.rs",     "mod redis;\nuse self::redis::Codec;\nfn f() { redis::go() }"),
        ("src/check/a.rs",    "mod redis;\nuse super::redis::X;\nfn f() { redis::go() }"),
        ("src/model/a.rs",    "use std::net::Ipv6Addr;"),
        ("src/guard/a.rs",    "use std::fs;\nuse crate::model::Change;"),
        ("src/main.rs",       "use cachedeck::{cli, demo, tui};\nfn main() { println!(\"x\") }"),
        ("src/lib.rs",        "pub mod tui;\npub mod cli;"),
        ("src/model/a.rs",    "// use crate::tui::App;\nconst A: &str = \"crate::tui println!() .unwrap()\";"),
        ("src/model/a.rs",    "const A: &str = r#\"todo!() \"crate::tui\" \"#; const B: char = '\"'; const C: char = '\\'';"),
        ("src/model/a.rs",    "fn f<'a>(x: &'a str) -> &'a str { x } /* dbg!(x) /* nested */ */"),
        ("src/model/a.rs",    "#[cfg(test)]\nmod tests {\n    use super::*;\n    fn f() { x.unwrap(); std::fs::read(p); }\n}"),
        ("src/cli/a.rs",      "#[expect(clippy::too_many_lines, reason = \"a list\")]\nfn f() {}"),
        ("src/engine/tests.rs", "fn f() { x.unwrap() }"),
        ("tests/common/wait.rs", "fn f() { std::thread::sleep(t) }"),
        ("src/text.rs",       "fn f() { String::from_utf8_lossy(b) }"),
    ];
    for (path, text) in honest {
        assert_eq!(found(path, text), "", "{path}: {text}");
    }
}

#[test]
fn code_after_a_test_module_is_code_again() {
    let text = "#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap() }\n}\nfn g() { x.unwrap() }\n";
    let found = found("src/guard.rs", text);
    assert!(found.starts_with("src/guard.rs:5: `unwrap`"), "{found}");
    assert_eq!(found.lines().count(), 1);
}

#[test]
fn a_use_tree_is_unfolded() {
    let text = "use a::{b::{self, c as d}, e::*, f};\nfn x() -> g::h<i::j> {}";
    let source = Source::new("src/model.rs", text);
    let paths: Vec<String> = source
        .paths
        .iter()
        .map(|path| path.segments.join("::"))
        .collect();
    assert_eq!(
        paths,
        ["a::b::self", "a::b::c", "a::e::*", "a::f", "g::h", "i::j"]
    );
}

#[test]
fn long_files_and_functions_are_found_unless_they_are_tables() {
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(130));
    assert_eq!(
        found("src/guard.rs", &long),
        "src/guard.rs:1: `f` has 132 lines: cut it"
    );
    let table = "#[expect(clippy::too_many_lines, reason = \"a table of commands\")]\n";
    assert_eq!(found("src/guard.rs", &format!("{table}{long}")), "");
    let file = "fn f() {}\n".repeat(901);
    assert_eq!(
        found("src/guard.rs", &file),
        "src/guard.rs:900: a file of 901 lines: cut it"
    );
}

#[test]
fn documents_and_the_top_level_are_read_too() {
    let page = format!("fine\n{}\n", concat!("cd /ro", "ot/x"));
    assert_eq!(check_page("README.md", &page)[0].line, 2);
    let names = ["src", "target", ".ci", "notes.txt"].map(str::to_owned);
    let found = check_top_level(names.into_iter());
    assert_eq!((found.len(), found[0].path.as_str()), (1, "notes.txt"));
}
