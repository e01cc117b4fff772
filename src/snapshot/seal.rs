//! Whether a snapshot of Redis or Valkey is whole: its first word, its last byte, its checksum.
//!
//! The bytes are looked at while they pass, whatever their number; nothing of them is understood.

use crc_fast::{CrcAlgorithm, Digest};
use thiserror::Error;

/// What files begin with, before four digits or three.
const MAGICS: [(&[u8], usize); 2] = [(b"REDIS", 4), (b"VALKEY", 3)];
/// A magic and its version.
const HEAD: usize = 9;
/// The checksum, least significant byte first.
const SUM: usize = 8;
/// What stands before the checksum.
const LAST_OPCODE: u8 = 0xff;
/// Older files carry no checksum.
const FIRST_WITH_SUM: u32 = 5;

/// Writes the checksum that fits the bytes before it; nothing where there is no room for one.
pub fn renew(snapshot: &mut [u8]) {
    if let Some(split) = snapshot.len().checked_sub(SUM) {
        let (body, sum) = snapshot.split_at_mut(split);
        let mut digest = Digest::new(CrcAlgorithm::Crc64Redis);
        digest.update(body);
        sum.copy_from_slice(&digest.finalize().to_le_bytes());
    }
}

/// Takes in a snapshot piece by piece.
pub struct Seal {
    digest: Digest,
    head: Vec<u8>,
    /// The latest bytes, which may be the checksum.
    tail: Vec<u8>,
    seen: u64,
}

/// A snapshot that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// `REDIS` or `VALKEY`.
    pub family: String,
    /// The version of the format, not of the server.
    pub version: u32,
    pub is_sum_checked: bool,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Broken {
    #[error("it does not begin as a snapshot does")]
    Stranger,
    #[error("it ends after {0} bytes, before its end mark")]
    Cut(u64),
    #[error("its checksum is {found:016x}, and {expected:016x} is written in it")]
    Sum { found: u64, expected: u64 },
}

impl Default for Seal {
    fn default() -> Self {
        Self {
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
            head: Vec::with_capacity(HEAD),
            tail: Vec::with_capacity(SUM),
            seen: 0,
        }
    }
}

impl Seal {
    pub fn take(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.seen += bytes.len() as u64;
        if bytes.len() >= SUM {
            let (body, tail) = bytes.split_at(bytes.len() - SUM);
            self.digest.update(&self.tail);
            self.digest.update(body);
            self.tail.clear();
            self.tail.extend_from_slice(tail);
            return;
        }
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(SUM);
        self.digest.update(&self.tail[..surplus]);
        self.tail.drain(..surplus);
    }

    /// # Errors
    /// When what came is no whole snapshot. The last opcode is not looked for by itself: where there
    /// is a checksum it is covered, and without one nothing short of reading the file tells.
    pub fn finish(self) -> Result<Whole, Broken> {
        let (family, version) = magic(&self.head).ok_or(Broken::Stranger)?;
        let tail: [u8; SUM] = (&self.tail[..])
            .try_into()
            .map_err(|_| Broken::Cut(self.seen))?;
        if self.seen < (HEAD + 1 + SUM) as u64 {
            return Err(Broken::Cut(self.seen));
        }
        let (found, expected) = (self.digest.finalize(), u64::from_le_bytes(tail));
        let whole = |is_sum_checked| Whole {
            family: family.to_owned(),
            version,
            is_sum_checked,
        };
        match (version < FIRST_WITH_SUM, expected) {
            // Versions without one end with the opcode, and zero stands for "not made".
            (true, _) if tail[SUM - 1] == LAST_OPCODE => Ok(whole(false)),
            (true, _) => Err(Broken::Cut(self.seen)),
            (false, 0) => Ok(whole(false)),
            (false, expected) if expected == found => Ok(whole(true)),
            (false, expected) => Err(Broken::Sum { found, expected }),
        }
    }
}

fn magic(head: &[u8]) -> Option<(&'static str, u32)> {
    MAGICS.iter().find_map(|(name, digits)| {
        let version = head.strip_prefix(*name)?;
        let version = std::str::from_utf8(version.get(..*digits)?).ok()?;
        let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
        let version = version.parse().ok().filter(|_| is_number)?;
        Some((std::str::from_utf8(name).ok()?, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A snapshot with nothing in it, as a server writes it.
    fn empty(head: &[u8], sum: Option<u64>) -> Vec<u8> {
        let mut bytes = [head, &[LAST_OPCODE]].concat();
        let sum = sum
            .unwrap_or_else(|| crc_fast::checksum(CrcAlgorithm::Crc64Redis, &bytes))
            .to_le_bytes();
        bytes.extend(sum);
        bytes
    }

    fn judge(pieces: &[&[u8]]) -> Result<Whole, Broken> {
        let mut seal = Seal::default();
        for piece in pieces {
            seal.take(piece);
        }
        seal.finish()
    }

    #[test]
    fn the_checksum_is_that_of_the_servers() {
        // The check value of the variant that Redis documents in its source: 1 to 9 as text.
        let sum = crc_fast::checksum(CrcAlgorithm::Crc64Redis, b"123456789");
        assert_eq!(sum, 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_whole_snapshot_is_whole_however_it_is_cut_into_pieces() {
        let bytes = empty(b"REDIS0010", None);
        let whole = Whole {
            family: "REDIS".into(),
            version: 10,
            is_sum_checked: true,
        };
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(judge(&[left, right]), Ok(whole.clone()), "{at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(judge(&single), Ok(whole));
        assert_eq!(judge(&[&empty(b"VALKEY080", None)]).unwrap().version, 80);
    }

    #[test]
    fn a_snapshot_without_checksum_says_so() {
        assert!(
            !judge(&[&empty(b"REDIS0011", Some(0))])
                .unwrap()
                .is_sum_checked
        );
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_is_broken() {
        let bytes = empty(b"REDIS0010 some more bytes", None);
        for at in 0..bytes.len() {
            assert!(judge(&[&bytes[..at]]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            // Another digit is another version, and the sum notices all the same.
            assert!(judge(&[&changed]).is_err(), "changed at {at}");
        }
        assert_eq!(judge(&[b"-ERR no\r\nand some more"]), Err(Broken::Stranger));
    }
}
