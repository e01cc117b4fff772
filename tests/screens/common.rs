//! A screen without a terminal, and servers that were never there.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cachedeck::engine::Fault;
use cachedeck::engine::worker::{Query, Report, SessionState};
use cachedeck::guard::Audit;
use cachedeck::model::{
    Aof, Backlog, Bytes, Change, Clients, Counters, Database, Engine, Environment, Feature,
    Features, Identity, Limits, Memory, Persistence, Place, Protocol, Replica, Replication, Role,
    Sample, SaveStatus, SlabClass, Slabs, Target, UnixMs,
};
use cachedeck::tui::app::{App, Setup};
use cachedeck::tui::chrome;
use cachedeck::tui::event::{Effect, Event};
use cachedeck::tui::keymap::{Keymap, Overrides};
use cachedeck::tui::panes::PaneId;
use cachedeck::tui::theme::{Theme, ThemeChoice};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;

pub const MIB: u64 = 1 << 20;

/// 2026-11-24 10:20:00 UTC.
pub const NOW: UnixMs = UnixMs(1_795_515_600_000);

/// How long the made-up servers were watched before the picture.
pub const WATCHED: u64 = 200;

pub struct Screen {
    pub app: App,
    pub effects: VecDeque<Effect>,
    audit: tempfile::TempDir,
}

impl Screen {
    pub fn of(width: u16, height: u16) -> Self {
        Self::at(target(), Theme::default(), width, height)
    }

    pub fn production(width: u16, height: u16) -> Self {
        let target = Target {
            name: "prod-sessions".to_owned(),
            environment: Environment::Production,
            is_read_only: true,
            ..target()
        };
        Self::at(target, Theme::default(), width, height)
    }

    pub fn ascii(width: u16, height: u16) -> Self {
        let theme = Theme {
            choice: ThemeChoice::Dark,
            is_colourless: true,
            is_ascii: true,
        };
        Self::at(target(), theme, width, height)
    }

    pub fn at(target: Target, theme: Theme, width: u16, height: u16) -> Self {
        Self::on(vec![target], theme, width, height)
    }

    pub fn on(targets: Vec<Target>, theme: Theme, width: u16, height: u16) -> Self {
        let audit = tempfile::tempdir().unwrap();
        let setup = Setup {
            who: "you@here".to_owned(),
            audit: Audit::in_directory(audit.path()),
            theme,
            keymap: Keymap::new(&Overrides::new()).unwrap(),
            zone: TimeZone::UTC,
            interval: Duration::from_secs(1),
            pane: PaneId::Overview,
            now: NOW,
            area: Rect::new(0, 0, width, height),
        };
        let mut app = App::new(targets, setup);
        let effects = app.begin().into();
        Self {
            app,
            effects,
            audit,
        }
    }

    pub fn with(mut self, reports: Vec<Report>) -> Self {
        for report in reports {
            self.tell(report);
        }
        self
    }

    pub fn tell(&mut self, report: Report) {
        let effects = self.app.update(Event::Report { deck: 0, report }, NOW);
        self.effects.extend(effects);
    }

    /// Presses keys, written with spaces between them.
    pub fn press(mut self, keys: &str) -> Self {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            let key = crokey::parse(key).unwrap().into();
            let effects = self.app.update(Event::Key(key), NOW);
            self.effects.extend(effects);
        }
        self
    }

    /// Proposes a change as a pane does.
    pub fn propose(&mut self, change: Change) {
        let effects = self.app.propose(change, NOW);
        self.effects.extend(effects);
    }

    /// The newest question that was asked.
    pub fn asked(&mut self) -> Option<Query> {
        while let Some(effect) = self.effects.pop_back() {
            if let Effect::Ask { query, .. } = effect {
                return Some(query);
            }
        }
        None
    }

    pub fn audit_lines(&self) -> usize {
        std::fs::read_to_string(self.audit.path().join("audit.jsonl"))
            .map_or(0, |text| text.lines().count())
    }

    pub fn drawn(&self) -> TestBackend {
        let area = self.app.shell.area;
        let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).unwrap();
        terminal
            .draw(|frame| chrome::draw(&self.app, frame))
            .unwrap();
        terminal.backend().clone()
    }

    pub fn shown(&self) -> String {
        let text = self.drawn().to_string();
        let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
        lines.collect::<Vec<_>>().join("\n")
    }
}

pub fn target() -> Target {
    Target {
        name: "redis://127.0.0.1:6379".to_owned(),
        protocol: Protocol::Redis,
        place: Place::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 6379,
        },
        user: None,
        password: None,
        database: 0,
        tls: None,
        environment: Environment::Unstated,
        is_read_only: false,
        delimiter: ":".to_owned(),
        limits: Limits::default(),
    }
}

pub fn up() -> Report {
    Report::Session(SessionState::Up)
}

pub fn sampled(sample: Sample) -> Report {
    Report::Sampled(Box::new(sample))
}

/// A Redis primary with traffic, watched for a while.
pub fn redis_up() -> Vec<Report> {
    let mut reports = vec![up()];
    reports.extend((0..=WATCHED).map(|second| sampled(redis(second))));
    reports
}

/// A server that has just been started and never used.
pub fn redis_empty() -> Vec<Report> {
    let mut sample = redis(WATCHED);
    sample.databases = Some(Vec::new());
    sample.counters = Counters {
        hits: Some(0),
        misses: Some(0),
        operations: Some(3),
        evicted: Some(0),
        expired: Some(0),
        ..Counters::default()
    };
    if let Some(replication) = &mut sample.replication {
        replication.replicas.clear();
    }
    vec![up(), sampled(sample)]
}

pub fn redis_down() -> Vec<Report> {
    vec![Report::Session(SessionState::Down {
        why: Fault::Unreachable {
            place: "127.0.0.1:6379".to_owned(),
            why: "connection refused".to_owned(),
        },
        since: UnixMs(NOW.0 - 12_000),
        next_try: UnixMs(NOW.0 + 2_500),
    })]
}

pub fn memcached_up() -> Vec<Report> {
    let features = Features::default()
        .without(Feature::Replication, "Memcached has no replication")
        .without(
            Feature::Snapshot,
            "Memcached has no snapshots; its items can be fetched as a file",
        )
        .without(Feature::Databases, "Memcached has no databases");
    let mut reports = vec![up(), Report::Features(features)];
    reports.extend((0..=WATCHED).map(|second| sampled(memcached(second))));
    reports
}

/// A wave between 0 and 1, so that curves have a shape.
fn wave(second: u64) -> u64 {
    let step = second % 40;
    if step < 20 { step } else { 40 - step }
}

fn total(second: u64, base: u64, swing: u64) -> u64 {
    (0..second).map(|one| base + swing * wave(one) / 20).sum()
}

pub fn redis(second: u64) -> Sample {
    let hits = 8_000_000 + total(second, 9_000, 5_000);
    let misses = 400_000 + total(second, 300, 200);
    Sample {
        at: UnixMs(
            NOW.0 - 1_000 * (i64::try_from(WATCHED).unwrap() - i64::try_from(second).unwrap()),
        ),
        elapsed: Duration::from_secs(second),
        round_trip: Duration::from_micros(700),
        identity: Identity {
            engine: Engine::Valkey,
            version: "9.0.1".to_owned(),
            run_id: "one".to_owned(),
            role: Role::Primary,
            uptime: Some(Duration::from_secs(183_845 + second)),
            is_cluster_node: false,
            mode: Some("standalone".to_owned()),
        },
        counters: Counters {
            hits: Some(hits),
            misses: Some(misses),
            own_lookups: 0,
            operations: Some(hits + misses + 1_000_000),
            evicted: Some(1_200 + total(second, 0, 40)),
            expired: Some(50_000 + 12 * second),
            connections: Some(4_100 + second),
            rejected: Some(0),
            net_in: Some(Bytes(900 * MIB + second * 640_000)),
            net_out: Some(Bytes(9_000 * MIB + second * 6_400_000)),
            evicted_unread: None,
        },
        memory: Memory {
            used: Some(Bytes(1_200 * MIB + second * 400_000)),
            limit: Some(Some(Bytes(2_048 * MIB))),
            resident: Some(Bytes(1_350 * MIB)),
            peak: Some(Bytes(1_300 * MIB)),
            fragmentation: Some(1.06),
            policy: Some("allkeys-lru".to_owned()),
            system: Some(Bytes(16_384 * MIB)),
        },
        clients: Clients {
            connected: Some(412),
            blocked: Some(3),
            limit: Some(10_000),
        },
        databases: Some(vec![
            Database {
                index: 0,
                keys: 1_203_991,
                keys_with_ttl: Some(1_100_412),
                average_ttl: Some(Duration::from_secs(7_512)),
            },
            Database {
                index: 3,
                keys: 17,
                keys_with_ttl: Some(0),
                average_ttl: None,
            },
        ]),
        replication: Some(replication(second)),
        persistence: Some(persistence()),
        slabs: None,
        unsupported: BTreeMap::new(),
        raw: vec![("redis_version".to_owned(), "9.0.1".to_owned())],
    }
}

pub fn replication(second: u64) -> Replication {
    let offset = 90_000_000 + second * 64_000;
    let replica = |host: &str, lag: u64| Replica {
        address: format!("{host}:6379"),
        state: "online".to_owned(),
        offset: Some(offset - lag),
        lag_bytes: Some(Bytes(lag)),
        since_ack: Some(Duration::from_secs(lag / 100_000)),
    };
    Replication {
        id: Some("8371445ee07c1a7aa0d4a1f8c0f6e7d1c7a90cb5".to_owned()),
        offset: Some(offset),
        replicas: vec![
            replica("10.0.0.2", 1_400 * wave(second)),
            replica("10.0.0.3", 120_000 + 9_000 * wave(second)),
        ],
        link: None,
        backlog: Some(Backlog {
            is_active: true,
            size: Bytes(10 * MIB),
            first_offset: Some(offset - 10 * MIB),
            held: Some(Bytes(10 * MIB)),
        }),
    }
}

pub fn persistence() -> Persistence {
    Persistence {
        last_save: Some(UnixMs(NOW.0 - 212_000)),
        last_status: Some(SaveStatus::Ok),
        last_duration: Some(Duration::from_secs(4)),
        changes_since_save: Some(120_345),
        last_cow: Some(Bytes(34 * MIB)),
        last_fork: Some(Duration::from_millis(12)),
        aof: Some(Aof {
            is_enabled: true,
            last_rewrite: Some(SaveStatus::Ok),
            last_write: Some(SaveStatus::Ok),
            size: Some(Bytes(800 * MIB)),
            ..Aof::default()
        }),
        ..Persistence::default()
    }
}

pub fn memcached(second: u64) -> Sample {
    let mut sample = redis(second);
    sample.identity = Identity {
        engine: Engine::Memcached,
        version: "1.6.18".to_owned(),
        run_id: "4711".to_owned(),
        role: Role::Single,
        uptime: Some(Duration::from_secs(86_400 * 12)),
        is_cluster_node: false,
        mode: None,
    };
    sample.memory = Memory {
        used: Some(Bytes(52 * MIB)),
        limit: Some(Some(Bytes(64 * MIB))),
        ..Memory::default()
    };
    sample.clients = Clients {
        connected: Some(871),
        blocked: None,
        limit: Some(1_024),
    };
    sample.databases = Some(vec![Database {
        index: 0,
        keys: 204_112,
        keys_with_ttl: None,
        average_ttl: None,
    }]);
    sample.replication = None;
    sample.persistence = None;
    sample.slabs = Some(Slabs {
        classes: [(5, 240), (12, 1_184), (22, 11_984)]
            .map(slab_class)
            .to_vec(),
        allocated: Some(Bytes(60 * MIB)),
    });
    sample
}

fn slab_class((id, chunk): (u32, u64)) -> SlabClass {
    SlabClass {
        id,
        chunk_size: Bytes(chunk),
        pages: 20,
        used_chunks: 20 * MIB / chunk - 7,
        free_chunks: 7,
        total_chunks: 20 * MIB / chunk,
        requested: Some(Bytes((20 * MIB / chunk - 7) * (chunk * 9 / 10))),
        items: Some(20 * MIB / chunk - 7),
        tail_age: Some(Duration::from_secs(u64::from(id) * 700)),
        evicted: Some(12),
        evicted_idle: Some(Duration::from_secs(650)),
        out_of_memory: Some(0),
    }
}
