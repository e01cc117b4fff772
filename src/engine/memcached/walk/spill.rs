//! Pages that wait for too long move to a file, so that a slow reader costs disk and not memory.
//!
//! The dump itself must never wait, and a disk may: so the pages are moved by a thread of their own,
//! from the end of the queue, since their order means nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;

use crate::engine::memcached::walk::Shared;
use crate::engine::memcached::walk::page::Page;

/// Pages that wait may take so much memory before the rest is moved.
pub(super) const KEPT_BYTES: usize = 16 << 20;

/// The file that pages moved to. It has no name any more.
#[derive(Debug)]
pub(super) struct Spill {
    file: Arc<File>,
    keeps_cas: bool,
    /// Those that are there and were not taken yet.
    kept: Vec<Kept>,
    end: u64,
    /// A page is on its way to the file.
    is_moving: bool,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    at: u64,
    length: usize,
    items: usize,
}

pub(super) enum Taken {
    Page(Box<Page>),
    Later,
    Nothing,
}

impl Spill {
    /// A page from the file.
    pub fn take(&mut self) -> io::Result<Taken> {
        let Some(kept) = self.kept.pop() else {
            return Ok(if self.is_moving {
                Taken::Later
            } else {
                Taken::Nothing
            });
        };
        let mut bytes = vec![0; kept.length];
        self.file.read_exact_at(&mut bytes, kept.at)?;
        let page = Page::packed(bytes, kept.items, self.keeps_cas);
        Ok(Taken::Page(Box::new(page)))
    }
}

/// Moves pages for as long as there are any to come.
pub(super) fn start(shared: &Arc<Shared>, file: File, keeps_cas: bool) -> io::Result<()> {
    let file = Arc::new(file);
    shared.pending().spill = Some(Spill {
        file: Arc::clone(&file),
        keeps_cas,
        kept: Vec::new(),
        end: 0,
        is_moving: false,
    });
    let shared = Arc::clone(shared);
    // The thread ends by itself, with the dump.
    thread::Builder::new()
        .name("spill".into())
        .spawn(move || run(&shared, &file))
        .map(drop)
}

fn run(shared: &Shared, file: &File) {
    while let Some((page, at)) = next(shared) {
        let moved = file.write_all_at(page.as_packed(), at);
        let mut pending = shared.pending();
        let Some(spill) = pending.spill.as_mut() else {
            return;
        };
        spill.is_moving = false;
        let is_moved = match moved {
            Ok(()) => {
                spill.kept.push(Kept {
                    at,
                    length: page.as_packed().len(),
                    items: page.items(),
                });
                spill.end = at + page.as_packed().len() as u64;
                true
            }
            Err(error) => {
                // The rest waits in memory, as far as there is room.
                tracing::warn!(%error, "pages cannot be moved to a file");
                pending.bytes += page.bytes();
                pending.pages.push_back(page);
                false
            }
        };
        drop(pending);
        shared.more.notify_one();
        if !is_moved {
            return;
        }
    }
}

/// The next page to move, once there are too many; `None` when no more come.
fn next(shared: &Shared) -> Option<(Page, u64)> {
    let mut pending = shared.pending();
    loop {
        if shared.is_dropped.load(Ordering::Acquire) || pending.end.is_some() {
            return None;
        }
        // Pages that carry nothing but how far the dump is are left for who waits for that.
        let is_worth_it = pending.pages.back().is_some_and(|page| page.items() > 0);
        if pending.bytes > KEPT_BYTES && is_worth_it {
            break;
        }
        pending = shared
            .too_many
            .wait(pending)
            .unwrap_or_else(PoisonError::into_inner);
    }
    let page = pending.pages.pop_back()?;
    pending.bytes -= page.bytes();
    let spill = pending.spill.as_mut()?;
    spill.is_moving = true;
    let end = spill.end;
    Some((page, end))
}
