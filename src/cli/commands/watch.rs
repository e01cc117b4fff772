//! `watch`: the overview again and again, a line or a record each time.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval_at};

use crate::cli::call::now;
use crate::cli::facts;
use crate::cli::output::{Answer, Envelope, Look, Output, Paint, Sheet};
use crate::cli::overview::Overview;
use crate::cli::{Call, Failure, Format, Next, Visit, unknown};
use crate::engine::{Backend, Fault};
use crate::model::{Break, Rates, Sample, parse_duration, units};
use crate::text;

/// Print the overview as a line or a record per interval
///
/// Hit ratio and rates are over the interval that ends with the line. A server
/// that goes away is reported on stderr and tried again, until the count is
/// reached or Ctrl-C is pressed; a restart or a counter reset is named, since no
/// rate reaches over it.
///
/// Example:
///
///     $ cachedeck prod watch --interval 5s --count 2
///     TIME      HIT RATIO     OPS/S    HITS/S  MISSES/S     EVICTED/S  …
///     10:20:05     97.3 %  12.3 k/s  8.10 k/s     225/s           0/s  …
///     10:20:10     97.1 %  12.1 k/s  7.98 k/s     238/s           0/s  …
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct WatchArgs {
    /// Time between two readings
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,

    /// Stop after so many intervals
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

pub fn args(command: clap::Command) -> clap::Command {
    WatchArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: WatchArgs = call.args();
    if args.interval < Duration::from_millis(10) {
        return Err(Failure::usage("--interval is shorter than 10ms"));
    }
    let collects = matches!(call.format(), Format::Json | Format::Yaml);
    if collects && args.count.is_none() {
        return Err(Failure::usage("one document that never ends is of no use")
            .hint("give --count N, or use -o ndjson for a record per interval"));
    }
    let visit = call.visit()?;
    let mut printer = Printer {
        output: call.output(),
        envelope: call.envelope("watch", &visit, Vec::new()),
        visit: &visit,
        kept: Vec::new(),
        lines: 0,
    };
    call.wait(follow(&args, &visit, &mut printer))?;
    if collects {
        let all = Readings(std::mem::take(&mut printer.kept));
        printer.output.answer(&printer.envelope, &all)?;
    }
    Ok(Next::Exit(0))
}

async fn follow(args: &WatchArgs, visit: &Visit, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let failure = |fault: &Fault| Failure::of_server("watch", &visit.target.name, fault);
    let mut before = visit
        .server
        .sample()
        .await
        .map_err(|fault| failure(&fault))?;
    unknown::refused("watch", &visit.target.name, &before)?;
    let mut lost: Option<Failure> = None;
    let start = tokio::time::Instant::now() + args.interval;
    let mut ticks = interval_at(start, args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = args.count;
    while left != Some(0) {
        ticks.tick().await;
        left = left.map(|left| left - 1);
        match visit.server.sample().await {
            Ok(sample) => {
                if lost.take().is_some() {
                    eprintln!("note: {} answers again", visit.target.name);
                }
                let rates = Rates::between(&before, &sample);
                printer.print(&sample, rates)?;
                before = sample;
            }
            Err(fault) if fault.ends_connection() => {
                let failure = failure(&fault);
                if lost.is_none() {
                    eprintln!("warning: {}; trying again", failure.error);
                }
                lost = Some(failure);
            }
            Err(fault) => return Err(failure(&fault)),
        }
    }
    lost.map_or(Ok(()), Err)
}

struct Printer<'a> {
    output: Output,
    envelope: Envelope,
    visit: &'a Visit,
    /// For the forms that are one document.
    kept: Vec<Value>,
    lines: u64,
}

/// Lines after which the headings are repeated, so that they stay on the screen.
const HEADING_EVERY: u64 = 20;

impl Printer<'_> {
    fn print(&mut self, sample: &Sample, rates: Result<Rates, Break>) -> Result<(), Failure> {
        let reading = Overview {
            target: &self.visit.target.name,
            sample,
            rates: Some(rates),
            with_raw: false,
        };
        match self.output.format() {
            Format::Table => self.line(&reading)?,
            Format::Ndjson => self.output.record(&record(&reading))?,
            Format::Csv => {
                let sheet = Sheet::of_records(COLUMNS, &[flat(&reading)]);
                self.output.sheet(&sheet, self.lines == 0)?;
            }
            Format::Prom => {
                self.envelope.at = now();
                return self.output.answer(&self.envelope, &reading);
            }
            Format::Json | Format::Yaml => self.kept.push(record(&reading)),
        }
        self.lines += 1;
        self.output.flush()
    }

    fn line(&mut self, reading: &Overview) -> Result<(), Failure> {
        let look = self.output.look();
        if self.lines.is_multiple_of(HEADING_EVERY) && (self.lines == 0 || Output::is_terminal()) {
            let headings = cells(&HEADINGS.map(str::to_owned));
            self.output.line(&look.paint(Paint::Heading, &headings))?;
        }
        let zone = jiff::tz::TimeZone::system();
        let time = units::local_time(reading.sample.at, &zone);
        let time = time.split_once(' ').map_or("", |(_, time)| time).to_owned();
        let rates = match &reading.rates {
            Some(Ok(rates)) => rates,
            Some(Err(reason)) => {
                let words = format!("{time}  no rates: {}", facts::break_words(reason));
                return self.output.line(&look.paint(Paint::Caution, &words));
            }
            None => return Ok(()),
        };
        let rate = |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), units::rate);
        let number =
            |number: Option<u64>| number.map_or_else(|| "?".to_owned(), units::count_short);
        let sample = reading.sample;
        let line = cells(&[
            time,
            rates
                .hit_ratio
                .map_or_else(|| "-".to_owned(), units::percent),
            rate(rates.operations),
            rate(rates.hits),
            rate(rates.misses),
            rate(rates.evicted),
            rate(rates.expired),
            sample
                .memory
                .used
                .map_or_else(|| "?".to_owned(), |used| used.to_string()),
            number(sample.clients.connected),
            number(sample.keys()),
        ]);
        self.output.line(&line)
    }
}

const HEADINGS: [&str; 10] = [
    "TIME",
    "HIT RATIO",
    "OPS/S",
    "HITS/S",
    "MISSES/S",
    "EVICTED/S",
    "EXPIRED/S",
    "USED",
    "CLIENTS",
    "KEYS",
];

/// Lines come one by one, so the columns have fixed widths.
fn cells(cells: &[String; 10]) -> String {
    let mut line = text::pad(&cells[0], 8);
    for cell in &cells[1..] {
        line.push_str("  ");
        line.push_str(&text::pad_left(cell, 9));
    }
    line
}

fn record(reading: &Overview) -> Value {
    let mut record = json!({ "at": units::rfc3339(reading.sample.at) });
    if let (Some(record), Value::Object(data)) = (record.as_object_mut(), reading.data()) {
        record.extend(data);
    }
    record
}

const COLUMNS: &[&str] = &[
    "at",
    "hit_ratio",
    "ops_per_s",
    "hits_per_s",
    "misses_per_s",
    "evicted_per_s",
    "expired_per_s",
    "used_bytes",
    "clients",
    "keys",
];

/// A reading as one flat record, its rates those of the interval.
fn flat(reading: &Overview) -> Value {
    let sample = reading.sample;
    let rates = reading.rates.as_ref().and_then(|rates| rates.as_ref().ok());
    let mut record = rates.map_or_else(|| json!({}), facts::window);
    record["at"] = units::rfc3339(sample.at).into();
    record["used_bytes"] = json!(sample.memory.used);
    record["clients"] = json!(sample.clients.connected);
    record["keys"] = json!(sample.keys());
    record
}

/// All readings in one document.
struct Readings(Vec<Value>);

impl Answer for Readings {
    fn data(&self) -> Value {
        json!({ "readings": self.0 })
    }

    fn text(&self, _look: Look) -> String {
        String::new()
    }
}
