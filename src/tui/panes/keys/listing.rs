//! The rows of the pane: names, filtered, as a list or a tree, in some order.
//!
//! Everything here goes on bite by bite while names arrive; a row is found by its place, and a place
//! by the row's path, which stays true while rows above it come and go.

use std::cmp::Ordering;

use crate::model::{Ttl, WalkKey};
use crate::tui::panes::keys::filter::Filter;
use crate::tui::panes::keys::names::{Free, Kept, Names};
use crate::tui::panes::keys::order::Order;
use crate::tui::panes::keys::tree::{Row, Source, Tree, What};

/// How much work is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bite {
    /// While a key press or a report is answered: a millisecond or two.
    Small,
    /// When nothing else is waiting: most of a frame.
    Large,
}

impl Bite {
    /// Names that a filter looks at.
    fn filtered(self) -> usize {
        match self {
            Self::Small => 15_000,
            Self::Large => 100_000,
        }
    }

    /// Names that a level of the tree reads.
    fn read(self) -> usize {
        self.filtered() / 6
    }

    /// Comparisons that an order makes.
    fn compared(self) -> usize {
        self.filtered() / 3
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    #[default]
    List,
    Tree,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    #[default]
    Arrival,
    Name,
    /// The soonest to expire first. Only where the walk tells TTLs.
    Ttl,
    /// The largest first. Only where the walk tells sizes.
    Size,
}

impl Sorting {
    pub fn word(self) -> &'static str {
        match self {
            Self::Arrival => "as they came",
            Self::Name => "by name",
            Self::Ttl => "by TTL",
            Self::Size => "by size",
        }
    }
}

#[derive(Debug)]
pub struct Listing {
    names: Names,
    filter: Option<Filter>,
    layout: Layout,
    sorting: Sorting,
    order: Order,
    /// Places of the source that the order was given.
    ordered: usize,
    tree: Tree,
    delimiter: Vec<u8>,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            names: Names::default(),
            filter: None,
            layout: Layout::default(),
            sorting: Sorting::default(),
            order: Order::default(),
            ordered: 0,
            tree: Tree::new(b":"),
            delimiter: b":".to_vec(),
        }
    }
}

impl Listing {
    pub fn names(&self) -> &Names {
        &self.names
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn sorting(&self) -> Sorting {
        self.sorting
    }

    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// Forgets all names; filter, layout and sorting stay.
    pub fn begin(&mut self, delimiter: &[u8]) {
        self.names = Names::default();
        self.delimiter = delimiter.to_vec();
        if let Some(filter) = &mut self.filter {
            filter.restart();
        }
        self.arrange_anew();
    }

    /// Takes in what a walk found, and gives the number of the new names.
    pub fn take(&mut self, found: &[WalkKey]) -> usize {
        let keep = |key: &WalkKey| {
            let free = key.told.as_ref().map(|told| Free {
                ttl: told.ttl,
                size: told.size,
            });
            matches!(self.names.add(key.key.bytes(), free), Kept::New(_))
        };
        found.iter().map(keep).filter(|is_new| *is_new).count()
    }

    pub fn set_filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
        self.arrange_anew();
    }

    pub fn toggle_layout(&mut self) {
        self.layout = match self.layout {
            Layout::List => Layout::Tree,
            Layout::Tree => Layout::List,
        };
        self.arrange_anew();
    }

    /// The next order that makes sense here.
    pub fn next_sorting(&mut self) {
        let is_free = !self.names.is_empty() && self.names.free(0).is_some();
        self.sorting = match self.sorting {
            Sorting::Arrival => Sorting::Name,
            Sorting::Name if is_free => Sorting::Ttl,
            Sorting::Ttl => Sorting::Size,
            Sorting::Name | Sorting::Size => Sorting::Arrival,
        };
        self.arrange_anew();
    }

    /// Does a bite of the work that is left; says whether there is more.
    pub fn step(&mut self, bite: Bite) -> bool {
        let is_filtering = match &mut self.filter {
            Some(filter) => filter.step(&self.names, bite.filtered()),
            None => false,
        };
        is_filtering | self.arrange(bite)
    }

    /// Whether the rows are not in the wanted order yet.
    pub fn is_sorting(&self) -> bool {
        self.layout == Layout::List && self.matching() > 0 && self.shown_sorting() != self.sorting
    }

    /// How many keys pass the filter, as far as known.
    pub fn matching(&self) -> usize {
        self.source().count()
    }

    /// The first `most` of them, in the order of arrival.
    pub fn matching_ids(&self, most: usize) -> Vec<u32> {
        let mut ids = Vec::new();
        self.source().each(0, most, |id, _| ids.push(id));
        ids
    }

    pub fn rows(&self) -> usize {
        match (self.layout, self.shown_sorting()) {
            (Layout::Tree, _) => self.tree.rows(),
            (Layout::List, Sorting::Arrival) => self.matching(),
            (Layout::List, _) => self.order.len(),
        }
    }

    pub fn window(&self, from: usize, count: usize) -> Vec<Row<'_>> {
        if self.layout == Layout::Tree {
            return self.tree.window(self.source(), from, count);
        }
        let end = self.rows().min(from.saturating_add(count));
        (from..end)
            .filter_map(|place| self.id_at(place))
            .map(|id| Row {
                path: vec![id],
                segment: self.names.get(id),
                what: What::Key(id),
            })
            .collect()
    }

    pub fn row(&self, place: usize) -> Option<Row<'_>> {
        self.window(place, 1).pop()
    }

    /// Where a row is now.
    pub fn place_of(&self, path: &[u32]) -> Option<usize> {
        if self.layout == Layout::Tree {
            return self.tree.place_of(self.source(), path);
        }
        let id = *path.first()?;
        let place = match (self.shown_sorting(), &self.filter) {
            (Sorting::Arrival, None) => id as usize,
            (Sorting::Arrival, Some(filter)) => filter.hits().partition_point(|hit| *hit < id),
            (sorting, _) => {
                let names = &self.names;
                self.order
                    .position(|other| compare(names, sorting, other, id))
            }
        };
        (self.id_at(place) == Some(id)).then_some(place)
    }

    pub fn open(&mut self, path: &[u32]) {
        self.tree.open(&self.names, path);
    }

    pub fn close(&mut self, path: &[u32]) {
        self.tree.close(path);
    }

    /// The whole name that a row stands for; of a folder, what its keys begin with.
    pub fn name_of(&self, row: &Row) -> Vec<u8> {
        match row.what {
            What::Key(id) => self.names.get(id).to_vec(),
            What::Folder { .. } => self
                .tree
                .prefix_of(self.source(), &row.path)
                .unwrap_or_default(),
        }
    }

    fn id_at(&self, place: usize) -> Option<u32> {
        match (self.shown_sorting(), &self.filter) {
            (Sorting::Arrival, None) => u32::try_from(place)
                .ok()
                .filter(|id| *id < self.names.len()),
            (Sorting::Arrival, Some(filter)) => filter.hits().get(place).copied(),
            _ => self.order.get(place),
        }
    }

    /// Until a new order is there, rows stay as they came: a list that is there beats none.
    fn shown_sorting(&self) -> Sorting {
        if self.order.is_empty() {
            Sorting::Arrival
        } else {
            self.sorting
        }
    }

    fn source(&self) -> Source<'_> {
        source(&self.names, self.filter.as_ref())
    }

    fn arrange(&mut self, bite: Bite) -> bool {
        let source = source(&self.names, self.filter.as_ref());
        match (self.layout, self.sorting) {
            (Layout::Tree, _) => self.tree.step(source, bite.read(), bite.compared()),
            (Layout::List, Sorting::Arrival) => false,
            (Layout::List, sorting) => {
                let order = &mut self.order;
                source.each(self.ordered, usize::MAX, |id, _| order.push(id));
                self.ordered = source.count();
                let names = &self.names;
                order.step(bite.compared(), |a, b| compare(names, sorting, a, b))
            }
        }
    }

    fn arrange_anew(&mut self) {
        self.order = Order::default();
        self.ordered = 0;
        self.tree = Tree::new(&self.delimiter);
    }
}

fn source<'a>(names: &'a Names, filter: Option<&'a Filter>) -> Source<'a> {
    match filter {
        None => Source::All(names),
        Some(filter) => Source::Some(names, filter.hits()),
    }
}

/// Numbers of names in an order that never calls two of them equal.
fn compare(names: &Names, sorting: Sorting, a: u32, b: u32) -> Ordering {
    let by_rank = match sorting {
        Sorting::Arrival => Ordering::Equal,
        Sorting::Name => return names.get(a).cmp(names.get(b)),
        Sorting::Ttl => soonest(names, a).cmp(&soonest(names, b)),
        Sorting::Size => largest(names, b).cmp(&largest(names, a)),
    };
    by_rank.then(a.cmp(&b))
}

/// Keys that never expire, or of which it is not known, come last.
fn soonest(names: &Names, id: u32) -> i64 {
    match names.free(id).map(|free| free.ttl) {
        Some(Ttl::Until(end)) => end.0,
        Some(Ttl::None) => i64::MAX - 1,
        Some(Ttl::Unknown) | None => i64::MAX,
    }
}

/// Unknown sizes come last.
fn largest(names: &Names, id: u32) -> Option<u64> {
    names.free(id)?.size.map(|size| size.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bytes, Key, KeyKind, Told, UnixMs};

    fn found(names: &[&str]) -> Vec<WalkKey> {
        let key = |name: &&str| WalkKey {
            key: Key::from(*name),
            told: None,
        };
        names.iter().map(key).collect()
    }

    fn settle(listing: &mut Listing) {
        while listing.step(Bite::Small) {}
    }

    fn drawn(listing: &Listing) -> Vec<String> {
        let rows = listing.window(0, 100);
        rows.iter()
            .map(|row| row.segment.escape_ascii().to_string())
            .collect()
    }

    #[test]
    fn the_list_is_in_the_order_of_arrival_and_sorts_by_name() {
        let mut listing = Listing::default();
        assert_eq!(listing.take(&found(&["b", "a", "b"])), 2);
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["b", "a"]);
        listing.next_sorting();
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["a", "b"]);
        listing.take(&found(&["aa"]));
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["a", "aa", "b"]);
        assert_eq!(listing.place_of(&[0]), Some(2));
        listing.next_sorting();
        assert_eq!(listing.sorting(), Sorting::Arrival);
    }

    #[test]
    fn a_filter_works_in_list_and_tree_and_goes_on_with_the_walk() {
        let mut listing = Listing::default();
        listing.take(&found(&["user:1", "cart:1", "user:2"]));
        listing.set_filter(Filter::read("user").unwrap());
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:1", "user:2"]);
        assert_eq!(listing.place_of(&[2]), Some(1));
        assert_eq!(listing.place_of(&[1]), None);
        listing.toggle_layout();
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:"]);
        let path = listing.row(0).unwrap().path;
        listing.open(&path);
        listing.take(&found(&["user:0", "cart:2"]));
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:", "0", "1", "2"]);
        let folder = listing.row(0).unwrap();
        assert_eq!(listing.name_of(&folder), b"user:");
    }

    #[test]
    fn what_the_walk_tells_can_be_sorted_by() {
        let mut listing = Listing::default();
        let key = |name: &str, ttl, size| WalkKey {
            key: Key::from(name),
            told: Some(Told {
                kind: Some(KeyKind::Item),
                ttl,
                size: Some(Bytes(size)),
                ..Told::default()
            }),
        };
        listing.take(&[
            key("never", Ttl::None, 10),
            key("late", Ttl::Until(UnixMs(9_000)), 30),
            key("soon", Ttl::Until(UnixMs(5_000)), 20),
        ]);
        let mut orders = Vec::new();
        for _ in 0..4 {
            assert_eq!(listing.rows(), 3);
            settle(&mut listing);
            orders.push(drawn(&listing).join(" "));
            listing.next_sorting();
        }
        assert_eq!(
            orders,
            [
                "never late soon",
                "late never soon",
                "soon late never",
                "late soon never"
            ]
        );
    }
}
