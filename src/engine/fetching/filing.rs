//! Writing blocks on a thread of its own, so that packing and the disk do not hold up the network.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::snapshot::items::{Block, End, Header, Packing, Writer};
use crate::snapshot::keeping::{IfThere, KeepError, Keeping};

/// Where a file goes.
pub enum Place {
    Kept(Keeping),
    Stdout,
}

/// What stands in the file.
#[derive(Clone, Copy, Debug)]
pub struct Filed {
    pub end: End,
    pub bytes: u64,
}

/// A file being written. Dropped before its end, it is removed; whoever drops it waits for that.
pub struct Filing {
    blocks: Option<Sender<Order>>,
    empty: Receiver<Block>,
    thread: Option<JoinHandle<Result<Option<Filed>, FilingError>>>,
}

enum Order {
    Block(Block),
    End(End),
}

#[derive(Debug, thiserror::Error)]
pub enum FilingError {
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// Writing to stdout.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Counts what goes through.
struct Counted<W> {
    sink: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Place {
    /// # Errors
    /// When the file cannot be begun.
    pub fn of(path: &Path, if_there: IfThere) -> Result<Self, KeepError> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        Keeping::create(path, if_there).map(Self::Kept)
    }
}

impl Filing {
    /// # Errors
    /// When there can be no thread.
    pub fn start(place: Place, header: Header, packing: Packing) -> io::Result<Self> {
        let (blocks, orders) = channel(1);
        let (give_back, empty) = channel(4);
        let thread = std::thread::Builder::new()
            .name("file".into())
            .spawn(move || file(place, &header, packing, orders, &give_back))?;
        Ok(Self {
            blocks: Some(blocks),
            empty,
            thread: Some(thread),
        })
    }

    /// A block to be filled.
    pub fn room(&mut self) -> Block {
        self.empty.try_recv().unwrap_or_default()
    }

    /// Hands a block on. Being dropped while it waits loses the file, not the program.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn put(&mut self, block: Block) -> Result<(), FilingError> {
        self.order(Order::Block(block)).await
    }

    /// Ends the file: from here on it has its name.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn finish(mut self, end: End) -> Result<Filed, FilingError> {
        self.order(Order::End(end)).await?;
        self.blocks = None;
        let lost = || io::Error::other("the file's thread ended early");
        Ok(self.join()?.ok_or_else(lost)?)
    }

    async fn order(&mut self, order: Order) -> Result<(), FilingError> {
        let sent = match &self.blocks {
            Some(blocks) => blocks.send(order).await.is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // The thread has ended before it was told to: it knows why.
        self.blocks = None;
        self.join().map(drop)?;
        Err(io::Error::other("the file's thread ended early").into())
    }

    fn join(&mut self) -> Result<Option<Filed>, FilingError> {
        let Some(thread) = self.thread.take() else {
            return Ok(None);
        };
        let panicked = |_| FilingError::Io(io::Error::other("the file's thread panicked"));
        thread.join().map_err(panicked)?
    }
}

impl Drop for Filing {
    fn drop(&mut self) {
        self.blocks = None;
        self.empty.close();
        if let Err(error) = self.join() {
            // The file was given up already, for another reason.
            tracing::debug!(%error, "a file that was given up could not be written either");
        }
    }
}

/// Writes until the end comes; `None` when it does not.
fn file(
    place: Place,
    header: &Header,
    packing: Packing,
    orders: Receiver<Order>,
    give_back: &Sender<Block>,
) -> Result<Option<Filed>, FilingError> {
    match place {
        Place::Stdout => {
            let sink = Counted {
                sink: io::stdout().lock(),
                bytes: 0,
            };
            let written = write(sink, header, packing, orders, give_back)?;
            Ok(written.map(|(sink, end)| Filed {
                end,
                bytes: sink.bytes,
            }))
        }
        Place::Kept(mut keeping) => match write(&mut keeping, header, packing, orders, give_back) {
            Err(error) => Err(keeping.failed(error).into()),
            Ok(None) => Ok(None),
            Ok(Some((_, end))) => {
                let bytes = keeping.written();
                keeping.finish()?;
                Ok(Some(Filed { end, bytes }))
            }
        },
    }
}

fn write<W: Write>(
    sink: W,
    header: &Header,
    packing: Packing,
    mut orders: Receiver<Order>,
    give_back: &Sender<Block>,
) -> io::Result<Option<(W, End)>> {
    let buffered = BufWriter::with_capacity(64 << 10, sink);
    let mut writer = Writer::new(buffered, header, packing)?;
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Block(block) => {
                writer.block(&block)?;
                // When there are enough of them, this one is not needed any more.
                drop(give_back.try_send(block));
            }
            Order::End(end) => {
                let (buffered, end) = writer.finish(end)?;
                let sink = buffered
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                return Ok(Some((sink, end)));
            }
        }
    }
    Ok(None)
}
