//! Pages that wait for their reader, in one piece of memory each.
//!
//! A dump has to be read however slow its reader is, so what waits must be small: sixteen bytes an
//! item beside its name, in seconds of the server's clock as they came. Whoever fetches the items as
//! well is told their CAS, which takes eight more.

use std::borrow::Cow;
use std::time::Duration;

use crate::engine::memcached::clock::Clock;
use crate::engine::memcached::dump::DumpItem;
use crate::engine::memcached::wire::decode_uri;
use crate::model::{
    Bytes, Coverage, Encoding, Glob, Key, KeyKind, Told, Ttl, UnixMs, WalkCost, WalkKey, WalkPage,
};

/// Before the name: expiry, last access, size, length of the name, class.
const HEAD: usize = 16;
/// Behind it, where it is kept.
const CAS: usize = 8;

/// Stands for what never comes, and for what was not told. Nothing is so late or so large.
const NEVER: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX - 1;
const MOST: i64 = (UNKNOWN - 1) as i64;

#[rustfmt::skip]
const CLASSES: [&str; 64] = [
    "class 0",  "class 1",  "class 2",  "class 3",  "class 4",  "class 5",  "class 6",  "class 7",
    "class 8",  "class 9",  "class 10", "class 11", "class 12", "class 13", "class 14", "class 15",
    "class 16", "class 17", "class 18", "class 19", "class 20", "class 21", "class 22", "class 23",
    "class 24", "class 25", "class 26", "class 27", "class 28", "class 29", "class 30", "class 31",
    "class 32", "class 33", "class 34", "class 35", "class 36", "class 37", "class 38", "class 39",
    "class 40", "class 41", "class 42", "class 43", "class 44", "class 45", "class 46", "class 47",
    "class 48", "class 49", "class 50", "class 51", "class 52", "class 53", "class 54", "class 55",
    "class 56", "class 57", "class 58", "class 59", "class 60", "class 61", "class 62", "class 63",
];

#[derive(Debug, Default)]
pub(in crate::engine::memcached) struct Page {
    bytes: Vec<u8>,
    items: usize,
    keeps_cas: bool,
    pub coverage: Coverage,
    pub cost: WalkCost,
}

/// An item of a page as it was listed, in seconds of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::memcached) struct Listed<'a> {
    pub key: &'a [u8],
    /// `None`: never.
    pub expires: Option<u32>,
    pub accessed: Option<u32>,
    pub size: Option<u32>,
    pub cas: Option<u64>,
    class: u8,
}

/// The time of the server, as of the moment when a page is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::memcached) struct Times {
    pub clock: Clock,
    /// Ours.
    pub now: UnixMs,
}

impl Page {
    pub fn with_room(bytes: usize, keeps_cas: bool) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            keeps_cas,
            ..Self::default()
        }
    }

    /// A page of items that were packed before.
    pub fn packed(bytes: Vec<u8>, items: usize, keeps_cas: bool) -> Self {
        Self {
            bytes,
            items,
            keeps_cas,
            ..Self::default()
        }
    }

    /// The items as they are packed.
    pub fn as_packed(&self) -> &[u8] {
        &self.bytes
    }

    /// The item at this place in the packed bytes, and the place behind it.
    pub fn listed(&self, at: usize) -> Option<(Listed<'_>, usize)> {
        let (head, rest) = self.bytes.get(at..)?.split_first_chunk::<HEAD>()?;
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let known = |word: u32| Some(word).filter(|word| *word != UNKNOWN);
        let (cas, rest) = if self.keeps_cas {
            let (cas, rest) = rest.split_first_chunk::<CAS>()?;
            // No item that was stored with a CAS has this one.
            (Some(u64::from_le_bytes(*cas)).filter(|cas| *cas > 0), rest)
        } else {
            (None, rest)
        };
        let length = usize::from(u16::from_le_bytes([head[12], head[13]]));
        let listed = Listed {
            key: rest.get(..length)?,
            expires: Some(word(0)).filter(|word| *word != NEVER),
            accessed: known(word(4)),
            size: known(word(8)),
            cas,
            class: head[14],
        };
        let head = HEAD + if self.keeps_cas { CAS } else { 0 };
        Some((listed, at + head + length))
    }

    /// Nothing more comes: room that was not needed is given back.
    pub fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub fn items(&self) -> usize {
        self.items
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes the item in, unless its name does not match.
    pub fn add(&mut self, item: &DumpItem, pattern: Option<&Glob>) {
        let start = self.bytes.len();
        let second = |second: i64| u32::try_from(second.clamp(0, MOST)).unwrap_or(UNKNOWN);
        let expires = item.expires.map_or(NEVER, second);
        let accessed = item.accessed.map_or(UNKNOWN, second);
        let size = item.size.map_or(UNKNOWN, |size| {
            u32::try_from(size).unwrap_or(UNKNOWN).min(UNKNOWN)
        });
        for word in [expires, accessed, size] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes
            .extend_from_slice(&[0, 0, item.class.unwrap_or(0), 0]);
        if self.keeps_cas {
            let cas = item.cas.unwrap_or(0);
            self.bytes.extend_from_slice(&cas.to_le_bytes());
        }
        let name = self.bytes.len();
        decode_uri(item.key, &mut self.bytes);
        let length = u16::try_from(self.bytes.len() - name).unwrap_or(u16::MAX);
        self.bytes.truncate(name + usize::from(length));
        self.bytes[start + 12..start + 14].copy_from_slice(&length.to_le_bytes());
        if pattern.is_none_or(|pattern| pattern.matches(&self.bytes[name..])) {
            self.items += 1;
        } else {
            self.bytes.truncate(start);
        }
    }

    /// The page as a walk brings it. Without the server's clock its seconds tell nothing.
    pub fn unpack(self, times: Option<Times>) -> WalkPage {
        let mut found = Vec::with_capacity(self.items);
        let mut at = 0;
        while let Some((item, after)) = self.listed(at) {
            let ttl = match (item.expires, times) {
                (None, _) => Ttl::None,
                (Some(_), None) => Ttl::Unknown,
                (Some(second), Some(times)) => Ttl::Until(times.clock.to_ours(second.into())),
            };
            let idle = times.zip(item.accessed);
            found.push(WalkKey {
                key: Key::new(item.key),
                told: Some(Told {
                    kind: Some(KeyKind::Item),
                    ttl,
                    size: item.size.map(|size| Bytes(size.into())),
                    idle: idle.map(|(times, second)| times.since(second)),
                    encoding: class(item.class),
                    ..Told::default()
                }),
            });
            at = after;
        }
        WalkPage {
            found,
            coverage: self.coverage,
            cost: self.cost,
            ..WalkPage::default()
        }
    }
}

impl Times {
    /// The time since a second of the server's clock, in whole seconds as the server counts it.
    fn since(self, second: u32) -> Duration {
        let then = self.clock.to_ours(second.into());
        let passed = u64::try_from(self.now.0.saturating_sub(then.0)).unwrap_or(0);
        Duration::from_secs(passed / 1_000)
    }
}

/// Where the server keeps an item is what it has of an encoding. No item is in class 0.
fn class(number: u8) -> Option<Encoding> {
    let word = CLASSES.get(usize::from(number)).filter(|_| number > 0)?;
    Some(Encoding(Cow::Borrowed(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: DumpItem = DumpItem {
        key: b"user%3A1",
        expires: Some(1_795_387_347),
        accessed: Some(1_795_387_200),
        cas: Some(7),
        class: Some(12),
        size: Some(63),
    };

    fn unpacked(items: &[DumpItem], pattern: Option<&str>, times: Option<Times>) -> Vec<WalkKey> {
        let mut page = Page::default();
        let pattern = pattern.map(|pattern| Glob::new(pattern.as_bytes()));
        for item in items {
            page.add(item, pattern.as_ref());
        }
        page.unpack(times).found
    }

    fn times() -> Times {
        let ours = UnixMs(1_795_387_247_000);
        let clock = Clock { ours, server: ours };
        Times {
            clock,
            now: UnixMs(1_795_387_260_500),
        }
    }

    #[test]
    fn items_survive_packing() {
        let bare = DumpItem {
            key: b"%00%FF%20",
            expires: None,
            accessed: None,
            cas: None,
            class: None,
            size: None,
        };
        let told = Told {
            kind: Some(KeyKind::Item),
            ttl: Ttl::Until(UnixMs(1_795_387_347_000)),
            size: Some(Bytes(63)),
            idle: Some(Duration::from_secs(60)),
            encoding: Some(Encoding(Cow::Borrowed("class 12"))),
            ..Told::default()
        };
        let of_bare = Told {
            kind: Some(KeyKind::Item),
            ttl: Ttl::None,
            ..Told::default()
        };
        let expected = [(&b"user:1"[..], told), (b"\x00\xff ", of_bare)];
        let expected = expected.map(|(name, told)| WalkKey {
            key: Key::new(name),
            told: Some(told),
        });
        assert_eq!(unpacked(&[ITEM, bare], None, Some(times())), expected);
    }

    #[test]
    fn the_cas_is_kept_for_who_fetches() {
        let mut page = Page::with_room(64, true);
        page.add(&ITEM, None);
        page.add(&DumpItem { cas: None, ..ITEM }, None);
        let page = Page::packed(page.as_packed().to_vec(), 2, true);
        let (first, at) = page.listed(0).unwrap();
        let (second, at) = page.listed(at).unwrap();
        assert_eq!((first.key, first.cas), (&b"user:1"[..], Some(7)));
        assert_eq!((second.key, second.cas), (&b"user:1"[..], None));
        assert_eq!(page.listed(at), None);
        assert_eq!(page.unpack(None).found.len(), 2);
    }

    #[test]
    fn without_a_clock_seconds_tell_nothing() {
        let found = unpacked(&[ITEM], None, None);
        let told = found[0].told.as_ref().expect("told");
        assert_eq!((told.ttl, told.idle), (Ttl::Unknown, None));
    }

    #[test]
    fn what_does_not_match_leaves_nothing_behind() {
        let other = DumpItem { key: b"b", ..ITEM };
        let found = unpacked(&[other, ITEM, other], Some("user:*"), Some(times()));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, Key::from("user:1"));
    }
}
