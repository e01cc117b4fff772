//! Private Memcached servers, and a raw text client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use super::certs::ServerTls;
use super::process::{self, Process};
use super::wait::{self, PATIENCE};

const BINARY: &str = "memcached";

/// Where the server listens. Memcached knows one or the other, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listen {
    #[default]
    Tcp,
    Unix,
}

/// How to start a server. The default is 64 MB on a free port, open to all.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub listen: Listen,
    /// User and password of an auth file (`-Y`).
    pub login: Option<(String, String)>,
    /// Speaks TLS on `port()`; the raw client has a plain port of its own.
    pub tls: Option<ServerTls>,
    /// Further arguments, such as `["-m", "8"]`.
    pub args: Vec<String>,
}

/// A running server. It ends when dropped.
pub struct MemcachedServer {
    process: Process,
    options: Options,
    port: u16,
    plain_port: u16,
    directory: TempDir,
}

impl MemcachedServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When the binary is missing or the server does not come up; the message carries its log.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test writes its options in place"
    )]
    pub fn start(options: Options) -> MemcachedServer {
        process::retrying(|| {
            let directory =
                TempDir::with_prefix("cachedeck-memcached-").expect("a temporary directory");
            let port = process::free_port();
            let plain_port = options.tls.as_ref().map_or(port, |_| process::free_port());
            let process = spawn(&options, port, plain_port, directory.path());
            let mut server = MemcachedServer {
                process,
                options: options.clone(),
                port,
                plain_port,
                directory,
            };
            server.wait_until_ready()?;
            Ok(server)
        })
    }

    /// The version of the server that tests will start, such as `1.6.18`.
    pub fn version() -> String {
        process::version(&process::find(BINARY), &["-V"])
    }

    pub fn port(&self) -> u16 {
        assert_eq!(self.options.listen, Listen::Tcp, "it listens on a socket");
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    pub fn url(&self) -> String {
        match self.options.listen {
            Listen::Tcp => format!("memcached://{}", self.address()),
            Listen::Unix => format!("memcached+unix://{}", self.socket().display()),
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("memcached.sock")
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A raw connection, logged in.
    pub fn client(&self) -> Client {
        self.try_client()
            .unwrap_or_else(|why| panic!("cannot reach our own server: {why}"))
    }

    /// One command on a connection of its own: `run("mg key t v")`, without the line end.
    pub fn run(&self, command: &str) -> String {
        let reply = self.client().cmd(format!("{command}\r\n").as_bytes());
        reply.escape_ascii().to_string().replace("\\r\\n", "\r\n")
    }

    /// Stores a value. `ttl` is in seconds as Memcached takes it, 0 for ever.
    pub fn set(&self, key: &str, value: &[u8], ttl: i64) {
        let reply = self.client().set(key, value, ttl);
        assert_eq!(reply, b"STORED\r\n", "`set {key}` was refused");
    }

    /// One line of `stats`, such as `curr_items`.
    pub fn stat(&self, name: &str) -> Option<String> {
        self.client().stat(name)
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it if it still runs, and starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        self.process.kill();
        process::retrying(|| {
            self.process = spawn(
                &self.options,
                self.port,
                self.plain_port,
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

    fn try_client(&self) -> std::io::Result<Client> {
        let mut client = match self.options.listen {
            Listen::Tcp => Client::over_tcp((Ipv4Addr::LOCALHOST, self.plain_port).into())?,
            Listen::Unix => Client::over_unix(&self.socket())?,
        };
        if let Some((user, password)) = &self.options.login {
            let login = format!("{user} {password}");
            client.try_cmd(&storing("login", login.as_bytes(), 0))?;
        }
        Ok(client)
    }

    /// Ready is when our own process answers: a foreign one may have taken the port.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let pid = format!("STAT pid {}\r\n", self.pid());
        let answer = wait::at_most(PATIENCE, || {
            if self.process.has_ended() {
                return Some(Err(format!("it ended at once:\n{}", self.log())));
            }
            let stats = self.try_client().ok()?.try_cmd(b"stats\r\n").ok()?;
            let ours = stats.windows(pid.len()).any(|part| part == pid.as_bytes());
            ours.then_some(Ok(()))
        });
        answer.unwrap_or_else(|| Err(format!("no answer to stats:\n{}", self.log())))
    }
}

impl Drop for MemcachedServer {
    fn drop(&mut self) {
        // It takes a second to leave when asked, and has nothing to put in order.
        self.process.kill();
    }
}

/// One connection to a Memcached server.
pub struct Client {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
}

impl Client {
    pub fn over_tcp(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client::over(stream.try_clone()?, stream))
    }

    pub fn over_unix(socket: &Path) -> std::io::Result<Client> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client::over(stream.try_clone()?, stream))
    }

    /// Sends `request` as it is and reads one whole answer, data blocks included.
    pub fn cmd(&mut self, request: &[u8]) -> Vec<u8> {
        self.try_cmd(request)
            .unwrap_or_else(|why| panic!("our own server does not answer: {why}"))
    }

    pub fn try_cmd(&mut self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        self.writer.write_all(request)?;
        self.writer.flush()?;
        let mut answer = Vec::new();
        // Since 1.6.43 a dump begins with OK.
        let dumps = request.starts_with(b"lru_crawler m");
        loop {
            let line = self.line()?;
            answer.extend_from_slice(line.as_bytes());
            if let Some(length) = data_length(&line) {
                let mut data = vec![0; length + 2];
                self.reader.read_exact(&mut data)?;
                answer.extend_from_slice(&data);
            }
            if is_last(&line) && !(dumps && line == "OK\r\n") {
                return Ok(answer);
            }
        }
    }

    pub fn set(&mut self, key: &str, value: &[u8], ttl: i64) -> Vec<u8> {
        self.cmd(&storing(key, value, ttl))
    }

    pub fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        let answer = self.cmd(format!("get {key}\r\n").as_bytes());
        let start = answer.iter().position(|byte| *byte == b'\n')? + 1;
        let value = answer.get(start..)?.strip_suffix(b"\r\nEND\r\n")?;
        Some(value.to_vec())
    }

    pub fn stat(&mut self, name: &str) -> Option<String> {
        let stats = String::from_utf8(self.cmd(b"stats\r\n")).expect("statistics are ASCII");
        stats.lines().find_map(|line| {
            let value = line.strip_prefix("STAT ")?.strip_prefix(name)?;
            value.strip_prefix(' ').map(str::to_owned)
        })
    }

    fn over(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Client {
        Client {
            reader: BufReader::new(Box::new(reader)),
            writer: Box::new(writer),
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        String::from_utf8(line)
            .map_err(|why| std::io::Error::new(std::io::ErrorKind::InvalidData, why))
    }
}

fn storing(key: &str, value: &[u8], ttl: i64) -> Vec<u8> {
    let mut request = format!("set {key} 0 {ttl} {}\r\n", value.len()).into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
    request
}

/// The length of the data block that follows a line, if one does.
fn data_length(line: &str) -> Option<usize> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["VALUE", _, _, length, ..] | ["VA", length, ..] => length.parse().ok(),
        _ => None,
    }
}

fn is_last(line: &str) -> bool {
    !matches!(
        line.split_whitespace().next(),
        Some("VALUE" | "STAT" | "ITEM") | None
    ) && !line.starts_with("key=")
}

fn spawn(options: &Options, port: u16, plain_port: u16, directory: &Path) -> Process {
    let mut command = Command::new(process::find(BINARY));
    if geteuid().is_root() {
        command.args(["-u", "root"]);
    }
    match (options.listen, &options.tls) {
        (Listen::Unix, _) => {
            command.arg("-s").arg(directory.join("memcached.sock"));
        }
        (Listen::Tcp, None) => {
            command.args(["-U", "0", "-l", &format!("127.0.0.1:{port}")]);
        }
        (Listen::Tcp, Some(tls)) => {
            command.args(["-U", "0", "-Z", "-l"]);
            command.arg(format!("127.0.0.1:{port},notls:127.0.0.1:{plain_port}"));
            command.args(["-o", &tls_options(tls)]);
        }
    }
    if let Some((user, password)) = &options.login {
        let file = directory.join("login");
        std::fs::write(&file, format!("{user}:{password}\n")).expect("our own directory");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).expect("our own file");
        command.arg("-Y").arg(file);
    }
    command.args(&options.args);
    Process::spawn(BINARY, command, &directory.join("server.log"))
}

fn tls_options(tls: &ServerTls) -> String {
    let (cert, key) = (&tls.certificate.cert, &tls.certificate.key);
    let shown = format!(
        "ssl_chain_cert={},ssl_key={}",
        cert.display(),
        key.display()
    );
    if !tls.asks_client {
        return shown;
    }
    // 2: a client without a certificate is turned away.
    let ca = tls.clients_ca.display();
    format!("{shown},ssl_verify_mode=2,ssl_ca_cert={ca}")
}
