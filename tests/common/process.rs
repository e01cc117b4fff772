//! A server process of ours: found, started, watched, and ended by its pid whatever happens.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait;

/// How long a server may take to leave after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A running child with a log. Dropping it ends the child.
pub struct Process {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    pub fn spawn(name: &'static str, mut command: Command, log: &Path) -> Process {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file in our own directory");
        let errors = output.try_clone().expect("a second handle to the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|why| panic!("cannot start {name}: {why}"));
        Process {
            child,
            name,
            log: log.to_owned(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("our own child can be waited for")
            .is_some()
    }

    /// Ends it as a crash would: no warning, no goodbye to clients.
    pub fn kill(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::KILL);
        }
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to leave, and kills it when it does not.
    pub fn end(&mut self) {
        if self.has_ended() {
            return;
        }
        self.signal(Signal::TERM);
        // A stopped process gets SIGTERM only once it runs again.
        self.signal(Signal::CONT);
        if wait::at_most(GRACE, || self.has_ended().then_some(())).is_none() {
            self.kill();
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        let pid = Pid::from_raw(pid).expect("a child's pid is not zero");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// The log, for failures and for tests that read what the server says.
    pub fn log(&self) -> String {
        match fs::read(&self.log) {
            Ok(bytes) => bytes.escape_ascii().to_string().replace("\\n", "\n"),
            Err(why) => format!("(no log: {why})"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            keep_log(self.name, self.pid(), &self.log());
        }
    }
}

/// Where the binary of a server is: prepared by `.ci/test`, or on PATH.
///
/// # Panics
///
/// When it is nowhere: a test without its server has failed, it was not skipped.
pub fn find(binary: &str) -> PathBuf {
    look_for(binary).unwrap_or_else(|| {
        panic!("this test needs {binary}, which is not here: run `.ci/test`, which installs what tests need")
    })
}

/// The directories searched: `CACHEDECK_TEST_SERVERS`, PATH, and what `.ci/test` downloaded.
pub fn look_for(binary: &str) -> Option<PathBuf> {
    let listed = |name| std::env::var_os(name).unwrap_or_default();
    let named = listed("CACHEDECK_TEST_SERVERS");
    let path = listed("PATH");
    let downloaded = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-servers");
    std::env::split_paths(&named)
        .chain(std::env::split_paths(&path))
        .chain([downloaded])
        .map(|directory| directory.join(binary))
        .find(|candidate| candidate.is_file())
}

/// The first `x.y.z` in what a binary prints for `args`.
pub fn version(binary: &Path, args: &[&str]) -> String {
    let output = Command::new(binary)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("cannot run {}: {why}", binary.display()));
    let said = output.stdout.escape_ascii().to_string();
    said.split([' ', '=', '\\'])
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .unwrap_or_else(|| panic!("no version in {said:?}"))
        .to_owned()
}

/// A loopback port that was free a moment ago. Another process may take it before the server
/// does: servers are therefore started with `retrying`.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Starts something that may lose the race for its port, a few times.
pub fn retrying<T>(mut start: impl FnMut() -> Result<T, String>) -> T {
    let mut reasons = Vec::new();
    for _ in 0..4 {
        match start() {
            Ok(started) => return started,
            Err(why) => reasons.push(why),
        }
    }
    panic!("the server does not start:\n{}", reasons.join("\n---\n"))
}

fn keep_log(name: &str, pid: u32, log: &str) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-logs");
    let kept = directory.join(format!("{name}-{pid}.log"));
    let stored = fs::create_dir_all(&directory).and_then(|()| fs::write(&kept, log));
    let from = log.lines().count().saturating_sub(20);
    let tail: Vec<&str> = log.lines().skip(from).collect();
    match stored {
        Ok(()) => eprintln!("{name}'s log is kept in {}", kept.display()),
        Err(why) => eprintln!("{name}'s log could not be kept: {why}"),
    }
    eprintln!("its last lines:\n{}", tail.join("\n"));
}
