//! One reading of a server, in every form: what `info` prints once and `watch` again and again.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::facts::{self, size};
use crate::cli::output::{Answer, Look, Paint};
use crate::cli::prometheus;
use crate::model::{
    Break, Database, Persistence, Rates, Replication, Role, Sample, SaveStatus, SlabClass, UnixMs,
    units,
};
use crate::text;

/// A reading and, where two were taken, what happened between them.
#[derive(Debug)]
pub struct Overview<'a> {
    pub target: &'a str,
    pub sample: &'a Sample,
    pub rates: Option<Result<Rates, Break>>,
    /// Every line as the server said it, too.
    pub with_raw: bool,
}

const UNKNOWN: &str = "unknown";

impl Answer for Overview<'_> {
    fn data(&self) -> Value {
        let mut data = facts::overview(self.sample, self.rates.as_ref());
        if self.with_raw {
            let raw = self.sample.raw.iter();
            data["raw"] = raw.map(|(name, value)| json!([name, value])).collect();
        }
        data
    }

    fn text(&self, look: Look) -> String {
        let mut page = Page {
            look,
            text: String::new(),
        };
        self.headline(&mut page);
        if self.sample.identity.role == Role::Snapshot {
            self.keyspace(&mut page);
            page.heading("What the snapshot says of itself");
            for (name, value) in &self.sample.raw {
                page.line(&shown(name), &shown(value));
            }
            return page.text;
        }
        self.traffic(&mut page);
        self.memory(&mut page);
        self.clients(&mut page);
        self.keyspace(&mut page);
        if let Some(replication) = &self.sample.replication {
            replication_lines(&mut page, self.sample.identity.role, replication);
        }
        if let Some(persistence) = &self.sample.persistence {
            persistence_lines(&mut page, persistence, self.sample.at);
        }
        self.slabs(&mut page);
        self.unknown(&mut page);
        if self.with_raw {
            page.heading("As the server says it");
            for (name, value) in &self.sample.raw {
                page.line(&shown(name), &shown(value));
            }
        }
        page.text
    }

    fn prometheus(&self) -> Option<String> {
        let rates = self.rates.as_ref().and_then(|rates| rates.as_ref().ok());
        Some(prometheus::page(self.target, self.sample, rates))
    }
}

/// Sections of labelled lines.
struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn heading(&mut self, title: &str) {
        let title = self.look.paint(Paint::Heading, title);
        writeln!(self.text, "\n{title}").expect("a string takes everything");
    }

    fn line(&mut self, label: &str, value: &str) {
        let label = text::pad(label, 15.max(text::width(label)));
        writeln!(self.text, "  {label} {value}").expect("a string takes everything");
    }

    /// A line for what this server has, and none for what it has not.
    fn line_if(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value {
            self.line(label, &value);
        }
    }
}

impl Overview<'_> {
    fn headline(&self, page: &mut Page) {
        let identity = &self.sample.identity;
        let engine = format!(
            "{} {}",
            text::escape(identity.engine.name().as_bytes()),
            text::escape(identity.version.as_bytes())
        );
        let mut parts = vec![page.look.paint(Paint::Heading, &engine)];
        if identity.role != Role::Single {
            parts.push(identity.role.word().to_owned());
        }
        if identity.is_cluster_node {
            parts.push("one node of a cluster".to_owned());
        }
        parts.push(match identity.uptime {
            Some(uptime) => format!("up {}", units::span(uptime)),
            None if identity.role == Role::Snapshot => "a file".to_owned(),
            None => "uptime unknown".to_owned(),
        });
        parts.push(self.target.to_owned());
        writeln!(page.text, "{}", parts.join(" · ")).expect("a string takes everything");
    }

    fn traffic(&self, page: &mut Page) {
        let counters = &self.sample.counters;
        page.heading("Hit ratio");
        let window = match &self.rates {
            None => None,
            Some(Err(reason)) => Some(format!("{UNKNOWN}: {}", facts::break_words(reason))),
            Some(Ok(rates)) => Some(match rates.hit_ratio {
                Some(ratio) => units::percent(ratio),
                None if rates.hits.is_some() => "no lookups".to_owned(),
                None => UNKNOWN.to_owned(),
            }),
        };
        let label = match &self.rates {
            Some(Ok(rates)) => format!("last {}", units::span(rates.window)),
            _ => "window".to_owned(),
        };
        page.line_if(&label, window);
        let lifetime = match facts::lifetime_ratio(self.sample) {
            Some(ratio) => units::percent(ratio),
            None if counters.hits.is_some() => "no lookups yet".to_owned(),
            None => UNKNOWN.to_owned(),
        };
        let lookups = format!(
            "{lifetime}  ({} hits, {} misses)",
            number(counters.hits),
            number(counters.misses)
        );
        page.line("lifetime", &lookups);
        if counters.own_lookups > 0 {
            let own = units::count(counters.own_lookups);
            page.line("our own", &format!("{own} lookups, not counted above"));
        }
        let rates = self.rates.as_ref().and_then(|rates| rates.as_ref().ok());
        page.heading(if rates.is_some() { "Rates" } else { "Counted" });
        let mut traffic = |label: &str, count: Option<u64>, rate: Option<f64>| {
            let value = match (rates, rate) {
                (None, _) => number(count),
                (Some(_), None) => UNKNOWN.to_owned(),
                (Some(_), Some(rate)) => units::rate(rate),
            };
            page.line(label, &value);
        };
        let at = |pick: fn(&Rates) -> Option<f64>| rates.and_then(pick);
        traffic("operations", counters.operations, at(|one| one.operations));
        traffic("evicted", counters.evicted, at(|one| one.evicted));
        traffic("expired", counters.expired, at(|one| one.expired));
        traffic(
            "connections",
            counters.connections,
            at(|one| one.connections),
        );
        traffic("rejected", counters.rejected, at(|one| one.rejected));
        let network = match rates {
            Some(rates) => format!(
                "{} in, {} out",
                rates.net_in.map_or_else(unknown, units::bytes_rate),
                rates.net_out.map_or_else(unknown, units::bytes_rate)
            ),
            None => format!(
                "{} in, {} out",
                size(counters.net_in),
                size(counters.net_out)
            ),
        };
        page.line("network", &network);
    }

    fn memory(&self, page: &mut Page) {
        let memory = &self.sample.memory;
        page.heading("Memory");
        let limit = match memory.limit {
            Some(Some(limit)) => format!("of {limit}"),
            Some(None) => "(no limit)".to_owned(),
            None => "(limit unknown)".to_owned(),
        };
        let fill = self
            .sample
            .fill()
            .map_or_else(String::new, |fill| format!(", {}", units::percent(fill)));
        page.line("used", &format!("{} {limit}{fill}", size(memory.used)));
        page.line_if("peak", memory.peak.map(|peak| peak.to_string()));
        let fragmentation = memory
            .fragmentation
            .map_or_else(String::new, |ratio| format!(", fragmentation {ratio:.2}"));
        page.line_if(
            "resident",
            memory
                .resident
                .map(|bytes| format!("{bytes}{fragmentation}")),
        );
        page.line_if("eviction", memory.policy.as_deref().map(shown));
    }

    fn clients(&self, page: &mut Page) {
        let clients = &self.sample.clients;
        page.heading("Clients");
        let limit = clients
            .limit
            .map_or_else(String::new, |limit| format!(" of {}", units::count(limit)));
        page.line(
            "connected",
            &format!("{}{limit}", number(clients.connected)),
        );
        page.line_if("blocked", clients.blocked.map(units::count));
    }

    fn keyspace(&self, page: &mut Page) {
        page.heading("Keyspace");
        page.line("keys", &number(self.sample.keys()));
        let databases = self.sample.databases.as_deref().unwrap_or_default();
        // Where there is one database and nothing to say of it, the line above has said it.
        let is_told = databases.len() < 2 && databases.iter().all(|db| db.keys_with_ttl.is_none());
        for db in databases.iter().filter(|_| !is_told) {
            page.line(&format!("db {}", db.index), &database(db));
        }
    }

    fn slabs(&self, page: &mut Page) {
        let Some(slabs) = &self.sample.slabs else {
            return;
        };
        page.heading("Slabs");
        page.line("allocated", &size(slabs.allocated));
        let rows: Vec<Vec<String>> = slabs.classes.iter().map(slab_class).collect();
        if rows.is_empty() {
            return;
        }
        let headings = [
            ">CLASS", ">CHUNK", ">PAGES", ">USED", ">FREE", ">ITEMS", ">OLDEST", ">EVICTED",
        ];
        for line in page.look.table(&headings, &rows).lines() {
            writeln!(page.text, "  {line}").expect("a string takes everything");
        }
    }

    /// Why something above is unknown.
    fn unknown(&self, page: &mut Page) {
        if self.sample.unsupported.is_empty() {
            return;
        }
        page.heading("Not known");
        for (field, why) in &self.sample.unsupported {
            page.line(field, why);
        }
    }
}

fn database(db: &Database) -> String {
    let mut words = format!("{} keys", units::count(db.keys));
    if let Some(with_ttl) = db.keys_with_ttl {
        write!(words, ", {} with TTL", units::count(with_ttl)).expect("a string takes everything");
    }
    if let Some(average) = db.average_ttl {
        write!(words, ", average TTL {}", units::span(average)).expect("a string takes everything");
    }
    words
}

fn slab_class(class: &SlabClass) -> Vec<String> {
    vec![
        class.id.to_string(),
        class.chunk_size.to_string(),
        units::count(class.pages),
        units::count(class.used_chunks),
        units::count(class.free_chunks),
        number(class.items),
        class.tail_age.map_or_else(unknown, units::span),
        number(class.evicted),
    ]
}

fn replication_lines(page: &mut Page, role: Role, replication: &Replication) {
    page.heading("Replication");
    page.line("role", role.word());
    if let Some(link) = &replication.link {
        let state = if link.is_up {
            page.look.paint(Paint::Good, "up")
        } else {
            let since = link
                .down_for
                .map_or_else(String::new, |span| format!(" for {}", units::span(span)));
            page.look.paint(Paint::Danger, &format!("down{since}"))
        };
        page.line(
            "primary",
            &format!("{}, link {state}", shown(&link.primary)),
        );
        page.line("behind", &size(link.lag_bytes));
    } else {
        page.line("replicas", &units::count(replication.replicas.len() as u64));
    }
    for replica in &replication.replicas {
        let since_ack = replica.since_ack.map_or_else(unknown, units::span);
        let words = format!(
            "{}, {} behind, heard of {since_ack} ago",
            shown(&replica.state),
            size(replica.lag_bytes)
        );
        page.line(&shown(&replica.address), &words);
    }
}

fn persistence_lines(page: &mut Page, persistence: &Persistence, now: UnixMs) {
    page.heading("Persistence");
    page.line("snapshot", &snapshot_words(persistence, now, page.look));
    page.line_if(
        "changes since",
        persistence.changes_since_save.map(units::count),
    );
    let aof = match &persistence.aof {
        None => UNKNOWN.to_owned(),
        Some(aof) if !aof.is_enabled => "off".to_owned(),
        Some(aof) => {
            let failed = [aof.last_write, aof.last_rewrite].contains(&Some(SaveStatus::Failed));
            let state = if failed {
                page.look
                    .paint(Paint::Danger, "last write or rewrite failed")
            } else {
                page.look.paint(Paint::Good, "ok")
            };
            format!("on, {state}, {}", size(aof.size))
        }
    };
    page.line("append-only", &aof);
}

/// Where snapshots stand, in a few words.
pub fn snapshot_words(persistence: &Persistence, now: UnixMs, look: Look) -> String {
    if persistence.is_saving {
        return match persistence.progress {
            Some(progress) => format!("being written, {}", units::percent(progress)),
            None => "being written".to_owned(),
        };
    }
    let last = match persistence.last_save {
        Some(at) => format!(
            "last good one {} ago",
            units::span(now.since(at).unwrap_or_default())
        ),
        None => "none since the server started".to_owned(),
    };
    match persistence.last_status {
        Some(SaveStatus::Failed) => format!("{}, {last}", look.paint(Paint::Danger, "failed")),
        Some(SaveStatus::Ok) | None => last,
    }
}

/// What a server said, escaped once: the engine has done it for most of a sample already.
fn shown(words: &str) -> String {
    let is_escaped = text::unescape(words).is_ok_and(|bytes| text::escape(&bytes) == words);
    if is_escaped {
        words.to_owned()
    } else {
        text::escape(words.as_bytes())
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(unknown, units::count)
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::model::{Bytes, Clients, Counters, Engine, Identity, Memory};

    use super::*;

    fn sample(elapsed: u64, hits: u64, misses: u64) -> Sample {
        Sample {
            at: UnixMs(1_700_000_000_000),
            elapsed: Duration::from_secs(elapsed),
            round_trip: Duration::from_millis(2),
            identity: Identity {
                engine: Engine::Valkey,
                version: "9.0.0".into(),
                run_id: "a".into(),
                role: Role::Primary,
                uptime: Some(Duration::from_secs(90_000)),
                is_cluster_node: false,
                mode: Some("standalone".into()),
            },
            counters: Counters {
                hits: Some(hits),
                misses: Some(misses),
                operations: Some(hits + misses),
                evicted: Some(0),
                ..Counters::default()
            },
            memory: Memory {
                used: Some(Bytes(3 << 20)),
                limit: Some(Some(Bytes(4 << 20))),
                ..Memory::default()
            },
            clients: Clients {
                connected: Some(7),
                ..Clients::default()
            },
            databases: Some(vec![Database {
                index: 0,
                keys: 1_203_991,
                keys_with_ttl: Some(41_200),
                average_ttl: Some(Duration::from_secs(184)),
            }]),
            replication: None,
            persistence: None,
            slabs: None,
            unsupported: BTreeMap::from([("replication", "hidden by the service".into())]),
            raw: vec![("redis\x1b[2J".into(), "1".into())],
        }
    }

    fn overview(window: bool) -> (Sample, Option<Result<Rates, Break>>) {
        let (earlier, later) = (sample(1, 900, 50), sample(6, 990, 60));
        let rates = window.then(|| Rates::between(&earlier, &later));
        (later, rates)
    }

    #[test]
    fn the_overview_of_a_window_reads() {
        let (sample, rates) = overview(true);
        let overview = Overview {
            target: "prod",
            sample: &sample,
            rates,
            with_raw: true,
        };
        insta::assert_snapshot!(overview.text(Look::plain()));
        insta::assert_snapshot!(overview.prometheus().unwrap());
    }

    #[test]
    fn what_is_unknown_is_null_with_a_reason() {
        let (sample, rates) = overview(false);
        let overview = Overview {
            target: "prod",
            sample: &sample,
            rates,
            with_raw: false,
        };
        let data = overview.data();
        for (field, value) in data.as_object().unwrap() {
            let reason = &data["unsupported"][field];
            assert_eq!(
                value.is_null(),
                reason.is_string(),
                "{field}: {value} {reason}"
            );
        }
        assert_eq!(data["unsupported"]["replication"], "hidden by the service");
        assert_eq!(data["keys"], 1_203_991);
    }

    #[test]
    fn what_the_engine_escaped_is_not_escaped_again() {
        assert_eq!(shown(r"a\x1b\\"), r"a\x1b\\");
        assert_eq!(shown("a\u{1b}\\q"), r"a\x1b\\q");
    }

    #[test]
    fn no_rate_reaches_over_a_restart() {
        let (mut later, _) = overview(false);
        later.identity.run_id = "b".into();
        let overview = Overview {
            target: "prod",
            sample: &later,
            rates: Some(Rates::between(&sample(1, 1, 1), &later)),
            with_raw: false,
        };
        let data = overview.data();
        assert_eq!(data["window"], Value::Null);
        assert_eq!(data["unsupported"]["window"], "the server restarted");
        assert!(
            overview
                .text(Look::plain())
                .contains("unknown: the server restarted")
        );
    }
}
