//! A bridge for bytes from the engine to a thread that works on them: bounded, and used anew.
//!
//! The engine's tasks never wait for a disk or a parser, and a slow reader holds the sender back
//! instead of filling the memory. The reader knows the end from a breaking off.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc;

/// Chunks under way. With chunks of [`CHUNK`] this bounds what lies between the two ends.
const DEPTH: usize = 8;
/// A good size for a chunk.
pub const CHUNK: usize = 256 << 10;

/// Where the engine puts chunks.
#[derive(Debug)]
pub struct Inlet {
    full: mpsc::Sender<Option<Vec<u8>>>,
    empty: mpsc::Receiver<Vec<u8>>,
}

/// Where a thread reads them. Must not be read on a thread that drives async tasks.
#[derive(Debug)]
pub struct Outlet {
    full: mpsc::Receiver<Option<Vec<u8>>>,
    empty: mpsc::Sender<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
    is_over: bool,
}

/// The reader has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

pub fn conduit() -> (Inlet, Outlet) {
    let (full_in, full_out) = mpsc::channel(DEPTH);
    let (empty_in, empty_out) = mpsc::channel(DEPTH);
    let inlet = Inlet {
        full: full_in,
        empty: empty_out,
    };
    let outlet = Outlet {
        full: full_out,
        empty: empty_in,
        chunk: Vec::new(),
        read: 0,
        is_over: false,
    };
    (inlet, outlet)
}

impl Inlet {
    /// An empty chunk to fill.
    pub fn chunk(&mut self) -> Vec<u8> {
        let used = self.empty.try_recv().ok();
        used.unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }

    /// # Errors
    /// When nobody reads any more.
    pub async fn send(&mut self, chunk: Vec<u8>) -> Result<(), Abandoned> {
        self.full.send(Some(chunk)).await.map_err(|_| Abandoned)
    }

    /// Says that all was sent. Dropped without this, the reader learns that it was broken off.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn end(self) -> Result<(), Abandoned> {
        self.full.send(None).await.map_err(|_| Abandoned)
    }
}

impl BufRead for Outlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.chunk.len() && !self.is_over {
            match self.full.blocking_recv() {
                Some(Some(chunk)) => {
                    let mut used = std::mem::replace(&mut self.chunk, chunk);
                    self.read = 0;
                    used.clear();
                    // Where enough empty ones wait, this one is let go.
                    if used.capacity() > 0 {
                        drop(self.empty.try_send(used));
                    }
                }
                Some(None) => self.is_over = true,
                None => {
                    let why = "it was broken off";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
                }
            }
        }
        Ok(&self.chunk[self.read..])
    }

    fn consume(&mut self, amount: usize) {
        self.read = (self.read + amount).min(self.chunk.len());
    }
}

impl Read for Outlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(chunks: &[&[u8]], is_ended: bool) -> io::Result<Vec<u8>> {
        let (mut inlet, mut outlet) = conduit();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            outlet.read_to_end(&mut all).map(|_| all)
        });
        for bytes in chunks {
            let mut chunk = inlet.chunk();
            chunk.extend_from_slice(bytes);
            inlet.send(chunk).await.unwrap();
        }
        if is_ended {
            inlet.end().await.unwrap();
        } else {
            drop(inlet);
        }
        reader.join().unwrap()
    }

    #[tokio::test]
    async fn everything_arrives_in_order() {
        let chunks: Vec<&[u8]> = [&b"ab"[..], b"", b"c"].repeat(DEPTH * 3);
        let all = pass(&chunks, true).await.unwrap();
        assert_eq!(all, chunks.concat());
    }

    #[tokio::test]
    async fn a_breaking_off_is_no_end() {
        let error = pass(&[b"ab"], false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_reader_that_left_is_noticed() {
        let (mut inlet, outlet) = conduit();
        drop(outlet);
        assert_eq!(inlet.send(vec![1]).await, Err(Abandoned));
    }
}
