//! CRC-64 with the polynomial of Jones, as snapshots and DUMP payloads end with.

use crc_fast::{CrcAlgorithm, Digest};

#[derive(Clone, Debug)]
pub struct Checksum(Digest);

impl Default for Checksum {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Redis))
    }
}

impl Checksum {
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

pub fn of(bytes: &[u8]) -> u64 {
    let mut checksum = Checksum::default();
    checksum.add(bytes);
    checksum.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_that_servers_write() {
        // The check value that the server's own source states.
        assert_eq!(of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(of(b""), 0);
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let bytes: Vec<u8> = (0..5_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut checksum = Checksum::default();
        for piece in bytes.chunks(7) {
            checksum.add(piece);
        }
        assert_eq!(checksum.value(), of(&bytes));
    }
}
