//! Any bytes as a file of Memcached's items: an answer or an error.

#![no_main]

use cachedeck::snapshot::items::{Packing, Reader, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    // What could be read is written again, and read as the same.
    let mut again = Vec::new();
    let header = reader.header().clone();
    let mut writer = Writer::new(&mut again, &header, Packing::None).expect("memory takes all");
    let mut items = 0;
    while let Ok(Some(block)) = reader.block() {
        items += block.iter().flatten().count();
        writer.block(block).expect("memory takes all");
    }
    let Some(end) = reader.end().copied() else {
        return;
    };
    writer.finish(end).expect("memory takes all");
    let mut back = Reader::new(&again[..]).expect("our own file");
    let mut found = 0;
    while let Some(block) = back.block().expect("our own block") {
        found += block.iter().flatten().count();
    }
    assert_eq!(items, found);
});
