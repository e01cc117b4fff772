//! Sending items, and what the server says to each.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::governor::{Flown, Governor};
use crate::engine::journal::{Journal, Note, Written};
use crate::engine::memcached::MemcachedServer;
use crate::engine::memcached::batch::Batch;
use crate::engine::memcached::codec::{RefusalKind, number, refusal};
use crate::engine::memcached::conn::Conn;
use crate::engine::memcached::pipe::Pipe;
use crate::engine::memcached::restore::Target;
use crate::engine::memcached::restore::source::{Reading, Survey, Verdict, judge, shown_path};
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{Bytes, ChangePhase, ChangeProgress, Conflict, Restore, RestoreReport, units};
use crate::snapshot::items::Block;
use crate::text;

const FULL_FLIGHT: usize = 256;
/// Bytes on their way to the server and not answered yet.
const AIR_BYTES: usize = 2 << 20;
/// Blocks that may be sent beyond what is noted. A restore that goes on begins at most so much too
/// early.
const EVERY: u64 = 16;
const TELL_EVERY: Duration = Duration::from_millis(100);
/// What storing an item takes of the server's time, and a byte of it.
const ITEM_COST: Duration = Duration::from_micros(2);
const BYTES_A_SECOND: f64 = 1e9;

pub(super) struct Writing<'a> {
    restore: &'a Restore,
    permit: &'a Permit,
    target: &'a Target,
    reading: Reading,
    pipe: Pipe,
    governor: Governor,
    journal: Journal,
    of: u64,
    batch: Batch,
    air: VecDeque<Sent>,
    /// Bytes of all that is in the air.
    air_bytes: usize,
    /// Keys of what is in the air.
    keys: VecDeque<u8>,
    /// Blocks that were sent whole, and how many items of the file there were.
    blocks: u64,
    items: u64,
    report: RestoreReport,
    written: Written,
    /// Items that were stored and are to be marked as stale, by their new CAS.
    marks: Vec<(Vec<u8>, u64)>,
    /// A key that was there already, where that ends it.
    stopped: Option<Vec<u8>>,
    told: Option<Instant>,
}

/// An item that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Its place among the items of the file.
    place: u64,
    key: usize,
    value: usize,
    /// What it takes on the way.
    took: usize,
    /// No item, but the mark that one is stale.
    is_mark: bool,
}

impl<'a> Writing<'a> {
    pub async fn begin(
        server: &MemcachedServer,
        restore: &'a Restore,
        permit: &'a Permit,
        target: &'a Target,
        survey: &Survey,
    ) -> Result<Self, Fault> {
        let reading = Reading::open(restore, target).map_err(Fault::Setup)?;
        let note = Note {
            source: shown_path(&restore.source),
            bytes: reading.bytes,
            began_ms: reading.header.began.map(|began| began.0),
            target: server.place(),
            pattern: restore.pattern.clone(),
            conflict: restore.conflict.word().to_owned(),
            ..Note::default()
        };
        let journal = Journal::open(restore, note).map_err(Fault::Setup)?;
        let note = &journal.note;
        let report = RestoreReport {
            restored: note.restored,
            existed: note.existed,
            expired: note.expired,
            failed: note.failed,
            matched: survey.matched,
            earlier: note.restored,
            ..RestoreReport::default()
        };
        Ok(Self {
            restore,
            permit,
            target,
            pipe: Conn::open(&server.target).await?.into_pipe(),
            governor: Governor::new(restore.pace, 1, Instant::now()),
            of: survey.matched,
            reading,
            journal,
            batch: Batch::default(),
            air: VecDeque::new(),
            air_bytes: 0,
            keys: VecDeque::new(),
            blocks: 0,
            items: 0,
            report,
            written: Written::default(),
            marks: Vec::new(),
            stopped: None,
            told: None,
        })
    }

    pub async fn run(&mut self, progress: &Progress, began: Instant) -> Result<(), Fault> {
        // A disk that cannot take the note is found before anything is sent.
        let done = self.journal.note.done;
        self.note(done)?;
        while let Some(block) = self.reading.next().await.map_err(Fault::Setup)? {
            self.blocks += 1;
            if self.blocks <= done {
                self.items += u64::from(block.items());
                continue;
            }
            self.send_block(&block).await?;
            if self.stopped.is_some() {
                break;
            }
            self.tell(progress, began);
            if self.blocks >= self.journal.note.done + EVERY {
                self.land(0).await?;
                self.note(self.blocks)?;
            }
        }
        self.land(0).await?;
        if let Some(key) = &self.stopped {
            let left = self.of.saturating_sub(self.answered());
            self.report.notes.push(format!(
                "{} came into being meanwhile, and --conflict fail stops there: {} keys were not restored",
                text::escape(key),
                units::count(left)
            ));
        }
        Ok(())
    }

    /// How it went, and what was stored.
    pub fn end(self) -> (RestoreReport, Written) {
        if self.stopped.is_none() {
            self.journal.close();
        }
        (self.report, self.written)
    }

    fn note(&mut self, blocks: u64) -> Result<(), Fault> {
        self.journal
            .write(blocks, &self.report)
            .map_err(|error| Fault::Setup(format!("the note of how far it is: {error}")))
    }

    fn answered(&self) -> u64 {
        let report = &self.report;
        report.restored + report.existed + report.expired + report.failed
    }

    fn tell(&mut self, progress: &Progress, began: Instant) {
        if self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        progress.tell(ChangeProgress {
            phase: ChangePhase::Writing,
            done: self.answered(),
            of: Some(self.of),
            bytes: self.report.bytes,
            elapsed: began.elapsed(),
        });
    }

    async fn send_block(&mut self, block: &Block) -> Result<(), Fault> {
        let mut in_flight = 0;
        let mut bytes = 0;
        for item in block {
            let item = item.map_err(|wrong| Fault::Setup(wrong.to_string()))?;
            let place = self.items;
            self.items += 1;
            if !self.reading.matches(&item) {
                continue;
            }
            let storing = match judge(&item, self.restore, self.target, self.reading.shift) {
                Verdict::Send(storing) => storing,
                Verdict::Over => {
                    self.report.expired += 1;
                    continue;
                }
                Verdict::TooLarge => {
                    let largest = Bytes(self.target.largest);
                    let why = format!("larger than the {largest} that the server takes (-I)");
                    self.report.fail(item.key, why);
                    continue;
                }
                Verdict::TooLate => {
                    let why = "it ends after 2038-01-19, which Memcached cannot write";
                    self.report.fail(item.key, why);
                    continue;
                }
                Verdict::Unnameable => {
                    let why = "its name cannot be sent to this server";
                    self.report.fail(item.key, why);
                    continue;
                }
            };
            let before = self.batch.bytes().len();
            self.batch.store(&storing, self.target.dialect);
            let took = self.batch.bytes().len() - before;
            self.air.push_back(Sent {
                place,
                key: item.key.len(),
                value: item.value.len(),
                took,
                is_mark: false,
            });
            self.keys.extend(item.key);
            self.air_bytes += took;
            in_flight += 1;
            bytes += took;
            if in_flight >= self.flight() || bytes >= AIR_BYTES / 4 {
                self.fly(in_flight, bytes).await?;
                (in_flight, bytes) = (0, 0);
            }
            if self.stopped.is_some() {
                break;
            }
        }
        self.fly(in_flight, bytes).await?;
        self.mark(block).await
    }

    /// Marks items as stale that were. Only what we stored ourselves, and as long as it is that.
    async fn mark(&mut self, block: &Block) -> Result<(), Fault> {
        let is_needed = block
            .iter()
            .any(|item| item.is_ok_and(|item| item.facts.marks.is_stale));
        if !is_needed {
            return Ok(());
        }
        self.land(0).await?;
        for (key, cas) in std::mem::take(&mut self.marks) {
            let before = self.batch.bytes().len();
            if self.batch.mark(&key, cas, self.target.keeps_cas) {
                let took = self.batch.bytes().len() - before;
                self.keys.extend(&key);
                self.air_bytes += took;
                self.air.push_back(Sent {
                    place: 0,
                    key: key.len(),
                    value: 0,
                    took,
                    is_mark: true,
                });
            }
        }
        self.pipe.queue(&mut self.batch, Some(self.permit))?;
        self.land(0).await
    }

    fn flight(&self) -> usize {
        if self.governor.is_at_full_speed() {
            FULL_FLIGHT
        } else {
            usize::try_from(self.governor.keys(None)).unwrap_or(FULL_FLIGHT)
        }
    }

    /// Sends what is gathered, as soon as there is room in the air and in the budget.
    async fn fly(&mut self, items: usize, bytes: usize) -> Result<(), Fault> {
        if items == 0 {
            return Ok(());
        }
        self.pipe.queue(&mut self.batch, Some(self.permit))?;
        if self.governor.is_at_full_speed() {
            return self.land(AIR_BYTES).await;
        }
        let sent = Instant::now();
        self.land(0).await?;
        let count = u32::try_from(items).unwrap_or(u32::MAX);
        let carried = Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND);
        let flown = Flown {
            keys: items as u64,
            is_of_names: false,
            took: (bytes < 64 << 10).then(|| sent.elapsed()),
            worked: Some(ITEM_COST * count + carried),
            total: self.answered(),
        };
        self.governor.flew(flown, Instant::now());
        let pause = self.governor.pause(Instant::now());
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Reads answers until no more than so many bytes are in the air.
    async fn land(&mut self, most: usize) -> Result<(), Fault> {
        self.pipe.stir();
        loop {
            self.read_answers()?;
            let is_light = self.air_bytes <= most && (most > 0 || self.air.is_empty());
            if is_light && self.pipe.is_sent() {
                return Ok(());
            }
            self.pipe.turn(true).await?;
        }
    }

    fn read_answers(&mut self) -> Result<(), Fault> {
        while !self.air.is_empty() {
            let Some((line, taken)) = self.pipe.line()? else {
                return Ok(());
            };
            let answer = Answer::of(line).ok_or_else(|| self.pipe.garbled(line))?;
            self.pipe.use_up(taken);
            self.answer(answer)?;
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Fault> {
        let Some(sent) = self.air.pop_front() else {
            return Ok(());
        };
        self.air_bytes = self.air_bytes.saturating_sub(sent.took);
        let key = self.keys.drain(..sent.key);
        match answer {
            Answer::Unknown(why) => {
                return Err(Fault::Refused {
                    command: "ms".into(),
                    why,
                });
            }
            // Gone or changed meanwhile, there is nothing to mark any more.
            _ if sent.is_mark => {}
            Answer::Stored { cas } => {
                self.report.restored += 1;
                self.report.bytes.0 += sent.value as u64;
                self.written.note(sent.place);
                if let Some(cas) = cas {
                    self.marks.push((key.collect(), cas));
                }
            }
            Answer::Existed => {
                self.report.existed += 1;
                // A restore that goes on meets what it had sent before it broke off.
                let is_own =
                    self.restore.resumes && self.blocks <= self.journal.note.done + 2 * EVERY;
                if self.restore.conflict == Conflict::Fail && !is_own && self.stopped.is_none() {
                    self.stopped = Some(key.collect());
                }
            }
            Answer::Failed(why) => {
                let key: Vec<u8> = key.collect();
                self.report.fail(&key, why);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored {
        /// Its new CAS, where that was asked.
        cas: Option<u64>,
    },
    Existed,
    Failed(String),
    /// The server does not know the command.
    Unknown(String),
}

impl Answer {
    /// `None` when the line is no answer to storing.
    pub fn of(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let word = words.next().unwrap_or_default();
        Some(match word {
            b"HD" | b"OK" | b"STORED" => Self::Stored {
                cas: words.find_map(|word| number(word.strip_prefix(b"c")?)),
            },
            b"NS" | b"NOT_STORED" => Self::Existed,
            b"EX" | b"EXISTS" | b"NF" | b"NOT_FOUND" => {
                Self::Failed("it changed meanwhile".to_owned())
            }
            _ => {
                let refused = refusal(line)?;
                match refused.kind {
                    RefusalKind::Error => Self::Unknown(refused.words),
                    _ => Self::Failed(refused.words),
                }
            }
        })
    }
}
