//! What comes after the request for a copy: empty lines while the server is busy, a line that says
//! which state it is, a line that says how the data ends, the data.
//!
//! Knows no socket: bytes in, payload out.

use memchr::memmem::Finder;

use crate::engine::redis::reply::{Refusal, shown};
use crate::model::{Bytes, FetchOrigin, FetchPhase, FetchWay};

/// The mark that ends a transfer of unknown length.
const MARK: usize = 40;
/// The longest line that is a line.
const LONGEST_LINE: usize = 4 << 10;

/// A transfer as far as it has come.
#[derive(Debug, Default)]
pub struct Transfer {
    origin: FetchOrigin,
    state: State,
    /// Of the lines, what is not whole yet; of the payload, what may be the beginning of the mark.
    held: Vec<u8>,
    received: u64,
    /// The server has said which state it sends.
    has_begun: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Lines,
    Sized {
        left: u64,
    },
    Marked {
        finder: Box<Finder<'static>>,
    },
    Over,
}

/// Why it comes to nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    Refused(Refusal),
    /// What came is no answer to the request.
    Garbage(Vec<u8>),
}

impl Transfer {
    pub fn introduced(is_snapshot_only: bool) -> Self {
        let mut transfer = Self::default();
        transfer.origin.is_snapshot_only = is_snapshot_only;
        transfer
    }

    pub fn origin(&self) -> &FetchOrigin {
        &self.origin
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub fn phase(&self) -> FetchPhase {
        match self.state {
            State::Lines if self.has_begun => FetchPhase::Writing,
            State::Lines => FetchPhase::Waiting,
            _ => FetchPhase::Receiving,
        }
    }

    /// What was held back, at the front of where the next bytes go. Give both to `take`.
    pub fn prepare(&mut self, chunk: &mut Vec<u8>) {
        chunk.extend_from_slice(&self.held);
        self.held.clear();
    }

    /// Takes in what came, behind what `prepare` put there, and leaves the payload in the chunk.
    ///
    /// # Errors
    /// When the server refuses, or it is no transfer.
    pub fn take(&mut self, chunk: &mut Vec<u8>) -> Result<(), Stop> {
        while matches!(self.state, State::Lines) {
            let Some(end) = memchr::memchr(b'\n', chunk) else {
                if chunk.len() > LONGEST_LINE {
                    return Err(Stop::Garbage(std::mem::take(chunk)));
                }
                self.held.append(chunk);
                return Ok(());
            };
            let line: Vec<u8> = chunk.drain(..=end).collect();
            self.line(line.trim_ascii_end())?;
        }
        match &mut self.state {
            State::Lines => {}
            State::Sized { left } => {
                let whole = usize::try_from(*left).unwrap_or(usize::MAX);
                chunk.truncate(whole);
                *left -= chunk.len() as u64;
                if *left == 0 {
                    self.state = State::Over;
                }
            }
            State::Marked { finder } => {
                if let Some(at) = finder.find(chunk) {
                    chunk.truncate(at);
                    self.state = State::Over;
                } else {
                    // What could be the beginning of the mark waits for the rest.
                    let sure = chunk.len().saturating_sub(MARK - 1);
                    self.held.extend_from_slice(&chunk[sure..]);
                    chunk.truncate(sure);
                }
            }
            State::Over => chunk.clear(),
        }
        self.received += chunk.len() as u64;
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Stop> {
        let garbage = || Err(Stop::Garbage(line.to_vec()));
        match line {
            // The server is alive and busy.
            [] => Ok(()),
            [b'-', refusal @ ..] => {
                let line = String::from_utf8(refusal.to_vec()).unwrap_or_else(|_| shown(refusal));
                Err(Stop::Refused(Refusal::from_line(&line)))
            }
            [b'+', said @ ..] if !self.has_begun => {
                let mut words = said.split(|byte| *byte == b' ');
                if words.next() != Some(b"FULLRESYNC") {
                    return garbage();
                }
                self.has_begun = true;
                self.origin.replication_id = words.next().map(shown);
                self.origin.offset = words.next().and_then(number);
                Ok(())
            }
            [b'$', b'E', b'O', b'F', b':', mark @ ..] if mark.len() == MARK => {
                self.origin.way = Some(FetchWay::Memory);
                let finder = Box::new(Finder::new(mark).into_owned());
                self.state = State::Marked { finder };
                Ok(())
            }
            [b'$', size @ ..] => {
                let Some(size) = number(size) else {
                    return garbage();
                };
                self.origin.way = Some(FetchWay::Disk);
                self.origin.size = Some(Bytes(size));
                self.state = State::Sized { left: size };
                Ok(())
            }
            _ => garbage(),
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK_WORD: &[u8; MARK] = b"0123456789abcdef0123456789abcdef01234567";

    /// Feeds the bytes in pieces and gives the payload, and what is known of its origin.
    fn receive<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<(Vec<u8>, Transfer), Stop> {
        let (mut transfer, mut payload) = (Transfer::default(), Vec::new());
        for piece in pieces {
            let mut chunk = Vec::new();
            transfer.prepare(&mut chunk);
            chunk.extend_from_slice(piece);
            transfer.take(&mut chunk)?;
            payload.append(&mut chunk);
        }
        Ok((payload, transfer))
    }

    fn marked(payload: &[u8]) -> Vec<u8> {
        let head = b"\n\n+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 42\r\n\n\n$EOF:";
        [&head[..], MARK_WORD, b"\r\n", payload, MARK_WORD].concat()
    }

    #[test]
    fn a_mark_is_found_wherever_the_stream_is_cut() {
        // The payload holds beginnings of the mark, and one that the mark itself goes on from.
        let payload = [b"REDIS", &MARK_WORD[..39], &MARK_WORD[..16], b"0123"].concat();
        let wire = marked(&payload);
        for at in 0..=wire.len() {
            let (left, right) = wire.split_at(at);
            let (got, transfer) = receive([left, right].into_iter()).unwrap();
            assert!(transfer.is_over(), "{at}");
            assert_eq!(got, payload, "{at}");
        }
        for size in 1..wire.len() {
            let (got, transfer) = receive(wire.chunks(size)).unwrap();
            assert!(transfer.is_over() && got == payload, "{size}");
            assert_eq!(transfer.received(), payload.len() as u64);
        }
    }

    #[test]
    fn a_mark_that_never_comes_is_no_end() {
        let wire = marked(b"REDIS");
        for end in 0..wire.len() {
            let (_, transfer) = receive([&wire[..end]].into_iter()).unwrap();
            assert!(!transfer.is_over(), "{end}");
        }
    }

    #[test]
    fn a_length_ends_the_transfer_and_what_follows_is_not_ours() {
        let wire = b"+FULLRESYNC abc 7\r\n\n\n$5\r\nREDIS*1\r\n$4\r\nPING\r\n";
        for size in 1..wire.len() {
            let (got, transfer) = receive(wire.chunks(size)).unwrap();
            assert_eq!(got, b"REDIS", "{size}");
            let origin = transfer.origin();
            assert_eq!(origin.way, Some(FetchWay::Disk));
            assert_eq!((origin.offset, origin.size), (Some(7), Some(Bytes(5))));
        }
    }

    #[test]
    fn the_phase_follows_what_the_server_says() {
        let phase = |wire: &[u8]| receive([wire].into_iter()).unwrap().1.phase();
        assert_eq!(phase(b"\n\n"), FetchPhase::Waiting);
        assert_eq!(phase(b"\n+FULLRESYNC a 1\r\n\n"), FetchPhase::Writing);
        // The old request is answered without a word about the state.
        assert_eq!(phase(b"\n$9\r\n"), FetchPhase::Receiving);
    }

    #[test]
    fn refusals_and_garbage_are_told_apart() {
        let stop = |wire: &[u8]| receive([wire].into_iter()).unwrap_err();
        let refused = stop(b"\n-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
        assert!(matches!(refused, Stop::Refused(refusal) if refusal.code() == "NOMASTERLINK"));
        for wire in [
            &b"+CONTINUE\r\n"[..],
            b"+FULLRESYNC a 1\r\n+FULLRESYNC a 1\r\n",
            b"$EOF:short\r\n",
            b"$-1\r\n",
            b"hello\r\n",
            &[b'x'; LONGEST_LINE + 1],
        ] {
            assert!(matches!(stop(wire), Stop::Garbage(_)));
        }
    }
}
