//! The bundled snapshot, for where no server can be started: the sample data of the demo, as a server
//! wrote them.
//!
//! Times to live are moments, and those of a file that was made long ago are over. So it is unpacked as
//! if it had been written now: every moment in it is moved by its age.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::DemoError;
use crate::model::{Environment, Place, Protocol, Target, UnixMs};
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::{Reader, Record};
use crate::snapshot::seal;

const SNAPSHOT: &[u8] = include_bytes!("../../assets/demo.rdb");
const NAME: &str = "demo.rdb";

/// The snapshot in a private directory. Dropping it removes it.
#[derive(Debug)]
pub struct Bundled {
    target: Target,
    _directory: TempDir,
}

impl Bundled {
    /// Unpacks it as if it were written at this moment.
    ///
    /// # Errors
    /// When the directory cannot be made or written to.
    pub fn unpack(now: UnixMs) -> Result<Self, DemoError> {
        let snapshot = moved(SNAPSHOT, now).map_err(|error| {
            DemoError::Directory(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        let directory = tempfile::Builder::new()
            .prefix("cachedeck-demo-")
            .tempdir()
            .map_err(DemoError::Directory)?;
        let path = directory.path().join(NAME);
        write(&path, &snapshot).map_err(DemoError::Directory)?;
        let mut target = Target::at(Protocol::Redis, Place::File(path));
        "demo-snapshot".clone_into(&mut target.name);
        target.environment = Environment::Development;
        Ok(Self {
            target,
            _directory: directory,
        })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }
}

fn write(path: &Path, snapshot: &[u8]) -> io::Result<()> {
    std::fs::write(path, snapshot)
}

/// The same snapshot, written at another moment.
fn moved(snapshot: &[u8], now: UnixMs) -> Result<Vec<u8>, SnapshotError> {
    const MS: usize = 8;
    /// What stands before a moment of expiry in milliseconds.
    const ENDS_MS: u8 = 0xfc;
    let mut moved = snapshot.to_vec();
    let mut reader = Reader::new(snapshot)?;
    let mut age = None;
    loop {
        match reader.next()? {
            Record::Fact {
                name: b"ctime",
                value,
            } => {
                let seconds = str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<i64>().ok());
                age = seconds.map(|written| now.0 - written * 1_000);
                if let Some(seconds) = seconds {
                    renew(&mut moved, seconds, now);
                }
            }
            Record::Key(head) => {
                let (Some(ends), Some(age)) = (head.ends, age) else {
                    continue;
                };
                let at = usize::try_from(head.offset).unwrap_or(usize::MAX);
                let place = at.saturating_add(1)..at.saturating_add(1 + MS);
                // It is the first that is told of a key, where it is told.
                if moved.get(at) == Some(&ENDS_MS)
                    && let Some(place) = moved.get_mut(place)
                {
                    place.copy_from_slice(&(ends.0 + age).to_le_bytes());
                }
            }
            Record::End(_) => break,
            _ => {}
        }
    }
    seal::renew(&mut moved);
    Ok(moved)
}

/// Writes the moment into the fact that says when the file was written: a number of 32 bits.
fn renew(snapshot: &mut [u8], written: i64, now: UnixMs) {
    /// How the format says that four bytes of a number follow.
    const INT32: u8 = 0xc2;
    let number = |seconds: i64| i32::try_from(seconds).ok().map(i32::to_le_bytes);
    let (Some(before), Some(after)) = (number(written), number(now.0 / 1_000)) else {
        return;
    };
    let mut told = b"\x05ctime".to_vec();
    told.push(INT32);
    told.extend_from_slice(&before);
    let place = snapshot.windows(told.len()).position(|part| part == told);
    if let Some(place) = place {
        let end = place + told.len();
        snapshot[end - after.len()..end].copy_from_slice(&after);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::snapshot::rdb::Ending;

    #[test]
    fn it_is_as_if_written_now_and_whole() {
        let now = UnixMs(1_900_000_000_000);
        let snapshot = moved(SNAPSHOT, now).unwrap();
        let mut reader = Reader::new(snapshot.as_slice()).unwrap();
        let (mut keys, mut alive, mut kinds) = (0, 0, BTreeSet::new());
        let ending = loop {
            match reader.next().unwrap() {
                Record::Fact {
                    name: b"ctime",
                    value,
                } => assert_eq!(value, b"1900000000"),
                Record::Key(head) => {
                    keys += 1;
                    alive += u32::from(!head.is_expired(now));
                    kinds.insert(head.kind.word().to_owned());
                }
                Record::End(ending) => break ending,
                _ => {}
            }
        };
        assert!(matches!(ending, Ending::Verified(_)));
        assert!(keys > 1_500);
        assert!(alive * 100 > keys * 99, "{alive} of {keys}");
        let all = ["hash", "list", "set", "stream", "string", "zset"];
        assert_eq!(kinds, all.map(str::to_owned).into());
    }

    #[test]
    fn it_is_small() {
        assert!(SNAPSHOT.len() < 300_000, "{}", SNAPSHOT.len());
    }
}
