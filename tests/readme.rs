//! What the README says is so: its tables are the program's own, its commands run.

mod common;

use std::path::Path;

use cachedeck::config::{Config, Vars};
use cachedeck::tui::actions::ACTIONS;
use common::program::{Home, cachedeck};
use common::pty::Start;
use common::redis::{Flavor, RedisServer};

/// The server of the README's examples; tests put a real one in its place.
const EXAMPLE: &str = "redis://127.0.0.1:6379";

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
        .expect("there is a README")
}

/// The lines between the comments that begin and end a generated table.
fn table(readme: &str, name: &str) -> String {
    let begin = format!("<!-- {name}: ");
    let end = format!("<!-- end of {name} -->");
    let from = readme.find(&begin).expect("the table's first comment");
    let to = readme.find(&end).expect("the table's last comment");
    let rows: Vec<&str> = readme[from..to].lines().skip(1).collect();
    rows.join("\n") + "\n"
}

/// The commands of all shell blocks, without their comments.
fn commands(readme: &str) -> Vec<String> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            is_inside = line == "```sh";
        } else if is_inside {
            let command = line.split(" # ").next().unwrap_or(line);
            found.push(command.trim().to_owned());
        }
    }
    found
}

#[test]
fn the_table_of_commands_is_the_programs_own() {
    assert_eq!(
        table(&readme(), "commands"),
        cachedeck::cli::readme_commands()
    );
}

#[test]
fn the_table_of_keys_is_the_programs_own() {
    assert_eq!(
        table(&readme(), "keys"),
        cachedeck::tui::actions::readme_keys()
    );
}

#[test]
fn the_table_of_panes_is_the_programs_own() {
    assert_eq!(
        table(&readme(), "panes"),
        cachedeck::tui::panes::readme_panes()
    );
}

#[test]
fn the_example_config_shows_every_action_with_its_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yaml");
    let example = std::fs::read_to_string(path).expect("there is an example");
    let begin = "The defaults:\n";
    let from = example.find(begin).expect("where the defaults begin") + begin.len();
    let to = example
        .find("# end of the default keys")
        .expect("where they end");
    assert_eq!(example[from..to], cachedeck::tui::actions::example_keys());
}

#[test]
fn the_default_keys_of_the_example_are_what_the_file_would_say() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("config.yaml");
    let keys = cachedeck::tui::actions::example_keys().replace('#', " ");
    std::fs::write(&path, format!("keys:\n{keys}")).expect("a file");
    let config = Config::load(Some(&path), &Vars::from([("HOME", "/nowhere")])).expect("a config");
    for row in ACTIONS {
        assert_eq!(config.keys[row.name], row.keys, "{}", row.name);
    }
    assert_eq!(config.keys.len(), ACTIONS.len());
}

#[test]
fn every_command_runs() {
    let server = RedisServer::plain(Flavor::default());
    server.run("SET user:1 ann");
    server.run("SAVE");
    let file = server.directory().join("dump.rdb");
    let file = file.to_str().expect("a plain path");
    let mut ran = 0;
    for command in commands(&readme()) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["cachedeck", EXAMPLE] => shows_the_dashboard(&server.url()),
            ["cachedeck", rest @ ..] => {
                let url = server.url();
                let args = rest.iter().map(|word| match *word {
                    EXAMPLE | "prod" => url.as_str(),
                    "last-night.rdb" => file,
                    word => word.trim_matches('\''),
                });
                cachedeck(args).succeeds();
            }
            [script] => is_a_script(script),
            _ => panic!("nobody tests `{command}`"),
        }
        ran += 1;
    }
    assert!(ran >= 4, "only {ran} commands were found");
}

fn shows_the_dashboard(url: &str) {
    let home = Home::new();
    let mut screen = Start::cachedeck(&home, [url]).start();
    screen.wait_for("hit ratio");
    screen.send("q");
    screen.wait_for_end().gave_the_terminal_back();
}

/// Scripts install packages and build releases: here it must be enough that they are there and
/// that the shell can read them.
fn is_a_script(path: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = std::process::Command::new("bash")
        .arg("-n")
        .arg(root.join(path))
        .status();
    assert!(read.expect("bash runs").success(), "{path}");
}

#[test]
fn every_file_that_is_linked_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in readme()
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        let is_far = link.starts_with("https://") || link.starts_with('#');
        assert!(is_far || root.join(link).exists(), "{link}");
    }
}
