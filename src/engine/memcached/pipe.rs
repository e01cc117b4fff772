//! A connection on which requests go out and replies come in at the same time, for copying.
//!
//! Nothing is lost when a wait is given up: what was written is known, and what was read is kept. So a
//! caller may wait for several things at once.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::engine::Fault;
use crate::engine::dial::Stream;
use crate::engine::memcached::batch::Batch;
use crate::engine::memcached::conn::Hello;
use crate::guard::Permit;
use crate::model::Limits;
use crate::text;

/// Room for what was read and not used: a line fits in many times over, and values are taken out
/// piece by piece.
const ROOM: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Pipe {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    place: String,
    limits: Limits,
    hello: Hello,
    /// What is to be written, and how much of it is.
    out: Vec<u8>,
    sent: usize,
    /// TLS keeps bytes back until it is told.
    is_flushed: bool,
    /// What was read, and how much of it is used.
    room: Vec<u8>,
    read: usize,
    used: usize,
    /// When anything last came or went.
    stirred: Instant,
}

impl Pipe {
    pub fn over(stream: Stream, place: String, limits: Limits, hello: Hello) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            place,
            limits,
            hello,
            out: Vec::new(),
            sent: 0,
            is_flushed: true,
            room: vec![0; ROOM],
            read: 0,
            used: 0,
            stirred: Instant::now(),
        }
    }

    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether everything that was queued is on its way.
    pub fn is_sent(&self) -> bool {
        self.sent == self.out.len() && self.is_flushed
    }

    /// Queues commands to be written. The batch is empty afterwards.
    ///
    /// # Errors
    /// When one of them changes something and the permit is not for that.
    pub fn queue(&mut self, batch: &mut Batch, permit: Option<&Permit>) -> Result<(), Fault> {
        if !batch.is_allowed(permit.map(Permit::change)) {
            return Err(Fault::NoPermit {
                command: "a batch of commands".into(),
            });
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            // A giant's room is given back.
            self.out.shrink_to(8 << 20);
        }
        self.out.extend_from_slice(batch.bytes());
        batch.clear();
        Ok(())
    }

    /// What came and was not used yet.
    pub fn unread(&self) -> &[u8] {
        &self.room[self.used..self.read]
    }

    pub fn use_up(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.read);
    }

    /// The next line without its end, and what it takes with it; `None` until it has come whole.
    ///
    /// # Errors
    /// When it does not end where a line must.
    pub fn line(&self) -> Result<Option<(&[u8], usize)>, Fault> {
        let unread = self.unread();
        match memchr::memchr(b'\n', unread) {
            Some(end) => {
                let line = &unread[..end];
                Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1)))
            }
            None if unread.len() > 16 << 10 => Err(self.garbled(unread)),
            None => Ok(None),
        }
    }

    /// Waits until something was read or written. `expects` says that replies are due: then silence is
    /// a fault after a while.
    ///
    /// # Errors
    /// When the server hangs up, or is silent for too long.
    pub async fn turn(&mut self, expects: bool) -> Result<(), Fault> {
        if self.used > 0 {
            self.room.copy_within(self.used..self.read, 0);
            self.read -= self.used;
            self.used = 0;
        }
        let is_due = expects || !self.is_sent();
        let left = self.limits.reply.saturating_sub(self.stirred.elapsed());
        let (out, room) = (&self.out[self.sent..], &mut self.room[self.read..]);
        let has_room = !room.is_empty();
        let has_out = !out.is_empty() || !self.is_flushed;
        let writer = &mut self.writer;
        let send = async {
            if out.is_empty() {
                writer.flush().await.map(|()| 0)
            } else {
                writer.write(out).await
            }
        };
        let was_empty = out.is_empty();
        tokio::select! {
            wrote = send, if has_out => match wrote {
                Ok(_) if was_empty => self.is_flushed = true,
                Ok(wrote) if wrote > 0 => {
                    self.sent += wrote;
                    self.is_flushed = false;
                }
                _ => return Err(self.closed()),
            },
            read = self.reader.read(room), if has_room => match read {
                Ok(read) if read > 0 => self.read += read,
                _ => return Err(self.closed()),
            },
            () = tokio::time::sleep(left), if is_due => return Err(Fault::Timeout {
                place: self.place.clone(),
                doing: DOING,
                after: self.limits.reply,
            }),
        }
        self.stirred = Instant::now();
        Ok(())
    }

    /// From here on silence counts: the pipe was left alone on purpose.
    pub fn stir(&mut self) {
        self.stirred = Instant::now();
    }

    pub fn closed(&self) -> Fault {
        Fault::Closed {
            place: self.place.clone(),
            doing: DOING,
        }
    }

    pub fn garbled(&self, got: &[u8]) -> Fault {
        Fault::Protocol {
            place: self.place.clone(),
            command: "a batch of commands".into(),
            why: format!("it said {}", text::escape(&got[..got.len().min(60)])),
        }
    }
}

const DOING: &str = "items were copied";
