//! The built program, run once in a clean home.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait::{self, PATIENCE};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_cachedeck");

/// A home directory that nobody has lived in: no config, no state, no variables of the
/// developer's. Gone when dropped.
pub struct Home {
    directory: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let home = Home {
            directory: TempDir::with_prefix("cachedeck-home-").expect("a temporary directory"),
        };
        for (_, directory) in home.directories() {
            std::fs::create_dir_all(directory).expect("our own directory");
        }
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a config file into the home; pass it with `--config` or `CACHEDECK_CONFIG`.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        let parent = path.parent().expect("a file in the home");
        std::fs::create_dir_all(parent).expect("our own directory");
        std::fs::write(&path, text).expect("our own file");
        path
    }

    /// Every file the program left in the home, such as its audit log.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut open = vec![self.path().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).expect("our own directory") {
                let path = entry.expect("our own directory").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// The file of this name, wherever the program put it.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.files().into_iter().find(|path| path.ends_with(name))
    }

    /// The whole environment of the program: PATH and what makes output the same everywhere.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let fixed = [
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "xterm-256color"),
            ("TZ", "UTC"),
            ("RUST_BACKTRACE", "1"),
        ];
        let mut environment: Vec<(OsString, OsString)> = fixed
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        environment.push(("PATH".into(), std::env::var_os("PATH").unwrap_or_default()));
        for (name, directory) in self.directories() {
            environment.push((name.into(), directory.into()));
        }
        environment
    }

    fn directories(&self) -> [(&'static str, PathBuf); 6] {
        let at = |name| self.path().join(name);
        [
            ("HOME", self.path().to_owned()),
            ("XDG_CONFIG_HOME", at("config")),
            ("XDG_STATE_HOME", at("state")),
            ("XDG_DATA_HOME", at("data")),
            ("XDG_CACHE_HOME", at("cache")),
            ("TMPDIR", at("tmp")),
        ]
    }
}

/// Runs the program with these arguments in a home of its own, without input.
pub fn cachedeck<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Run {
    Call::new(args).run(&Home::new())
}

/// A run with more than arguments: variables, standard input.
#[derive(Default)]
pub struct Call {
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    input: Vec<u8>,
}

impl Call {
    pub fn new<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Call {
        Call {
            args: args.into_iter().map(Into::into).collect(),
            ..Call::default()
        }
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Call {
        self.variables.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn input(mut self, bytes: &[u8]) -> Call {
        self.input = bytes.to_vec();
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn run(self, home: &Home) -> Run {
        self.start(home).wait()
    }

    /// Starts it and returns, for commands that run until they are told to stop.
    pub fn start(self, home: &Home) -> Running {
        let mut child = Command::new(BINARY)
            .args(&self.args)
            .env_clear()
            .envs(home.environment())
            .envs(self.variables)
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program under test was built");
        let mut stdin = child.stdin.take().expect("piped");
        let input = self.input;
        // A program that ignores its input closes the pipe early, which is no failure.
        thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = child.stderr.take().expect("piped");
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| bytes)
        });
        Running {
            child,
            stdout,
            stderr: Some(stderr),
            command: self.args,
        }
    }
}

/// A run that goes on. It ends when dropped.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<std::io::Result<Vec<u8>>>>,
    command: Vec<OsString>,
}

impl Running {
    /// The next line of its output, without the line end; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.stdout.read_line(&mut line).expect("output in UTF-8");
        (length > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        let pid = Pid::from_raw(pid).expect("a child's pid is not zero");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// Waits until a file of this directory that it has open, with a name or without, is longer than
    /// this.
    pub fn has_filled(&self, directory: &Path, bytes: u64) {
        let open = format!("/proc/{}/fd", self.child.id());
        wait::until("a file under way", PATIENCE, || {
            let sizes = std::fs::read_dir(&open).ok()?.filter_map(|entry| {
                let entry = entry.ok()?.path();
                let is_there = std::fs::read_link(&entry).ok()?.starts_with(directory);
                // Through the link of the descriptor: the file may have no name.
                is_there.then(|| std::fs::metadata(&entry).ok())?
            });
            let files = sizes.filter(std::fs::Metadata::is_file);
            files
                .map(|file| file.len())
                .max()
                .filter(|size| *size > bytes)
        });
    }

    /// Waits for its end and collects the rest of its output.
    pub fn wait(mut self) -> Run {
        // Killing it is what ends the blocking reads below when it hangs.
        let killer = Killer::after(PATIENCE, self.child.id());
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).expect("a pipe");
        let stderr = self.stderr.take().expect("taken only here");
        let stderr = stderr.join().expect("a reader").expect("a pipe");
        let status = wait::until("the program to end", PATIENCE, || {
            self.child.try_wait().expect("our own child")
        });
        assert!(!killer.struck(), "{:?} did not end", self.command);
        Run {
            command: std::mem::take(&mut self.command),
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended, which is what we want.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a run said and how it ended.
#[derive(Debug)]
pub struct Run {
    pub command: Vec<OsString>,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Run {
    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("output in UTF-8")
    }

    pub fn err(&self) -> &str {
        std::str::from_utf8(&self.stderr).expect("messages in UTF-8")
    }

    /// Fails the test, with everything that was said, unless the exit code is this one.
    pub fn exits(&self, code: i32) -> &Run {
        assert_eq!(
            self.code(),
            Some(code),
            "{:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.stdout.escape_ascii().to_string().replace("\\n", "\n"),
            self.stderr.escape_ascii().to_string().replace("\\n", "\n"),
        );
        self
    }

    pub fn succeeds(&self) -> &Run {
        self.exits(0)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|why| panic!("{:?}: not JSON: {why}\n{}", self.command, self.out()))
    }
}

/// Kills a process that runs too long, unless it is dropped before.
struct Killer {
    calm: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl Killer {
    fn after(limit: Duration, pid: u32) -> Killer {
        let (calm, alarm) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let late = alarm.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            late && pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
        });
        Killer {
            calm: Some(calm),
            thread: Some(thread),
        }
    }

    /// Calls it off, and says whether it was too late for that.
    fn struck(mut self) -> bool {
        drop(self.calm.take());
        let thread = self.thread.take().expect("taken only here");
        thread.join().expect("it only waits")
    }
}
