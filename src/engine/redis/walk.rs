//! Walking the keyspace with `SCAN`, gently.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, cmd};

use crate::engine::Fault;
use crate::engine::redis::Core;
use crate::engine::redis::info::Info;
use crate::engine::redis::link::{Answer, command};
use crate::engine::redis::reply::{Reply, bytes, count, page};
use crate::model::{Coverage, Feature, Key, Pace, WalkAsk, WalkKey, WalkPage};

/// The first page is small, so that there is something to see at once.
const FIRST_COUNT: u64 = 100;
const MOST: u64 = 1000;
const LEAST: u64 = 100;
/// A page for which the server worked longer than this is too large: others wait meanwhile.
const LONG: Duration = Duration::from_millis(2);
const SHORT: Duration = Duration::from_micros(700);
const LONGEST_REST: Duration = Duration::from_millis(50);
/// How long a server that just vanished gets to come back before the walk gives up.
const COMEBACK: Duration = Duration::from_millis(500);

/// A walk under way. The cursor is the server's word for where it stands and stays good over a new
/// connection, but not over a restart of the server.
#[derive(Debug)]
pub struct RedisWalk {
    core: Arc<Core>,
    ask: WalkAsk,
    stand: Stand,
    coverage: Coverage,
    count: u64,
    /// The server is never asked for more at a time.
    most: u64,
    rest: Duration,
}

#[derive(Debug)]
enum Stand {
    Before,
    At {
        cursor: Vec<u8>,
        generation: u64,
        run_id: Option<String>,
    },
    After,
}

impl RedisWalk {
    pub(super) fn over(core: Arc<Core>, ask: WalkAsk) -> Self {
        let coverage = Coverage {
            is_filtered: ask.pattern.is_some(),
            ..Coverage::default()
        };
        Self {
            core,
            ask,
            stand: Stand::Before,
            coverage,
            count: FIRST_COUNT,
            most: MOST,
            rest: Duration::ZERO,
        }
    }

    /// The next page; `None` after the last one.
    ///
    /// # Errors
    /// When the connection broke and did not come back, the server was restarted, or it refuses.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        let answer = match &self.stand {
            Stand::After => return Ok(None),
            Stand::Before => self.begin().await?,
            Stand::At { cursor, .. } => {
                tokio::time::sleep(self.rest).await;
                let cursor = cursor.clone();
                self.go_on(&cursor).await?
            }
        };
        self.check_same_server(answer.generation).await?;
        self.adapt(&answer);
        let reply = answer.replies.into_iter().last();
        self.turn(reply, answer.generation).map(Some)
    }

    /// The size of the keyspace and the first page travel together.
    async fn begin(&mut self) -> Result<Answer, Fault> {
        let answer = loop {
            let flight = [command(&["INFO", "server"]), cmd("DBSIZE"), self.scan(b"0")];
            match self.core.work.ask(&flight).await {
                Err(Fault::TooLarge { .. }) if self.count > 1 => self.ask_for_less(),
                answer => break answer?,
            }
        };
        self.coverage.of = answer
            .replies
            .get(1)
            .and_then(|size| count(size.as_ref().ok()?));
        self.stand = Stand::At {
            cursor: b"0".to_vec(),
            generation: answer.generation,
            run_id: answer.replies.first().and_then(run_id),
        };
        Ok(answer)
    }

    /// The next page; a smaller one where names are so long that they do not fit.
    async fn go_on(&mut self, cursor: &[u8]) -> Result<Answer, Fault> {
        loop {
            match self.ask_patiently(&[self.scan(cursor)]).await {
                Err(Fault::TooLarge { .. }) if self.count > 1 => self.ask_for_less(),
                answer => return answer,
            }
        }
    }

    fn ask_for_less(&mut self) {
        self.most = (self.count / 10).max(1);
        self.count = self.most;
    }

    fn scan(&self, cursor: &[u8]) -> Cmd {
        let mut scan = cmd("SCAN");
        scan.arg(cursor);
        if let Some(pattern) = &self.ask.pattern {
            scan.arg("MATCH").arg(pattern);
        }
        scan.arg("COUNT").arg(self.count);
        scan
    }

    /// A broken connection gets a second chance after a moment.
    async fn ask_patiently(&self, flight: &[Cmd]) -> Result<Answer, Fault> {
        match self.core.work.ask(flight).await {
            Err(Fault::Closed { .. } | Fault::Unreachable { .. } | Fault::NotReady { .. }) => {
                tokio::time::sleep(COMEBACK).await;
                self.core.work.ask(flight).await
            }
            answer => answer,
        }
    }

    /// After a new connection: the cursor of another run of the server leads anywhere.
    async fn check_same_server(&mut self, now: u64) -> Result<(), Fault> {
        let Stand::At {
            generation,
            run_id: was,
            ..
        } = &mut self.stand
        else {
            return Ok(());
        };
        if *generation == now {
            return Ok(());
        }
        *generation = now;
        let answer = self.core.work.ask(&[command(&["INFO", "server"])]).await?;
        let is = answer.replies.first().and_then(run_id);
        if *was == is {
            return Ok(());
        }
        Err(Fault::Refused {
            command: "SCAN".to_owned(),
            why: "the server was restarted during the walk".to_owned(),
        })
    }

    /// Keeps the server's work for one page around a millisecond, and leaves it time in between.
    fn adapt(&mut self, answer: &Answer) {
        if answer.worked > LONG {
            self.count = (self.count / 2).max(LEAST.min(self.most));
        } else if answer.worked < SHORT {
            self.count = (self.count * 2).min(self.most);
        }
        self.rest = match self.ask.pace {
            Pace::Budget(_) => (answer.took * 4).min(LONGEST_REST),
            Pace::FullSpeed => Duration::ZERO,
        };
    }

    fn turn(&mut self, reply: Option<Reply>, generation: u64) -> Result<WalkPage, Fault> {
        let reply = reply
            .ok_or_else(|| self.out_of_protocol())?
            .map_err(|refusal| {
                self.core.known.refused(Feature::Walk, "SCAN", &refusal);
                refusal.fault(self.core.work.place(), "SCAN")
            })?;
        let (next, found) = page(reply).ok_or_else(|| self.out_of_protocol())?;
        self.coverage.seen += found.len() as u64;
        if next == b"0" {
            self.coverage.is_complete = true;
            self.stand = Stand::After;
        } else if let Stand::At {
            cursor,
            generation: at,
            ..
        } = &mut self.stand
        {
            *cursor = next;
            *at = generation;
        }
        let found = found
            .into_iter()
            .map(|name| WalkKey {
                key: Key::new(name),
                told: None,
            })
            .collect();
        Ok(WalkPage {
            found,
            coverage: self.coverage,
            ..WalkPage::default()
        })
    }

    fn out_of_protocol(&self) -> Fault {
        let link = &self.core.work;
        link.out_of_protocol("SCAN", "not a cursor and a list of keys")
    }
}

fn run_id(reply: &Reply) -> Option<String> {
    let reply = bytes(reply.as_ref().ok()?.clone())?;
    Info::parse(&reply).word("run_id")
}
