use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, prop, proptest};

use super::*;
use crate::catalog::{Builder, Fact};
use crate::model::{Bytes, Told};

fn names(all: &[&[u8]]) -> Catalog {
    let mut builder = Builder::default();
    for name in all {
        builder.add(name, None);
    }
    builder.catalog()
}

fn colon() -> Delimiters {
    Delimiters::of([b":".to_vec()])
}

fn settle(tree: &mut Tree, names: &Catalog) {
    while tree.step(names, &BTreeSet::new(), 3) {}
}

fn settled(names: &Catalog, delimiters: &[&[u8]]) -> Tree {
    let delimiters = delimiters.iter().map(|one| one.to_vec());
    let mut tree = Tree::new(Delimiters::of(delimiters), Sorting::Name);
    settle(&mut tree, names);
    tree
}

fn drawn(tree: &Tree, names: &Catalog) -> Vec<String> {
    tree.window(names, 0, 100)
        .iter()
        .map(|row| {
            let indent = "  ".repeat(row.depth);
            let segment = row.segment().escape_ascii();
            match &row.what {
                What::Folder { sums, is_open } => {
                    let sign = if *is_open { '-' } else { '+' };
                    format!("{indent}{sign}{segment} {}", sums.keys)
                }
                What::More(more) => format!("{indent}{more} more"),
                _ => format!("{indent}{segment}"),
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
    let mut tree = settled(&names, &[b":"]);
    assert_eq!(
        drawn(&tree, &names),
        ["+: 1", "+a: 1", "+user: 4", "", "user", "zoo"]
    );
    tree.open(&names, b"user:");
    settle(&mut tree, &names);
    assert_eq!(
        drawn(&tree, &names),
        [
            "+: 1", "+a: 1", "-user: 4", "  +1: 2", "  +2: 1", "  ", "", "user", "zoo"
        ]
    );
    tree.open(&names, b"user:1:");
    settle(&mut tree, &names);
    assert_eq!(
        drawn(&tree, &names)[3..7],
        ["  -1: 2", "    age", "    name", "  +2: 1"]
    );
    tree.close(b"user:");
    assert_eq!(tree.rows(), 6);
}

#[test]
fn what_was_open_is_open_in_the_next_tree() {
    let names = names(&[b"m/1", b"m/2", b"m/x/1", b"a/1"]);
    let open = BTreeSet::from([b"m/".to_vec(), b"m/x/".to_vec(), b"gone/".to_vec()]);
    let mut tree = Tree::new(Delimiters::of([b"/".to_vec()]), Sorting::Name);
    while tree.step(&names, &open, 2) {}
    assert_eq!(
        drawn(&tree, &names),
        ["+a/ 1", "-m/ 3", "  -x/ 1", "    1", "  1", "  2"]
    );
    let id = RowId::Key(b"m/2".to_vec());
    assert_eq!(tree.place_of(&names, &id), Some(5));
}

#[test]
fn delimiters_may_be_several_of_several_bytes_or_none() {
    let names = names(&[b"a::b::c", b"a:b", b"b/c"]);
    for (delimiters, expected) in [
        (&[&b"::"[..]][..], &["+a:: 1", "a:b", "b/c"][..]),
        (&[], &["a::b::c", "a:b", "b/c"]),
        (&[b"/", b":"], &["+a: 2", "+b/ 1"]),
    ] {
        let tree = settled(&names, delimiters);
        assert_eq!(drawn(&tree, &names), expected);
    }
}

#[test]
fn folders_sort_by_their_keys_or_bytes_and_the_rest_is_counted() {
    let mut builder = Builder::default();
    for (folder, keys, size) in [("a", 1, 500), ("b", 3, 10), ("c", 2, 100)] {
        for key in 0..keys {
            let told = Told {
                size: Some(Bytes(size)),
                ..Told::default()
            };
            builder.add(format!("{folder}:{key}").as_bytes(), Some(Fact::of(&told)));
        }
    }
    let names = builder.catalog();
    for (sorting, expected) in [
        (Sorting::Keys, ["+b: 3", "+c: 2", "+a: 1"]),
        (Sorting::Size, ["+a: 1", "+c: 2", "+b: 3"]),
    ] {
        let mut tree = Tree::new(colon(), sorting);
        settle(&mut tree, &names);
        assert_eq!(drawn(&tree, &names), expected);
        tree.open(&names, b"c:");
        settle(&mut tree, &names);
        let id = RowId::Key(b"c:1".to_vec());
        let place = tree.place_of(&names, &id).unwrap();
        assert_eq!(tree.window(&names, place, 1)[0].id(), id);
    }
}

#[test]
fn each_key_in_a_folder_of_its_own_costs_no_memory_a_folder() {
    let mut builder = Builder::default();
    for number in 0..30_000_u32 {
        builder.add(format!("{number:05}:x").as_bytes(), None);
    }
    let names = builder.catalog();
    let mut tree = Tree::new(colon(), Sorting::Name);
    while tree.step(&names, &BTreeSet::new(), 1_000) {}
    assert_eq!(tree.rows(), 30_000);
    let id = RowId::Folder(b"17234:".to_vec());
    let place = tree.place_of(&names, &id).unwrap();
    assert_eq!(place, 17_234);
    assert_eq!(tree.window(&names, place, 1)[0].id(), id);
    let mut tree = Tree::new(colon(), Sorting::Keys);
    while tree.step(&names, &BTreeSet::new(), 1_000) {}
    assert_eq!(tree.rows(), 10_001);
    assert_eq!(tree.window(&names, 10_000, 1)[0].what, What::More(20_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn agrees_with_a_map_on_any_names(
        given in prop::collection::btree_set(prop::collection::vec(prop::sample::select(b"ab:\xff".to_vec()), 0..8), 0..80),
        cuts in prop::collection::vec(1..30_usize, 0..6),
    ) {
        // Several runs, as in the middle of a walk.
        let mut builder = Builder::default();
        let mut shuffled: Vec<&Vec<u8>> = given.iter().collect();
        shuffled.sort_by_key(|name| (name.len() * 7 + name.iter().map(|byte| usize::from(*byte)).sum::<usize>()) % 13);
        let mut cuts = cuts.into_iter();
        let mut left = cuts.next();
        for name in shuffled {
            builder.add(name, None);
            if let Some(count) = &mut left {
                *count -= 1;
                if *count == 0 {
                    builder.catalog();
                    left = cuts.next();
                }
            }
        }
        let names = builder.catalog();
        let mut tree = settled(&names, &[b":"]);
        open_everything(&mut tree, &names);
        let rows = tree.window(&names, 0, usize::MAX >> 1);
        assert_eq!(rows.len(), tree.rows());
        let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for name in &given {
            for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b':') {
                *expected.entry(name[..=at].to_vec()).or_default() += 1;
            }
        }
        let mut found = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for (place, row) in rows.iter().enumerate() {
            assert_eq!(tree.place_of(&names, &row.id()), Some(place));
            assert_eq!(&tree.window(&names, place, 1)[0], row);
            match &row.what {
                What::Folder { sums, .. } => {
                    found.insert(row.name.clone(), sums.keys);
                }
                _ => {
                    keys.insert(row.name.clone());
                }
            }
        }
        assert_eq!(found, expected);
        assert_eq!(keys, given);
    }
}

fn open_everything(tree: &mut Tree, names: &Catalog) {
    loop {
        let closed: Vec<Vec<u8>> = tree
            .window(names, 0, 10_000)
            .into_iter()
            .filter(|row| matches!(row.what, What::Folder { is_open: false, .. }))
            .map(|row| row.name)
            .collect();
        if closed.is_empty() {
            return;
        }
        for folder in closed {
            tree.open(names, &folder);
        }
        settle(tree, names);
    }
}
