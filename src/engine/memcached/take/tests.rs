use proptest::prelude::{any, prop, proptest};

use super::reply::{Head, Left, classic_head, expiry, meta_head};

#[test]
fn heads_of_values_are_read() {
    let head = Head {
        length: 2,
        flags: 5,
        cas: Some(7),
        left: Some(Left::Never),
        ..Head::default()
    };
    assert_eq!(meta_head(b"VA 2 f5 c7 t-1"), Some(head));
    let stale = Head {
        left: Some(Left::Seconds(30)),
        won: true,
        is_stale: true,
        ..head
    };
    assert_eq!(meta_head(b"VA 2 f5 c7 t30 W X"), Some(stale));
    let of_classic = Head { left: None, ..head };
    assert_eq!(classic_head(b"VALUE k 5 2 7"), Some(of_classic));
    for line in [&b"EN"[..], b"HD f5", b"VA x f5", b"VA 2 fx", b"VA"] {
        assert_eq!(meta_head(line), None);
    }
}

#[test]
fn an_item_ends_as_listed_unless_it_was_touched_since() {
    let left = |seconds| Some(Left::Seconds(seconds));
    let now = Some(1_000);
    assert_eq!(expiry(Some(1_060), left(60), now), (Some(1_060), false));
    assert_eq!(expiry(Some(1_060), left(59), now), (Some(1_060), false));
    assert_eq!(expiry(Some(1_060), left(90), now), (Some(1_090), true));
    assert_eq!(expiry(None, left(90), now), (Some(1_090), true));
    assert_eq!(expiry(Some(1_060), Some(Left::Never), now), (None, true));
    assert_eq!(expiry(None, Some(Left::Never), now), (None, false));
    assert_eq!(expiry(Some(1_060), None, now), (Some(1_060), false));
    assert_eq!(expiry(Some(1_060), left(90), None), (Some(1_060), false));
}

proptest! {
    #[test]
    fn garbage_never_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut line = line;
        meta_head(&line);
        line.splice(0..0, *b"VA ");
        meta_head(&line);
        line.splice(0..0, *b"VALUE ");
        classic_head(&line);
    }
}
