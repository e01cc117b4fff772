//! Windows of hashes and sets, which can only be read by cursor.
//!
//! `COUNT` is a hint: a small set or hash comes whole, a page may be larger than asked or empty. So
//! elements are numbered in the order in which they pass, and those in the window are kept.

use crate::engine::Fault;
use crate::engine::redis::bookmark::Spot;
use crate::engine::redis::link::about;
use crate::engine::redis::reply::{Reply, count, page, pairs};
use crate::engine::redis::value::{Misread, Reader, scan};
use crate::model::{Bytes, Part, Value};

/// Elements in one page. Others wait while the server collects it.
const MOST: u64 = 500;
const LEAST: u64 = 10;
/// Pages that are read at most for one window, those before it included.
const PAGES: usize = 400;

/// Which commands read such a value.
#[derive(Clone, Copy)]
struct Commands {
    length: &'static str,
    scan: &'static str,
    /// Strings for each element: a member alone, or a field and its value.
    width: usize,
}

const HASH: Commands = Commands {
    length: "HLEN",
    scan: "HSCAN",
    width: 2,
};

const SET: Commands = Commands {
    length: "SCARD",
    scan: "SSCAN",
    width: 1,
};

/// What was kept of the pages that passed.
#[derive(Default)]
struct Kept {
    flat: Vec<Vec<u8>>,
    bytes: u64,
    of: Option<u64>,
    cut: Option<String>,
}

impl Reader<'_> {
    pub(super) async fn hash(&self) -> Result<Value, Misread> {
        let kept = self.scanned(HASH).await?;
        Ok(Value {
            cut: kept.cut,
            ..self.value(Part::Hash(pairs(kept.flat)), kept.of)
        })
    }

    pub(super) async fn set(&self) -> Result<Value, Misread> {
        let kept = self.scanned(SET).await?;
        Ok(Value {
            cut: kept.cut,
            ..self.value(Part::Set(kept.flat), kept.of)
        })
    }

    async fn scanned(&self, commands: Commands) -> Result<Kept, Misread> {
        let (from, until) = (
            self.window.from,
            self.window.from.saturating_add(self.window.count),
        );
        let mut kept = Kept::default();
        let mut spot = self
            .core
            .bookmarks
            .before(self.key, commands.scan, from)
            .unwrap_or(Spot {
                passed: 0,
                cursor: b"0".to_vec(),
            });
        let mut most = MOST;
        for _ in 0..PAGES {
            let wanted = until
                .saturating_sub(spot.passed)
                .clamp(LEAST, MOST)
                .min(most);
            let (next, found) = match self.page(commands, &spot, wanted, &mut kept).await {
                Err(Misread::Fault(Fault::TooLarge { .. })) if wanted > 1 => {
                    most = (wanted / 8).max(1);
                    continue;
                }
                page => page?,
            };
            let elements = (found.len() / commands.width) as u64;
            self.keep(&mut kept, found, commands.width, spot.passed);
            let here = spot.passed + elements;
            // The page that the next window begins in, or the one after this.
            if next == b"0" || here > until || kept.cut.is_some() {
                self.core.bookmarks.put(self.key, commands.scan, spot);
                return Ok(kept);
            }
            spot = Spot {
                passed: here,
                cursor: next,
            };
            if here == until {
                self.core.bookmarks.put(self.key, commands.scan, spot);
                return Ok(kept);
            }
        }
        kept.cut = Some(format!(
            "the first {} elements were passed over on the way; page on from there",
            spot.passed
        ));
        self.core.bookmarks.put(self.key, commands.scan, spot);
        Ok(kept)
    }

    /// One page, and the length while it is not known.
    async fn page(
        &self,
        commands: Commands,
        spot: &Spot,
        wanted: u64,
        kept: &mut Kept,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), Misread> {
        let flight = [
            about(&[commands.length], self.key),
            scan(commands.scan, self.key, &spot.cursor, wanted),
        ];
        let answer = self.core.work.ask(&flight).await?;
        let [of, found] = <[Reply; 2]>::try_from(answer.replies)
            .map_err(|_| self.out_of_protocol(commands.scan))?;
        kept.of = self.good(commands.length, of)?.as_ref().and_then(count);
        self.good(commands.scan, found)?
            .and_then(page)
            .ok_or_else(|| self.out_of_protocol(commands.scan))
    }

    /// Keeps the elements that lie in the window, as long as they can be carried.
    fn keep(&self, kept: &mut Kept, found: Vec<Vec<u8>>, width: usize, passed: u64) {
        let limit = self.core.target.limits.reply_bytes;
        let until = self.window.from.saturating_add(self.window.count);
        for (at, part) in found.into_iter().enumerate() {
            let number = passed + (at / width) as u64;
            if number < self.window.from || number >= until {
                continue;
            }
            if at % width == 0 && kept.bytes > limit {
                kept.cut = Some(format!(
                    "the window was shortened: it is larger than {}",
                    Bytes(limit)
                ));
                return;
            }
            kept.bytes += part.len() as u64;
            kept.flat.push(part);
        }
    }
}
