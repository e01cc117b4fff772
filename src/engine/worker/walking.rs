//! A walk for the screen: pages come in on one task, a thread files their names, and now and then the
//! screen gets a picture of all there are.
//!
//! Sorting a hundred thousand names takes longer than the server takes for a flight, so the two go on
//! side by side; a few pages may wait between them, and then the walk waits.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::catalog::{Builder, Catalog, Fact};
use crate::engine::{Backend as _, Fault, Server, Walk};
use crate::model::{Coverage, Lack, Pace, WalkAsk, WalkCost, WalkPage};

/// Pages that are handed to the thread that files them at once: waking it costs more than a page.
const BATCH: usize = 48;
/// Batches that may wait there.
const AHEAD: usize = 4;
/// How long names may be known and not shown.
const PICTURE: Duration = Duration::from_millis(100);
/// Names merged before the inbox is looked at again.
const BITE: usize = 20_000;
/// What all names together may take, unpacked. Four times as much as thirty million names of a usual
/// length; beyond it names are counted and not kept.
const MOST_BYTES: usize = 4 << 30;

/// What a walk has seen by now.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub names: Catalog,
    pub coverage: Coverage,
    pub cost: WalkCost,
    /// What could not be asked about the keys, and why.
    pub lacks: Vec<Lack>,
}

#[derive(Debug)]
pub enum WalkStep {
    /// Everything that was seen by now. It comes several times a second, and for the last time when
    /// all names are sorted.
    Names(Box<Listed>),
    /// The whole keyspace went by.
    Ended,
    Failed(Fault),
}

/// What a person may change while a walk or a survey goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    pub is_paused: bool,
    pub pace: Pace,
}

impl Control {
    pub fn at(pace: Pace) -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self {
            is_paused: false,
            pace,
        })
    }
}

enum Note {
    Pages(Vec<WalkPage>),
    /// These, and nothing new came for a while: show what there is.
    Show(Vec<WalkPage>),
    End(Result<(), Fault>),
}

/// Walks to the end. `alive` goes away with whoever wants the walk.
pub async fn walk(
    server: Arc<Server>,
    ask: WalkAsk,
    mut control: watch::Receiver<Control>,
    alive: Weak<()>,
    say: impl Fn(WalkStep) + Send + 'static,
) {
    let walk = match server.walk(ask).await {
        Ok(walk) => walk,
        Err(fault) => return say(WalkStep::Failed(fault)),
    };
    let (notes, inbox) = mpsc::channel(AHEAD);
    let filing = tokio::task::spawn_blocking(move || file(inbox, &alive, &say));
    if let Some(end) = follow(walk, &mut control, &notes).await {
        // A filer that is gone was not wanted any more.
        let _ = notes.send(Note::End(end)).await;
    }
    drop(notes);
    if let Err(broken) = filing.await
        && broken.is_panic()
    {
        std::panic::resume_unwind(broken.into_panic());
    }
}

/// Hands the pages on; `None` when nobody wants them any more.
async fn follow(
    mut walk: Walk,
    control: &mut watch::Receiver<Control>,
    notes: &mpsc::Sender<Note>,
) -> Option<Result<(), Fault>> {
    let mut pace = control.borrow().pace;
    let mut batch = Vec::new();
    // The first page is shown at once.
    let mut is_first = true;
    let mut handed_on = Instant::now();
    loop {
        let now = *control.wait_for(|control| !control.is_paused).await.ok()?;
        if now.pace != pace {
            pace = now.pace;
            walk.set_pace(pace);
        }
        let step = walk.step();
        tokio::pin!(step);
        let came = loop {
            let patience = Instant::now() + PICTURE;
            tokio::select! {
                biased;
                came = &mut step => break came,
                () = sleep_until(patience), if !batch.is_empty() => {
                    notes.send(Note::Show(std::mem::take(&mut batch))).await.ok()?;
                }
            }
        };
        let end = match came {
            Ok(Some(found)) => {
                batch.push(found);
                None
            }
            Ok(None) => Some(Ok(())),
            Err(fault) => Some(Err(fault)),
        };
        let is_paused = control.borrow().is_paused;
        let is_old = handed_on.elapsed() >= PICTURE;
        let note = if is_paused || std::mem::take(&mut is_first) {
            Note::Show
        } else if batch.len() >= BATCH || is_old || end.is_some() {
            Note::Pages
        } else {
            continue;
        };
        notes.send(note(std::mem::take(&mut batch))).await.ok()?;
        handed_on = Instant::now();
        if end.is_some() {
            return end;
        }
    }
}

/// Files what comes in until it ends.
fn file(mut inbox: mpsc::Receiver<Note>, alive: &Weak<()>, say: &impl Fn(WalkStep)) {
    let mut filer = Filer::default();
    loop {
        let is_merging = filer.builder.work(BITE);
        if is_merging && filer.builder.is_behind() {
            continue;
        }
        let note = if is_merging {
            match inbox.try_recv() {
                Err(mpsc::error::TryRecvError::Empty) => continue,
                note => note.ok(),
            }
        } else {
            inbox.blocking_recv()
        };
        match note {
            None => return,
            Some(Note::Pages(pages)) => {
                filer.take(&pages);
                if filer.is_due() {
                    filer.show(say);
                }
            }
            Some(Note::Show(pages)) => {
                filer.take(&pages);
                filer.show(say);
            }
            Some(Note::End(end)) => return filer.end(end, alive, say),
        }
    }
}

struct Filer {
    builder: Builder,
    listed: Listed,
    shown: Option<Instant>,
    is_news: bool,
}

impl Default for Filer {
    fn default() -> Self {
        Self {
            builder: Builder::within(MOST_BYTES),
            listed: Listed::default(),
            shown: None,
            is_news: false,
        }
    }
}

impl Filer {
    fn take(&mut self, pages: &[WalkPage]) {
        for page in pages {
            self.take_one(page);
        }
    }

    fn take_one(&mut self, page: &WalkPage) {
        if page.is_anew {
            self.builder = Self::default().builder;
        }
        for key in &page.found {
            let fact = key.told.as_ref().map(Fact::of);
            self.builder.add(key.key.bytes(), fact);
        }
        self.listed.coverage = page.coverage;
        self.listed.cost.clone_from(&page.cost);
        if self.listed.lacks != page.lacks {
            self.listed.lacks.clone_from(&page.lacks);
        }
        self.is_news = true;
    }

    fn is_due(&self) -> bool {
        self.shown.is_none_or(|shown| shown.elapsed() >= PICTURE)
    }

    fn show(&mut self, say: &impl Fn(WalkStep)) {
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        self.shown = Some(Instant::now());
        self.listed.coverage.not_kept = self.builder.not_kept();
        self.listed.names = self.builder.catalog();
        say(WalkStep::Names(Box::new(self.listed.clone())));
        // The chunks of a picture that nobody looks at any more need not be kept.
        self.listed.names = Catalog::default();
    }

    fn end(mut self, end: Result<(), Fault>, alive: &Weak<()>, say: &impl Fn(WalkStep)) {
        self.show(say);
        let mut has_more = true;
        while has_more && alive.strong_count() > 0 {
            has_more = self.builder.finish(BITE);
            self.is_news = true;
            if self.is_due() {
                self.show(say);
            }
        }
        self.is_news = true;
        self.show(say);
        say(match end {
            Ok(()) => WalkStep::Ended,
            Err(fault) => WalkStep::Failed(fault),
        });
    }
}
