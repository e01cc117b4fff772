use std::collections::BTreeMap;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::*;
use crate::analysis::report::Figure;

fn ask(budget: u64) -> AnalysisAsk {
    AnalysisAsk {
        budget: Bytes(budget),
        ..AnalysisAsk::default()
    }
}

fn sized(size: u64) -> Facts {
    Facts {
        size: Some(size),
        ttl: Left::Never,
        is_idle: None,
    }
}

fn told(names: &[&str]) -> Vec<String> {
    let mut prefixes = Prefixes::new(&ask(1 << 20));
    for name in names {
        prefixes.take(name.as_bytes(), &sized(10));
    }
    let (rows, error) = prefixes.rows(1000, &Scale::EXACT);
    assert_eq!(error, None);
    rows.iter()
        .map(|row| {
            let indent = " ".repeat(row.depth as usize - 1);
            format!("{indent}{} {}", row.prefix, row.keys.value)
        })
        .collect()
}

#[test]
fn keys_are_counted_at_every_depth_with_ids_collapsed() {
    let names = [
        "user:1:profile",
        "user:2:profile",
        "user:2:attrs",
        "cart:7",
        "user:3",
        "plain",
    ];
    assert_eq!(
        told(&names),
        [
            "user: 4",
            " user:*: 3",
            "  user:*:profile 2",
            "  user:*:attrs 1",
            " user:* 1",
            "cart: 1",
            " cart:* 1",
            "plain 1",
        ]
    );
}

#[test]
fn names_of_nothing_or_of_delimiters_are_counted_too() {
    assert_eq!(
        told(&["", ":", "::"]),
        [": 2", " : 1", " :: 1", "  :: 1", " 1"]
    );
}

#[test]
fn delimiters_may_be_several_and_of_any_length() {
    let mut prefixes = Prefixes::new(&AnalysisAsk {
        delimiters: vec![b"::".to_vec(), b"/".to_vec()],
        ..AnalysisAsk::default()
    });
    for name in ["a::b/c", "a::b/d", "a:b"] {
        prefixes.take(name.as_bytes(), &sized(1));
    }
    let (rows, _) = prefixes.rows(100, &Scale::EXACT);
    let rows: Vec<(&str, u64)> = rows
        .iter()
        .map(|row| (row.prefix.as_str(), row.keys.value))
        .collect();
    assert_eq!(
        rows,
        [
            ("a::", 2),
            ("a::b/", 2),
            ("a::b/c", 1),
            ("a::b/d", 1),
            ("a:b", 1)
        ]
    );
}

#[test]
fn ttls_and_idle_keys_are_told_by_prefix() {
    let mut prefixes = Prefixes::new(&ask(1 << 20));
    let facts = |ttl, is_idle| Facts {
        size: None,
        ttl,
        is_idle,
    };
    prefixes.take(b"s:1", &facts(Left::Seconds(100), Some(true)));
    prefixes.take(b"s:2", &facts(Left::Seconds(120), Some(false)));
    prefixes.take(b"s:3", &facts(Left::Never, None));
    prefixes.take(b"s:4", &facts(Left::Unknown, None));
    let (rows, _) = prefixes.rows(100, &Scale::EXACT);
    let row = &rows[0];
    assert_eq!(
        (row.keys.value, row.without_ttl.value, row.bytes),
        (4, 1, None)
    );
    assert_eq!(
        (row.ttl_range_s, row.idle),
        (Some((100, 120)), Some(Figure::exact(1)))
    );
    let median = row.ttl_p50_s.expect("two have one");
    assert!((100..=120).contains(&median));
}

/// Names over few segments, so that they meet.
fn names() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    let segment = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"b".to_vec()),
        Just(b"".to_vec()),
        "[a-z]{1,3}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    let name = prop::collection::vec(segment, 0..5).prop_map(|segments| segments.join(&b':'));
    prop::collection::vec((name, 1..1000_u64), 0..200)
}

/// Keys and bytes by every prefix that ends with a delimiter, and by every whole name.
fn truth(names: &[(Vec<u8>, u64)]) -> BTreeMap<Vec<u8>, (u64, u64)> {
    let mut truth: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    for (name, size) in names {
        let ends = name.iter().enumerate().filter(|(_, byte)| **byte == b':');
        let mut prefixes: Vec<Vec<u8>> = ends.map(|(at, _)| name[..=at].to_vec()).collect();
        // A name that ends with a delimiter is one thing, and the folder of that name another.
        prefixes.push([name.as_slice(), b"$"].concat());
        for prefix in prefixes {
            let entry = truth.entry(prefix).or_default();
            entry.0 += 1;
            entry.1 += size;
        }
    }
    truth
}

fn raw(budget: u64) -> AnalysisAsk {
    AnalysisAsk {
        collapses_ids: false,
        ..ask(budget)
    }
}

fn rows_of(prefixes: &Prefixes) -> (BTreeMap<Vec<u8>, PrefixRow>, Option<PrefixError>) {
    let (rows, error) = prefixes.rows(usize::MAX, &Scale::EXACT);
    let keyed = rows.into_iter().map(|row| {
        let mut name = if row.prefix.is_empty() {
            Vec::new()
        } else {
            text::unescape(&row.prefix).expect("what was escaped")
        };
        if row.is_leaf {
            name.push(b'$');
        }
        (name, row)
    });
    (keyed.collect(), error)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn while_there_is_room_everything_is_exact(names in names()) {
        let mut prefixes = Prefixes::new(&raw(1 << 24));
        for (name, size) in &names {
            prefixes.take(name, &sized(*size));
        }
        let (rows, error) = rows_of(&prefixes);
        assert_eq!(error, None);
        let told: BTreeMap<Vec<u8>, (u64, u64)> = rows
            .into_iter()
            .map(|(name, row)| (name, (row.keys.value, row.bytes.expect("sizes").value)))
            .collect();
        assert_eq!(told, truth(&names));
    }

    #[test]
    fn two_halves_are_as_good_as_the_whole(names in names(), at in 0..200_usize) {
        let (one, other) = names.split_at(at.min(names.len()));
        let mut halves = [one, other].map(|part| {
            let mut prefixes = Prefixes::new(&raw(1 << 24));
            for (name, size) in part {
                prefixes.take(name, &sized(*size));
            }
            prefixes
        });
        let [ours, theirs] = &mut halves;
        ours.merge(theirs);
        let told: BTreeMap<Vec<u8>, u64> = rows_of(ours).0.into_iter().map(|(name, row)| (name, row.keys.value)).collect();
        let truth = truth(&names).into_iter().map(|(name, (keys, _))| (name, keys)).collect();
        assert_eq!(told, truth);
    }

    #[test]
    fn over_budget_the_truth_lies_within_what_is_told(names in names(), budget in 2_000..20_000_u64) {
        let mut prefixes = Prefixes::new(&raw(budget));
        for (name, size) in &names {
            prefixes.take(name, &sized(*size));
        }
        check_bounds(&prefixes, &truth(&names));
    }
}

fn check_bounds(prefixes: &Prefixes, truth: &BTreeMap<Vec<u8>, (u64, u64)>) {
    let (rows, error) = rows_of(prefixes);
    let bar = error.map_or((0, 0), |error| (error.keys, error.bytes));
    let within = |told: Figure, truth: u64| {
        let (from, to) = told.interval.unwrap_or((told.value, told.value));
        assert!((from..=to).contains(&truth), "{told:?} for {truth}");
    };
    for (name, (keys, bytes)) in truth {
        match rows.get(name) {
            Some(row) => {
                within(row.keys, *keys);
                within(row.bytes.expect("sizes"), *bytes);
            }
            None => assert!(*keys <= bar.0 && *bytes <= bar.1, "{keys} {bytes} {bar:?}"),
        }
    }
}

#[test]
fn a_million_prefixes_stay_within_the_budget_and_the_heavy_ones_are_found() {
    let budget = 1 << 20;
    let mut prefixes = Prefixes::new(&raw(budget));
    let mut most = 0;
    for n in 0..300_000_u64 {
        prefixes.take(format!("own-{n}:x").as_bytes(), &sized(5));
        if n % 10 == 0 {
            prefixes.take(b"heavy:x", &sized(50));
        }
        most = most.max(prefixes.takes());
    }
    assert!(most <= budget + 1_000);
    let (rows, error) = rows_of(&prefixes);
    let error = error.expect("it cannot be exact");
    let heavy = &rows[&b"heavy:"[..]];
    let (from, to) = heavy
        .keys
        .interval
        .unwrap_or((heavy.keys.value, heavy.keys.value));
    assert!((from..=to).contains(&30_000));
    assert!(error.keys < 1_000, "{error:?}");
    assert!(error.folded > 200_000);
}

#[test]
fn long_names_and_deep_ones_cost_little() {
    let mut prefixes = Prefixes::new(&ask(1 << 20));
    prefixes.take(&vec![b'x'; 64 << 10], &sized(1));
    prefixes.take(&vec![b':'; 64 << 10], &sized(1));
    assert!(prefixes.takes() < 20_000);
    let (rows, _) = prefixes.rows(100, &Scale::EXACT);
    assert_eq!(rows.iter().map(|row| row.depth).max(), Some(16));
}

#[test]
fn it_can_be_kept_and_gone_on_with() {
    let mut prefixes = Prefixes::new(&ask(1 << 20));
    for n in 0..50 {
        prefixes.take(format!("user:{n}:profile").as_bytes(), &sized(n));
    }
    let kept = serde_json::to_string(&prefixes).expect("plain values");
    let mut again: Prefixes = serde_json::from_str(&kept).expect("what was written");
    again.take(b"user:99:profile", &sized(1));
    prefixes.take(b"user:99:profile", &sized(1));
    assert_eq!(
        again.rows(100, &Scale::EXACT),
        prefixes.rows(100, &Scale::EXACT)
    );
}
