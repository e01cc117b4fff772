//! The private directory of the servers, and what makes them end with us.
//!
//! A process that is killed outright cannot clean up, so a keeper does it: a small `sh` that starts
//! the servers as its own children and then reads from a pipe whose other end only we hold. When we
//! end, in whatever way, the system closes our end; the keeper reads the end of the file, kills the
//! servers and removes the directory. It is in a process group of its own, so that a Ctrl-C or the
//! closing of the terminal does not reach it before us.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::text;

use super::DemoError;
use super::line::{MemcachedLine, RedisLine};
use super::programs::Programs;

/// The servers by the names of their files.
pub(super) type ServerName = &'static str;
pub(super) const PRIMARY: ServerName = "primary";
pub(super) const REPLICA: ServerName = "replica";
pub(super) const MEMCACHED: ServerName = "memcached";

/// How long a server may take until it answers.
const START_TIME: Duration = Duration::from_secs(10);
/// How long the keeper may take to end everything, before we do it.
const END_TIME: Duration = Duration::from_secs(3);
/// A free port may be taken before the server has it.
const ATTEMPTS: u32 = 3;

/// `$1` the directory, `$2` the Redis program or nothing, `$3` the Memcached program or nothing,
/// `$4` the user that Memcached is to keep, when it would refuse to run as root.
///
/// The servers are killed rather than asked: one that is blocked would not listen, and nothing of
/// theirs is to be kept. The last line also ends a snapshot that is being written.
const KEEPER: &str = r#"
umask 077
cd "$1" || exit 1
servers=
if [ -n "$2" ]; then
    "$2" primary.conf >primary.log 2>&1 </dev/null &
    servers="$servers $!"
    "$2" replica.conf >replica.log 2>&1 </dev/null &
    servers="$servers $!"
fi
if [ -n "$3" ]; then
    "$3" -s memcached.sock -a 0700 -m 64 -t 2 ${4:+-u "$4"} >memcached.log 2>&1 </dev/null &
    servers="$servers $!"
fi
read -r _
kill -KILL $servers
wait
cd /
rm -rf "$1" || rm -rf "$1"
kill -KILL 0
"#;

/// A socket inside a nest. Only a nest makes one, and `line` connects to nothing else.
#[derive(Clone, Debug)]
pub(super) struct Socket(PathBuf);

impl Socket {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// The directory with its servers.
#[derive(Debug)]
pub(super) struct Nest {
    directory: TempDir,
    password: SecretString,
    keeper: Child,
}

impl Nest {
    /// Starts the programs in a new directory and waits until all of them answer.
    pub fn build(programs: &Programs) -> Result<Self, DemoError> {
        let mut attempt = 1;
        loop {
            let nest = Self::begin(programs)?;
            match nest.wait_until_ready(programs) {
                Ok(()) => return Ok(nest),
                Err(_) if nest.lost_its_port() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    pub fn socket(&self, server: ServerName) -> Socket {
        Socket(self.directory.path().join(format!("{server}.sock")))
    }

    /// What the Redis servers ask for: they listen on the loopback interface for their replication,
    /// where other users of the machine are.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    pub fn redis_line(&self, server: ServerName) -> Result<RedisLine, DemoError> {
        RedisLine::connect(&self.socket(server), &self.password).map_err(DemoError::fill)
    }

    pub fn memcached_line(&self) -> Result<MemcachedLine, DemoError> {
        MemcachedLine::connect(&self.socket(MEMCACHED)).map_err(DemoError::fill)
    }

    /// Ends the servers and waits until nothing is left.
    pub fn close(&mut self) {
        drop(self.keeper.stdin.take());
        let has_ended = waits(&mut self.keeper, END_TIME);
        // The directory goes last. If it is there, somebody stopped the keeper in its work.
        if !has_ended || self.directory.path().exists() {
            self.kill_the_group();
        }
    }

    fn kill_the_group(&mut self) {
        let group = i32::try_from(self.keeper.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // It fails only when the group is gone, which is what we want.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // The same: an error means that there is no such child.
        let _ = self.keeper.wait();
    }

    fn begin(programs: &Programs) -> Result<Self, DemoError> {
        let directory = tempfile::Builder::new()
            .prefix("cachedeck-demo-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(DemoError::Directory)?;
        let password = random_password().map_err(DemoError::Directory)?;
        if programs.redis.is_some() {
            write_redis_files(directory.path(), &password)?;
        }
        let keeper = start_keeper(directory.path(), programs).map_err(DemoError::Keeper)?;
        Ok(Self {
            directory,
            password,
            keeper,
        })
    }

    fn wait_until_ready(&self, programs: &Programs) -> Result<(), DemoError> {
        let deadline = Instant::now() + START_TIME;
        if programs.redis.is_some() {
            for server in [PRIMARY, REPLICA] {
                self.wait_for(server, deadline, || self.redis_line(server).is_ok())?;
            }
        }
        if programs.memcached.is_some() {
            self.wait_for(MEMCACHED, deadline, || self.memcached_line().is_ok())?;
        }
        Ok(())
    }

    fn wait_for(
        &self,
        server: ServerName,
        deadline: Instant,
        is_ready: impl Fn() -> bool,
    ) -> Result<(), DemoError> {
        while !is_ready() {
            if Instant::now() >= deadline || self.lost_its_port() {
                let said = self.end_of_log(server);
                return Err(DemoError::NotReady { server, said });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn lost_its_port(&self) -> bool {
        [PRIMARY, REPLICA]
            .iter()
            .any(|server| self.log(server).contains("Address already in use"))
    }

    fn log(&self, server: ServerName) -> String {
        let path = self.directory.path().join(format!("{server}.log"));
        // A server that has not begun has no log.
        let bytes = std::fs::read(path).unwrap_or_default();
        let lines: Vec<String> = text::escape_lines(&bytes, text::Tabs::Spaces).collect();
        lines.join("\n")
    }

    fn end_of_log(&self, server: ServerName) -> String {
        let log = self.log(server);
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whether the child ends within the time.
fn waits(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

fn start_keeper(directory: &Path, programs: &Programs) -> io::Result<Child> {
    let redis = programs
        .redis
        .as_ref()
        .map(|(_, program)| program.as_path());
    let memcached = programs.memcached.as_deref();
    let is_root = rustix::process::geteuid().is_root();
    Command::new("/bin/sh")
        .args(["-c", KEEPER, "cachedeck-demo"])
        .arg(directory)
        .arg(redis.unwrap_or(Path::new("")))
        .arg(memcached.unwrap_or(Path::new("")))
        .arg(if is_root { "root" } else { "" })
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// The two servers' files; a file rather than arguments, as those can be read by everybody.
fn write_redis_files(directory: &Path, password: &SecretString) -> Result<(), DemoError> {
    let (primary, replica) = free_ports().map_err(DemoError::Port)?;
    let common = redis_settings(password.expose_secret());
    let of = |server, port: u16| format!("port {port}\nunixsocket {server}.sock\n{common}");
    let follow = format!("replicaof 127.0.0.1 {primary}\ndbfilename replica.rdb\n");
    let files = [
        ("primary.conf", of(PRIMARY, primary)),
        ("replica.conf", of(REPLICA, replica) + &follow),
    ];
    for (name, text) in files {
        write_private(&directory.join(name), &text).map_err(DemoError::Directory)?;
    }
    Ok(())
}

/// Thresholds are lower than by default, so that a quiet demo has a slow log to show.
fn redis_settings(password: &str) -> String {
    format!(
        "bind 127.0.0.1
unixsocketperm 700
requirepass {password}
masterauth {password}
daemonize no
save \"\"
appendonly no
maxmemory 64mb
maxmemory-policy allkeys-lru
slowlog-log-slower-than 500
latency-monitor-threshold 1
repl-diskless-sync yes
repl-diskless-sync-delay 0
"
    )
}

/// Two ports that are free now. Both are held until both are known, so that they differ.
fn free_ports() -> io::Result<(u16, u16)> {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let second = TcpListener::bind("127.0.0.1:0")?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

fn random_password() -> io::Result<SecretString> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let digits = format!("{:032x}", u128::from_ne_bytes(bytes));
    Ok(SecretString::from(digits))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
