//! Key names as a tree: folders where a delimiter stands, with what is told of the keys below.
//!
//! Only levels that are open exist, and a level holds no rows: it counts its folders and keys while it
//! leaps from one to the next over the sorted names, and writes down where every so-many-th of them
//! stands. A row is found again from there, so ten million folders cost no more than a few marks.

mod level;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::tui::panes::keys::delimiters::Delimiters;
use crate::tui::panes::keys::rows::{Row, RowId, Sorting, What};
use crate::tui::panes::keys::tree::level::{Level, Look};

#[derive(Clone, Debug)]
pub struct Tree {
    delimiters: Delimiters,
    sorting: Sorting,
    levels: BTreeMap<Vec<u8>, Level>,
    /// Levels that are not read to their end.
    pending: Vec<Vec<u8>>,
}

impl Tree {
    pub fn new(delimiters: Delimiters, sorting: Sorting) -> Self {
        Self {
            delimiters,
            sorting,
            levels: BTreeMap::from([(Vec::new(), Level::default())]),
            pending: vec![Vec::new()],
        }
    }

    /// Reads about so many names more; says whether there is more to do. The folders in `open` are
    /// opened where they are met.
    pub fn step(&mut self, names: &Catalog, open: &BTreeSet<Vec<u8>>, mut budget: usize) -> bool {
        while let Some(prefix) = self.pending.last().cloned() {
            let look = Look {
                names,
                delimiters: &self.delimiters,
                prefix: &prefix,
            };
            let Some(level) = self.levels.get_mut(&prefix) else {
                self.pending.pop();
                continue;
            };
            let met = level.read(look, self.sorting, open, &mut budget);
            if level.is_read() {
                self.pending.retain(|other| *other != prefix);
            }
            for folder in met {
                self.levels.entry(folder.clone()).or_default();
                self.pending.insert(0, folder);
            }
            if budget == 0 {
                break;
            }
        }
        !self.pending.is_empty()
    }

    /// Whether some open folder is not read to its end.
    pub fn is_reading(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn rows(&self) -> usize {
        self.rows_in(&[])
    }

    pub fn window(&self, names: &Catalog, from: usize, count: usize) -> Vec<Row> {
        let mut rows = Vec::with_capacity(count.min(512));
        let mut skip = from;
        self.collect(names, &[], 0, &mut skip, count, &mut rows);
        rows
    }

    /// The place of a row; `None` while it is not in an open folder.
    pub fn place_of(&self, names: &Catalog, id: &RowId) -> Option<usize> {
        match id {
            RowId::Folder(folder) => self.place_of_folder(names, folder),
            RowId::Key(name) => {
                let prefix = self.delimiters.ends(name).last().unwrap_or_default();
                let prefix = &name[..prefix];
                let level = self.levels.get(prefix)?;
                let place = level.place_of_key(self.look(names, prefix), name)?;
                Some(self.start_of(names, prefix)? + self.folders_in(level) + place)
            }
            RowId::More(prefix) => {
                let level = self.levels.get(prefix)?;
                (level.more() > 0)
                    .then(|| Some(self.start_of(names, prefix)? + self.folders_in(level) - 1))?
            }
            RowId::Pattern(_) => None,
        }
    }

    /// Opens a folder; nothing happens for one that is open.
    pub fn open(&mut self, names: &Catalog, folder: &[u8]) {
        let parent = self.delimiters.parent(folder).to_vec();
        let look = Look {
            names,
            delimiters: &self.delimiters,
            prefix: &parent,
        };
        if let Some(level) = self.levels.get_mut(&parent)
            && level.open(look, folder)
        {
            self.levels.entry(folder.to_vec()).or_default();
            self.pending.push(folder.to_vec());
        }
    }

    /// Closes a folder and all that are in it.
    pub fn close(&mut self, folder: &[u8]) {
        if let Some(level) = self.levels.get_mut(self.delimiters.parent(folder)) {
            level.close(folder);
        }
        self.levels.retain(|prefix, _| !prefix.starts_with(folder));
        self.pending.retain(|prefix| !prefix.starts_with(folder));
    }

    fn look<'a>(&'a self, names: &'a Catalog, prefix: &'a [u8]) -> Look<'a> {
        Look {
            names,
            delimiters: &self.delimiters,
            prefix,
        }
    }

    fn rows_in(&self, prefix: &[u8]) -> usize {
        let level = self.levels.get(prefix);
        level.map_or(0, |level| self.folders_in(level) + level.keys())
    }

    /// Rows before the keys: the folders and what is open in them.
    fn folders_in(&self, level: &Level) -> usize {
        let opened = level.opened().iter();
        let inside: usize = opened.map(|(_, folder)| self.rows_in(folder)).sum();
        level.folders() + usize::from(level.more() > 0) + inside
    }

    /// The place of the first row in an open folder.
    fn start_of(&self, names: &Catalog, prefix: &[u8]) -> Option<usize> {
        if prefix.is_empty() {
            return Some(0);
        }
        self.levels.contains_key(prefix).then_some(())?;
        Some(self.place_of_folder(names, prefix)? + 1)
    }

    fn place_of_folder(&self, names: &Catalog, folder: &[u8]) -> Option<usize> {
        let parent = self.delimiters.parent(folder);
        let level = self.levels.get(parent)?;
        let place = level.place_of_folder(self.look(names, parent), folder)?;
        let before = level.opened().iter().filter(|(other, _)| *other < place);
        let inside: usize = before.map(|(_, folder)| self.rows_in(folder)).sum();
        Some(self.start_of(names, parent)? + place + inside)
    }

    fn collect(
        &self,
        names: &Catalog,
        prefix: &[u8],
        depth: usize,
        skip: &mut usize,
        count: usize,
        rows: &mut Vec<Row>,
    ) {
        let Some(level) = self.levels.get(prefix) else {
            return;
        };
        let look = self.look(names, prefix);
        let mut next = 0;
        let opened = level
            .opened()
            .iter()
            .map(|(place, name)| (*place, Some(name)));
        let end = level.folders().checked_sub(1).map(|last| (last, None));
        for (last, folder) in opened.chain(end) {
            let here = (last + 1).saturating_sub(next);
            let skipped = here.min(*skip);
            *skip -= skipped;
            let wanted = (here - skipped).min(count.saturating_sub(rows.len()));
            level.folder_rows(look, next + skipped, wanted, |name, sums, is_open| {
                rows.push(Row {
                    depth,
                    start: prefix.len(),
                    name,
                    what: What::Folder { sums, is_open },
                });
            });
            next = last + 1;
            if rows.len() >= count {
                return;
            }
            if let Some(folder) = folder {
                self.collect(names, folder, depth + 1, skip, count, rows);
            }
        }
        if level.more() > 0 {
            if *skip > 0 {
                *skip -= 1;
            } else if rows.len() < count {
                rows.push(Row {
                    depth,
                    name: prefix.to_vec(),
                    start: prefix.len(),
                    what: What::More(level.more()),
                });
            }
        }
        let skipped = level.keys().min(*skip);
        *skip -= skipped;
        let wanted = (level.keys() - skipped).min(count.saturating_sub(rows.len()));
        level.key_rows(look, skipped, wanted, |name, fact| {
            rows.push(Row {
                depth,
                start: prefix.len(),
                name,
                what: What::Key(fact),
            });
        });
    }
}

#[cfg(test)]
mod tests;
