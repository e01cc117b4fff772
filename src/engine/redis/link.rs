//! One connection to a Redis server: opened when first used, and again after it broke.
//!
//! Everything that is sent goes through here, so this is where commands without permit stop, where
//! our own lookups are counted, and where every exchange gets its limits of time and bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError, RedisResult,
    Value, cmd,
};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::engine::Fault;
use crate::engine::dial::{self, Allowance, Stream, dial};
use crate::engine::gate::Gate;
use crate::engine::redis::commands::{self, is_covered, reading};
use crate::engine::redis::login;
use crate::engine::redis::lookups::Lookups;
use crate::engine::redis::reply::{Refusal, Reply};
use crate::engine::redis::stranger;
use crate::guard::Permit;
use crate::model::Target;

#[derive(Debug)]
pub struct Link {
    target: Target,
    place: String,
    common: Arc<Common>,
    slot: Mutex<Slot>,
}

/// What the links to one server share.
#[derive(Debug, Default)]
pub struct Common {
    pub lookups: Lookups,
    pub gate: Gate,
}

#[derive(Debug, Default)]
struct Slot {
    session: Option<Session>,
    /// The server does not take our reading for an access of the key.
    leaves_no_trace: bool,
}

/// The replies of one flight.
#[derive(Debug)]
pub struct Answer {
    /// One for each command, in order.
    pub replies: Vec<Reply>,
    /// From the sending of the first to the arrival of the last.
    pub took: Duration,
}

/// A permitted flight that got no answer.
#[derive(Debug)]
pub struct Unanswered {
    pub fault: Fault,
    /// The commands may have reached the server.
    pub was_sent: bool,
}

impl Link {
    pub fn to(target: Target, common: Arc<Common>) -> Self {
        Self {
            place: dial::place(&target),
            target,
            common,
            slot: Mutex::default(),
        }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Sends reading commands in one flight.
    ///
    /// A connection that the server has closed since its last use is opened again, once: these
    /// commands can be repeated.
    ///
    /// # Errors
    /// `NoPermit`, before a byte is sent, when one of them is not a reading command.
    pub async fn ask(&self, flight: &[Cmd]) -> Result<Answer, Fault> {
        if let Some(stranger) = flight.iter().find(|command| reading(command).is_none()) {
            return Err(Fault::NoPermit {
                command: commands::title(stranger),
            });
        }
        let mut slot = self.slot.lock().await;
        if slot.session.is_some() {
            match self.fly(&mut slot, flight).await {
                Err(Fault::Closed { .. }) => {}
                answer => return answer,
            }
        }
        self.open(&mut slot, flight).await
    }

    /// Sends what the permit covers in one flight; reading commands may be among it.
    ///
    /// # Errors
    /// When no answer came; `was_sent` tells whether it may have happened all the same.
    pub async fn carry_out(&self, permit: &Permit, flight: &[Cmd]) -> Result<Answer, Unanswered> {
        let unsent = |fault| Unanswered {
            fault,
            was_sent: false,
        };
        if let Some(stranger) = flight
            .iter()
            .find(|command| reading(command).is_none() && !is_covered(command, permit))
        {
            return Err(unsent(Fault::NoPermit {
                command: commands::title(stranger),
            }));
        }
        // A stale connection is found out with a harmless question, and a new one is logged in,
        // before anything that must not be sent twice or to the wrong database.
        self.ask(&[cmd("PING")]).await.map_err(unsent)?;
        let mut slot = self.slot.lock().await;
        self.fly(&mut slot, flight)
            .await
            .map_err(|fault| Unanswered {
                was_sent: !matches!(fault, Fault::NoPermit { .. }),
                fault,
            })
    }

    /// Whether the server does not take our reading for an access of the key.
    pub async fn leaves_no_trace(&self) -> bool {
        self.slot.lock().await.leaves_no_trace
    }

    pub fn out_of_protocol(&self, command: &str, why: &str) -> Fault {
        Fault::Protocol {
            place: self.place.clone(),
            command: command.to_owned(),
            why: why.to_owned(),
        }
    }

    /// One flight over the connection that is there.
    async fn fly(&self, slot: &mut Slot, flight: &[Cmd]) -> Result<Answer, Fault> {
        let Some(session) = &slot.session else {
            return Err(self.closed());
        };
        session.allowance.refill(self.target.limits.reply_bytes);
        let sent = Instant::now();
        let limit = self.target.limits.reply;
        match exchange(session.connection.clone(), flight, limit).await {
            Ok(replies) => Ok(self.answer(flight, replies, sent.elapsed())),
            Err(trouble) => {
                let fault = self.fault(&trouble, &session.allowance, flight);
                slot.session = None;
                Err(fault)
            }
        }
    }

    /// Opens a connection, unless it was refused a moment ago.
    async fn open(&self, slot: &mut Slot, flight: &[Cmd]) -> Result<Answer, Fault> {
        slot.session = None;
        self.common.gate.pass(Instant::now())?;
        let opened = self.open_now(slot, flight).await;
        self.common.gate.note(&opened, Instant::now());
        opened
    }

    /// Opens a connection. The login and the first flight travel together, so that a fresh start
    /// costs one round trip; the flight's replies count only when the login was accepted.
    async fn open_now(&self, slot: &mut Slot, flight: &[Cmd]) -> Result<Answer, Fault> {
        let limits = self.target.limits;
        let began = Instant::now();
        let session = Session::over(dial(&self.target).await?)
            .await
            .map_err(|error| self.out_of_protocol("connecting", &error.to_string()))?;
        let left = limits.connect.saturating_sub(began.elapsed());
        let login = login::commands(&self.target);
        let sent = Instant::now();
        let greet = async {
            let replies = exchange(session.connection.clone(), &login, left)
                .await
                .map_err(|trouble| self.greeting_fault(&trouble, &session.allowance))?;
            login::check(&self.place, &login, &replies)?;
            Ok(login::leaves_no_trace(&login, &replies))
        };
        // Whatever is wrong with the login explains the rest, so only it ends this early.
        let question =
            async { Ok(exchange(session.connection.clone(), flight, left + limits.reply).await) };
        let (leaves_no_trace, flown) = tokio::try_join!(greet, question)?;
        let replies = flown.map_err(|trouble| self.fault(&trouble, &session.allowance, flight))?;
        slot.session = Some(session);
        slot.leaves_no_trace = leaves_no_trace;
        Ok(self.answer(flight, replies, sent.elapsed()))
    }

    fn answer(&self, flight: &[Cmd], replies: Vec<Reply>, took: Duration) -> Answer {
        let (mut hits, mut misses) = (0, 0);
        for (command, reply) in flight.iter().zip(&replies) {
            match reading(command).and_then(|entry| entry.counted(reply)) {
                Some(true) => hits += 1,
                Some(false) => misses += 1,
                None => {}
            }
        }
        self.common.lookups.add(hits, misses);
        Answer { replies, took }
    }

    /// Why a connection that never worked does not. What came first says whom we met.
    fn greeting_fault(&self, trouble: &Trouble, allowance: &Allowance) -> Fault {
        if let Some(fault) = allowance.fault(&self.place, "the login") {
            return fault;
        }
        let head = allowance.head();
        match trouble {
            Trouble::TimedOut if !stranger::is_one(&head) => Fault::Timeout {
                place: self.place.clone(),
                doing: "logging in",
                after: self.target.limits.connect,
            },
            _ => stranger::fault(&self.place, &head),
        }
    }

    fn fault(&self, trouble: &Trouble, allowance: &Allowance, flight: &[Cmd]) -> Fault {
        let title = flight.first().map(commands::title).unwrap_or_default();
        if let Some(fault) = allowance.fault(&self.place, &title) {
            return fault;
        }
        match trouble {
            Trouble::TimedOut => Fault::Timeout {
                place: self.place.clone(),
                doing: "waiting for a reply",
                after: self.target.limits.reply,
            },
            Trouble::Broken(error) if error.kind() == ErrorKind::Parse => {
                let head = allowance.head();
                self.out_of_protocol(&title, &format!("it said {}", stranger::first_line(&head)))
            }
            Trouble::Broken(_) => self.closed(),
        }
    }

    fn closed(&self) -> Fault {
        Fault::Closed {
            place: self.place.clone(),
            doing: "waiting for a reply",
        }
    }
}

/// A command of words that are ours.
pub fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// A command about a key.
pub fn about(words: &[&str], key: &crate::model::Key) -> Cmd {
    let mut command = command(words);
    command.arg(key.bytes());
    command
}

/// An open connection. Dropping it closes it.
#[derive(Debug)]
struct Session {
    connection: MultiplexedConnection,
    allowance: Allowance,
    driver: JoinHandle<()>,
}

impl Session {
    async fn over(stream: Stream) -> RedisResult<Self> {
        let allowance = stream.allowance();
        // The login is ours, and so are the limits: the crate's are off.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        Ok(Self {
            connection,
            allowance,
            driver: tokio::spawn(driver),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why no replies came.
#[derive(Debug)]
enum Trouble {
    TimedOut,
    Broken(RedisError),
}

/// Sends the commands together and waits for all replies.
async fn exchange(
    mut connection: MultiplexedConnection,
    flight: &[Cmd],
    limit: Duration,
) -> Result<Vec<Reply>, Trouble> {
    let mut pipeline = Pipeline::with_capacity(flight.len());
    for command in flight {
        pipeline.add_command(command.clone());
    }
    pipeline.ignore_errors();
    let replies: Vec<RedisResult<Value>> = timeout(limit, pipeline.query_async(&mut connection))
        .await
        .map_err(|_| Trouble::TimedOut)?
        .map_err(Trouble::Broken)?;
    replies
        .into_iter()
        .map(|reply| {
            reply.map_err(|error| Refusal::from_error(&error).ok_or(Trouble::Broken(error)))
        })
        .map(|reply| match reply {
            Ok(value) => Ok(Ok(value)),
            Err(Ok(refusal)) => Ok(Err(refusal)),
            Err(Err(trouble)) => Err(trouble),
        })
        .collect()
}

#[cfg(test)]
mod tests;
