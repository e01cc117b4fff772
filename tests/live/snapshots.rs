//! Snapshots from the request to the proof, and those that come to nothing.

use cachedeck::engine::Server;
use cachedeck::model::{Change, Outcome, SnapshotState, SnapshotWatch};
use rustix::process::{Pid, Signal, kill_process};

use super::bench::{backend, change, run, sample};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::wait;

async fn persistence(server: &Server) -> cachedeck::model::Persistence {
    sample(server).await.persistence.expect("persistence")
}

/// Asks for a snapshot and follows it to its end; `meanwhile` runs once it was accepted.
async fn snapshot(server: &Server, meanwhile: impl FnOnce()) -> SnapshotState {
    let state = tempfile::tempdir().expect("a directory");
    let mut watch = SnapshotWatch::begin(&persistence(server).await);
    let outcome = change(server, Change::Snapshot, state.path()).await;
    assert!(matches!(outcome, Ok(Outcome::Snapshot(_))), "{outcome:?}");
    let audit = std::fs::read_to_string(state.path().join("audit.jsonl")).expect("an audit file");
    assert!(audit.contains(r#"{"snapshot":"accepted"}"#), "{audit}");
    meanwhile();
    loop {
        let state = watch.state(&persistence(server).await);
        if !matches!(state, SnapshotState::Running { .. }) {
            return state;
        }
    }
}

#[test]
fn snapshots_in_quick_succession_are_all_seen_to_succeed() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET one 1");
        run(async {
            let backend = backend(&server.url());
            for number in 1..=3 {
                let state = snapshot(&backend, || {}).await;
                assert!(
                    matches!(state, SnapshotState::Done { .. }),
                    "{flavor:?}, snapshot {number}: {state:?}"
                );
            }
        });
    }
}

/// A server whose snapshots take their time.
fn slow(flavor: Flavor) -> RedisServer {
    let server = RedisServer::start(Options {
        flavor,
        args: ["--rdb-key-save-delay", "100000"]
            .map(str::to_owned)
            .to_vec(),
        ..Options::default()
    });
    let script = "for n = 1, 1000 do redis.call('SET', n, n) end";
    assert!(!server.cmd(&[b"EVAL", script.as_bytes(), b"0"]).is_error());
    server
}

/// Ends the process that writes the server's snapshot.
fn kill_writer(server: &RedisServer, signal: Signal) {
    let pid = server.pid();
    let list = format!("/proc/{pid}/task/{pid}/children");
    let child = wait::until("the writer", wait::PATIENCE, || {
        let children = std::fs::read_to_string(&list).expect("a list of children");
        children.split_whitespace().next()?.parse().ok()
    });
    let child = Pid::from_raw(child).expect("a pid");
    kill_process(child, signal).expect("a child of our own server");
}

#[cfg(target_os = "linux")]
#[test]
fn a_first_snapshot_that_was_killed_is_not_called_done() {
    for flavor in Flavor::available() {
        // The server takes the first signal for somebody's wish, and its status stays "ok".
        for signal in [Signal::USR1, Signal::KILL] {
            let server = slow(flavor);
            let state = run(async {
                snapshot(&backend(&server.url()), || kill_writer(&server, signal)).await
            });
            assert!(
                matches!(state, SnapshotState::Failed { .. }),
                "{flavor:?}, {signal:?}: {state:?}"
            );
            assert!(!server.directory().join("dump.rdb").exists());
        }
    }
}
