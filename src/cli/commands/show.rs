//! `show`: a key's card and a bounded part of its value.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value as Json, json};

use crate::cli::call::now;
use crate::cli::commands::keys::ttl_words;
use crate::cli::output::{Answer, Look, Output, Paint};
use crate::cli::{Call, Failure, Format, Kind, Next, Visit, consent, facts, unknown};
use crate::engine::Backend;
use crate::model::{Key, KeyCard, KeyFacts, KeyKind, Part, Ttl, UnixMs, Value, Window, units};
use crate::text::{self, Shape, Tabs};

/// Print a key's card and its value
///
/// KEY is given as `keys` prints it: `\x00` for a byte that is no text, `\\` for
/// a backslash. Of a string the first 64 KiB are read, of a collection the first
/// 100 elements; --range reads another part. Reading does not count as an access
/// of the key, where the server lets us.
///
/// Example:
///
///     $ cachedeck show session:17
///     key        session:17
///     type       string, embstr
///     ttl        3m 04s, until 2026-11-24 10:20:00
///     size       72 B, 17 bytes long
///
///     {
///       "user": 17
///     }
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ShowArgs {
    /// Key to show
    key: String,

    /// Take KEY as it is, without escapes: as `key` of JSON has it
    #[arg(long)]
    literal: bool,

    /// How to print strings
    #[arg(long, value_enum, default_value = "auto", value_name = "AS")]
    decode: Decode,

    /// Elements (of a string: bytes) from A up to B, B not included: `0:100`, `100:`, `:50`
    #[arg(long, value_name = "A:B", value_parser = range)]
    range: Option<Range>,

    /// Write the bytes of a string as they are, all of them or --range, and nothing else
    #[arg(long)]
    raw: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Decode {
    /// JSON, text or hex, whichever it seems to be
    Auto,
    Json,
    Text,
    Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: u64,
    /// The first one that is not wanted; `None`: as many as usual.
    to: Option<u64>,
}

/// Bytes of a string that are shown when nobody says how many.
const BYTES_SHOWN: u64 = 64 << 10;
const ELEMENTS_SHOWN: u64 = 100;
/// Bytes of one flight with --raw.
const RAW_FLIGHT: u64 = 1 << 20;
/// Lines of pretty JSON.
const JSON_LINES: usize = 10_000;
const HEX_CELLS: usize = 80;

pub fn args(command: clap::Command) -> clap::Command {
    ShowArgs::augment_args(command)
}

fn range(words: &str) -> Result<Range, String> {
    let wrong = || "write A:B with numbers from 0, such as 0:100, 100: or :50".to_owned();
    let (from, to) = words.split_once(':').ok_or_else(wrong)?;
    let number = |word: &str| word.parse::<u64>().map_err(|_| wrong());
    let from = if from.is_empty() { 0 } else { number(from)? };
    let to = if to.is_empty() {
        None
    } else {
        Some(number(to)?)
    };
    if to.is_some_and(|to| to <= from) {
        return Err("the range ends before it begins".to_owned());
    }
    Ok(Range { from, to })
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: ShowArgs = call.args();
    let key = consent::key(&args.key, args.literal)?;
    let visit = call.visit()?;
    let kind = kind(call, &visit, &key)?;
    if args.raw {
        return raw(call, &visit, &key, kind.as_ref(), args.range);
    }
    let window = window(kind.as_ref(), args.range);
    let shown = call.ask(&visit, visit.server.show(&key, window))?;
    let (card, value) = shown.ok_or_else(|| no_such_key(&visit))?;
    let answer = Shown {
        card: &card,
        value: &value,
        decode: args.decode,
        now: now(),
    };
    // The other forms say in themselves that something is missing.
    let is_told_aside = matches!(call.format(), Format::Ndjson | Format::Csv);
    let note = answer.part_note().filter(|_| is_told_aside);
    let envelope = call.envelope("show", &visit, note.into_iter().collect());
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

/// What kind of key it is, which decides in what unit a part of it is counted; `None` when the
/// server would not say.
fn kind(call: &mut Call, visit: &Visit, key: &Key) -> Result<Option<KeyKind>, Failure> {
    let rows = call.ask(visit, visit.server.facts(std::slice::from_ref(key)))?;
    match rows.into_iter().next().and_then(|row| row.facts) {
        Some(KeyFacts::Here { kind, .. }) => Ok(Some(kind)),
        Some(KeyFacts::Gone) => Err(no_such_key(visit)),
        None => Ok(None),
    }
}

fn no_such_key(visit: &Visit) -> Failure {
    Failure::new(
        Kind::No,
        format!("show on {}: no such key", visit.target.name),
    )
}

fn is_bytes(kind: &KeyKind) -> bool {
    matches!(kind, KeyKind::String | KeyKind::Item)
}

fn window(kind: Option<&KeyKind>, range: Option<Range>) -> Window {
    let usual = if kind.is_some_and(is_bytes) {
        BYTES_SHOWN
    } else {
        ELEMENTS_SHOWN
    };
    let range = range.unwrap_or(Range { from: 0, to: None });
    Window {
        from: range.from,
        count: range.to.map_or(usual, |to| to - range.from),
    }
}

/// The bytes of a string, flight after flight.
fn raw(
    call: &mut Call,
    visit: &Visit,
    key: &Key,
    kind: Option<&KeyKind>,
    range: Option<Range>,
) -> Result<Next, Failure> {
    if let Some(kind) = kind.filter(|kind| !is_bytes(kind)) {
        return Err(Failure::usage(format!(
            "show on {}: --raw is for strings, and this is a {}",
            visit.target.name,
            text::escape(kind.word().as_bytes())
        ))
        .hint("-o ndjson prints the elements of a collection"));
    }
    let mut output = call.output();
    if Output::is_terminal() {
        eprintln!("warning: raw bytes on a terminal: it obeys what they say");
    }
    let range = range.unwrap_or(Range { from: 0, to: None });
    let end = range.to.unwrap_or(u64::MAX);
    let mut from = range.from;
    while from < end {
        let window = Window {
            from,
            count: RAW_FLIGHT.min(end - from),
        };
        let shown = call.ask(visit, visit.server.show(key, window))?;
        let (_, value) = shown.ok_or_else(|| no_such_key(visit))?;
        let Part::Text(bytes) = value.part else {
            return Err(Failure::new(
                Kind::No,
                format!("show on {}: the key changed its type", visit.target.name),
            ));
        };
        // Memcached gives the whole value or nothing, so what came may be more than was asked for.
        let skipped = usize::try_from(from.saturating_sub(value.from)).unwrap_or(usize::MAX);
        let bytes = bytes.get(skipped..).unwrap_or_default();
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(wanted)];
        output.raw(bytes)?;
        from += bytes.len() as u64;
        if bytes.is_empty() || value.of.is_some_and(|of| from >= of) {
            break;
        }
    }
    output.flush()?;
    Ok(Next::Exit(0))
}

struct Shown<'a> {
    card: &'a KeyCard,
    value: &'a Value,
    decode: Decode,
    now: UnixMs,
}

impl Answer for Shown<'_> {
    fn data(&self) -> Json {
        let Self { card, value, .. } = self;
        let mut unsupported = Map::new();
        if card.ttl == Ttl::Unknown {
            unsupported.insert("ttl_ms".into(), "the server would not say".into());
        }
        if let Part::Opaque(why) = &value.part {
            unsupported.insert("value".into(), why.as_str().into());
        }
        let mut data = json!({
            "key": facts::key(&card.key),
            "type": card.kind.word(),
            "encoding": card.encoding,
            "ttl_ms": facts::ttl_ms(card.ttl, self.now),
            "expires_at": facts::expires_at(card.ttl),
            "size_bytes": card.size,
            "length": card.length,
            "idle_s": card.idle.map(facts::seconds),
            "frequency": card.frequency,
            "is_touched": card.is_touched,
            "slot": card.slot,
            "item": card.item.as_ref().map(|item| json!({
                "flags": item.flags,
                "cas": item.cas,
                "slab_class": item.slab_class,
                "is_fetched": item.fetched,
            })),
            "value": facts::part(&value.part),
            "from": value.from,
            "of": value.of,
            "exact": !self.is_part(),
            "cut": value.cut,
            "unsupported": unsupported,
        });
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    /// A collection gives a record per element.
    fn records(&self) -> Vec<Json> {
        match facts::part(&self.value.part) {
            Json::Array(elements) => elements
                .into_iter()
                .map(|element| match element {
                    Json::Object(_) if !matches!(self.value.part, Part::List(_) | Part::Set(_)) => {
                        element
                    }
                    element => json!({ "element": element }),
                })
                .collect(),
            _ => vec![self.data()],
        }
    }

    fn text(&self, look: Look) -> String {
        let mut lines = self.card_lines(look);
        lines.push(String::new());
        lines.extend(self.value_lines());
        if let Some(note) = self.part_note() {
            lines.push(look.paint(Paint::Caution, &note));
        }
        lines.join("\n") + "\n"
    }
}

impl Shown<'_> {
    fn shown(&self) -> u64 {
        let many = match &self.value.part {
            Part::Text(text) => text.len(),
            Part::List(items) | Part::Set(items) => items.len(),
            Part::Hash(fields) => fields.len(),
            Part::SortedSet(members) => members.len(),
            Part::Stream(entries) => entries.len(),
            Part::Opaque(_) => 0,
        };
        many as u64
    }

    fn is_part(&self) -> bool {
        self.value.cut.is_some()
            || self.value.from > 0
            || self.value.of.is_none_or(|of| self.shown() < of)
    }

    fn part_note(&self) -> Option<String> {
        if let Some(cut) = &self.value.cut {
            return Some(format!("… {cut}"));
        }
        if !self.is_part() || matches!(self.value.part, Part::Opaque(_)) {
            return None;
        }
        let unit = if is_bytes(&self.card.kind) {
            "bytes"
        } else {
            "elements"
        };
        let of = self
            .value
            .of
            .map_or_else(|| "unknown".to_owned(), units::count);
        let (from, shown) = (self.value.from, self.shown());
        let end = from.saturating_add(shown);
        let goes_on = match self.value.of {
            Some(of) if end >= of => String::new(),
            _ => format!("; --range {end}: goes on"),
        };
        let shown = units::count(shown);
        let from = units::count(from);
        Some(format!("… {shown} of {of} {unit}, from {from}{goes_on}"))
    }

    fn card_lines(&self, look: Look) -> Vec<String> {
        let card = self.card;
        let mut lines = Vec::new();
        let mut line = |label: &str, value: String| {
            let label = look.paint(Paint::Faint, &text::pad(label, 9));
            lines.push(format!("{label}  {value}"));
        };
        line("key", text::escape(card.key.bytes()));
        let mut kind = text::escape(card.kind.word().as_bytes());
        if let Some(encoding) = &card.encoding {
            kind = format!("{kind}, {}", text::escape(encoding.as_bytes()));
        }
        line("type", kind);
        let mut ttl = ttl_words(card.ttl, self.now);
        if let Ttl::Until(end) = card.ttl {
            let end = units::local_time(end, &jiff::tz::TimeZone::system());
            ttl = format!("{ttl}, until {end}");
        }
        line("ttl", ttl);
        let length = card.length.map_or_else(String::new, |length| {
            let unit = match (is_bytes(&card.kind), length) {
                (true, 1) => "byte long",
                (true, _) => "bytes long",
                (false, 1) => "element",
                (false, _) => "elements",
            };
            format!(", {} {unit}", units::count(length))
        });
        line("size", format!("{}{length}", facts::size(card.size)));
        if let Some(idle) = card.idle {
            line("idle", units::span(idle));
        }
        if let Some(frequency) = card.frequency {
            line("frequency", units::count(frequency));
        }
        if let Some(trace) = card.trace() {
            line("note", trace.to_owned());
        }
        if let Some(slot) = card.slot {
            line("slot", slot.to_string());
        }
        if let Some(item) = &card.item {
            let number = |number: Option<u64>| {
                number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
            };
            line("flags", number(item.flags.map(u64::from)));
            line("cas", number(item.cas));
            line("slab", number(item.slab_class.map(u64::from)));
            if let Some(is_fetched) = item.fetched {
                let words = if is_fetched {
                    "yes"
                } else {
                    "not since it was stored"
                };
                line("fetched", words.to_owned());
            }
        }
        lines
    }

    fn value_lines(&self) -> Vec<String> {
        match &self.value.part {
            Part::Text(bytes) => self.bytes_lines(bytes),
            Part::List(items) => (self.value.from..)
                .zip(items)
                .map(|(index, item)| format!("{index}  {}", text::escape(item)))
                .collect(),
            Part::Set(items) => items.iter().map(|item| text::escape(item)).collect(),
            Part::Hash(fields) => fields.iter().map(pair).collect(),
            Part::SortedSet(members) => members
                .iter()
                .map(|(member, score)| format!("{score}  {}", text::escape(member)))
                .collect(),
            Part::Stream(entries) => entries
                .iter()
                .flat_map(|entry| {
                    let fields = entry
                        .fields
                        .iter()
                        .map(|field| format!("  {}", pair(field)));
                    std::iter::once(text::escape(entry.id.as_bytes())).chain(fields)
                })
                .collect(),
            Part::Opaque(why) => vec![format!("not shown: {why}")],
        }
    }

    fn bytes_lines(&self, bytes: &[u8]) -> Vec<String> {
        let shape = match self.decode {
            Decode::Auto => text::shape(bytes),
            Decode::Json => Shape::Json,
            Decode::Text => Shape::Text,
            Decode::Hex => Shape::Hex,
        };
        match shape {
            Shape::Json => text::json_pretty(bytes, JSON_LINES),
            Shape::Text => text::escape_lines(bytes, Tabs::Escaped).collect(),
            Shape::Hex => text::hex_dump(bytes, self.value.from, HEX_CELLS).collect(),
        }
    }
}

fn pair((field, value): &(Vec<u8>, Vec<u8>)) -> String {
    format!("{}: {}", text::escape(field), text::escape(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open() {
        assert_eq!(
            range("0:100"),
            Ok(Range {
                from: 0,
                to: Some(100)
            })
        );
        assert_eq!(
            range(":50"),
            Ok(Range {
                from: 0,
                to: Some(50)
            })
        );
        assert_eq!(range("7:"), Ok(Range { from: 7, to: None }));
        assert!(range("7:7").is_err());
        assert!(range("-1:").is_err());
        assert!(range("7").is_err());
    }
}
