use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::*;
use crate::model::{Bytes, KeyKind, Told, Ttl, UnixMs};

fn all(catalog: &Catalog) -> Vec<Vec<u8>> {
    let mut names = catalog.at(0);
    let mut all = Vec::new();
    while let Some((name, _)) = names.step() {
        all.push(name.to_vec());
    }
    all
}

fn sized(size: u64) -> Fact {
    Fact::of(&Told {
        kind: Some(KeyKind::Hash),
        ttl: Ttl::None,
        size: Some(Bytes(size)),
        ..Told::default()
    })
}

/// Names over few segments, so that they begin alike and repeat.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let segment = prop_oneof![
        Just(b"user".to_vec()),
        Just(Vec::new()),
        "[0-9]{1,4}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(segment, 1..4).prop_map(|segments| segments.join(&b':'))
}

/// Runs of names as they arrive, with merging in between.
fn arrivals() -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, usize)>> {
    prop::collection::vec((prop::collection::vec(name(), 0..60), 0..80_usize), 0..25)
}

fn check(catalog: &Catalog, truth: &BTreeMap<Vec<u8>, u64>) {
    let names: Vec<&Vec<u8>> = truth.keys().collect();
    assert_eq!(
        all(catalog),
        names.iter().map(|name| (*name).clone()).collect::<Vec<_>>()
    );
    assert_eq!(catalog.len(), names.len());
    for (place, name) in names.iter().enumerate() {
        assert_eq!(catalog.rank(name), place);
        assert_eq!(catalog.name(place).as_ref(), Some(*name));
        assert!(catalog.holds(name));
    }
    assert_eq!(catalog.name(names.len()), None);
    for prefix in [&b"user:"[..], b"", b"user", b":", b"1", b"\xff"] {
        let expected = names.iter().filter(|name| name.starts_with(prefix));
        assert_eq!(catalog.range(prefix).len(), expected.clone().count());
        let sums = catalog.sums(prefix);
        assert_eq!(sums.keys, expected.clone().count() as u64);
        assert_eq!(sums.bytes, expected.map(|name| truth[*name]).sum::<u64>());
    }
}

#[test]
fn what_is_told_of_a_name_later_is_kept() {
    let mut builder = Builder::default();
    for round in 0..3 {
        for number in 0..30_u32 {
            let fact = (round == 1 && number % 3 == 0).then(|| sized(7));
            builder.add(&number.to_be_bytes(), fact);
        }
        builder.catalog();
    }
    while builder.finish(10) {}
    let sums = builder.catalog().sums(b"");
    assert_eq!((sums.keys, sums.told, sums.bytes), (30, 10, 70));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn agrees_with_a_map_at_any_moment_of_merging(arrivals in arrivals()) {
        let mut builder = Builder::default();
        let mut truth = BTreeMap::new();
        for (names, work) in &arrivals {
            for name in names {
                let size = name.len() as u64;
                // A name that is in two runs counts twice until they are merged, so it comes once here.
                if truth.insert(name.clone(), size).is_none() {
                    builder.add(name, Some(sized(size)));
                }
            }
            builder.work(*work);
            check(&builder.catalog(), &truth);
        }
        while builder.finish(7) {}
        let catalog = builder.catalog();
        assert!(catalog.runs().len() <= 1);
        check(&catalog, &truth);
    }

    #[test]
    fn names_that_come_again_are_there_once_in_the_end(arrivals in arrivals()) {
        let mut builder = Builder::default();
        let mut truth = BTreeMap::new();
        for (names, work) in &arrivals {
            for name in names {
                truth.insert(name.clone(), name.len() as u64);
                builder.add(name, Some(sized(name.len() as u64)));
            }
            builder.catalog();
            builder.work(*work);
        }
        while builder.finish(50) {}
        check(&builder.catalog(), &truth);
    }

    #[test]
    fn a_mask_covers_names_up(arrivals in arrivals(), wanted in 1..5_usize) {
        let mut builder = Builder::default();
        let mut truth = BTreeMap::new();
        for (names, work) in &arrivals {
            for name in names {
                if truth.insert(name.clone(), name.len() as u64).is_none() {
                    builder.add(name, Some(sized(name.len() as u64)));
                }
            }
            builder.catalog();
            builder.work(*work);
        }
        truth.retain(|name, _| name.len() % wanted == 0);
        let masked = |leaf: &Leaf| {
            let mut reader = leaf.chunk.reader(0);
            let mask = Mask::of(leaf.chunk.count(), |_| {
                let (_, name) = reader.step().expect("as many as counted");
                name.len() % wanted == 0
            });
            leaf.clone().masked(mask.into())
        };
        let catalog = builder.catalog();
        let runs = catalog.runs().iter().map(|run| Run::of(run.leaves().iter().map(masked).collect()));
        check(&Catalog::of(runs.collect()), &truth);
    }
}

#[test]
fn what_was_told_comes_back_to_the_second() {
    let told = Told {
        kind: Some(KeyKind::Stream),
        ttl: Ttl::Until(UnixMs(1_700_000_000_999)),
        size: Some(Bytes(77)),
        idle: Some(Duration::from_secs(3)),
        ..Told::default()
    };
    let fact = Fact::of(&told);
    assert_eq!(fact.kind(), Some(&KeyKind::Stream));
    assert_eq!(fact.ttl(), Ttl::Until(UnixMs(1_700_000_000_000)));
    assert_eq!((fact.size(), fact.idle()), (told.size, told.idle));
    let other = Fact::of(&Told {
        kind: Some(KeyKind::Other("module".to_owned())),
        size: Some(Bytes(1 << 40)),
        ..Told::default()
    });
    assert!(other.is_of_other_kind() && other.kind().is_none());
    assert!(other.size() >= Some(Bytes(u64::from(u32::MAX) - 1)));
    assert_eq!(Fact::of(&Told::default()), Fact::UNTOLD);
}

#[test]
fn a_name_as_long_as_a_chunk_and_the_empty_one_fit() {
    let mut builder = Builder::default();
    let long = vec![b'x'; 200 << 10];
    for name in [&long[..], b"", b"a", b"z"] {
        builder.add(name, None);
    }
    let catalog = builder.catalog();
    assert_eq!(all(&catalog), [&b""[..], b"a", &long, b"z"]);
    assert_eq!(catalog.rank(b"y"), 3);
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut builder = Builder::within(10);
    for name in ["12345", "123456", "1234", "x", "y"] {
        builder.add(name.as_bytes(), None);
    }
    assert_eq!((builder.catalog().len(), builder.not_kept()), (3, 2));
}

#[test]
fn a_name_of_27_bytes_costs_less_than_17() {
    let mut builder = Builder::default();
    let count = 200_000_u64;
    for n in 0..count {
        // Scattered, as a walk brings them.
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000_000;
        builder.add(format!("session:{n:012}:profil").as_bytes(), None);
        builder.work(2);
    }
    while builder.finish(10_000) {}
    let catalog = builder.catalog();
    assert!(
        catalog.heap_bytes() / catalog.len() < 17 + 7,
        "{}",
        catalog.heap_bytes() / catalog.len()
    );
}

#[test]
fn the_name_after_all_with_a_prefix() {
    assert_eq!(after_all(b"ab"), Some(b"ac".to_vec()));
    assert_eq!(after_all(b"a\xff"), Some(b"b".to_vec()));
    assert_eq!(after_all(b"\xff\xff"), None);
    assert_eq!(after_all(b""), None);
}
