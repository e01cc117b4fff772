//! Key names as a tree: folders where a delimiter stands, with a count of the keys below.
//!
//! Only levels that are open exist. A level reads the names once from the first to the last, and
//! goes on where it stopped when more arrive, so opening a folder costs one pass in bites and a page
//! of a walk costs a look per open level. An entry is two numbers: the first name that belongs to it
//! and how many there are; its text is cut out of that name when it is drawn.

mod level;

use std::hash::RandomState;

use crate::tui::panes::keys::names::Names;
use crate::tui::panes::keys::tree::level::{Cx, Level};

/// The names that a tree is made of.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    All(&'a Names),
    /// The names with these numbers.
    Some(&'a Names, &'a [u32]),
}

impl<'a> Source<'a> {
    pub fn count(self) -> usize {
        match self {
            Self::All(names) => names.len() as usize,
            Self::Some(_, ids) => ids.len(),
        }
    }

    pub fn names(self) -> &'a Names {
        match self {
            Self::All(names) | Self::Some(names, _) => names,
        }
    }

    /// Number and name at each place from `at` on, at most `count`.
    pub fn each(self, at: usize, count: usize, mut visit: impl FnMut(u32, &'a [u8])) {
        match self {
            Self::All(names) => {
                let from = u32::try_from(at).unwrap_or(u32::MAX);
                names
                    .since(from)
                    .take(count)
                    .for_each(|(id, name)| visit(id, name));
            }
            Self::Some(names, ids) => {
                let ids = ids.get(at..).unwrap_or_default().iter().take(count);
                ids.for_each(|id| visit(*id, names.get(*id)));
            }
        }
    }
}

/// Where a row stands: the entry on each level from the root on. It stays true while rows move.
pub type Path = Vec<u32>;

/// A row as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub path: Path,
    /// What the row adds to the name of the folder that it is in.
    pub segment: &'a [u8],
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Folder { keys: u32, is_open: bool },
    Key(u32),
}

#[derive(Debug)]
pub struct Tree {
    delimiter: Vec<u8>,
    hasher: RandomState,
    root: Level,
}

impl Tree {
    pub fn new(delimiter: &[u8]) -> Self {
        Self {
            delimiter: delimiter.to_vec(),
            hasher: RandomState::new(),
            root: Level::new(Vec::new()),
        }
    }

    /// Reads up to `names` more names into each open level and brings its order about `comparisons`
    /// further; says whether there is more to do.
    pub fn step(&mut self, source: Source, names: usize, comparisons: usize) -> bool {
        let cx = Cx {
            delimiter: &self.delimiter,
            hasher: &self.hasher,
            source,
        };
        self.root.step(cx, names, comparisons)
    }

    /// Rows that can be shown now.
    pub fn rows(&self) -> usize {
        self.root.rows()
    }

    pub fn window<'a>(&self, source: Source<'a>, from: usize, count: usize) -> Vec<Row<'a>> {
        let mut rows = Vec::with_capacity(count.min(512));
        let mut skip = from;
        let mut path = Vec::new();
        self.root
            .collect(self.cx(source), &mut path, &mut skip, count, &mut rows);
        rows
    }

    /// The place of a row; `None` while it is not in an open folder.
    pub fn place_of(&self, source: Source, path: &[u32]) -> Option<usize> {
        self.root.place_of(self.cx(source), path)
    }

    /// Opens a folder; nothing happens for a key or a folder that is open.
    pub fn open(&mut self, names: &Names, path: &[u32]) {
        let Some(prefix) = self.prefix_of(Source::All(names), path) else {
            return;
        };
        if let Some((last, above)) = path.split_last()
            && let Some(level) = self.root.at(above)
        {
            level.open(*last, prefix);
        }
    }

    pub fn close(&mut self, path: &[u32]) {
        if let Some((last, above)) = path.split_last()
            && let Some(level) = self.root.at(above)
        {
            level.close(*last);
        }
    }

    /// What the names in a folder begin with; `None` when it is no folder.
    pub fn prefix_of(&self, source: Source, path: &[u32]) -> Option<Vec<u8>> {
        let (last, above) = path.split_last()?;
        self.root.open_at(above)?.prefix_of(self.cx(source), *last)
    }

    fn cx<'t, 'a>(&'t self, source: Source<'a>) -> Cx<'t, 'a> {
        Cx {
            delimiter: &self.delimiter,
            hasher: &self.hasher,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, prop, proptest};
    use std::collections::BTreeMap;

    fn names(all: &[&[u8]]) -> Names {
        let mut names = Names::default();
        for name in all {
            names.add(name, None);
        }
        names
    }

    fn settle(tree: &mut Tree, source: Source) {
        while tree.step(source, 3, 3) {}
    }

    fn drawn(tree: &Tree, source: Source) -> Vec<String> {
        tree.window(source, 0, 100)
            .iter()
            .map(|row| {
                let indent = "  ".repeat(row.path.len() - 1);
                let segment = row.segment.escape_ascii();
                match row.what {
                    What::Folder { keys, is_open } => {
                        format!(
                            "{indent}{}{segment} {keys}",
                            if is_open { '-' } else { '+' }
                        )
                    }
                    What::Key(_) => format!("{indent}{segment}"),
                }
            })
            .collect()
    }

    #[test]
    fn folders_count_what_is_below_and_open_in_place() {
        let names = names(&[
            b"user:1:name",
            b"user",
            b"user:",
            b"zoo",
            b"user:2:name",
            b"user:1:age",
            b"a::b",
            b":x",
            b"",
        ]);
        let source = Source::All(&names);
        let mut tree = Tree::new(b":");
        settle(&mut tree, source);
        assert_eq!(
            drawn(&tree, source),
            ["+: 1", "+a: 1", "+user: 4", "", "user", "zoo"]
        );
        let user = tree.window(source, 2, 1)[0].path.clone();
        tree.open(&names, &user);
        settle(&mut tree, source);
        assert_eq!(
            drawn(&tree, source),
            [
                "+: 1", "+a: 1", "-user: 4", "  +1: 2", "  +2: 1", "  ", "", "user", "zoo"
            ]
        );
        let first = tree.window(source, 3, 1)[0].path.clone();
        tree.open(&names, &first);
        settle(&mut tree, source);
        assert_eq!(
            drawn(&tree, source)[3..7],
            ["  -1: 2", "    age", "    name", "  +2: 1"]
        );
        tree.close(&user);
        assert_eq!(tree.rows(), 6);
    }

    #[test]
    fn counts_grow_while_names_arrive_and_rows_keep_their_path() {
        let mut names = names(&[b"m/1", b"m/2"]);
        let mut tree = Tree::new(b"/");
        settle(&mut tree, Source::All(&names));
        let path = tree.window(Source::All(&names), 0, 1)[0].path.clone();
        tree.open(&names, &path);
        settle(&mut tree, Source::All(&names));
        names.add(b"a/1", None);
        names.add(b"m/0", None);
        let source = Source::All(&names);
        settle(&mut tree, source);
        assert_eq!(
            drawn(&tree, source),
            ["+a/ 1", "-m/ 3", "  0", "  1", "  2"]
        );
        assert_eq!(tree.place_of(source, &path), Some(1));
    }

    #[test]
    fn delimiters_may_be_several_bytes_or_none() {
        let names = names(&[b"a::b::c", b"a:b"]);
        let source = Source::All(&names);
        for (delimiter, expected) in [
            (&b"::"[..], vec!["+a:: 1", "a:b"]),
            (b"", vec!["a::b::c", "a:b"]),
        ] {
            let mut tree = Tree::new(delimiter);
            settle(&mut tree, source);
            assert_eq!(drawn(&tree, source), expected);
        }
    }

    #[test]
    fn a_filter_makes_a_smaller_tree() {
        let names = names(&[b"a:1", b"b:1", b"a:2"]);
        let source = Source::Some(&names, &[1, 2]);
        let mut tree = Tree::new(b":");
        settle(&mut tree, source);
        assert_eq!(drawn(&tree, source), ["+a: 1", "+b: 1"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_a_map_on_any_names(
            given in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab:\xff".to_vec()), 0..8), 0..80),
        ) {
            let mut names = Names::default();
            for name in &given {
                names.add(name, None);
            }
            let source = Source::All(&names);
            let mut tree = Tree::new(b":");
            settle(&mut tree, source);
            open_everything(&mut tree, source);
            let rows = tree.window(source, 0, usize::MAX >> 1);
            assert_eq!(rows.len(), tree.rows());
            let mut expected: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            let mut keys = 0;
            for (_, name) in names.since(0) {
                keys += 1;
                for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b':') {
                    *expected.entry(name[..=at].to_vec()).or_default() += 1;
                }
            }
            let mut found = BTreeMap::new();
            let mut stack: Vec<&[u8]> = Vec::new();
            for (place, row) in rows.iter().enumerate() {
                stack.truncate(row.path.len() - 1);
                stack.push(row.segment);
                assert_eq!(tree.place_of(source, &row.path), Some(place));
                assert_eq!(&tree.window(source, place, 1)[0], row);
                match row.what {
                    What::Folder { keys, .. } => {
                        found.insert(stack.concat(), keys);
                    }
                    What::Key(id) => {
                        assert_eq!(names.get(id), stack.concat());
                        keys -= 1;
                    }
                }
            }
            assert_eq!(found, expected);
            assert_eq!(keys, 0);
        }
    }

    fn open_everything(tree: &mut Tree, source: Source) {
        loop {
            let closed: Vec<Path> = tree
                .window(source, 0, 10_000)
                .into_iter()
                .filter(|row| matches!(row.what, What::Folder { is_open: false, .. }))
                .map(|row| row.path)
                .collect();
            if closed.is_empty() {
                return;
            }
            for path in closed {
                tree.open(source.names(), &path);
            }
            settle(tree, source);
        }
    }
}
