//! Holding one side against the other, partition by partition.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::snapshot::diff::side::{Kept, PARTITIONS, hash, read};
use crate::snapshot::diff::{DiffAsk, Difference, Facts, Side, Tally, UNREAD, What};

/// More threads than this do not pay: they wait for memory.
const THREADS: usize = 4;
/// Differences that travel together.
const BATCH: usize = 512;

/// Compares both sides and hands every difference to `each`, in no order. When `each` breaks off, the
/// rest is not compared and the tally is of no use.
///
/// # Errors
/// When a temporary file cannot be read back.
pub fn join(
    before: &Side,
    after: &Side,
    ask: DiffAsk,
    mut each: impl FnMut(Difference) -> ControlFlow<()>,
) -> io::Result<Tally> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.clamp(1, THREADS);
    // Half of it is for the partitions being joined, the rest is for what waits and for the table.
    let slice = (ask.memory.0 / 4 / threads as u64).max(1 << 20);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (found, findings) = sync_channel(2 * threads);
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (next, found) = (&next, found.clone());
                scope.spawn(move || {
                    let mut joiner = Joiner {
                        before,
                        after,
                        tolerance: ask.tolerance,
                        slice,
                        found: Found {
                            batch: Vec::new(),
                            send: found,
                            is_wanted: true,
                        },
                        tally: Tally::default(),
                        buffer: Vec::new(),
                    };
                    joiner.run(next).map(|()| joiner.tally)
                })
            })
            .collect();
        drop(found);
        // Broken off, the receiver goes, and the workers see that nobody wants more.
        for difference in findings.into_iter().flatten() {
            if each(difference).is_break() {
                break;
            }
        }
        let mut tally = Tally::default();
        for worker in workers {
            let lost = |_| io::Error::other("a comparing thread panicked");
            tally.merge(&worker.join().map_err(lost)??);
        }
        Ok(tally)
    })
}

struct Joiner<'a> {
    before: &'a Side,
    after: &'a Side,
    tolerance: Duration,
    /// How much of a partition is looked at in one go.
    slice: u64,
    found: Found,
    tally: Tally,
    buffer: Vec<u8>,
}

/// Differences on their way.
struct Found {
    batch: Vec<Difference>,
    send: SyncSender<Vec<Difference>>,
    is_wanted: bool,
}

impl Found {
    fn add(&mut self, difference: Difference) {
        self.batch.push(difference);
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.is_wanted &= self.send.send(std::mem::take(&mut self.batch)).is_ok();
        }
    }
}

/// Keys of the left side by their hashes, open addressing.
#[derive(Default)]
struct Table {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Places of rows, plus one.
    slots: Vec<u32>,
}

struct Row {
    at: usize,
    hash: u64,
    is_met: bool,
}

impl Table {
    fn row(&self, place: usize) -> Option<Kept<'_>> {
        let row = self.rows.get(place)?;
        read(&self.bytes[row.at..]).map(|(kept, _)| kept)
    }

    /// Fills the slots. Keys that came twice are found by the first one; gives how many those are.
    fn index(&mut self) -> u64 {
        let slots = (self.rows.len() * 2).next_power_of_two().max(2);
        self.slots.clear();
        self.slots.resize(slots, 0);
        let mut repeated = 0;
        for place in 0..self.rows.len() {
            let hash = self.rows[place].hash;
            let Some(kept) = self.row(place) else {
                continue;
            };
            match self.find(hash, kept.space, kept.key) {
                Ok(_) => {
                    // It is neither removed nor changed.
                    self.rows[place].is_met = true;
                    repeated += 1;
                }
                Err(slot) => self.slots[slot] = u32::try_from(place + 1).unwrap_or(0),
            }
        }
        repeated
    }

    /// The row of a key, or the empty slot where it would be.
    fn find(&self, hash: u64, space: u32, key: &[u8]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        // The lowest byte is the same in all of a partition.
        let mut slot = (hash >> 16) as usize & mask;
        loop {
            let Some(place) = (self.slots[slot] as usize).checked_sub(1) else {
                return Err(slot);
            };
            if self.rows[place].hash == hash
                && self
                    .row(place)
                    .is_some_and(|row| row.space == space && row.key == key)
            {
                return Ok(place);
            }
            slot = (slot + 1) & mask;
        }
    }
}

impl Joiner<'_> {
    fn run(&mut self, next: &AtomicUsize) -> io::Result<()> {
        let mut table = Table::default();
        let mut extra = Table::default();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= PARTITIONS || !self.found.is_wanted {
                self.found.flush();
                return Ok(());
            }
            let larger = self.before.bytes(place).max(self.after.bytes(place));
            let slices = larger.div_ceil(self.slice).max(1).next_power_of_two();
            for slice in 0..slices {
                self.join(place, slice, slices - 1, &mut table, &mut extra)?;
            }
        }
    }

    /// Joins the keys of a partition that are in this slice of it.
    fn join(
        &mut self,
        place: usize,
        slice: u64,
        mask: u64,
        left: &mut Table,
        right: &mut Table,
    ) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        load(self.before, place, (slice, mask), left, &mut buffer)?;
        load(self.after, place, (slice, mask), right, &mut buffer)?;
        self.buffer = buffer;
        self.tally.repeated += left.index() + right.index();
        for row in 0..right.rows.len() {
            if right.rows[row].is_met {
                continue;
            }
            let hash = right.rows[row].hash;
            let Some(after) = right.row(row) else {
                continue;
            };
            match left.find(hash, after.space, after.key) {
                Err(_) => {
                    self.tally.added.add(after.facts.size);
                    self.found
                        .add(difference(What::Added, &after, None, Some(after.facts)));
                }
                Ok(place) => {
                    if let Some(before) = left.row(place) {
                        self.compare(&before, &after);
                    }
                    left.rows[place].is_met = true;
                }
            }
        }
        for row in 0..left.rows.len() {
            if left.rows[row].is_met {
                continue;
            }
            if let Some(before) = left.row(row) {
                self.tally.removed.add(before.facts.size);
                self.found
                    .add(difference(What::Removed, &before, Some(before.facts), None));
            }
        }
        Ok(())
    }

    fn compare(&mut self, before: &Kept, after: &Kept) {
        let in_kind = before.facts.kind != after.facts.kind;
        let is_read = before.digest != UNREAD && after.digest != UNREAD;
        let in_value = is_read && before.digest != after.digest;
        let in_ttl = self.ends_differ(&before.facts, &after.facts);
        let (count, what) = match (in_kind || in_value, in_ttl) {
            (false, false) => {
                self.tally.same.add(after.facts.size);
                return;
            }
            (false, true) => (&mut self.tally.ttl_changed, What::TtlChanged),
            (true, _) => (
                &mut self.tally.changed,
                What::Changed {
                    in_kind,
                    in_value,
                    in_ttl,
                },
            ),
        };
        count.add(after.facts.size);
        let both = (Some(before.facts), Some(after.facts));
        self.found.add(difference(what, after, both.0, both.1));
    }

    fn ends_differ(&self, before: &Facts, after: &Facts) -> bool {
        match (before.ends, after.ends) {
            (None, None) => false,
            (Some(before), Some(after)) => {
                u128::from(before.0.abs_diff(after.0)) > self.tolerance.as_millis()
            }
            _ => true,
        }
    }
}

fn difference(what: What, kept: &Kept, before: Option<Facts>, after: Option<Facts>) -> Difference {
    Difference {
        what,
        space: kept.space,
        key: kept.key.to_vec(),
        before,
        after,
    }
}

/// Loads the keys of a partition that are in this slice of it.
fn load(
    side: &Side,
    place: usize,
    (slice, mask): (u64, u64),
    table: &mut Table,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    table.bytes.clear();
    table.rows.clear();
    side.pieces(place, buffer, |piece| {
        let mut rest = piece;
        while let Some((kept, after)) = read(rest) {
            let hash = hash(kept.space, kept.key);
            if (hash >> 8) & mask == slice {
                table.rows.push(Row {
                    at: table.bytes.len(),
                    hash,
                    is_met: false,
                });
                let record = &rest[..rest.len() - after.len()];
                table.bytes.extend_from_slice(record);
            }
            rest = after;
        }
        Ok(())
    })
}
