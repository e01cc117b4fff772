//! What stands in one folder.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::catalog::{Catalog, Fact, Sums, after_all};
use crate::tui::panes::keys::delimiters::Delimiters;
use crate::tui::panes::keys::rows::{Sorting, weight};

/// Entries from one mark to the next.
const STRIDE: usize = 256;
/// Names of one folder that are read before the rest of them is leapt over: a leap costs about as much.
const PATIENCE: usize = 24;
/// Folders of a level that are sorted by weight. More than a person looks at.
const MOST_SORTED: usize = 10_000;

/// Where a level lies.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub names: &'a Catalog,
    pub delimiters: &'a Delimiters,
    pub prefix: &'a [u8],
}

#[derive(Clone, Debug, Default)]
pub struct Level {
    folders: usize,
    keys: usize,
    marks: Vec<Mark>,
    stand: Stand,
    /// Folders that are open, by their place.
    opened: Vec<(usize, Vec<u8>)>,
    heaviest: BinaryHeap<Reverse<(u64, Vec<u8>)>>,
    /// The folders by weight, when they are sorted so.
    sorted: Option<Vec<Vec<u8>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    Before,
    /// From this name on nothing was read yet.
    At(Vec<u8>),
    After,
}

/// From this name on, with so many folders and keys before it.
#[derive(Clone, Debug)]
struct Mark {
    name: Vec<u8>,
    folders: usize,
    keys: usize,
}

enum Entry<'a> {
    Folder(&'a [u8]),
    Key(&'a [u8], Option<&'a Fact>),
}

impl Look<'_> {
    /// Goes over the entries from a name on, as long as `visit` says so and about `budget` names are
    /// not read. Gives the name of the first entry that was not visited.
    fn entries(
        &self,
        from: &[u8],
        budget: &mut usize,
        mut visit: impl FnMut(Entry) -> bool,
    ) -> Option<Vec<u8>> {
        let mut names = self.names.from(from);
        let mut folder: Vec<u8> = Vec::new();
        let mut inside = 0;
        loop {
            let (name, fact) = names.step()?;
            *budget = budget.saturating_sub(1);
            if !folder.is_empty() && name.starts_with(&folder) {
                inside += 1;
                if inside > PATIENCE {
                    names = self.names.from(&after_all(&folder)?);
                    folder.clear();
                    *budget = budget.saturating_sub(PATIENCE);
                }
                continue;
            }
            let rest = name.strip_prefix(self.prefix)?;
            folder.clear();
            inside = 0;
            let goes_on = *budget > 0
                && match self.delimiters.segment(rest) {
                    Some(length) => {
                        folder.extend_from_slice(&name[..self.prefix.len() + length]);
                        visit(Entry::Folder(&folder))
                    }
                    None => visit(Entry::Key(name, fact)),
                };
            if !goes_on {
                return Some(name.to_vec());
            }
        }
    }

    fn each(&self, from: &[u8], visit: impl FnMut(Entry) -> bool) {
        self.entries(from, &mut { usize::MAX }, visit);
    }

    fn sums(&self, folder: &[u8]) -> Sums {
        self.names.sums(folder)
    }
}

impl Level {
    pub fn is_read(&self) -> bool {
        self.stand == Stand::After
    }

    /// Folders that have a row.
    pub fn folders(&self) -> usize {
        self.sorted.as_ref().map_or(self.folders, Vec::len)
    }

    /// Folders that have none.
    pub fn more(&self) -> usize {
        self.folders - self.folders()
    }

    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn opened(&self) -> &[(usize, Vec<u8>)] {
        &self.opened
    }

    /// Reads on; gives the folders that were met and are to be open.
    pub fn read(
        &mut self,
        look: Look,
        sorting: Sorting,
        open: &BTreeSet<Vec<u8>>,
        budget: &mut usize,
    ) -> Vec<Vec<u8>> {
        let from = match std::mem::take(&mut self.stand) {
            Stand::Before => look.prefix.to_vec(),
            Stand::At(name) => name,
            Stand::After => {
                self.stand = Stand::After;
                return Vec::new();
            }
        };
        let opens = |folder: &[u8]| !open.is_empty() && open.contains(folder);
        let mut met = Vec::new();
        // Summing a folder up costs as much as reading a few names.
        let mut spent = 0;
        let next = look.entries(&from, budget, |entry| {
            let entries = self.folders + self.keys;
            match entry {
                Entry::Folder(folder) => {
                    self.mark(entries, folder);
                    if opens(folder) {
                        met.push(folder.to_vec());
                        self.opened.push((self.folders, folder.to_vec()));
                    }
                    self.weigh(look, sorting, folder);
                    spent += usize::from(sorting != Sorting::Name) * PATIENCE;
                    self.folders += 1;
                }
                Entry::Key(name, _) => {
                    self.mark(entries, name);
                    self.keys += 1;
                }
            }
            true
        });
        *budget = budget.saturating_sub(spent);
        self.stand = match next {
            Some(name) => Stand::At(name),
            None => Stand::After,
        };
        if self.is_read() && sorting != Sorting::Name {
            self.sort();
        }
        met
    }

    /// Opens a folder; false when it is no folder here, or open.
    pub fn open(&mut self, look: Look, folder: &[u8]) -> bool {
        let Some(place) = self.place_of_folder(look, folder) else {
            return false;
        };
        match self.opened.binary_search_by_key(&place, |(at, _)| *at) {
            Ok(_) => false,
            Err(at) => {
                self.opened.insert(at, (place, folder.to_vec()));
                true
            }
        }
    }

    pub fn close(&mut self, folder: &[u8]) {
        self.opened.retain(|(_, other)| other != folder);
    }

    pub fn place_of_folder(&self, look: Look, folder: &[u8]) -> Option<usize> {
        if let Some(sorted) = &self.sorted {
            return sorted.iter().position(|other| other == folder);
        }
        let mark = self.mark_up_to(folder)?;
        let mut place = mark.folders;
        let mut found = None;
        look.each(&mark.name, |entry| match entry {
            Entry::Folder(other) if other == folder => {
                found = Some(place);
                false
            }
            Entry::Folder(other) => {
                place += 1;
                other < folder
            }
            Entry::Key(..) => true,
        });
        found.filter(|place| *place < self.folders)
    }

    pub fn place_of_key(&self, look: Look, name: &[u8]) -> Option<usize> {
        let mark = self.mark_up_to(name)?;
        let mut place = mark.keys;
        let mut found = None;
        look.each(&mark.name, |entry| match entry {
            Entry::Key(other, _) if other == name => {
                found = Some(place);
                false
            }
            Entry::Key(other, _) => {
                place += 1;
                other < name
            }
            Entry::Folder(_) => true,
        });
        found.filter(|place| *place < self.keys)
    }

    /// The folders from a place on, with their sums and whether they are open.
    pub fn folder_rows(
        &self,
        look: Look,
        from: usize,
        count: usize,
        mut row: impl FnMut(Vec<u8>, Sums, bool),
    ) {
        if count == 0 {
            return;
        }
        let is_open = |place: usize| {
            let found = self.opened.binary_search_by_key(&place, |(at, _)| *at);
            found.is_ok()
        };
        if let Some(sorted) = &self.sorted {
            for (place, folder) in sorted.iter().enumerate().skip(from).take(count) {
                row(folder.clone(), look.sums(folder), is_open(place));
            }
            return;
        }
        let Some(mark) = self.mark_before(|mark| mark.folders <= from) else {
            return;
        };
        let mut place = mark.folders;
        look.each(&mark.name, |entry| {
            if let Entry::Folder(folder) = entry {
                if place >= from {
                    row(folder.to_vec(), look.sums(folder), is_open(place));
                }
                place += 1;
            }
            place < from + count
        });
    }

    /// The keys from a place on.
    pub fn key_rows(
        &self,
        look: Look,
        from: usize,
        count: usize,
        mut row: impl FnMut(Vec<u8>, Option<Fact>),
    ) {
        if count == 0 {
            return;
        }
        let Some(mark) = self.mark_before(|mark| mark.keys <= from) else {
            return;
        };
        let mut place = mark.keys;
        look.each(&mark.name, |entry| {
            if let Entry::Key(name, fact) = entry {
                if place >= from {
                    row(name.to_vec(), fact.copied());
                }
                place += 1;
            }
            place < from + count
        });
    }

    /// The last mark before a name; `None` when nothing was read so far.
    fn mark_up_to(&self, name: &[u8]) -> Option<&Mark> {
        let is_read = match &self.stand {
            Stand::Before => false,
            Stand::At(next) => name < next.as_slice(),
            Stand::After => true,
        };
        is_read.then(|| self.mark_before(|mark| mark.name.as_slice() <= name))?
    }

    /// The last mark for which this holds; it holds for the ones before.
    fn mark_before(&self, is_before: impl Fn(&Mark) -> bool) -> Option<&Mark> {
        let after = self.marks.partition_point(is_before);
        self.marks.get(after.checked_sub(1)?)
    }

    fn mark(&mut self, entries: usize, name: &[u8]) {
        if entries.is_multiple_of(STRIDE) {
            self.marks.push(Mark {
                name: name.to_vec(),
                folders: self.folders,
                keys: self.keys,
            });
        }
    }

    fn weigh(&mut self, look: Look, sorting: Sorting, folder: &[u8]) {
        let heft = match sorting {
            Sorting::Size => {
                let weight = weight(&look.sums(folder));
                weight.map_or(0, |weight| weight.bytes)
            }
            Sorting::Keys => look.sums(folder).keys,
            Sorting::Name | Sorting::Ttl | Sorting::Idle => return,
        };
        let lightest = self.heaviest.peek().map(|Reverse((heft, _))| *heft);
        if self.heaviest.len() >= MOST_SORTED {
            if lightest >= Some(heft) {
                return;
            }
            self.heaviest.pop();
        }
        self.heaviest.push(Reverse((heft, folder.to_vec())));
    }

    /// By weight, the heaviest first; those alike by name.
    fn sort(&mut self) {
        let mut folders: Vec<(u64, Vec<u8>)> = std::mem::take(&mut self.heaviest)
            .into_iter()
            .map(|Reverse(folder)| folder)
            .collect();
        folders.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        let folders: Vec<Vec<u8>> = folders.into_iter().map(|(_, name)| name).collect();
        for (place, folder) in &mut self.opened {
            let found = folders.iter().position(|other| other == folder);
            *place = found.unwrap_or(usize::MAX);
        }
        self.opened.retain(|(place, _)| *place < usize::MAX);
        self.opened.sort_unstable();
        self.sorted = Some(folders);
    }
}
