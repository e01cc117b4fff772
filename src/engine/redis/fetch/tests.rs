use std::time::Duration;

use crate::engine::conduit::conduit;
use crate::engine::redis::RedisServer;
use crate::engine::redis::scripted::{
    Does::{self, HangsUp, Says, Waits},
    Scripted, polite,
};
use crate::engine::{Fault, Kind, Poured};
use crate::model::{FetchAsk, FetchOrigin, FetchWay};

/// Fetches from a server that answers so, and gives the payload with its origin.
async fn fetch(server: &Scripted, stall: Duration) -> Result<(Vec<u8>, FetchOrigin), Fault> {
    let (inlet, mut outlet) = conduit();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        // Where it breaks off, the engine says why.
        drop(std::io::Read::read_to_end(&mut outlet, &mut all));
        all
    });
    let backend = RedisServer::at(server.target());
    let mut fetch = backend.fetch(FetchAsk { stall }).await?;
    let poured = fetch.pour(inlet, |_| {}).await?;
    assert_eq!(poured, Poured::Whole);
    Ok((reader.join().expect("a reader"), fetch.origin().clone()))
}

const PATIENT: Duration = Duration::from_secs(20);

/// A server that has `psync` to say to the request.
fn saying(psync: &'static str) -> Scripted {
    Scripted::answering(move |line| replica_of(line).unwrap_or(Says(psync)))
}

/// What every server says on the way to the request.
fn replica_of(line: &str) -> Option<Does> {
    match line {
        line if line.starts_with("REPLCONF") => Some(Says("+OK\r\n")),
        "INFO" => Some(Says("$0\r\n\r\n")),
        line => polite(line),
    }
}

#[tokio::test]
async fn the_copy_arrives_and_nothing_but_a_replicas_words_is_said() {
    let server = saying("\n+FULLRESYNC abc 42\r\n\n$5\r\nREDIS");
    let (payload, origin) = fetch(&server, PATIENT).await.unwrap();
    assert_eq!(payload, b"REDIS");
    assert_eq!(origin.replication_id.as_deref(), Some("abc"));
    assert_eq!(
        (origin.offset, origin.way),
        (Some(42), Some(FetchWay::Disk))
    );
    assert!(origin.is_snapshot_only);
    let said: Vec<String> = server
        .heard()
        .into_iter()
        .filter(|line| polite(line).is_none() && line != "INFO")
        .collect();
    let expected = ["REPLCONF capa eof", "REPLCONF rdb-only 1", "PSYNC ? -1"];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn valkey_learns_that_we_understand_its_own_version() {
    let server = Scripted::answering(|line| match line {
        "INFO" => Says("$22\r\nvalkey_version:9.0.1\n\n\r\n"),
        line => replica_of(line).unwrap_or(Says("+FULLRESYNC a 1\r\n$1\r\nx")),
    });
    fetch(&server, PATIENT).await.unwrap();
    let said = server.heard();
    assert!(
        said.contains(&"REPLCONF version 9.0.1".to_owned()),
        "{said:?}"
    );
}

#[tokio::test]
async fn courtesies_that_are_unknown_there_are_done_without() {
    let server = Scripted::answering(|line| match line {
        "REPLCONF rdb-only 1" => Says("-ERR Unrecognized REPLCONF option: rdb-only\r\n"),
        line => replica_of(line).unwrap_or(Says("+FULLRESYNC a 1\r\n$1\r\nx")),
    });
    let (payload, origin) = fetch(&server, PATIENT).await.unwrap();
    assert_eq!(payload, b"x");
    assert!(!origin.is_snapshot_only);
}

#[tokio::test]
async fn a_server_without_the_request_is_asked_in_the_old_way() {
    let server = Scripted::answering(|line| match line {
        "PSYNC ? -1" => Says("-ERR unknown command 'PSYNC', with args beginning with: \r\n"),
        "SYNC" => Says("\n$1\r\nx"),
        line => replica_of(line).unwrap_or(HangsUp),
    });
    let (payload, origin) = fetch(&server, PATIENT).await.unwrap();
    assert_eq!((payload.as_slice(), origin.offset), (&b"x"[..], None));
}

#[tokio::test]
async fn refusals_keep_their_reason() {
    for (said, kind, words) in [
        (
            "-NOPERM User x has no permissions to run the 'psync' command\r\n",
            Kind::Permission,
            "NOPERM",
        ),
        (
            "-NOMASTERLINK Can't SYNC while not connected\r\n",
            Kind::Connection,
            "without a link",
        ),
        (
            "-LOADING Redis is loading the dataset in memory\r\n",
            Kind::Connection,
            "loading",
        ),
        (
            "-ERR unknown command 'PSYNC'\r\n",
            Kind::Permission,
            "no PSYNC",
        ),
        ("+CONTINUE\r\n", Kind::Connection, "out of protocol"),
    ] {
        let fault = fetch(&saying(said), PATIENT).await.unwrap_err();
        assert_eq!(fault.kind(), kind, "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[tokio::test]
async fn a_transfer_that_breaks_off_or_stalls_is_no_copy() {
    // Whatever comes next on that connection is waited for, and nothing does.
    let server = saying("+FULLRESYNC a 1\r\n$50\r\nREDIS");
    let fault = fetch(&server, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(fault, Fault::Timeout { .. }), "{fault}");
    let silent = Scripted::answering(|line| replica_of(line).unwrap_or(Waits("")));
    let fault = fetch(&silent, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(fault, Fault::Timeout { .. }), "{fault}");
    let leaves = Scripted::answering(|line| replica_of(line).unwrap_or(HangsUp));
    let fault = fetch(&leaves, PATIENT).await.unwrap_err();
    assert!(matches!(fault, Fault::Closed { .. }), "{fault}");
}
