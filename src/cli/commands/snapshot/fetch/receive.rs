//! Receiving a copy: the engine fetches, a thread of its own checks, packs and writes.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::cli::progress::Progress;
use crate::cli::{Call, Failure, Kind, Visit};
use crate::engine::Backend;
use crate::engine::conduit::{Outlet, conduit};
use crate::engine::fetching::copying::{Trouble, Written, keep, pass};
use crate::model::{Bytes, FetchAsk, FetchOrigin, FetchPhase, FetchProgress, units};
use crate::snapshot::keeping::Keeping;
use crate::snapshot::packing::{Packer, Packing};
use crate::snapshot::seal::Whole;

/// How often the server is asked how far its snapshot is, while somebody watches.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the copy goes.
pub enum Goal {
    File(Keeping),
    Stdout,
}

/// Where it went.
pub enum Reached {
    File,
    Stdout,
}

/// A copy that is whole and where it should be.
pub struct Kept {
    pub goal: Reached,
    pub whole: Whole,
    pub origin: FetchOrigin,
    /// As the server sent it.
    pub received: Bytes,
    /// As it was written: fewer where it was packed.
    pub written: Bytes,
    pub took: Duration,
}

/// # Errors
/// When the server refuses or breaks off, the copy is not whole, or it cannot be written. No file is
/// left then.
pub fn receive(
    call: &mut Call,
    visit: &Visit,
    ask: FetchAsk,
    goal: Goal,
    packing: Packing,
) -> Result<Kept, Failure> {
    let began = Instant::now();
    let reached = match &goal {
        Goal::File(_) => Reached::File,
        Goal::Stdout => Reached::Stdout,
    };
    let (written, copy) = with(call, visit, ask, move |outlet| write(outlet, goal, packing))?;
    let (whole, written) = written.map_err(|trouble| failure(trouble, visit))?;
    Ok(Kept {
        goal: reached,
        whole,
        origin: copy.origin,
        received: copy.received,
        written,
        took: began.elapsed(),
    })
}

/// A copy that came to its end.
pub struct Copy {
    pub origin: FetchOrigin,
    pub received: Bytes,
}

/// Fetches a copy and has a thread of its own work on it while it comes.
///
/// # Errors
/// When the server refuses or breaks off. The thread has ended by then.
pub fn with<T: Send + 'static>(
    call: &mut Call,
    visit: &Visit,
    ask: FetchAsk,
    work: impl FnOnce(Outlet) -> T + Send + 'static,
) -> Result<(T, Copy), Failure> {
    let (inlet, outlet) = conduit();
    let worker = std::thread::spawn(move || work(outlet));
    let line = RefCell::new(Line::new());
    let fetched = call.ask(visit, async {
        let mut fetch = visit.server.fetch(ask).await?;
        let pouring = fetch.pour(inlet, |progress| line.borrow_mut().tell(progress));
        // Where the writer left early it says why itself.
        tokio::select! {
            poured = pouring => poured.map(drop)?,
            never = look(visit, &line) => match never {},
        }
        Ok(Copy {
            received: fetch.progress().received,
            origin: fetch.origin().clone(),
        })
    });
    line.borrow_mut().progress.clear();
    // Whatever happened to us, the thread ends, and takes an unfinished file away.
    let done = worker
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Ok((done, fetched?))
}

fn write(outlet: Outlet, goal: Goal, packing: Packing) -> Written {
    match goal {
        Goal::File(keeping) => keep(outlet, keeping, packing),
        Goal::Stdout => {
            let stdout = io::stdout().lock();
            let packer = Packer::new(packing, Counted::new(stdout)).map_err(Trouble::Io)?;
            let (whole, packer) = pass(outlet, packer).map_err(Trouble::from)?;
            let mut out = packer.finish().map_err(Trouble::Io)?;
            out.flush().map_err(Trouble::Io)?;
            Ok((whole?, Bytes(out.written)))
        }
    }
}

fn failure(trouble: Trouble, visit: &Visit) -> Failure {
    let (what, name) = (super::COMMAND, &visit.target.name);
    match trouble {
        Trouble::Keep(error) => Failure::of_keeping(what, name, &error),
        Trouble::Broken(_) => {
            Failure::new(Kind::Connection, format!("{what} on {name}: {trouble}"))
                .hint("it was not kept; fetch it again")
        }
        Trouble::Io(error) => error.into(),
    }
}

/// Counts what is written.
struct Counted<W> {
    inner: W,
    written: u64,
}

impl<W: Write> Counted<W> {
    fn new(inner: W) -> Self {
        Self { inner, written: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What a person sees of it meanwhile.
struct Line {
    progress: Progress,
    began: Instant,
    receiving: Option<Instant>,
    /// How far the server's snapshot is, by its own account.
    share: Option<f64>,
}

impl Line {
    fn new() -> Self {
        Self {
            progress: Progress::beside_a_report(),
            began: Instant::now(),
            receiving: None,
            share: None,
        }
    }

    fn tell(&mut self, progress: FetchProgress) {
        if progress.phase == FetchPhase::Receiving && self.receiving.is_none() {
            self.receiving = Some(Instant::now());
        }
        if self.progress.is_due() {
            let speed = self.receiving.map(|since| since.elapsed());
            let words = words(progress, self.began.elapsed(), speed, self.share);
            self.progress.tell(&words);
        }
    }
}

/// `receiving 12.0 MiB of 41.2 MiB, 29 %, 11.1 MiB/s, 3s left`
fn words(
    progress: FetchProgress,
    elapsed: Duration,
    receiving: Option<Duration>,
    share: Option<f64>,
) -> String {
    let told = share.map(|share| format!(", {}", units::percent(share)));
    match progress.phase {
        FetchPhase::Waiting => format!(
            "waiting for the server to begin, for {}",
            units::span(elapsed)
        ),
        FetchPhase::Writing => format!(
            "the server writes it to its disk{}, for {}",
            told.unwrap_or_default(),
            units::span(elapsed)
        ),
        FetchPhase::Receiving => {
            let size = progress.size;
            let by_bytes = size.map(|size| progress.received.0 as f64 / size.0.max(1) as f64);
            // By keys where the length is not known beforehand.
            let done = by_bytes.or(share);
            let seconds = receiving.unwrap_or_default().as_secs_f64();
            let speed = (seconds > 0.0).then(|| progress.received.0 as f64 / seconds);
            let left = done
                .filter(|done| *done >= 0.02 && seconds >= 1.0)
                .map(|done| Duration::from_secs_f64(seconds * (1.0 - done).max(0.0) / done));
            let parts = [
                Some(format!("receiving {}", progress.received)),
                size.map(|size| format!(" of {size}")),
                done.map(|done| format!(", {}", units::percent(done))),
                speed.map(|speed| format!(", {}", units::bytes_rate(speed))),
                left.map(|left| format!(", {} left", units::span(left))),
            ];
            parts.into_iter().flatten().collect()
        }
    }
}

/// Asks the server how far its snapshot is, where somebody watches. Never ends.
async fn look(visit: &Visit, line: &RefCell<Line>) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !io::stderr().is_terminal() {
            continue;
        }
        // It is only for the eye: a server that does not answer is found out by the copy itself.
        if let Ok(sample) = visit.server.sample().await {
            line.borrow_mut().share = sample.persistence.and_then(|all| all.progress);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(phase: FetchPhase, received: u64, size: Option<u64>, share: Option<f64>) -> String {
        let progress = FetchProgress {
            phase,
            received: Bytes(received),
            size: size.map(Bytes),
        };
        let (elapsed, receiving) = (Duration::from_secs(7), Duration::from_secs(2));
        words(progress, elapsed, Some(receiving), share)
    }

    #[test]
    fn the_line_says_what_the_copy_waits_for_or_how_far_it_is() {
        use FetchPhase::{Receiving, Waiting, Writing};
        assert_eq!(
            said(Waiting, 0, None, None),
            "waiting for the server to begin, for 7s"
        );
        assert_eq!(
            said(Writing, 0, None, Some(0.5)),
            "the server writes it to its disk, 50.0 %, for 7s"
        );
        assert_eq!(
            said(Receiving, 1 << 20, Some(4 << 20), None),
            "receiving 1.00 MiB of 4.00 MiB, 25.0 %, 512 KiB/s, 6s left"
        );
        assert_eq!(
            said(Receiving, 1 << 20, None, Some(0.5)),
            "receiving 1.00 MiB, 50.0 %, 512 KiB/s, 2s left"
        );
        assert_eq!(
            said(Receiving, 1 << 20, None, None),
            "receiving 1.00 MiB, 512 KiB/s"
        );
    }
}
