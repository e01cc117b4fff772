//! The demo with real servers: what it starts, what it shows, and that nothing of it stays.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it says"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use cachedeck::demo::{Bundled, Demo, Options};
use cachedeck::model::{Place, Target, UnixMs};
use cachedeck::snapshot::rdb::{Reader, Record};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use secrecy::ExposeSecret;

#[test]
fn it_fills_the_servers_and_leaves_nothing_behind() {
    let demo = Demo::start(&Options::default()).expect("servers are on PATH");
    let names: Vec<&str> = demo.targets().iter().map(|t| t.name.as_str()).collect();
    assert!(names[0] == "demo-redis" || names[0] == "demo-valkey");
    assert_eq!(names[1..], ["demo-replica", "demo-memcached"]);
    assert_eq!(demo.notes(), [] as [&str; 0]);

    let directory = directory_of(&demo.targets()[0]);
    assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);

    let keys = ask_redis(&demo.targets()[0], "DBSIZE");
    let keys: u32 = keys.trim_start_matches(':').parse().unwrap();
    assert!((5_500..6_500).contains(&keys), "{keys}");
    for (key, kind) in [
        ("config:flags", "string"),
        ("user:1", "hash"),
        ("queue:mail", "list"),
        ("tags:1", "set"),
        ("leaderboard:go", "zset"),
        ("events:orders", "stream"),
    ] {
        let said = ask_redis(&demo.targets()[0], &format!("TYPE {key}"));
        assert_eq!(said, format!("+{kind}"), "{key}");
    }
    let role = ask_redis(&demo.targets()[1], "SET config:flags x");
    assert!(role.starts_with("-READONLY"), "{role}");
    // Scheduled, because the replica's own copy may be under way.
    let save = ask_redis(&demo.targets()[0], "BGSAVE SCHEDULE");
    assert!(save.starts_with("+Background saving"), "{save}");

    drop(demo);
    assert!(!directory.exists());
}

/// The pictures and the bundled snapshot are made anew when this is set.
const WANTED: &str = "CACHEDECK_PICTURES";

/// The bundled snapshot goes into the program, so of what there is by the hundred it holds a part.
const THIN: &str = "for _,pattern in ipairs({'tmp:export:[1-9a-f]*','tmp:export:0[4-9a-f]*','user:[45]??','article:???','session:[2-9a-f]*',\
                    'product:*[5-9]','rate:*','report:*'}) do for _,key in \
                    ipairs(redis.call('KEYS',pattern)) do redis.call('DEL',key) end end";

#[test]
fn the_bundled_snapshot_is_what_the_demo_fills() {
    let options = Options::using(Some(on_path("redis-server")));
    let demo = Demo::start(&options).expect("redis-server is on PATH");
    let directory = directory_of(&demo.targets()[0]);
    // The replica's own copy may be under way: then the server refuses until that is done.
    let thinned = ask_redis(&demo.targets()[0], &format!("EVAL {THIN:?} 0"));
    assert_eq!(thinned, "$-1");
    let began = Instant::now();
    while ask_redis(&demo.targets()[0], "SAVE") != "+OK" {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    let written = newest_snapshot(&directory);
    if std::env::var_os(WANTED).is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.rdb"),
            &written,
        )
        .unwrap();
    }
    let bundled = Bundled::unpack(UnixMs(0)).expect("a directory");
    let Place::File(path) = &bundled.target().place else {
        panic!("a file is expected");
    };
    let kept = std::fs::read(path).unwrap();
    let (written, kept) = (names(&written), names(&kept));
    // Traffic adds a few, and takes a few away.
    let missing = written.difference(&kept).count();
    let surplus = kept.difference(&written).count();
    assert!(missing < 300 && surplus < 300, "{missing} {surplus}");
}

/// Of all snapshots below the directory.
fn newest_snapshot(directory: &Path) -> Vec<u8> {
    let mut open = vec![directory.to_path_buf()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "dump.rdb") {
                found.push(path);
            }
        }
    }
    found.sort_by_key(|path| path.metadata().unwrap().modified().unwrap());
    std::fs::read(found.last().expect("one was written")).unwrap()
}

fn names(snapshot: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut reader = Reader::new(snapshot).unwrap();
    let mut names = BTreeSet::new();
    loop {
        match reader.next().unwrap() {
            Record::Key(head) => {
                names.insert(head.name.clone());
            }
            Record::End(_) => return names,
            _ => {}
        }
    }
}

#[test]
fn without_one_kind_it_goes_on_and_says_so() {
    let only = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(on_path("memcached"), only.path().join("memcached")).unwrap();
    let options = Options {
        server_bin: None,
        search: only.path().into(),
    };
    let demo = Demo::start(&options).unwrap();
    assert_eq!(demo.targets().len(), 1);
    assert_eq!(demo.targets()[0].name, "demo-memcached");
    assert!(
        demo.notes()[0].contains("redis-server"),
        "{:?}",
        demo.notes()
    );
}

#[test]
fn a_demo_whose_process_is_killed_leaves_nothing_behind() {
    let mut child = Held::start();
    let keeper = only(children_of(child.process.id()));
    let servers = children_of(keeper);
    assert_eq!(servers.len(), 3);
    assert!(child.directory.exists());

    let watched = watch(keeper);
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    // The keeper is the last to end.
    wait_for_end(&watched);

    assert!(!child.directory.exists());
    for server in servers {
        assert!(!Path::new(&format!("/proc/{server}")).exists());
    }
}

#[test]
fn a_demo_whose_keeper_is_killed_leaves_nothing_behind() {
    let mut child = Held::start();
    let keeper = only(children_of(child.process.id()));
    let servers: Vec<_> = children_of(keeper).into_iter().map(watch).collect();
    kill_process(pid(keeper), Signal::KILL).unwrap();
    drop(child.process.stdin.take());
    assert!(child.process.wait().unwrap().success());
    for server in servers {
        wait_for_end(&server);
    }
    assert!(!child.directory.exists());
}

#[test]
#[ignore = "the process that another test kills: alone it waits for the end of its input"]
fn holds_a_demo() {
    let demo = Demo::start(&Options::default()).expect("servers are on PATH");
    println!("nest: {}", directory_of(&demo.targets()[0]).display());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

/// Another process with a demo.
struct Held {
    process: Child,
    directory: PathBuf,
    /// Kept open, as it has more to say.
    _said: BufReader<ChildStdout>,
}

impl Held {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "holds_a_demo", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let directory = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("nest: ")
                    .map(|(_, path)| PathBuf::from(path))
            })
            .expect("the child names its directory");
        Self {
            process,
            directory,
            _said: said,
        }
    }
}

fn watch(process: u32) -> OwnedFd {
    pidfd_open(pid(process), PidfdFlags::empty()).unwrap()
}

fn wait_for_end(process: &OwnedFd) {
    poll(&mut [PollFd::new(process, PollFlags::IN)], None).unwrap();
}

fn socket_of(target: &Target) -> &Path {
    match &target.place {
        Place::Unix(path) => path,
        Place::Tcp { .. } | Place::File(_) => panic!("a socket is expected"),
    }
}

fn directory_of(target: &Target) -> PathBuf {
    socket_of(target).parent().unwrap().to_path_buf()
}

/// The first line of the answer to an inline command.
fn ask_redis(target: &Target, command: &str) -> String {
    let mut stream = UnixStream::connect(socket_of(target)).unwrap();
    let password = target.password.as_ref().unwrap().expose_secret();
    write!(stream, "AUTH {password}\r\n{command}\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "+OK");
    lines.next().unwrap().unwrap()
}

fn on_path(name: &str) -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|directory| directory.join(name))
        .find(|program| program.exists())
        .expect("it is on PATH")
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

fn only(numbers: BTreeSet<u32>) -> u32 {
    assert_eq!(numbers.len(), 1);
    numbers.into_iter().next().unwrap()
}

fn children_of(parent: u32) -> BTreeSet<u32> {
    let is_child = |number: &u32| {
        let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line == format!("PPid:\t{parent}"))
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(is_child)
        .collect()
}
