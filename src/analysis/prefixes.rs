//! Keys by what their names begin with, at every depth, in bounded memory.
//!
//! A tree of patterns: a node for each segment below another, and each key counted at the one node
//! where its name ends. A report adds up from the leaves, so a parent is the sum of its children.
//!
//! While there is room everything is exact. When the budget is full, the lightest leaves are folded
//! into their parents, which keeps the parents exact, and the weight up to which leaves were folded is
//! remembered. A pattern that comes (again) after that may have been folded before with at most that
//! weight, so its row carries an interval from what was counted since to that much more. This is the
//! guarantee of lossy counting (Manku and Motwani, 2002), for keys and for bytes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisAsk;
use crate::analysis::cutter::{Cutter, Segmented, Segments};
use crate::analysis::expiry::Left;
use crate::analysis::hash::Keyed;
use crate::analysis::report::{PrefixError, PrefixRow};
use crate::analysis::scale::{Scale, Sum};
use crate::model::Bytes;
use crate::text;

/// What a node takes beside its name, its place in the index included.
const NODE: usize = size_of::<Node>() + 32;
/// Classes of the seconds left, each twice the one before.
const TTL_CLASSES: usize = 24;
const ROOT: u32 = 0;

/// What is counted of a key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    pub size: Option<u64>,
    pub ttl: Left,
    pub is_idle: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Prefixes {
    cutter: Cutter,
    budget: Bytes,
    nodes: Vec<Node>,
    /// Nodes by a hash of parent and segment; those that share one are chained.
    index: HashMap<u64, u32, BuildAsIs>,
    hasher: Keyed,
    names: usize,
    /// The weight up to which leaves were folded.
    bar: Weight,
    folded: u64,
    scratch: Segments,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Weight {
    keys: u64,
    bytes: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Node {
    parent: u32,
    depth: u32,
    /// With its delimiter, where it is a folder.
    segment: Box<[u8]>,
    is_folder: bool,
    /// The next node with the same hash.
    next: Option<u32>,
    /// What may have been folded away before this node was made.
    missed: Weight,
    tally: Tally,
}

/// What was counted of keys that end at a node.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Tally {
    keys: u64,
    bytes: Sum,
    sized: u64,
    without_ttl: u64,
    idle: u64,
    /// Keys of which idleness was told.
    used: u64,
    ttl: [u32; TTL_CLASSES],
    ttl_least: Option<u32>,
    ttl_most: u32,
}

impl Prefixes {
    pub fn new(ask: &AnalysisAsk) -> Self {
        let mut prefixes = Self {
            cutter: Cutter::new(ask),
            budget: ask.budget,
            nodes: Vec::new(),
            index: HashMap::default(),
            hasher: Keyed::default(),
            names: 0,
            bar: Weight::default(),
            folded: 0,
            scratch: Segments::default(),
        };
        prefixes.nodes.push(Node::default());
        prefixes
    }

    pub fn take(&mut self, name: &[u8], facts: &Facts) {
        let mut segments = std::mem::take(&mut self.scratch);
        segments.clear();
        self.cutter.cut(name, &mut segments);
        self.take_cut(segments.between(0, segments.len()), facts);
        self.scratch = segments;
    }

    /// The same of a name that was cut before.
    pub fn take_cut(&mut self, segments: Segmented<'_>, facts: &Facts) {
        let mut node = ROOT;
        for (depth, (segment, is_folder)) in (1..).zip(segments.iter()) {
            node = self.node(node, depth, segment, is_folder);
        }
        self.nodes[node as usize].tally.add(facts);
        if self.takes() > self.budget.0 {
            self.fold();
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for node in other.nodes.iter().skip(1) {
            let mut path = Vec::new();
            let mut at = node;
            while at.depth > 0 {
                path.push(at);
                at = &other.nodes[at.parent as usize];
            }
            let mut ours = ROOT;
            for step in path.iter().rev() {
                ours = self.node(ours, step.depth, &step.segment, step.is_folder);
                let missed = &mut self.nodes[ours as usize].missed;
                missed.keys = missed.keys.max(step.missed.keys);
                missed.bytes = missed.bytes.max(step.missed.bytes);
            }
            self.nodes[ours as usize].tally.merge(&node.tally);
        }
        self.nodes[0].tally.merge(&other.nodes[0].tally);
        // What one of them folded, the other may still show: both errors add up.
        self.bar.keys += other.bar.keys;
        self.bar.bytes += other.bar.bytes;
        if self.bar != Weight::default() {
            for node in &mut self.nodes {
                node.missed = self.bar;
            }
        }
        self.folded += other.folded;
        if self.takes() > self.budget.0 {
            self.fold();
        }
    }

    /// The heaviest prefixes at every depth, parents before their children, and how far off they may
    /// be.
    pub fn rows(&self, most: usize, scale: &Scale) -> (Vec<PrefixRow>, Option<PrefixError>) {
        let sums = self.sums();
        let shown = self.shown(&sums, most);
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for node in shown {
            children
                .entry(self.nodes[node as usize].parent)
                .or_default()
                .push(node);
        }
        for list in children.values_mut() {
            list.sort_by(|a, b| {
                let of = |node: &u32| (sums[*node as usize].bytes.total, sums[*node as usize].keys);
                let by_name = || {
                    self.nodes[*a as usize]
                        .segment
                        .cmp(&self.nodes[*b as usize].segment)
                };
                of(b).cmp(&of(a)).then_with(by_name)
            });
        }
        let mut rows = Vec::new();
        let mut open: Vec<(u32, Vec<u8>)> = vec![(ROOT, Vec::new())];
        while let Some((node, prefix)) = open.pop() {
            if node != ROOT {
                rows.push(self.row(node, &prefix, &sums[node as usize], scale));
            }
            for child in children.remove(&node).unwrap_or_default().into_iter().rev() {
                let mut longer = prefix.clone();
                longer.extend_from_slice(&self.nodes[child as usize].segment);
                open.push((child, longer));
            }
        }
        let error = (self.folded > 0).then_some(PrefixError {
            keys: self.bar.keys,
            bytes: self.bar.bytes,
            folded: self.folded,
        });
        (rows, error)
    }

    fn row(&self, node: u32, prefix: &[u8], sum: &Tally, scale: &Scale) -> PrefixRow {
        let node = &self.nodes[node as usize];
        let keys = |count| scale.with_missed(scale.keys(count), node.missed.keys);
        PrefixRow {
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                text::escape(prefix)
            },
            depth: node.depth,
            is_leaf: !node.is_folder,
            keys: keys(sum.keys),
            bytes: (sum.sized > 0)
                .then(|| scale.with_missed(scale.bytes(&sum.bytes), node.missed.bytes)),
            without_ttl: keys(sum.without_ttl),
            ttl_p50_s: sum.ttl_median(),
            ttl_range_s: sum
                .ttl_least
                .map(|least| (u64::from(least), u64::from(sum.ttl_most))),
            idle: (sum.used > 0).then(|| keys(sum.idle)),
        }
    }

    /// What is below each node and at it. Children stand behind their parents.
    fn sums(&self) -> Vec<Tally> {
        let mut sums: Vec<Tally> = self.nodes.iter().map(|node| node.tally).collect();
        for place in self.by_depth().into_iter().rev() {
            let node = &self.nodes[place as usize];
            if node.depth > 0 {
                let sum = sums[place as usize];
                sums[node.parent as usize].merge(&sum);
            }
        }
        sums
    }

    fn by_depth(&self) -> Vec<u32> {
        let mut places: Vec<u32> = (0..).take(self.nodes.len()).collect();
        places.sort_by_key(|place| self.nodes[*place as usize].depth);
        places
    }

    /// The heaviest nodes; with a node also its parents, which are heavier still.
    fn shown(&self, sums: &[Tally], most: usize) -> Vec<u32> {
        let mut places: Vec<u32> = (1..).take(self.nodes.len() - 1).collect();
        if places.len() > most {
            places.sort_by_key(|place| {
                let sum = &sums[*place as usize];
                let node = &self.nodes[*place as usize];
                (std::cmp::Reverse((sum.bytes.total, sum.keys)), node.depth)
            });
            places.truncate(most);
        }
        places
    }

    fn node(&mut self, parent: u32, depth: u32, segment: &[u8], is_folder: bool) -> u32 {
        let hash = self.hasher.of(parent.into(), segment);
        let first = self.index.get(&hash).copied();
        let mut at = first;
        while let Some(place) = at {
            let node = &self.nodes[place as usize];
            if node.parent == parent && *node.segment == *segment && node.is_folder == is_folder {
                return place;
            }
            at = node.next;
        }
        let node = Node {
            parent,
            depth,
            segment: segment.into(),
            is_folder,
            next: first,
            missed: self.bar,
            ..Node::default()
        };
        self.names += segment.len();
        let place = u32::try_from(self.nodes.len()).expect("the budget is smaller");
        self.nodes.push(node);
        self.index.insert(hash, place);
        place
    }

    fn takes(&self) -> u64 {
        (self.nodes.len() * NODE + self.names) as u64
    }

    /// Makes room: folds the lightest leaves into their parents, and what becomes a light leaf by that.
    fn fold(&mut self) {
        while self.takes() > self.budget.0 / 4 * 3 && self.nodes.len() > 1 {
            let mut children = vec![0_u32; self.nodes.len()];
            for node in self.nodes.iter().skip(1) {
                children[node.parent as usize] += 1;
            }
            self.raise_bar(&children);
            let mut is_folded = vec![false; self.nodes.len()];
            for place in self
                .by_depth()
                .into_iter()
                .rev()
                .map(|place| place as usize)
            {
                let node = &self.nodes[place];
                let is_light =
                    node.keys_at_most() <= self.bar.keys && node.bytes_at_most() <= self.bar.bytes;
                if place == 0 || children[place] > 0 || !is_light {
                    continue;
                }
                let (tally, parent) = (node.tally, node.parent as usize);
                self.nodes[parent].tally.merge(&tally);
                children[parent] -= 1;
                is_folded[place] = true;
                self.folded += 1;
            }
            self.close_up(&is_folded);
        }
    }

    /// So high that most leaves are below it.
    fn raise_bar(&mut self, children: &[u32]) {
        let leaves = || {
            let nodes = self.nodes.iter().zip(children).skip(1);
            nodes.filter_map(|(node, children)| (*children == 0).then_some(node))
        };
        let most = |mut all: Vec<u64>| {
            all.sort_unstable();
            all.get(all.len() * 3 / 4).copied().unwrap_or_default()
        };
        let keys = most(leaves().map(Node::keys_at_most).collect());
        let bytes = most(leaves().map(Node::bytes_at_most).collect());
        self.bar = Weight {
            keys: self.bar.keys.max(keys),
            bytes: self.bar.bytes.max(bytes),
        };
    }

    /// Takes the folded nodes out; the others keep their order.
    fn close_up(&mut self, is_folded: &[bool]) {
        let mut places = vec![ROOT; self.nodes.len()];
        let mut next = 0_u32;
        for (place, is_folded) in is_folded.iter().enumerate() {
            places[place] = next;
            next += u32::from(!is_folded);
        }
        let nodes = std::mem::take(&mut self.nodes);
        self.index.clear();
        self.names = 0;
        for (node, is_folded) in nodes.into_iter().zip(is_folded) {
            if *is_folded {
                continue;
            }
            let place = u32::try_from(self.nodes.len()).expect("fewer than before");
            let parent = places[node.parent as usize];
            let mut node = Node {
                parent,
                next: None,
                ..node
            };
            if node.depth > 0 {
                let hash = self.hasher.of(parent.into(), &node.segment);
                node.next = self.index.insert(hash, place);
                self.names += node.segment.len();
            }
            self.nodes.push(node);
        }
    }
}

impl Node {
    /// More it cannot have, had it never been folded.
    fn keys_at_most(&self) -> u64 {
        self.tally.keys + self.missed.keys
    }

    fn bytes_at_most(&self) -> u64 {
        self.tally.bytes.total + self.missed.bytes
    }
}

impl Tally {
    fn add(&mut self, facts: &Facts) {
        self.keys += 1;
        if let Some(size) = facts.size {
            self.bytes.add(size);
            self.sized += 1;
        }
        match facts.ttl {
            Left::Unknown => {}
            Left::Never => self.without_ttl += 1,
            Left::Seconds(left) => {
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                let class = (u32::BITS - left.leading_zeros()) as usize;
                self.ttl[class.min(TTL_CLASSES - 1)] += 1;
                self.ttl_least = Some(self.ttl_least.map_or(left, |least| least.min(left)));
                self.ttl_most = self.ttl_most.max(left);
            }
        }
        if let Some(is_idle) = facts.is_idle {
            self.used += 1;
            self.idle += u64::from(is_idle);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.bytes.merge(&other.bytes);
        self.sized += other.sized;
        self.without_ttl += other.without_ttl;
        self.idle += other.idle;
        self.used += other.used;
        for (ours, theirs) in self.ttl.iter_mut().zip(other.ttl) {
            *ours = ours.saturating_add(theirs);
        }
        self.ttl_least = match (self.ttl_least, other.ttl_least) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.ttl_most = self.ttl_most.max(other.ttl_most);
    }

    /// The middle of the class that holds the median, within what was met.
    fn ttl_median(&self) -> Option<u64> {
        let least = u64::from(self.ttl_least?);
        let all: u64 = self.ttl.iter().map(|count| u64::from(*count)).sum();
        let mut passed = 0;
        let class = self.ttl.iter().position(|count| {
            passed += u64::from(*count);
            passed * 2 >= all
        })?;
        let middle = match class {
            0 => 0,
            class => 3 * (1_u64 << (class - 1)) / 2,
        };
        Some(middle.clamp(least, u64::from(self.ttl_most)))
    }
}

/// A hash is its own hash.
type BuildAsIs = std::hash::BuildHasherDefault<AsIs>;

#[derive(Clone, Debug, Default)]
struct AsIs(u64);

impl std::hash::Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What is kept of it in a file: hashes are made anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    delimiters: Vec<Vec<u8>>,
    collapses_ids: bool,
    budget: u64,
    nodes: Vec<Node>,
    bar: Weight,
    folded: u64,
}

impl From<Prefixes> for Kept {
    fn from(prefixes: Prefixes) -> Self {
        Self {
            delimiters: prefixes.cutter.delimiters().to_vec(),
            collapses_ids: prefixes.cutter.collapses_ids(),
            budget: prefixes.budget.0,
            nodes: prefixes.nodes,
            bar: prefixes.bar,
            folded: prefixes.folded,
        }
    }
}

impl From<Kept> for Prefixes {
    fn from(kept: Kept) -> Self {
        let mut prefixes = Self::new(&AnalysisAsk {
            delimiters: kept.delimiters,
            collapses_ids: kept.collapses_ids,
            budget: Bytes(kept.budget),
            ..AnalysisAsk::default()
        });
        let last = kept.nodes.len();
        // A file that was written by somebody else must not lead anywhere.
        let is_sound = kept.nodes.iter().enumerate().all(|(place, node)| {
            (node.parent as usize) < place.max(1) && (node.depth > 0) == (place > 0)
        });
        if is_sound && last > 0 {
            prefixes.nodes = kept.nodes;
            prefixes.bar = kept.bar;
            prefixes.folded = kept.folded;
            prefixes.close_up(&vec![false; last]);
        }
        prefixes
    }
}

#[cfg(test)]
mod tests;
