//! A window on a value: bounded in elements, in bytes and in time, whatever the key holds.

mod scanned;

use ::redis::{Cmd, Value as Wire, cmd};

use crate::engine::Fault;
use crate::engine::redis::Core;
use crate::engine::redis::bookmark::Spot;
use crate::engine::redis::card::card;
use crate::engine::redis::link::about;
use crate::engine::redis::reply::{Reply, bytes, count, pairs, strings};
use crate::model::{Bytes, Key, KeyCard, KeyKind, Part, StreamEntry, UnixMs, Value, Window};

/// Elements that are read at a time at most, whatever the window: more would make other clients of
/// the server wait.
const MOST: u64 = 10_000;

/// Entries of a stream that are passed over to reach a window at most.
const FARTHEST_ENTRY: u64 = 10_000;

/// The card of a key and a window of its value; `None` when there is no such key.
pub async fn show(
    core: &Core,
    key: &Key,
    window: Window,
) -> Result<Option<(KeyCard, Value)>, Fault> {
    // Between asking for the type and reading, the key may have become another one. Once.
    for is_last in [false, true] {
        let Some(mut card) = card(core, key).await? else {
            return Ok(None);
        };
        let reader = Reader::of(core, key, window, &card.kind);
        card.is_touched = is_readable(&card.kind) && !core.work.leaves_no_trace().await;
        match reader.read(&card.kind).await {
            Err(Misread::OtherType) if !is_last => {}
            Err(Misread::OtherType) => {
                return Err(Fault::Refused {
                    command: "TYPE".to_owned(),
                    why: "the key keeps changing its type".to_owned(),
                });
            }
            Err(Misread::Fault(Fault::TooLarge { limit, .. })) => {
                card.length = reader.length(&card.kind).await;
                let value = reader.too_large(limit, card.length);
                return Ok(Some((card, value)));
            }
            Err(Misread::Fault(fault)) => return Err(fault),
            Ok(mut value) => {
                card.length = value.of;
                if value.cut.is_none() {
                    value.cut = reader.bounded(window, value.of);
                }
                return Ok(Some((card, value)));
            }
        }
    }
    Ok(None)
}

/// Reads the window of one key.
#[derive(Debug)]
struct Reader<'a> {
    core: &'a Core,
    key: &'a Key,
    window: Window,
}

/// Why a value could not be read as what it was taken for.
#[derive(Debug)]
enum Misread {
    OtherType,
    Fault(Fault),
}

impl From<Fault> for Misread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A length and what else came in the same flight.
struct Came {
    of: Option<u64>,
    rest: Wire,
    /// How many elements were asked for in the end.
    count: u64,
}

impl<'a> Reader<'a> {
    /// A reader of the window, or of as much of it as is read at a time.
    fn of(core: &'a Core, key: &'a Key, window: Window, kind: &KeyKind) -> Self {
        let most = if *kind == KeyKind::String {
            // Room for what else comes in the flight.
            core.target.limits.reply_bytes.saturating_sub(1024)
        } else {
            MOST
        };
        Self {
            core,
            key,
            window: Window {
                from: window.from,
                count: window.count.min(most),
            },
        }
    }

    /// What to say when less was read than asked for, though there is more.
    fn bounded(&self, asked: Window, of: Option<u64>) -> Option<String> {
        let Window { from, count } = self.window;
        let has_more = of.is_none_or(|of| of > from.saturating_add(count));
        (count < asked.count && has_more).then(|| {
            format!("the window was shortened to {count}, the most that is read at a time")
        })
    }

    async fn read(&self, kind: &KeyKind) -> Result<Value, Misread> {
        match kind {
            KeyKind::String => self.text().await,
            KeyKind::List => self.list().await,
            KeyKind::SortedSet => self.sorted_set().await,
            KeyKind::Hash => self.hash().await,
            KeyKind::Set => self.set().await,
            KeyKind::Stream => self.stream().await,
            KeyKind::Item => Ok(self.value(Part::Opaque("not a Redis type".to_owned()), None)),
            KeyKind::Other(word) => {
                let why = format!("values of type {word} cannot be read yet");
                Ok(self.value(Part::Opaque(why), None))
            }
        }
    }

    async fn text(&self) -> Result<Value, Misread> {
        let came = self
            .flight("STRLEN", self.window.count, |count| {
                let mut get = about(&["GETRANGE"], self.key);
                self.range(&mut get, count);
                get
            })
            .await?;
        let text = bytes(came.rest).ok_or_else(|| self.out_of_protocol("GETRANGE"))?;
        Ok(self.value(Part::Text(text), came.of))
    }

    async fn list(&self) -> Result<Value, Misread> {
        let came = self
            .flight("LLEN", self.window.count, |count| {
                let mut range = about(&["LRANGE"], self.key);
                self.range(&mut range, count);
                range
            })
            .await?;
        let items = strings(came.rest).ok_or_else(|| self.out_of_protocol("LRANGE"))?;
        let cut = self.cut(came.count, came.of);
        Ok(Value {
            cut,
            ..self.value(Part::List(items), came.of)
        })
    }

    async fn sorted_set(&self) -> Result<Value, Misread> {
        let came = self
            .flight("ZCARD", self.window.count, |count| {
                let mut range = about(&["ZRANGE"], self.key);
                self.range(&mut range, count);
                range.arg("WITHSCORES");
                range
            })
            .await?;
        let members = strings(came.rest)
            .map(pairs)
            .and_then(|pairs| {
                pairs
                    .into_iter()
                    .map(|(member, score)| Some((member, parsed(&score)?)))
                    .collect()
            })
            .ok_or_else(|| self.out_of_protocol("ZRANGE"))?;
        let cut = self.cut(came.count, came.of);
        Ok(Value {
            cut,
            ..self.value(Part::SortedSet(members), came.of)
        })
    }

    /// Streams are read by id: from the mark of the window before, else from the beginning.
    async fn stream(&self) -> Result<Value, Misread> {
        const XRANGE: &str = "XRANGE";
        let Window { from, count } = self.window;
        let spot = self.core.bookmarks.before(self.key, XRANGE, from);
        let (passed, start) = match &spot {
            Some(spot) => (spot.passed, spot.cursor.as_slice()),
            None => (0, b"-".as_slice()),
        };
        // The mark's own entry comes once more: ids could be excluded only from 6.2 on.
        let again = u64::from(spot.is_some());
        let skip = from - passed;
        if skip > FARTHEST_ENTRY {
            let why = format!("entries beyond the first {FARTHEST_ENTRY} are reached page by page");
            return Ok(Value {
                cut: Some(why),
                ..self.value(Part::Stream(Vec::new()), None)
            });
        }
        let came = self
            .flight("XLEN", skip + count + again, |count| {
                let mut range = about(&[XRANGE], self.key);
                range.arg(start).arg("+").arg("COUNT").arg(count);
                range
            })
            .await?;
        let entries = entries(came.rest).ok_or_else(|| self.out_of_protocol(XRANGE))?;
        // The marked entry may have been deleted since; then it does not come again.
        let has_come_again = spot.is_some_and(|spot| {
            entries.first().map(|entry| entry.id.as_bytes()) == Some(spot.cursor.as_slice())
        });
        let entries: Vec<StreamEntry> = entries
            .into_iter()
            .skip(usize::from(has_come_again))
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(usize::try_from(count).unwrap_or(usize::MAX))
            .collect();
        if let Some(last) = entries.last() {
            let spot = Spot {
                passed: from + entries.len() as u64,
                cursor: last.id.clone().into_bytes(),
            };
            self.core.bookmarks.put(self.key, XRANGE, spot);
        }
        let cut = self.cut(came.count.saturating_sub(skip + again), came.of);
        Ok(Value {
            cut,
            ..self.value(Part::Stream(entries), came.of)
        })
    }

    /// The length and a part, in one flight. When the part is too large to carry, fewer elements
    /// are asked for; when even one is, that is the answer.
    async fn flight(
        &self,
        length: &'static str,
        mut count: u64,
        part: impl Fn(u64) -> Cmd,
    ) -> Result<Came, Misread> {
        loop {
            let flight = [about(&[length], self.key), part(count)];
            match self.core.work.ask(&flight).await {
                Err(Fault::TooLarge { .. }) if count > 1 => count = (count / 8).max(1),
                Err(fault) => return Err(fault.into()),
                Ok(answer) => {
                    let [of, rest] = <[Reply; 2]>::try_from(answer.replies)
                        .map_err(|_| self.out_of_protocol(length))?;
                    return Ok(Came {
                        of: self.good(length, of)?.as_ref().and_then(self::count),
                        rest: self
                            .good("reading the value", rest)?
                            .unwrap_or(Wire::Array(Vec::new())),
                        count,
                    });
                }
            }
        }
    }

    /// A good reply. A length that we may not ask for is unknown; a value that we may not read is a
    /// refusal.
    fn good(&self, asked: &str, reply: Reply) -> Result<Option<Wire>, Misread> {
        match reply {
            Ok(value) => Ok(Some(value)),
            Err(refusal) if refusal.code() == "WRONGTYPE" => Err(Misread::OtherType),
            Err(refusal) if is_length(asked) && refusal.is_for_good() => Ok(None),
            Err(refusal) => Err(refusal.fault(self.core.work.place(), asked).into()),
        }
    }

    /// First and last index of the window.
    fn range(&self, command: &mut Cmd, count: u64) {
        let limit = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        if count == 0 {
            // An empty range; `from - 1` would count from the end at the beginning.
            command.arg(1).arg(0);
        } else {
            let last = self.window.from.saturating_add(count - 1);
            command.arg(limit(self.window.from)).arg(limit(last));
        }
    }

    fn value(&self, part: Part, of: Option<u64>) -> Value {
        Value {
            part,
            from: self.window.from,
            of,
            cut: None,
        }
    }

    fn cut(&self, count: u64, of: Option<u64>) -> Option<String> {
        let wanted = of.map_or(self.window.count, |of| {
            self.window.count.min(of.saturating_sub(self.window.from))
        });
        let limit = Bytes(self.core.target.limits.reply_bytes);
        (count < wanted)
            .then(|| format!("the window was shortened: {wanted} elements are larger than {limit}"))
    }

    fn too_large(&self, limit: Bytes, of: Option<u64>) -> Value {
        let why = format!("one element is larger than {limit}");
        self.value(Part::Opaque(why), of)
    }

    /// The length alone, for when the value cannot be carried. Without it the rest still stands.
    async fn length(&self, kind: &KeyKind) -> Option<u64> {
        let command = match kind {
            KeyKind::String => "STRLEN",
            KeyKind::List => "LLEN",
            KeyKind::Set => "SCARD",
            KeyKind::Hash => "HLEN",
            KeyKind::SortedSet => "ZCARD",
            KeyKind::Stream => "XLEN",
            KeyKind::Item | KeyKind::Other(_) => return None,
        };
        let answer = self
            .core
            .work
            .ask(&[about(&[command], self.key)])
            .await
            .ok()?;
        count(answer.replies.first()?.as_ref().ok()?)
    }

    fn out_of_protocol(&self, command: &str) -> Misread {
        let link = &self.core.work;
        Misread::Fault(link.out_of_protocol(command, "not what such a value looks like"))
    }
}

/// Whether values of this kind are read at all.
fn is_readable(kind: &KeyKind) -> bool {
    !matches!(kind, KeyKind::Item | KeyKind::Other(_))
}

fn is_length(command: &str) -> bool {
    command.ends_with("LEN") || command.ends_with("CARD")
}

fn parsed(score: &[u8]) -> Option<f64> {
    std::str::from_utf8(score).ok()?.parse().ok()
}

fn entries(value: Wire) -> Option<Vec<StreamEntry>> {
    let Wire::Array(entries) = value else {
        return None;
    };
    entries
        .into_iter()
        .map(|entry| {
            let Wire::Array(parts) = entry else {
                return None;
            };
            let [id, fields] = <[Wire; 2]>::try_from(parts).ok()?;
            let id = crate::text::escape(&bytes(id)?);
            let at = id.split('-').next().and_then(|ms| ms.parse().ok());
            Some(StreamEntry {
                at: at.map(UnixMs),
                id,
                fields: pairs(strings(fields)?),
            })
        })
        .collect()
}

/// A cursor command on a key.
fn scan(command: &str, key: &Key, cursor: &[u8], count: u64) -> Cmd {
    let mut scan = cmd(command);
    scan.arg(key.bytes()).arg(cursor).arg("COUNT").arg(count);
    scan
}
