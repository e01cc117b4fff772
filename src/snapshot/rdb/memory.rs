//! What a key takes in a server, guessed from how it stands in a file.
//!
//! Follows what `MEMORY USAGE` adds up in Redis 7 and in Valkey 9, on 64 bits with jemalloc: the sizes
//! of the server's own structures, strings with their headers, each rounded up to the allocator's
//! classes. What a file does not tell (spare room of strings and tables, levels of skip lists) is
//! taken at its mean.

use crate::snapshot::rdb::Flavour;

/// Sizes of structures, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The object that holds a value.
    object: u64,
    /// A key's own place: its entry in the table of keys.
    entry: u64,
    /// Whether the object holds the key's name as well.
    holds_key: bool,
    /// The longest string that stands in its object.
    embedded: u64,
    table: u64,
    /// One element of a table beside its strings.
    element: u64,
    /// Places of a table for each element, in bytes.
    place: f64,
}

const REDIS: Sizes = Sizes {
    object: 16,
    entry: 24,
    holds_key: false,
    embedded: 44,
    table: 56,
    element: 24,
    place: 8.0,
};

const VALKEY: Sizes = Sizes {
    object: 16,
    entry: 0,
    holds_key: true,
    embedded: 44,
    table: 56,
    element: 0,
    place: 13.0,
};

/// A list's own structure, and that of each of its nodes.
const QUICKLIST: u64 = 40;
const QUICKLIST_NODE: u64 = 32;
/// A sorted set's own structures, and the head of its skip list with all levels.
const SORTED_SET: u64 = 16 + 32 + 640;
/// A node of a skip list, over all heights.
const SKIPLIST_NODE: u64 = 53;
const STREAM: u64 = 80;
/// An element of a radix tree: its key, and its nodes as the server counts them.
const RADIX_ELEMENT: u64 = 16;
const RADIX_NODE: u64 = 244;
const PENDING: u64 = 24;
const GROUP: u64 = 48;
const CONSUMER: u64 = 32;

/// The size that the allocator gives for so many bytes: steps of 16 up to 128, then four steps a
/// doubling.
#[inline]
pub fn class(bytes: u64) -> u64 {
    if bytes <= 8 {
        return 8;
    }
    if bytes <= 128 {
        return (bytes + 15) & !15;
    }
    let step = 1_u64 << (61 - (bytes - 1).leading_zeros()).min(61);
    bytes
        .checked_add(step - 1)
        .map_or(bytes, |up| up & !(step - 1))
}

/// A string on its own, with its header and the zero at its end.
#[inline]
pub fn string(length: u64) -> u64 {
    let header = match length {
        0..32 => 1,
        32..256 => 3,
        256..65_536 => 5,
        _ => 9,
    };
    class(length.saturating_add(header + 1))
}

impl Sizes {
    pub fn of(flavour: Flavour) -> &'static Self {
        match flavour {
            Flavour::Redis => &REDIS,
            Flavour::Valkey => &VALKEY,
        }
    }

    /// A key with nothing in it.
    #[inline]
    pub fn key(&self, name: u64) -> u64 {
        if self.holds_key {
            class(self.object + 2 + name + 1)
        } else {
            self.object + self.entry + string(name)
        }
    }

    /// A key that holds a string, whole.
    #[inline]
    pub fn text(&self, name: u64, length: u64, is_int: bool) -> u64 {
        if is_int {
            return self.key(name);
        }
        if length <= self.embedded {
            return if self.holds_key {
                class(self.object + 2 + name + 1 + 3 + length + 1)
            } else {
                self.entry + string(name) + class(self.object + 3 + length + 1)
            };
        }
        self.key(name) + string(length.max(32))
    }

    /// A table of so many elements, without their strings.
    pub fn table(&self, elements: u64) -> u64 {
        let places = elements
            .max(4)
            .checked_next_power_of_two()
            .unwrap_or(elements);
        let places = if self.holds_key {
            elements as f64 * self.place
        } else {
            places as f64 * self.place
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive estimate, far below the limits"
        )]
        let places = places as u64;
        self.table
            .saturating_add(places)
            .saturating_add(elements.saturating_mul(self.element))
    }

    pub fn sorted_set(&self, elements: u64) -> u64 {
        self.table(elements)
            .saturating_add(SORTED_SET)
            .saturating_add(elements.saturating_mul(SKIPLIST_NODE))
    }
}

/// A list of this many nodes, without what they hold.
pub fn quicklist(nodes: u64) -> u64 {
    QUICKLIST.saturating_add(nodes.saturating_mul(QUICKLIST_NODE))
}

/// A stream of so many packed nodes, without what they hold.
pub fn stream(nodes: u64) -> u64 {
    STREAM.saturating_add(radix(nodes))
}

pub fn group(name: u64, pending: u64) -> u64 {
    GROUP
        .saturating_add(name)
        .saturating_add(radix(pending))
        .saturating_add(pending.saturating_mul(PENDING))
}

pub fn consumer(name: u64, pending: u64) -> u64 {
    CONSUMER.saturating_add(name).saturating_add(radix(pending))
}

fn radix(elements: u64) -> u64 {
    // A tree of keys that are alike: a leaf for each, and about as many nodes on the way.
    let nodes = elements.saturating_mul(3) / 2 + 1;
    elements
        .saturating_mul(RADIX_ELEMENT)
        .saturating_add(nodes.saturating_mul(RADIX_NODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_as_the_allocator_does() {
        for (bytes, expected) in [
            (0, 8),
            (8, 8),
            (9, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (161, 192),
            (257, 320),
            (513, 640),
            (1_025, 1_280),
            (4_097, 5_120),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(class(bytes), expected, "{bytes}");
        }
    }
}
