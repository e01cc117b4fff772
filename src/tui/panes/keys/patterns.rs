//! The tree with ids collapsed: `user:17:profile` and `user:42:profile` are `user:*:profile`.
//!
//! Every name counts on its way down a tree of patterns. There are few of them in a keyspace that a
//! program filled; where names follow no pattern there would be as many as names, so a tree holds only
//! so many, and what has no room counts in the folder that it would be in.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::collapse;
use crate::catalog::{Catalog, Sums};
use crate::tui::panes::keys::delimiters::Delimiters;
use crate::tui::panes::keys::rows::{Row, RowId, Sorting, What, weight};

/// Patterns that are held.
const MOST: usize = 50_000;
/// Deeper parts of a name count where these end.
const DEEPEST: usize = 32;
const ROOT: usize = 0;

#[derive(Clone, Debug)]
pub struct Patterns {
    delimiters: Delimiters,
    nodes: Vec<Node>,
    /// The name that comes next.
    next: Option<Vec<u8>>,
    is_done: bool,
    scratch: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    is_folder: bool,
    sums: Sums,
    /// Keys below that had no room of their own.
    hidden: usize,
    children: BTreeMap<Box<[u8]>, usize>,
}

impl Patterns {
    pub fn new(delimiters: Delimiters) -> Self {
        Self {
            delimiters,
            nodes: vec![Node::default()],
            next: Some(Vec::new()),
            is_done: false,
            scratch: Vec::new(),
        }
    }

    /// Counts so many names more; says whether some are left.
    pub fn step(&mut self, names: &Catalog, budget: usize) -> bool {
        let Some(from) = self.next.take() else {
            self.is_done = true;
            return false;
        };
        let mut rest = names.from(&from);
        for _ in 0..budget {
            let Some((name, fact)) = rest.step() else {
                self.is_done = true;
                return false;
            };
            let mut sums = Sums::default();
            sums.take(fact);
            self.count(name, &sums);
        }
        self.next = rest.step().map(|(name, _)| name.to_vec());
        self.is_done = self.next.is_none();
        !self.is_done
    }

    /// All rows of what is open, in order.
    pub fn rows(&self, open: &BTreeSet<Vec<u8>>, sorting: Sorting) -> Vec<Row> {
        let mut rows = Vec::new();
        self.collect(ROOT, &mut Vec::new(), 0, open, sorting, &mut rows);
        rows
    }

    fn count(&mut self, name: &[u8], sums: &Sums) {
        let mut node = ROOT;
        self.nodes[ROOT].sums.add(sums);
        let mut start = 0;
        for depth in 0.. {
            let end = match self.delimiters.segment(&name[start..]) {
                Some(length) if depth < DEEPEST => Some(start + length),
                _ => None,
            };
            let segment = &name[start..end.unwrap_or(name.len())];
            self.scratch.clear();
            match end {
                Some(_) => {
                    let delimiter = self.delimiters.width(segment);
                    let (word, delimiter) = segment.split_at(segment.len() - delimiter);
                    collapse(word, &mut self.scratch);
                    self.scratch.extend_from_slice(delimiter);
                }
                None => collapse(segment, &mut self.scratch),
            }
            let Some(child) = self.child(node, end.is_some()) else {
                self.nodes[node].hidden += 1;
                return;
            };
            self.nodes[child].sums.add(sums);
            node = child;
            match end {
                Some(end) => start = end,
                None => return,
            }
        }
    }

    fn child(&mut self, node: usize, is_folder: bool) -> Option<usize> {
        if let Some(child) = self.nodes[node].children.get(self.scratch.as_slice()) {
            return Some(*child);
        }
        if self.nodes.len() >= MOST {
            return None;
        }
        let child = self.nodes.len();
        self.nodes.push(Node {
            is_folder,
            ..Node::default()
        });
        let segment = self.scratch.as_slice().into();
        self.nodes[node].children.insert(segment, child);
        Some(child)
    }

    fn collect(
        &self,
        node: usize,
        name: &mut Vec<u8>,
        depth: usize,
        open: &BTreeSet<Vec<u8>>,
        sorting: Sorting,
        rows: &mut Vec<Row>,
    ) {
        let node = &self.nodes[node];
        let mut children: Vec<(&[u8], usize)> = node
            .children
            .iter()
            .map(|(segment, child)| (&**segment, *child))
            .collect();
        let heft = |child: usize| {
            let sums = &self.nodes[child].sums;
            match sorting {
                Sorting::Size => weight(sums).map_or(0, |weight| weight.bytes),
                Sorting::Keys => sums.keys,
                Sorting::Name | Sorting::Ttl | Sorting::Idle => 0,
            }
        };
        children.sort_by_key(|(_, child)| {
            (
                !self.nodes[*child].is_folder,
                std::cmp::Reverse(heft(*child)),
            )
        });
        let start = name.len();
        for (segment, child) in children {
            name.extend_from_slice(segment);
            let sums = self.nodes[child].sums;
            let is_folder = self.nodes[child].is_folder;
            let is_open = is_folder && open.contains(name);
            rows.push(Row {
                depth,
                name: name.clone(),
                start,
                what: if is_folder {
                    What::Folder { sums, is_open }
                } else {
                    What::Pattern(sums)
                },
            });
            if is_open {
                self.collect(child, name, depth + 1, open, sorting, rows);
            }
            name.truncate(start);
        }
        if node.hidden > 0 {
            rows.push(Row {
                depth,
                name: name.clone(),
                start,
                what: What::More(node.hidden),
            });
        }
    }
}

/// Where a row is among these.
pub fn place_of(rows: &[Row], id: &RowId) -> Option<usize> {
    rows.iter().position(|row| row.id() == *id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Builder;

    #[test]
    fn names_that_differ_by_their_ids_are_one_pattern() {
        let mut builder = Builder::default();
        for number in 1000..1200 {
            builder.add(format!("user:{number}:profile").as_bytes(), None);
            builder.add(format!("user:{number}:cart:{number}").as_bytes(), None);
        }
        builder.add(b"config", None);
        let mut patterns = Patterns::new(Delimiters::of([b":".to_vec()]));
        while patterns.step(&builder.catalog(), 7) {}
        let open = ["user:", "user:*:"].map(|name| name.as_bytes().to_vec());
        let rows = patterns.rows(&BTreeSet::from(open), Sorting::Name);
        let drawn: Vec<String> = rows
            .iter()
            .map(|row| {
                let keys = match row.what {
                    What::Folder { sums, .. } | What::Pattern(sums) => sums.keys,
                    _ => 0,
                };
                format!("{} {} {keys}", row.depth, row.segment().escape_ascii())
            })
            .collect();
        let expected = [
            "0 user: 400",
            "1 *: 400",
            "2 cart: 200",
            "2 profile 200",
            "0 config 1",
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn names_without_a_pattern_do_not_fill_the_memory() {
        let mut builder = Builder::default();
        let words = |mut number: usize| {
            let mut word = String::new();
            while number > 0 {
                word.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
                number /= 26;
            }
            word
        };
        for number in 1..=MOST + 100 {
            builder.add(words(number).as_bytes(), None);
        }
        let catalog = builder.catalog();
        let mut patterns = Patterns::new(Delimiters::of([b":".to_vec()]));
        while patterns.step(&catalog, 10_000) {}
        let rows = patterns.rows(&BTreeSet::new(), Sorting::Name);
        let hidden = rows.iter().find_map(|row| match row.what {
            What::More(hidden) => Some(hidden),
            _ => None,
        });
        assert_eq!(rows.len() - 1 + hidden.unwrap(), catalog.len());
    }
}
