//! `keys`: the keys that pass a filter, printed while the keyspace is walked.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::facts;
use crate::cli::output::{Answer, Envelope, Look, Output, Paint, Sheet};
use crate::cli::{Call, Failure, Format, Next, Visit};
use crate::engine::{Backend, Fault};
use crate::model::{
    Bytes, Coverage, DurationExpr, Key, KeyFacts, KeyKind, KeyRow, Pace, Ttl, TtlExpr, UnixMs,
    WalkAsk, WalkKey, units,
};
use crate::text;

/// List keys with type, TTL and size
///
/// PATTERN is a glob as the server knows it (`session:*`). The keyspace is walked
/// in small steps, and what passes the filters is printed on the way; how much
/// was seen is told on stderr at the end. While a server reorganises its tables a
/// key may come twice; --sort and -o json print it once. Bytes that are no text
/// are printed as `\x00`, a backslash as `\\`, so that every name can be given
/// back to `show`, `ttl` and `delete`. JSON has names as they are; those are given
/// back with --literal.
///
/// Example:
///
///     $ cachedeck keys 'session:*' --ttl '<1h' --sort size --limit 2
///     TYPE            TTL       SIZE  KEY
///     hash        42m 10s   1.20 KiB  session:8811
///     string       3m 04s       72 B  session:17
///     note: 2 of 41,200 matching keys; all of the keyspace was seen
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct KeysArgs {
    /// Glob that names must match
    pattern: Option<String>,

    /// Only keys of this type: string, hash, list, set, zset, stream, item
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// Only keys whose TTL is so: `<1h`, `>=1d`, `none`, `any`
    #[arg(long, value_name = "EXPR", value_parser = TtlExpr::parse)]
    ttl: Option<TtlExpr>,

    /// Only keys that take at least so much memory (`64kb`, `1.5 MiB`)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    min_size: Option<Bytes>,

    /// Only keys whose last access is so long ago: `>1d`
    #[arg(long, value_name = "EXPR", value_parser = DurationExpr::parse)]
    idle: Option<DurationExpr>,

    /// Order: names from a to z, the others with the largest first (ttl: the soonest first)
    #[arg(long, value_name = "BY", value_enum)]
    sort: Option<Sort>,

    /// Print at most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Size,
    Ttl,
    Idle,
}

/// Keys whose facts are asked in one flight.
const FACTS_PAGE: usize = 500;

pub fn args(command: clap::Command) -> clap::Command {
    KeysArgs::augment_args(command)
}

fn size(text: &str) -> Result<Bytes, crate::model::SizeError> {
    text.parse()
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: KeysArgs = call.args();
    let visit = call.visit()?;
    let collects = args.sort.is_some() || matches!(call.format(), Format::Json | Format::Yaml);
    let mut list = List {
        output: call.output(),
        shows_idle: args.idle.is_some() || args.sort == Some(Sort::Idle),
        kept: collects.then(Kept::default),
        printed: 0,
        sort: args.sort,
        limit: args.limit.unwrap_or(usize::MAX),
        progress: Progress::new(),
    };
    let coverage = call.wait(walk(&visit, &args, &mut list));
    list.progress.clear();
    let coverage = coverage?;
    let envelope = call.envelope("keys", &visit, Vec::new());
    list.finish(envelope, coverage)?;
    Ok(Next::Exit(0))
}

/// Walks until the keyspace or the limit is reached.
async fn walk(visit: &Visit, args: &KeysArgs, list: &mut List) -> Result<Coverage, Failure> {
    let failure = |fault: Fault| Failure::of_server("keys", &visit.target.name, &fault);
    let ask = WalkAsk {
        pattern: args.pattern.as_ref().map(|glob| glob.clone().into_bytes()),
        pace: Pace::FullSpeed,
        ..WalkAsk::default()
    };
    let mut coverage = Coverage::default();
    let mut walk = visit.server.walk(ask).await.map_err(failure)?;
    while let Some(page) = walk.step().await.map_err(failure)? {
        coverage = page.coverage;
        let mut rest = page.found.as_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(list.page(args)));
            rest = others;
            let rows = rows(visit, args, some).await.map_err(failure)?;
            let now = now();
            for row in rows.into_iter().filter(|row| args.take(row, now)) {
                list.take(row, now)?;
                if list.is_full() {
                    coverage.is_complete &= rest.is_empty();
                    return Ok(coverage);
                }
            }
        }
        list.page_ended(coverage)?;
    }
    Ok(coverage)
}

/// The facts, asked only where they did not come with the names.
async fn rows(visit: &Visit, args: &KeysArgs, found: &[WalkKey]) -> Result<Vec<KeyRow>, Fault> {
    let wants_idle = args.idle.is_some() || args.sort == Some(Sort::Idle);
    let free: Option<Vec<KeyRow>> = found
        .iter()
        .map(|one| {
            let told = one.told.clone()?;
            Some(KeyRow {
                key: one.key.clone(),
                facts: Some(KeyFacts::Here {
                    kind: told.kind?,
                    ttl: told.ttl,
                    size: told.size,
                    idle: told.idle,
                }),
            })
        })
        .collect();
    match free {
        Some(rows) if !wants_idle => Ok(rows),
        _ => {
            let keys: Vec<Key> = found.iter().map(|one| one.key.clone()).collect();
            visit.server.facts(&keys).await
        }
    }
}

impl KeysArgs {
    fn has_filter(&self) -> bool {
        self.kind.is_some() || self.ttl.is_some() || self.min_size.is_some() || self.idle.is_some()
    }

    /// Whether a key passes. One that vanished does not; neither does one of which the filter
    /// cannot be answered.
    fn take(&self, row: &KeyRow, now: UnixMs) -> bool {
        let Some(KeyFacts::Here {
            kind,
            ttl,
            size,
            idle,
        }) = &row.facts
        else {
            return row.facts.is_none() && !self.has_filter();
        };
        self.kind
            .as_ref()
            .is_none_or(|word| KeyKind::from_word(&word.to_lowercase()) == *kind)
            && self.ttl.is_none_or(|expr| expr.matches(*ttl, now))
            && self.min_size.is_none_or(|least| *size >= Some(least))
            && self
                .idle
                .is_none_or(|expr| idle.is_some_and(|idle| expr.matches(idle)))
    }
}

/// What passed, printed at once or kept for sorting.
struct List {
    output: Output,
    shows_idle: bool,
    /// Rows that wait for the end; `None` when they are printed on the way.
    kept: Option<Kept>,
    printed: usize,
    sort: Option<Sort>,
    limit: usize,
    progress: Progress,
}

#[derive(Default)]
struct Kept {
    rows: Vec<KeyRow>,
    names: HashSet<Key>,
    /// How many passed, those included that the limit left out.
    passed: usize,
}

impl List {
    /// How many keys to ask about at once: not more than can still be printed.
    fn page(&self, args: &KeysArgs) -> usize {
        let is_exact = !args.has_filter() && self.sort.is_none();
        if is_exact {
            self.limit.saturating_sub(self.len()).clamp(1, FACTS_PAGE)
        } else {
            FACTS_PAGE
        }
    }

    fn len(&self) -> usize {
        self.kept
            .as_ref()
            .map_or(self.printed, |kept| kept.rows.len())
    }

    fn is_full(&self) -> bool {
        self.sort.is_none() && self.len() >= self.limit
    }

    fn take(&mut self, row: KeyRow, now: UnixMs) -> Result<(), Failure> {
        if self.limit == 0 {
            return Ok(());
        }
        let Some(kept) = &mut self.kept else {
            self.print(&row, now)?;
            self.printed += 1;
            return Ok(());
        };
        if !kept.names.insert(row.key.clone()) {
            return Ok(());
        }
        kept.passed += 1;
        kept.rows.push(row);
        // Sorting now and then keeps a short list of a huge keyspace short in memory, too.
        if kept.rows.len() >= self.limit.saturating_mul(2).saturating_add(10_000) {
            kept.cut(self.sort, self.limit);
        }
        Ok(())
    }

    fn print(&mut self, row: &KeyRow, now: UnixMs) -> Result<(), Failure> {
        match self.output.format() {
            Format::Ndjson => self.output.record(&facts::key_row(row, now)),
            Format::Csv => {
                let sheet = sheet(std::slice::from_ref(row), now);
                self.output.sheet(&sheet, self.printed == 0)
            }
            _ => {
                if self.printed == 0 {
                    let heading = heading(self.shows_idle);
                    let look = self.output.look();
                    self.output.line(&look.paint(Paint::Heading, &heading))?;
                }
                self.output.line(&line(row, now, self.shows_idle))
            }
        }
    }

    fn page_ended(&mut self, coverage: Coverage) -> Result<(), Failure> {
        self.progress.show(coverage);
        if self.kept.is_none() {
            self.output.flush()?;
        }
        Ok(())
    }

    fn finish(mut self, mut envelope: Envelope, coverage: Coverage) -> Result<(), Failure> {
        let (shown, passed) = match self.kept.take() {
            None => (self.printed, self.printed),
            Some(mut kept) => {
                let passed = kept.passed;
                kept.cut(self.sort, self.limit);
                let found = Found {
                    rows: &kept.rows,
                    now: envelope.at,
                    coverage,
                    passed,
                    shows_idle: self.shows_idle,
                };
                if coverage.not_kept > 0 {
                    let words = format!("{} keys were not kept", units::count(coverage.not_kept));
                    envelope.warnings.push(words);
                }
                self.output.answer(&envelope, &found)?;
                (kept.rows.len(), passed)
            }
        };
        self.output.flush()?;
        if !matches!(self.output.format(), Format::Json | Format::Yaml) {
            eprintln!("note: {}", note(shown, passed, coverage));
        }
        Ok(())
    }
}

impl Kept {
    fn cut(&mut self, sort: Option<Sort>, limit: usize) {
        if let Some(sort) = sort {
            self.rows.sort_by(|a, b| order(sort, a, b));
        }
        self.rows.truncate(limit);
    }
}

fn order(sort: Sort, a: &KeyRow, b: &KeyRow) -> Ordering {
    let by = match sort {
        Sort::Name => Ordering::Equal,
        Sort::Size => size_of(b).cmp(&size_of(a)),
        Sort::Idle => idle_of(b).cmp(&idle_of(a)),
        Sort::Ttl => end_of(a).cmp(&end_of(b)),
    };
    by.then_with(|| a.key.cmp(&b.key))
}

fn size_of(row: &KeyRow) -> Option<Bytes> {
    match &row.facts {
        Some(KeyFacts::Here { size, .. }) => *size,
        _ => None,
    }
}

fn idle_of(row: &KeyRow) -> Option<Duration> {
    match &row.facts {
        Some(KeyFacts::Here { idle, .. }) => *idle,
        _ => None,
    }
}

/// The soonest first, then what never ends, then what is not known.
fn end_of(row: &KeyRow) -> (u8, UnixMs) {
    match &row.facts {
        Some(KeyFacts::Here {
            ttl: Ttl::Until(end),
            ..
        }) => (0, *end),
        Some(KeyFacts::Here { ttl: Ttl::None, .. }) => (1, UnixMs(0)),
        _ => (2, UnixMs(0)),
    }
}

/// The list as one answer.
struct Found<'a> {
    rows: &'a [KeyRow],
    now: UnixMs,
    coverage: Coverage,
    passed: usize,
    shows_idle: bool,
}

impl Answer for Found<'_> {
    fn data(&self) -> Value {
        json!({
            "keys": self.records(),
            "matched": self.passed,
            "exact": self.coverage.is_complete,
            "coverage": {
                "seen": self.coverage.seen,
                "of": self.coverage.of,
                "is_filtered": self.coverage.is_filtered,
                "is_complete": self.coverage.is_complete,
            },
        })
    }

    fn records(&self) -> Vec<Value> {
        let rows = self.rows.iter();
        rows.map(|row| facts::key_row(row, self.now)).collect()
    }

    fn sheet(&self) -> Sheet {
        sheet(self.rows, self.now)
    }

    fn text(&self, look: Look) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            text = look.paint(Paint::Heading, &heading(self.shows_idle)) + "\n";
        }
        for row in self.rows {
            text.push_str(&line(row, self.now, self.shows_idle));
            text.push('\n');
        }
        text
    }
}

const COLUMNS: &[&str] = &["key", "type", "ttl_ms", "size_bytes", "idle_s"];

/// Keys in the escape grammar, whatever their bytes.
fn sheet(rows: &[KeyRow], now: UnixMs) -> Sheet {
    let records: Vec<Value> = rows.iter().map(|row| facts::key_row(row, now)).collect();
    let mut sheet = Sheet::of_records(COLUMNS, &records);
    for (cells, row) in sheet.rows.iter_mut().zip(rows) {
        cells[0] = text::escape(row.key.bytes());
    }
    sheet
}

fn heading(shows_idle: bool) -> String {
    columns("TYPE", "TTL", "SIZE", shows_idle.then_some("IDLE"), "KEY")
}

/// The key comes last, so that no width needs to be known beforehand.
fn line(row: &KeyRow, now: UnixMs, shows_idle: bool) -> String {
    let name = text::escape(row.key.bytes());
    let Some(KeyFacts::Here {
        kind,
        ttl,
        size,
        idle,
    }) = &row.facts
    else {
        return columns("?", "?", "?", shows_idle.then_some("?"), &name);
    };
    let ttl = ttl_words(*ttl, now);
    let size = size.map_or_else(|| "?".to_owned(), |size| size.to_string());
    let idle = idle.map_or_else(|| "?".to_owned(), units::span);
    let kind = text::escape(kind.word().as_bytes());
    columns(&kind, &ttl, &size, shows_idle.then_some(&idle), &name)
}

/// A TTL as lists show it.
pub fn ttl_words(ttl: Ttl, now: UnixMs) -> String {
    match (ttl, ttl.left(now)) {
        (_, Some(left)) => units::span(left),
        (Ttl::None, _) => "none".to_owned(),
        _ => "?".to_owned(),
    }
}

fn columns(kind: &str, ttl: &str, size: &str, idle: Option<&str>, key: &str) -> String {
    let idle = idle.map_or_else(String::new, |idle| text::pad_left(idle, 9) + "  ");
    format!(
        "{}  {}  {}  {idle}{key}",
        text::pad(kind, 8),
        text::pad_left(ttl, 9),
        text::pad_left(size, 9),
    )
}

fn note(shown: usize, passed: usize, coverage: Coverage) -> String {
    let keys = |many: usize| units::count(many as u64);
    let what = if shown < passed {
        format!("{} of {} matching keys", keys(shown), keys(passed))
    } else if shown == 1 {
        "1 key".to_owned()
    } else {
        format!("{} keys", keys(shown))
    };
    if coverage.is_complete {
        return format!("{what}; all of the keyspace was seen");
    }
    format!("{what}; {}", seen(coverage))
}

/// `41,200 of 1,203,991 seen`
fn seen(coverage: Coverage) -> String {
    let seen = units::count(coverage.seen);
    match coverage.of {
        _ if coverage.is_filtered => format!("{seen} matching keys met so far"),
        Some(of) => format!("{seen} of {} seen", units::count(of)),
        None => format!("{seen} seen, of how many is not known"),
    }
}

/// A line on stderr that is drawn over, while results go elsewhere.
struct Progress {
    is_on: bool,
    is_drawn: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_on: std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(),
            is_drawn: false,
        }
    }

    fn show(&mut self, coverage: Coverage) {
        if self.is_on {
            eprint!("\r\x1b[K{}", seen(coverage));
            self.is_drawn = true;
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            eprint!("\r\x1b[K");
        }
    }
}
