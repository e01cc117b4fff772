use std::path::{Path, PathBuf};
use std::time::Instant;

use super::source::survey;
use super::writing::Writing;
use super::{Fate, Shift};
use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::Dialect;
use crate::engine::memcached::restore::writing::Answer;
use crate::engine::memcached::tests::{Real, permit};
use crate::engine::{Backend, Fault, Progress};
use crate::model::{Change, Conflict, Outcome, Pace, Restore, RestoreReport, Verify};
use crate::snapshot::items::{
    Block, End, Header, Item, ItemFacts, Marks, Packing, ServerSecond, Writer,
};

/// A file of these items, one block each.
fn file(directory: &Path, items: &[(&[u8], &[u8], ItemFacts)]) -> PathBuf {
    let mut writer = Writer::new(Vec::new(), &Header::default(), Packing::None).unwrap();
    for (key, value, facts) in items {
        let mut block = Block::default();
        let item = Item {
            key,
            value,
            facts: *facts,
        };
        block.push(&item).unwrap();
        writer.block(&block).unwrap();
    }
    let (bytes, _) = writer.finish(End::default()).unwrap();
    let path = directory.join("a.items");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn wish(source: PathBuf, conflict: Conflict) -> Restore {
    Restore {
        verify: Verify::All,
        pace: Pace::FullSpeed,
        ..Restore::of(source, conflict)
    }
}

async fn restored(
    server: &MemcachedServer,
    directory: &Path,
    restore: Restore,
) -> Result<RestoreReport, Fault> {
    let change = Change::Restore(Box::new(restore));
    match server.apply(permit(directory, change)).await? {
        Outcome::Restored(report) => Ok(*report),
        other => panic!("{other:?}"),
    }
}

const PLAIN: ItemFacts = ItemFacts {
    flags: 5,
    expires: None,
    cas: Some(7),
    accessed: None,
    marks: Marks {
        is_stale: false,
        is_awaited: false,
    },
};

#[tokio::test]
async fn conflicts_are_met_as_asked() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let path = file(directory, &[(b"a", b"file", PLAIN), (b"b c", b"", PLAIN)]);
    real.say(b"set a 0 0 6\r\nserver\r\n", "\r\n").await;
    let restore = |conflict| restored(&server, directory, wish(path.clone(), conflict));
    let refused = restore(Conflict::Fail).await.unwrap_err().to_string();
    assert_eq!(refused, "restore: a is there already");
    assert_eq!(real.say(b"mg YiBj b v\r\n", "\r\n").await, "EN\r\n");
    let report = restore(Conflict::Skip).await.unwrap();
    assert_eq!((report.restored, report.existed, report.failed), (1, 1, 0));
    assert!(real.say(b"get a\r\n", "END\r\n").await.contains("server"));
    let report = restore(Conflict::Replace).await.unwrap();
    assert_eq!((report.restored, report.existed), (2, 0));
    let verified = report.verified.unwrap();
    assert_eq!((verified.read, verified.differ, verified.gone), (2, 0, 0));
    assert!(
        real.say(b"get a\r\n", "END\r\n")
            .await
            .contains("5 4\r\nfile")
    );
}

#[tokio::test]
async fn what_is_over_or_too_large_is_told() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let over = ItemFacts {
        expires: Some(ServerSecond(1_000_000_000)),
        ..PLAIN
    };
    let large = vec![b'x'; 1 << 20];
    let path = file(
        directory,
        &[
            (b"over", b"1", over),
            (b"large", &large, PLAIN),
            (b"ok", b"1", PLAIN),
        ],
    );
    let change = Change::Restore(Box::new(wish(path.clone(), Conflict::Skip)));
    let preview = server.preview(&change).await.unwrap();
    assert_eq!(
        (preview.of, preview.commands.as_slice()),
        (1, &["ms ok 1 F5 ME".to_owned()][..])
    );
    let report = restored(&server, directory, wish(path, Conflict::Skip))
        .await
        .unwrap();
    assert_eq!((report.matched, report.restored, report.expired), (3, 1, 1));
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].1.contains("larger than"), "{report:?}");
}

#[tokio::test]
async fn a_stale_item_comes_back_stale_and_nobody_elses_does() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let stale = ItemFacts {
        marks: Marks {
            is_stale: true,
            is_awaited: false,
        },
        ..PLAIN
    };
    let path = file(
        directory,
        &[(b"stale", b"1", stale), (b"theirs", b"1", stale)],
    );
    real.say(b"set theirs 0 0 2\r\nhi\r\n", "\r\n").await;
    let report = restored(&server, directory, wish(path, Conflict::Skip))
        .await
        .unwrap();
    assert_eq!((report.restored, report.existed), (1, 1));
    let said = real.say(b"mg stale v\r\nmn\r\n", "MN\r\n").await;
    assert!(said.starts_with("VA 1 X W"), "{said}");
    let said = real.say(b"mg theirs v\r\nmn\r\n", "MN\r\n").await;
    assert!(said.starts_with("VA 2\r\n"), "{said}");
}

#[tokio::test]
async fn a_restore_goes_on_where_its_journal_says() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let path = file(
        directory,
        &[(b"first", b"1", PLAIN), (b"second", b"2", PLAIN)],
    );
    let journal = directory.join("journal");
    let bytes = path.metadata().unwrap().len();
    let note = serde_json::json!({
        "source": path, "bytes": bytes, "began_ms": null, "target": server.place(),
        "pattern": null, "conflict": "skip", "done": 1,
        "restored": 1, "existed": 0, "expired": 0, "failed": 0,
    });
    std::fs::write(&journal, note.to_string()).unwrap();
    let restore = Restore {
        journal: Some(journal.clone()),
        resumes: true,
        ..wish(path.clone(), Conflict::Skip)
    };
    let report = restored(&server, directory, restore.clone()).await.unwrap();
    assert_eq!((report.restored, report.earlier), (2, 1));
    assert_eq!(real.say(b"get first\r\n", "END\r\n").await, "END\r\n");
    assert!(real.say(b"get second\r\n", "END\r\n").await.contains('2'));
    assert!(!journal.exists());
    assert!(restored(&server, directory, restore).await.is_err());
}

#[tokio::test]
async fn nothing_is_sent_of_a_damaged_file() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let path = file(directory, &[(b"a", b"1", PLAIN), (b"b", b"2", PLAIN)]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let refused = restored(&server, directory, wish(path.clone(), Conflict::Skip)).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the file was cut")
    );
    let change = Change::Restore(Box::new(wish(path, Conflict::Skip)));
    let preview = server.preview(&change).await.unwrap();
    assert!(preview.stops[0].contains("the file was cut"), "{preview:?}");
    assert_eq!(real.say(b"get a b\r\n", "END\r\n").await, "END\r\n");
}

#[tokio::test]
async fn servers_without_meta_commands_are_restored_into_too() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let directory = real.directory.path();
    let path = file(directory, &[(b"a", b"1", PLAIN), (b"b c", b"2", PLAIN)]);
    let restore = wish(path, Conflict::Skip);
    let (mut target, _) = server.restore_target().await.unwrap();
    target.dialect = Dialect::Classic;
    let seen = survey(&restore, &target, |_, _| {}).await.unwrap();
    assert_eq!((seen.to_send(), seen.unnameable), (1, 1));
    let permit = permit(directory, Change::Restore(Box::new(restore.clone())));
    let writing = Writing::begin(&server, &restore, &permit, &target, &seen).await;
    let mut writing = writing.unwrap();
    writing
        .run(&Progress::silent(), Instant::now())
        .await
        .unwrap();
    let (report, written) = writing.end();
    assert_eq!((report.restored, report.failed), (1, 1));
    let back = server
        .read_back(
            &restore,
            &target,
            &written,
            &Progress::silent(),
            Instant::now(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!((back.read, back.differ, back.gone), (1, 0, 0));
}

#[test]
fn moments_move_with_the_clock_and_what_is_over_stays_away() {
    let second = |second| Some(ServerSecond(second));
    let fate = |shift, expires, now| Shift(shift).fate(expires, Some(now));
    assert_eq!(fate(5, None, 100), Fate::Never);
    assert_eq!(fate(0, second(101), 100), Fate::At(101));
    assert_eq!(fate(0, second(100), 100), Fate::Over);
    assert_eq!(fate(-60, second(150), 100), Fate::Over);
    assert_eq!(fate(60, second(150), 100), Fate::At(210));
    assert_eq!(fate(0, second(u32::MAX), 100), Fate::TooLate);
    assert_eq!(Shift(0).fate(second(5), None), Fate::At(5));
}

#[test]
fn every_dialects_answers_are_known() {
    let answer = |line: &str| Answer::of(line.as_bytes());
    let stored = |cas| Some(Answer::Stored { cas });
    assert_eq!(answer("HD"), stored(None));
    assert_eq!(answer("HD c7"), stored(Some(7)));
    assert_eq!(answer("STORED"), stored(None));
    assert_eq!(answer("NS"), Some(Answer::Existed));
    assert_eq!(answer("NOT_STORED"), Some(Answer::Existed));
    let words = "SERVER_ERROR out of memory storing object";
    assert_eq!(answer(words), Some(Answer::Failed(words.to_owned())));
    assert_eq!(answer("ERROR"), Some(Answer::Unknown("ERROR".to_owned())));
    assert_eq!(answer("VA 2"), None);
    assert_eq!(answer(""), None);
}
