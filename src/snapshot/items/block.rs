//! Items packed behind each other.

use crate::snapshot::items::{
    Item, ItemFacts, LONGEST_KEY, LONGEST_VALUE, Marks, ServerSecond, Wrong,
};

/// A block that holds so much is full.
pub(super) const FULL: usize = 1 << 20;
/// Items of one block.
const MOST_ITEMS: u32 = 1 << 20;

const HAS_EXPIRY: u8 = 1;
const HAS_ACCESS: u8 = 2;
const HAS_CAS: u8 = 4;
const IS_STALE: u8 = 8;
const IS_AWAITED: u8 = 16;
const KNOWN: u8 = HAS_EXPIRY | HAS_ACCESS | HAS_CAS | IS_STALE | IS_AWAITED;

/// The longest head of an item: marks, length of the key, flags, expiry, access, CAS, length.
const LONGEST_HEAD: usize = 1 + 1 + 4 + 4 + 4 + 8 + 4;
/// The largest item.
pub(super) const LONGEST_ITEM: usize = LONGEST_HEAD + LONGEST_KEY + LONGEST_VALUE;

/// Items packed behind each other, until there are enough for a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) items: u32,
    /// Bytes of the value that was begun and have not come yet.
    owed: usize,
}

impl Block {
    pub fn items(&self) -> u32 {
        self.items
    }

    /// What it takes, heads included.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Whether it is time to write it. An item more would still be taken.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL || self.items >= MOST_ITEMS
    }

    /// Whether an item of this size had better stand in a block of its own.
    pub fn is_crowded_by(&self, key: usize, value: usize) -> bool {
        self.items > 0 && self.bytes.len() + LONGEST_HEAD + key + value > FULL
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        // A giant's room is given back.
        if self.bytes.capacity() > 4 * FULL {
            self.bytes = Vec::new();
        }
        self.items = 0;
        self.owed = 0;
    }

    /// # Errors
    /// When the key or the value is longer than Memcached allows.
    pub fn push(&mut self, item: &Item) -> Result<(), Wrong> {
        self.begin(item.key, &item.facts, item.value.len())?;
        self.extend(item.value);
        Ok(())
    }

    /// Begins an item whose value comes piece by piece, by `extend`.
    ///
    /// # Errors
    /// When the key or the value is longer than Memcached allows.
    pub fn begin(&mut self, key: &[u8], facts: &ItemFacts, value: usize) -> Result<(), Wrong> {
        within("a key", key.len(), LONGEST_KEY)?;
        within("a value", value, LONGEST_VALUE)?;
        let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
        let marks = mark(facts.expires.is_some(), HAS_EXPIRY)
            | mark(facts.accessed.is_some(), HAS_ACCESS)
            | mark(facts.cas.is_some(), HAS_CAS)
            | mark(facts.marks.is_stale, IS_STALE)
            | mark(facts.marks.is_awaited, IS_AWAITED);
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let name = u8::try_from(key.len()).unwrap_or(u8::MAX);
        let bytes = &mut self.bytes;
        bytes.extend_from_slice(&[marks, name]);
        bytes.extend_from_slice(&facts.flags.to_le_bytes());
        for second in [facts.expires, facts.accessed].into_iter().flatten() {
            bytes.extend_from_slice(&second.0.to_le_bytes());
        }
        if let Some(cas) = facts.cas {
            bytes.extend_from_slice(&cas.to_le_bytes());
        }
        bytes.extend_from_slice(&length(value).to_le_bytes());
        bytes.extend_from_slice(key);
        self.items += 1;
        self.owed = value;
        Ok(())
    }

    /// Goes on with the value that was begun; what is too much of it is left out.
    pub fn extend(&mut self, more: &[u8]) {
        let more = &more[..more.len().min(self.owed)];
        self.bytes.extend_from_slice(more);
        self.owed -= more.len();
    }

    /// Bytes of the value that was begun and have not come yet.
    pub fn owed(&self) -> usize {
        self.owed
    }

    pub fn iter(&self) -> Items<'_> {
        Items {
            rest: &self.bytes,
            left: self.items,
        }
    }
}

impl<'a> IntoIterator for &'a Block {
    type Item = Result<Item<'a>, Wrong>;
    type IntoIter = Items<'a>;

    fn into_iter(self) -> Items<'a> {
        self.iter()
    }
}

/// The items of a block, one by one.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Items<'a> {
    /// How many bytes are left.
    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    fn word<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (word, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Wrong::Damaged("an item's head is cut"))?;
        self.rest = rest;
        Ok(*word)
    }

    fn piece(&mut self, length: usize, cut: &'static str) -> Result<&'a [u8], Wrong> {
        let (piece, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Wrong::Damaged(cut))?;
        self.rest = rest;
        Ok(piece)
    }

    fn item(&mut self) -> Result<Item<'a>, Wrong> {
        let [marks, name] = self.word::<2>()?;
        if marks & !KNOWN != 0 {
            return Err(Wrong::Damaged("an item carries marks that nobody knows"));
        }
        let has = |mark: u8| marks & mark != 0;
        let flags = u32::from_le_bytes(self.word()?);
        let mut second = |mark: u8| -> Result<Option<ServerSecond>, Wrong> {
            let word = has(mark).then(|| self.word()).transpose()?;
            Ok(word.map(|word| ServerSecond(u32::from_le_bytes(word))))
        };
        let expires = second(HAS_EXPIRY)?;
        let accessed = second(HAS_ACCESS)?;
        let cas = has(HAS_CAS).then(|| self.word()).transpose()?;
        let value = u32::from_le_bytes(self.word()?) as usize;
        within("a key", usize::from(name), LONGEST_KEY)?;
        within("a value", value, LONGEST_VALUE)?;
        let key = self.piece(usize::from(name), "a key is cut")?;
        if key.is_empty() {
            return Err(Wrong::Damaged("an item has no key"));
        }
        Ok(Item {
            key,
            facts: ItemFacts {
                flags,
                expires,
                cas: cas.map(u64::from_le_bytes),
                accessed,
                marks: Marks {
                    is_stale: has(IS_STALE),
                    is_awaited: has(IS_AWAITED),
                },
            },
            value: self.piece(value, "a value is cut")?,
        })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            if self.rest.is_empty() {
                return None;
            }
            self.rest = &[];
            return Some(Err(Wrong::Damaged("a block holds more than its items")));
        }
        self.left -= 1;
        let item = self.item();
        if item.is_err() {
            // What comes behind has no beginning.
            (self.left, self.rest) = (0, &[]);
        }
        Some(item)
    }
}

fn within(what: &'static str, length: usize, limit: usize) -> Result<(), Wrong> {
    if length <= limit {
        return Ok(());
    }
    Err(Wrong::TooLong {
        what,
        claimed: length as u64,
        limit: limit as u64,
    })
}
