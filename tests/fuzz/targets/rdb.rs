//! Any bytes as a snapshot, as the records of one, and as a payload of DUMP: an answer or an error.

#![no_main]

use std::ops::ControlFlow;

use cachedeck::model::{Bytes, UnixMs};
use cachedeck::snapshot::rdb::{Flavour, Header, Place, Reader, Record, verified_dump};
use cachedeck::snapshot::{SnapshotError, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(verify(bytes, UnixMs(0), |_| ControlFlow::Continue(())));
    for (flavour, version) in [(Flavour::Redis, 13), (Flavour::Valkey, 80)] {
        let place = Place {
            header: Header::of(flavour, version),
            db: 0,
            slot: None,
            offset: 0,
        };
        drop(dumped(Reader::at(bytes, place)));
    }
    drop(verified_dump(bytes));
});

/// What is dumped of a value that could be read is a payload that can be read.
fn dumped(mut reader: Reader<&[u8]>) -> Result<(), SnapshotError> {
    let mut payload = Vec::new();
    loop {
        match reader.next()? {
            Record::Key(_) => {}
            Record::End(_) => return Ok(()),
            _ => continue,
        }
        reader.dump(Bytes(1 << 20), &mut payload)?;
        let mut again = verified_dump(&payload).expect("our own payload");
        again.skip().expect("what was passed once is passed twice");
    }
}
