//! Looking at single keys.
//!
//! Facts come from `me`, free of side effects. Keys that need base64 are not found by the `me` of
//! newer servers, and values never are: these take a lookup with `mg`. On an item that its
//! application marked stale, the first `mg` of anybody takes the recache token and every later
//! reader is told to wait, so a token that our look took is given back at once.

use std::collections::HashMap;
use std::time::Duration;

use memcache::exp::{
    MetaCommandResult, MetaResponse, ReturnCode, parse_debug_result, parse_meta_result,
};

use crate::engine::Fault;
use crate::engine::memcached::codec::{Item, Reply};
use crate::engine::memcached::command::{Command, Won};
use crate::engine::memcached::conn::Hello;
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::wire::Name;
use crate::engine::memcached::{MemcachedServer, clock, refused};
use crate::model::{
    Bytes, Feature, ItemFacts, Key, KeyCard, KeyFacts, KeyKind, KeyRow, Part, Ttl, UnixMs, Value,
    Window,
};

/// Keys of one flight: what a server answers well within a reply's time.
const KEYS_AT_ONCE: usize = 256;

/// Room beside a value in its reply.
const HEADER_ROOM: u64 = 1 << 10;

/// What was learnt about an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    ttl: Option<Ttl>,
    /// What the item takes, head and key included.
    size: Option<u64>,
    /// Bytes of its value.
    length: Option<u64>,
    idle: Option<Duration>,
    item: ItemFacts,
    value: Option<Vec<u8>>,
}

/// How a server answered about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Here(Box<Look>, Option<Won>),
    Gone,
    /// The question cannot be put to this server.
    Unknown,
}

impl MemcachedServer {
    pub(super) async fn look_at(&self, keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let looks = self.looks(keys, false).await?;
            rows.extend(keys.iter().zip(looks).map(|(key, answer)| KeyRow {
                key: key.clone(),
                facts: facts(answer),
            }));
        }
        Ok(rows)
    }

    pub(super) async fn read(
        &self,
        key: &Key,
        window: Window,
    ) -> Result<Option<(KeyCard, Value)>, Fault> {
        let hello = self.work.hello().await?;
        check_name(key, &hello)?;
        let keys = std::slice::from_ref(key);
        let mut look = match self.looks(keys, false).await?.pop() {
            Some(Answer::Gone) => return Ok(None),
            Some(Answer::Here(look, _)) => *look,
            Some(Answer::Unknown) | None => Look::default(),
        };
        let bound = self.target.limits.reply_bytes.saturating_sub(HEADER_ROOM);
        if let Some(size) = look.size.filter(|size| *size > bound) {
            let words = format!(
                "the item takes {}, more than the {} that are read at once, and Memcached has no way to read a part of a value",
                Bytes(size),
                Bytes(bound)
            );
            let value = Value {
                part: Part::Opaque(words),
                from: 0,
                of: look.length,
                cut: None,
            };
            return Ok(Some((card(key, &look), value)));
        }
        let read = if hello.is(Version::has_meta) {
            match self.looks(keys, true).await?.pop() {
                Some(Answer::Here(read, _)) => *read,
                _ => return Ok(None),
            }
        } else {
            match self.gets(key).await? {
                Some(read) => read,
                None => return Ok(None),
            }
        };
        look.add(read);
        let value = window_of(look.value.take().unwrap_or_default(), window);
        let card = KeyCard {
            is_touched: !hello.is(Version::has_meta),
            ..card(key, &look)
        };
        Ok(Some((card, value)))
    }

    /// What the server says about each of these keys, in their order.
    async fn looks(&self, keys: &[Key], with_value: bool) -> Result<Vec<Answer>, Fault> {
        let hello = self.work.hello().await?;
        let inspects = !with_value && !self.known().has_no_inspect;
        let questions: Vec<Option<Command>> = keys
            .iter()
            .map(|key| question(key, &hello, inspects, with_value))
            .collect();
        let commands: Vec<Command> = questions.iter().flatten().cloned().collect();
        let mut replies = self.work.ask(&commands).await?.into_iter();
        let mut answers = Vec::with_capacity(keys.len());
        for (key, question) in keys.iter().zip(&questions) {
            let answer = match question
                .as_ref()
                .zip(question.as_ref().and_then(|_| replies.next()))
            {
                None => Answer::Unknown,
                Some((question, reply)) => self.answer(key, question, reply, &hello)?,
            };
            answers.push(answer);
        }
        self.give_back(keys, &answers).await?;
        Ok(answers)
    }

    fn answer(
        &self,
        key: &Key,
        question: &Command,
        reply: Reply,
        hello: &Hello,
    ) -> Result<Answer, Fault> {
        let is_inspection = question.bytes().starts_with(b"me ");
        let (header, value) = match reply {
            Reply::Meta { header, value } => (header, value),
            Reply::Refused(refusal) if is_inspection => {
                tracing::debug!(why = refusal.words, "inspection refused");
                let why = format!(
                    "this server ({}) does not tell the TTL and size of a key; a listing of its keys does",
                    hello.text
                );
                self.known().has_no_inspect = true;
                if !hello.is(Version::has_meta) {
                    // The fault is for who needs it; a row without facts says enough here.
                    self.lacks(Feature::KeySize, &why);
                }
                return Ok(Answer::Unknown);
            }
            Reply::Refused(refusal) => return Err(refused(question, &refusal)),
            _ => return Err(self.unreadable(question)),
        };
        let response =
            MetaResponse::parse_header(&header).map_err(|_| self.unreadable(question))?;
        if is_inspection {
            let fields = parse_debug_result(&response).map_err(|_| self.unreadable(question))?;
            return Ok(fields.map_or(Answer::Gone, |fields| {
                let look = inspected(&fields, hello, clock::now());
                Answer::Here(Box::new(look), None)
            }));
        }
        self.count_lookup(response.rc() != ReturnCode::En);
        if response.rc() == ReturnCode::En {
            return Ok(Answer::Gone);
        }
        let found = parse_meta_result(response).map_err(|_| self.unreadable(question))?;
        let won = found.cas.filter(|_| found.won).map(|cas| Won {
            cas,
            keeps_cas: hello.is(Version::keeps_cas),
        });
        let look = looked_up(&found, value, key, clock::now());
        Ok(Answer::Here(Box::new(look), won))
    }

    /// Gives every recache token back that these looks took.
    async fn give_back(&self, keys: &[Key], answers: &[Answer]) -> Result<(), Fault> {
        let commands: Vec<Command> = keys
            .iter()
            .zip(answers)
            .filter_map(|(key, answer)| match answer {
                Answer::Here(_, Some(won)) => Command::give_back(key.bytes(), *won),
                _ => None,
            })
            .collect();
        // A refusal means that the item changed meanwhile, and with it the token is no longer ours.
        self.work.ask(&commands).await.map(drop)
    }

    /// The value by the classic command. The server takes it for an access.
    async fn gets(&self, key: &Key) -> Result<Option<Look>, Fault> {
        let command = Command::gets(key.bytes());
        let mut replies = self.work.ask(std::slice::from_ref(&command)).await?;
        match replies.pop() {
            Some(Reply::Values(mut items)) => {
                self.count_lookup(!items.is_empty());
                Ok(items.pop().map(fetched))
            }
            Some(Reply::Refused(refusal)) => Err(refused(&command, &refusal)),
            _ => Err(self.unreadable(&command)),
        }
    }

    pub(super) fn count_lookup(&self, is_hit: bool) {
        let mut known = self.known();
        if is_hit {
            known.own.hits += 1;
        } else {
            known.own.misses += 1;
        }
    }
}

/// What to ask about a key, if this server can be asked about it at all.
fn question(key: &Key, hello: &Hello, inspects: bool, with_value: bool) -> Option<Command> {
    let has_meta = hello.is(Version::has_meta);
    match Name::of(key) {
        Name::Plain(name) if inspects => Command::inspect(name),
        Name::Encoded(_) if inspects && hello.is(Version::inspects_encoded) => {
            Command::inspect_encoded(key.bytes())
        }
        Name::Plain(_) | Name::Encoded(_) if has_meta => Command::look(key.bytes(), with_value),
        _ => None,
    }
}

/// # Errors
/// When the key cannot be named to this server.
fn check_name(key: &Key, hello: &Hello) -> Result<(), Fault> {
    unnameable(key, hello).map_or(Ok(()), |why| {
        Err(Fault::Setup(format!("the key cannot be asked for: {why}")))
    })
}

/// Why a key cannot be named to this server.
pub(super) fn unnameable(key: &Key, hello: &Hello) -> Option<String> {
    match Name::of(key) {
        Name::Plain(_) => None,
        Name::Encoded(_) if hello.is(Version::has_meta) => None,
        Name::Encoded(_) => Some(format!(
            "it holds spaces or control bytes, which Memcached takes since 1.6.10; this is {}",
            hello.text
        )),
        Name::Impossible(why) => Some(why.to_owned()),
    }
}

/// From `me`: `exp=-1 la=5 cas=1 fetch=no cls=1 size=67`.
fn inspected(fields: &HashMap<String, String>, hello: &Hello, now: UnixMs) -> Look {
    let number = |name: &str| fields.get(name).and_then(|word| word.parse::<u64>().ok());
    let exp = fields.get("exp").and_then(|word| word.parse::<i64>().ok());
    Look {
        ttl: exp.map(|exp| ttl_from(exp, hello.is(Version::has_true_exp), now)),
        size: number("size"),
        // The head's size depends on flags that `me` does not tell.
        length: None,
        idle: number("la").map(Duration::from_secs),
        item: ItemFacts {
            flags: None,
            cas: number("cas"),
            slab_class: fields.get("cls").and_then(|word| word.parse().ok()),
            fetched: fields.get("fetch").map(|word| word == "yes"),
        },
        value: None,
    }
}

/// Seconds left. Before 1.6.24 the sign is wrong, and one second left looks like none.
fn ttl_from(exp: i64, has_true_exp: bool, now: UnixMs) -> Ttl {
    match exp {
        -1 => Ttl::None,
        left if has_true_exp && left < 0 => Ttl::Until(now),
        left => Ttl::Until(now.plus(Duration::from_secs(left.unsigned_abs()))),
    }
}

/// From `mg … f c t s l h`.
fn looked_up(found: &MetaCommandResult, value: Option<Vec<u8>>, key: &Key, now: UnixMs) -> Look {
    let length = value
        .as_ref()
        .map(|value| value.len() as u64)
        .or(found.size);
    // `s` is the value's length; the item around it has a known form as long as it has a CAS.
    let size = length
        .zip(found.client_flags)
        .filter(|_| found.cas.is_some_and(|cas| cas > 0))
        .map(|(length, flags)| length + overhead(key, flags));
    Look {
        ttl: found.ttl.map(|left| ttl_from(left, true, now)),
        size,
        length,
        idle: found.last_access.map(Duration::from_secs),
        item: ItemFacts {
            flags: found.client_flags,
            cas: found.cas,
            slab_class: None,
            fetched: found.hit_before,
        },
        value,
    }
}

fn fetched(item: Item) -> Look {
    Look {
        length: Some(item.value.len() as u64),
        item: ItemFacts {
            flags: Some(item.flags),
            cas: item.cas,
            ..ItemFacts::default()
        },
        value: Some(item.value),
        ..Look::default()
    }
}

/// Bytes of an item beside its value: head 48, CAS 8, key and its end, flags when there are any,
/// and the line end behind the value.
fn overhead(key: &Key, flags: u32) -> u64 {
    item_overhead(key.bytes().len() as u64, flags)
}

/// The same for a name of so many bytes.
pub fn item_overhead(name: u64, flags: u32) -> u64 {
    48 + 8 + name + 1 + if flags == 0 { 0 } else { 4 } + 2
}

impl Look {
    /// Completes what was inspected with what came with the value. The inspection came first, so it
    /// is the one that our own lookup did not change.
    fn add(&mut self, later: Self) {
        self.ttl = self.ttl.or(later.ttl);
        self.size = self.size.or(later.size);
        self.idle = self.idle.or(later.idle);
        self.length = later.length.or(self.length);
        self.item.flags = later.item.flags.or(self.item.flags);
        self.item.cas = later.item.cas.or(self.item.cas);
        self.item.slab_class = self.item.slab_class.or(later.item.slab_class);
        self.item.fetched = self.item.fetched.or(later.item.fetched);
        self.value = later.value;
    }
}

fn facts(answer: Answer) -> Option<KeyFacts> {
    match answer {
        Answer::Unknown => None,
        Answer::Gone => Some(KeyFacts::Gone),
        Answer::Here(look, _) => Some(KeyFacts::Here {
            kind: KeyKind::Item,
            ttl: look.ttl.unwrap_or(Ttl::Unknown),
            size: look.size.map(Bytes),
            idle: look.idle,
        }),
    }
}

fn card(key: &Key, look: &Look) -> KeyCard {
    KeyCard {
        key: key.clone(),
        kind: KeyKind::Item,
        ttl: look.ttl.unwrap_or(Ttl::Unknown),
        size: look.size.map(Bytes),
        length: look.length,
        encoding: None,
        idle: look.idle,
        frequency: None,
        slot: None,
        item: Some(look.item.clone()),
        is_touched: false,
    }
}

/// The asked part of a value. All of it came: the protocol knows no parts.
fn window_of(mut value: Vec<u8>, window: Window) -> Value {
    let length = value.len();
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(length);
    let from = index(window.from);
    value.truncate(index(window.from.saturating_add(window.count)));
    value.drain(..from);
    Value {
        part: Part::Text(value),
        from: from as u64,
        of: Some(length as u64),
        cut: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{overhead, ttl_from, unnameable, window_of};
    use crate::engine::memcached::conn::Hello;
    use crate::engine::memcached::dialect::Version;
    use crate::model::{Key, Part, Ttl, UnixMs, Window};

    fn hello(version: &str) -> Hello {
        Hello {
            text: version.to_owned(),
            version: Version::read(version),
        }
    }

    #[test]
    fn the_sign_of_exp_depends_on_the_version() {
        let now = UnixMs(1_000_000);
        let until = |seconds| Ttl::Until(now.plus(Duration::from_secs(seconds)));
        assert_eq!(ttl_from(-99, false, now), until(99));
        assert_eq!(ttl_from(99, true, now), until(99));
        assert_eq!(ttl_from(-5, true, now), until(0));
        assert_eq!(ttl_from(-1, true, now), Ttl::None);
        assert_eq!(ttl_from(-1, false, now), Ttl::None);
    }

    #[test]
    fn an_item_takes_its_value_and_a_head() {
        // Seen on 1.6.18: `set a 5 0 3` takes 67 bytes, `set b 0 100 3` 63.
        assert_eq!(overhead(&Key::from("a"), 5) + 3, 67);
        assert_eq!(overhead(&Key::from("b"), 0) + 3, 63);
    }

    #[test]
    fn a_window_is_cut_out_of_the_whole() {
        for (from, count, expected) in [
            (0, 2, "ab"),
            (2, 9, "cd"),
            (9, 9, ""),
            (1, 0, ""),
            (u64::MAX, u64::MAX, ""),
        ] {
            let value = window_of(b"abcd".to_vec(), Window { from, count });
            assert_eq!(value.part, Part::Text(expected.into()));
            assert_eq!(value.of, Some(4));
        }
    }

    #[test]
    fn keys_with_spaces_need_1_6_10() {
        let key = Key::from("a b");
        assert_eq!(unnameable(&key, &hello("1.6.10")), None);
        assert!(unnameable(&key, &hello("1.6.9")).is_some());
        assert!(unnameable(&key, &hello("mcrouter")).is_some());
        assert_eq!(unnameable(&Key::from("ab"), &hello("1.4.39")), None);
    }
}
