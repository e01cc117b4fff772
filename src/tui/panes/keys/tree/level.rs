//! One open level of the tree: a folder's own entries, and the levels open below it.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::ops::Range;

use crate::tui::panes::keys::order::Order;
use crate::tui::panes::keys::table::IdTable;
use crate::tui::panes::keys::tree::{Path, Row, Source, What};

#[derive(Debug)]
pub struct Level {
    prefix: Vec<u8>,
    /// Places of the source that were read.
    upto: usize,
    entries: Vec<Entry>,
    folders: IdTable,
    order: Order,
    open: Vec<(u32, Level)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    /// None for a key; the number of keys seen below for a folder.
    keys: Option<NonZeroU32>,
}

/// What every level needs to know.
#[derive(Clone, Copy)]
pub struct Cx<'t, 'a> {
    pub delimiter: &'t [u8],
    pub hasher: &'t RandomState,
    pub source: Source<'a>,
}

/// How much of `rest` belongs to a folder, its delimiter included; `None` for a key.
fn segment(rest: &[u8], delimiter: &[u8]) -> Option<usize> {
    let at = match delimiter {
        [] => None,
        [byte] => rest.iter().position(|other| other == byte),
        _ => rest
            .windows(delimiter.len())
            .position(|part| part == delimiter),
    }?;
    Some(at + delimiter.len())
}

impl Level {
    pub fn new(prefix: Vec<u8>) -> Self {
        Self {
            prefix,
            upto: 0,
            entries: Vec::new(),
            folders: IdTable::with_parts(64),
            order: Order::default(),
            open: Vec::new(),
        }
    }

    pub fn step(&mut self, cx: Cx, names: usize, comparisons: usize) -> bool {
        let end = cx.source.count().min(self.upto + names);
        cx.source.each(self.upto, end - self.upto, |id, name| {
            self.add(cx, id, name);
        });
        self.upto = end;
        let is_behind = end < cx.source.count();
        let order = {
            let entries = &self.entries;
            let prefix = self.prefix.len();
            self.order
                .step(comparisons, |a, b| compare(cx, entries, prefix, a, b))
        };
        let mut is_busy = is_behind || order;
        for (_, level) in &mut self.open {
            is_busy |= level.step(cx, names, comparisons);
        }
        is_busy
    }

    fn add(&mut self, cx: Cx, id: u32, name: &[u8]) {
        let Some(rest) = name.strip_prefix(&self.prefix[..]) else {
            return;
        };
        let Some(length) = segment(rest, cx.delimiter) else {
            return self.enter(Entry { id, keys: None });
        };
        let folder = &rest[..length];
        let hash = cx.hasher.hash_one(folder);
        let start = self.prefix.len();
        let text = |entry: u32| {
            let name = cx.source.names().get(self.entries[entry as usize].id);
            &name[start..start + segment(&name[start..], cx.delimiter).unwrap_or_default()]
        };
        if let Some(known) = self.folders.find(hash, |entry| text(entry) == folder) {
            let keys = &mut self.entries[known as usize].keys;
            *keys = keys.map(|keys| keys.saturating_add(1));
            return;
        }
        let number = u32::try_from(self.entries.len()).expect("no more entries than names");
        self.folders
            .insert(hash, number, |entry| cx.hasher.hash_one(text(entry)));
        let keys = Some(NonZeroU32::MIN);
        self.enter(Entry { id, keys });
    }

    fn enter(&mut self, entry: Entry) {
        let number = u32::try_from(self.entries.len()).expect("no more entries than names");
        self.entries.push(entry);
        self.order.push(number);
    }

    pub fn at(&mut self, path: &[u32]) -> Option<&mut Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let open = self.open.iter_mut().find(|(entry, _)| entry == first)?;
        open.1.at(rest)
    }

    /// What the names below one of this level's folders begin with; `None` for a key.
    pub fn prefix_of(&self, cx: Cx, entry: u32) -> Option<Vec<u8>> {
        let entry = self.entries.get(entry as usize)?;
        entry.keys?;
        let name = cx.source.names().get(entry.id);
        let length = segment(&name[self.prefix.len()..], cx.delimiter)?;
        Some(name[..self.prefix.len() + length].to_vec())
    }

    pub fn open(&mut self, entry: u32, prefix: Vec<u8>) {
        if self.open.iter().all(|(open, _)| *open != entry) {
            self.open.push((entry, Self::new(prefix)));
        }
    }

    pub fn close(&mut self, entry: u32) {
        self.open.retain(|(open, _)| *open != entry);
    }

    /// The level that a path of open folders leads to.
    pub fn open_at(&self, path: &[u32]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let (_, level) = self.open.iter().find(|(entry, _)| entry == first)?;
        level.open_at(rest)
    }

    pub fn rows(&self) -> usize {
        let open: usize = self.open.iter().map(|(_, level)| level.rows()).sum();
        self.order.len() + open
    }

    fn place(&self, cx: Cx, entry: u32) -> usize {
        let prefix = self.prefix.len();
        self.order
            .position(|other| compare(cx, &self.entries, prefix, other, entry))
    }

    /// The open folders from the top down, each with its place among this level's own entries.
    fn open_in_order(&self, cx: Cx) -> Vec<(usize, &Self)> {
        let places = self
            .open
            .iter()
            .map(|(entry, level)| (self.place(cx, *entry), level));
        let mut open: Vec<(usize, &Self)> = places.collect();
        open.sort_unstable_by_key(|(place, _)| *place);
        open
    }

    pub fn place_of(&self, cx: Cx, path: &[u32]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let own = self.place(cx, *first);
        if self.order.get(own) != Some(*first) {
            return None;
        }
        let above: usize = self
            .open_in_order(cx)
            .iter()
            .take_while(|(place, _)| *place < own)
            .map(|(_, level)| level.rows())
            .sum();
        if rest.is_empty() {
            return Some(own + above);
        }
        let (_, level) = self.open.iter().find(|(entry, _)| entry == first)?;
        Some(own + above + 1 + level.place_of(cx, rest)?)
    }

    /// Adds rows until there are `count`, after passing over `skip`.
    pub fn collect<'a>(
        &self,
        cx: Cx<'_, 'a>,
        path: &mut Path,
        skip: &mut usize,
        count: usize,
        rows: &mut Vec<Row<'a>>,
    ) {
        let mut next = 0;
        for (place, level) in self.open_in_order(cx) {
            self.collect_own(cx, next..place + 1, path, skip, count, rows);
            next = place + 1;
            if rows.len() == count {
                return;
            }
            if level.rows() <= *skip {
                *skip -= level.rows();
                continue;
            }
            path.push(
                self.order
                    .get(place)
                    .expect("an open folder is in the order"),
            );
            level.collect(cx, path, skip, count, rows);
            path.pop();
        }
        self.collect_own(cx, next..self.order.len(), path, skip, count, rows);
    }

    fn collect_own<'a>(
        &self,
        cx: Cx<'_, 'a>,
        places: Range<usize>,
        path: &Path,
        skip: &mut usize,
        count: usize,
        rows: &mut Vec<Row<'a>>,
    ) {
        let skipped = places.len().min(*skip);
        *skip -= skipped;
        for place in places.skip(skipped).take(count - rows.len()) {
            let number = self.order.get(place).expect("the place is in the order");
            let entry = self.entries[number as usize];
            let rest = &cx.source.names().get(entry.id)[self.prefix.len()..];
            let is_open = self.open.iter().any(|(open, _)| *open == number);
            let (segment, what) = match entry.keys {
                None => (rest, What::Key(entry.id)),
                Some(keys) => {
                    let length = segment(rest, cx.delimiter).unwrap_or_default();
                    let keys = keys.get();
                    (&rest[..length], What::Folder { keys, is_open })
                }
            };
            let path = path.iter().copied().chain([number]).collect();
            rows.push(Row {
                path,
                segment,
                what,
            });
        }
    }
}

/// Folders first, then by bytes.
fn compare(cx: Cx, entries: &[Entry], prefix: usize, a: u32, b: u32) -> Ordering {
    let key = |number: u32| {
        let entry = entries[number as usize];
        let rest = &cx.source.names().get(entry.id)[prefix..];
        match entry.keys {
            None => (true, rest),
            Some(_) => (
                false,
                &rest[..segment(rest, cx.delimiter).unwrap_or_default()],
            ),
        }
    };
    key(a).cmp(&key(b))
}
