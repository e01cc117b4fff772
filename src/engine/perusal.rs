//! What the keys of a file consist of: all of it goes into an [`Analysis`].
//!
//! One thread reads, checks and passes over values, another one cuts names and counts. Keys go from one
//! to the other in batches that are used again, so nothing is allocated for a key; and whenever the
//! first one would have to wait for the other, it cuts the names itself.

use std::borrow::Cow;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::analysis::cutter::{Cutter, Segments};
use crate::analysis::{Analysis, AnalysisAsk};
use crate::engine::memcached::item_overhead;
use crate::model::{Bytes, Encoding, KeyKind, Told, Ttl, UnixMs};
use crate::snapshot::items::{self, Item, ItemsError, ServerSecond};
use crate::snapshot::rdb::{KeyHead, Reader, Record, Shape};
use crate::snapshot::{Contents, SnapshotError};

/// Keys that go over together,
const BATCH: usize = 2_048;
/// and batches that there are: one is filled, one is analysed, the others wait.
const BATCHES: usize = 4;

/// What a snapshot consists of, as far as it could be read.
#[derive(Debug)]
pub struct Perusal {
    pub contents: Contents,
    pub analysis: Analysis,
    /// The moment that times to live count from: when the snapshot was made, by its own word.
    pub at: UnixMs,
    /// Why it was not read to its end.
    pub fault: Option<SnapshotError>,
}

/// Analyses a whole snapshot. Times to live and expired keys are those of the moment at which it was
/// made; `now` stands in where the file does not say it. From time to time `goes_on` is told how far
/// it is, and says whether to go on.
///
/// # Panics
/// When the analysis panics.
pub fn peruse<R: Read>(
    from: R,
    ask: AnalysisAsk,
    now: UnixMs,
    goes_on: impl FnMut(&Contents) -> ControlFlow<()>,
) -> Perusal {
    let mut contents = Contents::default();
    let (filled, to_analyse) = sync_channel::<Batch>(BATCHES);
    let (emptied, to_fill) = sync_channel::<Batch>(BATCHES);
    for _ in 0..BATCHES {
        emptied
            .send(Batch::default())
            .expect("there is room for all");
    }
    let cutter = Cutter::new(&ask);
    let (analysis, fault) = thread::scope(|scope| {
        let analysing = scope.spawn(move || analyse(ask, &to_analyse, &emptied));
        let mut keys = Keys {
            cutter,
            batch: Batch::default(),
            filled,
            to_fill,
        };
        let fault = read(from, now, &mut contents, &mut keys, goes_on).err();
        drop(keys);
        let analysis = analysing.join();
        (analysis.expect("an analysis does not panic"), fault)
    });
    Perusal {
        at: contents.created_at().unwrap_or(now),
        contents,
        analysis,
        fault,
    }
}

/// What a file of Memcached's items consists of, as far as it could be read.
#[derive(Debug)]
pub struct ItemPerusal {
    pub analysis: Analysis,
    /// The moment that times to live count from: when the items were taken.
    pub at: UnixMs,
    pub may_miss: bool,
    /// Listed and not to be had when the file was made; `None` before its end was read.
    pub left_out: Option<u64>,
    /// Why it was not read to its end.
    pub fault: Option<ItemsError>,
}

/// Analyses a file of items. From time to time `goes_on` is told how many it were, and says whether to
/// go on.
///
/// # Errors
/// When it is no such file.
pub fn peruse_items<R: Read>(
    from: R,
    ask: AnalysisAsk,
    now: UnixMs,
    mut goes_on: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<ItemPerusal, ItemsError> {
    let mut reader = items::Reader::new(from)?;
    let header = reader.header().clone();
    let ahead = header.clock_ahead_ms.unwrap_or(0);
    let at = header.began.unwrap_or(now);
    let mut analysis = Analysis::new(ask);
    let fault = loop {
        match reader.block() {
            Ok(Some(block)) => {
                // A block that was read holds only items that can be read.
                for item in block.iter().flatten() {
                    analysis.take_named(item.key, Some(&told_of_item(&item, ahead, at)), at);
                }
                if goes_on(analysis.keys()).is_break() {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    Ok(ItemPerusal {
        analysis,
        at,
        may_miss: header.may_miss,
        left_out: reader.end().map(|end| end.left_out),
        fault,
    })
}

/// What an analysis takes in of an item. The size is what it takes on a server beside its slab's rest.
fn told_of_item(item: &Item, ahead: i64, at: UnixMs) -> Told {
    let ours = |second: ServerSecond| UnixMs(second.moment().0 + ahead);
    let name = item.key.len() as u64;
    let size = item_overhead(name, item.facts.flags) + item.value.len() as u64;
    Told {
        kind: Some(KeyKind::Item),
        ttl: item
            .facts
            .expires
            .map_or(Ttl::None, |second| Ttl::Until(ours(second))),
        size: Some(Bytes(size)),
        idle: item
            .facts
            .accessed
            .map(|second| at.since(ours(second)).unwrap_or_default()),
        length: Some(item.value.len() as u64),
        ..Told::default()
    }
}

fn analyse(ask: AnalysisAsk, full: &Receiver<Batch>, emptied: &SyncSender<Batch>) -> Analysis {
    let cutter = Cutter::new(&ask);
    let mut analysis = Analysis::new(ask);
    for mut batch in full {
        batch.cut(&cutter);
        let (mut name, mut segment) = (0, 0);
        for key in &batch.keys {
            analysis.take_cut(
                &batch.names[name..key.name_end],
                batch.segments.between(segment, key.segments_end),
                &key.told,
                batch.at,
            );
            (name, segment) = (key.name_end, key.segments_end);
        }
        batch.keys.clear();
        batch.names.clear();
        batch.segments.clear();
        // Nobody takes it back when everything was read.
        let _ = emptied.send(batch);
    }
    analysis
}

#[derive(Debug, Default)]
struct Batch {
    at: UnixMs,
    /// Names, one after the other.
    names: Vec<u8>,
    segments: Segments,
    keys: Vec<BatchKey>,
}

impl Batch {
    /// Cuts the names, if that was not done.
    fn cut(&mut self, cutter: &Cutter) {
        if !self.segments.is_empty() {
            return;
        }
        let mut name = 0;
        for key in &mut self.keys {
            cutter.cut(&self.names[name..key.name_end], &mut self.segments);
            name = key.name_end;
            key.segments_end = self.segments.len();
        }
    }
}

/// What is known of a key, and where its name and its segments end.
#[derive(Debug)]
struct BatchKey {
    told: Told,
    name_end: usize,
    segments_end: usize,
}

/// The reading end.
struct Keys {
    cutter: Cutter,
    batch: Batch,
    filled: SyncSender<Batch>,
    to_fill: Receiver<Batch>,
}

impl Keys {
    fn take(&mut self, name: &[u8], told: Told) {
        self.batch.names.extend_from_slice(name);
        self.batch.keys.push(BatchKey {
            told,
            name_end: self.batch.names.len(),
            segments_end: 0,
        });
    }

    fn is_full(&self) -> bool {
        self.batch.keys.len() >= BATCH
    }

    fn hand_over(&mut self, at: UnixMs) {
        self.batch.at = at;
        let next = self.to_fill.try_recv().or_else(|_| {
            self.batch.cut(&self.cutter);
            self.to_fill.recv()
        });
        let next = next.unwrap_or_default();
        let full = std::mem::replace(&mut self.batch, next);
        // Only an analysis that panicked does not listen, and that is told when it is joined.
        let _ = self.filled.send(full);
    }
}

fn read<R: Read>(
    from: R,
    now: UnixMs,
    contents: &mut Contents,
    keys: &mut Keys,
    mut goes_on: impl FnMut(&Contents) -> ControlFlow<()>,
) -> Result<(), SnapshotError> {
    let mut reader = Reader::new(from)?;
    contents.header = Some(reader.header());
    let mut at = now;
    let end = loop {
        match read_one(&mut reader, at, contents, keys) {
            Ok(false) => {}
            Ok(true) => break Ok(()),
            Err(fault) => break Err(fault),
        }
        if keys.is_full() {
            keys.hand_over(at);
            contents.read = Bytes(reader.offset());
            if goes_on(contents).is_break() {
                break Ok(());
            }
        } else if keys.batch.keys.is_empty() {
            // Facts come before keys.
            at = contents.created_at().unwrap_or(now);
        }
    };
    keys.hand_over(at);
    contents.read = Bytes(reader.offset());
    if end.is_ok() && contents.ending.is_some() {
        contents.goes_on = reader.goes_on()?;
    }
    end
}

/// Whether it was the end.
#[inline]
fn read_one<R: Read>(
    reader: &mut Reader<R>,
    at: UnixMs,
    contents: &mut Contents,
    keys: &mut Keys,
) -> Result<bool, SnapshotError> {
    match reader.next()? {
        Record::Key(_) => {}
        record => {
            contents.take(&record);
            return Ok(matches!(record, Record::End(_)));
        }
    }
    let shape = reader.skip()?;
    let head = reader.head();
    contents.take_key(head, at);
    keys.take(&head.name, told(head, &shape));
    Ok(false)
}

/// What an analysis takes in of a key. The size is an estimate, see [`Shape::memory`].
pub fn told(head: &KeyHead, shape: &Shape) -> Told {
    Told {
        kind: Some(head.kind.clone()),
        ttl: head.ends.map_or(Ttl::None, Ttl::Until),
        size: Some(shape.memory),
        idle: head.idle,
        frequency: head.frequency,
        encoding: Some(Encoding(Cow::Borrowed(head.encoding))),
        length: match head.kind {
            KeyKind::String | KeyKind::Other(_) => None,
            _ => Some(shape.length),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::{Circumstances, Via};
    use crate::model::{Coverage, WalkCost};

    use super::*;

    #[test]
    fn items_are_analysed_at_the_moment_they_were_taken() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/items/five.items"
        );
        let bytes = std::fs::read(file).expect("a vector");
        let read = |bytes: &[u8]| {
            let ask = AnalysisAsk::default();
            peruse_items(bytes, ask, UnixMs(0), |_| ControlFlow::Continue(()))
        };
        let perusal = read(&bytes).expect("items");
        assert!(perusal.fault.is_none() && perusal.left_out == Some(0));
        let circumstances = Circumstances {
            via: Via::Scan,
            coverage: Coverage::default(),
            cost: WalkCost::default(),
            lacks: Vec::new(),
            account: None,
        };
        let report = perusal.analysis.report(perusal.at, circumstances);
        assert_eq!(report.keys.value, 5);
        assert_eq!((report.ttl.with.value, report.ttl.without.value), (1, 4));
        assert_eq!(report.biggest[0].key.bytes(), [b'k'; 240]);
        // 3,000 bytes, a name of 240, and the head of 59.
        assert_eq!(report.biggest[0].size, Some(Bytes(3_299)));
        let pages = report.prefixes.iter().find(|row| row.prefix == "page:");
        assert_eq!(pages.expect("page:").keys.value, 2);
        // What is cut tells what was read of it.
        let cut = read(&bytes[..bytes.len() - 9]).expect("a beginning");
        assert!(cut.fault.is_some() && cut.left_out.is_none());
        assert!(read(b"REDIS0011").is_err());
    }

    #[test]
    fn a_snapshot_is_analysed_at_its_own_moment() {
        // Two keys, of which one ends a minute after the file was made.
        let mut bytes = b"REDIS0004\xfa\x05ctime\x0a1700000000\xfc".to_vec();
        bytes.extend(1_700_000_060_000_i64.to_le_bytes());
        bytes.extend(b"\0\x06user:1\x01x\x01\x06user:2\x03\x01a\x01b\x01c\xff");
        let survey = peruse(
            bytes.as_slice(),
            AnalysisAsk::default(),
            UnixMs(1_800_000_000_000),
            |_| ControlFlow::Continue(()),
        );
        assert!(survey.fault.is_none());
        assert_eq!(survey.at, UnixMs(1_700_000_000_000));
        assert_eq!((survey.contents.keys(), survey.contents.expired()), (2, 0));
        let circumstances = Circumstances {
            account: None,
            via: Via::Scan,
            coverage: Coverage::default(),
            cost: WalkCost::default(),
            lacks: Vec::new(),
        };
        let report = survey.analysis.report(survey.at, circumstances);
        assert_eq!((report.keys.value, report.ttl.within_1min.value), (2, 1));
        assert_eq!(report.longest[0].elements, Some(3));
        assert_eq!(report.prefixes[0].prefix, "user:");
    }
}
