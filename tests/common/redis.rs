//! Private Redis and Valkey servers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::certs::ServerTls;
use super::process::{self, Process};
use super::resp::{Reply, RespClient};
use super::wait::{self, PATIENCE};

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    #[default]
    Redis,
    Valkey,
}

impl Flavor {
    /// Every flavor tests must pass on. Valkey may be left out only on purpose, with
    /// `CACHEDECK_TEST_WITHOUT=valkey`, as `.ci/test` does where no build of it can be had.
    pub fn available() -> Vec<Flavor> {
        if without_valkey() {
            vec![Flavor::Redis]
        } else {
            vec![Flavor::Redis, Flavor::Valkey]
        }
    }

    pub fn binary(self) -> &'static str {
        match self {
            Flavor::Redis => "redis-server",
            Flavor::Valkey => "valkey-server",
        }
    }

    /// The version of the server that tests will start, such as `7.0.15`.
    pub fn version(self) -> String {
        process::version(&process::find(self.binary()), &["--version"])
            .trim_start_matches("v=")
            .to_owned()
    }

    fn major(self) -> u32 {
        let version = self.version();
        let major = version.split('.').next().unwrap_or_default();
        major.parse().expect("a version starts with a number")
    }
}

/// Whether the server listens on TCP, beside its unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Port {
    #[default]
    Free,
    None,
}

/// Where a replica finds its primary.
#[derive(Debug, Clone)]
pub struct Primary {
    pub port: u16,
    pub password: Option<String>,
}

/// How to start a server. The default is an empty Redis on a free port, without password,
/// persistence or TLS.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub flavor: Flavor,
    pub port: Port,
    /// Also listens with TLS, on a port of its own.
    pub tls: Option<ServerTls>,
    /// The password of the default user.
    pub password: Option<String>,
    pub replica_of: Option<Primary>,
    /// Further arguments, such as `["--maxmemory", "10mb"]`; they win over ours.
    pub args: Vec<String>,
}

/// A running server. It ends when dropped.
pub struct RedisServer {
    process: Process,
    options: Options,
    port: u16,
    tls_port: u16,
    directory: TempDir,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When the binary is missing or the server does not come up; the message carries its log.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes its options in place"
    )]
    pub fn start(options: Options) -> RedisServer {
        process::retrying(|| {
            let directory =
                TempDir::with_prefix("cachedeck-redis-").expect("a temporary directory");
            let port = match options.port {
                Port::Free => process::free_port(),
                Port::None => 0,
            };
            let tls_port = options.tls.as_ref().map_or(0, |_| process::free_port());
            let process = spawn(&options, port, tls_port, directory.path());
            let mut server = RedisServer {
                process,
                options: options.clone(),
                port,
                tls_port,
                directory,
            };
            server.wait_until_ready()?;
            Ok(server)
        })
    }

    /// A plain server of this flavor.
    pub fn plain(flavor: Flavor) -> RedisServer {
        RedisServer::start(Options {
            flavor,
            ..Options::default()
        })
    }

    pub fn flavor(&self) -> Flavor {
        self.options.flavor
    }

    pub fn port(&self) -> u16 {
        assert_ne!(self.port, 0, "this server was started with Port::None");
        self.port
    }

    pub fn tls_port(&self) -> u16 {
        assert_ne!(self.tls_port, 0, "this server was started without TLS");
        self.tls_port
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    pub fn tls_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls_port()).into()
    }

    /// `redis://127.0.0.1:PORT`, without the password.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// The server's working directory, where it puts `dump.rdb`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What `Options::replica_of` of another server needs to follow this one.
    pub fn as_primary(&self) -> Primary {
        Primary {
            port: self.port(),
            password: self.options.password.clone(),
        }
    }

    /// A raw connection over the unix socket, logged in.
    pub fn client(&self) -> RespClient {
        self.try_client()
            .unwrap_or_else(|why| panic!("cannot reach our own server: {why}"))
    }

    /// One command on a connection of its own.
    pub fn cmd(&self, args: &[&[u8]]) -> Reply {
        self.client()
            .cmd(args)
            .unwrap_or_else(|why| panic!("our own server does not answer: {why}"))
    }

    /// One command of plain words: `run("SET key value")`. An error reply fails the test.
    pub fn run(&self, words: &str) -> Reply {
        let args: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
        let reply = self.cmd(&args);
        assert!(!reply.is_error(), "`{words}` was refused: {reply:?}");
        reply
    }

    /// Whether the server has such a command.
    pub fn knows(&self, command: &str) -> bool {
        match self.run(&format!("COMMAND INFO {command}")) {
            Reply::Array(infos) => infos.iter().any(|info| matches!(info, Reply::Array(_))),
            _ => false,
        }
    }

    /// One field of INFO, such as `keyspace_hits`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.run("INFO everything");
        info.text()
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .map(str::to_owned)
    }

    /// Crashes it. The port stays ours to `restart` on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it if it still runs, and starts it again on the same port and directory.
    pub fn restart(&mut self) {
        self.process.end();
        // A crash leaves the socket file behind, and readiness is asked through it.
        match std::fs::remove_file(self.socket()) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => panic!("{why}"),
            _ => {}
        }
        process::retrying(|| {
            self.process = spawn(
                &self.options,
                self.port,
                self.tls_port,
                self.directory.path(),
            );
            self.wait_until_ready()
        });
    }

    /// Freezes the process: connections stay open, nothing answers.
    pub fn stop(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen process run on.
    pub fn cont(&self) {
        self.process.signal(Signal::CONT);
    }

    fn try_client(&self) -> std::io::Result<RespClient> {
        let mut client = RespClient::over_unix(&self.socket())?;
        if let Some(password) = &self.options.password {
            client.cmd(&[b"AUTH", password.as_bytes()])?;
        }
        Ok(client)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let answer = wait::at_most(PATIENCE, || {
            if self.process.has_ended() {
                return Some(Err(format!("it ended at once:\n{}", self.log())));
            }
            let mut client = self.try_client().ok()?;
            let ready = client.cmd(&[b"PING"]).ok()? == Reply::Simple("PONG".into());
            ready.then_some(Ok(()))
        });
        answer.unwrap_or_else(|| Err(format!("no PONG:\n{}", self.log())))
    }
}

/// Waits until `replica` is linked to `primary` and has all that was written so far.
pub fn wait_until_in_step(primary: &RedisServer, replica: &RedisServer) {
    let offset = |server: &RedisServer, field| -> Option<u64> { server.info(field)?.parse().ok() };
    let written = offset(primary, "master_repl_offset").expect("every server has one");
    wait::until("the replica to be in step", PATIENCE, || {
        let linked = replica.info("master_link_status")? == "up";
        let in_step = offset(replica, "slave_repl_offset")? >= written;
        // The primary calls it online a moment later: with its first acknowledgement.
        let online = primary.info("slave0")?.contains("state=online");
        (linked && in_step && online).then_some(())
    });
}

fn spawn(options: &Options, port: u16, tls_port: u16, directory: &Path) -> Process {
    let name = options.flavor.binary();
    let mut command = Command::new(process::find(name));
    let socket = directory.join("redis.sock");
    command
        .args(["--port", &port.to_string()])
        .args(["--bind", "127.0.0.1", "--daemonize", "no"])
        .args(["--save", "", "--appendonly", "no", "--logfile", ""])
        .args(["--repl-diskless-sync-delay", "0"])
        .arg("--unixsocket")
        .arg(socket)
        .arg("--dir")
        .arg(directory);
    if options.flavor == Flavor::Valkey || options.flavor.major() >= 7 {
        // Nothing here is worth waiting for a lagging replica, and faults are made with DEBUG.
        command.args(["--shutdown-timeout", "0"]);
        command.args(["--enable-debug-command", "local"]);
    }
    if let Some(tls) = &options.tls {
        command.args(["--tls-port", &tls_port.to_string()]);
        command.arg("--tls-cert-file").arg(&tls.certificate.cert);
        command.arg("--tls-key-file").arg(&tls.certificate.key);
        command.arg("--tls-ca-cert-file").arg(&tls.clients_ca);
        command.args([
            "--tls-auth-clients",
            if tls.asks_client { "yes" } else { "no" },
        ]);
    }
    if let Some(password) = &options.password {
        command.args(["--requirepass", password]);
    }
    if let Some(primary) = &options.replica_of {
        command.args(["--replicaof", "127.0.0.1", &primary.port.to_string()]);
        if let Some(password) = &primary.password {
            command.args(["--masterauth", password]);
        }
    }
    command.args(&options.args);
    Process::spawn(name, command, &directory.join("server.log"))
}

fn without_valkey() -> bool {
    std::env::var("CACHEDECK_TEST_WITHOUT").is_ok_and(|without| without == "valkey")
}
