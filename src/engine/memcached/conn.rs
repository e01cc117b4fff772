//! A connection to one Memcached server: logged in, limited in time and bytes, never reused after
//! an exchange that did not end well.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::engine::Fault;
use crate::engine::dial::{self, Allowance, Stream};
use crate::engine::gate::Gate;
use crate::engine::memcached::codec::{Broken, Decoder, Refusal, RefusalKind, Reply, Shape};
use crate::engine::memcached::command::Command;
use crate::engine::memcached::dialect::Version;
use crate::engine::memcached::pipe::Pipe;
use crate::guard::Permit;
use crate::model::{Bytes, Limits, Target};
use crate::text;

const READ_AT_ONCE: usize = 64 << 10;

/// Who answered the greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// As the server said it, safe to show.
    pub text: String,
    /// `None` for what does not count its versions like Memcached (proxies).
    pub version: Option<Version>,
}

impl Hello {
    pub fn is(&self, claim: impl Fn(Version) -> bool) -> bool {
        self.version.is_some_and(claim)
    }
}

#[derive(Debug)]
pub(super) struct Conn {
    stream: Stream,
    allowance: Allowance,
    decoder: Decoder,
    place: String,
    limits: Limits,
    hello: Hello,
}

/// What came of a flight of commands.
#[derive(Debug)]
pub(super) struct Flight {
    /// The replies to the first commands: to all of them when there is no fault.
    pub replies: Vec<Reply>,
    pub fault: Option<Fault>,
    /// Whether any byte may have reached the server.
    pub was_sent: bool,
}

impl Flight {
    fn unsent(fault: Fault) -> Self {
        Self {
            replies: Vec::new(),
            fault: Some(fault),
            was_sent: false,
        }
    }
}

impl Conn {
    /// Connects, logs in where the server wants that, and asks for the version.
    pub async fn open(target: &Target) -> Result<Self, Fault> {
        let stream = dial::dial(target).await?;
        let mut conn = Self {
            allowance: stream.allowance(),
            stream,
            decoder: Decoder::new(target.limits.reply_bytes),
            place: dial::place(target),
            limits: target.limits,
            hello: Hello {
                text: String::new(),
                version: None,
            },
        };
        let greeted = timeout(target.limits.connect, conn.greet(target)).await;
        greeted.unwrap_or_else(|_| {
            Err(Fault::Timeout {
                place: conn.place.clone(),
                doing: "asking for its version",
                after: target.limits.connect,
            })
        })?;
        Ok(conn)
    }

    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Sends all commands and reads all replies, writing and reading at the same time so that a
    /// long flight cannot block itself. After a fault the connection is of no use any more, but
    /// where nothing was sent.
    pub async fn exchange(&mut self, commands: &[Command], permit: Option<&Permit>) -> Flight {
        let unpermitted = commands.iter().find(|command| {
            let is_covered = || permit.is_some_and(|permit| command.is_covered(permit.change()));
            command.needs_permit() && !is_covered()
        });
        if let Some(command) = unpermitted {
            return Flight::unsent(Fault::NoPermit {
                command: command.name(),
            });
        }
        let bytes: Vec<u8> = commands
            .iter()
            .flat_map(|command| command.bytes().iter().copied())
            .collect();
        let due: Vec<(Shape, String)> = commands
            .iter()
            .map(|command| (command.shape(), command.name()))
            .collect();
        self.send_and_read(&bytes, &due, self.limits.reply).await
    }

    async fn send_and_read(
        &mut self,
        bytes: &[u8],
        due: &[(Shape, String)],
        within: Duration,
    ) -> Flight {
        self.allowance.refill(self.limits.reply_bytes);
        let mut replies = Vec::with_capacity(due.len());
        let (reader, writer) = tokio::io::split(&mut self.stream);
        let both = async {
            let read = read_replies(reader, &mut self.decoder, due, &mut replies);
            // A write that fails is no reason to miss what the server said before it hung up.
            let (_written, read) = tokio::join!(write_all(writer, bytes), read);
            read
        };
        let ended = timeout(within, both).await;
        let command = || {
            due.get(replies.len())
                .map_or("", |(_, name)| name)
                .to_owned()
        };
        let fault = match ended {
            Ok(Ok(())) => None,
            Ok(Err(Stopped::Broken(Broken::TooLarge))) => Some(Fault::TooLarge {
                command: command(),
                limit: Bytes(self.limits.reply_bytes),
            }),
            Ok(Err(Stopped::Broken(Broken::Garbled(got)))) => Some(Fault::Protocol {
                place: self.place.clone(),
                command: command(),
                why: format!("it said {got}"),
            }),
            Ok(Err(Stopped::Io)) => Some(
                self.allowance
                    .fault(&self.place, &command())
                    .unwrap_or_else(|| self.closed()),
            ),
            Err(_) => Some(Fault::Timeout {
                place: self.place.clone(),
                doing: "a reply was due",
                after: within,
            }),
        };
        Flight {
            replies,
            fault,
            was_sent: true,
        }
    }

    fn closed(&self) -> Fault {
        Fault::Closed {
            place: self.place.clone(),
            doing: "a reply was due",
        }
    }

    /// The version is asked first, without the login: a server that needs none would take the login
    /// for what it looks like and store the password under a key.
    async fn greet(&mut self, target: &Target) -> Result<(), Fault> {
        let reply = match self.ask_version().await {
            Ok(reply) => reply,
            Err(fault) => return Err(self.wrong_server(target, fault)),
        };
        let reply = match reply {
            Reply::Refused(refusal) if wants_login(&refusal) => {
                self.log_in(target).await?;
                self.ask_version().await?
            }
            reply => reply,
        };
        let line = match reply {
            Reply::Line(line) => line,
            Reply::Refused(refusal) => return Err(self.not_ready(&refusal)),
            _ => Vec::new(),
        };
        let Some(version) = line.strip_prefix(b"VERSION ") else {
            return Err(self.strange(target, &line));
        };
        let text = text::escape(version);
        self.hello = Hello {
            version: Version::read(&text),
            text,
        };
        Ok(())
    }

    async fn ask_version(&mut self) -> Result<Reply, Fault> {
        let command = Command::version();
        let mut flight = self.exchange(std::slice::from_ref(&command), None).await;
        match flight.fault {
            Some(fault) => Err(fault),
            None => Ok(flight.replies.remove(0)),
        }
    }

    async fn log_in(&mut self, target: &Target) -> Result<(), Fault> {
        let refused = |why: &str| Fault::Login {
            place: self.place.clone(),
            why: why.to_owned(),
        };
        let (Some(user), Some(password)) = (&target.user, &target.password) else {
            return Err(refused("it wants a user and a password"));
        };
        let secret = format!("{user} {}", password.expose_secret());
        let line = format!("set auth 0 0 {}\r\n{secret}\r\n", secret.len());
        let due = [(Shape::Line, "login".to_owned())];
        let flight = self
            .send_and_read(line.as_bytes(), &due, self.limits.connect)
            .await;
        match (flight.replies.first(), flight.fault) {
            (Some(Reply::Line(line)), _) if line == b"STORED" => Ok(()),
            // The words are the server's own and repeat nothing of what was sent.
            (Some(Reply::Refused(_)), _) => Err(Fault::Login {
                place: self.place.clone(),
                why: "wrong user or password".into(),
            }),
            (_, Some(fault)) => Err(fault),
            _ => Err(Fault::Login {
                place: self.place.clone(),
                why: "the answer cannot be read".into(),
            }),
        }
    }

    fn not_ready(&self, refusal: &Refusal) -> Fault {
        Fault::NotReady {
            place: self.place.clone(),
            why: refusal.words.clone(),
        }
    }

    /// What answers with something else than a version.
    fn strange(&self, target: &Target, said: &[u8]) -> Fault {
        let (got, hint) = if said.starts_with(b"-") || said.starts_with(b"+") {
            let scheme = if target.tls.is_some() {
                "rediss"
            } else {
                "redis"
            };
            (
                "it answers like Redis".to_owned(),
                Some(format!("this is Redis: use {scheme}://{}", self.place)),
            )
        } else if said.starts_with(b"HTTP/") {
            ("it is a web server".to_owned(), None)
        } else {
            let start = &said[..said.len().min(60)];
            (format!("it said {}", text::escape(start)), None)
        };
        Fault::WrongServer {
            place: self.place.clone(),
            expected: "Memcached",
            got,
            hint,
        }
    }

    /// A better word for a greeting that broke off.
    fn wrong_server(&self, target: &Target, fault: Fault) -> Fault {
        let head = self.allowance.head();
        match fault {
            Fault::Protocol { .. } => self.strange(target, &head),
            Fault::Closed { .. } if !head.is_empty() && !head.starts_with(&[0x15, 3]) => {
                self.strange(target, &head)
            }
            Fault::Closed { .. } if target.tls.is_none() => Fault::WrongServer {
                place: self.place.clone(),
                expected: "plain Memcached",
                got: "it closed the connection at the first question".into(),
                hint: Some(
                    "it may want TLS (memcacheds://), or the binary protocol with SASL, which cachedeck does not speak"
                        .into(),
                ),
            },
            fault => fault,
        }
    }

    /// Gives the connection to who exchanges without waiting in between.
    pub fn into_pipe(self) -> Pipe {
        self.allowance.refill(u64::MAX);
        Pipe::over(self.stream, self.place, self.limits, self.hello)
    }

    /// Sends a command whose reply the caller reads with `read_some`. Only for a connection that is
    /// used for nothing else.
    pub async fn start_stream(&mut self, command: &Command) -> Result<(), Fault> {
        if command.needs_permit() {
            return Err(Fault::NoPermit {
                command: command.name(),
            });
        }
        self.allowance.refill(u64::MAX);
        match timeout(self.limits.reply, self.stream.write_all(command.bytes())).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(self.closed()),
        }
    }

    /// Reads what is there into `buffer`, at most what it has room for. 0: the server closed.
    pub async fn read_some(&mut self, buffer: &mut [u8], within: Duration) -> Result<usize, Fault> {
        match timeout(within, self.stream.read(buffer)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(_)) => Err(self.broke_off(None)),
            Err(_) => Err(Fault::Timeout {
                place: self.place.clone(),
                doing: "listing its keys",
                after: within,
            }),
        }
    }

    /// The server hung up, or said what nobody can read, while its keys were listed.
    pub fn broke_off(&self, got: Option<String>) -> Fault {
        match got {
            None => Fault::Closed {
                place: self.place.clone(),
                doing: "listing its keys",
            },
            Some(got) => Fault::Protocol {
                place: self.place.clone(),
                command: "lru_crawler metadump".into(),
                why: format!("it said {got}"),
            },
        }
    }
}

enum Stopped {
    Io,
    Broken(Broken),
}

async fn write_all(mut writer: WriteHalf<&mut Stream>, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

async fn read_replies(
    mut reader: ReadHalf<&mut Stream>,
    decoder: &mut Decoder,
    due: &[(Shape, String)],
    replies: &mut Vec<Reply>,
) -> Result<(), Stopped> {
    let mut buffer = vec![0; READ_AT_ONCE];
    for (shape, _) in due {
        loop {
            if let Some(reply) = decoder.next(*shape).map_err(Stopped::Broken)? {
                replies.push(reply);
                break;
            }
            match reader.read(&mut buffer).await {
                Ok(read) if read > 0 => decoder.feed(&buffer[..read]),
                _ => return Err(Stopped::Io),
            }
        }
    }
    if decoder.is_empty() {
        Ok(())
    } else {
        // Something came that nobody asked for, so the next reply would be mistaken.
        Err(Stopped::Broken(Broken::Garbled(
            "more than was asked for".into(),
        )))
    }
}

/// Login errors differ in their words by version, but all name it.
fn wants_login(refusal: &Refusal) -> bool {
    refusal.kind == RefusalKind::Client && refusal.words.contains("unauthenticated")
}

/// A connection that opens when first used and again after it broke. A caller takes it out and puts
/// it back only after a good exchange, so one that was cancelled midway takes it to its grave.
#[derive(Debug)]
pub(super) struct Line {
    target: Arc<Target>,
    /// Shared by all connections to the server.
    gate: Arc<Gate>,
    /// Boxed, since it comes and goes.
    conn: Mutex<Option<Box<Conn>>>,
}

impl Line {
    pub fn to(target: Arc<Target>, gate: Arc<Gate>) -> Self {
        Self {
            target,
            gate,
            conn: Mutex::new(None),
        }
    }

    /// Who is there. Connects when there is no connection.
    pub async fn hello(&self) -> Result<Hello, Fault> {
        let mut slot = self.conn.lock().await;
        let conn = match slot.take() {
            Some(conn) => conn,
            None => self.open().await?,
        };
        Ok(slot.insert(conn).hello().clone())
    }

    /// Asks what needs no permit. A kept connection that the server closed meanwhile is replaced.
    pub async fn ask(&self, commands: &[Command]) -> Result<Vec<Reply>, Fault> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut slot = self.conn.lock().await;
        if let Some(mut conn) = slot.take() {
            let flight = conn.exchange(commands, None).await;
            match flight.fault {
                None => {
                    *slot = Some(conn);
                    return Ok(flight.replies);
                }
                Some(Fault::Closed { .. }) if flight.replies.is_empty() => {}
                Some(fault) => return Err(fault),
            }
        }
        let mut conn = self.open().await?;
        let flight = conn.exchange(commands, None).await;
        if let Some(fault) = flight.fault {
            return Err(fault);
        }
        *slot = Some(conn);
        Ok(flight.replies)
    }

    /// Opens a connection, unless it was refused a moment ago.
    async fn open(&self) -> Result<Box<Conn>, Fault> {
        self.gate.pass(Instant::now())?;
        let opened = Conn::open(&self.target).await;
        self.gate.note(&opened, Instant::now());
        opened.map(Box::new)
    }

    /// Sends what was permitted, once.
    pub async fn tell(&self, commands: &[Command], permit: &Permit) -> Flight {
        let mut slot = self.conn.lock().await;
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => match self.open().await {
                Ok(conn) => conn,
                Err(fault) => return Flight::unsent(fault),
            },
        };
        let flight = conn.exchange(commands, Some(permit)).await;
        if flight.fault.is_none() {
            *slot = Some(conn);
        }
        flight
    }
}
