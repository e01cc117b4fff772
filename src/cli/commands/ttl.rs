//! `ttl`: reads, sets and removes times to live.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::commands::keys::ttl_words;
use crate::cli::consent::{self, ConsentArgs, KeysAnswer};
use crate::cli::output::{Answer, Look, Sheet};
use crate::cli::{Call, Failure, Kind, Next, facts};
use crate::engine::Backend;
use crate::model::{Change, KeyFacts, KeyRow, Outcome, Ttl, TtlWish, UnixMs, units};
use crate::text;

/// Print, set or remove the TTL of keys
///
/// KEY is given as `keys` prints it: `\x00` for a byte that is no text, `\\` for
/// a backslash. Without --set, --at or --persist nothing is changed. A change
/// shows its plan and asks first; --yes answers beforehand.
///
/// Example:
///
///     $ cachedeck ttl session:17
///     TTL     EXPIRES AT           KEY
///     3m 04s  2026-11-24 10:20:00  session:17
///     $ cachedeck ttl session:17 --set 1d12h --yes
///     OUTCOME  KEY
///     done     session:17
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = ArgGroup::new("wish"))]
pub struct TtlArgs {
    /// Keys
    #[arg(required = true, value_name = "KEY")]
    key: Vec<String>,

    /// Take KEY as it is, without escapes: as `key` of JSON has it
    #[arg(long)]
    literal: bool,

    /// Let them live so long from now on: `90s`, `2h`, `1d12h`
    #[arg(long, value_name = "DURATION", group = "wish")]
    set: Option<String>,

    /// Let them expire at this time: `18:00`, `tomorrow 06:00`, `2026-12-24 18:00`
    #[arg(long, value_name = "TIME", group = "wish")]
    at: Option<String>,

    /// Let them live for ever
    #[arg(long, group = "wish")]
    persist: bool,

    #[command(flatten)]
    consent: ConsentArgs,
}

pub fn args(command: clap::Command) -> clap::Command {
    TtlArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: TtlArgs = call.args();
    let keys = consent::keys(&args.key, args.literal)?;
    let Some(wish) = wish(&args, now())? else {
        if args.consent.dry_run || args.consent.yes {
            return Err(Failure::usage(
                "--dry-run and --yes go with --set, --at or --persist",
            ));
        }
        return read(call, &keys);
    };
    let visit = call.visit()?;
    let change = Change::SetTtl { keys, wish };
    let word = change.word();
    let outcome = consent::carry_out(call, &visit, "ttl", change, args.consent)?;
    if let Some(Outcome::Keys(keys)) = outcome {
        let answer = KeysAnswer {
            change: word,
            keys: &keys,
        };
        let envelope = call.envelope("ttl", &visit, Vec::new());
        call.output().answer(&envelope, &answer)?;
        answer.verdict("ttl", &visit.target.name)?;
    }
    Ok(Next::Exit(0))
}

/// The wish on the command line; `None` when the TTL is only to be read.
fn wish(args: &TtlArgs, now: UnixMs) -> Result<Option<TtlWish>, Failure> {
    if args.persist {
        return Ok(Some(TtlWish::Never));
    }
    let (flag, words) = match (&args.set, &args.at) {
        (Some(words), _) => ("--set", words),
        (_, Some(words)) => ("--at", words),
        _ => return Ok(None),
    };
    let zone = jiff::tz::TimeZone::system();
    let wish = TtlWish::parse(words, now, &zone)
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    match (flag, wish) {
        (_, TtlWish::Never) => Err(Failure::usage(format!("{flag}: never is --persist"))),
        ("--set", TtlWish::At(_)) => {
            Err(Failure::usage("--set takes a duration").hint("a moment goes with --at"))
        }
        ("--at", TtlWish::In(_)) => {
            Err(Failure::usage("--at takes a moment").hint("a duration goes with --set"))
        }
        (_, wish) => Ok(Some(wish)),
    }
}

fn read(call: &mut Call, keys: &[crate::model::Key]) -> Result<Next, Failure> {
    let visit = call.visit()?;
    let rows = call.ask(&visit, visit.server.facts(keys))?;
    let answer = Ttls {
        rows: &rows,
        now: now(),
    };
    let envelope = call.envelope("ttl", &visit, Vec::new());
    call.output().answer(&envelope, &answer)?;
    verdict(&rows, &visit.target.name).map(|()| Next::Exit(0))
}

/// How reading ends: all there, none there, not allowed to look, or some of it.
fn verdict(rows: &[KeyRow], target: &str) -> Result<(), Failure> {
    let gone = rows.iter().filter(|row| row.facts == Some(KeyFacts::Gone));
    let (all, gone) = (rows.len(), gone.count());
    let refused = rows.iter().filter(|row| row.facts.is_none()).count();
    let (kind, why) = match (gone, refused) {
        (0, 0) => return Ok(()),
        (1, 0) if all == 1 => (Kind::No, "no such key".to_owned()),
        (_, 0) if gone == all => (Kind::No, format!("none of the {all} keys is there")),
        (_, 0) => (Kind::Partial, format!("{gone} of {all} keys are not there")),
        _ if refused == all => (Kind::Permission, "the server would not say".to_owned()),
        _ => (
            Kind::Partial,
            format!("the server would not say of {refused} of {all} keys"),
        ),
    };
    Err(Failure::new(kind, format!("ttl on {target}: {why}")))
}

/// TTLs as they are.
struct Ttls<'a> {
    rows: &'a [KeyRow],
    now: UnixMs,
}

impl Ttls<'_> {
    fn ttl(row: &KeyRow) -> Option<Ttl> {
        match &row.facts {
            Some(KeyFacts::Here { ttl, .. }) => Some(*ttl),
            _ => None,
        }
    }
}

impl Answer for Ttls<'_> {
    fn data(&self) -> Value {
        json!({ "keys": self.records() })
    }

    fn records(&self) -> Vec<Value> {
        self.rows
            .iter()
            .map(|row| {
                let ttl = Self::ttl(row);
                let mut record = json!({
                    "key": facts::key(&row.key),
                    "exists": row.facts.as_ref().map(|facts| *facts != KeyFacts::Gone),
                    "ttl_ms": ttl.map(|ttl| facts::ttl_ms(ttl, self.now)),
                    "expires_at": ttl.map(facts::expires_at),
                });
                if ttl == Some(Ttl::Unknown) || row.facts.is_none() {
                    record["unsupported"] = json!({ "ttl_ms": "the server would not say" });
                }
                record
            })
            .collect()
    }

    fn sheet(&self) -> Sheet {
        let header = ["key", "exists", "ttl_ms", "expires_at"];
        let mut sheet = Sheet::of_records(&header, &self.records());
        for (cells, row) in sheet.rows.iter_mut().zip(self.rows) {
            cells[0] = text::escape(row.key.bytes());
        }
        sheet
    }

    fn text(&self, look: Look) -> String {
        let zone = jiff::tz::TimeZone::system();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                let (ttl, at) = match Self::ttl(row) {
                    None if row.facts.is_none() => ("?".to_owned(), String::new()),
                    None => ("no such key".to_owned(), String::new()),
                    Some(ttl) => {
                        let at = match ttl {
                            Ttl::Until(end) => units::local_time(end, &zone),
                            Ttl::None | Ttl::Unknown => String::new(),
                        };
                        (ttl_words(ttl, self.now), at)
                    }
                };
                vec![ttl, at, text::escape(row.key.bytes())]
            })
            .collect();
        look.table(&["TTL", "EXPIRES AT", "KEY"], &rows)
    }
}
