//! The report for a person: one section after the other, with bars.

use std::fmt::Write;

use crate::analysis::report::{Bucket, Figure, Spread, TopKey, UsageReport, Via};
use crate::cli::commands::keys::ttl_words;
use crate::cli::output::{Look, Paint};
use crate::cli::progress;
use crate::cli::report::{Shown, account, growth};
use crate::model::{Bytes, units};
use crate::text;

/// Cells of a bar.
const BAR: u8 = 20;

pub fn text(shown: &Shown, look: Look) -> String {
    let mut page = Page {
        text: String::new(),
        look,
    };
    page.summary(shown);
    page.account(shown);
    if shown.report.via == Via::Stats {
        return page.text;
    }
    page.types(shown);
    page.encodings(shown);
    page.sizes(shown);
    page.ttl(shown);
    page.usage(shown);
    page.prefixes(shown);
    page.top(shown, "BIGGEST KEYS", "size", &shown.report.biggest);
    page.top(shown, "MOST ELEMENTS", "elements", &shown.report.longest);
    page.top(shown, "MOST IDLE BYTES", "idle", &shown.report.idlest);
    if let Some(growth) = shown.growth {
        growth::text(growth, &mut page.text, look);
    }
    page.end(shown);
    page.text
}

struct Page {
    text: String,
    look: Look,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        let heading = self.look.paint(Paint::Heading, heading);
        self.line("");
        self.line(&heading);
    }

    fn lacking(&mut self, why: &str) {
        let words = self.look.paint(Paint::Faint, &format!("not known: {why}"));
        self.line(&words);
    }

    fn summary(&mut self, shown: &Shown) {
        let report = shown.report;
        if let Some(why) = shown.stopped {
            let words = format!("PARTIAL: {why}; {}", progress::seen(&report.coverage));
            let words = self.look.paint(Paint::Caution, &words);
            self.line(&words);
        }
        if report.via == Via::Sample && !report.coverage.is_complete {
            let seen = units::count(report.coverage.seen);
            let of = report.coverage.of.map_or("?".to_owned(), units::count);
            self.line(&format!(
                "SAMPLED: {seen} of {of} keys; ~ stands before estimates, the interval that holds them in 95 of 100 cases behind"
            ));
        }
        let size = match report.bytes {
            Some(figure) => bytes(figure),
            None if report.via == Via::Stats => "none of them was asked".to_owned(),
            None => format!(
                "bytes not known: {}",
                shown.why_not("size", "the server would not say")
            ),
        };
        let words = format!("{}: {} keys, {size}", shown.target, keys(report.keys));
        self.line(&words);
    }

    fn account(&mut self, shown: &Shown) {
        let Some(account) = &shown.report.account else {
            return;
        };
        let words = account::text(account, shown.report.via, self.look);
        if !words.is_empty() {
            self.heading(account::HEADING);
            self.text += &words;
        }
    }

    fn types(&mut self, shown: &Shown) {
        self.heading("TYPES");
        let all = shown.report.keys.value;
        let rows = shown.report.types.iter().map(|row| {
            vec![
                text::escape(row.kind.as_bytes()),
                keys(row.keys),
                share(row.keys, all),
                row.bytes.map_or_else(unknown, bytes),
                row.elements.map_or_else(String::new, keys),
                self.look.bar(ratio(row.keys.value, all), BAR),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let table = self.look.table(
            &["TYPE", ">KEYS", ">SHARE", ">BYTES", ">ELEMENTS", ""],
            &rows,
        );
        self.text.push_str(&table);
        if let Some(lack) = shown.lack("elements") {
            let words = format!("elements: {}", lack.why);
            let words = self.look.paint(Paint::Faint, &words);
            self.line(&words);
        }
    }

    fn encodings(&mut self, shown: &Shown) {
        if shown.report.encodings.is_empty() {
            return;
        }
        self.heading("ENCODINGS");
        let rows = shown.report.encodings.iter().map(|row| {
            vec![
                text::escape(row.kind.as_bytes()),
                text::escape(row.encoding.as_bytes()),
                keys(row.keys),
                row.bytes.map_or_else(unknown, bytes),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let table = self
            .look
            .table(&["TYPE", "ENCODING", ">KEYS", ">BYTES"], &rows);
        self.text.push_str(&table);
    }

    fn sizes(&mut self, shown: &Shown) {
        self.heading("SIZES");
        match &shown.report.sizes {
            None => self.lacking(&shown.why_not("size", "no key told its size")),
            Some(spread) => {
                self.quantiles(spread, |size| Bytes(size).to_string());
                self.histogram(&spread.buckets, |size| format!("< {}", Bytes(size + 1)));
            }
        }
    }

    fn ttl(&mut self, shown: &Shown) {
        self.heading("TTL");
        if !shown.knows_ttls() {
            return self.lacking(&shown.why_not("ttl", "the server would not say"));
        }
        let ttl = &shown.report.ttl;
        let all = ttl.with.value + ttl.without.value;
        self.line(&format!(
            "without {} ({})   within 1 min {}   10 min {}   1 h {}",
            keys(ttl.without),
            share(ttl.without, all),
            keys(ttl.within_1min),
            keys(ttl.within_10min),
            keys(ttl.within_1h),
        ));
        self.histogram(&ttl.buckets, |border| format!("up to {}", seconds(border)));
        for cliff in &ttl.cliffs {
            let words = format!(
                "cliff: {} keys expire within {} from {} on, {:.0} times the average",
                keys(cliff.keys),
                units::span(cliff.span),
                units::rfc3339(cliff.at),
                cliff.times_average
            );
            let words = self.look.paint(Paint::Caution, &words);
            self.line(&words);
        }
    }

    fn usage(&mut self, shown: &Shown) {
        match &shown.report.usage {
            None => {
                self.heading("IDLE TIME");
                self.lacking(&shown.why_not("idle", "the server does not tell"));
            }
            Some(UsageReport::Idle(spread)) => {
                self.heading("IDLE TIME");
                self.quantiles(spread, seconds);
                self.histogram(&spread.buckets, |border| {
                    format!("< {}", seconds(border + 1))
                });
            }
            Some(UsageReport::Frequency(spread)) => {
                self.heading("ACCESS FREQUENCY (LFU counter, logarithmic)");
                self.quantiles(spread, |count| count.to_string());
                self.histogram(&spread.buckets, |count| format!("up to {count}"));
            }
        }
    }

    fn quantiles(&mut self, spread: &Spread, words: impl Fn(u64) -> String) {
        self.line(&format!(
            "median {}   90 % up to {}   99 % up to {}   most {}",
            words(spread.p50),
            words(spread.p90),
            words(spread.p99),
            words(spread.most),
        ));
    }

    /// `words` names a border.
    fn histogram(&mut self, buckets: &[Bucket], words: impl Fn(u64) -> String) {
        let most = buckets.iter().map(|bucket| bucket.keys.value).max();
        let rows = buckets.iter().map(|bucket| {
            vec![
                bucket.up_to.map_or("more".to_owned(), &words),
                keys(bucket.keys),
                self.look
                    .bar(ratio(bucket.keys.value, most.unwrap_or(0)), BAR),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if !rows.is_empty() {
            let table = self.look.table(&["", ">KEYS", ""], &rows);
            self.text.push_str(&table);
        }
    }

    fn prefixes(&mut self, shown: &Shown) {
        self.heading("PREFIXES");
        let deepest = shown.depth.unwrap_or(Shown::SCREEN_DEPTH);
        let rows: Vec<_> = shown
            .report
            .prefixes
            .iter()
            .filter(|row| row.depth <= deepest)
            .collect();
        let table = super::tree::table(
            &rows[..rows.len().min(shown.top.saturating_mul(3))],
            shown,
            self.look,
        );
        self.text.push_str(&table);
        let hidden = rows.len().saturating_sub(shown.top.saturating_mul(3));
        if hidden > 0 {
            let words = format!(
                "and {} more; -o csv prints them all",
                units::count(hidden as u64)
            );
            let words = self.look.paint(Paint::Faint, &words);
            self.line(&words);
        }
        if let Some(error) = &shown.report.prefix_error {
            let words = format!(
                "the table was full: rows with ~ may miss up to {} keys and {}; {} light prefixes were counted with their parents",
                units::count(error.keys),
                Bytes(error.bytes),
                units::count(error.folded),
            );
            let words = self.look.paint(Paint::Caution, &words);
            self.line(&words);
        }
    }

    fn top(&mut self, shown: &Shown, heading: &str, what: &str, list: &[TopKey]) {
        self.heading(heading);
        if list.is_empty() {
            let why = if what == "elements" {
                shown.why_not(what, "there is no collection")
            } else {
                shown.why_not(what, "there is no such key")
            };
            return self.lacking(&why);
        }
        let at = shown.report.at;
        let rows = list.iter().take(shown.top).map(|one| {
            vec![
                one.kind
                    .as_ref()
                    .map_or_else(unknown, |kind| text::escape(kind.as_bytes())),
                one.size.map_or_else(unknown, |size| size.to_string()),
                one.elements.map_or_else(String::new, units::count),
                one.idle.map_or_else(String::new, units::span),
                ttl_words(one.ttl, at),
                text::fit_middle(&text::escape(one.key.bytes()), 120),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let table = self.look.table(
            &["TYPE", ">SIZE", ">ELEMENTS", ">IDLE", ">TTL", "KEY"],
            &rows,
        );
        self.text.push_str(&table);
    }

    /// How much was covered, and what it has cost.
    fn end(&mut self, shown: &Shown) {
        let (coverage, cost) = (&shown.report.coverage, &shown.report.cost);
        self.heading("COVERAGE AND COST");
        let mut words = if coverage.is_complete {
            format!(
                "all of the keyspace was seen: {} keys",
                units::count(coverage.seen)
            )
        } else {
            progress::seen(coverage)
        };
        for (count, what) in [
            (coverage.repeated, "came twice and count once"),
            (coverage.gone, "were gone when asked about"),
            (u64::from(coverage.restarts), "times begun anew"),
        ] {
            if count > 0 {
                write!(words, "; {} {what}", units::count(count))
                    .expect("a string takes everything");
            }
        }
        self.line(&words);
        for part in shown.parts.iter().filter(|_| shown.parts.len() > 1) {
            self.line(&format!(
                "  {}: {}",
                part.target,
                progress::seen(&part.coverage)
            ));
        }
        let server = if cost.server.is_zero() {
            "the server keeps no account of its time".to_owned()
        } else {
            format!("the server worked {} for it", units::span(cost.server))
        };
        self.line(&format!(
            "{} in {} round trips; {server}",
            units::span(cost.elapsed),
            units::count(cost.round_trips),
        ));
        if cost.lookups > 0 {
            self.line(&format!(
                "our questions added {} to the server's own count of hits and misses",
                units::count(cost.lookups)
            ));
        }
    }
}

pub fn unknown() -> String {
    "?".to_owned()
}

pub fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

pub fn share(part: Figure, of: u64) -> String {
    if of == 0 {
        return unknown();
    }
    units::percent(ratio(part.value, of))
}

/// `1,200`, or `~1,200 (1,100–1,300)` for an estimate.
pub fn keys(figure: Figure) -> String {
    estimate(figure, units::count)
}

pub fn bytes(figure: Figure) -> String {
    estimate(figure, |bytes| Bytes(bytes).to_string())
}

fn estimate(figure: Figure, words: impl Fn(u64) -> String) -> String {
    match figure.interval {
        None => words(figure.value),
        Some((low, high)) => {
            format!("~{} ({}..{})", words(figure.value), words(low), words(high))
        }
    }
}

fn seconds(seconds: u64) -> String {
    units::span_short(std::time::Duration::from_secs(seconds))
}
