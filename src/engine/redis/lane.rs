//! A connection for walks: flights of many small questions, answered in place.
//!
//! [`Link`](super::link::Link) hands every reply out as a value of its own, which is right for
//! everything but millions of them: then it takes more of our time than the server needs. A lane
//! sends the questions of [`questions`](super::questions) and nothing else, so what needs a permit
//! cannot leave through here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::Cmd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use crate::engine::Fault;
use crate::engine::dial::{self, Allowance, Stream, dial};
use crate::engine::redis::link::Common;
use crate::engine::redis::login;
use crate::engine::redis::questions::Flight;
use crate::engine::redis::reply::{Refusal, Reply};
use crate::engine::redis::resp::{Frames, View, Writer};
use crate::engine::redis::stranger;
use crate::engine::redis::tap::Tap;
use crate::model::Target;

/// Questions that take the server no time, to learn how long the way takes.
const PINGS: usize = 3;
const READ_AT_ONCE: usize = 64 << 10;

#[derive(Debug)]
pub struct Lane {
    target: Target,
    place: String,
    common: Arc<Common>,
    session: Option<Session>,
    /// What arrives, and what has landed: one can be read while the other fills.
    frames: Frames,
    landed: Frames,
}

#[derive(Debug)]
struct Session {
    stream: Stream,
    allowance: Allowance,
    leaves_no_trace: bool,
    /// The shortest exchange so far: what the way to the server takes at least.
    way: Duration,
}

/// How a flight went; its replies lie in the lane until the next one.
#[derive(Clone, Copy, Debug)]
pub struct Landed {
    /// From sending to the last reply; `None` when the replies lay there before anybody looked, so
    /// that nobody knows how long they took.
    pub took: Option<Duration>,
    /// `took` without the way there and back.
    pub worked: Option<Duration>,
}

impl Lane {
    pub fn to(target: Target, common: Arc<Common>) -> Self {
        Self {
            place: dial::place(&target),
            target,
            common,
            session: None,
            frames: Frames::default(),
            landed: Frames::default(),
        }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Whether the server does not take our reading for an access of the key.
    pub fn leaves_no_trace(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.leaves_no_trace)
    }

    /// Gives the open connection away.
    pub fn leave(self) -> Option<(Stream, Allowance)> {
        let session = self.session?;
        Some((session.stream, session.allowance))
    }

    /// What the way to the server and back takes.
    pub fn way(&self) -> Duration {
        self.session
            .as_ref()
            .map_or(Duration::ZERO, |session| session.way)
    }

    /// Opens the connection and logs in.
    ///
    /// # Errors
    /// When nothing answers, it is no such server, or it refuses the login.
    pub async fn open(&mut self) -> Result<(), Fault> {
        self.session = None;
        self.common.gate.pass(Instant::now())?;
        let opened = self.open_now().await;
        self.common.gate.note(&opened, Instant::now());
        opened
    }

    async fn open_now(&mut self) -> Result<(), Fault> {
        let limit = self.target.limits.connect;
        let ends = tokio::time::Instant::now() + limit;
        let stream = dial(&self.target).await?;
        let allowance = stream.allowance();
        self.session = Some(Session {
            stream,
            allowance,
            leaves_no_trace: false,
            way: Duration::MAX,
        });
        let login = login::commands(&self.target);
        let greeted = timeout_at(ends, self.greet(&login)).await;
        let replies = greeted.unwrap_or_else(|_| Err(self.unanswered(limit)));
        let replies = replies.inspect_err(|_| self.session = None)?;
        if let Err(fault) = login::check(&self.place, &login, &replies) {
            self.session = None;
            return Err(fault);
        }
        let leaves_no_trace = login::leaves_no_trace(&login, &replies);
        for _ in 0..PINGS {
            let mut flight = Flight::default();
            flight.ping();
            self.fly(&flight).await?;
        }
        if let Some(session) = &mut self.session {
            session.leaves_no_trace = leaves_no_trace;
        }
        Ok(())
    }

    async fn greet(&mut self, login: &[Cmd]) -> Result<Vec<Reply>, Fault> {
        let bytes: Vec<u8> = login.iter().flat_map(Cmd::get_packed_command).collect();
        self.write(&bytes)
            .await
            .map_err(|_| self.closed("logging in"))?;
        self.frames.clear();
        while self.whole().map_err(|()| self.strange())? < login.len() {
            match self.read_some().await {
                Ok(0) | Err(_) => return Err(self.strange()),
                Ok(_) => {}
            }
        }
        Ok((0..login.len())
            .map(|number| reply(self.frames.reply(number)))
            .collect())
    }

    /// Sends a flight; its replies are fetched by `land`. Those of the flight before can still be read.
    ///
    /// # Errors
    /// When the connection is not there or broke.
    pub async fn send(&mut self, flight: &Flight) -> Result<Instant, Fault> {
        let limit = self.target.limits.reply;
        let Some(session) = &self.session else {
            return Err(self.closed("waiting for a reply"));
        };
        session.allowance.refill(self.target.limits.reply_bytes);
        self.frames.clear();
        let sent = Instant::now();
        match timeout(limit, self.write(flight.bytes())).await {
            Ok(Ok(())) => Ok(sent),
            Ok(Err(_)) => Err(self.lost(flight)),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Waits for all replies of the flight that was sent.
    ///
    /// # Errors
    /// When the connection broke, or what comes is too much or no reply.
    pub async fn land(&mut self, flight: &Flight, sent: Instant) -> Result<Landed, Fault> {
        let limit = self.target.limits.reply;
        let mut has_waited = false;
        loop {
            match self.whole() {
                Ok(whole) if whole >= flight.replies() => break,
                Ok(_) => {}
                Err(()) => return Err(self.lost(flight)),
            }
            let asked = Instant::now();
            match timeout(limit, self.read_some()).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(self.lost(flight)),
                Err(_) => return Err(self.timed_out()),
            }
            // What was there already is handed over faster than any server answers.
            has_waited |= asked.elapsed() > Duration::from_micros(5);
        }
        if self.frames.has_more() {
            return Err(self.lost(flight));
        }
        std::mem::swap(&mut self.frames, &mut self.landed);
        let took = has_waited.then(|| sent.elapsed());
        let way = self.session.as_mut().map_or(Duration::ZERO, |session| {
            if flight.is_ping() {
                session.way = session.way.min(sent.elapsed());
            }
            session.way
        });
        Ok(Landed {
            took,
            worked: took.map(|took| took.saturating_sub(way)),
        })
    }

    /// Sends a flight and waits for its replies.
    ///
    /// # Errors
    /// As `send` and `land`.
    pub async fn fly(&mut self, flight: &Flight) -> Result<Landed, Fault> {
        let sent = self.send(flight).await?;
        self.land(flight, sent).await
    }

    /// Begins to listen; `hear` brings what comes. The lane is of no other use any more.
    ///
    /// # Errors
    /// When the connection cannot be opened or broke.
    pub async fn listen(&mut self, tap: Tap) -> Result<(), Fault> {
        if !self.is_open() {
            self.open().await?;
        }
        let mut writer = Writer::default();
        let words = tap.words();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        writer.command(&words);
        self.frames.clear();
        self.write(writer.bytes())
            .await
            .map_err(|_| self.closed("beginning to listen"))
    }

    /// Waits for what comes next, until `end`; gives how many bytes came, none when the time is up.
    /// The replies among them are handed to `visit`, each with all its elements.
    ///
    /// # Errors
    /// When the connection broke, or what comes is no reply.
    pub async fn hear(
        &mut self,
        end: Instant,
        mut visit: impl FnMut(&mut dyn Iterator<Item = View<'_>>),
    ) -> Result<Option<usize>, Fault> {
        if let Some(session) = &self.session {
            session.allowance.refill(self.target.limits.reply_bytes);
        }
        let read = match timeout_at(end.into(), self.read_some()).await {
            Err(_) => return Ok(None),
            Ok(Ok(0) | Err(_)) => return Err(self.closed("listening")),
            Ok(Ok(read)) => read,
        };
        let Ok(whole) = self.whole() else {
            return Err(self.lost(&Flight::default()));
        };
        for number in 0..whole {
            visit(&mut self.frames.elements(number));
        }
        self.frames.drop_whole();
        Ok(Some(read))
    }

    /// The reply with this number of the flight that landed last.
    pub fn view(&self, number: usize) -> View<'_> {
        self.landed.view(number)
    }

    /// The same with everything in it, in the order of the wire.
    pub fn elements(&self, number: usize) -> impl Iterator<Item = View<'_>> {
        self.landed.elements(number)
    }

    /// The same as the value that other parts of the engine read.
    pub fn value(&self, number: usize) -> Reply {
        reply(self.landed.reply(number))
    }

    pub fn add_lookups(&self, hits: u64, misses: u64) {
        self.common.lookups.add(hits, misses);
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.session {
            Some(session) => {
                session.stream.write_all(bytes).await?;
                session.stream.flush().await
            }
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    async fn read_some(&mut self) -> std::io::Result<usize> {
        let Some(session) = &mut self.session else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        let buffer = self.frames.buffer();
        buffer.reserve(READ_AT_ONCE);
        session.stream.read_buf(buffer).await
    }

    fn whole(&mut self) -> Result<usize, ()> {
        self.frames.scan().map_err(|_| ())
    }

    /// Why the connection ended in a flight. It is of no use any more.
    fn lost(&mut self, flight: &Flight) -> Fault {
        let session = self.session.take();
        if let Some(session) = &session
            && let Some(fault) = session.allowance.fault(&self.place, flight.title())
        {
            return fault;
        }
        let is_garbage = self.frames.scan().is_err() || self.frames.has_more() && session.is_some();
        match session {
            Some(session) if is_garbage && self.frames.scan().is_err() => Fault::Protocol {
                place: self.place.clone(),
                command: flight.title().to_owned(),
                why: format!(
                    "it said {}",
                    stranger::first_line(&session.allowance.head())
                ),
            },
            _ => self.closed("waiting for a reply"),
        }
    }

    /// What we met instead of a server that takes a login.
    fn strange(&mut self) -> Fault {
        let Some(session) = self.session.take() else {
            return self.closed("logging in");
        };
        session
            .allowance
            .fault(&self.place, "the login")
            .unwrap_or_else(|| stranger::fault(&self.place, &session.allowance.head()))
    }

    fn unanswered(&mut self, after: Duration) -> Fault {
        Fault::Timeout {
            place: self.place.clone(),
            doing: "logging in",
            after,
        }
    }

    fn timed_out(&mut self) -> Fault {
        self.session = None;
        Fault::Timeout {
            place: self.place.clone(),
            doing: "waiting for a reply",
            after: self.target.limits.reply,
        }
    }

    fn closed(&self, doing: &'static str) -> Fault {
        Fault::Closed {
            place: self.place.clone(),
            doing,
        }
    }
}

/// A reply as a value. What the frames took for whole is whole for the crate, too.
fn reply(bytes: &[u8]) -> Reply {
    match ::redis::parse_redis_value(bytes) {
        Ok(::redis::Value::ServerError(error)) => {
            let error = ::redis::RedisError::from(error);
            Err(Refusal::from_error(&error).unwrap_or_else(|| Refusal::from_line("ERR")))
        }
        Ok(value) => Ok(value),
        Err(_) => Err(Refusal::from_line("ERR a reply that cannot be read")),
    }
}
