//! A piece of a sorted list of names, packed.
//!
//! Names that stand side by side begin alike, so each is written as how much it shares with the one
//! before and what is new. Every sixteenth is written in full: a search jumps from one of those to the
//! next and reads on from there.

use crate::model::{Bytes, KeyKind, Told, Ttl, UnixMs};

/// Names from one that is written in full to the next.
pub const STRIDE: usize = 16;
/// A chunk is closed at this size: large enough that its own cost is nothing, small enough that
/// merging holds only a little twice.
const FULL: usize = 64 << 10;

#[derive(Debug)]
pub struct Chunk {
    bytes: Box<[u8]>,
    /// Where the names stand that are written in full.
    blocks: Box<[u32]>,
    count: u32,
    facts: Facts,
    pub sums: Sums,
}

/// What was told of the names of a chunk. A walk may ask about one key in fifty: then there is no room
/// for the others.
#[derive(Debug)]
enum Facts {
    None,
    /// One for each name.
    All(Box<[Fact]>),
    /// Of the names at these places.
    Some(Box<[u16]>, Box<[Fact]>),
}

impl Facts {
    fn of(all: &[Fact]) -> Self {
        let told = || {
            all.iter()
                .enumerate()
                .filter(|(_, fact)| **fact != Fact::UNTOLD)
        };
        let count = told().count();
        if count == 0 {
            return Self::None;
        }
        let places: Option<Box<[u16]>> = told().map(|(at, _)| u16::try_from(at).ok()).collect();
        match places {
            Some(places) if count < all.len() / 2 => {
                Self::Some(places, told().map(|(_, fact)| *fact).collect())
            }
            _ => Self::All(all.into()),
        }
    }

    fn get(&self, place: usize) -> Option<&Fact> {
        match self {
            Self::None => None,
            Self::All(facts) => facts.get(place).filter(|fact| **fact != Fact::UNTOLD),
            Self::Some(places, facts) => {
                let place = u16::try_from(place).ok()?;
                facts.get(places.binary_search(&place).ok()?)
            }
        }
    }

    /// All that is told, with its place, from one place to another.
    fn between(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &Fact)> {
        let (all, places, some) = match self {
            Self::None => (&[][..], &[][..], &[][..]),
            Self::All(facts) => (
                &facts[from.min(facts.len())..to.min(facts.len())],
                &[][..],
                &[][..],
            ),
            Self::Some(places, facts) => {
                let start = places.partition_point(|place| usize::from(*place) < from);
                let end = places.partition_point(|place| usize::from(*place) < to);
                (
                    &[][..],
                    &places[start..end.max(start)],
                    &facts[start..end.max(start)],
                )
            }
        };
        let all = all.iter().zip(from..).map(|(fact, place)| (place, fact));
        let some = places.iter().map(|place| usize::from(*place)).zip(some);
        all.chain(some).filter(|(_, fact)| **fact != Fact::UNTOLD)
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::All(facts) => size_of_val(&**facts),
            Self::Some(places, facts) => size_of_val(&**places) + size_of_val(&**facts),
        }
    }
}

/// What was told of a key, in twelve bytes: the seconds and sizes of a walk are old news anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    ends_s: u32,
    size: u32,
    idle_s: u32,
    kind: u8,
}

/// What is told of several names together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub keys: u64,
    /// Keys of which anything was told.
    pub told: u64,
    pub sized: u64,
    pub bytes: u64,
    pub timed: u64,
    pub without_ttl: u64,
    /// Keys of which the idle time was told.
    pub used: u64,
}

impl Sums {
    pub fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.told += other.told;
        self.sized += other.sized;
        self.bytes += other.bytes;
        self.timed += other.timed;
        self.without_ttl += other.without_ttl;
        self.used += other.used;
    }

    /// These without others that are among them.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        self.keys -= other.keys;
        self.told -= other.told;
        self.sized -= other.sized;
        self.bytes -= other.bytes;
        self.timed -= other.timed;
        self.without_ttl -= other.without_ttl;
        self.used -= other.used;
        self
    }

    pub fn take(&mut self, fact: Option<&Fact>) {
        self.keys += 1;
        if let Some(fact) = fact {
            self.learn(fact);
        }
    }

    /// Takes in what was told of a key that is counted already.
    pub fn learn(&mut self, fact: &Fact) {
        if *fact == Fact::UNTOLD {
            return;
        }
        self.told += 1;
        if let Some(size) = fact.size() {
            self.sized += 1;
            self.bytes += size.0;
        }
        if fact.ends_s != UNKNOWN {
            self.timed += 1;
            self.without_ttl += u64::from(fact.ends_s == NEVER);
        }
        self.used += u64::from(fact.idle_s != UNKNOWN);
    }
}

const UNKNOWN: u32 = u32::MAX;
const NEVER: u32 = 0;
const KINDS: [KeyKind; 7] = [
    KeyKind::String,
    KeyKind::Hash,
    KeyKind::List,
    KeyKind::Set,
    KeyKind::SortedSet,
    KeyKind::Stream,
    KeyKind::Item,
];
const OTHER_KIND: u8 = 254;
const NO_KIND: u8 = 255;

impl Fact {
    pub const UNTOLD: Self = Self {
        ends_s: UNKNOWN,
        size: UNKNOWN,
        idle_s: UNKNOWN,
        kind: NO_KIND,
    };

    pub fn of(told: &Told) -> Self {
        let most = |value: u64| u32::try_from(value).unwrap_or(UNKNOWN - 1).min(UNKNOWN - 1);
        let kind = told.kind.as_ref().map_or(NO_KIND, |kind| {
            let place = KINDS.iter().position(|known| known == kind);
            place
                .and_then(|place| u8::try_from(place).ok())
                .unwrap_or(OTHER_KIND)
        });
        Self {
            ends_s: match told.ttl {
                Ttl::None => NEVER,
                Ttl::Until(end) => most(u64::try_from(end.0 / 1000).unwrap_or(1)).max(1),
                Ttl::Unknown => UNKNOWN,
            },
            size: told.size.map_or(UNKNOWN, |size| most(size.0)),
            idle_s: told.idle.map_or(UNKNOWN, |idle| most(idle.as_secs())),
            kind,
        }
    }

    /// `None` where it was not told, or is of a type that only some server knows.
    pub fn kind(&self) -> Option<&'static KeyKind> {
        const ALL: &[KeyKind] = &KINDS;
        ALL.get(usize::from(self.kind))
    }

    /// Whether the type is known and is none of those that every server has.
    pub fn is_of_other_kind(&self) -> bool {
        self.kind == OTHER_KIND
    }

    /// To the second.
    pub fn ttl(&self) -> Ttl {
        match self.ends_s {
            UNKNOWN => Ttl::Unknown,
            NEVER => Ttl::None,
            seconds => Ttl::Until(UnixMs(i64::from(seconds) * 1000)),
        }
    }

    /// Exact below 4 GiB, and that much above.
    pub fn size(&self) -> Option<Bytes> {
        (self.size != UNKNOWN).then(|| Bytes(u64::from(self.size)))
    }

    pub fn idle(&self) -> Option<std::time::Duration> {
        (self.idle_s != UNKNOWN).then(|| std::time::Duration::from_secs(u64::from(self.idle_s)))
    }
}

impl Chunk {
    pub fn count(&self) -> usize {
        self.count as usize
    }

    pub fn first(&self) -> &[u8] {
        self.head(0)
    }

    /// What was told of the name at this place.
    pub fn fact(&self, place: usize) -> Option<&Fact> {
        self.facts.get(place)
    }

    /// What was told of the names from one place to another, where anything was.
    pub fn told(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &Fact)> {
        self.facts.between(from, to)
    }

    /// The first place whose name is not less.
    pub fn rank(&self, name: &[u8]) -> usize {
        let blocks = self
            .blocks
            .partition_point(|at| full(&self.bytes, *at) < name);
        let Some(block) = blocks.checked_sub(1) else {
            return 0;
        };
        let mut reader = self.reader(block * STRIDE);
        let mut place = block * STRIDE;
        while let Some((_, other)) = reader.step() {
            if other >= name {
                break;
            }
            place += 1;
        }
        place
    }

    /// Reads the names from this place on.
    pub fn reader(&self, place: usize) -> Reader<'_> {
        let block = place / STRIDE;
        let at = self
            .blocks
            .get(block)
            .map_or(self.bytes.len(), |at| *at as usize);
        let mut reader = Reader {
            bytes: &self.bytes,
            at,
            name: Vec::new(),
        };
        for _ in 0..place % STRIDE {
            reader.step();
        }
        reader
    }

    pub fn heap_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.blocks) + self.facts.heap_bytes() + size_of::<Self>()
    }

    fn head(&self, block: usize) -> &[u8] {
        self.blocks
            .get(block)
            .map_or(&[][..], |at| full(&self.bytes, *at))
    }
}

/// The name that is written in full here.
fn full(bytes: &[u8], at: u32) -> &[u8] {
    let mut at = at as usize;
    take(bytes, &mut at);
    let length = take(bytes, &mut at);
    bytes.get(at..at + length).unwrap_or_default()
}

/// Names one after the other. Each is lent until the next is asked for.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    name: Vec<u8>,
}

impl Reader<'_> {
    /// The next name, and how much of it is the same as in the one before.
    pub fn step(&mut self) -> Option<(usize, &[u8])> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let shared = take(self.bytes, &mut self.at);
        let length = take(self.bytes, &mut self.at);
        let end = self.at + length;
        self.name.truncate(shared);
        self.name
            .extend_from_slice(self.bytes.get(self.at..end).unwrap_or_default());
        self.at = end;
        Some((shared, &self.name))
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Packs sorted names.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
    blocks: Vec<u32>,
    count: u32,
    facts: Vec<Fact>,
    sums: Sums,
    last: Vec<u8>,
}

impl Packer {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// The name that was put in last.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// Puts in a name that is greater than the last one.
    pub fn push(&mut self, name: &[u8], fact: Option<Fact>) {
        let is_full = (self.count as usize).is_multiple_of(STRIDE);
        let shared = if is_full { 0 } else { common(&self.last, name) };
        if is_full {
            let at = u32::try_from(self.bytes.len()).expect("a chunk is small but for one name");
            self.blocks.push(at);
        }
        put(&mut self.bytes, shared);
        put(&mut self.bytes, name.len() - shared);
        self.bytes.extend_from_slice(&name[shared..]);
        self.last.truncate(shared);
        self.last.extend_from_slice(&name[shared..]);
        let fact = fact.filter(|fact| *fact != Fact::UNTOLD);
        if fact.is_some() || !self.facts.is_empty() {
            self.facts.resize(self.count as usize, Fact::UNTOLD);
            self.facts.push(fact.unwrap_or(Fact::UNTOLD));
        }
        self.sums.take(fact.as_ref());
        self.count += 1;
    }

    /// The last name came once more: what is told of it now counts where nothing was.
    pub fn tell_last(&mut self, fact: Option<Fact>) {
        let Some(fact) = fact.filter(|fact| *fact != Fact::UNTOLD) else {
            return;
        };
        // A picture closed the chunk in between: then the twin stays as it is.
        let Some(place) = (self.count as usize).checked_sub(1) else {
            return;
        };
        self.facts.resize(place + 1, Fact::UNTOLD);
        if self.facts[place] == Fact::UNTOLD {
            self.sums.keys -= 1;
            self.sums.take(Some(&fact));
            self.facts[place] = fact;
        }
    }

    /// Closes the chunk and begins the next.
    pub fn close(&mut self) -> Chunk {
        // The exact size, and the buffer stays for the next one.
        let chunk = Chunk {
            bytes: self.bytes.as_slice().into(),
            blocks: self.blocks.as_slice().into(),
            count: self.count,
            facts: Facts::of(&self.facts),
            sums: self.sums,
        };
        self.bytes.clear();
        self.blocks.clear();
        self.facts.clear();
        self.count = 0;
        self.sums = Sums::default();
        chunk
    }
}

pub fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

/// Seven bits a byte, the lowest first, the high bit meaning that more follow.
fn put(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(0x80 | low_bits(number));
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits")
}

fn take(bytes: &[u8], at: &mut usize) -> usize {
    let mut number = 0;
    let mut shift = 0;
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    number
}
