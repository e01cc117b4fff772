//! Against a real server on a unix socket, and against scripted ones for other versions.

mod listing;

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::engine::memcached::MemcachedServer;
use crate::engine::{Backend, Fault};
use crate::guard::{Audit, Consent, Permit, Policy, plan};
use crate::model::{
    Break, Change, Coverage, Environment, Feature, Key, KeyFacts, KeyOutcome, Limits, Outcome,
    Part, Place, Protocol, Target, Ttl, TtlWish, Value, WalkAsk, WalkKey, Window, break_between,
};

/// A memcached of our own, ended with the test.
pub(super) struct Real {
    pub directory: TempDir,
    process: Child,
}

impl Real {
    pub async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let process = spawn(directory.path(), arguments);
        let real = Self { directory, process };
        real.answers().await;
        real
    }

    async fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.directory.path(), &[]);
        self.answers().await;
    }

    async fn answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(self.socket()).await.is_err() {
            assert!(Instant::now() < deadline, "memcached did not start");
            tokio::task::yield_now().await;
        }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    pub fn server(&self) -> MemcachedServer {
        MemcachedServer::at(target(self.socket()))
    }

    /// What the server says to these bytes, up to the end of `until`.
    pub async fn say(&self, bytes: &[u8], until: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(until.as_bytes()) {
            assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "closed");
        }
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            self.process
                .wait()
                .expect("a killed process can be waited for");
        }
    }
}

fn spawn(directory: &Path, arguments: &[&str]) -> Child {
    Process::new("memcached")
        .args(["-u", "root", "-m", "64", "-s", "socket"])
        .args(arguments)
        .current_dir(directory)
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached is on PATH")
}

fn target(socket: PathBuf) -> Target {
    Target {
        name: "test".into(),
        protocol: Protocol::Memcached,
        place: Place::Unix(socket),
        user: None,
        password: None,
        database: 0,
        tls: None,
        environment: Environment::Development,
        is_read_only: false,
        delimiter: ":".into(),
        limits: Limits::default(),
    }
}

pub(super) fn permit(directory: &Path, change: Change) -> Permit {
    let policy = Policy::of(&target(PathBuf::new()));
    let audit = Audit::in_directory(directory);
    plan(&policy, change, crate::model::Preview::default())
        .unwrap()
        .permit(&Consent::Flag, &audit)
        .unwrap()
}

async fn apply(server: &MemcachedServer, directory: &Path, change: Change) -> Vec<KeyOutcome> {
    match server.apply(permit(directory, change)).await.unwrap() {
        Outcome::Keys(keys) => keys.into_iter().map(|(_, outcome)| outcome).collect(),
        other => panic!("{other:?}"),
    }
}

async fn list(server: &MemcachedServer, pattern: Option<&str>) -> (Vec<WalkKey>, Coverage) {
    let ask = WalkAsk {
        pattern: pattern.map(Into::into),
        ..WalkAsk::default()
    };
    let mut walk = server.walk(ask).await.unwrap();
    let (mut found, mut coverage) = (Vec::new(), Coverage::default());
    while let Some(page) = walk.step().await.unwrap() {
        found.extend(page.found);
        coverage = page.coverage;
    }
    (found, coverage)
}

fn keys(names: &[&str]) -> Vec<Key> {
    names.iter().copied().map(Key::from).collect()
}

const WHOLE: Window = Window {
    from: 0,
    count: u64::MAX,
};

/// Time left, rounded up to seconds.
fn left(facts: Option<KeyFacts>) -> Option<u64> {
    match facts {
        Some(KeyFacts::Here { ttl, .. }) => {
            let now = crate::engine::memcached::clock::now();
            ttl.left(now)
                .map(|left| left.as_secs() + u64::from(left.subsec_nanos() > 0))
        }
        other => panic!("{other:?}"),
    }
}

/// A TTL that was just set: the server counts in seconds, and a busy machine takes some.
fn is_about(left: Option<u64>, set: u64) -> bool {
    left.is_some_and(|left| (set.saturating_sub(20)..=set).contains(&left))
}

async fn ttl(server: &MemcachedServer, key: &str) -> Option<u64> {
    left(server.facts(&keys(&[key])).await.unwrap().remove(0).facts)
}

#[tokio::test]
async fn a_sample_tells_the_overview_and_leaves_own_lookups_out() {
    let mut real = Real::start(&[]).await;
    real.say(b"set a 0 0 1\r\nx\r\nget a\r\nget b\r\n", "END\r\nEND\r\n")
        .await;
    let server = real.server();
    let before = server.sample().await.unwrap();
    server.show(&Key::from("a"), WHOLE).await.unwrap().unwrap();
    server.facts(&keys(&["a", "nothing", "a b"])).await.unwrap();
    let after = server.sample().await.unwrap();
    for sample in [&before, &after] {
        let counters = &sample.counters;
        assert_eq!((counters.hits, counters.misses), (Some(1), Some(1)));
        assert_eq!(sample.keys(), Some(1));
        assert_eq!(sample.keys_with_ttl(), None);
        assert_eq!(sample.memory.policy.as_deref(), Some("segmented lru"));
        assert_eq!(sample.slabs.as_ref().unwrap().classes.len(), 1);
        assert!(sample.unsupported.contains_key("replication"));
    }
    assert_eq!(after.counters.own_lookups, 1);
    assert_eq!(break_between(&before, &after), None);
    real.restart().await;
    let restarted = server.sample().await.unwrap();
    assert_eq!(break_between(&after, &restarted), Some(Break::Restarted));
    assert_eq!(restarted.counters.own_lookups, 0);
}

#[tokio::test]
async fn browsing_leaves_an_item_as_it_was() {
    let real = Real::start(&[]).await;
    real.say(b"set a 5 100 1\r\nx\r\n", "STORED\r\n").await;
    let seen = |text: String| text.split(" la=").nth(1).unwrap()[2..].to_owned();
    let before = seen(real.say(b"me a\r\n", "\r\n").await);
    let server = real.server();
    server.facts(&keys(&["a"])).await.unwrap();
    list(&server, None).await;
    let (card, value) = server.show(&Key::from("a"), WHOLE).await.unwrap().unwrap();
    assert_eq!(seen(real.say(b"me a\r\n", "\r\n").await), before);
    assert_eq!(before, "cas=1 fetch=no cls=1 size=65\r\n");
    let item = card.item.unwrap();
    assert_eq!(
        (item.flags, item.cas, item.fetched),
        (Some(5), Some(1), Some(false))
    );
    assert_eq!(value.part, Part::Text(b"x".into()));
}

#[tokio::test]
async fn the_recache_token_of_a_stale_item_is_left_for_its_application() {
    let real = Real::start(&[]).await;
    real.say(b"set a 0 0 1\r\nx\r\nmd a I\r\n", "HD\r\n").await;
    real.server()
        .show(&Key::from("a"), WHOLE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        real.say(b"mg a\r\n", "\r\n").await,
        "HD W X\r\n".replace("W X", "X W")
    );
    assert_eq!(real.say(b"mg a\r\n", "\r\n").await, "HD Z X\r\n");
}

#[tokio::test]
async fn ttls_are_set_removed_and_kept_from_killing() {
    let real = Real::start(&[]).await;
    real.say(b"set a 0 100 1\r\nx\r\n", "STORED\r\n").await;
    let (server, state) = (real.server(), real.directory.path());
    let day = 86_400;
    let set = |wish| Change::SetTtl {
        keys: keys(&["a", "nothing", ""]),
        wish,
    };
    for (wish, seconds) in [
        (TtlWish::In(Duration::from_secs(60)), Some(60)),
        (TtlWish::In(Duration::from_secs(45 * day)), Some(45 * day)),
        (TtlWish::Never, None),
    ] {
        let outcomes = apply(&server, state, set(wish)).await;
        assert_eq!(outcomes[..2], [KeyOutcome::Done, KeyOutcome::NoSuchKey]);
        assert!(matches!(outcomes[2], KeyOutcome::Failed(_)));
        let now = ttl(&server, "a").await;
        // The server's seconds are rounded, and one may pass.
        assert!(
            now.zip(seconds)
                .map_or(now == seconds, |(now, set)| now.abs_diff(set) <= 1)
        );
    }
    let century = TtlWish::In(Duration::from_secs(100 * 365 * day));
    let preview = server.preview(&set(century)).await.unwrap();
    assert!(preview.stops[0].contains("2038"));
    let preview = server
        .preview(&set(TtlWish::In(Duration::from_secs(45 * day))))
        .await
        .unwrap();
    assert!(preview.cautions[0].starts_with("over 30 days"));
    assert_eq!(preview.of, 2);
    let one = Change::SetTtl {
        keys: keys(&["a"]),
        wish: TtlWish::In(Duration::from_secs(60)),
    };
    let preview = server.preview(&one).await.unwrap();
    assert_eq!(preview.commands, ["touch a 60"]);
    assert_eq!(preview.undo.as_deref(), Some("touch a 0"));
}

#[tokio::test]
async fn snapshots_are_refused_in_words() {
    let real = Real::start(&[]).await;
    let server = real.server();
    let preview = server.preview(&Change::Snapshot).await.unwrap();
    assert!(preview.stops[0].starts_with("Memcached has no snapshots"));
    let refused = server
        .apply(permit(real.directory.path(), Change::Snapshot))
        .await;
    assert!(matches!(refused, Err(Fault::Missing(_))));
    assert!(server.features().need(Feature::Snapshot).is_err());
    assert!(server.features().need(Feature::Walk).is_ok());
}

#[tokio::test]
async fn the_login_is_given_only_to_a_server_that_wants_it() {
    let login = |socket, password: &str| {
        MemcachedServer::at(Target {
            user: Some("user".into()),
            password: Some(password.to_owned().into()),
            ..target(socket)
        })
    };
    let open = Real::start(&[]).await;
    let sample = login(open.socket(), "pass").sample().await.unwrap();
    assert_eq!(sample.keys(), Some(0), "the password was stored");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "user:pass\n").unwrap();
    let guarded = Real::start(&["-Y", file.path().to_str().unwrap()]).await;
    let sample = login(guarded.socket(), "pass").sample().await.unwrap();
    assert!(!sample.identity.version.is_empty());
    for server in [login(guarded.socket(), "nope"), guarded.server()] {
        assert!(matches!(server.sample().await, Err(Fault::Login { .. })));
    }
}

#[tokio::test]
async fn an_abandoned_question_does_not_answer_the_next() {
    let real = Real::start(&[]).await;
    real.say(
        b"set a 0 0 1\r\nx\r\nset b 0 100 1\r\nx\r\n",
        "STORED\r\nSTORED\r\n",
    )
    .await;
    let server = real.server();
    let asked = keys(&["a"]);
    for _ in 0..50 {
        tokio::select! {
            biased;
            rows = server.look_at(&asked) => drop(rows),
            () = tokio::task::yield_now() => {}
        }
        assert!(ttl(&server, "b").await.is_some());
    }
}

/// At the end of a scripted reply.
const HANGS_UP: char = '\u{4}';

/// A server that knows its replies by heart; what it does not know is an `ERROR`.
fn scripted(script: &'static [(&'static str, &'static str)]) -> (TempDir, MemcachedServer) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(recite(stream, script));
        }
    });
    (directory, MemcachedServer::at(target(socket)))
}

async fn recite(stream: UnixStream, script: &[(&str, &str)]) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let reply = script.iter().find(|(asked, _)| *asked == line.trim_end());
        let reply = reply.map_or("ERROR\r\n", |(_, reply)| reply);
        let (reply, hangs_up) = match reply.strip_suffix(HANGS_UP) {
            Some(reply) => (reply, true),
            None => (reply, false),
        };
        if stream.write_all(reply.as_bytes()).await.is_err() || hangs_up {
            return;
        }
        line.clear();
    }
}

#[tokio::test]
async fn a_server_of_1_4_39_is_read_by_classic_commands() {
    let (_directory, server) = scripted(&[
        ("version", "VERSION 1.4.39\r\n"),
        (
            "stats",
            "STAT time 1795387258\r\nSTAT curr_items 1\r\nEND\r\n",
        ),
        ("gets a", "VALUE a 7 3 12\r\nabc\r\nEND\r\n"),
        (
            "lru_crawler metadump all",
            "CLIENT_ERROR lru crawler disabled\r\n",
        ),
    ]);
    let rows = server.facts(&keys(&["a", "a b"])).await.unwrap();
    assert!(rows.iter().all(|row| row.facts.is_none()));
    let (card, value) = server
        .show(&Key::from("a"), Window { from: 1, count: 1 })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((card.ttl, card.length), (Ttl::Unknown, Some(3)));
    let expected = Value {
        part: Part::Text(b"b".into()),
        from: 1,
        of: Some(3),
        cut: None,
    };
    assert_eq!(value, expected);
    assert!(matches!(
        server.walk(WalkAsk::default()).await,
        Err(Fault::Missing(_))
    ));
    assert!(server.features().need(Feature::KeySize).is_err());
}

#[tokio::test]
async fn a_service_that_knows_only_stats_still_gives_a_sample() {
    let (_directory, server) = scripted(&[
        ("version", "VERSION 1.6.22\r\n"),
        ("stats", "STAT curr_items 5\r\nSTAT get_hits 9\r\nEND\r\n"),
    ]);
    let sample = server.sample().await.unwrap();
    assert_eq!((sample.keys(), sample.counters.hits), (Some(5), Some(9)));
    assert_eq!(sample.counters.misses, None);
    assert!(sample.unsupported.contains_key("slabs"));
}

#[tokio::test]
async fn redis_is_recognised_behind_a_memcached_address() {
    let (_directory, server) = scripted(&[("version", "-ERR unknown command 'version'\r\n")]);
    let fault = server.sample().await.unwrap_err();
    assert!(matches!(fault, Fault::WrongServer { .. }));
    assert!(
        fault
            .hint()
            .unwrap()
            .starts_with("this is Redis: use redis")
    );
}

#[tokio::test]
async fn a_write_without_permit_stays_here() {
    use crate::engine::memcached::command::Command;
    let real = Real::start(&[]).await;
    real.say(b"set a 0 0 1\r\nx\r\n", "STORED\r\n").await;
    let server = real.server();
    let refused = server
        .work
        .ask(&[Command::version(), Command::delete(b"a")])
        .await;
    assert!(matches!(refused, Err(Fault::NoPermit { .. })));
    assert_eq!(server.sample().await.unwrap().keys(), Some(1));
}
