//! A made-up server with a few keys, that answers what the pane asks.

use std::time::Duration;

use cachedeck::catalog::{Builder, Fact};
use cachedeck::engine::worker::{Listed, Query, Report, Ticket, WalkStep};
use cachedeck::model::{
    Bytes, Coverage, Key, KeyCard, KeyFacts, KeyKind, KeyOutcome, KeyRow, Outcome, Part, Preview,
    StreamEntry, Told, Ttl, Value, Window,
};
use cachedeck::tui::event::{Effect, Event};

use crate::common::{NOW, Screen, redis_up};

/// A server with these keys, of which the walk has brought the first ones.
pub struct Server {
    pub keys: Vec<(Vec<u8>, KeyFacts)>,
    pub of: u64,
    pub ends: bool,
    pub is_gone: bool,
    pub shown: Vec<Window>,
    pub walks: usize,
}

pub fn here(kind: KeyKind, ttl: Option<u64>, size: u64) -> KeyFacts {
    KeyFacts::Here {
        kind,
        ttl: ttl.map_or(Ttl::None, |seconds| {
            Ttl::Until(NOW.plus(Duration::from_secs(seconds)))
        }),
        size: Some(Bytes(size)),
        idle: Some(Duration::from_secs(41)),
    }
}

/// What the walk tells of a key.
fn fact(facts: &KeyFacts) -> Option<Fact> {
    let KeyFacts::Here {
        kind, ttl, size, ..
    } = facts
    else {
        return None;
    };
    Some(Fact::of(&Told {
        kind: Some(kind.clone()),
        ttl: *ttl,
        size: *size,
        ..Told::default()
    }))
}

pub fn shop() -> Server {
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

pub fn of_names(names: Vec<Vec<u8>>) -> Server {
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
    pub fn answer(&mut self, mut screen: Screen) -> Screen {
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
        let mut names = Builder::default();
        for (name, facts) in &self.keys {
            names.add(name, fact(facts));
        }
        let listed = Listed {
            names: names.catalog(),
            coverage: Coverage {
                seen: self.keys.len() as u64,
                of: Some(self.of),
                is_complete: self.ends,
                ..Coverage::default()
            },
            ..Listed::default()
        };
        let mut steps = vec![WalkStep::Names(Box::new(listed))];
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

    pub fn show(&self, key: &Key, window: Window) -> Option<(KeyCard, Value)> {
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
            is_touched: false,
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

pub fn browsing(server: &mut Server, width: u16, height: u16) -> Screen {
    server.answer(Screen::of(width, height).with(redis_up()).press("2"))
}

pub fn pressed(server: &mut Server, screen: Screen, keys: &str) -> Screen {
    server.answer(screen.press(keys))
}
