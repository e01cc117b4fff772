use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::{any, prop, proptest};

use super::{Count, DiffAsk, Digest, Facts, Record, Side, Tally, What, digest, join};
use crate::model::{Bytes, UnixMs};

/// Key → (value, flags, second of its end).
type Keyspace = BTreeMap<Vec<u8>, (Vec<u8>, u32, Option<i64>)>;

fn side(keys: &Keyspace) -> Side {
    let mut side = Side::default();
    for (key, (value, kind, ends)) in keys {
        let record = Record {
            space: 0,
            key,
            facts: Facts {
                kind: *kind,
                ends: ends.map(|second| UnixMs(second * 1_000)),
                size: Bytes(value.len() as u64),
            },
            digest: digest(value),
        };
        side.take(&record).unwrap();
    }
    side
}

fn compared(before: &Keyspace, after: &Keyspace, memory: u64) -> (Vec<String>, Tally) {
    let ask = DiffAsk {
        memory: Bytes(memory),
        ..DiffAsk::default()
    };
    let mut found = Vec::new();
    let tally = join(&side(before), &side(after), ask, |difference| {
        found.push(format!(
            "{} {}",
            difference.what.word(),
            difference.key.escape_ascii()
        ));
        ControlFlow::Continue(())
    });
    found.sort();
    (found, tally.unwrap())
}

fn keyspace(lines: &[(&str, &str, u32, Option<i64>)]) -> Keyspace {
    lines
        .iter()
        .map(|(key, value, kind, ends)| {
            (
                key.as_bytes().to_vec(),
                (value.as_bytes().to_vec(), *kind, *ends),
            )
        })
        .collect()
}

#[test]
fn every_difference_is_found_and_named() {
    let before = keyspace(&[
        ("gone", "xx", 0, None),
        ("same", "a", 1, Some(100)),
        ("nearly", "a", 1, Some(100)),
        ("value", "a", 1, None),
        ("flags", "a", 1, None),
        ("later", "a", 1, Some(100)),
        ("for ever", "a", 1, Some(100)),
    ]);
    let after = keyspace(&[
        ("new", "xyz", 0, None),
        ("same", "a", 1, Some(100)),
        ("nearly", "a", 1, Some(101)),
        ("value", "b", 1, None),
        ("flags", "a", 2, None),
        ("later", "a", 1, Some(102)),
        ("for ever", "a", 1, None),
    ]);
    let (found, tally) = compared(&before, &after, 1 << 20);
    assert_eq!(
        found,
        [
            "added new",
            "changed flags",
            "changed value",
            "removed gone",
            "ttl_changed for ever",
            "ttl_changed later",
        ]
    );
    let count = |keys, bytes| Count { keys, bytes };
    assert_eq!(
        tally,
        Tally {
            added: count(1, 3),
            removed: count(1, 2),
            changed: count(2, 2),
            ttl_changed: count(2, 2),
            same: count(2, 2),
            repeated: 0,
        }
    );
    assert!(tally.differs());
    assert!(!compared(&after, &after, 1 << 20).1.differs());
}

#[test]
fn the_same_name_in_another_database_is_another_key() {
    let mut sides = [Side::default(), Side::default()];
    for (side, space) in sides.iter_mut().zip([0, 1]) {
        let record = Record {
            space,
            key: b"a",
            facts: Facts::default(),
            digest: 0,
        };
        side.take(&record).unwrap();
    }
    let mut found = Vec::new();
    join(&sides[0], &sides[1], DiffAsk::default(), |difference| {
        found.push((difference.what, difference.space));
        ControlFlow::Continue(())
    })
    .unwrap();
    found.sort_by_key(|(_, space)| *space);
    assert_eq!(found, [(What::Removed, 0), (What::Added, 1)]);
}

#[test]
fn a_key_that_came_twice_counts_once() {
    let keys = keyspace(&[("a", "1", 0, None)]);
    let mut twice = side(&keys);
    let record = Record {
        space: 0,
        key: b"a",
        facts: Facts::default(),
        digest: digest(b"2"),
    };
    twice.take(&record).unwrap();
    let tally = join(&twice, &side(&keys), DiffAsk::default(), |_| {
        ControlFlow::Continue(())
    });
    let tally = tally.unwrap();
    assert_eq!((tally.same.keys, tally.repeated), (1, 1));
    let tally = join(&side(&keys), &twice, DiffAsk::default(), |_| {
        ControlFlow::Continue(())
    });
    assert_eq!(tally.unwrap().repeated, 1);
}

#[test]
fn what_does_not_fit_goes_to_a_file_and_comes_back() {
    let many = |skip: u32| -> Keyspace {
        (0..200_000)
            .filter(|number| number % 1_000 != skip)
            .map(|number: u32| {
                let key = format!("user:{number}:a-name-of-ordinary-length").into_bytes();
                (key, (number.to_le_bytes().to_vec(), 0, None))
            })
            .collect()
    };
    let (before, after) = (many(1), many(2));
    // 1 byte a thread makes it go over every partition in slices.
    for memory in [1, 64 << 20] {
        let (found, tally) = compared(&before, &after, memory);
        assert_eq!(found.len(), 400);
        assert_eq!(
            (tally.added.keys, tally.removed.keys, tally.same.keys),
            (200, 200, 199_600)
        );
    }
}

#[test]
fn whoever_has_seen_enough_stops() {
    let many: Keyspace = (0..50_000_u32)
        .map(|number| (number.to_le_bytes().to_vec(), (Vec::new(), 0, None)))
        .collect();
    let mut seen = 0;
    join(&side(&many), &Side::default(), DiffAsk::default(), |_| {
        seen += 1;
        if seen == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn a_value_in_pieces_has_the_digest_of_the_whole() {
    let mut pieces = Digest::default();
    pieces.update(b"a va");
    pieces.update(b"lue");
    assert_eq!(pieces.finish(), digest(b"a value"));
}

proptest! {
    #[test]
    fn it_agrees_with_comparing_maps(
        before in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..3), (prop::collection::vec(any::<u8>(), 0..2), 0_u32..2, prop::option::of(0_i64..4)), 0..40),
        after in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..3), (prop::collection::vec(any::<u8>(), 0..2), 0_u32..2, prop::option::of(0_i64..4)), 0..40),
    ) {
        let mut expected = Vec::new();
        for (key, is) in &after {
            let word = match before.get(key) {
                None => "added",
                Some(was) if (&was.0, was.1) != (&is.0, is.1) => "changed",
                Some(was) if was.2.is_some() != is.2.is_some() => "ttl_changed",
                Some(was) if was.2.zip(is.2).is_some_and(|(was, is)| was.abs_diff(is) > 1) => "ttl_changed",
                Some(_) => continue,
            };
            expected.push(format!("{word} {}", key.escape_ascii()));
        }
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        expected.extend(gone.map(|key| format!("removed {}", key.escape_ascii())));
        expected.sort();
        assert_eq!(compared(&before, &after, 1 << 20).0, expected);
    }
}
