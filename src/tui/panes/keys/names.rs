//! Millions of key names in little memory.
//!
//! A walk may bring ten million names, so a name is no object: all bytes stand one after the other
//! in chunks, each name after its length, and every sixteenth has its place written down. A name is
//! known by its number, counted from 0 in the order of arrival; numbers never change. SCAN may
//! bring an element more than once, so a name that is there already is recognised.

use std::hash::{BuildHasher, RandomState};

use crate::model::{Bytes, Ttl, UnixMs};
use crate::tui::panes::keys::table::{self, IdTable};

const CHUNK: usize = 1 << 20;
/// Names between two marks. More would save nothing worth having and cost time in every look-up.
const STRIDE: usize = 16;
const PARTS: usize = 1024;

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub names: u32,
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            names: table::MOST,
            bytes: 1 << 30,
        }
    }
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    New(u32),
    Known(u32),
    /// There was no room. It is counted.
    Full,
}

/// What a walk told beside the name, where it did (Memcached).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    pub ttl: Ttl,
    pub size: Option<Bytes>,
}

#[derive(Debug)]
pub struct Names {
    chunks: Vec<Chunk>,
    count: u32,
    bytes: usize,
    not_kept: u64,
    known: IdTable,
    hasher: RandomState,
    limits: Limits,
}

#[derive(Debug)]
struct Chunk {
    first: u32,
    count: u32,
    bytes: Vec<u8>,
    marks: Vec<u32>,
    free: Vec<PackedFree>,
}

impl Default for Names {
    fn default() -> Self {
        Self::within(Limits::default())
    }
}

impl Names {
    pub fn within(limits: Limits) -> Self {
        Self {
            chunks: Vec::new(),
            count: 0,
            bytes: 0,
            not_kept: 0,
            known: IdTable::with_parts(PARTS),
            hasher: RandomState::new(),
            limits: Limits {
                names: limits.names.min(table::MOST),
                ..limits
            },
        }
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names that came when there was no room any more. A name that came twice counts twice.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    pub fn add(&mut self, name: &[u8], free: Option<Free>) -> Kept {
        let hash = self.hasher.hash_one(name);
        if let Some(id) = self.known.find(hash, |id| get(&self.chunks, id) == name) {
            return Kept::Known(id);
        }
        if self.count >= self.limits.names || self.bytes + name.len() > self.limits.bytes {
            self.not_kept += 1;
            return Kept::Full;
        }
        let id = self.count;
        self.known
            .insert(hash, id, |id| self.hasher.hash_one(get(&self.chunks, id)));
        self.room_for(name.len()).push(name, free);
        self.count += 1;
        self.bytes += name.len();
        Kept::New(id)
    }

    /// The name with this number. The number must come from here.
    pub fn get(&self, id: u32) -> &[u8] {
        get(&self.chunks, id)
    }

    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.known.find(self.hasher.hash_one(name), |id| {
            get(&self.chunks, id) == name
        })
    }

    pub fn free(&self, id: u32) -> Option<Free> {
        let chunk = chunk_of(&self.chunks, id);
        let packed = chunk.free.get((id - chunk.first) as usize)?;
        Some(packed.unpack())
    }

    /// Numbers and names from `from` on, in order: much faster than one `get` after the other.
    pub fn since(&self, from: u32) -> impl Iterator<Item = (u32, &[u8])> {
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.first + chunk.count <= from);
        self.chunks[chunk..].iter().flat_map(move |chunk| {
            let skip = from.saturating_sub(chunk.first);
            (chunk.first + skip..).zip(chunk.from(skip))
        })
    }

    /// What all this takes, for the screen and for tests.
    pub fn heap_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Chunk::heap_bytes).sum();
        chunks + self.known.heap_bytes() + self.chunks.capacity() * size_of::<Chunk>()
    }

    fn room_for(&mut self, name: usize) -> &mut Chunk {
        const LONGEST_PREFIX: usize = 10;
        let need = name + LONGEST_PREFIX;
        let has_room = |chunk: &Chunk| chunk.bytes.len() + need <= chunk.bytes.capacity();
        if !self.chunks.last().is_some_and(has_room) {
            if let Some(full) = self.chunks.last_mut() {
                full.close();
            }
            self.chunks.push(Chunk {
                first: self.count,
                count: 0,
                bytes: Vec::with_capacity(need.max(CHUNK)),
                marks: Vec::new(),
                free: Vec::new(),
            });
        }
        self.chunks.last_mut().expect("there is one now")
    }
}

impl Chunk {
    fn push(&mut self, name: &[u8], free: Option<Free>) {
        if (self.count as usize).is_multiple_of(STRIDE) {
            let mark = u32::try_from(self.bytes.len()).expect("a chunk is small but for one name");
            self.marks.push(mark);
        }
        put_length(&mut self.bytes, name.len());
        self.bytes.extend_from_slice(name);
        if let Some(free) = free {
            // Where one name of a walk comes with its facts, all do.
            self.free.resize(self.count as usize, PackedFree::UNKNOWN);
            self.free.push(PackedFree::pack(free));
        }
        self.count += 1;
    }

    /// The names from the `skip`th on.
    fn from(&self, skip: u32) -> impl Iterator<Item = &[u8]> {
        let skip = skip as usize;
        let mark = self.marks.get(skip / STRIDE).copied().unwrap_or_default();
        let mut rest = self.bytes.get(mark as usize..).unwrap_or_default();
        if skip >= self.count as usize {
            rest = &[];
        }
        std::iter::from_fn(move || {
            let (length, after) = take_length(rest)?;
            let (name, next) = after.split_at_checked(length)?;
            rest = next;
            Some(name)
        })
        .skip(skip % STRIDE)
    }

    fn close(&mut self) {
        self.bytes.shrink_to_fit();
        self.marks.shrink_to_fit();
        self.free.shrink_to_fit();
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.marks.capacity() * size_of::<u32>()
            + self.free.capacity() * size_of::<PackedFree>()
    }
}

fn chunk_of(chunks: &[Chunk], id: u32) -> &Chunk {
    &chunks[chunks.partition_point(|chunk| chunk.first <= id) - 1]
}

fn get(chunks: &[Chunk], id: u32) -> &[u8] {
    let chunk = chunk_of(chunks, id);
    chunk
        .from(id - chunk.first)
        .next()
        .expect("the number came from here")
}

/// Seven bits a byte, the lowest first, the high bit meaning that more follow.
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(0x80 | low_bits(length));
        length >>= 7;
    }
    bytes.push(low_bits(length));
}

fn low_bits(length: usize) -> u8 {
    u8::try_from(length & 0x7f).expect("seven bits")
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[at + 1..]));
        }
    }
    None
}

/// Seconds and bytes in eight bytes: a walk's facts are old news anyway, and there are millions.
#[derive(Clone, Copy, Debug)]
struct PackedFree {
    until_s: u32,
    size: u32,
}

impl PackedFree {
    const NEVER: u32 = 0;
    const NOT_KNOWN: u32 = u32::MAX;
    const UNKNOWN: Self = Self {
        until_s: Self::NOT_KNOWN,
        size: Self::NOT_KNOWN,
    };

    fn pack(free: Free) -> Self {
        let until_s = match free.ttl {
            Ttl::None => Self::NEVER,
            Ttl::Until(end) => u32::try_from(end.0 / 1000).unwrap_or(Self::NOT_KNOWN),
            Ttl::Unknown => Self::NOT_KNOWN,
        };
        let size = free.size.map_or(Self::NOT_KNOWN, |size| {
            u32::try_from(size.0).unwrap_or(Self::NOT_KNOWN)
        });
        Self { until_s, size }
    }

    fn unpack(self) -> Free {
        let ttl = match self.until_s {
            Self::NEVER => Ttl::None,
            Self::NOT_KNOWN => Ttl::Unknown,
            seconds => Ttl::Until(UnixMs(i64::from(seconds) * 1000)),
        };
        let size = (self.size != Self::NOT_KNOWN).then(|| Bytes(u64::from(self.size)));
        Free { ttl, size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop, proptest};
    use std::collections::HashMap;

    #[test]
    fn a_name_that_comes_twice_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!(names.add(b"a", None), Kept::New(0));
        assert_eq!(names.add(b"b", None), Kept::New(1));
        assert_eq!(names.add(b"a", None), Kept::Known(0));
        assert_eq!(names.add(b"", None), Kept::New(2));
        assert_eq!(names.add(b"", None), Kept::Known(2));
        assert_eq!(
            (names.get(1), names.get(2), names.len()),
            (&b"b"[..], &b""[..], 3)
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut names = Names::within(Limits {
            names: 2,
            bytes: 10,
        });
        names.add(b"12345", None);
        assert_eq!(names.add(b"123456", None), Kept::Full);
        assert_eq!(names.add(b"1", None), Kept::New(1));
        assert_eq!(names.add(b"2", None), Kept::Full);
        assert_eq!(names.add(b"1", None), Kept::Known(1));
        assert_eq!(names.not_kept(), 2);
    }

    #[test]
    fn names_longer_than_a_chunk_fit_too() {
        let mut names = Names::default();
        let long = vec![b'x'; CHUNK * 2];
        names.add(b"before", None);
        names.add(&long, None);
        names.add(b"after", None);
        assert_eq!(names.get(0), b"before");
        assert_eq!(names.get(1).len(), long.len());
        assert_eq!(names.get(2), b"after");
        assert_eq!(names.since(1).count(), 2);
    }

    #[test]
    fn a_name_of_27_bytes_costs_less_than_45() {
        let mut names = Names::default();
        let count = 300_000;
        for n in 0..count {
            names.add(format!("session:{n:012}:profil").as_bytes(), None);
        }
        assert_eq!(names.len(), count);
        assert!(names.heap_bytes() / (count as usize) < 45);
    }

    #[test]
    fn facts_of_the_walk_are_kept_to_the_second() {
        let mut names = Names::default();
        let free = |ttl, size| Some(Free { ttl, size });
        names.add(b"plain", None);
        names.add(b"ever", free(Ttl::None, Some(Bytes(77))));
        names.add(b"soon", free(Ttl::Until(UnixMs(1_700_000_000_999)), None));
        assert_eq!(names.free(0), free(Ttl::Unknown, None));
        assert_eq!(names.free(1), free(Ttl::None, Some(Bytes(77))));
        assert_eq!(
            names.free(2),
            free(Ttl::Until(UnixMs(1_700_000_000_000)), None)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn holds_any_bytes_as_a_list_and_a_map_would(
            given in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..200),
            from in 0u32..220,
        ) {
            let mut names = Names::default();
            let mut list: Vec<Vec<u8>> = Vec::new();
            let mut map: HashMap<Vec<u8>, u32> = HashMap::new();
            for name in given {
                let id = u32::try_from(list.len()).unwrap();
                let expected = if let Some(id) = map.get(&name) {
                    Kept::Known(*id)
                } else {
                    map.insert(name.clone(), id);
                    list.push(name.clone());
                    Kept::New(id)
                };
                assert_eq!(names.add(&name, None), expected);
            }
            for (id, name) in (0u32..).zip(&list) {
                assert_eq!(names.get(id), &name[..]);
                assert_eq!(names.find(name), Some(id));
            }
            let tail: Vec<(u32, Vec<u8>)> = names.since(from).map(|(id, name)| (id, name.to_vec())).collect();
            let expected: Vec<(u32, Vec<u8>)> = (0u32..).zip(list).skip(from as usize).collect();
            assert_eq!(tail, expected);
        }
    }
}
