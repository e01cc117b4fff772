//! The rules, as tables, and the loop that applies them.

use std::fmt::{Display, Formatter};

use super::source::Source;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A part of the house names only parts on lower floors.
const FLOORS: [(&str, u8); 13] = [
    ("model", 1),
    ("text", 1),
    ("check", 2),
    ("guard", 2),
    ("snapshot", 2),
    ("analysis", 2),
    ("catalog", 2),
    ("engine", 3),
    ("config", 3),
    ("cli", 4),
    ("tui", 4),
    ("demo", 4),
    ("main", 5),
];

/// Foreign modules that only some parts may know.
const GUESTS: [(&str, &[&str]); 19] = [
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("crokey", &["tui"]),
    ("tui_input", &["tui"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli", "main"]),
    ("clap_mangen", &["cli", "main"]),
    ("redis", &["engine"]),
    ("memcache", &["engine"]),
    ("rustls", &["engine"]),
    ("tokio_rustls", &["engine"]),
    ("rustls_native_certs", &["engine"]),
    ("rustls_pki_types", &["engine"]),
    ("tokio::net", &["engine"]),
    ("std::os::unix::net", &["engine", "demo"]),
    ("std::net::TcpStream", &["engine", "demo"]),
    ("std::net::TcpListener", &["engine", "demo"]),
    ("std::net::UdpSocket", &["engine"]),
    ("std::net::ToSocketAddrs", &["engine"]),
];

/// No I/O, no async, no clock: time is an argument.
const PURE: [&str; 5] = ["model", "text", "check", "analysis", "catalog"];
const IMPURE: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "tokio",
    "rustix",
];
/// Parts of them that only name things.
const HARMLESS: [&str; 3] = [
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
];
const CLOCKS: [&str; 4] = [
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
];

/// What a person might write in a hurry, by the signs it is made of.
const HASTE: [(&[&str], &str); 4] = [
    (&["todo", "!"], "finish it or leave it out"),
    (&["unimplemented", "!"], "finish it or leave it out"),
    (&["dbg", "!"], "left over from debugging"),
    (&["#", "[", "ignore", "]"], "say why it is ignored"),
];

const PRINTS: [&str; 4] = ["println", "print", "eprintln", "eprint"];
const PRINTERS: [&str; 2] = ["cli", "main"];

/// Files beside `text` that may decode lossily, and why foreign bytes cannot reach a person there.
#[rustfmt::skip]
const LOSSY: [(&str, &str); 4] = [
    ("src/cli/commands/completions.rs", "a script made of our own names"),
    ("src/cli/commands/man.rs",         "a page made of our own words"),
    ("src/demo/programs.rs",            "a program's version line, compared and never shown"),
    ("src/engine/redis/commands.rs",    "the first words of our own command, compared and never shown"),
];

/// Parts of paths that exist on one machine only. In pieces, or this file would break the rule.
const MACHINES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
    concat!("/priv", "ate/var/"),
];

const TOP_LEVEL: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "assets",
    "tests",
    "benches",
    "config.example.yaml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
];

const LONGEST_FILE: usize = 900;
const LONGEST_FUNCTION: usize = 120;

/// Everything wrong with a source file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut found = Findings {
        source,
        list: check_page(&source.path, &source.text),
    };
    found.name();
    found.sizes();
    found.haste();
    found.bare_allows();
    if source.path.starts_with("src/") {
        found.floors();
        found.guests();
        found.purity();
        found.quiet();
        found.downstairs();
        found.unwraps();
        found.lossy();
    }
    if source.path.starts_with("tests/") && source.path != "tests/common/wait.rs" {
        found.sleeps();
    }
    found.list.sort_by_key(|finding| finding.line);
    found.list
}

/// What is wrong with any text of ours, documents included.
pub fn check_page(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    let conflicts = [concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];
    lines
        .filter_map(|(index, line)| {
            let machine = MACHINES.iter().find(|part| line.contains(**part));
            let conflict = conflicts.iter().find(|mark| line.starts_with(**mark));
            let what = match (machine, conflict) {
                (Some(part), _) => format!("`{part}` exists on one machine only"),
                (None, Some(_)) => "an unfinished merge".to_owned(),
                (None, None) => return None,
            };
            Some(Finding {
                path: path.to_owned(),
                line: index + 1,
                what,
            })
        })
        .collect()
}

/// Names at the top level that are not in the design. Build output and hidden files are not meant.
pub fn check_top_level(names: impl Iterator<Item = String>) -> Vec<Finding> {
    names
        .filter(|name| !name.starts_with('.') && name != "target")
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .map(|name| Finding {
            path: name,
            line: 1,
            what: "does not belong at the top level".to_owned(),
        })
        .collect()
}

struct Findings<'a> {
    source: &'a Source,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.list.push(Finding {
            path: self.source.path.clone(),
            line,
            what: what.into(),
        });
    }

    fn module(&self) -> &str {
        self.source.module().unwrap_or_default()
    }

    fn name(&mut self) {
        if self.source.path.ends_with("/mod.rs") {
            self.add(1, "modules are self-named: no mod.rs");
        }
    }

    fn sizes(&mut self) {
        let lines = self.source.text.lines().count();
        if lines > LONGEST_FILE {
            self.add(LONGEST_FILE, format!("a file of {lines} lines: cut it"));
        }
        for function in self.source.functions() {
            if function.lines > LONGEST_FUNCTION && !self.is_table(function.line) {
                let (name, lines) = (function.name, function.lines);
                self.add(function.line, format!("`{name}` has {lines} lines: cut it"));
            }
        }
    }

    /// A long function is fine when it is a list and says so:
    /// `#[expect(clippy::too_many_lines, reason = "a table of …")]`.
    fn is_table(&self, line: usize) -> bool {
        let above = self.source.above(line);
        above.contains("clippy::too_many_lines") && above.contains("table")
    }

    fn haste(&mut self) {
        for (signs, why) in HASTE {
            for line in self.source.lines_with(signs) {
                self.add(line, format!("`{}`: {why}", signs.concat()));
            }
        }
    }

    fn bare_allows(&mut self) {
        let allows: Vec<usize> = [&["[", "allow", "("], &["[", "expect", "("]]
            .iter()
            .flat_map(|signs| self.source.lines_with(*signs))
            .collect();
        for line in allows {
            let from_here = self.source.text.lines().skip(line - 1);
            let attribute: Vec<&str> = from_here.take(5).collect();
            let attribute = attribute.join("\n");
            let end = attribute.find(")]").unwrap_or(attribute.len());
            if !attribute[..end].contains("reason") {
                self.add(line, "an exception to a lint needs its reason");
            }
        }
    }

    fn floors(&mut self) {
        let module = self.module().to_owned();
        if module == "lib" {
            return;
        }
        let Some(floor) = floor(&module) else {
            return self.add(
                1,
                format!("`{module}` is on no floor: give it a row in FLOORS"),
            );
        };
        let mut broken = Vec::new();
        for path in &self.source.paths {
            if path.starts_with("super::super") && !self.source.is_test(path.line) {
                broken.push((
                    path.line,
                    "say `crate::` rather than climb `super::super`".to_owned(),
                ));
            }
            let Some(other) = self.named_part(&path.segments, path.line) else {
                continue;
            };
            let Some(theirs) = self::floor(other).filter(|_| other != module) else {
                continue;
            };
            if theirs >= floor {
                broken.push((
                    path.line,
                    format!("{module} (floor {floor}) names {other} (floor {theirs})"),
                ));
            }
        }
        for (line, what) in broken {
            self.add(line, what);
        }
    }

    /// The part of the house that a path names from here, if it names one.
    fn named_part<'p>(&self, segments: &'p [String], line: usize) -> Option<&'p str> {
        let root = match segments.first()?.as_str() {
            "crate" => true,
            "cachedeck" => self.module() == "main",
            // `super` of `src/tui.rs` is the crate; that of its test module is not.
            "super" => self.source.path.matches('/').count() == 1 && !self.source.is_test(line),
            _ => false,
        };
        segments.get(1).filter(|_| root).map(String::as_str)
    }

    fn guests(&mut self) {
        let module = self.module().to_owned();
        let mut broken = Vec::new();
        for path in &self.source.paths {
            for (guest, hosts) in GUESTS {
                let ours = self.source.declares(guest) || hosts.contains(&module.as_str());
                if path.starts_with(guest) && !ours && !self.source.is_test(path.line) {
                    broken.push((
                        path.line,
                        format!("only {} may know `{guest}`", hosts.join(" and ")),
                    ));
                }
            }
        }
        for (line, what) in broken {
            self.add(line, what);
        }
    }

    fn purity(&mut self) {
        let module = self.module().to_owned();
        if !PURE.contains(&module.as_str()) {
            return;
        }
        let mut broken = Vec::new();
        for path in &self.source.paths {
            let harmless = HARMLESS.iter().any(|name| path.starts_with(name));
            let world = IMPURE.iter().find(|impure| path.starts_with(impure));
            let world = world.filter(|_| !harmless);
            let clock = CLOCKS.iter().find(|clock| path.contains(clock));
            if let Some(what) = world.or(clock)
                && !self.source.is_test(path.line)
            {
                broken.push((path.line, format!("{module} is pure: no `{what}`")));
            }
        }
        for (line, what) in broken {
            self.add(line, what);
        }
    }

    /// Only the faces print; the rest returns what there is to say.
    fn quiet(&mut self) {
        if PRINTERS.contains(&self.module()) {
            return;
        }
        for name in PRINTS {
            for line in self.source.lines_with(&[name, "!"]) {
                if !self.source.is_test(line) {
                    self.add(line, format!("`{name}!`: only cli and main print"));
                }
            }
        }
    }

    fn downstairs(&mut self) {
        if self.module() != "tui" {
            return;
        }
        let signs: [(&[&str], &str); 5] = [
            (&["async", "fn"], "async"),
            (&["async", "move"], "async"),
            (&[".", "await"], "await"),
            (&["Mutex", "<"], "a lock"),
            (&["RwLock", "<"], "a lock"),
        ];
        for (signs, what) in signs {
            for line in self.source.lines_with(signs) {
                self.add(line, format!("{what} stays downstairs, in the engine"));
            }
        }
    }

    fn unwraps(&mut self) {
        for line in self.source.lines_with(&[".", "unwrap", "("]) {
            if !self.source.is_test(line) {
                self.add(line, "`unwrap`: say with `expect` why it cannot happen");
            }
        }
    }

    fn lossy(&mut self) {
        let excused = LOSSY.iter().any(|(path, _)| *path == self.source.path);
        if self.module() == "text" || excused {
            return;
        }
        for line in self.source.lines_with(&["from_utf8_lossy"]) {
            if !self.source.is_test(line) {
                self.add(
                    line,
                    "`from_utf8_lossy`: foreign bytes are shown by `text` alone",
                );
            }
        }
    }

    fn sleeps(&mut self) {
        for line in self.source.lines_with(&["thread", "::", "sleep"]) {
            self.add(line, "tests do not sleep: `common::wait` waits for a fact");
        }
    }
}

fn floor(module: &str) -> Option<u8> {
    let row = FLOORS.iter().find(|(name, _)| *name == module)?;
    Some(row.1)
}
