//! `hot`: which keys are asked for most.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::commands::analyze::some_targets;
use crate::cli::facts;
use crate::cli::output::{Answer, Envelope, Look, Sheet};
use crate::cli::pace::PaceArgs;
use crate::cli::report::{ratio, unknown};
use crate::cli::{Call, Failure, Kind, Next};
use crate::engine::Server;
use crate::model::{Bytes, HotAsk, HotEnd, HotKey, HotReport, HotVia, parse_duration, units};
use crate::text;

/// No window is longer: what listens ends by itself.
const LONGEST: Duration = Duration::from_secs(60);

/// Show which keys are asked for most
///
/// Without --via, what disturbs the server the least and is there: what the
/// server tracks by itself (HOTKEYS, from Redis 8.6 on; it has to be started
/// there), else the access counters of an LFU policy, read by a walk on a budget,
/// else keyspace notifications, which tell of changes alone. On Memcached, its log
/// of fetches: the server drops lines rather than wait for us, and counts are
/// scaled by what it dropped.
///
/// --via monitor looks at every command for --for seconds or --bytes, whichever
/// ends first, and then hangs up. It makes a busy server slower by up to a half
/// meanwhile, so it is never chosen by itself.
///
/// Nothing is changed, and no setting is turned on.
///
/// Example:
///
///     $ cachedeck prod hot
///     $ cachedeck prod hot --via monitor --for 1s
///     $ cachedeck memcached://10.0.0.7 hot --for 10s -o json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct HotArgs {
    /// Where it is known from
    #[arg(long, value_name = "WAY", value_enum)]
    via: Option<Way>,

    /// How long to listen, 60s at most
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "2s")]
    window: Duration,

    /// How much to listen to at most
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32mb")]
    bytes: Bytes,

    /// Keys to show
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// What the server tracked by itself (Redis 8.6)
    Hotkeys,
    /// The counters of an LFU policy
    Lfu,
    /// Keyspace notifications
    Notifications,
    /// Every command, for a moment
    Monitor,
    /// Memcached's log of fetches
    Watch,
}

impl Way {
    fn via(self) -> HotVia {
        match self {
            Self::Hotkeys => HotVia::HotKeys,
            Self::Lfu => HotVia::Lfu,
            Self::Notifications => HotVia::Notifications,
            Self::Monitor => HotVia::Monitor,
            Self::Watch => HotVia::Watch,
        }
    }
}

pub fn args(command: clap::Command) -> clap::Command {
    HotArgs::augment_args(command)
}

fn size(text: &str) -> Result<Bytes, crate::model::SizeError> {
    text.parse()
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: HotArgs = call.args();
    if args.window > LONGEST || args.window.is_zero() {
        return Err(Failure::usage("--for takes up to 60s"));
    }
    let targets = some_targets(call)?;
    let [target] = targets.as_slice() else {
        return Err(Failure::usage("hot looks at one target at a time"));
    };
    let ask = HotAsk {
        via: args.via.map(Way::via),
        window: args.window,
        bytes: args.bytes,
        top: args.top,
        pace: args.pace.gentle(),
    };
    let server = Server::at(target.clone());
    let mut found = None;
    let failure = call
        .wait(async {
            let failed = |fault| Failure::of_server("hot", &target.name, &fault);
            let hot = found.insert(server.hot(ask).await.map_err(failed)?);
            while hot.step().await.map_err(failed)? {}
            Ok(())
        })
        .err();
    let report = match (&found, failure.as_ref().map(|failure| failure.kind)) {
        (Some(hot), None | Some(Kind::Interrupted)) => hot.report(),
        _ => return Err(failure.unwrap_or_else(Failure::interrupted)),
    };
    let envelope = Envelope {
        command: "hot",
        target: Some(target.name.clone()),
        at: now(),
        warnings: warnings(&report),
    };
    let mut output = call.output();
    output.answer(&envelope, &Shown(&report))?;
    output.flush()?;
    Ok(Next::Exit(failure.map_or(0, |failure| failure.code())))
}

fn warnings(report: &HotReport) -> Vec<String> {
    let mut warnings = report.notes.clone();
    if let Some(dropped) = report.dropped.filter(|dropped| *dropped > 0) {
        warnings.push(format!(
            "the server dropped {} lines of its log; counts with ~ are scaled by that",
            units::count(dropped)
        ));
    }
    if report.error > 0 {
        warnings.push(format!(
            "more keys than memory for them: counts may be too low by up to {}",
            units::count(report.error)
        ));
    }
    match report.ended {
        HotEnd::Done => {}
        HotEnd::Full => warnings.push("ended early: --bytes were reached".to_owned()),
        HotEnd::Stopped => warnings.push("interrupted: what was seen until then".to_owned()),
    }
    warnings
}

struct Shown<'a>(&'a HotReport);

impl Shown<'_> {
    /// The share of a key among everything that was seen, where that can be said.
    fn share(&self, key: &HotKey) -> Option<f64> {
        let is_part = !matches!(self.0.via, HotVia::HotKeys | HotVia::Lfu);
        let count = key.count.filter(|_| is_part && self.0.seen > 0)?;
        Some(ratio(count, self.0.seen))
    }

    fn key(&self, key: &HotKey) -> Value {
        let mut record = json!({
            "key": facts::key(&key.key),
            "count": key.count,
        });
        let named = |all: &[(String, u64)]| -> Value {
            let all = all.iter();
            all.map(|(name, count)| json!({"name": name, "count": count}))
                .collect()
        };
        let optional = [
            // The server keeps one list by processor time and one by bytes; a key need not be on both.
            (
                "unsupported",
                key.count
                    .is_none()
                    .then(|| json!({"count": "the key is not among those with the most"})),
            ),
            ("estimate", key.estimate.map(Value::from)),
            ("share", self.share(key).map(Value::from)),
            ("hits", key.hits.map(Value::from)),
            ("misses", key.misses.map(Value::from)),
            ("bytes", key.bytes.map(Value::from)),
            ("by", (!key.by.is_empty()).then(|| named(&key.by))),
            (
                "clients",
                (!key.clients.is_empty()).then(|| named(&key.clients)),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                record[name] = value;
            }
        }
        record
    }
}

impl Answer for Shown<'_> {
    fn data(&self) -> Value {
        let report = self.0;
        let mut data = json!({
            "via": report.via.word(),
            "unit": report.via.unit(),
            "seen": report.seen,
            "count_error": report.error,
            "ended": match report.ended {
                HotEnd::Done => "done",
                HotEnd::Full => "bytes",
                HotEnd::Stopped => "interrupted",
            },
            "keys": report.keys.iter().map(|key| self.key(key)).collect::<Vec<_>>(),
        });
        if let Some(window) = report.window {
            data["window_s"] = json!(window.as_secs_f64());
        }
        if let Some(dropped) = report.dropped {
            data["dropped"] = json!(dropped);
        }
        data
    }

    fn records(&self) -> Vec<Value> {
        self.0.keys.iter().map(|key| self.key(key)).collect()
    }

    fn sheet(&self) -> Sheet {
        let header = &[
            "key", "count", "estimate", "share", "hits", "misses", "bytes",
        ];
        Sheet::of_records(header, &self.records())
    }

    fn text(&self, look: Look) -> String {
        let report = self.0;
        let span = report
            .window
            .map(|window| format!(" in {}", units::span_exact(window)));
        let seen = units::count(report.seen);
        let head = match report.via {
            HotVia::HotKeys => format!(
                "as the server tracked it{}: µs of its processor, bytes on the network",
                span.unwrap_or_default()
            ),
            HotVia::Lfu => format!("access counters (LFU, logarithmic, 0 to 255) of {seen} keys"),
            _ => format!("{seen} {}{}", report.via.unit(), span.unwrap_or_default()),
        };
        if report.keys.is_empty() {
            return format!("{head}\nno key was seen\n");
        }
        let most = report
            .keys
            .first()
            .map_or(0, |key| key.count.unwrap_or_default());
        let rows = report.keys.iter().map(|key| {
            let count = match key.estimate {
                Some(estimate) => format!("~{}", units::count(estimate)),
                None => key.count.map_or_else(unknown, units::count),
            };
            let hits = key
                .hits
                .zip(key.misses)
                .map(|(hits, misses)| units::percent(ratio(hits, hits + misses)));
            let names = |all: &[(String, u64)]| {
                let names: Vec<&str> = all.iter().take(2).map(|(name, _)| name.as_str()).collect();
                names.join(" ")
            };
            vec![
                count,
                self.share(key).map_or_else(String::new, units::percent),
                hits.unwrap_or_default(),
                key.bytes
                    .map_or_else(String::new, |bytes| Bytes(bytes).to_string()),
                key.count
                    .map_or_else(String::new, |count| look.bar(ratio(count, most), 12)),
                text::fit_middle(&text::escape(key.key.bytes()), 80),
                text::fit(&names(&key.by), 30),
                text::fit(&names(&key.clients), 44),
            ]
        });
        let counted = match report.via {
            HotVia::HotKeys => ">CPU US",
            _ => ">COUNT",
        };
        let header = [
            counted, ">SHARE", ">HITS", ">BYTES", "", "KEY", "BY", "CLIENTS",
        ];
        // Columns that this source knows nothing for are left out.
        let rows: Vec<Vec<String>> = rows.collect();
        let is_told: Vec<bool> = (0..header.len())
            .map(|at| rows.iter().any(|row| !row[at].is_empty()))
            .collect();
        let kept = |at: &usize| is_told[*at];
        let header: Vec<&str> = (0..header.len())
            .filter(kept)
            .map(|at| header[at])
            .collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                (0..row.len())
                    .filter(kept)
                    .map(|at| row[at].clone())
                    .collect()
            })
            .collect();
        format!("{head}\n{}", look.table(&header, &rows))
    }
}
