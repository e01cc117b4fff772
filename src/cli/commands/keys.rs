//! `keys`: the keys that pass a filter, printed while the keyspace is walked.

mod list;
mod row;

use clap::{Args, ValueEnum};
use regex::bytes::Regex;

use crate::cli::call::now;
use crate::cli::pace::PaceArgs;
use crate::cli::progress::seen;
use crate::cli::{Call, Failure, Format, Kind, Next, Visit};
use crate::engine::{Backend, Fault};
use crate::model::{
    Bytes, DurationExpr, Key, KeyFacts, KeyKind, KeyRow, Lack, Told, TtlExpr, UnixMs, WalkAsk,
    WalkKey, WalkPage, Wants,
};

use list::List;

pub use row::ttl_words;

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
/// Nothing is changed, and no single question is long, but the walk goes at full
/// speed, since somebody waits for it; --budget makes it gentle. On a profile
/// that says `environment: production` 5 % of a core is the default, and
/// --full-speed lifts it. With --names alone only names are asked for, which is
/// the cheapest walk.
///
/// Example:
///
///     $ cachedeck keys 'session:*' --ttl '<1h' --sort size --limit 2
///     TYPE            TTL       SIZE  KEY
///     hash        42m 10s   1.20 KiB  session:8811
///     string       3m 04s       72 B  session:17
///     note: 2 of 41,200 matching keys; all of the keyspace was seen
///     $ cachedeck prod keys --names --regex '^user:[0-9]+$' | wc -l
///     300120
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct KeysArgs {
    /// Glob that names must match
    pattern: Option<String>,

    /// Print names alone, one a line, and ask for nothing else
    #[arg(long)]
    names: bool,

    /// Only keys whose name has a part that matches this regular expression
    #[arg(long, value_name = "REGEX")]
    regex: Option<Regex>,

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

    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Size,
    Ttl,
    Idle,
}

pub fn args(command: clap::Command) -> clap::Command {
    KeysArgs::augment_args(command)
}

fn size(text: &str) -> Result<Bytes, crate::model::SizeError> {
    text.parse()
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: KeysArgs = call.args();
    let visit = call.visit()?;
    let mut list = List::new(&args, call.output());
    let walked = call.wait(walk(&visit, &args, &mut list));
    list.progress.clear();
    let mut envelope = call.envelope("keys", &visit, Vec::new());
    let end = match walked {
        Ok(()) => 0,
        // What was printed on the way stands; what was kept is printed now and says what it lacks.
        Err(failure) if failure.kind == Kind::Interrupted && list.is_kept() => {
            let words = format!("interrupted: {}", seen(&list.coverage));
            envelope.warnings.push(words);
            failure.code()
        }
        Err(mut failure) => {
            if list.coverage.seen > 0 {
                let words = format!("this is a part: {}", seen(&list.coverage));
                failure.hints.push(words);
            }
            return Err(failure);
        }
    };
    let unanswered = args.unanswered(&list.lacks);
    list.finish(envelope)?;
    match unanswered {
        None => Ok(Next::Exit(end)),
        Some(lack) => Err(unanswerable(&lack, &visit)),
    }
}

/// The filter or the order needs what the server does not tell.
fn unanswerable(lack: &Lack, visit: &Visit) -> Failure {
    let words = format!(
        "keys on {}: {} cannot be compared: {}",
        visit.target.name, lack.what, lack.why
    );
    Failure::new(Kind::Partial, words)
}

/// Walks until the keyspace or the limit is reached.
async fn walk(visit: &Visit, args: &KeysArgs, list: &mut List) -> Result<(), Failure> {
    let failure = |fault: Fault| Failure::of_server("keys", &visit.target.name, &fault);
    let ask = WalkAsk {
        from: None,
        pattern: args.pattern.as_ref().map(|glob| glob.clone().into_bytes()),
        wants: args.wants(),
        one_key_in: None,
        pace: args.pace.swift(&visit.target),
    };
    let mut walk = visit.server.walk(ask).await.map_err(failure)?;
    while let Some(mut page) = walk.step().await.map_err(failure)? {
        list.page_began(&page);
        page.found.retain(|one| args.takes_name(&one.key));
        if !is_told(&page, args.wants()) {
            page.found = asked(visit, &page.found).await.map_err(failure)?;
        }
        let now = now();
        let mut rest = page.found.into_iter();
        while let Some(one) = rest.next() {
            if !args.takes(&one, now) {
                continue;
            }
            list.take(one, now)?;
            if list.is_full() {
                list.coverage.is_complete &= rest.len() == 0;
                return Ok(());
            }
        }
        list.page_ended(&page.cost)?;
    }
    Ok(())
}

/// Whether what is wanted came with the names, as far as the server tells it at all.
fn is_told(page: &WalkPage, wants: Wants) -> bool {
    let is_missing = |one: &WalkKey| match &one.told {
        None => true,
        Some(told) => wants.usage && told.idle.is_none() && told.frequency.is_none(),
    };
    wants.is_nothing() || !page.lacks.is_empty() || !page.found.iter().any(is_missing)
}

/// The facts of these keys in flights of their own. What is gone meanwhile is left out.
async fn asked(visit: &Visit, found: &[WalkKey]) -> Result<Vec<WalkKey>, Fault> {
    let keys: Vec<Key> = found.iter().map(|one| one.key.clone()).collect();
    let rows = visit.server.facts(&keys).await?;
    Ok(rows.into_iter().filter_map(told).collect())
}

fn told(row: KeyRow) -> Option<WalkKey> {
    let told = match row.facts {
        Some(KeyFacts::Gone) => return None,
        None => Told::default(),
        Some(KeyFacts::Here {
            kind,
            ttl,
            size,
            idle,
        }) => Told {
            kind: Some(kind),
            ttl,
            size,
            idle,
            ..Told::default()
        },
    };
    Some(WalkKey {
        key: row.key,
        told: Some(told),
    })
}

impl KeysArgs {
    /// What has to be asked for the columns, the filters and the order.
    fn wants(&self) -> Wants {
        let shows = !self.names;
        Wants {
            kind: shows || self.kind.is_some(),
            ttl: shows || self.ttl.is_some() || self.sort == Some(Sort::Ttl),
            size: shows || self.min_size.is_some() || self.sort == Some(Sort::Size),
            usage: self.shows_idle(),
            ..Wants::NAMES
        }
    }

    fn shows_idle(&self) -> bool {
        self.idle.is_some() || self.sort == Some(Sort::Idle)
    }

    fn takes_name(&self, key: &Key) -> bool {
        let regex = self.regex.as_ref();
        regex.is_none_or(|regex| regex.is_match(key.bytes()))
    }

    /// Whether a key passes. One of which the filter cannot be answered does not.
    fn takes(&self, one: &WalkKey, now: UnixMs) -> bool {
        let Some(told) = &one.told else {
            return !self.has_filter();
        };
        self.kind.as_ref().is_none_or(|word| {
            let wanted = KeyKind::from_word(&word.to_lowercase());
            told.kind.as_ref() == Some(&wanted)
        }) && self.ttl.is_none_or(|expr| expr.matches(told.ttl, now))
            && self.min_size.is_none_or(|least| told.size >= Some(least))
            && self
                .idle
                .is_none_or(|expr| told.idle.is_some_and(|idle| expr.matches(idle)))
    }

    fn has_filter(&self) -> bool {
        self.kind.is_some() || self.ttl.is_some() || self.min_size.is_some() || self.idle.is_some()
    }

    /// The first thing that a filter or the order needs and that the server does not tell.
    fn unanswered(&self, lacks: &[Lack]) -> Option<Lack> {
        let needs = |what| match what {
            "type" => self.kind.is_some(),
            "ttl" => self.ttl.is_some() || self.sort == Some(Sort::Ttl),
            "size" => self.min_size.is_some() || self.sort == Some(Sort::Size),
            "idle" => self.shows_idle(),
            _ => false,
        };
        lacks.iter().find(|lack| needs(lack.what)).cloned()
    }

    fn format_needs_all(&self, format: Format) -> bool {
        self.sort.is_some() || matches!(format, Format::Json | Format::Yaml)
    }
}
