use proptest::prelude::{any, prop, proptest};

use super::reply::{Head, Left, classic_head, expiry, meta_head};
use super::{MemcachedTake, TakeAsk};
use crate::engine::Backend;
use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::Dialect;
use crate::engine::memcached::tests::Real;
use crate::model::Pace;
use crate::snapshot::items::{Block, ItemFacts};

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
    let now = Some((1_000, 1_000));
    let late = Some((1_000, 1_005));
    assert_eq!(expiry(Some(1_060), left(60), late), (Some(1_060), false));
    assert_eq!(expiry(Some(1_060), left(55), late), (Some(1_060), false));
    assert_eq!(expiry(Some(1_060), left(70), late), (Some(1_075), true));
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

/// Everything that is taken, as (key, value, flags, CAS, stale).
async fn taken(take: &mut MemcachedTake<'_>) -> Vec<(Vec<u8>, Vec<u8>, ItemFacts)> {
    let mut items = Vec::new();
    let mut room = Block::default();
    while let Some(block) = take.step(room).await.unwrap() {
        items.extend(block.iter().map(|item| {
            let item = item.unwrap();
            (item.key.to_vec(), item.value.to_vec(), item.facts)
        }));
        room = block;
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items
}

async fn asked(server: &MemcachedServer, pace: Pace) -> MemcachedTake<'_> {
    let ask = TakeAsk {
        pace,
        spill: tempfile::tempfile().ok(),
        ..TakeAsk::default()
    };
    server.take(ask).await.unwrap()
}

#[tokio::test]
async fn both_dialects_take_the_same() {
    let real = Real::start(&[]).await;
    let mut wire = Vec::new();
    for number in 0..3_000 {
        let value = "x".repeat(number % 700);
        let line = format!(
            "ms user:{number} {} F{number} T100 q\r\n{value}\r\n",
            value.len()
        );
        wire.extend_from_slice(line.as_bytes());
    }
    wire.extend_from_slice(b"mn\r\n");
    real.say(&wire, "MN\r\n").await;
    let server = real.server();
    let by_meta = taken(&mut asked(&server, Pace::FullSpeed).await).await;
    let mut take = asked(&server, Pace::default()).await;
    take.dialect = Dialect::Classic;
    let by_classic = taken(&mut take).await;
    assert_eq!(by_meta.len(), 3_000);
    assert_eq!(by_meta, by_classic);
    assert_eq!(take.tally().items, 3_000);
}

#[tokio::test]
async fn the_token_of_a_stale_item_goes_back_to_its_application() {
    let real = Real::start(&[]).await;
    real.say(b"ms stale 2 F5\r\nhi\r\nmd stale I\r\nmn\r\n", "MN\r\n")
        .await;
    real.say(b"mg placeholder N30\r\nmn\r\n", "MN\r\n").await;
    let server = real.server();
    let mut take = asked(&server, Pace::FullSpeed).await;
    let items = taken(&mut take).await;
    assert_eq!((items.len(), items[0].1.as_slice()), (1, &b"hi"[..]));
    assert!(items[0].2.marks.is_stale);
    let tally = take.tally();
    assert_eq!((tally.stale, tally.tokens, tally.placeholders), (1, 1, 1));
    let said = real.say(b"mg stale v\r\nmn\r\n", "MN\r\n").await;
    assert!(said.starts_with("VA 2 X W"), "{said}");
}

#[tokio::test]
async fn looking_is_taken_out_of_the_hit_ratio_and_moves_nothing() {
    let real = Real::start(&[]).await;
    real.say(b"ms a 1\r\nx\r\nms b 1\r\ny\r\nmn\r\n", "MN\r\n")
        .await;
    let server = real.server();
    server.sample().await.unwrap();
    assert_eq!(
        taken(&mut asked(&server, Pace::FullSpeed).await)
            .await
            .len(),
        2
    );
    let sample = server.sample().await.unwrap();
    assert_eq!(
        (sample.counters.hits, sample.counters.misses),
        (Some(0), Some(0))
    );
    let said = real.say(b"mg a h\r\nmn\r\n", "MN\r\n").await;
    assert!(said.starts_with("HD h0"), "{said}");
}

#[tokio::test]
async fn more_names_than_memory_go_to_the_file_and_come_back() {
    let real = Real::start(&["-m", "512"]).await;
    let mut wire = Vec::new();
    for number in 0..150_000 {
        let name = "n".repeat(150);
        wire.extend_from_slice(format!("ms {number}:{name} 1 q\r\nx\r\n").as_bytes());
    }
    wire.extend_from_slice(b"mn\r\n");
    real.say(&wire, "MN\r\n").await;
    let server = real.server();
    let mut take = asked(&server, Pace::FullSpeed).await;
    // Whoever takes waits until all is listed, so that what does not fit has to move.
    let first = take.walk.page().await.unwrap().unwrap();
    take.page = Some((first, 0));
    while server.stats().await.unwrap().count("lru_crawler_running") != Some(0) {
        tokio::task::yield_now().await;
    }
    let items = taken(&mut take).await;
    assert_eq!(items.len(), 150_000);
    assert_eq!(take.tally().gone, 0);
}
