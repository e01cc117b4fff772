//! Digests made of digests.

use crate::snapshot::diff::digest;

/// What an element is goes in with it, so that one is never taken for another.
#[derive(Clone, Copy)]
pub(super) enum Tag {
    Item = 1,
    Pair,
    Ends,
    Entry,
    Last,
    Group,
    Pending,
    Consumer,
    Owned,
    Producer,
    Module,
}

pub(super) fn mix(tag: Tag, first: u128, second: u128) -> u128 {
    let mut bytes = [0; 33];
    bytes[0] = tag as u8;
    bytes[1..17].copy_from_slice(&first.to_le_bytes());
    bytes[17..].copy_from_slice(&second.to_le_bytes());
    digest(&bytes)
}
