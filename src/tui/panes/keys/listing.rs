//! The rows of the pane: names, filtered, as a list, a tree or patterns, in some order.
//!
//! What is shown is made of one picture of the walk and stays as it is until the next one is made
//! ready, bite by bite, beside it. What a person asks for (another order, a filter, an open folder) is
//! made on the spot instead and grows while one looks. A row is known by its name, which stays true
//! while rows above it come and go.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Sums};
use crate::tui::panes::keys::delimiters::Delimiters;
use crate::tui::panes::keys::filter::Filter;
use crate::tui::panes::keys::patterns::{self, Patterns};
use crate::tui::panes::keys::ranking::Ranking;
use crate::tui::panes::keys::rows::{Row, RowId, Sorting, What};
use crate::tui::panes::keys::sieve::{Sieve, Sifting};
use crate::tui::panes::keys::tree::Tree;

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
    fn sifted(self) -> usize {
        match self {
            Self::Small => 50_000,
            Self::Large => 300_000,
        }
    }

    /// Names that a level of the tree reads. In the middle of a walk they come out of many runs.
    fn read(self, names: &Catalog) -> usize {
        self.sifted() / 5 / (1 + names.runs().len().max(1).ilog2() as usize)
    }

    /// Names that are ranked.
    fn ranked(self) -> usize {
        self.sifted() * 3
    }

    /// Names that are made patterns of.
    fn collapsed(self) -> usize {
        self.sifted() / 40
    }
}

/// Of so many bites that a picture took, one is the time between two reports of a walk: a picture is
/// made ready no more often than leaves most of the time for the person.
const BITES_A_REPORT: u32 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    #[default]
    List,
    Tree,
    /// The tree with ids collapsed.
    Patterns,
}

impl Layout {
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tree => "tree",
            Self::Patterns => "patterns",
        }
    }
}

#[derive(Debug, Default)]
pub struct Listing {
    /// Everything that the walk has seen.
    latest: Catalog,
    /// The latest picture is not in what is shown or made ready.
    is_behind: bool,
    sieve: Option<Sieve>,
    layout: Layout,
    sorting: Sorting,
    delimiters: Delimiters,
    /// Folders that a person opened, by layout.
    open: BTreeSet<Vec<u8>>,
    open_patterns: BTreeSet<Vec<u8>>,
    shown: Picture,
    next: Option<Next>,
    /// Reports to let pass before the next picture is made ready.
    rest: u32,
}

/// Rows made of one picture of the walk.
#[derive(Debug, Default)]
struct Picture {
    /// The names that the filter lets through.
    names: Catalog,
    /// Names that the filter looked at.
    looked: usize,
    rows: Rows,
}

#[derive(Debug, Default)]
enum Rows {
    #[default]
    Names,
    Ranked(Ranking),
    Tree(Tree),
    Patterns {
        patterns: Patterns,
        rows: Vec<Row>,
    },
}

/// A picture that is being made.
#[derive(Debug)]
struct Next {
    all: Catalog,
    sifting: Sifting,
    rows: Rows,
    /// Sifted already.
    picture: Option<Picture>,
    /// A person waits for it.
    is_asked: bool,
    bites: u32,
}

impl Picture {
    /// Goes on making the rows; says whether there is more to do.
    fn step(&mut self, how: &How, bite: Bite) -> bool {
        match &mut self.rows {
            Rows::Names => false,
            Rows::Ranked(ranking) => ranking.step(&self.names, how.sorting, bite.ranked()),
            Rows::Tree(tree) => tree.step(&self.names, how.open, bite.read(&self.names)),
            Rows::Patterns { patterns, rows } => {
                let has_more = patterns.step(&self.names, bite.collapsed());
                *rows = patterns.rows(how.open_patterns, how.sorting);
                has_more
            }
        }
    }

    fn count(&self) -> usize {
        match &self.rows {
            Rows::Names => self.names.len(),
            Rows::Ranked(ranking) => ranking.count(),
            Rows::Tree(tree) => tree.rows(),
            Rows::Patterns { rows, .. } => rows.len(),
        }
    }

    fn window(&self, from: usize, count: usize) -> Vec<Row> {
        let key = |name: &[u8], fact| Row {
            depth: 0,
            name: name.to_vec(),
            start: 0,
            what: What::Key(fact),
        };
        match &self.rows {
            Rows::Names => {
                let mut names = self.names.at(from);
                let next = std::iter::from_fn(|| {
                    let (name, fact) = names.step()?;
                    Some(key(name, fact.copied()))
                });
                next.take(count).collect()
            }
            Rows::Ranked(ranking) => (from..from.saturating_add(count))
                .map_while(|place| ranking.get(place))
                .map(|(name, fact)| key(name, Some(*fact)))
                .collect(),
            Rows::Tree(tree) => tree.window(&self.names, from, count),
            Rows::Patterns { rows, .. } => rows.iter().skip(from).take(count).cloned().collect(),
        }
    }

    fn place_of(&self, id: &RowId) -> Option<usize> {
        match (&self.rows, id) {
            (Rows::Names, RowId::Key(name)) => {
                self.names.holds(name).then(|| self.names.rank(name))
            }
            (Rows::Ranked(ranking), RowId::Key(name)) => ranking.place_of(name),
            (Rows::Tree(tree), id) => tree.place_of(&self.names, id),
            (Rows::Patterns { rows, .. }, id) => patterns::place_of(rows, id),
            _ => None,
        }
    }
}

/// What rows depend on beside the names.
struct How<'a> {
    sorting: Sorting,
    open: &'a BTreeSet<Vec<u8>>,
    open_patterns: &'a BTreeSet<Vec<u8>>,
}

impl Listing {
    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn sorting(&self) -> Sorting {
        self.sorting
    }

    pub fn filter(&self) -> Option<&Filter> {
        self.sieve.as_ref().map(Sieve::filter)
    }

    /// Forgets all names and folders; filter, layout and sorting stay.
    pub fn begin(&mut self, delimiters: Delimiters) {
        self.delimiters = delimiters;
        self.open.clear();
        self.open_patterns.clear();
        self.latest = Catalog::default();
        self.arrange_anew();
    }

    /// The walk has seen all these by now.
    pub fn take(&mut self, names: Catalog) {
        self.latest = names;
        self.is_behind = true;
        self.rest = self.rest.saturating_sub(1);
    }

    /// The walk is over: what it saw last is shown as soon as can be.
    pub fn hurry(&mut self) {
        self.rest = 0;
    }

    pub fn set_filter(&mut self, filter: Option<Filter>) {
        self.sieve = filter.map(Sieve::of);
        self.arrange_anew();
    }

    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
        if !self.sortings().contains(&self.sorting) {
            self.sorting = Sorting::default();
        }
        self.arrange_anew();
    }

    /// The next order that makes sense here.
    pub fn next_sorting(&mut self) {
        let sortings = self.sortings();
        let at = sortings.iter().position(|one| *one == self.sorting);
        let next = at.map_or(0, |at| at + 1) % sortings.len();
        self.sorting = sortings[next];
        self.arrange_anew();
    }

    pub fn sort_by_name(&mut self) {
        self.sorting = Sorting::Name;
        self.arrange_anew();
    }

    fn sortings(&self) -> Vec<Sorting> {
        let sums = self.sums();
        let candidates: &[(Sorting, bool)] = match self.layout {
            Layout::List => &[
                (Sorting::Name, true),
                (Sorting::Ttl, sums.timed > 0),
                (Sorting::Size, sums.sized > 0),
                (Sorting::Idle, sums.used > 0),
            ],
            Layout::Tree | Layout::Patterns => &[
                (Sorting::Name, true),
                (Sorting::Keys, true),
                (Sorting::Size, sums.sized > 0),
            ],
        };
        let possible = candidates.iter().filter(|(_, is_possible)| *is_possible);
        possible.map(|(sorting, _)| *sorting).collect()
    }

    /// Does a bite of the work that is left; says whether there is more.
    pub fn step(&mut self, bite: Bite) -> bool {
        let how = How {
            sorting: self.sorting,
            open: &self.open,
            open_patterns: &self.open_patterns,
        };
        if self.next.as_ref().is_none_or(|next| !next.is_asked) && self.shown.step(&how, bite) {
            return true;
        }
        if self.next.is_none() {
            if !self.is_behind || self.rest > 0 {
                return false;
            }
            self.is_behind = false;
            self.next = Some(Next::of(&self.latest, self.new_rows(), false));
        }
        let how = How {
            sorting: self.sorting,
            open: &self.open,
            open_patterns: &self.open_patterns,
        };
        let Some(next) = &mut self.next else {
            return false;
        };
        next.bites += 1;
        if next.picture.is_none() && next.sift(self.sieve.as_mut(), bite) {
            if next.is_asked
                && matches!(next.rows, Rows::Names)
                && let Some(names) = next.sifting.news()
            {
                self.shown = Picture {
                    names,
                    looked: next.sifting.looked(),
                    rows: Rows::Names,
                };
            }
            return true;
        }
        let has_more = match &mut next.picture {
            // What a person waits for grows on the screen.
            Some(picture) if !next.is_asked => picture.step(&how, bite),
            _ => false,
        };
        if has_more {
            return true;
        }
        self.rest = next.bites / BITES_A_REPORT;
        let is_asked = next.is_asked;
        if let Some(picture) = self.next.take().and_then(|next| next.picture) {
            self.shown = picture;
        }
        (is_asked && self.shown.step(&how, bite)) || (self.is_behind && self.rest == 0)
    }

    /// Keys that the walk has seen.
    pub fn seen(&self) -> usize {
        self.latest.len()
    }

    /// What is told of all of them.
    pub fn sums(&self) -> Sums {
        self.latest.sums(b"")
    }

    /// Whether what a person asked for is not ready yet.
    pub fn is_arranging(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.is_asked)
    }

    /// Whether the filter has not looked at everything yet.
    pub fn is_filtering(&self) -> bool {
        self.sieve.is_some() && self.shown.looked < self.latest.len()
    }

    /// How many keys pass the filter, as far as known.
    pub fn matching(&self) -> usize {
        self.shown.names.len()
    }

    /// The first `most` of them.
    pub fn matching_names(&self, most: usize) -> Vec<Vec<u8>> {
        let mut names = self.shown.names.at(0);
        let next = std::iter::from_fn(|| names.step().map(|(name, _)| name.to_vec()));
        next.take(most).collect()
    }

    /// Keys that are ranked, where the list is no longer than that.
    pub fn ranked(&self) -> Option<usize> {
        match &self.shown.rows {
            Rows::Ranked(ranking) => Some(ranking.count()),
            _ => None,
        }
    }

    pub fn rows(&self) -> usize {
        self.shown.count()
    }

    pub fn window(&self, from: usize, count: usize) -> Vec<Row> {
        self.shown.window(from, count)
    }

    pub fn row(&self, place: usize) -> Option<Row> {
        self.window(place, 1).pop()
    }

    /// Where a row is now; of one in a folder that is not read so far, where the folder is.
    pub fn place_of(&self, id: &RowId) -> Option<usize> {
        let place = self.shown.place_of(id);
        match (&self.shown.rows, id) {
            (Rows::Tree(tree), RowId::Key(name) | RowId::Folder(name))
                if place.is_none() && tree.is_reading() =>
            {
                let parent = self.delimiters.parent(name);
                let is_inside = !parent.is_empty();
                is_inside.then(|| self.place_of(&RowId::Folder(parent.to_vec())))?
            }
            _ => place,
        }
    }

    pub fn open(&mut self, folder: &[u8]) {
        match &mut self.shown.rows {
            Rows::Tree(tree) => {
                self.open.insert(folder.to_vec());
                tree.open(&self.shown.names, folder);
            }
            Rows::Patterns { patterns, rows } => {
                self.open_patterns.insert(folder.to_vec());
                *rows = patterns.rows(&self.open_patterns, self.sorting);
            }
            Rows::Names | Rows::Ranked(_) => {}
        }
        // A picture that is being made knows nothing of it.
        self.is_behind |= self.next.take_if(|next| !next.is_asked).is_some();
    }

    /// Closes a folder and those in it.
    pub fn close(&mut self, folder: &[u8]) {
        match &mut self.shown.rows {
            Rows::Tree(tree) => {
                self.open.retain(|other| !other.starts_with(folder));
                tree.close(folder);
            }
            Rows::Patterns { patterns, rows } => {
                self.open_patterns
                    .retain(|other| !other.starts_with(folder));
                *rows = patterns.rows(&self.open_patterns, self.sorting);
            }
            Rows::Names | Rows::Ranked(_) => {}
        }
        self.is_behind |= self.next.take_if(|next| !next.is_asked).is_some();
    }

    /// The folder that a row is in; `None` on the outermost level.
    pub fn folder_of(&self, row: &Row) -> Option<RowId> {
        (row.depth > 0).then(|| RowId::Folder(row.name[..row.start].to_vec()))
    }

    /// Makes the first row visible whose name begins so, or else would stand after it, and says which
    /// that is. Folders on the way are opened.
    pub fn jump(&mut self, prefix: &[u8]) -> Option<RowId> {
        let mut names = self.shown.names.from(prefix);
        let name = names.step()?.0.to_vec();
        if self.layout != Layout::Tree {
            return Some(RowId::Key(name));
        }
        let common = prefix.iter().zip(&name).take_while(|(a, b)| a == b).count();
        let ends: Vec<usize> = self.delimiters.ends(&name).collect();
        for end in ends.iter().filter(|end| **end <= common) {
            self.open(&name[..*end]);
            // The level has to be there before the next one can be found in it.
            let how = How {
                sorting: self.sorting,
                open: &self.open,
                open_patterns: &self.open_patterns,
            };
            self.shown.step(&how, Bite::Small);
        }
        let row = ends.iter().find(|end| **end > common);
        Some(match row {
            Some(end) => RowId::Folder(name[..*end].to_vec()),
            None => RowId::Key(name),
        })
    }

    fn new_rows(&self) -> Rows {
        match (self.layout, self.sorting) {
            (Layout::List, Sorting::Name | Sorting::Keys) => Rows::Names,
            (Layout::List, _) => Rows::Ranked(Ranking::default()),
            (Layout::Tree, sorting) => Rows::Tree(Tree::new(self.delimiters.clone(), sorting)),
            (Layout::Patterns, _) => Rows::Patterns {
                patterns: Patterns::new(self.delimiters.clone()),
                rows: Vec::new(),
            },
        }
    }

    fn arrange_anew(&mut self) {
        self.is_behind = false;
        self.rest = 0;
        self.next = Some(Next::of(&self.latest, self.new_rows(), true));
        if self.latest.is_empty() {
            self.step(Bite::Small);
        }
    }
}

impl Next {
    fn of(all: &Catalog, rows: Rows, is_asked: bool) -> Self {
        Self {
            all: all.clone(),
            sifting: Sifting::default(),
            rows,
            picture: None,
            is_asked,
            bites: 0,
        }
    }

    /// Finds the names that the filter lets through; says whether there is more to do.
    fn sift(&mut self, sieve: Option<&mut Sieve>, bite: Bite) -> bool {
        let names = match sieve {
            None => self.all.clone(),
            Some(sieve) => {
                if sieve.step(&self.all, &mut self.sifting, bite.sifted()) {
                    return true;
                }
                self.sifting.catalog()
            }
        };
        self.picture = Some(Picture {
            names,
            looked: self.all.len(),
            rows: std::mem::take(&mut self.rows),
        });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Builder, Fact};
    use crate::model::{Bytes, Told, Ttl, UnixMs};

    fn names(all: &[&str]) -> Catalog {
        let mut builder = Builder::default();
        for name in all {
            builder.add(name.as_bytes(), None);
        }
        builder.catalog()
    }

    fn settle(listing: &mut Listing) {
        while listing.step(Bite::Small) {}
    }

    fn drawn(listing: &Listing) -> Vec<String> {
        let rows = listing.window(0, 100);
        let drawn = rows
            .iter()
            .map(|row| row.segment().escape_ascii().to_string());
        drawn.collect()
    }

    fn listing(all: &[&str]) -> Listing {
        let mut listing = Listing::default();
        listing.begin(Delimiters::of([b":".to_vec()]));
        listing.take(names(all));
        settle(&mut listing);
        listing
    }

    #[test]
    fn the_list_is_sorted_by_name_while_names_come() {
        let mut listing = listing(&["b", "a"]);
        assert_eq!(drawn(&listing), ["a", "b"]);
        listing.take(names(&["b", "a", "aa"]));
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["a", "aa", "b"]);
        assert_eq!(listing.place_of(&RowId::Key(b"b".to_vec())), Some(2));
        assert_eq!(listing.jump(b"aaa"), Some(RowId::Key(b"b".to_vec())));
        listing.next_sorting();
        assert_eq!(listing.sorting(), Sorting::Name);
    }

    #[test]
    fn a_filter_works_in_list_and_tree_and_goes_on_with_the_walk() {
        let mut listing = listing(&["user:1", "cart:1", "user:2"]);
        listing.set_filter(Filter::read("user", UnixMs(0)).unwrap());
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:1", "user:2"]);
        assert_eq!(listing.place_of(&RowId::Key(b"cart:1".to_vec())), None);
        listing.set_layout(Layout::Tree);
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:"]);
        listing.open(b"user:");
        settle(&mut listing);
        listing.take(names(&["user:1", "cart:1", "user:2", "user:0", "cart:2"]));
        settle(&mut listing);
        assert_eq!(drawn(&listing), ["user:", "0", "1", "2"]);
        assert_eq!((listing.matching(), listing.seen()), (3, 5));
        let inside = listing.row(2).unwrap();
        assert_eq!(
            listing.folder_of(&inside),
            Some(RowId::Folder(b"user:".to_vec()))
        );
    }

    #[test]
    fn a_jump_opens_the_folders_on_its_way() {
        let mut listing = listing(&["user:1:name", "user:2:name", "cart:1"]);
        listing.set_layout(Layout::Tree);
        settle(&mut listing);
        let found = listing.jump(b"user:2:").unwrap();
        settle(&mut listing);
        assert_eq!(found, RowId::Key(b"user:2:name".to_vec()));
        assert_eq!(drawn(&listing), ["cart:", "user:", "1:", "2:", "name"]);
        assert_eq!(listing.place_of(&found), Some(4));
    }

    #[test]
    fn what_the_walk_tells_can_be_sorted_by() {
        let mut builder = Builder::default();
        for (name, ttl, size) in [
            ("a:never", Ttl::None, 10),
            ("a:late", Ttl::Until(UnixMs(9_000)), 30),
            ("b:soon", Ttl::Until(UnixMs(5_000)), 200),
        ] {
            let told = Told {
                ttl,
                size: Some(Bytes(size)),
                ..Told::default()
            };
            builder.add(name.as_bytes(), Some(Fact::of(&told)));
        }
        let mut listing = listing(&[]);
        listing.take(builder.catalog());
        let mut orders = Vec::new();
        for _ in 0..3 {
            settle(&mut listing);
            orders.push(drawn(&listing).join(" "));
            listing.next_sorting();
        }
        listing.set_layout(Layout::Tree);
        for _ in 0..3 {
            settle(&mut listing);
            orders.push(drawn(&listing).join(" "));
            listing.next_sorting();
        }
        assert_eq!(
            orders,
            [
                "a:late a:never b:soon",
                "b:soon a:late a:never",
                "b:soon a:late a:never",
                "a: b:",
                "a: b:",
                "b: a:"
            ]
        );
    }
}
