use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::engine::redis::RedisServer;
use crate::engine::redis::scripted::Does::{HangsUp, Says};
use crate::engine::redis::scripted::{Scripted, polite};
use crate::engine::{Backend, Fault};
use crate::guard::{Audit, Consent, Policy, plan};
use crate::model::{Change, Key, KeyOutcome, Outcome, Preview, TtlWish};

/// Carries out a change and gives back what the audit file says of it.
async fn apply(server: &Scripted, change: Change) -> (Result<Outcome, Fault>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let audit = Audit::in_directory(directory.path());
    let target = server.target();
    let permit = plan(&Policy::of(&target), change, Preview::default())
        .expect("a plan")
        .permit(&Consent::Flag, &audit)
        .expect("a permit");
    let outcome = RedisServer::at(target).apply(permit).await;
    let line = std::fs::read_to_string(audit.path()).expect("the audit file");
    (outcome, line)
}

fn keys(count: usize) -> Vec<Key> {
    (0..count)
        .map(|number| Key::from(format!("k{number}").as_str()))
        .collect()
}

fn outcomes(outcome: Result<Outcome, Fault>) -> Vec<KeyOutcome> {
    match outcome {
        Ok(Outcome::Keys(keys)) => keys.into_iter().map(|(_, outcome)| outcome).collect(),
        other => panic!("no outcomes: {other:?}"),
    }
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_unknown_and_the_rest_was_not_sent() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let server = Scripted::answering(move |line| match polite(line) {
        Some(does) => does,
        None if deleted.fetch_add(1, Ordering::SeqCst) < 250 => Says(":1\r\n"),
        None => HangsUp,
    });
    let (outcome, audit) = apply(&server, Change::Delete { keys: keys(450) }).await;
    let outcomes = outcomes(outcome);
    assert!(
        outcomes[..200]
            .iter()
            .all(|outcome| *outcome == KeyOutcome::Done)
    );
    assert!(
        outcomes[200..400]
            .iter()
            .all(|outcome| matches!(outcome, KeyOutcome::Unknown(_)))
    );
    assert!(
        outcomes[400..]
            .iter()
            .all(|outcome| matches!(outcome, KeyOutcome::Failed(_)))
    );
    let sent = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("UNLINK"))
        .count();
    assert!(sent <= 400, "nothing is sent twice: {sent}");
    assert_eq!(audit.lines().count(), 1);
}

#[tokio::test]
async fn a_server_without_unlink_gets_del() {
    let server = Scripted::answering(|line| match line.split(' ').next() {
        Some("UNLINK") => Says("-ERR unknown command 'UNLINK'\r\n"),
        Some("DEL") => Says(":1\r\n"),
        _ => polite(line).unwrap_or(HangsUp),
    });
    let (outcome, _) = apply(&server, Change::Delete { keys: keys(3) }).await;
    assert_eq!(outcomes(outcome), vec![KeyOutcome::Done; 3]);
}

#[tokio::test]
async fn a_key_without_ttl_is_told_from_one_that_is_not_there() {
    let server = Scripted::answering(|line| match line {
        "PERSIST k0" | "EXISTS k0" | "EXISTS k1" => Says(":1\r\n"),
        "PERSIST k1" | "PERSIST k2" | "EXISTS k2" => Says(":0\r\n"),
        _ => polite(line).unwrap_or(HangsUp),
    });
    let change = Change::SetTtl {
        keys: keys(3),
        wish: TtlWish::Never,
    };
    let (outcome, _) = apply(&server, change).await;
    assert_eq!(
        outcomes(outcome),
        [
            KeyOutcome::Done,
            KeyOutcome::AlreadySo,
            KeyOutcome::NoSuchKey
        ]
    );
}

#[tokio::test]
async fn a_read_only_replica_says_so_for_each_key() {
    let server = Scripted::answering(|line| match line.split(' ').next() {
        Some("PEXPIRE") => Says("-READONLY You can't write against a read only replica.\r\n"),
        Some("EXISTS") => Says(":1\r\n"),
        _ => polite(line).unwrap_or(HangsUp),
    });
    let change = Change::SetTtl {
        keys: keys(1),
        wish: TtlWish::In(Duration::from_secs(60)),
    };
    let (outcome, _) = apply(&server, change).await;
    let why = "PEXPIRE: the server is a read-only replica".to_owned();
    assert_eq!(outcomes(outcome), [KeyOutcome::Failed(why)]);
}

#[tokio::test]
async fn a_snapshot_that_others_began_is_attached_to() {
    let server = Scripted::answering(|line| match line {
        "BGSAVE" => Says("-ERR Background save already in progress\r\n"),
        "INFO persistence" => Says("$23\r\nrdb_last_save_time:100\n\r\n"),
        "TIME" => Says("*2\r\n$3\r\n200\r\n$1\r\n0\r\n"),
        _ => polite(line).unwrap_or(HangsUp),
    });
    let (outcome, audit) = apply(&server, Change::Snapshot).await;
    assert_eq!(outcome.expect("no fault"), Outcome::Attached);
    assert!(audit.contains(r#"{"attached":true}"#), "{audit}");
}

#[tokio::test]
async fn when_nothing_could_be_sent_it_is_a_fault_and_not_an_outcome() {
    let server = Scripted::answering(|_| HangsUp);
    let (outcome, audit) = apply(&server, Change::Delete { keys: keys(2) }).await;
    assert!(matches!(outcome, Err(Fault::Closed { .. })), "{outcome:?}");
    assert_eq!(audit.lines().count(), 1);
    assert!(!server.heard().iter().any(|line| line.starts_with("UNLINK")));
}
