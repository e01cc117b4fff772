//! One side of a comparison: its keys, spread over partitions.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::{Bytes, UnixMs};
use crate::snapshot::diff::{Facts, Record};

pub(super) const PARTITIONS: usize = 256;
/// What a partition gathers before it goes to the file.
const CHUNK: usize = 32 << 10;
/// Stands for no expiry.
const NEVER: i64 = i64::MIN;

/// Takes the keys of one side in. It may be moved to the thread that they come from.
#[derive(Debug)]
pub struct Side {
    partitions: Vec<Partition>,
    file: Option<File>,
    end: u64,
    keys: u64,
}

#[derive(Debug, Default)]
struct Partition {
    /// What is not in the file.
    bytes: Vec<u8>,
    chunks: Vec<Chunk>,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    at: u64,
    length: usize,
}

/// A key as it was kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub space: u32,
    pub key: &'a [u8],
    pub facts: Facts,
    pub digest: u128,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            file: None,
            end: 0,
            keys: 0,
        }
    }
}

impl Side {
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// # Errors
    /// When the temporary file cannot be made or written.
    pub fn take(&mut self, record: &Record) -> io::Result<()> {
        self.keys += 1;
        let place = partition(hash(record.space, record.key));
        let partition = &mut self.partitions[place];
        write(&mut partition.bytes, record);
        if partition.bytes.len() >= CHUNK {
            let file = match self.file.take() {
                Some(file) => file,
                None => tempfile::tempfile()?,
            };
            let file = self.file.insert(file);
            file.write_all_at(&partition.bytes, self.end)?;
            let length = partition.bytes.len();
            partition.chunks.push(Chunk {
                at: self.end,
                length,
            });
            self.end += length as u64;
            partition.bytes.clear();
            partition.bytes.shrink_to(2 * CHUNK);
        }
        Ok(())
    }

    /// What a partition takes.
    pub(super) fn bytes(&self, place: usize) -> u64 {
        let partition = &self.partitions[place];
        let filed: usize = partition.chunks.iter().map(|chunk| chunk.length).sum();
        (filed + partition.bytes.len()) as u64
    }

    /// Hands a partition over piece by piece; each piece holds whole keys.
    pub(super) fn pieces(
        &self,
        place: usize,
        buffer: &mut Vec<u8>,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let partition = &self.partitions[place];
        if let Some(file) = &self.file {
            for chunk in &partition.chunks {
                buffer.resize(chunk.length, 0);
                file.read_exact_at(buffer, chunk.at)?;
                take(buffer)?;
            }
        }
        take(&partition.bytes)
    }
}

pub(super) fn hash(space: u32, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, space.into())
}

fn partition(hash: u64) -> usize {
    usize::from(hash.to_le_bytes()[0])
}

fn write(out: &mut Vec<u8>, record: &Record) {
    number(out, record.key.len() as u64);
    number(out, record.space.into());
    number(out, record.facts.size.0);
    let ends = record.facts.ends.map_or(NEVER, |ends| ends.0);
    out.extend_from_slice(&record.facts.kind.to_le_bytes());
    out.extend_from_slice(&ends.to_le_bytes());
    out.extend_from_slice(&record.digest.to_le_bytes());
    out.extend_from_slice(record.key);
}

/// Reads a key at the beginning of these bytes; gives what comes behind it, too.
pub(super) fn read(bytes: &[u8]) -> Option<(Kept<'_>, &[u8])> {
    let (length, rest) = read_number(bytes)?;
    let (space, rest) = read_number(rest)?;
    let (size, rest) = read_number(rest)?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (ends, rest) = rest.split_first_chunk::<8>()?;
    let (digest, rest) = rest.split_first_chunk::<16>()?;
    let (key, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let ends = i64::from_le_bytes(*ends);
    let kept = Kept {
        space: u32::try_from(space).ok()?,
        key,
        facts: Facts {
            kind: u32::from_le_bytes(*kind),
            ends: (ends != NEVER).then_some(UnixMs(ends)),
            size: Bytes(size),
        },
        digest: u128::from_le_bytes(*digest),
    };
    Some((kept, rest))
}

/// Seven bits a byte, the lowest first.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}
