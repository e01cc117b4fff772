//! The lines of the report, section by section.

mod account;

use ratatui::text::{Line, Span};

use crate::analysis::Report;
use crate::analysis::report::{Bucket, Figure, PrefixRow, Spread, TopKey, UsageReport};
use crate::model::{Bytes, Lack, Ttl, UnixMs, units};
use crate::text;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::gauge;

/// Rows of a list: what a person looks through.
const ROWS: usize = 15;
const PREFIXES: usize = 60;
const CHILDREN: usize = 3;
/// Deeper prefixes are a matter of the tree of keys.
const DEEPEST: usize = 4;

/// Lines of one column of the page.
pub struct Page<'a> {
    theme: Theme,
    width: usize,
    now: UnixMs,
    report: &'a Report,
    lines: Vec<Line<'static>>,
}

impl<'a> Page<'a> {
    pub fn new(theme: Theme, width: usize, now: UnixMs, report: &'a Report) -> Self {
        Self {
            theme,
            width,
            now,
            report,
            lines: Vec::new(),
        }
    }

    pub fn finish(self) -> Vec<Line<'static>> {
        self.lines
    }

    /// How the keys spread: over types, sizes, lifetimes, idle times.
    pub fn spreads(&mut self) {
        self.types();
        self.ttl();
        self.sizes();
        self.usage();
        self.encodings();
        self.account();
    }

    /// Which keys they are: by prefix, and the largest ones.
    pub fn names(&mut self) {
        self.prefixes();
        let report = self.report;
        self.top("BIGGEST KEYS", "size", &report.biggest);
        self.top("MOST ELEMENTS", "elements", &report.longest);
        self.top("MOST IDLE BYTES", "idle", &report.idlest);
    }

    fn types(&mut self) {
        self.heading("TYPES", &[("KEYS", 11), ("SHARE", 7), ("BYTES", 11)]);
        let all = self.report.keys.value;
        for row in &self.report.types {
            let cells = [
                (keys(row.keys), 11),
                (share(row.keys.value, all), 7),
                (row.bytes.map_or_else(|| self.unknown(), bytes), 11),
            ];
            self.row(&row.kind, &cells, Some(ratio(row.keys.value, all)));
        }
    }

    fn encodings(&mut self) {
        if self.report.encodings.is_empty() {
            return;
        }
        self.heading("ENCODINGS", &[("KEYS", 11), ("BYTES", 11)]);
        for row in &self.report.encodings {
            let cells = [
                (keys(row.keys), 11),
                (row.bytes.map_or_else(|| self.unknown(), bytes), 11),
            ];
            let name = format!("{} {}", row.kind, row.encoding);
            self.row(&name, &cells, None);
        }
    }

    fn sizes(&mut self) {
        self.heading("SIZES", &[("KEYS", 11)]);
        match &self.report.sizes {
            None => self.lacking("size", "no key told its size"),
            Some(spread) => {
                self.quantiles(spread, |size| Bytes(size).to_string());
                self.histogram(&spread.buckets, |size| format!("< {}", Bytes(size + 1)));
            }
        }
    }

    fn ttl(&mut self) {
        let ttl = &self.report.ttl;
        let all = ttl.with.value + ttl.without.value;
        self.heading("TTL", &[("KEYS", 11), ("SHARE", 7)]);
        if all == 0 {
            return self.lacking("ttl", "no key told its TTL");
        }
        let most = ttl.buckets.iter().map(|bucket| bucket.keys.value).max();
        let most = most.unwrap_or_default().max(ttl.without.value);
        let without = Bucket {
            up_to: None,
            keys: ttl.without,
        };
        let named = |bucket: &Bucket| match bucket.up_to {
            Some(border) => format!("up to {}", seconds(border)),
            None => "more".to_owned(),
        };
        let last = ttl.buckets.iter().rposition(|one| one.keys.value > 0);
        let buckets = ttl.buckets.iter().take(last.map_or(0, |last| last + 1));
        let none = std::iter::once(("none".to_owned(), &without));
        for (name, bucket) in none.chain(buckets.map(|one| (named(one), one))) {
            let cells = [(keys(bucket.keys), 11), (share(bucket.keys.value, all), 7)];
            self.row(&name, &cells, Some(ratio(bucket.keys.value, most)));
        }
        for cliff in &ttl.cliffs {
            let left = cliff.at.since(self.now).unwrap_or_default();
            let words = format!(
                " cliff: {} keys expire within {}, {} from now ({:.0} times the average)",
                keys(cliff.keys),
                units::span(cliff.span),
                units::span_short(left),
                cliff.times_average
            );
            self.words(&words, Tone::Caution);
        }
    }

    fn usage(&mut self) {
        match &self.report.usage {
            None => {
                self.heading("IDLE TIME", &[]);
                self.lacking("idle", "the server does not tell");
            }
            Some(UsageReport::Idle(spread)) => {
                self.heading("IDLE TIME", &[("KEYS", 11)]);
                self.quantiles(spread, seconds);
                self.histogram(&spread.buckets, |border| {
                    format!("< {}", seconds(border + 1))
                });
            }
            Some(UsageReport::Frequency(spread)) => {
                self.heading("LFU FREQUENCY", &[("KEYS", 11)]);
                self.quantiles(spread, |count| count.to_string());
                self.histogram(&spread.buckets, |count| format!("up to {count}"));
            }
        }
    }

    fn prefixes(&mut self) {
        let columns = [("KEYS", 11), ("BYTES", 11), ("AVG", 9), ("NO TTL", 7)];
        self.heading("PREFIXES", &columns);
        let rows = chosen(&self.report.prefixes);
        for row in &rows {
            let average = row
                .bytes
                .and_then(|bytes| bytes.value.checked_div(row.keys.value));
            let cells = [
                (keys(row.keys), 11),
                (row.bytes.map_or_else(|| self.unknown(), bytes), 11),
                (
                    average.map_or_else(|| self.unknown(), |bytes| Bytes(bytes).to_string()),
                    9,
                ),
                (share(row.without_ttl.value, row.keys.value), 7),
            ];
            let indent = " ".repeat(row.depth.saturating_sub(1) as usize);
            let name = format!("{indent}{}", row.prefix);
            self.row(&name, &cells, None);
        }
        let more = self.report.prefixes.len() - rows.len();
        if more > 0 {
            let words = format!(" and {more} more: cachedeck tree, or the tree of the keys");
            self.words(&words, Tone::Muted);
        }
        if let Some(error) = self.report.prefix_error {
            let words = format!(
                " more prefixes than memory for them: rows with ~ may miss up to {} keys, {}",
                units::count(error.keys),
                Bytes(error.bytes)
            );
            self.words(&words, Tone::Caution);
        }
    }

    fn top(&mut self, title: &str, what: &str, list: &[TopKey]) {
        self.heading(
            title,
            &[("SIZE", 10), ("ELEMENTS", 10), ("IDLE", 8), ("TTL", 8)],
        );
        if list.is_empty() {
            return self.lacking(what, "there is no such key");
        }
        for key in list.iter().take(ROWS) {
            let ttl = match (key.ttl, key.ttl.left(self.now)) {
                (Ttl::None, _) => "none".to_owned(),
                (_, Some(left)) => units::span_short(left),
                _ => self.unknown(),
            };
            let cells = [
                (
                    key.size
                        .map_or_else(|| self.unknown(), |size| size.to_string()),
                    10,
                ),
                (key.elements.map_or_else(String::new, units::count), 10),
                (key.idle.map_or_else(String::new, units::span_short), 8),
                (ttl, 8),
            ];
            let name = text::escape(key.key.bytes());
            self.row(&name, &cells, None);
        }
    }

    /// `90 %` and the like, on one line.
    fn quantiles(&mut self, spread: &Spread, words: impl Fn(u64) -> String) {
        let line = format!(
            " median {}, 90 % up to {}, 99 % up to {}, most {}",
            words(spread.p50),
            words(spread.p90),
            words(spread.p99),
            words(spread.most)
        );
        self.words(&line, Tone::Plain);
    }

    fn histogram(&mut self, buckets: &[Bucket], words: impl Fn(u64) -> String) {
        let most = buckets.iter().map(|bucket| bucket.keys.value).max();
        for bucket in buckets {
            let name = bucket.up_to.map_or("more".to_owned(), &words);
            let bar = ratio(bucket.keys.value, most.unwrap_or_default());
            self.row(&name, &[(keys(bucket.keys), 11)], Some(bar));
        }
    }

    /// A name, cells to its right, and a bar where there is room.
    fn row(&mut self, name: &str, cells: &[(String, usize)], bar: Option<f64>) {
        let beside: usize = cells.iter().map(|(_, cells)| cells + 1).sum();
        let room = self.width.saturating_sub(beside + 1);
        let name_cells = match bar {
            Some(_) => room.min(16),
            None => room,
        };
        let mut words = format!(
            " {}",
            text::pad(&text::fit_middle(name, name_cells), name_cells)
        );
        for (cell, cells) in cells {
            words.push(' ');
            words.push_str(&text::pad_left(cell, *cells));
        }
        let mut spans = vec![Span::raw(words)];
        let left = room.saturating_sub(name_cells + 1);
        if let Some(share) = bar
            && left >= 6
        {
            spans.push(Span::raw(" "));
            spans.extend(gauge::bar(self.theme, share, left.min(30), Tone::Accent));
        }
        self.lines.push(Line::from(spans));
    }

    fn heading(&mut self, title: &str, columns: &[(&str, usize)]) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let has_bar = columns.len() < 4 && title != "ENCODINGS";
        let beside: usize = columns.iter().map(|(_, cells)| cells + 1).sum();
        let room = self.width.saturating_sub(beside + 1);
        let name = if has_bar { room.min(16) } else { room };
        let mut spans = vec![Span::styled(
            format!(" {}", text::pad(title, name)),
            self.theme.style(Tone::Title),
        )];
        for (column, cells) in columns {
            let words = format!(" {}", text::pad_left(column, *cells));
            spans.push(Span::styled(words, self.theme.style(Tone::Muted)));
        }
        self.lines.push(Line::from(spans));
    }

    fn words(&mut self, words: &str, tone: Tone) {
        let style = self.theme.style(tone);
        self.lines
            .push(Line::styled(text::fit(words, self.width), style));
    }

    /// Why a figure is not there.
    fn lacking(&mut self, what: &str, else_why: &str) {
        let lack: Option<&Lack> = self
            .report
            .lacks
            .iter()
            .find(|lack| lack.what == what || (what == "idle" && lack.what == "frequency"));
        let why = lack.map_or(else_why, |lack| &lack.why);
        let words = format!(" not known: {why}");
        self.words(&words, Tone::Muted);
    }

    fn unknown(&self) -> String {
        self.theme.unknown().to_owned()
    }
}

/// The heaviest of each folder, so that one with many of them does not hide the others.
fn chosen(all: &[PrefixRow]) -> Vec<&PrefixRow> {
    let mut chosen = Vec::new();
    // Rows shown of the folder at each depth; the rows of a folder that is not shown are not either.
    let mut shown: Vec<usize> = vec![0];
    for row in all {
        let depth = row.depth as usize;
        if depth > shown.len() {
            continue;
        }
        shown.truncate(depth);
        let most = if depth == 1 { PREFIXES } else { CHILDREN };
        if shown[depth - 1] >= most || chosen.len() >= PREFIXES {
            continue;
        }
        shown[depth - 1] += 1;
        chosen.push(row);
        if depth < DEEPEST {
            shown.push(0);
        }
    }
    chosen
}

pub fn keys(figure: Figure) -> String {
    let sign = if figure.is_exact() { "" } else { "~" };
    format!("{sign}{}", units::count(figure.value))
}

pub fn bytes(figure: Figure) -> String {
    let sign = if figure.is_exact() { "" } else { "~" };
    format!("{sign}{}", Bytes(figure.value))
}

fn share(part: u64, of: u64) -> String {
    if of == 0 {
        return String::new();
    }
    units::percent(ratio(part, of))
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    part as f64 / of as f64
}

fn seconds(seconds: u64) -> String {
    units::span_short(std::time::Duration::from_secs(seconds))
}
