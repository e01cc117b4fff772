//! A value of a file as plain commands that build it, in pieces of bounded size.
//!
//! The server takes every one of these commands from anybody, so whatever is wrong with the file,
//! nothing comes of it that a client could not have done. Commands leave out the key: it is built under
//! another name first.

use std::collections::HashMap;
use std::mem;
use std::ops::ControlFlow;

use crate::model::UnixMs;
use crate::snapshot::rdb::{Element, Idempotence, Piece, StreamFacts, StreamId, Visitor};

/// Arguments of one command,
const MOST_ARGUMENTS: usize = 1_024;
/// its bytes, unless one element is longer,
const MOST_BYTES: usize = 1 << 20;
/// and commands of one piece.
const MOST_ORDERS: usize = 512;

/// A command without its key, which comes behind `words`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub words: &'static [&'static str],
    pub arguments: Vec<Vec<u8>>,
}

/// What the server cannot do about this may be told instead of failing the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Without it the value is not what it was.
    Value,
    /// The moment at which a field expires.
    FieldEnds,
    /// What a stream counts for itself.
    Counters,
    /// An entry that waits for its consumer.
    Pending,
    /// How long a stream remembers what its producers sent.
    Memory,
}

impl Order {
    pub fn need(&self) -> Need {
        match self.words {
            ["HPEXPIREAT"] => Need::FieldEnds,
            ["XSETID"] | ["XGROUP", "CREATECONSUMER"] => Need::Counters,
            ["XCLAIM"] => Need::Pending,
            ["XCFGSET"] => Need::Memory,
            _ => Need::Value,
        }
    }
}

/// What the server that it is built on knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Knows {
    /// `XSETID … ENTRIESADDED … MAXDELETEDID` and `XGROUP CREATE … ENTRIESREAD` (7.0).
    pub stream_counters: bool,
    /// `SET … PXAT` (6.2).
    pub absolute_ends: bool,
    /// `XCFGSET` (8.6).
    pub producers: bool,
}

/// Commands that go together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    pub list: Vec<Order>,
    pub bytes: usize,
    /// Producers of a stream that no command makes known again: entries with a name get their ids from
    /// the server.
    pub forgotten: u64,
}

/// Hears a value and hands on the commands that build it.
pub(super) struct Builder<E> {
    emit: E,
    knows: Knows,
    at: UnixMs,
    ready: Orders,
    words: &'static [&'static str],
    arguments: Vec<Vec<u8>>,
    bytes: usize,
    /// A string that comes in pieces.
    partial: Vec<u8>,
    /// The first half of a pair.
    first: Vec<u8>,
    /// Whether a string was begun.
    is_text_begun: bool,
    has_entries: bool,
    is_deleted: bool,
    group: Vec<u8>,
    group_start: (StreamId, Option<u64>),
    consumer: Vec<u8>,
    pending: HashMap<StreamId, (UnixMs, u64)>,
    /// What cannot be built at all.
    pub impossible: Option<&'static str>,
}

impl<E: FnMut(Orders) -> ControlFlow<()>> Builder<E> {
    pub fn new(knows: Knows, at: UnixMs, emit: E) -> Self {
        Self {
            emit,
            knows,
            at,
            ready: Orders::default(),
            words: &[],
            arguments: Vec::new(),
            bytes: 0,
            partial: Vec::new(),
            first: Vec::new(),
            is_text_begun: false,
            has_entries: false,
            is_deleted: false,
            group: Vec::new(),
            group_start: (StreamId::default(), None),
            consumer: Vec::new(),
            pending: HashMap::new(),
            impossible: None,
        }
    }

    /// The last commands; perhaps none.
    pub fn finish(mut self) -> Orders {
        self.close();
        self.ready
    }

    /// Adds to a command that takes many elements.
    fn add(&mut self, words: &'static [&'static str], element: Vec<u8>) {
        if self.words != words {
            self.close();
            self.words = words;
        }
        self.bytes += element.len();
        self.arguments.push(element);
    }

    fn is_full(&self) -> bool {
        self.arguments.len() >= MOST_ARGUMENTS || self.bytes >= MOST_BYTES
    }

    fn close(&mut self) {
        if self.arguments.is_empty() {
            return;
        }
        self.ready.bytes += mem::take(&mut self.bytes);
        self.ready.list.push(Order {
            words: self.words,
            arguments: mem::take(&mut self.arguments),
        });
    }

    fn order(&mut self, words: &'static [&'static str], arguments: Vec<Vec<u8>>) {
        self.close();
        self.ready.bytes += arguments.iter().map(Vec::len).sum::<usize>();
        self.ready.list.push(Order { words, arguments });
    }

    fn hand_on(&mut self) -> ControlFlow<()> {
        if self.is_full() {
            self.close();
        }
        if self.ready.list.len() >= MOST_ORDERS || self.ready.bytes >= MOST_BYTES {
            return (self.emit)(mem::take(&mut self.ready));
        }
        ControlFlow::Continue(())
    }

    /// The string once all of it is here.
    fn whole(&mut self, piece: Piece<'_>) -> Option<Vec<u8>> {
        if piece.is_whole() {
            return Some(piece.bytes.to_vec());
        }
        self.partial.extend_from_slice(piece.bytes);
        piece.is_last().then(|| mem::take(&mut self.partial))
    }

    fn text(&mut self, piece: Piece<'_>) {
        let words: &[&str] = if self.is_text_begun {
            &["APPEND"]
        } else {
            &["SET"]
        };
        self.is_text_begun = true;
        self.order(words, vec![piece.bytes.to_vec()]);
    }

    fn pair(&mut self, words: &'static [&'static str], first: Vec<u8>, second: Vec<u8>) {
        self.add(words, first);
        self.add(words, second);
    }

    fn field_ends(&mut self, ends: UnixMs) {
        let field = self.first.clone();
        if ends < self.at {
            self.order(&["HDEL"], vec![field]);
            return;
        }
        let arguments = vec![decimal(ends.0), b"FIELDS".to_vec(), b"1".to_vec(), field];
        self.order(&["HPEXPIREAT"], arguments);
    }

    fn entry(&mut self, id: StreamId, is_deleted: bool) {
        self.close();
        self.is_deleted = is_deleted;
        if !is_deleted {
            self.has_entries = true;
            self.add(&["XADD"], id.to_string().into_bytes());
        }
    }

    fn entry_text(&mut self, piece: Piece<'_>) {
        if let Some(text) = self.whole(piece)
            && !self.is_deleted
        {
            self.add(&["XADD"], text);
        }
    }

    fn stream(&mut self, facts: StreamFacts) {
        self.close();
        if !self.has_entries {
            // An entry that is trimmed at once leaves an empty stream. The id 0-0 is nobody's.
            let id = facts.last_id.max(StreamId { ms: 0, seq: 1 });
            let words = ["MAXLEN", "0", &id.to_string(), "-", "-"];
            self.order(
                &["XADD"],
                words.map(|word| word.as_bytes().to_vec()).to_vec(),
            );
        }
        let mut arguments = vec![facts.last_id.to_string().into_bytes()];
        if self.knows.stream_counters
            && let (Some(added), Some(deleted)) = (facts.entries_added, facts.max_deleted_id)
        {
            arguments.push(b"ENTRIESADDED".to_vec());
            arguments.push(added.to_string().into_bytes());
            arguments.push(b"MAXDELETEDID".to_vec());
            arguments.push(deleted.to_string().into_bytes());
        }
        self.order(&["XSETID"], arguments);
    }

    fn group_name(&mut self, name: Vec<u8>) {
        let (last_id, entries_read) = self.group_start;
        self.group = name;
        let mut arguments = vec![self.group.clone(), last_id.to_string().into_bytes()];
        if self.knows.stream_counters
            && let Some(read) = entries_read
        {
            arguments.push(b"ENTRIESREAD".to_vec());
            arguments.push(read.to_string().into_bytes());
        }
        self.order(&["XGROUP", "CREATE"], arguments);
    }

    fn owned(&mut self, id: StreamId) {
        let (delivered, deliveries) = self.pending.remove(&id).unwrap_or((self.at, 1));
        let arguments = vec![
            self.group.clone(),
            self.consumer.clone(),
            b"0".to_vec(),
            id.to_string().into_bytes(),
            b"TIME".to_vec(),
            decimal(delivered.0),
            b"RETRYCOUNT".to_vec(),
            deliveries.to_string().into_bytes(),
            b"FORCE".to_vec(),
            b"JUSTID".to_vec(),
        ];
        self.order(&["XCLAIM"], arguments);
    }

    fn idempotence(&mut self, facts: Idempotence) {
        self.ready.forgotten += facts.producers;
        if self.knows.producers {
            let arguments = vec![
                b"IDMP-DURATION".to_vec(),
                facts.seconds.to_string().into_bytes(),
                b"IDMP-MAXSIZE".to_vec(),
                facts.most_entries.to_string().into_bytes(),
            ];
            self.order(&["XCFGSET"], arguments);
        }
    }

    fn of_stream(&mut self, element: Element<'_>) {
        match element {
            Element::Entry { id, is_deleted } => self.entry(id, is_deleted),
            Element::EntryField(piece) | Element::EntryValue(piece) => self.entry_text(piece),
            Element::Stream(facts) => self.stream(facts),
            Element::Group {
                last_id,
                entries_read,
            } => {
                self.pending.clear();
                self.group_start = (last_id, entries_read);
            }
            Element::GroupName(piece) => {
                if let Some(name) = self.whole(piece) {
                    self.group_name(name);
                }
            }
            Element::Pending {
                id,
                delivered_at,
                deliveries,
            } => {
                self.pending.insert(id, (delivered_at, deliveries));
            }
            Element::ConsumerName(piece) => {
                if let Some(name) = self.whole(piece) {
                    self.consumer.clone_from(&name);
                    let arguments = vec![self.group.clone(), name];
                    self.order(&["XGROUP", "CREATECONSUMER"], arguments);
                }
            }
            Element::Owned(id) => self.owned(id),
            Element::Idempotence(facts) => self.idempotence(facts),
            _ => {}
        }
    }
}

impl<E: FnMut(Orders) -> ControlFlow<()>> Visitor for Builder<E> {
    fn see(&mut self, element: Element<'_>) -> ControlFlow<()> {
        match element {
            Element::Text(piece) => self.text(piece),
            Element::Item(piece) => {
                if let Some(item) = self.whole(piece) {
                    self.add(&["RPUSH"], item);
                }
            }
            Element::Member(piece) => {
                if let Some(member) = self.whole(piece) {
                    self.add(&["SADD"], member);
                }
            }
            Element::Field(piece) | Element::Scored(piece) => {
                if let Some(first) = self.whole(piece) {
                    self.first = first;
                }
                return ControlFlow::Continue(());
            }
            Element::FieldValue(piece) => {
                if let Some(value) = self.whole(piece) {
                    self.pair(&["HSET"], self.first.clone(), value);
                }
            }
            Element::FieldEnds(ends) => self.field_ends(ends),
            Element::Score(score) => {
                let member = mem::take(&mut self.first);
                // Seventeen digits bring every number back.
                let score = format!("{score:e}").replace("NaN", "nan");
                self.pair(&["ZADD"], score.into_bytes(), member);
            }
            Element::ModuleType(_) | Element::Module(_) | Element::ModuleText(_) => {
                self.impossible = Some("it is a module's, which only --trust-payload can restore");
                return ControlFlow::Break(());
            }
            _ => self.of_stream(element),
        }
        // A command is closed only where an element ends.
        if self.partial.is_empty() && self.words != ["XADD"] {
            return self.hand_on();
        }
        ControlFlow::Continue(())
    }
}

fn decimal(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::rdb::{Reader, Record};

    /// The commands that build the key of a file with this type and value.
    fn orders(version: &str, code: u8, value: &[u8]) -> Vec<String> {
        built(Knows::default(), version, code, value).0
    }

    /// The same for a server that knows more, and the producers that it is not told of.
    fn built(knows: Knows, version: &str, code: u8, value: &[u8]) -> (Vec<String>, u64) {
        let start = [version.as_bytes(), &[code, 1, b'k']].concat();
        let file = [&start, value, &[0xff]].concat();
        let mut reader = Reader::new(file.as_slice()).unwrap();
        assert!(matches!(reader.next(), Ok(Record::Key(_))));
        let mut all = Vec::new();
        let mut builder = Builder::new(knows, UnixMs(1_000), |orders: Orders| {
            all.extend(orders.list);
            ControlFlow::Continue(())
        });
        reader.visit(&mut builder).unwrap();
        let last = builder.finish();
        all.extend(last.list.clone());
        let words = |order: Order| {
            let arguments = order
                .arguments
                .iter()
                .map(|one| one.escape_ascii().to_string());
            [vec![order.words.join(" ")], arguments.collect()]
                .concat()
                .join(" ")
        };
        (all.into_iter().map(words).collect(), last.forgotten)
    }

    #[test]
    fn values_become_plain_commands() {
        assert_eq!(orders("REDIS0004", 0, b"\x011"), ["SET 1"]);
        assert_eq!(orders("REDIS0004", 1, b"\x02\x01a\x01b"), ["RPUSH a b"]);
        assert_eq!(orders("REDIS0004", 2, b"\x02\x01a\x01b"), ["SADD a b"]);
        assert_eq!(orders("REDIS0004", 4, b"\x01\x01f\x01v"), ["HSET f v"]);
        assert_eq!(
            orders("REDIS0004", 3, b"\x01\x01m\x031.5"),
            ["ZADD 1.5e0 m"]
        );
        assert_eq!(orders("REDIS0004", 3, b"\x01\x01m\xfe"), ["ZADD inf m"]);
    }

    #[test]
    fn fields_expire_as_they_did() {
        let value = |ms: i64| [&[1, 1, b'f', 1, b'v'][..], &ms.to_le_bytes()].concat();
        assert_eq!(
            orders("VALKEY080", 22, &value(5_000)),
            ["HSET f v", "HPEXPIREAT 5000 FIELDS 1 f"]
        );
        assert_eq!(orders("VALKEY080", 22, &value(-1)), ["HSET f v"]);
        assert_eq!(orders("VALKEY080", 22, &value(9)), ["HSET f v", "HDEL f"]);
    }

    #[test]
    fn producers_are_forgotten_and_counted() {
        // No nodes, last id 7-1, no groups; 10 s, 20 entries, one producer with one entry.
        let value = b"\0\0\x07\x01\0\0\0\0\x09\0\x0a\x14\x01\x03pid\x01\x03iid\x07\x01\x02\x01";
        let knows = Knows {
            producers: true,
            ..Knows::default()
        };
        let (orders, forgotten) = built(knows, "REDIS0013", 26, value);
        assert_eq!(
            orders,
            [
                "XADD MAXLEN 0 7-1 - -",
                "XSETID 7-1",
                "XCFGSET IDMP-DURATION 10 IDMP-MAXSIZE 20"
            ]
        );
        assert_eq!(forgotten, 1);
        let (orders, forgotten) = built(Knows::default(), "REDIS0013", 26, value);
        assert_eq!((orders.len(), forgotten), (2, 1));
    }
}
