//! Reading back what was stored.
//!
//! Counts as gets, like every look at a value, and moves nothing where the server knows how.

use std::collections::VecDeque;
use std::time::Instant;

use crate::engine::journal::Written;
use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::{Batch, Dialect};
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::pipe::Pipe;
use crate::engine::memcached::restore::Target;
use crate::engine::memcached::restore::source::{Reading, Verdict, judge};
use crate::engine::memcached::take::{Head, Left, classic_head, meta_head};
use crate::engine::{Fault, Progress};
use crate::model::{Bytes, ChangePhase, ChangeProgress, Key, Restore, Verified, Verify};
use crate::snapshot::diff::{Digest, digest};

/// Items of a sample.
const SAMPLE: u64 = 1_000;
const FLIGHT: usize = 64;
const FLIGHT_BYTES: u64 = 256 << 10;
/// Both clocks tick in whole seconds.
const UNSURE: i64 = 2;
/// Keys that are named of those that are not what was stored.
const NAMED: usize = 20;

/// What an item should be.
struct Expected {
    key: Vec<u8>,
    flags: u32,
    length: usize,
    digest: u128,
    /// Seconds of the server's clock; 0 for never.
    expiry: u32,
}

impl MemcachedServer {
    /// Reads back all or some of what was stored; `None` where nothing is to be read.
    pub(super) async fn read_back(
        &self,
        restore: &Restore,
        target: &Target,
        written: &Written,
        progress: &Progress,
        began: Instant,
    ) -> Result<Option<Verified>, Fault> {
        let one_in = match restore.verify {
            Verify::None => return Ok(None),
            Verify::All => 1,
            Verify::Sample => written.many.div_ceil(SAMPLE).max(1),
        };
        let mut reading = Reading::open(restore, target).map_err(Fault::Setup)?;
        let mut back = ReadBack {
            server: self,
            pipe: Conn::open(&self.target).await?.into_pipe(),
            target,
            batch: Batch::default(),
            due: VecDeque::new(),
            bytes: 0,
            verified: Verified::default(),
        };
        let (mut place, mut met) = (0, 0);
        while let Some(block) = reading.next().await.map_err(Fault::Setup)? {
            for item in &block {
                let item = item.map_err(|wrong| Fault::Setup(wrong.to_string()))?;
                let was_written = written.has(place);
                place += 1;
                met += u64::from(was_written);
                // A look at a stale item would take its token.
                if !was_written || met % one_in != 0 || item.facts.marks.is_stale {
                    continue;
                }
                let Verdict::Send(storing) = judge(&item, restore, target, reading.shift) else {
                    continue;
                };
                back.ask(Expected {
                    key: item.key.to_vec(),
                    flags: item.facts.flags,
                    length: item.value.len(),
                    digest: digest(item.value),
                    expiry: storing.expiry,
                })
                .await?;
            }
            progress.tell(ChangeProgress {
                phase: ChangePhase::Verifying,
                done: met,
                of: Some(written.many),
                bytes: Bytes::default(),
                elapsed: began.elapsed(),
            });
        }
        back.land().await?;
        Ok(Some(back.verified))
    }
}

struct ReadBack<'a> {
    server: &'a MemcachedServer,
    pipe: Pipe,
    target: &'a Target,
    batch: Batch,
    due: VecDeque<Expected>,
    bytes: u64,
    verified: Verified,
}

impl ReadBack<'_> {
    async fn ask(&mut self, expected: Expected) -> Result<(), Fault> {
        if !self.batch.look(&expected.key, self.target.dialect) {
            return Ok(());
        }
        self.bytes += expected.length as u64;
        self.due.push_back(expected);
        if self.due.len() >= FLIGHT || self.bytes >= FLIGHT_BYTES {
            self.land().await?;
        }
        Ok(())
    }

    /// Sends what is gathered and compares what comes.
    async fn land(&mut self) -> Result<(), Fault> {
        self.pipe.queue(&mut self.batch, None)?;
        self.pipe.stir();
        self.bytes = 0;
        let asked = self.target.now();
        while let Some(expected) = self.due.pop_front() {
            let found = self.item().await?;
            self.server.count_lookup(found.is_some());
            self.compare(&expected, found, asked);
        }
        Ok(())
    }

    fn compare(&mut self, expected: &Expected, found: Option<(Head, u128)>, asked: Option<i64>) {
        let verified = &mut self.verified;
        verified.read += 1;
        let Some((head, digest)) = found else {
            verified.gone += 1;
            return;
        };
        let ends = match head.left {
            // The classic dialect does not tell.
            None => true,
            Some(Left::Never) => expected.expiry == 0,
            // It was said at some moment between asking and reading.
            Some(Left::Seconds(left)) => {
                asked.zip(self.target.now()).is_none_or(|(asked, read)| {
                    let (left, expiry) = (i64::from(left), i64::from(expected.expiry));
                    (asked + left - UNSURE..=read + left + UNSURE).contains(&expiry)
                })
            }
        };
        let is_same = head.flags == expected.flags
            && head.length == expected.length
            && digest == expected.digest
            && ends;
        if !is_same {
            verified.differ += 1;
            if verified.different.len() < NAMED {
                verified.different.push(Key::new(expected.key.as_slice()));
            }
        }
    }

    /// The next item; `None` when there is none.
    async fn item(&mut self) -> Result<Option<(Head, u128)>, Fault> {
        let dialect = self.target.dialect;
        let head = self
            .line(|line| match dialect {
                Dialect::Meta if line.starts_with(b"EN") => Some(None),
                Dialect::Meta => meta_head(line).map(Some),
                Dialect::Classic if line == b"END" => Some(None),
                Dialect::Classic => classic_head(line).map(Some),
            })
            .await?;
        let Some(head) = head else {
            return Ok(None);
        };
        let mut left = head.length;
        let mut digest = Digest::default();
        while left > 0 {
            let piece = self.pipe.unread();
            let piece = &piece[..piece.len().min(left)];
            digest.update(piece);
            let taken = piece.len();
            left -= taken;
            self.pipe.use_up(taken);
            if left > 0 {
                self.pipe.turn(true).await?;
            }
        }
        self.line(|line| line.is_empty().then_some(())).await?;
        if dialect == Dialect::Classic {
            self.line(|line| (line == b"END").then_some(())).await?;
        }
        Ok(Some((head, digest.finish())))
    }

    /// The next line, as whatever it means.
    async fn line<T>(&mut self, read: impl Fn(&[u8]) -> Option<T>) -> Result<T, Fault> {
        loop {
            if let Some((line, taken)) = self.pipe.line()? {
                let Some(meant) = read(line) else {
                    return Err(self.pipe.garbled(line));
                };
                self.pipe.use_up(taken);
                return Ok(meant);
            }
            self.pipe.turn(true).await?;
        }
    }
}
