//! Values as `DUMP` gives them and `RESTORE` takes them: type, value, version and checksum.

use std::io::Read;

use crate::model::Bytes;
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::{Flavour, Header, Place, Reader, checksum, types};

/// Version and checksum, at the end.
const FOOTER: usize = 2 + 8;
/// From this version on a payload is of Valkey's own.
const VALKEY_SINCE: u16 = 80;

/// What became of a value that was to be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dumped {
    Whole,
    /// It is longer than asked for: passed over, and nothing of it kept.
    TooLarge(Bytes),
}

type Result<T> = std::result::Result<T, SnapshotError>;

impl<R: Read> Reader<R> {
    /// Writes the value of the key that was told last into `payload`, as `RESTORE` takes it, and passes
    /// it. The version is the first that knows the type, so that the oldest server takes it.
    ///
    /// # Errors
    /// When the value cannot be read.
    pub fn dump(&mut self, most: Bytes, payload: &mut Vec<u8>) -> Result<Dumped> {
        payload.clear();
        let Some(found) = self.begin_value() else {
            return Ok(Dumped::Whole);
        };
        payload.push(found.code);
        self.source.start_record(std::mem::take(payload), most.0);
        let shape = self.shape(found);
        let (bytes, passed) = self.source.end_record();
        *payload = bytes;
        shape?;
        if passed > most.0 {
            payload.clear();
            return Ok(Dumped::TooLarge(Bytes(passed)));
        }
        payload.extend(found.since.to_le_bytes());
        payload.extend(checksum::of(payload).to_le_bytes());
        Ok(Dumped::Whole)
    }
}

/// Checks a payload and gives a reader that has told its key (which has no name there): its value comes
/// next.
///
/// # Errors
/// When version or checksum are wrong, or the type is not known.
pub fn verified_dump(payload: &[u8]) -> Result<Reader<&[u8]>> {
    let cut = SnapshotError::Cut {
        at: payload.len() as u64,
        expected: "version and checksum",
    };
    let split = payload.len().checked_sub(FOOTER);
    let Some(split) = split.filter(|split| *split > 0) else {
        return Err(cut);
    };
    let (body, footer) = payload.split_at(split);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let mut told = [0; 8];
    told.copy_from_slice(&footer[2..]);
    let told = u64::from_le_bytes(told);
    let found = checksum::of(&payload[..split + 2]);
    if told != found {
        return Err(SnapshotError::Checksum { told, found });
    }
    let flavour = if version >= VALKEY_SINCE {
        Flavour::Valkey
    } else {
        Flavour::Redis
    };
    let header = Header::of(flavour, u32::from(version));
    let place = Place {
        header,
        db: 0,
        slot: None,
        offset: 0,
    };
    let mut reader = Reader::at(body, place);
    let code = reader.source.byte("the type of a value")?;
    let Some(found) = types::of(flavour, code) else {
        return Err(super::unknown_type(0, code));
    };
    reader.set_type(found)?;
    Ok(reader)
}
