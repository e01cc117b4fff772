//! Files that were cut, or of which bits were changed: an answer or an error, never a panic, never a
//! loop, never memory that was only claimed.

use std::ops::ControlFlow;

use cachedeck::model::UnixMs;
use cachedeck::snapshot::rdb::{Ending, Reader, Record};
use cachedeck::snapshot::{SnapshotError, verify};

use super::vectors::{bytes, readable};

/// Bytes that are read for each file, over all places that are tried of it: all of a small one.
const WORK: usize = 1 << 17;

fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by((length * length / WORK).max(1))
}

/// Reads every element of every value.
fn visited(bytes: &[u8]) -> Result<Ending, SnapshotError> {
    let read = verify(bytes, UnixMs(0), |_| ControlFlow::Continue(()));
    match (read.fault, read.contents.ending) {
        (Some(fault), _) => Err(fault),
        (None, Some(ending)) => Ok(ending),
        (None, None) => panic!("neither an end nor a fault"),
    }
}

/// Passes over every value.
fn passed(bytes: &[u8]) -> Result<Ending, SnapshotError> {
    let mut reader = Reader::new(bytes)?;
    loop {
        if let Record::End(ending) = reader.next()? {
            return Ok(ending);
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_said_to_be_cut() {
    for name in readable() {
        let bytes = bytes(name);
        for length in places(bytes.len()).skip(1) {
            for read in [visited, passed] {
                let error = read(&bytes[..length]).expect_err(name);
                assert!(
                    matches!(error, SnapshotError::Cut { at, .. } if at == length as u64),
                    "{name} cut at {length}: {error}"
                );
            }
        }
    }
}

#[test]
fn a_bit_that_changed_anywhere_is_an_error_or_an_answer() {
    for name in readable() {
        let good = bytes(name);
        for at in places(good.len()) {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                for read in [visited, passed] {
                    let Ok(ending) = read(&bad) else { continue };
                    // Only a file without a checksum can be wrong without a word.
                    assert!(
                        !matches!(ending, Ending::Verified(_)),
                        "{name}: bit {bit} of byte {at}"
                    );
                }
            }
        }
    }
}
