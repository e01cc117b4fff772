//! Files that were cut, or of which bits were changed: an answer or an error, never a panic, never a
//! loop, never memory that was only claimed.

use cachedeck::snapshot::SnapshotError;

use super::told::whole;
use super::vectors::{bytes, readable};

/// Of larger files so many places are tried.
const PLACES: usize = 400;

fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by((length / PLACES).max(1))
}

#[test]
fn a_file_that_is_cut_anywhere_is_said_to_be_cut() {
    for name in readable() {
        let bytes = bytes(name);
        for length in places(bytes.len()).skip(1) {
            let error = whole(&bytes[..length]).expect_err(name);
            assert!(
                matches!(error, SnapshotError::Cut { at, .. } if at == length as u64),
                "{name} cut at {length}: {error}"
            );
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
                if let Ok(told) = whole(&bad) {
                    // Only versions without a checksum, or with none written, can go unnoticed.
                    assert!(
                        &good[5..9] < b"0005"
                            || bad[5..9] < good[5..9]
                            || name.starts_with("script"),
                        "{name}: bit {bit} of byte {at}: {:?}",
                        told.ending
                    );
                }
            }
        }
    }
}
