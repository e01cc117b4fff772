//! What a key takes in a server, guessed from how it stands in a file.
//!
//! Follows what `MEMORY USAGE` adds up in Redis 7 and in Valkey 9, on 64 bits with jemalloc: the sizes
//! of the server's own structures, strings with their headers, each rounded up to the allocator's
//! classes. What a file does not tell (spare room of strings and tables, levels of skip lists) is
//! taken at its mean.

use crate::snapshot::rdb::{Flavour, Header, Objects};

/// Sizes of structures, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    flavour: Flavour,
    objects: Objects,
    table: u64,
    /// One element of a table beside its strings.
    element: u64,
    /// A node of a skip list, over all heights.
    skiplist_node: u64,
    /// A node of a radix tree, as the server counts it.
    radix_node: u64,
}

/// An object without what it holds, and without its pointer where that gives way to a text.
const OBJECT: u64 = 16;
const POINTERLESS: u64 = 8;
/// Name and text of an object of 64 bytes: the others are its own and the headers of the two.
const ONE_LINE: u64 = 41;
/// An entry of the table of keys in Redis; Valkey's is counted nowhere.
const ENTRY: u64 = 24;

const REDIS: Sizes = Sizes {
    flavour: Flavour::Redis,
    objects: Objects::Apart,
    table: 56,
    element: 24,
    skiplist_node: 53,
    radix_node: 244,
};

const VALKEY: Sizes = Sizes {
    flavour: Flavour::Valkey,
    objects: Objects::TwoLines,
    table: 56,
    element: 13,
    skiplist_node: 41,
    radix_node: 45,
};

/// Whether a text stands in its object: of up to 44 bytes, or with the name as far as lines of the
/// processor's cache go. (As measured on Redis 8.0, 8.6, Valkey 8.1 and 9.)
pub fn is_embedded(objects: Objects, name: u64, length: u64) -> bool {
    match objects {
        Objects::Apart => length <= 44,
        Objects::OneLine => name.saturating_add(length) <= ONE_LINE,
        Objects::TwoLines => {
            length <= 128 && POINTERLESS + name_within(name) + text_within(length) <= 128
        }
    }
}

/// A name within an object: its length, its header, itself and a zero.
fn name_within(name: u64) -> u64 {
    name + if name < 32 { 3 } else { 5 }
}

fn text_within(length: u64) -> u64 {
    length + 4
}

/// A list's own structure, and that of each of its nodes.
const QUICKLIST: u64 = 40;
const QUICKLIST_NODE: u64 = 32;
/// A sorted set's own structures, and the head of its skip list with all levels.
const SORTED_SET: u64 = 16 + 32 + 640;
const STREAM: u64 = 80;
const LAST_NODE: u64 = 4_096;
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
    #[inline]
    pub fn of(header: Header) -> Self {
        let sizes = match header.flavour {
            Flavour::Redis => REDIS,
            Flavour::Valkey => VALKEY,
        };
        Self {
            objects: header.objects,
            ..sizes
        }
    }

    /// A key with nothing in it.
    #[inline]
    pub fn key(&self, name: u64) -> u64 {
        match self.objects {
            Objects::Apart => OBJECT + ENTRY + string(name),
            Objects::OneLine | Objects::TwoLines => class(OBJECT + name_within(name)),
        }
    }

    /// A key that holds a string, whole.
    #[inline]
    pub fn text(&self, name: u64, length: u64, is_int: bool) -> u64 {
        if is_int {
            return self.key(name);
        }
        if !is_embedded(self.objects, name, length) {
            return self.key(name).saturating_add(string(length.max(32)));
        }
        match self.objects {
            Objects::Apart => ENTRY + string(name) + class(OBJECT + text_within(length)),
            Objects::OneLine => class(OBJECT + name_within(name) + text_within(length)),
            Objects::TwoLines => class(POINTERLESS + name_within(name) + text_within(length)),
        }
    }

    /// A table of so many elements, without their strings.
    pub fn table(&self, elements: u64) -> u64 {
        let places = match self.flavour {
            Flavour::Redis => {
                let places = elements.max(4).checked_next_power_of_two();
                places.unwrap_or(elements).saturating_mul(8)
            }
            // Its lines hold seven elements each and are counted with them.
            Flavour::Valkey => 0,
        };
        self.table
            .saturating_add(places)
            .saturating_add(elements.saturating_mul(self.element))
    }

    pub fn sorted_set(&self, elements: u64) -> u64 {
        self.table(elements)
            .saturating_add(SORTED_SET)
            .saturating_add(elements.saturating_mul(self.skiplist_node))
    }

    /// A stream of so many packed nodes, without what they hold.
    pub fn stream(&self, nodes: u64) -> u64 {
        STREAM.saturating_add(self.radix(nodes))
    }

    pub fn group(&self, name: u64, pending: u64) -> u64 {
        GROUP
            .saturating_add(name)
            .saturating_add(self.radix(pending))
            .saturating_add(pending.saturating_mul(PENDING))
    }

    pub fn consumer(&self, name: u64, pending: u64) -> u64 {
        CONSUMER
            .saturating_add(name)
            .saturating_add(self.radix(pending))
    }

    /// A tree of keys that are alike: a leaf for each, and as many nodes on the way.
    fn radix(&self, elements: u64) -> u64 {
        let nodes = elements.saturating_mul(2).saturating_add(1);
        nodes.saturating_mul(self.radix_node)
    }
}

/// A list of this many nodes, without what they hold.
pub fn quicklist(nodes: u64) -> u64 {
    QUICKLIST.saturating_add(nodes.saturating_mul(QUICKLIST_NODE))
}

/// What the last node of a stream holds, for which the server keeps room ahead.
pub fn last_node(bytes: u64) -> u64 {
    class(bytes.max(LAST_NODE))
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
