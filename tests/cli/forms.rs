//! Forms of output, and manners on pipes.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::program::{Call, Home, cachedeck};
use crate::common::redis::{Flavor, RedisServer};

#[test]
fn yaml_says_the_same_as_json() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("SET yes no");
    let ask = |form: &str| cachedeck([&server.url(), "show", "yes", "-o", form]);
    let yaml: Value = serde_yaml::from_str(ask("yaml").out()).unwrap();
    let json = ask("json").json();
    for field in ["key", "value", "type", "length", "exact"] {
        assert_eq!(yaml["data"][field], json["data"][field], "{field}");
    }
    assert_eq!(yaml["data"]["value"], "no");
}

#[test]
fn prometheus_text_is_well_formed() {
    let server = RedisServer::plain(Flavor::Redis);
    server.run("SET a 1 EX 100");
    let run = cachedeck([&server.url(), "info", "--window", "20ms", "-o", "prom"]);
    run.succeeds();
    let mut described = String::new();
    for line in run.out().lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split(' ').next().unwrap().clone_into(&mut described);
            continue;
        }
        if line.starts_with("# TYPE ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(
            series.starts_with(&format!("{described}{{target=\"")),
            "{line}"
        );
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let url = server.url();
    for line in [
        format!("cachedeck_keys{{target=\"{url}\",db=\"0\"}} 1"),
        format!("cachedeck_keys_with_ttl{{target=\"{url}\",db=\"0\"}} 1"),
    ] {
        assert!(
            run.out().lines().any(|one| one == line),
            "{line}\n{}",
            run.out()
        );
    }
}

#[test]
fn colour_is_for_terminals_unless_it_is_forced() {
    let server = RedisServer::plain(Flavor::Redis);
    let url = server.url();
    let ask = |args: &[&str], variables: &[(&str, &str)]| {
        let mut call = Call::new([&[url.as_str(), "info"], args].concat());
        for (name, value) in variables {
            call = call.env(name, *value);
        }
        call.run(&Home::new()).out().contains('\x1b')
    };
    assert!(!ask(&[], &[]));
    assert!(ask(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!ask(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!ask(&["--no-color"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let server = RedisServer::plain(Flavor::Redis);
    for number in 0..5000 {
        server.run(&format!(
            "SET a-rather-long-name-to-fill-the-pipe-with:{number} v"
        ));
    }
    let home = Home::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cachedeck"))
        .args([&server.url(), "keys", "-o", "ndjson"])
        .env_clear()
        .envs(home.environment())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let end = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!((end.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn every_command_has_help_a_man_page_and_completions() {
    let help = cachedeck(["--help"]);
    for command in cachedeck::cli::COMMANDS {
        let first = command.name.split(' ').next().unwrap();
        assert!(
            help.out().contains(&format!("\n  {first}")),
            "{first}\n{}",
            help.out()
        );
        let words = command.name.split(' ').chain(["--help"]);
        let own = cachedeck(words);
        own.succeeds();
        assert!(
            own.out().contains("Example:"),
            "{}\n{}",
            command.name,
            own.out()
        );
        let page = cachedeck(["man"].into_iter().chain(command.name.split(' ')));
        page.succeeds();
        assert!(page.out().contains(".SH NAME"), "{}", page.out());
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = cachedeck(["completions", shell]);
        script.succeeds();
        assert!(script.out().contains("replication"), "{shell}");
    }
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    let commands = cachedeck::cli::COMMANDS.iter().map(|command| command.name);
    for name in commands.chain([""]) {
        for flag in ["--help", "-h"] {
            let help = cachedeck(name.split_whitespace().chain([flag]));
            help.succeeds();
            let long = help.out().lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{name} {flag}");
        }
    }
}

#[test]
fn ctrl_c_ends_it_also_while_it_prints() {
    let server = RedisServer::plain(Flavor::Redis);
    let value = [b"first\n".as_slice(), &vec![b'x'; 8 << 20]].concat();
    server.cmd(&[b"SET", b"big", &value]);
    let mut run = Call::new([&server.url(), "show", "big", "--raw"]).start(&Home::new());
    assert_eq!(run.line().as_deref(), Some("first"));
    run.signal(rustix::process::Signal::INT);
    let run = run.wait();
    run.exits(130);
    assert!(run.stdout.len() < value.len());
}
