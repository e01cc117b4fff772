use std::borrow::Cow;
use std::time::Duration;

use super::*;
use crate::model::{Encoding, Key, KeyKind, Ttl};

const NOW: UnixMs = UnixMs(1_700_000_000_000);

fn key(name: &str, kind: KeyKind, size: u64, length: Option<u64>, idle: u64) -> WalkKey {
    WalkKey {
        key: Key::from(name),
        told: Some(Told {
            kind: Some(kind),
            ttl: Ttl::None,
            size: Some(Bytes(size)),
            idle: Some(Duration::from_secs(idle)),
            frequency: None,
            encoding: Some(Encoding(Cow::Borrowed("listpack"))),
            length,
        }),
    }
}

fn circumstances() -> Circumstances {
    Circumstances {
        via: Via::Scan,
        coverage: Coverage::default(),
        cost: WalkCost::default(),
        lacks: Vec::new(),
        account: None,
    }
}

fn report(analysis: &Analysis) -> Report {
    analysis.report(NOW, circumstances())
}

fn keys() -> Vec<WalkKey> {
    let mut keys: Vec<WalkKey> = (0..100)
        .map(|n| {
            key(
                &format!("user:{n}:attrs"),
                KeyKind::Hash,
                100 + n,
                Some(n),
                200 - n,
            )
        })
        .collect();
    keys.push(key("plain", KeyKind::String, 5_000, None, 1));
    keys.push(WalkKey {
        key: Key::from("untold"),
        told: None,
    });
    keys
}

fn analysed(keys: &[WalkKey]) -> Analysis {
    let mut analysis = Analysis::new(AnalysisAsk {
        top: 3,
        ..AnalysisAsk::default()
    });
    for key in keys {
        analysis.take(key, NOW);
    }
    analysis
}

#[test]
fn everything_that_was_told_is_in_the_report() {
    let report = report(&analysed(&keys()));
    assert_eq!(report.keys, Figure::exact(102));
    assert_eq!(report.bytes, Some(Figure::exact(100 * 100 + 4_950 + 5_000)));
    let types: Vec<(&str, u64, Option<u64>)> = report
        .types
        .iter()
        .map(|row| {
            (
                row.kind.as_str(),
                row.keys.value,
                row.elements.map(|all| all.value),
            )
        })
        .collect();
    let expected = [
        ("hash", 100, Some(4_950)),
        ("string", 1, None),
        ("unknown", 1, None),
    ];
    assert_eq!(types, expected);
    assert_eq!(report.encodings[0].encoding, "listpack");
    assert_eq!((report.ttl.without.value, report.ttl.unknown), (101, 1));
    assert_eq!(report.sizes.expect("sizes").most, 5_000);
    assert!(matches!(report.usage, Some(UsageReport::Idle(spread)) if spread.most == 200));
    let names = |top: &[report::TopKey]| -> Vec<String> {
        top.iter()
            .map(|one| one.key.bytes().escape_ascii().to_string())
            .collect()
    };
    assert_eq!(
        names(&report.biggest),
        ["plain", "user:99:attrs", "user:98:attrs"]
    );
    assert_eq!(
        names(&report.longest),
        ["user:99:attrs", "user:98:attrs", "user:97:attrs"]
    );
    assert_eq!(
        names(&report.idlest),
        ["user:50:attrs", "user:51:attrs", "user:49:attrs"]
    );
}

#[test]
fn what_was_not_told_is_not_zero() {
    let untold = WalkKey {
        key: Key::from("untold"),
        told: None,
    };
    let report = report(&analysed(&[untold]));
    assert_eq!(
        (report.bytes, report.sizes, report.usage),
        (None, None, None)
    );
    assert_eq!(report.types[0].bytes, None);
    assert_eq!(report.prefixes[0].bytes, None);
}

#[test]
fn two_nodes_are_as_good_as_one() {
    let keys = keys();
    let (one, other) = keys.split_at(40);
    let mut merged = analysed(one);
    merged.merge(&analysed(other));
    assert_eq!(report(&merged), report(&analysed(&keys)));
}

#[test]
fn an_analysis_can_be_kept_and_gone_on_with() {
    let keys = keys();
    let (one, other) = keys.split_at(40);
    let kept = serde_json::to_string(&analysed(one)).expect("plain values");
    let mut again: Analysis = serde_json::from_str(&kept).expect("what was written");
    for key in other {
        again.take(key, NOW);
    }
    assert_eq!(report(&again), report(&analysed(&keys)));
}
